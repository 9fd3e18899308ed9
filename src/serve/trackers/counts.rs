//! How the items of a tracker stand, counted.

use schemars::JsonSchema;
use serde::Serialize;

use super::item::{Coded, Item, ItemStatus};
use crate::model::time::Day;

/// How many items stand how. What was given up is in no count but its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ItemCounts")]
pub(in crate::serve) struct Counts {
    pub(in crate::serve) total: u64,
    pub(in crate::serve) not_started: u64,
    pub(in crate::serve) in_progress: u64,
    pub(in crate::serve) done: u64,
    pub(in crate::serve) cancelled: u64,
    /// Items whose day has come, done or not,
    pub(in crate::serve) due: u64,
    /// and of these, items that brought about less than they are to.
    pub(in crate::serve) due_short_of_target: u64,
    /// Items whose day has passed and that are not done.
    pub(in crate::serve) overdue: u64,
    /// Items whose report came late or is missing.
    pub(in crate::serve) reports_late: u64,
}

/// The counts of all items that have one code: of a kind, of a group, of a leading unit.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ItemCountsOf")]
pub(in crate::serve) struct CountsOf {
    pub(in crate::serve) of: Coded,
    pub(in crate::serve) counts: Counts,
}

impl Counts {
    pub(in crate::serve) fn of<'i>(items: impl IntoIterator<Item = &'i Item>, on: Day) -> Self {
        let mut counts = Self::default();
        for item in items {
            match item.status {
                ItemStatus::Cancelled => {
                    counts.cancelled += 1;
                    continue;
                }
                ItemStatus::NotStarted => counts.not_started += 1,
                ItemStatus::InProgress => counts.in_progress += 1,
                ItemStatus::Done => counts.done += 1,
            }
            counts.total += 1;
            counts.due += u64::from(item.is_due(on));
            counts.due_short_of_target += u64::from(item.is_due(on) && item.is_short());
            counts.overdue += u64::from(item.is_overdue);
            counts.reports_late += u64::from(item.report_days_late.is_some_and(|late| late > 0));
        }
        counts
    }
}

/// The counts by a code, in the order of the codes' first items.
pub(super) fn by<'i>(
    items: &'i [Item],
    on: Day,
    code: impl Fn(&'i Item) -> Option<&'i Coded>,
) -> Vec<CountsOf> {
    let mut parts: Vec<(&Coded, Vec<&Item>)> = Vec::new();
    for item in items {
        let Some(of) = code(item) else { continue };
        match parts.iter_mut().find(|(known, _)| known.code == of.code) {
            Some((_, items)) => items.push(item),
            None => parts.push((of, vec![item])),
        }
    }
    let counted = parts.into_iter();
    counted.map(|(of, items)| CountsOf { of: of.clone(), counts: Counts::of(items, on) }).collect()
}

//! One item of a tracker on a day, from the row that the store keeps.
//!
//! The days in the record decide how an item stands, not the word for its status: so it can be told
//! for any day, and what was not done when its day passed is overdue by itself, without a new record.
//! On a day that is over an item is overdue that was due by it; today it is what was due before.
//! Percent, amounts and reports are those of the last record, whatever day is asked for.

use schemars::JsonSchema;
use serde::Serialize;

use super::settings::{Part, Tracker};
use crate::model::declared::dictionary;
use crate::model::row::NULL;
use crate::model::text::Bilingual;
use crate::model::time::{DAY, Day, Stamp};
use crate::serve::context::Asked;
use crate::serve::number::Number;

/// How an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ItemStatus")]
pub(in crate::serve) enum ItemStatus {
    /// It has not begun.
    NotStarted,
    /// It has begun and is not done.
    InProgress,
    /// It is done.
    Done,
    /// It was given up.
    Cancelled,
}

impl ItemStatus {
    pub(in crate::serve) const ALL: [Self; 4] =
        [Self::NotStarted, Self::InProgress, Self::Done, Self::Cancelled];

    /// The word in the API.
    pub(in crate::serve) const fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => "not_started",
            Self::InProgress => "in_progress",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A code with its title.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ItemCode")]
pub(in crate::serve) struct Coded {
    pub(in crate::serve) code: String,
    pub(in crate::serve) title: String,
    pub(in crate::serve) title_en: String,
}

/// One model or task.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "TrackerItem")]
pub(in crate::serve) struct Item {
    pub(in crate::serve) item: String,
    pub(in crate::serve) kind: Coded,
    pub(in crate::serve) group: Option<Coded>,
    pub(in crate::serve) title: String,
    /// The unit that leads.
    pub(in crate::serve) lead: Coded,
    /// The position that answers, never a person's name.
    pub(in crate::serve) role: Option<String>,
    /// The units that take part, as far as the register names them.
    pub(in crate::serve) coordinating: Vec<Coded>,
    /// How many units take part.
    pub(in crate::serve) coordinating_count: Option<i64>,
    pub(in crate::serve) start: Option<Day>,
    pub(in crate::serve) started: Option<Day>,
    pub(in crate::serve) due: Option<Day>,
    pub(in crate::serve) done: Option<Day>,
    pub(in crate::serve) status: ItemStatus,
    /// Its day has passed and it is not done.
    pub(in crate::serve) is_overdue: bool,
    /// By how many days.
    pub(in crate::serve) days_overdue: i32,
    /// How far it has come, as last reported.
    pub(in crate::serve) percent: Option<i64>,
    pub(in crate::serve) product: Option<String>,
    pub(in crate::serve) target: Option<i64>,
    pub(in crate::serve) actual: Option<i64>,
    pub(in crate::serve) unit: Option<String>,
    /// `actual` by `target`; null without either.
    pub(in crate::serve) attainment_ratio: Option<Number>,
    pub(in crate::serve) report_due_at: Option<Stamp>,
    pub(in crate::serve) last_report_at: Option<Stamp>,
    /// By how many begun days the report was late, or is while it is missing; 0 if in time.
    pub(in crate::serve) report_days_late: Option<i64>,
    pub(in crate::serve) blockers: Option<i64>,
}

/// A row with what is needed to read it.
pub(super) struct Row<'a> {
    pub(super) asked: &'a Asked<'a>,
    pub(super) tracker: &'a Tracker,
    pub(super) row: &'a [i64],
}

impl Row<'_> {
    fn number(&self, part: Part) -> Option<i64> {
        let (slot, _) = self.tracker.places.get(&part)?;
        self.row.get(*slot).copied().filter(|value| *value != NULL)
    }

    fn day(&self, part: Part) -> Option<Day> {
        self.number(part).map(|day| Day(day as i32))
    }

    fn text(&self, part: Part) -> Option<String> {
        let settings = &self.tracker.settings;
        let name = dictionary(&settings.contract, settings.properties.get(&part)?);
        let number = self.number(part)? as u16;
        Some(self.asked.snapshot.texts.get(&name)?.word(number)?.to_owned())
    }

    fn code(&self, part: Part) -> Option<Coded> {
        let (_, list) = self.tracker.places.get(&part)?;
        let (number, name) = (self.number(part)? as u16, list.as_ref()?);
        let list = self.asked.definitions.lists.get(name)?;
        let code = list.codes().find(|(known, _)| *known == number)?.1.to_owned();
        let title = list.title(number).cloned().unwrap_or_else(|| Bilingual::same(&code));
        Some(Coded { code, title: title.vi, title_en: title.en })
    }

    /// `None` for what is no item yet, or has no code and no kind to be told by.
    pub(super) fn item(&self, on: Day) -> Option<Item> {
        if self.day(Part::Listed).is_some_and(|listed| listed > on) {
            return None;
        }
        let by = |part: Part| self.day(part).is_some_and(|day| day <= on);
        let status = match (by(Part::Dropped), by(Part::Done), by(Part::Started)) {
            (true, ..) => ItemStatus::Cancelled,
            (_, true, _) => ItemStatus::Done,
            (_, _, true) => ItemStatus::InProgress,
            _ => ItemStatus::NotStarted,
        };
        let is_open = matches!(status, ItemStatus::NotStarted | ItemStatus::InProgress);
        // Today is not over, so what is due today is not overdue yet.
        let passed = on.plus(i32::from(on < self.asked.now.day()));
        let due = self.day(Part::Due);
        let days_overdue = due.filter(|_| is_open).map_or(0, |due| (passed.0 - due.0).max(0));
        let (target, actual) = (self.number(Part::Target), self.number(Part::Actual));
        let ratio = target.filter(|target| *target != 0).zip(actual);
        let coordinating = [Part::Coordinating, Part::AlsoCoordinating];
        let mut coordinating: Vec<Coded> =
            coordinating.into_iter().filter_map(|part| self.code(part)).collect();
        coordinating.dedup();
        Some(Item {
            item: self.text(Part::Code)?,
            kind: self.code(Part::Kind)?,
            group: self.code(Part::Group),
            title: self.text(Part::Title).unwrap_or_default(),
            lead: self.code(Part::Lead)?,
            role: self.text(Part::Role),
            coordinating,
            coordinating_count: self.number(Part::CoordinatingCount),
            start: self.day(Part::Start),
            started: self.day(Part::Started),
            due,
            done: self.day(Part::Done).filter(|done| *done <= on),
            status,
            is_overdue: days_overdue > 0,
            days_overdue,
            percent: self.number(Part::Percent),
            product: self.text(Part::Product),
            target,
            actual,
            unit: self.text(Part::Unit),
            attainment_ratio: ratio.map(|(target, actual)| Number(actual as f64 / target as f64)),
            report_due_at: self.number(Part::ReportDue).map(Stamp),
            last_report_at: self.number(Part::LastReport).map(Stamp),
            report_days_late: self.report_days_late(on),
            blockers: self.number(Part::Blockers),
        })
    }

    /// A report that has not come is as late as it is by now, or was at the end of the day asked for.
    fn report_days_late(&self, on: Day) -> Option<i64> {
        let due = self.number(Part::ReportDue)?;
        let until = on.plus(1).start().0.min(self.asked.now.0);
        let came = self.number(Part::LastReport).filter(|came| *came <= until);
        let late = came.unwrap_or(until) - due;
        Some(if late > 0 { (late + DAY - 1) / DAY } else { 0 })
    }
}

impl Item {
    /// Its day has come, whether it is done or not.
    pub(super) fn is_due(&self, on: Day) -> bool {
        self.status != ItemStatus::Cancelled && self.due.is_some_and(|due| due <= on)
    }

    /// It has brought about less than it is to.
    pub(super) fn is_short(&self) -> bool {
        self.attainment_ratio.is_some_and(|ratio| ratio.0 < 1.0)
    }
}

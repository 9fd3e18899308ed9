//! The last known value, where a component of a composite has none and its policy is to carry it.
//!
//! A survey that comes once a quarter should not take a monthly score away in the two months between.
//! What is carried is told: by component, with the period that its value is of, and a score with a
//! carried part is never final. Three limits keep it honest. It goes back a year and no further; into a
//! period that has not begun nothing is carried; and it never reaches past what is not told (a measure
//! being rebuilt, a figure withheld from the public, an area out of reach) to something older.

use std::collections::BTreeMap;

use crate::indicator::definition::Definition;
use crate::indicator::points::{Found, Question, points};
use crate::indicator::reading::{Carried, NoValue, Period};
use crate::model::time::Day;

/// Puts the last earlier value of `definition` wherever `found`, its points of the question, has none.
pub(super) fn carry(question: Question<'_>, definition: &Definition, found: &mut [Found]) {
    let width = question.columns.len();
    let rows = || question.periods.iter().enumerate();
    let mut earlier: BTreeMap<Day, Period> = BTreeMap::new();
    for (i, period) in rows() {
        if found[i * width..(i + 1) * width].iter().any(may_be_passed) {
            earlier.extend(before(question, period).map(|period| (period.first, period)));
        }
    }
    if earlier.is_empty() {
        return;
    }
    let places: BTreeMap<Day, usize> = earlier.keys().copied().zip(0..).collect();
    let earlier: Vec<Period> = earlier.into_values().collect();
    let known = points(Question { periods: &earlier, ..question }, definition);
    for (i, period) in rows() {
        let row = &mut found[i * width..(i + 1) * width];
        if !row.iter().any(may_be_passed) {
            continue;
        }
        // The same for all places of a period.
        let back: Vec<usize> = before(question, period).map(|from| places[&from.first]).collect();
        for (at, open) in row.iter_mut().enumerate().filter(|(_, open)| may_be_passed(open)) {
            let last = back.iter().find(|from| !may_be_passed(&known[**from * width + at]));
            let Some(from) = last else { continue };
            if let Some(value) = known[from * width + at].point.value {
                open.point.value = Some(value);
                let from = earlier[*from].id.clone();
                let carried = Carried { indicator: definition.id.clone(), from };
                open.point.carried = vec![carried];
            }
        }
    }
}

/// Whether there is no value for a reason that an older value may stand in for.
fn may_be_passed(found: &Found) -> bool {
    match found.point.reason {
        Some(
            NoValue::NotReported
            | NoValue::NoEvents
            | NoValue::NoBase
            | NoValue::MissingComponent
            | NoValue::NotInForce,
        ) => true,
        None
        | Some(
            NoValue::Rebuilding | NoValue::OutOfReach | NoValue::Suppressed | NoValue::NotPublic,
        ) => false,
    }
}

/// The periods of the same length before one that has begun, backwards: for a year, and as long as the
/// places of the question exist.
fn before<'a>(question: Question<'a>, period: &Period) -> impl Iterator<Item = Period> + 'a {
    let Question { world, slots, .. } = question;
    // A part of a period follows the whole ones before it.
    let whole = period.whole();
    let first = slots.since(world.areas).max(Some(whole.year_ago().first));
    let has_begun = period.first <= world.now.day();
    std::iter::successors(Some(whole.previous()), |period| Some(period.previous()))
        .take_while(move |period| has_begun && Some(period.first) >= first)
}

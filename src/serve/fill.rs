//! `fill=`: what stands in a series where there is no value, for charts that cannot draw a gap.
//!
//! A filled row says so, and keeps its status and the reason why there is no value: nothing that was made
//! up passes for a figure. Only what is missing is filled, and only in buckets that have begun. What
//! the reader may not know, what is being rebuilt and places that were not in force stay empty.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::context::Asked;
use super::error::ApiError;
use super::number::Number;
use super::query::Query;
use super::series::Row;
use crate::indicator::reading::NoValue;

/// What stands where there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fill {
    /// 0.
    Zero,
    /// The last value before, of the same place and within the answer.
    Previous,
}

/// What was asked for; nothing without it.
pub(super) fn asked_fill(query: &Query) -> Result<Option<Fill>, ApiError> {
    let words = [("null", None), ("zero", Some(Fill::Zero)), ("previous", Some(Fill::Previous))];
    query.one_of("fill", &words, None)
}

/// Fills the rows of a series, which are in the order of their buckets.
pub(super) fn fill(asked: &Asked<'_>, rows: &mut [Row], with: Fill) {
    let mut last: BTreeMap<_, Number> = BTreeMap::new();
    for row in rows.iter_mut().filter(|row| row.bucket <= asked.now) {
        let place = (row.commune.clone(), row.district.clone(), row.key.clone());
        if let Some(value) = row.value {
            last.insert(place, value);
        } else if row.reason.is_some_and(may_be_filled) {
            let value = match with {
                Fill::Zero => Some(Number(0.0)),
                Fill::Previous => last.get(&place).copied(),
            };
            (row.value, row.filled) = (value, value.map(|_| with));
        }
    }
}

const fn may_be_filled(reason: NoValue) -> bool {
    match reason {
        NoValue::NotReported | NoValue::NoEvents | NoValue::NoBase | NoValue::MissingComponent => {
            true
        }
        NoValue::NotInForce
        | NoValue::Rebuilding
        | NoValue::OutOfReach
        | NoValue::Suppressed
        | NoValue::NotPublic => false,
    }
}

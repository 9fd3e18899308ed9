//! `/v1/indicators/{id}/value`: one number with everything that qualifies it.
//!
//! Comparisons are further readings of the same snapshot. An open period is compared with the same
//! number of days of the earlier one, because a month of ten days always looks bad beside a whole
//! one; `elapsed_matched` says that this was done.

use super::answer::Answer;
use super::context::Asked;
use super::envelope::{Comparison, Envelope};
use super::error::{ApiError, ParameterError};
use super::number::Number;
use super::period::asked_period;
use super::place::{area, asked_place};
use super::query::{Query, refused};
use crate::indicator::{self, Definition, Period, Place};

/// What `compare=` may hold. The target stands in every answer that has one.
const COMPARISONS: [&str; 3] = ["target", "previous", "year_ago"];

/// `…/value?period=&area=&compare=`.
pub(super) fn value(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let definition = asked.definition()?;
    let query = Query::read(asked.request.query_string(), &["period", "area", "compare"])?;
    let compare = comparisons(&query)?;
    let period = asked_period(asked, definition, &query)?;
    let place = asked_place(asked, &query)?;
    let reading = indicator::value(&asked.world(), definition, &period, place);
    let now = reading.point.value;
    let beside = |word: &str, earlier: fn(&Period) -> Period| {
        compare
            .contains(&word)
            .then(|| comparison(asked, definition, &period, earlier(&period), place, now))
    };
    let previous = beside("previous", Period::previous);
    let year_ago = beside("year_ago", Period::year_ago);
    let area = area(asked, place);
    let mut envelope = Envelope::<()>::new(asked, definition, reading, area);
    (envelope.previous, envelope.year_ago) = (previous, year_ago);
    Answer::json(&envelope)
}

fn comparisons(query: &Query) -> Result<Vec<&str>, ApiError> {
    let Some(text) = query.get("compare") else { return Ok(Vec::new()) };
    let words: Vec<&str> = text.split(',').collect();
    if words.len() > COMPARISONS.len() {
        let reason = "names more comparisons than there are";
        return Err(ParameterError::new("compare", reason).allowing(COMPARISONS).into());
    }
    match words.iter().find(|word| !COMPARISONS.contains(word)) {
        Some(word) => Err(refused("compare", word, COMPARISONS)),
        None => Ok(words),
    }
}

fn comparison(
    asked: &Asked<'_>,
    definition: &Definition,
    period: &Period,
    mut earlier: Period,
    place: Place,
    now: Option<f64>,
) -> Comparison {
    let tomorrow = asked.now.day().plus(1);
    let elapsed = tomorrow.0 - period.first.0;
    let matched = tomorrow < period.end && elapsed > 0;
    if matched {
        earlier.end = earlier.end.min(earlier.first.plus(elapsed));
    }
    let reading = indicator::value(&asked.world(), definition, &earlier, place);
    let then = reading.point.value;
    let change = now.zip(then).map(|(now, then)| now - then);
    let ratio = change.zip(then).filter(|(_, then)| *then != 0.0);
    Comparison {
        period: earlier.id,
        value: then.map(Number),
        status: reading.point.status,
        reason: reading.point.reason,
        change: change.map(Number),
        change_ratio: ratio.map(|(change, then)| Number(change / then.abs())),
        elapsed_matched: matched,
    }
}

//! `/v1/indicators/{id}/value`: one number with everything that qualifies it.
//!
//! Comparisons are further readings of the same snapshot. An open period is compared with the same
//! number of days of the earlier one ([`crate::indicator::comparison`]); `elapsed_matched` says so.

use super::answer::Answer;
use super::context::Asked;
use super::envelope::{Comparison, Envelope, NoRows};
use super::error::{ApiError, ParameterError};
use super::filter::narrowed;
use super::number::Number;
use super::period::asked_period;
use super::place::{Area, Boundaries, area, asked_area, unit};
use super::query::{Query, refused};
use super::table::Columns;
use crate::indicator::comparison::{Against, change};
use crate::indicator::layout::{province_as_reported, unit_as_reported};
use crate::indicator::reading::{NoValue, Status};
use crate::indicator::{self, Definition, Period, Place, Reading, Unit};

/// What `compare=` may hold. The target stands in every answer that has one.
const COMPARISONS: [&str; 3] = ["target", "previous", "year_ago"];

/// One reading; it has no rows.
pub(super) type Body = Envelope<NoRows>;

/// The columns of a value as a table of one row.
const COLUMNS: Columns = &[
    ("indicator", "/indicator"),
    ("period", "/period/id"),
    ("bucket", "/period/start"),
    ("area_level", "/area/level"),
    ("area", "/area/code"),
    ("area_name", "/area/name"),
    ("value", "/value"),
    ("numerator", "/numerator"),
    ("denominator", "/denominator"),
    ("unit_of_measure", "/unit_of_measure"),
    ("status", "/status"),
    ("reason", "/reason"),
    ("target", "/target/value"),
    ("target_status", "/target/status"),
    ("target_expected", "/target/expected"),
    ("target_gap", "/target/gap"),
    ("target_pace_needed", "/target/pace_needed"),
    ("freshness", "/freshness/state"),
    ("data_through", "/freshness/data_through"),
    ("completeness_ratio", "/completeness/ratio"),
    ("accountable_unit", "/accountable/unit"),
    ("as_of", "/as_of"),
    ("revision", "/revision"),
    ("filter", "/filter"),
];

/// `…/value?period=&area=&filter[…]=&compare=&boundaries=&as_of=`.
pub(super) fn value(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let definition = &*narrowed(asked, &query)?;
    let compare = comparisons(&query)?;
    let period = asked_period(asked, definition, &query)?;
    let (area, boundaries) = asked_area(asked, &query)?;
    let at = Spot::of(asked, &area, boundaries, &period)?;
    let reading = at.read(asked, definition, &period).ok_or_else(|| {
        ApiError::Internal(format!("a unit in force in {} has no reading", period.id))
    })?;
    let now = reading.point.value;
    let beside = |word: &str, against: Against| {
        let earlier = || against.part(&period, asked.now.day());
        compare.contains(&word).then(|| comparison(asked, definition, earlier(), at, now))
    };
    let previous = beside("previous", Against::Previous);
    let year_ago = beside("year_ago", Against::YearAgo);
    let mut envelope = Body::new(asked, definition, reading, (at.area(asked), boundaries));
    (envelope.previous, envelope.year_ago) = (previous, year_ago);
    asked.listed(&envelope, COLUMNS, &definition.id)
}

/// How many points a value costs: itself and what stands beside it.
pub(super) fn cost(asked: &Asked<'_>) -> Result<usize, ApiError> {
    asked.definition()?;
    Ok(1 + comparisons(&asked.query()?)?.len())
}

/// The one place of a value.
#[derive(Clone, Copy)]
pub(super) enum Spot {
    Today(Place),
    ProvinceAsReported,
    Unit(Unit),
}

impl Spot {
    pub(super) fn of(
        asked: &Asked<'_>,
        area: &Area,
        boundaries: Boundaries,
        period: &Period,
    ) -> Result<Self, ApiError> {
        match (area, boundaries) {
            (Area::Province, Boundaries::Current) => Ok(Self::Today(Place::Province)),
            (Area::Province, Boundaries::AsReported) => Ok(Self::ProvinceAsReported),
            (Area::Today(place), _) => Ok(Self::Today(*place)),
            (Area::Reported(named), _) => named.in_period(asked, period).map(Self::Unit),
        }
    }

    /// `None` for a unit that was not in force in the period.
    pub(super) fn read(
        self,
        asked: &Asked<'_>,
        definition: &Definition,
        period: &Period,
    ) -> Option<Reading> {
        let world = asked.world();
        match self {
            Self::Today(place) => Some(indicator::value(&world, definition, period, place)),
            Self::ProvinceAsReported => Some(province_as_reported(&world, definition, period)),
            Self::Unit(unit) => unit_as_reported(&world, definition, period, unit),
        }
    }

    pub(super) fn area(self, asked: &Asked<'_>) -> super::place::AreaOut {
        match self {
            Self::Today(place) => area(asked, place),
            Self::ProvinceAsReported => area(asked, Place::Province),
            Self::Unit(found) => unit(&asked.definitions.areas, found),
        }
    }
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
    (earlier, elapsed_matched): (Period, bool),
    at: Spot,
    now: Option<f64>,
) -> Comparison {
    // An area is only ever compared with itself: as reported it may not have been there yet.
    let point = at.read(asked, definition, &earlier).map(|reading| reading.point);
    let then = point.as_ref().and_then(|point| point.value);
    let (change, ratio) = change(now, then);
    Comparison {
        period: earlier.id,
        value: then.map(Number),
        status: point.as_ref().map_or(Status::Missing, |point| point.status),
        reason: point.map_or(Some(NoValue::NotInForce), |point| point.reason),
        change: change.map(Number),
        change_ratio: ratio.map(Number),
        elapsed_matched,
    }
}

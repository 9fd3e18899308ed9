//! `/v1/indicators/{id}/series`: a number over time, for the province, a commune or all communes.
//!
//! Rows are flat, one per bucket and area, so that chart libraries, pandas and spreadsheets take
//! them as they are. The envelope beside them is the reading of the last bucket: how fresh, how
//! complete, whose. As reported, a bucket in which the boundaries changed has rows of both lists, each
//! with the days it covers.

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::context::Asked;
use super::envelope::Envelope;
use super::error::{ApiError, ParameterError};
use super::fill::{Fill, asked_fill, fill};
use super::number::Number;
use super::period::{Stretch, asked_stretch};
use super::place::{Area, AreaOut, Boundaries, asked_area, layout_by, layout_of};
use super::query::Query;
use super::table::Columns;
use super::value::Spot;
use crate::indicator::layout::Cell;
use crate::indicator::reading::{Carried, NoValue, Status};
use crate::indicator::{Definition, Layout, Level, Period, Reading};
use crate::model::time::{Day, Stamp};

/// One bucket of one area.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SeriesRow")]
pub(super) struct Row {
    /// The first moment of the bucket.
    pub(super) bucket: Stamp,
    /// The bucket as a period.
    pub(super) period: String,
    /// The commune's code, as reported with its list; null for the province.
    pub(super) commune: Option<String>,
    /// The district's code with its list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) district: Option<String>,
    /// As reported: the first day that is covered, and the first one after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<Day>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<Day>,
    pub(super) value: Option<Number>,
    pub(super) numerator: Option<Number>,
    pub(super) denominator: Option<Number>,
    pub(super) status: Status,
    pub(super) reason: Option<NoValue>,
    pub(super) completeness_ratio: Option<Number>,
    /// Components of which an earlier value stands in; left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) carried: Vec<Carried>,
    /// What stands in for a value that is missing, as was asked for; left out where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filled: Option<Fill>,
}

/// A reading with its series.
pub(super) type Body = Envelope<Row>;

/// The columns of a series as a table.
const OF_COMMUNES: Columns = &columns(("commune", "/commune"));
const OF_DISTRICTS: Columns = &columns(("district", "/district"));

const fn columns(place: (&'static str, &'static str)) -> [(&'static str, &'static str); 13] {
    [
        ("indicator", "^/indicator"),
        ("bucket", "/bucket"),
        ("grain", "^/grain"),
        place,
        ("value", "/value"),
        ("numerator", "/numerator"),
        ("denominator", "/denominator"),
        ("status", "/status"),
        ("reason", "/reason"),
        ("completeness_ratio", "/completeness_ratio"),
        ("accountable_unit", "^/accountable/unit"),
        ("revision", "^/revision"),
        ("filled", "/filled"),
    ]
}

/// `…/series?grain=&from=&to=&period=&last=&by=&area=&boundaries=&as_of=&format=`.
pub(super) fn series(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let Plan { definition, by, area, boundaries, stretch, periods, layout } = plan(asked)?;
    let filling = asked_fill(&asked.query()?)?;
    let cells = layout.cells(&asked.world(), definition);
    let level = by.unwrap_or_else(|| area.level());
    let mut rows: Vec<Row> = cells.into_iter().map(|cell| row(cell, level, boundaries)).collect();
    if let Some(with) = filling {
        fill(asked, &mut rows, with);
    }
    let (reading, area) = last(asked, definition, (&stretch, &periods), (&area, boundaries))?;
    let mut envelope = Envelope::new(asked, definition, reading, (area, boundaries));
    envelope.grain = Some(stretch.grain.as_str());
    (envelope.from, envelope.to) = (Some(stretch.first), Some(stretch.end));
    envelope.by = by.map(|level| level_word(level).to_owned());
    envelope.items = Some(rows);
    let columns = if level == Level::District { OF_DISTRICTS } else { OF_COMMUNES };
    asked.listed(&envelope, columns, &format!("{}-{}", definition.id, stretch.grain.as_str()))
}

/// What a series is made of, before anything of it is read.
struct Plan<'a> {
    definition: &'a Definition,
    by: Option<Level>,
    area: Area,
    boundaries: Boundaries,
    stretch: Stretch,
    periods: Vec<Period>,
    layout: Layout,
}

fn plan<'a>(asked: &'a Asked<'_>) -> Result<Plan<'a>, ApiError> {
    let definition = asked.definition()?;
    let query = asked.query()?;
    let by = asked_level(&query)?;
    let (area, boundaries) = asked_area(asked, &query)?;
    let stretch = asked_stretch(asked, definition, &query)?;
    stretch.check(1)?;
    let periods = stretch.periods();
    let layout = match by {
        Some(level) => layout_by(asked, &periods, (level, boundaries))?,
        None => layout_of(asked, &periods, &area),
    };
    stretch.check_size(layout.size())?;
    Ok(Plan { definition, by, area, boundaries, stretch, periods, layout })
}

/// How many points a series costs.
pub(super) fn cost(asked: &Asked<'_>) -> Result<usize, ApiError> {
    Ok(plan(asked)?.layout.size())
}

/// `by=commune` or `by=district`, which cannot stand beside an area.
pub(super) fn asked_level(query: &Query) -> Result<Option<Level>, ApiError> {
    let levels = [("commune", Some(Level::Commune)), ("district", Some(Level::District))];
    let by = query.one_of("by", &levels, None)?;
    if by.is_some() && query.get("area").is_some() {
        return Err(ParameterError::new("by", "cannot stand beside 'area'").into());
    }
    Ok(by)
}

/// The word for a level.
pub(super) const fn level_word(level: Level) -> &'static str {
    match level {
        Level::Commune => "commune",
        Level::District => "district",
    }
}

/// The reading of the last bucket in which the area was in force.
fn last(
    asked: &Asked<'_>,
    definition: &Definition,
    (stretch, periods): (&Stretch, &[Period]),
    (area, boundaries): (&Area, Boundaries),
) -> Result<(Reading, AreaOut), ApiError> {
    let end = Period::containing(stretch.end.plus(-1), stretch.grain);
    let mut refusal = None;
    for period in std::iter::once(&end).chain(periods.iter().rev()) {
        match Spot::of(asked, area, boundaries, period) {
            Ok(at) => {
                if let Some(reading) = at.read(asked, definition, period) {
                    return Ok((reading, at.area(asked)));
                }
            }
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    Err(refusal.unwrap_or_else(|| ApiError::Internal("a series without a bucket".to_owned())))
}

fn row(cell: Cell, level: Level, boundaries: Boundaries) -> Row {
    let Cell { period, key, point, .. } = cell;
    let reported = boundaries == Boundaries::AsReported;
    let (commune, district) = match level {
        Level::Commune => (key, None),
        Level::District => (None, key),
    };
    Row {
        bucket: period.first.start(),
        from: reported.then_some(period.first),
        to: reported.then_some(period.end),
        period: period.id,
        commune,
        district,
        value: point.value.map(Number),
        numerator: point.numerator.map(Number),
        denominator: point.denominator.map(Number),
        status: point.status,
        reason: point.reason,
        completeness_ratio: point.completeness_ratio.map(Number),
        carried: point.carried,
        filled: None,
    }
}

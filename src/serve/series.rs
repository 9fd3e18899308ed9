//! `/v1/indicators/{id}/series`: a number over time, for the province, a commune, all communes or the
//! values of a dimension.
//!
//! Rows are flat, one per bucket and area, so that chart libraries, pandas and spreadsheets take
//! them as they are. The envelope beside them is the reading of the last bucket: how fresh, how
//! complete, whose. As reported, a bucket in which the boundaries changed has rows of both lists, each
//! with the days it covers.

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::breakdown::{dictionary, dimension, titles};
use super::context::Asked;
use super::envelope::Envelope;
use super::error::{ApiError, ParameterError};
use super::fill::{Fill, asked_fill, fill};
use super::filter::narrowed;
use super::number::Number;
use super::period::{POINTS, Stretch, asked_stretch};
use super::place::{
    Area, AreaOut, Boundaries, asked_area, boundaries, layout_by, layout_of, within_reach,
};
use super::query::Query;
use super::table::Columns;
use super::value::Spot;
use crate::indicator::layout::Cell;
use crate::indicator::reading::{Carried, NoValue, Status};
use crate::indicator::{Definition, Grain, Layout, Level, Period, Reading};
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
    /// By a dimension: its value, null where records have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Key>,
    /// What people call this value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title_en: Option<String>,
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

/// The value of a dimension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[schemars(inline)]
pub(super) struct Key(Option<String>);

/// A reading with its series.
pub(super) type Body = Envelope<Row>;

/// The columns of a series as a table.
const OF_COMMUNES: Columns = &columns(("commune", "/commune"));
const OF_DISTRICTS: Columns = &columns(("district", "/district"));

const OF_VALUES: Columns = &{
    let [indicator, bucket, grain, key, value, numerator, denominator, status, reason, rest @ ..] =
        columns(("key", "/key"));
    let (title, title_en) = (("title", "/title"), ("title_en", "/title_en"));
    let [complete, unit, revision, filled, filter] = rest;
    [
        indicator,
        bucket,
        grain,
        key,
        title,
        title_en,
        value,
        numerator,
        denominator,
        status,
        reason,
        complete,
        unit,
        revision,
        filled,
        filter,
    ]
};

const fn columns(place: (&'static str, &'static str)) -> [(&'static str, &'static str); 14] {
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
        ("filter", "^/filter"),
    ]
}

/// The most sums that are made for one answer, of 16 bytes each: a filter leaves few values of a dimension,
/// but all of them are added up.
const ROOM: usize = 2_000_000;

/// By what the rows of one bucket are told apart.
#[derive(Clone, PartialEq, Eq)]
enum By {
    Level(Level),
    /// A dimension, province-wide.
    Dimension(String),
}

/// `…/series?grain=&from=&to=&period=&last=&by=&area=&filter[…]=&boundaries=&as_of=&format=`.
pub(super) fn series(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let definition = &*narrowed(asked, &query)?;
    let Plan { by, area, boundaries, stretch, periods, layout } = plan(asked, definition, &query)?;
    let filling = asked_fill(&query)?;
    let by_area = By::Level(area.level());
    let row = |cell| row(asked, definition, cell, (by.as_ref().unwrap_or(&by_area), boundaries));
    let cells = layout.cells(&asked.world(), definition);
    let mut rows: Vec<Row> = cells.into_iter().map(row).collect();
    if let Some(with) = filling {
        fill(asked, &mut rows, with);
    }
    let columns = match by.as_ref().unwrap_or(&by_area) {
        By::Level(Level::District) => OF_DISTRICTS,
        By::Level(Level::Commune) => OF_COMMUNES,
        By::Dimension(_) => OF_VALUES,
    };
    let (reading, area) = last(asked, definition, (&stretch, &periods), (&area, boundaries))?;
    let mut envelope = Envelope::new(asked, definition, reading, (area, boundaries));
    envelope.grain = Some(stretch.grain.as_str());
    (envelope.from, envelope.to) = (Some(stretch.first), Some(stretch.end));
    envelope.by = by.map(|by| match by {
        By::Level(level) => level_word(level).to_owned(),
        By::Dimension(name) => name,
    });
    envelope.items = Some(rows);
    asked.listed(&envelope, columns, &format!("{}-{}", definition.id, stretch.grain.as_str()))
}

/// What a series is made of, before anything of it is read.
struct Plan {
    by: Option<By>,
    area: Area,
    boundaries: Boundaries,
    stretch: Stretch,
    periods: Vec<Period>,
    layout: Layout,
}

fn plan(asked: &Asked<'_>, definition: &Definition, query: &Query) -> Result<Plan, ApiError> {
    let by = asked_by(definition, query)?;
    let (area, boundaries) = match by {
        // A dimension is cut province-wide, which a reader of some communes may not read.
        Some(By::Dimension(_)) => (Area::Province, boundaries(asked, query)?),
        _ => asked_area(asked, query)?,
    };
    if let Some(By::Dimension(_)) = by {
        within_reach(asked, &area, boundaries)?;
    }
    let stretch = asked_stretch(asked, definition, query)?;
    stretch.check(1)?;
    let periods = stretch.periods();
    let layout = match &by {
        Some(By::Level(level)) => layout_by(asked, &periods, (*level, boundaries))?,
        Some(By::Dimension(name)) => Layout::values(&asked.world(), definition, &periods, name),
        None => layout_of(asked, &periods, &area),
    };
    stretch.check_size(layout.size())?;
    if layout.room() > ROOM {
        let advice = "That dimension has too many values; ask for a shorter time.".to_owned();
        return Err(ApiError::TooManyPoints { limit: POINTS, advice });
    }
    Ok(Plan { by, area, boundaries, stretch, periods, layout })
}

/// How many points a series costs.
pub(super) fn cost(asked: &Asked<'_>) -> Result<usize, ApiError> {
    let query = asked.query()?;
    let definition = narrowed(asked, &query)?;
    Ok(plan(asked, &definition, &query)?.layout.size())
}

/// `by=`: a level of areas, or a dimension of the indicator; it cannot stand beside an area.
fn asked_by(definition: &Definition, query: &Query) -> Result<Option<By>, ApiError> {
    let Some(by) = query.get("by").filter(|by| !["commune", "district"].contains(by)) else {
        return Ok(asked_level(query)?.map(By::Level));
    };
    let by = By::Dimension(dimension(definition, by)?.to_owned());
    beside_no_area(query).map(|()| Some(by))
}

/// `by=commune` or `by=district`, which cannot stand beside an area.
pub(super) fn asked_level(query: &Query) -> Result<Option<Level>, ApiError> {
    let levels = [("commune", Some(Level::Commune)), ("district", Some(Level::District))];
    let by = query.one_of("by", &levels, None)?;
    if by.is_some() {
        beside_no_area(query)?;
    }
    Ok(by)
}

fn beside_no_area(query: &Query) -> Result<(), ApiError> {
    match query.get("area") {
        Some(_) => Err(ParameterError::new("by", "cannot stand beside 'area'").into()),
        None => Ok(()),
    }
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
    let end = match stretch.grain {
        // Of a day that is not over, the hours to come are not its end.
        Grain::Hour => periods.iter().rev().find(|period| period.starts() <= asked.now).cloned(),
        _ => None,
    };
    let end = end.unwrap_or_else(|| Period::containing(stretch.end.plus(-1), stretch.grain));
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

fn row(
    asked: &Asked<'_>,
    definition: &Definition,
    cell: Cell,
    (by, boundaries): (&By, Boundaries),
) -> Row {
    let Cell { period, key, point, .. } = cell;
    let reported = boundaries == Boundaries::AsReported;
    let mut row = Row {
        bucket: period.starts(),
        from: reported.then_some(period.first),
        to: reported.then_some(period.end),
        period: period.id,
        commune: None,
        district: None,
        key: None,
        title: None,
        title_en: None,
        value: point.value.map(Number),
        numerator: point.numerator.map(Number),
        denominator: point.denominator.map(Number),
        status: point.status,
        reason: point.reason,
        completeness_ratio: point.completeness_ratio.map(Number),
        carried: point.carried,
        filled: None,
    };
    match by {
        By::Level(Level::Commune) => row.commune = key,
        By::Level(Level::District) => row.district = key,
        By::Dimension(name) => {
            let dictionary = dictionary(definition, name);
            let title = titles(asked, dictionary, key.as_deref().unwrap_or_default());
            (row.title, row.title_en) = (Some(title.vi), Some(title.en));
            row.key = Some(Key(key));
        }
    }
    row
}

//! `/v1/exports/readings`: every indicator of one period in one table, for those who keep their own.
//!
//! One flat row for each indicator and place: the province and, with `by=commune`, each commune of today.
//! What a row says is what the addresses of values and breakdowns say of the same cell, from one revision.

mod openmetrics;

use schemars::JsonSchema;
use serde::Serialize;

pub(super) use self::openmetrics::{MEDIA_TYPE, openmetrics};
use super::answer::Answer;
use super::catalogue::one_of;
use super::context::Asked;
use super::error::ApiError;
use super::number::Number;
use super::period::asked_period;
use super::place::{Boundaries, all_of_today, layout_by};
use super::table::Columns;
use crate::indicator::reading::{NoValue, Status};
use crate::indicator::{Definition, Level, Period, Place, Point, value};
use crate::model::time::Stamp;

/// The most rows of one export.
const ROWS: usize = 50_000;

/// The columns.
const COLUMNS: Columns = &[
    ("indicator", "/indicator"),
    ("title", "/title"),
    ("unit_of_measure", "/unit_of_measure"),
    ("period", "/period"),
    ("level", "/level"),
    ("code", "/code"),
    ("name", "/name"),
    ("value", "/value"),
    ("numerator", "/numerator"),
    ("denominator", "/denominator"),
    ("status", "/status"),
    ("reason", "/reason"),
    ("completeness_ratio", "/completeness_ratio"),
    ("accountable_unit", "/accountable_unit"),
    ("definition_version", "/definition_version"),
    ("as_of", "^/as_of"),
    ("revision", "^/revision"),
];

/// One cell.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExportRow")]
struct Row<'a> {
    indicator: &'a str,
    title: &'a str,
    unit_of_measure: &'a str,
    period: String,
    level: &'static str,
    code: String,
    name: String,
    value: Option<Number>,
    numerator: Option<Number>,
    denominator: Option<Number>,
    status: Status,
    reason: Option<NoValue>,
    completeness_ratio: Option<Number>,
    accountable_unit: &'a str,
    definition_version: &'a str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Export")]
pub(super) struct Body<'a> {
    as_of: Stamp,
    revision: u64,
    config: &'a str,
    items: Vec<Row<'a>>,
}

/// `/v1/exports/readings?period=&group=&by=&as_of=`.
pub(super) fn readings(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let all = || asked.definitions.catalogue.iter();
    let group = one_of(&query, "group", all().map(|each| each.group.as_str()).collect())?;
    let by_commune = query.one_of("by", &[("commune", true)], false)?;
    let chosen: Vec<&Definition> =
        all().filter(|each| group.is_none_or(|group| each.group == group)).collect();
    // Whoever reads of some communes only reads nothing of the province.
    let tells_province = asked.context.areas_within().is_none();
    let communes = if by_commune { all_of_today(&asked.world()).len() } else { 0 };
    let rows = chosen.len() * (communes + usize::from(tells_province));
    if rows > ROWS {
        let advice = format!("This would be {rows} rows; ask for one `group` at a time.");
        return Err(ApiError::TooManyPoints { limit: ROWS, advice });
    }
    let mut items = Vec::with_capacity(rows);
    for definition in chosen {
        let period = asked_period(asked, definition, &query)?;
        if tells_province {
            items.push(province(asked, definition, &period));
        }
        if by_commune {
            items.extend(communes_of(asked, definition, &period)?);
        }
    }
    let (as_of, revision) = (asked.as_of.unwrap_or(asked.snapshot.at), asked.snapshot.revision);
    let config = &*asked.definitions.config;
    asked.listed(&Body { as_of, revision, config, items }, COLUMNS, "readings")
}

fn province<'a>(asked: &Asked<'_>, definition: &'a Definition, period: &Period) -> Row<'a> {
    let reading = value(&asked.world(), definition, period, Place::Province);
    let province = &asked.definitions.province;
    let place = ("province", province.code.clone(), province.name.vi.clone());
    Row::new(definition, period, place, &reading.point)
}

/// The communes that the reader may read of.
fn communes_of<'a>(
    asked: &Asked<'_>,
    definition: &'a Definition,
    period: &Period,
) -> Result<Vec<Row<'a>>, ApiError> {
    let by = (Level::Commune, Boundaries::Current);
    let cells = layout_by(asked, std::slice::from_ref(period), by)?;
    let cells = cells.cells(&asked.world(), definition).into_iter();
    let row = |cell: crate::indicator::layout::Cell| {
        let place = ("commune", cell.key?, cell.title);
        Some(Row::new(definition, period, place, &cell.point))
    };
    Ok(cells.filter_map(row).collect())
}

impl<'a> Row<'a> {
    fn new(
        definition: &'a Definition,
        period: &Period,
        (level, code, name): (&'static str, String, String),
        point: &Point,
    ) -> Self {
        Self {
            indicator: &definition.id,
            title: &definition.title.vi,
            unit_of_measure: &definition.unit_measure,
            period: period.id.clone(),
            level,
            code,
            name,
            value: point.value.map(Number),
            numerator: point.numerator.map(Number),
            denominator: point.denominator.map(Number),
            status: point.status,
            reason: point.reason,
            completeness_ratio: point.completeness_ratio.map(Number),
            accountable_unit: &definition.accountable.unit,
            definition_version: &definition.version,
        }
    }
}

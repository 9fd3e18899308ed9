//! `/v1/indicators/{id}/series`: a number over time, for the province, a commune or all communes.
//!
//! Rows are flat, one per bucket and area, so that chart libraries, pandas and spreadsheets take
//! them as they are. The envelope beside them is the reading of the last bucket: how fresh, how
//! complete, whose. The same rows come as CSV for `format=csv` or `Accept: text/csv`.

use actix_web::http::header;
use serde::Serialize;

use super::answer::Answer;
use super::context::Asked;
use super::envelope::Envelope;
use super::error::{ApiError, ParameterError};
use super::number::Number;
use super::period::{Stretch, asked_stretch};
use super::place::{area, asked_place};
use super::query::Query;
use super::table;
use crate::indicator::reading::{NoValue, Status};
use crate::indicator::{self, Definition, Period, Place, Point};
use crate::model::time::Stamp;

/// One bucket of one area.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// The first moment of the bucket.
    pub(super) bucket: Stamp,
    /// The bucket as a period.
    pub(super) period: String,
    /// The commune's code; null for the province.
    pub(super) commune: Option<String>,
    pub(super) value: Option<Number>,
    pub(super) numerator: Option<Number>,
    pub(super) denominator: Option<Number>,
    pub(super) status: Status,
    pub(super) reason: Option<NoValue>,
    pub(super) completeness_ratio: Option<Number>,
}

/// How the rows are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
}

/// `…/series?grain=&from=&to=&period=&last=&by=&area=&format=`.
pub(super) fn series(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let definition = asked.definition()?;
    let known = ["grain", "from", "to", "period", "last", "by", "area", "format"];
    let query = Query::read(asked.request.query_string(), &known)?;
    let format =
        query.one_of("format", &[("json", Format::Json), ("csv", Format::Csv)], wanted(asked))?;
    let by = query.one_of("by", &[("commune", Some("commune"))], None)?;
    if by.is_some() && query.get("area").is_some() {
        return Err(ParameterError::new("by", "cannot stand beside 'area'").into());
    }
    let place = asked_place(asked, &query)?;
    let stretch = asked_stretch(asked, definition, &query)?;
    let places = match by {
        Some(_) => {
            asked.definitions.areas.current().iter().map(|number| Place::Commune(*number)).collect()
        }
        None => vec![place],
    };
    stretch.check(places.len())?;
    let rows = rows(asked, definition, &stretch, &places);
    let last = Period::containing(stretch.end.plus(-1), stretch.grain);
    let reading = indicator::value(&asked.world(), definition, &last, place);
    if format == Format::Csv {
        let about = table::About {
            indicator: &definition.id,
            grain: stretch.grain.as_str(),
            unit: &definition.accountable.unit,
            revision: asked.snapshot.revision,
        };
        let name = format!("{}-{}.csv", definition.id, stretch.grain.as_str());
        return Ok(Answer::csv(table::csv(&about, &rows)?, name));
    }
    let mut envelope = Envelope::new(asked, definition, reading, area(asked, place));
    envelope.grain = Some(stretch.grain.as_str());
    (envelope.from, envelope.to) = (Some(stretch.first), Some(stretch.end));
    envelope.by = by.map(str::to_owned);
    envelope.items = Some(rows);
    Answer::json(&envelope)
}

/// The format that the client's `Accept` names first, of the two there are.
fn wanted(asked: &Asked<'_>) -> Format {
    let accept = asked.request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let first = accept.and_then(|accept| {
        accept.split(',').map(|range| range.split(';').next().unwrap_or("").trim()).find_map(
            |range| match range {
                "text/csv" => Some(Format::Csv),
                "application/json" | "application/*" | "*/*" => Some(Format::Json),
                _ => None,
            },
        )
    });
    first.unwrap_or(Format::Json)
}

fn rows(
    asked: &Asked<'_>,
    definition: &Definition,
    stretch: &Stretch,
    places: &[Place],
) -> Vec<Row> {
    let points = indicator::series(
        &asked.world(),
        definition,
        stretch.grain,
        (stretch.first, stretch.end),
        places,
    );
    points.into_iter().map(|(period, place, point)| row(asked, period, place, &point)).collect()
}

fn row(asked: &Asked<'_>, period: Period, place: Place, point: &Point) -> Row {
    let commune = match place {
        Place::Province => None,
        Place::Commune(number) => asked.definitions.areas.get(number).map(|area| area.code.clone()),
    };
    Row {
        bucket: period.first.start(),
        period: period.id,
        commune,
        value: point.value.map(Number),
        numerator: point.numerator.map(Number),
        denominator: point.denominator.map(Number),
        status: point.status,
        reason: point.reason,
        completeness_ratio: point.completeness_ratio.map(Number),
    }
}

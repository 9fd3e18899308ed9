//! `/v1/sources/{id}/runs`: the last runs of a source, the newest first, page by page.
//!
//! A page ends at a run and the next one begins after it, in an order that no later run changes: runs
//! that come in meanwhile stand before the first page, those that are forgotten fall off the last, and
//! none is skipped or repeated.

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::context::Asked;
use super::error::{ApiError, ParameterError};
use super::query::refused;
use super::sources::unknown_source;
use super::table::Columns;
use crate::model::snapshot::{Conservation, Outcome, RunLine};
use crate::model::time::Stamp;

/// The most runs in one answer, and how many without being told.
const LIMIT: usize = 1000;
const USUAL: usize = 100;

/// One run.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Run")]
struct Item<'a> {
    stream: &'a str,
    started: Stamp,
    ended: Stamp,
    outcome: Outcome,
    pages: u64,
    records: Conservation,
    message: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Runs")]
pub(super) struct Body<'a> {
    source: &'a str,
    as_of: Stamp,
    revision: u64,
    items: Vec<Item<'a>>,
    /// The next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The columns of runs as a table.
const COLUMNS: Columns = &[
    ("source", "^/source"),
    ("stream", "/stream"),
    ("started", "/started"),
    ("ended", "/ended"),
    ("outcome", "/outcome"),
    ("pages", "/pages"),
    ("received", "/records/received"),
    ("accepted", "/records/accepted"),
    ("superseded", "/records/superseded"),
    ("duplicate", "/records/duplicate"),
    ("quarantined", "/records/quarantined"),
    ("rejected", "/records/rejected"),
    ("message", "/message"),
    ("revision", "^/revision"),
];

/// Where a run stands in the order: the newest first.
type Place<'a> = (Reverse<i64>, Reverse<i64>, &'a str);

fn place<'a>(stream: &'a str, run: &RunLine) -> Place<'a> {
    (Reverse(run.started.0), Reverse(run.ended.0), stream)
}

/// `/v1/sources/{id}/runs?stream=&cursor=&limit=`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let id = asked.piece("id");
    let facts = asked.context.sources.get(id);
    let facts = facts.ok_or_else(|| unknown_source(asked.context, id))?;
    let query = asked.query()?;
    let limit = query.count("limit", USUAL, LIMIT)?;
    let only = query.filter("stream");
    let names = || facts.streams.iter().map(|stream| stream.name.as_str());
    if let Some(name) = only.filter(|name| !names().any(|known| known == *name)) {
        return Err(refused("stream", name, names()));
    }
    let after = query.filter("cursor").map(read).transpose()?;
    let mut runs: Vec<(Place<'_>, &RunLine)> = names()
        .filter(|name| only.is_none_or(|only| only == *name))
        .filter_map(|name| Some((name, asked.snapshot.streams.get(&format!("{id}.{name}"))?)))
        .flat_map(|(name, known)| known.runs.iter().map(move |run| (place(name, run), run)))
        .filter(|(place, _)| after.as_ref().is_none_or(|after| place > after))
        .collect();
    runs.sort_by_key(|(place, _)| *place);
    let more = runs.len() > limit;
    runs.truncate(limit);
    let next = runs.last().filter(|_| more).map(|(last, _)| {
        let mut link = url::form_urlencoded::Serializer::new(String::new());
        if let Some(stream) = only {
            link.append_pair("stream", stream);
        }
        link.append_pair("cursor", &written(last)).append_pair("limit", &limit.to_string());
        asked.link(format_args!("/v1/sources/{id}/runs?{}", link.finish()))
    });
    let items = runs.into_iter().map(|((_, _, stream), run)| item(stream, run)).collect();
    let (as_of, revision) = (asked.snapshot.at, asked.snapshot.revision);
    let body = Body { source: id, as_of, revision, items, next };
    asked.listed(&body, COLUMNS, &format!("{id}-runs"))
}

fn item<'a>(stream: &'a str, run: &'a RunLine) -> Item<'a> {
    Item {
        stream,
        started: run.started,
        ended: run.ended,
        outcome: run.outcome,
        pages: run.pages,
        records: run.records,
        message: run.message.as_deref(),
    }
}

/// A place as it stands in a link.
fn written((Reverse(started), Reverse(ended), stream): &Place<'_>) -> String {
    format!("{started}.{ended}.{stream}")
}

fn read(text: &str) -> Result<Place<'_>, ApiError> {
    let place = || {
        let mut parts = text.splitn(3, '.');
        let mut number = || parts.next()?.parse::<i64>().ok();
        let (started, ended) = (number()?, number()?);
        Some((Reverse(started), Reverse(ended), parts.next()?))
    };
    place().ok_or_else(|| {
        let reason = "must be taken from the `next` of an earlier answer";
        ParameterError::new("cursor", reason).into()
    })
}

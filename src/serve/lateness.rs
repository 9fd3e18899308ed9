//! `/v1/lateness`: which reports were due, when they came, how late, and who answers for them.
//!
//! Read from the snapshot like every number. Newest first; pages follow the moment at which a report
//! is due and its stream, so none is skipped or repeated while new ones become due. The counts are
//! those of everything that matches, whatever page is asked for.

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::context::Asked;
use super::error::{ApiError, ParameterError};
use super::period::edge;
use super::query::{Query, refused};
use super::sources::Unit;
use super::table::Columns;
use crate::model::lateness::{Report, ReportState};
use crate::model::snapshot::StreamState;
use crate::model::time::{Day, Stamp};

/// The most reports in one answer.
const LIMIT: usize = 1000;

/// The columns of the register as a table.
const COLUMNS: Columns = &[
    ("source", "/source"),
    ("stream", "/stream"),
    ("contract", "/contract"),
    ("accountable_unit", "/accountable/unit"),
    ("due_on", "/due_on"),
    ("due_at", "/due_at"),
    ("period_from", "/period_from"),
    ("period_until", "/period_until"),
    ("state", "/state"),
    ("came_at", "/came_at"),
    ("late_seconds", "/late_seconds"),
    ("days_late", "/days_late"),
    ("witnessed", "/witnessed"),
    ("missed_by", "/missed_by"),
    ("missed_at", "/missed_at"),
    ("repaired_at", "/repaired_at"),
    ("revision", "^/revision"),
];

/// One report.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Report")]
pub(super) struct Item<'a> {
    pub(super) source: &'a str,
    stream: &'a str,
    pub(super) contract: &'a str,
    due_on: Day,
    pub(super) due_at: Stamp,
    /// The first and the last day that the report is for.
    pub(super) period_from: Day,
    pub(super) period_until: Day,
    pub(super) state: ReportState,
    /// When it was first seen to be in.
    came_at: Option<Stamp>,
    /// From when it was due to its coming, or to now; null while nobody has looked.
    pub(super) late_seconds: Option<i64>,
    /// The same in begun days.
    days_late: Option<i64>,
    /// False where the gateway itself was not looking when it was due: such a report is not counted.
    witnessed: bool,
    /// Why it was not in: `not_there`, or the reason for which the source could not be read.
    pub(super) missed_by: Option<&'a str>,
    /// When it was found missing.
    missed_at: Option<Stamp>,
    /// When a report that was missing came.
    pub(super) repaired_at: Option<Stamp>,
    pub(super) accountable: Unit,
}

/// How many reports are in which state.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "ReportCounts")]
struct Counts {
    pending: u64,
    on_time: u64,
    missing: u64,
    late: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Reports")]
pub(super) struct List<'a> {
    revision: u64,
    as_of: Stamp,
    counts: Counts,
    items: Vec<Item<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A report with the stream that it is of.
pub(super) type Owed<'a> = (&'a StreamState, &'a Report);

/// Every report of every stream.
pub(super) fn all<'a>(asked: &'a Asked<'_>) -> impl Iterator<Item = Owed<'a>> {
    let streams = asked.snapshot.streams.values();
    let all = streams
        .flat_map(|stream| stream.lateness.reports.iter().map(move |report| (&**stream, report)));
    all.filter(|(_, report)| asked.sees_unit(&report.accountable_unit))
}

/// Newest first, then by stream.
fn place((stream, report): Owed<'_>) -> (Reverse<Stamp>, &str, &str) {
    (Reverse(report.due_at), &stream.source, &stream.stream)
}

/// `/v1/lateness?unit=&source=&contract=&state=&from=&to=&cursor=&limit=&format=`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let after = query.get("cursor").map(cursor).transpose()?;
    let limit = query.count("limit", 100, LIMIT)?;
    let mut reports = matching(asked, &query)?;
    let mut counts = Counts::default();
    for (_, report) in &reports {
        *counts.of(report.state) += 1;
    }
    reports.sort_by_key(|owed| place(*owed));
    if let Some((due_at, source, stream)) = after {
        reports.retain(|owed| place(*owed) > (Reverse(due_at), source, stream));
    }
    let is_cut = reports.len() > limit;
    reports.truncate(limit);
    let next = reports.last().filter(|_| is_cut).map(|last| link(asked, &query, *last, limit));
    let items: Vec<_> = reports.into_iter().map(|owed| item(asked, owed)).collect();
    let (revision, as_of) = (asked.snapshot.revision, asked.snapshot.at);
    asked.listed(&List { revision, as_of, counts, items, next }, COLUMNS, "lateness")
}

/// The reports that a query's filters let through.
fn matching<'a>(asked: &'a Asked<'_>, query: &Query) -> Result<Vec<Owed<'a>>, ApiError> {
    let definitions = &asked.definitions;
    let source = query.filter("source");
    if let Some(source) = source.filter(|source| !asked.context.sources.contains_key(*source)) {
        return Err(refused("source", source, asked.context.sources.keys().map(String::as_str)));
    }
    let unit = query.filter("unit");
    if let Some(unit) = unit.filter(|unit| !definitions.units.contains_key(*unit)) {
        return Err(refused("unit", unit, definitions.units.keys().map(String::as_str)));
    }
    let contract = query.filter("contract");
    if let Some(contract) = contract.filter(|name| !definitions.contracts.contains_key(*name)) {
        return Err(refused(
            "contract",
            contract,
            definitions.contracts.keys().map(String::as_str),
        ));
    }
    let states = ReportState::ALL.map(|state| (state.as_str(), Some(state)));
    let state = query.one_of("state", &states, None)?;
    let (from, to) = between(query)?;
    let is_asked = |(stream, report): &Owed<'_>| {
        source.is_none_or(|source| stream.source == source)
            && contract.is_none_or(|contract| stream.contract == contract)
            && unit.is_none_or(|unit| report.accountable_unit == unit)
            && state.is_none_or(|state| report.state == state)
            && from.is_none_or(|from| report.due_on >= from)
            && to.is_none_or(|to| report.due_on < to)
    };
    Ok(all(asked).filter(is_asked).collect())
}

/// `from=` and `to=`: the first day on which a report is due, and the first that no longer counts.
pub(super) fn between(query: &Query) -> Result<(Option<Day>, Option<Day>), ApiError> {
    let asked = |name: &str| query.filter(name).map(|text| edge(name, text)).transpose();
    let (from, to) = (asked("from")?, asked("to")?);
    match (from, to) {
        (Some(from), Some(to)) if to <= from => {
            Err(ParameterError::new("to", "must be later than 'from'").into())
        }
        days => Ok(days),
    }
}

/// Where the page before ended: `due_at.source.stream`, the moment in seconds.
fn cursor(text: &str) -> Result<(Stamp, &str, &str), ApiError> {
    let mut pieces = text.splitn(3, '.');
    let at = pieces.next().and_then(|at| at.parse().ok()).map(Stamp);
    let found = at.zip(pieces.next()).zip(pieces.next());
    let found = found.map(|((at, source), stream)| (at, source, stream));
    found.ok_or_else(|| {
        ParameterError::new("cursor", "must be taken from the `next` of an earlier answer").into()
    })
}

/// The address of the next page.
fn link(asked: &Asked<'_>, query: &Query, (stream, report): Owed<'_>, limit: usize) -> String {
    let mut link = url::form_urlencoded::Serializer::new(String::new());
    for name in ["unit", "source", "contract", "state", "from", "to", "format"] {
        if let Some(value) = query.filter(name) {
            link.append_pair(name, value);
        }
    }
    let cursor = format!("{}.{}.{}", report.due_at.0, stream.source, stream.stream);
    link.append_pair("cursor", &cursor).append_pair("limit", &limit.to_string());
    asked.link(format_args!("/v1/lateness?{}", link.finish()))
}

/// What is missing now, the oldest first, for the console.
pub(super) fn owed<'a>(asked: &'a Asked<'_>) -> Vec<Item<'a>> {
    let mut reports: Vec<_> =
        all(asked).filter(|(_, report)| report.state == ReportState::Missing).collect();
    reports.sort_by_key(|(stream, report)| (report.due_at, &stream.source, &stream.stream));
    reports.into_iter().map(|owed| item(asked, owed)).collect()
}

fn item<'a>(asked: &Asked<'_>, (stream, report): Owed<'a>) -> Item<'a> {
    let name = asked.unit_name(&report.accountable_unit);
    let late = report.late_by(asked.now);
    Item {
        source: &stream.source,
        stream: &stream.stream,
        contract: &stream.contract,
        due_on: report.due_on,
        due_at: report.due_at,
        period_from: report.period.0,
        period_until: report.period.1,
        state: report.state,
        came_at: report.came_at,
        late_seconds: late,
        days_late: report.days_late(asked.now),
        witnessed: report.is_witnessed,
        missed_by: report.missed_by.as_deref(),
        missed_at: report.missed_at,
        repaired_at: report.came_at.filter(|_| report.state == ReportState::Late),
        accountable: Unit { id: report.accountable_unit.clone(), name: name.vi, name_en: name.en },
    }
}

impl Counts {
    const fn of(&mut self, state: ReportState) -> &mut u64 {
        match state {
            ReportState::Pending => &mut self.pending,
            ReportState::OnTime => &mut self.on_time,
            ReportState::Missing => &mut self.missing,
            ReportState::Late => &mut self.late,
        }
    }
}

//! The gateway as one of its own sources: what it knows by itself, as records like any other.
//!
//! The lateness register is read from the snapshot and goes the way of a page: decoded, normalised,
//! folded and committed by a contract of the configuration. So "reports on time" is an indicator with
//! targets, history, breakdown and provenance, and no second arithmetic exists. As with a dropped file
//! the hash of the page is committed with its records: a register that has not changed is not taken
//! again. Reports that are still pending are no records yet.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::files::{Whole, one};
use super::{Failure, Progress, Shared, Stream};
use crate::model::lateness::{Report, ReportState};
use crate::model::snapshot::{Snapshot, StreamState};
use crate::model::time::{Day, Stamp};
use crate::pull::Ending;
use crate::store::{Before, Delivery};

/// What the gateway knows by itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum OwnRegister {
    /// Which reports of all sources were due, and when they came.
    Lateness {
        /// The commune in which the reports are counted: where the province has its seat.
        seat: String,
    },
}

impl OwnRegister {
    /// Problems of the settings, by place below `at`.
    pub fn check(&self, at: &str, problems: &mut Vec<(String, String)>) {
        let Self::Lateness { seat } = self;
        if seat.len() != 5 || !seat.bytes().all(|digit| digit.is_ascii_digit()) {
            let message = "must be the five-digit code of a commune, in quotes";
            problems.push((format!("{at}.seat"), message.to_owned()));
        }
    }
}

/// The page.
#[derive(Serialize)]
struct Register<'a> {
    reports: Vec<Line<'a>>,
}

/// One report that is no longer pending.
#[derive(Serialize)]
struct Line<'a> {
    /// Tells it apart from all others.
    report: String,
    source: &'a str,
    stream: &'a str,
    contract: &'a str,
    unit: &'a str,
    seat: &'a str,
    due_on: Day,
    due_at: Stamp,
    period_from: Day,
    period_until: Day,
    state: ReportState,
    witnessed: bool,
    missed_by: Option<&'a str>,
    missed_at: Option<Stamp>,
    came_at: Option<Stamp>,
    /// Of a report that came; one that is missing is not over.
    late_seconds: Option<i64>,
    changed_at: Stamp,
}

/// Takes the register if it has changed.
pub(super) async fn take(
    stream: &Arc<Stream>,
    register: &OwnRegister,
    shared: &Shared,
    progress: &mut Progress,
) -> Result<Ending, Failure> {
    let OwnRegister::Lateness { seat } = register.clone();
    let snapshot = shared.store.snapshot();
    let write = tokio::task::spawn_blocking(move || page(&snapshot, &seat));
    let bytes = write.await?.map_err(|_| Failure::Panicked)?;
    let delivery = Delivery::new("lateness", &bytes);
    let before = shared.store.delivered(stream.index, delivery).await?;
    if !matches!(before, Some(Before::Same(_))) {
        let whole = Whole { written: shared.clock.now(), bytes: bytes.into(), delivery };
        one(stream, shared, whole, "the lateness register", progress).await?;
    }
    Ok(Ending::Complete)
}

fn page(snapshot: &Snapshot, seat: &str) -> serde_json::Result<Vec<u8>> {
    let reports = snapshot.streams.values().flat_map(|stream| {
        let known = stream.lateness.reports.iter();
        let settled = known.filter(|report| report.state != ReportState::Pending);
        settled.map(|report| line(stream, report, seat))
    });
    serde_json::to_vec(&Register { reports: reports.collect() })
}

fn line<'a>(stream: &'a StreamState, report: &'a Report, seat: &'a str) -> Line<'a> {
    let late = report.late_by(report.changed_at);
    Line {
        report: format!("{}.{}@{}", stream.source, stream.stream, report.due_on),
        source: &stream.source,
        stream: &stream.stream,
        contract: &stream.contract,
        unit: &report.accountable_unit,
        seat,
        due_on: report.due_on,
        due_at: report.due_at,
        period_from: report.period.0,
        period_until: report.period.1,
        state: report.state,
        witnessed: report.is_witnessed,
        missed_by: report.missed_by.as_deref(),
        missed_at: report.missed_at,
        came_at: report.came_at,
        late_seconds: late.filter(|_| report.state != ReportState::Missing),
        changed_at: report.changed_at,
    }
}

//! `/v1/jobs`: long work in the background, and how far it has come.
//!
//! There are three kinds. A measure that is new or means something else is built from the stored records
//! (`rebuild`); until it is there it has no value, and then it is no job any more. The history of a
//! stream that is pulled in time slices comes in slice by slice (`history`), and stays in the list when
//! it is there. Both follow from the configuration, so nobody starts or ends them. A stretch of the past
//! that somebody asked for once more is a `backfill` ([`super::backfills`]); it stays in the list when it
//! is over. All of them go on by themselves after a restart.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::context::{Asked, Context};
use super::error::ApiError;
use super::number::Number;
use super::table::Columns;
use crate::model::backfill::{self, Backfill};
use crate::model::nearest::nearest;
use crate::model::snapshot::Snapshot;
use crate::model::time::Stamp;

/// The columns of jobs as a table.
const COLUMNS: Columns = &[
    ("job", "/job"),
    ("kind", "/kind"),
    ("of", "/of"),
    ("state", "/state"),
    ("done", "/done"),
    ("total", "/total"),
    ("ratio", "/ratio"),
    ("accountable_unit", "/accountable_unit"),
    ("from", "/backfill/from"),
    ("until", "/backfill/until"),
    ("received", "/backfill/received"),
    ("message", "/backfill/message"),
    ("revision", "^/revision"),
];

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "JobKind")]
pub(super) enum Kind {
    /// A measure is built from the stored records.
    Rebuild,
    /// The history of a stream comes in.
    History,
    /// A stretch of the past comes in once more.
    Backfill,
}

/// Whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "JobState")]
pub(super) enum State {
    Running,
    /// Its source is paused, so nothing comes in.
    Paused,
    Done,
    /// Somebody ended it; what had come in stays.
    Cancelled,
    /// It could not go on; what had come in stays.
    Failed,
}

/// One piece of work.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Job")]
pub(super) struct Job {
    pub(super) job: String,
    pub(super) kind: Kind,
    /// The measure or the stream.
    pub(super) of: String,
    pub(super) state: State,
    /// Records or slices that are done.
    pub(super) done: u64,
    /// Those that there are.
    pub(super) total: u64,
    pub(super) ratio: Number,
    /// Who answers for the records.
    pub(super) accountable_unit: String,
    /// What was asked for, and what came of it; null for the other kinds.
    pub(super) backfill: Option<Details>,
}

/// A stretch of the past that somebody asked for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BackfillDetails")]
pub(super) struct Details {
    pub(super) from: Stamp,
    /// Where it ends; this moment is not part of it.
    pub(super) until: Stamp,
    /// Everything before it has come in.
    reached: Stamp,
    pub(super) requested_by: String,
    pub(super) requested_at: Stamp,
    pub(super) ended_at: Option<Stamp>,
    /// When the rest will be in if it comes as fast as what is in, in seconds; null when that cannot be told.
    pub(super) eta_seconds: Option<u64>,
    /// Records that came.
    pub(super) received: u64,
    /// Those of them that became the newest version of their entity: what was not known before.
    pub(super) accepted: u64,
    /// Slices that failed since the last one that came in.
    pub(super) failures: u64,
    /// Why the last slice failed, or the whole backfill did.
    pub(super) message: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Jobs")]
pub(super) struct List {
    as_of: Stamp,
    revision: u64,
    items: Vec<Job>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "JobAnswer")]
pub(super) struct One {
    as_of: Stamp,
    revision: u64,
    /// How it stands.
    item: Job,
}

impl Job {
    fn new(kind: Kind, of: &str, (done, total): (u64, u64), unit: &str) -> Self {
        let word = match kind {
            Kind::Rebuild => "rebuild",
            Kind::History => "history",
            Kind::Backfill => "backfill",
        };
        Self {
            job: format!("{word}:{of}"),
            kind,
            of: of.to_owned(),
            state: if done < total { State::Running } else { State::Done },
            done,
            total,
            ratio: Number(if total == 0 { 1.0 } else { done as f64 / total as f64 }),
            accountable_unit: unit.to_owned(),
            backfill: None,
        }
    }

    /// The source that it is work for; the contract of a measure.
    pub(super) fn source(&self) -> &str {
        self.of.split('.').next().unwrap_or_default()
    }

    /// A backfill as it stands at `now`.
    pub(super) fn of_backfill(known: &Backfill, unit: &str, is_paused: bool, now: Stamp) -> Self {
        let of = format!("{}.{}", known.wanted.source, known.wanted.stream);
        let progress = known.progress();
        let state = match known.state {
            backfill::State::Running if is_paused => State::Paused,
            backfill::State::Running => State::Running,
            backfill::State::Done => State::Done,
            backfill::State::Cancelled => State::Cancelled,
            backfill::State::Failed => State::Failed,
        };
        let details = Details {
            from: known.wanted.from,
            until: known.wanted.until,
            reached: known.reached,
            requested_by: known.wanted.by.clone(),
            requested_at: known.asked,
            ended_at: known.ended,
            eta_seconds: eta(progress, now.0 - known.asked.0).filter(|_| state == State::Running),
            received: known.received,
            accepted: known.accepted,
            failures: known.failures,
            message: known.message.clone(),
        };
        let job = format!("{BACKFILL}{}", known.id);
        Self {
            job,
            state,
            backfill: Some(details),
            ..Self::new(Kind::Backfill, &of, progress, unit)
        }
    }
}

/// What the id of a backfill begins with; its number follows.
pub(super) const BACKFILL: &str = "backfill:";

/// How long the rest takes if it comes as fast as what is done.
fn eta((done, total): (u64, u64), took: i64) -> Option<u64> {
    let took = u64::try_from(took).ok()?;
    took.checked_mul(total.saturating_sub(done))?.checked_div(done)
}

/// `/v1/jobs`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let (as_of, revision) = (asked.snapshot.at, asked.snapshot.revision);
    asked.listed(&List { as_of, revision, items: all(asked) }, COLUMNS, "jobs")
}

/// `/v1/jobs/{job}`.
pub(super) fn one(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let (as_of, revision) = (asked.snapshot.at, asked.snapshot.revision);
    Answer::json(&One { as_of, revision, item: found(asked.piece("job"), all(asked))? })
}

/// The job of this id.
pub(super) fn found(id: &str, mut jobs: Vec<Job>) -> Result<Job, ApiError> {
    if let Some(at) = jobs.iter().position(|job| job.job == id) {
        return Ok(jobs.swap_remove(at));
    }
    let near = nearest(id, jobs.iter().map(|job| job.job.as_str()));
    let suggestions = near.into_iter().map(str::to_owned).collect();
    Err(ApiError::UnknownJob { id: id.to_owned(), suggestions })
}

/// All work that the reader may know of: of their units' contracts and sources.
pub(super) fn all(asked: &Asked<'_>) -> Vec<Job> {
    let rebuilds = asked.snapshot.rebuilding.iter().filter_map(|(measure, at)| {
        let contract = measure.split('.').next()?;
        let unit = &asked.definitions.contracts.get(contract)?.accountable_unit;
        let job = Job::new(Kind::Rebuild, measure, (at.done, at.total), unit);
        asked.sees_unit(unit).then_some(job)
    });
    let histories = asked.context.sources.iter().flat_map(|(source, facts)| {
        facts.streams.iter().filter_map(move |stream| {
            let name = format!("{source}.{}", stream.name);
            let history = asked.snapshot.streams.get(&name)?.history.as_ref()?;
            let progress = (history.done, history.total);
            let job = Job::new(Kind::History, &name, progress, &facts.accountable_unit);
            let is_paused = asked.snapshot.paused.contains_key(source);
            let state = match job.state {
                State::Running if is_paused => State::Paused,
                state => state,
            };
            Some(Job { state, ..job })
        })
    });
    rebuilds.chain(histories).chain(backfills(asked.context, &asked.snapshot)).collect()
}

/// Backfills of the sources that the reader may know of, the newest first.
pub(super) fn backfills<'a>(
    context: &'a Context,
    snapshot: &'a Snapshot,
) -> impl Iterator<Item = Job> + 'a {
    snapshot.backfills.iter().rev().filter_map(|known| {
        let source = &known.wanted.source;
        let unit = &context.sources.get(source)?.accountable_unit;
        let is_paused = snapshot.paused.contains_key(source);
        Some(Job::of_backfill(known, unit, is_paused, context.clock.now()))
    })
}

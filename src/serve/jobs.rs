//! `/v1/jobs`: long work in the background, and how far it has come.
//!
//! There are two kinds. A measure that is new or means something else is built from the stored records
//! (`rebuild`); until it is there it has no value, and then it is no job any more. The history of a
//! stream that is pulled in time slices comes in slice by slice (`history`), and stays in the list when
//! it is there. Both go on by themselves after a restart, so there is nothing to start or to end here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::context::Asked;
use super::error::ApiError;
use super::number::Number;
use super::table::Columns;
use crate::model::nearest::nearest;
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
    ("revision", "^/revision"),
];

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "JobKind")]
enum Kind {
    /// A measure is built from the stored records.
    Rebuild,
    /// The history of a stream comes in.
    History,
}

/// Whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "JobState")]
enum State {
    Running,
    /// Its source is paused, so nothing comes in.
    Paused,
    Done,
}

/// One piece of work.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Job")]
pub(super) struct Job {
    job: String,
    kind: Kind,
    /// The measure or the stream.
    of: String,
    state: State,
    /// Records or slices that are done.
    done: u64,
    /// Those that there are.
    total: u64,
    ratio: Number,
    /// Who answers for the records.
    accountable_unit: String,
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
        }
    }
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
    let (id, mut jobs) = (asked.piece("job"), all(asked));
    let Some(at) = jobs.iter().position(|job| job.job == id) else {
        let near = nearest(id, jobs.iter().map(|job| job.job.as_str()));
        let suggestions = near.into_iter().map(str::to_owned).collect();
        return Err(ApiError::UnknownJob { id: id.to_owned(), suggestions });
    };
    let (as_of, revision) = (asked.snapshot.at, asked.snapshot.revision);
    Answer::json(&One { as_of, revision, item: jobs.swap_remove(at) })
}

/// All work that the reader may know of: of their units' contracts and sources.
fn all(asked: &Asked<'_>) -> Vec<Job> {
    let rebuilds = asked.snapshot.rebuilding.iter().filter_map(|(measure, at)| {
        let contract = measure.split('.').next()?;
        let unit = &asked.definitions.contracts.get(contract)?.accountable_unit;
        let job = Job::new(Kind::Rebuild, measure, (at.done, at.total), unit);
        asked.sees_unit(unit).then_some(job)
    });
    let histories = asked.context.sources.iter().flat_map(|(source, facts)| {
        facts.streams.iter().filter_map(move |stream| {
            let name = format!("{source}.{}", stream.name);
            let history = asked.snapshot.streams.get(&name)?.backfill.as_ref()?;
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
    rebuilds.chain(histories).collect()
}

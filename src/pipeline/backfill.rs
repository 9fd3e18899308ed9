//! A slice of the past that somebody asked for, between two ordinary turns of a stream.
//!
//! The present goes first: a slice is only taken while no ordinary turn is due and after one that came
//! through, so that a source that is down costs a backfill nothing. Its pages go the way of all pages;
//! but cursor, watermark, validator and troubles of the stream stay what its ordinary turns made them.

use std::sync::Arc;

use tokio::time::Instant;

use super::cursor::Plan;
use super::{Failure, Progress, Shared, Stream, turn};
use crate::model::backfill::{Backfill, Slice, State};
use crate::model::snapshot::Outcome;
use crate::model::time::Stamp;
use crate::pull::{Ending, PullError, Reason};
use crate::store::{RunEnd, SliceEnd, StoreError};

/// The backfill that this stream has to go on with, unless its source is paused.
pub(super) fn asked(stream: &Stream, shared: &Shared) -> Option<Backfill> {
    let snapshot = shared.store.snapshot();
    let is_mine = |job: &&Backfill| {
        job.state == State::Running
            && (&job.wanted.source, &job.wanted.stream) == (&stream.source, &stream.name)
    };
    let mine = snapshot.backfills.iter().find(is_mine).cloned();
    mine.filter(|_| !snapshot.paused.contains_key(&stream.source))
}

/// Takes the next slice of what this stream was asked for; whether another may follow at once.
pub async fn slice(stream: &Arc<Stream>, shared: &Shared) -> Result<bool, StoreError> {
    let Some(job) = asked(stream, shared) else { return Ok(false) };
    let Some(window) = job.next() else { return Ok(false) };
    let (started, clock) = (shared.clock.now(), Instant::now());
    let mut progress = Progress::new(stream);
    let ending = pull(stream, shared, started, window, &mut progress).await;
    let outcome = turn::outcome(&ending, &progress);
    let (slice, failure) = judge(&ending, outcome, &progress);
    let is_fatal = match &ending {
        Err(Failure::Store(error @ StoreError::Fatal(_))) => Some(error.clone()),
        _ => None,
    };
    let failure = failure.map(|(reason, why)| (reason, format!("{}: {why}", told(&job, window))));
    let end = RunEnd {
        stream: stream.index,
        started,
        ended: shared.clock.now(),
        outcome,
        pages: progress.pages,
        records: progress.records,
        cursor: None,
        history: None,
        data_through: None,
        targets: None,
        failure,
        is_ours: matches!(&ending, Err(failure) if failure.is_ours()),
        refused: progress.refused,
        drift: progress.drift.clone(),
        circuit: turn::circuit(stream),
        validator: None,
    };
    turn::report(stream, shared, &end, clock);
    if let Some(error) = is_fatal {
        return Err(error);
    }
    let may_go_on = slice == Slice::In;
    match shared.store.end_slice(SliceEnd { end, backfill: job.id, slice }).await {
        Ok(()) => Ok(may_go_on),
        Err(StoreError::Full) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn pull(
    stream: &Arc<Stream>,
    shared: &Shared,
    started: Stamp,
    (from, until): (Stamp, Stamp),
    progress: &mut Progress,
) -> Result<Ending, Failure> {
    if stream.cursor.is_none() {
        let detail = "the stream has no cursor any more: nothing can be asked for by its time";
        return Err(Failure::Pull(PullError::Refused {
            reason: Reason::Other,
            detail: detail.to_owned(),
        }));
    }
    turn::pull_plan(stream, shared, started, Plan::of_the_past(from, until), progress).await
}

/// What a slice came to, for its backfill and for its line.
fn judge(
    ending: &Result<Ending, Failure>,
    outcome: Outcome,
    progress: &Progress,
) -> (Slice, Option<(String, String)>) {
    match ending {
        Err(Failure::Paused) => (Slice::Interrupted, None),
        Err(error) => {
            let failure = (error.reason().to_owned(), error.to_string());
            let slice = match error {
                _ if error.is_ours() => Slice::Interrupted,
                Failure::Contract(_) => Slice::Hopeless(failure.1.clone()),
                _ => Slice::Failed(failure.1.clone()),
            };
            (slice, Some(failure))
        }
        Ok(_) if outcome == Outcome::Ok => (Slice::In, None),
        Ok(ending) => {
            let failure = turn::unfinished(*ending, false, progress);
            let why = failure.as_ref().map_or(String::new(), |(_, why)| why.clone());
            (Slice::Hopeless(why), failure)
        }
    }
}

/// Which slice of which backfill.
fn told(job: &Backfill, (from, until): (Stamp, Stamp)) -> String {
    format!("backfill {}, {} to {}", job.id, from.rfc3339(), until.rfc3339())
}

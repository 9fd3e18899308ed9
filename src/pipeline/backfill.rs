//! A slice of the past that somebody asked for, between two ordinary turns of a stream.
//!
//! The present goes first: a slice is only taken while no ordinary turn is due and after one that came
//! through, so that a source that is down costs a backfill nothing. Its pages go the way of all pages;
//! but cursor, watermark, validator and troubles of the stream stay what its ordinary turns made them.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
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
    // A fault of ours here is one of this slice, and the stream has no part in it.
    let pulled = AssertUnwindSafe(pull(stream, shared, started, window, &mut progress));
    let ending = pulled.catch_unwind().await.unwrap_or(Err(Failure::Panicked));
    let outcome = turn::outcome(&ending, &progress);
    let (slice, failure) = judge(&ending, outcome, &progress);
    let failure = failure.map(|(reason, why)| (reason, format!("{}: {why}", told(&job, window))));
    let is_ours = matches!(&ending, Err(failure) if failure.is_ours());
    let line = turn::line(stream, shared, started, outcome, &progress);
    let end = RunEnd { failure, is_ours, circuit: turn::circuit(stream), ..line };
    turn::report(stream, shared, &end, clock);
    if let Err(Failure::Store(error @ StoreError::Fatal(_))) = ending {
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
        Err(error) => (failed(error), Some((error.reason().to_owned(), error.to_string()))),
        Ok(_) if outcome == Outcome::Ok => (Slice::In, None),
        Ok(ending) => {
            let failure = turn::unfinished(*ending, false, progress);
            let why = failure.as_ref().map_or(String::new(), |(_, why)| why.clone());
            (Slice::Hopeless(why), failure)
        }
    }
}

/// What an error means for the slice that it ended.
fn failed(error: &Failure) -> Slice {
    match error {
        Failure::Contract(_) => Slice::Hopeless(error.to_string()),
        // A stop, or a store that has no room: nothing is wrong with what was asked for.
        Failure::Store(_) | Failure::Paused | Failure::Pull(PullError::Stopped) => {
            Slice::Interrupted
        }
        Failure::Pull(_) | Failure::Panicked => Slice::Failed(error.to_string()),
    }
}

/// Which slice of which backfill.
fn told(job: &Backfill, (from, until): (Stamp, Stamp)) -> String {
    format!("backfill {}, {} to {}", job.id, from.rfc3339(), until.rfc3339())
}

#[cfg(test)]
mod tests {
    use super::super::Refusal;
    use super::*;

    fn refused(reason: Reason) -> Failure {
        Failure::Pull(PullError::Refused { reason, detail: "no".to_owned() })
    }

    #[test]
    fn what_would_go_wrong_for_ever_is_counted_and_what_stops_us_is_not() {
        let counted = [Failure::Panicked, refused(Reason::Address), refused(Reason::Other)];
        for error in &counted {
            assert_eq!(failed(error), Slice::Failed(error.to_string()), "{error}");
        }
        let stops = [
            Failure::Paused,
            Failure::Pull(PullError::Stopped),
            Failure::Store(StoreError::Full),
            Failure::Store(StoreError::Fatal("gone".to_owned())),
        ];
        for error in &stops {
            assert_eq!(failed(error), Slice::Interrupted, "{error}");
        }
        let refusal = Refusal { why: "half of it is wrong".to_owned(), by_gate: true };
        let error = Failure::Contract(refusal);
        assert_eq!(failed(&error), Slice::Hopeless("half of it is wrong".to_owned()));
    }
}

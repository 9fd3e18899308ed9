//! When a stream takes its turns.
//!
//! Turns of one stream never overlap. Each stream has its own phase within its interval, derived from
//! its name, so that sources are not all asked in the same second and two gateways differ from each
//! other only by their clocks. The first turn comes at once, unless the stream goes on after another
//! configuration was taken over; one that somebody asks for comes as soon as the turn under way is
//! over, and asking twice meanwhile is asking once. A paused source is not asked, and a turn that is
//! under way ends with its page. A fault in one stream (even a panic) ends one turn of that stream and
//! nothing else.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::fleet::Pace;
use super::{Finished, Progress, Shared, Stream, backfill, seconds_until, turn};
use crate::model::snapshot::Outcome;
use crate::model::time::Stamp;
use crate::pull::Source;
use crate::store::{RunEnd, StoreError};

/// Runs a stream until `stop`, or until the store fails for good. The first turn is taken at `due`, for
/// a stream that goes on in its rhythm; at once if there is none.
pub async fn run(
    stream: Arc<Stream>,
    shared: Shared,
    stop: CancellationToken,
    due: Option<Stamp>,
) -> Result<(), StoreError> {
    if stream.fleet.is_some() {
        watch(Arc::clone(&stream), shared.clone(), stop.clone());
    }
    let mut pace = if due.is_some() { Pace::Spread } else { Pace::AtOnce };
    let (mut due, mut may_go_back) = (due, false);
    loop {
        if let Some(next) = due.take() {
            shared.store.schedule(stream.index, next).await;
            // What somebody asked for of the past comes while no turn is due.
            while may_go_back && shared.clock.now() < next && !stop.is_cancelled() {
                may_go_back = one_slice(&stream, &shared).await?;
            }
            let now = shared.clock.now();
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(seconds_until(now, next))) => {}
                () = stream.wake.notified() => pace = Pace::AtOnce,
                () = stop.cancelled() => return Ok(()),
            }
        }
        if stream.is_paused(&shared) {
            tokio::select! {
                () = stream.wake.notified() => continue,
                () = stop.cancelled() => return Ok(()),
            }
        }
        let began = shared.clock.now();
        let finished = one_turn(&stream, &shared, pace).await?;
        (pace, may_go_back) = (Pace::Spread, finished.is_whole);
        if stop.is_cancelled() {
            return Ok(());
        }
        due = (!finished.has_more)
            .then(|| next_look(&stream, began, shared.clock.now()).max(left_alone_until(&stream)));
    }
}

/// Follows the lists of a fleet's targets while its stream runs.
fn watch(stream: Arc<Stream>, shared: Shared, stop: CancellationToken) {
    tokio::spawn(async move {
        if let Some(fleet) = &stream.fleet {
            fleet.discovery.keep(&shared, &stop).await;
        }
    });
}

/// A turn in a task of its own: a panic there is caught and told.
async fn one_turn(
    stream: &Arc<Stream>,
    shared: &Shared,
    pace: Pace,
) -> Result<Finished, StoreError> {
    let (of, with) = (Arc::clone(stream), shared.clone());
    let nothing = Finished { has_more: false, is_whole: false };
    guarded(stream, shared, async move { turn::take_at(&of, &with, pace).await }, nothing).await
}

/// The same for a slice of the past; whether another may follow at once.
async fn one_slice(stream: &Arc<Stream>, shared: &Shared) -> Result<bool, StoreError> {
    let (of, with) = (Arc::clone(stream), shared.clone());
    guarded(stream, shared, async move { backfill::slice(&of, &with).await }, false).await
}

/// What `work` yields, or `otherwise` if the disk is full or it ended by a fault.
async fn guarded<T: Send + 'static>(
    stream: &Stream,
    shared: &Shared,
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    otherwise: T,
) -> Result<T, StoreError> {
    match tokio::spawn(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(StoreError::Full)) => Ok(otherwise),
        Ok(Err(error)) => Err(error),
        Err(_) => {
            let (source, name) = (&stream.source, &stream.name);
            tracing::error!(source, stream = name, "a turn ended by a fault of the gateway");
            match shared.store.end(faulted(stream, shared)).await {
                Ok(()) | Err(StoreError::Full) => Ok(otherwise),
                Err(error) => Err(error),
            }
        }
    }
}

/// The run line of a turn that a fault of the gateway ended.
fn faulted(stream: &Stream, shared: &Shared) -> RunEnd {
    let message = "a fault of the gateway ended this run; the log says more".to_owned();
    let line =
        turn::line(stream, shared, shared.clock.now(), Outcome::Failed, &Progress::new(stream));
    RunEnd { failure: Some(("other".to_owned(), message)), is_ours: true, ..line }
}

/// A source that is left alone is not asked before its time is over: runs that could only fail say
/// nothing and would push those that do out of sight.
fn left_alone_until(stream: &Stream) -> Stamp {
    let puller = stream.puller.as_ref().filter(|_| stream.fleet.is_none());
    puller.map(Source::circuit).and_then(|circuit| circuit.open_until).unwrap_or_default()
}

/// The stream's next moment, or the moment before it at which a report is due: whether it is in must be
/// seen then and not a whole interval later. One that has become due since the last turn began is
/// looked for at once.
fn next_look(stream: &Stream, began: Stamp, now: Stamp) -> Stamp {
    let next = next_turn(stream, now);
    let due = stream.promise.as_ref().and_then(|promise| promise.due_after(began));
    due.map_or(next, |due| next.min(due.at.max(now)))
}

/// The next moment of the stream's own rhythm after `now`.
pub fn next_turn(stream: &Stream, now: Stamp) -> Stamp {
    let interval = stream.interval.as_seconds().max(1);
    let name = blake3::hash(format!("{}.{}", stream.source, stream.name).as_bytes());
    let phase = i64::from(u16::from_le_bytes([name.as_bytes()[0], name.as_bytes()[1]])) % interval;
    Stamp((now.0 - phase).div_euclid(interval) * interval + interval + phase)
}

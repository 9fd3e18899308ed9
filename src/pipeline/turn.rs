//! One turn of one stream.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::fleet::Pace;
use super::reconcile::Seen;
use super::{
    Action, Cursor, DataThrough, Failure, Finished, Order, Progress, Refusal, Shared, Stream,
    files, fleet, reconcile, since,
};
use crate::decode::DecodeError;
use crate::failpoint;
use crate::model::drift::Audit;
use crate::model::observation::{Observations, Reason, Reject};
use crate::model::snapshot::Outcome;
use crate::model::time::Stamp;
use crate::normalise::Surroundings;
use crate::pull::{Ending, Page, PullError, Run, Turn, Vars};
use crate::store::{Batch, Committed, RunEnd, StoreError};

/// A page, decoded and normalised.
pub(super) struct Read {
    next: Option<String>,
    pub(super) raw_records: usize,
    pub(super) observations: Observations,
    pub(super) rejects: Vec<Reject>,
    pub(super) audit: Audit,
}

/// Takes one turn and writes its run line; all targets of a fleet are asked at once.
pub async fn take(stream: &Arc<Stream>, shared: &Shared) -> Result<Finished, StoreError> {
    take_at(stream, shared, Pace::AtOnce).await
}

/// The same, at a fleet's own pace.
pub(super) async fn take_at(
    stream: &Arc<Stream>,
    shared: &Shared,
    pace: Pace,
) -> Result<Finished, StoreError> {
    let (started, clock) = (shared.clock.now(), Instant::now());
    shared.store.begin(stream.index, started).await;
    let mut progress =
        Progress { ascending: true, drift: stream.no_drift(), ..Progress::default() };
    let ending = if let Some(settings) = &stream.files {
        files::take(stream, settings, shared, &mut progress).await
    } else if stream.fleet.is_some() {
        fleet::poll(stream, shared, pace, &mut progress).await
    } else if reconcile::is_due(stream, shared, started) {
        reconcile::pull_everything(stream, shared, started, &mut progress).await
    } else {
        pull_pages(stream, shared, started, &mut progress).await
    };
    let seen = progress.seen.take();
    let finished = finish(stream, shared, started, &progress, ending, clock, seen).await?;
    // A fleet's turns follow each other without a pause: the pauses are inside.
    Ok(Finished { has_more: finished.has_more || stream.fleet.is_some() })
}

/// Pulls page after page, from the cursor on or, in a full pass, from the beginning.
pub(super) async fn pull_pages(
    stream: &Arc<Stream>,
    shared: &Shared,
    started: Stamp,
    progress: &mut Progress,
) -> Result<Ending, Failure> {
    let is_full = progress.seen.is_some();
    let cursor = if is_full { None } else { begin_at(stream, shared) };
    let vars = Vars { cursor, ..Vars::at(started) };
    let mut run = stream.puller()?.run(&stream.request, &vars);
    let mut commits = Commits { stream, shared, under_way: None };
    let walked = walk(stream, shared, &mut run, &mut commits, progress).await;
    let settled = commits.settle(progress).await;
    let tally = run.tally();
    shared.metrics.cost(
        &stream.source,
        &tally.requests,
        tally.retries,
        tally.bytes,
        &tally.durations,
    );
    settled?;
    walked
}

async fn walk(
    stream: &Arc<Stream>,
    shared: &Shared,
    run: &mut Run,
    commits: &mut Commits<'_>,
    progress: &mut Progress,
) -> Result<Ending, Failure> {
    while let Some(page) = run.next().await? {
        if stream.is_paused(shared) {
            return Err(Failure::Paused);
        }
        let at = page.fetched_at;
        failpoint::pass("fetched");
        match read(stream, shared, page).await? {
            Ok(read) => {
                run.seen(&Turn { next: read.next.clone(), raw_records: read.raw_records });
                progress.pages += 1;
                admit(stream, shared, &read.audit, &read.rejects, progress)?;
                commits.submit(read, at, progress).await?;
            }
            Err((why, action)) => run.judged(action, &why)?,
        }
    }
    if let Some(note) = run.note() {
        let (source, name) = (&stream.source, &stream.name);
        tracing::info!(source, stream = name, "a rule ended the run: {note}");
    }
    Ok(run.ending().unwrap_or(Ending::Complete))
}

/// Decodes and normalises a page off the async threads. The inner error is for the source: the page
/// was not what it should be.
pub(super) async fn read(
    stream: &Arc<Stream>,
    shared: &Shared,
    page: Page,
) -> Result<Result<Read, (String, Action)>, Failure> {
    let permit = shared
        .decoding
        .clone()
        .acquire_owned()
        .await
        .map_err(|_| Failure::Pull(PullError::Stopped))?;
    let (stream, now) = (Arc::clone(stream), shared.clock.now());
    let work = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let decoded = stream.decoder.decode_framed(&page.body, page.is_framed);
        failpoint::pass("decoded");
        let none = Vec::new();
        let envelope = match &decoded {
            Ok(decoded) => &decoded.envelope,
            Err(DecodeError::NoRecords { envelope, .. }) => envelope,
            Err(_) => &none,
        };
        stream.judge(envelope, &page.rules)?;
        let decoded = decoded.map_err(|error| (error.to_string(), Action::Retry))?;
        let next = stream.next_at.and_then(|at| decoded.envelope.get(at).cloned().flatten());
        let normalised =
            stream.normaliser.page(&decoded.records, Surroundings { now, target: None });
        failpoint::pass("normalised");
        Ok(Read {
            next,
            raw_records: decoded.records.count,
            observations: normalised.observations,
            rejects: normalised.rejects,
            audit: normalised.audit,
        })
    });
    work.await.map_err(|error| Failure::Panicked(error.to_string()))
}

/// Where the turn begins: the cursor less the lookback, as the source wants it written.
fn begin_at(stream: &Stream, shared: &Shared) -> Option<String> {
    let Cursor { format, lookback, .. } = stream.cursor.as_ref()?;
    let snapshot = shared.store.snapshot();
    let state = snapshot.streams.get(&format!("{}.{}", stream.source, stream.name))?;
    let moment = Stamp::parse(state.cursor.as_ref()?)?;
    Some(format.write(moment.0 - lookback.as_seconds()))
}

/// Hands pages to the store, one at a time, without waiting for the newest one.
struct Commits<'a> {
    stream: &'a Arc<Stream>,
    shared: &'a Shared,
    under_way: Option<(JoinHandle<Result<Committed, StoreError>>, Instant)>,
}

impl Commits<'_> {
    async fn submit(
        &mut self,
        read: Read,
        at: Stamp,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let (stream, shared) = (self.stream, self.shared);
        self.settle(progress).await?;
        if let Some(seen) = &mut progress.seen {
            seen.note(&read.observations, &read.rejects);
        }
        let cursor = self.checkpoint(&read.observations, progress);
        let batch = Batch {
            stream: stream.index,
            received: read.raw_records as u64,
            observations: read.observations,
            rejects: read.rejects,
            contract_version: stream.schema().version,
            cursor,
            at,
        };
        let store = shared.store.clone();
        self.under_way =
            Some((tokio::spawn(async move { store.commit(batch).await }), Instant::now()));
        Ok(())
    }

    /// Waits for the commit under way.
    async fn settle(&mut self, progress: &mut Progress) -> Result<(), Failure> {
        let Some((commit, began)) = self.under_way.take() else { return Ok(()) };
        let committed = commit.await.map_err(|error| Failure::Panicked(error.to_string()))??;
        failpoint::pass("acknowledged");
        note(self.stream, self.shared, &committed, progress, began);
        Ok(())
    }

    /// The cursor as it may stand after this page, if order was promised and has been kept.
    fn checkpoint(&self, page: &Observations, progress: &mut Progress) -> Option<i64> {
        // A full pass begins long before the cursor, which must not go back there with it.
        if self.stream.cursor.as_ref()?.order != Order::Ascending || progress.seen.is_some() {
            return None;
        }
        let slot = self.stream.schema().version_slot;
        let mut last = progress.latest.unwrap_or(i64::MIN);
        for row in page.rows.chunks_exact(page.width.max(1)) {
            progress.ascending &= row[slot] >= last;
            last = last.max(row[slot]);
        }
        progress.latest = progress.latest.max((last > i64::MIN).then_some(last));
        progress.ascending.then_some(progress.latest).flatten()
    }
}

/// Counts what a page showed about its contract and lets it pass, or refuses it whole: then all its
/// records are received and rejected, and none of them is kept.
pub(super) fn admit(
    stream: &Stream,
    shared: &Shared,
    page: &Audit,
    rejects: &[Reject],
    progress: &mut Progress,
) -> Result<(), Failure> {
    progress.drift.add(page, stream.drift.max_ratio);
    for reject in rejects {
        shared.metrics.rejected(&stream.source, &stream.name, reject.reason, 1);
    }
    shared.metrics.audited(&stream.source, &stream.name, page);
    let Some(refusal) = stream.gate.refuse(page) else { return Ok(()) };
    progress.refused += page.records;
    progress.records.received += page.records;
    progress.records.rejected += page.records;
    let others = page.records - rejects.len() as u64;
    shared.metrics.page_refused(&stream.source, &stream.name, page.records, others);
    Err(Failure::Contract(refusal))
}

/// Adds a committed page to the turn's line and to the metrics.
pub(super) fn note(
    stream: &Stream,
    shared: &Shared,
    committed: &Committed,
    progress: &mut Progress,
    began: Instant,
) {
    let records = &committed.records;
    progress.records.add(records);
    shared.metrics.late(&stream.source, &stream.name, committed.late);
    progress.latest = progress.latest.max(committed.latest);
    let counts = [
        records.received,
        committed.inserted,
        committed.updated,
        records.superseded,
        records.duplicate,
    ];
    shared.metrics.crowded(&stream.source, &stream.name, committed.crowded);
    shared.metrics.rejected(&stream.source, &stream.name, Reason::Expired, committed.expired);
    shared.metrics.committed(&stream.source, &stream.name, counts, since(began));
}

pub(super) async fn finish(
    stream: &Stream,
    shared: &Shared,
    started: Stamp,
    progress: &Progress,
    ending: Result<Ending, Failure>,
    clock: Instant,
    seen: Option<Seen>,
) -> Result<Finished, StoreError> {
    let outcome = match &ending {
        Ok(Ending::Complete) => Outcome::Ok,
        Ok(Ending::Truncated) => Outcome::Truncated,
        Ok(Ending::LoopDetected) => Outcome::LoopDetected,
        Err(Failure::Contract(Refusal { by_gate: true, .. })) => Outcome::RejectedByGate,
        Err(Failure::Paused) => Outcome::Paused,
        Err(_) => Outcome::Failed,
    };
    let kept_order = seen.is_none()
        && progress.ascending
        && stream.cursor.as_ref().is_some_and(|cursor| cursor.order == Order::Ascending);
    // An unfinished turn may move the cursor only as far as everything before it has been seen.
    // A full pass leaves it alone: the next ordinary turn goes on where the last one ended.
    let moves =
        seen.is_none() && (outcome == Outcome::Ok || (outcome == Outcome::Truncated && kept_order));
    let data_through = match (outcome, stream.data_through) {
        (Outcome::Ok, DataThrough::RunStart) => Some(started),
        (Outcome::Ok, DataThrough::Modified) => progress.modified,
        (Outcome::Ok, DataThrough::LatestRecord) => progress.latest.map(Stamp),
        _ => None,
    };
    let has_more = outcome == Outcome::Truncated && kept_order && progress.records.accepted > 0;
    let failure = match &ending {
        Err(Failure::Paused) => None,
        Err(error) => Some((error.reason().to_owned(), error.to_string())),
        Ok(ending) => unfinished(*ending, has_more, progress.pages),
    };
    let mut end = RunEnd {
        stream: stream.index,
        started,
        ended: shared.clock.now(),
        outcome,
        pages: progress.pages,
        records: progress.records,
        cursor: stream.cursor.as_ref().and(progress.latest).filter(|_| moves),
        data_through,
        targets: progress.targets,
        failure,
        refused: progress.refused,
        drift: progress.drift.clone(),
    };
    if let Err(Failure::Store(error @ StoreError::Fatal(_))) = ending {
        report(stream, shared, &end, clock);
        return Err(error);
    }
    let ended = match seen.filter(|_| outcome == Outcome::Ok) {
        Some(seen) => reconcile::finish(stream, shared, seen, &mut end).await,
        None => shared.store.end(end.clone()).await,
    };
    report(stream, shared, &end, clock);
    match ended {
        Ok(()) | Err(StoreError::Full) => {}
        Err(error) => return Err(error),
    }
    Ok(Finished { has_more })
}

/// The trouble of a turn that ended without an error and without everything. One that stopped at the
/// page cap and goes on where it stopped is none: that is how a long history comes in.
fn unfinished(ending: Ending, has_more: bool, pages: u64) -> Option<(String, String)> {
    let (reason, message) = match ending {
        Ending::Truncated if !has_more => (
            Outcome::Truncated,
            format!(
                "stopped at the cap of {pages} pages with more to come, and the next run begins at the same place: raise max_pages, or declare `order: ascending` if the source keeps it"
            ),
        ),
        Ending::LoopDetected => (
            Outcome::LoopDetected,
            format!(
                "after {pages} pages the source sent a page or link again that it had sent before; what came until then is taken in, the cursor stays"
            ),
        ),
        Ending::Complete | Ending::Truncated => return None,
    };
    Some((reason.as_str().to_owned(), message))
}

fn report(stream: &Stream, shared: &Shared, end: &RunEnd, clock: Instant) {
    let (source, name, records, ms) =
        (&stream.source, &stream.name, &end.records, since(clock).as_millis() as u64);
    let reason = end.failure.as_ref().map(|(reason, _)| reason.as_str());
    shared.metrics.pulled(source, since(clock), reason);
    if !records.balances() {
        shared.metrics.unbalanced(source, name);
        tracing::error!(
            source,
            stream = name,
            ?records,
            "the records of this run do not add up: a fault of the gateway"
        );
    }
    if let Some((reason, message)) = &end.failure {
        tracing::warn!(
            source,
            stream = name,
            reason,
            received = records.received,
            ms,
            "run failed: {message}"
        );
    } else {
        tracing::info!(
            source,
            stream = name,
            outcome = end.outcome.as_str(),
            pages = end.pages,
            received = records.received,
            accepted = records.accepted,
            superseded = records.superseded,
            duplicate = records.duplicate,
            quarantined = records.quarantined,
            rejected = records.rejected,
            ms,
            "run ended"
        );
    }
}

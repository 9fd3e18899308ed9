//! One turn of one stream.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::cursor::{Plan, Stretch};
use super::fleet::Pace;
use super::reconcile::Seen;
use super::{
    Action, DataThrough, Failure, Finished, Progress, Refusal, Shared, Stream, cursor, files,
    fleet, own, parent, reconcile, since,
};
use crate::decode::DecodeError;
use crate::failpoint;
use crate::model::drift::Audit;
use crate::model::observation::{Observations, Reason, Reject};
use crate::model::snapshot::{Circuit, Outcome};
use crate::model::time::Stamp;
use crate::normalise::Surroundings;
use crate::pull::{self, Cut, Ending, Known, Page, PullError, Run, Source, Tally, Turn, Vars};
use crate::store::{Batch, Committed, Delivery, RunEnd, StoreError};

/// A page, decoded and normalised.
pub(super) struct Read {
    /// What it says about the pages after it.
    pub(super) turn: Turn,
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
    let mut progress = Progress::new(stream);
    let ending = if let Some(settings) = &stream.files {
        files::take(stream, settings, shared, &mut progress).await
    } else if let Some(register) = &stream.own {
        own::take(stream, register, shared, &mut progress).await
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
    Ok(Finished { has_more: finished.has_more || stream.fleet.is_some(), ..finished })
}

/// Pulls what the turn asks for: what there is from the cursor on or, in a full pass, everything.
pub(super) async fn pull_pages(
    stream: &Arc<Stream>,
    shared: &Shared,
    started: Stamp,
    progress: &mut Progress,
) -> Result<Ending, Failure> {
    let plan = Plan::make(stream, shared, started, progress.seen.is_some());
    pull_plan(stream, shared, started, plan, progress).await
}

/// Pulls what a plan says, one stretch after the other.
pub(super) async fn pull_plan(
    stream: &Arc<Stream>,
    shared: &Shared,
    started: Stamp,
    plan: Plan,
    progress: &mut Progress,
) -> Result<Ending, Failure> {
    progress.plan = plan;
    let mut last = Ending::Complete;
    for stretch in progress.plan.stretches.clone() {
        let ending = pull_stretch(stream, shared, started, stretch, progress).await?;
        if !matches!(ending, Ending::Complete | Ending::Unchanged) {
            return Ok(ending);
        }
        last = ending;
    }
    // Only the last stretch can have been asked for before; with pages of others it is an ordinary run.
    Ok(last)
}

/// Pulls one stretch of time, and begins anew from the latest record where the source hands out no
/// more pages.
async fn pull_stretch(
    stream: &Arc<Stream>,
    shared: &Shared,
    started: Stamp,
    mut stretch: Stretch,
    progress: &mut Progress,
) -> Result<Ending, Failure> {
    loop {
        let cursor = stream.cursor.as_ref();
        let vars = cursor.map_or(Vars::at(started), |cursor| cursor.vars(stretch, started));
        let is_anew = progress.seen.is_some() || progress.plan.is_past;
        let known = if is_anew { Known::default() } else { known(stream, shared) };
        let vars = Vars { known, ..vars };
        progress.last_of_pagination = None;
        let ending = paginate(stream, shared, &vars, progress).await?;
        if ending != Ending::Reset {
            return Ok(ending);
        }
        match stream.cursor.as_ref().and_then(|cursor| cursor.anew(stretch, progress)) {
            Some(later) => stretch = later,
            None => return Ok(Ending::Truncated(Cut::Reset)),
        }
    }
}

/// Pulls page after page until there is none.
async fn paginate(
    stream: &Arc<Stream>,
    shared: &Shared,
    vars: &Vars,
    progress: &mut Progress,
) -> Result<Ending, Failure> {
    let mut run = stream.puller()?.run(stream.listing(), vars);
    let mut commits = Commits { stream, shared, under_way: None };
    let walked = match &stream.parent {
        Some(parent) => {
            let asking = (&mut run, vars);
            parent::walk(stream, parent, shared, asking, &mut commits, progress).await
        }
        None => walk(stream, shared, &mut run, &mut commits, progress).await,
    };
    let settled = commits.settle(progress).await;
    progress.validator = run.validator();
    spent(stream, shared, run.tally());
    settled?;
    walked
}

/// Counts what requests have cost.
pub(super) fn spent(stream: &Stream, shared: &Shared, tally: &Tally) {
    let Tally { requests, retries, bytes, durations } = tally;
    shared.metrics.cost(&stream.source, requests, *retries, *bytes, durations);
}

async fn walk(
    stream: &Arc<Stream>,
    shared: &Shared,
    run: &mut Run,
    commits: &mut Commits<'_>,
    progress: &mut Progress,
) -> Result<Ending, Failure> {
    loop {
        let page = match stream.limits.page(run, progress).await? {
            Ok(page) => page,
            Err(ending) => {
                noted(stream, run);
                return Ok(ending);
            }
        };
        if stream.is_paused(shared) {
            return Err(Failure::Paused);
        }
        let at = page.fetched_at;
        failpoint::pass("fetched");
        match read(stream, shared, page).await? {
            Ok(read) => {
                run.seen(&read.turn);
                progress.pages += 1;
                progress.raw_records += read.turn.raw_records as u64;
                admit(stream, shared, &read.audit, &read.rejects, progress)?;
                commits.submit(read, at, progress).await?;
            }
            Err((why, action)) => run.judged(action, &why)?,
        }
    }
}

/// Says why a rule ended the run, if one did.
fn noted(stream: &Stream, run: &Run) {
    if let Some(note) = run.note() {
        let (source, name) = (&stream.source, &stream.name);
        tracing::info!(source, stream = name, "a rule ended the run: {note}");
    }
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
        let told = |at: usize| decoded.envelope.get(at).cloned().flatten();
        let turn = Turn {
            next: stream.next_at.and_then(told),
            total: stream.total_at.and_then(told),
            raw_records: decoded.records.count,
        };
        let normalised =
            stream.normaliser.page(&decoded.records, Surroundings { now, target: None });
        failpoint::pass("normalised");
        Ok(Read {
            turn,
            observations: normalised.observations,
            rejects: normalised.rejects,
            audit: normalised.audit,
        })
    });
    Ok(work.await?)
}

/// What the source can be asked with, so that it may answer that nothing has changed. A full pass
/// asks without: it wants to see everything.
fn known(stream: &Stream, shared: &Shared) -> Known {
    let snapshot = shared.store.snapshot();
    let state = snapshot.streams.get(&format!("{}.{}", stream.source, stream.name));
    let validator = state.and_then(|state| state.validator.clone());
    // A list that has not changed says nothing of the records that it lists.
    let purpose = stream.purpose.clone().filter(|_| stream.parent.is_none());
    Known { purpose, validator }
}

/// Hands pages to the store, one at a time, without waiting for the newest one.
pub(super) struct Commits<'a> {
    stream: &'a Arc<Stream>,
    shared: &'a Shared,
    under_way: Option<(JoinHandle<Result<Committed, StoreError>>, Instant)>,
}

impl Commits<'_> {
    pub(super) async fn submit(
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
        let cursor = cursor::checkpoint(stream, &read.observations, progress);
        let batch = batch(stream, read, cursor, at);
        let store = shared.store.clone();
        self.under_way =
            Some((tokio::spawn(async move { store.commit(batch).await }), Instant::now()));
        Ok(())
    }

    /// Waits for the commit under way.
    async fn settle(&mut self, progress: &mut Progress) -> Result<(), Failure> {
        let Some((commit, began)) = self.under_way.take() else { return Ok(()) };
        let committed = commit.await??;
        failpoint::pass("acknowledged");
        note(self.stream, self.shared, &committed, progress, began);
        Ok(())
    }
}

/// The way of a body that comes whole, dropped or pushed, from its bytes to its commit: a page of its
/// own, known again by `delivery`. `read_at` is the place at which a test can end the program.
pub(super) async fn deliver(
    stream: &Arc<Stream>,
    shared: &Shared,
    (body, delivery): (Bytes, Option<Delivery>),
    read_at: &'static str,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let (at, bytes) = (shared.clock.now(), body.len() as u64);
    let number = progress.pages + 1;
    let rules = Vec::new();
    let page = Page { body, is_framed: true, number, fetched_at: at, server_date: None, rules };
    shared.metrics.cost(&stream.source, &[0; 5], 0, bytes, &[]);
    failpoint::pass(read_at);
    let read = match read(stream, shared, page).await? {
        Ok(read) => read,
        Err((detail, _)) => {
            return Err(PullError::Unreadable { reason: pull::Reason::Decode, detail }.into());
        }
    };
    progress.pages += 1;
    admit(stream, shared, &read.audit, &read.rejects, progress)?;
    let began = Instant::now();
    let batch = batch(stream, read, None, at);
    let committed = shared.store.deliver(batch, delivery).await?;
    note(stream, shared, &committed, progress, began);
    Ok(())
}

/// What is committed of a page.
fn batch(stream: &Stream, read: Read, cursor: Option<i64>, at: Stamp) -> Batch {
    Batch {
        stream: stream.index,
        received: read.turn.raw_records as u64,
        observations: read.observations,
        rejects: read.rejects,
        contract_version: stream.schema().version,
        cursor,
        at,
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
    let outcome = outcome(&ending, progress);
    let is_full = seen.is_some();
    let moved = progress.plan.moved(stream, progress, outcome, is_full);
    let data_through = match (outcome, stream.data_through) {
        (Outcome::Ok | Outcome::SkippedUnchanged, DataThrough::RunStart) => {
            Some(moved.asked_until.unwrap_or(started))
        }
        (Outcome::Ok, DataThrough::Modified) => progress.modified,
        (Outcome::Ok, DataThrough::LatestRecord) => progress.latest.map(Stamp),
        _ => None,
    };
    let is_stuck = matches!(ending, Ok(Ending::Truncated(Cut::Short | Cut::Reset)));
    let has_more = moved.has_more && !is_stuck;
    let failure = match &ending {
        Err(Failure::Paused) => None,
        Err(error) => Some((error.reason().to_owned(), error.to_string())),
        Ok(ending) => unfinished(*ending, has_more, progress),
    };
    let mut end = RunEnd {
        cursor: moved.cursor,
        history: moved.history,
        data_through,
        failure,
        is_ours: matches!(&ending, Err(failure) if failure.is_ours()),
        circuit: circuit(stream),
        validator: progress.validator.clone().filter(|_| stands_for_all(outcome, progress)),
        ..line(stream, shared, started, outcome, progress)
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
    let is_whole = matches!(outcome, Outcome::Ok | Outcome::SkippedUnchanged);
    Ok(Finished { has_more, is_whole })
}

/// The line of a run that ends now and moves nothing.
pub(super) fn line(
    stream: &Stream,
    shared: &Shared,
    started: Stamp,
    outcome: Outcome,
    progress: &Progress,
) -> RunEnd {
    RunEnd {
        stream: stream.index,
        started,
        ended: shared.clock.now(),
        outcome,
        pages: progress.pages,
        records: progress.records,
        cursor: None,
        history: None,
        data_through: None,
        targets: progress.targets,
        failure: None,
        is_ours: false,
        refused: progress.refused,
        drift: progress.drift.clone(),
        circuit: None,
        validator: None,
    }
}

/// How a run ended.
pub(super) fn outcome(ending: &Result<Ending, Failure>, progress: &Progress) -> Outcome {
    match ending {
        Ok(Ending::Unchanged) if progress.pages == 0 => Outcome::SkippedUnchanged,
        Ok(Ending::Complete | Ending::Unchanged) => Outcome::Ok,
        Ok(Ending::Truncated(_) | Ending::Reset) => Outcome::Truncated,
        Ok(Ending::LoopDetected) => Outcome::LoopDetected,
        Err(Failure::Contract(Refusal { by_gate: true, .. })) => Outcome::RejectedByGate,
        Err(Failure::Paused) => Outcome::Paused,
        Err(_) => Outcome::Failed,
    }
}

/// The circuit of the stream's source, where it has one.
pub(super) fn circuit(stream: &Stream) -> Option<Circuit> {
    stream.puller.as_ref().filter(|_| stream.fleet.is_none()).map(Source::circuit)
}

/// Whether an answer that nothing has changed would say that everything is still in: not if records
/// were turned away, which a later moment or another configuration might let in.
fn stands_for_all(outcome: Outcome, progress: &Progress) -> bool {
    let records = &progress.records;
    matches!(outcome, Outcome::Ok | Outcome::SkippedUnchanged)
        && records.rejected + records.quarantined == 0
}

/// The trouble of a turn that ended without an error and without everything. One that stopped at a
/// cap and goes on where it stopped is none: that is how a long history comes in.
pub(super) fn unfinished(
    ending: Ending,
    has_more: bool,
    progress: &Progress,
) -> Option<(String, String)> {
    let Progress { pages, raw_records, .. } = progress;
    let (reason, message) = match ending {
        Ending::Truncated(Cut::Short) => (
            Outcome::Truncated,
            format!(
                "the source announced more records than the {raw_records} on its {pages} pages: some were left out, or total_at points at another number; the next run begins at the same place"
            ),
        ),
        Ending::Truncated(Cut::Reset) => (
            Outcome::Truncated,
            format!(
                "the source hands out no more than {raw_records} records on {pages} pages, and going on from the latest \
                 one leads nowhere: its records are not in the order of the cursor, or too many have the same moment; \
                 ask for less at once with cursor.slices"
            ),
        ),
        Ending::Truncated(cut) if !has_more => {
            let (cap, setting) = match cut {
                Cut::Records => (format!("{raw_records} records"), "limits.records"),
                Cut::Children => {
                    ("the listed records that may be asked about".to_owned(), "parent.max_children")
                }
                Cut::Time => ("the time that a run may take".to_owned(), "limits.run_time"),
                Cut::Pages | Cut::Short | Cut::Reset => (format!("{pages} pages"), "max_pages"),
            };
            let message = format!(
                "stopped at the cap of {cap} with more to come, and the next run begins at the same place: raise {setting}, or declare `order: ascending` if the source keeps it"
            );
            (Outcome::Truncated, message)
        }
        Ending::LoopDetected => (
            Outcome::LoopDetected,
            format!(
                "after {pages} pages the source sent a page or link again that it had sent before; what came until then is taken in, the cursor stays"
            ),
        ),
        Ending::Complete | Ending::Unchanged | Ending::Reset | Ending::Truncated(_) => return None,
    };
    Some((reason.as_str().to_owned(), message))
}

pub(super) fn report(stream: &Stream, shared: &Shared, end: &RunEnd, clock: Instant) {
    let (source, name, records, ms) =
        (&stream.source, &stream.name, &end.records, since(clock).as_millis() as u64);
    let reason = end.failure.as_ref().map(|(reason, _)| reason.as_str());
    shared.metrics.pulled(source, since(clock), reason);
    shared
        .metrics
        .credential_ends(source, stream.puller.as_ref().and_then(Source::credential_expiry));
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

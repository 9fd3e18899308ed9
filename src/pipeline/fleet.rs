//! One turn of a fleet: every target is asked, and each answer or silence yields exactly one record.
//!
//! A silent target sends nothing, so the gateway itself records that it was silent: the record holds
//! the target's labels, the time slot and `up`. Records of the same target and slot are versions of
//! one entity, the last poll of a slot decides; polling every minute therefore does not grow the
//! store every minute.
//!
//! The first turn asks everybody as soon as there is a free place. From then on a turn is as long as
//! the stream's interval, and each target has its own moment in it, by the hash of its name: the load
//! is even, two gateways ask at the same moments, and a restart changes none of them. A target that is
//! still being asked when its next moment comes is passed over that time; nobody is asked twice at
//! once. Answers are committed together, a page of them at a time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::discovery::{Discovered, Discovery};
use super::timetable::{Board, Timetable};
use super::turn::{admit, note};
use super::{Failure, Progress, Shared, Stream};
use crate::decode::Decoded;
use crate::model::drift::Audit;
use crate::model::observation::{Observations, Reject};
use crate::model::record::{Records, Value};
use crate::model::time::Stamp;
use crate::model::units::Span;
use crate::normalise::{Normalised, Surroundings, Target as Polled};
use crate::pull::{Ending, Page, PullError, Tally, Turn, Vars};
use crate::store::{Batch, Committed, StoreError};

/// Answers that are committed together at most.
const PAGE: u64 = 1000;

/// The longest time that an answer waits for others to be committed with.
const GATHER: Duration = Duration::from_secs(10);

/// How often it is looked whether the list of targets has changed.
const LOOK: Duration = Duration::from_secs(1);

/// One target of a fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name, as `{{ target }}` in the source's address.
    pub name: Arc<str>,
    /// Its labels, shared with its group.
    pub labels: Arc<std::collections::BTreeMap<String, String>>,
}

/// A fleet of targets that are polled one by one.
pub struct Fleet {
    /// Which targets it has.
    pub discovery: Arc<Discovery>,
    /// The length of the time slots in which polls are counted.
    pub slot: Span,
    /// How many targets are asked at once.
    pub concurrency: usize,
    /// Made once: made anew, it would lie a fraction of a second beside itself, and whoever has just
    /// been asked would be due again.
    timetable: OnceLock<Timetable>,
    board: Mutex<Board>,
    /// Held by the turn under way; kept between turns for those who are still being asked.
    asking: tokio::sync::Mutex<Asking>,
}

/// When the targets of a turn are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// As soon as there is a free place, until each has been asked once.
    AtOnce,
    /// Each at its own moment within the interval.
    Spread,
}

/// Those who are being asked.
type Asking = JoinSet<(Arc<Target>, Result<Answer, Failure>)>;

/// What one target gave.
struct Answer {
    normalised: Normalised,
    up: bool,
    tally: Tally,
}

impl Fleet {
    /// A fleet of which nobody has been asked.
    pub fn new(discovery: Arc<Discovery>, slot: Span, concurrency: usize) -> Self {
        let (board, asking) = (Mutex::default(), tokio::sync::Mutex::default());
        let (concurrency, timetable) = (concurrency.max(1), OnceLock::new());
        Self { discovery, slot, concurrency, timetable, board, asking }
    }

    /// What is known of its targets.
    pub fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn poll(
    stream: &Arc<Stream>,
    shared: &Shared,
    pace: Pace,
    progress: &mut Progress,
) -> Result<Ending, Failure> {
    let Some(fleet) = &stream.fleet else { return Ok(Ending::Complete) };
    if fleet.discovery.found().good_at.is_none() {
        fleet.discovery.refresh(shared).await;
    }
    let mut asking = fleet.asking.lock().await;
    let timetable = *fleet
        .timetable
        .get_or_init(|| Timetable::new(stream.interval.0, shared.clock.now(), Instant::now()));
    let mut round = Round {
        stream,
        shared,
        fleet,
        progress,
        page: Gathered::new(stream),
        under_way: None,
        failure: None,
        listed: fleet.discovery.found(),
        awaited: BTreeSet::new(),
    };
    let at_once = pace == Pace::AtOnce;
    if at_once {
        let names = round.listed.targets.iter().map(|target| Arc::clone(&target.name));
        round.awaited = names.collect();
    }
    fleet.board().list(&round.listed.targets, &timetable, at_once, Instant::now());
    let walked = round.walk(&mut asking, &timetable, pace).await;
    round.commit();
    let settled = round.settle().await;
    let counts = fleet.board().counts();
    let known = counts.up + counts.silent;
    round.progress.targets = Some((counts.up, known));
    shared.metrics.fleet(&stream.source, [counts.up, counts.silent, counts.waiting]);
    walked?;
    settled?;
    round.failure.take().map_or_else(|| verdict(counts.up, known), Err)
}

/// A fleet of which nothing answers is a failed source; single silent targets are data.
fn verdict(up: u64, known: u64) -> Result<Ending, Failure> {
    if up == 0 && known > 0 {
        let detail = format!("none of {known} targets answered");
        return Err(Failure::Pull(PullError::Transient {
            reason: crate::pull::Reason::Connect,
            detail,
        }));
    }
    Ok(Ending::Complete)
}

/// Answers that will be committed together.
struct Gathered {
    observations: Observations,
    rejects: Vec<Reject>,
    audit: Audit,
    received: u64,
    up: u64,
    tally: Tally,
    since: Option<Instant>,
}

impl Gathered {
    fn new(stream: &Stream) -> Self {
        Self {
            observations: Observations::new(stream.schema().fields.len()),
            rejects: Vec::new(),
            audit: Audit::default(),
            received: 0,
            up: 0,
            tally: Tally::default(),
            since: None,
        }
    }

    fn take(&mut self, answer: Answer) {
        self.observations.append(answer.normalised.observations);
        self.rejects.extend(answer.normalised.rejects);
        self.audit.join(answer.normalised.audit);
        self.received += 1;
        self.up += u64::from(answer.up);
        self.tally.join(&answer.tally);
        self.since.get_or_insert_with(Instant::now);
    }
}

/// A commit and when it was handed over.
type UnderWay = (JoinHandle<Result<Committed, StoreError>>, Instant);

/// One turn under way.
struct Round<'a> {
    stream: &'a Arc<Stream>,
    shared: &'a Shared,
    fleet: &'a Fleet,
    progress: &'a mut Progress,
    page: Gathered,
    under_way: Option<UnderWay>,
    /// What went wrong last; the turn goes on all the same.
    failure: Option<Failure>,
    listed: Arc<Discovered>,
    /// Those whose first answer ends a turn at once. Others whose moment comes meanwhile do not hold it
    /// up: in a big fleet somebody always is being asked.
    awaited: BTreeSet<Arc<str>>,
}

impl Round<'_> {
    /// Asks whoever is due until the round is over.
    async fn walk(
        &mut self,
        asking: &mut Asking,
        timetable: &Timetable,
        pace: Pace,
    ) -> Result<(), Failure> {
        let ends = timetable.round_after(Instant::now());
        let mut look = Instant::now() + LOOK;
        let stop = self.stream.puller()?.stop();
        loop {
            if self.stream.is_paused(self.shared) {
                return Err(Failure::Paused);
            }
            let now = Instant::now();
            self.start(asking, timetable, now);
            let next = self.fleet.board().next_due();
            let is_over = match pace {
                Pace::AtOnce => self.awaited.is_empty(),
                Pace::Spread => now >= ends,
            };
            if is_over {
                return Ok(());
            }
            if self.page.received >= PAGE || self.page.since.is_some_and(|at| now >= at + GATHER) {
                self.commit();
            }
            // With all places taken, only an answer makes room.
            let is_full = asking.len() >= self.fleet.concurrency;
            let wake =
                next.filter(|_| !is_full && !self.is_behind()).map_or(look, |at| at.min(look));
            let wake = if pace == Pace::Spread { wake.min(ends) } else { wake };
            tokio::select! {
                biased;
                Some(answer) = asking.join_next(), if !asking.is_empty() => {
                    let answer = answer?;
                    self.take(answer, timetable);
                }
                done = settled(&mut self.under_way), if self.under_way.is_some() => {
                    self.settled(done)?;
                }
                () = stop.cancelled() => return Ok(()),
                // Somebody asks for a turn now, or has paused the source.
                () = self.stream.wake.notified() => {
                    let (listed, now) = (&self.listed.targets, Instant::now());
                    self.fleet.board().list(listed, timetable, true, now);
                }
                () = sleep_until(wake) => {}
            }
            if Instant::now() >= look {
                look = Instant::now() + LOOK;
                self.look(timetable);
            }
        }
    }

    /// Takes what came of asking one target.
    fn take(&mut self, (target, answer): (Arc<Target>, Result<Answer, Failure>), on: &Timetable) {
        self.awaited.remove(&target.name);
        match answer {
            Ok(answer) => {
                let at = self.shared.clock.now();
                let outcome = Some((answer.up, at));
                self.fleet.board().answered(&target, outcome, on, Instant::now());
                self.page.take(answer);
            }
            Err(failure) => {
                self.fleet.board().answered(&target, None, on, Instant::now());
                if !matches!(failure, Failure::Pull(PullError::Stopped)) {
                    self.failure = Some(failure);
                }
            }
        }
    }

    /// Whether the store is so far behind that nobody else is asked for now.
    fn is_behind(&self) -> bool {
        self.page.received >= 2 * PAGE
    }

    /// Asks those who are due, as many as there are places.
    fn start(&self, asking: &mut Asking, timetable: &Timetable, now: Instant) {
        while asking.len() < self.fleet.concurrency && !self.is_behind() {
            let Some(target) = self.fleet.board().take_due(timetable, now) else { return };
            let (stream, shared) = (Arc::clone(self.stream), self.shared.clone());
            asking.spawn(async move {
                let asked = ask(&stream, &shared, &target);
                let answer = std::panic::AssertUnwindSafe(asked).catch_unwind().await;
                (target, answer.unwrap_or(Err(Failure::Panicked)))
            });
        }
    }

    /// Follows a changed list of targets.
    fn look(&mut self, timetable: &Timetable) {
        let found = self.fleet.discovery.found();
        let mut board = self.fleet.board();
        if !Arc::ptr_eq(&found.targets, &self.listed.targets) {
            board.list(&found.targets, timetable, false, Instant::now());
            if !self.awaited.is_empty() {
                let listed: BTreeSet<_> = found.targets.iter().map(|target| &target.name).collect();
                self.awaited.retain(|name| listed.contains(name));
            }
        }
        let counts = board.counts();
        drop(board);
        self.listed = found;
        let states = [counts.up, counts.silent, counts.waiting];
        self.shared.metrics.fleet(&self.stream.source, states);
    }

    /// Hands what has been gathered to the store, unless a commit is under way.
    fn commit(&mut self) {
        if self.under_way.is_some() || self.page.received == 0 {
            return;
        }
        let (stream, shared) = (self.stream, self.shared);
        let page = std::mem::replace(&mut self.page, Gathered::new(stream));
        let tally = &page.tally;
        let source = &stream.source;
        shared.metrics.cost(source, &tally.requests, tally.retries, tally.bytes, &tally.durations);
        self.progress.pages += page.up;
        if let Err(failure) = admit(stream, shared, &page.audit, &page.rejects, self.progress) {
            self.failure = Some(failure);
            return;
        }
        let batch = Batch {
            stream: stream.index,
            received: page.received,
            observations: page.observations,
            rejects: page.rejects,
            contract_version: stream.schema().version,
            cursor: None,
            at: shared.clock.now(),
        };
        let store = shared.store.clone();
        let commit = tokio::spawn(async move { store.commit(batch).await });
        self.under_way = Some((commit, Instant::now()));
    }

    /// Waits for the commit under way, and hands over and waits for what is left.
    async fn settle(&mut self) -> Result<(), Failure> {
        while self.under_way.is_some() {
            let done = settled(&mut self.under_way).await;
            self.settled(done)?;
            self.commit();
        }
        Ok(())
    }

    /// What cannot be committed is told at the end of the turn, and its targets are asked again at
    /// their next moments; only a store that has failed for good ends the turn.
    fn settled(&mut self, done: Done) -> Result<(), Failure> {
        match done {
            Ok((committed, began)) => {
                note(self.stream, self.shared, &committed, self.progress, began);
            }
            Err(failure @ Failure::Store(StoreError::Fatal(_))) => return Err(failure),
            Err(failure) => self.failure = Some(failure),
        }
        Ok(())
    }
}

type Done = Result<(Committed, Instant), Failure>;

/// Waits for a commit; may be dropped and called again.
async fn settled(under_way: &mut Option<UnderWay>) -> Done {
    let Some((commit, began)) = under_way else { return std::future::pending().await };
    let (outcome, began) = (commit.await, *began);
    *under_way = None;
    let committed = outcome??;
    Ok((committed, began))
}

/// Asks one target, retries included, for at most one interval.
async fn ask(stream: &Stream, shared: &Shared, target: &Target) -> Result<Answer, Failure> {
    let at = shared.clock.now();
    let length = stream.fleet.as_ref().map_or(1, |fleet| fleet.slot.as_seconds().max(1));
    let slot = Stamp(at.0.div_euclid(length) * length);
    let vars = Vars { target: Some(target.name.to_string()), ..Vars::at(at) };
    let mut run = stream.puller()?.run(&stream.request, &vars);
    let mut answer = None;
    let attempts = async {
        loop {
            match run.next().await {
                Ok(Some(page)) => match whole(stream, &page) {
                    Ok(decoded) => {
                        let records = &decoded.records;
                        answer = Some(normalise(stream, shared, target, slot, records, true));
                        run.seen(&Turn { raw_records: records.count, ..Turn::default() });
                        return Ok(());
                    }
                    Err(why) => {
                        if run.refused(&why).is_err() {
                            return Ok(());
                        }
                    }
                },
                Err(PullError::Stopped) => return Err(Failure::Pull(PullError::Stopped)),
                Ok(None) | Err(_) => return Ok(()),
            }
        }
    };
    if let Ok(ended) = timeout(stream.interval.0, attempts).await {
        ended?;
    }
    let up = answer.is_some();
    let normalised = answer.unwrap_or_else(|| {
        let silent =
            Records { picks: stream.normaliser.pointers().len(), count: 1, ..Records::default() };
        let silent = Records { values: vec![Value::Absent; silent.picks], ..silent };
        normalise(stream, shared, target, slot, &silent, false)
    });
    Ok(Answer { normalised, up, tally: run.tally().clone() })
}

/// Decodes a target's answer, which is one record in whatever format.
fn whole<'a>(stream: &Stream, page: &'a Page) -> Result<Decoded<'a>, String> {
    let decoded = stream.decoder.decode_framed(&page.body, page.is_framed);
    let decoded = decoded.map_err(|error| error.to_string())?;
    match decoded.records.count {
        1 => Ok(decoded),
        count => Err(format!("a target's answer is one record, this one holds {count}")),
    }
}

fn normalise(
    stream: &Stream,
    shared: &Shared,
    target: &Target,
    slot: Stamp,
    records: &Records<'_>,
    up: bool,
) -> Normalised {
    let polled = Polled { name: &target.name, labels: &target.labels, slot, up };
    stream.normaliser.page(records, Surroundings { now: shared.clock.now(), target: Some(&polled) })
}

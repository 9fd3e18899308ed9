//! The log that all listeners read, and who is listening.
//!
//! There is no queue for each listener: a listener is a place in one bounded log, so a thousand of
//! them cost a thousand places. The log grows by comparing pictures twice a second at most, and only
//! while somebody listens or did a short time ago. Who takes nothing for too long is cut off at the
//! socket, for a body that nobody reads is never asked for its end.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::picture::{Change, Picture};
use crate::model::time::Stamp;
use crate::model::units::Span;

/// How often it is seen to that nobody listens who may not, or takes nothing.
pub(super) const CARE_EVERY: Duration = Duration::from_secs(1);

/// How often is looked whether there is another revision, which costs nothing.
pub(super) const GLANCE_EVERY: Duration = Duration::from_millis(50);

/// How long no further picture is made after one: all figures are read for it.
pub(super) const REST: Duration = Duration::from_millis(500);

/// For how long the log goes on after the last listener has left, so that it can resume.
const LINGER: Duration = Duration::from_mins(5);

/// The most values in the log.
const LOG_WEIGHT: usize = 50_000;

/// The part of an id that stands for all parts of its revision.
pub(super) const WHOLE: u64 = 999_999;

/// `events:` in `iocgw.yaml`: who may listen to `/v1/events`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EventSettings {
    /// The most listeners at once.
    pub clients: usize,
    /// A listener that takes nothing for so long is cut off.
    pub slow_after: Span,
}

impl EventSettings {
    /// The most that `clients` may be.
    pub const MOST_CLIENTS: usize = 1500;
}

impl Default for EventSettings {
    fn default() -> Self {
        Self { clients: 500, slow_after: Span::seconds(30) }
    }
}

/// What happens to listeners, for those who count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streamed {
    /// One more listens.
    Opened,
    /// One less listens.
    Closed,
    /// An event of this name was handed to a listener.
    Sent(&'static str),
    /// The server ended or refused a stream: `slow`, `shutdown`, `limit` or `key`.
    Dropped(&'static str),
}

/// Counts what happens to listeners.
pub type WatchStreams = dyn Fn(Streamed) + Send + Sync;

/// An event of the log.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) revision: u64,
    /// Which one of its revision.
    pub(super) part: u64,
    pub(super) at: Stamp,
    pub(super) change: Change,
}

#[derive(Default)]
struct Log {
    picture: Option<Arc<Picture>>,
    events: VecDeque<Arc<Event>>,
    weight: usize,
    /// The number of the first event in the log, counted from the start of the program.
    first: u64,
    /// What came last before the first event: revision and part.
    floor: (u64, u64),
}

/// A listener, as the hub sees it.
pub(super) struct Listener {
    /// When it was handed something that it has not come back from, in milliseconds; 0 while it
    /// waits for more.
    handed: AtomicU64,
    socket: Option<Arc<TcpStream>>,
    /// The key that let it in, if one was needed.
    key: Option<String>,
    /// Its key opens nothing any more.
    shut_out: AtomicBool,
}

impl Listener {
    /// Whether it is told nothing any more.
    pub(super) fn is_shut_out(&self) -> bool {
        self.shut_out.load(Ordering::Relaxed)
    }
}

/// The log and its listeners.
pub struct Hub {
    settings: EventSettings,
    watch: Box<WatchStreams>,
    stop: CancellationToken,
    born: Instant,
    log: Mutex<Log>,
    /// The number of the event that comes next; changes wake listeners.
    head: watch::Sender<u64>,
    listeners: Mutex<(u64, BTreeMap<u64, Arc<Listener>>)>,
    last_heard: AtomicU64,
}

/// Where a listener begins.
pub(super) enum Beginning {
    /// With what comes next.
    Next,
    /// With a picture of everything.
    Snapshot,
    /// After the event of this revision and part.
    After(u64, u64),
}

/// What a listener gets first.
pub(super) struct Entry {
    pub(super) next: u64,
    pub(super) snapshot: Option<Arc<Picture>>,
    pub(super) resync: bool,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// A log without anything in it; streams end when `stop` is given.
    pub fn new(settings: EventSettings, watch: Box<WatchStreams>, stop: CancellationToken) -> Self {
        Self {
            settings,
            watch,
            stop,
            born: Instant::now(),
            log: Mutex::default(),
            head: watch::Sender::new(0),
            listeners: Mutex::default(),
            last_heard: AtomicU64::new(0),
        }
    }

    pub(super) fn count(&self, what: Streamed) {
        (self.watch)(what);
    }

    pub(super) const fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Milliseconds since the start, never 0.
    fn tick(&self) -> u64 {
        self.born.elapsed().as_millis() as u64 + 1
    }

    /// Whether anybody listens, or did until a short time ago.
    pub(super) fn is_heard(&self) -> bool {
        let now = self.tick();
        if !held(&self.listeners).1.is_empty() {
            self.last_heard.store(now, Ordering::Relaxed);
            return true;
        }
        let last = self.last_heard.load(Ordering::Relaxed);
        last > 0 && now - last < LINGER.as_millis() as u64
    }

    /// Lets a listener in, if there is room.
    pub(super) fn enter(
        &self,
        socket: Option<Arc<TcpStream>>,
        key: Option<String>,
    ) -> Option<(u64, Arc<Listener>)> {
        let mut listeners = held(&self.listeners);
        if listeners.1.len() >= self.settings.clients {
            drop(listeners);
            self.count(Streamed::Dropped("limit"));
            return None;
        }
        let (handed, shut_out) = (AtomicU64::new(0), AtomicBool::new(false));
        let listener = Arc::new(Listener { handed, socket, key, shut_out });
        listeners.0 += 1;
        let number = listeners.0;
        listeners.1.insert(number, Arc::clone(&listener));
        drop(listeners);
        self.count(Streamed::Opened);
        Some((number, listener))
    }

    pub(super) fn leave(&self, number: u64) {
        if held(&self.listeners).1.remove(&number).is_some() {
            self.last_heard.store(self.tick(), Ordering::Relaxed);
            self.count(Streamed::Closed);
        }
    }

    /// A listener was handed something.
    pub(super) fn handed(&self, listener: &Listener) {
        listener.handed.store(self.tick(), Ordering::Relaxed);
    }

    /// A listener has come back for more.
    pub(super) fn came_back(listener: &Listener) {
        listener.handed.store(0, Ordering::Relaxed);
    }

    /// Cuts off who has taken nothing for too long.
    pub(super) fn drop_slow(&self) {
        let limit = self.settings.slow_after.as_seconds().unsigned_abs() * 1000;
        let now = self.tick();
        let listeners: Vec<Arc<Listener>> = held(&self.listeners).1.values().cloned().collect();
        for listener in listeners {
            let handed = listener.handed.load(Ordering::Relaxed);
            if handed == 0 || now.saturating_sub(handed) < limit {
                continue;
            }
            if let Some(socket) = &listener.socket {
                // Once only: the end of the connection takes the listener off the list.
                listener.handed.store(0, Ordering::Relaxed);
                let _ = socket.shutdown(Shutdown::Both);
                self.count(Streamed::Dropped("slow"));
            }
        }
    }

    /// Ends the streams whose key opens nothing any more: a key that is revoked is heard no longer
    /// than it would be let in.
    pub(super) fn shut_out(&self, is_over: impl Fn(Option<&str>) -> bool) {
        let listeners: Vec<Arc<Listener>> = held(&self.listeners).1.values().cloned().collect();
        let over = listeners.iter().filter(|each| {
            is_over(each.key.as_deref()) && !each.shut_out.swap(true, Ordering::Relaxed)
        });
        if over.count() > 0 {
            self.count(Streamed::Dropped("key"));
            self.head.send_modify(|_| {});
        }
    }

    /// The picture that listeners have, if one was made.
    pub(in crate::serve) fn picture(&self) -> Option<Arc<Picture>> {
        held(&self.log).picture.clone()
    }

    /// Takes a newer picture and tells what changed.
    pub(super) fn publish(&self, picture: Picture) {
        let mut log = held(&self.log);
        let changes = if let Some(earlier) = &log.picture {
            picture.since(earlier)
        } else {
            log.floor = (picture.revision, WHOLE);
            Vec::new()
        };
        let (revision, at) = (picture.revision, picture.at);
        for (part, change) in changes.into_iter().enumerate() {
            log.weight += change.weight();
            let part = part as u64;
            log.events.push_back(Arc::new(Event { revision, part, at, change }));
        }
        while log.weight > LOG_WEIGHT
            && let Some(oldest) = log.events.pop_front()
        {
            log.weight -= oldest.change.weight();
            log.first += 1;
            log.floor = (oldest.revision, oldest.part);
        }
        log.picture = Some(Arc::new(picture));
        let head = log.first + log.events.len() as u64;
        drop(log);
        // Wakes those too who wait for the first picture.
        self.head.send_replace(head);
    }

    /// Nobody listens: forgets everything, for what is not looked at cannot be told.
    pub(super) fn rest(&self) {
        let mut log = held(&self.log);
        if log.picture.is_some() {
            log.first += log.events.len() as u64;
            log.events.clear();
            (log.weight, log.picture) = (0, None);
        }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Where a listener goes on; `None` until there is a picture.
    pub(super) fn begin(&self, beginning: &Beginning) -> Option<Entry> {
        let log = held(&self.log);
        let picture = log.picture.as_ref()?;
        let end = log.first + log.events.len() as u64;
        let entry = |next| Entry { next, snapshot: None, resync: false };
        Some(match beginning {
            Beginning::Next => entry(end),
            Beginning::Snapshot => Entry { snapshot: Some(Arc::clone(picture)), ..entry(end) },
            Beginning::After(revision, part) => {
                let known = log
                    .events
                    .partition_point(|event| (event.revision, event.part) <= (*revision, *part));
                // Older than the log, or of another store.
                let is_lost = (*revision, *part) < log.floor || *revision > picture.revision;
                Entry {
                    resync: is_lost,
                    ..entry(if is_lost { end } else { log.first + known as u64 })
                }
            }
        })
    }

    /// At most `count` events from `next` on; `None` if the log no longer reaches so far back.
    pub(super) fn from(&self, next: u64, count: usize) -> Option<Vec<Arc<Event>>> {
        let log = held(&self.log);
        let skip = next.checked_sub(log.first)?;
        Some(log.events.iter().skip(skip as usize).take(count).cloned().collect())
    }
}

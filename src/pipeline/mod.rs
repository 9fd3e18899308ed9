//! Pipeline: one stream, one turn: pull, decode, normalise, fold and commit.
//!
//! A turn walks the pages of a stream. While page n is being committed, page n + 1 is fetched and
//! decoded; never more than that, so memory is bounded by two pages. The cursor moves when the whole
//! turn came through, and in mid-turn only if the source promises ascending order *and* keeps it. A
//! turn always ends with a run line: what was received and what became of it.

mod backfill;
mod cursor;
mod deadlines;
mod discovery;
mod files;
mod fleet;
mod gate;
mod intake;
mod limits;
mod own;
mod parent;
mod reconcile;
mod replay;
mod schedule;
mod slices;
mod timetable;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinError;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::decode::Decoder;
use crate::lateness::Promise;
use crate::model::drift::Drift;
use crate::model::schema::Schema;
use crate::model::snapshot::Validator;
use crate::model::time::Stamp;
use crate::model::units::Span;
use crate::normalise::Normaliser;
use crate::pull::{self, Action};
use crate::store::Store;
use crate::telemetry::Metrics;

pub use backfill::slice as backfill;
pub use cursor::{Cursor, CursorSettings, Order};
pub use deadlines::keep as keep_deadlines;
pub use discovery::{
    Discovered, Discovery, FileDiscovery, FleetSettings, HttpDiscovery, List, TargetGroup, at_once,
};
pub use files::FileSettings;
pub use fleet::{Fleet, Target};
pub use gate::{DriftSettings, Gate, Refusal};
pub use intake::{Intake, IntakeAuthenticator, IntakeSettings, push};
pub use limits::RunLimits;
pub use own::OwnRegister;
pub use parent::{Parent, ParentSettings};
pub use reconcile::{Reconcile, ReconcileSettings};
pub use replay::replay;
pub use schedule::{next_turn, run};
pub use slices::{SliceSettings, Slices};
pub use timetable::{Board, Counts, Seat};
pub use turn::take as turn;

/// Which time the source is believed complete to after a good turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DataThrough {
    /// The latest version moment that came in: for systems that are themselves fed late.
    #[default]
    LatestRecord,
    /// The beginning of the turn: for systems in which things are done at once.
    RunStart,
    /// When the newest of its files was written, for a source of files.
    Modified,
}

/// Everything that one stream needs.
pub struct Stream {
    /// The source's name.
    pub source: String,
    /// The stream's name.
    pub name: String,
    /// Position of the stream in the store.
    pub index: usize,
    /// The source's client, if it is asked.
    pub puller: Option<pull::Source>,
    /// The stream's requests.
    pub request: pull::Stream,
    /// Present if they are made for each record that another stream lists.
    pub parent: Option<Parent>,
    /// From pages to the wanted values.
    pub decoder: Decoder,
    /// Where the code of each of the request's rules stands among the picks around the records; `None`
    /// for a rule that looks at no body.
    pub rule_places: Vec<Option<usize>>,
    /// The place of the next link or token among the picks around the records.
    pub next_at: Option<usize>,
    /// The place of the announced number of records or pages among them.
    pub total_at: Option<usize>,
    /// How much one run may take.
    pub limits: RunLimits,
    /// From values to rows.
    pub normaliser: Normaliser,
    /// How often it runs.
    pub interval: Span,
    /// Where it goes on.
    pub cursor: Option<Cursor>,
    /// What its requests are made for, so that a source may answer that nothing has changed since
    /// the last one of the same purpose; nothing if it is not asked that way.
    pub purpose: Option<String>,
    /// Which time the source is believed complete to.
    pub data_through: DataThrough,
    /// When a page is refused whole.
    pub gate: Gate,
    /// When flaws are a breach of the contract.
    pub drift: DriftSettings,
    /// The body that answers for the source.
    pub unit: String,
    /// By when its reports have to be in, if they have to.
    pub promise: Option<Arc<Promise>>,
    /// Present if it is pushed to.
    pub intake: Option<Intake>,
    /// Present if its records lie in files.
    pub files: Option<FileSettings>,
    /// Present if its records are what the gateway knows by itself.
    pub own: Option<OwnRegister>,
    /// Present if the stream polls a fleet.
    pub fleet: Option<Fleet>,
    /// Present if it is asked for everything now and then.
    pub reconcile: Option<Reconcile>,
    /// Rung when somebody asks for a turn now, or has paused or resumed the source.
    pub wake: Notify,
}

impl Stream {
    fn schema(&self) -> &Arc<Schema> {
        self.normaliser.schema()
    }

    /// Whether somebody has decided that the source is not asked.
    fn is_paused(&self, shared: &Shared) -> bool {
        shared.store.snapshot().paused.contains_key(&self.source)
    }

    /// What asks the source.
    fn puller(&self) -> Result<&pull::Source, Failure> {
        let detail = || "the source is not one that is asked".to_owned();
        self.puller.as_ref().ok_or_else(|| {
            let reason = pull::Reason::Other;
            Failure::Pull(pull::PullError::Refused { reason, detail: detail() })
        })
    }

    /// An empty record of drift for a run of this stream.
    fn no_drift(&self) -> Drift {
        let version = self.schema().version;
        let mut mapping = blake3::Hasher::new();
        mapping.update(&version.to_le_bytes());
        for pointer in self.normaliser.pointers() {
            mapping.update(pointer.as_bytes()).update(&[0]);
        }
        Drift {
            unit: self.unit.clone(),
            contract_version: version,
            mapping: mapping.finalize().to_hex()[..16].to_owned(),
            ..Drift::default()
        }
    }

    fn judge(&self, envelope: &[Option<String>], rules: &[usize]) -> Result<(), (String, Action)> {
        judge(&self.request.rules, &self.rule_places, envelope, rules)
    }

    /// What the pages hang together by that the turn walks through.
    fn listing(&self) -> &pull::Stream {
        self.parent.as_ref().map_or(&self.request, |parent| &parent.request)
    }
}

/// Whether the values around the records make the answer something else than a page, by those of the
/// rules that are still `pending`, and what is done about it. A page that is no JSON has none and is
/// left to the decoder's own judgement.
pub fn judge(
    rules: &[pull::Rule],
    places: &[Option<usize>],
    envelope: &[Option<String>],
    pending: &[usize],
) -> Result<(), (String, Action)> {
    for number in pending {
        let Some((rule, place)) = rules.get(*number).zip(places.get(*number)) else { continue };
        let applies = match place {
            None => true,
            Some(at) => envelope.get(*at).is_some_and(|code| rule.applies(code.as_deref())),
        };
        if applies && rule.then == Action::Success {
            return Ok(());
        }
        if applies {
            return Err((rule.said(*number), rule.then));
        }
    }
    Ok(())
}

/// What all streams share.
#[derive(Clone)]
pub struct Shared {
    /// Where pages are committed.
    pub store: Store,
    /// What operators watch.
    pub metrics: Arc<Metrics>,
    /// Tells the time.
    pub clock: Clock,
    /// Bounds how many pages are decoded at once, so that one huge source leaves a core to others.
    pub decoding: Arc<Semaphore>,
}

/// Why a turn did not come through.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Pull(#[from] pull::PullError),
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// A page is not fit to be folded.
    #[error("{}", .0.why)]
    Contract(Refusal),
    /// Somebody paused the source while the turn was under way.
    #[error("the source was paused")]
    Paused,
    /// A panic's own words may quote a record, so nobody hears them.
    #[error("a fault in the gateway itself; its log says where")]
    Panicked,
}

impl From<JoinError> for Failure {
    fn from(_: JoinError) -> Self {
        Self::Panicked
    }
}

impl Failure {
    fn reason(&self) -> &'static str {
        match self {
            Self::Pull(error) => error.reason().as_str(),
            Self::Store(_) => "store",
            Self::Contract(_) => "contract",
            Self::Paused => "paused",
            Self::Panicked => "other",
        }
    }

    /// Whether the source has nothing to do with it: our store, our fault, our rules on addresses.
    fn is_ours(&self) -> bool {
        match self {
            Self::Store(_) | Self::Paused | Self::Panicked => true,
            Self::Pull(error) => {
                let is_stopped = matches!(error, pull::PullError::Stopped);
                is_stopped || error.reason() == pull::Reason::Address
            }
            Self::Contract(_) => false,
        }
    }
}

/// What a turn came to, besides what is in the store.
#[derive(Debug)]
struct Progress {
    pages: u64,
    /// Records of all pages before any of them was dropped.
    raw_records: u64,
    /// When the turn must be over.
    deadline: Instant,
    records: crate::model::snapshot::Conservation,
    /// Records of a page that was refused whole; part of `records`.
    refused: u64,
    drift: Drift,
    latest: Option<i64>,
    /// When the newest file that was looked at was written.
    modified: Option<Stamp>,
    /// What the turn asks for.
    plan: cursor::Plan,
    /// Whether every page so far kept the ascending order.
    ascending: bool,
    /// The latest record since paging began.
    last_of_pagination: Option<i64>,
    targets: Option<(u64, u64)>,
    /// How the source can be asked whether anything is new.
    validator: Option<Validator>,
    /// What a full pass has come across; `None` in an ordinary turn.
    seen: Option<reconcile::Seen>,
}

impl Progress {
    /// Nothing yet.
    fn new(stream: &Stream) -> Self {
        Self {
            pages: 0,
            raw_records: 0,
            deadline: stream.limits.deadline(),
            records: crate::model::snapshot::Conservation::default(),
            refused: 0,
            drift: stream.no_drift(),
            latest: None,
            modified: None,
            plan: cursor::Plan::default(),
            ascending: true,
            last_of_pagination: None,
            targets: None,
            validator: None,
            seen: None,
        }
    }
}

/// How a turn ended, for the schedule.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    /// There is certainly more to fetch, and the cursor moved: go on at once.
    pub has_more: bool,
    /// Everything that was asked for came in.
    pub is_whole: bool,
}

/// Wall time since a moment of the monotonic clock.
fn since(start: Instant) -> Duration {
    start.elapsed()
}

/// Whole seconds from one stamp to another, never negative.
fn seconds_until(now: Stamp, then: Stamp) -> u64 {
    u64::try_from(then.0 - now.0).unwrap_or(0)
}

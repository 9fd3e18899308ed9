//! What readers see: one immutable picture of everything at one revision.
//!
//! The store swaps in a new snapshot after each commit and every answer is computed from one of
//! them, so an answer is consistent in itself and needs no lock and no disk. Snapshots share all
//! that did not change.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::backfill::Backfill;
use crate::model::cube::{Cube, Dimension};
use crate::model::dictionary::Dictionary;
use crate::model::drift::Register;
use crate::model::items::Items;
use crate::model::lateness::LatenessRegister;
use crate::model::time::Stamp;

/// How many finished runs of a stream are kept in sight.
pub const RUNS_KEPT: usize = 60;

/// Everything that can be read, at one revision.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The store's commit number; it never goes back.
    pub revision: u64,
    /// When that commit was made.
    pub at: Stamp,
    /// Measures by `contract.measure`.
    pub measures: BTreeMap<String, Arc<Measure>>,
    /// Streams by `source.stream`.
    pub streams: BTreeMap<String, Arc<StreamState>>,
    /// The dictionaries of text properties by name: they grow while records come in.
    pub texts: BTreeMap<String, Arc<Dictionary>>,
    /// The records of the contracts whose records may be read one by one.
    pub items: BTreeMap<String, Arc<Items>>,
    /// By contract, the records known only under the previous identifier key; only while it is
    /// being replaced.
    pub rekeying: BTreeMap<String, u64>,
    /// The circuits of sources that are not well, by source.
    pub circuits: BTreeMap<String, Circuit>,
    /// Measures that are being built and cannot be read yet, by `contract.measure`.
    pub rebuilding: BTreeMap<String, Rebuilding>,
    /// The sources that are not asked because somebody decided so, by name.
    pub paused: BTreeMap<String, Paused>,
    /// Stretches of the past that somebody asked for, the oldest first.
    pub backfills: Arc<Vec<Backfill>>,
}

/// Somebody's decision that a source is not asked until further notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Paused {
    /// Who decided (a position).
    pub by: String,
    /// Why.
    pub why: String,
    /// Since when.
    pub since: Stamp,
}

/// Whether a source is asked or left alone because it does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Circuit {
    /// Failed requests in a row.
    pub failures: u32,
    /// Present when the circuit is open: until then nothing is asked, afterwards one probe.
    pub open_until: Option<Stamp>,
}

impl Circuit {
    /// `closed`, `open`, or `half_open` when a probe is due.
    pub fn state(&self, now: Stamp) -> &'static str {
        match self.open_until {
            None => "closed",
            Some(until) if now < until => "open",
            Some(_) => "half_open",
        }
    }
}

/// What a source says by which its answer can be told from a newer one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validator {
    /// What was asked, by whom and to what end: it holds for exactly the same request only.
    pub of: String,
    /// The `ETag`, as it came.
    pub etag: Option<String>,
    /// The `Last-Modified`, as it came.
    pub last_modified: Option<String>,
}

/// How far the building of a measure from the stored records has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rebuilding {
    /// Records counted so far.
    pub done: u64,
    /// Records there are.
    pub total: u64,
}

/// How a measure adds up over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasureKind {
    /// Counts and sums: the amount of a period is the sum of its days.
    Flow,
    /// Stocks: the amount at the end of a day is the sum of all days up to and including it.
    Stock,
    /// Like a flow, with the bin of each quantity as the last dimension ([`crate::model::cube::BIN`]).
    Distribution,
}

/// A measure with its cube.
#[derive(Clone, Debug)]
pub struct Measure {
    /// `contract.measure`.
    pub name: String,
    /// The contract's name.
    pub contract: String,
    /// How it adds up over time.
    pub kind: MeasureKind,
    /// Cell values are scaled by ten to this power.
    pub decimals: u8,
    /// The dimensions in a cell's key.
    pub dimensions: Vec<Dimension>,
    /// The cells.
    pub cube: Cube,
}

/// What is known of a stream.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StreamState {
    /// The source's name.
    pub source: String,
    /// The stream's name.
    pub stream: String,
    /// The contract its records keep.
    pub contract: String,
    /// When the last run began.
    pub last_attempt: Option<Stamp>,
    /// When the last good run ended: *we asked and got an answer*.
    pub last_success: Option<Stamp>,
    /// The time up to which the source is believed complete: *what the answer covers*.
    pub data_through: Option<Stamp>,
    /// When the next run is due.
    pub next_run: Option<Stamp>,
    /// Where the next run begins.
    pub cursor: Option<String>,
    /// How the source can be asked whether anything is new since the last complete run.
    #[serde(skip)]
    pub validator: Option<Validator>,
    /// The trouble it is in, if any.
    pub trouble: Option<Trouble>,
    /// When all that the source lists was last compared with what is known, so that what had vanished
    /// was noticed; the first good run counts.
    pub reconciled: Option<Stamp>,
    /// The full pass that was refused, until one is not.
    pub refused: Option<Refused>,
    /// How far a history that comes in time slices has come.
    pub history: Option<History>,
    /// Records in quarantine now.
    pub quarantined: u64,
    /// When the oldest of them first came.
    pub quarantined_since: Option<Stamp>,
    /// Targets that answered last time, and all of them, for a fleet.
    pub targets: Option<(u64, u64)>,
    /// All records of all runs, by what became of them.
    pub total: Conservation,
    /// Breaches of the contract, warnings and unknown codes.
    pub register: Register,
    /// Which of its reports were due, and when they came.
    #[serde(skip)]
    pub lateness: Arc<LatenessRegister>,
    /// The last runs, oldest first, at most [`RUNS_KEPT`].
    pub runs: VecDeque<RunLine>,
}

/// Why a stream does not get through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Trouble {
    /// One of a closed list: timeout, connect, tls, auth, http_4xx, http_5xx, throttled, decode, ….
    pub reason: String,
    /// In plain words, without secrets or values.
    pub message: String,
    /// When the first of the failed runs began.
    pub since: Stamp,
    /// How many runs have failed in a row.
    pub count: u64,
}

/// A full pass that found far more records vanished than usual, and took none of them back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "RefusedPass")]
pub struct Refused {
    /// How many records had vanished.
    pub records: u64,
    /// Of how many.
    pub of: u64,
    /// When.
    pub at: Stamp,
    /// Who said that they are really gone, and when; holds for the next full pass.
    pub confirmed: Option<(String, Stamp)>,
}

/// How far a history that comes in time slices has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct History {
    /// Slices that have come in.
    pub done: u64,
    /// All slices up to now.
    pub total: u64,
    /// Ranges below the cursor that are still to come, from and until, oldest first.
    pub pending: Vec<(Stamp, Stamp)>,
}

impl History {
    /// The share of several histories together that has come in, if there are any.
    pub fn share<'a>(histories: impl Iterator<Item = &'a Self>) -> Option<f64> {
        let sum = |(done, total), history: &Self| (done + history.done, total + history.total);
        let (done, total) = histories.fold((0, 0), sum);
        (total > 0).then(|| Self { done, total, pending: Vec::new() }.ratio())
    }

    /// The share that has come in.
    pub fn ratio(&self) -> f64 {
        if self.total == 0 { 1.0 } else { self.done as f64 / self.total as f64 }
    }
}

/// What became of the records of a run: `received` is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Conservation {
    /// Records decoded from pages.
    pub received: u64,
    /// Records that became the newest version of their entity.
    pub accepted: u64,
    /// Older versions of what is known already.
    pub superseded: u64,
    /// What is known already, to the letter.
    pub duplicate: u64,
    /// Records kept in quarantine.
    pub quarantined: u64,
    /// Records refused and not kept: the quarantine is full, or their page was refused whole.
    pub rejected: u64,
}

impl Conservation {
    /// Whether every record that came in went somewhere.
    pub fn balances(&self) -> bool {
        self.received
            == self.accepted + self.superseded + self.duplicate + self.quarantined + self.rejected
    }

    /// Adds another run's or page's line.
    pub fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.accepted += other.accepted;
        self.superseded += other.superseded;
        self.duplicate += other.duplicate;
        self.quarantined += other.quarantined;
        self.rejected += other.rejected;
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything there was came through.
    Ok,
    /// The source answered that nothing has changed since the last run: evidence, without a record.
    SkippedUnchanged,
    /// Stopped at the page cap; the next run goes on.
    Truncated,
    /// The source sent the same page or link again.
    LoopDetected,
    /// Everything came through, but far more records have vanished than usual: none was taken back.
    ReconcileRefused,
    /// The source did not answer as it should.
    Failed,
    /// A page had too many records that break their contract, and was refused whole.
    RejectedByGate,
    /// Somebody paused the source while the run was under way: what had come until then is kept, the
    /// cursor stays.
    Paused,
    /// The records do not add up: a fault of the gateway.
    Unbalanced,
}

impl Outcome {
    /// The word used in the API and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::SkippedUnchanged => "skipped_unchanged",
            Self::Truncated => "truncated",
            Self::LoopDetected => "loop_detected",
            Self::ReconcileRefused => "reconcile_refused",
            Self::Failed => "failed",
            Self::RejectedByGate => "rejected_by_gate",
            Self::Paused => "paused",
            Self::Unbalanced => "unbalanced",
        }
    }

    /// Reads [`Outcome::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Ok,
            Self::SkippedUnchanged,
            Self::Truncated,
            Self::LoopDetected,
            Self::ReconcileRefused,
            Self::Failed,
            Self::RejectedByGate,
            Self::Paused,
            Self::Unbalanced,
        ]
        .into_iter()
        .find(|outcome| outcome.as_str() == text)
    }
}

/// One finished run of a stream.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RunLine {
    /// When it began.
    pub started: Stamp,
    /// When it ended.
    pub ended: Stamp,
    /// How it ended.
    pub outcome: Outcome,
    /// Pages taken.
    pub pages: u64,
    /// What became of its records.
    pub records: Conservation,
    /// Why it failed, or what a full pass took back, in plain words.
    pub message: Option<String>,
}

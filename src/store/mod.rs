//! Store: state, cubes, quarantine, run ledger and cursor, committed together or not at all.
//!
//! SQLite in WAL mode with `synchronous=FULL` and one owner; one transaction per page. The layout was
//! chosen by measuring (see the benchmark): a table keyed by the random hash of a record costs 7 to 8
//! CPU seconds a million records, because every page dirties most of it. So nothing here is keyed by
//! a hash. Entities live in memory in arrival order ([`crate::fold::Entities`]); a commit appends the
//! changed rows as one blob to a log, and the changed cells of each measure as one blob to another.
//! When a log has grown long, the chunks or days that it touched are written back and it is emptied.
//!
//! All writing is done by one thread that owns the connection (`writer.rs`). Readers never meet it:
//! they see a [`Snapshot`], swapped in after the commit. A commit that fails leaves memory as it was;
//! an input/output error is fatal and never retried.

mod access;
mod audit;
mod backfill;
mod breaches;
mod commit;
mod contract;
mod cubes;
mod delivery;
mod epoch;
mod fsck;
mod guards;
mod held;
mod history;
mod journal;
mod keys;
mod lateness;
mod load;
mod pause;
mod precedence;
mod quarantine;
mod reload;
mod replay;
mod retention;
mod run;
mod save;
mod sqlite;
mod sweep;
#[cfg(test)]
mod tests;
mod texts;
mod vintage;
mod webhook;
mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::fold::Plan;
use crate::lateness::{AgeLimit, Promise};
use crate::model::audit::{AuditEntry, AuditFilter, Deed};
use crate::model::backfill::{Backfill, Wanted};
use crate::model::dictionary::Dictionaries;
use crate::model::drift::Drift;
use crate::model::observation::{Observations, Reject};
use crate::model::quarantine::{Filter, Group, Quarantined};
use crate::model::snapshot::{
    Circuit, Conservation, History, Outcome, Paused, Snapshot, Trouble, Validator,
};
use crate::model::time::Stamp;
use crate::model::units::Span;
use crate::model::webhook::{Attempt, Change, Changed, Message, Telling, Webhook};

pub use access::{KeyReader, KeyWriter, Revoked, StoredKey};
pub use audit::{
    Broken, Checkpoint, SigningKey, SigningKeyError, Verified, verify as verify_audit,
};
pub use backfill::SliceEnd;
pub use delivery::{Before, Delivery};
pub use epoch::Epoch;
pub use fsck::{Checked, Report};
pub use journal::Entry;
pub use keys::KeyIds;
pub use replay::{Discard, Held, Replay, Replayed};
pub use sqlite::Opened;
pub use sweep::{Sweep, Swept};
pub use vintage::{Vintage, VintageError};
use webhook::Order;

/// Commits that may wait for the writer.
const QUEUE: usize = 8;

/// The most records kept in quarantine per stream; beyond it they are counted as rejected.
pub const MAX_QUARANTINED: u64 = if cfg!(test) { 100 } else { 100_000 };

/// What a stream is called and which contract its records keep.
#[derive(Clone, Debug)]
pub struct StreamName {
    /// The source's name.
    pub source: String,
    /// The stream's name.
    pub stream: String,
    /// Position of the contract among the plans.
    pub plan: usize,
    /// Its rank among the streams of its contract: of two versions of a record that of the higher
    /// rank counts. 0 for all of them if the newest does.
    pub rank: u8,
    /// By when its reports have to be in, if they have to.
    pub promise: Option<Arc<Promise>>,
    /// How old its data may be, and who answers when they are older.
    pub age_limit: Arc<AgeLimit>,
}

/// One page's records, to be committed.
#[derive(Debug)]
pub struct Batch {
    /// Position of the stream.
    pub stream: usize,
    /// Records decoded from the page.
    pub received: u64,
    /// Those that keep their contract.
    pub observations: Observations,
    /// Those that do not.
    pub rejects: Vec<Reject>,
    /// Version of the contract.
    pub contract_version: u32,
    /// Where the stream goes on if it is interrupted after this page, seconds since 1970.
    pub cursor: Option<i64>,
    /// When the page came in.
    pub at: Stamp,
}

/// What became of a page.
#[derive(Clone, Copy, Debug, Default)]
pub struct Committed {
    /// The conservation line of the page.
    pub records: Conservation,
    /// Entities that had not been seen before.
    pub inserted: u64,
    /// Those among them that count on a day that was over.
    pub late: u64,
    /// Entities that have a newer version now.
    pub updated: u64,
    /// Texts that became `other` because their property has as many different ones as it may have.
    pub crowded: u64,
    /// Records refused because they are older than records are kept.
    pub expired: u64,
    /// The latest version moment on the page, seconds since 1970.
    pub latest: Option<i64>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunEnd {
    /// Position of the stream.
    pub stream: usize,
    /// When it began.
    pub started: Stamp,
    /// When it ended.
    pub ended: Stamp,
    /// How.
    pub outcome: Outcome,
    /// Pages taken.
    pub pages: u64,
    /// The sum of its pages' conservation lines.
    pub records: Conservation,
    /// Where the next run begins, if that moved.
    pub cursor: Option<i64>,
    /// How far a history in time slices has come, if that moved; one without slices is over.
    pub history: Option<History>,
    /// The time up to which the source is believed complete, if that moved.
    pub data_through: Option<Stamp>,
    /// Targets that answered, and all of them, for a fleet.
    pub targets: Option<(u64, u64)>,
    /// Why it failed: reason and message.
    pub failure: Option<(String, String)>,
    /// Whether it ended early by no doing of the source's: then it has not seen what there was.
    pub is_ours: bool,
    /// Those of its records that came on pages refused whole; no commit has counted them.
    pub refused: u64,
    /// How its records strayed from their contract.
    pub drift: Drift,
    /// The circuit of the source at the end; nothing where there is none.
    pub circuit: Option<Circuit>,
    /// How the source can be asked whether anything is new; nothing forgets what was known.
    pub validator: Option<Validator>,
}

/// Why the store refuses or fails.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Another instance owns the file.
    #[error("another instance of iocgw is using {0}; stop it, or give this one another --store")]
    Owned(String),
    /// The records stand under an identifier key that is not the one given.
    #[error("{0}")]
    Key(String),
    /// The file is not one of ours, or of a newer version.
    #[error("{0}")]
    Foreign(String),
    /// Words got numbers between the reading of a configuration and its reload.
    #[error("new texts came in while the configuration was read; try again")]
    Moved,
    /// The disk is full: nothing was committed, and later commits may succeed.
    #[error("the disk of the store is full; nothing was lost, pulling goes on when there is room")]
    Full,
    /// Anything else; the store must be opened anew.
    #[error("the store failed: {0}")]
    Fatal(String),
}

pub(crate) enum Command {
    Commit(Box<Batch>, oneshot::Sender<Result<Committed, StoreError>>),
    Deliver(Box<Batch>, Option<Delivery>, oneshot::Sender<Result<Committed, StoreError>>),
    Delivered(usize, Delivery, oneshot::Sender<Result<Option<Before>, StoreError>>),
    Replay(Box<Replay>, oneshot::Sender<Result<Replayed, StoreError>>),
    Discard(Box<Discard>, oneshot::Sender<Result<u64, StoreError>>),
    BeginPass(usize),
    Unseen(usize, Vec<u64>, oneshot::Sender<u64>),
    Sweep(Box<Sweep>, oneshot::Sender<Result<Swept, StoreError>>),
    Confirm(usize, String, Stamp, oneshot::Sender<Result<Option<u64>, StoreError>>),
    Pause(String, Option<Paused>, oneshot::Sender<Result<(), StoreError>>),
    AskBackfill(Box<Wanted>, oneshot::Sender<Result<Result<u64, u64>, StoreError>>),
    CancelBackfill(u64, oneshot::Sender<Result<Option<Backfill>, StoreError>>),
    /// A command on behalf of somebody: what it does and who did it are written in one transaction.
    For(Box<Deed>, Box<Command>),
    Note(Box<Deed>, oneshot::Sender<Result<(), StoreError>>),
    Sign(Arc<SigningKey>, oneshot::Sender<Result<Option<Checkpoint>, StoreError>>),
    Webhooks(Order),
    Reload(Box<Parts>, oneshot::Sender<Result<Store, StoreError>>),
    Begin(usize, Stamp),
    End(Box<RunEnd>, oneshot::Sender<Result<(), StoreError>>),
    EndSlice(Box<SliceEnd>, oneshot::Sender<Result<(), StoreError>>),
    Schedule(usize, Stamp),
    Judge(Stamp, oneshot::Sender<Result<(), StoreError>>),
    /// Answered when everything before it has been done.
    Settle(oneshot::Sender<()>),
    /// Goes on taking out what is older than it may be kept; given by the writer to itself.
    Expire,
    /// Goes on building measures; given by the writer to itself.
    Build,
    Close(oneshot::Sender<()>),
    /// Runs SQL on the writer's connection: how a test fills the disk and makes room again.
    #[cfg(test)]
    Sql(String),
    /// Takes at most so many steps of today's expiry; answers whether it is done.
    #[cfg(test)]
    ExpireSome(usize, oneshot::Sender<bool>),
}

/// A handle on the store; cheap to clone.
#[derive(Clone)]
pub struct Store {
    commands: mpsc::Sender<Command>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    revision: watch::Receiver<u64>,
    fatal: watch::Receiver<Option<StoreError>>,
    path: Arc<PathBuf>,
    /// What commands through this handle are written down as, if they are.
    deed: Option<Deed>,
}

impl Store {
    /// Opens the store at `path`, makes it if there is none, and takes ownership of it.
    pub fn open(path: &Path) -> Result<Opened, StoreError> {
        Opened::open(path)
    }

    /// Commits a page; when this returns `Ok`, the page is on the disk and can be read.
    pub async fn commit(&self, batch: Batch) -> Result<Committed, StoreError> {
        self.ask(|reply| Command::Commit(Box::new(batch), reply)).await?
    }

    /// Commits a page that was pushed, together with what its delivery is known by.
    pub async fn deliver(
        &self,
        batch: Batch,
        delivery: Option<Delivery>,
    ) -> Result<Committed, StoreError> {
        self.ask(|reply| Command::Deliver(Box::new(batch), delivery, reply)).await?
    }

    /// What became of a delivery, if it has come before.
    pub async fn delivered(
        &self,
        stream: usize,
        delivery: Delivery,
    ) -> Result<Option<Before>, StoreError> {
        self.ask(|reply| Command::Delivered(stream, delivery, reply)).await?
    }

    /// Notes that a run begins; not kept on disk.
    pub async fn begin(&self, stream: usize, at: Stamp) {
        let _ = self.commands.send(Command::Begin(stream, at)).await;
    }

    /// Notes that a full pass of a stream begins: what changes while it is under way is left alone.
    pub async fn begin_pass(&self, stream: usize) {
        let _ = self.commands.send(Command::BeginPass(stream)).await;
    }

    /// How many of a stream's entities a pass has not seen; `seen` as in [`Sweep`].
    pub async fn unseen(&self, stream: usize, seen: Vec<u64>) -> Result<u64, StoreError> {
        self.ask(|reply| Command::Unseen(stream, seen, reply)).await
    }

    /// Ends a complete full pass: takes back what it did not see, or refuses to.
    pub async fn sweep(&self, sweep: Sweep) -> Result<Swept, StoreError> {
        self.ask(|reply| Command::Sweep(Box::new(sweep), reply)).await?
    }

    /// Confirms that what a stream's refused pass missed is gone; yields how many records, or nothing
    /// if no pass is refused.
    pub async fn confirm(
        &self,
        stream: usize,
        by: String,
        at: Stamp,
    ) -> Result<Option<u64>, StoreError> {
        self.ask(|reply| Command::Confirm(stream, by, at, reply)).await?
    }

    /// Notes that a source is paused, or no longer; holds until it is noted otherwise, whoever opens
    /// the store.
    pub async fn pause(&self, source: String, paused: Option<Paused>) -> Result<(), StoreError> {
        self.ask(|reply| Command::Pause(source, paused, reply)).await?
    }

    /// Notes that a stretch of a stream's past is to be pulled once more; yields the backfill's number, or
    /// `Err` with that of the one under way, for a stream has one at a time.
    pub async fn ask_backfill(&self, wanted: Wanted) -> Result<Result<u64, u64>, StoreError> {
        self.ask(|reply| Command::AskBackfill(Box::new(wanted), reply)).await?
    }

    /// Ends a backfill; what has come in stays. Yields how it stands then, or nothing if there is none.
    pub async fn cancel_backfill(&self, id: u64) -> Result<Option<Backfill>, StoreError> {
        self.ask(|reply| Command::CancelBackfill(id, reply)).await?
    }

    /// A handle whose commands are written to the audit log as this deed, each in the transaction of
    /// what it does.
    #[must_use]
    pub fn on_behalf_of(&self, deed: Deed) -> Self {
        Self { deed: Some(deed), ..self.clone() }
    }

    /// Writes to the audit log what changes nothing in the store.
    pub async fn note(&self, deed: Deed) -> Result<(), StoreError> {
        self.ask(|reply| Command::Note(Box::new(deed), reply)).await?
    }

    /// Signs the state of the audit log; nothing if it has not grown since the last time.
    pub async fn sign_audit(&self, key: Arc<SigningKey>) -> Result<Option<Checkpoint>, StoreError> {
        self.ask(|reply| Command::Sign(key, reply)).await?
    }

    /// Entries of the audit log, the newest first; reads from the disk, so not for an async thread.
    pub fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
        audit::list(&self.path, filter)
    }

    /// Makes, changes or deletes a webhook.
    pub async fn change_webhook(&self, id: &str, change: Change) -> Result<Changed, StoreError> {
        self.ask(|reply| Command::Webhooks(Order::Change(id.to_owned(), Box::new(change), reply)))
            .await?
    }

    /// Notes what webhooks are told from now on, with the messages about it; yields the ids of those that
    /// had no room for theirs and will be told to read everything again.
    pub async fn tell(&self, telling: Telling) -> Result<Vec<String>, StoreError> {
        self.ask(|reply| Command::Webhooks(Order::Tell(Box::new(telling), reply))).await?
    }

    /// Notes how an attempt to hand over a message ended.
    pub async fn attempted(&self, of: &Message, attempt: Attempt) -> Result<(), StoreError> {
        let message = (of.webhook.clone(), of.number);
        self.ask(|reply| Command::Webhooks(Order::Attempted(message, attempt, reply))).await?
    }

    /// All webhooks; reads from the disk, so not for an async thread.
    pub fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        webhook::all(&self.path)
    }

    /// The message that a webhook is told next; reads from the disk.
    pub fn next_message(&self, webhook: &str) -> Result<Option<Message>, StoreError> {
        webhook::first(&self.path, webhook)
    }

    /// The marks of all that webhooks have been told; reads from the disk.
    pub fn told(&self) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        webhook::told(&self.path)
    }

    /// Notes how a run ended.
    pub async fn end(&self, end: RunEnd) -> Result<(), StoreError> {
        self.ask(|reply| Command::End(Box::new(end), reply)).await?
    }

    /// Notes how a slice of a backfill ended. It moves neither the cursor of its stream nor its watermark,
    /// and is none of its troubles.
    pub async fn end_slice(&self, slice: SliceEnd) -> Result<(), StoreError> {
        self.ask(|reply| Command::EndSlice(Box::new(slice), reply)).await?
    }

    /// Shows when the next run is due; not kept on disk.
    pub async fn schedule(&self, stream: usize, at: Stamp) {
        let _ = self.commands.send(Command::Schedule(stream, at)).await;
    }

    /// Enters which reports have become due, and what is missing of those that are pushed to a gateway
    /// that has been listening since `listening_since`.
    pub async fn judge(&self, listening_since: Stamp) -> Result<(), StoreError> {
        self.ask(|reply| Command::Judge(listening_since, reply)).await?
    }

    /// Waits until no commit can be stamped earlier than now any more. Blocks, so not for an async
    /// thread.
    pub fn settled(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        let is_taken = self.commands.blocking_send(Command::Settle(reply)).is_ok();
        if is_taken && answer.blocking_recv().is_ok() {
            return Ok(());
        }
        // Nothing comes in here any more, because the store was closed or goes on by another handle;
        // what had been stamped by then is on the disk.
        self.fatal.borrow().clone().map_or(Ok(()), Err)
    }

    /// Waits until every measure has been built, or the store has failed.
    pub async fn whole(&self) {
        let mut revisions = self.revisions();
        while !self.snapshot().rebuilding.is_empty() {
            if revisions.changed().await.is_err() {
                return;
            }
        }
    }

    /// Finishes what is queued and closes the file.
    pub async fn close(&self) {
        let _ = self.ask(Command::Close).await;
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let command = match &self.deed {
            Some(deed) => Command::For(Box::new(deed.clone()), Box::new(command(reply))),
            None => command(reply),
        };
        let is_taken = self.commands.send(command).await.is_ok();
        // A command that nobody takes is dropped here with its reply; it must not be waited for.
        let answer = if is_taken { answer.await.ok() } else { None };
        answer.ok_or_else(|| {
            let fatal = self.fatal.borrow().clone();
            fatal.unwrap_or(StoreError::Fatal("it is closed".to_owned()))
        })
    }

    /// The newest snapshot; hold it for the whole of one answer.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Where the newest snapshot stands.
    pub fn shared(&self) -> Arc<ArcSwap<Snapshot>> {
        Arc::clone(&self.snapshot)
    }

    /// Changes with every revision.
    pub fn revisions(&self) -> watch::Receiver<u64> {
        self.revision.clone()
    }

    /// Becomes `Some` when the store has failed for good.
    pub fn failures(&self) -> watch::Receiver<Option<StoreError>> {
        self.fatal.clone()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lists records that broke their contract; reads from the disk, so not for an async thread.
    pub fn quarantine(&self, filter: &Filter) -> Result<Vec<Quarantined>, StoreError> {
        quarantine::list(&self.path, filter)
    }

    /// The same records summed up by source, stream, reason and rule, most first.
    pub fn quarantine_groups(&self, filter: &Filter) -> Result<Vec<Group>, StoreError> {
        quarantine::groups(&self.path, filter)
    }

    /// What a replay needs of the records that match and that may still matter, after `filter.after`;
    /// reads from the disk.
    pub fn held(&self, filter: &Filter) -> Result<Vec<Held>, StoreError> {
        replay::held(&self.path, filter)
    }

    /// Folds held records that keep their contract now and marks them as replayed, in one commit.
    pub async fn replay(&self, replay: Replay) -> Result<Replayed, StoreError> {
        self.ask(|reply| Command::Replay(Box::new(replay), reply)).await?
    }

    /// Marks held records as discarded; yields how many.
    pub async fn discard(&self, discard: Discard) -> Result<u64, StoreError> {
        self.ask(|reply| Command::Discard(Box::new(discard), reply)).await?
    }
}

/// What a store is started with: the checked contracts and the streams that feed them.
pub struct Parts {
    /// One plan per contract.
    pub plans: Vec<Plan>,
    /// The identifier keys of each, in the same order.
    pub keys: Vec<KeyIds>,
    /// The streams.
    pub streams: Vec<StreamName>,
    /// The dictionaries, with all words of the configuration.
    pub words: Dictionaries,
    /// The configuration's hash and files, kept for those who ask about the past.
    pub epoch: Epoch,
    /// Stamps the commits.
    pub clock: Clock,
    /// How long every commit can be told apart afterwards; of older days only the end is kept.
    pub journal_full_for: Span,
}

fn trouble(before: Option<&Trouble>, end: &RunEnd) -> Option<Trouble> {
    let (reason, message) = end.failure.as_ref()?;
    let (since, count) = before.map_or((end.started, 0), |trouble| (trouble.since, trouble.count));
    Some(Trouble { reason: reason.clone(), message: message.clone(), since, count: count + 1 })
}

/// Answers the one who asked; yields what went wrong.
fn told<T>(
    reply: oneshot::Sender<Result<T, StoreError>>,
    answer: Result<T, StoreError>,
) -> Option<StoreError> {
    let failed = answer.as_ref().err().cloned();
    let _ = reply.send(answer);
    failed
}

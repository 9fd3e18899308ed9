//! Webhooks and the messages that wait for them.
//!
//! What has been told is kept as a mark of each thing, together with the messages about it, in one
//! transaction: after a death at any moment a change is either still another than its mark, and will be
//! told, or its message waits. So each change comes into the outbox once, and leaves it when somebody took
//! it. A message's number goes up by one for each webhook and never comes again.
//!
//! An outbox has an end. One that is full is emptied and its webhook marked as behind: the next thing that
//! it is told is to read everything again, which says more than what was dropped.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::load::Loaded;
use super::sqlite::failure;
use super::writer::Writer;
use super::{StoreError, audit, quarantine, told as told_to};
use crate::model::audit::{Action, Actor, Deed};
use crate::model::time::Stamp;
use crate::model::webhook::{
    Attempt, Change, Changed, Disabled, MOST_WEBHOOKS, Message, Progress, Secret, Subscription,
    Telling, Webhook,
};

/// Made when a store without them is opened.
pub(super) const TABLES: &str = "CREATE TABLE IF NOT EXISTS webhook (
  id TEXT PRIMARY KEY, owner TEXT NOT NULL, url TEXT NOT NULL, name TEXT NOT NULL, wants TEXT NOT NULL,
  created INTEGER NOT NULL, generation INTEGER NOT NULL, previous_until INTEGER, mark INTEGER NOT NULL,
  disabled_at INTEGER, disabled_why TEXT, failing_since INTEGER, failures INTEGER NOT NULL,
  next_attempt INTEGER, last_success INTEGER, last_error TEXT, behind INTEGER NOT NULL,
  numbered INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
  webhook TEXT NOT NULL, number INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (webhook, number));
CREATE TABLE IF NOT EXISTS told (name TEXT PRIMARY KEY, mark BLOB NOT NULL) WITHOUT ROWID;";

/// The most messages that wait for one webhook.
pub(super) const MOST_WAITING: i64 = if cfg!(test) { 5 } else { 1000 };

/// The most bytes that wait for one webhook.
const MOST_BYTES: i64 = 4 << 20;

/// What the writer is asked to do about webhooks.
pub(crate) enum Order {
    Change(String, Box<Change>, oneshot::Sender<Result<Changed, StoreError>>),
    Tell(Box<Telling>, oneshot::Sender<Result<Vec<String>, StoreError>>),
    Attempted((String, u64), Attempt, oneshot::Sender<Result<(), StoreError>>),
}

const COLUMNS: &str = "id, owner, url, name, wants, created, generation, previous_until, mark, disabled_at, disabled_why, \
                       failing_since, failures, next_attempt, last_success, last_error, behind, \
                       (SELECT count(*) FROM outbox WHERE webhook = id)";

fn webhook(row: &Row<'_>) -> Loaded<Webhook> {
    let moment = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Stamp));
    let wants: String = row.get(4)?;
    // Wishes that this program cannot read are none.
    let nothing = || Subscription { topics: [].into(), indicators: None, areas: None };
    let why: Option<String> = row.get(10)?;
    Ok(Webhook {
        id: row.get(0)?,
        owner: row.get(1)?,
        url: row.get(2)?,
        name: row.get(3)?,
        wants: serde_json::from_str(&wants).unwrap_or_else(|_| nothing()),
        created: Stamp(row.get(5)?),
        secret: Secret { generation: row.get(6)?, previous_until: moment(7)?, mark: row.get(8)? },
        disabled: moment(9)?.zip(why.as_deref().and_then(Disabled::parse)),
        progress: Progress {
            waiting: row.get::<_, i64>(17)? as u64,
            failing_since: moment(11)?,
            failures: row.get(12)?,
            next_attempt: moment(13)?,
            last_success: moment(14)?,
            last_error: row.get(15)?,
            is_behind: row.get(16)?,
        },
    })
}

/// All webhooks, by id; reads from the disk.
pub(super) fn all(path: &Path) -> Result<Vec<Webhook>, StoreError> {
    let connection = quarantine::open(path)?;
    let read = || -> Loaded<Vec<Webhook>> {
        let mut statement =
            connection.prepare(&format!("SELECT {COLUMNS} FROM webhook ORDER BY id"))?;
        statement.query_map([], webhook)?.collect()
    };
    read().map_err(|error| failure(&error))
}

/// The message that is next for a webhook; reads from the disk.
pub(super) fn first(path: &Path, id: &str) -> Result<Option<Message>, StoreError> {
    let connection = quarantine::open(path)?;
    let query = "SELECT number, body FROM outbox WHERE webhook = ?1 ORDER BY number LIMIT 1";
    let read = |row: &Row<'_>| {
        let number = row.get::<_, i64>(0)? as u64;
        Ok(Message { webhook: id.to_owned(), number, body: row.get(1)? })
    };
    let found = connection.query_row(query, [id], read).optional();
    found.map_err(|error| failure(&error))
}

/// The marks of all that has been told; reads from the disk.
pub(super) fn told(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
    let connection = quarantine::open(path)?;
    let read = || -> Loaded<BTreeMap<String, Vec<u8>>> {
        let mut statement = connection.prepare("SELECT name, mark FROM told")?;
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    read().map_err(|error| failure(&error))
}

/// Empties the outbox of a webhook.
fn empty(transaction: &Transaction<'_>, id: &str) -> Loaded<()> {
    transaction.execute("DELETE FROM outbox WHERE webhook = ?1", [id]).map(drop)
}

fn create(transaction: &Transaction<'_>, new: &Webhook) -> Loaded<Changed> {
    let kept: i64 = transaction.query_row("SELECT count(*) FROM webhook", [], |row| row.get(0))?;
    if kept >= MOST_WEBHOOKS as i64 {
        return Ok(Changed::TooMany);
    }
    let wants = serde_json::to_string(&new.wants).expect("wishes are plain words");
    transaction.execute(
        "INSERT INTO webhook VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, ?8, NULL, NULL, NULL, 0, NULL, NULL, NULL, 1, 0)",
        params![
            new.id,
            new.owner,
            new.url,
            new.name,
            wants,
            new.created.0,
            new.secret.generation,
            new.secret.mark
        ],
    )?;
    Ok(Changed::Done)
}

/// Carries a change out, unless there is no such webhook.
fn change(transaction: &Transaction<'_>, id: &str, change: &Change, at: Stamp) -> Loaded<Changed> {
    let touched = match change {
        Change::Create(new) => return create(transaction, new),
        Change::Describe { url, name, wants } => {
            let wants = serde_json::to_string(wants).expect("wishes are plain words");
            empty(transaction, id)?;
            transaction.execute(
                "UPDATE webhook SET url = ?2, name = ?3, wants = ?4, behind = 1, failing_since = NULL, failures = 0, next_attempt = NULL WHERE id = ?1",
                params![id, url, name, wants],
            )?
        }
        Change::Renew(Secret { generation, previous_until, mark }) => transaction.execute(
            "UPDATE webhook SET generation = ?2, previous_until = ?3, mark = ?4, next_attempt = NULL WHERE id = ?1",
            params![id, generation, previous_until.map(|until| until.0), mark],
        )?,
        // One that was not disabled has nothing to catch up on.
        Change::Enable(true) => transaction.execute(
            "UPDATE webhook SET behind = behind OR disabled_at IS NOT NULL, disabled_at = NULL, disabled_why = NULL, failing_since = NULL, failures = 0, next_attempt = NULL WHERE id = ?1",
            [id],
        )?,
        Change::Enable(false) => disable(transaction, id, Disabled::ByHand, at)?,
        Change::Delete => {
            empty(transaction, id)?;
            transaction.execute("DELETE FROM webhook WHERE id = ?1", [id])?
        }
    };
    Ok(if touched > 0 { Changed::Done } else { Changed::Unknown })
}

fn disable(transaction: &Transaction<'_>, id: &str, why: Disabled, at: Stamp) -> Loaded<usize> {
    empty(transaction, id)?;
    transaction.execute(
        "UPDATE webhook SET disabled_at = ?2, disabled_why = ?3, next_attempt = NULL WHERE id = ?1",
        params![id, at.0, why.as_str()],
    )
}

/// Puts a message into the outbox of a webhook that is to be told; whether there was room.
fn put(transaction: &Transaction<'_>, id: &str, body: &str) -> Loaded<bool> {
    let query = "SELECT numbered FROM webhook WHERE id = ?1 AND disabled_at IS NULL";
    let last: Option<i64> = transaction.query_row(query, [id], |row| row.get(0)).optional()?;
    let Some(last) = last else { return Ok(true) };
    let query = "SELECT count(*), coalesce(sum(length(body)), 0) FROM outbox WHERE webhook = ?1";
    let (waiting, bytes): (i64, i64) =
        transaction.query_row(query, [id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if waiting >= MOST_WAITING || (waiting > 0 && bytes + body.len() as i64 > MOST_BYTES) {
        empty(transaction, id)?;
        transaction.execute("UPDATE webhook SET behind = 1 WHERE id = ?1", [id])?;
        return Ok(false);
    }
    transaction.execute("INSERT INTO outbox VALUES (?1, ?2, ?3)", params![id, last + 1, body])?;
    transaction.execute("UPDATE webhook SET numbered = ?2 WHERE id = ?1", params![id, last + 1])?;
    Ok(true)
}

fn attempted(
    transaction: &Transaction<'_>,
    (id, number): (&str, u64),
    attempt: &Attempt,
    at: Stamp,
) -> Loaded<()> {
    match attempt {
        Attempt::Taken => {
            let delete = "DELETE FROM outbox WHERE webhook = ?1 AND number = ?2";
            transaction.execute(delete, params![id, number as i64])?;
            transaction.execute(
                "UPDATE webhook SET failing_since = NULL, failures = 0, next_attempt = NULL, last_success = ?2, last_error = NULL WHERE id = ?1",
                params![id, at.0],
            )?;
        }
        Attempt::Failed { error, again } => {
            transaction.execute(
                "UPDATE webhook SET failing_since = coalesce(failing_since, ?2), failures = failures + 1, next_attempt = ?3, last_error = ?4 WHERE id = ?1",
                params![id, at.0, again.0, error],
            )?;
        }
        Attempt::Over { error, why } => {
            let note = "UPDATE webhook SET last_error = ?2 WHERE id = ?1";
            transaction.execute(note, params![id, error])?;
            if disable(transaction, id, *why, at)? > 0 {
                let detail = format!("disabled: {}", why.as_str());
                let deed = Deed::new(Actor::gateway(), Action::WebhookChanged, id, &detail);
                audit::append(transaction, &deed, at)?;
            }
        }
    }
    Ok(())
}

impl Writer {
    /// Carries an order out; yields what went wrong.
    pub(super) fn webhooks(&mut self, order: Order) -> Option<StoreError> {
        match order {
            Order::Change(id, change, reply) => told_to(reply, self.change_webhook(&id, &change)),
            Order::Tell(telling, reply) => told_to(reply, self.tell(&telling)),
            Order::Attempted((id, number), attempt, reply) => {
                told_to(reply, self.attempted((&id, number), &attempt))
            }
        }
    }

    /// Makes, changes or deletes a webhook.
    fn change_webhook(&mut self, id: &str, what: &Change) -> Result<Changed, StoreError> {
        let (at, deed) = (self.next_at(), self.deed.take());
        let changed = within(&mut self.connection, |transaction| {
            let changed = change(transaction, id, what, at)?;
            if changed == Changed::Done {
                audit::write_down(transaction, deed.as_ref(), at)?;
            }
            Ok(changed)
        });
        changed.map_err(|error| failure(&error))
    }

    /// Notes what is told from now on, with the messages about it; yields the webhooks for which there
    /// was no room.
    fn tell(&mut self, telling: &Telling) -> Result<Vec<String>, StoreError> {
        let told = within(&mut self.connection, |transaction| {
            for (name, mark) in &telling.marks {
                let keep = "INSERT OR REPLACE INTO told VALUES (?1, ?2)";
                transaction.prepare_cached(keep)?.execute(params![name, mark])?;
            }
            for name in &telling.gone {
                transaction.execute("DELETE FROM told WHERE name = ?1", [name])?;
            }
            for id in &telling.caught_up {
                transaction.execute("UPDATE webhook SET behind = 0 WHERE id = ?1", [id])?;
            }
            let mut full = Vec::new();
            for (id, body) in &telling.messages {
                if !put(transaction, id, body)? {
                    full.push(id.clone());
                }
            }
            Ok(full)
        });
        told.map_err(|error| failure(&error))
    }

    /// Notes how an attempt ended.
    fn attempted(
        &mut self,
        (id, number): (&str, u64),
        attempt: &Attempt,
    ) -> Result<(), StoreError> {
        let at = self.next_at();
        let noted = within(&mut self.connection, |transaction| {
            attempted(transaction, (id, number), attempt, at)
        });
        noted.map_err(|error| failure(&error))
    }
}

/// All of `work`, or nothing.
fn within<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Loaded<T>,
) -> Loaded<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = work(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

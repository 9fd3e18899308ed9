//! The keys of the API: their hashes, what they open, when they end.
//!
//! The one table that another process writes while a gateway runs: `iocgw key` must work without the
//! gateway's leave, or the first key could not be made. It writes in one short transaction on a connection
//! of its own and leaves the write-ahead log to the gateway. The gateway reads on a connection of its
//! own too, and asks the file's change counter before it reads the table again.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::load::Loaded;
use super::sqlite::failure;
use super::{Store, StoreError, audit, quarantine};
use crate::model::access::{ApiKey, Grant};
use crate::model::audit::{Action, Actor, Deed};
use crate::model::time::Stamp;

/// Made when a store without it is opened.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS api_key (
  id TEXT PRIMARY KEY, hash BLOB NOT NULL, name TEXT NOT NULL, \"grant\" TEXT NOT NULL,
  created INTEGER NOT NULL, expires INTEGER NOT NULL, revoked INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS api_key_use (id TEXT PRIMARY KEY, used INTEGER NOT NULL) WITHOUT ROWID;";

/// The most keys that are kept, those that are over included.
const MOST_KEYS: i64 = 10_000;

/// A key with the hash of what its holder shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// What it is.
    pub key: ApiKey,
    /// The BLAKE3 hash of the whole key.
    pub hash: [u8; 32],
}

/// What became of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// It is revoked from now on.
    Now,
    /// It was revoked before.
    Before(Stamp),
    /// There is no such key.
    Unknown,
}

/// Makes and revokes keys, whether a gateway runs on the store or not.
#[derive(Debug)]
pub struct KeyWriter(Connection);

/// Reads the keys of a store, again when something was written.
#[derive(Debug)]
pub struct KeyReader {
    connection: Connection,
    /// The file's change counter at the last reading.
    seen: Option<i64>,
}

impl KeyWriter {
    /// Opens a store, and makes it if there is none.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if !has_table(path) {
            match Store::open(path) {
                // Whoever owns it has seen to its tables.
                Ok(_) | Err(StoreError::Owned(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let connection = Connection::open(path).map_err(|error| failure(&error))?;
        // The log is copied back by the one who owns the store.
        let settings = "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;";
        connection.execute_batch(settings).map_err(|error| failure(&error))?;
        Ok(Self(connection))
    }

    /// Keeps a new key.
    pub fn create(&mut self, stored: &StoredKey) -> Result<(), StoreError> {
        let StoredKey { key, hash } = stored;
        let grant = serde_json::to_string(&key.grant).expect("a grant is plain words");
        let work = |connection: &mut Connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let kept: i64 =
                transaction.query_row("SELECT count(*) FROM api_key", [], |row| row.get(0))?;
            if kept >= MOST_KEYS {
                return Ok(false);
            }
            transaction.execute(
                "INSERT INTO api_key VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL)",
                params![key.id, hash, key.name, grant, key.created.0, key.expires.0],
            )?;
            let detail = format!("{}; {grant}; until {}", key.name, key.expires);
            by_hand(&transaction, Action::KeyCreated, (&key.id, &detail), key.created)?;
            transaction.commit().map(|()| true)
        };
        if work(&mut self.0).map_err(|error| failure(&error))? {
            return Ok(());
        }
        Err(StoreError::Foreign(format!("a store keeps at most {MOST_KEYS} keys")))
    }

    /// Notes when keys were last used; a moment before the one that is known changes nothing.
    pub fn note_uses(&mut self, uses: &[(String, Stamp)]) -> Result<(), StoreError> {
        let work = |connection: &mut Connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for (id, at) in uses {
                transaction
                    .prepare_cached(
                        "INSERT INTO api_key_use VALUES (?1, ?2)
                         ON CONFLICT (id) DO UPDATE SET used = max(used, excluded.used)",
                    )?
                    .execute(params![id, at.0])?;
            }
            transaction.commit()
        };
        work(&mut self.0).map_err(|error| failure(&error))
    }

    /// Revokes a key for good.
    pub fn revoke(&mut self, id: &str, at: Stamp) -> Result<Revoked, StoreError> {
        let work = |connection: &mut Connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let query = "SELECT revoked FROM api_key WHERE id = ?1";
            let known: Option<Option<i64>> =
                transaction.query_row(query, [id], |row| row.get(0)).optional()?;
            let done = match known {
                None => Revoked::Unknown,
                Some(Some(before)) => Revoked::Before(Stamp(before)),
                Some(None) => {
                    let revoke = "UPDATE api_key SET revoked = ?2 WHERE id = ?1";
                    transaction.execute(revoke, params![id, at.0])?;
                    by_hand(&transaction, Action::KeyRevoked, (id, ""), at)?;
                    Revoked::Now
                }
            };
            transaction.commit().map(|()| done)
        };
        work(&mut self.0).map_err(|error| failure(&error))
    }
}

impl KeyReader {
    /// Opens a store that is there.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: quarantine::open(path)?, seen: None })
    }

    /// All keys, if anything was written since the last time.
    pub fn newer(&mut self) -> Result<Option<Vec<StoredKey>>, StoreError> {
        let connection = &self.connection;
        let read = || -> Loaded<(i64, Option<Vec<StoredKey>>)> {
            // Asked first: what is written while the table is read is seen the next time.
            let now = connection.query_row("PRAGMA data_version", [], |row| row.get(0))?;
            let keys = if self.seen == Some(now) { None } else { Some(all(connection)?) };
            Ok((now, keys))
        };
        let (now, keys) = read().map_err(|error| failure(&error))?;
        self.seen = Some(now);
        Ok(keys)
    }
}

/// Writes down what somebody does at the command line.
fn by_hand(
    transaction: &Transaction<'_>,
    action: Action,
    (id, detail): (&str, &str),
    at: Stamp,
) -> Loaded<()> {
    let deed = Deed::new(Actor::at_the_command_line(), action, id, detail);
    audit::append(transaction, &deed, at)
}

/// Whether there is a store that keeps keys and their use already: then nobody needs to own it for a moment.
fn has_table(path: &Path) -> bool {
    let connection = quarantine::open(path).ok();
    connection.is_some_and(|connection| keeps_uses(&connection).unwrap_or(false))
}

/// A store that an older program made, and nobody has opened since, does not know when keys were used.
fn keeps_uses(connection: &Connection) -> Loaded<bool> {
    let query = "SELECT count(*) FROM sqlite_schema WHERE name = 'api_key_use'";
    connection.query_row(query, [], |row| row.get::<_, i64>(0)).map(|tables| tables > 0)
}

/// All keys, by id.
fn all(connection: &Connection) -> Loaded<Vec<StoredKey>> {
    let used = if keeps_uses(connection)? {
        "(SELECT used FROM api_key_use WHERE api_key_use.id = api_key.id)"
    } else {
        "NULL"
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id, hash, name, \"grant\", created, expires, revoked, {used} FROM api_key ORDER BY id"
    ))?;
    let read = |row: &rusqlite::Row<'_>| {
        let grant: String = row.get(3)?;
        // A grant that this program cannot read opens nothing.
        let grant = serde_json::from_str::<Grant>(&grant).unwrap_or_default();
        let key = ApiKey {
            id: row.get(0)?,
            name: row.get(2)?,
            grant,
            created: Stamp(row.get(4)?),
            expires: Stamp(row.get(5)?),
            revoked: row.get::<_, Option<i64>>(6)?.map(Stamp),
            used: row.get::<_, Option<i64>>(7)?.map(Stamp),
        };
        Ok(StoredKey { key, hash: row.get(1)? })
    };
    statement.query_map([], read)?.collect()
}

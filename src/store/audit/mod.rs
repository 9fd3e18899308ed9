//! The audit log: a chain of entries, each written in the transaction of what it records.
//!
//! An entry's hash covers its own fields and the hash of the entry before, so nothing in the middle can be
//! changed, taken out, put in or moved without breaking the chain at that very place. A chain alone
//! does not show that its end was cut off, or that all of it was written anew: against that stand
//! checkpoints ([`checkpoint`]), signed with a key that is not in the store.
//!
//! Entries are never deleted.

mod checkpoint;
mod chronicle;
mod verify;

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

pub(super) use checkpoint::sign;
pub use checkpoint::{Checkpoint, SigningKey, SigningKeyError};
pub(super) use chronicle::write_down;
pub use verify::{Broken, Verified, verify};

use super::load::Loaded;
use super::sqlite::failure;
use super::{StoreError, quarantine};
use crate::model::audit::{AuditEntry, AuditFilter, Deed};
use crate::model::time::Stamp;

/// Made when a store without them is opened.
pub(super) const TABLES: &str = "CREATE TABLE IF NOT EXISTS audit (
  number INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
  object TEXT NOT NULL, detail TEXT NOT NULL, hash BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS audit_checkpoint (
  number INTEGER PRIMARY KEY, at INTEGER NOT NULL, hash BLOB NOT NULL, signer BLOB NOT NULL,
  signature BLOB NOT NULL);";

/// What the first entry follows.
pub(super) const BEGINNING: [u8; 32] = [0; 32];

/// Sets these hashes apart from all others.
const PURPOSE: &str = "iocgw audit log entry v1";

/// The newest entry's number and hash.
pub(super) fn head(connection: &Connection) -> Loaded<(u64, [u8; 32])> {
    let query = "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1";
    let newest = connection
        .prepare_cached(query)?
        .query_row([], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)))
        .optional()?;
    Ok(newest.unwrap_or((0, BEGINNING)))
}

/// Writes down what the transaction does.
pub(super) fn append(transaction: &Transaction<'_>, deed: &Deed, at: Stamp) -> Loaded<()> {
    let (last, before) = head(transaction)?;
    let entry = AuditEntry {
        number: last + 1,
        at,
        actor: deed.actor.as_str().to_owned(),
        action: deed.action.as_str().to_owned(),
        object: deed.object.clone(),
        detail: deed.detail.clone(),
        hash: BEGINNING,
    };
    let hash = hash(&entry, &before);
    transaction.prepare_cached("INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute(
        params![
            entry.number as i64,
            entry.at.0,
            entry.actor,
            entry.action,
            entry.object,
            entry.detail,
            hash
        ],
    )?;
    Ok(())
}

/// The hash of an entry that follows another one. Each field goes in with its length, so that no two
/// entries are the same bytes.
pub(super) fn hash(entry: &AuditEntry, before: &[u8; 32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(PURPOSE);
    hasher.update(before);
    hasher.update(&entry.number.to_le_bytes()).update(&entry.at.0.to_le_bytes());
    for text in [&entry.actor, &entry.action, &entry.object, &entry.detail] {
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

const COLUMNS: &str = "number, at, actor, action, object, detail, hash";

fn entry(row: &Row<'_>) -> Loaded<AuditEntry> {
    Ok(AuditEntry {
        number: row.get::<_, i64>(0)? as u64,
        at: Stamp(row.get(1)?),
        actor: row.get(2)?,
        action: row.get(3)?,
        object: row.get(4)?,
        detail: row.get(5)?,
        hash: row.get(6)?,
    })
}

/// Entries, the newest first; reads from the disk.
pub(super) fn list(path: &Path, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError> {
    let connection = quarantine::open(path)?;
    let read = || -> Loaded<Vec<AuditEntry>> {
        let mut statement = connection.prepare(&format!(
            "SELECT {COLUMNS} FROM audit WHERE number < ?1 AND (?2 IS NULL OR action = ?2)
             ORDER BY number DESC LIMIT ?3"
        ))?;
        let before = filter.before.map_or(i64::MAX, |before| before as i64);
        let action = filter.action.map(crate::model::audit::Action::as_str);
        statement.query_map(params![before, action, filter.limit as i64], entry)?.collect()
    };
    read().map_err(|error| failure(&error))
}

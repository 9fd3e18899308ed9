//! Reading the quarantine: by its own connection, so that a long list delays no commit.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};
use serde::Serialize;

use super::StoreError;
use super::sqlite::failure;
use crate::model::time::Stamp;

/// Which records to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this source.
    pub source: Option<String>,
    /// Only with this reason.
    pub reason: Option<String>,
    /// Only those after this id, for paging.
    pub after: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// A record that broke its contract, without its values.
#[derive(Clone, Debug, Serialize)]
pub struct Quarantined {
    /// Grows with arrival.
    pub id: u64,
    /// The source.
    pub source: String,
    /// The stream.
    pub stream: String,
    /// The contract it broke.
    pub contract: String,
    /// That contract's version.
    pub contract_version: u32,
    /// Why, one of a closed list.
    pub reason: String,
    /// The property or check that broke.
    pub rule: String,
    /// Mapped properties and the type that each had, as a JSON object.
    pub shape: String,
    /// When it first came.
    pub first_seen: Stamp,
    /// When it last came.
    pub last_seen: Stamp,
    /// How often it came.
    pub attempts: u64,
}

pub(super) fn list(path: &Path, filter: &Filter) -> Result<Vec<Quarantined>, StoreError> {
    let failed = |error: rusqlite::Error| failure(&error);
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
    let mut statement = connection
        .prepare(
            "SELECT id, source, stream, contract, contract_version, reason, rule, shape, first_seen, last_seen, attempts
             FROM quarantine WHERE state = 'held' AND id > ?1 AND (?2 IS NULL OR source = ?2) AND (?3 IS NULL OR reason = ?3) ORDER BY id LIMIT ?4",
        )
        .map_err(failed)?;
    let rows = statement
        .query_map(
            params![
                filter.after.unwrap_or(0) as i64,
                filter.source,
                filter.reason,
                filter.limit as i64
            ],
            |row| {
                Ok(Quarantined {
                    id: row.get::<_, i64>(0)? as u64,
                    source: row.get(1)?,
                    stream: row.get(2)?,
                    contract: row.get(3)?,
                    contract_version: row.get(4)?,
                    reason: row.get(5)?,
                    rule: row.get(6)?,
                    shape: row.get(7)?,
                    first_seen: Stamp(row.get(8)?),
                    last_seen: Stamp(row.get(9)?),
                    attempts: row.get::<_, i64>(10)? as u64,
                })
            },
        )
        .map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

//! How far a history in time slices has come in: kept beside the cursor, written with the line of the
//! run that moved it.

use rusqlite::{OptionalExtension, Transaction, params};

use super::StreamName;
use super::load::{Loaded, damaged};
use crate::model::snapshot::{History, StreamState};
use crate::model::time::Stamp;

/// Slices done and all of them, and the ranges below the cursor that are still to be pulled, as
/// "from until,from until" in seconds since 1970. Stores that were made before there were slices get
/// the table when they are opened.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS backfill (
  source TEXT NOT NULL, stream TEXT NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL, pending TEXT NOT NULL,
  PRIMARY KEY (source, stream)) WITHOUT ROWID";

/// Writes what [`load`] reads.
pub(super) fn save(
    transaction: &Transaction<'_>,
    name: &StreamName,
    history: Option<&History>,
) -> Loaded<()> {
    let of = params![name.source, name.stream];
    transaction
        .prepare_cached("DELETE FROM backfill WHERE source = ?1 AND stream = ?2")?
        .execute(of)?;
    let Some(History { done, total, pending }) = history else { return Ok(()) };
    let pending: Vec<_> =
        pending.iter().map(|(from, until)| format!("{} {}", from.0, until.0)).collect();
    transaction.prepare_cached("INSERT INTO backfill VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(
        params![name.source, name.stream, *done as i64, *total as i64, pending.join(",")],
    )?;
    Ok(())
}

/// Reads how far a stream's history has come.
pub(super) fn load(
    transaction: &Transaction<'_>,
    name: &StreamName,
    state: &mut StreamState,
) -> Loaded<()> {
    let known: Option<(i64, i64, String)> = transaction
        .query_row(
            "SELECT done, total, pending FROM backfill WHERE source = ?1 AND stream = ?2",
            params![name.source, name.stream],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((done, total, text)) = known else { return Ok(()) };
    let range = |range: &str| {
        let (from, until) = range.split_once(' ')?;
        Some((Stamp(from.parse().ok()?), Stamp(until.parse().ok()?)))
    };
    let ranges = text.split(',').filter(|range| !range.is_empty());
    let pending: Option<Vec<_>> = ranges.map(range).collect();
    let pending = pending.ok_or_else(|| damaged(format!("pending slices '{text}'")))?;
    state.history = Some(History { done: done as u64, total: total as u64, pending });
    Ok(())
}

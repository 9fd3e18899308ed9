//! The small rows of a commit: a stream's state and cursor, a finished run, the revision.

use rusqlite::{Transaction, params};

use super::StreamName;
use super::writer::RUNS_ON_DISK;
use crate::model::snapshot::{RunLine, StreamState};
use crate::model::time::Stamp;

pub(super) fn stream(
    transaction: &Transaction<'_>,
    state: &StreamState,
    cursor: Option<i64>,
) -> Result<(), rusqlite::Error> {
    let stamp = |at: Option<Stamp>| at.map(|at| at.0);
    let trouble = state.trouble.as_ref();
    transaction
        .prepare_cached(
            "UPDATE stream SET cursor = ?3, last_attempt = ?4, last_success = ?5, data_through = ?6, trouble_reason = ?7, trouble_message = ?8,
             trouble_since = ?9, trouble_count = ?10, targets_up = ?11, targets = ?12, received = ?13, accepted = ?14, superseded = ?15,
             duplicate = ?16, quarantined = ?17, rejected = ?18 WHERE source = ?1 AND stream = ?2",
        )?
        .execute(params![
            state.source,
            state.stream,
            cursor,
            stamp(state.last_attempt),
            stamp(state.last_success),
            stamp(state.data_through),
            trouble.map(|trouble| &trouble.reason),
            trouble.map(|trouble| &trouble.message),
            trouble.map(|trouble| trouble.since.0),
            trouble.map(|trouble| trouble.count as i64),
            state.targets.map(|targets| targets.0 as i64),
            state.targets.map(|targets| targets.1 as i64),
            state.total.received as i64,
            state.total.accepted as i64,
            state.total.superseded as i64,
            state.total.duplicate as i64,
            state.total.quarantined as i64,
            state.total.rejected as i64
        ])?;
    Ok(())
}

pub(super) fn run(
    transaction: &Transaction<'_>,
    name: &StreamName,
    line: &RunLine,
) -> Result<(), rusqlite::Error> {
    let records = &line.records;
    transaction
        .prepare_cached(
            "INSERT INTO run (source, stream, started, ended, outcome, pages, received, accepted, superseded, duplicate, quarantined, rejected, message)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            name.source,
            name.stream,
            line.started.0,
            line.ended.0,
            line.outcome.as_str(),
            line.pages as i64,
            records.received as i64,
            records.accepted as i64,
            records.superseded as i64,
            records.duplicate as i64,
            records.quarantined as i64,
            records.rejected as i64,
            line.message
        ])?;
    transaction
        .prepare_cached(
            "DELETE FROM run WHERE source = ?1 AND stream = ?2 AND id <= (SELECT id FROM run WHERE source = ?1 AND stream = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
        )?
        .execute(params![name.source, name.stream, RUNS_ON_DISK])?;
    Ok(())
}

/// What readers of this revision know of a stream, for those who ask later.
pub(super) fn known(
    transaction: &Transaction<'_>,
    state: &StreamState,
    revision: u64,
) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO known VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            state.source,
            state.stream,
            revision as i64,
            state.contract,
            state.last_success.map(|at| at.0),
            state.data_through.map(|at| at.0),
            state.quarantined as i64
        ])?;
    Ok(())
}

pub(super) fn revision(
    transaction: &Transaction<'_>,
    (revision, at): (u64, Stamp),
) -> Result<(), rusqlite::Error> {
    let mut update = transaction.prepare_cached("UPDATE meta SET value = ?2 WHERE name = ?1")?;
    update.execute(params!["revision", revision as i64])?;
    update.execute(params!["committed_at", at.0])?;
    transaction
        .prepare_cached("INSERT INTO vintage VALUES (?1, ?2)")?
        .execute(params![at.0, revision as i64])?;
    Ok(())
}

/// The newest revision, and when it was made.
pub(super) fn newest(transaction: &Transaction<'_>) -> Result<(u64, Stamp), rusqlite::Error> {
    let meta = |name: &str| {
        transaction
            .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get::<_, i64>(0))
    };
    Ok((meta("revision")? as u64, Stamp(meta("committed_at")?)))
}

//! The journal: what each commit taught about each measure, and why.
//!
//! It is the log of changes that restarts the cubes, never emptied: a figure as it was known at an
//! earlier revision is today's cube less all that was learned since. One row per measure, revision
//! and cause, clustered by measure, so looking back reads only the rows of the measures asked for.
//! Old entries are merged to one per local day and cause (see [`compact`]); what was known at the
//! end of a day can be told for as long as the file is kept.

use std::ops::RangeInclusive;

use rusqlite::{Connection, Transaction, params};

use super::load::{Loaded, damaged};
use crate::fold::{CAUSES, Learned};
use crate::model::cube::{pack, settle, unpack};
use crate::model::revision::Cause;
use crate::model::time::Stamp;

/// The number of [`Cause::Redefined`] in a row's id; the others stand at their place in [`CAUSES`].
const REDEFINED: i64 = CAUSES.len() as i64;

/// One row of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The revision that the commit made.
    pub revision: u64,
    /// When it was made.
    pub at: Stamp,
    /// Why; `Arrived` also for what came late, which only the day of a cell can tell.
    pub cause: Cause,
    /// Sorted by cell, each cell once.
    pub changes: Vec<(u64, i64)>,
}

/// The ids of a measure's rows of these revisions.
fn ids(measure: i64, revisions: RangeInclusive<u64>) -> (i64, i64) {
    let id = |revision: u64| measure << 40 | (revision as i64) << 2;
    (id(*revisions.start()), id(*revisions.end()) | 3)
}

/// Every revision after this one.
pub(super) fn after(revision: u64) -> RangeInclusive<u64> {
    revision + 1..=(1 << 38) - 1
}

/// Appends what a commit taught about a measure; returns the bytes written.
pub(super) fn append(
    transaction: &Transaction<'_>,
    measure: i64,
    commit: (u64, Stamp),
    learned: &Learned,
    buffer: &mut Vec<u8>,
) -> Loaded<usize> {
    let mut bytes = 0;
    for (cause, changes) in learned.iter().enumerate().filter(|(_, changes)| !changes.is_empty()) {
        bytes += put(transaction, measure, commit, cause as i64, changes, buffer)?;
    }
    Ok(bytes)
}

/// Notes that a measure's cells changed because its definition did.
pub(super) fn redefined(
    transaction: &Transaction<'_>,
    measure: i64,
    commit: (u64, Stamp),
    changes: &[(u64, i64)],
) -> Loaded<()> {
    if !changes.is_empty() {
        put(transaction, measure, commit, REDEFINED, changes, &mut Vec::new())?;
    }
    Ok(())
}

fn put(
    transaction: &Transaction<'_>,
    measure: i64,
    (revision, at): (u64, Stamp),
    cause: i64,
    changes: &[(u64, i64)],
    buffer: &mut Vec<u8>,
) -> Loaded<usize> {
    buffer.clear();
    pack(changes, buffer);
    transaction.prepare_cached("INSERT INTO journal VALUES (?1, ?2, ?3)")?.execute(params![
        ids(measure, revision..=revision).0 | cause,
        at.0,
        &*buffer
    ])?;
    Ok(buffer.len())
}

/// The entries of a measure, oldest first.
pub(super) fn entries(
    connection: &Connection,
    measure: i64,
    revisions: RangeInclusive<u64>,
) -> Loaded<Vec<Entry>> {
    let mut entries = Vec::new();
    each(connection, measure, revisions, |entry| entries.push(entry))?;
    Ok(entries)
}

/// The sum of a measure's entries, and the bytes they take.
pub(super) fn sum(
    connection: &Connection,
    measure: i64,
    revisions: RangeInclusive<u64>,
) -> Loaded<Vec<(u64, i64)>> {
    let (mut sum, mut settled) = (Vec::new(), 0);
    each(connection, measure, revisions, |entry| {
        sum.extend(entry.changes);
        // So that the list stays as long as the cube and not as the history.
        if sum.len() > 2 * settled + 100_000 {
            settle(&mut sum);
            settled = sum.len();
        }
    })?;
    settle(&mut sum);
    Ok(sum)
}

fn each(
    connection: &Connection,
    measure: i64,
    revisions: RangeInclusive<u64>,
    mut take: impl FnMut(Entry),
) -> Loaded<()> {
    if revisions.is_empty() {
        return Ok(());
    }
    let (first, last) = ids(measure, revisions);
    let mut statement = connection.prepare_cached(
        "SELECT id, at, changes FROM journal WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
    )?;
    let mut rows = statement.query([first, last])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let mut changes = Vec::new();
        if !unpack(row.get_ref(2)?.as_blob()?, &mut changes) {
            return Err(damaged("a cut entry of the journal".to_owned()));
        }
        let cause = CAUSES.get((id & 3) as usize).copied().unwrap_or(Cause::Redefined);
        let revision = (id >> 2 & ((1 << 38) - 1)) as u64;
        take(Entry { revision, at: Stamp(row.get(1)?), cause, changes });
    }
    Ok(())
}

/// Merges the entries of whole local days before `until` to one per measure, day and cause, keeps
/// the last revision of each day, and forgets the others. Everything in the days must have been
/// written back, because the merged entries carry the last revision of their day. Returns the
/// number of entries that are gone.
pub(super) fn compact(transaction: &Transaction<'_>, until: Stamp) -> Loaded<u64> {
    let from: i64 = transaction.query_row(
        "SELECT value FROM meta WHERE name = 'compacted_until'",
        [],
        |row| row.get(0),
    )?;
    if until.0 <= from {
        return Ok(0);
    }
    let mut gone = 0;
    let mut groups: Vec<(i64, i64, i64)> = Vec::new();
    {
        // Measure, cause and local day of each entry that shares them with another.
        let mut statement = transaction.prepare(
            "SELECT id >> 40, id & 3, (at + 25200) / 86400 FROM journal WHERE at >= ?1 AND at < ?2
             GROUP BY 1, 2, 3 HAVING count(*) > 1",
        )?;
        let mut rows = statement.query([from, until.0])?;
        while let Some(row) = rows.next()? {
            groups.push((row.get(0)?, row.get(1)?, row.get(2)?));
        }
    }
    for (measure, cause, day) in groups {
        gone += merge(transaction, measure, cause, day)?;
    }
    transaction.execute(
        "DELETE FROM known WHERE revision NOT IN (
           SELECT max(k.revision) FROM known k JOIN vintage v ON v.revision = k.revision
           GROUP BY k.source, k.stream, (v.at + 25200) / 86400)
         AND revision IN (SELECT revision FROM vintage WHERE at >= ?1 AND at < ?2)",
        [from, until.0],
    )?;
    transaction.execute(
        "DELETE FROM vintage WHERE at >= ?1 AND at < ?2 AND revision NOT IN (
           SELECT max(revision) FROM vintage WHERE at >= ?1 AND at < ?2 GROUP BY (at + 25200) / 86400)
         AND revision NOT IN (SELECT revision FROM known)",
        [from, until.0],
    )?;
    transaction.execute("UPDATE meta SET value = ?1 WHERE name = 'compacted_until'", [until.0])?;
    Ok(gone)
}

fn merge(transaction: &Transaction<'_>, measure: i64, cause: i64, day: i64) -> Loaded<u64> {
    let (first, last) = ids(measure, 0..=(1 << 38) - 1);
    let bounds = params![first, last, cause, day];
    let of_day = "id BETWEEN ?1 AND ?2 AND id & 3 = ?3 AND (at + 25200) / 86400 = ?4";
    let (mut changes, mut newest, mut count) = (Vec::new(), (0_i64, 0_i64), 0);
    {
        let mut statement = transaction.prepare_cached(&format!(
            "SELECT id, at, changes FROM journal WHERE {of_day} ORDER BY id"
        ))?;
        let mut rows = statement.query(bounds)?;
        while let Some(row) = rows.next()? {
            newest = (row.get(0)?, row.get(1)?);
            count += 1;
            if !unpack(row.get_ref(2)?.as_blob()?, &mut changes) {
                return Err(damaged("a cut entry of the journal".to_owned()));
            }
        }
    }
    settle(&mut changes);
    transaction
        .prepare_cached(&format!("DELETE FROM journal WHERE {of_day}"))?
        .execute(params![first, last, cause, day])?;
    if changes.is_empty() {
        return Ok(count);
    }
    let mut packed = Vec::new();
    pack(&changes, &mut packed);
    transaction
        .prepare_cached("INSERT INTO journal VALUES (?1, ?2, ?3)")?
        .execute(params![newest.0, newest.1, packed])?;
    Ok(count - 1)
}

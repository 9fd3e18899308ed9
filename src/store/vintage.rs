//! Looking back: the figures as they could be read at an earlier moment.
//!
//! Today's cube less all that the journal has learned since is the cube of then; a version of a
//! measure that is no longer in force is read from the disk. Everything is told by revisions: a
//! moment stands for the last revision made up to it. Reads have a connection of their own, so a
//! long look back delays no commit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::cubes::{self, Version};
use super::epoch::Epoch;
use super::journal::{self, Entry};
use super::load::Loaded;
use super::sqlite::failure;
use super::{Store, StoreError};
use crate::model::cube::{Cube, settle};
use crate::model::revision::Cause;
use crate::model::row::EARLIEST_DAY;
use crate::model::snapshot::{Measure, Rebuilding, Snapshot, StreamState};
use crate::model::time::Stamp;

/// Changes gathered before they are taken off a cube.
const AT_ONCE: usize = 1 << 20;

/// What was known at a moment.
#[derive(Debug)]
pub struct Vintage {
    /// The figures.
    pub snapshot: Snapshot,
    /// The configuration in force.
    pub epoch: Epoch,
}

/// Why a moment cannot be told.
#[derive(Clone, Debug, thiserror::Error)]
pub enum VintageError {
    /// Nothing was known yet.
    #[error("the journal begins at {0}")]
    Before(Stamp),
    /// Only the end of that day was kept; this is the nearest earlier moment that was.
    #[error("the journal keeps only the ends of days up to then; the nearest earlier one is {0}")]
    Compacted(Stamp),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for VintageError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(failure(&error))
    }
}

impl Store {
    /// What was known at the end of the second `at`, which must be past and settled (see
    /// [`Store::settled`]). Reads from the disk, so not for an async thread.
    pub fn vintage(&self, at: Stamp) -> Result<Vintage, VintageError> {
        // Taken before the disk is looked at, so that the disk knows all that it knows.
        let newest = self.snapshot();
        let connection = reader(self.path())?;
        let transaction = connection.unchecked_transaction()?;
        let (revision, made) = revision_at(&transaction, at)?;
        let mut measures = BTreeMap::new();
        for version in cubes::versions(&transaction, revision)? {
            let name = version.measure.name.clone();
            measures.insert(name, Arc::new(measure(&transaction, version, revision, &newest)?));
        }
        let epoch = Epoch::at(&transaction, revision)?.unwrap_or_default();
        let (streams, rebuilding) =
            (streams(&transaction, revision)?, unbuilt(&transaction, revision)?);
        // Numbers are only ever added, so today's dictionaries tell the texts of every moment.
        let texts = newest.texts.clone();
        let snapshot = Snapshot {
            revision,
            at: made,
            measures,
            streams,
            texts,
            rebuilding,
            ..Snapshot::default()
        };
        Ok(Vintage { snapshot, epoch })
    }

    /// What was learned about a measure after one moment and up to another, oldest first.
    pub fn learned(
        &self,
        name: &str,
        after: Stamp,
        upto: Stamp,
    ) -> Result<Vec<Entry>, VintageError> {
        let connection = reader(self.path())?;
        let transaction = connection.unchecked_transaction()?;
        let (first, _) = revision_at(&transaction, after)?;
        let (last, _) = revision_at(&transaction, upto)?;
        let mut learned = Vec::new();
        let mut before: Option<(i64, u64)> = None;
        for (id, since, until) in lives(&transaction, name)? {
            let from = since.max(first + 1);
            let to = until.map_or(last, |until| last.min(until.saturating_sub(1)));
            for mut entry in journal::entries(&transaction, id, from..=to)? {
                // A new version begins with all its cells; what was learned is the difference.
                if let (Cause::Redefined, Some((old, end)), true) =
                    (entry.cause, before, entry.revision == since)
                {
                    less(&transaction, old, end, &mut entry.changes)?;
                }
                learned.push(entry);
            }
            before = until.map(|until| (id, until.saturating_sub(1)));
        }
        learned.sort_by_key(|entry| entry.revision);
        Ok(learned)
    }
}

fn reader(path: &Path) -> Loaded<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    Ok(connection)
}

/// The last revision made up to a moment, and when it was made.
fn revision_at(connection: &Connection, at: Stamp) -> Result<(u64, Stamp), VintageError> {
    let meta = |name: &str| {
        connection
            .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get::<_, i64>(0))
    };
    let compacted = Stamp(meta("compacted_until")?);
    let next = Stamp(at.0 + 1);
    if next < compacted && next.day().start() != next {
        return Err(VintageError::Compacted(Stamp(at.day().start().0 - 1)));
    }
    let found: Option<(i64, i64)> = connection
        .query_row(
            "SELECT revision, at FROM vintage WHERE at <= ?1 ORDER BY at DESC, revision DESC LIMIT 1",
            [at.0],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    if let Some((revision, made)) = found {
        return Ok((revision as u64, Stamp(made)));
    }
    let first: Option<i64> =
        connection.query_row("SELECT min(at) FROM vintage", [], |row| row.get(0))?;
    Err(VintageError::Before(Stamp(first.unwrap_or(at.0 + 1))))
}

/// A version of a measure with its cells as of a revision.
fn measure(
    connection: &Connection,
    version: Version,
    revision: u64,
    newest: &Snapshot,
) -> Loaded<Measure> {
    let Version { id, since, is_current, mut measure } = version;
    let shown = newest.measures.get(&measure.name).filter(|_| since <= newest.revision);
    measure.cube = match shown.filter(|_| is_current) {
        Some(shown) => {
            let mut cube = shown.cube.clone();
            take_off(connection, id, revision + 1..=newest.revision, &mut cube)?;
            cube
        }
        None => cube_at(connection, id, revision)?,
    };
    Ok(measure)
}

/// The cells of a version as of a revision, from the disk alone.
pub(super) fn cube_at(connection: &Connection, id: i64, revision: u64) -> Loaded<Cube> {
    let mut cube = cubes::days(connection, id)?;
    let checkpoint = cubes::checkpoint(connection, id)?;
    if checkpoint < revision {
        cube.add(&journal::sum(connection, id, checkpoint + 1..=revision)?);
    } else {
        take_off(connection, id, revision + 1..=checkpoint, &mut cube)?;
    }
    Ok(cube)
}

fn take_off(
    connection: &Connection,
    id: i64,
    revisions: std::ops::RangeInclusive<u64>,
    cube: &mut Cube,
) -> Loaded<()> {
    let mut changes = journal::sum(connection, id, revisions)?;
    for change in &mut changes {
        change.1 = -change.1;
    }
    for some in changes.chunks(AT_ONCE) {
        cube.add(some);
    }
    Ok(())
}

/// Takes the cells of a version, as of a revision, off these changes.
fn less(
    connection: &Connection,
    id: i64,
    revision: u64,
    changes: &mut Vec<(u64, i64)>,
) -> Loaded<()> {
    for (day, cells) in cube_at(connection, id, revision)?.days() {
        let day = (i64::from(day.0) - EARLIEST_DAY) as u64;
        changes.extend(cells.iter().map(|(key, value)| (day << 44 | key, -value)));
    }
    settle(changes);
    Ok(())
}

/// The versions of a measure: id, first revision, first revision without it.
fn lives(connection: &Connection, name: &str) -> Loaded<Vec<(i64, u64, Option<u64>)>> {
    let mut statement = connection
        .prepare_cached("SELECT id, since, until FROM measure WHERE name = ?1 ORDER BY since")?;
    let lives = statement.query_map([name], |row| {
        let until: Option<i64> = row.get(2)?;
        Ok((row.get(0)?, row.get::<_, i64>(1)? as u64, until.map(|until| until as u64)))
    })?;
    lives.collect()
}

/// Measures that had been closed and not been built again at a revision.
fn unbuilt(connection: &Connection, revision: u64) -> Loaded<BTreeMap<String, Rebuilding>> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT name FROM measure gone WHERE until <= ?1 AND NOT EXISTS (
           SELECT 1 FROM measure other WHERE other.name = gone.name AND other.since <= ?1 AND (other.until IS NULL OR other.until > ?1))",
    )?;
    let names = statement.query_map([revision as i64], |row| row.get::<_, String>(0))?;
    names.map(|name| Ok((name?, Rebuilding::default()))).collect()
}

fn streams(connection: &Connection, revision: u64) -> Loaded<BTreeMap<String, Arc<StreamState>>> {
    let mut statement = connection.prepare_cached(
        "SELECT source, stream, contract, last_success, data_through, quarantined FROM known AS this WHERE revision =
           (SELECT max(revision) FROM known WHERE source = this.source AND stream = this.stream AND revision <= ?1)",
    )?;
    let states = statement.query_map(params![revision as i64], |row| {
        let stamp = |column| row.get::<_, Option<i64>>(column).map(|at| at.map(Stamp));
        Ok(StreamState {
            source: row.get(0)?,
            stream: row.get(1)?,
            contract: row.get(2)?,
            last_success: stamp(3)?,
            data_through: stamp(4)?,
            quarantined: row.get::<_, i64>(5)? as u64,
            ..StreamState::default()
        })
    })?;
    states
        .map(|state| {
            state.map(|state| (format!("{}.{}", state.source, state.stream), Arc::new(state)))
        })
        .collect()
}

//! A contract's cubes: in memory whole, on disk as days and the journal of changes.
//!
//! A page of corrections touches a few cells of almost every day, and to write each of those days
//! again with each page was most of what a commit cost. So a commit only appends its changes to the
//! journal; when much has gathered, every day touched since is written once. After a restart the
//! days are read and what the journal has since then is added: cubes are sums, so that is all.
//!
//! A measure carries its definition. If the configuration gives it another one, the version on disk
//! is closed and stays for those who ask about the past; the new version is built from the entities
//! in steps between commits, and nobody sees it before it is whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use super::journal;
use super::load::{self, Loaded, damaged};
use super::retention::residue;
use crate::failpoint;
use crate::fold::plan::MeasurePlan;
use crate::fold::{Entities, Folded, Plan, rebuild, rebuild_some};
use crate::model::cube::{Cube, DayCells, Dimension, settle};
use crate::model::row::EARLIEST_DAY;
use crate::model::snapshot::{Measure, MeasureKind, Rebuilding};
use crate::model::time::{Day, Stamp};

/// Bytes of journal at which the touched days are written: enough pages to touch each day many
/// times, few enough that adding them after a restart takes no time that anyone would notice. Little
/// in unit tests, so that they get there.
const MUCH: u64 = if cfg!(test) { 1 << 10 } else { 1 << 20 };

/// Entities from which a measure is built before the store can be read at all.
const LITTLE: u64 = if cfg!(test) { 300 } else { 65_536 };

/// The cubes of one contract.
pub(super) struct Cubes {
    measures: Vec<Kept>,
    journal_bytes: usize,
}

/// One measure as it is kept.
struct Kept {
    measure: Arc<Measure>,
    definition: String,
    stage: Stage,
    /// Days whose cells differ from those on disk.
    touched: BTreeSet<Day>,
}

/// Whether a measure can be read.
enum Stage {
    /// It has a row of this id, and its cube is whole.
    Whole(i64),
    /// It is being built: from so many rows so far, and this is what they come to.
    Building { upto: u32, changes: Vec<(u64, i64)> },
}

/// What a reader must know of a measure besides its cells, as the file remembers it.
#[derive(Deserialize, Serialize)]
struct Facts {
    contract: String,
    kind: MeasureKind,
    decimals: u8,
    dimensions: Vec<Dimension>,
}

/// A version of a measure's definition, in force at some revision.
pub(super) struct Version {
    pub(super) id: i64,
    /// Its first revision.
    pub(super) since: u64,
    /// Whether it is in force today.
    pub(super) is_current: bool,
    /// The measure without cells.
    pub(super) measure: Measure,
}

/// The revision that opening the store will make, if it changes anything.
pub(super) struct Opening {
    pub(super) commit: (u64, Stamp),
    pub(super) changed: bool,
}

/// Closes the versions of measures that no contract has any more: they would miss what is committed
/// while they are away, and be believed when they come back.
pub(super) fn forget(
    transaction: &Transaction<'_>,
    plans: &[Plan],
    opening: &mut Opening,
) -> Loaded<()> {
    let kept: BTreeSet<&str> = plans
        .iter()
        .flat_map(|plan| plan.measures.iter().map(|measure| measure.name.as_str()))
        .collect();
    let mut statement = transaction.prepare("SELECT id, name FROM measure WHERE until IS NULL")?;
    let known: Vec<(i64, String)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    for (id, _) in known.iter().filter(|(_, name)| !kept.contains(name.as_str())) {
        close(transaction, *id, opening)?;
    }
    Ok(())
}

/// From the revision of this opening on, the version is the past. Its days are written as they are at its
/// end: entries of the journal that are merged later carry the last revision of their day, and nobody
/// writes the days of a closed version again. Were they as of the middle of a day, what that day brought
/// before would be added twice.
fn close(transaction: &Transaction<'_>, id: i64, opening: &mut Opening) -> Loaded<()> {
    opening.changed = true;
    let mut cube = days(transaction, id)?;
    let behind = journal::after(checkpoint(transaction, id)?);
    let touched = cube.add(&journal::sum(transaction, id, behind)?);
    write_days(transaction, id, &cube, touched.iter(), &mut Vec::new())?;
    let until = opening.commit.0 as i64;
    transaction.execute(
        "UPDATE measure SET until = ?2, checkpoint = ?3 WHERE id = ?1",
        params![id, until, until - 1],
    )?;
    Ok(())
}

impl Cubes {
    /// All measures of a contract with their cubes. Those whose definition changed are built at once
    /// if there is little to build from; see [`Cubes::build`] for the others.
    pub(super) fn load(
        transaction: &Transaction<'_>,
        plan: &Plan,
        contract: &load::Contract,
        opening: &mut Opening,
    ) -> Loaded<Self> {
        let mut cubes = Self { measures: Vec::new(), journal_bytes: 0 };
        for planned in &plan.measures {
            let stage = match known(transaction, planned)? {
                Some((id, true)) => Stage::Whole(id),
                Some((id, false)) => {
                    close(transaction, id, opening)?;
                    Stage::Building { upto: 0, changes: residue(transaction, planned)? }
                }
                None => Stage::Building { upto: 0, changes: residue(transaction, planned)? },
            };
            let mut measure = measure(planned, &plan.schema.name);
            let mut touched = BTreeSet::new();
            if let Stage::Whole(id) = stage {
                let checkpoint = checkpoint(transaction, id)?;
                measure.cube = days(transaction, id)?;
                let changes = journal::sum(transaction, id, journal::after(checkpoint))?;
                // An estimate is enough: it only decides when the days are written.
                cubes.journal_bytes += changes.len() * 4;
                touched.extend(measure.cube.add(&changes));
            }
            let (measure, definition) = (Arc::new(measure), planned.definition.clone());
            cubes.measures.push(Kept { measure, definition, stage, touched });
        }
        if contract.repacked {
            cubes.mend(transaction, plan, &contract.entities, opening)?;
        }
        let is_little = contract.entities.len() as u64 <= failpoint::limit(LITTLE, 300);
        if is_little && cubes.is_building() {
            opening.changed = true;
            while !cubes.build(plan, &contract.entities) {}
            let ids = cubes.finish(transaction, opening.commit)?;
            cubes.finished(ids);
        }
        Ok(cubes)
    }

    /// After entities were packed anew, some of their properties may be null until they are pulled
    /// again: whatever measure differs for that is corrected, under the same definition.
    fn mend(
        &mut self,
        transaction: &Transaction<'_>,
        plan: &Plan,
        entities: &Entities,
        opening: &mut Opening,
    ) -> Loaded<()> {
        let whole: Vec<usize> = (0..self.measures.len())
            .filter(|i| matches!(self.measures[*i].stage, Stage::Whole(_)))
            .collect();
        for (at, mut changes) in whole.iter().zip(rebuild(entities, plan, &whole)) {
            let kept = &mut self.measures[*at];
            let Stage::Whole(id) = kept.stage else { continue };
            changes.extend(residue(transaction, &plan.measures[*at])?);
            for (day, cells) in kept.measure.cube.days() {
                let day = (i64::from(day.0) - EARLIEST_DAY) as u64;
                changes.extend(cells.iter().map(|(key, value)| (day << 44 | key, -value)));
            }
            settle(&mut changes);
            if !changes.is_empty() {
                opening.changed = true;
                journal::redefined(transaction, id, opening.commit, &changes)?;
                kept.touched.extend(Arc::make_mut(&mut kept.measure).cube.add(&changes));
            }
        }
        Ok(())
    }

    /// The measures as readers may see them.
    pub(super) fn measures(&self) -> impl Iterator<Item = &Arc<Measure>> {
        let is_whole = |kept: &&Kept| matches!(kept.stage, Stage::Whole(_));
        self.measures.iter().filter(is_whole).map(|kept| &kept.measure)
    }

    /// The measures that cannot be read yet, and how far they have come.
    pub(super) fn rebuilding(&self, total: u64) -> impl Iterator<Item = (String, Rebuilding)> {
        self.measures.iter().filter_map(move |kept| match &kept.stage {
            Stage::Building { upto, .. } => {
                let done = u64::from(*upto);
                Some((kept.measure.name.clone(), Rebuilding { done, total: total.max(done) }))
            }
            Stage::Whole(_) => None,
        })
    }

    /// Whether a measure is being built.
    pub(super) fn is_building(&self) -> bool {
        self.measures.iter().any(|kept| matches!(kept.stage, Stage::Building { .. }))
    }

    /// From how many rows each measure has been built, for [`crate::fold::Bringer::built`].
    pub(super) fn built(&self) -> Vec<u32> {
        if !self.is_building() {
            return Vec::new();
        }
        let built = self.measures.iter().map(|kept| match kept.stage {
            Stage::Building { upto, .. } => upto,
            Stage::Whole(_) => u32::MAX,
        });
        built.collect()
    }

    /// Takes the building one step on; whether it came to the last row.
    pub(super) fn build(&mut self, plan: &Plan, entities: &Entities) -> bool {
        let mut is_done = true;
        for (i, kept) in self.measures.iter_mut().enumerate() {
            if let Stage::Building { upto, changes } = &mut kept.stage {
                *upto = rebuild_some(entities, plan, &[i], *upto, std::slice::from_mut(changes));
                is_done &= *upto as usize >= entities.len();
            }
        }
        is_done
    }

    /// Writes the measures that have been built and yields their ids, for [`Cubes::finished`] when
    /// that is committed.
    pub(super) fn finish(
        &self,
        transaction: &Transaction<'_>,
        commit: (u64, Stamp),
    ) -> Loaded<Vec<i64>> {
        let mut ids = Vec::new();
        for kept in &self.measures {
            let Stage::Building { changes, .. } = &kept.stage else { continue };
            let measure = &kept.measure;
            let facts = Facts {
                contract: measure.contract.clone(),
                kind: measure.kind,
                decimals: measure.decimals,
                dimensions: measure.dimensions.clone(),
            };
            let facts = serde_json::to_string(&facts)
                .map_err(|error| damaged(format!("the facts of a measure: {error}")))?;
            transaction.execute(
                "INSERT INTO measure (name, definition, facts, since, checkpoint) VALUES (?1, ?2, ?3, ?4, ?4)",
                params![measure.name, kept.definition, facts, commit.0 as i64],
            )?;
            let id = transaction.last_insert_rowid();
            journal::redefined(transaction, id, commit, changes)?;
            let mut cube = Cube::default();
            let touched = cube.add(changes);
            write_days(transaction, id, &cube, touched.iter(), &mut Vec::new())?;
            ids.push(id);
        }
        Ok(ids)
    }

    /// Notes that what [`Cubes::finish`] wrote has been committed, under these ids in order.
    pub(super) fn finished(&mut self, ids: impl IntoIterator<Item = i64>) {
        let building =
            self.measures.iter_mut().filter(|kept| matches!(kept.stage, Stage::Building { .. }));
        for (kept, id) in building.zip(ids) {
            let stage = std::mem::replace(&mut kept.stage, Stage::Whole(id));
            if let Stage::Building { changes, .. } = stage {
                Arc::make_mut(&mut kept.measure).cube.add(&changes);
            }
        }
    }

    /// Remembers what [`Cubes::put_back`] needs.
    pub(super) fn before(&self) -> Vec<Before> {
        let before = |kept: &Kept| match &kept.stage {
            Stage::Whole(_) => Before::Measure(Arc::clone(&kept.measure)),
            Stage::Building { changes, .. } => Before::Length(changes.len()),
        };
        self.measures.iter().map(before).collect()
    }

    /// Puts the measures back as they were. Days stay noted as touched: to write one that is the
    /// same costs little, and to miss one would lose it.
    pub(super) fn put_back(&mut self, before: Vec<Before>) {
        for (kept, before) in self.measures.iter_mut().zip(before) {
            match (before, &mut kept.stage) {
                (Before::Measure(measure), _) => kept.measure = measure,
                (Before::Length(length), Stage::Building { changes, .. }) => {
                    changes.truncate(length);
                }
                (Before::Length(_), Stage::Whole(_)) => {}
            }
        }
    }

    /// Adds what a page taught, in the order of the plan, and appends it to the journal.
    pub(super) fn append(
        &mut self,
        transaction: &Transaction<'_>,
        folded: &Folded,
        commit: (u64, Stamp),
        buffer: &mut Vec<u8>,
    ) -> Loaded<()> {
        for (i, kept) in self.measures.iter_mut().enumerate() {
            let all = folded.changes(i);
            match &mut kept.stage {
                // Settled at the next step of the building.
                Stage::Building { changes, .. } => changes.extend(all),
                Stage::Whole(id) => {
                    let learned = &folded.learned[i];
                    self.journal_bytes +=
                        journal::append(transaction, *id, commit, learned, buffer)?;
                    if !all.is_empty() {
                        kept.touched.extend(Arc::make_mut(&mut kept.measure).cube.add(&all));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether it is time for [`Cubes::write_back`].
    pub(super) fn is_much_new(&self) -> bool {
        self.journal_bytes > failpoint::limit(MUCH, 1 << 10) as usize
    }

    /// Writes each touched day: from now on the days are as of `revision`.
    pub(super) fn write_back(
        &self,
        transaction: &Transaction<'_>,
        revision: u64,
        buffer: &mut Vec<u8>,
    ) -> Loaded<()> {
        for kept in &self.measures {
            let Stage::Whole(id) = kept.stage else { continue };
            write_days(transaction, id, &kept.measure.cube, kept.touched.iter(), buffer)?;
            transaction
                .prepare_cached("UPDATE measure SET checkpoint = ?2 WHERE id = ?1")?
                .execute(params![id, revision as i64])?;
        }
        Ok(())
    }

    /// Notes that what [`Cubes::write_back`] wrote has been committed.
    pub(super) fn written_back(&mut self) {
        self.measures.iter_mut().for_each(|kept| kept.touched.clear());
        self.journal_bytes = 0;
    }
}

/// How a measure was before a page.
pub(super) enum Before {
    /// It was this.
    Measure(Arc<Measure>),
    /// What had been built had this length.
    Length(usize),
}

/// A measure without cells.
fn measure(planned: &MeasurePlan, contract: &str) -> Measure {
    Measure {
        name: planned.name.clone(),
        contract: contract.to_owned(),
        kind: planned.kind,
        decimals: planned.decimals,
        dimensions: planned.dimensions.clone(),
        cube: Cube::default(),
    }
}

/// Writes these days of a cube; a day without cells is taken away.
fn write_days<'d>(
    transaction: &Transaction<'_>,
    id: i64,
    cube: &Cube,
    days: impl Iterator<Item = &'d Day>,
    buffer: &mut Vec<u8>,
) -> Loaded<()> {
    let mut put = transaction.prepare_cached("INSERT OR REPLACE INTO cube VALUES (?1, ?2)")?;
    let mut take = transaction.prepare_cached("DELETE FROM cube WHERE id = ?1")?;
    for day in days {
        buffer.clear();
        cube.pack(*day, buffer);
        let id = id << 20 | (i64::from(day.0) - EARLIEST_DAY);
        if buffer.is_empty() {
            take.execute([id])?;
        } else {
            put.execute(params![id, &*buffer])?;
        }
    }
    Ok(())
}

/// The version in force of a measure, and whether it is by this very definition.
pub(super) fn known(
    transaction: &Transaction<'_>,
    planned: &MeasurePlan,
) -> Loaded<Option<(i64, bool)>> {
    transaction
        .query_row(
            "SELECT id, definition FROM measure WHERE name = ?1 AND until IS NULL",
            [&planned.name],
            |row| Ok((row.get(0)?, row.get::<_, String>(1)? == planned.definition)),
        )
        .optional()
}

/// The revision as of which the days of a measure are written.
pub(super) fn checkpoint(connection: &Connection, id: i64) -> Loaded<u64> {
    connection
        .prepare_cached("SELECT checkpoint FROM measure WHERE id = ?1")?
        .query_row([id], |row| row.get::<_, i64>(0).map(|revision| revision as u64))
}

/// A measure's cells as of the last time they were written.
pub(super) fn days(connection: &Connection, id: i64) -> Loaded<Cube> {
    let mut cube = Cube::default();
    let mut statement =
        connection.prepare_cached("SELECT id, cells FROM cube WHERE id BETWEEN ?1 AND ?2")?;
    let mut rows = statement.query([id << 20, (id << 20) + 0xF_FFFF])?;
    while let Some(row) = rows.next()? {
        let day = Day((row.get::<_, i64>(0)? & 0xF_FFFF) as i32 + EARLIEST_DAY as i32);
        let cells = DayCells::unpack(row.get_ref(1)?.as_blob()?)
            .ok_or_else(|| damaged(format!("the cells of {day}")))?;
        cube.put(day, cells);
    }
    Ok(cube)
}

/// The versions of all measures that were in force at a revision.
pub(super) fn versions(connection: &Connection, revision: u64) -> Loaded<Vec<Version>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, facts, since, until FROM measure WHERE since <= ?1 AND (until IS NULL OR until > ?1)",
    )?;
    let mut rows = statement.query([revision as i64])?;
    let mut versions = Vec::new();
    while let Some(row) = rows.next()? {
        let facts: Facts = serde_json::from_str(row.get_ref(2)?.as_str()?)
            .map_err(|error| damaged(format!("the facts of a measure: {error}")))?;
        let Facts { contract, kind, decimals, dimensions } = facts;
        versions.push(Version {
            id: row.get(0)?,
            since: row.get::<_, i64>(3)? as u64,
            is_current: row.get::<_, Option<i64>>(4)?.is_none(),
            measure: Measure {
                name: row.get(1)?,
                contract,
                kind,
                decimals,
                dimensions,
                cube: Cube::default(),
            },
        });
    }
    Ok(versions)
}

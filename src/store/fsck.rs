//! Recounting: every cube against the entities that it is a sum over, and against its journal.
//!
//! The store believes its own sums, and exactness is a promise; so anybody can have it checked, with
//! no more trust than in the entities themselves. Everything is read in one transaction that is
//! taken back, so a check changes nothing.

use rusqlite::TransactionBehavior;
use serde::Serialize;

use super::cubes::{self, Cubes, Opening};
use super::load::{self, Loaded};
use super::retention::residue;
use super::sqlite::{Opened, failure};
use super::{Parts, StoreError, journal, save, vintage};
use crate::fold::rebuild;
use crate::model::cube::{Cube, settle};
use crate::model::row::EARLIEST_DAY;

/// What a check found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The newest revision.
    pub revision: u64,
    /// What the database says of itself: empty if it is sound.
    pub damage: Vec<String>,
    /// Each measure.
    pub measures: Vec<Checked>,
    /// Streams whose records do not add up.
    pub unbalanced: Vec<String>,
}

/// What a check found of one measure.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Checked {
    /// `contract.measure`.
    pub measure: String,
    /// Entities it was counted from.
    pub entities: u64,
    /// Cells it has.
    pub cells: u64,
    /// Cells that differ from a recount over the entities.
    pub differ_from_entities: u64,
    /// Cells that differ from the sum of everything ever learned.
    pub differ_from_journal: u64,
    /// Whether the configuration defines it anew, so that it will be rebuilt instead.
    pub redefined: bool,
}

impl Report {
    /// Whether everything is as it should be.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
            && self.unbalanced.is_empty()
            && self
                .measures
                .iter()
                .all(|found| found.differ_from_entities + found.differ_from_journal == 0)
    }
}

impl Opened {
    /// Recounts everything; changes nothing.
    pub fn check(mut self, parts: &Parts) -> Result<Report, StoreError> {
        self.recount(parts).map_err(|error| failure(&error))
    }

    fn recount(&mut self, parts: &Parts) -> Loaded<Report> {
        let mut report = Report::default();
        {
            let mut statement = self.connection.prepare("PRAGMA quick_check(20)")?;
            let words = statement.query_map([], |row| row.get::<_, String>(0))?;
            report.damage = words
                .filter(|word| !matches!(word, Ok(ok) if ok == "ok"))
                .collect::<Result<_, _>>()?;
        }
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        load::save_dictionaries(&transaction, &parts.words)?;
        let (revision, at) = save::newest(&transaction)?;
        report.revision = revision;
        for plan in &parts.plans {
            let loaded = load::contract(&transaction, plan)?;
            let all: Vec<usize> = (0..plan.measures.len()).collect();
            let counted = rebuild(&loaded.entities, plan, &all);
            let mut opening = Opening { commit: (revision + 1, at), changed: false };
            for (planned, mut changes) in plan.measures.iter().zip(counted) {
                changes.extend(residue(&transaction, planned)?);
                let mut found = Checked {
                    measure: planned.name.clone(),
                    entities: loaded.entities.len() as u64,
                    ..Checked::default()
                };
                match cubes::known(&transaction, planned)? {
                    Some((id, true)) if !loaded.repacked => {
                        let cube = vintage::cube_at(&transaction, id, revision)?;
                        found.cells = cube.days().map(|(_, cells)| cells.len() as u64).sum();
                        found.differ_from_entities = differing(&cube, changes);
                        let learned = journal::sum(&transaction, id, 0..=revision)?;
                        found.differ_from_journal = differing(&cube, learned);
                    }
                    _ => found.redefined = true,
                }
                report.measures.push(found);
            }
            // Loading must come to the same as well: it is what readers get.
            let cubes = Cubes::load(&transaction, plan, &loaded, &mut opening)?;
            for measure in cubes.measures() {
                let shown = report.measures.iter_mut().find(|one| one.measure == measure.name);
                if let Some(found) = shown.filter(|found| !found.redefined) {
                    let at = plan.measures.iter().position(|one| one.name == measure.name);
                    let one: Vec<usize> = at.into_iter().collect();
                    let mut changes =
                        rebuild(&loaded.entities, plan, &one).pop().unwrap_or_default();
                    for position in &one {
                        changes.extend(residue(&transaction, &plan.measures[*position])?);
                    }
                    found.differ_from_entities =
                        found.differ_from_entities.max(differing(&measure.cube, changes));
                }
            }
        }
        for name in &parts.streams {
            let contract = &parts.plans[name.plan].schema.name;
            let (state, ..) = load::stream(&transaction, name, contract)?;
            if !state.total.balances() {
                report.unbalanced.push(format!("{}.{}", name.source, name.stream));
            }
        }
        transaction.rollback()?;
        Ok(report)
    }
}

/// How many cells of a cube differ from what these settled changes come to.
fn differing(cube: &Cube, mut changes: Vec<(u64, i64)>) -> u64 {
    for (day, cells) in cube.days() {
        let day = (i64::from(day.0) - EARLIEST_DAY) as u64;
        changes.extend(cells.iter().map(|(key, value)| (day << 44 | key, -value)));
    }
    settle(&mut changes);
    changes.len() as u64
}

//! Fold: from observations to changes of cubes, exactly.
//!
//! Each observation is compared with the entity's previous version. A newer version replaces it: the
//! old row's contributions are subtracted and the new row's added. An older version is superseded, the
//! same one to the letter a duplicate. Two different records of the same version are ordered by their
//! bytes, so the result does not depend on which came first. Hence any order, repetition or split of
//! the same pages ends in the same cube: state is the maximum of what was seen, and the cube is a sum
//! over state. Pure; whole numbers only.
//!
//! [`against`] changes the entities at once and says how to undo it, because the one who commits may
//! fail to: see [`Folded::undo`].

pub mod entities;
pub mod plan;
#[cfg(test)]
mod tests;

use crate::model::cube::settle;
use crate::model::observation::Observations;
use crate::model::row::{EARLIEST, NULL, Packing};

pub use entities::Entities;
pub use plan::{MeasurePlan, Plan};

/// What a page did.
#[derive(Debug, Default)]
pub struct Folded {
    /// Changes per measure, in the order of the plan: sorted by cell, each cell once, none zero.
    pub changes: Vec<Vec<(u64, i64)>>,
    /// Rows that are new or have a new version; a row may stand here twice.
    pub rows: Vec<u32>,
    /// Entities that had not been seen before.
    pub inserted: u64,
    /// Entities that have a newer version now.
    pub updated: u64,
    /// Observations older than what is known.
    pub superseded: u64,
    /// Observations known already, to the letter.
    pub duplicate: u64,
    /// The latest moment in the version property among all observations, seconds.
    pub latest: Option<i64>,
    before: Vec<(u32, Vec<u8>)>,
}

/// Folds a page of observations into the entities.
pub fn against(entities: &mut Entities, plan: &Plan, seen: &Observations) -> Folded {
    let layout = &plan.schema.layout;
    let version = Version { offset: 1 + layout.offset(plan.schema.version_slot) };
    let mut folded = Folded { changes: vec![Vec::new(); plan.measures.len()], ..Folded::default() };
    let (mut body, mut old_row) = (Vec::with_capacity(entities.width()), Vec::new());
    folded.rows.reserve(seen.len());
    entities.prepare(&seen.keys);
    for i in 0..seen.len() {
        let row = seen.row(i);
        let state = if seen.retracted[i] { entities::RETRACTED } else { entities::LIVE };
        body.clear();
        body.push(state);
        layout.pack(row, &mut body);
        let moment = row[plan.schema.version_slot];
        folded.latest = folded.latest.max((moment != NULL).then_some(moment));
        match entities.find(seen.keys[i]) {
            None => {
                let at = entities.insert(seen.keys[i], &body);
                folded.inserted += 1;
                folded.rows.push(at);
            }
            Some(at) => {
                let old = entities.body(at);
                match version.of(&body).cmp(&version.of(old)).then_with(|| body[..].cmp(old)) {
                    std::cmp::Ordering::Equal => {
                        folded.duplicate += 1;
                        continue;
                    }
                    std::cmp::Ordering::Less => {
                        folded.superseded += 1;
                        continue;
                    }
                    std::cmp::Ordering::Greater => {}
                }
                if old[0] == entities::LIVE {
                    layout.unpack(&old[1..], &mut old_row);
                    contribute(plan, &old_row, -1, &mut folded.changes);
                }
                folded.before.push((at, old.to_vec()));
                entities.set(at, &body);
                folded.updated += 1;
                folded.rows.push(at);
            }
        }
        if state == entities::LIVE {
            contribute(plan, row, 1, &mut folded.changes);
        }
    }
    folded.changes.iter_mut().for_each(settle);
    folded
}

/// The cube changes of building `measures` (positions in the plan) from all entities.
pub fn rebuild(entities: &Entities, plan: &Plan, measures: &[usize]) -> Vec<Vec<(u64, i64)>> {
    let mut changes = vec![Vec::new(); measures.len()];
    let mut row = Vec::new();
    for at in 0..entities.len() as u32 {
        let body = entities.body(at);
        if body[0] == entities::LIVE {
            plan.schema.layout.unpack(&body[1..], &mut row);
            for (measure, out) in measures.iter().zip(&mut changes) {
                plan.measures[*measure].contribute(&row, 1, out);
            }
        }
        // Settled now and then, so that the list stays as long as the cube and not as the history.
        if at % 65_536 == 65_535 {
            changes.iter_mut().for_each(settle);
        }
    }
    changes.iter_mut().for_each(settle);
    changes
}

fn contribute(plan: &Plan, row: &[i64], sign: i64, changes: &mut [Vec<(u64, i64)>]) {
    for (measure, out) in plan.measures.iter().zip(changes) {
        measure.contribute(row, sign, out);
    }
}

/// Where a packed body keeps the moment that orders its versions.
struct Version {
    offset: usize,
}

impl Version {
    /// A record without a version (a withdrawal that carries none) is the oldest.
    fn of(&self, body: &[u8]) -> i64 {
        match Packing::Moment.unpack(&body[self.offset..]) {
            NULL => EARLIEST - 1,
            version => version,
        }
    }
}

impl Folded {
    /// Observations that became the newest version of their entity.
    pub fn accepted(&self) -> u64 {
        self.inserted + self.updated
    }

    /// Puts the entities back as they were before the page.
    pub fn undo(&self, entities: &mut Entities) {
        for (row, body) in self.before.iter().rev() {
            entities.set(*row, body);
        }
        for _ in 0..self.inserted {
            entities.pop();
        }
    }
}

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
pub mod texts;

use std::sync::Arc;

use crate::model::cube::settle;
use crate::model::dictionary::Dictionary;
use crate::model::observation::Observations;
use crate::model::revision::Cause;
use crate::model::row::{EARLIEST, EARLIEST_DAY, NULL, Packing};
use crate::model::schema::Layout;

pub use entities::Entities;
pub use plan::{MeasurePlan, Plan};
pub use texts::Texts;

/// The causes that a fold tells apart, in the order of [`Learned`]. Whether what arrived was late is
/// seen from the day of the cell and the moment of the commit.
pub const CAUSES: [Cause; 3] = [Cause::Arrived, Cause::Corrected, Cause::Retracted];

/// The changes of one measure by cause, in the order of [`CAUSES`]: sorted by cell, each cell once,
/// none zero.
pub type Learned = [Vec<(u64, i64)>; CAUSES.len()];

/// Where in [`Learned`] a cause stands.
const ARRIVED: usize = 0;
const CORRECTED: usize = 1;
const RETRACTED: usize = 2;

/// What a fold must know besides the page.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bringer<'a> {
    /// The number of the stream within its contract, below [`entities::ORIGINS`].
    pub origin: u8,
    /// A new record that counts on an earlier day than this one is late; days since 1970.
    pub over_before: i64,
    /// How many rows each measure has been built from, for those that are being rebuilt: rows
    /// beyond are counted when the rebuild comes to them. A measure that is not named is complete.
    pub built: &'a [u32],
}

/// What a page did.
#[derive(Debug, Default)]
pub struct Folded {
    /// Changes per measure and cause, in the order of the plan.
    pub learned: Vec<Learned>,
    /// Rows that are new or have a new version; a row may stand here twice.
    pub rows: Vec<u32>,
    /// Entities that had not been seen before.
    pub inserted: u64,
    /// Those among them that count on a day that was over.
    pub late: u64,
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
pub fn against(
    entities: &mut Entities,
    plan: &Plan,
    seen: &Observations,
    bringer: Bringer<'_>,
) -> Folded {
    let layout = &plan.schema.layout;
    let order = Order::new(plan, &seen.words);
    let mut tally = Tally::new(plan, bringer);
    let mut folded = Folded::default();
    let (mut body, mut old_row) = (Vec::with_capacity(entities.width()), Vec::new());
    folded.rows.reserve(seen.len());
    entities.prepare(&seen.keys);
    for i in 0..seen.len() {
        let row = seen.row(i);
        let state = if seen.retracted[i] { entities::RETRACTED } else { entities::LIVE };
        body.clear();
        body.push(entities::flags(state, bringer.origin));
        layout.pack(row, &mut body);
        let moment = row[plan.schema.version_slot];
        folded.latest = folded.latest.max((moment != NULL).then_some(moment));
        let (at, cause) = match entities.find(seen.keys[i]) {
            None => {
                folded.inserted += 1;
                (entities.insert(seen.keys[i], &body), ARRIVED)
            }
            Some(at) => {
                let old = entities.body(at);
                match order.compare(&body, old) {
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
                let cause = if state == entities::RETRACTED { RETRACTED } else { CORRECTED };
                if entities::state(old) == entities::LIVE {
                    plan.schema.unpack(&old[1..], &mut old_row);
                    tally.add(at, &old_row, -1, cause);
                }
                folded.before.push((at, old.to_vec()));
                entities.set(at, &body);
                folded.updated += 1;
                (at, cause)
            }
        };
        folded.rows.push(at);
        if state == entities::LIVE {
            let is_late = tally.add(at, row, 1, cause);
            folded.late += u64::from(is_late && cause == ARRIVED);
        }
    }
    folded.learned = tally.settled();
    folded
}

/// Takes back what these rows contribute, because their records vanished from their source; rows
/// that do not count are left alone.
pub fn vanish(entities: &mut Entities, plan: &Plan, rows: &[u32], bringer: Bringer<'_>) -> Folded {
    let mut tally = Tally::new(plan, bringer);
    let (mut folded, mut row) = (Folded::default(), Vec::new());
    for at in rows {
        let old = entities.body(*at).to_vec();
        if entities::state(&old) != entities::LIVE {
            continue;
        }
        plan.schema.unpack(&old[1..], &mut row);
        tally.add(*at, &row, -1, RETRACTED);
        let mut body = old.clone();
        body[0] = entities::flags(entities::VANISHED, entities::origin(&old));
        entities.set(*at, &body);
        folded.before.push((*at, old));
        folded.rows.push(*at);
        folded.updated += 1;
    }
    folded.learned = tally.settled();
    folded
}

/// The changes of a page while it is folded.
struct Tally<'a> {
    plan: &'a Plan,
    learned: Vec<Learned>,
    bringer: Bringer<'a>,
    /// The day part of a cell's key below which a day was over.
    over_before: u64,
}

impl<'a> Tally<'a> {
    fn new(plan: &'a Plan, bringer: Bringer<'a>) -> Self {
        let over_before = u64::try_from(bringer.over_before - EARLIEST_DAY).unwrap_or(0);
        Self { plan, learned: vec![Learned::default(); plan.measures.len()], bringer, over_before }
    }

    /// Adds what a row contributes, times `sign`; tells whether it counts on a day that was over.
    fn add(&mut self, at: u32, row: &[i64], sign: i64, cause: usize) -> bool {
        let mut is_late = false;
        for (i, (measure, learned)) in self.plan.measures.iter().zip(&mut self.learned).enumerate()
        {
            if self.bringer.built.get(i).is_none_or(|built| at < *built) {
                let changes = &mut learned[cause];
                let before = changes.len();
                measure.contribute(row, sign, changes);
                is_late |= changes[before..].iter().any(|(key, _)| key >> 44 < self.over_before);
            }
        }
        is_late
    }

    fn settled(mut self) -> Vec<Learned> {
        self.learned.iter_mut().flatten().for_each(settle);
        self.learned
    }
}

/// The cube changes of building `measures` (positions in the plan) from all entities.
pub fn rebuild(entities: &Entities, plan: &Plan, measures: &[usize]) -> Vec<Vec<(u64, i64)>> {
    let mut changes = vec![Vec::new(); measures.len()];
    let mut from = 0;
    while from < entities.len() as u32 {
        from = rebuild_some(entities, plan, measures, from, &mut changes);
    }
    changes
}

/// One step of [`rebuild`]: adds the rows from `from` on, some thousands of them; returns the row
/// at which to go on. The changes stay settled, so that they are as long as the cube and not as the
/// history.
pub fn rebuild_some(
    entities: &Entities,
    plan: &Plan,
    measures: &[usize],
    from: u32,
    changes: &mut [Vec<(u64, i64)>],
) -> u32 {
    let end = (entities.len() as u32).min(from + STEP);
    let mut row = Vec::new();
    for at in from..end {
        let body = entities.body(at);
        if entities::state(body) == entities::LIVE {
            plan.schema.unpack(&body[1..], &mut row);
            for (measure, out) in measures.iter().zip(&mut *changes) {
                plan.measures[*measure].contribute(&row, 1, out);
            }
        }
    }
    changes.iter_mut().for_each(settle);
    end
}

/// Rows that one step of a rebuild takes: some milliseconds.
const STEP: u32 = if cfg!(test) { 64 } else { 65_536 };

/// The order of the versions of one record: by the rank of the stream that brought it, then by the
/// version, then by content, so that it never matters which came first.
struct Order<'a> {
    ranks: &'a [u8],
    version: Version,
    layout: &'a Layout,
    words: &'a [(usize, Arc<Dictionary>)],
}

impl<'a> Order<'a> {
    fn new(plan: &'a Plan, words: &'a [(usize, Arc<Dictionary>)]) -> Self {
        let layout = &plan.schema.layout;
        let offset = 1 + plan.schema.layout.offset(plan.schema.version_slot);
        Self { ranks: &plan.ranks, version: Version { offset }, layout, words }
    }

    #[inline]
    fn compare(&self, new: &[u8], old: &[u8]) -> std::cmp::Ordering {
        // What vanished from its source no longer stands in the way of another stream's record.
        let rank = |body: &[u8]| match entities::state(body) {
            entities::VANISHED => 0,
            _ => self.ranks.get(usize::from(entities::origin(body))).copied().unwrap_or(0),
        };
        let ranked = if self.ranks.is_empty() {
            std::cmp::Ordering::Equal
        } else {
            rank(new).cmp(&rank(old))
        };
        ranked
            .then_with(|| self.version.of(new).cmp(&self.version.of(old)))
            .then_with(|| entities::state(new).cmp(&entities::state(old)))
            .then_with(|| self.by_content(&new[1..], &old[1..]))
    }

    /// By the values as numbers, which a code has the higher the later it was listed: a code that has
    /// been added to its list wins over the `other` that it was until then, when its record comes
    /// again. But texts by their words, because their numbers tell who came first.
    fn by_content(&self, new: &[u8], old: &[u8]) -> std::cmp::Ordering {
        if new == old {
            return std::cmp::Ordering::Equal;
        }
        let (mut new_row, mut old_row) = (Vec::new(), Vec::new());
        self.layout.unpack(new, &mut new_row);
        self.layout.unpack(old, &mut old_row);
        let mut texts = Vec::new();
        for (slot, words) in self.words {
            // No text is number 0, which has no word and comes first.
            let word = |row: &[i64]| words.word(row[*slot].max(0) as u16);
            texts.push(word(&new_row).cmp(&word(&old_row)));
            (new_row[*slot], old_row[*slot]) = (NULL, NULL);
        }
        texts.into_iter().fold(new_row.cmp(&old_row), std::cmp::Ordering::then)
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

    /// All changes of one measure, whatever their cause: sorted by cell, each cell once, none zero.
    pub fn changes(&self, measure: usize) -> Vec<(u64, i64)> {
        let learned = &self.learned[measure];
        let mut others = learned.iter().filter(|changes| !changes.is_empty());
        let Some(first) = others.next() else { return Vec::new() };
        let mut all = first.clone();
        let one = all.len();
        others.for_each(|changes| all.extend_from_slice(changes));
        if all.len() > one {
            settle(&mut all);
        }
        all
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

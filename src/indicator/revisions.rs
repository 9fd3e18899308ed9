//! What changed between two moments of knowledge, and why.
//!
//! Two tables of the same question are laid beside each other, each read from its own revision under
//! the definitions then in force, and only cells that differ are told. The causes come from the
//! journal: those changes of cells that reach the indicator's measures, conditions, places and days.
//! A change of a stock reaches its day and all later ones. A changed definition or assignment of
//! areas is a cause by itself. Where no cell changed, the sources only reached further: that is `late`
//! for a value that a period which was already over had not had, and `arrived` for the rest, as when
//! a provisional figure becomes final.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use crate::indicator::definition::{Definition, Input, Plan};
use crate::indicator::evaluate::World;
use crate::indicator::layout::{Cell, Layout, Sheet};
use crate::indicator::reading::{Period, Point};
use crate::indicator::settings::MissingPolicy;
use crate::indicator::sum::Pass;
use crate::model::area::Areas;
use crate::model::cube::{cell, day_of};
use crate::model::revision::Cause;
use crate::model::snapshot::MeasureKind;
use crate::model::time::{HOUR, Stamp};

/// How a cell changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RevisionChange")]
pub enum Change {
    /// It has a value and had none.
    Added,
    /// It had a value and has none.
    Removed,
    /// The value, or its numerator or denominator, is another.
    Revised,
    /// The value is the same; its status, the reason of its absence or what is carried into it is another.
    Reflagged,
}

impl Change {
    /// The word used in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Revised => "revised",
            Self::Reflagged => "reflagged",
        }
    }
}

/// What one commit taught about a measure.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    /// The measure.
    pub measure: &'a str,
    /// When it was committed.
    pub at: Stamp,
    /// The revision that it made.
    pub revision: u64,
    /// Why the cells changed.
    pub cause: Cause,
    /// Changes of cells.
    pub changes: &'a [(u64, i64)],
}

/// Why a figure changed, and when that was learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Every cause, each once.
    pub causes: BTreeSet<Cause>,
    /// The first and the last commit that changed it, with their times; `None` if no cell changed.
    pub learned: Option<((Stamp, u64), (Stamp, u64))>,
}

/// One changed figure.
#[derive(Clone, Debug)]
pub struct Revision {
    /// Its period, cut to the days of its list as reported.
    pub period: Period,
    /// Its place, as in [`Cell`].
    pub key: Option<String>,
    /// The name of its place.
    pub title: String,
    /// How it changed.
    pub change: Change,
    /// What was read at the earlier moment.
    pub old: Option<Point>,
    /// What was read at the later moment.
    pub new: Option<Point>,
    /// Why.
    pub evidence: Evidence,
}

/// One moment of knowledge: what was known, what it meant, and the places asked for.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// What was known.
    pub world: &'a World<'a>,
    /// The indicator then, if it existed.
    pub definition: Option<&'a Definition>,
    /// The places by the areas then in force.
    pub layout: &'a Layout,
}

/// All cells that differ between two moments, in the order of the table, and how many do not.
pub fn revisions(old: Moment<'_>, new: Moment<'_>, traces: &Traces) -> (Vec<Revision>, usize) {
    let standing = StandingCauses::between(old, new);
    let mut before: BTreeMap<(usize, Option<String>), Cell> =
        old.read().into_iter().map(|cell| ((cell.bucket, cell.key.clone()), cell)).collect();
    let mut pairs: Vec<(Option<Cell>, Option<Cell>)> = Vec::new();
    for cell in new.read() {
        let known = before.remove(&(cell.bucket, cell.key.clone()));
        pairs.push((known, Some(cell)));
    }
    pairs.extend(before.into_values().map(|cell| (Some(cell), None)));
    pairs.sort_by_key(|(old, new)| new.as_ref().or(old.as_ref()).map(|cell| cell.bucket));
    let all = pairs.len();
    let mut changed = Vec::new();
    for (was, is) in pairs {
        let (was_read, is_read) = (was.as_ref().map(|c| &c.point), is.as_ref().map(|c| &c.point));
        let Some(change) = compare(was_read, is_read) else { continue };
        let Some(at) = is.as_ref().or(was.as_ref()) else { continue };
        let mut evidence = traces.of(at.bucket, at.key.as_deref());
        standing.add(at.key.as_deref(), &mut evidence.causes);
        if evidence.causes.is_empty() {
            let over = at.period.ends() <= old.world.now;
            let late = over && change == Change::Added;
            evidence.causes.insert(if late { Cause::Late } else { Cause::Arrived });
        }
        let (period, key, title) = (at.period.clone(), at.key.clone(), at.title.clone());
        let (old, new) = (was.map(|cell| cell.point), is.map(|cell| cell.point));
        changed.push(Revision { period, key, title, change, old, new, evidence });
    }
    let unchanged = all - changed.len();
    (changed, unchanged)
}

impl Moment<'_> {
    fn read(&self) -> Vec<Cell> {
        self.definition.map_or_else(Vec::new, |found| self.layout.cells(self.world, found))
    }
}

fn compare(old: Option<&Point>, new: Option<&Point>) -> Option<Change> {
    let value = |point: Option<&Point>| point.and_then(|point| point.value);
    match (value(old), value(new)) {
        (None, Some(_)) => return Some(Change::Added),
        (Some(_), None) => return Some(Change::Removed),
        _ => {}
    }
    let (old, new) = (old?, new?);
    let same_flags =
        old.reason == new.reason && (old.status, &old.carried) == (new.status, &new.carried);
    let same_parts = (old.numerator, old.denominator) == (new.numerator, new.denominator);
    // Without a value there is nothing to revise.
    if old.value == new.value && (same_parts || old.value.is_none()) {
        return (!same_flags || !same_parts).then_some(Change::Reflagged);
    }
    Some(Change::Revised)
}

/// Causes that no journal tells: they lie in the definitions.
struct StandingCauses {
    redefined: bool,
    /// Which areas made up each place, where that may differ.
    made_of: Option<[BTreeMap<Option<String>, Vec<String>>; 2]>,
}

impl StandingCauses {
    fn between(old: Moment<'_>, new: Moment<'_>) -> Self {
        let version = |moment: Moment<'_>| moment.definition.map(|found| found.version.clone());
        let same_areas = std::ptr::eq(old.world.areas, new.world.areas);
        Self {
            redefined: version(old) != version(new),
            made_of: (!same_areas)
                .then(|| [old, new].map(|moment| moment.layout.made_of(moment.world.areas))),
        }
    }

    fn add(&self, key: Option<&str>, causes: &mut BTreeSet<Cause>) {
        if self.redefined {
            causes.insert(Cause::Redefined);
        }
        let key = key.map(str::to_owned);
        if self.made_of.as_ref().is_some_and(|[old, new]| old.get(&key) != new.get(&key)) {
            causes.insert(Cause::Rebased);
        }
    }
}

impl Layout {
    /// The areas that count for each place, as `code@list`, sorted.
    fn made_of(&self, areas: &Areas) -> BTreeMap<Option<String>, Vec<String>> {
        let mut made = BTreeMap::new();
        for sheet in &self.sheets {
            for column in &sheet.columns {
                let mut parts: Vec<String> = (0..=areas.highest())
                    .filter(|number| {
                        let slot = sheet.slots.by_area(cell(0, *number, 0));
                        slot.is_some() && (column.slot.is_none() || slot == column.slot)
                    })
                    .filter_map(|number| areas.get(number))
                    .map(|area| format!("{}@{}", area.code, areas.lists()[area.list].name))
                    .collect();
                parts.sort_unstable();
                made.insert(column.key.clone(), parts);
            }
        }
        made
    }
}

/// What the journal says of each cell of a table; fed commit by commit, so that it never has to be
/// in memory as a whole.
pub struct Traces {
    inputs: Vec<Input>,
    sheets: Vec<SheetTraces>,
}

/// Marks of one sheet: periods by columns.
struct SheetTraces {
    sheet: Sheet,
    /// Changes of the period itself.
    own: Vec<Mark>,
    /// Changes of stocks, which reach all later periods too.
    carried: Vec<Mark>,
    /// The column of each slot, and the column of all slots together.
    by_slot: Vec<Option<usize>>,
    whole: Option<usize>,
}

/// A set of causes by their numbers, the first and the last commit.
#[derive(Clone, Copy, Default)]
struct Mark {
    causes: u8,
    learned: Option<((Stamp, u64), (Stamp, u64))>,
}

impl Mark {
    fn merge(&mut self, other: Self) {
        self.causes |= other.causes;
        self.learned = match (self.learned, other.learned) {
            (Some(mine), Some(others)) => Some((mine.0.min(others.0), mine.1.max(others.1))),
            (mine, others) => mine.or(others),
        };
    }
}

impl Traces {
    /// Ready to be fed with what was learned about `definition`.
    pub fn new(world: &World<'_>, definition: &Definition, layout: &Layout) -> Self {
        let mut inputs = Vec::new();
        gather(definition, world, false, &mut inputs);
        Self { inputs, sheets: layout.sheets.iter().map(SheetTraces::new).collect() }
    }

    /// The measures whose changes matter, each once.
    pub fn measures(&self) -> BTreeSet<String> {
        self.inputs.iter().map(|input| input.measure.clone()).collect()
    }

    /// Marks the cells that a commit changed.
    pub fn learn(&mut self, world: &World<'_>, lesson: Lesson<'_>) {
        let commit = (lesson.at, lesson.revision);
        let mark = Mark { causes: 1 << lesson.cause as u8, learned: Some((commit, commit)) };
        let Some(measure) = world.snapshot.measures.get(lesson.measure) else { return };
        for input in self.inputs.iter().filter(|input| input.measure == lesson.measure) {
            for traces in &mut self.sheets {
                let SheetTraces { sheet, own, carried, by_slot, whole } = traces;
                let Some(pass) = Pass::new(input, measure, &sheet.slots) else { continue };
                let stock = input.kind == MeasureKind::Stock || input.is_running;
                let width = sheet.columns.len();
                let marks = if stock { carried } else { own };
                pass.each(lesson.changes, |slot, key, _| {
                    let hour = i64::from(pass.hour(key).unwrap_or(0));
                    let moment = Stamp(day_of(key).start().0 + HOUR * hour);
                    let Some(row) = row(sheet, moment, stock) else { return };
                    let column = by_slot.get(slot).copied().flatten();
                    for column in column.into_iter().chain(*whole) {
                        marks[row * width + column].merge(mark);
                    }
                });
            }
        }
    }

    /// Lets what happened to stocks reach all later periods; called once, after the last lesson.
    pub fn settle(&mut self) {
        for traces in &mut self.sheets {
            let width = traces.sheet.columns.len();
            for column in 0..width {
                let mut running = Mark::default();
                for row in 0..traces.sheet.periods.len() {
                    running.merge(traces.carried[row * width + column]);
                    traces.own[row * width + column].merge(running);
                }
            }
        }
    }

    fn of(&self, bucket: usize, key: Option<&str>) -> Evidence {
        let mut found = Mark::default();
        for traces in &self.sheets {
            let columns = &traces.sheet.columns;
            let column = columns.iter().position(|column| column.key.as_deref() == key);
            let row = traces.sheet.periods.iter().position(|cut| cut.bucket == bucket);
            if let (Some(row), Some(column)) = (row, column) {
                found.merge(traces.own[row * columns.len() + column]);
            }
        }
        let causes = Cause::ALL.into_iter().filter(|cause| found.causes & 1 << *cause as u8 != 0);
        Evidence { causes: causes.collect(), learned: found.learned }
    }
}

impl SheetTraces {
    fn new(sheet: &Sheet) -> Self {
        let cells = sheet.periods.len() * sheet.columns.len();
        let mut by_slot = vec![None; sheet.slots.width()];
        for (at, column) in sheet.columns.iter().enumerate() {
            if let Some(slot) = column.slot.filter(|slot| *slot < by_slot.len()) {
                by_slot[slot] = Some(at);
            }
        }
        Self {
            sheet: sheet.clone(),
            own: vec![Mark::default(); cells],
            carried: vec![Mark::default(); cells],
            by_slot,
            whole: sheet.columns.iter().position(|column| column.slot.is_none()),
        }
    }
}

/// The first period of a sheet that a change of a day, or of an hour that begins then, reaches.
fn row(sheet: &Sheet, moment: Stamp, stock: bool) -> Option<usize> {
    let row = sheet.periods.partition_point(|cut| cut.period.ends() <= moment);
    let found = sheet.periods.get(row)?;
    (stock || found.period.starts() <= moment).then_some(row)
}

/// All inputs behind a definition, through all components.
fn gather(definition: &Definition, world: &World<'_>, is_carried: bool, inputs: &mut Vec<Input>) {
    let all = definition.plan.inputs().chain(definition.expectation.inputs()).cloned();
    // What may be carried over into later periods changes them, too.
    inputs.extend(all.map(|input| Input { is_running: input.is_running || is_carried, ..input }));
    let is_carried = is_carried
        || matches!(definition.plan, Plan::Composite { missing: MissingPolicy::Carry, .. });
    for part in definition.plan.components() {
        if let Some(component) = world.catalogue.part(&part.indicator) {
            gather(component, world, is_carried, inputs);
        }
    }
}

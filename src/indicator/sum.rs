//! Sums over cubes: one pass over the cells fills a dense table of periods by slots.
//!
//! A series of 130 communes over a year is one walk over the year's days, not 47,450 questions. A
//! slot is where a cell goes: the whole province, a commune or district of one list, or one value of
//! a dimension. What lies in no commune of that list has a slot of its own, the last one, so the
//! parts always add up to the province. All sums are whole numbers of 128 bits.

use crate::indicator::definition::{Amount, Input};
use crate::indicator::evaluate::World;
use crate::indicator::reading::Period;
use crate::model::area::{Areas, List, MAX_AREAS};
use crate::model::cube::{Cube, Dimension, HOURS, area_of};
use crate::model::snapshot::{Measure, MeasureKind, Snapshot};
use crate::model::time::Day;

/// An area that is in no list.
const NOWHERE: u16 = u16::MAX;

/// How many area numbers a key has room for.
const AREAS: usize = MAX_AREAS + 1;

/// What the slots are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Whole,
    Communes,
    Districts,
    Values(String),
}

/// Which slot each cell goes to.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    /// By the 12 bits of an area in a key, so that looking up needs no check.
    by_area: Box<[u16; AREAS]>,
    kind: Kind,
    /// The list of communes that completeness is told by.
    list: usize,
    width: usize,
}

impl Slots {
    /// One slot: the province.
    pub(super) fn whole(areas: &Areas) -> Self {
        Self::whole_by(areas, today(areas))
    }

    /// One slot, the province, seen with the communes of a list.
    pub(super) fn whole_by(areas: &Areas, list: usize) -> Self {
        Self::new(areas, Kind::Whole, list, 1, |_| 0)
    }

    /// One slot for each of today's communes, in the order of [`Areas::current`], and one for what
    /// lies in none of them.
    pub(super) fn communes(areas: &Areas) -> Self {
        Self::communes_of(areas, today(areas))
    }

    /// One slot for each commune of a list, by code, and one for what lies in none of them.
    pub(super) fn communes_of(areas: &Areas, list: usize) -> Self {
        let Some(of) = areas.lists().get(list) else { return Self::whole_by(areas, list) };
        let count = of.communes.len();
        let slot = |number| of.position(number).unwrap_or(count);
        Self::new(areas, Kind::Communes, list, count + 1, slot)
    }

    /// One slot for each district of a list, by code, and one for what lies in none of them.
    pub(super) fn districts_of(areas: &Areas, list: usize) -> Self {
        let Some(of) = areas.lists().get(list) else { return Self::whole_by(areas, list) };
        let count = of.districts.len();
        let district = |number| areas.get(of.communes[of.position(number)?])?.district;
        let slot = |number| district(number).unwrap_or(count);
        Self::new(areas, Kind::Districts, list, count + 1, slot)
    }

    /// One slot for each number of a dimension's dictionary, and slot 0 for "no value".
    pub(super) fn values(areas: &Areas, dimension: &str, words: usize) -> Self {
        Self { width: words + 1, kind: Kind::Values(dimension.to_owned()), ..Self::whole(areas) }
    }

    fn new(
        areas: &Areas,
        kind: Kind,
        list: usize,
        width: usize,
        slot: impl Fn(u16) -> usize,
    ) -> Self {
        let mut by_area = Box::new([NOWHERE; AREAS]);
        for (place, number) in by_area.iter_mut().zip(0..=areas.highest()) {
            if areas.get(number).is_some() {
                *place = slot(number) as u16;
            }
        }
        Self { by_area, kind, list, width }
    }

    /// How many slots there are.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Whether the reader may read of a column: everything, or today's communes that are named.
    pub(super) fn is_seen(&self, column: Option<usize>, world: &World<'_>) -> bool {
        let Some(within) = world.within else { return true };
        let is_today = self.kind == Kind::Communes && self.list == today(world.areas);
        let number = column.filter(|_| is_today).and_then(|at| world.areas.current().get(at));
        let area = number.and_then(|number| world.areas.get(*number));
        area.is_some_and(|area| within.contains(&area.code))
    }

    /// Whether the public may be told of a column: the province, or one of today's communes.
    pub(super) fn is_of_public(&self, column: Option<usize>, world: &World<'_>) -> bool {
        let is_today = self.list == today(world.areas);
        match (&self.kind, column) {
            (Kind::Whole | Kind::Communes, None) => true,
            (Kind::Communes, Some(slot)) => is_today && slot < self.width,
            _ => false,
        }
    }

    /// The first day on which the places exist; `None` where that is always: for the province, and for
    /// today's communes, to which history is re-based.
    pub(super) fn since(&self, areas: &Areas) -> Option<Day> {
        let is_always = self.kind == Kind::Whole || self.list == today(areas);
        let list = areas.lists().get(self.list).filter(|_| !is_always)?;
        Some(list.from)
    }

    /// Whether the slots are values of a dimension and not places.
    pub(super) fn by_dimension(&self) -> bool {
        matches!(self.kind, Kind::Values(_))
    }

    fn dimension(&self) -> Option<&str> {
        match &self.kind {
            Kind::Values(name) => Some(name),
            _ => None,
        }
    }

    /// The list of communes that completeness is told by.
    pub(super) fn list<'a>(&self, areas: &'a Areas) -> Option<(usize, &'a List)> {
        Some((self.list, areas.lists().get(self.list)?))
    }

    /// The communes of the list that make up each slot, by their places in the list; `None` where
    /// the slots are not places.
    pub(super) fn members(&self, areas: &Areas) -> Option<Vec<Vec<usize>>> {
        if !matches!(self.kind, Kind::Communes | Kind::Districts) {
            return None;
        }
        let mut members = vec![Vec::new(); self.width];
        for (at, number) in self.list(areas)?.1.communes.iter().enumerate() {
            members[usize::from(self.by_area[usize::from(*number) % AREAS])].push(at);
        }
        Some(members)
    }

    /// The slot of the area in a key.
    #[inline]
    pub(super) fn by_area(&self, key: u64) -> Option<usize> {
        let slot = self.by_area[usize::from(area_of(key)) % AREAS];
        (slot != NOWHERE).then_some(usize::from(slot))
    }
}

/// The place of today's list.
fn today(areas: &Areas) -> usize {
    areas.lists().len().saturating_sub(1)
}

/// The conditions on a cell's dimensions, as few tests on its key as possible.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    mask: u64,
    value: u64,
    any_of: Vec<(Dimension, Vec<u16>)>,
}

impl Filter {
    /// `None` if the measure is not kept by a wanted dimension: then nothing can be told.
    pub(super) fn new(input: &Input, measure: &Measure) -> Option<Self> {
        let mut filter = Self::default();
        for (name, numbers) in &input.wanted {
            let dimension = measure.dimensions.iter().find(|found| found.name == *name)?;
            if let [number] = numbers[..] {
                filter.mask |= ((1 << dimension.bits) - 1) << dimension.shift;
                filter.value |= u64::from(number) << dimension.shift;
            } else {
                filter.any_of.push((dimension.clone(), numbers.clone()));
            }
        }
        Some(filter)
    }

    #[inline]
    fn fits_mask(&self, key: u64) -> bool {
        key & self.mask == self.value
    }

    fn fits(&self, key: u64) -> bool {
        self.fits_mask(key)
            && self.any_of.iter().all(|(dimension, any)| any.contains(&dimension.of(key)))
    }
}

/// Sums of an amount: a table of periods by slots, scaled by the amount's decimals.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    table: Vec<i128>,
    width: usize,
}

impl Sums {
    /// Adds up `amount` over `periods` (ascending), stocks up to `today`.
    pub(super) fn of(
        amount: &Amount,
        snapshot: &Snapshot,
        periods: &[Period],
        slots: &Slots,
        today: Day,
    ) -> Self {
        if periods.windows(2).any(|pair| pair[0].ends() > pair[1].starts()) {
            return Self::overlapping(amount, snapshot, periods, slots, today);
        }
        let mut sums = Self { table: vec![0; periods.len() * slots.width], width: slots.width };
        for input in &amount.inputs {
            // A measure without a cell may not be there at all; what that means, coverage says.
            let Some(measure) = snapshot.measures.get(&input.measure) else { continue };
            let Some(mut pass) = Pass::new(input, measure, slots) else { continue };
            pass.factor = 10_i128.pow(u32::from(amount.decimals - input.scale()));
            if input.subtract {
                pass.factor = -pass.factor;
            }
            match input.kind {
                MeasureKind::Stock => sums.stock(&pass, periods, today, input.over_days),
                MeasureKind::Flow | MeasureKind::Distribution => sums.flow(&pass, periods),
            }
        }
        sums
    }

    /// The same where periods overlap, as the stretches of running totals do: the pieces between all
    /// their bounds do not, and a period is the sum of its pieces, or ends with the last of them.
    fn overlapping(
        amount: &Amount,
        snapshot: &Snapshot,
        periods: &[Period],
        slots: &Slots,
        today: Day,
    ) -> Self {
        let mut bounds: Vec<Day> =
            periods.iter().flat_map(|period| [period.first, period.end]).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let piece =
            |pair: &[Day]| Period { id: String::new(), first: pair[0], end: pair[1], hour: None };
        let pieces: Vec<Period> = bounds.windows(2).map(piece).collect();
        let place = |day: Day| bounds.partition_point(|bound| *bound < day);
        let width = slots.width;
        let mut sums = Self { table: vec![0; periods.len() * width], width };
        for input in &amount.inputs {
            let one = Amount { inputs: vec![input.clone()], decimals: amount.decimals };
            let parts = Self::of(&one, snapshot, &pieces, slots, today).table;
            let is_at_end = input.kind == MeasureKind::Stock && !input.over_days;
            let upto = if is_at_end { parts } else { added_up(parts, width) };
            let before = |row: usize, slot: usize| match row.checked_sub(1) {
                Some(row) => upto[row * width + slot],
                None => 0,
            };
            for (i, period) in periods.iter().enumerate() {
                let (first, end) = (place(period.first), place(period.end));
                for (slot, sum) in sums.row(i).iter_mut().enumerate() {
                    let start = if is_at_end { 0 } else { before(first, slot) };
                    *sum += before(end, slot) - start;
                }
            }
        }
        sums
    }

    /// The sum of a period in one slot, or in all slots for `None`.
    pub(super) fn at(&self, period: usize, slot: Option<usize>) -> i128 {
        let row = &self.table[period * self.width..(period + 1) * self.width];
        slot.map_or_else(|| row.iter().sum(), |slot| row.get(slot).copied().unwrap_or(0))
    }

    fn row(&mut self, period: usize) -> &mut [i128] {
        &mut self.table[period * self.width..(period + 1) * self.width]
    }

    fn flow(&mut self, pass: &Pass<'_>, periods: &[Period]) {
        let Some((first, last)) = pass.cube.extent() else { return };
        for (i, period) in periods.iter().enumerate() {
            let row = self.row(i);
            for day in period.first.max(first).0..period.end.min(last.plus(1)).0 {
                let cells = pass.cube.day(Day(day));
                match period.hour {
                    None => pass.add(cells, pass.factor, row),
                    Some(hour) => pass.each(cells, |slot, key, value| {
                        if pass.hour(key) == Some(hour) {
                            row[slot] += i128::from(value) * pass.factor;
                        }
                    }),
                }
            }
        }
    }

    /// A running sum of all days so far; at the end of each period it is the period's amount, or it
    /// is added up over the days of the period. Days after today do not exist yet, though the cube
    /// may know of them (a due date).
    fn stock(&mut self, pass: &Pass<'_>, periods: &[Period], today: Day, over_days: bool) {
        let mut running = vec![0_i128; self.width];
        let mut days = pass.cube.days().peekable();
        for (i, period) in periods.iter().enumerate() {
            let end = period.end.min(today.plus(1));
            if over_days {
                while let Some((_, cells)) = days.next_if(|(day, _)| *day < period.first.min(end)) {
                    pass.add(cells, 1, &mut running);
                }
                let whole = i128::from((end.0 - period.first.0).max(0)) * pass.factor;
                let row = self.row(i);
                for (sum, amount) in row.iter_mut().zip(&running) {
                    *sum += amount * whole;
                }
                while let Some((day, cells)) = days.next_if(|(day, _)| *day < end) {
                    let factor = i128::from(end.0 - day.0) * pass.factor;
                    pass.each(cells, |slot, _, value| {
                        running[slot] += i128::from(value);
                        row[slot] += i128::from(value) * factor;
                    });
                }
            } else {
                while let Some((_, cells)) = days.next_if(|(day, _)| *day < end) {
                    pass.add(cells, 1, &mut running);
                }
                for (sum, amount) in self.row(i).iter_mut().zip(&running) {
                    *sum += amount * pass.factor;
                }
            }
        }
    }
}

/// Each row of a table with all rows before it.
fn added_up(mut table: Vec<i128>, width: usize) -> Vec<i128> {
    for at in width..table.len() {
        table[at] += table[at - width];
    }
    table
}

/// One walk over a measure's cells.
pub(super) struct Pass<'a> {
    pub(super) cube: &'a Cube,
    filter: Filter,
    slots: &'a Slots,
    dimension: Option<&'a Dimension>,
    /// The dimension of hours, where the measure is kept by them.
    hours: Option<&'a Dimension>,
    factor: i128,
}

impl<'a> Pass<'a> {
    /// `None` if the measure is not kept by a dimension that the walk needs.
    pub(super) fn new(input: &Input, measure: &'a Measure, slots: &'a Slots) -> Option<Self> {
        let find = |name: &str| measure.dimensions.iter().find(|found| found.name == name);
        let dimension = match slots.dimension() {
            Some(name) => Some(find(name)?),
            None => None,
        };
        let filter = Filter::new(input, measure)?;
        let hours = measure.dimensions.iter().find(|found| found.dictionary == HOURS);
        Some(Self { cube: &measure.cube, filter, slots, dimension, hours, factor: 1 })
    }

    /// The hour of the day that a cell is of, where that is known.
    pub(super) fn hour(&self, key: u64) -> Option<u8> {
        self.hours?.of(key).checked_sub(1).map(|hour| hour as u8)
    }

    fn add(&self, cells: &[(u64, i64)], factor: i128, row: &mut [i128]) {
        if let [total] = row {
            let mut sum = 0_i128;
            self.each(cells, |_, _, value| sum += i128::from(value));
            *total += sum * factor;
        } else {
            self.each(cells, |slot, _, value| row[slot] += i128::from(value) * factor);
        }
    }

    /// Calls `take` with slot, key and value of each cell that counts.
    ///
    /// The usual walk, by area with plain conditions, is apart from the others: it is the hot loop.
    #[inline]
    pub(super) fn each(&self, cells: &[(u64, i64)], mut take: impl FnMut(usize, u64, i64)) {
        if self.dimension.is_none() && self.filter.any_of.is_empty() {
            for (key, value) in cells {
                if self.filter.fits_mask(*key)
                    && let Some(slot) = self.slots.by_area(*key)
                {
                    take(slot, *key, *value);
                }
            }
            return;
        }
        for (key, value) in cells.iter().filter(|(key, _)| self.filter.fits(*key)) {
            let Some(by_area) = self.slots.by_area(*key) else { continue };
            let slot = self.dimension.map_or(by_area, |found| usize::from(found.of(*key)));
            if slot < self.slots.width {
                take(slot, *key, *value);
            }
        }
    }
}

/// A whole number scaled by ten to a power, as a number.
pub(super) fn unscaled(sum: i128, decimals: u8) -> f64 {
    if decimals == 0 { sum as f64 } else { sum as f64 / 10_f64.powi(i32::from(decimals)) }
}

/// One scaled whole number by another, rounded once; the caller has made sure that `below` is not 0.
pub(super) fn quotient(above: (i128, u8), below: (i128, u8)) -> f64 {
    let finest = above.1.max(below.1);
    let scaled = |(sum, decimals): (i128, u8)| {
        sum.checked_mul(10_i128.pow(u32::from(finest - decimals))).map(|sum| sum as f64)
    };
    match (scaled(above), scaled(below)) {
        (Some(above), Some(below)) => above / below,
        _ => unscaled(above.0, above.1) / unscaled(below.0, below.1),
    }
}

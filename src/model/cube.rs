//! Cubes: what a measure amounts to by day, area and dimensions.
//!
//! A cell's key is one 64-bit number (20 bits day, 12 bits area, 32 bits dimensions) and its value an
//! `i64`, so a page's changes are sorted and merged without hashing. Days are kept apart and shared:
//! a commit copies only the days it touches, and readers keep the cube they began with.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::row::EARLIEST_DAY;
use crate::model::time::Day;

/// Days per block: enough that a commit clones few pointers, few enough that a block is small.
const BLOCK: i32 = 32;

/// The dimension name under which a distribution keeps its bins.
pub const BIN: &str = "bin";

/// The dictionary of the hours of a local day, `00` to `23`, numbered from 1 in this order.
pub const HOURS: &str = "hour";

/// The words of [`HOURS`].
pub fn hours() -> impl Iterator<Item = String> {
    (0..24).map(|hour| format!("{hour:02}"))
}

/// A dimension of a measure and the bits it takes in a cell's key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Dimension {
    /// As the contract names it: `channel`, `procedure.field`.
    pub name: String,
    /// The dictionary of its values.
    pub dictionary: String,
    /// Lowest bit.
    pub shift: u32,
    /// How many bits.
    pub bits: u32,
}

impl Dimension {
    /// The number of this dimension's value in a key; 0 is "no value".
    pub fn of(&self, key: u64) -> u16 {
        ((key >> self.shift) & ((1 << self.bits) - 1)) as u16
    }
}

/// One cell's key: day, area, dimensions.
#[inline]
pub fn cell(day: i64, area: u16, dimensions: u32) -> u64 {
    ((day - EARLIEST_DAY) as u64) << 44 | u64::from(area & 0xFFF) << 32 | u64::from(dimensions)
}

/// The day of a cell's key.
pub fn day_of(key: u64) -> Day {
    Day((key >> 44) as i32 + EARLIEST_DAY as i32)
}

/// The area number of a cell's key (with or without its day).
pub fn area_of(key: u64) -> u16 {
    (key >> 32 & 0xFFF) as u16
}

/// The cells of one day, sorted by area and dimensions, none of them zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayCells(Vec<(u64, i64)>);

impl DayCells {
    /// The cells: key without the day, value.
    pub fn cells(&self) -> &[(u64, i64)] {
        &self.0
    }

    /// These cells with sorted changes of distinct keys added. A new list, because readers keep
    /// the old one; runs of unchanged cells are copied whole.
    fn with(&self, changes: &[(u64, i64)]) -> Self {
        const WITHOUT_DAY: u64 = (1 << 44) - 1;
        let mut merged = Vec::with_capacity(self.0.len() + changes.len());
        let mut old = &self.0[..];
        for (key, change) in changes {
            let key = key & WITHOUT_DAY;
            let (unchanged, rest) = old.split_at(old.partition_point(|cell| cell.0 < key));
            merged.extend_from_slice(unchanged);
            let before = rest.first().filter(|cell| cell.0 == key).map(|cell| cell.1);
            old = &rest[usize::from(before.is_some())..];
            let after = before.unwrap_or(0) + change;
            if after != 0 {
                merged.push((key, after));
            }
        }
        merged.extend_from_slice(old);
        Self(merged)
    }

    /// Packs the cells.
    pub fn pack(&self, out: &mut Vec<u8>) {
        pack(&self.0, out);
    }

    /// Unpacks what [`DayCells::pack`] wrote; `None` if the bytes are not such.
    pub fn unpack(bytes: &[u8]) -> Option<Self> {
        let mut cells = Vec::new();
        unpack(bytes, &mut cells).then_some(Self(cells))
    }
}

/// Packs pairs that are sorted by key: key differences and zig-zag values as variable-length
/// numbers.
pub fn pack(pairs: &[(u64, i64)], out: &mut Vec<u8>) {
    let mut last = 0;
    for (key, value) in pairs {
        varint(key - last, out);
        varint((value << 1 ^ value >> 63) as u64, out);
        last = *key;
    }
}

/// Appends what [`pack`] wrote to `out`; `false` if the bytes are not such.
#[must_use]
pub fn unpack(mut bytes: &[u8], out: &mut Vec<(u64, i64)>) -> bool {
    let mut key = 0_u64;
    while !bytes.is_empty() {
        let pair = unvarint(&mut bytes).zip(unvarint(&mut bytes));
        let Some((next, value)) =
            pair.and_then(|(step, value)| Some((key.checked_add(step)?, value)))
        else {
            return false;
        };
        key = next;
        out.push((key, (value >> 1) as i64 ^ -((value & 1) as i64)));
    }
    true
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn unvarint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7F).checked_shl(shift)?;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// A measure by day, area and dimensions.
#[derive(Clone, Debug, Default)]
pub struct Cube {
    blocks: BTreeMap<i32, Arc<Vec<Arc<DayCells>>>>,
}

impl Cube {
    /// Adds changes that are sorted by key, each key once; returns the days touched, in order.
    pub fn add(&mut self, changes: &[(u64, i64)]) -> Vec<Day> {
        let mut days = Vec::new();
        for group in changes.chunk_by(|a, b| a.0 >> 44 == b.0 >> 44) {
            let day = day_of(group[0].0);
            let slot = self.slot(day);
            *slot = Arc::new(slot.with(group));
            days.push(day);
        }
        days
    }

    /// Puts a whole day in place, as read from a store.
    pub fn put(&mut self, day: Day, cells: DayCells) {
        *self.slot(day) = Arc::new(cells);
    }

    fn slot(&mut self, day: Day) -> &mut Arc<DayCells> {
        let block = self.blocks.entry(day.0.div_euclid(BLOCK)).or_insert_with(|| {
            Arc::new((0..BLOCK).map(|_| Arc::new(DayCells::default())).collect())
        });
        &mut Arc::make_mut(block)[day.0.rem_euclid(BLOCK) as usize]
    }

    /// The cells of one day; empty if nothing happened on it.
    pub fn day(&self, day: Day) -> &[(u64, i64)] {
        let block = self.blocks.get(&day.0.div_euclid(BLOCK));
        block.map_or(&[], |block| block[day.0.rem_euclid(BLOCK) as usize].cells())
    }

    /// The packed cells of one day.
    pub fn pack(&self, day: Day, out: &mut Vec<u8>) {
        if let Some(block) = self.blocks.get(&day.0.div_euclid(BLOCK)) {
            block[day.0.rem_euclid(BLOCK) as usize].pack(out);
        }
    }

    /// The days that have cells, in order, with their cells.
    pub fn days(&self) -> impl DoubleEndedIterator<Item = (Day, &[(u64, i64)])> {
        self.blocks.iter().flat_map(|(number, block)| {
            let days = block.iter().enumerate().filter(|(_, cells)| !cells.0.is_empty());
            days.map(move |(i, cells)| (Day(number * BLOCK + i as i32), cells.cells()))
        })
    }

    /// The first and the last day with cells.
    pub fn extent(&self) -> Option<(Day, Day)> {
        Some((self.days().next()?.0, self.days().next_back()?.0))
    }
}

/// Sorts changes by key and merges those with the same key; zeros fall away.
pub fn settle(changes: &mut Vec<(u64, i64)>) {
    changes.sort_unstable_by_key(|change| change.0);
    let mut kept = 0;
    for i in 0..changes.len() {
        if kept > 0 && changes[kept - 1].0 == changes[i].0 {
            changes[kept - 1].1 += changes[i].1;
        } else {
            if kept > 0 && changes[kept - 1].1 == 0 {
                kept -= 1;
            }
            changes[kept] = changes[i];
            kept += 1;
        }
    }
    if kept > 0 && changes[kept - 1].1 == 0 {
        kept -= 1;
    }
    changes.truncate(kept);
}

/// Bins of a distribution per doubling: 16, so a bin's middle is within 3.2 % of any value in it.
const BINS_PER_OCTAVE: u32 = 16;

/// The bits that a distribution's bin takes in a cell's key.
pub const BIN_BITS: u32 = 10;

/// The bin of a quantity: exact up to 31, then 16 bins per doubling; 0 for zero and below.
pub fn bin(value: i64) -> u16 {
    let Some(value) = u64::try_from(value).ok().filter(|value| *value > 0) else { return 0 };
    if value < u64::from(BINS_PER_OCTAVE) {
        return value as u16;
    }
    let exponent = value.ilog2() - 4;
    (exponent * BINS_PER_OCTAVE + (value >> exponent) as u32) as u16
}

/// The smallest and the largest quantity of a bin.
pub fn bin_bounds(bin: u16) -> (u64, u64) {
    let bin = u32::from(bin);
    if bin < BINS_PER_OCTAVE * 2 {
        return (u64::from(bin), u64::from(bin));
    }
    let exponent = bin / BINS_PER_OCTAVE - 1;
    let mantissa = u64::from(bin % BINS_PER_OCTAVE + BINS_PER_OCTAVE);
    (mantissa << exponent, ((mantissa + 1) << exponent) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quantity_lies_in_its_bin() {
        for value in (0..5000).chain((0..60).map(|e| 1_i64 << e)).chain([i64::MAX]) {
            let (low, high) = bin_bounds(bin(value));
            assert!((low..=high).contains(&(value as u64)), "{value}: {low}..{high}");
        }
        assert!(u32::from(bin(i64::MAX)) < 1 << BIN_BITS);
        assert_eq!(bin(-5), 0);
        assert!((0..100_000).all(|v| bin(v) <= bin(v + 1)));
    }

    #[test]
    fn changes_are_merged_and_zeros_fall_away() {
        let mut changes = vec![(3, 1), (1, 1), (3, -1), (2, 5), (1, 1), (9, 1), (9, -1)];
        settle(&mut changes);
        assert_eq!(changes, [(1, 2), (2, 5)]);
    }

    #[test]
    fn a_cube_keeps_what_was_added_and_readers_keep_what_they_had() {
        let key = |day: i64, area, dims| cell(EARLIEST_DAY + day, area, dims);
        let mut cube = Cube::default();
        cube.add(&[(key(3, 1, 0), 5), (key(3, 2, 0), 1), (key(40, 1, 7), 2)]);
        let before = cube.clone();
        let touched = cube.add(&[(key(3, 1, 0), -5), (key(3, 3, 0), 1)]);
        assert_eq!(touched.len(), 1);
        assert_eq!(before.day(touched[0]).len(), 2);
        assert_eq!(before.day(touched[0])[0].1, 5);
        assert_eq!(
            cube.day(touched[0]).iter().map(|c| (area_of(c.0), c.1)).collect::<Vec<_>>(),
            [(2, 1), (3, 1)]
        );
        let mut packed = Vec::new();
        cube.pack(touched[0], &mut packed);
        assert_eq!(DayCells::unpack(&packed).unwrap().cells(), cube.day(touched[0]));
    }

    #[test]
    fn damaged_bytes_are_noticed() {
        assert_eq!(DayCells::unpack(&[0x80]), None);
        assert_eq!(DayCells::unpack(&[0xFF; 30]), None);
    }
}

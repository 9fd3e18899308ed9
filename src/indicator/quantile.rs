//! Percentiles from the bins of a distribution.
//!
//! The nearest-rank definition: the smallest quantity that at least the asked share of all
//! quantities does not exceed. A bin stands for its middle, which is exact up to 31 and within 3.2 %
//! above. Entries are gathered and sorted because most of 1024 bins × 130 communes are empty.

use crate::indicator::definition::{Input, Share};
use crate::indicator::reading::Period;
use crate::indicator::sum::{Pass, Slots, unscaled};
use crate::model::cube::{BIN, bin_bounds};
use crate::model::snapshot::Snapshot;
use crate::model::time::Day;

/// Percentiles by period and slot; `None` where there were no quantities.
pub(super) struct Quantiles {
    table: Vec<Option<f64>>,
    all: Vec<Option<f64>>,
    width: usize,
}

/// Slot, bin, how many.
type Entry = (u32, u16, i64);

impl Quantiles {
    /// Reads the percentile of each of `periods` in each slot and in all of them.
    pub(super) fn of(
        input: &Input,
        share: Share,
        snapshot: &Snapshot,
        periods: &[Period],
        slots: &Slots,
    ) -> Self {
        let width = slots.width();
        let mut found = Self {
            table: vec![None; periods.len() * width],
            all: vec![None; periods.len()],
            width,
        };
        let Some(measure) = snapshot.measures.get(&input.measure) else { return found };
        let Some(pass) = Pass::new(input, measure, slots) else { return found };
        let Some(bins) = measure.dimensions.iter().find(|found| found.name == BIN) else {
            return found;
        };
        let Some((first, last)) = pass.cube.extent() else { return found };
        let mut entries: Vec<Entry> = Vec::new();
        for (i, period) in periods.iter().enumerate() {
            entries.clear();
            for day in period.first.max(first).0..period.end.min(last.plus(1)).0 {
                pass.each(pass.cube.day(Day(day)), |slot, key, count| {
                    if period.hour.is_none() || pass.hour(key) == period.hour {
                        entries.push((slot as u32, bins.of(key), count));
                    }
                });
            }
            entries.sort_unstable_by_key(|(slot, bin, _)| (*slot, *bin));
            for group in entries.chunk_by(|a, b| a.0 == b.0) {
                found.table[i * width + group[0].0 as usize] = rank(group, share, input.decimals);
            }
            entries.sort_unstable_by_key(|(_, bin, _)| *bin);
            found.all[i] = rank(&entries, share, input.decimals);
        }
        found
    }

    /// The percentile of a period in one slot, or over all slots for `None`.
    pub(super) fn at(&self, period: usize, slot: Option<usize>) -> Option<f64> {
        match slot {
            Some(slot) => self.table.get(period * self.width + slot).copied().flatten(),
            None => self.all[period],
        }
    }
}

/// The quantity at the asked rank of entries that are sorted by bin.
fn rank(entries: &[Entry], share: Share, decimals: u8) -> Option<f64> {
    let total: i128 = entries.iter().map(|entry| i128::from(entry.2)).sum();
    if total <= 0 {
        return None;
    }
    let rank = (total * share.0 + 9) / 10;
    let mut sum = 0;
    let (_, bin, _) = entries.iter().find(|entry| {
        sum += i128::from(entry.2);
        sum >= rank
    })?;
    let (low, high) = bin_bounds(*bin);
    Some(unscaled(i128::from(low) + i128::from(high), decimals) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rank_is_the_nearest_one() {
        let entries = |bins: &[u16]| bins.iter().map(|bin| (0, *bin, 1)).collect::<Vec<Entry>>();
        let ten: Vec<u16> = (1..=10).collect();
        assert_eq!(rank(&entries(&ten), Share(5), 0), Some(5.0));
        assert_eq!(rank(&entries(&ten), Share(9), 0), Some(9.0));
        assert_eq!(rank(&entries(&[7]), Share(9), 0), Some(7.0));
        assert_eq!(rank(&entries(&[1, 2, 3]), Share(5), 0), Some(2.0));
        assert_eq!(rank(&entries(&[]), Share(5), 0), None);
    }

    #[test]
    fn a_wide_bin_stands_for_its_middle_and_decimals_are_taken_off() {
        // Bin 32 holds 32 and 33.
        assert_eq!(rank(&[(0, 32, 4)], Share(5), 0), Some(32.5));
        assert_eq!(rank(&[(0, 32, 4)], Share(5), 1), Some(3.25));
    }
}

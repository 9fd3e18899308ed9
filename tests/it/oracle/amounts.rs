//! Amounts by name, local day and place, in whole numbers; the last place is the province.
//!
//! A stock is kept as what is added and taken away, so its level at the end of a day is the sum of
//! all days until then. A name is `contract.measure`, with a word after it where only some count.

use std::collections::HashMap;

/// Communes, and the province after them.
pub(super) const PLACES: usize = 131;

/// The province's place.
pub(super) const PROVINCE: usize = PLACES - 1;

/// All amounts; [`Amounts::settle`] is called once between writing and reading.
pub(super) struct Amounts {
    first: i32,
    days: usize,
    /// By day and place; once settled the sum of all days before, so with one day more.
    tables: HashMap<&'static str, Vec<i64>>,
    /// Twice the middle of each quantity's bin.
    quantities: HashMap<(&'static str, i32, usize), Vec<u64>>,
    earliest: HashMap<&'static str, i32>,
}

impl Amounts {
    /// Room for the days `first..end`.
    pub(super) fn new(first: i32, end: i32) -> Self {
        Self {
            first,
            days: (end - first) as usize,
            tables: HashMap::new(),
            quantities: HashMap::new(),
            earliest: HashMap::new(),
        }
    }

    /// Adds to a commune and to the province.
    pub(super) fn add(&mut self, name: &'static str, day: i32, place: usize, amount: i64) {
        if amount == 0 {
            return;
        }
        self.notice(name, day);
        let room = (self.days + 1) * PLACES;
        let table = self.tables.entry(name).or_insert_with(|| vec![0; room]);
        // What is due after the last day that is looked at changes no level that is looked at.
        if day >= self.first + self.days as i32 {
            return;
        }
        let row = (day - self.first) as usize * PLACES;
        table[row + place] += amount;
        table[row + PROVINCE] += amount;
    }

    /// Adds to a stock from one day until another; what ended as it began was never in it.
    pub(super) fn hold(&mut self, name: &'static str, from: i32, until: Option<i32>, place: usize) {
        self.hold_amount(name, (from, until), place, 1);
    }

    /// The same of an amount that stands in the record.
    pub(super) fn hold_amount(
        &mut self,
        name: &'static str,
        (from, until): (i32, Option<i32>),
        place: usize,
        amount: i64,
    ) {
        if until.is_some_and(|until| until <= from) {
            return;
        }
        self.add(name, from, place, amount);
        if let Some(until) = until {
            self.add(name, until, place, -amount);
        }
    }

    /// Adds a quantity to a distribution, whose bins are 16 a doubling and exact below 32.
    pub(super) fn measure(&mut self, name: &'static str, day: i32, place: usize, quantity: u64) {
        self.notice(name, day);
        let width = if quantity < 32 { 1 } else { 1 << (quantity.ilog2() - 4) };
        let low = quantity / width * width;
        for place in [place, PROVINCE] {
            self.quantities.entry((name, day, place)).or_default().push(2 * low + width - 1);
        }
    }

    fn notice(&mut self, name: &'static str, day: i32) {
        assert!(day >= self.first, "{name} begins on day {day}, before {}", self.first);
        let earliest = self.earliest.entry(contract(name)).or_insert(day);
        *earliest = day.min(*earliest);
    }

    /// Turns amounts into sums of all days before.
    pub(super) fn settle(&mut self) {
        for table in self.tables.values_mut() {
            let mut sums = [0_i64; PLACES];
            for row in table.chunks_exact_mut(PLACES) {
                for (sum, cell) in sums.iter_mut().zip(row) {
                    let amount = std::mem::replace(cell, *sum);
                    *sum += amount;
                }
            }
        }
    }

    /// What stood at the beginning of `day`: the sum of all days before it.
    pub(super) fn before(&self, name: &str, day: i32, place: usize) -> i64 {
        let row = (day - self.first).clamp(0, self.days as i32) as usize;
        self.tables.get(name).map_or(0, |table| table[row * PLACES + place])
    }

    /// The quantity that `tenths` of ten do not exceed, by nearest rank, each as its bin's middle.
    pub(super) fn percentile(
        &self,
        name: &'static str,
        (first, end): (i32, i32),
        place: usize,
        tenths: usize,
    ) -> Option<f64> {
        let of_day = |day| self.quantities.get(&(name, day, place));
        let mut all: Vec<u64> = (first..end).filter_map(of_day).flatten().copied().collect();
        all.sort_unstable();
        let rank = (all.len() * tenths).div_ceil(10);
        all.get(rank.checked_sub(1)?).map(|twice| *twice as f64 / 2.0)
    }

    /// The first day of which the contract of a measure knows anything.
    pub(super) fn earliest(&self, name: &str) -> Option<i32> {
        self.earliest.get(contract(name)).copied()
    }
}

fn contract(name: &str) -> &str {
    name.split_once('.').map_or(name, |(contract, _)| contract)
}

#[test]
fn amounts_are_sums_levels_and_ranks() {
    let mut amounts = Amounts::new(100, 110);
    amounts.add("a.sent", 101, 3, 5);
    amounts.add("a.sent", 103, 4, 2);
    amounts.hold("a.open", 102, Some(105), 3);
    amounts.hold("a.open", 104, Some(104), 3);
    amounts.hold("a.open", 104, None, 4);
    for quantity in [7, 64, 67] {
        amounts.measure("b.took", 104, 3, quantity);
    }
    amounts.settle();
    let flow = |place| amounts.before("a.sent", 104, place) - amounts.before("a.sent", 101, place);
    assert_eq!((flow(3), flow(4), flow(5), flow(PROVINCE)), (5, 2, 0, 7));
    let level = |day| amounts.before("a.open", day + 1, PROVINCE);
    assert_eq!([101, 102, 104, 105, 120].map(level), [0, 1, 2, 1, 1]);
    assert_eq!(amounts.percentile("b.took", (104, 105), 3, 5), Some(65.5));
    assert_eq!(amounts.percentile("b.took", (104, 105), PROVINCE, 1), Some(7.0));
    assert_eq!(amounts.percentile("b.took", (105, 106), 3, 5), None);
    assert_eq!((amounts.earliest("a.open"), amounts.earliest("b.took")), (Some(101), Some(104)));
}

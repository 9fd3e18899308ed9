//! What may be relied on when cubes are put together: what is taken back leaves nothing, and parts
//! make the whole, in any order and grouping.

use super::*;
use crate::model::cube::{BIN, Dimension};

/// The cubes of some keys only, as a part of the records kept elsewhere would have them.
fn part(plan: &Plan, said: &[Said], is_mine: impl Fn(u128) -> bool) -> Vec<Cube> {
    let mine: Vec<Said> = said.iter().filter(|one| is_mine(one.key)).cloned().collect();
    folded(plan, &[mine]).1
}

/// One cube added to another, cell by cell, as changes.
fn sum(a: &Cube, b: &Cube) -> Cube {
    let mut whole = a.clone();
    let changes: Vec<_> = cells(b)
        .into_iter()
        .map(|(day, key, amount)| (cell(i64::from(day), 0, 0) | key, amount))
        .collect();
    whole.add(&changes);
    whole
}

fn by_name(plan: &Plan, name: &str) -> usize {
    plan.measures.iter().position(|measure| measure.name == name).unwrap()
}

/// Amounts of all cells by one number of their key.
fn totals(cube: &Cube, number: impl Fn(u64) -> u16) -> std::collections::BTreeMap<u16, i64> {
    let mut totals = std::collections::BTreeMap::new();
    for (_, key, amount) in cells(cube) {
        *totals.entry(number(key)).or_insert(0) += amount;
    }
    totals.retain(|_, amount| *amount != 0);
    totals
}

proptest! {
    #[test]
    fn what_is_withdrawn_leaves_no_trace_in_any_cube(
        kept in prop::collection::vec(said(), 0..30),
        taken in prop::collection::vec(said(), 1..30),
    ) {
        let plan = plan();
        let (_, before) = folded(&plan, std::slice::from_ref(&kept));
        // Others' keys, and withdrawn in a version after all of theirs.
        let taken: Vec<Said> = taken.into_iter().map(|one| Said { key: !one.key, ..one }).collect();
        let withdrawn = taken.iter().map(|one| {
            let mut row = one.row;
            row[7] = moment(60, 0);
            Said { row, retracted: true, ..one.clone() }
        });
        let withdrawn: Vec<Said> = withdrawn.collect();
        let (_, after) = folded(&plan, &[kept, taken, withdrawn]);
        for (a, b) in before.iter().zip(&after) {
            prop_assert_eq!(cells(a), cells(b));
        }
    }

    #[test]
    fn parts_with_keys_of_their_own_make_the_whole_in_any_order_and_grouping(
        said in prop::collection::vec(said(), 0..60),
    ) {
        let plan = plan();
        let (_, whole) = folded(&plan, std::slice::from_ref(&said));
        let [a, b, c] = [0, 1, 2].map(|third| part(&plan, &said, |key| key % 3 == third));
        for (i, whole) in whole.iter().enumerate() {
            let (a, b, c) = (&a[i], &b[i], &c[i]);
            prop_assert_eq!(cells(&sum(&sum(a, b), c)), cells(whole));
            prop_assert_eq!(cells(&sum(a, &sum(b, c))), cells(whole), "grouping");
            prop_assert_eq!(cells(&sum(&sum(c, a), b)), cells(whole), "order");
            prop_assert_eq!(cells(&sum(a, &Cube::default())), cells(a), "nothing added");
            prop_assert_eq!(cells(&sum(&Cube::default(), a)), cells(a), "to nothing");
        }
    }

    #[test]
    fn ratios_and_ranks_of_the_whole_come_from_the_summed_parts(
        said in prop::collection::vec(said(), 1..60),
    ) {
        let plan = plan();
        let (_, whole) = folded(&plan, std::slice::from_ref(&said));
        let parts = [0, 1].map(|half| part(&plan, &said, |key| key % 2 == half));
        let received = by_name(&plan, "dossiers.received");
        let channel = |key| plan.measures[received].dimensions[0].of(key);
        let share = |totals: &std::collections::BTreeMap<u16, i64>| {
            (totals.get(&1).copied().unwrap_or(0), totals.values().sum::<i64>())
        };
        let [one, two] = [0, 1].map(|half| share(&totals(&parts[half][received], channel)));
        let both = share(&totals(&whole[received], channel));
        prop_assert_eq!(both, (one.0 + two.0, one.1 + two.1));
        // A median is taken from bins, and bins are sums like everything else.
        let time = by_name(&plan, "dossiers.time");
        let dimension: &Dimension = plan.measures[time].dimensions.last().unwrap();
        prop_assert_eq!(&dimension.name, BIN);
        let mut bins = totals(&parts[0][time], |key| dimension.of(key));
        for (bin, amount) in totals(&parts[1][time], |key| dimension.of(key)) {
            *bins.entry(bin).or_insert(0) += amount;
        }
        prop_assert_eq!(bins, totals(&whole[time], |key| dimension.of(key)));
    }
}

//! Which periods the sources have covered: the difference between "nothing" and "not known".
//!
//! A period is covered for a contract when one of its streams has got through and its data reach
//! into the period, and when the period does not lie before the first day of which the contract
//! knows anything. The first day is the contract's, not the measure's: while dossiers come in, a day
//! before the first overdue dossier ever had none overdue, and that is a true 0.

use std::collections::{BTreeMap, BTreeSet};

use crate::indicator::definition::Amount;
use crate::indicator::period::Extent;
use crate::indicator::reading::Period;
use crate::model::snapshot::{Snapshot, StreamState};
use crate::model::time::{Day, Stamp};

/// What the streams of one contract cover.
#[derive(Clone, Copy, Debug)]
pub(super) struct Covered {
    first: Day,
    through: Stamp,
}

impl Covered {
    fn holds(self, period: &Period) -> bool {
        // A running total that has not begun yet is of no days at all.
        let has_days = period.first < period.end;
        has_days && period.starts() <= self.through && period.end > self.first
    }
}

/// What is covered, by contract; a contract that covers nothing is not in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Coverage {
    by_contract: BTreeMap<String, Covered>,
}

impl Coverage {
    /// Looks at the streams and cubes of `contracts`.
    pub(super) fn of(contracts: &BTreeSet<String>, snapshot: &Snapshot) -> Self {
        let covered = contracts
            .iter()
            .filter_map(|contract| Some((contract.clone(), covered(contract, snapshot)?)));
        Self { by_contract: covered.collect() }
    }

    /// The first day of which every contract knows something.
    pub(super) fn first(&self) -> Option<Day> {
        self.by_contract.values().map(|covered| covered.first).max()
    }

    /// Whether every input of `amount` is covered in `period`.
    pub(super) fn holds(&self, amount: &Amount, period: &Period) -> bool {
        amount.inputs.iter().all(|input| self.contract_holds(&input.contract, period))
    }

    /// Whether a contract is covered in `period`.
    pub(super) fn contract_holds(&self, contract: &str, period: &Period) -> bool {
        self.by_contract.get(contract).is_some_and(|covered| covered.holds(period))
    }
}

fn covered(contract: &str, snapshot: &Snapshot) -> Option<Covered> {
    let streams = streams_of(contract, snapshot).filter(|stream| stream.last_success.is_some());
    let reach = streams.clone().filter_map(|stream| stream.data_through);
    let through = reach.clone().max()?;
    let cubes = snapshot.measures.values().filter(|measure| measure.contract == contract);
    let first_cell =
        cubes.filter_map(|measure| measure.cube.days().next()).map(|(day, _)| day).min();
    // Without any record, all that is known is that nothing came in since we began to ask.
    let asked = streams.filter_map(|stream| stream.runs.front()).map(|run| run.started);
    let first = first_cell.or_else(|| reach.chain(asked).map(Stamp::day).min())?;
    Some(Covered { first, through })
}

/// The streams whose records keep `contract`.
pub(super) fn streams_of<'a>(
    contract: &'a str,
    snapshot: &'a Snapshot,
) -> impl Iterator<Item = &'a StreamState> + Clone {
    let streams = snapshot.streams.values().map(std::convert::AsRef::as_ref);
    streams.filter(move |stream| stream.contract == contract)
}

/// How far the sources behind `contracts` have come.
pub(super) fn extent(contracts: &BTreeSet<String>, snapshot: &Snapshot) -> Extent {
    let newest: Option<Vec<Stamp>> = contracts
        .iter()
        .map(|contract| covered(contract, snapshot).map(|covered| covered.through))
        .collect();
    Extent {
        newest: newest.and_then(|through| through.into_iter().min()).map(Stamp::day),
        // The day in which the data end is not whole.
        closed: least_through(contracts, snapshot).map(|through| through.day().plus(-1)),
    }
}

/// The time up to which all streams of all `contracts` are complete; `None` while one of them has
/// nothing, or while a contract has no stream.
pub(super) fn least_through(contracts: &BTreeSet<String>, snapshot: &Snapshot) -> Option<Stamp> {
    let least = |contract: &String| {
        let all: Option<Vec<Stamp>> =
            streams_of(contract, snapshot).map(|stream| stream.data_through).collect();
        all?.into_iter().min()
    };
    contracts.iter().map(least).collect::<Option<Vec<_>>>()?.into_iter().min()
}

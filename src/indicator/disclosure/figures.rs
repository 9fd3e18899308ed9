//! What the public could compute: every figure that indicators are made of, and what lies between them.
//!
//! Who knows all dossiers and those filed online knows those that were not. So what must not be small
//! is not a figure alone: for each measure the conditions in use are cut into their smallest pieces
//! (values of a dimension that no condition tells apart stay together, and all that none names are one
//! piece more), and every combination of pieces of conditions that are used together is looked at. To
//! these come the rest of each narrowed measure within all records, what two of them leave, and what
//! lies between numerator and denominator of a ratio.

use std::collections::{BTreeMap, BTreeSet};

use crate::indicator::catalogue::Catalogue;
use crate::indicator::definition::{Amount, Input, Plan};
use crate::model::disclosure::{About, Disclosure, Way};
use crate::model::snapshot::MeasureKind;

/// The measures of a contract whose figures are hidden together.
#[derive(Debug, Default)]
pub(super) struct Family {
    /// The measure that counts all records on the same day.
    pub(super) base: Option<Input>,
    /// Everything that must not be small.
    pub(super) figures: Vec<Amount>,
}

/// How a measure is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It counts all records of this family.
    Base(String),
    /// It is a figure of this family.
    Detail(String),
    /// Of the province only, unless it is small.
    Alone,
    /// Of the province only, as a whole, where the count of this family is told.
    Sum(String),
    /// Of the province only, as a whole, where this stock is told.
    Held(String),
}

/// The figures of one contract.
#[derive(Debug, Default)]
pub(super) struct Figures {
    /// By the property whose day counts.
    pub(super) families: BTreeMap<String, Family>,
    /// By measure.
    pub(super) roles: BTreeMap<String, Role>,
    /// What must not be small for the province, by measure.
    pub(super) alone: BTreeMap<String, Vec<Amount>>,
    /// Stocks that everybody can compute from what came and what went, with these two families.
    pub(super) balances: Vec<(Input, String, String)>,
}

/// A condition: for each narrowed dimension the numbers that count.
type Wanted = Vec<(String, Vec<u16>)>;

impl Figures {
    pub(super) fn of(catalogue: &Catalogue, contract: &str, disclosure: &Disclosure) -> Self {
        let mut inputs: BTreeMap<String, Vec<Input>> = BTreeMap::new();
        let all: Vec<_> = catalogue.all().collect();
        for input in all.iter().flat_map(|definition| definition.plan.inputs()) {
            if input.contract == contract {
                inputs.entry(input.measure.clone()).or_default().push(plain(input));
            }
        }
        let mut found = Self::default();
        for (measure, used) in &inputs {
            found.take(measure, used, disclosure);
        }
        found.rests(disclosure);
        for definition in &all {
            if let Plan::Ratio { numerator, denominator } = &definition.plan {
                found.between(numerator, denominator);
            }
        }
        for family in found.families.values_mut() {
            let mut seen = BTreeSet::new();
            family.figures.retain(|figure| seen.insert(mark(figure)));
        }
        found
    }

    fn take(&mut self, measure: &str, used: &[Input], disclosure: &Disclosure) {
        let Some(disclosed) = disclosure.measures.get(measure) else { return };
        let is_of_persons = disclosure.about == About::Persons;
        let whole = Input { wanted: Vec::new(), ..used[0].clone() };
        let role = match &disclosed.way {
            Way::Count(at) if is_of_persons && !disclosed.is_narrowed => {
                let family = self.families.entry(at.clone()).or_default();
                // A second count of the same is told like any other figure.
                if family.base.is_none() {
                    family.base = Some(whole);
                    Role::Base(at.clone())
                } else {
                    Role::Detail(at.clone())
                }
            }
            Way::Sum(at) if is_of_persons => {
                self.roles.insert(measure.to_owned(), Role::Sum(at.clone()));
                return;
            }
            Way::Count(at) | Way::Sum(at) => Role::Detail(at.clone()),
            Way::Stock(from, until) => {
                if is_of_persons && !disclosed.is_narrowed {
                    self.balances.push((whole, from.clone(), until.clone()));
                }
                Role::Alone
            }
            Way::StockSum(..) if is_of_persons => {
                if let Some(stock) = disclosure.counted(&disclosed.way) {
                    let count = Input { measure: stock.to_owned(), decimals: 0, ..whole };
                    let count = vec![Amount::new(vec![count])];
                    self.alone.entry(stock.to_owned()).or_insert(count);
                    self.roles.insert(measure.to_owned(), Role::Held(stock.to_owned()));
                }
                return;
            }
            Way::StockSum(..) | Way::Distribution => Role::Alone,
        };
        let pieces = pieces(used);
        match &role {
            Role::Base(at) | Role::Detail(at) => {
                self.families.entry(at.clone()).or_default().figures.extend(pieces);
            }
            Role::Alone | Role::Sum(_) | Role::Held(_) => {
                self.alone.insert(measure.to_owned(), pieces);
            }
        }
        self.roles.insert(measure.to_owned(), role);
    }

    /// What narrowed measures leave of all records: each of them, and any two together.
    fn rests(&mut self, disclosure: &Disclosure) {
        for (at, family) in &mut self.families {
            let Some(base) = &family.base else { continue };
            let of_family = |(measure, role): (&String, &Role)| {
                let is_narrowed = disclosure.measures.get(measure).is_some_and(|it| it.is_narrowed);
                (*role == Role::Detail(at.clone()) && is_narrowed).then(|| measure.clone())
            };
            let narrowed: Vec<String> = self.roles.iter().filter_map(of_family).collect();
            let less = |measure: &String| Input {
                measure: measure.clone(),
                subtract: true,
                ..base.clone()
            };
            for (i, one) in narrowed.iter().enumerate() {
                family.figures.push(Amount::new(vec![base.clone(), less(one)]));
                for other in &narrowed[i + 1..] {
                    family.figures.push(Amount::new(vec![base.clone(), less(one), less(other)]));
                }
            }
        }
    }

    /// What lies between a numerator and its denominator, where both are of one family.
    fn between(&mut self, numerator: &Amount, denominator: &Amount) {
        let family = |input: &Input| match self.roles.get(&input.measure) {
            Some(Role::Base(at) | Role::Detail(at)) if !input.over_days => Some(at.clone()),
            _ => None,
        };
        let all = || numerator.inputs.iter().chain(&denominator.inputs);
        let families: Option<BTreeSet<String>> = all().map(family).collect();
        let Some(mut families) = families.filter(|families| families.len() == 1) else { return };
        // Of another contract there may be a family of the same name.
        let contracts: BTreeSet<&str> = all().map(|input| input.contract.as_str()).collect();
        let Some(at) = families.pop_first().filter(|_| contracts.len() == 1) else { return };
        let less = |input: &Input| Input { subtract: !input.subtract, ..input.clone() };
        let inputs = denominator.inputs.iter().cloned().chain(numerator.inputs.iter().map(less));
        let figure =
            Amount::new(inputs.map(|input| Input { is_running: false, ..input }).collect());
        self.families.entry(at).or_default().figures.push(figure);
    }
}

/// The input as it stands in one month, whatever an indicator makes of it.
fn plain(input: &Input) -> Input {
    Input { subtract: false, is_running: false, over_days: false, ..input.clone() }
}

/// What tells one figure from another.
fn mark(figure: &Amount) -> Vec<(String, Wanted, bool)> {
    let mark = |input: &Input| (input.measure.clone(), input.wanted.clone(), input.subtract);
    let mut all: Vec<_> = figure.inputs.iter().map(mark).collect();
    all.sort();
    all
}

/// The smallest parts of a measure that the conditions in use tell apart.
fn pieces(used: &[Input]) -> Vec<Amount> {
    let whole = Input { wanted: Vec::new(), ..used[0].clone() };
    let mut by_dimension: BTreeMap<&str, BTreeSet<&[u16]>> = BTreeMap::new();
    let mut together: BTreeSet<Vec<&str>> = BTreeSet::from([Vec::new()]);
    for input in used {
        let mut names: Vec<&str> = input.wanted.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        together.insert(names);
        for (name, numbers) in &input.wanted {
            by_dimension.entry(name).or_default().insert(numbers);
        }
    }
    let cut: BTreeMap<&str, Vec<Vec<u16>>> =
        by_dimension.into_iter().map(|(name, sets)| (name, parts(&sets))).collect();
    together.iter().flat_map(|names| combinations(&whole, names, &cut)).collect()
}

/// Sets of numbers cut into pieces that lie either in a set or outside it.
fn parts(sets: &BTreeSet<&[u16]>) -> Vec<Vec<u16>> {
    let mut by_sets: BTreeMap<Vec<bool>, Vec<u16>> = BTreeMap::new();
    let numbers: BTreeSet<u16> = sets.iter().flat_map(|set| set.iter().copied()).collect();
    for number in numbers {
        let inside = sets.iter().map(|set| set.contains(&number)).collect();
        by_sets.entry(inside).or_default().push(number);
    }
    by_sets.into_values().collect()
}

/// Every combination of one piece of each dimension, or of what no piece of it has.
fn combinations(whole: &Input, names: &[&str], cut: &BTreeMap<&str, Vec<Vec<u16>>>) -> Vec<Amount> {
    let mut found: Vec<Vec<Input>> = vec![vec![whole.clone()]];
    for name in names {
        let pieces = &cut[name];
        let all: Vec<u16> = pieces.iter().flatten().copied().collect();
        let narrow = |input: &Input, numbers: &[u16], turns: bool| {
            let mut input = input.clone();
            input.wanted.push(((*name).to_owned(), numbers.to_vec()));
            input.subtract ^= turns;
            input
        };
        let mut next = Vec::new();
        for inputs in &found {
            for piece in pieces {
                next.push(inputs.iter().map(|input| narrow(input, piece, false)).collect());
            }
            let others = inputs.iter().map(|input| narrow(input, &all, true));
            next.push(inputs.iter().cloned().chain(others).collect());
        }
        found = next;
    }
    found.into_iter().map(Amount::new).collect()
}

/// Whether an input is of people on days, and not of what there is at the end of a day.
pub(super) fn is_flow(input: &Input) -> bool {
    input.kind == MeasureKind::Flow && !input.over_days
}

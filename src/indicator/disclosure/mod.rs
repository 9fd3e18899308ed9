//! What the public is told: one layer that every figure passes.
//!
//! People of the administration read figures as they are. The public reads them of whole calendar
//! months, quarters and years that are final, of the province and of today's communes, and of these
//! only what says nothing about few people:
//!
//! - counts: unless they are small, or others could be computed from them (`pattern`, `figures`);
//! - a longer period: where all its months are told, so that it says nothing new and no month is
//!   given away by the others;
//! - what there is at the end of a month, and percentiles: of the province only. A balance that
//!   everybody could compute from what came and went is hidden where it is small, by hiding what came in that month;
//! - sums over records about persons: of the province only, as a whole, where their number is told;
//! - whatever is made of several figures: where each of them is told;
//! - of records about things: everything, on the same grid of time and places;
//! - of an indicator that was narrowed by whoever asks ([`crate::indicator::narrow`]): nothing.
//!
//! Withheld ([`NoValue::Suppressed`]) is not 0 and not missing, and does not tell a small figure from
//! one that only protects it. What is not offered at all is [`NoValue::NotPublic`].
//!
//! What this does not do: corrections of final months change them, and who has kept the earlier answer
//! sees the difference; who knows that nothing goes before it came, and adds up all months since the
//! first one, narrows what was hidden of what came to less room than `k` in some places (he recovers
//! none of them: the tests try it); nothing is withheld because one payer makes up most of a sum; and that one
//! condition of a contract implies another is not known.

mod figures;
mod pattern;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use self::figures::{Figures, Role, is_flow};
use self::pattern::{Hidden, Table, is_small};
use crate::indicator::definition::{Amount, Definition, Input};
use crate::indicator::evaluate::World;
use crate::indicator::period::Grain;
use crate::indicator::reading::{NoValue, Period};
use crate::indicator::sum::{Slots, Sums};
use crate::model::disclosure::{About, Disclosure};
use crate::model::snapshot::{Measure, MeasureKind};
use crate::model::time::Day;

/// What is withheld from the public, by contract; found when first asked for, and kept for as long as
/// no measure of the contract changes.
#[derive(Debug, Default)]
pub struct Patterns(Mutex<BTreeMap<String, Kept>>);

#[derive(Debug)]
struct Kept {
    /// The very measures it was made from.
    measures: Vec<Arc<Measure>>,
    /// The first day after its months.
    end: Day,
    pattern: Arc<Pattern>,
}

/// What is withheld of one contract.
#[derive(Debug)]
struct Pattern {
    months: Vec<Period>,
    roles: BTreeMap<String, Role>,
    /// By family and month.
    families: BTreeMap<String, Vec<Hidden>>,
    /// What is told of the province only: by measure and month, whether it is small.
    alone: BTreeMap<String, Vec<bool>>,
}

impl Patterns {
    /// Why the public is not told the value of a period in a column, if it is not.
    pub(super) fn withheld(
        &self,
        world: &World<'_>,
        definition: &Definition,
        (period, is_final): (&Period, bool),
        (slots, column): (&Slots, Option<usize>),
    ) -> Option<NoValue> {
        let is_offered = slots.is_of_public(column, world) && definition.conditions.is_empty();
        if !is_final || !is_offered || months(period).is_none() {
            return Some(NoValue::NotPublic);
        }
        self.withheld_within(world, definition, period, column)
    }

    fn withheld_within(
        &self,
        world: &World<'_>,
        definition: &Definition,
        period: &Period,
        column: Option<usize>,
    ) -> Option<NoValue> {
        let parts = definition.plan.components().iter();
        for part in parts.filter_map(|part| world.catalogue.part(&part.indicator)) {
            let withheld = self.withheld_within(world, part, period, column);
            if withheld.is_some() {
                return withheld;
            }
        }
        let stretch = definition.stretch(world, period);
        if stretch.first >= stretch.end {
            return None;
        }
        let Some(months) = months(&stretch) else { return Some(NoValue::NotPublic) };
        let mut inputs = definition.plan.inputs();
        inputs.find_map(|input| self.input_withheld(world, input, &months, column))
    }

    fn input_withheld(
        &self,
        world: &World<'_>,
        input: &Input,
        months: &[Period],
        column: Option<usize>,
    ) -> Option<NoValue> {
        let Some(facts) = world.contracts.get(&input.contract) else {
            return Some(NoValue::NotPublic);
        };
        if facts.disclosure.about == About::Things {
            return None;
        }
        let pattern = self.pattern(world, &input.contract, &facts.disclosure);
        months.iter().find_map(|month| pattern.withheld(input, month, column))
    }

    fn pattern(&self, world: &World<'_>, contract: &str, disclosure: &Disclosure) -> Arc<Pattern> {
        let all = world.snapshot.measures.values();
        let measures: Vec<_> =
            all.filter(|measure| measure.contract == contract).cloned().collect();
        let end = Period::containing(world.now.day(), Grain::Month).first;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get(contract).filter(|known| known.is_of(&measures, end)) {
            return Arc::clone(&known.pattern);
        }
        let figures = Figures::of(world.catalogue, contract, disclosure);
        let least = i128::from(disclosure.min_count);
        let pattern = Arc::new(Pattern::of(world, &figures, (&measures, end), least));
        let known = Kept { measures, end, pattern: Arc::clone(&pattern) };
        kept.insert(contract.to_owned(), known);
        pattern
    }
}

impl Kept {
    fn is_of(&self, measures: &[Arc<Measure>], end: Day) -> bool {
        let same = |(one, other): (&Arc<Measure>, &Arc<Measure>)| Arc::ptr_eq(one, other);
        self.end == end
            && self.measures.len() == measures.len()
            && self.measures.iter().zip(measures).all(same)
    }
}

impl Pattern {
    fn of(
        world: &World<'_>,
        figures: &Figures,
        (measures, end): (&[Arc<Measure>], Day),
        least: i128,
    ) -> Self {
        let first = measures.iter().filter_map(|measure| Some(measure.cube.extent()?.0)).min();
        let months: Vec<Period> = first
            .map_or_else(Vec::new, |first| Grain::Month.periods(first.min(end), end).collect());
        let counting = Counting { world, months: &months, slots: Slots::communes(world.areas) };
        let mut pattern = Self {
            roles: figures.roles.clone(),
            families: counting.families(figures, least),
            alone: BTreeMap::new(),
            months: Vec::new(),
        };
        pattern.alone = counting.alone(figures, &pattern, least);
        pattern.months = months;
        pattern
    }

    /// Why an input is not told of a month in a column, if it is not.
    fn withheld(&self, input: &Input, month: &Period, column: Option<usize>) -> Option<NoValue> {
        let Some(role) = self.roles.get(&input.measure) else { return Some(NoValue::NotPublic) };
        let is_for_communes = matches!(role, Role::Base(_) | Role::Detail(_)) && is_flow(input);
        let is_whole = input.wanted.is_empty();
        if column.is_some() && !is_for_communes
            || matches!(role, Role::Sum(at) if !is_whole || !self.has_base(at))
            || matches!(role, Role::Held(_)) && !is_whole
        {
            return Some(NoValue::NotPublic);
        }
        let at = self.months.iter().position(|known| known.first == month.first);
        let Some(at) = at else {
            // Before the first record there was nothing, and that is no secret.
            let is_before = self.months.first().is_none_or(|first| month.first < first.first);
            return (!is_before).then_some(NoValue::Suppressed);
        };
        let hidden = |family: &str| &self.families[family][at];
        let is_hidden = match (role, column) {
            (Role::Base(family), None) if is_whole => hidden(family).base_total,
            (Role::Base(family), Some(row)) if is_whole => is_hidden(&hidden(family).base, row),
            (Role::Base(family) | Role::Detail(family), None) => hidden(family).total,
            (Role::Base(family) | Role::Detail(family), Some(row)) => {
                is_hidden(&hidden(family).rows, row)
            }
            (Role::Sum(family), _) => hidden(family).base_total,
            (Role::Alone, _) => self.is_small_alone(&input.measure, at),
            (Role::Held(stock), _) => self.is_small_alone(stock, at),
        };
        is_hidden.then_some(NoValue::Suppressed)
    }

    fn is_small_alone(&self, measure: &str, month: usize) -> bool {
        self.alone.get(measure).is_none_or(|months| months[month])
    }

    /// Whether it is known how many records a sum of this family is over.
    fn has_base(&self, family: &str) -> bool {
        self.roles.values().any(|role| matches!(role, Role::Base(at) if at == family))
    }
}

fn is_hidden(rows: &[bool], row: usize) -> bool {
    rows.get(row).copied().unwrap_or(true)
}

/// What is hidden of a family in a month because of a balance: by commune, and the province.
type Forced<'a> = BTreeMap<(&'a str, usize), (Vec<bool>, bool)>;

/// Counts of all months, by commune.
struct Counting<'a> {
    world: &'a World<'a>,
    months: &'a [Period],
    slots: Slots,
}

impl Counting<'_> {
    fn sums(&self, amount: &Amount) -> Sums {
        let World { snapshot, now, .. } = self.world;
        Sums::of(amount, snapshot, self.months, &self.slots, now.day())
    }

    fn rows(&self, sums: &Sums, month: usize) -> Vec<i128> {
        (0..self.slots.width()).map(|slot| sums.at(month, Some(slot))).collect()
    }

    fn families(&self, figures: &Figures, least: i128) -> BTreeMap<String, Vec<Hidden>> {
        let forced = self.forced(figures, least);
        let nothing = vec![false; self.slots.width()];
        let mut families = BTreeMap::new();
        for (at, family) in &figures.families {
            let base = family.base.as_ref().map(|it| self.sums(&Amount::new(vec![it.clone()])));
            let all: Vec<(Sums, i128)> = family
                .figures
                .iter()
                .map(|figure| (self.sums(figure), 10_i128.pow(u32::from(figure.decimals))))
                .collect();
            let month = |month: usize| {
                let base = base.as_ref().map(|sums| self.rows(sums, month));
                // A part of one is not nobody.
                let whole = |(sums, one): &(Sums, i128)| -> Vec<i128> {
                    let rows = self.rows(sums, month).into_iter();
                    rows.map(
                        |sum| if sum % one == 0 { sum / one } else { sum / one + sum.signum() },
                    )
                    .collect()
                };
                let figures: Vec<Vec<i128>> = all.iter().map(whole).collect();
                let (forced, is_total_forced) =
                    forced.get(&(at.as_str(), month)).map_or((&nothing, false), |it| (&it.0, it.1));
                Table { base: base.as_deref(), figures: &figures, forced, is_total_forced, least }
                    .hide()
            };
            families.insert(at.clone(), (0..self.months.len()).map(month).collect());
        }
        families
    }

    /// The communes whose balance is small at the end of a month, so that of what came in it nothing may be
    /// told, and whether the province's is.
    fn forced<'a>(&self, figures: &'a Figures, least: i128) -> Forced<'a> {
        let mut forced = Forced::new();
        let has_base = |at: &str| figures.families.get(at).is_some_and(|it| it.base.is_some());
        for (stock, from, until) in &figures.balances {
            if !has_base(from) || !has_base(until) {
                continue;
            }
            let sums = self.sums(&Amount::new(vec![stock.clone()]));
            for month in 0..self.months.len() {
                let rows = self.rows(&sums, month);
                let (hidden, total) = forced.entry((from, month)).or_default();
                *total |= is_small(rows.iter().sum(), least);
                hidden.resize(rows.len(), false);
                let small = rows.iter().map(|count| is_small(*count, least));
                hidden.iter_mut().zip(small).for_each(|(hidden, small)| *hidden |= small);
            }
        }
        forced
    }

    /// The months in which a measure that is told of the province only is small; a stock also where it comes
    /// after a month whose counts are hidden for the province: the difference of two would tell.
    fn alone(
        &self,
        figures: &Figures,
        pattern: &Pattern,
        least: i128,
    ) -> BTreeMap<String, Vec<bool>> {
        let is_after = |month: usize| {
            let families = pattern.families.values();
            families.flat_map(|months| &months[..=month]).any(|hidden| hidden.base_total)
        };
        let mut alone = BTreeMap::new();
        for (measure, pieces) in &figures.alone {
            let sums: Vec<Sums> = pieces.iter().map(|piece| self.sums(piece)).collect();
            let is_stock =
                pieces.iter().flat_map(|it| &it.inputs).any(|it| it.kind == MeasureKind::Stock);
            let small = |month: usize| {
                let is_small = |sums: &Sums| is_small(sums.at(month, None), least);
                sums.iter().any(is_small) || is_stock && is_after(month)
            };
            alone.insert(measure.clone(), (0..self.months.len()).map(small).collect());
        }
        alone
    }
}

/// The calendar months that make up a period, if they do.
fn months(period: &Period) -> Option<Vec<Period>> {
    let months: Vec<Period> = Grain::Month.periods(period.first, period.end).collect();
    let is_whole = months.first()?.first == period.first && months.last()?.end == period.end;
    is_whole.then_some(months)
}

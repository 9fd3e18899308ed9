//! What qualifies a value: freshness by both clocks, completeness, the target, quarantine.
//!
//! Each source is judged by the limit of its own contract. A combined indicator would otherwise be
//! late for ever: a daily return is never as young as a contract of minutes asks.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::indicator::coverage::{Coverage, least_through, streams_of};
use crate::indicator::definition::{Amount, Definition, Expectation};
use crate::indicator::evaluate::World;
use crate::indicator::period::Extent;
use crate::indicator::reading::{Completeness, Freshness, FreshnessState, Period, TargetReading};
use crate::indicator::sum::{Slots, Sums, quotient, unscaled};
use crate::indicator::target::judge;
use crate::model::snapshot::{Rebuilding, StreamState};
use crate::model::time::{Day, Stamp};

/// How fresh the data behind an indicator are.
///
/// Without any stream it is never reported. `limit_seconds` is the limit of the source with the
/// oldest data (the strictest of all while one has none), so that age and limit belong together.
pub fn freshness(world: &World<'_>, definition: &Definition) -> Freshness {
    freshness_of(world, &definition.contracts)
}

/// How fresh the data of these contracts are, all together.
pub fn freshness_of(world: &World<'_>, contracts: &BTreeSet<String>) -> Freshness {
    let streams: Vec<(&StreamState, i64)> = contracts
        .iter()
        .flat_map(|contract| {
            let facts = world.contracts.get(contract);
            let limit = facts.map_or(0, |facts| facts.fresh_within.as_seconds());
            streams_of(contract, world.snapshot).map(move |stream| (stream, limit))
        })
        .collect();
    let data_through = least_through(contracts, world.snapshot);
    let age = |through: Stamp| world.now.0 - through.0;
    let late = |(stream, limit): &&(&StreamState, i64)| {
        stream.data_through.is_none_or(|through| age(through) > *limit)
    };
    let mut late_sources: Vec<String> =
        streams.iter().filter(late).map(|(stream, _)| stream.source.clone()).collect();
    late_sources.sort();
    late_sources.dedup();
    let is_paused = |source: &String| world.snapshot.paused.contains_key(source);
    let mut paused_sources: Vec<String> =
        streams.iter().map(|(stream, _)| stream.source.clone()).filter(is_paused).collect();
    paused_sources.sort();
    paused_sources.dedup();
    let limits = streams.iter().filter(|(stream, _)| stream.data_through == data_through);
    let strictest = || streams.iter().map(|(_, limit)| *limit).min();
    let successes: Option<Vec<Stamp>> =
        streams.iter().map(|stream| stream.0.last_success).collect();
    Freshness {
        state: match (data_through, late_sources.is_empty()) {
            (None, _) => FreshnessState::NeverReported,
            (Some(_), false) => FreshnessState::Stale,
            (Some(_), true) => FreshnessState::Fresh,
        },
        last_success_at: successes.and_then(|all| all.into_iter().min()),
        data_through,
        age_seconds: data_through.map(age),
        limit_seconds: limits.map(|(_, limit)| *limit).min().or_else(strictest).unwrap_or(0),
        late_sources,
        paused_sources,
    }
}

/// The days that the sources behind an indicator have reached, for `latest` and `latest_closed`.
pub fn extent(world: &World<'_>, definition: &Definition) -> Extent {
    crate::indicator::coverage::extent(&definition.contracts, world.snapshot)
}

/// Records in quarantine now, over all streams behind an indicator.
pub fn quarantined(world: &World<'_>, definition: &Definition) -> u64 {
    let contracts = definition.contracts.iter();
    contracts
        .flat_map(|contract| streams_of(contract, world.snapshot))
        .map(|stream| stream.quarantined)
        .sum()
}

/// The measures behind an indicator that are being rebuilt, through all components.
pub fn rebuilding(world: &World<'_>, definition: &Definition) -> Vec<(String, Rebuilding)> {
    let all = world.snapshot.rebuilding.iter();
    all.filter(|(measure, _)| definition.measures.contains(*measure))
        .map(|(measure, at)| (measure.clone(), *at))
        .collect()
}

/// Whether the figures of a period that ends at `end` have been published, by every contract behind an
/// indicator that has a calendar of publication.
pub(super) fn is_published(world: &World<'_>, definition: &Definition, end: Stamp) -> bool {
    let facts = definition.contracts.iter().filter_map(|contract| world.contracts.get(contract));
    facts.map(|facts| facts.published_at(end)).all(|at| match at {
        Ok(at) => at.is_none_or(|at| at <= world.now),
        Err(()) => false,
    })
}

/// When a value of a period becomes final by the calendars of publication behind it; nothing where
/// there is none, or where one does not go that far.
pub fn final_at(world: &World<'_>, definition: &Definition, period: &Period) -> Option<Stamp> {
    let facts = definition.contracts.iter().filter_map(|contract| world.contracts.get(contract));
    let all: Result<Vec<_>, ()> = facts.map(|facts| facts.published_at(period.ends())).collect();
    all.ok()?.into_iter().flatten().max()
}

/// How complete the data behind one value are.
pub(super) fn completeness(
    world: &World<'_>,
    definition: &Definition,
    period: &Period,
    (slots, column): (&Slots, Option<usize>),
) -> Completeness {
    let stretch = definition.stretch(world, period);
    let periods = std::slice::from_ref(&*stretch);
    let completion = Completion::of(definition, world, periods, slots);
    let share = completion.share(0, column);
    let missing = match &definition.expectation {
        // Which of those who should report did not is told by their communes: of the reporters
        // themselves only a hash is known.
        Expectation::Measures { .. } => {
            let list = slots.list(world.areas).map_or(0, |(list, _)| list);
            let communes = Slots::communes_of(world.areas, list);
            Completion::of(definition, world, periods, &communes).short(
                world,
                list,
                slots.members(world.areas).zip(column),
            )
        }
        Expectation::Areas(_) | Expectation::Period => completion.missing(0, column, world),
    };
    Completeness {
        ratio: share.ratio,
        expected: share.expected,
        reported: share.reported,
        of: definition.completeness.as_str().to_owned(),
        missing,
    }
}

/// How the value of `period` stands against the target in force on the period's last day, or today
/// while the period is open.
pub fn target(
    world: &World<'_>,
    definition: &Definition,
    period: &Period,
    value: Option<f64>,
) -> TargetReading {
    let day = day_of_judgement(world, period);
    judge(definition.target_on(day), definition.direction, day, value)
}

/// The last day of a period, or today while it is open, or the first day of a period to come.
pub fn day_of_judgement(world: &World<'_>, period: &Period) -> Day {
    period.end.plus(-1).min(world.now.day()).max(period.first)
}

/// How much of what was expected has come in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) ratio: Option<f64>,
    pub(super) expected: f64,
    pub(super) reported: f64,
    /// Something was expected, by a measure of its own, and nothing came.
    pub(super) nobody_reported: bool,
}

/// Completeness for several periods and slots at once.
pub(super) enum Completion {
    /// Seconds of each period: elapsed, and covered by all sources.
    Period(Vec<(i64, i64)>),
    /// The amounts of the communes of one list, whatever the slots of the values are.
    Areas {
        communes: Believed,
        /// The communes of each slot of the values; nothing where every slot has all of them.
        members: Option<Vec<Vec<usize>>>,
        all: Vec<usize>,
        list: usize,
    },
    Measures {
        reported: Believed,
        expected: Believed,
        by_slot: bool,
    },
}

/// Sums that are zero where they are not covered.
pub(super) struct Believed {
    sums: Sums,
    covered: Vec<bool>,
    decimals: u8,
}

impl Believed {
    fn of(
        amount: &Amount,
        world: &World<'_>,
        (periods, coverage): (&[Period], &Coverage),
        slots: &Slots,
    ) -> Self {
        Self {
            sums: Sums::of(amount, world.snapshot, periods, slots, world.now.day()),
            covered: periods.iter().map(|period| coverage.holds(amount, period)).collect(),
            decimals: amount.decimals,
        }
    }

    fn at(&self, period: usize, slot: Option<usize>) -> i128 {
        if self.covered[period] { self.sums.at(period, slot) } else { 0 }
    }
}

impl Completion {
    /// Prepares the answers for values that are kept in `slots`; a breakdown by a dimension has the
    /// completeness of the province in every row.
    pub(super) fn of(
        definition: &Definition,
        world: &World<'_>,
        periods: &[Period],
        slots: &Slots,
    ) -> Self {
        let coverage = Coverage::of(&definition.contracts, world.snapshot);
        // Who is to report does so by the day, however finely a value is read.
        let whole: Cow<'_, [Period]> = if periods.iter().any(|period| period.hour.is_some()) {
            periods.iter().map(Period::of_days).collect()
        } else {
            Cow::Borrowed(periods)
        };
        let when = (&*whole, &coverage);
        match &definition.expectation {
            Expectation::Period => {
                let through = least_through(&definition.contracts, world.snapshot);
                // A running total is not complete while days before all knowledge belong to it.
                let first = coverage.first().filter(|_| definition.is_running());
                let elapsed = |period| elapsed(period, (first, through), world.now);
                Self::Period(periods.iter().map(elapsed).collect())
            }
            Expectation::Areas(amount) => {
                let (list, of) = slots.list(world.areas).unzip();
                let list = list.unwrap_or_default();
                let communes = Slots::communes_of(world.areas, list);
                Self::Areas {
                    communes: Believed::of(amount, world, when, &communes),
                    members: slots.members(world.areas),
                    all: (0..of.map_or(0, |of| of.communes.len())).collect(),
                    list,
                }
            }
            Expectation::Measures { reported, expected } => {
                let whole = Slots::whole(world.areas);
                let by_slot = !slots.by_dimension();
                let slots = if by_slot { slots } else { &whole };
                Self::Measures {
                    reported: Believed::of(reported, world, when, slots),
                    expected: Believed::of(expected, world, when, slots),
                    by_slot,
                }
            }
        }
    }

    pub(super) fn share(&self, period: usize, column: Option<usize>) -> Share {
        match self {
            Self::Period(seconds) => {
                let (expected, reported) = (seconds[period].0 as f64, seconds[period].1 as f64);
                let ratio = (expected > 0.0).then(|| reported / expected);
                Share { ratio, expected, reported, nobody_reported: false }
            }
            Self::Areas { communes, .. } => {
                let asked = self.communes_in(column);
                let has = |slot: &&usize| communes.at(period, Some(**slot)) != 0;
                let reported = asked.iter().filter(has).count() as f64;
                let expected = asked.len() as f64;
                let ratio = (expected > 0.0).then(|| reported / expected);
                Share { ratio, expected, reported, nobody_reported: false }
            }
            Self::Measures { reported, expected, by_slot } => {
                let column = column.filter(|_| *by_slot);
                let (some, all) = (reported.at(period, column), expected.at(period, column));
                let ratio = (all > 0).then(|| {
                    quotient((some, reported.decimals), (all, expected.decimals)).clamp(0.0, 1.0)
                });
                Share {
                    ratio,
                    expected: unscaled(all, expected.decimals),
                    reported: unscaled(some, reported.decimals),
                    nobody_reported: all > 0 && some == 0,
                }
            }
        }
    }

    /// The communes that a column is about, by their places in the list.
    fn communes_in(&self, column: Option<usize>) -> &[usize] {
        match (self, column) {
            (Self::Areas { members: Some(members), .. }, Some(slot)) => {
                members.get(slot).map_or(&[], |members| members)
            }
            (Self::Areas { all, .. }, _) => all,
            _ => &[],
        }
    }

    /// Codes of the communes of a list, or of those of one slot, in which less was reported than
    /// expected, for `measures`.
    fn short(
        &self,
        world: &World<'_>,
        list: usize,
        slot: Option<(Vec<Vec<usize>>, usize)>,
    ) -> Vec<String> {
        let Some(list) = world.areas.lists().get(list) else { return Vec::new() };
        let asked = match slot {
            Some((members, slot)) => members.get(slot).cloned().unwrap_or_default(),
            None => (0..list.communes.len()).collect(),
        };
        let is_short = |at: &usize| {
            let share = self.share(0, Some(*at));
            share.reported < share.expected
        };
        let code = |at: usize| Some(world.areas.get(list.communes[at])?.code.clone());
        asked.into_iter().filter(is_short).filter_map(code).collect()
    }

    /// Codes of the communes among those asked for that have not reported, for `areas`.
    fn missing(&self, period: usize, column: Option<usize>, world: &World<'_>) -> Vec<String> {
        let Self::Areas { communes, list, .. } = self else { return Vec::new() };
        let Some(list) = world.areas.lists().get(*list) else { return Vec::new() };
        let asked = self.communes_in(column).iter();
        asked
            .filter(|at| communes.at(period, Some(**at)) == 0)
            .filter_map(|at| Some(world.areas.get(list.communes[*at])?.code.clone()))
            .collect()
    }
}

/// Seconds of a period that have passed, and those of them that all sources cover.
fn elapsed(
    period: &Period,
    (first, through): (Option<Day>, Option<Stamp>),
    now: Stamp,
) -> (i64, i64) {
    let start = period.starts().0;
    let until = period.ends().0.min(now.0);
    let covered = through.map_or(start, |through| through.0.min(until));
    let known = first.map_or(start, |first| first.start().0.max(start));
    ((until - start).max(0), (covered - known).max(0))
}

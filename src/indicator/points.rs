//! The heart of the evaluation: points of an indicator for periods and columns, in one go.
//!
//! A column is the province (all slots together) or one slot. Floating point begins where whole sums
//! end. The algebra of nothing stands here and nowhere else:
//!
//! | there is | value | reason |
//! |---|---|---|
//! | a measure being rebuilt | null | `rebuilding` |
//! | an amount whose sources have not covered the period | null | `not_reported` |
//! | an amount that is covered, and of nothing | 0: a true zero | |
//! | something made of an amount that is null (sum, ratio, derived) | null | `not_reported` |
//! | expected reports of which none came | null, what did come stays beside it | `not_reported` |
//! | a ratio of anything to a covered 0, `empty_denominator: no_value` | null, 0/0 too | `no_base` |
//! | … `zero` or `full_marks` | 0 or 1 | |
//! | arithmetic that divides by 0 | null | `no_base` |
//! | a percentile of nothing | null | `no_events` |
//! | a running total of which some days are not known | what is known, never final | |
//! | a component that is null, `missing: refuse` | null | `missing_component` |
//! | … `reweight`, `zero` | from the others; null if all are null | `missing_component` |
//! | … `carry` | with its last value of a year, told as `carried`, never final | |
//! | … there is no such value either | null | `missing_component` |
//! | anything that the public may not know ([`crate::indicator::disclosure`]) | null | `suppressed`, `not_public` |
//! | a change from or to null, or as a share of 0 | null | |

use crate::indicator::carry::carry;
use crate::indicator::coverage::{Coverage, least_through};
use crate::indicator::definition::{Amount, CompletenessKind, Definition, Plan};
use crate::indicator::evaluate::World;
use crate::indicator::quality::{Completion, is_published, rebuilding};
use crate::indicator::quantile::Quantiles;
use crate::indicator::reading::{Carried, NoValue, Period, Point, Status};
use crate::indicator::running::Gaps;
use crate::indicator::settings::{Component, EmptyDenominator, MissingPolicy};
use crate::indicator::sum::{Slots, Sums, quotient, unscaled};

/// What is asked: a table of periods by columns.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) world: &'a World<'a>,
    /// Ascending, without overlap.
    pub(super) periods: &'a [Period],
    pub(super) slots: &'a Slots,
    /// Slots to answer for; `None` is all of them together.
    pub(super) columns: &'a [Option<usize>],
}

/// A point, and whether anything at all was counted in it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) point: Point,
    pub(super) occurs: bool,
}

/// A value before completeness and status are known.
#[derive(Clone, Debug)]
struct Raw {
    value: Result<f64, NoValue>,
    numerator: Option<f64>,
    denominator: Option<f64>,
    occurs: bool,
    carried: Vec<Carried>,
}

impl Raw {
    const fn only(value: Result<f64, NoValue>, occurs: bool) -> Self {
        Self { value, numerator: None, denominator: None, occurs, carried: Vec::new() }
    }
}

/// Answers for all periods and columns, period by period.
pub(super) fn points(question: Question<'_>, definition: &Definition) -> Vec<Found> {
    let Question { world, periods, slots, columns } = question;
    if !rebuilding(world, definition).is_empty() {
        return vec![unreadable(NoValue::Rebuilding); periods.len() * columns.len()];
    }
    if periods.iter().any(|period| period.hour.is_some()) && !definition.is_hourly() {
        return vec![unreadable(NoValue::NotReported); periods.len() * columns.len()];
    }
    let asked = periods;
    // A running total is asked for a longer stretch than the period at whose end it stands.
    let stretches = definition.stretches(world, periods);
    let (question, periods) = (Question { periods: &stretches, ..question }, &*stretches);
    let gaps = Gaps::of(world, definition, periods, (slots, columns));
    let raw = raw(question, definition);
    let completion = Completion::of(definition, world, periods, slots);
    let is_told = world.public.is_none() || definition.completeness == CompletenessKind::Period;
    let settled = least_through(&definition.contracts, world.snapshot);
    let mut found = Vec::with_capacity(raw.len());
    let mut raw = raw.into_iter();
    for (i, period) in periods.iter().enumerate() {
        let end = period.ends();
        let is_final = end <= world.now
            && settled.is_some_and(|through| through >= end)
            && is_published(world, definition, end);
        for (at, column) in columns.iter().enumerate() {
            let has_gaps = gaps.as_ref().is_some_and(|gaps| gaps.count(period, at) > 0);
            let mut raw = raw.next().expect("there is a raw value for each period and column");
            if column.is_some_and(|slot| slot >= slots.width()) {
                raw = Raw::only(Err(NoValue::NotReported), false);
            }
            if !slots.is_seen(*column, world) {
                found.push(unreadable(NoValue::OutOfReach));
                continue;
            }
            let withheld = world.public.and_then(|patterns| {
                patterns.withheld(world, definition, (&asked[i], is_final), (slots, *column))
            });
            if let Some(reason) = withheld {
                // Whether anything was counted is withheld with it.
                found.push(Found { occurs: true, ..unreadable(reason) });
                continue;
            }
            let share = completion.share(i, *column);
            if share.nobody_reported {
                withhold(&mut raw);
            }
            let status = match (raw.value, is_final) {
                (Err(_), _) => Status::Missing,
                (Ok(_), true) if !has_gaps && raw.carried.is_empty() => Status::Final,
                (Ok(_), _) => Status::Provisional,
            };
            let point = Point {
                value: raw.value.ok(),
                numerator: raw.numerator,
                denominator: raw.denominator,
                status,
                reason: raw.value.err(),
                completeness_ratio: share.ratio.filter(|_| is_told),
                carried: raw.carried,
            };
            found.push(Found { point, occurs: raw.occurs });
        }
    }
    found
}

/// What is read where there must be no value: while a measure is being rebuilt (a part of it would be
/// a wrong figure), or beyond what the reader may know. Everything that reads cells passes here.
const fn unreadable(reason: NoValue) -> Found {
    let point = Point {
        value: None,
        numerator: None,
        denominator: None,
        status: Status::Missing,
        reason: Some(reason),
        completeness_ratio: None,
        carried: Vec::new(),
    };
    Found { point, occurs: false }
}

/// Nobody of those who should have reported did: what looks like 0 is not known. Amounts that did
/// come in stay, so that the communes still add up to the province.
fn withhold(raw: &mut Raw) {
    raw.value = Err(NoValue::NotReported);
    raw.carried = Vec::new();
    raw.numerator = raw.numerator.filter(|amount| *amount != 0.0);
    raw.denominator = raw.denominator.filter(|amount| *amount != 0.0);
}

fn raw(question: Question<'_>, definition: &Definition) -> Vec<Raw> {
    let Question { world, periods, slots, columns } = question;
    match &definition.plan {
        Plan::Total { amount, divide_by } | Plan::Running { amount, divide_by, .. } => {
            let amount = Known::of(amount, question, definition);
            each(question, |i, column| match amount.at(i, column) {
                Some(sum) => Raw::only(Ok(unscaled(sum, amount.decimals) / divide_by), sum != 0),
                None => Raw::only(Err(NoValue::NotReported), false),
            })
        }
        Plan::Quantile { input, share, divide_by } => {
            let coverage = Coverage::of(&definition.contracts, world.snapshot);
            let quantiles = Quantiles::of(input, *share, world.snapshot, periods, slots);
            each(question, |i, column| {
                let found = quantiles.at(i, column);
                let covered = coverage.contract_holds(&input.contract, &periods[i]);
                let none = if covered { NoValue::NoEvents } else { NoValue::NotReported };
                let value = found.filter(|_| covered).map(|quantity| quantity / divide_by);
                Raw::only(value.ok_or(none), value.is_some())
            })
        }
        Plan::Ratio { numerator, denominator } => {
            let above = Known::of(numerator, question, definition);
            let below = Known::of(denominator, question, definition);
            each(question, |i, column| {
                ratio(&above, &below, (i, column), definition.empty_denominator)
            })
        }
        Plan::Derived { amounts, value } => {
            let amounts: Vec<_> =
                amounts.iter().map(|amount| Known::of(amount, question, definition)).collect();
            each(question, |i, column| {
                let sums: Option<Vec<i128>> =
                    amounts.iter().map(|amount| amount.at(i, column)).collect();
                let Some(sums) = sums else {
                    return Raw::only(Err(NoValue::NotReported), false);
                };
                let terms = sums.iter().zip(&amounts);
                let terms: Vec<_> =
                    terms.map(|(sum, amount)| unscaled(*sum, amount.decimals)).collect();
                let occurs = sums.iter().any(|sum| *sum != 0);
                Raw::only(value.value(&terms).ok_or(NoValue::NoBase), occurs)
            })
        }
        Plan::Composite { components, missing, points } => {
            let parts: Vec<_> =
                components.iter().map(|part| scores(question, part, *missing)).collect();
            let cells = 0..periods.len() * columns.len();
            let combine = |at: usize| {
                let scores =
                    components.iter().zip(&parts).map(|(part, all)| (part.weight, all[at].value));
                let value = weighted(scores, *missing).map(|score| score * points);
                let occurs = parts.iter().any(|all| all[at].occurs);
                let mut raw = Raw::only(value.ok_or(NoValue::MissingComponent), occurs);
                if raw.value.is_ok() {
                    raw.carried = parts.iter().flat_map(|all| all[at].carried.clone()).collect();
                }
                raw
            };
            cells.map(combine).collect()
        }
    }
}

/// Calls `answer` for each period and column, in the order of the table.
fn each(question: Question<'_>, answer: impl Fn(usize, Option<usize>) -> Raw) -> Vec<Raw> {
    let mut table = Vec::with_capacity(question.periods.len() * question.columns.len());
    for i in 0..question.periods.len() {
        table.extend(question.columns.iter().map(|column| answer(i, *column)));
    }
    table
}

/// Sums of an amount, and the periods in which they may be believed.
struct Known {
    sums: Sums,
    covered: Vec<bool>,
    decimals: u8,
}

impl Known {
    fn of(amount: &Amount, question: Question<'_>, definition: &Definition) -> Self {
        let Question { world, periods, slots, .. } = question;
        let coverage = Coverage::of(&definition.contracts, world.snapshot);
        Self {
            sums: Sums::of(amount, world.snapshot, periods, slots, world.now.day()),
            covered: periods.iter().map(|period| coverage.holds(amount, period)).collect(),
            decimals: amount.decimals,
        }
    }

    /// `None` where the sources have not covered the period.
    fn at(&self, period: usize, column: Option<usize>) -> Option<i128> {
        self.covered[period].then(|| self.sums.at(period, column))
    }
}

fn ratio(
    above: &Known,
    below: &Known,
    (period, column): (usize, Option<usize>),
    empty: EmptyDenominator,
) -> Raw {
    let (top, bottom) = (above.at(period, column), below.at(period, column));
    let value = match (top, bottom) {
        (Some(_), Some(0)) => match empty {
            EmptyDenominator::NoValue => Err(NoValue::NoBase),
            EmptyDenominator::Zero => Ok(0.0),
            EmptyDenominator::FullMarks => Ok(1.0),
        },
        (Some(top), Some(bottom)) => Ok(quotient((top, above.decimals), (bottom, below.decimals))),
        _ => Err(NoValue::NotReported),
    };
    Raw {
        value,
        numerator: top.map(|sum| unscaled(sum, above.decimals)),
        denominator: bottom.map(|sum| unscaled(sum, below.decimals)),
        occurs: top.is_some_and(|sum| sum != 0) || bottom.is_some_and(|sum| sum != 0),
        carried: Vec::new(),
    }
}

/// What a component adds to a composite.
#[derive(Clone, Default)]
struct Score {
    /// 0 to 1, where it has a value.
    value: Option<f64>,
    /// Whether anything was counted.
    occurs: bool,
    carried: Vec<Carried>,
}

/// The scores of a component for all periods and columns.
fn scores(question: Question<'_>, part: &Component, missing: MissingPolicy) -> Vec<Score> {
    let Some(definition) = question.world.catalogue.part(&part.indicator) else {
        return vec![Score::default(); question.periods.len() * question.columns.len()];
    };
    let mut found = points(question, definition);
    if missing == MissingPolicy::Carry {
        carry(question, definition, &mut found);
    }
    let score =
        |value: f64| ((value - part.zero_at) / (part.full_at - part.zero_at)).clamp(0.0, 1.0);
    let score = |Found { point, occurs }: Found| Score {
        value: point.value.map(score),
        occurs,
        carried: point.carried,
    };
    found.into_iter().map(score).collect()
}

/// The weighted mean of scores; `None` when the policy asks for what is missing, or nothing is there.
fn weighted(
    scores: impl Iterator<Item = (f64, Option<f64>)>,
    missing: MissingPolicy,
) -> Option<f64> {
    let (mut sum, mut weights, mut present) = (0.0, 0.0, false);
    for (weight, score) in scores {
        match (score, missing) {
            (Some(score), _) => {
                sum += weight * score;
                weights += weight;
                present = true;
            }
            // Where nothing could be carried, nothing is known.
            (None, MissingPolicy::Refuse | MissingPolicy::Carry) => return None,
            (None, MissingPolicy::Reweight) => {}
            (None, MissingPolicy::Zero) => weights += weight,
        }
    }
    present.then(|| sum / weights)
}

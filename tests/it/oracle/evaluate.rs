//! What an indicator must be at a place in a period, from the amounts alone.

use std::collections::HashMap;

use super::amounts::{Amounts, PLACES};
use super::calendar::{Period, begins};
use super::indicators::{Empty, Formula, Indicator, Over, Part, Term, all};

/// The indicators over the amounts.
pub(super) struct Oracle {
    amounts: Amounts,
    indicators: HashMap<&'static str, Indicator>,
}

/// What must be answered; a missing value has its reason.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expected {
    pub(super) value: Result<f64, &'static str>,
    pub(super) numerator: Option<i64>,
    pub(super) denominator: Option<i64>,
    pub(super) completeness: Option<f64>,
    /// Of a running total: some of its days are not known, so it is never final.
    pub(super) has_gaps: bool,
}

impl Oracle {
    pub(super) fn new(mut amounts: Amounts) -> Self {
        amounts.settle();
        let indicators = all().into_iter().map(|indicator| (indicator.id, indicator)).collect();
        Self { amounts, indicators }
    }

    /// The ids of all indicators, in order.
    pub(super) fn ids(&self) -> Vec<&'static str> {
        let mut ids: Vec<_> = self.indicators.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Whether the communes' values themselves add up to the province's.
    pub(super) fn adds_up(&self, id: &str) -> bool {
        matches!(self.indicators[id].formula, Formula::Total(_) | Formula::Running(..))
    }

    /// The value in a period that is over.
    pub(super) fn expect(&self, id: &str, period: &Period, place: usize) -> Expected {
        assert!(place < PLACES);
        let indicator = &self.indicators[id];
        let mut expected = match &indicator.formula {
            Formula::Total(terms) => {
                let sum = self.sum(terms, period, place);
                Expected::only(sum.map(|sum| sum as f64).ok_or("not_reported"))
            }
            Formula::Running(terms, months) => self.running(terms, period, place, *months),
            Formula::Percentile(name, tenths, divisor) => {
                let span = (period.first, period.end);
                let value = self.amounts.percentile(name, span, place, *tenths);
                let none = if self.knows(name, period) { "no_events" } else { "not_reported" };
                Expected::only(value.map(|value| value / divisor).ok_or(none))
            }
            Formula::Ratio(above, below, empty) => {
                let above = self.sum(above, period, place);
                ratio(above, self.sum(below, period, place), *empty)
            }
            Formula::Scaled(factor, above, below) => {
                let above = self.sum(&[*above], period, place);
                let value = match (above, self.sum(&[*below], period, place)) {
                    (Some(_), Some(0)) => Err("no_base"),
                    (Some(above), Some(below)) => Ok(factor * above as f64 / below as f64),
                    _ => Err("not_reported"),
                };
                Expected::only(value)
            }
            Formula::Composite(parts, points) => {
                let value = self.score(parts, period, place).map(|share| share * points);
                Expected::only(value.ok_or("missing_component"))
            }
        };
        if let Some(reported) = indicator.reported {
            self.weigh_returns(&mut expected, period, place, reported);
        }
        expected
    }

    /// A contract tells of a period from the first day of which it knows anything.
    fn knows(&self, name: &str, period: &Period) -> bool {
        self.amounts.earliest(name).is_some_and(|earliest| period.end > earliest)
    }

    fn sum(&self, terms: &[Term], period: &Period, place: usize) -> Option<i64> {
        let is_known = terms.iter().all(|term| self.knows(term.name, period));
        let amounts = terms.iter().map(|term| term.sign * self.amount(term, period, place));
        is_known.then(|| amounts.sum())
    }

    fn running(&self, terms: &[Term], period: &Period, place: usize, months: usize) -> Expected {
        let first = begins(period.end - 1, months);
        let whole = Period { id: String::new(), first, end: period.end };
        let sum = self.sum(terms, &whole, place);
        let earliest = terms.iter().filter_map(|term| self.amounts.earliest(term.name)).max();
        let known = whole.end - earliest.unwrap_or(first).max(first);
        let share = f64::from(known.max(0)) / f64::from(whole.end - first);
        Expected {
            completeness: Some(share),
            has_gaps: share < 1.0,
            ..Expected::only(sum.map(|sum| sum as f64).ok_or("not_reported"))
        }
    }

    fn amount(&self, term: &Term, period: &Period, place: usize) -> i64 {
        let before = |day| self.amounts.before(term.name, day, place);
        match term.over {
            Over::Period => before(period.end) - before(period.first),
            Over::End => before(period.end),
            Over::Days => (period.first..period.end).map(|day| before(day + 1)).sum(),
        }
    }

    fn score(&self, parts: &[Part], period: &Period, place: usize) -> Option<f64> {
        let (mut points, mut weights) = (0.0, 0.0);
        for part in parts {
            if let Ok(value) = self.expect(part.id, period, place).value {
                let share = (value - part.from) / (part.to - part.from);
                points += part.weight * share.clamp(0.0, 1.0);
                weights += part.weight;
            }
        }
        (weights > 0.0).then(|| points / weights)
    }

    /// Where returns were due and none came, nothing is known, least of all a zero.
    fn weigh_returns(
        &self,
        expected: &mut Expected,
        period: &Period,
        place: usize,
        (reports, due): (Term, Term),
    ) {
        let reports = self.sum(&[reports], period, place).unwrap_or(0);
        let due = self.sum(&[due], period, place).unwrap_or(0);
        expected.completeness = (due > 0).then(|| (reports as f64 / due as f64).min(1.0));
        if due > 0 && reports == 0 {
            expected.value = Err("not_reported");
            expected.numerator = expected.numerator.filter(|amount| *amount != 0);
            expected.denominator = expected.denominator.filter(|amount| *amount != 0);
        }
    }
}

impl Expected {
    fn only(value: Result<f64, &'static str>) -> Self {
        let (numerator, denominator) = (None, None);
        Self { value, numerator, denominator, completeness: Some(1.0), has_gaps: false }
    }
}

fn ratio(above: Option<i64>, below: Option<i64>, empty: Empty) -> Expected {
    let value = match (above, below) {
        (Some(_), Some(0)) => match empty {
            Empty::Null => Err("no_base"),
            Empty::Zero => Ok(0.0),
            Empty::One => Ok(1.0),
        },
        (Some(above), Some(below)) => Ok(above as f64 / below as f64),
        _ => Err("not_reported"),
    };
    Expected { numerator: above, denominator: below, ..Expected::only(value) }
}

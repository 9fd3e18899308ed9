//! From selectors to samples: the only place of this interface that reads values.
//!
//! Values come from the same function as those of `/v1` ([`crate::indicator::series`]), all of them
//! from the one snapshot of the request, so whatever is withheld there is not here either. A value
//! stands on the first moment of its bucket and is seen until the bucket ends: the look-back is the
//! length of the bucket. A missing value is no sample. What is asked for is counted before anything is
//! computed.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::expression::{Expression, Moment, Selector};
use super::families::{Chosen, Labels, What, choose};
use crate::indicator::reading::{FreshnessState, Status};
use crate::indicator::{Grain, Period, Place, quality, series};
use crate::model::time::{Day, Stamp};
use crate::serve::context::Asked;

/// The most values that one question may read.
const VALUES: usize = 500_000;

/// The most cells that one question may compute: steps by series, and in ranges by samples too.
const CELLS: usize = 5_000_000;

/// The first day of which there may be records.
const FIRST_DAY: &str = "2000-01-01";

/// The steps at which a question is asked, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub(super) start: i64,
    /// The end as it was asked for: the last step may come before it.
    pub(super) end: i64,
    pub(super) step: i64,
    pub(super) count: usize,
}

impl Grid {
    pub(super) const fn instant(at: i64) -> Self {
        Self { start: at, end: at, step: 1, count: 1 }
    }

    pub(super) fn times(self) -> impl Iterator<Item = i64> {
        (0..self.count as i64).map(move |i| self.start + i * self.step)
    }

    /// The time at which a selector is read at a step.
    pub(super) const fn read_at(self, selector: &Selector, step: i64) -> i64 {
        let at = match selector.moment {
            Moment::Step => step,
            Moment::Start => self.start,
            Moment::End => self.end,
            Moment::At(at) => at,
        };
        at.saturating_sub(selector.offset)
    }
}

/// A series with a value or none in each bucket.
pub(super) struct Line {
    pub(super) labels: Labels,
    pub(super) values: Vec<Option<f64>>,
}

/// Series over the same buckets.
pub(super) struct Table {
    /// First and last millisecond of each bucket, the last one excluded; ascending.
    pub(super) buckets: Vec<(i64, i64)>,
    pub(super) lines: Vec<Line>,
}

/// Reads samples for one question, and remembers what must be said about them.
pub(super) struct Reader<'a> {
    asked: &'a Asked<'a>,
    pub(super) grid: Grid,
    notes: RefCell<BTreeSet<String>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(asked: &'a Asked<'a>, grid: Grid) -> Self {
        Self { asked, grid, notes: RefCell::default() }
    }

    /// What people should know about the values that were read.
    pub(super) fn notes(&self) -> Vec<String> {
        self.notes.borrow().iter().cloned().collect()
    }

    /// Refuses a question that would read or compute too much.
    pub(super) fn admit(&self, question: &Expression) -> Result<(), String> {
        let (mut values, mut cells) = (0_usize, 0_usize);
        question.walk(&mut |part| {
            let (selector, range) = match part {
                Expression::Selector(selector) => (selector, 0),
                Expression::Range(selector, range) => (selector, *range),
                _ => return,
            };
            for chosen in choose(self.asked, &selector.matchers) {
                let periods = self.days(selector, range).map_or(0, |(first, end)| {
                    chosen.grain.periods(first, end).take(VALUES + 1).count()
                });
                let width = chosen.series.len();
                let shortest = bucket_days(chosen.grain) * 86_400_000;
                let each = 1 + (range / shortest).clamp(0, periods as i64) as usize;
                values = values.saturating_add(periods.saturating_mul(width));
                cells = cells
                    .saturating_add(self.grid.count.saturating_mul(width).saturating_mul(each));
            }
        });
        if values > VALUES || cells > CELLS {
            return Err(format!(
                "the question would read {values} values and compute {cells} cells, more than \
                 {VALUES} and {CELLS}; ask for a shorter time, fewer communes, a longer step or a \
                 coarser grain such as grain=\"month\""
            ));
        }
        Ok(())
    }

    /// Whether any series that a selector chooses cannot be added up; its name and the one of the
    /// whole province.
    pub(super) fn ratio(&self, selector: &Selector) -> Option<(String, String)> {
        let chosen = choose(self.asked, &selector.matchers);
        chosen.into_iter().find_map(|chosen| match chosen.family.what {
            What::Values(_) if !chosen.family.definition.adds_up() => {
                let province = chosen.family.definition.family(crate::indicator::Scope::Province);
                Some((chosen.family.name, province))
            }
            _ => None,
        })
    }

    /// All that a selector needs for every step, looking back `range` milliseconds.
    pub(super) fn tables(&self, selector: &Selector, range: i64) -> Vec<Table> {
        let Some(days) = self.days(selector, range) else { return Vec::new() };
        let chosen = choose(self.asked, &selector.matchers);
        chosen.into_iter().map(|chosen| self.table(chosen, days)).collect()
    }

    fn table(&self, chosen: Chosen<'_>, (first, end): (Day, Day)) -> Table {
        let Chosen { family, grain, series: wanted } = chosen;
        let periods: Vec<Period> = grain.periods(first, end).collect();
        let bounds = |period: &Period| (period.first.start().0 * 1000, period.end.start().0 * 1000);
        let buckets: Vec<(i64, i64)> = periods.iter().map(bounds).collect();
        let definition = family.definition;
        let lines = match family.what {
            What::Values(_) => {
                let world = self.asked.world();
                let places: Vec<Place> = wanted.iter().map(|(place, _)| *place).collect();
                let points = series(&world, definition, grain, (first, end), &places);
                let mut lines: Vec<Line> = wanted
                    .into_iter()
                    .map(|(_, labels)| Line { labels, values: Vec::with_capacity(buckets.len()) })
                    .collect();
                let mut provisional = false;
                for (at, (_, _, point)) in points.into_iter().enumerate() {
                    provisional |= point.status == Status::Provisional;
                    let value = point.value.map(|value| definition.in_family_unit(value));
                    let width = lines.len();
                    lines[at % width].values.push(value);
                }
                self.note(&family.name, definition, provisional);
                lines
            }
            What::Info => constant(wanted, &periods, |_| Some(1.0)),
            What::Target => constant(wanted, &periods, |period| {
                let target = definition.target_on(period.end.plus(-1))?;
                Some(definition.in_family_unit(target.value))
            }),
        };
        Table { buckets, lines }
    }

    fn note(&self, name: &str, definition: &crate::indicator::Definition, provisional: bool) {
        let mut notes = self.notes.borrow_mut();
        if provisional {
            notes.insert(format!("{name}: the newest values are provisional and may change"));
        }
        let freshness = quality::freshness(&self.asked.world(), definition);
        if freshness.state != FreshnessState::Fresh {
            let since = freshness.data_through.map_or_else(
                || "its sources have never reported".to_owned(),
                |through| format!("its data reach only to {through}"),
            );
            notes.insert(format!("{name}: stale, {since}"));
        }
    }

    /// The days that a selector can need, none after today.
    fn days(&self, selector: &Selector, range: i64) -> Option<(Day, Day)> {
        let (grid, today) = (self.grid, self.asked.now.day());
        let (one, other) = (grid.read_at(selector, grid.start), grid.read_at(selector, grid.end));
        let from = one.min(other).saturating_sub(range);
        let day = |milliseconds: i64| {
            let seconds = milliseconds.div_euclid(1000);
            // Far beyond every calendar, and far from an overflow.
            Stamp(seconds.clamp(-60_000_000_000, 60_000_000_000)).day()
        };
        let first = day(from).max(Day::parse(FIRST_DAY)?);
        let end = day(one.max(other)).min(today).plus(1);
        (first < end).then_some((first, end))
    }
}

/// The fewest days of a bucket.
const fn bucket_days(grain: Grain) -> i64 {
    match grain {
        Grain::Hour | Grain::Day => 1,
        Grain::Week => 7,
        Grain::Month => 28,
        Grain::Quarter => 90,
        Grain::Year => 365,
    }
}

fn constant(
    wanted: Vec<(Place, Labels)>,
    periods: &[Period],
    value: impl Fn(&Period) -> Option<f64>,
) -> Vec<Line> {
    let values: Vec<Option<f64>> = periods.iter().map(value).collect();
    wanted.into_iter().map(|(_, labels)| Line { labels, values: values.clone() }).collect()
}

impl Table {
    /// The bucket in which a time lies.
    pub(super) fn bucket(&self, at: i64) -> Option<usize> {
        let after = self.buckets.partition_point(|(start, _)| *start <= at);
        let bucket = after.checked_sub(1)?;
        (at < self.buckets[bucket].1).then_some(bucket)
    }

    /// The buckets that begin after `from` and not after `to`.
    pub(super) fn between(&self, from: i64, to: i64) -> std::ops::Range<usize> {
        let index = |at: i64| self.buckets.partition_point(|(start, _)| *start <= at);
        let (first, end) = (index(from), index(to));
        first..end.max(first)
    }
}

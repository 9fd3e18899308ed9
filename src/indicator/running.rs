//! Running totals: everything since a beginning, as it stands at the end of a period.
//!
//! A running total of March since the year began is January, February and March; so the evaluation
//! only has to be asked for a longer *stretch* than the period, and everything that holds of an amount
//! holds of a running total. What it must add is honesty about days nobody knows of: those before the
//! first day of a contract, and those on which nobody of those who should have reported did. They are
//! *gaps*: the value stays, for it is what is known, but it is never final, its completeness says how
//! much is missing, and the reading tells the days. What has not come in yet is no gap; `through` says
//! how far the count goes.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use crate::indicator::coverage::{Coverage, least_through};
use crate::indicator::definition::{Definition, Expectation, Plan};
use crate::indicator::evaluate::World;
use crate::indicator::period::Grain;
use crate::indicator::quality::{Completion, day_of_judgement};
use crate::indicator::reading::{Period, Running};
use crate::indicator::sum::Slots;
use crate::model::time::Day;

/// The most gaps that a reading tells; how many days they are is told in full.
const GAPS: usize = 50;

/// From when on a running total counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// From the first day of the year, quarter or month in which the period ends.
    Start(Grain),
    /// From one day on.
    Day(Day),
}

impl Since {
    /// The first day that counts for a total as it stands on `day`.
    fn first(self, day: Day) -> Day {
        match self {
            Self::Start(grain) => Period::containing(day, grain).first,
            Self::Day(first) => first,
        }
    }

    /// In words, for a formula.
    pub(super) fn text(self) -> String {
        match self {
            Self::Start(grain) => format!("since the {} began", grain.as_str()),
            Self::Day(day) => format!("since {day}"),
        }
    }
}

impl Definition {
    /// The days that the value of a period is over: the period itself, but for a running total.
    pub(super) fn stretch<'p>(&self, world: &World<'_>, period: &'p Period) -> Cow<'p, Period> {
        let Plan::Running { since, .. } = &self.plan else { return Cow::Borrowed(period) };
        // A period before the beginning stays what it is, and is of nothing.
        let first = since.first(day_of_judgement(world, period)).min(period.end);
        Cow::Owned(Period { first, ..period.clone() })
    }

    /// The same for several periods at once.
    pub(super) fn stretches<'p>(
        &self,
        world: &World<'_>,
        periods: &'p [Period],
    ) -> Cow<'p, [Period]> {
        match &self.plan {
            Plan::Running { .. } => {
                periods.iter().map(|period| self.stretch(world, period).into_owned()).collect()
            }
            _ => Cow::Borrowed(periods),
        }
    }
}

/// Which days of the stretches of a running total nobody knows of, by column.
pub(super) struct Gaps {
    first: Day,
    width: usize,
    /// By day and column, how many gaps there were before that day.
    before: Vec<u32>,
}

impl Gaps {
    /// `None` for what is no running total.
    pub(super) fn of(
        world: &World<'_>,
        definition: &Definition,
        stretches: &[Period],
        (slots, columns): (&Slots, &[Option<usize>]),
    ) -> Option<Self> {
        let Plan::Running { .. } = definition.plan else { return None };
        let through = least_through(&definition.contracts, world.snapshot);
        let known = through.map_or(world.now, |through| through.min(world.now)).day();
        let first = stretches.iter().map(|stretch| stretch.first).min()?;
        let end = stretches.iter().map(|stretch| stretch.end).max()?.min(known).max(first);
        let days: Vec<Period> = Grain::Day.periods(first, end).collect();
        let coverage = Coverage::of(&definition.contracts, world.snapshot);
        let is_covered = |day: &Period| {
            definition.contracts.iter().all(|contract| coverage.contract_holds(contract, day))
        };
        let reported = matches!(definition.expectation, Expectation::Measures { .. })
            .then(|| Completion::of(definition, world, &days, slots));
        let width = columns.len();
        let mut before = vec![0; (days.len() + 1) * width];
        for (i, day) in days.iter().enumerate() {
            let covered = is_covered(day);
            for (at, column) in columns.iter().enumerate() {
                let is_silent =
                    || reported.as_ref().is_some_and(|all| all.share(i, *column).nobody_reported);
                let is_gap = !covered || is_silent();
                before[(i + 1) * width + at] = before[i * width + at] + u32::from(is_gap);
            }
        }
        Some(Self { first, width, before })
    }

    fn before(&self, day: Day, column: usize) -> u32 {
        let days = self.before.len() / self.width - 1;
        let at = (day.0 - self.first.0).clamp(0, days as i32) as usize;
        self.before[at * self.width + column]
    }

    /// How many days of a stretch are gaps, for the column at a place among those asked for.
    pub(super) fn count(&self, stretch: &Period, column: usize) -> u32 {
        self.before(stretch.end, column) - self.before(stretch.first, column)
    }

    /// The gaps of a stretch from first to last day.
    fn ranges(&self, stretch: &Period, column: usize) -> Vec<(Day, Day)> {
        let mut ranges: Vec<(Day, Day)> = Vec::new();
        for day in (stretch.first.0..stretch.end.0).map(Day) {
            if self.before(day.plus(1), column) == self.before(day, column) {
                continue;
            }
            match ranges.last_mut() {
                Some((_, last)) if last.plus(1) == day => *last = day,
                _ => ranges.push((day, day)),
            }
        }
        ranges
    }
}

/// What a running total in a reading is over.
pub(super) fn running(
    world: &World<'_>,
    definition: &Definition,
    period: &Period,
    (slots, column): (&Slots, Option<usize>),
) -> Option<Running> {
    let stretch = definition.stretch(world, period);
    let stretches = std::slice::from_ref(&*stretch);
    let gaps = Gaps::of(world, definition, stretches, (slots, &[column]))?;
    let through = least_through(&definition.contracts, world.snapshot).map(|through| {
        let last = stretch.end.plus(-1).min(world.now.day());
        // At midnight nothing of the day has come in.
        Day(last.0.min(through.day().0 - i32::from(through == through.day().start())))
    });
    let mut ranges = gaps.ranges(&stretch, 0);
    ranges.truncate(GAPS);
    Some(Running {
        since: stretch.first,
        through: through.filter(|through| *through >= stretch.first),
        gap_days: gaps.count(&stretch, 0),
        gaps: ranges,
    })
}

impl<'de> Deserialize<'de> for Since {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SinceVisitor)
    }
}

impl Serialize for Since {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Start(grain) => serializer.serialize_str(grain.as_str()),
            Self::Day(day) => day.serialize(serializer),
        }
    }
}

impl JsonSchema for Since {
    fn schema_name() -> Cow<'static, str> {
        "Since".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "From when on a running total counts: the start of the year, quarter or month in which the period ends, or a day.",
            "anyOf": [
                {"type": "string", "enum": ["year", "quarter", "month"]},
                {"type": "string", "format": "date"}
            ]
        })
    }
}

struct SinceVisitor;

impl Visitor<'_> for SinceVisitor {
    type Value = Since;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("year, quarter, month, or a day such as 2024-01-31")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Since, E> {
        let grain = Grain::parse(text).filter(|grain| *grain > Grain::Week).map(Since::Start);
        grain
            .or_else(|| Day::parse(text).map(Since::Day))
            .ok_or_else(|| de::Error::invalid_value(de::Unexpected::Str(text), &self))
    }
}

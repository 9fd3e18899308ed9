//! What is to be reached, and how a value stands against it: one pure function, [`judge`].
//!
//! A target holds from a day on. With `until` it is *to be reached by* that day and holds no longer;
//! without, it is *to be held*, until the next one begins. The rules, in their order:
//!
//! | there is | status |
//! |---|---|
//! | no target in force on the day | `no_target` |
//! | no value | `unknown`: a missing value is no failure |
//! | a value at or beyond the target, to be reached by a day | `done` |
//! | a value at or beyond the target, to be held | `on_track` |
//! | a value short of what is expected by at most `thresholds.on_track` of the way | `on_track` |
//! | … by at most `thresholds.at_risk` of the way | `at_risk` |
//! | … by more | `off_track` |
//!
//! *Expected* is the target itself, or with a baseline the point of the straight line from the baseline
//! on its day to the target on the last day. *The way* is the distance from the baseline to the target,
//! or without a baseline the target. *The gap* is how far the value is beyond what is expected, and
//! *the pace needed* what is left by the days that are left; both count in the better direction, so
//! that a negative gap is bad and a pace is never negative, whether higher or lower is better.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::indicator::reading::{Direction, TargetReading, TargetStatus};
use crate::model::time::Day;

/// Values as close as this to a bound are on it: 0.8 × 0.9 is not quite 0.72.
const ROUNDING: f64 = 1e-9;

/// A percentage as high as this is a mistake: 80 was meant to be 0.8.
const ABSURD_PERCENT: f64 = 10.0;

/// What is to be reached: from when on, by when, and from where.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The first day on which it holds.
    #[serde(deserialize_with = "day")]
    #[schemars(with = "String", extend("format" = "date"))]
    pub from: Day,
    /// The last day on which it holds, and by which it is to be reached; without it, it is to be held
    /// until the next one begins.
    #[serde(default, deserialize_with = "some_day")]
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    pub until: Option<Day>,
    /// In the indicator's unit of measure; percent as a ratio.
    pub value: f64,
    /// Where the way to the target began; needs `until`.
    #[serde(default)]
    pub baseline: Option<Baseline>,
    /// How far a value may fall short.
    #[serde(default)]
    pub thresholds: Thresholds,
}

/// Where the way to a target began.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TargetBaseline")]
pub struct Baseline {
    /// The day of the value.
    #[serde(deserialize_with = "day")]
    #[schemars(with = "String", extend("format" = "date"))]
    pub on: Day,
    /// In the indicator's unit of measure; percent as a ratio.
    pub value: f64,
}

/// How far a value may fall short of what is expected, as shares of the way: from the baseline to the
/// target, or of the target where there is no baseline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "TargetThresholds")]
pub struct Thresholds {
    /// Up to here it is still on track.
    pub on_track: f64,
    /// Up to here it is at risk; beyond, off track.
    pub at_risk: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { on_track: 0.0, at_risk: 0.1 }
    }
}

impl Target {
    /// What is expected on a day.
    pub fn expected_on(&self, day: Day) -> f64 {
        let (Some(baseline), Some(until)) = (self.baseline, self.until) else { return self.value };
        let (elapsed, all) = (day.0 - baseline.on.0, until.0 - baseline.on.0);
        let share = (f64::from(elapsed) / f64::from(all)).clamp(0.0, 1.0);
        baseline.value + (self.value - baseline.value) * share
    }

    /// How far it is to the target, all in all.
    fn way(&self) -> f64 {
        self.baseline.map_or(self.value, |baseline| self.value - baseline.value).abs()
    }

    /// What is left on a day, by the days that are left; 0 when nothing is, `None` when no day is left
    /// or no day was set.
    fn pace_needed(&self, left: f64, day: Day) -> Option<f64> {
        let days = self.until?.0 - day.0;
        match (left > 0.0, days > 0) {
            (false, _) => Some(0.0),
            (true, true) => Some(left / f64::from(days)),
            (true, false) => None,
        }
    }
}

/// The target in force on a day, of targets sorted by the day from which they hold.
pub fn in_force(targets: &[Target], day: Day) -> Option<&Target> {
    let newest = targets.iter().rev().find(|target| target.from <= day)?;
    newest.until.is_none_or(|until| day <= until).then_some(newest)
}

/// How a value of `day` stands against the target in force then; the rules stand at the head of this
/// file.
pub fn judge(
    target: Option<&Target>,
    direction: Direction,
    day: Day,
    value: Option<f64>,
) -> TargetReading {
    let Some(target) = target else { return TargetReading::none(direction) };
    let expected = target.expected_on(day);
    // In the better direction: how far one amount is beyond another.
    let beyond = |amount: f64, other: f64| match direction {
        Direction::Up => amount - other,
        Direction::Down => other - amount,
    };
    let rounding = ROUNDING * target.value.abs().max(1.0);
    let gap = value.map(|value| beyond(value, expected));
    let left = value
        .map(|value| beyond(target.value, value))
        .map(|left| if left <= rounding { 0.0 } else { left });
    let status = match (gap, left) {
        (Some(_), Some(0.0)) if target.until.is_some() => TargetStatus::Done,
        (Some(_), Some(0.0)) => TargetStatus::OnTrack,
        (Some(gap), _) => {
            let within = |share: f64| -gap <= share * target.way() + rounding;
            match (within(target.thresholds.on_track), within(target.thresholds.at_risk)) {
                (true, _) => TargetStatus::OnTrack,
                (false, true) => TargetStatus::AtRisk,
                (false, false) => TargetStatus::OffTrack,
            }
        }
        (None, _) => TargetStatus::Unknown,
    };
    TargetReading {
        status,
        direction,
        value: Some(target.value),
        from: Some(target.from),
        until: target.until,
        baseline: target.baseline,
        expected: Some(expected),
        gap,
        attainment_ratio: value.and_then(|value| attainment(value, target.value, direction)),
        pace_needed: left.and_then(|left| target.pace_needed(left, day)),
    }
}

/// `None` where a quotient says nothing: a target or, when lower is better, a value of 0.
fn attainment(value: f64, target: f64, direction: Direction) -> Option<f64> {
    let (above, below) = match direction {
        Direction::Up => (value, target),
        Direction::Down => (target, value),
    };
    (below != 0.0).then(|| above / below)
}

/// What is wrong with targets as written: the place below the indicator, and the problem.
pub(super) fn problems(
    targets: &[Target],
    direction: Direction,
    is_percent: bool,
) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let mut days = BTreeSet::new();
    for (i, target) in targets.iter().enumerate() {
        let mut problem = |place: &str, text: String| {
            problems.push((format!("targets.{i}.{place}"), text));
        };
        if !days.insert(target.from) {
            problem("from", "two targets begin on the same day".to_owned());
        }
        number("value", target.value, is_percent, &mut problem);
        let next = targets.iter().map(|other| other.from).filter(|from| *from > target.from).min();
        match (target.until, next) {
            (Some(until), _) if until < target.from => {
                problem("until", format!("ends before it begins, on {}", target.from));
            }
            (Some(until), Some(next)) if until >= next => {
                problem("until", format!("reaches into the target that begins on {next}"));
            }
            _ => {}
        }
        if let Some(baseline) = target.baseline {
            number("baseline.value", baseline.value, is_percent, &mut problem);
            baseline_problems(target, baseline, direction, &mut problem);
        }
        let Thresholds { on_track, at_risk } = target.thresholds;
        if !(0.0..=1.0).contains(&at_risk) || !(0.0..=at_risk).contains(&on_track) {
            let text = "0 <= on_track <= at_risk <= 1 must hold: they are shares of the way";
            problem("thresholds", text.to_owned());
        }
    }
    problems
}

fn baseline_problems(
    target: &Target,
    baseline: Baseline,
    direction: Direction,
    problem: &mut impl FnMut(&str, String),
) {
    match target.until {
        None => problem(
            "baseline",
            "needs 'until': without the day by which the target is to be reached there is no pace"
                .to_owned(),
        ),
        Some(until) if baseline.on >= until => {
            problem("baseline.on", format!("must lie before 'until', {until}"));
        }
        Some(_) => {}
    }
    let (is_there, word) = match direction {
        Direction::Up => (baseline.value >= target.value, "higher"),
        Direction::Down => (baseline.value <= target.value, "lower"),
    };
    if is_there {
        problem(
            "baseline.value",
            format!("is at the target already, or beyond it: {word} is better here"),
        );
    }
}

fn number(place: &str, value: f64, is_percent: bool, problem: &mut impl FnMut(&str, String)) {
    if !value.is_finite() {
        problem(place, "must be a number".to_owned());
    } else if is_percent && value >= ABSURD_PERCENT {
        problem(place, format!("percent is written as a ratio: {}", value / 100.0));
    }
}

fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
    let text = String::deserialize(deserializer)?;
    Day::parse(&text).ok_or_else(|| {
        de::Error::custom(format!("'{text}' is not a day; write for example 2024-01-31"))
    })
}

fn some_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Day>, D::Error> {
    day(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn target(written: &serde_json::Value) -> Target {
        serde_json::from_value(written.clone()).unwrap()
    }

    /// From 40 % on 1 January to 80 % on 31 December: 364 days, of which 182 have passed on 2 July.
    fn rising() -> Target {
        target(&serde_json::json!({"from": "2026-01-01", "until": "2026-12-31", "value": 0.8,
            "baseline": {"on": "2026-01-01", "value": 0.4}}))
    }

    /// From 300 on 1 January down to 118 on 31 December.
    fn falling() -> Target {
        target(&serde_json::json!({"from": "2026-01-01", "until": "2026-12-31", "value": 118,
            "baseline": {"on": "2026-01-01", "value": 300}}))
    }

    fn held(value: f64) -> Target {
        target(&serde_json::json!({"from": "2026-01-01", "value": value}))
    }

    fn reached(value: f64) -> Target {
        target(&serde_json::json!({"from": "2026-01-01", "until": "2026-12-31", "value": value}))
    }

    fn near(found: Option<f64>, wanted: Option<f64>) -> bool {
        match (found, wanted) {
            (Some(found), Some(wanted)) => (found - wanted).abs() < 1e-12,
            (found, wanted) => found == wanted,
        }
    }

    /// Target, direction, day, value; status, expected, gap, pace needed for each day.
    type Case = (
        Target,
        Direction,
        &'static str,
        Option<f64>,
        TargetStatus,
        Option<f64>,
        Option<f64>,
        Option<f64>,
    );

    /// Every row is computed by hand.
    #[rustfmt::skip]
    fn table() -> Vec<Case> {
        use Direction::{Down, Up};
        use TargetStatus::{AtRisk, Done, OffTrack, OnTrack, Unknown};
        let lenient = Target { thresholds: Thresholds { on_track: 0.05, at_risk: 0.2 }, ..rising() };
        vec![
            // Half of the time is over: 60 % is expected. 55 % is 5 short, an eighth of the way of 40.
            (rising(), Up, "2026-07-02", Some(0.55), OffTrack, Some(0.6), Some(-0.05), Some(0.25 / 182.0)),
            (lenient, Up, "2026-07-02", Some(0.55), AtRisk, Some(0.6), Some(-0.05), Some(0.25 / 182.0)),
            (lenient, Up, "2026-07-02", Some(0.58), OnTrack, Some(0.6), Some(-0.02), Some(0.22 / 182.0)),
            // Exactly on the bounds: 4 short of 40 is a tenth; nothing short is on track.
            (rising(), Up, "2026-07-02", Some(0.56), AtRisk, Some(0.6), Some(-0.04), Some(0.24 / 182.0)),
            (rising(), Up, "2026-07-02", Some(0.6), OnTrack, Some(0.6), Some(0.0), Some(0.2 / 182.0)),
            // The first day, before it, and the last: no day is left, and none is needed when it is done.
            (rising(), Up, "2026-01-01", Some(0.4), OnTrack, Some(0.4), Some(0.0), Some(0.4 / 364.0)),
            (rising(), Up, "2026-12-31", Some(0.79), AtRisk, Some(0.8), Some(-0.01), None),
            (rising(), Up, "2026-12-31", Some(0.8), Done, Some(0.8), Some(0.0), Some(0.0)),
            // Met early is done; beyond the target the gap is what was won.
            (rising(), Up, "2026-07-02", Some(0.9), Done, Some(0.6), Some(0.3), Some(0.0)),
            // Lower is better: 209 is expected at half time, of a way of 182.
            (falling(), Down, "2026-07-02", Some(209.0), OnTrack, Some(209.0), Some(0.0), Some(0.5)),
            (falling(), Down, "2026-07-02", Some(220.0), AtRisk, Some(209.0), Some(-11.0), Some(102.0 / 182.0)),
            (falling(), Down, "2026-07-02", Some(240.0), OffTrack, Some(209.0), Some(-31.0), Some(122.0 / 182.0)),
            (falling(), Down, "2026-07-02", Some(118.0), Done, Some(209.0), Some(91.0), Some(0.0)),
            // To be held: never done, no pace; the way is the target itself.
            (held(0.8), Up, "2026-07-02", Some(0.8), OnTrack, Some(0.8), Some(0.0), None),
            (held(0.8), Up, "2026-07-02", Some(0.72), AtRisk, Some(0.8), Some(-0.08), None),
            (held(0.8), Up, "2026-07-02", Some(0.719), OffTrack, Some(0.8), Some(-0.081), None),
            (held(0.0), Down, "2026-07-02", Some(1.0), OffTrack, Some(0.0), Some(-1.0), None),
            (held(0.0), Down, "2026-07-02", Some(0.0), OnTrack, Some(0.0), Some(0.0), None),
            // To be reached, from nobody knows where: the target is expected at once.
            (reached(50.0), Up, "2026-12-21", Some(20.0), OffTrack, Some(50.0), Some(-30.0), Some(3.0)),
            (reached(50.0), Up, "2026-12-21", Some(50.0), Done, Some(50.0), Some(0.0), Some(0.0)),
            // Without a value nothing is judged, though what is expected is known.
            (rising(), Up, "2026-07-02", None, Unknown, Some(0.6), None, None),
        ]
    }

    #[test]
    fn a_value_stands_against_its_target_as_computed_by_hand() {
        for (target, direction, day, value, status, expected, gap, pace) in table() {
            let found = judge(Some(&target), direction, on(day), value);
            let what = format!("{value:?} on {day} against {target:?}: {found:?}");
            assert_eq!(found.status, status, "{what}");
            assert!(near(found.expected, expected), "expected {expected:?}: {what}");
            assert!(near(found.gap, gap), "gap {gap:?}: {what}");
            assert!(near(found.pace_needed, pace), "pace {pace:?}: {what}");
            assert_eq!(found.value, Some(target.value));
        }
    }

    #[test]
    fn before_its_baseline_no_more_than_the_baseline_is_expected() {
        let late = Target { from: on("2025-12-01"), ..rising() };
        assert_eq!(judge(Some(&late), Direction::Up, on("2025-12-15"), None).expected, Some(0.4));
    }

    #[test]
    fn a_target_is_in_force_from_its_first_day_until_its_last_or_until_the_next_begins() {
        let targets = [
            target(&serde_json::json!({"from": "2024-01-01", "until": "2024-06-30", "value": 1})),
            target(&serde_json::json!({"from": "2025-01-01", "value": 2})),
            target(&serde_json::json!({"from": "2025-07-01", "value": 3})),
        ];
        let value = |day: &str| in_force(&targets, on(day)).map(|target| target.value);
        for (day, wanted) in [
            ("2023-12-31", None),
            ("2024-01-01", Some(1.0)),
            ("2024-06-30", Some(1.0)),
            ("2024-07-01", None),
            ("2024-12-31", None),
            ("2025-06-30", Some(2.0)),
            ("2026-01-01", Some(3.0)),
        ] {
            assert_eq!(value(day), wanted, "{day}");
        }
        let over =
            judge(in_force(&targets, on("2024-07-01")), Direction::Up, on("2024-07-01"), Some(9.0));
        assert_eq!((over.status, over.value, over.expected), (TargetStatus::NoTarget, None, None));
    }
}

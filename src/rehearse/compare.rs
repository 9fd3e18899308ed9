//! What came out against what a case expects.

use super::case::{Counts, Expect, ExpectedReading};
use super::check::ReadyStep;
use super::show;
use super::stage::{Done, Stage};
use crate::indicator::comparison::Against;
use crate::indicator::reading::NoValue;
use crate::indicator::{By, Definition, Period, Place, Point, Reading, breakdown, quality, value};
use crate::model::declared::dictionary;
use crate::model::observation::Reject;

/// Numbers as close as this are the same.
const ROUNDING: f64 = 1e-9;

/// An expectation that was not met; `at` is its dotted place in the file.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) at: String,
    pub(super) about: String,
    pub(super) expected: String,
    pub(super) actual: String,
}

/// Compares everything that a step expects.
pub(super) fn step(step: &ReadyStep, done: &Done, stage: &Stage<'_>) -> Vec<Found> {
    let mut compare = Compare { at: format!("{}.expect", step.at), found: Vec::new() };
    compare.refusal(&step.expect, done);
    if done.refused.is_none() {
        compare.rows(&step.expect, done, stage);
        compare.rejects(&step.expect, &done.normalised.rejects);
        compare.counts(&step.expect.counts, done);
    }
    for (i, expected) in step.expect.readings.iter().enumerate() {
        compare.reading(&format!("readings.{i}"), expected, stage);
    }
    compare.found
}

struct Compare {
    at: String,
    found: Vec<Found>,
}

impl Compare {
    fn differs(&mut self, at: &str, about: &str, expected: String, actual: String) {
        let at = format!("{}.{at}", self.at);
        self.found.push(Found { at, about: about.to_owned(), expected, actual });
    }

    /// Notes two words that should be the same.
    fn same(&mut self, at: &str, about: &str, expected: &str, actual: &str) {
        if expected != actual {
            self.differs(at, about, expected.to_owned(), actual.to_owned());
        }
    }

    fn refusal(&mut self, expect: &Expect, done: &Done) {
        let words = |refused: bool| if refused { "refused" } else { "read" }.to_owned();
        if expect.refused != done.refused.is_some() {
            let why = done.refused.as_ref().map_or(String::new(), |why| format!(": {why}"));
            let actual = words(done.refused.is_some()) + &why;
            self.differs("refused", "the page", words(expect.refused), actual);
        }
    }

    fn rows(&mut self, expect: &Expect, done: &Done, stage: &Stage<'_>) {
        let (Some(expected), Some(plan)) = (&expect.rows, done.plan) else { return };
        let schema = &stage.config.plans[plan].schema;
        let seen = &done.normalised.observations;
        if expected.len() != seen.len() {
            let words = |count: usize| format!("{count} accepted");
            self.differs("rows", "records", words(expected.len()), words(seen.len()));
        }
        for (i, row) in expected.iter().enumerate().take(seen.len()) {
            for (name, value) in row {
                let Some(slot) = schema.slot(name) else { continue };
                let field = &schema.fields[slot];
                let texts = stage.snapshot.texts.get(&dictionary(&schema.name, name));
                let texts = texts.map(AsRef::as_ref);
                let actual = show::slot(field, seen.row(i)[slot], stage.config, texts);
                // A value that cannot be was told when the case was read.
                let Ok(expected) = show::expected(field, value, stage.config) else { continue };
                if !show::is_same(field, expected.as_deref(), actual.as_deref()) {
                    let words = |text: Option<String>| text.unwrap_or_else(|| "null".to_owned());
                    let at = format!("rows.{i}.{name}");
                    self.differs(&at, name, words(expected), words(actual));
                }
            }
        }
    }

    fn rejects(&mut self, expect: &Expect, rejects: &[Reject]) {
        let words = |reject: Option<&Reject>| {
            reject
                .map_or("accepted".to_owned(), |it| format!("{}: {}", it.reason.as_str(), it.rule))
        };
        let Some(expected) = &expect.rejects else {
            if expect.counts.quarantined.is_none()
                && let Some(first) = rejects.first()
            {
                let actual = format!(
                    "{} in quarantine, the first for {}",
                    rejects.len(),
                    words(Some(first))
                );
                self.differs("rejects", "records", "none in quarantine".to_owned(), actual);
            }
            return;
        };
        if expected.len() != rejects.len() {
            let all: Vec<_> = rejects.iter().map(|reject| words(Some(reject))).collect();
            let actual = format!("{} in quarantine [{}]", rejects.len(), all.join(", "));
            self.differs("rejects", "records", format!("{} in quarantine", expected.len()), actual);
        }
        for (i, (expected, reject)) in expected.iter().zip(rejects).enumerate() {
            let is_rule = expected.rule.as_ref().is_none_or(|rule| *rule == reject.rule);
            if expected.reason != reject.reason || !is_rule {
                let rule =
                    expected.rule.as_deref().map_or(String::new(), |rule| format!(": {rule}"));
                let expected = format!("{}{rule}", expected.reason.as_str());
                self.differs(&format!("rejects.{i}"), "the record", expected, words(Some(reject)));
            }
        }
    }

    fn counts(&mut self, expected: &Counts, done: &Done) {
        let (records, normalised) = (&done.records, &done.normalised);
        let withdrawn = normalised.observations.retracted.iter().filter(|it| **it).count() as u64;
        let all = [
            ("received", expected.received, records.received),
            ("accepted", expected.accepted, records.accepted),
            ("superseded", expected.superseded, records.superseded),
            ("duplicate", expected.duplicate, records.duplicate),
            ("quarantined", expected.quarantined, records.quarantined),
            ("withdrawn", expected.withdrawn, withdrawn),
            ("unknown_codes", expected.unknown_codes, normalised.unknown_codes()),
            ("warnings", expected.warnings, normalised.warnings()),
        ];
        for (name, expected, actual) in all {
            if let Some(expected) = expected {
                let at = format!("counts.{name}");
                self.same(&at, name, &expected.to_string(), &actual.to_string());
            }
        }
        if !records.balances() {
            let (expected, actual) = (records.received.to_string(), format!("{records:?}"));
            self.differs("counts", "a fault of the gateway: records", expected, actual);
        }
    }

    fn reading(&mut self, at: &str, expected: &ExpectedReading, stage: &Stage<'_>) {
        let world = stage.world();
        // What is missing here was told when the case was read.
        let Some(definition) = stage.config.catalogue.get(&expected.indicator) else { return };
        let extent = quality::extent(&world, definition);
        let Ok(period) = Period::parse(&expected.period.0, stage.now.day(), extent) else { return };
        let code = expected.area.as_ref();
        let place = code.and_then(|code| stage.config.areas.current_by_code(&code.0));
        let place = place.map_or(Place::Province, Place::Commune);
        let reading = value(&world, definition, &period, place);
        let Some(point) = point(expected, &reading, stage, definition, &period) else {
            let words: Vec<_> = expected.by.values().map(|word| word.0.clone()).collect();
            let about = format!("{} of {}", expected.indicator, period.id);
            return self.differs(at, &about, words.concat(), "no such part".to_owned());
        };
        self.point(at, expected, &point);
        self.qualifiers(at, expected, &reading);
        let beside = [
            ("previous", expected.previous, Against::Previous),
            ("year_ago", expected.year_ago, Against::YearAgo),
        ];
        for (key, wanted, against) in beside {
            let Some(wanted) = wanted else { continue };
            let (earlier, _) = against.part(&period, stage.now.day());
            let found = value(&world, definition, &earlier, place).point;
            self.number((at, key), expected, wanted, (found.value, found.reason));
        }
    }

    fn point(&mut self, at: &str, expected: &ExpectedReading, point: &Point) {
        let name = &expected.indicator;
        let numbers = [
            ("value", expected.value, point.value),
            ("numerator", expected.numerator, point.numerator),
            ("denominator", expected.denominator, point.denominator),
            ("completeness", expected.completeness, point.completeness_ratio),
        ];
        for (key, wanted, actual) in numbers {
            if let Some(wanted) = wanted {
                self.number((at, key), expected, wanted, (actual, point.reason));
            }
        }
        if let Some(expected) = expected.status {
            self.same(
                &format!("{at}.status"),
                &format!("{name}: status"),
                &word(&expected),
                &word(&point.status),
            );
        }
        if let Some(expected) = expected.reason {
            self.same(
                &format!("{at}.reason"),
                &format!("{name}: reason"),
                &word(&expected),
                &word(&point.reason),
            );
        }
    }

    fn number(
        &mut self,
        (at, key): (&str, &str),
        reading: &ExpectedReading,
        expected: Option<f64>,
        (actual, reason): (Option<f64>, Option<NoValue>),
    ) {
        if is_near(expected, actual, reading.tolerance.unwrap_or(0.0)) {
            return;
        }
        let words = |value: Option<f64>| value.map_or("null".to_owned(), |it| it.to_string());
        let why = reason
            .filter(|_| actual.is_none())
            .map_or(String::new(), |why| format!(" ({})", word(&why)));
        self.differs(
            &format!("{at}.{key}"),
            &format!("{}: {key}", reading.indicator),
            words(expected),
            words(actual) + &why,
        );
    }

    fn qualifiers(&mut self, at: &str, expected: &ExpectedReading, reading: &Reading) {
        let name = &expected.indicator;
        if let Some(expected) = expected.target {
            let actual = Some(reading.target.status);
            self.same(
                &format!("{at}.target"),
                &format!("{name}: target"),
                &word(&expected),
                &word(&actual),
            );
        }
        if let Some(expected) = expected.gap_days {
            let running = reading.running.as_ref();
            let actual = running.map_or("none".to_owned(), |it| it.gap_days.to_string());
            let (at, about) = (format!("{at}.gap_days"), format!("{name}: gap_days"));
            self.same(&at, &about, &expected.to_string(), &actual);
        }
        if let Some(expected) = expected.freshness {
            let actual = word(&reading.freshness.state);
            self.same(
                &format!("{at}.freshness"),
                &format!("{name}: freshness"),
                &word(&expected),
                &actual,
            );
        }
        if let Some(expected) = expected.quarantined {
            let about = format!("{name}: quarantined");
            let actual = reading.quarantined.to_string();
            self.same(&format!("{at}.quarantined"), &about, &expected.to_string(), &actual);
        }
    }
}

/// The point that is asked for: the reading's own, or that of one value of a dimension.
fn point(
    expected: &ExpectedReading,
    reading: &Reading,
    stage: &Stage<'_>,
    definition: &Definition,
    period: &Period,
) -> Option<Point> {
    let Some((dimension, word)) = expected.by.first_key_value() else {
        return Some(reading.point.clone());
    };
    let parts = breakdown(&stage.world(), definition, period, By::Dimension(dimension)).ok()?;
    parts.into_iter().find(|row| row.key == word.0).map(|row| row.point)
}

fn is_near(expected: Option<f64>, actual: Option<f64>, tolerance: f64) -> bool {
    match (expected, actual) {
        (Some(expected), Some(actual)) => {
            (expected - actual).abs() <= tolerance + ROUNDING * expected.abs().max(1.0)
        }
        (expected, actual) => expected.is_none() && actual.is_none(),
    }
}

/// The word of a closed list, as the API writes it.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => "none".to_owned(),
    }
}

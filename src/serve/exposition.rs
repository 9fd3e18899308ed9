//! `/metrics/indicators`: the newest value of each indicator, for a Prometheus that keeps history.
//!
//! A scrape job of its own, every few minutes: these are figures, not the gateway's health. One
//! family for each indicator, named like those under `/prometheus`; the province's by default,
//! communes only for indicators that the configuration names. The number of series is capped, and a
//! family is shown whole or not at all, for a part of the communes would be a wrong sum; what the
//! cap left out is counted. A missing value is no sample.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use schemars::JsonSchema;
use serde::Deserialize;

use super::answer::{Answer, Keep};
use super::context::Asked;
use super::error::ApiError;
use super::health::EXPOSITION;
use super::period::newest;
use super::place::all_of_today;
use super::prometheus::families::{INFO, TARGET, help};
use super::prometheus::reply::number;
use crate::indicator::quality::{self, day_of_judgement};
use crate::indicator::{Definition, Grain, Period, Place, Scope, series};

/// `indicator_metrics:` in `iocgw.yaml`: what `/metrics/indicators` shows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct IndicatorMetrics {
    /// The indicators to show; all of them without a list.
    pub indicators: Option<Vec<String>>,
    /// Those that are shown by commune too.
    pub communes: Vec<String>,
    /// The most series of one scrape.
    pub max_series: usize,
}

impl Default for IndicatorMetrics {
    fn default() -> Self {
        Self { indicators: None, communes: Vec::new(), max_series: 5000 }
    }
}

impl IndicatorMetrics {
    /// The most that `max_series` may be.
    pub const MOST_SERIES: usize = 100_000;
}

/// What is shown, and how many series the cap has left out since the start.
#[derive(Debug, Default)]
pub struct Exposition {
    /// As configured.
    pub settings: IndicatorMetrics,
    dropped: AtomicU64,
}

impl Exposition {
    /// Shows what `settings` say.
    pub fn new(settings: IndicatorMetrics) -> Self {
        Self { settings, dropped: AtomicU64::new(0) }
    }
}

/// The text under way.
struct Page {
    text: String,
    room: usize,
    dropped: u64,
}

/// A series of a family: its labels as written, and its value.
type Series = (String, f64);

impl Page {
    /// A whole family, or nothing of it.
    fn family(&mut self, name: &str, kind: &str, help: &str, series: &[Series]) {
        if series.is_empty() {
            return;
        }
        let Some(room) = self.room.checked_sub(series.len()) else {
            self.dropped += series.len() as u64;
            return;
        };
        self.room = room;
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in series {
            let _ = writeln!(self.text, "{name}{labels} {}", number(*value));
        }
    }
}

/// `/metrics/indicators`.
pub(super) fn indicators(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let Exposition { settings, dropped } = &*asked.context.exposition;
    let shown: Vec<(&Definition, Period)> = asked
        .definitions
        .catalogue
        .iter()
        .filter(|each| settings.indicators.as_ref().is_none_or(|ids| ids.contains(&each.id)))
        .map(|definition| (definition, newest(asked, definition)))
        .collect();
    let mut page = Page { text: String::new(), room: settings.max_series, dropped: 0 };
    about(&mut page, &shown);
    for (definition, period) in &shown {
        values(asked, &mut page, (definition, period), Scope::Province);
    }
    standings(asked, &mut page, &shown);
    for (definition, period) in &shown {
        if settings.communes.contains(&definition.id) {
            values(asked, &mut page, (definition, period), Scope::Communes);
        }
    }
    let before = dropped.fetch_add(page.dropped, Ordering::Relaxed);
    // What tells of the cap stands outside of it.
    page.room = 1;
    page.family(
        "ioc_series_dropped_total",
        "counter",
        "Series that max_series has left out, over all scrapes since the start.",
        &[(String::new(), (before + page.dropped) as f64)],
    );
    Ok(Answer::new(EXPOSITION, page.text, Keep::Never))
}

/// The families that tell of the others.
fn about(page: &mut Page, shown: &[(&Definition, Period)]) {
    let info = |(definition, _): &(&Definition, Period)| {
        let metric = definition.family(Scope::Province);
        let labels = labels(&[
            ("indicator", definition.id.as_str()),
            ("metric", metric.as_str()),
            ("title", definition.title.vi.as_str()),
            ("unit_of_measure", definition.family_unit()),
            ("accountable", definition.accountable.unit.as_str()),
            ("grain", Grain::Day.as_str()),
        ]);
        (labels, 1.0)
    };
    let of = |definition: &Definition| labels(&[("indicator", definition.id.as_str())]);
    let infos: Vec<Series> = shown.iter().map(info).collect();
    page.family(INFO, "gauge", "What an indicator is and which metric it is; constant 1.", &infos);
    let target = |(definition, period): &(&Definition, Period)| {
        let target = definition.target_on(period.end.plus(-1))?;
        Some((of(definition), definition.in_family_unit(target.value)))
    };
    let targets: Vec<Series> = shown.iter().filter_map(target).collect();
    let help = "The target in force, in the unit of the indicator's metric.";
    page.family(TARGET, "gauge", help, &targets);
    let start = |(definition, period): &(&Definition, Period)| {
        (of(definition), period.first.start().0 as f64)
    };
    let starts: Vec<Series> = shown.iter().map(start).collect();
    page.family(
        "ioc_indicator_period_start_timestamp_seconds",
        "gauge",
        "Unix time at which the day begins whose value is shown: the newest that has one.",
        &starts,
    );
}

/// How the values shown stand against the targets that are in force.
fn standings(asked: &Asked<'_>, page: &mut Page, shown: &[(&Definition, Period)]) {
    let world = asked.world();
    let (mut statuses, mut expected, mut paces) = (Vec::new(), Vec::new(), Vec::new());
    for (definition, period) in shown {
        if definition.target_on(day_of_judgement(&world, period)).is_none() {
            continue;
        }
        let days = (period.first, period.end);
        let mut points = series(&world, definition, Grain::Day, days, &[Place::Province]);
        let value = points.pop().and_then(|(_, _, point)| point.value);
        let standing = quality::target(&world, definition, period, value);
        let id = ("indicator", definition.id.as_str());
        statuses.push((labels(&[id, ("status", standing.status.as_str())]), 1.0));
        let in_unit = |amount: f64| (labels(&[id]), definition.in_family_unit(amount));
        expected.extend(standing.expected.map(in_unit));
        paces.extend(standing.pace_needed.map(in_unit));
    }
    let help = "How the value shown stands against the target in force; constant 1.";
    page.family("ioc_indicator_target_status", "gauge", help, &statuses);
    let help = "What the target asks for by the day shown, in the unit of the indicator's metric.";
    page.family("ioc_indicator_target_expected", "gauge", help, &expected);
    let help = "What is left to the target by the days that are left, in the unit of the \
                indicator's metric, for each day; absent where no day was set.";
    page.family("ioc_indicator_target_pace_needed", "gauge", help, &paces);
}

/// The family of an indicator's values.
fn values(
    asked: &Asked<'_>,
    page: &mut Page,
    (definition, period): (&Definition, &Period),
    scope: Scope,
) {
    let world = asked.world();
    let places = match scope {
        Scope::Province => vec![Place::Province],
        Scope::Communes => all_of_today(&world),
    };
    let points = series(&world, definition, Grain::Day, (period.first, period.end), &places);
    let shown = points.into_iter().filter_map(|(_, place, point)| {
        let labels = match scope {
            Scope::Province => String::new(),
            Scope::Communes => labels(&[("commune", place.code(&world))]),
        };
        Some((labels, definition.in_family_unit(point.value?)))
    });
    let shown: Vec<Series> = shown.collect();
    page.family(&definition.family(scope), "gauge", &help(definition, scope), &shown);
}

/// Labels as they are written.
fn labels(pairs: &[(&str, &str)]) -> String {
    let escaped =
        |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs = pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_leave_their_quotes() {
        assert_eq!(labels(&[("a", "x\"\\\n")]), "{a=\"x\\\"\\\\\\n\"}");
        let mut page = Page { text: String::new(), room: 1, dropped: 0 };
        page.family("f", "gauge", "two\nlines", &[(String::new(), 1.5)]);
        assert_eq!(page.text, "# HELP f two\\nlines\n# TYPE f gauge\nf 1.5\n");
    }
}

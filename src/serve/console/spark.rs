//! Small pictures: a trend line of days and a bar of runs, each with its meaning in words.
//!
//! Plain inline SVG without script or style attributes, so the page's policy can forbid both. A day
//! without a value is a gap in the line, never a zero; days that are not settled yet are dashed, so
//! that an unfinished today does not look like a fall.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::format;
use super::words;
use crate::indicator::reading::Status;
use crate::model::snapshot::{Outcome, RunLine};
use crate::model::time::Day;

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 56.0;
/// Room for half the width of a line and of the last dot.
const MARGIN: f64 = 5.0;
/// How many runs a bar shows.
pub(super) const RUNS: usize = 30;

/// One day of a trend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) day: Day,
    pub(super) value: Option<f64>,
    pub(super) status: Status,
}

/// A trend line, with a dashed line at the target; `say` writes a value for people.
pub(super) fn trend(spots: &[Spot], target: Option<f64>, say: impl Fn(f64) -> String) -> Markup {
    let values = || spots.iter().filter_map(|spot| spot.value);
    let label = trend_label(spots, &say);
    let scale = Scale::of(values().chain(target), spots.len());
    let Some(scale) = scale.filter(|_| values().next().is_some()) else {
        return html! {
            p.spark.empty { (label.0) span.en lang="en" { (label.1) } }
        };
    };
    let (area, settled, open) = scale.paths(spots);
    let last = spots.iter().enumerate().rev().find_map(|(i, spot)| Some((i, spot.value?)));
    html! {
        svg.spark role="img" viewBox="0 0 300 56" preserveAspectRatio="none"
            aria-label={ (label.0) ". " (label.1) } {
            title { (label.0) " · " (label.1) }
            @if let Some(target) = target {
                path.aim d={ "M0 " (scale.y(target)) "H300" } {}
            }
            path.under d=(area) {}
            path.line d=(settled) {}
            path.open d=(open) {}
            @if let Some((i, value)) = last {
                path.dot d={ "M" (scale.x(i)) " " (scale.y(value)) "h0" } {}
            }
        }
    }
}

fn trend_label(spots: &[Spot], say: &impl Fn(f64) -> String) -> (String, String) {
    let known: Vec<(Day, f64)> = spots.iter().filter_map(|s| Some((s.day, s.value?))).collect();
    let (Some(first), Some(last)) = (known.first(), known.last()) else {
        let days = spots.len();
        return (
            format!("Không có số liệu trong {days} ngày qua"),
            format!("no values in the last {days} days"),
        );
    };
    let low = known.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
    let high = known.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
    let (from, to) = (format::short_day(first.0), format::short_day(last.0));
    let (first, last, low, high) = (say(first.1), say(last.1), say(low), say(high));
    let gaps = spots.len() - known.len();
    let (mut vi, mut en) = (
        format!("Từ {first} ngày {from} đến {last} ngày {to}; thấp nhất {low}, cao nhất {high}"),
        format!("from {first} on {from} to {last} on {to}; lowest {low}, highest {high}"),
    );
    if gaps > 0 {
        let _ = write!(vi, "; {gaps} ngày không có số liệu");
        let _ = write!(en, "; {gaps} days without a value");
    }
    (vi, en)
}

/// From days and values to the picture.
struct Scale {
    low: f64,
    span: f64,
    step: f64,
}

impl Scale {
    /// `None` if there is no value at all.
    fn of(values: impl Iterator<Item = f64>, days: usize) -> Option<Self> {
        let finite = values.filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let step = (WIDTH - 2.0 * MARGIN) / (days.max(2) - 1) as f64;
        // A line that never moves runs through the middle.
        let (low, span) = if high > low { (low, high - low) } else { (low - 1.0, 2.0) };
        low.is_finite().then_some(Self { low, span, step })
    }

    fn x(&self, day: usize) -> f64 {
        tenth(MARGIN + self.step * day as f64)
    }

    fn y(&self, value: f64) -> f64 {
        tenth(HEIGHT - MARGIN - (value - self.low) / self.span * (HEIGHT - 2.0 * MARGIN))
    }

    /// The area under the line, the settled part of the line, and the part that may still change.
    fn paths(&self, spots: &[Spot]) -> (String, String, String) {
        let (mut area, mut settled, mut open) = (String::new(), String::new(), String::new());
        let mut before: Option<(f64, f64)> = None;
        for (i, spot) in spots.iter().enumerate() {
            let here = spot.value.map(|value| (self.x(i), self.y(value)));
            match (before, here) {
                (None, Some((x, y))) => {
                    // A single day between gaps is a dot: a line of no length with round ends.
                    let _ = write!(settled, "M{x} {y}h0");
                    let _ = write!(area, "M{x} {HEIGHT}V{y}");
                }
                (Some((x0, y0)), Some((x, y))) => {
                    let line = if spot.status == Status::Final { &mut settled } else { &mut open };
                    let _ = write!(line, "M{x0} {y0}L{x} {y}");
                    let _ = write!(area, "L{x} {y}");
                }
                (Some((x0, _)), None) => {
                    let _ = write!(area, "L{x0} {HEIGHT}Z");
                }
                (None, None) => {}
            }
            before = here;
        }
        if let Some((x, _)) = before {
            let _ = write!(area, "L{x} {HEIGHT}Z");
        }
        (area, settled, open)
    }
}

fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The last runs of a stream, oldest first: full height when good, lower the worse it went.
pub(super) fn runs(stream: &str, runs: &[RunLine]) -> Markup {
    let shown = &runs[runs.len().saturating_sub(RUNS)..];
    let label = runs_label(stream, shown);
    html! {
        svg.runs role="img" viewBox="0 0 180 24" preserveAspectRatio="none" aria-label={ (label.0) ". " (label.1) } {
            title { (label.0) " · " (label.1) }
            @for slot in 0..RUNS {
                @let x = slot * 6;
                @match (slot + shown.len()).checked_sub(RUNS).and_then(|i| shown.get(i)) {
                    Some(run) => {
                        @let height = height(run.outcome);
                        rect class=(words::outcome(run.outcome).0.class())
                            x=(x) y=(24 - height) width="4" height=(height) rx="1" {}
                    }
                    None => rect.none x=(x) y="21" width="4" height="3" rx="1" {},
                }
            }
        }
    }
}

const fn height(outcome: Outcome) -> u32 {
    match outcome {
        Outcome::Ok | Outcome::SkippedUnchanged => 24,
        Outcome::Truncated | Outcome::ReconcileRefused | Outcome::Paused => 17,
        Outcome::LoopDetected | Outcome::Failed | Outcome::RejectedByGate | Outcome::Unbalanced => {
            11
        }
    }
}

fn runs_label(stream: &str, runs: &[RunLine]) -> (String, String) {
    let good = runs
        .iter()
        .filter(|run| matches!(run.outcome, Outcome::Ok | Outcome::SkippedUnchanged))
        .count();
    let (all, bad) = (runs.len(), runs.len() - good);
    if all == 0 {
        return (format!("{stream}: chưa có lượt nào"), format!("{stream}: no runs yet"));
    }
    let last = words::outcome(runs[all - 1].outcome).1;
    (
        format!("{stream}: {all} lượt gần nhất, {good} tốt, {bad} không tốt; lượt cuối {}", last.0),
        format!("{stream}: last {all} runs, {good} ok, {bad} not; the last one {}", last.1),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spots(values: &[Option<f64>]) -> Vec<Spot> {
        let first = Day::parse("2024-03-01").unwrap();
        let spot = |(i, value): (usize, &Option<f64>)| Spot {
            day: first.plus(i as i32),
            value: *value,
            status: Status::Final,
        };
        values.iter().enumerate().map(spot).collect()
    }

    #[test]
    fn a_day_without_a_value_is_a_gap_and_is_told() {
        let spots = spots(&[Some(1.0), Some(3.0), None, Some(2.0)]);
        let scale = Scale::of(spots.iter().filter_map(|spot| spot.value), 4).unwrap();
        let (area, settled, open) = scale.paths(&spots);
        assert_eq!(settled, "M5 51h0M5 51L101.7 5M295 28h0");
        assert_eq!(open, "");
        assert_eq!(area.matches('Z').count(), 2);
        let label = trend_label(&spots, &|value| format::amount(value));
        assert!(label.0.contains("1 ngày không có số liệu"), "{}", label.0);
        assert!(label.1.contains("lowest 1, highest 3"), "{}", label.1);
    }

    #[test]
    fn what_is_not_settled_is_drawn_apart() {
        let mut spots = spots(&[Some(1.0), Some(1.0), Some(0.0)]);
        spots[2].status = Status::Provisional;
        let scale = Scale::of([0.0, 1.0].into_iter(), 3).unwrap();
        assert_eq!(scale.paths(&spots).2, "M150 5L295 51");
    }

    #[test]
    fn a_trend_without_values_says_so_instead_of_drawing() {
        let markup = trend(&spots(&[None, None]), Some(1.0), format::amount).into_string();
        assert!(markup.contains("Không có số liệu trong 2 ngày qua") && !markup.contains("<svg"));
    }

    #[test]
    fn a_flat_line_runs_through_the_middle() {
        let scale = Scale::of([7.0, 7.0].into_iter(), 2).unwrap();
        assert!((scale.y(7.0) - HEIGHT / 2.0).abs() < 0.01);
    }
}

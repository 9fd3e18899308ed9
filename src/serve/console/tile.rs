//! One indicator as a tile: the number large, and beside it everything that qualifies it.
//!
//! A number whose sources are late is greyed and says so in words: never a silent old number.

use maud::{Markup, html};

use super::format;
use super::spark::{Spot, trend};
use super::words::{self, Tone};
use super::{badge, both, shape};
use crate::indicator::reading::{Completeness, Direction, Freshness, FreshnessState};
use crate::indicator::reading::{Reading, Running, TargetStatus};
use crate::indicator::{Definition, Grain, Place, series, value};
use crate::model::time::Day;
use crate::serve::context::Asked;
use crate::serve::error::ApiError;
use crate::serve::period::named_period;

/// How many days a trend line shows.
const TREND_DAYS: i32 = 30;

/// From here on a share of the target says no more than that it is reached.
const TOLD_UP_TO: f64 = 2.0;

/// The pace needed is told for this many days: for one it would be all decimals.
const PACE_DAYS: u8 = 30;

/// The severity of what misses its target by far.
const OFF_TRACK: u8 = 4;

/// An indicator with its reading and its last days.
pub(super) struct Tile<'a> {
    definition: &'a Definition,
    reading: Reading,
    days: Vec<Spot>,
}

impl<'a> Tile<'a> {
    /// Reads the indicator for the province in the period called `period`.
    pub(super) fn new(
        asked: &Asked<'_>,
        definition: &'a Definition,
        period: &str,
    ) -> Result<Self, ApiError> {
        let world = asked.world();
        let period = named_period(asked, definition, period)?;
        let reading = value(&world, definition, &period, Place::Province);
        let end = asked.now.day().plus(1);
        let days = (end.plus(-TREND_DAYS), end);
        let points = series(&world, definition, Grain::Day, days, &[Place::Province]);
        let spot = |(period, _, point): (crate::indicator::Period, _, crate::indicator::Point)| {
            Spot { day: period.first, value: point.value, status: point.status }
        };
        Ok(Self { definition, reading, days: points.into_iter().map(spot).collect() })
    }

    pub(super) fn group(&self) -> &str {
        &self.definition.group
    }

    /// How the value stands: against its target, if it has one.
    pub(super) fn state(&self) -> (Tone, words::Both) {
        match self.reading.point.value {
            None => words::NO_VALUE,
            Some(_) => words::target(self.reading.target.status),
        }
    }

    /// How much it needs attention; 0 if not at all.
    pub(super) fn severity(&self) -> u8 {
        let late = self.reading.freshness.state != FreshnessState::Fresh;
        match self.reading.target.status {
            TargetStatus::OffTrack => OFF_TRACK,
            _ if late => 3,
            _ if self.reading.point.value.is_none() => 2,
            TargetStatus::AtRisk => 1,
            _ => 0,
        }
    }

    fn say(&self, value: f64) -> String {
        format::value(value, &self.definition.unit_measure, self.definition.decimals)
    }

    fn say_with_unit(&self, value: f64) -> String {
        let unit = words::unit(&self.definition.unit_measure).0;
        format!("{} {unit}", self.say(value)).trim_end().to_owned()
    }

    /// A line in the list of what needs attention.
    pub(super) fn line(&self) -> Markup {
        let late = self.reading.freshness.state;
        let (tone, (vi, en)) = match (self.severity(), late) {
            (OFF_TRACK, _) | (_, FreshnessState::Fresh) => self.state(),
            (_, late) => words::freshness(late),
        };
        let and_late = late == FreshnessState::Stale && self.severity() == OFF_TRACK;
        html! {
            li class=(tone.class()) {
                (shape(tone))
                div {
                    a href={ "#" (self.definition.id) } { (self.definition.title.vi) }
                    " – " strong { (vi) @if and_late { ", số liệu cũ" } }
                    @if let Some(value) = self.reading.point.value {
                        ": " (self.say_with_unit(value))
                    }
                    @if let Some(target) = self.reading.target.value {
                        " (" (aim(self.reading.target.direction)) "\u{a0}" (self.say(target)) ")"
                    }
                    p.en lang="en" {
                        (self.definition.title.en) ": " (en) @if and_late { ", stale" }
                    }
                    p.who { (self.reading.accountable.name.vi) " · " (self.reading.accountable.role) }
                }
            }
        }
    }

    /// The tile.
    pub(super) fn card(&self, asked: &Asked<'_>) -> Markup {
        let late = self.reading.freshness.state != FreshnessState::Fresh;
        let definition = self.definition;
        html! {
            article id=(definition.id)
                class={ "tile " (self.state().0.class()) @if late { " late" } } {
                div.head {
                    h3 {
                        a href=(asked.link(format_args!("/indicators/{}", definition.id))) { (definition.title.vi) }
                        span.en lang="en" { (definition.title.en) }
                    }
                    (badge(self.state()))
                }
                (self.number())
                (trend(&self.days, self.reading.target.value, |value| self.say(value)))
                dl {
                    (self.target_facts())
                    (fact("Kỳ", "period", &self.period_facts()))
                    @if let Some(running) = &self.reading.running {
                        (fact("Lũy kế", "running total", &running_facts(running)))
                    }
                    @if !self.reading.point.carried.is_empty() {
                        (fact("Mang sang", "carried over", &self.carried_facts(asked)))
                    }
                    (fact("Độ mới", "data through", &freshness_facts(&self.reading.freshness)))
                    (fact("Đầy đủ", "completeness", &completeness_facts(&self.reading.completeness)))
                    (fact("Chịu trách nhiệm", "accountable", &self.accountable_facts()))
                }
            }
        }
    }

    fn number(&self) -> Markup {
        let point = &self.reading.point;
        let unit = words::unit(&self.definition.unit_measure);
        let Some(value) = point.value else {
            let (vi, en) = words::no_value(point.reason);
            return html! {
                p.value.missing {
                    span.big { "—" }
                    span.unit {
                        (both(vi, en))
                        @for (_, at) in &self.reading.rebuilding {
                            " " (format::count(at.done)) "/" (format::count(at.total))
                        }
                    }
                }
            };
        };
        html! {
            p.value {
                span.big { (self.say(value)) }
                @if !unit.0.is_empty() { span.unit { (both(unit.0, unit.1)) } }
                @if let (Some(above), Some(below)) = (point.numerator, point.denominator) {
                    span.parts title="tử số / mẫu số (numerator / denominator)" {
                        (format::amount(above)) " / " (format::amount(below))
                    }
                }
            }
        }
    }

    /// Which components an earlier value stands in for, and of which period it is.
    fn carried_facts(&self, asked: &Asked<'_>) -> Markup {
        html! {
            @for carried in &self.reading.point.carried {
                span.role {
                    a href=(asked.link(format_args!("/indicators/{}", carried.indicator))) { (carried.indicator) }
                    " " (both(&format!("kỳ {}", carried.from), "period"))
                }
            }
        }
    }

    fn target_facts(&self) -> Markup {
        let target = &self.reading.target;
        let Some(value) = target.value else {
            return fact("Mục tiêu", "target", &both("không đặt", "none"));
        };
        let what = html! {
            (aim(target.direction)) "\u{a0}" (self.say(value))
            @if let Some(ratio) = target.attainment_ratio.filter(|ratio| *ratio < TOLD_UP_TO) {
                " · " (both(&format!("đạt {}", percent(ratio)), "of target"))
            }
            @if let Some(until) = target.until { (self.way(until)) }
        };
        fact("Mục tiêu", "target", &what)
    }

    /// By when a target is to be reached, what is expected by now, and how fast it has to go.
    fn way(&self, until: Day) -> Markup {
        let target = &self.reading.target;
        html! {
            span.role { (both(&format!("đến hết ngày {}", format::day(until)), "by the end of this day")) }
            @if let Some(expected) = target.expected.filter(|_| target.baseline.is_some()) {
                span.role {
                    (both(&format!("kỳ vọng đến nay {}", self.say(expected)), "expected by now"))
                }
            }
            @if let Some(pace) = target.pace_needed.filter(|pace| *pace > 0.0) {
                span.role { (both(
                    &format!("cần {} mỗi {PACE_DAYS} ngày", self.say(pace * f64::from(PACE_DAYS))),
                    "needed in as many days",
                )) }
            }
        }
    }

    fn period_facts(&self) -> Markup {
        let period = &self.reading.period;
        let (vi, _) = words::period(&period.id, period.first);
        let (status, status_en) = words::status(self.reading.point.status);
        html! { (vi) " · " (both(status, status_en)) }
    }

    fn accountable_facts(&self) -> Markup {
        let accountable = &self.reading.accountable;
        html! {
            (both(&accountable.name.vi, &accountable.name.en))
            span.role { (accountable.role) }
        }
    }
}

/// One fact under a tile.
fn fact(vi: &str, en: &str, what: &Markup) -> Markup {
    html! { div { dt { (both(vi, en)) } dd { (what) } } }
}

/// At least, or at most.
const fn aim(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "≥",
        Direction::Down => "≤",
    }
}

/// From when and how far a running total counts, and what it lacks.
fn running_facts(running: &Running) -> Markup {
    html! {
        (both(&format!("từ {}", format::day(running.since)), "since"))
        @if let Some(through) = running.through {
            " " (both(&format!("đến {}", format::day(through)), "through"))
        }
        @if running.gap_days > 0 {
            span class="word near" {
                (both(&format!("thiếu {} ngày", running.gap_days), "days are not known"))
            }
        }
    }
}

pub(super) fn percent(ratio: f64) -> String {
    format::value(ratio, format::PERCENT, 0)
}

fn freshness_facts(freshness: &Freshness) -> Markup {
    let (tone, (vi, en)) = words::freshness(freshness.state);
    html! {
        span class={ "word " (tone.class()) } { (both(vi, en)) }
        @if let Some(through) = freshness.data_through {
            " · đến "
            time datetime=(through.rfc3339()) { (format::time(through)) }
        }
        @if let Some(age) = freshness.age_seconds.filter(|_| freshness.state == FreshnessState::Stale) {
            @let (vi, en) = format::age(age);
            span.role { (both(&format!("{vi} trước"), &format!("{en} ago"))) }
        }
        @if freshness.state != FreshnessState::Fresh && !freshness.late_sources.is_empty() {
            span.role { "nguồn chậm: " (freshness.late_sources.join(", ")) }
        }
        @if !freshness.paused_sources.is_empty() {
            span.role { "nguồn tạm dừng: " (freshness.paused_sources.join(", ")) }
        }
    }
}

fn completeness_facts(completeness: &Completeness) -> Markup {
    let Some(ratio) = completeness.ratio else {
        return both("không xác định được", "cannot be told");
    };
    let parts = format!(
        "{}/{}",
        format::amount(completeness.reported),
        format::amount(completeness.expected)
    );
    html! {
        (percent(ratio))
        @match completeness.of.as_str() {
            "areas" => { " · " (both(&format!("{parts} xã, phường"), "communes")) }
            "measures" => { " · " (both(&format!("{parts} báo cáo"), "reports")) }
            _ => { " " (both("của kỳ", "of the period")) }
        }
    }
}

//! A reading: an indicator's value with everything that qualifies it.
//!
//! No number leaves the gateway without these companions: status, freshness by both clocks,
//! completeness, numerator and denominator where it is a ratio, target, accountable unit, revision.
//! A missing value is null with a reason, never 0.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::indicator::target::Baseline;
use crate::model::snapshot::Rebuilding;
use crate::model::text::Bilingual;
use crate::model::time::{Day, Stamp};

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoValue {
    /// The sources have not covered this period yet, or never reported.
    NotReported,
    /// The sources have reported, and nothing of the kind happened.
    NoEvents,
    /// The denominator is zero.
    NoBase,
    /// A component of a composite has no value and the policy is to refuse.
    MissingComponent,
    /// As reported: the area's list of communes was not in force when the amount is taken.
    NotInForce,
    /// A measure behind it is being rebuilt from the records.
    Rebuilding,
    /// The area lies beyond what the reader's key reaches.
    OutOfReach,
    /// Withheld from the public, because it is about few people or would tell of few.
    Suppressed,
    /// Not told to the public in this form: it is told whole months, quarters and years that are final.
    NotPublic,
}

/// How settled a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The period is over, the sources cover it, and it has been published where figures are.
    Final,
    /// The period is open, not yet covered by every source, not yet published, or a part is carried over.
    Provisional,
    /// There is no value; `reason` says why.
    Missing,
}

/// One value at one place and time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The value in the indicator's unit of measure; ratios are 0 to 1.
    pub value: Option<f64>,
    /// Of a ratio; known even where a denominator of zero leaves no value.
    pub numerator: Option<f64>,
    /// Of a ratio.
    pub denominator: Option<f64>,
    /// How settled it is.
    pub status: Status,
    /// Why `value` is null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<NoValue>,
    /// Completeness of this very point, 0 to 1, if it can be told.
    pub completeness_ratio: Option<f64>,
    /// Of a composite: components whose last earlier value stands in for a missing one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub carried: Vec<Carried>,
}

/// A component of a composite whose last earlier value stands in for a missing one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Carried {
    /// The component.
    pub indicator: String,
    /// The period that its value is of.
    pub from: String,
}

/// A period of local days, half-open, or one hour of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Period {
    /// As asked for and answered: `2024`, `2024-Q1`, `2024-03`, `2024-W13`, `2024-03-31`, `2024-03-31T08`.
    pub id: String,
    /// Its first day.
    #[serde(skip)]
    pub first: Day,
    /// The first day after it.
    #[serde(skip)]
    pub end: Day,
    /// The one hour of its one day that it is, 0 to 23; nothing for whole days.
    #[serde(skip)]
    pub hour: Option<u8>,
}

/// How fresh the data behind a value are, by both clocks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Freshness {
    /// fresh, stale, never_reported.
    pub state: FreshnessState,
    /// The oldest last good answer among the sources.
    pub last_success_at: Option<Stamp>,
    /// The time up to which all sources are believed complete.
    pub data_through: Option<Stamp>,
    /// Seconds from `data_through` to now.
    pub age_seconds: Option<i64>,
    /// The largest allowed age of the source with the oldest data, by its own contract; the
    /// strictest of all while one has reported nothing.
    pub limit_seconds: i64,
    /// The sources behind the value that are older than their own contract allows or never
    /// reported; one of them makes the value stale.
    pub late_sources: Vec<String>,
    /// The sources behind the value that nobody asks at present, because somebody paused them.
    pub paused_sources: Vec<String>,
}

/// A freshness in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FreshnessState {
    /// Within the limit.
    Fresh,
    /// Older than the limit.
    Stale,
    /// Nothing has ever come in.
    NeverReported,
}

/// How complete the data behind a value are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Completeness {
    /// 0 to 1; null if nothing was expected.
    pub ratio: Option<f64>,
    /// How many were expected.
    pub expected: f64,
    /// How many reported.
    pub reported: f64,
    /// What is counted: `areas`, `period` (its seconds that have passed) or `measures`.
    pub of: String,
    /// Codes of communes that are missing, for `of: areas`, or from which reports are missing, for
    /// `of: measures`; none for `period`.
    pub missing: Vec<String>,
}

impl Completeness {
    /// Where the reader may not know who reported.
    pub(super) fn of_nothing(of: &str) -> Self {
        let (expected, reported) = (0.0, 0.0);
        Self { ratio: None, expected, reported, of: of.to_owned(), missing: Vec::new() }
    }
}

/// How the value stands against the target in force, which [`crate::indicator::target::judge`] says.
/// Amounts are in the indicator's unit of measure; all are null where no target is in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TargetReading {
    /// The judgement.
    pub status: TargetStatus,
    /// Whether higher or lower is better.
    pub direction: Direction,
    /// What is to be reached.
    pub value: Option<f64>,
    /// Since when it holds.
    pub from: Option<Day>,
    /// The last day on which it holds, and by which it is to be reached; null if it is to be held.
    pub until: Option<Day>,
    /// Where the way to it began, if that was said.
    pub baseline: Option<Baseline>,
    /// What is expected on the day of the value: the target, or as much of the way as time has passed.
    pub expected: Option<f64>,
    /// How far the value is beyond what is expected; negative is short of it, in either direction.
    pub gap: Option<f64>,
    /// value / target, or target / value when lower is better; null without a value.
    pub attainment_ratio: Option<f64>,
    /// What is left by the days that are left; 0 when nothing is left, null when no day is.
    pub pace_needed: Option<f64>,
}

impl TargetReading {
    /// No target is in force.
    pub const fn none(direction: Direction) -> Self {
        Self {
            status: TargetStatus::NoTarget,
            direction,
            value: None,
            from: None,
            until: None,
            baseline: None,
            expected: None,
            gap: None,
            attainment_ratio: None,
            pace_needed: None,
        }
    }
}

/// Whether higher or lower is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Higher is better.
    Up,
    /// Lower is better.
    Down,
}

/// How a value stands against its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetStatus {
    /// At or beyond what is expected by now.
    OnTrack,
    /// Short of it by little.
    AtRisk,
    /// Short of it by much.
    OffTrack,
    /// What was to be reached by a day is reached.
    Done,
    /// No target is in force.
    NoTarget,
    /// There is no value to judge.
    Unknown,
}

impl TargetStatus {
    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnTrack => "on_track",
            Self::AtRisk => "at_risk",
            Self::OffTrack => "off_track",
            Self::Done => "done",
            Self::NoTarget => "no_target",
            Self::Unknown => "unknown",
        }
    }
}

/// What a running total is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Running {
    /// The first day that counts.
    pub since: Day,
    /// The last day that is counted; null while nothing is.
    pub through: Option<Day>,
    /// Days between them of which nobody knows.
    pub gap_days: u32,
    /// These days, from first to last, at most fifty ranges.
    pub gaps: Vec<(Day, Day)>,
}

/// Who answers for a number: a body and a position, never a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accountable {
    /// The unit's id.
    pub unit: String,
    /// The unit's name.
    pub name: Bilingual,
    /// The position.
    pub role: String,
}

/// A value with everything that qualifies it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// The indicator.
    pub indicator: String,
    /// The period it is for.
    pub period: Period,
    /// Whether the period is over.
    pub closed: bool,
    /// Code of the area: the province's or a commune's.
    pub area: String,
    /// The value.
    pub point: Point,
    /// When it becomes final by a calendar of publication, if there is one.
    pub final_at: Option<Stamp>,
    /// Freshness by both clocks.
    pub freshness: Freshness,
    /// Completeness.
    pub completeness: Completeness,
    /// How the value stands against the target in force.
    pub target: TargetReading,
    /// What it is over, if it is a running total.
    pub running: Option<Running>,
    /// The measures behind it that are being rebuilt, and how far that has come.
    pub rebuilding: Vec<(String, Rebuilding)>,
    /// Records in quarantine behind this number.
    pub quarantined: u64,
    /// Who answers for it.
    pub accountable: Accountable,
    /// The revision it was computed from.
    pub revision: u64,
    /// When that revision was made.
    pub as_of: Stamp,
}

//! The lateness register: which reports were due, when they came and who answers for them.
//!
//! What is entered here was judged once and is not judged again: a report that was found missing stays
//! late when it comes. How it is judged is told in [`crate::lateness`].

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::time::{DAY, Day, Stamp};

/// Reports of a stream that are kept in sight: more than a year of daily ones.
pub const REPORTS_KEPT: usize = 400;

/// Spells of a stream that are kept in sight.
pub const SPELLS_KEPT: usize = 100;

/// What is known of a report that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportState {
    /// Not due yet, or due and not looked for yet.
    Pending,
    /// It was in when it was due, as far as anybody could see.
    OnTime,
    /// It was not in when it was looked for, and has not come.
    Missing,
    /// It came after it had been found missing.
    Late,
}

impl ReportState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Pending, Self::OnTime, Self::Missing, Self::Late];

    /// The word used in the API, in metrics and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::OnTime => "on_time",
            Self::Missing => "missing",
            Self::Late => "late",
        }
    }

    /// Reads [`ReportState::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// One report of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The day on which it is due.
    pub due_on: Day,
    /// The moment by which it has to be in.
    pub due_at: Stamp,
    /// The first and the last day that it is for.
    pub period: (Day, Day),
    /// The moment that its data must reach.
    pub reach: Stamp,
    /// The body that answers for it.
    pub accountable_unit: String,
    /// What is known of it.
    pub state: ReportState,
    /// Whether anybody looked when it was due: false where the gateway itself was not asking then and
    /// found the report in afterwards, so that nobody knows whether it was late.
    pub is_witnessed: bool,
    /// Why it was not in when it was looked for: `not_there`, or the reason for which the run failed.
    pub missed_by: Option<String>,
    /// When it was found missing.
    pub missed_at: Option<Stamp>,
    /// When it was first seen to be in.
    pub came_at: Option<Stamp>,
    /// When this entry last changed.
    pub changed_at: Stamp,
}

impl Report {
    /// Seconds from the moment at which it was due to its coming; to `now` if it is still missing.
    pub fn late_by(&self, now: Stamp) -> Option<i64> {
        match self.state {
            ReportState::Pending => None,
            ReportState::OnTime => Some(0),
            ReportState::Missing => Some((now.0 - self.due_at.0).max(0)),
            ReportState::Late => self.came_at.map(|came| (came.0 - self.due_at.0).max(0)),
        }
    }

    /// The same in begun days: a report an hour late is a day late.
    pub fn days_late(&self, now: Stamp) -> Option<i64> {
        self.late_by(now).map(|seconds| (seconds + DAY - 1) / DAY)
    }
}

/// A stretch of time in which a stream's data were older than their contract allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spell {
    /// When the data became older than allowed.
    pub began_at: Stamp,
    /// The time up to which they went then.
    pub data_through: Stamp,
    /// The largest age allowed then, in seconds.
    pub fresh_within: i64,
    /// The body that answers for it.
    pub accountable_unit: String,
    /// Why nothing newer was found: `not_there`, or the reason for which the run failed.
    pub missed_by: String,
    /// When it was noticed.
    pub noticed_at: Stamp,
    /// When data that were young enough came.
    pub ended_at: Option<Stamp>,
}

impl Spell {
    /// Seconds from its beginning to its end, or to `now` while it goes on.
    pub fn lasted(&self, now: Stamp) -> i64 {
        (self.ended_at.unwrap_or(now).0 - self.began_at.0).max(0)
    }
}

/// A stream's reports, by the day on which they are due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatenessRegister {
    /// Since when the stream has a rule: what was due before is nobody's debt.
    pub since: Option<Stamp>,
    /// The newest [`REPORTS_KEPT`] reports, oldest first; the last may be due in the future.
    pub reports: Vec<Report>,
    /// The newest [`SPELLS_KEPT`] spells, oldest first; the last may go on.
    pub spells: Vec<Spell>,
}

impl LatenessRegister {
    /// How many reports are in a state.
    pub fn count(&self, state: ReportState) -> u64 {
        self.reports.iter().filter(|report| report.state == state).count() as u64
    }
}

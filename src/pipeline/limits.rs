//! How much one run may take before it stops, keeps what it has and says so.
//!
//! The last of the guards against a source without an end: whatever it sends, and however slowly, a
//! run is over after so many records and so long a time. Pages have a cap of their own, in the
//! paginator.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};

use super::{Failure, Progress};
use crate::model::units::Span;
use crate::pull::{Cut, Ending, Page, PullError, Reason, Run};

/// The longest that a run may be allowed.
const LONGEST: Duration = Duration::from_hours(24);

/// How much one run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RunLimits {
    /// After so long the run ends as truncated, in the middle of a request if need be.
    pub run_time: Span,
    /// After so many records the run ends as truncated.
    pub records: u64,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self { run_time: Span::seconds(15 * 60), records: 10_000_000 }
    }
}

impl RunLimits {
    /// What makes no sense, with the key at which it stands.
    pub fn check(&self) -> Vec<(&'static str, &'static str)> {
        let mut problems = Vec::new();
        if self.run_time.0.is_zero() || self.run_time.0 > LONGEST {
            problems.push(("run_time", "a run may take more than nothing and at most 24h"));
        }
        if self.records == 0 {
            problems.push(("records", "must be at least 1"));
        }
        problems
    }

    /// When a run that begins now is over.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.run_time.0.min(LONGEST)
    }

    /// The next page within the limits; without one, how the run ended.
    pub(super) async fn page(
        &self,
        run: &mut Run,
        progress: &Progress,
    ) -> Result<Result<Page, Ending>, Failure> {
        if run.ending().is_none() && progress.raw_records >= self.records {
            return Ok(Err(Ending::Truncated(Cut::Records)));
        }
        match timeout_at(progress.deadline, run.next()).await {
            Ok(page) => Ok(page?.ok_or_else(|| run.ending().unwrap_or(Ending::Complete))),
            Err(_) if progress.pages > 0 => Ok(Err(Ending::Truncated(Cut::Time))),
            Err(_) => {
                let time = self.run_time;
                let detail = format!("no page came within the {time} that a run may take");
                Err(PullError::Transient { reason: Reason::Timeout, detail }.into())
            }
        }
    }
}

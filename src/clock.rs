//! The only place that asks what time it is.
//!
//! Everything else is handed a [`Clock`], so a test can set the time and a day can pass without
//! waiting for it. Timers (intervals, timeouts) use tokio's monotonic clock and are not affected:
//! a jump of the wall clock moves stamps, never schedules.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::failpoint;
use crate::model::time::Stamp;

/// Tells the wall-clock time in whole seconds.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until it is set.
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `at` until [`Clock::set`] moves it.
    pub fn standing(at: Stamp) -> Self {
        Self::Set(Arc::new(AtomicI64::new(at.0)))
    }

    /// Moves a standing clock; the machine's clock is left alone.
    pub fn set(&self, at: Stamp) {
        if let Self::Set(cell) = self {
            cell.store(at.0, Ordering::SeqCst);
        }
    }

    /// The present moment.
    pub fn now(&self) -> Stamp {
        match self {
            Self::System => Stamp(system_seconds()),
            Self::Set(cell) => Stamp(cell.load(Ordering::SeqCst)),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn system_seconds() -> i64 {
    jiff::Timestamp::now().as_second() - failpoint::behind()
}

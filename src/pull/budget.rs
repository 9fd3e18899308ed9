//! How many repeats a source has to bear: a share of what it is asked anyway.
//!
//! Each run's own retries are few, but a thousand runs that all retry make a bad hour worse. So the
//! repeats of a source, over all its streams and targets, come out of one budget: a share of its
//! first attempts within the last minute or so, and a few beyond that, without which a source that
//! is asked once in five minutes could never be asked again. Who finds the budget empty fails at
//! once, and the stream's own rhythm tries later.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Repeats that are always allowed within a window.
const FLOOR: u64 = 10;

/// Half a window: attempts are counted in this half and the one before.
const HALF: Duration = Duration::from_secs(30);

/// The retry budget of one source.
#[derive(Debug)]
pub(super) struct Budget {
    percent: u64,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    since: Instant,
    /// First attempts and repeats, in this half of the window and in the one before.
    halves: [(u64, u64); 2],
}

impl Budget {
    pub(super) fn new(percent: u32) -> Self {
        let counts = Counts { since: Instant::now(), halves: [(0, 0); 2] };
        Self { percent: percent.into(), counts: Mutex::new(counts) }
    }

    /// Notes a first attempt.
    pub(super) fn first(&self, now: Instant) {
        self.with(now, |halves| halves[0].0 += 1);
    }

    /// Takes a repeat out of the budget, or says that there is none left.
    pub(super) fn take(&self, now: Instant) -> bool {
        self.with(now, |halves| {
            let [now, before] = *halves;
            let allowed = FLOOR + (now.0 + before.0).saturating_mul(self.percent) / 100;
            let has_one = now.1 + before.1 < allowed;
            halves[0].1 += u64::from(has_one);
            has_one
        })
    }

    fn with<T>(&self, now: Instant, work: impl FnOnce(&mut [(u64, u64); 2]) -> T) -> T {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(counts.since);
        if passed >= HALF {
            let before = if passed < HALF * 2 { counts.halves[0] } else { (0, 0) };
            counts.halves = [(0, 0), before];
            counts.since = now;
        }
        work(&mut counts.halves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s04_repeats_stay_within_a_tenth_of_the_requests() {
        let (budget, now) = (Budget::new(10), Instant::now());
        let mut repeats = 0;
        for _ in 0..1000 {
            budget.first(now);
            // Everything fails, and each run would like to ask four times more.
            repeats += (0..4).filter(|_| budget.take(now)).count();
        }
        assert_eq!(repeats, 100 + 10, "1.1 times the requests, and the floor");
        let later = now + HALF;
        assert!(!budget.take(later), "the half before still counts");
        let much_later = later + HALF * 2;
        let allowed = (0..50).filter(|_| budget.take(much_later)).count();
        assert_eq!(allowed, 10, "after a quiet time only the floor");
    }
}

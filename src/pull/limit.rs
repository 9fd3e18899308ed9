//! How often a source may be asked: a rate, a number at once, and the time it asked to be left alone.
//!
//! The rate is kept by remembering when the last requests went out, so *no* window of the length
//! `per` ever holds more than `requests` (a token bucket lets twice as many through around a
//! refill, which strict portals answer with 429). Slots are handed out in order of asking; a
//! waiter that goes away leaves its slot unused, which errs on the side of the source.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

use super::{Problems, require};
use crate::model::units::Span;

const MOST: u32 = 10_000;

/// At most `requests` in any window of the length `per`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// How many requests, 1 to 10,000.
    pub requests: u32,
    /// In what time.
    pub per: Span,
}

impl RateLimit {
    /// Pushes a problem for each value that makes no sense.
    pub fn check(&self, at: &str, problems: &mut Problems) {
        let in_range = (1..=MOST).contains(&self.requests);
        require(in_range, &format!("{at}.requests"), "must be 1 to 10000", problems);
        let fine = !self.per.0.is_zero() && self.per <= Span::seconds(86_400);
        require(fine, &format!("{at}.per"), "must be more than 0 and at most 1d", problems);
    }
}

/// The gate that every request of a source passes.
#[derive(Debug)]
pub(super) struct Gate {
    at_once: Semaphore,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    rate: Option<(usize, Duration)>,
    sent: VecDeque<Instant>,
    closed_until: Option<Instant>,
}

impl Gate {
    pub(super) fn new(rate: Option<&RateLimit>, at_once: u32) -> Self {
        let rate = rate.map(|rate| (rate.requests.clamp(1, MOST) as usize, rate.per.0));
        let book = Book { rate, sent: VecDeque::new(), closed_until: None };
        Self { at_once: Semaphore::new(at_once.max(1) as usize), book: Mutex::new(book) }
    }

    /// Waits until a request may go out. `heeds_closing` is false for members of a fleet: what
    /// one of them asks for says nothing about the others.
    pub(super) async fn pass(&self, heeds_closing: bool) -> SemaphorePermit<'_> {
        let permit = self.at_once.acquire().await.expect("the semaphore is never closed");
        let mut closed = self.closed(heeds_closing);
        loop {
            if let Some(until) = closed {
                sleep_until(until).await;
            }
            let slot = self.book().reserve(Instant::now());
            sleep_until(slot).await;
            // Another request may have been told to stay away while this one waited.
            closed = self.closed(heeds_closing);
            if closed.is_none() {
                return permit;
            }
        }
    }

    /// Closes the gate for a while, because the source asked for it.
    pub(super) fn close_for(&self, span: Duration) {
        let until = Instant::now() + span;
        let mut book = self.book();
        book.closed_until = Some(book.closed_until.map_or(until, |earlier| earlier.max(until)));
    }

    fn closed(&self, heeds_closing: bool) -> Option<Instant> {
        let until = heeds_closing.then(|| self.book().closed_until).flatten();
        until.filter(|until| *until > Instant::now())
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// The moment at which the request asked for `now` may be sent.
    fn reserve(&mut self, now: Instant) -> Instant {
        let Some((requests, per)) = self.rate else { return now };
        let slot = if self.sent.len() < requests {
            now
        } else {
            let oldest = self.sent.pop_front().expect("a full book has a first entry");
            now.max(oldest + per)
        };
        self.sent.push_back(slot);
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_window_ever_holds_more_than_the_rate() {
        let rate = RateLimit { requests: 5, per: Span::seconds(10) };
        let gate = Gate::new(Some(&rate), 1);
        let start = Instant::now();
        let mut random = fastrand::Rng::with_seed(7);
        let mut now = start;
        let mut slots = Vec::new();
        for _ in 0..500 {
            now += Duration::from_millis(random.u64(0..3000));
            let slot = gate.book().reserve(now);
            assert!(slot >= now, "a slot is never in the past");
            slots.push(slot);
        }
        for window in slots.windows(6) {
            assert!(window[5] - window[0] >= Duration::from_secs(10));
        }
        assert!(gate.book().sent.len() <= 5, "the book is bounded");
    }

    #[test]
    fn without_a_rate_nothing_waits_and_nothing_is_remembered() {
        let gate = Gate::new(None, 1);
        let now = Instant::now();
        assert_eq!(gate.book().reserve(now), now);
        assert!(gate.book().sent.is_empty());
    }

    #[test]
    fn a_rate_of_nothing_is_a_problem() {
        let mut problems = Problems::new();
        RateLimit { requests: 0, per: Span::seconds(0) }.check("rate_limit", &mut problems);
        let places: Vec<_> = problems.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(places, ["rate_limit.requests", "rate_limit.per"]);
    }

    #[tokio::test]
    async fn a_closed_gate_holds_the_source_but_not_a_fleet() {
        let gate = Gate::new(None, 8);
        gate.close_for(Duration::from_hours(1));
        drop(gate.pass(false).await);
        let held = tokio::time::timeout(Duration::from_millis(20), gate.pass(true)).await;
        assert!(held.is_err(), "the gate stays closed");
    }
}

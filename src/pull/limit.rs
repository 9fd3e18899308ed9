//! How often a source may be asked: a rate, a number at once, and the time it asked to be left alone.
//!
//! The rate is kept by remembering when the last requests went out, so *no* window of the length
//! `per` ever holds more than `requests` (a token bucket lets twice as many through around a
//! refill, which strict portals answer with 429). Slots are handed out in order of asking; a
//! waiter that goes away leaves its slot unused, which errs on the side of the source. A rate may be
//! shared by name: several sources are often one platform that counts them together.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

use super::error::{PullError, Reason};
use super::outbound::Outbound;
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

/// The rate of one source: its own, or one that it shares by name with others.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SourceRate {
    /// A rate of `outbound.rate_limits` in `iocgw.yaml`, shared with all sources that name it.
    pub name: Option<String>,
    /// How many requests, 1 to 10,000.
    pub requests: Option<u32>,
    /// In what time.
    pub per: Option<Span>,
}

impl SourceRate {
    /// Pushes a problem unless this is either a name or a rate that makes sense.
    pub fn check(&self, at: &str, problems: &mut Problems) {
        match (&self.name, self.requests, self.per) {
            (Some(_), None, None) => {}
            (None, Some(requests), Some(per)) => RateLimit { requests, per }.check(at, problems),
            _ => {
                let message = "needs either 'name', or both 'requests' and 'per'";
                problems.push((at.to_owned(), message.to_owned()));
            }
        }
    }

    /// The rate at run time.
    pub(super) fn find(&self, outbound: &Outbound) -> Result<Arc<Rate>, PullError> {
        match (&self.name, self.requests, self.per) {
            (None, Some(requests), Some(per)) => {
                Ok(Arc::new(Rate::new(Some(&RateLimit { requests, per }))))
            }
            (name, ..) => {
                let found = name.as_ref().and_then(|name| outbound.rates.get(name));
                let detail = "rate_limit names no rate of outbound.rate_limits";
                found.cloned().ok_or_else(|| PullError::refused(Reason::Other, detail))
            }
        }
    }
}

/// A rate that one or several sources keep.
#[derive(Debug)]
pub(super) struct Rate(Mutex<Book>);

#[derive(Debug)]
struct Book {
    rate: Option<(usize, Duration)>,
    sent: VecDeque<Instant>,
}

/// The gate that every request of a source passes.
#[derive(Debug)]
pub(super) struct Gate {
    at_once: Semaphore,
    everybody: Arc<Semaphore>,
    rate: Arc<Rate>,
    closed_until: Mutex<Option<Instant>>,
}

/// A place of the source and one of the whole gateway, given back when dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    _own: SemaphorePermit<'a>,
    _shared: OwnedSemaphorePermit,
}

impl Gate {
    pub(super) fn new(rate: Arc<Rate>, at_once: u32, everybody: Arc<Semaphore>) -> Self {
        Self {
            at_once: Semaphore::new(at_once.max(1) as usize),
            everybody,
            rate,
            closed_until: Mutex::default(),
        }
    }

    /// Waits until a request may go out. `heeds_closing` is false for members of a fleet: what
    /// one of them asks for says nothing about the others.
    pub(super) async fn pass(&self, heeds_closing: bool) -> Place<'_> {
        let own = self.at_once.acquire().await.expect("the semaphore is never closed");
        let mut slot = None;
        loop {
            if let Some(until) = self.closed(heeds_closing) {
                sleep_until(until).await;
            }
            sleep_until(slot.take().unwrap_or_else(|| self.rate.reserve(Instant::now()))).await;
            let (shared, has_waited) = self.place_among_all().await;
            // Another request may have been told to stay away while this one waited.
            if self.closed(heeds_closing).is_some() {
                continue;
            }
            // A slot that was waited past is used up, or several would go out together.
            if has_waited {
                slot = Some(self.rate.reserve(Instant::now())).filter(|at| *at > Instant::now());
            }
            if slot.is_none() {
                return Place { _own: own, _shared: shared };
            }
        }
    }

    /// One of the places of the whole gateway, and whether it was waited for. Nobody holds one
    /// while waiting for anything else than the answer, so a slow source keeps no more than its own.
    async fn place_among_all(&self) -> (OwnedSemaphorePermit, bool) {
        let everybody = Arc::clone(&self.everybody);
        if let Ok(place) = everybody.clone().try_acquire_owned() {
            return (place, false);
        }
        (everybody.acquire_owned().await.expect("the semaphore is never closed"), true)
    }

    /// Closes the gate for a while, because the source asked for it.
    pub(super) fn close_for(&self, span: Duration) {
        let until = Instant::now() + span;
        let mut closed = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        *closed = Some(closed.map_or(until, |earlier| earlier.max(until)));
    }

    fn closed(&self, heeds_closing: bool) -> Option<Instant> {
        let closed = *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        closed.filter(|until| heeds_closing && *until > Instant::now())
    }
}

impl Rate {
    pub(super) fn new(rate: Option<&RateLimit>) -> Self {
        let rate = rate.map(|rate| (rate.requests.clamp(1, MOST) as usize, rate.per.0));
        Self(Mutex::new(Book { rate, sent: VecDeque::new() }))
    }

    /// The moment at which the request asked for `now` may be sent.
    fn reserve(&self, now: Instant) -> Instant {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((requests, per)) = book.rate else { return now };
        let slot = if book.sent.len() < requests {
            now
        } else {
            let oldest = book.sent.pop_front().expect("a full book has a first entry");
            now.max(oldest + per)
        };
        book.sent.push_back(slot);
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(at_once: u32, everybody: usize) -> Gate {
        Gate::new(Arc::new(Rate::new(None)), at_once, Arc::new(Semaphore::new(everybody)))
    }

    #[test]
    fn no_window_ever_holds_more_than_the_rate() {
        let rate = Rate::new(Some(&RateLimit { requests: 5, per: Span::seconds(10) }));
        let mut random = fastrand::Rng::with_seed(7);
        let mut now = Instant::now();
        let mut slots = Vec::new();
        for _ in 0..500 {
            now += Duration::from_millis(random.u64(0..3000));
            let slot = rate.reserve(now);
            assert!(slot >= now, "a slot is never in the past");
            slots.push(slot);
        }
        for window in slots.windows(6) {
            assert!(window[5] - window[0] >= Duration::from_secs(10));
        }
        assert!(rate.0.lock().unwrap().sent.len() <= 5, "the book is bounded");
    }

    #[test]
    fn without_a_rate_nothing_waits_and_nothing_is_remembered() {
        let rate = Rate::new(None);
        let now = Instant::now();
        assert_eq!(rate.reserve(now), now);
        assert!(rate.0.lock().unwrap().sent.is_empty());
    }

    #[test]
    fn a_rate_of_nothing_and_a_rate_that_is_half_said_are_problems() {
        let mut problems = Problems::new();
        RateLimit { requests: 0, per: Span::seconds(0) }.check("a", &mut problems);
        for yaml in ["{}", "{requests: 5}", "{name: lgsp, per: 1m}", "{requests: 0, per: 1m}"] {
            serde_saphyr::from_str::<SourceRate>(yaml).unwrap().check("b", &mut problems);
        }
        let places: Vec<_> = problems.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(places, ["a.requests", "a.per", "b", "b", "b", "b.requests"]);
    }

    #[test]
    fn sources_that_name_the_same_rate_share_it() {
        let settings = "{rate_limits: {lgsp: {requests: 2, per: 1h}}}";
        let outbound = Outbound::new(&serde_saphyr::from_str(settings).unwrap());
        let named =
            |name: &str| SourceRate { name: Some(name.to_owned()), ..SourceRate::default() };
        let (one, two) = (named("lgsp").find(&outbound), named("lgsp").find(&outbound));
        let (one, two, now) = (one.unwrap(), two.unwrap(), Instant::now());
        assert_eq!([one.reserve(now), two.reserve(now)], [now, now]);
        assert_eq!(one.reserve(now), now + Duration::from_hours(1), "the other used the second");
        assert!(named("lgps").find(&outbound).is_err());
    }

    #[tokio::test]
    async fn a_closed_gate_holds_the_source_but_not_a_fleet() {
        let gate = gate(8, 8);
        gate.close_for(Duration::from_hours(1));
        drop(gate.pass(false).await);
        let held = tokio::time::timeout(Duration::from_millis(20), gate.pass(true)).await;
        assert!(held.is_err(), "the gate stays closed");
    }

    #[tokio::test]
    async fn all_sources_together_keep_the_places_of_the_gateway() {
        let everybody = Arc::new(Semaphore::new(2));
        let gate = || Gate::new(Arc::new(Rate::new(None)), 8, Arc::clone(&everybody));
        let (one, two) = (gate(), gate());
        let first = one.pass(true).await;
        let _second = two.pass(true).await;
        let mut third = Box::pin(one.pass(true));
        let patience = Duration::from_millis(20);
        assert!(tokio::time::timeout(patience, &mut third).await.is_err(), "both are taken");
        drop(first);
        third.await;
    }
}

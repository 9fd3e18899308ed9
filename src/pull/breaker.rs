//! The circuit breaker of a source: who is down is left alone, and asked again by one request.
//!
//! Closed, it lets everything through and counts failures in a row, over all streams of the source.
//! When there are too many it opens: nothing is asked until the time is over. Then it is half open:
//! one request goes out as a probe, everybody else waits for what becomes of it; an answer closes
//! the circuit, a failure opens it again. An answer is anything that shows a source that works,
//! even a refusal: "slow down" (429) and "who are you" (401) are no reason to think that it is down.
//!
//! Members of a fleet are machines of their own, so they neither count nor wait here. The times are
//! of the wall clock, because a circuit outlives a restart; a clock that was set back cannot keep
//! one open for longer than the configured time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::watch;

use super::error::{PullError, Reason};
use super::{Problems, require};
use crate::clock::Clock;
use crate::model::snapshot::Circuit;
use crate::model::time::Stamp;
use crate::model::units::Span;

/// When a source is left alone.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CircuitBreaker {
    /// After how many failed requests in a row; 1 to 1,000.
    pub failures: u32,
    /// For how long, before one request tries again.
    pub open_for: Span,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self { failures: 5, open_for: Span::seconds(120) }
    }
}

impl CircuitBreaker {
    /// Pushes a problem for each value that makes no sense.
    pub fn check(&self, at: &str, problems: &mut Problems) {
        let fine = (1..=1000).contains(&self.failures);
        require(fine, &format!("{at}.failures"), "must be 1 to 1000", problems);
        let fine = (1..=86_400).contains(&self.open_for.as_seconds());
        require(fine, &format!("{at}.open_for"), "must be 1s to 1d", problems);
    }
}

/// The breaker of one source.
#[derive(Debug)]
pub(super) struct Breaker {
    settings: CircuitBreaker,
    clock: Clock,
    state: Mutex<State>,
    /// Changes when a probe is over.
    probed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    circuit: Circuit,
    is_probing: bool,
}

/// Leave for one attempt. Dropped without a verdict it says nothing of the source.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
    is_judged: bool,
}

impl Breaker {
    pub(super) fn new(settings: CircuitBreaker, clock: Clock) -> Self {
        let (probed, _) = watch::channel(());
        Self { settings, clock, state: Mutex::default(), probed }
    }

    /// Goes on where an earlier process stopped.
    pub(super) fn resume(&self, circuit: Circuit) {
        self.state().circuit = circuit;
    }

    pub(super) fn circuit(&self) -> Circuit {
        self.state().circuit
    }

    /// Leave to ask, or the moment until which nobody has it. Waits while a probe is under way.
    pub(super) async fn admit(&self) -> Result<Pass<'_>, Stamp> {
        let mut probed = self.probed.subscribe();
        loop {
            {
                let mut state = self.state();
                let Some(until) = state.circuit.open_until else {
                    return Ok(self.pass(false));
                };
                let now = self.clock.now();
                let latest = Stamp(now.0 + self.settings.open_for.as_seconds());
                if now < until {
                    state.circuit.open_until = Some(until.min(latest));
                    return Err(until.min(latest));
                }
                if !state.is_probing {
                    state.is_probing = true;
                    return Ok(self.pass(true));
                }
            }
            if probed.changed().await.is_err() {
                return Ok(self.pass(false));
            }
        }
    }

    fn pass(&self, is_probe: bool) -> Pass<'_> {
        Pass { breaker: self, is_probe, is_judged: false }
    }

    fn note(&self, is_probe: bool, has_failed: bool) {
        let mut state = self.state();
        if is_probe {
            state.is_probing = false;
        } else if state.circuit.open_until.is_some() {
            // Sent before the circuit opened: the probe decides, not what comes late.
            return;
        }
        if has_failed {
            let circuit = &mut state.circuit;
            circuit.failures = circuit.failures.saturating_add(1);
            if is_probe || circuit.failures >= self.settings.failures {
                let until = self.clock.now().0 + self.settings.open_for.as_seconds();
                circuit.open_until = Some(Stamp(until));
            }
        } else {
            state.circuit = Circuit::default();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    /// Says what the attempt showed of the source.
    pub(super) fn judge(mut self, error: Option<&PullError>) {
        let verdict = error.map_or(Some(false), |error| shows_failure(error, self.is_probe));
        if let Some(has_failed) = verdict {
            self.is_judged = true;
            self.breaker.note(self.is_probe, has_failed);
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            if !self.is_judged {
                self.breaker.state().is_probing = false;
            }
            self.breaker.probed.send_replace(());
        }
    }
}

/// Whether an error shows a source that is down (`true`), one that works (`false`), or neither.
fn shows_failure(error: &PullError, is_probe: bool) -> Option<bool> {
    if matches!(error, PullError::Stopped) {
        return None;
    }
    match error.reason() {
        Reason::Timeout | Reason::Connect | Reason::Tls | Reason::Http5xx | Reason::Decode => {
            Some(true)
        }
        Reason::Http4xx | Reason::TooLarge => Some(false),
        // Somebody answered, which is all that a probe wants to know.
        Reason::Throttled | Reason::Auth => is_probe.then_some(false),
        Reason::CircuitOpen | Reason::Address | Reason::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> (Breaker, Clock) {
        let clock = Clock::standing(Stamp(1000));
        let settings = CircuitBreaker { failures: 3, open_for: Span::seconds(60) };
        (Breaker::new(settings, clock.clone()), clock)
    }

    fn error(reason: Reason) -> PullError {
        PullError::transient(reason, "x")
    }

    async fn attempt(breaker: &Breaker, reason: Option<Reason>) -> Result<(), Stamp> {
        let pass = breaker.admit().await?;
        pass.judge(reason.map(error).as_ref());
        Ok(())
    }

    #[tokio::test]
    async fn it_opens_after_failures_in_a_row_and_one_probe_closes_it() {
        let (breaker, clock) = breaker();
        for reason in [Some(Reason::Timeout), Some(Reason::Http5xx), None, Some(Reason::Connect)] {
            attempt(&breaker, reason).await.unwrap();
        }
        assert_eq!(breaker.circuit(), Circuit { failures: 1, open_until: None }, "not in a row");
        for _ in 0..2 {
            attempt(&breaker, Some(Reason::Decode)).await.unwrap();
        }
        assert_eq!(attempt(&breaker, None).await, Err(Stamp(1060)));
        clock.set(Stamp(1059));
        assert!(attempt(&breaker, None).await.is_err());
        clock.set(Stamp(1060));
        attempt(&breaker, Some(Reason::Timeout)).await.unwrap();
        assert_eq!(attempt(&breaker, None).await, Err(Stamp(1120)), "one failed probe is enough");
        clock.set(Stamp(1120));
        attempt(&breaker, None).await.unwrap();
        assert_eq!(breaker.circuit(), Circuit::default());
    }

    #[tokio::test]
    async fn s03_being_told_to_slow_down_is_no_failure_and_a_refusal_is_an_answer() {
        let (breaker, clock) = breaker();
        for _ in 0..10 {
            attempt(&breaker, Some(Reason::Throttled)).await.unwrap();
            attempt(&breaker, Some(Reason::Auth)).await.unwrap();
        }
        for _ in 0..2 {
            attempt(&breaker, Some(Reason::Timeout)).await.unwrap();
            attempt(&breaker, Some(Reason::Throttled)).await.unwrap();
        }
        assert_eq!(breaker.circuit().failures, 2, "throttling neither counts nor forgives");
        attempt(&breaker, Some(Reason::Timeout)).await.unwrap();
        clock.set(Stamp(1060));
        attempt(&breaker, Some(Reason::Throttled)).await.unwrap();
        assert_eq!(breaker.circuit(), Circuit::default(), "a probe that is throttled was answered");
    }

    #[tokio::test]
    async fn s04_everybody_waits_for_the_one_probe() {
        let (breaker, clock) = breaker();
        breaker.resume(Circuit { failures: 3, open_until: Some(Stamp(1060)) });
        clock.set(Stamp(1060));
        for outcome in [Some(error(Reason::Timeout)), None] {
            let probe = breaker.admit().await.unwrap();
            assert!(probe.is_probe);
            let mut waiting = Box::pin(breaker.admit());
            let patience = std::time::Duration::from_millis(20);
            assert!(tokio::time::timeout(patience, &mut waiting).await.is_err());
            let is_well = outcome.is_none();
            probe.judge(outcome.as_ref());
            let waited = waiting.await.map(|pass| pass.is_probe);
            assert_eq!(waited, if is_well { Ok(false) } else { Err(Stamp(1120)) });
            clock.set(Stamp(1120));
        }
    }

    #[tokio::test]
    async fn a_probe_that_is_broken_off_leaves_its_place_to_the_next() {
        let (breaker, clock) = breaker();
        breaker.resume(Circuit { failures: 3, open_until: Some(Stamp(1060)) });
        clock.set(Stamp(1060));
        drop(breaker.admit().await.unwrap());
        assert!(breaker.admit().await.unwrap().is_probe);
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_keeps_nothing_open_for_longer_than_configured() {
        let (breaker, clock) = breaker();
        breaker.resume(Circuit { failures: 3, open_until: Some(Stamp(90_000)) });
        assert_eq!(attempt(&breaker, None).await, Err(Stamp(1060)));
        clock.set(Stamp(1060));
        assert_eq!(attempt(&breaker, None).await, Ok(()));
    }

    #[test]
    fn a_breaker_that_never_or_always_opens_is_a_problem() {
        let mut problems = Problems::new();
        CircuitBreaker { failures: 0, open_for: Span::seconds(0) }.check("c", &mut problems);
        let places: Vec<_> = problems.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(places, ["c.failures", "c.open_for"]);
    }
}

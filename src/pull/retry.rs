//! When to ask again: exponential backoff with full jitter, or later if the source asks for it.
//!
//! Full jitter (anything from nothing to the ceiling) spreads the retries of many gateways and
//! streams best. A source's `Retry-After` can only lengthen the wait, never shorten it, and only
//! up to a cap: garbage, dates in the past and absurd values fall back to our own backoff.

use std::time::Duration;

use jiff::fmt::{rfc2822, strtime};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Problems, require};
use crate::model::time::{DAY, Day, Stamp};
use crate::model::units::Span;

/// How often and how patiently a failed request is asked again.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// How often after the first attempt; 0 to 20.
    pub max_retries: u32,
    /// Ceiling of the first wait; it doubles with each retry.
    pub first: Span,
    /// Ceiling of every wait.
    pub longest: Span,
    /// The longest `Retry-After` that is honoured in full.
    pub retry_after_cap: Span,
    /// How long a stream is not asked again after its credentials were refused, unless a secret
    /// changes.
    pub after_denial: Span,
    /// How many repeats all runs of the source together may add to its requests, in percent of the
    /// last minute's; ten are always allowed.
    pub budget_percent: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_retries: 4,
            first: Span(Duration::from_millis(500)),
            longest: Span::seconds(30),
            retry_after_cap: Span::seconds(15 * 60),
            after_denial: Span::seconds(60),
            budget_percent: 10,
        }
    }
}

impl Retry {
    /// Pushes a problem for each value that makes no sense.
    pub fn check(&self, at: &str, problems: &mut Problems) {
        let few = self.max_retries <= 20;
        require(few, &format!("{at}.max_retries"), "must be at most 20", problems);
        let ordered = self.first <= self.longest;
        require(ordered, &format!("{at}.first"), "must not be more than longest", problems);
        let bounded = self.longest <= Span::seconds(3600);
        require(bounded, &format!("{at}.longest"), "must be at most 1h", problems);
        let bounded = self.budget_percent <= 1000;
        require(bounded, &format!("{at}.budget_percent"), "must be at most 1000", problems);
        let day = Span::seconds(DAY as u64);
        let capped = self.retry_after_cap <= day;
        require(capped, &format!("{at}.retry_after_cap"), "must be at most 1d", problems);
        let capped = self.after_denial <= day;
        require(capped, &format!("{at}.after_denial"), "must be at most 1d", problems);
    }

    /// The wait before retry number `retry` (0 for the first).
    pub(super) fn backoff(&self, retry: u32, random: &mut fastrand::Rng) -> Duration {
        let doubled = self.first.0.saturating_mul(2_u32.saturating_pow(retry));
        doubled.min(self.longest.0).mul_f64(random.f64())
    }

    /// How long a `Retry-After` of an answer dated `answered` asks us to wait; `None` if it asks
    /// for nothing that makes sense.
    pub fn asked(&self, header: &str, answered: Stamp) -> Option<Duration> {
        let header = header.trim();
        let seconds = if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
            header.parse::<i64>().ok()?
        } else {
            http_date(header)?.0.checked_sub(answered.0)?
        };
        let sensible = (1..=DAY).contains(&seconds).then_some(seconds)?;
        Some(Duration::from_secs(sensible as u64).min(self.retry_after_cap.0))
    }
}

/// Reads the three forms of date that HTTP knows; all of them are in GMT.
pub(super) fn http_date(text: &str) -> Option<Stamp> {
    if let Ok(at) = rfc2822::DateTimeParser::new().parse_timestamp(text) {
        return Some(Stamp(at.as_second()));
    }
    let old = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let at = old.iter().find_map(|form| strtime::parse(form, text).ok()?.to_datetime().ok())?;
    let day = i64::from(Day::from_date(at.date()).0) * DAY;
    let second = i64::from(at.hour()) * 3600 + i64::from(at.minute()) * 60 + i64::from(at.second());
    Some(Stamp(day + second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_honoured_up_to_the_cap_or_not_at_all() {
        let answered = Stamp::parse("1994-11-06T08:49:37Z").unwrap();
        let retry = Retry::default();
        for (header, seconds) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("0", None),
            ("-5", None),
            ("3600", Some(900)),
            ("1000000000", None),
            ("99999999999999999999", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 07:49:37 GMT", None),
            ("Sun, 06 Nov 1994 10:49:37 GMT", Some(900)),
            ("Tue, 06 Nov 2094 08:49:37 GMT", None),
            ("Sun, 99 Nov 1994 08:49:37 GMT", None),
        ] {
            let wanted = seconds.map(Duration::from_secs);
            assert_eq!(retry.asked(header, answered), wanted, "{header:?}");
        }
    }

    #[test]
    fn backoff_grows_to_its_ceiling_and_uses_the_whole_range() {
        let retry = Retry::default();
        let mut random = fastrand::Rng::with_seed(1);
        for (attempt, ceiling) in [(0, 500), (1, 1000), (3, 4000), (6, 30_000), (4_000_000, 30_000)]
        {
            let waits: Vec<_> =
                (0..2000).map(|_| retry.backoff(attempt, &mut random).as_millis()).collect();
            assert!(waits.iter().all(|wait| *wait <= ceiling));
            assert!(waits.iter().any(|wait| *wait > ceiling * 9 / 10));
            assert!(waits.iter().any(|wait| *wait < ceiling / 10));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_waits() {
        let waits = |seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            (0..5).map(|retry| Retry::default().backoff(retry, &mut random)).collect::<Vec<_>>()
        };
        assert_eq!(waits(3), waits(3));
        assert_ne!(waits(3), waits(4));
    }

    #[test]
    fn impatient_or_endless_settings_are_problems() {
        let retry = Retry {
            max_retries: 21,
            first: Span::seconds(7200),
            longest: Span::seconds(3700),
            retry_after_cap: Span::seconds(90_000),
            after_denial: Span::seconds(90_000),
            budget_percent: 1001,
        };
        let mut problems = Problems::new();
        retry.check("retry", &mut problems);
        assert_eq!(problems.len(), 6, "{problems:?}");
    }
}

//! How often somebody may ask: per key, and per address for those who show none.
//!
//! Each has a bucket that a request takes a drop from and time fills again, kept as one number: the moment
//! at which it will be full (the generic cell rate algorithm). What is full is forgotten, so the table
//! holds only those who asked a short time ago, and it has a limit: whoever comes when it is reached shares
//! one bucket with all others who did. Who shows a key that opens nothing pays from the bucket of
//! their address, so keys cannot be guessed faster than anybody may ask.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use actix_web::http::header::HeaderValue;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use crate::model::units::Span;

/// The most buckets that are told apart.
const MOST_BUCKETS: usize = 10_000;

/// `access.rate_limits`: how often may be asked.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// By the holder of a key.
    pub key: Rate,
    /// By somebody without one, told apart by the address they come from.
    pub address: Rate,
}

/// So many requests in a time, in any rhythm.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many.
    pub requests: u32,
    /// In which time.
    pub per: Span,
}

impl Default for Rate {
    fn default() -> Self {
        Self { requests: 6000, per: Span::seconds(60) }
    }
}

impl Rate {
    /// The most that `requests` may be.
    pub const MOST: u32 = 1_000_000;

    /// What is wrong with it.
    pub fn check(self) -> Result<(), &'static str> {
        if !(1..=Self::MOST).contains(&self.requests) {
            return Err("'requests' must be from 1 to 1000000");
        }
        if !(1..=86_400).contains(&self.per.as_seconds()) {
            return Err("'per' must be from 1s to 1d");
        }
        Ok(())
    }

    /// As the IETF draft writes it.
    fn policy(self) -> Option<HeaderValue> {
        let (requests, window) = (self.requests, self.per.as_seconds());
        HeaderValue::try_from(format!("\"default\";q={requests};w={window}")).ok()
    }

    fn period(self) -> u64 {
        self.per.0.as_nanos() as u64
    }

    /// The time in which one request is earned again, in nanoseconds.
    fn each(self) -> u64 {
        (self.period() / u64::from(self.requests)).max(1)
    }
}

/// Whose bucket it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    Key(String),
    Address(Option<IpAddr>),
    /// Those for whom there was no room.
    Others,
}

/// What is left in a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) is_let_in: bool,
    pub(super) requests: u64,
    /// Seconds until another one may be made, or until the bucket is full.
    pub(super) seconds: u64,
}

/// The buckets.
#[derive(Debug)]
pub struct Limiter {
    limits: RateLimits,
    policies: [Option<HeaderValue>; 2],
    born: Instant,
    full_at: Mutex<HashMap<Whose, u64>>,
}

impl Limiter {
    /// Nobody has asked yet.
    pub fn new(limits: RateLimits) -> Self {
        let policies = [limits.key, limits.address].map(Rate::policy);
        Self { limits, policies, born: Instant::now(), full_at: Mutex::default() }
    }

    /// `RateLimit-Policy` for those with a key or without one.
    pub(super) fn policy(&self, has_key: bool) -> Option<HeaderValue> {
        self.policies[usize::from(!has_key)].clone()
    }

    /// Takes one request from a bucket, if there is one in it.
    pub(super) fn take(&self, whose: Whose) -> Left {
        self.take_at(whose, self.born.elapsed().as_nanos() as u64)
    }

    fn take_at(&self, whose: Whose, now: u64) -> Left {
        let rate = match whose {
            Whose::Key(_) => self.limits.key,
            Whose::Address(_) | Whose::Others => self.limits.address,
        };
        let (each, period) = (rate.each(), rate.period());
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let whose = room(&mut buckets, whose, now);
        let full_at = buckets.get(&whose).copied().unwrap_or(0).max(now);
        let next = full_at + each;
        let is_let_in = next <= now + period;
        let owed = if is_let_in { next - now } else { full_at - now };
        if is_let_in {
            buckets.insert(whose, next);
        }
        let wait = if is_let_in { owed } else { next - now - period };
        Left {
            is_let_in,
            requests: period.saturating_sub(owed) / each,
            seconds: wait.div_ceil(1_000_000_000).max(1),
        }
    }
}

/// Whose bucket it shall be: their own, or everybody's where there is no room for another one.
fn room(buckets: &mut HashMap<Whose, u64>, whose: Whose, now: u64) -> Whose {
    if buckets.len() < MOST_BUCKETS || buckets.contains_key(&whose) {
        return whose;
    }
    buckets.retain(|_, full_at| *full_at > now);
    if buckets.len() < MOST_BUCKETS { whose } else { Whose::Others }
}

impl Left {
    /// `RateLimit`, as the IETF draft writes it.
    pub(super) fn header(self) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("\"default\";r={};t={}", self.requests, self.seconds)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn limiter() -> Limiter {
        let rate = Rate { requests: 3, per: Span::seconds(30) };
        Limiter::new(RateLimits { key: rate, address: rate })
    }

    fn key(name: &str) -> Whose {
        Whose::Key(name.to_owned())
    }

    #[test]
    fn so_many_are_let_in_then_one_for_each_time_in_which_one_is_earned() {
        let limiter = limiter();
        let left: Vec<u64> = (0..3).map(|_| limiter.take_at(key("a"), 0).requests).collect();
        assert_eq!(left, [2, 1, 0]);
        let refused = limiter.take_at(key("a"), SECOND);
        assert!(!refused.is_let_in);
        assert_eq!((refused.requests, refused.seconds), (0, 9));
        assert!(limiter.take_at(key("b"), SECOND).is_let_in, "another one is not concerned");
        assert!(limiter.take_at(key("a"), 10 * SECOND).is_let_in);
        assert!(!limiter.take_at(key("a"), 10 * SECOND).is_let_in);
        assert_eq!(limiter.take_at(key("a"), 100 * SECOND).requests, 2, "it is full again");
    }

    #[test]
    fn c02_the_table_is_bounded_and_late_comers_share_one_bucket() {
        let limiter = limiter();
        for name in 0..MOST_BUCKETS {
            assert!(limiter.take_at(key(&name.to_string()), 0).is_let_in);
        }
        let late =
            (0..4).map(|name| limiter.take_at(key(&format!("late {name}")), SECOND).is_let_in);
        assert_eq!(late.collect::<Vec<_>>(), [true, true, true, false]);
        assert!(limiter.full_at.lock().unwrap().len() <= MOST_BUCKETS + 1);
        // When those of before have been forgotten there is room again.
        assert!(limiter.take_at(key("later"), 60 * SECOND).is_let_in);
        assert_eq!(limiter.full_at.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_rate_of_nothing_or_of_no_time_is_refused() {
        assert!(Rate::default().check().is_ok());
        assert!(Rate { requests: 0, ..Rate::default() }.check().is_err());
        assert!(Rate { per: Span::seconds(0), ..Rate::default() }.check().is_err());
        assert!(Rate { per: Span::seconds(86_401), ..Rate::default() }.check().is_err());
    }
}

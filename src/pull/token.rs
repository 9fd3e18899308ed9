//! Tokens that run out: fetched early, by one task at a time, shared by all who prove themselves alike.
//!
//! Tokens carry a generation. Who was refused with generation *n* asks for something newer than
//! *n*: the first one fetches, everybody else who waited gets the same answer, be it a token or a
//! failure, so a hundred runs that meet an expired token or a dead token endpoint make one
//! request. A token is renewed at 80 % of its life, by the monotonic clock; what a source says of
//! that life is bounded on both sides.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::error::{Failure, PullError, Reason};
use super::secret::Secret;

const LONGEST_LIFE: u64 = 86_400;
/// However soon a token is said to run out, another one is not asked for before.
const SHORTEST_USE: Duration = Duration::from_secs(5);

/// A token and what it takes to know whether it is still the latest.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) secret: Secret,
    pub(super) generation: u64,
    renew_at: Option<Instant>,
}

/// What a token endpoint granted.
pub(super) struct Granted {
    pub(super) token: Secret,
    pub(super) life: Option<Duration>,
    /// What takes the place of the refresh token that it came for.
    pub(super) refresh_token: Option<Secret>,
}

/// The holders of all credentials of the process: a credential has one, however many sources and
/// streams use it.
#[derive(Clone, Debug, Default)]
pub struct Holders(Arc<Lock<HashMap<String, Arc<Holder>>>>);

/// Holds the token of a credential.
#[derive(Debug, Default)]
pub(super) struct Holder {
    attempts: AtomicU64,
    latest: Mutex<Latest>,
}

#[derive(Debug, Default)]
struct Latest {
    token: Option<Token>,
    failure: Option<Failure>,
    generation: u64,
}

#[derive(Deserialize)]
struct Written {
    access_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Value,
}

impl Holders {
    /// The holder of the credential that `settings` describe.
    pub(super) fn of(&self, settings: String) -> Arc<Holder> {
        let mut holders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(holders.entry(settings).or_default())
    }
}

impl Holder {
    /// A token newer than `refused` (0 for any) that need not be renewed yet; `fetch` gets one.
    pub(super) async fn newer_than(
        &self,
        refused: u64,
        fetch: impl Future<Output = Result<Granted, Failure>>,
    ) -> Result<Token, Failure> {
        let before = self.attempts.load(Ordering::SeqCst);
        let mut latest = self.latest.lock().await;
        if let Some(token) = &latest.token
            && token.generation > refused
            && token.renew_at.is_none_or(|at| Instant::now() < at)
        {
            return Ok(token.clone());
        }
        if self.attempts.load(Ordering::SeqCst) != before
            && let Some(failure) = &latest.failure
        {
            return Err(failure.clone());
        }
        let outcome = fetch.await;
        self.attempts.fetch_add(1, Ordering::SeqCst);
        latest.failure = outcome.as_ref().err().cloned();
        let granted = outcome?;
        latest.generation += 1;
        let token = Token {
            secret: granted.token,
            generation: latest.generation,
            renew_at: granted.life.map(|life| Instant::now() + life.mul_f64(0.8).max(SHORTEST_USE)),
        };
        latest.token = Some(token.clone());
        Ok(token)
    }
}

impl Granted {
    /// Reads the answer of a token endpoint (RFC 6749, section 5.1).
    pub(super) fn read(label: &str, body: &[u8]) -> Result<Self, PullError> {
        let refused = |what: &str| PullError::refused(Reason::Auth, format!("{label}: {what}"));
        // The parser's own message may quote the body, and the body is a secret.
        let written: Written = serde_json::from_slice(body)
            .map_err(|_| refused("the answer is not JSON with an access_token"))?;
        if written.token_type.is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err(refused("the token_type is not bearer"));
        }
        if written.access_token.is_empty() {
            return Err(refused("the access_token is empty"));
        }
        Ok(Self {
            token: Secret::new(written.access_token),
            life: life(&written.expires_in),
            refresh_token: written.refresh_token.filter(|it| !it.is_empty()).map(Secret::new),
        })
    }
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Granted {{ life: {:?} }}", self.life)
    }
}

/// The `Authorization` value of a bearer token, marked so that nothing prints it.
pub(super) fn bearer(token: &Secret) -> Result<HeaderValue, PullError> {
    sensitive(&format!("Bearer {}", token.expose()))
}

/// A header value that nothing prints.
pub(super) fn sensitive(text: &str) -> Result<HeaderValue, PullError> {
    let mut value = HeaderValue::try_from(text).map_err(|_| {
        PullError::refused(Reason::Auth, "a secret holds characters that no header can carry")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// `expires_in` as number or text; what makes no sense counts as not said, and then the token is
/// kept until it is refused.
pub(super) fn life(expires_in: &Value) -> Option<Duration> {
    let seconds = match expires_in {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().map(|s| s as u64)),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    seconds.filter(|seconds| *seconds > 0).map(|s| Duration::from_secs(s.min(LONGEST_LIFE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(life: Option<u64>) -> Granted {
        let (token, life) = (Secret::new("CANARY"), life.map(Duration::from_secs));
        Granted { token, life, refresh_token: None }
    }

    /// S25: a clock that is off, a moment in place of a length, nonsense.
    #[test]
    fn a_life_that_makes_no_sense_counts_as_not_said() {
        for (json, wanted) in [
            (r#"{"access_token":"t","expires_in":300}"#, Some(300)),
            (r#"{"access_token":"t","expires_in":"300"}"#, Some(300)),
            (r#"{"access_token":"t","expires_in":299.5}"#, Some(299)),
            (r#"{"access_token":"t","expires_in":1e300}"#, Some(86_400)),
            (r#"{"access_token":"t","expires_in":1712052000}"#, Some(86_400)),
            (r#"{"access_token":"t","expires_in":-5}"#, None),
            (r#"{"access_token":"t","expires_in":0}"#, None),
            (r#"{"access_token":"t","expires_in":"soon"}"#, None),
            (r#"{"access_token":"t"}"#, None),
        ] {
            let life = Granted::read("token", json.as_bytes()).unwrap().life;
            assert_eq!(life, wanted.map(Duration::from_secs), "{json}");
        }
    }

    #[test]
    fn an_answer_that_is_no_token_is_refused_without_being_quoted() {
        for json in [
            r#"{"access_token":["CANARY"]}"#,
            r#"{"token":"CANARY"}"#,
            r#"{"access_token":""}"#,
            r#"{"access_token":"CANARY","token_type":"mac"}"#,
            "<html>CANARY</html>",
            "",
        ] {
            let error = Granted::read("token", json.as_bytes()).unwrap_err();
            assert_eq!(error.reason(), Reason::Auth, "{json}");
            assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_token_is_kept_until_it_is_refused() {
        let holder = Holder::default();
        let first = holder.newer_than(0, async { Ok(granted(None)) }).await.unwrap();
        let again = holder.newer_than(0, async { panic!("fetched twice") }).await.unwrap();
        assert_eq!(again.generation, first.generation);
        let newer = holder.newer_than(first.generation, async { Ok(granted(None)) }).await.unwrap();
        assert!(newer.generation > first.generation);
        assert!(!format!("{newer:?} {holder:?}").contains("CANARY"));
    }

    #[tokio::test]
    async fn a_token_is_renewed_at_four_fifths_of_its_life() {
        let holder = Holder::default();
        let token = holder.newer_than(0, async { Ok(granted(Some(100))) }).await.unwrap();
        let left = token.renew_at.unwrap() - Instant::now();
        assert!(left <= Duration::from_secs(80) && left > Duration::from_secs(79), "{left:?}");
        let soon = holder.newer_than(token.generation, async { Ok(granted(Some(1))) }).await;
        let left = soon.unwrap().renew_at.unwrap() - Instant::now();
        assert!(left > Duration::from_secs(4), "no storm, whatever the source says: {left:?}");
        holder.latest.lock().await.token.as_mut().unwrap().renew_at = Some(Instant::now());
        let renewed = holder.newer_than(0, async { Ok(granted(Some(100))) }).await.unwrap();
        assert!(renewed.generation > token.generation);
    }

    #[tokio::test]
    async fn those_who_waited_share_a_failure_and_the_next_one_tries_again() {
        let holder = Holder::default();
        let fetches = AtomicU64::new(0);
        let fail = || async {
            fetches.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Err(Failure::from(PullError::transient(Reason::Http5xx, "down")))
        };
        let waiting: Vec<_> = (0..20).map(|_| holder.newer_than(0, fail())).collect();
        let outcomes = futures_util::future::join_all(waiting).await;
        assert!(outcomes.iter().all(Result::is_err));
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
        assert!(holder.newer_than(0, async { Ok(granted(None)) }).await.is_ok());
    }
}

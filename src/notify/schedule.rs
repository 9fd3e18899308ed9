//! When a message is tried again, and when nobody is believed to listen any more.
//!
//! The waits are those that Standard Webhooks proposes. Up to a fifth is added to each, so that many
//! gateways and webhooks that failed together do not come back together; a receiver that asks for more
//! time gets it.

use std::time::Duration;

use crate::model::time::{DAY, Stamp};
use crate::model::webhook::{Attempt, Disabled, Webhook};
use crate::pull::Posted;

/// Seconds before each further attempt; the last one repeats.
const WAITS: [u64; 9] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// After so long without success a webhook is disabled.
const GIVEN_UP_AFTER: i64 = 5 * DAY;

/// What an answer, or none, means for the message and its webhook.
pub(super) fn judge(
    webhook: &Webhook,
    posted: Result<Posted, String>,
    now: Stamp,
    random: f64,
) -> Attempt {
    let (error, wait) = match posted {
        Ok(Posted { status: 200..=299, .. }) => return Attempt::Taken,
        Ok(Posted { status: 410, .. }) => {
            return Attempt::Over { error: "HTTP 410".to_owned(), why: Disabled::Gone };
        }
        Ok(Posted { status, wait }) => (format!("HTTP {status}"), wait),
        Err(error) => (error, None),
    };
    let since = webhook.progress.failing_since.unwrap_or(now);
    if now.0 - since.0 >= GIVEN_UP_AFTER {
        return Attempt::Over { error, why: Disabled::Failing };
    }
    let again = next(webhook.progress.failures, random).max(wait.unwrap_or_default());
    Attempt::Failed { error, again: Stamp(now.0 + again.as_secs() as i64) }
}

/// The wait after so many earlier failures; `random` is from 0 to 1.
fn next(failures: u32, random: f64) -> Duration {
    let place = (failures as usize).min(WAITS.len() - 1);
    Duration::from_secs(WAITS[place]).mul_f64(1.0 + random / 5.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::webhook::{Progress, Secret, Subscription};

    fn failing(failures: u32, since: Option<Stamp>) -> Webhook {
        Webhook {
            id: "wh_1".to_owned(),
            owner: "k".to_owned(),
            url: "https://example.org".to_owned(),
            name: "x".to_owned(),
            wants: Subscription { topics: [].into(), indicators: None, areas: None },
            created: Stamp(0),
            secret: Secret::default(),
            disabled: None,
            progress: Progress { failures, failing_since: since, ..Progress::default() },
        }
    }

    fn answer(status: u16, wait: Option<u64>) -> Posted {
        Posted { status, wait: wait.map(Duration::from_secs) }
    }

    #[test]
    fn waits_grow_with_jitter_and_retry_after_only_lengthens_them() {
        let now = Stamp(1_000_000);
        let again =
            |failures, posted, random| match judge(&failing(failures, None), posted, now, random) {
                Attempt::Failed { again, .. } => again.0 - now.0,
                other => panic!("{other:?}"),
            };
        for (failures, least) in [(0, 5), (1, 300), (2, 1800), (8, 86_400), (500, 86_400)] {
            assert_eq!(again(failures, Ok(answer(500, None)), 0.0), least);
            assert_eq!(again(failures, Ok(answer(500, None)), 1.0), least + least / 5);
        }
        assert_eq!(again(0, Ok(answer(429, Some(120))), 0.0), 120);
        assert_eq!(again(1, Ok(answer(503, Some(7))), 0.0), 300);
        // A redirect is not followed, and not success.
        for status in [301, 400, 401, 404, 500] {
            assert_eq!(again(0, Ok(answer(status, None)), 0.0), 5, "{status}");
        }
        assert_eq!(again(0, Err("no connection".to_owned()), 0.0), 5);
    }

    #[test]
    fn two_hundred_is_success_and_410_or_five_days_of_failure_are_the_end() {
        let now = Stamp(10 * DAY);
        let judged =
            |since: Option<i64>, posted| judge(&failing(3, since.map(Stamp)), posted, now, 0.0);
        for status in [200, 202, 204, 299] {
            assert_eq!(judged(Some(0), Ok(answer(status, None))), Attempt::Taken);
        }
        let gone = Attempt::Over { error: "HTTP 410".to_owned(), why: Disabled::Gone };
        assert_eq!(judged(None, Ok(answer(410, None))), gone);
        let over = Attempt::Over { error: "HTTP 500".to_owned(), why: Disabled::Failing };
        assert_eq!(judged(Some(5 * DAY), Ok(answer(500, None))), over);
        assert!(matches!(judged(Some(5 * DAY + 1), Ok(answer(500, None))), Attempt::Failed { .. }));
    }
}

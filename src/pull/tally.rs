//! What a run costs, for metrics: bounded however long it lasts.

use std::time::Duration;

use reqwest::StatusCode;

const MOST_DURATIONS: usize = 1024;

/// What a run cost, for metrics.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Answers with 2xx, 3xx, 4xx and 5xx, then attempts without a whole answer. Tokens are not
    /// counted.
    pub requests: [u64; 5],
    /// Attempts that were repeats.
    pub retries: u64,
    /// Decoded bytes of whole bodies.
    pub bytes: u64,
    /// How long each attempt took; at most the first 1,024.
    pub durations: Vec<Duration>,
}

impl Tally {
    /// Label values that belong to [`Tally::requests`].
    pub const CLASSES: [&'static str; 5] = ["2xx", "3xx", "4xx", "5xx", "none"];

    /// Adds what another run cost.
    pub fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.requests.iter_mut().zip(other.requests) {
            *mine += theirs;
        }
        self.retries += other.retries;
        self.bytes += other.bytes;
        let room = MOST_DURATIONS.saturating_sub(self.durations.len());
        self.durations.extend(other.durations.iter().take(room));
    }

    pub(super) fn count(&mut self, outcome: Option<StatusCode>, took: Duration) {
        let class = outcome.map_or(4, |status| match status.as_u16() {
            200..=299 => 0,
            300..=399 => 1,
            400..=499 => 2,
            500..=599 => 3,
            _ => 4,
        });
        self.requests[class] += 1;
        if self.durations.len() < MOST_DURATIONS {
            self.durations.push(took);
        }
    }
}

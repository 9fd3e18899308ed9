//! Families about answers over HTTP.

use std::time::Duration;

use prometheus::{HistogramVec, IntCounter, IntCounterVec};

use super::maker::Maker;

/// The families.
pub struct Answers {
    requests: IntCounterVec,
    duration: HistogramVec,
    lookups: IntCounter,
    hits: IntCounter,
}

impl Answers {
    pub(super) fn new(make: &Maker<'_>) -> Self {
        Self {
            requests: make.counters(
                "http_requests_total",
                "Requests answered by route template.",
                &["route", "method", "code"],
            ),
            duration: make.times(
                "http_request_duration_seconds",
                "Time to answer by route template.",
                &["route", "method"],
                16.0,
            ),
            lookups: make.counter(
                "http_cache_lookups_total",
                "Questions about figures for which a kept answer was looked for.",
            ),
            hits: make.counter("http_cache_hits_total", "Questions for which one was found."),
        }
    }

    /// A request has been answered; `route` is a template.
    pub fn answered(&self, route: &str, method: &str, code: u16, took: Duration) {
        self.requests.with_label_values(&[route, method, &code.to_string()]).inc();
        self.duration.with_label_values(&[route, method]).observe(took.as_secs_f64());
    }

    /// A kept answer was looked for, and found or not.
    pub fn looked_up(&self, is_found: bool) {
        self.lookups.inc();
        if is_found {
            self.hits.inc();
        }
    }
}

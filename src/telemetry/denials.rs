//! Families about those who are not let in.

use prometheus::IntCounterVec;

use super::maker::Maker;

/// Why somebody is refused.
const REASONS: [&str; 7] = ["missing", "unknown", "expired", "revoked", "scope", "reach", "rate"];

/// The families, every label set at zero from the start.
pub struct Denials {
    failures: IntCounterVec,
}

impl Denials {
    pub(super) fn new(make: &Maker<'_>) -> Self {
        let failures = make.counters(
            "auth_failures_total",
            "Requests refused: missing, unknown, expired, revoked, scope, reach, rate.",
            &["reason"],
        );
        for reason in REASONS {
            failures.with_label_values(&[reason]);
        }
        Self { failures }
    }

    /// Somebody was not let in; an unknown reason does not count.
    pub fn denied(&self, reason: &str) {
        if let Some(reason) = REASONS.iter().find(|known| **known == reason) {
            self.failures.with_label_values(&[reason]).inc();
        }
    }
}

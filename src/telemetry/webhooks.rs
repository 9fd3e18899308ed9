//! Families about those who are told by webhook.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use prometheus::{IntCounterVec, IntGaugeVec};

use super::maker::Maker;
use crate::model::webhook::{Disabled, Webhook};

/// How telling a webhook may go.
const STATES: [&str; 3] = ["active", "failing", "disabled"];

/// The families; a webhook has its label sets from the moment it is made until it is deleted.
pub struct Webhooks {
    deliveries: IntCounterVec,
    failures: IntCounterVec,
    waiting: IntGaugeVec,
    failing: IntGaugeVec,
    states: IntGaugeVec,
    known: Mutex<BTreeSet<String>>,
}

impl Webhooks {
    pub(super) fn new(make: &Maker<'_>) -> Self {
        let labels = &["endpoint"];
        let says = "Webhooks by how telling them goes; failing too where nothing is sent any more and nobody decided so.";
        let states = make.gauges("webhooks", says, &["state"]);
        for state in STATES {
            states.with_label_values(&[state]).set(0);
        }
        Self {
            states,
            deliveries: make.counters(
                "webhook_deliveries_total",
                "Attempts to hand a message over, by webhook.",
                labels,
            ),
            failures: make.counters(
                "webhook_delivery_failures_total",
                "Attempts that failed, by webhook.",
                labels,
            ),
            waiting: make.gauges("webhook_queue_length", "Messages waiting, by webhook.", labels),
            failing: make.gauges(
                "webhook_failing",
                "Whether the last attempt failed, or nothing is sent any more and nobody decided so.",
                labels,
            ),
            known: Mutex::default(),
        }
    }

    /// Shows how all webhooks stand; those that are no more vanish.
    pub fn look(&self, webhooks: &[Webhook]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now: BTreeSet<String> = webhooks.iter().map(|each| each.id.clone()).collect();
        for gone in known.difference(&now) {
            for family in [&self.deliveries, &self.failures] {
                let _ = family.remove_label_values(&[gone]);
            }
            for family in [&self.waiting, &self.failing] {
                let _ = family.remove_label_values(&[gone]);
            }
        }
        let mut counts = [0; STATES.len()];
        for Webhook { id, progress, disabled, .. } in webhooks {
            self.deliveries.with_label_values(&[id]);
            self.failures.with_label_values(&[id]);
            self.waiting.with_label_values(&[id]).set(progress.waiting as i64);
            let is_failing = match disabled {
                Some((_, why)) => *why != Disabled::ByHand,
                None => progress.failures > 0,
            };
            self.failing.with_label_values(&[id]).set(i64::from(is_failing));
            let state = if is_failing { 1 } else { usize::from(disabled.is_some()) * 2 };
            counts[state] += 1;
        }
        for (state, count) in STATES.iter().zip(counts) {
            self.states.with_label_values(&[state]).set(count);
        }
        *known = now;
    }

    /// Somebody was told, or would have been.
    pub fn tried(&self, id: &str, is_taken: bool) {
        self.deliveries.with_label_values(&[id]).inc();
        if !is_taken {
            self.failures.with_label_values(&[id]).inc();
        }
    }
}

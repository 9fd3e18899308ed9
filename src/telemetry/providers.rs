//! Families about providers of tokens.

use std::sync::{Mutex, PoisonError};

use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec};

use super::maker::Maker;
use crate::model::time::Stamp;

/// The families; a provider has its label sets while it is configured.
pub struct Providers {
    keys: IntGaugeVec,
    read: GaugeVec,
    failures: IntCounterVec,
    known: Mutex<Vec<String>>,
}

impl Providers {
    pub(super) fn new(make: &Maker<'_>) -> Self {
        let labels = &["provider"];
        Self {
            keys: make.gauges("token_keys", "Public keys of a provider of tokens.", labels),
            read: make.moments(
                "token_keys_last_success_timestamp_seconds",
                "When a provider's keys were last read; 0 if never.",
                labels,
            ),
            failures: make.counters(
                "token_keys_failures_total",
                "Times that a provider's keys could not be read.",
                labels,
            ),
            known: Mutex::default(),
        }
    }

    /// Shows exactly these providers.
    pub fn adopt(&self, names: &[&str]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in known.iter().filter(|name| !names.contains(&name.as_str())) {
            let _ = self.keys.remove_label_values(&[gone]);
            let _ = self.read.remove_label_values(&[gone]);
            let _ = self.failures.remove_label_values(&[gone]);
        }
        for name in names {
            self.keys.with_label_values(&[name]);
            self.read.with_label_values(&[name]);
            self.failures.with_label_values(&[name]);
        }
        *known = names.iter().map(|name| (*name).to_owned()).collect();
    }

    /// A provider's keys were read: how many there are.
    pub fn read(&self, provider: &str, keys: usize, at: Stamp) {
        self.keys.with_label_values(&[provider]).set(keys as i64);
        self.read.with_label_values(&[provider]).set(at.0 as f64);
    }

    /// They could not be read.
    pub fn failed(&self, provider: &str) {
        self.failures.with_label_values(&[provider]).inc();
    }
}

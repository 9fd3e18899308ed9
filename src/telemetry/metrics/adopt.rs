//! Which sources the families speak of: those of the configuration in use, and no others.

use std::collections::HashMap;
use std::sync::PoisonError;

use prometheus::core::{Collector as _, MetricVec, MetricVecBuilder};

use super::{CHANGES, CODES, FAILURES, Metrics, PAGE_REFUSED, SourceLabels, StreamLabels, moment};
use crate::model::observation::Reason;
use crate::model::time::Stamp;

impl Metrics {
    /// Takes over the sources of another configuration: what is gone vanishes, what is new begins at
    /// zero, and everything else goes on counting.
    pub fn adopt(&self, sources: Vec<SourceLabels>) {
        let mut known = self.sources.write().unwrap_or_else(PoisonError::into_inner);
        let is_gone = |name: &str| !sources.iter().any(|source| source.source == name);
        if known.iter().any(|source| is_gone(&source.source)) {
            self.forget(&is_gone);
        }
        self.source_info.reset();
        for source in &sources {
            self.source_info
                .with_label_values(&[&source.source, &source.kind, &source.unit])
                .set(1);
            self.source_enabled.with_label_values(&[&source.source]).set(1);
            let strictest = source.streams.iter().map(|each| each.fresh_within).min().unwrap_or(0);
            self.freshness_limit.with_label_values(&[&source.source]).set(strictest as f64);
        }
        self.begin_at_zero(&sources);
        *known = sources;
    }

    /// A configuration was read in mid-life, and is in use now or was refused.
    pub fn reloaded(&self, is_good: bool, at: Stamp) {
        self.config_good.set(i64::from(is_good));
        if is_good {
            self.config_taken.set(at.0 as f64);
        }
    }

    /// Drops every label set of sources that are gone.
    fn forget(&self, is_gone: &dyn Fn(&str) -> bool) {
        let gauges = [
            &self.source_up,
            &self.targets,
            &self.targets_up,
            &self.fleet,
            &self.quarantine,
            &self.source_enabled,
            &self.source_paused,
            &self.circuit_open,
        ];
        let more = [&self.breaches, &self.reports.reports];
        gauges.into_iter().chain(more).for_each(|family| without(family, is_gone));
        let moments = [
            &self.last_success,
            &self.last_attempt,
            &self.next_pull,
            &self.watermark,
            &self.quarantine_oldest,
            &self.freshness_limit,
            &self.discovery_success,
            &self.credential_expiry,
            &self.reports.next_due,
        ];
        moments.into_iter().for_each(|family| without(family, is_gone));
        let counters = [
            &self.pulls,
            &self.pull_failures,
            &self.requests,
            &self.retries,
            &self.received_bytes,
            &self.received,
            &self.applied,
            &self.rejected,
            &self.unknown_codes,
            &self.warned,
            &self.unknown_fields,
            &self.late,
            &self.unbalanced,
            &self.discovery_failures,
        ];
        counters.into_iter().for_each(|family| without(family, is_gone));
        let times = [&self.pull_duration, &self.request_duration];
        times.into_iter().for_each(|family| without(family, is_gone));
    }

    fn begin_at_zero(&self, sources: &[SourceLabels]) {
        for source in sources {
            let name = source.source.as_str();
            for family in [&self.pulls, &self.retries, &self.received_bytes] {
                family.with_label_values(&[name]);
            }
            for reason in FAILURES {
                self.pull_failures.with_label_values(&[name, reason]);
            }
            for code in CODES {
                self.requests.with_label_values(&[name, code]);
            }
            if source.is_fleet {
                self.fleet(name, [0; 3]);
                self.discovery_failures.with_label_values(&[name]);
                moment(&self.discovery_success, &[name], None);
            }
            self.pull_duration.with_label_values(&[name]);
            self.credential_expiry.with_label_values(&[name]);
            self.request_duration.with_label_values(&[name]);
            for StreamLabels { stream, warnings, has_deadlines, .. } in &source.streams {
                if *has_deadlines {
                    self.reports.look(name, stream, None);
                }
                let families = [
                    &self.received,
                    &self.unknown_codes,
                    &self.unknown_fields,
                    &self.late,
                    &self.unbalanced,
                ];
                for family in families {
                    family.with_label_values(&[name, stream]);
                }
                self.rejected.with_label_values(&[name, stream, PAGE_REFUSED]);
                for rule in warnings {
                    self.warned.with_label_values(&[name, stream, rule]);
                }
                for change in CHANGES {
                    self.applied.with_label_values(&[name, stream, change]);
                }
                for reason in Reason::ALL {
                    self.rejected.with_label_values(&[name, stream, reason.as_str()]);
                }
            }
        }
    }
}

/// Drops the label sets of a family whose source is gone.
fn without<T: MetricVecBuilder>(family: &MetricVec<T>, is_gone: &dyn Fn(&str) -> bool) {
    for families in family.collect() {
        for metric in families.get_metric() {
            let labels = metric.get_label().iter().map(|label| (label.name(), label.value()));
            let labels: HashMap<&str, &str> = labels.collect();
            if labels.get("source").is_some_and(|name| is_gone(name)) {
                let _ = family.remove(&labels);
            }
        }
    }
}

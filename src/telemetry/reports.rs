//! Families about reports that have to be in by a moment; only of streams that have such a rule.

use prometheus::{GaugeVec, IntGaugeVec};

use super::maker::Maker;
use crate::model::lateness::{LatenessRegister, ReportState};

/// The families.
pub(super) struct Reports {
    /// Reports in the register.
    pub(super) reports: IntGaugeVec,
    /// When the next is due.
    pub(super) next_due: GaugeVec,
}

impl Reports {
    pub(super) fn new(make: &Maker<'_>) -> Self {
        let reports = make.gauges(
            "reports",
            "Reports in the lateness register: pending, on_time, missing, late.",
            &["source", "stream", "state"],
        );
        let next_due = make.moments(
            "report_next_due_timestamp_seconds",
            "Unix time at which the next report is due, or the last one was where none is to come.",
            &["source", "stream"],
        );
        Self { reports, next_due }
    }

    /// Shows a stream's register as it is; empty before its stream is known.
    pub(super) fn look(&self, source: &str, stream: &str, register: Option<&LatenessRegister>) {
        for state in ReportState::ALL {
            let count = register.map_or(0, |register| register.count(state));
            self.reports.with_label_values(&[source, stream, state.as_str()]).set(count as i64);
        }
        let next = register.and_then(|register| register.reports.last());
        let next = next.map_or(0.0, |report| report.due_at.0 as f64);
        self.next_due.with_label_values(&[source, stream]).set(next);
    }
}

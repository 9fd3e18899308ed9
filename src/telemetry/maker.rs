//! Makes families and registers them, all under one prefix.

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry,
};

/// Makes families and registers them.
pub(super) struct Maker<'a>(pub(super) &'a Registry);

impl Maker<'_> {
    pub(super) fn add<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let family = made.expect("names and labels are constants that are tested");
        self.0.register(Box::new(family.clone())).expect("each family is registered once");
        family
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(Opts::new(format!("iocgw_{name}"), help), labels))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(Opts::new(format!("iocgw_{name}"), help), labels))
    }

    pub(super) fn moments(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.add(GaugeVec::new(Opts::new(format!("iocgw_{name}"), help), labels))
    }

    pub(super) fn moment(&self, name: &str, help: &str) -> Gauge {
        self.add(Gauge::new(format!("iocgw_{name}"), help))
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::new(format!("iocgw_{name}"), help))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::new(format!("iocgw_{name}"), help))
    }

    pub(super) fn times(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        longest: f64,
    ) -> HistogramVec {
        // Eight buckets, each four times the one before, ending at `longest`.
        let buckets = (0..8).rev().map(|i| longest / 4_f64.powi(i)).collect();
        self.add(HistogramVec::new(
            HistogramOpts::new(format!("iocgw_{name}"), help).buckets(buckets),
            labels,
        ))
    }
}

//! Every metric family of the gateway, in one struct; the help texts are the reference.
//!
//! Counters move where things happen. Gauges about sources and store are computed from the snapshot
//! at each scrape, so they cannot lag behind it and vanish with their source.

mod adopt;

use std::path::Path;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge,
    IntGaugeVec, Registry, TextEncoder,
};

use super::{
    answers::Answers, certificate::OwnCertificate, denials::Denials, disk, listeners::Listeners,
    maker::Maker, providers::Providers, reports::Reports, webhooks::Webhooks,
};
use crate::model::backfill::State;
use crate::model::drift::{Audit, Grade};
use crate::model::observation::Reason;
use crate::model::snapshot::{History, Snapshot, StreamState};
use crate::model::time::Stamp;

/// The reasons why a run may fail, for labels that begin at zero.
pub const FAILURES: [&str; 18] = [
    "timeout",
    "connect",
    "tls",
    "auth",
    "http_4xx",
    "http_5xx",
    "throttled",
    "too_large",
    "decode",
    "circuit_open",
    "address",
    "contract",
    "store",
    "truncated",
    "loop_detected",
    "reconcile_refused",
    "stopped",
    "other",
];

/// Classes of answers, in the order of a run's tally.
const CODES: [&str; 5] = ["2xx", "3xx", "4xx", "5xx", "none"];

/// The rule by which good records are refused together with the bad ones on their page.
const PAGE_REFUSED: &str = "page_refused";

/// States of a fleet's targets.
const TARGET_STATES: [&str; 3] = ["up", "silent", "waiting"];

/// What became of a record.
const CHANGES: [&str; 5] = ["insert", "update", "superseded", "duplicate", "retract"];

/// What metrics say of a source, from the configuration.
#[derive(Clone, Debug)]
pub struct SourceLabels {
    /// The source's name.
    pub source: String,
    /// What kind of system it is.
    pub kind: String,
    /// The accountable unit's id.
    pub unit: String,
    /// Whether it is a fleet of targets.
    pub is_fleet: bool,
    /// Its streams.
    pub streams: Vec<StreamLabels>,
}

/// What metrics say of a stream, from the configuration.
#[derive(Clone, Debug)]
pub struct StreamLabels {
    /// The stream's name.
    pub stream: String,
    /// The largest allowed age of its data, seconds.
    pub fresh_within: i64,
    /// Whether its reports have to be in by a moment.
    pub has_deadlines: bool,
    /// The checks of its contract that only warn, as written.
    pub warnings: Vec<String>,
}

/// All families.
pub struct Metrics {
    registry: Registry,
    /// As the configuration in use has them.
    sources: RwLock<Vec<SourceLabels>>,
    config_good: IntGauge,
    config_taken: Gauge,
    source_info: IntGaugeVec,
    source_enabled: IntGaugeVec,
    freshness_limit: GaugeVec,
    source_up: IntGaugeVec,
    source_paused: IntGaugeVec,
    circuit_open: IntGaugeVec,
    credential_expiry: GaugeVec,
    last_success: GaugeVec,
    last_attempt: GaugeVec,
    next_pull: GaugeVec,
    watermark: GaugeVec,
    backfill: GaugeVec,
    targets: IntGaugeVec,
    targets_up: IntGaugeVec,
    fleet: IntGaugeVec,
    discovery_failures: IntCounterVec,
    discovery_success: GaugeVec,
    quarantine: IntGaugeVec,
    quarantine_oldest: GaugeVec,
    revision: IntGauge,
    store_size: IntGauge,
    store_available: IntGauge,
    ready: IntGauge,
    pulls: IntCounterVec,
    pull_failures: IntCounterVec,
    pull_duration: HistogramVec,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    retries: IntCounterVec,
    received_bytes: IntCounterVec,
    received: IntCounterVec,
    applied: IntCounterVec,
    rejected: IntCounterVec,
    unknown_codes: IntCounterVec,
    warned: IntCounterVec,
    unknown_fields: IntCounterVec,
    late: IntCounterVec,
    rekeying: IntGaugeVec,
    breaches: IntGaugeVec,
    unbalanced: IntCounterVec,
    commit_duration: Histogram,
    /// About answers over HTTP.
    pub answers: Answers,
    /// About the certificate that is shown to callers.
    pub own_certificate: OwnCertificate,
    /// About providers of tokens.
    pub providers: Providers,
    reports: Reports,
    /// Those who listen to events.
    pub listeners: Listeners,
    /// About those who are not let in.
    pub denials: Denials,
    /// About those who are told by webhook.
    pub webhooks: Webhooks,
}

impl Metrics {
    /// All families, every label set at zero.
    #[expect(clippy::too_many_lines, reason = "one line a family: the list is the reference")]
    pub fn new(sources: Vec<SourceLabels>) -> Self {
        let registry = Registry::new();
        let make = Maker(&registry);
        let by_source = &["source"];
        let metrics = Self {
            config_good: make.gauge(
                "config_last_reload_successful",
                "Whether the configuration read last is the one in use.",
            ),
            config_taken: make.moment("config_last_reload_success_timestamp_seconds", "Unix time at which the configuration in use was taken over."),
            source_info: make.gauges(
                "source_info",
                "Source metadata to join on source; constant 1.",
                &["source", "source_kind", "unit"],
            ),
            source_enabled: make.gauges(
                "source_enabled",
                "Whether the source is switched on in configuration.",
                by_source,
            ),
            freshness_limit: make.moments(
                "source_freshness_limit_seconds",
                "Configured largest allowed age of the watermark.",
                by_source,
            ),
            source_up: make.gauges(
                "source_up",
                "Whether the last finished pull of every stream succeeded.",
                by_source,
            ),
            source_paused: make.gauges(
                "source_paused",
                "Whether somebody decided that the source is not asked until further notice.",
                by_source,
            ),
            circuit_open: make.gauges(
                "source_circuit_open",
                "Whether the circuit breaker is open: the source is left alone until a probe is due.",
                by_source,
            ),
            credential_expiry: make.moments(
                "source_credential_expiry_timestamp_seconds",
                "Unix time at which the first of the certificates that source and gateway show each other ends; 0 if none has been seen.",
                by_source,
            ),
            last_success: make.moments(
                "source_last_success_timestamp_seconds",
                "Unix time of the last successful pull.",
                by_source,
            ),
            last_attempt: make.moments(
                "source_last_attempt_timestamp_seconds",
                "Unix time of the last pull attempt.",
                by_source,
            ),
            next_pull: make.moments(
                "source_next_pull_timestamp_seconds",
                "Unix time at which the next pull is due; 0 while the source is paused.",
                by_source,
            ),
            watermark: make.moments(
                "source_watermark_timestamp_seconds",
                "Event time up to which the source is believed complete.",
                by_source,
            ),
            backfill: make.moments("source_backfill_done_ratio", "Share of slices done.", by_source),
            targets: make.gauges("source_targets", "Targets of a fleet.", by_source),
            targets_up: make.gauges(
                "source_targets_up",
                "Targets of a fleet that answered the last poll.",
                by_source,
            ),
            fleet: make.gauges(
                "fleet_targets",
                "Targets on a fleet's list now, by what came of asking them last.",
                &["source", "state"],
            ),
            discovery_failures: make.counters(
                "fleet_discovery_failures_total",
                "Looks at a fleet's lists of targets that found one broken; the last good one is kept.",
                by_source,
            ),
            discovery_success: make.moments(
                "fleet_discovery_last_success_timestamp_seconds",
                "Unix time at which all lists of a fleet's targets were last good.",
                by_source,
            ),
            quarantine: make.gauges("quarantine_records", "Records in quarantine now.", by_source),
            quarantine_oldest: make.moments(
                "quarantine_oldest_timestamp_seconds",
                "Arrival time of the oldest quarantined record; 0 if there is none.",
                by_source,
            ),
            revision: make
                .gauge("store_revision", "Commit number of the snapshot that readers see."),
            store_size: make.gauge(
                "store_size_bytes",
                "Size of the store on disk (main file and write-ahead log).",
            ),
            store_available: make
                .gauge("store_available_bytes", "Free bytes on the volume of the store."),
            ready: make.gauge("ready", "Whether /readyz answers 200."),
            pulls: make.counters(
                "source_pulls_total",
                "Pull cycles finished, whatever the outcome.",
                by_source,
            ),
            pull_failures: make.counters(
                "source_pull_failures_total",
                "Pull cycles failed, by reason.",
                &["source", "reason"],
            ),
            pull_duration: make.times(
                "source_pull_duration_seconds",
                "Wall time of one pull cycle.",
                by_source,
                256.0,
            ),
            requests: make.counters(
                "source_requests_total",
                "HTTP requests sent to the source by status class.",
                &["source", "code"],
            ),
            request_duration: make.times(
                "source_request_duration_seconds",
                "Latency of single HTTP requests to the source.",
                by_source,
                64.0,
            ),
            retries: make.counters("source_retries_total", "Requests retried.", by_source),
            received_bytes: make.counters(
                "source_received_bytes_total",
                "Body bytes read from the source.",
                by_source,
            ),
            received: make.counters(
                "records_received_total",
                "Records decoded from responses.",
                &["source", "stream"],
            ),
            applied: make.counters(
                "records_applied_total",
                "Records folded into state, by what changed.",
                &["source", "stream", "change"],
            ),
            rejected: make.counters(
                "records_rejected_total",
                "Records that broke their contract, by reason.",
                &["source", "stream", "rule"],
            ),
            unknown_codes: make.counters(
                "records_unknown_codes_total",
                "Codes that are not in their list and were taken as other.",
                &["source", "stream"],
            ),
            warned: make.counters(
                "records_warned_total",
                "Records accepted although a check of their contract that only warns fails.",
                &["source", "stream", "rule"],
            ),
            late: make.counters(
                "records_late_total",
                "New records that count on a day that was over, its deadline included.",
                &["source", "stream"],
            ),
            rekeying: make.gauges(
                "identifier_records_under_previous_key",
                "Records known only under the previous identifier key, while it is replaced.",
                &["contract"],
            ),
            unknown_fields: make.counters(
                "contract_unknown_fields_total",
                "Fields seen that nobody maps, the most in one record of each page; never named.",
                &["source", "stream"],
            ),
            breaches: make.gauges(
                "contract_breaches",
                "Breaches of contracts that go on, by grade.",
                &["source", "stream", "grade"],
            ),
            unbalanced: make.counters(
                "runs_unbalanced_total",
                "Runs whose records do not add up: received is not the sum of what became of them.",
                &["source", "stream"],
            ),
            commit_duration: make.add(Histogram::with_opts(
                HistogramOpts::new(
                    "iocgw_store_commit_duration_seconds",
                    "Time from handing a page to the store to its durable commit.",
                )
                .buckets((0..8).map(|i| 0.001 * 4_f64.powi(i)).collect()),
            )),
            answers: Answers::new(&make),
            own_certificate: OwnCertificate::new(&make),
            providers: Providers::new(&make),
            reports: Reports::new(&make),
            listeners: Listeners::new(&make),
            denials: Denials::new(&make),
            webhooks: Webhooks::new(&make),
            registry: registry.clone(),
            sources: RwLock::default(),
        };
        metrics.describe(&make);
        metrics.adopt(sources);
        metrics
    }

    /// What never changes while the program runs.
    fn describe(&self, make: &Maker<'_>) {
        let build = make.gauges("build_info", "Build facts; constant 1.", &["version", "store"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), "sqlite"]).set(1);
        #[cfg(target_os = "linux")]
        {
            let process = prometheus::process_collector::ProcessCollector::for_self();
            self.registry.register(Box::new(process)).expect("registered once");
        }
    }

    /// How many targets of a fleet are in which state: up, silent, waiting.
    pub fn fleet(&self, source: &str, counts: [u64; 3]) {
        for (state, count) in TARGET_STATES.iter().zip(counts) {
            self.fleet.with_label_values(&[source, state]).set(count as i64);
        }
    }

    /// A fleet's lists of targets have been looked at; when, if all of them were good.
    pub fn discovered(&self, source: &str, good_at: Option<Stamp>) {
        match good_at {
            Some(_) => moment(&self.discovery_success, &[source], good_at),
            None => self.discovery_failures.with_label_values(&[source]).inc(),
        }
    }

    /// A pull cycle has ended.
    pub fn pulled(&self, source: &str, took: Duration, failure: Option<&str>) {
        self.pulls.with_label_values(&[source]).inc();
        self.pull_duration.with_label_values(&[source]).observe(took.as_secs_f64());
        if let Some(reason) = failure {
            let reason = FAILURES.iter().find(|known| **known == reason).unwrap_or(&"other");
            self.pull_failures.with_label_values(&[source, reason]).inc();
        }
    }

    /// When the first of a source's certificates ends, as far as they have been seen.
    pub fn credential_ends(&self, source: &str, at: Option<Stamp>) {
        moment(&self.credential_expiry, &[source], at);
    }

    /// What a pull cycle cost: requests by class (2xx, 3xx, 4xx, 5xx, none), retries, bytes, latencies.
    pub fn cost(
        &self,
        source: &str,
        requests: &[u64; 5],
        retries: u64,
        bytes: u64,
        durations: &[Duration],
    ) {
        for (code, count) in CODES.iter().zip(requests) {
            self.requests.with_label_values(&[source, code]).inc_by(*count);
        }
        self.retries.with_label_values(&[source]).inc_by(retries);
        self.received_bytes.with_label_values(&[source]).inc_by(bytes);
        let latency = self.request_duration.with_label_values(&[source]);
        durations.iter().for_each(|duration| latency.observe(duration.as_secs_f64()));
    }

    /// A page has been committed: received, inserted, updated, superseded, duplicate.
    pub fn committed(&self, source: &str, stream: &str, counts: [u64; 5], took: Duration) {
        self.received.with_label_values(&[source, stream]).inc_by(counts[0]);
        for (change, count) in CHANGES.iter().zip(&counts[1..]) {
            self.applied.with_label_values(&[source, stream, change]).inc_by(*count);
        }
        self.commit_duration.observe(took.as_secs_f64());
    }

    /// A full pass has taken records back that its source no longer lists.
    pub fn retracted(&self, source: &str, stream: &str, count: u64) {
        self.applied.with_label_values(&[source, stream, "retract"]).inc_by(count);
    }

    /// Records broke their contract.
    pub fn rejected(&self, source: &str, stream: &str, reason: Reason, count: u64) {
        self.rejected.with_label_values(&[source, stream, reason.as_str()]).inc_by(count);
    }

    /// A page was looked at: unknown codes, failed warnings, unmapped fields. Rules come from the
    /// contract, so there are as many labels as checks that only warn.
    pub fn audited(&self, source: &str, stream: &str, page: &Audit) {
        let labels = [source, stream];
        self.unknown_codes.with_label_values(&labels).inc_by(page.unknown_codes.values().sum());
        self.unknown_fields.with_label_values(&labels).inc_by(page.unmapped.unwrap_or(0));
        for (rule, count) in &page.warnings {
            self.warned.with_label_values(&[source, stream, rule]).inc_by(*count);
        }
    }

    /// Texts came for which a property has no room any more.
    pub fn crowded(&self, source: &str, stream: &str, count: u64) {
        self.unknown_codes.with_label_values(&[source, stream]).inc_by(count);
    }

    /// New records came for days that were over.
    pub fn late(&self, source: &str, stream: &str, count: u64) {
        self.late.with_label_values(&[source, stream]).inc_by(count);
    }

    /// A page was refused whole: its records, and those among them that broke nothing themselves.
    pub fn page_refused(&self, source: &str, stream: &str, records: u64, others: u64) {
        self.received.with_label_values(&[source, stream]).inc_by(records);
        self.rejected.with_label_values(&[source, stream, PAGE_REFUSED]).inc_by(others);
    }

    /// A run did not balance.
    pub fn unbalanced(&self, source: &str, stream: &str) {
        self.unbalanced.with_label_values(&[source, stream]).inc();
    }

    /// Everything in text format 0.0.4.
    pub fn render(&self, snapshot: &Snapshot, store: &Path, ready: bool) -> String {
        self.look(snapshot);
        self.revision.set(snapshot.revision as i64);
        self.ready.set(i64::from(ready));
        self.store_size.set(disk::store_size(store));
        self.store_available.set(disk::available(store));
        self.own_certificate.look();
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .expect("memory takes every byte");
        String::from_utf8(text).expect("the encoder writes UTF-8")
    }

    fn look(&self, snapshot: &Snapshot) {
        for (contract, remaining) in &snapshot.rekeying {
            self.rekeying.with_label_values(&[contract]).set(*remaining as i64);
        }
        for source in &*self.sources.read().unwrap_or_else(PoisonError::into_inner) {
            for StreamLabels { stream, has_deadlines, .. } in &source.streams {
                let state = snapshot.streams.get(&format!("{}.{stream}", source.source));
                if *has_deadlines {
                    self.reports.look(&source.source, stream, state.map(|state| &*state.lateness));
                }
                for grade in Grade::ALL {
                    let count = state.map_or(0, |state| state.register.count(grade));
                    let labels = [source.source.as_str(), stream, grade.as_str()];
                    self.breaches.with_label_values(&labels).set(count as i64);
                }
            }
            let name = [source.source.as_str()];
            let states: Vec<&StreamState> = source
                .streams
                .iter()
                .filter_map(|StreamLabels { stream, .. }| {
                    snapshot
                        .streams
                        .get(&format!("{}.{stream}", source.source))
                        .map(|state| &**state)
                })
                .collect();
            let good =
                |state: &&StreamState| state.trouble.is_none() && state.last_success.is_some();
            let up = !states.is_empty() && states.iter().all(good);
            self.source_up.with_label_values(&name).set(i64::from(up));
            let is_paused = snapshot.paused.contains_key(&source.source);
            self.source_paused.with_label_values(&name).set(i64::from(is_paused));
            let circuit = snapshot.circuits.get(&source.source);
            let is_open = circuit.is_some_and(|circuit| circuit.open_until.is_some());
            self.circuit_open.with_label_values(&name).set(i64::from(is_open));
            self.quarantine
                .with_label_values(&name)
                .set(states.iter().map(|state| state.quarantined as i64).sum());
            // The worst stream speaks for its source; what never happened has no moment.
            let oldest = |of: fn(&StreamState) -> Option<Stamp>| {
                states.iter().map(|state| of(state)).min().flatten()
            };
            let since = states.iter().filter_map(|state| state.quarantined_since).min();
            moment(&self.quarantine_oldest, &name, since);
            moment(&self.last_success, &name, oldest(|state| state.last_success));
            moment(&self.last_attempt, &name, oldest(|state| state.last_attempt));
            moment(&self.next_pull, &name, oldest(|state| state.next_run).filter(|_| !is_paused));
            moment(&self.watermark, &name, oldest(|state| state.data_through));
            let histories = states.iter().filter_map(|state| state.history.as_ref());
            let asked = snapshot.backfills.iter().filter(|job| job.wanted.source == source.source);
            let running = asked.clone().filter(|job| job.state == State::Running);
            let running = running.map(|job| {
                let (done, total) = job.progress();
                History { done, total, pending: Vec::new() }
            });
            let running: Vec<_> = running.collect();
            // Once there has been one, "none is under way" is said as well.
            let ratio = History::share(histories.chain(&running));
            if let Some(ratio) = ratio.or_else(|| asked.clone().next().map(|_| 1.0)) {
                self.backfill.with_label_values(&name).set(ratio);
            }
            if let Some((up, all)) = states.iter().find_map(|state| state.targets) {
                self.targets.with_label_values(&name).set(all as i64);
                self.targets_up.with_label_values(&name).set(up as i64);
            }
        }
    }
}

fn moment(family: &GaugeVec, name: &[&str; 1], at: Option<Stamp>) {
    let gauge: Gauge = family.with_label_values(name);
    gauge.set(at.map_or(0.0, |at| at.0 as f64));
}

#[cfg(test)]
mod tests;

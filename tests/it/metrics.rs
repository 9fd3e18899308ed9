//! `/metrics` as Prometheus reads it: the exact type, names without a flaw, and every family that
//! an alert asks for.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::deploy::asked_by_alerts;
use crate::support::Pulled;

/// Families that operators are promised, whatever happens.
const PROMISED: &[&str] = &[
    "iocgw_build_info",
    "iocgw_ready",
    "iocgw_store_size_bytes",
    "iocgw_store_available_bytes",
    "iocgw_source_info",
    "iocgw_source_enabled",
    "iocgw_source_up",
    "iocgw_source_pulls_total",
    "iocgw_source_pull_failures_total",
    "iocgw_source_pull_duration_seconds",
    "iocgw_source_requests_total",
    "iocgw_source_request_duration_seconds",
    "iocgw_source_retries_total",
    "iocgw_source_received_bytes_total",
    "iocgw_source_last_success_timestamp_seconds",
    "iocgw_source_last_attempt_timestamp_seconds",
    "iocgw_source_next_pull_timestamp_seconds",
    "iocgw_source_watermark_timestamp_seconds",
    "iocgw_source_freshness_limit_seconds",
    "iocgw_records_received_total",
    "iocgw_records_applied_total",
    "iocgw_records_rejected_total",
    "iocgw_quarantine_records",
    "iocgw_http_requests_total",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_max_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
];

#[test]
fn the_running_program_tells_prometheus_everything_without_a_flaw() {
    let pulled = Pulled::start(9);
    let answer = pulled.gateway.get("/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_promtool_finds_nothing(&answer.body);

    let families: BTreeSet<&str> = answer
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let missing: Vec<_> = PROMISED.iter().filter(|name| !families.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    // `up` is Prometheus' own.
    let asked = asked_by_alerts();
    let unknown: Vec<_> =
        asked.iter().filter(|name| *name != "up" && !families.contains(name.as_str())).collect();
    assert!(unknown.is_empty(), "alerts ask for {unknown:?}");

    // Every source shows itself, at zero if nothing happened, and nothing else does.
    let sources = pulled.gateway.get("/v1/sources").json();
    let sources: BTreeSet<&str> = sources["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["source"].as_str().unwrap())
        .collect();
    for family in ["iocgw_source_up", "iocgw_source_pulls_total", "iocgw_quarantine_records"] {
        assert_eq!(labelled(&answer.body, family, "source"), sources, "{family}");
    }
    let reasons = labelled(&answer.body, "iocgw_source_pull_failures_total", "reason");
    assert!(reasons.contains("timeout") && reasons.contains("decode"), "{reasons:?}");
    assert!(!answer.body.contains("CANARY"));
    // Routes are templates, so that no request can make a label.
    pulled.gateway.get("/v1/indicators/online_filing_rate/value");
    pulled.gateway.get("/CANARY");
    let text = pulled.gateway.get("/metrics").body;
    let routes = labelled(&text, "iocgw_http_requests_total", "route");
    assert!(routes.contains("/v1/indicators/{id}/value") && routes.contains("unmatched"));
    assert!(!text.contains("CANARY"), "{routes:?}");
}

/// The values that a label has in a family.
fn labelled<'a>(text: &'a str, family: &str, label: &str) -> BTreeSet<&'a str> {
    let start = format!("{family}{{");
    let label = format!("{label}=\"");
    text.lines()
        .filter_map(|line| line.strip_prefix(&start)?.split(&label).nth(1)?.split('"').next())
        .collect()
}

fn assert_promtool_finds_nothing(text: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("promtool: {error}. `make tools` installs it."));
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let done = promtool.wait_with_output().unwrap();
    let said =
        [done.stdout, done.stderr].map(|b| String::from_utf8_lossy(&b).into_owned()).concat();
    assert!(done.status.success() && said.trim().is_empty(), "{}: {said}", done.status);
}

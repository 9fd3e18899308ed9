//! `/metrics` as Prometheus reads it: the exact type, names without a flaw, and every family that
//! an alert asks for.

use std::collections::BTreeSet;

use crate::deploy::asked_by_alerts;
use crate::support::{Overlay, Pulled, copy, promtool, shipped};

/// Families that operators are promised, whatever happens.
const PROMISED: &[&str] = &[
    "iocgw_build_info",
    "iocgw_ready",
    "iocgw_config_last_reload_successful",
    "iocgw_config_last_reload_success_timestamp_seconds",
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
    // A provider of tokens too, of which nothing is heard.
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    copy(&shipped(), &config);
    let provider = "token_providers: [{provider: sso, issuer: 'http://127.0.0.1:9', audience: iocgw, \
                    allowed_networks: [127.0.0.0/8], rules: [{claim: /a, is: b, opens: {scopes: [read]}}]}]";
    std::fs::write(config.join("iocgw.yaml"), format!("version: 1\n{provider}\n")).unwrap();
    let pulled = Pulled::start_with(&config, 9);
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

#[test]
fn indicators_are_metrics_too_one_family_each_under_a_cap_that_counts() {
    let overlay = Overlay::new();
    let settings = "version: 1\nindicator_metrics:\n  communes: [dossiers_received, on_time_rate, dossiers_pending]\n  \
                    max_series: 780\n";
    overlay.write("iocgw.yaml", settings);
    let pulled = Pulled::start_with(&overlay.config(), 10);
    let answer = pulled.gateway.get("/metrics/indicators");
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_promtool_finds_nothing(&answer.body);
    let text = answer.body.as_str();
    // Every indicator by the province's value, and what it is.
    let catalogue = pulled.gateway.get("/v1/catalogue").json();
    let ids: BTreeSet<&str> = catalogue["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["indicator"].as_str().unwrap())
        .collect();
    assert_eq!(labelled(text, "ioc_indicator_info", "indicator"), ids);
    assert_eq!(labelled(text, "ioc_indicator_period_start_timestamp_seconds", "indicator"), ids);
    for line in text.lines().filter(|line| line.starts_with("ioc_indicator_info{")) {
        let label =
            |name: &str| line.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next();
        let (id, metric) = (label("indicator").unwrap(), label("metric").unwrap());
        let has_value = text.contains(&format!("\n{metric} "));
        let reading = || pulled.gateway.get(&format!("/v1/indicators/{id}/value")).json();
        assert!(has_value || reading()["value"].is_null(), "{metric} has no value");
    }
    // The value is the one that the API gives for its newest day.
    let value =
        pulled.gateway.get("/v1/indicators/dossiers_received/value").json()["value"].clone();
    assert!(text.contains(&format!("\nioc_dossiers_received_province {value}\n")), "{value}");
    // Each target that is in force says how the value stands against it.
    let judged = labelled(text, "ioc_indicator_target_status", "indicator");
    assert_eq!(judged, labelled(text, "ioc_indicator_target_expected", "indicator"));
    let reading = pulled.gateway.get("/v1/indicators/online_filing_rate/value").json();
    let status = reading["target"]["status"].as_str().unwrap();
    let line = format!(
        "ioc_indicator_target_status{{indicator=\"online_filing_rate\",status=\"{status}\"}} 1"
    );
    assert!(text.lines().any(|found| found == line), "{line}");
    // Families of communes fit under the cap or are left out whole and counted; the one of all communes
    // does not fit, whatever the hour.
    let communes = ["ioc_dossiers_received", "ioc_dossiers_pending", "ioc_on_time_rate_ratio"]
        .map(|family| labelled(text, family, "commune").len());
    assert!(communes.iter().any(|count| *count > 0), "{communes:?}");
    assert_eq!(communes[1], 0, "{communes:?}");
    let dropped = |text: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix("ioc_series_dropped_total "));
        line.unwrap().parse().unwrap()
    };
    assert!(dropped(text) > 0);
    let again = pulled.gateway.get("/metrics/indicators").body;
    assert_eq!(dropped(&again), 2 * dropped(text));
    assert!(!text.contains("CANARY"));
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
    let (done, said) = promtool(&["check", "metrics"], text);
    assert!(done && said.trim().is_empty(), "{said}");
}

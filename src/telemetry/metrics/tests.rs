//! Every family and label set is there from the start.

use super::*;

#[test]
fn every_label_set_is_there_from_the_start() {
    let source = SourceLabels {
        source: "portal".to_owned(),
        kind: "public_service_portal".to_owned(),
        unit: "vp-ubnd".to_owned(),
        is_fleet: true,
        streams: vec![StreamLabels {
            stream: "dossiers".to_owned(),
            fresh_within: 1800,
            has_deadlines: true,
            warnings: vec!["a <= b".to_owned()],
        }],
    };
    let text = Metrics::new(vec![source]).render(&Snapshot::default(), Path::new("none.db"), true);
    for line in [
        "iocgw_source_pull_failures_total{reason=\"timeout\",source=\"portal\"} 0",
        "iocgw_records_rejected_total{rule=\"future_dated\",source=\"portal\",stream=\"dossiers\"} 0",
        "iocgw_source_freshness_limit_seconds{source=\"portal\"} 1800",
        "iocgw_source_up{source=\"portal\"} 0",
        "iocgw_source_last_success_timestamp_seconds{source=\"portal\"} 0",
        "iocgw_records_warned_total{rule=\"a <= b\",source=\"portal\",stream=\"dossiers\"} 0",
        "iocgw_contract_breaches{grade=\"breaking\",source=\"portal\",stream=\"dossiers\"} 0",
        "iocgw_reports{source=\"portal\",state=\"missing\",stream=\"dossiers\"} 0",
        "iocgw_contract_unknown_fields_total{source=\"portal\",stream=\"dossiers\"} 0",
        "iocgw_fleet_targets{source=\"portal\",state=\"silent\"} 0",
        "iocgw_fleet_discovery_failures_total{source=\"portal\"} 0",
        "iocgw_ready 1",
        "process_resident_memory_bytes",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

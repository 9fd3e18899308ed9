//! `/metrics` of the running program, read by Prometheus' own checker.

use std::io::Write as _;
use std::process::{Command, Stdio};

use ioc_gateway::clock::Clock;
use ioc_gateway::province::{Fleet, Now, Settings};

use crate::support::{Gateway, Systems, shipped};

#[test]
fn promtool_finds_nothing_wrong_with_the_metrics_and_every_alert_finds_its_metric() {
    let mut settings = Settings::new(3, Now::Live(Clock::System));
    (settings.months, settings.scale) = (1, 0.02);
    settings.fleet = Fleet { silent: 0.0, slow: 0.0 };
    let systems = Systems::start(settings);
    let folder = tempfile::tempdir().unwrap();
    systems.write_secrets(&folder.path().join("secrets"));
    let gateway = Gateway::start(&shipped(), folder.path(), &systems.variables);
    gateway.wait_until("a good pull of the portal", "/metrics", |answer| {
        answer.body.contains("iocgw_source_up{source=\"portal\"} 1")
    });
    let answer = gateway.get("/metrics");
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");

    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is missing: run `make tools`");
    promtool.stdin.take().unwrap().write_all(answer.body.as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.trim().is_empty(), "{said}");

    let alerts =
        std::fs::read_to_string(shipped().join("../deploy/prometheus/alerts.yml")).unwrap();
    let names: std::collections::BTreeSet<_> = alerts
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("iocgw_") || word.starts_with("process_"))
        .collect();
    assert!(names.len() > 5);
    for name in names {
        assert!(answer.body.contains(&format!("# TYPE {name} ")), "{name} is in no answer");
    }
}

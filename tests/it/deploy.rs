//! What `deploy/` ships is judged by the tools that will read it: `promtool` for the scrape
//! configuration, the alerts and their tests, `systemd-analyze` for the unit.
//!
//! A missing tool is a failure that names `make tools`, never a skip: a rule file that nobody
//! checked is worse than none, for it is believed. Beside the tools' own verdict these tests hold
//! what no tool knows: each alert has a runbook and is tested both ways, and the unit hands over each
//! secret that the configuration names. (That alerts ask only for metrics that exist is seen beside
//! the metrics of the running program.)

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde::Deserialize;
use serde::de::IgnoredAny;

/// Tenths of systemd's exposure level (0 safest, 100 worst) above which the unit is refused.
const EXPOSURE_LIMIT: &str = "12";

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Alert>,
}

/// An alerting rule; unknown keys (a recording rule, a typing slip) are refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alert {
    #[serde(rename = "alert")]
    name: String,
    expr: String,
    #[serde(default, rename = "for")]
    _for: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RuleTests {
    tests: Vec<RuleTest>,
}

#[derive(Deserialize)]
struct RuleTest {
    alert_rule_test: Vec<Expectation>,
}

#[derive(Deserialize)]
struct Expectation {
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<IgnoredAny>,
}

#[test]
fn promtool_accepts_the_scrape_configuration_and_the_rules_it_loads() {
    // The key that the configuration names is made where it runs.
    let folder = tempfile::tempdir().unwrap();
    for name in ["prometheus.yml", "alerts.yml"] {
        let text = read(&format!("deploy/prometheus/{name}"));
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::write(folder.path().join("iocgw-metrics.key"), "CANARY-key").unwrap();
    let copied = folder.path().join("prometheus.yml");
    passes("promtool", &["check", "config", copied.to_str().unwrap()]);
    passes("promtool", &["check", "rules", "deploy/prometheus/alerts.yml"]);
}

#[test]
fn alerts_fire_and_stay_silent_as_their_tests_say() {
    passes("promtool", &["test", "rules", "deploy/prometheus/alerts_test.yml"]);
}

#[test]
fn every_alert_is_tested_both_firing_and_silent() {
    let tests: RuleTests = yaml("deploy/prometheus/alerts_test.yml");
    let (mut firing, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for expected in tests.tests.into_iter().flat_map(|test| test.alert_rule_test) {
        let side = if expected.exp_alerts.is_empty() { &mut silent } else { &mut firing };
        side.insert(expected.alertname);
    }
    let names: BTreeSet<String> = alerts().into_iter().map(|alert| alert.name).collect();
    assert_eq!(firing, names, "alerts that a test sees firing");
    assert_eq!(silent, names, "alerts that a test sees silent");
}

#[test]
fn every_alert_says_how_bad_it_is_and_what_to_do_in_both_languages() {
    for Alert { name: alert, labels, annotations, .. } in alerts() {
        let camel_case = alert.chars().all(|c| c.is_ascii_alphanumeric());
        assert!(alert.starts_with("Iocgw") && camel_case, "{alert}: not Iocgw… in CamelCase");
        let severity = labels.get("severity").map(String::as_str);
        assert!(matches!(severity, Some("critical" | "warning" | "info")), "{alert}: {severity:?}");
        for key in ["summary", "description"] {
            let text = annotations.get(key).unwrap_or_else(|| panic!("{alert}: no {key}"));
            assert!(text.contains(" / "), "{alert}: {key} is not Vietnamese / English: {text}");
        }
        let runbook = format!("docs/runbooks/{alert}.md");
        assert_eq!(annotations.get("runbook_url"), Some(&runbook), "{alert}: runbook_url");
        assert_is_a_runbook(&alert, &read(&runbook));
    }
}

#[test]
fn every_runbook_belongs_to_an_alert() {
    let names: BTreeSet<String> = alerts().into_iter().map(|alert| alert.name).collect();
    let pages: BTreeSet<String> = files_in("docs/runbooks")
        .iter()
        .map(|page| page.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(pages, names);
}

#[test]
fn metric_names_are_told_from_functions_labels_and_keywords() {
    let expr = r#"max by (job, source) (a_total{rule="b"}[30m]) / 2 > 0.5
        or on (job) absent(up{job="x"} == 1) unless ignoring (z) c:d * on (y) group_left (unit) e"#;
    let expected = ["a_total", "up", "c:d", "e"].map(str::to_owned);
    assert_eq!(metrics_in(expr), BTreeSet::from(expected));
}

#[test]
fn systemd_understands_every_line_of_the_unit() {
    // systemd-analyze insists on a program that exists; the one under test stands in for the
    // installed one.
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("iocgw.service");
    let text = read("deploy/systemd/iocgw.service");
    let installed = "ExecStart=/usr/local/bin/iocgw serve ";
    assert!(text.contains(installed), "ExecStart has moved");
    let here = format!("ExecStart={} serve ", env!("CARGO_BIN_EXE_iocgw"));
    fs::write(&unit, text.replace(installed, &here)).unwrap();

    let verdict = run("systemd-analyze", &["verify", "--man=no", unit.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&verdict.stderr);
    // Remarks on other units of this machine are not ours; on this one there must be none.
    assert!(!said.contains("iocgw.service"), "{said}");
    assert!(verdict.status.success(), "{said}");
}

#[test]
fn systemd_finds_little_left_to_lock() {
    let threshold = format!("--threshold={EXPOSURE_LIMIT}");
    let unit = "deploy/systemd/iocgw.service";
    passes("systemd-analyze", &["security", "--offline=true", "--no-pager", &threshold, unit]);
}

#[test]
fn the_unit_hands_over_every_secret_and_address_that_the_shipped_sources_name() {
    let sources: Vec<String> =
        files_in("config/sources").iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    assert!(!sources.is_empty(), "no shipped source");

    let mut secrets: BTreeSet<&str> = sources.iter().flat_map(|text| secrets_in(text)).collect();
    secrets.insert("identifier_key"); // no source's own: it keys the hashes of all identifiers
    let unit = read("deploy/systemd/iocgw.service");
    let credentials = unit.lines().filter_map(|line| line.strip_prefix("LoadCredential="));
    let handed: BTreeSet<&str> = credentials
        .map(|credential| {
            let (name, path) = credential.split_once(':').expect("LoadCredential=name:path");
            assert_eq!(path, format!("/etc/credstore/iocgw/{name}"));
            name
        })
        .collect();
    assert_eq!(handed, secrets, "LoadCredential= of the unit against the sources' secrets");

    let addresses: BTreeSet<&str> = sources.iter().flat_map(|text| variables_in(text)).collect();
    let example = read("deploy/systemd/environment.example");
    let lines = example.lines().filter(|line| !line.starts_with('#'));
    let given: BTreeSet<&str> = lines.filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert_eq!(given, addresses, "environment.example against the sources' variables");
}

/// Every metric that an alert asks for, in its expression or in the words of its message.
pub(crate) fn asked_by_alerts() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for Alert { name: alert, expr, annotations, .. } in alerts() {
        let asked = metrics_in(&expr);
        assert!(!asked.is_empty(), "{alert}: no metric in {expr}");
        let looked_up = annotations.values().flat_map(|text| words(text));
        all.extend(looked_up.filter(|word| word.starts_with("iocgw_")).map(str::to_owned));
        all.extend(asked);
    }
    all
}

/// Runs a tool in the project's folder; a tool that is not there is a failure with a remedy.
fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}. `make tools` installs it."))
}

fn passes(program: &str, arguments: &[&str]) {
    let Output { status, stdout, stderr } = run(program, arguments);
    let said = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(status.success(), "{program} {}: {status}\n{said}", arguments.join(" "));
}

fn alerts() -> Vec<Alert> {
    let rules: Rules = yaml("deploy/prometheus/alerts.yml");
    let alerts: Vec<Alert> = rules.groups.into_iter().flat_map(|group| group.rules).collect();
    assert!(!alerts.is_empty(), "no alert");
    alerts
}

fn assert_is_a_runbook(alert: &str, page: &str) {
    assert!(page.starts_with(&format!("# {alert}\n")), "the runbook of {alert} has another title");
    let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(headings, ["Meaning", "Impact", "Check", "Fix", "Escalate"], "runbook of {alert}");
}

/// The metric names of a PromQL expression: words that are no function, label, keyword or number.
fn metrics_in(expr: &str) -> BTreeSet<String> {
    const GROUPINGS: &[&str] = &["by", "without", "on", "ignoring", "group_left", "group_right"];
    const KEYWORDS: &[&str] = &["and", "or", "unless", "bool", "offset"];
    let mut found = BTreeSet::new();
    let mut rest = expr;
    while let Some(first) = rest.chars().next() {
        if let Some((_, close)) = [('{', '}'), ('[', ']')].iter().find(|(open, _)| *open == first) {
            rest = rest.split_once(*close).map_or("", |(_, after)| after);
            continue;
        }
        let length = rest.find(|c| !is_word(c) && c != ':').unwrap_or(rest.len());
        if length == 0 {
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let word = &rest[..length];
        rest = rest[length..].trim_start();
        // `max by (…) (…)` calls as `max(…)` does.
        let called = ["(", "by ", "without "].iter().any(|next| rest.starts_with(next));
        if GROUPINGS.contains(&word) && called {
            rest = rest.split_once(')').map_or("", |(_, after)| after);
        } else if !called && !first.is_ascii_digit() && !KEYWORDS.contains(&word) {
            found.insert(word.to_owned());
        }
    }
    found
}

/// Names of secret files: the values of `client_secret_file`, `key_file` and their like.
fn secrets_in(source: &str) -> impl Iterator<Item = &str> {
    ["client_secret_file:", "key_file:", "password_file:", "token_file:"]
        .into_iter()
        .flat_map(|key| source.split(key).skip(1))
        .filter_map(|after| words(after).next())
}

/// Names of the variables that a source reads as `${NAME}` or `${NAME:-default}`.
fn variables_in(source: &str) -> impl Iterator<Item = &str> {
    source.split("${").skip(1).filter_map(|after| words(after).next())
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn yaml<T: serde::de::DeserializeOwned>(path: &str) -> T {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn files_in(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

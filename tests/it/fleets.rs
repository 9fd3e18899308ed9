//! Fleets whose targets come and go while the gateway runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::certification::secrets;
use crate::support::{Answer, Gateway, Overlay, Reply, Upstream, edit, run_in};

/// The shipped fleet alone, asked every second, with other words about where its targets stand.
fn fleet(targets: &str) -> Overlay {
    let overlay = Overlay::new();
    let text = std::fs::read_to_string(overlay.config().join("sources/kiosk_fleet.yaml")).unwrap();
    for folder in ["sources", "indicators", "trackers", "boards", "targets"] {
        overlay.clear(folder);
    }
    overlay.write("sources/kiosk_fleet.yaml", &text);
    let source = overlay.config().join("sources/kiosk_fleet.yaml");
    edit(&source, "targets_file: targets/kiosks.json", targets);
    edit(&source, "interval: 1m", "interval: 1s");
    edit(&source, "max_retries: 1", "max_retries: 0");
    edit(&source, "timeout: 5s", "timeout: 1s");
    secrets(&overlay.folder().join("secrets"));
    overlay
}

fn start(overlay: &Overlay, upstream: &Upstream) -> Gateway {
    let variables = BTreeMap::from([("KIOSK_URL".to_owned(), upstream.url())]);
    Gateway::start(&overlay.config(), overlay.folder(), &variables)
}

/// Kiosks that answer, but for those whose names say that they are dead.
fn kiosk(target: &str) -> Reply {
    if target.contains("DEAD") {
        Reply::new("500 Oh", "", "CANARY")
    } else {
        Reply::json(r#"{"state": "online"}"#)
    }
}

fn groups(names: &[&str]) -> String {
    json!([{"targets": names, "labels": {"commune_code": "16690", "site_type": "hospital"}}])
        .to_string()
}

/// Written beside its place and moved there, as whoever writes such files should.
fn put(overlay: &Overlay, name: &str, text: &str) {
    overlay.write("moving", text);
    let path = overlay.config().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::rename(overlay.config().join("moving"), path).unwrap();
}

/// Waits until the fleet's targets are as wanted.
fn targets_when(gateway: &Gateway, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let path = "/v1/sources/kiosk_fleet/targets";
    gateway.wait_until(what, path, |answer| is_so(&answer.json())).json()
}

fn names(targets: &Value) -> Vec<&str> {
    let items = targets["items"].as_array().unwrap();
    items.iter().map(|item| item["target"].as_str().unwrap()).collect()
}

fn metric(gateway: &Gateway, sample: &str) -> f64 {
    let text = gateway.get("/metrics").body;
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {sample} in\n{text}")).parse().unwrap()
}

/// Each target is a connection, and the shell that starts the program allows it 256 files.
#[test]
fn as_many_files_are_opened_as_the_machine_allows() {
    let upstream = Upstream::start(kiosk);
    let overlay = fleet("targets_file: targets/kiosks.json");
    put(&overlay, "targets/kiosks.json", &groups(&["K-1"]));
    let gateway = start(&overlay, &upstream);
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let hard = line.split_whitespace().nth(4).unwrap().parse().unwrap_or(f64::INFINITY);
    assert_eq!(metric(&gateway, "process_max_fds"), hard.min(65_536.0));
}

/// The first turn asks everybody at once, and ends although somebody is being asked all the time: here
/// half of the kiosks are slower than the interval.
#[test]
fn a_first_turn_ends_although_somebody_is_always_being_asked() {
    let slow = |target: &str| {
        if target.contains("DEAD") { Reply::Silence } else { kiosk(target) }
    };
    let upstream = Upstream::start(slow);
    let overlay = fleet("targets_file: targets/kiosks.json");
    let source = overlay.config().join("sources/kiosk_fleet.yaml");
    edit(&source, "timeout: 1s", "timeout: 3s");
    let names: Vec<String> =
        (0..24).map(|i| format!("K-{i:02}{}", if i % 2 == 0 { "-DEAD" } else { "" })).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    put(&overlay, "targets/kiosks.json", &groups(&names));
    let gateway = start(&overlay, &upstream);
    let stream = |answer: &Answer| answer.json()["streams"][0].clone();
    let ended = |stream: &Value| stream["history"].as_array().is_some_and(|runs| !runs.is_empty());
    let answer = gateway.wait_until("the first turn's end", "/v1/sources/kiosk_fleet", |answer| {
        ended(&stream(answer))
    });
    let first = stream(&answer)["history"][0].clone();
    assert!(first["records"]["received"].as_u64().unwrap() >= 24, "each was asked in it: {first}");
}

/// However turns begin and end, a target has one moment in each.
#[test]
fn a_target_is_asked_once_a_turn() {
    let upstream = Upstream::start(kiosk);
    let overlay = fleet("targets_file: targets/kiosks.json");
    put(&overlay, "targets/kiosks.json", &groups(&["K-1", "K-2", "K-3"]));
    let gateway = start(&overlay, &upstream);
    let turns = |answer: &Answer| {
        let line = "iocgw_source_pulls_total{source=\"kiosk_fleet\"} ";
        let count = answer.body.lines().find_map(|text| text.strip_prefix(line)?.parse().ok());
        count.unwrap_or(0)
    };
    gateway.wait_until("eight turns", "/metrics", |answer| turns(answer) >= 8);
    let asked = upstream.asked().iter().filter(|target| target.contains("K-2")).count();
    // One turn is under way.
    let turns: usize = turns(&gateway.get("/metrics"));
    assert!(asked <= turns + 1, "{asked} times in {turns} turns");
}

#[test]
fn files_of_targets_are_followed_and_a_broken_one_changes_nothing() {
    let overlay =
        fleet("file_sd: {files: [\"targets/*.json\", targets/more.yml], refresh_interval: 1s}");
    put(&overlay, "targets/one.json", &groups(&["K-1", "K-DEAD", "K-2/../x"]));
    let upstream = Upstream::start(kiosk);
    let gateway = start(&overlay, &upstream);
    let first = targets_when(&gateway, "both kiosks asked", |t| t["up"] == 1 && t["silent"] == 1);
    assert_eq!(names(&first), ["K-1", "K-DEAD"]);
    assert_eq!(first["passed_over"], 1, "a name that could lead elsewhere");
    let error = first["discovery_error"].as_str().unwrap();
    assert!(error.contains("more.yml"), "a file that is named and is not there: {error}");

    let yaml = "- targets: [K-3]\n  labels: {commune_code: \"16690\", site_type: hospital}\n";
    put(&overlay, "targets/more.yml", yaml);
    let more = targets_when(&gateway, "the new kiosk asked", |t| t["up"] == 2);
    assert_eq!(
        (names(&more), &more["discovery_error"]),
        (vec!["K-1", "K-3", "K-DEAD"], &Value::Null)
    );

    put(&overlay, "targets/one.json", "[{\"targets\": [\"K-4\"");
    let broken =
        targets_when(&gateway, "the broken file told", |t| !t["discovery_error"].is_null());
    assert_eq!(names(&broken), ["K-1", "K-3", "K-DEAD"], "the last good targets");
    let failures = "iocgw_fleet_discovery_failures_total{source=\"kiosk_fleet\"}";
    assert!(metric(&gateway, failures) >= 1.0);
    let source = gateway.get("/v1/sources/kiosk_fleet").json();
    assert!(source["reasons"].as_array().unwrap().contains(&json!("silent_targets")), "{source}");

    put(&overlay, "targets/one.json", &groups(&["K-1", "K-4"]));
    let mended = targets_when(&gateway, "the list followed", |t| t["up"] == 3);
    assert_eq!((names(&mended), &mended["silent"]), (vec!["K-1", "K-3", "K-4"], &json!(0)));
    let path = "/v1/sources/kiosk_fleet";
    let all = json!({"answered": 3, "all": 3});
    let is_so = |source: &Value| source["targets"] == all && source["reasons"] == json!([]);
    let source = gateway.wait_until("nobody silent", path, |answer| is_so(&answer.json())).json();
    let records = &source["records"];
    let parts = ["accepted", "superseded", "duplicate", "quarantined", "rejected"];
    let sum: u64 = parts.iter().map(|part| records[part].as_u64().unwrap()).sum();
    assert_eq!(records["received"].as_u64(), Some(sum), "{records}");
    let silent = "iocgw_fleet_targets{source=\"kiosk_fleet\",state=\"silent\"}";
    assert!(metric(&gateway, silent).abs() < f64::EPSILON);
}

#[test]
fn a_service_of_targets_is_followed_and_its_silence_changes_nothing() {
    let list = Arc::new(Mutex::new(Reply::json(&groups(&["K-1", "K-2"]))));
    let told = Arc::clone(&list);
    let upstream = Upstream::start(move |target| {
        if target.starts_with("/inventory") { told.lock().unwrap().clone() } else { kiosk(target) }
    });
    let overlay = fleet(
        "targets: [{targets: [K-0], labels: {commune_code: \"16690\", site_type: police}}], \
         http_sd: {url: \"${KIOSK_URL}/inventory\", query: {kind: kiosk}, refresh_interval: 1s}",
    );
    let gateway = start(&overlay, &upstream);
    let first = targets_when(&gateway, "all kiosks asked", |t| t["up"] == 3);
    assert_eq!(names(&first), ["K-0", "K-1", "K-2"]);
    assert!(upstream.asked().contains(&"/inventory?kind=kiosk".to_owned()));

    for sick in
        [Reply::new("500 Oh", "", "CANARY"), Reply::json("{\"CANARY\": 1}"), Reply::json("")]
    {
        *list.lock().unwrap() = sick;
        let sick = targets_when(&gateway, "the trouble told", |t| !t["discovery_error"].is_null());
        assert_eq!(names(&sick), ["K-0", "K-1", "K-2"], "the last good targets");
        let error = sick["discovery_error"].as_str().unwrap();
        assert!(error.starts_with("http_sd: ") && !error.contains("CANARY\": 1"), "{error}");
        *list.lock().unwrap() = Reply::json(&groups(&["K-1", "K-2"]));
        targets_when(&gateway, "the trouble over", |t| t["discovery_error"].is_null());
    }

    *list.lock().unwrap() = Reply::json("[]");
    let none = targets_when(&gateway, "the list followed", |t| names(t) == ["K-0"]);
    assert_eq!(none["up"], 1);
    let (code, _) = gateway.stop();
    assert_eq!(code, Some(0));
}

#[test]
fn a_list_longer_than_allowed_is_refused_whole() {
    let overlay =
        fleet("file_sd: {files: [targets/one.json], refresh_interval: 1s}, max_targets: 2");
    put(&overlay, "targets/one.json", &groups(&["K-1", "K-2"]));
    let upstream = Upstream::start(kiosk);
    let gateway = start(&overlay, &upstream);
    targets_when(&gateway, "both kiosks asked", |t| t["up"] == 2);
    put(&overlay, "targets/one.json", &groups(&["K-3", "K-4", "K-5"]));
    let refused = targets_when(&gateway, "the refusal told", |t| !t["discovery_error"].is_null());
    assert_eq!(names(&refused), ["K-1", "K-2"]);
    assert!(refused["discovery_error"].as_str().unwrap().contains("max_targets"));
}

#[test]
fn what_a_fleet_lists_in_its_own_file_is_checked_before_it_runs() {
    let overlay = fleet("targets_file: targets/kiosks.json");
    put(&overlay, "targets/kiosks.json", "[{\"targets\": [\"K-1\"],\n \"label\": {}}]");
    let variables = BTreeMap::from([("KIOSK_URL".to_owned(), "http://127.0.0.1:9".to_owned())]);
    let said = check(overlay.folder(), &variables);
    assert!(said.contains("config/targets/kiosks.json:2:"), "{said}");
    assert!(said.contains("not a list of targets"), "{said}");
}

fn check(folder: &Path, variables: &BTreeMap<String, String>) -> String {
    let output = run_in(folder, &["config", "check", "--config", "config"], variables);
    assert_eq!(output.status.code(), Some(78));
    String::from_utf8(output.stderr).unwrap()
}

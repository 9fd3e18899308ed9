//! What people decide about records, by the real program: replay and discard, and lists that are
//! suddenly short.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::certification::{addresses, page, points, record};
use crate::support::{Gateway, Overlay, Reply, Upstream, run_in};

const STREAM: &str = "/v1/sources/points";

/// A source whose one page can be changed while it runs.
struct List {
    upstream: Upstream,
    body: Arc<Mutex<String>>,
}

impl List {
    fn start(records: &[Value]) -> Self {
        let body = Arc::new(Mutex::new(page(records)));
        let current = Arc::clone(&body);
        let upstream = Upstream::start(move |target| {
            let is_first = target.contains("page=1&") || target.ends_with("page=1");
            let text = if is_first { current.lock().unwrap().clone() } else { page(&[]) };
            Reply::json(&text)
        });
        Self { upstream, body }
    }

    fn now(&self, records: &[Value]) {
        *self.body.lock().unwrap() = page(records);
    }
}

fn of_sites(sites: std::ops::Range<u32>) -> Vec<Value> {
    sites.map(|site| record(&format!("{site:03}"))).collect()
}

fn with(overlay: &Overlay, name: &str, from: &str, to: &str) {
    let path = overlay.config().join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{name} has no '{from}':\n{text}");
    overlay.write(name, &text.replace(from, to));
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// The one quarantine count as each place tells it.
fn counts(gateway: &Gateway) -> [u64; 5] {
    let sources = gateway.get(STREAM).json();
    let metrics = gateway.get("/metrics").body;
    let sample = "iocgw_quarantine_records{source=\"points\"} ";
    let gauge = metrics.lines().find_map(|line| line.strip_prefix(sample)).unwrap();
    let listed = gateway.get("/v1/quarantine?limit=1000").json();
    let groups = gateway.get("/v1/quarantine?group=rule").json();
    let of_groups = groups["items"].as_array().unwrap().iter().map(|item| count(&item["records"]));
    let number = gateway.get("/v1/indicators/e_copy_share/value?period=2025-08-04").json();
    [
        count(&sources["quarantine"]["records"]),
        gauge.parse::<f64>().unwrap() as u64,
        listed["items"].as_array().unwrap().len() as u64,
        of_groups.sum(),
        count(&number["quality"]["quarantined"]),
    ]
}

fn command(overlay: &Overlay, arguments: &[&str]) -> (Option<i32>, String) {
    let done = run_in(
        overlay.folder(),
        arguments,
        &BTreeMap::from([("POINTS_URL".to_owned(), "http://127.0.0.1:9".to_owned())]),
    );
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code(), format!("{}{}", text(&done.stdout), text(&done.stderr)))
}

#[test]
fn what_was_refused_is_replayed_after_the_contract_was_corrected_and_counted_once_everywhere() {
    let overlay = points(&["points"]);
    let mut records = of_sites(0..10);
    for (i, record) in records.iter_mut().enumerate() {
        match i {
            0..=3 => record["site_type"] = "kiosk".into(),
            4 => record["day"] = "2025-13-40".into(),
            5 => record["commune_code"] = "99999".into(),
            _ => {}
        }
    }
    // One page holds everything, whatever its size.
    with(&overlay, "sources/points.yaml", "page_size: 3", "page_size: 1");
    let list = List::start(&records);
    let variables = addresses(&[("points", &list.upstream)]);
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    gateway.wait_until("two runs", STREAM, |answer| {
        answer.json()["streams"][0]["history"].as_array().is_some_and(|runs| runs.len() > 1)
    });
    assert_eq!(counts(&gateway), [6; 5]);
    let before = gateway.get("/v1/indicators/e_copy_share/value?period=2025-08-04").json();
    assert_eq!(before["denominator"], 4 * 40);
    let refused =
        gateway.ask("POST", "/v1/quarantine/replays", &[("Content-Type", "application/json")]);
    assert_eq!(refused.status, 401, "{}", refused.body);
    let url = format!("http://{}", gateway.address);
    let (code, said) = command(&overlay, &["quarantine", "list", "--by-rule", "--url", &url]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("4\tpoints\tacts\tcertification_acts\tunknown_code\tsite_type"),
        "{said}"
    );
    let (code, said) = command(&overlay, &["quarantine", "replay", "--url", &url]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("A key is needed"), "{said}");
    gateway.stop();

    // The steward adds the code; the source has gone silent, so only a replay can bring them.
    let lists = overlay.config().join("lists/certification_site_type.csv");
    let text = std::fs::read_to_string(&lists).unwrap();
    std::fs::write(&lists, format!("{text}kiosk,Kiốt,Kiosk\n")).unwrap();
    list.now(&[]);
    let place = ["--config", "config", "--secrets", "secrets", "--store", "iocgw.db"];
    let run = |words: &[&str]| command(&overlay, &[words, &place[..]].concat());
    let (code, said) = run(&["quarantine", "replay"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("replayed\t4") && said.contains("still refused\t2"), "{said}");
    assert!(said.contains("unknown_area\t1") && said.contains("wrong_type\t1"), "{said}");
    let (code, said) = run(&["quarantine", "replay"]);
    assert!(code == Some(0) && said.contains("replayed\t0"), "{said}");
    let (code, said) = run(&[
        "quarantine",
        "discard",
        "--reason",
        "unknown_area",
        "--by",
        "CANARY steward",
        "--why",
        "no such commune",
    ]);
    assert!(code == Some(0) && said.contains("discarded\t1"), "{said}");
    let (_, said) = run(&["quarantine", "list", "--state", "discarded"]);
    assert!(said.contains("unknown_area"), "{said}");

    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    assert_eq!(counts(&gateway), [1; 5]);
    let after = gateway.get("/v1/indicators/e_copy_share/value?period=2025-08-04").json();
    assert_eq!((&after["denominator"], &after["value"]), (&json!(8 * 40), &json!(0.25)));
    let discarded = gateway.get("/v1/quarantine?state=discarded").json();
    assert_eq!(discarded["items"][0]["discarded"]["by"], "CANARY steward");
    // The source sends all of them again: nothing counts twice, and what was discarded stays so.
    list.now(&records);
    gateway.wait_until("the list again", STREAM, |answer| {
        count(&answer.json()["streams"][0]["records"]["duplicate"]) >= 12
    });
    assert_eq!(counts(&gateway), [1; 5]);
    let again = gateway.get("/v1/indicators/e_copy_share/value?period=2025-08-04").json();
    assert_eq!(again["denominator"], 8 * 40);
}

#[test]
fn a_list_that_is_suddenly_short_takes_nothing_back_and_one_that_really_shrank_does() {
    let overlay = points(&["points"]);
    with(&overlay, "sources/points.yaml", "page_size: 3", "page_size: 1");
    with(
        &overlay,
        "sources/points.yaml",
        "interval: 1s",
        "interval: 1s\n    reconcile: {interval: 1s, max_retracted_ratio: 0.05, min: 3}",
    );
    let list = List::start(&of_sites(0..50));
    let variables = addresses(&[("points", &list.upstream)]);
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    let number = |gateway: &Gateway| {
        let path = "/v1/indicators/e_copy_share/value?period=2025-08-04";
        count(&gateway.get(path).json()["denominator"]) / 40
    };
    let trouble = |what: &str, reason: &Value| {
        gateway.wait_until(what, STREAM, |answer| answer.json()["last_error"]["reason"] == *reason)
    };
    gateway.wait_until("everything", STREAM, |answer| {
        count(&answer.json()["streams"][0]["records"]["accepted"]) == 50
    });
    // 40 % short, then empty: the good numbers stay, and the trouble says how to go on.
    for short in [of_sites(20..50), of_sites(0..0)] {
        list.now(&short);
        let missing = format!("missed {} of 50", 50 - short.len());
        gateway.wait_until("a refusal", STREAM, |answer| answer.body.contains(&missing));
        assert_eq!(number(&gateway), 50);
    }
    let state = trouble("the trouble", &json!("reconcile_refused")).json();
    assert!(
        state["last_error"]["message"]
            .as_str()
            .unwrap()
            .contains("confirm-retractions points.acts"),
        "{state}"
    );
    let failures =
        "iocgw_source_pull_failures_total{reason=\"reconcile_refused\",source=\"points\"}";
    assert!(gateway.get("/metrics").body.contains(failures));
    // Whole again, less two that really went: within bounds, so they are taken back.
    list.now(&of_sites(2..50));
    gateway.wait_until(
        "two gone",
        "/v1/indicators/e_copy_share/value?period=2025-08-04",
        |answer| count(&answer.json()["denominator"]) == 48 * 40,
    );
    trouble("the end of the trouble", &Value::Null);
    // And back in the very same version.
    list.now(&of_sites(0..50));
    gateway.wait_until("back", "/v1/indicators/e_copy_share/value?period=2025-08-04", |answer| {
        count(&answer.json()["denominator"]) == 50 * 40
    });
    // Half close for good: refused until the owner's word is given, on the stopped store here.
    list.now(&of_sites(25..50));
    gateway.wait_until("a refusal", STREAM, |answer| answer.body.contains("missed 25 of 50"));
    gateway.stop();
    let place = ["--config", "config", "--secrets", "secrets", "--store", "iocgw.db"];
    let words = ["source", "confirm-retractions", "points.acts", "--by", "CANARY steward"];
    let (code, said) = command(&overlay, &[&words[..], &place[..]].concat());
    assert!(code == Some(0) && said.contains("25 records"), "{said}");
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    let state = gateway.wait_until("taken back", STREAM, |answer| {
        answer.body.contains("as confirmed by CANARY steward")
    });
    assert_eq!(number(&gateway), 25, "{}", state.body);
    let retracted =
        "iocgw_records_applied_total{change=\"retract\",source=\"points\",stream=\"acts\"} 25";
    assert!(gateway.get("/metrics").body.contains(retracted), "{}", gateway.get("/metrics").body);
}

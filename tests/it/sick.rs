//! Sources that misbehave, and what becomes of it: told clearly, never lost, never infectious.
//!
//! The sources here are certification points, the fourth system of the README, which exists as
//! configuration only; whatever holds for them holds for any system that is added later.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::certification::{addresses, page, points, record};
use crate::support::{Gateway, Moody, Reply, Upstream};

/// One of the codes that vanished on 1 December 2024 without a known successor.
const VANISHED: &str = "16684";

/// A good answer with one record.
fn good(site: &str) -> Reply {
    Reply::json(&page(&[record(site)]))
}

/// The share of electronic copies on the day of the records, with everything that qualifies it.
fn share(gateway: &Gateway) -> Value {
    gateway.get("/v1/indicators/e_copy_share/value?period=2025-08-04").json()
}

fn stream(source: &Value) -> &Value {
    &source["streams"][0]
}

/// Waits until the source's state is as wanted, and hands it over.
fn source_when(gateway: &Gateway, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/v1/sources/{name}");
    gateway.wait_until(what, &path, |answer| is_so(&answer.json())).json()
}

/// A run has ended well; its records are seen a moment earlier, with the page's commit.
fn has_succeeded(source: &Value) -> bool {
    !stream(source)["freshness"]["last_success_at"].is_null()
}

fn count(records: &Value, field: &str) -> u64 {
    records[field].as_u64().unwrap()
}

fn assert_balances(records: &Value) {
    let parts = ["accepted", "superseded", "duplicate", "quarantined", "rejected"];
    let sum: u64 = parts.iter().map(|part| count(records, part)).sum();
    assert_eq!(count(records, "received"), sum, "{records}");
}

/// The value of a sample in `/metrics`.
fn metric(gateway: &Gateway, sample: &str) -> f64 {
    let text = gateway.get("/metrics").body;
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {sample} in\n{text}")).parse().unwrap()
}

#[test]
fn a_sick_source_is_told_apart_keeps_its_last_numbers_and_infects_nobody() {
    let overlay = points(&["moody", "steady"]);
    let (moody, steady) = (Moody::start(good("a")), Moody::start(good("b")));
    let variables = addresses(&[("moody", &moody.upstream), ("steady", &steady.upstream)]);
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    for source in ["moody", "steady"] {
        source_when(&gateway, source, "a good run", has_succeeded);
    }
    assert_eq!(share(&gateway)["value"], 0.25);

    let html = "<!doctype html><title>CANARY sign in</title>";
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    let faults = [
        ("decode", Reply::new("200 OK", "Content-Type: text/html\r\n", html)),
        ("decode", Reply::json(r#"{"items": {"CANARY": 1}}"#)),
        ("connect", Reply::truncated(&page(&[record("a"), record("c")]))),
        ("too_large", Reply::Endless(head.to_owned())),
        ("http_5xx", Reply::new("500 Oh", "", "CANARY stack trace")),
        ("auth", Reply::new("401 No", "", "CANARY")),
        ("http_4xx", Reply::new("404 No", "", "CANARY")),
        ("timeout", Reply::Silence),
    ];
    let mut kinds = std::collections::BTreeSet::new();
    for (reason, reply) in faults {
        moody.now(reply);
        let sick = source_when(&gateway, "moody", reason, |s| s["last_error"]["reason"] == reason);
        let message = sick["last_error"]["message"].as_str().unwrap();
        assert!(message.len() > 10 && !message.contains("CANARY"), "{message}");
        let history = stream(&sick)["history"].as_array().unwrap().clone();
        assert_eq!(history.last().unwrap()["outcome"], "failed", "{reason}");
        let sample =
            format!("iocgw_source_pull_failures_total{{reason=\"{reason}\",source=\"moody\"}}");
        assert!(metric(&gateway, &sample) >= 1.0);
        assert_eq!(metric(&gateway, "iocgw_source_up{source=\"moody\"}"), 0.0);
        // Nobody else notices, and what was known is still known.
        assert_eq!(gateway.get("/readyz").status, 200, "{reason}");
        assert_eq!(metric(&gateway, "iocgw_source_up{source=\"steady\"}"), 1.0);
        assert_eq!(share(&gateway)["value"], 0.25, "{reason}");
        kinds.insert(reason);
        moody.now(good("a"));
        source_when(&gateway, "moody", "well again", |s| s["last_error"].is_null());
    }
    assert_eq!(kinds.len(), 7);
    assert!(!gateway.log().contains("CANARY"), "{}", gateway.log());
}

#[test]
fn while_one_source_hangs_its_numbers_grow_old_visibly_and_the_others_go_on() {
    let overlay = points(&["moody", "steady"]);
    let (moody, steady) = (Moody::start(good("a")), Moody::start(good("b")));
    let variables = addresses(&[("moody", &moody.upstream), ("steady", &steady.upstream)]);
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    for source in ["moody", "steady"] {
        source_when(&gateway, source, "a good run", has_succeeded);
    }
    let fresh = share(&gateway);
    assert_eq!(fresh["freshness"]["state"], "fresh", "{fresh}");

    moody.now(Reply::Silence);
    let received = |source: &Value| count(&stream(source)["records"], "received");
    let before = received(&gateway.get("/v1/sources/steady").json());
    let old = source_when(&gateway, "moody", "stale", |s| s["freshness"]["state"] == "stale");
    let number = share(&gateway);
    assert_eq!((&number["value"], &number["numerator"]), (&fresh["value"], &fresh["numerator"]));
    assert_eq!(number["freshness"]["state"], "stale", "{number}");
    assert_eq!(number["freshness"]["late_sources"], json!(["moody"]), "{number}");
    let age = |value: &Value| value["freshness"]["age_seconds"].as_u64().unwrap();
    source_when(&gateway, "moody", "older", |s| age(s) > age(&old));
    // Three more turns of the other one, each with its single record.
    source_when(&gateway, "steady", "going on", |s| received(s) > before + 3);
    let steady = gateway.get("/v1/sources/steady").json();
    assert_eq!(steady["freshness"]["state"], "fresh", "{steady}");
    assert_eq!(gateway.get("/readyz").status, 200);
    // A hanging source does not hold the end up either.
    let (code, took) = gateway.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// S26: the credential is withdrawn. The source is asked once and then left alone, its numbers grow old
/// under its own name, and a new credential is tried at once, without a restart.
#[test]
fn s26_a_withdrawn_credential_is_no_reason_to_knock_all_night() {
    let overlay = points(&["moody", "steady"]);
    let text = std::fs::read_to_string(overlay.config().join("sources/moody.yaml")).unwrap();
    let text = text.replace("after_denial: 1s", "after_denial: 1h");
    let text = text.replace("certification_token", "moody_token");
    overlay.write("sources/moody.yaml", &text);
    let token = overlay.folder().join("secrets/moody_token");
    std::fs::write(&token, "CANARY-withdrawn").unwrap();
    let (moody, steady) = (Moody::start(good("a")), Moody::start(good("b")));
    let variables = addresses(&[("moody", &moody.upstream), ("steady", &steady.upstream)]);
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    for source in ["moody", "steady"] {
        source_when(&gateway, source, "a good run", has_succeeded);
    }
    moody.now(Reply::new("403 Forbidden", "", "CANARY"));
    let denied = source_when(&gateway, "moody", "denied", |s| s["last_error"]["reason"] == "auth");
    let asked = moody.upstream.asked().len();
    let runs = |source: &Value| stream(source)["history"].as_array().unwrap().len();
    let later = runs(&denied) + 4;
    let still = source_when(&gateway, "moody", "four turns more", |s| runs(s) >= later);
    assert_eq!(still["last_error"]["reason"], "auth", "{still}");
    let message = still["last_error"]["message"].as_str().unwrap();
    assert!(message.contains("when a secret changes") && !message.contains("CANARY"), "{message}");
    assert_eq!(moody.upstream.asked().len(), asked, "nobody knocks in vain");
    let number = share(&gateway);
    assert_eq!(
        (&number["value"], &number["freshness"]["late_sources"]),
        (&json!(0.25), &json!(["moody"]))
    );

    moody.now(good("a"));
    std::fs::write(&token, "CANARY-renewed").unwrap();
    source_when(&gateway, "moody", "well again", |s| s["last_error"].is_null());
    assert_eq!(metric(&gateway, "iocgw_source_up{source=\"steady\"}"), 1.0);
    assert!(!gateway.log().contains("CANARY"), "{}", gateway.log());
}

/// S09, S10.
#[test]
fn pages_without_end_are_cut_off_and_pages_in_a_circle_are_noticed() {
    let overlay = points(&["endless", "circle"]);
    let endless = Upstream::start(|target| {
        let number = target.split("page=").nth(1).unwrap().split('&').next().unwrap();
        let full: Vec<_> = (0..3).map(|i| record(&format!("{number}-{i}"))).collect();
        Reply::json(&page(&full))
    });
    let circle = Upstream::start(|_| Reply::json(&page(&[record("x"), record("y"), record("z")])));
    let variables = addresses(&[("endless", &endless), ("circle", &circle)]);
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    let first = |source: &Value| stream(source)["history"][0].clone();

    let state = source_when(&gateway, "endless", "a run", |s| !first(s).is_null());
    assert_eq!(
        (&first(&state)["outcome"], &first(&state)["pages"]),
        (&json!("truncated"), &json!(4))
    );
    assert_eq!(first(&state)["records"]["accepted"], 12);
    let state = source_when(&gateway, "endless", "trouble", |s| !s["last_error"].is_null());
    assert_eq!(state["last_error"]["reason"], "truncated", "{state}");
    assert!(state["last_error"]["message"].as_str().unwrap().contains("max_pages"), "{state}");
    let state = source_when(&gateway, "circle", "a run", |s| !first(s).is_null());
    assert_eq!(first(&state)["outcome"], "loop_detected");
    assert_eq!(first(&state)["records"]["accepted"], 3, "{state}");
    assert_balances(&stream(&state)["records"]);
    assert_eq!(state["last_error"]["reason"], "loop_detected", "{state}");
    assert!(state["freshness"]["last_success_at"].is_null(), "{state}");
    for (source, reason) in [("circle", "loop_detected"), ("endless", "truncated")] {
        let failures = "iocgw_source_pull_failures_total";
        let sample = format!("{failures}{{reason=\"{reason}\",source=\"{source}\"}}");
        assert!(metric(&gateway, &sample) >= 1.0, "{sample}");
        assert_eq!(metric(&gateway, &format!("iocgw_source_up{{source=\"{source}\"}}")), 0.0);
    }
    // What came is kept, but nothing is believed complete, so no number is shown as if it were.
    let number = share(&gateway);
    assert!(number["value"].is_null() && !number["reason"].is_null(), "{number}");
    assert!(stream(&state)["freshness"]["data_through"].is_null(), "{state}");
    assert_eq!(gateway.get("/readyz").status, 200);
}

#[test]
fn a_source_that_stumbles_is_asked_again_and_given_the_time_it_asks_for() {
    let overlay = points(&["moody"]);
    let text = std::fs::read_to_string(overlay.config().join("sources/moody.yaml")).unwrap();
    overlay.write("sources/moody.yaml", &text.replace("max_retries: 0", "max_retries: 3"));
    let asked: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let times = Arc::clone(&asked);
    let moody = Upstream::start(move |_| {
        let mut times = times.lock().unwrap();
        times.push(Instant::now());
        match times.len() {
            1 => Reply::new("503 Busy", "", ""),
            2 => Reply::new("429 Slow down", "Retry-After: 2\r\n", ""),
            _ => good("a"),
        }
    });
    let variables = addresses(&[("moody", &moody)]);
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    let well = source_when(&gateway, "moody", "a good run", has_succeeded);
    assert!(well["last_error"].is_null());
    assert_eq!(stream(&well)["history"][0]["outcome"], "ok");
    let times = asked.lock().unwrap().clone();
    assert!(times[2] - times[1] >= Duration::from_secs(2), "{:?}", times[2] - times[1]);
    assert!(metric(&gateway, "iocgw_source_retries_total{source=\"moody\"}") >= 2.0);
    let requests = |class: &str| {
        metric(
            &gateway,
            &format!("iocgw_source_requests_total{{code=\"{class}\",source=\"moody\"}}"),
        )
    };
    assert!(requests("5xx") >= 1.0 && requests("4xx") >= 1.0 && requests("2xx") >= 1.0);
}

/// A page on which one record is good and each other breaks its contract in its own way, with the
/// reason and the rule that must be told.
fn bad_page() -> (String, Vec<(&'static str, &'static str)>) {
    let with = |site: &str, field: &str, value: Value| {
        let mut record = record(site);
        record[field] = value;
        record
    };
    let mut vanished = with("f", "commune_code", VANISHED.into());
    // A day on which the code had been abolished; before it, the record would be a good one.
    vanished["day"] = "2025-01-15".into();
    let mut missing = record("h");
    missing.as_object_mut().unwrap().remove("site_type");
    let records = [
        record("a"),
        with("b", "certified_copies", "CANARY-many".into()),
        with("c", "e_certified_copies", 1_000_000.into()),
        with("d", "site_type", "CANARY-type".into()),
        with("e", "commune_code", "99999".into()),
        vanished,
        with("g", "day", "2120-01-01".into()),
        missing,
        with("i", "day", "CANARY-day".into()),
        record("j"),
    ];
    let text = page(&records);
    // The last record names a field twice, with different values.
    let at = text.rfind("\"site_type\":\"commune\"").unwrap();
    let text = format!("{}\"site_type\":\"notary\",{}", &text[..at], &text[at..]);
    let told = vec![
        ("wrong_type", "paper_copies"),
        ("out_of_range", "e_copies"),
        ("unknown_code", "site_type"),
        ("unknown_area", "commune"),
        ("area_without_successor", "commune"),
        ("future_dated", "act_date"),
        ("missing", "site_type"),
        ("wrong_type", "act_date"),
        ("malformed", ""),
    ];
    (text, told)
}

#[test]
fn each_bad_record_is_kept_with_its_reason_and_shape_and_the_good_one_counts() {
    let overlay = points(&["moody"]);
    let (bad, told) = bad_page();
    let moody = Upstream::start(move |target| {
        let is_first = target.contains("page=1");
        Reply::json(if is_first { &bad } else { r#"{"items": []}"# })
    });
    let variables = addresses(&[("moody", &moody)]);
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    let state = source_when(&gateway, "moody", "two runs", |s| {
        stream(s)["history"].as_array().unwrap().len() > 1
    });

    let listed = gateway.get("/v1/quarantine").body;
    let items = serde_json::from_str::<Value>(&listed).unwrap()["items"].take();
    let found: Vec<_> = items
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["reason"].as_str().unwrap(), item["rule"].as_str().unwrap()))
        .collect();
    assert_eq!(found, told, "{listed}");
    for item in items.as_array().unwrap() {
        assert!(count(item, "attempts") > 1, "the second run brought the same again: {item}");
        assert_eq!(item["contract"], "certification_acts");
    }
    let shape: Value = serde_json::from_str(items[0]["shape"].as_str().unwrap()).unwrap();
    assert_eq!(shape["paper_copies"], "text", "{shape}");
    assert_eq!(shape["e_copies"], "number", "{shape}");

    // Nothing is lost, and the good record of the same page is counted.
    let first = &stream(&state)["history"][0];
    assert_eq!(first["outcome"], "ok");
    assert_eq!(
        (count(&first["records"], "accepted"), count(&first["records"], "quarantined")),
        (1, 9)
    );
    assert_balances(&first["records"]);
    assert_balances(&stream(&state)["records"]);
    assert_eq!(count(&stream(&state)["quarantine"], "records"), 9);
    let number = share(&gateway);
    assert_eq!((&number["value"], &number["denominator"]), (&json!(0.25), &json!(40)));
    for (reason, _) in &told {
        let sample = format!(
            "iocgw_records_rejected_total{{rule=\"{reason}\",source=\"moody\",stream=\"acts\"}}"
        );
        assert!(metric(&gateway, &sample) >= 1.0, "{sample}");
    }
    assert_eq!(metric(&gateway, "iocgw_quarantine_records{source=\"moody\"}"), 9.0);

    // The values stand nowhere: not in what is shown, not in the log, not on the disk.
    let metrics = gateway.get("/metrics").body;
    for text in [&listed, &metrics, &gateway.log(), &state.to_string()] {
        assert!(!text.contains("CANARY"), "{text}");
    }
    gateway.stop();
    for entry in std::fs::read_dir(overlay.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            // A field that nobody maps, and identifiers of a refused and of an accepted record.
            let canaries = ["CANARY-never", "CANARY-b", "CANARY-a"];
            let holds = |canary: &str| bytes.windows(canary.len()).any(|w| w == canary.as_bytes());
            let found = canaries.into_iter().any(holds);
            assert!(!found, "{}", path.display());
        }
    }
}

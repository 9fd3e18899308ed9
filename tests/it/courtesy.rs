//! How the gateway treats its sources: the real program against one that fails and one that has
//! nothing new.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::certification::{addresses, page, points, record};
use crate::support::{Gateway, Overlay, Reply, Upstream};

fn change(overlay: &Overlay, what: &str, instead: &str) {
    let path = overlay.config().join("sources/moody.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(what), "{what}");
    overlay.write("sources/moody.yaml", &text.replace(what, instead));
}

fn source_when(gateway: &Gateway, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    gateway.wait_until(what, "/v1/sources/moody", |answer| is_so(&answer.json())).json()
}

fn has_line(gateway: &Gateway, line: &str) -> bool {
    gateway.get("/metrics").body.lines().any(|found| found == line)
}

#[test]
fn s04_a_source_that_fails_is_left_alone_and_a_restart_does_not_forget_it() {
    let overlay = points(&["moody"]);
    let breaker = "after_denial: 1s}\ncircuit_breaker: {failures: 3, open_for: 1h}";
    change(&overlay, "after_denial: 1s}", breaker);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let moody = Upstream::start(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Reply::new("500 Oh", "", "")
    });
    let variables = addresses(&[("moody", &moody)]);
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    let source = source_when(&gateway, "left alone", |s| s["circuit"]["state"] == "open");
    assert_eq!(source["circuit"]["failures"], 3, "{source}");
    assert!(source["reasons"].as_array().unwrap().contains(&json!("circuit_open")), "{source}");
    let until = source["circuit"]["open_until"].as_str().unwrap().to_owned();
    assert!(has_line(&gateway, "iocgw_source_circuit_open{source=\"moody\"} 1"));
    let console = gateway.get("/").body;
    assert!(console.contains("đang tạm ngừng hỏi nguồn"), "{console}");
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    gateway.stop();

    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    let reason = "circuit_open";
    let source = source_when(&gateway, "its first run", |s| s["last_error"]["reason"] == reason);
    assert_eq!(source["circuit"]["open_until"], until, "{source}");
    assert!(source["last_error"]["message"].as_str().unwrap().contains("left alone"), "{source}");
    assert_eq!(asked.load(Ordering::SeqCst), 3, "nothing was asked");
}

#[test]
fn a_source_that_says_that_nothing_has_changed_is_as_fresh_as_one_that_sends_it_all_again() {
    let overlay = points(&["moody"]);
    let number = AtomicUsize::new(0);
    // The first run has no cursor yet, so the third one is the first to ask the same again. Not
    // modified is only believed if the gateway has asked for it.
    let moody = Upstream::start(move |_| match number.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => {
            let headers = "Content-Type: application/json\r\nETag: \"v1\"\r\n";
            Reply::new("200 OK", headers, &page(&[record("a")]))
        }
        _ => Reply::new("304 Same", "ETag: \"v1\"\r\n", ""),
    });
    let variables = addresses(&[("moody", &moody)]);
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    let outcomes = |source: &Value| {
        let history = source["streams"][0]["history"].as_array().unwrap();
        history.iter().map(|run| run["outcome"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let source = source_when(&gateway, "two runs without news", |s| {
        outcomes(s).iter().filter(|outcome| *outcome == "skipped_unchanged").count() >= 2
    });
    assert_eq!(outcomes(&source)[..4], ["ok", "ok", "skipped_unchanged", "skipped_unchanged"]);
    assert!(source["last_error"].is_null(), "{source}");
    assert_eq!(source["freshness"]["state"], "fresh", "{source}");
    let history = source["streams"][0]["history"].as_array().unwrap();
    assert_eq!(history[2]["records"]["received"], 0);
    // Both clocks go on: it was asked, and it answered that it has nothing else.
    let (last, through) =
        (&source["freshness"]["last_success_at"], &source["freshness"]["data_through"]);
    assert!(last.as_str() >= history[2]["ended"].as_str(), "{source}");
    assert!(through.as_str() >= history[2]["started"].as_str(), "{source}");
    gateway.stop();

    // What was learned outlives a restart, because the data does.
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    let count = outcomes(&source).len();
    let source = source_when(&gateway, "more runs", |s| outcomes(s).len() > count + 1);
    assert!(source["last_error"].is_null(), "{source}");
    assert!(!outcomes(&source).contains(&"failed".to_owned()), "{source}");
}

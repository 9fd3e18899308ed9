//! Faults of the gateway itself, by the real program: what breaks is one turn, one slice or one delivery,
//! and the log says where and never what; where the store breaks, the process ends as one that failed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::certification::{addresses, page, points, record};
use crate::support::{Gateway, Reply, Upstream};

/// Panics at the Nth passage of a place; its words are a canary.
fn ordered(
    mut variables: BTreeMap<String, String>,
    place: &str,
    at: u32,
) -> BTreeMap<String, String> {
    variables.insert("IOCGW_FAILPOINT".to_owned(), format!("panic:{place}:{at}"));
    variables
}

/// What became of the turns of a source, oldest first.
fn outcomes(gateway: &Gateway, source: &str) -> Vec<String> {
    let answer = gateway.get(&format!("/v1/sources/{source}")).json();
    let history = answer["streams"][0]["history"].as_array().cloned().unwrap_or_default();
    history.iter().map(|run| run["outcome"].as_str().unwrap_or_default().to_owned()).collect()
}

fn stream(gateway: &Gateway, source: &str) -> Value {
    gateway.get(&format!("/v1/sources/{source}")).json()["streams"][0].clone()
}

#[test]
fn a_panic_ends_one_turn_of_one_source_and_the_log_says_where_and_not_what() {
    for place in ["fetched", "decoded"] {
        let overlay = points(&["first", "second"]);
        let upstream = Upstream::start(|_| Reply::json(&page(&[record("a")])));
        let variables = addresses(&[("first", &upstream), ("second", &upstream)]);
        let variables = ordered(variables, place, 4);
        let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
        let failed = |runs: &[String]| runs.iter().filter(|outcome| *outcome == "failed").count();
        gateway.wait_until("a fault and turns after it", "/v1/sources", |_| {
            let both = [outcomes(&gateway, "first"), outcomes(&gateway, "second")];
            let broke = both.iter().find(|runs| failed(runs) > 0);
            broke.is_some_and(|runs| runs.iter().rev().take(2).all(|outcome| outcome == "ok"))
        });
        let both = [outcomes(&gateway, "first"), outcomes(&gateway, "second")];
        let faults = both.each_ref().map(|runs| failed(runs));
        assert!(faults == [1, 0] || faults == [0, 1], "{place}: {both:?}");
        for source in ["first", "second"] {
            let stream = stream(&gateway, source);
            assert_eq!(stream["last_error"], Value::Null, "{place}: {stream}");
            let records = &stream["records"];
            assert_eq!(records["quarantined"], 0, "{place}: {stream}");
        }
        let told = gateway.get("/v1/sources/first").body + &gateway.get("/v1/sources/second").body;
        let log = gateway.log();
        assert!(log.contains("panicked: a fault of the gateway"), "{log}");
        assert!(log.contains("\"at\":\"src/failpoint.rs:"), "{log}");
        for text in [log, told, gateway.kill()] {
            assert!(!text.contains("CANARY: a panic"), "{place}: {text}");
        }
    }
}

#[test]
fn where_the_store_panics_the_process_ends_as_failed_and_the_next_one_goes_on() {
    for (place, at) in [("folded", 2), ("committed", 1), ("published", 2)] {
        let overlay = points(&["lists"]);
        let rows: Vec<_> = (1..=9).map(|site| record(&format!("site{site}"))).collect();
        let upstream = Upstream::start(move |target| {
            let number = target.split("page=").nth(1).and_then(|rest| rest.split('&').next());
            let number: usize = number.and_then(|text| text.parse().ok()).unwrap_or(1);
            Reply::json(&page(rows.chunks(3).nth(number.saturating_sub(1)).unwrap_or(&[])))
        });
        let variables = addresses(&[("lists", &upstream)]);
        let broken = ordered(variables.clone(), place, at);
        let gateway = Gateway::start(&overlay.config(), overlay.folder(), &broken);
        let (code, log) = gateway.ended();
        assert_eq!(code, Some(1), "{place}: {log}");
        assert!(log.contains("panicked: a fault of the gateway"), "{place}: {log}");
        assert!(log.contains("the store has ended by a fault of the gateway"), "{place}: {log}");
        assert!(!log.contains("CANARY: a panic"), "{place}: {log}");
        let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
        gateway.wait_until("all of it", "/v1/sources/lists", |answer| {
            answer.json()["records"]["accepted"] == json!(9)
        });
        let records = stream(&gateway, "lists")["records"].clone();
        let of = |name: &str| records[name].as_u64().unwrap();
        let sum = of("accepted") + of("superseded") + of("duplicate") + of("quarantined");
        assert_eq!(of("received"), sum + of("rejected"), "{place}: {records}");
    }
}

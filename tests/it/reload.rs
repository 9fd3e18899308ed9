//! G09 and G10: another configuration is taken over without a restart, or the old one stays whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::support::certification::{addresses, page, points, record};
use crate::support::{Answer, Gateway, Moody, Overlay, Reply, edit};

const SHARE: &str = "/v1/indicators/e_copy_share/value?period=2025-08-04";
const CONTRACT: &str = "contracts/certification_acts.yaml";
const PAPER: &str = "e_copies:     {sum: paper_copies, at: act_date, by: [site_type]}";
const SHIPPED: &str = "e_copies:     {sum: e_copies, at: act_date, by: [site_type]}";

/// 30 paper copies and 10 electronic ones.
fn upstream() -> Moody {
    Moody::start(Reply::json(&page(&[record("a")])))
}

fn share(gateway: &Gateway, value: f64) -> Value {
    gateway.wait_until("the share", SHARE, |answer| answer.json()["value"] == value).json()
}

/// The sample of a family without labels.
fn sample(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(&format!("{name} "))?.parse().ok())
}

fn is_successful(gateway: &Gateway, value: f64) -> String {
    let name = "iocgw_config_last_reload_successful";
    gateway
        .wait_until("the reload", "/metrics", |answer| sample(&answer.body, name) == Some(value))
        .body
}

fn start(overlay: &Overlay, variables: &BTreeMap<String, String>) -> Gateway {
    Gateway::start(&overlay.config(), overlay.folder(), variables)
}

/// What a reader saw: under which definition which value.
type Seen = BTreeSet<(String, String)>;

/// Reads everything again and again; `then` must read as it was `printed`.
fn read_until(gateway: &Gateway, is_over: &AtomicBool, then: &str, printed: &str) -> (Seen, usize) {
    let (mut seen, mut count) = (Seen::new(), 0);
    while !is_over.load(Ordering::SeqCst) {
        assert_eq!(gateway.get(then).body, printed, "the past keeps its definition");
        for path in [SHARE, "/v1/sources", "/v1/catalogue", "/v1/quarantine", "/metrics", "/"] {
            let answer = gateway.get(path);
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
            count += 1;
            if path == SHARE {
                let answer = answer.json();
                seen.insert((
                    answer["definition_version"].to_string(),
                    answer["value"].to_string(),
                ));
            }
        }
    }
    (seen, count)
}

#[test]
fn another_measure_is_taken_over_under_load_and_no_request_fails_or_mixes_two_definitions() {
    let (overlay, moody) = (points(&["moody"]), upstream());
    let gateway = start(&overlay, &addresses(&[("moody", &moody.upstream)]));
    let first = share(&gateway, 0.25);
    let as_of = first["as_of"].as_str().unwrap().replace('+', "%2B");
    let then = format!("{SHARE}&as_of={as_of}");
    gateway.wait_until("the next second", &then, |answer| answer.status == 200);
    let printed = gateway.get(&then).body;
    let contract = overlay.config().join(CONTRACT);
    let is_over = AtomicBool::new(false);
    let (seen, count) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| read_until(&gateway, &is_over, &then, &printed));
        for _ in 0..3 {
            edit(&contract, SHIPPED, PAPER);
            gateway.reload();
            share(&gateway, 0.5);
            edit(&contract, PAPER, SHIPPED);
            gateway.reload();
            share(&gateway, 0.25);
        }
        is_over.store(true, Ordering::SeqCst);
        reading.join().unwrap()
    });
    println!("{count} requests, {seen:?}");
    let by_value = |value: &str| {
        let versions = seen.iter().filter(|(_, seen)| seen == value).map(|(version, _)| version);
        versions.collect::<BTreeSet<_>>()
    };
    // Built anew, a measure has no value meanwhile; but never one of another definition.
    assert_eq!((by_value("0.25").len(), by_value("0.5").len()), (1, 1), "{seen:?}");
    assert!(by_value("0.25").is_disjoint(&by_value("0.5")), "{seen:?}");
    let text = is_successful(&gateway, 1.0);
    assert!(sample(&text, "iocgw_config_last_reload_success_timestamp_seconds") > Some(1e9));
    assert_eq!(gateway.get(&then).body, printed);
    let log = gateway.log();
    assert_eq!(log.matches("another configuration is in use").count(), 6);
    assert!(!log.contains("panicked"), "{log}");
    assert_eq!(gateway.stop().0, Some(0));
}

#[test]
fn a_bad_configuration_is_told_with_its_places_and_everything_goes_on_as_before() {
    let (overlay, moody) = (points(&["moody"]), upstream());
    let gateway = start(&overlay, &addresses(&[("moody", &moody.upstream)]));
    share(&gateway, 0.25);
    let (contract, key) =
        (overlay.config().join(CONTRACT), overlay.folder().join("secrets/identifier_key"));
    edit(&contract, SHIPPED, &PAPER.replace("paper_copies", "papers"));
    gateway.reload();
    is_successful(&gateway, 0.0);
    let log = gateway.log();
    assert!(log.contains("certification_acts.yaml:") && log.contains("papers"), "{log}");
    let asked = moody.upstream.asked().len();
    gateway.wait_until("pulling to go on", "/livez", |_| moody.upstream.asked().len() > asked);
    share(&gateway, 0.25);

    // What the store refuses changes nothing either: pulling pauses and goes on.
    edit(&contract, &PAPER.replace("paper_copies", "papers"), PAPER);
    let good = std::fs::read(&key).unwrap();
    std::fs::write(&key, "another key, which nobody has announced to the store").unwrap();
    gateway.reload();
    gateway.wait_until("the refusal", "/livez", |_| gateway.log().contains("counted twice"));
    is_successful(&gateway, 0.0);
    let asked = moody.upstream.asked().len();
    gateway.wait_until("pulling to go on", "/livez", |_| moody.upstream.asked().len() > asked);
    share(&gateway, 0.25);

    std::fs::write(&key, good).unwrap();
    gateway.reload();
    share(&gateway, 0.5);
    is_successful(&gateway, 1.0);
    // The same again is no change.
    gateway.reload();
    gateway.wait_until("the answer", "/livez", |_| gateway.log().contains("says what it said"));
}

#[test]
fn a_source_comes_and_goes_while_the_others_keep_their_rhythm_and_their_counters() {
    let (overlay, one, two) = (points(&["one", "two"]), upstream(), upstream());
    let variables = addresses(&[("one", &one.upstream), ("two", &two.upstream)]);
    let (first, second) =
        (overlay.config().join("sources/one.yaml"), overlay.config().join("sources/two.yaml"));
    edit(&first, "interval: 1s", "interval: 6h");
    let text = std::fs::read_to_string(&second).unwrap();
    std::fs::remove_file(&second).unwrap();
    let gateway = start(&overlay, &variables);
    let once = |text: &str| sample(text, "iocgw_source_pulls_total{source=\"one\"}") == Some(1.0);
    gateway.wait_until("the first turn", "/metrics", |answer| once(&answer.body));
    let asked = one.upstream.asked().len();

    std::fs::write(&second, &text).unwrap();
    gateway.reload();
    let up =
        |text: &str, source: &str| sample(text, &format!("iocgw_source_up{{source=\"{source}\"}}"));
    gateway.wait_until("the second source", "/metrics", |a| up(&a.body, "two") == Some(1.0));
    assert_eq!(one.upstream.asked().len(), asked, "it is asked when it was due anyway");

    std::fs::remove_file(&second).unwrap();
    gateway.reload();
    let gone = |text: &str| !text.contains("\"two\"");
    let vanished = |answer: &Answer| gone(&answer.body);
    let text = gateway.wait_until("the second source to vanish", "/metrics", vanished).body;
    assert!(once(&text), "{text}");
    // What the metrics say, the API has already said.
    let listed = gateway.get("/v1/sources").body;
    assert!(gone(&listed), "{listed}");
    share(&gateway, 0.25);
}

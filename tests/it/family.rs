//! Parent and child: a list says what there is, and each thing on it is asked about by itself.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::support::certification::{addresses, page, points, record};
use crate::support::{Gateway, Overlay, Reply, Upstream, edit};

const SHARE: &str = "/v1/indicators/e_copy_share/value?period=2025-08-04";

/// Certification points whose list is asked for as `acts`, and each point by itself as `details`.
fn family(more: &str, handler: &str) -> Overlay {
    let overlay = points(&["lists"]);
    let path = overlay.config().join("sources/lists.yaml");
    edit(&path, "streams:\n", &format!("{handler}streams:\n"));
    let text = std::fs::read_to_string(&path).unwrap();
    let map = &text[text.find("    map:").unwrap()..];
    let details = format!(
        "  details:\n    contract: certification_acts\n    path: \"/acts/{{{{ parent.site }}}}\"\n    interval: 1s\n    \
         parent: {{stream: acts, keys: {{site: site}}{more}}}\n    \
         cursor: {{property: updated_at, format: rfc3339, lookback: 1h}}\n{map}"
    );
    std::fs::write(&path, format!("{text}{details}")).unwrap();
    overlay
}

fn start(overlay: &Overlay, upstream: &Upstream) -> Gateway {
    Gateway::start(&overlay.config(), overlay.folder(), &addresses(&[("lists", upstream)]))
}

/// The list holds fewer electronic copies than the detail, which is newer.
fn detail(site: &str) -> Value {
    let mut detail = record(site);
    detail["updated_at"] = "2025-08-04T18:00:00+07:00".into();
    detail["e_certified_copies"] = 30.into();
    detail
}

/// Three points a page of the list, of so many in all.
fn list(target: &str, count: usize) -> Reply {
    let number: usize =
        target.split("page=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap();
    let sites = (0..count).map(|i| record(&i.to_string())).skip((number - 1) * 3).take(3);
    Reply::json(&page(&sites.collect::<Vec<_>>()))
}

/// The point that a target asks about, if it does.
fn asked_about(target: &str) -> Option<&str> {
    target.strip_prefix("/acts/CANARY-")
}

fn details_when(gateway: &Gateway, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let details = |answer: Value| answer["streams"][1].clone();
    let found = gateway
        .wait_until(what, "/v1/sources/lists", |answer| is_so(&details(answer.json())))
        .json();
    details(found)
}

/// Whether so many points count with what their details say.
fn counts(answer: &Value, points: u64) -> bool {
    answer["numerator"] == json!(points * 30) && answer["denominator"] == json!(points * 60)
}

#[test]
fn each_listed_record_is_asked_about_within_bounds_and_its_key_is_shown_nowhere() {
    let (at_once, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, peak) = (Arc::clone(&at_once), Arc::clone(&most));
    let upstream = Upstream::start(move |target| {
        let Some(site) = asked_about(target) else { return list(target, 11) };
        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::park_timeout(std::time::Duration::from_millis(20));
        now.fetch_sub(1, Ordering::SeqCst);
        Reply::json(&detail(site).to_string())
    });
    let overlay = family(", at_once: 2", "");
    let gateway = start(&overlay, &upstream);
    gateway.wait_until("every detail", SHARE, |answer| counts(&answer.json(), 11));
    let details = details_when(&gateway, "a run", |s| !s["history"][0].is_null());
    let run = &details["history"][0];
    assert_eq!((&run["outcome"], &run["records"]["received"]), (&json!("ok"), &json!(11)), "{run}");
    assert_eq!(run["pages"], 4 + 11, "the pages of the list and of the details: {run}");
    assert!((1..=2).contains(&most.load(Ordering::SeqCst)), "{most:?}");
    // Asked again it changes nothing.
    let again = details_when(&gateway, "a second run", |s| !s["history"][1].is_null());
    assert_eq!(again["history"][1]["records"]["duplicate"], 11, "{again}");
    assert!(counts(&gateway.get(SHARE).json(), 11));
    let (metrics, sources) = (gateway.get("/metrics").body, gateway.get("/v1/sources/lists").body);
    for text in [&metrics, &sources, &gateway.log()] {
        assert!(!text.contains("CANARY"), "{text}");
    }
    gateway.stop();
    for entry in std::fs::read_dir(overlay.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(8).any(|some| some == b"CANARY-3"), "{}", path.display());
        }
    }
}

#[test]
fn killed_among_the_children_the_next_life_asks_for_the_rest_and_counts_each_once() {
    let hangs = Arc::new(AtomicBool::new(true));
    let hanging = Arc::clone(&hangs);
    let upstream = Upstream::start(move |target| match asked_about(target) {
        None => list(target, 10),
        Some("7") if hanging.load(Ordering::SeqCst) => Reply::Silence,
        Some(site) => Reply::json(&detail(site).to_string()),
    });
    let overlay = family("", "");
    let gateway = start(&overlay, &upstream);
    gateway.wait_until("the hanging one", "/v1/sources", |_| {
        upstream.asked().iter().any(|target| asked_about(target) == Some("7"))
    });
    gateway.kill();
    hangs.store(false, Ordering::SeqCst);
    let gateway = start(&overlay, &upstream);
    gateway.wait_until("every detail", SHARE, |answer| counts(&answer.json(), 10));
    let details =
        details_when(&gateway, "a good run", |s| !s["freshness"]["last_success_at"].is_null());
    assert!(details["last_error"].is_null(), "{details}");
}

#[test]
fn a_detail_that_is_gone_fails_the_run_unless_the_source_says_to_ignore_it() {
    let upstream = Upstream::start(|target| match asked_about(target) {
        None => list(target, 4),
        Some("2") => Reply::new("404 Gone", "", "CANARY"),
        Some(site) => Reply::json(&detail(site).to_string()),
    });
    let overlay = family("", "");
    let gateway = start(&overlay, &upstream);
    let details = details_when(&gateway, "trouble", |s| !s["last_error"].is_null());
    assert_eq!(details["last_error"]["reason"], "http_4xx", "{details}");
    let message = details["last_error"]["message"].as_str().unwrap();
    assert!(
        message.contains("/acts/{{ parent.site }}") && !message.contains("CANARY"),
        "{message}"
    );
    gateway.kill();

    let overlay = family("", "error_handler: {on: [{status: [404], then: ignore}]}\n");
    let gateway = start(&overlay, &upstream);
    let details = details_when(&gateway, "a run", |s| !s["history"][0].is_null());
    let run = &details["history"][0];
    assert_eq!((&run["outcome"], &run["records"]["received"]), (&json!("ok"), &json!(3)), "{run}");
}

#[test]
fn s09_a_list_that_is_longer_than_the_run_may_be_is_cut_and_told() {
    let asked: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let seen = Arc::clone(&asked);
    let upstream = Upstream::start(move |target| {
        let Some(site) = asked_about(target) else { return list(target, 12) };
        seen.lock().unwrap().insert(site.to_owned());
        Reply::json(&detail(site).to_string())
    });
    let overlay = family(", max_children: 5", "");
    let gateway = start(&overlay, &upstream);
    let details = details_when(&gateway, "a run", |s| !s["history"][0].is_null());
    let run = &details["history"][0];
    assert_eq!(run["outcome"], "truncated", "{run}");
    assert_eq!(run["records"]["received"], 5, "{run}");
    assert!(run["message"].as_str().unwrap().contains("parent.max_children"), "{run}");
    assert!(asked.lock().unwrap().len() == 5, "{asked:?}");
}

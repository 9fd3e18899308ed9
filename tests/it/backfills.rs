//! Stretches of the past asked for by hand, by the real program: what a source says differently by now
//! comes in without disturbing the present, and goes on wherever the program died.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use ioc_gateway::clock::Clock;
use ioc_gateway::model::time::{LOCAL_OFFSET, Stamp};
use serde_json::{Value, json};

use crate::support::certification::{addresses, page, points, record};
use crate::support::{Gateway, Overlay, Reply, Upstream, edit, run_in};

const DAY: i64 = 86_400;
const LISTS: &str = "/v1/sources/lists";

fn midnight(days_ago: i64) -> i64 {
    let now = Clock::System.now().0 + LOCAL_OFFSET;
    now - now.rem_euclid(DAY) - days_ago * DAY - LOCAL_OFFSET
}

fn day(days_ago: i64) -> String {
    Stamp(midnight(days_ago)).rfc3339()[..10].to_owned()
}

/// The value of a number among a target's parameters.
fn number(target: &str, name: &str) -> Option<i64> {
    let query = target.split_once('?')?.1;
    let text = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    text.parse().ok()
}

/// A list whose requests say where they begin and end, asked every second.
fn overlay(bounded: bool) -> Overlay {
    let overlay = points(&["lists"]);
    let path = overlay.config().join("sources/lists.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let line = |begins: &str| {
        text.lines().find(|line| line.trim_start().starts_with(begins)).unwrap().trim()
    };
    let until = if bounded { ", until: \"{{ slice_end }}\"" } else { "" };
    edit(&path, line("query:"), &format!("query: {{since: \"{{{{ cursor }}}}\"{until}}}"));
    edit(
        &path,
        line("cursor:"),
        "cursor: {property: updated_at, format: unix_seconds, lookback: 1s, settle: 1s}",
    );
    edit(&path, line("paginator:"), "paginator: {kind: none}");
    overlay
}

/// The records of the last `last` days, one a day, as far as they were asked for.
fn records(target: &str, last: i64) -> Reply {
    let since = number(target, "since").unwrap_or(0);
    let until = number(target, "until").unwrap_or(i64::MAX);
    let rows = (1..=last).rev().filter(|days| (since..=until).contains(&(midnight(*days) + 3600)));
    let rows = rows.map(|days| {
        let mut row = record(&format!("site{days}"));
        row["updated_at"] = Stamp(midnight(days) + 3600).rfc3339().into();
        row
    });
    Reply::json(&page(&rows.collect::<Vec<_>>()))
}

/// One record a day of the last ten days; all but the last two are handed out once `is_mended`.
fn upstream(is_mended: &Arc<AtomicBool>, hangs_at: &Arc<AtomicI64>) -> Upstream {
    let (is_mended, hangs_at) = (Arc::clone(is_mended), Arc::clone(hangs_at));
    Upstream::start(move |target| {
        let since = number(target, "since").unwrap_or(0);
        let until = number(target, "until").unwrap_or(i64::MAX);
        if (since..until).contains(&hangs_at.load(Ordering::SeqCst)) && until < midnight(0) {
            return Reply::Silence;
        }
        records(target, if is_mended.load(Ordering::SeqCst) { 10 } else { 2 })
    })
}

fn start(overlay: &Overlay, upstream: &Upstream) -> Gateway {
    let variables = addresses(&[("lists", upstream)]);
    Gateway::start_writable(&overlay.config(), overlay.folder(), &variables)
}

fn accepted(gateway: &Gateway) -> u64 {
    gateway.get(LISTS).json()["records"]["accepted"].as_u64().unwrap()
}

fn job_when(gateway: &Gateway, id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/v1/jobs/{id}");
    gateway.wait_until(what, &path, |answer| is_so(&answer.json()["item"])).json()["item"].clone()
}

#[test]
fn what_was_mended_in_the_past_comes_in_when_it_is_asked_for_and_goes_on_after_a_death() {
    let (is_mended, hangs_at) = (Arc::default(), Arc::new(AtomicI64::new(0)));
    let (overlay, upstream) = (overlay(true), upstream(&is_mended, &hangs_at));
    let gateway = start(&overlay, &upstream);
    gateway.wait_until("what there is", LISTS, |answer| answer.json()["records"]["accepted"] == 2);
    is_mended.store(true, Ordering::SeqCst);
    // Ordinary turns ask for what is new only.
    let turns = gateway.get(LISTS).json()["streams"][0]["history"].as_array().unwrap().len();
    gateway.wait_until("more turns", LISTS, |answer| {
        answer.json()["streams"][0]["history"].as_array().unwrap().len() > turns + 1
    });
    assert_eq!(accepted(&gateway), 2, "nobody asks for the past by itself");

    hangs_at.store(midnight(6) + 3600, Ordering::SeqCst);
    let body =
        json!({"stream": "lists.acts", "from": day(9), "to": day(3), "by": "CANARY steward"});
    let reply = gateway.post("/v1/backfills", &body);
    assert_eq!(reply.status, 202, "{}", reply.body);
    let id = reply.json()["item"]["job"].as_str().unwrap().to_owned();
    let half = job_when(&gateway, &id, "three slices", |item| item["done"] == 3);
    assert_eq!((&half["total"], &half["backfill"]["accepted"]), (&json!(6), &json!(3)), "{half}");
    let again = gateway.post("/v1/backfills", &body);
    assert_eq!(again.status, 409, "{}", again.body);
    let cursor = |gateway: &Gateway| gateway.get(LISTS).json()["streams"][0]["cursor"].clone();
    let before = cursor(&gateway);
    gateway.kill();

    hangs_at.store(0, Ordering::SeqCst);
    let asked = upstream.asked().len();
    let gateway = start(&overlay, &upstream);
    let done = job_when(&gateway, &id, "the end", |item| item["state"] == "done");
    assert_eq!((&done["done"], &done["ratio"]), (&json!(6), &json!(1)), "{done}");
    assert_eq!(done["backfill"]["accepted"], 6, "{done}");
    // Days 9 to 4, and the two that were there; days 10 and 3 were not asked for.
    assert_eq!(accepted(&gateway), 8);
    let past: BTreeSet<_> = upstream.asked()[asked..]
        .iter()
        .filter_map(|target| number(target, "since"))
        .filter(|since| *since < midnight(3))
        .collect();
    let resumed: BTreeSet<_> = (4..=6).map(midnight).collect();
    assert_eq!(past, resumed, "what had come in is not asked for again");
    let stream = gateway.get(LISTS).json()["streams"][0].clone();
    assert_eq!(stream["last_error"], Value::Null, "{stream}");
    assert!(cursor(&gateway).as_str() >= before.as_str(), "the present went on");
    let metrics = gateway.get("/metrics").body;
    assert!(
        metrics.contains("iocgw_source_backfill_done_ratio{source=\"lists\"} 1\n"),
        "{metrics}"
    );
}

#[test]
fn it_is_ended_by_hand_and_what_has_come_in_stays() {
    let (is_mended, hangs_at) = (Arc::default(), Arc::new(AtomicI64::new(midnight(6) + 3600)));
    let (overlay, upstream) = (overlay(true), upstream(&is_mended, &hangs_at));
    let gateway = start(&overlay, &upstream);
    gateway.wait_until("what there is", LISTS, |answer| answer.json()["records"]["accepted"] == 2);
    is_mended.store(true, Ordering::SeqCst);
    let body =
        json!({"stream": "lists.acts", "from": day(9), "to": day(3), "by": "CANARY steward"});
    let id =
        gateway.post("/v1/backfills", &body).json()["item"]["job"].as_str().unwrap().to_owned();
    job_when(&gateway, &id, "three slices", |item| item["done"] == 3);
    let url = format!("http://{}", gateway.address);
    let words = ["source", "cancel-backfill", &id, "--url", &url];
    let done = run_in(overlay.folder(), &words, &addresses(&[("lists", &upstream)]));
    assert_eq!(String::from_utf8_lossy(&done.stdout), format!("{id}: cancelled\n"));
    hangs_at.store(0, Ordering::SeqCst);
    let item = job_when(&gateway, &id, "its state", |item| item["state"] == "cancelled");
    assert!(!item["backfill"]["ended_at"].is_null(), "{item}");
    let turns = upstream.asked().len();
    gateway.wait_until("ordinary turns", LISTS, |_| upstream.asked().len() > turns + 2);
    let item = job_when(&gateway, &id, "its state", |_| true);
    assert_eq!((&item["state"], &item["done"]), (&json!("cancelled"), &json!(3)));
    assert_eq!(accepted(&gateway), 5);
}

#[test]
fn on_a_stopped_store_it_is_worked_off_at_once_and_a_stream_without_an_end_in_one_piece() {
    let (is_mended, hangs_at) = (Arc::default(), Arc::default());
    let (overlay, upstream) = (overlay(false), upstream(&is_mended, &hangs_at));
    let variables = addresses(&[("lists", &upstream)]);
    let gateway = start(&overlay, &upstream);
    gateway.wait_until("what there is", LISTS, |answer| answer.json()["records"]["accepted"] == 2);
    assert_eq!(gateway.stop().0, Some(0));
    is_mended.store(true, Ordering::SeqCst);
    let run = |words: &[&str]| {
        let done = run_in(overlay.folder(), words, &variables);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code(), format!("{}{}", text(&done.stdout), text(&done.stderr)))
    };
    let from = day(8);
    let ask = ["source", "backfill", "lists.acts", "--from", &from, "--by", "CANARY steward"];
    let (code, said) = run(&[&ask[..], &["--dry-run"]].concat());
    assert!(code == Some(0) && said.contains("lists.acts: 1 slices"), "{said}");
    let (code, said) = run(&ask);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("backfill:1: done: 1 of 1 slices, 8 records, 6 of them new"), "{said}");
    let to = day(7);
    let (code, said) = run(&[&ask[..], &["--to", &to]].concat());
    assert!(code != Some(0) && said.contains("leave 'to' out"), "{said}");
    let (code, said) = run(&["source", "backfill", "lists.atcs", "--from", &from, "--by", "x"]);
    assert!(code != Some(0) && said.contains("no stream 'atcs'"), "{said}");
}

#[test]
fn a_source_that_is_down_is_not_asked_for_its_past_too_and_that_costs_nothing() {
    let is_down = Arc::new(AtomicBool::new(false));
    let down = Arc::clone(&is_down);
    let upstream = Upstream::start(move |target| {
        if down.load(Ordering::SeqCst) {
            Reply::new("503 Later", "", "")
        } else {
            records(target, 10)
        }
    });
    let overlay = overlay(true);
    let path = overlay.config().join("sources/lists.yaml");
    // It is asked again and again however often it fails.
    let breaker = "after_denial: 1s}\ncircuit_breaker: {failures: 100, open_for: 1s}";
    edit(&path, "after_denial: 1s}", breaker);
    let gateway = start(&overlay, &upstream);
    gateway.wait_until("what there is", LISTS, |answer| answer.json()["records"]["accepted"] == 10);
    is_down.store(true, Ordering::SeqCst);
    gateway.wait_until("its trouble", LISTS, |answer| {
        !answer.json()["streams"][0]["last_error"].is_null()
    });
    let body =
        json!({"stream": "lists.acts", "from": day(9), "to": day(3), "by": "CANARY steward"});
    let reply = gateway.post("/v1/backfills", &body);
    assert_eq!(reply.status, 202, "{}", reply.body);
    let id = reply.json()["item"]["job"].as_str().unwrap().to_owned();
    let turns = upstream.asked().len();
    gateway.wait_until("turns that fail", LISTS, |_| upstream.asked().len() > turns + 3);
    let past = |target: &&String| number(target, "until").is_some_and(|until| until < midnight(0));
    let asked = upstream.asked();
    assert_eq!(asked[turns..].iter().filter(past).count(), 0, "{:?}", &asked[turns..]);
    let waits = job_when(&gateway, &id, "its state", |_| true);
    let told = (&waits["state"], &waits["done"], &waits["backfill"]["failures"]);
    assert_eq!(told, (&json!("running"), &json!(0), &json!(0)), "{waits}");
    is_down.store(false, Ordering::SeqCst);
    let done = job_when(&gateway, &id, "the end", |item| item["state"] == "done");
    assert_eq!((&done["done"], &done["backfill"]["received"]), (&json!(6), &json!(6)), "{done}");
}

/// The third page is the one of the slice: of the two turns before it one was the first, one was asked for.
#[cfg(debug_assertions)]
#[test]
fn a_fault_of_the_gateway_counts_as_a_failure_of_the_slice_and_the_stream_has_no_part_in_it() {
    for place in ["fetched", "decoded"] {
        let overlay = overlay(true);
        edit(&overlay.config().join("sources/lists.yaml"), "interval: 1s", "interval: 1h");
        let upstream = Upstream::start(|target| records(target, 10));
        let mut variables = addresses(&[("lists", &upstream)]);
        variables.insert("IOCGW_FAILPOINT".to_owned(), format!("panic:{place}:3"));
        let gateway = Gateway::start_writable(&overlay.config(), overlay.folder(), &variables);
        gateway.wait_until("what there is", LISTS, |answer| {
            answer.json()["records"]["accepted"] == 10
        });
        let body =
            json!({"stream": "lists.acts", "from": day(9), "to": day(3), "by": "CANARY steward"});
        let reply = gateway.post("/v1/backfills", &body);
        assert_eq!(reply.status, 202, "{}", reply.body);
        let id = reply.json()["item"]["job"].as_str().unwrap().to_owned();
        let item = job_when(&gateway, &id, "a fault", |item| item["backfill"]["failures"] == 1);
        assert_eq!((&item["state"], &item["done"]), (&json!("running"), &json!(0)), "{item}");
        assert!(item.to_string().contains("a fault in the gateway itself"), "{item}");
        let stream = gateway.get(LISTS).json()["streams"][0].clone();
        assert_eq!(stream["last_error"], Value::Null, "{place}: {stream}");
        // Its next turn goes on with it.
        let asked = gateway.post("/v1/sources/lists/pulls", &json!({"stream": "acts"}));
        assert!(asked.status < 300, "{}", asked.body);
        let done = job_when(&gateway, &id, "the end", |item| item["state"] == "done");
        let told = (&done["done"], &done["backfill"]["received"], &done["backfill"]["failures"]);
        assert_eq!(told, (&json!(6), &json!(6), &json!(0)), "{done}");
    }
}

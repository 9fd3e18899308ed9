//! Long lists and long histories against a source that is no friend: what ends a run, what it keeps,
//! and that nothing is missed in the end.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use ioc_gateway::clock::Clock;
use ioc_gateway::model::time::{LOCAL_OFFSET, Stamp};
use serde_json::{Value, json};

use crate::support::certification::{addresses, page, points, record};
use crate::support::{Gateway, Overlay, Reply, Upstream, edit};

/// Certification points with their stream written otherwise.
fn points_with(edits: &[(&str, &str)]) -> Overlay {
    let overlay = points(&["lists"]);
    for (from, to) in edits {
        edit(&overlay.config().join("sources/lists.yaml"), from, to);
    }
    overlay
}

const PAGINATOR: &str = "paginator: {kind: page_number, query: page, start: 1, size_query: size, page_size: 3, max_pages: 4}";

fn start(overlay: &Overlay, upstream: &Upstream) -> Gateway {
    Gateway::start(&overlay.config(), overlay.folder(), &addresses(&[("lists", upstream)]))
}

fn stream(answer: &Value) -> &Value {
    &answer["streams"][0]
}

/// Waits until the stream is as wanted, and hands it over.
fn stream_when(gateway: &Gateway, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let found = gateway
        .wait_until(what, "/v1/sources/lists", |answer| is_so(stream(&answer.json())))
        .json();
    stream(&found).clone()
}

fn first_run(gateway: &Gateway) -> Value {
    let stream = stream_when(gateway, "a run", |stream| !stream["history"][0].is_null());
    stream["history"][0].clone()
}

/// The value of a parameter in a target.
fn parameter<'a>(target: &'a str, name: &str) -> Option<&'a str> {
    let query = target.split_once('?')?.1;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn number(target: &str, name: &str) -> usize {
    parameter(target, name).map_or(0, |text| text.parse().unwrap())
}

/// How many points the indicator counts: each sends 40 copies a day.
fn points_counted(answer: &Value) -> Option<u64> {
    answer["denominator"].as_u64().map(|copies| copies / 40)
}

const SHARE: &str = "/v1/indicators/e_copy_share/value?period=2025-08-04";

#[test]
fn s09_a_run_is_cut_off_at_its_records_and_at_its_time_keeps_what_came_and_says_so() {
    let offset = "paginator: {kind: offset, query: skip, page_size: 3}";
    let overlay = points_with(&[(PAGINATOR, &format!("{offset}\n    limits: {{records: 7}}"))]);
    let endless = |target: &str| {
        let skip = number(target, "skip");
        let rows: Vec<_> = (skip..skip + 3).map(|i| record(&i.to_string())).collect();
        Reply::json(&page(&rows))
    };
    let upstream = Upstream::start(endless);
    let gateway = start(&overlay, &upstream);
    let run = first_run(&gateway);
    assert_eq!((&run["outcome"], &run["pages"]), (&json!("truncated"), &json!(3)), "{run}");
    assert_eq!(run["records"]["accepted"], 9);
    assert!(run["message"].as_str().unwrap().contains("limits.records"), "{run}");
    let skips: Vec<_> = upstream.asked().iter().map(|t| number(t, "skip")).take(3).collect();
    assert_eq!(skips, [0, 3, 6]);

    // The second page never comes; the run ends within its time all the same.
    let overlay =
        points_with(&[(PAGINATOR, &format!("{offset}\n    limits: {{run_time: 400ms}}"))]);
    let upstream = Upstream::start(move |target| match number(target, "skip") {
        0 => endless(target),
        _ => Reply::Silence,
    });
    let gateway = start(&overlay, &upstream);
    let run = first_run(&gateway);
    assert_eq!((&run["outcome"], &run["pages"]), (&json!("truncated"), &json!(1)), "{run}");
    assert_eq!(run["records"]["accepted"], 3);
    assert!(run["message"].as_str().unwrap().contains("limits.run_time"), "{run}");
    let stream = stream_when(&gateway, "trouble", |stream| !stream["last_error"].is_null());
    assert_eq!(stream["last_error"]["reason"], "truncated");
    assert!(stream["freshness"]["data_through"].is_null(), "never silently complete: {stream}");
}

#[test]
fn s13_s14_rows_that_slip_between_shifting_pages_or_vanish_are_right_after_a_full_pass() {
    let offset = "paginator: {kind: offset, query: skip, page_size: 2, total_at: /total}";
    let overlay = points_with(&[
        (PAGINATOR, offset),
        ("    records: /items", "    reconcile: {interval: 1s}\n    records: /items"),
    ]);
    let rows = Arc::new(Mutex::new((0..7).map(|i| i.to_string()).collect::<Vec<_>>()));
    let (listed, is_first) = (Arc::clone(&rows), Mutex::new(true));
    let upstream = Upstream::start(move |target| {
        let mut rows = listed.lock().unwrap();
        let skip = number(target, "skip");
        if skip == 2 && std::mem::take(&mut *is_first.lock().unwrap()) {
            // A row of the page before goes, so the third row slips onto it unseen.
            rows.remove(0);
        }
        let items: Vec<_> = rows.iter().skip(skip).take(2).map(|site| record(site)).collect();
        Reply::json(&json!({"items": items, "total": rows.len()}).to_string())
    });
    let gateway = start(&overlay, &upstream);
    let first = first_run(&gateway);
    assert_eq!(first["outcome"], "ok", "the announced number came: {first}");
    assert_eq!(first["records"]["accepted"], 6, "one slipped: {first}");
    let wanted = rows.lock().unwrap().len() as u64;
    let counted = |answer: &Value| points_counted(answer) == Some(wanted);
    gateway.wait_until("every row and no other", SHARE, |answer| counted(&answer.json()));
    let stream = stream_when(&gateway, "a full pass", |stream| {
        stream["history"].as_array().unwrap().iter().any(|run| !run["message"].is_null())
    });
    assert!(stream["reconcile_refused"].is_null(), "{stream}");
    // Everything vanishes at once: that is refused, and the numbers stay.
    rows.lock().unwrap().clear();
    stream_when(&gateway, "a refusal", |stream| !stream["reconcile_refused"].is_null());
    let share = gateway.get(SHARE).json();
    assert!(counted(&share), "{share}");
}

const QUERY: &str = "query: {changed_since: \"{{ cursor }}\"}";
const CURSOR: &str = "cursor: {property: updated_at, format: rfc3339, lookback: 1h}";
const DAY: i64 = 86_400;

/// Midnight so many days ago, local time.
fn midnight(days_ago: i64) -> i64 {
    let now = Clock::System.now().0 + LOCAL_OFFSET;
    (now.div_euclid(DAY) - days_ago) * DAY - LOCAL_OFFSET
}

/// A row of every seventh hour since a moment, up to an hour ago.
fn history(since: i64) -> Vec<(i64, Value)> {
    let until = Clock::System.now().0 - 3600;
    let moments = (0..).map(|i| since + i * 7 * 3600).take_while(|at| *at < until);
    moments.enumerate().map(|(i, at)| (at, row(i, at))).collect()
}

fn row(site: usize, at: i64) -> Value {
    let mut row = record(&site.to_string());
    row["updated_at"] = Stamp(at).rfc3339().into();
    row
}

/// The page of rows that a request asks for, both of its bounds included, three rows a page.
fn slice_of(rows: &[(i64, Value)], target: &str) -> Reply {
    let bound = |name| parameter(target, name).map_or(0, |text| text.parse::<i64>().unwrap());
    let wanted = rows.iter().filter(|(at, _)| (bound("since")..=bound("until")).contains(at));
    let items: Vec<_> = wanted.map(|(_, row)| row.clone()).collect();
    let skip = (number(target, "page") - 1) * 3;
    Reply::json(&page(&items.into_iter().skip(skip).take(3).collect::<Vec<_>>()))
}

/// Days as slices, from so many days ago on.
fn in_slices(days: i64, more: &str) -> Overlay {
    let start = &Stamp(midnight(days)).rfc3339()[..10];
    let cursor = format!(
        "cursor: {{property: updated_at, format: unix_seconds, settle: 1s, slices: {{start: {start}, step: 1d{more}}}}}"
    );
    points_with(&[
        (QUERY, "query: {since: \"{{ slice_start }}\", until: \"{{ slice_end }}\"}"),
        (CURSOR, &cursor),
    ])
}

/// The beginnings of the slices that were asked for, each once, in the order of their first request.
fn slices_asked(upstream: &Upstream) -> Vec<i64> {
    let mut beginnings = Vec::new();
    for target in upstream.asked() {
        let since = parameter(&target, "since").unwrap().parse().unwrap();
        if !beginnings.contains(&since) {
            beginnings.push(since);
        }
    }
    beginnings
}

fn backfill_ratio(gateway: &Gateway) -> f64 {
    let text = gateway.get("/metrics").body;
    let sample = "iocgw_source_backfill_done_ratio{source=\"lists\"} ";
    let line = text.lines().find_map(|line| line.strip_prefix(sample));
    line.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
}

#[test]
fn s29_a_history_killed_in_the_middle_of_a_slice_resumes_there_and_is_whole_in_the_end() {
    let (begin, days) = (midnight(6), 6);
    let rows = history(begin);
    let count = rows.len() as u64;
    let hangs_from = Arc::new(AtomicI64::new(begin + 3 * DAY));
    let hanging = Arc::clone(&hangs_from);
    let upstream = Upstream::start(move |target| {
        let since: i64 = parameter(target, "since").unwrap().parse().unwrap();
        // The second page of the fourth slice never comes.
        let hangs = since >= hanging.load(Ordering::SeqCst) && number(target, "page") > 1;
        if hangs { Reply::Silence } else { slice_of(&rows, target) }
    });
    let overlay = in_slices(days, "");
    let gateway = start(&overlay, &upstream);
    gateway.wait_until("the hanging page", "/v1/sources/lists", |_| {
        upstream.asked().iter().any(|target| {
            number(target, "page") > 1 && target.contains(&(begin + 3 * DAY).to_string())
        })
    });
    let told = stream_when(&gateway, "three slices", |s| s["backfill"]["slices_done"] == 3);
    assert_eq!(told["backfill"]["slices_total"], days + 1, "{told}");
    assert!((0.3..0.6).contains(&backfill_ratio(&gateway)));
    gateway.kill();
    let before = upstream.asked().len();
    let asked: Vec<_> = (0..=3).map(|day| begin + day * DAY).collect();
    assert_eq!(slices_asked(&upstream), asked, "oldest first, each whole before the next");

    hangs_from.store(i64::MAX, Ordering::SeqCst);
    let gateway = start(&overlay, &upstream);
    let told = stream_when(&gateway, "all slices", |s| s["backfill"]["done_ratio"] == 1.0);
    assert!(told["last_error"].is_null(), "{told}");
    assert!((backfill_ratio(&gateway) - 1.0).abs() < 1e-9);
    let counted = |answer: Value| points_counted(&answer) == Some(count);
    gateway.wait_until("every row", SHARE, |answer| counted(answer.json()));
    let resumed = &upstream.asked()[before];
    assert!(resumed.contains(&(begin + 3 * DAY).to_string()), "resumed at {resumed}");
    let repeated = upstream.asked()[before..].iter().any(|target| {
        parameter(target, "since").unwrap().parse::<i64>().unwrap() < begin + 3 * DAY
    });
    assert!(!repeated, "what had come in whole is not asked for again: {:?}", upstream.asked());
}

#[test]
fn s29_newest_first_is_fresh_at_once_and_the_storm_behind_it_waits() {
    let (begin, days) = (midnight(5), 5);
    let rows = history(begin);
    let count = rows.len() as u64;
    let opens_at = Arc::new(AtomicI64::new(midnight(0)));
    let open = Arc::clone(&opens_at);
    let upstream = Upstream::start(move |target| {
        let since: i64 = parameter(target, "since").unwrap().parse().unwrap();
        let is_open = since >= open.load(Ordering::SeqCst);
        if is_open { slice_of(&rows, target) } else { Reply::new("503 Busy", "", "") }
    });
    let overlay = in_slices(days, ", newest_first: true");
    let gateway = start(&overlay, &upstream);
    // The past is refused, the present comes in all the same, and what is missing is no secret.
    let told = stream_when(&gateway, "a refusal", |s| s["last_error"]["reason"] == "http_5xx");
    assert!(!told["freshness"]["data_through"].is_null(), "{told}");
    assert_eq!(told["backfill"]["slices_done"], 1, "{told}");
    let pending = &told["backfill"]["pending"];
    assert_eq!(pending[0]["from"], Stamp(begin).rfc3339(), "{told}");
    assert_eq!(pending.as_array().unwrap().len(), 1, "{told}");
    gateway.kill();

    opens_at.store(0, Ordering::SeqCst);
    let gateway = start(&overlay, &upstream);
    let told = stream_when(&gateway, "everything", |s| s["backfill"]["done_ratio"] == 1.0);
    assert_eq!(told["backfill"]["pending"], json!([]));
    let counted = |answer: Value| points_counted(&answer) == Some(count);
    gateway.wait_until("every row", SHARE, |answer| counted(answer.json()));
    let past: Vec<_> =
        slices_asked(&upstream).into_iter().filter(|since| *since < midnight(0) - 3600).collect();
    let newest_first: Vec<_> = (1..=days).map(midnight).collect();
    assert_eq!(past, newest_first);
}

#[test]
fn s09_where_a_source_stops_after_so_many_rows_paging_begins_anew_from_the_latest() {
    let rows = history(midnight(6));
    let count = rows.len() as u64;
    assert!(count > 13, "several times as many as the source hands out");
    let is_ordered = Arc::new(AtomicI64::new(1));
    let ordered = Arc::clone(&is_ordered);
    let upstream = Upstream::start(move |target| {
        let since = parameter(target, "changed_since").map_or(0, |text| text.parse().unwrap());
        let mut wanted: Vec<_> = rows.iter().filter(|(at, _)| *at >= since).collect();
        if ordered.load(Ordering::SeqCst) == 0 {
            wanted.reverse();
        }
        // Nobody gets more than six, however they ask.
        let skip = number(target, "skip");
        let items: Vec<_> = wanted.into_iter().take(6).skip(skip).take(3).collect();
        Reply::json(&page(&items.into_iter().map(|(_, row)| row.clone()).collect::<Vec<_>>()))
    });
    let offset = "paginator: {kind: offset, query: skip, page_size: 3, reset: {after_records: 6}}";
    let cursor =
        "cursor: {property: updated_at, format: unix_seconds, lookback: 1h, order: ascending}";
    let overlay = points_with(&[(PAGINATOR, offset), (CURSOR, cursor)]);
    let gateway = start(&overlay, &upstream);
    let run = first_run(&gateway);
    assert_eq!((&run["outcome"], &run["message"]), (&json!("ok"), &Value::Null), "{run}");
    assert_eq!(run["records"]["accepted"], count, "{run}");
    gateway.kill();

    // Without the order that was promised nobody knows what was left out: that is told.
    is_ordered.store(0, Ordering::SeqCst);
    let overlay = points_with(&[(PAGINATOR, offset), (CURSOR, cursor)]);
    let gateway = start(&overlay, &upstream);
    let run = first_run(&gateway);
    assert_eq!(run["outcome"], "truncated", "{run}");
    assert!(run["message"].as_str().unwrap().contains("not in the order"), "{run}");
    let stream = stream_when(&gateway, "trouble", |stream| !stream["last_error"].is_null());
    assert_eq!(stream["last_error"]["reason"], "truncated", "{stream}");
}

#[test]
fn s19_a_cursor_may_go_by_the_time_that_was_asked_for_and_leaves_out_what_is_just_being_written() {
    let rows = history(midnight(2));
    let upstream = Upstream::start(move |target| slice_of(&rows, target));
    let overlay = points_with(&[
        (QUERY, "query: {since: \"{{ slice_start }}\", until: \"{{ slice_end }}\"}"),
        (CURSOR, "cursor: {format: unix_seconds, lookback: 2h, settle: 5m}"),
    ]);
    let gateway = start(&overlay, &upstream);
    stream_when(&gateway, "two runs", |s| s["history"].as_array().unwrap().len() > 1);
    let asked = upstream.asked();
    let bound = |target: &str, name: &str| -> Option<i64> {
        parameter(target, name).map(|text| text.parse().unwrap())
    };
    let until = bound(&asked[0], "until").unwrap();
    assert_eq!(bound(&asked[0], "since"), None, "the first run asks for everything");
    assert!((290..400).contains(&(Clock::System.now().0 - until)), "settle: {until}");
    let second = asked.iter().find(|target| bound(target, "since").is_some()).unwrap();
    assert_eq!(bound(second, "since"), Some(until - 2 * 3600), "the lookback");
}

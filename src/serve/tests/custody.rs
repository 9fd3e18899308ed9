//! The few writes: refused unless allowed, strict about what they take, and told in one number.

use std::sync::{Arc, Mutex};

use actix_web::http::{Method, header};
use actix_web::test::TestRequest;
use futures_util::FutureExt as _;
use serde_json::{Value, json as object};
use tokio::sync::oneshot;

use super::world::{Listed, access, bare, context, quarantined};
use super::{Reply, get, json, send};
use crate::model::access::Scope;
use crate::model::audit::Actor;
use crate::model::backfill::{Backfill, Wanted};
use crate::model::quarantine::{Filter, ReplaySummary, State};
use crate::model::snapshot::Paused;
use crate::serve::{Confirmed, Context, Custodian, Pending};

/// Notes what it is asked to do.
#[derive(Default)]
pub(super) struct Noting(pub(super) Mutex<Vec<String>>, pub(super) Gate);

/// What the next pull waits for, if anything.
type Gate = Mutex<Option<oneshot::Receiver<()>>>;

impl Custodian for Noting {
    fn replay(&self, filter: Filter, _: Actor) -> Pending<ReplaySummary> {
        self.0.lock().unwrap().push(format!("replay {:?} {:?}", filter.rule, filter.ids));
        let by_reason = [("unknown_code".to_owned(), 2)].into();
        let done = ReplaySummary { replayed: 5, still_refused: 2, by_reason };
        async { Ok(done) }.boxed()
    }

    fn discard(&self, filter: Filter, by: String, why: String, _: Actor) -> Pending<u64> {
        assert_eq!(filter.state, Some(State::Held));
        self.0.lock().unwrap().push(format!("discard {:?} {by}: {why}", filter.ids));
        async { Ok(1) }.boxed()
    }

    fn confirm(
        &self,
        source: String,
        stream: String,
        by: String,
        _: Actor,
    ) -> Pending<Option<Confirmed>> {
        self.0.lock().unwrap().push(format!("confirm {source}.{stream} {by}"));
        let is_refused = source == "portal";
        async move { Ok(is_refused.then_some(Confirmed { records: 412 })) }.boxed()
    }

    fn pull(&self, source: &str, streams: &[String], _: Actor) -> Pending<()> {
        self.0.lock().unwrap().push(format!("pull {source} {streams:?}"));
        let gate = self.1.lock().unwrap().take();
        async move {
            match gate {
                Some(gate) => gate.await.map_err(|error| error.to_string()),
                None => Ok(()),
            }
        }
        .boxed()
    }

    fn backfill(&self, wanted: Wanted, _: Actor) -> Pending<Result<u64, u64>> {
        let Wanted { source, stream, from, until, step, by } = wanted;
        let said = format!("backfill {source}.{stream} {from} {until} {step} {by}");
        self.0.lock().unwrap().push(said);
        async { Ok(Ok(7)) }.boxed()
    }

    fn cancel(&self, backfill: u64, _: Actor) -> Pending<Option<Backfill>> {
        self.0.lock().unwrap().push(format!("cancel {backfill}"));
        async { Ok(None) }.boxed()
    }

    fn pause(&self, source: String, paused: Option<Paused>, _: Actor) -> Pending<()> {
        let paused = paused.map(|Paused { by, why, since }| format!("{by} {why} {since}"));
        self.0.lock().unwrap().push(format!("pause {source} {paused:?}"));
        async { Ok(()) }.boxed()
    }
}

pub(super) fn allowing() -> (Arc<Context>, Arc<Noting>) {
    let (mut context, noting) = (bare(), Arc::new(Noting::default()));
    context.custodian = noting.clone();
    context.access = access([Scope::Read, Scope::Sources, Scope::Operate]);
    (Arc::new(context), noting)
}

pub(super) async fn post(context: &Arc<Context>, path: &str, body: &str) -> Reply {
    let request =
        TestRequest::post().uri(path).insert_header((header::CONTENT_TYPE, "application/json"));
    send(context, request.set_payload(body.to_owned())).await
}

pub(super) fn problem(reply: &Reply, status: u16, code: &str) -> Value {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "application/problem+json");
    let body = reply.json();
    assert_eq!(body["type"], format!("/docs/problems/{code}"));
    body
}

const WRITES: [(&str, &str); 4] = [
    ("/v1/quarantine/replays", "{}"),
    ("/v1/quarantine/discards", r#"{"ids": [1], "by": "a steward", "reason": "a test record"}"#),
    ("/v1/sources/portal/confirmations", r#"{"stream": "dossiers", "by": "a steward"}"#),
    ("/v1/sources/portal/pulls", "{}"),
];

#[actix_web::test]
async fn writes_are_refused_to_those_who_may_only_read() {
    for (path, body) in WRITES {
        let reply = post(&context(), path, body).await;
        problem(&reply, 401, "key-needed");
        assert!(reply.header("www-authenticate").starts_with("Bearer"));
    }
}

#[actix_web::test]
async fn a_write_is_carried_out_as_asked_and_answered_with_counts() {
    let (context, noting) = allowing();
    let reply = post(&context, WRITES[0].0, r#"{"rule": "channel", "ids": [3, 4]}"#).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), "no-store");
    let expected = object!({"replayed": 5, "still_refused": 2, "by_reason": {"unknown_code": 2}});
    assert_eq!(reply.json(), expected);
    let reply = post(&context, WRITES[1].0, WRITES[1].1).await;
    assert_eq!(reply.json(), object!({"discarded": 1}));
    let reply = post(&context, WRITES[2].0, WRITES[2].1).await;
    assert_eq!(reply.json(), object!({"records": 412}));
    let noted = [
        "replay Some(\"channel\") [3, 4]",
        "discard [1] a steward: a test record",
        "confirm portal.dossiers a steward",
    ];
    assert_eq!(*noting.0.lock().unwrap(), noted);
    let reply =
        post(&context, "/v1/sources/kiosks/confirmations", r#"{"stream": "kiosk", "by": "x"}"#);
    problem(&reply.await, 409, "nothing-to-confirm");
}

#[actix_web::test]
async fn a_page_of_another_site_cannot_write() {
    let (context, noting) = allowing();
    for (path, body) in WRITES {
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
            let request = TestRequest::post().uri(path).insert_header((header::CONTENT_TYPE, kind));
            problem(&send(&context, request.set_payload(body)).await, 415, "media-type");
        }
        let asking = TestRequest::default().method(Method::OPTIONS).uri(path);
        let reply = send(&context, asking).await;
        problem(&reply, 405, "only-post");
        assert_eq!(reply.header("allow"), "POST");
        assert_eq!(reply.header("access-control-allow-origin"), "");
        problem(&get(&context, path).await, 405, "only-post");
    }
    assert!(noting.0.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn a_body_that_is_not_exactly_right_does_nothing() {
    let (context, noting) = allowing();
    let long = format!(r#"{{"rule": "{}"}}"#, "x".repeat(70_000));
    let many: Vec<u32> = (0..1001).collect();
    let many = object!({"ids": many}).to_string();
    let discards = "/v1/quarantine/discards";
    for (path, body) in [
        ("/v1/quarantine/replays", "not json"),
        ("/v1/quarantine/replays", "[]"),
        ("/v1/quarantine/replays", r#"{"rules": "channel"}"#),
        ("/v1/quarantine/replays", r#"{"source": "nobody"}"#),
        ("/v1/quarantine/replays", r#"{"reason": "bad"}"#),
        ("/v1/quarantine/replays", &long),
        ("/v1/quarantine/replays", &many),
        (discards, r#"{"ids": [1], "by": "x"}"#),
        (discards, r#"{"ids": [1], "by": " ", "reason": "y"}"#),
        (discards, r#"{"ids": [1], "by": "x", "reason": ""}"#),
        (discards, r#"{"by": "x", "reason": "y"}"#),
        (discards, r#"{"filter": {}, "by": "x", "reason": "y"}"#),
        (discards, r#"{"ids": [1], "filter": {"rule": "r"}, "by": "x", "reason": "y"}"#),
        ("/v1/sources/portal/confirmations", r#"{"stream": "none", "by": "x"}"#),
        ("/v1/sources/portal/confirmations", r#"{"stream": "dossiers"}"#),
        ("/v1/sources/portal/pulls", r#"{"stream": "none"}"#),
        ("/v1/sources/portal/pulls", r#"{"streams": ["dossiers"]}"#),
    ] {
        let reply = post(&context, path, body).await;
        problem(&reply, 400, "bad-body");
        assert!(reply.body.len() < 2000, "{body}");
    }
    let reply = post(&context, "/v1/sources/portla/confirmations", WRITES[2].1).await;
    let body = problem(&reply, 404, "unknown-source");
    assert_eq!(body["suggestions"], object!(["portal"]));
    let reply = post(&context, "/v1/quarantine/replays?x=1", "{}").await;
    problem(&reply, 400, "unknown-parameter");
    assert!(noting.0.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn one_record_is_shown_whatever_its_state_and_groups_sum_up() {
    let mut context = bare();
    let mut records: Vec<_> = (1..=3).map(|id| quarantined(id, "portal", "wrong_type")).collect();
    records[2].state = State::Discarded;
    let at = crate::model::time::Stamp(1_711_990_800);
    records[2].discarded = Some((at, "a steward".to_owned(), "a test record".to_owned()));
    context.quarantine = Arc::new(Listed(records));
    let context = Arc::new(context);
    let one = json(&context, "/v1/quarantine/3").await;
    assert_eq!((&one["id"], &one["state"]), (&object!(3), &object!("discarded")));
    assert_eq!(one["discarded"]["by"], "a steward");
    assert_eq!(one["discarded"]["at"], "2024-04-02T00:00:00+07:00");
    for path in ["/v1/quarantine/4", "/v1/quarantine/x", "/v1/quarantine/99999999999999999999"] {
        problem(&get(&context, path).await, 404, "unknown-record");
    }
    let ids = async |query: &str| {
        let body = json(&context, &format!("/v1/quarantine?{query}")).await;
        body["items"].as_array().unwrap().len()
    };
    assert_eq!(ids("").await, 2);
    assert_eq!(ids("state=discarded").await, 1);
    assert_eq!(ids("state=all").await, 3);
    assert_eq!(ids("rule=other").await, 0);
    let groups = json(&context, "/v1/quarantine?group=rule").await;
    assert_eq!(groups["items"][0]["records"], 2);
    assert_eq!(groups["items"][0]["rule"], "received_at");
    problem(&get(&context, "/v1/quarantine?state=gone").await, 400, "bad-parameter");
}

#[actix_web::test]
async fn the_page_of_the_quarantine_shows_rules_shapes_and_commands_and_no_values() {
    let mut context = bare();
    let mut records: Vec<_> = (1..=3).map(|id| quarantined(id, "portal", "check_failed")).collect();
    for record in &mut records {
        record.rule = "kind != 'x' && <b>".to_owned();
    }
    context.quarantine = Arc::new(Listed(records));
    let context = Arc::new(context);
    let reply = get(&context, "/quarantine").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let page = reply.text();
    for part in [
        "Không đạt phép kiểm tra",
        "kind != 'x' &amp;&amp; &lt;b&gt;",
        "<code>received_at</code>: text",
        r"--reason check_failed --rule 'kind != '\''x'\'' &amp;&amp; &lt;b&gt;'",
        "--source portal --stream dossiers",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let empty = get(&Arc::new(bare()), "/quarantine").await;
    assert!(empty.text().contains("Nothing is in quarantine."));
    problem(&get(&context, "/quarantine?x=1").await, 400, "unknown-parameter");
}

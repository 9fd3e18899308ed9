//! Turns and pauses by hand, as asked for over the API.

use std::sync::Arc;

use actix_web::http::{Method, header};
use actix_web::test::TestRequest;
use serde_json::{Value, json as object};

use super::custody::{allowing, post, problem};
use super::world::context;
use super::{Reply, get, json, send};
use crate::model::snapshot::{Paused, Snapshot};
use crate::model::time::Stamp;
use crate::serve::Context;

const PORTAL: &str = "/v1/sources/portal";

async fn patch(context: &Arc<Context>, path: &str, body: &str) -> Reply {
    let request =
        TestRequest::patch().uri(path).insert_header((header::CONTENT_TYPE, "application/json"));
    send(context, request.set_payload(body.to_owned())).await
}

/// The same world, in which the portal is paused.
fn paused(context: &Context) {
    let paused = Paused {
        by: "a steward".to_owned(),
        why: "its owner asked".to_owned(),
        since: Stamp(1_711_990_800),
    };
    let before = Snapshot::clone(&context.snapshot.load());
    let snapshot = Snapshot { paused: [("portal".to_owned(), paused)].into(), ..before };
    context.snapshot.store(Arc::new(snapshot));
}

#[actix_web::test]
async fn a_turn_is_asked_for_of_all_streams_or_one_and_never_of_a_paused_source() {
    let (context, noting) = allowing();
    let reply = post(&context, "/v1/sources/portal/pulls", "{}").await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    let body = reply.json();
    assert_eq!((&body["source"], &body["streams"]), (&object!("portal"), &object!(["dossiers"])));
    assert_eq!(body["links"]["source"], PORTAL);
    assert!(body["requested_at"].as_str().is_some_and(|at| at.ends_with("+07:00")), "{body}");
    let one = post(&context, "/v1/sources/portal/pulls", r#"{"stream": "dossiers"}"#).await;
    assert_eq!(one.status, 202);
    assert_eq!(*noting.0.lock().unwrap(), ["pull portal [\"dossiers\"]"; 2]);

    paused(&context);
    let reply = post(&context, "/v1/sources/portal/pulls", "{}").await;
    let body = problem(&reply, 409, "source-is-paused");
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.contains("a steward") && detail.contains("its owner asked"), "{detail}");
    assert_eq!(noting.0.lock().unwrap().len(), 2);
}

#[actix_web::test]
async fn a_pause_says_by_whom_and_why_and_keeps_its_beginning() {
    let (context, noting) = allowing();
    let pause = r#"{"enabled": false, "by": " a steward ", "why": "its owner asked"}"#;
    let reply = patch(&context, PORTAL, pause).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let body = reply.json();
    assert_eq!(
        (&body["state"], &body["paused"]["by"]),
        (&object!("paused"), &object!("a steward"))
    );
    paused(&context);
    let again = patch(&context, PORTAL, r#"{"enabled": false, "by": "x", "why": "y"}"#).await;
    assert_eq!(again.json()["paused"]["since"], "2024-04-02T00:00:00+07:00");
    let resumed = patch(&context, PORTAL, r#"{"enabled": true, "by": "x"}"#).await;
    assert_eq!(resumed.json(), object!({"source": "portal", "state": "active", "paused": null}));
    let noted = noting.0.lock().unwrap().clone();
    assert!(noted[0].starts_with("pause portal Some(\"a steward its owner asked "), "{noted:?}");
    assert_eq!(noted[1], "pause portal Some(\"x y 2024-04-02T00:00:00+07:00\")");
    assert_eq!(noted[2], "pause portal None");
}

#[actix_web::test]
async fn a_change_that_is_not_exactly_right_or_comes_from_another_site_does_nothing() {
    let refused = patch(&context(), PORTAL, r#"{"enabled": true, "by": "x"}"#).await;
    problem(&refused, 401, "key-needed");
    let (context, noting) = allowing();
    for body in [
        "[]",
        r#"{"enabled": false, "by": "x"}"#,
        r#"{"enabled": false, "by": " ", "why": "y"}"#,
        r#"{"enabled": false, "by": "x", "why": ""}"#,
        r#"{"enabled": "no", "by": "x", "why": "y"}"#,
        r#"{"enabled": false, "by": "x", "why": "y", "until": "tomorrow"}"#,
    ] {
        problem(&patch(&context, PORTAL, body).await, 400, "bad-body");
    }
    let form = TestRequest::patch().uri(PORTAL).insert_header((header::CONTENT_TYPE, "text/plain"));
    let form = send(&context, form.set_payload(r#"{"enabled": true, "by": "x"}"#)).await;
    problem(&form, 415, "media-type");
    let unknown = patch(&context, "/v1/sources/portla", r#"{"enabled": true, "by": "x"}"#).await;
    problem(&unknown, 404, "unknown-source");
    let asking = TestRequest::default().method(Method::OPTIONS).uri(PORTAL);
    let asking = send(&context, asking).await;
    problem(&asking, 405, "method-not-allowed");
    assert_eq!(asking.header("allow"), "GET, HEAD, PATCH");
    assert_eq!(asking.header("access-control-allow-origin"), "");
    assert!(noting.0.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn a_paused_source_is_paused_and_not_failing_wherever_it_is_shown() {
    let (context, _) = allowing();
    let before = json(&context, PORTAL).await;
    assert_eq!((&before["state"], &before["paused"]), (&object!("active"), &Value::Null));
    paused(&context);
    let state = json(&context, PORTAL).await;
    assert_eq!(state["state"], "paused");
    assert_eq!(state["paused"]["why"], "its owner asked");
    assert_eq!(state["paused"]["since"], "2024-04-02T00:00:00+07:00");
    let reasons: Vec<_> = state["reasons"].as_array().unwrap().iter().collect();
    assert!(reasons.contains(&&object!("paused")) && !reasons.contains(&&object!("failing")));
    assert_eq!(state["next_run_at"], Value::Null);
    let reply = get(&context, "/").await;
    let page = reply.text();
    assert!(page.contains("đang tạm dừng") && page.contains("its owner asked"), "{page}");
}

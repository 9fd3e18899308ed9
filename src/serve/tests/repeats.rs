//! Writes that are sent again: done once, answered twice, and never for somebody else.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::test::TestRequest;
use futures_util::FutureExt as _;
use serde_json::json as object;
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::access::closed;
use super::custody::{allowing, problem};
use super::world::bare;
use super::{Reply, send};
use crate::clock::Clock;
use crate::model::time::{DAY, Stamp};
use crate::serve::Context;

const PULLS: &str = "/v1/sources/portal/pulls";

async fn write(context: &Arc<Context>, path: &str, key: &str, body: &str) -> Reply {
    let request = TestRequest::post().uri(path);
    let request = request.insert_header((header::CONTENT_TYPE, "application/json"));
    let request = request.insert_header(("Idempotency-Key", key)).set_payload(body.to_owned());
    send(context, request).await
}

#[actix_web::test]
async fn what_was_done_is_not_done_again_and_the_first_answer_comes_again() {
    let (context, noting) = allowing();
    let first = write(&context, PULLS, "a-1", "{}").await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (202, ""));
    let again = write(&context, PULLS, "a-1", "{}").await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (202, "true"));
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("content-type"), first.header("content-type"));
    assert_eq!(again.header("cache-control"), "no-store");
    assert_eq!(noting.0.lock().unwrap().len(), 1);
    // Another key, and another address under the same key, are other things to do.
    assert_eq!(write(&context, PULLS, "a-2", "{}").await.status, 202);
    assert_eq!(write(&context, "/v1/quarantine/replays", "a-1", "{}").await.status, 200);
    assert_eq!(noting.0.lock().unwrap().len(), 3);
    let other = write(&context, PULLS, "a-1", r#"{"stream": "dossiers"}"#).await;
    let told = problem(&other, 409, "idempotency-key-taken");
    assert!(told["detail"].as_str().unwrap().contains("another body"), "{told}");
    assert_eq!(noting.0.lock().unwrap().len(), 3);
}

#[actix_web::test]
async fn what_was_refused_may_be_mended_and_sent_under_the_same_key() {
    let (context, noting) = allowing();
    let refused = write(&context, PULLS, "b-1", r#"{"stream": "none"}"#).await;
    problem(&refused, 400, "bad-body");
    assert_eq!(write(&context, PULLS, "b-1", "{}").await.status, 202);
    assert_eq!(noting.0.lock().unwrap().len(), 1);
    let long = "k".repeat(256);
    for key in ["", "two words", "a\tb", &long] {
        let reply = write(&context, PULLS, key, "{}").await;
        problem(&reply, 400, "bad-idempotency-key");
    }
    let large = format!("{{\"stream\": \"{}\"}}", "x".repeat(70_000));
    problem(&write(&context, PULLS, "b-2", &large).await, 400, "bad-body");
    assert_eq!(noting.0.lock().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_key_is_remembered_for_a_day_and_only_so_many_of_them() {
    let (context, noting) = allowing();
    let mut context = Arc::into_inner(context).unwrap();
    let clock = Clock::standing(Stamp(1_700_000_000));
    context.clock = clock.clone();
    let context = Arc::new(context);
    write(&context, PULLS, "c-1", "{}").await;
    clock.set(Stamp(1_700_000_000 + DAY - 1));
    write(&context, PULLS, "c-1", "{}").await;
    assert_eq!(noting.0.lock().unwrap().len(), 1);
    clock.set(Stamp(1_700_000_000 + DAY));
    write(&context, PULLS, "c-1", "{}").await;
    assert_eq!(noting.0.lock().unwrap().len(), 2);
    clock.set(Stamp(1_700_000_000 + DAY + 1));
    for number in 0..1000 {
        write(&context, PULLS, &format!("c-{}", number + 2), "{}").await;
    }
    let again = write(&context, PULLS, "c-1001", "{}").await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    let forgotten = write(&context, PULLS, "c-1", "{}").await;
    assert_eq!(forgotten.header("idempotency-replayed"), "", "the oldest made room");
}

#[actix_web::test]
async fn c07_the_key_of_one_is_nothing_to_another_who_gets_no_answer_of_theirs() {
    let (context, _) = closed(bare());
    let body = object!({"name": "CANARY", "url": "https://ioc.example/hook", "topics": ["sources.changed"]});
    let by = |key: &'static str| {
        let request = TestRequest::post()
            .uri("/v1/webhooks")
            .insert_header((header::CONTENT_TYPE, "application/json"))
            .insert_header((header::AUTHORIZATION, format!("Bearer {key}")))
            .insert_header(("Idempotency-Key", "d-1"))
            .set_payload(body.to_string());
        send(&context, request)
    };
    let stranger = by("nobody").await;
    assert_eq!((stranger.status, stranger.header("idempotency-replayed")), (401, ""));
    let first = by("all").await;
    assert_eq!(first.header("idempotency-replayed"), "", "{}", first.text());
    for other in ["nobody", "public", "read"] {
        let reply = by(other).await;
        assert_eq!(reply.header("idempotency-replayed"), "", "{other}");
        assert_ne!(reply.body, first.body, "{other}");
    }
}

#[actix_web::test]
async fn a_write_is_carried_out_to_its_end_though_its_sender_is_gone() {
    let (context, noting) = allowing();
    let (let_it, gate) = oneshot::channel();
    *noting.1.lock().unwrap() = Some(gate);
    let mut first = Box::pin(write(&context, PULLS, "e-1", "{}"));
    for _ in 0..1000 {
        assert!((&mut first).now_or_never().is_none(), "it waits to be let");
        if !noting.0.lock().unwrap().is_empty() {
            break;
        }
        yield_now().await;
    }
    assert_eq!(noting.0.lock().unwrap().len(), 1, "it has been begun");
    drop(first);
    let meanwhile = write(&context, PULLS, "e-1", "{}").await;
    let told = problem(&meanwhile, 409, "idempotency-key-taken");
    assert!(told["detail"].as_str().unwrap().contains("under way"), "{told}");
    let_it.send(()).expect("somebody still carries it out");
    let mut again = write(&context, PULLS, "e-1", "{}").await;
    for _ in 0..1000 {
        if again.status != 409 {
            break;
        }
        yield_now().await;
        again = write(&context, PULLS, "e-1", "{}").await;
    }
    assert_eq!((again.status, again.header("idempotency-replayed")), (202, "true"));
    assert_eq!(noting.0.lock().unwrap().len(), 1, "it was done once");
}

//! Deliveries: what each outcome is answered with.

use actix_web::test;

use super::send;
use super::world::context;

#[actix_web::test]
async fn a_delivery_is_answered_by_what_became_of_it() {
    let context = context();
    let push = |stream: &str, body: &'static str| {
        let uri = format!("/v1/intake/{stream}");
        send(&context, test::TestRequest::post().uri(&uri).set_payload(body))
    };
    let reply = push("loans.decisions", "3").await;
    assert_eq!((reply.status, &reply.json()["accepted"]), (202, &serde_json::json!(3)));
    assert_eq!(reply.header("idempotency-replayed"), "");
    for (body, status, kind, after) in [
        ("forged", 401, "unauthenticated", ""),
        ("other", 422, "delivery-differs", ""),
        ("often", 429, "too-many-deliveries", "7"),
        ("full", 503, "intake-unavailable", "30"),
        ("broken", 400, "unreadable-delivery", ""),
        ("biased", 422, "refused-delivery", ""),
        ("far more than thirty-two bytes, which is the limit", 413, "delivery-too-large", ""),
    ] {
        let reply = push("loans.decisions", body).await;
        assert_eq!(reply.status, status, "{body}: {}", reply.text());
        assert_eq!(reply.json()["type"], format!("/docs/problems/{kind}"));
        assert_eq!(reply.header("retry-after"), after, "{body}");
        assert_eq!(reply.header("content-type"), "application/problem+json");
    }
    assert_eq!(push("loans.other", "3").await.json()["type"], "/docs/problems/unknown-stream");
    let repeated = test::TestRequest::post()
        .uri("/v1/intake/loans.decisions")
        .insert_header(("idempotency-key", "d-1"))
        .set_payload("3");
    assert_eq!(send(&context, repeated).await.header("idempotency-replayed"), "true");
    let encoded = test::TestRequest::post()
        .uri("/v1/intake/loans.decisions")
        .insert_header(("content-encoding", "gzip"))
        .set_payload("3");
    assert_eq!(send(&context, encoded).await.status, 415);
}

//! Tags, caching, compression, security headers and what is counted.

use actix_web::http::{Method, header};
use actix_web::test::TestRequest;

use super::world::{context, now, watched};
use super::{get, send};
use crate::model::time::Stamp;

const VALUE: &str = "/v1/indicators/received/value";

fn known(uri: &str, tag: &str) -> TestRequest {
    TestRequest::get().uri(uri).insert_header((header::IF_NONE_MATCH, tag))
}

#[actix_web::test]
async fn polling_an_unchanged_revision_gives_304_for_the_rest_of_the_minute() {
    let context = context();
    let first = get(&context, VALUE).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() == 34, "{tag}");
    assert_eq!(first.header("cache-control"), "private, max-age=10", "then the portal is asked");
    assert_eq!(first.header("vary"), "Accept, Accept-Encoding, Authorization, Origin");
    context.clock.set(Stamp(now().0 + 29));
    for sent in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        let reply = send(&context, known(VALUE, &sent)).await;
        assert_eq!((reply.status, reply.body.len()), (304, 0), "{sent}");
        assert_eq!(reply.header("etag"), tag);
        assert_eq!(reply.header("cache-control"), "private, max-age=1");
    }
    assert_eq!(send(&context, known(VALUE, "\"other\"")).await.status, 200);
    context.clock.set(Stamp(now().0 + 31));
    let next = send(&context, known(VALUE, &tag)).await;
    assert_eq!(next.status, 200, "the age in the body has changed");
    assert_ne!(next.header("etag"), tag);
}

#[actix_web::test]
async fn a_new_revision_has_a_new_tag() {
    let context = context();
    let tag = get(&context, VALUE).await.header("etag").to_owned();
    let mut snapshot = (*context.snapshot.load_full()).clone();
    snapshot.revision += 1;
    context.snapshot.store(snapshot.into());
    assert_eq!(send(&context, known(VALUE, &tag)).await.status, 200);
}

#[actix_web::test]
async fn the_compressed_form_has_a_tag_of_its_own_and_either_is_known() {
    let context = context();
    let request = || TestRequest::get().uri("/").insert_header((header::ACCEPT_ENCODING, "gzip"));
    let reply = send(&context, request()).await;
    assert_eq!(reply.header("content-encoding"), "gzip");
    assert_eq!(reply.headers.get_all(header::VARY).count(), 1);
    let tag = reply.header("etag").to_owned();
    assert!(tag.ends_with("-gzip\""), "{tag}");
    let again = send(&context, request().insert_header((header::IF_NONE_MATCH, tag.clone()))).await;
    assert_eq!((again.status, again.header("etag")), (304, tag.as_str()));
}

#[actix_web::test]
async fn health_and_metrics_are_never_kept() {
    let context = context();
    for path in ["/livez", "/readyz", "/metrics"] {
        let reply = get(&context, path).await;
        assert_eq!(
            (reply.header("cache-control"), reply.header("etag")),
            ("no-store", ""),
            "{path}"
        );
    }
    let metrics = get(&context, "/metrics").await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(metrics.text().starts_with("# TYPE"));
}

#[actix_web::test]
async fn every_answer_carries_the_security_headers() {
    let context = context();
    for path in ["/", "/v1", "/v1/nothing", "/v1?x=1", "/metrics", "/assets/console.css"] {
        let reply = get(&context, path).await;
        let policy = reply.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{path}");
        assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
    }
}

#[actix_web::test]
async fn requests_are_counted_under_their_route_so_that_labels_stay_bounded() {
    let (context, observed) = watched();
    get(&context, VALUE).await;
    get(&context, "/v1/indicators/nope/value").await;
    get(&context, "/secret/CANARY").await;
    get(&context, &format!("/v1/{}", "x".repeat(3000))).await;
    let odd = Method::from_bytes(b"CANARY").unwrap();
    send(&context, TestRequest::default().method(odd).uri("/livez")).await;
    let value = "/v1/indicators/{id}/value".to_owned();
    let expected = [
        (value.clone(), "GET", 200),
        (value, "GET", 404),
        ("unmatched".to_owned(), "GET", 404),
        ("unmatched".to_owned(), "GET", 414),
        ("/livez".to_owned(), "other", 405),
    ]
    .map(|(route, method, status)| (route, method.to_owned(), status));
    assert_eq!(*observed.lock().unwrap(), expected);
}

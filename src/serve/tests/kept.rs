//! Kept answers are those that would be worked out anew, for the one who asks, while they are true.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::http::{Method, header};
use actix_web::test::TestRequest;

use super::access::closed;
use super::world::{bare, now};
use super::{Reply, get, send, send_to};
use crate::model::time::Stamp;
use crate::model::units::Span;
use crate::serve::{Access, Context, Denied, Kept, Limiter, Offers, Rate, RateLimits};

const VALUE: &str = "/v1/indicators/received/value?period=2024-03";

/// A world in which look-ups are noted.
fn noting(mut context: Context) -> (Context, Arc<Mutex<Vec<bool>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    context.kept = Arc::new(Kept::new(Arc::new(move |found| noted.lock().unwrap().push(found))));
    (context, seen)
}

fn asking(uri: &str, headers: &[(header::HeaderName, &str)]) -> TestRequest {
    let mut request = TestRequest::get().uri(uri);
    for (name, value) in headers {
        request = request.insert_header((name.clone(), *value));
    }
    request
}

fn told(reply: &Reply) -> (u16, Vec<u8>, Vec<(String, String)>) {
    let mut headers: Vec<(String, String)> = reply
        .headers
        .iter()
        .filter(|(name, _)| *name != "ratelimit")
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    (reply.status, reply.body.clone(), headers)
}

#[actix_web::test]
async fn what_was_asked_before_is_answered_with_the_same_bytes_and_head() {
    let (context, seen) = noting(bare());
    let context = Arc::new(context);
    let forms: [&[(header::HeaderName, &str)]; 4] = [
        &[],
        &[(header::ACCEPT_ENCODING, "gzip, deflate, br")],
        &[(header::ACCEPT, "text/csv")],
        &[(header::ACCEPT, "application/x-ndjson"), (header::ACCEPT_ENCODING, "gzip;q=0")],
    ];
    for headers in forms {
        let first = told(&send(&context, asking(VALUE, headers)).await);
        let again = told(&send(&context, asking(VALUE, headers)).await);
        assert_eq!(first, again, "{headers:?}");
        assert_eq!(first.0, 200);
    }
    let found = [false, true].repeat(forms.len());
    assert_eq!(*seen.lock().unwrap(), found);
    // Unkept worlds answer alike.
    for headers in forms {
        let kept = told(&send(&context, asking(VALUE, headers)).await);
        let fresh = told(&send(&Arc::new(bare()), asking(VALUE, headers)).await);
        assert_eq!(kept, fresh, "{headers:?}");
    }
}

#[actix_web::test]
async fn a_kept_answer_is_confirmed_and_ages() {
    let (context, seen) = noting(bare());
    let context = Arc::new(context);
    let first = get(&context, VALUE).await;
    assert_eq!(first.header("cache-control"), "private, max-age=10");
    context.clock.set(Stamp(now().0 + 29));
    let known = asking(VALUE, &[(header::IF_NONE_MATCH, first.header("etag"))]);
    let reply = send(&context, known).await;
    assert_eq!((reply.status, reply.body.len()), (304, 0));
    assert_eq!(reply.header("cache-control"), "private, max-age=1");
    assert_eq!(*seen.lock().unwrap(), [false, true]);
}

#[actix_web::test]
async fn the_next_minute_another_snapshot_and_a_bad_question_are_answered_anew() {
    let (context, seen) = noting(bare());
    let context = Arc::new(context);
    get(&context, VALUE).await;
    context.clock.set(Stamp(now().0 + 60));
    get(&context, VALUE).await;
    let mut snapshot = (*context.snapshot.load_full()).clone();
    snapshot.revision += 1;
    context.snapshot.store(snapshot.into());
    let reply = get(&context, VALUE).await;
    assert_eq!(reply.json()["revision"], 18443);
    for _ in 0..2 {
        assert_eq!(get(&context, "/v1/indicators/received/value?period=2024-13").await.status, 400);
    }
    assert_eq!(*seen.lock().unwrap(), [false; 5]);
}

#[actix_web::test]
async fn c07_nobody_is_answered_with_what_was_worked_out_for_another_key() {
    let (context, seen) = noting(bare());
    let (context, _) = closed(context);
    let uri = "/v1/indicators/received/breakdown?period=2024-03";
    let ask = |key: &'static str| {
        let context = Arc::clone(&context);
        async move {
            let bearer = format!("Bearer {key}");
            send(&context, asking(uri, &[(header::AUTHORIZATION, &bearer)])).await
        }
    };
    let mut bodies = std::collections::BTreeMap::new();
    for key in ["all", "commune", "public", "unit", "metrics"] {
        let reply = ask(key).await;
        bodies.insert(key, (reply.status, reply.body.clone()));
    }
    assert!(bodies["all"].0 == 200 && bodies["commune"].0 == 200 && bodies["public"].0 == 200);
    assert!(bodies["unit"].0 == 404 && bodies["metrics"].0 == 403);
    assert!(bodies["all"].1 != bodies["commune"].1 && bodies["all"].1 != bodies["public"].1);
    for key in ["metrics", "unit", "public", "commune", "all"] {
        let reply = ask(key).await;
        assert_eq!((reply.status, reply.body), bodies[key].clone(), "{key}");
    }
    // The second time each of the three that may finds its own; what was refused was never kept.
    let found = seen.lock().unwrap().iter().filter(|found| **found).count();
    assert_eq!((found, seen.lock().unwrap().len()), (3, 8));
}

#[actix_web::test]
async fn c02_what_is_kept_is_bounded() {
    let count = Arc::new(AtomicUsize::new(0));
    let mut context = bare();
    let noted = Arc::clone(&count);
    context.kept = Arc::new(Kept::new(Arc::new(move |found| {
        noted.fetch_add(usize::from(found), Ordering::SeqCst);
    })));
    let context = Arc::new(context);
    let uri = |i: usize| format!("/v1/catalogue?q={i}");
    for i in 0..5000 {
        assert_eq!(get(&context, &uri(i)).await.status, 200);
    }
    assert_eq!(count.load(Ordering::SeqCst), 0);
    get(&context, &uri(4095)).await;
    assert_eq!(count.load(Ordering::SeqCst), 1);
    get(&context, &uri(4096)).await;
    assert_eq!(count.load(Ordering::SeqCst), 1, "there was no room for this one");
}

#[actix_web::test]
async fn c02_c05_who_asks_is_decided_about_once_whether_something_is_kept_or_not() {
    let (context, seen) = noting(bare());
    let (context, denied) = closed(context);
    let mut world = Context::clone(&context);
    let access = Access {
        anonymous: None,
        keys: Arc::clone(&world.access.keys),
        limiter: Arc::new(Limiter::new(RateLimits {
            key: Rate { requests: 4, per: Span::seconds(3600) },
            ..RateLimits::default()
        })),
        origins: Vec::new(),
        is_proxy: Arc::new(|_| false),
        watch: Arc::clone(&world.access.watch),
    };
    world.access = Arc::new(access);
    let (observed, counted) = (Arc::new(Mutex::new(Vec::new())), Arc::new(world));
    let noted = Arc::clone(&observed);
    let mut world = Context::clone(&counted);
    world.observe = Arc::new(move |route: &str, _: &str, status: u16, _| {
        noted.lock().unwrap().push((route.to_owned(), status));
    });
    let world = Arc::new(world);
    let ask = |uri: &'static str, key: &'static str| {
        let world = Arc::clone(&world);
        async move {
            let bearer = format!("Bearer {key}");
            let reply = send(&world, asking(uri, &[(header::AUTHORIZATION, &bearer)])).await;
            (reply.status, reply.header("ratelimit").to_owned())
        }
    };
    let mut told = Vec::new();
    for uri in [VALUE, VALUE, "/v1/indicators/received/value?period=2024-02", VALUE, VALUE] {
        told.push(ask(uri, "all").await);
    }
    let left: Vec<_> = told.iter().map(|(status, left)| (*status, &left[10..13])).collect();
    assert_eq!(left, [(200, "r=3"), (200, "r=2"), (200, "r=1"), (200, "r=0"), (429, "r=0")]);
    assert_eq!(*seen.lock().unwrap(), [false, true, false, true]);
    // Keys that open nothing, or something else, find nothing although it is there.
    assert_eq!(ask(VALUE, "revoked").await.0, 401);
    assert_eq!(ask(VALUE, "metrics").await.0, 403);
    assert_eq!(seen.lock().unwrap().len(), 4);
    let why = denied.lock().unwrap().clone();
    assert_eq!(why, [Denied::Rate, Denied::Revoked, Denied::Scope]);
    let route = "/v1/indicators/{id}/value".to_owned();
    let expected = [200, 200, 200, 200, 429, 401, 403].map(|status| (route.clone(), status));
    assert_eq!(*observed.lock().unwrap(), expected);
}

#[actix_web::test]
async fn what_is_kept_is_told_to_nobody_who_asks_otherwise_or_elsewhere() {
    let context = Arc::new(bare());
    assert_eq!(get(&context, VALUE).await.status, 200);
    let with_body = TestRequest::get().uri(VALUE).set_payload("x");
    assert_eq!(
        send(&context, with_body.insert_header((header::CONTENT_LENGTH, "1"))).await.status,
        413
    );
    for method in [Method::POST, Method::DELETE, Method::OPTIONS] {
        let request = TestRequest::default().method(method).uri(VALUE);
        assert_eq!(send(&context, request).await.status, 405);
    }
    let head = send(&context, TestRequest::default().method(Method::HEAD).uri(VALUE)).await;
    assert_eq!(head.status, 200);
    // A listener for metrics shares the shelf, and answers none of it.
    let reply = send_to(&context, Offers::Metrics, TestRequest::get().uri(VALUE)).await;
    assert_eq!(reply.status, 404);
}

#[actix_web::test]
async fn who_says_several_times_what_they_accept_decides_for_nobody_else() {
    let context = Arc::new(bare());
    let first = TestRequest::get()
        .uri(VALUE)
        .append_header((header::ACCEPT_ENCODING, "identity;q=0.1"))
        .append_header((header::ACCEPT_ENCODING, "gzip"));
    assert_eq!(send(&context, first).await.header("content-encoding"), "gzip");
    let alone = asking(VALUE, &[(header::ACCEPT_ENCODING, "identity;q=0.1")]);
    assert_eq!(send(&context, alone).await.header("content-encoding"), "");
}

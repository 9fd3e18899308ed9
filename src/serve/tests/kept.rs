//! Kept answers are those that would be worked out anew, for the one who asks, while they are true.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::http::header;
use actix_web::test::TestRequest;

use super::access::closed;
use super::world::{bare, now};
use super::{Reply, get, send};
use crate::model::time::Stamp;
use crate::serve::{Context, Kept};

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

//! Sources that mean harm, or might as well: each limit of an exchange, seen from outside.

use std::time::Duration;

use super::upstream::{Reply, Upstream, gzipped};
use super::{Setup, run};
use crate::pull::{PullError, Reason};

/// A page as a portal sends it.
const GOLDEN: &str = r#"{"items": [{"id": "A-1", "n": 1}, {"id": "A-2", "n": 22}], "next": null}"#;

#[tokio::test]
async fn s01_a_body_that_drips_slower_than_the_minimum_rate_is_left_alone() {
    let upstream = Upstream::start(|_, _| {
        Reply::raw(200, "content-length: 100000\r\n", "[")
            .dripping(99_999, Duration::from_millis(2))
    })
    .await;
    let setup = Setup::new(&upstream)
        .requester("timeout: 1h, idle_timeout: 1h, minimum_rate: {bytes: 1MiB, per: 40ms}")
        .retries(0);
    let error = setup.first().await.unwrap_err();
    assert!(matches!(error, PullError::Transient { reason: Reason::Timeout, .. }), "{error:?}");
    let wanted = "GET /rows: less than 1MiB of the body came in 40ms (minimum_rate)";
    assert_eq!(error.to_string(), wanted);
    let patient = Setup::new(&upstream)
        .requester("timeout: 200ms, minimum_rate: {bytes: 0B, per: 40ms}")
        .retries(0);
    let error = patient.first().await.unwrap_err();
    assert!(error.to_string().contains("no whole answer"), "no rate, no check: {error}");
}

#[tokio::test]
async fn s02_a_source_that_accepts_and_says_nothing_gives_its_place_back() {
    let upstream = Upstream::start(|number, _| match number {
        0..3 => Reply::hang(),
        _ => Reply::ok("[]"),
    })
    .await;
    let setup = Setup::new(&upstream).requester("timeout: 60ms, at_once: 1").retries(0);
    let source = setup.source();
    for _ in 0..3 {
        let error = run(&source, "{path: /rows}").next().await.unwrap_err();
        assert_eq!(error.reason(), Reason::Timeout);
    }
    // The only place is free again, or this would wait for ever.
    assert!(run(&source, "{path: /rows}").next().await.unwrap().is_some());
}

/// What a cut page looks like on the wire, by how its end is announced.
fn cut(how: &str, at: usize) -> Reply {
    let page = &GOLDEN.as_bytes()[..at];
    match how {
        "length" => Reply::raw(200, &format!("content-length: {}\r\n", GOLDEN.len()), page),
        "chunks" => {
            let chunk = [format!("{:x}\r\n", GOLDEN.len()).as_bytes(), page].concat();
            Reply::raw(200, "transfer-encoding: chunked\r\n", chunk)
        }
        _ => {
            let packed = gzipped(GOLDEN.as_bytes());
            let at = (at * packed.len()).div_ceil(GOLDEN.len()).min(packed.len() - 1);
            Reply::raw(200, "content-encoding: gzip\r\n", &packed[..at])
        }
    }
}

#[tokio::test]
async fn s05_a_page_cut_at_any_byte_is_never_handed_on() {
    for how in ["length", "chunks", "gzip"] {
        let upstream = Upstream::start(move |number, _| cut(how, number)).await;
        let mut setup = Setup::new(&upstream).retries(0);
        setup.breaker.failures = 1000;
        let source = setup.source();
        for at in 0..GOLDEN.len() {
            let outcome = run(&source, "{path: /rows}").next().await;
            // A gzip stream of no bytes at all is an empty body without an announced end; that
            // is no page of any format, which is the decoder's to say.
            if let Ok(page) = outcome {
                let page = page.unwrap();
                assert!(at == 0 && how == "gzip" && page.body.is_empty(), "{how} cut at {at}");
            }
        }
        assert_eq!(upstream.asked().len(), GOLDEN.len(), "{how}: every cut was tried");
    }
}

#[tokio::test]
async fn s07_a_small_bomb_is_told_by_its_proportion() {
    let bomb = gzipped(&vec![b' '; 20 << 20]);
    let upstream =
        Upstream::start(move |_, _| Reply::answer(200, "content-encoding: gzip\r\n", &bomb)).await;
    let error = Setup::new(&upstream).first().await.unwrap_err();
    assert!(matches!(error, PullError::Unreadable { reason: Reason::TooLarge, .. }), "{error:?}");
    assert!(error.to_string().contains("(ratio_limit)"), "{error}");
    let allowed = Setup::new(&upstream).requester("ratio_limit: 2000").first().await.unwrap();
    assert_eq!(allowed.body.len(), 20 << 20);
}

#[tokio::test]
async fn s07_codings_on_top_of_each_other_are_refused() {
    let twice = gzipped(&gzipped(b"[]"));
    for headers in [
        "content-encoding: gzip, gzip\r\n",
        "content-encoding: gzip\r\ncontent-encoding: gzip\r\n",
        "content-encoding: gzip\r\ncontent-encoding: identity\r\n",
    ] {
        let body = twice.clone();
        let upstream = Upstream::start(move |_, _| Reply::answer(200, headers, &body)).await;
        let error = Setup::new(&upstream).first().await.unwrap_err();
        assert!(matches!(error, PullError::Unreadable { reason: Reason::Decode, .. }), "{error:?}");
        assert_eq!(upstream.asked().len(), 1);
    }
}

#[tokio::test]
async fn s08_a_body_without_end_is_cut_off_at_its_limit() {
    let upstream = Upstream::start(|_, _| {
        Reply::raw(200, "", vec![b'"'; 1 << 20]).dripping(1 << 20, Duration::ZERO)
    })
    .await;
    let error = Setup::new(&upstream).requester("body_limit: 1MiB").first().await.unwrap_err();
    assert!(matches!(error, PullError::Unreadable { reason: Reason::TooLarge, .. }), "{error:?}");
}

#[tokio::test]
async fn s27_a_head_beyond_its_limits_is_never_an_answer() {
    let many = "x-many: y\r\n".repeat(150);
    let long = format!("x-long: {}\r\n", "y".repeat(70_000));
    let huge = format!("x-huge: {}\r\n", "y".repeat(1_000_000));
    for (name, headers) in [("many", many), ("long", long), ("huge", huge)] {
        let upstream = Upstream::start(move |_, _| Reply::answer(200, &headers, "[]")).await;
        let error = Setup::new(&upstream).retries(0).first().await.unwrap_err();
        assert!(!matches!(error, PullError::Stopped), "{name}: {error:?}");
        assert!(error.to_string().len() < 200, "{name}: {error}");
    }
    let fine = format!("x-long: {}\r\n", "y".repeat(60_000));
    let upstream = Upstream::start(move |_, _| Reply::answer(200, &fine, "[]")).await;
    assert!(Setup::new(&upstream).first().await.is_ok());
    let error = Setup::new(&upstream).requester("header_limit: 1KiB").first().await.unwrap_err();
    assert_eq!(error.reason(), Reason::TooLarge);
    assert!(error.to_string().contains("1KiB (header_limit)"), "{error}");
}

#[tokio::test]
async fn s27_early_answers_smuggling_and_trailers_hang_nobody() {
    let early = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".repeat(20_000);
    let both = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 20\r\n\r\n[]";
    let lengths = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n\
                   2\r\n[]\r\n0\r\n\r\n";
    let trailers = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n{}\r\n",
        "x-trailer: y\r\n".repeat(100_000)
    );
    let split = "HTTP/1.1 200 OK\r\nx: y\r\n z: folded\r\ncontent-length: 2\r\n\r\n[]";
    for (name, bytes, may_be_a_page) in [
        ("early answers without end", early, false),
        ("two lengths", both.into(), false),
        ("a length and chunks", lengths.into(), true),
        ("trailers without end", trailers.into_bytes(), false),
        ("a folded header", split.into(), false),
        ("no HTTP at all", b"SSH-2.0-OpenSSH_9\r\n".to_vec(), false),
    ] {
        let upstream = Upstream::start(move |_, _| Reply::bytes(bytes.clone())).await;
        let setup = Setup::new(&upstream).requester("timeout: 5s").retries(0);
        let outcome = tokio::time::timeout(Duration::from_mins(1), setup.first()).await;
        let outcome = outcome.unwrap_or_else(|_| panic!("{name} hangs"));
        match outcome {
            Ok(page) => assert!(may_be_a_page && &page.body[..] == b"[]", "{name}: {page:?}"),
            Err(error) => assert!(!may_be_a_page, "{name}: {error}"),
        }
    }
}

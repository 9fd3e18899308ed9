//! What can go wrong between two machines, and what a run makes of it.

use std::time::Duration;

use super::upstream::{Reply, Upstream, gzipped};
use super::{Setup, now, run};
use crate::model::time::Stamp;
use crate::pull::{PullError, Reason, Retry};

#[tokio::test]
async fn a_page_arrives_whole_with_both_clocks() {
    let upstream = Upstream::start(|_, _| {
        Reply::answer(200, "date: Tue, 02 Apr 2024 09:59:00 GMT\r\n", "[1]")
    })
    .await;
    let page = Setup::new(&upstream).first().await.unwrap();
    assert_eq!(&page.body[..], b"[1]");
    assert_eq!(page.number, 1);
    assert_eq!(page.fetched_at, now());
    assert_eq!(page.server_date, Some(Stamp(now().0 - 60)));
    let asked = upstream.asked().remove(0);
    assert!(asked.head.contains("\r\naccept: application/json\r\n"), "{}", asked.head);
    assert!(asked.head.contains(concat!("\r\nuser-agent: iocgw/", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test]
async fn an_answer_that_just_ends_when_the_connection_does_may_lack_its_tail() {
    for (headers, body, is_framed) in [
        ("content-length: 3\r\n", "a\n1", true),
        ("transfer-encoding: chunked\r\n", "3\r\na\n1\r\n0\r\n\r\n", true),
        ("", "a\n1", false),
    ] {
        let upstream = Upstream::start(move |_, _| Reply::raw(200, headers, body)).await;
        let page = Setup::new(&upstream).first().await.unwrap();
        assert_eq!(&page.body[..], b"a\n1");
        assert_eq!(page.is_framed, is_framed);
    }
}

#[tokio::test]
async fn every_passing_failure_is_retried() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let upstream = Upstream::start(move |number, _| match number {
            0 | 1 => Reply::answer(status, "", "CANARY"),
            _ => Reply::ok("[]"),
        })
        .await;
        let mut run = Setup::new(&upstream).run("{kind: none}");
        assert_eq!(&run.next().await.unwrap().unwrap().body[..], b"[]", "{status}");
        assert_eq!(upstream.asked().len(), 3);
        assert_eq!(run.tally().retries, 2);
        let failed = if status < 500 { [1, 0, 2, 0, 0] } else { [1, 0, 0, 2, 0] };
        assert_eq!(run.tally().requests, failed);
        assert_eq!(run.tally().bytes, 2);
        assert_eq!(run.tally().durations.len(), 3);
    }
}

#[tokio::test]
async fn retries_are_used_up_and_then_it_is_a_transient_error() {
    for (status, reason) in
        [(500, Reason::Http5xx), (429, Reason::Throttled), (408, Reason::Timeout)]
    {
        let upstream =
            Upstream::start(move |_, _| Reply::answer(status, "retry-after: soon\r\n", "")).await;
        let mut run = Setup::new(&upstream).run("{kind: none}");
        let error = run.next().await.unwrap_err();
        assert!(matches!(error, PullError::Transient { .. }), "{error:?}");
        assert_eq!(error.reason(), reason);
        assert_eq!(error.to_string(), format!("GET /rows: answered {status}"));
        assert_eq!(upstream.asked().len(), 3);
        assert_eq!(run.ending(), None, "a failed run has not ended well");
        assert!(run.next().await.unwrap().is_none(), "and asks nothing more");
        assert_eq!(upstream.asked().len(), 3);
    }
}

#[tokio::test]
async fn a_refusal_is_not_retried_and_its_body_is_not_told() {
    for (status, reason) in [
        (400, Reason::Http4xx),
        (401, Reason::Auth),
        (403, Reason::Auth),
        (404, Reason::Http4xx),
        (410, Reason::Http4xx),
    ] {
        let upstream = Upstream::start(move |_, _| Reply::answer(status, "", "CANARY")).await;
        let error = Setup::new(&upstream).first().await.unwrap_err();
        assert!(matches!(error, PullError::Refused { .. }), "{error:?}");
        assert_eq!(error.reason(), reason, "{status}");
        assert!(!format!("{error:?}").contains("CANARY"));
        assert_eq!(upstream.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let elsewhere = Upstream::start(|_, _| Reply::ok("stolen")).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: {}/CANARY\r\n", elsewhere.url());
        let upstream = Upstream::start(move |_, _| Reply::answer(status, &location, "")).await;
        let error = Setup::new(&upstream).first().await.unwrap_err();
        assert!(matches!(error, PullError::Refused { reason: Reason::Other, .. }));
        assert!(error.to_string().contains("redirects are not followed there"), "{error}");
        assert!(!error.to_string().contains("CANARY"));
        assert_eq!(upstream.asked().len(), 1);
    }
    assert!(elsewhere.asked().is_empty());
}

type Cut = fn() -> Reply;

#[tokio::test]
async fn a_body_that_is_cut_short_is_retried_and_never_a_page() {
    let cuts: [(&str, Cut); 6] = [
        ("length", || Reply::raw(200, "content-length: 100\r\n", "[1, 2,")),
        ("chunks", || Reply::raw(200, "transfer-encoding: chunked\r\n", "6\r\n[1, 2,\r\n")),
        ("head", || Reply::raw(200, "content-length", "")),
        ("nothing", Reply::hang_up),
        ("gzip", || {
            let half = &gzipped(&[b'7'; 5000])[..20];
            Reply::answer(200, "content-encoding: gzip\r\n", half)
        }),
        ("garbled", || {
            let mut garbled = gzipped(b"[1, 2, 3]");
            let checksum = garbled.len() - 8;
            garbled[checksum] ^= 1;
            Reply::answer(200, "content-encoding: gzip\r\n", garbled)
        }),
    ];
    for (name, cut) in cuts {
        let upstream = Upstream::start(move |number, _| match number {
            0 => cut(),
            _ => Reply::ok("[1, 2, 3]"),
        })
        .await;
        let setup = Setup::new(&upstream);
        assert_eq!(&setup.first().await.unwrap().body[..], b"[1, 2, 3]", "{name}");
        assert_eq!(upstream.asked().len(), 2, "{name}");

        let upstream = Upstream::start(move |_, _| cut()).await;
        let error = Setup::new(&upstream).first().await.unwrap_err();
        assert!(matches!(error, PullError::Transient { .. }), "{name}: {error:?}");
        let is_packed = matches!(name, "gzip" | "garbled");
        let wanted = if is_packed { Reason::Decode } else { Reason::Connect };
        assert_eq!(error.reason(), wanted, "{name}: {error}");
    }
}

#[tokio::test]
async fn a_compressed_body_is_handed_on_decompressed() {
    let upstream = Upstream::start(|_, asked| {
        assert!(asked.head.contains("gzip"), "gzip is offered");
        Reply::answer(200, "content-encoding: gzip\r\n", gzipped(b"[1, 2, 3]"))
    })
    .await;
    assert_eq!(&Setup::new(&upstream).first().await.unwrap().body[..], b"[1, 2, 3]");
}

#[tokio::test]
async fn an_encoding_that_was_not_asked_for_is_unreadable() {
    let upstream =
        Upstream::start(|_, _| Reply::answer(200, "content-encoding: zstd\r\n", "(zstd)")).await;
    let error = Setup::new(&upstream).first().await.unwrap_err();
    assert!(matches!(error, PullError::Unreadable { reason: Reason::Decode, .. }), "{error:?}");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_it_is_wrapped() {
    let large = vec![b' '; 3000];
    let bomb = gzipped(&vec![b' '; 20 << 20]);
    assert!(bomb.len() < 30_000, "the bomb is small on the wire");
    let chunked = [b"bb8\r\n".as_slice(), &large, b"\r\n0\r\n\r\n"].concat();
    for (name, headers, body) in [
        ("announced", "content-length: 3000\r\n", large.clone()),
        ("until close", "", large),
        ("chunked", "transfer-encoding: chunked\r\n", chunked),
        ("a lie", "content-length: 99999999999999\r\n", vec![b' '; 10]),
        ("bomb", "content-encoding: gzip\r\n", bomb),
    ] {
        let upstream = Upstream::start(move |_, _| Reply::raw(200, headers, &body)).await;
        let setup = Setup::new(&upstream).requester("body_limit: 2KiB");
        let error = setup.first().await.unwrap_err();
        assert!(matches!(error, PullError::Unreadable { .. }), "{name}: {error:?}");
        assert_eq!(error.reason(), Reason::TooLarge, "{name}");
        assert!(error.to_string().contains("2KiB"), "{error}");
        assert_eq!(upstream.asked().len(), 1, "{name}: asking again gives the same");
    }
}

#[tokio::test]
async fn a_body_exactly_at_the_limit_is_a_page() {
    let upstream = Upstream::start(|_, _| Reply::ok([b' '; 2048])).await;
    let page = Setup::new(&upstream).requester("body_limit: 2KiB").first().await.unwrap();
    assert_eq!(page.body.len(), 2048);
}

#[tokio::test]
async fn silence_before_the_answer_is_a_timeout() {
    let upstream = Upstream::start(|_, _| Reply::hang()).await;
    let setup = Setup::new(&upstream).requester("timeout: 400ms").retries(1);
    let error = setup.first().await.unwrap_err();
    assert!(matches!(error, PullError::Transient { reason: Reason::Timeout, .. }), "{error:?}");
    assert_eq!(error.to_string(), "GET /rows: no whole answer within 400ms");
    assert_eq!(upstream.asked().len(), 2);
}

#[tokio::test]
async fn silence_within_a_body_is_a_timeout() {
    let upstream =
        Upstream::start(|_, _| Reply::raw(200, "content-length: 100\r\n", "[1,").then_hang()).await;
    let setup = Setup::new(&upstream).requester("idle_timeout: 60ms").retries(0);
    let error = setup.first().await.unwrap_err();
    assert_eq!(error.reason(), Reason::Timeout);
    assert!(error.to_string().contains("stood still for 60ms"), "{error}");
}

#[tokio::test]
async fn a_body_that_drips_for_ever_meets_the_deadline() {
    let upstream = Upstream::start(|_, _| {
        Reply::raw(200, "content-length: 100000\r\n", "[")
            .dripping(99_999, Duration::from_millis(5))
    })
    .await;
    let setup = Setup::new(&upstream).requester("timeout: 150ms, idle_timeout: 10s").retries(0);
    let error = setup.first().await.unwrap_err();
    assert_eq!(error.reason(), Reason::Timeout);
    assert!(error.to_string().contains("no whole answer within 150ms"), "{error}");
}

#[tokio::test]
async fn nobody_listening_is_a_connect_error_that_does_not_tell_the_address() {
    let upstream = Upstream::start(|_, _| Reply::hang_up()).await;
    let setup = Setup::new(&upstream);
    drop(upstream);
    // The listener closes when its aborted task is next polled.
    tokio::task::yield_now().await;
    let mut run = setup.run("{kind: none}");
    let error = run.next().await.unwrap_err();
    assert!(matches!(error, PullError::Transient { reason: Reason::Connect, .. }), "{error:?}");
    assert!(error.to_string().starts_with("GET /rows: no connection: "), "{error}");
    assert!(!error.to_string().contains("127.0.0.1"), "{error}");
    assert_eq!(run.tally().requests, [0, 0, 0, 0, 3]);
}

#[tokio::test]
async fn a_source_that_speaks_no_tls_is_a_plain_error() {
    let garbage = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = Upstream::start(|_, _| Reply::hang_up()).await;
    let mut setup = Setup::new(&upstream).retries(0);
    setup.requester = format!("url: 'https://{}'", garbage.local_addr().unwrap());
    let server = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let (mut stream, _) = garbage.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]").await.unwrap();
        let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 4096]).await;
    });
    let error = setup.first().await.unwrap_err();
    assert!(matches!(error, PullError::Refused { reason: Reason::Tls, .. }), "{error:?}");
    server.await.unwrap();
}

#[tokio::test]
async fn retry_after_keeps_every_run_of_the_source_away() {
    let upstream = Upstream::start(|number, _| match number {
        0 => Reply::answer(429, "retry-after: 600\r\n", ""),
        _ => Reply::ok("[]"),
    })
    .await;
    let setup = Setup::new(&upstream);
    let source = setup.source();
    let (mut one, mut two) = (run(&source, "{path: /one}"), run(&source, "{path: /two}"));
    let patience = Duration::from_millis(500);
    assert!(tokio::time::timeout(patience, one.next()).await.is_err(), "the first one waits");
    assert!(tokio::time::timeout(patience, two.next()).await.is_err(), "and so does the other");
    assert_eq!(upstream.targets(), ["/one"], "nothing is asked during the embargo");
}

#[tokio::test]
async fn retry_after_is_heeded_up_to_its_cap_and_measured_by_the_sources_clock() {
    // The source's clock is ten years off; only the distance between its two dates counts.
    let headers = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                   retry-after: Sun, 06 Nov 1994 08:59:37 GMT\r\n";
    let upstream = Upstream::start(move |number, _| match number {
        0 => Reply::answer(503, headers, ""),
        _ => Reply::ok("[]"),
    })
    .await;
    let mut setup = Setup::new(&upstream);
    setup.retry.retry_after_cap = crate::model::units::Span(Duration::from_millis(120));
    let started = tokio::time::Instant::now();
    setup.first().await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(120), "{:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_mins(1), "the cap holds");
}

#[tokio::test]
async fn a_retry_after_that_makes_no_sense_leaves_our_own_backoff() {
    for header in ["-1", "soon", "1000000000", "", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        let line = format!("retry-after: {header}\r\n");
        let upstream = Upstream::start(move |number, _| match number {
            0 => Reply::answer(429, &line, ""),
            _ => Reply::ok("[]"),
        })
        .await;
        let patience = Duration::from_secs(20);
        let setup = Setup::new(&upstream);
        let page = tokio::time::timeout(patience, setup.first()).await;
        assert!(page.expect("no long wait").is_ok(), "{header:?}");
        assert!(setup.retry.retry_after_cap == Retry::default().retry_after_cap);
    }
}

#[tokio::test]
async fn a_stop_ends_every_wait_at_once() {
    for reply in [Reply::hang as fn() -> Reply, || Reply::answer(429, "retry-after: 600\r\n", "")] {
        let upstream = Upstream::start(move |_, _| reply()).await;
        let setup = Setup::new(&upstream);
        let mut run = setup.run("{kind: none}");
        let stop = setup.stop.clone();
        let stopper = async {
            while upstream.asked().is_empty() {
                tokio::task::yield_now().await;
            }
            stop.cancel();
        };
        let limit = Duration::from_secs(10);
        let both = async { tokio::join!(run.next(), stopper).0 };
        let outcome = tokio::time::timeout(limit, both).await.expect("stops at once");
        assert!(matches!(outcome, Err(PullError::Stopped)), "{outcome:?}");
    }
}

#[tokio::test]
async fn no_more_requests_are_under_way_at_once_than_allowed() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    let upstream = Upstream::start(|_, _| {
        SEEN.fetch_add(1, Ordering::SeqCst);
        Reply::hang()
    })
    .await;
    let setup = Setup::new(&upstream).requester("at_once: 3");
    let source = setup.source();
    let runs = (0..10).map(|_| {
        let source = source.clone();
        async move { run(&source, "{path: /rows}").next().await }
    });
    let all = tokio::spawn(futures_util::future::join_all(runs));
    let busy = async {
        while SEEN.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), busy).await.expect("three are under way");
    let patience = Duration::from_millis(50);
    assert!(tokio::time::timeout(patience, all).await.is_err(), "nothing is answered");
    assert_eq!(SEEN.load(Ordering::SeqCst), 3);
    setup.stop.cancel();
}

//! Systems that push, by the real program: answered when it is on the disk, and counted once.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ioc_gateway::clock::Clock;
use ring::hmac;
use serde_json::{Value, json};

use crate::support::certification::{page, points, record};
use crate::support::{Gateway, Overlay};

const SECRET: &[u8] = b"CANARY secret of a sender, 32 bytes";
const STREAM: &str = "/v1/intake/notary.acts";

/// A source that pushes what the certification points are asked for.
fn overlay(authenticator: &str, rest: &str) -> Overlay {
    let overlay = points(&[]);
    let text = format!(
        "source: notary
source_kind: certification_points
title: {{vi: Tổ chức công chứng, en: Notaries}}
accountable_unit: vp-ubnd
intake: {{authenticator: {authenticator}{rest}}}
streams:
  acts:
    contract: certification_acts
    records: /items
    data_through: run_start
    map:
      site:         /site_code
      act_date:     {{at: /day, format: yyyy-MM-dd}}
      commune:      /commune_code
      site_type:    /site_type
      paper_copies: /certified_copies
      e_copies:     /e_certified_copies
      chip_ok:      /chip_checks_ok
      chip_failed:  /chip_checks_failed
      fees_vnd:     /fees_vnd
      updated_at:   {{at: /updated_at, format: rfc3339}}
"
    );
    overlay.write("sources/notary.yaml", &text);
    let secrets = overlay.folder().join("secrets");
    std::fs::write(secrets.join("notary_old"), "whsec_b2xk").unwrap();
    let secret = format!("whsec_{}\n", BASE64_STANDARD.encode(SECRET));
    std::fs::write(secrets.join("notary_new"), secret).unwrap();
    std::fs::write(secrets.join("notary_key"), "CANARY-key-of-a-sender").unwrap();
    overlay
}

fn signing() -> Overlay {
    overlay(
        "{kind: standard_webhooks, secret_files: [notary_old, notary_new]}",
        ", body_limit: 4KiB",
    )
}

fn start(overlay: &Overlay) -> Gateway {
    Gateway::start(&overlay.config(), overlay.folder(), &BTreeMap::new())
}

/// The status, the head and the body of an answer; nothing if the other side hung up.
fn send(gateway: &Gateway, headers: &[(&str, String)], body: &str) -> Option<(u16, String, Value)> {
    let mut head = format!("POST {STREAM} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.extend([*name, ": ", value, "\r\n"]);
    }
    let mut stream = TcpStream::connect(gateway.address).ok()?;
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, head.to_ascii_lowercase(), serde_json::from_str(body).ok()?))
}

fn now() -> u64 {
    u64::try_from(Clock::System.now().0).unwrap()
}

/// The headers of a delivery, signed as Standard Webhooks says.
fn signed(id: &str, at: u64, body: &str) -> [(&'static str, String); 3] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let tag = hmac::sign(&key, format!("{id}.{at}.{body}").as_bytes());
    let signature = format!("v1,{}", BASE64_STANDARD.encode(tag));
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", signature),
    ]
}

/// The status and body of a delivery that is signed now.
fn push(gateway: &Gateway, id: &str, body: &str) -> (u16, String, Value) {
    send(gateway, &signed(id, now(), body), body).expect("an answer")
}

fn share(gateway: &Gateway) -> Value {
    gateway.get("/v1/indicators/e_copy_share/value?period=2025-08-04").json()
}

fn source(gateway: &Gateway) -> Value {
    gateway.get("/v1/sources/notary").json()
}

#[test]
fn a_signed_delivery_is_taken_in_once_however_often_it_comes() {
    let overlay = signing();
    let gateway = start(&overlay);
    assert_eq!(source(&gateway)["health"], "unknown", "nobody has pushed yet");
    let mut bad = record("b");
    bad["day"] = "CANARY-no-day".into();
    let body = page(&[record("a"), bad]);
    let (status, head, first) = push(&gateway, "msg_1", &body);
    assert_eq!(status, 202, "{first}");
    assert!(!head.contains("idempotency-replayed"));
    let told = json!({
        "stream": "notary.acts", "received": 2, "accepted": 1, "superseded": 0, "duplicate": 0,
        "quarantined": 1, "rejected": 0,
    });
    assert_eq!(first, told);
    // Committed when it was answered: no waiting here.
    assert_eq!(share(&gateway)["value"], 0.25);
    let state = source(&gateway);
    assert_eq!(
        (&state["records"]["received"], &state["quarantine"]["records"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(state["streams"][0]["history"][0]["outcome"], "ok");
    assert_eq!(state["freshness"]["state"], "fresh", "{state}");

    let (status, head, again) = push(&gateway, "msg_1", &body);
    assert_eq!((status, again), (202, told.clone()));
    assert!(head.contains("idempotency-replayed: true"), "{head}");
    let (status, _, differs) = push(&gateway, "msg_1", &page(&[record("c")]));
    assert_eq!((status, &differs["type"]), (422, &json!("/docs/problems/delivery-differs")));
    let (status, _, renamed) = push(&gateway, "msg_2", &body);
    assert_eq!(
        (status, &renamed["duplicate"]),
        (202, &json!(1)),
        "the same records under another id"
    );
    assert_eq!(share(&gateway)["value"], 0.25);

    // After a restart the first answer is still known.
    gateway.stop();
    let gateway = start(&overlay);
    let (status, head, again) = push(&gateway, "msg_1", &body);
    assert_eq!((status, again), (202, told));
    assert!(head.contains("idempotency-replayed: true"));
    assert_eq!(source(&gateway)["records"]["received"], 4);
    let log = gateway.kill();
    assert!(!log.contains("CANARY"), "{log}");
}

#[test]
fn what_is_forged_old_too_large_or_broken_is_refused_and_leaves_nothing() {
    let overlay = signing();
    let gateway = start(&overlay);
    let body = page(&[record("a")]);
    let other = signed("msg_1", now(), &page(&[record("b")]));
    let refused = |headers: &[(&str, String)], body: &str| {
        let (status, _, problem) = send(&gateway, headers, body).expect("an answer");
        assert!(!problem.to_string().contains("CANARY"), "{problem}");
        let kind = problem["type"].as_str().unwrap().trim_start_matches("/docs/problems/");
        (status, kind.to_owned())
    };
    assert_eq!(refused(&other, &body), (401, "unauthenticated".to_owned()));
    assert_eq!(refused(&[], &body), (401, "unauthenticated".to_owned()));
    let old = signed("msg_1", now() - 400, &body);
    assert_eq!(refused(&old, &body), (401, "unauthenticated".to_owned()));
    let broken = &body[..body.len() - 9];
    let headers = signed("msg_1", now(), broken);
    assert_eq!(refused(&headers, broken), (400, "unreadable-delivery".to_owned()));
    let large = " ".repeat(5000);
    let headers = signed("msg_1", now(), &large);
    assert_eq!(refused(&headers, &large), (413, "delivery-too-large".to_owned()));
    let mut headers = signed("msg_1", now(), &body).to_vec();
    headers.push(("content-encoding", "gzip".to_owned()));
    assert_eq!(refused(&headers, &body), (415, "encoded-body".to_owned()));
    let answer = gateway.ask("POST", "/v1/intake/notary.other", &[]);
    assert_eq!(answer.status, 404);
    assert_eq!(gateway.get(STREAM).status, 405, "it is written to");

    let records = &source(&gateway)["records"];
    assert_eq!(records["received"], 0, "{records}");
    let state = source(&gateway);
    assert_eq!(state["last_error"]["reason"], "decode", "the broken body is a failed run: {state}");
    // What was refused under an id does not use it up.
    assert_eq!(push(&gateway, "msg_1", &body).0, 202);
    assert!(source(&gateway)["last_error"].is_null());
}

#[test]
fn a_biased_delivery_is_refused_whole_like_a_biased_page() {
    let overlay = signing();
    let text = std::fs::read_to_string(overlay.config().join("sources/notary.yaml")).unwrap();
    let gated =
        text.replace("    map:\n", "    gate: {max_reject_ratio: 0.5, min_records: 2}\n    map:\n");
    overlay.write("sources/notary.yaml", &gated);
    let gateway = start(&overlay);
    let bad = || {
        let mut bad = record("b");
        bad["day"] = json!(5);
        bad
    };
    let (status, _, problem) = push(&gateway, "m", &page(&[record("a"), bad(), bad()]));
    assert_eq!((status, &problem["type"]), (422, &json!("/docs/problems/refused-delivery")));
    let state = source(&gateway);
    assert_eq!(state["streams"][0]["history"][0]["outcome"], "rejected_by_gate");
    assert_eq!(
        (&state["records"]["received"], &state["records"]["rejected"]),
        (&json!(3), &json!(3))
    );
}

#[test]
fn a_key_lets_in_and_a_rate_is_kept() {
    let overlay =
        overlay("{kind: api_key, key_files: [notary_key]}", ", rate_limit: {requests: 2, per: 1h}");
    let gateway = start(&overlay);
    let body = page(&[record("a")]);
    let with = |name: &'static str, value: &str| {
        send(&gateway, &[(name, value.to_owned())], &body).expect("an answer")
    };
    assert_eq!(with("x-api-key", "CANARY-key-of-a-sende").0, 401);
    assert_eq!(with("authorization", "Bearer CANARY-key-of-a-sender").0, 202);
    assert_eq!(with("x-api-key", "CANARY-key-of-a-sender").2["duplicate"], 1);
    let (status, head, _) = with("x-api-key", "CANARY-key-of-a-sender");
    assert_eq!(status, 429);
    let after = head.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap();
    assert!((3500..=3601).contains(&after.parse::<u32>().unwrap()), "{after}");
    assert_eq!(with("x-api-key", "nobody").0, 401, "who is not known is not told about rates");
    assert_eq!(share(&gateway)["value"], 0.25);
}

/// What breaks in the gateway is no fault of the body: it is asked for again, and counts once.
#[cfg(debug_assertions)]
#[test]
fn a_delivery_that_a_fault_of_the_gateway_met_is_asked_for_again() {
    for place in ["decoded", "normalised"] {
        let overlay = signing();
        let variables =
            BTreeMap::from([("IOCGW_FAILPOINT".to_owned(), format!("panic:{place}:1"))]);
        let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
        let body = page(&[record("a"), record("b")]);
        let (status, _, answer) = push(&gateway, "msg_1", &body);
        assert_eq!(status, 503, "{place}: {answer}");
        assert!(!answer.to_string().contains("CANARY: a panic"), "{place}: {answer}");
        let (status, _, answer) = push(&gateway, "msg_1", &body);
        assert_eq!((status, &answer["accepted"]), (202, &json!(2)), "{place}: {answer}");
        let records = &source(&gateway)["records"];
        assert_eq!((&records["received"], &records["accepted"]), (&json!(2), &json!(2)), "{place}");
        assert!(!gateway.kill().contains("CANARY: a panic"), "{place}");
    }
}

/// A kill between the commit and its answer: the sender sends again and is answered, and it counts once.
#[cfg(debug_assertions)]
#[test]
fn a_delivery_whose_answer_was_lost_in_a_crash_counts_once() {
    for place in ["pushed", "folded", "committed", "published"] {
        let overlay = signing();
        let variables = BTreeMap::from([("IOCGW_FAILPOINT".to_owned(), format!("{place}:1"))]);
        let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
        let body = page(&[record("a"), record("b")]);
        let lost = send(&gateway, &signed("msg_1", now(), &body), &body);
        assert!(lost.is_none(), "{place}: {lost:?}");
        drop(gateway);
        let gateway = start(&overlay);
        let (status, _, answer) = push(&gateway, "msg_1", &body);
        assert_eq!((status, &answer["accepted"]), (202, &json!(2)), "{place}: {answer}");
        let records = &source(&gateway)["records"];
        assert_eq!((&records["received"], &records["accepted"]), (&json!(2), &json!(2)), "{place}");
        let value = share(&gateway);
        assert_eq!((&value["value"], &value["denominator"]), (&json!(0.25), &json!(80)), "{place}");
    }
}

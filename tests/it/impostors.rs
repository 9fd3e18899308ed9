//! S06: answers with 200 that are no page. A login page, an empty body or a document of another kind
//! must never pass for a page without records, which is why each of them is seen from the far end:
//! the run fails and is told, and no number changes.

use serde_json::Value;

use crate::support::certification::{addresses, page, points, record};
use crate::support::{Gateway, Moody, Reply};

fn answer(kind: &str, body: &str) -> Reply {
    Reply::new("200 OK", &format!("Content-Type: {kind}\r\n"), body)
}

fn share(gateway: &Gateway) -> Value {
    gateway.get("/v1/indicators/e_copy_share/value?period=2025-08-04").json()
}

fn source_when(gateway: &Gateway, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    gateway.wait_until(what, "/v1/sources/moody", |answer| is_so(&answer.json())).json()
}

#[test]
fn s06_nothing_but_an_empty_page_counts_as_no_records() {
    let overlay = points(&["moody"]);
    let moody = Moody::start(Reply::json(&page(&[record("a")])));
    let gateway = Gateway::start(
        &overlay.config(),
        overlay.folder(),
        &addresses(&[("moody", &moody.upstream)]),
    );
    source_when(&gateway, "a good run", |source| {
        !source["streams"][0]["freshness"]["last_success_at"].is_null()
    });
    let before = share(&gateway);
    assert_eq!(before["value"], 0.25);
    let variants = [
        ("a login page", answer("text/html", "<!doctype html><title>CANARY</title>")),
        ("a login page that calls itself JSON", answer("application/json", "<html>CANARY</html>")),
        ("nothing", answer("application/json", "")),
        ("blanks", answer("application/json", " \r\n\t ")),
        ("no content", Reply::new("204 No Content", "", "")),
        ("another format", answer("text/csv", "site_code,day\r\nCANARY,2025-08-04\r\n")),
        ("null", answer("application/json", "null")),
        ("another document", answer("application/json", r#"{"message":"CANARY","data":[]}"#)),
        ("records that are none", answer("application/json", r#"{"items":"CANARY"}"#)),
    ];
    for (what, reply) in variants {
        moody.now(reply);
        let sick = source_when(&gateway, what, |source| !source["last_error"].is_null());
        let history = sick["streams"][0]["history"].as_array().unwrap().clone();
        assert_eq!(history.last().unwrap()["outcome"], "failed", "{what}");
        assert_eq!(sick["last_error"]["reason"], "decode", "{what}: {sick}");
        let message = sick["last_error"]["message"].as_str().unwrap();
        assert!(message.contains("not a page") && !message.contains("CANARY"), "{what}: {message}");
        let after = share(&gateway);
        for part in ["value", "numerator", "denominator"] {
            assert_eq!(after[part], before[part], "{what}");
        }
        moody.now(Reply::json(&page(&[record("a")])));
        source_when(&gateway, "well again", |source| source["last_error"].is_null());
    }
    // The one that is allowed to say so.
    moody.now(Reply::json(&page(&[])));
    let asked = moody.upstream.asked().len();
    source_when(&gateway, "an empty page", |source| {
        let last = source["streams"][0]["history"].as_array().unwrap().last().unwrap().clone();
        moody.upstream.asked().len() > asked + 1
            && last["outcome"] == "ok"
            && last["records"]["received"] == 0
    });
    assert_eq!(share(&gateway)["value"], 0.25, "what came before stays");
    assert!(!gateway.log().contains("CANARY"), "{}", gateway.log());
}

#[test]
fn a_rule_turns_an_answer_into_an_end_or_a_failure_and_says_so() {
    let overlay = points(&["moody"]);
    let file = overlay.config().join("sources/moody.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let rules = "error_handler:\n  on:\n    - {status: [404], then: ignore}\n    \
                 - {body: /code, is: [NOTHING], then: ignore}\n    \
                 - {body: /code, is: [CLOSED], then: fail}\nstreams:\n";
    overlay.write("sources/moody.yaml", &text.replace("streams:\n", rules));
    let moody = Moody::start(Reply::json(&page(&[record("a")])));
    let gateway = Gateway::start(
        &overlay.config(),
        overlay.folder(),
        &addresses(&[("moody", &moody.upstream)]),
    );
    let last = |source: &Value| {
        source["streams"][0]["history"].as_array().and_then(|runs| runs.last().cloned())
    };
    source_when(&gateway, "a good run", |source| last(source).is_some_and(|run| run["pages"] == 1));
    for (reply, said) in [
        (Reply::new("404 Not Found", "", "CANARY"), "answered 404: the answer has a status"),
        (answer("application/json", r#"{"code":"NOTHING"}"#), "the answer says at /code"),
    ] {
        moody.now(reply);
        let source = source_when(&gateway, said, |source| {
            last(source).is_some_and(|run| run["pages"] == 0 && run["outcome"] == "ok")
        });
        assert!(source["last_error"].is_null(), "{source}");
        gateway.wait_until("a line in the log", "/livez", |_| gateway.log().contains(said));
        moody.now(Reply::json(&page(&[record("a")])));
        source_when(&gateway, "a page", |source| last(source).is_some_and(|run| run["pages"] == 1));
    }
    moody.now(answer("application/json", r#"{"code":"CLOSED","message":"CANARY"}"#));
    let sick = source_when(&gateway, "a failure", |source| !source["last_error"].is_null());
    let message = sick["last_error"]["message"].as_str().unwrap();
    assert!(message.contains("the answer says at /code"), "{message}");
    assert_eq!(share(&gateway)["value"], 0.25, "what came before stays");
    assert!(!gateway.log().contains("CANARY"), "{}", gateway.log());
}

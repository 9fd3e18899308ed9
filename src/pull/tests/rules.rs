//! What the rules of the error handler make of answers, and what is asked after a refusal.

use std::time::Duration;

use super::upstream::{Reply, Upstream};
use super::{Setup, run};
use crate::pull::{Action, Ending, PullError, Reason, Run, Source};

fn with_rules(source: &Source, rules: &str) -> Run {
    run(source, &format!("{{path: /rows, rules: {rules}}}"))
}

#[tokio::test]
async fn a_refusal_may_be_a_page_and_its_body_is_read_for_it() {
    let upstream = Upstream::start(|_, _| Reply::answer(404, "", "[]")).await;
    let mut run = with_rules(&Setup::new(&upstream).source(), "[{status: [404], then: success}]");
    let page = run.next().await.unwrap().unwrap();
    assert_eq!((&page.body[..], page.rules.len()), (&b"[]"[..], 0));
    assert_eq!(run.tally().requests, [0, 0, 1, 0, 0]);
}

#[tokio::test]
async fn an_answer_that_is_ignored_ends_the_run_well_and_is_told() {
    let upstream = Upstream::start(|_, _| Reply::answer(404, "", "CANARY")).await;
    let mut run = with_rules(&Setup::new(&upstream).source(), "[{status: [404], then: ignore}]");
    assert!(run.next().await.unwrap().is_none());
    assert_eq!((run.ending(), run.pages()), (Some(Ending::Complete), 0));
    let note = "GET /rows: answered 404: the answer has a status of its own meaning \
                (error_handler.on.0)";
    assert_eq!(run.note(), Some(note));
}

#[tokio::test]
async fn a_code_in_the_body_of_a_refusal_decides_and_nothing_of_it_is_told() {
    let upstream = Upstream::start(|number, _| {
        let code = ["CANARY_BUSY", "GONE"][number.min(1)];
        Reply::answer(400, "", format!(r#"{{"code":"{code}","message":"CANARY"}}"#))
    })
    .await;
    let rules = "[{status: [4xx], body: /code, is: [CANARY_BUSY], then: retry},
                  {status: [400], body: /code, is: [GONE], then: fail}]";
    let error = with_rules(&Setup::new(&upstream).source(), rules).next().await.unwrap_err();
    assert!(matches!(error, PullError::Refused { reason: Reason::Http4xx, .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "GET /rows: answered 400: the answer says at /code that it is an error (error_handler.on.1)"
    );
    assert_eq!(upstream.asked().len(), 2, "the first answer was one to ask again after");
}

#[tokio::test]
async fn a_refusal_whose_body_is_endless_or_garbled_is_judged_by_its_status() {
    let rules = "[{status: [500], body: /code, not: ['0'], then: fail}]";
    for body in ["<html>CANARY</html>".to_owned(), format!("\"{}\"", "x".repeat(70_000))] {
        let upstream = Upstream::start(move |_, _| Reply::answer(500, "", &body)).await;
        let source = Setup::new(&upstream).retries(0).source();
        let error = with_rules(&source, rules).next().await.unwrap_err();
        assert_eq!(error.to_string(), "GET /rows: answered 500");
    }
}

#[tokio::test]
async fn a_source_that_says_in_its_own_way_that_it_is_asked_too_often_is_left_alone() {
    let upstream = Upstream::start(|_, _| Reply::answer(403, "Retry-After: 900\r\n", "")).await;
    let source = Setup::new(&upstream).retries(0).source();
    let rules = "[{status: [403], header: Retry-After, then: rate_limited}]";
    let error = with_rules(&source, rules).next().await.unwrap_err();
    assert!(matches!(error, PullError::Transient { reason: Reason::Throttled, .. }), "{error:?}");
    let mut other = run(&source, "{path: /other}");
    let patience = Duration::from_millis(50);
    assert!(tokio::time::timeout(patience, other.next()).await.is_err(), "the gate is closed");
    assert_eq!(upstream.targets(), ["/rows"]);
}

#[tokio::test]
async fn a_page_that_says_that_the_source_is_asked_too_often_closes_the_gate_too() {
    let upstream = Upstream::start(|_, _| Reply::answer(200, "Retry-After: 900\r\n", "{}")).await;
    let source = Setup::new(&upstream).retries(0).source();
    let mut busy = with_rules(&source, "[{body: /code, not: ['0'], then: rate_limited}]");
    assert_eq!(busy.next().await.unwrap().unwrap().rules, [0]);
    let error = busy.judged(Action::RateLimited, "busy").unwrap_err();
    assert_eq!(error.reason(), Reason::Throttled);
    let mut other = run(&source, "{path: /other}");
    let patience = Duration::from_millis(50);
    assert!(tokio::time::timeout(patience, other.next()).await.is_err(), "the gate is closed");
}

#[tokio::test]
async fn a_page_may_end_the_run_fail_it_or_be_asked_again() {
    let upstream = Upstream::start(|number, _| Reply::ok(number.to_string())).await;
    let source = Setup::new(&upstream).source();
    for (action, ending) in
        [(Action::Ignore, Some(Ending::Complete)), (Action::ResetPagination, Some(Ending::Reset))]
    {
        let mut run = run(&source, "{path: /rows}");
        run.next().await.unwrap().unwrap();
        run.judged(action, "why").unwrap();
        assert!(run.next().await.unwrap().is_none());
        assert_eq!((run.ending(), run.pages()), (ending, 0));
        assert_eq!(run.note(), Some("GET /rows: why"));
    }
    let mut failing = run(&source, "{path: /rows}");
    failing.next().await.unwrap().unwrap();
    let error = failing.judged(Action::Fail, "why").unwrap_err();
    assert!(matches!(error, PullError::Refused { reason: Reason::Other, .. }), "{error:?}");
    assert_eq!((error.to_string().as_str(), failing.ending()), ("GET /rows: why", None));
    let mut again = run(&source, "{path: /rows}");
    again.next().await.unwrap().unwrap();
    again.judged(Action::Retry, "why").unwrap();
    assert_eq!(again.next().await.unwrap().unwrap().number, 1);
}

#[tokio::test]
async fn a_status_of_its_own_may_ask_for_a_new_token() {
    let upstream = Upstream::start(|number, asked| {
        if asked.line.starts_with("POST") {
            Reply::ok(format!(r#"{{"access_token":"a{number}"}}"#))
        } else if number < 2 {
            Reply::answer(419, "", "")
        } else {
            Reply::ok("[]")
        }
    })
    .await;
    let setup = Setup::new(&upstream).secret("s", "s").authenticator(format!(
        "{{kind: oauth2_client_credentials, token_url: '{}/token', client_id: c,
           client_secret_file: s}}",
        upstream.url()
    ));
    let rules = "[{status: [419], then: refresh_token_then_retry}]";
    assert!(with_rules(&setup.source(), rules).next().await.unwrap().is_some());
    assert_eq!(upstream.targets(), ["/token", "/rows", "/token", "/rows"]);
}

/// S26: the account is closed; six streams ask every ten seconds for ten minutes, and nobody can
/// tell from the source that they do.
#[tokio::test]
async fn revoked_credentials_are_not_tried_again_and_again() {
    let upstream = Upstream::start(|_, _| Reply::answer(403, "", "CANARY")).await;
    let setup = Setup::new(&upstream)
        .secret("key", "CANARY-old")
        .authenticator("{kind: api_key, header: X-Key, key_file: key}");
    let source = setup.source();
    let streams: Vec<_> = (0..6).map(|i| format!("{{path: /rows/{i}}}")).collect();
    for turn in 0..10 {
        for stream in &streams {
            let error = run(&source, stream).next().await.unwrap_err();
            assert!(matches!(error, PullError::Refused { reason: Reason::Auth, .. }), "{error:?}");
            assert!(!error.to_string().contains("CANARY"), "{error}");
            let waits = error.to_string().contains("asked again in");
            assert_eq!(waits, turn > 0, "{error}");
        }
    }
    assert_eq!(upstream.asked().len(), 6, "each stream was refused once, and then none asked");
    // A new key is tried at once.
    let _setup = setup.secret("key", "CANARY-new");
    run(&source, &streams[0]).next().await.unwrap_err();
    assert_eq!(upstream.asked().len(), 7);
}

/// S26.
#[tokio::test]
async fn a_path_that_is_forbidden_holds_no_other_stream_up() {
    let upstream = Upstream::start(|_, asked| {
        let status = if asked.line.contains("/secret") { 403 } else { 200 };
        Reply::answer(status, "", "[]")
    })
    .await;
    let source = Setup::new(&upstream).source();
    for _ in 0..3 {
        assert!(run(&source, "{path: /secret}").next().await.is_err());
        assert!(run(&source, "{path: /open}").next().await.unwrap().is_some());
    }
    assert_eq!(upstream.targets(), ["/secret", "/open", "/open", "/open"]);
}

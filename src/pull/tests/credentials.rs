//! Credentials: sent as the source wants them, renewed once, told to nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::upstream::{Asked, Reply, Upstream};
use super::{Setup, run, turn};
use crate::pull::{Authenticator, PullError, Reason};

/// A portal with a token endpoint: accepts only the token it issued last.
async fn portal() -> (Upstream, Arc<AtomicUsize>) {
    let issued = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&issued);
    let upstream = Upstream::start(move |_, asked| {
        if asked.line.starts_with("POST /token") {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            let body = format!(r#"{{"access_token":"CANARY-{number}","expires_in":300}}"#);
            return Reply::ok(body);
        }
        let latest = format!("authorization: bearer canary-{}", count.load(Ordering::SeqCst));
        if has_line(asked, &latest) { Reply::ok(&asked.line) } else { Reply::answer(401, "", "") }
    })
    .await;
    (upstream, issued)
}

fn has_line(asked: &Asked, line: &str) -> bool {
    asked.head.lines().any(|found| found == line)
}

fn oauth(upstream: &Upstream, more: &str) -> String {
    format!(
        "{{kind: oauth2_client_credentials, token_url: '{}/token', client_id: ioc,
           client_secret_file: portal{more}}}",
        upstream.url()
    )
}

#[tokio::test]
async fn a_key_goes_into_a_header_or_into_the_query_of_every_request() {
    let upstream = Upstream::start(|_, _| Reply::ok("[]")).await;
    let setup = Setup::new(&upstream)
        .secret("key", "CANARY+KEY\n")
        .authenticator("{kind: api_key, header: X-Api-Key, key_file: key}");
    setup.first().await.unwrap();
    assert!(upstream.asked()[0].head_as_sent.contains("x-api-key: CANARY+KEY"));

    let setup = setup.authenticator("{kind: api_key, query: key, key_file: key}");
    let mut run = setup.run("{kind: next_link, at: /next}");
    run.next().await.unwrap().unwrap();
    // A source that repeats the key in its links does not get it twice.
    run.seen(&turn("/rows?page=2&key=old", 1));
    run.next().await.unwrap();
    assert_eq!(
        upstream.targets()[1..],
        ["/rows?key=CANARY%2BKEY", "/rows?page=2&key=CANARY%2BKEY"]
    );
}

#[tokio::test]
async fn a_password_is_sent_as_basic_authentication() {
    let upstream = Upstream::start(|_, _| Reply::ok("[]")).await;
    let setup = Setup::new(&upstream)
        .secret("password", "open sesame")
        .authenticator("{kind: basic, username: Aladdin, password_file: password}");
    setup.first().await.unwrap();
    let head = &upstream.asked()[0].head_as_sent;
    assert!(head.contains("authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), "{head}");
}

#[tokio::test]
async fn a_token_file_that_changes_is_read_again() {
    let upstream = Upstream::start(|_, asked| {
        if has_line(asked, "authorization: bearer second") {
            Reply::ok("[]")
        } else {
            Reply::answer(401, "", "")
        }
    })
    .await;
    let setup = Setup::new(&upstream)
        .secret("token", "first\n")
        .authenticator("{kind: bearer, token_file: token}");
    let source = setup.source();
    let error = run(&source, "{path: /rows}").next().await.unwrap_err();
    assert_eq!(error.reason(), Reason::Auth);
    assert_eq!(upstream.asked().len(), 1, "the same token is not tried twice");
    let _setup = setup.secret("token", "second\n");
    assert!(run(&source, "{path: /rows}").next().await.unwrap().is_some());
}

#[tokio::test]
async fn a_token_is_fetched_once_and_used_for_every_page() {
    let (upstream, issued) = portal().await;
    let setup = Setup::new(&upstream)
        .secret("portal", "CANARY/secret\n")
        .authenticator(oauth(&upstream, ", scope: read"));
    let mut run = setup.run("{kind: next_link, at: /next}");
    run.next().await.unwrap().unwrap();
    run.seen(&turn("/rows?page=2", 1));
    run.next().await.unwrap();
    assert_eq!(issued.load(Ordering::SeqCst), 1);
    let form = &upstream.asked()[0].body;
    assert_eq!(
        form,
        "grant_type=client_credentials&scope=read&client_id=ioc&client_secret=CANARY%2Fsecret"
    );
}

#[tokio::test]
async fn client_credentials_can_go_into_the_header_instead() {
    let (upstream, _) = portal().await;
    let setup = Setup::new(&upstream)
        .secret("portal", "a:b")
        .authenticator(oauth(&upstream, ", style: basic"));
    setup.first().await.unwrap();
    let asked = upstream.asked().remove(0);
    assert_eq!(asked.body, "grant_type=client_credentials");
    // base64 of "ioc:a%3Ab": both halves are form-encoded first.
    assert!(asked.head_as_sent.contains("authorization: Basic aW9jOmElM0Fi"), "{asked:?}");
}

/// S25.
#[tokio::test]
async fn an_expired_token_is_renewed_once_and_the_same_page_asked_again() {
    let (upstream, issued) = portal().await;
    let setup =
        Setup::new(&upstream).secret("portal", "s").authenticator(oauth(&upstream, "")).retries(0);
    let mut run = setup.run("{kind: next_link, at: /next}");
    run.next().await.unwrap().unwrap();
    issued.fetch_add(1, Ordering::SeqCst); // the portal forgets the token that it gave us
    run.seen(&turn("/rows?page=2", 1));
    let page = run.next().await.unwrap().expect("the page after the renewal");
    assert_eq!(page.number, 2);
    assert_eq!(upstream.targets(), ["/token", "/rows", "/rows?page=2", "/token", "/rows?page=2"]);
}

/// S25.
#[tokio::test]
async fn a_401_that_stays_is_refused_after_one_renewal() {
    let upstream = Upstream::start(|_, asked| {
        if asked.line.starts_with("POST") {
            Reply::ok(r#"{"access_token":"CANARY"}"#)
        } else {
            Reply::answer(401, "", "")
        }
    })
    .await;
    let setup = Setup::new(&upstream).secret("portal", "s").authenticator(oauth(&upstream, ""));
    let error = setup.first().await.unwrap_err();
    assert!(matches!(error, PullError::Refused { reason: Reason::Auth, .. }), "{error:?}");
    assert_eq!(upstream.targets(), ["/token", "/rows", "/token", "/rows"]);
}

/// S25: one refresh per expiry, however many meet it.
#[tokio::test]
async fn runs_that_meet_an_expired_token_together_renew_it_once() {
    let (upstream, issued) = portal().await;
    let setup = Setup::new(&upstream)
        .secret("portal", "s")
        .authenticator(oauth(&upstream, ""))
        .requester("at_once: 32");
    let source = setup.source();
    for expected in [1, 3] {
        let runs = (0..20).map(|_| {
            let source = source.clone();
            async move { run(&source, "{path: /rows}").next().await.unwrap().is_some() }
        });
        let pages = futures_util::future::join_all(runs).await;
        assert!(pages.into_iter().all(|page| page));
        assert_eq!(issued.load(Ordering::SeqCst), expected);
        issued.store(2, Ordering::SeqCst); // every token so far is forgotten
    }
}

/// S25.
#[tokio::test]
async fn a_token_endpoint_that_is_down_is_retried_and_one_that_refuses_is_not() {
    for (status, tries, reason) in
        [(503, 3, Reason::Http5xx), (400, 1, Reason::Auth), (401, 1, Reason::Auth)]
    {
        let upstream = Upstream::start(move |_, _| Reply::answer(status, "", "CANARY")).await;
        let setup = Setup::new(&upstream).secret("portal", "s").authenticator(oauth(&upstream, ""));
        let error = setup.first().await.unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.to_string().starts_with("POST token_url: "), "{error}");
        assert_eq!(upstream.targets(), vec!["/token"; tries]);
    }
}

#[tokio::test]
async fn a_missing_secret_is_refused_before_anything_is_asked() {
    let upstream = Upstream::start(|_, _| Reply::ok("[]")).await;
    let setup = Setup::new(&upstream).authenticator("{kind: bearer, token_file: absent}");
    let error = setup.first().await.unwrap_err();
    assert!(error.to_string().contains("'absent'"), "{error}");
    assert_eq!(error.reason(), Reason::Auth);
    assert!(upstream.asked().is_empty());
}

type Fault = fn() -> Reply;

#[tokio::test]
async fn no_secret_is_ever_told() {
    let kinds = [
        "{kind: api_key, header: X-Key, key_file: secret}".to_owned(),
        "{kind: api_key, query: key, key_file: secret}".to_owned(),
        "{kind: basic, username: u, password_file: secret}".to_owned(),
        "{kind: bearer, token_file: secret}".to_owned(),
    ];
    let faults: [Fault; 5] = [
        || Reply::answer(401, "", ""),
        || Reply::answer(500, "", ""),
        || Reply::answer(302, "location: /x\r\n", ""),
        || Reply::raw(200, "content-length: 9\r\n", "["),
        Reply::hang_up,
    ];
    for kind in &kinds {
        for fault in faults {
            let upstream = Upstream::start(move |_, _| fault()).await;
            let setup =
                Setup::new(&upstream).secret("secret", "CANARY").authenticator(kind).retries(0);
            let source = setup.source();
            let error = run(&source, "{path: /rows}").next().await.unwrap_err();
            let settings: Authenticator = serde_saphyr::from_str(kind).unwrap();
            let told = format!("{error} {error:?} {settings:?} {source:?}");
            assert!(!told.contains("CANARY"), "{told}");
            assert!(upstream.asked().iter().any(|asked| {
                asked.head_as_sent.contains("CANARY") || asked.head_as_sent.contains("Basic ")
            }));
        }
    }
}

#[tokio::test]
async fn a_secret_that_no_header_can_carry_is_refused_without_being_told() {
    let upstream = Upstream::start(|_, _| Reply::ok("[]")).await;
    let setup = Setup::new(&upstream)
        .secret("secret", "CANARY\nsecond line")
        .authenticator("{kind: bearer, token_file: secret}");
    let error = setup.first().await.unwrap_err();
    assert_eq!(error.reason(), Reason::Auth);
    assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
}

#[tokio::test]
async fn a_page_that_denies_the_session_renews_it_once_and_only_once() {
    let (upstream, issued) = portal().await;
    let setup = Setup::new(&upstream).secret("portal", "s").authenticator(oauth(&upstream, ""));
    let mut run = setup.run("{kind: next_link, at: /next}");
    run.next().await.unwrap().unwrap();
    run.denied("the answer says that it is an error").unwrap();
    let page = run.next().await.unwrap().expect("the same page with a new session");
    assert_eq!((page.number, issued.load(Ordering::SeqCst)), (1, 2));
    let lines: Vec<_> = upstream.asked().iter().map(|asked| asked.line.clone()).collect();
    assert_eq!(lines.iter().filter(|line| line.contains("/rows")).count(), 2, "{lines:?}");
    let error = run.denied("the answer says that it is an error").unwrap_err();
    assert_eq!(error.reason(), Reason::Auth);
    assert!(run.next().await.unwrap().is_none(), "a run that failed asks nothing more");
    assert_eq!(run.ending(), None);
}

//! Sessions, refresh tokens and assertions: the answers of real systems, and what is sent to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use super::upstream::{Asked, Reply, Upstream};
use super::{Setup, run};
use crate::pull::{Reason, Source};

const POST: &str = "{path: /rows, method: POST, body: {json: {service: list}}}";

fn has_line(asked: &Asked, line: &str) -> bool {
    asked.head_as_sent.lines().any(|found| found.eq_ignore_ascii_case(line))
}

/// Opens sessions and accepts the latest one, wherever it stands in a request.
async fn portal() -> (Upstream, Arc<AtomicUsize>) {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&opened);
    let upstream = Upstream::start(move |_, asked| {
        if asked.line.starts_with("POST /login") {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            let answer = format!(r#"{{"error_code":"0","session":"CANARY-{number}"}}"#);
            return Reply::ok(answer);
        }
        let latest = format!("CANARY-{}", count.load(Ordering::SeqCst));
        let whole = format!("{}\n{}", asked.head_as_sent, asked.body);
        if whole.contains(&latest) { Reply::ok("[]") } else { Reply::answer(401, "", "") }
    })
    .await;
    (upstream, opened)
}

fn session(upstream: &Upstream, place: &str) -> String {
    format!(
        "{{kind: session_token, login: {{url: '{}/login', query: {{dstcode: 'VN:GOV'}},
           body: {{json: {{username: ioc, password: '{{{{ secret.password }}}}'}}}},
           success: {{body: /error_code, is: ['0']}}, token_at: /session}}, {place}}}",
        upstream.url()
    )
}

#[tokio::test]
async fn a_session_goes_into_a_header_the_query_or_the_body() {
    for (place, wanted) in [
        ("header: X-Session", "x-session: CANARY-1"),
        ("header: Authorization, prefix: 'Session '", "authorization: Session CANARY-1"),
        ("query: session", "POST /rows?session=CANARY-1 HTTP/1.1"),
        ("body: /auth/session", r#"{"auth":{"session":"CANARY-1"},"service":"list"}"#),
    ] {
        let (upstream, opened) = portal().await;
        let setup = Setup::new(&upstream)
            .secret("password", "CANARY \"word\"")
            .authenticator(session(&upstream, place));
        let source = setup.source();
        for _ in 0..2 {
            assert!(run(&source, POST).next().await.unwrap().is_some(), "{place}");
        }
        assert_eq!(opened.load(Ordering::SeqCst), 1, "a session is opened once");
        let asked = upstream.asked();
        assert_eq!(asked[0].line, "POST /login?dstcode=VN%3AGOV HTTP/1.1");
        assert_eq!(asked[0].body, r#"{"password":"CANARY \"word\"","username":"ioc"}"#);
        assert!(has_line(&asked[1], wanted) || asked[1].body == wanted, "{place}: {:?}", asked[1]);
        assert!(!format!("{source:?}").contains("CANARY"));
    }
}

/// S25.
#[tokio::test]
async fn streams_that_meet_an_expired_session_together_log_in_once() {
    let (upstream, opened) = portal().await;
    let setup = Setup::new(&upstream)
        .secret("password", "p")
        .authenticator(session(&upstream, "body: /session"))
        .requester("at_once: 32");
    let source = setup.source();
    for expected in [1, 3] {
        let runs = (0..20).map(|_| {
            let source = source.clone();
            async move { run(&source, POST).next().await.unwrap().is_some() }
        });
        let pages = futures_util::future::join_all(runs).await;
        assert!(pages.into_iter().all(|page| page));
        assert_eq!(opened.load(Ordering::SeqCst), expected);
        opened.store(2, Ordering::SeqCst); // every session so far is forgotten
    }
}

/// S25: the expiry is told with 200 and an error code, and stays.
#[tokio::test]
async fn a_session_that_stays_refused_is_renewed_once_and_the_same_page_asked_once_more() {
    let (upstream, opened) = portal().await;
    let setup = Setup::new(&upstream)
        .secret("password", "p")
        .authenticator(session(&upstream, "body: /session"));
    let mut run = run(&setup.source(), POST);
    run.next().await.unwrap().unwrap();
    run.denied("the session has run out").unwrap();
    assert_eq!(run.next().await.unwrap().unwrap().number, 1);
    assert_eq!(run.denied("the session has run out").unwrap_err().reason(), Reason::Auth);
    assert_eq!(opened.load(Ordering::SeqCst), 2);
    let rows = upstream.targets().iter().filter(|target| *target == "/rows").count();
    assert_eq!(rows, 2);
}

#[tokio::test]
async fn a_login_that_fails_with_200_is_a_refusal_that_quotes_nothing() {
    let upstream = Upstream::start(|_, _| {
        Reply::ok(r#"{"error_code":"17","message":"CANARY","session":"CANARY"}"#)
    })
    .await;
    let setup = Setup::new(&upstream)
        .secret("password", "CANARY")
        .authenticator(session(&upstream, "query: session"));
    let error = run(&setup.source(), POST).next().await.unwrap_err();
    assert_eq!(error.reason(), Reason::Auth);
    assert_eq!(
        error.to_string(),
        "POST login.url: the answer does not say at /error_code that it succeeded"
    );
    assert_eq!(upstream.asked().len(), 1);
}

/// Takes each refresh token once, as many providers do.
async fn rotating() -> Upstream {
    let issued = AtomicUsize::new(0);
    Upstream::start(move |_, asked| {
        if !asked.line.starts_with("POST /token") {
            return Reply::ok("[]");
        }
        let number = issued.load(Ordering::SeqCst);
        if !asked.body.contains(&format!("refresh_token=CANARY-{number}&")) {
            return Reply::answer(400, "", r#"{"error":"invalid_grant"}"#);
        }
        let next = issued.fetch_add(1, Ordering::SeqCst) + 1;
        Reply::ok(format!(
            r#"{{"access_token":"a{next}","expires_in":300,"refresh_token":"CANARY-{next}"}}"#
        ))
    })
    .await
}

fn refresh(upstream: &Upstream) -> String {
    format!(
        "{{kind: oauth2_refresh_token, token_url: '{}/token', client_id: ioc,
           refresh_token_file: refresh}}",
        upstream.url()
    )
}

async fn pull(source: &Source) -> Result<(), Reason> {
    run(source, "{path: /rows}").next().await.map(|_| ()).map_err(|error| error.reason())
}

#[tokio::test]
async fn a_refresh_token_that_is_replaced_outlives_a_restart() {
    let upstream = rotating().await;
    let setup =
        Setup::new(&upstream).secret("refresh", "CANARY-0\n").authenticator(refresh(&upstream));
    for _ in 0..3 {
        pull(&setup.source()).await.unwrap(); // a new source knows nothing but what was kept
    }
    let asked = upstream.asked();
    assert_eq!(asked[0].body, "grant_type=refresh_token&refresh_token=CANARY-0&client_id=ioc");
    assert!(has_line(&asked[5], "authorization: Bearer a3"), "{:?}", asked[5]);
    // The operator logs in anew: what was kept is no good any more.
    let setup = setup.secret("refresh", "CANARY-9");
    assert_eq!(pull(&setup.source()).await, Err(Reason::Auth));
    let setup = setup.secret("refresh", "CANARY-3");
    pull(&setup.source()).await.unwrap();
}

#[tokio::test]
async fn sources_that_prove_themselves_alike_share_one_token() {
    let upstream = rotating().await;
    let setup =
        Setup::new(&upstream).secret("refresh", "CANARY-0").authenticator(refresh(&upstream));
    let [one, other] = setup.two_sources();
    let (first, second) = tokio::join!(pull(&one), pull(&other));
    assert_eq!((first, second), (Ok(()), Ok(())));
    let tokens = upstream.targets().iter().filter(|target| *target == "/token").count();
    assert_eq!(tokens, 1, "a single-use token is used by one at a time");
}

#[tokio::test]
async fn a_signed_assertion_is_exchanged_for_a_token() {
    let upstream = Upstream::start(|_, asked| {
        if asked.line.starts_with("POST /token") {
            Reply::ok(r#"{"access_token":"a1","token_type":"Bearer","expires_in":300}"#)
        } else {
            Reply::ok("[]")
        }
    })
    .await;
    let setup = Setup::new(&upstream).secret("key", &"CANARY".repeat(6)).authenticator(format!(
        "{{kind: jwt_bearer, token_url: '{}/token', key_file: key, algorithm: HS256,
           issuer: ioc, audience: portal, scope: read, form: {{tenant: 'p {{{{ secret.key }}}}'}}}}",
        upstream.url()
    ));
    pull(&setup.source()).await.unwrap();
    let asked = upstream.asked();
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    let rest = asked[0].body.strip_prefix(grant).unwrap();
    let (assertion, rest) = rest.split_once('&').unwrap();
    assert_eq!(rest, format!("scope=read&tenant=p+{}", "CANARY".repeat(6)));
    let claims = BASE64_URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let now = 1_712_052_000;
    assert_eq!((&claims["iss"], &claims["aud"]), (&"ioc".into(), &"portal".into()));
    assert_eq!((&claims["iat"], &claims["exp"]), (&now.into(), &(now + 300).into()));
    assert!(has_line(&asked[1], "authorization: Bearer a1"), "{:?}", asked[1]);
}

#[tokio::test]
async fn a_platform_that_wants_more_than_oauth_gets_it() {
    let upstream = Upstream::start(|_, asked| {
        if asked.line.starts_with("POST /token") {
            Reply::ok(r#"{"access_token":"a1","expires_in":3600}"#)
        } else {
            Reply::ok("[]")
        }
    })
    .await;
    let wrapped = "{base64: {json: {AccessKey: '{{ secret.access }}', AppName: ioc}}}";
    let setup = Setup::new(&upstream)
        .secret("client", "s")
        .secret("access", "CANARY")
        .requester(&format!("headers: {{lgspaccesstoken: {wrapped}}}"))
        .authenticator(format!(
            "{{kind: oauth2_client_credentials, token_url: '{}/token', client_id: ioc,
               client_secret_file: client, headers: {{lgspaccesstoken: {wrapped}}}}}",
            upstream.url()
        ));
    pull(&setup.source()).await.unwrap();
    // base64 of {"AccessKey":"CANARY","AppName":"ioc"}
    let line = "lgspaccesstoken: eyJBY2Nlc3NLZXkiOiJDQU5BUlkiLCJBcHBOYW1lIjoiaW9jIn0=";
    assert!(upstream.asked().iter().all(|asked| has_line(asked, line)), "{:?}", upstream.asked());
    assert_eq!(upstream.targets(), ["/token", "/rows"]);
}

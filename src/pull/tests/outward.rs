//! Where a source can make the gateway go: nowhere but to itself, whatever it answers and whatever
//! its name resolves to.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;

use super::Setup;
use super::upstream::{Reply, Upstream};
use crate::pull::address::Lookup;
use crate::pull::{Outbound, PullError, Reason};

/// A port of this machine on which every connection is counted.
async fn trap() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("[::]:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let touched = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&touched);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, touched)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

impl Setup {
    fn allowing(mut self, networks: &str) -> Self {
        let settings = serde_saphyr::from_str(&format!("{{allow: ['{networks}']}}")).unwrap();
        self.outbound =
            Outbound { lookup: self.outbound.lookup.clone(), ..Outbound::new(&settings) };
        self
    }

    fn resolving(
        mut self,
        script: impl Fn(&str) -> Option<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        self.outbound.lookup = Lookup::Script(Arc::new(script));
        self
    }

    fn at(mut self, url: &str) -> Self {
        self.requester = format!("url: '{url}'");
        self
    }
}

#[tokio::test]
async fn s21_no_redirect_leads_to_another_place() {
    let (port, touched) = trap().await;
    let targets = [
        format!("http://127.0.0.1:{port}/"),
        format!("http://127.1:{port}/"),
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.0.0.1:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://localhost:{port}/"),
        format!("//127.0.0.1:{port}/rows"),
        format!("https://127.0.0.1:{port}/"),
        format!("http://portal@127.0.0.1:{port}/"),
        "http://10.0.0.7/".to_owned(),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[fe80::1]/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ];
    for redirects in ["never", "same_origin"] {
        for target in &targets {
            let location = format!("location: {target}\r\n");
            let upstream = Upstream::start(move |_, _| Reply::answer(302, &location, "")).await;
            let setup = Setup::new(&upstream)
                .secret("token", "CANARY")
                .authenticator("{kind: bearer, token_file: token}")
                .requester(&format!("redirects: {redirects}"));
            let error = setup.first().await.unwrap_err();
            assert!(matches!(error, PullError::Refused { .. }), "{redirects} {target}: {error:?}");
            assert!(!error.to_string().contains("127"), "{error}");
            assert_eq!(upstream.asked().len(), 1, "{redirects} {target}");
        }
    }
    assert_eq!(touched.load(Ordering::SeqCst), 0, "nobody was led here");
}

#[tokio::test]
async fn s21_within_the_same_origin_three_redirects_are_followed_if_allowed() {
    let upstream = Upstream::start(|_, asked| {
        let number = asked.line.matches('x').count();
        let location = format!("location: /rows{}\r\n", "x".repeat(number + 1));
        if number < 3 { Reply::answer(307, &location, "") } else { Reply::ok("[]") }
    })
    .await;
    let setup = Setup::new(&upstream).requester("redirects: same_origin");
    assert!(setup.first().await.is_ok());
    assert_eq!(upstream.targets(), ["/rows", "/rowsx", "/rowsxx", "/rowsxxx"]);
    let endless = Upstream::start(|number, _| {
        Reply::answer(301, &format!("location: /rows?{number}\r\n"), "")
    })
    .await;
    let setup = Setup::new(&endless).requester("redirects: same_origin");
    let error = setup.first().await.unwrap_err();
    assert!(error.to_string().contains("answered 301"), "{error}");
    assert_eq!(endless.asked().len(), 4);
}

#[tokio::test]
async fn s22_a_name_that_resolves_to_this_machine_is_not_connected_to() {
    let (port, touched) = trap().await;
    let upstream = Upstream::start(|_, _| Reply::ok("[]")).await;
    for found in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "169.254.169.254"] {
        let setup = Setup::new(&upstream)
            .allowing("")
            .at(&format!("http://portal.example:{port}"))
            .resolving(move |_| Some(vec![address(found)]));
        let error = setup.first().await.unwrap_err();
        assert!(matches!(error, PullError::Refused { reason: Reason::Address, .. }), "{error:?}");
        assert!(error.to_string().contains("allowed_networks"), "{error}");
    }
    for host in ["127.0.0.1", "2130706433", "0177.0.0.1", "[::1]", "[::ffff:7f00:1]"] {
        let setup = Setup::new(&upstream).allowing("").at(&format!("http://{host}:{port}"));
        let error = setup.first().await.unwrap_err();
        assert_eq!(error.reason(), Reason::Address, "{host}: {error}");
        assert!(!error.to_string().contains("127"), "{error}");
    }
    assert_eq!(touched.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn s22_a_name_that_answers_differently_every_time_gains_nothing() {
    let upstream = Upstream::start(|_, _| Reply::ok("[]")).await;
    let (asked, port) =
        (Arc::new(AtomicUsize::new(0)), upstream.url().rsplit_once(':').unwrap().1.to_owned());
    let count = Arc::clone(&asked);
    // This machine stands for the portal at one of its addresses, and for the prey at another.
    let script = move |_: &str| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let answers = [vec!["127.0.0.1"], vec!["127.0.0.2"], vec!["127.0.0.2", "127.0.0.1"]];
        Some(answers[number % 3].iter().map(|text| address(text)).collect())
    };
    let setup = Setup::new(&upstream)
        .allowing("127.0.0.1")
        .at(&format!("http://portal.example:{port}"))
        .resolving(script)
        .retries(0);
    let mut outcomes = Vec::new();
    for _ in 0..6 {
        outcomes.push(setup.first().await.map_err(|error| error.reason()).map(|_| ()));
    }
    let (fine, refused) = (Ok(()), Err(Reason::Address));
    assert_eq!(outcomes, [fine, refused, fine, fine, refused, fine]);
    assert_eq!(upstream.asked().len(), 4);
    assert_eq!(asked.load(Ordering::SeqCst), 6, "resolved once for each connection, never again");
}

#[tokio::test]
async fn s24_a_name_that_is_unknown_or_slow_to_resolve_is_a_passing_failure() {
    let upstream = Upstream::start(|_, _| Reply::ok("[]")).await;
    let port = upstream.url().rsplit_once(':').unwrap().1.to_owned();
    for (what, found) in [("not known", Some(Vec::new())), ("not resolved within", None)] {
        let setup = Setup::new(&upstream)
            .at(&format!("http://portal.example:{port}"))
            .requester("connect_timeout: 80ms")
            .resolving(move |_| found.clone())
            .retries(1);
        let patience = Duration::from_secs(30);
        let error = tokio::time::timeout(patience, setup.first()).await.unwrap().unwrap_err();
        assert!(matches!(error, PullError::Transient { .. }), "{error:?}");
        assert!(what.is_empty() || error.reason() != Reason::Address, "{error}");
    }
    // It flaps: what failed once is not remembered.
    let flapping = AtomicUsize::new(0);
    let setup =
        Setup::new(&upstream).at(&format!("http://portal.example:{port}")).resolving(move |_| {
            let is_there = flapping.fetch_add(1, Ordering::SeqCst) % 2 == 1;
            Some(if is_there { vec![address("127.0.0.1")] } else { Vec::new() })
        });
    assert!(setup.first().await.is_ok(), "the retry finds it");
}

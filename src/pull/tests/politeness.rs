//! What a source has to bear: one that is ill or asks for less is asked less.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::upstream::{Reply, Upstream};
use super::{Setup, now, run, vars};
use crate::model::snapshot::{Circuit, Validator};
use crate::model::time::Stamp;
use crate::model::units::Span;
use crate::pull::{
    CircuitBreaker, Ending, Known, Outbound, PullError, Reason, Run, Source, SourceRate, Stream,
};

#[tokio::test]
async fn s03_nothing_is_asked_during_an_embargo_of_any_form() {
    // What each form asks for stands in the table of `retry`; here it is seen to be kept.
    for header in
        ["120", " 7 ", "3600", "Tue, 02 Apr 2024 10:01:00 GMT", "Tue Apr  2 10:01:00 2024"]
    {
        let line = format!("retry-after: {header}\r\n");
        let upstream = Upstream::start(move |_, _| Reply::answer(429, &line, "")).await;
        let source = Setup::new(&upstream).source();
        let patience = std::time::Duration::from_millis(60);
        for _ in 0..2 {
            let mut run = run(&source, "{path: /rows}");
            assert!(tokio::time::timeout(patience, run.next()).await.is_err(), "{header:?}");
        }
        assert_eq!(upstream.asked().len(), 1, "{header:?}");
        assert_eq!(source.circuit(), Circuit::default(), "being throttled is no failure");
    }
}

#[tokio::test]
async fn s04_a_source_that_fails_is_left_alone_then_probed_once() {
    let is_well = Arc::new(AtomicBool::new(false));
    let well = Arc::clone(&is_well);
    let upstream = Upstream::start(move |_, _| {
        if well.load(Ordering::SeqCst) { Reply::ok("[]") } else { Reply::answer(500, "", "") }
    })
    .await;
    let mut setup = Setup::new(&upstream).retries(0);
    setup.breaker = CircuitBreaker { failures: 3, open_for: Span::seconds(60) };
    let source = setup.source();
    let clock = source.0.context.clock.clone();
    let ask = async || run(&source, "{path: /rows}").next().await;
    for _ in 0..3 {
        assert_eq!(ask().await.unwrap_err().reason(), Reason::Http5xx);
    }
    for _ in 0..20 {
        let error = ask().await.unwrap_err();
        assert!(matches!(error, PullError::Transient { reason: Reason::CircuitOpen, .. }));
        assert!(
            error.to_string().contains("left alone until 2024-04-02T17:01:00+07:00"),
            "{error}"
        );
    }
    assert_eq!(upstream.asked().len(), 3, "nothing is asked while the circuit is open");

    // A new process goes on where this one stopped.
    let again = setup.source();
    again.resume(source.circuit());
    assert_eq!(
        run(&again, "{path: /rows}").next().await.unwrap_err().reason(),
        Reason::CircuitOpen
    );

    clock.set(Stamp(now().0 + 60));
    let runs = futures_util::future::join_all((0..10).map(|_| ask())).await;
    assert!(runs.iter().all(Result::is_err));
    assert_eq!(upstream.asked().len(), 4, "one probe for all of them");
    is_well.store(true, Ordering::SeqCst);
    clock.set(Stamp(now().0 + 120));
    let runs = futures_util::future::join_all((0..10).map(|_| ask())).await;
    assert!(runs.iter().all(Result::is_ok), "{runs:?}");
    assert_eq!(source.circuit(), Circuit::default());
}

#[tokio::test]
async fn s04_repeats_of_all_runs_together_stay_within_their_budget() {
    let upstream = Upstream::start(|_, _| Reply::answer(500, "", "")).await;
    let mut setup = Setup::new(&upstream).requester("at_once: 64");
    setup.breaker = CircuitBreaker { failures: 1000, open_for: Span::seconds(60) };
    let source = setup.source();
    let stream: Stream = serde_saphyr::from_str("{path: /rows}").unwrap();
    for target in 0..300 {
        let mut vars = vars();
        vars.target = Some(format!("k{target}"));
        assert!(source.run(&stream, &vars).next().await.is_err());
    }
    let asked = upstream.asked().len();
    assert!((310..=341).contains(&asked), "300 first attempts, a tenth and ten more: {asked}");
}

#[tokio::test]
async fn sources_that_name_a_rate_wait_for_each_other() {
    let upstream = Upstream::start(|_, _| Reply::ok("[]")).await;
    let yaml = "{allow: [127.0.0.0/8], rate_limits: {lgsp: {requests: 2, per: 1h}}}";
    let mut setup = Setup::new(&upstream);
    setup.outbound = Outbound::new(&serde_saphyr::from_str(yaml).unwrap());
    setup.rate = Some(SourceRate { name: Some("lgsp".to_owned()), ..SourceRate::default() });
    let (one, two) = (setup.source(), setup.source());
    for source in [&one, &two] {
        assert!(run(source, "{path: /rows}").next().await.unwrap().is_some());
    }
    let patience = std::time::Duration::from_millis(50);
    for source in [&one, &two] {
        let mut third = run(source, "{path: /rows}");
        assert!(tokio::time::timeout(patience, third.next()).await.is_err());
    }
    assert_eq!(upstream.asked().len(), 2);
}

/// A run that knows what an earlier one learned.
fn knowing(source: &Source, path: &str, purpose: &str, validator: Option<Validator>) -> Run {
    let stream: Stream = serde_saphyr::from_str(&format!("{{path: {path}}}")).unwrap();
    let known = Known { purpose: Some(purpose.to_owned()), validator };
    source.run(&stream, &crate::pull::Vars { known, ..vars() })
}

/// Walks a run of at most one page and yields what it learned.
async fn learn(mut run: Run) -> (Option<Ending>, Option<Validator>) {
    if run.next().await.unwrap().is_some() {
        run.seen(&crate::pull::Turn { next: None, raw_records: 1, total: None });
        assert!(run.next().await.unwrap().is_none());
    }
    (run.ending(), run.validator())
}

#[tokio::test]
async fn a_source_that_says_that_nothing_has_changed_is_believed_if_it_was_asked() {
    let upstream = Upstream::start(|_, asked| {
        if asked.head.contains("if-none-match: \"v1\"")
            && asked.head.contains("if-modified-since: mon, 01 apr 2024 00:00:00 gmt")
        {
            return Reply::answer(304, "", "");
        }
        let headers = "etag: \"V1\"\r\nlast-modified: Mon, 01 Apr 2024 00:00:00 GMT\r\n";
        Reply::answer(200, headers, "[1]")
    })
    .await;
    let source = Setup::new(&upstream).source();
    let (ending, first) = learn(knowing(&source, "/rows", "a", None)).await;
    assert_eq!(ending, Some(Ending::Complete));
    assert_eq!(first.as_ref().unwrap().etag.as_deref(), Some("\"V1\""));
    let (ending, second) = learn(knowing(&source, "/rows", "a", first.clone())).await;
    assert_eq!(ending, Some(Ending::Unchanged));
    assert_eq!(second, first, "it still holds");
    // Another address or another purpose: nothing is known of that.
    for (path, purpose) in [("/others", "a"), ("/rows", "b")] {
        let (ending, _) = learn(knowing(&source, path, purpose, first.clone())).await;
        assert_eq!(ending, Some(Ending::Complete), "{path} {purpose}");
    }
    assert_eq!(upstream.asked().len(), 4);
    let none = Known { purpose: None, validator: first };
    let stream: Stream = serde_saphyr::from_str("{path: /rows}").unwrap();
    let plain = source.run(&stream, &crate::pull::Vars { known: none, ..vars() });
    assert_eq!(learn(plain).await, (Some(Ending::Complete), None), "not asked, not learned");
}

#[tokio::test]
async fn not_modified_without_a_question_is_no_answer() {
    let upstream = Upstream::start(|_, _| Reply::answer(304, "", "")).await;
    let error = Setup::new(&upstream).first().await.unwrap_err();
    assert!(matches!(error, PullError::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn a_run_of_several_pages_learns_nothing() {
    let upstream =
        Upstream::start(|_, asked| Reply::answer(200, "etag: \"V1\"\r\n", &asked.line)).await;
    let source = Setup::new(&upstream).source();
    let stream: Stream =
        serde_saphyr::from_str("{path: /rows, paginator: {kind: next_link, at: /next}}").unwrap();
    let known = Known { purpose: Some("a".to_owned()), validator: None };
    let mut run = source.run(&stream, &crate::pull::Vars { known, ..vars() });
    for next in [Some("/rows?page=2"), None] {
        run.next().await.unwrap().unwrap();
        run.seen(&crate::pull::Turn { next: next.map(str::to_owned), raw_records: 1, total: None });
    }
    assert!(run.next().await.unwrap().is_none());
    assert_eq!((run.ending(), run.validator()), (Some(Ending::Complete), None));
}

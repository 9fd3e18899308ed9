//! Runs over several pages: where they go on, where they end, and what happens to a bad page.

use super::upstream::{Reply, Upstream};
use super::{Setup, run, turn, vars};
use crate::model::units::Span;
use crate::pull::{Cut, Ending, PullError, Reason, Requester, Run, SourceRate, Stream, Turn};

/// Answers each request with its own path and query, so that pages differ.
async fn echo() -> Upstream {
    Upstream::start(|_, asked| Reply::ok(asked.line.as_bytes())).await
}

fn of(raw_records: usize) -> Turn {
    Turn { raw_records, ..Turn::default() }
}

/// Walks the whole run; every page points to where `next` says.
async fn walk(run: &mut Run, next: impl Fn(u64) -> Turn) -> Result<(), PullError> {
    for _ in 0..100 {
        match run.next().await? {
            Some(page) => run.seen(&next(page.number)),
            None => return Ok(()),
        }
    }
    panic!("the run does not end");
}

#[tokio::test]
async fn a_single_page_is_a_complete_run() {
    let upstream = echo().await;
    let mut run = Setup::new(&upstream).run("{kind: none}");
    assert_eq!(run.ending(), None);
    walk(&mut run, |_| turn("/ignored", 5)).await.unwrap();
    assert_eq!((run.ending(), run.pages()), (Some(Ending::Complete), 1));
    assert_eq!(upstream.targets(), ["/rows"]);
}

#[tokio::test]
async fn numbered_pages_are_asked_until_one_is_not_full() {
    let upstream = echo().await;
    let setup = Setup::new(&upstream);
    let mut run = setup.run("{kind: page_number, query: p, size_query: size, page_size: 10}");
    walk(&mut run, |number| of(if number < 3 { 10 } else { 9 })).await.unwrap();
    assert_eq!(run.ending(), Some(Ending::Complete));
    assert_eq!(upstream.targets(), ["/rows?size=10&p=1", "/rows?size=10&p=2", "/rows?size=10&p=3"]);
}

#[tokio::test]
async fn tokens_and_links_are_followed_to_the_end() {
    let upstream = echo().await;
    let setup = Setup::new(&upstream);
    let end = |number, next: &str| if number < 3 { turn(next, 1) } else { turn("", 1) };
    let mut run = setup.run("{kind: cursor, at: /c, query: after}");
    walk(&mut run, |number| end(number, &format!("t{number}"))).await.unwrap();
    assert_eq!((run.ending(), run.pages()), (Some(Ending::Complete), 3));
    let mut run = setup.run("{kind: next_link, at: /next}");
    walk(&mut run, |number| end(number, &format!("?page={number}"))).await.unwrap();
    assert_eq!(run.ending(), Some(Ending::Complete));
    assert_eq!(
        upstream.targets(),
        ["/rows", "/rows?after=t1", "/rows?after=t2", "/rows", "/rows?page=1", "/rows?page=2"]
    );
}

#[tokio::test]
async fn links_of_the_header_are_followed_to_the_end_and_what_is_no_link_is_no_end() {
    let upstream = Upstream::start(|number, _| {
        let link = ["<?page=2>; rel=\"next\", </rows>; rel=first", "</rows>; rel=prev", "oh"];
        Reply::answer(200, &format!("Link: {}\r\n", link[number.min(2)]), number.to_string())
    })
    .await;
    let setup = Setup::new(&upstream);
    let mut run = setup.run("{kind: link_header}");
    walk(&mut run, |_| turn("/ignored", 1)).await.unwrap();
    assert_eq!((run.ending(), run.pages()), (Some(Ending::Complete), 2));
    assert_eq!(upstream.targets(), ["/rows", "/rows?page=2"]);
    let mut run = setup.run("{kind: link_header}");
    let error = walk(&mut run, |_| turn("", 1)).await.unwrap_err();
    assert_eq!(error.to_string(), "GET /rows: the Link header has no '<' before an address");
}

#[tokio::test]
async fn an_offset_goes_by_what_came_and_ends_where_the_total_says() {
    let upstream = echo().await;
    let setup = Setup::new(&upstream);
    let mut run = setup.run("{kind: offset, query: skip, total_at: /total}");
    walk(&mut run, |_| Turn { total: Some("5".to_owned()), ..of(2) }).await.unwrap();
    assert_eq!(run.ending(), Some(Ending::Complete));
    assert_eq!(upstream.targets(), ["/rows?skip=0", "/rows?skip=2", "/rows?skip=4"]);
}

#[tokio::test]
async fn a_link_to_another_origin_is_refused_and_nobody_there_is_asked() {
    let (upstream, elsewhere) = (echo().await, echo().await);
    let mut run = Setup::new(&upstream).run("{kind: next_link, at: /next}");
    run.next().await.unwrap().unwrap();
    run.seen(&turn(&format!("{}/CANARY", elsewhere.url()), 1));
    let error = run.next().await.unwrap_err();
    assert!(matches!(error, PullError::Refused { reason: Reason::Other, .. }), "{error:?}");
    assert!(error.to_string().starts_with("GET /rows: the next link leaves"), "{error}");
    assert!(!error.to_string().contains("CANARY"));
    assert_eq!(run.pages(), 1, "the page that carried the link counts");
    assert!(elsewhere.asked().is_empty());
}

/// S10.
#[tokio::test]
async fn a_link_back_ends_the_run_as_a_loop() {
    let upstream = echo().await;
    let mut run = Setup::new(&upstream).run("{kind: next_link, at: /next}");
    walk(&mut run, |number| turn(if number == 2 { "/rows" } else { "/rows?page=2" }, 1))
        .await
        .unwrap();
    assert_eq!((run.ending(), run.pages()), (Some(Ending::LoopDetected), 2));
    assert_eq!(upstream.asked().len(), 2);
}

/// S11: the same page again ends the run.
#[tokio::test]
async fn a_page_that_comes_twice_is_delivered_once() {
    let upstream = Upstream::start(|_, _| Reply::ok("[1,2,3]")).await;
    let mut run = Setup::new(&upstream).run("{kind: page_number, query: p, page_size: 3}");
    let full = of(3);
    walk(&mut run, |_| full.clone()).await.unwrap();
    assert_eq!((run.ending(), run.pages()), (Some(Ending::LoopDetected), 1));
    assert_eq!(upstream.asked().len(), 2);
}

/// S09.
#[tokio::test]
async fn endless_pages_end_at_the_cap() {
    let upstream = echo().await;
    let mut run = Setup::new(&upstream).run("{kind: cursor, at: /c, query: c, max_pages: 4}");
    walk(&mut run, |number| turn(&number.to_string(), 1)).await.unwrap();
    assert_eq!((run.ending(), run.pages()), (Some(Ending::Truncated(Cut::Pages)), 4));
    assert_eq!(upstream.asked().len(), 4);
}

#[tokio::test]
async fn a_page_that_does_not_decode_is_asked_again() {
    let upstream = Upstream::start(|number, _| match number {
        0 => Reply::ok("[1]"),
        1 | 2 => Reply::ok("<html>"),
        _ => Reply::ok("[2]"),
    })
    .await;
    let mut run = Setup::new(&upstream).run("{kind: cursor, at: /c, query: c}");
    run.next().await.unwrap().unwrap();
    run.seen(&turn("t", 1));
    for _ in 0..2 {
        let page = run.next().await.unwrap().unwrap();
        assert_eq!((&page.body[..], page.number), (&b"<html>"[..], 2));
        run.refused("not JSON").unwrap();
    }
    let page = run.next().await.unwrap().unwrap();
    assert_eq!((&page.body[..], page.number), (&b"[2]"[..], 2));
    run.seen(&Turn::default());
    assert!(run.next().await.unwrap().is_none());
    assert_eq!((run.ending(), run.pages()), (Some(Ending::Complete), 2));
    assert_eq!(upstream.targets(), ["/rows", "/rows?c=t", "/rows?c=t", "/rows?c=t"]);
}

#[tokio::test]
async fn a_page_that_never_decodes_is_unreadable() {
    let upstream = Upstream::start(|_, _| Reply::ok("<html>")).await;
    let mut run = Setup::new(&upstream).run("{kind: none}");
    for _ in 0..2 {
        run.next().await.unwrap().unwrap();
        run.refused("not JSON").unwrap();
    }
    run.next().await.unwrap().unwrap();
    let error = run.refused("not JSON").unwrap_err();
    assert!(matches!(error, PullError::Unreadable { reason: Reason::Decode, .. }), "{error:?}");
    assert_eq!(error.to_string(), "GET /rows: not a page: not JSON");
    assert!(run.next().await.unwrap().is_none());
    assert_eq!((run.ending(), upstream.asked().len()), (None, 3));
}

#[tokio::test]
async fn forgetting_to_say_what_a_page_held_is_an_error_and_not_an_end() {
    let upstream = echo().await;
    let mut run = Setup::new(&upstream).run("{kind: none}");
    run.next().await.unwrap().unwrap();
    assert!(matches!(run.next().await, Err(PullError::Unreadable { .. })));
}

#[tokio::test]
async fn an_empty_answer_is_a_page_for_the_decoder_to_judge() {
    let upstream = Upstream::start(|_, _| Reply::raw(204, "", "")).await;
    assert!(Setup::new(&upstream).first().await.unwrap().body.is_empty());
}

#[tokio::test]
async fn templates_fill_path_query_and_headers() {
    let upstream = echo().await;
    let setup = Setup::new(&upstream)
        .requester("headers: {X-Since: '{{ cursor }}', X-Kiosk: '{{ target }}', Accept: text/csv}");
    let stream: Stream = serde_saphyr::from_str(
        "{path: '/k/{{ target }}', query: {from: '{{ cursor }}', at: '{{ run_start }}'}}",
    )
    .unwrap();
    let mut vars = vars();
    vars.target = Some("K-07".to_owned());
    let source = setup.source();
    source.run(&stream, &vars).next().await.unwrap();
    vars.cursor = Some("20240402".to_owned());
    source.run(&stream, &vars).next().await.unwrap();
    let at = "at=2024-04-02T17%3A00%3A00%2B07%3A00";
    assert_eq!(
        upstream.targets(),
        [format!("/k/K-07?{at}"), format!("/k/K-07?{at}&from=20240402")]
    );
    let heads: Vec<_> = upstream.asked().into_iter().map(|asked| asked.head).collect();
    assert!(!heads[0].contains("x-since"), "left out until there is a cursor");
    assert!(heads[1].contains("x-since: 20240402"));
    assert!(heads[1].contains("x-kiosk: k-07"));
    assert!(heads[1].contains("accept: text/csv"));
}

#[tokio::test]
async fn an_error_names_the_template_and_not_what_it_was_filled_with() {
    let upstream = Upstream::start(|_, _| Reply::answer(404, "", "")).await;
    let stream: Stream =
        serde_saphyr::from_str("{path: '/k/{{ target }}', query: {from: '{{ cursor }}'}}").unwrap();
    let mut vars = vars();
    vars.target = Some("CANARY".to_owned());
    vars.cursor = Some("CANARY".to_owned());
    let error = Setup::new(&upstream).source().run(&stream, &vars).next().await.unwrap_err();
    assert_eq!(error.to_string(), "GET /k/{{ target }}: answered 404");
}

#[tokio::test]
async fn a_rate_limit_holds_for_all_runs_of_a_source_together() {
    let upstream = echo().await;
    let mut setup = Setup::new(&upstream);
    setup.rate = Some(SourceRate {
        requests: Some(2),
        per: Some(Span::seconds(3600)),
        ..SourceRate::default()
    });
    let source = setup.source();
    for path in ["/a", "/b"] {
        run(&source, &format!("{{path: {path}}}")).next().await.unwrap();
    }
    let patience = std::time::Duration::from_millis(100);
    let mut third = run(&source, "{path: /c}");
    assert!(tokio::time::timeout(patience, third.next()).await.is_err(), "the third one waits");
    assert_eq!(upstream.targets(), ["/a", "/b"]);
}

#[test]
fn a_requester_that_makes_no_sense_is_told_all_at_once() {
    let check = |yaml: &str| {
        let requester: Requester = serde_saphyr::from_str(yaml).unwrap();
        let mut problems = Vec::new();
        requester.check("requester", &mut problems);
        assert!(!format!("{problems:?}").contains("CANARY"), "{problems:?}");
        problems.into_iter().map(|(at, _)| at).collect::<Vec<_>>()
    };
    assert!(check("{url: 'https://portal.test:8443/api'}").is_empty());
    assert!(check("{url: 'http://{{ target }}/x'}").is_empty());
    assert!(check("{url: 'http://h:{{ target }}/'}").is_empty());
    for url in [
        "portal.test",
        "ftp://h",
        "http://",
        "http://u:CANARY@h",
        "http://h/?key=CANARY",
        "http://h/#x",
        "http://{{ cursor }}",
        "http://{{ nope }}",
        "http://{{ target",
    ] {
        let places = check(&format!("{{url: '{url}'}}"));
        assert!(!places.is_empty() && places.iter().all(|at| at == "requester.url"), "{url}");
    }
    assert_eq!(
        check(
            "{url: 'http://h', timeout: 0s, connect_timeout: 2h, idle_timeout: 0s,
              body_limit: 2GiB, at_once: 0,
              headers: {Authorization: CANARY, 'a b': x, Fine: '{{ nope }}'}}"
        ),
        [
            "requester.timeout",
            "requester.connect_timeout",
            "requester.idle_timeout",
            "requester.body_limit",
            "requester.at_once",
            "requester.headers.Authorization",
            "requester.headers.Fine",
            "requester.headers.a b",
        ]
    );
    for yaml in ["{}", "{url: 'http://h', retries: 3}", "{url: 'http://h', timeout: 20}"] {
        assert!(serde_saphyr::from_str::<Requester>(yaml).is_err(), "{yaml}");
    }
}

//! Requests with a body, headers of a stream and secrets in templates, as the source sees them.

use serde_json::{Value, json};

use super::upstream::{Asked, Reply, Upstream};
use super::{Setup, run, turn, vars};
use crate::pull::{Problems, Reason, Stream};

fn json_of(asked: &Asked) -> Value {
    serde_json::from_str(&asked.body).unwrap()
}

fn header<'a>(asked: &'a Asked, name: &str) -> Option<&'a str> {
    asked.head_as_sent.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

#[tokio::test]
async fn a_post_carries_its_json_with_numbers_as_numbers() {
    let upstream = Upstream::start(|_, _| Reply::ok("[]")).await;
    let stream: Stream = serde_saphyr::from_str(
        "{path: /evaluation, method: POST, area: '40', query: {v: 1}, body: {json: {
            timeType: month, year: 2026, area: '{{ area }}', since: '{{ cursor | number }}',
            slice: {from: '{{ slice_start }}', to: '{{ slice_end }}'}, at: '{{ run_start }}'}}}",
    )
    .unwrap();
    let source = Setup::new(&upstream).source();
    let mut vars = vars();
    source.run(&stream, &vars).next().await.unwrap();
    vars.cursor = Some("1712000000".to_owned());
    vars.slice_start = Some("20240401".to_owned());
    vars.slice_end = Some("20240402".to_owned());
    vars.area = Some("40017".to_owned());
    source.run(&stream, &vars).next().await.unwrap();
    let asked = upstream.asked();
    assert_eq!(asked[0].line, "POST /evaluation?v=1 HTTP/1.1");
    assert_eq!(header(&asked[0], "content-type"), Some("application/json"));
    assert_eq!(
        json_of(&asked[0]),
        json!({"timeType": "month", "year": 2026, "area": "40", "slice": {},
               "at": "2024-04-02T17:00:00+07:00"})
    );
    assert_eq!(
        json_of(&asked[1]),
        json!({"timeType": "month", "year": 2026, "area": "40017", "since": 1_712_000_000,
               "slice": {"from": "20240401", "to": "20240402"},
               "at": "2024-04-02T17:00:00+07:00"})
    );
}

#[tokio::test]
async fn a_post_carries_its_form() {
    let upstream = Upstream::start(|_, _| Reply::ok("[]")).await;
    let stream = "{path: /rows, method: POST,
                   body: {form: {code: '007', since: '{{ cursor }}', q: 'a b&c'}}}";
    run(&Setup::new(&upstream).source(), stream).next().await.unwrap();
    let asked = upstream.asked().remove(0);
    assert_eq!(header(&asked, "content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(asked.body, "code=007&q=a+b%26c");
}

#[tokio::test]
async fn page_numbers_and_tokens_stand_in_the_body_where_the_source_wants_them() {
    let upstream = Upstream::start(|number, _| Reply::ok(number.to_string())).await;
    let source = Setup::new(&upstream).source();
    let mut numbered = run(
        &source,
        "{path: /rows, method: POST, body: {json: {paging: {sort: id}}}, paginator: {
            kind: page_number, query: /paging/page, size_query: /paging/size, page_size: 2}}",
    );
    for raw_records in [2, 1] {
        numbered.next().await.unwrap().unwrap();
        numbered.seen(&turn("", raw_records));
    }
    let mut by_token = run(
        &source,
        "{path: /rows, method: POST, body: {json: {}},
          paginator: {kind: cursor, at: /next, query: /after}}",
    );
    for next in ["17", ""] {
        by_token.next().await.unwrap().unwrap();
        by_token.seen(&turn(next, 1));
    }
    let bodies: Vec<_> = upstream.asked().iter().map(json_of).collect();
    assert_eq!(
        bodies,
        [
            json!({"paging": {"sort": "id", "page": 1, "size": 2}}),
            json!({"paging": {"sort": "id", "page": 2, "size": 2}}),
            json!({}),
            json!({"after": "17"}),
        ]
    );
    assert!(upstream.targets().iter().all(|target| target == "/rows"), "none in the address");
}

#[tokio::test]
async fn secrets_in_templates_are_read_for_each_attempt_and_told_to_nobody_else() {
    let upstream = Upstream::start(|number, _| match number {
        0 => Reply::ok("[]"),
        _ => Reply::answer(500, "", "CANARY"),
    })
    .await;
    let setup = Setup::new(&upstream)
        .retries(0)
        .secret("key", "CANARY-1")
        .requester("headers: {lgspaccesstoken: {base64: {json: {SecretKey: '{{ secret.key }}'}}}}");
    let source = setup.source();
    let stream = "{path: /rows, method: POST, headers: {X-Key: 'k {{ secret.key }}'},
                   query: {key: '{{ secret.key }}', limit: 5},
                   body: {json: {key: '{{ secret.key }}'}}}";
    run(&source, stream).next().await.unwrap().unwrap();
    let _setup = setup.secret("key", "CANARY-2");
    let mut failing = run(&source, stream);
    let error = failing.next().await.unwrap_err();
    let asked = upstream.asked();
    for (asked, key) in asked.iter().zip(["CANARY-1", "CANARY-2"]) {
        assert!(asked.line.contains(&format!("limit=5&key={key}")), "{asked:?}");
        assert_eq!(header(asked, "x-key"), Some(format!("k {key}").as_str()));
        assert_eq!(json_of(asked), json!({"key": key}));
    }
    assert_eq!(header(&asked[0], "lgspaccesstoken"), Some("eyJTZWNyZXRLZXkiOiJDQU5BUlktMSJ9"));
    assert_eq!(error.to_string(), "POST /rows: answered 500");
    assert!(!format!("{error:?} {source:?}").contains("CANARY"));
}

#[tokio::test]
async fn a_secret_that_is_missing_is_named_and_nobody_is_asked() {
    let upstream = Upstream::start(|_, _| Reply::ok("[]")).await;
    let stream = "{path: /rows, query: {key: '{{ secret.absent }}'}}";
    let error = run(&Setup::new(&upstream).source(), stream).next().await.unwrap_err();
    assert_eq!(error.reason(), Reason::Auth);
    assert!(error.to_string().contains("'absent'"), "{error}");
    assert!(upstream.asked().is_empty());
}

#[test]
fn a_request_that_makes_no_sense_is_told_all_at_once() {
    let stream: Stream = serde_saphyr::from_str(
        "{path: '/{{ secret.key }}', body: {json: {a: '{{ nope }}'}}, query: {/page: 1},
          headers: {Cookie: x}, paginator: {kind: cursor, at: /next, query: after}}",
    )
    .unwrap();
    let mut problems = Problems::new();
    stream.check("s", &mut problems);
    let bodiless: Stream =
        serde_saphyr::from_str("{path: /a, paginator: {kind: cursor, at: /next, query: /after}}")
            .unwrap();
    bodiless.check("t", &mut problems);
    let places: Vec<_> = problems.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(
        places,
        [
            "s.path",
            "s.query./page",
            "s.headers.Cookie",
            "s.body",
            "s.body.json.a",
            "t.paginator.query",
        ]
    );
}

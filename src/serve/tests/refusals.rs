//! Every refusal is a problem that says what would have been allowed, and nothing of the inside.

use std::sync::Arc;

use actix_web::http::{Method, header};
use actix_web::test::TestRequest;
use serde_json::{Value, json as object};

use super::world::{Listed, bare, context, quarantined};
use super::{Reply, get, json, send};

/// A refusal with all the marks of a problem.
pub(super) fn problem(reply: &Reply, status: u16, code: &str) -> Value {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "application/problem+json");
    assert_eq!(reply.header("cache-control"), "no-store");
    let body = reply.json();
    assert_eq!(body["status"], status);
    assert_eq!(body["type"], format!("/docs/problems/{code}"));
    for field in ["title", "detail", "instance"] {
        assert!(body[field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
    }
    body
}

#[actix_web::test]
async fn an_unknown_path_is_a_problem_with_the_nearest_address() {
    let reply = get(&context(), "/v1/catalog").await;
    let body = problem(&reply, 404, "unknown-path");
    assert_eq!(body["suggestions"], object!(["/v1/catalogue"]));
    assert_eq!(body["instance"], "/v1/catalog");
    for path in ["/v1/", "/v1/indicators", "/v1/indicators/received/value/x", "/assets/x.js", "//"]
    {
        problem(&get(&context(), path).await, 404, "unknown-path");
    }
}

#[actix_web::test]
async fn another_method_is_refused_with_those_that_are_allowed() {
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
        for path in ["/", "/v1", "/v1/indicators/received/value", "/v1/quarantine", "/livez"] {
            let request = TestRequest::default().method(method.clone()).uri(path);
            let reply = send(&context(), request).await;
            problem(&reply, 405, "method-not-allowed");
            assert_eq!(reply.header("allow"), "GET, HEAD", "{method} {path}");
        }
    }
}

#[actix_web::test]
async fn an_unknown_indicator_or_source_gets_suggestions() {
    for rest in ["", "/value", "/series", "/breakdown"] {
        let reply = get(&context(), &format!("/v1/indicators/online_rat{rest}")).await;
        let body = problem(&reply, 404, "unknown-indicator");
        assert_eq!(body["suggestions"], object!(["online_rate"]));
    }
    let body = problem(&get(&context(), "/v1/sources/portla").await, 404, "unknown-source");
    assert_eq!(body["suggestions"], object!(["portal"]));
}

#[actix_web::test]
async fn an_unknown_parameter_is_refused_everywhere_with_the_nearest_name() {
    let reply = get(&context(), "/v1/indicators/received/value?peroid=2024").await;
    let body = problem(&reply, 400, "unknown-parameter");
    assert_eq!(
        body["errors"],
        object!([{
            "parameter": "peroid",
            "reason": "is unknown; the nearest is 'period'",
            "suggestion": "period",
            "allowed": [
                "period", "area", "filter[dimension]", "compare", "boundaries", "as_of", "format",
                "bom"
            ]
        }])
    );
    for path in [
        "/",
        "/assets/console.css",
        "/v1",
        "/v1/catalogue",
        "/v1/indicators/received",
        "/v1/indicators/received/series",
        "/v1/indicators/received/breakdown",
        "/v1/indicators/received/revisions",
        "/v1/dimensions/area/values",
        "/v1/sources",
        "/v1/sources/portal",
        "/v1/quarantine",
        "/livez",
        "/readyz",
        "/metrics",
        "/docs/problems/internal",
    ] {
        let reply = get(&context(), &format!("{path}?zzz=1")).await;
        problem(&reply, 400, "unknown-parameter");
    }
}

#[actix_web::test]
async fn a_bad_value_is_refused_with_what_is_allowed() {
    let value = "/v1/indicators/received/value";
    let series = "/v1/indicators/received/series";
    let breakdown = "/v1/indicators/received/breakdown";
    for (path, parameter) in [
        (format!("{value}?period=2024-13"), "period"),
        (format!("{value}?period="), "period"),
        (format!("{value}?period={}", "9".repeat(500)), "period"),
        (format!("{value}?area=99999"), "area"),
        (format!("{value}?area=%FF"), "area"),
        (format!("{value}?compare=target,last_year"), "compare"),
        (format!("{series}?grain=minute"), "grain"),
        (format!("{series}?from=2024-02-30"), "from"),
        (format!("{series}?from=0001-01-01"), "from"),
        (format!("{series}?from=2024-03-01&to=2024-03-01"), "to"),
        (format!("{series}?to=2024-03-01"), "to"),
        (format!("{series}?last=0d"), "last"),
        (format!("{series}?last=5d&period=2024"), "last"),
        (format!("{series}?by=chanel"), "by"),
        (format!("{series}?by=commune&area=16681"), "by"),
        (format!("{breakdown}?by=chanel"), "by"),
        (format!("{breakdown}?sort=name"), "sort"),
        (format!("{breakdown}?limit=0"), "limit"),
        (format!("{breakdown}?limit=-1"), "limit"),
        ("/v1/catalogue?group=portals".to_owned(), "group"),
        ("/v1/catalogue?unit=vp".to_owned(), "unit"),
        ("/v1/quarantine?source=nobody".to_owned(), "source"),
        ("/v1/quarantine?reason=bad".to_owned(), "reason"),
        ("/v1/quarantine?cursor=x".to_owned(), "cursor"),
        ("/v1/quarantine?limit=100000".to_owned(), "limit"),
        ("/v1/breaches?source=nobody".to_owned(), "source"),
        ("/v1/breaches?unit=nobody".to_owned(), "unit"),
        ("/v1/breaches?state=closed".to_owned(), "state"),
        ("/v1/breaches?grade=bad".to_owned(), "grade"),
        ("/v1/lateness?source=nobody".to_owned(), "source"),
        ("/v1/lateness?unit=nobody".to_owned(), "unit"),
        ("/v1/lateness?contract=nothing".to_owned(), "contract"),
        ("/v1/lateness?state=early".to_owned(), "state"),
        ("/v1/lateness?from=2024-02-30".to_owned(), "from"),
        ("/v1/lateness?from=2024-03-02&to=2024-03-02".to_owned(), "to"),
        ("/v1/lateness?cursor=1.portal".to_owned(), "cursor"),
        ("/v1/lateness?limit=0".to_owned(), "limit"),
        ("/v1/units?from=tomorrow".to_owned(), "from"),
        ("/?period=tomorrow".to_owned(), "period"),
    ] {
        let reply = get(&context(), &path).await;
        let body = problem(&reply, 400, "bad-parameter");
        assert_eq!(body["errors"][0]["parameter"], parameter, "{path}");
        assert!(reply.body.len() < 2000, "{path}");
    }
    let body = get(&context(), &format!("{breakdown}?by=chanel")).await.json();
    assert_eq!(body["errors"][0]["suggestion"], "channel");
    assert_eq!(body["errors"][0]["allowed"], object!(["commune", "district", "channel"]));
}

#[actix_web::test]
async fn a_parameter_given_twice_is_refused() {
    let reply = get(&context(), "/v1/indicators/received/value?period=2024&period=2025").await;
    let body = problem(&reply, 400, "unknown-parameter");
    assert_eq!(body["errors"][0]["reason"], "is given more than once");
}

#[actix_web::test]
async fn too_many_points_name_a_coarser_grain() {
    let path = "/v1/indicators/received/series?from=2000-01-01&to=2030-01-01";
    let body = problem(&get(&context(), path).await, 400, "too-many-points");
    assert!(body["detail"].as_str().unwrap().contains("grain=week"), "{body}");
    assert_eq!(get(&context(), &format!("{path}&grain=week")).await.status, 200);
}

#[actix_web::test]
async fn an_address_that_is_too_long_and_a_body_are_refused() {
    let long = format!("/v1/catalogue?q={}", "x".repeat(3000));
    problem(&get(&context(), &long).await, 414, "url-too-long");
    let request = TestRequest::get()
        .uri("/v1")
        .insert_header((header::CONTENT_LENGTH, "4"))
        .set_payload("abcd");
    problem(&send(&context(), request).await, 413, "body-not-accepted");
}

#[actix_web::test]
async fn what_goes_wrong_inside_stays_inside() {
    let reply = get(&context(), "/v1/quarantine?source=kiosks").await;
    problem(&reply, 500, "internal");
    assert!(!reply.text().contains("CANARY"));
}

#[actix_web::test]
async fn the_gateway_is_unready_for_its_own_sake_only() {
    let reply = get(&context(), "/readyz?verbose").await;
    assert_eq!((reply.status, reply.text()), (200, "[+] store ok\n[+] config ok\nok\n"));
    assert_eq!(get(&context(), "/readyz").await.text(), "ok\n");
    let mut context = bare();
    context.ready =
        Arc::new(|| vec![("config", Ok(())), ("store", Err("is read-only".to_owned()))]);
    let context = Arc::new(context);
    let reply = get(&context, "/readyz").await;
    let body = problem(&reply, 503, "not-ready");
    assert_eq!(body["detail"], "Failed checks: store (is read-only).");
    assert_eq!(reply.header("retry-after"), "5");
    assert_eq!(get(&context, "/livez").await.text(), "ok\n");
}

#[actix_web::test]
async fn every_type_of_problem_can_be_looked_up() {
    for kind in super::super::error::KINDS {
        let reply = get(&context(), &format!("/docs/problems/{}", kind.code)).await;
        assert!(reply.status == 200 && reply.text().contains(kind.title), "{}", kind.code);
    }
    problem(&get(&context(), "/docs/problems/none").await, 404, "unknown-path");
}

#[actix_web::test]
async fn the_quarantine_is_read_page_by_page() {
    let mut context = bare();
    let records = (1..=5)
        .map(|id| quarantined(id, "portal", if id == 3 { "unknown_code" } else { "wrong_type" }));
    context.quarantine = Arc::new(Listed(records.collect()));
    let context = Arc::new(context);
    let mut path = "/v1/quarantine?reason=wrong_type&source=portal&limit=3".to_owned();
    let mut ids = Vec::new();
    for _ in 0..5 {
        let body = json(&context, &path).await;
        ids.extend(body["items"].as_array().unwrap().iter().filter_map(|item| item["id"].as_u64()));
        match body["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(ids, [1, 2, 4, 5]);
    assert_eq!(path, "/v1/quarantine?source=portal&reason=wrong_type&cursor=4&limit=3");
}

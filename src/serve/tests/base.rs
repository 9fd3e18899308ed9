//! Below a path of a shared host: everything is there and nothing beside it, and every link leads to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use actix_web::http::{Method, header};
use actix_web::test::TestRequest;
use serde_json::{Value, json as object};

use super::world::{Listed, bare, quarantined, watched};
use super::{Reply, get, json, send, send_to};
use crate::serve::{Context, Kept, Offers};

/// No walk is longer.
const STEPS: usize = 3000;

/// Where the walk begins besides the two first pages: lists that go on, and refusals.
const BESIDES: [&str; 9] = [
    "/ioc",
    "/ioc/v1/sources/kiosks/targets?limit=5&state=up",
    "/ioc/v1/sources/portal/runs?limit=1",
    "/ioc/v1/quarantine?limit=1",
    "/ioc/v1/lateness?limit=1",
    "/ioc/v1/audit?limit=1",
    "/ioc/v1/catalog",
    "/ioc/docs/problems/none",
    "/ioc/assets/none.css",
];

fn below(base: &str) -> Context {
    let mut context = bare();
    context.base = base.parse().unwrap();
    context.quarantine =
        Arc::new(Listed((1..=3).map(|id| quarantined(id, "portal", "missing")).collect()));
    context
}

/// Every text in a body that begins as an address does.
fn links_of(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.starts_with('/') => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| links_of(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| links_of(field, found)),
        _ => {}
    }
}

/// Every address in a page, besides those within it.
fn links_in(page: &str) -> Vec<String> {
    let marks = [" href=", " src=", " action=", " srcset=", " data="];
    let attributes = marks.iter().flat_map(|mark| page.split(mark).skip(1));
    let values = attributes
        .map(|rest| rest.strip_prefix('"').expect("it is quoted").split_once('"').unwrap().0);
    let outward = values.filter(|link| !link.starts_with('#') && !link.starts_with("data:"));
    outward.map(|link| link.replace("&amp;", "&")).collect()
}

fn links(path: &str, reply: &Reply) -> Vec<String> {
    let mut found = Vec::new();
    match reply.header("content-type") {
        // Its paths are those within its server; a test of its own looks at it.
        _ if path.contains("openapi.json") => {}
        "application/json" | "application/problem+json" => links_of(&reply.json(), &mut found),
        kind if kind.starts_with("text/html") => found = links_in(reply.text()),
        _ => {}
    }
    found
}

/// What an answer may be besides a good one: a list that needs a parameter, a past that there is not here,
/// a list that this world cannot read, and what was asked for wrongly at the start of the walk.
fn is_known_refusal(path: &str, reply: &Reply) -> bool {
    let kind = reply.json()["type"].as_str().unwrap_or_default().to_owned();
    match kind.as_str() {
        "/ioc/docs/problems/no-vintage" => path.contains("/revisions"),
        "/ioc/docs/problems/internal" => path == "/ioc/v1/quarantine?source=kiosks",
        "/ioc/docs/problems/bad-parameter" => path == "/ioc/v1/exports/readings",
        "/ioc/docs/problems/unknown-path" => BESIDES.contains(&path),
        _ => false,
    }
}

#[actix_web::test]
async fn every_link_of_every_answer_and_page_leads_on_below_the_base() {
    let context = Arc::new(below("/ioc"));
    let mut ahead = vec!["/ioc/v1".to_owned(), "/ioc/".to_owned()];
    ahead.extend(BESIDES.map(str::to_owned));
    let (mut seen, mut faults) = (BTreeMap::new(), Vec::new());
    while let Some(link) = ahead.pop() {
        let path = link.split_once('#').map_or(&*link, |(path, _)| path).to_owned();
        // Events are told without an end.
        if seen.contains_key(&path) || path.starts_with("/ioc/v1/events") {
            continue;
        }
        assert!(seen.len() < STEPS, "the walk does not end");
        let reply = get(&context, &path).await;
        if reply.status != 200 && !is_known_refusal(&path, &reply) {
            faults.push(format!("{path}: {} {}", reply.status, reply.text()));
        }
        for next in links(&path, &reply) {
            if next == "/ioc" || next.starts_with("/ioc/") {
                ahead.push(next);
            } else {
                faults.push(format!("{path} links to {next}"));
            }
        }
        seen.insert(path, reply.status);
    }
    assert!(faults.is_empty(), "{faults:#?}");
    for path in [
        "/ioc/assets/console.css",
        "/ioc/docs",
        "/ioc/docs/problems/unknown-path",
        "/ioc/docs/prometheus",
        "/ioc/indicators/received",
        "/ioc/livez",
        "/ioc/metrics",
        "/ioc/openapi.json",
        "/ioc/prometheus",
        "/ioc/quarantine",
        "/ioc/trackers/register",
        "/ioc/units/vp-ubnd",
        "/ioc/v1/boards",
        "/ioc/v1/dimensions/channel/values",
        "/ioc/v1/quarantine?cursor=1&limit=1",
        "/ioc/v1/sources/portal/runs",
    ] {
        let is_seen = seen.keys().any(|known| known.split('?').next() == path.split('?').next());
        assert!(is_seen && (!path.contains('?') || seen.contains_key(path)), "{path}: {seen:#?}");
    }
}

#[actix_web::test]
async fn outside_there_is_nothing_but_a_word_where_it_is() {
    let (mut context, observed) = {
        let (context, observed) = watched();
        (Arc::unwrap_or_clone(context), observed)
    };
    context.base = "/ioc/gateway".parse().unwrap();
    let context = Arc::new(context);
    for (path, right) in [
        ("/", "/ioc/gateway/"),
        ("/v1", "/ioc/gateway/v1"),
        ("/livez", "/ioc/gateway/livez"),
        ("/metrics", "/ioc/gateway/metrics"),
        ("/docs/problems/bad-body", "/ioc/gateway/docs/problems/bad-body"),
        ("/v1/indicators/received/value", "/ioc/gateway/v1/indicators/received/value"),
        ("/v1/badges/received.svg", "/ioc/gateway/v1/badges/received.svg"),
        ("/v1/catalog", "/ioc/gateway/v1/catalogue"),
        ("/ioc", "/ioc/gateway/v1"),
        ("/ioc/gatewayv1", "/ioc/gateway/v1"),
        ("/ioc/gateway/v1/catalog", "/ioc/gateway/v1/catalogue"),
        ("/v1/indicators/", "/ioc/gateway/v1"),
    ] {
        let reply = get(&context, path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.header("content-type"), "application/problem+json");
        let body = reply.json();
        assert_eq!(body["type"], "/ioc/gateway/docs/problems/unknown-path");
        assert_eq!(body["instance"], path);
        assert_eq!(body["suggestions"], object!([right]), "{path}");
        assert_eq!(get(&context, right).await.status, 200, "{right}");
    }
    let routes: BTreeSet<String> =
        observed.lock().unwrap().iter().map(|(route, _, _)| route.clone()).collect();
    assert!(routes.contains("/v1/indicators/{id}/value") && routes.contains("/"), "{routes:?}");
    assert!(routes.iter().all(|route| !route.contains("gateway")), "{routes:?}");
    // However long the path, the answer stays short.
    let long = get(&context, &format!("/{}", "a".repeat(1500))).await;
    assert_eq!(long.json()["suggestions"], object!(["/ioc/gateway/v1"]));
}

#[actix_web::test]
async fn refusals_of_every_layer_name_their_kind_below_the_base() {
    let context = Arc::new(below("/ioc"));
    let long = format!("/ioc/v1?{}", "a".repeat(3000));
    let json = (header::CONTENT_TYPE, "application/json");
    for (request, kind) in [
        (TestRequest::get().uri(&long), "url-too-long"),
        (TestRequest::delete().uri("/ioc/v1/catalogue"), "method-not-allowed"),
        (TestRequest::get().uri("/ioc/v1").set_payload("x"), "body-not-accepted"),
        (TestRequest::get().uri("/ioc/v1/units/none"), "unknown-unit"),
        (TestRequest::get().uri("/ioc/v1/events?wrong=1"), "unknown-parameter"),
        (TestRequest::post().uri("/ioc/v1/query").insert_header(json).set_payload("{"), "bad-body"),
        (TestRequest::post().uri("/ioc/v1/sources/portal/pulls"), "key-needed"),
        (TestRequest::post().uri("/ioc/v1/intake/none.none"), "unknown-stream"),
    ] {
        let reply = send(&context, request).await;
        let said = reply.json();
        assert_eq!(said["type"], format!("/ioc/docs/problems/{kind}"), "{}", reply.text());
    }
}

#[actix_web::test]
async fn queries_of_a_batch_link_to_their_own_addresses() {
    let body = object!({"queries": [
        {"indicator": "received", "read": "value", "parameters": {"period": "2024-03"}},
        {"indicator": "none", "read": "value"},
        {"indicator": "received", "read": "value", "parameters": {"format": "csv"}},
    ]});
    let request = TestRequest::post()
        .uri("/ioc/v1/query")
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .set_payload(body.to_string());
    let context = Arc::new(below("/ioc"));
    let items = send(&context, request).await.json()["items"].clone();
    let alone = json(&context, "/ioc/v1/indicators/received/value?period=2024-03").await;
    assert_eq!(items[0]["answer"], alone);
    assert_eq!(alone["links"]["self"], "/ioc/v1/indicators/received/value?period=2024-03");
    let unknown = &items[1]["problem"];
    assert_eq!(unknown["type"], "/ioc/docs/problems/unknown-indicator");
    assert_eq!(unknown["instance"], "/ioc/v1/indicators/none/value");
    assert_eq!(items[2]["problem"]["instance"], "/ioc/v1/query");
}

#[actix_web::test]
async fn answers_are_kept_and_prometheus_knocks_with_and_without_a_slash() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let mut context = below("/ioc");
    context.kept = Arc::new(Kept::new(Arc::new(move |found| noted.lock().unwrap().push(found))));
    let context = Arc::new(context);
    let value = "/ioc/v1/indicators/received/value?period=2024-03";
    let first = get(&context, value).await;
    assert_eq!(get(&context, value).await.body, first.body);
    assert_eq!(*seen.lock().unwrap(), [false, true]);
    for path in ["/ioc/prometheus", "/ioc/prometheus/"] {
        let reply = get(&context, path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert!(reply.text().contains(" /ioc/docs/prometheus "), "{}", reply.text());
    }
    let up = get(&context, "/ioc/prometheus/api/v1/labels").await;
    assert_eq!(up.json()["status"], "success");
    let head = TestRequest::default().method(Method::HEAD).uri("/ioc");
    assert_eq!(send(&context, head).await.status, 200);
    let command = get(&context, "/ioc/quarantine").await;
    assert!(command.text().contains("--url http://127.0.0.1:8080/ioc<"), "{}", command.text());
}

#[actix_web::test]
async fn the_document_says_the_base_once_in_its_server() {
    let (at_home, below) = (Arc::new(bare()), Arc::new(below("/ioc")));
    let mut plain = json(&at_home, "/openapi.json").await;
    let based = json(&below, "/ioc/openapi.json").await;
    assert_eq!(plain["servers"][0]["url"], "/");
    assert_eq!(based["servers"][0]["url"], "/ioc");
    plain["servers"] = based["servers"].clone();
    assert_eq!(plain, based);
}

#[actix_web::test]
async fn a_listener_for_metrics_alone_stays_without_it() {
    let context = Arc::new(below("/ioc"));
    let ask =
        async |path: &str| send_to(&context, Offers::Metrics, TestRequest::get().uri(path)).await;
    for path in ["/metrics", "/metrics/indicators", "/livez", "/readyz"] {
        assert_eq!(ask(path).await.status, 200, "{path}");
        assert_eq!(ask(&format!("/ioc{path}")).await.status, 404, "{path}");
    }
    assert_eq!(ask("/metricz").await.json()["suggestions"], object!(["/metrics"]));
    let main = send_to(&context, Offers::AllButMetrics, TestRequest::get().uri("/ioc/v1")).await;
    assert_eq!(main.status, 200);
}

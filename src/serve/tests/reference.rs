//! The reference says what the server does, and nothing else: every address of the table is asked,
//! and what comes back must be described.

use actix_web::http::{Method, header};
use actix_web::test::TestRequest;
use serde_json::Value;

use super::world::{context, quarantined};
use super::{Reply, get, json, send};
use crate::model::snapshot::Rebuilding;
use crate::serve::Base;
use crate::serve::openapi::build;
use crate::serve::routes::parameter::{Place, Takes};
use crate::serve::routes::{self, Content, Operation, Route, Verb};

/// The document as it is published, held by example: whoever changes it sees what clients will see.
#[test]
fn the_document_changes_only_when_somebody_means_it() {
    let text = serde_json::to_string_pretty(&build("0.1.0", &Base::default())).unwrap();
    insta::assert_snapshot!("openapi", text);
}

/// What changed needs a past, which the small province has not; the tests of the past read it.
const PAST: &str = "readRevisions";

/// An address of a route that exists in the small province.
pub(super) fn address(route: &Route, operation: &Operation) -> String {
    let id = match route.path {
        path if path.contains("/badges/sources/") => "portal",
        path if path.contains("/indicators/") || path.contains("/badges/") => "received",
        path if path.contains("/sources/{id}/targets") => "kiosks",
        path if path.contains("/sources/") => "portal",
        path if path.contains("/units/") => "vp-ubnd",
        path if path.contains("/trackers/") => "register",
        path if path.contains("/boards/") => "daily",
        _ => "1",
    };
    let path = route
        .path
        .replace("{id}", id)
        .replace("{stream}", "loans.decisions")
        .replace("{item}", "MH01")
        .replace("{dimension}", "channel")
        .replace("{job}", "rebuild:dossiers.later")
        .replace("{code}", "internal")
        .replace("{name}", if route.path.contains("/assets/") { "console.css" } else { "commune" });
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for each in operation.parameters().filter(|each| each.place == Place::Query && each.required) {
        query.append_pair(each.name, each.example);
    }
    // An open stream has no end to wait for.
    if operation.id == "followEvents" {
        query.append_pair("snapshot", "2");
    }
    match query.finish() {
        query if query.is_empty() => path,
        query => format!("{path}?{query}"),
    }
}

/// A request that an operation takes.
pub(super) fn request(route: &Route, operation: &Operation) -> TestRequest {
    let uri = address(route, operation);
    let request = match operation.verb {
        Verb::Read => TestRequest::get(),
        Verb::Post => TestRequest::post(),
        Verb::Patch => TestRequest::patch(),
        Verb::Delete => TestRequest::delete(),
    };
    let request = request.uri(&uri);
    if operation.body.is_none() {
        request
    } else {
        // The small province's doors take a number.
        let body = if operation.id == "deliver" { "3" } else { "{}" };
        request.insert_header((header::CONTENT_TYPE, "application/json")).set_payload(body)
    }
}

/// The small province with something in quarantine and something under way.
fn full() -> std::sync::Arc<crate::serve::Context> {
    let mut world = super::world::bare();
    world.quarantine =
        std::sync::Arc::new(super::world::Listed(vec![quarantined(1, "portal", "wrong_type")]));
    let mut snapshot = (*world.snapshot.load_full()).clone();
    snapshot.rebuilding.insert("dossiers.later".to_owned(), Rebuilding { done: 3, total: 4 });
    world.snapshot.store(snapshot.into());
    std::sync::Arc::new(world)
}

async fn ask(route: &Route, operation: &Operation) -> Reply {
    send(&full(), request(route, operation)).await
}

pub(super) fn every() -> impl Iterator<Item = (&'static Route, &'static Operation)> {
    routes::all().flat_map(|route| route.operations.iter().map(move |each| (route, each)))
}

fn verb(operation: &Operation) -> &'static str {
    match operation.verb {
        Verb::Read => "get",
        Verb::Post => "post",
        Verb::Patch => "patch",
        Verb::Delete => "delete",
    }
}

#[actix_web::test]
async fn every_address_answers_with_a_status_and_a_type_that_are_described() {
    let document = build("0.1.0", &Base::default());
    for (route, operation) in every() {
        let reply = ask(route, operation).await;
        let described = &document["paths"][route.path][verb(operation)]["responses"];
        let described = &described[reply.status.to_string()];
        assert!(described.is_object(), "{}: {} {}", operation.id, reply.status, reply.text());
        let plain = |text: &str| text.split(';').next().unwrap_or_default().to_owned();
        let kind = plain(reply.header("content-type"));
        let kinds = described["content"].as_object().expect("the answer's types are described");
        assert!(kinds.keys().any(|known| plain(known) == kind), "{}: {kind}", operation.id);
        assert!(reply.status < 500, "{}: {}", operation.id, reply.text());
        if operation.verb == Verb::Read && !["followEvents", PAST].contains(&operation.id) {
            assert_eq!(reply.status, 200, "{}: {}", operation.id, reply.text());
            let cached = !reply.header("etag").is_empty();
            assert_eq!(cached, operation.is_kept, "{}: 304 is described wrongly", operation.id);
        }
    }
}

#[actix_web::test]
async fn what_is_not_described_is_not_there() {
    let context = context();
    for (route, operation) in every() {
        let path = address(route, operation);
        let path = path.split('?').next().unwrap_or_default();
        let reply = get(&context, &format!("{path}/zzz")).await;
        assert_eq!(reply.status, 404, "{path}/zzz: {}", reply.text());
        assert_eq!(reply.header("content-type"), "application/problem+json", "{path}/zzz");
    }
}

#[actix_web::test]
async fn other_methods_are_refused_with_exactly_those_that_are_described() {
    let context = context();
    let all = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    for route in routes::all() {
        let verbs: Vec<&str> = route.operations.iter().map(verb).collect();
        let path = address(route, &route.operations[0]);
        for method in &all {
            if verbs.contains(&method.as_str().to_lowercase().as_str()) {
                continue;
            }
            let request = TestRequest::default().method(method.clone()).uri(&path);
            // A body changes nothing about it: what is not read is not too large either.
            let bodied = TestRequest::default().method(method.clone()).uri(&path);
            let bodied = bodied.insert_header((header::CONTENT_LENGTH, "2")).set_payload("{}");
            assert_eq!(send(&context, bodied).await.status, 405, "{method} {path} with a body");
            let reply = send(&context, request).await;
            assert_eq!(reply.status, 405, "{method} {path}");
            let allowed = reply.header("allow").to_lowercase();
            let allowed: Vec<&str> =
                allowed.split(", ").filter(|method| *method != "head").collect();
            assert_eq!(allowed, verbs, "{method} {path}");
        }
    }
}

#[test]
fn names_are_given_once_and_pieces_of_paths_are_described() {
    let mut ids: Vec<&str> = every().map(|(_, operation)| operation.id).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "an operation's name is given twice");
    for (route, operation) in every() {
        let pieces: Vec<&str> = operation
            .parameters()
            .filter(|each| each.place == Place::Path)
            .map(|each| each.name)
            .collect();
        let written: Vec<&str> = route
            .path
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
            .collect();
        assert_eq!(pieces, written, "{}", operation.id);
        assert!(!operation.title.0.is_empty() && !operation.title.1.is_empty(), "{}", operation.id);
    }
}

/// A word that a handler takes and the table does not name, or the other way round, is drift too.
#[actix_web::test]
async fn the_words_and_the_numbers_of_parameters_are_those_that_handlers_take() {
    let context = context();
    let mut asked = 0;
    for (route, operation) in every() {
        let is_strict = operation.tag != routes::Tag::Prometheus && operation.verb == Verb::Read;
        if !is_strict || [PAST, "followEvents"].contains(&operation.id) {
            continue;
        }
        let uri = address(route, operation);
        let query = operation.parameters().filter(|each| each.place == Place::Query);
        for parameter in query {
            let name = parameter.name;
            match parameter.takes {
                Takes::Words(words) => {
                    let body = get(&context, &format!("{uri}?{name}=zzz")).await.json();
                    assert_eq!(body["errors"][0]["parameter"], name, "{uri}: {body}");
                    assert_eq!(body["errors"][0]["allowed"], serde_json::json!(words), "{uri}");
                }
                Takes::Count(most) => {
                    for (count, status) in [(0, 400), (1, 200), (most, 200), (most + 1, 400)] {
                        let reply = get(&context, &format!("{uri}?{name}={count}")).await;
                        assert_eq!(reply.status, status, "{uri}?{name}={count}: {}", reply.text());
                    }
                }
                Takes::Text | Takes::Pattern(_) | Takes::Number | Takes::Many | Takes::Named => {
                    continue;
                }
            }
            asked += 1;
        }
    }
    assert!(asked > 20, "the table was not understood: {asked} parameters");
}

/// All lists, read in three forms: the same rows, the same columns.
#[actix_web::test]
async fn every_list_is_a_table_too() {
    for (route, operation) in every() {
        if !matches!(operation.content, Content::Listed(_)) || operation.id == PAST {
            continue;
        }
        let whole = ask(route, operation).await.json();
        let rows = whole["items"].as_array().map_or(1, Vec::len);
        let uri = address(route, operation);
        let world = full();
        let csv = get(&world, &format!("{uri}?format=csv")).await;
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present", "{uri}");
        let mut reader = csv::Reader::from_reader(csv.body.as_slice());
        let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        assert_eq!(reader.records().filter_map(Result::ok).count(), rows, "{uri}");
        let lines = get(&world, &format!("{uri}?format=ndjson")).await;
        assert_eq!(lines.header("content-type"), "application/x-ndjson", "{uri}");
        let lines: Vec<Value> =
            lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), rows, "{uri}");
        for line in &lines {
            let names = line.as_object().unwrap();
            assert!(header.iter().all(|name| names.contains_key(name)), "{uri}: {line}");
            assert_eq!(names.len(), header.len(), "{uri}");
        }
        // A table that is mostly empty would be a slip of the columns' places.
        let Some(first) = lines.first() else { continue };
        let filled = header.iter().filter(|name| !first[name.as_str()].is_null()).count();
        assert!(filled * 3 > header.len(), "{uri}: {first}");
    }
}

#[actix_web::test]
async fn a_form_that_is_not_offered_is_refused_with_those_that_are() {
    let context = context();
    let series = "/v1/indicators/received/series";
    let asking = |accept: &'static str, path: &str| {
        TestRequest::get().uri(path).insert_header((header::ACCEPT, accept))
    };
    for (reply, parameter, offered) in [
        (get(&context, &format!("{series}?format=xml")).await, "format", "ndjson"),
        (send(&context, asking("application/xml", series)).await, "Accept", "text/csv"),
        (
            send(&context, asking("text/csv", "/v1/sources/portal")).await,
            "Accept",
            "application/json",
        ),
    ] {
        assert_eq!(reply.status, 406, "{}", reply.text());
        assert_eq!(reply.header("content-type"), "application/problem+json");
        let body = reply.json();
        assert_eq!(body["type"], "/docs/problems/not-acceptable");
        assert_eq!(body["errors"][0]["parameter"], parameter);
        let allowed = body["errors"][0]["allowed"].as_array().unwrap();
        assert!(allowed.iter().any(|form| form == offered), "{body}");
    }
    // Who takes anything gets JSON; what is only text is sent to whoever asks.
    assert_eq!(send(&context, asking("text/html, */*;q=0.8", series)).await.status, 200);
    assert_eq!(send(&context, asking("application/json", "/metrics")).await.status, 200);
}

#[actix_web::test]
async fn excel_gets_its_mark_and_nobody_else() {
    let context = context();
    let with = get(&context, "/v1/catalogue?format=csv&bom=1").await;
    let without = get(&context, "/v1/catalogue?format=csv").await;
    assert_eq!(with.body.strip_prefix("\u{feff}".as_bytes()), Some(without.body.as_slice()));
    assert_eq!(without.header("content-disposition"), "attachment; filename=\"catalogue.csv\"");
    let other = get(&context, "/v1/catalogue?bom=1").await;
    assert_eq!(other.body, get(&context, "/v1/catalogue").await.body, "only a table has a mark");
}

#[actix_web::test]
async fn the_page_shows_every_address_and_its_links_answer() {
    let context = context();
    let page = get(&context, "/docs").await;
    for (route, operation) in every() {
        let (path, id) = (route.path, operation.id);
        assert!(
            page.text().contains(path) && page.text().contains(&format!("id=\"{id}\"")),
            "{id}"
        );
    }
    assert!(!page.text().contains("<script") && !page.text().contains("http://"));
    let links = page.text().split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    for link in links.filter(|link| link.starts_with('/') && *link != "/v1/events") {
        // What changed needs a past, which this world has not.
        let reply = get(&context, link).await;
        assert!(reply.status == 200 || link.ends_with("/revisions"), "{link}: {}", reply.text());
    }
    assert_eq!(json(&context, "/openapi.json").await, json(&context, "/v1/openapi.json").await);
}

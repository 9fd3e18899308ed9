//! The smaller systems: who is let in, what the pages look like, and that all is said in order.

use super::super::office_answer::address;
use super::super::offices::{Guard, Office};
use super::super::wording::{Shape, Wire};
use super::*;

/// A request to a system by somebody whom it knows.
async fn signed(town: &Town, office: &Office, path: &str) -> reqwest::RequestBuilder {
    let secret = office.host.secret(town.province.seed);
    let request = town.request(path);
    match office.host.guard {
        Guard::Open => request,
        Guard::Key(header) => request.header(header, secret),
        Guard::Parameter(name) => request.query(&[(name, secret)]),
        Guard::Basic => request.basic_auth("ioc", Some(secret)),
        Guard::Bearer => request.bearer_auth(secret),
        Guard::Token(path) => {
            let url = format!("http://{}/{}{path}", town.at, office.host.path);
            let refused = town.client.post(&url).basic_auth("ioc", Some("no")).send().await;
            assert_eq!(refused.unwrap().status(), 401);
            let granted = town.client.post(&url).basic_auth("ioc", Some(secret)).send().await;
            let body: Value =
                serde_json::from_slice(&granted.unwrap().bytes().await.unwrap()).unwrap();
            request.bearer_auth(body["access_token"].as_str().unwrap())
        }
    }
}

fn is_well_formed(wire: Wire, body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    match wire {
        Wire::Json { .. } => serde_json::from_slice::<Value>(body).is_ok(),
        Wire::Ndjson => {
            text.ends_with('\n')
                && text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok())
        }
        Wire::Xml { element, close, .. } => {
            let opened = text.matches(&format!("<{element} ")).count();
            let closed = text.matches(&format!("</{element}>")).count();
            text.starts_with("<?xml ") && text.ends_with(close) && opened == closed && opened > 0
        }
        Wire::Csv => {
            let fields = |row: &[u8]| row.split(|byte| *byte == b';').count();
            let mut rows = body.split(|byte| *byte == b'\n').filter(|row| !row.is_empty());
            let header = fields(rows.next().unwrap());
            header > 1 && rows.all(|row| row.ends_with(b"\r") && fields(row) == header)
        }
    }
}

#[tokio::test]
async fn every_small_system_knows_its_own_and_speaks_its_own_format() {
    let town = Town::open(small());
    for stream in &town.province.offices {
        let office = stream.records.office;
        let path = address(office);
        let stranger = town.request(&path).send().await.unwrap();
        let is_open = office.host.guard == Guard::Open;
        assert_eq!(stranger.status(), if is_open { 200 } else { 401 }, "{path}");
        let answer = signed(&town, office, &path).await.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert_eq!(content_type, office.wire.content_type());
        let body = answer.bytes().await.unwrap();
        assert!(is_well_formed(office.wire, &body), "{path}: {}", String::from_utf8_lossy(&body));
        let has_canaries = office.columns.iter().any(|column| matches!(column.2, Shape::Canary(_)));
        let text = String::from_utf8_lossy(&body);
        assert_eq!(text.contains("CANARY-"), has_canaries, "{path}");
    }
    assert_eq!(town.request("/nobody/here").send().await.unwrap().status(), 404);
}

#[test]
fn what_small_systems_say_is_the_same_each_time_and_each_version_once() {
    let settings = Settings { months: 3, ..small() };
    let (one, two) = (Province::new(settings.clone()), Province::new(settings));
    assert_eq!(one.offices.len(), 13);
    for (first, second) in one.offices.iter().zip(&two.offices) {
        let said = everything(&one, first);
        assert_eq!(said, everything(&two, second));
        assert!(!said.is_empty(), "{:?}", first.records.office.path);
        let mut keys = std::collections::HashSet::new();
        for said in &said {
            let Fact::Record(record) = &said.fact else { panic!("{said:?}") };
            assert!(keys.insert(record.key.clone()), "{said:?} stands twice");
            assert!(said.version <= now(), "{said:?}");
        }
    }
}

//! What a number is made of, as a graph and as pictures: the flowchart and the badge.

use std::sync::Arc;

use serde_json::json as object;

use super::world::{bare, context};
use super::{get, json};
use crate::clock::Clock;
use crate::model::time::Stamp;

/// The last run of the stream.
const RUN: &str = "run:portal.dossiers@2024-04-02T16:59:30+07:00";

#[actix_web::test]
async fn a_lineage_leads_from_the_indicator_to_the_last_run_of_its_source() {
    let body = json(&context(), "/v1/indicators/online_rate/lineage").await;
    let edges: Vec<_> = body["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| (edge["from"].as_str().unwrap(), edge["to"].as_str().unwrap()))
        .collect();
    let expected = [
        ("contract:dossiers", "stream:portal.dossiers"),
        ("indicator:online_rate", "measure:dossiers.received"),
        ("measure:dossiers.received", "contract:dossiers"),
        ("stream:portal.dossiers", RUN),
        ("stream:portal.dossiers", "source:portal"),
    ];
    assert_eq!(edges, expected);
    let node = |id: &str| {
        let nodes = body["nodes"].as_array().unwrap();
        nodes.iter().find(|node| node["id"] == id).cloned().unwrap()
    };
    assert_eq!(node("indicator:online_rate")["version"], body["definition_version"]);
    assert_eq!(node("measure:dossiers.received")["version"], "0123456789ab");
    assert_eq!(node("contract:dossiers")["version"], "3");
    let stream = node("stream:portal.dossiers");
    assert_eq!(stream["last_run"]["outcome"], "ok");
    assert_eq!(stream["last_run"]["records"]["received"], 25);
    assert_eq!(node(RUN)["kind"], "run");
    assert_eq!(node("source:portal")["title"], "Cổng");
    assert!(node("source:portal").get("last_run").is_none());
    assert_eq!(body["revision"], 18442);
}

#[actix_web::test]
async fn a_lineage_can_be_put_into_a_document() {
    let reply = get(&context(), "/v1/indicators/online_rate/lineage?format=mermaid").await;
    assert_eq!(reply.header("content-type"), "text/vnd.mermaid");
    assert!(reply.text().starts_with("flowchart LR\n"), "{}", reply.text());
    assert_eq!(reply.text().lines().filter(|line| line.contains(" --> ")).count(), 5);
    assert!(reply.text().contains("(lượt lấy / run, ok, "), "{}", reply.text());
    let reply = get(&context(), "/v1/indicators/online_rate/lineage?format=dot").await;
    assert_eq!(reply.header("content-type"), "text/vnd.graphviz");
    let (text, arrows) = (reply.text(), reply.text().matches(" -> ").count());
    assert!(text.starts_with("digraph lineage {\n") && text.ends_with("}\n"), "{text}");
    assert_eq!(arrows, 5);
    let arrow = r#""stream:portal.dossiers" -> "contract:dossiers";"#;
    assert!(text.contains(arrow), "data flows from the source to the indicator\n{text}");
    let refused = get(&context(), "/v1/indicators/online_rate/lineage?format=csv").await;
    assert_eq!(refused.status, 406);
    assert_eq!(refused.json()["errors"][0]["allowed"], object!(["json", "mermaid", "dot"]));
}

#[actix_web::test]
async fn a_badge_carries_what_qualifies_its_number() {
    let reply = get(&context(), "/v1/badges/online_rate.svg?period=2024-03").await;
    assert_eq!(reply.header("content-type"), "image/svg+xml");
    for part in ["Tỷ lệ nộp trực tuyến", "Share filed online", "57", "đến/to 02/04/2024", "#a8201a"]
    {
        assert!(reply.text().contains(part), "{part}: {}", reply.text());
    }
    assert!(!reply.text().contains("STALE"));
    let never = get(&context(), "/v1/badges/kiosk_sessions.svg").await;
    assert!(never.text().contains("no data") && never.text().contains("#4a5868"));
    assert_eq!(get(&context(), "/v1/badges/online_rat.svg").await.status, 404);
}

/// A number whose source fell silent is grey and says so.
#[actix_web::test]
async fn a_stale_badge_says_so_and_no_longer_judges() {
    let mut context = bare();
    context.clock = Clock::standing(Stamp::parse("2024-04-03T17:00:30+07:00").unwrap());
    let reply = get(&Arc::new(context), "/v1/badges/online_rate.svg?period=2024-03").await;
    assert!(reply.text().contains("SỐ LIỆU CŨ/STALE"), "{}", reply.text());
    assert!(reply.text().contains("#4a5868") && !reply.text().contains("#a8201a"));
}

#[actix_web::test]
async fn a_badge_of_a_source_says_how_it_fares_and_whose_it_is() {
    let reply = get(&context(), "/v1/badges/sources/portal.svg").await;
    assert_eq!(reply.header("content-type"), "image/svg+xml");
    for part in ["Cổng", "đến/to 02/04/2024", "Văn phòng UBND"] {
        assert!(reply.text().contains(part), "{part}: {}", reply.text());
    }
    let never = get(&context(), "/v1/badges/sources/kiosks.svg").await;
    assert!(never.text().contains("chưa từng có dữ liệu"), "{}", never.text());
    assert!(never.text().contains("has never reported"), "{}", never.text());
    assert_eq!(get(&context(), "/v1/badges/sources/portall.svg").await.status, 404);
}

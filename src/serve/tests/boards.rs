//! A board is one answer from one revision, and tells nobody of what is beyond their key.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json as object;

use super::world::{bare, context};
use super::{get, json};
use crate::model::access::{Grant, Reach, Scope};
use crate::serve::Board;

const DAILY: &str = "
board: daily
title: {vi: Hằng ngày, en: Daily}
tiles:
  - {tile: received, query: {indicator: received, read: value, parameters: {period: 2024-03}}}
  - tile: by_commune
    title: {vi: Theo xã, en: By commune}
    query: {indicator: received, read: breakdown, parameters: {sort: -value, limit: \"2\"}}
  - {tile: never, query: {indicator: received, read: value, parameters: {period: 2024-13}}}
";

fn board(text: &str) -> Board {
    serde_saphyr::from_str(text).unwrap()
}

/// The boards of the small province.
pub(super) fn some() -> BTreeMap<String, Board> {
    BTreeMap::from([("daily".to_owned(), board(DAILY))])
}

#[actix_web::test]
async fn each_tile_holds_what_its_address_answers_and_a_bad_one_spoils_no_other() {
    let body = json(&context(), "/v1/boards/daily").await;
    assert_eq!((&body["board"], &body["title_en"]), (&object!("daily"), &object!("Daily")));
    let items = body["items"].as_array().unwrap();
    let named: Vec<_> = items.iter().map(|item| item["tile"].as_str().unwrap()).collect();
    assert_eq!(named, ["received", "by_commune", "never"]);
    let paths = [
        "/v1/indicators/received/value?period=2024-03",
        "/v1/indicators/received/breakdown?limit=2&sort=-value",
    ];
    for (item, path) in items.iter().zip(paths) {
        assert_eq!(item["result"]["answer"], json(&context(), path).await, "{path}");
        assert_eq!(item["result"]["answer"]["revision"], body["revision"]);
    }
    assert_eq!(items[1]["title_en"], "By commune");
    assert_eq!(items[0]["title"], items[0]["result"]["answer"]["title"]);
    assert_eq!(items[2]["result"]["status"], 400);
    assert_eq!(items[2]["result"]["problem"]["errors"][0]["parameter"], "period");
}

#[actix_web::test]
async fn boards_are_listed_and_a_misspelt_one_is_told_the_nearest() {
    let body = json(&context(), "/v1/boards").await;
    assert_eq!(body["items"][0]["tiles"], 3);
    assert_eq!(body["items"][0]["link"], "/v1/boards/daily");
    let table = get(&context(), "/v1/boards?format=csv").await;
    assert_eq!(
        table.text(),
        "board,title,title_en,tiles,revision\r\ndaily,Hằng ngày,Daily,3,18442\r\n"
    );
    let reply = get(&context(), "/v1/boards/dayly").await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.json()["suggestions"], object!(["daily"]));
    let reply = get(&context(), "/v1/boards/daily?period=2024").await;
    assert_eq!(reply.status, 400, "a board takes no parameters of its tiles");
}

#[actix_web::test]
async fn a_reader_of_other_units_learns_of_no_tile_and_no_board() {
    let mut world = bare();
    let reach = Reach { units: Some(["nobody".to_owned()].into()), ..Reach::default() };
    let grant = Grant { scopes: [Scope::Read].into(), reach };
    Arc::get_mut(&mut world.access).unwrap().anonymous = Some(Arc::new(grant));
    let world = Arc::new(world);
    assert_eq!(json(&world, "/v1/boards").await["items"], object!([]));
    let reply = get(&world, "/v1/boards/daily").await;
    assert_eq!((reply.status, reply.text().contains("Daily")), (404, false), "{}", reply.text());
    assert!(reply.json()["suggestions"].is_null(), "{}", reply.text());
}

#[test]
fn what_is_wrong_with_a_board_is_told_at_its_place() {
    let catalogue = bare().definitions.catalogue.clone();
    assert_eq!(board(DAILY).check(&catalogue), []);
    let bad = "
board: Bad Name
title: {vi: x, en: x}
tiles:
  - {tile: a, query: {indicator: recieved, read: value}}
  - {tile: a, query: {indicator: received, read: value, parameters: {peroid: 2024}}}
  - {tile: c, query: {indicator: received, read: series, parameters: {grain: century}}}
  - {tile: d, query: {indicator: received, read: value, parameters: {as_of: 2024-01-01}}}
";
    let problems = board(bad).check(&catalogue);
    let told: Vec<_> = problems.iter().map(|(at, text)| format!("{at}: {text}")).collect();
    let expected = [
        "board: 'Bad Name' is not a plain lower-case name",
        "tiles.0.query.indicator: there is no indicator 'recieved' – did you mean 'received'?",
        "tiles.1.tile: tile 'a' stands twice",
        "tiles.1.query.parameters.peroid: the reading 'value' takes no parameter 'peroid' here",
        "tiles.2.query.parameters.grain: 'grain' is one of hour, day, week, month, quarter, year",
        "tiles.3.query.parameters.as_of: the reading 'value' takes no parameter 'as_of' here",
    ];
    assert_eq!(told, expected);
    let none = board("{board: b, title: {vi: x, en: x}, tiles: []}").check(&catalogue);
    assert_eq!(none.len(), 1);
}

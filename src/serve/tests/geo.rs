//! Maps of the communes: what is drawn, what is not, and what figures are joined by.

use std::sync::Arc;

use serde_json::{Value, json as object};

use super::custody::problem;
use super::world::{bare, context};
use super::{get, json};
use crate::model::access::{Grant, Reach, Scope};
use crate::serve::Context;

const MAP: &str = "/v1/geo/communes.geojson";

/// The small province with a grid of squares, and borders with a hole each.
fn drawn() -> Context {
    let mut context = bare();
    let definitions = Arc::get_mut(&mut context.definitions).unwrap();
    let areas = Arc::get_mut(&mut definitions.areas).unwrap();
    let mut geometries = areas.geometries.clone();
    let codes = areas.current_codes();
    let tiles = "code,col,row\n16663,0,0\n16681,1,1\n17000,0,1\n";
    geometries.add_tiles(&codes, tiles).unwrap();
    let ring = "[[105,18],[106,18],[106,19],[105,18]]";
    let features = codes.iter().map(|code| {
        format!(
            r#"{{"type":"Feature","id":"{code}","geometry":{{"type":"Polygon","coordinates":[{ring},{ring}]}}}}"#
        )
    });
    let features = features.collect::<Vec<_>>().join(",");
    let borders = format!(r#"{{"type":"FeatureCollection","features":[{features}]}}"#);
    geometries.add_borders(&codes, &borders).unwrap();
    areas.geometries = geometries;
    context
}

fn of<'a>(map: &'a Value, name: &str) -> Vec<&'a Value> {
    let features = map["features"].as_array().unwrap().iter();
    features.map(|feature| feature.pointer(name).unwrap()).collect()
}

#[actix_web::test]
async fn a_map_tells_where_each_commune_lies_by_the_code_that_figures_have() {
    let context = context();
    let reply = get(&context, MAP).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "application/geo+json"));
    assert!(!reply.header("etag").is_empty());
    insta::assert_json_snapshot!("map", reply.json());
    let path = "/v1/indicators/received/breakdown?by=commune&period=2024-03";
    let rows = json(&context, path).await;
    let map = reply.json();
    for code in of(&map, "/properties/code") {
        let rows = rows["items"].as_array().unwrap();
        assert!(rows.iter().any(|row| row["key"] == *code), "{code}: {rows:?}");
    }
}

#[actix_web::test]
async fn communes_are_points_squares_or_borders_and_what_there_is_not_is_said() {
    let all = Arc::new(drawn());
    for (geometry, kind) in [("point", "Point"), ("tile", "Polygon"), ("border", "Polygon")] {
        let reply = get(&all, &format!("{MAP}?geometry={geometry}")).await;
        let map = reply.json();
        assert_eq!(of(&map, "/id"), ["16663", "16681", "17000"]);
        assert_eq!(of(&map, "/geometry")[0]["type"], kind, "{geometry}");
    }
    // Rings of a border stay as they are, holes and all.
    let borders = get(&all, &format!("{MAP}?geometry=border")).await.json();
    assert_eq!(of(&borders, "/geometry/coordinates")[1].as_array().unwrap().len(), 2);
    let refused = get(&context(), &format!("{MAP}?geometry=border")).await;
    let told = problem(&refused, 400, "bad-parameter");
    assert_eq!(told["errors"][0]["allowed"], object!(["point"]), "{told}");
    problem(&get(&all, &format!("{MAP}?geometry=circle")).await, 400, "bad-parameter");
}

#[actix_web::test]
async fn a_key_of_some_communes_is_told_of_these() {
    let mut world = bare();
    let reach = Reach { areas: Some(["16681".to_owned()].into()), ..Reach::default() };
    let grant = Grant { scopes: [Scope::Read].into(), reach };
    Arc::get_mut(&mut world.access).unwrap().anonymous = Some(Arc::new(grant));
    let map = get(&Arc::new(world), MAP).await.json();
    assert_eq!(of(&map, "/properties/area"), ["commune:16681"]);
}

/// How the page of an indicator draws its communes, as the beginning of each shape's path.
async fn pictured(context: Context) -> (bool, Vec<String>) {
    let page = get(&Arc::new(context), "/indicators/received?period=2024-03").await;
    assert_eq!(page.status, 200, "{}", page.text());
    let picture = page.text().split("<svg class=\"land").nth(1).expect("a map");
    let picture = picture.split("</svg>").next().unwrap();
    let paths = picture.split(" d=\"").skip(1).filter_map(|rest| rest.split('"').next());
    (picture.starts_with(" dots\""), paths.map(str::to_owned).collect())
}

#[actix_web::test]
async fn the_page_of_an_indicator_draws_borders_else_squares_else_dots() {
    let (is_dots, paths) = pictured(drawn()).await;
    assert!(!is_dots && !paths.is_empty(), "{paths:?}");
    // An outline and a hole.
    assert!(paths.iter().all(|path| path.matches('M').count() == 2), "{paths:?}");
    let mut squares = bare();
    let definitions = Arc::get_mut(&mut squares.definitions).unwrap();
    let areas = Arc::get_mut(&mut definitions.areas).unwrap();
    let mut geometries = areas.geometries.clone();
    let tiles = "code,col,row\n16663,0,0\n16681,1,1\n17000,0,1\n";
    geometries.add_tiles(&areas.current_codes(), tiles).unwrap();
    areas.geometries = geometries;
    let (is_dots, paths) = pictured(squares).await;
    assert!(!is_dots && paths.len() == 3, "{paths:?}");
    assert!(paths.iter().all(|path| path.matches('L').count() == 4), "{paths:?}");
    let (is_dots, paths) = pictured(bare()).await;
    assert!(is_dots && paths.iter().all(|path| path.ends_with("h0")), "{paths:?}");
}

//! The main job by the real program: pull the simulated province, answer with its indicators.

use crate::support::Pulled;

#[test]
fn the_shipped_configuration_pulls_the_province_and_every_indicator_answers() {
    let Pulled { gateway, .. } = &Pulled::start(7);
    assert!(!gateway.get("/v1/sources").body.contains("CANARY"));
    let catalogue = gateway.get("/v1/catalogue").json();
    let indicators = catalogue["items"].as_array().unwrap();
    assert!(indicators.len() >= 20);
    let mut silent = Vec::new();
    for indicator in indicators {
        let id = indicator["indicator"].as_str().unwrap();
        let answer = gateway.get(&format!("/v1/indicators/{id}/value?period=latest"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        // The gateway's own register begins with it: it may know of no report that was due yet.
        let has_begun = id.starts_with("source_report") && !answer.json()["reason"].is_null();
        if answer.json()["value"].is_null() && !has_begun {
            silent.push(format!("{id}: {}", answer.body));
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
}

#[test]
fn parts_of_a_breakdown_have_titles_also_where_they_are_attributes_of_codes() {
    let Pulled { gateway, .. } = &Pulled::start(8);
    // The newest day may be an hour old and a Sunday: its whole month, or the one before.
    let value = gateway.get("/v1/indicators/dossiers_received/value?period=latest").json();
    let newest: jiff::civil::Date = value["period"]["id"].as_str().unwrap().parse().unwrap();
    let month = newest.saturating_sub(jiff::Span::new().days(7)).strftime("%Y-%m").to_string();
    let titles = |by: &str| -> Vec<(String, String)> {
        let path = format!("/v1/indicators/dossiers_received/breakdown?period={month}&by={by}");
        let answer = gateway.get(&path).json();
        let text = |item: &serde_json::Value, name: &str| item[name].as_str().unwrap().to_owned();
        let items = answer["items"].as_array().unwrap_or_else(|| panic!("{answer}"));
        items.iter().map(|item| (text(item, "title"), text(item, "title_en"))).collect()
    };
    let pair = |vi: &str, en: &str| (vi.to_owned(), en.to_owned());
    assert!(titles("procedure.field").contains(&pair("Đất đai", "Land")));
    assert!(titles("procedure.essential").contains(&pair("Có", "Yes")));
    assert!(titles("channel").contains(&pair("Trực tuyến", "Online")));
}

#[test]
fn every_commune_can_be_drawn_and_has_the_code_that_breakdowns_have() {
    let Pulled { gateway, .. } = &Pulled::start(9);
    let path = "/v1/indicators/dossiers_received/breakdown?by=commune";
    let rows = gateway.get(path).json();
    let mut keys: Vec<_> =
        rows["items"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap()).collect();
    keys.retain(|key| *key != "unplaced");
    keys.sort_unstable();
    for (geometry, kind) in [("point", "Point"), ("tile", "Polygon")] {
        let map = gateway.get(&format!("/v1/geo/communes.geojson?geometry={geometry}")).json();
        let features = map["features"].as_array().unwrap();
        let codes: Vec<_> =
            features.iter().map(|each| each["properties"]["code"].as_str().unwrap()).collect();
        assert_eq!(codes, keys, "{geometry}");
        assert!(features.iter().all(|each| each["geometry"]["type"] == kind), "{geometry}");
    }
    let refused = gateway.get("/v1/geo/communes.geojson?geometry=border");
    assert_eq!(refused.status, 400, "{}", refused.body);
}

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
        if answer.json()["value"].is_null() {
            silent.push(format!("{id}: {}", answer.body));
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
}

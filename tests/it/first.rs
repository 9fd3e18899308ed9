//! The main job by the real program: pull the simulated province, answer with its indicators.

use ioc_gateway::clock::Clock;
use ioc_gateway::province::{Fleet, Now, Settings};

use crate::support::{Gateway, Systems, shipped};

#[test]
fn the_shipped_configuration_pulls_the_province_and_every_indicator_answers() {
    let mut settings = Settings::new(7, Now::Live(Clock::System));
    (settings.months, settings.scale, settings.fleet) = (2, 0.05, Fleet { silent: 0.0, slow: 0.0 });
    let systems = Systems::start(settings);
    let folder = tempfile::tempdir().unwrap();
    systems.write_secrets(&folder.path().join("secrets"));
    let gateway = Gateway::start(&shipped(), folder.path(), &systems.variables);
    let streams = gateway.wait_until("a good run of every stream", "/v1/sources", |answer| {
        let sources = answer.json();
        let sources = sources["items"].as_array().unwrap();
        sources
            .iter()
            .flat_map(|source| source["streams"].as_array().unwrap())
            .all(|stream| !stream["freshness"]["last_success_at"].is_null())
    });
    assert!(!streams.body.contains("CANARY"));
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
    let (code, took) = gateway.stop();
    assert_eq!(code, Some(0));
    assert!(took.as_secs() < 10);
}

//! Definitions: what is refused, where and in which words, and what a good one knows of itself.

use serde_json::{Value, json};

use super::Fixture;
use crate::indicator::settings::{Settings, Terms};
use crate::model::snapshot::MeasureKind;

fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.flow("dossiers.received", &[]);
    fixture.stock("lodging.rooms", &[]);
    fixture.measure("dossiers.time", MeasureKind::Distribution, 0, &[]);
    fixture
}

/// The problems of one entry, as `place: words`, without the common beginning of the place.
fn problems(entry: &Value) -> Vec<String> {
    let good = json!({"kind": "simple", "measure": "dossiers.received"});
    let found = fixture().compile(&json!({"x": entry, "good": good})).unwrap_err();
    let line = |(at, text): (String, String)| {
        format!("{}: {text}", at.strip_prefix("indicators.x").unwrap().trim_start_matches('.'))
    };
    found.into_iter().map(line).collect()
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let found = problems(&json!({
        "title": {"vi": "", "en": "X"},
        "kind": "ratio",
        "numerator": {"measure": "dossiers.recieved"},
        "denominator": [
            {"measure": "dossiers.received", "where": {"chanel": "online"}},
            {"measure": "dossiers.received", "where": {"channel": "onlin"}},
            {"measure": "dossiers.received", "over": "days"},
        ],
        "unit_measure": "percent",
        "targets": [{"from": "2024-01-01", "value": 80}, {"from": "2024-01-01", "value": 0.9}],
        "accountable": {"unit": "ofice", "role": "Head"},
        "points": 10,
        "decimals": 9,
        "completeness": {"of": "areas", "measure": "lodging.romms"},
    }));
    assert_eq!(
        found,
        [
            "title.vi: must not be empty",
            "accountable.unit: there is no unit 'ofice' in units.yaml – did you mean 'office'?",
            "decimals: at most 6 decimals are shown",
            "targets.0.value: percent is written as a ratio: 0.8",
            "targets.1.from: two targets begin on the same day",
            "points: 'points' belongs to kind composite, not to ratio",
            "numerator.measure: there is no measure 'dossiers.recieved' – did you mean \
         'dossiers.received'?",
            "denominator.0.where.chanel: dossiers.received is not kept by 'chanel' but by urgent, \
         channel – did you mean 'channel'?",
            "denominator.1.where.channel: dossiers.received knows no value 'onlin' of 'channel' – \
         did you mean 'online'?",
            "denominator.2.over: 'dossiers.received' is not a stock, so it adds up over days by itself",
            "completeness.measure: there is no measure 'lodging.romms' – did you mean \
         'lodging.rooms'?",
        ]
    );
}

#[test]
fn each_kind_needs_its_own_keys() {
    for (entry, expect) in [
        (json!({"kind": "simple"}), ": kind simple needs 'measure'"),
        (
            json!({"kind": "ratio", "numerator": "dossiers.received"}),
            ": kind ratio needs 'denominator'",
        ),
        (json!({"kind": "derived", "value": "1"}), ": kind derived needs 'terms'"),
        (
            json!({"kind": "derived", "terms": {"a": "lodging.rooms"}}),
            ": kind derived needs 'value'",
        ),
        (json!({"kind": "composite"}), ": kind composite needs 'components'"),
        (json!({"kind": "composite", "components": []}), ": kind composite needs 'components'"),
        (json!({"kind": "simple", "measure": []}), "measure: at least one term is needed"),
        (
            json!({"kind": "simple", "measure": "lodging.rooms", "divide_by": 0}),
            "divide_by: must be a number above 0",
        ),
        (
            json!({"kind": "simple", "measure": "lodging.rooms", "statistic": "p90"}),
            "statistic: median and p90 need a single measure of a distribution",
        ),
        (
            json!({"kind": "simple", "measure": [{"measure": "dossiers.time"}, {"measure": "dossiers.time"}], "statistic": "median"}),
            "statistic: median and p90 need a single measure of a distribution",
        ),
        (
            json!({"kind": "simple", "measure": {"measure": "dossiers.time",
                "where": {"bin": "1"}}}),
            "measure.where.bin: dossiers.time is not kept by 'bin' but by urgent, channel",
        ),
        (
            json!({"kind": "derived", "terms": {"late": "lodging.rooms"}, "value": "1 - lat"}),
            "value: '1 - lat': there is no term 'lat' – did you mean 'late'?",
        ),
        (
            json!({"kind": "derived", "terms": {"a": "lodging.rooms", "b": "lodging.rooms"},
                "value": "a + 1"}),
            "terms.b: is not used in 'value'",
        ),
        (
            json!({"kind": "derived", "terms": {"a": "lodging.rooms"}, "value": "a +"}),
            "value: 'a +': the expression ends too early (at character 4)",
        ),
    ] {
        assert_eq!(problems(&entry), [expect], "{entry}");
    }
}

#[test]
fn components_are_checked_one_by_one_and_together() {
    let found = problems(&json!({"kind": "composite", "points": -1, "components": [
        {"indicator": "god", "weight": 0.5, "zero_at": 0, "full_at": 1},
        {"indicator": "good", "weight": 0.2, "zero_at": 1, "full_at": 1},
        {"indicator": "good", "weight": 0, "zero_at": 1, "full_at": 0},
    ]}));
    assert_eq!(
        found,
        [
            "components.0.indicator: there is no indicator 'god' – did you mean 'good'?",
            "components.1.full_at: must differ from 'zero_at'",
            "components.2.indicator: stands twice",
            "components.2.weight: must be a number above 0",
            "components: the weights sum to 0.700, not to 1",
            "points: must be a number above 0",
        ]
    );
}

#[test]
fn an_indicator_cannot_be_a_part_of_itself() {
    let of = |indicator: &str| {
        json!({"kind": "composite", "components": [
            {"indicator": indicator, "weight": 1, "zero_at": 0, "full_at": 1}]})
    };
    let entries = json!({"a": of("b"), "b": of("c"), "c": of("b"), "own": of("own")});
    let found = fixture().compile(&entries).unwrap_err();
    let places: Vec<_> = found.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(
        places,
        ["indicators.b.components", "indicators.c.components", "indicators.own.components",]
    );
}

#[test]
fn a_definition_knows_all_that_stands_behind_it() {
    let mut fixture = fixture();
    fixture.define(&json!({
        "received": {"kind": "simple", "measure": {"measure": "dossiers.received",
            "where": {"channel": ["online", "kiosk"]}}, "divide_by": 10},
        "per_room": {"kind": "ratio", "numerator": "dossiers.received", "denominator": [
            {"measure": "lodging.rooms", "over": "days"},
            {"measure": "dossiers.received", "subtract": true}]},
        "days": {"kind": "simple", "measure": "dossiers.time", "statistic": "median"},
        "inner": {"kind": "composite", "components": [
            {"indicator": "per_room", "weight": 1, "zero_at": 0, "full_at": 1}]},
        "outer": {"kind": "composite", "components": [
            {"indicator": "inner", "weight": 0.5, "zero_at": 0, "full_at": 100},
            {"indicator": "days", "weight": 0.5, "zero_at": 9, "full_at": 1}]},
        "derived": {"kind": "derived", "terms": {"a": "lodging.rooms"}, "value": "a / 2"},
    }));
    let get = |id: &str| fixture.catalogue.get(id).unwrap();
    let outer = get("outer");
    let names = |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>();
    assert_eq!(names(&outer.measures), ["dossiers.received", "dossiers.time", "lodging.rooms"]);
    assert_eq!(names(&outer.contracts), ["dossiers", "lodging"]);
    assert!(outer.dimensions.is_empty());
    let dimensions: Vec<_> =
        get("days").dimensions.iter().map(|found| found.name.as_str()).collect();
    assert_eq!(dimensions, ["urgent", "channel"]);
    for (id, formula) in [
        ("received", "dossiers.received[channel=online|kiosk] / 10"),
        ("per_room", "dossiers.received / (lodging.rooms over days - dossiers.received)"),
        ("days", "median(dossiers.time)"),
        ("derived", "a / 2 where a = lodging.rooms"),
        ("inner", "100 x (1 x score(per_room, 0 to 1))"),
    ] {
        assert_eq!(get(id).formula, formula);
    }
    assert_eq!(fixture.catalogue.len(), 6);
    let ids: Vec<_> = fixture.catalogue.iter().map(|found| found.id.as_str()).collect();
    assert_eq!(ids, ["days", "derived", "inner", "outer", "per_room", "received"]);
}

#[test]
fn unknown_keys_are_refused_in_entries_terms_and_completeness() {
    let entry = |key: &str, value: Value| {
        let mut entry = json!({
            "title": {"vi": "X", "en": "X"}, "group": "g", "kind": "simple",
            "measure": "dossiers.received", "unit_measure": "things", "direction": "up",
            "accountable": {"unit": "office", "role": "Head"},
        });
        entry[key] = value;
        serde_json::from_value::<Settings>(entry)
    };
    assert!(entry("decimals", json!(2)).is_ok());
    for (key, value, named) in [
        ("titel", json!(1), "titel"),
        ("measure", json!({"measure": "a", "were": {}}), "were"),
        ("measure", json!([{"measure": "a", "were": {}}]), "were"),
        ("completeness", json!({"of": "period", "measure": "a"}), "measure"),
        ("completeness", json!({"of": "areas", "measure": "a", "b": 1}), "`b`"),
        ("targets", json!([{"from": "2024-1-1", "value": 1}]), "2024-1-1"),
        ("direction", json!("sideways"), "sideways"),
        ("measure", json!(5), "a term such as"),
        ("measure", json!({"measure": "a", "where": {"c": [["b"]]}}), "a code"),
    ] {
        let error = entry(key, value).unwrap_err().to_string();
        assert!(error.contains(named), "{key}: {error}");
    }
}

#[test]
fn words_may_look_like_numbers_and_truth_values() {
    let Terms { terms, .. } = serde_json::from_value(
        json!({"measure": "a.b", "where": {"urgent": true, "level": [1, "02", false]}}),
    )
    .unwrap();
    assert_eq!(terms[0].only["urgent"].0, ["true"]);
    assert_eq!(terms[0].only["level"].0, ["1", "02", "false"]);
}

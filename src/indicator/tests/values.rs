//! The amounts: flows, stocks, distributions, ratios, arithmetic and scores.

use serde_json::json;

use super::Fixture;
use crate::model::snapshot::MeasureKind;

fn dossiers() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.flow(
        "dossiers.received",
        &[
            ("2024-03-31", "00001@old", "online", 1),
            ("2024-04-01", "00001@old", "online", 5),
            ("2024-04-01", "00002@old", "counter", 3),
            ("2024-04-02", "00002@old", "kiosk!", 2),
            ("2024-04-02", "00003@old", "", 4),
        ],
    );
    fixture
}

#[test]
fn a_flow_is_the_sum_over_the_days_of_the_period() {
    let mut fixture = dossiers();
    fixture.define(
        &json!({"received": {"kind": "simple", "measure": {"measure": "dossiers.received"}}}),
    );
    for (period, sum) in [
        ("2024-03-31", 1.0),
        ("2024-04-01", 8.0),
        ("2024-W14", 14.0),
        ("2024-04", 14.0),
        ("2024-Q2", 14.0),
        ("2024", 15.0),
        ("2024-04-05", 0.0),
    ] {
        assert_eq!(fixture.value("received", period), Some(sum), "{period}");
    }
}

#[test]
fn a_condition_takes_one_value_or_any_of_several_of_each_dimension() {
    let mut fixture = dossiers();
    let simple = |only| json!({"kind": "simple", "measure": {"measure": "dossiers.received", "where": only}});
    fixture.define(&json!({
        "online": simple(json!({"channel": "online"})),
        "away": simple(json!({"channel": ["online", "kiosk"]})),
        "urgent": simple(json!({"urgent": true})),
        "both": simple(json!({"urgent": false, "channel": ["kiosk", "counter"]})),
    }));
    let values = ["online", "away", "urgent", "both"].map(|id| fixture.value(id, "2024-04"));
    assert_eq!(values, [Some(5.0), Some(7.0), Some(2.0), Some(3.0)]);
}

#[test]
fn terms_add_up_and_are_taken_away_at_their_own_scales() {
    let mut fixture = dossiers();
    fixture.measure(
        "lodging.fees",
        MeasureKind::Flow,
        2,
        &[("2024-04-01", "00001@old", "", 1050), ("2024-04-01", "00002@old", "", 5)],
    );
    fixture.define(&json!({
        "mixed": {"kind": "simple", "measure": [
            {"measure": "dossiers.received"},
            {"measure": "lodging.fees", "subtract": true},
        ], "divide_by": 2},
        "mean": {"kind": "ratio", "numerator": "lodging.fees", "denominator": "dossiers.received"},
    }));
    assert_eq!(fixture.value("mixed", "2024-04-01"), Some(-1.275));
    assert_eq!(fixture.value("mean", "2024-04-01"), Some(1055.0 / 800.0));
    let point = fixture.read("mean", "2024-04-01", super::Place::Province).point;
    assert_eq!((point.numerator, point.denominator), (Some(10.55), Some(8.0)));
}

fn rooms() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.stock(
        "lodging.rooms",
        &[
            ("2024-03-20", "00001@old", "", 10),
            ("2024-04-03", "00001@old", "", 4),
            ("2024-04-06", "00002@new", "", -2),
            ("2024-04-09", "00002@new", "", 6),
            // Known already, but not yet so: nothing of it may show before 20 April.
            ("2024-04-20", "00003@new", "", 100),
        ],
    );
    fixture.flow("lodging.nights", &[("2024-04-03", "00001@old", "", 7)]);
    fixture
}

#[test]
fn a_stock_is_what_stands_at_the_end_of_the_period_and_never_beyond_today() {
    let mut fixture = rooms();
    fixture.define(&json!({"rooms": {"kind": "simple", "measure": {"measure": "lodging.rooms"}}}));
    for (period, amount) in [
        ("2024-03-20", 10.0),
        ("2024-03", 10.0),
        ("2024-04-03", 14.0),
        ("2024-W14", 12.0),
        ("2024-04-08", 12.0),
        ("2024-04-10", 18.0),
        // Open: up to and including today.
        ("2024-04", 18.0),
        ("2024", 18.0),
    ] {
        assert_eq!(fixture.value("rooms", period), Some(amount), "{period}");
    }
}

#[test]
fn a_stock_turns_with_the_day_and_without_any_event() {
    let mut fixture = rooms();
    fixture.define(&json!({"rooms": {"kind": "simple", "measure": {"measure": "lodging.rooms"}}}));
    fixture.now = super::stamp("2024-04-20T00:00:00+07:00");
    assert_eq!(fixture.value("rooms", "2024-04"), Some(118.0));
}

#[test]
fn a_stock_over_days_adds_up_what_stood_on_each_day() {
    let mut fixture = rooms();
    let over_days = json!({"measure": "lodging.rooms", "over": "days"});
    fixture.define(&json!({
        "room_days": {"kind": "simple", "measure": over_days},
        "occupancy": {"kind": "ratio", "numerator": "lodging.nights", "denominator": over_days},
        "per_room": {"kind": "ratio", "numerator": "lodging.nights", "denominator": "lodging.rooms"},
    }));
    // 1 to 7 April: 10, 10, 14, 14, 14, 12, 12.
    assert_eq!(fixture.value("room_days", "2024-W14"), Some(86.0));
    // 1 to 10 April, then nothing: … 12, 18, 18.
    assert_eq!(fixture.value("room_days", "2024-04"), Some(86.0 + 12.0 + 18.0 + 18.0));
    assert_eq!(fixture.value("room_days", "2024-03"), Some(120.0));
    assert_eq!(fixture.value("occupancy", "2024-W14"), Some(7.0 / 86.0));
    assert_eq!(fixture.value("per_room", "2024-W14"), Some(7.0 / 12.0));
}

#[test]
fn percentiles_come_from_the_bins_and_are_divided_last() {
    let mut fixture = Fixture::new();
    let quantities: Vec<_> =
        (1..=10).map(|quantity| ("2024-04-01", "00001@old", "online", quantity)).collect();
    fixture.measure("dossiers.time", MeasureKind::Distribution, 0, &quantities);
    let simple = |statistic: &str| {
        json!({"kind": "simple", "measure": "dossiers.time", "statistic": statistic,
               "divide_by": 2})
    };
    fixture.define(&json!({
        "median": simple("median"),
        "p90": simple("p90"),
        "finished": {"kind": "simple", "measure": "dossiers.time"},
    }));
    assert_eq!(fixture.value("median", "2024-04"), Some(2.5));
    assert_eq!(fixture.value("p90", "2024-04-01"), Some(4.5));
    assert_eq!(fixture.value("finished", "2024-04-01"), Some(10.0));
    let commune = fixture.read("p90", "2024-04", fixture.place("00001")).point.value;
    assert_eq!(commune, Some(4.5));
}

#[test]
fn a_derived_value_is_arithmetic_over_exact_sums() {
    let mut fixture = dossiers();
    let term =
        |channel: &str| json!({"measure": "dossiers.received", "where": {"channel": channel}});
    fixture.define(&json!({"rest": {
        "kind": "derived",
        "terms": {"online": term("online"), "all": "dossiers.received"},
        "value": "(1 - online / all) * 100",
    }}));
    assert_eq!(fixture.value("rest", "2024-04-01"), Some((1.0 - 5.0 / 8.0) * 100.0));
}

#[test]
fn a_composite_is_the_weighted_score_of_clamped_components() {
    let mut fixture = dossiers();
    let component = |indicator: &str, weight: f64, zero_at: f64, full_at: f64| json!({"indicator": indicator, "weight": weight, "zero_at": zero_at, "full_at": full_at});
    fixture.define(&json!({
        "received": {"kind": "simple", "measure": "dossiers.received"},
        "half": {"kind": "composite", "components": [component("received", 1.0, 0.0, 16.0)]},
        // Fewer is better: 8 of at most 10 scores 0.2; beyond the ends it stays 0 or 1.
        "mixed": {"kind": "composite", "points": 10, "components": [
            component("received", 0.5, 10.0, 0.0),
            component("half", 0.25, 0.0, 20.0),
            component("rest", 0.25, 100.0, 200.0),
        ]},
        "rest": {"kind": "simple", "measure": "dossiers.received"},
    }));
    assert_eq!(fixture.value("half", "2024-04-01"), Some(50.0));
    let mixed = fixture.value("mixed", "2024-04-01").unwrap();
    assert!((mixed - 10.0 * (0.5 * 0.2 + 0.25)).abs() < 1e-12, "{mixed}");
}

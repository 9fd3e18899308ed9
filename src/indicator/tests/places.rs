//! Areas and parts: history on today's boundaries, and parts that add up to the whole.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Cell, Fixture, Place, day, period};
use crate::indicator::evaluate::{BreakdownError, By, breakdown};
use crate::indicator::{Grain, series};
use crate::model::snapshot::MeasureKind;
use crate::model::time::Day;

const AREAS: [&str; 8] = [
    "00001@old",
    "00011@old",
    "00002@old",
    "00003@old",
    "00099@old",
    "00001@new",
    "00002@new",
    "00003@new",
];

fn definitions() -> Value {
    json!({
        "received": {"kind": "ratio", "numerator": {"measure": "dossiers.received",
            "where": {"channel": "online"}}, "denominator": "dossiers.received"},
        "pending": {"kind": "ratio", "numerator": "dossiers.pending",
            "denominator": {"measure": "dossiers.pending", "over": "days"}},
        "time": {"kind": "simple", "measure": "dossiers.time", "statistic": "p90"},
        "load": {"kind": "derived", "terms": {"p": "dossiers.pending", "r": "dossiers.received"},
            "value": "p / r", "completeness": {"of": "areas", "measure": "dossiers.received"}},
        "score": {"kind": "composite", "missing": "reweight",
            "completeness": {"of": "measures", "reported": "dossiers.received",
                             "expected": "dossiers.pending"},
            "components": [
                {"indicator": "received", "weight": 0.5, "zero_at": 0, "full_at": 1},
                {"indicator": "load", "weight": 0.5, "zero_at": 5, "full_at": 0}]},
    })
}

#[test]
fn history_is_seen_on_the_boundaries_of_today() {
    let mut fixture = Fixture::new();
    fixture.flow(
        "dossiers.received",
        &[
            ("2024-04-01", "00001@old", "online", 1),
            ("2024-04-01", "00011@old", "online", 2),
            ("2024-04-06", "00001@new", "online", 4),
            ("2024-04-06", "00002@new", "counter", 8),
            // Without a successor: in no commune of today, and yet in the province.
            ("2024-04-01", "00099@old", "online", 64),
        ],
    );
    fixture.define(
        &json!({"received": {"kind": "simple", "measure": {"measure": "dossiers.received"}}}),
    );
    let at = |place| fixture.read("received", "2024-04", place).point.value;
    assert_eq!(at(fixture.place("00001")), Some(7.0));
    assert_eq!(at(fixture.place("00002")), Some(8.0));
    assert_eq!(at(fixture.place("00003")), Some(0.0));
    assert_eq!(at(Place::Unplaced), Some(64.0));
    assert_eq!(at(Place::Province), Some(79.0));
}

#[test]
fn every_commune_stands_once_in_a_breakdown() {
    let mut fixture = Fixture::new();
    fixture.flow("dossiers.received", &[("2024-04-01", "00011@old", "online", 2)]);
    fixture.define(
        &json!({"received": {"kind": "simple", "measure": {"measure": "dossiers.received"}}}),
    );
    let definition = fixture.catalogue.get("received").unwrap();
    let rows = breakdown(&fixture.world(), definition, &period("2024-04"), By::Commune).unwrap();
    let rows: Vec<_> =
        rows.iter().map(|row| (row.key.as_str(), row.title.as_str(), row.point.value)).collect();
    assert_eq!(
        rows,
        [("00001", "Một lớn", Some(2.0)), ("00002", "Hai", Some(0.0)), ("00003", "Ba", Some(0.0)),]
    );
}

#[test]
fn a_ratio_is_broken_down_by_a_dimension_that_both_terms_have() {
    let mut fixture = Fixture::new();
    fixture.flow(
        "dossiers.received",
        &[
            ("2024-04-01", "00001@old", "online", 3),
            ("2024-04-01", "00002@old", "online!", 1),
            ("2024-04-01", "00002@old", "counter", 2),
            ("2024-04-01", "00003@old", "", 5),
            ("2024-04-01", "00099@old", "kiosk", 9),
        ],
    );
    fixture.define(&json!({"urgent": {"kind": "ratio",
        "numerator": {"measure": "dossiers.received", "where": {"urgent": true}},
        "denominator": "dossiers.received"}}));
    let definition = fixture.catalogue.get("urgent").unwrap();
    let by =
        |name| breakdown(&fixture.world(), definition, &period("2024-04-01"), By::Dimension(name));
    let rows = by("channel").unwrap();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| (row.key.as_str(), row.point.numerator, row.point.denominator, row.point.value))
        .collect();
    assert_eq!(
        rows,
        [
            ("", Some(0.0), Some(5.0), Some(0.0)),
            ("online", Some(1.0), Some(4.0), Some(0.25)),
            ("counter", Some(0.0), Some(2.0), Some(0.0)),
            ("kiosk", Some(0.0), Some(9.0), Some(0.0)),
        ]
    );
    let error = by("chanel").unwrap_err();
    assert!(
        matches!(&error, BreakdownError::UnknownDimension { nearest: Some(near), .. } if near == "channel")
    );
    assert_eq!(
        error.to_string(),
        "indicator 'urgent' is not kept by 'chanel' but by urgent, channel"
    );
}

#[test]
fn a_composite_is_broken_down_by_commune_only() {
    let mut fixture = Fixture::new();
    fixture.flow("dossiers.received", &[("2024-04-01", "00001@old", "online", 3)]);
    fixture.define(&json!({
        "received": {"kind": "simple", "measure": "dossiers.received"},
        "score": {"kind": "composite", "components": [
            {"indicator": "received", "weight": 1, "zero_at": 0, "full_at": 6}]},
    }));
    let definition = fixture.catalogue.get("score").unwrap();
    let by = |by| breakdown(&fixture.world(), definition, &period("2024-04-01"), by);
    assert!(matches!(by(By::Dimension("channel")), Err(BreakdownError::OnlyByCommune { .. })));
    let values: Vec<_> = by(By::Commune).unwrap().into_iter().map(|row| row.point.value).collect();
    assert_eq!(values, [Some(50.0), Some(0.0), Some(0.0)]);
}

/// Random cells between 25 March and 14 April, some of them in the future and some nowhere.
fn cells() -> impl Strategy<Value = Vec<(i32, usize, usize, i64)>> {
    prop::collection::vec((0..21_i32, 0..AREAS.len(), 0..5_usize, 1..40_i64), 1..60)
}

fn random(cells: &[(i32, usize, usize, i64)]) -> Fixture {
    let mut fixture = Fixture::new();
    let days: Vec<String> =
        cells.iter().map(|cell| day("2024-03-25").plus(cell.0).to_string()).collect();
    let channels = ["online", "counter", "kiosk", "online!", ""];
    let cells: Vec<Cell<'_>> = cells
        .iter()
        .zip(&days)
        .map(|(cell, day)| (day.as_str(), AREAS[cell.1], channels[cell.2], cell.3))
        .collect();
    fixture.flow("dossiers.received", &cells);
    fixture.stock("dossiers.pending", &cells);
    fixture.measure("dossiers.time", MeasureKind::Distribution, 0, &cells);
    fixture.define(&definitions());
    fixture
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn communes_add_up_to_the_province(cells in cells(), grain in 0..5_usize) {
        let fixture = random(&cells);
        let grain = Grain::ALL[grain];
        let range = (day("2024-03-25"), day("2024-04-15"));
        for id in ["received", "pending"] {
            let definition = fixture.catalogue.get(id).unwrap();
            for when in grain.periods(range.0, range.1) {
                let reading = super::value(&fixture.world(), definition, &when, Place::Province);
                let rows = breakdown(&fixture.world(), definition, &when, By::Commune).unwrap();
                let above: f64 = rows.iter().filter_map(|row| row.point.numerator).sum();
                let below: f64 = rows.iter().filter_map(|row| row.point.denominator).sum();
                prop_assert_eq!(Some(above), reading.point.numerator.or(Some(0.0)));
                prop_assert_eq!(Some(below), reading.point.denominator.or(Some(0.0)));
            }
        }
    }

    #[test]
    fn values_of_a_dimension_add_up_to_the_province(cells in cells()) {
        let fixture = random(&cells);
        let when = period("2024-04");
        for id in ["received", "pending"] {
            let definition = fixture.catalogue.get(id).unwrap();
            let whole = super::value(&fixture.world(), definition, &when, Place::Province).point;
            for name in ["channel", "urgent"] {
                let by = By::Dimension(name);
                let rows = breakdown(&fixture.world(), definition, &when, by).unwrap();
                let below: f64 = rows.iter().filter_map(|row| row.point.denominator).sum();
                prop_assert_eq!(Some(below), whole.denominator.or(Some(0.0)));
            }
        }
    }

    #[test]
    fn a_series_says_the_same_as_its_values_one_by_one(cells in cells(), grain in 0..5_usize) {
        let fixture = random(&cells);
        let places = [fixture.place("00002"), Place::Province, fixture.place("00001")];
        let range = (day("2024-03-20"), day("2024-04-15"));
        for definition in fixture.catalogue.iter() {
            let points = series(&fixture.world(), definition, Grain::ALL[grain], range, &places);
            prop_assert!(!points.is_empty());
            for (when, place, point) in points {
                let reading = super::value(&fixture.world(), definition, &when, place);
                prop_assert_eq!(&reading.point, &point, "{} {} {:?}", definition.id, when.id, place);
            }
        }
    }

    #[test]
    fn sums_agree_with_adding_up_by_hand(cells in cells(), length in 1..20_i32, from in 0..20_i32) {
        let fixture = random(&cells);
        let first = day("2024-03-25").plus(from);
        let when = super::Period { id: "test".to_owned(), first, end: first.plus(length), hour: None };
        let (today, start) = (fixture.now.day(), day("2024-03-25"));
        let inside = |area: usize| AREAS[area].starts_with("00001") || AREAS[area] == "00011@old";
        let mine = || cells.iter().filter(|cell| inside(cell.1));
        let flow: i64 = mine()
            .filter(|cell| start.plus(cell.0) >= when.first && start.plus(cell.0) < when.end)
            .map(|cell| cell.3)
            .sum();
        let stand = |on: Day| -> i64 {
            mine().filter(|cell| start.plus(cell.0) <= on).map(|cell| cell.3).sum()
        };
        let stock = stand(when.end.plus(-1).min(today));
        let over_days: i64 = (when.first.0..when.end.0)
            .map(Day)
            .filter(|on| *on <= today)
            .map(stand)
            .sum();
        let place = fixture.place("00001");
        let read = |id: &str| {
            let definition = fixture.catalogue.get(id).unwrap();
            super::value(&fixture.world(), definition, &when, place).point
        };
        let (received, pending) = (read("received"), read("pending"));
        if received.denominator.is_some() {
            prop_assert_eq!(received.denominator, Some(flow as f64));
        }
        if let (Some(above), Some(below)) = (pending.numerator, pending.denominator) {
            prop_assert_eq!((above, below), (stock as f64, over_days as f64));
        }
        // The contract's first day is covered, and so is everything after it up to now.
        let known = cells.iter().map(|cell| start.plus(cell.0)).min().unwrap();
        prop_assert_eq!(received.denominator.is_some(), when.end > known && when.first <= today);
    }
}

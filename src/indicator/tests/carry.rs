//! `missing: carry`: the last value stands in for a missing one, told with its period, never final.

use serde_json::json;

use super::{Fixture, Place, period, stamp};
use crate::indicator::evaluate::breakdown;
use crate::indicator::reading::Status;
use crate::indicator::{By, Grain, series};
use crate::model::snapshot::Rebuilding;

fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.flow(
        "dossiers.received",
        &[("2024-04-01", "00001@old", "online", 4), ("2024-04-03", "00002@old", "", 2)],
    );
    fixture.flow("dossiers.refused", &[("2024-04-03", "00002@old", "", 1)]);
    fixture.define(&json!({
        "received": {"kind": "simple", "measure": "dossiers.received"},
        "share": {"kind": "ratio", "numerator": "dossiers.refused",
                  "denominator": "dossiers.received"},
        "score": {"kind": "composite", "missing": "carry", "components": [
            {"indicator": "received", "weight": 0.5, "zero_at": 0, "full_at": 4},
            {"indicator": "share", "weight": 0.5, "zero_at": 0, "full_at": 1},
        ]},
        "outer": {"kind": "composite", "components": [
            {"indicator": "score", "weight": 1, "zero_at": 0, "full_at": 100},
        ]},
    }));
    fixture
}

fn carried(fixture: &Fixture, id: &str, when: &str) -> (Option<f64>, Status, Vec<String>) {
    let point = fixture.read(id, when, Place::Province).point;
    let carried = point.carried.iter().map(|it| format!("{} {}", it.indicator, it.from));
    (point.value, point.status, carried.collect())
}

#[test]
fn a_composite_carries_the_last_value_of_a_component_and_says_from_when() {
    let fixture = fixture();
    // Dossiers came in on the 1st (4, none refused) and on the 3rd (2, one of them refused).
    let own = |value| (Some(value), Status::Final, Vec::new());
    let old = |value, from: &str| {
        (Some(value), Status::Provisional, vec![format!("share 2024-04-{from}")])
    };
    assert_eq!(carried(&fixture, "score", "2024-04-01"), own(50.0));
    assert_eq!(carried(&fixture, "score", "2024-04-02"), old(0.0, "01"));
    assert_eq!(carried(&fixture, "score", "2024-04-03"), own(50.0));
    assert_eq!(carried(&fixture, "score", "2024-04-04"), old(25.0, "03"));
    assert_eq!(carried(&fixture, "score", "2024-04-10"), old(25.0, "03"));
    // What stands on a carried figure says so too, and is no more final than that.
    assert_eq!(carried(&fixture, "outer", "2024-04-02"), old(0.0, "01"));
    assert_eq!(carried(&fixture, "outer", "2024-04-03"), own(50.0));
    // A series is made of the same values.
    let definition = fixture.catalogue.get("score").unwrap();
    let stretch = (period("2024-04-01").first, period("2024-04-11").first);
    let line = series(&fixture.world(), definition, Grain::Day, stretch, &[Place::Province]);
    assert_eq!(line.len(), 10);
    for (day, _, point) in line {
        assert_eq!(point, fixture.read("score", &day.id, Place::Province).point, "{}", day.id);
    }
}

#[test]
fn nothing_is_carried_into_the_future_nor_for_more_than_a_year_nor_from_nowhere() {
    let mut fixture = fixture();
    let missing = (None, Status::Missing, Vec::new());
    // Before the first dossier there is nothing to carry.
    assert_eq!(carried(&fixture, "score", "2024-03-31"), missing);
    // On the last day for which the share of 3 April counts, and on the next one.
    fixture.now = stamp("2025-04-10T12:00:00+07:00");
    fixture.stream("portal", "dossiers", Some("2025-04-10T11:50:00+07:00"));
    let last = (Some(25.0), Status::Provisional, vec!["share 2024-04-03".to_owned()]);
    assert_eq!(carried(&fixture, "score", "2025-04-03"), last);
    assert_eq!(carried(&fixture, "score", "2025-04-04"), missing);
    // Months go by months: April stands in for February, and none for what has not begun.
    let (value, status, from) = carried(&fixture, "score", "2025-02");
    assert!((value.unwrap() - 100.0 * 0.5 / 6.0).abs() < 1e-9, "{value:?}");
    assert_eq!((status, from), (Status::Provisional, vec!["share 2024-04".to_owned()]));
    assert_eq!(carried(&fixture, "score", "2025-05"), missing);
}

#[test]
fn each_commune_carries_its_own_last_value() {
    let fixture = fixture();
    let definition = fixture.catalogue.get("score").unwrap();
    let rows = breakdown(&fixture.world(), definition, &period("2024-04-04"), By::Commune).unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.point.value, row.point.carried.first().map(|it| it.from.as_str())))
        .collect();
    // Commune 1 last had dossiers on the 1st, commune 2 on the 3rd, commune 3 never.
    let (first, third) = (Some("2024-04-01"), Some("2024-04-03"));
    assert_eq!(told, [(Some(0.0), first), (Some(25.0), third), (None, None)]);
}

#[test]
fn what_is_being_rebuilt_is_not_replaced_by_something_older() {
    let mut fixture = fixture();
    assert!(fixture.value("score", "2024-04-02").is_some());
    let rebuilding = Rebuilding { done: 1, total: 3 };
    fixture.snapshot.rebuilding.insert("dossiers.refused".to_owned(), rebuilding);
    let point = fixture.read("score", "2024-04-02", Place::Province).point;
    assert_eq!((point.value, point.carried), (None, Vec::new()));
}

//! Running totals and comparisons, against numbers that can be added up by hand.

use serde_json::json;

use super::{Fixture, Place, day, period, stamp};
use crate::indicator::evaluate::{By, breakdown};
use crate::indicator::reading::{NoValue, Running, Status};
use crate::indicator::{Grain, series};

/// Dossiers from 15 March on; today is the 10th of April.
fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.flow(
        "dossiers.received",
        &[
            ("2024-03-15", "00001@old", "online", 4),
            ("2024-03-31", "00002@old", "", 2),
            ("2024-04-01", "00001@old", "", 8),
            ("2024-04-09", "00003@new", "", 16),
            ("2024-04-10", "00001@new", "", 32),
        ],
    );
    fixture.stock("lodging.facilities", &[("2024-04-02", "00001@old", "", 2)]);
    fixture.flow(
        "lodging.reports",
        &[("2024-04-02", "00001@old", "", 2), ("2024-04-04", "00001@old", "", 1)],
    );
    fixture.flow(
        "lodging.guests",
        &[("2024-04-02", "00001@old", "", 50), ("2024-04-04", "00001@old", "", 7)],
    );
    let of =
        |since: &str| json!({"kind": "cumulative", "measure": "dossiers.received", "since": since});
    fixture.define(&json!({
        "year": of("year"), "quarter": of("quarter"), "month": of("month"),
        "april": of("2024-04-01"),
        "days": {"kind": "simple", "measure": "dossiers.received"},
        "guests": {"kind": "cumulative", "measure": "lodging.guests", "since": "month",
            "divide_by": 10,
            "completeness": {"of": "measures", "reported": "lodging.reports",
                             "expected": {"measure": "lodging.facilities", "over": "days"}}},
    }));
    fixture
}

#[test]
fn a_running_total_counts_from_its_beginning_to_the_end_of_the_period() {
    let fixture = fixture();
    for (id, when, wanted) in [
        ("month", "2024-03-20", Some(4.0)),
        ("month", "2024-03", Some(6.0)),
        ("month", "2024-04-01", Some(8.0)),
        ("month", "2024-04", Some(56.0)),
        ("quarter", "2024-03-31", Some(6.0)),
        ("quarter", "2024-04-09", Some(24.0)),
        ("year", "2024-03-31", Some(6.0)),
        ("year", "2024-04-01", Some(14.0)),
        // The week ends in April, and so does its month.
        ("month", "2024-W14", Some(8.0)),
        ("year", "2024", Some(62.0)),
        // Of an open year the quarter is the one that runs today.
        ("quarter", "2024", Some(56.0)),
        ("april", "2024-04-09", Some(24.0)),
        ("april", "2024", Some(56.0)),
        // Before its beginning it is of nothing, and nothing is not 0.
        ("april", "2024-03-31", None),
        ("year", "2024-03-14", None),
    ] {
        assert_eq!(fixture.value(id, when), wanted, "{id} {when}");
    }
    let point = fixture.read("april", "2024-03-31", Place::Province).point;
    assert_eq!(point.reason, Some(NoValue::NotReported));
}

#[test]
fn a_series_of_running_totals_is_the_days_added_up_and_the_communes_are_the_province() {
    let fixture = fixture();
    let (first, end) = (day("2024-03-15"), day("2024-04-11"));
    let values = |id: &str| -> Vec<f64> {
        let definition = fixture.catalogue.get(id).unwrap();
        series(&fixture.world(), definition, Grain::Day, (first, end), &[Place::Province])
            .into_iter()
            .map(|(_, _, point)| point.value.unwrap())
            .collect()
    };
    let mut sum = 0.0;
    let added: Vec<f64> = values("days")
        .into_iter()
        .map(|value| {
            sum += value;
            sum
        })
        .collect();
    assert_eq!(values("year"), added);
    for when in ["2024-03", "2024-04-09", "2024"] {
        let definition = fixture.catalogue.get("year").unwrap();
        let rows = breakdown(&fixture.world(), definition, &period(when), By::Commune).unwrap();
        let whole: f64 = rows.iter().filter_map(|row| row.point.value).sum();
        assert_eq!(Some(whole), fixture.value("year", when), "{when}");
    }
}

#[test]
fn days_before_all_knowledge_are_a_gap_and_the_total_is_never_final() {
    let fixture = fixture();
    let read = |id: &str, when: &str| fixture.read(id, when, Place::Province);
    let year = read("year", "2024-03-31");
    assert_eq!(year.point.status, Status::Provisional);
    let gap = (day("2024-01-01"), day("2024-03-14"));
    let running = Running {
        since: day("2024-01-01"),
        through: Some(day("2024-03-31")),
        gap_days: 74,
        gaps: vec![gap],
    };
    assert_eq!(year.running, Some(running));
    assert_eq!(year.completeness.ratio, Some(17.0 / 91.0));
    // April is known from its first day on.
    let april = read("april", "2024-04-09");
    assert_eq!(april.point.status, Status::Final);
    assert_eq!(april.running.as_ref().map(|running| running.gap_days), Some(0));
    assert_eq!(april.completeness.ratio, Some(1.0));
    let open = read("april", "2024");
    assert_eq!(open.point.status, Status::Provisional);
    assert_eq!(open.running.unwrap().through, Some(day("2024-04-10")));
    assert_eq!(read("days", "2024-03").running, None);
}

#[test]
fn a_day_on_which_nobody_of_those_who_should_reported_is_a_gap() {
    let mut fixture = fixture();
    fixture.stream("lodging_a", "lodging", Some("2024-04-06T00:00:00+07:00"));
    let reading = fixture.read("guests", "2024-04-05", Place::Province);
    assert_eq!(reading.point.value, Some(5.7));
    let running = reading.running.unwrap();
    assert_eq!(running.since, day("2024-04-01"));
    // The first of April lies before all knowledge; on the third and the fifth nobody reported.
    let on = |text: &str| (day(text), day(text));
    assert_eq!(running.gaps, [on("2024-04-01"), on("2024-04-03"), on("2024-04-05")]);
    assert_eq!((running.gap_days, reading.point.status), (3, Status::Provisional));
    assert_eq!(reading.completeness.ratio, Some(3.0 / 8.0));
    // Commune 3 has no facility: nothing was expected of it, so only the first is unknown.
    let place = fixture.place("00003");
    let other = fixture.read("guests", "2024-04-05", place);
    assert_eq!(other.running.unwrap().gap_days, 1);
}

#[test]
fn what_has_not_come_in_yet_is_no_gap() {
    let mut fixture = fixture();
    fixture.stream("portal", "dossiers", Some("2024-04-08T00:00:00+07:00"));
    let reading = fixture.read("april", "2024-04", Place::Province);
    let running = reading.running.unwrap();
    assert_eq!((running.through, running.gap_days), (Some(day("2024-04-07")), 0));
    assert_eq!(reading.point.status, Status::Provisional);
    fixture.stream("portal", "dossiers", None);
    let reading = fixture.read("april", "2024-04", Place::Province);
    assert_eq!(reading.point.reason, Some(NoValue::NotReported));
    assert_eq!(reading.running.unwrap().through, None);
}

#[test]
fn a_stock_is_a_running_total_already_and_a_beginning_is_needed() {
    let fixture = fixture();
    let refused = |entry: &serde_json::Value| -> Vec<String> {
        let found = fixture.compile(&json!({"x": entry})).unwrap_err();
        found.into_iter().map(|(at, text)| format!("{at}: {text}")).collect()
    };
    let stock = json!({"kind": "cumulative", "measure": "lodging.facilities", "since": "year"});
    assert_eq!(
        refused(&stock),
        [
            "indicators.x.measure: 'lodging.facilities' is a stock, which is a running total already; \
          use kind simple, or 'over: days'"
        ]
    );
    let none = json!({"kind": "cumulative", "measure": "dossiers.received"});
    assert_eq!(
        refused(&none),
        ["indicators.x: kind cumulative needs 'since': year, quarter, month, or a day"]
    );
    let stranger = json!({"kind": "simple", "measure": "dossiers.received", "since": "year"});
    assert_eq!(
        refused(&stranger),
        ["indicators.x.since: 'since' belongs to kind cumulative, not to simple"]
    );
}

#[test]
fn a_target_of_a_running_total_has_a_pace() {
    let mut fixture = fixture();
    fixture.define(&json!({"x": {"kind": "cumulative", "measure": "dossiers.received",
        "since": "2024-04-01", "targets": [{"from": "2024-04-01", "until": "2024-04-30",
            "value": 116, "baseline": {"on": "2024-03-31", "value": 0}}]}}));
    let target = fixture.read("x", "2024-04", Place::Province).target;
    // A third of the month is over, 56 of 116 have come, and 20 days are left.
    assert!((target.expected.unwrap() - 116.0 / 3.0).abs() < 1e-9);
    assert_eq!(target.pace_needed, Some(3.0));
    fixture.now = stamp("2024-04-10T23:00:00+07:00");
    assert_eq!(fixture.read("x", "2024-04", Place::Province).target.pace_needed, Some(3.0));
}

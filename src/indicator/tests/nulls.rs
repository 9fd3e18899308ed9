//! The null algebra: nothing is a true 0 only where the sources have covered the period.

use serde_json::{Value, json};

use super::{Fixture, Place, period, stamp};
use crate::indicator::By;
use crate::indicator::evaluate::breakdown;
use crate::indicator::reading::{NoValue, Status};
use crate::model::snapshot::{MeasureKind, RunLine};

fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.flow(
        "dossiers.received",
        &[("2024-04-01", "00001@old", "online", 4), ("2024-04-03", "00002@old", "", 2)],
    );
    fixture.flow("dossiers.refused", &[("2024-04-03", "00002@old", "", 1)]);
    fixture.flow("lodging.reports", &[("2024-04-02", "00001@old", "", 1)]);
    fixture.stock("lodging.facilities", &[("2024-04-02", "00001@old", "", 2)]);
    fixture.measure(
        "dossiers.time",
        MeasureKind::Distribution,
        0,
        &[("2024-04-01", "00001@old", "", 3)],
    );
    fixture
}

fn reason(fixture: &Fixture, id: &str, when: &str) -> Option<NoValue> {
    let point = fixture.read(id, when, Place::Province).point;
    assert_eq!(point.value.is_none(), point.reason.is_some(), "{id} {when}");
    assert_eq!(point.value.is_none(), point.status == Status::Missing, "{id} {when}");
    point.reason
}

fn received() -> Value {
    json!({"received": {"kind": "simple", "measure": "dossiers.received"}})
}

#[test]
fn a_covered_period_of_nothing_is_a_true_zero() {
    let mut fixture = fixture();
    fixture.define(&received());
    assert_eq!(fixture.value("received", "2024-04-02"), Some(0.0));
    assert_eq!(fixture.value("received", "2024-04-10"), Some(0.0));
}

#[test]
fn a_source_that_never_got_through_has_reported_nothing() {
    let mut fixture = fixture();
    fixture.define(&received());
    fixture.stream("portal", "dossiers", Some("2024-04-10T11:00:00+07:00")).last_success = None;
    assert_eq!(reason(&fixture, "received", "2024-04-01"), Some(NoValue::NotReported));
    fixture.snapshot.streams.clear();
    assert_eq!(reason(&fixture, "received", "2024-04-01"), Some(NoValue::NotReported));
}

#[test]
fn a_period_after_all_data_is_not_reported_but_one_that_they_reach_is() {
    let mut fixture = fixture();
    fixture.define(&received());
    fixture.stream("portal", "dossiers", Some("2024-04-05T09:00:00+07:00"));
    fixture.stream("second", "dossiers", None);
    assert_eq!(fixture.value("received", "2024-04-05"), Some(0.0));
    assert_eq!(reason(&fixture, "received", "2024-04-06"), Some(NoValue::NotReported));
    // One of several sources is enough to know something.
    fixture.stream("second", "dossiers", Some("2024-04-06T00:00:00+07:00"));
    assert_eq!(fixture.value("received", "2024-04-06"), Some(0.0));
    assert_eq!(reason(&fixture, "received", "2024-04-07"), Some(NoValue::NotReported));
}

#[test]
fn a_period_before_the_first_day_of_the_contract_is_not_reported() {
    let mut fixture = fixture();
    fixture.define(&json!({
        "received": {"kind": "simple", "measure": "dossiers.received"},
        "refused": {"kind": "simple", "measure": "dossiers.refused"},
    }));
    assert_eq!(reason(&fixture, "received", "2024-03-31"), Some(NoValue::NotReported));
    assert_eq!(reason(&fixture, "received", "2023"), Some(NoValue::NotReported));
    assert_eq!(fixture.value("received", "2024-Q2"), Some(6.0));
    // Dossiers came in that day and none was refused, though the first refusal came later.
    assert_eq!(fixture.value("refused", "2024-04-01"), Some(0.0));
    assert_eq!(reason(&fixture, "refused", "2024-03-31"), Some(NoValue::NotReported));
}

#[test]
fn a_source_without_any_record_is_known_to_be_empty_only_since_it_was_asked() {
    let mut fixture = fixture();
    fixture.define(&received());
    fixture.snapshot.measures.clear();
    assert_eq!(fixture.value("received", "2024-04-10"), Some(0.0));
    assert_eq!(reason(&fixture, "received", "2024-04-09"), Some(NoValue::NotReported));
    let started = stamp("2024-04-08T10:00:00+07:00");
    let stream = fixture.stream("portal", "dossiers", Some(super::NOON));
    stream.runs.push_back(RunLine {
        started,
        ended: started,
        outcome: crate::model::snapshot::Outcome::Ok,
        pages: 1,
        records: crate::model::snapshot::Conservation::default(),
        message: None,
    });
    assert_eq!(fixture.value("received", "2024-04-08"), Some(0.0));
    assert_eq!(reason(&fixture, "received", "2024-04-07"), Some(NoValue::NotReported));
}

#[test]
fn a_denominator_of_zero_means_what_the_definition_says() {
    let mut fixture = fixture();
    let ratio = |empty: &str| {
        json!({"kind": "ratio", "numerator": "dossiers.refused",
               "denominator": "dossiers.received", "empty_denominator": empty})
    };
    fixture.define(&json!({
        "none": ratio("no_value"), "zero": ratio("zero"), "full": ratio("full_marks"),
    }));
    assert_eq!(reason(&fixture, "none", "2024-04-02"), Some(NoValue::NoBase));
    let point = fixture.read("none", "2024-04-02", Place::Province).point;
    assert_eq!((point.numerator, point.denominator), (Some(0.0), Some(0.0)));
    assert_eq!(fixture.value("zero", "2024-04-02"), Some(0.0));
    assert_eq!(fixture.value("full", "2024-04-02"), Some(1.0));
    for id in ["none", "zero", "full"] {
        assert_eq!(fixture.value(id, "2024-04-03"), Some(0.5));
    }
}

#[test]
fn a_missing_input_makes_everything_made_of_it_missing() {
    let mut fixture = fixture();
    fixture.define(&json!({
        "ratio": {"kind": "ratio", "numerator": "lodging.reports",
                  "denominator": "dossiers.received", "empty_denominator": "full_marks"},
        "sum": {"kind": "simple", "measure": [
            {"measure": "dossiers.received"}, {"measure": "lodging.reports"}]},
        "derived": {"kind": "derived", "value": "a + b",
                    "terms": {"a": "lodging.reports", "b": "dossiers.received"}},
    }));
    for id in ["ratio", "sum", "derived"] {
        assert!(fixture.value(id, "2024-04-03").is_some(), "{id}");
    }
    fixture.stream("lodging_a", "lodging", None);
    for id in ["ratio", "sum", "derived"] {
        assert_eq!(reason(&fixture, id, "2024-04-03"), Some(NoValue::NotReported), "{id}");
    }
    let point = fixture.read("ratio", "2024-04-03", Place::Province).point;
    assert_eq!((point.numerator, point.denominator), (None, Some(2.0)));
}

#[test]
fn a_division_by_zero_in_arithmetic_has_no_base() {
    let mut fixture = fixture();
    fixture.define(&json!({"share": {
        "kind": "derived", "value": "1 - refused / received",
        "terms": {"refused": "dossiers.refused", "received": "dossiers.received"},
    }}));
    assert_eq!(fixture.value("share", "2024-04-03"), Some(0.5));
    assert_eq!(reason(&fixture, "share", "2024-04-02"), Some(NoValue::NoBase));
}

#[test]
fn a_percentile_of_nothing_says_whether_nothing_happened_or_nothing_is_known() {
    let mut fixture = fixture();
    fixture.define(&json!({
        "median": {"kind": "simple", "measure": "dossiers.time", "statistic": "median"},
    }));
    assert_eq!(fixture.value("median", "2024-04-01"), Some(3.0));
    assert_eq!(reason(&fixture, "median", "2024-04-02"), Some(NoValue::NoEvents));
    assert_eq!(reason(&fixture, "median", "2024-03-02"), Some(NoValue::NotReported));
}

#[test]
fn when_nobody_who_should_reported_the_value_is_not_zero() {
    let mut fixture = fixture();
    fixture.flow(
        "lodging.guests",
        &[("2024-04-02", "00001@old", "", 9), ("2024-04-04", "00003@old", "", 5)],
    );
    let measures = json!({"of": "measures", "reported": "lodging.reports",
                          "expected": {"measure": "lodging.facilities"}});
    fixture.define(&json!({
        "guests": {"kind": "simple", "measure": "lodging.guests", "completeness": measures},
        "per_report": {"kind": "ratio", "numerator": "lodging.guests",
                       "denominator": "lodging.facilities", "completeness": measures},
    }));
    assert_eq!(fixture.value("guests", "2024-04-02"), Some(9.0));
    assert_eq!(reason(&fixture, "guests", "2024-04-03"), Some(NoValue::NotReported));
    // Commune 3 has no facility, so nothing was expected of it: its 0 is a 0.
    let definition = fixture.catalogue.get("guests").unwrap();
    let rows = breakdown(&fixture.world(), definition, &period("2024-04-03"), By::Commune).unwrap();
    let values: Vec<_> = rows.iter().map(|row| row.point.value).collect();
    assert_eq!(values, [None, Some(0.0), Some(0.0)]);
    // An amount that did come in stays beside the missing value.
    let point = fixture.read("per_report", "2024-04-04", Place::Province).point;
    assert_eq!((point.value, point.numerator, point.denominator), (None, Some(5.0), Some(2.0)));
    let point = fixture.read("per_report", "2024-04-03", Place::Province).point;
    assert_eq!((point.value, point.numerator), (None, None));
}

#[test]
fn a_composite_without_a_component_refuses_reweights_or_counts_zero() {
    let mut fixture = fixture();
    let composite = |missing: &str| {
        json!({"kind": "composite", "missing": missing, "components": [
            {"indicator": "received", "weight": 0.25, "zero_at": 0, "full_at": 4},
            {"indicator": "reports", "weight": 0.75, "zero_at": 0, "full_at": 1},
        ]})
    };
    fixture.define(&json!({
        "received": {"kind": "simple", "measure": "dossiers.received"},
        "reports": {"kind": "simple", "measure": "lodging.reports"},
        "refuse": composite("refuse"), "reweight": composite("reweight"), "zero": composite("zero"),
    }));
    // On 1 April lodging had not begun; before April nothing had.
    assert_eq!(reason(&fixture, "refuse", "2024-04-01"), Some(NoValue::MissingComponent));
    assert_eq!(fixture.value("reweight", "2024-04-01"), Some(100.0));
    assert_eq!(fixture.value("zero", "2024-04-01"), Some(25.0));
    for id in ["refuse", "reweight", "zero"] {
        assert_eq!(reason(&fixture, id, "2024-03-01"), Some(NoValue::MissingComponent), "{id}");
        assert!(fixture.value(id, "2024-04-02").is_some(), "{id}");
    }
}

#[test]
fn a_place_that_is_no_commune_of_today_has_no_value() {
    let mut fixture = fixture();
    fixture.define(&received());
    let gone = Place::Commune(fixture.area("00099@old"));
    let point = fixture.read("received", "2024-04-01", gone).point;
    assert_eq!((point.value, point.reason), (None, Some(NoValue::NotReported)));
}

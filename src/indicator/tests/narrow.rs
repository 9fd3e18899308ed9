//! Indicators narrowed by whoever asks: the parts make up the whole, and a part is nobody's target.

use serde_json::json;

use super::{Fixture, period};
use crate::indicator::narrow::{NarrowError, WITHOUT};
use crate::indicator::reading::{NoValue, TargetStatus};
use crate::indicator::{Condition, Definition, Patterns, Place, Reading, value};
use crate::model::snapshot::MeasureKind;

fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    let cells = [
        ("2024-01-31", "00001@old", "online", 1),
        ("2024-04-01", "00001@old", "online", 5),
        ("2024-04-01", "00002@old", "counter", 3),
        ("2024-04-02", "00002@old", "kiosk!", 2),
        ("2024-04-02", "00003@old", "", 4),
    ];
    fixture.flow("dossiers.received", &cells);
    fixture.stock("dossiers.pending", &cells);
    fixture.measure("dossiers.time", MeasureKind::Distribution, 0, &cells);
    fixture.define(&json!({
        "received": {"kind": "simple", "measure": "dossiers.received", "targets": [{"from": "2024-01-01", "value": 10}]},
        "away": {"kind": "simple", "measure": {"measure": "dossiers.received", "where": {"channel": ["online", "kiosk"]}}},
        "pending": {"kind": "simple", "measure": "dossiers.pending"},
        "since": {"kind": "cumulative", "measure": "dossiers.received", "since": "year"},
        "median": {"kind": "simple", "measure": "dossiers.time", "statistic": "median"},
        "share": {"kind": "ratio", "numerator": {"measure": "dossiers.received", "where": {"urgent": true}}, "denominator": "dossiers.received"},
        "score": {"kind": "composite", "points": 10, "components": [
            {"indicator": "share", "weight": 1, "zero_at": 0, "full_at": 1}]},
    }));
    fixture
}

fn only(dimension: &str, values: &[&str]) -> Condition {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Condition { dimension: dimension.to_owned(), values }
}

fn narrowed(fixture: &Fixture, id: &str, conditions: &[Condition]) -> Definition {
    let definition = fixture.catalogue.get(id).unwrap();
    definition.narrowed(&fixture.world(), conditions).unwrap()
}

fn read(fixture: &Fixture, id: &str, conditions: &[Condition]) -> Reading {
    let definition = narrowed(fixture, id, conditions);
    value(&fixture.world(), &definition, &period("2024-04"), Place::Province)
}

#[test]
fn the_parts_of_a_dimension_make_up_the_whole() {
    let fixture = fixture();
    let channels = ["online", "counter", "kiosk", WITHOUT];
    for (id, parts, whole) in [
        ("received", [5.0, 3.0, 2.0, 4.0], 14.0),
        ("away", [5.0, 0.0, 2.0, 0.0], 7.0),
        ("pending", [6.0, 3.0, 2.0, 4.0], 15.0),
        ("since", [6.0, 3.0, 2.0, 4.0], 15.0),
    ] {
        let value = |values: &[&str]| read(&fixture, id, &[only("channel", values)]).point.value;
        assert_eq!(channels.map(|channel| value(&[channel])), parts.map(Some), "{id}");
        assert_eq!(value(&channels), Some(whole), "{id}");
        assert_eq!(fixture.value(id, "2024-04"), Some(whole), "{id}");
    }
    // A ratio is one of the same records, and a percentile one of them.
    let share = read(&fixture, "share", &[only("channel", &["kiosk", WITHOUT])]).point;
    assert_eq!((share.numerator, share.denominator), (Some(2.0), Some(6.0)));
    let none = read(&fixture, "share", &[only("channel", &["kiosk"]), only("urgent", &["false"])]);
    assert_eq!((none.point.value, none.point.reason), (None, Some(NoValue::NoBase)));
    let median = |channel| read(&fixture, "median", &[only("channel", &[channel])]).point.value;
    assert!(median("counter") < median("online"), "3 is less than 5");
}

#[test]
fn a_part_has_no_target_and_is_not_told_to_the_public() {
    let fixture = fixture();
    let whole = fixture.read("received", "2024-04", Place::Province);
    assert_ne!(whole.target.status, TargetStatus::NoTarget);
    let part = read(&fixture, "received", &[only("channel", &["online"])]);
    assert_eq!((part.target.status, part.target.value), (TargetStatus::NoTarget, None));
    assert_eq!(part.completeness.ratio, whole.completeness.ratio);
    let patterns = Patterns::default();
    let definition = narrowed(&fixture, "received", &[only("channel", &["online"])]);
    let mut world = fixture.world();
    world.public = Some(&patterns);
    let told = value(&world, &definition, &period("2024-01"), Place::Province).point;
    assert_eq!((told.value, told.reason), (None, Some(NoValue::NotPublic)));
}

#[test]
fn what_cannot_be_narrowed_says_why() {
    let fixture = fixture();
    let error = |id: &str, dimension: &str, value: &str| {
        let definition = fixture.catalogue.get(id).unwrap();
        let asked = [only(dimension, &[value])];
        definition.narrowed(&fixture.world(), &asked).unwrap_err().1
    };
    assert_eq!(error("score", "channel", "online"), NarrowError::Nothing);
    let known = vec!["urgent".to_owned(), "channel".to_owned()];
    assert_eq!(error("received", "chanel", "online"), NarrowError::UnknownDimension { known });
    let nearest = Some("online".to_owned());
    let value = "onlin".to_owned();
    assert_eq!(error("received", "channel", "onlin"), NarrowError::UnknownValue { value, nearest });
}

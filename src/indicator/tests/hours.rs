//! Periods of one hour, for measures that are kept by the hour.

use std::sync::Arc;

use serde_json::json;

use super::{Fixture, day, period, stamp};
use crate::indicator::reading::{NoValue, Status};
use crate::indicator::{Grain, KnownMeasure, Place, series};
use crate::model::cube::{Cube, Dimension, HOURS, cell, hours, settle};
use crate::model::snapshot::{Measure, MeasureKind};

/// Hour, area as `code@list`, channel, amount.
type ByHour<'a> = (&'a str, &'a str, &'a str, i64);

fn dimension(name: &str, dictionary: &str, shift: u32, bits: u32) -> Dimension {
    Dimension { name: name.to_owned(), dictionary: dictionary.to_owned(), shift, bits }
}

/// Adds a flow that is kept by channel and by the hour.
fn by_hour(fixture: &mut Fixture, name: &str, cells: &[ByHour<'_>]) {
    for hour in hours() {
        fixture.words.entry(HOURS).intern(&hour).unwrap();
    }
    let dimensions =
        vec![dimension("channel", "list:channel", 0, 3), dimension("at.hour", HOURS, 3, 6)];
    let mut changes: Vec<(u64, i64)> = cells
        .iter()
        .map(|(moment, area, channel, amount)| {
            let (on, hour) = moment.split_once('T').unwrap();
            let channel = fixture.words.get("list:channel").unwrap().number(channel).unwrap_or(0);
            let hour = fixture.words.get(HOURS).unwrap().number(hour).unwrap();
            let key = u32::from(channel) | u32::from(hour) << 3;
            (cell(i64::from(day(on).0), fixture.area(area), key), *amount)
        })
        .collect();
    settle(&mut changes);
    let (contract, kind) = ("dossiers".to_owned(), MeasureKind::Flow);
    let mut measure = Measure {
        name: name.to_owned(),
        contract: contract.clone(),
        kind,
        decimals: 0,
        dimensions: dimensions.clone(),
        cube: Cube::default(),
    };
    measure.cube.add(&changes);
    fixture.snapshot.measures.insert(name.to_owned(), Arc::new(measure));
    let definition = "by the hour".to_owned();
    let known = KnownMeasure { kind, decimals: 0, dimensions, contract, definition };
    fixture.known.insert(name.to_owned(), known);
}

/// The present is noon of 10 April, and the sources are complete until ten to.
fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    by_hour(
        &mut fixture,
        "dossiers.received",
        &[
            ("2024-04-09T00", "00001@new", "online", 1),
            ("2024-04-09T08", "00001@new", "online", 5),
            ("2024-04-09T08", "00002@new", "counter", 3),
            ("2024-04-09T23", "00003@new", "", 2),
            ("2024-04-10T11", "00002@new", "online", 4),
        ],
    );
    fixture.flow("dossiers.daily", &[("2024-04-09", "00001@new", "online", 1)]);
    fixture.stock("dossiers.pending", &[("2024-04-09", "00001@new", "online", 1)]);
    fixture.define(&json!({
        "received": {"kind": "simple", "measure": "dossiers.received"},
        "share": {"kind": "ratio", "numerator": {"measure": "dossiers.received", "where": {"channel": "online"}}, "denominator": "dossiers.received"},
        "daily": {"kind": "simple", "measure": "dossiers.daily"},
        "mixed": {"kind": "ratio", "numerator": "dossiers.received", "denominator": "dossiers.daily"},
        "pending": {"kind": "simple", "measure": "dossiers.pending"},
        "since": {"kind": "cumulative", "measure": "dossiers.received", "since": "year"},
    }));
    fixture
}

#[test]
fn the_hours_of_a_day_make_up_the_day_in_every_place() {
    let fixture = fixture();
    let world = fixture.world();
    let places = [Place::Province, fixture.place("00001"), fixture.place("00002")];
    let definition = fixture.catalogue.get("received").unwrap();
    let days = (day("2024-04-09"), day("2024-04-10"));
    let points = series(&world, definition, Grain::Hour, days, &places);
    assert_eq!(points.len(), 24 * 3);
    for place in places {
        let of_place = points.iter().filter(|(_, at, _)| *at == place);
        let sum: f64 = of_place.map(|(_, _, point)| point.value.unwrap()).sum();
        assert_eq!(Some(sum), fixture.read("received", "2024-04-09", place).point.value);
    }
    assert_eq!(fixture.value("received", "2024-04-09T08"), Some(8.0));
    assert_eq!(fixture.value("received", "2024-04-09T09"), Some(0.0));
    let share = fixture.read("share", "2024-04-09T08", Place::Province).point;
    assert_eq!((share.numerator, share.denominator), (Some(5.0), Some(8.0)));
    let none = fixture.read("share", "2024-04-09T09", Place::Province).point;
    assert_eq!((none.value, none.reason), (None, Some(NoValue::NoBase)));
}

#[test]
fn an_hour_is_final_when_the_sources_are_beyond_it_and_not_known_before_they_reach_it() {
    let mut fixture = fixture();
    let read = |fixture: &Fixture, hour: &str| {
        let reading = fixture.read("received", hour, Place::Province);
        (reading.point.value, reading.point.status, reading.closed)
    };
    assert_eq!(read(&fixture, "2024-04-10T10"), (Some(0.0), Status::Final, true));
    // Ten minutes of the last hour are not covered yet.
    assert_eq!(read(&fixture, "2024-04-10T11"), (Some(4.0), Status::Provisional, true));
    let last = fixture.read("received", "2024-04-10T11", Place::Province);
    assert_eq!(last.completeness.ratio, Some(50.0 / 60.0));
    assert_eq!(read(&fixture, "2024-04-10T12"), (None, Status::Missing, false));
    let to_come = fixture.read("received", "2024-04-10T13", Place::Province).point;
    assert_eq!(to_come.reason, Some(NoValue::NotReported));
    fixture.now = stamp("2024-04-10T12:30:00+07:00");
    assert_eq!(read(&fixture, "2024-04-10T10").1, Status::Final);
}

/// What is kept by days only has no hours, and what does not happen in one neither: a wrong 0 for them
/// would be worse than none.
#[test]
fn what_is_not_kept_by_the_hour_has_no_value_in_one() {
    let fixture = fixture();
    for (id, is_hourly) in [
        ("received", true),
        ("share", true),
        ("daily", false),
        ("mixed", false),
        ("pending", false),
        ("since", false),
    ] {
        assert_eq!(fixture.catalogue.get(id).unwrap().is_hourly(), is_hourly, "{id}");
        let point = fixture.read(id, "2024-04-09T08", Place::Province).point;
        assert_eq!(point.value.is_some(), is_hourly, "{id}");
    }
    assert_eq!(period("2024-04-09T08").of_days().days(), 1);
}

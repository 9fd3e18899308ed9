//! What stands beside a value: status, freshness, completeness, target, quarantine, who answers.

use serde_json::{Value, json};

use super::{Fixture, Place, Reading, day, stamp};
use crate::indicator::Extent;
use crate::indicator::quality::extent;
use crate::indicator::reading::{FreshnessState, Status, TargetReading, TargetStatus};
use crate::model::snapshot::Paused;

fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    fixture.flow(
        "dossiers.received",
        &[
            ("2024-04-01", "00001@old", "online", 4),
            ("2024-04-02", "00011@old", "online", 1),
            ("2024-04-02", "00002@old", "", 2),
        ],
    );
    fixture.flow("lodging.reports", &[("2024-04-01", "00001@old", "", 3)]);
    fixture.stock("lodging.facilities", &[("2024-04-01", "00001@old", "", 2)]);
    fixture.define(&json!({
        "received": {"kind": "simple", "measure": "dossiers.received"},
        "reports": {"kind": "simple", "measure": "lodging.reports"},
        "both": {"kind": "composite", "components": [
            {"indicator": "received", "weight": 0.5, "zero_at": 0, "full_at": 4},
            {"indicator": "reports", "weight": 0.5, "zero_at": 0, "full_at": 4}]},
        "by_area": {"kind": "simple", "measure": "dossiers.received",
            "completeness": {"of": "areas", "measure": "dossiers.received"}},
        "by_measure": {"kind": "simple", "measure": "lodging.reports",
            "completeness": {"of": "measures", "reported": "lodging.reports",
                             "expected": {"measure": "lodging.facilities", "over": "days"}}},
    }));
    fixture
}

fn read(fixture: &Fixture, id: &str, when: &str) -> Reading {
    fixture.read(id, when, Place::Province)
}

#[test]
fn a_value_is_final_when_the_period_is_over_and_every_source_covers_it() {
    let mut fixture = fixture();
    let status = |fixture: &Fixture, id: &str, when: &str| read(fixture, id, when).point.status;
    assert_eq!(status(&fixture, "received", "2024-04-09"), Status::Final);
    assert_eq!(status(&fixture, "received", "2024-04-10"), Status::Provisional);
    assert_eq!(status(&fixture, "received", "2024-04"), Status::Provisional);
    assert_eq!(status(&fixture, "received", "2024-03"), Status::Missing);
    // The composite waits for the slowest source behind it.
    assert_eq!(status(&fixture, "both", "2024-04-09"), Status::Final);
    fixture.stream("lodging_a", "lodging", Some("2024-04-09T23:59:59+07:00"));
    assert_eq!(status(&fixture, "both", "2024-04-09"), Status::Provisional);
    assert_eq!(status(&fixture, "received", "2024-04-09"), Status::Final);
    fixture.stream("portal_2", "dossiers", None);
    assert_eq!(status(&fixture, "received", "2024-04-01"), Status::Provisional);
}

#[test]
fn a_period_is_closed_at_its_last_midnight() {
    let mut fixture = fixture();
    assert!(read(&fixture, "received", "2024-04-09").closed);
    assert!(!read(&fixture, "received", "2024-04-10").closed);
    fixture.now = stamp("2024-04-11T00:00:00+07:00");
    assert!(read(&fixture, "received", "2024-04-10").closed);
}

#[test]
fn freshness_takes_the_oldest_source_and_judges_each_by_its_own_limit() {
    let mut fixture = fixture();
    let fresh = read(&fixture, "both", "2024-04").freshness;
    // Lodging is 12 h old and may be a day old; the portal is 10 min old and may be half an hour.
    assert_eq!(fresh.state, FreshnessState::Fresh);
    assert_eq!(fresh.data_through, Some(stamp("2024-04-10T00:00:00+07:00")));
    assert_eq!((fresh.age_seconds, fresh.limit_seconds), (Some(12 * 3600), 86_400));
    assert!(fresh.late_sources.is_empty());

    fixture.stream("portal", "dossiers", Some("2024-04-10T11:29:59+07:00"));
    let stale = read(&fixture, "both", "2024-04").freshness;
    assert_eq!(stale.state, FreshnessState::Stale);
    assert_eq!(stale.late_sources, ["portal"]);
    assert_eq!(read(&fixture, "reports", "2024-04").freshness.state, FreshnessState::Fresh);
    let alone = read(&fixture, "received", "2024-04").freshness;
    assert_eq!((alone.age_seconds, alone.limit_seconds), (Some(1801), 1800));

    fixture.stream("portal", "dossiers", Some("2024-04-10T11:30:00+07:00"));
    assert_eq!(read(&fixture, "both", "2024-04").freshness.state, FreshnessState::Fresh);
}

#[test]
fn a_value_names_the_sources_behind_it_that_are_paused() {
    let mut fixture = fixture();
    let paused =
        Paused { by: "a steward".to_owned(), why: "x".to_owned(), since: stamp(super::NOON) };
    for source in ["portal", "elsewhere"] {
        fixture.snapshot.paused.insert(source.to_owned(), paused.clone());
    }
    let reading = read(&fixture, "both", "2024-04").freshness;
    assert_eq!(
        (reading.state, reading.paused_sources),
        (FreshnessState::Fresh, vec!["portal".to_owned()])
    );
    assert!(read(&fixture, "reports", "2024-04").freshness.paused_sources.is_empty());
}

#[test]
fn a_source_that_never_reported_makes_the_whole_never_reported() {
    let mut fixture = fixture();
    fixture.stream("portal_2", "dossiers", None);
    let reading = read(&fixture, "both", "2024-04").freshness;
    assert_eq!(reading.state, FreshnessState::NeverReported);
    assert_eq!((reading.data_through, reading.age_seconds), (None, None));
    assert_eq!(reading.last_success_at, None);
    assert_eq!((reading.limit_seconds, reading.late_sources), (1800, vec!["portal_2".to_owned()]));
    fixture.snapshot.streams.clear();
    let nothing = read(&fixture, "both", "2024-04").freshness;
    assert_eq!(nothing.state, FreshnessState::NeverReported);
}

#[test]
fn the_two_clocks_are_told_apart() {
    let mut fixture = fixture();
    let stream = fixture.stream("portal", "dossiers", Some("2024-04-07T00:00:00+07:00"));
    stream.last_success = Some(stamp("2024-04-10T11:59:00+07:00"));
    let reading = read(&fixture, "received", "2024-04").freshness;
    assert_eq!(reading.last_success_at, Some(stamp("2024-04-10T11:59:00+07:00")));
    assert_eq!(reading.data_through, Some(stamp("2024-04-07T00:00:00+07:00")));
    assert_eq!(reading.state, FreshnessState::Stale);
}

#[test]
fn completeness_of_a_period_is_the_part_of_it_that_all_sources_cover() {
    let mut fixture = fixture();
    let complete = |fixture: &Fixture, when: &str| {
        let reading = read(fixture, "received", when);
        assert_eq!(reading.point.completeness_ratio, reading.completeness.ratio);
        (reading.completeness.ratio, reading.completeness.expected, reading.completeness.reported)
    };
    assert_eq!(complete(&fixture, "2024-04-09"), (Some(1.0), 86_400.0, 86_400.0));
    // Today: 12 h have passed, 11 h 50 min are covered.
    assert_eq!(complete(&fixture, "2024-04-10"), (Some(42_600.0 / 43_200.0), 43_200.0, 42_600.0));
    assert_eq!(complete(&fixture, "2024-05"), (None, 0.0, 0.0));
    fixture.stream("portal_2", "dossiers", None);
    assert_eq!(complete(&fixture, "2024-04-09"), (Some(0.0), 86_400.0, 0.0));
}

#[test]
fn completeness_of_areas_names_the_communes_that_are_missing() {
    let fixture = fixture();
    let province = read(&fixture, "by_area", "2024-04-02").completeness;
    assert_eq!((province.expected, province.reported), (3.0, 2.0));
    assert_eq!((province.ratio, province.of.as_str()), (Some(2.0 / 3.0), "areas"));
    assert_eq!(province.missing, ["00003"]);
    let commune = fixture.read("by_area", "2024-04-02", fixture.place("00003"));
    assert_eq!(commune.completeness.ratio, Some(0.0));
    assert_eq!(commune.completeness.missing, ["00003"]);
    assert_eq!(commune.point.value, Some(0.0));
    let commune = fixture.read("by_area", "2024-04-02", fixture.place("00001"));
    assert_eq!((commune.completeness.ratio, commune.completeness.expected), (Some(1.0), 1.0));
}

#[test]
fn completeness_of_measures_divides_what_came_by_what_should_have() {
    let fixture = fixture();
    let week = read(&fixture, "by_measure", "2024-W14").completeness;
    // Two facilities on seven days; three reports.
    assert_eq!((week.expected, week.reported, week.of.as_str()), (14.0, 3.0, "measures"));
    assert_eq!(week.ratio, Some(3.0 / 14.0));
    // More reports than facilities are not more than complete.
    assert_eq!(read(&fixture, "by_measure", "2024-04-01").completeness.ratio, Some(1.0));
    let nobody = fixture.read("by_measure", "2024-W14", fixture.place("00003"));
    assert_eq!((nobody.completeness.ratio, nobody.point.value), (None, Some(0.0)));
}

fn judged(direction: &str, target: f64, received: &Value) -> TargetReading {
    let mut fixture = fixture();
    fixture.define(&json!({"x": {
        "kind": "simple", "direction": direction, "measure": "dossiers.received",
        "divide_by": received, "targets": [{"from": "2024-01-01", "value": target}]}}));
    read(&fixture, "x", "2024-04-01").target
}

#[test]
fn a_value_is_judged_against_its_target() {
    // The value is 4 / divide_by.
    for (direction, target, divide_by, state) in [
        ("up", 4.0, 1.0, TargetStatus::OnTrack),
        ("up", 3.9, 1.0, TargetStatus::OnTrack),
        ("up", 0.8, 4.0 / 0.72, TargetStatus::AtRisk),
        ("up", 0.8, 4.0 / 0.719, TargetStatus::OffTrack),
        ("down", 4.0, 1.0, TargetStatus::OnTrack),
        ("down", 4.0, 4.0 / 4.4, TargetStatus::AtRisk),
        ("down", 4.0, 4.0 / 4.41, TargetStatus::OffTrack),
        ("down", 0.0, 1.0, TargetStatus::OffTrack),
    ] {
        let found = judged(direction, target, &json!(divide_by));
        assert_eq!(found.status, state, "{direction} {target} {divide_by}");
    }
    assert_eq!(judged("up", 8.0, &json!(1)).attainment_ratio, Some(0.5));
    assert_eq!(judged("down", 2.0, &json!(1)).attainment_ratio, Some(0.5));
    assert_eq!(judged("up", 0.0, &json!(1)).attainment_ratio, None);
}

#[test]
fn the_target_is_the_one_in_force_on_the_last_day_of_the_period() {
    let mut fixture = fixture();
    fixture.define(&json!({"x": {"kind": "simple", "measure": "dossiers.received", "targets": [
        {"from": "2024-04-02", "value": 8}, {"from": "2024-04-01", "value": 2}]}}));
    let target = |when: &str| read(&fixture, "x", when).target.value;
    assert_eq!(target("2024-03-31"), None);
    assert_eq!(read(&fixture, "x", "2024-03-31").target.status, TargetStatus::NoTarget);
    assert_eq!(target("2024-04-01"), Some(2.0));
    assert_eq!(target("2024-04-02"), Some(8.0));
    assert_eq!(target("2024-04"), Some(8.0));
    let missing = read(&fixture, "x", "2024-05").target;
    assert_eq!((missing.status, missing.attainment_ratio), (TargetStatus::Unknown, None));
    assert_eq!(missing.from, Some(day("2024-04-02")));
}

#[test]
fn an_open_period_is_judged_by_today_and_a_closed_one_by_its_last_day() {
    let mut fixture = fixture();
    // Ten a month are expected from nothing on; today is the 10th of April, and 7 came in.
    fixture.define(&json!({"x": {"kind": "simple", "measure": "dossiers.received", "targets": [
        {"from": "2024-04-01", "until": "2024-05-01", "value": 30,
         "baseline": {"on": "2024-04-01", "value": 0}}]}}));
    let month = read(&fixture, "x", "2024-04").target;
    assert_eq!((month.expected, month.gap), (Some(9.0), Some(-2.0)));
    assert_eq!(month.status, TargetStatus::AtRisk);
    assert_eq!(month.pace_needed, Some(23.0 / 21.0));
    let first = read(&fixture, "x", "2024-04-02").target;
    assert_eq!((first.expected, first.status), (Some(1.0), TargetStatus::OnTrack));
    // The year's last day lies beyond the target, but the year is not over.
    assert_eq!(read(&fixture, "x", "2024").target.value, Some(30.0));
    fixture.now = stamp("2024-05-02T08:00:00+07:00");
    assert_eq!(read(&fixture, "x", "2024-04").target.expected, Some(29.0));
    assert_eq!(read(&fixture, "x", "2024").target.status, TargetStatus::NoTarget);
}

#[test]
fn a_reading_says_what_is_in_quarantine_who_answers_and_which_revision_it_is() {
    let mut fixture = fixture();
    fixture.stream("portal_2", "dossiers", Some(super::NOON)).quarantined = 5;
    fixture.stream("lodging_b", "lodging", Some(super::NOON)).quarantined = 2;
    assert_eq!(read(&fixture, "received", "2024-04").quarantined, 5);
    let reading = read(&fixture, "both", "2024-04");
    assert_eq!(reading.quarantined, 7);
    assert_eq!(reading.accountable.name.en, "Office");
    assert_eq!(reading.accountable.role, "Head");
    assert_eq!((reading.revision, reading.as_of), (7, stamp(super::NOON)));
    assert_eq!(reading.area, "40");
    let commune = fixture.read("both", "2024-04", fixture.place("00002"));
    assert_eq!(commune.area, "00002");
}

#[test]
fn the_extent_is_the_newest_day_and_the_newest_whole_day_of_the_slowest_source() {
    let mut fixture = fixture();
    let found =
        |fixture: &Fixture, id: &str| extent(&fixture.world(), fixture.catalogue.get(id).unwrap());
    let days = |newest: &str, closed: &str| Extent {
        newest: Some(day(newest)),
        closed: Some(day(closed)),
    };
    assert_eq!(found(&fixture, "received"), days("2024-04-10", "2024-04-09"));
    fixture.stream("lodging_a", "lodging", Some("2024-04-08T23:00:00+07:00"));
    assert_eq!(found(&fixture, "both"), days("2024-04-08", "2024-04-07"));
    // A second source that is ahead moves what is known, not what is whole.
    fixture.stream("lodging_b", "lodging", Some("2024-04-09T00:00:00+07:00"));
    assert_eq!(found(&fixture, "both"), days("2024-04-09", "2024-04-07"));
    fixture.stream("lodging_c", "lodging", None);
    assert_eq!(found(&fixture, "both").closed, None);
    assert_eq!(found(&fixture, "both").newest, Some(day("2024-04-09")));
}

#[test]
fn a_value_is_provisional_until_the_first_publication_after_its_period() {
    let mut fixture = fixture();
    let moments = ["2024-04-02T17:00:00+07:00", "2024-04-11T17:00:00+07:00"].map(stamp);
    fixture.contracts.get_mut("dossiers").unwrap().publication = Some(moments.into());
    let status = |fixture: &Fixture, when: &str| read(fixture, "received", when).point.status;
    // Published on the 2nd at five in the afternoon: the first is out, the second not before the 11th.
    assert_eq!(status(&fixture, "2024-04-01"), Status::Final);
    assert_eq!(status(&fixture, "2024-04-02"), Status::Provisional);
    let second = read(&fixture, "received", "2024-04-02");
    assert_eq!(second.final_at, Some(moments[1]));
    // A combined indicator waits for every calendar behind it, others for none.
    assert_eq!(read(&fixture, "both", "2024-04-02").point.status, Status::Provisional);
    assert_eq!(read(&fixture, "reports", "2024-04-02").point.status, Status::Final);
    assert_eq!(read(&fixture, "reports", "2024-04-02").final_at, None);
    fixture.now = stamp("2024-04-11T17:00:00+07:00");
    fixture.stream("portal", "dossiers", Some("2024-04-11T16:50:00+07:00"));
    assert_eq!(status(&fixture, "2024-04-02"), Status::Final);
    assert_eq!(status(&fixture, "2024-04-10"), Status::Final);
    // Beyond its last moment nothing is published until the calendar is extended.
    fixture.now = stamp("2025-04-11T17:00:00+07:00");
    fixture.stream("portal", "dossiers", Some("2025-04-11T16:50:00+07:00"));
    let after = read(&fixture, "received", "2024-05");
    assert_eq!((after.point.status, after.final_at), (Status::Provisional, None));
}

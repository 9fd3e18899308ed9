//! The four scores of a source's data, each by its formula.

use std::sync::Arc;

use serde_json::{Value, json as object};

use super::world::{Ground, bare, received, sessions, snapshot, source};
use super::{get, json};
use crate::model::lateness::{LatenessRegister, Report, ReportState};
use crate::model::snapshot::{Conservation, StreamState};
use crate::model::time::{DAY, Day, Stamp};
use crate::serve::Context;

/// Changes the state of a stream.
fn with(context: &Context, stream: &str, change: impl FnOnce(&mut StreamState)) {
    let mut snapshot = (*context.snapshot.load_full()).clone();
    change(Arc::make_mut(snapshot.streams.get_mut(stream).unwrap()));
    context.snapshot.store(Arc::new(snapshot));
}

fn of<'b>(body: &'b Value, source: &str) -> &'b Value {
    let items = body["items"].as_array().unwrap();
    items.iter().find(|item| item["source"] == source).unwrap()
}

#[actix_web::test]
async fn correct_clean_and_live_are_shares_of_records_and_streams() {
    let context = Arc::new(bare());
    with(&context, "portal.dossiers", |state| {
        // Of ten records in the kept runs two were refused and one was known already.
        state.runs[0].records = Conservation {
            received: 10,
            accepted: 7,
            duplicate: 1,
            quarantined: 2,
            ..Conservation::default()
        };
        // Of 25 ever received two missed a check and one had a code nobody knows.
        state.register.warnings.insert("a > b".to_owned(), 2);
        state.register.unknown_codes.insert("channel".to_owned(), 1);
    });
    let body = json(&context, "/v1/quality").await;
    let portal = of(&body, "portal");
    assert_eq!(portal["correct"], object!({"ratio": 0.8, "part": 8, "of": 10}));
    assert_eq!(portal["clean"], object!({"ratio": 0.88, "part": 22, "of": 25}));
    assert_eq!(portal["live"], object!({"ratio": 1, "part": 1, "of": 1}));
    assert_eq!(portal["accountable_unit"], "vp-ubnd");
    // Nothing has come from the kiosks: there is nothing to judge, and nothing is alive.
    let kiosks = of(&body, "kiosks");
    assert_eq!(kiosks["correct"]["ratio"], object!(null));
    assert_eq!(kiosks["clean"]["ratio"], object!(null));
    assert_eq!(kiosks["live"]["ratio"], 0);
    assert_eq!(
        (&kiosks["complete"]["ratio"], &kiosks["complete"]["by"]),
        (&object!(null), &object!("nothing"))
    );
    // Time alone takes the life out of it.
    context.clock.set(Stamp(super::world::now().0 + DAY));
    let later = json(&context, "/v1/sources/portal/quality").await;
    assert_eq!((&later["live"]["ratio"], &later["correct"]["ratio"]), (&object!(0), &object!(0.8)));
    assert_eq!(get(&context, "/v1/sources/portl/quality").await.status, 404);
    let table = get(&context, "/v1/quality?format=csv").await;
    assert!(table.text().starts_with("source,title,accountable_unit,correct_ratio"));
}

#[actix_web::test]
async fn complete_is_what_came_of_the_reports_that_were_due() {
    let context = Arc::new(bare());
    let report = |day: i32, state: ReportState| Report {
        due_on: Day(day),
        due_at: Day(day).start(),
        period: (Day(day - 1), Day(day - 1)),
        reach: Day(day).start(),
        accountable_unit: "vp-ubnd".to_owned(),
        state,
        is_witnessed: true,
        missed_by: None,
        missed_at: None,
        came_at: None,
        changed_at: Day(day).start(),
    };
    use ReportState::{Late, Missing, OnTime, Pending};
    let states = [OnTime, OnTime, Late, Missing, Pending];
    let reports = (19_800..).zip(states).map(|(day, state)| report(day, state)).collect();
    with(&context, "portal.dossiers", |state| {
        state.lateness =
            Arc::new(LatenessRegister { since: Some(Stamp(0)), reports, spells: Vec::new() });
    });
    let complete = json(&context, "/v1/sources/portal/quality").await["complete"].clone();
    assert_eq!(
        complete,
        object!({"ratio": 0.75, "part": 3, "of": 4, "by": "reports", "indicator": null,
            "period": null, "missing": []})
    );
}

#[actix_web::test]
async fn complete_is_the_least_that_an_indicator_of_the_source_alone_has_heard() {
    const INDICATORS: &str = r"
by_area:
  title: {vi: Theo xã, en: By area}
  group: portal
  kind: simple
  measure: {measure: dossiers.received}
  completeness: {of: areas, measure: dossiers.received}
  unit_measure: dossiers
  direction: up
  accountable: {unit: vp-ubnd, role: Chánh Văn phòng}
online_by_area:
  title: {vi: Trực tuyến theo xã, en: Online by area}
  group: portal
  kind: simple
  measure: {measure: dossiers.received}
  completeness: {of: areas, measure: {measure: dossiers.received, where: {channel: online}}}
  unit_measure: dossiers
  direction: up
  accountable: {unit: vp-ubnd, role: Chánh Văn phòng}
";
    let mut ground = Ground::new();
    ground.sources =
        [source("portal", "Cổng", "dossiers"), source("kiosks", "Kiốt", "kiosk")].into();
    let measures = vec![received(&ground), sessions()];
    let context = Arc::new(ground.context(INDICATORS, snapshot(measures)));
    // Covered to the end of the 1st of March, when two of three communes had dossiers, both online.
    let through = Stamp::parse("2024-03-02T08:00:00+07:00").unwrap();
    with(&context, "portal.dossiers", |state| state.data_through = Some(through));
    let complete = json(&context, "/v1/sources/portal/quality").await["complete"].clone();
    assert_eq!(
        complete,
        object!({"ratio": 2.0 / 3.0, "part": 2, "of": 3, "by": "indicator",
            "indicator": "by_area", "period": "2024-03-01", "missing": ["17000"]})
    );
    // On the 15th only one of them had one online: the least counts.
    let through = Stamp::parse("2024-03-16T08:00:00+07:00").unwrap();
    with(&context, "portal.dossiers", |state| state.data_through = Some(through));
    let complete = json(&context, "/v1/sources/portal/quality").await["complete"].clone();
    assert_eq!(
        (&complete["ratio"], &complete["indicator"]),
        (&object!(1.0 / 3.0), &object!("online_by_area"))
    );
    assert_eq!(complete["missing"], object!(["16663", "17000"]));
}

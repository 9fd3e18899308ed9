//! Readings by the hour, of indicators that are kept by it.

use std::sync::Arc;

use serde_json::{Value, json as object};

use super::custody::problem;
use super::world::{Ground, INDICATORS, context, sessions, snapshot};
use super::{get, json};
use crate::model::cube::{Cube, Dimension, HOURS, cell, settle};
use crate::model::snapshot::{Measure, MeasureKind};
use crate::model::time::Day;
use crate::serve::Context;

/// `day, hour, commune, count` of the dossiers received.
const RECEIVED: [(&str, u32, &str, i64); 4] = [
    ("2024-04-01", 7, "16681", 2),
    ("2024-04-01", 8, "16663", 3),
    ("2024-04-02", 0, "16681", 1),
    ("2024-04-02", 16, "16663", 5),
];

/// Dossiers are kept by the hour, sessions are not.
fn hourly() -> Arc<Context> {
    let ground = Ground::new();
    let mut changes: Vec<(u64, i64)> = RECEIVED
        .iter()
        .map(|(day, hour, commune, count)| {
            let area = ground.areas.current_by_code(commune).unwrap();
            (cell(i64::from(Day::parse(day).unwrap().0), area, (hour + 1) << 4 | 1), *count)
        })
        .collect();
    settle(&mut changes);
    let dimension = |name: &str, dictionary: &str, shift, bits| Dimension {
        name: name.to_owned(),
        dictionary: dictionary.to_owned(),
        shift,
        bits,
    };
    let mut received = Measure {
        name: "dossiers.received".to_owned(),
        contract: "dossiers".to_owned(),
        kind: MeasureKind::Flow,
        decimals: 0,
        dimensions: vec![
            dimension("channel", "list:filing_channel", 0, 4),
            dimension("received_at.hour", HOURS, 4, 6),
        ],
        cube: Cube::default(),
    };
    received.cube.add(&changes);
    Arc::new(ground.context(INDICATORS, snapshot(vec![received, sessions()])))
}

#[actix_web::test]
async fn a_series_has_a_row_for_each_hour_with_the_moment_at_which_it_begins() {
    let path = "/v1/indicators/received/series?grain=hour&from=2024-04-01&to=2024-04-03";
    let body = json(&hourly(), path).await;
    let rows = body["items"].as_array().unwrap();
    assert_eq!((rows.len(), &body["grain"]), (48, &object!("hour")));
    let row = |hour: usize| (&rows[hour]["period"], &rows[hour]["bucket"], &rows[hour]["value"]);
    let eight = ("2024-04-01T08", "2024-04-01T08:00:00+07:00");
    assert_eq!(row(8), (&object!(eight.0), &object!(eight.1), &object!(3)));
    assert_eq!(rows[24]["value"], 1, "midnight belongs to its own day");
    // It is five in the afternoon: the envelope is about the hour that has begun, what comes is not known.
    assert_eq!(body["period"]["id"], "2024-04-02T17");
    assert_eq!((&rows[42]["value"], &rows[42]["reason"]), (&Value::Null, &object!("not_reported")));
    assert_eq!(rows[40]["status"], "provisional");
    let communes = json(&hourly(), &format!("{path}&by=commune")).await;
    let sum = |body: &Value| -> i64 {
        body["items"].as_array().unwrap().iter().filter_map(|row| row["value"].as_i64()).sum()
    };
    assert_eq!((sum(&body), sum(&communes)), (11, 11));
}

#[actix_web::test]
async fn an_hour_is_a_period_of_values_breakdowns_and_comparisons() {
    let context = hourly();
    let value = "/v1/indicators/online_rate/value?period=2024-04-01T08&compare=previous";
    let body = json(&context, value).await;
    assert_eq!((&body["value"], &body["denominator"]), (&object!(1), &object!(3)));
    assert_eq!(body["period"]["end"], "2024-04-01T09:00:00+07:00");
    assert_eq!(body["previous"]["period"], "2024-04-01T07");
    let ranking = "/v1/indicators/received/breakdown?period=2024-04-02T16&sort=-value&limit=1";
    assert_eq!(json(&context, ranking).await["items"][0]["key"], "16663");
    let catalogue = json(&context, "/v1/catalogue").await;
    let finest = |id: &str| {
        let all = catalogue["items"].as_array().unwrap();
        all.iter().find(|item| item["indicator"] == id).unwrap()["finest_grain"].clone()
    };
    assert_eq!((finest("received"), finest("kiosk_sessions")), (object!("hour"), object!("day")));
    // At which hour of the day most of it happens.
    let by = "/v1/indicators/received/breakdown?period=2024-04&by=received_at.hour&sort=-value";
    let by = json(&context, by).await;
    let first = &by["items"][0];
    assert_eq!((&first["value"], &first["key"]), (&object!(5), &object!("16")));
    assert_eq!((&first["title"], &first["title_en"]), (&object!("16 giờ"), &object!("16:00")));
}

#[actix_web::test]
async fn what_is_kept_by_days_only_is_refused_by_the_hour() {
    for path in [
        "/v1/indicators/received/value?period=2024-04-01T08",
        "/v1/indicators/received/series?grain=hour&last=2d",
        "/v1/indicators/received/breakdown?period=2024-04-01T08",
        "/v1/exports/readings?period=2024-04-01T08",
    ] {
        let body = problem(&get(&context(), path).await, 400, "not-applicable");
        assert!(body["detail"].as_str().unwrap().contains("finest_grain"), "{path}: {body}");
    }
    let days = "/v1/indicators/received/series?grain=hour&last=2y";
    assert_eq!(get(&hourly(), days).await.json()["type"], "/docs/problems/too-many-points");
    let page = get(&hourly(), "/?period=2024-04-01T08").await;
    assert_eq!(page.status, 400, "the first page is about days");
}

//! How the sources fare.

use serde_json::json as object;

use super::world::{bare, context, now};
use super::{get, json};
use crate::model::time::Stamp;
use std::sync::Arc;

#[actix_web::test]
async fn a_source_tells_health_both_clocks_records_and_whose_it_is() {
    let body = json(&context(), "/v1/sources/portal").await;
    assert_eq!((&body["health"], &body["reasons"]), (&object!("healthy"), &object!([])));
    assert_eq!(
        body["freshness"],
        object!({
            "state": "fresh", "last_success_at": "2024-04-02T16:59:30+07:00",
            "data_through": "2024-04-02T16:59:00+07:00", "age_seconds": 60, "limit_seconds": 1800
        })
    );
    assert_eq!(body["accountable"]["name"], "Văn phòng UBND tỉnh");
    assert_eq!(
        (&body["records"]["received"], &body["records"]["duplicate"]),
        (&object!(25), &object!(5))
    );
    assert_eq!(body["streams"][0]["history"][0]["outcome"], "ok");
    assert_eq!(body["revision"], 18442);
}

#[actix_web::test]
async fn a_source_that_never_reported_is_unknown_and_says_why() {
    let body = json(&context(), "/v1/sources").await;
    let kiosks = &body["items"][0];
    assert_eq!(kiosks["source"], "kiosks");
    assert_eq!(kiosks["health"], "unknown");
    assert_eq!(kiosks["reasons"], object!(["never_reported", "failing", "silent_targets"]));
    assert_eq!(kiosks["last_error"]["reason"], "timeout");
    assert_eq!(kiosks["targets"], object!({"answered": 58, "all": 60}));
    assert_eq!(kiosks["freshness"]["last_success_at"], object!(null));
    assert!(kiosks["streams"][0].get("history").is_none(), "only when one source is asked for");
}

#[actix_web::test]
async fn a_source_grows_stale_with_time_alone() {
    let context = Arc::new(bare());
    context.clock.set(Stamp(now().0 + 1800));
    let body = json(&context, "/v1/sources/portal").await;
    assert_eq!((&body["health"], &body["reasons"]), (&object!("degraded"), &object!(["stale"])));
    let value = json(&context, "/v1/indicators/received/value?period=2024-03").await;
    assert_eq!(value["freshness"]["state"], "stale");
    assert_eq!(value["value"], 14, "the last good number stays");
}

#[actix_web::test]
async fn the_targets_of_a_fleet_come_in_pages_and_by_state() {
    let context = context();
    let body = json(&context, "/v1/sources/kiosks/targets?limit=40").await;
    assert_eq!(
        (&body["up"], &body["silent"], &body["waiting"]),
        (&object!(58), &object!(2), &object!(0))
    );
    assert_eq!(body["items"].as_array().unwrap().len(), 40);
    assert_eq!(body["items"][6]["state"], "silent");
    let next = body["next"].as_str().unwrap();
    assert_eq!(next, "/v1/sources/kiosks/targets?after=KSK-040&limit=40");
    let rest = json(&context, next).await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 20);
    assert!(rest.get("next").is_none());
    let silent = json(&context, "/v1/sources/kiosks/targets?state=silent").await;
    assert_eq!(silent["items"][0]["target"], "KSK-007");
    assert_eq!(silent["items"].as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn targets_of_what_is_no_fleet_and_of_nobody_are_refused_with_a_reason() {
    let context = context();
    let body = get(&context, "/v1/sources/portal/targets").await.json();
    assert_eq!(
        (&body["status"], &body["type"]),
        (&object!(404), &object!("/docs/problems/no-fleet"))
    );
    let body = get(&context, "/v1/sources/kiosk/targets").await.json();
    assert_eq!((&body["status"], &body["suggestions"]), (&object!(404), &object!(["kiosks"])));
    let body = get(&context, "/v1/sources/kiosks/targets?state=dead").await.json();
    assert_eq!(body["status"], 400);
}

//! What needs attention: rules that are broken, worst first, with who answers for it.

use serde_json::{Value, json as object};

use super::access::{closed, read};
use super::custody::problem;
use super::world::{bare, context};
use super::{get, json};

fn names(body: &Value) -> Vec<&str> {
    body["items"].as_array().unwrap().iter().map(|item| item["alert"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn each_rule_that_is_broken_is_a_row_worst_first_with_its_facts() {
    let body = json(&context(), "/v1/alerts").await;
    // It is the second of April: the month that has settled is March.
    assert_eq!(
        names(&body),
        [
            "off_track:online_rate",
            "stale:kiosk_sessions",
            "missing:kiosk_sessions",
            "incomplete:kiosk_sessions"
        ]
    );
    assert_eq!(body["indicators"], 3);
    let worst = &body["items"][0];
    assert_eq!((&worst["severity"], &worst["period"]), (&object!("critical"), &object!("2024-03")));
    assert_eq!((&worst["value"], &worst["target"]), (&object!(8.0 / 14.0), &object!(0.8)));
    assert_eq!(worst["accountable_unit"], "vp-ubnd");
    // The row says what the reading says that it leads to.
    let reading = json(&context(), worst["link"].as_str().unwrap()).await;
    assert_eq!(reading["target"]["gap"], worst["gap"]);
    let silent = &body["items"][2];
    assert_eq!((&silent["value"], &silent["reason"]), (&Value::Null, &object!("not_reported")));
    assert_eq!(
        (&silent["freshness"], &silent["severity"]),
        (&object!("never_reported"), &object!("warning"))
    );
}

#[actix_web::test]
async fn alerts_are_chosen_by_rule_unit_and_period() {
    let context = context();
    assert_eq!(names(&json(&context, "/v1/alerts?rule=missing").await), ["missing:kiosk_sessions"]);
    let unit = json(&context, "/v1/alerts?unit=vp-ubnd").await;
    assert_eq!((names(&unit), &unit["indicators"]), (vec!["off_track:online_rate"], &object!(2)));
    // On 2 April five of six dossiers were filed online: that is enough.
    let day = json(&context, "/v1/alerts?period=2024-04-02&unit=vp-ubnd").await;
    assert!(names(&day).is_empty(), "{day}");
    let table = get(&context, "/v1/alerts?format=csv").await;
    assert!(table.text().starts_with("alert,rule,severity,indicator,"), "{}", table.text());
    problem(&get(&context, "/v1/alerts?rule=bad").await, 400, "bad-parameter");
    problem(&get(&context, "/v1/alerts?period=2024-04-02T08").await, 400, "not-applicable");
}

/// C06: a unit hears of its own figures, and who may not read the province of none.
#[actix_web::test]
async fn c06_alerts_reach_no_further_than_the_key() {
    let (context, _) = closed(bare());
    let own = read(&context, "unit", "/v1/alerts").await.json();
    assert_eq!(own["indicators"], 1);
    assert!(names(&own).iter().all(|name| name.ends_with(":kiosk_sessions")), "{own}");
    for key in ["commune", "public"] {
        assert_eq!(read(&context, key, "/v1/alerts").await.status, 403, "{key}");
    }
}

//! Many readings at once: one revision, one problem each, and nothing that costs too much.

use actix_web::http::header;
use actix_web::test::TestRequest;
use serde_json::{Value, json as object};

use super::world::context;
use super::{Reply, json, send};

async fn ask(body: &Value) -> Reply {
    let request = TestRequest::post()
        .uri("/v1/query")
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .set_payload(body.to_string());
    send(&context(), request).await
}

#[actix_web::test]
async fn each_query_is_answered_as_its_address_answers_in_the_order_of_the_batch() {
    let reply = ask(&object!({"queries": [
        {"indicator": "received", "read": "breakdown", "parameters": {"sort": "-value", "limit": "2"}},
        {"indicator": "online_rate", "read": "value", "parameters": {"period": "2024-03"}},
        {"indicator": "received", "read": "series", "parameters": {"grain": "month", "last": "60d"}},
    ]}))
    .await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), "no-store");
    let body = reply.json();
    assert_eq!(body["revision"], 18442);
    let paths = [
        "/v1/indicators/received/breakdown?limit=2&sort=-value",
        "/v1/indicators/online_rate/value?period=2024-03",
        "/v1/indicators/received/series?grain=month&last=60d",
    ];
    assert_eq!(body["items"].as_array().unwrap().len(), paths.len());
    for (item, path) in body["items"].as_array().unwrap().iter().zip(paths) {
        assert_eq!(item["status"], 200);
        assert_eq!(item["answer"], json(&context(), path).await, "{path}");
        assert_eq!(item["answer"]["revision"], body["revision"]);
    }
}

#[actix_web::test]
async fn a_bad_query_has_its_problem_in_its_place_and_spoils_no_other() {
    let reply = ask(&object!({"queries": [
        {"indicator": "recieved", "read": "value"},
        {"indicator": "received", "read": "value", "parameters": {"peroid": "2024"}},
        {"indicator": "received", "read": "value", "parameters": {"period": "2024-13"}},
        {"indicator": "received", "read": "value", "parameters": {"format": "csv"}},
        {"indicator": "a/../b?x=1#", "read": "series"},
        {"indicator": "received", "read": "value"},
    ]}))
    .await;
    let body = reply.json();
    let items = body["items"].as_array().unwrap();
    let statuses: Vec<_> = items.iter().map(|item| item["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [404, 400, 400, 400, 404, 200], "{body}");
    assert_eq!(items[0]["problem"]["suggestions"], object!(["received"]));
    assert_eq!(items[1]["problem"]["errors"][0]["suggestion"], "period");
    assert_eq!(items[2]["problem"]["errors"][0]["parameter"], "period");
    assert_eq!(items[3]["problem"]["errors"][0]["parameter"], "format");
    assert_eq!(items[4]["problem"]["type"], "/docs/problems/unknown-indicator");
    assert!(items[5].get("problem").is_none() && items[0].get("answer").is_none());
}

#[actix_web::test]
async fn what_would_cost_too_much_is_refused_before_anything_runs() {
    let years = object!({
        "indicator": "received", "read": "series",
        "parameters": {"by": "commune", "from": "2020-01-01", "to": "2024-01-01"}
    });
    let reply = ask(&object!({"queries": vec![years.clone(); 11]})).await;
    assert_eq!(reply.status, 200, "eleven times 4383 points are few enough");
    let reply = ask(&object!({"queries": vec![years; 12]})).await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert_eq!(reply.json()["type"], "/docs/problems/too-many-points");
    for queries in [vec![], vec![object!({"indicator": "received", "read": "value"}); 51]] {
        let reply = ask(&object!({"queries": queries})).await;
        assert_eq!(
            (reply.status, &reply.json()["type"]),
            (400, &object!("/docs/problems/bad-body"))
        );
    }
    let reply = ask(&object!({"queries": [{"indicator": "received", "read": "map"}]})).await;
    assert_eq!(reply.status, 400);
}

#[actix_web::test]
async fn a_batch_needs_no_permission_to_write_and_asks_one_moment() {
    let one = object!({"indicator": "received", "read": "value"});
    let reply = ask(&object!({"queries": [one], "as_of": "2024-04-01T17:00"})).await;
    assert_eq!(reply.status, 404, "{}", reply.text());
    assert_eq!(reply.json()["type"], "/docs/problems/no-vintage");
    let reply = ask(&object!({"queries": [one], "as_of": "yesterday"})).await;
    assert_eq!((reply.status, &reply.json()["errors"][0]["parameter"]), (400, &object!("as_of")));
}

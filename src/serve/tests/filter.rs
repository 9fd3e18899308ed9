//! `filter[dimension]=`: the same records in every reading, told in every form.

use actix_web::http::header;
use actix_web::test::TestRequest;
use serde_json::{Value, json as object};

use super::access::{closed, read};
use super::refusals::problem;
use super::world::{bare, context};
use super::{get, json, send};

const MARCH: &str = "/v1/indicators/received/value?period=2024-03";

#[actix_web::test]
async fn a_value_is_narrowed_to_the_records_that_are_named() {
    for (filter, expected) in [
        ("filter[channel]=online", 8),
        ("filter%5Bchannel%5D=counter", 6),
        ("filter[channel]=online,counter", 14),
        ("filter[channel]=none", 0),
        ("filter[channel]=", 14),
    ] {
        let body = json(&context(), &format!("{MARCH}&{filter}")).await;
        assert_eq!(body["value"], expected, "{filter}");
    }
    let path = "/v1/indicators/online_rate/value?period=2024-03&compare=previous";
    let body = json(&context(), &format!("{path}&filter[channel]=counter&area=16681")).await;
    assert_eq!((&body["value"], &body["denominator"]), (&object!(0), &object!(1)));
    assert_eq!(body["filter"], object!({"channel": ["counter"]}));
    assert_eq!(
        (&body["target"]["status"], &body["previous"]["reason"]),
        (&object!("no_target"), &object!("not_reported"))
    );
    assert!(json(&context(), path).await.get("filter").is_none(), "nothing was narrowed");
}

#[actix_web::test]
async fn all_readings_of_the_same_records_agree_and_lead_to_each_other() {
    let filter = "filter[channel]=online";
    let value = json(&context(), &format!("{MARCH}&{filter}")).await;
    let sum = |body: &Value| -> i64 {
        body["items"].as_array().unwrap().iter().filter_map(|row| row["value"].as_i64()).sum()
    };
    for link in ["value", "series", "breakdown"] {
        let body = json(&context(), value["links"][link].as_str().unwrap()).await;
        assert_eq!(body["filter"], value["filter"], "{link}");
        let total = if link == "value" { body["value"].as_i64().unwrap() } else { sum(&body) };
        assert_eq!(total, 8, "{link}");
    }
    let by = format!("/v1/indicators/received/breakdown?period=2024-03&by=channel&{filter}");
    let by = json(&context(), &by).await;
    assert_eq!((by["items"].as_array().unwrap().len(), sum(&by)), (1, 8));
    let table = get(&context(), &format!("{MARCH}&{filter}&format=csv")).await;
    let lines: Vec<&str> = table.text().split("\r\n").collect();
    assert!(lines[0].ends_with(",filter") && lines[1].ends_with(",channel=online"), "{lines:?}");
}

#[actix_web::test]
async fn a_series_is_cut_by_a_dimension_too() {
    let path = "/v1/indicators/received/series?period=2024-03&grain=day";
    let whole = json(&context(), path).await;
    let parts = json(&context(), &format!("{path}&by=channel")).await;
    assert_eq!(parts["by"], "channel");
    let rows = parts["items"].as_array().unwrap();
    assert_eq!(rows.len(), 62, "both channels on every day");
    assert_eq!(
        (&rows[0]["key"], &rows[0]["title"], &rows[0]["title_en"]),
        (&object!("online"), &object!("Trực tuyến"), &object!("Online"))
    );
    for day in whole["items"].as_array().unwrap() {
        let of_day = rows.iter().filter(|row| row["bucket"] == day["bucket"]);
        let sum: i64 = of_day.map(|row| row["value"].as_i64().unwrap()).sum();
        assert_eq!(day["value"], sum, "{day}");
    }
    let one = json(&context(), &format!("{path}&by=channel&filter[channel]=counter")).await;
    assert!(one["items"].as_array().unwrap().iter().all(|row| row["key"] == "counter"));
    let table = get(&context(), &format!("{path}&by=channel&format=csv")).await;
    let header = "indicator,bucket,grain,key,title,title_en,value,";
    assert!(table.text().starts_with(header), "{}", table.text());
    let days = json(&context(), &format!("{path}&by=channel&fill=previous")).await;
    assert!(days["items"].as_array().unwrap().iter().all(|row| row.get("key").is_some()));
}

#[actix_web::test]
async fn what_cannot_be_narrowed_is_refused_with_what_can() {
    let refused = async |query: &str| {
        let reply = get(&context(), &format!("{MARCH}&{query}")).await;
        assert_eq!(reply.status, 400, "{query}: {}", reply.text());
        let body = reply.json();
        (body["type"].as_str().unwrap().to_owned(), body["errors"][0].clone())
    };
    let (kind, error) = refused("channel=online").await;
    assert_eq!(kind, "/docs/problems/unknown-parameter");
    assert!(error["reason"].as_str().unwrap().contains("filter[channel]"), "{error}");
    assert_eq!(refused("filter=online").await.0, "/docs/problems/unknown-parameter");
    let (_, error) = refused("filter[chanel]=online").await;
    assert_eq!(error["suggestion"], "filter[channel]");
    let (_, error) = refused("filter[commune]=16681").await;
    assert!(error["reason"].as_str().unwrap().contains("'area'"), "{error}");
    let (_, error) = refused("filter[channel]=online,countr").await;
    assert_eq!(
        (&error["parameter"], &error["suggestion"]),
        (&object!("filter[channel]"), &object!("counter"))
    );
    let (_, error) = refused("filter[channel]=online&filter[channel]=counter").await;
    assert_eq!(error["reason"], "is given more than once");
    let elsewhere = get(&context(), "/v1/sources?filter[channel]=online").await;
    problem(&elsewhere, 400, "unknown-parameter");
    let lone = "/v1/indicators/kiosk_sessions/value?filter[channel]=online";
    assert_eq!(get(&context(), lone).await.status, 400);
    let beside = "/v1/indicators/received/series?by=channel&area=16681";
    assert_eq!(get(&context(), beside).await.json()["errors"][0]["parameter"], "by");
}

#[actix_web::test]
async fn a_batch_takes_filters_by_their_names() {
    let query = object!({
        "indicator": "received", "read": "value",
        "parameters": {"period": "2024-03", "filter[channel]": "online"}
    });
    let request = TestRequest::post()
        .uri("/v1/query")
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .set_payload(object!({"queries": [query]}).to_string());
    let body = send(&context(), request).await.json();
    assert_eq!(body["items"][0]["answer"]["value"], 8, "{body}");
}

/// What stands in a board is checked when the configuration is read.
#[test]
fn a_board_takes_filters_by_their_names_and_no_filter_of_nothing() {
    let problems = |parameter: &str| {
        let query = object!({"indicator": "received", "read": "value", "parameters": {parameter: "online"}});
        serde_json::from_value::<crate::serve::BatchQuery>(query).unwrap().check()
    };
    assert!(problems("filter[channel]").is_empty());
    for wrong in ["filter", "filter[channel", "channel"] {
        assert_eq!(problems(wrong).len(), 1, "{wrong}");
    }
}

/// C07: neither the public nor a reader of one commune learns of parts.
#[actix_web::test]
async fn c07_a_filter_is_no_way_around_what_a_key_reaches() {
    let (context, _) = closed(bare());
    let filter = "filter[channel]=online";
    let told = read(&context, "public", &format!("{MARCH}&{filter}")).await.json();
    assert_eq!((&told["value"], &told["reason"]), (&object!(null), &object!("not_public")));
    let series = "/v1/indicators/received/series?period=2024-03&by=channel";
    problem(&read(&context, "commune", series).await, 403, "beyond-reach");
    let own = format!("{MARCH}&area=16681&{filter}");
    assert_eq!(read(&context, "commune", &own).await.json()["value"], 7);
    let other = format!("{MARCH}&area=16663&{filter}");
    problem(&read(&context, "commune", &other).await, 403, "beyond-reach");
}

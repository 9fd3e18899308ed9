//! Areas as they were reported: four communes, then three, then two, and districts while there were
//! any; whatever the boundaries, the parts add up to the province.

use serde_json::{Value, json as object};

use super::story::Story;
use super::{get, json};
use crate::model::revision::Cause;

/// One dossier in each commune of each list, read in the middle of 2026.
fn story() -> Story {
    let mut story = Story::begin("2024-04-01T07:00:00");
    let flow = [
        ("2024-11-30", "16663", "online", 1),
        ("2024-11-30", "16681", "online", 2),
        ("2024-11-30", "16684", "counter", 4),
        ("2024-11-30", "17000", "counter", 8),
        ("2024-12-01", "16663", "online", 16),
        ("2025-06-30", "16681", "online", 32),
        ("2025-07-01", "16681", "counter", 64),
        ("2025-07-01", "17000", "online", 128),
    ];
    story.commit("2026-06-01T08:00:00", "dossiers.received", Cause::Arrived, &flow);
    story.commit("2026-06-01T09:00:00", "dossiers.pending", Cause::Arrived, &flow);
    story
}

/// Key and value of each item, in order.
fn rows(body: &Value, key: &str) -> Vec<(String, Option<i64>)> {
    let items = body["items"].as_array().unwrap();
    let row = |item: &Value| (item[key].as_str().unwrap().to_owned(), item["value"].as_i64());
    items.iter().map(row).collect()
}

fn row(key: &str, value: i64) -> (String, Option<i64>) {
    (key.to_owned(), Some(value))
}

#[actix_web::test]
async fn today_history_is_rebased_and_what_lies_nowhere_is_told_apart() {
    let story = story();
    let path = "/v1/indicators/received/breakdown?period=2024";
    let body = json(&story.context, path).await;
    assert_eq!(body["boundaries"], "current");
    assert_eq!(body["value"], 31);
    assert_eq!(rows(&body, "key"), [row("16681", 19), row("17000", 8), row("unplaced", 4)]);
    assert!(body["items"][2]["title"].as_str().unwrap().contains("đã bãi bỏ"));
    let body = json(&story.context, "/v1/indicators/received/breakdown?period=2025").await;
    assert_eq!(rows(&body, "key"), [row("16681", 96), row("17000", 128)]);
    let body =
        json(&story.context, "/v1/indicators/received/value?period=2024&area=unplaced").await;
    assert_eq!((&body["value"], &body["area"]["level"]), (&object!(4), &object!("unplaced")));
    let series =
        "/v1/indicators/received/series?grain=year&from=2024-01-01&to=2026-01-01&by=commune";
    let body = json(&story.context, series).await;
    assert_eq!(
        rows(&body, "commune"),
        [
            row("16681", 19),
            row("17000", 8),
            row("unplaced", 4),
            row("16681", 96),
            row("17000", 128)
        ]
    );
}

#[actix_web::test]
async fn a_period_that_spans_a_change_has_the_units_of_both_lists() {
    let story = story();
    let path = "/v1/indicators/received/breakdown?period=2024&boundaries=as_reported";
    let body = json(&story.context, path).await;
    assert_eq!((&body["boundaries"], &body["value"]), (&object!("as_reported"), &object!(31)));
    assert_eq!(
        rows(&body, "key"),
        [
            row("16663@2024-04", 1),
            row("16663@2024-12", 16),
            row("16681@2024-04", 2),
            row("16681@2024-12", 0),
            row("16684@2024-04", 4),
            row("17000@2024-04", 8),
            row("17000@2024-12", 0),
        ]
    );
    let gone = &body["items"][4];
    assert_eq!((&gone["from"], &gone["to"]), (&object!("2024-01-01"), &object!("2024-12-01")));
    let sum: i64 = rows(&body, "key").iter().filter_map(|row| row.1).sum();
    assert_eq!(body["value"], sum);
}

#[actix_web::test]
async fn units_add_up_to_the_province_in_every_bucket_of_a_series() {
    let story = story();
    for level in ["commune", "district"] {
        for grain in ["day", "month", "quarter", "year"] {
            let path = format!(
                "/v1/indicators/received/series?grain={grain}&from=2024-11-01&to=2025-06-30"
            );
            let whole = json(&story.context, &path).await;
            let reported = format!("{path}&by={level}&boundaries=as_reported");
            if level == "district" && ["quarter", "year"].contains(&grain) && grain == "year" {
                // The bucket 2025 reaches into days without districts.
                assert_eq!(get(&story.context, &reported).await.status, 400);
                continue;
            }
            let parts = json(&story.context, &reported).await;
            for bucket in whole["items"].as_array().unwrap() {
                let items = parts["items"].as_array().unwrap().iter();
                let mine = items.filter(|item| item["period"] == bucket["period"]);
                let sum: i64 = mine.filter_map(|item| item["value"].as_i64()).sum();
                assert_eq!(bucket["value"].as_i64().unwrap_or(0), sum, "{level} {grain} {bucket}");
            }
        }
    }
}

#[actix_web::test]
async fn a_stock_belongs_to_the_list_in_force_at_the_end_of_the_period() {
    let story = story();
    let path = "/v1/indicators/pending/breakdown?period=2024&boundaries=as_reported";
    let body = json(&story.context, path).await;
    assert_eq!(body["value"], 31);
    let rows = rows(&body, "key");
    let told: Vec<_> = rows.iter().filter(|row| row.1.is_some()).cloned().collect();
    assert_eq!(
        told,
        [
            row("16663@2024-12", 17),
            row("16681@2024-12", 2),
            row("17000@2024-12", 8),
            // What stood in the abolished commune lies in none of the later list.
            row("unplaced@2024-12", 4),
        ]
    );
    let ended =
        body["items"].as_array().unwrap().iter().find(|item| item["key"] == "16684@2024-04");
    assert_eq!(ended.unwrap()["reason"], "not_in_force");
}

#[actix_web::test]
async fn the_same_code_is_a_bigger_area_after_the_change() {
    let story = story();
    let value = async |period: &str, rest: &str| {
        let path = format!("/v1/indicators/received/value?period={period}&{rest}");
        let body = json(&story.context, &path).await;
        (
            body["value"].as_i64(),
            body["area"]["list"].as_str().unwrap_or("").to_owned(),
            body["area"]["name"].as_str().unwrap().to_owned(),
        )
    };
    let reported = "area=commune:16681&boundaries=as_reported";
    assert_eq!(value("2024-11", reported).await, (Some(2), "2024-04".into(), "Phường A".into()));
    assert_eq!(value("2025-06", reported).await, (Some(32), "2024-12".into(), "Phường A".into()));
    assert_eq!(value("2025-07", reported).await, (Some(64), "2025-07".into(), "Phường AB".into()));
    let named = "area=commune:16681@2024-04";
    assert_eq!(value("2024", named).await, (Some(2), "2024-04".into(), "Phường A".into()));
    let today = "area=commune:16681";
    assert_eq!(value("2024-11", today).await, (Some(3), String::new(), "Phường AB".into()));
    let path = "/v1/indicators/received/series?grain=month&from=2024-11-01&to=2025-08-01&area=16681&boundaries=as_reported";
    let body = json(&story.context, path).await;
    let some: Vec<_> = rows(&body, "commune").into_iter().filter(|row| row.1 != Some(0)).collect();
    assert_eq!(some, [row("16681@2024-04", 2), row("16681@2024-12", 32), row("16681@2025-07", 64)]);
    assert_eq!(body["area"]["list"], "2025-07");
}

#[actix_web::test]
async fn districts_are_read_while_there_were_any() {
    let story = story();
    let path = "/v1/indicators/received/breakdown?by=district&boundaries=as_reported";
    let body = json(&story.context, &format!("{path}&period=2024-11")).await;
    assert_eq!(rows(&body, "key"), [row("412@2024-04", 7), row("413@2024-04", 8)]);
    assert_eq!(body["items"][0]["title"], "Thành phố Vinh");
    let value = "/v1/indicators/received/value?area=district:412&boundaries=as_reported";
    let body = json(&story.context, &format!("{value}&period=2025-06-30")).await;
    assert_eq!((&body["value"], &body["area"]["level"]), (&object!(32), &object!("district")));
    for refused in [
        format!("{path}&period=2025"),
        format!("{path}&period=2025-07-01"),
        "/v1/indicators/received/breakdown?by=district&period=2024-11".to_owned(),
        format!("{value}&period=2025-08"),
        "/v1/indicators/received/value?area=district:412&period=2024-11".to_owned(),
        "/v1/indicators/received/value?area=district:999&boundaries=as_reported".to_owned(),
        "/v1/indicators/received/value?area=16684@2024-04&period=2025".to_owned(),
        "/v1/indicators/received/value?area=16684@2024-04&boundaries=current".to_owned(),
        "/v1/indicators/received/value?area=16684@2023-04".to_owned(),
        "/v1/indicators/received/value?boundaries=then".to_owned(),
    ] {
        let reply = get(&story.context, &refused).await;
        assert_eq!(reply.status, 400, "{refused}");
    }
    let reply = get(&story.context, &format!("{path}&period=2025")).await;
    assert!(reply.json()["detail"].as_str().unwrap().contains("no districts from 2025-07-01 on"));
}

#[actix_web::test]
async fn an_area_is_compared_with_itself_and_never_with_another_of_its_code() {
    let story = story();
    let path = "/v1/indicators/received/value?compare=previous&area=16681&boundaries=as_reported";
    let body = json(&story.context, &format!("{path}&period=2025-07")).await;
    assert_eq!(body["previous"]["value"], Value::Null);
    assert_eq!(body["previous"]["reason"], "not_in_force");
    let body = json(&story.context, &format!("{path}&period=2025-06")).await;
    assert_eq!(body["previous"]["value"], 0);
}

#[actix_web::test]
async fn the_areas_of_all_times_are_listed_with_their_days_and_their_place_today() {
    let story = story();
    let body = json(&story.context, "/v1/dimensions/area/values").await;
    let today: Vec<_> =
        body["items"].as_array().unwrap().iter().map(|item| item["area"].clone()).collect();
    assert_eq!(today, ["province", "commune:16681", "commune:17000", "unplaced"]);
    let body = json(&story.context, "/v1/dimensions/area/values?boundaries=as_reported").await;
    let items = body["items"].as_array().unwrap();
    assert_eq!(items.len(), 1 + (2 + 4) + (2 + 3) + 2);
    let find = |area: &str| items.iter().find(|item| item["area"] == area).unwrap();
    assert_eq!(
        *find("commune:16663@2024-12"),
        object!({
            "area": "commune:16663@2024-12", "level": "commune", "code": "16663",
            "name": "Phường B", "parent": "district:412@2024-12", "valid_from": "2024-12-01",
            "valid_until": "2025-07-01", "list": "2024-12", "today": "commune:16681"
        })
    );
    assert_eq!(find("commune:16684@2024-04")["today"], Value::Null);
    assert_eq!(find("commune:17000@2025-07")["valid_until"], Value::Null);
    // Every one of them can be asked for.
    for item in items {
        let area = item["area"].as_str().unwrap();
        let from = item["valid_from"].as_str().unwrap_or("2024-04-01");
        let period = if from == "2000-01-01" { "2024-04-02" } else { from };
        let path = format!("/v1/indicators/received/value?period={period}&area={area}");
        assert_eq!(json(&story.context, &path).await["area"]["code"], item["code"], "{area}");
    }
}

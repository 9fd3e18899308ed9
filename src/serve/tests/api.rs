//! The figures and what stands around them.

use actix_web::http::header;
use actix_web::test::TestRequest;
use serde_json::{Value, json as object};

use super::world::{self, context};
use super::{get, json, send};

#[actix_web::test]
async fn a_value_comes_with_everything_that_qualifies_it() {
    let path = "/v1/indicators/online_rate/value?period=2024-03&compare=target,previous,year_ago";
    let body = json(&context(), path).await;
    let missing = |period| {
        object!({
            "period": period, "value": null, "status": "missing", "reason": "not_reported",
            "change": null, "change_ratio": null, "elapsed_matched": false
        })
    };
    assert_eq!(
        body,
        object!({
            "indicator": "online_rate",
            "title": "Tỷ lệ nộp trực tuyến",
            "title_en": "Share filed online",
            "unit_of_measure": "percent",
            "period": {
                "id": "2024-03", "start": "2024-03-01T00:00:00+07:00",
                "end": "2024-04-01T00:00:00+07:00", "closed": true
            },
            "area": {"level": "province", "code": "40", "name": "Nghệ An"},
            "boundaries": "current",
            "value": 8.0 / 14.0, "numerator": 8, "denominator": 14,
            "status": "final", "reason": null,
            "target": {
                "status": "off_track", "direction": "up", "value": 0.8, "from": "2024-01-01",
                "until": null, "baseline": null, "expected": 0.8, "gap": 8.0 / 14.0 - 0.8,
                "attainment_ratio": 8.0 / 14.0 / 0.8, "pace_needed": null, "pace_unit": null
            },
            "previous": missing("2024-02"),
            "year_ago": missing("2023-03"),
            "freshness": {
                "state": "fresh", "last_success_at": "2024-04-02T16:59:30+07:00",
                "data_through": "2024-04-02T16:59:00+07:00", "age_seconds": 60,
                "limit_seconds": 1800, "late_sources": []
            },
            "completeness": {
                "ratio": 1, "expected": 2_678_400, "reported": 2_678_400,
                "of": "period", "missing": []
            },
            "quality": {"quarantined": 0},
            "accountable": {
                "unit": "vp-ubnd", "name": "Văn phòng UBND tỉnh", "name_en": "Office",
                "role": "Chánh Văn phòng"
            },
            "as_of": "2024-04-02T16:59:40+07:00",
            "revision": 18442,
            "definition_version": body["definition_version"],
            "links": {
                "self": path,
                "value": "/v1/indicators/online_rate/value?period=2024-03&area=province",
                "series": "/v1/indicators/online_rate/series?grain=day&period=2024-03&area=province",
                "breakdown": "/v1/indicators/online_rate/breakdown?by=commune&period=2024-03",
                "revisions": "/v1/indicators/online_rate/revisions?period=2024-03&area=province",
                "lineage": "/v1/indicators/online_rate/lineage",
                "definition": "/v1/indicators/online_rate"
            }
        })
    );
}

#[actix_web::test]
async fn an_open_period_is_compared_with_as_many_days_of_the_one_before() {
    let path = "/v1/indicators/received/value?period=2024-04&compare=previous";
    let body = json(&context(), path).await;
    assert_eq!((&body["value"], &body["status"]), (&object!(6), &object!("provisional")));
    // Of March only the first two days: 8 dossiers, not 14.
    assert_eq!(body["previous"]["value"], 8);
    assert_eq!(body["previous"]["change"], -2);
    assert_eq!(body["previous"]["change_ratio"], -0.25);
    assert_eq!(body["previous"]["elapsed_matched"], true);
}

#[actix_web::test]
async fn a_commune_is_asked_for_by_its_code() {
    for area in ["commune:16681", "16681"] {
        let path = format!("/v1/indicators/online_rate/value?period=2024-03&area={area}");
        let body = json(&context(), &path).await;
        assert_eq!(
            body["area"],
            object!({"level": "commune", "code": "16681", "name": "Phường A"})
        );
        assert_eq!((&body["numerator"], &body["denominator"]), (&object!(7), &object!(8)));
    }
}

#[actix_web::test]
async fn a_source_that_never_reported_gives_null_with_a_reason_and_never_zero() {
    let body = json(&context(), "/v1/indicators/kiosk_sessions/value").await;
    assert_eq!(body["value"], Value::Null);
    assert_eq!((&body["status"], &body["reason"]), (&object!("missing"), &object!("not_reported")));
    assert_eq!(body["target"]["status"], "unknown");
    assert_eq!(body["freshness"]["state"], "never_reported");
    assert_eq!(body["freshness"]["late_sources"], object!(["kiosks"]));
}

#[actix_web::test]
async fn a_series_has_one_flat_row_per_bucket() {
    let path = "/v1/indicators/online_rate/series?grain=month&from=2024-02-10&to=2024-04-02";
    let body = json(&context(), path).await;
    let stretch = [&body["grain"], &body["from"], &body["to"]];
    assert_eq!(stretch, ["month", "2024-02-01", "2024-05-01"]);
    let items = body["items"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    assert_eq!(
        items[0],
        object!({
            "bucket": "2024-02-01T00:00:00+07:00", "period": "2024-02", "commune": null,
            "value": null, "numerator": null, "denominator": null, "status": "missing",
            "reason": "not_reported", "completeness_ratio": items[0]["completeness_ratio"]
        })
    );
    assert_eq!((&items[1]["numerator"], &items[1]["status"]), (&object!(8), &object!("final")));
    assert_eq!(
        (&items[2]["numerator"], &items[2]["status"]),
        (&object!(5), &object!("provisional"))
    );
}

#[actix_web::test]
async fn without_a_word_about_time_a_series_is_the_last_30_days() {
    let body = json(&context(), "/v1/indicators/received/series").await;
    let items = body["items"].as_array().unwrap();
    assert_eq!(items.len(), 30);
    assert_eq!(items[29]["period"], "2024-04-02");
    assert_eq!(items[28]["value"], 0, "a covered day without records is a true zero");
}

#[actix_web::test]
async fn communes_add_up_to_the_province_in_series_and_breakdown() {
    for id in ["online_rate", "received"] {
        let path = format!("/v1/indicators/{id}/series?grain=day&period=2024-03");
        let province = json(&context(), &path).await;
        let communes = json(&context(), &format!("{path}&by=commune")).await;
        assert_eq!(communes["by"], "commune");
        for field in ["numerator", "denominator", "value"] {
            let sum = |body: &Value| -> i64 {
                body["items"].as_array().unwrap().iter().filter_map(|row| row[field].as_i64()).sum()
            };
            let (whole, parts) = (sum(&province), sum(&communes));
            if id == "received" || field != "value" {
                assert_eq!(whole, parts, "{id} {field}");
            }
        }
    }
    let body = json(&context(), "/v1/indicators/online_rate/breakdown?period=2024-03").await;
    let items = body["items"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    for field in ["numerator", "denominator"] {
        let parts: i64 = items.iter().filter_map(|row| row[field].as_i64()).sum();
        assert_eq!(body[field], parts, "{field}");
    }
}

#[actix_web::test]
async fn a_ranking_puts_the_best_first_and_missing_values_last() {
    let path = "/v1/indicators/online_rate/breakdown?period=2024-04-02&sort=-value&limit=2";
    let body = json(&context(), path).await;
    let keys: Vec<_> = body["items"].as_array().unwrap().iter().map(|row| &row["key"]).collect();
    assert_eq!(keys, [&object!("16663"), &object!("16681")]);
    assert_eq!(body["items"][0]["title"], "Phường B");
    assert_eq!(body["items"][1]["value"], Value::Null);
    assert_eq!(body["items"][1]["reason"], "no_base");
}

#[actix_web::test]
async fn a_breakdown_by_a_code_has_the_titles_of_its_list() {
    let body =
        json(&context(), "/v1/indicators/received/breakdown?by=channel&period=2024-03").await;
    let rows: Vec<_> = body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["key"].as_str().unwrap(),
                row["title"].as_str().unwrap(),
                row["value"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(rows, [("counter", "Trực tiếp", 6), ("online", "Trực tuyến", 8)]);
}

#[actix_web::test]
async fn csv_has_a_fixed_header_and_empty_fields_for_missing_values() {
    let context = context();
    let path = "/v1/indicators/online_rate/series?grain=month&from=2024-02-01&to=2024-04-01";
    let reply = get(&context, &format!("{path}&format=csv")).await;
    assert_eq!(reply.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert_eq!(
        reply.header("content-disposition"),
        "attachment; filename=\"online_rate-month.csv\""
    );
    let lines: Vec<&str> = reply.text().split("\r\n").collect();
    assert_eq!(
        lines[0],
        "indicator,bucket,grain,commune,value,numerator,denominator,status,reason,completeness_ratio,\
         accountable_unit,revision,filled,filter"
    );
    assert!(lines[1].starts_with("online_rate,2024-02-01T00:00:00+07:00,month,,,,,missing,"));
    assert!(lines[2].starts_with(
        "online_rate,2024-03-01T00:00:00+07:00,month,,0.5714285714285714,8,14,final,,1,vp-ubnd,18442"
    ));
    let accept =
        TestRequest::get().uri(path).insert_header((header::ACCEPT, "text/csv, */*;q=0.1"));
    assert_eq!(send(&context, accept).await.body, reply.body);
}

/// For charts that cannot draw a gap; what was made up says so.
#[actix_web::test]
async fn gaps_of_a_series_are_filled_on_request_and_never_pass_for_figures() {
    let context = context();
    let path = "/v1/indicators/online_rate/series?grain=day&from=2024-03-14&to=2024-04-04";
    let rows = async |fill: &str| {
        let body = json(&context, &format!("{path}{fill}")).await;
        body["items"].as_array().unwrap().clone()
    };
    let (plain, zero, previous) =
        (rows("").await, rows("&fill=zero").await, rows("&fill=previous").await);
    assert_eq!(rows("&fill=null").await, plain);
    let day = |rows: &[serde_json::Value], day: &str| {
        rows.iter().find(|row| row["period"] == day).cloned().unwrap()
    };
    // On 15 March dossiers came in, on the 14th and the 16th none: there is no base for a share.
    assert_eq!(day(&plain, "2024-03-16")["reason"], "no_base");
    for (rows, word, value) in [
        (&zero, "zero", object!(0)),
        (&previous, "previous", day(&plain, "2024-03-15")["value"].clone()),
    ] {
        let filled = day(rows, "2024-03-16");
        assert_eq!((&filled["filled"], &filled["value"]), (&object!(word), &value));
        assert_eq!(
            (&filled["status"], &filled["reason"]),
            (&object!("missing"), &object!("no_base"))
        );
        // What has a value keeps it, and what has not begun stays empty.
        assert_eq!(day(rows, "2024-03-15"), day(&plain, "2024-03-15"));
        assert_eq!(day(rows, "2024-04-03"), day(&plain, "2024-04-03"));
        assert_eq!(day(rows, "2024-04-03")["value"], serde_json::Value::Null);
    }
    assert_eq!(day(&previous, "2024-03-14")["value"], serde_json::Value::Null, "none is before it");
    let refused = get(&context, &format!("{path}&fill=last")).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["errors"][0]["allowed"], object!(["null", "zero", "previous"]));
    let table = get(&context, &format!("{path}&fill=zero&format=csv")).await;
    assert!(table.text().contains(",missing,no_base,"), "{}", table.text());
    assert!(table.text().contains(",zero,\r\n"), "{}", table.text());
}

#[actix_web::test]
async fn the_catalogue_is_filtered_in_both_languages() {
    let context = context();
    let ids = async |query: &str| {
        let body = json(&context, &format!("/v1/catalogue{query}")).await;
        let items = body["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["indicator"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("").await, ["kiosk_sessions", "online_rate", "received"]);
    assert_eq!(ids("?q=TR%E1%BB%B0C%20tuy%E1%BA%BFn").await, ["online_rate"]);
    assert_eq!(ids("?q=sessions").await, ["kiosk_sessions"]);
    assert_eq!(ids("?group=portal").await, ["online_rate", "received"]);
    assert_eq!(ids("?unit=so-tttt&group=").await, ["kiosk_sessions"]);
}

#[actix_web::test]
async fn a_definition_says_where_the_number_comes_from() {
    let body = json(&context(), "/v1/indicators/online_rate").await;
    assert_eq!(body["measures"], object!(["dossiers.received"]));
    assert_eq!(body["sources"], object!(["portal"]));
    assert_eq!(body["dimensions"], object!(["channel"]));
    let thresholds = object!({"on_track": 0.0, "at_risk": 0.1});
    let target = object!({"from": "2024-01-01", "until": null, "value": 0.8, "baseline": null,
        "thresholds": thresholds});
    assert_eq!(body["targets"], object!([target]));
    assert_eq!(body["freshness"]["state"], "fresh");
    assert_eq!(body["revision"], 18442);
    assert!(body["formula"].as_str().unwrap().contains("dossiers.received"));
}

#[actix_web::test]
async fn the_start_links_to_addresses_that_answer() {
    let context = context();
    let body = json(&context, "/v1").await;
    assert_eq!((&body["revision"], &body["version"]), (&object!(18442), &object!("0.1.0")));
    // A stream of events has no end to wait for.
    let links = body["links"].as_object().unwrap();
    for (name, link) in links.iter().filter(|(name, _)| *name != "events") {
        assert_eq!(get(&context, link.as_str().unwrap()).await.status, 200, "{name}");
    }
    let value = json(&context, "/v1/indicators/online_rate/value?period=2024-W13").await;
    let links = value["links"].as_object().unwrap();
    // What changed since needs a past, which this world has not.
    for (name, link) in links.iter().filter(|(name, _)| *name != "revisions") {
        assert_eq!(get(&context, link.as_str().unwrap()).await.status, 200, "{name}");
    }
}

#[actix_web::test]
async fn the_areas_are_the_province_and_todays_communes() {
    let body = json(&context(), "/v1/dimensions/area/values").await;
    let areas: Vec<_> =
        body["items"].as_array().unwrap().iter().map(|item| item["area"].clone()).collect();
    assert_eq!(areas, ["province", "commune:16663", "commune:16681", "commune:17000"]);
    assert_eq!(body["items"][1]["parent"], "40");
}

#[actix_web::test]
async fn every_answer_comes_from_one_revision() {
    // The snapshot is swapped while a request holds its own: what it answers stays consistent.
    let context = context();
    let request = TestRequest::get().uri("/v1").to_http_request();
    let request = super::super::context::Question::of(&request);
    let asked = super::super::context::Asked::new(&request, &context);
    context.snapshot.store(std::sync::Arc::new(crate::model::snapshot::Snapshot {
        revision: 99,
        at: world::now(),
        ..Default::default()
    }));
    assert_eq!(asked.snapshot.revision, 18442);
    assert_eq!(asked.world().snapshot.revision, 18442);
    assert_eq!(json(&context, "/v1").await["revision"], 99);
}

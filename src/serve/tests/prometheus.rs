//! Indicators in PromQL, against figures that can be checked in one's head.

use std::sync::Arc;

use actix_web::test::TestRequest;
use serde_json::{Value, json as object};

use super::world::context;
use super::{Reply, get, send};
use crate::serve::Context;

/// Now is 2024-04-02T17:00:30+07:00.
const NOW: i64 = 1_712_052_030;

fn encoded(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

async fn ask(context: &Arc<Context>, what: &str, pairs: &[(&str, &str)]) -> Reply {
    get(context, &format!("/prometheus/api/v1/{what}?{}", encoded(pairs))).await
}

/// The whole answer to an instant query at now.
async fn answer(query: &str) -> Value {
    let reply = ask(&context(), "query", &[("query", query), ("time", &NOW.to_string())]).await;
    assert_eq!(reply.status, 200, "{query}: {}", reply.text());
    reply.json()
}

/// The values of an instant query, by the values of `label`.
async fn values(query: &str, label: &str) -> Vec<(String, String)> {
    let body = answer(query).await;
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let result = body["data"]["result"].as_array().unwrap_or_else(|| panic!("{query}: {body}"));
    result.iter().map(|one| (word(&one["metric"][label]), word(&one["value"][1]))).collect()
}

/// The only value of an instant query; empty if there is none.
async fn value(query: &str) -> String {
    let body = answer(query).await;
    if body["data"]["resultType"] == "scalar" {
        return body["data"]["result"][1].as_str().unwrap().to_owned();
    }
    let found = values(query, "").await;
    assert!(found.len() <= 1, "{query}: {found:?}");
    found.into_iter().next().map_or_else(String::new, |(_, value)| value)
}

/// What is said against a query.
async fn refusal(query: &str) -> String {
    let reply = ask(&context(), "query", &[("query", query)]).await;
    assert!([400, 422].contains(&reply.status), "{query}: {} {}", reply.status, reply.text());
    let body = reply.json();
    let kind = if reply.status == 400 { "bad_data" } else { "execution" };
    assert_eq!((&body["status"], &body["errorType"]), (&object!("error"), &object!(kind)));
    body["error"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_commune_is_a_series_with_its_value_at_the_moment_asked_for() {
    assert_eq!(
        answer("ioc_received_dossiers{commune=\"16663\"}").await["data"],
        object!({
            "resultType": "vector",
            "result": [{
                "metric": {
                    "__name__": "ioc_received_dossiers", "commune": "16663", "grain": "day",
                    "indicator": "received", "unit": "vp-ubnd"
                },
                "value": [NOW, "6"]
            }]
        })
    );
    assert_eq!(value("ioc_received_province_dossiers").await, "6");
    assert_eq!(value("ioc_online_rate_province_ratio").await, (5.0 / 6.0).to_string());
}

#[actix_web::test]
async fn missing_is_no_sample_and_never_zero() {
    // The kiosks never reported; two communes had no dossier on the day, so no share either.
    assert_eq!(values("ioc_kiosk_sessions", "commune").await, []);
    let shares = values("ioc_online_rate_ratio", "commune").await;
    assert_eq!(shares, [("16663".to_owned(), (5.0 / 6.0).to_string())]);
    assert_eq!(value("absent(ioc_kiosk_sessions{commune=\"17000\"})").await, "1");
    assert_eq!(value("absent(ioc_received_province_dossiers)").await, "");
}

#[actix_web::test]
async fn every_promised_function_and_operator_computes() {
    for (query, expected) in [
        ("1+1", "2"),
        ("-2^2", "-4"),
        ("2^3^2", "512"),
        ("7 % 4 - 10 / 4", "0.5"),
        ("1 > bool 2", "0"),
        ("sum(ioc_received_dossiers)", "6"),
        ("count(ioc_received_dossiers)", "3"),
        ("max(ioc_received_dossiers)", "6"),
        ("min(ioc_received_dossiers)", "0"),
        ("avg(ioc_received_dossiers)", "2"),
        ("quantile(0.5, ioc_received_dossiers)", "0"),
        ("quantile(0.75, ioc_received_dossiers)", "3"),
        ("topk(1, ioc_received_dossiers)", "6"),
        ("count(bottomk(2, ioc_received_dossiers))", "2"),
        ("sum without (commune, grain) (ioc_received_dossiers)", "6"),
        ("scalar(ioc_received_province_dossiers) * 2", "12"),
        ("vector(3)", "3"),
        ("time()", "1712052030"),
        ("sum(ioc_received_dossiers > 0)", "6"),
        ("sum(ioc_received_dossiers > bool 0)", "1"),
        ("10 - ioc_received_province_dossiers", "4"),
        ("abs(-ioc_received_province_dossiers)", "6"),
        ("round(ioc_received_province_dossiers / 4)", "2"),
        ("round(ioc_online_rate_province_ratio, 0.5)", "1"),
        ("clamp_max(ioc_received_province_dossiers, 5)", "5"),
        ("clamp_min(ioc_received_province_dossiers, 9)", "9"),
        ("ioc_received_province_dossiers offset 18d", "6"),
        ("ioc_received_province_dossiers @ 1709290800", "8"),
        ("sum_over_time(ioc_received_province_dossiers[33d])", "20"),
        ("count_over_time(ioc_received_province_dossiers[7d])", "7"),
        ("max_over_time(ioc_received_province_dossiers[33d])", "8"),
        ("min_over_time(ioc_received_province_dossiers[33d])", "0"),
        ("avg_over_time(ioc_received_province_dossiers[2d])", "3"),
        ("last_over_time(ioc_received_province_dossiers[7d] offset 1d)", "0"),
        // From 0 on the first of April to 6 on the second, over twice the time between them.
        ("delta(ioc_received_province_dossiers[2d])", "12"),
        ("ioc_received_province_dossiers{grain=\"month\"}", "6"),
        ("ioc_received_province_dossiers{grain=\"month\"} offset 5d", "14"),
        ("ioc_received_province_dossiers{grain=~\"y.*\"}", "20"),
        ("ioc_indicator_target{indicator=\"online_rate\"}", "0.8"),
    ] {
        assert_eq!(value(query).await, expected, "{query}");
    }
    let sorted = values("sort_desc(ioc_received_dossiers)", "commune").await;
    assert_eq!(sorted[0], ("16663".to_owned(), "6".to_owned()));
    let renamed =
        "label_replace(ioc_received_province_dossiers, \"to\", \"$1!\", \"unit\", \"(vp)-.*\")";
    assert_eq!(values(renamed, "to").await, [("vp!".to_owned(), "6".to_owned())]);
    let against = "ioc_online_rate_province_ratio / on(indicator) ioc_indicator_target";
    let share = (5.0 / 6.0 / 0.8).to_string();
    assert_eq!(values(against, "indicator").await, [("online_rate".to_owned(), share)]);
}

#[actix_web::test]
async fn communes_add_up_to_the_province_at_every_grain() {
    for grain in ["day", "week", "month", "quarter", "year"] {
        let only = format!("{{grain={grain:?}}}");
        let communes = value(&format!("sum(ioc_received_dossiers{only})")).await;
        let province = value(&format!("ioc_received_province_dossiers{only}")).await;
        assert!(!province.is_empty() && communes == province, "{grain}: {communes} {province}");
    }
}

#[actix_web::test]
async fn a_day_is_seen_from_its_first_moment_to_its_last_and_no_longer() {
    // Midnight in the province on 2024-03-15 and the seconds around it.
    let midnight = 1_710_435_600;
    for (time, expected) in
        [(midnight - 1, "0"), (midnight, "6"), (midnight + 86_399, "6"), (midnight + 86_400, "0")]
    {
        let pairs = [("query", "ioc_received_province_dossiers"), ("time", &*time.to_string())];
        let body = ask(&context(), "query", &pairs).await.json();
        assert_eq!(body["data"]["result"][0]["value"], object!([time, expected]), "{body}");
    }
    // A range vector shows where the values stand.
    let query = format!("ioc_received_province_dossiers[2d] @ {}", midnight + 3600);
    let data = &answer(&query).await["data"];
    assert_eq!(data["resultType"], "matrix");
    assert_eq!(data["result"][0]["values"], object!([[midnight - 86_400, "0"], [midnight, "6"]]));
}

#[actix_web::test]
async fn a_range_query_has_a_sample_at_each_step_that_has_a_value() {
    let pairs = [
        ("query", "ioc_received_province_dossiers"),
        ("start", "2024-03-14T12:00:00+07:00"),
        ("end", "1710565200"),
        ("step", "12h"),
    ];
    let reply = ask(&context(), "query_range", &pairs).await;
    assert!(reply.text().starts_with(
        "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":"
    ));
    let start = 1_710_392_400;
    let values = object!([
        [start, "0"],
        [start + 43_200, "6"],
        [start + 86_400, "6"],
        [start + 129_600, "0"],
        [start + 172_800, "0"]
    ]);
    assert_eq!(reply.json()["data"]["result"][0]["values"], values);
    // The future is empty.
    let pairs = [
        ("query", "ioc_received_province_dossiers"),
        ("start", "1900000000"),
        ("end", "1900000000"),
        ("step", "1"),
    ];
    assert_eq!(ask(&context(), "query_range", &pairs).await.json()["data"]["result"], object!([]));
}

#[actix_web::test]
async fn the_end_of_a_range_is_the_one_that_was_asked_for_not_the_last_step() {
    // The last step is on the 14th, where nothing was received; the end is on the 15th, where six were.
    let pairs = [
        ("query", "ioc_received_province_dossiers @ end()"),
        ("start", "2024-03-14T00:00:00+07:00"),
        ("end", "2024-03-15T00:15:00+07:00"),
        ("step", "7h"),
    ];
    let reply = ask(&context(), "query_range", &pairs).await.json();
    let values = reply["data"]["result"][0]["values"].as_array().unwrap();
    assert_eq!(values.len(), 4);
    assert!(values.iter().all(|sample| sample[1] == "6"), "{values:?}");
}

#[actix_web::test]
async fn sums_of_ratios_are_warned_of_and_provisional_values_noted() {
    for query in [
        "sum(ioc_online_rate_ratio)",
        "avg by (unit) (ioc_online_rate_ratio * 100)",
        "avg_over_time(ioc_online_rate_province_ratio[7d])",
    ] {
        let body = answer(query).await;
        let warning = body["warnings"][0].as_str().unwrap_or_else(|| panic!("{query}: {body}"));
        assert!(warning.contains("ioc_online_rate_province_ratio is the province's own value"));
    }
    for query in ["max(ioc_online_rate_ratio)", "sum(ioc_received_dossiers)"] {
        assert_eq!(answer(query).await["warnings"], Value::Null, "{query}");
    }
    let body = answer("ioc_received_province_dossiers").await;
    assert!(body["infos"][0].as_str().unwrap().contains("provisional"), "{body}");
    let body = answer("ioc_received_province_dossiers offset 7d").await;
    assert_eq!(body["infos"], Value::Null, "{body}");
    let body = answer("ioc_kiosk_sessions").await;
    assert!(body["infos"][0].as_str().unwrap().contains("never reported"), "{body}");
}

#[actix_web::test]
async fn beyond_the_subset_the_refusal_says_what_to_do() {
    for (query, said) in [
        ("rate(ioc_received_dossiers[7d])", "function \"rate\" is not supported by this gateway"),
        ("increase(ioc_received_dossiers[7d])", "use sum_over_time"),
        ("histogram_quantile(0.9, x)", "function \"histogram_quantile\" is not supported"),
        ("sume(x)", "did you mean \"sum\"?"),
        ("stddev by (a) (x)", "function \"stddev\" is not supported"),
        ("x or y", "operator \"or\" is not supported"),
        ("x * on(a) group_left y", "many-to-one matching is not supported"),
        ("max_over_time(x[1d:1h])", "subqueries are not supported"),
        ("", "1:1: parse error: unexpected end of input"),
        ("sum(", "unexpected end of input"),
        ("x{", "1:3: parse error: unexpected end of input in label matching"),
        ("x{a=~\"(\"}", "error parsing regexp"),
        ("{a=~\".*\"}", "must contain at least one non-empty matcher"),
        ("1 > 2", "comparisons between scalars must use BOOL modifier"),
        ("x[5m", "unexpected end of input in range selector"),
        ("sum(1)", "expected type instant vector in aggregation expression, got scalar"),
        ("x + on(indicator) ^", "unexpected \"^\""),
        (
            "ioc_received_dossiers / on(unit) ioc_received_dossiers",
            "many-to-many matching not allowed",
        ),
        ("label_replace(ioc_received_dossiers, \"commune\", \"\", \"\", \"\")", "same labelset"),
    ] {
        let error = refusal(query).await;
        assert!(error.contains(said), "{query}: {error}");
    }
    assert_eq!(
        ask(&context(), "query", &[]).await.json()["error"],
        "invalid parameter \"query\": is missing"
    );
}

#[actix_web::test]
async fn c03_c04_too_much_is_refused_before_anything_is_computed() {
    let range = |step: &'static str, start: &'static str| {
        vec![
            ("query", "ioc_received_dossiers"),
            ("start", start),
            ("end", "1712052030"),
            ("step", step),
        ]
    };
    for (pairs, said) in [
        (range("1", "1712000000"), "exceeded maximum resolution of 11,000 points per timeseries"),
        (range("0", "1712000000"), "zero or negative query resolution"),
        (range("-5", "1712000000"), "zero or negative query resolution"),
        (range("x", "1712000000"), "cannot parse \"x\" to a valid duration"),
        (range("1", "1712052031"), "end timestamp must not be before start time"),
        (range("1", "tomorrow"), "cannot parse \"tomorrow\" to a valid timestamp"),
    ] {
        let reply = ask(&context(), "query_range", &pairs).await;
        assert_eq!(reply.status, 400);
        assert!(reply.text().contains(&said.replace('"', "\\\"")), "{}", reply.text());
    }
    // Twelve selectors of all series over all days are too many values.
    let greedy = ["max_over_time({indicator!=\"\",grain=~\".+\"}[24y])"; 12].join(" + ");
    assert!(refusal(&greedy).await.contains("the question would read"));
    // Long and deep questions end at a limit, not at the end of the stack.
    let long = vec!["1"; 5000].join("+");
    for query in [long, "(".repeat(4000), "-".repeat(4000), format!("{}1", "abs(".repeat(1500))] {
        let error = refusal_by_form(&query).await;
        assert!(error.contains("too long") || error.contains("may have"), "{error}");
    }
    let form = format!("query={}", "1".repeat(70_000));
    assert!(by_form("query", form).await.text().contains("larger than 65536 bytes"));
}

async fn by_form(what: &str, form: String) -> Reply {
    let request = TestRequest::post()
        .uri(&format!("/prometheus/api/v1/{what}"))
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .set_payload(form);
    send(&context(), request).await
}

async fn refusal_by_form(query: &str) -> String {
    let reply = by_form("query", encoded(&[("query", query)])).await;
    assert_eq!(reply.status, 400);
    reply.json()["error"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn grafanas_own_calls_are_answered() {
    // The health check, as a form.
    let body =
        by_form("query", encoded(&[("query", "1+1"), ("time", "1712052030.5")])).await.json();
    assert_eq!(body["data"], object!({"resultType": "scalar", "result": [1_712_052_030.5, "2"]}));
    let text = by_form("query", encoded(&[("query", "vector(1)")])).await.text().to_owned();
    let start = "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[";
    assert!(text.starts_with(start), "{text}");
    let context = context();
    let info = ask(&context, "status/buildinfo", &[]).await.json();
    assert_eq!(info["data"]["version"], "2.42.0-compatible");
    assert_eq!(info["data"]["features"], Value::Null);
    // The metric list with a span and a limit that only few servers reach.
    let span = [("start", "1712000000"), ("end", "1712052030"), ("limit", "40000")];
    let names = ask(&context, "label/__name__/values", &span).await.json();
    let expected = object!([
        "ioc_indicator_info",
        "ioc_indicator_target",
        "ioc_kiosk_sessions",
        "ioc_kiosk_sessions_province",
        "ioc_online_rate_province_ratio",
        "ioc_online_rate_ratio",
        "ioc_received_dossiers",
        "ioc_received_province_dossiers"
    ]);
    assert_eq!(names["data"], expected);
    let two = ask(&context, "label/__name__/values", &[("limit", "2")]).await.json();
    assert_eq!(two["data"].as_array().unwrap().len(), 2);
    assert_eq!(two["warnings"], object!(["results truncated due to limit"]));
    // Labels and their values of one metric, for the query builder and for variables.
    let one = [("match[]", "ioc_received_dossiers")];
    let labels = by_form("labels", encoded(&one)).await.json();
    assert_eq!(labels["data"], object!(["__name__", "commune", "grain", "indicator", "unit"]));
    let communes = ask(&context, "label/commune/values", &one).await.json();
    assert_eq!(communes["data"], object!(["16663", "16681", "17000"]));
    let grains = ask(&context, "label/grain/values", &[]).await.json();
    assert_eq!(grains["data"], object!(["day", "month", "quarter", "week", "year"]));
    assert_eq!(ask(&context, "label/nothing/values", &[]).await.json()["data"], object!([]));
    let all =
        by_form("series", encoded(&[("match[]", "{__name__!=\"\"}"), ("limit", "1000")])).await;
    // Per indicator three communes, the province and the information; and two targets.
    assert_eq!(all.json()["data"].as_array().unwrap().len(), 3 * 5 + 2);
    let about = ask(&context, "metadata", &[("metric", "ioc_online_rate_ratio")]).await.json();
    let about = &about["data"]["ioc_online_rate_ratio"][0];
    assert_eq!((&about["type"], &about["unit"]), (&object!("gauge"), &object!("ratio")));
    assert!(
        about["help"].as_str().unwrap().starts_with("Tỷ lệ nộp trực tuyến · Share filed online")
    );
    assert_eq!(
        ask(&context, "metadata", &[("limit", "3")]).await.json()["data"]
            .as_object()
            .unwrap()
            .len(),
        3
    );
    for (what, data) in [
        ("rules", object!({"groups": []})),
        ("alerts", object!({"alerts": []})),
        ("query_exemplars", object!([])),
    ] {
        assert_eq!(ask(&context, what, &[]).await.json()["data"], data, "{what}");
    }
    // Values of a label are only read; a client that tries to post falls back.
    let refused = by_form("label/commune/values", String::new()).await;
    assert_eq!((refused.status, refused.header("allow")), (405, "GET, HEAD"));
    for address in ["/prometheus", "/prometheus/", "/docs/prometheus"] {
        assert_eq!(get(&context, address).await.status, 200, "{address}");
    }
    // Without a selector the list of series would be everything by mistake.
    assert_eq!(ask(&context, "series", &[]).await.status, 400);
}

#[actix_web::test]
async fn the_page_of_the_subset_names_every_word_that_is_answered() {
    let text = get(&context(), "/docs/prometheus").await.text().to_owned();
    for word in ["topk", "quantile", "avg_over_time", "label_replace", "delta", ">=", "ignoring"] {
        assert!(text.contains(word), "{word}");
    }
}

//! The past as it was known: the same figures, under the same definitions, to the byte.

use serde_json::{Value, json as object};

use super::story::{INDICATORS, Story};
use super::{get, json};
use crate::model::revision::Cause;
use crate::model::snapshot::Rebuilding;

const VALUE: &str = "/v1/indicators/received/value?period=2024-04-01";

/// Ten dossiers of 1 April known on the day itself, two more a day later.
fn story() -> Story {
    let mut story = Story::begin("2024-04-01T07:00:00");
    story.commit(
        "2024-04-01T17:00:00",
        "dossiers.received",
        Cause::Arrived,
        &[("2024-04-01", "16663", "online", 6), ("2024-04-01", "16681", "counter", 4)],
    );
    story.commit(
        "2024-04-02T09:00:00",
        "dossiers.received",
        Cause::Late,
        &[("2024-04-01", "17000", "online", 2)],
    );
    story.wait_until("2024-04-02T09:30:00");
    story
}

#[actix_web::test]
async fn a_figure_of_the_past_is_the_one_that_could_be_read_then() {
    let story = story();
    let now = json(&story.context, VALUE).await;
    assert_eq!((&now["value"], &now["revision"]), (&object!(12), &object!(3)));
    let then = json(&story.context, &format!("{VALUE}&as_of=2024-04-01T18:00")).await;
    assert_eq!((&then["value"], &then["revision"]), (&object!(10), &object!(2)));
    assert_eq!(then["as_of"], "2024-04-01T17:00:00+07:00");
    assert_eq!(
        (&then["status"], &then["period"]["closed"]),
        (&object!("provisional"), &object!(false))
    );
    assert_eq!(then["freshness"]["age_seconds"], 3600, "reckoned from then");
    let evening = json(&story.context, &format!("{VALUE}&as_of=2024-04-01")).await;
    assert_eq!(evening["value"], 10, "a day is its end");
    assert_eq!(evening["freshness"]["age_seconds"], 7 * 3600 - 1);
}

#[actix_web::test]
async fn the_moment_of_a_commit_already_knows_it() {
    let story = story();
    for (moment, value) in [("2024-04-02T08:59:59", 10), ("2024-04-02T09:00:00", 12)] {
        let body = json(&story.context, &format!("{VALUE}&as_of={moment}")).await;
        assert_eq!(body["value"], value, "{moment}");
    }
}

#[actix_web::test]
async fn every_dated_answer_is_the_same_to_the_byte_at_any_later_time() {
    let mut story = story();
    let paths = [
        "/v1/catalogue?as_of=2024-04-02T09:10",
        "/v1/indicators/online_rate?as_of=2024-04-02T09:10",
        "/v1/indicators/online_rate/value?period=latest&compare=previous,year_ago&as_of=2024-04-02T09:10",
        "/v1/indicators/received/series?by=commune&last=3d&as_of=2024-04-02T09:10",
        "/v1/indicators/received/series?last=3d&format=csv&as_of=2024-04-02T09:10",
        "/v1/indicators/received/breakdown?period=latest&as_of=2024-04-02T09:10:00%2B07:00",
        "/v1/dimensions/area/values?as_of=2024-04-02T09:10",
        "/v1/indicators/received/revisions?period=2024-04-01&learned_from=2024-04-01T18:00&learned_to=2024-04-02T09:10",
    ];
    let mut before = Vec::new();
    for path in paths {
        before.push(get(&story.context, path).await);
    }
    story.commit(
        "2024-05-01T00:00:00",
        "dossiers.received",
        Cause::Corrected,
        &[("2024-04-01", "16681", "counter", -4), ("2024-04-30", "16681", "online", 9)],
    );
    let renamed = INDICATORS.replace("Hồ sơ tiếp nhận", "Hồ sơ đã nhận").replace("0.80", "0.95");
    story.define("2024-05-02T00:00:00", &renamed, "16663,17000\n");
    for (path, before) in paths.iter().zip(before) {
        let later = get(&story.context, path).await;
        assert_eq!((later.status, before.status), (200, 200), "{path}: {}", before.text());
        assert_eq!(later.text(), before.text(), "{path}");
        assert_eq!(later.header("etag"), before.header("etag"), "{path}");
        assert_eq!(later.header("cache-control"), "private, max-age=31536000, immutable", "{path}");
    }
}

#[actix_web::test]
async fn links_of_a_dated_answer_stay_in_its_moment() {
    let story = story();
    let path = "/v1/indicators/received/value?period=2024-04-01&as_of=2024-04-01T18:00:00%2B07:00";
    let body = json(&story.context, path).await;
    assert_eq!(body["links"]["self"], path);
    for name in ["value", "series", "breakdown", "definition"] {
        let link = body["links"][name].as_str().unwrap();
        assert!(link.contains("as_of=2024-04-01T18:00:00"), "{link}");
        let reply = json(&story.context, link).await;
        assert_eq!(reply["revision"], 2, "{link}");
    }
    let revisions = json(&story.context, body["links"]["revisions"].as_str().unwrap()).await;
    assert_eq!(revisions["learned_from"], "2024-04-01T18:00:00+07:00");
    assert_eq!(revisions["items"][0]["causes"], object!(["late"]));
}

#[actix_web::test]
async fn the_definition_in_force_then_is_the_one_that_is_read() {
    let mut story = story();
    let only_online = INDICATORS.replace(
        "measure: {measure: dossiers.received}\n",
        "measure: {measure: dossiers.received, where: {channel: online}}\n",
    );
    story.define("2024-04-03T00:00:00", &only_online, "16663,16681\n");
    let now = json(&story.context, VALUE).await;
    let then = json(&story.context, &format!("{VALUE}&as_of=2024-04-02T12:00")).await;
    assert_eq!((&now["value"], &then["value"]), (&object!(8), &object!(12)));
    assert_ne!(now["definition_version"], then["definition_version"]);
    let definition = "/v1/indicators/received";
    let now = json(&story.context, definition).await;
    let then = json(&story.context, &format!("{definition}?as_of=2024-04-02T12:00")).await;
    assert_ne!(now["formula"], then["formula"]);
    let start = json(&story.context, "/v1").await;
    assert_eq!(start["config"], "fedcba9876543210");
}

#[actix_web::test]
async fn titles_and_targets_do_not_make_another_definition() {
    let mut story = story();
    let version = json(&story.context, VALUE).await["definition_version"].clone();
    assert_eq!(version.as_str().unwrap().len(), 16);
    let renamed = INDICATORS.replace("Hồ sơ tiếp nhận", "Hồ sơ đã nhận").replace("0.80", "0.95");
    story.define("2024-04-03T00:00:00", &renamed, "16663,16681\n");
    assert_eq!(json(&story.context, VALUE).await["definition_version"], version);
}

#[actix_web::test]
async fn a_moment_that_is_not_past_or_not_kept_is_refused_with_what_there_is() {
    let story = story();
    let problem = async |as_of: &str, status: u16, code: &str| -> Value {
        let reply = get(&story.context, &format!("{VALUE}&as_of={as_of}")).await;
        assert_eq!(reply.status, status, "{as_of}: {}", reply.text());
        assert_eq!(reply.header("cache-control"), "no-store");
        let body = reply.json();
        assert_eq!(body["type"], format!("/docs/problems/{code}"));
        body
    };
    for future in ["2024-04-02", "2024-04-02T09:30", "2031-01-01T00:00"] {
        let body = problem(future, 404, "not-yet").await;
        assert!(body["detail"].as_str().unwrap().contains("'as_of'"), "{body}");
        assert!(body["detail"].as_str().unwrap().contains("not past yet"), "{body}");
    }
    let body = problem("yesterday", 400, "bad-parameter").await;
    assert_eq!(body["errors"][0]["allowed"][0], "2024-04-02T17:00");
    let body = problem("2024-03-31T12:00", 404, "no-vintage").await;
    assert_eq!(body["earliest"], "2024-04-01T07:00:00+07:00");
    story.compact("2024-04-01T08:00:00", "2024-04-02T00:00:00");
    let body = problem("2024-04-01T18:00", 410, "vintage-compacted").await;
    assert_eq!(body["nearest"], "2024-04-01T07:59:59+07:00");
}

#[actix_web::test]
async fn only_addresses_with_a_past_take_a_moment() {
    let story = story();
    for path in ["/v1", "/v1/sources", "/v1/quarantine", "/metrics", "/livez", "/"] {
        let reply = get(&story.context, &format!("{path}?as_of=2024-04-01T18:00")).await;
        assert_eq!(reply.status, 400, "{path}");
    }
    let twice = format!("{VALUE}&as_of=2024-04-01T18:00&as_of=2024-04-01T19:00");
    assert_eq!(get(&story.context, &twice).await.status, 400);
}

#[actix_web::test]
async fn revisions_tell_what_changed_and_why() {
    let story = story();
    let path = "/v1/indicators/received/revisions?period=2024-04-01";
    let body = json(&story.context, &format!("{path}&by=commune")).await;
    // Since the day was over: its end is the earlier moment.
    assert_eq!(body["learned_from"], "2024-04-01T23:59:59+07:00");
    assert_eq!((&body["old"]["revision"], &body["new"]["revision"]), (&object!(2), &object!(3)));
    let figure = |value: Value, status| {
        object!({"value": value, "numerator": null, "denominator": null, "status": status,
            "reason": null})
    };
    let revised = &body["items"][1];
    assert_eq!(
        *revised,
        object!({
            "bucket": "2024-04-01T00:00:00+07:00", "period": "2024-04-01", "commune": "17000",
            "title": "Xã C", "change": "revised",
            "old": figure(object!(0), "provisional"), "new": figure(object!(2), "final"),
            "causes": ["late"],
            "first_learned_at": "2024-04-02T09:00:00+07:00",
            "last_learned_at": "2024-04-02T09:00:00+07:00",
            "first_revision": 3, "last_revision": 3
        })
    );
    // The other figure did not change, only its day is now settled.
    assert_eq!(
        (&body["items"][0]["commune"], &body["items"][0]["change"]),
        (&object!("16681"), &object!("reflagged"))
    );
    assert_eq!(body["items"][0]["last_revision"], Value::Null);
    assert_eq!(
        body["counts"],
        object!({"added": 0, "removed": 0, "revised": 1, "reflagged": 1, "unchanged": 0})
    );
    assert_eq!(body["truncated"], false);
    let province = json(&story.context, path).await;
    assert_eq!(province["items"].as_array().unwrap().len(), 1);
    assert_eq!(province["items"][0]["old"]["value"], 10);
    assert_eq!(province["items"][0]["new"]["value"], 12);
}

#[actix_web::test]
async fn each_cause_is_told_and_only_for_the_figures_that_it_reaches() {
    let mut story = story();
    story.commit(
        "2024-04-03T09:00:00",
        "dossiers.received",
        Cause::Corrected,
        &[("2024-04-01", "16663", "online", -1), ("2024-04-01", "16663", "counter", 1)],
    );
    story.commit(
        "2024-04-03T10:00:00",
        "dossiers.received",
        Cause::Retracted,
        &[("2024-04-01", "16681", "counter", -4)],
    );
    let since = "grain=day&from=2024-04-01&to=2024-04-02&learned_from=2024-04-02T12:00";
    let causes = async |id: &str, area: &str| {
        let path = format!("/v1/indicators/{id}/revisions?{since}&area={area}");
        let body = json(&story.context, &path).await;
        let item = body["items"][0].clone();
        (item["change"].clone(), item["causes"].clone())
    };
    assert_eq!(
        causes("received", "province").await,
        (object!("revised"), object!(["corrected", "retracted"]))
    );
    assert_eq!(causes("online_rate", "commune:16681").await.1, object!(["corrected", "retracted"]));
    assert_eq!(causes("received", "commune:17000").await, (Value::Null, Value::Null));
    // A day that was open at the earlier moment grows by what arrives.
    story.commit(
        "2024-04-03T11:00:00",
        "dossiers.received",
        Cause::Arrived,
        &[("2024-04-03", "17000", "online", 5)],
    );
    let path = "/v1/indicators/received/revisions?period=2024-04-03&learned_from=2024-04-03T09:30&area=17000";
    let body = json(&story.context, path).await;
    assert_eq!(body["items"][0]["causes"], object!(["arrived"]));
}

#[actix_web::test]
async fn a_stock_is_revised_from_the_day_of_the_change_on() {
    let mut story = Story::begin("2024-04-01T07:00:00");
    story.commit(
        "2024-04-04T08:00:00",
        "dossiers.pending",
        Cause::Arrived,
        &[("2024-04-01", "17000", "online", 5)],
    );
    story.commit(
        "2024-04-05T08:00:00",
        "dossiers.pending",
        Cause::Late,
        &[("2024-04-02", "17000", "counter", 1)],
    );
    let path = "/v1/indicators/pending/revisions?from=2024-04-01&to=2024-04-04&learned_from=2024-04-04T12:00";
    let body = json(&story.context, path).await;
    let days: Vec<_> = body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            assert_eq!(item["causes"], object!(["late"]));
            (item["period"].as_str().unwrap(), item["new"]["value"].as_i64().unwrap())
        })
        .collect();
    assert_eq!(days, [("2024-04-02", 6), ("2024-04-03", 6)]);
    assert_eq!(body["counts"]["unchanged"], 1);
}

/// A day without a dossier carries the share of the day before, and what happens to that one.
#[actix_web::test]
async fn a_carried_figure_is_revised_with_the_one_it_comes_from() {
    let mut story = story();
    let score = r"score:
  title: {vi: Điểm, en: Score}
  group: portal
  kind: composite
  components: [{indicator: online_rate, weight: 1, zero_at: 0, full_at: 1}]
  missing: carry
  unit_measure: points
  direction: up
  accountable: {unit: vp-ubnd, role: Chánh Văn phòng}
";
    story.define("2024-04-03T00:00:00", &format!("{INDICATORS}{score}"), "16663,17000\n");
    story.wait_until("2024-04-03T08:00:00");
    let value = json(&story.context, "/v1/indicators/score/value?period=2024-04-02").await;
    assert_eq!(value["carried"], object!([{"indicator": "online_rate", "from": "2024-04-01"}]));
    assert_eq!((&value["status"], &value["reason"]), (&object!("provisional"), &Value::Null));
    let own = json(&story.context, "/v1/indicators/score/value?period=2024-04-01").await;
    assert_eq!((&own["value"], own.get("carried")), (&value["value"], None));
    for path in ["series?period=2024-04-02&grain=day", "breakdown?period=2024-04-02"] {
        let rows = json(&story.context, &format!("/v1/indicators/score/{path}")).await;
        assert_eq!(rows["items"][0]["carried"][0]["from"], "2024-04-01", "{rows}");
    }
    story.commit(
        "2024-04-03T09:00:00",
        "dossiers.received",
        Cause::Retracted,
        &[("2024-04-01", "16681", "counter", -4)],
    );
    let path = "/v1/indicators/score/revisions?grain=day&from=2024-04-01&to=2024-04-03&learned_from=2024-04-03T08:30";
    let body = json(&story.context, path).await;
    let items: Vec<_> = body["items"].as_array().unwrap().iter().collect();
    assert_eq!(items.len(), 2, "{body}");
    for item in items {
        assert_eq!(
            (&item["change"], &item["causes"]),
            (&object!("revised"), &object!(["retracted"]))
        );
        assert_eq!(item["new"]["value"], 100.0);
    }
}

#[actix_web::test]
async fn another_definition_and_other_areas_are_causes_of_their_own() {
    let mut story = story();
    let only_online = INDICATORS.replace(
        "measure: {measure: dossiers.received}\n",
        "measure: {measure: dossiers.received, where: {channel: online}}\n",
    );
    story.define("2024-04-03T00:00:00", &only_online, "16663,17000\n");
    let path = "/v1/indicators/received/revisions?period=2024-04-01&learned_from=2024-04-02T12:00";
    let body = json(&story.context, path).await;
    assert_eq!(body["items"][0]["causes"], object!(["redefined"]));
    assert_ne!(body["old"]["definition_version"], body["new"]["definition_version"]);
    let body = json(&story.context, &path.replace("received", "online_rate")).await;
    assert_eq!(body["items"], object!([]), "the province's share is the same");
    let by = format!("{}&by=commune", path.replace("received", "online_rate"));
    let body = json(&story.context, &by).await;
    for item in body["items"].as_array().unwrap() {
        assert_eq!(item["causes"], object!(["rebased"]), "{item}");
    }
    assert_eq!(body["items"].as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn revisions_come_as_csv_and_say_when_they_are_cut_short() {
    let story = story();
    let path = "/v1/indicators/received/revisions?period=2024-04-01&by=commune";
    let reply = get(&story.context, &format!("{path}&format=csv")).await;
    let lines: Vec<&str> = reply.text().split("\r\n").collect();
    assert_eq!(
        lines[0],
        "indicator,bucket,grain,commune,change,old_value,new_value,old_status,new_status,causes,\
         first_learned_at,last_learned_at,first_revision,last_revision,accountable_unit"
    );
    assert_eq!(
        lines[2],
        "received,2024-04-01T00:00:00+07:00,day,17000,revised,0,2,provisional,final,late,\
         2024-04-02T09:00:00+07:00,2024-04-02T09:00:00+07:00,3,3,vp-ubnd"
    );
    let body = json(&story.context, &format!("{path}&limit=1")).await;
    assert_eq!((&body["truncated"], body["items"].as_array().unwrap().len()), (&object!(true), 1));
    assert_eq!(body["counts"]["revised"], 1, "the counts are of all");
}

#[actix_web::test]
async fn moments_of_learning_are_checked_like_any_other() {
    let story = story();
    let path = "/v1/indicators/received/revisions?period=2024-04-01";
    for (query, status) in [
        ("learned_from=2024-04-02T09:29:59", 400),
        ("learned_from=2024-04-02T09:10&learned_to=2024-04-01T20:00", 400),
        ("learned_to=2024-04-02T23:00", 404),
        ("learned_from=2024-03-01", 404),
        ("as_of=2024-04-01T18:00", 400),
        ("limit=0", 400),
    ] {
        let reply = get(&story.context, &format!("{path}&{query}")).await;
        assert_eq!(reply.status, status, "{query}: {}", reply.text());
    }
    // Without being told, the comparison begins where the journal does.
    let body = json(&story.context, "/v1/indicators/received/revisions?period=2024-03").await;
    assert_eq!(body["learned_from"], "2024-04-01T07:00:00+07:00");
}

#[actix_web::test]
async fn the_page_of_an_indicator_tells_in_words_what_changed_and_why() {
    let story = story();
    let page = get(&story.context, "/indicators/received?period=2024-04-01").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let changes = page.text().split("id=\"revisions\"").nth(1).unwrap();
    let changes = changes.split("</section>").next().unwrap();
    for words in ["01/04/2024", "0 → <strong>12<", "sửa số", "hồ sơ đến muộn", "02/04/2024 09:00"]
    {
        assert!(changes.contains(words), "{words}\n{changes}");
    }
    for words in ["Hồ sơ tiếp nhận", "dossiers.received", "Phường AB", "Xã C", "30 ngày gần nhất"]
    {
        assert!(page.text().contains(words), "{words}");
    }
    for forbidden in ["<script", "style=", "http://", "https://"] {
        assert!(!page.text().contains(forbidden), "{forbidden}");
    }
    let then = get(&story.context, "/indicators/received?as_of=2024-04-01T18:00").await;
    assert_eq!(then.header("cache-control"), "private, max-age=31536000, immutable");
    assert!(then.text().contains("01/04/2024 17:00") && !then.text().contains("02/04/2024 09:00"));
    assert_eq!(get(&story.context, "/indicators/nothing").await.status, 404);
}

#[actix_web::test]
async fn the_page_of_an_indicator_does_without_a_journal() {
    let page = get(&super::world::context(), "/indicators/online_rate").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("Chưa có nhật ký để so sánh."));
}

#[actix_web::test]
async fn a_figure_whose_measure_is_being_rebuilt_is_withheld_with_its_progress() {
    let story = story();
    let mut snapshot = (*story.context.snapshot.load_full()).clone();
    let at = Rebuilding { done: 450, total: 1000 };
    snapshot.rebuilding = [("dossiers.received".to_owned(), at)].into();
    story.context.snapshot.store(snapshot.into());
    let body = json(&story.context, VALUE).await;
    assert_eq!((&body["value"], &body["status"]), (&Value::Null, &object!("missing")));
    assert_eq!(body["reason"], "rebuilding");
    let progress = object!([{"measure": "dossiers.received", "done": 450, "total": 1000}]);
    assert_eq!(body["rebuilding"], progress);
    let catalogue = json(&story.context, "/v1/catalogue?q=online_rate").await;
    assert_eq!(catalogue["items"][0]["rebuilding"], progress);
    let other = json(&story.context, "/v1/indicators/pending/value?period=2024-04-01").await;
    assert_eq!((&other["value"], &other["rebuilding"]), (&object!(0), &Value::Null));
    let series = json(&story.context, "/v1/indicators/received/series?last=3d&by=commune").await;
    let items = series["items"].as_array().unwrap();
    assert!(items.iter().all(|item| item["reason"] == "rebuilding"), "{items:?}");
    assert!(get(&story.context, "/").await.text().contains("450/1.000"));
}

//! Dimensions, jobs and exports: lists whose rows are those of other addresses, or fill their forms.

use std::sync::Arc;

use serde_json::{Value, json as object};

use super::access::closed;
use super::world::{bare, context};
use super::{get, json};
use crate::model::access::{Grant, Reach, Scope};
use crate::model::snapshot::{History, Paused, Rebuilding, Snapshot};
use crate::model::time::Day;
use crate::serve::Context;

fn keys(body: &Value, name: &str) -> Vec<String> {
    let items = body["items"].as_array().unwrap().iter();
    items.map(|item| item[name].as_str().unwrap_or("-").to_owned()).collect()
}

/// The small province as somebody with this reach reads it.
fn reached(reach: Reach) -> Arc<Context> {
    let mut world = bare();
    let grant = Grant { scopes: [Scope::Read, Scope::Sources].into(), reach };
    Arc::get_mut(&mut world.access).unwrap().anonymous = Some(Arc::new(grant));
    Arc::new(world)
}

#[actix_web::test]
async fn dimensions_and_their_values_are_what_breakdowns_are_asked_by_and_answer_with() {
    let context = context();
    let list = json(&context, "/v1/dimensions").await;
    assert_eq!(keys(&list, "dimension"), ["area", "channel"]);
    assert_eq!(list["items"][1]["link"], "/v1/dimensions/channel/values");
    let values = json(&context, "/v1/dimensions/channel/values").await;
    assert_eq!(list["items"][1]["values"], values["items"].as_array().unwrap().len());
    let known = keys(&values, "key");
    for indicator in list["items"][1]["indicators"].as_array().unwrap() {
        let path = format!("/v1/indicators/{}/breakdown?by=channel", indicator.as_str().unwrap());
        let rows = json(&context, &path).await;
        assert!(keys(&rows, "key").iter().all(|key| key == "-" || known.contains(key)), "{rows}");
    }
    assert!(keys(&values, "title").iter().all(|title| title != "-" && !title.is_empty()));
    let table = get(&context, "/v1/dimensions/channel/values?format=csv").await;
    assert!(table.text().starts_with("dimension,key,title,title_en,revision\r\nchannel,"));
    let reply = get(&context, "/v1/dimensions/chanel/values").await;
    assert_eq!((reply.status, reply.json()["suggestions"].clone()), (404, object!(["channel"])));
    let nobody = reached(Reach { units: Some(["nobody".to_owned()].into()), ..Reach::default() });
    assert_eq!(keys(&json(&nobody, "/v1/dimensions").await, "dimension"), ["area"]);
    assert_eq!(get(&nobody, "/v1/dimensions/channel/values").await.status, 404);
}

#[actix_web::test]
async fn an_export_holds_the_cells_that_values_and_breakdowns_tell() {
    let context = context();
    let export = json(&context, "/v1/exports/readings?period=2024-03&by=commune").await;
    let items = export["items"].as_array().unwrap();
    let ids = keys(&json(&context, "/v1/catalogue").await, "indicator");
    let mut rows = 0;
    for id in ids {
        let value = json(&context, &format!("/v1/indicators/{id}/value?period=2024-03")).await;
        let own: Vec<&Value> = items.iter().filter(|item| item["indicator"] == *id).collect();
        assert_eq!(own[0]["level"], "province");
        for name in ["value", "numerator", "denominator", "status", "reason"] {
            assert_eq!(own[0][name], value[name], "{id} {name}");
        }
        let path = format!("/v1/indicators/{id}/breakdown?period=2024-03");
        let parts = json(&context, &path).await;
        let parts = parts["items"].as_array().unwrap();
        for (part, row) in parts.iter().filter(|part| !part["key"].is_null()).zip(&own[1..]) {
            for (theirs, ours) in [("key", "code"), ("value", "value"), ("status", "status")] {
                assert_eq!(part[theirs], row[ours], "{id} {}", row["code"]);
            }
        }
        rows += own.len();
    }
    assert_eq!((rows, export["revision"].as_u64()), (items.len(), Some(18442)));
    let province = json(&context, "/v1/exports/readings?period=2024-03").await;
    assert!(keys(&province, "level").iter().all(|level| level == "province"));
    let table = get(&context, "/v1/exports/readings?period=2024-03&format=csv").await;
    assert_eq!(table.text().lines().count(), province["items"].as_array().unwrap().len() + 1);
    for (query, status) in [("period=2024-13", 400), ("group=nothing", 400), ("by=channel", 400)] {
        let reply = get(&context, &format!("/v1/exports/readings?{query}")).await;
        assert_eq!(reply.status, status, "{query}: {}", reply.text());
    }
}

#[actix_web::test]
async fn an_export_in_openmetrics_holds_the_days_that_series_tell_under_the_names_of_prometheus() {
    let context = context();
    let reply =
        get(&context, "/v1/exports/openmetrics?from=2024-03-25&to=2024-04-03&by=commune").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), crate::serve::exports::MEDIA_TYPE);
    let text = reply.text();
    assert!(text.ends_with("\n# EOF\n"));
    // Each family once, in one piece, with its type before its samples.
    let mut families: Vec<&str> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("# HELP") && *line != "# EOF") {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let name = rest.split(' ').next().unwrap();
            assert!(!families.contains(&name), "{name} comes twice");
            families.push(name);
        } else {
            assert!(line.starts_with(&format!("{}{{", families.last().unwrap())), "{line}");
        }
    }
    let ask = "/v1/indicators/received/series?from=2024-03-25&to=2024-04-03";
    for (family, path, commune) in [
        ("ioc_received_province_dossiers", ask.to_owned(), None),
        ("ioc_received_dossiers", format!("{ask}&area=16681"), Some("16681")),
    ] {
        let series = json(&context, &path).await;
        let told = series["items"].as_array().unwrap().iter();
        let told: Vec<String> = told
            .filter(|item| !item["value"].is_null())
            .map(|item| {
                let day = Day::parse(item["period"].as_str().unwrap()).unwrap();
                let commune = commune.map_or(String::new(), |code| format!("commune=\"{code}\","));
                let labels =
                    format!("{commune}grain=\"day\",indicator=\"received\",unit=\"vp-ubnd\"");
                format!("{family}{{{labels}}} {} {}", item["value"], day.start().0)
            })
            .collect();
        let begins = format!(
            "{family}{{{}",
            commune.map_or(String::new(), |code| format!("commune=\"{code}\""))
        );
        let held: Vec<&str> = text.lines().filter(|line| line.starts_with(&begins)).collect();
        assert!(!told.is_empty());
        assert_eq!(held, told);
    }
    for query in
        ["by=channel", "group=nothing", "last=30d&from=2024-03-01", "to=2024-03-01", "format=csv"]
    {
        let reply = get(&context, &format!("/v1/exports/openmetrics?{query}")).await;
        assert_eq!(reply.status, 400, "{query}: {}", reply.text());
    }
    let nothing = get(&context, "/v1/exports/openmetrics?from=2001-01-01&to=2001-01-02").await;
    assert_eq!(nothing.text(), "# EOF\n");
    let commune = Reach { areas: Some(["16681".to_owned()].into()), ..Reach::default() };
    let path = "/v1/exports/openmetrics?from=2024-03-25&to=2024-04-03&by=commune";
    let own = get(&reached(commune), path).await;
    let samples = own.text().lines().filter(|line| !line.starts_with('#'));
    let samples: Vec<&str> = samples.collect();
    assert!(!samples.is_empty());
    assert!(samples.iter().all(|line| line.contains("{commune=\"16681\"")), "{samples:?}");
}

#[actix_web::test]
async fn c07_an_export_reaches_no_further_than_its_reader() {
    let path = "/v1/exports/readings?period=2024-03&by=commune";
    let commune = Reach { areas: Some(["16681".to_owned()].into()), ..Reach::default() };
    let body = json(&reached(commune), path).await;
    let told: Vec<_> =
        body["items"].as_array().unwrap().iter().filter(|row| !row["value"].is_null()).collect();
    assert!(!told.is_empty() && told.iter().all(|row| row["code"] == "16681"), "{told:?}");
    assert!(!keys(&body, "level").contains(&"province".to_owned()));
    let unit = Reach { units: Some(["nobody".to_owned()].into()), ..Reach::default() };
    assert_eq!(json(&reached(unit), path).await["items"], object!([]));
    // March: 8, 4 and 2 in three communes hide each other from the public.
    let (context, _) = closed(bare());
    let request = actix_web::test::TestRequest::get().uri(path);
    let request = request.insert_header(("Authorization", "Bearer public"));
    let body = super::send(&context, request).await.json();
    let small: Vec<_> = body["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["indicator"] == "received" && row["level"] == "commune")
        .filter(|row| ["16681", "16663", "17000"].contains(&row["code"].as_str().unwrap()))
        .collect();
    assert_eq!(small.len(), 3);
    assert!(small.iter().all(|row| row["reason"] == "suppressed"), "{small:?}");
}

fn at_work(change: impl FnOnce(&mut Snapshot)) -> Arc<Context> {
    let context = context();
    let mut snapshot = (*context.snapshot.load_full()).clone();
    snapshot.rebuilding.insert("dossiers.later".to_owned(), Rebuilding { done: 3, total: 4 });
    let stream = snapshot.streams.get_mut("portal.dossiers").unwrap();
    let history = History { done: 10, total: 40, pending: Vec::new() };
    Arc::make_mut(stream).history = Some(history);
    change(&mut snapshot);
    context.snapshot.store(snapshot.into());
    context
}

#[actix_web::test]
async fn jobs_tell_what_is_built_and_which_history_comes_in() {
    assert_eq!(json(&context(), "/v1/jobs").await["items"], object!([]));
    let context = at_work(|_| {});
    let body = json(&context, "/v1/jobs").await;
    assert_eq!(keys(&body, "job"), ["rebuild:dossiers.later", "history:portal.dossiers"]);
    assert_eq!(body["items"][0]["ratio"], 0.75);
    let one = json(&context, "/v1/jobs/history:portal.dossiers").await;
    assert_eq!(one["item"], body["items"][1]);
    assert_eq!(
        (&one["item"]["state"], &one["item"]["ratio"]),
        (&object!("running"), &object!(0.25))
    );
    let reply = get(&context, "/v1/jobs/history:portal.dossier").await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.json()["suggestions"], object!(["history:portal.dossiers"]));
    let paused = at_work(|snapshot| {
        let by = Paused { by: "x".to_owned(), why: "x".to_owned(), since: snapshot.at };
        snapshot.paused.insert("portal".to_owned(), by);
    });
    let one = json(&paused, "/v1/jobs/history:portal.dossiers").await;
    assert_eq!(one["item"]["state"], "paused");
}

#[actix_web::test]
async fn the_catalogue_is_narrowed_to_what_a_source_feeds() {
    let context = context();
    let all = json(&context, "/v1/catalogue").await;
    let fed = json(&context, "/v1/catalogue?source=portal").await;
    let is_fed = |item: &&Value| item["sources"].as_array().unwrap().contains(&object!("portal"));
    let expected: Vec<_> = all["items"].as_array().unwrap().iter().filter(is_fed).collect();
    assert!(!expected.is_empty() && expected.len() < all["items"].as_array().unwrap().len());
    assert_eq!(fed["items"].as_array().unwrap().iter().collect::<Vec<_>>(), expected);
    let refused = get(&context, "/v1/catalogue?source=portla").await;
    assert_eq!(
        (refused.status, &refused.json()["errors"][0]["suggestion"]),
        (400, &object!("portal"))
    );
}

//! Registers that are read item by item: what is told of an item, for a day, and what is overdue by
//! itself.

use std::sync::Arc;

use serde_json::{Value, json as object};

use super::world::{bare, context};
use super::{get, json};
use crate::model::contract::Contract;
use crate::model::declared::texts;
use crate::model::dictionary::Dictionaries;
use crate::model::items::Items;
use crate::model::list::CodeList;
use crate::model::row::NULL;
use crate::model::schema::{Lists, Schema};
use crate::model::time::{DAY, Day, Stamp};
use crate::serve::{Context, Tracker};

const CONTRACT: &str = r"
contract: items
version: 1
title: {vi: Mục, en: Items}
accountable_unit: vp-ubnd
purpose: a test
legal_basis: none
retention: 1y
key: [id]
readable: 10
version_by: updated_at
area: commune
sla: {fresh_within: 1d}
properties:
  id: {type: identifier, required: true}
  code: {type: text, max_length: 20, max_values: 50}
  kind: {type: code, list: kinds, required: true}
  title: {type: text, max_length: 50, max_values: 50}
  lead: {type: code, list: bodies}
  other: {type: code, list: bodies}
  commune: {type: area, required: true}
  listed: {type: date}
  started: {type: date}
  due: {type: date}
  done: {type: date}
  dropped: {type: date}
  percent: {type: integer, min: 0, max: 100}
  target: {type: integer, min: 0, max: 1000}
  actual: {type: integer, min: 0, max: 1000}
  report_due: {type: timestamp}
  last_report: {type: timestamp}
  updated_at: {type: timestamp, required: true}
measures:
  items: {count: true, at: updated_at}
";

const TRACKER: &str = r"
tracker: register
title: {vi: Sổ theo dõi, en: Register}
contract: items
accountable: {unit: vp-ubnd, role: Chánh Văn phòng}
properties:
  code: code
  kind: kind
  title: title
  lead: lead
  coordinating: other
  listed: listed
  started: started
  due: due
  done: done
  dropped: dropped
  percent: percent
  target: target
  actual: actual
  report_due: report_due
  last_report: last_report
evidence:
  MH01: [kiosk_sessions]
";

/// Now it is the 2nd of April 2024, 17:00.
fn records() -> Value {
    object!([
        {"code": "MH01", "kind": "model", "title": "Kiosk trong bệnh viện", "lead": "so-tttt",
         "other": "vp-ubnd", "listed": "2023-07-01", "started": "2023-08-01", "due": "2024-04-02",
         "percent": 60, "target": 200, "actual": 120,
         "report_due": "2024-03-25T17:00:00+07:00", "last_report": "2024-03-26T18:00:00+07:00"},
        {"code": "MH02", "kind": "model", "title": "Mô hình 2 (giữ chỗ)", "lead": "vp-ubnd",
         "listed": "2023-07-01", "started": "2023-08-01", "due": "2024-02-20",
         "done": "2024-02-10", "percent": 100, "target": 10, "actual": 10},
        {"code": "MH03", "kind": "model", "title": "Mô hình 3 (giữ chỗ)", "lead": "so-tttt",
         "listed": "2024-03-01", "due": "2024-12-31", "percent": 0, "target": 10,
         "report_due": "2024-03-25T17:00:00+07:00"},
        {"code": "NV01", "kind": "task", "title": "Nhiệm vụ 1 (giữ chỗ)", "lead": "so-tttt",
         "listed": "2023-07-01", "started": "2024-01-01", "due": "2024-04-01", "percent": 40,
         "target": 100, "actual": 40},
        {"code": "NV02", "kind": "task", "title": "Nhiệm vụ 2 (giữ chỗ)", "lead": "vp-ubnd",
         "listed": "2023-07-01", "started": "2024-01-01", "due": "2024-02-01",
         "dropped": "2024-03-01", "percent": 10},
    ])
}

/// Adds the tracker and its items to a small world.
pub(super) fn add(context: &mut Context) {
    let mut words = Dictionaries::default();
    let contract: Contract = serde_saphyr::from_str(CONTRACT).unwrap();
    texts(&contract, &mut words);
    for (name, word) in records().as_array().unwrap().iter().flat_map(|record| {
        ["code", "title"].map(|name| (name, record[name].as_str().unwrap().to_owned()))
    }) {
        words.entry(&format!("text:items.{name}")).intern(&word).unwrap();
    }
    let lists = [
        ("kinds", "code,vi,en\nmodel,Mô hình,Model\ntask,Nhiệm vụ,Task\n"),
        ("bodies", "code,vi,en\nvp-ubnd,Văn phòng,Office\nso-tttt,Sở TTTT,Department\n"),
    ];
    let lists: Lists = lists
        .map(|(name, text)| {
            (name.to_owned(), Arc::new(CodeList::read(name, text, &mut words).unwrap()))
        })
        .into();
    let schema = Schema::compile(&contract, &lists, &words).unwrap();
    let all = records();
    let rows = all.as_array().unwrap().iter().map(|record| row(record, &schema, &words));
    let items = Items { rows: rows.collect(), beyond: 0 };

    let mut snapshot = (*context.snapshot.load_full()).clone();
    snapshot.items.insert("items".to_owned(), Arc::new(items));
    for name in ["text:items.code", "text:items.title"] {
        let kept = words.get(name).unwrap().clone();
        snapshot.texts.insert(name.to_owned(), Arc::new(kept));
    }
    context.snapshot.store(Arc::new(snapshot));
    let definitions = Arc::make_mut(&mut context.definitions);
    let settings = serde_saphyr::from_str(TRACKER).unwrap();
    let tracker = Tracker::compile(settings, &schema, &definitions.catalogue, &definitions.units);
    definitions.trackers.insert("register".to_owned(), tracker.unwrap());
    definitions.lists.extend(lists);
}

fn row(record: &Value, schema: &Schema, words: &Dictionaries) -> Vec<i64> {
    let slot = |field: &crate::model::schema::Field| {
        let value = &record[&field.name];
        let Some(text) = value.as_str() else { return value.as_i64().unwrap_or(NULL) };
        let dictionary = match &field.list {
            Some(list) => format!("list:{}", list.name),
            None => format!("text:items.{}", field.name),
        };
        match words.get(&dictionary) {
            Some(dictionary) => dictionary.number(text).unwrap().into(),
            None => Day::parse(text)
                .map_or_else(|| Stamp::parse(text).unwrap().0, |day| i64::from(day.0)),
        }
    };
    schema.fields.iter().map(slot).collect()
}

async fn items(context: &Arc<Context>, query: &str) -> Vec<Value> {
    let body = json(context, &format!("/v1/trackers/register/items{query}")).await;
    body["items"].as_array().unwrap_or_else(|| panic!("{query}: {body}")).clone()
}

fn codes(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["item"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn an_item_says_who_what_by_when_and_how_far_it_has_come() {
    let all = items(&context(), "").await;
    assert_eq!(codes(&all), ["MH01", "MH02", "MH03", "NV01", "NV02"]);
    assert_eq!(
        all[0],
        object!({
            "item": "MH01",
            "kind": {"code": "model", "title": "Mô hình", "title_en": "Model"},
            "group": null,
            "title": "Kiosk trong bệnh viện",
            "lead": {"code": "so-tttt", "title": "Sở TTTT", "title_en": "Department"},
            "role": null,
            "coordinating": [{"code": "vp-ubnd", "title": "Văn phòng", "title_en": "Office"}],
            "coordinating_count": null,
            "start": null, "started": "2023-08-01", "due": "2024-04-02", "done": null,
            "status": "in_progress", "is_overdue": false, "days_overdue": 0,
            "percent": 60, "product": null, "target": 200, "actual": 120, "unit": null,
            "attainment_ratio": 0.6,
            "report_due_at": "2024-03-25T17:00:00+07:00",
            "last_report_at": "2024-03-26T18:00:00+07:00",
            "report_days_late": 2, "blockers": null
        })
    );
    // A report that has not come is late by as much as it is now: eight days to the minute.
    assert_eq!(all[2]["report_days_late"], 8);
}

#[actix_web::test]
async fn what_is_not_done_is_overdue_when_its_day_has_passed_without_a_new_record() {
    let context = context();
    let overdue = items(&context, "?overdue=true").await;
    assert_eq!(codes(&overdue), ["NV01"]);
    assert_eq!(
        (&overdue[0]["days_overdue"], &overdue[0]["status"]),
        (&object!(1), &object!("in_progress"))
    );
    // What is due today is not overdue before the day is over.
    context.clock.set(Stamp(super::world::now().0 + 7 * 3600));
    let overdue = items(&context, "?overdue=true").await;
    assert_eq!(codes(&overdue), ["MH01", "NV01"]);
    assert_eq!(
        (&overdue[0]["days_overdue"], &overdue[1]["days_overdue"]),
        (&object!(1), &object!(2))
    );
    context.clock.set(Stamp(super::world::now().0 + 10 * DAY));
    assert_eq!(items(&context, "?overdue=true").await[0]["days_overdue"], 10);
}

#[actix_web::test]
async fn a_register_is_told_for_any_day_that_has_been() {
    let context = context();
    let counts = async |on: &str| {
        json(&context, &format!("/v1/trackers/register?on={on}")).await["counts"].clone()
    };
    let of = |counts: &Value| {
        ["total", "not_started", "in_progress", "done", "cancelled", "due", "overdue"]
            .map(|name| counts[name].as_u64().unwrap())
    };
    // MH03 is listed in March, MH02 done on 10 February, NV02 due on the 1st and given up in March.
    assert_eq!(of(&counts("2024-02-09").await), [4, 0, 4, 0, 0, 1, 1]);
    assert_eq!(of(&counts("2024-02-10").await), [4, 0, 3, 1, 0, 1, 1]);
    assert_eq!(of(&counts("2024-03-01").await), [4, 1, 2, 1, 1, 1, 0]);
    assert_eq!(of(&counts("2024-03-31").await), [4, 1, 2, 1, 1, 1, 0]);
    // The day is over: what was due on it and not done is overdue.
    assert_eq!(of(&counts("2024-04-01").await), [4, 1, 2, 1, 1, 2, 1]);
    let today = json(&context, "/v1/trackers/register").await;
    assert_eq!(today["on"], "2024-04-02");
    assert_eq!(today["counts"]["due_short_of_target"], 2);
    assert_eq!(today["by_kind"][1]["of"]["code"], "task");
    assert_eq!(today["by_kind"][1]["counts"]["total"], 1);
    assert_eq!(today["by_lead"][0]["counts"]["overdue"], 1);
    assert_eq!(today["accountable"]["role"], "Chánh Văn phòng");
    assert_eq!(today["freshness"]["state"], "never_reported");
}

#[actix_web::test]
async fn filters_narrow_and_what_does_not_exist_is_refused_with_the_nearest() {
    let context = context();
    assert_eq!(codes(&items(&context, "?kind=task&status=in_progress").await), ["NV01"]);
    assert_eq!(codes(&items(&context, "?status=cancelled").await), ["NV02"]);
    // Leading or taking part.
    assert_eq!(codes(&items(&context, "?unit=vp-ubnd&kind=model").await), ["MH01", "MH02"]);
    for (path, status, word) in [
        ("/v1/trackers/registr", 404, "register"),
        ("/v1/trackers/register/items/MH1", 404, "MH01"),
        ("/v1/trackers/register/items?unit=so-ttt", 400, "so-tttt"),
        ("/v1/trackers/register/items?kind=modl", 400, "model"),
        ("/v1/trackers/register?on=2024-04-03", 404, "not past yet"),
        ("/v1/trackers/register?on=yesterday", 400, "on"),
    ] {
        let reply = get(&context, path).await;
        assert_eq!(reply.status, status, "{path}: {}", reply.text());
        assert!(reply.text().contains(word), "{path}: {}", reply.text());
    }
    let table = get(&context, "/v1/trackers/register/items?format=csv&overdue=true").await;
    assert!(table.text().starts_with("tracker,on,item,kind,group,title,lead"), "{}", table.text());
    assert!(table.text().lines().next().unwrap().ends_with(",coordinating,revision"));
    assert!(!table.text().contains('{'), "a unit by its code: {}", table.text());
    assert!(table.text().contains("register,2024-04-02,NV01,task,,"), "{}", table.text());
    assert_eq!(json(&context, "/v1/trackers").await["items"][0]["counts"]["total"], 4);
}

#[actix_web::test]
async fn a_model_is_linked_to_the_numbers_that_show_what_it_brings_about() {
    let context = context();
    let body = json(&context, "/v1/trackers/register/items/MH01").await;
    let evidence = &body["evidence"][0];
    let reading = json(&context, evidence["link"].as_str().unwrap()).await;
    assert_eq!(evidence["indicator"], "kiosk_sessions");
    for name in ["value", "status", "unit_of_measure"] {
        assert_eq!(evidence[name], reading[name], "{name}");
    }
    assert_eq!(evidence["freshness"], reading["freshness"]["state"]);
    assert_eq!(evidence["data_through"], reading["freshness"]["data_through"]);
    let other = json(&context, "/v1/trackers/register/items/MH02").await;
    assert_eq!(other["evidence"], object!([]));
}

#[actix_web::test]
async fn the_pages_say_the_same_in_words_vietnamese_first() {
    let context = context();
    let page = get(&context, "/trackers/register").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    for words in [
        "Sổ theo dõi",
        "Quá hạn, chưa hoàn thành",
        "quá 1 ngày",
        "MH01 · Kiosk trong bệnh viện",
        "Mô hình 2 (giữ chỗ)",
        "Sở TTTT",
        "phối hợp (with): Văn phòng",
        "Hoàn thành",
        "Chưa triển khai",
        "muộn 8 ngày",
        "Văn phòng UBND tỉnh",
        "href=\"/trackers/register/items/MH01?on=2024-04-02\"",
        "href=\"/trackers/register?on=2024-03-31\"",
    ] {
        assert!(page.text().contains(words), "{words}\n{}", page.text());
    }
    let before = get(&context, "/trackers/register?on=2024-03-31").await;
    assert!(!before.text().contains("Quá hạn, chưa hoàn thành"));
    let item = get(&context, "/trackers/register/items/MH01").await;
    assert!(item.text().contains("Số liệu minh chứng") && item.text().contains("Lượt dùng kiốt"));
    assert!(get(&context, "/").await.text().contains("href=\"/trackers/register\""));
}

#[test]
fn a_tracker_that_does_not_fit_its_contract_is_refused_with_every_reason() {
    let context = bare();
    let mut words = Dictionaries::default();
    let mut contract: Contract = serde_saphyr::from_str(CONTRACT).unwrap();
    contract.readable = None;
    texts(&contract, &mut words);
    let list = |text: &str, words: &mut Dictionaries| CodeList::read("x", text, words).unwrap();
    let lists: Lists = [
        ("kinds".to_owned(), Arc::new(list("code,vi,en\nmodel,M,M\n", &mut words))),
        ("bodies".to_owned(), Arc::new(list("code,vi,en\nnobody,N,N\n", &mut words))),
    ]
    .into();
    let schema = Schema::compile(&contract, &lists, &words).unwrap();
    let settings = serde_saphyr::from_str(
        "tracker: register\ntitle: {vi: S, en: R}\ncontract: items\n\
         accountable: {unit: vp-ubd, role: R}\n\
         properties: {code: id, kind: kinds, title: title, lead: lead, started: started, due: due, \
         percent: title}\n\
         evidence: {MH01: [kiosk_session]}",
    )
    .unwrap();
    let definitions = &context.definitions;
    let found = Tracker::compile(settings, &schema, &definitions.catalogue, &definitions.units);
    let told: Vec<String> =
        found.unwrap_err().into_iter().map(|(at, text)| format!("{at}: {text}")).collect();
    assert_eq!(
        told,
        [
            "contract: the records of this contract cannot be read one by one: it must say how many \
             there are at most, 'readable: 500'",
            "accountable.unit: there is no unit 'vp-ubd' in units.yaml – did you mean 'vp-ubnd'?",
            "properties: needed besides: 'done'",
            "properties.code: 'id' does not fit: text is needed, outside the key",
            "properties.kind: contract 'items' has no property 'kinds' – did you mean 'kind'?",
            "properties.lead: 'nobody' of code list 'x' is no unit of units.yaml, so nobody would answer",
            "properties.percent: 'title' does not fit: integer is needed, outside the key",
            "evidence.MH01.0: there is no indicator 'kiosk_session' – did you mean 'kiosk_sessions'?",
        ]
    );
}

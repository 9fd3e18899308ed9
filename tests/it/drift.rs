//! Sources that leave their contract: a field renamed, a type changed, a new code. Nothing wrong is
//! counted, nothing is silent, and the breach stands under the unit that answers for it until the
//! source is mended.

use serde_json::{Value, json};

use ioc_gateway::clock::Clock;
use ioc_gateway::province::{Faults, Now, Settings, Stray};

use crate::support::certification::{addresses, page, points, record};
use crate::support::{Gateway, Moody, Overlay, Reply, Systems};

/// One source whose pages may be long.
fn overlay() -> Overlay {
    let overlay = points(&["moody"]);
    let path = overlay.config().join("sources/moody.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let long = text.replace("page_size: 3, max_pages: 4", "page_size: 100, max_pages: 4");
    assert_ne!(text, long);
    overlay.write("sources/moody.yaml", &long);
    overlay
}

/// Twenty-five points of which the first `bad` are changed.
fn answer(bad: usize, change: impl Fn(&mut Value)) -> Reply {
    let mut records: Vec<Value> = (0..25).map(|i| record(&i.to_string())).collect();
    records.iter_mut().take(bad).for_each(change);
    Reply::json(&page(&records))
}

fn good() -> Reply {
    answer(0, |_| ())
}

fn start(overlay: &Overlay, moody: &Moody) -> Gateway {
    let variables = addresses(&[("moody", &moody.upstream)]);
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    when(&gateway, "a good run", |s| !s["freshness"]["last_success_at"].is_null());
    gateway
}

/// Waits until the source is as wanted, and hands it over.
fn when(gateway: &Gateway, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    gateway.wait_until(what, "/v1/sources/moody", |answer| is_so(&answer.json())).json()
}

fn share(gateway: &Gateway) -> Value {
    let path = "/v1/indicators/e_copy_share/value?period=2025-08-04";
    let value = gateway.get(path).json();
    json!([value["value"], value["numerator"], value["denominator"]])
}

fn last_run(source: &Value) -> &Value {
    source["streams"][0]["history"].as_array().unwrap().last().unwrap()
}

fn breaches(gateway: &Gateway, query: &str) -> Vec<Value> {
    let answer = gateway.get(&format!("/v1/breaches?{query}")).json();
    answer["items"].as_array().unwrap().clone()
}

fn samples(gateway: &Gateway, name: &str) -> f64 {
    let text = gateway.get("/metrics").body;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap()
}

/// S15: a required field is renamed.
#[test]
fn a_renamed_field_refuses_the_page_and_is_a_breach_until_it_is_mended() {
    let (overlay, moody) = (overlay(), Moody::start(good()));
    let gateway = start(&overlay, &moody);
    let before = share(&gateway);
    moody.now(answer(25, |record| {
        let value = record.as_object_mut().unwrap().remove("e_certified_copies").unwrap();
        record["CANARY_renamed"] = value;
    }));
    let sick = when(&gateway, "refused", |s| last_run(s)["outcome"] == "rejected_by_gate");
    let trouble = &sick["last_error"];
    assert_eq!(trouble["reason"], "contract");
    let message = trouble["message"].as_str().unwrap();
    assert!(message.contains("25 of 25 records") && message.contains("e_copies"), "{message}");
    let records = &last_run(&sick)["records"];
    assert_eq!((&records["received"], &records["rejected"]), (&json!(25), &json!(25)));
    assert_eq!(sick["quarantine"]["records"], 0, "nothing of the page is kept");
    assert_eq!(share(&gateway), before, "the last good figures stay");

    let open = breaches(&gateway, "state=open&source=moody&unit=vp-ubnd&grade=breaking");
    assert_eq!(open.len(), 1, "{open:?}");
    let breach = &open[0];
    assert_eq!((&breach["kind"], &breach["property"]), (&json!("missing"), &json!("e_copies")));
    assert_eq!((&breach["state"], &breach["contract_version"]), (&json!("open"), &json!(1)));
    assert!(breach["accountable"]["name"].as_str().unwrap().contains("Văn phòng"));
    let notes = breaches(&gateway, "grade=additive");
    assert_eq!((&notes[0]["kind"], &notes[0]["count"]), (&json!("new_fields"), &json!(1)));
    assert!(notes[0]["property"].is_null(), "a field that nobody maps is never named");
    assert_eq!(sick["breaches"], json!({"breaking": 1, "additive": 1}));
    assert!(sick["reasons"].as_array().unwrap().contains(&json!("contract_breach")));
    assert_eq!(sick["streams"][0]["open_breaches"].as_array().unwrap().len(), 2);
    let page = gateway.get("/").body;
    assert!(page.contains("id=\"breaches\"") && page.contains("<code>e_copies</code>"));
    let labels = "{grade=\"breaking\",source=\"moody\",stream=\"acts\"}";
    assert_eq!(samples(&gateway, &format!("iocgw_contract_breaches{labels}")), 1.0);
    let failures = "iocgw_source_pull_failures_total{reason=\"contract\",source=\"moody\"}";
    assert!(samples(&gateway, failures) >= 1.0);

    // A restart forgets neither the breach nor what it is compared with.
    drop(gateway);
    let variables = addresses(&[("moody", &moody.upstream)]);
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    assert_eq!(breaches(&gateway, "state=open").len(), 2);
    moody.now(good());
    when(&gateway, "mended", |s| s["breaches"] == json!({"breaking": 0, "additive": 0}));
    let repaired = breaches(&gateway, "state=repaired");
    assert_eq!(repaired.len(), 2);
    assert!(repaired.iter().all(|breach| breach["repaired_at"].is_string()));
    assert_eq!(samples(&gateway, &format!("iocgw_contract_breaches{labels}")), 0.0);
    assert!(!gateway.get("/").body.contains("id=\"breaches\""));
    assert_eq!(share(&gateway), before);
    for text in [gateway.log(), gateway.get("/metrics").body, gateway.get("/v1/breaches").body] {
        assert!(!text.contains("CANARY_renamed"), "{text}");
    }
}

/// S16 and S17: a type is narrowed, a code is new.
#[test]
fn changed_types_and_new_codes_are_breaches_while_the_other_records_count() {
    let (overlay, moody) = (overlay(), Moody::start(good()));
    let gateway = start(&overlay, &moody);
    moody.now(answer(2, |record| {
        record["site_code"] = json!(format!("CANARY-new-{}", record["site_code"]));
        record["e_certified_copies"] = json!("1,5");
    }));
    let sick = when(&gateway, "another type", |s| s["breaches"]["breaking"] == 1);
    assert_eq!(last_run(&sick)["outcome"], "ok");
    assert_eq!(sick["quarantine"]["records"], 2);
    moody.now(answer(1, |record| {
        record["site_code"] = json!("CANARY-market");
        record["site_type"] = json!("CANARY-code");
    }));
    // A page is committed before its run has ended; only then the run is judged as a whole.
    let is_judged = |s: &Value| s["streams"][0]["open_breaches"][0]["kind"] == "new_code";
    let sick = when(&gateway, "a new code", is_judged);
    assert_eq!(sick["quarantine"]["records"], 3);
    let open = &sick["streams"][0]["open_breaches"];
    assert_eq!(open.as_array().unwrap().len(), 1, "the type is right again: {open}");
    let seen = (&open[0]["kind"], &open[0]["property"], &open[0]["grade"]);
    assert_eq!(seen, (&json!("new_code"), &json!("site_type"), &json!("breaking")));
    assert_eq!(share(&gateway), json!([0.25, 250, 1000]), "25 good points, and no other");
    let kinds: Vec<Value> =
        breaches(&gateway, "").iter().map(|breach| breach["kind"].clone()).collect();
    assert_eq!(kinds, [json!("new_code"), json!("wrong_type")], "open ones first");
    assert!(!gateway.get("/v1/breaches").body.contains("CANARY"));
}

#[test]
fn a_check_that_refuses_pages_stops_the_run_and_is_named() {
    let (overlay, moody) = (overlay(), Moody::start(good()));
    let path = overlay.config().join("contracts/certification_acts.yaml");
    let contract = std::fs::read_to_string(path).unwrap();
    let quality = "quality:\n  - {check: e_copies <= paper_copies, otherwise: reject_page}\n  \
                   - {check: fees_vnd > 0, otherwise: warn}\nmeasures:\n";
    overlay.write("contracts/certification_acts.yaml", &contract.replace("measures:\n", quality));
    let gateway = start(&overlay, &moody);
    let before = share(&gateway);
    // One of twenty-five, and the others are newer than what is known: none of them may count.
    moody.now(Reply::json(&page(
        &(0..25)
            .map(|i| {
                let mut record = record(&i.to_string());
                record["updated_at"] = json!("2025-08-04T18:00:00+07:00");
                record["e_certified_copies"] = json!(if i == 24 { 31 } else { 1 });
                record
            })
            .collect::<Vec<_>>(),
    )));
    let sick = when(&gateway, "refused", |s| !s["last_error"].is_null());
    assert_eq!(
        (&last_run(&sick)["outcome"], &sick["last_error"]["reason"]),
        (&json!("failed"), &json!("contract"))
    );
    let message = sick["last_error"]["message"].as_str().unwrap();
    assert!(message.contains("e_copies <= paper_copies") && !message.contains("31"), "{message}");
    assert_eq!(share(&gateway), before);
    // A check that only warns is counted, by its text.
    moody.now(answer(3, |record| record["fees_vnd"] = json!(0)));
    let warned = when(&gateway, "warned", |s| s["streams"][0]["warnings"] != json!({}));
    let count = warned["streams"][0]["warnings"]["fees_vnd > 0"].as_u64().unwrap();
    assert_eq!(count % 3, 0, "{warned}");
    let warnings =
        "iocgw_records_warned_total{rule=\"fees_vnd > 0\",source=\"moody\",stream=\"acts\"}";
    assert!(samples(&gateway, warnings) >= 3.0);
    assert_eq!(warned["breaches"]["breaking"], 0, "bad data is no drift");
}

#[test]
fn a_portal_after_an_unannounced_upgrade_is_told_and_counts_nothing_until_it_is_mended() {
    let mut settings = Settings::new(11, Now::Live(Clock::System));
    (settings.months, settings.scale) = (1, 0.02);
    settings.faults = Faults { stray: Stray::RenamedField, ..Faults::default() };
    let systems = Systems::start(settings);
    let overlay = Overlay::new();
    let portal = std::fs::read_to_string(overlay.config().join("sources/portal.yaml")).unwrap();
    assert!(portal.contains("interval: 1m"));
    overlay.clear("sources");
    overlay.write("sources/portal.yaml", &portal.replace("interval: 1m", "interval: 1s"));
    systems.write_secrets(&overlay.folder().join("secrets"));
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &systems.variables);
    let when = |what: &str, is_so: &dyn Fn(&Value) -> bool| {
        gateway.wait_until(what, "/v1/sources/portal", |answer| is_so(&answer.json())).json()
    };
    let kinds = |state: &str| -> Vec<String> {
        let all = breaches(&gateway, &format!("state={state}"));
        all.iter().map(|breach| breach["kind"].as_str().unwrap().to_owned()).collect()
    };
    let sick = when("refused", &|s| s["last_error"]["reason"] == "contract");
    assert_eq!(last_run(&sick)["outcome"], "rejected_by_gate");
    assert_eq!(
        (&sick["records"]["accepted"], kinds("open")),
        (&json!(0), vec!["missing".to_owned()])
    );
    systems.province.set_faults(Faults { stray: Stray::ChangedType, ..Faults::default() });
    when("another type", &|_| kinds("open").contains(&"wrong_type".to_owned()));
    systems.province.set_faults(Faults { stray: Stray::NewCode, ..Faults::default() });
    let coded = when("a new code", &|_| kinds("open") == ["new_code"]);
    assert!(coded["quarantine"]["records"].as_u64() > Some(0), "{coded}");
    assert_eq!(kinds("repaired").len(), 2);
    assert!(coded["records"]["accepted"].as_u64() > coded["quarantine"]["records"].as_u64());
}

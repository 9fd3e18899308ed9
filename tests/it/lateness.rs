//! One system is off when its report is due: exactly its report is late, under its unit and nobody
//! else's, also in the indicators; when it is back the entry says when it came. The gateway is killed
//! between the acts, and its clock is set so that no test waits for a morning.

use std::collections::BTreeMap;
use std::net::TcpListener;

use ioc_gateway::clock::Clock;
use ioc_gateway::model::time::Stamp;
use ioc_gateway::province::{Fleet, Now, Settings};
use serde_json::{Value, json};

use crate::support::{Gateway, Overlay, Systems};

/// The evening before: every system is well, and everything due tomorrow is known.
const EVENING: &str = "2024-04-02T20:00:00+07:00";

/// Five seconds before the daily reports are due.
const MORNING: &str = "2024-04-03T07:29:55+07:00";

/// When the system is back.
const LATER: &str = "2024-04-03T09:00:00+07:00";

fn stamp(text: &str) -> Stamp {
    Stamp::parse(text).unwrap()
}

/// The shipped configuration; the system that will be off gives up at once, and the gateway looks at
/// its own register every second.
fn overlay() -> Overlay {
    let overlay = Overlay::new();
    for (name, from, to) in [
        (
            "sources/medical.yaml",
            "retry: {max_retries: 4}",
            "retry: {max_retries: 0}\ncircuit_breaker: {failures: 1000, open_for: 1s}",
        ),
        ("sources/lateness_register.yaml", "interval: 1m", "interval: 1s"),
    ] {
        let text = std::fs::read_to_string(overlay.config().join(name)).unwrap();
        let changed = text.replacen(from, to, 1);
        assert_ne!(text, changed, "{name}");
        overlay.write(name, &changed);
    }
    overlay
}

/// Starts the gateway with its clock at a moment.
fn start(overlay: &Overlay, variables: &BTreeMap<String, String>, at: &str) -> Gateway {
    let behind = Clock::System.now().0 - stamp(at).0;
    let mut variables = variables.clone();
    // The clock is behind only where places are watched; this one is passed by nobody.
    variables.insert("IOCGW_FAILPOINT".to_owned(), "nowhere:1".to_owned());
    variables.insert("IOCGW_CLOCK_BEHIND".to_owned(), behind.to_string());
    Gateway::start(&overlay.config(), overlay.folder(), &variables)
}

fn reports(gateway: &Gateway, query: &str) -> Vec<Value> {
    let answer = gateway.get(&format!("/v1/lateness?limit=1000&{query}"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["items"].as_array().unwrap().clone()
}

/// Waits until so many of the morning's reports are in a state, and yields them.
fn wait(gateway: &Gateway, state: &str, count: usize) -> Vec<Value> {
    let path = format!("/v1/lateness?limit=1000&from=2024-04-03&to=2024-04-04&state={state}");
    let answer = gateway.wait_until(&format!("{count} reports {state}"), &path, |answer| {
        answer.json()["items"].as_array().is_some_and(|items| items.len() == count)
    });
    answer.json()["items"].as_array().unwrap().clone()
}

/// Value, numerator and denominator of an indicator on the morning's day.
fn reading(gateway: &Gateway, id: &str) -> Value {
    let value = gateway.get(&format!("/v1/indicators/{id}/value?period=2024-04-03")).json();
    json!([value["value"], value["numerator"], value["denominator"]])
}

fn name(report: &Value) -> String {
    format!("{}.{}", report["source"].as_str().unwrap(), report["stream"].as_str().unwrap())
}

#[test]
fn a_system_that_is_off_when_its_report_is_due_is_late_and_nobody_else_is() {
    let mut settings = Settings::new(9, Now::Standing(stamp(EVENING)));
    let fleet = Fleet { silent: 0.0, slow: 0.0 };
    (settings.months, settings.scale, settings.fleet) = (1, 0.02, fleet);
    let systems = Systems::start(settings);
    let overlay = overlay();
    systems.write_secrets(&overlay.folder().join("secrets"));

    // The evening: nothing is owed, the morning's reports are known.
    let gateway = start(&overlay, &systems.variables, EVENING);
    gateway.wait_until("a good run of every stream", "/v1/sources", |answer| {
        let sources = answer.json();
        let sources = sources["items"].as_array().unwrap();
        let streams = sources.iter().flat_map(|source| source["streams"].as_array().unwrap());
        streams.into_iter().all(|stream| !stream["freshness"]["last_success_at"].is_null())
    });
    let due: Vec<String> =
        reports(&gateway, "from=2024-04-03&to=2024-04-04").iter().map(name).collect();
    assert!(due.len() > 4 && due.contains(&"medical.returns".to_owned()), "{due:?}");
    assert_eq!(reports(&gateway, "state=missing"), [json!(null); 0]);
    gateway.kill();

    // The morning: the medical system does not answer.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut variables = systems.variables.clone();
    variables.insert("MEDICAL_URL".to_owned(), format!("http://{nobody}"));
    let gateway = start(&overlay, &variables, MORNING);
    let missing = wait(&gateway, "missing", 1);
    assert_eq!(name(&missing[0]), "medical.returns");
    assert_eq!(
        (&missing[0]["accountable"]["unit"], &missing[0]["missed_by"]),
        (&json!("so-yte"), &json!("connect"))
    );
    assert_eq!(missing[0]["due_at"], "2024-04-03T07:30:00+07:00");
    let others = wait(&gateway, "on_time", due.len() - 1);
    assert!(others.iter().all(|report| report["witnessed"] == true), "{others:?}");
    // The indicators say the same, for the province and by unit.
    let (all, on_time) = (due.len() as f64, (due.len() - 1) as f64);
    let path = "/v1/indicators/source_reports_on_time/value?period=2024-04-03";
    gateway.wait_until("the indicator", path, |answer| {
        let reading = answer.json();
        reading["numerator"].as_f64() == Some(on_time)
            && reading["denominator"].as_f64() == Some(all)
    });
    let path = "/v1/indicators/source_reports_on_time/breakdown?by=unit&period=2024-04-03";
    let units = gateway.get(path).json();
    for row in units["items"].as_array().unwrap() {
        let is_late = row["key"] == "so-yte";
        let denominator = row["denominator"].as_f64().unwrap_or(0.0);
        if denominator > 0.0 {
            assert_eq!(row["value"].as_f64(), Some(if is_late { 0.0 } else { 1.0 }), "{row}");
        }
        assert!(!is_late || row["title"] == "Sở Y tế", "{row}");
    }
    let page = gateway.get("/").body;
    let section =
        page.split("id=\"lateness\"").nth(1).expect("what is missing is on the first page");
    assert!(section.split("</section>").next().unwrap().contains("Sở Y tế"));
    let metrics = gateway.get("/metrics").body;
    let line = "iocgw_reports{source=\"medical\",state=\"missing\",stream=\"returns\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    gateway.kill();

    // It is back: the entry is repaired with its time, and stays late.
    let gateway = start(&overlay, &systems.variables, LATER);
    let late = wait(&gateway, "late", 1);
    assert_eq!(name(&late[0]), "medical.returns");
    let seconds = late[0]["late_seconds"].as_i64().unwrap();
    assert!((5400..5700).contains(&seconds), "{seconds}");
    assert!(late[0]["repaired_at"].as_str().unwrap().starts_with("2024-04-03T09:0"), "{late:?}");
    assert_eq!(wait(&gateway, "on_time", due.len() - 1).len(), others.len());
    let path = "/v1/indicators/source_report_days_late/value?period=2024-04-03";
    gateway.wait_until("the days late", path, |answer| {
        let reading = answer.json();
        (reading["value"].as_f64(), reading["denominator"].as_f64()) == (Some(1.0), Some(1.0))
    });
    assert_eq!(
        reading(&gateway, "source_reports_on_time"),
        json!([on_time / all, due.len() - 1, due.len()])
    );
    let card = gateway.get("/v1/units/so-yte").json();
    let reports = &card["reports"];
    assert_eq!(
        (&reports["due"], &reports["late"], &reports["missing"]),
        (&json!(1), &json!(1), &json!(0))
    );
    let other = gateway.get("/v1/units/vp-ubnd").json();
    assert_eq!(
        (&other["reports"]["late"], &other["reports"]["on_time_ratio"]),
        (&json!(0), &json!(1))
    );
}

//! Pulls and pauses by hand, by the real program: on a running gateway and on its store.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::certification::{addresses, page, points, record};
use crate::support::{Gateway, Moody, Overlay, Reply, run_in};

const STREAM: &str = "/v1/sources/points";
const SHARE: &str = "/v1/indicators/e_copy_share/value?period=2025-08-04";

struct World {
    overlay: Overlay,
    upstream: Moody,
    variables: BTreeMap<String, String>,
}

impl World {
    /// One source with one record; `interval` stands for the second after which it is asked again.
    fn new(interval: &str) -> Self {
        let overlay = points(&["points"]);
        let path = overlay.config().join("sources/points.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.replace("interval: 1s", &format!("interval: {interval}"));
        overlay.write("sources/points.yaml", &text);
        let upstream = Moody::start(Reply::json(&page(&[record("a")])));
        let variables = addresses(&[("points", &upstream.upstream)]);
        Self { overlay, upstream, variables }
    }

    fn start(&self) -> Gateway {
        Gateway::start_writable(&self.overlay.config(), self.overlay.folder(), &self.variables)
    }

    fn run(&self, words: &[&str]) -> (Option<i32>, String) {
        let done = run_in(self.overlay.folder(), words, &self.variables);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code(), format!("{}{}", text(&done.stdout), text(&done.stderr)))
    }

    fn asked(&self) -> usize {
        self.upstream.upstream.asked().len()
    }
}

fn accepted(answer: &Value) -> u64 {
    answer["records"]["accepted"].as_u64().unwrap()
}

#[test]
fn a_paused_source_is_asked_no_more_and_grows_old_as_paused_and_not_as_failed() {
    let world = World::new("1s");
    let gateway = world.start();
    gateway.wait_until("records", STREAM, |answer| accepted(&answer.json()) == 1);
    let url = format!("http://{}", gateway.address);
    let by = ["--by", "CANARY steward"];
    let pause = ["source", "pause", "points", "--why", "CANARY its owner asked", "--url", &url];
    let (code, said) = world.run(&[&pause[..], &by].concat());
    assert!(code == Some(0) && said.contains("points: paused"), "{said}");
    // It fails now, and nobody is to know: it is not asked.
    world.upstream.now(Reply::new("500 Internal Server Error", "", ""));
    let state = gateway.get(STREAM).json();
    assert_eq!(state["state"], "paused");
    assert_eq!(state["paused"]["by"], "CANARY steward");
    let number = gateway
        .wait_until("old numbers", SHARE, |answer| answer.json()["freshness"]["state"] == "stale");
    let number = number.json();
    assert_eq!(number["freshness"]["paused_sources"], json!(["points"]));
    assert_eq!(number["value"], 0.25, "{number}");
    let state = gateway.get(STREAM).json();
    assert_eq!(
        (&state["reasons"], &state["last_error"]),
        (&json!(["stale", "paused"]), &Value::Null)
    );
    assert!(gateway.get("/metrics").body.contains("iocgw_source_paused{source=\"points\"} 1"));
    assert!(gateway.get("/").body.contains("CANARY its owner asked"));
    let (code, said) = world.run(&["source", "pull", "points", "--url", &url]);
    assert!(code == Some(1) && said.contains("CANARY its owner asked"), "{said}");
    gateway.stop();

    // Across a restart, and for the command line on the store too.
    let before = world.asked();
    let gateway = world.start();
    assert_eq!(gateway.get(STREAM).json()["paused"]["why"], "CANARY its owner asked");
    gateway.stop();
    let (code, said) = world.run(&["source", "pull", "points"]);
    assert!(code == Some(1) && said.contains("paused by CANARY steward"), "{said}");
    let (code, said) = world.run(&["source", "pull"]);
    assert!(code == Some(0) && said.contains("points.acts: paused, not asked"), "{said}");
    assert_eq!(world.asked(), before, "nobody asked it");
    let resume = ["source", "resume", "points", "--by", "CANARY steward"];
    let (code, said) = world.run(&resume);
    assert!(code == Some(0) && said.contains("points: active"), "{said}");
    world.upstream.now(Reply::json(&page(&[record("a"), record("b")])));
    let (code, said) = world.run(&["source", "pull", "points.acts"]);
    assert!(code == Some(0) && said.contains("accepted 2"), "{said}");
}

#[test]
fn a_turn_is_taken_when_it_is_asked_for_and_a_resumed_source_takes_one_at_once() {
    let world = World::new("1d");
    let gateway = world.start();
    gateway.wait_until("records", STREAM, |answer| accepted(&answer.json()) == 1);
    let url = format!("http://{}", gateway.address);
    world.upstream.now(Reply::json(&page(&[record("a"), record("b")])));
    let (code, said) = world.run(&["source", "pull", "points.acts", "--url", &url]);
    assert!(code == Some(0) && said.contains("points.acts: ok: received"), "{said}");
    assert_eq!(accepted(&gateway.get(STREAM).json()), 2);
    world.upstream.now(Reply::new("404 Not Found", "", ""));
    let (code, said) = world.run(&["source", "pull", "points", "--url", &url]);
    assert!(code == Some(1) && said.contains("points.acts: failed"), "{said}");
    let (code, said) = world.run(&["source", "pull", "points.act", "--url", &url]);
    assert!(code == Some(1) && said.contains("one of: acts"), "{said}");
    let (code, said) = world.run(&["source", "pull", "point", "--url", &url]);
    assert!(code == Some(1) && said.contains("Unknown source"), "{said}");

    let steer = |verb: &str| {
        let words = ["source", verb, "points", "--by", "CANARY steward", "--url", &url];
        let why: &[&str] = if verb == "pause" { &["--why", "CANARY"] } else { &[] };
        assert_eq!(world.run(&[&words[..], why].concat()).0, Some(0));
    };
    steer("pause");
    world.upstream.now(Reply::json(&page(&[record("c")])));
    steer("resume");
    gateway.wait_until("a turn at once", STREAM, |answer| accepted(&answer.json()) == 3);
    let (code, said) = world.run(&["source", "list"]);
    assert!(code == Some(0) && said.starts_with("SOURCE  STREAM"), "{said}");
}

#[test]
fn an_explanation_leads_to_the_last_run_told_by_the_gateway_or_by_its_store() {
    let world = World::new("1d");
    let gateway = world.start();
    gateway.wait_until("records", STREAM, |answer| accepted(&answer.json()) == 1);
    let url = format!("http://{}", gateway.address);
    let explain = |more: &[&str]| {
        let (code, said) =
            world.run(&[&["indicator", "explain", "e_copy_share"][..], more].concat());
        assert_eq!(code, Some(0), "{said}");
        said
    };
    let run = "(lượt lấy / run, ok, 1 trang / pages, 1 bản ghi / records)";
    let asked = explain(&["--url", &url]);
    // Below each of the two measures.
    assert_eq!(asked.matches(run).count(), 2, "{asked}");
    let stream = asked.lines().position(|line| line.contains("points.acts (luồng / stream"));
    let at = asked.lines().position(|line| line.contains(run));
    assert!(stream < at, "the run stands below its stream\n{asked}");
    assert!(explain(&["--url", &url, "--format", "mermaid"]).contains(run));
    // While the gateway has its store, nobody else reads it.
    let busy = world.run(&["indicator", "explain", "e_copy_share", "--store", "iocgw.db"]);
    assert!(busy.0 == Some(75) && busy.1.contains("is asked with --url"), "{busy:?}");
    gateway.stop();
    assert_eq!(explain(&["--store", "iocgw.db"]), asked, "the store tells the same");
    let alone = explain(&[]);
    assert!(!alone.contains("lượt lấy / run") && alone.contains("--url"), "{alone}");
    let (code, said) = world.run(&["indicator", "explain", "e_copy_share", "--url", &url]);
    assert!(code == Some(69) && said.contains("is it running?"), "{said}");
}

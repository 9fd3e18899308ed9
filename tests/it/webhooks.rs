//! Webhooks by the real program: signed, told once, told again after a death, and ended when nobody wants
//! to hear.

use std::collections::BTreeMap;

use ioc_gateway::clock::Clock;
use serde_json::{Value, json};

use crate::support::certification::{addresses, page, points, record};
use crate::support::{Gateway, Moody, Overlay, Receiver, Reply, run_in};

const LIST: &str = "/v1/webhooks";

struct World {
    overlay: Overlay,
    upstream: Moody,
    variables: BTreeMap<String, String>,
}

impl World {
    fn new() -> Self {
        let overlay = points(&["points"]);
        overlay.write("iocgw.yaml", "version: 1\nwebhooks: {every: 1s, allow: [10.20.0.0/16]}\n");
        // 32 bytes in base64, and nobody's secret.
        let key = "Q0FOQVJZLXdlYmhvb2sta2V5LWZvci10ZXN0cy1vbmw=";
        std::fs::write(overlay.folder().join("secrets/webhook_key"), key).unwrap();
        let upstream = Moody::start(Reply::json(&page(&[record("a")])));
        let variables = addresses(&[("points", &upstream.upstream)]);
        Self { overlay, upstream, variables }
    }

    fn start(&self) -> Gateway {
        Gateway::start_closed(&self.overlay.config(), self.overlay.folder(), &self.variables)
    }

    fn run(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let done = run_in(self.overlay.folder(), words, &self.variables);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        (done.status.code(), text(&done.stdout), text(&done.stderr))
    }

    /// A key with these scopes, known to the gateway.
    fn key(&self, gateway: &Gateway, scopes: &[&str]) -> String {
        let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
        let words: Vec<&str> =
            ["key", "create", "--name", "a test"].into_iter().chain(scopes).collect();
        let (code, key, said) = self.run(&words);
        assert_eq!(code, Some(0), "{said}");
        let bearer = format!("Bearer {key}");
        for _ in 0..600 {
            if gateway.ask("GET", "/v1/me", &[("Authorization", &bearer)]).status == 200 {
                return key;
            }
            std::thread::park_timeout(std::time::Duration::from_millis(50));
        }
        panic!("the gateway does not know the key\n{}", gateway.log());
    }

    /// These points have reported of today from now on: the newest day is what is told of.
    fn has(&self, sites: &[&str]) {
        let today = Clock::System.now().day().to_string();
        // Each has other counts, so that every share changes with every further one.
        let of_today = |(i, site): (usize, &&str)| {
            let mut record = record(site);
            record["day"] = json!(today);
            record["e_certified_copies"] = json!(10 + 5 * i);
            record
        };
        let records: Vec<Value> = sites.iter().enumerate().map(of_today).collect();
        self.upstream.now(Reply::json(&page(&records)));
    }
}

/// Makes a webhook; its id and its secret.
fn made(gateway: &Gateway, key: &str, url: &str) -> (String, String) {
    let body = json!({"name": "a test", "url": url, "topics": ["indicators.changed"]});
    let made = gateway.send("POST", LIST, key, &body);
    assert_eq!(made.status, 201, "{}\n{}", made.body, gateway.log());
    let made = made.json();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("secret"))
}

fn state(gateway: &Gateway, key: &str, id: &str) -> Value {
    let bearer = format!("Bearer {key}");
    gateway.ask("GET", &format!("{LIST}/{id}"), &[("Authorization", &bearer)]).json()
}

/// Waits until a webhook stands so.
fn wait_until(gateway: &Gateway, (key, id): (&str, &str), is_so: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    for _ in 0..3600 {
        last = state(gateway, key, id);
        if is_so(&last) {
            return last;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    }
    panic!("{}\n{last}: did not come about", gateway.log());
}

#[test]
fn changes_come_signed_and_in_order_while_another_receiver_never_answers() {
    let (world, good, silent) =
        (World::new(), Receiver::start(Some("204 No Content")), Receiver::start(None));
    let gateway = world.start();
    let key = world.key(&gateway, &["read", "webhooks", "metrics"]);
    let (id, secret) = made(&gateway, &key, &good.url());
    let (slow, _) = made(&gateway, &key, &silent.url());
    let first = good.wait_for("the first message", |_| true);
    assert_eq!(first.json()["type"], "resync");
    assert!(first.is_signed_with(&secret), "{first:?}");
    assert_eq!(first.headers["content-type"], "application/json");

    world.has(&["a", "b"]);
    let changed =
        good.wait_for("the change", |message| message.json()["type"] == "indicators.changed");
    assert!(changed.is_signed_with(&secret), "{changed:?}");
    let told = changed.json();
    let names: Vec<&str> = told["data"]["indicators"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["indicator"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"certified_copies") || names.contains(&"e_copy_share"), "{told}");
    // What is read at the revision that it names, or later, is what it told of.
    let bearer = format!("Bearer {key}");
    let path = format!("/v1/indicators/{}/value?period=2025-08-04", names[0]);
    let value = gateway.ask("GET", &path, &[("Authorization", &bearer)]).json();
    assert!(value["revision"].as_u64() >= told["data"]["revision"].as_u64(), "{value} {told}");

    let trial = gateway.send("POST", &format!("{LIST}/{id}/tests"), &key, &json!({}));
    assert_eq!(trial.json(), json!({"is_taken": true, "status": 204, "error": null}));
    let tested = good.wait_for("the trial", |message| message.json()["type"] == "webhook.test");
    assert!(tested.is_signed_with(&secret));
    // Another secret signs beside the one before.
    let renewed = gateway.send("POST", &format!("{LIST}/{id}/secrets"), &key, &json!({})).json();
    let renewed = renewed["secret"].as_str().unwrap();
    world.has(&["a", "b", "c"]);
    let both = good.wait_for("a message under both", |message| message.is_signed_with(renewed));
    assert!(both.is_signed_with(&secret) && renewed != secret);
    // In their order, each id once.
    let ids: Vec<u64> = good
        .messages()
        .iter()
        .filter(|message| message.json()["type"] != "webhook.test")
        .map(|message| message.id().strip_prefix(&format!("{id}.")).unwrap().parse().unwrap())
        .collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());

    let waiting = state(&gateway, &key, &slow);
    assert!(waiting["waiting"].as_u64().unwrap() >= 1, "{waiting}");
    let metrics = gateway.ask("GET", "/metrics", &[("Authorization", &bearer)]).body;
    for part in [
        format!("iocgw_webhook_deliveries_total{{endpoint=\"{id}\"}} "),
        format!("iocgw_webhook_failing{{endpoint=\"{id}\"}} 0"),
        format!("iocgw_webhook_queue_length{{endpoint=\"{slow}\"}} "),
        "iocgw_webhooks{state=\"disabled\"} 0".to_owned(),
    ] {
        assert!(metrics.contains(&part), "{part}\n{metrics}");
    }
    for text in [gateway.log(), metrics, state(&gateway, &key, &id).to_string()] {
        assert!(!text.contains(&secret) && !text.contains(renewed), "a secret stands there");
    }
    let deleted = gateway.send("DELETE", &format!("{LIST}/{slow}"), &key, &json!({}));
    assert_eq!(deleted.json()["deleted"], true, "{}", deleted.body);
    let (code, _) = gateway.stop();
    assert_eq!(code, Some(0), "a receiver that never answers holds up no stop");
}

#[test]
fn what_was_not_taken_comes_again_after_a_kill_under_the_same_id() {
    let (world, receiver) = (World::new(), Receiver::start(Some("503 Service Unavailable")));
    let gateway = world.start();
    let key = world.key(&gateway, &["read", "webhooks"]);
    let (id, secret) = made(&gateway, &key, &receiver.url());
    let refused = receiver.wait_for("the first attempt", |_| true);
    let failing = wait_until(&gateway, (&key, &id), |it| it["failures"].as_u64() > Some(0));
    assert_eq!(
        (&failing["state"], &failing["last_error"]),
        (&json!("failing"), &json!("HTTP 503"))
    );
    gateway.kill();

    receiver.now(Some("200 OK"));
    let gateway = world.start();
    let taken = wait_until(&gateway, (&key, &id), |it| it["last_success_at"].is_string());
    assert_eq!((&taken["state"], &taken["failures"]), (&json!("active"), &json!(0)));
    let again = receiver.messages().pop().unwrap();
    assert_eq!((again.id(), &again.body), (refused.id(), &refused.body), "to the byte");
    assert!(again.is_signed_with(&secret));
    // What has changed in between and since is told too.
    world.has(&["a", "b"]);
    receiver.wait_for("the change", |message| message.json()["type"] == "indicators.changed");
}

#[test]
fn nobody_is_told_who_wants_to_hear_no_more_or_whose_key_is_over() {
    let (world, receiver) = (World::new(), Receiver::start(Some("410 Gone")));
    let gateway = world.start();
    let key = world.key(&gateway, &["read", "webhooks", "admin"]);
    let (id, _) = made(&gateway, &key, &receiver.url());
    let over = wait_until(&gateway, (&key, &id), |it| it["state"] == "disabled");
    assert_eq!((&over["disabled_why"], &over["waiting"]), (&json!("gone"), &json!(0)));
    let bearer = format!("Bearer {key}");
    let audit = "/v1/audit?action=webhook_changed";
    let log = gateway.ask("GET", audit, &[("Authorization", &bearer)]).json();
    assert_eq!(log["items"][0]["detail"], "disabled: gone", "{log}");
    // Told again, it begins with reading everything.
    receiver.now(Some("200 OK"));
    let path = format!("{LIST}/{id}");
    let enabled = gateway.send("PATCH", &path, &key, &json!({"enabled": true}));
    assert_eq!(enabled.json()["state"], "active", "{}", enabled.body);
    wait_until(&gateway, (&key, &id), |it| it["last_success_at"].is_string());
    assert_eq!(receiver.messages().pop().unwrap().json()["type"], "resync");

    let other = world.key(&gateway, &["read", "webhooks"]);
    let (theirs, _) = made(&gateway, &other, &receiver.url());
    let revoked = other.split('_').nth(1).unwrap();
    let (code, _, said) = world.run(&["key", "revoke", revoked]);
    assert_eq!(code, Some(0), "{said}");
    let over = wait_until(&gateway, (&key, &theirs), |it| it["state"] == "disabled");
    assert_eq!(over["disabled_why"], "key_over");
    // It has no owner any more: whoever administers deletes it, and changes nothing else about it.
    let path = format!("{LIST}/{theirs}");
    let enabled = gateway.send("PATCH", &path, &key, &json!({"enabled": true}));
    assert_eq!(enabled.status, 403, "{}", enabled.body);
    let deleted = gateway.send("DELETE", &path, &key, &json!({}));
    assert_eq!(deleted.status, 200, "{}", deleted.body);
    assert_eq!(state(&gateway, &key, &theirs)["status"], 404);
    // Plain http goes only where networks are named, and never to this machine by itself.
    let outside =
        json!({"name": "x", "url": "http://192.0.2.1/", "topics": ["indicators.changed"]});
    let refused = gateway.send("POST", LIST, &key, &outside);
    assert_eq!(refused.status, 400, "{}", refused.body);
}

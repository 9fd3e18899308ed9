//! Webhooks: whose they are, what they may hear of, and that they are told each change once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::http::{Method, header};
use actix_web::test::TestRequest;
use futures_util::FutureExt as _;
use serde_json::{Value, json as object};

use super::access::{closed, read, with};
use super::custody::problem;
use super::{Reply, send, world};
use crate::model::audit::Deed;
use crate::model::cube::cell;
use crate::model::snapshot::{Measure, Snapshot};
use crate::model::time::{Day, Stamp};
use crate::model::webhook::{
    Change, Changed, Disabled, Progress, Secret, Subscription, Telling, Topic, Trial, Webhook,
};
use crate::serve::webhooks::telling::Known;
use crate::serve::{Context, Hooks, Pending};

/// What each message told, by webhook.
type Told = Vec<(String, Value)>;

/// Webhooks in memory; at first there is one, of the key that opens everything.
pub(super) struct Kept {
    webhooks: Mutex<Vec<Webhook>>,
    marks: Mutex<BTreeMap<String, Vec<u8>>>,
    messages: Mutex<Told>,
    deeds: Mutex<Vec<String>>,
    has_key: bool,
}

impl Default for Kept {
    fn default() -> Self {
        let topics = [Topic::Indicators, Topic::Sources].into();
        let webhook = Webhook {
            id: "1".to_owned(),
            owner: "all".to_owned(),
            url: "https://ioc.example/hook?CANARY-TOKEN".to_owned(),
            name: "The operations centre".to_owned(),
            wants: Subscription { topics, indicators: None, areas: None },
            created: world::now(),
            secret: Secret { generation: 1, previous_until: None, mark: 7 },
            disabled: None,
            progress: Progress { is_behind: true, ..Progress::default() },
        };
        Self {
            webhooks: Mutex::new(vec![webhook]),
            marks: Mutex::default(),
            messages: Mutex::default(),
            deeds: Mutex::default(),
            has_key: true,
        }
    }
}

impl Hooks for Kept {
    fn list(&self) -> Result<Vec<Webhook>, String> {
        Ok(self.webhooks.lock().unwrap().clone())
    }

    fn told(&self) -> Result<BTreeMap<String, Vec<u8>>, String> {
        Ok(self.marks.lock().unwrap().clone())
    }

    fn tell(&self, telling: Telling) -> Pending<()> {
        let mut marks = self.marks.lock().unwrap();
        marks.extend(telling.marks);
        telling.gone.iter().for_each(|name| _ = marks.remove(name));
        for (id, body) in telling.messages {
            self.messages.lock().unwrap().push((id, serde_json::from_str(&body).unwrap()));
        }
        for webhook in self.webhooks.lock().unwrap().iter_mut() {
            webhook.progress.is_behind &= !telling.caught_up.contains(&webhook.id);
        }
        async { Ok(()) }.boxed()
    }

    fn every(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn admits(&self, url: &str) -> Result<(), String> {
        let is_taken = url.starts_with("https://");
        is_taken.then_some(()).ok_or_else(|| "the address must begin with https://".to_owned())
    }

    fn new_id(&self) -> Result<String, String> {
        Ok(format!("wh_{}", self.webhooks.lock().unwrap().len()))
    }

    fn secret(&self, id: &str, generation: u32) -> Option<(String, u32)> {
        self.has_key.then(|| (format!("whsec_{id}_{generation}"), 7))
    }

    fn change(&self, id: String, change: Change, deed: Deed) -> Pending<Changed> {
        let mut webhooks = self.webhooks.lock().unwrap();
        let found = webhooks.iter_mut().find(|webhook| webhook.id == id);
        match (change, found) {
            (Change::Create(new), _) => webhooks.push(*new),
            (Change::Describe { url, name, wants }, Some(webhook)) => {
                (webhook.url, webhook.name, webhook.wants) = (url, name, wants);
            }
            (Change::Renew(secret), Some(webhook)) => webhook.secret = secret,
            (Change::Enable(true), Some(webhook)) => webhook.disabled = None,
            (Change::Enable(false), Some(webhook)) => {
                webhook.disabled = Some((world::now(), Disabled::ByHand));
            }
            (Change::Delete, Some(_)) => webhooks.retain(|webhook| webhook.id != id),
            (_, None) => return async { Ok(Changed::Unknown) }.boxed(),
        }
        self.deeds.lock().unwrap().push(format!("{deed:?}"));
        async { Ok(Changed::Done) }.boxed()
    }

    fn try_out(&self, _: Webhook, _: Deed) -> Pending<Trial> {
        async { Ok(Trial { is_taken: false, status: Some(500), error: Some("HTTP 500".into()) }) }
            .boxed()
    }
}

/// A world of which only holders of keys are told anything, and what it keeps.
fn kept(has_key: bool) -> (Arc<Context>, Arc<Kept>) {
    let kept = Arc::new(Kept { has_key, ..Kept::default() });
    let mut world = world::bare();
    world.hooks = Arc::clone(&kept) as Arc<dyn Hooks>;
    (closed(world).0, kept)
}

async fn write(
    context: &Arc<Context>,
    key: &str,
    (method, uri): (Method, &str),
    body: &Value,
) -> Reply {
    let request = TestRequest::with_uri(uri)
        .method(method)
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .set_payload(body.to_string());
    send(context, with(request, key)).await
}

async fn post(context: &Arc<Context>, key: &str, uri: &str, body: &Value) -> Reply {
    write(context, key, (Method::POST, uri), body).await
}

fn new() -> Value {
    object!({"name": "A board", "url": "https://ioc.example/x", "topics": ["indicators.changed"]})
}

#[actix_web::test]
async fn a_webhook_is_made_with_a_secret_that_is_shown_once_and_belongs_to_its_key() {
    let (context, kept) = kept(true);
    let made = post(&context, "all", "/v1/webhooks", &new()).await;
    assert_eq!((made.status, made.header("cache-control")), (201, "no-store"), "{}", made.text());
    let made = made.json();
    assert_eq!((&made["id"], &made["secret"]), (&object!("wh_1"), &object!("whsec_wh_1_1")));
    assert_eq!((&made["state"], &made["key"]), (&object!("active"), &object!("all")));
    assert_eq!((&made["indicators"], &made["areas"]), (&Value::Null, &Value::Null));
    let list = read(&context, "all", "/v1/webhooks").await;
    assert!(!list.text().contains("whsec_"), "{}", list.text());
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 2);
    assert_eq!(list.header("cache-control"), "no-store");
    // To another key it is not there; one that administers sees it and leaves it alone.
    assert_eq!(read(&context, "webhooks", "/v1/webhooks").await.json()["items"], object!([]));
    problem(&read(&context, "webhooks", "/v1/webhooks/wh_1").await, 404, "unknown-webhook");
    let deed = kept.deeds.lock().unwrap().join("\n");
    assert!(deed.contains("WebhookCreated") && deed.contains("ioc.example"), "{deed}");

    let one = "/v1/webhooks/wh_1";
    let amended = object!({"enabled": false, "name": "Another board", "areas": ["16681"]});
    let amended = write(&context, "all", (Method::PATCH, one), &amended).await.json();
    assert_eq!(
        (&amended["state"], &amended["disabled_why"]),
        (&object!("disabled"), &object!("by_hand"))
    );
    assert_eq!(
        (&amended["name"], &amended["url"]),
        (&object!("Another board"), &object!("https://ioc.example/x"))
    );
    assert_eq!(amended["areas"], object!(["16681"]));
    let everywhere = write(&context, "all", (Method::PATCH, one), &object!({"areas": []})).await;
    assert_eq!(everywhere.json()["areas"], Value::Null);
    let renewed = post(&context, "all", &format!("{one}/secrets"), &object!({})).await.json();
    assert_eq!(renewed["secret"], "whsec_wh_1_2");
    assert_eq!(renewed["previous_secret_until"], "2024-04-03T17:00:30+07:00");
    let trial = post(&context, "all", &format!("{one}/tests"), &object!({})).await.json();
    assert_eq!(trial, object!({"is_taken": false, "status": 500, "error": "HTTP 500"}));
    let gone = send(&context, with(TestRequest::delete().uri(one), "all")).await;
    assert_eq!((gone.status, gone.json()), (200, object!({"id": "wh_1", "deleted": true})));
    problem(&read(&context, "all", one).await, 404, "unknown-webhook");
}

#[actix_web::test]
async fn what_a_webhook_cannot_be_is_refused_with_a_reason() {
    let (context, kept) = kept(true);
    let with = |name: &str, value: Value| {
        let mut body = new();
        body[name] = value;
        body
    };
    for (key, body, status, code, words) in [
        ("all", with("url", object!("http://CANARY.example")), 400, "bad-body", "https://"),
        ("all", with("topics", object!([])), 400, "bad-body", "sources.changed"),
        ("all", with("topics", object!(["x"])), 400, "bad-body", "indicators.changed"),
        ("all", with("name", object!(" ")), 400, "bad-body", "'name' is needed"),
        ("all", with("indicators", object!(["recieved"])), 400, "bad-body", "mean 'received'"),
        ("all", with("areas", object!(["99999"])), 400, "bad-body", "none of today's"),
        ("all", with("secret", object!("mine")), 400, "bad-body", "unknown field"),
        ("commune", with("areas", object!(["province"])), 403, "beyond-reach", "some communes"),
        ("commune", with("areas", object!(["17000"])), 400, "bad-body", "none of today's"),
        ("unit", with("indicators", object!(["received"])), 400, "bad-body", "there is not"),
        ("webhooks", new(), 403, "scope-missing", "read"),
        ("read", new(), 403, "scope-missing", "webhooks"),
        ("public", new(), 403, "beyond-reach", "administration"),
    ] {
        let reply = post(&context, key, "/v1/webhooks", &body).await;
        let told = problem(&reply, status, code);
        assert!(told["detail"].as_str().unwrap().contains(words), "{key} {body}: {told}");
        assert!(!reply.text().contains("CANARY"), "{told}");
    }
    assert_eq!(kept.webhooks.lock().unwrap().len(), 1, "none was made");
    // A key that administers sees what belongs to another and changes nothing.
    let change = write(&context, "admin", (Method::PATCH, "/v1/webhooks/1"), &object!({})).await;
    problem(&change, 403, "scope-missing");

    let (context, _) = self::kept(false);
    let reply = post(&context, "all", "/v1/webhooks", &new()).await;
    let told = problem(&reply, 503, "no-webhook-key");
    assert_eq!(reply.header("retry-after"), "5");
    assert!(told["detail"].as_str().unwrap().contains("no key"), "{told}");
}

#[actix_web::test]
async fn a_webhook_needs_a_key_even_where_everything_is_open() {
    let context = world::context();
    let request = TestRequest::post()
        .uri("/v1/webhooks")
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .set_payload(new().to_string());
    problem(&send(&context, request).await, 401, "key-needed");
}

/// Dossiers that come in online in a commune, today.
fn commit(context: &Context, commune: &str, count: i64) {
    let old: Arc<Snapshot> = context.snapshot.load_full();
    let mut new = Snapshot::clone(&old);
    let mut measure: Measure = (*new.measures["dossiers.received"]).clone();
    let area = context.definitions.areas.current_by_code(commune).unwrap();
    let channel = context.definitions.lists["filing_channel"].number("online").unwrap();
    let day = Day::parse("2024-04-02").unwrap();
    measure.cube.add(&[(cell(i64::from(day.0), area, u32::from(channel)), count)]);
    new.measures.insert("dossiers.received".to_owned(), Arc::new(measure));
    new.revision += 1;
    context.snapshot.store(Arc::new(new));
}

/// A further webhook, which has caught up.
fn further(kept: &Kept, id: &str, owner: &str, wants: Subscription) {
    let mut webhooks = kept.webhooks.lock().unwrap();
    let (id, owner) = (id.to_owned(), owner.to_owned());
    let progress = Progress::default();
    let webhook = Webhook { id, owner, wants, progress, ..webhooks[0].clone() };
    webhooks.push(webhook);
}

/// What a look has told.
async fn look(known: &mut Known, context: &Arc<Context>, kept: &Kept) -> Told {
    known.look(Arc::clone(context)).await.unwrap();
    std::mem::take(&mut *kept.messages.lock().unwrap())
}

#[actix_web::test]
async fn a_change_is_told_once_without_its_figure_and_to_each_only_what_their_key_reads() {
    let (context, kept) = kept(true);
    // Whoever is new is told to read everything, and nothing else.
    let mut known = Known::default();
    let first = look(&mut known, &context, &kept).await;
    assert_eq!(first.len(), 1, "{first:?}");
    let revision = context.snapshot.load().revision;
    assert_eq!(first[0].1["type"], "resync");
    assert_eq!(first[0].1["data"], object!({"revision": revision}));

    let all = || Subscription {
        topics: [Topic::Indicators, Topic::Sources].into(),
        indicators: None,
        areas: None,
    };
    let some = |name: &str| Some([name.to_owned()].into());
    further(&kept, "of a commune", "commune", all());
    further(&kept, "of a unit", "unit", all());
    further(&kept, "of a key that reads nothing", "webhooks", all());
    further(&kept, "of the public", "public", all());
    further(&kept, "of a key that is over", "gone", all());
    further(&kept, "of one area", "all", Subscription { areas: some("17000"), ..all() });
    further(
        &kept,
        "of one indicator",
        "all",
        Subscription { indicators: some("received"), ..all() },
    );
    let only = Subscription { topics: [Topic::Sources].into(), ..all() };
    further(&kept, "of sources", "all", only);
    assert_eq!(look(&mut known, &context, &kept).await, [], "nothing has changed");
    commit(&context, "16681", 7);
    let told: BTreeMap<String, Value> =
        look(&mut known, &context, &kept).await.into_iter().collect();
    let names: Vec<&str> = told.keys().map(String::as_str).collect();
    assert_eq!(names, ["1", "of a commune", "of one indicator"]);
    let data = |id: &str| told[id]["data"].clone();
    assert_eq!(told["1"]["type"], "indicators.changed");
    assert!(told["1"]["timestamp"].as_str().unwrap().ends_with("+07:00"));
    let change = |id: &str, areas: &[&str]| object!({"indicator": id, "period": "2024-04-02", "areas_changed": areas.len(), "areas": areas});
    let both = ["province", "16681"];
    let everything = object!({"revision": revision + 1, "indicators": [
        change("online_rate", &both), change("received", &both)]});
    assert_eq!(data("1"), everything);
    let own = [change("online_rate", &both[1..]), change("received", &both[1..])];
    assert_eq!(data("of a commune"), object!({"revision": revision + 1, "indicators": own}));
    let one = [change("received", &both)];
    assert_eq!(data("of one indicator"), object!({"revision": revision + 1, "indicators": one}));
    // Figures are nowhere in it.
    assert!(told.values().all(|message| !message.to_string().contains("value")), "{told:?}");

    // A gateway that begins anew knows from the marks what has been told.
    let mut known = Known::default();
    assert_eq!(look(&mut known, &context, &kept).await, [], "it is as it was told");
    commit(&context, "17000", 2);
    let told: BTreeMap<String, Value> =
        look(&mut known, &context, &kept).await.into_iter().collect();
    let names: Vec<&str> = told.keys().map(String::as_str).collect();
    assert_eq!(names, ["1", "of one area", "of one indicator"]);
    let areas = &told["1"]["data"]["indicators"][1]["areas"];
    assert_eq!(*areas, object!(["province", "17000"]));
}

#[actix_web::test]
async fn a_source_in_trouble_is_told_by_name() {
    let (context, kept) = kept(true);
    let mut known = Known::default();
    look(&mut known, &context, &kept).await;
    let mut new = Snapshot::clone(&context.snapshot.load());
    let stream = Arc::make_mut(new.streams.get_mut("portal.dossiers").unwrap());
    stream.quarantined += 1;
    new.revision += 1;
    new.at = Stamp(new.at.0 + 1);
    context.snapshot.store(Arc::new(new));
    let told = look(&mut known, &context, &kept).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].1["type"], "sources.changed");
    assert_eq!(told[0].1["data"]["sources"], object!(["portal"]));
}

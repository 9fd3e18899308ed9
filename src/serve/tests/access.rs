//! Who is let in where: every address of the table against every scope, and what keys with limits get
//! to see.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use actix_web::http::header;
use actix_web::test::TestRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json as object;

use super::custody::problem;
use super::reference::{every, request};
use super::world::{Ground, INDICATORS, bare, measure, received, sessions, snapshot, source};
use super::{Reply, send};
use crate::model::access::{Grant, Reach, Scope};
use crate::model::audience::Audience;
use crate::model::snapshot::MeasureKind;
use crate::model::time::Day;
use crate::model::units::Span;
use crate::serve::access::Needs;
use crate::serve::openapi::build;
use crate::serve::routes::{Operation, Route};
use crate::serve::{
    Access, Base, Context, Denied, Holder, Keyring, Limiter, Rate, RateLimits, Refusal,
};

/// The origin whose pages may read.
const ORIGIN: &str = "https://ioc.example";

/// Keys by what their holders show.
#[derive(Default)]
struct Keys(BTreeMap<String, Arc<Grant>>);

impl Keyring for Keys {
    fn holder(&self, key: &str) -> Result<Holder, Denied> {
        match key {
            "expired" => Err(Denied::Expired),
            "revoked" => Err(Denied::Revoked),
            _ => {
                let grant = self.0.get(key).cloned().ok_or(Denied::Unknown)?;
                let expires = crate::serve::tests::world::now();
                Ok(Holder { id: key.to_owned(), grant, expires })
            }
        }
    }

    fn grant(&self, id: &str) -> Option<Arc<Grant>> {
        self.0.get(id).cloned()
    }
}

fn grant(scopes: &[Scope], reach: Reach) -> Grant {
    Grant { scopes: scopes.iter().copied().collect(), reach }
}

fn public() -> Reach {
    Reach { audience: Audience::Public, ..Reach::default() }
}

/// A world that answers nobody without a key: there is one for each scope, named after it, one for
/// everything, one for a commune, one for a unit and one for the public.
pub(super) fn closed(mut world: Context) -> (Arc<Context>, Arc<Mutex<Vec<Denied>>>) {
    let mut keys = Keys::default();
    for scope in Scope::ALL {
        keys.0.insert(scope.as_str().to_owned(), grant(&[scope], Reach::default()).into());
    }
    let named = |name: &str| Some([name.to_owned()].into());
    let commune = Reach { areas: named("16681"), ..Reach::default() };
    let unit = Reach { units: named("so-tttt"), ..Reach::default() };
    keys.0.insert("all".to_owned(), grant(&Scope::ALL, Reach::default()).into());
    keys.0.insert("commune".to_owned(), grant(&Scope::ALL, commune).into());
    keys.0.insert("unit".to_owned(), grant(&Scope::ALL, unit).into());
    keys.0.insert("public".to_owned(), grant(&Scope::ALL, public()).into());
    let denied = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&denied);
    let watch = Arc::new(move |refusal: Refusal| noted.lock().unwrap().push(refusal.reason));
    let limiter = Arc::new(Limiter::new(RateLimits::default()));
    let (keys, origins) = (Arc::new(keys), vec![ORIGIN.to_owned()]);
    let is_proxy = Arc::new(|_| false);
    world.access = Arc::new(Access { anonymous: None, keys, limiter, origins, is_proxy, watch });
    (Arc::new(world), denied)
}

pub(super) fn with(request: TestRequest, key: &str) -> TestRequest {
    request.insert_header((header::AUTHORIZATION, format!("Bearer {key}")))
}

pub(super) async fn read(context: &Arc<Context>, key: &str, uri: &str) -> Reply {
    send(context, with(TestRequest::get().uri(uri), key)).await
}

fn of_keys() -> impl Iterator<Item = (&'static Route, &'static Operation, &'static [Scope])> {
    every().filter_map(|(route, operation)| match operation.door.needs {
        Needs::Scopes(scopes) => Some((route, operation, scopes)),
        Needs::Nothing | Needs::SourceCredential => None,
    })
}

#[actix_web::test]
async fn c05_c06_every_address_lets_in_exactly_those_whose_key_has_its_scopes() {
    let (context, _) = closed(bare());
    let mut cells = 0;
    for (route, operation, scopes) in of_keys() {
        let reply = send(&context, request(route, operation)).await;
        assert_eq!(reply.status, 401, "{}: {}", operation.id, reply.text());
        for (key, status) in [("nobody's", 401), ("expired", 401), ("revoked", 401)] {
            let reply = send(&context, with(request(route, operation), key)).await;
            assert_eq!(reply.status, status, "{} with {key}", operation.id);
            assert_eq!(reply.header("content-type"), "application/problem+json");
        }
        for scope in Scope::ALL {
            let reply = send(&context, with(request(route, operation), scope.as_str())).await;
            let is_let_in = scopes.iter().all(|needed| *needed == scope);
            let status = reply.status;
            assert_eq!(status != 403, is_let_in, "{} with {scope:?}: {status}", operation.id);
            assert_ne!(status, 401, "{} with {scope:?}", operation.id);
            cells += 1;
        }
        let reply = send(&context, with(request(route, operation), "all")).await;
        assert!(![401, 403].contains(&reply.status), "{}: {}", operation.id, reply.text());
    }
    assert!(cells > 200, "{cells} cells of the matrix");
}

#[actix_web::test]
async fn who_asks_is_told_what_their_key_opens_and_how_far_it_reaches() {
    let (context, _) = closed(bare());
    let me = read(&context, "commune", "/v1/me").await;
    assert_eq!(me.header("cache-control"), "no-store");
    let me = me.json();
    assert_eq!((&me["key"], &me["areas"]), (&object!("commune"), &object!(["16681"])));
    assert_eq!((&me["units"], &me["audience"]), (&object!(null), &object!("internal")));
    assert!(me["expires"].as_str().is_some_and(|at| at.ends_with("+07:00")), "{me}");
    let me = read(&context, "metrics", "/v1/me").await.json();
    assert_eq!((&me["scopes"], &me["areas"]), (&object!(["metrics"]), &object!(null)));
    assert_eq!(read(&context, "public", "/v1/me").await.json()["audience"], "public");
    problem(&send(&context, TestRequest::get().uri("/v1/me")).await, 401, "key-needed");
}

/// The world of the readings, with a key for the public that has all scopes.
fn readings() -> Arc<Context> {
    let ground = Ground::new();
    let measures = vec![received(&ground), sessions()];
    closed(ground.context(INDICATORS, snapshot(measures))).0
}

#[actix_web::test]
async fn c07_the_public_gets_no_further_than_to_figures() {
    let (context, _) = closed(canaries());
    let mut told = Vec::new();
    for (route, operation, _) in of_keys() {
        let reply = send(&context, with(request(route, operation), "public")).await;
        if operation.door.told == Audience::Public {
            assert!(reply.status != 403 && reply.status < 500, "{}", operation.id);
            told.push(operation.id);
        } else {
            problem(&reply, 403, "beyond-reach");
            assert!(!HIDDEN.iter().any(|canary| reply.text().contains(canary)), "{}", operation.id);
        }
    }
    let all = "start listIndicators readIndicator readValue readSeries readBreakdown queryBatch \
               listBoards readBoard exportReadings listAreas mapAreas readMe readReference readReferenceOfV1 showReference readSubset \
               readProblem readAsset";
    assert_eq!(told.join(" "), all);
}

#[actix_web::test]
async fn c07_c15_the_public_is_told_no_small_figure_whatever_it_asks() {
    let context = readings();
    // March: 8, 4 and 2 in three communes, so that all three hide each other, and 14 in the province.
    let month = "/v1/indicators/received/value?period=2024-03";
    let province = read(&context, "public", month).await.json();
    assert_eq!((&province["value"], &province["status"]), (&object!(14), &object!("final")));
    let of = |code: &str| format!("{month}&area={code}");
    for code in ["16681", "16663", "17000"] {
        let one = read(&context, "public", &of(code)).await.json();
        assert_eq!((&one["value"], &one["reason"]), (&object!(null), &object!("suppressed")));
        assert!(!read(&context, "all", &of(code)).await.json()["value"].is_null());
    }
    let rows = read(&context, "public", "/v1/indicators/received/breakdown?period=2024-03").await;
    let rows = rows.json()["items"].as_array().unwrap().clone();
    let told: Vec<_> = rows.iter().filter(|row| !row["value"].is_null()).collect();
    assert!(told.iter().all(|row| row["value"] == 0), "{told:?}");
    // Days, channels, older boundaries and what is not over are not told in any form.
    for uri in [
        "/v1/indicators/received/value?period=2024-03-15",
        "/v1/indicators/received/value?period=2024-04",
        "/v1/indicators/received/breakdown?period=2024-03&by=channel",
        "/v1/indicators/received/series?period=2024-03",
        "/v1/indicators/received/series?period=2024-03&by=commune&boundaries=as_reported",
        "/v1/indicators/online_rate/value?period=2024-03-15&compare=previous",
    ] {
        let reply = read(&context, "public", uri).await.json();
        // The province's month beside a breakdown is told.
        let items = reply["items"].as_array().cloned().unwrap_or_else(|| vec![reply.clone()]);
        assert!(!items.is_empty(), "{uri}");
        for item in &items {
            assert_eq!(item["value"], object!(null), "{uri}: {item}");
            assert_ne!(item["reason"], "no_events", "{uri}: {item}");
        }
        assert!(!reply.to_string().contains("\"reason\":\"out_of_reach\""), "{uri}");
    }
    let table = read(
        &context,
        "public",
        "/v1/indicators/received/series?period=2024-03&grain=month&by=commune&format=csv",
    )
    .await;
    assert!(table.text().contains("suppressed"), "{}", table.text());
    // Nor what was known at another time.
    problem(
        &read(&context, "public", &format!("{month}&as_of=2024-04-02")).await,
        403,
        "beyond-reach",
    );
}

#[actix_web::test]
async fn c07_who_shows_no_key_is_told_what_the_configuration_opens_to_the_public() {
    let mut world = canaries();
    let access = Access {
        anonymous: Some(Arc::new(grant(&[Scope::Read], public()))),
        keys: Arc::new(Keys::default()),
        limiter: Arc::new(Limiter::new(RateLimits::default())),
        origins: Vec::new(),
        is_proxy: Arc::new(|_| false),
        watch: Arc::new(|_| {}),
    };
    world.access = Arc::new(access);
    let context = Arc::new(world);
    let ask = |uri: &str| TestRequest::get().uri(uri);
    assert_eq!(send(&context, ask("/v1/catalogue")).await.status, 200);
    for path in ["/metrics", "/v1/events", "/v1/indicators/received/lineage"] {
        assert!([401, 403].contains(&send(&context, ask(path)).await.status), "{path}");
    }
}

#[actix_web::test]
async fn nothing_but_health_and_doors_with_locks_of_their_own_is_open_to_everybody() {
    let open: Vec<&str> = every()
        .filter(|(_, operation)| !matches!(operation.door.needs, Needs::Scopes(_)))
        .map(|(_, operation)| operation.id)
        .collect();
    assert_eq!(open, ["deliver", "readLiveness", "readReadiness"]);
    let (context, _) = closed(bare());
    for path in ["/livez", "/readyz"] {
        assert_eq!(send(&context, TestRequest::get().uri(path)).await.status, 200, "{path}");
    }
}

#[test]
fn the_document_names_the_scopes_that_the_table_asks_for() {
    let document = build("0.1.0", &Base::default());
    for (route, operation, scopes) in of_keys() {
        let verb = match operation.verb {
            crate::serve::routes::Verb::Read => "get",
            crate::serve::routes::Verb::Post => "post",
            crate::serve::routes::Verb::Patch => "patch",
            crate::serve::routes::Verb::Delete => "delete",
        };
        let described = &document["paths"][route.path][verb];
        let words: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        let ways = object!([{"api_key": words}, {"api_key_as_password": words}]);
        assert_eq!(described["security"], ways, "{}", operation.id);
        for status in ["401", "403"] {
            assert!(described["responses"][status].is_object(), "{} {status}", operation.id);
        }
    }
}

#[actix_web::test]
async fn a_refusal_says_what_is_missing_and_is_counted_and_never_repeats_the_key() {
    let (context, denied) = closed(bare());
    let none = send(&context, TestRequest::get().uri("/v1/catalogue")).await;
    problem(&none, 401, "key-needed");
    let ways: Vec<_> = none.headers.get_all(header::WWW_AUTHENTICATE).collect();
    assert_eq!(ways.len(), 2, "Bearer and Basic");
    assert_eq!(none.header("cache-control"), "no-store");
    for (key, word) in [("CANARY-KEY", "Nobody"), ("expired", "expired"), ("revoked", "revoked")] {
        let reply = read(&context, key, "/v1/catalogue").await;
        let body = problem(&reply, 401, "key-refused");
        assert!(body["detail"].as_str().unwrap().contains(word), "{body}");
        assert!(!reply.text().contains("CANARY"), "{body}");
    }
    let lacking = read(&context, "read", "/v1/sources").await;
    let body = problem(&lacking, 403, "scope-missing");
    assert!(body["detail"].as_str().unwrap().contains("sources"), "{body}");
    let beyond = read(&context, "commune", "/v1/indicators/received/value").await;
    let body = problem(&beyond, 403, "beyond-reach");
    assert!(body["detail"].as_str().unwrap().contains("commune:16681"), "{body}");
    let expected =
        [Denied::Missing, Denied::Unknown, Denied::Expired, Denied::Revoked, Denied::Scope];
    assert_eq!(denied.lock().unwrap()[..5], expected);
}

#[actix_web::test]
async fn a_key_is_the_password_of_basic_too_and_a_wrong_one_is_not_taken_for_nobody() {
    let (context, _) = closed(bare());
    let basic = |key: &str| {
        let value = format!("Basic {}", STANDARD.encode(format!("grafana:{key}")));
        TestRequest::get().uri("/v1/catalogue").insert_header((header::AUTHORIZATION, value))
    };
    assert_eq!(send(&context, basic("read")).await.status, 200);
    assert_eq!(send(&context, basic("metrics")).await.status, 403);
    // Where reading is open, somebody who shows a wrong key is told so.
    let open = Arc::new(bare());
    assert_eq!(send(&open, TestRequest::get().uri("/v1/catalogue")).await.status, 200);
    assert_eq!(send(&open, basic("read")).await.status, 401);
}

/// What other communes, and with them the province, received in March: not to be seen with the key
/// of 16681.
const HIDDEN: [&str; 4] = ["777001", "777002", "1554003", "1554008"];

/// A province of which 16681 received five.
fn canaries() -> Context {
    let mut ground = Ground::new();
    let cells = [("16681", 5), ("16663", 777_001), ("17000", 777_002)];
    let cells =
        cells.map(|(commune, count)| (Day::parse("2024-03-01").unwrap(), commune, "online", count));
    let received = measure(&ground, "dossiers.received", MeasureKind::Flow, cells.into_iter());
    let measures = vec![received, sessions()];
    let mut kiosks = source("kiosks", "Kiốt", "kiosk");
    kiosks.1.accountable_unit = "so-tttt".to_owned();
    ground.sources = [source("portal", "CANARY-Cổng", "dossiers"), kiosks].into();
    ground.context(INDICATORS, snapshot(measures))
}

/// Questions beyond what each address is asked by itself.
const QUESTIONS: [&str; 16] = [
    "/v1/indicators/received/value?period=2024-03",
    "/v1/indicators/received/value?period=2024-03&area=16663",
    "/v1/indicators/received/value?period=2024-03&area=commune:17000",
    "/v1/indicators/received/value?period=2024-03&area=commune:16663@2025-07",
    "/v1/indicators/received/value?period=2024-03&boundaries=as_reported",
    "/v1/indicators/received/series?period=2024-03",
    "/v1/indicators/received/series?period=2024-03&by=commune",
    "/v1/indicators/received/series?period=2024-03&by=commune&boundaries=as_reported",
    "/v1/indicators/received/series?period=2024-03&by=commune&format=csv",
    "/v1/indicators/received/breakdown?period=2024-03",
    "/v1/indicators/received/breakdown?period=2024-03&by=channel",
    "/v1/indicators/received/breakdown?period=2024-03&boundaries=as_reported",
    "/prometheus/api/v1/query?query=sum(ioc_received_dossiers)&time=2024-03-01T12:00:00Z",
    "/prometheus/api/v1/query?query=ioc_received_province_dossiers&time=2024-03-01T12:00:00Z",
    "/prometheus/api/v1/query?query=ioc_received_dossiers&time=2024-03-01T12:00:00Z",
    "/prometheus/api/v1/query_range?query=ioc_received_dossiers&start=2024-03-01T00:00:00Z&end=2024-03-02T00:00:00Z&step=1h",
];

#[actix_web::test]
async fn c06_a_key_for_a_commune_sees_no_cell_of_another_one_or_of_the_province() {
    let (context, _) = closed(canaries());
    // The canaries are there, for those who may see them.
    let mut shown = String::new();
    for uri in QUESTIONS {
        shown.push_str(read(&context, "all", uri).await.text());
    }
    for canary in HIDDEN.iter().filter(|canary| **canary != "1554003") {
        assert!(shown.contains(canary), "{canary}");
    }
    let mut replies = Vec::new();
    for uri in QUESTIONS {
        replies.push((uri, read(&context, "commune", uri).await));
    }
    for (route, operation, _) in of_keys() {
        replies
            .push((operation.id, send(&context, with(request(route, operation), "commune")).await));
    }
    let batch = TestRequest::post()
        .uri("/v1/query")
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .set_payload(
            object!({"queries": [
                {"indicator": "received", "read": "value", "parameters": {"period": "2024-03"}},
                {"indicator": "received", "read": "breakdown", "parameters": {"period": "2024-03"}},
                {"indicator": "received", "read": "value", "parameters": {"period": "2024-03", "area": "17000"}},
            ]})
            .to_string(),
        );
    replies.push(("a batch", send(&context, with(batch, "commune")).await));
    for (what, reply) in &replies {
        for canary in HIDDEN {
            assert!(!reply.text().contains(canary), "{what} shows {canary}: {}", reply.text());
        }
        assert!(reply.status < 500, "{what}: {}", reply.text());
    }
    let own = read(&context, "commune", "/v1/indicators/received/value?period=2024-03&area=16681");
    assert_eq!(own.await.json()["value"], 5);
    let rows = read(&context, "commune", QUESTIONS[9]).await.json();
    let keys: Vec<_> = rows["items"].as_array().unwrap().iter().map(|row| &row["key"]).collect();
    assert_eq!(keys, ["16681"]);
    assert_eq!((&rows["value"], &rows["reason"]), (&object!(null), &object!("out_of_reach")));
    let sum = read(&context, "commune", QUESTIONS[12]).await.json();
    assert_eq!(sum["data"]["result"][0]["value"][1], "5", "{sum}");
    for page in ["/", "/indicators/received", "/v1/sources", "/metrics"] {
        problem(&read(&context, "commune", page).await, 403, "beyond-reach");
    }
}

#[actix_web::test]
async fn c06_for_a_key_of_a_unit_other_units_indicators_and_sources_are_not_there() {
    let (context, _) = closed(canaries());
    let foreign = ["online_rate", "Tỷ lệ nộp trực tuyến", "CANARY-Cổng", "777001", "1554008"];
    let mut replies = Vec::new();
    for uri in QUESTIONS {
        replies.push((uri, read(&context, "unit", uri).await));
    }
    for (route, operation, _) in of_keys() {
        // What the example's name has in common with another unit's is what was sent.
        replies.push((operation.id, send(&context, with(request(route, operation), "unit")).await));
    }
    for (what, reply) in &replies {
        for word in foreign {
            assert!(!reply.text().contains(word), "{what} shows {word}: {}", reply.text());
        }
        assert!(reply.status < 500, "{what}: {}", reply.text());
    }
    for gone in ["/v1/indicators/received/value", "/v1/sources/portal", "/v1/units/vp-ubnd"] {
        let reply = read(&context, "unit", gone).await;
        assert_eq!(reply.status, 404, "{gone}: {}", reply.text());
    }
    let list = read(&context, "unit", "/v1/catalogue").await.json();
    let ids: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|item| &item["indicator"]).collect();
    assert_eq!(ids, ["kiosk_sessions"]);
    let list = read(&context, "unit", "/v1/sources").await.json();
    let names: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|item| &item["source"]).collect();
    assert_eq!(names, ["kiosks"]);
    assert_eq!(read(&context, "unit", "/").await.status, 200);
    problem(&read(&context, "unit", "/v1/quarantine").await, 403, "beyond-reach");
}

#[actix_web::test]
async fn c13_a_tag_of_one_reader_is_not_confirmed_to_another_one() {
    let (context, _) = closed(bare());
    let uri = "/v1/indicators/received/value?area=16681";
    let tag = |reply: &Reply| reply.header("etag").to_owned();
    let (all, commune) = (read(&context, "all", uri).await, read(&context, "commune", uri).await);
    assert_eq!((all.status, commune.status), (200, 200));
    assert_eq!(all.body, commune.body, "the same figures");
    assert_ne!(tag(&all), tag(&commune));
    assert!(all.header("vary").contains("Authorization"));
    let ask = |key: &str, tag: &str| {
        with(TestRequest::get().uri(uri).insert_header((header::IF_NONE_MATCH, tag)), key)
    };
    assert_eq!(send(&context, ask("all", &tag(&all))).await.status, 304);
    assert_eq!(send(&context, ask("commune", &tag(&all))).await.status, 200);
    assert_eq!(send(&context, ask("nobody's", &tag(&all))).await.status, 401);
}

#[actix_web::test]
async fn c02_c10_who_asks_too_often_is_told_when_to_come_back_and_nobody_else_is() {
    let (context, denied) = closed(bare());
    let mut world = Context::clone(&context);
    let rate = Rate { requests: 2, per: Span::seconds(3600) };
    let limits = RateLimits { key: rate, address: rate };
    let access = Access {
        anonymous: None,
        keys: Arc::clone(&world.access.keys),
        limiter: Arc::new(Limiter::new(limits)),
        origins: Vec::new(),
        is_proxy: Arc::new(|_| false),
        watch: Arc::clone(&world.access.watch),
    };
    world.access = Arc::new(access);
    let context = Arc::new(world);
    let first = read(&context, "read", "/v1/catalogue").await;
    assert_eq!(first.status, 200);
    assert_eq!(first.header("ratelimit-policy"), "\"default\";q=2;w=3600");
    assert!(first.header("ratelimit").starts_with("\"default\";r=1;t="));
    // A refusal by scope counts as well.
    assert_eq!(read(&context, "read", "/v1/sources").await.status, 403);
    let third = read(&context, "read", "/v1/catalogue").await;
    problem(&third, 429, "too-often");
    assert!(third.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(third.header("x-content-type-options"), "nosniff");
    assert_eq!(denied.lock().unwrap().last(), Some(&Denied::Rate));
    assert_eq!(read(&context, "all", "/v1/catalogue").await.status, 200);
    // Whoever guesses keys pays from the bucket of their address.
    let guesses = [401, 401, 429];
    for status in guesses {
        assert_eq!(read(&context, "guessed", "/v1/catalogue").await.status, status);
    }
    for _ in 0..3 {
        assert_eq!(send(&context, TestRequest::get().uri("/livez")).await.status, 200);
    }
}

#[actix_web::test]
async fn pages_of_listed_origins_may_read_and_no_others() {
    let (context, _) = closed(bare());
    let from = |request: TestRequest, origin: &'static str| {
        request.uri("/v1/catalogue").insert_header((header::ORIGIN, origin))
    };
    let asking = |origin| {
        let asking = TestRequest::default().method(actix_web::http::Method::OPTIONS);
        from(asking, origin).insert_header((header::ACCESS_CONTROL_REQUEST_METHOD, "GET"))
    };
    let yes = send(&context, asking(ORIGIN)).await;
    assert_eq!(yes.status, 204);
    assert_eq!(yes.header("access-control-allow-origin"), ORIGIN);
    assert!(yes.header("access-control-allow-headers").contains("Authorization"));
    assert_eq!(yes.header("access-control-allow-credentials"), "");
    let no = send(&context, asking("https://evil.example")).await;
    assert_eq!((no.status, no.header("access-control-allow-origin")), (405, ""));
    let read = send(&context, with(from(TestRequest::get(), ORIGIN), "read")).await;
    assert_eq!((read.status, read.header("access-control-allow-origin")), (200, ORIGIN));
    assert!(read.header("access-control-expose-headers").contains("ETag"));
    assert!(read.header("vary").contains("Origin"));
    // A refusal can be read by the page too, or nobody would know what went wrong.
    let refused = send(&context, from(TestRequest::get(), ORIGIN)).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, ORIGIN));
    let other =
        send(&context, with(from(TestRequest::get(), "https://evil.example"), "read")).await;
    assert_eq!((other.status, other.header("access-control-allow-origin")), (200, ""));
}

#[actix_web::test]
async fn c02_callers_behind_a_proxy_are_told_apart_by_what_the_proxy_says_and_nobody_else() {
    let mut world = bare();
    let rate = Rate { requests: 2, per: Span::seconds(3600) };
    let access = Arc::get_mut(&mut world.access).unwrap();
    access.limiter = Arc::new(Limiter::new(RateLimits { key: rate, address: rate }));
    access.is_proxy = Arc::new(|address| address.to_string().starts_with("10."));
    let world = Arc::new(world);
    let ask = |peer: &'static str, forwarded: &'static [&'static str]| {
        let world = Arc::clone(&world);
        async move {
            let mut request = TestRequest::get().uri("/v1").peer_addr(peer.parse().unwrap());
            for value in forwarded {
                request = request.append_header(("X-Forwarded-For", *value));
            }
            let reply = send(&world, request).await;
            (reply.status, reply.header("ratelimit").contains("r=1"))
        }
    };
    let fresh = (200, true);
    // What the proxy adds stands last; what stands before it, the caller may have made up.
    assert_eq!(ask("10.0.0.1:1", &["192.0.2.1"]).await, fresh);
    assert_eq!(ask("10.0.0.1:1", &["192.0.2.7, 192.0.2.1"]).await, (200, false));
    assert_eq!(ask("10.0.0.1:1", &["192.0.2.8", "192.0.2.1, 10.0.0.2"]).await.0, 429);
    assert_eq!(ask("10.0.0.1:1", &["192.0.2.2"]).await, fresh);
    assert_eq!(ask("10.0.0.1:1", &["2001:db8::1"]).await, fresh);
    // Nobody else is believed, and nonsense is passed over: then it is the proxy itself.
    assert_eq!(ask("198.51.100.1:1", &["192.0.2.3"]).await, fresh);
    assert_eq!(ask("198.51.100.1:1", &["192.0.2.4"]).await, (200, false));
    assert_eq!(ask("10.0.0.1:1", &["unknown"]).await, fresh);
    assert_eq!(ask("10.0.0.1:1", &[]).await, (200, false));
}

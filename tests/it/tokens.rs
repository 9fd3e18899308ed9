//! Signed tokens of a real provider (OpenID Connect): what they open, and what happens to them when the
//! provider changes its key, is away, or is not the one that the configuration means.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::support::certification::{addresses, page, points, record};
use crate::support::{CLIENT, Gateway, Moody, Overlay, Provider, Reply};

const CATALOGUE: &str = "/v1/catalogue";

struct World {
    overlay: Overlay,
    _upstream: Moody,
    variables: BTreeMap<String, String>,
    provider: Provider,
}

impl World {
    fn new() -> Self {
        let overlay = points(&["points"]);
        let upstream = Moody::start(Reply::json(&page(&[record("a")])));
        let variables = addresses(&[("points", &upstream.upstream)]);
        let provider = Provider::start(overlay.folder(), &["ioc-read", "other"]);
        let world = Self { overlay, _upstream: upstream, variables, provider };
        world.configure("RS256");
        world
    }

    /// Believes the provider's tokens for one audience, signed so.
    fn configure(&self, algorithms: &str) {
        let issuer = self.provider.issuer();
        let text = format!(
            "version: 1\ntoken_providers:\n  - provider: sso\n    issuer: {issuer}\n    \
             audience: ioc-read\n    algorithms: [{algorithms}]\n    \
             allowed_networks: [127.0.0.0/8]\n    rules:\n      \
             - {{claim: /scope, is: ioc-read, opens: {{scopes: [read]}}}}\n"
        );
        self.overlay.write("iocgw.yaml", &text);
    }

    fn start(&self) -> Gateway {
        let gateway =
            Gateway::start_closed(&self.overlay.config(), self.overlay.folder(), &self.variables);
        gateway.wait_until("the keys", "/livez", |_| gateway.log().contains("a provider's keys"));
        gateway
    }
}

fn ask(gateway: &Gateway, path: &str, token: &str) -> u16 {
    gateway.ask("GET", path, &[("Authorization", &format!("Bearer {token}"))]).status
}

/// The same token with one claim otherwise, under its old signature.
fn forged(token: &str, name: &str, value: &str) -> String {
    let pieces: Vec<&str> = token.split('.').collect();
    let mut claims: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(pieces[1]).unwrap()).unwrap();
    claims[name] = value.into();
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("{}.{claims}.{}", pieces[0], pieces[2])
}

#[test]
fn c05_a_providers_token_opens_what_its_rule_says_and_nothing_tells_whom_it_is_about() {
    let world = World::new();
    let gateway = world.start();
    let token = world.provider.token("ioc-read");
    assert_eq!(ask(&gateway, CATALOGUE, &token), 200);
    assert_eq!(ask(&gateway, "/v1/sources", &token), 403, "the rule names one scope");
    let me = gateway.ask("GET", "/v1/me", &[("Authorization", &format!("Bearer {token}"))]).json();
    let id = me["key"].as_str().unwrap().to_owned();
    assert!(id.starts_with("sso:") && id.len() == 20, "{me}");
    assert!(me["expires"].is_string() && me["scopes"] == serde_json::json!(["read"]), "{me}");

    assert_eq!(ask(&gateway, CATALOGUE, &forged(&token, "sub", "another")), 401);
    assert_eq!(ask(&gateway, CATALOGUE, &forged(&token, "scope", "ioc-sources")), 401);
    let other = world.provider.token("other");
    assert_eq!(ask(&gateway, CATALOGUE, &other), 401, "it is for another audience");
    let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
    assert_eq!(ask(&gateway, CATALOGUE, &unsigned), 401);

    let log = gateway.log();
    assert!(!log.contains(CLIENT) && !log.contains(&token), "{log}");
    gateway.stop();
    for file in ["iocgw.db", "iocgw.db-wal"] {
        let bytes = std::fs::read(world.overlay.folder().join(file)).unwrap_or_default();
        let is_found = |text: &str| bytes.windows(text.len()).any(|at| at == text.as_bytes());
        assert!(!is_found(CLIENT) && !is_found(&token), "{file}");
    }
}

#[test]
fn c10_another_key_of_the_provider_is_learned_and_tokens_of_the_old_one_end() {
    let mut world = World::new();
    let gateway = world.start();
    let old = world.provider.token("ioc-read");
    assert_eq!(ask(&gateway, CATALOGUE, &old), 200);
    world.provider.change_key();
    let new = world.provider.token("ioc-read");
    // The first showing has the provider asked; it is believed as soon as its key is there.
    let mut statuses = Vec::new();
    for _ in 0..1200 {
        statuses.push(ask(&gateway, CATALOGUE, &new));
        if statuses.last() == Some(&200) {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    assert_eq!((statuses[0], statuses.last()), (401, Some(&200)), "{}", gateway.log());
    assert_eq!(ask(&gateway, CATALOGUE, &old), 401, "its key is no more");

    // A configuration that says the same of providers keeps their keys, and so does a provider's silence.
    let contract = world.overlay.config().join("contracts/certification_acts.yaml");
    let text = std::fs::read_to_string(&contract).unwrap();
    let token = world.provider.token("ioc-read");
    world.provider.stop();
    std::fs::write(&contract, format!("{text}\n# the same\n")).unwrap();
    gateway.reload();
    gateway.wait_until("the reload", "/livez", |_| {
        gateway.log().contains("another configuration is in use")
    });
    assert_eq!(ask(&gateway, CATALOGUE, &token), 200);
}

#[test]
fn algorithms_that_are_not_listed_and_providers_that_do_not_answer_open_nothing() {
    let mut world = World::new();
    world.configure("ES256, EdDSA");
    let gateway = world.start();
    let token = world.provider.token("ioc-read");
    assert_eq!(ask(&gateway, CATALOGUE, &token), 401, "RS256 is not listed");
    gateway.stop();
    world.configure("RS256");
    world.provider.stop();
    let gateway =
        Gateway::start_closed(&world.overlay.config(), world.overlay.folder(), &world.variables);
    gateway.wait_until("the failure", "/livez", |_| {
        gateway.log().contains("a provider's keys cannot be read")
    });
    assert_eq!(ask(&gateway, CATALOGUE, &token), 401);
    assert_eq!(gateway.get("/readyz").status, 200, "keys of our own go on");
}

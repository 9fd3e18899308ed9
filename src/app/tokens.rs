//! The providers whose tokens are believed: their keys, read again and again, and who shows a token.
//!
//! Reading keys never keeps anybody waiting: a request is judged by the keys that are there. A token that
//! is signed with a key of another name has the provider asked soon, and is believed when it is shown
//! again. What was believed is remembered under its hash until it is over or the keys are others, so that
//! a dashboard that polls costs no signature each time. Whom a token is about is known here as a keyed
//! hash only.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::keys::{Keys, is_key};
use super::{Settings, identifier_keys};
use crate::clock::Clock;
use crate::config::{Config, TokenProvider};
use crate::model::access::Grant;
use crate::model::time::Stamp;
use crate::pull::{self, Fetcher, Outbound, PullError};
use crate::serve::token::{Believed, Doubt, Issuer, KeySet, Presented};
use crate::serve::{Denied, Holder, Keyring};
use crate::telemetry::Metrics;

/// The shortest time between two readings of the keys, whatever is shown.
const SHORTEST: Duration = Duration::from_secs(10);

/// How soon a failed reading is tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// The most tokens that are remembered.
const MOST: usize = 10_000;

/// One provider at work.
struct Provider {
    settings: TokenProvider,
    issuer: Issuer,
    fetcher: Fetcher,
    keys: ArcSwapOption<KeySet>,
    /// Somebody showed a token that is signed with a key of another name.
    wanted: Notify,
}

/// A token that was believed.
struct Seen {
    provider: usize,
    id: String,
    grant: Arc<Grant>,
    expires: Stamp,
}

/// All providers of one configuration.
pub(super) struct Tokens {
    providers: Vec<Arc<Provider>>,
    clock: Clock,
    /// What subjects are hashed under.
    key: [u8; 32],
    seen: Arc<Mutex<HashMap<blake3::Hash, Seen>>>,
    stop: CancellationToken,
}

/// Those of a configuration.
pub(super) fn of(
    settings: &Settings,
    config: &Config,
    context: &pull::Context,
) -> anyhow::Result<Tokens> {
    let (key, _) = identifier_keys(settings)?;
    let out = (&context.outbound, &*settings.secrets);
    Tokens::new(&config.token_providers, out, &key, context.clock.clone(), &context.stop)
}

/// What a provider says of itself.
#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

impl Tokens {
    /// The providers of a configuration; asks nobody yet. Subjects are hashed under a key that follows from
    /// the identifier key.
    pub(super) fn new(
        providers: &[TokenProvider],
        (outbound, secrets): (&Outbound, &Path),
        identifier_key: &[u8],
        clock: Clock,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let provider = |settings: &TokenProvider| {
            let networks = &settings.allowed_networks;
            let needs_tls = [Some(&settings.issuer), settings.keys_url.as_ref()]
                .into_iter()
                .flatten()
                .any(|url| url.starts_with("https:"));
            anyhow::Ok(Arc::new(Provider {
                issuer: settings.issuer(),
                fetcher: Fetcher::new((needs_tls, &settings.tls), networks, outbound, secrets)?,
                settings: settings.clone(),
                keys: ArcSwapOption::empty(),
                wanted: Notify::new(),
            }))
        };
        Ok(Self {
            providers: providers.iter().map(provider).collect::<Result<_, _>>()?,
            clock,
            key: blake3::derive_key("ioc-gateway 2026 subjects of tokens", identifier_key),
            seen: Arc::default(),
            stop: stop.child_token(),
        })
    }

    /// Begins to read the keys of all providers.
    pub(super) fn start(&self, metrics: &Arc<Metrics>) {
        let names: Vec<&str> =
            self.providers.iter().map(|each| each.settings.provider.as_str()).collect();
        metrics.providers.adopt(&names);
        for (at, provider) in self.providers.iter().enumerate() {
            let (provider, metrics) = (Arc::clone(provider), Arc::clone(metrics));
            let (clock, seen, stop) =
                (self.clock.clone(), Arc::clone(&self.seen), self.stop.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = keep(&provider, &metrics, &clock, move || forget(&seen, at)) => {}
                }
            });
        }
    }

    /// Ends reading keys; what is shown from now on is judged by those that are there.
    pub(super) fn end(&self) {
        self.stop.cancel();
    }

    fn holder(&self, text: &str) -> Result<Holder, Denied> {
        let (hash, now) = (blake3::hash(text.as_bytes()), self.clock.now());
        if let Some(seen) = self.lock().get(&hash) {
            return if seen.expires > now { Ok(seen.holder()) } else { Err(Denied::Expired) };
        }
        match self.judged(text, now) {
            Ok(seen) => {
                let holder = seen.holder();
                self.remember(hash, seen, now);
                Ok(holder)
            }
            Err(Doubt::Expired) => Err(Denied::Expired),
            Err(doubt) => {
                tracing::debug!(%doubt, "a token is not believed");
                Err(Denied::Unknown)
            }
        }
    }

    fn judged(&self, text: &str, now: Stamp) -> Result<Seen, Doubt> {
        let presented = Presented::read(text)?;
        let named = presented.issuer().ok_or(Doubt::Issuer)?;
        let found = self.providers.iter().enumerate();
        let mut found = found.filter(|(_, provider)| provider.settings.issuer == named);
        let (at, provider) = found.next().ok_or(Doubt::Issuer)?;
        let keys = provider.keys.load_full().unwrap_or_default();
        let believed = presented.check(&provider.issuer, &keys, now);
        if matches!(believed, Err(Doubt::Key)) {
            provider.wanted.notify_one();
        }
        let Believed { subject, grant, expires } = believed?;
        let id = self.id(&provider.settings, &subject);
        Ok(Seen { provider: at, id, grant, expires })
    }

    /// How somebody is spoken of: the provider and a keyed hash.
    fn id(&self, provider: &TokenProvider, subject: &str) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(provider.issuer.as_bytes()).update(&[0]).update(subject.as_bytes());
        format!("{}:{}", provider.provider, &hasher.finalize().to_hex()[..16])
    }

    fn remember(&self, hash: blake3::Hash, token: Seen, now: Stamp) {
        let mut seen = self.lock();
        if seen.len() >= MOST {
            seen.retain(|_, each| each.expires > now);
        }
        if seen.len() < MOST {
            seen.insert(hash, token);
        }
    }

    /// Whether a token that is still good was shown for this id.
    fn is_good(&self, id: &str) -> bool {
        let now = self.clock.now();
        self.lock().values().any(|seen| seen.id == id && seen.expires > now)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<blake3::Hash, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn holder(&self) -> Holder {
        Holder { id: self.id.clone(), grant: Arc::clone(&self.grant), expires: self.expires }
    }
}

/// What a provider's tokens opened is looked at anew.
fn forget(seen: &Mutex<HashMap<blake3::Hash, Seen>>, provider: usize) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.retain(|_, each| each.provider != provider);
}

/// Reads the keys of a provider for ever; the last good ones stay while it does not answer.
async fn keep(provider: &Provider, metrics: &Metrics, clock: &Clock, changed: impl Fn()) {
    let name = &provider.settings.provider;
    let mut known = Vec::new();
    let mut was_good = None;
    loop {
        let read = provider.read().await;
        let (is_good, pause) = match &read {
            Ok((body, keys)) => {
                metrics.providers.read(name, keys.len(), clock.now());
                if *body != known {
                    known.clone_from(body);
                    provider.keys.store(Some(Arc::new(keys.clone())));
                    changed();
                    tracing::info!(provider = name, keys = keys.len(), "a provider's keys");
                }
                (true, provider.settings.refresh.0)
            }
            Err(error) => {
                metrics.providers.failed(name);
                if was_good != Some(false) {
                    tracing::warn!(provider = name, error, "a provider's keys cannot be read");
                }
                (false, AGAIN)
            }
        };
        was_good = Some(is_good);
        let begun = Instant::now();
        tokio::select! {
            () = sleep_until(begun + pause) => {}
            () = provider.wanted.notified() => sleep_until(begun + SHORTEST).await,
        }
    }
}

impl Provider {
    /// The keys as they are published now.
    async fn read(&self) -> Result<(Vec<u8>, KeySet), String> {
        let told = |error: PullError| error.to_string();
        let url = match &self.settings.keys_url {
            Some(url) => url.clone(),
            None => self.discovered().await?,
        };
        let body = self.fetcher.read("GET keys", &url).await.map_err(told)?;
        let keys = KeySet::read(&body).map_err(str::to_owned)?;
        Ok((body.to_vec(), keys))
    }

    /// Where the provider says that its keys are.
    async fn discovered(&self) -> Result<String, String> {
        const LABEL: &str = "GET openid-configuration";
        let issuer = &self.settings.issuer;
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let body = self.fetcher.read(LABEL, &url).await.map_err(|error| error.to_string())?;
        let found: Discovered =
            serde_json::from_slice(&body).map_err(|_| format!("{LABEL}: not what it should be"))?;
        if found.issuer != *issuer {
            return Err(format!("{LABEL}: it calls itself another issuer than the configured one"));
        }
        let mut problems = Vec::new();
        pull::check_document(&found.jwks_uri, LABEL, &mut problems);
        match problems.pop() {
            None => Ok(found.jwks_uri),
            Some((_, message)) => Err(format!("{LABEL}: its jwks_uri {message}")),
        }
    }
}

/// Whoever shows something: a key of ours, or a token of somebody else's.
pub(super) struct Credentials {
    pub(super) keys: Arc<Keys>,
    pub(super) tokens: Arc<Tokens>,
}

impl Keyring for Credentials {
    fn holder(&self, shown: &str) -> Result<Holder, Denied> {
        if is_key(shown) || self.tokens.providers.is_empty() {
            return self.keys.holder(shown);
        }
        self.tokens.holder(shown)
    }

    fn grant(&self, id: &str) -> Option<Arc<Grant>> {
        self.keys.grant(id)
    }

    fn is_good(&self, id: &str) -> bool {
        // A colon stands in no key's id.
        if id.contains(':') { self.tokens.is_good(id) } else { self.keys.is_good(id) }
    }
}

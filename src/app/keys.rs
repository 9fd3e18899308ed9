//! The keys of the API: made, known, and forgotten within a second.
//!
//! A key is `iocgw_ID_SECRET`: 256 random bits with a public part in front, by which people speak of it.
//! It is shown once; the store has its BLAKE3 hash, which is enough for a secret that nobody can guess.
//! The command line writes keys into the store of a running gateway, so the gateway looks at the
//! store twice a second whether anything was written by somebody else. Between two looks the keys are in
//! memory: a request costs one hash and no disk. When a key was last used is written once a minute, so that
//! one that nobody needs, or somebody else uses, can be found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Gateway;
use super::tokens::Credentials;
use crate::clock::Clock;
use crate::model::access::{ApiKey, Grant, KeyState, Reach, Scope};
use crate::model::time::Stamp;
use crate::serve::{Access, Denied, Holder, Keyring, Limiter, Opens};
use crate::store::{KeyReader, KeyWriter, StoredKey};

/// How often the store is looked at. A revocation is seen within this and the time of one look.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often is written which keys have been used.
const WRITE_EVERY: Duration = Duration::from_mins(1);

/// What every key begins with, so that a scanner of texts can find one that got lost.
const PREFIX: &str = "iocgw_";

/// The length of a public part.
const ID_LENGTH: usize = 16;

/// What a new key shall be.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What it is for.
    pub name: String,
    /// What it may be used for.
    pub grant: Grant,
    /// From when on it is refused.
    pub expires: Stamp,
}

/// Makes a key and keeps its hash; yields its public part and the key itself, which nobody can tell
/// again.
pub fn make_key(store: &Path, new: NewKey, now: Stamp) -> anyhow::Result<(String, String)> {
    let mut random = [0_u8; ID_LENGTH / 2 + 32];
    let drawn = SystemRandom::new().fill(&mut random);
    drawn.map_err(|_| anyhow!("the machine gives no random numbers"))?;
    let (id, secret) = random.split_at(ID_LENGTH / 2);
    let id = id.iter().fold(0_u64, |id, byte| (id << 8) | u64::from(*byte));
    let id = format!("{id:016x}");
    let key = format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(secret));
    let NewKey { name, grant, expires } = new;
    let stored = StoredKey {
        key: ApiKey {
            id: id.clone(),
            name,
            grant,
            created: now,
            expires,
            revoked: None,
            used: None,
        },
        hash: *blake3::hash(key.as_bytes()).as_bytes(),
    };
    KeyWriter::open(store)?.create(&stored)?;
    Ok((id, key))
}

/// A key as a request is compared with it.
struct Known {
    key: ApiKey,
    grant: Arc<Grant>,
    hash: blake3::Hash,
    /// When it was last used here, in seconds since 1970.
    used: AtomicI64,
}

/// The keys as they were at the last look.
pub(super) struct Keys {
    known: ArcSwap<BTreeMap<String, Known>>,
    reader: Mutex<KeyReader>,
    store: PathBuf,
    clock: Clock,
}

impl Keys {
    /// Those of a store.
    pub(super) fn of(store: &Path, clock: Clock) -> anyhow::Result<Self> {
        let reader = KeyReader::open(store).context("the keys of the API cannot be read")?;
        let (known, reader) = (ArcSwap::default(), Mutex::new(reader));
        let keys = Self { known, reader, store: store.to_owned(), clock };
        keys.refresh()?;
        Ok(keys)
    }

    /// Looks whether anything was written; on a thread that may block.
    fn refresh(&self) -> anyhow::Result<()> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(keys) = reader.newer()? else { return Ok(()) };
        let before = self.known.load();
        let known = |StoredKey { key, hash }: StoredKey| {
            let used = before.get(&key.id).map_or(0, |known| known.used.load(Ordering::Relaxed));
            let (grant, hash) = (Arc::new(key.grant.clone()), blake3::Hash::from_bytes(hash));
            (key.id.clone(), Known { key, grant, hash, used: AtomicI64::new(used) })
        };
        self.known.store(Arc::new(keys.into_iter().map(known).collect()));
        Ok(())
    }

    /// Writes when keys were last used, if any was since it was written; on a thread that may block.
    fn write_uses(&self) -> anyhow::Result<()> {
        let known = self.known.load();
        let used = known.values().filter_map(|known| {
            let used = Stamp(known.used.load(Ordering::Relaxed));
            (used > known.key.used.unwrap_or_default()).then(|| (known.key.id.clone(), used))
        });
        let used: Vec<_> = used.collect();
        if !used.is_empty() {
            KeyWriter::open(&self.store)?.note_uses(&used)?;
        }
        Ok(())
    }
}

/// Looks at the store again and again, until the gateway stops. What cannot be read leaves the keys as
/// they are: a store that has failed ends the gateway by itself.
pub(super) async fn look(keys: Arc<Keys>, stop: CancellationToken) {
    let (mut ticks, mut minutes) = (interval(LOOK_EVERY), interval(WRITE_EVERY));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = minutes.tick() => on_disk(&keys, Keys::write_uses).await,
            _ = ticks.tick() => on_disk(&keys, Keys::refresh).await,
        }
    }
    on_disk(&keys, Keys::write_uses).await;
}

async fn on_disk(keys: &Arc<Keys>, work: fn(&Keys) -> anyhow::Result<()>) {
    let keys = Arc::clone(keys);
    match tokio::task::spawn_blocking(move || work(&keys)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "the keys of the API cannot be read or written"),
        Err(error) => tracing::error!(%error, "the keys of the API were not looked at"),
    }
}

/// Whether a text looks like a key of ours, good or not.
pub(super) fn is_key(shown: &str) -> bool {
    shown.starts_with(PREFIX)
}

/// The public part of a text that looks like a key.
fn id_of(key: &str) -> Option<&str> {
    let (id, _) = key.strip_prefix(PREFIX)?.split_once('_')?;
    (id.len() == ID_LENGTH).then_some(id)
}

impl Keyring for Keys {
    fn holder(&self, key: &str) -> Result<Holder, Denied> {
        let known = self.known.load();
        let found = id_of(key).and_then(|id| known.get(id)).ok_or(Denied::Unknown)?;
        // Equality of these hashes takes the same time wherever they differ.
        if blake3::hash(key.as_bytes()) != found.hash {
            return Err(Denied::Unknown);
        }
        match found.key.state(self.clock.now()) {
            KeyState::Active => {
                found.used.store(self.clock.now().0, Ordering::Relaxed);
                let expires = found.key.expires;
                Ok(Holder { id: found.key.id.clone(), grant: Arc::clone(&found.grant), expires })
            }
            KeyState::Expired => Err(Denied::Expired),
            KeyState::Revoked => Err(Denied::Revoked),
        }
    }

    fn grant(&self, id: &str) -> Option<Arc<Grant>> {
        let known = self.known.load();
        let found = known.get(id)?;
        let is_good = found.key.state(self.clock.now()) == KeyState::Active;
        is_good.then(|| Arc::clone(&found.grant))
    }
}

impl Gateway {
    /// What those may who show no key: what the configuration opens, and what it was started with.
    fn anonymous(&self) -> Option<Grant> {
        let configured = self.config.access.anonymous.as_ref().map(Opens::grant);
        if self.opened.is_empty() {
            return configured;
        }
        let mut grant = configured
            .unwrap_or_else(|| Grant { scopes: BTreeSet::new(), reach: Reach::default() });
        grant.scopes.extend(&self.opened);
        Some(grant)
    }

    /// Whom the API lets in.
    pub(super) fn access(&self) -> Arc<Access> {
        let (metrics, gathered) = (Arc::clone(&self.metrics), Arc::clone(&self.gathered));
        Arc::new(Access {
            anonymous: self.anonymous().map(Arc::new),
            keys: Arc::new(Credentials {
                keys: Arc::clone(&self.keys),
                tokens: Arc::clone(&self.tokens),
            }),
            limiter: Arc::new(Limiter::new(self.config.access.rate_limits.clone())),
            origins: self.config.access.origins.clone(),
            is_proxy: {
                let proxies = self.config.listener.trusted_proxies.clone();
                Arc::new(move |address| proxies.hold(address))
            },
            watch: Arc::new(move |refusal| {
                metrics.denials.denied(refusal.reason.as_str());
                gathered.add(refusal);
            }),
        })
    }

    /// What is open to everybody, in words.
    pub(super) fn what_is_open(&self) -> String {
        let scopes = self.anonymous().map(|grant| grant.scopes).unwrap_or_default();
        scopes.into_iter().map(Scope::as_str).collect::<Vec<_>>().join(", ")
    }

    /// Says in the log what is open to everybody.
    pub(super) fn tell_what_is_open(&self) {
        let scopes = self.what_is_open();
        if scopes.is_empty() {
            tracing::info!("only those with a key are answered");
        } else {
            tracing::warn!(scopes, "open to everybody who reaches this address");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_who_it_is_before_its_secret() {
        assert_eq!(id_of("iocgw_0123456789abcdef_x_y"), Some("0123456789abcdef"));
        for text in
            ["", "iocgw_", "iocgw_0123456789abcdef", "iocgw_short_x", "x_0123456789abcdef_y"]
        {
            assert_eq!(id_of(text), None, "{text}");
        }
    }

    #[test]
    fn c05_keys_are_long_all_different_and_kept_as_hashes_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.db");
        let clock = Clock::standing(Stamp(1000));
        let new = || NewKey {
            name: "CANARY-NAME".to_owned(),
            grant: Grant { scopes: [Scope::Read].into(), reach: Reach::default() },
            expires: Stamp(2000),
        };
        let (one, key) = make_key(&path, new(), clock.now()).unwrap();
        let (other, _) = make_key(&path, new(), clock.now()).unwrap();
        assert_ne!(one, other);
        let secret = key.rsplit_once(&format!("{one}_")).unwrap().1;
        assert_eq!(URL_SAFE_NO_PAD.decode(secret).unwrap().len(), 32);
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "the secret stands in a file");
        }
        let keys = Keys::of(&path, clock.clone()).unwrap();
        assert_eq!(keys.holder(&key).unwrap().id, one);
        assert_eq!(keys.holder(&format!("{key}x")).unwrap_err(), Denied::Unknown);
        assert_eq!(keys.holder(&key.replace(&one, &other)).unwrap_err(), Denied::Unknown);
        clock.set(Stamp(2000));
        assert_eq!(keys.holder(&key).unwrap_err(), Denied::Expired);
        assert!(!keys.is_good(&one));
        clock.set(Stamp(1500));
        KeyWriter::open(&path).unwrap().revoke(&one, clock.now()).unwrap();
        assert!(keys.holder(&key).is_ok(), "not yet looked at");
        keys.refresh().unwrap();
        assert_eq!(keys.holder(&key).unwrap_err(), Denied::Revoked);
        assert!(!keys.is_good(&one));
    }
    #[test]
    fn c10_when_a_key_was_last_used_is_kept_and_a_refused_one_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.db");
        let clock = Clock::standing(Stamp(1000));
        let new = |expires| NewKey {
            name: "CANARY-NAME".to_owned(),
            grant: Grant { scopes: [Scope::Read].into(), reach: Reach::default() },
            expires: Stamp(expires),
        };
        let (one, key) = make_key(&path, new(9000), clock.now()).unwrap();
        let (other, expired) = make_key(&path, new(1001), clock.now()).unwrap();
        let used = || {
            let keys = KeyReader::open(&path).unwrap().newer().unwrap().unwrap();
            let used: BTreeMap<_, _> =
                keys.into_iter().map(|StoredKey { key, .. }| (key.id, key.used)).collect();
            (used[&one], used[&other])
        };
        let keys = Keys::of(&path, clock.clone()).unwrap();
        clock.set(Stamp(2000));
        assert!(keys.holder(&format!("{key}x")).is_err() && keys.holder(&expired).is_err());
        keys.write_uses().unwrap();
        assert_eq!(used(), (None, None));
        assert!(keys.holder(&key).is_ok());
        // Another key is made meanwhile: what is known of the first is not forgotten.
        make_key(&path, new(9000), clock.now()).unwrap();
        keys.refresh().unwrap();
        keys.write_uses().unwrap();
        assert_eq!(used(), (Some(Stamp(2000)), None));
        // A clock that was set back takes nothing back.
        clock.set(Stamp(1500));
        assert!(keys.holder(&key).is_ok());
        keys.write_uses().unwrap();
        assert_eq!(used(), (Some(Stamp(2000)), None));
    }
}

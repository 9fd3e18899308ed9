//! The audit log of this gateway: who is told apart in it, what is gathered before it is written, and
//! when its state is signed.
//!
//! Refusals are written down too, but gathered: whoever knocks a thousand times a second makes a count
//! grow and not the log. Of a minute at most a few are told apart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{Gateway, Settings};
use crate::model::audit::{Action, Actor, AuditEntry, AuditFilter, Deed};
use crate::serve::{self, Refusal};
use crate::store::{SigningKey, Store};

/// The file in the secrets folder with which checkpoints of the log are signed; without it there are
/// none.
pub const AUDIT_KEY: &str = "audit_key";

/// How often refusals are written down.
const GATHER_FOR: Duration = Duration::from_mins(1);

/// After how many such minutes the state of the log is signed.
const SIGN_EVERY: u32 = 60;

/// The most kinds of refusals that are told apart in a minute.
const KINDS: usize = 8;

/// Reads the log for the API.
pub(super) struct Log(pub(super) Store);

impl serve::AuditReader for Log {
    fn entries(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, String> {
        self.0.audit(filter).map_err(|error| error.to_string())
    }
}

/// Refusals that are not written down yet.
#[derive(Debug, Default)]
pub(super) struct Gathered(Mutex<BTreeMap<Refusal, u64>>);

impl Gathered {
    /// Counts one more.
    pub(super) fn add(&self, refusal: Refusal) {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal = match kinds.len() {
            KINDS.. if !kinds.contains_key(&refusal) => {
                Refusal { key: None, route: "others", ..refusal }
            }
            _ => refusal,
        };
        *kinds.entry(refusal).or_default() += 1;
    }

    /// What was counted since the last time, as deeds.
    fn taken(&self) -> Vec<Deed> {
        let kinds = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let deed = |(refusal, count): (Refusal, u64)| {
            let Refusal { reason, key, route } = refusal;
            let actor = Actor::with_key(key.as_deref());
            let detail = format!("{}, {count} times", reason.as_str());
            Deed::new(actor, Action::AccessDenied, route, &detail)
        };
        kinds.into_iter().map(deed).collect()
    }
}

/// The key that signs, if the secrets have one.
pub(super) fn signing_key(settings: &Settings) -> anyhow::Result<Option<Arc<SigningKey>>> {
    let path = settings.secrets.join(AUDIT_KEY);
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(Arc::new(SigningKey::read(&path)?)))
}

/// Writes down and signs, until the gateway stops and once more then.
pub(super) async fn keep(
    store: Arc<ArcSwap<Store>>,
    gathered: Arc<Gathered>,
    key: Option<Arc<SigningKey>>,
    stop: CancellationToken,
) {
    let mut ticks = interval(GATHER_FOR);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut minutes = 0_u32;
    loop {
        let is_over = tokio::select! {
            () = stop.cancelled() => true,
            _ = ticks.tick() => false,
        };
        for deed in gathered.taken() {
            if let Err(error) = store.load_full().note(deed).await {
                tracing::error!(%error, "refusals could not be written to the audit log");
            }
        }
        let is_due = is_over || minutes.is_multiple_of(SIGN_EVERY);
        if let Some(key) = key.as_ref().filter(|_| is_due) {
            sign(&store.load_full(), Arc::clone(key)).await;
        }
        minutes = minutes.wrapping_add(1);
        if is_over {
            return;
        }
    }
}

async fn sign(store: &Store, key: Arc<SigningKey>) {
    match store.sign_audit(key).await {
        // From here it leaves the machine with the rest of the log.
        Ok(Some(checkpoint)) => tracing::info!(%checkpoint, "the audit log was signed"),
        Ok(None) => {}
        Err(error) => tracing::error!(%error, "the audit log could not be signed"),
    }
}

impl Gateway {
    /// Writes down something that changes nothing else.
    pub(super) async fn note(&self, action: Action, object: &str, detail: &str) {
        let deed = Deed::new(Actor::gateway(), action, object, detail);
        if let Err(error) = self.store.note(deed).await {
            tracing::error!(%error, "the audit log could not be written");
        }
    }
}

//! Webhooks: kept in the store, told by the courier in use.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use futures_util::FutureExt as _;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::{Gateway, OUTBOUND_ALLOW, Settings};
use crate::config::Config;
use crate::model::audit::Deed;
use crate::model::webhook::{Change, Changed, Telling, Trial, Webhook};
use crate::notify::{Notifier, WebhookKey};
use crate::pull::Courier;
use crate::serve::{self, Keyring as _, Pending};

/// The file in the secrets folder that the secrets of webhooks are made from.
pub const WEBHOOK_KEY: &str = "webhook_key";

/// Keeps webhooks for the API.
pub(super) struct Hooks {
    notifier: Notifier,
    every: Duration,
}

/// The key that secrets are made from, if the folder of secrets has one.
pub(super) fn webhook_key(settings: &Settings) -> anyhow::Result<Option<Arc<WebhookKey>>> {
    let path: PathBuf = settings.secrets.join(WEBHOOK_KEY);
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(Arc::new(WebhookKey::read(&path)?)))
}

/// Who carries messages under a configuration, on this very machine too where that is open.
pub(super) fn courier(settings: &Settings, config: &Config) -> anyhow::Result<Courier> {
    let mut configured = config.webhooks.clone();
    if let Some(allowed) = settings.lookup(OUTBOUND_ALLOW) {
        let networks = allowed.parse().map_err(|error| anyhow!("{OUTBOUND_ALLOW}: {error}"))?;
        configured.allow.join(networks);
    }
    Ok(Courier::new(configured, settings.secrets.clone()))
}

impl Gateway {
    /// Hands messages over, whatever the configuration.
    pub(super) fn notifier(&self) -> Notifier {
        let keys = Arc::clone(&self.keys);
        Notifier {
            store: Arc::clone(&self.in_use),
            courier: Arc::clone(&self.courier),
            key: self.webhook_key.clone(),
            clock: self.clock.clone(),
            is_good: Arc::new(move |id| keys.is_good(id)),
            metrics: Arc::clone(&self.metrics),
        }
    }

    pub(super) fn hooks(&self) -> Arc<dyn serve::Hooks> {
        let every = self.config.webhooks.every.as_seconds().unsigned_abs();
        Arc::new(Hooks { notifier: self.notifier(), every: Duration::from_secs(every) })
    }
}

impl serve::Hooks for Hooks {
    fn list(&self) -> Result<Vec<Webhook>, String> {
        self.notifier.store.load().webhooks().map_err(|error| error.to_string())
    }

    fn told(&self) -> Result<std::collections::BTreeMap<String, Vec<u8>>, String> {
        self.notifier.store.load().told().map_err(|error| error.to_string())
    }

    fn tell(&self, telling: Telling) -> Pending<()> {
        let store = self.notifier.store.load_full();
        async move {
            let full = store.tell(telling).await.map_err(|error| error.to_string())?;
            for webhook in full {
                tracing::warn!(webhook, "too much waits: it is told to read everything again");
            }
            Ok(())
        }
        .boxed()
    }

    fn every(&self) -> Duration {
        self.every
    }

    fn admits(&self, url: &str) -> Result<(), String> {
        self.notifier.courier.load().check(url)
    }

    fn new_id(&self) -> Result<String, String> {
        let mut random = [0_u8; 8];
        let drawn = SystemRandom::new().fill(&mut random);
        drawn.map_err(|_| "the machine gives no random numbers".to_owned())?;
        Ok(format!("wh_{:016x}", u64::from_be_bytes(random)))
    }

    fn secret(&self, id: &str, generation: u32) -> Option<(String, u32)> {
        let key = self.notifier.key.as_ref()?;
        Some((key.secret(id, generation), key.mark()))
    }

    fn change(&self, id: String, change: Change, deed: Deed) -> Pending<Changed> {
        let store = self.notifier.store.load().on_behalf_of(deed);
        async move { store.change_webhook(&id, change).await.map_err(|error| error.to_string()) }
            .boxed()
    }

    fn try_out(&self, webhook: Webhook, deed: Deed) -> Pending<Trial> {
        let notifier = self.notifier.clone();
        async move {
            let store = notifier.store.load_full();
            store.note(deed).await.map_err(|error| error.to_string())?;
            Ok(notifier.try_out(&webhook).await)
        }
        .boxed()
    }
}

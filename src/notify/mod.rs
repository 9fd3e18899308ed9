//! Hands messages over to those who asked for them, by Standard Webhooks 1.0.
//!
//! What is to be told waits in the store's outbox and is taken out when somebody took it, so a message
//! is handed over at least once, whatever dies when; its id is the same each time. Each webhook has a
//! task of its own while it is told something: its messages go in their order, and who is slow holds up
//! nobody else. What is not taken is tried again (`schedule`), until it is taken or nobody is believed to
//! listen.

mod schedule;
mod sign;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

pub use sign::{WebhookKey, WebhookKeyError};

use crate::clock::Clock;
use crate::model::webhook::{Attempt, Disabled, Message, TEST, Trial, Webhook, body};
use crate::pull::{Courier, Posted};
use crate::store::{Store, StoreError};
use crate::telemetry::Metrics;

/// How often the outbox is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The most messages that are handed over before the webhook is looked at again.
const AT_ONCE: usize = 50;

/// What all handing over needs.
#[derive(Clone)]
pub struct Notifier {
    /// The store in use now.
    pub store: Arc<ArcSwap<Store>>,
    /// The courier in use now.
    pub courier: Arc<ArcSwap<Courier>>,
    /// What secrets are made from, if there is such a key.
    pub key: Option<Arc<WebhookKey>>,
    /// Tells the time of each attempt.
    pub clock: Clock,
    /// Whether the key of this id opens anything still.
    pub is_good: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
}

impl Notifier {
    /// Hands over what waits, until the gateway stops. What is cut short then is sent again.
    pub async fn run(self, stop: CancellationToken) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut at_work, mut tasks) = (BTreeSet::new(), JoinSet::new());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(ended) = tasks.join_next() => {
                    match ended {
                        Ok(id) => _ = at_work.remove(&id),
                        Err(error) => {
                            // Nobody knows whose it was: all are let end before any begins again.
                            tracing::error!(%error, "handing a message over broke down");
                            while let Some(ended) = tasks.join_next().await {
                                drop(ended);
                            }
                            at_work.clear();
                        }
                    }
                    continue;
                }
                _ = ticks.tick() => {}
            }
            let store = self.store.load_full();
            let webhooks = match spawn_blocking(move || store.webhooks()).await {
                Ok(Ok(webhooks)) => webhooks,
                Ok(Err(error)) => {
                    tracing::error!(%error, "the webhooks cannot be read");
                    continue;
                }
                Err(_) => continue,
            };
            self.metrics.webhooks.look(&webhooks);
            for webhook in webhooks {
                if self.is_due(&webhook) && at_work.insert(webhook.id.clone()) {
                    let notifier = self.clone();
                    tasks.spawn(async move {
                        let id = webhook.id.clone();
                        if let Err(error) = notifier.hand_over(webhook).await {
                            tracing::error!(%error, webhook = id, "the outbox failed");
                        }
                        id
                    });
                }
            }
        }
    }

    fn is_due(&self, webhook: &Webhook) -> bool {
        let progress = &webhook.progress;
        let is_time = progress.next_attempt.is_none_or(|at| at <= self.clock.now());
        let is_wanted = progress.waiting > 0 && is_time;
        webhook.disabled.is_none() && (is_wanted || !(self.is_good)(&webhook.owner))
    }

    /// Hands over what waits for one webhook, until something fails.
    async fn hand_over(&self, webhook: Webhook) -> Result<(), StoreError> {
        for _ in 0..AT_ONCE {
            if !(self.is_good)(&webhook.owner) {
                let error = "the key that it belongs to is over".to_owned();
                let over = Attempt::Over { error, why: Disabled::KeyOver };
                let none = Message { webhook: webhook.id.clone(), number: 0, body: String::new() };
                return self.note(&webhook, &none, over).await;
            }
            let (store, id) = (self.store.load_full(), webhook.id.clone());
            let next = spawn_blocking(move || store.next_message(&id)).await;
            let next = next.map_err(|error| StoreError::Fatal(error.to_string()))?;
            let Some(message) = next? else { return Ok(()) };
            let posted = self.send(&webhook, &message.id(), &message.body).await;
            let attempt = schedule::judge(&webhook, posted, self.clock.now(), fastrand::f64());
            self.metrics.webhooks.tried(&webhook.id, attempt == Attempt::Taken);
            let is_taken = attempt == Attempt::Taken;
            self.note(&webhook, &message, attempt).await?;
            // What failed before is reckoned anew, from what the store says then.
            if !is_taken || webhook.progress.failures > 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn note(
        &self,
        webhook: &Webhook,
        message: &Message,
        attempt: Attempt,
    ) -> Result<(), StoreError> {
        let (id, host, number) = (&webhook.id, webhook.host(), message.number);
        match &attempt {
            Attempt::Taken => tracing::debug!(webhook = id, number, "a message was taken"),
            Attempt::Failed { error, again } => {
                tracing::warn!(webhook = id, host, number, error, %again, "a message was not taken");
            }
            Attempt::Over { error, why } => {
                let why = why.as_str();
                tracing::error!(webhook = id, host, error, why, "a webhook is told nothing more");
            }
        }
        self.store.load_full().attempted(message, attempt).await
    }

    /// Sends a signed message; its time is that of the attempt, as the standard wants it.
    async fn send(&self, webhook: &Webhook, id: &str, body: &str) -> Result<Posted, String> {
        let Some(key) = self.key.as_ref().filter(|key| key.mark() == webhook.secret.mark) else {
            return Err("the gateway has not the key that its secret was made from; put \
                        secrets/webhook_key back, or renew the secret"
                .to_owned());
        };
        let now = self.clock.now();
        let headers = [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", now.0.to_string()),
            ("webhook-signature", key.signatures(&webhook.id, webhook.secret, (id, now), body)),
        ];
        self.courier.load_full().post(&webhook.url, &headers, body.to_owned(), now).await
    }

    /// Sends a message for a trial, past the outbox.
    pub async fn try_out(&self, webhook: &Webhook) -> Trial {
        let now = self.clock.now();
        let id = format!("{}.test.{}", webhook.id, now.0);
        let data = serde_json::json!({"webhook": webhook.id});
        let body = body(TEST, now, &data);
        match self.send(webhook, &id, &body).await {
            Ok(Posted { status, .. }) => {
                let is_taken = (200..300).contains(&status);
                let error = (!is_taken).then(|| format!("HTTP {status}"));
                Trial { is_taken, status: Some(status), error }
            }
            Err(error) => Trial { is_taken: false, status: None, error: Some(error) },
        }
    }
}

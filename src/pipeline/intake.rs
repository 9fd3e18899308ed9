//! Intake: records that are pushed by systems that cannot be asked.
//!
//! A delivery goes the way of a pulled page: decode, normalise, the gate, one commit, a run line. It is
//! answered when it is on the disk and not before. Its sender is known by a signature over the body
//! (Standard Webhooks 1.0) or by a key; both are read from files at the moment of use, and two of them
//! hold while one is being replaced. Deliveries of one stream are taken one after the other. One that
//! carries an id is known by it afterwards (see [`crate::store::Delivery`]): sent again, it gets the
//! first answer again and counts once.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::turn;
use super::{Failure, Progress, Shared, Stream};
use crate::model::intake::{Pushed, Refused, Taken};
use crate::model::time::Stamp;
use crate::model::units::{Size, Span};
use crate::pull::{Ending, RateLimit, SecretFile};
use crate::store::{Before, Delivery, StoreError};

/// Deliveries of one stream that wait for the one before them at most.
const WAITING: usize = 8;

/// How far the sender's clock may be off ours, seconds.
const TOLERANCE: i64 = 300;

/// The longest id of a delivery.
const LONGEST_ID: usize = 256;

/// Signatures of one delivery that are looked at.
const MOST_SIGNATURES: usize = 8;

/// How a source is sent to, instead of being asked.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntakeSettings {
    /// How its sender proves who it is.
    pub authenticator: IntakeAuthenticator,
    /// The largest body.
    #[serde(default = "eight_mebibytes")]
    pub body_limit: Size,
    /// How many deliveries each of its streams takes.
    #[serde(default = "once_a_second")]
    pub rate_limit: RateLimit,
}

/// How a sender proves who it is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum IntakeAuthenticator {
    /// Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp`, `webhook-signature: v1,…`.
    StandardWebhooks {
        /// Files of the secrets folder, each with a secret `whsec_…`; two while one is replaced.
        secret_files: Vec<SecretFile>,
    },
    /// `Authorization: Bearer KEY` or `X-API-Key: KEY`; repeats are known by `Idempotency-Key`.
    ApiKey {
        /// Files of the secrets folder, each with a key; two while one is replaced.
        key_files: Vec<SecretFile>,
    },
}

fn eight_mebibytes() -> Size {
    Size(8 << 20)
}

fn once_a_second() -> RateLimit {
    RateLimit { requests: 60, per: Span::seconds(60) }
}

impl IntakeSettings {
    /// Problems of the settings, by place below `at`.
    pub fn check(&self, at: &str, problems: &mut Vec<(String, String)>) {
        let (key, files) = self.authenticator.files();
        let at_files = format!("{at}.authenticator.{key}");
        if !(1..=2).contains(&files.len()) {
            let message = "name one file, or two while one is replaced".to_owned();
            problems.push((at_files.clone(), message));
        }
        for (i, file) in files.iter().enumerate() {
            file.check(&format!("{at_files}.{i}"), problems);
        }
        if !(1..=64 << 20).contains(&self.body_limit.0) {
            problems.push((format!("{at}.body_limit"), "must be 1B to 64MiB".to_owned()));
        }
        self.rate_limit.check(&format!("{at}.rate_limit"), problems);
    }
}

impl IntakeAuthenticator {
    fn files(&self) -> (&'static str, &[SecretFile]) {
        match self {
            Self::StandardWebhooks { secret_files } => ("secret_files", secret_files),
            Self::ApiKey { key_files } => ("key_files", key_files),
        }
    }
}

/// What lets deliveries of one stream in.
pub struct Intake {
    settings: IntakeSettings,
    secrets: PathBuf,
    taken: Mutex<VecDeque<Instant>>,
    places: Semaphore,
    turn: tokio::sync::Mutex<()>,
}

impl Intake {
    /// Nothing has come in yet; secrets are files of `secrets`.
    pub fn new(settings: IntakeSettings, secrets: &Path) -> Self {
        Self {
            settings,
            secrets: secrets.to_owned(),
            taken: Mutex::default(),
            places: Semaphore::new(WAITING),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// The largest body.
    pub fn body_limit(&self) -> u64 {
        self.settings.body_limit.0
    }

    /// Finds out who sends; yields the delivery's id, if it has one.
    async fn authenticate(&self, pushed: &Pushed, now: Stamp) -> Result<Option<String>, Refused> {
        let (_, files) = self.settings.authenticator.files();
        let mut secrets = Vec::new();
        for file in files {
            match file.read(&self.secrets).await {
                Ok(secret) => secrets.push(secret),
                // The other one may do; while none can be read, nobody gets in.
                Err(error) => tracing::error!("a secret of an intake cannot be used: {error}"),
            }
        }
        let secrets = secrets.iter().map(|secret| secret.expose().trim());
        match &self.settings.authenticator {
            IntakeAuthenticator::StandardWebhooks { .. } => signed(pushed, secrets, now),
            IntakeAuthenticator::ApiKey { .. } => keyed(pushed, secrets),
        }
    }

    /// Counts a delivery against the rate; when the next is taken, if this one is too many.
    fn reserve(&self, now: Instant) -> Result<(), u64> {
        let RateLimit { requests, per } = &self.settings.rate_limit;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while taken.front().is_some_and(|first| now.duration_since(*first) >= per.0) {
            taken.pop_front();
        }
        if let Some(first) = taken.front().filter(|_| taken.len() >= *requests as usize) {
            let left = per.0.saturating_sub(now.duration_since(*first));
            return Err(left.as_secs() + 1);
        }
        taken.push_back(now);
        Ok(())
    }
}

/// Checks a signature over id, moment and body.
fn signed<'a>(
    pushed: &Pushed,
    secrets: impl Iterator<Item = &'a str>,
    now: Stamp,
) -> Result<Option<String>, Refused> {
    let missing = |what: &str| Refused::Unauthenticated(format!("The header {what} is missing."));
    let id = pushed.webhook_id.as_deref().ok_or_else(|| missing("webhook-id"))?;
    let sent = pushed.webhook_timestamp.as_deref().ok_or_else(|| missing("webhook-timestamp"))?;
    let said = pushed.webhook_signature.as_deref().ok_or_else(|| missing("webhook-signature"))?;
    let refused = |words: &str| Refused::Unauthenticated(words.to_owned());
    let moment: i64 = sent.parse().map_err(|_| refused("webhook-timestamp is no Unix time."))?;
    if moment.abs_diff(now.0) > TOLERANCE.unsigned_abs() {
        let words = "webhook-timestamp is more than 5 minutes off the gateway's clock.";
        return Err(refused(words));
    }
    let id = checked_id(id)?;
    let message = [id.as_bytes(), b".", sent.as_bytes(), b".", &pushed.body].concat();
    let signatures = said.split(' ').filter_map(|each| each.strip_prefix("v1,"));
    let signatures: Vec<Vec<u8>> = signatures
        .take(MOST_SIGNATURES)
        .filter_map(|text| BASE64_STANDARD.decode(text).ok())
        .collect();
    let mut is_genuine = false;
    for secret in secrets {
        let text = secret.strip_prefix("whsec_").unwrap_or(secret);
        let Ok(bytes) = BASE64_STANDARD.decode(text) else {
            tracing::error!("a secret of an intake is not written in base64, as whsec_… is");
            continue;
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        // Compared in a time that does not depend on where they differ.
        is_genuine |=
            signatures.iter().any(|signature| hmac::verify(&key, &message, signature).is_ok());
    }
    if is_genuine { Ok(Some(id)) } else { Err(refused("The signature is not the right one.")) }
}

/// Checks a key by its hash, in a time that does not depend on where it differs.
fn keyed<'a>(
    pushed: &Pushed,
    keys: impl Iterator<Item = &'a str>,
) -> Result<Option<String>, Refused> {
    let given = pushed.key.as_deref().ok_or_else(|| {
        let words = "A key is missing: send it as Authorization: Bearer, or as X-API-Key.";
        Refused::Unauthenticated(words.to_owned())
    })?;
    let given = blake3::hash(given.trim().as_bytes());
    let mut is_known = false;
    for key in keys {
        is_known |= blake3::hash(key.as_bytes()) == given;
    }
    if !is_known {
        return Err(Refused::Unauthenticated("The key is not the right one.".to_owned()));
    }
    pushed.idempotency_key.as_deref().map(checked_id).transpose()
}

fn checked_id(id: &str) -> Result<String, Refused> {
    let is_plain = |c: char| c.is_ascii_graphic();
    if id.is_empty() || id.len() > LONGEST_ID || !id.chars().all(is_plain) {
        let words = format!("An id has 1 to {LONGEST_ID} printable characters without spaces.");
        return Err(Refused::BadId(words));
    }
    Ok(id.to_owned())
}

/// Takes in one delivery; when this returns `Ok`, it is committed. Not to be dropped half-way: whoever
/// calls runs it as a task of its own.
pub async fn push(stream: &Arc<Stream>, shared: &Shared, pushed: Pushed) -> Result<Taken, Refused> {
    let intake = stream.intake.as_ref().ok_or(Refused::Unknown)?;
    let id = intake.authenticate(&pushed, shared.clock.now()).await?;
    if stream.is_paused(shared) {
        return Err(Refused::Unavailable(
            "The source is paused; nothing of it was kept.".to_owned(),
        ));
    }
    intake.reserve(Instant::now()).map_err(|after| Refused::TooMany { after })?;
    let _place = intake.places.try_acquire().map_err(|_| Refused::TooMany { after: 1 })?;
    let _turn = intake.turn.lock().await;
    let delivery = id.map(|id| Delivery::new(&id, &pushed.body));
    if let Some(delivery) = delivery {
        match shared.store.delivered(stream.index, delivery).await.map_err(|e| unavailable(&e))? {
            Some(Before::Same(records)) => {
                note_repeat(stream, shared).await;
                return Ok(Taken { records, is_repeated: true });
            }
            Some(Before::Differs) => return Err(Refused::Differs),
            None => {}
        }
    }
    let (started, clock) = (shared.clock.now(), Instant::now());
    shared.store.begin(stream.index, started).await;
    let mut progress = Progress::new(stream);
    let body = (pushed.body, delivery);
    let taken = turn::deliver(stream, shared, body, "pushed", &mut progress).await;
    let records = progress.records;
    let (ending, answer) = match taken {
        Ok(()) => (Ok(Ending::Complete), Ok(Taken { records, is_repeated: false })),
        Err(failure) => {
            let refused = refused(&failure);
            (Err(failure), Err(refused))
        }
    };
    // What is committed is taken in, even if its run line is not written any more.
    if let Err(error) = turn::finish(stream, shared, started, &progress, ending, clock, None).await
    {
        tracing::error!(source = stream.source, "the run of a delivery was not noted: {error}");
    }
    answer
}

/// A run without records: the sender has been heard, and the run of the first time may have been lost
/// with its answer.
async fn note_repeat(stream: &Arc<Stream>, shared: &Shared) {
    let (started, clock) = (shared.clock.now(), Instant::now());
    let progress = Progress::new(stream);
    let ending = Ok(Ending::Complete);
    if let Err(error) = turn::finish(stream, shared, started, &progress, ending, clock, None).await
    {
        tracing::error!(source = stream.source, "a repeated delivery was not noted: {error}");
    }
}

fn refused(failure: &Failure) -> Refused {
    match failure {
        Failure::Pull(error) => Refused::Unreadable(format!("The body cannot be read: {error}.")),
        Failure::Contract(refusal) => {
            Refused::Contract(format!("Nothing of it is kept: {}.", refusal.why))
        }
        Failure::Store(error) => unavailable(error),
        Failure::Paused | Failure::Panicked => {
            Refused::Unavailable("A fault of the gateway.".to_owned())
        }
    }
}

fn unavailable(error: &StoreError) -> Refused {
    Refused::Unavailable(match error {
        StoreError::Full => "The gateway's disk is full; nothing of it was kept.".to_owned(),
        _ => "The gateway's store does not work; nothing of it was kept.".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The example of the specification's libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn delivery(signature: &str, at: &str) -> Pushed {
        Pushed {
            webhook_id: Some(ID.to_owned()),
            webhook_timestamp: Some(at.to_owned()),
            webhook_signature: Some(signature.to_owned()),
            body: BODY.into(),
            ..Pushed::default()
        }
    }

    fn verdict(pushed: &Pushed, secrets: &[&str], now: i64) -> Result<Option<String>, Refused> {
        signed(pushed, secrets.iter().copied(), Stamp(now))
    }

    #[test]
    fn the_example_of_standard_webhooks_is_genuine_and_nothing_else_is() {
        let at = AT.to_string();
        let good = delivery(SIGNATURE, &at);
        assert_eq!(verdict(&good, &[SECRET], AT).unwrap().as_deref(), Some(ID));
        assert_eq!(verdict(&good, &["whsec_b2xk", SECRET], AT).unwrap().as_deref(), Some(ID));
        let both = delivery(&format!("v1,bm9uZQ== v1a,x {SIGNATURE}"), &at);
        assert!(verdict(&both, &[SECRET], AT).is_ok());
        for (off, is_fine) in [(300, true), (-300, true), (301, false), (-301, false)] {
            assert_eq!(verdict(&good, &[SECRET], AT + off).is_ok(), is_fine, "{off}");
        }
        let other_body = Pushed { body: "{}".into(), ..good.clone() };
        let other_id = Pushed { webhook_id: Some("msg_other".to_owned()), ..good.clone() };
        let later = delivery(SIGNATURE, &(AT + 1).to_string());
        for forged in [other_body, other_id, later] {
            assert!(matches!(verdict(&forged, &[SECRET], AT), Err(Refused::Unauthenticated(_))));
        }
        for signature in ["", "v1,", "v2,g0hM9SsE", "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="]
        {
            assert!(verdict(&delivery(signature, &at), &[SECRET], AT).is_err(), "{signature}");
        }
        assert!(verdict(&good, &[], AT).is_err(), "no secret lets nobody in");
        assert!(verdict(&good, &["whsec_b2xk"], AT).is_err());
        assert!(verdict(&delivery(SIGNATURE, "now"), &[SECRET], AT).is_err());
    }

    #[test]
    fn a_key_is_known_by_its_hash_and_repeats_by_their_idempotency_key() {
        let with = |key: Option<&str>, id: Option<&str>| {
            let (key, id) = (key.map(str::to_owned), id.map(str::to_owned));
            let pushed = Pushed { key, idempotency_key: id, ..Pushed::default() };
            keyed(&pushed, ["CANARY-new", "CANARY-old"].into_iter())
        };
        assert_eq!(with(Some("CANARY-old"), None), Ok(None));
        assert_eq!(with(Some("CANARY-new"), Some("d-1")), Ok(Some("d-1".to_owned())));
        assert!(matches!(with(Some("CANARY-ne"), None), Err(Refused::Unauthenticated(_))));
        assert!(matches!(with(None, None), Err(Refused::Unauthenticated(_))));
        for id in ["", "a b", &"x".repeat(257), "ạ"] {
            assert!(matches!(with(Some("CANARY-new"), Some(id)), Err(Refused::BadId(_))), "{id}");
        }
    }

    #[test]
    fn a_stream_takes_as_many_deliveries_as_it_may_and_says_when_the_next() {
        let settings = IntakeSettings {
            authenticator: IntakeAuthenticator::ApiKey { key_files: Vec::new() },
            body_limit: eight_mebibytes(),
            rate_limit: RateLimit { requests: 2, per: Span::seconds(10) },
        };
        let intake = Intake::new(settings, Path::new("."));
        let start = Instant::now();
        let after = |seconds| intake.reserve(start + Duration::from_secs(seconds));
        assert_eq!((after(0), after(4)), (Ok(()), Ok(())));
        assert_eq!(after(4), Err(7));
        assert_eq!((after(10), after(10)), (Ok(()), Err(5)));
    }
}

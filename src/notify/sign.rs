//! Who signs messages, and with what: Standard Webhooks 1.0.
//!
//! A secret has to sign again and again, so it cannot be kept as a hash, and whoever could read the
//! store could sign. So none is kept: each is made from a key that lies in the secrets folder, the
//! webhook's id and the number of its generation, and made anew whenever it is needed. A copy of the
//! store is worth nothing without that key, and nothing has to be kept secret twice.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::model::time::Stamp;
use crate::model::webhook::Secret;

/// The length of the key, in bytes.
const LENGTH: usize = 32;

/// What every secret begins with.
const PREFIX: &str = "whsec_";

/// The key that all secrets are made from.
pub struct WebhookKey(hmac::Key);

/// Why a file is no such key.
#[derive(Debug, thiserror::Error)]
pub enum WebhookKeyError {
    /// It cannot be read.
    #[error("cannot read the webhook key {path}: {error}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// It is something else.
    #[error(
        "{0} is no webhook key: it holds 32 random bytes in base64; make one with: \
         (umask 077; head -c 32 /dev/urandom | base64 > FILE)"
    )]
    Malformed(String),
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookKey")
    }
}

impl WebhookKey {
    /// The key in a file: 32 random bytes in base64.
    pub fn read(path: &Path) -> Result<Self, WebhookKeyError> {
        let shown = || path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| WebhookKeyError::Unreadable { path: shown(), error })?;
        let bytes = STANDARD.decode(text.trim()).ok().filter(|bytes| bytes.len() == LENGTH);
        let bytes = bytes.ok_or_else(|| WebhookKeyError::Malformed(shown()))?;
        Ok(Self::new(&bytes))
    }

    fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// By which it is told from another key; it says nothing of what it is.
    pub fn mark(&self) -> u32 {
        let mark = hmac::sign(&self.0, b"iocgw webhook key mark v1");
        mark.as_ref().iter().take(4).fold(0, |mark, byte| (mark << 8) | u32::from(*byte))
    }

    fn bytes(&self, id: &str, generation: u32) -> hmac::Tag {
        hmac::sign(&self.0, format!("iocgw webhook secret v1 {id} {generation}").as_bytes())
    }

    /// The secret of a webhook, as its receiver keeps it.
    pub fn secret(&self, id: &str, generation: u32) -> String {
        format!("{PREFIX}{}", STANDARD.encode(self.bytes(id, generation)))
    }

    /// The signatures of a message that is sent now: of the secret, and of the one before while it is
    /// being replaced.
    pub fn signatures(
        &self,
        webhook: &str,
        secret: Secret,
        (message, at): (&str, Stamp),
        body: &str,
    ) -> String {
        let is_renewing = secret.previous_until.is_some_and(|until| at < until);
        let previous = is_renewing.then(|| secret.generation.saturating_sub(1));
        let content = format!("{message}.{}.{body}", at.0);
        let signature = |generation: u32| {
            let bytes = self.bytes(webhook, generation);
            let key = hmac::Key::new(hmac::HMAC_SHA256, bytes.as_ref());
            format!("v1,{}", STANDARD.encode(hmac::sign(&key, content.as_bytes())))
        };
        let generations = std::iter::once(secret.generation).chain(previous);
        generations.map(signature).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a receiver that follows the standard finds a signature that it knows.
    fn verifies(secret: &str, (id, at, body): (&str, i64, &str), header: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix(PREFIX).unwrap()).unwrap();
        assert!(key.len() >= 24, "the standard asks for 24 bytes or more");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let content = format!("{id}.{at}.{body}");
        header.split(' ').filter_map(|each| each.strip_prefix("v1,")).any(|signature| {
            let signature = STANDARD.decode(signature).unwrap();
            hmac::verify(&key, content.as_bytes(), &signature).is_ok()
        })
    }

    #[test]
    fn a_signature_is_of_id_time_and_body_and_of_one_webhook() {
        let key = WebhookKey::new(&[7; LENGTH]);
        let (secret, other) = (key.secret("wh_1", 1), key.secret("wh_2", 1));
        let now = Secret { generation: 1, previous_until: None, mark: key.mark() };
        let header = key.signatures("wh_1", now, ("wh_1.5", Stamp(1000)), "{}");
        assert!(verifies(&secret, ("wh_1.5", 1000, "{}"), &header));
        for (secret, message) in [
            (&secret, ("wh_1.6", 1000, "{}")),
            (&secret, ("wh_1.5", 1001, "{}")),
            (&secret, ("wh_1.5", 1000, "{ }")),
            (&other, ("wh_1.5", 1000, "{}")),
        ] {
            assert!(!verifies(secret, message, &header), "{message:?}");
        }
        assert_ne!(key.mark(), WebhookKey::new(&[8; LENGTH]).mark());
        assert!(!format!("{key:?}").contains('7'));
    }

    #[test]
    fn while_a_secret_is_replaced_both_are_good_and_then_only_the_new_one() {
        let key = WebhookKey::new(&[7; LENGTH]);
        let (old, new) = (key.secret("wh_1", 1), key.secret("wh_1", 2));
        let renewed = Secret { generation: 2, previous_until: Some(Stamp(2000)), mark: 0 };
        let sent = |at| key.signatures("wh_1", renewed, ("m", Stamp(at)), "{}");
        for (at, is_old_good) in [(1999, true), (2000, false)] {
            let header = sent(at);
            assert!(verifies(&new, ("m", at, "{}"), &header));
            assert_eq!(verifies(&old, ("m", at, "{}"), &header), is_old_good, "{at}");
        }
    }

    #[test]
    fn a_file_that_holds_no_key_is_refused_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("webhook_key");
        assert!(matches!(WebhookKey::read(&path), Err(WebhookKeyError::Unreadable { .. })));
        for text in ["", "CANARY", "AAAA"] {
            std::fs::write(&path, text).unwrap();
            let error = WebhookKey::read(&path).unwrap_err().to_string();
            assert!(error.contains("head -c 32") && !error.contains("CANARY"), "{error}");
        }
        std::fs::write(&path, STANDARD.encode([1; LENGTH]) + "\n").unwrap();
        assert!(WebhookKey::read(&path).is_ok());
    }
}

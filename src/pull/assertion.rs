//! Assertions that are signed with a key file (RFC 7523), for token endpoints that take one instead
//! of a password.
//!
//! An assertion is made for one call: it says who asks whom on whose behalf and runs out within
//! minutes. The key is read for each of them, so a key that is replaced needs no restart.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::{PullError, Reason};
use super::secret::Secret;
use super::{Problems, require};
use crate::model::time::Stamp;
use crate::model::units::Span;

/// The grant that an assertion asks for.
pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Claims that have a setting of their own or are the gateway's business.
const OWN: [&str; 6] = ["iss", "sub", "aud", "iat", "exp", "jti"];

/// How an assertion is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Algorithm {
    /// RSA with SHA-256; the key file is a PEM with a private key of 2,048 bits or more.
    Rs256,
    /// ECDSA over P-256 with SHA-256; the key file is a PEM with a private key in PKCS#8.
    Es256,
    /// HMAC with SHA-256; the key file is the shared secret, of 32 bytes or more.
    Hs256,
}

/// What an assertion says.
pub(super) struct Claims<'a> {
    pub(super) issuer: &'a str,
    pub(super) subject: Option<&'a str>,
    pub(super) audience: &'a str,
    pub(super) life: Span,
    pub(super) more: &'a BTreeMap<String, Value>,
}

/// Pushes a problem for each value that makes no sense.
pub(super) fn check(claims: &Claims<'_>, at: &str, problems: &mut Problems) {
    require(!claims.issuer.is_empty(), &format!("{at}.issuer"), "must not be empty", problems);
    let fine = (Span::seconds(10)..=Span::seconds(3600)).contains(&claims.life);
    require(fine, &format!("{at}.life"), "must be 10s to 1h", problems);
    for name in claims.more.keys() {
        let free = !OWN.contains(&name.as_str());
        let message = "has a setting of its own or is made by the gateway";
        require(free, &format!("{at}.claims.{name}"), message, problems);
    }
}

/// A signed assertion that holds from `now` on.
pub(super) fn sign(
    claims: &Claims<'_>,
    algorithm: Algorithm,
    key: &Secret,
    key_id: Option<&str>,
    now: Stamp,
) -> Result<Secret, PullError> {
    let mut nonce = [0; 16];
    SystemRandom::new().fill(&mut nonce).map_err(|_| refused("there is no randomness"))?;
    let mut header = json!({"alg": algorithm.as_str(), "typ": "JWT"});
    if let Some(key_id) = key_id {
        header["kid"] = key_id.into();
    }
    let mut body: Map<String, Value> = claims.more.clone().into_iter().collect();
    body.insert("iss".to_owned(), claims.issuer.into());
    body.insert("sub".to_owned(), claims.subject.unwrap_or(claims.issuer).into());
    body.insert("aud".to_owned(), claims.audience.into());
    body.insert("iat".to_owned(), now.0.into());
    body.insert("exp".to_owned(), (now.0 + claims.life.as_seconds()).into());
    body.insert("jti".to_owned(), BASE64_URL_SAFE_NO_PAD.encode(nonce).into());
    let encode = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(header), encode(Value::Object(body)));
    let signature = algorithm.sign(key, signed.as_bytes())?;
    Ok(Secret::new(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))))
}

impl Algorithm {
    fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::Hs256 => "HS256",
        }
    }

    fn sign(self, key: &Secret, message: &[u8]) -> Result<Vec<u8>, PullError> {
        let random = SystemRandom::new();
        let unusable = |what: &str| refused(&format!("key_file holds no usable {what}"));
        match self {
            Self::Hs256 => {
                let key = key.expose().as_bytes();
                if key.len() < 32 {
                    return Err(unusable("shared secret: HS256 needs 32 bytes or more"));
                }
                let key = hmac::Key::new(hmac::HMAC_SHA256, key);
                Ok(hmac::sign(&key, message).as_ref().to_vec())
            }
            Self::Rs256 => {
                let what = "RSA key (PEM, 2,048 bits or more)";
                let pair = match private_key(key).ok_or_else(|| unusable(what))? {
                    PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
                    PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
                    _ => return Err(unusable(what)),
                };
                let pair = pair.map_err(|_| unusable(what))?;
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| unusable(what))?;
                Ok(signature)
            }
            Self::Es256 => {
                let what = "P-256 key (PEM in PKCS#8; openssl pkcs8 -topk8 -nocrypt makes one)";
                let Some(PrivateKeyDer::Pkcs8(der)) = private_key(key) else {
                    return Err(unusable(what));
                };
                let der = der.secret_pkcs8_der();
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random)
                    .map_err(|_| unusable(what))?;
                let signature = pair.sign(&random, message).map_err(|_| unusable(what))?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

fn private_key(key: &Secret) -> Option<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).ok()
}

fn refused(detail: &str) -> PullError {
    PullError::refused(Reason::Auth, detail)
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;
    use ring::signature::{ECDSA_P256_SHA256_FIXED, KeyPair as _, UnparsedPublicKey};

    use super::*;

    const NOW: Stamp = Stamp(1_712_000_000);

    fn claims(more: &BTreeMap<String, Value>) -> Claims<'_> {
        let (issuer, audience) = ("ioc", "http://h/token");
        Claims { issuer, subject: None, audience, life: Span::seconds(300), more }
    }

    fn parts(assertion: &Secret) -> (Value, Value, String, Vec<u8>) {
        let text = assertion.expose();
        let (signed, signature) = text.rsplit_once('.').unwrap();
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap();
        let json = |part: &str| serde_json::from_slice(&decode(part)).unwrap();
        let (header, body) = signed.split_once('.').unwrap();
        (json(header), json(body), signed.to_owned(), decode(signature))
    }

    fn pem(pkcs8: &[u8]) -> String {
        let (begin, end) = ("BEGIN PRIVATE KEY", "END PRIVATE KEY");
        format!("-----{begin}-----\n{}\n-----{end}-----\n", BASE64_STANDARD.encode(pkcs8))
    }

    #[test]
    fn an_assertion_says_who_asks_whom_and_runs_out() {
        let more = BTreeMap::from([("scope_of".to_owned(), json!(["read"]))]);
        let key = Secret::new("k".repeat(32));
        let first = sign(&claims(&more), Algorithm::Hs256, &key, Some("k1"), NOW).unwrap();
        let (header, body, signed, signature) = parts(&first);
        assert_eq!(header, json!({"alg": "HS256", "typ": "JWT", "kid": "k1"}));
        assert_eq!(body["iss"], "ioc");
        assert_eq!(body["sub"], "ioc", "the issuer speaks for itself unless it says otherwise");
        assert_eq!(body["aud"], "http://h/token");
        assert_eq!((&body["iat"], &body["exp"]), (&json!(NOW.0), &json!(NOW.0 + 300)));
        assert_eq!(body["scope_of"], json!(["read"]));
        let key_again = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
        hmac::verify(&key_again, signed.as_bytes(), &signature).unwrap();
        let second = sign(&claims(&more), Algorithm::Hs256, &key, None, NOW).unwrap();
        assert_ne!(parts(&second).1["jti"], body["jti"], "no assertion is used twice");
        assert_eq!(format!("{first:?}"), "***");
    }

    #[test]
    fn an_elliptic_key_signs_what_its_public_half_confirms() {
        let random = SystemRandom::new();
        let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(signing, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8.as_ref(), &random).unwrap();
        let none = BTreeMap::new();
        let key = Secret::new(pem(pkcs8.as_ref()));
        let made = sign(&claims(&none), Algorithm::Es256, &key, None, NOW).unwrap();
        let (header, _, signed, signature) = parts(&made);
        assert_eq!(header["alg"], "ES256");
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref());
        public.verify(signed.as_bytes(), &signature).unwrap();
        // The same key is no key of the other kind.
        assert!(sign(&claims(&none), Algorithm::Rs256, &key, None, NOW).is_err());
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_being_told() {
        let none = BTreeMap::new();
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::Hs256] {
            for key in ["CANARY", "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----"]
            {
                if algorithm == Algorithm::Hs256 && key.len() > 32 {
                    continue;
                }
                let key = Secret::new(key);
                let error = sign(&claims(&none), algorithm, &key, None, NOW).err().unwrap();
                assert_eq!(error.reason(), Reason::Auth);
                assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
            }
        }
    }
}

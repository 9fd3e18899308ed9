//! The public keys of a provider (JWK Set, RFC 7517): those of them that are for signatures and of a kind
//! that is known; others are passed over, as the standard wants it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};
use serde::Deserialize;
use serde_json::Value;

use super::Algorithm;

/// The most keys of one provider.
const MOST: usize = 64;

/// The keys of a provider, as it published them.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<Key>);

/// One key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    id: Option<String>,
    /// The one algorithm that it is for, if it says so.
    only: Option<String>,
    material: Material,
}

#[derive(Clone, Debug)]
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

/// The members that are looked at.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

impl KeySet {
    /// Reads what a provider publishes; what is wrong with it, in plain words.
    pub fn read(body: &[u8]) -> Result<Self, &'static str> {
        let Published { keys } =
            serde_json::from_slice(body).map_err(|_| "the answer is no list of keys")?;
        if keys.len() > MOST {
            return Err("there are more than 64 keys");
        }
        let jwks = keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let keys: Vec<Key> = jwks.filter_map(Jwk::usable).collect();
        if keys.is_empty() {
            return Err("none of the keys is of a kind that is known here");
        }
        Ok(Self(keys))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key of this name, or the only one there is for the algorithm where none is named.
    pub(super) fn fitting(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let is_named = |key: &&Key| id.is_none() || key.id.as_deref() == id;
        let mut fitting = self.0.iter().filter(is_named).filter(|key| key.is_for(algorithm));
        let first = fitting.next()?;
        (id.is_some() || fitting.next().is_none()).then_some(first)
    }
}

impl Jwk {
    fn usable(self) -> Option<Key> {
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let point = |size: usize| {
            let (x, y) = (bytes(&self.x)?, bytes(&self.y)?);
            let is_whole = x.len() == size && y.len() == size;
            is_whole.then(|| [&[4][..], &x, &y].concat())
        };
        let material = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Material::Rsa { modulus: bytes(&self.n)?, exponent: bytes(&self.e)? },
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(&self.x)?),
            _ => return None,
        };
        Some(Key { id: self.kid, only: self.alg, material })
    }
}

impl Key {
    fn is_for(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{ES256, ES384, EdDsa, PS256, PS384, PS512, RS256, RS384, RS512};
        let fits = match self.material {
            Material::Rsa { .. } => {
                matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512)
            }
            Material::P256(_) => algorithm == ES256,
            Material::P384(_) => algorithm == ES384,
            Material::Ed25519(_) => algorithm == EdDsa,
        };
        fits && self.only.as_deref().is_none_or(|only| only == algorithm.as_str())
    }

    /// Whether the signature is this key's over these bytes.
    pub(super) fn has_signed(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        let plain = |kind: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(kind, key).verify(signed, signature).is_ok()
        };
        match &self.material {
            Material::P256(key) => plain(&ECDSA_P256_SHA256_FIXED, key),
            Material::P384(key) => plain(&ECDSA_P384_SHA384_FIXED, key),
            Material::Ed25519(key) => plain(&ED25519, key),
            Material::Rsa { modulus, exponent } => {
                let kind = match algorithm {
                    Algorithm::RS384 => &RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::RS512 => &RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::PS256 => &RSA_PSS_2048_8192_SHA256,
                    Algorithm::PS384 => &RSA_PSS_2048_8192_SHA384,
                    Algorithm::PS512 => &RSA_PSS_2048_8192_SHA512,
                    _ => &RSA_PKCS1_2048_8192_SHA256,
                };
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                key.verify(kind, signed, signature).is_ok()
            }
        }
    }
}

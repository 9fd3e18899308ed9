//! Signed tokens (JWT, RFC 7519) of a provider that the configuration names (OpenID Connect).
//!
//! A token is believed for what its signature covers, after everything about it has been looked at: who
//! issued it and for whom, that it is neither over nor too long-lived, and that its algorithm is one of
//! those that are listed *and* one that the key is for. The header never chooses a key's kind, `none`
//! does not exist, and a header that demands to be understood (`crit`) is not. What the token opens is
//! decided here and not by the provider: the first rule that fits one of its claims.
//!
//! The signatures are ring's. A token library would leave exactly that part to us and bring a provider of
//! its own for the whole process, so what remained, reading three pieces of base64, is done here.

mod keys;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

pub use keys::KeySet;

use crate::model::access::Grant;
use crate::model::time::Stamp;

/// By how much the clocks of provider and gateway may differ, in seconds.
const LEEWAY: i64 = 60;

/// The longest name of a subject.
const LONGEST_SUBJECT: usize = 256;

/// What a signature may be made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[schemars(rename = "TokenAlgorithm")]
pub enum Algorithm {
    /// RSA, PKCS #1 v1.5, SHA-256.
    RS256,
    /// RSA, PKCS #1 v1.5, SHA-384.
    RS384,
    /// RSA, PKCS #1 v1.5, SHA-512.
    RS512,
    /// RSA, PSS, SHA-256.
    PS256,
    /// RSA, PSS, SHA-384.
    PS384,
    /// RSA, PSS, SHA-512.
    PS512,
    /// ECDSA on P-256, SHA-256.
    ES256,
    /// ECDSA on P-384, SHA-384.
    ES384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    const ALL: [Self; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDsa,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.as_str() == word)
    }
}

/// A provider whose tokens are believed, and what they open.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// `iss` of its tokens, to the letter.
    pub issuer: String,
    /// What `aud` must name.
    pub audience: String,
    /// What its signatures may be made with.
    pub algorithms: BTreeSet<Algorithm>,
    /// For how many seconds from now a token may be good at most.
    pub longest: i64,
    /// The first that fits counts.
    pub rules: Vec<Rule>,
}

/// What a claim opens.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Where the claim stands in the token, as a JSON pointer.
    pub claim: String,
    /// What it is, or what it holds if it is a list.
    pub is: String,
    /// What that opens.
    pub grant: Arc<Grant>,
}

/// A token that is believed.
#[derive(Clone, Debug)]
pub struct Believed {
    /// Whom it is about, in the provider's words.
    pub subject: String,
    /// What it opens; nothing if no rule fits.
    pub grant: Arc<Grant>,
    /// When it is over.
    pub expires: Stamp,
}

/// Why a token is not believed; in words for the log, which name nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// It is not three pieces of base64 with JSON in two of them.
    #[error("it is no token")]
    Malformed,
    /// The header demands what is not known here, or names an algorithm that is not listed.
    #[error("its header is not taken: algorithm, type or crit")]
    Header,
    /// Nobody of that name is known.
    #[error("its issuer is not known")]
    Issuer,
    /// None of the keys is the one that it names.
    #[error("none of the issuer's keys is the one that it is signed with")]
    Key,
    /// The signature is not that of these words.
    #[error("its signature is wrong")]
    Signature,
    /// It is for somebody else.
    #[error("it is for another audience")]
    Audience,
    /// It is over.
    #[error("it is over")]
    Expired,
    /// It does not hold yet.
    #[error("it does not hold yet")]
    NotYet,
    /// It says no end, or one that is too far away.
    #[error("it is good for too long")]
    TooLong,
    /// It does not say whom it is about.
    #[error("it does not say whom it is about")]
    Subject,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

/// A token taken apart, of which nothing is believed yet.
pub struct Presented<'a> {
    signed: &'a [u8],
    signature: Vec<u8>,
    header: Header,
    claims: Map<String, Value>,
}

impl<'a> Presented<'a> {
    /// Takes a text apart.
    pub fn read(text: &'a str) -> Result<Self, Doubt> {
        let (signed, signature) = text.rsplit_once('.').ok_or(Doubt::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Doubt::Malformed)?;
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Doubt::Malformed);
        let header = serde_json::from_slice(&bytes(header)?).map_err(|_| Doubt::Malformed)?;
        let claims = serde_json::from_slice(&bytes(claims)?).map_err(|_| Doubt::Malformed)?;
        let signature = bytes(signature)?;
        Ok(Self { signed: signed.as_bytes(), signature, header, claims })
    }

    /// Who issued it, as it says itself.
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    /// Looks at everything; `keys` are those of the issuer.
    pub fn check(&self, of: &Issuer, keys: &KeySet, now: Stamp) -> Result<Believed, Doubt> {
        if self.issuer() != Some(&of.issuer) {
            return Err(Doubt::Issuer);
        }
        let algorithm = self.algorithm(of)?;
        let kid = self.header.kid.as_deref();
        let key = keys.fitting(kid, algorithm).ok_or(Doubt::Key)?;
        if !key.has_signed(algorithm, self.signed, &self.signature) {
            return Err(Doubt::Signature);
        }
        self.judge(of, now)
    }

    fn algorithm(&self, of: &Issuer) -> Result<Algorithm, Doubt> {
        let kinds = ["jwt", "at+jwt", "application/at+jwt"];
        let kind = self.header.typ.as_deref().map(str::to_ascii_lowercase);
        let is_taken = kind.is_none_or(|kind| kinds.contains(&kind.as_str()));
        let algorithm = Algorithm::named(&self.header.alg);
        algorithm
            .filter(|algorithm| of.algorithms.contains(algorithm))
            .filter(|_| is_taken && self.header.crit.is_none())
            .ok_or(Doubt::Header)
    }

    /// What a signed token says.
    fn judge(&self, of: &Issuer, now: Stamp) -> Result<Believed, Doubt> {
        if !holds(self.claims.get("aud"), &of.audience) {
            return Err(Doubt::Audience);
        }
        let expires = self.moment("exp").ok_or(Doubt::TooLong)?;
        if expires + LEEWAY <= now.0 {
            return Err(Doubt::Expired);
        }
        if expires - now.0 > of.longest + LEEWAY {
            return Err(Doubt::TooLong);
        }
        if self.moment("nbf").is_some_and(|from| from - LEEWAY > now.0) {
            return Err(Doubt::NotYet);
        }
        let subject = self.claims.get("sub").and_then(Value::as_str);
        let fits = |subject: &&str| !subject.is_empty() && subject.len() <= LONGEST_SUBJECT;
        let subject = subject.filter(fits).ok_or(Doubt::Subject)?.to_owned();
        let fits = |rule: &&Rule| match pointed(&self.claims, &rule.claim) {
            // RFC 8693, section 4.2: the one claim that is a list with spaces between.
            Some(Value::String(words)) if rule.claim == "/scope" => {
                words.split(' ').any(|word| word == rule.is)
            }
            claim => holds(claim, &rule.is),
        };
        let grant = of.rules.iter().find(fits).map(|rule| Arc::clone(&rule.grant));
        let expires = Stamp(expires + LEEWAY);
        Ok(Believed { subject, grant: grant.unwrap_or_default(), expires })
    }

    /// A moment in seconds since 1970, cut down to the second.
    fn moment(&self, name: &str) -> Option<i64> {
        // Beyond this no calendar goes, and sums would not fit.
        const LAST: i64 = 1 << 40;
        let number = self.claims.get(name)?;
        let whole = number.as_i64().or_else(|| number.as_f64().map(|number| number.floor() as i64));
        whole.map(|moment| moment.clamp(-LAST, LAST))
    }
}

/// Whether a claim is this text or a list that holds it.
fn holds(claim: Option<&Value>, wanted: &str) -> bool {
    match claim {
        Some(Value::String(text)) => text == wanted,
        Some(Value::Array(list)) => list.iter().any(|each| each.as_str() == Some(wanted)),
        _ => false,
    }
}

/// What a JSON pointer leads to among the claims.
fn pointed<'a>(claims: &'a Map<String, Value>, pointer: &str) -> Option<&'a Value> {
    let rest = pointer.strip_prefix('/')?;
    let (first, rest) =
        rest.split_once('/').map_or((rest, None), |(first, rest)| (first, Some(rest)));
    let found = claims.get(&first.replace("~1", "/").replace("~0", "~"))?;
    rest.map_or(Some(found), |rest| found.pointer(&format!("/{rest}")))
}

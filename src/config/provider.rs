//! `token_providers` of `iocgw.yaml`: whose signed tokens are believed, and what they open.

use std::collections::BTreeSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::access::Scope;
use crate::model::text::is_name;
use crate::model::units::Span;
use crate::pull::{Networks, Problems, Tls, check_document};
use crate::serve::Opens;
use crate::serve::token::{Algorithm, Issuer, Rule};

/// The most providers.
const MOST: usize = 8;

/// The most rules of one.
const MOST_RULES: usize = 100;

/// A provider of tokens (OpenID Connect).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenProvider {
    /// What it is called here.
    pub provider: String,
    /// `iss` of its tokens, to the letter; an `https://` address.
    pub issuer: String,
    /// What `aud` of a token must name.
    pub audience: String,
    /// What signatures may be made with.
    #[serde(default = "usual")]
    pub algorithms: BTreeSet<Algorithm>,
    /// Where its keys are (`jwks_uri`), if not where its `/.well-known/openid-configuration` says.
    #[serde(default)]
    pub keys_url: Option<String>,
    /// How often the keys are read again. An unknown key is looked for at once.
    #[serde(default = "ten_minutes")]
    pub refresh: Span,
    /// For how long a token may be good: it cannot be taken back before it is over.
    #[serde(default = "one_day")]
    pub longest: Span,
    /// The only networks that it may stand in; see `requester.allowed_networks` of sources.
    #[serde(default)]
    pub allowed_networks: Networks,
    /// Whom it must prove to be.
    #[serde(default)]
    pub tls: Tls,
    /// What its tokens open: the first rule that fits.
    pub rules: Vec<TokenRule>,
}

/// What a claim of a token opens.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRule {
    /// Where the claim stands in the token, as a JSON pointer such as `/groups` or `/realm_access/roles`.
    pub claim: String,
    /// What it is, or what it holds if it is a list.
    pub is: String,
    /// What that opens.
    pub opens: Opens,
}

fn usual() -> BTreeSet<Algorithm> {
    [Algorithm::RS256, Algorithm::ES256].into()
}

fn ten_minutes() -> Span {
    Span::seconds(600)
}

fn one_day() -> Span {
    Span::seconds(86_400)
}

impl TokenProvider {
    /// What the verification needs to know.
    pub fn issuer(&self) -> Issuer {
        let rule = |rule: &TokenRule| Rule {
            claim: rule.claim.clone(),
            is: rule.is.clone(),
            grant: Arc::new(rule.opens.grant()),
        };
        Issuer {
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            algorithms: self.algorithms.clone(),
            longest: self.longest.as_seconds(),
            rules: self.rules.iter().map(rule).collect(),
        }
    }

    fn check(&self, at: &str, problems: &mut Problems) {
        let mut problem = |key: &str, message: &str| {
            problems.push((format!("{at}.{key}"), message.to_owned()));
        };
        if !is_name(&self.provider) {
            problem("provider", "must be a plain lower-case name");
        }
        if self.audience.is_empty() {
            problem("audience", "must not be empty: a token for anybody is for nobody");
        }
        if self.algorithms.is_empty() {
            problem("algorithms", "names none");
        }
        if !(60..=86_400).contains(&self.refresh.as_seconds()) {
            problem("refresh", "must be from 1m to 1d");
        }
        if !(60..=7 * 86_400).contains(&self.longest.as_seconds()) {
            problem("longest", "must be from 1m to 7d");
        }
        if self.rules.is_empty() || self.rules.len() > MOST_RULES {
            problem("rules", "there are 1 to 100 rules");
        }
        for (i, rule) in self.rules.iter().enumerate() {
            if !rule.claim.starts_with('/') || rule.claim.len() > 200 {
                problem(&format!("rules.{i}.claim"), "must be a JSON pointer such as /groups");
            }
            if rule.is.is_empty() || rule.is.len() > 200 {
                problem(&format!("rules.{i}.is"), "must be 1 to 200 characters");
            }
            if rule.opens.scopes.contains(&Scope::Webhooks) {
                let message = "a webhook belongs to a key: 'webhooks' cannot be opened to tokens";
                problem(&format!("rules.{i}.opens.scopes"), message);
            }
        }
        check_document(&self.issuer, &format!("{at}.issuer"), problems);
        if let Some(url) = &self.keys_url {
            check_document(url, &format!("{at}.keys_url"), problems);
        }
        self.tls.check(&format!("{at}.tls"), problems);
    }
}

/// What is wrong with all of them, at its place; what their rules open is looked at elsewhere.
pub(super) fn check(providers: &[TokenProvider]) -> Problems {
    let mut problems = Vec::new();
    if providers.len() > MOST {
        problems.push(("token_providers".to_owned(), format!("there are at most {MOST}")));
    }
    for (i, provider) in providers.iter().enumerate() {
        let at = format!("token_providers.{i}");
        provider.check(&at, &mut problems);
        let earlier = &providers[..i];
        if earlier.iter().any(|other| other.provider == provider.provider) {
            let message = format!("provider '{}' stands twice", provider.provider);
            problems.push((format!("{at}.provider"), message));
        }
        if earlier.iter().any(|other| other.issuer == provider.issuer) {
            problems.push((format!("{at}.issuer"), "this issuer stands twice".to_owned()));
        }
    }
    problems
}

//! `access:` in `iocgw.yaml`: what is opened to those who show no key, how often may be asked, and whose
//! pages may read answers.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use super::rate::RateLimits;
use crate::model::access::{Grant, Reach, Scope};
use crate::model::audience::Audience;

/// Whom the gateway lets in besides those with a key.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AccessSettings {
    /// What those may who show no key; nothing without it.
    pub anonymous: Option<Opens>,
    /// How often may be asked.
    pub rate_limits: RateLimits,
    /// Whose pages may read answers in a browser: origins such as `https://ioc.example`; none without it.
    pub origins: Vec<String>,
}

/// What is opened to somebody: to those who show no key, or to those whom a provider of tokens names.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Opens {
    /// What they may do.
    pub scopes: BTreeSet<Scope>,
    /// Only about these communes, by today's codes.
    #[serde(default)]
    pub areas: Option<BTreeSet<String>>,
    /// Only about what these units answer for.
    #[serde(default)]
    pub units: Option<BTreeSet<String>>,
    /// For whom figures are told.
    #[serde(default)]
    pub audience: Audience,
}

impl Opens {
    /// As a grant.
    pub fn grant(&self) -> Grant {
        let Self { scopes, areas, units, audience } = self.clone();
        Grant { scopes, reach: Reach { areas, units, audience } }
    }
}

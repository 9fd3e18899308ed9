//! What all sources of an installation share on their way out.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::address::{Lookup, Networks};
use super::limit::{Rate, RateLimit};
use super::{Problems, require};

/// `outbound` of `iocgw.yaml`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OutboundSettings {
    /// How many requests may be under way at once, over all sources; more than any single source
    /// may have, so that none can take all places.
    pub at_once: u32,
    /// Networks that every source may stand in besides the usual ones: this machine's own
    /// (`127.0.0.0/8`) for a trial, never in production.
    pub allow: Networks,
    /// Rates that several sources keep together, by name: what they share is one platform behind.
    pub rate_limits: BTreeMap<String, RateLimit>,
}

impl Default for OutboundSettings {
    fn default() -> Self {
        Self { at_once: 512, allow: Networks::default(), rate_limits: BTreeMap::new() }
    }
}

impl OutboundSettings {
    /// Pushes a problem for each value that makes no sense.
    pub fn check(&self, at: &str, problems: &mut Problems) {
        let fine = (1..=4096).contains(&self.at_once);
        require(fine, &format!("{at}.at_once"), "must be 1 to 4096", problems);
        for (name, rate) in &self.rate_limits {
            rate.check(&format!("{at}.rate_limits.{name}"), problems);
        }
    }
}

/// The same at run time; cheap to clone, and every clone is the same one.
#[derive(Clone, Debug)]
pub struct Outbound {
    pub(super) at_once: Arc<Semaphore>,
    pub(super) allow: Networks,
    pub(super) rates: Arc<BTreeMap<String, Arc<Rate>>>,
    pub(super) lookup: Lookup,
}

impl Outbound {
    /// What the sources of one process share.
    pub fn new(settings: &OutboundSettings) -> Self {
        let rate =
            |(name, limit): (&String, &RateLimit)| (name.clone(), Arc::new(Rate::new(Some(limit))));
        Self {
            at_once: Arc::new(Semaphore::new(settings.at_once.max(1) as usize)),
            allow: settings.allow.clone(),
            rates: Arc::new(settings.rate_limits.iter().map(rate).collect()),
            lookup: Lookup::default(),
        }
    }
}

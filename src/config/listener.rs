//! `listener` of `iocgw.yaml`: how the gateway is reached.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::pull::{Networks, Problems, Welcome};
use crate::serve::Base;

/// How the gateway is reached.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListenerSettings {
    /// How it shows itself; without it, it speaks plain HTTP. Taken up when the program is started; the files
    /// that it names are read again when they have changed.
    pub tls: Option<Welcome>,
    /// The networks in which proxies stand: what one of them says in `X-Forwarded-For` is believed, so that
    /// callers are told apart by where they come from.
    pub trusted_proxies: Networks,
    /// The path below which everything is answered, such as `/gateway`, where the gateway shares its host with
    /// others; all links carry it. Taken up when the program is started. A listener for metrics alone has none.
    pub base_path: Base,
}

impl ListenerSettings {
    pub(super) fn check(&self, at: &str, problems: &mut Problems) {
        if let Some(tls) = &self.tls {
            tls.check(&format!("{at}.tls"), problems);
        }
    }
}

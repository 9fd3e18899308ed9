//! When the certificate that is shown to callers ends; absent where none is shown.

use std::sync::OnceLock;

use prometheus::{Gauge, Registry};

use crate::model::time::Stamp;

/// Tells when it ends, as far as that can be read.
type Ends = dyn Fn() -> Option<Stamp> + Send + Sync;

/// The family; it is there from the moment at which a certificate is shown.
pub struct OwnCertificate {
    registry: Registry,
    watched: OnceLock<(Box<Ends>, Gauge)>,
}

impl OwnCertificate {
    pub(super) fn new(registry: &Registry) -> Self {
        Self { registry: registry.clone(), watched: OnceLock::new() }
    }

    /// A certificate is shown that ends when this says; the first one counts.
    pub fn watch(&self, ends: Box<Ends>) {
        let name = "iocgw_listener_certificate_expiry_timestamp_seconds";
        let gauge = Gauge::new(name, "When the certificate that is shown to callers ends.");
        let gauge = gauge.expect("the name and the words are good");
        if self.watched.set((ends, gauge.clone())).is_ok() {
            self.registry.register(Box::new(gauge)).expect("no other family has this name");
        }
    }

    pub(super) fn look(&self) {
        if let Some((ends, gauge)) = self.watched.get()
            && let Some(at) = ends()
        {
            gauge.set(at.0 as f64);
        }
    }
}

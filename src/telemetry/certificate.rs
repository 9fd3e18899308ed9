//! When the certificate that is shown to callers ends.

use std::sync::OnceLock;

use prometheus::Gauge;

use super::maker::Maker;
use crate::model::time::Stamp;

/// Tells when it ends, as far as that can be read.
type Ends = dyn Fn() -> Option<Stamp> + Send + Sync;

/// The family.
pub struct OwnCertificate {
    ends: Gauge,
    watched: OnceLock<Box<Ends>>,
}

impl OwnCertificate {
    pub(super) fn new(make: &Maker<'_>) -> Self {
        let ends = make.moment(
            "listener_certificate_expiry_timestamp_seconds",
            "When the certificate that is shown to callers ends; 0 where none is.",
        );
        Self { ends, watched: OnceLock::new() }
    }

    /// A certificate is shown that ends when this says; the first one counts.
    pub fn watch(&self, ends: Box<Ends>) {
        let _ = self.watched.set(ends);
    }

    pub(super) fn look(&self) {
        if let Some(at) = self.watched.get().and_then(|ends| ends()) {
            self.ends.set(at.0 as f64);
        }
    }
}

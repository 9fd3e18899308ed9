//! Telemetry: log lines and metrics, for operators.
//!
//! A log line is readable by itself and carries its facts as fields; it is written once, where the
//! matter is handled. Bodies, keys, credentials and query strings are never logged. Metrics follow
//! Prometheus' naming: base units, `_total`, moments instead of ages, labels only from the
//! configuration or from closed lists, every label set present from the start.

mod answers;
mod certificate;
mod denials;
mod disk;
pub mod listeners;
pub mod log;
mod maker;
pub mod metrics;
mod providers;
mod reports;
mod webhooks;

pub use metrics::{Metrics, SourceLabels, StreamLabels};

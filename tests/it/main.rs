//! All integration tests, in one binary.
#![cfg(test)]
#![expect(clippy::float_cmp, reason = "what is compared is equal to the bit or wrong")]

mod access;
mod backfills;
mod cli;
mod config;
mod console;
mod courtesy;
mod custody;
mod dashboards;
mod demo;
mod deploy;
mod discover;
mod drift;
mod dropped;
mod family;
#[cfg(any(debug_assertions, feature = "failpoints"))]
mod faults;
mod first;
mod fleets;
mod formats;
mod impostors;
mod intake;
mod keys;
#[cfg(any(debug_assertions, feature = "failpoints"))]
mod lateness;
mod lineage;
mod listener;
mod live;
mod malformed;
mod metrics;
mod oracle;
mod paging;
mod profiles;
mod programme;
mod readme;
mod reload;
mod sick;
mod steering;
mod steward;
mod support;
mod tidy;
mod tokens;
#[cfg(any(debug_assertions, feature = "failpoints"))]
mod torture;
mod webhooks;

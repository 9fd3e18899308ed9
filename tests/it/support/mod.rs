//! What the tests stand on: a simulated province on loopback and the real program beside it.

mod browser;
pub(crate) mod certification;
mod gateway;
mod overlay;
mod prometheus;
mod provider;
mod province;
mod receiver;
mod upstream;
mod workbook;

pub(crate) use browser::Browser;
pub(crate) use gateway::{Answer, Gateway, program, request, run_in};
pub(crate) use overlay::{Overlay, cases, copy, edit, named, variables};
pub(crate) use prometheus::{Prometheus, promtool};
pub(crate) use provider::{CLIENT, Provider};
pub(crate) use province::{Pulled, Systems};
pub(crate) use receiver::Receiver;
pub(crate) use upstream::{Moody, Reply, Upstream};
pub(crate) use workbook::workbook;

/// The shipped configuration.
pub(crate) fn shipped() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

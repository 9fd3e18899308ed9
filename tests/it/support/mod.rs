//! What the tests stand on: a simulated province on loopback and the real program beside it.

mod gateway;
mod overlay;
mod province;

pub(crate) use gateway::{Gateway, run_in};
pub(crate) use overlay::{Overlay, named};
pub(crate) use province::Systems;

/// The shipped configuration.
pub(crate) fn shipped() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

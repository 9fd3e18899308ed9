//! The IOC data-integration gateway.

pub mod clock;
pub mod config;
pub mod model;

//! The IOC data-integration gateway.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod decode;
pub mod fold;
pub mod indicator;
pub mod model;
pub mod normalise;
pub mod pipeline;
pub mod province;
pub mod pull;
pub mod serve;
pub mod store;
pub mod telemetry;

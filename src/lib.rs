//! The IOC data-integration gateway.

pub mod clock;
pub mod model;
pub mod province;

//! The IOC data-integration gateway.

pub mod clock;
pub mod indicator;
pub mod model;
pub mod serve;

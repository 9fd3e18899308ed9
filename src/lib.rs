//! The IOC data-integration gateway.

pub mod clock;
pub mod decode;
pub mod fold;
pub mod indicator;
pub mod model;

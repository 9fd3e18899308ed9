//! Indicators: what people look at, evaluated from one snapshot.
//!
//! Pure: a function of a snapshot, the definitions and the time it is told.

pub mod reading;

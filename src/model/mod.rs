//! The words of the domain: values that every stage may speak of and that do nothing by themselves.
//!
//! This is the bottom of the house. It has no I/O, no clock and no knowledge of any stage above.

pub mod nearest;
pub mod time;
pub mod units;

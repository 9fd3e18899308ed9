//! The words of the domain: values that every stage may speak of and that do nothing by themselves.
//!
//! This is the bottom of the house. It has no I/O, no clock and no knowledge of any stage above.

pub mod access;
pub mod area;
pub mod audience;
pub mod audit;
pub mod backfill;
pub mod calendar;
pub mod contract;
pub mod cube;
pub mod deadline;
pub mod declared;
pub mod derived;
pub mod dictionary;
pub mod disclosure;
pub mod drift;
pub mod expr;
pub mod geometry;
pub mod intake;
pub mod items;
pub mod lateness;
pub mod list;
pub mod nearest;
pub mod observation;
pub mod quarantine;
pub mod record;
pub mod revision;
pub mod row;
pub mod schema;
pub mod snapshot;
pub mod text;
pub mod time;
pub mod units;
pub mod webhook;

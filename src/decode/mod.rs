//! Decode: from a page's bytes to the mapped values of its records, and nothing else.
//!
//! The contract is the only decoder. A stream's map says at which paths its properties stand; those
//! paths are the only thing ever materialised, everything else is skipped inside the parser. A field
//! that no stream maps therefore reaches neither memory, log, quarantine nor store: privacy by
//! construction, not by clean-up. One pass also picks what the paginator needs from around the
//! records. Pure and synchronous.

pub mod json;
mod picks;
#[cfg(test)]
mod tests;

use crate::model::record::Records;

pub use picks::Picks;

/// The most records that one page may hold.
pub const MAX_RECORDS: usize = 200_000;

/// The most items of one array inside a record; a record with more is malformed.
pub const MAX_ITEMS: usize = 1_000;

/// The most such items on one page; a record that goes beyond them is malformed.
pub const MAX_PAGE_ITEMS: usize = if cfg!(test) { 5_000 } else { 2_000_000 };

/// A decoded page.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The records' mapped values.
    pub records: Records<'a>,
    /// The values around the records that were asked for, in the order asked; texts and numbers
    /// as text, empty texts and null as `None`.
    pub envelope: Vec<Option<String>>,
}

/// A page that cannot be decoded is refused whole. Messages never quote the page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It ends too early.
    #[error("the page ends too early, at byte {0}")]
    Truncated(usize),
    /// It is not JSON.
    #[error("the page is not JSON: {what} (line {line}, column {column})")]
    NotJson {
        /// What stands there instead.
        what: &'static str,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// It is JSON of another shape.
    #[error("the page has another shape than expected: {0}")]
    Shape(String),
    /// It is sound, but has no records where they should be.
    #[error("the page has another shape than expected: there are no records at '{at}'")]
    NoRecords {
        /// Where they should be.
        at: String,
        /// The values around the records: an error code may stand there.
        envelope: Vec<Option<String>>,
    },
    /// It has too many records.
    #[error("the page has more than {MAX_RECORDS} records")]
    TooMany,
}

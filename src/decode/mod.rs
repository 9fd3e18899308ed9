//! Decode: from a page's bytes to the mapped values of its records, and nothing else.
//!
//! The contract is the only decoder. A stream's map says at which paths its properties stand; those
//! paths are the only thing ever materialised, everything else is skipped inside the parser. A field
//! that no stream maps therefore reaches neither memory, log, quarantine nor store: privacy by
//! construction, not by clean-up. One pass also picks what the paginator needs from around the
//! records. Pure and synchronous.
//!
//! Every format yields the same [`Decoded`], so nothing behind this stage knows which one it was. A
//! page is refused whole where it cannot be told what its records are; where the records are framed
//! beyond doubt and one of them is broken, that one is `malformed` and the rest goes on.

mod csv;
mod exposition;
mod format;
pub mod json;
mod ndjson;
mod picks;
#[cfg(test)]
mod tests;
mod xlsx;
mod xml;

use crate::model::record::Records;

pub use format::{Decoder, Encoding, Format, Misfit};
pub use picks::Picks;

/// The most records that one page may hold.
pub const MAX_RECORDS: usize = 200_000;
/// The longest wanted value, in bytes. What nobody wants may be longer: it is never copied.
pub const MAX_VALUE: usize = 1 << 20;
/// The most columns of a row, attributes of an element or labels of a sample.
pub const MAX_FIELDS: usize = 1_024;
/// The deepest nesting of XML elements. JSON needs no such limit: only wanted paths are descended,
/// what lies beside them is passed over without recursion.
pub const MAX_DEPTH: usize = 64;

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
    /// Nothing on it shows whether it is whole, and its length was not announced.
    #[error(
        "the last row has no line end and the answer did not announce its length: it may be cut"
    )]
    Open,
    /// It is not what the stream's format says.
    #[error("the page is not {format}: {what} (line {line}, column {column})")]
    Syntax {
        /// The format's name.
        format: &'static str,
        /// What stands there instead.
        what: &'static str,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
    /// It is sound, of another shape.
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
    /// It has more of something than is ever taken.
    #[error("the page has {0}")]
    Limit(String),
}

impl DecodeError {
    /// What stands at byte `at` does not belong there.
    fn syntax(format: &'static str, what: &'static str, page: &[u8], at: usize) -> Self {
        let before = &page[..at.min(page.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        Self::Syntax {
            format,
            what,
            line: before.split(|byte| *byte == b'\n').count(),
            column: before.len() - line_start + 1,
        }
    }

    fn empty() -> Self {
        Self::Shape("it is empty".to_owned())
    }

    fn too_many() -> Self {
        Self::Limit(format!("more than {MAX_RECORDS} records"))
    }

    fn too_long() -> Self {
        Self::Limit(format!("a value of more than {MAX_VALUE} bytes"))
    }
}

const MARKUP: &str = "it is an HTML or XML page";
const NUL: &str = "a NUL character";

/// Windows programs write a byte order mark even where there is no order.
fn without_bom(page: &[u8]) -> &[u8] {
    page.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(page)
}

/// Whether it begins like an HTML or XML page, as login and error pages do.
fn is_markup(page: &[u8]) -> bool {
    page.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<')
}

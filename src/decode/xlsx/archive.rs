//! The archive that a workbook is: parts by name, inflated under limits.
//!
//! Only what spreadsheets write is read: stored and deflated parts, no encryption, one volume, less
//! than 4 GiB. The list at the end of the archive is believed, and each part is held against it: where
//! it begins, how long it is, its check sum. A part that inflates to more than it says, or to more than
//! is ever taken, ends there: a bomb never becomes an allocation.

use std::collections::BTreeMap;

use flate2::{Crc, Decompress, FlushDecompress};

use crate::decode::DecodeError;

/// The most bytes that all parts read from one archive inflate to.
pub(super) const MAX_INFLATED: usize = if cfg!(test) { 1 << 20 } else { 256 << 20 };

/// The most parts of one archive.
const MAX_PARTS: usize = 2_000;

/// A deflated byte never becomes more than this many.
const MOST_RATIO: usize = 1_032;

const END: [u8; 4] = *b"PK\x05\x06";
const LISTED: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";

/// How far before the end of the archive its list may end: the longest comment.
const TAIL: usize = 22 + 0xFFFF;

/// Where a part stands and what it should be.
struct Part {
    at: usize,
    method: u16,
    packed: usize,
    length: usize,
    crc: u32,
}

pub(super) struct Archive<'a> {
    bytes: &'a [u8],
    parts: BTreeMap<String, Part>,
    /// How much may still be inflated.
    left: usize,
}

fn broken(what: &str) -> DecodeError {
    DecodeError::Shape(format!("it is no workbook that can be read: {what}"))
}

/// A number of 2 or 4 bytes.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte)))
}

impl<'a> Archive<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if bytes.is_empty() {
            return Err(DecodeError::empty());
        }
        if !bytes.starts_with(b"PK") {
            return Err(broken("it is no archive"));
        }
        let tail = &bytes[bytes.len().saturating_sub(TAIL)..];
        let end = tail.windows(4).rposition(|four| four == END);
        let end = end.ok_or(DecodeError::Truncated(bytes.len()))? + bytes.len() - tail.len();
        let comment = number(bytes, end + 20, 2);
        if comment.is_none_or(|length| end + 22 + length != bytes.len()) {
            return Err(DecodeError::Truncated(bytes.len()));
        }
        let cut = || broken("its list of parts is broken");
        let count = number(bytes, end + 10, 2).ok_or_else(cut)?;
        let mut at = number(bytes, end + 16, 4).ok_or_else(cut)?;
        if count > MAX_PARTS {
            return Err(DecodeError::Limit(format!("more than {MAX_PARTS} parts")));
        }
        let mut parts = BTreeMap::new();
        for _ in 0..count {
            if bytes.get(at..at + 4) != Some(&LISTED) {
                return Err(cut());
            }
            let field = |offset, length| number(bytes, at + offset, length).ok_or_else(cut);
            let name = bytes.get(at + 46..at + 46 + field(28, 2)?).ok_or_else(cut)?;
            if field(8, 2)? & 1 != 0 {
                return Err(broken("it is encrypted"));
            }
            let part = Part {
                at: field(42, 4)?,
                method: field(10, 2)? as u16,
                packed: field(20, 4)?,
                length: field(24, 4)?,
                crc: field(16, 4)? as u32,
            };
            let name = String::from_utf8_lossy(name).into_owned();
            if parts.insert(name, part).is_some() {
                return Err(broken("a part stands twice"));
            }
            at += 46 + field(28, 2)? + field(30, 2)? + field(32, 2)?;
        }
        Ok(Self { bytes, parts, left: MAX_INFLATED })
    }

    /// A part's bytes; nothing if there is none of this name.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<String>, DecodeError> {
        let Some(part) = self.parts.get(name) else { return Ok(None) };
        if part.length > self.left {
            let message = format!("more than {MAX_INFLATED} bytes once it is inflated");
            return Err(DecodeError::Limit(message));
        }
        let cut = || broken("a part is not where the list says");
        let local = self.bytes.get(part.at..part.at + 4);
        if local != Some(&LOCAL) {
            return Err(cut());
        }
        let skip = |offset| number(self.bytes, part.at + offset, 2).ok_or_else(cut);
        let start = part.at + 30 + skip(26)? + skip(28)?;
        let packed = self.bytes.get(start..start + part.packed).ok_or_else(cut)?;
        // One byte more than it should have shows that it has more.
        let room = part.length.min(packed.len().saturating_mul(MOST_RATIO)) + 1;
        let mut out = Vec::with_capacity(room);
        match part.method {
            0 => out.extend_from_slice(packed),
            8 => {
                let inflated = Decompress::new(false).decompress_vec(
                    packed,
                    &mut out,
                    FlushDecompress::Finish,
                );
                inflated.map_err(|_| broken("a part does not inflate"))?;
            }
            _ => return Err(broken("a part is packed in a way that spreadsheets do not use")),
        }
        let mut crc = Crc::new();
        crc.update(&out);
        if out.len() != part.length || crc.sum() != part.crc {
            return Err(broken("a part is not what the list says"));
        }
        self.left -= out.len();
        String::from_utf8(out).map(Some).map_err(|_| broken("a part is not UTF-8"))
    }
}

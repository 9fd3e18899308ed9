//! NDJSON pages: one JSON object a line, read by the JSON decoder line by line.
//!
//! Lines frame the records, so a line that is broken is one malformed record and the others go on.
//! Two things are not left to that mercy. The first line tells whether this is NDJSON at all: it must
//! begin with `{` and be whole, or the page is something else (an HTML page, one array, an object
//! over many lines). And a last line without its end that is no whole object was cut off: an object
//! is whole only with its last brace, so a page cut anywhere never yields half a record.

use super::json::Lines;
use super::{DecodeError, Decoded, MARKUP, MAX_RECORDS, Picks, is_markup, without_bom};

const NOT_AN_OBJECT: &str = "the first line is no JSON object";
const GOES_ON: &str = "the first line is not whole: an object goes over several lines";

/// Decodes a page.
pub(super) fn decode<'a>(
    page: &'a [u8],
    picks: &Picks,
    may_be_empty: bool,
) -> Result<Decoded<'a>, DecodeError> {
    let text = without_bom(page);
    let mut lines = Lines::new(picks);
    let (mut start, mut is_first) = (0, true);
    while start < text.len() {
        let end = text[start..].iter().position(|byte| *byte == b'\n').map(|at| start + at);
        let line = text[start..end.unwrap_or(text.len())].trim_ascii();
        if !line.is_empty() {
            let is_object = line.first() == Some(&b'{');
            if is_first && !is_object {
                let what = if is_markup(line) { MARKUP } else { NOT_AN_OBJECT };
                return Err(DecodeError::syntax("NDJSON", what, text, start));
            }
            match lines.read(line) {
                Err(error) if error.is_too_long() => return Err(DecodeError::too_long()),
                Err(_) if end.is_none() => return Err(DecodeError::Truncated(page.len())),
                Err(error) if is_first && error.is_unfinished() => {
                    return Err(DecodeError::syntax("NDJSON", GOES_ON, text, start));
                }
                // What is broken has been noted as a malformed record.
                Ok(()) | Err(_) => {}
            }
            is_first = false;
            if lines.count() > MAX_RECORDS {
                return Err(DecodeError::too_many());
            }
        }
        start = end.map_or(text.len(), |end| end + 1);
    }
    if is_first && !may_be_empty {
        return Err(DecodeError::empty());
    }
    Ok(lines.finish())
}

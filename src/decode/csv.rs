//! CSV pages: RFC 4180 to the letter, and nothing guessed.
//!
//! Written by hand because the usual readers forgive just what a broken page looks like: a quote
//! that is never closed, one that stands inside a field, a row with a field too many. Here an open
//! quote at the end is a page cut off, and such a row is one malformed record; its values are dropped,
//! because shifted columns would put what nobody mapped where something mapped belongs. An empty
//! field is null, quoted or not: CSV has no other way to say it, and no spreadsheet shows the
//! difference.
//!
//! A last row without its line end may be whole or cut in its last field. Nothing on the page can
//! tell, so whoever fetched it must know that its length was announced ([`is_open`]).

use std::borrow::Cow;

use super::{
    DecodeError, Decoded, Encoding, MARKUP, MAX_FIELDS, MAX_RECORDS, MAX_VALUE, NUL, is_markup,
    without_bom,
};
use crate::model::record::{Records, Value};
use crate::model::text::normal;

const FIRST_ROW: &str = "the first row has a quote where none may stand";

/// The wanted columns of a stream.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    delimiter: u8,
    encoding: Encoding,
    may_be_empty: bool,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
enum Wanted {
    /// By the names in the header, composed.
    Names(Vec<Box<str>>),
    /// By position from 0.
    Places(Vec<usize>),
}

impl Columns {
    /// `map` holds column names, or numbers from 1 if there is no header.
    pub(super) fn new(
        delimiter: u8,
        header: bool,
        encoding: Encoding,
        may_be_empty: bool,
        map: &[String],
    ) -> Result<Self, String> {
        let wanted = if header {
            let blank = map.iter().any(|name| name.trim().is_empty());
            if blank {
                return Err("a column has a name".to_owned());
            }
            Wanted::Names(map.iter().map(|name| normal(name).into()).collect())
        } else {
            let place = |text: &String| match text.parse::<usize>() {
                Ok(number) if (1..=MAX_FIELDS).contains(&number) => Ok(number - 1),
                _ => Err(format!(
                    "'{text}' is not the number of a column, which counts from 1 where there is no header"
                )),
            };
            Wanted::Places(map.iter().map(place).collect::<Result<_, _>>()?)
        };
        Ok(Self { delimiter, encoding, may_be_empty, wanted })
    }

    fn picks(&self) -> usize {
        match &self.wanted {
            Wanted::Names(names) => names.len(),
            Wanted::Places(places) => places.len(),
        }
    }
}

/// Whether the last row lacks its line end.
pub(super) fn is_open(page: &[u8], columns: &Columns) -> bool {
    let end: &[u8] = match columns.encoding {
        Encoding::Utf8 | Encoding::Windows1258 => b"\n",
        Encoding::Utf16 if page.starts_with(b"\xFE\xFF") => b"\0\n",
        Encoding::Utf16 => b"\n\0",
    };
    !page.ends_with(end)
}

/// Decodes a page.
pub(super) fn decode<'a>(page: &'a [u8], columns: &Columns) -> Result<Decoded<'a>, DecodeError> {
    if columns.encoding != Encoding::Utf16 {
        return table(without_bom(page), columns);
    }
    // Delimiters cannot be found in UTF-16 bytes, so this text is rewritten whole and its wanted
    // values are copied out of it.
    let text = from_utf16(page)?;
    let mut decoded = table(text.as_bytes(), columns)?;
    let values = decoded.records.values.drain(..).map(|value| match value {
        Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
        Value::Null => Value::Null,
        _ => Value::Absent,
    });
    let values = values.collect();
    let Records { picks, malformed, count, unmapped, .. } = decoded.records;
    let records = Records { picks, values, malformed, count, unmapped };
    Ok(Decoded { records, envelope: Vec::new() })
}

fn table<'a>(text: &'a [u8], columns: &Columns) -> Result<Decoded<'a>, DecodeError> {
    let nul = text.iter().position(|byte| *byte == 0);
    if let Some(at) = nul.filter(|_| columns.encoding != Encoding::Utf16) {
        return Err(DecodeError::syntax("CSV", NUL, text, at));
    }
    if is_markup(text) {
        return Err(DecodeError::syntax("CSV", MARKUP, text, 0));
    }
    let mut rows = Rows { text, at: 0, delimiter: columns.delimiter };
    let mut decoded = Decoded::default();
    decoded.records.picks = columns.picks();
    let mut fields = Vec::new();
    if !rows.next(&mut fields)? {
        return if columns.may_be_empty { Ok(decoded) } else { Err(DecodeError::empty()) };
    }
    let shape = Shape::of(&fields, columns, text)?;
    decoded.records.unmapped = Some(shape.unmapped());
    if matches!(columns.wanted, Wanted::Places(_)) {
        take(&mut decoded, &fields, &shape, columns.encoding)?;
    }
    while rows.next(&mut fields)? {
        take(&mut decoded, &fields, &shape, columns.encoding)?;
    }
    Ok(decoded)
}

/// What the first row says about all others.
struct Shape {
    width: usize,
    /// The place of each pick.
    places: Vec<usize>,
}

impl Shape {
    /// How many columns nobody wants.
    fn unmapped(&self) -> u64 {
        (0..self.width).filter(|place| !self.places.contains(place)).count() as u64
    }

    fn of(first: &[Field<'_>], columns: &Columns, text: &[u8]) -> Result<Self, DecodeError> {
        if first.iter().any(|field| matches!(field, Field::Broken)) {
            return Err(DecodeError::syntax("CSV", FIRST_ROW, text, 0));
        }
        let width = first.len();
        let places = match &columns.wanted {
            Wanted::Places(places) => {
                if let Some(place) = places.iter().find(|place| **place >= width) {
                    let message = format!("column {} is wanted of {width}", place + 1);
                    return Err(DecodeError::Shape(message));
                }
                places.clone()
            }
            Wanted::Names(names) => {
                let header: Vec<_> = first
                    .iter()
                    .map(|field| match field.text(columns.encoding) {
                        Some(name) => normal(&name).into_owned(),
                        None => String::new(),
                    })
                    .collect();
                names.iter().map(|name| place_of(name, &header)).collect::<Result<_, _>>()?
            }
        };
        Ok(Self { width, places })
    }
}

/// A wanted column that is gone or stands twice is drift of the whole file, not of one record.
pub(super) fn place_of(name: &str, header: &[String]) -> Result<usize, DecodeError> {
    let mut found = header.iter().enumerate().filter(|(_, other)| *other == name);
    match (found.next(), found.next()) {
        (Some((place, _)), None) => Ok(place),
        (None, _) => Err(DecodeError::Shape(format!("the header has no column '{name}'"))),
        (Some(_), Some(_)) => {
            Err(DecodeError::Shape(format!("the header has the column '{name}' twice")))
        }
    }
}

/// Adds one row as a record.
fn take<'a>(
    decoded: &mut Decoded<'a>,
    fields: &[Field<'a>],
    shape: &Shape,
    encoding: Encoding,
) -> Result<(), DecodeError> {
    let records = &mut decoded.records;
    if records.count == MAX_RECORDS {
        return Err(DecodeError::too_many());
    }
    let start = records.values.len();
    let mut sound = fields.len() == shape.width;
    sound &= !fields.iter().any(|field| matches!(field, Field::Broken));
    if sound {
        for place in &shape.places {
            let field = &fields[*place];
            if field.len() > MAX_VALUE {
                return Err(DecodeError::too_long());
            }
            let value = match field.text(encoding) {
                Some(text) if text.is_empty() => Value::Null,
                Some(text) => Value::Text(text),
                None => Value::Unfit,
            };
            sound &= value != Value::Unfit;
            records.values.push(value);
        }
    }
    if !sound {
        records.values.truncate(start);
        records.malformed.push(records.count);
    }
    records.values.resize_with(start + records.picks, Value::default);
    records.count += 1;
    Ok(())
}

/// One field as it stands on the page.
#[derive(Clone, Copy)]
enum Field<'a> {
    /// What stands between delimiters or quotes.
    Plain(&'a [u8]),
    /// What stands between quotes and has doubled quotes in it.
    Doubled(&'a [u8]),
    /// A quote stands where none may.
    Broken,
}

impl<'a> Field<'a> {
    fn len(&self) -> usize {
        match self {
            Self::Plain(bytes) | Self::Doubled(bytes) => bytes.len(),
            Self::Broken => 0,
        }
    }

    /// Its text; `None` if its characters are broken.
    fn text(&self, encoding: Encoding) -> Option<Cow<'a, str>> {
        let (bytes, is_doubled) = match self {
            Self::Plain(bytes) => (*bytes, false),
            Self::Doubled(bytes) => (*bytes, true),
            Self::Broken => return None,
        };
        let text = match encoding {
            Encoding::Utf8 => Cow::Borrowed(std::str::from_utf8(bytes).ok()?),
            // The code page writes tones as characters of their own; they are composed where texts
            // are compared.
            Encoding::Windows1258 => encoding_rs::WINDOWS_1258.decode_without_bom_handling(bytes).0,
            Encoding::Utf16 => {
                let text = std::str::from_utf8(bytes).ok()?;
                Cow::Borrowed(Some(text).filter(|text| !text.contains(LONE))?)
            }
        };
        Some(if is_doubled { Cow::Owned(text.replace("\"\"", "\"")) } else { text })
    }
}

/// The rows of a page, one after the other.
struct Rows<'a> {
    text: &'a [u8],
    at: usize,
    delimiter: u8,
}

enum After {
    Field,
    Row,
}

impl<'a> Rows<'a> {
    /// Reads the next row that is not blank; false at the end of the page.
    fn next(&mut self, fields: &mut Vec<Field<'a>>) -> Result<bool, DecodeError> {
        loop {
            match self.text[self.at..] {
                [] => return Ok(false),
                [b'\n', ..] | [b'\r'] => self.at += 1,
                [b'\r', b'\n', ..] => self.at += 2,
                _ => break,
            }
        }
        fields.clear();
        loop {
            let (field, after) = self.field()?;
            if fields.len() == MAX_FIELDS {
                return Err(DecodeError::Limit(format!("a row of more than {MAX_FIELDS} fields")));
            }
            fields.push(field);
            if matches!(after, After::Row) {
                return Ok(true);
            }
        }
    }

    fn field(&mut self) -> Result<(Field<'a>, After), DecodeError> {
        if self.text.get(self.at) != Some(&b'"') {
            return Ok(self.plain());
        }
        let start = self.at + 1;
        let (mut end, mut is_doubled) = (start, false);
        loop {
            let Some(quote) = self.text[end..].iter().position(|byte| *byte == b'"') else {
                return Err(DecodeError::Truncated(self.text.len()));
            };
            end += quote;
            if self.text.get(end + 1) != Some(&b'"') {
                break;
            }
            is_doubled = true;
            end += 2;
        }
        self.at = end + 1;
        let (rest, after) = self.plain();
        let is_closed = matches!(rest, Field::Plain(b""));
        let content = &self.text[start..end];
        let field = match (is_closed, is_doubled) {
            (false, _) => Field::Broken,
            (true, false) => Field::Plain(content),
            (true, true) => Field::Doubled(content),
        };
        Ok((field, after))
    }

    /// What stands up to the next delimiter or line end.
    fn plain(&mut self) -> (Field<'a>, After) {
        let rest = &self.text[self.at..];
        let (delimiter, mut has_quote) = (self.delimiter, false);
        let end = rest.iter().position(|byte| {
            has_quote |= *byte == b'"';
            *byte == delimiter || *byte == b'\n'
        });
        let (content, after) = match end {
            Some(end) if rest[end] == delimiter => (&rest[..end], After::Field),
            end => {
                let line = &rest[..end.unwrap_or(rest.len())];
                (line.strip_suffix(b"\r").unwrap_or(line), After::Row)
            }
        };
        self.at += end.map_or(rest.len(), |end| end + 1);
        (if has_quote { Field::Broken } else { Field::Plain(content) }, after)
    }
}

/// What stands for half a character of UTF-16; a page with a real one is refused.
const LONE: char = '\0';

fn from_utf16(page: &[u8]) -> Result<String, DecodeError> {
    let (body, is_big) = match page {
        [0xFE, 0xFF, body @ ..] => (body, true),
        [0xFF, 0xFE, body @ ..] | body => (body, false),
    };
    let (pairs, []) = body.as_chunks::<2>() else {
        return Err(DecodeError::Truncated(page.len()));
    };
    let read = if is_big { u16::from_be_bytes } else { u16::from_le_bytes };
    let units = pairs.iter().map(|pair| read(*pair));
    if units.clone().any(|unit| unit == 0) {
        return Err(DecodeError::Syntax { format: "CSV", what: NUL, line: 1, column: 1 });
    }
    Ok(char::decode_utf16(units).map(|unit| unit.unwrap_or(LONE)).collect())
}

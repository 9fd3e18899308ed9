//! JSON pages by allow-list: a visitor that walks down wanted names and skips the rest.
//!
//! Wanted scalars are taken as raw slices of the page and classified by their first byte: numbers
//! keep their digits (nothing passes through a float), texts are borrowed unless they are escaped.
//! Skipping costs a third of building a tree, and skipped bytes are never copied.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::picks::{Leaf, Node, Picks};
use super::{DecodeError, Decoded, MAX_RECORDS};
use crate::model::record::Value;

const TOO_MANY: &str = "too many records";
const TWICE: &str = "a wanted field stands twice";

/// Decodes a page.
pub fn decode<'a>(page: &'a [u8], picks: &Picks) -> Result<Decoded<'a>, DecodeError> {
    let mut decoded = Decoded::default();
    decoded.records.picks = picks.picks;
    let mut walk =
        Walk { picks, decoded: &mut decoded, around: vec![None; picks.around], found: false };
    let mut json = serde_json::Deserializer::from_slice(page);
    let read = if picks.is_single() {
        walk.found = true;
        RecordSeed(&mut walk).deserialize(&mut json)
    } else {
        PageSeed { walk: &mut walk, node: &picks.page }.deserialize(&mut json)
    };
    read.and_then(|()| json.end()).map_err(|error| explain(&error, page))?;
    let (found, around) = (walk.found, walk.around);
    if !found {
        return Err(DecodeError::NoRecords { at: picks.records_at.clone(), envelope: around });
    }
    decoded.envelope = around;
    Ok(decoded)
}

/// serde_json's messages may quote the page, so only their kind and place are kept.
fn explain(error: &serde_json::Error, page: &[u8]) -> DecodeError {
    use serde_json::error::Category;
    let text = error.to_string();
    match error.classify() {
        Category::Eof if page.is_empty() => DecodeError::Shape("it is empty".to_owned()),
        Category::Eof => DecodeError::Truncated(page.len()),
        Category::Data if text.starts_with(TOO_MANY) => DecodeError::TooMany,
        Category::Data if text.starts_with(TWICE) => DecodeError::Shape(TWICE.to_owned()),
        Category::Data => {
            DecodeError::Shape(format!("other types than expected (line {})", error.line()))
        }
        Category::Syntax | Category::Io => {
            let markup = page.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<');
            let what = if markup {
                "it is an HTML or XML page"
            } else {
                "a character that does not belong there"
            };
            DecodeError::NotJson { what, line: error.line(), column: error.column() }
        }
    }
}

/// The state of one pass over a page.
struct Walk<'w, 'a> {
    picks: &'w Picks,
    decoded: &'w mut Decoded<'a>,
    around: Vec<Option<String>>,
    found: bool,
}

/// The page outside the records.
struct PageSeed<'s, 'w, 'a> {
    walk: &'s mut Walk<'w, 'a>,
    node: &'s Node,
}

impl<'a> DeserializeSeed<'a> for PageSeed<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.node.leaf {
            Some(Leaf::Records) => {
                if std::mem::replace(&mut self.walk.found, true) {
                    return Err(serde::de::Error::custom(TWICE));
                }
                deserializer.deserialize_seq(RecordsVisitor(self.walk))
            }
            Some(Leaf::Pick(i)) => {
                let raw: &RawValue = serde::Deserialize::deserialize(deserializer)?;
                self.walk.around[i] = match classify(raw.get()) {
                    Value::Text(text) if !text.is_empty() => Some(text.into_owned()),
                    Value::Number(digits) => Some(digits.to_owned()),
                    Value::Boolean(value) => Some(value.to_string()),
                    _ => None,
                };
                Ok(())
            }
            None => deserializer.deserialize_map(PageVisitor(self)),
        }
    }
}

struct PageVisitor<'s, 'w, 'a>(PageSeed<'s, 'w, 'a>);

impl<'a> Visitor<'a> for PageVisitor<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(child) = map.next_key_seed(Name(self.0.node))? {
            match child {
                Some(node) => map.next_value_seed(PageSeed { walk: self.0.walk, node })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The array of records.
struct RecordsVisitor<'s, 'w, 'a>(&'s mut Walk<'w, 'a>);

impl<'a> Visitor<'a> for RecordsVisitor<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut records: S) -> Result<(), S::Error> {
        while records.next_element_seed(RecordSeed(self.0))?.is_some() {
            if self.0.decoded.records.count > MAX_RECORDS {
                return Err(serde::de::Error::custom(TOO_MANY));
            }
        }
        Ok(())
    }
}

/// One record.
struct RecordSeed<'s, 'w, 'a>(&'s mut Walk<'w, 'a>);

impl<'a> DeserializeSeed<'a> for RecordSeed<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        let records = &mut self.0.decoded.records;
        let start = records.values.len();
        records.values.resize_with(start + records.picks, Value::default);
        let mut visitor = ObjectVisitor {
            node: &self.0.picks.record,
            values: &mut records.values[start..],
            sound: true,
        };
        let sound = deserializer.deserialize_any(&mut visitor)? && visitor.sound;
        if !sound {
            records.malformed.push(records.count);
        }
        records.count += 1;
        Ok(())
    }
}

/// An object inside a record; yields whether it is an object at all.
struct ObjectVisitor<'s, 'a> {
    node: &'s Node,
    values: &'s mut [Value<'a>],
    sound: bool,
}

impl<'a> Visitor<'a> for &mut ObjectVisitor<'_, 'a> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<bool, M::Error> {
        while let Some(child) = map.next_key_seed(Name(self.node))? {
            match child {
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
                Some(Node { leaf: Some(Leaf::Pick(i)), .. }) => {
                    let value = classify(map.next_value::<&RawValue>()?.get());
                    // The first or the last of two values? Nobody can tell, so the record is refused.
                    self.sound &= self.values[*i] == Value::Absent;
                    self.values[*i] = value;
                }
                Some(node) => {
                    let mut inner = ObjectVisitor { node, values: self.values, sound: true };
                    map.next_value_seed(Nested(&mut inner))?;
                    self.sound &= inner.sound;
                }
            }
        }
        Ok(true)
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut items: S) -> Result<bool, S::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
}

/// An object on the way to a wanted path; anything else there leaves the path absent.
struct Nested<'s, 'v, 'a>(&'s mut ObjectVisitor<'v, 'a>);

impl<'a> DeserializeSeed<'a> for Nested<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self.0).map(|_| ())
    }
}

/// A field name, looked up at once instead of being kept.
struct Name<'s>(&'s Node);

impl<'a, 's> DeserializeSeed<'a> for Name<'s> {
    type Value = Option<&'s Node>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'s> Visitor<'_> for Name<'s> {
    type Value = Option<&'s Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.child(name))
    }
}

/// What a raw JSON value is.
fn classify(raw: &str) -> Value<'_> {
    match raw.as_bytes().first() {
        Some(b'"') if !raw.contains('\\') => Value::Text(Cow::Borrowed(&raw[1..raw.len() - 1])),
        Some(b'"') => serde_json::from_str(raw)
            .map_or(Value::Unfit, |text: String| Value::Text(Cow::Owned(text))),
        Some(b't') => Value::Boolean(true),
        Some(b'f') => Value::Boolean(false),
        Some(b'n') => Value::Null,
        Some(b'[' | b'{') | None => Value::Unfit,
        Some(_) => Value::Number(raw),
    }
}

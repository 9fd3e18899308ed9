//! JSON pages by allow-list: a visitor that walks down wanted names and skips the rest.
//!
//! Wanted scalars are taken as raw slices of the page and classified by their first byte: numbers
//! keep their digits (nothing passes through a float), texts are borrowed unless they are escaped.
//! Skipping costs a third of building a tree, and skipped bytes are never copied.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::picks::{Array, Leaf, Node, Picks};
use super::{
    DecodeError, Decoded, MARKUP, MAX_ITEMS, MAX_PAGE_ITEMS, MAX_RECORDS, MAX_VALUE, is_markup,
    without_bom,
};
use crate::model::record::{COUNTED, Items, Value};

const TOO_MANY: &str = "too many records";
const TOO_LONG: &str = "too long a value";
/// Field names that are remembered from one record to the next.
const MOST_KNOWN: usize = 256;

const TWICE: &str = "a wanted field stands twice";

/// Decodes a page.
pub fn decode<'a>(page: &'a [u8], picks: &Picks) -> Result<Decoded<'a>, DecodeError> {
    let page = without_bom(page);
    let mut walk = Walk::new(picks);
    // A text that is checked once as a whole need not be checked again name by name. A page with a
    // broken character is read all the same: it may stand where nobody looks.
    match std::str::from_utf8(page) {
        Ok(text) => walk.read(serde_json::Deserializer::from_str(text)),
        Err(_) => walk.read(serde_json::Deserializer::from_slice(page)),
    }
    .map_err(|error| explain(&error, page))?;
    let Walk { found, around, mut decoded, .. } = walk;
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
        Category::Eof if page.trim_ascii().is_empty() => DecodeError::empty(),
        Category::Eof => DecodeError::Truncated(page.len()),
        Category::Syntax if ends_in_a_number(error, page) => DecodeError::Truncated(page.len()),
        Category::Data if text.starts_with(TOO_MANY) => DecodeError::too_many(),
        Category::Data if text.starts_with(TOO_LONG) => DecodeError::too_long(),
        Category::Data if text.starts_with(TWICE) => DecodeError::Shape(TWICE.to_owned()),
        Category::Data => {
            DecodeError::Shape(format!("other types than expected (line {})", error.line()))
        }
        Category::Syntax | Category::Io => {
            let what =
                if is_markup(page) { MARKUP } else { "a character that does not belong there" };
            let (line, column) = (error.line(), error.column());
            DecodeError::Syntax { format: "JSON", what, line, column }
        }
    }
}

/// To serde_json a number that is cut off behind its point or exponent is a wrong one.
fn ends_in_a_number(error: &serde_json::Error, page: &[u8]) -> bool {
    let last_line = page.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    error.column() >= last_line.len()
        && matches!(page.last(), Some(b'.' | b'e' | b'E' | b'+' | b'-'))
}

/// The state of one pass over a page.
struct Walk<'w, 'a> {
    picks: &'w Picks,
    decoded: Decoded<'a>,
    around: Vec<Option<String>>,
    found: bool,
    order: Vec<Known<'w, 'a>>,
    spare_items: usize,
}

/// A field name of the record before, and what it led to. Records of a page name their fields in the
/// same order, so one comparison finds most names.
#[derive(Clone, Copy)]
struct Known<'s, 'a> {
    name: &'a str,
    child: Option<&'s Node>,
}

impl<'w, 'a> Walk<'w, 'a> {
    fn new(picks: &'w Picks) -> Self {
        let mut decoded = Decoded::default();
        decoded.records.picks = picks.picks;
        let (around, spare_items) = (vec![None; picks.around], MAX_PAGE_ITEMS);
        Self { picks, decoded, around, found: false, order: Vec::new(), spare_items }
    }

    fn read<R: serde_json::de::Read<'a>>(
        &mut self,
        mut json: serde_json::Deserializer<R>,
    ) -> Result<(), serde_json::Error> {
        if self.picks.is_single() {
            self.found = true;
            RecordSeed(self).deserialize(&mut json)?;
        } else {
            let node = &self.picks.page;
            PageSeed { walk: self, node }.deserialize(&mut json)?;
        }
        json.end()
    }
}

/// The page outside the records.
struct PageSeed<'s, 'w, 'a> {
    walk: &'s mut Walk<'w, 'a>,
    node: &'s Node,
}

impl<'a> DeserializeSeed<'a> for PageSeed<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        match &self.node.leaf {
            Some(Leaf::Records) => {
                if std::mem::replace(&mut self.walk.found, true) {
                    return Err(serde::de::Error::custom(TWICE));
                }
                deserializer.deserialize_seq(RecordsVisitor(self.walk))
            }
            Some(Leaf::Pick(i)) => {
                let raw: &RawValue = serde::Deserialize::deserialize(deserializer)?;
                self.walk.around[*i] = match classify(raw.get()) {
                    Value::Text(text) if !text.is_empty() => Some(text.into_owned()),
                    Value::Number(digits) => Some(digits.to_owned()),
                    Value::Boolean(value) => Some(value.to_string()),
                    _ => None,
                };
                Ok(())
            }
            None | Some(Leaf::Items(_)) => deserializer.deserialize_map(PageVisitor(self)),
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
        let mut nothing_known = Vec::new();
        while let Some(child) = map.next_key_seed(Name::new(self.0.node, &mut nothing_known, 0))? {
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
            order: &mut self.0.order,
            spare: &mut self.0.spare_items,
            sound: true,
            skipped: 0,
        };
        let sound = deserializer.deserialize_any(&mut visitor)? && visitor.sound;
        if records.count < COUNTED {
            records.unmapped = records.unmapped.max(Some(visitor.skipped));
        }
        if !sound {
            records.malformed.push(records.count);
        }
        records.count += 1;
        Ok(())
    }
}

/// An object inside a record; yields whether it is an object at all.
struct ObjectVisitor<'s, 'n, 'a> {
    node: &'n Node,
    values: &'s mut [Value<'a>],
    order: &'s mut Vec<Known<'n, 'a>>,
    /// Items of arrays that the page may still have.
    spare: &'s mut usize,
    sound: bool,
    /// Fields that nobody maps.
    skipped: u64,
}

impl<'a> Visitor<'a> for &mut ObjectVisitor<'_, '_, 'a> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<bool, M::Error> {
        let mut place = 0;
        while let Some(child) = map.next_key_seed(Name::new(self.node, self.order, place))? {
            place += 1;
            match child {
                None => {
                    map.next_value::<IgnoredAny>()?;
                    self.skipped += 1;
                }
                Some(Node { leaf: Some(Leaf::Pick(i)), .. }) => {
                    let value = wanted(map.next_value()?)?;
                    // The first or the last of two values? Nobody can tell, so the record is refused.
                    self.sound &= self.values[*i] == Value::Absent;
                    self.values[*i] = value;
                }
                Some(Node { leaf: Some(Leaf::Items(array)), .. }) => {
                    let (spare, mut sound) = (&mut *self.spare, true);
                    let seed = ItemsVisitor { array, spare, sound: &mut sound };
                    let value = map.next_value_seed(seed)?;
                    self.sound &= sound && self.values[array.pick] == Value::Absent;
                    self.values[array.pick] = value;
                }
                Some(node) => {
                    let (values, order) = (&mut *self.values, &mut Vec::new());
                    let spare = &mut *self.spare;
                    let mut inner =
                        ObjectVisitor { node, values, order, spare, sound: true, skipped: 0 };
                    map.next_value_seed(Nested(&mut inner))?;
                    self.sound &= inner.sound;
                    self.skipped += inner.skipped;
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

/// An array inside a record; anything else there but null and an empty text is unfit.
struct ItemsVisitor<'s, 'n> {
    array: &'n Array,
    spare: &'s mut usize,
    sound: &'s mut bool,
}

impl<'a> DeserializeSeed<'a> for ItemsVisitor<'_, '_> {
    type Value = Value<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Value<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for ItemsVisitor<'_, '_> {
    type Value = Value<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut seq: S) -> Result<Value<'a>, S::Error> {
        let Array { item, width, .. } = self.array;
        let mut items = Items { width: *width, ..Items::default() };
        let mut order = Vec::new();
        loop {
            if items.count == MAX_ITEMS || *self.spare == 0 {
                // Nobody can tell what the rest would have said, so the record is refused.
                *self.sound &= seq.next_element::<IgnoredAny>()?.is_none();
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                break;
            }
            let start = items.values.len();
            items.values.resize_with(start + width, Value::default);
            let values = &mut items.values[start..];
            let seed = ItemSeed {
                node: item,
                values,
                order: &mut order,
                spare: self.spare,
                sound: self.sound,
            };
            if seq.next_element_seed(seed)?.is_none() {
                items.values.truncate(start);
                break;
            }
            items.count += 1;
            *self.spare -= 1;
        }
        Ok(Value::Items(Box::new(items)))
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Value<'a>, M::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Unfit)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'a>, E> {
        let is_empty = text.trim().is_empty();
        Ok(if is_empty { Value::Text(Cow::Borrowed("")) } else { Value::Unfit })
    }

    fn visit_unit<E>(self) -> Result<Value<'a>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<'a>, E> {
        Ok(Value::Unfit)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value<'a>, E> {
        Ok(Value::Unfit)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value<'a>, E> {
        Ok(Value::Unfit)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'a>, E> {
        Ok(Value::Unfit)
    }
}

/// One item of an array: itself, or the wanted paths inside it.
struct ItemSeed<'s, 'n, 'a> {
    node: &'n Node,
    values: &'s mut [Value<'a>],
    order: &'s mut Vec<Known<'n, 'a>>,
    spare: &'s mut usize,
    sound: &'s mut bool,
}

impl<'a> DeserializeSeed<'a> for ItemSeed<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { node, values, order, spare, sound } = self;
        if values.is_empty() {
            return <IgnoredAny as serde::Deserialize>::deserialize(deserializer).map(|_| ());
        }
        if node.leaf.is_some() {
            let raw: &RawValue = serde::Deserialize::deserialize(deserializer)?;
            values[0] = wanted(raw)?;
            return Ok(());
        }
        let mut inner = ObjectVisitor { node, values, order, spare, sound: true, skipped: 0 };
        let is_object = deserializer.deserialize_any(&mut inner)?;
        *sound &= inner.sound;
        if !is_object {
            inner.values.fill(Value::Unfit);
        }
        Ok(())
    }
}

/// An object on the way to a wanted path; anything else there leaves the path absent.
struct Nested<'s, 'v, 'n, 'a>(&'s mut ObjectVisitor<'v, 'n, 'a>);

impl<'a> DeserializeSeed<'a> for Nested<'_, '_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self.0).map(|_| ())
    }
}

/// A field name, looked up at once instead of being kept.
struct Name<'s, 'n, 'a> {
    node: &'n Node,
    order: &'s mut Vec<Known<'n, 'a>>,
    place: usize,
}

impl<'s, 'n, 'a> Name<'s, 'n, 'a> {
    fn new(node: &'n Node, order: &'s mut Vec<Known<'n, 'a>>, place: usize) -> Self {
        Self { node, order, place }
    }
}

impl<'a, 'n> DeserializeSeed<'a> for Name<'_, 'n, 'a> {
    type Value = Option<&'n Node>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a, 'n> Visitor<'a> for Name<'_, 'n, 'a> {
    type Value = Option<&'n Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_borrowed_str<E>(self, name: &'a str) -> Result<Self::Value, E> {
        if let Some(known) = self.order.get(self.place).filter(|known| known.name == name) {
            return Ok(known.child);
        }
        let child = self.node.child(name);
        // From here on this record goes another way than the one before.
        self.order.truncate(self.place);
        if self.order.len() == self.place && self.place < MOST_KNOWN {
            self.order.push(Known { name, child });
        }
        Ok(child)
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.node.child(name))
    }
}

/// A wanted value, if it is not too long to be one.
#[inline]
fn wanted<E: serde::de::Error>(raw: &RawValue) -> Result<Value<'_>, E> {
    let raw = raw.get();
    if raw.len() > MAX_VALUE && raw.starts_with('"') {
        return Err(E::custom(TOO_LONG));
    }
    Ok(classify(raw))
}

/// What a raw JSON value is.
fn classify(raw: &str) -> Value<'_> {
    match raw.as_bytes().first() {
        Some(b'"') if !raw.contains('\\') => Value::Text(Cow::Borrowed(&raw[1..raw.len() - 1])),
        Some(b'"') => match serde_json::from_str::<String>(raw) {
            Ok(text) if !text.contains('\0') => Value::Text(Cow::Owned(text)),
            _ => Value::Unfit,
        },
        Some(b't') => Value::Boolean(true),
        Some(b'f') => Value::Boolean(false),
        Some(b'n') => Value::Null,
        Some(b'[' | b'{') | None => Value::Unfit,
        Some(_) => Value::Number(raw),
    }
}

/// Records that come one by one, each a document of its own.
pub(super) struct Lines<'w, 'a>(Walk<'w, 'a>);

/// Why a line is no record.
pub(super) struct Broken(serde_json::Error);

impl<'w, 'a> Lines<'w, 'a> {
    pub(super) fn new(picks: &'w Picks) -> Self {
        Self(Walk::new(picks))
    }

    /// Adds a line as one record; as a malformed one, without its values, if it is broken.
    pub(super) fn read(&mut self, line: &'a [u8]) -> Result<(), Broken> {
        let before = self.0.decoded.records.count;
        let outcome = match std::str::from_utf8(line) {
            Ok(text) => self.0.read(serde_json::Deserializer::from_str(text)),
            Err(_) => self.0.read(serde_json::Deserializer::from_slice(line)),
        };
        outcome.map_err(|error| {
            let records = &mut self.0.decoded.records;
            records.values.truncate(before * records.picks);
            records.values.resize_with((before + 1) * records.picks, Value::default);
            if records.malformed.last() != Some(&before) {
                records.malformed.push(before);
            }
            records.count = before + 1;
            Broken(error)
        })
    }

    pub(super) fn count(&self) -> usize {
        self.0.decoded.records.count
    }

    pub(super) fn finish(self) -> Decoded<'a> {
        self.0.decoded
    }
}

impl Broken {
    /// Whether the line ends before its object does.
    pub(super) fn is_unfinished(&self) -> bool {
        self.0.is_eof()
    }

    /// Whether a wanted value is longer than any that is taken.
    pub(super) fn is_too_long(&self) -> bool {
        self.0.is_data() && self.0.to_string().starts_with(TOO_LONG)
    }
}

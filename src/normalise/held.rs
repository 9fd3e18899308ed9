//! What is kept of a record that broke its contract, and how it goes through the contract again.
//!
//! Values are held as they came and by where they came from (`/MaXa`, `label:site`), not by property:
//! when a map is corrected to read another field, the old field's value must not be taken for it, and
//! a field that was never read cannot be made up. Identifiers are held as keyed hashes only, under a
//! name of their own (`#/MaHoSo`), with the suffix that had been cut off. Words where a number or a
//! moment belongs are not kept at all: in a sheet whose columns have shifted they are people's names.
//! So a replayed record yields the very row that it would have yielded had the contract been right
//! from the start, or says why it cannot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::mapping::{Entry, Origin, Poll};
use super::value::{self, Horizon};
use super::{KeyHasher, Normalised, Normaliser, Surroundings, key};
use crate::model::contract::PropertyType;
use crate::model::record::{Items, Records, Value};
use crate::model::time::Stamp;

/// The most items of an array that are held.
const MAX_HELD_ITEMS: usize = 100;

/// The longest value that is held, in characters: longer than any text or code that a contract takes.
const MAX_HELD: usize = 128;

/// The most letters that are held of what should be a number or a moment, and in one word only: enough
/// for `null`, `N/A`, `VND` and for the letters of a moment.
const MAX_LETTERS: usize = 4;

/// A refused record as it is kept.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Held {
    /// When it came: by it an area's code is understood if nothing else says when.
    now: i64,
    /// The id of the key that its identifiers are hashed under.
    key: u32,
    /// Its values, by where they came from.
    values: BTreeMap<String, HeldValue>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum HeldValue {
    Absent,
    Null,
    Unfit,
    /// A text, number or array beyond its limit, of which nothing is kept: cut short it would be
    /// another.
    Long,
    Boolean(bool),
    Text(String),
    Number(String),
    /// Words where a number or a moment belongs, as a keyed hash, by which the record is known again.
    Words(String),
    /// An identifier's keyed hash.
    Hash(String),
    /// An array: how many items, and the wanted values of each, by their path inside an item.
    Items(usize, BTreeMap<String, Vec<HeldValue>>),
}

/// Why a held record cannot go through the contract again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreplayable {
    /// A field is needed that was not read when the record came.
    #[error("property '{0}' is now read from a field that was not kept")]
    NotHeld(String),
    /// A value was too long to be kept.
    #[error("the value of property '{0}' was too long to be kept")]
    TooLong(String),
    /// Words stood where a number or a moment belongs, and were not kept.
    #[error("the value of property '{0}' was words where it is no text, and was not kept")]
    Words(String),
    /// The record was no object or named a field twice, so nothing of it was read.
    #[error("nothing of the record could be read when it came")]
    Malformed,
    /// Its identifiers are hashed under a key that has been replaced: it would be taken for another
    /// record. It gets the new hashes when its source sends it again.
    #[error("its identifiers are hashed under a key that has been replaced")]
    OtherKey,
    /// What is kept makes no sense.
    #[error("what is kept of the record cannot be read")]
    Damaged,
}

impl Normaliser {
    /// A record's values for a later replay, and the fingerprint that tells it from others.
    pub(super) fn hold(
        &self,
        record: &[Value<'_>],
        around: Surroundings<'_>,
        is_malformed: bool,
        hasher: &KeyHasher,
    ) -> (String, u128) {
        let mut held = Held { now: around.now.0, key: hasher.id(), values: BTreeMap::new() };
        for (slot, field) in self.schema.fields[..self.schema.stored()].iter().enumerate() {
            let Some(name) = self.held_name(slot).filter(|_| !is_malformed) else { continue };
            let wire = self.wire(slot, record, around);
            let value = if field.kind == PropertyType::Identifier {
                hold_identifier(&wire, &self.entries[slot], hasher)
            } else if let Value::Items(items) = &*wire {
                hold_items(items, self.columns(slot))
            } else {
                hold_plain(&wire)
            };
            let value = match value {
                HeldValue::Text(text) if !takes_words(field.kind) && is_words(&text) => {
                    HeldValue::Words(hash(text.as_bytes(), hasher))
                }
                value => value,
            };
            // Another property that reads the same field may have kept it.
            if !(matches!(value, HeldValue::Words(_)) && held.values.contains_key(&name)) {
                held.values.insert(name, value);
            }
        }
        let values = serde_json::to_string(&held.values).expect("texts and booleans are JSON");
        let fingerprint = fingerprint(values.as_bytes(), hasher);
        (serde_json::to_string(&held).expect("texts and booleans are JSON"), fingerprint)
    }

    /// The paths that are wanted inside the items of a slot's array.
    fn columns(&self, slot: usize) -> &[String] {
        let Origin::Pick(pick) = self.entries[slot].origin else { return &[] };
        let array = self.wanted.arrays.iter().find(|(array, _)| *array == pick);
        array.map_or(&[], |(_, columns)| columns)
    }

    /// Under which name a slot's value is held; `None` if this stream does not send it.
    fn held_name(&self, slot: usize) -> Option<String> {
        let entry = &self.entries[slot];
        let name = match &entry.origin {
            Origin::Nowhere => return None,
            Origin::Pick(pick) if entry.reduce.is_some() => {
                format!("{}[]", self.wanted.pointers[*pick])
            }
            Origin::Pick(pick) => self.wanted.pointers[*pick].clone(),
            Origin::Label(label) => format!("label:{label}"),
            Origin::Poll(poll) => match poll {
                Poll::Target => "poll:target",
                Poll::Slot => "poll:slot",
                Poll::At => "poll:at",
                Poll::Up => "poll:up",
            }
            .to_owned(),
        };
        if self.schema.fields[slot].kind != PropertyType::Identifier {
            return Some(name);
        }
        let suffix = entry.strip_suffix.as_ref().map_or(String::new(), |cut| format!(" -{cut}"));
        Some(format!("#{name}{suffix}"))
    }
}

fn hold_identifier(wire: &Value<'_>, entry: &Entry, hasher: &KeyHasher) -> HeldValue {
    match value::text(wire, entry) {
        Err(_) if matches!(wire, Value::Text(_)) => HeldValue::Text(String::new()),
        Err(_) => HeldValue::Unfit,
        Ok(None) => HeldValue::Null,
        Ok(Some(text)) => HeldValue::Hash(hash(text.as_bytes(), hasher)),
    }
}

fn fingerprint(bytes: &[u8], hasher: &KeyHasher) -> u128 {
    let mut message = Vec::new();
    key::part(&mut message, bytes);
    hasher.hash(&message)
}

fn hash(bytes: &[u8], hasher: &KeyHasher) -> String {
    format!("{:032x}", fingerprint(bytes, hasher))
}

/// Whether a property of this type may rightly hold words.
fn takes_words(kind: PropertyType) -> bool {
    match kind {
        PropertyType::Identifier
        | PropertyType::Code
        | PropertyType::Area
        | PropertyType::Boolean
        | PropertyType::Text => true,
        PropertyType::Timestamp
        | PropertyType::Date
        | PropertyType::Integer
        | PropertyType::Decimal => false,
    }
}

/// Whether a text says more in letters than a number or a moment does.
fn is_words(text: &str) -> bool {
    let letters = |word: &str| word.chars().filter(|letter| letter.is_alphabetic()).count();
    let worded = text.split_whitespace().map(letters).filter(|count| *count > 0);
    let (words, letters) = worded.fold((0, 0), |(words, all), count| (words + 1, all + count));
    words > 1 || letters > MAX_LETTERS
}

fn hold_items(items: &Items<'_>, columns: &[String]) -> HeldValue {
    if items.count > MAX_HELD_ITEMS {
        return HeldValue::Long;
    }
    let column = |at: usize| items.iter().map(|item| hold_plain(&item[at])).collect();
    let columns = columns.iter().enumerate().map(|(at, path)| (path.clone(), column(at))).collect();
    HeldValue::Items(items.count, columns)
}

fn hold_plain(wire: &Value<'_>) -> HeldValue {
    let fits = |text: &str| text.chars().nth(MAX_HELD).is_none();
    match wire {
        Value::Absent => HeldValue::Absent,
        Value::Null => HeldValue::Null,
        Value::Unfit | Value::Items(_) => HeldValue::Unfit,
        Value::Boolean(value) => HeldValue::Boolean(*value),
        Value::Text(text) if fits(text) => HeldValue::Text(text.to_string()),
        Value::Number(digits) if fits(digits) => HeldValue::Number((*digits).to_owned()),
        Value::Text(_) | Value::Number(_) => HeldValue::Long,
    }
}

/// Sends held records of one stream through its present contract, map and code lists.
#[derive(Debug)]
pub struct Replayer {
    normaliser: Normaliser,
    /// In the order of the picks.
    wanted: Vec<Wanted>,
}

/// One held value that is wanted.
#[derive(Debug)]
struct Wanted {
    name: String,
    /// A property that reads it, to be named when it is not there.
    property: String,
    /// Paths inside the items, if it is an array.
    columns: Vec<String>,
}

impl Replayer {
    /// A replayer for the stream that this normaliser serves.
    pub fn new(normaliser: &Normaliser) -> Self {
        let mut wanted: Vec<Wanted> = Vec::new();
        let mut replaying = normaliser.clone();
        replaying.is_replay = true;
        replaying.previous = None;
        for slot in 0..normaliser.schema.stored() {
            let Some(name) = normaliser.held_name(slot) else { continue };
            let pick = wanted.iter().position(|known| known.name == name).unwrap_or_else(|| {
                let property = normaliser.schema.fields[slot].name.clone();
                let is_array = normaliser.entries[slot].reduce.is_some();
                let columns = if is_array { normaliser.columns(slot).to_vec() } else { Vec::new() };
                wanted.push(Wanted { name, property, columns });
                wanted.len() - 1
            });
            let entry = &mut replaying.entries[slot];
            entry.origin = Origin::Pick(pick);
            if normaliser.schema.fields[slot].kind == PropertyType::Identifier {
                entry.strip_suffix = None;
            }
        }
        Self { normaliser: replaying, wanted }
    }

    /// One held record, normalised: one observation or one reject. `now` bounds the future.
    pub fn record(&self, held: &str, now: Stamp) -> Result<Normalised, Unreplayable> {
        let held: Held = serde_json::from_str(held).map_err(|_| Unreplayable::Damaged)?;
        if held.values.is_empty() {
            return Err(Unreplayable::Malformed);
        }
        if held.key != self.normaliser.hasher.id() {
            return Err(Unreplayable::OtherKey);
        }
        let values = self.wanted.iter().map(|wanted| {
            let value = held.values.get(&wanted.name);
            value.map_or_else(|| Err(wanted.not_held()), |value| wanted.value(value))
        });
        let values: Vec<_> = values.collect::<Result<_, _>>()?;
        let records = Records { picks: values.len(), values, count: 1, ..Records::default() };
        let around = Surroundings { now: Stamp(held.now), target: None };
        Ok(self.normaliser.page_until(&records, around, Horizon::of(now)))
    }
}

impl Wanted {
    fn not_held(&self) -> Unreplayable {
        Unreplayable::NotHeld(self.property.clone())
    }

    fn value<'h>(&self, held: &'h HeldValue) -> Result<Value<'h>, Unreplayable> {
        Ok(match held {
            HeldValue::Long => return Err(Unreplayable::TooLong(self.property.clone())),
            HeldValue::Words(_) => return Err(Unreplayable::Words(self.property.clone())),
            HeldValue::Absent => Value::Absent,
            HeldValue::Null => Value::Null,
            HeldValue::Unfit => Value::Unfit,
            HeldValue::Boolean(value) => Value::Boolean(*value),
            HeldValue::Number(digits) => Value::Number(digits),
            HeldValue::Text(text) | HeldValue::Hash(text) => Value::Text(text.as_str().into()),
            HeldValue::Items(count, columns) => {
                let mut items =
                    Items { width: self.columns.len(), count: *count, values: Vec::new() };
                for at in 0..*count {
                    for path in &self.columns {
                        let column = columns.get(path).ok_or_else(|| self.not_held())?;
                        let value = column.get(at).ok_or(Unreplayable::Damaged)?;
                        items.values.push(self.value(value)?);
                    }
                }
                Value::Items(Box::new(items))
            }
        })
    }
}

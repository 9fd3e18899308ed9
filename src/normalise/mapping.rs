//! A stream's map: where each property of the contract stands in what this source sends.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::coerce::{Coercion, Coercions};
use super::date::Format;
use super::reduce::{Reduce, Reduction};
use crate::model::contract::PropertyType;
use crate::model::schema::Field;
use crate::model::text::normal;

/// Where one property comes from, as a steward writes it: `/MaHoSo`, or a mapping with more.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// A JSON pointer inside the record.
    pub at: Option<String>,
    /// `timestamp`, `date`: formats, tried in order.
    pub formats: Vec<String>,
    /// An ending to cut off if it is there.
    pub strip_suffix: Option<String>,
    /// Wire values and the codes, `true` or `false` they stand for, before the code list's own.
    pub values: BTreeMap<String, String>,
    /// Which wire types may stand for another; the stream's own when absent.
    pub coerce: Option<Vec<Coercion>>,
    /// How the array at `at` becomes one value.
    pub reduce: Option<Reduce>,
    /// `reduce`: a JSON pointer inside the array's items, `""` for the item itself.
    pub item: Option<String>,
    /// `reduce`: only items in which what stands at the pointer is one of the texts.
    pub only: BTreeMap<String, Vec<String>>,
    /// A fleet's record: the target's label of this name.
    pub label: Option<String>,
    /// A fleet's record: what the gateway itself knows of the poll.
    pub poll: Option<Poll>,
}

/// What the gateway itself knows of a poll of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Poll {
    /// The target's name.
    Target,
    /// The beginning of the time slot that the poll falls into.
    Slot,
    /// The moment of the poll.
    At,
    /// Whether the target answered as it should.
    Up,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn list(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

/// A wire value or a code, however YAML took it: `1` and `true` are texts here.
struct Word(String);

impl JsonSchema for Word {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Word".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["string", "integer", "boolean"]})
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyWord;

        impl Visitor<'_> for AnyWord {
            type Value = Word;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text, a whole number, true or false")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Word, E> {
                Ok(Word(text.to_owned()))
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Word, E> {
                Ok(Word(value.to_string()))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Word, E> {
                Ok(Word(value.to_string()))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Word, E> {
                Ok(Word(value.to_string()))
            }
        }
        deserializer.deserialize_any(AnyWord)
    }
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "MapEntry")]
struct Written {
    /// A JSON pointer inside the record.
    at: Option<String>,
    /// `timestamp`, `date`: a format, or several that are tried in order.
    format: Option<OneOrMany<String>>,
    /// An ending to cut off if it is there.
    strip_suffix: Option<String>,
    /// Wire values and the codes they stand for, before the code list's own.
    values: BTreeMap<String, Word>,
    /// Which other spellings of a value are taken.
    coerce: Option<Vec<Coercion>>,
    /// How an array of items becomes one value.
    reduce: Option<Reduce>,
    /// `reduce`: a JSON pointer inside an item.
    item: Option<String>,
    /// `reduce`: only items with these values at these pointers.
    #[serde(rename = "where")]
    only: BTreeMap<String, OneOrMany<Word>>,
    /// A fleet's record: the target's label of this name.
    label: Option<String>,
    /// A fleet's record: what the gateway itself knows of the poll.
    poll: Option<Poll>,
}

impl From<Written> for Settings {
    fn from(written: Written) -> Self {
        let Written { at, format, strip_suffix, values, coerce, reduce, item, only, label, poll } =
            written;
        let words = |list: OneOrMany<Word>| list.list().into_iter().map(|word| word.0).collect();
        Self {
            at,
            formats: format.map(OneOrMany::list).unwrap_or_default(),
            strip_suffix,
            values: values.into_iter().map(|(wire, word)| (wire, word.0)).collect(),
            coerce,
            reduce,
            item,
            only: only.into_iter().map(|(at, list)| (at, words(list))).collect(),
            label,
            poll,
        }
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PointerOrMore;

        impl<'de> Visitor<'de> for PointerOrMore {
            type Value = Settings;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "a JSON pointer such as /MaHoSo, or a mapping with 'at', 'label' or 'poll'",
                )
            }

            fn visit_str<E>(self, at: &str) -> Result<Settings, E> {
                Ok(Settings { at: Some(at.to_owned()), ..Settings::default() })
            }

            fn visit_map<M: de::MapAccess<'de>>(self, map: M) -> Result<Settings, M::Error> {
                Written::deserialize(de::value::MapAccessDeserializer::new(map)).map(Into::into)
            }
        }
        deserializer.deserialize_any(PointerOrMore)
    }
}

impl JsonSchema for Settings {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MapSettings".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let written = generator.subschema_for::<Written>();
        schemars::json_schema!({
            "description": "Where a property stands: a JSON pointer such as /MaHoSo, or a mapping with more.",
            "anyOf": [{"type": "string", "pattern": "^/"}, written]
        })
    }
}

/// A checked origin of one property's value.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// This stream does not send it.
    Nowhere,
    /// The pick of this number.
    Pick(usize),
    /// The target's label.
    Label(String),
    /// The poll itself.
    Poll(Poll),
}

/// A checked entry of the map.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) origin: Origin,
    pub(super) formats: Vec<Format>,
    pub(super) strip_suffix: Option<String>,
    pub(super) values: BTreeMap<String, u16>,
    pub(super) coerce: Coercions,
    pub(super) reduce: Option<Reduction>,
}

/// The paths that a map wants from a record, in the order of the picks.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) pointers: Vec<String>,
    /// Picks that are arrays, with the wanted paths inside an item.
    pub(super) arrays: Vec<(usize, Vec<String>)>,
}

impl Wanted {
    /// The pick of a path, whether it is taken already or not.
    fn pick(&mut self, at: &str) -> usize {
        self.pointers.iter().position(|known| known == at).unwrap_or_else(|| {
            self.pointers.push(at.to_owned());
            self.pointers.len() - 1
        })
    }

    /// The pick of a plain value.
    fn scalar(&mut self, at: &str) -> Result<usize, String> {
        let pick = self.pick(at);
        if self.arrays.iter().any(|(array, _)| *array == pick) {
            return Err(format!(
                "'{at}' is an array that another property reduces; this one needs 'reduce' too"
            ));
        }
        Ok(pick)
    }

    /// The paths inside the items of an array, and its pick.
    fn array(&mut self, at: &str) -> Result<(usize, &mut Vec<String>), String> {
        let known = self.pointers.iter().position(|known| known == at);
        let pick = self.pick(at);
        let place = match self.arrays.iter().position(|(array, _)| *array == pick) {
            Some(place) => place,
            None if known.is_some() => {
                return Err(format!("'{at}' is mapped as a plain value by another property"));
            }
            None => {
                self.arrays.push((pick, Vec::new()));
                self.arrays.len() - 1
            }
        };
        Ok((pick, &mut self.arrays[place].1))
    }
}

fn column(paths: &mut Vec<String>, path: &str) -> usize {
    paths.iter().position(|known| known == path).unwrap_or_else(|| {
        paths.push(path.to_owned());
        paths.len() - 1
    })
}

impl Entry {
    /// The entry of a property that a stream does not send.
    pub(super) fn nowhere() -> Self {
        Self {
            origin: Origin::Nowhere,
            formats: Vec::new(),
            strip_suffix: None,
            values: BTreeMap::new(),
            coerce: Coercions::default(),
            reduce: None,
        }
    }

    /// Checks what a steward wrote against the property; its paths are added to `wanted`.
    pub(super) fn compile(
        settings: &Settings,
        field: &Field,
        wanted: &mut Wanted,
    ) -> Result<Self, String> {
        let formats = settings.formats(field)?;
        let values = settings.values(field)?;
        let (origin, reduce) = settings.origin(field, wanted)?;
        Ok(Self {
            origin,
            formats,
            strip_suffix: settings.strip_suffix.clone(),
            values,
            coerce: Coercions::of(settings.coerce.as_deref().unwrap_or_default()),
            reduce,
        })
    }
}

impl Settings {
    /// Formats that exist, for a moment or a day only.
    fn formats(&self, field: &Field) -> Result<Vec<Format>, String> {
        let origins = [self.at.is_some(), self.label.is_some(), self.poll.is_some()];
        if origins.iter().filter(|there| **there).count() != 1 {
            return Err("name exactly one of 'at', 'label', 'poll'".to_owned());
        }
        let formats: Vec<_> =
            self.formats.iter().map(|format| Format::parse(format)).collect::<Result<_, _>>()?;
        let is_dated = matches!(field.kind, PropertyType::Timestamp | PropertyType::Date);
        if is_dated && formats.is_empty() {
            if self.poll.is_none() {
                return Err(
                    "a date needs a 'format', for example yyyyMMddHHmmss or rfc3339".to_owned()
                );
            }
            return Ok(vec![Format::Rfc3339]);
        }
        if !is_dated && !formats.is_empty() {
            return Err("only a timestamp or a date has a 'format'".to_owned());
        }
        Ok(formats)
    }

    /// Wire values and the numbers of what they stand for.
    fn values(&self, field: &Field) -> Result<BTreeMap<String, u16>, String> {
        let mut values = BTreeMap::new();
        for (wire, word) in &self.values {
            let number = match (field.kind, &field.list) {
                (PropertyType::Boolean, _) => word
                    .parse::<bool>()
                    .map(u16::from)
                    .map_err(|_| format!("'{word}' is neither true nor false"))?,
                (_, Some(list)) => list
                    .number(word)
                    .ok_or_else(|| format!("'{word}' is not a code of list '{}'", list.name))?,
                _ => return Err("only a code and a boolean have 'values'".to_owned()),
            };
            values.insert(normal(wire).into_owned(), number);
        }
        Ok(values)
    }

    fn origin(
        &self,
        field: &Field,
        wanted: &mut Wanted,
    ) -> Result<(Origin, Option<Reduction>), String> {
        let Some(how) = self.reduce else {
            if self.item.is_some() || !self.only.is_empty() {
                return Err("'item' and 'where' belong to 'reduce'".to_owned());
            }
            let origin = match (&self.at, &self.label, self.poll) {
                (Some(at), _, _) => Origin::Pick(wanted.scalar(at)?),
                (_, Some(label), _) => Origin::Label(label.clone()),
                (_, _, Some(poll)) => Origin::Poll(poll),
                _ => Origin::Nowhere,
            };
            return Ok((origin, None));
        };
        let Some(at) = &self.at else {
            return Err("'reduce' needs 'at': where the array stands".to_owned());
        };
        how.check(field.kind, self.item.is_some(), !self.only.is_empty())?;
        let (pick, paths) = wanted.array(at)?;
        let item = self.item.as_deref().map(|path| column(paths, path));
        let mut only = Vec::new();
        for (path, texts) in &self.only {
            let texts = texts.iter().map(|text| normal(text).into_owned()).collect();
            only.push((column(paths, path), texts));
        }
        Ok((Origin::Pick(pick), Some(Reduction { how, item, only })))
    }
}

//! A stream's map: where each property of the contract stands in what this source sends.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::date::Format;

/// Where one property comes from, as a steward writes it: `/MaHoSo`, or a mapping with more.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// A JSON pointer inside the record.
    pub at: Option<String>,
    /// `timestamp`, `date`: formats, tried in order.
    pub formats: Vec<String>,
    /// An ending to cut off if it is there.
    pub strip_suffix: Option<String>,
    /// Wire values and the codes they stand for, before the code list's own.
    pub values: BTreeMap<String, String>,
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
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "MapEntry")]
struct Written {
    /// A JSON pointer inside the record.
    at: Option<String>,
    /// `timestamp`, `date`: a format, or several that are tried in order.
    format: Option<OneOrMany>,
    /// An ending to cut off if it is there.
    strip_suffix: Option<String>,
    /// Wire values and the codes they stand for, before the code list's own.
    values: BTreeMap<String, String>,
    /// A fleet's record: the target's label of this name.
    label: Option<String>,
    /// A fleet's record: what the gateway itself knows of the poll.
    poll: Option<Poll>,
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PointerOrMore;

        impl<'de> serde::de::Visitor<'de> for PointerOrMore {
            type Value = Settings;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "a JSON pointer such as /MaHoSo, or a mapping with 'at', 'label' or 'poll'",
                )
            }

            fn visit_str<E>(self, at: &str) -> Result<Settings, E> {
                Ok(Settings { at: Some(at.to_owned()), ..Settings::default() })
            }

            fn visit_map<M: serde::de::MapAccess<'de>>(self, map: M) -> Result<Settings, M::Error> {
                let written =
                    Written::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                let formats = match written.format {
                    None => Vec::new(),
                    Some(OneOrMany::One(format)) => vec![format],
                    Some(OneOrMany::Many(formats)) => formats,
                };
                let Written { at, strip_suffix, values, label, poll, .. } = written;
                Ok(Settings { at, formats, strip_suffix, values, label, poll })
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
}

impl Settings {
    /// Exactly one origin, formats that exist.
    pub(super) fn check(&self) -> Result<Vec<Format>, String> {
        let origins = [self.at.is_some(), self.label.is_some(), self.poll.is_some()];
        if origins.iter().filter(|there| **there).count() != 1 {
            return Err("name exactly one of 'at', 'label', 'poll'".to_owned());
        }
        self.formats.iter().map(|format| Format::parse(format)).collect()
    }
}

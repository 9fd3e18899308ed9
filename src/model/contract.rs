//! The data contract as a steward writes it: what one record means, whoever sends it.
//!
//! It stands at the bottom because two stages obey it and neither knows the other: normalise takes
//! properties and checks from it, fold takes measures. [`crate::model::schema`] is its checked form.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use crate::model::deadline::InBy;
use crate::model::disclosure::DisclosureSettings;
use crate::model::text::Bilingual;
use crate::model::units::Span;

/// One contract file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// The contract's name.
    pub contract: String,
    /// Raised whenever the meaning changes.
    pub version: u32,
    /// What the records are.
    pub title: Bilingual,
    /// Where the shape comes from, and what is our own proposal.
    #[serde(default)]
    pub description: Option<String>,
    /// The body that answers for the records.
    pub accountable_unit: String,
    /// Why the records are processed; printed in the processing register.
    pub purpose: String,
    /// The regulation behind it.
    pub legal_basis: String,
    /// How long records are kept.
    pub retention: Span,
    /// The properties that identify a record.
    pub key: Vec<String>,
    /// The timestamp that orders the versions of a record.
    pub version_by: String,
    /// The property that says where it happened.
    pub area: String,
    /// The timestamp or date by which the area's code is understood; `version_by` when absent.
    #[serde(default)]
    pub area_at: Option<String>,
    /// Whose version of a record counts when several streams send it: the streams as
    /// `source.stream`, highest first, or `newest`. Needed as soon as there are several.
    #[serde(default)]
    pub precedence: Option<Precedence>,
    /// Contracts with the same linkage derive the same key for identifiers, on purpose, so that
    /// their hashes can be compared; by default no two contracts do.
    #[serde(default)]
    pub linkage: Option<String>,
    /// Its records are a register that may be read one by one, of at most so many; without it nothing
    /// but counts and sums of them can be read.
    #[serde(default)]
    pub readable: Option<u32>,
    /// A condition under which the record is withdrawn: its earlier contribution is taken back.
    #[serde(default)]
    pub retracted: Option<String>,
    /// What the source has promised.
    pub sla: Sla,
    /// When figures are published: those of a period are provisional until the first publication after
    /// its end. Without it they are final as soon as the period is over and covered.
    #[serde(default)]
    pub publication: Option<InBy>,
    /// What of its figures is kept from the public; without it every number of people below five is.
    #[serde(default)]
    pub disclosure: Option<DisclosureSettings>,
    /// The typed fields, by name.
    pub properties: BTreeMap<String, Property>,
    /// What follows from the fields and is computed, by name.
    #[serde(default)]
    pub derived: BTreeMap<String, Derived>,
    /// Conditions that every record must meet.
    #[serde(default)]
    pub quality: Vec<Check>,
    /// The additive quantities derived from the records, by name.
    pub measures: BTreeMap<String, Measure>,
}

/// Whose version of a record counts when several streams send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precedence {
    /// The newest version, whoever sent it.
    Newest,
    /// That of the stream named first, as `source.stream`; among its versions the newest.
    Streams(Vec<String>),
}

impl<'de> Deserialize<'de> for Precedence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NewestOrStreams;

        impl<'de> de::Visitor<'de> for NewestOrStreams {
            type Value = Precedence;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "'newest', or a list of streams such as [lodging_b.returns, lodging_a.returns]",
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Precedence, E> {
                if text == "newest" {
                    Ok(Precedence::Newest)
                } else {
                    Err(E::invalid_value(de::Unexpected::Str(text), &self))
                }
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, seq: A) -> Result<Precedence, A::Error> {
                let streams = de::value::SeqAccessDeserializer::new(seq);
                Deserialize::deserialize(streams).map(Precedence::Streams)
            }
        }
        deserializer.deserialize_any(NewestOrStreams)
    }
}

impl JsonSchema for Precedence {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Precedence".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Whose version of a record counts: 'newest', or the streams as source.stream, highest first.",
            "anyOf": [
                {"const": "newest"},
                {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": "^[^.]+\\.[^.]+$"}}
            ]
        })
    }
}

/// What the source has promised about its records.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sla {
    /// The largest allowed age of the data.
    pub fresh_within: Span,
    /// By when each report has to be in; nothing if only its age counts.
    #[serde(default)]
    pub in_by: Option<InBy>,
}

/// The type of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PropertyType {
    /// Kept only as a keyed hash.
    Identifier,
    /// A code of a code list.
    Code,
    /// The code of a territorial unit.
    Area,
    /// A moment.
    Timestamp,
    /// A local calendar day.
    Date,
    /// A whole number.
    Integer,
    /// A number with a fixed count of decimals.
    Decimal,
    /// True or false.
    Boolean,
    /// A short text of few different values, which nobody lists beforehand.
    Text,
}

/// What becomes of a code that is not in the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownCode {
    /// The record goes to quarantine.
    #[default]
    Quarantine,
    /// The code `other` is taken instead, and counted.
    Other,
}

/// One typed field.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Property {
    /// The type.
    #[serde(rename = "type")]
    pub kind: PropertyType,
    /// Whether a record without it goes to quarantine.
    #[serde(default)]
    pub required: bool,
    /// `code`: the list.
    #[serde(default)]
    pub list: Option<String>,
    /// `code`: the timestamp or date that says by which day's list the code is understood; the
    /// contract's `area_at` when absent.
    #[serde(default)]
    pub list_at: Option<String>,
    /// `code`: the code to take when the field is empty or absent.
    #[serde(default)]
    pub empty: Option<String>,
    /// `code`: what becomes of a code that is not in the list.
    #[serde(default)]
    pub unknown: UnknownCode,
    /// `integer`: the smallest value.
    #[serde(default)]
    pub min: Option<i64>,
    /// `integer`: the largest value.
    #[serde(default)]
    pub max: Option<i64>,
    /// `decimal`: how many decimals are kept.
    #[serde(default)]
    pub decimals: Option<u8>,
    /// `timestamp`, `date`: whether it may lie in the future, as a promised date does.
    #[serde(default)]
    pub future: bool,
    /// `text`: the most characters, at most 100; 40 when absent.
    #[serde(default)]
    pub max_length: Option<u16>,
    /// `text`: the most different values, at most 1,000; 200 when absent. What comes beyond them is
    /// `other`, and counted.
    #[serde(default)]
    pub max_values: Option<u16>,
    /// What it counts in, for the reader.
    #[serde(default)]
    pub unit: Option<String>,
    /// Whether its name is wrongly taken for personal data; needs a `reason`.
    #[serde(default)]
    pub personal_data: Option<PersonalData>,
    /// Why it is no personal data although its name sounds like it; printed with the contract.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What follows from the properties of a record: an expression and the type of its value.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Derived {
    /// The type: integer, decimal, boolean, timestamp or date.
    #[serde(rename = "type")]
    pub kind: PropertyType,
    /// The expression, over properties and other derived ones.
    pub value: String,
    /// `decimal`: how many decimals are kept.
    #[serde(default)]
    pub decimals: Option<u8>,
    /// What it counts in, for the reader.
    #[serde(default)]
    pub unit: Option<String>,
}

/// What a steward states about a property whose name sounds like personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PersonalData {
    /// It holds nothing about a person.
    None,
}

/// What becomes of a record that fails a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// Counted, and accepted.
    Warn,
    /// Kept in quarantine.
    Quarantine,
    /// The whole page is refused: what stands beside such a record cannot be trusted either.
    RejectPage,
}

/// A condition that every record must meet.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The condition.
    pub check: String,
    /// What becomes of a record that fails it.
    pub otherwise: Otherwise,
}

/// An additive quantity: exactly one of `count`, `sum`, `stock`, `distribution`; a stock may say with
/// `sum` of what.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// What it counts, for the reader.
    #[serde(default)]
    pub title: Option<Bilingual>,
    /// One per record, in the bucket of `at`.
    #[serde(default)]
    pub count: bool,
    /// A property added up, in the bucket of `at`.
    #[serde(default)]
    pub sum: Option<String>,
    /// One per record from `from` on, until `until`; with `sum` that property instead of one.
    #[serde(default)]
    pub stock: bool,
    /// A quantity put into fixed bins, in the bucket of `at`.
    #[serde(default)]
    pub distribution: Option<String>,
    /// The timestamp or date whose day is the bucket.
    #[serde(default)]
    pub at: Option<String>,
    /// `stock`: when it begins.
    #[serde(default)]
    pub from: Option<String>,
    /// `stock`: when it ends.
    #[serde(default)]
    pub until: Option<String>,
    /// Only records for which this holds.
    #[serde(default, rename = "where")]
    pub only: Option<String>,
    /// The dimensions it is kept by: code properties, their attributes, texts, booleans, and the hour of
    /// `at` (`started_at.hour`), with which its indicators can be read by the hour.
    #[serde(default)]
    pub by: Vec<String>,
}

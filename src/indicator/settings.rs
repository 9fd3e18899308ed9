//! An indicator as a steward writes it, one entry under `indicators:`.
//!
//! One struct holds the keys of all kinds; [`crate::indicator::catalogue`] says which of them a
//! kind needs and which do not belong to it. A tagged enum would repeat the shared keys four times
//! and lose the place of every mistake inside a variant.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::indicator::reading::Direction;
use crate::indicator::running::Since;
use crate::indicator::target::Target;
use crate::model::text::Bilingual;

/// One indicator as written.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What people call it.
    pub title: Bilingual,
    /// What exactly is counted.
    #[serde(default)]
    pub description: Option<Bilingual>,
    /// Tiles are grouped by it; a free word.
    pub group: String,
    /// How the value comes about.
    pub kind: Kind,
    /// `simple`, `cumulative`: what is shown, or counted.
    #[serde(default)]
    pub measure: Option<Terms>,
    /// `simple`, `cumulative`: the value is divided by it, for example 86400 to show seconds as days.
    #[serde(default)]
    pub divide_by: Option<f64>,
    /// `simple`: the total, or a percentile of a distribution.
    #[serde(default)]
    pub statistic: Option<Statistic>,
    /// `cumulative`: from when on is counted: `year`, `quarter`, `month`, or a day.
    #[serde(default)]
    pub since: Option<Since>,
    /// `ratio`: above the line.
    #[serde(default)]
    pub numerator: Option<Terms>,
    /// `ratio`: below the line.
    #[serde(default)]
    pub denominator: Option<Terms>,
    /// `ratio`: what a denominator of zero means.
    #[serde(default)]
    pub empty_denominator: Option<EmptyDenominator>,
    /// `derived`: named amounts.
    #[serde(default)]
    pub terms: Option<BTreeMap<String, Terms>>,
    /// `derived`: arithmetic over the names in `terms`.
    #[serde(default)]
    pub value: Option<String>,
    /// `composite`: other indicators and their weights.
    #[serde(default)]
    pub components: Option<Vec<Component>>,
    /// `composite`: what a component without a value does.
    #[serde(default)]
    pub missing: Option<MissingPolicy>,
    /// `composite`: the value of a full score; 100 when absent.
    #[serde(default)]
    pub points: Option<f64>,
    /// `percent` for ratios 0 to 1; otherwise the word for what is counted.
    pub unit_measure: String,
    /// Whether higher or lower is better.
    pub direction: Direction,
    /// What is to be reached, from when on and by when.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// Who answers for it.
    pub accountable: AccountableSettings,
    /// How completeness is told.
    #[serde(default)]
    pub completeness: CompletenessSettings,
    /// Decimals shown; of the percentage for `percent`.
    #[serde(default = "one_decimal")]
    pub decimals: u8,
}

impl Settings {
    /// Every term, wherever it stands.
    pub fn all_terms(&self) -> impl Iterator<Item = &Term> {
        let completeness = match &self.completeness {
            CompletenessSettings::Period {} => [None, None],
            CompletenessSettings::Areas { measure } => [Some(measure), None],
            CompletenessSettings::Measures { reported, expected } => {
                [Some(reported), Some(expected)]
            }
        };
        [&self.measure, &self.numerator, &self.denominator]
            .into_iter()
            .flatten()
            .chain(self.terms.iter().flat_map(BTreeMap::values))
            .chain(completeness.into_iter().flatten())
            .flat_map(|terms| &terms.terms)
    }
}

const fn one_decimal() -> u8 {
    1
}

/// How an indicator's value comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Kind {
    /// An amount, or a percentile of a distribution.
    Simple,
    /// One amount by another.
    Ratio,
    /// Arithmetic over several amounts.
    Derived,
    /// An amount since the year, quarter or month began, or since a day.
    Cumulative,
    /// A weighted score of other indicators.
    Composite,
}

/// What is told of a measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Statistic {
    /// The amount.
    #[default]
    Total,
    /// The middle one of all quantities.
    Median,
    /// Nine tenths of all quantities are at most this.
    P90,
}

/// What a denominator of zero means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum EmptyDenominator {
    /// There is no value.
    #[default]
    NoValue,
    /// The value is 0.
    Zero,
    /// The value is 1: nothing was due, so everything due was done.
    FullMarks,
}

/// What a component without a value does to a composite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MissingPolicy {
    /// The composite has no value either.
    #[default]
    Refuse,
    /// The others carry its weight.
    Reweight,
    /// It scores 0.
    Zero,
    /// Its last value of the year before stands in, and the reading says so.
    Carry,
}

/// The body and the position that answer for an indicator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountableSettings {
    /// The unit's id in `units.yaml`.
    pub unit: String,
    /// The position, never a person's name.
    pub role: String,
}

/// One weighted indicator of a composite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// The indicator's id.
    pub indicator: String,
    /// Its share of the score; all weights sum to 1.
    pub weight: f64,
    /// The value that scores 0.
    pub zero_at: f64,
    /// The value that scores 1.
    pub full_at: f64,
}

/// How completeness is told.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "of", rename_all = "snake_case", deny_unknown_fields)]
pub enum CompletenessSettings {
    /// By the part of the period that all sources cover.
    Period {},
    /// By the communes that have a non-zero amount.
    Areas {
        /// The amount that shows that a commune has reported.
        measure: Terms,
    },
    /// By two amounts.
    Measures {
        /// What has come in.
        reported: Terms,
        /// What should have come in.
        expected: Terms,
    },
}

impl Default for CompletenessSettings {
    fn default() -> Self {
        Self::Period {}
    }
}

/// One measure, narrowed by its dimensions.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// `contract.measure`.
    pub measure: String,
    /// Which values of which dimensions count.
    #[serde(default, rename = "where")]
    pub only: BTreeMap<String, Wanted>,
    /// Whether it is taken away from the others.
    #[serde(default)]
    pub subtract: bool,
    /// Stocks: summed over each day of the period instead of taken at its end.
    #[serde(default)]
    pub over: Option<Over>,
}

/// What a stock is summed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Over {
    /// The days of the period: room-days, facility-days.
    Days,
}

/// One term or a list of them that add up; a bare `contract.measure` is a term without conditions.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The terms, in the order in which they were written.
    pub terms: Vec<Term>,
    /// How they were written, so that a problem can be told with its exact place.
    pub written: Written,
}

/// The spellings of [`Terms`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Written {
    /// `dossiers.received`
    #[default]
    Bare,
    /// `{measure: dossiers.received}`
    Single,
    /// `[{measure: dossiers.received}]`
    List,
}

/// The wanted values of a dimension: one word, or a list of which any will do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted(pub Vec<String>);

impl<'de> Deserialize<'de> for Terms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TermsVisitor)
    }
}

impl JsonSchema for Terms {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Terms".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let term = generator.subschema_for::<Term>();
        schemars::json_schema!({
            "description": "One term or a list of them that add up; a bare contract.measure is a term without conditions.",
            "anyOf": [{"type": "string"}, term, {"type": "array", "items": term}]
        })
    }
}

struct TermsVisitor;

impl<'de> Visitor<'de> for TermsVisitor {
    type Value = Terms;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a term such as {measure: dossiers.received}, or a list of terms")
    }

    fn visit_str<E: de::Error>(self, measure: &str) -> Result<Terms, E> {
        let term = Term { measure: measure.to_owned(), ..Term::default() };
        Ok(Terms { terms: vec![term], written: Written::Bare })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Terms, A::Error> {
        let term = Term::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Terms { terms: vec![term], written: Written::Single })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Terms, A::Error> {
        let terms = Vec::deserialize(SeqAccessDeserializer::new(seq))?;
        Ok(Terms { terms, written: Written::List })
    }
}

impl<'de> Deserialize<'de> for Wanted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WantedVisitor { list: true })
    }
}

impl JsonSchema for Wanted {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Wanted".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "The wanted values of a dimension: one code, or a list of which any will do.",
            "type": ["string", "boolean", "integer", "array"],
            "items": {"type": ["string", "boolean", "integer"]}
        })
    }
}

/// Reads a word, however YAML took it (`true` and `1` are words here), and a list of words.
struct WantedVisitor {
    list: bool,
}

impl<'de> Visitor<'de> for WantedVisitor {
    type Value = Wanted;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.list { "a code, or a list of codes" } else { "a code" })
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Wanted, E> {
        Ok(Wanted(vec![word.to_owned()]))
    }

    fn visit_bool<E: de::Error>(self, word: bool) -> Result<Wanted, E> {
        Ok(Wanted(vec![word.to_string()]))
    }

    fn visit_i64<E: de::Error>(self, word: i64) -> Result<Wanted, E> {
        Ok(Wanted(vec![word.to_string()]))
    }

    fn visit_u64<E: de::Error>(self, word: u64) -> Result<Wanted, E> {
        Ok(Wanted(vec![word.to_string()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Wanted, A::Error> {
        if !self.list {
            return Err(de::Error::invalid_type(de::Unexpected::Seq, &self));
        }
        let mut words = Vec::new();
        while let Some(Word(word)) = seq.next_element()? {
            words.push(word);
        }
        Ok(Wanted(words))
    }
}

struct Word(String);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wanted = deserializer.deserialize_any(WantedVisitor { list: false })?;
        Ok(Self(wanted.0.concat()))
    }
}

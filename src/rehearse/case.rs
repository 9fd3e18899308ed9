//! A case as a steward writes it.
//!
//! One step is the usual case, so its keys stand in the case itself; what happens later (a
//! correction, a withdrawal, a late record, or only the passing of time) stands under `then`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::indicator::reading::{FreshnessState, NoValue, Status, TargetStatus};
use crate::model::observation::Reason;
use crate::model::text::Bilingual;
use crate::model::time::Stamp;

/// `tests/*.yaml`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// Records to take up by anchor (`<<: *name`), so that a case shows only what matters in it.
    #[serde(default)]
    pub examples: BTreeMap<String, BTreeMap<String, Value>>,
    /// The cases, each of which begins with nothing.
    pub tests: Vec<Case>,
}

/// One case: what came, and what must come of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What the case shows, in a sentence.
    pub name: Bilingual,
    /// The present moment, until a step says otherwise.
    pub now: Moment,
    /// Whose records came: `source.stream`. They are written as the source sends them.
    #[serde(default)]
    pub stream: Option<String>,
    /// Instead of a stream: the contract, whoever sends it. Records are written by property.
    #[serde(default)]
    pub contract: Option<String>,
    /// The records of one good run; none when absent.
    #[serde(default)]
    pub records: Option<Vec<Value>>,
    /// The answers of a fleet's targets.
    #[serde(default)]
    pub polls: Option<Vec<Poll>>,
    /// A whole page as the source sends it, character by character.
    #[serde(default)]
    pub page: Option<String>,
    /// What must come of it.
    #[serde(default)]
    pub expect: Expect,
    /// What happens afterwards, step by step.
    #[serde(default)]
    pub then: Vec<Step>,
}

/// One step: the clock moves, records come, expectations are looked at.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The present moment from now on.
    #[serde(default)]
    pub now: Option<Moment>,
    /// Whose records came: `source.stream`.
    #[serde(default)]
    pub stream: Option<String>,
    /// Instead of a stream: the contract, whoever sends it.
    #[serde(default)]
    pub contract: Option<String>,
    /// The records of one good run.
    #[serde(default)]
    pub records: Option<Vec<Value>>,
    /// The answers of a fleet's targets.
    #[serde(default)]
    pub polls: Option<Vec<Poll>>,
    /// A whole page as the source sends it.
    #[serde(default)]
    pub page: Option<String>,
    /// What must come of it.
    #[serde(default)]
    pub expect: Expect,
}

/// One target of a fleet being asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// The target's name in the targets file.
    pub target: String,
    /// What it answered, as a mapping or as the very text; a target without an answer was silent.
    #[serde(default)]
    pub answer: Option<Value>,
}

/// What must come of a step. What is not written is not looked at, with one exception: a record
/// that goes to quarantine although nobody expects it fails the case.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Every accepted record in the order of the page, by property; properties left out may be
    /// anything.
    #[serde(default)]
    pub rows: Option<Vec<BTreeMap<String, Value>>>,
    /// Every record that goes to quarantine, in the order of the page.
    #[serde(default)]
    pub rejects: Option<Vec<ExpectedReject>>,
    /// What became of the records of this step.
    #[serde(default)]
    pub counts: Counts,
    /// Whether the page is refused whole (not readable, or an error by its own words).
    #[serde(default)]
    pub refused: bool,
    /// What indicators read now.
    #[serde(default)]
    pub readings: Vec<ExpectedReading>,
}

/// A record that goes to quarantine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedReject {
    /// Why.
    pub reason: Reason,
    /// The property that broke, or the check that does not hold.
    #[serde(default)]
    pub rule: Option<String>,
}

/// What became of the records of one step.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Records that came in; the sum of the next four.
    #[serde(default)]
    pub received: Option<u64>,
    /// Records that became the newest version of their entity.
    #[serde(default)]
    pub accepted: Option<u64>,
    /// Older versions of what was known already.
    #[serde(default)]
    pub superseded: Option<u64>,
    /// What was known already, to the letter.
    #[serde(default)]
    pub duplicate: Option<u64>,
    /// Records that went to quarantine.
    #[serde(default)]
    pub quarantined: Option<u64>,
    /// Among the records that keep their contract: those that withdraw themselves.
    #[serde(default)]
    pub withdrawn: Option<u64>,
    /// Codes outside their list, taken as `other`.
    #[serde(default)]
    pub unknown_codes: Option<u64>,
    /// Checks with `otherwise: warn` that did not hold.
    #[serde(default)]
    pub warnings: Option<u64>,
}

/// What an indicator reads.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedReading {
    /// The indicator.
    pub indicator: String,
    /// The period: `2025`, `2025-07`, `2025-07-15`, `latest`, ….
    pub period: Word,
    /// The code of one of today's communes; the province when absent.
    #[serde(default)]
    pub area: Option<Word>,
    /// One dimension and its value, province-wide: `{channel: online}`.
    #[serde(default)]
    pub by: BTreeMap<String, Word>,
    /// The value; null where there must be none.
    #[serde(default, deserialize_with = "given")]
    pub value: Option<Option<f64>>,
    /// How far the numbers may be from those written; not at all when absent.
    #[serde(default)]
    pub tolerance: Option<f64>,
    /// Above the line of a ratio.
    #[serde(default, deserialize_with = "given")]
    pub numerator: Option<Option<f64>>,
    /// Below the line of a ratio.
    #[serde(default, deserialize_with = "given")]
    pub denominator: Option<Option<f64>>,
    /// The value of the period before, of as many days as have begun of this one while it is open.
    #[serde(default, deserialize_with = "given")]
    pub previous: Option<Option<f64>>,
    /// The same of the year before.
    #[serde(default, deserialize_with = "given")]
    pub year_ago: Option<Option<f64>>,
    /// Of a running total: days that count and of which nobody knows.
    #[serde(default)]
    pub gap_days: Option<u32>,
    /// How settled the value is.
    #[serde(default)]
    pub status: Option<Status>,
    /// Why there is no value.
    #[serde(default)]
    pub reason: Option<NoValue>,
    /// How complete the data are, 0 to 1; null where it cannot be told.
    #[serde(default, deserialize_with = "given")]
    pub completeness: Option<Option<f64>>,
    /// How the value stands against its target.
    #[serde(default)]
    pub target: Option<TargetStatus>,
    /// How fresh the data are.
    #[serde(default)]
    pub freshness: Option<FreshnessState>,
    /// Records in quarantine behind the number.
    #[serde(default)]
    pub quarantined: Option<u64>,
}

/// A moment in RFC 3339: `2025-08-01T09:00:00+07:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub Stamp);

/// A word, however YAML took it: `2025` and `true` are words here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word(pub String);

/// Tells "null is expected" from "nothing is expected".
#[expect(clippy::option_option, reason = "that is the difference which it makes")]
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<f64>>, D::Error> {
    Option::<f64>::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Stamp::parse(&text).map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "'{text}' is not a moment; write for example 2025-08-01T09:00:00+07:00"
            ))
        })
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A moment in RFC 3339: 2025-08-01T09:00:00+07:00.",
            "type": "string",
            "format": "date-time"
        })
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Number(number) => Ok(Self(number.to_string())),
            Value::Bool(value) => Ok(Self(value.to_string())),
            _ => Err(serde::de::Error::custom("a single word is expected")),
        }
    }
}

impl JsonSchema for Word {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Word".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A word, with or without quotes.",
            "type": ["string", "number", "boolean"]
        })
    }
}

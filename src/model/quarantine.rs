//! Records that broke their contract, as everybody may see them: reason, rule and shape, no values.
//!
//! They stand here because those who keep them and those who show them do not know each other.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::time::Stamp;

/// What became of a record that broke its contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RecordState")]
pub enum State {
    /// It waits.
    #[default]
    Held,
    /// A good version of it came.
    Resolved,
    /// It was sent through a corrected contract and counts.
    Replayed,
    /// Somebody decided that it need not count.
    Discarded,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Held, Self::Resolved, Self::Replayed, Self::Discarded];

    /// The word used in the API and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Resolved => "resolved",
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
        }
    }
}

/// Which records are meant; what is `None` or empty does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this source.
    pub source: Option<String>,
    /// Of this stream.
    pub stream: Option<String>,
    /// Of this contract.
    pub contract: Option<String>,
    /// With this reason.
    pub reason: Option<String>,
    /// That broke this property or check.
    pub rule: Option<String>,
    /// In this state.
    pub state: Option<State>,
    /// With one of these numbers.
    pub ids: Vec<u64>,
    /// After this number, for paging.
    pub after: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// A record that broke its contract, without its values.
#[derive(Clone, Debug, Serialize)]
pub struct Quarantined {
    /// Grows with arrival.
    pub id: u64,
    /// The source.
    pub source: String,
    /// The stream.
    pub stream: String,
    /// The contract it broke.
    pub contract: String,
    /// That contract's version.
    pub contract_version: u32,
    /// Why, one of a closed list.
    pub reason: String,
    /// The property or check that broke.
    pub rule: String,
    /// Mapped properties and the type that each had, as a JSON object.
    pub shape: String,
    /// When it first came.
    pub first_seen: Stamp,
    /// When it last came.
    pub last_seen: Stamp,
    /// How often it came or was replayed in vain.
    pub attempts: u64,
    /// What became of it.
    pub state: State,
    /// When, by whom and why it was discarded.
    pub discarded: Option<(Stamp, String, String)>,
}

/// Records that broke the same rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The source.
    pub source: String,
    /// The stream.
    pub stream: String,
    /// The contract.
    pub contract: String,
    /// Why.
    pub reason: String,
    /// The property or check that broke.
    pub rule: String,
    /// How many.
    pub records: u64,
    /// When the first of them came.
    pub first_seen: Stamp,
    /// When the last of them came.
    pub last_seen: Stamp,
    /// The shape of the newest.
    pub shape: String,
}

/// What became of a replay of everything that a filter chose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReplaySummary {
    /// Records that keep their contract now; those older than what is known count nothing anew.
    pub replayed: u64,
    /// Records that still do not.
    pub still_refused: u64,
    /// The latter, by reason; `not_replayable` if something is needed that was not kept.
    pub by_reason: BTreeMap<String, u64>,
}

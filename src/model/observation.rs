//! What normalise yields: rows that keep their contract, and rejects that do not.
//!
//! A page of observations is three flat arrays, so a page of 5,000 records costs a handful of
//! allocations and is folded in one pass.

use std::collections::HashMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::dictionary::Dictionary;

/// From here on a slot of a text property holds the place of its text in [`Unseen`], until the one
/// who writes has given the text a number. No number of a dictionary is as high.
pub const PROVISIONAL: i64 = 1 << 32;

/// Texts of a page that had no number when it was normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// The slot of the text property.
    pub slot: usize,
    /// The texts, each once; their places are counted from [`PROVISIONAL`].
    pub words: Vec<String>,
    places: HashMap<String, i64>,
}

/// Records that keep their contract, as rows of slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observations {
    /// Slots in a row.
    pub width: usize,
    /// The keyed hash of each record's key.
    pub keys: Vec<u128>,
    /// All rows one after the other.
    pub rows: Vec<i64>,
    /// Whether each record is withdrawn.
    pub retracted: Vec<bool>,
    /// Texts without a number, by slot; empty for a contract without text properties.
    pub unseen: Vec<Unseen>,
    /// The dictionaries of text slots, once all texts have their numbers.
    pub words: Vec<(usize, Arc<Dictionary>)>,
    /// While the identifier key is being replaced: each record's key under the previous one. Empty
    /// at all other times.
    pub former: Vec<u128>,
}

impl Observations {
    /// No observations, for rows of `width` slots.
    pub fn new(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The row of the record at `index`.
    pub fn row(&self, index: usize) -> &[i64] {
        &self.rows[index * self.width..(index + 1) * self.width]
    }

    /// Adds the records of another page.
    pub fn append(&mut self, mut other: Self) {
        for Unseen { slot, words, .. } in std::mem::take(&mut other.unseen) {
            let places: Vec<i64> = words.iter().map(|word| self.provisional(slot, word)).collect();
            for row in other.rows.chunks_exact_mut(other.width.max(1)) {
                if row[slot] >= PROVISIONAL {
                    row[slot] = places[(row[slot] - PROVISIONAL) as usize];
                }
            }
        }
        self.keys.append(&mut other.keys);
        self.rows.append(&mut other.rows);
        self.retracted.append(&mut other.retracted);
        self.former.append(&mut other.former);
    }

    /// The place of a text without a number, given now if it is new on this page.
    pub fn provisional(&mut self, slot: usize, word: &str) -> i64 {
        let known = self.unseen.iter().position(|unseen| unseen.slot == slot);
        let at = known.unwrap_or_else(|| {
            self.unseen.push(Unseen { slot, words: Vec::new(), places: HashMap::new() });
            self.unseen.len() - 1
        });
        let Unseen { words, places, .. } = &mut self.unseen[at];
        *places.entry(word.to_owned()).or_insert_with(|| {
            words.push(word.to_owned());
            PROVISIONAL + words.len() as i64 - 1
        })
    }

    /// Drops the records whose place in `kept` is false.
    pub fn retain(&mut self, kept: &[bool]) {
        let mut to = 0;
        for from in (0..self.len()).filter(|at| kept.get(*at) == Some(&true)) {
            self.keys[to] = self.keys[from];
            self.retracted[to] = self.retracted[from];
            if let Some(former) = self.former.get(from).copied() {
                self.former[to] = former;
            }
            let start = from * self.width;
            self.rows.copy_within(start..start + self.width, to * self.width);
            to += 1;
        }
        self.keys.truncate(to);
        self.retracted.truncate(to);
        self.former.truncate(to);
        self.rows.truncate(to * self.width);
    }

    /// Adds one record.
    pub fn push(&mut self, key: u128, row: &[i64], retracted: bool) {
        self.keys.push(key);
        self.rows.extend_from_slice(row);
        self.retracted.push(retracted);
    }
}

/// Why a record was refused: a closed list, also a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A required property is absent or empty.
    Missing,
    /// A value has the wrong type or cannot be read as one.
    WrongType,
    /// A number or date lies outside its bounds.
    OutOfRange,
    /// A moment lies in the future.
    FutureDated,
    /// A code is not in its list.
    UnknownCode,
    /// An area's code is in no list.
    UnknownArea,
    /// An area was abolished and no successor is known.
    AreaWithoutSuccessor,
    /// A quality check does not hold.
    CheckFailed,
    /// The record is not an object, or names a field twice.
    Malformed,
    /// It is older than records are kept, or of an entity that has been forgotten for its age.
    Expired,
}

impl Reason {
    /// Every reason, for metrics that begin at zero.
    pub const ALL: [Self; 10] = [
        Self::Missing,
        Self::WrongType,
        Self::OutOfRange,
        Self::FutureDated,
        Self::UnknownCode,
        Self::UnknownArea,
        Self::AreaWithoutSuccessor,
        Self::CheckFailed,
        Self::Malformed,
        Self::Expired,
    ];

    /// The word used in the API, in metrics and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::WrongType => "wrong_type",
            Self::OutOfRange => "out_of_range",
            Self::FutureDated => "future_dated",
            Self::UnknownCode => "unknown_code",
            Self::UnknownArea => "unknown_area",
            Self::AreaWithoutSuccessor => "area_without_successor",
            Self::CheckFailed => "check_failed",
            Self::Malformed => "malformed",
            Self::Expired => "expired",
        }
    }
}

/// A record that broke its contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Why.
    pub reason: Reason,
    /// The property that broke, or the check that failed; empty for a malformed record.
    pub rule: String,
    /// The keyed hash of the key, if the key could be read.
    pub key: Option<u128>,
    /// The moment that orders its versions, if it could be read.
    pub version: Option<i64>,
    /// What tells this record from others: a keyed hash of everything that was mapped.
    pub fingerprint: u128,
    /// The mapped properties with the JSON type that each had; no values.
    pub shape: String,
    /// The mapped values for a later replay; identifiers only as keyed hashes.
    pub held: String,
    /// While the identifier key is being replaced: the fingerprint under the previous one.
    pub former: Option<u128>,
}

//! Coercions: which wire types may stand for another, and only where a stream says so.
//!
//! Many Vietnamese systems send every value as a text, some send `""` for nothing and `0/1` for
//! flags. Guessing it would turn a changed source into wrong numbers without a word, so each habit is
//! declared, for a stream (`coerce: [...]`) or for one property of its map, and anything else of the
//! wrong type goes to quarantine. A format that knows only texts declares [`Coercion::ALL_TEXT`] itself.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::mapping::Settings;

/// One habit of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Coercion {
    /// An empty text means that there is no value.
    EmptyToNull,
    /// A text of digits is a number.
    TextToNumber,
    /// The texts `true`, `True`, `1` and `false`, `False`, `0` are truth values.
    TextToBoolean,
    /// The numbers 1 and 0 are truth values.
    NumberToBoolean,
}

impl Coercion {
    /// What a format needs that has nothing but texts, such as CSV and XML.
    pub const ALL_TEXT: [Self; 3] = [Self::EmptyToNull, Self::TextToNumber, Self::TextToBoolean];
}

/// A set of coercions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Coercions(u8);

impl Coercions {
    pub(super) fn of(list: &[Coercion]) -> Self {
        Self(list.iter().fold(0, |bits, coercion| bits | 1 << *coercion as u8))
    }

    #[inline]
    pub(super) const fn has(self, coercion: Coercion) -> bool {
        self.0 & 1 << coercion as u8 != 0
    }
}

/// A stream's map with the stream's own coercions on every property that names none.
pub fn coerced(
    map: &BTreeMap<String, Settings>,
    coercions: &[Coercion],
) -> BTreeMap<String, Settings> {
    let mut map = map.clone();
    for settings in map.values_mut() {
        settings.coerce.get_or_insert_with(|| coercions.to_vec());
    }
    map
}

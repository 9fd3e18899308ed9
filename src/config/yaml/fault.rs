//! What serde complains about while a tree is decoded, kept as facts instead of a sentence.
//!
//! The facts are what lets the search repair its copy and go on, and what lets [`super::words`] say
//! them in the steward's words. Faults compare by content: the search for the place of a fault asks
//! again and again "is it still the same one?".

use std::fmt;

use serde::de::{self, Expected, Unexpected};

/// A complaint and, once known, the node it is about.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) site: Option<Site>,
}

/// Which node a fault is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Site {
    /// The value of this node, or something inside it that serde had buffered.
    Value(u32),
    /// The key that this node stands under.
    Key(u32),
    /// The stand-in for a missing key of this mapping.
    Filler(u32, &'static str),
}

/// What is wrong, by what the search does next.
#[derive(Debug, PartialEq)]
pub(super) enum Kind {
    UnknownKey {
        key: String,
        allowed: &'static [&'static str],
    },
    MissingKey(&'static str),
    UnknownWord {
        word: String,
        allowed: &'static [&'static str],
    },
    /// A value of the wrong kind or range.
    Mismatch {
        found: Found,
        expected: String,
    },
    Other(String),
}

/// The value that was met, as serde tells it.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    Text(String),
    Number(String),
    Bool(bool),
    Nothing,
    Mapping,
    List,
    Something(String),
}

impl Fault {
    /// The fault with its site, unless something further inside has named one already.
    pub(super) fn at(mut self, site: Site) -> Self {
        self.site.get_or_insert(site);
        self
    }

    fn of(kind: Kind) -> Self {
        Self { kind, site: None }
    }
}

impl From<Unexpected<'_>> for Found {
    fn from(unexpected: Unexpected<'_>) -> Self {
        match unexpected {
            Unexpected::Bool(value) => Self::Bool(value),
            Unexpected::Unsigned(value) => Self::Number(value.to_string()),
            Unexpected::Signed(value) => Self::Number(value.to_string()),
            Unexpected::Float(value) => Self::Number(value.to_string()),
            Unexpected::Char(value) => Self::Text(value.to_string()),
            Unexpected::Str(value) => Self::Text(value.to_owned()),
            Unexpected::Unit | Unexpected::Option => Self::Nothing,
            Unexpected::Map => Self::Mapping,
            Unexpected::Seq => Self::List,
            other => Self::Something(other.to_string()),
        }
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::of(Kind::Other(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of(Kind::Mismatch { found: found.into(), expected: expected.to_string() })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        let found = Found::Something(format!("a list of {length}"));
        Self::of(Kind::Mismatch { found, expected: expected.to_string() })
    }

    fn unknown_variant(word: &str, allowed: &'static [&'static str]) -> Self {
        Self::of(Kind::UnknownWord { word: word.to_owned(), allowed })
    }

    fn unknown_field(key: &str, allowed: &'static [&'static str]) -> Self {
        Self::of(Kind::UnknownKey { key: key.to_owned(), allowed })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::of(Kind::MissingKey(key))
    }

    fn duplicate_field(key: &'static str) -> Self {
        Self::of(Kind::Other(format!("the key '{key}' is given twice, under two names")))
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value does not have the expected form")
    }
}

//! Text shown to people: Vietnamese first, English beside it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A title or description in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bilingual {
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
}

impl Bilingual {
    /// The same text in both languages, for names that are not translated.
    pub fn same(text: &str) -> Self {
        Self { vi: text.to_owned(), en: text.to_owned() }
    }
}

/// Whether `name` may name a source, stream, contract, property, measure or indicator: lower-case
/// ASCII letters, digits, `_` and `-`, beginning with a letter, at most 64 characters.
///
/// Names become metric labels, URL segments and file names, so nothing else is let in.
pub fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_are_safe_in_urls_labels_and_files() {
        assert!(is_name("portal") && is_name("vp-ubnd") && is_name("lodging_returns2"));
        for bad in ["", "Portal", "2go", "a b", "a/b", "a.b", "é", &"a".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}

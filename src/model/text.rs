//! Text shown to people: Vietnamese first, English beside it.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
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

/// A text from a source as it is compared: without white space around it, in composed letters (NFC).
///
/// Vietnamese letters have two spellings in Unicode; two systems, or two versions of one, differ in
/// it without anybody seeing a difference. Case and white space inside are left alone: they may mean
/// something.
#[inline]
pub fn normal(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    const COMPOSED: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
    COMPOSED.normalize(text)
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
    use super::{is_name, normal};

    #[test]
    fn composed_and_decomposed_letters_are_one_text() {
        for (written, expected) in [
            (" H41-1\n", "H41-1"),
            ("Tie\u{302}\u{301}p nha\u{323}\u{302}n", "Tiếp nhận"),
            ("Tiếp nhận", "Tiếp nhận"),
            ("\u{a0}Hòa  Bình\u{2003}", "Hòa  Bình"),
            ("HoÀ", "HoÀ"),
            ("", ""),
        ] {
            assert_eq!(normal(written), expected);
        }
    }

    #[test]
    fn names_are_safe_in_urls_labels_and_files() {
        assert!(is_name("portal") && is_name("vp-ubnd") && is_name("lodging_returns2"));
        for bad in ["", "Portal", "2go", "a b", "a/b", "a.b", "é", &"a".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}

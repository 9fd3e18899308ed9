//! Names that look like personal data: the linter that stands before the first decoded byte.
//!
//! What no contract names is never decoded, so the one way in for personal data is a contract or a
//! map that asks for it. Every property and every mapped place is therefore read as words (camelCase,
//! snake_case, with and without Vietnamese marks, run together) and refused if they speak of a
//! person, unless the property is an `identifier` and so kept only as a keyed hash. Images and
//! biometrics are refused even then. A steward who knows better says so with `personal_data: none`
//! and a reason, and the reason is printed wherever the contract is.

mod words;

use crate::model::contract::{PersonalData, Property, PropertyType};
use words::{ABOUT_AN_ACT, ACCEPTED, COUNTS, GENERIC, REFUSED, REFUSED_ALONE};

/// What a name seems to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The name of a person.
    Name,
    /// A telephone number, an e-mail address, an account of a messenger.
    Contact,
    /// Where somebody lives.
    Address,
    /// A picture, or a measurement of a body.
    Biometric,
    /// A number that the state or an insurance gave to a person.
    IdNumber,
    /// A date or place of birth.
    Birth,
    /// A bank account.
    Bank,
}

impl Kind {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Name => "the name of a person",
            Self::Contact => "a telephone number or e-mail address",
            Self::Address => "an address",
            Self::Biometric => "an image or a biometric",
            Self::IdNumber => "a number that identifies a person",
            Self::Birth => "a date or place of birth",
            Self::Bank => "a bank account",
        }
    }
}

/// Checks one property and the place that a source gives it; the message says what to do.
pub fn refusal(name: &str, property: &Property) -> Option<String> {
    told(name, property, look(name)?)
}

/// The same for a place in a source's records: a pointer, a column or a label.
pub fn refusal_at(place: &str, property: &Property) -> Option<String> {
    told(place, property, look_at(place)?)
}

fn told(name: &str, property: &Property, kind: Kind) -> Option<String> {
    let is_hashed = property.kind == PropertyType::Identifier && kind != Kind::Biometric;
    if is_hashed || property.personal_data == Some(PersonalData::None) {
        return None;
    }
    let instead = if kind == Kind::Biometric {
        "leave it out; such data are never read, not even as an identifier"
    } else {
        "leave it out, or make it an identifier, which is kept only as a keyed hash"
    };
    Some(format!(
        "'{name}' looks like {} – {instead}; if it is none, say so with 'personal_data: none' and a 'reason'",
        kind.words()
    ))
}

/// What a place in a record seems to hold: its last name, with the one above if it says too little.
pub fn look_at(place: &str) -> Option<Kind> {
    let mut names = place.rsplit('/').filter(|name| !name.is_empty());
    let last = names.next()?;
    let words = words(last).join(" ");
    match names.next() {
        Some(above) if phrases(GENERIC).any(|name| name == words) => {
            look(&format!("{above} {last}"))
        }
        _ => look(last),
    }
}

/// What a name seems to hold.
pub fn look(name: &str) -> Option<Kind> {
    let words = words(name);
    let all: Vec<&str> = words.iter().map(String::as_str).collect();
    let whole = all.join(" ");
    let alone = |(_, names): &&(Kind, &'static str)| phrases(names).any(|name| name == whole);
    if let Some((kind, _)) = REFUSED_ALONE.iter().find(alone) {
        return Some(*kind);
    }
    if phrases(COUNTS).any(|count| starts(&all, count)) {
        return None;
    }
    let rest = without_accepted(&all);
    let speaks = |(kind, refused): &&(Kind, &'static str)| {
        phrases(refused).any(|phrase| speaks(*kind, &rest, phrase))
    };
    REFUSED.iter().find(speaks).map(|(kind, _)| *kind)
}

fn phrases(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.split(", ")
}

/// Whether a phrase stands in the words, apart or run together, and is not only about an act.
fn speaks(kind: Kind, words: &[&str], phrase: &str) -> bool {
    let parts: Vec<&str> = phrase.split(' ').collect();
    let apart = words.windows(parts.len()).position(|window| window == parts);
    let after = apart.map(|at| at + parts.len()).or_else(|| run_together(words, &parts));
    let Some(after) = after else { return false };
    let is_of_act =
        kind == Kind::Biometric && phrases(ABOUT_AN_ACT).any(|act| starts(&words[after..], act));
    !is_of_act
}

/// The place after a word that several words were run together into: `hoten`, `sodienthoai`.
fn run_together(words: &[&str], parts: &[&str]) -> Option<usize> {
    let whole = parts.concat();
    let is_it = |word: &&str| {
        *word == whole || (whole.len() > 5 && (word.starts_with(&whole) || word.ends_with(&whole)))
    };
    let at = words.iter().position(is_it).filter(|_| parts.len() > 1)?;
    Some(at + 1)
}

fn starts(words: &[&str], phrase: &str) -> bool {
    let parts: Vec<&str> = phrase.split(' ').collect();
    words.starts_with(&parts)
}

/// The words with harmless phrases blanked out.
fn without_accepted<'w>(words: &[&'w str]) -> Vec<&'w str> {
    let mut rest = words.to_vec();
    for phrase in phrases(ACCEPTED) {
        let length = phrase.split(' ').count();
        for at in 0..(rest.len() + 1).saturating_sub(length) {
            if starts(&rest[at..], phrase) {
                rest[at..at + length].fill("");
            }
        }
    }
    rest
}

/// A name as lower-case words without marks: `soDienThoại` is `so dien thoai`, `SoCCCD` is `so cccd`.
pub fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().filter_map(plain).collect();
    let (mut words, mut word) = (Vec::new(), String::new());
    for (i, letter) in letters.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| letters[i]);
        let after = letters.get(i + 1);
        let begins = letter.is_ascii_uppercase()
            && (before.is_some_and(|it| it.is_ascii_lowercase() || it.is_ascii_digit())
                || (before.is_some_and(|it| it.is_ascii_uppercase())
                    && after.is_some_and(char::is_ascii_lowercase)));
        let digits = before.is_some_and(|it| it.is_ascii_digit() != letter.is_ascii_digit());
        if (begins || digits || !letter.is_ascii_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_ascii_alphanumeric() {
            word.push(letter.to_ascii_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// A letter without its Vietnamese marks; nothing for a mark that stands by itself.
fn plain(letter: char) -> Option<char> {
    const MARKED: [(char, &str); 7] = [
        ('a', "àáảãạăằắẳẵặâầấẩẫậ"),
        ('e', "èéẻẽẹêềếểễệ"),
        ('i', "ìíỉĩị"),
        ('o', "òóỏõọôồốổỗộơờớởỡợ"),
        ('u', "ùúủũụưừứửữự"),
        ('y', "ỳýỷỹỵ"),
        ('d', "đ"),
    ];
    if ('\u{300}'..='\u{36f}').contains(&letter) {
        return None;
    }
    if letter.is_ascii() {
        return Some(letter);
    }
    let small = letter.to_lowercase().next().unwrap_or(letter);
    let plain =
        MARKED.iter().find(|(_, marked)| marked.contains(small)).map_or(' ', |(plain, _)| *plain);
    Some(if small == letter { plain } else { plain.to_ascii_uppercase() })
}

#[cfg(test)]
mod tests;

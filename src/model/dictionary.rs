//! Words to small numbers, and back: codes, attribute values and areas as they stand in a row.
//!
//! A number, once given, keeps its word for as long as the store lives, whatever order the lists
//! in the configuration take later. The store keeps the dictionaries; the configuration only adds
//! words to them. Number 0 is never given: it stands for "no value".

use std::collections::{BTreeMap, HashMap};

/// The most words one dictionary may hold; numbers fit 16 bits with room for "no value".
pub const MAX_WORDS: usize = 65_000;

/// One list of words, in the order in which they were first seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionary {
    words: Vec<String>,
    numbers: HashMap<String, u16>,
}

impl Dictionary {
    /// The number of `word`, given now if it is new; `None` when the dictionary is full.
    pub fn intern(&mut self, word: &str) -> Option<u16> {
        if let Some(number) = self.numbers.get(word) {
            return Some(*number);
        }
        if self.words.len() >= MAX_WORDS {
            return None;
        }
        self.words.push(word.to_owned());
        let number = self.words.len() as u16;
        self.numbers.insert(word.to_owned(), number);
        Some(number)
    }

    /// The number of `word`, if it has one.
    pub fn number(&self, word: &str) -> Option<u16> {
        self.numbers.get(word).copied()
    }

    /// The word of `number`; `None` for 0 and for numbers never given.
    pub fn word(&self, number: u16) -> Option<&str> {
        self.words.get(usize::from(number).checked_sub(1)?).map(String::as_str)
    }

    /// How many words there are; the highest number given.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether no word was ever added.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The words from number `after + 1` on, with their numbers.
    pub fn since(&self, after: usize) -> impl Iterator<Item = (u16, &str)> {
        self.words.iter().enumerate().skip(after).map(|(i, word)| (i as u16 + 1, word.as_str()))
    }
}

/// All dictionaries by name: `area`, `list:<list>`, `list:<list>.<attribute>`,
/// `text:<contract>.<property>`.
#[derive(Clone, Debug, Default)]
pub struct Dictionaries {
    by_name: BTreeMap<String, Dictionary>,
}

impl Dictionaries {
    /// The dictionary called `name`, made empty if there is none yet.
    pub fn entry(&mut self, name: &str) -> &mut Dictionary {
        self.by_name.entry(name.to_owned()).or_default()
    }

    /// The dictionary called `name`.
    pub fn get(&self, name: &str) -> Option<&Dictionary> {
        self.by_name.get(name)
    }

    /// Whether every word of `known` has the same number here.
    pub fn continues(&self, known: &Self) -> bool {
        known.iter().all(|(name, known)| {
            let Some(here) = self.get(name) else { return known.is_empty() };
            known.since(0).all(|(number, word)| here.word(number) == Some(word))
        })
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Dictionary)> {
        self.by_name.iter().map(|(name, dictionary)| (name.as_str(), dictionary))
    }
}

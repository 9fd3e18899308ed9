//! Texts that get their numbers when they come in: see [`crate::model::declared`].
//!
//! Numbers are given in memory before the page is folded and written down in its transaction. Should
//! the commit fail, the numbers stay given and are written with the next one: nothing on disk knows
//! them, and nobody else gives any.

use std::sync::Arc;

use rusqlite::{Transaction, params};

use crate::model::declared::dictionary;
use crate::model::dictionary::{Dictionaries, Dictionary};
use crate::model::observation::{Observations, PROVISIONAL};
use crate::model::schema::Schema;

/// The text properties of one contract.
#[derive(Debug, Default)]
pub(super) struct Texts {
    kept: Vec<Kept>,
}

/// One text property.
#[derive(Debug)]
struct Kept {
    slot: usize,
    dictionary: String,
    words: Arc<Dictionary>,
    /// How many words there may be, `other` included.
    limit: usize,
    other: u16,
    /// How many words are on the disk.
    saved: usize,
}

impl Texts {
    /// The texts of a contract; `words` are on the disk already.
    pub(super) fn new(schema: &Schema, words: &Dictionaries) -> Self {
        let kept = schema.fields.iter().enumerate().filter_map(|(slot, field)| {
            let text = field.text.as_ref()?;
            let dictionary = dictionary(&schema.name, &field.name);
            let words = words.get(&dictionary).cloned().unwrap_or_default();
            let (limit, saved) = (usize::from(text.max_values) + 1, words.len());
            Some(Kept { slot, dictionary, words: Arc::new(words), limit, other: text.other, saved })
        });
        Self { kept: kept.collect() }
    }

    /// Gives the page's new texts their numbers; yields how many rows got `other` for want of room.
    pub(super) fn resolve(&mut self, page: &mut Observations) -> u64 {
        let mut crowded = 0;
        for kept in &mut self.kept {
            crowded += kept.resolve(page);
            page.words.push((kept.slot, Arc::clone(&kept.words)));
        }
        crowded
    }

    /// Writes down the numbers given since the last commit.
    pub(super) fn save(&self, transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
        for kept in self.kept.iter().filter(|kept| kept.words.len() > kept.saved) {
            let mut insert =
                transaction.prepare_cached("INSERT INTO dictionary VALUES (?1, ?2, ?3)")?;
            for (number, word) in kept.words.since(kept.saved) {
                insert.execute(params![kept.dictionary, number, word])?;
            }
        }
        Ok(())
    }

    /// Notes that what [`Texts::save`] wrote has been committed.
    pub(super) fn saved(&mut self) {
        self.kept.iter_mut().for_each(|kept| kept.saved = kept.words.len());
    }

    /// The dictionaries by name.
    pub(super) fn dictionaries(&self) -> impl Iterator<Item = (String, Arc<Dictionary>)> {
        self.kept.iter().map(|kept| (kept.dictionary.clone(), Arc::clone(&kept.words)))
    }
}

impl Kept {
    fn resolve(&mut self, page: &mut Observations) -> u64 {
        let Some(unseen) = page.unseen.iter().find(|unseen| unseen.slot == self.slot) else {
            return 0;
        };
        let mut numbers: Vec<Option<u16>> = vec![None; unseen.words.len()];
        let mut crowded = 0;
        for row in page.rows.chunks_exact_mut(page.width.max(1)) {
            let Some(index) = row[self.slot].checked_sub(PROVISIONAL).filter(|index| *index >= 0)
            else {
                continue;
            };
            let index = index as usize;
            let number = *numbers[index].get_or_insert_with(|| self.number(&unseen.words[index]));
            crowded += u64::from(number == self.other);
            row[self.slot] = i64::from(number);
        }
        crowded
    }

    fn number(&mut self, word: &str) -> u16 {
        if let Some(number) = self.words.number(word) {
            return number;
        }
        if self.words.len() >= self.limit {
            return self.other;
        }
        Arc::make_mut(&mut self.words).intern(word).unwrap_or(self.other)
    }
}

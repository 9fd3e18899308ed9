//! Texts that get their numbers when they come in: see [`crate::model::declared`].
//!
//! Whoever folds pages gives the numbers first, one page after the other, because numbers are given in
//! the order of arrival. Pure: who keeps them on a disk does that beside it.

use std::sync::Arc;

use crate::model::declared::dictionary;
use crate::model::dictionary::{Dictionaries, Dictionary};
use crate::model::observation::{Observations, PROVISIONAL};
use crate::model::schema::Schema;

/// The text properties of one contract.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    kept: Vec<Kept>,
}

/// One text property.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The name of its dictionary.
    pub dictionary: String,
    /// Its texts so far.
    pub words: Arc<Dictionary>,
    slot: usize,
    /// How many words there may be, `other` included.
    limit: usize,
    other: u16,
}

impl Texts {
    /// The texts of a contract, as far as they have numbers already.
    pub fn new(schema: &Schema, words: &Dictionaries) -> Self {
        let kept = schema.fields.iter().enumerate().filter_map(|(slot, field)| {
            let text = field.text.as_ref()?;
            let dictionary = dictionary(&schema.name, &field.name);
            let words = Arc::new(words.get(&dictionary).cloned().unwrap_or_default());
            let limit = usize::from(text.max_values) + 1;
            Some(Kept { dictionary, words, slot, limit, other: text.other })
        });
        Self { kept: kept.collect() }
    }

    /// Gives the page's new texts their numbers; yields how many rows got `other` for want of room.
    pub fn resolve(&mut self, page: &mut Observations) -> u64 {
        let mut crowded = 0;
        for kept in &mut self.kept {
            crowded += kept.resolve(page);
            page.words.push((kept.slot, Arc::clone(&kept.words)));
        }
        page.unseen.clear();
        crowded
    }

    /// The text properties.
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// The dictionaries by name.
    pub fn dictionaries(&self) -> impl Iterator<Item = (String, Arc<Dictionary>)> {
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

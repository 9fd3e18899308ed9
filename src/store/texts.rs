//! Texts of a contract and how their numbers get onto the disk.
//!
//! Numbers are given in memory before the page is folded and written down in its transaction. Should
//! the commit fail, the numbers stay given and are written with the next one: nothing on disk knows
//! them, and nobody else gives any.

use std::sync::Arc;

use rusqlite::{Transaction, params};

use crate::fold;
use crate::model::dictionary::{Dictionaries, Dictionary};
use crate::model::observation::Observations;
use crate::model::schema::Schema;

/// The texts of one contract, and how many of each property are on the disk.
#[derive(Debug, Default)]
pub(super) struct Texts {
    texts: fold::Texts,
    saved: Vec<usize>,
}

impl Texts {
    /// The texts of a contract; `words` are on the disk already.
    pub(super) fn new(schema: &Schema, words: &Dictionaries) -> Self {
        let mut texts = Self { texts: fold::Texts::new(schema, words), saved: Vec::new() };
        texts.saved();
        texts
    }

    /// Gives the page's new texts their numbers; yields how many rows got `other` for want of room.
    pub(super) fn resolve(&mut self, page: &mut Observations) -> u64 {
        self.texts.resolve(page)
    }

    /// Writes down the numbers given since the last commit.
    pub(super) fn save(&self, transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
        for (kept, saved) in self.texts.kept().iter().zip(&self.saved) {
            if kept.words.len() == *saved {
                continue;
            }
            let mut insert =
                transaction.prepare_cached("INSERT INTO dictionary VALUES (?1, ?2, ?3)")?;
            for (number, word) in kept.words.since(*saved) {
                insert.execute(params![kept.dictionary, number, word])?;
            }
        }
        Ok(())
    }

    /// Notes that what [`Texts::save`] wrote has been committed.
    pub(super) fn saved(&mut self) {
        self.saved.clear();
        self.saved.extend(self.texts.kept().iter().map(|kept| kept.words.len()));
    }

    /// The dictionaries by name.
    pub(super) fn dictionaries(&self) -> impl Iterator<Item = (String, Arc<Dictionary>)> {
        self.texts.dictionaries()
    }
}

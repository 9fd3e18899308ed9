//! A record of one of the smaller systems: what it means, property by property.
//!
//! The big systems have a type each in the ledger. The small ones are many and alike (a dozen plain
//! columns), so they share this one, named by the words of the domain and not by those of the wire.

use crate::model::time::{Day, Stamp};

/// The value of one property, as meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// There is none.
    Nothing,
    /// A word or a code.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Truth(bool),
    /// A local day.
    Day(Day),
    /// A moment.
    Moment(Stamp),
}

/// One record of a smaller system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What kind of record it is.
    pub contract: &'static str,
    /// Its key, put together of its parts.
    pub key: String,
    /// As sent.
    pub commune_code: u32,
    /// The commune of today that the code belongs to.
    pub commune_today: u32,
    /// The day by which the code is to be understood.
    pub code_day: Day,
    /// The values by property.
    pub cells: Vec<(&'static str, Cell)>,
}

impl Record {
    fn cell(&self, name: &str) -> &Cell {
        let found = self.cells.iter().find(|(of, _)| *of == name).map(|(_, cell)| cell);
        found.unwrap_or(&Cell::Nothing)
    }

    /// A number; 0 where there is none.
    pub fn number(&self, name: &str) -> i64 {
        if let Cell::Number(number) = self.cell(name) { *number } else { 0 }
    }

    /// A word; empty where there is none.
    pub fn text(&self, name: &str) -> &str {
        if let Cell::Text(text) = self.cell(name) { text } else { "" }
    }

    /// Whether it is said to be so.
    pub fn is(&self, name: &str) -> bool {
        matches!(self.cell(name), Cell::Truth(true))
    }

    /// A day, or the one in which a moment lies.
    pub fn day(&self, name: &str) -> Option<Day> {
        match self.cell(name) {
            Cell::Day(day) => Some(*day),
            Cell::Moment(moment) => Some(moment.day()),
            _ => None,
        }
    }

    /// A moment.
    pub fn moment(&self, name: &str) -> Option<Stamp> {
        if let Cell::Moment(moment) = self.cell(name) { Some(*moment) } else { None }
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::Number(number as i64)
    }
}

impl From<u32> for Cell {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Cell {
    fn from(truth: bool) -> Self {
        Self::Truth(truth)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Day> for Cell {
    fn from(day: Day) -> Self {
        Self::Day(day)
    }
}

impl From<Stamp> for Cell {
    fn from(moment: Stamp) -> Self {
        Self::Moment(moment)
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}

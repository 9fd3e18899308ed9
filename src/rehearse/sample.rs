//! Records by property: what a contract says of data before any source sends them.
//!
//! They go through the same decoder and normaliser as wire records, by a map made from the contract:
//! each property stands under its own name, codes are written as the code list's own codes, days as
//! `2025-07-01`, moments as RFC 3339 or `2025-07-01 08:00:00` in local time.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::decode::{DecodeError, Picks, json};
use crate::model::contract::PropertyType;
use crate::model::time::Stamp;
use crate::normalise::{KeyHasher, MapSettings, Normalised, Normaliser, Surroundings};

/// The key of identifiers that are never kept.
const KEY: &[u8] = b"for rehearsals only, never kept";

/// How days and moments may be written, tried in order.
const DAYS: [&str; 1] = ["yyyy-MM-dd"];
const MOMENTS: [&str; 3] = ["rfc3339", "yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd"];

/// Reads records that are written by property.
#[derive(Debug)]
pub struct Sample {
    normaliser: Normaliser,
    picks: Picks,
}

/// A sample, judged.
#[derive(Debug)]
pub struct Passed {
    /// How many records there were.
    pub received: u64,
    /// What became of them.
    pub normalised: Normalised,
}

/// Why a sample cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// No contract of this name.
    #[error("there is no contract '{0}'")]
    UnknownContract(String),
    /// The contract cannot be mapped by its own properties.
    #[error("contract '{contract}' cannot be read by property: {message}")]
    Unmappable {
        /// The contract.
        contract: String,
        /// Why.
        message: String,
    },
    /// The text is not what it should be.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl Sample {
    /// For the records of a contract.
    pub fn of(config: &Config, contract: &str) -> Result<Self, SampleError> {
        let unknown = || SampleError::UnknownContract(contract.to_owned());
        let plan =
            config.plans.iter().find(|plan| plan.schema.name == contract).ok_or_else(unknown)?;
        let written = config.contracts.get(contract).ok_or_else(unknown)?;
        let unmappable =
            |message| SampleError::Unmappable { contract: contract.to_owned(), message };
        let codes = |list: &str| {
            let list = config.lists.get(list).into_iter();
            list.flat_map(|list| list.codes().map(|(_, code)| (code.to_owned(), code.to_owned())))
        };
        let map: BTreeMap<_, _> = written
            .properties
            .iter()
            .map(|(name, property)| {
                let formats: &[&str] = match property.kind {
                    PropertyType::Date => &DAYS,
                    PropertyType::Timestamp => &MOMENTS,
                    _ => &[],
                };
                let settings = MapSettings {
                    at: Some(format!("/{name}")),
                    formats: formats.iter().map(|format| (*format).to_owned()).collect(),
                    values: property.list.iter().flat_map(|list| codes(list)).collect(),
                    ..MapSettings::default()
                };
                (name.clone(), settings)
            })
            .collect();
        let hasher = KeyHasher::new(KEY, contract);
        let normaliser = Normaliser::compile(&plan.schema, &config.areas, &map, hasher)
            .map_err(|problems| unmappable(problems[0].1.clone()))?;
        let picks = Picks::new(Some(""), normaliser.pointers(), &[]).map_err(unmappable)?;
        Ok(Self { normaliser, picks })
    }

    /// Judges a JSON array of records.
    pub fn read(&self, array: &[u8], now: Stamp) -> Result<Passed, SampleError> {
        let decoded = json::decode(array, &self.picks)?;
        let around = Surroundings { now, target: None };
        let received = decoded.records.count as u64;
        Ok(Passed { received, normalised: self.normaliser.page(&decoded.records, around) })
    }

    /// Judges a file: a JSON array of records, or one record a line.
    pub fn read_file(&self, text: &str, now: Stamp) -> Result<Passed, SampleError> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.starts_with('[') {
            return self.read(text.as_bytes(), now);
        }
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        self.read(format!("[{}]", lines.join(",\n")).as_bytes(), now)
    }
}

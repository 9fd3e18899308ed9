//! JSON Schemas (2020-12) of the configuration's files, made from the settings types themselves.
//!
//! An editor that knows the schema completes keys and underlines mistakes while a steward types.
//! Keys, words and descriptions come from the very types that read the files, so there is no second
//! place to keep true. What a schema cannot say (references, formulas) `config check` says.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::written::{AreaFile, Gateway, Indicators, Source, Units};
use crate::model::calendar::Calendars;
use crate::model::contract::Contract;
use crate::serve::{Board, TrackerSettings};

/// A kind of file of the configuration folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// `iocgw.yaml`
    Gateway,
    /// `units.yaml`
    Units,
    /// `areas.yaml`
    Areas,
    /// `calendars.yaml`
    Calendars,
    /// `contracts/*.yaml`
    Contract,
    /// `sources/*.yaml`
    Source,
    /// `indicators/*.yaml`
    Indicators,
    /// `trackers/*.yaml`
    Tracker,
    /// `boards/*.yaml`
    Board,
}

/// The schema of a kind of file.
pub fn of(kind: FileKind) -> Value {
    match kind {
        FileKind::Gateway => of_type::<Gateway>("iocgw.yaml"),
        FileKind::Units => of_type::<Units>("units.yaml"),
        FileKind::Areas => of_type::<AreaFile>("areas.yaml"),
        FileKind::Calendars => of_type::<Calendars>("calendars.yaml"),
        FileKind::Contract => of_type::<Contract>("contracts/*.yaml"),
        FileKind::Source => of_type::<Source>("sources/*.yaml"),
        FileKind::Tracker => of_type::<TrackerSettings>("trackers/*.yaml"),
        FileKind::Board => of_type::<Board>("boards/*.yaml"),
        FileKind::Indicators => of_type::<Indicators>("indicators/*.yaml"),
    }
}

/// The schema of a file that is read into `T`.
pub fn of_type<T: JsonSchema>(title: &str) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}

#[cfg(test)]
mod tests;

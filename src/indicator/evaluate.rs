//! One value with everything that qualifies it, and one value for each part of the whole.
//!
//! Everything is computed from the one snapshot in [`World`], so the parts of an answer belong
//! together: the communes of a breakdown add up to the reading beside it.

use std::collections::{BTreeMap, BTreeSet};

use crate::indicator::catalogue::{Catalogue, ContractFacts, UnitName};
use crate::indicator::definition::{CompletenessKind, Definition};
use crate::indicator::disclosure::Patterns;
use crate::indicator::points::{Found, Question, points};
use crate::indicator::quality;
use crate::indicator::reading::{Accountable, Completeness, Period, Point, Reading};
use crate::indicator::running::running;
use crate::indicator::sum::Slots;
use crate::model::area::Areas;
use crate::model::dictionary::{Dictionaries, Dictionary};
use crate::model::nearest::nearest;
use crate::model::snapshot::Snapshot;
use crate::model::text::Bilingual;
use crate::model::time::Stamp;

/// Everything that a value depends on.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// The one revision that is read.
    pub snapshot: &'a Snapshot,
    /// The definitions.
    pub catalogue: &'a Catalogue,
    /// Territorial units through time.
    pub areas: &'a Areas,
    /// Words of codes and attributes.
    pub words: &'a Dictionaries,
    /// Contracts by name.
    pub contracts: &'a BTreeMap<String, ContractFacts>,
    /// Accountable units by id.
    pub units: &'a BTreeMap<String, UnitName>,
    /// The province's code.
    pub province_code: &'a str,
    /// The present.
    pub now: Stamp,
    /// The codes of today's communes that the reader may read of; everything without a set.
    pub within: Option<&'a BTreeSet<String>>,
    /// What is withheld, where the reader is the public; without it nothing is.
    pub public: Option<&'a Patterns>,
}

/// Where a value is asked for, on today's boundaries; for others see [`crate::indicator::layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The whole province.
    Province,
    /// One of today's communes, by a number in [`Areas::current`].
    Commune(u16),
    /// What happened in the province and in no commune of today: in one that was abolished and whose
    /// successor nobody knows.
    Unplaced,
}

/// The word for [`Place::Unplaced`], where a commune has its code.
pub const UNPLACED: &str = "unplaced";

/// By what the parts of a whole are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By<'a> {
    /// All of today's communes, each once, by code; last what lies in none of them, if anything.
    Commune,
    /// The values of a dimension, province-wide.
    Dimension(&'a str),
}

/// One part of a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The commune's code or the dimension's word; empty for records without a value.
    pub key: String,
    /// The commune's name; a dimension's word again, for its title stands in the code list.
    pub title: String,
    /// The value.
    pub point: Point,
}

/// Why an indicator cannot be broken down as asked; both are the caller's to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BreakdownError {
    /// Its measures share no dimension, or it is a composite.
    #[error("indicator '{indicator}' can only be broken down by commune")]
    OnlyByCommune {
        /// The indicator.
        indicator: String,
    },
    /// Its measures do not share this dimension.
    #[error("indicator '{indicator}' is not kept by '{dimension}' but by {}", known.join(", "))]
    UnknownDimension {
        /// The indicator.
        indicator: String,
        /// What was asked for.
        dimension: String,
        /// What can be asked for, besides `commune`.
        known: Vec<String>,
        /// The known one that is spelled most alike.
        nearest: Option<String>,
    },
}

impl Place {
    /// The slots to sum in, and the column to read.
    pub(super) fn slots(self, areas: &Areas) -> (Slots, Option<usize>) {
        match self {
            Self::Province => (Slots::whole(areas), None),
            Self::Commune(_) | Self::Unplaced => {
                let slots = Slots::communes(areas);
                let column = self.column(areas, &slots);
                (slots, column)
            }
        }
    }

    /// The column among communes; beyond the last one for a number that is none of them.
    pub(super) fn column(self, areas: &Areas, communes: &Slots) -> Option<usize> {
        match self {
            Self::Province => None,
            Self::Commune(number) => Some(areas.position(number).unwrap_or(communes.width())),
            Self::Unplaced => Some(areas.current().len()),
        }
    }

    /// The area's code.
    pub fn code<'a>(self, world: &World<'a>) -> &'a str {
        match self {
            Self::Province => world.province_code,
            Self::Commune(number) => world.areas.get(number).map_or("", |area| &area.code),
            Self::Unplaced => UNPLACED,
        }
    }
}

/// The value of an indicator in one period at one place, with everything that qualifies it.
pub fn value(world: &World<'_>, definition: &Definition, period: &Period, place: Place) -> Reading {
    let (slots, column) = place.slots(world.areas);
    reading(world, definition, period, (&slots, column), place.code(world))
}

/// The reading of one column.
pub(super) fn reading(
    world: &World<'_>,
    definition: &Definition,
    period: &Period,
    (slots, column): (&Slots, Option<usize>),
    area: &str,
) -> Reading {
    let question =
        Question { world, periods: std::slice::from_ref(period), slots, columns: &[column] };
    let found = only(points(question, definition));
    // Who reported says something about whoever there is little of.
    let is_told = world.public.is_none() || definition.completeness == CompletenessKind::Period;
    let is_seen = slots.is_seen(column, world);
    let unit = &definition.accountable.unit;
    let name = world.units.get(unit).map(|unit| unit.name.clone());
    Reading {
        indicator: definition.id.clone(),
        period: period.clone(),
        closed: period.ends() <= world.now,
        area: area.to_owned(),
        freshness: quality::freshness(world, definition),
        completeness: if is_seen && is_told {
            quality::completeness(world, definition, period, (slots, column))
        } else {
            Completeness::of_nothing(definition.completeness.as_str())
        },
        target: quality::target(world, definition, period, found.point.value),
        point: found.point,
        final_at: quality::final_at(world, definition, period),
        running: is_seen.then(|| running(world, definition, period, (slots, column))).flatten(),
        rebuilding: quality::rebuilding(world, definition),
        quarantined: quality::quarantined(world, definition),
        accountable: Accountable {
            unit: unit.clone(),
            name: name.unwrap_or_else(|| Bilingual::same(unit)),
            role: definition.accountable.role.clone(),
        },
        revision: world.snapshot.revision,
        as_of: world.snapshot.at,
    }
}

/// The parts of an indicator in one period: all communes by code, or the values of a dimension that
/// occur in it, by the number of the word.
pub fn breakdown(
    world: &World<'_>,
    definition: &Definition,
    period: &Period,
    by: By<'_>,
) -> Result<Vec<Row>, BreakdownError> {
    match by {
        By::Commune => {
            let slots = Slots::communes(world.areas);
            let found = parts(world, definition, period, &slots);
            let communes = world.areas.current().iter().filter_map(|n| world.areas.get(*n));
            let names = communes.map(|area| (area.code.as_str(), area.name.as_str()));
            let rows = names.map(Some).chain([None]).zip(found);
            Ok(rows
                .filter(|(name, found)| name.is_some() || found.occurs)
                .map(|(name, found)| {
                    let (key, title) = name.unwrap_or((UNPLACED, UNPLACED));
                    Row { key: key.to_owned(), title: title.to_owned(), point: found.point }
                })
                .collect())
        }
        By::Dimension(name) => {
            if !definition.dimensions.iter().any(|dimension| dimension.name == name) {
                return Err(refusal(definition, name));
            }
            let words = definition.words(world, name);
            let slots = Slots::values(world.areas, name, words.map_or(0, Dictionary::len));
            let found = parts(world, definition, period, &slots);
            let rows = found.into_iter().enumerate().filter(|(_, found)| found.occurs);
            let word = |number: usize| words.and_then(|words| words.word(number as u16));
            Ok(rows
                .map(|(number, found)| {
                    let key = word(number).unwrap_or("").to_owned();
                    Row { title: key.clone(), key, point: found.point }
                })
                .collect())
        }
    }
}

fn only(mut found: Vec<Found>) -> Found {
    found.pop().expect("one period and one column give one point")
}

fn parts(world: &World<'_>, definition: &Definition, period: &Period, slots: &Slots) -> Vec<Found> {
    let columns: Vec<_> = (0..slots.width()).map(Some).collect();
    let periods = std::slice::from_ref(period);
    points(Question { world, periods, slots, columns: &columns }, definition)
}

fn refusal(definition: &Definition, dimension: &str) -> BreakdownError {
    let indicator = definition.id.clone();
    let known: Vec<String> =
        definition.dimensions.iter().map(|dimension| dimension.name.clone()).collect();
    if known.is_empty() {
        return BreakdownError::OnlyByCommune { indicator };
    }
    let nearest = nearest(dimension, known.iter().map(String::as_str)).map(str::to_owned);
    BreakdownError::UnknownDimension { indicator, dimension: dimension.to_owned(), known, nearest }
}

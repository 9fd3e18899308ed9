//! `/v1/breaches`: in which ways sources leave their contracts, since when, and who answers for it.
//!
//! Read from the snapshot like every number, so the register fits the figures of the same revision.
//! A breach names a property of our contract and counts records; it shows no value and no field of
//! the source that nobody maps.

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::context::Asked;
use super::error::ApiError;
use super::query::refused;
use super::sources::Unit;
use super::table::Columns;
use crate::model::drift::{Breach, BreachState, Grade, Kind};
use crate::model::time::Stamp;

/// One breach.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Breach")]
pub(super) struct Item<'a> {
    id: u64,
    pub(super) contract: &'a str,
    contract_version: u32,
    pub(super) source: &'a str,
    stream: &'a str,
    pub(super) grade: Grade,
    pub(super) kind: Kind,
    /// Null where the record as a whole is meant, or fields that nobody maps.
    pub(super) property: Option<&'a str>,
    /// Sightings of records with the flaw; for new fields, how many there are.
    pub(super) count: u64,
    state: BreachState,
    pub(super) first_seen_at: Stamp,
    last_seen_at: Stamp,
    repaired_at: Option<Stamp>,
    pub(super) accountable: Unit,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Breaches")]
pub(super) struct List<'a> {
    revision: u64,
    as_of: Stamp,
    items: Vec<Item<'a>>,
}

/// The columns of breaches as a table.
const COLUMNS: Columns = &[
    ("id", "/id"),
    ("contract", "/contract"),
    ("contract_version", "/contract_version"),
    ("source", "/source"),
    ("stream", "/stream"),
    ("grade", "/grade"),
    ("kind", "/kind"),
    ("property", "/property"),
    ("count", "/count"),
    ("state", "/state"),
    ("first_seen_at", "/first_seen_at"),
    ("last_seen_at", "/last_seen_at"),
    ("repaired_at", "/repaired_at"),
    ("accountable_unit", "/accountable/unit"),
    ("revision", "^/revision"),
];

/// `/v1/breaches?source=&unit=&state=&grade=`: open ones first, then the newest first.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let source = query.filter("source");
    let known = asked.context.sources.keys().map(String::as_str);
    if let Some(source) = source.filter(|source| !asked.context.sources.contains_key(*source)) {
        return Err(refused("source", source, known));
    }
    let unit = query.filter("unit");
    let known = asked.definitions.units.keys().map(String::as_str);
    if let Some(unit) = unit.filter(|unit| !asked.definitions.units.contains_key(*unit)) {
        return Err(refused("unit", unit, known));
    }
    let states = [("open", Some(BreachState::Open)), ("repaired", Some(BreachState::Repaired))];
    let state = query.one_of("state", &states, None)?;
    let grades = Grade::ALL.map(|grade| (grade.as_str(), Some(grade)));
    let grade = query.one_of("grade", &grades, None)?;
    let mut breaches: Vec<&Breach> = asked
        .snapshot
        .streams
        .values()
        .flat_map(|stream| &stream.register.breaches)
        .filter(|breach| {
            asked.sees_unit(&breach.accountable_unit)
                && source.is_none_or(|source| breach.source == source)
                && unit.is_none_or(|unit| breach.accountable_unit == unit)
                && state.is_none_or(|state| breach.state == state)
                && grade.is_none_or(|grade| breach.grade == grade)
        })
        .collect();
    breaches.sort_by_key(|breach| {
        (breach.state == BreachState::Repaired, std::cmp::Reverse((breach.first_seen, breach.id)))
    });
    let items = breaches.into_iter().map(|breach| item(asked, breach)).collect();
    let list = List { revision: asked.snapshot.revision, as_of: asked.snapshot.at, items };
    asked.listed(&list, COLUMNS, "breaches")
}

/// Breaches that go on, the breaking ones first, then the oldest first; for the console.
pub(super) fn open<'a>(asked: &'a Asked<'_>) -> Vec<Item<'a>> {
    let streams = asked.snapshot.streams.values();
    let open = streams.flat_map(|stream| stream.register.open());
    let mut breaches: Vec<&Breach> =
        open.filter(|breach| asked.sees_unit(&breach.accountable_unit)).collect();
    breaches.sort_by_key(|b| (std::cmp::Reverse(b.grade), b.first_seen, b.id));
    breaches.into_iter().map(|breach| item(asked, breach)).collect()
}

/// A breach with the name of the unit that answers for it.
pub(super) fn item<'a>(asked: &Asked<'_>, breach: &'a Breach) -> Item<'a> {
    let name = asked.unit_name(&breach.accountable_unit);
    Item {
        id: breach.id,
        contract: &breach.contract,
        contract_version: breach.contract_version,
        source: &breach.source,
        stream: &breach.stream,
        grade: breach.grade,
        kind: breach.kind,
        property: Some(breach.property.as_str()).filter(|property| !property.is_empty()),
        count: breach.count,
        state: breach.state,
        first_seen_at: breach.first_seen,
        last_seen_at: breach.last_seen,
        repaired_at: breach.repaired_at,
        accountable: Unit { id: breach.accountable_unit.clone(), name: name.vi, name_en: name.en },
    }
}

//! `/v1/lateness/spells`: when data were older than their contract allows, for how long, and whose they
//! are. Newest first; the register keeps the newest hundred of each stream.

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::context::Asked;
use super::error::ApiError;
use super::query::refused;
use super::sources::Unit;
use super::table::Columns;
use crate::model::lateness::Spell;
use crate::model::snapshot::StreamState;
use crate::model::time::Stamp;

/// The most spells in one answer.
const LIMIT: usize = 1000;

/// The columns of spells as a table.
const COLUMNS: Columns = &[
    ("source", "/source"),
    ("stream", "/stream"),
    ("contract", "/contract"),
    ("accountable_unit", "/accountable/unit"),
    ("state", "/state"),
    ("began_at", "/began_at"),
    ("ended_at", "/ended_at"),
    ("lasted_seconds", "/lasted_seconds"),
    ("data_through", "/data_through"),
    ("limit_seconds", "/limit_seconds"),
    ("missed_by", "/missed_by"),
    ("noticed_at", "/noticed_at"),
    ("revision", "^/revision"),
];

/// Whether a spell goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SpellState {
    /// The data are still older than allowed.
    Open,
    /// Data that are young enough have come.
    Ended,
}

/// One spell.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Spell")]
pub(super) struct Item<'a> {
    source: &'a str,
    stream: &'a str,
    contract: &'a str,
    state: SpellState,
    /// When the data became older than allowed.
    began_at: Stamp,
    /// When younger data came.
    ended_at: Option<Stamp>,
    /// From its beginning to its end, or to now.
    lasted_seconds: i64,
    /// The time up to which the data went.
    data_through: Stamp,
    limit_seconds: i64,
    /// Why nothing newer was found: `not_there`, or the reason for which the source could not be read.
    missed_by: &'a str,
    noticed_at: Stamp,
    accountable: Unit,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Spells")]
pub(super) struct List<'a> {
    revision: u64,
    as_of: Stamp,
    /// How many of those that match are open.
    open: u64,
    items: Vec<Item<'a>>,
}

/// Every spell of every stream.
pub(super) fn all<'a>(asked: &'a Asked<'_>) -> impl Iterator<Item = (&'a StreamState, &'a Spell)> {
    let streams = asked.snapshot.streams.values();
    let all = streams
        .flat_map(|stream| stream.lateness.spells.iter().map(move |spell| (&**stream, spell)));
    all.filter(|(_, spell)| asked.sees_unit(&spell.accountable_unit))
}

/// `/v1/lateness/spells?unit=&source=&state=&limit=`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let limit = query.count("limit", 100, LIMIT)?;
    let states = [("open", Some(SpellState::Open)), ("ended", Some(SpellState::Ended))];
    let state = query.one_of("state", &states, None)?;
    let (source, unit) = (query.filter("source"), query.filter("unit"));
    let sources = &asked.context.sources;
    if let Some(source) = source.filter(|source| !sources.contains_key(*source)) {
        return Err(refused("source", source, sources.keys().map(String::as_str)));
    }
    let units = &asked.definitions.units;
    if let Some(unit) = unit.filter(|unit| !units.contains_key(*unit)) {
        return Err(refused("unit", unit, units.keys().map(String::as_str)));
    }
    let mut spells: Vec<_> = all(asked)
        .filter(|(stream, spell)| {
            source.is_none_or(|source| stream.source == source)
                && unit.is_none_or(|unit| spell.accountable_unit == unit)
                && state.is_none_or(|state| state == of(spell))
        })
        .collect();
    spells.sort_by_key(|(stream, spell)| {
        (Reverse(spell.began_at), stream.source.clone(), stream.stream.clone())
    });
    let open = spells.iter().filter(|(_, spell)| spell.ended_at.is_none()).count() as u64;
    spells.truncate(limit);
    let items = spells.into_iter().map(|(stream, spell)| item(asked, stream, spell)).collect();
    let (revision, as_of) = (asked.snapshot.revision, asked.snapshot.at);
    asked.listed(&List { revision, as_of, open, items }, COLUMNS, "spells")
}

const fn of(spell: &Spell) -> SpellState {
    if spell.ended_at.is_none() { SpellState::Open } else { SpellState::Ended }
}

fn item<'a>(asked: &Asked<'_>, stream: &'a StreamState, spell: &'a Spell) -> Item<'a> {
    let name = asked.unit_name(&spell.accountable_unit);
    Item {
        source: &stream.source,
        stream: &stream.stream,
        contract: &stream.contract,
        state: of(spell),
        began_at: spell.began_at,
        ended_at: spell.ended_at,
        lasted_seconds: spell.lasted(asked.now),
        data_through: spell.data_through,
        limit_seconds: spell.fresh_within,
        missed_by: &spell.missed_by,
        noticed_at: spell.noticed_at,
        accountable: Unit { id: spell.accountable_unit.clone(), name: name.vi, name_en: name.en },
    }
}

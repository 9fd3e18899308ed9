//! `/v1/units` and `/v1/units/{id}`: what each accountable unit answers for, and how that stands.
//!
//! Reports are counted as they were judged: due are those that were in time, came late or are still
//! missing. Where the gateway itself was not looking nobody knows, and such reports do not count.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::context::Asked;
use super::error::ApiError;
use super::lateness;
use super::number::Number;
use super::query::Query;
use super::sources::{Breaches, Health, State, states};
use super::table::Columns;
use crate::indicator::UnitName;
use crate::indicator::reading::FreshnessState;
use crate::model::drift::Grade;
use crate::model::lateness::ReportState;
use crate::model::nearest::nearest;
use crate::model::time::Stamp;

/// How a unit stands.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UnitCard")]
pub(super) struct Card<'a> {
    unit: &'a str,
    name: &'a str,
    name_en: &'a str,
    /// The position that answers, never a person's name.
    role: &'a str,
    reports: Reports,
    breaches: Breaches,
    /// Sources whose data is older than promised, or that were never heard of.
    stale_sources: Vec<&'a str>,
    answers_for: AnswersFor,
    /// What it answers for, one by one; only when one unit is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<Source<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contracts: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    indicators: Option<Vec<Indicator<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Stamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    links: Links,
}

/// Reports of a unit's sources.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "UnitReports")]
struct Reports {
    /// In time, late and missing together.
    due: u64,
    on_time: u64,
    late: u64,
    missing: u64,
    /// Found in after the gateway itself had not been looking; not among those due.
    unwitnessed: u64,
    /// `on_time` by `due`; null where none was due.
    on_time_ratio: Option<Number>,
    /// By how many begun days those were late that came late; null where none did.
    mean_days_late: Option<Number>,
    /// When the oldest of those that are missing was due.
    missing_since: Option<Stamp>,
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
struct AnswersFor {
    sources: usize,
    contracts: usize,
    indicators: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UnitSource")]
struct Source<'a> {
    source: &'a str,
    title: &'a str,
    title_en: &'a str,
    health: Health,
    reasons: Vec<&'static str>,
    freshness: FreshnessState,
    data_through: Option<Stamp>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UnitIndicator")]
struct Indicator<'a> {
    indicator: &'a str,
    title: &'a str,
    title_en: &'a str,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UnitLinks")]
struct Links {
    #[serde(rename = "self")]
    this: String,
    lateness: String,
    breaches: String,
    catalogue: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Units")]
pub(super) struct List<'a> {
    revision: u64,
    as_of: Stamp,
    items: Vec<Card<'a>>,
}

/// The columns of the cards as a table.
const COLUMNS: Columns = &[
    ("unit", "/unit"),
    ("name", "/name"),
    ("name_en", "/name_en"),
    ("role", "/role"),
    ("reports_due", "/reports/due"),
    ("reports_on_time", "/reports/on_time"),
    ("reports_late", "/reports/late"),
    ("reports_missing", "/reports/missing"),
    ("reports_unwitnessed", "/reports/unwitnessed"),
    ("on_time_ratio", "/reports/on_time_ratio"),
    ("mean_days_late", "/reports/mean_days_late"),
    ("missing_since", "/reports/missing_since"),
    ("breaches_breaking", "/breaches/breaking"),
    ("breaches_additive", "/breaches/additive"),
    ("sources", "/answers_for/sources"),
    ("contracts", "/answers_for/contracts"),
    ("indicators", "/answers_for/indicators"),
    ("revision", "^/revision"),
];

/// `/v1/units?from=&to=`: every unit of the configuration, by id.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let ground = Ground::of(asked, &query)?;
    let units = asked.definitions.units.iter();
    let items = units.map(|(id, unit)| ground.card(asked, id, unit, false)).collect();
    let list = List { revision: asked.snapshot.revision, as_of: asked.snapshot.at, items };
    asked.listed(&list, COLUMNS, "units")
}

/// `/v1/units/{id}?from=&to=`: the scorecard of one unit.
pub(super) fn one(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let id = asked.piece("id");
    let units = &asked.definitions.units;
    let Some((id, unit)) = units.get_key_value(id) else {
        let near = nearest(id, units.keys().map(String::as_str));
        let suggestions = near.into_iter().map(str::to_owned).collect();
        return Err(ApiError::UnknownUnit { id: id.to_owned(), suggestions });
    };
    let query = asked.query()?;
    let mut card = Ground::of(asked, &query)?.card(asked, id, unit, true);
    (card.as_of, card.revision) = (Some(asked.snapshot.at), Some(asked.snapshot.revision));
    Answer::json(&card)
}

/// What the cards of all units are made from.
struct Ground<'a> {
    states: Vec<State<'a>>,
    reports: BTreeMap<&'a str, Reports>,
    breaches: BTreeMap<&'a str, Breaches>,
}

impl<'a> Ground<'a> {
    fn of(asked: &'a Asked<'_>, query: &Query) -> Result<Self, ApiError> {
        let (from, to) = lateness::between(query)?;
        let mut reports: BTreeMap<&str, (Reports, i64)> = BTreeMap::new();
        for (_, report) in lateness::all(asked) {
            if from.is_some_and(|from| report.due_on < from)
                || to.is_some_and(|to| report.due_on >= to)
            {
                continue;
            }
            let (counts, days_late) = reports.entry(&report.accountable_unit).or_default();
            match report.state {
                ReportState::Pending => {}
                ReportState::OnTime if report.is_witnessed => counts.on_time += 1,
                ReportState::OnTime => counts.unwitnessed += 1,
                ReportState::Missing => {
                    counts.missing += 1;
                    let since =
                        counts.missing_since.map_or(report.due_at, |s| s.min(report.due_at));
                    counts.missing_since = Some(since);
                }
                ReportState::Late => {
                    counts.late += 1;
                    *days_late += report.days_late(asked.now).unwrap_or(0);
                }
            }
        }
        let reports = reports.into_iter().map(|(unit, (counts, late))| (unit, counts.whole(late)));
        let mut breaches: BTreeMap<&str, Breaches> = BTreeMap::new();
        let streams = asked.snapshot.streams.values();
        for breach in streams.flat_map(|stream| stream.register.open()) {
            let counts = breaches.entry(&breach.accountable_unit).or_default();
            match breach.grade {
                Grade::Breaking => counts.breaking += 1,
                Grade::Additive => counts.additive += 1,
            }
        }
        Ok(Self { states: states(asked, false), reports: reports.collect(), breaches })
    }

    fn card(
        &self,
        asked: &'a Asked<'_>,
        id: &'a str,
        unit: &'a UnitName,
        is_whole: bool,
    ) -> Card<'a> {
        let own: Vec<&State<'a>> =
            self.states.iter().filter(|state| state.accountable.id == id).collect();
        let contracts = asked.definitions.contracts.iter();
        let contracts: Vec<&str> = contracts
            .filter(|(_, facts)| facts.accountable_unit == id)
            .map(|(name, _)| name.as_str())
            .collect();
        let indicators = asked.definitions.catalogue.iter();
        let indicators: Vec<_> =
            indicators.filter(|each| each.accountable.unit == id).map(indicator).collect();
        let is_stale = |state: &&&State<'_>| state.freshness.state != FreshnessState::Fresh;
        Card {
            unit: id,
            name: &unit.name.vi,
            name_en: &unit.name.en,
            role: &unit.role,
            reports: self.reports.get(id).copied().unwrap_or_default(),
            breaches: self.breaches.get(id).copied().unwrap_or_default(),
            stale_sources: own.iter().filter(is_stale).map(|state| state.source).collect(),
            answers_for: AnswersFor {
                sources: own.len(),
                contracts: contracts.len(),
                indicators: indicators.len(),
            },
            links: Links {
                this: format!("/v1/units/{id}"),
                lateness: format!("/v1/lateness?unit={id}"),
                breaches: format!("/v1/breaches?unit={id}"),
                // The catalogue knows only units that answer for an indicator.
                catalogue: (!indicators.is_empty()).then(|| format!("/v1/catalogue?unit={id}")),
            },
            sources: is_whole.then(|| own.into_iter().map(source).collect()),
            contracts: is_whole.then_some(contracts),
            indicators: is_whole.then_some(indicators),
            as_of: None,
            revision: None,
        }
    }
}

impl Reports {
    /// The same with what follows from the counts.
    fn whole(self, days_late: i64) -> Self {
        let due = self.on_time + self.late + self.missing;
        let ratio = |part: u64| Number((part as f64 / due as f64 * 1e4).round() / 1e4);
        let mean = || Number((days_late as f64 / self.late as f64 * 100.0).round() / 100.0);
        Self {
            due,
            on_time_ratio: (due > 0).then(|| ratio(self.on_time)),
            mean_days_late: (self.late > 0).then(mean),
            ..self
        }
    }
}

fn source<'a>(state: &State<'a>) -> Source<'a> {
    Source {
        source: state.source,
        title: state.title,
        title_en: state.title_en,
        health: state.health,
        reasons: state.reasons.clone(),
        freshness: state.freshness.state,
        data_through: state.freshness.data_through,
    }
}

fn indicator(definition: &crate::indicator::Definition) -> Indicator<'_> {
    Indicator {
        indicator: &definition.id,
        title: &definition.title.vi,
        title_en: &definition.title.en,
    }
}

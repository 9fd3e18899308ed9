//! `/v1/units` and `/v1/units/{id}`: what each accountable unit answers for, and how that stands.
//!
//! Reports are counted as they were judged: due are those that were in time, came late or are still
//! missing. Where the gateway itself was not looking nobody knows, and such reports do not count.
//! Items of trackers count for the unit that leads them.

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
use super::spells;
use super::table::Columns;
use super::trackers::{self, Counts, Item};
use crate::indicator::UnitName;
use crate::indicator::reading::FreshnessState;
use crate::model::drift::Grade;
use crate::model::lateness::ReportState;
use crate::model::nearest::nearest;
use crate::model::time::{Day, Stamp};

/// How a unit stands.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UnitCard")]
pub(super) struct Card<'a> {
    pub(super) unit: &'a str,
    pub(super) name: &'a str,
    pub(super) name_en: &'a str,
    /// The position that answers, never a person's name.
    pub(super) role: &'a str,
    /// The unit that it belongs to, if it is known.
    pub(super) parent: Option<&'a str>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent_name: Option<&'a str>,
    pub(super) reports: Reports,
    /// The items of all trackers that it leads, as they stand today.
    pub(super) items: Counts,
    /// Stretches of time in which data of its sources were older than promised.
    pub(super) spells: SpellCounts,
    pub(super) breaches: Breaches,
    /// Sources whose data is older than promised, or that were never heard of.
    pub(super) stale_sources: Vec<&'a str>,
    pub(super) answers_for: AnswersFor,
    /// What it answers for, one by one; only when one unit is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sources: Option<Vec<Source<'a>>>,
    /// The items that it leads and that are overdue, the longest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) overdue_items: Option<Vec<OverdueItem>>,
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
pub(super) struct Reports {
    /// In time, late and missing together.
    pub(super) due: u64,
    pub(super) on_time: u64,
    pub(super) late: u64,
    pub(super) missing: u64,
    /// Found in after the gateway itself had not been looking; not among those due.
    unwitnessed: u64,
    /// `on_time` by `due`; null where none was due.
    on_time_ratio: Option<Number>,
    /// By how many begun days those were late that came late; null where none did.
    pub(super) mean_days_late: Option<Number>,
    /// When the oldest of those that are missing was due.
    missing_since: Option<Stamp>,
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(super) struct AnswersFor {
    pub(super) sources: usize,
    contracts: usize,
    pub(super) indicators: usize,
}

/// Stretches of time in which data were older than promised.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub(super) struct SpellCounts {
    /// They go on.
    open: u64,
    /// They are over.
    ended: u64,
    /// How long all of them lasted together.
    lasted_seconds: i64,
}

/// An item of a tracker whose day has passed and that is not done.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct OverdueItem {
    pub(super) tracker: String,
    pub(super) item: String,
    pub(super) title: String,
    due: Option<Day>,
    pub(super) days_overdue: i32,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UnitSource")]
pub(super) struct Source<'a> {
    pub(super) source: &'a str,
    pub(super) title: &'a str,
    pub(super) title_en: &'a str,
    pub(super) health: Health,
    reasons: Vec<&'static str>,
    freshness: FreshnessState,
    pub(super) data_through: Option<Stamp>,
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
    page: String,
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
    ("spells_open", "/spells/open"),
    ("spells_ended", "/spells/ended"),
    ("items_led", "/items/total"),
    ("items_done", "/items/done"),
    ("items_overdue", "/items/overdue"),
    ("item_reports_late", "/items/reports_late"),
    ("breaches_breaking", "/breaches/breaking"),
    ("breaches_additive", "/breaches/additive"),
    ("sources", "/answers_for/sources"),
    ("contracts", "/answers_for/contracts"),
    ("indicators", "/answers_for/indicators"),
    ("revision", "^/revision"),
    ("parent", "/parent"),
];

/// `/v1/units?from=&to=`: every unit of the configuration, by id.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let items = cards(asked, &asked.query()?)?;
    let list = List { revision: asked.snapshot.revision, as_of: asked.snapshot.at, items };
    asked.listed(&list, COLUMNS, "units")
}

/// The cards of all units, by id.
pub(super) fn cards<'a>(asked: &'a Asked<'_>, query: &Query) -> Result<Vec<Card<'a>>, ApiError> {
    let ground = Ground::of(asked, query)?;
    let units = asked.definitions.units.iter();
    Ok(units.map(|(id, unit)| ground.card(asked, id, unit, false)).collect())
}

/// `/v1/units/{id}?from=&to=`: the scorecard of one unit.
pub(super) fn one(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    Answer::json(&asked_card(asked, &asked.query()?)?)
}

/// The whole card of the unit that the address names.
pub(super) fn asked_card<'a>(asked: &'a Asked<'_>, query: &Query) -> Result<Card<'a>, ApiError> {
    let id = asked.piece("id");
    let units = &asked.definitions.units;
    let Some((id, unit)) = units.get_key_value(id) else {
        let near = nearest(id, units.keys().map(String::as_str));
        let suggestions = near.into_iter().map(str::to_owned).collect();
        return Err(ApiError::UnknownUnit { id: id.to_owned(), suggestions });
    };
    let mut card = Ground::of(asked, query)?.card(asked, id, unit, true);
    (card.as_of, card.revision) = (Some(asked.snapshot.at), Some(asked.snapshot.revision));
    Ok(card)
}

/// What the cards of all units are made from.
struct Ground<'a> {
    states: Vec<State<'a>>,
    reports: BTreeMap<&'a str, Reports>,
    breaches: BTreeMap<&'a str, Breaches>,
    spells: BTreeMap<&'a str, SpellCounts>,
    /// Every item with its tracker.
    items: Vec<(&'a str, Item)>,
    today: Day,
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
        let mut spells: BTreeMap<&str, SpellCounts> = BTreeMap::new();
        for (_, spell) in spells::all(asked) {
            let counts = spells.entry(&spell.accountable_unit).or_default();
            let is_open = spell.ended_at.is_none();
            counts.open += u64::from(is_open);
            counts.ended += u64::from(!is_open);
            counts.lasted_seconds += spell.lasted(asked.now);
        }
        let today = asked.now.day();
        let trackers = asked.definitions.trackers.iter();
        let items = trackers.flat_map(|(name, tracker)| {
            let items = trackers::standing(asked, tracker, today).into_iter();
            items.map(|item| (name.as_str(), item))
        });
        let (items, reports) = (items.collect(), reports.collect());
        Ok(Self { states: states(asked, false), reports, breaches, spells, items, today })
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
        let led = || self.items.iter().filter(|(_, item)| item.lead.code == id);
        let mut overdue: Vec<OverdueItem> =
            led().filter(|(_, item)| item.is_overdue).map(overdue_item).collect();
        overdue.sort_by_key(|item| std::cmp::Reverse(item.days_overdue));
        let parent = unit.parent.as_ref().and_then(|id| asked.definitions.units.get(id));
        let is_stale = |state: &&&State<'_>| state.freshness.state != FreshnessState::Fresh;
        Card {
            unit: id,
            name: &unit.name.vi,
            name_en: &unit.name.en,
            role: &unit.role,
            parent: unit.parent.as_deref(),
            parent_name: parent.map(|unit| unit.name.vi.as_str()),
            reports: self.reports.get(id).copied().unwrap_or_default(),
            items: Counts::of(led().map(|(_, item)| item), self.today),
            overdue_items: is_whole.then_some(overdue),
            spells: self.spells.get(id).copied().unwrap_or_default(),
            breaches: self.breaches.get(id).copied().unwrap_or_default(),
            stale_sources: own.iter().filter(is_stale).map(|state| state.source).collect(),
            answers_for: AnswersFor {
                sources: own.len(),
                contracts: contracts.len(),
                indicators: indicators.len(),
            },
            links: Links {
                this: asked.link(format_args!("/v1/units/{id}")),
                page: asked.link(format_args!("/units/{id}")),
                lateness: asked.link(format_args!("/v1/lateness?unit={id}")),
                breaches: asked.link(format_args!("/v1/breaches?unit={id}")),
                // The catalogue knows only units that answer for an indicator.
                catalogue: (!indicators.is_empty())
                    .then(|| asked.link(format_args!("/v1/catalogue?unit={id}"))),
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

impl Card<'_> {
    /// How much there is to mend: reports that are missing, items that are overdue, sources that are
    /// old.
    pub(super) fn burden(&self) -> u64 {
        self.reports.missing + self.items.overdue + self.stale_sources.len() as u64
    }
}

fn overdue_item((tracker, item): &(&str, Item)) -> OverdueItem {
    OverdueItem {
        tracker: (*tracker).to_owned(),
        item: item.item.clone(),
        title: item.title.clone(),
        due: item.due,
        days_overdue: item.days_overdue,
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

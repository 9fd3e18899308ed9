//! `/v1/trackers`: registers that are read item by item: models and tasks with who leads, what is due,
//! how far it has come and what it brings about.
//!
//! The items are part of the snapshot, so they fit the indicators beside them. They are told for a day
//! ([`mod@item`]): today, or one in the past by `on=`, from the days that stand in the records. A register
//! is small, so an answer holds all that match; there are no pages.

mod counts;
mod item;
mod settings;

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

pub use settings::{Part, Tracker, TrackerSettings};

pub(super) use counts::{Counts, CountsOf};
pub(super) use item::{Coded, Item, ItemStatus};

use super::answer::Answer;
use super::context::Asked;
use super::envelope::FreshnessOut;
use super::error::ApiError;
use super::number::Number;
use super::period::{day, newest};
use super::query::{Query, refused};
use super::table::Columns;
use crate::indicator::quality::freshness_of;
use crate::indicator::reading::{Freshness, FreshnessState, NoValue, Status};
use crate::indicator::{Place, value};
use crate::model::nearest::nearest;
use crate::model::time::{Day, Stamp};

/// The columns of items as a table.
const COLUMNS: Columns = &[
    ("tracker", "^/tracker"),
    ("on", "^/on"),
    ("item", "/item"),
    ("kind", "/kind/code"),
    ("group", "/group/code"),
    ("title", "/title"),
    ("lead", "/lead/code"),
    ("role", "/role"),
    ("start", "/start"),
    ("started", "/started"),
    ("due", "/due"),
    ("done", "/done"),
    ("status", "/status"),
    ("is_overdue", "/is_overdue"),
    ("days_overdue", "/days_overdue"),
    ("percent", "/percent"),
    ("product", "/product"),
    ("target", "/target"),
    ("actual", "/actual"),
    ("unit", "/unit"),
    ("attainment_ratio", "/attainment_ratio"),
    ("report_due_at", "/report_due_at"),
    ("last_report_at", "/last_report_at"),
    ("report_days_late", "/report_days_late"),
    ("blockers", "/blockers"),
    ("coordinating", "/coordinating"),
    ("revision", "^/revision"),
];

/// The columns of trackers as a table.
const TRACKER_COLUMNS: Columns = &[
    ("tracker", "/tracker"),
    ("title", "/title"),
    ("title_en", "/title_en"),
    ("total", "/counts/total"),
    ("done", "/counts/done"),
    ("in_progress", "/counts/in_progress"),
    ("not_started", "/counts/not_started"),
    ("overdue", "/counts/overdue"),
    ("revision", "^/revision"),
];

/// A tracker as a whole, on a day.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Tracker")]
pub(super) struct Card<'a> {
    tracker: &'a str,
    title: &'a str,
    title_en: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description_en: Option<&'a str>,
    contract: &'a str,
    accountable: Accountable<'a>,
    /// The day for which it is told.
    on: Day,
    counts: Counts,
    /// Items beyond the number that the contract says: they are not here.
    beyond: u64,
    freshness: FreshnessOut,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    by_kind: Vec<CountsOf>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    by_group: Vec<CountsOf>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    by_lead: Vec<CountsOf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Stamp>,
    links: Links,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TrackerAccountable")]
struct Accountable<'a> {
    unit: &'a str,
    name: String,
    name_en: String,
    role: &'a str,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TrackerLinks")]
struct Links {
    #[serde(rename = "self")]
    this: String,
    items: String,
    page: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Trackers")]
pub(super) struct List<'a> {
    revision: u64,
    as_of: Stamp,
    items: Vec<Card<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TrackerItems")]
pub(super) struct Rows<'a> {
    tracker: &'a str,
    on: Day,
    revision: u64,
    as_of: Stamp,
    counts: Counts,
    items: Vec<Item>,
}

/// One item, with the numbers that show what it brings about.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TrackerItemWithEvidence")]
pub(super) struct Whole<'a> {
    tracker: &'a str,
    on: Day,
    revision: u64,
    as_of: Stamp,
    item: Item,
    evidence: Vec<Evidence<'a>>,
}

/// The newest reading of an indicator that shows what an item brings about.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Evidence")]
pub(super) struct Evidence<'a> {
    pub(super) indicator: &'a str,
    pub(super) title: &'a str,
    pub(super) title_en: &'a str,
    pub(super) unit_of_measure: &'a str,
    #[serde(skip)]
    pub(super) decimals: u8,
    pub(super) period: String,
    pub(super) value: Option<Number>,
    pub(super) status: Status,
    pub(super) reason: Option<NoValue>,
    pub(super) freshness: FreshnessState,
    pub(super) data_through: Option<Stamp>,
    link: String,
}

/// `/v1/trackers`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let on = asked.now.day();
    let trackers = asked.definitions.trackers.values();
    let items = trackers.map(|tracker| card(asked, tracker, on, false)).collect();
    let list = List { revision: asked.snapshot.revision, as_of: asked.snapshot.at, items };
    asked.listed(&list, TRACKER_COLUMNS, "trackers")
}

/// `/v1/trackers/{id}?on=`.
pub(super) fn one(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let tracker = known(asked)?;
    let on = asked_day(asked, &asked.query()?)?;
    Answer::json(&card(asked, tracker, on, true))
}

/// `/v1/trackers/{id}/items?on=&kind=&group=&unit=&status=&overdue=`.
pub(super) fn items(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let tracker = known(asked)?;
    let query = asked.query()?;
    let on = asked_day(asked, &query)?;
    let items = matching(asked, tracker, on, &query)?;
    let name = &tracker.settings.tracker;
    let rows = Rows {
        tracker: name,
        on,
        revision: asked.snapshot.revision,
        as_of: asked.snapshot.at,
        counts: Counts::of(&items, on),
        items,
    };
    asked.listed(&rows, COLUMNS, &format!("{name}-items"))
}

/// `/v1/trackers/{id}/items/{item}?on=`.
pub(super) fn item(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let tracker = known(asked)?;
    let on = asked_day(asked, &asked.query()?)?;
    let item = named(asked, tracker, on)?;
    Answer::json(&Whole {
        tracker: &tracker.settings.tracker,
        on,
        revision: asked.snapshot.revision,
        as_of: asked.snapshot.at,
        evidence: evidence(asked, tracker, &item.item),
        item,
    })
}

/// The tracker that the address names.
pub(super) fn known<'a>(asked: &'a Asked<'_>) -> Result<&'a Tracker, ApiError> {
    let (id, trackers) = (asked.piece("id"), &asked.definitions.trackers);
    trackers.get(id).ok_or_else(|| {
        let near = nearest(id, trackers.keys().map(String::as_str));
        let suggestions = near.into_iter().map(str::to_owned).collect();
        ApiError::UnknownTracker { id: id.to_owned(), suggestions }
    })
}

/// The day asked for: today, or one before.
pub(super) fn asked_day(asked: &Asked<'_>, query: &Query) -> Result<Day, ApiError> {
    let today = asked.now.day();
    let Some(text) = query.filter("on") else { return Ok(today) };
    let on = day("on", text)?;
    if on > today {
        return Err(ApiError::NotYet { name: "on".to_owned(), at: on.to_string() });
    }
    Ok(on)
}

/// All items of a tracker as they stand on a day, kind by kind and by code.
pub(super) fn standing(asked: &Asked<'_>, tracker: &Tracker, on: Day) -> Vec<Item> {
    let Some(kept) = asked.snapshot.items.get(&tracker.settings.contract) else {
        return Vec::new();
    };
    let read = |row: &Vec<i64>| item::Row { asked, tracker, row }.item(on);
    let mut items: Vec<Item> = kept.rows.iter().filter_map(read).collect();
    items.sort_by(|a, b| (&a.kind.code, &a.item).cmp(&(&b.kind.code, &b.item)));
    items
}

/// The items that a query's filters let through.
pub(super) fn matching(
    asked: &Asked<'_>,
    tracker: &Tracker,
    on: Day,
    query: &Query,
) -> Result<Vec<Item>, ApiError> {
    let statuses = ItemStatus::ALL.map(|status| (status.as_str(), Some(status)));
    let status = query.one_of("status", &statuses, None)?;
    let overdue = query.one_of("overdue", &[("true", Some(true)), ("false", Some(false))], None)?;
    let unit = query.filter("unit");
    let units = &asked.definitions.units;
    if let Some(unit) = unit.filter(|unit| !units.contains_key(*unit)) {
        return Err(refused("unit", unit, units.keys().map(String::as_str)));
    }
    let mut items = standing(asked, tracker, on);
    for name in ["kind", "group"] {
        let Some(wanted) = query.filter(name) else { continue };
        let code = |item: &Item| match name {
            "kind" => Some(item.kind.code.clone()),
            _ => item.group.as_ref().map(|group| group.code.clone()),
        };
        let mut codes: Vec<String> = items.iter().filter_map(code).collect();
        codes.sort();
        codes.dedup();
        if !codes.iter().any(|code| code == wanted) {
            return Err(refused(name, wanted, codes));
        }
        items.retain(|item| code(item).as_deref() == Some(wanted));
    }
    items.retain(|item| {
        status.is_none_or(|status| item.status == status)
            && overdue.is_none_or(|overdue| item.is_overdue == overdue)
            && unit.is_none_or(|unit| item.has_unit(unit))
    });
    Ok(items)
}

/// The item that the address names.
pub(super) fn named(asked: &Asked<'_>, tracker: &Tracker, on: Day) -> Result<Item, ApiError> {
    let code = asked.piece("item");
    let mut items = standing(asked, tracker, on);
    if let Some(at) = items.iter().position(|item| item.item == code) {
        return Ok(items.swap_remove(at));
    }
    let near = nearest(code, items.iter().map(|item| item.item.as_str()));
    let suggestions = near.into_iter().map(str::to_owned).collect();
    Err(ApiError::UnknownItem { id: code.to_owned(), suggestions })
}

/// The newest readings of what an item brings about.
pub(super) fn evidence<'a>(
    asked: &'a Asked<'_>,
    tracker: &Tracker,
    code: &str,
) -> Vec<Evidence<'a>> {
    let known = tracker.evidence(code).iter();
    let definitions = known.filter_map(|id| asked.definitions.catalogue.get(id));
    let reading = |definition: &'a crate::indicator::Definition| {
        let period = newest(asked, definition);
        let reading = value(&asked.world(), definition, &period, Place::Province);
        Evidence {
            indicator: &definition.id,
            title: &definition.title.vi,
            title_en: &definition.title.en,
            unit_of_measure: &definition.unit_measure,
            decimals: definition.decimals,
            link: asked
                .link(format_args!("/v1/indicators/{}/value?period={}", definition.id, period.id)),
            period: period.id,
            value: reading.point.value.map(Number),
            status: reading.point.status,
            reason: reading.point.reason,
            freshness: reading.freshness.state,
            data_through: reading.freshness.data_through,
        }
    };
    definitions.map(reading).collect()
}

/// How the items of each kind stand.
pub(super) fn by_kind(items: &[Item], on: Day) -> Vec<CountsOf> {
    counts::by(items, on, |item| Some(&item.kind))
}

/// How fresh the register itself is.
pub(super) fn freshness(asked: &Asked<'_>, tracker: &Tracker) -> Freshness {
    freshness_of(&asked.world(), &BTreeSet::from([tracker.settings.contract.clone()]))
}

fn card<'a>(asked: &Asked<'_>, tracker: &'a Tracker, on: Day, is_whole: bool) -> Card<'a> {
    let settings = &tracker.settings;
    let items = standing(asked, tracker, on);
    let by = |code: fn(&Item) -> Option<&Coded>| {
        if is_whole { counts::by(&items, on, code) } else { Vec::new() }
    };
    let name = asked.unit_name(&settings.accountable.unit);
    let description = settings.description.as_ref();
    let kept = asked.snapshot.items.get(&settings.contract);
    Card {
        tracker: &settings.tracker,
        title: &settings.title.vi,
        title_en: &settings.title.en,
        description: description.map(|text| text.vi.as_str()),
        description_en: description.map(|text| text.en.as_str()),
        contract: &settings.contract,
        accountable: Accountable {
            unit: &settings.accountable.unit,
            name: name.vi,
            name_en: name.en,
            role: &settings.accountable.role,
        },
        on,
        counts: Counts::of(&items, on),
        beyond: kept.map_or(0, |items| items.beyond),
        freshness: freshness(asked, tracker).into(),
        by_kind: by(|item| Some(&item.kind)),
        by_group: by(|item| item.group.as_ref()),
        by_lead: by(|item| Some(&item.lead)),
        revision: is_whole.then_some(asked.snapshot.revision),
        as_of: is_whole.then_some(asked.snapshot.at),
        links: Links {
            this: asked.link(format_args!("/v1/trackers/{}", settings.tracker)),
            items: asked.link(format_args!("/v1/trackers/{}/items", settings.tracker)),
            page: asked.link(format_args!("/trackers/{}", settings.tracker)),
        },
    }
}

impl Item {
    /// Whether a unit leads it or takes part in it.
    fn has_unit(&self, unit: &str) -> bool {
        self.lead.code == unit || self.coordinating.iter().any(|other| other.code == unit)
    }
}

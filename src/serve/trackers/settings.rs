//! A tracker as a steward writes it (`trackers/*.yaml`), and checked: which property of which contract
//! is what, and which indicators show what an item brings about.
//!
//! The register itself says who leads, what is due and how far it has come. Which number shows that a
//! model works is nobody's record but a decision, so it stands here: `evidence`, by the item's code.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::indicator::settings::AccountableSettings;
use crate::indicator::{Catalogue, UnitName};
use crate::model::contract::PropertyType;
use crate::model::nearest::nearest;
use crate::model::schema::{At, Schema};
use crate::model::text::{Bilingual, is_name};

/// The most indicators that are evidence of one item.
const MOST_EVIDENCE: usize = 10;

/// One tracker file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrackerSettings {
    /// The tracker's name.
    pub tracker: String,
    /// What people call it.
    pub title: Bilingual,
    /// What is in it, and what is not.
    #[serde(default)]
    pub description: Option<Bilingual>,
    /// The contract whose records are the items; it must be `readable`.
    pub contract: String,
    /// Who answers for the register.
    pub accountable: AccountableSettings,
    /// Which property of the contract is what.
    pub properties: BTreeMap<Part, String>,
    /// By the code of an item: the indicators that show what it brings about.
    #[serde(default)]
    pub evidence: BTreeMap<String, Vec<String>>,
}

/// What a property is in a tracker.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TrackerPart")]
pub enum Part {
    /// What the item is called in addresses: a text.
    Code,
    /// Model or task: a code.
    Kind,
    /// The group it belongs to: a code.
    Group,
    /// Its title: a text.
    Title,
    /// The unit that leads: a code.
    Lead,
    /// The position that answers, never a person's name: a text.
    Role,
    /// A unit that takes part: a code.
    Coordinating,
    /// Another unit that takes part: a code.
    AlsoCoordinating,
    /// How many units take part: a number.
    CoordinatingCount,
    /// Since when it is in the register: a day.
    Listed,
    /// When it is to begin: a day.
    Start,
    /// When it began: a day.
    Started,
    /// When it is due: a day.
    Due,
    /// When it was done: a day.
    Done,
    /// When it was given up: a day.
    Dropped,
    /// How far it has come, in percent: a number.
    Percent,
    /// What comes of it: a text.
    Product,
    /// How much of it there is to be: a number.
    Target,
    /// How much of it there is: a number.
    Actual,
    /// What is counted: a text.
    Unit,
    /// When its report is due: a moment.
    ReportDue,
    /// When its last report came: a moment.
    LastReport,
    /// How many things stand in its way: a number.
    Blockers,
}

impl Part {
    /// Without these there is no item.
    const NEEDED: [Self; 8] = [
        Self::Code,
        Self::Kind,
        Self::Title,
        Self::Lead,
        Self::Started,
        Self::Due,
        Self::Done,
        Self::Percent,
    ];

    /// The word in the configuration.
    const fn word(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Kind => "kind",
            Self::Group => "group",
            Self::Title => "title",
            Self::Lead => "lead",
            Self::Role => "role",
            Self::Coordinating => "coordinating",
            Self::AlsoCoordinating => "also_coordinating",
            Self::CoordinatingCount => "coordinating_count",
            Self::Listed => "listed",
            Self::Start => "start",
            Self::Started => "started",
            Self::Due => "due",
            Self::Done => "done",
            Self::Dropped => "dropped",
            Self::Percent => "percent",
            Self::Product => "product",
            Self::Target => "target",
            Self::Actual => "actual",
            Self::Unit => "unit",
            Self::ReportDue => "report_due",
            Self::LastReport => "last_report",
            Self::Blockers => "blockers",
        }
    }

    const fn kind(self) -> PropertyType {
        match self {
            Self::Code | Self::Title | Self::Role | Self::Product | Self::Unit => {
                PropertyType::Text
            }
            Self::Kind | Self::Group | Self::Lead | Self::Coordinating | Self::AlsoCoordinating => {
                PropertyType::Code
            }
            Self::Listed | Self::Start | Self::Started | Self::Due | Self::Done | Self::Dropped => {
                PropertyType::Date
            }
            Self::ReportDue | Self::LastReport => PropertyType::Timestamp,
            Self::CoordinatingCount
            | Self::Percent
            | Self::Target
            | Self::Actual
            | Self::Blockers => PropertyType::Integer,
        }
    }
}

/// A checked tracker.
#[derive(Clone, Debug)]
pub struct Tracker {
    /// As written.
    pub settings: TrackerSettings,
    /// For each part its slot in a row, and the code list if it is a code.
    pub(in crate::serve) places: BTreeMap<Part, (usize, Option<String>)>,
}

impl Tracker {
    /// Checks a tracker against the schema of its contract, the indicators and the units; problems
    /// with their dotted places.
    pub fn compile(
        settings: TrackerSettings,
        schema: &Schema,
        catalogue: &Catalogue,
        units: &BTreeMap<String, UnitName>,
    ) -> Result<Self, Vec<At>> {
        let mut problems: Vec<At> = Vec::new();
        let mut problem = |at: &str, text: String| problems.push((at.to_owned(), text));
        if !is_name(&settings.tracker) {
            problem("tracker", format!("'{}' is not a plain lower-case name", settings.tracker));
        }
        if schema.readable.is_none() {
            let text = "the records of this contract cannot be read one by one: it must say how many \
                        there are at most, 'readable: 500'";
            problem("contract", text.to_owned());
        }
        let unit = &settings.accountable.unit;
        if !units.contains_key(unit) {
            let hint = hint(unit, units.keys().map(String::as_str));
            problem("accountable.unit", format!("there is no unit '{unit}' in units.yaml{hint}"));
        }
        let absent =
            Part::NEEDED.into_iter().filter(|part| !settings.properties.contains_key(part));
        let absent: Vec<String> = absent.map(|part| format!("'{}'", part.word())).collect();
        if !absent.is_empty() {
            problem("properties", format!("needed besides: {}", absent.join(", ")));
        }
        let mut places = BTreeMap::new();
        for (part, name) in &settings.properties {
            match place(*part, name, schema, units) {
                Ok(place) => _ = places.insert(*part, place),
                Err(text) => problem(&format!("properties.{}", part.word()), text),
            }
        }
        for (code, ids) in &settings.evidence {
            let at = format!("evidence.{code}");
            if ids.len() > MOST_EVIDENCE {
                problem(&at, format!("at most {MOST_EVIDENCE} indicators are evidence of an item"));
            }
            for (i, id) in ids.iter().enumerate().filter(|(_, id)| catalogue.get(id).is_none()) {
                let hint = hint(id, catalogue.iter().map(|known| known.id.as_str()));
                problem(&format!("{at}.{i}"), format!("there is no indicator '{id}'{hint}"));
            }
        }
        if problems.is_empty() { Ok(Self { settings, places }) } else { Err(problems) }
    }

    /// The indicators that show what an item brings about.
    pub(super) fn evidence(&self, code: &str) -> &[String] {
        self.settings.evidence.get(code).map_or(&[], Vec::as_slice)
    }
}

/// The slot of a part, and its code list.
fn place(
    part: Part,
    name: &str,
    schema: &Schema,
    units: &BTreeMap<String, UnitName>,
) -> Result<(usize, Option<String>), String> {
    let names = || schema.fields.iter().map(|field| field.name.as_str());
    let Some(slot) = schema.fields.iter().position(|field| field.name == name) else {
        let contract = &schema.name;
        return Err(format!(
            "contract '{contract}' has no property '{name}'{}",
            hint(name, names())
        ));
    };
    let field = &schema.fields[slot];
    if field.kind != part.kind() || schema.key.contains(&slot) {
        let wanted = format!("{:?}", part.kind()).to_lowercase();
        return Err(format!("'{name}' does not fit: {wanted} is needed, outside the key"));
    }
    let is_unit = matches!(part, Part::Lead | Part::Coordinating | Part::AlsoCoordinating);
    if let Some(list) = field.list.as_ref().filter(|_| is_unit)
        && let Some((_, code)) = list.codes().find(|(_, code)| !units.contains_key(*code))
    {
        return Err(format!(
            "'{code}' of code list '{}' is no unit of units.yaml, so nobody would answer",
            list.name
        ));
    }
    Ok((slot, field.list.as_ref().map(|list| list.name.clone())))
}

/// ` – did you mean 'x'?`, or nothing when no candidate is close.
fn hint<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    nearest(word, known).map_or_else(String::new, |near| format!(" – did you mean '{near}'?"))
}

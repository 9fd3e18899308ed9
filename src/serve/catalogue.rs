//! `/v1`, `/v1/catalogue` and `/v1/indicators/{id}`: what there is to ask for.
//!
//! The catalogue says of each indicator what it means, how it comes about, from which sources, what
//! the target is and who answers for it, so that nobody needs to ask a programmer. Filters look at
//! both languages and pass over case.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::context::Asked;
use super::envelope::{AccountableOut, BaselineOut, FreshnessOut, RebuildingOut};
use super::error::ApiError;
use super::number::Number;
use super::query::{Query, refused};
use super::table::Columns;
use crate::indicator::definition::CompletenessKind;
use crate::indicator::reading::Direction;
use crate::indicator::settings::Kind;
use crate::indicator::target::{self, Thresholds};
use crate::indicator::{Definition, Grain, quality};
use crate::model::nearest::nearest;
use crate::model::time::{Day, Stamp};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TargetFrom")]
struct Target {
    from: Day,
    /// The last day on which it holds, and by which it is to be reached; null if it is to be held.
    until: Option<Day>,
    value: Number,
    baseline: Option<BaselineOut>,
    thresholds: Thresholds,
}

impl Target {
    fn of(target: &target::Target) -> Self {
        Self {
            from: target.from,
            until: target.until,
            value: Number(target.value),
            baseline: target.baseline.map(BaselineOut::of),
            thresholds: target.thresholds,
        }
    }
}

/// The columns of the catalogue as a table.
const COLUMNS: Columns = &[
    ("indicator", "/indicator"),
    ("title", "/title"),
    ("title_en", "/title_en"),
    ("group", "/group"),
    ("kind", "/kind"),
    ("formula", "/formula"),
    ("unit_of_measure", "/unit_of_measure"),
    ("direction", "/direction"),
    ("dimensions", "/dimensions"),
    ("finest_grain", "/finest_grain"),
    ("measures", "/measures"),
    ("sources", "/sources"),
    ("accountable_unit", "/accountable/unit"),
    ("accountable_role", "/accountable/role"),
    ("definition_version", "/definition_version"),
    ("revision", "^/revision"),
];

/// An indicator, without figures.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Indicator")]
pub(super) struct Entry<'a> {
    indicator: &'a str,
    title: &'a str,
    title_en: &'a str,
    description: Option<&'a str>,
    description_en: Option<&'a str>,
    group: &'a str,
    kind: Kind,
    formula: &'a str,
    unit_of_measure: &'a str,
    decimals: u8,
    /// A short hash of all that decides the value.
    definition_version: &'a str,
    direction: Direction,
    targets: Vec<Target>,
    completeness_of: CompletenessKind,
    dimensions: Vec<&'a str>,
    /// The shortest periods that it can be read by.
    finest_grain: &'static str,
    measures: Vec<&'a str>,
    contracts: Vec<&'a str>,
    sources: Vec<&'a str>,
    accountable: AccountableOut,
    /// Measures behind it that are being rebuilt: until then it has no value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rebuilding: Vec<RebuildingOut>,
    /// These three only when one indicator is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    freshness: Option<FreshnessOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Stamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    links: Links,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "IndicatorLinks")]
struct Links {
    #[serde(rename = "self")]
    this: String,
    value: String,
    series: String,
    breakdown: String,
    revisions: String,
    lineage: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Catalogue")]
pub(super) struct List<'a> {
    as_of: Stamp,
    revision: u64,
    config: &'a str,
    items: Vec<Entry<'a>>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Start {
    product: &'static str,
    version: &'static str,
    province: String,
    province_en: String,
    as_of: Stamp,
    revision: u64,
    /// The hash of the configuration in force.
    config: String,
    links: StartLinks,
}

#[derive(Serialize, JsonSchema)]
struct StartLinks {
    catalogue: String,
    alerts: String,
    areas: String,
    boards: String,
    dimensions: String,
    exports: String,
    jobs: String,
    sources: String,
    breaches: String,
    lateness: String,
    map: String,
    spells: String,
    units: String,
    trackers: String,
    quality: String,
    quarantine: String,
    events: String,
    metrics: String,
    prometheus: String,
    openapi: String,
    docs: String,
    console: String,
}

/// `/v1`: links to everything.
pub(super) fn links(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let province = asked.definitions.province.name.clone();
    Answer::json(&Start {
        product: "IOC data-integration gateway",
        version: asked.context.version,
        province: province.vi,
        province_en: province.en,
        as_of: asked.snapshot.at,
        revision: asked.snapshot.revision,
        config: asked.definitions.config.clone(),
        links: StartLinks {
            catalogue: asked.link("/v1/catalogue"),
            alerts: asked.link("/v1/alerts"),
            areas: asked.link("/v1/dimensions/area/values"),
            boards: asked.link("/v1/boards"),
            dimensions: asked.link("/v1/dimensions"),
            exports: asked.link("/v1/exports/readings"),
            jobs: asked.link("/v1/jobs"),
            sources: asked.link("/v1/sources"),
            breaches: asked.link("/v1/breaches"),
            lateness: asked.link("/v1/lateness"),
            map: asked.link("/v1/geo/communes.geojson"),
            spells: asked.link("/v1/lateness/spells"),
            trackers: asked.link("/v1/trackers"),
            quality: asked.link("/v1/quality"),
            units: asked.link("/v1/units"),
            quarantine: asked.link("/v1/quarantine"),
            events: asked.link("/v1/events"),
            metrics: asked.link("/metrics"),
            prometheus: asked.link("/prometheus"),
            openapi: asked.link("/openapi.json"),
            docs: asked.link("/docs"),
            console: asked.link("/"),
        },
    })
}

/// `/v1/catalogue?q=&group=&unit=&source=&as_of=`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let all = || asked.definitions.catalogue.iter();
    let group = one_of(&query, "group", all().map(|each| each.group.as_str()).collect())?;
    let unit = one_of(&query, "unit", all().map(|each| each.accountable.unit.as_str()).collect())?;
    // Only sources that some entry names: others are not told either.
    let sources = all().flat_map(|each| sources_of(asked, each)).collect();
    let source = one_of(&query, "source", sources)?;
    let words = query.filter("q").map(str::to_lowercase);
    let items = all()
        .filter(|each| group.is_none_or(|group| each.group == group))
        .filter(|each| unit.is_none_or(|unit| each.accountable.unit == unit))
        .filter(|each| words.as_deref().is_none_or(|words| speaks_of(each, words)))
        .map(|each| entry(asked, each))
        .filter(|entry| source.is_none_or(|source| entry.sources.contains(&source)))
        .collect();
    let (as_of, revision) = (asked.snapshot.at, asked.snapshot.revision);
    let config = asked.definitions.config.as_str();
    asked.listed(&List { as_of, revision, config, items }, COLUMNS, "catalogue")
}

/// `/v1/indicators/{id}?as_of=`.
pub(super) fn definition(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let definition = asked.definition()?;
    asked.query()?;
    let mut entry = entry(asked, definition);
    entry.freshness = Some(quality::freshness(&asked.world(), definition).into());
    (entry.as_of, entry.revision) = (Some(asked.snapshot.at), Some(asked.snapshot.revision));
    Answer::json(&entry)
}

impl Asked<'_> {
    /// The indicator that the path names.
    pub(super) fn definition(&self) -> Result<&Definition, ApiError> {
        let id = self.piece("id");
        self.definitions.catalogue.get(id).ok_or_else(|| {
            let ids = self.definitions.catalogue.iter().map(|definition| definition.id.as_str());
            let near = nearest(id, ids).map(str::to_owned);
            ApiError::UnknownIndicator {
                id: id.to_owned(),
                suggestions: near.into_iter().collect(),
            }
        })
    }
}

/// One of the known words, if one is asked for.
pub(super) fn one_of<'q>(
    query: &'q Query,
    name: &str,
    known: BTreeSet<&str>,
) -> Result<Option<&'q str>, ApiError> {
    match query.filter(name) {
        Some(value) if !known.contains(value) => Err(refused(name, value, known)),
        other => Ok(other),
    }
}

fn speaks_of(definition: &Definition, words: &str) -> bool {
    let description = definition.description.as_ref();
    [
        Some(definition.id.as_str()),
        Some(definition.title.vi.as_str()),
        Some(definition.title.en.as_str()),
        description.map(|text| text.vi.as_str()),
        description.map(|text| text.en.as_str()),
    ]
    .into_iter()
    .flatten()
    .any(|text| text.to_lowercase().contains(words))
}

fn entry<'a>(asked: &'a Asked<'_>, definition: &'a Definition) -> Entry<'a> {
    let description = definition.description.as_ref();
    let base = asked.link(format_args!("/v1/indicators/{}", definition.id));
    let moment = asked.moment_link("?");
    Entry {
        indicator: &definition.id,
        title: &definition.title.vi,
        title_en: &definition.title.en,
        description: description.map(|text| text.vi.as_str()),
        description_en: description.map(|text| text.en.as_str()),
        group: &definition.group,
        kind: definition.kind,
        formula: &definition.formula,
        unit_of_measure: &definition.unit_measure,
        decimals: definition.decimals,
        definition_version: &definition.version,
        direction: definition.direction,
        targets: definition.targets.iter().map(Target::of).collect(),
        completeness_of: definition.completeness,
        dimensions: definition.dimensions.iter().map(|dimension| dimension.name.as_str()).collect(),
        finest_grain: if definition.is_hourly() { Grain::Hour } else { Grain::Day }.as_str(),
        measures: definition.measures.iter().map(String::as_str).collect(),
        contracts: definition.contracts.iter().map(String::as_str).collect(),
        sources: sources_of(asked, definition),
        accountable: AccountableOut::of(asked, definition),
        rebuilding: quality::rebuilding(&asked.world(), definition)
            .into_iter()
            .map(RebuildingOut::from)
            .collect(),
        freshness: None,
        as_of: None,
        revision: None,
        links: Links {
            value: format!("{base}/value{moment}"),
            series: format!("{base}/series{moment}"),
            breakdown: format!("{base}/breakdown{moment}"),
            revisions: format!("{base}/revisions"),
            lineage: format!("{base}/lineage{moment}"),
            this: format!("{base}{moment}"),
        },
    }
}

/// The sources with a stream that keeps one of the indicator's contracts, as known at the moment of
/// the answer: the configuration of today says nothing about the sources of then.
fn sources_of<'a>(asked: &'a Asked<'_>, definition: &Definition) -> Vec<&'a str> {
    let streams = asked.snapshot.streams.values();
    let feeding = streams.filter(|stream| definition.contracts.contains(&stream.contract));
    let names: BTreeSet<&str> = feeding.map(|stream| stream.source.as_str()).collect();
    names.into_iter().collect()
}

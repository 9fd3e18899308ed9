//! What stands around every number: which indicator, period and area, how settled, fresh and
//! complete it is, against which target, and who answers for it.
//!
//! One shape for tile, series and breakdown, so that a reader who has handled one has handled all.
//! Built from a [`Reading`], which already holds all of it: nothing is added here but names.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::context::Asked;
use super::filter::{self, Conditions, conditions};
use super::number::Number;
use super::past::written;
use super::place::{AreaOut, Boundaries};
use crate::indicator::Definition;
use crate::indicator::reading::{
    Carried, Completeness, Direction, Freshness, FreshnessState, NoValue, Period, Reading, Running,
    Status, TargetReading, TargetStatus,
};
use crate::indicator::target::Baseline;
use crate::model::snapshot::Rebuilding;
use crate::model::time::{Day, Stamp};

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Period")]
pub(super) struct PeriodOut {
    id: String,
    start: Stamp,
    end: Stamp,
    closed: bool,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Target")]
pub(super) struct TargetOut {
    status: TargetStatus,
    direction: Direction,
    value: Option<Number>,
    /// Since when it holds.
    from: Option<Day>,
    /// The last day on which it holds, and by which it is to be reached; null if it is to be held.
    until: Option<Day>,
    baseline: Option<BaselineOut>,
    /// What is expected on the day of the value: the target, or as much of the way from the baseline
    /// as time has passed.
    expected: Option<Number>,
    /// How far the value is beyond what is expected; negative is short of it, in either direction.
    gap: Option<Number>,
    attainment_ratio: Option<Number>,
    /// What is left by the days that are left, in `pace_unit`; 0 when nothing is left, null when no
    /// day is or none was set.
    pace_needed: Option<Number>,
    /// What `pace_needed` counts; null where nothing is to be reached by a day.
    pace_unit: Option<String>,
}

/// Where the way to a target began.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Baseline")]
pub(super) struct BaselineOut {
    on: Day,
    value: Number,
}

impl BaselineOut {
    pub(super) fn of(baseline: Baseline) -> Self {
        Self { on: baseline.on, value: Number(baseline.value) }
    }
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Freshness")]
pub(super) struct FreshnessOut {
    state: FreshnessState,
    last_success_at: Option<Stamp>,
    data_through: Option<Stamp>,
    age_seconds: Option<i64>,
    limit_seconds: i64,
    late_sources: Vec<String>,
    /// Left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    paused_sources: Vec<String>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Completeness")]
pub(super) struct CompletenessOut {
    ratio: Option<Number>,
    expected: Number,
    reported: Number,
    of: String,
    missing: Vec<String>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Quality {
    quarantined: u64,
}

/// Who answers for a number: a body and a position.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Accountable")]
pub(super) struct AccountableOut {
    pub(super) unit: String,
    pub(super) name: String,
    pub(super) name_en: String,
    pub(super) role: String,
}

/// Where to go on from here.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReadingLinks")]
pub(super) struct Links {
    #[serde(rename = "self")]
    pub(super) this: String,
    pub(super) value: String,
    pub(super) series: String,
    pub(super) breakdown: String,
    pub(super) revisions: String,
    pub(super) lineage: String,
    pub(super) definition: String,
}

impl AccountableOut {
    /// Who answers for an indicator.
    pub(super) fn of(asked: &Asked<'_>, definition: &Definition) -> Self {
        let name = asked.unit_name(&definition.accountable.unit);
        Self {
            unit: definition.accountable.unit.clone(),
            name: name.vi,
            name_en: name.en,
            role: definition.accountable.role.clone(),
        }
    }
}

impl PeriodOut {
    pub(super) fn new(period: &Period, closed: bool) -> Self {
        let (start, end) = (period.starts(), period.ends());
        Self { id: period.id.clone(), start, end, closed }
    }
}

impl TargetOut {
    fn new(target: &TargetReading, unit_measure: &str) -> Self {
        Self {
            status: target.status,
            direction: target.direction,
            value: target.value.map(Number),
            from: target.from,
            until: target.until,
            baseline: target.baseline.map(BaselineOut::of),
            expected: target.expected.map(Number),
            gap: target.gap.map(Number),
            attainment_ratio: target.attainment_ratio.map(Number),
            pace_needed: target.pace_needed.map(Number),
            pace_unit: target.until.map(|_| format!("{unit_measure} per day")),
        }
    }
}

impl From<Freshness> for FreshnessOut {
    fn from(freshness: Freshness) -> Self {
        Self {
            state: freshness.state,
            last_success_at: freshness.last_success_at,
            data_through: freshness.data_through,
            age_seconds: freshness.age_seconds.map(|age| age.max(0)),
            limit_seconds: freshness.limit_seconds,
            late_sources: freshness.late_sources,
            paused_sources: freshness.paused_sources,
        }
    }
}

impl From<Completeness> for CompletenessOut {
    fn from(completeness: Completeness) -> Self {
        Self {
            ratio: completeness.ratio.map(Number),
            expected: Number(completeness.expected),
            reported: Number(completeness.reported),
            of: completeness.of,
            missing: completeness.missing,
        }
    }
}

/// What a running total is over.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Running")]
pub(super) struct RunningOut {
    /// The first day that counts.
    since: Day,
    /// The last day that is counted; null while nothing is.
    through: Option<Day>,
    /// Days between them of which nobody knows; with one of them a value is never final.
    gap_days: u32,
    /// These days; at most fifty ranges.
    gaps: Vec<Gap>,
}

/// Days from the first to the last, both of them too.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Gap {
    first: Day,
    last: Day,
}

impl From<Running> for RunningOut {
    fn from(running: Running) -> Self {
        let gaps = running.gaps.into_iter().map(|(first, last)| Gap { first, last }).collect();
        Self { since: running.since, through: running.through, gap_days: running.gap_days, gaps }
    }
}

/// How far the rebuilding of a measure has come.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Rebuilding")]
pub(super) struct RebuildingOut {
    measure: String,
    done: u64,
    total: u64,
}

impl From<(String, Rebuilding)> for RebuildingOut {
    fn from((measure, at): (String, Rebuilding)) -> Self {
        Self { measure, done: at.done, total: at.total }
    }
}

/// An earlier period beside the one asked for.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Comparison {
    pub(super) period: String,
    pub(super) value: Option<Number>,
    pub(super) status: Status,
    pub(super) reason: Option<NoValue>,
    pub(super) change: Option<Number>,
    pub(super) change_ratio: Option<Number>,
    pub(super) elapsed_matched: bool,
}

/// A row of an answer that has none.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) enum NoRows {}

/// A whole answer about an indicator, in the order in which it is written; `R` is a row.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ReadingOf{R}")]
pub(super) struct Envelope<R> {
    indicator: String,
    title: String,
    title_en: String,
    unit_of_measure: String,
    period: PeriodOut,
    area: AreaOut,
    boundaries: Boundaries,
    /// To which records the figure was narrowed, by dimension; left out where it was not.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    filter: Conditions,
    value: Option<Number>,
    numerator: Option<Number>,
    denominator: Option<Number>,
    status: Status,
    reason: Option<NoValue>,
    /// Of a composite: components of which the last earlier value stands in for a missing one; left out where
    /// there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    carried: Vec<Carried>,
    /// When the value becomes final, or did, by a calendar of publication; left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    final_at: Option<Stamp>,
    /// What a running total is over; left out of other kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<RunningOut>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rebuilding: Vec<RebuildingOut>,
    target: TargetOut,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) previous: Option<Comparison>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) year_ago: Option<Comparison>,
    freshness: FreshnessOut,
    completeness: CompletenessOut,
    quality: Quality,
    accountable: AccountableOut,
    as_of: Stamp,
    revision: u64,
    definition_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grain: Option<&'static str>,
    /// The first day of the first bucket of a series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<Day>,
    /// The first day after its last bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<Day>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<Vec<R>>,
    links: Links,
}

impl<R> Envelope<R> {
    pub(super) fn new(
        asked: &Asked<'_>,
        definition: &Definition,
        reading: Reading,
        (area, boundaries): (AreaOut, Boundaries),
    ) -> Self {
        let point = &reading.point;
        Self {
            indicator: definition.id.clone(),
            title: definition.title.vi.clone(),
            title_en: definition.title.en.clone(),
            unit_of_measure: definition.unit_measure.clone(),
            links: Links::new(asked, definition, &reading.period.id, (&area, boundaries)),
            period: PeriodOut::new(&reading.period, reading.closed),
            area,
            boundaries,
            filter: conditions(definition),
            value: point.value.map(Number),
            numerator: point.numerator.map(Number),
            denominator: point.denominator.map(Number),
            status: point.status,
            reason: point.reason,
            carried: point.carried.clone(),
            final_at: reading.final_at,
            running: reading.running.map(RunningOut::from),
            rebuilding: reading.rebuilding.into_iter().map(RebuildingOut::from).collect(),
            target: TargetOut::new(&reading.target, &definition.unit_measure),
            previous: None,
            year_ago: None,
            freshness: reading.freshness.into(),
            completeness: reading.completeness.into(),
            quality: Quality { quarantined: reading.quarantined },
            accountable: AccountableOut {
                unit: reading.accountable.unit,
                name: reading.accountable.name.vi,
                name_en: reading.accountable.name.en,
                role: reading.accountable.role,
            },
            as_of: reading.as_of,
            revision: reading.revision,
            definition_version: definition.version.clone(),
            by: None,
            grain: None,
            from: None,
            to: None,
            items: None,
        }
    }
}

impl Links {
    /// Links of an indicator, each for the same period, area, boundaries and moment as far as it
    /// takes them.
    fn new(
        asked: &Asked<'_>,
        definition: &Definition,
        period: &str,
        (area, boundaries): (&AreaOut, Boundaries),
    ) -> Self {
        let base = asked.link(format_args!("/v1/indicators/{}", definition.id));
        let area = super::place::link(area);
        let filter = filter::link(&conditions(definition));
        let rest = format!("{filter}{}{}", boundaries.link(), asked.moment_link("&"));
        // What was learned since: to a moment in the past the address of revisions says it itself.
        let since =
            asked.as_of.map_or_else(String::new, |at| format!("&learned_from={}", written(at)));
        Self {
            this: asked.request.path_and_query().to_owned(),
            value: format!("{base}/value?period={period}&area={area}{rest}"),
            series: format!("{base}/series?grain=day&period={period}&area={area}{rest}"),
            breakdown: format!("{base}/breakdown?by=commune&period={period}{rest}"),
            revisions: format!(
                "{base}/revisions?period={period}&area={area}{}{since}",
                boundaries.link()
            ),
            lineage: format!("{base}/lineage{}", asked.moment_link("?")),
            definition: format!("{base}{}", asked.moment_link("?")),
        }
    }
}

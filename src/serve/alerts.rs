//! `/v1/alerts`: which figures of the province need somebody's attention, and whose.
//!
//! A figure is short of its target by the thresholds of the target itself, and its data are late by the limit
//! of their contract; only what is enough of what was expected is said here. One row for each rule that an indicator breaks, worst first. They are states, not events: whoever
//! wants to be told uses events or webhooks, and what concerns the gateway itself is for Prometheus.

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::catalogue::one_of;
use super::context::Asked;
use super::error::ApiError;
use super::number::Number;
use super::period::{named_period, settled_month};
use super::table::Columns;
use crate::indicator::reading::{FreshnessState, NoValue, Reading, TargetStatus};
use crate::indicator::{Definition, Place, value};
use crate::model::time::Stamp;

/// From here on a share of what was expected is enough.
const COMPLETE: f64 = 0.9;

/// The rules as parameters, worst first.
pub(super) const RULES: [&str; 5] = ["off_track", "stale", "missing", "incomplete", "at_risk"];

/// A rule that a figure breaks, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AlertRule")]
enum Rule {
    /// Short of the target by more than its thresholds allow.
    OffTrack,
    /// A source behind it is beyond the limit of its contract, or never reported.
    Stale,
    /// There is no value; `reason` says why.
    Missing,
    /// Less than nine tenths of what is expected has come in.
    Incomplete,
    /// Short of the target by little.
    AtRisk,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "AlertSeverity")]
enum Severity {
    /// A target is missed by much.
    Critical,
    /// Anything else.
    Warning,
}

/// The columns of alerts as a table.
const COLUMNS: Columns = &[
    ("alert", "/alert"),
    ("rule", "/rule"),
    ("severity", "/severity"),
    ("indicator", "/indicator"),
    ("title", "/title"),
    ("title_en", "/title_en"),
    ("period", "/period"),
    ("value", "/value"),
    ("unit_of_measure", "/unit_of_measure"),
    ("reason", "/reason"),
    ("target", "/target"),
    ("expected", "/expected"),
    ("gap", "/gap"),
    ("freshness", "/freshness"),
    ("data_through", "/data_through"),
    ("late_sources", "/late_sources"),
    ("completeness_ratio", "/completeness_ratio"),
    ("accountable_unit", "/accountable_unit"),
    ("accountable_name", "/accountable_name"),
    ("accountable_role", "/accountable_role"),
    ("revision", "^/revision"),
];

/// A rule that an indicator breaks, with what there is to know about it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Alert")]
struct Alert<'a> {
    /// The rule and the indicator: the same for as long as it lasts.
    alert: String,
    rule: Rule,
    severity: Severity,
    indicator: &'a str,
    title: &'a str,
    title_en: &'a str,
    group: &'a str,
    period: String,
    value: Option<Number>,
    unit_of_measure: &'a str,
    reason: Option<NoValue>,
    target: Option<Number>,
    /// What the target expects by the end of the period, or by now.
    expected: Option<Number>,
    /// How far the value is beyond what is expected; negative is short of it.
    gap: Option<Number>,
    freshness: FreshnessState,
    data_through: Option<Stamp>,
    late_sources: Vec<String>,
    completeness_ratio: Option<Number>,
    accountable_unit: &'a str,
    accountable_name: String,
    accountable_role: &'a str,
    /// The reading with everything that qualifies it.
    link: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Alerts")]
pub(super) struct List<'a> {
    as_of: Stamp,
    revision: u64,
    /// How many indicators were looked at.
    indicators: usize,
    items: Vec<Alert<'a>>,
}

/// `/v1/alerts?period=&rule=&group=&unit=&as_of=`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let all = || asked.definitions.catalogue.iter();
    let group = one_of(&query, "group", all().map(|each| each.group.as_str()).collect())?;
    let unit = one_of(&query, "unit", all().map(|each| each.accountable.unit.as_str()).collect())?;
    let rules = [Rule::OffTrack, Rule::Stale, Rule::Missing, Rule::Incomplete, Rule::AtRisk];
    let words: Vec<_> = RULES.into_iter().zip(rules.map(Some)).collect();
    let rule = query.one_of("rule", &words, None)?;
    let settled = settled_month(asked).id;
    let period = query.get("period").unwrap_or(&settled);
    let chosen = all()
        .filter(|each| group.is_none_or(|group| each.group == group))
        .filter(|each| unit.is_none_or(|unit| each.accountable.unit == unit));
    let (mut items, mut indicators) = (Vec::new(), 0);
    for definition in chosen {
        let period = named_period(asked, definition, period)?;
        let reading = value(&asked.world(), definition, &period, Place::Province);
        indicators += 1;
        let broken = broken(&reading).filter(|broken| rule.is_none_or(|rule| rule == *broken));
        items.extend(broken.map(|rule| Alert::new(asked, definition, rule, &reading)));
    }
    items.sort_by_key(|alert| alert.rule);
    let (as_of, revision) = (asked.as_of.unwrap_or(asked.snapshot.at), asked.snapshot.revision);
    asked.listed(&List { as_of, revision, indicators, items }, COLUMNS, "alerts")
}

/// The rules that a reading breaks. Who may not read the province does not come here.
fn broken(reading: &Reading) -> impl Iterator<Item = Rule> + use<> {
    let status = reading.target.status;
    let ratio = reading.completeness.ratio;
    let rules = [
        (status == TargetStatus::OffTrack, Rule::OffTrack),
        (reading.freshness.state != FreshnessState::Fresh, Rule::Stale),
        (reading.point.value.is_none(), Rule::Missing),
        (ratio.is_some_and(|ratio| ratio < COMPLETE), Rule::Incomplete),
        (status == TargetStatus::AtRisk, Rule::AtRisk),
    ];
    rules.into_iter().filter(|(holds, _)| *holds).map(|(_, rule)| rule)
}

impl Rule {
    const fn as_str(self) -> &'static str {
        RULES[self as usize]
    }

    fn severity(self) -> Severity {
        if self == Self::OffTrack { Severity::Critical } else { Severity::Warning }
    }
}

impl<'a> Alert<'a> {
    fn new(asked: &Asked<'_>, definition: &'a Definition, rule: Rule, reading: &Reading) -> Self {
        let (id, period) = (&definition.id, reading.period.id.clone());
        let moment = asked.moment_link("&");
        Self {
            alert: format!("{}:{id}", rule.as_str()),
            rule,
            severity: rule.severity(),
            indicator: id,
            title: &definition.title.vi,
            title_en: &definition.title.en,
            group: &definition.group,
            value: reading.point.value.map(Number),
            unit_of_measure: &definition.unit_measure,
            reason: reading.point.reason,
            target: reading.target.value.map(Number),
            expected: reading.target.expected.map(Number),
            gap: reading.target.gap.map(Number),
            freshness: reading.freshness.state,
            data_through: reading.freshness.data_through,
            late_sources: reading.freshness.late_sources.clone(),
            completeness_ratio: reading.completeness.ratio.map(Number),
            accountable_unit: &definition.accountable.unit,
            accountable_name: asked.unit_name(&definition.accountable.unit).vi,
            accountable_role: &definition.accountable.role,
            link: asked.link(format_args!("/v1/indicators/{id}/value?period={period}{moment}")),
            period,
        }
    }
}

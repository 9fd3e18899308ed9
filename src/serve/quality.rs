//! `/v1/quality`: four scores of each source's data: correct, complete, clean, live.
//!
//! They are the four words by which the ministry asks for data (*đúng, đủ, sạch, sống*), each with a
//! formula that anybody can check, and none is mixed into another:
//!
//! - `correct` (đúng): records that kept their contract, of those received in the kept runs of all
//!   streams.
//! - `complete` (đủ): the least completeness, on the last day that is covered, of the indicators that
//!   are made of this source's contracts alone and know what to expect; without one, reports that came
//!   of reports that were due; else nobody can tell.
//! - `clean` (sạch): records without a failed warning and without an unknown code, of all ever
//!   received.
//! - `live` (sống): streams within their contract's limit of age, of all streams.
//!
//! A score is null where nothing was there to judge, never 0 or 1 instead. There is no score of
//! scores: a mean would hide exactly what is wrong.

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::context::{Asked, SourceFacts};
use super::error::ApiError;
use super::number::Number;
use super::sources::unknown_source;
use super::table::Columns;
use crate::indicator::definition::CompletenessKind;
use crate::indicator::quality::{extent, freshness_of};
use crate::indicator::reading::{Completeness, FreshnessState};
use crate::indicator::{Definition, Period, Place, value};
use crate::model::lateness::ReportState;
use crate::model::snapshot::StreamState;
use crate::model::time::Stamp;

/// A share with what it is of.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Score {
    /// 0 to 1; null where nothing was there to judge.
    pub(super) ratio: Option<Number>,
    /// Above the line.
    part: Number,
    /// Below the line.
    of: Number,
}

/// How complete a source's data are, and by what that is told.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct CompleteScore {
    /// 0 to 1; null where nobody can tell.
    pub(super) ratio: Option<Number>,
    part: Number,
    of: Number,
    /// `indicator`, `reports`, or `nothing`.
    by: &'static str,
    indicator: Option<String>,
    period: Option<String>,
    /// Codes of communes from which something is missing, for an indicator.
    missing: Vec<String>,
}

/// The four scores of a source.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SourceQuality")]
pub(super) struct Scores<'a> {
    source: &'a str,
    title: &'a str,
    title_en: &'a str,
    accountable_unit: &'a str,
    /// Đúng: records that kept their contract.
    pub(super) correct: Score,
    /// Đủ: how much came of what should have come.
    pub(super) complete: CompleteScore,
    /// Sạch: records without a warning and without an unknown code.
    pub(super) clean: Score,
    /// Sống: streams whose data is as young as their contract asks.
    pub(super) live: Score,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Quality")]
pub(super) struct List<'a> {
    revision: u64,
    as_of: Stamp,
    items: Vec<Scores<'a>>,
}

/// The columns of scores as a table.
const COLUMNS: Columns = &[
    ("source", "/source"),
    ("title", "/title"),
    ("accountable_unit", "/accountable_unit"),
    ("correct_ratio", "/correct/ratio"),
    ("complete_ratio", "/complete/ratio"),
    ("complete_by", "/complete/by"),
    ("clean_ratio", "/clean/ratio"),
    ("live_ratio", "/live/ratio"),
    ("revision", "^/revision"),
];

/// `/v1/quality`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let sources = asked.context.sources.iter();
    let items = sources.map(|(name, facts)| scores(asked, name, facts)).collect();
    let list = List { revision: asked.snapshot.revision, as_of: asked.snapshot.at, items };
    asked.listed(&list, COLUMNS, "quality")
}

/// `/v1/sources/{id}/quality`.
pub(super) fn one(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let id = asked.piece("id");
    let Some((name, facts)) = asked.context.sources.get_key_value(id) else {
        return Err(unknown_source(asked.context, id));
    };
    asked.query()?;
    Answer::json(&scores(asked, name, facts))
}

fn scores<'a>(asked: &Asked<'_>, name: &'a str, facts: &'a SourceFacts) -> Scores<'a> {
    let of = |stream: &super::StreamFacts| {
        asked.snapshot.streams.get(&format!("{name}.{}", stream.name)).map(AsRef::as_ref)
    };
    let streams: Vec<&StreamState> = facts.streams.iter().filter_map(of).collect();
    Scores {
        source: name,
        title: &facts.title.vi,
        title_en: &facts.title.en,
        accountable_unit: &facts.accountable_unit,
        correct: correct(&streams),
        complete: complete(asked, facts, &streams),
        clean: clean(&streams),
        live: live(asked, facts, &streams),
    }
}

impl Score {
    fn new(part: u64, of: u64) -> Self {
        let part = part.min(of);
        let ratio = (of > 0).then(|| Number(part as f64 / of as f64));
        Self { ratio, part: Number(part as f64), of: Number(of as f64) }
    }
}

fn correct(streams: &[&StreamState]) -> Score {
    let runs = streams.iter().flat_map(|stream| &stream.runs);
    let (mut kept, mut received) = (0, 0);
    for run in runs {
        received += run.records.received;
        kept += run.records.accepted + run.records.superseded + run.records.duplicate;
    }
    Score::new(kept, received)
}

fn clean(streams: &[&StreamState]) -> Score {
    let (mut flawed, mut received) = (0, 0);
    for stream in streams {
        received += stream.total.received;
        flawed += stream.register.warnings.values().sum::<u64>();
        flawed += stream.register.unknown_codes.values().sum::<u64>();
    }
    Score::new(received.saturating_sub(flawed), received)
}

fn live(asked: &Asked<'_>, facts: &SourceFacts, streams: &[&StreamState]) -> Score {
    let is_fresh = |stream: &&&StreamState| {
        let limit = asked.definitions.contracts.get(&stream.contract);
        let limit = limit.map_or(0, |contract| contract.fresh_within.as_seconds());
        stream.data_through.is_some_and(|through| asked.now.0 - through.0 <= limit)
    };
    Score::new(streams.iter().filter(is_fresh).count() as u64, facts.streams.len() as u64)
}

fn complete(asked: &Asked<'_>, facts: &SourceFacts, streams: &[&StreamState]) -> CompleteScore {
    let told = asked.definitions.catalogue.iter().filter(|each| knows(each, facts));
    let told = told.filter_map(|definition| on_the_last_day(asked, definition));
    let worst = told
        .min_by(|(_, _, a), (_, _, b)| a.ratio.unwrap_or(1.0).total_cmp(&b.ratio.unwrap_or(1.0)));
    if let Some((id, period, found)) = worst {
        return CompleteScore {
            ratio: found.ratio.map(Number),
            part: Number(found.reported),
            of: Number(found.expected),
            by: "indicator",
            indicator: Some(id),
            period: Some(period),
            missing: found.missing,
        };
    }
    let count = |state: ReportState| -> u64 {
        streams.iter().map(|stream| stream.lateness.count(state)).sum()
    };
    let came = count(ReportState::OnTime) + count(ReportState::Late);
    let score = Score::new(came, came + count(ReportState::Missing));
    CompleteScore {
        by: if score.ratio.is_some() { "reports" } else { "nothing" },
        ratio: score.ratio,
        part: score.part,
        of: score.of,
        indicator: None,
        period: None,
        missing: Vec::new(),
    }
}

/// Whether an indicator is made of a source's contracts alone and knows what to expect.
fn knows(definition: &Definition, facts: &SourceFacts) -> bool {
    let is_own =
        |contract: &String| facts.streams.iter().any(|stream| stream.contract == *contract);
    definition.completeness != CompletenessKind::Period
        && definition.components().next().is_none()
        && definition.contracts.iter().all(is_own)
}

/// The completeness of an indicator on the last day that is covered; nothing where nothing was expected.
fn on_the_last_day(
    asked: &Asked<'_>,
    definition: &Definition,
) -> Option<(String, String, Completeness)> {
    let world = asked.world();
    if freshness_of(&world, &definition.contracts).state == FreshnessState::NeverReported {
        return None;
    }
    let extent = extent(&world, definition);
    let period = Period::parse("latest_closed", asked.now.day(), extent).ok()?;
    let found = value(&world, definition, &period, Place::Province).completeness;
    found.ratio.is_some().then(|| (definition.id.clone(), period.id, found))
}

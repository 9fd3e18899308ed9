//! `/v1/indicators/{id}/revisions`: what changed in a published figure, when it was learned, and why.
//!
//! The days (`period`, `from`, `to`) say *which* figures; `learned_from` and `learned_to` say between
//! which two moments of knowledge they are compared. Without them: since the stretch was over, or for
//! a week if it is not, up to now. Unchanged figures are left out and counted. The journal is read in
//! slices of days, so that a long time of learning does not need much memory at once.

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::context::{Asked, NoVintage, Vintage};
use super::envelope::AccountableOut;
use super::error::{ApiError, ParameterError};
use super::format::Format;
use super::number::Number;
use super::past::{moment_of, refusal, vintage};
use super::period::{POINTS, Stretch, asked_stretch};
use super::place::{Boundaries, asked_area, layout_by, layout_of, title};
use super::query::Query;
use super::series::{asked_level, level_word};
use super::table::Columns;
use crate::indicator::reading::{NoValue, Status};
use crate::indicator::revisions::{Change, Lesson, Moment, Revision, Traces, revisions as compare};
use crate::indicator::{Definition, Layout, Level, Point};
use crate::model::revision::Cause;
use crate::model::time::{DAY, Day, Stamp};

/// How many changes an answer has without being told.
const USUAL: usize = 1000;

/// How far back an open stretch is compared without being told.
const WEEK: i64 = 7 * DAY;

/// How much of the journal is read at once, in seconds of learning.
const SLICE: i64 = 7 * DAY;

/// What a figure was or is.
#[derive(Debug, Serialize, JsonSchema)]
struct Figure {
    value: Option<Number>,
    numerator: Option<Number>,
    denominator: Option<Number>,
    status: Status,
    reason: Option<NoValue>,
}

/// One changed figure.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RevisionItem")]
pub(super) struct Item {
    /// The first moment of the bucket.
    bucket: Stamp,
    pub(super) period: String,
    #[serde(skip)]
    pub(super) first: Day,
    /// The commune's code, as reported with its list; null for the province.
    commune: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    district: Option<String>,
    title: Option<String>,
    pub(super) change: Change,
    /// What was known at `learned_from`; null where there was no such figure at all.
    old: Option<Figure>,
    /// What is known at `learned_to`.
    new: Option<Figure>,
    pub(super) causes: Vec<Cause>,
    /// The first and the last commit that changed it; null where only the sources reached further
    /// or a definition changed.
    first_learned_at: Option<Stamp>,
    pub(super) last_learned_at: Option<Stamp>,
    first_revision: Option<u64>,
    last_revision: Option<u64>,
}

/// What was known at one of the two moments.
#[derive(Debug, Serialize, JsonSchema)]
struct Known {
    as_of: Stamp,
    revision: u64,
    definition_version: Option<String>,
    config: String,
}

#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "RevisionCounts")]
struct Counts {
    added: usize,
    removed: usize,
    revised: usize,
    reflagged: usize,
    unchanged: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Revisions")]
pub(super) struct Body<'a> {
    indicator: &'a str,
    title: &'a str,
    title_en: &'a str,
    unit_of_measure: &'a str,
    grain: &'static str,
    from: Day,
    to: Day,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    area: Option<String>,
    boundaries: Boundaries,
    learned_from: Stamp,
    learned_to: Stamp,
    old: Known,
    new: Known,
    accountable: AccountableOut,
    counts: Counts,
    truncated: bool,
    items: Vec<Item>,
    links: Links,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RevisionLinks")]
struct Links {
    #[serde(rename = "self")]
    this: String,
    definition: String,
}

/// The columns of revisions as a table.
const OF_COMMUNES: Columns = &columns(("commune", "/commune"));
const OF_DISTRICTS: Columns = &columns(("district", "/district"));

const fn columns(place: (&'static str, &'static str)) -> [(&'static str, &'static str); 15] {
    [
        ("indicator", "^/indicator"),
        ("bucket", "/bucket"),
        ("grain", "^/grain"),
        place,
        ("change", "/change"),
        ("old_value", "/old/value"),
        ("new_value", "/new/value"),
        ("old_status", "/old/status"),
        ("new_status", "/new/status"),
        ("causes", "/causes"),
        ("first_learned_at", "/first_learned_at"),
        ("last_learned_at", "/last_learned_at"),
        ("first_revision", "/first_revision"),
        ("last_revision", "/last_revision"),
        ("accountable_unit", "^/accountable/unit"),
    ]
}

/// `…/revisions?grain=&from=&to=&period=&last=&by=&area=&boundaries=&learned_from=&learned_to=&limit=&format=`.
pub(super) fn revisions(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let at = moment_of(&query, "learned_to")?;
    let for_good = at.is_some() && query.get("learned_from").is_some();
    // The second that is running may still bring a commit, so "now" is the one before.
    let at = at.unwrap_or(Stamp(asked.context.clock.now().0 - 1));
    let vintage = vintage(asked.context, "learned_to", at)?;
    let answer = answer(&Asked::then(asked.request, asked.context, vintage, at), &query)?;
    Ok(if for_good { answer.for_good() } else { answer })
}

fn answer(asked: &Asked<'_>, query: &Query) -> Result<Answer, ApiError> {
    let definition = asked.definition()?;
    let usual = if asked.request.format(query)? == Format::Json { USUAL } else { POINTS };
    let limit = query.count("limit", usual, POINTS)?;
    let stretch = asked_stretch(asked, definition, query)?;
    stretch.check(1)?;
    let (vintage, from) = earlier(asked, query, &stretch)?;
    let then = Asked::then(asked.request, asked.context, vintage, from);
    let found = Comparison::of(asked, &then, definition, (query, &stretch))?;
    let level = asked_level(query)?;
    let (area, boundaries) = asked_area(asked, query)?;
    let unit = level.unwrap_or_else(|| area.level());
    let mut items: Vec<Item> =
        found.revisions.into_iter().map(|revision| item(revision, unit)).collect();
    let counts = counts(&items, found.unchanged);
    let truncated = items.len() > limit;
    items.truncate(limit);
    let body = Body {
        indicator: &definition.id,
        title: &definition.title.vi,
        title_en: &definition.title.en,
        unit_of_measure: &definition.unit_measure,
        grain: stretch.grain.as_str(),
        from: stretch.first,
        to: stretch.end,
        by: level.map(level_word),
        area: query.get("area").map(str::to_owned),
        boundaries,
        learned_from: from,
        learned_to: asked.now,
        old: known(&then, &definition.id),
        new: known(asked, &definition.id),
        accountable: AccountableOut::of(asked, definition),
        counts,
        truncated,
        items,
        links: Links {
            this: asked.request.path_and_query().to_owned(),
            definition: asked.link(format_args!("/v1/indicators/{}", definition.id)),
        },
    };
    let columns = if unit == Level::District { OF_DISTRICTS } else { OF_COMMUNES };
    asked.listed(&body, columns, &format!("{}-revisions", definition.id))
}

/// The earlier moment of knowledge and what was known at it.
fn earlier(
    asked: &Asked<'_>,
    query: &Query,
    stretch: &Stretch,
) -> Result<(Vintage, Stamp), ApiError> {
    let upto = asked.now;
    if let Some(at) = moment_of(query, "learned_from")? {
        if at >= upto {
            let reason = format!("must name a moment before {upto}, to which it is compared");
            return Err(ParameterError::new("learned_from", reason).into());
        }
        return Ok((vintage(asked.context, "learned_from", at)?, at));
    }
    // The last second of the last day: of old days that is the one that the journal keeps.
    let over = Stamp(stretch.end.start().0 - 1);
    let at = if over < upto { over } else { Stamp(upto.0 - WEEK) };
    usual(asked, at)
}

/// What was known at a moment that nobody asked for by name: the nearest there is.
fn usual(asked: &Asked<'_>, at: Stamp) -> Result<(Vintage, Stamp), ApiError> {
    let vintages = &asked.context.vintages;
    let known = |at: Stamp| vintages.at(at).map(|vintage| (vintage, at));
    match known(at) {
        Err(NoVintage::Before(near) | NoVintage::Compacted(near)) => known(near),
        other => other,
    }
    .map_err(|error| refusal("learned_from", at, error))
}

/// Everything that differs.
pub(super) struct Comparison {
    revisions: Vec<Revision>,
    unchanged: usize,
}

impl Comparison {
    fn of(
        asked: &Asked<'_>,
        then: &Asked<'_>,
        definition: &Definition,
        (query, stretch): (&Query, &Stretch),
    ) -> Result<Self, ApiError> {
        let layout = layout(asked, query, stretch)?;
        stretch.check_size(layout.size())?;
        // An area that did not exist then had no figure.
        let earlier_layout = layout_then(then, query, stretch);
        let worlds = (then.world(), asked.world());
        let mut traces = Traces::new(&worlds.1, definition, &layout);
        for measure in traces.measures() {
            learn(asked, then, &measure, &mut traces)?;
        }
        traces.settle();
        let old = Moment {
            world: &worlds.0,
            definition: then.definitions.catalogue.get(&definition.id),
            layout: &earlier_layout,
        };
        let new = Moment { world: &worlds.1, definition: Some(definition), layout: &layout };
        let (revisions, unchanged) = compare(old, new, &traces);
        Ok(Self { revisions, unchanged })
    }
}

fn layout(asked: &Asked<'_>, query: &Query, stretch: &Stretch) -> Result<Layout, ApiError> {
    let (area, boundaries) = asked_area(asked, query)?;
    match asked_level(query)? {
        Some(level) => layout_by(asked, &stretch.periods(), (level, boundaries)),
        None => Ok(layout_of(asked, &stretch.periods(), &area)),
    }
}

fn layout_then(then: &Asked<'_>, query: &Query, stretch: &Stretch) -> Layout {
    layout(then, query, stretch)
        .unwrap_or_else(|_| Layout::today(&then.definitions.areas, &stretch.periods(), &[]))
}

/// Feeds the traces with all that was learned about a measure between two moments.
fn learn(
    asked: &Asked<'_>,
    then: &Asked<'_>,
    measure: &str,
    traces: &mut Traces,
) -> Result<(), ApiError> {
    let world = asked.world();
    let revisions = then.snapshot.revision + 1..=asked.snapshot.revision;
    let (mut after, last) = (then.now, asked.now);
    while after < last {
        // A slice ends with a day, of which the journal always keeps the end.
        let upto = Stamp(Stamp(after.0 + SLICE).day().start().0 - 1).min(last);
        let learned = asked.context.vintages.learned(measure, after, upto);
        let learned = learned.map_err(|error| refusal("learned_from", then.now, error))?;
        for commit in learned.iter().filter(|commit| revisions.contains(&commit.revision)) {
            let (at, revision, cause) = (commit.at, commit.revision, commit.cause);
            traces.learn(&world, Lesson { measure, at, revision, cause, changes: &commit.changes });
        }
        after = upto;
    }
    Ok(())
}

/// The changes of the last days of the province's figure, for a page of the console; `None` where
/// the journal does not reach back at all.
pub(super) fn recent(
    asked: &Asked<'_>,
    definition: &Definition,
    stretch: &Stretch,
) -> Result<Option<(Stamp, Vec<Item>)>, ApiError> {
    let upto = asked.as_of.unwrap_or(Stamp(asked.context.clock.now().0 - 1));
    let later = match asked.context.vintages.at(upto) {
        Err(NoVintage::Before(_)) => return Ok(None),
        other => other.map_err(|error| refusal("as_of", upto, error))?,
    };
    let (vintage, from) = usual(asked, Stamp(upto.0 - WEEK))?;
    if from >= upto {
        return Ok(None);
    }
    let now = Asked::then(asked.request, asked.context, later, upto);
    let then = Asked::then(asked.request, asked.context, vintage, from);
    let query = Query::read("", &[])?;
    let definition = now.definitions.catalogue.get(&definition.id).unwrap_or(definition);
    let found = Comparison::of(&now, &then, definition, (&query, stretch))?;
    let items = found.revisions.into_iter().map(|revision| item(revision, Level::Commune));
    Ok(Some((from, items.collect())))
}

fn known(asked: &Asked<'_>, id: &str) -> Known {
    Known {
        as_of: asked.snapshot.at,
        revision: asked.snapshot.revision,
        definition_version: asked.definitions.catalogue.get(id).map(|found| found.version.clone()),
        config: asked.definitions.config.clone(),
    }
}

fn counts(items: &[Item], unchanged: usize) -> Counts {
    let count = |change| items.iter().filter(|item| item.change == change).count();
    Counts {
        added: count(Change::Added),
        removed: count(Change::Removed),
        revised: count(Change::Revised),
        reflagged: count(Change::Reflagged),
        unchanged,
    }
}

fn item(revision: Revision, level: Level) -> Item {
    let (commune, district) = match level {
        Level::Commune => (revision.key, None),
        Level::District => (None, revision.key),
    };
    let (first, last) = revision.evidence.learned.unzip();
    Item {
        bucket: revision.period.starts(),
        first: revision.period.first,
        period: revision.period.id,
        title: (!revision.title.is_empty()).then(|| title(&revision.title).vi),
        commune,
        district,
        change: revision.change,
        old: revision.old.as_ref().map(figure),
        new: revision.new.as_ref().map(figure),
        causes: revision.evidence.causes.into_iter().collect(),
        first_learned_at: first.map(|(at, _)| at),
        last_learned_at: last.map(|(at, _)| at),
        first_revision: first.map(|(_, revision)| revision),
        last_revision: last.map(|(_, revision)| revision),
    }
}

fn figure(point: &Point) -> Figure {
    Figure {
        value: point.value.map(Number),
        numerator: point.numerator.map(Number),
        denominator: point.denominator.map(Number),
        status: point.status,
        reason: point.reason,
    }
}

impl Item {
    /// The value before and after.
    pub(super) fn values(&self) -> (Option<f64>, Option<f64>) {
        let value = |figure: &Option<Figure>| figure.as_ref().and_then(|found| found.value);
        (value(&self.old).map(|value| value.0), value(&self.new).map(|value| value.0))
    }

    /// The status before and after; missing where there was no figure.
    pub(super) fn statuses(&self) -> (Status, Status) {
        let status = |figure: &Option<Figure>| {
            figure.as_ref().map_or(Status::Missing, |figure| figure.status)
        };
        (status(&self.old), status(&self.new))
    }
}

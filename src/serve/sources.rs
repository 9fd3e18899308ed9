//! `/v1/sources` and `/v1/sources/{id}`: how each remote system fares, and whose it is.
//!
//! Health is one word, the worst of what is wrong, with the reasons beside it. A source is as fresh
//! as its stalest stream. The console shows the same [`State`], so that page and API cannot disagree.

use serde::Serialize;

use super::answer::Answer;
use super::context::{Asked, SourceFacts, StreamFacts};
use super::error::ApiError;
use super::query::Query;
use crate::indicator::reading::FreshnessState;
use crate::model::nearest::nearest;
use crate::model::snapshot::{Conservation, Refused, RunLine, StreamState, Trouble};
use crate::model::time::Stamp;

/// How a source fares, in one word, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Health {
    /// Nothing is wrong.
    Healthy,
    /// Something is wrong, but its numbers are still good.
    Warning,
    /// Its numbers are old.
    Degraded,
    /// It has never been heard of.
    Unknown,
}

/// A source with everything that is known of it.
#[derive(Debug, Serialize)]
pub(super) struct State<'a> {
    pub(super) source: &'a str,
    pub(super) title: &'a str,
    pub(super) title_en: &'a str,
    pub(super) kind: &'a str,
    pub(super) health: Health,
    pub(super) reasons: Vec<&'static str>,
    pub(super) accountable: Unit,
    pub(super) freshness: Freshness,
    pub(super) last_attempt_at: Option<Stamp>,
    pub(super) next_run_at: Option<Stamp>,
    pub(super) last_error: Option<Trouble>,
    pub(super) targets: Option<Targets>,
    pub(super) records: Conservation,
    pub(super) quarantine: Quarantine,
    pub(super) streams: Vec<Stream<'a>>,
    /// Of the answer as a whole; in a list it stands beside the items.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Stamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    links: Links,
}

/// One stream of a source.
#[derive(Debug, Serialize)]
pub(super) struct Stream<'a> {
    #[serde(rename = "stream")]
    pub(super) name: &'a str,
    contract: &'a str,
    freshness: Freshness,
    last_attempt_at: Option<Stamp>,
    next_run_at: Option<Stamp>,
    last_error: Option<Trouble>,
    targets: Option<Targets>,
    records: Conservation,
    quarantine: Quarantine,
    /// When vanished records were last noticed.
    reconciled_at: Option<Stamp>,
    /// The full pass that was refused, until one is not.
    reconcile_refused: Option<Refused>,
    /// The last runs, oldest first; only when one source is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) history: Option<Vec<RunLine>>,
}

/// The unit that answers for a source.
#[derive(Debug, Serialize)]
pub(super) struct Unit {
    #[serde(rename = "unit")]
    id: String,
    pub(super) name: String,
    pub(super) name_en: String,
}

/// Both clocks of a source or stream.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Freshness {
    pub(super) state: FreshnessState,
    pub(super) last_success_at: Option<Stamp>,
    pub(super) data_through: Option<Stamp>,
    age_seconds: Option<i64>,
    limit_seconds: Option<i64>,
}

/// Targets of a fleet that answered last time.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Targets {
    pub(super) answered: u64,
    pub(super) all: u64,
}

/// Records in quarantine, and when the oldest of them came.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Quarantine {
    pub(super) records: u64,
    oldest_at: Option<Stamp>,
}

#[derive(Debug, Serialize)]
struct Links {
    #[serde(rename = "self")]
    this: String,
    quarantine: String,
}

#[derive(Serialize)]
struct List<'a> {
    revision: u64,
    as_of: Stamp,
    items: Vec<State<'a>>,
}

/// `/v1/sources`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    Query::read(asked.request.query_string(), &[])?;
    let items = states(asked, false);
    Answer::json(&List { revision: asked.snapshot.revision, as_of: asked.snapshot.at, items })
}

/// `/v1/sources/{id}`, with the history of runs.
pub(super) fn one(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let id = asked.piece("id");
    let Some((name, facts)) = asked.context.sources.get_key_value(id) else {
        let near = nearest(id, asked.context.sources.keys().map(String::as_str));
        let suggestions = near.into_iter().map(str::to_owned).collect();
        return Err(ApiError::UnknownSource { id: id.to_owned(), suggestions });
    };
    Query::read(asked.request.query_string(), &[])?;
    let mut state = state(asked, name, facts, true);
    (state.as_of, state.revision) = (Some(asked.snapshot.at), Some(asked.snapshot.revision));
    Answer::json(&state)
}

/// All sources by name.
pub(super) fn states<'a>(asked: &Asked<'a>, history: bool) -> Vec<State<'a>> {
    let sources = asked.context.sources.iter();
    sources.map(|(name, facts)| state(asked, name, facts, history)).collect()
}

fn state<'a>(asked: &Asked<'a>, name: &'a str, facts: &'a SourceFacts, history: bool) -> State<'a> {
    let streams: Vec<Stream<'a>> =
        facts.streams.iter().map(|each| stream(asked, name, each, history)).collect();
    let mut records = Conservation::default();
    for stream in &streams {
        records.add(&stream.records);
    }
    let freshness = stalest(&streams);
    let last_error =
        streams.iter().filter_map(|stream| stream.last_error.clone()).max_by_key(|e| e.count);
    let quarantine = Quarantine {
        records: streams.iter().map(|s| s.quarantine.records).sum(),
        oldest_at: streams.iter().filter_map(|s| s.quarantine.oldest_at).min(),
    };
    let targets = streams
        .iter()
        .filter_map(|stream| stream.targets)
        .reduce(|a, b| Targets { answered: a.answered + b.answered, all: a.all + b.all });
    let (health, reasons) = health(&freshness, last_error.is_some(), targets, &records, quarantine);
    let unit = asked.unit_name(&facts.accountable_unit);
    State {
        source: name,
        title: &facts.title.vi,
        title_en: &facts.title.en,
        kind: &facts.source_kind,
        health,
        reasons,
        accountable: Unit { id: facts.accountable_unit.clone(), name: unit.vi, name_en: unit.en },
        freshness,
        last_attempt_at: streams.iter().filter_map(|stream| stream.last_attempt_at).max(),
        next_run_at: streams.iter().filter_map(|stream| stream.next_run_at).min(),
        last_error,
        targets,
        records,
        quarantine,
        streams,
        as_of: None,
        revision: None,
        links: Links {
            this: format!("/v1/sources/{name}"),
            quarantine: format!("/v1/quarantine?source={name}"),
        },
    }
}

fn stream<'a>(
    asked: &Asked<'a>,
    source: &str,
    facts: &'a StreamFacts,
    history: bool,
) -> Stream<'a> {
    let never = StreamState::default();
    let known = asked.snapshot.streams.get(&format!("{source}.{}", facts.name));
    let known = known.map_or(&never, AsRef::as_ref);
    let limit = asked.definitions.contracts.get(&facts.contract);
    let limit = limit.map(|contract| contract.fresh_within.as_seconds());
    let age = known.data_through.map(|through| (asked.now.0 - through.0).max(0));
    let state = match (age, limit) {
        (None, _) => FreshnessState::NeverReported,
        (Some(age), Some(limit)) if age > limit => FreshnessState::Stale,
        _ => FreshnessState::Fresh,
    };
    Stream {
        name: &facts.name,
        contract: &facts.contract,
        freshness: Freshness {
            state,
            last_success_at: known.last_success,
            data_through: known.data_through,
            age_seconds: age,
            limit_seconds: limit,
        },
        last_attempt_at: known.last_attempt,
        next_run_at: known.next_run,
        last_error: known.trouble.clone(),
        targets: known.targets.map(|(answered, all)| Targets { answered, all }),
        records: known.total,
        quarantine: Quarantine { records: known.quarantined, oldest_at: known.quarantined_since },
        reconciled_at: known.reconciled,
        reconcile_refused: known.refused.clone(),
        history: history.then(|| known.runs.iter().cloned().collect()),
    }
}

/// The freshness of a source: the worst state, the oldest of both clocks, the strictest limit.
fn stalest(streams: &[Stream<'_>]) -> Freshness {
    let all = || streams.iter().map(|stream| stream.freshness);
    let worst = [FreshnessState::NeverReported, FreshnessState::Stale]
        .into_iter()
        .find(|state| all().any(|each| each.state == *state));
    Freshness {
        state: worst.unwrap_or(if streams.is_empty() {
            FreshnessState::NeverReported
        } else {
            FreshnessState::Fresh
        }),
        last_success_at: oldest(all().map(|each| each.last_success_at)),
        data_through: oldest(all().map(|each| each.data_through)),
        age_seconds: all().filter_map(|each| each.age_seconds).max(),
        limit_seconds: all().filter_map(|each| each.limit_seconds).min(),
    }
}

/// The oldest of all stamps; nothing if one is missing, for then the whole has never been reached.
fn oldest(stamps: impl Iterator<Item = Option<Stamp>>) -> Option<Stamp> {
    stamps.collect::<Option<Vec<_>>>()?.into_iter().min()
}

fn health(
    freshness: &Freshness,
    failing: bool,
    targets: Option<Targets>,
    records: &Conservation,
    quarantine: Quarantine,
) -> (Health, Vec<&'static str>) {
    let found = [
        (freshness.state == FreshnessState::NeverReported, Health::Unknown, "never_reported"),
        (freshness.state == FreshnessState::Stale, Health::Degraded, "stale"),
        (!records.balances(), Health::Degraded, "records_do_not_balance"),
        (failing, Health::Warning, "failing"),
        (targets.is_some_and(|t| t.answered < t.all), Health::Warning, "silent_targets"),
        (quarantine.records > 0, Health::Warning, "quarantine"),
    ];
    let reasons: Vec<_> = found.into_iter().filter(|(holds, ..)| *holds).collect();
    let worst = reasons.iter().map(|(_, health, _)| *health).max().unwrap_or(Health::Healthy);
    (worst, reasons.into_iter().map(|(.., reason)| reason).collect())
}

//! `/v1/sources` and `/v1/sources/{id}`: how each remote system fares, and whose it is.
//!
//! Health is one word, the worst of what is wrong, with the reasons beside it. A source is as fresh
//! as its stalest stream. The console shows the same [`State`], so that page and API cannot disagree.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::breaches;
use super::context::{Asked, Context, SourceFacts, StreamFacts};
use super::error::ApiError;
use super::steering;
use super::table::Columns;
use crate::indicator::reading::FreshnessState;
use crate::model::drift::Grade;
use crate::model::nearest::nearest;
use crate::model::snapshot::{self, Conservation, Paused, Refused, RunLine, StreamState, Trouble};
use crate::model::time::Stamp;

/// What is known of a stream that the store has not heard of.
static NEVER: LazyLock<StreamState> = LazyLock::new(StreamState::default);

/// How a source fares, in one word, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
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
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Source")]
pub(super) struct State<'a> {
    pub(super) source: &'a str,
    pub(super) title: &'a str,
    pub(super) title_en: &'a str,
    pub(super) kind: &'a str,
    /// `active`, or `paused` by somebody's decision.
    state: &'static str,
    pub(super) paused: Option<&'a Paused>,
    pub(super) health: Health,
    pub(super) reasons: Vec<&'static str>,
    pub(super) accountable: Unit,
    pub(super) freshness: Freshness,
    pub(super) last_attempt_at: Option<Stamp>,
    pub(super) next_run_at: Option<Stamp>,
    pub(super) last_error: Option<Trouble>,
    pub(super) circuit: Circuit,
    pub(super) targets: Option<Targets>,
    pub(super) records: Conservation,
    pub(super) quarantine: Quarantine,
    pub(super) breaches: Breaches,
    pub(super) streams: Vec<Stream<'a>>,
    /// Of the answer as a whole; in a list it stands beside the items.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<Stamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
    links: Links,
}

/// One stream of a source.
#[derive(Debug, Serialize, JsonSchema)]
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
    breaches: Breaches,
    /// Failed checks that only warn, by the check as written; counted each time a record comes.
    warnings: &'a BTreeMap<String, u64>,
    /// Codes taken as `other`, by property; counted each time a record comes.
    unknown_codes: &'a BTreeMap<String, u64>,
    /// Fields of a record that nobody maps, as of the first complete run.
    unmapped_fields: Option<u64>,
    /// The breaches that go on; only when one source is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    open_breaches: Option<Vec<breaches::Item<'a>>>,
    /// When vanished records were last noticed.
    reconciled_at: Option<Stamp>,
    /// The full pass that was refused, until one is not.
    reconcile_refused: Option<Refused>,
    /// How far a history that comes in time slices has come.
    backfill: Option<Backfill>,
    /// The last runs, oldest first; only when one source is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) history: Option<Vec<RunLine>>,
}

/// How far a history that comes in time slices has come.
#[derive(Debug, Serialize, JsonSchema)]
struct Backfill {
    slices_done: u64,
    slices_total: u64,
    done_ratio: f64,
    /// What lies between what is known and what is live, oldest first.
    pending: Vec<Pending>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Pending {
    from: Stamp,
    until: Stamp,
}

/// The unit that answers for a source.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Unit {
    #[serde(rename = "unit")]
    pub(super) id: String,
    pub(super) name: String,
    pub(super) name_en: String,
}

/// Both clocks of a source or stream.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SourceFreshness")]
pub(super) struct Freshness {
    pub(super) state: FreshnessState,
    pub(super) last_success_at: Option<Stamp>,
    pub(super) data_through: Option<Stamp>,
    age_seconds: Option<i64>,
    limit_seconds: Option<i64>,
}

/// Whether a source is asked, or left alone because it does not answer.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(super) struct Circuit {
    /// `closed`, `open`, or `half_open` when a probe is due.
    pub(super) state: &'static str,
    /// Failed requests in a row.
    failures: u32,
    /// Until then nothing is asked.
    pub(super) open_until: Option<Stamp>,
}

/// Targets of a fleet that answered last time.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "TargetCounts")]
pub(super) struct Targets {
    pub(super) answered: u64,
    pub(super) all: u64,
}

/// Records in quarantine, and when the oldest of them came.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "QuarantineCount")]
pub(super) struct Quarantine {
    pub(super) records: u64,
    oldest_at: Option<Stamp>,
}

/// Breaches of contracts that go on, by grade.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "BreachCounts")]
pub(super) struct Breaches {
    pub(super) breaking: u64,
    pub(super) additive: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SourceLinks")]
struct Links {
    #[serde(rename = "self")]
    this: String,
    runs: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    targets: Option<String>,
    breaches: String,
    quarantine: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Sources")]
pub(super) struct List<'a> {
    revision: u64,
    as_of: Stamp,
    items: Vec<State<'a>>,
}

/// The columns of sources as a table.
const COLUMNS: Columns = &[
    ("source", "/source"),
    ("title", "/title"),
    ("title_en", "/title_en"),
    ("kind", "/kind"),
    ("state", "/state"),
    ("health", "/health"),
    ("reasons", "/reasons"),
    ("accountable_unit", "/accountable/unit"),
    ("freshness", "/freshness/state"),
    ("last_success_at", "/freshness/last_success_at"),
    ("data_through", "/freshness/data_through"),
    ("age_seconds", "/freshness/age_seconds"),
    ("limit_seconds", "/freshness/limit_seconds"),
    ("last_attempt_at", "/last_attempt_at"),
    ("next_run_at", "/next_run_at"),
    ("last_error_reason", "/last_error/reason"),
    ("last_error", "/last_error/message"),
    ("circuit", "/circuit/state"),
    ("received", "/records/received"),
    ("accepted", "/records/accepted"),
    ("quarantine_records", "/quarantine/records"),
    ("breaches_breaking", "/breaches/breaking"),
    ("revision", "^/revision"),
];

/// `/v1/sources`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let items = states(asked, false);
    let list = List { revision: asked.snapshot.revision, as_of: asked.snapshot.at, items };
    asked.listed(&list, COLUMNS, "sources")
}

/// `/v1/sources/{id}`, with the history of runs.
pub(super) fn one(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let mut state = named(asked, true)?;
    (state.as_of, state.revision) = (Some(asked.snapshot.at), Some(asked.snapshot.revision));
    Answer::json(&state)
}

/// The source that the address names; there is nothing to choose about it.
pub(super) fn named<'a>(asked: &'a Asked<'_>, history: bool) -> Result<State<'a>, ApiError> {
    let id = asked.piece("id");
    let Some((name, facts)) = asked.context.sources.get_key_value(id) else {
        return Err(unknown_source(asked.context, id));
    };
    asked.query()?;
    Ok(state(asked, name, facts, history))
}

/// The refusal of a name that no source has, with the nearest that one has.
pub(super) fn unknown_source(context: &Context, id: &str) -> ApiError {
    let near = nearest(id, context.sources.keys().map(String::as_str));
    let suggestions = near.into_iter().map(str::to_owned).collect();
    ApiError::UnknownSource { id: id.to_owned(), suggestions }
}

/// All sources by name.
pub(super) fn states<'a>(asked: &'a Asked<'_>, history: bool) -> Vec<State<'a>> {
    let sources = asked.context.sources.iter();
    sources.map(|(name, facts)| state(asked, name, facts, history)).collect()
}

fn state<'a>(
    asked: &'a Asked<'_>,
    name: &'a str,
    facts: &'a SourceFacts,
    history: bool,
) -> State<'a> {
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
    let breaches = Breaches {
        breaking: streams.iter().map(|s| s.breaches.breaking).sum(),
        additive: streams.iter().map(|s| s.breaches.additive).sum(),
    };
    let targets = streams
        .iter()
        .filter_map(|stream| stream.targets)
        .reduce(|a, b| Targets { answered: a.answered + b.answered, all: a.all + b.all });
    let known = asked.snapshot.circuits.get(name).copied().unwrap_or_default();
    let circuit = Circuit {
        state: known.state(asked.now),
        failures: known.failures,
        open_until: known.open_until,
    };
    let paused = asked.snapshot.paused.get(name);
    let found = Found {
        is_left_alone: circuit.open_until.is_some(),
        is_paused: paused.is_some(),
        // A source that nobody asks does not fail, whatever it did before.
        is_failing: last_error.is_some() && paused.is_none(),
        has_silent_targets: targets.is_some_and(|t| t.answered < t.all),
        balances: records.balances(),
        is_breached: breaches.breaking > 0,
        has_quarantine: quarantine.records > 0,
    };
    let (health, reasons) = health(&freshness, &found);
    let unit = asked.unit_name(&facts.accountable_unit);
    State {
        source: name,
        title: &facts.title.vi,
        title_en: &facts.title.en,
        kind: &facts.source_kind,
        state: steering::state(paused),
        paused,
        health,
        reasons,
        accountable: Unit { id: facts.accountable_unit.clone(), name: unit.vi, name_en: unit.en },
        freshness,
        last_attempt_at: streams.iter().filter_map(|stream| stream.last_attempt_at).max(),
        next_run_at: streams.iter().filter_map(|stream| stream.next_run_at).min(),
        last_error,
        circuit,
        targets,
        records,
        quarantine,
        breaches,
        streams,
        as_of: None,
        revision: None,
        links: Links {
            this: asked.link(format_args!("/v1/sources/{name}")),
            runs: asked.link(format_args!("/v1/sources/{name}/runs")),
            targets: targets.map(|_| asked.link(format_args!("/v1/sources/{name}/targets"))),
            breaches: asked.link(format_args!("/v1/breaches?source={name}")),
            quarantine: asked.link(format_args!("/v1/quarantine?source={name}")),
        },
    }
}

fn stream<'a>(
    asked: &'a Asked<'_>,
    source: &str,
    facts: &'a StreamFacts,
    history: bool,
) -> Stream<'a> {
    let known = asked.snapshot.streams.get(&format!("{source}.{}", facts.name));
    let known: &'a StreamState = known.map_or(&NEVER, AsRef::as_ref);
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
        next_run_at: known.next_run.filter(|_| !asked.snapshot.paused.contains_key(source)),
        last_error: known.trouble.clone(),
        targets: known.targets.map(|(answered, all)| Targets { answered, all }),
        records: known.total,
        breaches: Breaches {
            breaking: known.register.count(Grade::Breaking),
            additive: known.register.count(Grade::Additive),
        },
        warnings: &known.register.warnings,
        unknown_codes: &known.register.unknown_codes,
        unmapped_fields: known.register.unmapped,
        open_breaches: history
            .then(|| known.register.open().map(|each| breaches::item(asked, each)).collect()),
        quarantine: Quarantine { records: known.quarantined, oldest_at: known.quarantined_since },
        reconciled_at: known.reconciled,
        reconcile_refused: known.refused.clone(),
        backfill: known.history.as_ref().map(backfill),
        history: history.then(|| known.runs.iter().cloned().collect()),
    }
}

fn backfill(known: &snapshot::History) -> Backfill {
    let pending = known.pending.iter().map(|&(from, until)| Pending { from, until });
    Backfill {
        slices_done: known.done,
        slices_total: known.total,
        done_ratio: known.ratio(),
        pending: pending.collect(),
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

/// What is wrong with a source besides its age. An additive note is nothing wrong.
#[expect(clippy::struct_excessive_bools, reason = "independent findings, each a reason of its own")]
struct Found {
    is_paused: bool,
    is_left_alone: bool,
    is_failing: bool,
    has_silent_targets: bool,
    balances: bool,
    is_breached: bool,
    has_quarantine: bool,
}

fn health(freshness: &Freshness, found: &Found) -> (Health, Vec<&'static str>) {
    let found = [
        (freshness.state == FreshnessState::NeverReported, Health::Unknown, "never_reported"),
        (freshness.state == FreshnessState::Stale, Health::Degraded, "stale"),
        (!found.balances, Health::Degraded, "records_do_not_balance"),
        (found.is_paused, Health::Warning, "paused"),
        (found.is_failing, Health::Warning, "failing"),
        (found.is_left_alone, Health::Warning, "circuit_open"),
        (found.is_breached, Health::Warning, "contract_breach"),
        (found.has_silent_targets, Health::Warning, "silent_targets"),
        (found.has_quarantine, Health::Warning, "quarantine"),
    ];
    let reasons: Vec<_> = found.into_iter().filter(|(holds, ..)| *holds).collect();
    let worst = reasons.iter().map(|(_, health, _)| *health).max().unwrap_or(Health::Healthy);
    (worst, reasons.into_iter().map(|(.., reason)| reason).collect())
}

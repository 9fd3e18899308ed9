//! `/v1/quarantine`: records that broke their contract, as shapes without values.
//!
//! The only addresses that ask the store, on a thread that may block. Pages follow the record's
//! number, so none is skipped or repeated while new ones come in. What is held is listed unless
//! another state is asked for; `group=rule` sums up instead of listing.

use actix_web::{HttpRequest, HttpResponse, web};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::answer::Answer;
use super::context::{Asked, Context, Current, Question};
use super::custody::QuarantineReader;
use super::error::{ApiError, ParameterError, brief};
use super::query::refused;
use super::respond;
use super::table::Columns;
use crate::model::observation::Reason;
use crate::model::quarantine::{Filter, Group, Quarantined, State};
use crate::model::time::Stamp;

/// The most records or groups in one answer.
const LIMIT: usize = 1000;

/// One record.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QuarantinedRecord")]
pub(super) struct Item {
    id: u64,
    source: String,
    stream: String,
    contract: String,
    contract_version: u32,
    reason: String,
    rule: String,
    shape: String,
    first_seen_at: Stamp,
    last_seen_at: Stamp,
    attempts: u64,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    discarded: Option<Discarded>,
}

/// Who discarded a record, and why.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DiscardedBy")]
struct Discarded {
    at: Stamp,
    by: String,
    reason: String,
}

/// Records that broke the same rule.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QuarantineGroup")]
struct GroupItem {
    source: String,
    stream: String,
    contract: String,
    reason: String,
    rule: String,
    records: u64,
    first_seen_at: Stamp,
    last_seen_at: Stamp,
    shape: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
struct Body<T> {
    items: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The columns of records as a table.
const COLUMNS: Columns = &[
    ("id", "/id"),
    ("source", "/source"),
    ("stream", "/stream"),
    ("contract", "/contract"),
    ("contract_version", "/contract_version"),
    ("reason", "/reason"),
    ("rule", "/rule"),
    ("shape", "/shape"),
    ("first_seen_at", "/first_seen_at"),
    ("last_seen_at", "/last_seen_at"),
    ("attempts", "/attempts"),
    ("state", "/state"),
];

/// The columns of rules as a table.
const COLUMNS_BY_RULE: Columns = &[
    ("source", "/source"),
    ("stream", "/stream"),
    ("contract", "/contract"),
    ("reason", "/reason"),
    ("rule", "/rule"),
    ("records", "/records"),
    ("first_seen_at", "/first_seen_at"),
    ("last_seen_at", "/last_seen_at"),
    ("shape", "/shape"),
];

/// The schema of a list: of records, or of rules.
pub(super) fn listed(generator: &mut SchemaGenerator) -> Schema {
    let records = generator.subschema_for::<Body<Item>>();
    let rules = generator.subschema_for::<Body<GroupItem>>();
    json_schema!({"anyOf": [records, rules]})
}

/// What is wanted.
struct Wanted {
    filter: Filter,
    by_rule: bool,
}

/// `/v1/quarantine?source=&stream=&contract=&reason=&rule=&state=&group=&cursor=&limit=`.
pub(super) async fn list(request: HttpRequest, context: Current) -> HttpResponse {
    let question = Question::of(&request);
    let asked = Asked::new(&question, &context);
    let result = match wanted(&asked) {
        Ok(Wanted { filter, by_rule: true }) => groups(filter, &asked).await,
        Ok(Wanted { filter, by_rule: false }) => records(filter, &asked).await,
        Err(error) => Err(error),
    };
    respond(&request, result)
}

/// `/v1/quarantine/{id}`: one record, whatever its state.
pub(super) async fn one(request: HttpRequest, context: Current) -> HttpResponse {
    let id = request.match_info().query("id").to_owned();
    let found = match (Question::of(&request).query(), id.parse()) {
        (Err(error), _) => Err(error),
        (Ok(_), Err(_)) => Ok(Vec::new()),
        (Ok(_), Ok(number)) => {
            let filter = Filter { ids: vec![number], limit: 1, ..Filter::default() };
            ask(&context, move |reader| reader.list(&filter)).await
        }
    };
    let unknown = || ApiError::UnknownRecord(brief(&id));
    let found = found.and_then(|found| found.into_iter().next().ok_or_else(unknown));
    respond(&request, found.and_then(|record| Answer::json(&Item::from(record))))
}

async fn records(filter: Filter, asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let one_more = Filter { limit: filter.limit + 1, ..filter.clone() };
    let mut records = ask(asked.context, move |reader| reader.list(&one_more)).await?;
    let more = records.len() > filter.limit;
    records.truncate(filter.limit);
    let next = records.last().filter(|_| more).map(|last| link(asked, &filter, last.id));
    let items: Vec<Item> = records.into_iter().map(Item::from).collect();
    asked.listed(&Body { items, next }, COLUMNS, "quarantine")
}

async fn groups(filter: Filter, asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let groups = ask(asked.context, move |reader| reader.groups(&filter)).await?;
    let items: Vec<GroupItem> = groups.into_iter().map(GroupItem::from).collect();
    asked.listed(&Body { items, next: None }, COLUMNS_BY_RULE, "quarantine-rules")
}

/// Asks the reader on a thread that may block.
async fn ask<T: Send + 'static>(
    context: &Context,
    question: impl FnOnce(&dyn QuarantineReader) -> Result<T, String> + Send + 'static,
) -> Result<T, ApiError> {
    let reader = context.quarantine.clone();
    web::block(move || question(&*reader))
        .await
        .map_err(|error| ApiError::Internal(error.to_string()))?
        .map_err(ApiError::Internal)
}

/// The address of the next page.
fn link(asked: &Asked<'_>, filter: &Filter, last: u64) -> String {
    let mut link = url::form_urlencoded::Serializer::new(String::new());
    let state = filter.state.filter(|state| *state != State::Held).map(State::as_str);
    let filters = [
        ("source", filter.source.as_deref()),
        ("stream", filter.stream.as_deref()),
        ("contract", filter.contract.as_deref()),
        ("reason", filter.reason.as_deref()),
        ("rule", filter.rule.as_deref()),
        ("state", if filter.state.is_none() { Some("all") } else { state }),
    ];
    for (name, value) in filters.into_iter().filter_map(|(n, v)| Some((n, v?))) {
        link.append_pair(name, value);
    }
    link.append_pair("cursor", &last.to_string());
    link.append_pair("limit", &filter.limit.to_string());
    asked.link(format_args!("/v1/quarantine?{}", link.finish()))
}

fn wanted(asked: &Asked<'_>) -> Result<Wanted, ApiError> {
    let (query, context) = (asked.query()?, asked.context);
    let source = query.filter("source");
    if let Some(source) = source.filter(|source| !context.sources.contains_key(*source)) {
        return Err(refused("source", source, context.sources.keys().map(String::as_str)));
    }
    let reason = query.filter("reason");
    let reasons = Reason::ALL.map(Reason::as_str);
    if let Some(reason) = reason.filter(|reason| !reasons.contains(reason)) {
        return Err(refused("reason", reason, reasons));
    }
    let mut states = State::ALL.map(|state| (state.as_str(), Some(state))).to_vec();
    states.push(("all", None));
    let state = query.one_of("state", &states, Some(State::Held))?;
    let by_rule = query.one_of("group", &[("rule", true)], false)?;
    let after = match query.get("cursor") {
        None => None,
        Some(cursor) => Some(cursor.parse::<u64>().map_err(|_| {
            ParameterError::new("cursor", "must be taken from the `next` of an earlier answer")
        })?),
    };
    let text = |name| query.filter(name).map(str::to_owned);
    let filter = Filter {
        source: text("source"),
        stream: text("stream"),
        contract: text("contract"),
        reason: text("reason"),
        rule: text("rule"),
        state,
        ids: Vec::new(),
        after,
        limit: query.count("limit", 100, LIMIT)?,
    };
    Ok(Wanted { filter, by_rule })
}

impl From<Quarantined> for Item {
    fn from(record: Quarantined) -> Self {
        Self {
            id: record.id,
            source: record.source,
            stream: record.stream,
            contract: record.contract,
            contract_version: record.contract_version,
            reason: record.reason,
            rule: record.rule,
            shape: record.shape,
            first_seen_at: record.first_seen,
            last_seen_at: record.last_seen,
            attempts: record.attempts,
            state: record.state,
            discarded: record.discarded.map(|(at, by, reason)| Discarded { at, by, reason }),
        }
    }
}

impl From<Group> for GroupItem {
    fn from(group: Group) -> Self {
        Self {
            source: group.source,
            stream: group.stream,
            contract: group.contract,
            reason: group.reason,
            rule: group.rule,
            records: group.records,
            first_seen_at: group.first_seen,
            last_seen_at: group.last_seen,
            shape: group.shape,
        }
    }
}

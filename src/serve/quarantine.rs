//! `/v1/quarantine`: records that broke their contract, as shapes without values.
//!
//! The only address that asks the store, on a thread that may block. Pages follow the record's
//! number, so none is skipped or repeated while new ones come in.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::answer::Answer;
use super::context::{Context, Quarantined};
use super::error::{ApiError, ParameterError};
use super::query::{Query, refused};
use super::respond;
use crate::model::observation::Reason;
use crate::model::time::Stamp;

/// The most records in one answer.
const LIMIT: usize = 1000;

/// One record.
#[derive(Serialize)]
struct Item {
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
}

#[derive(Serialize)]
struct Body {
    items: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What is asked for.
struct Question {
    source: Option<String>,
    reason: Option<String>,
    after: Option<u64>,
    limit: usize,
}

/// `/v1/quarantine?source=&reason=&cursor=&limit=`.
pub(super) async fn list(request: HttpRequest, context: web::Data<Context>) -> HttpResponse {
    let result = match question(request.query_string(), &context) {
        Ok(question) => answer(question, &context).await,
        Err(error) => Err(error),
    };
    respond(&request, result)
}

async fn answer(question: Question, context: &Context) -> Result<Answer, ApiError> {
    let reader = context.quarantine.clone();
    let Question { source, reason, after, limit } = question;
    let (by_source, by_reason) = (source.clone(), reason.clone());
    let read = web::block(move || {
        reader.list(by_source.as_deref(), by_reason.as_deref(), after, limit + 1)
    });
    let mut records = read
        .await
        .map_err(|error| ApiError::Internal(error.to_string()))?
        .map_err(ApiError::Internal)?;
    let more = records.len() > limit;
    records.truncate(limit);
    let next = records.last().filter(|_| more).map(|last| {
        let mut link = url::form_urlencoded::Serializer::new(String::new());
        let filters = [("source", &source), ("reason", &reason)];
        for (name, value) in filters.into_iter().filter_map(|(n, v)| Some((n, v.as_deref()?))) {
            link.append_pair(name, value);
        }
        link.append_pair("cursor", &last.id.to_string());
        link.append_pair("limit", &limit.to_string());
        format!("/v1/quarantine?{}", link.finish())
    });
    Answer::json(&Body { items: records.into_iter().map(Item::from).collect(), next })
}

fn question(text: &str, context: &Context) -> Result<Question, ApiError> {
    let query = Query::read(text, &["source", "reason", "cursor", "limit"])?;
    let source = query.filter("source");
    if let Some(source) = source.filter(|source| !context.sources.contains_key(*source)) {
        return Err(refused("source", source, context.sources.keys().map(String::as_str)));
    }
    let reason = query.filter("reason");
    let reasons = Reason::ALL.map(Reason::as_str);
    if let Some(reason) = reason.filter(|reason| !reasons.contains(reason)) {
        return Err(refused("reason", reason, reasons));
    }
    let after = match query.get("cursor") {
        None => None,
        Some(cursor) => Some(cursor.parse::<u64>().map_err(|_| {
            ParameterError::new("cursor", "must be taken from the `next` of an earlier answer")
        })?),
    };
    Ok(Question {
        source: source.map(str::to_owned),
        reason: reason.map(str::to_owned),
        after,
        limit: query.count("limit", 100, LIMIT)?,
    })
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
        }
    }
}

//! `POST /v1/query`: many readings asked at once, all answered from one revision.
//!
//! Each query is what the address of the same name takes: an indicator, which reading of it, and the
//! parameters. One that cannot be answered has its problem in its place and spoils no other. What all
//! of them would cost is counted before the first one runs.

use std::collections::BTreeMap;

use actix_web::http::Uri;
use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use url::form_urlencoded;

use super::answer::Answer;
use super::context::{Asked, Current, Question};
use super::custody::{bad, object};
use super::error::{ApiError, ParameterError};
use super::guard::URL_LIMIT;
use super::link::Base;
use super::past::{self, Reader};
use super::routes::Operation;
use super::routes::parameter::{MOMENT_PATTERN, Parameter, Place, Takes};
use super::{breakdown, filter, respond, routes, series, value};
use crate::model::schema::At;
use crate::model::time::Stamp;

/// The most queries of one batch.
pub(super) const QUERIES: usize = 50;

/// The most points that all queries of a batch may have together.
const POINTS: usize = 50_000;

/// The most parameters of one query.
const PARAMETERS: usize = 20;

/// What no query says for itself: all answers are JSON, from the same moment.
const OF_THE_BATCH: [&str; 3] = ["format", "bom", "as_of"];

/// Which reading of an indicator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "BatchRead")]
pub enum Read {
    /// As `/v1/indicators/{id}/value`.
    Value,
    /// As `/v1/indicators/{id}/series`.
    Series,
    /// As `/v1/indicators/{id}/breakdown`.
    Breakdown,
}

/// One query.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BatchQuery")]
pub struct Query {
    /// The indicator's id.
    pub indicator: String,
    /// Which reading of it.
    pub read: Read,
    /// The parameters of that address, except `format`, `bom` and `as_of`.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

/// The body of a batch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    /// At most 50.
    #[schemars(length(min = 1, max = QUERIES))]
    queries: Vec<Query>,
    /// The moment whose knowledge answers all of them; now without it.
    #[serde(default)]
    #[schemars(regex(pattern = MOMENT_PATTERN))]
    as_of: Option<String>,
}

/// What one query came to.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BatchItem")]
pub(super) struct Item {
    /// The status that the query would have had alone.
    status: u16,
    /// What the address answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    answer: Option<Box<RawValue>>,
    /// Why there is no answer, as a problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    problem: Option<Box<RawValue>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BatchAnswer")]
pub(super) struct Body {
    as_of: Stamp,
    revision: u64,
    /// In the order of the queries.
    items: Vec<Item>,
}

/// `POST /v1/query`.
pub(super) async fn batch(
    request: HttpRequest,
    context: Current,
    body: web::Payload,
) -> HttpResponse {
    let work = async {
        let question = Question::of(&request);
        question.query()?;
        let batch = object::<Batch>(&request, body).await?;
        if batch.queries.is_empty() || batch.queries.len() > QUERIES {
            return Err(bad(&format!("'queries' has 1 to {QUERIES} entries.")));
        }
        let at = batch.as_of.as_deref().map(|text| past::moment("as_of", text)).transpose()?;
        past::answer(question, context, at, move |asked| answer(asked, &batch.queries)).await
    };
    respond(&request, work.await.map(Answer::unkept))
}

/// A query with the question that it puts to an address.
struct Put {
    question: Question,
    reader: Reader,
    cost: fn(&Asked<'_>) -> Result<usize, ApiError>,
    path: String,
}

impl Read {
    /// The last word of its address.
    const fn word(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Series => "series",
            Self::Breakdown => "breakdown",
        }
    }

    fn operation(self) -> Option<&'static Operation> {
        routes::named(&format!("/v1/indicators/{{id}}/{}", self.word()))
    }
}

impl Query {
    /// What is wrong with the parameters whatever there is to read, with their dotted places.
    pub(super) fn check(&self) -> Vec<At> {
        let taken: Vec<&Parameter> =
            self.read.operation().into_iter().flat_map(Operation::parameters).collect();
        let taken = |name: &str| {
            // A filter is named by its dimension, and none is without one.
            let name = match filter::dimension(name) {
                Some(_) => filter::NAME,
                None if name == filter::NAME => return None,
                None => name,
            };
            let known = taken.iter().filter(|known| known.place == Place::Query);
            known
                .filter(|known| !OF_THE_BATCH.contains(&known.name))
                .find(|known| known.name == name)
        };
        let mut problems = Vec::new();
        for (name, text) in &self.parameters {
            let problem = match taken(name).map(|known| known.takes) {
                None => {
                    format!("the reading '{}' takes no parameter '{name}' here", self.read.word())
                }
                Some(Takes::Words(words)) if !words.contains(&&**text) => {
                    format!("'{name}' is one of {}", words.join(", "))
                }
                Some(_) => continue,
            };
            problems.push((format!("parameters.{name}"), problem));
        }
        problems
    }

    fn put(&self, base: &Base) -> Result<Put, ApiError> {
        let (reader, cost): (Reader, fn(&Asked<'_>) -> _) = match self.read {
            Read::Value => (value::value, value::cost),
            Read::Series => (series::series, series::cost),
            Read::Breakdown => (breakdown::breakdown, breakdown::cost),
        };
        let names = self.parameters.keys();
        if let Some(name) = names.clone().find(|name| OF_THE_BATCH.contains(&name.as_str())) {
            let reason = "cannot stand in a query of a batch: its answers are JSON, of one moment";
            return Err(ParameterError::new(name, reason).into());
        }
        if names.len() > PARAMETERS {
            return Err(bad(&format!("A query has at most {PARAMETERS} parameters.")));
        }
        let mut written = form_urlencoded::Serializer::new(String::new());
        let written = written.extend_pairs(&self.parameters).finish();
        let id: String = form_urlencoded::byte_serialize(self.indicator.as_bytes()).collect();
        let path = base.link(format_args!("/v1/indicators/{id}/{}", self.read.word()));
        let uri = if written.is_empty() { path.clone() } else { format!("{path}?{written}") };
        let uri = Some(uri).filter(|uri| uri.len() <= URL_LIMIT).and_then(|uri| uri.parse().ok());
        let uri: Uri = uri.ok_or(ApiError::UrlTooLong(URL_LIMIT))?;
        let question = Question::inner(self.read.operation(), ("id", &self.indicator), uri);
        Ok(Put { question, reader, cost, path })
    }
}

fn answer(asked: &Asked<'_>, queries: &[Query]) -> Result<Answer, ApiError> {
    let items = answers(asked, &queries.iter().collect::<Vec<_>>())?;
    let (as_of, revision) = (asked.snapshot.at, asked.snapshot.revision);
    Answer::json(&Body { as_of, revision, items })
}

/// Counts what all queries would cost, then answers each.
pub(super) fn answers(asked: &Asked<'_>, queries: &[&Query]) -> Result<Vec<Item>, ApiError> {
    let base = &asked.context.base;
    let put: Vec<Result<Put, ApiError>> = queries.iter().map(|query| query.put(base)).collect();
    let cost = |put: &Put| (put.cost)(&asked.also(&put.question)).unwrap_or(0);
    let points: usize = put.iter().flatten().map(cost).sum();
    if points > POINTS {
        let advice = format!("All queries together would have {points}; ask in smaller batches.");
        return Err(ApiError::TooManyPoints { limit: POINTS, advice });
    }
    put.into_iter().map(|put| item(asked, put)).collect()
}

fn item(asked: &Asked<'_>, put: Result<Put, ApiError>) -> Result<Item, ApiError> {
    let path = put.as_ref().map_or_else(|_| asked.link("/v1/query"), |put| put.path.clone());
    let result = put.and_then(|put| (put.reader)(&asked.also(&put.question)));
    let broken = |error: serde_json::Error| ApiError::Internal(error.to_string());
    match result {
        Ok(answer) => {
            let text = String::from_utf8(answer.into_body());
            let text = text.map_err(|error| ApiError::Internal(error.to_string()))?;
            let answer = RawValue::from_string(text).map_err(broken)?;
            Ok(Item { status: 200, answer: Some(answer), problem: None })
        }
        Err(error) => {
            error.log(&path);
            let problem = error.problem(&asked.context.base, &path);
            let (status, written) = (problem.status, to_raw_value(&problem).map_err(broken)?);
            Ok(Item { status, answer: None, problem: Some(written) })
        }
    }
}

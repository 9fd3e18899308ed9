//! The few writes: send held records through their contract again, discard them, confirm that records
//! have vanished.
//!
//! They need the scope `operate` ([`super::access`]). A page of another site cannot write through
//! somebody's browser, though that sends a key that was typed into it: only a body of type
//! `application/json` is taken, which a browser does not send across sites without asking first, and
//! nothing here answers that question. All three are idempotent by nature: doing
//! them twice finds nothing left to do. Every decision carries who made it, and a discard why.

use actix_web::dev::ServiceRequest;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::context::{Context, Current, SourceFacts};
use super::error::ApiError;
use super::query::Query;
use crate::model::audit::Actor;
use crate::model::backfill::{Backfill, Wanted};
use crate::model::nearest::nearest;
use crate::model::observation::Reason;
use crate::model::quarantine::{Filter, Group, Quarantined, ReplaySummary, State};
use crate::model::snapshot::Paused;

/// The largest body, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

/// How long a body may take: who drips holds nothing up.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(30);

/// The most records named by number in one request.
const MOST_IDS: usize = 1000;

/// Reads the quarantine; called on a thread that may block. Errors are for the log.
pub trait QuarantineReader: Send + Sync {
    /// The records that match, by number.
    fn list(&self, filter: &Filter) -> Result<Vec<Quarantined>, String>;

    /// The records that match, summed up by rule.
    fn groups(&self, filter: &Filter) -> Result<Vec<Group>, String>;
}

/// An answer to wait for; the error is for the log.
pub type Pending<T> = BoxFuture<'static, Result<T, String>>;

/// Carries out what people decide, and writes down who did, in the same transaction.
pub trait Custodian: Send + Sync {
    /// Sends held records through their contract again.
    fn replay(&self, filter: Filter, who: Actor) -> Pending<ReplaySummary>;

    /// Marks held records as discarded; yields how many.
    fn discard(&self, filter: Filter, by: String, why: String, who: Actor) -> Pending<u64>;

    /// Confirms that the records that a refused full pass missed have really vanished; `None` if no
    /// pass of the stream is refused.
    fn confirm(
        &self,
        source: String,
        stream: String,
        by: String,
        who: Actor,
    ) -> Pending<Option<Confirmed>>;

    /// Lets these streams of a source take a turn as soon as they can.
    fn pull(&self, source: &str, streams: &[String], who: Actor) -> Pending<()>;

    /// Has a stretch of a stream's past pulled once more; `Err` within is the number of the backfill that
    /// is under way.
    fn backfill(&self, wanted: Wanted, who: Actor) -> Pending<Result<u64, u64>>;

    /// Ends a backfill; yields how it stands then, or nothing if there is none.
    fn cancel(&self, backfill: u64, who: Actor) -> Pending<Option<Backfill>>;

    /// Notes that a source is paused, or no longer.
    fn pause(&self, source: String, paused: Option<Paused>, who: Actor) -> Pending<()>;
}

/// What was confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Confirmed {
    /// How many records the next full pass may take back.
    pub records: u64,
}

/// The body of a replay: which records; all that are held if nothing narrows.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Chosen {
    source: Option<String>,
    stream: Option<String>,
    contract: Option<String>,
    reason: Option<String>,
    rule: Option<String>,
    ids: Vec<u64>,
}

/// The body of a discard.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Discard {
    /// Which records: by number,
    #[serde(default)]
    ids: Vec<u64>,
    /// or by what they have in common.
    #[serde(default)]
    filter: Option<Chosen>,
    #[schemars(regex(pattern = r"\S"), length(min = 1, max = 100))]
    by: String,
    #[schemars(regex(pattern = r"\S"), length(min = 1, max = 500))]
    reason: String,
}

/// The body of a confirmation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmation {
    stream: String,
    #[schemars(regex(pattern = r"\S"), length(min = 1, max = 100))]
    by: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Discarded {
    discarded: u64,
}

/// `POST /v1/quarantine/replays`.
pub(super) async fn replay(
    request: HttpRequest,
    context: Current,
    body: web::Payload,
) -> HttpResponse {
    let work = async {
        let (custodian, chosen) = admit::<Chosen>(&request, &context, body).await?;
        let filter = chosen.filter(&context)?;
        custodian.replay(filter, context.actor()).await.map_err(ApiError::Internal)
    };
    done(&request, work.await)
}

/// `POST /v1/quarantine/discards`.
pub(super) async fn discard(
    request: HttpRequest,
    context: Current,
    body: web::Payload,
) -> HttpResponse {
    let work = async {
        let (custodian, discard) = admit::<Discard>(&request, &context, body).await?;
        let Discard { ids, filter, by, reason } = discard;
        let (by, why) = (said("by", &by, 100)?, said("reason", &reason, 500)?);
        let chosen = match (filter, ids.is_empty()) {
            (Some(chosen), true) => chosen,
            (None, false) => Chosen { ids, ..Chosen::default() },
            _ => return Err(bad("Name the records under exactly one of 'ids' and 'filter'.")),
        };
        if chosen.is_everything() {
            return Err(bad("A filter that chooses everything is taken for a slip: narrow it."));
        }
        let filter = Filter { state: Some(State::Held), ..chosen.filter(&context)? };
        let discarded = custodian.discard(filter, by, why, context.actor());
        let discarded = discarded.await.map_err(ApiError::Internal)?;
        Ok(Discarded { discarded })
    };
    done(&request, work.await)
}

/// `POST /v1/sources/{id}/confirmations`.
pub(super) async fn confirm(
    request: HttpRequest,
    context: Current,
    body: web::Payload,
) -> HttpResponse {
    let work = async {
        let id = request.match_info().query("id").to_owned();
        let facts = known(&context, &id)?;
        let (custodian, asked) = admit::<Confirmation>(&request, &context, body).await?;
        let by = said("by", &asked.by, 100)?;
        check_stream(facts, &asked.stream)?;
        let name = format!("{id}.{}", asked.stream);
        let confirmed = custodian.confirm(id, asked.stream, by, context.actor()).await;
        confirmed.map_err(ApiError::Internal)?.ok_or_else(|| {
            ApiError::NothingToConfirm(format!("No full pass of '{name}' is refused."))
        })
    };
    done(&request, work.await)
}

/// The source that an address names.
pub(super) fn known<'a>(context: &'a Context, id: &str) -> Result<&'a SourceFacts, ApiError> {
    context.sources.get(id).ok_or_else(|| {
        let near = nearest(id, context.sources.keys().map(String::as_str));
        let suggestions = near.into_iter().map(str::to_owned).collect();
        ApiError::UnknownSource { id: id.to_owned(), suggestions }
    })
}

/// Refuses a stream that the source does not have.
pub(super) fn check_stream(facts: &SourceFacts, stream: &str) -> Result<(), ApiError> {
    if facts.streams.iter().any(|of| of.name == stream) {
        return Ok(());
    }
    let names: Vec<_> = facts.streams.iter().map(|of| of.name.as_str()).collect();
    Err(bad(&format!("'stream' is one of: {}.", names.join(", "))))
}

/// Lets a write in: of the right type, readable.
pub(super) async fn admit<T: DeserializeOwned>(
    request: &HttpRequest,
    context: &Context,
    payload: web::Payload,
) -> Result<(std::sync::Arc<dyn Custodian>, T), ApiError> {
    Query::read(request.query_string(), &[])?;
    Ok((context.custodian.clone(), object(request, payload).await?))
}

/// The JSON object in a body.
pub(super) async fn object<T: DeserializeOwned>(
    request: &HttpRequest,
    mut payload: web::Payload,
) -> Result<T, ApiError> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = content_type.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(ApiError::MediaType);
    }
    let body = tokio::time::timeout(WITHIN, whole(&mut payload)).await;
    let body = body.map_err(|_| bad(&format!("The body took more than {WITHIN:?}.")))??;
    // A list would be taken for an object's values in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(bad("The body is one JSON object."));
    }
    let read = serde_json::from_slice(&body);
    // The parser's words name fields and places, and a value only where it stands for a field.
    read.map_err(|error| bad(&super::error::brief(&error.to_string())))
}

/// The whole body of a request; without it the request has none any more.
pub(super) async fn body_of(request: &mut ServiceRequest) -> Result<Bytes, ApiError> {
    let payload = request.extract::<web::Payload>().await;
    let mut payload = payload.map_err(|_| bad("The body cannot be read."))?;
    let body = tokio::time::timeout(WITHIN, whole(&mut payload)).await;
    let body = body.map_err(|_| bad(&format!("The body took more than {WITHIN:?}.")))?;
    body.map(Bytes::from)
}

/// The whole body, as long as it is no longer than it may be.
async fn whole(payload: &mut web::Payload) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|_| bad("The body broke off."))?;
        if body.len() + piece.len() > BODY_LIMIT {
            return Err(bad("The body is longer than 64 KiB."));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

impl Chosen {
    fn is_everything(&self) -> bool {
        let texts = [&self.source, &self.stream, &self.contract, &self.reason, &self.rule];
        self.ids.is_empty() && texts.iter().all(|text| text.is_none())
    }

    fn filter(self, context: &Context) -> Result<Filter, ApiError> {
        let Self { source, stream, contract, reason, rule, ids } = self;
        if ids.len() > MOST_IDS {
            return Err(bad(&format!("At most {MOST_IDS} records can be named by number.")));
        }
        let known: Vec<_> = context.sources.keys().map(String::as_str).collect();
        let reasons = Reason::ALL.map(Reason::as_str);
        for (name, text, allowed) in
            [("source", &source, &known[..]), ("reason", &reason, &reasons[..])]
        {
            if text.as_ref().is_some_and(|text| !allowed.contains(&text.as_str())) {
                return Err(bad(&format!("'{name}' is one of: {}.", allowed.join(", "))));
            }
        }
        Ok(Filter { source, stream, contract, reason, rule, ids, ..Filter::default() })
    }
}

/// A text that must be there and stays short.
pub(super) fn said(name: &str, text: &str, limit: usize) -> Result<String, ApiError> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > limit {
        return Err(bad(&format!("'{name}' is needed, of at most {limit} characters.")));
    }
    Ok(text.to_owned())
}

pub(super) fn bad(what: &str) -> ApiError {
    ApiError::BadBody(what.to_owned())
}

fn done<T: Serialize>(request: &HttpRequest, result: Result<T, ApiError>) -> HttpResponse {
    match result {
        Ok(body) => {
            HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(body)
        }
        Err(error) => error.response(request),
    }
}

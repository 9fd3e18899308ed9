//! Steering a source by hand: a turn now, a pause, its end.
//!
//! `POST /v1/sources/{id}/pulls` and `PATCH /v1/sources/{id}`; both go through the same door as the
//! other writes ([`super::custody`]), and doing either twice is doing it once. A pull is only asked
//! for: the answer says since when, and the run stands in the source's history when it has ended. A
//! paused source is not pulled by hand either: whoever paused it had a reason, which is told.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::{Context, Current};
use super::custody::{admit, bad, check_stream, known, said};
use super::error::ApiError;
use crate::model::snapshot::Paused;
use crate::model::time::Stamp;

/// The body of a pull: which stream; all of the source's if none is named.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Pull")]
pub(super) struct Wanted {
    #[serde(default)]
    stream: Option<String>,
}

/// The body of a change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SourceChange")]
pub(super) struct Change {
    enabled: bool,
    #[schemars(regex(pattern = r"\S"), length(min = 1, max = 100))]
    by: String,
    #[serde(default)]
    why: Option<String>,
}

/// What was asked for.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PullRequested")]
pub(super) struct Asked<'a> {
    source: &'a str,
    streams: &'a [String],
    requested_at: Stamp,
    links: Links,
}

/// Where to look next.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PullLinks")]
struct Links {
    source: String,
}

/// What a change came to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SourceChanged")]
pub(super) struct Changed<'a> {
    source: &'a str,
    state: &'static str,
    paused: Option<&'a Paused>,
}

/// Whether a source is asked, in a word.
pub(super) const fn state(paused: Option<&Paused>) -> &'static str {
    match paused {
        Some(_) => "paused",
        None => "active",
    }
}

/// `POST /v1/sources/{id}/pulls`.
pub(super) async fn pull(
    request: HttpRequest,
    context: Current,
    body: web::Payload,
) -> HttpResponse {
    let id = request.match_info().query("id").to_owned();
    let work = async {
        let facts = known(&context, &id)?;
        let (custodian, wanted) = admit::<Wanted>(&request, &context, body).await?;
        if let Some(stream) = &wanted.stream {
            check_stream(facts, stream)?;
        }
        not_paused(&context, &id)?;
        let all = facts.streams.iter().map(|stream| stream.name.clone());
        let streams: Vec<_> = wanted.stream.map_or_else(|| all.collect(), |stream| vec![stream]);
        let requested_at = context.clock.now();
        let asked = custodian.pull(&id, &streams, context.actor());
        asked.await.map_err(ApiError::Internal)?;
        Ok::<_, ApiError>((streams, requested_at))
    };
    match work.await {
        Ok((streams, requested_at)) => {
            let links = Links { source: context.base.link(format_args!("/v1/sources/{id}")) };
            let asked = Asked { source: &id, streams: &streams, requested_at, links };
            answer(StatusCode::ACCEPTED, &asked)
        }
        Err(error) => error.response(&request),
    }
}

/// Refuses what is asked of a paused source, with who paused it and why.
pub(super) fn not_paused(context: &Context, source: &str) -> Result<(), ApiError> {
    let snapshot = context.snapshot.load();
    let Some(Paused { by, why, since }) = snapshot.paused.get(source) else { return Ok(()) };
    let detail = format!("'{source}' was paused by {by} at {since}: {why}");
    Err(ApiError::SourceIsPaused(detail))
}

/// `PATCH /v1/sources/{id}`.
pub(super) async fn change(
    request: HttpRequest,
    context: Current,
    body: web::Payload,
) -> HttpResponse {
    let id = request.match_info().query("id").to_owned();
    let work = async {
        known(&context, &id)?;
        let (custodian, change) = admit::<Change>(&request, &context, body).await?;
        let by = said("by", &change.by, 100)?;
        let paused = match (change.enabled, change.why) {
            (true, _) => None,
            (false, Some(why)) => {
                Some(Paused { by, why: said("why", &why, 500)?, since: context.clock.now() })
            }
            (false, None) => return Err(bad("'why' is needed: a pause says its reason.")),
        };
        // A second pause of the same source changes by whom and why, not since when.
        let before = context.snapshot.load().paused.get(&id).map(|before| before.since);
        let since = |paused: Paused| Paused { since: before.unwrap_or(paused.since), ..paused };
        let paused = paused.map(since);
        let noted = custodian.pause(id.clone(), paused.clone(), context.actor());
        noted.await.map_err(ApiError::Internal)?;
        Ok(paused)
    };
    match work.await {
        Ok(paused) => {
            let paused = paused.as_ref();
            answer(StatusCode::OK, &Changed { source: &id, state: state(paused), paused })
        }
        Err(error) => error.response(&request),
    }
}

fn answer(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status).insert_header((header::CACHE_CONTROL, "no-store")).json(body)
}

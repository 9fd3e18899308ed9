//! `POST /v1/backfills` and `DELETE /v1/jobs/{job}`: a stretch of a stream's past is pulled once more, or
//! no longer.
//!
//! For what a source was corrected or lost in the past and does not hand out again by itself. Its slices
//! come between the ordinary turns, so the present stays fresh; what is known already changes nothing, so
//! asking for too much costs requests and nothing else. Ending one twice is ending it once.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::{Asked, Context, Current, Question};
use super::custody::{admit, bad, check_stream, known, said};
use super::error::ApiError;
use super::jobs::{self, BACKFILL, Job};
use super::steering::not_paused;
use crate::model::backfill::{MOST_SLICES, Past, Wanted};
use crate::model::time::{Day, Stamp};

/// The body: which stream, from which day to which.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewBackfill")]
pub(super) struct New {
    /// The stream, as source.stream.
    #[schemars(example = "portal.dossiers")]
    stream: String,
    /// The first day, by the moments that the stream's cursor goes by.
    #[schemars(regex(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    from: String,
    /// The day after the last one; up to now without it.
    #[serde(default)]
    #[schemars(regex(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    to: Option<String>,
    /// Who asks (a position).
    #[schemars(regex(pattern = r"\S"), length(min = 1, max = 100))]
    by: String,
}

/// The backfill that was asked for or ended.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BackfillAnswer")]
pub(super) struct One {
    item: Job,
    links: Links,
}

/// Where to look next.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BackfillLinks")]
struct Links {
    job: String,
    source: String,
}

/// `POST /v1/backfills`.
pub(super) async fn ask(
    request: HttpRequest,
    context: Current,
    body: web::Payload,
) -> HttpResponse {
    let work = async {
        let (custodian, new) = admit::<New>(&request, &context, body).await?;
        let wanted = new.wanted(&context)?;
        let asked = custodian.backfill(wanted.clone(), context.actor()).await;
        let id = asked.map_err(ApiError::Internal)?.map_err(|running| {
            let Wanted { source, stream, .. } = &wanted;
            ApiError::BackfillUnderWay(format!(
                "'{source}.{stream}' has {BACKFILL}{running}, which is not over."
            ))
        })?;
        shown(&context, &format!("{BACKFILL}{id}"))
    };
    match work.await {
        Ok(one) => {
            let location = (header::LOCATION, one.links.job.clone());
            HttpResponse::build(StatusCode::ACCEPTED)
                .insert_header(location)
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .json(one)
        }
        Err(error) => error.response(&request),
    }
}

/// `DELETE /v1/jobs/{job}`.
pub(super) async fn cancel(request: HttpRequest, context: Current) -> HttpResponse {
    let id = request.match_info().query("job").to_owned();
    let work = async {
        super::query::Query::read(request.query_string(), &[])?;
        let question = Question::of(&request);
        // Of those that the reader may know of.
        jobs::found(&id, jobs::all(&Asked::new(&question, &context)))?;
        let number = id.strip_prefix(BACKFILL).and_then(|number| number.parse().ok());
        let Some(number) = number else {
            return Err(ApiError::JobNotAsked(format!("'{id}' follows from the configuration.")));
        };
        let ended = context.custodian.cancel(number, context.actor()).await;
        ended.map_err(ApiError::Internal)?;
        shown(&context, &id)
    };
    match work.await {
        Ok(one) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(one),
        Err(error) => error.response(&request),
    }
}

/// How a backfill stands now.
fn shown(context: &Context, id: &str) -> Result<One, ApiError> {
    let snapshot = context.snapshot.load();
    let item = jobs::found(id, jobs::backfills(context, &snapshot).collect())?;
    let source = item.source();
    let links = Links {
        job: context.base.link(format_args!("/v1/jobs/{id}")),
        source: context.base.link(format_args!("/v1/sources/{source}")),
    };
    Ok(One { item, links })
}

impl New {
    fn wanted(self, context: &Context) -> Result<Wanted, ApiError> {
        let Self { stream: name, from, to, by } = self;
        let by = said("by", &by, 100)?;
        let Some((source, stream)) = name.split_once('.') else {
            return Err(bad("'stream' is written as source.stream."));
        };
        let facts = known(context, source)?;
        check_stream(facts, stream)?;
        let of = facts.streams.iter().find(|of| of.name == stream);
        let past = of.map_or(Past::Never("there is no such stream"), |of| of.past);
        not_paused(context, source)?;
        let (source, stream) = (source.to_owned(), stream.to_owned());
        wanted(past, (source, stream), (&from, to.as_deref()), by, context.clock.now())
            .map_err(|why| bad(&why))
    }
}

/// What is asked for between two days; what is wrong with it, in words.
pub fn wanted(
    past: Past,
    (source, stream): (String, String),
    (from, to): (&str, Option<&str>),
    by: String,
    now: Stamp,
) -> Result<Wanted, String> {
    let day = |name: &str, text: &str| {
        Day::parse(text)
            .map(Day::start)
            .ok_or_else(|| format!("'{name}' is a day such as 2026-01-31."))
    };
    let begin = day("from", from)?;
    let until = to.map_or(Ok(now), |to| day("to", to))?;
    if until > now {
        return Err(
            "'to' is still to come: leave it out to ask for everything up to now.".to_owned()
        );
    }
    if begin >= until {
        return Err(format!(
            "'from' must lie before {}.",
            if to.is_some() { "'to'" } else { "now" }
        ));
    }
    let step = match past {
        Past::Slices(step) => step,
        Past::Onward if to.is_some() => {
            return Err(format!(
                "Requests of '{source}.{stream}' cannot say where they end: leave 'to' out."
            ));
        }
        Past::Onward => until.0 - begin.0,
        Past::Never(why) => {
            return Err(format!("'{source}.{stream}' cannot be asked for its past: {why}."));
        }
    };
    let wanted = Wanted { source, stream, from: begin, until, step, by };
    let slices = wanted.slices();
    if slices > MOST_SLICES {
        return Err(format!(
            "These are {slices} slices of {step} s, and one backfill has at most {MOST_SLICES}: ask for a shorter time."
        ));
    }
    Ok(wanted)
}

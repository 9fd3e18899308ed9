//! `POST /v1/intake/{source}.{stream}`: deliveries of systems that cannot be asked.
//!
//! The answer is 202 when the delivery is on the disk, and not before; one that came before under the
//! same id gets its first answer again, marked `Idempotency-Replayed: true`. Who sends is told by a
//! signature or a key, so nothing needs to be switched on. A body is held whole while it is looked at:
//! how long it may be, how long it may take and how many may come at once are all limited. Nothing of
//! it is logged or repeated.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::access::{Denied, Refusal};
use super::context::{Context, Current};
use super::error::ApiError;
use super::query::Query;
use crate::model::intake::{Pushed, Refused, Taken};

/// Deliveries that may be on their way in at once, over all streams.
const AT_ONCE: usize = 16;

/// How long a body may take.
const WITHIN: Duration = Duration::from_secs(30);

static PLACES: Semaphore = Semaphore::const_new(AT_ONCE);

/// Takes deliveries in.
pub trait Intake: Send + Sync {
    /// The largest body of a stream, in bytes; nothing if nobody pushes to it.
    fn body_limit(&self, stream: &str) -> Option<u64>;

    /// Takes a delivery in; an answer of `Ok` means that it is committed.
    fn push(&self, stream: &str, pushed: Pushed) -> BoxFuture<'static, Result<Taken, Refused>>;
}

/// What a sender is told.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
pub(super) struct Body<'a> {
    stream: &'a str,
    received: u64,
    accepted: u64,
    superseded: u64,
    duplicate: u64,
    quarantined: u64,
    rejected: u64,
}

pub(super) async fn push(
    request: HttpRequest,
    context: Current,
    payload: web::Payload,
) -> HttpResponse {
    let stream = request.match_info().query("stream").to_owned();
    match taken(&request, &context, &stream, payload).await {
        Ok(Taken { records, is_repeated }) => {
            let mut response = HttpResponse::Accepted();
            response.insert_header((header::CACHE_CONTROL, "no-store"));
            if is_repeated {
                response.insert_header(("Idempotency-Replayed", "true"));
            }
            response.json(Body {
                stream: &stream,
                received: records.received,
                accepted: records.accepted,
                superseded: records.superseded,
                duplicate: records.duplicate,
                quarantined: records.quarantined,
                rejected: records.rejected,
            })
        }
        Err(error) => {
            if let ApiError::Delivery(Refused::Unauthenticated(_)) = &error {
                let (reason, route) = (Denied::Unknown, "/v1/intake/{stream}");
                (context.access.watch)(Refusal { reason, key: None, route });
            }
            error.response(&request)
        }
    }
}

async fn taken(
    request: &HttpRequest,
    context: &Context,
    stream: &str,
    payload: web::Payload,
) -> Result<Taken, ApiError> {
    let limit = context.intake.body_limit(stream).ok_or(Refused::Unknown)?;
    Query::read(request.query_string(), &[])?;
    let header = |name: &str| {
        let value = request.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    if header("content-encoding").is_some_and(|coding| coding != "identity") {
        return Err(ApiError::EncodedBody);
    }
    let announced = header("content-length").and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(ApiError::DeliveryTooLarge(limit));
    }
    let _place = PLACES.try_acquire().map_err(|_| Refused::TooMany { after: 1 })?;
    let body = tokio::time::timeout(WITHIN, whole(payload, limit)).await;
    let body =
        body.map_err(|_| ApiError::BadBody(format!("The body took more than {WITHIN:?}.")))??;
    let bearer = header("authorization").and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().to_owned())
    });
    let pushed = Pushed {
        webhook_id: header("webhook-id"),
        webhook_timestamp: header("webhook-timestamp"),
        webhook_signature: header("webhook-signature"),
        idempotency_key: header("idempotency-key"),
        key: bearer.or_else(|| header("x-api-key")),
        body,
    };
    Ok(context.intake.push(stream, pushed).await?)
}

/// The whole body, as long as it is no longer than `limit`.
async fn whole(mut payload: web::Payload, limit: u64) -> Result<Bytes, ApiError> {
    let mut body = BytesMut::new();
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|_| ApiError::BadBody("The body broke off.".to_owned()))?;
        if body.len() as u64 + piece.len() as u64 > limit {
            return Err(ApiError::DeliveryTooLarge(limit));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

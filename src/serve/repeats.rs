//! Writes that may be sent again: `Idempotency-Key`.
//!
//! Whoever got no answer does not know whether anything was done. With a key of their own choice in the
//! request they may send it again: what was done is not done once more, and the first answer comes again,
//! marked `Idempotency-Replayed: true`. A key belongs to who chose it and to one address; the same key with
//! another body is a slip and refused. Only successes are remembered, since what was refused changed nothing:
//! a day long, at most a thousand of them, until the gateway is started anew. A request with a key is carried
//! out to its end though its sender be gone.

use std::collections::BTreeMap;
use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::body::{EitherBody, MessageBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpResponse, rt};
use bytes::Bytes;
use futures_util::{Stream, stream};

use super::access::Reader;
use super::context::in_use;
use super::custody::body_of;
use super::error::ApiError;
use super::routes::{Operation, Route};
use crate::model::time::{DAY, Stamp};

/// The header, as addresses describe it.
pub(super) const NAME: &str = "Idempotency-Key";

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The longest key.
const LONGEST: usize = 255;

/// The most answers that are remembered.
const MOST: usize = 1000;

/// The largest answer that is remembered, in bytes.
const LARGEST: usize = 64 * 1024;

/// Whose key, at which address.
type Name = [u8; 32];

/// What has been done under a key.
#[derive(Debug, Default)]
pub struct Repeats(Mutex<BTreeMap<Name, Known>>);

#[derive(Debug)]
struct Known {
    /// The hash of the body.
    body: blake3::Hash,
    since: Stamp,
    /// Nothing while it is under way.
    answer: Option<Kept>,
}

/// An answer that was given.
#[derive(Clone, Debug)]
struct Kept {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Repeats {
    /// Begins what is asked for, unless it has been begun; yields the answer if there is one.
    fn begin(&self, name: Name, body: blake3::Hash, now: Stamp) -> Result<Option<Kept>, ApiError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, known| now.0 - known.since.0 < DAY);
        match known.get(&name) {
            Some(before) if before.body != body => {
                let why = "It stands for a request with another body.";
                Err(ApiError::IdempotencyKeyTaken(why.to_owned()))
            }
            Some(Known { answer: Some(answer), .. }) => Ok(Some(answer.clone())),
            Some(_) => {
                let why = "The first request is still under way.";
                Err(ApiError::IdempotencyKeyTaken(why.to_owned()))
            }
            None => {
                if known.len() >= MOST {
                    let oldest = known.iter().min_by_key(|(_, known)| known.since);
                    oldest.map(|(name, _)| *name).and_then(|name| known.remove(&name));
                }
                known.insert(name, Known { body, since: now, answer: None });
                Ok(None)
            }
        }
    }

    fn end(&self, name: Name, answer: Option<Kept>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Some(answer) => {
                if let Some(known) = known.get_mut(&name) {
                    known.answer = Some(answer);
                }
            }
            None => drop(known.remove(&name)),
        }
    }
}

/// Something under way; forgotten unless it comes to an answer that is kept.
struct UnderWay {
    repeats: Arc<Repeats>,
    name: Name,
    answer: Option<Kept>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.repeats.end(self.name, self.answer.take());
    }
}

/// The layer between [`super::access::admit`] and the handlers.
pub(super) async fn once<B: MessageBody + 'static>(
    route: &'static Route,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let takes = route.operation(request.method()).is_some_and(Operation::is_repeatable);
    let shown = request.headers().get(KEY).filter(|_| takes).cloned();
    let (Some(shown), Some(context)) = (shown, in_use(request.request())) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let (repeats, now) = (Arc::clone(&context.repeats), context.clock.now());
    let begun = async {
        let body = body_of(&mut request).await?;
        let name = name_of(&request, &shown)?;
        let answer = repeats.begin(name, blake3::hash(&body), now)?;
        Ok::<_, ApiError>((name, body, answer))
    };
    let (name, body) = match begun.await {
        Ok((name, body, None)) => (name, body),
        Ok((_, _, Some(answer))) => {
            let mut response = answer.response();
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            return Ok(request.into_response(response).map_into_right_body());
        }
        Err(error) => {
            let response = error.response(request.request());
            return Ok(request.into_response(response).map_into_right_body());
        }
    };
    request.set_payload(payload(body));
    let mut under_way = UnderWay { repeats, name, answer: None };
    let carried_out = rt::spawn(async move {
        let (request, response) = next.call(request).await?.into_parts();
        let (response, body) = response.into_parts();
        let body = to_bytes(body).await.map_err(|error| {
            let error: Box<dyn std::error::Error> = error.into();
            actix_web::error::ErrorInternalServerError(error.to_string())
        })?;
        let is_kept = response.status().is_success() && body.len() <= LARGEST;
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.clone(), value.clone())).collect();
        let kept = Kept { status: response.status(), headers, body: body.clone() };
        under_way.answer = is_kept.then_some(kept);
        drop(under_way);
        Ok::<_, Error>(ServiceResponse::new(request, response.set_body(body).map_into_boxed_body()))
    });
    let done = carried_out.await.map_err(|error| {
        actix_web::error::ErrorInternalServerError(format!("a write was not carried out: {error}"))
    })?;
    Ok(done?.map_into_right_body())
}

/// Whose key, at which address.
fn name_of(request: &ServiceRequest, shown: &HeaderValue) -> Result<Name, ApiError> {
    let key = shown.as_bytes();
    let is_good = (1..=LONGEST).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
    if !is_good || request.headers().get_all(KEY).count() > 1 {
        return Err(ApiError::BadIdempotencyKey(LONGEST));
    }
    let extensions = request.extensions();
    let reader = extensions.get::<Reader>().and_then(|reader| reader.key.as_deref());
    let mut hasher = blake3::Hasher::new();
    for piece in [request.method().as_str(), request.path(), reader.unwrap_or("")] {
        hasher.update(piece.as_bytes()).update(&[0]);
    }
    Ok(*hasher.update(key).finalize().as_bytes())
}

impl Kept {
    fn response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        for header in &self.headers {
            response.insert_header(header.clone());
        }
        response.body(self.body.clone())
    }
}

/// A body that has been read already.
fn payload(body: Bytes) -> Payload {
    let once = stream::once(ready(Ok::<_, PayloadError>(body)));
    let once: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> = Box::pin(once);
    Payload::from(once)
}

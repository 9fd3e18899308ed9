//! What holds for every request and every answer, whatever the address.
//!
//! On the way in: a limit on the address. On the way out: the security headers, a problem
//! body for every refusal that some layer made without one, the mark on compressed tags, and one
//! count per request under its route template (an unknown path counts as `unmatched`, so labels stay
//! bounded). What actix-web refuses before there is a request (a broken or endless head, a client
//! that is too slow) it answers itself, with a status and no body.

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};
use tokio::time::Instant;

use super::Offers;
use super::access::origin;
use super::answer::{VARY, mark_compressed};
use super::context::{Context, in_use};
use super::error::ApiError;
use super::routes::Route;

/// The longest address, in bytes, query included.
pub(super) const URL_LIMIT: usize = 2048;

/// Sent with every answer. Pages run no script at all, so none is allowed.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// The outermost layer around all routes.
pub(super) async fn guard<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    let begun = Instant::now();
    let context = in_use(request.request());
    let method = label(request.method());
    let from = context.as_ref().and_then(|context| {
        origin::listed(&context.access.origins, request.headers()).map(str::to_owned)
    });
    let is_question = from.is_some() && origin::is_question(request.method(), request.headers());
    let (mut response, route) = match refusal(&request) {
        None if is_question => (request.into_response(origin::yes()).map_into_right_body(), None),
        Some(refusal) => {
            let response = refusal.response(request.request());
            (request.into_response(response).map_into_right_body(), None)
        }
        None => match context.as_ref().and_then(|context| kept(&request, context)) {
            Some((route, response)) => {
                (request.into_response(response).map_into_right_body(), Some(route))
            }
            None => (with_problem(next.call(request).await?), None),
        },
    };
    finish(response.headers_mut());
    if let Some(origin) = &from {
        origin::open(response.headers_mut(), origin);
    }
    if let Some(context) = context {
        // Not `match_pattern`: it would look through all addresses once more.
        let found = || response.request().app_data::<&'static Route>().map(|route| route.path);
        let route = route.or_else(found).unwrap_or("unmatched");
        (context.observe)(route, method, response.status().as_u16(), begun.elapsed());
    }
    Ok(response)
}

/// What was worked out already, where figures are answered at all.
fn kept(request: &ServiceRequest, context: &Context) -> Option<(&'static str, HttpResponse)> {
    let offers = request.app_data::<Offers>().copied().unwrap_or(Offers::All);
    if offers == Offers::Metrics { None } else { context.kept.answer(request, context) }
}

fn refusal(request: &ServiceRequest) -> Option<ApiError> {
    let length = request.uri().path_and_query().map_or(0, |text| text.as_str().len());
    (length > URL_LIMIT).then_some(ApiError::UrlTooLong(URL_LIMIT))
}

/// Whether a request brings a body, which nothing that is read takes.
pub(super) fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
}

/// Replaces the body of a refusal that is not a problem yet.
fn with_problem<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
) -> ServiceResponse<EitherBody<B, BoxBody>> {
    let status = response.status();
    let described = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value == "application/problem+json" || value == "application/json");
    if described || !(status.is_client_error() || status.is_server_error()) {
        return response.map_into_left_body();
    }
    let error = match status {
        StatusCode::NOT_FOUND => ApiError::UnknownPath { suggestions: Vec::new() },
        StatusCode::METHOD_NOT_ALLOWED => {
            ApiError::MethodNotAllowed { allowed: "GET, HEAD".to_owned() }
        }
        _ => ApiError::Internal(format!("a layer answered {status} without a problem")),
    };
    let (request, _) = response.into_parts();
    let problem = error.response(&request);
    ServiceResponse::new(request, problem).map_into_right_body()
}

fn finish(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // The compressing layer adds its own line beside ours; one is enough.
    if headers.get_all(header::VARY).any(|value| value != "Accept-Encoding") {
        headers.insert(header::VARY, HeaderValue::from_static(VARY));
    }
    mark_compressed(headers);
}

/// A method as a metric label: those that exist here, and `other`.
fn label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

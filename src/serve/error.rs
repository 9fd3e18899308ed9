//! What can go wrong with a request, and the only place that picks a status for it.
//!
//! Every refusal is an `application/problem+json` (RFC 9457) whose `type` is an address of this very
//! server that explains it. Handlers return [`ApiError`]; the client sees the kind, a sentence and
//! what would have been allowed, the log alone sees a cause. What the client sent is repeated only
//! cut short, so that an answer never grows with a question. Addresses that the sentences name are those within the
//! gateway; `type` and `suggestions` are links and begin with its base (`link`).

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use schemars::JsonSchema;
use serde::Serialize;

use super::access::Denied;
use super::link::Base;
use super::prometheus::reply::Failed;
use crate::model::intake::Refused;
use crate::model::time::Stamp;

/// The longest piece of a question that is repeated in an answer, in characters.
const ECHO: usize = 64;

/// The longest refusal of a question in PromQL, in characters.
const LONGEST_ERROR: usize = 1000;

/// A kind of refusal: the end of its `type` address, title, status, and what to do about it.
pub(super) struct Kind {
    pub(super) code: &'static str,
    pub(super) title: &'static str,
    pub(super) status: StatusCode,
    pub(super) advice: &'static str,
}

impl Kind {
    /// Whether it is told in the shape that Prometheus' clients read.
    pub(super) fn is_of_prometheus(&self) -> bool {
        [BAD_QUERY.code, QUERY_FAILED.code].contains(&self.code)
    }
}

macro_rules! kinds {
    ($($name:ident $code:literal $status:ident $title:literal $advice:literal;)*) => {
        $(pub(super) const $name: Kind = Kind {
            code: $code, title: $title, status: StatusCode::$status, advice: $advice,
        };)*
        /// Every kind of refusal.
        pub(super) const KINDS: &[&Kind] = &[$(&$name),*];
    };
}

kinds! {
    UNKNOWN_PATH "unknown-path" NOT_FOUND "Nothing at this address"
        "Start at /v1, which links to everything.";
    UNKNOWN_INDICATOR "unknown-indicator" NOT_FOUND "Unknown indicator"
        "/v1/catalogue lists the indicators; the nearest ids are under `suggestions`.";
    UNKNOWN_SOURCE "unknown-source" NOT_FOUND "Unknown source"
        "/v1/sources lists the sources; the nearest names are under `suggestions`.";
    UNKNOWN_UNIT "unknown-unit" NOT_FOUND "Unknown accountable unit"
        "/v1/units lists the units; the nearest ids are under `suggestions`.";
    UNKNOWN_BOARD "unknown-board" NOT_FOUND "Unknown board"
        "/v1/boards lists the boards; the nearest names are under `suggestions`.";
    UNKNOWN_DIMENSION "unknown-dimension" NOT_FOUND "Unknown dimension"
        "/v1/dimensions lists the dimensions; the nearest names are under `suggestions`.";
    NO_FLEET "no-fleet" NOT_FOUND "The source is no fleet"
        "Only a fleet has targets; /v1/sources/{id} tells of a source with one address.";
    UNKNOWN_JOB "unknown-job" NOT_FOUND "Unknown job"
        "/v1/jobs lists the work that there is; a measure that has been built is no job any more.";
    UNKNOWN_TRACKER "unknown-tracker" NOT_FOUND "Unknown tracker"
        "/v1/trackers lists the trackers; the nearest names are under `suggestions`.";
    UNKNOWN_ITEM "unknown-item" NOT_FOUND "Unknown item of a tracker"
        "/v1/trackers/{id}/items lists the items; the nearest codes are under `suggestions`.";
    NO_VINTAGE "no-vintage" NOT_FOUND "Nothing was known yet"
        "The journal begins later than the moment asked for; `earliest` is its first moment.";
    NOT_YET "not-yet" NOT_FOUND "That moment is still to come"
        "Nothing is known of it yet: ask for a moment that is past, or leave the parameter out for now.";
    VINTAGE_COMPACTED "vintage-compacted" GONE "Only the end of that day is kept"
        "Of older days the journal keeps what was known at the end of each; `nearest` is the last such moment before the one asked for.";
    UNKNOWN_RECORD "unknown-record" NOT_FOUND "Unknown record"
        "/v1/quarantine lists the records with their numbers.";
    UNKNOWN_WEBHOOK "unknown-webhook" NOT_FOUND "Unknown webhook"
        "/v1/webhooks lists those that belong to the key; those of others are not there for it.";
    TOO_MANY_WEBHOOKS "too-many-webhooks" CONFLICT "There are as many webhooks as there may be"
        "Delete one that nobody needs any more; one message may tell many indicators and areas.";
    NO_WEBHOOK_KEY "no-webhook-key" SERVICE_UNAVAILABLE "Webhooks are not set up"
        "Their secrets are made from secrets/webhook_key: (umask 077; head -c 32 /dev/urandom | base64 > secrets/webhook_key), then start the gateway again.";
    NOT_ACCEPTABLE "not-acceptable" NOT_ACCEPTABLE "Nothing of this form is offered"
        "`errors` names the forms that this address offers, for `format=` or for `Accept`.";
    ONLY_POST "only-post" METHOD_NOT_ALLOWED "Method not allowed"
        "This address carries something out: it is written to with POST.";
    KEY_NEEDED "key-needed" UNAUTHORIZED "A key is needed"
        "Send a key as `Authorization: Bearer KEY`, or as the password of Basic; `iocgw key create` makes one. Nothing is open to everybody but what `access.anonymous` in iocgw.yaml opens.";
    KEY_REFUSED "key-refused" UNAUTHORIZED "The key is not accepted"
        "`detail` says whether it is unknown, expired or revoked; `iocgw key list` shows those there are.";
    SCOPE_MISSING "scope-missing" FORBIDDEN "The key opens other things"
        "`detail` names the scopes that it lacks; whoever administers the gateway makes a key with `iocgw key create --scope`.";
    TOO_OFTEN "too-often" TOO_MANY_REQUESTS "Too many requests"
        "Ask again after the seconds of `Retry-After`; `RateLimit` tells what is left. `/v1/query` asks many things at once, `/v1/events` tells by itself.";
    BEYOND_REACH "beyond-reach" FORBIDDEN "The key does not reach so far"
        "The key is limited to communes or units; `detail` says what was asked beyond them. What other units answer for is not there for it at all.";
    MEDIA_TYPE "media-type" UNSUPPORTED_MEDIA_TYPE "The body is not application/json"
        "Send `Content-Type: application/json`; forms of web pages cannot, which is the point.";
    BAD_BODY "bad-body" BAD_REQUEST "The body cannot be used"
        "The body is one JSON object of at most 64 KiB; unknown fields are refused, `detail` says what is wrong.";
    CONFLICT "nothing-to-confirm" CONFLICT "There is nothing to confirm"
        "Only a stream whose last full pass was refused can be confirmed; /v1/sources/{id} tells its last error.";
    SOURCE_IS_PAUSED "source-is-paused" CONFLICT "The source is paused"
        "A paused source is not asked, by hand either. `PATCH /v1/sources/{id}` with `enabled: true` resumes it.";
    BACKFILL_UNDER_WAY "backfill-under-way" CONFLICT "The stream has a backfill already"
        "A stream has one at a time: wait for it, or end it with `DELETE /v1/jobs/{job}`; `detail` names it.";
    JOB_NOT_ASKED "job-not-asked" CONFLICT "Nobody asked for this job, so nobody ends it"
        "Only a backfill is ended by hand. What is built or comes in because of the configuration ends when that is changed; `PATCH /v1/sources/{id}` pauses a source.";
    BAD_IDEMPOTENCY_KEY "bad-idempotency-key" BAD_REQUEST "The Idempotency-Key cannot be used"
        "One key of 1 to 255 visible ASCII characters, such as a UUID, chosen anew for each thing that is to be done.";
    IDEMPOTENCY_KEY_TAKEN "idempotency-key-taken" CONFLICT "The Idempotency-Key stands for another request"
        "A key stands for one request to the byte: send that again, a little later while it is under way, or choose another key.";
    METHOD_NOT_ALLOWED "method-not-allowed" METHOD_NOT_ALLOWED "Method not allowed"
        "`Allow` names the methods of the address; /docs tells what each does.";
    UNKNOWN_PARAMETER "unknown-parameter" BAD_REQUEST "Unknown or repeated query parameter"
        "Parameters are checked so that a slip does not quietly change a figure; `errors` lists those that are allowed.";
    BAD_PARAMETER "bad-parameter" BAD_REQUEST "A query parameter has a value that is not allowed"
        "`errors` names the parameter, the reason and what is allowed.";
    TOO_MANY_POINTS "too-many-points" BAD_REQUEST "The answer would hold too many points"
        "Ask for a coarser grain, a shorter time or fewer areas.";
    NOT_APPLICABLE "not-applicable" BAD_REQUEST "The indicator cannot be read like this"
        "/v1/indicators/{id} says which dimensions an indicator can be broken down by.";
    BODY_NOT_ACCEPTED "body-not-accepted" PAYLOAD_TOO_LARGE "A request body is not accepted"
        "Send the question in the query string, without a body.";
    URL_TOO_LONG "url-too-long" URI_TOO_LONG "The address is too long"
        "Addresses may have 2048 bytes.";
    UNKNOWN_STREAM "unknown-stream" NOT_FOUND "Nobody pushes to a stream of this name"
        "The address is /v1/intake/SOURCE.STREAM, of a source that has `intake` in its configuration.";
    UNAUTHENTICATED "unauthenticated" UNAUTHORIZED "Signature or key are not accepted"
        "Sign as Standard Webhooks 1.0 says, or send the key, as the source's configuration asks; `detail` says what is missing or wrong.";
    BAD_DELIVERY_ID "bad-delivery-id" BAD_REQUEST "The delivery's id cannot be one"
        "`webhook-id` or `Idempotency-Key` are up to 256 printable characters without spaces.";
    DELIVERY_DIFFERS "delivery-differs" UNPROCESSABLE_ENTITY "The id came before with another body"
        "Send another body under another id; the first one was taken in.";
    UNREADABLE_DELIVERY "unreadable-delivery" BAD_REQUEST "The body is not what the stream's format says"
        "Nothing of it is kept; `detail` says where it breaks, without quoting it.";
    REFUSED_DELIVERY "refused-delivery" UNPROCESSABLE_ENTITY "Too much of the body breaks its contract"
        "Nothing of it is kept; `detail` names the worst rule. Single bad records go to quarantine instead.";
    DELIVERY_TOO_LARGE "delivery-too-large" PAYLOAD_TOO_LARGE "The body is too large"
        "Send it in several deliveries; the limit is the source's `intake.body_limit`.";
    ENCODED_BODY "encoded-body" UNSUPPORTED_MEDIA_TYPE "The body is encoded"
        "Send it without Content-Encoding.";
    TOO_MANY_DELIVERIES "too-many-deliveries" TOO_MANY_REQUESTS "Too many deliveries"
        "Send again after the seconds of `Retry-After`; nothing of it was kept.";
    INTAKE_UNAVAILABLE "intake-unavailable" SERVICE_UNAVAILABLE "The delivery cannot be kept now"
        "Send again after the seconds of `Retry-After`; nothing of it was kept.";
    BAD_QUERY "bad-query" BAD_REQUEST "The question cannot be answered in PromQL"
        "/docs/prometheus tells which part of the language is answered.";
    QUERY_FAILED "query-failed" UNPROCESSABLE_ENTITY "The question in PromQL has no answer"
        "The series that were found do not fit together as the question asks; `error` says which.";
    TOO_MANY_LISTENERS "too-many-listeners" SERVICE_UNAVAILABLE "Too many listen already"
        "Try again later, or share one stream among several screens; `events.clients` in iocgw.yaml is the limit.";
    NOT_READY "not-ready" SERVICE_UNAVAILABLE "Not ready"
        "The gateway itself cannot serve now; `detail` names the failed checks. A sick source is never the reason.";
    INTERNAL "internal" INTERNAL_SERVER_ERROR "The gateway failed to answer"
        "The cause is in the gateway's log. Try again later.";
}

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("There is nothing at this address.")]
    UnknownPath { suggestions: Vec<String> },
    #[error("No indicator '{}'.", brief(.id))]
    UnknownIndicator { id: String, suggestions: Vec<String> },
    #[error("No source '{}'.", brief(.id))]
    UnknownSource { id: String, suggestions: Vec<String> },
    #[error("No accountable unit '{}'.", brief(.id))]
    UnknownUnit { id: String, suggestions: Vec<String> },
    #[error("No board '{}'.", brief(.id))]
    UnknownBoard { id: String, suggestions: Vec<String> },
    #[error("No dimension '{}'.", brief(.id))]
    UnknownDimension { id: String, suggestions: Vec<String> },
    #[error("{0}")]
    NoFleet(String),
    #[error("No job '{}'.", brief(.id))]
    UnknownJob { id: String, suggestions: Vec<String> },
    #[error("No tracker '{}'.", brief(.id))]
    UnknownTracker { id: String, suggestions: Vec<String> },
    #[error("No item '{}' in this tracker.", brief(.id))]
    UnknownItem { id: String, suggestions: Vec<String> },
    #[error("Parameter '{name}' names {at}, which is not past yet.")]
    NotYet { name: String, at: String },
    #[error("What was known at {at} cannot be told: the journal begins at {earliest}.")]
    NoVintage { at: Stamp, earliest: Stamp },
    #[error(
        "What was known at {at} is no longer kept to the second; the nearest earlier moment is {nearest}."
    )]
    VintageCompacted { at: Stamp, nearest: Stamp },
    #[error("This address takes {allowed}.")]
    MethodNotAllowed { allowed: String },
    #[error("{}", said(std::slice::from_ref(.0)))]
    NotAcceptable(ParameterError),
    #[error("There is no record {0} in quarantine.")]
    UnknownRecord(String),
    #[error("No webhook '{}' belongs to the key.", brief(.0))]
    UnknownWebhook(String),
    #[error("No further webhook is kept.")]
    TooManyWebhooks,
    #[error("The gateway has no key to make the secret from.")]
    NoWebhookKey,
    #[error("{}", why_denied(*.0))]
    Denied(Denied),
    #[error("There were more requests than may be made; the next one may be made in {0} s.")]
    TooOften(u64),
    #[error("The key lacks the scope {0}.")]
    ScopeMissing(String),
    #[error("{0}")]
    BeyondReach(String),
    #[error("The body must be sent as application/json.")]
    MediaType,
    #[error("{0}")]
    BadBody(String),
    #[error("{0}")]
    NothingToConfirm(String),
    #[error("{0}")]
    SourceIsPaused(String),
    #[error("{0}")]
    BackfillUnderWay(String),
    #[error("{0}")]
    JobNotAsked(String),
    #[error("Idempotency-Key is sent once, with 1 to {0} visible ASCII characters.")]
    BadIdempotencyKey(usize),
    #[error("{0}")]
    IdempotencyKeyTaken(String),
    #[error("{}", said(.0))]
    UnknownParameters(Vec<ParameterError>),
    #[error("{}", said(std::slice::from_ref(.0)))]
    BadParameter(ParameterError),
    #[error("The answer would hold more than {limit} points. {advice}")]
    TooManyPoints { limit: usize, advice: String },
    #[error("{0}")]
    NotApplicable(String),
    #[error("A request body is not accepted.")]
    BodyNotAccepted,
    #[error("The address is longer than {0} bytes.")]
    UrlTooLong(usize),
    #[error(transparent)]
    Delivery(#[from] Refused),
    #[error("A delivery to this stream may have {0} bytes.")]
    DeliveryTooLarge(u64),
    #[error("The body is sent with a Content-Encoding.")]
    EncodedBody,
    /// A question of Prometheus' clients that is refused; told in their own shape.
    #[error("{0}")]
    BadQuery(String),
    /// A question of Prometheus' clients that has no value; told in their own shape.
    #[error("{0}")]
    QueryFailed(String),
    #[error("As many clients as may listen are listening.")]
    TooManyListeners,
    #[error("Failed checks: {0}.")]
    NotReady(String),
    #[error("The request could not be answered.")]
    Internal(String),
}

/// What is wrong with one parameter.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ParameterError {
    pub(super) parameter: String,
    pub(super) reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) suggestion: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) allowed: Vec<String>,
}

impl ParameterError {
    pub(super) fn new(parameter: &str, reason: impl Into<String>) -> Self {
        Self {
            parameter: brief(parameter),
            reason: reason.into(),
            suggestion: None,
            allowed: Vec::new(),
        }
    }

    pub(super) fn allowing<S: Into<String>>(
        mut self,
        allowed: impl IntoIterator<Item = S>,
    ) -> Self {
        self.allowed = allowed.into_iter().map(Into::into).collect();
        self
    }

    pub(super) fn nearest(mut self, suggestion: Option<&str>) -> Self {
        self.suggestion = suggestion.map(str::to_owned);
        self
    }
}

impl From<ParameterError> for ApiError {
    fn from(error: ParameterError) -> Self {
        Self::BadParameter(error)
    }
}

/// The body of a refusal.
#[derive(Serialize, JsonSchema)]
pub(super) struct Problem<'a> {
    r#type: String,
    title: &'a str,
    pub(super) status: u16,
    detail: String,
    instance: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    suggestions: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ParameterError],
    #[serde(skip_serializing_if = "Option::is_none")]
    earliest: Option<Stamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nearest: Option<Stamp>,
}

impl ApiError {
    fn kind(&self) -> &'static Kind {
        match self {
            Self::UnknownPath { .. } => &UNKNOWN_PATH,
            Self::UnknownIndicator { .. } => &UNKNOWN_INDICATOR,
            Self::UnknownSource { .. } => &UNKNOWN_SOURCE,
            Self::UnknownUnit { .. } => &UNKNOWN_UNIT,
            Self::UnknownBoard { .. } => &UNKNOWN_BOARD,
            Self::UnknownDimension { .. } => &UNKNOWN_DIMENSION,
            Self::NoFleet(_) => &NO_FLEET,
            Self::UnknownJob { .. } => &UNKNOWN_JOB,
            Self::UnknownTracker { .. } => &UNKNOWN_TRACKER,
            Self::UnknownItem { .. } => &UNKNOWN_ITEM,
            Self::NotYet { .. } => &NOT_YET,
            Self::NoVintage { .. } => &NO_VINTAGE,
            Self::VintageCompacted { .. } => &VINTAGE_COMPACTED,
            Self::UnknownRecord(_) => &UNKNOWN_RECORD,
            Self::UnknownWebhook(_) => &UNKNOWN_WEBHOOK,
            Self::TooManyWebhooks => &TOO_MANY_WEBHOOKS,
            Self::NoWebhookKey => &NO_WEBHOOK_KEY,
            Self::MethodNotAllowed { allowed } if allowed == "POST" => &ONLY_POST,
            Self::NotAcceptable(_) => &NOT_ACCEPTABLE,
            Self::TooOften(_) | Self::Denied(Denied::Rate) => &TOO_OFTEN,
            Self::Denied(Denied::Missing) => &KEY_NEEDED,
            Self::Denied(Denied::Scope) | Self::ScopeMissing(_) => &SCOPE_MISSING,
            Self::Denied(Denied::Reach) | Self::BeyondReach(_) => &BEYOND_REACH,
            Self::Denied(_) => &KEY_REFUSED,
            Self::MediaType => &MEDIA_TYPE,
            Self::BadBody(_) => &BAD_BODY,
            Self::NothingToConfirm(_) => &CONFLICT,
            Self::SourceIsPaused(_) => &SOURCE_IS_PAUSED,
            Self::BackfillUnderWay(_) => &BACKFILL_UNDER_WAY,
            Self::JobNotAsked(_) => &JOB_NOT_ASKED,
            Self::BadIdempotencyKey(_) => &BAD_IDEMPOTENCY_KEY,
            Self::IdempotencyKeyTaken(_) => &IDEMPOTENCY_KEY_TAKEN,
            Self::MethodNotAllowed { .. } => &METHOD_NOT_ALLOWED,
            Self::UnknownParameters(_) => &UNKNOWN_PARAMETER,
            Self::BadParameter(_) => &BAD_PARAMETER,
            Self::TooManyPoints { .. } => &TOO_MANY_POINTS,
            Self::NotApplicable(_) => &NOT_APPLICABLE,
            Self::BodyNotAccepted => &BODY_NOT_ACCEPTED,
            Self::UrlTooLong(_) => &URL_TOO_LONG,
            Self::Delivery(refused) => of_delivery(refused),
            Self::DeliveryTooLarge(_) => &DELIVERY_TOO_LARGE,
            Self::EncodedBody => &ENCODED_BODY,
            Self::BadQuery(_) => &BAD_QUERY,
            Self::QueryFailed(_) => &QUERY_FAILED,
            Self::TooManyListeners => &TOO_MANY_LISTENERS,
            Self::NotReady(_) => &NOT_READY,
            Self::Internal(_) => &INTERNAL,
        }
    }

    /// Why the reader was not let in, if that is what it says.
    pub(super) fn denied(&self) -> Option<Denied> {
        match self {
            Self::Denied(reason) => Some(*reason),
            Self::ScopeMissing(_) => Some(Denied::Scope),
            Self::TooOften(_) => Some(Denied::Rate),
            Self::BeyondReach(_) => Some(Denied::Reach),
            _ => None,
        }
    }

    /// Tells the log what stays inside.
    pub(super) fn log(&self, path: &str) {
        if let Self::Internal(cause) = self {
            tracing::error!(path = brief(path), cause, "request failed");
        }
    }

    /// What the client is told; `path` is the address that was asked for, without its query.
    pub(super) fn problem(&self, base: &Base, path: &str) -> Problem<'_> {
        let kind = self.kind();
        Problem {
            r#type: base.link(format_args!("/docs/problems/{}", kind.code)),
            title: kind.title,
            status: kind.status.as_u16(),
            detail: self.to_string(),
            instance: cut(path, 256),
            suggestions: match self {
                Self::UnknownPath { suggestions }
                | Self::UnknownIndicator { suggestions, .. }
                | Self::UnknownSource { suggestions, .. }
                | Self::UnknownUnit { suggestions, .. }
                | Self::UnknownBoard { suggestions, .. }
                | Self::UnknownDimension { suggestions, .. }
                | Self::UnknownJob { suggestions, .. }
                | Self::UnknownTracker { suggestions, .. }
                | Self::UnknownItem { suggestions, .. } => suggestions,
                _ => &[],
            },
            errors: match self {
                Self::UnknownParameters(errors) => errors,
                Self::BadParameter(error) | Self::NotAcceptable(error) => {
                    std::slice::from_ref(error)
                }
                _ => &[],
            },
            earliest: match self {
                Self::NoVintage { earliest, .. } => Some(*earliest),
                _ => None,
            },
            nearest: match self {
                Self::VintageCompacted { nearest, .. } => Some(*nearest),
                _ => None,
            },
        }
    }

    /// The answer to send to a request.
    pub(super) fn response(&self, request: &HttpRequest) -> HttpResponse {
        let path = request.path();
        self.log(path);
        let kind = self.kind();
        if let Self::BadQuery(error) | Self::QueryFailed(error) = self {
            return refused_query(kind.status, error);
        }
        let problem = self.problem(&Base::of(request), path);
        let mut response = HttpResponse::build(kind.status);
        response
            .insert_header((header::CONTENT_TYPE, "application/problem+json"))
            .insert_header((header::CACHE_CONTROL, "no-store"));
        match self {
            Self::MethodNotAllowed { allowed } => {
                response.insert_header((header::ALLOW, allowed.as_str()));
            }
            Self::NotReady(_) | Self::TooManyListeners | Self::NoWebhookKey => {
                response.insert_header((header::RETRY_AFTER, "5"));
            }
            Self::TooOften(seconds) => {
                response.insert_header((header::RETRY_AFTER, seconds.to_string()));
            }
            Self::Delivery(Refused::TooMany { after }) => {
                response.insert_header((header::RETRY_AFTER, after.to_string()));
            }
            Self::Delivery(Refused::Unavailable(_)) => {
                response.insert_header((header::RETRY_AFTER, "30"));
            }
            Self::Delivery(Refused::Unauthenticated(_)) => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            Self::Denied(_) if kind.status == StatusCode::UNAUTHORIZED => {
                // Basic too, so that a browser asks for the key.
                for way in ["Bearer realm=\"iocgw\"", "Basic realm=\"iocgw\", charset=\"UTF-8\""] {
                    response.append_header((header::WWW_AUTHENTICATE, way));
                }
            }
            // What follows on the connection may be the refused body.
            Self::BodyNotAccepted | Self::DeliveryTooLarge(_) | Self::EncodedBody => {
                response.force_close();
            }
            _ => {}
        }
        let body = serde_json::to_vec(&problem).expect("a problem is plain strings and numbers");
        response.body(body)
    }
}

fn of_delivery(refused: &Refused) -> &'static Kind {
    match refused {
        Refused::Unknown => &UNKNOWN_STREAM,
        Refused::Unauthenticated(_) => &UNAUTHENTICATED,
        Refused::BadId(_) => &BAD_DELIVERY_ID,
        Refused::Differs => &DELIVERY_DIFFERS,
        Refused::Unreadable(_) => &UNREADABLE_DELIVERY,
        Refused::Contract(_) => &REFUSED_DELIVERY,
        Refused::TooMany { .. } => &TOO_MANY_DELIVERIES,
        Refused::Unavailable(_) => &INTAKE_UNAVAILABLE,
    }
}

/// A refusal as Prometheus' clients read it.
fn refused_query(status: StatusCode, error: &str) -> HttpResponse {
    let error_type = if status == StatusCode::BAD_REQUEST { "bad_data" } else { "execution" };
    let failed = Failed { status: "error", error_type, error: &cut(error, LONGEST_ERROR) };
    HttpResponse::build(status).insert_header((header::CACHE_CONTROL, "no-store")).json(failed)
}

fn why_denied(reason: Denied) -> &'static str {
    match reason {
        Denied::Missing => "No key was sent, and this is not open to everybody.",
        Denied::Unknown => "Nobody has the key that was sent.",
        Denied::Expired => "The key has expired.",
        Denied::Revoked => "The key was revoked.",
        Denied::Scope => "The key opens other things.",
        Denied::Reach => "The key does not reach so far.",
        Denied::Rate => "There were more requests than may be made.",
    }
}

/// At most [`ECHO`] characters of what a client sent.
pub(super) fn brief(text: &str) -> String {
    cut(text, ECHO)
}

fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The errors as one sentence each.
fn said(errors: &[ParameterError]) -> String {
    let sentences: Vec<String> =
        errors.iter().map(|e| format!("Parameter '{}' {}.", e.parameter, e.reason)).collect();
    sentences.join(" ")
}

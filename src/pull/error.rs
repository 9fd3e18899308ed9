//! What is left of a failure once retries and renewals are used up.
//!
//! Variants say what the caller does next, not which library complained. The texts are written
//! here from facts that cannot hold a secret: the template of the path, a status, the innermost
//! cause. An address that was really asked for, with its query, never enters one.

use std::error::Error;
use std::io;

use super::address::Forbidden;
use crate::model::time::Stamp;

/// Why a run could not go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PullError {
    /// May well work at the next turn: the source is slow, down, throttling or cut us off.
    #[error("{detail}")]
    Transient {
        /// The kind of failure.
        reason: Reason,
        /// One line for the operator.
        detail: String,
    },
    /// Will not work until somebody changes something: credentials, address, configuration.
    #[error("{detail}")]
    Refused {
        /// The kind of failure.
        reason: Reason,
        /// One line for the operator.
        detail: String,
    },
    /// An answer came, but it is not a page: too large, or it never decoded.
    #[error("{detail}")]
    Unreadable {
        /// The kind of failure.
        reason: Reason,
        /// One line for the operator.
        detail: String,
    },
    /// The gateway is stopping.
    #[error("stopped")]
    Stopped,
}

/// The closed list of failure kinds: a metric label, so it never grows with what sources say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A deadline passed: connecting, answering, between two pieces of a body or in all.
    Timeout,
    /// No connection, or it broke.
    Connect,
    /// The certificate or the handshake was not acceptable.
    Tls,
    /// The credentials are missing, wrong or not allowed (401, 403, token endpoint).
    Auth,
    /// Another 4xx.
    Http4xx,
    /// 5xx.
    Http5xx,
    /// 429.
    Throttled,
    /// The body is longer than allowed once decompressed.
    TooLarge,
    /// The body could not be decompressed or decoded.
    Decode,
    /// The source is left alone for a while, because it did not answer.
    CircuitOpen,
    /// It stands, or pretends to stand, where it may not be asked.
    Address,
    /// Anything else: a redirect, a next link elsewhere, a stop.
    Other,
}

impl Reason {
    /// Every reason, so that a metric can show each at 0.
    pub const ALL: [Self; 12] = [
        Self::Timeout,
        Self::Connect,
        Self::Tls,
        Self::Auth,
        Self::Http4xx,
        Self::Http5xx,
        Self::Throttled,
        Self::TooLarge,
        Self::Decode,
        Self::CircuitOpen,
        Self::Address,
        Self::Other,
    ];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Http4xx => "http_4xx",
            Self::Http5xx => "http_5xx",
            Self::Throttled => "throttled",
            Self::TooLarge => "too_large",
            Self::Decode => "decode",
            Self::CircuitOpen => "circuit_open",
            Self::Address => "address",
            Self::Other => "other",
        }
    }
}

impl PullError {
    /// The kind of failure; a stop counts as [`Reason::Other`].
    pub fn reason(&self) -> Reason {
        match self {
            Self::Transient { reason, .. }
            | Self::Refused { reason, .. }
            | Self::Unreadable { reason, .. } => *reason,
            Self::Stopped => Reason::Other,
        }
    }

    pub(super) fn transient(reason: Reason, detail: impl Into<String>) -> Self {
        Self::Transient { reason, detail: detail.into() }
    }

    pub(super) fn refused(reason: Reason, detail: impl Into<String>) -> Self {
        Self::Refused { reason, detail: detail.into() }
    }

    pub(super) fn unreadable(reason: Reason, detail: impl Into<String>) -> Self {
        Self::Unreadable { reason, detail: detail.into() }
    }
}

/// One failed attempt: the error it would end as, and when the source asked us to come back.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) error: PullError,
    pub(super) retry_after: Option<RetryAfter>,
}

/// A `Retry-After` as it came, with the source's own time if it told it.
#[derive(Clone, Debug)]
pub(super) struct RetryAfter {
    pub(super) header: String,
    pub(super) answered: Option<Stamp>,
}

impl From<PullError> for Failure {
    fn from(error: PullError) -> Self {
        Self { error, retry_after: None }
    }
}

/// Tells what went wrong while connecting, sending or waiting for the head of the answer.
pub(super) fn of_sending(label: &str, error: &reqwest::Error) -> PullError {
    if let Some(tls) = tls_error(error) {
        return PullError::refused(Reason::Tls, format!("{label}: TLS failed: {tls}"));
    }
    if let Some(forbidden) = causes(error).find_map(|cause| cause.downcast_ref::<Forbidden>()) {
        return PullError::refused(Reason::Address, format!("{label}: {forbidden}"));
    }
    if error.is_builder() {
        return PullError::refused(Reason::Other, format!("{label}: not a valid request"));
    }
    if error.is_timeout() {
        return PullError::transient(Reason::Timeout, format!("{label}: connecting took too long"));
    }
    let what = if error.is_connect() { "no connection" } else { "the connection broke" };
    PullError::transient(Reason::Connect, format!("{label}: {what}: {}", innermost(error)))
}

/// Tells what went wrong while the body arrived.
pub(super) fn of_body(label: &str, error: &reqwest::Error) -> PullError {
    let detail = format!("{label}: the body was cut short: {}", innermost(error));
    PullError::transient(Reason::Connect, detail)
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| (*cause).source())
}

fn innermost(error: &reqwest::Error) -> String {
    causes(error).skip(1).last().map_or_else(|| "no cause given".to_owned(), ToString::to_string)
}

fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    causes(error).find_map(|cause| {
        // I/O errors do not list the error that they wrap among their causes, and may be nested.
        let mut inner: &(dyn Error + 'static) = cause;
        while let Some(wrapped) = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            inner = wrapped;
        }
        inner.downcast_ref()
    })
}

//! What is said between a system that pushes and the gateway: its delivery, and what became of it.

use bytes::Bytes;

use crate::model::snapshot::Conservation;

/// One delivery as it came in, before anybody has looked at it. Not `Debug`: it holds a secret and a
/// body.
#[derive(Clone, Default)]
pub struct Pushed {
    /// `webhook-id`.
    pub webhook_id: Option<String>,
    /// `webhook-timestamp`.
    pub webhook_timestamp: Option<String>,
    /// `webhook-signature`.
    pub webhook_signature: Option<String>,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// `Authorization: Bearer` or `X-API-Key`.
    pub key: Option<String>,
    /// The body, whole.
    pub body: Bytes,
}

/// What became of a delivery that was taken in: it is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// What became of its records.
    pub records: Conservation,
    /// Whether it had come before: this is the first answer again, and nothing was counted twice.
    pub is_repeated: bool,
}

/// Why a delivery is not taken in. The words name rules and counts, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody pushes to a stream of this name.
    #[error("No stream of this name takes deliveries.")]
    Unknown,
    /// Signature or key are missing, wrong or too old.
    #[error("{0}")]
    Unauthenticated(String),
    /// The sender's id of the delivery is missing or cannot be one.
    #[error("{0}")]
    BadId(String),
    /// The same id came before with another body.
    #[error("A delivery with this id came before with another body.")]
    Differs,
    /// The body is not what the stream's format says.
    #[error("{0}")]
    Unreadable(String),
    /// The body as a whole breaks the contract.
    #[error("{0}")]
    Contract(String),
    /// More than the stream may be sent.
    #[error("More deliveries than this stream takes; the next is taken in {after} s.")]
    TooMany {
        /// In how many seconds it may be tried again.
        after: u64,
    },
    /// The gateway cannot keep it now.
    #[error("{0}")]
    Unavailable(String),
}

//! `/v1/audit`: who did what, the newest first.

use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::context::{Asked, Current, Question};
use super::error::{ApiError, ParameterError};
use super::respond;
use super::table::Columns;
use crate::model::audit::{Action, AuditEntry, AuditFilter};
use crate::model::time::Stamp;

/// The most entries of one answer.
const LIMIT: usize = 1000;

/// Reads the audit log; called on a thread that may block. Errors are for the log.
pub trait AuditReader: Send + Sync {
    /// The entries that match, the newest first.
    fn entries(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, String>;
}

/// One entry.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
struct Item {
    /// Its place in the log, without gaps.
    number: u64,
    at: Stamp,
    /// `key:ID`, `anonymous`, `command_line` or `gateway`.
    actor: String,
    #[schemars(with = "Action")]
    action: String,
    /// To what.
    object: String,
    /// How often, or by whom and why, as they said.
    detail: String,
    /// The hash of this entry and of all before it.
    hash: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditLog")]
pub(super) struct Body {
    items: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The columns of the log as a table.
const COLUMNS: Columns = &[
    ("number", "/number"),
    ("at", "/at"),
    ("actor", "/actor"),
    ("action", "/action"),
    ("object", "/object"),
    ("detail", "/detail"),
    ("hash", "/hash"),
];

/// `/v1/audit?action=&cursor=&limit=&format=`.
pub(super) async fn list(request: HttpRequest, context: Current) -> HttpResponse {
    let question = Question::of(&request);
    let asked = Asked::new(&question, &context);
    respond(&request, listed(&asked).await)
}

async fn listed(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let actions = Action::ALL.map(|action| (action.as_str(), Some(action)));
    let action = query.one_of("action", &actions, None)?;
    let before = query.get("cursor").map(|cursor| {
        cursor.parse::<u64>().map_err(|_| {
            ParameterError::new("cursor", "must be taken from the `next` of an earlier answer")
        })
    });
    let before = before.transpose()?;
    let limit = query.count("limit", 100, LIMIT)?;
    let filter = AuditFilter { before, action, limit: limit + 1 };
    let reader = asked.context.audit.clone();
    let mut entries = web::block(move || reader.entries(&filter))
        .await
        .map_err(|error| ApiError::Internal(error.to_string()))?
        .map_err(ApiError::Internal)?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| more).map(|last| {
        let of = action.map_or_else(String::new, |of| format!("action={}&", of.as_str()));
        asked.link(format_args!("/v1/audit?{of}cursor={}&limit={limit}", last.number))
    });
    let items = entries.into_iter().map(Item::from).collect();
    asked.listed(&Body { items, next }, COLUMNS, "audit")
}

impl From<AuditEntry> for Item {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { number, at, actor, action, object, detail, hash } = entry;
        let hash = blake3::Hash::from_bytes(hash).to_hex().to_string();
        Self { number, at, actor, action, object, detail, hash }
    }
}

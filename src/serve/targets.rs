//! `/v1/sources/{id}/targets`: the members of a fleet by name, and which of them answer.
//!
//! What is told is what is true now, not of a revision: a target that has left the lists is not there
//! any more. Pages follow the names, so none is skipped or repeated while lists change.

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::context::Asked;
use super::error::{ApiError, brief};
use super::sources::unknown_source;
use super::table::Columns;
use crate::model::time::Stamp;

/// The most targets in one answer.
const LIMIT: usize = 1000;

/// What became of asking a target the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TargetAnswer")]
pub enum TargetState {
    /// It answered.
    Up,
    /// It did not.
    Silent,
    /// It has not been asked yet.
    Waiting,
}

/// One target.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "FleetTarget")]
pub struct TargetFacts {
    /// Its name.
    pub target: String,
    /// Whether it answers.
    pub state: TargetState,
    /// Since when it has been in this state.
    pub since: Option<Stamp>,
    /// When it was last asked.
    pub asked_at: Option<Stamp>,
}

/// A fleet as a whole.
#[derive(Clone, Debug, Default)]
pub struct FleetFacts {
    /// Targets that answered the last time,
    pub up: u64,
    /// that did not,
    pub silent: u64,
    /// and that have not been asked yet.
    pub waiting: u64,
    /// Names on the lists that cannot stand in an address, or stand there more than once.
    pub passed_over: usize,
    /// When all lists of targets were last good.
    pub discovered_at: Option<Stamp>,
    /// What is wrong with a list now; the last good one is used meanwhile.
    pub discovery_error: Option<String>,
    /// The targets asked for, by name.
    pub items: Vec<TargetFacts>,
}

/// Knows the targets of the fleets.
pub trait Fleets: Send + Sync {
    /// At most `limit` targets after `after`, in one state if one is given; nothing if no fleet has
    /// this name.
    fn targets(
        &self,
        source: &str,
        after: &str,
        state: Option<TargetState>,
        limit: usize,
    ) -> Option<FleetFacts>;
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Targets")]
pub(super) struct Body {
    source: String,
    up: u64,
    silent: u64,
    waiting: u64,
    passed_over: usize,
    discovered_at: Option<Stamp>,
    discovery_error: Option<String>,
    items: Vec<TargetFacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The columns of targets as a table.
const COLUMNS: Columns = &[
    ("source", "^/source"),
    ("target", "/target"),
    ("state", "/state"),
    ("since", "/since"),
    ("asked_at", "/asked_at"),
];

/// `/v1/sources/{id}/targets?state=&after=&limit=`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let id = asked.piece("id");
    if !asked.context.sources.contains_key(id) {
        return Err(unknown_source(asked.context, id));
    }
    let query = asked.query()?;
    let words = [
        ("up", Some(TargetState::Up)),
        ("silent", Some(TargetState::Silent)),
        ("waiting", Some(TargetState::Waiting)),
    ];
    let state = query.one_of("state", &words, None)?;
    let limit = query.count("limit", LIMIT, LIMIT)?;
    let after = query.filter("after").unwrap_or("");
    let Some(mut facts) = asked.context.fleets.targets(id, after, state, limit + 1) else {
        let message = format!("'{}' is no fleet: it has no targets.", brief(id));
        return Err(ApiError::NoFleet(message));
    };
    let more = facts.items.len() > limit;
    facts.items.truncate(limit);
    let next = facts.items.last().filter(|_| more).map(|last| {
        let mut link = url::form_urlencoded::Serializer::new(String::new());
        if let Some(state) = query.filter("state") {
            link.append_pair("state", state);
        }
        link.append_pair("after", &last.target).append_pair("limit", &limit.to_string());
        asked.link(format_args!("/v1/sources/{id}/targets?{}", link.finish()))
    });
    let FleetFacts { up, silent, waiting, passed_over, discovered_at, discovery_error, items } =
        facts;
    let body = Body {
        source: id.to_owned(),
        up,
        silent,
        waiting,
        passed_over,
        discovered_at,
        discovery_error,
        items,
        next,
    };
    asked.listed(&body, COLUMNS, &format!("{id}-targets"))
}

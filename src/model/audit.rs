//! Who did what, and what came of it: the entries of the audit log.
//!
//! Nothing in an entry is a secret or comes from a record: an actor is a key's public part, an action one
//! of a closed list, and what people gave as their reason is kept as they gave it, cut short.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::time::Stamp;

/// The longest free text of an entry, in characters.
const LONGEST: usize = 300;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A gateway was started on the store.
    GatewayStarted,
    /// A key was made.
    KeyCreated,
    /// A key was revoked.
    KeyRevoked,
    /// Held records were sent through their contract again.
    RecordsReplayed,
    /// Held records were discarded.
    RecordsDiscarded,
    /// It was confirmed that records have vanished.
    RetractionsConfirmed,
    /// A source was paused.
    SourcePaused,
    /// A source was resumed.
    SourceResumed,
    /// A turn was asked for by hand.
    PullRequested,
    /// A stretch of a stream's past was asked for.
    BackfillRequested,
    /// A backfill was ended before it was done.
    BackfillCancelled,
    /// Another configuration was taken over, at a start or a reload.
    ConfigurationTaken,
    /// A configuration was refused at a reload.
    ConfigurationRefused,
    /// Somebody was not let in; one entry for all such requests of a minute.
    AccessDenied,
    /// A webhook was made.
    WebhookCreated,
    /// A webhook was described anew, given another secret, or told again or no longer.
    WebhookChanged,
    /// A webhook was deleted.
    WebhookDeleted,
    /// A message for a trial was sent to a webhook.
    WebhookTested,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 18] = [
        Self::GatewayStarted,
        Self::KeyCreated,
        Self::KeyRevoked,
        Self::RecordsReplayed,
        Self::RecordsDiscarded,
        Self::RetractionsConfirmed,
        Self::SourcePaused,
        Self::SourceResumed,
        Self::PullRequested,
        Self::BackfillRequested,
        Self::BackfillCancelled,
        Self::ConfigurationTaken,
        Self::ConfigurationRefused,
        Self::AccessDenied,
        Self::WebhookCreated,
        Self::WebhookChanged,
        Self::WebhookDeleted,
        Self::WebhookTested,
    ];

    /// The words of all, in the same order.
    pub const WORDS: [&str; Self::ALL.len()] = {
        let mut words = [""; Self::ALL.len()];
        let mut at = 0;
        while at < words.len() {
            words[at] = Self::ALL[at].as_str();
            at += 1;
        }
        words
    };

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GatewayStarted => "gateway_started",
            Self::KeyCreated => "key_created",
            Self::KeyRevoked => "key_revoked",
            Self::RecordsReplayed => "records_replayed",
            Self::RecordsDiscarded => "records_discarded",
            Self::RetractionsConfirmed => "retractions_confirmed",
            Self::SourcePaused => "source_paused",
            Self::SourceResumed => "source_resumed",
            Self::PullRequested => "pull_requested",
            Self::BackfillRequested => "backfill_requested",
            Self::BackfillCancelled => "backfill_cancelled",
            Self::ConfigurationTaken => "configuration_taken",
            Self::ConfigurationRefused => "configuration_refused",
            Self::AccessDenied => "access_denied",
            Self::WebhookCreated => "webhook_created",
            Self::WebhookChanged => "webhook_changed",
            Self::WebhookDeleted => "webhook_deleted",
            Self::WebhookTested => "webhook_tested",
        }
    }
}

/// Who acts: a key, nobody in particular, the command line, or the gateway by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Actor(String);

impl Actor {
    /// The holder of a key, by its public part; whoever shows none is anonymous.
    pub fn with_key(id: Option<&str>) -> Self {
        Self(id.map_or_else(|| "anonymous".to_owned(), |id| format!("key:{id}")))
    }

    /// Somebody at the command line, on the store itself.
    pub fn at_the_command_line() -> Self {
        Self("command_line".to_owned())
    }

    /// The gateway by itself.
    pub fn gateway() -> Self {
        Self("gateway".to_owned())
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Something that was done, before it has its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// Who did it.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// To what: a source, a stream, a key's id, a route.
    pub object: String,
    /// In the words of whoever did it, or a count; may be empty.
    pub detail: String,
}

impl Deed {
    /// The same, with how many records it was done to.
    #[must_use]
    pub fn counting(&self, records: u64) -> Self {
        let detail = match self.detail.as_str() {
            "" => format!("{records} records"),
            detail => format!("{records} records; {detail}"),
        };
        Self { detail, ..self.clone() }
    }

    /// A deed with its texts cut to their length and freed of control characters.
    pub fn new(actor: Actor, action: Action, object: &str, detail: &str) -> Self {
        let plain = |text: &str| {
            let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
            plain.take(LONGEST).collect::<String>()
        };
        Self { actor, action, object: plain(object), detail: plain(detail) }
    }
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place, from 1 on, without gaps.
    pub number: u64,
    /// When it was written.
    pub at: Stamp,
    /// Who.
    pub actor: String,
    /// What, in a word.
    pub action: String,
    /// To what.
    pub object: String,
    /// How.
    pub detail: String,
    /// The hash of this entry and, through the one before, of all before it.
    pub hash: [u8; 32],
}

/// Which entries are asked for: the newest first.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only those before this number.
    pub before: Option<u64>,
    /// Only of this action.
    pub action: Option<Action>,
    /// At most so many.
    pub limit: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_an_entry_are_short_and_on_one_line() {
        let deed = Deed::new(Actor::gateway(), Action::SourcePaused, "a\nb", &"x".repeat(1000));
        assert_eq!((deed.object.as_str(), deed.detail.len()), ("a b", LONGEST));
        assert_eq!(Actor::with_key(None).as_str(), "anonymous");
        assert_eq!(Actor::with_key(Some("ab")).as_str(), "key:ab");
    }
}

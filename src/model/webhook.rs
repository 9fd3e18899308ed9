//! Webhooks: addresses to which the gateway tells by itself that something has changed.
//!
//! A message is thin: it names what changed and at which revision, and holds no figure. Whoever gets
//! it reads what is true *then*, with a key of their own, so a message that was repeated, late or read by
//! somebody else tells nothing wrong and nothing secret. A webhook belongs to the key that made it and
//! hears of no more than that key may read.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::time::Stamp;

/// The most webhooks that are kept; each is a task while it is told something and a label of metrics.
pub const MOST_WEBHOOKS: usize = 100;

/// What a webhook may hear of.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Topic {
    /// Newest values of indicators, with the scope `read`.
    #[serde(rename = "indicators.changed")]
    Indicators,
    /// How sources fare, with the scope `sources`.
    #[serde(rename = "sources.changed")]
    Sources,
}

impl Topic {
    /// Its word, which is the type of its messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Indicators => "indicators.changed",
            Self::Sources => "sources.changed",
        }
    }
}

/// The type of the message that says: what was missed cannot be told, read everything again.
pub const RESYNC: &str = "resync";

/// The type of the message that is sent for a trial.
pub const TEST: &str = "webhook.test";

/// What a webhook wants to hear of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Of what sort.
    pub topics: BTreeSet<Topic>,
    /// Of which indicators, if not of all.
    pub indicators: Option<BTreeSet<String>>,
    /// Of which areas, if not of all: `province`, or the codes of communes.
    pub areas: Option<BTreeSet<String>>,
}

/// Why nothing is sent to a webhook any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Disabled {
    /// Somebody decided so.
    ByHand,
    /// It answered 410: nobody wants to hear.
    Gone,
    /// It has failed for days.
    Failing,
    /// The key that it belongs to was revoked or has expired.
    KeyOver,
}

impl Disabled {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::ByHand, Self::Gone, Self::Failing, Self::KeyOver];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ByHand => "by_hand",
            Self::Gone => "gone",
            Self::Failing => "failing",
            Self::KeyOver => "key_over",
        }
    }

    /// Reads [`Disabled::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.as_str() == text)
    }
}

/// Which secret signs for a webhook: none is kept, each is made again from these and a key that is not
/// in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Secret {
    /// Goes up by one with each renewal.
    pub generation: u32,
    /// Until when the one before signs too.
    pub previous_until: Option<Stamp>,
    /// A mark of the key that it was made from.
    pub mark: u32,
}

/// How the telling goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Messages that wait.
    pub waiting: u64,
    /// When the first of the attempts failed that have failed since, if they have.
    pub failing_since: Option<Stamp>,
    /// How many have failed in a row.
    pub failures: u32,
    /// Before when nothing is tried again.
    pub next_attempt: Option<Stamp>,
    /// When something was taken last.
    pub last_success: Option<Stamp>,
    /// Why the last attempt failed, in plain words.
    pub last_error: Option<String>,
    /// Whether it must be told to read everything again before it is told anything else.
    pub is_behind: bool,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its public name.
    pub id: String,
    /// The id of the key that made it.
    pub owner: String,
    /// Where it is told.
    pub url: String,
    /// What it is for: a system or a position, never a person.
    pub name: String,
    /// What it wants to hear of.
    pub wants: Subscription,
    /// When it was made.
    pub created: Stamp,
    /// What signs for it.
    pub secret: Secret,
    /// Since when and why nothing is sent, if nothing is.
    pub disabled: Option<(Stamp, Disabled)>,
    /// How the telling goes.
    pub progress: Progress,
}

impl Webhook {
    /// The host of its address, which is all of it that a log may say.
    pub fn host(&self) -> &str {
        let after = self.url.split_once("://").map_or(self.url.as_str(), |(_, after)| after);
        after.split(['/', '?']).next().unwrap_or_default()
    }
}

/// A message that waits to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The webhook's.
    pub webhook: String,
    /// Its place among all messages of the webhook, from 1 on.
    pub number: u64,
    /// What is sent, to the byte.
    pub body: String,
}

impl Message {
    /// Its id: the same however often it is sent, and no other message's.
    pub fn id(&self) -> String {
        format!("{}.{}", self.webhook, self.number)
    }
}

/// What has changed since the last time, and who is to hear of it: all of it is noted at once, or
/// nothing.
#[derive(Clone, Debug, Default)]
pub struct Telling {
    /// What is told from now on: name and mark of each thing that is another.
    pub marks: Vec<(String, Vec<u8>)>,
    /// Things that are no more.
    pub gone: Vec<String>,
    /// Messages: to which webhook, and what.
    pub messages: Vec<(String, String)>,
    /// Webhooks whose message is to read everything again.
    pub caught_up: Vec<String>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It was taken.
    Taken,
    /// It was not; the next one is made at that moment.
    Failed {
        /// Why, in plain words.
        error: String,
        /// When it is tried again.
        again: Stamp,
    },
    /// It was not, and nothing is sent there any more.
    Over {
        /// Why, in plain words.
        error: String,
        /// Why not.
        why: Disabled,
    },
}

/// What is changed about a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is made.
    Create(Box<Webhook>),
    /// Name, address or wishes are others.
    Describe {
        /// Where it is told.
        url: String,
        /// What it is for.
        name: String,
        /// What it wants to hear of.
        wants: Subscription,
    },
    /// Another secret signs.
    Renew(Secret),
    /// It is told again, or no longer.
    Enable(bool),
    /// It is no more.
    Delete,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It holds from now on.
    Done,
    /// There is no such webhook.
    Unknown,
    /// There are as many as there may be.
    TooMany,
}

/// A message as it is sent: its type, when what it tells came about, and what it tells.
pub fn body(kind: &str, at: Stamp, data: &serde_json::Value) -> String {
    serde_json::json!({"type": kind, "timestamp": at, "data": data}).to_string()
}

/// How a trial went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "WebhookTrial")]
pub struct Trial {
    /// Whether it was taken.
    pub is_taken: bool,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// Why not, in plain words.
    pub error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for why in Disabled::ALL {
            assert_eq!(Disabled::parse(why.as_str()), Some(why));
            assert_eq!(serde_json::to_value(why).unwrap(), why.as_str());
        }
        for topic in [Topic::Indicators, Topic::Sources] {
            assert_eq!(serde_json::to_value(topic).unwrap(), topic.as_str());
        }
    }
}

//! Who may do what: scopes, how far they reach, and keys that carry both.
//!
//! A scope says *what* may be done, a reach *about what*: which communes, which accountable units,
//! for which audience. Both are closed and small, and nothing is implied by anything else: what a
//! key does not name, it does not have.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::audience::Audience;
use crate::model::time::Stamp;

/// What may be done.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Read indicators: definitions, figures, events, the reference.
    Read,
    /// Read how sources fare: runs, errors, breaches, late reports, quarantined records' shapes.
    Sources,
    /// Pull and pause sources, replay and discard quarantined records, confirm what vanished.
    Operate,
    /// Scrape the gateway's own metrics and the indicators as metrics.
    Metrics,
    /// Read the audit log, and the webhooks of all keys.
    Admin,
    /// Have changes told to an address; of what, the other scopes say.
    Webhooks,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] =
        [Self::Read, Self::Sources, Self::Operate, Self::Metrics, Self::Admin, Self::Webhooks];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Sources => "sources",
            Self::Operate => "operate",
            Self::Metrics => "metrics",
            Self::Admin => "admin",
            Self::Webhooks => "webhooks",
        }
    }
}

/// About what something may be done; `None` is about everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Codes of today's communes; then the province is out of reach.
    pub areas: Option<BTreeSet<String>>,
    /// Ids of accountable units.
    pub units: Option<BTreeSet<String>>,
    /// For whom figures are told.
    #[serde(default)]
    pub audience: Audience,
}

impl Reach {
    /// Whether what this unit answers for is within reach.
    pub fn sees_unit(&self, unit: &str) -> bool {
        self.units.as_ref().is_none_or(|units| units.contains(unit))
    }

    /// Whether this commune of today is within reach.
    pub fn sees_area(&self, code: &str) -> bool {
        self.areas.as_ref().is_none_or(|areas| areas.contains(code))
    }
}

/// What may be done, and about what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// What may be done.
    pub scopes: BTreeSet<Scope>,
    /// About what.
    pub reach: Reach,
}

/// Why a grant cannot be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// It names no scope.
    #[error("names no scope, so nothing could be done with it")]
    NoScope,
    /// The public would get more than figures.
    #[error("the audience 'public' can have the scope 'read' only")]
    TooMuchForThePublic,
    /// A limit that lets nothing through.
    #[error("an empty list of areas or units lets nothing through; leave it out for all of them")]
    EmptyLimit,
}

impl Grant {
    /// Refuses what is surely a slip.
    pub fn check(&self) -> Result<(), GrantError> {
        let Self { scopes, reach } = self;
        let is_empty =
            |limit: &Option<BTreeSet<String>>| limit.as_ref().is_some_and(BTreeSet::is_empty);
        if scopes.is_empty() {
            Err(GrantError::NoScope)
        } else if reach.audience == Audience::Public && scopes.iter().any(|s| *s != Scope::Read) {
            Err(GrantError::TooMuchForThePublic)
        } else if is_empty(&reach.areas) || is_empty(&reach.units) {
            Err(GrantError::EmptyLimit)
        } else {
            Ok(())
        }
    }
}

/// A key of the API, as far as it is kept: never the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its public part, by which people speak of it.
    pub id: String,
    /// What it is for: a system or a position, never a person.
    pub name: String,
    /// What it may be used for.
    pub grant: Grant,
    /// When it was made.
    pub created: Stamp,
    /// From when on it is refused.
    pub expires: Stamp,
    /// When it was revoked, if it was.
    pub revoked: Option<Stamp>,
    /// When it was last shown while it was good, to the minute; nothing if it never was.
    pub used: Option<Stamp>,
}

/// How a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It opens what it may.
    Active,
    /// Its time is over.
    Expired,
    /// Somebody took it back.
    Revoked,
}

impl ApiKey {
    /// How it stands at a moment.
    pub fn state(&self, now: Stamp) -> KeyState {
        match self.revoked {
            Some(_) => KeyState::Revoked,
            None if self.expires <= now => KeyState::Expired,
            None => KeyState::Active,
        }
    }
}

impl KeyState {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_that_opens_nothing_or_too_much_is_refused() {
        let with = |scopes: &[Scope], reach: Reach| {
            Grant { scopes: scopes.iter().copied().collect(), reach }.check()
        };
        let public = || Reach { audience: Audience::Public, ..Reach::default() };
        let nowhere = Reach { areas: Some(BTreeSet::new()), ..Reach::default() };
        assert_eq!(with(&[], Reach::default()), Err(GrantError::NoScope));
        assert_eq!(with(&[Scope::Read], public()), Ok(()));
        let both = [Scope::Read, Scope::Sources];
        assert_eq!(with(&both, public()), Err(GrantError::TooMuchForThePublic));
        assert_eq!(with(&[Scope::Read], nowhere), Err(GrantError::EmptyLimit));
        assert_eq!(with(&both, Reach::default()), Ok(()));
    }
}

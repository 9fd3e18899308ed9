//! Reads the whole audit log again and says where it was tampered with first.

use std::collections::BTreeMap;
use std::path::Path;

use super::checkpoint::{self, Checkpoint};
use super::{BEGINNING, COLUMNS, entry, hash};
use crate::model::audit::AuditEntry;
use crate::store::load::Loaded;
use crate::store::sqlite::failure;
use crate::store::{StoreError, quarantine};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many entries were read.
    pub entries: u64,
    /// How many checkpoints they agree with.
    pub checkpoints: usize,
    /// The first fault, if there is one.
    pub broken: Option<Broken>,
}

/// The first thing that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The entry that should come next is not there.
    #[error("entry {expected} is missing: entry {found} follows the one before it")]
    Missing {
        /// Which one.
        expected: u64,
        /// What stands in its place.
        found: u64,
    },
    /// The entry, or the one before it, is not what was written.
    #[error("entry {0} is not what was written, or does not follow the one before it")]
    Changed(u64),
    /// The log was longer once.
    #[error("the log ends at entry {ends}, but a checkpoint saw entry {seen}: its end was cut off")]
    CutOff {
        /// Its last entry.
        ends: u64,
        /// The last entry that was seen.
        seen: u64,
    },
    /// The log was another one once.
    #[error("a checkpoint saw another entry {0}: the log was written anew")]
    Rewritten(u64),
    /// A checkpoint of the store itself.
    #[error("the checkpoint of entry {0} was not signed with the audit key")]
    Unsigned(u64),
}

/// Checks the log of a store against itself, the checkpoints in it and those that others have kept.
/// Without the public key nothing can be said of signatures, so checkpoints are not believed then.
pub fn verify(
    path: &Path,
    public: Option<&[u8]>,
    kept: &[Checkpoint],
) -> Result<Verified, StoreError> {
    let connection = quarantine::open(path)?;
    let read = || -> Loaded<Verified> {
        let mut checkpoints: BTreeMap<u64, Vec<Checkpoint>> = BTreeMap::new();
        if public.is_some() {
            for each in checkpoint::all(&connection)?.into_iter().chain(kept.iter().cloned()) {
                checkpoints.entry(each.number).or_default().push(each);
            }
        }
        let mut walk = Walk { public, checkpoints, before: BEGINNING, entries: 0, agreed: 0 };
        let mut statement =
            connection.prepare(&format!("SELECT {COLUMNS} FROM audit ORDER BY number"))?;
        let mut broken = None;
        for found in statement.query_map([], entry)? {
            broken = walk.step(&found?);
            if broken.is_some() {
                break;
            }
        }
        let broken = broken.or_else(|| walk.end());
        Ok(Verified { entries: walk.entries, checkpoints: walk.agreed, broken })
    };
    read().map_err(|error| failure(&error))
}

/// How far the reading has come.
struct Walk<'a> {
    public: Option<&'a [u8]>,
    /// Those that are yet to be met, by the entry that they saw.
    checkpoints: BTreeMap<u64, Vec<Checkpoint>>,
    before: [u8; 32],
    entries: u64,
    agreed: usize,
}

impl Walk<'_> {
    fn step(&mut self, found: &AuditEntry) -> Option<Broken> {
        let expected = self.entries + 1;
        if found.number != expected {
            return Some(Broken::Missing { expected, found: found.number });
        }
        if hash(found, &self.before) != found.hash {
            return Some(Broken::Changed(expected));
        }
        (self.entries, self.before) = (expected, found.hash);
        for each in self.checkpoints.remove(&expected).unwrap_or_default() {
            if !self.is_signed(&each) {
                return Some(Broken::Unsigned(expected));
            }
            if each.hash != found.hash {
                return Some(Broken::Rewritten(expected));
            }
            self.agreed += 1;
        }
        None
    }

    /// What was seen beyond the end.
    fn end(&self) -> Option<Broken> {
        let (seen, of) = self.checkpoints.last_key_value()?;
        if of.iter().any(|each| self.is_signed(each)) {
            return Some(Broken::CutOff { ends: self.entries, seen: *seen });
        }
        Some(Broken::Unsigned(*seen))
    }

    fn is_signed(&self, each: &Checkpoint) -> bool {
        self.public.is_some_and(|public| each.is_signed_by(public))
    }
}

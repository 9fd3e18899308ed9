//! What a commit does to the quarantine: rejects are kept, and let go when a good version comes.

use std::collections::{BTreeSet, HashSet};

use rusqlite::{Transaction, params};

use super::{Batch, MAX_QUARANTINED, StreamName, keys};
use crate::model::observation::Reject;
use crate::model::snapshot::StreamState;

/// Records that left the quarantine because a good version came, whoever brought it.
#[derive(Default)]
pub(super) struct Released {
    pub(super) keys: Vec<u128>,
    /// Source and stream of each record.
    pub(super) records: Vec<(String, String)>,
}

impl Released {
    /// The other streams that had brought some of them.
    pub(super) fn others(&self, name: &StreamName) -> BTreeSet<Bringer<'_>> {
        let bringers = self.records.iter().map(|(source, stream)| Bringer { source, stream });
        bringers.filter(|bringer| !bringer.is(name)).collect()
    }

    /// How many of them this stream had brought.
    pub(super) fn of(&self, name: &StreamName) -> u64 {
        let is_of =
            |(source, stream): &&(String, String)| *source == name.source && *stream == name.stream;
        self.records.iter().filter(is_of).count() as u64
    }
}

/// A stream by its names.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bringer<'a> {
    source: &'a str,
    stream: &'a str,
}

impl Bringer<'_> {
    /// Whether it is this stream.
    pub(super) fn is(&self, name: &StreamName) -> bool {
        self.source == name.source && self.stream == name.stream
    }
}

pub(super) struct Quarantine<'a> {
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) batch: &'a Batch,
    pub(super) contract: &'a str,
}

impl Quarantine<'_> {
    /// Keeps the rejects as far as there is room; yields how many were kept.
    pub(super) fn keep(
        &self,
        state: &mut StreamState,
        held: &mut HashSet<u128>,
    ) -> Result<u64, rusqlite::Error> {
        let mut kept = 0;
        for reject in &self.batch.rejects {
            keys::renew(self.transaction, (&state.source, &state.stream), reject)?;
            let again = self.again(state, reject)?;
            if !again {
                if state.quarantined >= MAX_QUARANTINED {
                    continue;
                }
                self.insert(state, reject)?;
                state.quarantined += 1;
            }
            held.extend(reject.key);
            kept += 1;
        }
        Ok(kept)
    }

    /// Whether the very same reject is held already; then it is noted once more.
    fn again(&self, state: &StreamState, reject: &Reject) -> Result<bool, rusqlite::Error> {
        let fingerprint = reject.fingerprint.to_le_bytes();
        let changed = self
            .transaction
            .prepare_cached(
                "UPDATE quarantine SET attempts = attempts + 1, last_seen = ?4 WHERE source = ?1 AND stream = ?2 AND fingerprint = ?3 AND state = 'held'",
            )?
            .execute(params![state.source, state.stream, &fingerprint[..], self.batch.at.0])?;
        Ok(changed > 0)
    }

    fn insert(&self, state: &StreamState, reject: &Reject) -> Result<(), rusqlite::Error> {
        let (fingerprint, key) =
            (reject.fingerprint.to_le_bytes(), reject.key.map(u128::to_le_bytes));
        self.transaction
            .prepare_cached(
                "INSERT INTO quarantine (source, stream, contract, contract_version, fingerprint, key, reason, rule, shape, held, first_seen, last_seen, attempts, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, 1, 'held')
                 ON CONFLICT (source, stream, fingerprint) DO UPDATE SET state = 'held', attempts = attempts + 1, last_seen = excluded.last_seen",
            )?
            .execute(params![
                state.source,
                state.stream,
                self.contract,
                self.batch.contract_version,
                &fingerprint[..],
                key.as_ref().map(|key| &key[..]),
                reject.reason.as_str(),
                reject.rule,
                reject.shape,
                reject.held,
                self.batch.at.0
            ])?;
        Ok(())
    }
}

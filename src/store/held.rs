//! What a commit does to the quarantine: rejects are kept, and let go when a good version comes.
//!
//! A record is held once however often it comes, under the reason that it was last refused for. It is
//! let go when a version of its entity is accepted that is not older than it: an older good version
//! says nothing about a newer bad one. Where the bad one's version could not be read, any good version
//! lets it go, but its values stay for a replay, because it might have been the newer one.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Deserialize;

use super::contract::Contract;
use super::writer::Writer;
use super::{Batch, MAX_QUARANTINED, StreamName, keys};
use crate::fold::{Folded, entities};
use crate::model::observation::Reject;
use crate::model::row::NULL;
use crate::model::snapshot::StreamState;
use crate::model::time::Stamp;

/// Records that left the quarantine because a good version came, whoever brought it.
#[derive(Default)]
pub(super) struct Released {
    /// Keys for which nothing is held any more.
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
    /// The stream's number within its contract.
    pub(super) number: u8,
}

impl Quarantine<'_> {
    /// Keeps the rejects as far as there is room; yields how many were kept.
    pub(super) fn keep(
        &self,
        state: &mut StreamState,
        contract: &mut Contract,
    ) -> Result<u64, rusqlite::Error> {
        let mut kept = 0;
        for reject in &self.batch.rejects {
            keys::renew(self.transaction, (&state.source, &state.stream), reject)?;
            let known = self.known(state, reject)?;
            let is_held = known.as_ref().is_some_and(|(_, state)| state == "held");
            let is_discarded = known.as_ref().is_some_and(|(_, state)| state == "discarded");
            let becomes = if is_discarded {
                "discarded"
            } else if contract.is_superseded(reject, self.number) {
                "resolved"
            } else {
                "held"
            };
            let is_new = becomes == "held" && !is_held;
            if is_new && state.quarantined >= MAX_QUARANTINED {
                continue;
            }
            match known {
                Some((id, _)) => self.again(id, becomes, reject)?,
                None => self.insert(state, becomes, reject)?,
            }
            state.quarantined += u64::from(is_new);
            state.quarantined -= u64::from(is_held && becomes != "held");
            if becomes == "held" {
                contract.held.extend(reject.key);
            }
            kept += 1;
        }
        Ok(kept)
    }

    /// The same record, if it has come before, and its state.
    fn known(
        &self,
        state: &StreamState,
        reject: &Reject,
    ) -> Result<Option<(i64, String)>, rusqlite::Error> {
        let fingerprint = reject.fingerprint.to_le_bytes();
        self.transaction
            .prepare_cached(
                "SELECT id, state FROM quarantine WHERE source = ?1 AND stream = ?2 AND fingerprint = ?3",
            )?
            .query_row(params![state.source, state.stream, &fingerprint[..]], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?
            .map_or_else(|| self.read_otherwise(state, reject), |known| Ok(Some(known)))
    }

    /// The same version of the same record, held for the same reason since a time when other fields of
    /// it were read: whoever changes what a stream maps is asked for everything again, and what was
    /// bad then is bad now, once.
    fn read_otherwise(
        &self,
        state: &StreamState,
        reject: &Reject,
    ) -> Result<Option<(i64, String)>, rusqlite::Error> {
        let Some((key, version)) = reject.key.map(u128::to_le_bytes).zip(reject.version) else {
            return Ok(None);
        };
        let mut statement = self.transaction.prepare_cached(
            "SELECT id, state, held FROM quarantine WHERE contract = ?1 AND key = ?2 AND state = 'held'
             AND source = ?3 AND stream = ?4 AND version = ?5 AND reason = ?6 ORDER BY id",
        )?;
        let of = params![
            state.contract,
            &key[..],
            state.source,
            state.stream,
            version,
            reject.reason.as_str()
        ];
        let mut rows = statement.query(of)?;
        while let Some(row) = rows.next()? {
            if names(&row.get::<_, String>(2)?) != names(&reject.held) {
                return Ok(Some((row.get(0)?, row.get(1)?)));
            }
        }
        Ok(None)
    }

    fn again(&self, id: i64, becomes: &str, reject: &Reject) -> Result<(), rusqlite::Error> {
        let key = reject.key.map(u128::to_le_bytes);
        self.transaction
            .prepare_cached(
                "UPDATE quarantine SET attempts = attempts + 1, last_seen = ?2, state = ?3, reason = ?4, rule = ?5, shape = ?6, key = ?7, version = ?8,
                 contract_version = ?9, fingerprint = ?11,
                 held = CASE WHEN ?3 = 'resolved' THEN '' WHEN held = '' OR fingerprint <> ?11 THEN ?10 ELSE held END WHERE id = ?1",
            )?
            .execute(params![
                id,
                self.batch.at.0,
                becomes,
                reject.reason.as_str(),
                reject.rule,
                reject.shape,
                key.as_ref().map(|key| &key[..]),
                reject.version,
                self.batch.contract_version,
                reject.held,
                &reject.fingerprint.to_le_bytes()[..],
            ])?;
        Ok(())
    }

    fn insert(
        &self,
        state: &StreamState,
        becomes: &str,
        reject: &Reject,
    ) -> Result<(), rusqlite::Error> {
        let (fingerprint, key) =
            (reject.fingerprint.to_le_bytes(), reject.key.map(u128::to_le_bytes));
        self.transaction
            .prepare_cached(
                "INSERT INTO quarantine (source, stream, contract, contract_version, fingerprint, key, version, reason, rule, shape, held, first_seen, last_seen, attempts, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, 1, ?13)",
            )?
            .execute(params![
                state.source,
                state.stream,
                state.contract,
                self.batch.contract_version,
                &fingerprint[..],
                key.as_ref().map(|key| &key[..]),
                reject.version,
                reject.reason.as_str(),
                reject.rule,
                reject.shape,
                if becomes == "resolved" { "" } else { &reject.held },
                self.batch.at.0,
                becomes,
            ])?;
        Ok(())
    }
}

/// The names of the fields that are kept of a record in quarantine.
fn names(held: &str) -> BTreeSet<String> {
    #[derive(Default, Deserialize)]
    struct Kept {
        #[serde(default)]
        values: serde_json::Map<String, serde_json::Value>,
    }
    let kept: Kept = serde_json::from_str(held).unwrap_or_default();
    kept.values.into_iter().map(|(name, _)| name).collect()
}

impl Contract {
    /// Whether a newer version of the refused record's entity is known, so that it cannot matter. Where
    /// streams have ranks, only one that the same stream brought says so.
    fn is_superseded(&self, reject: &Reject, by: u8) -> bool {
        let Some(row) = reject.key.and_then(|key| self.entities.find(key)) else { return false };
        if !self.plan.ranks.is_empty() && entities::origin(self.entities.body(row)) != by {
            return false;
        }
        self.version(row).zip(reject.version).is_some_and(|(known, refused)| known > refused)
    }

    /// The version moment of a row.
    pub(super) fn version(&self, row: u32) -> Option<i64> {
        let (slot, layout) = (self.plan.schema.version_slot, &self.plan.schema.layout);
        let packed = &self.entities.body(row)[1 + layout.offset(slot)..];
        Some(layout.packings[slot].unpack(packed)).filter(|moment| *moment != NULL)
    }

    /// Lets go of quarantined records whose entity has been accepted since in a version that is not
    /// older; yields which.
    pub(super) fn release(
        &mut self,
        transaction: &Transaction<'_>,
        folded: &Folded,
        by: &StreamName,
    ) -> Result<Released, rusqlite::Error> {
        let mut released = Released::default();
        if self.held.is_empty() {
            return Ok(released);
        }
        let mut resolve = transaction.prepare_cached(
            "UPDATE quarantine SET state = 'resolved', held = CASE WHEN version < ?3 THEN '' ELSE held END
             WHERE contract = ?1 AND key = ?2 AND state = 'held' AND (version IS NULL OR version <= ?3)
             AND (?4 OR (source = ?5 AND stream = ?6)) RETURNING source, stream",
        )?;
        for row in &folded.rows {
            let key = self.entities.key(*row);
            if self.held.contains(&key) {
                let version = self.version(*row).unwrap_or(i64::MIN);
                let any = self.plan.ranks.is_empty();
                let (name, key_bytes) = (&self.plan.schema.name, &key.to_le_bytes()[..]);
                let mut rows =
                    resolve.query(params![name, key_bytes, version, any, by.source, by.stream])?;
                while let Some(row) = rows.next()? {
                    released.records.push((row.get(0)?, row.get(1)?));
                }
                if !self.is_waited_for(transaction, key)? {
                    released.keys.push(key);
                }
            }
        }
        Ok(released)
    }

    /// Whether a record with this key is held.
    pub(super) fn is_waited_for(
        &self,
        transaction: &Transaction<'_>,
        key: u128,
    ) -> Result<bool, rusqlite::Error> {
        transaction
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM quarantine WHERE contract = ?1 AND key = ?2 AND state = 'held')",
            )?
            .query_row(params![self.plan.schema.name, &key.to_le_bytes()[..]], |row| row.get(0))
    }
}

/// When the oldest of a stream's held records first came.
pub(super) fn oldest(
    connection: &Connection,
    name: &StreamName,
) -> Result<Option<Stamp>, rusqlite::Error> {
    connection
        .prepare_cached(
            "SELECT min(first_seen) FROM quarantine WHERE source = ?1 AND stream = ?2 AND state = 'held'",
        )?
        .query_row(params![name.source, name.stream], |row| row.get::<_, Option<i64>>(0))
        .map(|at| at.map(Stamp))
}

impl Writer {
    /// Looks up since when each stream has records in quarantine, after that may have changed.
    pub(super) fn note_oldest(&mut self) -> Result<(), rusqlite::Error> {
        for stream in &mut self.streams {
            stream.state.quarantined_since = oldest(&self.connection, &stream.name)?;
        }
        Ok(())
    }
}

//! Retention: what is older than its contract allows leaves the state; closed days keep their figures.
//!
//! A record belongs to the past when its version and all that it contributes lie before the horizon
//! and no stock of it is open. Once a local day such entities are taken out, in small steps between
//! commits. Three things keep every figure exact: what they had contributed is kept as a residue of
//! each measure, so that a recount over the entities still comes to the cube; the lower halves of
//! their keys are kept, eight bytes each, so that a later version of one is known for what it is and
//! refused; and a record that belongs to the past on its first arrival is refused at once. A measure
//! that is defined anew has no residue: of days before the horizon it knows what is still there.
//!
//! Records in quarantine, whatever their state, are deleted when they have not come for as long.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::contract::Contract;
use super::load::{Loaded, damaged};
use super::save as rows;
use super::sqlite::failure;
use super::writer::Writer;
use super::{Batch, StoreError};
use crate::failpoint;
use crate::fold::entities::{self, CHUNK};
use crate::fold::plan::MeasurePlan;
use crate::model::cube::{pack, settle, unpack};
use crate::model::observation::Observations;
use crate::model::time::{Day, Stamp};

/// Entities looked at in one step: some milliseconds.
const LOOKED_AT: u64 = if cfg!(test) { 64 } else { 65_536 };

/// Entities taken out in one step.
const TAKEN_OUT: u64 = if cfg!(test) { 16 } else { 8192 };

/// Rows of residue of one measure above which they are merged into one.
const MANY_ROWS: i64 = if cfg!(test) { 3 } else { 64 };

/// Closed entries of a contract's quarantine that are kept whatever their age allows.
const CLOSED: u64 = 200_000;

/// Where the expiry of today stands.
#[derive(Debug, Default)]
pub(super) struct Expiry {
    /// The day it was last begun.
    day: Day,
    /// The contract and the row up to which it is still to be looked through.
    at: Option<(usize, u32)>,
    /// A test takes the steps.
    #[cfg(test)]
    pub(super) by_hand: bool,
}

impl Expiry {
    pub(super) fn is_under_way(&self) -> bool {
        self.at.is_some()
    }

    /// Whether the writer is to go on by itself.
    pub(super) fn goes_on(&self) -> bool {
        #[cfg(test)]
        if self.by_hand {
            return false;
        }
        self.is_under_way()
    }
}

/// Records of a page that are not folded for their age.
#[derive(Debug, Default)]
pub(super) struct Expired {
    pub(super) count: u64,
    /// Lower halves of the new keys of expired entities, while the identifier key is being replaced.
    pub(super) renamed: Vec<u64>,
}

/// What expired entities had contributed to a measure under this very definition.
pub(super) fn residue(connection: &Connection, measure: &MeasurePlan) -> Loaded<Vec<(u64, i64)>> {
    let mut statement = connection
        .prepare_cached("SELECT changes FROM residue WHERE measure = ?1 AND definition = ?2")?;
    let mut rows = statement.query(params![measure.name, measure.definition])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        if !unpack(row.get_ref(0)?.as_blob()?, &mut changes) {
            return Err(damaged(format!("the residue of {}", measure.name)));
        }
    }
    settle(&mut changes);
    Ok(changes)
}

/// The keys of a contract's expired entities, as [`Contract::expired`] has them.
pub(super) fn load(transaction: &Transaction<'_>, contract: i64) -> Loaded<Vec<u64>> {
    let mut statement = transaction.prepare("SELECT keys FROM expired WHERE contract = ?1")?;
    let mut rows = statement.query([contract])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let (whole, rest) = row.get_ref(0)?.as_blob()?.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(damaged("a cut list of expired keys".to_owned()));
        }
        keys.extend(whole.iter().map(|key| u64::from_le_bytes(*key)));
    }
    keys.sort_unstable();
    Ok(keys)
}

/// Writes keys of expired entities.
pub(super) fn save(
    transaction: &Transaction<'_>,
    contract: i64,
    keys: &[u64],
    buffer: &mut Vec<u8>,
) -> Loaded<()> {
    if keys.is_empty() {
        return Ok(());
    }
    buffer.clear();
    keys.iter().for_each(|key| buffer.extend_from_slice(&key.to_le_bytes()));
    transaction
        .prepare_cached("INSERT INTO expired (contract, keys) VALUES (?1, ?2)")?
        .execute(params![contract, &*buffer])?;
    Ok(())
}

impl Contract {
    /// The moment before which everything is past, a day's beginning.
    fn horizon(&self, now: Stamp) -> Stamp {
        Stamp(now.0.saturating_sub(self.plan.schema.retention.as_seconds())).day().start()
    }

    /// Which observations must not be folded: they are past on their first arrival, or of an entity
    /// that has expired. Empty if none is.
    pub(super) fn expired_among(&self, seen: &Observations, now: Stamp) -> Vec<bool> {
        let (horizon, mut expired) = (self.horizon(now).0, Vec::new());
        for i in 0..seen.len() {
            let is_past = self.plan.is_past(seen.row(i), horizon);
            if !is_past && self.expired.is_empty() {
                continue;
            }
            let mut keys = [Some(seen.keys[i]), seen.former.get(i).copied()].into_iter().flatten();
            let is_known = keys.clone().any(|key| self.entities.find(key).is_some());
            if !is_known && (is_past || keys.any(|key| self.has_expired(key))) {
                expired.resize(seen.len(), false);
                expired[i] = true;
            }
        }
        expired
    }

    fn has_expired(&self, key: u128) -> bool {
        self.expired.binary_search(&(key as u64)).is_ok()
    }

    /// Drops what must not be folded.
    pub(super) fn refuse_expired(&self, batch: &mut Batch, now: Stamp) -> Expired {
        let expired = self.expired_among(&batch.observations, now);
        let mut refused = Expired::default();
        for (i, _) in expired.iter().enumerate().filter(|(_, is_expired)| **is_expired) {
            refused.count += 1;
            let key = batch.observations.keys[i];
            let former = batch.observations.former.get(i);
            if former.is_some_and(|former| self.has_expired(*former)) && !self.has_expired(key) {
                refused.renamed.push(key as u64);
            }
        }
        if refused.count > 0 {
            let kept: Vec<_> = expired.iter().map(|is_expired| !is_expired).collect();
            batch.observations.retain(&kept);
        }
        refused
    }

    /// Adds keys of expired entities.
    pub(super) fn remember(&mut self, keys: &[u64]) {
        if !keys.is_empty() {
            self.expired.extend_from_slice(keys);
            self.expired.sort_unstable();
            self.expired.dedup();
        }
    }

    /// Looks through the rows below `row` from the end on; yields those that have expired and the row
    /// at which to go on.
    fn past(&self, row: u32, horizon: Stamp) -> (Vec<u32>, u32) {
        let end = row.min(self.entities.len() as u32);
        let last = end.saturating_sub(failpoint::limit(LOOKED_AT, 64) as u32);
        let (mut past, mut slots) = (Vec::new(), Vec::new());
        for at in (last..end).rev() {
            self.plan.schema.unpack(&self.entities.body(at)[1..], &mut slots);
            if self.plan.is_past(&slots, horizon.0) {
                past.push(at);
                if past.len() as u64 >= failpoint::limit(TAKEN_OUT, 16) {
                    return (past, at);
                }
            }
        }
        (past, last)
    }

    /// What these rows contribute to each measure.
    fn contributed(&self, rows: &[u32]) -> Vec<Vec<(u64, i64)>> {
        let mut changes = vec![Vec::new(); self.plan.measures.len()];
        let mut slots = Vec::new();
        for row in rows {
            let body = self.entities.body(*row);
            if entities::state(body) == entities::LIVE {
                self.plan.schema.unpack(&body[1..], &mut slots);
                for (measure, changes) in self.plan.measures.iter().zip(&mut changes) {
                    measure.contribute(&slots, 1, changes);
                }
            }
        }
        changes.iter_mut().for_each(settle);
        changes
    }

    fn write_residue(
        &self,
        transaction: &Transaction<'_>,
        changes: &[Vec<(u64, i64)>],
        buffer: &mut Vec<u8>,
    ) -> Loaded<()> {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO residue (measure, definition, changes) VALUES (?1, ?2, ?3)",
        )?;
        let mut count = transaction.prepare_cached(
            "SELECT count(*) FROM residue WHERE measure = ?1 AND definition = ?2",
        )?;
        for (measure, changes) in self.plan.measures.iter().zip(changes) {
            let mut changes = std::borrow::Cow::Borrowed(changes);
            let known = [&measure.name, &measure.definition];
            if count.query_row(known, |row| row.get::<_, i64>(0))? >= MANY_ROWS {
                let mut all = residue(transaction, measure)?;
                all.extend_from_slice(&changes);
                settle(&mut all);
                transaction
                    .execute("DELETE FROM residue WHERE measure = ?1 AND definition = ?2", known)?;
                changes = std::borrow::Cow::Owned(all);
            }
            if !changes.is_empty() {
                buffer.clear();
                pack(&changes, buffer);
                insert.execute(params![measure.name, measure.definition, &*buffer])?;
            }
        }
        Ok(())
    }
}

impl Writer {
    /// Once a local day, what has become too old is looked for.
    pub(super) fn begin_expiry(&mut self, now: Stamp) {
        if now.day() > self.expiry.day && !self.expiry.is_under_way() {
            self.expiry.day = now.day();
            self.expiry.at = self.begin_with(0);
        }
    }

    fn begin_with(&self, contract: usize) -> Option<(usize, u32)> {
        self.contracts.get(contract).map(|one| (contract, one.entities.len() as u32))
    }

    /// One step: looks at some rows and takes out those that are past.
    pub(super) fn expire(&mut self) -> Option<StoreError> {
        let (position, row) = self.expiry.at?;
        match self.expire_some(position, row).map_err(|error| failure(&error)) {
            Ok(0) => {
                self.expiry.at = self.begin_with(position + 1);
                None
            }
            Ok(next) => {
                self.expiry.at = Some((position, next));
                None
            }
            // Tomorrow is another day.
            Err(StoreError::Full) => {
                self.expiry.at = None;
                None
            }
            Err(error) => Some(error),
        }
    }

    /// Yields the row up to which is still to be looked through; 0 at the end.
    fn expire_some(&mut self, position: usize, row: u32) -> Loaded<u32> {
        let contract = &mut self.contracts[position];
        // While the identifier key is being replaced, nobody is taken for gone who may only be renamed.
        if contract.is_rekeying {
            return Ok(0);
        }
        let horizon = contract.horizon(self.at.max(self.clock.now()));
        let (rows, next) = contract.past(row, horizon);
        if !rows.is_empty() {
            let changes = contract.contributed(&rows);
            let keys: Vec<u64> =
                rows.iter().map(|row| contract.entities.key(*row) as u64).collect();
            // From the end on, so that a row that is filled from the end has been looked at.
            let mut taken = Vec::with_capacity(rows.len());
            for row in &rows {
                let last = contract.entities.len() as u32 - 1;
                contract.dirty.extend([row / CHUNK as u32, last / CHUNK as u32]);
                taken.push((*row, contract.entities.take_out(*row)));
            }
            let written = write(&mut self.connection, contract, &keys, &changes, &mut self.buffer);
            if let Err(error) = written {
                for (row, record) in taken.iter().rev() {
                    contract.entities.put_back(*row, record);
                }
                return Err(error);
            }
            contract.written_back();
            contract.remember(&keys);
            contract.under_previous_key = remaining(contract);
            contract.entities.shrink();
            let contract = &contract.plan.schema.name;
            tracing::info!(contract, entities = rows.len(), "expired");
        }
        if next == 0 {
            self.forget_refused(position, horizon)?;
        }
        Ok(next)
    }

    /// Deletes the entries of a contract's quarantine that have not come for as long as records are
    /// kept, and the oldest of very many that are closed.
    fn forget_refused(&mut self, position: usize, horizon: Stamp) -> Loaded<()> {
        let at = self.next_at();
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let contract = &mut self.contracts[position];
        let name = &contract.plan.schema.name;
        let too_many: Option<i64> = transaction
            .prepare_cached(
                "SELECT id FROM quarantine WHERE contract = ?1 AND state IN ('resolved', 'replayed') ORDER BY id DESC LIMIT 1 OFFSET ?2",
            )?
            .query_row(params![name, CLOSED as i64], |row| row.get(0))
            .optional()?;
        let gone = transaction.execute(
            "DELETE FROM quarantine WHERE contract = ?1 AND (last_seen < ?2 OR (id <= ?3 AND state IN ('resolved', 'replayed')))",
            params![name, horizon.0, too_many.unwrap_or(0)],
        )?;
        if gone == 0 {
            return transaction.rollback();
        }
        let mut counts = Vec::new();
        for stream in &self.streams {
            let count = transaction
                .prepare_cached(
                    "SELECT count(*) FROM quarantine WHERE source = ?1 AND stream = ?2 AND state = 'held'",
                )?
                .query_row([&stream.name.source, &stream.name.stream], |row| row.get::<_, i64>(0))?;
            let mut state = stream.state.clone();
            state.quarantined = count as u64;
            rows::known(&transaction, &state, self.revision + 1)?;
            counts.push(count as u64);
        }
        rows::revision(&transaction, (self.revision + 1, at))?;
        transaction.commit()?;
        for (stream, count) in self.streams.iter_mut().zip(counts) {
            stream.state.quarantined = count;
        }
        self.note_oldest()?;
        self.revision += 1;
        self.publish(at);
        Ok(())
    }
}

/// Writes a step: the entities without those that have expired, their keys, and their residue.
fn write(
    connection: &mut Connection,
    contract: &Contract,
    keys: &[u64],
    changes: &[Vec<(u64, i64)>],
    buffer: &mut Vec<u8>,
) -> Loaded<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // The log names rows that are others now, so it is written back and emptied with this step.
    contract.write_back(&transaction)?;
    transaction
        .prepare_cached("DELETE FROM entity_chunk WHERE contract = ?1 AND chunk >= ?2")?
        .execute(params![contract.id, contract.entities.chunks().len() as i64])?;
    save(&transaction, contract.id, keys, buffer)?;
    contract.write_residue(&transaction, changes, buffer)?;
    if remaining(contract) != contract.under_previous_key {
        transaction.execute(
            "UPDATE identifier_key SET remaining = ?2 WHERE contract = ?1",
            params![contract.plan.schema.name, remaining(contract) as i64],
        )?;
    }
    transaction.commit()
}

/// Entities under a former identifier key: never more than there are.
fn remaining(contract: &Contract) -> u64 {
    contract.under_previous_key.min(contract.entities.len() as u64)
}

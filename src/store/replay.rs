//! Held records that go through their contract again, and those that somebody decides about.
//!
//! Reading them and normalising them is done outside the writer's thread; here those that pass are
//! folded like a page, in the same transaction that marks them. Which of them still count is asked
//! again before, for they may have been let go or discarded in the meantime. A replayed version that
//! is older than what is known is superseded, as it would have been in a page.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Transaction, TransactionBehavior, params, params_from_iter};

use super::audit;
use super::contract::Contract;
use super::quarantine::{self, Condition as _};
use super::save;
use super::sqlite::failure;
use super::writer::Writer;
use super::{Batch, StoreError};
use crate::model::observation::Reject;
use crate::model::quarantine::Filter;
use crate::model::snapshot::StreamState;
use crate::model::time::Stamp;

/// Records whose mark may still be changed, and whose values are there.
const REPLAYABLE: &str = "state IN ('held', 'resolved') AND held != ''";

/// What a replay needs of one record.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its number.
    pub id: u64,
    /// The source.
    pub source: String,
    /// The stream.
    pub stream: String,
    /// Its values, as normalise wrote them.
    pub values: String,
}

/// Held records of one stream after they went through its contract again.
#[derive(Debug)]
pub struct Replay {
    /// Those that keep it now, as a page of their stream: one observation for each of `passed`.
    pub batch: Batch,
    /// The numbers of those that keep it.
    pub passed: Vec<u64>,
    /// The numbers of those that do not, with what they are refused for now; `None` if they could not
    /// go through it at all.
    pub refused: Vec<(u64, Option<Reject>)>,
}

/// What became of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Records that are marked as replayed.
    pub records: u64,
    /// How many of them are the newest version of their entity now.
    pub accepted: u64,
}

/// A decision that records need not count: a mark, nothing is deleted.
#[derive(Clone, Debug)]
pub struct Discard {
    /// Which of the held ones.
    pub filter: Filter,
    /// Who decided.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    pub at: Stamp,
}

pub(super) fn held(path: &Path, filter: &Filter) -> Result<Vec<Held>, StoreError> {
    let (condition, mut values) = filter.condition();
    values.push(Value::from(filter.limit as i64));
    let query = format!(
        "SELECT id, source, stream, held FROM quarantine WHERE {REPLAYABLE} AND {condition} ORDER BY id LIMIT ?"
    );
    quarantine::rows(path, &query, values, |row| {
        Ok(Held {
            id: row.get::<_, i64>(0)? as u64,
            source: row.get(1)?,
            stream: row.get(2)?,
            values: row.get(3)?,
        })
    })
}

/// What a replay writes besides what a page writes.
pub(super) struct Marks {
    passed: Vec<u64>,
    refused: Vec<(u64, Option<Reject>)>,
}

impl Marks {
    /// How many records pass.
    pub(super) fn passed(&self) -> u64 {
        self.passed.len() as u64
    }

    /// Marks the records, takes those that were held off the stream's count, and yields the keys for
    /// which nothing is held any more.
    pub(super) fn apply(
        &self,
        transaction: &Transaction<'_>,
        batch: &Batch,
        state: &mut StreamState,
        contract: &mut Contract,
    ) -> Result<Vec<u128>, rusqlite::Error> {
        let mut was_held =
            transaction.prepare_cached("SELECT state = 'held' FROM quarantine WHERE id = ?1")?;
        let mut pass = transaction.prepare_cached(
            "UPDATE quarantine SET state = 'replayed', held = '', attempts = attempts + 1, closed_at = ?2, contract_version = ?3 WHERE id = ?1",
        )?;
        let mut free = Vec::new();
        for (id, key) in self.passed.iter().zip(&batch.observations.keys) {
            let id = *id as i64;
            state.quarantined -= u64::from(was_held.query_row([id], |row| row.get::<_, bool>(0))?);
            pass.execute(params![id, batch.at.0, batch.contract_version])?;
            if !contract.is_waited_for(transaction, *key)? {
                free.push(*key);
            }
        }
        for (id, reject) in &self.refused {
            Self::refuse(transaction, *id, reject.as_ref(), batch.contract_version)?;
            let key = reject.as_ref().and_then(|reject| reject.key);
            // It may be held under a key that could not be made before.
            if let Some(key) = key
                && contract.is_waited_for(transaction, key)?
            {
                contract.held.insert(key);
            }
        }
        Ok(free)
    }

    fn refuse(
        transaction: &Transaction<'_>,
        id: u64,
        reject: Option<&Reject>,
        version: u32,
    ) -> Result<(), rusqlite::Error> {
        let Some(reject) = reject else {
            transaction
                .prepare_cached(&format!(
                    "UPDATE quarantine SET attempts = attempts + 1 WHERE id = ?1 AND {REPLAYABLE}"
                ))?
                .execute([id as i64])?;
            return Ok(());
        };
        let key = reject.key.map(u128::to_le_bytes);
        transaction
            .prepare_cached(&format!(
                "UPDATE quarantine SET attempts = attempts + 1, reason = ?2, rule = ?3, contract_version = ?4, key = ?5, version = ?6
                 WHERE id = ?1 AND {REPLAYABLE}"
            ))?
            .execute(params![
                id as i64,
                reject.reason.as_str(),
                reject.rule,
                version,
                key.as_ref().map(|key| &key[..]),
                reject.version,
            ])?;
        Ok(())
    }
}

impl Writer {
    /// Folds and marks what keeps its contract now.
    pub(super) fn replay(&mut self, replay: Replay) -> Result<Replayed, StoreError> {
        let Replay { mut batch, mut passed, mut refused } = replay;
        let mut still = self.still(&passed).map_err(|error| failure(&error))?;
        let (contract, at) = (self.streams[batch.stream].name.plan, self.next_at());
        let expired = self.contracts[contract].expired_among(&batch.observations, at);
        for (i, _) in expired.iter().enumerate().filter(|(_, is_expired)| **is_expired) {
            still[i] = false;
            refused.push((passed[i], None));
        }
        if still.contains(&false) {
            batch.observations.retain(&still);
            let mut still = still.iter();
            passed.retain(|_| *still.next().unwrap_or(&false));
        }
        let marks = Marks { passed, refused };
        let committed = self.commit(&mut batch, Some(&marks), None)?;
        Ok(Replayed { records: marks.passed.len() as u64, accepted: committed.records.accepted })
    }

    fn still(&self, ids: &[u64]) -> Result<Vec<bool>, rusqlite::Error> {
        let query =
            format!("SELECT EXISTS (SELECT 1 FROM quarantine WHERE id = ?1 AND {REPLAYABLE})");
        let mut ask = self.connection.prepare_cached(&query)?;
        ids.iter().map(|id| ask.query_row([*id as i64], |row| row.get(0))).collect()
    }

    /// Marks held records as discarded; yields how many.
    pub(super) fn discard(&mut self, discard: &Discard) -> Result<u64, StoreError> {
        let at = self.next_at();
        let done = self.mark_discarded(discard, at).map_err(|error| failure(&error))?;
        self.revision += 1;
        self.publish(at);
        Ok(done)
    }

    fn mark_discarded(&mut self, discard: &Discard, at: Stamp) -> Result<u64, rusqlite::Error> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (condition, values) = discard.filter.condition();
        let mut of_streams = vec![0_u64; self.streams.len()];
        let (mut keys, mut done) = (Vec::new(), 0);
        {
            let mut statement = transaction.prepare(&format!(
                "UPDATE quarantine SET state = 'discarded', closed_at = ?, closed_by = ?, closed_why = ? WHERE state = 'held' AND {condition}
                 RETURNING source, stream, contract, key"
            ))?;
            let mark = [
                Value::from(discard.at.0),
                Value::from(discard.by.clone()),
                Value::from(discard.why.clone()),
            ];
            let mut rows = statement.query(params_from_iter(mark.into_iter().chain(values)))?;
            while let Some(row) = rows.next()? {
                let (source, stream): (String, String) = (row.get(0)?, row.get(1)?);
                let of = self
                    .streams
                    .iter()
                    .position(|known| known.name.source == source && known.name.stream == stream);
                if let Some(stream) = of {
                    of_streams[stream] += 1;
                }
                done += 1;
                let key = row.get_ref(3)?.as_blob_or_null()?;
                if let Some(key) = key.and_then(|key| <[u8; 16]>::try_from(key).ok()) {
                    keys.push((row.get::<_, String>(2)?, u128::from_le_bytes(key)));
                }
            }
        }
        let mut free = Vec::new();
        for (contract, key) in keys {
            let position =
                self.contracts.iter().position(|known| known.plan.schema.name == contract);
            if let Some(position) = position
                && !self.contracts[position].is_waited_for(&transaction, key)?
            {
                free.push((position, key));
            }
        }
        let mut states: Vec<_> = self.streams.iter().map(|stream| stream.state.clone()).collect();
        for (state, count) in states.iter_mut().zip(of_streams).filter(|(_, count)| *count > 0) {
            state.quarantined -= count.min(state.quarantined);
            save::known(&transaction, state, self.revision + 1)?;
        }
        save::revision(&transaction, (self.revision + 1, at))?;
        let deed = self.deed.as_ref().map(|deed| deed.counting(done));
        audit::write_down(&transaction, deed.as_ref(), at)?;
        transaction.commit()?;
        self.deed = None;
        for (contract, key) in free {
            self.contracts[contract].held.remove(&key);
        }
        for (stream, state) in self.streams.iter_mut().zip(states) {
            stream.state = state;
        }
        self.note_oldest().map(|()| done)
    }
}

//! A page's commit: fold in memory with a way back, one SQL transaction, then the new snapshot; or
//! the way back.

use std::sync::Arc;

use rusqlite::TransactionBehavior;

use super::held::{Quarantine, Released};
use super::save;
use super::sqlite::failure;
use super::writer::Writer;
use super::{Batch, Committed, StoreError};
use crate::fold::{Folded, against};
use crate::model::snapshot::{Conservation, StreamState};
use crate::model::time::Stamp;

impl Writer {
    /// Folds and commits a page.
    pub(super) fn commit(&mut self, batch: &Batch) -> Result<Committed, StoreError> {
        let position = self.streams[batch.stream].name.plan;
        let contract = &mut self.contracts[position];
        let folded = against(&mut contract.entities, &contract.plan, &batch.observations);
        let log_bytes = contract.log_bytes;
        let before: Vec<_> = contract.cubes.measures().map(Arc::clone).collect();
        match self.write(batch, &folded, position) {
            Ok(Written { records, state, cursor, released }) => {
                let stream = &mut self.streams[batch.stream];
                (stream.state, stream.cursor) = (state, cursor);
                self.let_go(position, batch.stream, &released);
                self.revision += 1;
                self.publish(batch.at);
                let (inserted, updated, latest) = (folded.inserted, folded.updated, folded.latest);
                Ok(Committed { records, inserted, updated, latest })
            }
            Err(error) => {
                let contract = &mut self.contracts[position];
                folded.undo(&mut contract.entities);
                contract.log_bytes = log_bytes;
                contract.cubes.put_back(before);
                Err(failure(&error))
            }
        }
    }

    /// Forgets keys that nobody waits for any more, and takes their records off the counts of the
    /// other streams that had brought them.
    fn let_go(&mut self, contract: usize, by: usize, released: &Released) {
        for key in &released.keys {
            self.contracts[contract].held.remove(key);
        }
        let others = self.streams.iter_mut().enumerate().filter(|(i, _)| *i != by);
        for (_, stream) in others {
            let count = released.of(&stream.name);
            stream.state.quarantined -= count.min(stream.state.quarantined);
        }
    }

    fn write(
        &mut self,
        batch: &Batch,
        folded: &Folded,
        position: usize,
    ) -> Result<Written, rusqlite::Error> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let contract = &mut self.contracts[position];
        let stream = &self.streams[batch.stream];
        contract.append(&transaction, folded, &mut self.buffer)?;
        contract.cubes.append(&transaction, &folded.changes, &mut self.buffer)?;
        let (is_log_long, is_cube_log_long) =
            (contract.is_log_long(), contract.cubes.is_log_long());
        if is_log_long {
            contract.write_back(&transaction)?;
        }
        if is_cube_log_long {
            contract.cubes.write_back(&transaction, &mut self.buffer)?;
        }
        let (mut state, mut cursor) = (stream.state.clone(), stream.cursor);
        let kept =
            Quarantine { transaction: &transaction, batch, contract: &contract.plan.schema.name }
                .keep(&mut state, &mut contract.held)?;
        let released = contract.release(&transaction, folded)?;
        state.quarantined -= released.of(&stream.name).min(state.quarantined);
        let records = Conservation {
            received: batch.received,
            accepted: folded.accepted(),
            superseded: folded.superseded,
            duplicate: folded.duplicate,
            quarantined: kept,
            rejected: batch.rejects.len() as u64 - kept,
        };
        state.total.add(&records);
        if let Some(moment) = batch.cursor {
            cursor = Some(moment);
            state.cursor = Some(Stamp(moment).rfc3339());
        }
        save::stream(&transaction, &state, cursor)?;
        save::revision(&transaction, self.revision + 1, batch.at)?;
        transaction.commit()?;
        // Only now: had the commit failed, the logs would still be needed.
        if is_log_long {
            contract.written_back();
        }
        if is_cube_log_long {
            contract.cubes.written_back();
        }
        Ok(Written { records, state, cursor, released })
    }
}

/// What a committed page leaves to be taken over into memory.
struct Written {
    records: Conservation,
    state: StreamState,
    cursor: Option<i64>,
    released: Released,
}

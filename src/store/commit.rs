//! A page's commit: fold in memory with a way back, one SQL transaction, then the new snapshot; or
//! the way back.

use rusqlite::TransactionBehavior;

use super::audit;
use super::delivery::{self, Delivery};
use super::guards;
use super::held::{Quarantine, Released};
use super::keys::{self, Rekeyed};
use super::replay::Marks;
use super::retention::{self, Expired};
use super::save;
use super::sqlite::failure;
use super::writer::Writer;
use super::{Batch, Committed, StoreError};
use crate::failpoint;
use crate::fold::{Bringer, Folded, against};
use crate::model::snapshot::{Conservation, StreamState};
use crate::model::time::Stamp;

impl Writer {
    /// Folds and commits a page that was pulled or delivered, or held records that are replayed.
    pub(super) fn commit(
        &mut self,
        batch: &mut Batch,
        marks: Option<&Marks>,
        delivery: Option<&Delivery>,
    ) -> Result<Committed, StoreError> {
        let position = self.streams[batch.stream].name.plan;
        let at = self.next_at();
        let contract = &mut self.contracts[position];
        let crowded = contract.texts.resolve(&mut batch.observations);
        // Those of a replay have been looked through before.
        let expired =
            if marks.is_none() { contract.refuse_expired(batch, at) } else { Expired::default() };
        let built = contract.cubes.built();
        let over = Stamp(at.0 - contract.plan.schema.fresh_within.as_seconds());
        let bringer = Bringer {
            origin: self.streams[batch.stream].number,
            over_before: over.day().0.into(),
            built: &built,
        };
        let schema = &contract.plan.schema;
        let rekeyed = keys::rekey(&mut contract.entities, schema, &batch.observations);
        let folded = against(&mut contract.entities, &contract.plan, &batch.observations, bringer);
        failpoint::pass("folded");
        let log_bytes = contract.log_bytes;
        let before = contract.cubes.before();
        let counted = (position, at, &expired);
        match self.write(batch, (&rekeyed, &folded), counted, marks, delivery) {
            Ok(Written { records, state, cursor, released, under_previous_key }) => {
                failpoint::pass("committed");
                self.contracts[position].under_previous_key = under_previous_key;
                let stream = &mut self.streams[batch.stream];
                (stream.state, stream.cursor) = (state, cursor);
                self.let_go(position, batch.stream, &released);
                self.contracts[position].texts.saved();
                self.contracts[position].remember(&expired.renamed);
                let has_changed = !batch.rejects.is_empty() || !released.records.is_empty();
                if has_changed || marks.is_some() {
                    self.note_oldest().map_err(|error| failure(&error))?;
                }
                self.revision += 1;
                self.publish(at);
                failpoint::pass("published");
                let Folded { inserted, late, updated, latest, .. } = folded;
                let expired = expired.count;
                Ok(Committed { records, inserted, late, updated, crowded, expired, latest })
            }
            Err(error) => {
                let contract = &mut self.contracts[position];
                folded.undo(&mut contract.entities);
                rekeyed.undo(&mut contract.entities);
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
        (rekeyed, folded): (&Rekeyed, &Folded),
        (position, at, expired): (usize, Stamp, &Expired),
        marks: Option<&Marks>,
        delivery: Option<&Delivery>,
    ) -> Result<Written, rusqlite::Error> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let commit = (self.revision + 1, at);
        let contract = &mut self.contracts[position];
        let stream = &self.streams[batch.stream];
        contract.texts.save(&transaction)?;
        retention::save(&transaction, contract.id, &expired.renamed, &mut self.buffer)?;
        let under_previous_key =
            contract.keep_keys(&transaction, &batch.observations, rekeyed, &mut self.buffer)?;
        contract.append(&transaction, folded, &mut self.buffer)?;
        contract.cubes.append(&transaction, folded, commit, &mut self.buffer)?;
        let (is_log_long, is_much_new) = (contract.is_log_long(), contract.cubes.is_much_new());
        if is_log_long {
            contract.write_back(&transaction)?;
        }
        if is_much_new {
            contract.cubes.write_back(&transaction, commit.0, &mut self.buffer)?;
        }
        let (mut state, mut cursor) = (stream.state.clone(), stream.cursor);
        let kept = Quarantine { transaction: &transaction, batch, number: stream.number }
            .keep(&mut state, contract)?;
        let marked = marks.map(|marks| marks.apply(&transaction, batch, &mut state, contract));
        let mut released = contract.release(&transaction, folded, &stream.name)?;
        released.keys.extend(marked.transpose()?.unwrap_or_default());
        state.quarantined -= released.of(&stream.name).min(state.quarantined);
        let records = Conservation {
            received: batch.received,
            accepted: folded.accepted(),
            superseded: folded.superseded,
            duplicate: folded.duplicate,
            quarantined: kept,
            rejected: batch.rejects.len() as u64 - kept + expired.count,
        };
        // A replayed record was received long ago and stands in the totals as quarantined.
        if marks.is_none() {
            state.total.add(&records);
        }
        if let Some(delivery) = delivery {
            delivery::save(&transaction, &stream.name, delivery, &records, at)?;
        }
        if let Some(moment) = batch.cursor {
            cursor = Some(moment);
            state.cursor = Some(Stamp(moment).rfc3339());
        }
        // It stood for what was known before this page; the end of the run brings a new one.
        if state.validator.take().is_some() {
            guards::save_validator(&transaction, &stream.name, None)?;
        }
        save::stream(&transaction, &state, cursor)?;
        save::known(&transaction, &state, commit.0)?;
        for other in released.others(&stream.name) {
            if let Some(other) = self.streams.iter().find(|stream| other.is(&stream.name)) {
                let mut state = other.state.clone();
                state.quarantined -= released.of(&other.name).min(state.quarantined);
                save::known(&transaction, &state, commit.0)?;
            }
        }
        save::revision(&transaction, commit)?;
        let replayed = marks.map_or(0, Marks::passed);
        let deed = self.deed.as_ref().map(|deed| deed.counting(replayed));
        audit::write_down(&transaction, deed.as_ref(), at)?;
        transaction.commit()?;
        self.deed = None;
        // Only now: had the commit failed, the logs would still be needed.
        if is_log_long {
            contract.written_back();
        }
        if is_much_new {
            contract.cubes.written_back();
        }
        Ok(Written { records, state, cursor, released, under_previous_key })
    }
}

/// What a committed page leaves to be taken over into memory.
struct Written {
    records: Conservation,
    state: StreamState,
    cursor: Option<i64>,
    released: Released,
    under_previous_key: u64,
}

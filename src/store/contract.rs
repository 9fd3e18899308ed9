//! One contract's entities and cubes, and how its entities get onto the disk.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use rusqlite::{Transaction, params};

use super::cubes::Cubes;
use super::texts::Texts;
use crate::failpoint;
use crate::fold::entities::{CHUNK, LIVE, state};
use crate::fold::{Entities, Folded, Plan};
use crate::model::items::Items;

/// Bytes of entity log below which it is never written back into chunks; little in unit tests, so
/// that they get there.
const MIN_LOG: u64 = if cfg!(test) { 4 << 10 } else { 64 << 20 };

pub(super) struct Contract {
    pub(super) id: i64,
    pub(super) plan: Plan,
    pub(super) entities: Entities,
    pub(super) cubes: Cubes,
    pub(super) dirty: BTreeSet<u32>,
    pub(super) log_bytes: u64,
    pub(super) held: HashSet<u128>,
    pub(super) texts: Texts,
    /// Records that stand under the identifier key before the present one.
    pub(super) under_previous_key: u64,
    /// Whether the key is being replaced: records are looked up under the previous one as well.
    pub(super) is_rekeying: bool,
    /// By stream whose full pass is under way: lower halves of the keys that changed meanwhile.
    pub(super) passes: BTreeMap<usize, HashSet<u64>>,
    /// Lower halves of the keys of entities that have expired, sorted.
    pub(super) expired: Vec<u64>,
}

impl Contract {
    /// Its records, if they may be read one by one: those that count, in the order in which they came.
    ///
    /// Made anew with every revision. A register is small (its contract says how small), and nothing
    /// that changes records has to remember that somebody reads them.
    pub(super) fn items(&self) -> Option<(String, Arc<Items>)> {
        let schema = &self.plan.schema;
        let most = schema.readable? as usize;
        let (mut items, mut row) = (Items::default(), Vec::new());
        for at in 0..self.entities.len() as u32 {
            let body = self.entities.body(at);
            if state(body) != LIVE {
                continue;
            }
            if items.rows.len() == most {
                items.beyond += 1;
                continue;
            }
            schema.layout.unpack(&body[1..], &mut row);
            items.rows.push(row.clone());
        }
        Some((schema.name.clone(), Arc::new(items)))
    }

    /// Appends the changed entities to the log, as one blob.
    pub(super) fn append(
        &mut self,
        transaction: &Transaction<'_>,
        folded: &Folded,
        buffer: &mut Vec<u8>,
    ) -> Result<(), rusqlite::Error> {
        self.note_changed(folded);
        self.append_rows(transaction, &folded.rows, buffer)
    }

    /// Appends rows to the log, as one blob.
    pub(super) fn append_rows(
        &mut self,
        transaction: &Transaction<'_>,
        rows: &[u32],
        buffer: &mut Vec<u8>,
    ) -> Result<(), rusqlite::Error> {
        if rows.is_empty() {
            return Ok(());
        }
        buffer.clear();
        for row in rows {
            buffer.extend_from_slice(&row.to_le_bytes());
            buffer.extend_from_slice(self.entities.record(*row));
            self.dirty.insert(row / CHUNK as u32);
        }
        self.log_bytes += buffer.len() as u64;
        transaction
            .prepare_cached("INSERT INTO entity_log (contract, records) VALUES (?1, ?2)")?
            .execute(params![self.id, &*buffer])?;
        Ok(())
    }

    /// Whether the log of entities has outgrown them.
    pub(super) fn is_log_long(&self) -> bool {
        let entities = (self.entities.len() * self.entities.width()) as u64;
        self.log_bytes > failpoint::limit(MIN_LOG.max(entities), 4 << 10)
    }

    /// Notes that what [`Contract::write_back`] wrote has been committed.
    pub(super) fn written_back(&mut self) {
        self.dirty.clear();
        self.log_bytes = 0;
    }

    /// Empties the log and writes dirty chunks back, into the room that the log leaves.
    pub(super) fn write_back(&self, transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
        transaction.execute("DELETE FROM entity_log WHERE contract = ?1", [self.id])?;
        let mut insert = transaction
            .prepare_cached("INSERT OR REPLACE INTO entity_chunk VALUES (?1, ?2, ?3)")?;
        for chunk in &self.dirty {
            if let Some(records) = self.entities.chunks().get(*chunk as usize) {
                insert.execute(params![self.id, chunk, records])?;
            }
        }
        Ok(())
    }
}

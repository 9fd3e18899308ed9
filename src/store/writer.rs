//! The one thread that writes: it folds a page, commits it and shows the result.
//!
//! Folding happens here and not in the pipeline because a change must be computed from the newest
//! version, and only the one who owns the entities can know that. The order of a commit is: fold in
//! memory with a way back, one SQL transaction, then the new snapshot; or the way back.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use tokio::sync::{mpsc, watch};

use super::cubes::{self, Cubes};
use super::save;
use super::sqlite::{Opened, failure};
use super::{
    Batch, Command, Committed, MAX_QUARANTINED, Parts, QUEUE, RunEnd, Store, StoreError,
    StreamName, load, trouble,
};
use crate::fold::entities::CHUNK;
use crate::fold::{Entities, Folded, Plan, against};
use crate::model::observation::Reject;
use crate::model::snapshot::{Conservation, Outcome, RUNS_KEPT, RunLine, Snapshot, StreamState};
use crate::model::time::Stamp;

/// Bytes of entity log below which it is never written back into chunks; little in unit tests, so
/// that they get there.
const MIN_LOG: u64 = if cfg!(test) { 4 << 10 } else { 64 << 20 };

/// Finished runs kept per stream on disk.
pub(super) const RUNS_ON_DISK: i64 = if cfg!(test) { 70 } else { 5000 };

struct Contract {
    id: i64,
    plan: Plan,
    entities: Entities,
    cubes: Cubes,
    dirty: BTreeSet<u32>,
    log_bytes: u64,
    held: HashSet<u128>,
}

struct Stream {
    name: StreamName,
    state: StreamState,
    cursor: Option<i64>,
}

struct Writer {
    connection: Connection,
    contracts: Vec<Contract>,
    streams: Vec<Stream>,
    revision: u64,
    snapshot: Arc<ArcSwap<Snapshot>>,
    announce: watch::Sender<u64>,
    fatal: watch::Sender<Option<StoreError>>,
    buffer: Vec<u8>,
    _lock: File,
}

pub(super) fn start(opened: Opened, parts: Parts) -> Result<Store, StoreError> {
    let Opened { mut connection, path, lock, .. } = opened;
    let loaded = load_all(&mut connection, parts).map_err(|error| failure(&error))?;
    let (contracts, streams, revision, at) = loaded;
    let (announce, revisions) = watch::channel(revision);
    let (fatal, failures) = watch::channel(None);
    let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
    let mut writer = Writer {
        connection,
        contracts,
        streams,
        revision,
        snapshot: Arc::clone(&snapshot),
        announce,
        fatal,
        buffer: Vec::new(),
        _lock: lock,
    };
    writer.publish(at);
    let (commands, queue) = mpsc::channel(QUEUE);
    std::thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || writer.work(queue))
        .map_err(|error| StoreError::Fatal(format!("cannot start the store's thread: {error}")))?;
    Ok(Store { commands, snapshot, revision: revisions, fatal: failures, path: Arc::new(path) })
}

type Everything = (Vec<Contract>, Vec<Stream>, u64, Stamp);

fn load_all(connection: &mut Connection, parts: Parts) -> Result<Everything, rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    load::save_dictionaries(&transaction, &parts.words)?;
    let mut held = load::held_keys(&transaction)?;
    let (mut contracts, mut repacked) = (Vec::new(), Vec::new());
    cubes::forget(&transaction, &parts.plans)?;
    let log = cubes::log(&transaction)?;
    for plan in parts.plans {
        let loaded = load::contract(&transaction, &plan)?;
        let cubes = Cubes::load(&transaction, &plan, &loaded, &log)?;
        let load::Contract { id, entities, log_bytes, .. } = loaded;
        let dirty = if log_bytes > 0 {
            (0..=(entities.len() / CHUNK) as u32).collect()
        } else {
            BTreeSet::new()
        };
        let held = held.remove(&plan.schema.name).unwrap_or_default();
        repacked.push(loaded.repacked);
        let mut contract = Contract { id, plan, entities, cubes, dirty, log_bytes, held };
        if loaded.repacked {
            contract.dirty = (0..contract.entities.chunks().len() as u32).collect();
            transaction.execute("DELETE FROM entity_chunk WHERE contract = ?1", [id])?;
            contract.write_back(&transaction)?;
            contract.written_back();
        }
        contracts.push(contract);
    }
    let mut streams = Vec::new();
    for name in parts.streams {
        let (mut state, mut cursor) =
            load::stream(&transaction, &name, &contracts[name.plan].plan.schema.name)?;
        if repacked[name.plan] {
            (state.cursor, cursor) = (None, None);
            save::stream(&transaction, &state, cursor)?;
        }
        streams.push(Stream { name, state, cursor });
    }
    let meta = |name: &str| {
        transaction
            .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get::<_, i64>(0))
    };
    let (revision, at) = (meta("revision")? as u64, Stamp(meta("committed_at")?));
    transaction.commit()?;
    Ok((contracts, streams, revision, at))
}

impl Writer {
    fn work(mut self, mut queue: mpsc::Receiver<Command>) {
        while let Some(command) = queue.blocking_recv() {
            let failed = match command {
                Command::Commit(batch, reply) => {
                    let answer = self.commit(&batch);
                    let failed = answer.as_ref().err().cloned();
                    let _ = reply.send(answer);
                    failed
                }
                Command::Begin(stream, at) => {
                    // Seen with the next commit: the beginning of a run changes no number.
                    self.streams[stream].state.last_attempt = Some(at);
                    None
                }
                Command::End(end, reply) => {
                    let (stream, at) = (end.stream, end.ended);
                    let line = self.end(&end);
                    self.answer(stream, at, &line, reply)
                }
                Command::Schedule(stream, at) => {
                    self.streams[stream].state.next_run = Some(at);
                    None
                }
                Command::Close(reply) => {
                    let _ = self.connection.pragma_query(None, "wal_checkpoint", |_| Ok(()));
                    // Whoever is told that the store is closed may open it again.
                    drop(self);
                    let _ = reply.send(());
                    return;
                }
                #[cfg(test)]
                Command::Sql(text) => {
                    self.connection.execute_batch(&text).expect("a test's SQL is right");
                    None
                }
            };
            if let Some(
                error @ (StoreError::Fatal(_) | StoreError::Foreign(_) | StoreError::Owned(_)),
            ) = failed
            {
                self.fatal.send_replace(Some(error));
                return;
            }
        }
    }

    fn answer(
        &mut self,
        stream: usize,
        at: Stamp,
        line: &RunLine,
        reply: tokio::sync::oneshot::Sender<Result<(), StoreError>>,
    ) -> Option<StoreError> {
        let saved = self.save_state(stream, at, line).map_err(|error| failure(&error));
        if saved.is_ok() {
            self.publish(at);
        }
        let failed = saved.as_ref().err().cloned();
        let _ = reply.send(saved);
        failed
    }

    /// Folds and commits a page.
    fn commit(&mut self, batch: &Batch) -> Result<Committed, StoreError> {
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

    fn end(&mut self, end: &RunEnd) -> RunLine {
        let stream = &mut self.streams[end.stream];
        let state = &mut stream.state;
        state.trouble = trouble(state.trouble.as_ref(), end);
        if end.failure.is_none() {
            state.last_success = Some(end.ended);
        }
        if let Some(moment) = end.cursor {
            stream.cursor = Some(moment);
            state.cursor = Some(Stamp(moment).rfc3339());
        }
        // A watermark never goes back: a late run cannot take back what was believed complete.
        state.data_through = state.data_through.max(end.data_through);
        state.targets = end.targets.or(state.targets);
        let outcome = if end.records.balances() { end.outcome } else { Outcome::Unbalanced };
        let message = end.failure.as_ref().map(|(_, message)| message.clone());
        let line = RunLine {
            started: end.started,
            ended: end.ended,
            outcome,
            pages: end.pages,
            records: end.records,
            message,
        };
        state.runs.push_back(line.clone());
        while state.runs.len() > RUNS_KEPT {
            state.runs.pop_front();
        }
        line
    }

    fn save_state(
        &mut self,
        stream: usize,
        at: Stamp,
        line: &RunLine,
    ) -> Result<(), rusqlite::Error> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Stream { name, state, cursor } = &self.streams[stream];
        save::stream(&transaction, state, *cursor)?;
        save::run(&transaction, name, line)?;
        save::revision(&transaction, self.revision + 1, at)?;
        transaction.commit()?;
        self.revision += 1;
        Ok(())
    }

    /// Shows the present state to readers.
    fn publish(&mut self, at: Stamp) {
        let measures = self.contracts.iter().flat_map(|contract| contract.cubes.measures());
        let measures =
            measures.map(|measure| (measure.name.clone(), Arc::clone(measure))).collect();
        let streams: BTreeMap<_, _> = self
            .streams
            .iter()
            .map(|stream| {
                (
                    format!("{}.{}", stream.name.source, stream.name.stream),
                    Arc::new(stream.state.clone()),
                )
            })
            .collect();
        self.snapshot.store(Arc::new(Snapshot { revision: self.revision, at, measures, streams }));
        self.announce.send_replace(self.revision);
    }
}

impl Contract {
    /// Appends the changed entities to the log, as one blob.
    fn append(
        &mut self,
        transaction: &Transaction<'_>,
        folded: &Folded,
        buffer: &mut Vec<u8>,
    ) -> Result<(), rusqlite::Error> {
        if folded.rows.is_empty() {
            return Ok(());
        }
        buffer.clear();
        for row in &folded.rows {
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

    /// Lets go of quarantined records whose entity has been accepted since; yields how many.
    fn release(
        &mut self,
        transaction: &Transaction<'_>,
        folded: &Folded,
    ) -> Result<Released, rusqlite::Error> {
        let mut released = Released::default();
        if self.held.is_empty() {
            return Ok(released);
        }
        let mut resolve = transaction.prepare_cached(
            "UPDATE quarantine SET state = 'resolved' WHERE contract = ?1 AND key = ?2 AND state = 'held'
             RETURNING source, stream",
        )?;
        for row in &folded.rows {
            let key = self.entities.key(*row);
            if self.held.contains(&key) {
                let mut rows =
                    resolve.query(params![self.plan.schema.name, &key.to_le_bytes()[..]])?;
                while let Some(row) = rows.next()? {
                    released.records.push((row.get(0)?, row.get(1)?));
                }
                released.keys.push(key);
            }
        }
        Ok(released)
    }

    /// Whether the log of entities has outgrown them.
    fn is_log_long(&self) -> bool {
        self.log_bytes > MIN_LOG.max((self.entities.len() * self.entities.width()) as u64)
    }

    /// Notes that what [`Contract::write_back`] wrote has been committed.
    fn written_back(&mut self) {
        self.dirty.clear();
        self.log_bytes = 0;
    }

    /// Empties the log and writes dirty chunks back, into the room that the log leaves.
    fn write_back(&self, transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
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

/// What a committed page leaves to be taken over into memory.
struct Written {
    records: Conservation,
    state: StreamState,
    cursor: Option<i64>,
    released: Released,
}

/// Records that left the quarantine because a good version came, whoever brought it.
#[derive(Default)]
struct Released {
    keys: Vec<u128>,
    /// Source and stream of each record.
    records: Vec<(String, String)>,
}

impl Released {
    /// How many of them this stream had brought.
    fn of(&self, name: &StreamName) -> u64 {
        let is_of =
            |(source, stream): &&(String, String)| *source == name.source && *stream == name.stream;
        self.records.iter().filter(is_of).count() as u64
    }
}

struct Quarantine<'a> {
    transaction: &'a Transaction<'a>,
    batch: &'a Batch,
    contract: &'a str,
}

impl Quarantine<'_> {
    /// Keeps the rejects as far as there is room; yields how many were kept.
    fn keep(
        &self,
        state: &mut StreamState,
        held: &mut HashSet<u128>,
    ) -> Result<u64, rusqlite::Error> {
        let mut kept = 0;
        for reject in &self.batch.rejects {
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

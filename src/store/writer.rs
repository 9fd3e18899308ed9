//! The one thread that writes: it folds a page, commits it and shows the result.
//!
//! Folding happens here and not in the pipeline because a change must be computed from the newest
//! version, and only the one who owns the entities can know that. The order of a commit is: fold in
//! memory with a way back, one SQL transaction, then the new snapshot; or the way back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, watch};

use super::contract::Contract;
use super::cubes::{self, Cubes};
use super::save;
use super::sqlite::{Opened, failure};
use super::{Command, Parts, QUEUE, RunEnd, Store, StoreError, StreamName, load, trouble};
use crate::fold::entities::CHUNK;
use crate::model::snapshot::{Outcome, RUNS_KEPT, RunLine, Snapshot, StreamState};
use crate::model::time::Stamp;

/// Finished runs kept per stream on disk.
pub(super) const RUNS_ON_DISK: i64 = if cfg!(test) { 70 } else { 5000 };

pub(super) struct Stream {
    pub(super) name: StreamName,
    pub(super) state: StreamState,
    pub(super) cursor: Option<i64>,
}

pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) contracts: Vec<Contract>,
    pub(super) streams: Vec<Stream>,
    pub(super) revision: u64,
    pub(super) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(super) announce: watch::Sender<u64>,
    pub(super) fatal: watch::Sender<Option<StoreError>>,
    pub(super) buffer: Vec<u8>,
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
    pub(super) fn publish(&mut self, at: Stamp) {
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

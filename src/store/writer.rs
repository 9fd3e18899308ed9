//! The one thread that writes: it folds a page, commits it and shows the result.
//!
//! Folding happens here and not in the pipeline because a change must be computed from the newest
//! version, and only the one who owns the entities can know that. The order of a commit is: fold in
//! memory with a way back, one SQL transaction, then the new snapshot; or the way back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, watch};

use super::audit;
use super::backfill;
use super::breaches;
use super::contract::Contract;
use super::cubes::{self, Cubes, Opening};
use super::delivery;
use super::guards;
use super::history;
use super::journal;
use super::keys;
use super::lateness;
use super::pause;
use super::precedence;
use super::retention::{self, Expiry};
use super::save;
use super::sqlite::{Opened, failure};
use super::sweep;
use super::texts::Texts;
use super::{Command, Parts, QUEUE, Store, StoreError, StreamName, load, told};
use crate::clock::Clock;
use crate::failpoint;
use crate::fold::entities::{CHUNK, ORIGINS};
use crate::model::audit::{Action, Actor, Deed};
use crate::model::backfill::Backfill;
use crate::model::lateness::LatenessRegister;
use crate::model::snapshot::{Circuit, Paused, Snapshot, StreamState};
use crate::model::time::Stamp;
use crate::model::units::Span;

/// Finished runs kept per stream on disk.
pub(super) const RUNS_ON_DISK: i64 = if cfg!(test) { 70 } else { 5000 };

pub(super) struct Stream {
    pub(super) name: StreamName,
    pub(super) state: StreamState,
    pub(super) cursor: Option<i64>,
    /// Tells it apart from the other streams of its contract.
    pub(super) number: u8,
    /// Whether the register of breaches has changed since it was last written.
    pub(super) is_register_unsaved: bool,
    /// The lateness register as it is on the disk.
    pub(super) saved_lateness: Arc<LatenessRegister>,
}

pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) contracts: Vec<Contract>,
    pub(super) streams: Vec<Stream>,
    pub(super) revision: u64,
    /// When the newest revision was made; the next is never made earlier.
    pub(super) at: Stamp,
    pub(super) clock: Clock,
    /// How long the journal keeps each commit apart.
    full_for: Span,
    /// The beginning of the first day that has not been compacted.
    compacted: Stamp,
    pub(super) expiry: Expiry,
    /// The sources that are paused.
    pub(super) paused: BTreeMap<String, Paused>,
    /// What was asked for of the past, the oldest first.
    pub(super) backfills: Arc<Vec<Backfill>>,
    pub(super) circuits: BTreeMap<String, Circuit>,
    pub(super) snapshot: Arc<ArcSwap<Snapshot>>,
    pub(super) announce: watch::Sender<u64>,
    pub(super) fatal: watch::Sender<Option<StoreError>>,
    path: Arc<PathBuf>,
    pub(super) buffer: Vec<u8>,
    /// What the command at work is to be written down as, until it is.
    pub(super) deed: Option<Deed>,
    _lock: File,
}

pub(super) fn start(opened: Opened, parts: Parts) -> Result<Store, StoreError> {
    let Opened { mut connection, path, lock, .. } = opened;
    let (clock, full_for) = (parts.clock.clone(), parts.journal_full_for);
    keys::check(&connection, &parts)?;
    let loaded = load_all(&mut connection, parts).map_err(|error| failure(&error))?;
    let (contracts, streams, circuits, (revision, at)) = loaded;
    let (announce, _) = watch::channel(revision);
    let (fatal, _) = watch::channel(None);
    let paused = pause::load(&connection).map_err(|error| failure(&error))?;
    let backfills = backfill::load(&connection).map_err(|error| failure(&error))?;
    let mut writer = Writer {
        connection,
        contracts,
        streams,
        revision,
        at,
        clock,
        full_for,
        compacted: Stamp(0),
        expiry: Expiry::default(),
        paused,
        backfills: Arc::new(backfills),
        circuits,
        snapshot: Arc::new(ArcSwap::from_pointee(Snapshot::default())),
        announce,
        fatal,
        path: Arc::new(path),
        buffer: Vec::new(),
        deed: None,
        _lock: lock,
    };
    writer.publish(at);
    writer.end_forsaken()?;
    let (commands, queue) = mpsc::channel(QUEUE);
    let store = writer.handle(commands);
    std::thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || writer.work(queue))
        .map_err(|error| StoreError::Fatal(format!("cannot start the store's thread: {error}")))?;
    Ok(store)
}

pub(super) type Everything = (Vec<Contract>, Vec<Stream>, BTreeMap<String, Circuit>, (u64, Stamp));

pub(super) fn load_all(
    connection: &mut Connection,
    parts: Parts,
) -> Result<Everything, rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    load::save_dictionaries(&transaction, &parts.words)?;
    let mut held = load::held_keys(&transaction)?;
    // Contracts whose streams begin anew.
    let (mut contracts, mut anew) = (Vec::new(), BTreeSet::new());
    let (revision, at) = save::newest(&transaction)?;
    let commit = (revision + 1, at.max(parts.clock.now()));
    let mut opening = Opening { commit, changed: false };
    let is_another = parts.epoch.note(&transaction, commit.0)?;
    opening.changed |= is_another;
    if is_another {
        let (gateway, action) = (Actor::gateway(), Action::ConfigurationTaken);
        let deed = Deed::new(gateway, action, &parts.epoch.hash, "");
        audit::write_down(&transaction, Some(&deed), commit.1)?;
    }
    cubes::forget(&transaction, &parts.plans, &mut opening)?;
    for (plan, ids) in parts.plans.into_iter().zip(parts.keys) {
        let loaded = load::contract(&transaction, &plan)?;
        let cubes = Cubes::load(&transaction, &plan, &loaded, &mut opening)?;
        let load::Contract { id, entities, log_bytes, .. } = loaded;
        let dirty = if log_bytes > 0 {
            (0..=(entities.len() / CHUNK) as u32).collect()
        } else {
            BTreeSet::new()
        };
        let held = held.remove(&plan.schema.name).unwrap_or_default();
        let texts = Texts::new(&plan.schema, &parts.words);
        let mut contract = Contract {
            id,
            under_previous_key: keys::adopt(&transaction, &plan.schema.name, ids, entities.len())?,
            is_rekeying: ids.previous.is_some(),
            plan,
            entities,
            cubes,
            dirty,
            log_bytes,
            held,
            texts,
            passes: BTreeMap::new(),
            expired: retention::load(&transaction, id)?,
        };
        if loaded.repacked {
            contract.dirty = (0..contract.entities.chunks().len() as u32).collect();
            transaction.execute("DELETE FROM entity_chunk WHERE contract = ?1", [id])?;
            contract.write_back(&transaction)?;
            contract.written_back();
        }
        let position = contracts.len();
        let feeding: Vec<_> = parts.streams.iter().filter(|name| name.plan == position).collect();
        if precedence::note(&transaction, &contract.plan.schema.name, &feeding)? {
            anew.insert(position);
        }
        if loaded.repacked {
            anew.insert(position);
        }
        contracts.push(contract);
    }
    let mut streams = Vec::new();
    for name in parts.streams {
        let (mut state, mut cursor, number) =
            load::stream(&transaction, &name, &contracts[name.plan].plan.schema.name)?;
        sweep::load(&transaction, &name, &mut state)?;
        history::load(&transaction, &name, &mut state)?;
        if anew.contains(&name.plan) {
            (state.cursor, cursor, state.history) = (None, None, None);
            save::stream(&transaction, &state, cursor)?;
            history::save(&transaction, &name, None)?;
            guards::save_validator(&transaction, &name, None)?;
        }
        state.validator = guards::validator(&transaction, &name)?;
        if opening.changed {
            save::known(&transaction, &state, commit.0)?;
        }
        state.register = breaches::load(&transaction, &name)?;
        if name.rank > 0 {
            let ranks = &mut contracts[name.plan].plan.ranks;
            ranks.resize(ORIGINS.into(), 0);
            ranks[usize::from(number)] = name.rank;
        }
        let saved_lateness = lateness::load(&transaction, &name)?;
        state.lateness = Arc::clone(&saved_lateness);
        let is_register_unsaved = false;
        streams.push(Stream { name, state, cursor, number, is_register_unsaved, saved_lateness });
    }
    let mut newest = (revision, at);
    if opening.changed {
        newest = commit;
        save::revision(&transaction, commit)?;
    }
    let circuits = guards::circuits(&transaction)?;
    transaction.commit()?;
    Ok((contracts, streams, circuits, newest))
}

impl Writer {
    /// A handle whose commands come through `commands`.
    pub(super) fn handle(&self, commands: mpsc::Sender<Command>) -> Store {
        Store {
            commands,
            snapshot: Arc::clone(&self.snapshot),
            revision: self.announce.subscribe(),
            fatal: self.fatal.subscribe(),
            path: Arc::clone(&self.path),
            deed: None,
        }
    }

    /// Begins anew what is kept besides contracts and streams.
    pub(super) fn adopt(&mut self, full_for: Span) {
        (self.full_for, self.compacted, self.expiry) = (full_for, Stamp(0), Expiry::default());
    }

    fn sign(&mut self, key: &audit::SigningKey) -> Result<Option<audit::Checkpoint>, StoreError> {
        let signed = audit::sign(&self.connection, key, self.next_at());
        signed.map_err(|error| failure(&error))
    }

    fn work(mut self, mut queue: mpsc::Receiver<Command>) {
        while let Some(command) = self.next(&mut queue) {
            let command = self.on_behalf(command);
            let failed = match command {
                // One deed at a time: what is within has been taken out already.
                Command::For(..) => None,
                Command::Note(deed, reply) => told(reply, self.note(&deed)),
                Command::Sign(key, reply) => told(reply, self.sign(&key)),
                Command::Build => self.build(),
                Command::Expire => self.expire(),
                Command::Settle(reply) => {
                    let _ = reply.send(());
                    None
                }
                Command::Commit(mut batch, reply) => {
                    told(reply, self.commit(&mut batch, None, None))
                }
                Command::Deliver(mut batch, delivery, reply) => {
                    told(reply, self.commit(&mut batch, None, delivery.as_ref()))
                }
                Command::Delivered(stream, delivery, reply) => {
                    let name = &self.streams[stream].name;
                    let found = delivery::find(&self.connection, name, &delivery);
                    told(reply, found.map_err(|error| failure(&error)))
                }
                Command::Replay(replay, reply) => told(reply, self.replay(*replay)),
                Command::Discard(discard, reply) => told(reply, self.discard(&discard)),
                Command::BeginPass(stream) => {
                    self.begin_pass(stream);
                    None
                }
                Command::Unseen(stream, seen, reply) => {
                    let _ = reply.send(self.count_unseen(stream, &seen));
                    None
                }
                Command::Sweep(sweep, reply) => told(reply, self.sweep(&sweep)),
                Command::Confirm(stream, by, at, reply) => {
                    told(reply, self.confirm(stream, &by, at))
                }
                Command::Pause(source, paused, reply) => told(reply, self.pause(source, paused)),
                Command::AskBackfill(wanted, reply) => told(reply, self.ask_backfill(*wanted)),
                Command::CancelBackfill(id, reply) => told(reply, self.cancel_backfill(id)),
                Command::Webhooks(order) => self.webhooks(order),
                Command::Reload(parts, reply) => {
                    // A failure has changed nothing; if the disk is to blame, a commit will tell.
                    let answer = self.reload(*parts).map(|(store, others)| {
                        queue = others;
                        store
                    });
                    let _ = reply.send(answer);
                    None
                }
                Command::Begin(stream, at) => {
                    // Seen with the next commit: the beginning of a run changes no number.
                    self.streams[stream].state.last_attempt = Some(at);
                    None
                }
                Command::End(end, reply) => self.ended(&end, reply),
                Command::EndSlice(slice, reply) => self.slice_ended(&slice, reply),
                Command::Schedule(stream, at) => {
                    self.streams[stream].state.next_run = Some(at);
                    None
                }
                Command::Judge(since, reply) => told(reply, self.judge(since)),
                Command::Close(reply) => {
                    let _ = self.connection.pragma_query(None, "wal_checkpoint", |_| Ok(()));
                    // Whoever is told that the store is closed may open it again.
                    drop(self);
                    let _ = reply.send(());
                    return;
                }
                #[cfg(test)]
                Command::ExpireSome(steps, reply) => {
                    self.expiry.by_hand = true;
                    self.begin_expiry(self.next_at());
                    let mut failed = None;
                    for _ in 0..steps {
                        if !self.expiry.is_under_way() || failed.is_some() {
                            break;
                        }
                        failed = self.expire();
                    }
                    let _ = reply.send(!self.expiry.is_under_way());
                    failed
                }
                #[cfg(test)]
                Command::Sql(text) => {
                    self.connection.execute_batch(&text).expect("a test's SQL is right");
                    None
                }
            };
            let failed = failed.or_else(|| self.note_rest());
            if let Some(
                error @ (StoreError::Fatal(_) | StoreError::Foreign(_) | StoreError::Owned(_)),
            ) = failed
            {
                self.fatal.send_replace(Some(error));
                return;
            }
        }
    }

    /// Once a local day: merges what the journal knows of the day that has become old.
    pub(super) fn compact(&mut self, now: Stamp) -> Option<StoreError> {
        let until = Stamp(now.0 - self.full_for.as_seconds()).day().start();
        if until <= self.compacted {
            return None;
        }
        let (revision, mut gone) = (self.revision, 0);
        let compacted = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                // A merged entry has the last revision of its day: it must be in the days already.
                for contract in &self.contracts {
                    contract.cubes.write_back(&transaction, revision, &mut self.buffer)?;
                }
                gone = journal::compact(&transaction, until)?;
                transaction.commit()
            });
        match compacted.map_err(|error| failure(&error)) {
            Ok(()) => {
                self.contracts.iter_mut().for_each(|contract| contract.cubes.written_back());
                self.compacted = until;
                tracing::info!(entries = gone, "the journal of old days has been merged");
                None
            }
            Err(StoreError::Full) => None,
            Err(error) => Some(error),
        }
    }

    /// The moment of the next commit: never before the one before it, whatever the clock does.
    pub(super) fn next_at(&self) -> Stamp {
        self.at.max(self.clock.now())
    }

    /// The next command; while measures are being built or entities expire and nobody asks for
    /// anything, to go on with that.
    fn next(&self, queue: &mut mpsc::Receiver<Command>) -> Option<Command> {
        let is_building = self.contracts.iter().any(|contract| contract.cubes.is_building());
        if !is_building && !self.expiry.goes_on() {
            return queue.blocking_recv();
        }
        match queue.try_recv() {
            Ok(command) => Some(command),
            // What is built is counted row by row, so no row may move meanwhile.
            Err(TryRecvError::Empty) if is_building => Some(Command::Build),
            Err(TryRecvError::Empty) => Some(Command::Expire),
            Err(TryRecvError::Disconnected) => None,
        }
    }

    /// Takes the building of measures one step on; what is whole is committed and shown.
    fn build(&mut self) -> Option<StoreError> {
        let (commit, mut done) = ((self.revision + 1, self.next_at()), None);
        let building = self.contracts.iter_mut().find(|contract| contract.cubes.is_building());
        if let Some(Contract { cubes, plan, entities, .. }) = building {
            if cubes.build(plan, entities) {
                failpoint::pass("built");
                let written = self
                    .connection
                    .transaction_with_behavior(TransactionBehavior::Immediate)
                    .and_then(|transaction| {
                        let ids = cubes.finish(&transaction, commit)?;
                        save::revision(&transaction, commit)?;
                        transaction.commit()?;
                        Ok(ids)
                    });
                match written.map_err(|error| failure(&error)) {
                    Ok(ids) => done = Some(ids),
                    Err(StoreError::Full) => {}
                    Err(error) => return Some(error),
                }
            }
            if let Some(ids) = done {
                cubes.finished(ids);
                self.revision = commit.0;
            }
        }
        self.publish(if self.revision == commit.0 { commit.1 } else { self.at });
        None
    }

    /// Shows the present state to readers.
    pub(super) fn publish(&mut self, at: Stamp) {
        self.at = at;
        let rebuilding = self
            .contracts
            .iter()
            .flat_map(|contract| contract.cubes.rebuilding(contract.entities.len() as u64));
        let rebuilding = rebuilding.collect();
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
        let revision = self.revision;
        let texts = self.contracts.iter().flat_map(|contract| contract.texts.dictionaries());
        let texts = texts.collect();
        let items = self.contracts.iter().filter_map(Contract::items).collect();
        let rekeying = self.contracts.iter().filter(|contract| contract.is_rekeying);
        let rekeying = rekeying
            .map(|contract| (contract.plan.schema.name.clone(), contract.under_previous_key));
        let rekeying = rekeying.collect();
        let (paused, circuits) = (self.paused.clone(), self.circuits.clone());
        let backfills = Arc::clone(&self.backfills);
        let snapshot = Snapshot {
            revision,
            at,
            measures,
            streams,
            texts,
            items,
            rekeying,
            circuits,
            rebuilding,
            paused,
            backfills,
        };
        self.snapshot.store(Arc::new(snapshot));
        self.announce.send_replace(self.revision);
    }
}

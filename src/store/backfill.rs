//! Backfills: what was asked for, how far it has come, what became of it.
//!
//! How far one has come is written in the same transaction as the line of the run that brought its
//! slice, so that a slice either is in or comes again. The records themselves were committed page by
//! page, like any others.

use std::sync::Arc;

use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};

use super::load::{Loaded, damaged};
use super::sqlite::failure;
use super::writer::Writer;
use super::{RunEnd, StoreError, audit, save};
use crate::model::backfill::{Backfill, OVER_KEPT, Slice, State, Wanted};
use crate::model::time::Stamp;

/// Made when a store without it is opened. `backfill` is how far the histories of streams have come,
/// which is something else (`history.rs`).
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS backfill_job (
  id INTEGER PRIMARY KEY, source TEXT NOT NULL, stream TEXT NOT NULL, begin_at INTEGER NOT NULL, end_at INTEGER NOT NULL,
  step INTEGER NOT NULL, asked_by TEXT NOT NULL, asked_at INTEGER NOT NULL, ended_at INTEGER, state TEXT NOT NULL,
  reached INTEGER NOT NULL, received INTEGER NOT NULL, accepted INTEGER NOT NULL, failures INTEGER NOT NULL, message TEXT)";

/// A slice of a backfill that was asked for, and the run that it was.
#[derive(Clone, Debug)]
pub struct SliceEnd {
    /// The run.
    pub end: RunEnd,
    /// The backfill's number.
    pub backfill: u64,
    /// What became of it.
    pub slice: Slice,
}

/// All backfills that are remembered, the oldest first.
pub(super) fn load(connection: &Connection) -> Loaded<Vec<Backfill>> {
    let mut statement = connection.prepare(
        "SELECT id, source, stream, begin_at, end_at, step, asked_by, asked_at, ended_at, state, reached, received, accepted,
         failures, message FROM backfill_job ORDER BY id",
    )?;
    statement.query_map([], read)?.collect()
}

fn read(row: &Row<'_>) -> Loaded<Backfill> {
    let stamp = |at: usize| row.get(at).map(Stamp);
    let count = |at: usize| row.get::<_, i64>(at).map(|count| count as u64);
    let state: String = row.get(9)?;
    let wanted = Wanted {
        source: row.get(1)?,
        stream: row.get(2)?,
        from: stamp(3)?,
        until: stamp(4)?,
        step: row.get(5)?,
        by: row.get(6)?,
    };
    Ok(Backfill {
        id: count(0)?,
        wanted,
        asked: stamp(7)?,
        ended: row.get::<_, Option<i64>>(8)?.map(Stamp),
        state: State::parse(&state).ok_or_else(|| damaged(format!("a backfill is '{state}'")))?,
        reached: stamp(10)?,
        received: count(11)?,
        accepted: count(12)?,
        failures: count(13)?,
        message: row.get(14)?,
    })
}

/// Writes a backfill as it stands, and forgets the oldest of those that are over.
pub(super) fn save(transaction: &Transaction<'_>, job: &Backfill) -> Loaded<()> {
    let Wanted { source, stream, from, until, step, by } = &job.wanted;
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO backfill_job
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            job.id as i64,
            source,
            stream,
            from.0,
            until.0,
            step,
            by,
            job.asked.0,
            job.ended.map(|at| at.0),
            job.state.as_str(),
            job.reached.0,
            job.received as i64,
            job.accepted as i64,
            job.failures as i64,
            job.message
        ])?;
    transaction.execute(
        "DELETE FROM backfill_job WHERE state != 'running' AND id NOT IN
         (SELECT id FROM backfill_job WHERE state != 'running' ORDER BY id DESC LIMIT ?1)",
        [OVER_KEPT as i64],
    )?;
    Ok(())
}

impl Writer {
    /// Notes what somebody asks for; yields its number, or `Err` with that of the one under way: a stream
    /// has one at a time.
    pub(super) fn ask_backfill(&mut self, wanted: Wanted) -> Result<Result<u64, u64>, StoreError> {
        let is_same = |job: &&Backfill| {
            job.state == State::Running
                && (&job.wanted.source, &job.wanted.stream) == (&wanted.source, &wanted.stream)
        };
        if let Some(running) = self.backfills.iter().find(is_same) {
            self.deed = None;
            return Ok(Err(running.id));
        }
        let id = self.backfills.last().map_or(1, |last| last.id + 1);
        let job = Backfill {
            id,
            asked: self.next_at(),
            ended: None,
            state: State::Running,
            reached: wanted.from,
            received: 0,
            accepted: 0,
            failures: 0,
            message: None,
            wanted,
        };
        self.keep_backfill(job)?;
        Ok(Ok(id))
    }

    /// Ends a backfill; yields how it stands then, or nothing if there is none. One that is over stays
    /// what it is.
    pub(super) fn cancel_backfill(&mut self, id: u64) -> Result<Option<Backfill>, StoreError> {
        let Some(job) = self.backfills.iter().find(|job| job.id == id).cloned() else {
            self.deed = None;
            return Ok(None);
        };
        if job.state != State::Running {
            self.deed = None;
            return Ok(Some(job));
        }
        let job = Backfill { state: State::Cancelled, ended: Some(self.next_at()), ..job };
        self.keep_backfill(job.clone())?;
        Ok(Some(job))
    }

    /// How a backfill stands after a slice; nothing if it is not remembered any more.
    pub(super) fn after_slice(&self, slice: &SliceEnd) -> Option<Backfill> {
        let SliceEnd { end, backfill, slice } = slice;
        let job = self.backfills.iter().find(|job| job.id == *backfill)?;
        Some(job.after(slice, (end.records.received, end.records.accepted), end.ended))
    }

    /// Takes over how a backfill stands, once that is written.
    pub(super) fn took(&mut self, job: Backfill) {
        let backfills = Arc::make_mut(&mut self.backfills);
        match backfills.iter_mut().find(|known| known.id == job.id) {
            Some(known) => *known = job,
            None => backfills.push(job),
        }
        let is_over = |job: &Backfill| job.state != State::Running;
        let over = backfills.iter().filter(|job| is_over(job)).count();
        let mut surplus = over.saturating_sub(OVER_KEPT);
        backfills.retain(|job| {
            let goes = surplus > 0 && is_over(job);
            surplus -= usize::from(goes);
            !goes
        });
    }

    /// Ends those whose stream is not there any more: nobody would ever go on with them.
    pub(super) fn end_forsaken(&mut self) -> Result<(), StoreError> {
        let has = |job: &Backfill| {
            let of = |stream: &super::writer::Stream| {
                stream.name.source == job.wanted.source && stream.name.stream == job.wanted.stream
            };
            self.streams.iter().any(of)
        };
        let forsaken = |job: &&Backfill| job.state == State::Running && !has(job);
        let forsaken: Vec<_> = self.backfills.iter().filter(forsaken).cloned().collect();
        for job in forsaken {
            let message = Some("the stream is not in the configuration any more".to_owned());
            let ended = Some(self.next_at());
            self.keep_backfill(Backfill { state: State::Failed, ended, message, ..job })?;
        }
        Ok(())
    }

    /// Writes how a backfill stands, by itself, and shows it.
    fn keep_backfill(&mut self, job: Backfill) -> Result<(), StoreError> {
        let commit = (self.revision + 1, self.next_at());
        self.write_backfill(&job, commit).map_err(|error| failure(&error))?;
        self.took(job);
        self.revision = commit.0;
        self.publish(commit.1);
        Ok(())
    }

    fn write_backfill(&mut self, job: &Backfill, commit: (u64, Stamp)) -> Loaded<()> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        save(&transaction, job)?;
        save::revision(&transaction, commit)?;
        audit::write_down(&transaction, self.deed.as_ref(), commit.1)?;
        transaction.commit()?;
        self.deed = None;
        Ok(())
    }
}

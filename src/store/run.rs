//! The end of a run: its line, and where it leaves its stream.

use std::sync::Arc;

use rusqlite::TransactionBehavior;
use tokio::sync::oneshot;

use super::sqlite::failure;
use super::writer::{Stream, Writer};
use super::{
    RunEnd, SliceEnd, StoreError, backfill, breaches, guards, history, lateness, save, sweep,
    trouble,
};
use crate::model::backfill::Backfill;
use crate::model::snapshot::{Outcome, RUNS_KEPT, RunLine};
use crate::model::time::Stamp;

/// What is written when a run has ended.
struct End {
    stream: usize,
    is_history_moved: bool,
    /// The backfill that it was a slice of, as it stands then.
    backfill: Option<Backfill>,
    line: RunLine,
}

impl Writer {
    /// Notes the end of a run.
    pub(super) fn ended(
        &mut self,
        end: &RunEnd,
        reply: oneshot::Sender<Result<(), StoreError>>,
    ) -> Option<StoreError> {
        let (stream, at) = (end.stream, self.next_at());
        let history = self.streams[stream].state.history.clone();
        let line = self.end(end);
        let is_history_moved = self.streams[stream].state.history != history;
        self.answer(End { stream, is_history_moved, backfill: None, line }, at, reply)
    }

    /// Notes the end of a slice of a backfill. The stream's troubles, its watermark and where it goes on
    /// stay what its ordinary runs made them.
    pub(super) fn slice_ended(
        &mut self,
        slice: &SliceEnd,
        reply: oneshot::Sender<Result<(), StoreError>>,
    ) -> Option<StoreError> {
        let (stream, at) = (slice.end.stream, self.next_at());
        let line = self.keep_line(&slice.end);
        let backfill = self.after_slice(slice);
        self.answer(End { stream, is_history_moved: false, backfill, line }, at, reply)
    }

    fn answer(
        &mut self,
        end: End,
        at: Stamp,
        reply: oneshot::Sender<Result<(), StoreError>>,
    ) -> Option<StoreError> {
        let saved = self.save_state(&end, at).map_err(|error| failure(&error));
        if saved.is_ok() {
            if let Some(backfill) = end.backfill {
                self.took(backfill);
            }
            self.publish(at);
        }
        let failed = saved.as_ref().err().cloned();
        let _ = reply.send(saved);
        self.begin_expiry(at);
        failed.or_else(|| self.compact(at))
    }

    pub(super) fn end(&mut self, end: &RunEnd) -> RunLine {
        let stream = &mut self.streams[end.stream];
        self.contracts[stream.name.plan].passes.remove(&end.stream);
        let state = &mut stream.state;
        state.trouble = match (trouble(state.trouble.as_ref(), end), &state.refused) {
            (None, Some(refused)) => {
                Some(sweep::trouble(refused, &stream.name, state.trouble.as_ref()))
            }
            (trouble, _) => trouble,
        };
        if end.outcome == Outcome::Ok {
            state.reconciled.get_or_insert(end.started);
        }
        let is_answered = matches!(
            end.outcome,
            Outcome::Ok
                | Outcome::SkippedUnchanged
                | Outcome::Truncated
                | Outcome::ReconcileRefused
        );
        if is_answered {
            state.last_success = Some(end.ended);
        }
        if let Some(moment) = end.cursor {
            stream.cursor = Some(moment);
            state.cursor = Some(Stamp(moment).rfc3339());
        }
        if let Some(history) = &end.history {
            state.history = (history.total > 0).then(|| history.clone());
        }
        // A watermark never goes back: a late run cannot take back what was believed complete.
        state.data_through = state.data_through.max(end.data_through);
        state.targets = end.targets.or(state.targets);
        lateness::note(&stream.name, state, end);
        state.validator.clone_from(&end.validator);
        self.keep_line(end)
    }

    /// Adds the run's line to those of its stream, and what its pages showed to the register.
    fn keep_line(&mut self, end: &RunEnd) -> RunLine {
        let stream = &mut self.streams[end.stream];
        let state = &mut stream.state;
        state.total.received += end.refused;
        state.total.rejected += end.refused;
        stream.is_register_unsaved |= breaches::note(state, end);
        if let Some(circuit) = end.circuit {
            self.circuits.insert(stream.name.source.clone(), circuit);
        }
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

    fn save_state(&mut self, end: &End, at: Stamp) -> Result<(), rusqlite::Error> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Stream { name, state, cursor, is_register_unsaved, saved_lateness, .. } =
            &mut self.streams[end.stream];
        save::stream(&transaction, state, *cursor)?;
        sweep::note_first(&transaction, name, state)?;
        if end.is_history_moved {
            history::save(&transaction, name, state.history.as_ref())?;
        }
        if let Some(backfill) = &end.backfill {
            backfill::save(&transaction, backfill)?;
        }
        save::run(&transaction, name, &end.line)?;
        guards::save_validator(&transaction, name, state.validator.as_ref())?;
        if let Some(circuit) = self.circuits.get(&name.source) {
            guards::save_circuit(&transaction, &name.source, *circuit)?;
        }
        let ids = if *is_register_unsaved {
            breaches::save(&transaction, name, &state.register)?
        } else {
            Vec::new()
        };
        lateness::save(&transaction, name, saved_lateness, &state.lateness)?;
        save::known(&transaction, state, self.revision + 1)?;
        save::revision(&transaction, (self.revision + 1, at))?;
        transaction.commit()?;
        *is_register_unsaved = false;
        *saved_lateness = Arc::clone(&state.lateness);
        for (breach, id) in state.register.breaches.iter_mut().zip(ids) {
            breach.id = id;
        }
        self.revision += 1;
        Ok(())
    }
}

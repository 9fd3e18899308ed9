//! The end of a full pass: what the source no longer lists is taken back, in one transaction with the
//! run's line – unless so much is missing that the list itself is the likelier fault.
//!
//! The mass-delete guard refuses a pass that misses more than a share of the stream's entities (and
//! more than a few), and one that saw nothing at all. A refusal is the stream's trouble until a
//! complete pass is not refused, or somebody confirms it; a confirmation holds for the next pass and
//! for no more records than it was given for, and stands in that pass's line. What arrived or changed
//! while the pass was under way is left alone.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};

use super::audit;
use super::contract::Contract;
use super::lateness;
use super::save;
use super::sqlite::failure;
use super::writer::{Stream, Writer};
use super::{RunEnd, StoreError, StreamName};
use crate::fold::{Bringer, Folded, entities, vanish};
use crate::model::snapshot::{Outcome, Refused, StreamState, Trouble};
use crate::model::time::Stamp;

/// The reason of the trouble that a refused pass is.
const REFUSED: &str = "reconcile_refused";

/// A complete full pass.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The run that it was.
    pub end: RunEnd,
    /// The lower halves of all keys that the source listed, refused records included; sorted.
    pub seen: Vec<u64>,
    /// The largest share of the stream's entities that may vanish unconfirmed.
    pub max_ratio: f64,
    /// So many may vanish whatever their share.
    pub min: u64,
}

/// What a full pass came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Entities that the pass did not see.
    pub unseen: u64,
    /// Entities of the stream that counted before it.
    pub of: u64,
    /// Whether the unseen ones were taken back.
    pub is_done: bool,
}

impl Sweep {
    fn allows(&self, unseen: u64, of: u64, refused: Option<&Refused>) -> bool {
        let is_few = unseen <= self.min || unseen as f64 <= self.max_ratio * of as f64;
        let confirmed = refused.filter(|refused| refused.confirmed.is_some());
        let is_confirmed = confirmed.is_some_and(|refused| unseen <= refused.records + self.min);
        unseen == 0 || is_confirmed || (is_few && !self.seen.is_empty())
    }
}

impl Contract {
    /// Notes for every full pass under way that these rows have changed since it began.
    pub(super) fn note_changed(&mut self, folded: &Folded) {
        for changed in self.passes.values_mut() {
            changed.extend(folded.rows.iter().map(|row| self.entities.key(*row) as u64));
        }
    }

    /// The counting entities of a stream that a pass did not see, and how many count in all. An entity
    /// is the stream's that brought its newest version.
    fn unseen(&self, stream: usize, number: u8, seen: &[u64]) -> (Vec<u32>, u64) {
        let nothing = HashSet::new();
        let changed = self.passes.get(&stream).unwrap_or(&nothing);
        let (mut unseen, mut of) = (Vec::new(), 0);
        for row in 0..self.entities.len() as u32 {
            let body = self.entities.body(row);
            if entities::state(body) != entities::LIVE || entities::origin(body) != number {
                continue;
            }
            of += 1;
            let key = self.entities.key(row) as u64;
            if seen.binary_search(&key).is_err() && !changed.contains(&key) {
                unseen.push(row);
            }
        }
        (unseen, of)
    }
}

impl Writer {
    /// A full pass of a stream begins: from now on it is noted what changes.
    pub(super) fn begin_pass(&mut self, stream: usize) {
        let contract = self.streams[stream].name.plan;
        self.contracts[contract].passes.insert(stream, HashSet::new());
    }

    /// How many entities a pass has not seen, without doing anything about it.
    pub(super) fn count_unseen(&self, stream: usize, seen: &[u64]) -> u64 {
        let Stream { name, number, .. } = &self.streams[stream];
        self.contracts[name.plan].unseen(stream, *number, seen).0.len() as u64
    }

    /// Ends a complete full pass.
    pub(super) fn sweep(&mut self, sweep: &Sweep) -> Result<Swept, StoreError> {
        let stream = sweep.end.stream;
        let (position, origin) = (self.streams[stream].name.plan, self.streams[stream].number);
        let (rows, of) = self.contracts[position].unseen(stream, origin, &sweep.seen);
        let refused = self.streams[stream].state.refused.clone();
        let is_done = sweep.allows(rows.len() as u64, of, refused.as_ref());
        let swept = Swept { unseen: rows.len() as u64, of, is_done };
        let contract = &mut self.contracts[position];
        let rows = if is_done { &rows[..] } else { &[] };
        let built = contract.cubes.built();
        let bringer = Bringer { origin, built: &built, ..Bringer::default() };
        let folded = vanish(&mut contract.entities, &contract.plan, rows, bringer);
        let (log_bytes, state) = (contract.log_bytes, self.streams[stream].state.clone());
        let cursor = self.streams[stream].cursor;
        let before = contract.cubes.before();
        let at = self.next_at();
        if let Err(error) = self.write_sweep(sweep, swept, &folded, at) {
            let contract = &mut self.contracts[position];
            folded.undo(&mut contract.entities);
            contract.log_bytes = log_bytes;
            contract.cubes.put_back(before);
            (self.streams[stream].state, self.streams[stream].cursor) = (state, cursor);
            return Err(failure(&error));
        }
        let stream = &mut self.streams[stream];
        stream.saved_lateness = Arc::clone(&stream.state.lateness);
        self.revision += 1;
        self.publish(at);
        Ok(swept)
    }

    fn write_sweep(
        &mut self,
        sweep: &Sweep,
        swept: Swept,
        folded: &Folded,
        at: Stamp,
    ) -> Result<(), rusqlite::Error> {
        let stream = sweep.end.stream;
        let mut end = sweep.end.clone();
        let refused = self.streams[stream].state.refused.take();
        let message = if swept.is_done {
            self.streams[stream].state.reconciled = Some(end.started);
            (swept.unseen > 0).then(|| taken_back(swept, refused.as_ref()))
        } else {
            let now = Refused {
                records: swept.unseen,
                of: swept.of,
                at: refused.map_or(end.started, |before| before.at),
                confirmed: None,
            };
            let message = said(&now, &self.streams[stream].name);
            self.streams[stream].state.refused = Some(now);
            end.outcome = Outcome::ReconcileRefused;
            end.failure = Some((REFUSED.to_owned(), message.clone()));
            Some(message)
        };
        let mut line = self.end(&end);
        line.message = message;
        if let Some(last) = self.streams[stream].state.runs.back_mut() {
            last.message.clone_from(&line.message);
        }
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let stream = &self.streams[stream];
        let contract = &mut self.contracts[stream.name.plan];
        contract.append(&transaction, folded, &mut self.buffer)?;
        let commit = (self.revision + 1, at);
        contract.cubes.append(&transaction, folded, commit, &mut self.buffer)?;
        save::stream(&transaction, &stream.state, stream.cursor)?;
        note(&transaction, &stream.name, &stream.state)?;
        save::run(&transaction, &stream.name, &line)?;
        lateness::save(&transaction, &stream.name, &stream.saved_lateness, &stream.state.lateness)?;
        save::known(&transaction, &stream.state, commit.0)?;
        save::revision(&transaction, commit)?;
        audit::write_down(&transaction, self.deed.as_ref(), commit.1)?;
        transaction.commit()?;
        self.deed = None;
        Ok(())
    }

    /// Takes somebody's word for it that what the refused pass missed is gone; yields how many
    /// records, or nothing if no pass is refused.
    pub(super) fn confirm(
        &mut self,
        stream: usize,
        by: &str,
        at: Stamp,
    ) -> Result<Option<u64>, StoreError> {
        let mut state = self.streams[stream].state.clone();
        let name = self.streams[stream].name.clone();
        let Some(refused) = &mut state.refused else { return Ok(None) };
        refused.confirmed = Some((by.to_owned(), at));
        let records = refused.records;
        state.trouble = Some(trouble(refused, &name, state.trouble.as_ref()));
        let saved = self.save_confirmed(&name, &state, stream);
        saved.map_err(|error| failure(&error))?;
        self.streams[stream].state = state;
        self.revision += 1;
        self.publish(self.next_at());
        Ok(Some(records))
    }

    fn save_confirmed(
        &mut self,
        name: &StreamName,
        state: &StreamState,
        stream: usize,
    ) -> Result<(), rusqlite::Error> {
        let (cursor, commit) = (self.streams[stream].cursor, (self.revision + 1, self.next_at()));
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        note(&transaction, name, state)?;
        save::stream(&transaction, state, cursor)?;
        save::revision(&transaction, commit)?;
        transaction.commit()
    }
}

/// The trouble that a refused pass goes on being after a good ordinary run.
pub(super) fn trouble(refused: &Refused, name: &StreamName, before: Option<&Trouble>) -> Trouble {
    let count = before.filter(|trouble| trouble.reason == REFUSED).map_or(1, |known| known.count);
    Trouble { reason: REFUSED.to_owned(), message: said(refused, name), since: refused.at, count }
}

fn said(refused: &Refused, name: &StreamName) -> String {
    let Refused { records, of, confirmed, .. } = refused;
    let missing =
        format!("a full pass missed {records} of {of} records and took none of them back");
    match confirmed {
        None => format!(
            "{missing}; if they are really gone: iocgw source confirm-retractions {}.{}",
            name.source, name.stream
        ),
        Some((by, at)) => {
            format!("{missing}; confirmed by {by} at {at}, the next full pass will take them back")
        }
    }
}

fn taken_back(swept: Swept, refused: Option<&Refused>) -> String {
    let done = format!("{} of {} records had vanished and were taken back", swept.unseen, swept.of);
    match refused.and_then(|refused| refused.confirmed.as_ref()) {
        None => done,
        Some((by, at)) => format!("{done}, as confirmed by {by} at {at}"),
    }
}

/// Writes what is known of a stream's full passes.
fn note(
    transaction: &Transaction<'_>,
    name: &StreamName,
    state: &StreamState,
) -> Result<(), rusqlite::Error> {
    let refused = state.refused.as_ref();
    let confirmed = refused.and_then(|refused| refused.confirmed.as_ref());
    transaction
        .prepare_cached("INSERT OR REPLACE INTO reconcile VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![
            name.source,
            name.stream,
            state.reconciled.map(|at| at.0),
            refused.map(|refused| refused.records as i64),
            refused.map(|refused| refused.of as i64),
            refused.map(|refused| refused.at.0),
            confirmed.map(|(by, _)| by),
            confirmed.map(|(_, at)| at.0),
        ])?;
    Ok(())
}

/// Notes the first good run of a stream as the moment from which vanished records are noticed.
pub(super) fn note_first(
    transaction: &Transaction<'_>,
    name: &StreamName,
    state: &StreamState,
) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO reconcile (source, stream, done) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![name.source, name.stream, state.reconciled.map(|at| at.0)])?;
    Ok(())
}

/// Reads what [`note`] wrote into the stream's state.
pub(super) fn load(
    transaction: &Transaction<'_>,
    name: &StreamName,
    state: &mut StreamState,
) -> Result<(), rusqlite::Error> {
    let read = |row: &rusqlite::Row<'_>| {
        let stamp = |column| row.get::<_, Option<i64>>(column).map(|at| at.map(Stamp));
        let count = |column| row.get::<_, Option<i64>>(column).map(|n| n.map(|n| n as u64));
        let by: Option<String> = row.get("confirmed_by")?;
        let confirmed = by.zip(stamp("confirmed_at")?);
        let refused = (count("refused")?, count("of")?, stamp("refused_at")?);
        let refused = match refused {
            (Some(records), Some(of), Some(at)) => Some(Refused { records, of, at, confirmed }),
            _ => None,
        };
        Ok((stamp("done")?, refused))
    };
    let known = transaction
        .query_row(
            "SELECT * FROM reconcile WHERE source = ?1 AND stream = ?2",
            params![name.source, name.stream],
            read,
        )
        .optional()?;
    if let Some((reconciled, refused)) = known {
        (state.reconciled, state.refused) = (reconciled, refused);
    }
    Ok(())
}

//! The lateness register on disk: one row per report that is or was due, and one per spell of old data.
//!
//! Written with the line of the run that found a report in or missing, so what is told of a report is
//! never ahead of the data. Rows that have not changed are not written again; the oldest go when a
//! stream has [`crate::model::lateness::REPORTS_KEPT`] of them.

use std::sync::Arc;

use rusqlite::{OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::load::{Loaded, damaged};
use super::save;
use super::sqlite::failure;
use super::writer::Writer;
use super::{RunEnd, StoreError, StreamName};
use crate::lateness::{self, Look, Sight};
use crate::model::lateness::{LatenessRegister, Report, ReportState, Spell};
use crate::model::snapshot::{Outcome, StreamState};
use crate::model::time::{Day, Stamp};

/// Made when a store without them is opened: it has promised nothing until then.
pub(super) const TABLES: &str = "CREATE TABLE IF NOT EXISTS report (
  source TEXT NOT NULL, stream TEXT NOT NULL, due_on INTEGER NOT NULL, due_at INTEGER NOT NULL, period_from INTEGER NOT NULL,
  period_until INTEGER NOT NULL, reach INTEGER NOT NULL, accountable_unit TEXT NOT NULL, state TEXT NOT NULL, witnessed INTEGER NOT NULL,
  missed_by TEXT, missed_at INTEGER, came_at INTEGER, changed_at INTEGER NOT NULL, PRIMARY KEY (source, stream, due_on)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS promised (
  source TEXT NOT NULL, stream TEXT NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (source, stream)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spell (
  source TEXT NOT NULL, stream TEXT NOT NULL, began_at INTEGER NOT NULL, data_through INTEGER NOT NULL, fresh_within INTEGER NOT NULL,
  accountable_unit TEXT NOT NULL, missed_by TEXT NOT NULL, noticed_at INTEGER NOT NULL, ended_at INTEGER,
  PRIMARY KEY (source, stream, began_at)) WITHOUT ROWID;";

/// Takes a finished run into the stream's register.
pub(super) fn note(name: &StreamName, state: &mut StreamState, end: &RunEnd) {
    let sight = Sight {
        data_through: state.data_through,
        look: look(end),
        listening_since: None,
        now: end.ended,
    };
    judged(name, &mut state.lateness, sight);
}

/// Goes through a stream's register: what is due, and how old its data are.
fn judged(name: &StreamName, register: &mut Arc<LatenessRegister>, sight: Sight<'_>) {
    let changed = match &name.promise {
        None => lateness::released(register),
        Some(promise) => lateness::pass(register, promise, sight),
    };
    if let Some(changed) = changed {
        *register = Arc::new(changed);
    }
    if let Some(changed) = lateness::age(register, &name.age_limit, sight) {
        *register = Arc::new(changed);
    }
}

/// What a run has seen of its source; nothing if it has not looked, by no fault of the source's, or
/// goes on where it stopped.
fn look(end: &RunEnd) -> Option<Look<'_>> {
    let failed_by = match end.outcome {
        Outcome::Ok | Outcome::SkippedUnchanged => None,
        Outcome::Paused | Outcome::Unbalanced => return None,
        _ if end.is_ours => return None,
        _ => Some(end.failure.as_ref()?.0.as_str()),
    };
    Some(Look { began: end.started, failed_by })
}

/// Writes what differs between the register on the disk and the present one.
pub(super) fn save(
    transaction: &Transaction<'_>,
    name: &StreamName,
    saved: &Arc<LatenessRegister>,
    register: &Arc<LatenessRegister>,
) -> Loaded<()> {
    if Arc::ptr_eq(saved, register) {
        return Ok(());
    }
    let of = (&name.source, &name.stream);
    if let Some(since) = register.since {
        transaction
            .prepare_cached("INSERT OR REPLACE INTO promised VALUES (?1, ?2, ?3)")?
            .execute(params![name.source, name.stream, since.0])?;
    } else if saved.since.is_some() {
        transaction
            .prepare_cached("DELETE FROM promised WHERE source = ?1 AND stream = ?2")?
            .execute(of)?;
    }
    let is_in = |reports: &[Report], of: &Report| {
        reports
            .binary_search_by_key(&of.due_on, |report| report.due_on)
            .ok()
            .map(|at| reports[at] == *of)
    };
    for gone in saved.reports.iter().filter(|report| is_in(&register.reports, report).is_none()) {
        transaction
            .prepare_cached("DELETE FROM report WHERE source = ?1 AND stream = ?2 AND due_on = ?3")?
            .execute(params![name.source, name.stream, gone.due_on.0])?;
    }
    let changed = register.reports.iter();
    for report in changed.filter(|report| is_in(&saved.reports, report) != Some(true)) {
        write(transaction, name, report)?;
    }
    save_spells(transaction, name, (saved, register))
}

/// A spell is known by its beginning; it changes once, when it ends.
fn save_spells(
    transaction: &Transaction<'_>,
    name: &StreamName,
    (saved, register): (&LatenessRegister, &LatenessRegister),
) -> Loaded<()> {
    let is_gone = |spell: &&Spell| !register.spells.iter().any(|is| is.began_at == spell.began_at);
    for gone in saved.spells.iter().filter(is_gone) {
        transaction
            .prepare_cached(
                "DELETE FROM spell WHERE source = ?1 AND stream = ?2 AND began_at = ?3",
            )?
            .execute(params![name.source, name.stream, gone.began_at.0])?;
    }
    for spell in register.spells.iter().filter(|spell| !saved.spells.contains(spell)) {
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO spell VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                name.source,
                name.stream,
                spell.began_at.0,
                spell.data_through.0,
                spell.fresh_within,
                spell.accountable_unit,
                spell.missed_by,
                spell.noticed_at.0,
                spell.ended_at.map(|at| at.0)
            ])?;
    }
    Ok(())
}

fn write(transaction: &Transaction<'_>, name: &StreamName, report: &Report) -> Loaded<()> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO report VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            name.source,
            name.stream,
            report.due_on.0,
            report.due_at.0,
            report.period.0.0,
            report.period.1.0,
            report.reach.0,
            report.accountable_unit,
            report.state.as_str(),
            report.is_witnessed,
            report.missed_by,
            report.missed_at.map(|at| at.0),
            report.came_at.map(|at| at.0),
            report.changed_at.0
        ])?;
    Ok(())
}

/// Reads the register of a stream.
pub(super) fn load(
    transaction: &Transaction<'_>,
    name: &StreamName,
) -> Loaded<Arc<LatenessRegister>> {
    let of = params![name.source, name.stream];
    let since = transaction
        .prepare_cached("SELECT since FROM promised WHERE source = ?1 AND stream = ?2")?
        .query_row(of, |row| row.get(0).map(Stamp))
        .optional()?;
    let mut statement = transaction
        .prepare_cached("SELECT * FROM report WHERE source = ?1 AND stream = ?2 ORDER BY due_on")?;
    let mut rows = statement.query(of)?;
    let spells = spells(transaction, name)?;
    let mut register = LatenessRegister { since, reports: Vec::new(), spells };
    while let Some(row) = rows.next()? {
        register.reports.push(report(row)?);
    }
    Ok(Arc::new(register))
}

fn spells(transaction: &Transaction<'_>, name: &StreamName) -> Loaded<Vec<Spell>> {
    let mut statement = transaction.prepare_cached(
        "SELECT * FROM spell WHERE source = ?1 AND stream = ?2 ORDER BY began_at",
    )?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Spell {
            began_at: Stamp(row.get("began_at")?),
            data_through: Stamp(row.get("data_through")?),
            fresh_within: row.get("fresh_within")?,
            accountable_unit: row.get("accountable_unit")?,
            missed_by: row.get("missed_by")?,
            noticed_at: Stamp(row.get("noticed_at")?),
            ended_at: row.get::<_, Option<i64>>("ended_at")?.map(Stamp),
        })
    };
    let rows = statement.query_map(params![name.source, name.stream], read)?;
    rows.collect()
}

fn report(row: &rusqlite::Row<'_>) -> Loaded<Report> {
    let word: String = row.get("state")?;
    let state = ReportState::parse(&word)
        .ok_or_else(|| damaged(format!("a report is in the state '{word}'")))?;
    let stamp = |column: &str| row.get::<_, Option<i64>>(column).map(|at| at.map(Stamp));
    Ok(Report {
        due_on: Day(row.get("due_on")?),
        due_at: Stamp(row.get("due_at")?),
        period: (Day(row.get("period_from")?), Day(row.get("period_until")?)),
        reach: Stamp(row.get("reach")?),
        accountable_unit: row.get("accountable_unit")?,
        state,
        is_witnessed: row.get("witnessed")?,
        missed_by: row.get("missed_by")?,
        missed_at: stamp("missed_at")?,
        came_at: stamp("came_at")?,
        changed_at: Stamp(row.get("changed_at")?),
    })
}

impl Writer {
    /// Goes through the registers of all streams because time has passed; commits if anything changed.
    pub(super) fn judge(&mut self, listening_since: Stamp) -> Result<(), StoreError> {
        let at = self.next_at();
        for stream in &mut self.streams {
            let sight = Sight {
                data_through: stream.state.data_through,
                look: None,
                listening_since: Some(listening_since),
                now: at,
            };
            judged(&stream.name, &mut stream.state.lateness, sight);
        }
        let is_saved = |stream: &super::writer::Stream| {
            Arc::ptr_eq(&stream.saved_lateness, &stream.state.lateness)
        };
        if self.streams.iter().all(is_saved) {
            return Ok(());
        }
        self.save_judgement((self.revision + 1, at)).map_err(|error| failure(&error))?;
        for stream in &mut self.streams {
            stream.saved_lateness = Arc::clone(&stream.state.lateness);
        }
        self.revision += 1;
        self.publish(at);
        Ok(())
    }

    fn save_judgement(&mut self, commit: (u64, Stamp)) -> Result<(), rusqlite::Error> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for stream in &self.streams {
            let (saved, register) = (&stream.saved_lateness, &stream.state.lateness);
            save(&transaction, &stream.name, saved, register)?;
        }
        save::revision(&transaction, commit)?;
        transaction.commit()
    }
}

//! The register of breaches on disk: one row per breach, and one line per count of a stream.
//!
//! Written with the line of the run that changed it, so a register never speaks of a run that is not
//! in the ledger. A stream has few rows, so all of them are written when one has changed.

use rusqlite::{Transaction, params};

use super::load::{Loaded, damaged};
use super::{RunEnd, StreamName};
use crate::model::drift::{Breach, BreachState, Kind, Party, Register};
use crate::model::snapshot::{Outcome, StreamState};
use crate::model::time::Stamp;

/// Takes a finished run into the stream's register; says whether that changed it.
pub(super) fn note(state: &mut StreamState, end: &RunEnd) -> bool {
    let StreamState { source, stream, contract, register, .. } = state;
    let is_complete = end.outcome == Outcome::Ok;
    register.note(Party { contract, source, stream }, &end.drift, is_complete, end.ended)
}

/// Writes the register; yields the breaches' numbers, to be taken over once they are committed.
pub(super) fn save(
    transaction: &Transaction<'_>,
    name: &StreamName,
    register: &Register,
) -> Loaded<Vec<u64>> {
    let of = params![name.source, name.stream];
    let mut insert = transaction.prepare_cached(
        "INSERT INTO breach (id, source, stream, contract, contract_version, accountable_unit, grade, kind, property, first_seen, last_seen,
         count, state, repaired_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    transaction
        .prepare_cached("DELETE FROM breach WHERE source = ?1 AND stream = ?2")?
        .execute(of)?;
    let mut ids = Vec::new();
    for breach in &register.breaches {
        insert.execute(params![
            (breach.id > 0).then_some(breach.id as i64),
            breach.source,
            breach.stream,
            breach.contract,
            breach.contract_version,
            breach.accountable_unit,
            breach.grade.as_str(),
            breach.kind.as_str(),
            breach.property,
            breach.first_seen.0,
            breach.last_seen.0,
            breach.count as i64,
            if breach.state == BreachState::Open { "open" } else { "repaired" },
            breach.repaired_at.map(|at| at.0)
        ])?;
        ids.push(transaction.last_insert_rowid() as u64);
    }
    let mut line =
        transaction.prepare_cached("INSERT OR REPLACE INTO drift VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let counts = [("warning", &register.warnings), ("unknown_code", &register.unknown_codes)];
    for (kind, counts) in counts {
        for (rule, count) in counts {
            line.execute(params![name.source, name.stream, kind, rule, *count as i64])?;
        }
    }
    if let Some(unmapped) = register.unmapped {
        transaction
            .prepare_cached(
                "DELETE FROM drift WHERE source = ?1 AND stream = ?2 AND kind = 'unmapped'",
            )?
            .execute(of)?;
        let mapping = &register.mapping;
        line.execute(params![name.source, name.stream, "unmapped", mapping, unmapped as i64])?;
    }
    Ok(ids)
}

/// Reads the register of a stream.
pub(super) fn load(transaction: &Transaction<'_>, name: &StreamName) -> Loaded<Register> {
    let mut register = Register::default();
    let of = params![name.source, name.stream];
    let mut statement = transaction
        .prepare_cached("SELECT * FROM breach WHERE source = ?1 AND stream = ?2 ORDER BY id")?;
    let mut rows = statement.query(of)?;
    while let Some(row) = rows.next()? {
        register.breaches.push(breach(row)?);
    }
    let mut statement = transaction
        .prepare_cached("SELECT kind, rule, count FROM drift WHERE source = ?1 AND stream = ?2")?;
    let mut rows = statement.query(of)?;
    while let Some(row) = rows.next()? {
        let (kind, rule, count): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        match kind.as_str() {
            "warning" => _ = register.warnings.insert(rule, count as u64),
            "unknown_code" => _ = register.unknown_codes.insert(rule, count as u64),
            "unmapped" => (register.unmapped, register.mapping) = (Some(count as u64), rule),
            _ => return Err(damaged(format!("a count of drift is of kind '{kind}'"))),
        }
    }
    Ok(register)
}

fn breach(row: &rusqlite::Row<'_>) -> Loaded<Breach> {
    let word: String = row.get("kind")?;
    let kind =
        Kind::parse(&word).ok_or_else(|| damaged(format!("a breach is of kind '{word}'")))?;
    let is_open = row.get::<_, String>("state")? == "open";
    Ok(Breach {
        id: row.get::<_, i64>("id")? as u64,
        contract: row.get("contract")?,
        contract_version: row.get("contract_version")?,
        source: row.get("source")?,
        stream: row.get("stream")?,
        accountable_unit: row.get("accountable_unit")?,
        grade: kind.grade(),
        kind,
        property: row.get("property")?,
        first_seen: Stamp(row.get("first_seen")?),
        last_seen: Stamp(row.get("last_seen")?),
        count: row.get::<_, i64>("count")? as u64,
        state: if is_open { BreachState::Open } else { BreachState::Repaired },
        repaired_at: row.get::<_, Option<i64>>("repaired_at")?.map(Stamp),
    })
}

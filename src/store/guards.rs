//! What the courtesy towards sources must not forget at a restart: circuits that are open, and how to
//! ask whether anything is new.
//!
//! A validator is saved with the end of the run that took in everything it stands for, in the same
//! transaction as the cursor, and goes with the next run that ends otherwise: so it never outlives
//! the data.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::StreamName;
use crate::model::snapshot::{Circuit, Validator};
use crate::model::time::Stamp;

/// The circuits of all sources that were not well.
pub(super) fn circuits(
    transaction: &Transaction<'_>,
) -> Result<BTreeMap<String, Circuit>, rusqlite::Error> {
    let mut statement = transaction.prepare("SELECT source, failures, open_until FROM circuit")?;
    let read = |row: &rusqlite::Row<'_>| {
        let open_until = row.get::<_, Option<i64>>(2)?.map(Stamp);
        Ok((row.get(0)?, Circuit { failures: row.get(1)?, open_until }))
    };
    statement.query_map([], read)?.collect()
}

/// Notes the circuit of a source; that of a source that is well is forgotten.
pub(super) fn save_circuit(
    transaction: &Transaction<'_>,
    source: &str,
    circuit: Circuit,
) -> Result<(), rusqlite::Error> {
    if circuit == Circuit::default() {
        transaction
            .prepare_cached("DELETE FROM circuit WHERE source = ?1")?
            .execute(params![source])?;
        return Ok(());
    }
    transaction
        .prepare_cached("INSERT OR REPLACE INTO circuit VALUES (?1, ?2, ?3)")?
        .execute(params![source, circuit.failures, circuit.open_until.map(|at| at.0)])?;
    Ok(())
}

/// How a stream's source can be asked whether anything is new.
pub(super) fn validator(
    transaction: &Transaction<'_>,
    name: &StreamName,
) -> Result<Option<Validator>, rusqlite::Error> {
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Validator { of: row.get(0)?, etag: row.get(1)?, last_modified: row.get(2)? })
    };
    let sql =
        r#"SELECT "of", etag, last_modified FROM validator WHERE source = ?1 AND stream = ?2"#;
    transaction.query_row(sql, params![name.source, name.stream], read).optional()
}

/// Notes it, or forgets what was known.
pub(super) fn save_validator(
    transaction: &Transaction<'_>,
    name: &StreamName,
    validator: Option<&Validator>,
) -> Result<(), rusqlite::Error> {
    let Some(Validator { of, etag, last_modified }) = validator else {
        transaction
            .prepare_cached("DELETE FROM validator WHERE source = ?1 AND stream = ?2")?
            .execute(params![name.source, name.stream])?;
        return Ok(());
    };
    transaction
        .prepare_cached("INSERT OR REPLACE INTO validator VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![name.source, name.stream, of, etag, last_modified])?;
    Ok(())
}

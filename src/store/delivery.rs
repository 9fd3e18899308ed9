//! Deliveries: what became of each push, kept with its records in one transaction.
//!
//! A sender that got no answer sends again. A delivery that was committed is known by its id, and
//! answered as it was the first time; one whose commit was cut off has never been. A dropped file is a
//! delivery too, known by its path until another content is taken from there. The newest [`KEPT`] of
//! each stream are known, and none for longer than [`DAYS`] days.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{Conservation, StreamName};
use crate::model::time::Stamp;

/// Deliveries of one stream that are known.
pub(super) const KEPT: i64 = if cfg!(test) { 3 } else { 10_000 };

/// How long a delivery is known, in days.
const DAYS: i64 = 30;

pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS delivery (
    number INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    stream TEXT NOT NULL,
    id BLOB NOT NULL,
    body BLOB NOT NULL,
    at INTEGER NOT NULL,
    received INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    superseded INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    quarantined INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    UNIQUE (source, stream, id)
) STRICT;
CREATE INDEX IF NOT EXISTS delivery_by_age ON delivery (source, stream, number);";

/// A delivery by the hashes of its id and of its body; neither is kept as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Of the id that its sender gave it.
    pub id: [u8; 32],
    /// Of its body.
    pub body: [u8; 32],
}

impl Delivery {
    /// The delivery of this body under this id.
    pub fn new(id: &str, body: &[u8]) -> Self {
        Self { id: *blake3::hash(id.as_bytes()).as_bytes(), body: *blake3::hash(body).as_bytes() }
    }
}

/// What is known of a delivery that came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// The very same, and what became of it.
    Same(Conservation),
    /// Its id with another body.
    Differs,
}

pub(super) fn find(
    connection: &Connection,
    name: &StreamName,
    delivery: &Delivery,
) -> Result<Option<Before>, rusqlite::Error> {
    let found = connection
        .prepare_cached(
            "SELECT body, received, accepted, superseded, duplicate, quarantined, rejected
             FROM delivery WHERE source = ?1 AND stream = ?2 AND id = ?3",
        )?
        .query_row(params![name.source, name.stream, delivery.id], |row| {
            let count = |i| row.get::<_, i64>(i).map(|count| count as u64);
            let records = Conservation {
                received: count(1)?,
                accepted: count(2)?,
                superseded: count(3)?,
                duplicate: count(4)?,
                quarantined: count(5)?,
                rejected: count(6)?,
            };
            Ok((row.get::<_, Vec<u8>>(0)?, records))
        })
        .optional()?;
    Ok(found.map(
        |(body, records)| {
            if body == delivery.body { Before::Same(records) } else { Before::Differs }
        },
    ))
}

/// Notes a delivery in the transaction of its records, and forgets those that are known too long.
pub(super) fn save(
    transaction: &Transaction<'_>,
    name: &StreamName,
    delivery: &Delivery,
    records: &Conservation,
    at: Stamp,
) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO delivery (source, stream, id, body, at, received, accepted, superseded, duplicate, quarantined, rejected)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            name.source,
            name.stream,
            delivery.id,
            delivery.body,
            at.0,
            records.received as i64,
            records.accepted as i64,
            records.superseded as i64,
            records.duplicate as i64,
            records.quarantined as i64,
            records.rejected as i64
        ])?;
    transaction
        .prepare_cached(
            "DELETE FROM delivery WHERE source = ?1 AND stream = ?2 AND (at < ?3 OR number <= (
                SELECT number FROM delivery WHERE source = ?1 AND stream = ?2
                ORDER BY number DESC LIMIT 1 OFFSET ?4))",
        )?
        .execute(params![name.source, name.stream, at.0 - DAYS * 86_400, KEPT])?;
    Ok(())
}

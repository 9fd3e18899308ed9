//! Which identifier key the records of each contract stand under, and how they come under another.
//!
//! A record's key is a keyed hash. Under another key every record would be a stranger, come in once
//! more and be counted twice. So the store remembers the id of each contract's key and refuses to
//! start with an unknown one. While a key is replaced the pipeline brings both hashes: a record that
//! is known under the former one is given the new one before it is folded, so nothing is counted
//! twice and no linkage is lost. How many are still to come is counted, so that the operator knows
//! when the previous key may go.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::contract::Contract;
use super::load::Loaded;
use super::sqlite::failure;
use super::{Parts, StoreError};
use crate::fold::Entities;
use crate::model::contract::PropertyType;
use crate::model::observation::{Observations, Reject};
use crate::model::row::NULL;
use crate::model::schema::Schema;

/// The ids of a contract's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyIds {
    /// The key in use.
    pub current: u32,
    /// The one before it, while it is being replaced.
    pub previous: Option<u32>,
}

/// Refuses a start with a key that the store does not know.
pub(super) fn check(connection: &Connection, parts: &Parts) -> Result<(), StoreError> {
    for (plan, ids) in parts.plans.iter().zip(&parts.keys) {
        let known = known(connection, &plan.schema.name).map_err(|error| failure(&error))?;
        let Some((known, remaining)) = known.filter(|(known, _)| *known != ids.current) else {
            continue;
        };
        let name = &plan.schema.name;
        if ids.previous != Some(known) {
            return Err(StoreError::Key(format!(
                "the records of contract '{name}' stand under the identifier key {known:08x}, and this one is {:08x}: \
                 they would all be counted twice. Put the key back; or, to replace it, put the former one beside it as identifier_key.previous \
                 (after a change of 'linkage' there is no way but a new store)",
                ids.current
            )));
        }
        if remaining > 0 {
            return Err(StoreError::Key(format!(
                "{remaining} records of contract '{name}' still stand under the key before the previous one: finish that replacement first"
            )));
        }
    }
    Ok(())
}

fn known(connection: &Connection, contract: &str) -> Loaded<Option<(u32, u64)>> {
    connection
        .query_row(
            "SELECT key, remaining FROM identifier_key WHERE contract = ?1",
            [contract],
            |row| Ok((row.get::<_, i64>(0)? as u32, row.get::<_, i64>(1)? as u64)),
        )
        .optional()
}

/// Takes over the key that a contract is opened with; yields how many records stand under the
/// previous one.
pub(super) fn adopt(
    transaction: &Transaction<'_>,
    contract: &str,
    ids: KeyIds,
    entities: usize,
) -> Loaded<u64> {
    let remaining = match known(transaction, contract)? {
        Some((known, remaining)) if known == ids.current => remaining,
        Some(_) => entities as u64,
        None => 0,
    };
    transaction.execute(
        "INSERT OR REPLACE INTO identifier_key VALUES (?1, ?2, ?3)",
        params![contract, ids.current, remaining as i64],
    )?;
    match (remaining, ids.previous) {
        (0, _) => {}
        (_, Some(_)) => tracing::info!(
            contract,
            remaining,
            "the identifier key is being replaced: these records still stand under the previous one"
        ),
        (_, None) => tracing::warn!(
            contract,
            remaining,
            "records stand under an identifier key that is gone: if their source sends them again, they count twice"
        ),
    }
    Ok(remaining)
}

/// Rows that were given another key, and how they were before.
#[derive(Debug, Default)]
pub(super) struct Rekeyed {
    pub(super) rows: Vec<u32>,
    before: Vec<(u128, Vec<u8>)>,
}

impl Rekeyed {
    /// Puts keys and rows back as they were.
    pub(super) fn undo(&self, entities: &mut Entities) {
        for (row, (key, body)) in self.rows.iter().zip(&self.before).rev() {
            entities.rekey(*row, *key);
            entities.set(*row, body);
        }
    }
}

/// Gives the records that are known under their former key the new one.
pub(super) fn rekey(entities: &mut Entities, schema: &Schema, seen: &Observations) -> Rekeyed {
    let mut rekeyed = Rekeyed::default();
    for (i, former) in seen.former.iter().enumerate() {
        let key = seen.keys[i];
        if entities.find(key).is_some() {
            continue;
        }
        if let Some(row) = entities.find(*former) {
            rekeyed.rows.push(row);
            rekeyed.before.push((*former, entities.body(row).to_vec()));
            entities.rekey(row, key);
            take_over(entities, schema, row, seen.row(i));
        }
    }
    rekeyed
}

/// Of the same version the other identifiers are taken over too, so that what has not changed is
/// seen to be the same. Another version replaces them anyway, or comes later.
fn take_over(entities: &mut Entities, schema: &Schema, at: u32, seen: &[i64]) {
    let (layout, mut row) = (&schema.layout, Vec::new());
    let body = entities.body(at).to_vec();
    layout.unpack(&body[1..], &mut row);
    if row[schema.version_slot] != seen[schema.version_slot] {
        return;
    }
    for (slot, field) in schema.fields.iter().enumerate() {
        if field.kind == PropertyType::Identifier && row[slot] != NULL && seen[slot] != NULL {
            row[slot] = seen[slot];
        }
    }
    let mut renewed = vec![body[0]];
    layout.pack(&row, &mut renewed);
    entities.set(at, &renewed);
}

impl Contract {
    /// Writes down what [`rekey`] did, also to the records in quarantine that wait under a former
    /// key. Yields how many records stand under the previous key now.
    pub(super) fn keep_keys(
        &mut self,
        transaction: &Transaction<'_>,
        seen: &Observations,
        rekeyed: &Rekeyed,
        buffer: &mut Vec<u8>,
    ) -> Loaded<u64> {
        if seen.former.is_empty() {
            return Ok(self.under_previous_key);
        }
        for (key, former) in seen.keys.iter().zip(&seen.former) {
            if self.held.contains(former) {
                transaction
                    .prepare_cached(
                        "UPDATE quarantine SET key = ?1 WHERE contract = ?2 AND key = ?3",
                    )?
                    .execute(params![
                        &key.to_le_bytes()[..],
                        self.plan.schema.name,
                        &former.to_le_bytes()[..]
                    ])?;
                // The former one stays as well, in case this is not committed; it does no harm.
                self.held.insert(*key);
            }
        }
        self.append_rows(transaction, &rekeyed.rows, buffer)?;
        let remaining = self.under_previous_key.saturating_sub(rekeyed.rows.len() as u64);
        transaction
            .prepare_cached("UPDATE identifier_key SET remaining = ?2 WHERE contract = ?1")?
            .execute(params![self.plan.schema.name, remaining as i64])?;
        Ok(remaining)
    }
}

/// Gives a reject that is held under its former fingerprint the new one, with everything hashed in
/// it, so that the same bad record is not held twice.
pub(super) fn renew(
    transaction: &Transaction<'_>,
    (source, stream): (&str, &str),
    reject: &Reject,
) -> Loaded<()> {
    let Some(former) = reject.former else { return Ok(()) };
    transaction
        .prepare_cached(
            "UPDATE OR IGNORE quarantine SET fingerprint = ?4, key = ?5, held = ?6
             WHERE source = ?1 AND stream = ?2 AND fingerprint = ?3",
        )?
        .execute(params![
            source,
            stream,
            &former.to_le_bytes()[..],
            &reject.fingerprint.to_le_bytes()[..],
            reject.key.map(u128::to_le_bytes).as_ref().map(|key| &key[..]),
            reject.held
        ])?;
    Ok(())
}

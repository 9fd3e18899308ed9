//! From the file into memory: dictionaries, entities, streams.
//!
//! A contract may have changed since the file was written. Entities carry the layout they were packed
//! in: if it differs they are repacked by property name (a new property is null until the next pull,
//! which is told to begin anew).

use std::collections::{BTreeMap, VecDeque};

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::StreamName;
use crate::fold::entities::ORIGINS;
use crate::fold::{Entities, Plan};
use crate::model::dictionary::Dictionaries;
use crate::model::row::{NULL, Packing};
use crate::model::schema::{Layout, Schema};
use crate::model::snapshot::{Conservation, Outcome, RUNS_KEPT, RunLine, StreamState, Trouble};
use crate::model::time::Stamp;

pub(super) type Loaded<T> = Result<T, rusqlite::Error>;

pub(super) fn dictionaries(connection: &Connection) -> Loaded<Dictionaries> {
    let mut words = Dictionaries::default();
    let mut statement =
        connection.prepare("SELECT name, number, word FROM dictionary ORDER BY name, number")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (name, number, word): (String, u16, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if words.entry(&name).intern(&word) != Some(number) {
            return Err(damaged(format!("dictionary '{name}' has a gap at {number}")));
        }
    }
    Ok(words)
}

/// Adds the words that the file does not have yet.
pub(super) fn save_dictionaries(transaction: &Transaction<'_>, words: &Dictionaries) -> Loaded<()> {
    let mut count = transaction.prepare("SELECT count(*) FROM dictionary WHERE name = ?1")?;
    let mut insert = transaction.prepare("INSERT INTO dictionary VALUES (?1, ?2, ?3)")?;
    for (name, dictionary) in words.iter() {
        let known: i64 = count.query_row([name], |row| row.get(0))?;
        for (number, word) in dictionary.since(known as usize) {
            insert.execute(params![name, number, word])?;
        }
    }
    Ok(())
}

/// Entities of one contract as loaded, and whether they were repacked.
pub(super) struct Contract {
    pub(super) id: i64,
    pub(super) entities: Entities,
    pub(super) repacked: bool,
    pub(super) log_bytes: u64,
}

/// How a contract's rows are packed, as the file remembers it: name, packing, dictionary.
fn describe(schema: &Schema) -> String {
    let fields = schema.fields.iter().zip(&schema.layout.packings).map(|(field, packing)| {
        let list = field.list.as_ref().map_or("", |list| &list.name);
        format!("{}:{packing:?}:{}:{list}", field.name, field.decimals)
    });
    fields.collect::<Vec<_>>().join(" ")
}

pub(super) fn contract(transaction: &Transaction<'_>, plan: &Plan) -> Loaded<Contract> {
    let schema = &plan.schema;
    let layout = describe(schema);
    let known: Option<(i64, String)> = transaction
        .query_row("SELECT id, layout FROM contract WHERE name = ?1", [&schema.name], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((id, written)) = known else {
        transaction.execute(
            "INSERT INTO contract (name, layout) VALUES (?1, ?2)",
            params![schema.name, layout],
        )?;
        let id = transaction.last_insert_rowid();
        return Ok(Contract {
            id,
            entities: Entities::new(&schema.layout),
            repacked: false,
            log_bytes: 0,
        });
    };
    let old = if written == layout { schema.layout.clone() } else { parse_layout(&written)? };
    let (entities, log_bytes) = entities(transaction, id, &old)?;
    if written == layout {
        return Ok(Contract { id, entities, repacked: false, log_bytes });
    }
    transaction.execute("UPDATE contract SET layout = ?2 WHERE id = ?1", params![id, layout])?;
    let entities = repack(&entities, &written, &old, schema, &layout);
    Ok(Contract { id, entities, repacked: true, log_bytes })
}

fn entities(transaction: &Transaction<'_>, id: i64, layout: &Layout) -> Loaded<(Entities, u64)> {
    let mut entities = Entities::new(layout);
    let width = entities.width();
    let mut statement = transaction
        .prepare("SELECT records FROM entity_chunk WHERE contract = ?1 ORDER BY chunk")?;
    let mut rows = statement.query([id])?;
    while let Some(row) = rows.next()? {
        for record in row.get_ref(0)?.as_blob()?.chunks(width) {
            entities.put(entities.len() as u32, record).map_err(damaged)?;
        }
    }
    let mut log_bytes = 0;
    let mut statement =
        transaction.prepare("SELECT records FROM entity_log WHERE contract = ?1 ORDER BY seq")?;
    let mut rows = statement.query([id])?;
    while let Some(row) = rows.next()? {
        let blob = row.get_ref(0)?.as_blob()?;
        log_bytes += blob.len() as u64;
        for entry in blob.chunks(4 + width) {
            let (at, record) =
                entry.split_at_checked(4).ok_or_else(|| damaged("a cut log entry".to_owned()))?;
            let at = u32::from_le_bytes([at[0], at[1], at[2], at[3]]);
            entities.put(at, record).map_err(damaged)?;
        }
    }
    Ok((entities, log_bytes))
}

fn parse_layout(text: &str) -> Loaded<Layout> {
    let packing = |field: &str| match field.split(':').nth(1) {
        Some("Nothing") => Some(Packing::Nothing),
        Some("Boolean") => Some(Packing::Boolean),
        Some("Number16") => Some(Packing::Number16),
        Some("Day") => Some(Packing::Day),
        Some("Moment") => Some(Packing::Moment),
        Some("Integer32") => Some(Packing::Integer32),
        Some("Integer64") => Some(Packing::Integer64),
        _ => None,
    };
    let packings: Option<Vec<_>> = text.split(' ').map(packing).collect();
    packings.map(Layout::new).ok_or_else(|| damaged(format!("the layout '{text}' cannot be read")))
}

/// Packs all entities anew; a slot keeps its value if the property has the same form as before.
fn repack(
    entities: &Entities,
    written: &str,
    old: &Layout,
    schema: &Schema,
    layout: &str,
) -> Entities {
    // Integers may change their width; everything else must be the same to the letter.
    let form = |field: &str| field.replace("Integer32", "Integer").replace("Integer64", "Integer");
    let before: Vec<_> = written.split(' ').map(form).collect();
    let from: Vec<_> =
        layout.split(' ').map(|field| before.iter().position(|old| *old == form(field))).collect();
    let mut repacked = Entities::new(&schema.layout);
    let (mut row, mut body) = (Vec::new(), Vec::new());
    for at in 0..entities.len() as u32 {
        let packed = entities.body(at);
        old.unpack(&packed[1..], &mut row);
        let moved: Vec<_> = from.iter().map(|from| from.map_or(NULL, |slot| row[slot])).collect();
        body.clear();
        body.push(packed[0]);
        schema.layout.pack(&moved, &mut body);
        repacked.insert(entities.key(at), &body);
    }
    repacked
}

/// A stream's state and cursor; its row is made if there is none.
pub(super) fn stream(
    transaction: &Transaction<'_>,
    name: &StreamName,
    contract: &str,
) -> Loaded<(StreamState, Option<i64>, u8)> {
    // Numbers are never given again: an entity remembers which stream brought it.
    transaction.execute(
        "INSERT OR IGNORE INTO stream (source, stream) VALUES (?1, ?2)",
        params![name.source, name.stream],
    )?;
    transaction.execute(
        "UPDATE stream SET contract = ?3, number = (SELECT coalesce(max(number), 0) + 1 FROM stream WHERE contract = ?3)
         WHERE source = ?1 AND stream = ?2 AND contract IS NOT ?3",
        params![name.source, name.stream, contract],
    )?;
    let mut state = StreamState {
        source: name.source.clone(),
        stream: name.stream.clone(),
        contract: contract.to_owned(),
        ..StreamState::default()
    };
    let read = |row: &rusqlite::Row<'_>| {
        let stamp = |column: &str| row.get::<_, Option<i64>>(column).map(|at| at.map(Stamp));
        state.last_attempt = stamp("last_attempt")?;
        state.last_success = stamp("last_success")?;
        state.data_through = stamp("data_through")?;
        state.total = conservation(row)?;
        let targets: (Option<i64>, Option<i64>) = (row.get("targets_up")?, row.get("targets")?);
        state.targets = targets.0.zip(targets.1).map(|(up, all)| (up as u64, all as u64));
        if let Some(reason) = row.get::<_, Option<String>>("trouble_reason")? {
            let since = stamp("trouble_since")?.unwrap_or_default();
            state.trouble = Some(Trouble {
                reason,
                message: row.get("trouble_message")?,
                since,
                count: row.get::<_, i64>("trouble_count")? as u64,
            });
        }
        Ok((row.get("cursor")?, row.get("number")?))
    };
    let (cursor, number): (Option<i64>, i64) = transaction.query_row(
        "SELECT * FROM stream WHERE source = ?1 AND stream = ?2",
        params![name.source, name.stream],
        read,
    )?;
    state.cursor = cursor.map(|moment| Stamp(moment).rfc3339());
    state.quarantined = transaction.query_row(
        "SELECT count(*) FROM quarantine WHERE source = ?1 AND stream = ?2 AND state = 'held'",
        params![name.source, name.stream],
        |row| row.get::<_, i64>(0).map(|count| count as u64),
    )?;
    state.quarantined_since = super::held::oldest(transaction, name)?;
    state.runs = runs(transaction, name)?;
    let number = u8::try_from(number).ok().filter(|number| *number < ORIGINS);
    let number = number.ok_or_else(|| {
        damaged(format!("more than {} streams have fed contract '{contract}'", ORIGINS - 1))
    })?;
    Ok((state, cursor, number))
}

fn conservation(row: &rusqlite::Row<'_>) -> Loaded<Conservation> {
    let count = |column: &str| row.get::<_, i64>(column).map(|count| count as u64);
    Ok(Conservation {
        received: count("received")?,
        accepted: count("accepted")?,
        superseded: count("superseded")?,
        duplicate: count("duplicate")?,
        quarantined: count("quarantined")?,
        rejected: count("rejected")?,
    })
}

fn runs(transaction: &Transaction<'_>, name: &StreamName) -> Loaded<VecDeque<RunLine>> {
    let mut statement = transaction.prepare_cached(
        "SELECT * FROM run WHERE source = ?1 AND stream = ?2 ORDER BY id DESC LIMIT ?3",
    )?;
    let mut rows = statement.query(params![name.source, name.stream, RUNS_KEPT as i64])?;
    let mut runs = VecDeque::new();
    while let Some(row) = rows.next()? {
        runs.push_front(RunLine {
            started: Stamp(row.get("started")?),
            ended: Stamp(row.get("ended")?),
            outcome: Outcome::parse(&row.get::<_, String>("outcome")?).unwrap_or(Outcome::Failed),
            pages: row.get::<_, i64>("pages")? as u64,
            records: conservation(row)?,
            message: row.get("message")?,
        });
    }
    Ok(runs)
}

/// Keys of records in quarantine, by contract.
pub(super) fn held_keys(
    transaction: &Transaction<'_>,
) -> Loaded<BTreeMap<String, std::collections::HashSet<u128>>> {
    let mut held: BTreeMap<String, std::collections::HashSet<u128>> = BTreeMap::new();
    let mut statement = transaction
        .prepare("SELECT contract, key FROM quarantine WHERE state = 'held' AND key IS NOT NULL")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Ok(key) = <[u8; 16]>::try_from(row.get_ref(1)?.as_blob()?) {
            held.entry(row.get(0)?).or_default().insert(u128::from_le_bytes(key));
        }
    }
    Ok(held)
}

/// A file whose content makes no sense: never repaired in silence.
pub(super) fn damaged(what: impl std::fmt::Display) -> rusqlite::Error {
    rusqlite::Error::InvalidParameterName(format!("the store is damaged: {what}"))
}

//! The file: opening, owning, and telling ours from others.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, ErrorCode};

use super::{
    Parts, Store, StoreError, access, audit, backfill, delivery, history, lateness, load, pause,
    webhook, writer,
};
use crate::failpoint;
use crate::model::dictionary::Dictionaries;

/// Marks the file as ours: "IOCG".
const APPLICATION_ID: i32 = 0x494F_4347;

/// The version of the tables.
const VERSION: i32 = 2;

/// Pages of write-ahead log before it is copied back. Large, because a page that changes often is
/// copied once: 4,000 cost 1.2 to 1.8 times the wall time of 32,000 on the reference workload.
const CHECKPOINT_PAGES: u64 = 32_000;

/// An opened and owned store whose dictionaries can be read; [`Opened::start`] sets it to work.
#[derive(Debug)]
pub struct Opened {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    words: Dictionaries,
    /// Held as long as the store lives; the lock goes with the process, however it ends.
    pub(super) lock: File,
}

impl Opened {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = own(path)?;
        let mut connection = Connection::open(path).map_err(|error| opening(path, &error))?;
        mark_statements(&mut connection);
        prepare(&connection, path)?;
        let words = load::dictionaries(&connection).map_err(|error| opening(path, &error))?;
        Ok(Self { connection, path: path.to_owned(), words, lock })
    }

    /// The words that already have numbers.
    pub fn words(&self) -> &Dictionaries {
        &self.words
    }

    /// Forgets the definitions of these measures, so that they are built anew at the start.
    pub fn distrust(&self, measures: &[String]) -> Result<(), StoreError> {
        for name in measures {
            self.connection
                .execute(
                    "UPDATE measure SET definition = '' WHERE name = ?1 AND until IS NULL",
                    [name],
                )
                .map_err(|error| failure(&error))?;
        }
        Ok(())
    }

    /// Loads entities and cubes, rebuilds what a changed contract requires, and starts the writer.
    pub fn start(self, parts: Parts) -> Result<Store, StoreError> {
        writer::start(self, parts)
    }
}

/// Takes the exclusive lock beside the file; a second instance is refused at once.
fn own(path: &Path) -> Result<File, StoreError> {
    let beside = path.with_extension("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&beside).map_err(
        |error| {
            StoreError::Fatal(format!(
                "cannot open {}: {error}; does the folder exist and may iocgw write to it?",
                beside.display()
            ))
        },
    )?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Owned(path.display().to_string())),
        Err(TryLockError::Error(error)) => {
            Err(StoreError::Fatal(format!("cannot lock {}: {error}", beside.display())))
        }
    }
}

fn prepare(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |error: &rusqlite::Error| opening(path, error);
    let number = |pragma: &str| -> Result<i32, StoreError> {
        connection
            .pragma_query_value(None, pragma, |row| row.get(0))
            .map_err(|error| failed(&error))
    };
    let (id, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| failed(&error))?;
    if id != APPLICATION_ID && (id != 0 || tables > 0) {
        return Err(StoreError::Foreign(format!(
            "{} is a database of another program; give --store another path",
            path.display()
        )));
    }
    if version > VERSION {
        return Err(StoreError::Foreign(format!(
            "{} was written by a newer iocgw (tables version {version}, this program knows {VERSION}); use that version",
            path.display()
        )));
    }
    if tables > 0 && version < VERSION {
        // Version 1 hashed keys of several parts otherwise: its records would be counted twice.
        return Err(StoreError::Foreign(format!(
            "{} was written by a development version of iocgw (tables version {version}) that made the keys of records otherwise, so they would all be counted twice; \
             keep it, and give --store another path: the sources are asked anew",
            path.display()
        )));
    }
    let settings = format!(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY; PRAGMA wal_autocheckpoint={};",
        failpoint::limit(CHECKPOINT_PAGES, 8)
    );
    connection.execute_batch(&settings).map_err(|error| failed(&error))?;
    let steps = match tables {
        0 => concat!(
            include_str!("schema.sql"),
            include_str!("cubes.sql"),
            include_str!("drift.sql")
        ),
        _ => "",
    };
    if !steps.is_empty() {
        // All or nothing: a step that was cut off has not happened.
        let make = format!(
            "BEGIN IMMEDIATE; {steps} PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={VERSION}; COMMIT;"
        );
        connection.execute_batch(&make).map_err(|error| failed(&error))?;
    }
    connection.execute_batch(access::TABLE).map_err(|error| failed(&error))?;
    connection.execute_batch(audit::TABLES).map_err(|error| failed(&error))?;
    connection.execute_batch(pause::TABLE).map_err(|error| failed(&error))?;
    connection.execute_batch(backfill::TABLE).map_err(|error| failed(&error))?;
    connection.execute_batch(history::TABLE).map_err(|error| failed(&error))?;
    connection.execute_batch(delivery::TABLE).map_err(|error| failed(&error))?;
    connection.execute_batch(lateness::TABLES).map_err(|error| failed(&error))?;
    connection.execute_batch(webhook::TABLES).map_err(|error| failed(&error))?;
    connection.execute_batch(include_str!("guards.sql")).map_err(|error| failed(&error))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Makes every statement that writes a place at which a test can kill the process, before and after
/// it.
fn mark_statements(connection: &mut Connection) {
    if !failpoint::is_on() {
        return;
    }
    let pass = |when: &str, sql: &str| {
        if !["SELECT", "PRAGMA"].iter().any(|reading| sql.starts_with(reading)) {
            failpoint::pass(&format!("{when} {}", headline(sql)));
        }
    };
    let pass = move |event: TraceEvent<'_>| match event {
        TraceEvent::Stmt(_, sql) => pass("before", sql),
        TraceEvent::Profile(statement, _) => pass("after", &statement.sql()),
        _ => {}
    };
    let events = TraceEventCodes::SQLITE_TRACE_STMT | TraceEventCodes::SQLITE_TRACE_PROFILE;
    let marked = connection.trace_v2(events, Some(pass));
    debug_assert!(marked.is_ok(), "{marked:?}");
}

/// What a statement does to which table: `INSERT run`; only the verb where it is none of a commit's.
fn headline(sql: &str) -> String {
    let code = sql.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("--"));
    let mut words = code.unwrap_or_default().split(|c: char| !c.is_alphanumeric() && c != '_');
    let verb = words.next().unwrap_or_default();
    let table = match verb {
        "UPDATE" => words.next(),
        "INSERT" | "DELETE" => words.skip_while(|word| !matches!(*word, "INTO" | "FROM")).nth(1),
        _ => None,
    };
    table.map_or_else(|| verb.to_owned(), |table| format!("{verb} {table}"))
}

fn opening(path: &Path, error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::Foreign(format!(
            "{} is not a database; give --store another path",
            path.display()
        )),
        _ => StoreError::Fatal(format!("cannot open {}: {error}", path.display())),
    }
}

/// What a failed statement means for the one who asked.
pub(super) fn failure(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        _ => StoreError::Fatal(error.to_string()),
    }
}

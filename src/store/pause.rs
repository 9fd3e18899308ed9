//! Paused sources: a person's decision, kept until a person takes it back.
//!
//! It is the store's and not the configuration's, so that it holds at once, survives a restart and
//! needs nobody who may change files.

use std::collections::BTreeMap;

use rusqlite::{Connection, TransactionBehavior, params};

use super::StoreError;
use super::audit;
use super::load::Loaded;
use super::save;
use super::sqlite::failure;
use super::writer::Writer;
use crate::model::snapshot::Paused;
use crate::model::time::Stamp;

/// Made when a store without it is opened: programs that do not know it are not disturbed by it.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS pause (
  source TEXT PRIMARY KEY, \"by\" TEXT NOT NULL, why TEXT NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID;";

/// The sources that are paused, by name.
pub(super) fn load(connection: &Connection) -> Loaded<BTreeMap<String, Paused>> {
    let mut statement = connection.prepare("SELECT source, \"by\", why, since FROM pause")?;
    let read = |row: &rusqlite::Row<'_>| {
        let paused = Paused { by: row.get(1)?, why: row.get(2)?, since: Stamp(row.get(3)?) };
        Ok((row.get(0)?, paused))
    };
    statement.query_map([], read)?.collect()
}

impl Writer {
    /// Notes that a source is paused, or no longer, and shows it.
    pub(super) fn pause(
        &mut self,
        source: String,
        paused: Option<Paused>,
    ) -> Result<(), StoreError> {
        let commit = (self.revision + 1, self.next_at());
        self.save_pause(&source, paused.as_ref(), commit).map_err(|error| failure(&error))?;
        match paused {
            Some(paused) => drop(self.paused.insert(source, paused)),
            None => drop(self.paused.remove(&source)),
        }
        self.revision = commit.0;
        self.publish(commit.1);
        Ok(())
    }

    fn save_pause(
        &mut self,
        source: &str,
        paused: Option<&Paused>,
        commit: (u64, Stamp),
    ) -> Result<(), rusqlite::Error> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match paused {
            Some(Paused { by, why, since }) => transaction.execute(
                "INSERT OR REPLACE INTO pause VALUES (?1, ?2, ?3, ?4)",
                params![source, by, why, since.0],
            )?,
            None => transaction.execute("DELETE FROM pause WHERE source = ?1", [source])?,
        };
        save::revision(&transaction, commit)?;
        audit::write_down(&transaction, self.deed.as_ref(), commit.1)?;
        transaction.commit()?;
        self.deed = None;
        Ok(())
    }
}

//! The configurations that were in force: kept as the texts of their files, so that a reading of the
//! past can be made under the definitions of its time.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::load::{Loaded, damaged};

/// One state of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Epoch {
    /// A hash over its files.
    pub hash: String,
    /// Path below the folder, and text, of each file. Secrets are not among them.
    pub files: Vec<(String, String)>,
}

impl Epoch {
    /// Notes that this configuration is in force from `revision` on; `false` if it is already.
    pub(super) fn note(&self, transaction: &Transaction<'_>, revision: u64) -> Loaded<bool> {
        let known: Option<String> = transaction
            .query_row("SELECT hash FROM epoch ORDER BY revision DESC LIMIT 1", [], |row| {
                row.get(0)
            })
            .optional()?;
        if known.as_deref() == Some(self.hash.as_str()) {
            return Ok(false);
        }
        let files = serde_json::to_string(&self.files)
            .map_err(|error| damaged(format!("the texts of the configuration: {error}")))?;
        transaction.execute(
            "INSERT INTO epoch VALUES (?1, ?2, ?3)",
            params![revision as i64, self.hash, files],
        )?;
        Ok(true)
    }

    /// The configuration in force at a revision.
    pub(super) fn at(connection: &Connection, revision: u64) -> Loaded<Option<Self>> {
        let row = connection
            .prepare_cached(
                "SELECT hash, files FROM epoch WHERE revision <= ?1 ORDER BY revision DESC LIMIT 1",
            )?
            .query_row([revision as i64], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })
            .optional()?;
        let Some((hash, files)) = row else { return Ok(None) };
        let files = serde_json::from_str(&files)
            .map_err(|error| damaged(format!("the texts of a configuration: {error}")))?;
        Ok(Some(Self { hash, files }))
    }
}

//! Reading the quarantine: by its own connection, so that a long list delays no commit.

use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, Row, params_from_iter};

use super::StoreError;
use super::sqlite::failure;
use crate::model::quarantine::{Filter, Group, Quarantined, State};
use crate::model::time::Stamp;

/// A filter as SQL.
pub(super) trait Condition {
    /// The condition and its values, to stand after `WHERE`.
    fn condition(&self) -> (String, Vec<Value>);
}

impl Condition for Filter {
    fn condition(&self) -> (String, Vec<Value>) {
        let mut conditions = vec!["id > ?".to_owned()];
        let mut values = vec![Value::from(self.after.unwrap_or(0) as i64)];
        let state = self.state.map(|state| state.as_str().to_owned());
        let texts = [
            ("source", &self.source),
            ("stream", &self.stream),
            ("contract", &self.contract),
            ("reason", &self.reason),
            ("rule", &self.rule),
            ("state", &state),
        ];
        for (column, text) in texts {
            if let Some(text) = text {
                conditions.push(format!("{column} = ?"));
                values.push(Value::from(text.clone()));
            }
        }
        if !self.ids.is_empty() {
            let places = vec!["?"; self.ids.len()].join(", ");
            conditions.push(format!("id IN ({places})"));
            values.extend(self.ids.iter().map(|id| Value::from(*id as i64)));
        }
        (conditions.join(" AND "), values)
    }
}

pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|error| failure(&error))
}

pub(super) fn list(path: &Path, filter: &Filter) -> Result<Vec<Quarantined>, StoreError> {
    let (condition, mut values) = filter.condition();
    values.push(Value::from(filter.limit as i64));
    let query = format!(
        "SELECT id, source, stream, contract, contract_version, reason, rule, shape, first_seen, last_seen, attempts, state, closed_at, closed_by, closed_why
         FROM quarantine WHERE {condition} ORDER BY id LIMIT ?"
    );
    rows(path, &query, values, |row| {
        let closed = (row.get::<_, Option<i64>>(12)?, row.get(13)?, row.get(14)?);
        let discarded = match closed {
            (Some(at), Some(by), Some(why)) => Some((Stamp(at), by, why)),
            _ => None,
        };
        let state: String = row.get(11)?;
        let state = State::ALL.into_iter().find(|known| known.as_str() == state);
        Ok(Quarantined {
            id: row.get::<_, i64>(0)? as u64,
            source: row.get(1)?,
            stream: row.get(2)?,
            contract: row.get(3)?,
            contract_version: row.get(4)?,
            reason: row.get(5)?,
            rule: row.get(6)?,
            shape: row.get(7)?,
            first_seen: Stamp(row.get(8)?),
            last_seen: Stamp(row.get(9)?),
            attempts: row.get::<_, i64>(10)? as u64,
            state: state.unwrap_or_default(),
            discarded,
        })
    })
}

pub(super) fn groups(path: &Path, filter: &Filter) -> Result<Vec<Group>, StoreError> {
    let (condition, mut values) = filter.condition();
    values.push(Value::from(filter.limit as i64));
    let query = format!(
        "WITH chosen AS (SELECT * FROM quarantine WHERE {condition}),
         summed AS (SELECT source, stream, contract, reason, rule, count(*) AS records, min(first_seen) AS first, max(last_seen) AS last, max(id) AS newest
                    FROM chosen GROUP BY source, stream, contract, reason, rule)
         SELECT summed.source, summed.stream, summed.contract, summed.reason, summed.rule, records, first, last, shape
         FROM summed JOIN quarantine ON quarantine.id = newest ORDER BY records DESC, newest LIMIT ?"
    );
    rows(path, &query, values, |row| {
        Ok(Group {
            source: row.get(0)?,
            stream: row.get(1)?,
            contract: row.get(2)?,
            reason: row.get(3)?,
            rule: row.get(4)?,
            records: row.get::<_, i64>(5)? as u64,
            first_seen: Stamp(row.get(6)?),
            last_seen: Stamp(row.get(7)?),
            shape: row.get(8)?,
        })
    })
}

/// Everything that a query yields.
pub(super) fn rows<T>(
    path: &Path,
    query: &str,
    values: Vec<Value>,
    read: impl FnMut(&Row<'_>) -> Result<T, rusqlite::Error>,
) -> Result<Vec<T>, StoreError> {
    let failed = |error: rusqlite::Error| failure(&error);
    let connection = open(path)?;
    let mut statement = connection.prepare(query).map_err(failed)?;
    let rows = statement.query_map(params_from_iter(values), read).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

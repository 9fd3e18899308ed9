//! Whose version of a record counts, as of the last start.
//!
//! Only the version that counted is kept, so another precedence cannot be worked out from the store.
//! When it has changed, the streams of the contract begin anew: what they send again is compared by
//! the new order, and the figures are right once they have come through.

use rusqlite::{OptionalExtension, Transaction, params};

use super::StreamName;
use super::load::Loaded;

/// Notes the ranks of a contract's streams; says whether they are others than at the last start.
pub(super) fn note(
    transaction: &Transaction<'_>,
    contract: &str,
    streams: &[&StreamName],
) -> Loaded<bool> {
    let mut ranked: Vec<_> = streams.iter().filter(|stream| stream.rank > 0).collect();
    ranked.sort_by_key(|stream| std::cmp::Reverse(stream.rank));
    let names = ranked.iter().map(|stream| format!("{}.{}", stream.source, stream.stream));
    let now = names.collect::<Vec<_>>().join(" ");
    let before: Option<String> = transaction
        .query_row("SELECT streams FROM precedence WHERE contract = ?1", [contract], |row| {
            row.get(0)
        })
        .optional()?;
    if before.as_deref().unwrap_or("") == now {
        return Ok(false);
    }
    transaction
        .execute("INSERT OR REPLACE INTO precedence VALUES (?1, ?2)", params![contract, now])?;
    Ok(true)
}

//! How the writer writes down what it does.

use rusqlite::{Transaction, TransactionBehavior};

use super::append;
use crate::model::audit::Deed;
use crate::model::time::Stamp;
use crate::store::load::Loaded;
use crate::store::sqlite::failure;
use crate::store::writer::Writer;
use crate::store::{Command, StoreError};

/// Writes the deed at work into the transaction of what it does.
pub(in crate::store) fn write_down(
    transaction: &Transaction<'_>,
    deed: Option<&Deed>,
    at: Stamp,
) -> Loaded<()> {
    deed.map_or(Ok(()), |deed| append(transaction, deed, at))
}

impl Writer {
    /// Takes a command out of the deed that it is part of.
    pub(in crate::store) fn on_behalf(&mut self, command: Command) -> Command {
        match command {
            Command::For(deed, command) => {
                self.deed = Some(*deed);
                *command
            }
            command => {
                self.deed = None;
                command
            }
        }
    }

    /// Writes down what changes nothing else.
    pub(in crate::store) fn note(&mut self, deed: &Deed) -> Result<(), StoreError> {
        let at = self.next_at();
        let mut work = || -> Loaded<()> {
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            append(&transaction, deed, at)?;
            transaction.commit()
        };
        work().map_err(|error| failure(&error))
    }

    /// Writes down a deed whose command committed nothing: it was done all the same.
    pub(in crate::store) fn note_rest(&mut self) -> Option<StoreError> {
        let deed = self.deed.take()?;
        self.note(&deed).err()
    }
}

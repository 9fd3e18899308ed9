//! Another configuration in mid-life: the writer takes it over between two commits.
//!
//! Everything is loaded as at a start, in one transaction, beside what is in use: if that fails,
//! nothing has happened and the writer goes on with what it has. The file stays open and owned
//! throughout. Numbers of streams mean something else afterwards, so whoever holds a handle from before
//! can write nothing any more, and the snapshot that it shows stands still: it belongs to the
//! definitions of before, and no reader may mix the two.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use super::sqlite::failure;
use super::writer::{Writer, load_all};
use super::{Command, Parts, QUEUE, Store, StoreError, keys, load, quarantine};
use crate::failpoint;
use crate::model::dictionary::Dictionaries;
use crate::model::snapshot::Snapshot;

impl Store {
    /// The words that have numbers by now; reads from the disk, so not for an async thread.
    pub fn words(&self) -> Result<Dictionaries, StoreError> {
        let connection = quarantine::open(self.path())?;
        load::dictionaries(&connection).map_err(|error| failure(&error))
    }

    /// Goes on with other parts, which must have been made with the present [`Store::words`]; yields
    /// the handle to use from now on. If it fails, nothing has changed and this handle stays good.
    pub async fn reload(&self, parts: Parts) -> Result<Self, StoreError> {
        self.ask(|reply| Command::Reload(Box::new(parts), reply)).await?
    }
}

impl Writer {
    /// Takes the parts over; yields the handle and the queue to go on with.
    pub(super) fn reload(
        &mut self,
        parts: Parts,
    ) -> Result<(Store, mpsc::Receiver<Command>), StoreError> {
        keys::check(&self.connection, &parts)?;
        let known = load::dictionaries(&self.connection).map_err(|error| failure(&error))?;
        if !parts.words.continues(&known) {
            return Err(StoreError::Moved);
        }
        let full_for = parts.journal_full_for;
        let loaded = load_all(&mut self.connection, parts).map_err(|error| failure(&error))?;
        failpoint::pass("reloaded");
        let (contracts, streams, circuits, (revision, at)) = loaded;
        (self.contracts, self.streams, self.revision) = (contracts, streams, revision);
        self.circuits = circuits;
        self.adopt(full_for);
        self.snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
        self.publish(at);
        // What was taken over stays taken over: what cannot be written now is seen to at the next start.
        if let Err(error) = self.end_forsaken() {
            tracing::warn!(%error, "a backfill whose stream is gone could not be ended");
        }
        let (commands, queue) = mpsc::channel(QUEUE);
        Ok((self.handle(commands), queue))
    }
}

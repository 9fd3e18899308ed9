//! What people decide about records, carried out on this gateway's store and streams.
//!
//! The API and the command line on a stopped store both end here, so that they cannot differ.

use std::sync::Arc;

use futures_util::FutureExt as _;

use super::Gateway;
use crate::clock::Clock;
use crate::model::quarantine::{Filter, Group, Quarantined, ReplaySummary};
use crate::model::snapshot::Paused;
use crate::pipeline::{self, Shared, Stream};
use crate::serve;
use crate::store::{Discard, Store, StoreError};

/// Reads the quarantine for the API.
pub(super) struct Quarantine(pub(super) Store);

impl serve::QuarantineReader for Quarantine {
    fn list(&self, filter: &Filter) -> Result<Vec<Quarantined>, String> {
        self.0.quarantine(filter).map_err(|error| error.to_string())
    }

    fn groups(&self, filter: &Filter) -> Result<Vec<Group>, String> {
        self.0.quarantine_groups(filter).map_err(|error| error.to_string())
    }
}

pub(super) struct Custodian {
    pub(super) streams: Vec<Arc<Stream>>,
    pub(super) shared: Shared,
    clock: Clock,
}

impl serve::Custodian for Custodian {
    fn replay(&self, filter: Filter) -> serve::Pending<ReplaySummary> {
        let (streams, shared) = (self.streams.clone(), self.shared.clone());
        async move {
            let done = pipeline::replay(&streams, &shared, &filter).await;
            done.map_err(|error| error.to_string())
        }
        .boxed()
    }

    fn discard(&self, filter: Filter, by: String, why: String) -> serve::Pending<u64> {
        let (store, at) = (self.shared.store.clone(), self.clock.now());
        async move {
            let done = store.discard(Discard { filter, by, why, at }).await;
            done.map_err(|error| error.to_string())
        }
        .boxed()
    }

    fn confirm(
        &self,
        source: String,
        stream: String,
        by: String,
    ) -> serve::Pending<Option<serve::Confirmed>> {
        let (store, at) = (self.shared.store.clone(), self.clock.now());
        let of = self.streams.iter().find(|of| of.source == source && of.name == stream);
        let index = of.map(|stream| stream.index);
        async move {
            let Some(index) = index else { return Ok(None) };
            let done = store.confirm(index, by, at).await.map_err(|error| error.to_string())?;
            Ok(done.map(|records| serve::Confirmed { records }))
        }
        .boxed()
    }

    fn pull(&self, source: &str, streams: &[String]) {
        self.wake(source, streams);
    }

    fn pause(&self, source: String, paused: Option<Paused>) -> serve::Pending<()> {
        self.note_pause(source, paused)
    }
}

impl Gateway {
    pub(super) fn custodian(&self) -> Arc<dyn serve::Custodian> {
        let (streams, clock) = (self.streams.clone(), self.clock.clone());
        Arc::new(Custodian { streams, shared: self.shared(), clock })
    }

    /// Sends held records through their present contracts.
    pub async fn replay(&self, filter: &Filter) -> Result<ReplaySummary, StoreError> {
        pipeline::replay(&self.streams, &self.shared(), filter).await
    }

    /// Marks held records as discarded; yields how many.
    pub async fn discard(
        &self,
        filter: Filter,
        by: String,
        why: String,
    ) -> Result<u64, StoreError> {
        self.store.discard(Discard { filter, by, why, at: self.clock.now() }).await
    }

    /// Confirms what a stream's refused full pass missed; `None` if there is no such stream or pass.
    pub async fn confirm(
        &self,
        source: &str,
        stream: &str,
        by: String,
    ) -> Result<Option<u64>, StoreError> {
        let of = self.streams.iter().find(|of| of.source == source && of.name == stream);
        let Some(of) = of else { return Ok(None) };
        self.store.confirm(of.index, by, self.clock.now()).await
    }
}

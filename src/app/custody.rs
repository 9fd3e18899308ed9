//! What people decide about records, carried out on this gateway's store and streams.
//!
//! The API and the command line on a stopped store both end here, so that they cannot differ.

use std::sync::Arc;

use futures_util::FutureExt as _;

use super::Gateway;
use super::steering::cancelling;
use crate::clock::Clock;
use crate::model::audit::{Action, Actor, Deed};
use crate::model::backfill::{Backfill, Wanted};
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
    fn replay(&self, filter: Filter, who: Actor) -> serve::Pending<ReplaySummary> {
        let (streams, shared) = (self.streams.clone(), replaying(&self.shared, &filter, who));
        async move {
            let done = pipeline::replay(&streams, &shared, &filter).await;
            done.map_err(|error| error.to_string())
        }
        .boxed()
    }

    fn discard(&self, filter: Filter, by: String, why: String, who: Actor) -> serve::Pending<u64> {
        let deed = discarding(&filter, (&by, &why), who);
        let (store, at) = (self.shared.store.on_behalf_of(deed), self.clock.now());
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
        who: Actor,
    ) -> serve::Pending<Option<serve::Confirmed>> {
        let deed = confirming(&source, &stream, &by, who);
        let (store, at) = (self.shared.store.on_behalf_of(deed), self.clock.now());
        let of = self.streams.iter().find(|of| of.source == source && of.name == stream);
        let index = of.map(|stream| stream.index);
        async move {
            let Some(index) = index else { return Ok(None) };
            let done = store.confirm(index, by, at).await.map_err(|error| error.to_string())?;
            Ok(done.map(|records| serve::Confirmed { records }))
        }
        .boxed()
    }

    fn pull(&self, source: &str, streams: &[String], who: Actor) -> serve::Pending<()> {
        let deed = Deed::new(who, Action::PullRequested, source, &streams.join(", "));
        let store = self.shared.store.clone();
        self.wake(source, streams);
        async move { store.note(deed).await.map_err(|error| error.to_string()) }.boxed()
    }

    fn backfill(&self, wanted: Wanted, who: Actor) -> serve::Pending<Result<u64, u64>> {
        self.ask_backfill(wanted, who)
    }

    fn cancel(&self, backfill: u64, who: Actor) -> serve::Pending<Option<Backfill>> {
        let store = self.shared.store.on_behalf_of(cancelling(backfill, who));
        async move { store.cancel_backfill(backfill).await.map_err(|error| error.to_string()) }
            .boxed()
    }

    fn pause(&self, source: String, paused: Option<Paused>, who: Actor) -> serve::Pending<()> {
        self.note_pause(source, paused, who)
    }
}

/// Which records, in words.
fn chosen(filter: &Filter) -> String {
    let named = [&filter.source, &filter.stream, &filter.contract, &filter.reason, &filter.rule];
    let named: Vec<&str> = named.into_iter().flatten().map(String::as_str).collect();
    match (named.is_empty(), filter.ids.is_empty()) {
        (true, true) => "all".to_owned(),
        (true, false) => format!("{} by number", filter.ids.len()),
        _ => named.join(" "),
    }
}

/// The same, with a store that writes down who sends records again.
fn replaying(shared: &Shared, filter: &Filter, who: Actor) -> Shared {
    let deed = Deed::new(who, Action::RecordsReplayed, &chosen(filter), "");
    Shared { store: shared.store.on_behalf_of(deed), ..shared.clone() }
}

fn discarding(filter: &Filter, (by, why): (&str, &str), who: Actor) -> Deed {
    Deed::new(who, Action::RecordsDiscarded, &chosen(filter), &format!("by {by}: {why}"))
}

fn confirming(source: &str, stream: &str, by: &str, who: Actor) -> Deed {
    let object = format!("{source}.{stream}");
    Deed::new(who, Action::RetractionsConfirmed, &object, &format!("by {by}"))
}

impl Gateway {
    pub(super) fn custodian(&self) -> Arc<dyn serve::Custodian> {
        let (streams, clock) = (self.streams.clone(), self.clock.clone());
        Arc::new(Custodian { streams, shared: self.shared(), clock })
    }

    /// Sends held records through their present contracts.
    pub async fn replay(&self, filter: &Filter) -> Result<ReplaySummary, StoreError> {
        let shared = replaying(&self.shared(), filter, Actor::at_the_command_line());
        pipeline::replay(&self.streams, &shared, filter).await
    }

    /// Marks held records as discarded; yields how many.
    pub async fn discard(
        &self,
        filter: Filter,
        by: String,
        why: String,
    ) -> Result<u64, StoreError> {
        let deed = discarding(&filter, (&by, &why), Actor::at_the_command_line());
        let store = self.store.on_behalf_of(deed);
        store.discard(Discard { filter, by, why, at: self.clock.now() }).await
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
        let deed = confirming(source, stream, &by, Actor::at_the_command_line());
        self.store.on_behalf_of(deed).confirm(of.index, by, self.clock.now()).await
    }
}

//! Pulls and pauses by hand, on this gateway's streams and store.
//!
//! The API and the command line on a stopped store both end here, so that they cannot differ.

use futures_util::FutureExt as _;

use super::Gateway;
use super::custody::Custodian;
use crate::model::audit::{Action, Actor, Deed};
use crate::model::snapshot::Paused;
use crate::pipeline;
use crate::serve;
use crate::store::StoreError;

impl Custodian {
    pub(super) fn wake(&self, source: &str, streams: &[String]) {
        let of = self.streams.iter().filter(|stream| stream.source == source);
        for stream in of.filter(|stream| streams.contains(&stream.name)) {
            stream.wake.notify_one();
        }
    }

    pub(super) fn note_pause(
        &self,
        source: String,
        paused: Option<Paused>,
        who: Actor,
    ) -> serve::Pending<()> {
        let store = self.shared.store.on_behalf_of(pausing(&source, paused.as_ref(), who));
        let streams = self.streams.clone();
        async move {
            told(&source, paused.as_ref());
            let noted = store.pause(source.clone(), paused).await;
            // Whoever sleeps until the next turn looks again: at once, or not for a long time.
            for stream in streams.iter().filter(|stream| stream.source == source) {
                stream.wake.notify_one();
            }
            noted.map_err(|error| error.to_string())
        }
        .boxed()
    }
}

fn pausing(source: &str, paused: Option<&Paused>, who: Actor) -> Deed {
    match paused {
        Some(Paused { by, why, .. }) => {
            Deed::new(who, Action::SourcePaused, source, &format!("by {by}: {why}"))
        }
        None => Deed::new(who, Action::SourceResumed, source, ""),
    }
}

fn told(source: &str, paused: Option<&Paused>) {
    if let Some(Paused { by, why, .. }) = paused {
        tracing::warn!(source, by, why, "source paused");
    } else {
        tracing::info!(source, "source resumed");
    }
}

impl Gateway {
    /// Takes one turn of the streams that are chosen by source and stream; for scripts, benchmarks and
    /// stopped stores.
    pub async fn pull(&self, chosen: impl Fn(&str, &str) -> bool) -> anyhow::Result<()> {
        let shared = self.shared();
        for stream in &self.streams {
            if chosen(&stream.source, &stream.name) && stream.intake.is_none() {
                pipeline::turn(stream, &shared).await?;
            }
        }
        Ok(())
    }

    /// Notes in the store that a source is paused, or no longer.
    pub async fn pause(&self, source: &str, paused: Option<Paused>) -> Result<(), StoreError> {
        told(source, paused.as_ref());
        let deed = pausing(source, paused.as_ref(), Actor::at_the_command_line());
        self.store.on_behalf_of(deed).pause(source.to_owned(), paused).await
    }
}

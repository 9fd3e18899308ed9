//! Pulls and pauses by hand, on this gateway's streams and store.
//!
//! The API and the command line on a stopped store both end here, so that they cannot differ.

use std::sync::Arc;

use anyhow::Context as _;
use futures_util::FutureExt as _;

use super::Gateway;
use super::custody::Custodian;
use crate::model::audit::{Action, Actor, Deed};
use crate::model::backfill::{Backfill, State, Wanted};
use crate::model::snapshot::Paused;
use crate::pipeline::{self, Stream};
use crate::serve;
use crate::store::StoreError;

impl Custodian {
    pub(super) fn wake(&self, source: &str, streams: &[String]) {
        wake(&self.streams, source, streams);
    }

    pub(super) fn ask_backfill(
        &self,
        wanted: Wanted,
        who: Actor,
    ) -> serve::Pending<Result<u64, u64>> {
        let store = self.shared.store.on_behalf_of(requesting(&wanted, who));
        let (source, stream) = (wanted.source.clone(), vec![wanted.stream.clone()]);
        let streams = self.streams.clone();
        async move {
            let asked = store.ask_backfill(wanted).await.map_err(|error| error.to_string());
            // Whoever sleeps until the next turn takes one now and goes on from there.
            wake(&streams, &source, &stream);
            asked
        }
        .boxed()
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

fn wake(all: &[Arc<Stream>], source: &str, streams: &[String]) {
    let of = all.iter().filter(|stream| stream.source == source);
    for stream in of.filter(|stream| streams.contains(&stream.name)) {
        stream.wake.notify_one();
    }
}

fn requesting(wanted: &Wanted, who: Actor) -> Deed {
    let Wanted { source, stream, from, until, by, .. } = wanted;
    let what = format!("{} to {}, by {by}", from.rfc3339(), until.rfc3339());
    Deed::new(who, Action::BackfillRequested, &format!("{source}.{stream}"), &what)
}

pub(super) fn cancelling(backfill: u64, who: Actor) -> Deed {
    Deed::new(who, Action::BackfillCancelled, &format!("backfill:{backfill}"), "")
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

    /// Notes what is asked for of a stream's past, and takes its slices here until they are all in or one
    /// fails; for stopped stores. Yields how the backfill stands, told after each slice.
    pub async fn backfill(
        &self,
        wanted: Wanted,
        mut tell: impl FnMut(&Backfill),
    ) -> anyhow::Result<()> {
        let shared = self.shared();
        let of = |stream: &&Arc<Stream>| {
            (&stream.source, &stream.name) == (&wanted.source, &wanted.stream)
        };
        let stream = self.streams.iter().find(of).context("there is no such stream")?;
        let deed = requesting(&wanted, Actor::at_the_command_line());
        let store = self.store.on_behalf_of(deed);
        loop {
            let asked = store.ask_backfill(wanted.clone()).await?;
            // One that was under way already is gone on with first: it was asked for, too.
            let (Ok(id) | Err(id)) = asked;
            let mut state = State::Running;
            while state == State::Running {
                let may_go_on = pipeline::backfill(stream, &shared).await?;
                let snapshot = self.store.snapshot();
                if let Some(job) = snapshot.backfills.iter().find(|job| job.id == id) {
                    state = job.state;
                    tell(job);
                }
                if !may_go_on && state == State::Running {
                    return Ok(());
                }
            }
            if asked.is_ok() || state != State::Done {
                return Ok(());
            }
        }
    }

    /// Ends a backfill; yields how it stands then, or nothing if there is none.
    pub async fn cancel_backfill(&self, id: u64) -> Result<Option<Backfill>, StoreError> {
        let deed = cancelling(id, Actor::at_the_command_line());
        self.store.on_behalf_of(deed).cancel_backfill(id).await
    }

    /// Notes in the store that a source is paused, or no longer.
    pub async fn pause(&self, source: &str, paused: Option<Paused>) -> Result<(), StoreError> {
        told(source, paused.as_ref());
        let deed = pausing(source, paused.as_ref(), Actor::at_the_command_line());
        self.store.on_behalf_of(deed).pause(source.to_owned(), paused).await
    }
}

//! Another configuration without a restart, or the old one as if nothing had happened.
//!
//! It is read and checked while everything goes on; what is wrong with it is told and that is all. Only
//! then pulling pauses, turns under way finish or drop their page (dropping is safe), and the store
//! takes it over in one transaction, or not at all. Readers are answered throughout, from the
//! snapshot and the definitions of before until the whole of the new ones is there, so no answer mixes the
//! two. A source whose file says what it said goes on with its credentials, its rate limit and its
//! rhythm. Keys and secrets are read as they are, and a key that the store does not know is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::tokens::{self, Tokens};
use super::{
    AllStreams, Client, Gateway, Invalid, identifier_keys, outbound, parts, source_labels, streams,
};
use crate::config::{self, Config};
use crate::failpoint;
use crate::model::audit::Action;
use crate::model::snapshot::Outcome;
use crate::model::time::Stamp;
use crate::pipeline::{self, Stream};
use crate::pull;
use crate::serve::Contexts;

/// How long turns may take to finish before they are cut short.
const PATIENCE: Duration = Duration::from_secs(5);

/// The streams at work.
pub(super) struct Pulling {
    turns: JoinSet<usize>,
    /// The streams whose task has not ended.
    at_work: BTreeSet<usize>,
    /// Cancelled when no further turn shall begin.
    rest: CancellationToken,
}

impl Pulling {
    /// Starts every stream: at once, or at the moment at which it was due anyway.
    pub(super) fn start(gateway: &Gateway, due: &BTreeMap<String, Stamp>) -> Self {
        let (mut turns, rest) = (JoinSet::new(), gateway.stop.child_token());
        let shared = gateway.shared();
        let asking = gateway.streams.iter().filter(|stream| stream.intake.is_none());
        for stream in asking.clone() {
            let due = due.get(&name(stream)).copied();
            let (stream, shared, rest) = (Arc::clone(stream), shared.clone(), rest.clone());
            turns.spawn(async move {
                let index = stream.index;
                // What a store that has failed means is decided where its failures are watched.
                let _ = pipeline::run(stream, shared, rest, due).await;
                index
            });
        }
        let deadlines = pipeline::keep_deadlines(shared, gateway.listening_since, rest.clone());
        tokio::spawn(deadlines);
        Self { turns, at_work: asking.map(|stream| stream.index).collect(), rest }
    }

    /// Lets turns under way end for so long; the streams that have not.
    async fn rest(&mut self, patience: Duration) -> &BTreeSet<usize> {
        self.rest.cancel();
        let drained = async {
            while let Some(ended) = self.turns.join_next().await {
                self.at_work.retain(|index| ended.as_ref().ok() != Some(index));
            }
        };
        let _ = tokio::time::timeout(patience, drained).await;
        &self.at_work
    }

    /// Ends them, whatever they are doing.
    pub(super) async fn end(mut self, patience: Duration) {
        if !self.rest(patience).await.is_empty() {
            // Dropping a turn is safe: its uncommitted page is pulled again.
            self.turns.abort_all();
        }
    }
}

/// How snapshots call a stream.
fn name(stream: &Stream) -> String {
    format!("{}.{}", stream.source, stream.name)
}

/// What goes on as it was when the configuration is another one.
struct Kept {
    /// The clients of sources whose files say what they said.
    clients: BTreeMap<String, Client>,
    /// When their streams are due.
    due: BTreeMap<String, Stamp>,
}

impl Gateway {
    /// Takes over what the folder says now, if it is good; goes on as before if it is not.
    pub(super) async fn reload(&mut self, mut pulling: Pulling, contexts: &Contexts) -> Pulling {
        let (config, spare) = match self.checked().await {
            Ok((config, _)) if config.hash == self.config.hash => {
                tracing::info!(config = config.hash, "the configuration says what it said");
                self.metrics.reloaded(true, self.clock.now());
                return pulling;
            }
            Ok(good) => good,
            Err(error) => {
                self.refuse(&error);
                self.note(Action::ConfigurationRefused, "", "").await;
                return pulling;
            }
        };
        let cut = tokio::select! {
            () = self.stop.cancelled() => return pulling,
            busy = pulling.rest(PATIENCE) => self.cut(busy),
        };
        if !cut.is_empty() {
            pulling.end(PATIENCE).await;
        }
        failpoint::pass("rested");
        let kept = self.kept(&config, &cut);
        match self.take_over(&kept).await {
            Ok(()) => {
                contexts.store(Arc::new(self.serving()));
                // After the answers: what the metrics say, the API has already said.
                self.metrics.adopt(source_labels(&self.config));
                failpoint::pass("taken over");
                self.metrics.reloaded(true, self.clock.now());
                let (sources, config) = (self.config.sources.len(), &self.config.hash);
                let unchanged = kept.clients.len();
                tracing::info!(config, sources, unchanged, "another configuration is in use");
            }
            Err(error) => {
                self.refuse(&error);
                self.note(Action::ConfigurationRefused, "", "").await;
                if !cut.is_empty() {
                    (self.streams, self.clients) = spare;
                }
            }
        }
        Pulling::start(self, &kept.due)
    }

    /// Reads the configuration without touching anything; yields it, and the present streams anew for
    /// the case that some of their clients must be given up.
    async fn checked(&self) -> anyhow::Result<(Config, AllStreams)> {
        let settings = self.settings.clone();
        let work = move || {
            identifier_keys(&settings)?;
            anyhow::Ok(settings.check()?)
        };
        let config = tokio::task::spawn_blocking(work).await??;
        let snapshot = self.store.snapshot();
        let anew = |config: &Config| {
            let context = self.context_under(config)?;
            streams(config, &self.settings.config, &context, BTreeMap::new(), &snapshot)
        };
        anew(&config)?;
        let spare = anew(&self.config)?;
        Ok((config, spare))
    }

    /// Cuts short what these streams are doing; yields their sources, whose clients are of no more use.
    fn cut(&self, busy: &BTreeSet<usize>) -> BTreeSet<String> {
        let sources: BTreeSet<String> =
            busy.iter().map(|index| self.streams[*index].source.clone()).collect();
        let clients = sources.iter().filter_map(|source| self.clients.get(source));
        clients.for_each(|client| client.stop.cancel());
        sources
    }

    /// What need not begin anew.
    fn kept(&self, config: &Config, cut: &BTreeSet<String>) -> Kept {
        let snapshot = self.store.snapshot();
        let is_reachable_as_before = self.is_outbound_of(config);
        let is_same = |source: &config::Source| {
            let mut known = self.config.sources.iter().map(|known| &known.written);
            let known = known.find(|known| known.source == source.source);
            // As written, with every setting: what a source is has no other equality.
            is_reachable_as_before
                && known.is_some_and(|known| format!("{known:?}") == format!("{source:?}"))
        };
        let same = config.sources.iter().map(|source| &source.written);
        let same = same.filter(|source| !cut.contains(&source.source) && is_same(source));
        let clients: BTreeMap<_, _> = same
            .filter_map(|source| Some(source.source.clone()).zip(self.clients.get(&source.source)))
            .map(|(source, client)| (source, client.clone()))
            .collect();
        // A stream that failed, or has more to fetch, goes on at once.
        let is_whole = |stream: &&Arc<Stream>| {
            let state = snapshot.streams.get(&name(stream));
            let last = state.and_then(|state| state.runs.back());
            clients.contains_key(&stream.source)
                && last.is_some_and(|run| run.outcome == Outcome::Ok)
        };
        let now = self.clock.now();
        let due = self.streams.iter().filter(is_whole);
        let due = due.map(|stream| (name(stream), pipeline::next_turn(stream, now))).collect();
        Kept { clients, due }
    }

    /// Gives the store the configuration with the numbers that it has given to words, then uses both.
    async fn take_over(&mut self, kept: &Kept) -> anyhow::Result<()> {
        let (settings, store, clock) =
            (self.settings.clone(), self.store.clone(), self.clock.clone());
        let work = move || {
            let (key, previous) = identifier_keys(&settings)?;
            let config = settings.load(store.words()?, &key, previous.as_deref())?;
            let parts = parts(&config, &clock, &key, previous.as_deref());
            anyhow::Ok((config, parts))
        };
        let (config, parts) = tokio::task::spawn_blocking(work).await??;
        let known = kept.clients.clone();
        let context = self.context_under(&config)?;
        let courier = super::webhooks::courier(&self.settings, &config)?;
        let snapshot = self.store.snapshot();
        let all = streams(&config, &self.settings.config, &context, known, &snapshot)?;
        let tokens = self.tokens_under(&config, &context)?;
        self.store = self.store.reload(parts).await?;
        self.in_use.store(Arc::new(self.store.clone()));
        self.courier.store(Arc::new(courier));
        if let Some(tokens) = tokens {
            self.tokens.end();
            self.tokens = Arc::new(tokens);
            self.tokens.start(&self.metrics);
        }
        (self.streams, self.clients) = all;
        self.context = context;
        self.config = config;
        Ok(())
    }

    /// Whether what all sources share on their way out is what it was.
    fn is_outbound_of(&self, config: &Config) -> bool {
        format!("{:?}", config.outbound) == format!("{:?}", self.config.outbound)
    }

    /// What sources' clients are given under a configuration.
    fn context_under(&self, config: &Config) -> anyhow::Result<pull::Context> {
        let mut context = self.context.clone();
        if !self.is_outbound_of(config) {
            context.outbound = outbound(&self.settings, &config.outbound)?;
        }
        Ok(context)
    }

    /// The providers of tokens, if they are others than before: those that are the same keep their keys, so
    /// that nobody is turned away while they are read again.
    fn tokens_under(
        &self,
        config: &Config,
        context: &pull::Context,
    ) -> anyhow::Result<Option<Tokens>> {
        let (now, then) = (&config.token_providers, &self.config.token_providers);
        if self.is_outbound_of(config) && format!("{now:?}") == format!("{then:?}") {
            return Ok(None);
        }
        tokens::of(&self.settings, config, context).map(Some)
    }

    /// Says what is wrong; everything goes on as before.
    fn refuse(&self, error: &anyhow::Error) {
        self.metrics.reloaded(false, self.clock.now());
        if let Some(Invalid(problems)) = error.downcast_ref() {
            problems.iter().for_each(|problem| tracing::error!(%problem, "the configuration"));
        }
        let error = format!("{error:#}");
        tracing::error!(error, "the configuration is refused, the one before stays in use");
    }
}

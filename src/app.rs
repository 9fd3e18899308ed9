//! The composition root: from a checked configuration to running parts, and the order of life.
//!
//! Configuration → store → metrics → streams → listener → "listening" → wait → stop pulling → finish
//! turns → drain HTTP → close store; while it waits, another configuration as often as one is asked
//! for. Whoever calls brings the socket and the stop signal, so a test brings port 0 and its own.

mod audit;
mod clients;
mod custody;
mod fleets;
mod intake;
mod keys;
mod listener;
mod over;
mod past;
mod reload;
mod steering;
mod tokens;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{self, Config, Options, Problem};
use crate::lateness::AgeLimit;
use crate::model::access::{Reach, Scope};
use crate::model::audit::Action;
use crate::model::contract::Otherwise;
use crate::model::dictionary::Dictionaries;
use crate::model::nearest::nearest;
use crate::model::schema::Schema;
use crate::model::time::Stamp;
use crate::normalise::KeyHasher;
use crate::notify::WebhookKey;
use crate::pipeline::{Shared, Stream};
use crate::pull;
use crate::pull::Courier;
use crate::serve;
use crate::store::{Epoch, KeyIds, Opened, Parts, Report, Store, StreamName};
use crate::telemetry::{Metrics, SourceLabels, StreamLabels};
pub use audit::AUDIT_KEY;
use clients::{AllStreams, Client, streams};
pub use clients::{outbound, puller, puller_of};
use keys::Keys;
pub use keys::{NewKey, make_key};
use over::over;
use past::Past;
use reload::Pulling;
use tokens::Tokens;
pub use webhooks::WEBHOOK_KEY;

/// How long turns may take to end after the stop signal.
const DRAIN: Duration = Duration::from_secs(7);

/// Pages decoded at once: one core stays free for serving.
const DECODING: usize = 2;

/// The file in the secrets folder that keys the hashes of identifiers.
pub const IDENTIFIER_KEY: &str = "identifier_key";

/// The file beside it that holds the key before, as long as it is being replaced.
pub const PREVIOUS_KEY: &str = "identifier_key.previous";

/// The variable that names networks in which sources may stand besides those of the configuration:
/// this machine's own, for a trial on one machine.
pub const OUTBOUND_ALLOW: &str = "IOCGW_OUTBOUND_ALLOW";

/// The shortest identifier key, in bytes.
const KEY_LENGTH: usize = 32;

/// Where a gateway finds its things.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The configuration folder.
    pub config: PathBuf,
    /// The store's file.
    pub store: PathBuf,
    /// The folder of secrets.
    pub secrets: PathBuf,
    /// Variables that take precedence over the environment's.
    pub variables: BTreeMap<String, String>,
}

/// A configuration with problems, all of them.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has {} problem(s)", .0.len())]
pub struct Invalid(pub Vec<Problem>);

/// A gateway whose parts are made and which does nothing yet.
pub struct Gateway {
    settings: Settings,
    config: Config,
    store: Store,
    metrics: Arc<Metrics>,
    streams: Vec<Arc<Stream>>,
    clock: Clock,
    stop: CancellationToken,
    /// What every source's client is given.
    context: pull::Context,
    /// The sources' clients, by name.
    clients: BTreeMap<String, Client>,
    /// Those who listen, whatever the configuration.
    hub: Arc<serve::Hub>,
    /// Writes that may come again, whatever the configuration.
    repeats: Arc<serve::Repeats>,
    /// What those may who show no key, besides what the configuration opens.
    opened: BTreeSet<Scope>,
    /// Refusals that the audit log has not got yet.
    gathered: Arc<audit::Gathered>,
    /// The store as it is in use now, for what goes on through every reload.
    in_use: Arc<ArcSwap<Store>>,
    /// The keys, as the store has them.
    keys: Arc<Keys>,
    /// Whose tokens are believed.
    tokens: Arc<Tokens>,
    /// Who carries messages of webhooks.
    courier: Arc<ArcSwap<Courier>>,
    /// What their secrets are made from.
    webhook_key: Option<Arc<WebhookKey>>,
    /// Since when whoever pushes can be heard.
    listening_since: Stamp,
    /// Where metrics are answered, if not where everything is.
    metrics_listener: Option<TcpListener>,
    /// Below what everything is answered: as the configuration said when the program was started.
    base: serve::Base,
    /// Each message asks to read the configuration again.
    reloads: Option<mpsc::Receiver<()>>,
}

impl Settings {
    /// Where tokens that are replaced with each use are kept: a folder beside the store.
    pub fn kept_tokens(&self) -> PathBuf {
        let mut folder = self.store.clone().into_os_string();
        folder.push("-tokens");
        folder.into()
    }

    /// Looks up a variable of the configuration.
    pub fn lookup(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned().or_else(|| std::env::var(name).ok())
    }

    /// Reads and checks the configuration without touching store, secrets or network.
    pub fn check(&self) -> Result<Config, Invalid> {
        self.load(Dictionaries::default(), b"for a check only", None)
    }

    fn load(
        &self,
        words: Dictionaries,
        identifier_key: &[u8],
        previous_key: Option<&[u8]>,
    ) -> Result<Config, Invalid> {
        let lookup = |name: &str| self.lookup(name);
        let dir = &self.config;
        let options =
            Options { dir, kept: None, lookup: &lookup, words, identifier_key, previous_key };
        config::load(options).map_err(Invalid)
    }
}

impl Gateway {
    /// Checks the configuration, opens the store and makes all parts; asks no source yet.
    pub fn open(
        settings: &Settings,
        clock: Clock,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let (opened, config, parts) = open_store(settings, &clock)?;
        let store = opened.start(parts)?;
        let metrics = Arc::new(Metrics::new(source_labels(&config)));
        metrics.reloaded(true, clock.now());
        let context = pull::Context {
            clock: clock.clone(),
            secrets_dir: settings.secrets.clone(),
            state_dir: settings.kept_tokens(),
            holders: pull::Holders::default(),
            stop: stop.clone(),
            seed: fastrand::u64(..),
            outbound: outbound(settings, &config.outbound)?,
        };
        let (streams, clients) =
            streams(&config, &settings.config, &context, BTreeMap::new(), &store.snapshot())?;
        let counted = Arc::clone(&metrics);
        let hub = Arc::new(serve::Hub::new(
            config.events.clone(),
            Box::new(move |what| streamed(&counted, what)),
            stop.clone(),
        ));
        let keys = Arc::new(Keys::of(store.path(), clock.clone())?);
        let tokens = tokens::of(settings, &config, &context)?;
        let in_use = Arc::new(ArcSwap::from_pointee(store.clone()));
        let courier = webhooks::courier(settings, &config)?;
        Ok(Self {
            courier: Arc::new(ArcSwap::from_pointee(courier)),
            webhook_key: webhooks::webhook_key(settings)?,
            in_use,
            gathered: Arc::default(),
            keys,
            tokens: Arc::new(tokens),
            settings: settings.clone(),
            base: config.listener.base_path.clone(),
            config,
            store,
            metrics,
            streams,
            listening_since: clock.now(),
            clock,
            stop,
            context,
            clients,
            hub,
            repeats: Arc::default(),
            opened: BTreeSet::new(),
            metrics_listener: None,
            reloads: None,
        })
    }

    /// Recounts everything in the store; changes nothing.
    pub fn check(settings: &Settings, clock: &Clock) -> anyhow::Result<Report> {
        let (opened, _, parts) = open_store(settings, clock)?;
        Ok(opened.check(&parts)?)
    }

    /// Builds these measures anew from the stored records, all of them if none is named; yields
    /// their names.
    pub async fn rebuild(
        settings: &Settings,
        clock: Clock,
        measures: &[String],
    ) -> anyhow::Result<Vec<String>> {
        let (opened, config, parts) = open_store(settings, &clock)?;
        let all: Vec<String> = config
            .plans
            .iter()
            .flat_map(|plan| plan.measures.iter().map(|measure| measure.name.clone()))
            .collect();
        if let Some(unknown) = measures.iter().find(|name| !all.contains(name)) {
            let hint = nearest(unknown, all.iter().map(String::as_str))
                .map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            return Err(anyhow!("there is no measure '{unknown}'{hint}"));
        }
        let named = if measures.is_empty() { all } else { measures.to_vec() };
        opened.distrust(&named)?;
        let store = opened.start(parts)?;
        store.whole().await;
        store.close().await;
        Ok(named)
    }

    /// The store, for those who look at snapshots.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Opens this to those who show no key too, besides what the configuration opens.
    #[must_use]
    pub fn opening(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.opened.extend(scopes);
        self
    }

    /// Reads the configuration again whenever a message comes.
    #[must_use]
    pub fn reloading_on(mut self, reloads: mpsc::Receiver<()>) -> Self {
        self.reloads = Some(reloads);
        self
    }

    /// The configuration in use.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Pulls and serves on `listener` until the stop signal; then drains and closes.
    pub async fn serve(mut self, listener: TcpListener) -> anyhow::Result<()> {
        let contexts = Arc::new(serve::Contexts::from_pointee(self.serving()));
        // What goes on beside the turns, until the stop signal and no sooner.
        let mut beside = JoinSet::new();
        beside.spawn(serve::tell(Arc::clone(&contexts)));
        beside.spawn(serve::tell_webhooks(Arc::clone(&contexts), self.stop.clone()));
        beside.spawn(self.notifier().run(self.stop.clone()));
        beside.spawn(keys::look(Arc::clone(&self.keys), self.stop.clone()));
        self.tokens.start(&self.metrics);
        self.tell_what_is_open();
        self.note(Action::GatewayStarted, env!("CARGO_PKG_VERSION"), &self.what_is_open()).await;
        let signing = audit::signing_key(&self.settings)?;
        beside.spawn(audit::keep(
            Arc::clone(&self.in_use),
            Arc::clone(&self.gathered),
            signing,
            self.stop.clone(),
        ));
        let serving = self.listen(&contexts, listener)?;
        let mut pulling = Pulling::start(&self, &BTreeMap::new());
        let mut failures = self.store.failures();
        let ended = loop {
            tokio::select! {
                biased;
                ended = over(&self.stop, &mut failures, &mut beside) => break ended,
                () = asked_to_reload(&mut self.reloads) => {
                    pulling = self.reload(pulling, &contexts).await;
                }
            }
        };
        self.stop.cancel();
        pulling.end(DRAIN).await;
        serving.stop().await;
        while beside.join_next().await.is_some() {}
        self.store.close().await;
        ended
    }

    fn shared(&self) -> Shared {
        Shared {
            store: self.store.clone(),
            metrics: Arc::clone(&self.metrics),
            clock: self.clock.clone(),
            decoding: Arc::new(Semaphore::new(DECODING)),
        }
    }

    fn serving(&self) -> serve::Context {
        let config = &self.config;
        let (metrics, store, observing) =
            (Arc::clone(&self.metrics), self.store.clone(), Arc::clone(&self.metrics));
        let looking = Arc::clone(&self.metrics);
        let ready_store = self.store.clone();
        let definitions = Arc::new(definitions(config));
        serve::Context {
            snapshot: self.store.shared(),
            vintages: Arc::new(Past::new(
                self.store.clone(),
                self.settings.clone(),
                self.clock.clone(),
                Arc::clone(&definitions),
            )),
            definitions,
            sources: config.sources.iter().map(source_facts).collect(),
            clock: self.clock.clone(),
            fleets: Arc::new(fleets::Fleets(self.streams.clone())),
            intake: Arc::new(intake::Intake {
                streams: self.streams.clone(),
                shared: self.shared(),
                runtime: tokio::runtime::Handle::current(),
            }),
            quarantine: Arc::new(custody::Quarantine(self.store.clone())),
            audit: Arc::new(audit::Log(self.store.clone())),
            custodian: self.custodian(),
            hooks: self.hooks(),
            access: self.access(),
            reach: Reach::default(),
            kept: Arc::new(serve::Kept::new(Arc::new(move |is_found| {
                looking.answers.looked_up(is_found);
            }))),
            metrics: Arc::new(move || {
                metrics.render(&store.snapshot(), store.path(), store.failures().borrow().is_none())
            }),
            events: Arc::clone(&self.hub),
            repeats: Arc::clone(&self.repeats),
            exposition: Arc::new(serve::Exposition::new(config.indicator_metrics.clone())),
            ready: Arc::new(move || {
                vec![(
                    "store",
                    ready_store
                        .failures()
                        .borrow()
                        .clone()
                        .map_or(Ok(()), |error| Err(error.to_string())),
                )]
            }),
            observe: Arc::new(move |route, method, code, took| {
                observing.answers.answered(route, method, code, took);
            }),
            base: self.base.clone(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// Checks the configuration and takes the store; reads the configuration with the numbers that the
/// store has already given to words.
fn open_store(settings: &Settings, clock: &Clock) -> anyhow::Result<(Opened, Config, Parts)> {
    settings.check()?;
    let (key, previous) = identifier_keys(settings)?;
    let opened = Store::open(&settings.store)?;
    let config = settings.load(opened.words().clone(), &key, previous.as_deref())?;
    let parts = parts(&config, clock, &key, previous.as_deref());
    Ok((opened, config, parts))
}

/// What the store is started with under a configuration.
fn parts(config: &Config, clock: &Clock, key: &[u8], previous: Option<&[u8]>) -> Parts {
    let mut streams = Vec::new();
    for source in &config.sources {
        for stream in &source.streams {
            streams.push(StreamName {
                source: source.written.source.clone(),
                stream: stream.name.clone(),
                plan: stream.plan,
                rank: stream.rank,
                promise: stream.promise.clone(),
                age_limit: Arc::new(AgeLimit {
                    fresh_within: config.plans[stream.plan].schema.fresh_within,
                    unit: source.written.accountable_unit.clone(),
                    is_pushed: source.written.intake.is_some(),
                }),
            });
        }
    }
    Parts {
        plans: config.plans.clone(),
        keys: key_ids(config, key, previous),
        streams,
        words: config.words.clone(),
        epoch: Epoch { hash: config.hash.clone(), files: config.files.clone() },
        clock: clock.clone(),
        journal_full_for: config.journal_full_for,
    }
}

/// The ids of each contract's derived keys, in the order of the plans.
fn key_ids(config: &Config, key: &[u8], previous: Option<&[u8]>) -> Vec<KeyIds> {
    let id = |contract: &str, key| {
        let linkage = config.contracts.get(contract).and_then(|found| found.linkage.as_deref());
        linkage
            .map_or_else(|| KeyHasher::new(key, contract), |name| KeyHasher::shared(key, name))
            .id()
    };
    let ids = config.plans.iter().map(|plan| KeyIds {
        current: id(&plan.schema.name, key),
        previous: previous.map(|key| id(&plan.schema.name, key)),
    });
    ids.collect()
}

/// What the numbers mean under this configuration.
fn definitions(config: &Config) -> serve::Definitions {
    serve::Definitions {
        config: config.hash.clone(),
        catalogue: config.catalogue.clone(),
        areas: Arc::clone(&config.areas),
        words: Arc::new(config.words.clone()),
        lists: config.lists.clone(),
        contracts: config.contract_facts(),
        contract_versions: config.contract_versions(),
        measure_versions: config.measure_versions(),
        boards: config.boards.clone(),
        trackers: config.trackers.clone(),
        units: config.unit_names(),
        province: serve::Province {
            code: config.province.code.clone(),
            name: config.province.name.clone(),
        },
        patterns: Arc::default(),
    }
}

/// Counts what happens to listeners.
fn streamed(metrics: &Metrics, what: serve::Streamed) {
    match what {
        serve::Streamed::Opened => metrics.listeners.opened(),
        serve::Streamed::Closed => metrics.listeners.closed(),
        serve::Streamed::Sent(event) => metrics.listeners.sent(event),
        serve::Streamed::Dropped(reason) => metrics.listeners.dropped(reason),
    }
}

fn source_facts(source: &config::CheckedSource) -> (String, serve::SourceFacts) {
    let written = &source.written;
    let streams = source.streams.iter().map(|stream| serve::StreamFacts {
        name: stream.name.clone(),
        contract: written.streams[&stream.name].contract.clone(),
        past: source.past(stream),
    });
    let facts = serve::SourceFacts {
        title: written.title.clone(),
        source_kind: written.source_kind.clone(),
        accountable_unit: written.accountable_unit.clone(),
        streams: streams.collect(),
    };
    (written.source.clone(), facts)
}

fn source_labels(config: &Config) -> Vec<SourceLabels> {
    let label = |source: &config::CheckedSource| SourceLabels {
        source: source.written.source.clone(),
        kind: source.written.source_kind.clone(),
        unit: source.written.accountable_unit.clone(),
        is_fleet: source.written.fleet.is_some(),
        streams: source
            .streams
            .iter()
            .map(|stream| stream_labels(stream, &config.plans[stream.plan].schema))
            .collect(),
    };
    config.sources.iter().map(label).collect()
}

fn stream_labels(stream: &config::CheckedStream, schema: &Schema) -> StreamLabels {
    let warns = schema.checks.iter().filter(|rule| rule.otherwise == Otherwise::Warn);
    StreamLabels {
        stream: stream.name.clone(),
        fresh_within: schema.fresh_within.as_seconds(),
        has_deadlines: stream.promise.is_some(),
        warnings: warns.map(|rule| rule.text.clone()).collect(),
    }
}

/// The key of identifiers, and the one before while it is being replaced.
fn identifier_keys(settings: &Settings) -> anyhow::Result<(Vec<u8>, Option<Vec<u8>>)> {
    let key = identifier_key(&settings.secrets.join(IDENTIFIER_KEY))?;
    let path = settings.secrets.join(PREVIOUS_KEY);
    let previous = if path.exists() { Some(identifier_key(&path)?) } else { None };
    Ok((key, previous))
}

/// By contract, the id of the key under which its identifiers are hashed; `None` if the folder of secrets
/// has no key yet.
pub fn identifier_key_ids(
    config: &Config,
    secrets: &Path,
) -> anyhow::Result<Option<BTreeMap<String, u32>>> {
    let path = secrets.join(IDENTIFIER_KEY);
    if !path.exists() {
        return Ok(None);
    }
    let ids = key_ids(config, &identifier_key(&path)?, None).into_iter().map(|ids| ids.current);
    let names = config.plans.iter().map(|plan| plan.schema.name.clone());
    Ok(Some(names.zip(ids).collect()))
}

/// Waits for the next message; for ever if nobody sends any.
async fn asked_to_reload(reloads: &mut Option<mpsc::Receiver<()>>) {
    let asked = match reloads {
        Some(reloads) => reloads.recv().await,
        None => None,
    };
    if asked.is_none() {
        std::future::pending::<()>().await;
    }
}

/// The key of identifiers' hashes; without it no store may be written.
fn identifier_key(path: &Path) -> anyhow::Result<Vec<u8>> {
    let help = "make one with: head -c 32 /dev/urandom | base64 > FILE, and keep a copy: without it, records already stored are not recognised again";
    let key = std::fs::read(path)
        .with_context(|| format!("cannot read the identifier key {}; {help}", path.display()))?;
    let key = key.trim_ascii().to_vec();
    if key.len() < KEY_LENGTH {
        return Err(anyhow!(
            "the identifier key {} has {} bytes, it needs {KEY_LENGTH} or more; {help}",
            path.display(),
            key.len()
        ));
    }
    Ok(key)
}

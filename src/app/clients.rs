//! From sources as configured to streams that can be asked, and the clients that ask.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{OUTBOUND_ALLOW, Settings};
use crate::config::{self, Config};
use crate::model::snapshot::Snapshot;
use crate::pipeline::{self, Discovery, Fleet, Reconcile, Stream};
use crate::pull;

/// The client of a source, and what ends all that it asks.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) puller: Option<pull::Source>,
    pub(super) stop: CancellationToken,
}

pub(super) type AllStreams = (Vec<Arc<Stream>>, BTreeMap<String, Client>);

/// Every stream of every source, in the order in which the store numbers them, and their clients:
/// the `known` ones where there is one, and new ones, which end when `context` does.
pub(super) fn streams(
    config: &Config,
    folder: &Path,
    context: &pull::Context,
    mut known: BTreeMap<String, Client>,
    snapshot: &Snapshot,
) -> anyhow::Result<AllStreams> {
    let mut clients = BTreeMap::new();
    let mut streams = Vec::new();
    for source in &config.sources {
        let written = &source.written;
        let known = known.remove(&written.source);
        let stop =
            known.as_ref().map_or_else(|| context.stop.child_token(), |known| known.stop.clone());
        let context =
            pull::Context { stop: stop.clone(), seed: fastrand::u64(..), ..context.clone() };
        let puller = match (known, &written.requester) {
            (Some(known), _) => known.puller,
            (None, Some(_)) => Some(puller(written, &context)?),
            (None, None) => None,
        };
        let discovery = discovery(written, folder, &context)?;
        if let (Some(puller), Some(circuit)) = (&puller, snapshot.circuits.get(&written.source)) {
            puller.resume(*circuit);
        }
        clients.insert(written.source.clone(), Client { puller: puller.clone(), stop });
        for stream in &source.streams {
            let fleet = discovery.as_ref().zip(written.fleet.as_ref()).map(|(discovery, fleet)| {
                Fleet::new(Arc::clone(discovery), fleet.slot, fleet.concurrency)
            });
            streams.push(Arc::new(Stream {
                source: written.source.clone(),
                name: stream.name.clone(),
                index: streams.len(),
                puller: puller.clone(),
                request: stream.request.clone(),
                decoder: stream.decoder.clone(),
                rule_places: stream.rule_places.clone(),
                next_at: stream.next_at,
                total_at: stream.total_at,
                parent: stream.parent.clone(),
                limits: written.streams[&stream.name].limits,
                normaliser: stream.normaliser.clone(),
                interval: written.streams[&stream.name].interval,
                cursor: stream.cursor.clone(),
                purpose: written.streams[&stream.name]
                    .conditional
                    .then(|| format!("{} {} {}", config.hash, written.source, stream.name)),
                data_through: stream.data_through,
                gate: stream.gate,
                drift: written.streams[&stream.name].drift,
                unit: written.accountable_unit.clone(),
                promise: stream.promise.clone(),
                fleet,
                intake: intake_of(written, &context),
                files: written.file.clone(),
                own: written.register.clone(),
                reconcile: written.streams[&stream.name].reconcile.clone().map(Reconcile::new),
                wake: Notify::new(),
            }));
        }
    }
    Ok((streams, clients))
}

/// What lets deliveries of a source's stream in.
fn intake_of(written: &config::Source, context: &pull::Context) -> Option<pipeline::Intake> {
    let settings = written.intake.clone()?;
    Some(pipeline::Intake::new(settings, &context.secrets_dir))
}

/// What keeps the list of a fleet's targets.
fn discovery(
    written: &config::Source,
    folder: &Path,
    context: &pull::Context,
) -> anyhow::Result<Option<Arc<Discovery>>> {
    let Some(fleet) = &written.fleet else { return Ok(None) };
    let requester = written.requester.as_ref();
    let service = requester.and_then(|it| fleet.service(it)).zip(fleet.http_sd.as_ref());
    let service = service
        .map(|(requester, http)| {
            let (authenticator, retry) = (http.authenticator.clone(), written.retry.clone());
            let politeness = (None, written.circuit_breaker.clone());
            pull::Source::new(requester, authenticator, politeness, retry, context.clone())
        })
        .transpose()
        .with_context(|| format!("source '{}', http_sd", written.source))?;
    let discovery = Discovery::new(&written.source, folder, fleet.clone(), service);
    Ok(Some(Arc::new(discovery)))
}

/// A client for one address that no configuration names.
pub fn puller_of(
    requester: pull::Requester,
    authenticator: pull::Authenticator,
    context: &pull::Context,
) -> anyhow::Result<pull::Source> {
    let retry = pull::Retry::default();
    let politeness = (None, pull::CircuitBreaker::default());
    pull::Source::new(requester, authenticator, politeness, retry, context.clone())
        .context("cannot ask this address")
}

/// What all sources share on their way out: as configured, and where this very process may go.
pub fn outbound(
    settings: &Settings,
    configured: &pull::OutboundSettings,
) -> anyhow::Result<pull::Outbound> {
    let mut outbound = configured.clone();
    if let Some(allowed) = settings.lookup(OUTBOUND_ALLOW) {
        let networks = allowed.parse().map_err(|error| anyhow!("{OUTBOUND_ALLOW}: {error}"))?;
        tracing::info!(networks = allowed, "{OUTBOUND_ALLOW} lets sources stand there");
        outbound.allow.join(networks);
    }
    Ok(pull::Outbound::new(&outbound))
}

/// The client of one source.
pub fn puller(written: &config::Source, context: &pull::Context) -> anyhow::Result<pull::Source> {
    let ways = (written.requester.clone(), written.authenticator.clone());
    let (Some(requester), Some(authenticator)) = ways else {
        return Err(anyhow!(
            "source '{}' is not asked: it pushes, drops files or is the gateway's own",
            written.source
        ));
    };
    pull::Source::new(
        requester,
        authenticator,
        (written.rate_limit.as_ref(), written.circuit_breaker.clone()),
        written.retry.clone(),
        context.clone(),
    )
    .with_context(|| format!("source '{}'", written.source))
}

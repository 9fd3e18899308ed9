//! `iocgw serve`: the gateway itself. SIGHUP reads the configuration again.

use std::net::TcpListener;
use std::path::PathBuf;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Place;
use crate::app::Gateway;
use crate::clock::Clock;
use crate::model::access::Scope;
use crate::telemetry::log::{self, LogFormat};

/// The most open files that are asked for.
const OPEN_FILES: u64 = 65_536;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The store's file; made if there is none
    #[arg(long, value_name = "FILE", default_value = "iocgw.db")]
    store: PathBuf,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Answer /metrics, and health, on an address of their own, and metrics nowhere else
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<String>,
    /// How log lines are written: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
    log_format: String,
    /// Open this to everybody who reaches the address, besides what `access.anonymous` of iocgw.yaml
    /// opens: for a trial on one machine
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', value_parser = super::key::scope)]
    anonymous: Vec<Scope>,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    log::start(
        if arguments.log_format == "json" { LogFormat::Json } else { LogFormat::Text },
        "info",
    );
    raise_open_files();
    let stop = CancellationToken::new();
    let gateway = Gateway::open(
        &arguments.place.settings(arguments.store.clone()),
        Clock::System,
        stop.clone(),
    )?;
    let listener = listen(&arguments.listen)?;
    let gateway = match &arguments.metrics_listen {
        Some(address) => gateway.with_metrics_on(listen(address)?),
        None => gateway,
    };
    cancel_on_signal(stop)?;
    let gateway = gateway.reloading_on(hangups()?).opening(arguments.anonymous.iter().copied());
    gateway.serve(listener).await?;
    Ok(0)
}

/// Takes as many open files as this process may have, within reason: each target of a fleet and each
/// reader of the API is one, and shells start programs with 1,024.
pub(super) fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    if limit.current.is_some_and(|current| current < most) {
        limit.current = Some(most);
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!("the limit of open files stays as it is: {error}");
        }
    }
}

/// Opens the listening socket.
pub(super) fn listen(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address}; choose another with --listen"))
}

/// A message for each SIGHUP, and one for those that come while one is waiting.
fn hangups() -> anyhow::Result<mpsc::Receiver<()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup()).context("cannot wait for signals")?;
    let (asked, asks) = mpsc::channel(1);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let _ = asked.try_send(());
        }
    });
    Ok(asks)
}

/// Stops in good order on SIGINT and SIGTERM; a second signal ends the process at once.
pub(super) fn cancel_on_signal(stop: CancellationToken) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    tokio::spawn(async move {
        for round in 0..2 {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if round == 0 {
                stop.cancel();
            } else {
                std::process::exit(130);
            }
        }
    });
    Ok(())
}

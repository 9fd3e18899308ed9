//! `iocgw demo`: a simulated province and the gateway on it, with nothing to set up.
//!
//! The province and the gateway talk over real HTTP on loopback and share nothing else, so what a
//! newcomer sees is what the gateway does with real systems.

use std::io::IsTerminal;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::serve::{cancel_on_signal, listen, raise_open_files};
use super::terminal;
use crate::app::{Gateway, IDENTIFIER_KEY, OUTBOUND_ALLOW, Settings, WEBHOOK_KEY};
use crate::clock::Clock;
use crate::model::access::Scope;
use crate::model::snapshot::Snapshot;
use crate::model::time::Stamp;
use crate::province::{self, Now, Province};
use crate::store::Store;
use crate::telemetry::log::{self, LogFormat};

/// Where the demo listens unless told otherwise.
const DEFAULT: &str = "127.0.0.1:8080";

/// What everybody may who reaches the demonstration.
const OPEN: [Scope; 3] = [Scope::Read, Scope::Sources, Scope::Metrics];

/// Steps of the progress bar.
const STEPS: u64 = 1000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Everything in the simulated province follows from it
    #[arg(long, default_value_t = 97_850)]
    seed: u64,
    /// Months of history
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=36))]
    months: u32,
    /// Where to listen; any free port if the default one is taken
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Keep store and secrets in this folder instead of a temporary one
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// The configuration folder
    #[arg(long, value_name = "DIR", default_value = "config")]
    config: PathBuf,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let began = Instant::now();
    log::start(LogFormat::Text, "warn");
    raise_open_files();
    let stop = CancellationToken::new();
    cancel_on_signal(stop.clone())?;
    let listener = match &arguments.listen {
        Some(address) => listen(address)?,
        None => listen(DEFAULT).or_else(|_| listen("127.0.0.1:0"))?,
    };
    let folder = Folder::new(arguments.keep.as_deref())?;
    let (settings, systems) = province(arguments, &folder.path, &stop)?;
    // A demonstration is for looking at: reading is open, and the guide says so.
    let gateway = Gateway::open(&settings, Clock::System, stop.clone())?.opening(OPEN);
    let address = listener.local_addr()?;
    let store = gateway.store().clone();
    let indicators: Vec<String> =
        gateway.config().catalogue.iter().map(|indicator| indicator.id.clone()).collect();
    let first = Stamp(Clock::System.now().0 - i64::from(arguments.months) * 31 * 86_400);
    let watching =
        tokio::spawn(watch(store, first, address, indicators.len(), began, stop.clone()));
    let served = gateway.serve(listener).await;
    stop.cancel();
    let _ = watching.await;
    let _ = systems.await;
    served?;
    match &arguments.keep {
        Some(kept) => terminal::message(&format!(
            "Đã dừng. Dữ liệu ở lại trong {0} / stopped; the data stay in {0}",
            kept.display()
        )),
        None => terminal::message("Đã dừng / stopped."),
    }
    Ok(0)
}

type Systems = tokio::task::JoinHandle<std::io::Result<()>>;

/// Starts the simulated systems; yields how the gateway finds them.
fn province(
    arguments: &Arguments,
    folder: &Path,
    stop: &CancellationToken,
) -> anyhow::Result<(Settings, Systems)> {
    let mut made = province::Settings::new(arguments.seed, Now::Live(Clock::System));
    made.months = arguments.months;
    let province = Province::new(made);
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port on loopback")?;
    let address = listener.local_addr()?;
    let secrets = folder.join("secrets");
    std::fs::create_dir_all(&secrets)
        .with_context(|| format!("cannot make {}", secrets.display()))?;
    for (name, secret) in province.secrets() {
        std::fs::write(secrets.join(name), secret)?;
    }
    let key = secrets.join(IDENTIFIER_KEY);
    if !key.exists() {
        let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(48).collect();
        std::fs::write(key, random)?;
    }
    let key = secrets.join(WEBHOOK_KEY);
    if !key.exists() {
        let random: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(32).collect();
        std::fs::write(key, STANDARD.encode(random))?;
    }
    // The systems of a demonstration are this machine, where no real source may stand.
    let here = [(OUTBOUND_ALLOW, "127.0.0.0/8".to_owned())];
    let variables = province.urls(address).into_iter().chain(here);
    let variables = variables.map(|(name, value)| (name.to_owned(), value)).collect();
    let settings = Settings {
        config: arguments.config.clone(),
        store: folder.join("iocgw.db"),
        secrets,
        variables,
    };
    let systems = tokio::spawn(province::serve(province, listener, stop.clone()));
    Ok((settings, systems))
}

/// Shows how the history comes in, then where to look.
async fn watch(
    store: Store,
    first: Stamp,
    address: std::net::SocketAddr,
    indicators: usize,
    began: Instant,
    stop: CancellationToken,
) {
    let bar = Bar::new();
    loop {
        let snapshot = store.snapshot();
        let (done, is_whole) = progress(&snapshot, first);
        let records: u64 = snapshot.streams.values().map(|state| state.total.received).sum();
        bar.show(done, records);
        if is_whole {
            bar.finish();
            guide(address, indicators, records, began);
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(250)) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// How far the history has been pulled, in steps, and whether every stream had its first run.
fn progress(snapshot: &Snapshot, first: Stamp) -> (u64, bool) {
    let now = Clock::System.now();
    let share = |state: &crate::model::snapshot::StreamState| {
        if !state.runs.is_empty() {
            return STEPS;
        }
        let at = state
            .cursor
            .as_ref()
            .and_then(|cursor| Stamp::parse(cursor))
            .map_or(first.0, |at| at.0);
        ((at - first.0).max(0) as u64 * STEPS / (now.0 - first.0).max(1) as u64).min(STEPS - 1)
    };
    let shares: Vec<u64> = snapshot.streams.values().map(|state| share(state)).collect();
    let whole = shares.iter().all(|share| *share == STEPS);
    (shares.iter().sum::<u64>() / shares.len().max(1) as u64, whole)
}

fn guide(address: std::net::SocketAddr, indicators: usize, records: u64, began: Instant) {
    let lines = [
        format!(
            "{records} bản ghi trong {:.1} s; {indicators} chỉ tiêu / {records} records, {indicators} indicators",
            began.elapsed().as_secs_f64()
        ),
        String::new(),
        format!("  Trang tổng quan / overview    http://{address}/"),
        format!("  Danh mục chỉ tiêu / catalogue http://{address}/v1/catalogue"),
        format!(
            "  Một giá trị / one value       http://{address}/v1/indicators/online_filing_rate/value?period=latest_closed"
        ),
        format!(
            "  Theo xã / by commune          http://{address}/v1/indicators/online_filing_rate/breakdown?by=commune"
        ),
        format!("  Nguồn dữ liệu / sources       http://{address}/v1/sources"),
        format!("  Prometheus                    http://{address}/metrics"),
        String::new(),
        "Bản trình diễn mở quyền đọc cho mọi người; bản thật chỉ trả lời người có khóa / the demo is open to read, a real gateway answers only those with a key: iocgw key create".to_owned(),
        "Ctrl-C để dừng / Ctrl-C stops.".to_owned(),
    ];
    lines.iter().for_each(|line| terminal::message(line));
}

/// A bar on a terminal, plain lines elsewhere.
struct Bar {
    bar: Option<ProgressBar>,
    told: std::cell::Cell<Option<Instant>>,
}

impl Bar {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(
                "Nạp lịch sử / pulling history {bar:30} {percent:>3} % {msg}",
            );
            ProgressBar::new(STEPS)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, told: std::cell::Cell::new(None) }
    }

    fn show(&self, done: u64, records: u64) {
        let message = format!("{records} bản ghi / records");
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(message);
            return;
        }
        if self.told.get().is_none_or(|at| at.elapsed() > Duration::from_secs(2)) {
            self.told.set(Some(Instant::now()));
            terminal::message(&format!(
                "Nạp lịch sử / pulling history: {} % {message}",
                done * 100 / STEPS
            ));
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The demo's folder; a temporary one is removed at the end.
struct Folder {
    path: PathBuf,
    is_temporary: bool,
}

impl Folder {
    fn new(keep: Option<&Path>) -> anyhow::Result<Self> {
        let path = keep.map_or_else(
            || std::env::temp_dir().join(format!("iocgw-demo-{}", std::process::id())),
            Path::to_owned,
        );
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self { path, is_temporary: keep.is_none() })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.is_temporary {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

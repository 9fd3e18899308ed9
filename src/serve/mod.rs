//! The HTTP side: the API under `/v1`, health and metrics, and the console.
//!
//! All addresses stand in one table, `routes`, of which the server and its reference (`openapi`)
//! are made. A handler is a plain function from what was asked
//! (`Asked`: the request and *one* snapshot) to an answer or a refusal; tags, caching,
//! HEAD and problem bodies are done once, around them. A question about the past (`as_of=`) is put to
//! the same functions, with what was known then. Reading is GET and HEAD; the few writes (`custody`,
//! `steering`) are POST and PATCH, and refused unless the program was started to allow them. Conventions:
//! `snake_case`, RFC 3339 with +07:00, ratios 0 to 1, a missing value is null
//! with a reason, rows are flat under `items`, links are relative to the host and made in one place (`link`).

mod access;
mod alerts;
mod answer;
mod audit;
mod backfills;
mod batch;
mod boards;
mod breaches;
mod breakdown;
mod catalogue;
mod console;
mod context;
mod custody;
mod dimension;
mod dimensions;
mod envelope;
mod error;
mod events;
mod exports;
mod exposition;
mod fill;
mod filter;
mod format;
mod geo;
mod guard;
mod health;
mod intake;
mod jobs;
mod kept;
mod lateness;
mod lineage;
mod link;
mod me;
mod number;
mod openapi;
mod past;
mod period;
mod place;
mod prometheus;
mod quality;
mod quarantine;
mod query;
mod repeats;
mod revisions;
mod routes;
mod runs;
mod series;
mod sources;
mod spells;
mod steering;
mod table;
mod targets;
#[cfg(test)]
mod tests;
mod trackers;
mod units;
mod value;
mod webhooks;

pub use access::{
    Access, AccessSettings, Denied, Holder, IsProxy, Keyring, Limiter, Opens, Rate, RateLimits,
    Refusal, WatchDenied, check_origin, token,
};
pub use audit::AuditReader;
pub use backfills::wanted as wanted_backfill;
pub use batch::Query as BatchQuery;
pub use boards::{Board, Tile};
pub use context::{
    Check, Context, Contexts, Definitions, Learned, NoVintage, Observe, Province, SourceFacts,
    StreamFacts, Vintage, Vintages,
};
pub use custody::{Confirmed, Custodian, Pending, QuarantineReader};
pub use events::{EventSettings, Hub, Streamed, WatchStreams, tell};
pub use exposition::{Exposition, IndicatorMetrics};
pub use intake::Intake;
pub use kept::{Kept, WatchLookups};
pub use link::Base;
pub use repeats::Repeats;
pub use targets::{FleetFacts, Fleets, TargetFacts, TargetState};
pub use trackers::{Part, Tracker, TrackerSettings};
pub use webhooks::{Hooks, tell_webhooks};

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

use rustls::ServerConfig;

use answer::Answer;
use error::ApiError;

/// Connections that one worker keeps open at most.
const CONNECTIONS: usize = 1024;
/// How long a client may take to send the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_mins(1);
/// How long a stop waits for answers that are under way.
const DRAIN_SECONDS: u64 = 5;

/// Where is listened, how, and for what.
#[derive(Debug)]
pub struct Listener {
    /// The socket.
    pub socket: TcpListener,
    /// How it shows itself; plain HTTP without it.
    pub tls: Option<ServerConfig>,
    /// What is answered there.
    pub offers: Offers,
}

impl Listener {
    /// Plain HTTP, and everything.
    pub fn plain(socket: TcpListener) -> Self {
        Self { socket, tls: None, offers: Offers::All }
    }
}

/// What is answered at a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offers {
    /// Everything.
    All,
    /// Everything but metrics: they are answered elsewhere.
    AllButMetrics,
    /// Metrics and health.
    Metrics,
}

impl Offers {
    fn include(self, path: &str) -> bool {
        let is_metrics = path.starts_with("/metrics");
        let is_health = matches!(path, "/livez" | "/readyz");
        match self {
            Self::All => true,
            Self::AllButMetrics => !is_metrics,
            Self::Metrics => is_metrics || is_health,
        }
    }

    /// Below what it is answered: metrics on a listener of their own are asked for there, not through
    /// whatever shares the host with the gateway.
    fn base(self, base: &Base) -> Base {
        if self == Self::Metrics { Base::default() } else { base.clone() }
    }
}

/// Serves on `listener` with `workers` threads. The caller awaits the server and owns its stop;
/// signals are left alone. What is put into `contexts` answers every request from then on.
pub fn bind(contexts: Arc<Contexts>, listener: Listener, workers: usize) -> io::Result<Server> {
    let contexts = web::Data::from(contexts);
    let Listener { socket, tls, offers } = listener;
    let base = offers.base(&contexts.load().base);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(contexts.clone())
            .app_data(offers)
            .configure(|config| routes::configure(config, &base, offers))
            .wrap(Compress::default())
            .wrap(from_fn(guard::guard))
    });
    let server = server
        .workers(workers)
        .max_connections(CONNECTIONS)
        .client_request_timeout(HEAD_WITHIN)
        .client_disconnect_timeout(Duration::from_secs(1))
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(DRAIN_SECONDS)
        .disable_signals()
        .tls_handshake_timeout(HEAD_WITHIN)
        .on_connect(events::remember);
    let server = match tls {
        None => server.listen(socket)?,
        Some(tls) => server.listen_rustls_0_23(socket, tls)?,
    };
    Ok(server.run())
}

fn respond(request: &HttpRequest, result: Result<Answer, ApiError>) -> HttpResponse {
    match result {
        Ok(answer) => answer.response(request),
        Err(error) => error.response(request),
    }
}

//! The HTTP side: the API under `/v1`, health and metrics, and the console.
//!
//! All routes stand in `routes`, on one page. A handler is a plain function from what was asked
//! (`Asked`: the request and *one* snapshot) to an answer or a refusal; tags, caching,
//! HEAD and problem bodies are done once, around them. A question about the past (`as_of=`) is put to
//! the same functions, with what was known then. Reading is GET and HEAD; the few writes (`custody`,
//! `steering`) are POST and PATCH, and refused unless the program was started to allow them. Conventions:
//! `snake_case`, RFC 3339 with +07:00, ratios 0 to 1, a missing value is null
//! with a reason, rows are flat under `items`, links are relative.

mod answer;
mod breaches;
mod breakdown;
mod catalogue;
mod console;
mod context;
mod custody;
mod dimension;
mod envelope;
mod error;
mod events;
mod exposition;
mod guard;
mod health;
mod intake;
mod lateness;
mod number;
mod past;
mod period;
mod place;
mod prometheus;
mod quarantine;
mod query;
mod revisions;
mod series;
mod sources;
mod steering;
mod table;
mod targets;
#[cfg(test)]
mod tests;
mod units;
mod value;

pub use context::{
    Check, Context, Contexts, Definitions, Learned, NoVintage, Observe, Province, SourceFacts,
    StreamFacts, Vintage, Vintages,
};
pub use custody::{Confirmed, Custodian, Pending, QuarantineReader};
pub use events::{EventSettings, Hub, Streamed, WatchStreams, tell};
pub use exposition::{Exposition, IndicatorMetrics};
pub use intake::Intake;
pub use targets::{FleetFacts, Fleets, TargetFacts, TargetState};

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, FromRequest, Handler, HttpRequest, HttpResponse, HttpServer, Resource};
use actix_web::{Responder, web};

use crate::model::nearest::nearest;
use answer::Answer;
use context::{Asked, Current, Question};
use error::ApiError;
use past::Reader;

/// Connections that one worker keeps open at most.
const CONNECTIONS: usize = 1024;
/// How long a client may take to send the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_mins(1);
/// How long a stop waits for answers that are under way.
const DRAIN_SECONDS: u64 = 5;

/// The addresses that hold no name in them, to suggest from.
const PLAIN_PATHS: [&str; 17] = [
    "/v1",
    "/v1/catalogue",
    "/v1/dimensions/area/values",
    "/v1/sources",
    "/v1/breaches",
    "/v1/lateness",
    "/v1/units",
    "/v1/events",
    "/v1/quarantine",
    "/livez",
    "/readyz",
    "/metrics",
    "/metrics/indicators",
    "/prometheus/api/v1/query",
    "/docs/prometheus",
    "/quarantine",
    "/",
];

fn routes(config: &mut web::ServiceConfig) {
    config
        .service(get("/", console::page))
        .service(blocking("/indicators/{id}", console::indicator))
        .service(blocking("/quarantine", console::quarantine))
        .service(get("/assets/{name}", console::asset))
        .service(get("/v1", catalogue::links))
        .service(dated("/v1/catalogue", catalogue::list))
        .service(dated("/v1/indicators/{id}", catalogue::definition))
        .service(dated("/v1/indicators/{id}/value", value::value))
        .service(dated("/v1/indicators/{id}/series", series::series))
        .service(dated("/v1/indicators/{id}/breakdown", breakdown::breakdown))
        .service(blocking("/v1/indicators/{id}/revisions", revisions::revisions))
        .service(dated("/v1/dimensions/area/values", dimension::areas))
        .service(get("/v1/sources", sources::list))
        .service(
            get("/v1/sources/{id}", sources::one)
                .route(web::patch().to(steering::change))
                .default_service(web::to(steering::only_read_or_changed)),
        )
        .service(get("/v1/sources/{id}/targets", targets::list))
        .service(get("/v1/breaches", breaches::list))
        .service(get("/v1/lateness", lateness::list))
        .service(get("/v1/units", units::list))
        .service(get("/v1/units/{id}", units::one))
        .service(resource("/v1/events", events::events))
        .service(post("/v1/sources/{id}/confirmations", custody::confirm))
        .service(post("/v1/sources/{id}/pulls", steering::pull))
        .service(resource("/v1/quarantine", quarantine::list))
        .service(post("/v1/intake/{stream}", intake::push))
        .service(post("/v1/quarantine/replays", custody::replay))
        .service(post("/v1/quarantine/discards", custody::discard))
        .service(resource("/v1/quarantine/{id}", quarantine::one))
        .service(get("/docs/problems/{code}", health::problem))
        .service(get("/livez", health::live))
        .service(get("/readyz", health::ready))
        .service(get("/metrics", health::metrics))
        .service(blocking("/metrics/indicators", exposition::indicators))
        .configure(prometheus::routes)
        .default_service(web::to(unknown_path));
}

/// Serves on `listener` with `workers` threads. The caller awaits the server and owns its stop;
/// signals are left alone. What is put into `contexts` answers every request from then on.
pub fn bind(contexts: Arc<Contexts>, listener: TcpListener, workers: usize) -> io::Result<Server> {
    let contexts = web::Data::from(contexts);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(contexts.clone())
            .configure(routes)
            .wrap(Compress::default())
            .wrap(from_fn(guard::guard))
    });
    Ok(server
        .workers(workers)
        .max_connections(CONNECTIONS)
        .client_request_timeout(HEAD_WITHIN)
        .client_disconnect_timeout(Duration::from_secs(1))
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(DRAIN_SECONDS)
        .disable_signals()
        .on_connect(events::remember)
        .listen(listener)?
        .run())
}

/// An address that is read by a plain function, which must not block.
fn get(path: &str, reader: Reader) -> Resource {
    resource(path, move |request: HttpRequest, context: Current| {
        let result = reader(&Asked::new(&Question::of(&request), &context));
        std::future::ready(respond(&request, result))
    })
}

/// The same for an address that takes `as_of=`: with it, the function runs where it may block.
fn dated(path: &str, reader: Reader) -> Resource {
    resource(path, move |request: HttpRequest, context: Current| async move {
        let question = Question::of(&request);
        let result = match past::asked_moment(&question) {
            Ok(None) => reader(&Asked::new(&question, &context)),
            Ok(at) => past::answer(question, context, at, reader).await,
            Err(error) => Err(error),
        };
        respond(&request, result)
    })
}

/// An address that is always read where it may block; it may take `as_of=` too.
fn blocking(path: &str, reader: Reader) -> Resource {
    resource(path, move |request: HttpRequest, context: Current| async move {
        let question = Question::of(&request);
        let result = match past::asked_moment(&question) {
            Ok(at) => past::answer(question, context, at, reader).await,
            Err(error) => Err(error),
        };
        respond(&request, result)
    })
}

/// An address that answers GET and HEAD, and refuses everything else.
fn resource<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args> + Clone,
    F::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    web::resource(path)
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(web::to(method_not_allowed))
}

/// An address that is written to, and refuses everything else.
fn post<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    F::Output: Responder + 'static,
    Args: FromRequest + 'static,
{
    web::resource(path).route(web::post().to(handler)).default_service(web::to(only_post))
}

async fn only_post(request: HttpRequest) -> HttpResponse {
    ApiError::OnlyPost.response(request.path())
}

fn respond(request: &HttpRequest, result: Result<Answer, ApiError>) -> HttpResponse {
    match result {
        Ok(answer) => answer.response(request),
        Err(error) => error.response(request.path()),
    }
}

async fn method_not_allowed(request: HttpRequest) -> HttpResponse {
    ApiError::MethodNotAllowed.response(request.path())
}

async fn unknown_path(request: HttpRequest) -> HttpResponse {
    let path = request.path();
    let near = nearest(path.trim_end_matches('/'), PLAIN_PATHS);
    let suggestions = near.into_iter().map(str::to_owned).collect();
    ApiError::UnknownPath { suggestions }.response(path)
}

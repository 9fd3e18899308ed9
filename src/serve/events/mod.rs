//! `/v1/events`: what changes, as it changes (server-sent events).
//!
//! `?indicators=a,b&areas=province,commune:16681&snapshot=1`. An event is `indicator` (the areas
//! asked for that changed, with their newest values), `source` (its troubles or its quarantine
//! changed) or `resync` (what was missed cannot be told: read everything again). Ids come from the
//! store's revision, so `Last-Event-ID` resumes exactly, on any instance that reads the same store.
//! A comment every 15 seconds keeps proxies awake. The stream is never compressed, for a compressor
//! holds back what is small; it ends when the gateway stops, and `retry` in the first event says how
//! soon to come back.

mod hub;
mod picture;

pub use hub::{EventSettings, Hub, Streamed, WatchStreams};

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::{Stream, unfold};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};

use self::hub::{Beginning, CARE_EVERY, Entry, Event, GLANCE_EVERY, Listener, REST};
use self::picture::{Change, Fares, Figures, Item};
pub(super) use self::picture::{PROVINCE, Picture};
use super::access::Reader;
use super::context::{Asked, Context, Contexts, Current, Question};
use super::error::{ApiError, ParameterError};
use super::place::all_of_today;
use super::query::{Query, refused};
use crate::model::access::Scope;
use crate::model::time::Stamp;

/// How often a silent stream shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How soon a client shall come back, in milliseconds.
const RETRY: u32 = 3000;

/// Events that are written at once.
const BATCH: usize = 50;

/// The most bytes that the kernel holds for a listener that reads slowly.
const SEND_BUFFER: usize = 64 * 1024;

/// The second handle of a connection, to end it from outside.
struct Handle(Arc<TcpStream>);

type Plain = actix_web::rt::net::TcpStream;

/// Keeps a second handle of each connection, for a body that nobody takes cannot end itself.
pub(super) fn remember(connection: &dyn std::any::Any, data: &mut Extensions) {
    let plain = connection.downcast_ref::<Plain>();
    let stream = plain.or_else(|| Some(connection.downcast_ref::<TlsStream<Plain>>()?.get_ref().0));
    if let Some(handle) = stream.and_then(|stream| stream.as_fd().try_clone_to_owned().ok()) {
        data.insert(Handle(Arc::new(TcpStream::from(handle))));
    }
}

/// Looks at the snapshot and tells what changed, until the gateway stops. A change after a while of silence
/// is told at once, many of them one after the other together.
pub async fn tell(contexts: Arc<Contexts>) {
    // The listeners stay where they are when another configuration is taken over.
    let hub = Arc::clone(&contexts.load().events);
    let (mut cares, mut glances) = (every(CARE_EVERY), every(GLANCE_EVERY));
    let mut rests_until = Instant::now();
    loop {
        tokio::select! {
            () = hub.stopping().cancelled() => return,
            _ = cares.tick() => {
                care(&hub, &contexts);
                continue;
            }
            _ = glances.tick() => {}
        }
        if !hub.is_heard() {
            hub.rest();
            continue;
        }
        let context = contexts.load_full();
        let seen = hub.picture().map(|picture| picture.revision);
        if seen == Some(context.snapshot.load().revision) || Instant::now() < rests_until {
            continue;
        }
        let look = move || {
            let nobody = Question::default();
            Picture::of(&Asked::new(&nobody, &context).world())
        };
        match tokio::task::spawn_blocking(look).await {
            Ok(picture) => hub.publish(picture),
            Err(error) => tracing::error!(%error, "the events of a revision could not be told"),
        }
        rests_until = Instant::now() + REST;
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Ends the streams of those who take nothing, and of those who may not listen any more.
fn care(hub: &Hub, contexts: &Contexts) {
    hub.drop_slow();
    let access = Arc::clone(&contexts.load().access);
    hub.shut_out(|key| match key {
        Some(key) => !access.keys.is_good(key),
        None => access.anonymous.as_ref().is_none_or(|open| !open.scopes.contains(&Scope::Read)),
    });
}

/// What a listener wants to hear of.
struct Wanted {
    indicators: Option<Vec<String>>,
    areas: Vec<String>,
    /// The indicators that the listener may hear of, if not all.
    of_units: Option<BTreeSet<String>>,
    /// The sources that the listener may hear of, if not all.
    sources: Option<BTreeSet<String>>,
}

/// A listener's place, and its end when it is dropped.
struct Seat {
    hub: Arc<Hub>,
    number: u64,
    listener: Arc<Listener>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.leave(self.number);
    }
}

/// `/v1/events`.
pub(super) async fn events(request: HttpRequest, context: Current) -> HttpResponse {
    match open(&request, &context, &context.reader) {
        Ok(response) => response,
        Err(error) => error.response(&request),
    }
}

fn open(
    request: &HttpRequest,
    context: &Context,
    reader: &Reader,
) -> Result<HttpResponse, ApiError> {
    let question = Question::of(request);
    let query = question.query()?;
    let asked = Asked::new(&question, context);
    let wanted = wanted(&asked, &query, reader)?;
    let resume = request.headers().get("last-event-id");
    let resume = resume.and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty());
    let beginning = match (resume, query.get("snapshot")) {
        (Some(id), _) => after(id),
        (None, None | Some("0" | "")) => Beginning::Next,
        (None, Some("1")) => Beginning::Snapshot,
        (None, Some(other)) => return Err(refused("snapshot", other, ["0", "1"])),
    };
    if context.events.stopping().is_cancelled() {
        return Err(ApiError::NotReady("stopping".to_owned()));
    }
    let socket = request.conn_data::<Handle>().map(|handle| Arc::clone(&handle.0));
    if let Some(socket) = &socket {
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(&**socket, SEND_BUFFER);
    }
    let hub = Arc::clone(&context.events);
    let (number, listener) =
        hub.enter(socket, reader.key.clone()).ok_or(ApiError::TooManyListeners)?;
    let seat = Seat { hub, number, listener };
    Ok(HttpResponse::Ok()
        .force_close()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(body(seat, wanted, beginning)))
}

/// The revision and part that an id names; an id that is none of ours is too old to know.
fn after(id: &str) -> Beginning {
    let numbers = id
        .split_once('.')
        .and_then(|(revision, part)| Some((revision.parse().ok()?, part.parse().ok()?)));
    let (revision, part) = numbers.unwrap_or_default();
    Beginning::After(revision, part)
}

fn wanted(asked: &Asked<'_>, query: &Query, reader: &Reader) -> Result<Wanted, ApiError> {
    let list = |name: &str| {
        let texts = query.filter(name)?.split(',');
        Some(texts.map(|text| text.trim().to_owned()).collect::<Vec<_>>())
    };
    let indicators = list("indicators");
    let catalogue = &asked.definitions.catalogue;
    for id in indicators.iter().flatten() {
        if catalogue.get(id).is_none() {
            return Err(refused("indicators", id, catalogue.iter().map(|each| each.id.as_str())));
        }
    }
    let world = asked.world();
    let codes: Vec<&str> = all_of_today(&world).iter().map(|place| place.code(&world)).collect();
    let is_whole = world.within.is_none();
    let usual = if is_whole { PROVINCE } else { "all" };
    let mut areas = Vec::new();
    for area in list("areas").unwrap_or_else(|| vec![usual.to_owned()]) {
        let code = area.strip_prefix("commune:").unwrap_or(&area);
        if code == "all" && !is_whole {
            areas.extend(codes.iter().map(|code| (*code).to_owned()));
            continue;
        }
        if code == PROVINCE && !is_whole {
            let detail = "The key reads some communes only, and the province is more than that.";
            return Err(ApiError::BeyondReach(detail.to_owned()));
        }
        if code != PROVINCE && code != "all" && !codes.contains(&code) {
            let reason = "names an area that is none of today's";
            let allowed = ["province", "commune:<code of /v1/dimensions/area/values>", "all"];
            return Err(ParameterError::new("areas", reason).allowing(allowed).into());
        }
        areas.push(code.to_owned());
    }
    // Whatever comes later, other units' indicators and sources are none of this reader's.
    let of_units = asked.context.reach.units.as_ref().map(|_| {
        let own: BTreeSet<String> = catalogue.iter().map(|each| each.id.clone()).collect();
        own
    });
    let sources = match (reader.may(Scope::Sources), &asked.context.reach.units) {
        (false, _) => Some(BTreeSet::new()),
        (true, None) => None,
        (true, Some(_)) => Some(asked.context.sources.keys().cloned().collect()),
    };
    Ok(Wanted { indicators, areas, of_units, sources })
}

impl Wanted {
    fn indicator(&self, id: &str) -> bool {
        self.indicators.as_ref().is_none_or(|ids| ids.iter().any(|each| each == id))
            && self.of_units.as_ref().is_none_or(|own| own.contains(id))
    }

    fn source(&self, name: &str) -> bool {
        self.sources.as_ref().is_none_or(|own| own.contains(name))
    }

    fn area(&self, code: &str) -> bool {
        self.areas.iter().any(|area| area == code || area == "all")
    }
}

/// Where a stream stands.
struct Reading {
    seat: Seat,
    wanted: Wanted,
    beginning: Option<Beginning>,
    head: watch::Receiver<u64>,
    next: u64,
    /// Not yet said how soon to come back.
    retry: bool,
    ended: bool,
}

fn body(
    seat: Seat,
    wanted: Wanted,
    beginning: Beginning,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let head = seat.hub.subscribe();
    let reading = Reading {
        seat,
        wanted,
        beginning: Some(beginning),
        head,
        next: 0,
        retry: true,
        ended: false,
    };
    unfold(reading, |mut reading| async move {
        Hub::came_back(&reading.seat.listener);
        let text = reading.piece().await?;
        reading.seat.hub.handed(&reading.seat.listener);
        Some((Ok(Bytes::from(text)), reading))
    })
}

impl Reading {
    /// The next piece of the stream, however long it takes; `None` at its end.
    async fn piece(&mut self) -> Option<String> {
        loop {
            if self.ended || self.seat.listener.is_shut_out() {
                return None;
            }
            self.head.borrow_and_update();
            let text = self.ready();
            if !text.is_empty() {
                return Some(text);
            }
            let stop = self.seat.hub.stopping().clone();
            tokio::select! {
                () = stop.cancelled() => {
                    self.ended = true;
                    self.seat.hub.count(Streamed::Dropped("shutdown"));
                }
                woken = timeout(HEARTBEAT, self.head.changed()) => match woken {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => self.ended = true,
                    Err(_) => return Some(":\n\n".to_owned()),
                },
            }
        }
    }

    /// What there is to say now.
    fn ready(&mut self) -> String {
        let hub = Arc::clone(&self.seat.hub);
        let mut text = String::new();
        if let Some(beginning) = &self.beginning {
            let Some(Entry { next, snapshot, resync }) = hub.begin(beginning) else { return text };
            (self.next, self.beginning) = (next, None);
            if resync {
                self.resync(&mut text);
            }
            if let Some(picture) = snapshot {
                for (part, change) in picture.whole().into_iter().enumerate() {
                    // All but the last carry the id before: a reader cut off in between begins anew.
                    let event = Event {
                        revision: picture.revision,
                        part: part as u64,
                        at: picture.at,
                        change,
                    };
                    self.write(&mut text, &event, None);
                }
                let _ = write!(text, "id: {}.{}\nevent: snapshot\n", picture.revision, hub::WHOLE);
                self.finish(&mut text, "snapshot", &Nothing { revision: picture.revision });
            }
            if !text.is_empty() {
                return text;
            }
        }
        while text.is_empty() {
            let Some(events) = hub.from(self.next, BATCH) else {
                // The log went on without this listener.
                if let Some(entry) = hub.begin(&Beginning::Next) {
                    self.next = entry.next;
                    self.resync(&mut text);
                }
                return text;
            };
            if events.is_empty() {
                break;
            }
            self.next += events.len() as u64;
            for event in events {
                self.write(&mut text, &event, Some((event.revision, event.part)));
            }
        }
        text
    }

    fn resync(&mut self, text: &mut String) {
        let revision = self.seat.hub.picture().map_or(0, |picture| picture.revision);
        let _ = write!(text, "id: {revision}.{}\nevent: resync\n", hub::WHOLE);
        self.finish(text, "resync", &Nothing { revision });
    }

    /// An event, if anything of it is wanted.
    fn write(&mut self, text: &mut String, event: &Event, id: Option<(u64, u64)>) {
        let Event { revision, at, .. } = *event;
        let mut begin = |name: &str| {
            if let Some((revision, part)) = id {
                let _ = writeln!(text, "id: {revision}.{part}");
            }
            let _ = writeln!(text, "event: {name}");
        };
        match &event.change {
            Change::Indicator(indicator, Figures { period, items }) => {
                let items: Vec<&Item> =
                    items.iter().filter(|item| self.wanted.area(&item.area)).collect();
                if items.is_empty() || !self.wanted.indicator(indicator) {
                    return;
                }
                begin("indicator");
                let data = OfIndicator { indicator, period, items, as_of: at, revision };
                self.finish(text, "indicator", &data);
            }
            Change::Source(source, fares) => {
                if !self.wanted.source(source) {
                    return;
                }
                begin("source");
                let Fares { trouble, quarantined } = fares;
                let quarantined = *quarantined;
                let data = OfSource { source, trouble, quarantined, as_of: at, revision };
                self.finish(text, "source", &data);
            }
        }
    }

    fn finish(&mut self, text: &mut String, name: &'static str, data: &impl Serialize) {
        // Some clients take a block with nothing but `retry` for an empty event.
        if std::mem::take(&mut self.retry) {
            let _ = writeln!(text, "retry: {RETRY}");
        }
        let data = serde_json::to_string(data).expect("events are plain texts and numbers");
        let _ = write!(text, "data: {data}\n\n");
        self.seat.hub.count(Streamed::Sent(name));
    }
}

#[derive(Serialize)]
struct Nothing {
    revision: u64,
}

#[derive(Serialize)]
struct OfIndicator<'a> {
    indicator: &'a str,
    period: &'a str,
    items: Vec<&'a Item>,
    as_of: Stamp,
    revision: u64,
}

#[derive(Serialize)]
struct OfSource<'a> {
    source: &'a str,
    trouble: &'a BTreeMap<String, String>,
    quarantined: u64,
    as_of: Stamp,
    revision: u64,
}

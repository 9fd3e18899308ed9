//! Live changes, by a client that sees every byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::world;
use crate::model::cube::cell;
use crate::model::snapshot::{Measure, Snapshot};
use crate::model::time::Day;
use crate::serve::{Context, Contexts, EventSettings, Hub, Listener, Streamed, bind, tell};

/// A server with a few listeners allowed, its clock standing still.
struct Live {
    context: Arc<Context>,
    address: SocketAddr,
    stop: CancellationToken,
    counted: Arc<Mutex<Vec<Streamed>>>,
    running: actix_web::rt::task::JoinHandle<std::io::Result<()>>,
    handle: actix_web::dev::ServerHandle,
}

impl Live {
    fn start(clients: usize) -> Self {
        let (stop, counted) = (CancellationToken::new(), Arc::new(Mutex::new(Vec::new())));
        let settings = EventSettings { clients, ..EventSettings::default() };
        let counting = Arc::clone(&counted);
        let watch = Box::new(move |what| counting.lock().unwrap().push(what));
        let mut context = world::bare();
        context.events = Arc::new(Hub::new(settings, watch, stop.clone()));
        let context = Arc::new(context);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let contexts = Arc::new(Contexts::new(Arc::clone(&context)));
        let server = bind(Arc::clone(&contexts), Listener::plain(listener), 1).unwrap();
        let handle = server.handle();
        let running = actix_web::rt::spawn(server);
        actix_web::rt::spawn(tell(contexts));
        Self { context, address, stop, counted, running, handle }
    }

    /// A commit: so many more dossiers came online in a commune today.
    fn commit(&self, commune: &str, count: i64) {
        let old: Arc<Snapshot> = self.context.snapshot.load_full();
        let mut new = Snapshot::clone(&old);
        let mut measure: Measure = (*new.measures["dossiers.received"]).clone();
        let area = self.context.definitions.areas.current_by_code(commune).unwrap();
        let channel = self.context.definitions.lists["filing_channel"].number("online").unwrap();
        let day = Day::parse("2024-04-02").unwrap();
        measure.cube.add(&[(cell(i64::from(day.0), area, u32::from(channel)), count)]);
        new.measures.insert("dossiers.received".to_owned(), Arc::new(measure));
        new.revision += 1;
        self.context.snapshot.store(Arc::new(new));
    }

    /// Listens on a thread of its own.
    async fn listen<T: Send + 'static>(
        &self,
        query: &str,
        last_id: Option<&str>,
        read: impl FnOnce(Client) -> T + Send + 'static,
    ) -> T {
        let (address, query) = (self.address, query.to_owned());
        let last_id = last_id.map(str::to_owned);
        let work = move || read(Client::open(address, &query, last_id.as_deref()));
        actix_web::web::block(work).await.unwrap()
    }

    async fn end(self) {
        self.stop.cancel();
        self.handle.stop(true).await;
        self.running.await.unwrap().unwrap();
    }
}

struct Client {
    lines: BufReader<TcpStream>,
    head: String,
}

/// An event as it came.
#[derive(Debug, Default)]
struct Got {
    id: String,
    event: String,
    retry: Option<String>,
    data: Value,
}

impl Client {
    fn open(address: SocketAddr, query: &str, last_id: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let resume = last_id.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
        let request = format!(
            "GET /v1/events{query} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n{resume}\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let (mut lines, mut head) = (BufReader::new(stream), String::new());
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).unwrap() > 0, "{head}");
        }
        Self { lines, head: head.to_lowercase() }
    }

    /// The next event; lines that are none (sizes of chunks, heartbeats) are passed over.
    fn next(&mut self) -> Got {
        let mut got = Got::default();
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the stream ended: {got:?}");
            match line.trim_end().split_once(": ") {
                Some(("id", id)) => id.clone_into(&mut got.id),
                Some(("event", event)) => event.clone_into(&mut got.event),
                Some(("retry", retry)) => got.retry = Some(retry.to_owned()),
                Some(("data", data)) => {
                    got.data = serde_json::from_str(data).unwrap();
                    return got;
                }
                _ => {}
            }
        }
    }

    /// The events up to the end of the snapshot.
    fn snapshot(&mut self) -> Vec<Got> {
        let mut all = Vec::new();
        while all.last().is_none_or(|got: &Got| got.event != "snapshot") {
            all.push(self.next());
        }
        all
    }

    fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        rest
    }
}

#[actix_web::test]
async fn a_listener_gets_a_picture_then_what_changes_and_can_resume_exactly() {
    let live = Live::start(20);
    let query = "?snapshot=1&areas=province,commune:16663&indicators=received,online_rate";
    let (mut client, all) = live
        .listen(query, None, |mut client| {
            let all = client.snapshot();
            (client, all)
        })
        .await;
    assert!(client.head.contains("content-type: text/event-stream"), "{}", client.head);
    assert!(client.head.contains("content-encoding: identity"), "{}", client.head);
    assert!(client.head.contains("cache-control: no-store"), "{}", client.head);
    assert!(client.head.contains("x-accel-buffering: no"), "{}", client.head);
    // `retry` stands in the first event, which is a real one.
    assert_eq!(all[0].retry.as_deref(), Some("3000"));
    assert!(all[1..].iter().all(|got| got.retry.is_none()) && !all[0].data.is_null());
    let names: Vec<&str> = all.iter().map(|got| got.event.as_str()).collect();
    assert_eq!(names, ["indicator", "indicator", "source", "source", "snapshot"]);
    let received = &all[1].data;
    assert_eq!(received["indicator"], "received");
    assert_eq!(received["period"], "2024-04-02");
    assert_eq!(
        received["items"],
        serde_json::json!([
            {"area": "province", "value": 6, "status": "provisional"},
            {"area": "16663", "value": 6, "status": "provisional"}
        ])
    );
    let begin = all[4].id.clone();
    assert!(begin.starts_with("18442."), "{begin}");

    live.commit("16663", 4);
    let (client, changes) = actix_web::web::block(move || {
        let changes = [client.next(), client.next()];
        (client, changes)
    })
    .await
    .unwrap();
    assert_eq!(changes[1].data["items"][0]["value"], 10);
    assert_eq!(changes[1].data["revision"], 18443);
    assert_eq!([&changes[0].id, &changes[1].id], ["18443.0", "18443.1"]);
    drop(client);

    // What changes elsewhere is not for this listener: only the province of it.
    live.commit("17000", 1);
    let resumed = live
        .listen(query, Some("18443.0"), |mut client| [client.next(), client.next(), client.next()])
        .await;
    assert_eq!(resumed[0].id, "18443.1");
    assert_eq!(resumed[0].data, changes[1].data);
    assert_eq!(resumed[2].data["indicator"], "received");
    let only_province =
        serde_json::json!([{"area": "province", "value": 11, "status": "provisional"}]);
    assert_eq!(resumed[2].data["items"], only_province);

    // What the log cannot tell is said so: older than it, of another store, or no id at all.
    for id in ["17.0", "99999.0", "CANARY"] {
        let got = live.listen("", Some(id), |mut client| client.next()).await;
        assert_eq!((got.event.as_str(), got.retry.is_some()), ("resync", true), "{id}");
    }
    live.end().await;
}

#[actix_web::test]
async fn streams_end_with_the_server_and_only_so_many_may_listen() {
    let live = Live::start(2);
    let open = |mut client: Client| {
        client.snapshot();
        client
    };
    let mut first = live.listen("?snapshot=1", None, open).await;
    let _second = live.listen("?snapshot=1", None, open).await;
    let third = live.listen("", None, |client| client.head).await;
    assert!(third.starts_with("http/1.1 503") && third.contains("retry-after: 5"), "{third}");
    assert!(third.contains("content-type: application/problem+json"), "{third}");
    live.stop.cancel();
    let rest = actix_web::web::block(move || first.rest()).await.unwrap();
    // The last chunk of a body that ended in good order.
    assert!(rest.ends_with("0\r\n\r\n"), "{rest:?}");
    let counted = live.counted.lock().unwrap().clone();
    for what in [Streamed::Dropped("limit"), Streamed::Dropped("shutdown"), Streamed::Opened] {
        assert!(counted.contains(&what), "{what:?}: {counted:?}");
    }
    live.end().await;
}

#[actix_web::test]
async fn a_silent_stream_shows_that_it_lives() {
    let live = Live::start(2);
    let line = live
        .listen("", None, |mut client| {
            let mut lines = Vec::new();
            // A chunk is its size, its bytes and an empty line.
            while !lines.iter().any(|line: &String| line.starts_with(':')) {
                let mut line = String::new();
                assert!(client.lines.read_line(&mut line).unwrap() > 0);
                lines.push(line);
            }
            lines
        })
        .await;
    assert_eq!(line.last().map(String::as_str), Some(":\n"));
    live.end().await;
}

#[actix_web::test]
async fn a_slip_in_a_parameter_is_told() {
    for (query, said) in [
        ("?indicator=received", "the nearest is 'indicators'"),
        ("?indicators=recieved", "received"),
        ("?areas=commune:1", "none of today's"),
        ("?snapshot=yes", "snapshot"),
    ] {
        let reply = super::get(&world::context(), &format!("/v1/events{query}")).await;
        assert_eq!(reply.status, 400, "{query}");
        assert!(reply.text().contains(said), "{query}: {}", reply.text());
    }
}

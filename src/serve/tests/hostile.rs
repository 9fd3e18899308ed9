//! A thousand hostile requests over a real socket: whatever is sent, an answer comes, it is never the
//! gateway's own failure, and nothing that was sent comes back where it could do harm.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::world::context;
use crate::serve::{Contexts, Listener, bind};

/// How many.
const REQUESTS: usize = 1000;

/// How many ask at once: after some answers the server lingers for a second before it closes.
const AT_ONCE: usize = 20;

/// The draw can be had again.
const SEED: u64 = 0x10C_6A7E;

const METHODS: [&str; 9] =
    ["GET", "GET", "GET", "HEAD", "OPTIONS", "TRACE", "DELETE", "CONNECT", "BREW"];

const PATHS: [&str; 34] = [
    "/",
    "//",
    "/../../../../etc/passwd",
    "/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "/assets/../../config/iocgw.yaml",
    "/assets/..%2f..%2fiocgw.db",
    "/assets/%00console.css",
    "/assets/console.css%00",
    "/assets//etc/passwd",
    "/v1/indicators/%00/value",
    "/v1/indicators/%ff%fe/value",
    "/v1/indicators/received%2fvalue",
    "/v1/indicators/received/value/..",
    "/v1/indicators/'%20OR%201=1--/value",
    "/v1/indicators/<script>alert(1)</script>",
    "/v1/indicators/{{7*7}}/series",
    "/v1/indicators/${jndi:ldap:x}/series",
    "/v1/indicators/received/breakdown",
    "/v1/indicators/received/series",
    "/v1/sources/../audit",
    "/v1/sources/%252e%252e",
    "/v1/sources/portal/runs",
    "/v1/quarantine/-1",
    "/v1/quarantine/99999999999999999999999999",
    "/v1/quarantine/1;drop table run",
    "/v1/badges/received.svg",
    "/v1/dimensions/area/values",
    "/prometheus/api/v1/query",
    "/prometheus/api/v1/query_range",
    "/prometheus/api/v1/label/%24%7B%7D/values",
    "/docs/problems/..%5c..%5cwin.ini",
    "/metrics/indicators",
    "http://evil.example/v1/catalogue",
    "*",
];

const QUERIES: [&str; 26] = [
    "",
    "period=2024-03",
    "period=9999999999-99-99",
    "period=-1",
    "from=0000-01-01&to=9999-12-31&grain=day",
    "from=2024-01-01&to=2024-01-01",
    "last=18446744073709551616d",
    "last=-5d",
    "area=%00",
    "area=commune:%F0%9F%92%A9",
    "area='%3B--",
    "by=channel&by=commune",
    "by=__proto__",
    "sort=-value&limit=0",
    "limit=999999999999999999999",
    "cursor=%22%7D",
    "as_of=9999-12-31T23:59:60",
    "as_of=2024-04-02T17:00:00%2B99:99",
    "format=../../etc",
    "q=%25%25%25%s%n",
    "query=sum(sum(sum(sum(sum(((((((((((((1",
    "query=ioc_received_dossiers[999999999y]&time=1e308",
    "query={__name__=~%22(a*)*b%22}&start=-1&end=1e400&step=1e-9",
    "query=topk(9999999999,ioc_received_dossiers)&time=NaN",
    "match[]=%7B%7D&match[]=%7B%22",
    "%=%&&&===&;",
];

const HEADERS: [&str; 24] = [
    "Authorization: Bearer ",
    "Authorization: Bearer iocgw_0123456789abcdef_AAAA",
    "Authorization: Bearer eyJhbGciOiJub25lIn0.e30.",
    "Authorization: Basic ////",
    "Authorization: Basic OjpAOg==",
    "Authorization: Negotiate YII",
    "Authorization: Bearer a\r\nAuthorization: Bearer b",
    "Accept: */*;q=nan, text/csv;q=9",
    "Accept: application/json;version=../../x",
    "Accept-Encoding: gzip;q=1.0.0, zip-bomb",
    "If-None-Match: \"\", W/, *, \"",
    "If-Modified-Since: never",
    "Range: bytes=0-,0-,0-,0-,0-",
    "Origin: https://evil.example",
    "Origin: null\r\nAccess-Control-Request-Method: PATCH",
    "X-Forwarded-For: 127.0.0.1, ::1, unknown",
    "X-Forwarded-Host: evil.example",
    "X-Original-URL: /v1/audit",
    "X-HTTP-Method-Override: DELETE",
    "Cookie: a=b; $Version=1; =;",
    "Content-Type: application/json\r\nContent-Length: 0",
    "Expect: 100-continue",
    "Last-Event-ID: 999999999999.-1",
    "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
];

/// A request, the same for the same draw.
fn request(draw: &mut fastrand::Rng) -> String {
    let method = METHODS[draw.usize(..METHODS.len())];
    let path = PATHS[draw.usize(..PATHS.len())];
    let mut target = path.to_owned();
    if draw.u8(..8) == 0 {
        // Something in the middle that no address has.
        let noise: String = (0..draw.usize(1..40)).map(|_| draw.char('!'..='~')).collect();
        target.push_str(&noise.replace('#', "%23"));
    }
    let queries: Vec<_> =
        (0..draw.usize(..3)).map(|_| QUERIES[draw.usize(..QUERIES.len())]).collect();
    if !queries.is_empty() {
        target = format!("{target}?{}", queries.join("&"));
    }
    if draw.u8(..32) == 0 {
        target.push_str(&"&a=b".repeat(draw.usize(..2000)));
    }
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
    for _ in 0..draw.usize(..4) {
        head.push_str(HEADERS[draw.usize(..HEADERS.len())]);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head
}

/// The answer, to the end of the connection: one that does not end fails by the time-out.
fn answer(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // A server that has seen enough may close before all is sent.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if answer.is_empty() => panic!("no answer ({error}) to {request:?}"),
        _ => final_of(&String::from_utf8_lossy(&answer)).to_owned(),
    }
}

/// What comes after "go on": the answer itself.
fn final_of(answer: &str) -> &str {
    match answer.split_once("\r\n\r\n") {
        Some((interim, rest)) if interim.starts_with("HTTP/1.1 100 ") => final_of(rest),
        _ => answer,
    }
}

/// Asks each in turn and says how they were answered.
fn statuses(address: SocketAddr, requests: &[String]) -> Vec<u16> {
    let status = |request: &String| {
        let answer = answer(address, request);
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status: u16 = status.unwrap_or_else(|| panic!("{request:?}: {answer:?}"));
        assert!((200..500).contains(&status), "{request:?}: {answer}");
        let head = answer.split("\r\n\r\n").next().unwrap_or_default();
        assert!(!head.contains("evil.example"), "{request:?}: {head}");
        for leak in ["root:x:", "panicked", "src/", "SQLITE", "[fonts]"] {
            assert!(!answer.contains(leak), "{request:?} shows {leak}: {answer}");
        }
        status
    };
    requests.iter().map(status).collect()
}

#[actix_web::test]
async fn c08_c09_a_thousand_hostile_requests_get_an_answer_each_and_none_is_a_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = bind(Arc::new(Contexts::new(context())), Listener::plain(listener), 1).unwrap();
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);
    let answered = actix_web::web::block(move || {
        let mut draw = fastrand::Rng::with_seed(SEED);
        let requests: Vec<_> = (0..REQUESTS).map(|_| request(&mut draw)).collect();
        let answered: Vec<u16> = std::thread::scope(|scope| {
            let asking: Vec<_> = requests
                .chunks(REQUESTS.div_ceil(AT_ONCE))
                .map(|some| scope.spawn(move || statuses(address, some)))
                .collect();
            asking.into_iter().flat_map(|asking| asking.join().unwrap()).collect()
        });
        // It is as well as before.
        assert!(
            answer(address, "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                .contains(" 200 ")
        );
        answered
    })
    .await
    .unwrap();
    handle.stop(true).await;
    running.await.unwrap().unwrap();
    assert_eq!(answered.len(), REQUESTS);
    // The draw reaches many doors.
    let different: std::collections::BTreeSet<_> = answered.into_iter().collect();
    assert!(different.len() >= 6, "{different:?}");
}

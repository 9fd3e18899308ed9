//! A source that answers exactly as a test scripts it, down to the byte and the broken connection.
//!
//! Raw TCP rather than an HTTP server, since most of what is tested here no HTTP server would do.
//! One request per connection, so every request is seen.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Method, path and query.
    pub(super) line: String,
    /// The head in lower case, one header a line.
    pub(super) head: String,
    pub(super) head_as_sent: String,
    pub(super) body: String,
}

/// What happens on the connection after a request.
pub(super) struct Reply {
    pieces: Vec<Vec<u8>>,
    gap: Duration,
    then: Then,
}

enum Then {
    Close,
    /// Keep the connection open and say nothing more.
    Hang,
}

/// A listening scripted source; stops when dropped.
pub(super) struct Upstream {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Reply {
    /// A whole answer with a correct length.
    pub(super) fn answer(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        Self::raw(status, &format!("content-length: {}\r\n{headers}", body.len()), body)
    }

    /// 200 with a body.
    pub(super) fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::answer(200, "", body)
    }

    /// An answer whose headers are the test's own business.
    pub(super) fn raw(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let mut bytes =
            format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{headers}\r\n").into_bytes();
        bytes.extend_from_slice(body.as_ref());
        Self { pieces: vec![bytes], gap: Duration::ZERO, then: Then::Close }
    }

    /// These bytes, whatever they are.
    pub(super) fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self { pieces: vec![bytes.into()], gap: Duration::ZERO, then: Then::Close }
    }

    /// Nothing, and the connection stays open.
    pub(super) fn hang() -> Self {
        Self { pieces: Vec::new(), gap: Duration::ZERO, then: Then::Hang }
    }

    /// Nothing, and the connection closes.
    pub(super) fn hang_up() -> Self {
        Self { pieces: Vec::new(), gap: Duration::ZERO, then: Then::Close }
    }

    /// The same pieces, but then silence instead of the end.
    pub(super) fn then_hang(mut self) -> Self {
        self.then = Then::Hang;
        self
    }

    /// `count` more pieces after the answer, `gap` apart.
    pub(super) fn dripping(mut self, count: usize, gap: Duration) -> Self {
        self.pieces.extend(std::iter::repeat_n(b" ".to_vec(), count));
        self.gap = gap;
        self
    }
}

/// What is answered to which request.
type Script = dyn Fn(usize, &Asked) -> Reply + Send + Sync;

impl Upstream {
    /// Answers every request with what `script` makes of it; `number` counts from 0.
    pub(super) async fn start(
        script: impl Fn(usize, &Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        // Behind a pointer, or everything below is built once for every test.
        let script: Arc<Script> = Arc::new(script);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, script) = (Arc::clone(&log), Arc::clone(&script));
                tokio::spawn(async move { serve(stream, &log, &*script).await });
            }
        });
        Self { address, asked, task }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Paths and queries of every request so far.
    pub(super) fn targets(&self) -> Vec<String> {
        let target = |asked: Asked| asked.line.split(' ').nth(1).unwrap().to_owned();
        self.asked().into_iter().map(target).collect()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// `body` compressed as gzip.
pub(super) fn gzipped(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

async fn serve(mut stream: TcpStream, log: &Mutex<Vec<Asked>>, script: &Script) {
    let Some(asked) = read_request(&mut stream).await else { return };
    let number = {
        let mut log = log.lock().unwrap();
        log.push(asked.clone());
        log.len() - 1
    };
    let reply = script(number, &asked);
    for piece in reply.pieces {
        if stream.write_all(&piece).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        tokio::time::sleep(reply.gap).await;
    }
    if matches!(reply.then, Then::Hang) {
        // Ends when the client gives up and closes.
        let _ = stream.read(&mut [0]).await;
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head_as_sent = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let head = head_as_sent.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    while bytes.len() < head_end + 4 + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[head_end + 4..].to_vec()).unwrap();
    let line = head_as_sent.lines().next().unwrap().to_owned();
    Some(Asked { line, head, head_as_sent, body })
}

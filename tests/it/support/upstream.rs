//! A source that does as it is told: plain TCP, so that it can say what no web framework would.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What a request is answered with.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// These bytes, then the connection is closed.
    Bytes(Vec<u8>),
    /// This head, then spaces for ever.
    Endless(String),
    /// Nothing at all, and the connection stays open.
    Silence,
}

impl Reply {
    /// A whole answer.
    pub(crate) fn new(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Bytes(
            format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
            )
            .into_bytes(),
        )
    }

    /// A good JSON answer.
    pub(crate) fn json(body: &str) -> Self {
        Self::new("200 OK", "Content-Type: application/json\r\n", body)
    }

    /// A good JSON answer that breaks off in its middle.
    pub(crate) fn truncated(body: &str) -> Self {
        let Self::Bytes(mut bytes) = Self::json(body) else { unreachable!("json is bytes") };
        bytes.truncate(bytes.len() - body.len() / 2);
        Self::Bytes(bytes)
    }
}

type Script = dyn Fn(&str) -> Reply + Send + Sync;

/// The running source; it stops when dropped.
pub(crate) struct Upstream {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Upstream {
    /// Answers each request by its target (path and query) as `script` says.
    pub(crate) fn start(script: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let script: Arc<Script> = Arc::new(script);
        let (noting, stopped) = (Arc::clone(&asked), Arc::clone(&stopping));
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (script, asked, stopped) =
                    (Arc::clone(&script), Arc::clone(&noting), Arc::clone(&stopped));
                std::thread::spawn(move || converse(stream, &*script, &asked, &stopped));
            }
        });
        Self { address, asked, stopping, thread: Some(thread) }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The targets that were asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the one who waits for connections.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn converse(
    mut stream: TcpStream,
    script: &Script,
    asked: &Mutex<Vec<String>>,
    stopped: &AtomicBool,
) {
    let Some(target) = target(&mut stream) else { return };
    asked.lock().unwrap().push(target.clone());
    match script(&target) {
        Reply::Bytes(bytes) => _ = stream.write_all(&bytes),
        Reply::Endless(head) => {
            let _ = stream.write_all(head.as_bytes());
            let spaces = [b' '; 4096];
            while !stopped.load(Ordering::SeqCst) && stream.write_all(&spaces).is_ok() {}
        }
        Reply::Silence => {
            // Until the other side goes, or the test is over.
            let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
            let mut byte = [0];
            while !stopped.load(Ordering::SeqCst) && !matches!(stream.read(&mut byte), Ok(0)) {}
        }
    }
}

/// The target of a request whose head has been read.
fn target(stream: &mut TcpStream) -> Option<String> {
    let (mut head, mut piece) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        head.extend_from_slice(&piece[..read]);
    }
    let head = String::from_utf8(head).ok()?;
    head.split(' ').nth(1).map(str::to_owned)
}

/// An upstream whose answer can be changed while it runs.
pub(crate) struct Moody {
    pub(crate) upstream: Upstream,
    reply: Arc<Mutex<Reply>>,
}

impl Moody {
    pub(crate) fn start(reply: Reply) -> Self {
        let reply = Arc::new(Mutex::new(reply));
        let current = Arc::clone(&reply);
        let upstream = Upstream::start(move |_| current.lock().unwrap().clone());
        Self { upstream, reply }
    }

    pub(crate) fn now(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }
}

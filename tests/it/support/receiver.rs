//! Somebody who is told by webhook: takes messages, answers as it is told to, and verifies signatures as
//! Standard Webhooks 1.0 says a receiver does.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::Value;

/// How long a test waits for a message.
const PATIENCE: Duration = Duration::from_mins(3);

/// A message as it came.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Message {
    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether one of its signatures is made with this secret.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let content = format!("{}.{}.{}", self.id(), self.headers["webhook-timestamp"], self.body);
        let signatures = self.headers["webhook-signature"].split(' ');
        signatures.filter_map(|signature| signature.strip_prefix("v1,")).any(|signature| {
            hmac::verify(&key, content.as_bytes(), &STANDARD.decode(signature).unwrap()).is_ok()
        })
    }
}

/// What is answered with.
#[derive(Default)]
struct Mood {
    /// A status line; nothing at all without one.
    status: Option<&'static str>,
    taken: Vec<Message>,
}

/// The running receiver; it stops when dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    stopping: Arc<AtomicBool>,
}

impl Receiver {
    /// Answers every message with this status, or never.
    pub(crate) fn start(status: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mood = Arc::new(Mutex::new(Mood { status, taken: Vec::new() }));
        let stopping = Arc::new(AtomicBool::new(false));
        let (state, stopped) = (Arc::clone(&mood), Arc::clone(&stopping));
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (state, stopped) = (Arc::clone(&state), Arc::clone(&stopped));
                std::thread::spawn(move || converse(stream, &state, &stopped));
            }
        });
        Self { address, mood, stopping }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn now(&self, status: Option<&'static str>) {
        self.mood.lock().unwrap().status = status;
    }

    /// All messages so far, those too that were not taken.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.mood.lock().unwrap().taken.clone()
    }

    /// Waits for a message that fits.
    pub(crate) fn wait_for(&self, what: &str, fits: impl Fn(&Message) -> bool) -> Message {
        let began = Instant::now();
        loop {
            let messages = self.messages();
            if let Some(found) = messages.iter().find(|message| fits(message)) {
                return found.clone();
            }
            assert!(began.elapsed() < PATIENCE, "{messages:?}\n{what} did not come");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the one who waits for connections.
        let _ = TcpStream::connect(self.address);
    }
}

fn converse(mut stream: TcpStream, mood: &Mutex<Mood>, stopped: &AtomicBool) {
    let Some(message) = message(&mut stream) else { return };
    let status = {
        let mut mood = mood.lock().unwrap();
        mood.taken.push(message);
        mood.status
    };
    if let Some(status) = status {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes());
        return;
    }
    // Until the other side goes, or the test is over.
    let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
    let mut byte = [0];
    while !stopped.load(Ordering::SeqCst) && !matches!(stream.read(&mut byte), Ok(0)) {}
}

fn message(stream: &mut TcpStream) -> Option<Message> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    let mut more = |bytes: &mut Vec<u8>| {
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        Some(())
    };
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        more(&mut bytes)?;
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
    let headers: BTreeMap<String, String> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers["content-length"].parse().ok()?;
    while bytes.len() < end + 4 + length {
        more(&mut bytes)?;
    }
    let body = String::from_utf8(bytes[end + 4..].to_vec()).ok()?;
    Some(Message { headers, body })
}

//! How long a change at a source takes until a reader of events has it.
//!
//! A source that says one dossier more each time it is asked; it notes when its answer was out, the reader
//! when the event came whose count has the dossier in it. What lies between is all ours: reading,
//! folding, the commit to disk, the look at all figures, and telling.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ioc_gateway::clock::Clock;
use serde_json::{Value, json};

use crate::Outcome;

/// When the answer with each dossier was out.
type Said = Arc<Mutex<Vec<Instant>>>;

/// A source of its own on loopback, in threads that end with the process.
pub(crate) fn source() -> Outcome<(SocketAddr, Said)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (address, said) = (listener.local_addr()?, Said::default());
    let noted = Arc::clone(&said);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let noted = Arc::clone(&noted);
            std::thread::spawn(move || answer(&stream, &noted));
        }
    });
    Ok((address, said))
}

/// Answers each question on a connection with the next dossier.
fn answer(stream: &TcpStream, said: &Said) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut lines = BufReader::new(stream).lines();
    loop {
        while !lines.next()?.ok()?.is_empty() {}
        let mut said = said.lock().ok()?;
        let body = page(said.len()).to_string();
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length:";
        (&mut &*stream)
            .write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes())
            .ok()?;
        said.push(Instant::now());
    }
}

/// One dossier, received now.
fn page(number: usize) -> Value {
    let now = Clock::System.now().rfc3339();
    let (date, time) = now.split_at(11);
    let mut date: Vec<&str> = date.trim_end_matches('T').split('-').collect();
    date.reverse();
    let dossier = json!({
        "ma_ho_so": format!("000.00.00.H41-9-{number:07}"), "ma_tthc": "1.001193.000.00.00.H41",
        "hinh_thuc": 1, "trang_thai": 1, "ma_xa": "16681",
        "ngay_tiep_nhan": format!("{} {}", date.join("/"), &time[..8]),
        "ngay_hen_tra": null, "ngay_tra": null,
        "ngay_cap_nhat": now,
    });
    json!({"data": [dossier], "next": null})
}

/// Milliseconds from each answer of the source to the event that has it, for so many of them.
pub(crate) fn heard(gateway: SocketAddr, said: &Said, count: usize) -> Outcome<Vec<f64>> {
    let mut stream = TcpStream::connect(gateway)?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    let path = "/v1/events?indicators=received&areas=province";
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").as_bytes())?;
    let mut took: Vec<f64> = Vec::new();
    // What was said before the reader listened is not counted.
    let mut known = said.lock().map_err(|_| "a thread of the source broke")?.len() + 1;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let Some(value) = serde_json::from_str::<Value>(data)?["items"][0]["value"].as_u64() else {
            continue;
        };
        let now = Instant::now();
        let said = said.lock().map_err(|_| "a thread of the source broke")?;
        let news = said.iter().take(value as usize).skip(known);
        took.extend(news.map(|at| now.duration_since(*at).as_secs_f64() * 1e3));
        known = known.max(value as usize);
        if took.len() >= count {
            return Ok(took);
        }
    }
    Err("the stream of events ended".into())
}

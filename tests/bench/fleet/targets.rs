//! All targets in one process: each answers with 20 series, and is noted when it is asked.
//!
//! `/g/NAME/metrics` is the gateway's way to a target, `/p/NAME/metrics` that of Prometheus. The process
//! ends when its standard input closes, that is with the benchmark.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::setting::{INTERVAL, SERIES};

/// What `/report/…` says, number by number.
pub(crate) const REPORTED: [&str; 4] = [
    "requests seen",
    "drift from the interval, ms, p50",
    "  p99",
    "  most in one second, of a fair share, %",
];

/// The longest request line or header that is read.
const LONGEST_LINE: u64 = 8 * 1024;

/// When each target was asked, by who asked.
#[derive(Default)]
struct Book(Mutex<HashMap<char, Vec<(String, Instant)>>>);

pub(crate) fn run() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
    let book = Arc::new(Book::default());
    for stream in listener.incoming() {
        let (stream, book) = (stream?, Arc::clone(&book));
        std::thread::spawn(move || {
            // A client that goes away is no failure of the targets.
            let _ = converse(&stream, &book);
        });
    }
    Ok(())
}

fn converse(stream: &TcpStream, book: &Book) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut served) = (BufReader::new(stream), 0_u64);
    while let Some(path) = request(&mut reader)? {
        let body = match path.split('/').collect::<Vec<_>>()[..] {
            ["", who @ ("g" | "p"), name, "metrics"] => {
                let who = who.chars().next().unwrap_or('?');
                if let Ok(mut book) = book.0.lock() {
                    book.entry(who).or_default().push((name.to_owned(), Instant::now()));
                }
                served += 1;
                series(served)
            }
            ["", "report", who] => book.report(who.chars().next().unwrap_or('?')),
            ["", "begin"] => {
                book.0.lock().map(|mut book| book.clear()).unwrap_or_default();
                String::new()
            }
            _ => String::new(),
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        (&mut &*stream).write_all((head + &body).as_bytes())?;
        if path.starts_with("/report") || path == "/begin" {
            return Ok(());
        }
    }
    Ok(())
}

/// Twenty series whose values change with every answer.
fn series(served: u64) -> String {
    let mut text = String::with_capacity(2048);
    for i in 0..SERIES {
        let value = (served * 7 + i as u64 * 13) % 10_000;
        let _ = write!(text, "# TYPE kiosk_value_{i:02} gauge\nkiosk_value_{i:02} {value}\n");
    }
    text
}

impl Book {
    fn report(&self, who: char) -> String {
        let Ok(book) = self.0.lock() else { return String::new() };
        let asked = book.get(&who).map_or(&[][..], Vec::as_slice);
        let (mut last, mut drifts, mut seconds) =
            (HashMap::<&str, Instant>::new(), Vec::new(), HashMap::<u64, u64>::new());
        let begun = asked.first().map(|(_, at)| *at);
        for (name, at) in asked {
            if let Some(before) = last.insert(name, *at) {
                drifts
                    .push((at.duration_since(before).as_secs_f64() - INTERVAL.as_secs_f64()).abs());
            }
            let second = begun.map_or(0, |begun| at.duration_since(begun).as_secs());
            *seconds.entry(second).or_default() += 1;
        }
        drifts.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (drifts.len() as f64 * share) as usize;
            drifts.get(place).map_or(f64::NAN, |drift| drift * 1000.0)
        };
        let fair = last.len() as f64 / INTERVAL.as_secs_f64();
        let most = seconds.values().max().copied().unwrap_or(0) as f64 / fair * 100.0;
        format!("{} {:.3} {:.3} {most:.1}\n", asked.len(), at(0.5), at(0.99))
    }
}

/// The path of the next request; `None` when the client has closed.
fn request(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<String>> {
    let mut path = None;
    loop {
        let mut line = String::new();
        if reader.by_ref().take(LONGEST_LINE).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line.trim_end().is_empty() {
            return Ok(path);
        }
        if path.is_none() {
            let asked = line.strip_prefix("GET ").and_then(|rest| rest.split(' ').next());
            path = Some(asked.unwrap_or_default().to_owned());
        }
    }
}

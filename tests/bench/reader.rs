//! Starting again on a full store, and asking it: what a dashboard waits for.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::workload::Written;
use super::{Bench, IOCGW, Outcome, process, row};

/// How long a start may take before the benchmark gives up.
const PATIENCE: Duration = Duration::from_mins(1);

/// Different questions, so that none is answered from a cache.
const QUESTIONS: usize = 60;

/// Times the first answer after a start, and a long series that nobody has asked for yet.
pub(crate) fn measure(bench: &Bench, store: &std::path::Path, truth: &Written) -> Outcome<()> {
    // Bound and let go: the gateway gets an address that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let words = ["serve", "--listen", &address, "--anonymous", "read"];
    // There is nobody at "none": a reading must not wait for a source.
    let mut command = bench.with_place(Command::new(IOCGW), &words, store, "none");
    let start = Instant::now();
    let mut gateway =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let asked = ask(&address, start, truth);
    let peak = process::peak_of(gateway.id()).unwrap_or(0.0);
    gateway.kill()?;
    gateway.wait()?;
    let (first, mut series) = asked?;
    series.sort_by(f64::total_cmp);
    let at = |share: f64| series[((series.len() - 1) as f64 * share) as usize];
    row("restart to the first answer, s", first, 2, "aim 1")?;
    row("memory of the restarted, MiB", peak, 0, "")?;
    let p99 = format!("p99 {:.1} (must 100, aim 20): 130 communes, 365 days by week", at(0.99));
    row("series nobody asked for yet, p50 ms", at(0.5), 1, &p99)
}

/// Seconds to the first right answer, and milliseconds of each series.
fn ask(address: &str, start: Instant, truth: &Written) -> Outcome<(f64, Vec<f64>)> {
    let period = "from=2023-11-01&to=2024-12-31&grain=year";
    let (status, body) = loop {
        match get(address, &format!("/v1/indicators/received/series?{period}&format=csv")) {
            Ok(answer) => break answer,
            Err(_) if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(2)),
            Err(error) => return Err(error.into()),
        }
    };
    let first = start.elapsed().as_secs_f64();
    if status != 200 {
        return Err(format!("the first answer is a {status}: {body}").into());
    }
    let total: i64 = truth.cells.values().sum();
    let answered =
        body.lines().skip(1).filter_map(|line| line.split(',').nth(4)?.parse::<i64>().ok());
    if answered.sum::<i64>() != total {
        return Err(format!("the first answer is not the true total of {total}: {body}").into());
    }
    let mut series = Vec::new();
    for question in 0..QUESTIONS {
        let (from, to) = (jiff::civil::date(2023, 12, 1), jiff::civil::date(2024, 11, 30));
        let days = jiff::Span::new().days(question as i64 / 2);
        let id = ["received", "online_rate"][question % 2];
        let path = format!(
            "/v1/indicators/{id}/series?by=commune&from={}&to={}&grain=week",
            from + days,
            to + days
        );
        let before = Instant::now();
        let (status, body) = get(address, &path)?;
        if status != 200 {
            return Err(format!("a series is a {status}: {body}").into());
        }
        series.push(before.elapsed().as_secs_f64() * 1000.0);
    }
    Ok((first, series))
}

/// Status and body of one request on a connection of its own.
fn get(address: &str, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(|| io::Error::other("no status"))?, body.to_owned()))
}

//! The benchmark of polling a fleet: 5,000 targets every 10 s, by the real binary and, side by side in
//! the same minute, by Prometheus scraping the same targets.
//!
//! `make bench-fleet` runs it; it needs Debian's `prometheus`, which `make tools` installs. Every target
//! answers with 20 series of changing values; the gateway reads all 20 and commits them, Prometheus
//! appends them to its database. The targets stand in a process of its own, which also notes when each
//! of them was asked, so drift is measured where it matters and alike for both. What other processes do
//! to the machine meanwhile they do to both. Settings: `IOCGW_BENCH_TARGETS` (5,000),
//! `IOCGW_BENCH_WARM_UP` (25 s), `IOCGW_BENCH_WINDOW` (60 s). It fails if either left a target out.

#[path = "fleet/cost.rs"]
mod cost;
#[path = "fleet/setting.rs"]
mod setting;
#[path = "fleet/targets.rs"]
mod targets;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use cost::Sample;
use setting::{INTERVAL, Place};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The binary that is measured.
const IOCGW: &str = env!("CARGO_BIN_EXE_iocgw");

/// How long either may take to come up.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match &arguments[..] {
        [role] if role == "targets" => targets::run().map_err(Into::into),
        _ if arguments.iter().any(|argument| argument == "--bench") => measure(),
        _ => say("this is a benchmark: run it with `make bench-fleet`"),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn say(line: &str) -> Outcome<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

fn number(name: &str, otherwise: usize) -> Outcome<usize> {
    match std::env::var(name) {
        Ok(text) => text.parse().map_err(|_| format!("{name}={text} is not a number").into()),
        Err(_) => Ok(otherwise),
    }
}

/// A process that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(command: &mut Command) -> Outcome<Self> {
        Ok(Self(command.stdin(Stdio::piped()).spawn()?))
    }

    fn sample(&self) -> Outcome<Sample> {
        Sample::of(self.0.id()).ok_or_else(|| "a process has ended".into())
    }
}

fn measure() -> Outcome<()> {
    let count = number("IOCGW_BENCH_TARGETS", 5000)?;
    let warm_up = Duration::from_secs(number("IOCGW_BENCH_WARM_UP", 25)? as u64);
    let window = Duration::from_secs(number("IOCGW_BENCH_WINDOW", 60)? as u64);
    let (server, address) = start_targets()?;
    let place = Place::new(count, address)?;
    let (ours, ours_at) = start_ours(&place)?;
    let prometheus_at = free_port()?;
    let prometheus =
        Running::start(place.prometheus(prometheus_at).stdout(Stdio::null()).stderr(Stdio::null()))
            .map_err(|error| format!("prometheus cannot be started ({error}); run `make tools`"))?;
    until_ready(prometheus_at, "/-/ready")?;
    std::thread::sleep(warm_up);

    get(address, "/begin")?;
    let (begun, before) = (Instant::now(), (ours.sample()?, prometheus.sample()?));
    std::thread::sleep(window);
    let (took, after) = (begun.elapsed(), (ours.sample()?, prometheus.sample()?));
    let drift = (get(address, "/report/g")?, get(address, "/report/p")?);
    check(count, ours_at, prometheus_at)?;
    let left = std::fs::read_to_string("/proc/loadavg")?;
    drop((ours, prometheus, server));

    say(&format!(
        "{count} targets of 20 series every {} s, {:.0} s measured after {} s of warm-up; load {}",
        INTERVAL.as_secs(),
        took.as_secs_f64(),
        warm_up.as_secs(),
        left.split(' ').next().unwrap_or("?")
    ))?;
    say(&format!("{:<34}{:>10}{:>12}{:>9}", "", "gateway", "Prometheus", "ratio"))?;
    let core = |from: &Sample, to: &Sample| (to.cpu - from.cpu) / took.as_secs_f64() * 100.0;
    let cpu = (core(&before.0, &after.0), core(&before.1, &after.1));
    row("CPU, % of one core", cpu, "must 1.0, aim 0.6")?;
    let memory = (after.0.resident, after.1.resident);
    row("resident memory, MiB", memory, "must 0.5, aim 0.25")?;
    row("  its peak, MiB", (after.0.peak, after.1.peak), "")?;
    for (i, what) in targets::REPORTED.iter().enumerate() {
        let of = |report: &str| report.split_whitespace().nth(i).and_then(|n| n.parse().ok());
        row(what, (of(&drift.0).unwrap_or(f64::NAN), of(&drift.1).unwrap_or(f64::NAN)), "")?;
    }
    Ok(())
}

/// One line of figures: ours, theirs and the ratio.
fn row(what: &str, (ours, theirs): (f64, f64), goal: &str) -> Outcome<()> {
    let ratio = ours / theirs;
    say(format!("{what:<34}{ours:>10.1}{theirs:>12.1}{ratio:>9.2}   {goal}").trim_end())
}

fn start_targets() -> Outcome<(Running, SocketAddr)> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut server = Running::start(command.arg("targets").stdout(Stdio::piped()))?;
    let pipe = server.0.stdout.take().ok_or("the targets have no output")?;
    let mut line = String::new();
    BufReader::new(pipe).read_line(&mut line)?;
    Ok((server, line.trim().parse()?))
}

fn start_ours(place: &Place) -> Outcome<(Running, SocketAddr)> {
    let mut ours = place.ours(IOCGW);
    // The targets stand on loopback, where no source may stand unless it is said.
    ours.env("IOCGW_OUTBOUND_ALLOW", "127.0.0.0/8").stderr(Stdio::piped());
    let mut running = Running::start(&mut ours)?;
    let pipe = running.0.stderr.take().ok_or("the gateway has no log")?;
    let (told, telling) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let address =
                line.split("\"address\":\"").nth(1).and_then(|rest| rest.split('"').next());
            if let Some(address) = address.and_then(|address| address.parse().ok()) {
                let _ = told.try_send(address);
            }
        }
    });
    let address = telling.recv_timeout(PATIENCE).map_err(|_| "the gateway does not listen")?;
    Ok((running, address))
}

fn free_port() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn until_ready(address: SocketAddr, path: &str) -> Outcome<()> {
    let begun = Instant::now();
    while get(address, path).is_err() {
        if begun.elapsed() > PATIENCE {
            return Err(format!("nobody answers at {address}{path}").into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Fails unless both say that every target answers.
fn check(count: usize, ours: SocketAddr, prometheus: SocketAddr) -> Outcome<()> {
    let body: serde_json::Value =
        serde_json::from_str(&get(ours, "/v1/sources/fleet/targets?limit=1")?)?;
    if body["up"] != count {
        return Err(format!("the gateway has {} of {count} targets up", body["up"]).into());
    }
    let source: serde_json::Value = serde_json::from_str(&get(ours, "/v1/sources/fleet")?)?;
    let records = &source["records"];
    if records["quarantined"] != 0 || records["rejected"] != 0 {
        return Err(format!("the gateway refuses records: {records}").into());
    }
    let body: serde_json::Value =
        serde_json::from_str(&get(prometheus, "/api/v1/query?query=sum(up)")?)?;
    let up = body["data"]["result"][0]["value"][1].as_str().unwrap_or("0");
    if up.parse() != Ok(count) {
        return Err(format!("Prometheus has {up} of {count} targets up").into());
    }
    Ok(())
}

/// The body of a good answer.
fn get(address: SocketAddr, path: &str) -> Outcome<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no answer")?;
    if head.split(' ').nth(1).is_none_or(|status| status != "200") {
        return Err(head.lines().next().unwrap_or("").to_owned().into());
    }
    Ok(body.to_owned())
}

//! What answering costs: `make bench-load`.
//!
//! The real program has pulled the workload of the main benchmark and is asked over loopback. Its kept
//! answers are compared with a bare actix-web handler that sends the same bytes, asked in the same way,
//! by turns, in the same run; servers stand on one core and the asker on another where the machine has
//! `taskset`. Then what is worked out anew (many communes × days), and a thousand readers of events: what
//! each of them costs in memory, and whether folding goes on as fast; and how long news take from a source
//! to a reader. Settings: `IOCGW_BENCH_RECORDS` (a million), `IOCGW_BENCH_SECONDS` (3, for each turn),
//! `IOCGW_BENCH_READERS` (1,000), `IOCGW_BENCH_NEWS` (100).

mod alive;
mod asker;
mod bare;
mod news;
#[expect(dead_code, reason = "made for the benchmark of the main job too")]
mod process;
mod server;
#[expect(dead_code, reason = "made for the benchmark of the main job too")]
mod workload;

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use workload::Shape;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const IOCGW: &str = env!("CARGO_BIN_EXE_iocgw");
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/config");

/// Turns of each side; the best counts.
const ROUNDS: usize = 3;

/// How many answers are worked out anew.
const ANEW: usize = 100;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match &arguments[..] {
        [role, dir] if role == "serve" => server::run(Path::new(dir)).map_err(Into::into),
        [role, file] if role == "bare" => bare::run(Path::new(file)).map_err(Into::into),
        [role, address, status, seconds, path, header] if role == "ask" => {
            ask(address, status, seconds, path, header)
        }
        _ if arguments.iter().any(|argument| argument == "--bench") => measure(),
        _ => say("this is a benchmark: run it with `make bench-load`"),
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

fn row(what: &str, value: f64, decimals: usize, goal: &str) -> Outcome<()> {
    say(format!("{what:<44}{value:>12.decimals$}   {goal}").trim_end())
}

fn setting(name: &str, otherwise: usize) -> Outcome<usize> {
    match std::env::var(name) {
        Ok(text) => text.parse().map_err(|_| format!("{name}={text} is not a number").into()),
        Err(_) => Ok(otherwise),
    }
}

fn ask(address: &str, status: &str, seconds: &str, path: &str, header: &str) -> Outcome<()> {
    let (request, during) = (asker::request(path, header), Duration::from_secs(seconds.parse()?));
    say(&asker::count(address.parse()?, request, status, during)?.to_string())
}

/// A process that is killed when it is dropped.
struct Running(Child, SocketAddr);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One of our own roles, which says its address first.
fn role(words: &[&str], core: Option<usize>) -> Outcome<Running> {
    let own = std::env::current_exe()?.display().to_string();
    let mut command =
        core.and_then(|core| process::on_core(core, &own)).unwrap_or_else(|| Command::new(&own));
    let mut child = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut address = String::new();
    BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut address)?;
    Ok(Running(child, address.trim().parse()?))
}

/// The gateway on a store, on one core if it can be held there.
fn gateway(
    dir: &Path,
    (config, store): (&Path, &Path),
    source: SocketAddr,
    core: Option<usize>,
) -> Outcome<Running> {
    let mut command =
        core.and_then(|core| process::on_core(core, IOCGW)).unwrap_or_else(|| Command::new(IOCGW));
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--config"])
        .arg(config)
        .args(["--anonymous", "read,sources", "--secrets"])
        .arg(dir.join("secrets"))
        .arg("--store")
        .arg(store)
        .env("BENCH_URL", format!("http://{source}/first"))
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut lines = BufReader::new(child.stderr.take().ok_or("no log")?).lines();
    let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let line: Value = serde_json::from_str(&line).ok()?;
        (line["message"] == "listening").then(|| line["address"].as_str()?.parse().ok())?
    });
    std::thread::spawn(move || lines.for_each(drop));
    let Some(address) = address else {
        let _ = child.kill();
        return Err("the gateway did not start".into());
    };
    Ok(Running(child, address))
}

/// One answer, with its head.
fn once(address: SocketAddr, method: &str, path: &str, body: &str) -> Outcome<(String, String)> {
    let mut stream = TcpStream::connect(address)?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let head = if body.is_empty() {
        format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    } else {
        head
    };
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no answer")?;
    Ok((head.to_owned(), body.to_owned()))
}

/// Waits until everything that there is to pull has been pulled.
fn pulled(address: SocketAddr) -> Outcome<()> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_mins(10) {
        let (_, body) = once(address, "GET", "/v1/sources/portal", "")?;
        let source: Value = serde_json::from_str(&body)?;
        if source["streams"][0]["history"][0]["outcome"] == "ok" {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err("the pull did not end".into())
}

fn measure() -> Outcome<()> {
    let shape = Shape {
        records: setting("IOCGW_BENCH_RECORDS", 1_000_000)?,
        page: 5_000,
        seed: 97_850,
        series: 1,
    };
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    std::fs::create_dir(dir.join("secrets"))?;
    std::fs::write(dir.join("secrets/identifier_key"), "benchmark-only-".repeat(3))?;
    workload::write(&dir.join("first"), shape)?;
    let source = role(&["serve", &dir.display().to_string()], None)?;
    let cores = std::thread::available_parallelism()?.get();
    let (theirs, ours) = if cores > 1 { (Some(0), Some(cores - 1)) } else { (None, None) };
    let store = dir.join("load.db");
    let serving = gateway(dir, (Path::new(CONFIG), &store), source.1, theirs)?;
    pulled(serving.1)?;
    cached(dir, serving.1, (theirs, ours))?;
    anew(serving.1)?;
    drop(serving);
    news(dir)?;
    listeners(dir, source.1, shape.records)
}

/// From a source to a reader of events, beyond the polling interval.
fn news(dir: &Path) -> Outcome<()> {
    let (source, said) = news::source()?;
    let config = dir.join("often");
    copy(Path::new(CONFIG), &config)?;
    let file = config.join("sources/portal.yaml");
    let often = std::fs::read_to_string(&file)?.replace("interval: 24h", "interval: 1s");
    std::fs::write(&file, often)?;
    let serving = gateway(dir, (&config, &dir.join("news.db")), source, None)?;
    let mut took = news::heard(serving.1, &said, setting("IOCGW_BENCH_NEWS", 100)?)?;
    took.sort_by(f64::total_cmp);
    let rank = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
    say(&format!(
        "{} changes at a source that is asked every second, until a reader of events has them",
        took.len()
    ))?;
    row("  median, ms", rank(50), 0, "")?;
    row("  p99, ms", rank(99), 0, "must 1000, aim 50")
}

fn copy(from: &Path, to: &Path) -> Outcome<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// Kept answers against the bare handler.
fn cached(dir: &Path, address: SocketAddr, cores: (Option<usize>, Option<usize>)) -> Outcome<()> {
    let value = "/v1/indicators/online_rate/value?period=2024-03";
    let ranking = "/v1/indicators/online_rate/breakdown?by=commune&period=2024-03";
    for (what, path, is_known) in [
        ("a value", value, false),
        ("a ranking of all communes", ranking, false),
        ("a value that the client has (304)", value, true),
    ] {
        let (head, body) = once(address, "GET", path, "")?;
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).ok_or("no tag")?;
        let file = dir.join("body");
        std::fs::write(&file, &body)?;
        let bare = role(&["bare", &file.display().to_string()], cores.0)?;
        let condition = |tag: &str| {
            if is_known { format!("If-None-Match: {tag}") } else { String::new() }
        };
        let status = if is_known { "304" } else { "200" };
        let (mut ours, mut theirs) = (0.0_f64, 0.0_f64);
        for _ in 0..ROUNDS {
            // A minute may end in between, and with it what the client has.
            let (head, _) = once(address, "GET", path, "")?;
            let fresh = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap_or(tag);
            let own = if is_known { "*" } else { fresh };
            theirs = theirs.max(rate(bare.1, status, path, &condition(bare::TAG), cores.1)?);
            ours = ours.max(rate(address, status, path, &condition(own), cores.1)?);
        }
        say(&format!("{what}, {} bytes", body.len()))?;
        row("  answers/s", ours, 0, "")?;
        row("  answers/s of a bare handler", theirs, 0, "")?;
        row("  ours : bare", ours / theirs, 2, "must 0.7, aim 0.9")?;
    }
    Ok(())
}

/// Answers in a second, asked from a process of its own.
fn rate(
    address: SocketAddr,
    status: &str,
    path: &str,
    header: &str,
    core: Option<usize>,
) -> Outcome<f64> {
    let seconds = setting("IOCGW_BENCH_SECONDS", 3)?;
    let own = std::env::current_exe()?.display().to_string();
    let mut command =
        core.and_then(|core| process::on_core(core, &own)).unwrap_or_else(|| Command::new(&own));
    let words = ["ask", &address.to_string(), status, &seconds.to_string(), path, header];
    let asked = command.args(words).output()?;
    if !asked.status.success() {
        return Err(String::from_utf8_lossy(&asked.stderr).into_owned().into());
    }
    Ok(String::from_utf8(asked.stdout)?.trim().parse::<f64>()? / seconds as f64)
}

/// Nearly 50,000 points in one answer, of which none is kept.
fn anew(address: SocketAddr) -> Outcome<()> {
    let mut took = Vec::new();
    for _ in 0..ANEW {
        let queries: Vec<Value> = ["01-01", "03-17", "06-01", "08-16", "10-16"]
            .iter()
            .map(|from| {
                let parameters =
                    json!({"grain": "day", "by": "commune", "from": format!("2024-{from}"), "to": end(from)});
                json!({"indicator": "received", "read": "series", "parameters": parameters})
            })
            .collect();
        let begun = Instant::now();
        let (head, _) =
            once(address, "POST", "/v1/query", &json!({"queries": queries}).to_string())?;
        took.push(begun.elapsed().as_secs_f64() * 1e3);
        if !head.starts_with("HTTP/1.1 200") {
            return Err(head.into());
        }
    }
    took.sort_by(f64::total_cmp);
    say("130 communes × 365 days in one batch, worked out anew")?;
    row("  median, ms", took[ANEW / 2], 1, "")?;
    row("  p99, ms", took[ANEW - 1 - ANEW / 100], 1, "must 100, aim 20")
}

/// The day after so many days that a query's points are within the limit.
fn end(from: &str) -> &'static str {
    match from {
        "01-01" => "2024-03-17",
        "03-17" => "2024-06-01",
        "06-01" => "2024-08-16",
        "08-16" => "2024-10-16",
        _ => "2024-12-31",
    }
}

/// What a thousand readers of events cost.
fn listeners(dir: &Path, source: SocketAddr, records: usize) -> Outcome<()> {
    let count = setting("IOCGW_BENCH_READERS", 1_000)?;
    raise_open_files();
    let run = |name: &str, readers: usize| -> Outcome<(f64, f64, f64)> {
        let store: PathBuf = dir.join(name);
        let begun = Instant::now();
        let serving = gateway(dir, (Path::new(CONFIG), &store), source, None)?;
        let id = serving.0.id();
        let held = listen(serving.1, readers)?;
        pulled(serving.1)?;
        let wall = begun.elapsed().as_secs_f64();
        let cpu = alive::cpu_of(id).ok_or("no such process")?;
        let resident = alive::resident(id).ok_or("no such process")?;
        drop(held);
        Ok((wall, cpu, resident))
    };
    let (mut alone, mut heard) = (Vec::new(), Vec::new());
    for i in 0..ROUNDS {
        alone.push(run(&format!("alone-{i}.db"), 0)?);
        heard.push(run(&format!("heard-{i}.db"), count)?);
    }
    let least = |runs: &[(f64, f64, f64)], of: fn(&(f64, f64, f64)) -> f64| {
        runs.iter().map(of).fold(f64::INFINITY, f64::min)
    };
    let (without, with) = (least(&alone, |run| run.1), least(&heard, |run| run.1));
    say(&format!("{count} readers of events while {records} records are folded"))?;
    row("  CPU s with : without them", with / without, 2, "")?;
    let (short, long) = (least(&alone, |run| run.0), least(&heard, |run| run.0));
    row("  records/s without", records as f64 / short, 0, "")?;
    row("  records/s with", records as f64 / long, 0, "")?;
    // Without folding: what one more reader holds.
    let serving = gateway(dir, (Path::new(CONFIG), &dir.join("alone-0.db")), source, None)?;
    let id = serving.0.id();
    let first = listen(serving.1, count / 10)?;
    let before = alive::resident(id).ok_or("no such process")?;
    let rest = listen(serving.1, count - count / 10)?;
    let after = alive::resident(id).ok_or("no such process")?;
    let each = (after - before) * 1024.0 / rest.len().max(1) as f64;
    drop(first);
    row("  memory of each, KiB", each, 1, "")
}

/// Opens so many streams of events and reads the beginning of each.
fn listen(address: SocketAddr, count: usize) -> Outcome<Vec<TcpStream>> {
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")?;
        held.push(stream);
    }
    for stream in &mut held {
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        if !head.ends_with(b"200") {
            return Err("a reader was not let in".into());
        }
    }
    Ok(held)
}

/// Each reader is an open file, here and there; the gateway sees to itself.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

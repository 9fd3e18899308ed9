//! The benchmark of the main job: a million dossiers from a static HTTP server through contract,
//! fold and durable SQLite to a queryable indicator, by the real binary.
//!
//! `make bench` runs it; it needs nothing but this repository. Bare times differ between machines
//! and hours, so it prints CPU seconds per million records and ratios to a hand-written reference
//! measured in the same run, and it checks every cell against a truth kept while the workload was
//! written: one wrong cell and it fails. Settings: `IOCGW_BENCH_RECORDS` (a million),
//! `IOCGW_BENCH_PAGE` (5,000), `IOCGW_BENCH_SEED`, `IOCGW_BENCH_ROUNDS` (2; the cheapest counts).

mod probe;
mod process;
mod reader;
mod server;
mod workload;

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use process::Cost;
use workload::{Cells, Shape, Written};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The binary that is measured.
const IOCGW: &str = env!("CARGO_BIN_EXE_iocgw");

/// The configuration it is measured with.
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/config");

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match &arguments[..] {
        [role, dir] if role == "serve" => server::run(Path::new(dir)).map_err(Into::into),
        [role, first] if role == "probe" => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Into::into)
            .and_then(|runtime| runtime.block_on(probe::run(first))),
        _ if arguments.iter().any(|argument| argument == "--bench") => measure(),
        _ => say("this is a benchmark: run it with `make bench`"),
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

fn setting(name: &str, otherwise: usize) -> Outcome<usize> {
    match std::env::var(name) {
        Ok(text) => text.parse().map_err(|_| format!("{name}={text} is not a number").into()),
        Err(_) => Ok(otherwise),
    }
}

/// The folder of a run with everything in it; it goes when the run ends.
struct Bench {
    dir: tempfile::TempDir,
    server: Child,
    address: String,
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Bench {
    fn start() -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        std::fs::create_dir(dir.path().join("secrets"))?;
        std::fs::write(dir.path().join("secrets/identifier_key"), "benchmark-only-".repeat(3))?;
        let mut server = Command::new(std::env::current_exe()?)
            .arg("serve")
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let pipe = server.stdout.take().ok_or("the server has no output")?;
        let mut address = String::new();
        BufReader::new(pipe).read_line(&mut address)?;
        Ok(Self { dir, server, address: address.trim().to_owned() })
    }

    fn store(&self, name: &str) -> PathBuf {
        self.dir.path().join(name).with_extension("db")
    }

    /// `command` with everything that every call of the binary needs.
    fn with_place(
        &self,
        mut command: Command,
        words: &[&str],
        store: &Path,
        pages: &str,
    ) -> Command {
        command
            .args(words)
            .args(["--config", CONFIG, "--secrets"])
            .arg(self.dir.path().join("secrets"))
            .arg("--store")
            .arg(store)
            .env("BENCH_URL", format!("http://{}/{pages}", self.address));
        command
    }

    fn pull(&self, command: Command, store: &Path, pages: &str) -> io::Result<Cost> {
        process::run(&mut self.with_place(command, &["source", "pull"], store, pages))
    }

    fn probe(&self, pages: &str) -> Outcome<Cost> {
        let first = format!("http://{}/{pages}/page-00001.json", self.address);
        let own = std::env::current_exe()?;
        Ok(process::run(Command::new(own).args(["probe", &first]))?)
    }

    /// Every cell of the measure, as the store has it.
    fn cells(&self, store: &Path) -> Outcome<Cells> {
        let words = ["measure", "export", "dossiers.received"];
        let cost = process::run(&mut self.with_place(Command::new(IOCGW), &words, store, "none"))?;
        let mut cells = Cells::new();
        for line in cost.output.lines().skip(1) {
            let (cell, amount) = line.rsplit_once(',').ok_or("a line without an amount")?;
            *cells.entry(cell.to_owned()).or_default() += amount.parse::<i64>()?;
        }
        Ok(cells)
    }

    /// Fails unless the store holds exactly the true cells.
    fn check(&self, store: &Path, truth: &Cells) -> Outcome<()> {
        let found = self.cells(store)?;
        let keys: BTreeSet<&String> = truth.keys().chain(found.keys()).collect();
        let amount = |cells: &Cells, key: &String| cells.get(key).copied().unwrap_or(0);
        let wrong: Vec<_> =
            keys.into_iter().filter(|key| amount(truth, key) != amount(&found, key)).collect();
        say(&format!(
            "cells checked                     {:>10}   wrong {}",
            truth.len(),
            wrong.len()
        ))?;
        match wrong.first() {
            None => Ok(()),
            Some(cell) => {
                Err(format!("{} cells are wrong, the first is {cell}", wrong.len()).into())
            }
        }
    }
}

/// The cheapest of several runs: what is measured is the work, not what else the machine did.
fn cheapest(costs: Vec<Cost>) -> Outcome<Cost> {
    costs.into_iter().min_by(|a, b| a.cpu.total_cmp(&b.cpu)).ok_or_else(|| "no run".into())
}

fn measure() -> Outcome<()> {
    let shape = Shape {
        records: setting("IOCGW_BENCH_RECORDS", 1_000_000)?,
        page: setting("IOCGW_BENCH_PAGE", 5_000)?,
        seed: setting("IOCGW_BENCH_SEED", 97_850)? as u64,
        series: 1,
    };
    let rounds = setting("IOCGW_BENCH_ROUNDS", 2)?.max(1);
    let bench = Bench::start()?;
    let first = workload::write(&bench.dir.path().join("first"), shape)?;
    describe("workload", shape, &first)?;
    let store = bench.store("first");
    let (mut ours, mut probes) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        probes.push(bench.probe("first")?);
        remove(&store)?;
        ours.push(bench.pull(Command::new(IOCGW), &store, "first")?);
    }
    let (ours, reference) = (cheapest(ours)?, cheapest(probes)?);
    bench.check(&store, &first.cells)?;
    if reference.output != format!("{} {}\n", shape.records, first.cells.len()) {
        return Err("the reference did not come to the truth, so it measures nothing".into());
    }
    let million = shape.records as f64 / 1e6;
    row("CPU s per million", ours.cpu / million, 2, "must 4.0, aim 1.5")?;
    row("  reference, in memory only", reference.cpu / million, 2, "")?;
    row("  reference : ours", reference.cpu / ours.cpu, 2, "")?;
    row("records/s on all cores", shape.records as f64 / ours.wall, 0, "")?;
    pinned(&bench, shape, rounds)?;
    row("peak memory, MiB", ours.peak, 0, "must 250, aim 150")?;
    row("store, MiB", size(&store)? / 1_048_576.0, 0, "")?;
    let journal = journal(&store)?;
    row("  of it journal, MiB", journal / 1_048_576.0, 1, "")?;
    row("  journal, bytes per record", journal / shape.records as f64, 1, "")?;
    reader::measure(&bench, &store, &first)?;
    growth(&bench, shape, &first, rounds)
}

/// One line of figures.
fn row(what: &str, value: f64, decimals: usize, goal: &str) -> Outcome<()> {
    say(format!("{what:<36}{value:>10.decimals$}   {goal}").trim_end())
}

fn describe(what: &str, shape: Shape, written: &Written) -> Outcome<()> {
    say(&format!(
        "{what}: {} records of {} bytes in {} pages; {} entities, {} corrections, {} stale, {} cells",
        shape.records,
        written.bytes / shape.records as u64,
        written.pages,
        written.entities,
        written.corrections,
        written.stale,
        written.cells.len(),
    ))
}

/// The same on one core; the server runs wherever the kernel puts it.
fn pinned(bench: &Bench, shape: Shape, rounds: usize) -> Outcome<()> {
    let last = std::thread::available_parallelism()?.get() - 1;
    let store = bench.store("pinned");
    let mut shortest = f64::INFINITY;
    for _ in 0..rounds {
        let Some(command) = process::on_core(last, IOCGW) else {
            return say("records/s on one core: not measured, there is no taskset");
        };
        remove(&store)?;
        shortest = shortest.min(bench.pull(command, &store, "first")?.wall);
    }
    let rate = shape.records as f64 / shortest;
    row("records/s on one core", rate, 0, "must 150000, aim 400000")
}

/// As many records again, of other dossiers, on top of the first: does history cost anything? What
/// it costs to start on the store and to end is measured with a page of no records and taken off:
/// a gateway at work starts once.
fn growth(bench: &Bench, shape: Shape, first: &Written, rounds: usize) -> Outcome<()> {
    let shape = Shape { seed: shape.seed + 1, series: shape.series + 1, ..shape };
    let second = workload::write(&bench.dir.path().join("second"), shape)?;
    let idle = bench.dir.path().join("idle");
    std::fs::create_dir(&idle)?;
    std::fs::write(idle.join("page-00001.json"), r#"{"data":[],"next":null}"#)?;
    let (with, without) = (bench.store("first"), bench.store("growth"));
    let (mut on_first, mut on_nothing) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        remove(&without)?;
        let start = bench.pull(Command::new(IOCGW), &without, "idle")?;
        on_nothing.push((start, bench.pull(Command::new(IOCGW), &without, "first")?));
        remove(&without)?;
        std::fs::copy(&with, &without)?;
        let start = bench.pull(Command::new(IOCGW), &without, "idle")?;
        on_first.push((start, bench.pull(Command::new(IOCGW), &without, "second")?));
    }
    let mut truth = first.cells.clone();
    for (cell, amount) in &second.cells {
        *truth.entry(cell.clone()).or_default() += amount;
    }
    bench.check(&without, &truth)?;
    let (start, more) = cheapest_pair(on_first)?;
    let (nothing, less) = cheapest_pair(on_nothing)?;
    let further = (more.peak - less.peak) * 1_048_576.0 / second.entities as f64;
    let history = (more.cpu - start.cpu) / (less.cpu - nothing.cpu);
    row(
        "cost of history",
        history,
        2,
        "must 1.3, aim 1.1: with as much already stored : with none",
    )?;
    row("start and end on the store, CPU s", start.cpu, 2, "")?;
    row("bytes per further entity", further, 0, "must 100, aim 40")
}

/// The cheapest start and the cheapest pull.
fn cheapest_pair(costs: Vec<(Cost, Cost)>) -> Outcome<(Cost, Cost)> {
    let (starts, pulls) = costs.into_iter().unzip();
    Ok((cheapest(starts)?, cheapest(pulls)?))
}

/// Bytes of what the store keeps so that earlier figures can be read again.
fn journal(store: &Path) -> Outcome<f64> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let file = rusqlite::Connection::open_with_flags(store, flags)?;
    let bytes = "SELECT coalesce(sum(length(changes)), 0) FROM journal";
    Ok(file.query_row(bytes, [], |row| row.get::<_, i64>(0))? as f64)
}

/// Bytes of the store's files.
fn size(store: &Path) -> Outcome<f64> {
    let mut total = 0;
    for file in files(store)? {
        total += file.metadata()?.len();
    }
    Ok(total as f64)
}

fn remove(store: &Path) -> Outcome<()> {
    for file in files(store)? {
        std::fs::remove_file(file)?;
    }
    Ok(())
}

fn files(store: &Path) -> Outcome<Vec<PathBuf>> {
    let (dir, stem) = (store.parent().ok_or("no folder")?, store.file_stem().ok_or("no name")?);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_file() && path.file_stem() == Some(stem) {
            found.push(path);
        }
    }
    Ok(found)
}

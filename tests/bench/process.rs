//! Processes and what they cost, read from `/proc`.

use std::fs;
use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The kernel reports CPU time in hundredths of a second on every Linux that is in use.
const TICKS: f64 = 100.0;

/// What one process cost, from start to end.
#[derive(Clone, Debug)]
pub(crate) struct Cost {
    /// User and system time of all its threads, seconds.
    pub(crate) cpu: f64,
    /// Seconds.
    pub(crate) wall: f64,
    /// The most memory it held, MiB.
    pub(crate) peak: f64,
    /// What it wrote.
    pub(crate) output: String,
}

/// Runs a command to its end; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> io::Result<Cost> {
    let (before, start) = (cpu_of_ended_children()?, Instant::now());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let pipe = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        pipe.map_or(Ok(0), |mut pipe| pipe.read_to_string(&mut text)).map(|_| text)
    });
    let mut peak = 0.0_f64;
    let status = loop {
        peak = peak.max(peak_of(child.id()).unwrap_or(0.0));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let wall = start.elapsed().as_secs_f64();
    let output = reader.join().map_err(|_| io::Error::other("reading the output failed"))??;
    if !status.success() {
        return Err(io::Error::other(format!("{command:?} ended with {status}")));
    }
    Ok(Cost { cpu: cpu_of_ended_children()? - before, wall, peak, output })
}

/// The same command on one core, if the machine has `taskset`.
pub(crate) fn on_core(core: usize, program: &str) -> Option<Command> {
    let found = Command::new("taskset").arg("--version").stdout(Stdio::null()).status();
    found.ok().filter(std::process::ExitStatus::success)?;
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string(), program]);
    Some(command)
}

/// The most memory that a running process has held so far, MiB.
pub(crate) fn peak_of(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

/// User and system time of all children that have been waited for.
fn cpu_of_ended_children() -> io::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Vec<f64> = fields.skip(13).take(2).filter_map(|field| field.parse().ok()).collect();
    match ticks[..] {
        [user, system] => Ok((user + system) / TICKS),
        _ => Err(io::Error::other("/proc/self/stat cannot be read")),
    }
}

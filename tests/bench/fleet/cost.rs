//! What a running process has cost so far, read from `/proc`.

use std::fs;

/// The kernel reports CPU time in hundredths of a second on every Linux that is in use.
const TICKS: f64 = 100.0;

/// A look at a running process.
pub(crate) struct Sample {
    /// User and system time of all its threads, seconds.
    pub(crate) cpu: f64,
    /// Memory it holds now, MiB.
    pub(crate) resident: f64,
    /// The most it has held, MiB.
    pub(crate) peak: f64,
}

impl Sample {
    pub(crate) fn of(process: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let mib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib / 1024.0)
        };
        Some(Self { cpu: ticks / TICKS, resident: mib("VmRSS:")?, peak: mib("VmHWM:")? })
    }
}

//! The folder of a run: what the gateway and Prometheus are told of the same targets.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How often each target is asked.
pub(crate) const INTERVAL: Duration = Duration::from_secs(10);

/// Series of one target.
pub(crate) const SERIES: usize = 20;

/// The configuration whose areas and units are taken over.
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/config");

/// Everything on the disk; it goes when the run ends.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new(count: usize, address: SocketAddr) -> io::Result<Self> {
        let place = Self(tempfile::tempdir()?);
        let config = place.path("config");
        copy(Path::new(CONFIG), &config)?;
        for folder in ["sources", "contracts", "indicators", "lists"] {
            fs::remove_dir_all(config.join(folder))?;
            fs::create_dir(config.join(folder))?;
        }
        let commune = fs::read_to_string(config.join("areas/communes.csv"))?;
        let commune = commune.lines().nth(1).and_then(|line| line.split(',').next()).unwrap_or("");
        fs::write(config.join("contracts/state.yaml"), contract())?;
        fs::write(config.join("sources/fleet.yaml"), source(address))?;
        fs::create_dir(place.path("secrets"))?;
        fs::write(place.path("secrets/identifier_key"), "benchmark-only-".repeat(3))?;
        let (mut ours, mut theirs) = (String::from("["), String::from("["));
        for i in 0..count {
            let comma = if i == 0 { "" } else { ",\n" };
            let _ = write!(
                ours,
                "{comma}{{\"targets\":[\"K-{i:05}\"],\"labels\":{{\"commune\":\"{commune}\"}}}}"
            );
            let _ = write!(
                theirs,
                "{comma}{{\"targets\":[\"{address}\"],\"labels\":{{\"__metrics_path__\":\"/p/K-{i:05}/metrics\",\"instance\":\"K-{i:05}\",\"commune\":\"{commune}\"}}}}"
            );
        }
        fs::write(place.path("ours.json"), ours + "]")?;
        fs::write(place.path("theirs.json"), theirs + "]")?;
        let every = INTERVAL.as_secs();
        let file = place.path("theirs.json");
        fs::write(
            place.path("prometheus.yml"),
            format!(
                "global: {{scrape_interval: {every}s, scrape_timeout: 5s}}\nscrape_configs:\n  - job_name: fleet\n    file_sd_configs: [{{files: ['{}']}}]\n",
                file.display()
            ),
        )?;
        Ok(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn ours(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .args(["--anonymous", "read,sources,metrics", "--config"])
            .arg(self.path("config"))
            .arg("--store")
            .arg(self.path("iocgw.db"))
            .arg("--secrets")
            .arg(self.path("secrets"))
            .env("BENCH_TARGETS", self.path("ours.json"))
            .env_remove("IOCGW_LOG")
            .stdout(Stdio::null());
        command
    }

    pub(crate) fn prometheus(&self, address: SocketAddr) -> Command {
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", self.path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", self.path("prometheus").display()))
            .arg(format!("--web.listen-address={address}"));
        command
    }
}

/// Twenty numbers of a kiosk, and what the gateway itself knows of it.
fn contract() -> String {
    let mut text = String::from(
        "contract: state
version: 1
title: {vi: Trạng thái, en: State}
description: Twenty numbers of one target in one quarter of an hour.
accountable_unit: bench
purpose: benchmark
legal_basis: none
retention: 30d
key: [target, slot_at]
version_by: polled_at
area: commune
sla: {fresh_within: 15m}
properties:
  target:    {type: identifier, required: true}
  commune:   {type: area, required: true}
  slot_at:   {type: timestamp, required: true}
  polled_at: {type: timestamp, required: true}
  up:        {type: boolean, required: true}
",
    );
    for i in 0..SERIES {
        let _ = writeln!(text, "  value_{i:02}: {{type: integer, min: 0, max: 100000}}");
    }
    text.push_str("measures:\n  polls: {count: true, at: slot_at, by: [up]}\n");
    for i in [0, 1] {
        let _ = writeln!(text, "  total_{i:02}: {{sum: value_{i:02}, at: slot_at}}");
    }
    text
}

fn source(address: SocketAddr) -> String {
    let every = INTERVAL.as_secs();
    let mut text = format!(
        "source: fleet
source_kind: fleet
title: {{vi: Mạng lưới, en: Fleet}}
accountable_unit: bench
requester: {{url: \"http://{address}/g/{{{{ target }}}}\", timeout: 5s, body_limit: 64KiB, at_once: 100}}
authenticator: {{kind: none}}
retry: {{max_retries: 0}}
fleet: {{file_sd: {{files: [\"${{BENCH_TARGETS}}\"]}}, slot: 15m, concurrency: 100}}
streams:
  state:
    contract: state
    path: /metrics
    interval: {every}s
    data_through: run_start
    format: {{kind: prometheus}}
    map:
      target:    {{poll: target}}
      commune:   {{label: commune}}
      slot_at:   {{poll: slot}}
      polled_at: {{poll: at}}
      up:        {{poll: up}}
"
    );
    for i in 0..SERIES {
        let _ = writeln!(text, "      value_{i:02}: kiosk_value_{i:02}");
    }
    text
}

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

//! The stage: a province that misbehaves, a copy of the shipped configuration that is in a hurry,
//! and the real program, killed and started again on the same store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ioc_gateway::clock::Clock;
use ioc_gateway::model::time::Stamp;
use ioc_gateway::province::{Faults, Fleet, Now, Said, Settings, System};
use serde_json::Value;

use super::calendar::local_day;
use crate::support::{Gateway, Systems, copy, shipped};

/// The sources of the shipped configuration and how many streams each has.
const SOURCES: [(&str, usize); 15] = [
    ("portal", 1),
    ("lodging_a", 2),
    ("lodging_b", 2),
    ("kiosk_fleet", 1),
    ("kiosk_platform", 1),
    ("medical", 2),
    ("certification_points", 1),
    ("exams", 1),
    ("loans", 2),
    ("citizens", 1),
    ("screens", 1),
    ("courses", 1),
    ("programme", 1),
    ("petitions", 2),
    ("evaluation", 1),
];

/// Everything that a test of the whole program needs.
pub(crate) struct Stage {
    pub(crate) systems: Systems,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) gateway: Option<Gateway>,
    /// What all programs so far have logged.
    pub(crate) logs: String,
    /// Seconds of a kiosk slot, long enough for the whole test to lie in one.
    slot: i64,
    /// Records that the province had said in whole when the program was started.
    said: u64,
    /// How many kills cut short a turn of which something had been said already.
    pub(crate) interrupted: usize,
    revision: u64,
    received: BTreeMap<String, u64>,
}

impl Stage {
    /// A province of history and faults, standing at `now`; no program yet.
    pub(crate) fn new(seed: u64, months: u32, scale: f64, now: Stamp) -> Self {
        Self::with_silent(0.1, seed, months, scale, now)
    }

    /// The same where every kiosk answers: to wait for the silent ones takes most of a turn.
    pub(crate) fn awake(seed: u64, months: u32, scale: f64, now: Stamp) -> Self {
        Self::with_silent(0.0, seed, months, scale, now)
    }

    fn with_silent(silent: f64, seed: u64, months: u32, scale: f64, now: Stamp) -> Self {
        let mut settings = Settings::new(seed, Now::Standing(now));
        (settings.months, settings.scale, settings.ledger) = (months, scale, true);
        // More bad answers in a row than a request is retried, so that whole turns fail as well.
        settings.faults = Self::faults();
        // None is slow: whether a slow one answers in time would depend on the machine's load.
        settings.fleet = Fleet { silent, slow: 0.0 };
        let systems = Systems::start(settings);
        let folder = tempfile::tempdir().unwrap();
        systems.write_secrets(&folder.path().join("secrets"));
        let slot = slot_with_room(Clock::System.now().0);
        hurried(&shipped(), &folder.path().join("config"), slot);
        Self {
            systems,
            folder,
            gateway: None,
            logs: String::new(),
            slot,
            said: 0,
            interrupted: 0,
            revision: 0,
            received: BTreeMap::new(),
        }
    }

    /// The misbehaviour that the province was made with.
    pub(crate) fn faults() -> Faults {
        Faults { in_a_row: 4, ..Faults::everything() }
    }

    /// Starts the program on the store as the last one left it.
    pub(crate) fn start(&mut self) {
        let config: PathBuf = self.folder.path().join("config");
        self.said = self.said();
        let gateway = Gateway::start(&config, self.folder.path(), &self.systems.variables);
        self.gateway = Some(gateway);
        self.check_books();
    }

    /// The running program.
    pub(crate) fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().expect("the program runs")
    }

    /// kill -9 as soon as the province has said so many records since the start; if it has no more
    /// to say, after a while.
    pub(crate) fn kill_after(&mut self, records: u64, at_most: Duration) {
        let began = Instant::now();
        while self.said() - self.said < records && began.elapsed() < at_most {
            std::thread::park_timeout(Duration::from_millis(2));
        }
        let gateway = self.gateway.take().expect("the program runs");
        let log = gateway.kill();
        self.interrupted += usize::from(self.said() - self.said > told(&log));
        self.logs.push_str(&log);
    }

    /// Records that came from lists and could be read; each kiosk poll is a turn of its own.
    fn said(&self) -> u64 {
        let counts = |said: &&Said| said.whole && said.system != System::Kiosk;
        self.systems.province.ledger().read(|said| said.iter().filter(counts).count() as u64)
    }

    /// SIGTERM: the program ends by itself, soon and without complaint.
    pub(crate) fn stop(&mut self) {
        let gateway = self.gateway.take().expect("the program runs");
        self.logs.push_str(&gateway.log());
        let (code, took) = gateway.stop();
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(10), "{took:?}");
    }

    /// The books balance at any moment, and neither they nor the revision go back.
    pub(crate) fn check_books(&mut self) {
        let answer = self.gateway().get("/v1/sources");
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answer = answer.json();
        let revision = answer["revision"].as_u64().unwrap();
        assert!(revision >= self.revision, "revision {revision} after {}", self.revision);
        self.revision = revision;
        for source in answer["items"].as_array().unwrap() {
            for stream in source["streams"].as_array().unwrap() {
                let name = format!("{}.{}", source["source"], stream["stream"]);
                let received = balanced(&name, &stream["records"]);
                let before = self.received.insert(name.clone(), received).unwrap_or(0);
                assert!(received >= before, "{name}: received {received} after {before}");
            }
        }
    }

    /// The province behaves, and everything that there was to say has been heard: each stream has
    /// had a good turn that began after that, and one after it that brought nothing new, or that asked
    /// those who had no moment left in the first.
    pub(crate) fn calm_down(&mut self) {
        self.systems.province.set_faults(Faults::default());
        let since = Clock::System.now();
        for (source, streams) in SOURCES {
            let path = format!("/v1/sources/{source}");
            let what = format!("a turn of {source} that brings nothing new");
            let answer = self.gateway().wait_until(&what, &path, |answer| {
                let source = answer.json();
                let found = source["streams"].as_array().unwrap();
                assert_eq!(found.len(), streams);
                found.iter().all(|stream| has_heard_all(stream, &since.rfc3339()))
            });
            for stream in answer.json()["streams"].as_array().unwrap() {
                for run in stream["history"].as_array().unwrap() {
                    balanced(source, &run["records"]);
                }
            }
        }
        self.check_books();
    }

    /// The systems lose a share of their records without a word.
    pub(crate) fn lose(&mut self, share: f64) {
        let province = &self.systems.province;
        province.lose(share);
        province.set_now(Stamp(province.now().0 + 1));
    }

    /// Waits until every stream that is read in full passes has ended one that began after `since`.
    pub(crate) fn wait_for_full_passes(&mut self, since: Stamp) {
        let (since, mut passes) = (since.rfc3339(), 0);
        for (source, _) in SOURCES {
            let path = format!("/v1/sources/{source}");
            let what = format!("a full pass of {source}");
            let answer = self.gateway().wait_until(&what, &path, |answer| {
                let source = answer.json();
                source["streams"].as_array().unwrap().iter().all(|stream| {
                    let name = stream["stream"].as_str().unwrap();
                    let is_read = reconciles(source["source"].as_str().unwrap(), name);
                    !is_read
                        || stream["reconciled_at"]
                            .as_str()
                            .is_some_and(|began| began > since.as_str())
                })
            });
            for stream in answer.json()["streams"].as_array().unwrap() {
                assert!(stream["reconcile_refused"].is_null(), "{stream}");
                passes += usize::from(!stream["reconciled_at"].is_null());
            }
        }
        assert!(passes > 10, "{passes}");
        self.check_books();
    }

    /// The local day of the one slot in which the kiosks have been asked.
    pub(crate) fn slot_day(&self) -> i32 {
        local_day(Clock::System.now().0.div_euclid(self.slot) * self.slot)
    }
}

/// Whether the shipped source reads this stream in full passes.
pub(crate) fn reconciles(source: &str, stream: &str) -> bool {
    let path = shipped().join("sources").join(format!("{source}.yaml"));
    let text = std::fs::read_to_string(path).unwrap();
    let (_, after) = text.split_once(&format!("\n  {stream}:\n")).expect("the stream is shipped");
    let own = after.lines().take_while(|line| line.starts_with("    ") || line.is_empty());
    own.into_iter().any(|line| line.starts_with("    reconcile:"))
}

/// Records in the run lines of a log, those of kiosk polls left out.
fn told(log: &str) -> u64 {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lists = lines.filter(|line| line["source"] != "kiosk_fleet");
    lists.filter_map(|line| line["received"].as_u64()).sum()
}

/// Received is the sum of what became of it.
fn balanced(name: &str, records: &Value) -> u64 {
    let count = |what: &str| records[what].as_u64().unwrap();
    let ends = ["accepted", "superseded", "duplicate", "quarantined", "rejected"];
    let sum: u64 = ends.into_iter().map(count).sum();
    assert_eq!(count("received"), sum, "{name}: {records}");
    count("received")
}

/// Moments of this form sort as texts do.
fn has_heard_all(stream: &Value, since: &str) -> bool {
    let is_good = |run: &&Value| run["started"].as_str().unwrap() > since && run["outcome"] == "ok";
    let mut good = stream["history"].as_array().unwrap().iter().filter(is_good);
    // A poll is always a new version. Who was asked in a round already is not asked again in what is left of
    // it, which may be the first of these turns; in the second everybody else is.
    let is_fleet = !stream["targets"].is_null();
    good.next().is_some() && good.any(|run| is_fleet || run["records"]["accepted"] == 0)
}

/// The slot length whose current slot has most time left; at least a quarter of an hour, because not
/// all of these end at the same time.
fn slot_with_room(now: i64) -> i64 {
    let left = |length: &i64| length - now.rem_euclid(*length);
    (15..60).map(|minutes| minutes * 60).max_by_key(left).expect("there are such lengths")
}

/// The configuration with short intervals, small pages and little patience; nothing else changes.
fn hurried(from: &Path, to: &Path, slot: i64) {
    copy(from, to);
    let slot = format!("slot: {slot}s");
    let changes = [
        ("interval: 1m", "interval: 1s"),
        ("interval: 5m", "interval: 1s"),
        // Full passes in between: while nothing is lost, nothing may be taken back.
        ("reconcile: {interval: 1d}", "reconcile: {interval: 4s}"),
        ("timeout: 20s", "timeout: 2s"),
        ("timeout: 5s", "timeout: 3s"),
        ("per: 1m", "per: 1s"),
        (
            "{max_retries: 4}",
            "{max_retries: 2, first: 20ms, longest: 200ms, after_denial: 1s, budget_percent: 1000}\ncircuit_breaker: {open_for: 1s}",
        ),
        ("{max_retries: 1}", "{max_retries: 1, budget_percent: 1000}"),
        ("limit: 5000", "limit: 200"),
        (": 2000", ": 100"),
        ("slot: 15m", slot.as_str()),
    ];
    let mut made = [0; 11];
    for (source, _) in SOURCES {
        let path = to.join("sources").join(format!("{source}.yaml"));
        let mut text = std::fs::read_to_string(&path).unwrap();
        for ((what, instead), made) in changes.iter().zip(&mut made) {
            *made += text.matches(what).count();
            text = text.replace(what, instead);
        }
        if source == "kiosk_fleet" {
            // Each is waited for as long as a turn is, and a busy machine may stand still for a second.
            text = text.replace("interval: 1s", "interval: 4s");
        }
        std::fs::write(&path, text).unwrap();
    }
    assert!(!made.contains(&0), "the shipped sources have changed: {made:?}");
    // The province stands at days that are long past for the program: none of them is too old,
    // however late the test is run.
    for entry in std::fs::read_dir(to.join("contracts")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let is_retention = |line: &&str| line.starts_with("retention: ");
        let written = text.lines().find(is_retention).expect("each contract has a retention");
        std::fs::write(&path, text.replace(written, "retention: 99y")).unwrap();
    }
    let own = std::fs::read_to_string(to.join("iocgw.yaml")).unwrap();
    std::fs::write(to.join("iocgw.yaml"), own + "journal: {full_for: 3d}\n").unwrap();
}

//! The first minute of a newcomer: one command, no set-up, every indicator answers, and Ctrl-C
//! leaves nothing behind.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{Prometheus, program, request, shipped};

/// How long the demo may take in a build for development.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running demo; killed when dropped.
struct Demo {
    child: Child,
    address: SocketAddr,
    said: Arc<Mutex<String>>,
}

impl Demo {
    /// Starts one with its temporary files in `folder` and waits until it invites to look.
    fn start(folder: &Path, more: &[&str]) -> Self {
        let config = shipped();
        let mut arguments = vec!["demo", "--listen", "127.0.0.1:0", "--months", "1", "--config"];
        arguments.push(config.to_str().unwrap());
        arguments.extend(more);
        let mut child = program(&arguments, &std::collections::BTreeMap::new())
            .env("TMPDIR", folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (told, telling) = std::sync::mpsc::sync_channel(1);
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let keeping = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut address = None;
            for line in lines.map_while(Result::ok) {
                let url = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
                address = address.or_else(|| url?.parse::<SocketAddr>().ok());
                let mut said = keeping.lock().unwrap();
                said.push_str(&line);
                said.push('\n');
                if let (true, Some(address)) = (line.contains("Ctrl-C"), address) {
                    let _ = told.try_send(address);
                }
            }
        });
        let Ok(address) = telling.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            panic!("the demo did not come up:\n{}", said.lock().unwrap());
        };
        Self { child, address, said }
    }

    fn get(&self, path: &str) -> serde_json::Value {
        let answer = request(self.address, "GET", path, &[]);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    /// Ctrl-C; yields everything that was said.
    fn interrupt(mut self) -> String {
        let began = Instant::now();
        let id = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{}", self.said.lock().unwrap());
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        self.said.lock().unwrap().clone()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn the_demo_needs_nothing_answers_everything_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(folder.path(), &[]);
    assert_eq!(entries(folder.path()), 1, "store and secrets stand in one temporary folder");
    let catalogue = demo.get("/v1/catalogue");
    let indicators = catalogue["items"].as_array().unwrap();
    assert!(indicators.len() >= 20);
    let silent: Vec<&str> = indicators
        .iter()
        .map(|indicator| indicator["indicator"].as_str().unwrap())
        // The gateway's own register begins with it: it may know of no report that was due yet.
        .filter(|id| !id.starts_with("source_report"))
        .filter(|id| {
            let value = demo.get(&format!("/v1/indicators/{id}/value?period=latest"));
            value["value"].is_null()
        })
        .collect();
    assert_eq!(silent, Vec::<&str>::new(), "indicators without a value");
    let address = demo.address;
    let said = demo.interrupt();
    assert!(!said.contains('\u{1b}') && !said.contains('\r'), "not for a terminal: {said:?}");
    assert!(said.contains("Nạp lịch sử / pulling history: "), "{said}");
    for path in ["/", "/v1/catalogue", "/v1/sources", "/metrics"] {
        let url = format!("http://{address}{path}\n");
        assert!(said.contains(&url), "{url} is not offered: {said}");
    }
    assert!(said.ends_with("Đã dừng / stopped.\n"), "{said}");
    assert!(!said.contains("CANARY"));
    assert_eq!(entries(folder.path()), 0, "the temporary folder is gone");
}

#[test]
fn a_real_prometheus_scrapes_the_demo() {
    let folder = tempfile::tempdir().unwrap();
    let demo = Demo::start(folder.path(), &[]);
    let data = tempfile::tempdir().unwrap();
    let job = |name: &str, path: &str| {
        format!(
            "  - job_name: {name}\n    metrics_path: {path}\n    static_configs: [{{targets: \
             [\"{}\"]}}]\n",
            demo.address
        )
    };
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n{}{}",
        job("iocgw", "/metrics"),
        job("indicators", "/metrics/indicators")
    );
    let prometheus = Prometheus::start(data.path(), &config, &[]);
    let has = |query: &str| {
        let path = format!("/api/v1/query?query={query}");
        prometheus.wait_until(query, &path, |answer| {
            !answer.json()["data"]["result"].as_array().unwrap().is_empty()
        })
    };
    has("up%7Bjob%3D%22iocgw%22%7D%3D%3D1");
    has("up%7Bjob%3D%22indicators%22%7D%3D%3D1");
    has("iocgw_source_up%3D%3D1");
    let scraped = has("ioc_indicator_info").json();
    let count = scraped["data"]["result"].as_array().unwrap().len();
    let catalogue = demo.get("/v1/catalogue");
    assert_eq!(count, catalogue["items"].as_array().unwrap().len());
    // What it keeps of a figure is the figure.
    let share = has("ioc_on_time_rate_province_ratio").json();
    let share: f64 = share["data"]["result"][0]["value"][1].as_str().unwrap().parse().unwrap();
    assert!((0.0..=1.0).contains(&share), "{share}");
    demo.interrupt();
}

#[test]
fn the_same_seed_shows_the_same_history_and_what_is_kept_stays() {
    let (folder, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = kept.path().join("kept");
    // A day on which everything has long been settled.
    let history = |demo: &Demo| {
        let path = "/v1/indicators/guest_nights/series?grain=day&last=20d";
        let series = demo.get(path);
        let items = series["items"].as_array().unwrap();
        let values: Vec<_> = items.iter().take(8).map(|row| row["value"].clone()).collect();
        assert!(values.iter().any(serde_json::Value::is_number), "{series}");
        values
    };
    let first = Demo::start(folder.path(), &["--seed", "5", "--keep", store.to_str().unwrap()]);
    let values = history(&first);
    let said = first.interrupt();
    assert!(said.contains(store.to_str().unwrap()), "{said}");
    assert!(store.join("iocgw.db").exists() && store.join("secrets/identifier_key").exists());
    assert_eq!(entries(folder.path()), 0);

    let same = Demo::start(folder.path(), &["--seed", "5"]);
    assert_eq!(history(&same), values);
    same.interrupt();
    let other = Demo::start(folder.path(), &["--seed", "6"]);
    assert_ne!(history(&other), values);
    other.interrupt();
}

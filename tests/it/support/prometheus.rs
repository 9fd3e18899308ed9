//! A real Prometheus on loopback, and its companion promtool.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::{Answer, request};

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running Prometheus; killed when dropped.
pub(crate) struct Prometheus {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Prometheus {
    /// Starts it on a free port with `config`, its data in `folder`.
    pub(crate) fn start(folder: &Path, config: &str, flags: &[&str]) -> Self {
        let file = folder.join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let mut child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .args(["--web.listen-address=127.0.0.1:0", "--storage.tsdb.retention.time=100y"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("prometheus: {error}. `make tools` installs it."));
        let (told, telling) = std::sync::mpsc::sync_channel(1);
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // With port 0 only this line says which one it became.
                let address = line
                    .contains("msg=\"Listening on\"")
                    .then(|| line.split("address=").nth(1)?.split(' ').next()?.parse().ok());
                if let Some(address) = address.flatten() {
                    let _ = told.try_send(address);
                }
            }
        });
        let Ok(address) = telling.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            panic!("prometheus did not listen");
        };
        let started = Self { child, address };
        started.wait_until("readiness", "/-/ready", |answer| answer.status == 200);
        started
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        request(self.address, "GET", path, &[])
    }

    /// Asks `path` again and again until `is_so`.
    pub(crate) fn wait_until(
        &self,
        what: &str,
        path: &str,
        is_so: impl Fn(&Answer) -> bool,
    ) -> Answer {
        let began = Instant::now();
        loop {
            let answer = self.get(path);
            if is_so(&answer) {
                return answer;
            }
            assert!(began.elapsed() < PATIENCE, "{what} did not come about:\n{}", answer.body);
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs promtool with `input`; its exit and all it said.
pub(crate) fn promtool(arguments: &[&str], input: &str) -> (bool, String) {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("promtool: {error}. `make tools` installs it."));
    // Closed at once: promtool reads to the end.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let said = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (status.success(), said)
}

//! The real program: started, asked, signalled and killed by its process id.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_mins(3);

/// A running `iocgw serve`; killed when dropped.
pub(crate) struct Gateway {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// The program with nothing of this machine's environment that could change what it does.
pub(crate) fn program(arguments: &[&str], variables: &BTreeMap<String, String>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iocgw"));
    command
        .args(arguments)
        .env_remove("CREDENTIALS_DIRECTORY")
        .env_remove("IOCGW_LOG")
        .env("IOCGW_OUTBOUND_ALLOW", "127.0.0.0/8")
        .envs(variables)
        .stdin(Stdio::null());
    command
}

/// Runs the program to its end with `folder` as its working directory.
pub(crate) fn run_in(
    folder: &Path,
    arguments: &[&str],
    variables: &BTreeMap<String, String>,
) -> Output {
    program(arguments, variables).current_dir(folder).output().unwrap()
}

impl Gateway {
    /// Starts the program on `config` with its store and secrets in `folder`, on a free port.
    pub(crate) fn start(
        config: &Path,
        folder: &Path,
        variables: &BTreeMap<String, String>,
    ) -> Self {
        Self::try_start(config, folder, variables)
            .unwrap_or_else(|log| panic!("the gateway did not start:\n{log}"))
    }

    /// The same; the log if it ended instead of listening.
    pub(crate) fn try_start(
        config: &Path,
        folder: &Path,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        Self::launch(config, folder, variables, &["--anonymous", "read,sources,metrics"])
    }

    /// The same, and only those with a key are answered.
    pub(crate) fn start_closed(
        config: &Path,
        folder: &Path,
        variables: &BTreeMap<String, String>,
    ) -> Self {
        Self::launch(config, folder, variables, &[])
            .unwrap_or_else(|log| panic!("the gateway did not start:\n{log}"))
    }

    /// The same, with further arguments.
    pub(crate) fn start_saying(
        config: &Path,
        folder: &Path,
        variables: &BTreeMap<String, String>,
        arguments: &[&str],
    ) -> Self {
        Self::launch(config, folder, variables, arguments)
            .unwrap_or_else(|log| panic!("the gateway did not start:\n{log}"))
    }

    /// The same as at first, and everybody may write over its API too.
    pub(crate) fn start_writable(
        config: &Path,
        folder: &Path,
        variables: &BTreeMap<String, String>,
    ) -> Self {
        Self::launch(config, folder, variables, &["--anonymous", "read,sources,metrics,operate"])
            .unwrap_or_else(|log| panic!("the gateway did not start:\n{log}"))
    }

    fn launch(
        config: &Path,
        folder: &Path,
        variables: &BTreeMap<String, String>,
        more: &[&str],
    ) -> Result<Self, String> {
        let store: PathBuf = folder.join("iocgw.db");
        // As from a login shell: with fewer open files than the program may have.
        let mut child = Command::new("/bin/sh")
            .args(["-c", "ulimit -S -n 256 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_iocgw")])
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--config"])
            .arg(config)
            .arg("--store")
            .arg(store)
            .arg("--secrets")
            .arg(folder.join("secrets"))
            .args(more)
            .env("IOCGW_OUTBOUND_ALLOW", "127.0.0.0/8")
            .envs(variables)
            .env("IOCGW_LOG", "debug")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (told, telling) = std::sync::mpsc::sync_channel(1);
        let (keeping, lines) =
            (Arc::clone(&log), BufReader::new(child.stderr.take().unwrap()).lines());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(address) = listening(&line) {
                    let _ = told.try_send(address);
                }
                let mut log = keeping.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        if let Ok(address) = telling.recv_timeout(PATIENCE) {
            Ok(Self { child, address, log })
        } else {
            let _ = child.kill();
            let _ = child.wait();
            Err(log.lock().unwrap().clone())
        }
    }

    /// Everything the program has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// SIGKILL, and wait until it is gone; yields what it had logged.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.log()
    }

    /// Waits until the program has ended by itself; whether it has.
    pub(crate) fn has_ended_within(&mut self, at_most: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < at_most {
            if self.child.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::park_timeout(Duration::from_millis(2));
        }
        false
    }

    /// Waits until the program has ended by itself; yields its exit code and what it had logged.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        assert!(self.has_ended_within(PATIENCE), "{}\nit goes on", self.log());
        (self.child.wait().unwrap().code(), self.log())
    }

    /// SIGHUP: the configuration shall be read again.
    pub(crate) fn reload(&self) {
        let sent =
            Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// SIGTERM; yields the exit code and how long it took.
    pub(crate) fn stop(mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        let sent =
            Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let code = self.child.wait().unwrap().code();
        (code, began.elapsed())
    }

    /// A GET of a path with its query.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    /// A request with a JSON body, by whoever has this key.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        key: &str,
        body: &serde_json::Value,
    ) -> Answer {
        let bearer = format!("Bearer {key}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        exchange(self.address, method, path, &headers, &body.to_string())
    }

    /// A POST with a JSON body, by nobody in particular.
    pub(crate) fn post(&self, path: &str, body: &serde_json::Value) -> Answer {
        let headers = [("Content-Type", "application/json")];
        exchange(self.address, "POST", path, &headers, &body.to_string())
    }

    /// A request without a body.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        request(self.address, method, path, headers)
    }

    /// Asks `path` again and again until `is_so`, and fails the test if that does not come about.
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
            // What is long comes first: of a long message only the end may be shown.
            assert!(
                began.elapsed() < PATIENCE,
                "{}\n{}\n{path}: {what} did not come about",
                self.log(),
                answer.body
            );
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request without a body to whoever listens at `address`.
pub(crate) fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Answer {
    exchange(address, method, path, headers, "")
}

/// A request with a body, if it is not empty.
pub(crate) fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.extend([*name, ": ", *value, "\r\n"]);
    }
    if !body.is_empty() {
        request.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
    }
    request.push_str("\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    parse(&bytes)
}

fn listening(line: &str) -> Option<SocketAddr> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    if line["message"] != "listening" {
        return None;
    }
    line["address"].as_str()?.parse().ok()
}

fn parse(bytes: &[u8]) -> Answer {
    let split = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an HTTP head");
    let head = String::from_utf8_lossy(&bytes[..split]);
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut body = bytes[split + 4..].to_vec();
    if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        body = unchunk(&body);
    }
    Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let Some(end) = bytes.windows(2).position(|two| two == b"\r\n") else { return body };
        let size =
            usize::from_str_radix(String::from_utf8_lossy(&bytes[..end]).trim(), 16).unwrap_or(0);
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&bytes[end + 2..end + 2 + size]);
        bytes = &bytes[end + 4 + size..];
    }
}

//! Headless Chromium, steered through ChromeDriver over plain HTTP.
//!
//! A browser is the only judge of what a page looks like; the protocol is small enough to speak it
//! without a client library. Missing programs are a failure that names `make tools`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// Nothing but the page: no first-run pages, no background traffic, no GPU.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
];

/// Tells the state of the document as soon as all of it is there.
const LOADED: &str = "
const tell = () => arguments[0](document.readyState);
if (document.readyState === 'complete') tell();
else addEventListener('load', () => tell());";

/// A browser with one window; closed when dropped.
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub(crate) fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver: {error}. `make tools` installs it."));
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let port = line.split("started successfully on port ").nth(1)?;
                port.trim_end_matches('.').parse::<u16>().ok()
            })
            .expect("chromedriver says its port");
        // What it says later must be read, or it stops when the pipe is full.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let data = format!("--user-data-dir={}", profile.path().display());
        let mut browser = Self {
            driver,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            session: String::new(),
            _profile: profile,
        };
        let arguments: Vec<_> = FLAGS.iter().copied().chain([data.as_str()]).collect();
        let options = json!({"args": arguments, "binary": "/usr/bin/chromium"});
        let wanted = json!({"browserName": "chrome", "goog:chromeOptions": options});
        let made =
            browser.call("POST", "/session", &json!({"capabilities": {"alwaysMatch": wanted}}));
        browser.session = format!("/session/{}", made["sessionId"].as_str().unwrap());
        browser
    }

    /// Opens a page and waits until it is loaded.
    ///
    /// On a busy machine the driver says that the first page is there while the document is still
    /// being read: what is asked of it then is about half a page. The page itself knows.
    pub(crate) fn open(&self, url: &str) {
        self.tell("/url", &json!({ "url": url }));
        let state = self.tell("/execute/async", &json!({"script": LOADED, "args": []}));
        assert_eq!(state, "complete", "{url}");
    }

    /// Shows the page as on a screen of this size.
    pub(crate) fn screen(&self, width: u32, height: u32) {
        let screen =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &screen);
    }

    /// Shows the page to somebody who prefers `light` or `dark`.
    pub(crate) fn colours(&self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// What a function body returns inside the page.
    pub(crate) fn ask(&self, script: &str) -> Value {
        self.tell("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// A picture of the window: a PNG in base 64.
    pub(crate) fn picture(&self) -> String {
        let picture = self.call("GET", &format!("{}/screenshot", self.session), &Value::Null);
        picture.as_str().unwrap().to_owned()
    }

    fn devtools(&self, command: &str, parameters: &Value) {
        self.tell("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}));
    }

    fn tell(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &format!("{}{path}", self.session), body)
    }

    /// One request; the answer's `value`.
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, text) = self.exchange(method, path, body).unwrap();
        let mut answer: Value =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!(status, 200, "{method} {path}: {text}");
        answer["value"].take()
    }

    fn exchange(&self, method: &str, path: &str, body: &Value) -> std::io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all((head + &body).as_bytes())?;
        let mut reader = BufReader::new(stream);
        let (mut line, mut status, mut length) = (String::new(), 0, 0);
        while reader.read_line(&mut line)? > 2 {
            let lower = line.to_ascii_lowercase();
            if let Some(rest) = lower.strip_prefix("http/1.1 ") {
                status = rest.split(' ').next().unwrap_or("").parse().unwrap_or(0);
            } else if let Some(rest) = lower.strip_prefix("content-length:") {
                length = rest.trim().parse().unwrap_or(0);
            }
            line.clear();
        }
        let mut text = vec![0; length];
        reader.read_exact(&mut text)?;
        Ok((status, String::from_utf8_lossy(&text).into_owned()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // Closes the browser, which would outlive its driver.
            let _ = self.exchange("DELETE", &self.session, &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

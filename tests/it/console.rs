//! The first page in a real browser: headless Chromium, driven over the WebDriver protocol.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ioc_gateway::clock::Clock;
use ioc_gateway::province::{Fleet, Now, Settings};
use serde_json::{Value, json};

use crate::support::{Gateway, Systems, shipped};

/// A browser of the test's own; both processes end with it.
struct Browser {
    driver: Child,
    port: u16,
    session: String,
    profile: tempfile::TempDir,
}

impl Browser {
    fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is missing: run `make tools`");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .find_map(|line| {
                line.ok()?.split("successfully on port ").nth(1)?.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver says on which port it listens");
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Self { driver, port, session: String::new(), profile };
        let folder = format!("--user-data-dir={}", browser.profile.path().display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            folder.as_str(),
        ];
        let options = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": arguments, "binary": "/usr/bin/chromium"}}}});
        let session = browser.ask("POST", "/session", &options);
        browser.session = session["sessionId"].as_str().expect("a session").to_owned();
        browser
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}", self.port).unwrap();
        // The driver keeps the connection open, so the answer is read by its length.
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let answer: Value = serde_json::from_str(&body).expect("a JSON answer");
        assert!(answer["value"]["error"].is_null(), "{answer}");
        answer["value"].clone()
    }

    fn command(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", &format!("/session/{}{path}", self.session), body)
    }

    fn script(&self, text: &str) -> Value {
        self.command("/execute/sync", &json!({"script": text, "args": []}))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.ask("DELETE", &format!("/session/{}", self.session), &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

#[test]
fn the_first_page_shows_every_indicator_in_words_and_fits_a_phone() {
    let mut settings = Settings::new(5, Now::Live(Clock::System));
    (settings.months, settings.scale) = (1, 0.03);
    settings.fleet = Fleet { silent: 0.0, slow: 0.0 };
    let systems = Systems::start(settings);
    let folder = tempfile::tempdir().unwrap();
    systems.write_secrets(&folder.path().join("secrets"));
    let gateway = Gateway::start(&shipped(), folder.path(), &systems.variables);
    gateway.wait_until("a good run of every stream", "/v1/sources", |answer| {
        !answer.body.contains("\"last_success_at\":null")
    });
    let catalogue = gateway.get("/v1/catalogue").json();
    let browser = Browser::start();
    browser.command("/window/rect", &json!({"width": 1280, "height": 1600}));
    browser.command("/url", &json!({"url": format!("http://{}/", gateway.address)}));
    let text = browser.script("return document.body.innerText");
    let text = text.as_str().unwrap();
    for indicator in catalogue["items"].as_array().unwrap() {
        let title = indicator["title"].as_str().unwrap();
        assert!(text.contains(title), "{title}");
    }
    for words in ["Mục tiêu", "Độ mới", "Đầy đủ", "Chịu trách nhiệm", "fresh", "Cần chú ý"]
    {
        assert!(text.contains(words), "{words}");
    }
    assert_eq!(browser.script("return document.scripts.length"), 0);
    let lines = browser.script("return document.querySelectorAll('article svg[role=img]').length");
    assert!(lines.as_u64().unwrap() >= 20, "a trend line each: {lines}");
    let styled =
        browser.script("return getComputedStyle(document.querySelector('article')).borderTopWidth");
    assert_ne!(styled, "0px", "the style sheet has arrived");
    let elsewhere = browser.script(
        "return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin))",
    );
    assert_eq!(elsewhere, json!([]));

    // A phone: 360 px wide, nothing to scroll sideways but tables in their own box.
    browser.command(
        "/goog/cdp/execute",
        &json!({"cmd": "Emulation.setDeviceMetricsOverride",
        "params": {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": true}}),
    );
    browser.command("/refresh", &json!({}));
    let widths = browser.script("return [document.documentElement.scrollWidth, window.innerWidth]");
    assert_eq!(widths, json!([360, 360]));
}

//! The province over the wire and from within.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::page::Ask;
use super::*;

mod misbehaviour;
mod offices;
mod shapes;
mod wire;

/// Monday afternoon.
const NOW: &str = "2026-11-23T16:00:00+07:00";

fn now() -> Stamp {
    Stamp::parse(NOW).unwrap()
}

fn small() -> Settings {
    let settings = Settings::new(11, Now::Standing(now()));
    Settings { months: 1, scale: 0.02, ledger: true, ..settings }
}

fn client() -> reqwest::Client {
    // No test speaks TLS, but the client wants a provider; a second install changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A province on a socket and a client that knows its secrets.
struct Town {
    province: Arc<Province>,
    at: SocketAddr,
    stop: CancellationToken,
    client: reqwest::Client,
    bearer: std::sync::Mutex<String>,
}

impl Town {
    fn open(settings: Settings) -> Self {
        let province = Province::new(settings);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(serve(Arc::clone(&province), listener, stop.clone()));
        Self { province, at, stop, client: client(), bearer: std::sync::Mutex::default() }
    }

    fn secret(&self, name: &str) -> String {
        let secrets = self.province.secrets();
        secrets.into_iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// Asks for a token of the portal until one comes.
    async fn log_in(&self) {
        for _ in 0..20 {
            let secret = self.secret("portal_secret");
            let form = [
                ("grant_type", "client_credentials"),
                ("client_id", "ioc"),
                ("client_secret", &secret),
            ];
            let request = self.client.post(format!("http://{}/portal/token", self.at)).form(&form);
            let Ok(answer) = request.send().await else { continue };
            let Ok(body) = answer.bytes().await else { continue };
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            if let Some(token) = body["access_token"].as_str() {
                assert_eq!(body["token_type"], "Bearer");
                *self.bearer.lock().unwrap() = token.to_owned();
                return;
            }
        }
        panic!("no token in twenty attempts");
    }

    fn request(&self, path: &str) -> reqwest::RequestBuilder {
        let url =
            if path.starts_with('/') { format!("http://{}{path}", self.at) } else { path.into() };
        let request = self.client.get(&url).timeout(Duration::from_secs(5));
        match url.split('/').nth(3).unwrap() {
            "portal" => request.bearer_auth(self.bearer.lock().unwrap().clone()),
            "lodging-a" => request.header("X-Api-Key", self.secret("lodging_a_key")),
            "lodging-b" => request.basic_auth("ioc", Some(self.secret("lodging_b_password"))),
            "kiosk-platform" => request.bearer_auth(self.secret("kiosk_platform_token")),
            _ => request,
        }
    }

    /// One answer that must be good.
    async fn get(&self, path: &str) -> Value {
        let answer = self.request(path).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// An answer at last, whatever goes wrong on the way.
    async fn insist(&self, path: &str) -> Value {
        for _ in 0..20 {
            let request = self.request(path).timeout(Duration::from_millis(1500));
            let Ok(answer) = request.send().await else { continue };
            if answer.status() == 401 {
                self.log_in().await;
                continue;
            }
            let Ok(body) = answer.bytes().await else { continue };
            let Ok(body) = serde_json::from_slice::<Value>(&body) else { continue };
            if body["error_code"] == "401" {
                self.log_in().await;
                continue;
            }
            return body;
        }
        panic!("no good answer in twenty attempts: {path}");
    }

    /// All records of a run over one of the five streams that have pages.
    async fn run(&self, stream: &str, since: Stamp, limit: usize) -> Vec<Value> {
        let first = first_page(stream, since, limit);
        let mut path = first.clone();
        let mut records = Vec::new();
        for page in 1..2_000 {
            let mut body = self.insist(&path).await;
            let list = ["/data", "/items", "/result/rows"];
            let place = list.iter().find(|place| body.pointer(place).is_some()).unwrap();
            records.append(body.pointer_mut(place).unwrap().as_array_mut().unwrap());
            let token =
                |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
            path = match stream {
                "portal" => match token(&body["next"]) {
                    Some(next) => next,
                    None => return records,
                },
                "sessions" => match token(&body["meta"]["next"]) {
                    Some(next) => format!("/kiosk-platform/sessions?limit={limit}&cursor={next}"),
                    None => return records,
                },
                "luu-tru" | "co-so" => match token(&body["result"]["cursor"]) {
                    Some(next) => format!("/lodging-b/api/{stream}?soLuong={limit}&after={next}"),
                    None => return records,
                },
                _ if page >= body["pages"].as_u64().unwrap() => return records,
                _ => format!("{first}&page={}", page + 1),
            };
        }
        panic!("a run of {stream} does not end");
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

const STREAMS: [&str; 6] = ["portal", "returns", "facilities", "luu-tru", "co-so", "sessions"];

fn first_page(stream: &str, since: Stamp, limit: usize) -> String {
    let text = since.rfc3339();
    let digits: String = text[..19].chars().filter(char::is_ascii_digit).collect();
    let local = format!("{}/{}/{} {}", &text[8..10], &text[5..7], &text[..4], &text[11..19]);
    match stream {
        "portal" => format!("/portal/api/hoso?updated_from={digits}&limit={limit}"),
        "sessions" => format!("/kiosk-platform/sessions?since={text}&limit={limit}"),
        "returns" | "facilities" => {
            format!("/lodging-a/v1/{stream}?changed_since={text}&size={limit}")
        }
        _ => format!("/lodging-b/api/{stream}?tuThoiDiem={local}&soLuong={limit}"),
    }
}

/// The record's key, and its version in a form that sorts.
fn identity(stream: &str, record: &Value) -> (String, String) {
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let sortable = |name: &str| {
        let text = text(name);
        format!("{}{}{}{}", &text[6..10], &text[3..5], &text[..2], &text[10..])
    };
    match stream {
        "portal" => (text("MaHoSo"), text("NgayCapNhat")),
        "sessions" => (text("session_id"), text("updated_at")),
        "returns" => (text("facility_id") + &text("stay_date"), text("reported_at")),
        "facilities" => (text("facility_id"), text("updated_at")),
        "luu-tru" => (text("maCoSo") + &text("ngayLuuTru"), sortable("thoiDiemGui")),
        _ => (text("maCoSo"), sortable("thoiDiemCapNhat")),
    }
}

/// The latest version of every record.
fn latest(stream: &str, records: Vec<Value>) -> HashMap<String, (String, Value)> {
    let mut latest: HashMap<String, (String, Value)> = HashMap::new();
    for record in records {
        let (key, version) = identity(stream, &record);
        match latest.get(&key) {
            Some((known, _)) if *known >= version => {}
            _ => {
                latest.insert(key, (version, record));
            }
        }
    }
    latest
}

/// Everything that a stream would send now, without faults and without HTTP.
fn everything<R: page::Records>(province: &Province, stream: &Stream<R>) -> Vec<Said> {
    let (mut draw, calm) = (Draw::new(0, 0, 0), Faults::default());
    let pin = Stream::<R>::pin(Stamp(0), province.now(), &mut draw, &calm);
    let mut notes = Vec::new();
    let mut next = Some(0);
    while let Some(offset) = next {
        let ask = Ask { pin, offset, limit: PAGE_LIMIT, is_numbered: false };
        let page = stream.page(ask, &mut draw, &calm, true);
        notes.extend(page.notes);
        next = page.next;
    }
    let ledger = Ledger::default();
    ledger.enter(stream.records.system(), true, notes);
    ledger.said()
}

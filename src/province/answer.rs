//! How an answer leaves: through the fault of the moment, into the ledger, onto the wire.
//!
//! All systems pass here, so they misbehave in the same ways and nothing is said off the record.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;

use super::Province;
use super::draw::Draw;
use super::faults::{Faults, Trouble};
use super::ledger::{Fact, Note, System};

/// A request that is never answered is let go after this, should the client stay.
const PATIENCE: Duration = Duration::from_mins(10);

/// Gate numbers: every endpoint counts its own requests, and every kiosk is one.
pub(super) const FIRST_KIOSK: u32 = 100;

pub(super) type Here = web::Data<Arc<Province>>;

/// What a handler asks [`answer`] for.
pub(super) struct Wanted {
    pub(super) endpoint: u32,
    pub(super) system: System,
    /// The bearer token that the portal may declare expired.
    pub(super) token: Option<String>,
}

/// A body, and what it says.
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    pub(super) notes: Vec<Note>,
}

/// Answers in JSON.
pub(super) async fn answer(
    here: &Here,
    wanted: Wanted,
    make: impl FnOnce(&Province, &mut Draw, &Faults) -> Result<Answer, String> + Send + 'static,
) -> HttpResponse {
    answer_as(here, wanted, JSON, make).await
}

/// Makes an answer unless the fault of the moment forbids, and enters it in the ledger.
pub(super) async fn answer_as(
    here: &Here,
    wanted: Wanted,
    content_type: &'static str,
    make: impl FnOnce(&Province, &mut Draw, &Faults) -> Result<Answer, String> + Send + 'static,
) -> HttpResponse {
    let (faults, mut draw, trouble) = here.enter(wanted.endpoint, wanted.token.is_some());
    if wanted.system == System::Kiosk && trouble.is_some() {
        note_silence(here, (wanted.endpoint - FIRST_KIOSK) as usize);
    }
    if let Some(response) = refusal(here, &wanted, trouble).await {
        return response;
    }
    let province = Arc::clone(here);
    let made = web::block(move || make(&province, &mut draw, &faults)).await;
    let Answer { body, notes } = match made {
        Ok(Ok(answer)) => answer,
        Ok(Err(problem)) => return bad_request(&problem),
        Err(_) => return HttpResponse::InternalServerError().finish(),
    };
    let body = if wanted.system == System::Portal { faults.stray.say(body) } else { body };
    // Nobody can tell a CSV file from its beginning if the length is right: there the line goes dead.
    let trouble = match trouble {
        Some(Trouble::CutBody) if content_type.starts_with("text/csv") => {
            Some(Trouble::CutConnection)
        }
        trouble => trouble,
    };
    let is_whole = !matches!(trouble, Some(Trouble::CutBody | Trouble::CutConnection));
    here.ledger.enter(wanted.system, is_whole, notes);
    match trouble {
        Some(Trouble::CutConnection) => {
            let half = Bytes::copy_from_slice(&body[..body.len() / 2]);
            let parts = [Ok(half), Err(io::Error::other("the line went dead"))];
            let stream = futures_util::stream::iter(parts);
            ok(content_type).body(SizedStream::new(body.len() as u64, stream))
        }
        Some(Trouble::CutBody) => {
            ok(content_type).body(Bytes::copy_from_slice(&body[..body.len() * 2 / 3]))
        }
        _ => ok(content_type).body(body),
    }
}

/// Enters that a kiosk was asked and gave no status.
pub(super) fn note_silence(here: &Here, index: usize) {
    if here.is_noted {
        let fact = Fact::Silence { kiosk: here.kiosks[index].id.clone() };
        let note = Note { version: here.now(), withdrawn: false, bad: None, fact };
        here.ledger.enter(System::Kiosk, false, vec![note]);
    }
}

async fn refusal(here: &Here, wanted: &Wanted, trouble: Option<Trouble>) -> Option<HttpResponse> {
    match trouble? {
        Trouble::TooMany { retry_after } => Some(
            HttpResponse::TooManyRequests()
                .insert_header((header::RETRY_AFTER, retry_after.to_string()))
                .body("quá nhiều yêu cầu"),
        ),
        Trouble::ServerError => Some(failure("lỗi hệ thống")),
        Trouble::Hang => Some(hang().await),
        Trouble::Expired { in_body } => {
            here.revoke_token(wanted.token.as_deref().unwrap_or_default());
            Some(if in_body { ok(JSON).body(EXPIRED) } else { unauthorised("Bearer") })
        }
        Trouble::LoginPage => Some(
            HttpResponse::Ok()
                .content_type("text/html; charset=utf-8")
                .body("<!doctype html><title>Đăng nhập</title><form><input name=u></form>"),
        ),
        Trouble::CutBody | Trouble::CutConnection => None,
    }
}

/// How the portal says in a body that a token has expired.
const EXPIRED: &str =
    r#"{"error_code":"401","message":"Phiên làm việc đã hết hạn","data":[],"next":null}"#;

pub(super) async fn hang() -> HttpResponse {
    tokio::time::sleep(PATIENCE).await;
    failure("hết thời gian chờ")
}

const JSON: &str = "application/json; charset=utf-8";

fn ok(content_type: &'static str) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.content_type(content_type);
    response
}

fn failure(message: &'static str) -> HttpResponse {
    HttpResponse::InternalServerError().body(message)
}

fn bad_request(problem: &str) -> HttpResponse {
    HttpResponse::BadRequest()
        .json(serde_json::json!({"error_code": "400", "message": problem, "data": []}))
}

pub(super) fn unauthorised(scheme: &str) -> HttpResponse {
    HttpResponse::Unauthorized()
        .insert_header((header::WWW_AUTHENTICATE, format!("{scheme} realm=\"ioc\"")))
        .json(serde_json::json!({"error_code": "401", "message": "Chưa xác thực", "data": []}))
}

pub(super) fn header_text<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

pub(super) fn bearer(request: &HttpRequest) -> Option<&str> {
    header_text(request, "authorization")?.strip_prefix("Bearer ")
}

pub(super) fn is_basic(request: &HttpRequest, user: &str, password: &str) -> bool {
    let wanted = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
    header_text(request, "authorization") == Some(wanted.as_str())
}

pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, &byte| word << 8 | u32::from(byte));
        let word = word << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

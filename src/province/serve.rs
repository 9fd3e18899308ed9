//! The province on a socket: one listener, one base path per system.
//!
//! A handler checks who asks and what for; everything else (the fault of the moment, the ledger,
//! the page) goes through [`answer`], so that all systems misbehave in the same ways.
//!
//! `/portal/token`, `/portal/api/hoso?updated_from=&limit=` · `/lodging-a/v1/{returns,facilities}`
//! `?changed_since=&page=&size=` · `/lodging-b/api/{luu-tru,co-so}?tuThoiDiem=&soLuong=&after=` ·
//! `/kiosks/{id}/status` · `/kiosk-platform/sessions?since=&limit=&cursor=` · what the tables of the
//! smaller systems say ([`super::offices`])

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, HttpServer, web};
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::answer::{
    Answer, FIRST_KIOSK, Here, Wanted, answer, bearer, hang, header_text, is_basic, note_silence,
    unauthorised,
};
use super::draw::Draw;
use super::faults::Faults;
use super::feed::Pin;
use super::kiosks::{Mood, mood, status};
use super::ledger::System;
use super::office_answer::{office, office_token};
use super::page::{Ask, PAGE_LIMIT, Page, Records, Stream};
use super::token::{CLIENT, TOKEN_LIFE, page_token, portal_secret, read_page_token};
use super::{Province, exchange, lodging_a, lodging_b, sessions};
use crate::model::time::Stamp;

/// The gate number of the token endpoint; the others follow their systems.
const TOKENS: u32 = 0;

pub(super) type Query = web::Query<HashMap<String, String>>;

/// Serves all systems until `stop`.
pub async fn serve(
    province: Arc<Province>,
    listener: TcpListener,
    stop: CancellationToken,
) -> io::Result<()> {
    let here = web::Data::new(province);
    let app = move || actix_web::App::new().app_data(here.clone()).configure(routes);
    // A client that goes away frees the handler that keeps it waiting: no half-closed connections.
    let server = HttpServer::new(app)
        .workers(2)
        .h1_allow_half_closed(false)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)?
        .run();
    let handle = server.handle();
    tokio::pin!(server);
    tokio::select! {
        ended = &mut server => return ended,
        () = stop.cancelled() => {}
    }
    tokio::join!(handle.stop(false), server).1
}

fn routes(app: &mut web::ServiceConfig) {
    app.configure(exchange::routes)
        .route("/portal/token", web::post().to(portal_token))
        .route("/portal/api/hoso", web::get().to(dossiers))
        .route("/lodging-a/v1/returns", web::get().to(returns_a))
        .route("/lodging-a/v1/facilities", web::get().to(facilities_a))
        .route("/lodging-b/api/luu-tru", web::get().to(returns_b))
        .route("/lodging-b/api/co-so", web::get().to(facilities_b))
        .route("/kiosks/{id}/status", web::get().to(kiosk_status))
        .route("/kiosk-platform/sessions", web::get().to(kiosk_sessions))
        .service(
            web::resource("/{rest:.*}")
                .route(web::get().to(office))
                .route(web::post().to(office_token)),
        );
}

pub(super) fn limit(query: &Query, name: &str) -> Result<usize, String> {
    let Some(text) = query.get(name) else { return Ok(PAGE_LIMIT) };
    match text.parse::<usize>() {
        Ok(limit) if limit > 0 => Ok(limit.min(PAGE_LIMIT)),
        _ => Err(format!("{name} không hợp lệ")),
    }
}

/// Where a run over tokens begins or goes on.
pub(super) fn resume<R: Records>(
    province: &Province,
    token: Option<&String>,
    since: Option<Stamp>,
    draw: &mut Draw,
    faults: &Faults,
) -> Result<(Pin, usize), String> {
    if let Some(token) = token.filter(|token| !token.is_empty()) {
        return read_page_token(province.seed, token).ok_or("mã trang không hợp lệ".into());
    }
    let since = since.ok_or("thời điểm không hợp lệ")?;
    Ok((Stream::<R>::pin(since.max(Stamp(0)), province.now(), draw, faults), 0))
}

/// A page of a stream whose pages follow tokens, and the token of the next page.
pub(super) fn tokened<R: Records>(
    province: &Province,
    stream: &Stream<R>,
    at: (Pin, usize),
    limit: usize,
    (draw, faults): (&mut Draw, &Faults),
) -> (Page, Option<String>) {
    let (pin, offset) = at;
    let ask = Ask { pin, offset, limit, is_numbered: false };
    let page = stream.page(ask, draw, faults, province.is_noted);
    let next = page.next.map(|next| page_token(province.seed, pin, next, draw.next()));
    (page, next)
}

pub(super) async fn portal_token(here: Here, request: HttpRequest, body: Bytes) -> HttpResponse {
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let said = |name: &str| form.get(name).map_or("", String::as_str);
    let secret = portal_secret(here.seed);
    let in_form = said("client_id") == CLIENT && said("client_secret") == secret;
    if said("grant_type") != "client_credentials" {
        return HttpResponse::BadRequest()
            .json(serde_json::json!({"error": "unsupported_grant_type"}));
    }
    if !in_form && !is_basic(&request, CLIENT, &secret) {
        return HttpResponse::Unauthorized().json(serde_json::json!({"error": "invalid_client"}));
    }
    let wanted = Wanted { endpoint: TOKENS, system: System::Portal, token: None };
    answer(&here, wanted, |province, draw, _| {
        let token = province.issue_token(draw);
        let body = serde_json::json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFE,
            "scope": "hoso",
        });
        Ok(Answer { body: body.to_string().into_bytes(), notes: Vec::new() })
    })
    .await
}

async fn dossiers(here: Here, request: HttpRequest, query: Query) -> HttpResponse {
    let Some(token) = bearer(&request).filter(|token| here.is_token_valid(token)) else {
        return unauthorised("Bearer");
    };
    let system = System::Portal;
    let wanted = Wanted { endpoint: 1 + system as u32, system, token: Some(token.to_owned()) };
    let host = request.connection_info().host().to_owned();
    answer(&here, wanted, move |province, draw, faults| {
        let since = compact(query.get("updated_from"));
        let limit = limit(&query, "limit")?;
        let at = resume::<super::Portal>(province, query.get("trang"), since, draw, faults)?;
        let (page, next) = tokened(province, &province.portal, at, limit, (draw, faults));
        // Some versions of the portal write the whole address, some the path.
        let origin = if draw.chance(0.5) { format!("http://{host}") } else { String::new() };
        let link =
            next.map(|token| format!("\"{origin}/portal/api/hoso?limit={limit}&trang={token}\""));
        let mut body = Vec::with_capacity(page.records.len() + 256);
        body.extend_from_slice(br#"{"error_code":"0","message":"","data":["#);
        body.extend_from_slice(&page.records);
        let tail = format!("],\"next\":{}}}", link.as_deref().unwrap_or("null"));
        body.extend_from_slice(tail.as_bytes());
        Ok(Answer { body, notes: page.notes })
    })
    .await
}

/// Reads `yyyyMMddHHmmss`; the beginning of time when absent.
pub(super) fn compact(text: Option<&String>) -> Option<Stamp> {
    let Some(text) = text else { return Some(Stamp(0)) };
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (date, time) = text.split_at(8);
    let iso = format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]);
    let clock = format!("{}:{}:{}", &time[..2], &time[2..4], &time[4..]);
    Stamp::parse(&format!("{iso}T{clock}+07:00"))
}

/// A numbered page of platform A.
async fn platform_a<R: Records + 'static>(
    here: Here,
    request: HttpRequest,
    query: Query,
    stream: fn(&Province) -> &Stream<R>,
) -> HttpResponse {
    if header_text(&request, "x-api-key") != Some(lodging_a::key(here.seed).as_str()) {
        return unauthorised("ApiKey");
    }
    numbered(here, query, stream).await
}

/// The same for whoever has been let in already.
async fn numbered<R: Records + 'static>(
    here: Here,
    query: Query,
    stream: fn(&Province) -> &Stream<R>,
) -> HttpResponse {
    let system = stream(&here).records.system();
    let wanted = Wanted { endpoint: 1 + system as u32, system, token: None };
    answer(&here, wanted, move |province, draw, faults| {
        let since =
            lodging_a::changed_since(query.get("changed_since").map(|text| plus(text)).as_ref());
        let since = since.ok_or("changed_since is not RFC 3339")?;
        let number: usize = query.get("page").map_or(Ok(1), |page| page.parse()).unwrap_or(0);
        if number == 0 {
            return Err("page must be a number from 1".into());
        }
        let fresh = Stream::<R>::pin(since.max(Stamp(0)), province.now(), draw, faults);
        let fresh = Pin { is_numbered: true, ..fresh };
        let pin = province.numbered_run(system, number == 1, fresh);
        let limit = limit(&query, "size")?;
        let ask = Ask { pin, offset: number - 1, limit, is_numbered: true };
        let page = stream(province).page(ask, draw, faults, province.is_noted);
        let body = lodging_a::envelope(&page.records, number, page.pages);
        Ok(Answer { body, notes: page.notes })
    })
    .await
}

/// A plus sign that a client forgot to escape arrives as a space.
pub(super) fn plus(text: &str) -> String {
    text.replace(' ', "+")
}

async fn returns_a(here: Here, request: HttpRequest, query: Query) -> HttpResponse {
    platform_a(here, request, query, |province| &province.returns_a).await
}

/// Platform A's returns for whoever has been let in already.
pub(super) async fn returns_of_a(here: Here, query: Query) -> HttpResponse {
    numbered(here, query, |province| &province.returns_a).await
}

async fn facilities_a(here: Here, request: HttpRequest, query: Query) -> HttpResponse {
    platform_a(here, request, query, |province| &province.facilities_a).await
}

/// A page of platform B.
async fn platform_b<R: Records + 'static>(
    here: Here,
    request: HttpRequest,
    query: Query,
    stream: fn(&Province) -> &Stream<R>,
) -> HttpResponse {
    if !is_basic(&request, lodging_b::USER, &lodging_b::password(here.seed)) {
        return unauthorised("Basic");
    }
    let system = stream(&here).records.system();
    let wanted = Wanted { endpoint: 1 + system as u32, system, token: None };
    answer(&here, wanted, move |province, draw, faults| {
        let since = lodging_b::changed_since(query.get("tuThoiDiem"));
        let limit = limit(&query, "soLuong")?;
        let at = resume::<R>(province, query.get("after"), since, draw, faults)?;
        let (page, next) = tokened(province, stream(province), at, limit, (draw, faults));
        let body = lodging_b::envelope(&page.records, &next.unwrap_or_default());
        Ok(Answer { body, notes: page.notes })
    })
    .await
}

async fn returns_b(here: Here, request: HttpRequest, query: Query) -> HttpResponse {
    platform_b(here, request, query, |province| &province.returns_b).await
}

async fn facilities_b(here: Here, request: HttpRequest, query: Query) -> HttpResponse {
    platform_b(here, request, query, |province| &province.facilities_b).await
}

async fn kiosk_sessions(here: Here, request: HttpRequest, query: Query) -> HttpResponse {
    if bearer(&request) != Some(sessions::token(here.seed).as_str()) {
        return unauthorised("Bearer");
    }
    let system = System::Sessions;
    let wanted = Wanted { endpoint: 1 + system as u32, system, token: None };
    answer(&here, wanted, move |province, draw, faults| {
        let since = query.get("since").map_or(Some(Stamp(0)), |text| Stamp::parse(&plus(text)));
        let limit = limit(&query, "limit")?;
        let at = resume::<super::Sessions>(province, query.get("cursor"), since, draw, faults)?;
        let (page, next) = tokened(province, &province.sessions, at, limit, (draw, faults));
        let body = sessions::envelope(&page.records, next.as_deref());
        Ok(Answer { body, notes: page.notes })
    })
    .await
}

async fn kiosk_status(here: Here, id: web::Path<String>) -> HttpResponse {
    let Some(index) = here.kiosks.iter().position(|kiosk| kiosk.id == *id) else {
        return HttpResponse::NotFound().finish();
    };
    let now = here.now();
    match mood(here.seed, here.fleet, index, now) {
        Mood::Silent => {
            note_silence(&here, index);
            return hang().await;
        }
        Mood::Slow(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
        Mood::Answers => {}
    }
    let endpoint = FIRST_KIOSK + index as u32;
    let wanted = Wanted { endpoint, system: System::Kiosk, token: None };
    answer(&here, wanted, move |province, _, _| {
        let mut body = Vec::new();
        let note = status(province.seed, &province.kiosks[index], index, now, &mut body);
        Ok(Answer { body, notes: if province.is_noted { vec![note] } else { Vec::new() } })
    })
    .await
}

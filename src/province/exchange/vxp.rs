//! The national portal's adapter on a security server: one address that forwards, a login whose
//! session goes into the body of every call, and errors in answers with status 200, that of an
//! expired session too.

use std::sync::PoisonError;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::FIRST;
use crate::model::time::Stamp;
use crate::province::answer::{Answer, Here, Wanted, answer, header_text};
use crate::province::draw::mix;
use crate::province::feed::Pin;
use crate::province::ledger::System;
use crate::province::page::{Ask, PAGE_LIMIT, Stream};
use crate::province::portal::Portal;
use crate::province::serve::{Query, compact};

/// To whom everything is forwarded.
const PROVIDER: &str = "VN:GOV:000.00.00.G22:vpcpdvcprovider";

const USER: &str = "ioc";

/// How many calls a session is good for in a province whose tokens expire.
const CALLS: u32 = 3;

const SESSIONS_KEPT: usize = 16;

/// A session, and how many calls it is still good for; none if it never ends.
#[derive(Debug)]
pub(super) struct Session {
    token: String,
    left: Option<u32>,
}

pub(super) fn password(seed: u64) -> String {
    format!("simulated-vxp-{:016x}", mix(seed, 0x1660))
}

/// Whether the adapter knows where to forward the call.
fn is_addressed(request: &HttpRequest, query: &Query) -> bool {
    let to = query.get("dstcode").map(String::as_str).or(header_text(request, "dstcode"));
    to == Some(PROVIDER) && query.get("providerurl").is_some_and(|url| url.starts_with("http"))
}

fn nowhere() -> HttpResponse {
    HttpResponse::BadRequest().json(json!({"error": "dstcode"}))
}

fn refused(code: &str, message: &str) -> HttpResponse {
    let body = json!({"error_code": code, "message": message, "result": []});
    HttpResponse::Ok().json(body)
}

pub(super) async fn login(
    here: Here,
    request: HttpRequest,
    query: Query,
    body: web::Json<Value>,
) -> HttpResponse {
    if !is_addressed(&request, &query) {
        return nowhere();
    }
    if body["username"] != USER || body["password"] != password(here.seed).as_str() {
        return refused("1", "Sai tài khoản hoặc mật khẩu");
    }
    let wanted = Wanted { endpoint: FIRST + 1, system: System::Portal, token: None };
    let can_expire = here.faults().expire > 0.0;
    answer(&here, wanted, move |province, draw, _| {
        let token = format!("{:016x}", draw.next());
        let left = can_expire.then_some(CALLS);
        let sessions = &province.exchange.sessions;
        let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() == SESSIONS_KEPT {
            sessions.remove(0);
        }
        sessions.push(Session { token: token.clone(), left });
        let body = json!({"error_code": "0", "message": "", "session": token});
        Ok(Answer { body: body.to_string().into_bytes(), notes: Vec::new() })
    })
    .await
}

/// Uses one call of a session; whether there was one.
fn use_session(here: &Here, token: &Value) -> bool {
    let sessions = &here.exchange.sessions;
    let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(session) = sessions.iter_mut().find(|session| *token == session.token.as_str()) else {
        return false;
    };
    match &mut session.left {
        None => true,
        Some(0) => false,
        Some(left) => {
            *left -= 1;
            true
        }
    }
}

pub(super) async fn service(
    here: Here,
    request: HttpRequest,
    query: Query,
    body: web::Json<Value>,
) -> HttpResponse {
    if !is_addressed(&request, &query) {
        return nowhere();
    }
    if !use_session(&here, &body["session"]) {
        return refused("-1", "Phiên làm việc không hợp lệ hoặc đã hết hạn");
    }
    if body["service"] != "TraCuuHoSo" || body["madonvi"] != "000.00.00.H41" {
        return refused("2", "Không có dịch vụ này");
    }
    let wanted = Wanted { endpoint: FIRST + 2, system: System::Portal, token: None };
    answer(&here, wanted, move |province, draw, faults| {
        let since = match body["tungay"].as_str() {
            None | Some("") => Stamp(0),
            Some(text) => compact(Some(&text.to_owned())).ok_or("tungay không hợp lệ")?,
        };
        let number = body["trang"].as_u64().filter(|number| *number > 0).ok_or("trang")? as usize;
        let limit = body["soluong"].as_u64().map_or(PAGE_LIMIT, |limit| limit as usize);
        let fresh = Stream::<Portal>::pin(since, province.now(), draw, faults);
        let fresh = Pin { is_numbered: true, ..fresh };
        let pin = province.numbered_run(System::Portal, number == 1, fresh);
        let ask = Ask { pin, offset: number - 1, limit, is_numbered: true };
        let page = province.portal.page(ask, draw, faults, province.is_noted);
        let mut body = br#"{"error_code":"0","message":"","result":["#.to_vec();
        body.extend_from_slice(&page.records);
        body.extend_from_slice(b"]}");
        Ok(Answer { body, notes: page.notes })
    })
    .await
}

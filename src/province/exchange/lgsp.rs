//! LGSP: a token for client credentials, and a second proof in a header of its own on the call for
//! the token and on every other.

use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;

use super::FIRST;
use crate::province::answer::{
    Answer, Here, Wanted, answer, base64, bearer, header_text, unauthorised,
};
use crate::province::draw::mix;
use crate::province::ledger::System;
use crate::province::portal::Portal;
use crate::province::serve::{Query, compact, limit, portal_token, resume, tokened};

/// What `lgspaccesstoken` holds: who asks, and for whom, in Base64.
pub(super) fn access(seed: u64) -> String {
    let key = format!("{:016x}", mix(seed, 0x1659));
    let text = serde_json::json!({
        "AccessKey": "ioc", "SecretKey": format!("simulated-lgsp-{key}"), "AppName": "IOC",
        "PartnerCode": "000.00.00.H41", "PartnerCodeCus": "000.00.00.H41",
    });
    base64(text.to_string().as_bytes())
}

/// Whether the second proof is there.
pub(super) fn is_let_in(here: &Here, request: &HttpRequest) -> bool {
    header_text(request, "lgspaccesstoken") == Some(access(here.seed).as_str())
}

pub(super) async fn token(here: Here, request: HttpRequest, body: Bytes) -> HttpResponse {
    if !is_let_in(&here, &request) {
        return unauthorised("lgspaccesstoken");
    }
    portal_token(here, request, body).await
}

pub(super) async fn dossiers(here: Here, request: HttpRequest, query: Query) -> HttpResponse {
    let token = bearer(&request).filter(|token| here.is_token_valid(token)).map(str::to_owned);
    let Some(token) = token.filter(|_| is_let_in(&here, &request)) else {
        return unauthorised("Bearer");
    };
    let wanted = Wanted { endpoint: FIRST, system: System::Portal, token: Some(token) };
    answer(&here, wanted, move |province, draw, faults| {
        let since = compact(query.get("updated_from"));
        let limit = limit(&query, "limit")?;
        let at = resume::<Portal>(province, query.get("trang"), since, draw, faults)?;
        let (page, next) = tokened(province, &province.portal, at, limit, (draw, faults));
        let mut body = br#"{"error_code":"0","message":"","data":["#.to_vec();
        body.extend_from_slice(&page.records);
        let next = next.map_or("null".to_owned(), |token| format!("\"{token}\""));
        body.extend_from_slice(format!("],\"trang\":{next}}}").as_bytes());
        Ok(Answer { body, notes: page.notes })
    })
    .await
}

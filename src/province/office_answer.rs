//! How the smaller systems answer: one handler, led by each one's table.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web};

use super::answer::{
    Answer, Here, Wanted, answer, answer_as, bearer, header_text, is_basic, unauthorised,
};
use super::draw::Draw;
use super::faults::Faults;
use super::feed::Pin;
use super::offices::{Guard, Host, Office, Paging, Shelf};
use super::page::{Ask, Stream};
use super::serve::{compact, limit, plus, resume, tokened};
use super::token::{CLIENT, TOKEN_LIFE};
use super::write::Moment;
use super::{Province, lodging_b};
use crate::model::time::{Day, Stamp};

/// The gate number of the token endpoints of smaller systems.
const TOKENS: u32 = 99;

type Query = web::Query<HashMap<String, String>>;

/// Answers whatever no big system has taken.
pub(super) async fn office(here: Here, request: HttpRequest, query: Query) -> HttpResponse {
    let path = request.path();
    let of = |stream: &&Stream<Shelf>| path == address(stream.records.office);
    let Some(place) = here.offices.iter().position(|stream| of(&stream)) else {
        return HttpResponse::NotFound().finish();
    };
    let office = here.offices[place].records.office;
    if let Some(refusal) = refusal(&here, office.host, &request, &query) {
        return refusal;
    }
    let system = office.system;
    let wanted = Wanted { endpoint: 1 + system as u32, system, token: None };
    answer_as(&here, wanted, office.wire.content_type(), move |province, draw, faults| match office
        .paging
    {
        Paging::Numbers(name) => numbered(province, place, &query, name, (draw, faults)),
        Paging::Tokens(name) => followed(province, place, &query, name, (draw, faults)),
        Paging::Links => followed(province, place, &query, "trang", (draw, faults)),
        Paging::Whole => followed(province, place, &query, "", (draw, faults)),
    })
    .await
}

/// Where a stream is found.
pub(super) fn address(office: &Office) -> String {
    format!("/{}{}", office.host.path, office.path)
}

fn refusal(
    here: &Province,
    host: &Host,
    request: &HttpRequest,
    query: &Query,
) -> Option<HttpResponse> {
    let secret = host.secret(here.seed);
    let (is_known, scheme) = match host.guard {
        Guard::Open => (true, ""),
        Guard::Key(header) => (header_text(request, header) == Some(secret.as_str()), "ApiKey"),
        Guard::Bearer => (bearer(request) == Some(secret.as_str()), "Bearer"),
        Guard::Token(_) => (bearer(request).is_some_and(|it| here.is_token_valid(it)), "Bearer"),
        Guard::Parameter(name) => (query.get(name) == Some(&secret), "ApiKey"),
        Guard::Basic => (is_basic(request, CLIENT, &secret), "Basic"),
    };
    (!is_known).then(|| unauthorised(scheme))
}

/// Since when a run asks; the beginning of time when it does not say.
fn since(office: &Office, query: &Query) -> Result<Stamp, String> {
    let (name, shape) = office.since;
    let text = query.get(name);
    let read = match shape {
        Moment::Compact => compact(text),
        Moment::Vietnamese => lodging_b::changed_since(text),
        _ => text.map_or(Some(Stamp(0)), |text| match shape {
            Moment::Unix => text.parse().ok().map(Stamp),
            Moment::IsoDay => Day::parse(text).map(Day::start),
            Moment::Sortable => Stamp::parse(&format!("{}+07:00", text.replace(' ', "T"))),
            _ => Stamp::parse(&plus(text)),
        }),
    };
    read.map(|at| at.max(Stamp(0))).ok_or_else(|| format!("{name} không hợp lệ"))
}

fn numbered(
    province: &Province,
    place: usize,
    query: &Query,
    name: &str,
    (draw, faults): (&mut Draw, &Faults),
) -> Result<Answer, String> {
    let stream = &province.offices[place];
    let office = stream.records.office;
    let number: usize = query.get(name).map_or(Ok(1), |page| page.parse()).unwrap_or(0);
    if number == 0 {
        return Err(format!("{name} phải là số từ 1"));
    }
    let fresh = Stream::<Shelf>::pin(since(office, query)?, province.now(), draw, faults);
    let fresh = Pin { is_numbered: true, ..fresh };
    let pin = province.numbered_run(office.system, number == 1, fresh);
    let limit = limit(query, office.size)?;
    let ask = Ask { pin, offset: number - 1, limit, is_numbered: true };
    let page = stream.page(ask, draw, faults, province.is_noted);
    let body = office.wire.page(office.columns, &page.records, "", page.pages);
    Ok(Answer { body, notes: page.notes })
}

/// A page after which the next one is named: by a token, by its address, or not at all.
fn followed(
    province: &Province,
    place: usize,
    query: &Query,
    name: &str,
    (draw, faults): (&mut Draw, &Faults),
) -> Result<Answer, String> {
    let stream = &province.offices[place];
    let office = stream.records.office;
    let since = since(office, query)?;
    let limit = limit(query, office.size)?;
    // What is one page stays one, however the system feels today.
    let calm = Faults { resplit: 0.0, repeat_page: 0.0, ..*faults };
    let faults = if office.paging == Paging::Whole { &calm } else { faults };
    let at = resume::<Shelf>(province, query.get(name), Some(since), draw, faults)?;
    let (page, next) = tokened(province, stream, at, limit, (draw, faults));
    let next = match office.paging {
        Paging::Links => {
            next.map(|token| format!("{}?{}={limit}&{name}={token}", address(office), office.size))
        }
        _ => next,
    };
    let body =
        office.wire.page(office.columns, &page.records, &next.unwrap_or_default(), page.pages);
    Ok(Answer { body, notes: page.notes })
}

/// Issues a token to the client that proves itself by HTTP basic authentication.
pub(super) async fn office_token(here: Here, request: HttpRequest) -> HttpResponse {
    let issues = |host: &Host| match host.guard {
        Guard::Token(path) => request.path() == format!("/{}{path}", host.path),
        _ => false,
    };
    let office = here.offices.iter().map(|stream| stream.records.office);
    let Some(office) = office.into_iter().find(|office| issues(office.host)) else {
        return HttpResponse::NotFound().finish();
    };
    if !is_basic(&request, CLIENT, &office.host.secret(here.seed)) {
        return HttpResponse::Unauthorized().json(serde_json::json!({"error": "invalid_client"}));
    }
    let wanted = Wanted { endpoint: TOKENS, system: office.system, token: None };
    answer(&here, wanted, |province, draw, _| {
        let token = province.issue_token(draw);
        let body = serde_json::json!({
            "access_token": token,
            "token_type": "bearer",
            "expires_in": TOKEN_LIFE,
        });
        Ok(Answer { body: body.to_string().into_bytes(), notes: Vec::new() })
    })
    .await
}

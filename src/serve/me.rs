//! `/v1/me`: who asks, as the gateway sees it: the first thing to look at when something is refused.

use actix_web::{HttpRequest, HttpResponse};
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::context::{Current, Question};
use super::respond;
use crate::model::access::Scope;
use crate::model::audience::Audience;
use crate::model::time::Stamp;

/// Who asks, and what they may.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Me")]
pub(super) struct Body<'a> {
    /// The id of the key that was shown; null for those who showed none.
    key: Option<&'a str>,
    /// When the key opens nothing any more.
    expires: Option<Stamp>,
    /// What may be done.
    scopes: Vec<Scope>,
    /// For whom figures are told.
    audience: Audience,
    /// Codes of the communes that may be read of; null is all, and the province.
    areas: Option<Vec<&'a str>>,
    /// Ids of the accountable units whose indicators and sources are shown; null is all.
    units: Option<Vec<&'a str>>,
}

/// `GET /v1/me`: open to whoever may do anything at all.
pub(super) async fn me(request: HttpRequest, context: Current) -> HttpResponse {
    let reader = &context.reader;
    let reach = &reader.grant.reach;
    let body = Body {
        key: reader.key.as_deref(),
        expires: reader.expires,
        scopes: reader.grant.scopes.iter().copied().collect(),
        audience: reach.audience,
        areas: reach.areas.as_ref().map(|all| all.iter().map(String::as_str).collect()),
        units: reach.units.as_ref().map(|all| all.iter().map(String::as_str).collect()),
    };
    let answer = Question::of(&request).query().and_then(|_| Answer::json(&body));
    respond(&request, answer.map(Answer::unkept))
}

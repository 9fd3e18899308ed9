//! `/v1/webhooks`: addresses to which the gateway tells by itself that something has changed.
//!
//! A webhook belongs to the key that made it: nobody else changes it, it hears of no more than that key may
//! read, and it is told nothing more when that key is over. Whoever has `admin` sees all of them and may
//! delete them, for those of a key that is over have no owner any more. Its
//! secret is shown when it is made or renewed, and never again. What is told, and to whom, is decided in
//! `telling`; handing it over is `notify`'s work.

pub(super) mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use telling::tell_webhooks;

use super::answer::Answer;
use super::context::{Asked, Current, Question};
use super::custody::{Pending, bad, object, said};
use super::error::ApiError;
use super::events::PROVINCE;
use super::place::all_of_today;
use super::respond;
use super::table::Columns;
use crate::model::access::Scope;
use crate::model::audit::{Action, Deed};
use crate::model::nearest::nearest;
use crate::model::time::{DAY, Stamp};
use crate::model::webhook::{
    Change, Changed, Disabled, Progress, Secret, Subscription, Telling, Topic, Trial, Webhook,
};

/// How long the secret before signs too.
const OVERLAP: i64 = DAY;

/// Keeps webhooks and hands over what they are told. What is marked so reads from the disk: it is called
/// on a thread that may block.
pub trait Hooks: Send + Sync {
    /// All webhooks, by id; reads.
    fn list(&self) -> Result<Vec<Webhook>, String>;

    /// The marks of all that has been told; reads.
    fn told(&self) -> Result<BTreeMap<String, Vec<u8>>, String>;

    /// Notes what is told from now on, with the messages about it.
    fn tell(&self, telling: Telling) -> Pending<()>;

    /// How often is looked for changes.
    fn every(&self) -> Duration;

    /// Whether something may be sent to an address; why not, in words that do not repeat it.
    fn admits(&self, url: &str) -> Result<(), String>;

    /// An id that no other webhook has.
    fn new_id(&self) -> Result<String, String>;

    /// The secret of a webhook, and the mark of the key that it is made from; `None` without such a key.
    fn secret(&self, id: &str, generation: u32) -> Option<(String, u32)>;

    /// Changes a webhook and writes down who did, in the same transaction.
    fn change(&self, id: String, change: Change, deed: Deed) -> Pending<Changed>;

    /// Sends a message for a trial, and writes down who did.
    fn try_out(&self, webhook: Webhook, deed: Deed) -> Pending<Trial>;
}

/// The body of a new webhook.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewWebhook")]
pub(super) struct New {
    /// What it is for: a system or a position, never a person.
    #[schemars(regex(pattern = r"\S"), length(min = 1, max = 100))]
    name: String,
    /// Where it is told.
    #[schemars(regex(pattern = "^https?://"), length(max = 2048))]
    url: String,
    /// What it wants to hear of.
    #[schemars(length(min = 1))]
    topics: BTreeSet<Topic>,
    /// Of which indicators; of all that the key may read if it is empty.
    #[serde(default)]
    indicators: BTreeSet<String>,
    /// Of which areas, `province` or codes of communes; of all that the key may read if it is empty.
    #[serde(default)]
    areas: BTreeSet<String>,
}

/// The body of a change; what is left out stays as it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WebhookChange")]
pub(super) struct Amended {
    name: Option<String>,
    url: Option<String>,
    topics: Option<BTreeSet<Topic>>,
    indicators: Option<BTreeSet<String>>,
    areas: Option<BTreeSet<String>>,
    /// Whether it is told anything.
    enabled: Option<bool>,
}

/// A body in which nothing stands.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Nothing")]
pub(super) struct Nothing {}

/// Whether it is told, in a word.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "WebhookState")]
enum State {
    /// The last message was taken, or none was sent yet.
    Active,
    /// The last attempt failed; it is tried again.
    Failing,
    /// Nothing is sent.
    Disabled,
}

/// A webhook as its owner sees it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Webhook")]
pub(super) struct Item {
    id: String,
    name: String,
    url: String,
    /// The id of the key that it belongs to.
    key: String,
    topics: BTreeSet<Topic>,
    /// Null is all that the key may read.
    indicators: Option<BTreeSet<String>>,
    /// Null is all that the key may read.
    areas: Option<BTreeSet<String>>,
    state: State,
    disabled_why: Option<Disabled>,
    disabled_at: Option<Stamp>,
    created_at: Stamp,
    /// Messages that wait.
    waiting: u64,
    /// Attempts that have failed in a row.
    failures: u32,
    failing_since: Option<Stamp>,
    next_attempt_at: Option<Stamp>,
    last_success_at: Option<Stamp>,
    last_error: Option<String>,
    /// Until when the secret before signs too.
    previous_secret_until: Option<Stamp>,
    /// What its receiver verifies signatures with (Standard Webhooks 1.0); told when it is made, and never
    /// again.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Webhooks")]
pub(super) struct List {
    items: Vec<Item>,
}

/// What was deleted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookDeleted")]
pub(super) struct Deleted {
    id: String,
    deleted: bool,
}

/// The columns of the list as a table.
const COLUMNS: Columns = &[
    ("id", "/id"),
    ("name", "/name"),
    ("url", "/url"),
    ("key", "/key"),
    ("state", "/state"),
    ("disabled_why", "/disabled_why"),
    ("waiting", "/waiting"),
    ("failures", "/failures"),
    ("last_success_at", "/last_success_at"),
    ("last_error", "/last_error"),
    ("created_at", "/created_at"),
];

impl From<Webhook> for Item {
    fn from(webhook: Webhook) -> Self {
        let Webhook { id, owner, url, name, wants, created, secret, disabled, progress } = webhook;
        let Subscription { topics, indicators, areas } = wants;
        let state = match (disabled, progress.failures) {
            (Some(_), _) => State::Disabled,
            (None, 0) => State::Active,
            (None, _) => State::Failing,
        };
        let (disabled_at, disabled_why) = disabled.unzip();
        Self {
            id,
            name,
            url,
            key: owner,
            topics,
            indicators,
            areas,
            state,
            disabled_why,
            disabled_at,
            created_at: created,
            waiting: progress.waiting,
            failures: progress.failures,
            failing_since: progress.failing_since,
            next_attempt_at: progress.next_attempt,
            last_success_at: progress.last_success,
            last_error: progress.last_error,
            previous_secret_until: secret.previous_until,
            secret: None,
        }
    }
}

/// `GET /v1/webhooks`.
pub(super) async fn list(request: HttpRequest, context: Current) -> HttpResponse {
    let question = Question::of(&request);
    let work = async {
        let asked = Asked::new(&question, &context);
        asked.query()?;
        let items = seen(&context).await?.into_iter().map(Item::from).collect();
        asked.listed(&List { items }, COLUMNS, "webhooks").map(Answer::unkept)
    };
    let answer = work.await;
    respond(&request, answer)
}

/// `GET /v1/webhooks/{id}`.
pub(super) async fn one(request: HttpRequest, context: Current) -> HttpResponse {
    let question = Question::of(&request);
    let work = async {
        question.query()?;
        let webhook = named(&request, seen(&context).await?)?;
        Answer::json(&Item::from(webhook)).map(Answer::unkept)
    };
    let answer = work.await;
    respond(&request, answer)
}

/// `POST /v1/webhooks`.
pub(super) async fn create(
    request: HttpRequest,
    context: Current,
    body: web::Payload,
) -> HttpResponse {
    let work = async {
        super::query::Query::read(request.query_string(), &[])?;
        let owner = owner(&context)?;
        let New { name, url, topics, indicators, areas } = object(&request, body).await?;
        let name = said("name", &name, 100)?;
        admitted(&context, &url)?;
        let wants = wishes(&context, (topics, indicators, areas))?;
        let hooks = &context.hooks;
        let id = hooks.new_id().map_err(ApiError::Internal)?;
        let (secret, mark) = hooks.secret(&id, 1).ok_or(ApiError::NoWebhookKey)?;
        let webhook = Webhook {
            id: id.clone(),
            owner,
            url,
            name,
            wants,
            created: context.clock.now(),
            secret: Secret { generation: 1, previous_until: None, mark },
            disabled: None,
            progress: Progress::default(),
        };
        let detail = format!("{} for {}", webhook.host(), webhook.name);
        let deed = Deed::new(context.actor(), Action::WebhookCreated, &id, &detail);
        carry_out(&context, &id, Change::Create(Box::new(webhook.clone())), deed).await?;
        Ok(Item { secret: Some(secret), ..webhook.into() })
    };
    done(&request, StatusCode::CREATED, work.await)
}

/// `PATCH /v1/webhooks/{id}`.
pub(super) async fn amend(
    request: HttpRequest,
    context: Current,
    body: web::Payload,
) -> HttpResponse {
    let work = async {
        let webhook = own(&request, &context).await?;
        let Amended { name, url, topics, indicators, areas, enabled } =
            object(&request, body).await?;
        let is_described = name.is_some()
            || url.is_some()
            || topics.is_some()
            || indicators.is_some()
            || areas.is_some();
        if is_described {
            let name =
                name.map_or_else(|| Ok(webhook.name.clone()), |it| said("name", &it, 100))?;
            let url = url.unwrap_or_else(|| webhook.url.clone());
            admitted(&context, &url)?;
            let before = webhook.wants.clone();
            let topics = topics.unwrap_or(before.topics);
            let indicators = indicators.or(before.indicators).unwrap_or_default();
            let areas = areas.or(before.areas).unwrap_or_default();
            let wants = wishes(&context, (topics, indicators, areas))?;
            let change = Change::Describe { url, name, wants };
            let deed = changing(&context, &webhook, "described anew");
            carry_out(&context, &webhook.id, change, deed).await?;
        }
        if let Some(enabled) = enabled {
            let deed = changing(&context, &webhook, if enabled { "enabled" } else { "disabled" });
            carry_out(&context, &webhook.id, Change::Enable(enabled), deed).await?;
        }
        let webhook = named(&request, seen(&context).await?)?;
        Ok(Item::from(webhook))
    };
    done(&request, StatusCode::OK, work.await)
}

/// `DELETE /v1/webhooks/{id}`.
pub(super) async fn delete(request: HttpRequest, context: Current) -> HttpResponse {
    let work = async {
        super::query::Query::read(request.query_string(), &[])?;
        owner(&context)?;
        let webhook = named(&request, seen(&context).await?)?;
        let deed = Deed::new(context.actor(), Action::WebhookDeleted, &webhook.id, webhook.host());
        carry_out(&context, &webhook.id, Change::Delete, deed).await?;
        Ok(Deleted { id: webhook.id, deleted: true })
    };
    done(&request, StatusCode::OK, work.await)
}

/// `POST /v1/webhooks/{id}/secrets`: another one, beside which the one before signs for a day.
pub(super) async fn renew(
    request: HttpRequest,
    context: Current,
    body: web::Payload,
) -> HttpResponse {
    let work = async {
        let mut webhook = own(&request, &context).await?;
        let Nothing {} = object(&request, body).await?;
        let generation = webhook.secret.generation + 1;
        let made = context.hooks.secret(&webhook.id, generation);
        let (secret, mark) = made.ok_or(ApiError::NoWebhookKey)?;
        // One that was made from another key cannot sign any more.
        let is_known = webhook.secret.mark == mark;
        let until = Stamp(context.clock.now().0 + OVERLAP);
        let renewed = Secret { generation, previous_until: is_known.then_some(until), mark };
        let deed = changing(&context, &webhook, "its secret was renewed");
        carry_out(&context, &webhook.id, Change::Renew(renewed), deed).await?;
        webhook.secret = renewed;
        Ok(Item { secret: Some(secret), ..webhook.into() })
    };
    done(&request, StatusCode::CREATED, work.await)
}

/// `POST /v1/webhooks/{id}/tests`: sends a message for a trial, and tells how it went.
pub(super) async fn test(
    request: HttpRequest,
    context: Current,
    body: web::Payload,
) -> HttpResponse {
    let work = async {
        let webhook = own(&request, &context).await?;
        let Nothing {} = object(&request, body).await?;
        let deed = Deed::new(context.actor(), Action::WebhookTested, &webhook.id, webhook.host());
        context.hooks.try_out(webhook, deed).await.map_err(ApiError::Internal)
    };
    done(&request, StatusCode::OK, work.await)
}

/// The webhooks that the reader may see.
async fn seen(context: &Current) -> Result<Vec<Webhook>, ApiError> {
    let hooks = context.hooks.clone();
    let all = web::block(move || hooks.list()).await;
    let all = all.map_err(|error| ApiError::Internal(error.to_string()))?;
    let (key, sees_all) = (context.reader.key.clone(), context.reader.may(Scope::Admin));
    let mut all = all.map_err(ApiError::Internal)?;
    all.retain(|webhook| sees_all || Some(&webhook.owner) == key.as_ref());
    Ok(all)
}

/// The one that the address names.
fn named(request: &HttpRequest, webhooks: Vec<Webhook>) -> Result<Webhook, ApiError> {
    let id = request.match_info().query("id");
    let found = webhooks.into_iter().find(|webhook| webhook.id == id);
    found.ok_or_else(|| ApiError::UnknownWebhook(id.to_owned()))
}

/// The key to which a webhook belongs.
fn owner(context: &Current) -> Result<String, ApiError> {
    context.reader.key.clone().ok_or(ApiError::Denied(super::access::Denied::Missing))
}

/// The one that the address names, if it is the reader's own.
async fn own(request: &HttpRequest, context: &Current) -> Result<Webhook, ApiError> {
    super::query::Query::read(request.query_string(), &[])?;
    let owner = owner(context)?;
    let webhook = named(request, seen(context).await?)?;
    if webhook.owner != owner {
        let detail = "The webhook belongs to another key, and only that one changes it. A key that \
                      is revoked takes its webhooks along.";
        return Err(ApiError::BeyondReach(detail.to_owned()));
    }
    Ok(webhook)
}

fn changing(context: &Current, webhook: &Webhook, detail: &str) -> Deed {
    Deed::new(context.actor(), Action::WebhookChanged, &webhook.id, detail)
}

fn admitted(context: &Current, url: &str) -> Result<(), ApiError> {
    context.hooks.admits(url).map_err(|why| bad(&format!("'url' is not taken: {why}.")))
}

/// What is wished for, if it exists and the key may read of it.
fn wishes(
    context: &Current,
    (topics, indicators, areas): (BTreeSet<Topic>, BTreeSet<String>, BTreeSet<String>),
) -> Result<Subscription, ApiError> {
    if topics.is_empty() {
        let all = [Topic::Indicators, Topic::Sources].map(Topic::as_str).join(", ");
        return Err(bad(&format!("'topics' names at least one of: {all}.")));
    }
    for scope in topics.iter().map(|topic| telling::scope(*topic)) {
        if !context.reader.may(scope) {
            return Err(ApiError::ScopeMissing(scope.as_str().to_owned()));
        }
    }
    let catalogue = &context.definitions.catalogue;
    for id in &indicators {
        if catalogue.get(id).is_none() {
            let near = nearest(id, catalogue.iter().map(|known| known.id.as_str()));
            let near = near.map_or_else(String::new, |near| format!(" Did you mean '{near}'?"));
            let id = super::error::brief(id);
            return Err(bad(&format!("'indicators' names '{id}', which there is not.{near}")));
        }
    }
    let question = Question::default();
    let asked = Asked::new(&question, context);
    let world = asked.world();
    let codes: Vec<&str> = all_of_today(&world).iter().map(|place| place.code(&world)).collect();
    for area in &areas {
        if area == PROVINCE && world.within.is_some() {
            let detail = "The key reads some communes only, and the province is more than that.";
            return Err(ApiError::BeyondReach(detail.to_owned()));
        }
        if area != PROVINCE && !codes.contains(&area.as_str()) {
            let area = super::error::brief(area);
            let detail = "one is `province` or a code of /v1/dimensions/area/values";
            return Err(bad(&format!(
                "'areas' names '{area}', which is none of today's: {detail}."
            )));
        }
    }
    let some = |all: BTreeSet<String>| (!all.is_empty()).then_some(all);
    Ok(Subscription { topics, indicators: some(indicators), areas: some(areas) })
}

async fn carry_out(
    context: &Current,
    id: &str,
    change: Change,
    deed: Deed,
) -> Result<(), ApiError> {
    let changed = context.hooks.change(id.to_owned(), change, deed);
    match changed.await.map_err(ApiError::Internal)? {
        Changed::Done => Ok(()),
        Changed::Unknown => Err(ApiError::UnknownWebhook(id.to_owned())),
        Changed::TooMany => Err(ApiError::TooManyWebhooks),
    }
}

fn done<T: Serialize>(
    request: &HttpRequest,
    status: StatusCode,
    result: Result<T, ApiError>,
) -> HttpResponse {
    match result {
        Ok(body) => HttpResponse::build(status)
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .json(body),
        Err(error) => error.response(request),
    }
}

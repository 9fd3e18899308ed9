//! The table of all addresses: what each is for, what it takes, what it answers, who answers it.
//!
//! Everything that must agree is made from it: the server's routes, which methods are allowed, the
//! parameters that a handler may read, what a misspelt address is told, the OpenAPI document and the
//! page at `/docs`. An address that is not in the table is not served, and one that is, is described.
//! A further address is one entry here and its handler.

mod deliveries;
pub(super) mod door;
mod house;
pub(super) mod parameter;
mod prometheus;
mod readings;
mod sources;
mod trackers;
mod units;
mod webhooks;

use std::future::ready;

use actix_web::dev::HttpServiceFactory;
use actix_web::guard::fn_guard;
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, web};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use self::door::Door;
use self::parameter::{BOM, Both, DRAWING_FORMAT, FORMAT, Parameter, Place};
use super::access::{Needs, admit};
use super::answer::Answer;
use super::context::{Asked, Current, Question};
use super::error::{
    ApiError, BAD_BODY, BAD_IDEMPOTENCY_KEY, BAD_PARAMETER, BEYOND_REACH, BODY_NOT_ACCEPTED,
    IDEMPOTENCY_KEY_TAKEN, INTERNAL, KEY_NEEDED, KEY_REFUSED, Kind, MEDIA_TYPE, NO_VINTAGE,
    NOT_ACCEPTABLE, NOT_YET, SCOPE_MISSING, TOO_OFTEN, UNKNOWN_PARAMETER, URL_TOO_LONG,
    VINTAGE_COMPACTED,
};
use super::guard::has_body;
use super::link::Base;
use super::past::{self, Reader};
use super::prometheus as promql;
use super::repeats::{self, once};
use super::{Offers, respond};
use crate::model::nearest::nearest;

/// The longest path that a suggestion repeats, in bytes.
const REPEATED: usize = 256;

/// One address with everything that may be done with it.
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) operations: &'static [Operation],
}

/// What may be done with an address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// Read it, which includes HEAD.
    Read,
    Post,
    Patch,
    Delete,
}

/// What belongs together in the reference.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Readings,
    Sources,
    Units,
    Trackers,
    Quarantine,
    Deliveries,
    Webhooks,
    Prometheus,
    House,
    Pages,
}

/// Makes the schema of a body.
pub(super) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// What an answer holds.
#[derive(Clone, Copy)]
pub(super) enum Content {
    /// A JSON object.
    Json(Shape),
    /// Rows under `items`, which may be asked for as a table too.
    Listed(Shape),
    /// A JSON object, which may be asked for as a drawing too.
    Drawn(Shape),
    /// A JSON object that maps understand.
    Map(Shape),
    /// A text of this media type.
    Text(&'static str),
}

/// What a request brings.
#[derive(Clone, Copy)]
pub(super) enum Body {
    /// A JSON object.
    Json(Shape),
    /// The parameters of the address, as a form.
    Form,
    /// What the source's format says.
    Delivery,
}

/// Who answers.
#[derive(Clone, Copy)]
pub(super) enum Serves {
    /// A plain function, which must not block.
    Quickly(Reader),
    /// The same where `as_of=` may be asked: with it, the function runs where it may block.
    Dated(Reader),
    /// The same where an answer about the present follows from the snapshot, the configuration and the
    /// minute alone, so that it may be kept and sent again.
    Kept(Reader),
    /// A function that always runs where it may block.
    Blocking(Reader),
    /// The same, with parameters from the address or from a form.
    Form(Reader),
    /// A handler of its own.
    Own(fn() -> actix_web::Route),
}

/// One thing that can be asked of the gateway.
pub(super) struct Operation {
    /// Its name in clients that are made from the document: it never changes.
    pub(super) id: &'static str,
    pub(super) verb: Verb,
    pub(super) tag: Tag,
    /// Who may pass.
    pub(super) door: Door,
    pub(super) title: Both,
    /// More about it; may be empty.
    pub(super) says: Both,
    parameters: &'static [&'static Parameter],
    pub(super) body: Option<Body>,
    pub(super) status: u16,
    pub(super) content: Content,
    /// Whether a client may keep the answer and ask whether it changed.
    pub(super) is_kept: bool,
    refusals: &'static [&'static Kind],
    serves: Serves,
}

/// The schema of a type.
pub(super) fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl Operation {
    const fn read(
        id: &'static str,
        tag: Tag,
        door: Door,
        serves: Serves,
        content: Content,
    ) -> Self {
        Self {
            door,
            id,
            verb: Verb::Read,
            tag,
            title: ("", ""),
            says: ("", ""),
            parameters: &[],
            body: None,
            status: 200,
            content,
            is_kept: true,
            refusals: &[],
            serves,
        }
    }

    /// Something that is sent rather than read.
    const fn sent(self, verb: Verb, body: Body) -> Self {
        Self { verb, body: Some(body), ..self }
    }

    /// Something that is done, with nothing to say about it.
    const fn done(self, verb: Verb) -> Self {
        Self { verb, is_kept: false, ..self }
    }

    const fn called(self, vi: &'static str, en: &'static str) -> Self {
        Self { title: (vi, en), ..self }
    }

    const fn saying(self, vi: &'static str, en: &'static str) -> Self {
        Self { says: (vi, en), ..self }
    }

    const fn taking(self, parameters: &'static [&'static Parameter]) -> Self {
        Self { parameters, ..self }
    }

    const fn refusing(self, refusals: &'static [&'static Kind]) -> Self {
        Self { refusals, ..self }
    }

    const fn answering(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// What is true only now.
    const fn unkept(self) -> Self {
        Self { is_kept: false, ..self }
    }

    /// Its parameters; what is listed takes a format.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &'static Parameter> {
        let format: &[&'static Parameter] = match self.content {
            Content::Listed(_) => &[&FORMAT, &BOM],
            Content::Drawn(_) => &[&DRAWING_FORMAT],
            Content::Json(_) | Content::Map(_) | Content::Text(_) => &[],
        };
        self.parameters.iter().chain(format).copied()
    }

    /// The names that may stand in the query.
    pub(super) fn names(&self) -> Vec<&'static str> {
        let query = self.parameters().filter(|parameter| parameter.place == Place::Query);
        query.map(|parameter| parameter.name).collect()
    }

    /// Every refusal that may be met, each once.
    pub(super) fn refusals(&self) -> Vec<&'static Kind> {
        let is_read = self.verb == Verb::Read;
        // Prometheus' clients send what other servers know: unknown parameters are passed over.
        let is_strict = self.tag != Tag::Prometheus || matches!(self.serves, Serves::Quickly(_));
        let chosen = self.parameters().any(|parameter| parameter.place == Place::Query);
        let is_written = matches!(self.body, Some(Body::Json(_)));
        let needs_key = matches!(self.door.needs, Needs::Scopes(_));
        let usual: [(bool, &[&'static Kind]); 9] = [
            (is_strict, &[&UNKNOWN_PARAMETER]),
            (is_strict && chosen, &[&BAD_PARAMETER]),
            (self.negotiates(), &[&NOT_ACCEPTABLE]),
            (self.takes("as_of"), &[&NO_VINTAGE, &NOT_YET, &VINTAGE_COMPACTED]),
            (is_read, &[&BODY_NOT_ACCEPTED]),
            (is_written, &[&MEDIA_TYPE, &BAD_BODY]),
            (self.is_repeatable(), &[&BAD_IDEMPOTENCY_KEY, &IDEMPOTENCY_KEY_TAKEN]),
            (needs_key, &[&KEY_NEEDED, &KEY_REFUSED, &SCOPE_MISSING, &BEYOND_REACH, &TOO_OFTEN]),
            (true, &[&URL_TOO_LONG, &INTERNAL]),
        ];
        let usual = usual.into_iter().filter(|(holds, _)| *holds).flat_map(|(_, kinds)| kinds);
        let mut all: Vec<&'static Kind> = self.refusals.iter().chain(usual).copied().collect();
        all.sort_by_key(|kind| (kind.status, kind.code));
        all.dedup_by_key(|kind| kind.code);
        all
    }

    /// Whether it has a parameter of this name.
    fn takes(&self, name: &str) -> bool {
        self.parameters.iter().any(|parameter| parameter.name == name)
    }

    /// Whether it is carried out once however often it is sent. Deliveries see to that themselves.
    pub(super) fn is_repeatable(&self) -> bool {
        matches!(self.body, Some(Body::Json(_))) && self.takes(repeats::NAME)
    }

    /// Whether the client may choose, or miss, what it takes.
    pub(super) fn negotiates(&self) -> bool {
        let is_ours = self.tag != Tag::Prometheus && self.verb == Verb::Read;
        is_ours && !matches!(self.content, Content::Text(_))
    }

    fn methods(&self) -> &'static [Method] {
        match self.verb {
            Verb::Read => &[Method::GET, Method::HEAD],
            Verb::Post => &[Method::POST],
            Verb::Patch => &[Method::PATCH],
            Verb::Delete => &[Method::DELETE],
        }
    }

    /// The way of a method to the handler; what is read goes no further with a body.
    fn way(&self, method: &Method) -> actix_web::Route {
        let way = self.handler().method(method.clone());
        match self.verb {
            Verb::Read => way.guard(fn_guard(|request| !has_body(request.head().headers()))),
            Verb::Post | Verb::Patch | Verb::Delete => way,
        }
    }

    fn handler(&self) -> actix_web::Route {
        match self.serves {
            Serves::Quickly(reader) => web::to(move |request: HttpRequest, context: Current| {
                let question = Question::of(&request);
                ready(respond(&request, now(reader, &Asked::new(&question, &context))))
            }),
            Serves::Kept(reader) => kept(reader),
            Serves::Dated(reader) => dated(reader, false),
            Serves::Blocking(reader) => dated(reader, true),
            Serves::Form(reader) => promql::form(reader),
            Serves::Own(make) => make(),
        }
    }
}

/// What is true now, with how long it will be.
fn now(reader: Reader, asked: &Asked<'_>) -> Result<Answer, ApiError> {
    reader(asked).map(|answer| answer.unchanged_for(asked.unchanged_for()))
}

/// A function whose answers about the present are kept while they are true.
fn kept(reader: Reader) -> actix_web::Route {
    web::to(move |request: HttpRequest, context: Current| async move {
        if let Some(response) = context.kept.find(&request, &context) {
            return response;
        }
        let question = Question::of(&request);
        let result = match past::asked_moment(&question) {
            Ok(None) => {
                let asked = Asked::new(&question, &context);
                match reader(&asked) {
                    Ok(answer) => {
                        let finished = answer.finished(&context.reader);
                        return context.kept.put((&request, &context), &asked, finished);
                    }
                    Err(error) => Err(error),
                }
            }
            Ok(at) => past::answer(question, context, at, reader).await,
            Err(error) => Err(error),
        };
        respond(&request, result)
    })
}

/// A function that may be asked about the past; without `as_of=` it runs at once unless it `blocks`.
fn dated(reader: Reader, blocks: bool) -> actix_web::Route {
    web::to(move |request: HttpRequest, context: Current| async move {
        let question = Question::of(&request);
        let result = match past::asked_moment(&question) {
            Ok(None) if !blocks => now(reader, &Asked::new(&question, &context)),
            Ok(at) => past::answer(question, context, at, reader).await,
            Err(error) => Err(error),
        };
        respond(&request, result)
    })
}

impl Route {
    /// The methods that it takes, as `Allow` has them.
    fn allowed(&self) -> String {
        let methods = self.operations.iter().flat_map(Operation::methods);
        methods.map(Method::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The operation of a method.
    pub(super) fn operation(&self, method: &Method) -> Option<&'static Operation> {
        self.operations.iter().find(|operation| operation.methods().contains(method))
    }

    /// How it may be written: Prometheus' clients knock at the base address with a slash, and the first page
    /// below a base is found without one.
    fn spellings(&self, base: &Base) -> Vec<String> {
        let other = match self.path {
            "/prometheus" => Some("/prometheus/"),
            "/" if !base.is_empty() => Some(""),
            _ => None,
        };
        std::iter::once(self.path).chain(other).map(|path| base.link(path)).collect()
    }

    fn resource(&'static self, base: &Base) -> impl HttpServiceFactory + use<> {
        let mut resource = web::resource(self.spellings(base)).app_data(self);
        for operation in self.operations {
            for method in operation.methods() {
                resource = resource.route(operation.way(method));
            }
        }
        resource
            .default_service(web::to(move |request: HttpRequest| {
                let refusal = match self.operation(request.method()) {
                    Some(_) => ApiError::BodyNotAccepted,
                    None => ApiError::MethodNotAllowed { allowed: self.allowed() },
                };
                ready(refusal.response(&request))
            }))
            .wrap(from_fn(move |request, next| once(self, request, next)))
            .wrap(from_fn(move |request, next| admit(self, request, next)))
    }
}

/// Every address. Where two patterns fit, the first one answers.
pub(super) fn all() -> impl Iterator<Item = &'static Route> {
    let tables = [readings::ROUTES, sources::ROUTES, units::ROUTES];
    let further = [trackers::ROUTES, deliveries::ROUTES, webhooks::ROUTES];
    tables.into_iter().chain(further).chain([prometheus::ROUTES, house::ROUTES]).flatten()
}

/// Makes the server's routes, all of them below `base`.
pub(super) fn configure(config: &mut web::ServiceConfig, base: &Base, offers: Offers) {
    for route in all().filter(|route| offers.include(route.path)) {
        config.service(route.resource(base));
    }
    config.default_service(web::to(unknown_path));
}

/// The operation that a request is for.
pub(super) fn operation_of(request: &HttpRequest) -> Option<&'static Operation> {
    request.app_data::<&'static Route>()?.operation(request.method())
}

/// What is read at an address of the table.
pub(super) fn named(path: &str) -> Option<&'static Operation> {
    all().find(|route| route.path == path)?.operation(&Method::GET)
}

async fn unknown_path(request: HttpRequest) -> HttpResponse {
    let base = Base::of(&request);
    let suggestion = match base.within(request.path()) {
        Some(path) => near(path),
        None => Some(below(request.path())),
    };
    let suggestions = suggestion.into_iter().map(|path| base.link(path)).collect();
    ApiError::UnknownPath { suggestions }.response(&request)
}

/// What may have been meant by an address that there is not.
fn near(path: &str) -> Option<&'static str> {
    // The addresses that hold no name in them, to suggest from.
    let plain = all().map(|route| route.path).filter(|path| !path.contains('{'));
    nearest(path.trim_end_matches('/'), plain)
}

/// What is meant by a path outside the base: the address of the same name within it, if there is one.
fn below(path: &str) -> &str {
    let is_known = path.len() <= REPEATED && all().any(|route| fits(route.path, path));
    if is_known { path } else { near(path).unwrap_or("/v1") }
}

/// Whether a path is of a template's shape.
fn fits(template: &str, path: &str) -> bool {
    let is_same = |(template, piece): (&str, &str)| match template.split_once('}') {
        Some((_, end)) => piece.len() > end.len() && piece.ends_with(end),
        None => template == piece,
    };
    let count = |path: &str| path.split('/').count();
    count(template) == count(path) && template.split('/').zip(path.split('/')).all(is_same)
}

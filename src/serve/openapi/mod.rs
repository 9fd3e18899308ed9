//! `/openapi.json`: the reference for programs, made from the table of addresses ([`super::routes`])
//! and from the very types that are written as answers.
//!
//! OpenAPI 3.1 with JSON Schema 2020-12. Words of closed lists in answers are described as examples,
//! not as enumerations: a later version may bring another word, and no client shall break of it.
//! `page` shows the same table to people.

pub(super) mod page;
pub(super) mod shapes;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::access::Needs;
use super::answer::{Answer, Keep};
use super::context::Asked;
use super::error::{ApiError, Kind, Problem};
use super::format::offered;
use super::geo;
use super::link::Base;
use super::prometheus::reply::Failed;
use super::routes::parameter::{Both, Parameter, Place, Takes};
use super::routes::{self, Body, Content, Operation, Route, Tag, Verb};

const ABOUT: Both = (
    "Chỉ số tổng hợp của tỉnh cùng mọi điều cần biết về từng con số. Thời gian ghi theo +07:00, tỷ \
     lệ từ 0 đến 1, giá trị thiếu là null kèm lý do. Mỗi câu trả lời lấy từ một phiên bản số liệu. Lỗi \
     theo RFC 9457; phương thức khác nhận 405 kèm `Allow`, địa chỉ khác nhận 404. Mọi địa chỉ đọc \
     được bằng GET cũng đọc được bằng HEAD.",
    "Combined indicators of a province with all that qualifies each number. Times carry +07:00, \
     ratios are 0 to 1, a missing value is null with a reason. Every answer comes from one revision. \
     Errors follow RFC 9457; another method gets 405 with `Allow`, another address 404. What is read \
     with GET may be read with HEAD.",
);

impl Tag {
    const ALL: [Self; 10] = [
        Self::Readings,
        Self::Sources,
        Self::Units,
        Self::Trackers,
        Self::Quarantine,
        Self::Deliveries,
        Self::Webhooks,
        Self::Prometheus,
        Self::House,
        Self::Pages,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Readings => "readings",
            Self::Sources => "sources",
            Self::Units => "units",
            Self::Trackers => "trackers",
            Self::Quarantine => "quarantine",
            Self::Deliveries => "deliveries",
            Self::Webhooks => "webhooks",
            Self::Prometheus => "prometheus",
            Self::House => "gateway",
            Self::Pages => "pages",
        }
    }

    const fn says(self) -> Both {
        match self {
            Self::Readings => ("Chỉ số và số liệu", "Indicators and their figures"),
            Self::Sources => ("Nguồn dữ liệu và sai lệch hợp đồng", "Sources and their breaches"),
            Self::Trackers => ("Sổ theo dõi", "Registers read item by item: models and tasks"),
            Self::Units => ("Đơn vị chịu trách nhiệm", "Accountable units and their reports"),
            Self::Quarantine => ("Bản ghi bị cách ly", "Records in quarantine"),
            Self::Deliveries => ("Luồng sự kiện và dữ liệu gửi vào", "Events out, deliveries in"),
            Self::Webhooks => ("Webhook: cổng tự báo tin", "Webhooks: the gateway tells by itself"),
            Self::Prometheus => ("Cho Grafana, không cần plugin", "For Grafana, without a plugin"),
            Self::House => ("Bản thân cổng", "The gateway itself"),
            Self::Pages => ("Trang cho người đọc", "Pages for people"),
        }
    }
}

/// `/openapi.json`.
pub(super) fn document(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    // By base: a program has one, its tests have several.
    static TEXTS: Mutex<BTreeMap<Base, String>> = Mutex::new(BTreeMap::new());
    asked.query()?;
    let base = &asked.context.base;
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    let text =
        texts.entry(base.clone()).or_insert_with(|| build(asked.context.version, base).to_string());
    Ok(Answer::new("application/json", text.as_str(), Keep::Briefly))
}

/// The whole document. Its server is the gateway, so its paths stay without the base.
pub(super) fn build(version: &str, base: &Base) -> Value {
    let server = if base.is_empty() { "/".to_owned() } else { base.to_string() };
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = Schemas {
        answers: settings.clone().for_serialize().into_generator(),
        bodies: settings.for_deserialize().into_generator(),
    };
    let paths: Map<String, Value> =
        routes::all().map(|route| (route.path.to_owned(), schemas.path(route))).collect();
    let tags =
        Tag::ALL.map(|tag| json!({"name": tag.name(), "description": said(tag.says(), " · ")}));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "IOC data-integration gateway",
            "summary": "Cổng tích hợp dữ liệu IOC",
            "description": said(ABOUT, "\n\n"),
            "version": version,
            "contact": {"name": "Đơn vị vận hành cổng · whoever runs this gateway"},
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"}
        },
        "servers": [{"url": server, "description": "Chính cổng này · this gateway"}],
        "security": [],
        "tags": tags,
        "paths": paths,
        "components": {"schemas": schemas.finished(), "securitySchemes": keys()}
    })
}

/// How somebody says who they are.
fn keys() -> Value {
    json!({
        "api_key": {
            "type": "http",
            "scheme": "bearer",
            "description": "Khóa do `iocgw key create` cấp · a key of `iocgw key create`"
        },
        "api_key_as_password": {
            "type": "http",
            "scheme": "basic",
            "description": "Cùng khóa đó làm mật khẩu, tên tùy ý · the same key as the password, with any name"
        },
        "delivery_key": {"type": "http", "scheme": "bearer"},
        "delivery_key_header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
        "delivery_signature": {"type": "apiKey", "in": "header", "name": "webhook-signature"}
    })
}

fn said((vi, en): Both, between: &str) -> String {
    format!("{vi}{between}{en}")
}

/// The schemas that were met, of what is written and of what is read.
struct Schemas {
    answers: SchemaGenerator,
    bodies: SchemaGenerator,
}

impl Schemas {
    fn finished(mut self) -> Map<String, Value> {
        let mut all = self.answers.take_definitions(true);
        all.values_mut().for_each(open);
        all.extend(self.bodies.take_definitions(true));
        all
    }

    fn path(&mut self, route: &Route) -> Value {
        let operations = route.operations.iter();
        operations.map(|each| (verb(each), self.operation(each))).collect::<Map<_, _>>().into()
    }

    fn operation(&mut self, operation: &Operation) -> Value {
        let says = if operation.says.0.is_empty() { operation.title } else { operation.says };
        let mut written = json!({
            "operationId": operation.id,
            "tags": [operation.tag.name()],
            "summary": said(operation.title, " · "),
            "description": said(says, "\n\n"),
            "responses": self.responses(operation)
        });
        if let Needs::Scopes(scopes) = operation.door.needs {
            let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
            let ways = ["api_key", "api_key_as_password"];
            written["security"] = ways.map(|way| json!({way: scopes})).to_vec().into();
        }
        let is_form = matches!(operation.body, Some(Body::Form));
        let parameters: Vec<Value> = operation
            .parameters()
            .filter(|parameter| !is_form || parameter.place != Place::Query)
            .map(parameter)
            .collect();
        if !parameters.is_empty() {
            written["parameters"] = parameters.into();
        }
        match operation.body {
            Some(Body::Json(shape)) => {
                let schema = shape(&mut self.bodies);
                written["requestBody"] = body(&json!({"application/json": {"schema": schema}}));
            }
            Some(Body::Form) => written["requestBody"] = form(operation),
            Some(Body::Delivery) => {
                let any = json!({"schema": {}});
                written["requestBody"] = body(
                    &json!({"application/json": any, "text/csv": any, "application/xml": any}),
                );
                let ways = ["delivery_key", "delivery_key_header", "delivery_signature"];
                written["security"] = ways.map(|way| json!({way: []})).to_vec().into();
            }
            None => {}
        }
        written
    }

    fn responses(&mut self, operation: &Operation) -> Value {
        let mut responses = Map::new();
        responses.insert(operation.status.to_string(), self.success(operation));
        if operation.verb == Verb::Read && operation.is_kept {
            let same = json!({"description": "Không đổi · not modified (If-None-Match)"});
            responses.insert("304".to_owned(), same);
        }
        let mut by_status: BTreeMap<u16, Vec<&Kind>> = BTreeMap::new();
        for kind in operation.refusals() {
            by_status.entry(kind.status.as_u16()).or_default().push(kind);
        }
        for (status, kinds) in by_status {
            responses.insert(status.to_string(), self.refusal(status, &kinds));
        }
        responses.into()
    }

    fn success(&mut self, operation: &Operation) -> Value {
        let content = match operation.content {
            Content::Text(kind) => json!({kind: {"schema": {"type": "string"}}}),
            Content::Map(shape) => {
                let mut schema = shape(&mut self.answers).to_value();
                open(&mut schema);
                json!({geo::MEDIA_TYPE: {"schema": schema}})
            }
            Content::Json(shape) | Content::Listed(shape) | Content::Drawn(shape) => {
                let mut schema = shape(&mut self.answers).to_value();
                open(&mut schema);
                let mut content = Map::new();
                for format in offered(operation) {
                    let schema =
                        if content.is_empty() { schema.take() } else { json!({"type": "string"}) };
                    content.insert(format.media_type().to_owned(), json!({"schema": schema}));
                }
                content.into()
            }
        };
        json!({"description": said(operation.title, " · "), "content": content})
    }

    /// A refusal: which kinds of problem have this status, in the shape that clients read.
    fn refusal(&mut self, status: u16, kinds: &[&Kind]) -> Value {
        let lines: Vec<String> = kinds
            .iter()
            .map(|kind| format!("`{}`: {}. {}", kind.code, kind.title, kind.advice))
            .collect();
        let mut content = Map::new();
        if kinds.iter().any(|kind| !kind.is_of_prometheus()) {
            let schema: Schema = self.answers.subschema_for::<Problem<'static>>();
            content.insert("application/problem+json".to_owned(), json!({"schema": schema}));
        }
        if kinds.iter().any(|kind| kind.is_of_prometheus()) {
            let schema: Schema = self.answers.subschema_for::<Failed<'static>>();
            content.insert("application/json".to_owned(), json!({"schema": schema}));
        }
        let mut refusal = json!({"description": lines.join("\n\n"), "content": content});
        if status == 429 || status == 503 {
            let says = "Giây · seconds after which to try again";
            refusal["headers"] =
                json!({"Retry-After": {"description": says, "schema": {"type": "integer"}}});
        }
        refusal
    }
}

fn verb(operation: &Operation) -> String {
    match operation.verb {
        Verb::Read => "get",
        Verb::Post => "post",
        Verb::Patch => "patch",
        Verb::Delete => "delete",
    }
    .to_owned()
}

fn body(content: &Value) -> Value {
    json!({"required": true, "content": content})
}

fn form(operation: &Operation) -> Value {
    let query = || operation.parameters().filter(|parameter| parameter.place == Place::Query);
    let properties: Map<String, Value> =
        query().map(|each| (each.name.to_owned(), sent(each))).collect();
    let required: Vec<&str> = query().filter(|each| each.required).map(|each| each.name).collect();
    let form = json!({"type": "object", "properties": properties, "required": required});
    let content = json!({"application/x-www-form-urlencoded": {"schema": form}});
    json!({"required": !required.is_empty(), "content": content})
}

/// The schema of a field of a form, which cannot tell one of many from one alone.
fn sent(parameter: &Parameter) -> Value {
    let mut written = schema(parameter);
    if let Takes::Many = parameter.takes {
        written["type"] = json!(["array", "string"]);
    }
    written
}

fn parameter(parameter: &Parameter) -> Value {
    let place = match parameter.place {
        Place::Path => "path",
        Place::Query => "query",
        Place::Header => "header",
    };
    let mut written = json!({
        "name": parameter.name,
        "in": place,
        "required": parameter.required,
        "description": said(parameter.says, " · "),
        "schema": schema(parameter)
    });
    if let Takes::Named = parameter.takes {
        (written["style"], written["explode"]) = ("deepObject".into(), true.into());
    }
    if !parameter.example.is_empty() {
        written["example"] = typed(parameter, parameter.example);
    }
    written
}

fn schema(parameter: &Parameter) -> Value {
    let mut schema = match parameter.takes {
        Takes::Text => json!({"type": "string"}),
        Takes::Pattern(pattern) => json!({"type": "string", "pattern": pattern}),
        Takes::Words(words) => json!({"type": "string", "enum": words}),
        Takes::Count(most) => json!({"type": "integer", "minimum": 1, "maximum": most}),
        Takes::Number => json!({"type": "integer", "minimum": 0}),
        Takes::Many => json!({"type": "array", "items": {"type": "string"}}),
        Takes::Named => json!({"type": "object", "additionalProperties": {"type": "string"}}),
    };
    if let Some(default) = parameter.default {
        schema["default"] = typed(parameter, default);
    }
    schema
}

/// A value of a parameter in its own type.
fn typed(parameter: &Parameter, text: &str) -> Value {
    match parameter.takes {
        Takes::Count(_) | Takes::Number => {
            text.parse::<u64>().map_or_else(|_| text.into(), Value::from)
        }
        Takes::Many => json!([text]),
        Takes::Named => text.split_once('=').map_or(Value::Null, |(key, text)| json!({key: text})),
        Takes::Text | Takes::Pattern(_) | Takes::Words(_) => text.into(),
    }
}

/// Opens closed lists of words, and takes out what only readers of the source understand.
fn open(schema: &mut Value) {
    if let Value::Array(parts) = schema {
        return parts.iter_mut().for_each(open);
    }
    let Value::Object(fields) = schema else { return };
    if let Some(words) = words_of(fields) {
        let known: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
        let told = words.iter().filter(|(_, says)| !says.is_empty());
        let told: Vec<String> = told.map(|(word, says)| format!("`{word}`: {says}")).collect();
        let before = fields.get("description").and_then(Value::as_str).into_iter();
        let about: Vec<&str> = before.chain(told.iter().map(String::as_str)).collect();
        *schema = json!({"type": "string", "description": about.join("\n"), "examples": known});
        return;
    }
    if fields.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint"))
    {
        fields.remove("format");
    }
    // Generators of clients want to be told even of pairs that more might follow.
    if fields.contains_key("prefixItems") {
        fields.entry("items").or_insert_with(|| json!({}));
    }
    if let Some(Value::String(text)) = fields.get_mut("description") {
        *text = text.replace("[`", "`").replace("`]", "`");
    }
    fields.values_mut().for_each(open);
}

/// The words of a list of constants, each with what is said of it.
fn words_of(fields: &Map<String, Value>) -> Option<Vec<(String, String)>> {
    let plain = |value: &Value| Some((value.as_str()?.to_owned(), String::new()));
    if let Some(Value::Array(words)) = fields.get("enum") {
        return words.iter().map(plain).collect();
    }
    let choices = fields.get("oneOf")?.as_array()?;
    let words: Option<Vec<Vec<_>>> = choices
        .iter()
        .map(|choice| {
            let choice = choice.as_object()?;
            if choice.contains_key("enum") {
                return words_of(choice);
            }
            let says = choice.get("description").and_then(Value::as_str).unwrap_or_default();
            Some(vec![(choice.get("const")?.as_str()?.to_owned(), says.to_owned())])
        })
        .collect();
    words.map(|words| words.concat())
}

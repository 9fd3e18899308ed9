//! `/docs`: the reference for people, from the same table as `/openapi.json`; no script, nothing from
//! anywhere else. What can be read has a link that reads it, with names of this very gateway.

use maud::{Markup, html};

use super::{Tag, verb};
use crate::serve::answer::{Answer, Keep};
use crate::serve::console::{both, whole};
use crate::serve::context::Asked;
use crate::serve::error::ApiError;
use crate::serve::geo;
use crate::serve::routes::parameter::{Both, Parameter, Place, Takes};
use crate::serve::routes::{self, Content, Operation, Route, Verb};

/// `/docs`.
pub(in crate::serve) fn page(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let body = html! {
        div.bar {
            nav aria-label="Trang (page)" {
                ul {
                    li { a href=(asked.link("/")) { "← " (both("Tất cả chỉ số", "all indicators")) } }
                    @for tag in Tag::ALL {
                        @let (vi, en) = tag.says();
                        li { a href={ "#" (tag.name()) } { (both(vi, en)) } }
                    }
                }
            }
        }
        main.reference id="main" {
            p { (told(super::ABOUT)) }
            p {
                a href=(asked.link("/openapi.json")) { "OpenAPI 3.1" } " · "
                a href=(asked.link("/docs/prometheus")) { (both("Phần PromQL được trả lời", "PromQL that is answered")) }
            }
            @if !asked.context.base.is_empty() {
                p { (both("Mọi địa chỉ ở dưới", "all addresses are below")) " " code { (asked.context.base) } }
            }
            @for tag in Tag::ALL { (section(asked, tag)) }
        }
    };
    let markup = whole(asked, "Tra cứu API", &body);
    Ok(Answer::new("text/html; charset=utf-8", markup.into_string(), Keep::Briefly))
}

fn section(asked: &Asked<'_>, tag: Tag) -> Markup {
    let (vi, en) = tag.says();
    html! {
        section aria-labelledby=(tag.name()) {
            h2 id=(tag.name()) { (both(vi, en)) }
            @for route in routes::all() {
                @for operation in route.operations.iter().filter(|each| each.tag == tag) {
                    (entry(asked, route, operation))
                }
            }
        }
    }
}

fn entry(asked: &Asked<'_>, route: &Route, operation: &Operation) -> Markup {
    let (vi, en) = operation.title;
    html! {
        details id=(operation.id) {
            summary {
                code { (verb(operation).to_uppercase()) " " (route.path) } " " (both(vi, en))
            }
            @if !operation.says.0.is_empty() { p { (told(operation.says)) } }
            @if let Some(link) = example(asked, route, operation) {
                p { (both("Thử ngay", "try it")) ": " a href=(link) { code { (link) } } }
            }
            (parameters(operation))
            (answers(asked, operation))
        }
    }
}

/// A text of the document, without its marks of code.
fn told((vi, en): Both) -> Markup {
    both(&vi.replace('`', ""), &en.replace('`', ""))
}

fn parameters(operation: &Operation) -> Markup {
    let all: Vec<&Parameter> = operation.parameters().collect();
    html! {
        @if !all.is_empty() {
            table.list {
                thead { tr {
                    th scope="col" { (both("Tham số", "parameter")) }
                    th scope="col" { (both("Ý nghĩa", "meaning")) }
                    th scope="col" { (both("Cho phép", "allowed")) }
                    th scope="col" { (both("Mặc định", "default")) }
                } }
                tbody { @for each in all { tr {
                    th scope="row" { code { (each.name) } span.who { (place(each)) } }
                    td data-label="Ý nghĩa" { div { (told(each.says)) } }
                    td data-label="Cho phép" { div { (allowed(each)) } }
                    td data-label="Mặc định" { div { code { (each.default.unwrap_or("–")) } } }
                } } }
            }
        }
    }
}

fn place(parameter: &Parameter) -> &'static str {
    match parameter.place {
        Place::Path => "trong đường dẫn · path",
        Place::Query if parameter.required => "bắt buộc · required",
        Place::Query => "",
        Place::Header => "tiêu đề · header",
    }
}

fn allowed(parameter: &Parameter) -> Markup {
    html! {
        @match parameter.takes {
            Takes::Words(words) => { code { (words.join(", ")) } }
            Takes::Count(most) => { "1 – " (most) }
            Takes::Number => { "0, 1, 2 …" }
            Takes::Named => {
                (both("ví dụ", "such as")) " " code { "filter[channel]=online" }
            }
            Takes::Text | Takes::Pattern(_) | Takes::Many => {
                @if !parameter.example.is_empty() {
                    (both("ví dụ", "such as")) " " code { (parameter.example) }
                }
            }
        }
    }
}

fn answers(asked: &Asked<'_>, operation: &Operation) -> Markup {
    let forms = match operation.content {
        Content::Json(_) => "application/json",
        Content::Listed(_) => "application/json, text/csv, application/x-ndjson",
        Content::Drawn(_) => "application/json, text/vnd.mermaid, text/vnd.graphviz",
        Content::Map(_) => geo::MEDIA_TYPE,
        Content::Text(kind) => kind,
    };
    html! {
        p { (both("Trả lời", "answers")) ": " strong { (operation.status) } " " code { (forms) } }
        ul { @for kind in operation.refusals() {
            li {
                strong { (kind.status.as_u16()) } " "
                a href=(asked.link(format_args!("/docs/problems/{}", kind.code))) { (kind.code) } " " (kind.title)
            }
        } }
    }
}

/// An address that answers here and now, where a link can ask it.
fn example(asked: &Asked<'_>, route: &Route, operation: &Operation) -> Option<String> {
    let plain = |parameter: &Parameter| parameter.place == Place::Query && parameter.required;
    if operation.verb != Verb::Read || operation.parameters().any(plain) {
        return None;
    }
    if !route.path.contains('{') {
        return Some(asked.link(route.path));
    }
    let name = if ["/indicators/", "/badges/{"].iter().any(|part| route.path.contains(part)) {
        asked.definitions.catalogue.iter().next()?.id.as_str()
    } else if route.path == "/v1/sources/{id}" {
        asked.context.sources.keys().next()?.as_str()
    } else {
        return None;
    };
    Some(asked.link(route.path.replace("{id}", name)))
}

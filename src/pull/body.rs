//! The body of a request: nested JSON or the fields of a form, with templates in any text.
//!
//! What the configuration writes as a number stays a number. Page numbers, tokens and sessions are
//! put in at a JSON pointer once the rest is filled in, so a source that wants them in the body is
//! served by the same paginators and authenticators as one that wants them in the query.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::RequestBuilder;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Problems;
use super::error::{PullError, Reason};
use super::stream::{Scalar, unrendered};
use super::template::{self, Place, Values, as_is};

/// What a POST carries.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A JSON value; its texts may hold templates, `{{ cursor | number }}` stands for a number.
    Json(Value),
    /// Fields of a form; may hold templates.
    Form(BTreeMap<String, Scalar>),
}

/// A body that is filled in. Not `Debug`: it may hold secrets.
#[derive(Clone)]
pub(super) enum Content {
    Json(Value),
    Form(Vec<(String, String)>),
}

impl Body {
    /// Pushes a problem for each template that makes no sense in `place`.
    pub(super) fn check(&self, place: Place, at: &str, problems: &mut Problems) {
        match self {
            Self::Json(value) => {
                let place = if place == Place::Text { Place::Json } else { place };
                template::check_json(value, place, &format!("{at}.json"), problems);
            }
            Self::Form(fields) => {
                for (name, value) in fields {
                    template::check(&value.0, place, &format!("{at}.form.{name}"), problems);
                }
            }
        }
    }

    /// Adds the secret files that the body uses.
    pub(super) fn add_secrets(&self, files: &mut BTreeSet<String>) {
        match self {
            Self::Json(value) => template::add_secrets_of_json(value, files),
            Self::Form(fields) => {
                fields.values().for_each(|value| template::add_secrets(&value.0, files));
            }
        }
    }

    /// Notes the names that its templates use.
    pub(super) fn add_names(&self, names: &mut BTreeSet<String>) {
        match self {
            Self::Json(value) => template::add_names_of_json(value, names),
            Self::Form(fields) => {
                fields.values().for_each(|value| template::add_names(&value.0, names));
            }
        }
    }

    /// The body with its values; what uses a value that the run does not have yet is left out.
    pub(super) fn fill(&self, values: Values<'_>) -> Result<Content, PullError> {
        match self {
            Self::Json(value) => {
                let value = template::unless_not_yet(template::render_json(value, values));
                Ok(Content::Json(value.map_err(unrendered)?.unwrap_or_default()))
            }
            Self::Form(fields) => {
                let mut filled = Vec::with_capacity(fields.len());
                for (name, value) in fields {
                    let value = template::render(&value.0, values, as_is);
                    let value = template::unless_not_yet(value).map_err(unrendered)?;
                    filled.extend(value.map(|value| (name.clone(), value)));
                }
                Ok(Content::Form(filled))
            }
        }
    }
}

impl Content {
    /// Puts a value at a JSON pointer, where objects are made as needed; in a form the pointer names
    /// a field.
    pub(super) fn put(&mut self, pointer: &str, value: Value) -> Result<(), PullError> {
        let steps: Vec<String> = pointer.split('/').skip(1).map(unescaped).collect();
        match self {
            Self::Json(root) => {
                let Some((last, above)) = steps.split_last() else { return Ok(()) };
                let mut place = root;
                for step in above {
                    place = object(place, pointer)?.entry(step.as_str()).or_insert(Value::Null);
                }
                object(place, pointer)?.insert(last.clone(), value);
            }
            Self::Form(fields) => {
                let name = steps.join("/");
                fields.retain(|(known, _)| *known != name);
                let text = match value {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                fields.push((name, text));
            }
        }
        Ok(())
    }

    /// The request with this body.
    pub(super) fn send_with(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Json(value) => request
                .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
                .body(value.to_string()),
            Self::Form(fields) => request.form(fields),
        }
    }
}

fn object<'a>(
    place: &'a mut Value,
    pointer: &str,
) -> Result<&'a mut Map<String, Value>, PullError> {
    if place.is_null() {
        *place = Value::Object(Map::new());
    }
    place.as_object_mut().ok_or_else(|| {
        let detail = format!("nothing can be put at {pointer} of the body: no object is there");
        PullError::refused(Reason::Other, detail)
    })
}

fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::super::Vars;
    use super::super::template::Secrets;
    use super::*;
    use crate::model::time::Stamp;

    fn filled(yaml: &str) -> Content {
        let body: Body = serde_saphyr::from_str(yaml).unwrap();
        let vars = Vars::at(Stamp(0));
        let secrets = Secrets::new();
        body.fill(Values { vars: &vars, secrets: &secrets }).unwrap()
    }

    #[test]
    fn numbers_stay_numbers_and_texts_that_look_like_them_stay_texts() {
        let Content::Json(value) = filled(
            "{json: {year: 2026, code: '007', ratio: 0.5, all: true, none: ~, at: [1, {}]}}",
        ) else {
            panic!("not JSON")
        };
        assert_eq!(
            value.to_string(),
            r#"{"all":true,"at":[1,{}],"code":"007","none":null,"ratio":0.5,"year":2026}"#
        );
    }

    #[test]
    fn a_value_is_put_where_it_belongs_and_replaces_what_stood_there() {
        let mut content = filled("{json: {paging: {page: 1}, rows: [1]}}");
        content.put("/paging/page", 2.into()).unwrap();
        content.put("/session/a~1b", "s".into()).unwrap();
        assert!(content.put("/rows/x", "s".into()).is_err(), "a list is no object");
        let Content::Json(value) = content else { panic!("not JSON") };
        let wanted =
            serde_json::json!({"paging": {"page": 2}, "rows": [1], "session": {"a/b": "s"}});
        assert_eq!(value, wanted);

        let mut content = filled("{form: {page: 1, since: '{{ cursor }}'}}");
        content.put("/page", 2.into()).unwrap();
        content.put("/session", "s".into()).unwrap();
        let Content::Form(fields) = content else { panic!("not a form") };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(fields, [pair("page", "2"), pair("session", "s")]);
    }

    #[test]
    fn templates_are_checked_in_the_depth_of_a_body() {
        let mut problems = Problems::new();
        let body: Body = serde_saphyr::from_str("{json: {a: [{b: '{{ nope }}'}]}}").unwrap();
        body.check(Place::Text, "body", &mut problems);
        let form: Body = serde_saphyr::from_str("{form: {n: '{{ cursor | number }}'}}").unwrap();
        form.check(Place::Text, "body", &mut problems);
        let places: Vec<_> = problems.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(places, ["body.json.a.0.b", "body.form.n"]);
        for yaml in ["{xml: a}", "{json: {}, form: {}}", "{form: {a: [1]}}"] {
            assert!(serde_saphyr::from_str::<Body>(yaml).is_err(), "{yaml}");
        }
    }
}

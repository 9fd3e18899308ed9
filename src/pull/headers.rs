//! Headers that a configuration adds to requests.
//!
//! A value is a template. Some systems want a small document there instead, wrapped in base64 (the
//! `lgspaccesstoken` of the sharing platform); that is written out as what it is, and a secret put
//! into it is escaped as JSON asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::de::{self, MapAccess, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::error::{PullError, Reason};
use super::stream::unrendered;
use super::template::{self, Place, Unrendered, Values, as_is};
use super::{Problems, require};

/// Headers by name.
pub(super) type Headers = BTreeMap<String, Header>;

/// Headers that belong to the authenticator or to HTTP itself.
const RESERVED: [&str; 10] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "accept-encoding",
    "te",
    "upgrade",
];

/// The value of a header.
#[derive(Clone, Debug, PartialEq)]
pub enum Header {
    /// A text; may hold templates.
    Text(String),
    /// Something wrapped in base64.
    Base64(Wrapped),
}

/// What is wrapped in base64.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wrapped {
    /// A JSON value; its texts may hold templates.
    Json(Value),
    /// A text; may hold templates.
    Text(String),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Base64 {
    /// What is wrapped.
    base64: Wrapped,
}

impl Header {
    fn check(&self, place: Place, at: &str, problems: &mut Problems) {
        match self {
            Self::Text(text) => template::check(text, place, at, problems),
            Self::Base64(Wrapped::Text(text)) => {
                template::check(text, place, &format!("{at}.base64.text"), problems);
            }
            Self::Base64(Wrapped::Json(value)) => {
                let place = if place == Place::Text { Place::Json } else { place };
                template::check_json(value, place, &format!("{at}.base64.json"), problems);
            }
        }
    }

    fn add_secrets(&self, files: &mut BTreeSet<String>) {
        match self {
            Self::Text(text) | Self::Base64(Wrapped::Text(text)) => {
                template::add_secrets(text, files);
            }
            Self::Base64(Wrapped::Json(value)) => template::add_secrets_of_json(value, files),
        }
    }

    fn render(&self, values: Values<'_>) -> Result<String, Unrendered> {
        match self {
            Self::Text(text) => template::render(text, values, as_is),
            Self::Base64(Wrapped::Text(text)) => {
                template::render(text, values, as_is).map(|text| BASE64_STANDARD.encode(text))
            }
            Self::Base64(Wrapped::Json(value)) => template::render_json(value, values)
                .map(|value| BASE64_STANDARD.encode(value.to_string())),
        }
    }
}

/// Pushes a problem for each header that a configuration may not set so.
pub(super) fn check(headers: &Headers, place: Place, at: &str, problems: &mut Problems) {
    for (name, header) in headers {
        let at = format!("{at}.{name}");
        check_name(name, &at, problems);
        header.check(place, &at, problems);
    }
}

/// Pushes a problem unless a configuration may set the header.
pub(super) fn check_name(name: &str, at: &str, problems: &mut Problems) {
    require(HeaderName::try_from(name).is_ok(), at, "is not a header name", problems);
    let free = !RESERVED.contains(&name.to_ascii_lowercase().as_str());
    require(free, at, "belongs to the authenticator or to HTTP itself", problems);
}

/// Notes the names that templates of headers use.
pub(super) fn add_names(headers: &Headers, names: &mut BTreeSet<String>) {
    for header in headers.values() {
        match header {
            Header::Text(text) | Header::Base64(Wrapped::Text(text)) => {
                template::add_names(text, names);
            }
            Header::Base64(Wrapped::Json(value)) => template::add_names_of_json(value, names),
        }
    }
}

/// Adds the secret files that headers use.
pub(super) fn add_secrets(headers: &Headers, files: &mut BTreeSet<String>) {
    headers.values().for_each(|header| header.add_secrets(files));
}

/// Puts the headers into `map`; one that uses what the run has no value for yet is left out.
pub(super) fn fill(
    headers: &Headers,
    values: Values<'_>,
    map: &mut HeaderMap,
) -> Result<(), PullError> {
    for (name, header) in headers {
        let text = template::unless_not_yet(header.render(values)).map_err(unrendered)?;
        let Some(text) = text else { continue };
        let invalid = || PullError::refused(Reason::Other, format!("header '{name}' is invalid"));
        let key = HeaderName::try_from(name).map_err(|_| invalid())?;
        let mut value = HeaderValue::try_from(text).map_err(|_| invalid())?;
        value.set_sensitive(true);
        map.insert(key, value);
    }
    Ok(())
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyHeader)
    }
}

impl JsonSchema for Header {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Header".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let wrapped = generator.subschema_for::<Base64>();
        schemars::json_schema!({
            "description": "A text, which may hold templates, or something wrapped in base64.",
            "anyOf": [{"type": "string"}, wrapped]
        })
    }
}

struct AnyHeader;

impl<'de> de::Visitor<'de> for AnyHeader {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or {base64: …}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Header, E> {
        Ok(Header::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Header, A::Error> {
        Base64::deserialize(MapAccessDeserializer::new(map)).map(|read| Header::Base64(read.base64))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Vars;
    use super::super::secret::Secret;
    use super::super::template::Secrets;
    use super::*;
    use crate::model::time::Stamp;

    fn filled(yaml: &str) -> HeaderMap {
        let headers: Headers = serde_saphyr::from_str(yaml).unwrap();
        let secrets = Secrets::from([("key".to_owned(), Secret::new("CANARY \"1\""))]);
        let vars = Vars { area: Some("40".to_owned()), ..Vars::at(Stamp(0)) };
        let mut map = HeaderMap::new();
        fill(&headers, Values { vars: &vars, secrets: &secrets }, &mut map).unwrap();
        map
    }

    #[test]
    fn a_document_is_wrapped_in_base64_with_its_secrets_escaped() {
        let map = filled(
            "{X-Area: '{{ area }}', X-Since: '{{ cursor }}',
              lgspaccesstoken: {base64: {json: {AppName: ioc, SecretKey: '{{ secret.key }}'}}},
              X-Pair: {base64: {text: 'ioc:{{ secret.key }}'}}}",
        );
        let decoded = |name: &str| {
            String::from_utf8(BASE64_STANDARD.decode(map[name].as_bytes()).unwrap()).unwrap()
        };
        assert_eq!(map["x-area"], "40");
        assert!(!map.contains_key("x-since"), "left out until there is a cursor");
        assert_eq!(decoded("lgspaccesstoken"), r#"{"AppName":"ioc","SecretKey":"CANARY \"1\""}"#);
        assert_eq!(decoded("x-pair"), "ioc:CANARY \"1\"");
        assert!(!format!("{map:?}").contains("CANARY"), "no header is ever printed");
    }

    #[test]
    fn headers_that_make_no_sense_are_problems() {
        let headers: Headers = serde_saphyr::from_str(
            "{Host: h, 'a b': x, X-One: '{{ nope }}', X-Two: {base64: {json: ['{{ nope }}']}}}",
        )
        .unwrap();
        let mut problems = Problems::new();
        check(&headers, Place::Text, "headers", &mut problems);
        let places: Vec<_> = problems.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(
            places,
            ["headers.Host", "headers.X-One", "headers.X-Two.base64.json.0", "headers.a b"]
        );
        for yaml in ["{X: {base64: {xml: a}}}", "{X: {hex: a}}", "{X: [a]}"] {
            assert!(serde_saphyr::from_str::<Headers>(yaml).is_err(), "{yaml}");
        }
    }
}

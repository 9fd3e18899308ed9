//! The request of one stream: path, query, headers, body and how its pages hang together.
//!
//! A parameter that uses `{{ cursor }}` is left out while there is no cursor, so the very first
//! run asks for everything without a second configuration. The same goes for headers, the fields
//! of a form and the members of a JSON body.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Deserializer, de};
use url::Url;

use super::body::Body;
use super::client::Requester;
use super::error::{PullError, Reason};
use super::headers::{self, Headers};
use super::paginator::Paginator;
use super::request::{Method, is_pointer, is_secret};
use super::rule::Rule;
use super::template::{self, Place, Secrets, Unrendered, Values, as_is};
use super::{Problems, Vars, require};

/// What is asked of a source for one stream.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Appended to the source's address; may hold templates.
    #[serde(default)]
    pub path: String,
    /// Query parameters; values may hold templates.
    #[serde(default)]
    pub query: BTreeMap<String, Scalar>,
    /// How it is asked.
    #[serde(default)]
    pub method: Method,
    /// Headers besides those of the source; values may hold templates.
    #[serde(default)]
    pub headers: Headers,
    /// What a POST carries.
    #[serde(default)]
    pub body: Option<Body>,
    /// What `{{ area }}` stands for where a run asks for no other.
    #[serde(default)]
    pub area: Option<String>,
    /// When an answer is something else than its status says.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// How pages follow each other; by default one page is everything.
    #[serde(default = "single")]
    pub paginator: Paginator,
}

/// A text, number or boolean of a configuration, kept as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar(pub String);

fn single() -> Paginator {
    Paginator::None {}
}

impl Default for Stream {
    /// The source's own address, asked for one page.
    fn default() -> Self {
        Self {
            path: String::new(),
            query: BTreeMap::new(),
            method: Method::default(),
            headers: Headers::new(),
            body: None,
            area: None,
            rules: Vec::new(),
            paginator: single(),
        }
    }
}

impl Stream {
    /// Pushes a problem for each value that makes no sense.
    pub fn check(&self, at: &str, problems: &mut Problems) {
        let path_at = format!("{at}.path");
        template::check(&self.path, Place::Path, &path_at, problems);
        let bare = !self.path.contains(['?', '#']);
        require(bare, &path_at, "must not hold a query; write it under query", problems);
        for (name, value) in &self.query {
            template::check(&value.0, Place::Text, &format!("{at}.query.{name}"), problems);
            let message = "begins with '/', which names a place in a body";
            require(!is_pointer(name), &format!("{at}.query.{name}"), message, problems);
        }
        headers::check(&self.headers, Place::Text, &format!("{at}.headers"), problems);
        self.check_body(at, problems);
        let paginator_at = format!("{at}.paginator");
        self.paginator.check(&paginator_at, problems);
        for (key, name) in self.paginator.queries() {
            let message = format!("sets '{name}', which query sets too");
            let free = !self.query.contains_key(name);
            require(free, &format!("{paginator_at}.{key}"), &message, problems);
            let message = format!("'{name}' is a place in a body, and the stream has none");
            let fits = !is_pointer(name) || self.body.is_some();
            require(fits, &format!("{paginator_at}.{key}"), &message, problems);
        }
    }

    fn check_body(&self, at: &str, problems: &mut Problems) {
        let Some(body) = &self.body else { return };
        let at = format!("{at}.body");
        require(self.method == Method::Post, &at, "is only sent with `method: POST`", problems);
        body.check(Place::Text, &at, problems);
    }

    /// The names that templates of the request use, such as `slice_end` or `parent.site`.
    pub fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        template::add_names(&self.path, &mut names);
        self.query.values().for_each(|value| template::add_names(&value.0, &mut names));
        headers::add_names(&self.headers, &mut names);
        if let Some(body) = &self.body {
            body.add_names(&mut names);
        }
        names
    }

    /// Whether a template of the request uses this name.
    pub fn uses(&self, name: &str) -> bool {
        self.names().contains(name)
    }

    /// What errors call a request of this stream: templates as written, nothing filled in.
    pub(super) fn label(&self, requester: &Requester) -> String {
        let path = if self.path.is_empty() { &requester.url } else { &self.path };
        format!("{} {path}", self.method.as_str())
    }

    /// The address of this run, before paging and credentials.
    pub(super) fn address(&self, requester: &Requester, vars: &Vars) -> Result<Url, PullError> {
        if let Some(target) = &vars.target {
            check_target(target)?;
        }
        let secrets = Secrets::new();
        let values = Values { vars, secrets: &secrets };
        let mut text = template::render(&requester.url, values, as_is).map_err(unrendered)?;
        if !self.path.is_empty() {
            let path = template::render(&self.path, values, template::escape_segment)
                .map_err(unrendered)?;
            if path.split('/').any(|segment| matches!(segment, "." | "..")) {
                return Err(refused("the path must not hold '.' or '..'"));
            }
            text.truncate(text.trim_end_matches('/').len());
            text.push('/');
            text.push_str(path.trim_start_matches('/'));
        }
        let mut url = Url::parse(&text).map_err(|_| refused("the url is not an address"))?;
        // What holds a secret is added to each attempt and never becomes part of the address.
        for (name, value) in self.query.iter().filter(|(_, value)| !is_secret(value)) {
            let value = template::render(&value.0, values, as_is);
            if let Some(value) = template::unless_not_yet(value).map_err(unrendered)? {
                url.query_pairs_mut().append_pair(name, &value);
            }
        }
        Ok(url)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyScalar)
    }
}

impl schemars::JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A text, a number or a boolean; a text may hold templates.",
            "type": ["string", "number", "boolean"]
        })
    }
}

struct AnyScalar;

impl de::Visitor<'_> for AnyScalar {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number or a boolean")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar(value.to_owned()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }
}

/// Why a template of a request has no text, as an error of the run.
pub(super) fn unrendered(problem: Unrendered) -> PullError {
    match problem {
        Unrendered::Missing(name) => {
            refused(&format!("{{{{ {name} }}}} is used, but there is none"))
        }
        Unrendered::NotYet(name) => refused(&format!(
            "{{{{ {name} }}}} is used outside query, headers and body, but there is none yet"
        )),
        Unrendered::Malformed(problem) => PullError::refused(Reason::Other, problem),
    }
}

/// A target may be a host, a host with a port or an identifier: nothing that could turn the
/// address into another one (`user@`, `/`, `?`).
fn check_target(target: &str) -> Result<(), PullError> {
    if is_target(target) {
        return Ok(());
    }
    Err(refused("a target may only hold letters, digits and .-_:[]"))
}

/// Whether a name may stand in the address of a fleet's source.
pub fn is_target(target: &str) -> bool {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    target.chars().all(plain) && !target.trim_matches('.').is_empty() && target.len() <= 253
}

fn refused(detail: &str) -> PullError {
    PullError::refused(Reason::Other, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Stamp;

    fn requester(url: &str) -> Requester {
        serde_saphyr::from_str(&format!("{{url: '{url}'}}")).unwrap()
    }

    fn stream(yaml: &str) -> Stream {
        serde_saphyr::from_str(yaml).unwrap()
    }

    fn vars(cursor: Option<&str>, target: Option<&str>) -> Vars {
        let (cursor, target) = (cursor.map(str::to_owned), target.map(str::to_owned));
        Vars { cursor, target, ..Vars::at(Stamp(0)) }
    }

    #[test]
    fn numbers_booleans_and_texts_are_sent_as_written() {
        let stream = stream("{path: /a, query: {limit: 5000, all: true, code: '007', n: -3}}");
        let url = stream.address(&requester("http://h"), &vars(None, None)).unwrap();
        assert_eq!(url.as_str(), "http://h/a?all=true&code=007&limit=5000&n=-3");
        assert!(serde_saphyr::from_str::<Stream>("{query: {limit: [1]}}").is_err());
    }

    #[test]
    fn a_parameter_that_uses_the_cursor_is_left_out_until_there_is_one() {
        let stream = stream(
            "{path: /a, query: {from: '{{ cursor }}', filter: 'since {{cursor}}', limit: 5}}",
        );
        let at = |cursor| {
            let url = stream.address(&requester("http://h/"), &vars(cursor, None)).unwrap();
            url.to_string()
        };
        assert_eq!(at(None), "http://h/a?limit=5");
        assert_eq!(
            at(Some("2024-04-02T17:00:00+07:00")),
            "http://h/a?filter=since+2024-04-02T17%3A00%3A00%2B07%3A00\
             &from=2024-04-02T17%3A00%3A00%2B07%3A00&limit=5"
        );
    }

    #[test]
    fn a_target_is_a_host_or_a_segment_and_cannot_lead_elsewhere() {
        let host = requester("http://{{ target }}");
        let status = stream("{path: /status}");
        let url = status.address(&host, &vars(None, Some("10.0.0.7:8080"))).unwrap();
        assert_eq!(url.as_str(), "http://10.0.0.7:8080/status");
        let segment = stream("{path: '/kiosks/{{ target }}/status'}");
        let url = segment.address(&requester("http://h"), &vars(None, Some("K-07"))).unwrap();
        assert_eq!(url.as_str(), "http://h/kiosks/K-07/status");
        for target in ["h@elsewhere", "h/../x", "..", ".", "", "h?x", "h#", "a b", "h\\x"] {
            assert!(status.address(&host, &vars(None, Some(target))).is_err(), "{target}");
        }
        assert!(status.address(&host, &vars(None, None)).is_err(), "no target at all");
    }

    #[test]
    fn a_cursor_cannot_change_the_path() {
        let stream = stream("{path: '/since/{{ cursor }}/rows'}");
        let base = requester("http://h/api");
        let url = stream.address(&base, &vars(Some("a/../../b"), None)).unwrap();
        assert_eq!(url.path(), "/api/since/a%2F..%2F..%2Fb/rows");
        assert!(stream.address(&base, &vars(Some(".."), None)).is_err());
        assert!(stream.address(&base, &vars(None, None)).is_err());
    }

    #[test]
    fn a_parameter_set_twice_and_a_query_in_the_path_are_problems() {
        let mut problems = Problems::new();
        stream(
            "{path: '/a?b=c', query: {p: 1, x: '{{ nope }}'},
              paginator: {kind: cursor, at: /c, query: p}}",
        )
        .check("streams.rows", &mut problems);
        let places: Vec<_> = problems.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(
            places,
            ["streams.rows.path", "streams.rows.query.x", "streams.rows.paginator.query"]
        );
    }
}

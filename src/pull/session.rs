//! A session: logging in as a system wants it, and finding the token in its answer.
//!
//! Systems of this kind follow no standard. The login carries a document of their own, says with 200
//! and an error code that the password is wrong, and the token goes back in a header, in the query or
//! in the body of each request. All of it is configuration; nothing of the answer is ever quoted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use reqwest::header::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::body::Body;
use super::client::Client;
use super::error::{Failure, PullError, Reason};
use super::headers::{self, Headers};
use super::oauth::check_endpoint;
use super::request::{Method, Outgoing, read_secrets};
use super::secret::Secret;
use super::stream::{Scalar, unrendered};
use super::template::{self, Place, Values, as_is};
use super::token::{Granted, life};
use super::{Problems, Vars, require};
use crate::model::units::Span;

const LABEL: &str = "POST login.url";
const LIMIT: u64 = 64 * 1024;

/// The call that opens a session.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Where sessions are opened.
    pub url: String,
    /// Query parameters; values may hold `{{ secret.FILE }}`, which goes better into the body.
    #[serde(default)]
    pub query: BTreeMap<String, Scalar>,
    /// Headers; values may hold `{{ secret.FILE }}`.
    #[serde(default)]
    pub headers: Headers,
    /// What is sent; texts may hold `{{ secret.FILE }}`.
    #[serde(default)]
    pub body: Option<Body>,
    /// When the answer is a success whatever its status says.
    #[serde(default)]
    pub success: Option<Success>,
    /// Where the token stands in the answer (JSON pointer).
    pub token_at: String,
    /// Where the seconds that it lives stand in the answer (JSON pointer).
    #[serde(default)]
    pub life_at: Option<String>,
    /// How long a session lives if the answer does not say so; without it a session is kept until it
    /// is refused.
    #[serde(default)]
    pub life: Option<Span>,
}

/// A field of an answer that tells success.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Success {
    /// Where the code stands (JSON pointer).
    pub body: String,
    /// The codes that mean success.
    pub is: Vec<String>,
}

impl Login {
    pub(super) fn check(&self, at: &str, problems: &mut Problems) {
        check_endpoint(&self.url, &format!("{at}.url"), problems);
        for (name, value) in &self.query {
            template::check(&value.0, Place::Credential, &format!("{at}.query.{name}"), problems);
        }
        headers::check(&self.headers, Place::Credential, &format!("{at}.headers"), problems);
        if let Some(body) = &self.body {
            body.check(Place::Credential, &format!("{at}.body"), problems);
        }
        let pointers = [("token_at", Some(&self.token_at)), ("life_at", self.life_at.as_ref())];
        let code = self.success.as_ref().map(|success| &success.body);
        for (key, pointer) in pointers.into_iter().chain([("success.body", code)]) {
            let Some(pointer) = pointer else { continue };
            let message = "must be a JSON pointer such as /session";
            require(pointer.starts_with('/'), &format!("{at}.{key}"), message, problems);
        }
        if let Some(success) = &self.success {
            let named = !success.is.is_empty();
            require(named, &format!("{at}.success.is"), "names no code", problems);
        }
        let fine = self.life.is_none_or(|life| life >= Span::seconds(10));
        require(fine, &format!("{at}.life"), "must be at least 10s", problems);
    }

    /// Adds the secret files that the login uses.
    pub(super) fn add_secrets(&self, files: &mut BTreeSet<String>) {
        headers::add_secrets(&self.headers, files);
        self.query.values().for_each(|value| template::add_secrets(&value.0, files));
        if let Some(body) = &self.body {
            body.add_secrets(files);
        }
    }

    /// Opens a session.
    pub(super) async fn open(
        &self,
        client: &Client,
        secrets_dir: &Path,
    ) -> Result<Granted, Failure> {
        let request = self.request(secrets_dir).await?.build(client);
        let answer = client.fetch(LABEL, request, LIMIT).await?;
        if !answer.status.is_success() {
            return Err(super::run::judge_status(LABEL, &answer, Reason::Auth));
        }
        Ok(self.read(&answer.body)?)
    }

    async fn request(&self, secrets_dir: &Path) -> Result<Outgoing, PullError> {
        let mut needed = BTreeSet::new();
        self.add_secrets(&mut needed);
        let secrets = read_secrets(&needed, secrets_dir).await?;
        let vars = Vars::default();
        let values = Values { vars: &vars, secrets: &secrets };
        let mut url = Url::parse(&self.url).map_err(|_| refused("login.url is no address"))?;
        for (name, value) in &self.query {
            let value = template::render(&value.0, values, as_is).map_err(unrendered)?;
            url.query_pairs_mut().append_pair(name, &value);
        }
        let mut headers = HeaderMap::new();
        headers::fill(&self.headers, values, &mut headers)?;
        let content = self.body.as_ref().map(|body| body.fill(values)).transpose()?;
        Ok(Outgoing { method: Method::Post, url, headers, content })
    }

    /// The session in the answer. The parser's own message may quote the answer, which is a secret.
    fn read(&self, body: &[u8]) -> Result<Granted, PullError> {
        let answer: Value = serde_json::from_slice(body)
            .map_err(|_| refused(&format!("{LABEL}: the answer is not JSON")))?;
        if let Some(success) = &self.success {
            let code = answer.pointer(&success.body).and_then(scalar);
            if !code.is_some_and(|code| success.is.contains(&code)) {
                let at = &success.body;
                let detail = format!("{LABEL}: the answer does not say at {at} that it succeeded");
                return Err(refused(&detail));
            }
        }
        let token = answer.pointer(&self.token_at).and_then(scalar).filter(|text| !text.is_empty());
        let at = &self.token_at;
        let token = token.ok_or_else(|| refused(&format!("{LABEL}: there is no token at {at}")))?;
        let said = self.life_at.as_ref().and_then(|at| life(answer.pointer(at)?));
        let configured = self.life.map(|life| life.0.min(Duration::from_hours(24)));
        Ok(Granted { token: Secret::new(token), life: said.or(configured), refresh_token: None })
    }
}

/// A text, number or boolean as text.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn refused(detail: &str) -> PullError {
    PullError::refused(Reason::Auth, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(more: &str) -> Login {
        serde_saphyr::from_str(&format!("{{url: 'http://h/login', token_at: /data/session{more}}}"))
            .unwrap()
    }

    #[test]
    fn the_token_and_its_life_are_found_where_the_configuration_says() {
        let login = login(", success: {body: /error_code, is: ['0']}, life_at: /ttl, life: 30m");
        let read = |json: &str| login.read(json.as_bytes());
        let granted = read(r#"{"error_code":0,"data":{"session":"s"},"ttl":60}"#).unwrap();
        assert_eq!((granted.token.expose(), granted.life), ("s", Some(Duration::from_mins(1))));
        let granted = read(r#"{"error_code":"0","data":{"session":17}}"#).unwrap();
        assert_eq!((granted.token.expose(), granted.life), ("17", Some(Duration::from_mins(30))));
    }

    #[test]
    fn an_answer_without_success_or_token_is_refused_without_being_quoted() {
        let login = login(", success: {body: /error_code, is: ['0']}");
        for json in [
            r#"{"error_code":"CANARY","data":{"session":"s"}}"#,
            r#"{"data":{"session":"CANARY"}}"#,
            r#"{"error_code":"0","data":{"session":""},"message":"CANARY"}"#,
            r#"{"error_code":"0","data":{"session":["CANARY"]}}"#,
            "<html>CANARY</html>",
            "",
        ] {
            let error = login.read(json.as_bytes()).expect_err(json);
            assert_eq!(error.reason(), Reason::Auth, "{json}");
            assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_problems() {
        let login: Login = serde_saphyr::from_str(
            "{url: 'ftp://h', token_at: session, life_at: ttl, life: 1s,
              success: {body: code, is: []}, headers: {Host: h}, query: {q: '{{ cursor }}'},
              body: {json: {user: '{{ run_start }}'}}}",
        )
        .unwrap();
        let mut problems = Problems::new();
        login.check("a.login", &mut problems);
        let places: Vec<_> = problems.iter().map(|(at, _)| &at["a.login.".len()..]).collect();
        assert_eq!(
            places,
            [
                "url",
                "query.q",
                "headers.Host",
                "body.json.user",
                "token_at",
                "life_at",
                "success.body",
                "success.is",
                "life",
            ]
        );
    }
}

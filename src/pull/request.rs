//! One request, from the configuration to what is sent.
//!
//! A [`Draft`] is made once a run: what can be filled in is filled in. For each attempt the secrets
//! are read anew and an [`Outgoing`] is made from it, to which the credential adds what proves who
//! asks. So a key that is rotated in mid-run is used from the next attempt on.

use std::collections::BTreeSet;
use std::path::Path;

use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::Vars;
use super::body::{Body, Content};
use super::client::{Client, Requester};
use super::error::{PullError, Reason};
use super::headers::{self, Headers};
use super::paginator::Paginator;
use super::paging::set_pair;
use super::secret::SecretFile;
use super::stream::{Scalar, Stream, unrendered};
use super::template::{self, Secrets, Values, as_is};

/// How a request is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Everything that is asked stands in the address and the headers.
    #[default]
    Get,
    /// What is asked stands in a body. The request must change nothing: it may be sent again.
    Post,
}

/// The requests of one run, ready but for page, secrets and credential.
pub(super) struct Draft {
    method: Method,
    headers: Headers,
    /// Query parameters that hold a secret; the address proper never does.
    secret_query: Vec<(String, String)>,
    body: Option<Body>,
    /// Whether what the paginator puts into the body is a number.
    counts: bool,
    vars: Vars,
    /// The secret files that are read for each attempt.
    pub(super) needed: BTreeSet<String>,
}

/// A request as it is about to be sent. Not `Debug`: it may hold secrets.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) content: Option<Content>,
}

impl Method {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

impl Draft {
    pub(super) fn new(stream: &Stream, requester: &Requester, vars: Vars) -> Self {
        let mut headers = requester.headers.clone();
        headers.extend(stream.headers.clone());
        let secret_query: Vec<_> =
            stream.query.iter().filter(|(_, value)| is_secret(value)).map(into_owned).collect();
        let mut needed = BTreeSet::new();
        headers::add_secrets(&headers, &mut needed);
        secret_query.iter().for_each(|(_, value)| template::add_secrets(value, &mut needed));
        if let Some(body) = &stream.body {
            body.add_secrets(&mut needed);
        }
        Self {
            method: stream.method,
            headers,
            secret_query,
            body: stream.body.clone(),
            counts: !matches!(stream.paginator, Paginator::Cursor { .. }),
            vars,
            needed,
        }
    }

    /// The request for the page at `url`.
    pub(super) async fn outgoing(
        &self,
        url: Url,
        secrets_dir: &Path,
    ) -> Result<Outgoing, PullError> {
        let secrets = read_secrets(&self.needed, secrets_dir).await?;
        let values = Values { vars: &self.vars, secrets: &secrets };
        let mut headers = HeaderMap::new();
        headers::fill(&self.headers, values, &mut headers)?;
        let content = self.body.as_ref().map(|body| body.fill(values)).transpose()?;
        let mut outgoing = Outgoing { method: self.method, url, headers, content };
        outgoing.move_to_body(self.counts)?;
        for (name, value) in &self.secret_query {
            let value = template::render(value, values, as_is).map_err(unrendered)?;
            set_pair(&mut outgoing.url, name, &value);
        }
        Ok(outgoing)
    }
}

impl Outgoing {
    /// Puts a value into the body.
    pub(super) fn put(&mut self, pointer: &str, value: Value) -> Result<(), PullError> {
        if let Some(content) = &mut self.content {
            return content.put(pointer, value);
        }
        let detail = format!("there is no body in which {pointer} could stand");
        Err(PullError::refused(Reason::Other, detail))
    }

    /// The request for the HTTP client.
    pub(super) fn build(self, client: &Client) -> RequestBuilder {
        let request = match self.method {
            Method::Get => client.get(self.url),
            Method::Post => client.post(self.url),
        };
        let request = request.headers(self.headers);
        match &self.content {
            Some(content) => content.send_with(request),
            None => request,
        }
    }

    /// Parameters named by a JSON pointer are written into the address by the paginator, which
    /// tells pages apart by it, and belong into the body.
    fn move_to_body(&mut self, counts: bool) -> Result<(), PullError> {
        let owned = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
            (name.into_owned(), value.into_owned())
        };
        let (moved, kept): (Vec<_>, Vec<_>) =
            self.url.query_pairs().map(owned).partition(|(name, _)| is_pointer(name));
        if moved.is_empty() {
            return Ok(());
        }
        self.url.set_query(None);
        if !kept.is_empty() {
            self.url.query_pairs_mut().extend_pairs(kept);
        }
        for (pointer, text) in moved {
            let number = text.parse::<u64>().ok().filter(|_| counts);
            self.put(&pointer, number.map_or_else(|| Value::from(text), Value::from))?;
        }
        Ok(())
    }
}

/// Whether the name of a parameter is a place in the body.
pub(super) fn is_pointer(name: &str) -> bool {
    name.starts_with('/')
}

/// Whether the value of a query parameter holds a secret.
pub(super) fn is_secret(value: &Scalar) -> bool {
    let mut files = BTreeSet::new();
    template::add_secrets(&value.0, &mut files);
    !files.is_empty()
}

/// Reads the secret files of these names.
pub(super) async fn read_secrets(
    names: &BTreeSet<String>,
    directory: &Path,
) -> Result<Secrets, PullError> {
    let mut secrets = Secrets::new();
    for name in names {
        secrets.insert(name.clone(), SecretFile::new(name).read(directory).await?);
    }
    Ok(secrets)
}

fn into_owned((name, value): (&String, &Scalar)) -> (String, String) {
    (name.clone(), value.0.clone())
}

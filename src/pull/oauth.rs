//! The call of an OAuth2 token endpoint, whatever is given for the token.
//!
//! Client credentials (RFC 6749, section 4.4), a refresh token (section 6) and a signed assertion
//! (RFC 7523) differ in two or three fields of the form. Some platforms want more fields or a header
//! of their own beside them, which the configuration adds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use reqwest::header::HeaderMap;
use schemars::JsonSchema;
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::client::{Client, check_url};
use super::error::{Failure, PullError, Reason};
use super::headers::{self, Headers};
use super::request::read_secrets;
use super::secret::SecretFile;
use super::stream::{Scalar, unrendered};
use super::template::{self, Place, Values, as_is};
use super::token::Granted;
use super::{Problems, Vars, require};

pub(super) const LABEL: &str = "POST token_url";
const LIMIT: u64 = 64 * 1024;

/// How a token endpoint wants the client credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientStyle {
    /// As fields of the form.
    #[default]
    Form,
    /// As HTTP basic authentication.
    Basic,
}

/// Who asks a token endpoint, and how.
pub(super) struct TokenCall<'a> {
    pub(super) token_url: &'a str,
    pub(super) client: Option<(&'a str, Option<&'a SecretFile>)>,
    pub(super) style: ClientStyle,
    pub(super) scope: Option<&'a str>,
    pub(super) form: &'a BTreeMap<String, Scalar>,
    pub(super) headers: &'a Headers,
}

impl TokenCall<'_> {
    pub(super) fn check(&self, at: &str, problems: &mut Problems) {
        check_endpoint(self.token_url, &format!("{at}.token_url"), problems);
        if let Some((id, secret)) = self.client {
            require(!id.is_empty(), &format!("{at}.client_id"), "must not be empty", problems);
            if let Some(secret) = secret {
                secret.check(&format!("{at}.client_secret_file"), problems);
            }
        }
        for (name, value) in self.form {
            template::check(&value.0, Place::Credential, &format!("{at}.form.{name}"), problems);
        }
        headers::check(self.headers, Place::Credential, &format!("{at}.headers"), problems);
    }

    /// Adds the secret files that headers and form use.
    pub(super) fn add_secrets(&self, files: &mut BTreeSet<String>) {
        headers::add_secrets(self.headers, files);
        self.form.values().for_each(|value| template::add_secrets(&value.0, files));
    }

    /// Asks for a token with the fields of `grant` and those that are configured.
    pub(super) async fn ask(
        &self,
        client: &Client,
        secrets_dir: &Path,
        grant: &[(&str, &str)],
    ) -> Result<Granted, Failure> {
        let mut needed = BTreeSet::new();
        self.add_secrets(&mut needed);
        let secrets = read_secrets(&needed, secrets_dir).await?;
        let vars = Vars::default();
        let values = Values { vars: &vars, secrets: &secrets };
        let mut headers = HeaderMap::new();
        headers::fill(self.headers, values, &mut headers)?;
        let mut form: Vec<(&str, String)> =
            grant.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        form.extend(self.scope.map(|scope| ("scope", scope.to_owned())));
        let url = Url::parse(self.token_url).map_err(|_| refused("token_url is no address"))?;
        let mut request = client.post(url).headers(headers);
        if let Some((id, secret)) = self.client {
            let secret = match secret {
                Some(file) => Some(file.read(secrets_dir).await?),
                None => None,
            };
            match (self.style, &secret) {
                // RFC 6749, section 2.3.1: both parts are form-encoded before they are joined.
                (ClientStyle::Basic, Some(secret)) => {
                    let password = form_encoded(secret.expose());
                    request = request.basic_auth(form_encoded(id), Some(password));
                }
                (ClientStyle::Form, _) | (ClientStyle::Basic, None) => {
                    form.push(("client_id", id.to_owned()));
                    let secret = secret.as_ref().map(|secret| secret.expose().to_owned());
                    form.extend(secret.map(|secret| ("client_secret", secret)));
                }
            }
        }
        for (name, value) in self.form {
            let value = template::render(&value.0, values, as_is).map_err(unrendered)?;
            form.push((name, value));
        }
        let answer = client.fetch(LABEL, request.form(&form), LIMIT).await?;
        if !answer.status.is_success() {
            return Err(super::run::judge_status(LABEL, &answer, Reason::Auth));
        }
        Ok(Granted::read(LABEL, &answer.body)?)
    }
}

/// Pushes a problem unless `url` is the plain address of an endpoint.
pub(super) fn check_endpoint(url: &str, at: &str, problems: &mut Problems) {
    require(!url.contains("{{"), at, "cannot be a template", problems);
    check_url(url, at, problems);
}

fn form_encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn refused(detail: &str) -> PullError {
    PullError::refused(Reason::Auth, detail)
}

//! How a source is told who asks: applied anew to every single attempt.
//!
//! Secrets are read from their files at each attempt, so a rotated key needs no restart. After a
//! 401 a credential that can change (a token) is renewed once; one that cannot is final, since
//! asking again with the same key only locks accounts.

use std::path::PathBuf;

use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::client::{Client, check_url};
use super::error::{Failure, PullError, Reason};
use super::paging::set_pair;
use super::secret::{Secret, SecretFile};
use super::token::{Granted, Holder, bearer, sensitive};
use super::{Problems, require};

const TOKEN_LABEL: &str = "POST token_url";
const TOKEN_LIMIT: u64 = 64 * 1024;

/// How a source knows the gateway.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Authenticator {
    /// It does not ask.
    None {},
    /// A fixed key in a header or in the query: exactly one of the two.
    ApiKey {
        /// The header that carries the key.
        header: Option<String>,
        /// The query parameter that carries the key.
        query: Option<String>,
        /// The file that holds it.
        key_file: SecretFile,
    },
    /// HTTP basic authentication.
    Basic {
        /// The user's name.
        username: String,
        /// The file that holds the password.
        password_file: SecretFile,
    },
    /// A token that somebody else keeps fresh in a file.
    Bearer {
        /// The file that holds it.
        token_file: SecretFile,
    },
    /// OAuth2 client credentials (RFC 6749, section 4.4).
    Oauth2ClientCredentials {
        /// Where tokens are issued.
        token_url: String,
        /// The gateway's name there.
        client_id: String,
        /// The file that holds the client secret.
        client_secret_file: SecretFile,
        /// What the token should allow.
        scope: Option<String>,
        /// How the client credentials are sent.
        #[serde(default)]
        style: ClientStyle,
    },
}

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

/// What one attempt is signed with.
#[derive(Clone, Debug)]
pub(super) enum Credential {
    Nothing,
    Header { name: HeaderName, value: HeaderValue, generation: u64 },
    Query { name: String, value: Secret },
    Basic { username: String, password: Secret },
}

/// Makes the credentials of a source.
#[derive(Debug)]
pub(super) struct Keyring {
    authenticator: Authenticator,
    secrets_dir: PathBuf,
    tokens: Holder,
}

impl Authenticator {
    /// Pushes a problem for each value that makes no sense.
    pub fn check(&self, at: &str, problems: &mut Problems) {
        match self {
            Self::None {} => {}
            Self::ApiKey { header, query, key_file } => {
                let one = header.is_some() != query.is_some();
                require(one, at, "needs exactly one of header and query", problems);
                let valid = header.as_ref().is_none_or(|name| HeaderName::try_from(name).is_ok());
                require(valid, &format!("{at}.header"), "is not a header name", problems);
                key_file.check(&format!("{at}.key_file"), problems);
            }
            Self::Basic { username, password_file } => {
                let fine = !username.is_empty() && !username.contains(':');
                let message = "must not be empty and must not hold ':'";
                require(fine, &format!("{at}.username"), message, problems);
                password_file.check(&format!("{at}.password_file"), problems);
            }
            Self::Bearer { token_file } => {
                token_file.check(&format!("{at}.token_file"), problems);
            }
            Self::Oauth2ClientCredentials { token_url, client_id, client_secret_file, .. } => {
                let url_at = format!("{at}.token_url");
                require(!token_url.contains("{{"), &url_at, "cannot be a template", problems);
                check_url(token_url, &url_at, problems);
                let named = !client_id.is_empty();
                require(named, &format!("{at}.client_id"), "must not be empty", problems);
                client_secret_file.check(&format!("{at}.client_secret_file"), problems);
            }
        }
    }

    /// Whether a certificate store is needed to authenticate.
    pub(super) fn needs_tls(&self) -> bool {
        matches!(self, Self::Oauth2ClientCredentials { token_url, .. }
            if token_url.starts_with("https"))
    }
}

impl Credential {
    /// A signed request to `url`; a configured header never replaces the credential's.
    pub(super) fn sign(
        &self,
        client: &Client,
        mut url: Url,
        mut headers: HeaderMap,
    ) -> RequestBuilder {
        match self {
            Self::Nothing => client.get(url).headers(headers),
            Self::Header { name, value, .. } => {
                headers.insert(name, value.clone());
                client.get(url).headers(headers)
            }
            Self::Query { name, value } => {
                set_pair(&mut url, name, value.expose());
                client.get(url).headers(headers)
            }
            Self::Basic { username, password } => {
                client.get(url).headers(headers).basic_auth(username, Some(password.expose()))
            }
        }
    }
}

impl Keyring {
    pub(super) fn new(authenticator: Authenticator, secrets_dir: PathBuf) -> Self {
        Self { authenticator, secrets_dir, tokens: Holder::default() }
    }

    /// The credential to try now.
    pub(super) async fn credential(&self, client: &Client) -> Result<Credential, Failure> {
        self.newer_than(0, client).await
    }

    /// Another credential after `refused` met a 401, or `None` if there is nothing new to try.
    pub(super) async fn renewed(
        &self,
        refused: &Credential,
        client: &Client,
    ) -> Result<Option<Credential>, Failure> {
        let Credential::Header { value: old, generation, .. } = refused else { return Ok(None) };
        match &self.authenticator {
            Authenticator::None {} | Authenticator::ApiKey { .. } | Authenticator::Basic { .. } => {
                Ok(None)
            }
            Authenticator::Bearer { .. } | Authenticator::Oauth2ClientCredentials { .. } => {
                let new = self.newer_than(*generation, client).await?;
                let differs = matches!(&new, Credential::Header { value, generation: newer, .. }
                    if value != old || newer != generation);
                Ok(differs.then_some(new))
            }
        }
    }

    async fn newer_than(&self, refused: u64, client: &Client) -> Result<Credential, Failure> {
        match &self.authenticator {
            Authenticator::None {} => Ok(Credential::Nothing),
            Authenticator::ApiKey { header, query, key_file } => {
                let key = key_file.read(&self.secrets_dir).await?;
                Ok(api_key(header.as_deref(), query.as_deref(), key)?)
            }
            Authenticator::Basic { username, password_file } => {
                let password = password_file.read(&self.secrets_dir).await?;
                Ok(Credential::Basic { username: username.clone(), password })
            }
            Authenticator::Bearer { token_file } => {
                let token = token_file.read(&self.secrets_dir).await?;
                Ok(authorization(bearer(&token)?, 0))
            }
            Authenticator::Oauth2ClientCredentials { .. } => {
                let token = self.tokens.newer_than(refused, self.fetch_token(client)).await?;
                Ok(authorization(token.bearer, token.generation))
            }
        }
    }

    async fn fetch_token(&self, client: &Client) -> Result<Granted, Failure> {
        let Authenticator::Oauth2ClientCredentials {
            token_url,
            client_id,
            client_secret_file,
            scope,
            style,
        } = &self.authenticator
        else {
            return Err(refused("there is no token endpoint").into());
        };
        let secret = client_secret_file.read(&self.secrets_dir).await?;
        let url = Url::parse(token_url).map_err(|_| refused("token_url is not an address"))?;
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(scope.as_deref().map(|scope| ("scope", scope)));
        let request = match style {
            ClientStyle::Form => {
                form.extend([
                    ("client_id", client_id.as_str()),
                    ("client_secret", secret.expose()),
                ]);
                client.post(url)
            }
            // RFC 6749, section 2.3.1: both parts are form-encoded before they are joined.
            ClientStyle::Basic => client
                .post(url)
                .basic_auth(form_encoded(client_id), Some(form_encoded(secret.expose()))),
        };
        let answer = client.fetch(TOKEN_LABEL, request.form(&form), TOKEN_LIMIT).await?;
        if !answer.status.is_success() {
            return Err(super::run::judge_status(TOKEN_LABEL, &answer, Reason::Auth));
        }
        Ok(Granted::read(TOKEN_LABEL, &answer.body)?)
    }
}

fn api_key(
    header: Option<&str>,
    query: Option<&str>,
    key: Secret,
) -> Result<Credential, PullError> {
    match (header, query) {
        (Some(name), None) => {
            let name = HeaderName::try_from(name)
                .map_err(|_| refused("the key's header is not a header name"))?;
            Ok(Credential::Header { name, value: sensitive(key.expose())?, generation: 0 })
        }
        (None, Some(name)) => Ok(Credential::Query { name: name.to_owned(), value: key }),
        _ => Err(refused("a key needs exactly one of header and query")),
    }
}

fn authorization(value: HeaderValue, generation: u64) -> Credential {
    Credential::Header { name: AUTHORIZATION, value, generation }
}

fn form_encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn refused(detail: &str) -> PullError {
    PullError::refused(Reason::Auth, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_and_a_secret_inline_is_an_unknown_setting() {
        for yaml in [
            "{kind: none}",
            "{kind: api_key, header: X-Key, key_file: k}",
            "{kind: basic, username: u, password_file: p}",
            "{kind: bearer, token_file: t}",
            "{kind: oauth2_client_credentials, token_url: 'https://h/t', client_id: c,
              client_secret_file: s, style: basic, scope: read}",
        ] {
            let authenticator: Authenticator = serde_saphyr::from_str(yaml).unwrap();
            let mut problems = Problems::new();
            authenticator.check("authenticator", &mut problems);
            assert!(problems.is_empty(), "{problems:?}");
        }
        for yaml in [
            "{kind: none, key_file: k}",
            "{kind: bearer, token: CANARY}",
            "{kind: basic, username: u, password_file: p, password: CANARY}",
            "{kind: digest}",
        ] {
            assert!(serde_saphyr::from_str::<Authenticator>(yaml).is_err(), "{yaml}");
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_problems_that_repeat_no_secret() {
        let mut problems = Problems::new();
        for yaml in [
            "{kind: api_key, key_file: k}",
            "{kind: api_key, header: 'X Y', query: q, key_file: 'CANARY+/='}",
            "{kind: basic, username: 'a:b', password_file: p}",
            "{kind: oauth2_client_credentials, token_url: 'http://u:CANARY@h/t', client_id: '',
              client_secret_file: s}",
        ] {
            let authenticator: Authenticator = serde_saphyr::from_str(yaml).unwrap();
            authenticator.check("a", &mut problems);
        }
        let places: Vec<_> = problems.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(
            places,
            ["a", "a", "a.header", "a.key_file", "a.username", "a.token_url", "a.client_id"]
        );
        assert!(!format!("{problems:?}").contains("CANARY"));
    }
}

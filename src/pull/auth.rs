//! The ways in which a source wants to know who asks, as a configuration writes them.
//!
//! A kind is one variant here; what it does when a request is made stands in `keyring`.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::header::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::assertion::{self, Algorithm, Claims};
use super::headers::Headers;
use super::oauth::{ClientStyle, TokenCall};
use super::secret::SecretFile;
use super::session::Login;
use super::stream::Scalar;
use super::{Problems, require};
use crate::model::units::Span;

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
    /// A client certificate, shown in the handshake of every connection.
    Mtls {
        /// The file that holds it, with those that lead to its authority (PEM).
        certificate_file: SecretFile,
        /// The file that holds its key (PEM).
        key_file: SecretFile,
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
        /// Further fields of the form; values may hold `{{ secret.FILE }}`.
        #[serde(default)]
        form: BTreeMap<String, Scalar>,
        /// Further headers of the call; values may hold `{{ secret.FILE }}`.
        #[serde(default)]
        headers: Headers,
    },
    /// An OAuth2 refresh token (RFC 6749, section 6), which may be replaced with each use.
    Oauth2RefreshToken {
        /// Where tokens are issued.
        token_url: String,
        /// The gateway's name there.
        client_id: String,
        /// The file that holds the client secret, if there is one.
        client_secret_file: Option<SecretFile>,
        /// The file that holds the first refresh token; its successors are kept beside the store.
        refresh_token_file: SecretFile,
        /// What the token should allow.
        scope: Option<String>,
        /// How the client credentials are sent.
        #[serde(default)]
        style: ClientStyle,
        /// Further fields of the form; values may hold `{{ secret.FILE }}`.
        #[serde(default)]
        form: BTreeMap<String, Scalar>,
        /// Further headers of the call; values may hold `{{ secret.FILE }}`.
        #[serde(default)]
        headers: Headers,
    },
    /// An assertion that is signed with a key (RFC 7523) and exchanged for a token.
    JwtBearer {
        /// Where tokens are issued.
        token_url: String,
        /// The file that holds the key.
        key_file: SecretFile,
        /// How it signs.
        algorithm: Algorithm,
        /// The name of the key (`kid`).
        key_id: Option<String>,
        /// Who says so (`iss`).
        issuer: String,
        /// On whose behalf (`sub`); the issuer's own when absent.
        subject: Option<String>,
        /// To whom (`aud`); the token endpoint when absent.
        audience: Option<String>,
        /// How long an assertion holds.
        #[serde(default = "five_minutes")]
        life: Span,
        /// Further claims.
        #[serde(default)]
        claims: BTreeMap<String, Value>,
        /// What the token should allow.
        scope: Option<String>,
        /// Further fields of the form; values may hold `{{ secret.FILE }}`.
        #[serde(default)]
        form: BTreeMap<String, Scalar>,
        /// Further headers of the call; values may hold `{{ secret.FILE }}`.
        #[serde(default)]
        headers: Headers,
    },
    /// A session that a login opens; its token goes into exactly one of header, query and body.
    SessionToken {
        /// The call that opens it.
        login: Login,
        /// The header that carries the token.
        header: Option<String>,
        /// What stands before the token in the header, such as `Bearer ` with its blank.
        #[serde(default)]
        prefix: String,
        /// The query parameter that carries the token.
        query: Option<String>,
        /// Where the token stands in the body of each request (JSON pointer).
        body: Option<String>,
    },
}

fn five_minutes() -> Span {
    Span::seconds(300)
}

impl Authenticator {
    /// Pushes a problem for each value that makes no sense.
    pub fn check(&self, at: &str, problems: &mut Problems) {
        if let Some(call) = self.token_call() {
            call.check(at, problems);
        }
        match self {
            Self::None {} | Self::Oauth2ClientCredentials { .. } => {}
            Self::ApiKey { header, query, key_file } => {
                let one = header.is_some() != query.is_some();
                require(one, at, "needs exactly one of header and query", problems);
                check_header(header.as_deref(), at, problems);
                key_file.check(&format!("{at}.key_file"), problems);
            }
            Self::Basic { username, password_file } => {
                let fine = !username.is_empty() && !username.contains(':');
                let message = "must not be empty and must not hold ':'";
                require(fine, &format!("{at}.username"), message, problems);
                password_file.check(&format!("{at}.password_file"), problems);
            }
            Self::Mtls { certificate_file, key_file } => {
                certificate_file.check(&format!("{at}.certificate_file"), problems);
                key_file.check(&format!("{at}.key_file"), problems);
            }
            Self::Bearer { token_file } => {
                token_file.check(&format!("{at}.token_file"), problems);
            }
            Self::Oauth2RefreshToken { refresh_token_file, .. } => {
                refresh_token_file.check(&format!("{at}.refresh_token_file"), problems);
            }
            Self::JwtBearer { key_file, .. } => {
                key_file.check(&format!("{at}.key_file"), problems);
                if let Some(claims) = self.claims() {
                    assertion::check(&claims, at, problems);
                }
            }
            Self::SessionToken { login, header, query, body, .. } => {
                login.check(&format!("{at}.login"), problems);
                let places = [header.is_some(), query.is_some(), body.is_some()];
                let one = places.into_iter().filter(|is_there| *is_there).count() == 1;
                require(one, at, "needs exactly one of header, query and body", problems);
                check_header(header.as_deref(), at, problems);
                let fine = body.as_ref().is_none_or(|pointer| pointer.starts_with('/'));
                let message = "must be a JSON pointer such as /session";
                require(fine, &format!("{at}.body"), message, problems);
            }
        }
    }

    /// Whether requests must have a body to carry the token.
    pub fn writes_body(&self) -> bool {
        matches!(self, Self::SessionToken { body: Some(_), .. })
    }

    /// The files of the certificate and the key that connections are made with.
    pub(super) fn identity(&self) -> Option<(&SecretFile, &SecretFile)> {
        match self {
            Self::Mtls { certificate_file, key_file } => Some((certificate_file, key_file)),
            _ => None,
        }
    }

    /// Whether a certificate store is needed to authenticate.
    pub(super) fn needs_tls(&self) -> bool {
        let endpoint = match self {
            Self::SessionToken { login, .. } => Some(login.url.as_str()),
            _ => self.token_call().map(|call| call.token_url),
        };
        endpoint.is_some_and(|url| url.starts_with("https"))
    }

    /// Adds the secret files that are used to authenticate.
    pub(super) fn add_secrets(&self, files: &mut BTreeSet<String>) {
        let mut add = |file: &SecretFile| _ = files.insert(file.name().to_owned());
        match self {
            // Files of certificates are looked at when a connection is made.
            Self::None {} | Self::Mtls { .. } => {}
            Self::ApiKey { key_file, .. } | Self::JwtBearer { key_file, .. } => add(key_file),
            Self::Basic { password_file, .. } => add(password_file),
            Self::Bearer { token_file } => add(token_file),
            Self::Oauth2ClientCredentials { client_secret_file, .. } => add(client_secret_file),
            Self::Oauth2RefreshToken { client_secret_file, refresh_token_file, .. } => {
                client_secret_file.iter().for_each(&mut add);
                add(refresh_token_file);
            }
            Self::SessionToken { login, .. } => login.add_secrets(files),
        }
        if let Some(call) = self.token_call() {
            call.add_secrets(files);
        }
    }

    /// The call of the token endpoint, for the kinds that have one.
    pub(super) fn token_call(&self) -> Option<TokenCall<'_>> {
        Some(match self {
            Self::Oauth2ClientCredentials {
                token_url,
                client_id,
                client_secret_file,
                scope,
                style,
                form,
                headers,
            } => TokenCall {
                token_url,
                client: Some((client_id, Some(client_secret_file))),
                style: *style,
                scope: scope.as_deref(),
                form,
                headers,
            },
            Self::Oauth2RefreshToken {
                token_url,
                client_id,
                client_secret_file,
                scope,
                style,
                form,
                headers,
                ..
            } => TokenCall {
                token_url,
                client: Some((client_id, client_secret_file.as_ref())),
                style: *style,
                scope: scope.as_deref(),
                form,
                headers,
            },
            Self::JwtBearer { token_url, scope, form, headers, .. } => TokenCall {
                token_url,
                client: None,
                style: ClientStyle::Form,
                scope: scope.as_deref(),
                form,
                headers,
            },
            Self::None {}
            | Self::Mtls { .. }
            | Self::ApiKey { .. }
            | Self::Basic { .. }
            | Self::Bearer { .. }
            | Self::SessionToken { .. } => return None,
        })
    }

    pub(super) fn claims(&self) -> Option<Claims<'_>> {
        let Self::JwtBearer { token_url, issuer, subject, audience, life, claims, .. } = self
        else {
            return None;
        };
        Some(Claims {
            issuer,
            subject: subject.as_deref(),
            audience: audience.as_deref().unwrap_or(token_url),
            life: *life,
            more: claims,
        })
    }
}

/// Pushes a problem unless the header can carry a credential; it may be one that only an
/// authenticator sets.
fn check_header(header: Option<&str>, at: &str, problems: &mut Problems) {
    let valid = header.is_none_or(|name| HeaderName::try_from(name).is_ok());
    require(valid, &format!("{at}.header"), "is not a header name", problems);
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
            "{kind: mtls, certificate_file: c.pem, key_file: k.pem}",
            "{kind: oauth2_client_credentials, token_url: 'https://h/t', client_id: c,
              client_secret_file: s, style: basic, scope: read, form: {audience: a, pin: 7},
              headers: {lgspaccesstoken: {base64: {json: {SecretKey: '{{ secret.k }}'}}}}}",
            "{kind: oauth2_refresh_token, token_url: 'https://h/t', client_id: c,
              refresh_token_file: r}",
            "{kind: jwt_bearer, token_url: 'https://h/t', key_file: k, algorithm: RS256,
              key_id: one, issuer: ioc, audience: portal, life: 1m, claims: {level: 3}}",
            "{kind: session_token, login: {url: 'https://h/login', token_at: /session,
              body: {json: {username: ioc, password: '{{ secret.p }}'}},
              success: {body: /error_code, is: ['0']}}, body: /session}",
            "{kind: session_token, login: {url: 'https://h/login', token_at: /t},
              header: Authorization, prefix: 'Bearer '}",
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
            "{kind: jwt_bearer, token_url: 'https://h/t', key_file: k, algorithm: none, issuer: i}",
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
            "{kind: oauth2_refresh_token, token_url: 'http://h/{{ target }}', client_id: c,
              refresh_token_file: 'CANARY+/=', form: {a: '{{ cursor }}'}}",
            "{kind: jwt_bearer, token_url: 'http://h/t', key_file: k, algorithm: ES256, issuer: '',
              life: 2h, claims: {exp: 1}}",
            "{kind: session_token, login: {url: 'http://h/l', token_at: t}, header: 'X Y', body: b}",
        ] {
            let authenticator: Authenticator = serde_saphyr::from_str(yaml).unwrap();
            authenticator.check("a", &mut problems);
        }
        let places: Vec<_> = problems.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(
            places,
            [
                "a",
                "a",
                "a.header",
                "a.key_file",
                "a.username",
                "a.token_url",
                "a.client_id",
                "a.token_url",
                "a.form.a",
                "a.refresh_token_file",
                "a.issuer",
                "a.life",
                "a.claims.exp",
                "a.login.token_at",
                "a",
                "a.header",
                "a.body",
            ]
        );
        assert!(!format!("{problems:?}").contains("CANARY"));
    }
}

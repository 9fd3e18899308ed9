//! The credentials of a source at run time: made for each attempt, renewed when they run out.
//!
//! Secrets are read from their files at each attempt, so a rotated key needs no restart. After a
//! 401 a credential that can change (a token, a session) is renewed once; one that cannot is final,
//! since asking again with the same key only locks accounts.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::path::PathBuf;
use std::sync::Arc;

use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::Context;
use super::assertion;
use super::auth::Authenticator;
use super::client::Client;
use super::error::{Failure, PullError, Reason};
use super::kept::Kept;
use super::oauth::TokenCall;
use super::paging::set_pair;
use super::request::Outgoing;
use super::secret::{Secret, SecretFile};
use super::token::{Granted, Holder, bearer, sensitive};
use crate::clock::Clock;

/// What one attempt is signed with.
#[derive(Clone, Debug)]
pub(super) struct Credential {
    proof: Proof,
    /// Which token of its kind it is; 0 for what is no token.
    generation: u64,
}

#[derive(Clone, Debug)]
enum Proof {
    Nothing,
    Header { name: HeaderName, value: HeaderValue },
    Query { name: String, value: Secret },
    Body { pointer: String, value: Secret },
    Basic { username: String, password: Secret },
}

/// Makes the credentials of a source.
#[derive(Debug)]
pub(super) struct Keyring {
    authenticator: Authenticator,
    secrets_dir: PathBuf,
    state_dir: PathBuf,
    clock: Clock,
    tokens: Arc<Holder>,
    /// Seeded anew for each source, so a fingerprint tells nothing to anybody else.
    fingerprints: RandomState,
}

impl Credential {
    const NOTHING: Self = Self { proof: Proof::Nothing, generation: 0 };

    /// The request with what proves who asks; a configured header never replaces the credential's.
    pub(super) fn sign(
        &self,
        client: &Client,
        mut request: Outgoing,
    ) -> Result<RequestBuilder, PullError> {
        match &self.proof {
            Proof::Nothing => {}
            Proof::Header { name, value } => {
                request.headers.insert(name, value.clone());
            }
            Proof::Query { name, value } => set_pair(&mut request.url, name, value.expose()),
            Proof::Body { pointer, value } => request.put(pointer, value.expose().into())?,
            Proof::Basic { username, password } => {
                let request = request.build(client);
                return Ok(request.basic_auth(username, Some(password.expose())));
            }
        }
        Ok(request.build(client))
    }

    /// Whether it is one of several tokens, and not the secret itself.
    pub(super) fn is_token(&self) -> bool {
        self.generation > 0
    }

    /// Whether `other` proves the same in the same way.
    fn is_as_good_as(&self, other: &Self) -> bool {
        let same = match (&self.proof, &other.proof) {
            (Proof::Header { value, .. }, Proof::Header { value: other, .. }) => value == other,
            (Proof::Query { value, .. }, Proof::Query { value: other, .. })
            | (Proof::Body { value, .. }, Proof::Body { value: other, .. }) => value == other,
            _ => true,
        };
        same && self.generation == other.generation
    }
}

impl Keyring {
    pub(super) fn new(authenticator: Authenticator, context: &Context) -> Self {
        let tokens = context.holders.of(format!("{authenticator:?}"));
        Self {
            authenticator,
            secrets_dir: context.secrets_dir.clone(),
            state_dir: context.state_dir.clone(),
            clock: context.clock.clone(),
            tokens,
            fingerprints: RandomState::new(),
        }
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
        match &self.authenticator {
            Authenticator::None {}
            | Authenticator::Mtls { .. }
            | Authenticator::ApiKey { .. }
            | Authenticator::Basic { .. } => Ok(None),
            Authenticator::Bearer { .. }
            | Authenticator::Oauth2ClientCredentials { .. }
            | Authenticator::Oauth2RefreshToken { .. }
            | Authenticator::JwtBearer { .. }
            | Authenticator::SessionToken { .. } => {
                let new = self.newer_than(refused.generation, client).await?;
                Ok((!new.is_as_good_as(refused)).then_some(new))
            }
        }
    }

    /// Tells whether a secret has changed: those of the authenticator and those `needed` besides.
    pub(super) async fn fingerprint(&self, needed: &BTreeSet<String>) -> u64 {
        let mut files = needed.clone();
        self.authenticator.add_secrets(&mut files);
        let mut hasher = self.fingerprints.build_hasher();
        for name in files {
            let secret = SecretFile::new(&name).read(&self.secrets_dir).await.ok();
            (name, secret.as_ref().map(Secret::expose)).hash(&mut hasher);
        }
        hasher.finish()
    }

    async fn newer_than(&self, refused: u64, client: &Client) -> Result<Credential, Failure> {
        match &self.authenticator {
            Authenticator::None {} | Authenticator::Mtls { .. } => Ok(Credential::NOTHING),
            Authenticator::ApiKey { header, query, key_file } => {
                let key = key_file.read(&self.secrets_dir).await?;
                Ok(placed(header.as_deref(), query.as_deref(), None, "", key, 0)?)
            }
            Authenticator::Basic { username, password_file } => {
                let password = password_file.read(&self.secrets_dir).await?;
                let proof = Proof::Basic { username: username.clone(), password };
                Ok(Credential { proof, generation: 0 })
            }
            Authenticator::Bearer { token_file } => {
                let token = token_file.read(&self.secrets_dir).await?;
                Ok(authorization(bearer(&token)?, 0))
            }
            Authenticator::Oauth2ClientCredentials { .. }
            | Authenticator::Oauth2RefreshToken { .. }
            | Authenticator::JwtBearer { .. } => {
                let token = self.tokens.newer_than(refused, self.fetch_token(client)).await?;
                Ok(authorization(bearer(&token.secret)?, token.generation))
            }
            Authenticator::SessionToken { login, header, prefix, query, body } => {
                let open = login.open(client, &self.secrets_dir);
                let token = self.tokens.newer_than(refused, open).await?;
                let [header, query, body] = [header, query, body].map(Option::as_deref);
                Ok(placed(header, query, body, prefix, token.secret, token.generation)?)
            }
        }
    }

    async fn fetch_token(&self, client: &Client) -> Result<Granted, Failure> {
        let Some(call) = self.authenticator.token_call() else {
            return Err(refused("there is no token endpoint").into());
        };
        match &self.authenticator {
            Authenticator::Oauth2RefreshToken { refresh_token_file, .. } => {
                self.refresh(client, &call, refresh_token_file).await
            }
            Authenticator::JwtBearer { key_file, algorithm, key_id, .. } => {
                let Some(claims) = self.authenticator.claims() else {
                    return Err(refused("there is nothing to assert").into());
                };
                let key = key_file.read(&self.secrets_dir).await?;
                let now = self.clock.now();
                let assertion = assertion::sign(&claims, *algorithm, &key, key_id.as_deref(), now)?;
                let grant = [("grant_type", assertion::GRANT), ("assertion", assertion.expose())];
                call.ask(client, &self.secrets_dir, &grant).await
            }
            _ => {
                let grant = [("grant_type", "client_credentials")];
                call.ask(client, &self.secrets_dir, &grant).await
            }
        }
    }

    /// Refreshes, and keeps the successor of the refresh token before anything else is done. If the
    /// refresh token was used up by another process meanwhile, what that process kept is tried.
    async fn refresh(
        &self,
        client: &Client,
        call: &TokenCall<'_>,
        seed: &SecretFile,
    ) -> Result<Granted, Failure> {
        let (secrets_dir, state_dir) = (&self.secrets_dir, &self.state_dir);
        let kept = Kept { seed, secrets_dir, state_dir };
        let mut used = kept.current().await?;
        let ask = async |token: &Secret| {
            let grant = [("grant_type", "refresh_token"), ("refresh_token", token.expose())];
            call.ask(client, secrets_dir, &grant).await
        };
        let mut outcome = ask(&used).await;
        if matches!(&outcome, Err(failure) if failure.error.reason() == Reason::Auth) {
            let newest = kept.current().await?;
            if newest != used {
                used = newest;
                outcome = ask(&used).await;
            }
        }
        let granted = outcome?;
        if let Some(new) = granted.refresh_token.as_ref().filter(|new| **new != used) {
            kept.replace(&used, new).await?;
        }
        Ok(granted)
    }
}

/// The credential that carries `value` in the one place that is named.
fn placed(
    header: Option<&str>,
    query: Option<&str>,
    body: Option<&str>,
    prefix: &str,
    value: Secret,
    generation: u64,
) -> Result<Credential, PullError> {
    let proof = match (header, query, body) {
        (Some(name), None, None) => {
            let name = HeaderName::try_from(name)
                .map_err(|_| refused("the header of the credential is not a header name"))?;
            Proof::Header { name, value: sensitive(&format!("{prefix}{}", value.expose()))? }
        }
        (None, Some(name), None) => Proof::Query { name: name.to_owned(), value },
        (None, None, Some(pointer)) => Proof::Body { pointer: pointer.to_owned(), value },
        _ => return Err(refused("a credential needs exactly one place")),
    };
    Ok(Credential { proof, generation })
}

fn authorization(value: HeaderValue, generation: u64) -> Credential {
    Credential { proof: Proof::Header { name: AUTHORIZATION, value }, generation }
}

fn refused(detail: &str) -> PullError {
    PullError::refused(Reason::Auth, detail)
}

//! The HTTP proxy that a source is asked through, if its configuration names one.
//!
//! The environment's proxies are ignored: where requests go is configuration. Through a proxy it is
//! the proxy that resolves names, so the networks of a source are the proxy's business then.

use reqwest::header::HeaderValue;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::client::check_url;
use super::error::{PullError, Reason};
use super::secret::SecretFile;
use super::{Problems, require};

/// An HTTP proxy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// `http://` address and port.
    pub url: String,
    /// The gateway's name there.
    #[serde(default)]
    pub username: Option<String>,
    /// The file that holds its password; read when the gateway starts.
    #[serde(default)]
    pub password_file: Option<SecretFile>,
}

impl Proxy {
    /// Pushes a problem for each value that makes no sense.
    pub fn check(&self, at: &str, problems: &mut Problems) {
        let url_at = format!("{at}.url");
        require(!self.url.contains("{{"), &url_at, "cannot be a template", problems);
        check_url(&self.url, &url_at, problems);
        let both = self.username.is_some() == self.password_file.is_some();
        require(both, at, "needs username and password_file, or neither of them", problems);
        let fine =
            self.username.as_ref().is_none_or(|name| !name.is_empty() && !name.contains(':'));
        let message = "must not be empty and must not hold ':'";
        require(fine, &format!("{at}.username"), message, problems);
        if let Some(file) = &self.password_file {
            file.check(&format!("{at}.password_file"), problems);
        }
    }

    /// Where it stands.
    pub(super) fn address(&self) -> Result<Url, PullError> {
        Url::parse(&self.url).map_err(|_| refused("proxy.url is not an address".to_owned()))
    }

    /// The proxy with its credentials, read from `secrets`.
    pub(super) fn ready(&self, secrets: &std::path::Path) -> Result<reqwest::Proxy, PullError> {
        let proxy = reqwest::Proxy::all(self.address()?.as_str())
            .map_err(|_| refused("proxy.url is not an address of a proxy".to_owned()))?;
        let (Some(username), Some(file)) = (&self.username, &self.password_file) else {
            return Ok(proxy);
        };
        let password = file.read_now(secrets)?;
        if HeaderValue::try_from(password.expose()).is_err() {
            return Err(refused("the proxy's password holds what no header can carry".to_owned()));
        }
        Ok(proxy.basic_auth(username, password.expose()))
    }
}

fn refused(detail: String) -> PullError {
    PullError::refused(Reason::Auth, detail)
}

//! A running gateway, asked over its API by a command.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde_json::Value;
use url::Url;

/// How long a command waits for an answer: a replay may take its time.
const PATIENCE: Duration = Duration::from_mins(10);

/// The gateway at an address.
pub(super) struct Remote {
    client: reqwest::Client,
    base: Url,
    /// The key to show, if one was given; it must not be printed.
    key: Option<String>,
}

/// The key that a file holds.
fn key_in(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the key in {}", path.display()))?;
    let key = text.trim();
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(anyhow!("{} holds no key", path.display()));
    }
    Ok(key.to_owned())
}

/// The gateway cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error(
    "no gateway answers at {0}; is it running? Without --url the command works on the store itself"
)]
pub(super) struct Unreachable(String);

impl Remote {
    /// Asks with the key in `key_file`, if there is one.
    pub(super) fn new(base: &Url, key_file: Option<&Path>) -> anyhow::Result<Self> {
        let key = key_file.map(key_in).transpose()?;
        // Someone else may have installed it before; any provider does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .timeout(PATIENCE);
        if base.scheme() == "http" {
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().context("no HTTP client can be made")?;
        Ok(Self { client, base: base.clone(), key })
    }

    /// Reads a path with query parameters.
    pub(super) async fn get(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<Value> {
        let mut url = self.url(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.answer(self.client.get(url)).await
    }

    /// Writes a JSON body to a path.
    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.write(self.client.post(self.url(path)?), body).await
    }

    /// Changes what stands at a path.
    pub(super) async fn patch(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.write(self.client.patch(self.url(path)?), body).await
    }

    /// Ends what stands at a path.
    pub(super) async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.answer(self.client.delete(self.url(path)?)).await
    }

    async fn write(&self, request: reqwest::RequestBuilder, body: &Value) -> anyhow::Result<Value> {
        let request = request.header("content-type", "application/json").body(body.to_string());
        self.answer(request).await
    }

    fn url(&self, path: &str) -> anyhow::Result<Url> {
        // What is said after a base must not replace it, however it was written.
        let mut base = self.base.clone();
        if !base.path().ends_with('/') {
            let below = format!("{}/", base.path());
            base.set_path(&below);
        }
        let path = path.trim_start_matches('/');
        base.join(path).with_context(|| format!("{} is no address of a gateway", self.base))
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let request = match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        let answer =
            request.send().await.map_err(|_| Unreachable(self.base.as_str().to_owned()))?;
        let status = answer.status();
        let body = answer.bytes().await.context("the gateway's answer broke off")?;
        let body: Value = serde_json::from_slice(&body)
            .map_err(|_| anyhow!("{} does not answer like a gateway ({status})", self.base))?;
        if status.is_success() {
            return Ok(body);
        }
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        Err(anyhow!("{} ({status}): {}", text("title"), text("detail")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_below_the_base_however_it_is_written() {
        for (base, whole) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/sources"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/v1/sources"),
            ("https://ioc.example/gateway", "https://ioc.example/gateway/v1/sources"),
            ("https://ioc.example/a/b/", "https://ioc.example/a/b/v1/sources"),
        ] {
            let remote = Remote::new(&Url::parse(base).unwrap(), None).unwrap();
            assert_eq!(remote.url("/v1/sources").unwrap().as_str(), whole, "{base}");
        }
    }
}

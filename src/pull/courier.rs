//! One POST to an address that whoever holds a key has named: the strictest of the gateway's clients.
//!
//! It goes to `https`, to an address of the open net; private networks, this machine and plain `http` only
//! where `webhooks.allow` of `iocgw.yaml` names the network. The address that was checked is the one that
//! is connected to ([`super::address`]). No redirect is followed, no proxy is asked, and the body of the
//! answer is not read: nobody can make the gateway fetch anything.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use url::Url;

use super::address::{Lookup, Networks, Policy, Resolver};
use super::error::{PullError, Reason, of_sending};
use super::retry::http_date;
use super::tls::{self, Expiry, Tls};
use super::{Problems, Retry};
use crate::model::time::Stamp;
use crate::model::units::Span;

/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long all of it may take, up to the head of the answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// The longest address.
const LONGEST_ADDRESS: usize = 1000;

/// Headers of one answer.
const MOST_HEADERS: usize = 100;

/// `webhooks` of `iocgw.yaml`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CourierSettings {
    /// How often is looked for changes: what changed in between is one message.
    pub every: Span,
    /// Networks that webhooks may be sent to besides the open net, there by plain `http` too.
    pub allow: Networks,
    /// Whom receivers must prove to be.
    pub tls: Tls,
}

impl Default for CourierSettings {
    fn default() -> Self {
        Self { every: Span::seconds(5), allow: Networks::default(), tls: Tls::default() }
    }
}

impl CourierSettings {
    /// Pushes a problem for each value that makes no sense.
    pub fn check(&self, at: &str, problems: &mut Problems) {
        if !(1..=3600).contains(&self.every.as_seconds()) {
            problems.push((format!("{at}.every"), "must be from 1s to 1h".to_owned()));
        }
        self.tls.check(&format!("{at}.tls"), problems);
    }
}

/// Sends messages to where they were asked for.
#[derive(Debug)]
pub struct Courier {
    settings: CourierSettings,
    secrets: PathBuf,
    /// Made when it is needed: a machine without authorities can still send within its own networks.
    safely: OnceCell<reqwest::Client>,
    plainly: OnceCell<reqwest::Client>,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The status.
    pub status: u16,
    /// How long the other side asks to be left alone.
    pub wait: Option<Duration>,
}

impl Courier {
    /// A courier under these settings; files are of the folder `secrets`.
    pub fn new(settings: CourierSettings, secrets: PathBuf) -> Self {
        let (safely, plainly) = (OnceCell::new(), OnceCell::new());
        Self { settings, secrets, safely, plainly }
    }

    /// Whether something may be sent there, as far as the address itself tells; why not, in plain words
    /// that do not repeat it.
    pub fn check(&self, url: &str) -> Result<(), String> {
        self.admit(url).map(drop)
    }

    fn admit(&self, url: &str) -> Result<Url, String> {
        if url.len() > LONGEST_ADDRESS {
            return Err(format!("the address is longer than {LONGEST_ADDRESS} bytes"));
        }
        let parsed = Url::parse(url).map_err(|_| "it is not an address")?;
        let is_plain = match parsed.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err("the address must begin with https://".to_owned()),
        };
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("the address must not hold credentials: messages are signed".to_owned());
        }
        if parsed.fragment().is_some() || parsed.host().is_none() {
            return Err("it is not an address that anything can be sent to".to_owned());
        }
        if is_plain && self.settings.allow.is_empty() {
            return Err(
                "http:// is taken only within the networks of webhooks.allow in iocgw.yaml; \
                        use https://"
                    .to_owned(),
            );
        }
        self.policy(is_plain).check_host(&parsed).map_err(|_| refused())?;
        Ok(parsed)
    }

    fn policy(&self, is_plain: bool) -> Policy {
        let (allow, nowhere) = (self.settings.allow.clone(), Networks::default());
        let (own, shared) = if is_plain { (allow, nowhere) } else { (nowhere, allow) };
        Policy { own, shared, keeps_out_private: true }
    }

    /// Sends it; why it did not arrive, in plain words.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: String,
        now: Stamp,
    ) -> Result<Posted, String> {
        let url = self.admit(url)?;
        let http = self.client(url.scheme() == "http").await?;
        let mut request = http.post(url).header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let Ok(sent) = timeout(ANSWER_WITHIN, request.body(body).send()).await else {
            return Err(format!("no answer within {}", Span(ANSWER_WITHIN)));
        };
        let response = sent.map_err(|error| told(&of_sending("sending", &error)))?;
        let text = |name| response.headers().get(name)?.to_str().ok();
        let answered = text(header::DATE).and_then(http_date).unwrap_or(now);
        let retry = Retry { retry_after_cap: Span::seconds(86_400), ..Retry::default() };
        let wait = text(header::RETRY_AFTER).and_then(|header| retry.asked(header, answered));
        // The body is not read: the connection ends with the response.
        Ok(Posted { status: response.status().as_u16(), wait })
    }

    async fn client(&self, is_plain: bool) -> Result<&reqwest::Client, String> {
        let cell = if is_plain { &self.plainly } else { &self.safely };
        cell.get_or_try_init(|| async { self.made(is_plain) }).await
    }

    fn made(&self, is_plain: bool) -> Result<reqwest::Client, String> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("iocgw/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Resolver {
                policy: self.policy(is_plain),
                patience: CONNECT_WITHIN,
                lookup: Lookup::default(),
            })
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .http1_max_headers(MOST_HEADERS)
            .connect_timeout(CONNECT_WITHIN)
            .pool_max_idle_per_host(0);
        let builder = if is_plain {
            // Someone else may have installed it before; any provider does.
            let _ = rustls::crypto::ring::default_provider().install_default();
            builder.tls_certs_only([])
        } else {
            let expiry = Arc::new(Expiry::default());
            let tls = tls::configuration(&self.settings.tls, None, &self.secrets, &expiry);
            builder.tls_backend_preconfigured(tls.map_err(|error| error.to_string())?)
        };
        builder.build().map_err(|_| "no HTTP client can be made".to_owned())
    }
}

/// What went wrong, for those who may not learn where our networks are.
fn told(error: &PullError) -> String {
    match error.reason() {
        Reason::Address => refused(),
        _ => error.to_string(),
    }
}

fn refused() -> String {
    "the address stands where nothing is sent: in a private network, on this machine or its wire; \
     webhooks.allow in iocgw.yaml names the networks that are taken all the same"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn courier(allow: &str) -> Courier {
        let settings =
            CourierSettings { allow: allow.parse().unwrap(), ..CourierSettings::default() };
        Courier::new(settings, PathBuf::new())
    }

    #[test]
    fn s22_nobody_can_have_messages_sent_into_our_networks() {
        let courier = courier("");
        for url in [
            "http://example.org/",
            "https://127.0.0.1/",
            "https://0x7f000001/",
            "https://10.0.0.1/hook",
            "https://192.168.1.1/",
            "https://169.254.169.254/latest",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://name:CANARY@example.org/",
            "https://example.org/#x",
            "ftp://example.org/",
            "example.org",
            "",
        ] {
            let refused = courier.check(url).unwrap_err();
            assert!(!refused.contains("CANARY") && !refused.contains("169.254"), "{refused}");
        }
        assert_eq!(courier.check("https://example.org/hooks?token=x"), Ok(()));
        assert!(courier.check(&format!("https://example.org/{}", "x".repeat(2000))).is_err());
    }

    #[test]
    fn plain_http_goes_only_to_networks_that_are_named() {
        let courier = courier("10.20.0.0/16, 127.0.0.0/8");
        assert_eq!(courier.check("http://10.20.1.1/hook"), Ok(()));
        assert_eq!(courier.check("http://127.0.0.1:8080/"), Ok(()));
        assert_eq!(courier.check("https://10.20.1.1/hook"), Ok(()));
        assert!(courier.check("http://10.21.0.1/").is_err());
        assert!(courier.check("http://203.0.113.7/").is_err());
        assert_eq!(courier.check("https://203.0.113.7/"), Ok(()));
    }

    #[tokio::test]
    async fn s22_a_name_that_leads_into_our_networks_is_not_connected_to() {
        // Whatever this machine's resolver says of the name, it is this machine.
        let courier = courier("10.20.0.0/16");
        let sent = courier.post("https://localhost:1/", &[], String::new(), Stamp(0));
        let refused = sent.await.unwrap_err();
        assert!(refused.contains("webhooks.allow"), "{refused}");
    }
}

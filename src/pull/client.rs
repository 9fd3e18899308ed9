//! One HTTP exchange under hard limits: where the gateway builds the HTTP clients of sources.
//!
//! An exchange ends in an [`Answer`] that is whole, or in a [`Failure`]; never in half a body.
//! The whole of it stands under one deadline, the pieces of the body under another; the head is
//! counted, the body is counted before and after unpacking, and who answers too slowly is left
//! alone. The body of a refusal is not read, unless a rule asks for a code in it: nobody may log it. Redirects are off, and so
//! are proxies of the environment and silent retries of the library.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{RequestBuilder, Response, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::{Instant, timeout};
use url::Url;

use super::address::{Networks, Policy, Resolver};
use super::coding::{self, Body, Bounds, Spoilt};
use super::error::{self, Failure, PullError, Reason};
use super::headers::{self, Headers};
use super::outbound::Outbound;
use super::proxy::Proxy;
use super::retry::http_date;
use super::rule::{self, Rule, Wanted};
use super::secret::SecretFile;
use super::template::{self, Place};
use super::tls::{self, Expiry, Tls};
use super::{Problems, require};
use crate::model::time::Stamp;
use crate::model::units::{Size, Span};

const USER_AGENT: &str = concat!("iocgw/", env!("CARGO_PKG_VERSION"));

/// Headers of one answer.
const MOST_HEADERS: usize = 100;

/// Where a source lives and how much of our time and memory one answer may take.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requester {
    /// `http://` or `https://` address that the paths of streams are appended to; may hold
    /// `{{ target }}`.
    pub url: String,
    /// Deadline of a whole request, from connecting to the last byte.
    #[serde(default = "twenty_seconds")]
    pub timeout: Span,
    /// Deadline of connecting.
    #[serde(default = "five_seconds")]
    pub connect_timeout: Span,
    /// Longest silence between two pieces of a body.
    #[serde(default = "ten_seconds")]
    pub idle_timeout: Span,
    /// Longest body, counted after decompression.
    #[serde(default = "default_body_limit")]
    pub body_limit: Size,
    /// How many times longer than on the wire a body may be once it is decompressed; one below
    /// 1MiB may be anything.
    #[serde(default = "two_hundred")]
    pub ratio_limit: u64,
    /// Longest head of an answer: all names and values of its headers, which are at most 100.
    #[serde(default = "default_header_limit")]
    pub header_limit: Size,
    /// The slowest that a body may arrive.
    #[serde(default)]
    pub minimum_rate: MinimumRate,
    /// The only networks that the source may stand in, such as `10.20.0.0/16`. By default any but
    /// this machine (loopback), its neighbours on the wire (link-local) and clouds' metadata.
    #[serde(default)]
    pub allowed_networks: Networks,
    /// What is done about a redirect.
    #[serde(default)]
    pub redirects: Redirects,
    /// Whom the source must prove to be.
    #[serde(default)]
    pub tls: Tls,
    /// The HTTP proxy that it is asked through; the environment's are ignored.
    #[serde(default)]
    pub proxy: Option<Proxy>,
    /// Further request headers; values may hold templates.
    #[serde(default)]
    pub headers: Headers,
    /// How many requests may be under way at once, over all streams and targets.
    #[serde(default = "eight")]
    pub at_once: u32,
}

/// What is done about a redirect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Redirects {
    /// It is an error: configure where the source really is.
    #[default]
    Never,
    /// Up to three are followed, as long as scheme, host and port stay the same.
    SameOrigin,
}

/// The slowest that a body may arrive: who drips is taken for one who hangs.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MinimumRate {
    /// So many bytes on the wire; 0 lets every pace pass.
    pub bytes: Size,
    /// In each stretch of this length.
    pub per: Span,
}

impl Default for MinimumRate {
    fn default() -> Self {
        Self { bytes: Size(1 << 10), per: Span::seconds(10) }
    }
}

/// A whole answer; `body` is only read for 2xx, and for others as far as a rule asks for it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    pub(super) is_framed: bool,
    pub(super) date: Option<Stamp>,
    pub(super) retry_after: Option<String>,
    /// The rules that fit all but the body.
    pub(super) rules: Vec<usize>,
    /// The values of its `Link` headers.
    pub(super) links: Vec<String>,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
}

/// The HTTP client of one source.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    policy: Policy,
    expiry: Arc<Expiry>,
    deadline: Duration,
    idle: Duration,
    ratio: u64,
    header_limit: Size,
    minimum_rate: MinimumRate,
}

fn twenty_seconds() -> Span {
    Span::seconds(20)
}

fn ten_seconds() -> Span {
    Span::seconds(10)
}

fn five_seconds() -> Span {
    Span::seconds(5)
}

fn default_body_limit() -> Size {
    Size(32 << 20)
}

fn default_header_limit() -> Size {
    Size(64 << 10)
}

fn two_hundred() -> u64 {
    200
}

fn eight() -> u32 {
    8
}

impl Requester {
    /// The usual limits, for whatever address is asked.
    pub(super) fn plain() -> Self {
        Self {
            url: String::new(),
            timeout: twenty_seconds(),
            connect_timeout: five_seconds(),
            idle_timeout: ten_seconds(),
            body_limit: default_body_limit(),
            ratio_limit: two_hundred(),
            header_limit: default_header_limit(),
            minimum_rate: MinimumRate::default(),
            allowed_networks: Networks::default(),
            redirects: Redirects::default(),
            tls: Tls::default(),
            proxy: None,
            headers: Headers::default(),
            at_once: 1,
        }
    }

    /// Pushes a problem for each value that makes no sense.
    pub fn check(&self, at: &str, problems: &mut Problems) {
        let url_at = format!("{at}.url");
        template::check(&self.url, Place::Address, &url_at, problems);
        check_url(&self.url, &url_at, problems);
        let hour = Span::seconds(3600);
        for (key, span) in [
            ("timeout", self.timeout),
            ("connect_timeout", self.connect_timeout),
            ("idle_timeout", self.idle_timeout),
        ] {
            let fine = !span.0.is_zero() && span <= hour;
            require(fine, &format!("{at}.{key}"), "must be more than 0 and at most 1h", problems);
        }
        let fine = (1..=1 << 30).contains(&self.body_limit.0);
        require(fine, &format!("{at}.body_limit"), "must be 1B to 1GiB", problems);
        let fine = (1..=100_000).contains(&self.ratio_limit);
        require(fine, &format!("{at}.ratio_limit"), "must be 1 to 100000", problems);
        let fine = (256..=256 << 10).contains(&self.header_limit.0);
        require(fine, &format!("{at}.header_limit"), "must be 256B to 256KiB", problems);
        let per = self.minimum_rate.per;
        let fine = !per.0.is_zero() && per <= hour;
        let message = "must be more than 0 and at most 1h";
        require(fine, &format!("{at}.minimum_rate.per"), message, problems);
        self.tls.check(&format!("{at}.tls"), problems);
        if let Some(proxy) = &self.proxy {
            proxy.check(&format!("{at}.proxy"), problems);
        }
        let fine = (1..=256).contains(&self.at_once);
        require(fine, &format!("{at}.at_once"), "must be 1 to 256", problems);
        headers::check(&self.headers, Place::Text, &format!("{at}.headers"), problems);
    }
}

impl Redirects {
    /// Whoever leads elsewhere is not followed; the answer itself is then the result.
    fn policy(self) -> reqwest::redirect::Policy {
        const MOST: usize = 3;
        match self {
            Self::Never => reqwest::redirect::Policy::none(),
            Self::SameOrigin => reqwest::redirect::Policy::custom(|attempt| {
                let (to, from) = (attempt.url(), attempt.previous().first());
                let is_same = from.is_some_and(|from| from.origin() == to.origin());
                let is_plain = to.username().is_empty() && to.password().is_none();
                if is_same && is_plain && attempt.previous().len() <= MOST {
                    attempt.follow()
                } else {
                    attempt.stop()
                }
            }),
        }
    }
}

impl Client {
    /// A client for `requester`; certificates are only loaded if an address needs them, so that a
    /// machine without any can still pull plain HTTP inside its own network.
    pub(super) fn new(
        requester: &Requester,
        (needs_tls, identity): (bool, Option<(&SecretFile, &SecretFile)>),
        outbound: &Outbound,
        secrets: &Path,
    ) -> Result<Self, PullError> {
        // Someone else may have installed it before; any provider does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let expiry = Arc::new(Expiry::default());
        let mut defaults = HeaderMap::new();
        defaults.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        defaults.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(coding::ACCEPTED));
        let policy = Policy {
            own: requester.allowed_networks.clone(),
            shared: outbound.allow.clone(),
            keeps_out_private: false,
        };
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .default_headers(defaults)
            .redirect(requester.redirects.policy())
            .dns_resolver(Resolver {
                policy: policy.clone(),
                patience: requester.connect_timeout.0,
                lookup: outbound.lookup.clone(),
            })
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .http1_max_headers(MOST_HEADERS)
            .connect_timeout(requester.connect_timeout.0)
            .pool_max_idle_per_host(requester.at_once as usize);
        if let Some(proxy) = &requester.proxy {
            policy.check_host(&proxy.address()?).map_err(|forbidden| {
                PullError::refused(Reason::Address, format!("the proxy: {forbidden}"))
            })?;
            builder = builder.proxy(proxy.ready(secrets)?);
        }
        builder = if needs_tls {
            let tls = tls::configuration(&requester.tls, identity, secrets, &expiry)?;
            builder.tls_backend_preconfigured(tls)
        } else {
            builder.tls_certs_only([])
        };
        let http = builder.build().map_err(|cause| {
            let root = cause.source().map_or_else(|| "unknown".to_owned(), ToString::to_string);
            PullError::refused(Reason::Tls, format!("no HTTP client can be made: {root}"))
        })?;
        Ok(Self {
            http,
            policy,
            expiry,
            deadline: requester.timeout.0,
            idle: requester.idle_timeout.0,
            ratio: requester.ratio_limit,
            header_limit: requester.header_limit,
            minimum_rate: requester.minimum_rate,
        })
    }

    /// When the certificates of the connections end, as far as they have been seen.
    pub(super) fn expiry(&self) -> Option<Stamp> {
        self.expiry.soonest()
    }

    pub(super) fn get(&self, url: Url) -> RequestBuilder {
        self.http.get(url)
    }

    pub(super) fn post(&self, url: Url) -> RequestBuilder {
        self.http.post(url)
    }

    /// Sends the request and reads the answer; `label` names it in errors.
    pub(super) async fn fetch(
        &self,
        label: &str,
        request: RequestBuilder,
        body_limit: u64,
    ) -> Result<Answer, Failure> {
        self.fetch_by(&[], label, request, body_limit).await
    }

    /// The same with rules that may ask for the body of a refusal.
    pub(super) async fn fetch_by(
        &self,
        rules: &[Rule],
        label: &str,
        request: RequestBuilder,
        body_limit: u64,
    ) -> Result<Answer, Failure> {
        let request = request.build().map_err(|cause| error::of_sending(label, &cause))?;
        self.policy.check_host(request.url()).map_err(|forbidden| {
            PullError::refused(Reason::Address, format!("{label}: {forbidden}"))
        })?;
        let exchange = async {
            let sent = self.http.execute(request).await;
            let response = sent.map_err(|cause| error::of_sending(label, &cause))?;
            self.read(rules, label, response, body_limit).await
        };
        let Ok(outcome) = timeout(self.deadline, exchange).await else {
            let detail = format!("{label}: no whole answer within {}", Span(self.deadline));
            return Err(PullError::transient(Reason::Timeout, detail).into());
        };
        outcome.map_err(Failure::from)
    }

    async fn read(
        &self,
        rules: &[Rule],
        label: &str,
        response: Response,
        limit: u64,
    ) -> Result<Answer, PullError> {
        self.check_head(label, response.headers())?;
        let text = |name| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let mut answer = Answer {
            status: response.status(),
            body: Bytes::new(),
            is_framed: is_framed(&response),
            date: text(header::DATE).as_deref().and_then(http_date),
            retry_after: text(header::RETRY_AFTER),
            rules: rule::candidates(rules, response.status(), response.headers()),
            links: links(&response),
            etag: text(header::ETAG),
            last_modified: text(header::LAST_MODIFIED),
        };
        if answer.status.is_success() {
            self.read_body(label, response, limit, &mut answer).await?;
            return Ok(answer);
        }
        match rule::wanted(rules, &answer.rules, limit) {
            Wanted::Nothing => {}
            Wanted::Code(little) => {
                // In what cannot be read no rule finds its code, and then the status decides.
                let _ = self.read_body(label, response, little, &mut answer).await;
            }
            Wanted::Page => self.read_body(label, response, limit, &mut answer).await?,
        }
        Ok(answer)
    }

    async fn read_body(
        &self,
        label: &str,
        mut response: Response,
        limit: u64,
        answer: &mut Answer,
    ) -> Result<(), PullError> {
        let announced = response.content_length().unwrap_or(0);
        if announced > limit {
            return Err(spoilt(label, Spoilt::TooLarge, limit));
        }
        let mut codings = response.headers().get_all(header::CONTENT_ENCODING).into_iter();
        let coding = codings.next().map_or(Some(""), |coding| coding.to_str().ok());
        let bounds = Bounds { bytes: limit, ratio: self.ratio };
        let body = coding.filter(|_| codings.next().is_none());
        let Some(mut body) = body.and_then(|coding| Body::new(coding, announced, bounds)) else {
            let detail = format!("{label}: the body has an encoding that was not asked for");
            return Err(PullError::unreadable(Reason::Decode, detail));
        };
        answer.is_framed |= body.is_packed();
        let mut pace = Pace { rate: self.minimum_rate, since: Instant::now(), wire: 0 };
        while let Some(chunk) = timeout(self.idle, response.chunk())
            .await
            .map_err(|_| {
                let idle = Span(self.idle);
                let detail = format!("{label}: the body stood still for {idle} (idle_timeout)");
                PullError::transient(Reason::Timeout, detail)
            })?
            .map_err(|cause| error::of_body(label, &cause))?
        {
            body.push(&chunk).map_err(|why| spoilt(label, why, limit))?;
            pace.check(label, body.wire())?;
        }
        answer.body = body.finish().map_err(|why| spoilt(label, why, limit))?;
        Ok(())
    }

    fn check_head(&self, label: &str, headers: &HeaderMap) -> Result<(), PullError> {
        let length = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
        if headers.iter().map(length).sum::<usize>() as u64 <= self.header_limit.0 {
            return Ok(());
        }
        let limit = self.header_limit;
        let detail = format!("{label}: the head is larger than {limit} (header_limit)");
        Err(PullError::unreadable(Reason::TooLarge, detail))
    }
}

/// How fast a body has been arriving since the last time somebody looked.
struct Pace {
    rate: MinimumRate,
    since: Instant,
    wire: u64,
}

impl Pace {
    /// Refuses a body of which too little came in the stretch that is over.
    fn check(&mut self, label: &str, wire: u64) -> Result<(), PullError> {
        let MinimumRate { bytes, per } = self.rate;
        if self.since.elapsed() < per.0 {
            return Ok(());
        }
        if wire - self.wire < bytes.0 {
            let detail =
                format!("{label}: less than {bytes} of the body came in {per} (minimum_rate)");
            return Err(PullError::transient(Reason::Timeout, detail));
        }
        (self.since, self.wire) = (Instant::now(), wire);
        Ok(())
    }
}

/// What a spoilt body means for the run.
fn spoilt(label: &str, why: Spoilt, limit: u64) -> PullError {
    match why {
        Spoilt::TooLarge => {
            let detail = format!("{label}: the body is larger than {} (body_limit)", Size(limit));
            PullError::unreadable(Reason::TooLarge, detail)
        }
        Spoilt::Bomb => {
            let what = "the body grows out of proportion when it is decompressed (ratio_limit)";
            PullError::unreadable(Reason::TooLarge, format!("{label}: {what}"))
        }
        Spoilt::Garbled => {
            let detail = format!("{label}: the body was garbled: it cannot be decompressed");
            PullError::transient(Reason::Decode, detail)
        }
    }
}

/// Whether the answer says where its body ends, other than by hanging up.
fn is_framed(response: &Response) -> bool {
    let headers = response.headers();
    let hangs_up = headers.get(header::CONNECTION).is_some_and(|connection| {
        connection.as_bytes().to_ascii_lowercase().windows(5).any(|word| word == b"close")
    });
    response.content_length().is_some()
        || headers.contains_key(header::TRANSFER_ENCODING)
        || !(hangs_up || response.version() < reqwest::Version::HTTP_11)
}

fn links(response: &Response) -> Vec<String> {
    let values = response.headers().get_all(header::LINK).iter();
    values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
}

/// Pushes a problem unless `url` is a plain http(s) address without credentials, query or
/// fragment. The address is not repeated: it might hold a secret that somebody pasted.
pub(super) fn check_url(url: &str, at: &str, problems: &mut Problems) {
    let scheme = url.starts_with("http://") || url.starts_with("https://");
    require(scheme, at, "must begin with http:// or https://", problems);
    // "1" is a valid host, port and path segment, whichever a template stands for.
    let mut probe = url.to_owned();
    while let Some((before, after)) = probe.split_once("{{") {
        let after = after.split_once("}}").map_or("", |(_, after)| after);
        probe = format!("{before}1{after}");
    }
    let Ok(parsed) = Url::parse(&probe) else {
        return require(!scheme, at, "is not an address", problems);
    };
    let anonymous = parsed.username().is_empty() && parsed.password().is_none();
    require(anonymous, at, "must not hold credentials; use the authenticator", problems);
    let bare = parsed.query().is_none() && parsed.fragment().is_none();
    require(bare, at, "must not hold a query; write it in the stream", problems);
}

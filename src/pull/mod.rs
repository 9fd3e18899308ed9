//! Pull: the declarative HTTP client of one stream. It yields pages of bytes and parses no record.
//!
//! Whoever decodes a page tells the run what it saw ([`Turn`]: the next link or token, how many
//! records), so a page is parsed exactly once. Everything that can go wrong between two machines
//! is dealt with here, inside hard limits: deadlines, minimum rate, caps on head and decoded body,
//! retries with full jitter out of a budget, `Retry-After`, circuit breaker, one token renewal, loop
//! guard, page cap. What is left over is one of four [`PullError`]s, named for what the caller does
//! next. Redirects are not followed (or within their origin only), every address is checked before
//! it is connected to, the environment's proxies are ignored and next links stay on their origin: a
//! source can only make the gateway talk to the source. Secrets are read when needed and appear in no error or log.

mod address;
mod assertion;
mod auth;
mod body;
mod breaker;
mod budget;
mod certificate;
mod client;
mod coding;
mod conditional;
mod courier;
mod denial;
mod error;
mod fetch;
mod headers;
mod kept;
mod keyring;
mod limit;
mod link;
mod oauth;
mod outbound;
mod paginator;
mod paging;
mod proxy;
mod request;
mod retry;
mod rule;
mod run;
mod secret;
mod session;
mod source;
mod stream;
mod tally;
mod template;
#[cfg(test)]
mod tests;
mod tls;
mod token;
mod watched;
mod welcome;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::model::time::Stamp;

pub use address::{Network, Networks};
pub use assertion::Algorithm;
pub use auth::Authenticator;
pub use body::Body;
pub use breaker::CircuitBreaker;
pub use client::{MinimumRate, Redirects, Requester};
pub use conditional::Known;
pub use courier::{Courier, CourierSettings, Posted};
pub use error::{PullError, Reason};
pub use fetch::{Fetcher, check_document};
pub use headers::{Header, Wrapped};
pub use limit::{RateLimit, SourceRate};
#[doc(hidden)]
pub use link::next_link;
pub use oauth::ClientStyle;
pub use outbound::{Outbound, OutboundSettings};
pub use paginator::{Paginator, Reset};
pub use paging::{Cut, Ending, Turn};
#[doc(hidden)]
pub use paging::{Pager, Step};
pub use proxy::Proxy;
pub use request::Method;
pub use retry::Retry;
pub use rule::{Action, Rule};
pub use run::Run;
pub use secret::{Secret, SecretFile};
pub use session::{Login, Success};
pub use source::Source;
pub use stream::{Scalar, Stream, is_target};
pub use tally::Tally;
pub use tls::Tls;
pub use token::Holders;
pub use welcome::{OwnCertificate, Welcome};

/// What a semantic check found: dotted place and message, in the order found.
pub type Problems = Vec<(String, String)>;

/// What a source is given by the process that runs it.
#[derive(Clone, Debug)]
pub struct Context {
    /// Tells the time of pages and of `Retry-After` dates.
    pub clock: Clock,
    /// The directory that every [`SecretFile`] is a file of.
    pub secrets_dir: PathBuf,
    /// Where rotated tokens are kept; made when the first one comes.
    pub state_dir: PathBuf,
    /// The tokens of all sources: those that prove themselves alike share one.
    pub holders: Holders,
    /// Cancelled when the process stops; every wait ends with [`PullError::Stopped`].
    pub stop: CancellationToken,
    /// Seeds the jitter of retries.
    pub seed: u64,
    /// What all sources of the process share.
    pub outbound: Outbound,
}

/// The values that `{{ … }}` templates of one run stand for.
#[derive(Clone, Debug, Default)]
pub struct Vars {
    /// `{{ cursor }}`, already in the source's format; `None` before the first page ever.
    pub cursor: Option<String>,
    /// `{{ target }}`: the member of a fleet.
    pub target: Option<String>,
    /// `{{ run_start }}`.
    pub run_start: Stamp,
    /// `{{ slice_start }}`, already in the source's format; `None` outside of time slices.
    pub slice_start: Option<String>,
    /// `{{ slice_end }}`, likewise.
    pub slice_end: Option<String>,
    /// `{{ parent.… }}`: what the requests may say of a listed record.
    pub parent: Keys,
    /// `{{ area }}`: the place that the run asks for; `None` for the one that the stream names.
    pub area: Option<String>,
    /// What earlier runs learned of whether anything is new.
    pub known: Known,
}

/// What the requests about a listed record may say of it, by name. It may identify somebody, so it is
/// kept nowhere and shows only its names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Keys(Arc<BTreeMap<String, String>>);

impl Keys {
    /// The keys of one record.
    pub fn new(keys: BTreeMap<String, String>) -> Self {
        Self(Arc::new(keys))
    }

    /// The key of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Vars {
    /// The values of a run that begins at `run_start` and knows nothing else.
    pub fn at(run_start: Stamp) -> Self {
        Self { run_start, ..Self::default() }
    }
}

/// One answer of a source, whole and decompressed.
#[derive(Clone, Debug)]
pub struct Page {
    /// The decoded bytes; may be empty (204): whether that is a page is the decoder's to say.
    pub body: Bytes,
    /// Whether the end of the body was announced, so that a cut would have been noticed here. An
    /// answer that simply ends when the connection does may lack its tail.
    pub is_framed: bool,
    /// 1 for the first page of the run.
    pub number: u64,
    /// When the answer was complete, by our clock.
    pub fetched_at: Stamp,
    /// When the source says that it answered (its `Date` header): shows a clock that is off.
    pub server_date: Option<Stamp>,
    /// The rules of the stream that are to be judged on the body, in this order: the first that
    /// applies decides.
    pub rules: Vec<usize>,
}

/// Adds a problem unless `holds`.
fn require(holds: bool, at: &str, message: &str, problems: &mut Problems) {
    if !holds {
        problems.push((at.to_owned(), message.to_owned()));
    }
}

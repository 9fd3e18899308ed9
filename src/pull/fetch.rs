//! Small documents that are no records, such as the keys that a provider of tokens publishes: read under
//! the same limits as everything else from outside, and by the same client.

use std::path::Path;

use bytes::Bytes;
use url::Url;

use super::address::Networks;
use super::client::{Client, Requester, check_url};
use super::error::{PullError, Reason};
use super::outbound::Outbound;
use super::run::judge_status;
use super::tls::Tls;
use super::{Problems, require};

/// The largest document.
const LONGEST: u64 = 256 << 10;

/// Reads documents of one party.
#[derive(Debug)]
pub struct Fetcher(Client);

impl Fetcher {
    /// A fetcher that believes whom `tls` says, if any address needs that, and asks nobody outside of
    /// `networks`, if it names any; files are of the folder `secrets`.
    pub fn new(
        (needs_tls, tls): (bool, &Tls),
        networks: &Networks,
        outbound: &Outbound,
        secrets: &Path,
    ) -> Result<Self, PullError> {
        let requester = Requester {
            tls: tls.clone(),
            allowed_networks: networks.clone(),
            ..Requester::plain()
        };
        Ok(Self(Client::new(&requester, (needs_tls, None), outbound, secrets)?))
    }

    /// Reads one; `label` names it in errors.
    pub async fn read(&self, label: &str, url: &str) -> Result<Bytes, PullError> {
        let url = Url::parse(url)
            .map_err(|_| PullError::refused(Reason::Other, format!("{label}: no address")))?;
        let answer = self.0.fetch(label, self.0.get(url), LONGEST).await;
        let answer = answer.map_err(|failure| failure.error)?;
        if !answer.status.is_success() {
            return Err(judge_status(label, &answer, Reason::Http4xx).error);
        }
        Ok(answer.body)
    }
}

/// Pushes a problem unless a document may be read there: by `https`, or on this machine.
pub fn check_document(url: &str, at: &str, problems: &mut Problems) {
    check_url(url, at, problems);
    let is_here = |url: Url| match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    };
    let is_safe = url.starts_with("https://") || Url::parse(url).is_ok_and(is_here);
    require(is_safe, at, "must begin with https://: whoever can change it can make keys", problems);
}

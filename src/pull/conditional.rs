//! Asking whether anything is new: `ETag` and `Last-Modified` of one run, sent with the next.
//!
//! A validator stands for one page that was everything. It is only learned from a run of a single
//! page and only sent with the very same request, for the same purpose: the address, the credential's
//! owner and the configuration are part of what it is *of*. A source that answers "not modified" to
//! a request that did not ask has not answered.

use reqwest::header::{HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use url::Url;

use super::client::Answer;
use crate::model::snapshot::Validator;

/// The longest validator that is remembered; a longer one is as if there were none.
const LONGEST: usize = 1024;

/// How a run's requests are conditional.
#[derive(Debug)]
pub(super) struct Conditional {
    /// What the last run learned, and what this stream's requests are made for.
    known: Known,
    /// The condition that the request under way carries.
    asked: bool,
    learned: Option<Validator>,
}

/// What a run is told of earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What the requests of the run are made for; a validator of another purpose is not sent.
    /// Nothing if the run wants everything, changed or not.
    pub purpose: Option<String>,
    /// What the last complete run learned.
    pub validator: Option<Validator>,
}

impl Conditional {
    pub(super) fn new(known: Known) -> Self {
        Self { known, asked: false, learned: None }
    }

    /// Adds the condition to the headers of a request, if there is one for it.
    pub(super) fn ask(&mut self, url: &Url, mut headers: HeaderMap) -> HeaderMap {
        self.asked = false;
        let (Some(of), Some(known)) = (self.of(url), &self.known.validator) else {
            return headers;
        };
        if known.of != of {
            return headers;
        }
        for (name, value) in
            [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.last_modified)]
        {
            if let Some(value) = value.as_ref().and_then(|text| HeaderValue::try_from(text).ok()) {
                headers.insert(name, value);
                self.asked = true;
            }
        }
        headers
    }

    /// Whether the request under way carries a condition.
    pub(super) fn is_asked(&self) -> bool {
        self.asked
    }

    /// Notes what a whole answer says of itself.
    pub(super) fn answered(&mut self, url: &Url, answer: &Answer) {
        let short = |text: &Option<String>| text.clone().filter(|text| text.len() <= LONGEST);
        let (etag, last_modified) = (short(&answer.etag), short(&answer.last_modified));
        let is_of_use = etag.is_some() || last_modified.is_some();
        self.learned =
            self.of(url).filter(|_| is_of_use).map(|of| Validator { of, etag, last_modified });
    }

    /// What the last whole answer said.
    pub(super) fn learned(&self) -> Option<Validator> {
        self.learned.clone()
    }

    /// What still holds after an answer that nothing has changed.
    pub(super) fn kept(&self) -> Option<Validator> {
        self.known.validator.clone()
    }

    fn of(&self, url: &Url) -> Option<String> {
        let purpose = self.known.purpose.as_ref()?;
        let mut hash = blake3::Hasher::new();
        hash.update(purpose.as_bytes()).update(&[0]).update(url.as_str().as_bytes());
        Some(hash.finalize().to_hex()[..32].to_owned())
    }
}

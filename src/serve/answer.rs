//! From a finished body to a response: content type, caching, conditional requests.
//!
//! The ETag is strong: it is a hash of the very bytes and of what their reader may see. What changes in a body without a commit is
//! only what is reckoned from "now", and that stands still for a minute
//! ([`super::context::Asked::now`]), so a poller of an unchanged revision gets 304 for that long.
//! The compressed form of a body gets its own tag (`-gzip`), as a strong tag demands.

use std::io::Write as _;
use std::sync::LazyLock;

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::access::Reader;
use super::error::ApiError;
use super::format::Format;

/// What an answer depends on besides its address.
pub(super) const VARY: &str = "Accept, Accept-Encoding, Authorization, Origin";

/// What is added to the tag of a compressed body.
pub(super) const GZIP_MARK: &str = "-gzip\"";

/// How long a client may keep an answer without asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// A few seconds: figures.
    Briefly,
    /// So many seconds, by when they may be others.
    For(u32),
    /// Not at all: health and metrics.
    Never,
    /// For good: the address changes when the content does.
    Forever,
    /// For good, by the one who asked: figures of the past.
    Settled,
}

/// A finished answer.
#[derive(Debug)]
pub(super) struct Answer {
    content_type: &'static str,
    body: Vec<u8>,
    keep: Keep,
    file_name: Option<String>,
}

impl Answer {
    pub(super) fn new(content_type: &'static str, body: impl Into<Vec<u8>>, keep: Keep) -> Self {
        Self { content_type, body: body.into(), keep, file_name: None }
    }

    /// A JSON object.
    pub(super) fn json(body: &impl Serialize) -> Result<Self, ApiError> {
        let body =
            serde_json::to_vec(body).map_err(|error| ApiError::Internal(error.to_string()))?;
        Ok(Self::new("application/json", body, Keep::Briefly))
    }

    /// The same answer to a question whose answer never changes.
    pub(super) fn for_good(self) -> Self {
        Self { keep: Keep::Settled, ..self }
    }

    /// The same answer to a question that is put anew each time.
    pub(super) fn unkept(self) -> Self {
        Self { keep: Keep::Never, ..self }
    }

    /// What it says.
    pub(super) fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// A table or drawing that a browser saves under `name`, which must be a plain one.
    pub(super) fn file(format: Format, body: Vec<u8>, name: &str) -> Self {
        let content_type = match format {
            Format::Csv => "text/csv; charset=utf-8; header=present",
            Format::Json | Format::Ndjson | Format::Mermaid | Format::Dot => format.media_type(),
        };
        let file_name = Some(format!("{name}.{}", format.word()));
        Self { file_name, ..Self::new(content_type, body, Keep::Briefly) }
    }

    /// The same answer, kept for so many seconds if it is figures.
    pub(super) fn unchanged_for(self, seconds: u32) -> Self {
        let keep = if self.keep == Keep::Briefly { Keep::For(seconds) } else { self.keep };
        Self { keep, ..self }
    }

    /// The response to `request`: the body, or 304 if the client has it already.
    pub(super) fn response(self, request: &HttpRequest) -> HttpResponse {
        let keep = self.keep;
        let finished = match request.extensions().get::<Reader>() {
            Some(reader) => self.finished(reader),
            None => self.finished_for(""),
        };
        finished.response(request.headers(), keep)
    }

    /// The answer with all that its reader is sent.
    pub(super) fn finished(self, reader: &Reader) -> Finished {
        self.finished_for(&reader.mark())
    }

    fn finished_for(self, reader: &str) -> Finished {
        let tag = (self.keep != Keep::Never).then(|| tag(&self.body, reader));
        let file = self.file_name.map(|name| format!("attachment; filename=\"{name}\""));
        let value = |text: String| HeaderValue::try_from(text).ok();
        Finished {
            content_type: self.content_type,
            tag: tag.and_then(value),
            disposition: file.and_then(value),
            body: self.body.into(),
            is_compressed: false,
        }
    }
}

/// An answer as it is sent, again and again if it is kept.
#[derive(Clone, Debug)]
pub(super) struct Finished {
    content_type: &'static str,
    /// The tag of the body before it was compressed; none if it is not to be kept.
    tag: Option<HeaderValue>,
    disposition: Option<HeaderValue>,
    body: Bytes,
    is_compressed: bool,
}

impl Finished {
    /// Bytes of its body.
    pub(super) fn size(&self) -> usize {
        self.body.len()
    }

    /// The same, compressed; as it was if that fails.
    pub(super) fn compressed(self) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let written = encoder.write_all(&self.body).and_then(|()| encoder.finish());
        match written {
            Ok(body) => Self { body: body.into(), is_compressed: true, ..self },
            Err(_) => self,
        }
    }

    /// The response to a request with these headers: the body, or 304 if the client has it already.
    pub(super) fn response(self, headers: &HeaderMap, keep: Keep) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        response.insert_header((header::CACHE_CONTROL, keep.directive()));
        if let Some(tag) = self.tag {
            response.insert_header((header::VARY, HeaderValue::from_static(VARY)));
            if let Some(known) = tag.to_str().ok().and_then(|tag| known_tag(headers, tag)) {
                response.status(actix_web::http::StatusCode::NOT_MODIFIED);
                return response.insert_header((header::ETAG, known)).finish();
            }
            response.insert_header((header::ETAG, tag));
        }
        if let Some(disposition) = self.disposition {
            response.insert_header((header::CONTENT_DISPOSITION, disposition));
        }
        if self.is_compressed {
            response.insert_header((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
        }
        let content_type = HeaderValue::from_static(self.content_type);
        response.insert_header((header::CONTENT_TYPE, content_type)).body(self.body)
    }
}

/// The longest that figures are told to hold, in seconds.
const LONGEST: u32 = 60;

/// `Cache-Control` for so many seconds.
static WHILES: LazyLock<Vec<HeaderValue>> = LazyLock::new(|| {
    let directive = |seconds| HeaderValue::try_from(format!("private, max-age={seconds}"));
    (0..=LONGEST).filter_map(|seconds| directive(seconds).ok()).collect()
});

impl Keep {
    fn directive(self) -> HeaderValue {
        let directive = match self {
            Self::Briefly => "private, max-age=5",
            Self::For(seconds) => return WHILES[seconds.min(LONGEST) as usize].clone(),
            Self::Never => "no-store",
            Self::Forever => "public, max-age=31536000, immutable",
            Self::Settled => "private, max-age=31536000, immutable",
        };
        HeaderValue::from_static(directive)
    }
}

/// The strong tag of a body for readers of one kind: what one of them has is never confirmed to
/// another one.
fn tag(body: &[u8], reader: &str) -> String {
    let mut hash = blake3::Hasher::new();
    hash.update(&(reader.len() as u64).to_le_bytes()).update(reader.as_bytes()).update(body);
    format!("\"{}\"", &hash.finalize().to_hex()[..32])
}

/// The tag to repeat in a 304, if the client names `tag`, its compressed form or any (`*`).
///
/// If-None-Match compares weakly (RFC 9110, 13.1.2), so `W/` is passed over.
fn known_tag(headers: &HeaderMap, tag: &str) -> Option<String> {
    if !headers.contains_key(header::IF_NONE_MATCH) {
        return None;
    }
    let compressed = with_mark(tag);
    headers
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|named| named.trim().trim_start_matches("W/"))
        .find_map(|named| match named {
            "*" => Some(tag.to_owned()),
            _ if named == tag || named == compressed => Some(named.to_owned()),
            _ => None,
        })
}

fn with_mark(tag: &str) -> String {
    format!("{}{GZIP_MARK}", tag.trim_end_matches('"'))
}

/// Marks the tag of a body that was compressed on its way out.
pub(super) fn mark_compressed(headers: &mut HeaderMap) {
    if headers.get(header::CONTENT_ENCODING).is_none_or(|value| value != "gzip") {
        return;
    }
    let marked = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(with_mark);
    if let Some(marked) = marked
        && let Ok(marked) = HeaderValue::try_from(marked)
    {
        headers.insert(header::ETAG, marked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(sent: &'static str, tag: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.append(header::IF_NONE_MATCH, HeaderValue::from_static(sent));
        known_tag(&headers, tag)
    }

    #[test]
    fn a_tag_is_known_alone_in_a_list_weak_compressed_or_as_any() {
        for (sent, echoed) in [
            ("\"a\"", "\"a\""),
            ("\"x\", W/\"a\"", "\"a\""),
            ("\"a-gzip\"", "\"a-gzip\""),
            ("*", "\"a\""),
        ] {
            assert_eq!(known(sent, "\"a\"").as_deref(), Some(echoed), "{sent}");
        }
        assert_eq!(known("\"b\", a, \"a", "\"a\""), None);
    }

    #[test]
    fn different_bodies_have_different_tags() {
        assert_ne!(tag(b"{}", ""), tag(b"{ }", ""));
        assert_eq!(tag(b"{}", "a"), tag(b"{}", "a"));
        assert_ne!(tag(b"{}", "a"), tag(b"{}", "b"), "another reader");
    }
}

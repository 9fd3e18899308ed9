//! Which pages of other sites may read answers (CORS): those of the origins that are listed, nobody else.
//!
//! A browser asks first (`OPTIONS` with an origin) whether a page may send a key or JSON; only for a listed
//! origin there is an answer. Cookies are never asked for or allowed, and there are none. The answer is a
//! listed origin to the letter, never what was sent.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};

/// How long a browser may remember the answer, in seconds.
const REMEMBERED: &str = "600";

/// What a page may send besides what any page may.
const SENT: &str = "Accept, Authorization, Content-Type, If-None-Match, Last-Event-ID";

/// What a page may see of an answer's head.
const SEEN: &str = "ETag, Retry-After, RateLimit, RateLimit-Policy, Content-Disposition";

/// The listed origin that a request comes from.
pub(in crate::serve) fn listed<'a>(origins: &'a [String], headers: &HeaderMap) -> Option<&'a str> {
    let sent = headers.get(header::ORIGIN)?.to_str().ok()?;
    origins.iter().map(String::as_str).find(|origin| *origin == sent)
}

/// Whether a browser asks if a page may.
pub(in crate::serve) fn is_question(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to such a question.
pub(in crate::serve) fn yes() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, SENT))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, REMEMBERED))
        .finish()
}

/// Lets a page of the origin read an answer.
pub(in crate::serve) fn open(headers: &mut HeaderMap, origin: &str) {
    if let Ok(origin) = HeaderValue::try_from(origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(SEEN));
    }
}

/// What is wrong with an origin of the configuration: it is `https://host` or `http://host:port`.
pub fn check_origin(origin: &str) -> Result<(), String> {
    let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let is_host = |text: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-:[]".contains(c);
        !text.is_empty() && text.chars().all(plain)
    };
    if rest.is_some_and(is_host) {
        return Ok(());
    }
    Err(format!(
        "'{origin}' is no origin: write https://host or http://host:port, in small letters, without a \
         slash at the end and without *"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_compared_to_the_letter() {
        let origins = ["https://ioc.example".to_owned()];
        let from = |origin: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            listed(&origins, &headers).is_some()
        };
        assert!(from("https://ioc.example"));
        for other in [
            "http://ioc.example",
            "https://ioc.example.evil",
            "https://ioc.example:8443",
            "https://x.ioc.example",
            "null",
            "*",
        ] {
            assert!(!from(other), "{other}");
        }
        assert_eq!(listed(&origins, &HeaderMap::new()), None);
    }

    #[test]
    fn only_whole_origins_can_be_listed() {
        for good in ["https://ioc.example", "http://127.0.0.1:9000", "http://[::1]:80"] {
            assert_eq!(check_origin(good), Ok(()));
        }
        for bad in
            ["*", "ioc.example", "https://", "https://a/", "https://*.a", "https://A", "null"]
        {
            assert!(check_origin(bad).is_err(), "{bad}");
        }
    }
}

//! The credential in a request's head.
//!
//! `Authorization: Bearer KEY`, and `Authorization: Basic` with the key as the password, whatever the
//! name: the dialogs of Grafana, Power Query and browsers know nothing else. Never in an address,
//! for addresses are logged and shared.

use actix_web::http::header::{self, HeaderMap};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest header that is looked at: a signed token may have a few KiB.
const LONGEST: usize = 8 * 1024;

/// What was shown.
pub(super) enum Shown {
    Nothing,
    /// Something that is no credential of a kind that is taken.
    Unreadable,
    Key(String),
}

/// What the headers show.
pub(super) fn shown(headers: &HeaderMap) -> Shown {
    let mut values = headers.get_all(header::AUTHORIZATION);
    let Some(value) = values.next() else { return Shown::Nothing };
    // Of two that differ, nobody can say which one counts.
    if values.next().is_some() || value.len() > LONGEST {
        return Shown::Unreadable;
    }
    let split = value.to_str().ok().and_then(|text| text.trim().split_once(' '));
    let key = split.and_then(|(scheme, rest)| key(scheme, rest.trim()));
    key.filter(|key| !key.is_empty()).map_or(Shown::Unreadable, Shown::Key)
}

fn key(scheme: &str, rest: &str) -> Option<String> {
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    decoded.split_once(':').map(|(_, password)| password.to_owned())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn read(values: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        match shown(&headers) {
            Shown::Nothing => Some("nothing".to_owned()),
            Shown::Unreadable => None,
            Shown::Key(key) => Some(key),
        }
    }

    #[test]
    fn a_key_comes_as_bearer_or_as_the_password_of_basic() {
        assert_eq!(read(&[]).as_deref(), Some("nothing"));
        assert_eq!(read(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(read(&["bearer  abc "]).as_deref(), Some("abc"));
        // "ioc:a:b" and ":abc"
        assert_eq!(read(&["Basic aW9jOmE6Yg=="]).as_deref(), Some("a:b"));
        assert_eq!(read(&["basic OmFiYw=="]).as_deref(), Some("abc"));
    }

    #[test]
    fn what_is_no_credential_is_not_taken_for_nobody() {
        for value in ["", "Bearer", "Bearer ", "Digest abc", "Basic !!!", "Basic aW9j", "abc"] {
            assert_eq!(read(&[value]), None, "{value}");
        }
        assert_eq!(read(&["Bearer a", "Bearer b"]), None, "two of them");
    }
}

//! Where the gateway stands below its host, and the one place where its links are made.
//!
//! A host may be shared. Then everything that the gateway answers lies below a base, such as `/gateway`
//! (`listener.base_path`), and every link that it writes begins with it: [`Base::link`] makes them all, and a
//! test of the house rules finds addresses that are written around it. The base is said, never guessed from
//! headers, so an answer that is kept is right for everybody. What stays without it: the templates of addresses
//! (the table of routes, labels of metrics, `paths` of the OpenAPI document, whose server has the base), and
//! addresses that are named in prose, such as the advice of a problem: readers know where they are.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use actix_web::HttpRequest;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use super::Offers;
use super::context::in_use;

/// The longest base, in bytes.
const LONGEST: usize = 100;

/// The path below which everything lies; empty for a gateway that has its host to itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Base(Arc<str>);

impl Base {
    /// The base of the listener at which a request came in.
    pub(super) fn of(request: &HttpRequest) -> Self {
        let offers = request.app_data::<Offers>().copied().unwrap_or(Offers::All);
        in_use(request).map_or_else(Self::default, |context| offers.base(&context.base))
    }

    /// The link to an address of the gateway, which begins with a slash.
    pub(super) fn link(&self, address: impl Display) -> String {
        format!("{}{address}", self.0)
    }

    /// Whether the gateway has its host to itself.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The address that a path of the host has within the gateway; nothing for one outside it.
    pub(super) fn within<'p>(&self, path: &'p str) -> Option<&'p str> {
        let inner = path.strip_prefix(&*self.0)?;
        (inner.is_empty() || inner.starts_with('/')).then_some(inner)
    }
}

impl Display for Base {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Base {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        let wrong = if text.is_empty() {
            return Ok(Self::default());
        } else if text == "/" || text.ends_with('/') {
            "ends with '/'; it is written without one, and left out where there is none"
        } else if !text.starts_with('/') {
            "does not begin with '/'"
        } else if text.len() > LONGEST {
            return Err(format!("a path of {} bytes is longer than {LONGEST}", text.len()));
        } else if !text.bytes().all(is_plain) {
            "has other characters than letters, digits, '-', '.', '_', '~' and '/'"
        } else if text[1..].split('/').any(|piece| ["", ".", ".."].contains(&piece)) {
            "has a piece that is empty, '.' or '..'"
        } else {
            return Ok(Self(text.into()));
        };
        Err(format!("'{text}' {wrong}"))
    }
}

impl<'de> Deserialize<'de> for Base {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Base {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "BasePath".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A path such as /gateway, without a slash at its end.",
            "type": "string",
            "maxLength": LONGEST,
            "pattern": "^(/[A-Za-z0-9._~-]+)*$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_is_a_plain_path_without_a_slash_at_its_end() {
        for good in ["", "/gateway", "/a/b", "/v1", "/.well-known", "/...", "/~ioc_2-x"] {
            assert_eq!(good.parse::<Base>().unwrap().to_string(), good);
        }
        let long = format!("/{}", "a".repeat(LONGEST));
        let bad = ["/", "//", "gateway", "/gateway/", "/a//b", "/a/../b", "/.", "/a/.", &long];
        for bad in
            bad.into_iter().chain(["/a b", "/a%20b", "/{id}", "/a?b", "/a#b", "/a\\b", "/cổng"])
        {
            assert!(bad.parse::<Base>().is_err(), "{bad}");
        }
    }

    #[test]
    fn links_begin_with_it_and_paths_are_within_it_or_not() {
        let none = Base::default();
        assert_eq!(none.link("/v1"), "/v1");
        assert_eq!(none.within("/v1"), Some("/v1"));
        let base: Base = "/ioc".parse().unwrap();
        assert_eq!(base.link(format_args!("/v1/units/{}", "a")), "/ioc/v1/units/a");
        for (path, inner) in [
            ("/ioc", Some("")),
            ("/ioc/", Some("/")),
            ("/ioc/v1", Some("/v1")),
            ("/iocv1", None),
            ("/v1", None),
            ("/", None),
        ] {
            assert_eq!(base.within(path), inner, "{path}");
        }
    }
}

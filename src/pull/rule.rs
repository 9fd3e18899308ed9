//! When an answer is something else than its status says, and what is done about it.
//!
//! Many systems answer 200 with an error code, for an expired session too; others say with 404 that
//! there is nothing, or with 403 that they are asked too often. The first rule that applies decides.
//! A rule without a status is about answers with 2xx. Where the code of such an answer stands in its
//! body, whoever decodes the page judges it, so a page is parsed once; the body of a refusal is read
//! only if a rule asks for it, only so far, and nothing of it is ever told.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::stream::Scalar;
use super::{Problems, require};

/// A reason to take an answer for something else than its status says.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The statuses that it is about, such as 404 or 5xx; without any it is about 2xx.
    #[serde(default)]
    pub status: Vec<Scalar>,
    /// A header that must be there; its value is compared if no place in the body is named.
    #[serde(default)]
    pub header: Option<String>,
    /// Where the code stands (JSON pointer).
    #[serde(default)]
    pub body: Option<String>,
    /// The rule applies if the code is one of these.
    #[serde(default)]
    pub is: Vec<String>,
    /// The rule applies if the code is none of these, or absent.
    #[serde(default)]
    pub not: Vec<String>,
    /// What is done.
    pub then: Action,
}

/// What is done about an answer to which a rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The answer is a page, whatever its status.
    Success,
    /// There is nothing (more): the run ends well without this answer.
    Ignore,
    /// The run fails.
    Fail,
    /// The same request is asked again, after a pause.
    Retry,
    /// The source asks to be left alone: all its streams wait as after a 429.
    RateLimited,
    /// The credential is renewed and the same request asked once more.
    RefreshTokenThenRetry,
    /// The source lists no further: paging begins anew from the latest record, if records come in the
    /// order of the cursor; otherwise the run ends as truncated.
    ResetPagination,
}

/// What the rules say about an answer before anybody has decoded it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing: its status decides.
    Silent,
    /// This rule applies.
    Applies(usize),
    /// A page, on which these rules are still to be judged, in this order.
    Pending(Vec<usize>),
}

/// How much of a refusal's body is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Nothing,
    /// So much that a code can be looked up in it.
    Code(u64),
    /// All of it: it may be a page.
    Page,
}

impl Rule {
    /// Pushes a problem for each value that makes no sense.
    pub fn check(&self, at: &str, problems: &mut Problems) {
        let (is, not) = (!self.is.is_empty(), !self.not.is_empty());
        let (named, both) = (is || not, is && not);
        if self.body.is_some() {
            let message = "name the codes under exactly one of 'is' and 'not'";
            require(named && !both, at, message, problems);
        } else if self.header.is_some() {
            require(!both, at, "name the values under one of 'is' and 'not'", problems);
        } else {
            let message = "compares nothing: 'is' and 'not' need a 'body' or 'header'";
            require(!named, at, message, problems);
            let message = "applies to everything: name a 'status', a 'header' or a 'body'";
            require(!self.status.is_empty(), at, message, problems);
        }
        if let Some(pointer) = &self.body {
            let message = "must be a JSON pointer such as /error_code";
            require(pointer.starts_with('/'), &format!("{at}.body"), message, problems);
        }
        if let Some(name) = &self.header {
            let fine = HeaderName::try_from(name).is_ok();
            require(fine, &format!("{at}.header"), "is not a header name", problems);
        }
        for (i, status) in self.status.iter().enumerate() {
            let fine = is_status(&status.0);
            require(fine, &format!("{at}.status.{i}"), "is no status such as 404 or 5xx", problems);
        }
        let is_about_success = self.status.is_empty();
        let pointless = self.then == Action::Success && is_about_success && self.body.is_none();
        require(!pointless, &format!("{at}.then"), "is what 2xx means anyway", problems);
    }

    /// Whether the rule applies to the code that stands at its place in the body.
    pub fn applies(&self, code: Option<&str>) -> bool {
        let among = |list: &[String]| code.is_some_and(|code| list.iter().any(|one| one == code));
        among(&self.is) || (!self.not.is_empty() && !among(&self.not))
    }

    /// Whether the rule is about every answer with 200.
    pub fn is_about_pages(&self) -> bool {
        self.header.is_none() && self.fits(StatusCode::OK, &HeaderMap::new())
    }

    /// What errors and logs say when the rule applies: where it stands and what it is about, never
    /// what was found there.
    pub fn said(&self, number: usize) -> String {
        let about = match (&self.body, &self.header) {
            (Some(pointer), _) => format!("the answer says at {pointer} that it is an error"),
            (None, Some(name)) => format!("the answer has the header {name}"),
            (None, None) => "the answer has a status of its own meaning".to_owned(),
        };
        format!("{about} (error_handler.on.{number})")
    }

    /// Whether all but the code in the body fits.
    fn fits(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let fits_status = if self.status.is_empty() {
            status.is_success()
        } else {
            self.status.iter().any(|written| matches_status(&written.0, status))
        };
        let Some(name) = &self.header else { return fits_status };
        let value = headers.get(name).map(|value| value.to_str().unwrap_or(""));
        let compares = self.body.is_none() && !(self.is.is_empty() && self.not.is_empty());
        fits_status && value.is_some() && (!compares || self.applies(value))
    }
}

/// The rules that fit all but the body, in order, up to the first that needs no body to apply.
pub(super) fn candidates(rules: &[Rule], status: StatusCode, headers: &HeaderMap) -> Vec<usize> {
    let mut found = Vec::new();
    for (i, rule) in rules.iter().enumerate() {
        if rule.fits(status, headers) {
            found.push(i);
            if rule.body.is_none() {
                break;
            }
        }
    }
    found
}

/// How much of a refusal's body the rules want, which may be as long as `limit`.
pub(super) fn wanted(rules: &[Rule], candidates: &[usize], limit: u64) -> Wanted {
    const LITTLE: u64 = 64 * 1024;
    let mut fitting = candidates.iter().filter_map(|i| rules.get(*i));
    if fitting.clone().any(|rule| rule.then == Action::Success) {
        Wanted::Page
    } else if fitting.any(|rule| rule.body.is_some()) {
        Wanted::Code(LITTLE.min(limit))
    } else {
        Wanted::Nothing
    }
}

/// What the rules say about an answer with this status and body.
pub(super) fn judge(
    rules: &[Rule],
    candidates: &[usize],
    status: StatusCode,
    body: &[u8],
) -> Verdict {
    let needs_body = |i: usize| rules.get(i).is_some_and(|rule| rule.body.is_some());
    match candidates.first() {
        None if status.is_success() => return Verdict::Pending(Vec::new()),
        None => return Verdict::Silent,
        Some(first) if !needs_body(*first) => return Verdict::Applies(*first),
        Some(_) if status.is_success() => return Verdict::Pending(candidates.to_vec()),
        Some(_) => {}
    }
    let found: Option<Value> = serde_json::from_slice(body).ok();
    for i in candidates {
        let Some(rule) = rules.get(*i) else { continue };
        let applies = match (&rule.body, &found) {
            (None, _) => true,
            (Some(pointer), Some(found)) => {
                rule.applies(found.pointer(pointer).and_then(text).as_deref())
            }
            (Some(_), None) => false,
        };
        if applies {
            return Verdict::Applies(*i);
        }
    }
    Verdict::Silent
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn is_status(written: &str) -> bool {
    let class = written.strip_suffix("xx").filter(|class| class.len() == 1);
    class.unwrap_or(written).parse::<u16>().is_ok_and(|number| match class {
        Some(_) => (2..=5).contains(&number),
        None => (200..=599).contains(&number),
    })
}

fn matches_status(written: &str, status: StatusCode) -> bool {
    match written.strip_suffix("xx") {
        Some(class) => class.parse() == Ok(status.as_u16() / 100),
        None => written.parse() == Ok(status.as_u16()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(yaml: &str) -> Vec<Rule> {
        serde_saphyr::from_str(yaml).unwrap()
    }

    fn status(code: u16) -> StatusCode {
        StatusCode::from_u16(code).unwrap()
    }

    fn verdict(rules: &[Rule], code: u16, headers: &[(&str, &str)], body: &str) -> Verdict {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        let found = candidates(rules, status(code), &map);
        judge(rules, &found, status(code), body.as_bytes())
    }

    #[test]
    fn the_first_rule_that_applies_decides() {
        let rules = rules(
            "[{status: [404, 410], then: ignore},
              {status: [4xx], body: /code, is: [BUSY], then: rate_limited},
              {status: [403], header: X-Wait, then: rate_limited},
              {status: [500], header: X-Road-Error, is: [Server.Stopped], then: retry},
              {status: [500], header: X-Road-Error, then: fail},
              {body: /error_code, not: ['0'], then: refresh_token_then_retry},
              {status: [200], header: X-Old, then: fail}]",
        );
        assert_eq!(verdict(&rules, 404, &[], ""), Verdict::Applies(0));
        assert_eq!(verdict(&rules, 400, &[], r#"{"code":"BUSY"}"#), Verdict::Applies(1));
        assert_eq!(verdict(&rules, 400, &[], r#"{"code":"X"}"#), Verdict::Silent);
        assert_eq!(verdict(&rules, 400, &[], "<html>"), Verdict::Silent);
        assert_eq!(verdict(&rules, 403, &[("x-wait", "1")], ""), Verdict::Applies(2));
        assert_eq!(verdict(&rules, 403, &[], ""), Verdict::Silent);
        let stopped = [("x-road-error", "Server.Stopped")];
        assert_eq!(verdict(&rules, 500, &stopped, ""), Verdict::Applies(3));
        assert_eq!(verdict(&rules, 500, &[("x-road-error", "Client")], ""), Verdict::Applies(4));
        assert_eq!(verdict(&rules, 502, &stopped, ""), Verdict::Silent);
        assert_eq!(verdict(&rules, 200, &[], "{}"), Verdict::Pending(vec![5]));
        assert_eq!(verdict(&rules, 200, &[("x-old", "1")], "{}"), Verdict::Pending(vec![5, 6]));
        assert_eq!(verdict(&rules, 201, &[("x-old", "1")], "{}"), Verdict::Pending(vec![5]));
        assert_eq!(verdict(&[], 200, &[], "{}"), Verdict::Pending(Vec::new()));
    }

    #[test]
    fn a_refusal_is_read_only_as_far_as_a_rule_needs_it() {
        let rules = rules(
            "[{status: [404], then: ignore}, {status: [400], body: /c, is: [a], then: fail},
              {status: [409], then: success}]",
        );
        let limit = |code| {
            let found = candidates(&rules, status(code), &HeaderMap::new());
            wanted(&rules, &found, 1 << 20)
        };
        let wanted = [Wanted::Nothing, Wanted::Code(64 << 10), Wanted::Page, Wanted::Nothing];
        assert_eq!([404, 400, 409, 500].map(limit), wanted);
    }

    #[test]
    fn rules_that_make_no_sense_are_problems() {
        let mut problems = Problems::new();
        for (i, rule) in rules(
            "[{then: fail}, {body: /c, then: fail}, {body: c, is: [a], not: [b], then: fail},
              {status: [404], is: [a], then: ignore}, {status: [99, 6xx, none, xx], then: ignore},
              {header: 'a b', then: retry}, {header: X, then: success},
              {status: [404], then: ignore}, {header: X-Road-Error, then: fail}]",
        )
        .iter()
        .enumerate()
        {
            rule.check(&i.to_string(), &mut problems);
        }
        let places: Vec<_> = problems.iter().map(|(at, _)| at.as_str()).collect();
        assert_eq!(
            places,
            [
                "0",
                "1",
                "2",
                "2.body",
                "3",
                "4.status.0",
                "4.status.1",
                "4.status.2",
                "4.status.3",
                "5.header",
                "6.then",
            ]
        );
        assert!(serde_saphyr::from_str::<Rule>("{status: [404], then: shrug}").is_err());
    }
}

//! Parameters as Prometheus' API takes them: from the address and from a form, some of them again
//! and again, unknown ones passed over, for Grafana and its like send what other servers know.

use super::expression::{Matcher, Refusal};
use super::lexer::lone_duration;
use super::parser::parse_selector;
use super::samples::Grid;
use crate::model::time::Stamp;
use crate::serve::context::Asked;
use crate::serve::error::{ApiError, brief};

/// The most steps of a range query.
const STEPS: i64 = 11_000;

/// Times beyond the year 9999 are nobody's.
const FARTHEST: f64 = 253_402_300_800.0;

/// All parameters of a request.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn of(asked: &Asked<'_>) -> Self {
        let all = [asked.request.query_string(), asked.request.form()];
        let pairs = all.into_iter().flat_map(|text| url::form_urlencoded::parse(text.as_bytes()));
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The last value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().rev().filter(|(known, _)| known == name);
        values.next().map(|(_, value)| value.as_str())
    }

    fn need(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| bad(name, "is missing"))
    }

    /// The text of the question.
    pub(super) fn query(&self) -> Result<&str, ApiError> {
        self.need("query")
    }

    /// The selectors of `match[]`; nothing if there are none.
    pub(super) fn matches(&self) -> Result<Vec<Vec<Matcher>>, ApiError> {
        let all = self.0.iter().filter(|(name, _)| name == "match[]");
        all.map(|(_, text)| match parse_selector(text) {
            Ok(selector) => Ok(selector.matchers),
            Err(refusal) => Err(unread("match[]", text, &refusal)),
        })
        .collect()
    }

    /// How many items are wanted at most.
    pub(super) fn limit(&self) -> Result<usize, ApiError> {
        match self.get("limit") {
            None | Some("" | "0") => Ok(usize::MAX),
            Some(text) => text.parse().map_err(|_| bad("limit", "must be a positive number")),
        }
    }

    /// The only step of an instant query: `time`, or now.
    pub(super) fn instant(&self, asked: &Asked<'_>) -> Result<Grid, ApiError> {
        let at = self.get("time").filter(|text| !text.is_empty());
        let at = at.map(|text| time("time", text)).transpose()?;
        Ok(Grid::instant(at.unwrap_or(asked.now.0 * 1000)))
    }

    /// The steps of a range query.
    pub(super) fn range(&self) -> Result<Grid, ApiError> {
        let start = time("start", self.need("start")?)?;
        let end = time("end", self.need("end")?)?;
        if end < start {
            return Err(bad("end", "end timestamp must not be before start time"));
        }
        let text = self.need("step")?;
        let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.abs() < FARTHEST);
        let step = seconds.map(|seconds| (seconds * 1000.0) as i64).or_else(|| lone_duration(text));
        let step = step.ok_or_else(|| {
            bad("step", &format!("cannot parse {:?} to a valid duration", brief(text)))
        })?;
        if step <= 0 {
            let reason = "zero or negative query resolution step widths are not accepted. Try a \
                          positive integer";
            return Err(bad("step", reason));
        }
        if (end - start) / step > STEPS {
            return Err(ApiError::BadQuery(
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the \
                 query resolution (?step=XX)"
                    .to_owned(),
            ));
        }
        Ok(Grid { start, end, step, count: ((end - start) / step) as usize + 1 })
    }
}

/// A time in seconds or in RFC 3339, as milliseconds.
fn time(name: &str, text: &str) -> Result<i64, ApiError> {
    if let Ok(seconds) = text.parse::<f64>()
        && seconds.abs() < FARTHEST
    {
        return Ok((seconds * 1000.0).round() as i64);
    }
    // An unescaped plus arrives as a space.
    let stamp = Stamp::parse(&text.replacen(' ', "+", 1));
    stamp
        .map(|at| at.0 * 1000)
        .ok_or_else(|| bad(name, &format!("cannot parse {:?} to a valid timestamp", brief(text))))
}

fn bad(name: &str, reason: &str) -> ApiError {
    ApiError::BadQuery(format!("invalid parameter {name:?}: {reason}"))
}

/// The refusal of a text in the query language.
pub(super) fn unread(name: &str, text: &str, refusal: &Refusal) -> ApiError {
    bad(name, &refusal.said(text))
}

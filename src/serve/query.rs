//! Query strings, read strictly: an unknown or repeated parameter is refused, with the nearest name.
//!
//! A misspelt `peroid=2024` that is quietly ignored answers with the wrong figure, and nobody sees
//! it. So each handler says which parameters it knows, and all slips are reported at once.

use std::collections::BTreeMap;

use super::error::{ApiError, ParameterError, brief};
use super::filter;
use crate::indicator::Condition;
use crate::model::nearest::nearest;

/// The parameters of one request, decoded.
#[derive(Debug)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads the query string `text`, of which only the names in `allowed` may be part.
    pub(super) fn read(text: &str, allowed: &[&'static str]) -> Result<Self, ApiError> {
        let mut pairs = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if !is_allowed(&name, allowed) {
                problems.push(unknown(&name, allowed));
            } else if pairs.insert(name.to_string(), value.to_string()).is_some() {
                problems.push(ParameterError::new(&name, "is given more than once"));
            }
            if problems.len() >= 8 {
                break;
            }
        }
        if problems.is_empty() {
            Ok(Self(pairs))
        } else {
            Err(ApiError::UnknownParameters(problems))
        }
    }

    /// The value of a parameter, which may be empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of a filter; a form sends it empty when nothing is chosen.
    pub(super) fn filter(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// What figures are narrowed to, by dimension; what a form sends empty narrows nothing.
    pub(super) fn conditions(&self) -> impl Iterator<Item = Condition> {
        self.0.iter().filter(|(_, text)| !text.is_empty()).filter_map(|(name, text)| {
            Some(Condition {
                dimension: filter::dimension(name)?.to_owned(),
                values: text.split(',').map(str::to_owned).collect(),
            })
        })
    }

    /// One of a list of words.
    pub(super) fn one_of<T: Copy>(
        &self,
        name: &str,
        words: &[(&'static str, T)],
        default: T,
    ) -> Result<T, ApiError> {
        let Some(value) = self.get(name) else { return Ok(default) };
        match words.iter().find(|(word, _)| *word == value) {
            Some((_, meaning)) => Ok(*meaning),
            None => Err(refused(name, value, words.iter().map(|(word, _)| *word))),
        }
    }

    /// A whole number of at least 1 and at most `limit`.
    pub(super) fn count(
        &self,
        name: &str,
        default: usize,
        limit: usize,
    ) -> Result<usize, ApiError> {
        let Some(value) = self.get(name) else { return Ok(default) };
        match value.parse::<usize>() {
            Ok(count) if (1..=limit).contains(&count) => Ok(count),
            _ => {
                Err(ParameterError::new(name, format!("must be a whole number from 1 to {limit}"))
                    .into())
            }
        }
    }
}

/// A word that is not in a list, with the nearest that is.
pub(super) fn refused<S: AsRef<str>>(
    name: &str,
    value: &str,
    allowed: impl IntoIterator<Item = S>,
) -> ApiError {
    let allowed: Vec<S> = allowed.into_iter().collect();
    let allowed = || allowed.iter().map(AsRef::as_ref);
    ParameterError::new(name, format!("has the value '{}', which is not allowed", brief(value)))
        .nearest(nearest(value, allowed()))
        .allowing(allowed())
        .into()
}

/// Filters are a family: one parameter for each dimension.
fn is_allowed(name: &str, allowed: &[&'static str]) -> bool {
    match filter::dimension(name) {
        Some(_) => allowed.contains(&filter::NAME),
        None => name != filter::NAME && allowed.contains(&name),
    }
}

fn unknown(name: &str, allowed: &[&'static str]) -> ParameterError {
    let name = &*brief(name);
    let nearest = nearest(name, allowed.iter().copied());
    let reason = match (nearest, allowed.is_empty()) {
        (Some(nearest), _) => format!("is unknown; the nearest is '{nearest}'"),
        (None, false) if allowed.contains(&filter::NAME) => {
            format!("is unknown; to narrow by a dimension write {}[{name}]", filter::NAME)
        }
        (None, false) => "is unknown".to_owned(),
        (None, true) => "is unknown; this address takes none".to_owned(),
    };
    let written = |name: &&'static str| match *name {
        filter::NAME => "filter[dimension]",
        name => name,
    };
    ParameterError::new(name, reason).nearest(nearest).allowing(allowed.iter().map(written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_parameters_are_decoded() {
        let query = Query::read("area=commune%3A16681&verbose", &["area", "verbose"]).unwrap();
        assert_eq!(query.get("area"), Some("commune:16681"));
        assert_eq!(query.get("verbose"), Some(""));
        assert_eq!(query.filter("verbose"), None);
    }

    #[test]
    fn all_slips_are_told_at_once_with_the_nearest_name() {
        let error = Query::read("peroid=2024&area=a&area=b", &["period", "area"]).unwrap_err();
        let ApiError::UnknownParameters(problems) = error else { panic!("{error:?}") };
        assert_eq!(problems[0].suggestion.as_deref(), Some("period"));
        assert_eq!(problems[0].allowed, ["period", "area"]);
        assert_eq!(problems[1].reason, "is given more than once");
    }

    #[test]
    fn a_flood_of_unknown_parameters_gets_a_short_answer() {
        let flood = (0..1000).map(|i| format!("p{i}=1")).collect::<Vec<_>>().join("&");
        let ApiError::UnknownParameters(problems) = Query::read(&flood, &[]).unwrap_err() else {
            panic!("refused as unknown")
        };
        assert_eq!(problems.len(), 8);
    }
}

//! `filter[dimension]=value,value`: a figure of some records only.
//!
//! One parameter for each dimension, in one spelling, so that no dimension of a contract can ever clash
//! with a parameter of ours. Values of one dimension are alternatives, several dimensions hold together.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use url::form_urlencoded::byte_serialize;

use super::context::Asked;
use super::error::{ApiError, ParameterError, brief};
use super::query::Query;
use crate::indicator::narrow::NarrowError;
use crate::indicator::{Condition, Definition};
use crate::model::nearest::nearest;

/// The name in the table of addresses.
pub(super) const NAME: &str = "filter";

/// The conditions of an answer, by dimension.
pub(super) type Conditions = BTreeMap<String, Vec<String>>;

/// The dimension that a parameter narrows by, if it is one of these.
pub(super) fn dimension(parameter: &str) -> Option<&str> {
    parameter.strip_prefix(NAME)?.strip_prefix('[')?.strip_suffix(']')
}

/// The indicator of the address, of the records that were asked for.
pub(super) fn narrowed<'a>(
    asked: &'a Asked<'_>,
    query: &Query,
) -> Result<Cow<'a, Definition>, ApiError> {
    let definition = asked.definition()?;
    let conditions: Vec<Condition> = query.conditions().collect();
    if conditions.is_empty() {
        return Ok(Cow::Borrowed(definition));
    }
    let narrowed = definition.narrowed(&asked.world(), &conditions);
    narrowed.map(Cow::Owned).map_err(|(condition, error)| refusal(definition, &condition, error))
}

fn refusal(definition: &Definition, condition: &Condition, error: NarrowError) -> ApiError {
    let dimension = &condition.dimension;
    let parameter = named(dimension);
    match error {
        NarrowError::Nothing => ApiError::NotApplicable(format!(
            "indicator '{}' can only be narrowed to an area, with 'area'",
            definition.id
        )),
        NarrowError::UnknownDimension { known } => {
            let near = nearest(dimension, known.iter().map(String::as_str)).map(named);
            let reason = format!("names no dimension that '{}' is kept by", definition.id);
            let reason = if ["area", "commune", "district"].contains(&&**dimension) {
                format!("{reason}; an area is asked for with 'area'")
            } else {
                reason
            };
            let allowed = known.iter().map(|known| named(known));
            ParameterError::new(&parameter, reason)
                .nearest(near.as_deref())
                .allowing(allowed)
                .into()
        }
        NarrowError::UnknownValue { value, nearest } => {
            let reason = format!("has the value '{}', which is not known", brief(&value));
            ParameterError::new(&parameter, reason)
                .nearest(nearest.as_deref())
                .allowing([format!("<key of /v1/dimensions/{dimension}/values>")])
                .into()
        }
    }
}

fn named(dimension: &str) -> String {
    format!("{NAME}[{dimension}]")
}

/// The conditions of an answer.
pub(super) fn conditions(definition: &Definition) -> Conditions {
    let conditions = definition.conditions.iter();
    conditions.map(|one| (one.dimension.clone(), one.values.clone())).collect()
}

/// What a link takes along so that it leads to the same records.
pub(super) fn link(conditions: &Conditions) -> String {
    let mut text = String::new();
    for (dimension, values) in conditions {
        let name: String = byte_serialize(dimension.as_bytes()).collect();
        let values: Vec<String> =
            values.iter().map(|value| byte_serialize(value.as_bytes()).collect()).collect();
        let _ = write!(text, "&{NAME}%5B{name}%5D={}", values.join(","));
    }
    text
}

//! Numbers as readers get them: whole ones without a point, missing ones as null.
//!
//! `48211.0` in an answer makes people ask what the `.0` is about; counts are written as counts.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// Up to here every whole number has an exact double.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A number in an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number(pub(super) f64);

impl Number {
    fn whole(self) -> Option<i64> {
        (self.0.fract() == 0.0 && self.0.abs() <= EXACT).then_some(self.0 as i64)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.whole() {
            Some(whole) => serializer.serialize_i64(whole),
            None => serializer.serialize_f64(self.0),
        }
    }
}

impl JsonSchema for Number {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number"})
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.whole() {
            Some(whole) => write!(f, "{whole}"),
            None if self.0.is_finite() => write!(f, "{}", self.0),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn whole_numbers_have_no_point_and_nonsense_is_null() {
        let written = |value| serde_json::to_string(&Number(value)).unwrap();
        assert_eq!(written(48211.0), "48211");
        assert_eq!(written(-0.0), "0");
        assert_eq!(written(0.941), "0.941");
        assert_eq!(written(f64::NAN), "null");
        assert_eq!(Number(f64::INFINITY).to_string(), "");
        assert_eq!(Number(1e300).to_string().len(), 301);
    }
}

//! Durations and sizes as a steward writes them: `"5m"`, `"32MiB"`.
//!
//! A bare number in a configuration never says what it counts, so these types refuse one.

use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// A length of time: `500ms`, `20s`, `5m`, `2h`, `3d`, `5y` (a year is 365 days).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A number of bytes: `512B`, `64KiB`, `32MiB`, `2GiB`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Span {
    /// A span of whole seconds.
    pub const fn seconds(count: u64) -> Self {
        Self(Duration::from_secs(count))
    }

    /// The span in whole seconds.
    pub fn as_seconds(self) -> i64 {
        i64::try_from(self.0.as_secs()).unwrap_or(i64::MAX)
    }

    /// Reads `"5m"`.
    pub fn parse(text: &str) -> Result<Self, String> {
        const UNITS: [(&str, u64); 6] = [
            ("ms", 1),
            ("s", 1000),
            ("m", 60_000),
            ("h", 3_600_000),
            ("d", 86_400_000),
            ("y", 31_536_000_000),
        ];
        let millis = scaled(text, &UNITS).ok_or_else(|| {
            format!("'{text}' is not a duration; write for example 30s, 5m, 2h or 3d")
        })?;
        Ok(Self(Duration::from_millis(millis)))
    }
}

impl Size {
    /// Reads `"32MiB"`.
    pub fn parse(text: &str) -> Result<Self, String> {
        const UNITS: [(&str, u64); 4] =
            [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];
        scaled(text, &UNITS).map(Self).ok_or_else(|| {
            format!("'{text}' is not a size; write for example 64KiB, 32MiB or 2GiB")
        })
    }
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        for (unit, factor) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
            if millis >= factor && millis.is_multiple_of(factor) {
                return write!(f, "{}{unit}", millis / factor);
            }
        }
        write!(f, "{millis}ms")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 >= factor && self.0.is_multiple_of(factor) {
                return write!(f, "{}{unit}", self.0 / factor);
            }
        }
        write!(f, "{}B", self.0)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A length of time: 500ms, 20s, 5m, 2h, 3d, 5y.",
            "type": "string",
            "pattern": r"^([0-9]+(ms|s|m|h|d|y)|\$\{.*\})$"
        })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of bytes: 512B, 64KiB, 32MiB, 2GiB.",
            "type": "string",
            "pattern": r"^([0-9]+(B|KiB|MiB|GiB)|\$\{.*\})$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_what_a_steward_writes() {
        for text in ["500ms", "20s", "5m", "2h", "3d"] {
            assert_eq!(Span::parse(text).unwrap().to_string(), text);
        }
        for text in ["512B", "64KiB", "32MiB", "2GiB"] {
            assert_eq!(Size::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_bare_numbers_and_overflow() {
        for text in ["5", "", "m", "5 m", "-5m", "99999999999999999999s", "18446744073709551615y"] {
            assert!(Span::parse(text).is_err(), "{text}");
        }
        assert!(Size::parse("32MB").is_err());
    }
}

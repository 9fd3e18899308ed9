//! What an indicator is called among metrics: `ioc_<indicator>_<unit>`.
//!
//! Prometheus wants the unit last and in base units, so ratios end in `_ratio`, durations are told
//! in `_seconds`, and a unit word that stands in the id already is not said twice:
//! `processing_days_median` in days is `ioc_processing_median_seconds`. Communes and the province
//! are two families, for a total inside a family would be counted twice by everyone who sums it:
//! `ioc_on_time_rate_ratio{commune="16681"}` and `ioc_on_time_rate_province_ratio`.

use crate::indicator::definition::{Definition, Plan};

/// Which places a family is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// One series for each commune.
    Communes,
    /// One series for the whole province.
    Province,
}

/// Units that have a base unit: the word, its base and how many of the base one of them is.
const BASES: [(&str, &str, f64); 5] = [
    ("percent", "ratio", 1.0),
    ("minutes", "seconds", 60.0),
    ("hours", "seconds", 3600.0),
    ("days", "seconds", 86_400.0),
    ("weeks", "seconds", 604_800.0),
];

/// Endings that mean something else to Prometheus than a unit.
const RESERVED: [&str; 5] = ["total", "count", "sum", "bucket", "info"];

impl Definition {
    /// The name of one of its families.
    pub fn family(&self, scope: Scope) -> String {
        named(&self.id, &self.unit_measure, scope)
    }

    /// The unit of its families' values: `ratio`, `seconds`, or the word for what is counted.
    pub fn family_unit(&self) -> &str {
        base(&self.unit_measure).map_or(&self.unit_measure, |(_, base, _)| base)
    }

    /// A value in the unit of its families.
    pub fn in_family_unit(&self, value: f64) -> f64 {
        base(&self.unit_measure).map_or(value, |(_, _, factor)| value * factor)
    }

    /// Whether the values of communes add up to the province's, and those of days to a month's, as
    /// amounts do; a ratio, a score or a median does not.
    pub const fn adds_up(&self) -> bool {
        matches!(self.plan, Plan::Total { .. })
    }
}

fn base(unit: &str) -> Option<&'static (&'static str, &'static str, f64)> {
    BASES.iter().find(|(word, ..)| *word == unit)
}

fn named(id: &str, unit: &str, scope: Scope) -> String {
    let base = base(unit).map(|(_, base, _)| *base);
    let ending = base.unwrap_or(unit).to_ascii_lowercase();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == ' ' || c == '_';
    // A unit in other letters stays out of the name; the help text tells it.
    let ending = if ending.chars().all(is_plain) { ending.as_str() } else { "" };
    let ending: Vec<&str> = ending.split([' ', '_']).filter(|word| !word.is_empty()).collect();
    let mut words: Vec<&str> = id.split('_').filter(|word| !word.is_empty()).collect();
    // The word for another unit would contradict the base unit behind it.
    words.retain(|word| base.is_none() || *word != unit);
    let is_said = words.windows(ending.len().max(1)).any(|part| part == ending);
    if scope == Scope::Province {
        words.push("province");
    }
    if !is_said {
        words.extend(ending);
    }
    if words.last().is_some_and(|last| RESERVED.contains(last)) {
        words.push("value");
    }
    format!("ioc_{}", words.join("_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_stands_last_once_and_in_base_units() {
        for (id, unit, communes, province) in [
            (
                "on_time_rate",
                "percent",
                "ioc_on_time_rate_ratio",
                "ioc_on_time_rate_province_ratio",
            ),
            ("kiosk_sessions", "sessions", "ioc_kiosk_sessions", "ioc_kiosk_sessions_province"),
            ("guest_nights", "guest nights", "ioc_guest_nights", "ioc_guest_nights_province"),
            (
                "processing_days_p90",
                "days",
                "ioc_processing_p90_seconds",
                "ioc_processing_p90_province_seconds",
            ),
            (
                "dossiers_received",
                "dossiers",
                "ioc_dossiers_received",
                "ioc_dossiers_received_province",
            ),
            ("fees_due", "VND", "ioc_fees_due_vnd", "ioc_fees_due_province_vnd"),
            (
                "facilities",
                "count",
                "ioc_facilities_count_value",
                "ioc_facilities_province_count_value",
            ),
            ("pending", "hồ sơ", "ioc_pending", "ioc_pending_province"),
        ] {
            assert_eq!(named(id, unit, Scope::Communes), communes);
            assert_eq!(named(id, unit, Scope::Province), province);
        }
    }
}

//! The gate before the store: whether a page is fit to be folded at all.
//!
//! Quarantine is for single bad records. When most of a page is bad, the source has changed under
//! us: what still passes is a biased rest, and folding it would show a fall that never happened. So
//! such a page is refused whole, nothing of it counts, the cursor stays, the last good figures stay
//! and grow old visibly; the stream's own rhythm tries again.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::drift::{Audit, MAX_RATIO};

/// When a page is refused whole.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The share of a page's records that may break their contract; 1 lets every page pass.
    #[serde(default = "half")]
    pub max_reject_ratio: f64,
    /// Pages with fewer records always pass: one bad record of two says nothing.
    #[serde(default = "twenty")]
    pub min_records: u64,
}

/// When flaws of a page are a breach of the contract.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriftSettings {
    /// The share of a page's records that may have the same flaw.
    #[serde(default = "one_percent")]
    pub max_ratio: f64,
}

/// Why a page is refused whole.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// In words that name rules and counts, never values.
    pub why: String,
    /// Whether it had too many bad records; otherwise a check refused it.
    pub by_gate: bool,
}

const fn half() -> f64 {
    0.5
}

const fn twenty() -> u64 {
    20
}

const fn one_percent() -> f64 {
    MAX_RATIO
}

impl Default for Gate {
    fn default() -> Self {
        Self { max_reject_ratio: half(), min_records: twenty() }
    }
}

impl Default for DriftSettings {
    fn default() -> Self {
        Self { max_ratio: one_percent() }
    }
}

impl Gate {
    /// Problems of the settings, by place below `at`.
    pub fn check(&self, at: &str, problems: &mut Vec<(String, String)>) {
        if !(self.max_reject_ratio > 0.0 && self.max_reject_ratio <= 1.0) {
            let message = "a ratio above 0 and up to 1; 1 lets every page pass".to_owned();
            problems.push((format!("{at}.max_reject_ratio"), message));
        }
    }

    /// Refuses a page that is not fit to be folded. The words name rules and counts, never values.
    pub fn refuse(&self, page: &Audit) -> Option<Refusal> {
        if let Some(check) = &page.refused_by {
            let why = format!("a page is refused whole: a record fails the check \"{check}\"");
            return Some(Refusal { why, by_gate: false });
        }
        let share = page.rejects as f64 / page.records.max(1) as f64;
        if page.records < self.min_records || share <= self.max_reject_ratio {
            return None;
        }
        let worst = page.flaws.iter().max_by_key(|(_, count)| **count);
        let worst = worst.map_or(String::new(), |((kind, property), count)| {
            let property = if property.is_empty() { "the record itself" } else { property };
            format!(", {count} of them for {} at {property}", kind.as_str())
        });
        let why = format!(
            "a page is refused whole: {} of {} records break their contract{worst}; the limit is {} %",
            page.rejects,
            page.records,
            self.max_reject_ratio * 100.0
        );
        Some(Refusal { why, by_gate: true })
    }
}

impl DriftSettings {
    /// Problems of the settings, by place below `at`.
    pub fn check(&self, at: &str, problems: &mut Vec<(String, String)>) {
        if !(0.0..1.0).contains(&self.max_ratio) {
            let message = "a ratio from 0 up to, but not, 1".to_owned();
            problems.push((format!("{at}.max_ratio"), message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::drift::Kind;

    fn page(records: u64, rejects: u64) -> Audit {
        let flaws = [((Kind::Missing, "received_at".to_owned()), rejects)].into();
        Audit { records, rejects, flaws, ..Audit::default() }
    }

    fn refused(gate: Gate, page: &Audit) -> Option<String> {
        gate.refuse(page).map(|refusal| refusal.why)
    }

    #[test]
    fn a_page_is_refused_when_more_than_the_allowed_share_is_bad() {
        let gate = Gate::default();
        assert_eq!(refused(gate, &page(20, 10)), None);
        assert_eq!(
            refused(gate, &page(20, 11)).as_deref(),
            Some(
                "a page is refused whole: 11 of 20 records break their contract, 11 of them for missing at received_at; the limit is 50 %"
            )
        );
        assert_eq!(refused(gate, &page(19, 19)), None, "too few to judge by");
        assert_eq!(refused(gate, &page(0, 0)), None);
        let open = Gate { max_reject_ratio: 1.0, ..gate };
        assert_eq!(refused(open, &page(500, 500)), None);
    }

    #[test]
    fn a_check_that_refuses_pages_needs_one_record_and_is_named() {
        let failed = Audit { refused_by: Some("a <= b".to_owned()), ..page(1, 0) };
        let words = refused(Gate::default(), &failed).unwrap();
        assert!(words.contains("\"a <= b\""), "{words}");
    }

    #[test]
    fn ratios_outside_their_range_are_problems() {
        for (ratio, is_good) in
            [(0.0, false), (-0.1, false), (1.1, false), (f64::NAN, false), (1.0, true)]
        {
            let mut problems = Vec::new();
            Gate { max_reject_ratio: ratio, min_records: 1 }.check("gate", &mut problems);
            assert_eq!(problems.is_empty(), is_good, "{ratio}");
        }
        let mut problems = Vec::new();
        DriftSettings { max_ratio: 1.0 }.check("drift", &mut problems);
        assert_eq!(problems[0].0, "drift.max_ratio");
    }
}

//! What a contract says of disclosure: about whom its records are, and below which number figures are
//! kept from the public.
//!
//! A count of three people in a commune is a thing about these three. What is withheld because of that,
//! and what else so that it cannot be computed from the rest, is decided by
//! [`crate::indicator::disclosure`]; here is only what a steward writes and what follows from it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::contract::{Contract, Measure};

/// What counts as small where a contract does not say.
const DEFAULT: u32 = 5;

/// The least that may count as small.
const FLOOR: u32 = 3;

/// The most that may count as small; more would withhold the province.
const CEILING: u32 = 1000;

/// As a steward writes it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DisclosureSettings {
    /// About what the records are; persons when absent.
    #[serde(default)]
    pub about: About,
    /// The public is told no number of people from 1 up to, but not including, this one: 3 to 1,000, 5
    /// when absent.
    #[serde(default)]
    pub min_count: Option<u32>,
    /// Why nothing has to be withheld; needed for `things`, and only there.
    #[serde(default)]
    pub reason: Option<String>,
}

/// About what the records of a contract are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Each is about one person or one case: what is counted is people.
    #[default]
    Persons,
    /// Each is a total that somebody else has counted: what is added up is people.
    Totals,
    /// About nobody: equipment, items of a programme.
    Things,
}

impl About {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Persons => "persons",
            Self::Totals => "totals",
            Self::Things => "things",
        }
    }
}

/// How a measure comes about, as far as it matters to what it discloses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// One for each record, on the day of this property.
    Count(String),
    /// Something added up, on the day of this property.
    Sum(String),
    /// Records from the day of the one property until that of the other.
    Stock(String, String),
    /// A property of these records added up.
    StockSum(String, String),
    /// A quantity in bins.
    Distribution,
}

/// A measure, as far as it matters to what it discloses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosed {
    /// How it comes about.
    pub way: Way,
    /// It is of some records only (`where`).
    pub is_narrowed: bool,
}

/// What holds for a contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disclosure {
    /// About what its records are.
    pub about: About,
    /// Numbers from 1 up to, but not including, this one are small.
    pub min_count: u32,
    /// The measures by `contract.measure`; what is not among them is told to nobody but internally.
    pub measures: BTreeMap<String, Disclosed>,
}

impl DisclosureSettings {
    /// What is wrong with it: the key below `disclosure`, and a sentence.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        let is_of_things = self.about == About::Things;
        if let Some(count) = self.min_count.filter(|count| !(FLOOR..=CEILING).contains(count)) {
            return Some(("min_count", format!("is {count}; it may be {FLOOR} to {CEILING}")));
        }
        match (&self.reason, is_of_things) {
            (None, true) => Some((
                "about",
                "is 'things', so every figure is told to everybody: say in 'reason' why nobody can \
                 be found by them"
                    .to_owned(),
            )),
            (Some(_), false) => {
                Some(("reason", "says why nothing is withheld; that goes with 'about: things'".to_owned()))
            }
            _ => None,
        }
    }
}

impl Disclosure {
    /// What a contract says.
    pub fn of(contract: &Contract) -> Self {
        let settings = contract.disclosure.clone().unwrap_or_default();
        let name = |measure: &str| format!("{}.{measure}", contract.contract);
        let measures = contract.measures.iter();
        Self {
            about: settings.about,
            min_count: settings.min_count.unwrap_or(DEFAULT),
            measures: measures.map(|(at, measure)| (name(at), disclosed(measure))).collect(),
        }
    }

    /// The stock that counts the records over which another one adds something up.
    pub fn counted(&self, sum: &Way) -> Option<&str> {
        let Way::StockSum(from, until) = sum else { return None };
        let way = Way::Stock(from.clone(), until.clone());
        let mut all = self.measures.iter();
        all.find(|(_, it)| it.way == way && !it.is_narrowed).map(|(name, _)| name.as_str())
    }
}

fn disclosed(measure: &Measure) -> Disclosed {
    let day = |name: &Option<String>| name.clone().unwrap_or_default();
    let span = || (day(&measure.from), day(&measure.until));
    let way = match (measure.stock, &measure.sum, &measure.distribution) {
        (true, None, _) => Way::Stock(span().0, span().1),
        (true, Some(_), _) => Way::StockSum(span().0, span().1),
        (false, Some(_), _) => Way::Sum(day(&measure.at)),
        (false, None, Some(_)) => Way::Distribution,
        (false, None, None) => Way::Count(day(&measure.at)),
    };
    Disclosed { way, is_narrowed: measure.only.is_some() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> Option<&'static str> {
        let settings: DisclosureSettings = serde_saphyr::from_str(text).unwrap();
        settings.problem().map(|(key, _)| key)
    }

    #[test]
    fn nothing_is_told_as_it_is_without_a_reason_and_nothing_below_three() {
        for good in
            ["{}", "{about: totals}", "{min_count: 3}", "{about: things, reason: a machine}"]
        {
            assert_eq!(problem(good), None, "{good}");
        }
        assert_eq!(problem("{about: things}"), Some("about"));
        assert_eq!(problem("{about: totals, reason: because}"), Some("reason"));
        for count in [0, 2, 1001] {
            assert_eq!(problem(&format!("{{min_count: {count}}}")), Some("min_count"), "{count}");
        }
    }

    #[test]
    fn how_a_measure_comes_about_follows_from_its_definition() {
        let way = |text: &str| disclosed(&serde_saphyr::from_str(text).unwrap());
        let day = |name: &str| name.to_owned();
        let whole = |way| Disclosed { way, is_narrowed: false };
        assert_eq!(way("{count: true, at: a}"), whole(Way::Count(day("a"))));
        assert_eq!(way("{sum: fee, at: a}"), whole(Way::Sum(day("a"))));
        assert_eq!(way("{stock: true, from: a, until: b}"), whole(Way::Stock(day("a"), day("b"))));
        let sum = way("{stock: true, sum: fee, from: a, until: b}");
        assert_eq!(sum, whole(Way::StockSum(day("a"), day("b"))));
        assert_eq!(way("{distribution: b - a, at: b}"), whole(Way::Distribution));
        assert!(way("{count: true, at: a, where: \"x == 1\"}").is_narrowed);
    }
}

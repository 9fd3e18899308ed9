//! Terms to inputs: every measure, dimension and code that a term names is looked up once, here.

use std::collections::BTreeMap;

use crate::indicator::catalogue::KnownMeasure;
use crate::indicator::definition::{Amount, Input};
use crate::indicator::settings::{Over, Term, Terms, Wanted, Written};
use crate::model::cube::BIN;
use crate::model::dictionary::Dictionaries;
use crate::model::nearest::nearest;
use crate::model::schema::At;
use crate::model::snapshot::MeasureKind;

/// What terms are checked against.
pub(super) struct Inputs<'a> {
    pub(super) known: &'a BTreeMap<String, KnownMeasure>,
    pub(super) words: &'a Dictionaries,
}

/// ` – did you mean 'x'?`, or nothing when no candidate is close.
pub(super) fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |near| format!(" – did you mean '{near}'?"))
}

impl Inputs<'_> {
    /// The amount that `terms` make up; problems are added with their places below `at`.
    pub(super) fn amount(&self, at: &str, terms: &Terms, problems: &mut Vec<At>) -> Option<Amount> {
        if terms.terms.is_empty() {
            problems.push((at.to_owned(), "at least one term is needed".to_owned()));
            return None;
        }
        let mut inputs = Vec::new();
        for (i, term) in terms.terms.iter().enumerate() {
            let (at, key) = match terms.written {
                Written::Bare => (at.to_owned(), ""),
                Written::Single => (at.to_owned(), ".measure"),
                Written::List => (format!("{at}.{i}"), ".measure"),
            };
            inputs.extend(self.input((&at, key), term, problems));
        }
        (inputs.len() == terms.terms.len()).then(|| Amount::new(inputs))
    }

    /// One input; its measure's name stands at the two parts of the place together.
    fn input(&self, (at, key): (&str, &str), term: &Term, problems: &mut Vec<At>) -> Option<Input> {
        let name = &term.measure;
        let Some(known) = self.known.get(name) else {
            let hint = hint(name, self.known.keys().map(String::as_str));
            problems.push((format!("{at}{key}"), format!("there is no measure '{name}'{hint}")));
            return None;
        };
        let before = problems.len();
        if term.over.is_some() && known.kind != MeasureKind::Stock {
            problems.push((
                format!("{at}.over"),
                format!("'{name}' is not a stock, so it adds up over days by itself"),
            ));
        }
        let mut wanted = Vec::new();
        for (dimension, words) in &term.only {
            let at = format!("{at}.where.{dimension}");
            match self.numbers(known, dimension, words) {
                Ok(numbers) => wanted.push((dimension.clone(), numbers)),
                Err(problem) => problems.push((at, format!("{name} {problem}"))),
            }
        }
        (problems.len() == before).then(|| Input {
            measure: name.clone(),
            contract: known.contract.clone(),
            kind: known.kind,
            decimals: known.decimals,
            wanted,
            subtract: term.subtract,
            over_days: term.over == Some(Over::Days),
            is_running: false,
            text: text(term),
        })
    }

    fn numbers(
        &self,
        known: &KnownMeasure,
        name: &str,
        wanted: &Wanted,
    ) -> Result<Vec<u16>, String> {
        let dimensions = || known.dimensions.iter().filter(|dimension| dimension.name != BIN);
        let Some(dimension) = dimensions().find(|dimension| dimension.name == name) else {
            let names: Vec<&str> = dimensions().map(|dimension| dimension.name.as_str()).collect();
            let hint = hint(name, names.iter().copied());
            let kept = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            return Err(format!("is not kept by '{name}' but by {kept}{hint}"));
        };
        if wanted.0.is_empty() {
            return Err(format!("needs at least one value of '{name}'"));
        }
        let dictionary = self.words.get(&dimension.dictionary);
        let number = |word: &String| {
            dictionary.and_then(|dictionary| dictionary.number(word)).ok_or_else(|| {
                let words = dictionary.into_iter().flat_map(|dictionary| dictionary.since(0));
                let hint = hint(word, words.map(|(_, word)| word));
                format!("knows no value '{word}' of '{name}'{hint}")
            })
        };
        wanted.0.iter().map(number).collect()
    }
}

/// The term in words: `dossiers.received[channel=online]`.
fn text(term: &Term) -> String {
    let mut text = term.measure.clone();
    if !term.only.is_empty() {
        let conditions: Vec<_> =
            term.only.iter().map(|(name, words)| format!("{name}={}", words.0.join("|"))).collect();
        text = format!("{text}[{}]", conditions.join(", "));
    }
    if term.over.is_some() { format!("{text} over days") } else { text }
}

//! All indicators, checked against the measures, code lists and units that exist.
//!
//! Every problem is found in one go and told with its dotted place, so that a steward mends a file
//! once. Whether the keys of an entry fit its kind is decided here; what each kind needs stands in
//! one function per kind.

use std::collections::{BTreeMap, BTreeSet};

use crate::indicator::arithmetic::Arithmetic;
use crate::indicator::definition::{
    Amount, CompletenessKind, Definition, Expectation, Plan, Share,
};
use crate::indicator::inputs::{Inputs, hint};
use crate::indicator::settings::{CompletenessSettings, Kind, Settings, Statistic, Terms};
use crate::model::cube::{BIN, Dimension};
use crate::model::dictionary::Dictionaries;
use crate::model::schema::At;
use crate::model::snapshot::MeasureKind;
use crate::model::text::{Bilingual, is_name};
use crate::model::units::Span;

/// A percentage as high as this is a mistake: 80 was meant to be 0.8.
const ABSURD_PERCENT: f64 = 10.0;

/// Weights may miss 1 by this much, for thirds.
const WEIGHT_TOLERANCE: f64 = 2e-3;

/// What is known of a measure when indicators are checked.
#[derive(Clone, Debug)]
pub struct KnownMeasure {
    /// How it adds up over time.
    pub kind: MeasureKind,
    /// Its values are scaled by ten to this power.
    pub decimals: u8,
    /// The dimensions it is kept by.
    pub dimensions: Vec<Dimension>,
    /// Its contract's name.
    pub contract: String,
}

/// What the evaluation needs to know of a contract.
#[derive(Clone, Debug)]
pub struct ContractFacts {
    /// The largest allowed age of its data.
    pub fresh_within: Span,
    /// The unit that answers for its records.
    pub accountable_unit: String,
}

/// What the evaluation needs to know of an accountable unit.
#[derive(Clone, Debug)]
pub struct UnitName {
    /// Its name.
    pub name: Bilingual,
}

/// All indicators, by id.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    definitions: BTreeMap<String, Definition>,
}

impl Catalogue {
    /// Checks all entries; the problems' places begin with `indicators.`.
    pub fn compile(
        settings: &BTreeMap<String, Settings>,
        known: &BTreeMap<String, KnownMeasure>,
        words: &Dictionaries,
        units: &BTreeMap<String, UnitName>,
    ) -> Result<Self, Vec<At>> {
        let mut problems = Vec::new();
        let mut catalogue = Self::default();
        for (id, entry) in settings {
            let mut check = Check {
                at: format!("indicators.{id}"),
                entry,
                inputs: Inputs { known, words },
                problems: Vec::new(),
            };
            check.names(id, units);
            check.targets();
            let plan = check.plan(settings);
            let expectation = check.expectation();
            if let (true, Some(plan), Some(expectation)) =
                (check.problems.is_empty(), plan, expectation)
            {
                let definition = define(id, entry, plan, expectation, known);
                catalogue.definitions.insert(id.clone(), definition);
            }
            problems.append(&mut check.problems);
        }
        for id in settings.keys().filter(|id| returns_to(id, settings)) {
            problems.push((
                format!("indicators.{id}.components"),
                format!("'{id}' is, through its components, a part of itself"),
            ));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        catalogue.gather();
        Ok(catalogue)
    }

    /// An indicator by id.
    pub fn get(&self, id: &str) -> Option<&Definition> {
        self.definitions.get(id)
    }

    /// All indicators, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.definitions.values()
    }

    /// How many indicators there are.
    pub fn len(&self) -> usize {
        self.definitions.len()
    }

    /// Whether there is no indicator.
    pub fn is_empty(&self) -> bool {
        self.definitions.is_empty()
    }

    /// Adds what stands behind the components to what stands behind a composite.
    fn gather(&mut self) {
        let ids: Vec<String> = self.definitions.keys().cloned().collect();
        for id in &ids {
            let (mut measures, mut contracts) = (BTreeSet::new(), BTreeSet::new());
            let (mut open, mut seen) = (vec![id.as_str()], BTreeSet::new());
            while let Some(next) = open.pop() {
                let Some(definition) = self.definitions.get(next).filter(|_| seen.insert(next))
                else {
                    continue;
                };
                measures.extend(definition.measures.iter().cloned());
                contracts.extend(definition.contracts.iter().cloned());
                let components = definition.plan.components().iter();
                open.extend(components.map(|component| component.indicator.as_str()));
            }
            if let Some(definition) = self.definitions.get_mut(id) {
                (definition.measures, definition.contracts) = (measures, contracts);
            }
        }
    }
}

/// Whether an indicator is reached from its own components.
fn returns_to(id: &str, settings: &BTreeMap<String, Settings>) -> bool {
    let (mut open, mut seen) = (vec![id], BTreeSet::new());
    while let Some(next) = open.pop() {
        let components = settings.get(next).and_then(|entry| entry.components.as_deref());
        for component in components.unwrap_or_default() {
            if component.indicator == id {
                return true;
            }
            if seen.insert(component.indicator.as_str()) {
                open.push(&component.indicator);
            }
        }
    }
    false
}

fn define(
    id: &str,
    entry: &Settings,
    plan: Plan,
    expectation: Expectation,
    known: &BTreeMap<String, KnownMeasure>,
) -> Definition {
    let behind: Vec<_> = plan.inputs().chain(expectation.inputs()).collect();
    let mut targets = entry.targets.clone();
    targets.sort_by_key(|target| target.from);
    Definition {
        id: id.to_owned(),
        title: entry.title.clone(),
        description: entry.description.clone(),
        group: entry.group.clone(),
        kind: entry.kind,
        unit_measure: entry.unit_measure.clone(),
        direction: entry.direction,
        targets,
        accountable: entry.accountable.clone(),
        empty_denominator: entry.empty_denominator.unwrap_or_default(),
        completeness: match expectation {
            Expectation::Period => CompletenessKind::Period,
            Expectation::Areas(_) => CompletenessKind::Areas,
            Expectation::Measures { .. } => CompletenessKind::Measures,
        },
        decimals: entry.decimals,
        formula: formula(entry, &plan),
        measures: behind.iter().map(|input| input.measure.clone()).collect(),
        contracts: behind.iter().map(|input| input.contract.clone()).collect(),
        dimensions: shared_dimensions(&plan, known),
        plan,
        expectation,
    }
}

/// The dimensions that all inputs have; none for a composite, whose parts do not add up.
fn shared_dimensions(plan: &Plan, known: &BTreeMap<String, KnownMeasure>) -> Vec<Dimension> {
    let dimensions = |measure: &str| known.get(measure).map_or(&[][..], |found| &found.dimensions);
    let mut inputs = plan.inputs();
    let Some(first) = inputs.next() else { return Vec::new() };
    let mut shared: Vec<Dimension> =
        dimensions(&first.measure).iter().filter(|found| found.name != BIN).cloned().collect();
    for input in inputs {
        let others = dimensions(&input.measure);
        shared.retain(|dimension| {
            others.iter().any(|other| {
                other.name == dimension.name && other.dictionary == dimension.dictionary
            })
        });
    }
    shared
}

/// The calculation in one line.
fn formula(entry: &Settings, plan: &Plan) -> String {
    let divided = |text: String, by: f64| {
        if (by - 1.0).abs() < f64::EPSILON { text } else { format!("{text} / {by}") }
    };
    match plan {
        Plan::Total { amount, divide_by } => divided(amount.text(), *divide_by),
        Plan::Quantile { input, share, divide_by } => {
            let name = if share.0 == 5 { "median" } else { "p90" };
            divided(format!("{name}({})", input.text), *divide_by)
        }
        Plan::Ratio { numerator, denominator } => {
            format!("{} / {}", numerator.text(), denominator.text())
        }
        Plan::Derived { amounts, .. } => {
            let names = entry.terms.iter().flat_map(BTreeMap::keys);
            let terms: Vec<_> = names
                .zip(amounts)
                .map(|(name, amount)| format!("{name} = {}", amount.text()))
                .collect();
            format!("{} where {}", entry.value.as_deref().unwrap_or_default(), terms.join(", "))
        }
        Plan::Composite { components, points, .. } => {
            let parts: Vec<_> = components
                .iter()
                .map(|part| {
                    let (zero, full) = (part.zero_at, part.full_at);
                    format!("{} x score({}, {zero} to {full})", part.weight, part.indicator)
                })
                .collect();
            format!("{points} x ({})", parts.join(" + "))
        }
    }
}

/// One entry under inspection.
struct Check<'a> {
    at: String,
    entry: &'a Settings,
    inputs: Inputs<'a>,
    problems: Vec<At>,
}

impl Check<'_> {
    fn problem(&mut self, place: &str, text: impl Into<String>) {
        let at = if place.is_empty() { self.at.clone() } else { format!("{}.{place}", self.at) };
        self.problems.push((at, text.into()));
    }

    fn names(&mut self, id: &str, units: &BTreeMap<String, UnitName>) {
        let entry = self.entry;
        if !is_name(id) {
            self.problem("", format!("'{id}' is not a plain lower-case name"));
        }
        let title = [("title.vi", &entry.title.vi), ("title.en", &entry.title.en)];
        let words = [("group", &entry.group), ("unit_measure", &entry.unit_measure)];
        let role = [("accountable.role", &entry.accountable.role)];
        for (place, text) in title.into_iter().chain(words).chain(role) {
            if text.trim().is_empty() {
                self.problem(place, "must not be empty");
            }
        }
        let unit = &entry.accountable.unit;
        if !units.contains_key(unit) {
            let known = units.keys().map(String::as_str);
            self.problem(
                "accountable.unit",
                format!("there is no unit '{unit}' in units.yaml{}", hint(unit, known)),
            );
        }
        if entry.decimals > 6 {
            self.problem("decimals", "at most 6 decimals are shown");
        }
    }

    fn targets(&mut self) {
        let mut days = BTreeSet::new();
        for (i, target) in self.entry.targets.iter().enumerate() {
            let place = format!("targets.{i}");
            if !days.insert(target.from) {
                self.problem(&format!("{place}.from"), "two targets begin on the same day");
            }
            if !target.value.is_finite() {
                self.problem(&format!("{place}.value"), "must be a number");
            }
            if self.entry.unit_measure == "percent" && target.value >= ABSURD_PERCENT {
                self.problem(
                    &format!("{place}.value"),
                    format!("percent is written as a ratio: {}", target.value / 100.0),
                );
            }
        }
    }

    /// Which keys belong to which kind; all others must be absent.
    fn strangers(&mut self) {
        let entry = self.entry;
        let kind = entry.kind;
        let keys = [
            ("measure", Kind::Simple, entry.measure.is_some()),
            ("divide_by", Kind::Simple, entry.divide_by.is_some()),
            ("statistic", Kind::Simple, entry.statistic.is_some()),
            ("numerator", Kind::Ratio, entry.numerator.is_some()),
            ("denominator", Kind::Ratio, entry.denominator.is_some()),
            ("empty_denominator", Kind::Ratio, entry.empty_denominator.is_some()),
            ("terms", Kind::Derived, entry.terms.is_some()),
            ("value", Kind::Derived, entry.value.is_some()),
            ("components", Kind::Composite, entry.components.is_some()),
            ("missing", Kind::Composite, entry.missing.is_some()),
            ("points", Kind::Composite, entry.points.is_some()),
        ];
        for (key, owner, _) in keys.into_iter().filter(|key| key.2 && key.1 != kind) {
            self.problem(
                key,
                format!("'{key}' belongs to kind {}, not to {}", word(owner), word(kind)),
            );
        }
    }

    fn plan(&mut self, settings: &BTreeMap<String, Settings>) -> Option<Plan> {
        self.strangers();
        match self.entry.kind {
            Kind::Simple => self.simple(),
            Kind::Ratio => {
                let numerator = self.needed("numerator", self.entry.numerator.as_ref());
                let denominator = self.needed("denominator", self.entry.denominator.as_ref());
                Some(Plan::Ratio { numerator: numerator?, denominator: denominator? })
            }
            Kind::Derived => self.derived(),
            Kind::Composite => self.composite(settings),
        }
    }

    fn needed(&mut self, key: &str, terms: Option<&Terms>) -> Option<Amount> {
        if terms.is_none() {
            self.problem("", format!("kind {} needs '{key}'", word(self.entry.kind)));
        }
        self.amount(key, terms?)
    }

    fn amount(&mut self, key: &str, terms: &Terms) -> Option<Amount> {
        let at = format!("{}.{key}", self.at);
        self.inputs.amount(&at, terms, &mut self.problems)
    }

    fn simple(&mut self) -> Option<Plan> {
        let divide_by = self.entry.divide_by.unwrap_or(1.0);
        if !divide_by.is_finite() || divide_by <= 0.0 {
            self.problem("divide_by", "must be a number above 0");
        }
        let amount = self.needed("measure", self.entry.measure.as_ref())?;
        let Some(share) = Share::of(self.entry.statistic.unwrap_or(Statistic::Total)) else {
            return Some(Plan::Total { amount, divide_by });
        };
        match <[_; 1]>::try_from(amount.inputs) {
            Ok([input]) if input.kind == MeasureKind::Distribution && !input.subtract => {
                Some(Plan::Quantile { input, share, divide_by })
            }
            _ => {
                self.problem("statistic", "median and p90 need a single measure of a distribution");
                None
            }
        }
    }

    fn derived(&mut self) -> Option<Plan> {
        let entry = self.entry;
        let Some(terms) = entry.terms.as_ref().filter(|terms| !terms.is_empty()) else {
            self.problem("", "kind derived needs 'terms'");
            return None;
        };
        let mut amounts = Vec::new();
        for (name, of) in terms {
            let key = format!("terms.{name}");
            if !is_name(name) || name.contains('-') {
                self.problem(&key, format!("'{name}' is not a plain lower-case name"));
            }
            amounts.extend(self.amount(&key, of));
        }
        let Some(text) = &entry.value else {
            self.problem("", "kind derived needs 'value'");
            return None;
        };
        let names: Vec<&str> = terms.keys().map(String::as_str).collect();
        match Arithmetic::compile(text, &names) {
            Ok(value) => {
                for (_, name) in names.iter().enumerate().filter(|(term, _)| !value.uses(*term)) {
                    self.problem(&format!("terms.{name}"), "is not used in 'value'");
                }
                (amounts.len() == terms.len()).then_some(Plan::Derived { amounts, value })
            }
            Err(problem) => {
                self.problem("value", problem);
                None
            }
        }
    }

    fn composite(&mut self, settings: &BTreeMap<String, Settings>) -> Option<Plan> {
        let entry = self.entry;
        let Some(components) = entry.components.as_ref().filter(|parts| !parts.is_empty()) else {
            self.problem("", "kind composite needs 'components'");
            return None;
        };
        let mut seen = BTreeSet::new();
        for (i, part) in components.iter().enumerate() {
            let at = format!("components.{i}");
            if !settings.contains_key(&part.indicator) {
                let known = settings.keys().map(String::as_str);
                let name = &part.indicator;
                self.problem(
                    &format!("{at}.indicator"),
                    format!("there is no indicator '{name}'{}", hint(name, known)),
                );
            }
            if !seen.insert(&part.indicator) {
                self.problem(&format!("{at}.indicator"), "stands twice");
            }
            if !part.weight.is_finite() || part.weight <= 0.0 {
                self.problem(&format!("{at}.weight"), "must be a number above 0");
            }
            let range = part.full_at - part.zero_at;
            if !range.is_finite() || range == 0.0 {
                self.problem(&format!("{at}.full_at"), "must differ from 'zero_at'");
            }
        }
        let sum: f64 = components.iter().map(|part| part.weight).sum();
        if (sum - 1.0).abs() > WEIGHT_TOLERANCE {
            self.problem("components", format!("the weights sum to {sum:.3}, not to 1"));
        }
        let points = entry.points.unwrap_or(100.0);
        if !points.is_finite() || points <= 0.0 {
            self.problem("points", "must be a number above 0");
        }
        let (components, missing) = (components.clone(), entry.missing.unwrap_or_default());
        Some(Plan::Composite { components, missing, points })
    }

    fn expectation(&mut self) -> Option<Expectation> {
        match &self.entry.completeness {
            CompletenessSettings::Period {} => Some(Expectation::Period),
            CompletenessSettings::Areas { measure } => {
                self.amount("completeness.measure", measure).map(Expectation::Areas)
            }
            CompletenessSettings::Measures { reported, expected } => {
                let reported = self.amount("completeness.reported", reported);
                let expected = self.amount("completeness.expected", expected);
                Some(Expectation::Measures { reported: reported?, expected: expected? })
            }
        }
    }
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Simple => "simple",
        Kind::Ratio => "ratio",
        Kind::Derived => "derived",
        Kind::Composite => "composite",
    }
}

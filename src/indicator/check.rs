//! One entry of the catalogue, checked: do its keys fit its kind, and does all it names exist?
//!
//! One function for each kind says what that kind needs; a new kind is a new function here.

use std::collections::{BTreeMap, BTreeSet};

use crate::indicator::arithmetic::Arithmetic;
use crate::indicator::catalogue::UnitName;
use crate::indicator::definition::{Amount, Expectation, Plan, Share};
use crate::indicator::inputs::{Inputs, hint};
use crate::indicator::settings::{CompletenessSettings, Kind, Settings, Statistic, Terms};
use crate::indicator::target;
use crate::model::schema::At;
use crate::model::snapshot::MeasureKind;
use crate::model::text::is_name;

/// Weights may miss 1 by this much, for thirds.
const WEIGHT_TOLERANCE: f64 = 2e-3;

/// One entry under inspection.
pub(super) struct Check<'a> {
    id: &'a str,
    at: String,
    entry: &'a Settings,
    inputs: Inputs<'a>,
    pub(super) problems: Vec<At>,
}

impl<'a> Check<'a> {
    pub(super) fn new(id: &'a str, entry: &'a Settings, inputs: Inputs<'a>) -> Self {
        Self { id, at: format!("indicators.{id}"), entry, inputs, problems: Vec::new() }
    }

    /// How to compute the value and its completeness; `None` if there are problems.
    pub(super) fn all(
        &mut self,
        settings: &BTreeMap<String, Settings>,
        units: &BTreeMap<String, UnitName>,
    ) -> Option<(Plan, Expectation)> {
        self.names(units);
        self.targets();
        let plan = self.plan(settings);
        let expectation = self.expectation();
        if self.problems.is_empty() { Some((plan?, expectation?)) } else { None }
    }

    fn problem(&mut self, place: &str, text: impl Into<String>) {
        let at = if place.is_empty() { self.at.clone() } else { format!("{}.{place}", self.at) };
        self.problems.push((at, text.into()));
    }

    fn names(&mut self, units: &BTreeMap<String, UnitName>) {
        let (id, entry) = (self.id, self.entry);
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
        let entry = self.entry;
        let is_percent = entry.unit_measure == "percent";
        for (place, text) in target::problems(&entry.targets, entry.direction, is_percent) {
            self.problem(&place, text);
        }
    }

    /// Which keys belong to which kind; all others must be absent.
    fn strangers(&mut self) {
        let entry = self.entry;
        let kind = entry.kind;
        let amount: &[Kind] = &[Kind::Simple, Kind::Cumulative];
        let keys = [
            ("measure", amount, entry.measure.is_some()),
            ("divide_by", amount, entry.divide_by.is_some()),
            ("statistic", &[Kind::Simple], entry.statistic.is_some()),
            ("since", &[Kind::Cumulative], entry.since.is_some()),
            ("numerator", &[Kind::Ratio], entry.numerator.is_some()),
            ("denominator", &[Kind::Ratio], entry.denominator.is_some()),
            ("empty_denominator", &[Kind::Ratio], entry.empty_denominator.is_some()),
            ("terms", &[Kind::Derived], entry.terms.is_some()),
            ("value", &[Kind::Derived], entry.value.is_some()),
            ("components", &[Kind::Composite], entry.components.is_some()),
            ("missing", &[Kind::Composite], entry.missing.is_some()),
            ("points", &[Kind::Composite], entry.points.is_some()),
        ];
        for (key, owners, _) in keys.into_iter().filter(|key| key.2 && !key.1.contains(&kind)) {
            let owners: Vec<_> = owners.iter().map(|owner| word(*owner)).collect();
            let owners = owners.join(" or ");
            self.problem(key, format!("'{key}' belongs to kind {owners}, not to {}", word(kind)));
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
            Kind::Cumulative => self.cumulative(),
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

    fn divide_by(&mut self) -> f64 {
        let divide_by = self.entry.divide_by.unwrap_or(1.0);
        if !divide_by.is_finite() || divide_by <= 0.0 {
            self.problem("divide_by", "must be a number above 0");
        }
        divide_by
    }

    fn cumulative(&mut self) -> Option<Plan> {
        let divide_by = self.divide_by();
        if self.entry.since.is_none() {
            self.problem("", "kind cumulative needs 'since': year, quarter, month, or a day");
        }
        let mut amount = self.needed("measure", self.entry.measure.as_ref())?;
        for input in &mut amount.inputs {
            if input.kind == MeasureKind::Stock && !input.over_days {
                let name = &input.measure;
                let text = format!(
                    "'{name}' is a stock, which is a running total already; use kind simple, or \
                     'over: days'"
                );
                self.problems.push((format!("{}.measure", self.at), text));
            }
            input.is_running = true;
        }
        Some(Plan::Running { amount, divide_by, since: self.entry.since? })
    }

    fn simple(&mut self) -> Option<Plan> {
        let divide_by = self.divide_by();
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
        Kind::Cumulative => "cumulative",
        Kind::Composite => "composite",
    }
}

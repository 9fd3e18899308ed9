//! All indicators, checked against the measures, code lists and units that exist.
//!
//! Every problem is found in one go and told with its dotted place, so that a steward mends a file
//! once. What concerns one entry stands in `check`; here are the whole, its cycles, and what a
//! composite inherits from its components.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::indicator::check::Check;
use crate::indicator::definition::{CompletenessKind, Definition, Expectation, Plan};
use crate::indicator::family::Scope;
use crate::indicator::inputs::Inputs;
use crate::indicator::settings::{MissingPolicy, Settings};
use crate::model::cube::{BIN, Dimension, HOURS};
use crate::model::dictionary::Dictionaries;
use crate::model::disclosure::Disclosure;
use crate::model::schema::At;
use crate::model::snapshot::MeasureKind;
use crate::model::text::Bilingual;
use crate::model::time::Stamp;
use crate::model::units::Span;

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
    /// Everything that decides its cells, as text.
    pub definition: String,
}

/// What the evaluation needs to know of a contract.
#[derive(Clone, Debug)]
pub struct ContractFacts {
    /// The largest allowed age of its data.
    pub fresh_within: Span,
    /// The unit that answers for its records.
    pub accountable_unit: String,
    /// The moments at which its figures are published, oldest first, if they are.
    pub publication: Option<Arc<[Stamp]>>,
    /// What of its figures the public is not told.
    pub disclosure: Disclosure,
}

impl ContractFacts {
    /// When the figures of a period that ends at `end` are published; `Err` if the calendar of
    /// publication does not go that far.
    pub(super) fn published_at(&self, end: Stamp) -> Result<Option<Stamp>, ()> {
        let Some(moments) = &self.publication else { return Ok(None) };
        let next = moments.partition_point(|moment| *moment < end);
        moments.get(next).copied().map(Some).ok_or(())
    }
}

/// What the evaluation needs to know of an accountable unit.
#[derive(Clone, Debug)]
pub struct UnitName {
    /// Its name.
    pub name: Bilingual,
    /// The position that answers, never a person's name.
    pub role: String,
    /// The id of the unit that it belongs to.
    pub parent: Option<String>,
}

/// All indicators, by id, or as many of them as a reader may know of.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    definitions: Arc<BTreeMap<String, Definition>>,
    /// The units whose indicators are shown; all of them without a set.
    units: Option<BTreeSet<String>>,
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
        let mut definitions = BTreeMap::new();
        for (id, entry) in settings {
            let mut check = Check::new(id, entry, Inputs { known, words });
            match check.all(settings, units) {
                Some((plan, expectation)) => {
                    let definition = define(id, entry, plan, expectation, known);
                    definitions.insert(id.clone(), definition);
                }
                None => problems.append(&mut check.problems),
            }
        }
        problems.extend(same_families(&definitions));
        for id in settings.keys().filter(|id| returns_to(id, settings)) {
            problems.push((
                format!("indicators.{id}.components"),
                format!("'{id}' is, through its components, a part of itself"),
            ));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        gather(&mut definitions);
        Ok(Self { definitions: Arc::new(definitions), units: None })
    }

    /// The same without the indicators that none of these units answers for. They still are parts of
    /// others.
    #[must_use]
    pub fn within(&self, units: &BTreeSet<String>) -> Self {
        Self { definitions: Arc::clone(&self.definitions), units: Some(units.clone()) }
    }

    fn shows(&self, definition: &Definition) -> bool {
        self.units.as_ref().is_none_or(|units| units.contains(&definition.accountable.unit))
    }

    /// An indicator by id.
    pub fn get(&self, id: &str) -> Option<&Definition> {
        self.definitions.get(id).filter(|definition| self.shows(definition))
    }

    /// A part of an indicator, whoever may know of it.
    pub(super) fn part(&self, id: &str) -> Option<&Definition> {
        self.definitions.get(id)
    }

    /// All indicators, whoever may know of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Definition> {
        self.definitions.values()
    }

    /// All indicators, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.definitions.values().filter(|definition| self.shows(definition))
    }

    /// How many indicators there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no indicator.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

/// Indicators that would have the name of another one's metric family.
fn same_families(definitions: &BTreeMap<String, Definition>) -> Vec<At> {
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    let mut problems = Vec::new();
    for definition in definitions.values() {
        for scope in [Scope::Communes, Scope::Province] {
            let name = definition.family(scope);
            if let Some(other) = names.insert(name.clone(), &definition.id) {
                let problem = format!(
                    "'{}' and '{other}' would both be the metric '{name}'; rename one of them",
                    definition.id
                );
                problems.push((format!("indicators.{}", definition.id), problem));
            }
        }
    }
    problems
}

/// Adds what stands behind the components to what stands behind a composite.
fn gather(definitions: &mut BTreeMap<String, Definition>) {
    let ids: Vec<String> = definitions.keys().cloned().collect();
    let mut gathered = Vec::new();
    for id in &ids {
        let (mut measures, mut contracts) = (BTreeSet::new(), BTreeSet::new());
        let (mut open, mut seen) = (vec![id.as_str()], BTreeSet::new());
        while let Some(next) = open.pop() {
            let Some(definition) = definitions.get(next).filter(|_| seen.insert(next)) else {
                continue;
            };
            measures.extend(definition.measures.iter().cloned());
            contracts.extend(definition.contracts.iter().cloned());
            let components = definition.plan.components().iter();
            open.extend(components.map(|component| component.indicator.as_str()));
        }
        let parts: Vec<&str> =
            seen.iter().map(|part| definitions[*part].version.as_str()).collect();
        let version = if parts.len() > 1 { hash(&parts) } else { parts.concat() };
        gathered.push((measures, contracts, version));
    }
    for (id, (measures, contracts, version)) in ids.iter().zip(gathered) {
        if let Some(definition) = definitions.get_mut(id) {
            (definition.measures, definition.contracts) = (measures, contracts);
            definition.version = version;
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
        version: version(entry, (&plan, &expectation), known),
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
        conditions: Vec::new(),
        is_hourly: is_hourly(&plan, known),
        plan,
        expectation,
    }
}

/// Whether all measures are of what happens, and kept by the hour.
fn is_hourly(plan: &Plan, known: &BTreeMap<String, KnownMeasure>) -> bool {
    let is_kept = |measure: &str| {
        let mut dimensions = known.get(measure).into_iter().flat_map(|found| &found.dimensions);
        dimensions.any(|found| found.dictionary == HOURS)
    };
    let is_plain = !matches!(plan, Plan::Running { .. } | Plan::Composite { .. });
    is_plain
        && plan.inputs().all(|input| input.kind != MeasureKind::Stock && is_kept(&input.measure))
}

/// The hash of what decides the value of this indicator itself, its components left aside.
fn version(
    entry: &Settings,
    (plan, expectation): (&Plan, &Expectation),
    known: &BTreeMap<String, KnownMeasure>,
) -> String {
    let completeness = match expectation {
        Expectation::Period => "period".to_owned(),
        Expectation::Areas(amount) => format!("areas {}", amount.text()),
        Expectation::Measures { reported, expected } => {
            format!("measures {} of {}", reported.text(), expected.text())
        }
    };
    let policies = format!("{:?} {:?}", entry.empty_denominator.unwrap_or_default(), entry.missing);
    let mut parts = vec![formula(entry, plan), entry.unit_measure.clone(), policies, completeness];
    let measures: BTreeSet<&str> =
        plan.inputs().chain(expectation.inputs()).map(|input| input.measure.as_str()).collect();
    for name in measures {
        let definition = known.get(name).map_or("", |measure| &measure.definition);
        parts.push(format!("{name} = {definition}"));
    }
    hash(&parts)
}

/// A short hash of texts, each with its length so that none runs into the next.
fn hash(parts: &[impl AsRef<str>]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        let part = part.as_ref().as_bytes();
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_hex()[..16].to_owned()
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
        Plan::Running { amount, divide_by, since } => {
            format!("{} {}", divided(amount.text(), *divide_by), since.text())
        }
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
        Plan::Composite { components, points, missing } => {
            let parts: Vec<_> = components
                .iter()
                .map(|part| {
                    let (zero, full) = (part.zero_at, part.full_at);
                    format!("{} x score({}, {zero} to {full})", part.weight, part.indicator)
                })
                .collect();
            let score = format!("{points} x ({})", parts.join(" + "));
            match missing {
                MissingPolicy::Carry => score + " with the last value of what has none",
                _ => score,
            }
        }
    }
}

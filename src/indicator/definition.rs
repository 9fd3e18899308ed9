//! An indicator's definition, checked: every name in it is known to exist.
//!
//! The public fields are what the API's catalogue shows. The plan is private to this stage, so that
//! nobody else can compute a value in a second way. A definition cannot be invalid: only
//! [`crate::indicator::catalogue::Catalogue::compile`] makes one.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use crate::indicator::arithmetic::Arithmetic;
use crate::indicator::narrow::Condition;
use crate::indicator::reading::Direction;
use crate::indicator::running::Since;
use crate::indicator::settings::{
    AccountableSettings, Component, EmptyDenominator, Kind, MissingPolicy, Statistic,
};
use crate::indicator::target::{Target, in_force};
use crate::model::cube::Dimension;
use crate::model::snapshot::MeasureKind;
use crate::model::text::Bilingual;
use crate::model::time::Day;

/// A checked indicator.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub title: Bilingual,
    /// What exactly is counted.
    pub description: Option<Bilingual>,
    /// Tiles are grouped by it.
    pub group: String,
    /// How the value comes about.
    pub kind: Kind,
    /// `percent` for ratios 0 to 1; otherwise the word for what is counted.
    pub unit_measure: String,
    /// Whether higher or lower is better.
    pub direction: Direction,
    /// The targets, by the day from which they hold.
    pub targets: Vec<Target>,
    /// Who answers for it.
    pub accountable: AccountableSettings,
    /// What a denominator of zero means.
    pub empty_denominator: EmptyDenominator,
    /// How completeness is told: `period`, `areas` or `measures`.
    pub completeness: CompletenessKind,
    /// Decimals shown; of the percentage for `percent`.
    pub decimals: u8,
    /// The calculation in one line, for people: `dossiers.received[channel=online] / …`.
    pub formula: String,
    /// The measures behind it, through all components.
    pub measures: BTreeSet<String>,
    /// The contracts behind it, through all components.
    pub contracts: BTreeSet<String>,
    /// The dimensions that all its measures share, by which it can be broken down.
    pub dimensions: Vec<Dimension>,
    /// A short hash of all that decides the value: the calculation, the measures and the components
    /// behind it. Titles, targets and who answers for it are not part of it.
    pub version: String,
    /// To which records it was narrowed by whoever asks; in the catalogue, none.
    pub conditions: Vec<Condition>,
    pub(super) plan: Plan,
    pub(super) expectation: Expectation,
    pub(super) is_hourly: bool,
}

/// How completeness is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompletenessKind {
    /// Seconds of the period that all sources cover.
    Period,
    /// Communes that reported.
    Areas,
    /// One amount of another.
    Measures,
}

impl CompletenessKind {
    /// The word used in a reading.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Period => "period",
            Self::Areas => "areas",
            Self::Measures => "measures",
        }
    }
}

/// How to compute the value.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    Total { amount: Amount, divide_by: f64 },
    Running { amount: Amount, divide_by: f64, since: Since },
    Quantile { input: Input, share: Share, divide_by: f64 },
    Ratio { numerator: Amount, denominator: Amount },
    Derived { amounts: Vec<Amount>, value: Arithmetic },
    Composite { components: Vec<Component>, missing: MissingPolicy, points: f64 },
}

/// Which share of a distribution lies at or below the quantile, in tenths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share(pub(super) i128);

impl Share {
    pub(super) const fn of(statistic: Statistic) -> Option<Self> {
        match statistic {
            Statistic::Total => None,
            Statistic::Median => Some(Self(5)),
            Statistic::P90 => Some(Self(9)),
        }
    }
}

/// How completeness is computed.
#[derive(Clone, Debug)]
pub(super) enum Expectation {
    Period,
    Areas(Amount),
    Measures { reported: Amount, expected: Amount },
}

/// A sum of inputs.
#[derive(Clone, Debug, Default)]
pub(super) struct Amount {
    pub(super) inputs: Vec<Input>,
    /// The sum is scaled by ten to this power: the finest of the inputs.
    pub(super) decimals: u8,
}

/// A measure, narrowed.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) measure: String,
    pub(super) contract: String,
    pub(super) kind: MeasureKind,
    /// The scale of the cells' values; for a distribution, of the quantities in its bins.
    pub(super) decimals: u8,
    /// For each narrowed dimension the numbers that count.
    pub(super) wanted: Vec<(String, Vec<u16>)>,
    pub(super) subtract: bool,
    pub(super) over_days: bool,
    /// It is a part of a running total: what happens on a day counts for later periods too.
    pub(super) is_running: bool,
    /// The input in words.
    pub(super) text: String,
}

impl Input {
    /// The scale of what is added up: a distribution's cells are plain counts.
    pub(super) const fn scale(&self) -> u8 {
        match self.kind {
            MeasureKind::Distribution => 0,
            MeasureKind::Flow | MeasureKind::Stock => self.decimals,
        }
    }
}

impl Amount {
    pub(super) fn new(inputs: Vec<Input>) -> Self {
        let decimals = inputs.iter().map(Input::scale).max().unwrap_or(0);
        Self { inputs, decimals }
    }

    /// The sum in words.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (i, input) in self.inputs.iter().enumerate() {
            let sign = match (i, input.subtract) {
                (0, false) => "",
                (0, true) => "-",
                (_, false) => " + ",
                (_, true) => " - ",
            };
            let _ = write!(text, "{sign}{}", input.text);
        }
        if self.inputs.len() > 1 { format!("({text})") } else { text }
    }
}

impl Plan {
    /// The inputs of this indicator itself, not those of its components.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Input> {
        let amounts: Vec<&Amount> = match self {
            Self::Total { amount, .. } | Self::Running { amount, .. } => vec![amount],
            Self::Ratio { numerator, denominator } => vec![numerator, denominator],
            Self::Derived { amounts, .. } => amounts.iter().collect(),
            Self::Quantile { .. } | Self::Composite { .. } => Vec::new(),
        };
        let single = match self {
            Self::Quantile { input, .. } => Some(input),
            _ => None,
        };
        amounts.into_iter().flat_map(|amount| &amount.inputs).chain(single)
    }

    /// The components of a composite; of the others there are none.
    pub(super) fn components(&self) -> &[Component] {
        match self {
            Self::Composite { components, .. } => components,
            _ => &[],
        }
    }
}

impl Expectation {
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Input> {
        let amounts = match self {
            Self::Period => Vec::new(),
            Self::Areas(amount) => vec![amount],
            Self::Measures { reported, expected } => vec![reported, expected],
        };
        amounts.into_iter().flat_map(|amount| &amount.inputs)
    }
}

impl Definition {
    /// The indicators that it is made of, if it is a composite.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        let components = match &self.plan {
            Plan::Composite { components, .. } => components.as_slice(),
            Plan::Total { .. }
            | Plan::Running { .. }
            | Plan::Quantile { .. }
            | Plan::Ratio { .. }
            | Plan::Derived { .. } => &[],
        };
        components.iter().map(|component| component.indicator.as_str())
    }

    /// Whether it can be read by the hour: all its measures are of what happens, and kept by the hour.
    pub const fn is_hourly(&self) -> bool {
        self.is_hourly
    }

    /// Whether it is a running total.
    pub(super) const fn is_running(&self) -> bool {
        matches!(self.plan, Plan::Running { .. })
    }

    /// The target in force on `day`.
    pub fn target_on(&self, day: Day) -> Option<&Target> {
        in_force(&self.targets, day)
    }
}

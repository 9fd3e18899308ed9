//! An indicator narrowed by whoever asks: online filing alone, two fields of procedures together.
//!
//! A condition holds for every amount of the indicator at once, so that a ratio stays one of the same
//! records; it can only name a dimension that all measures behind the indicator share. What qualifies
//! the value (freshness, completeness) stays that of the whole, for nobody promises to report a part
//! of it; a target is set for the whole too, so a part has none. The public is told no parts at all: they
//! are not among what is looked at when small figures are hidden.

use crate::indicator::definition::{Definition, Input, Plan};
use crate::indicator::evaluate::World;
use crate::model::dictionary::Dictionary;
use crate::model::nearest::nearest;

/// The word for records that have no value in a dimension, where no code is called so.
pub const WITHOUT: &str = "none";

/// One condition: a dimension, and the values of which any counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The dimension.
    pub dimension: String,
    /// Its values, as a breakdown names them, or [`WITHOUT`].
    pub values: Vec<String>,
}

/// Why an indicator cannot be narrowed as asked; all are the caller's to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NarrowError {
    /// Its measures share no dimension, or it is a composite.
    Nothing,
    /// Its measures do not share this dimension.
    UnknownDimension {
        /// What can be asked for.
        known: Vec<String>,
    },
    /// There is no such value.
    UnknownValue {
        /// What was asked for.
        value: String,
        /// The known one that is spelled most alike.
        nearest: Option<String>,
    },
}

impl Definition {
    /// The same indicator of the records for which all of `conditions` hold; on failure the condition that
    /// cannot be met with the reason.
    pub fn narrowed(
        &self,
        world: &World<'_>,
        conditions: &[Condition],
    ) -> Result<Self, (Condition, NarrowError)> {
        let mut narrowed = self.clone();
        for condition in conditions {
            let numbers =
                self.numbers(world, condition).map_err(|error| (condition.clone(), error))?;
            for input in narrowed.plan.inputs_mut() {
                input.narrow(&condition.dimension, &numbers);
            }
        }
        if !conditions.is_empty() {
            narrowed.targets = Vec::new();
            narrowed.conditions = conditions.to_vec();
        }
        Ok(narrowed)
    }

    /// The words of a dimension that it is kept by, as far as they are known.
    pub(super) fn words<'a>(&self, world: &World<'a>, dimension: &str) -> Option<&'a Dictionary> {
        let found = self.dimensions.iter().find(|found| found.name == dimension)?;
        let texts = world.snapshot.texts.get(&found.dictionary).map(AsRef::as_ref);
        texts.or_else(|| world.words.get(&found.dictionary))
    }

    fn numbers(&self, world: &World<'_>, condition: &Condition) -> Result<Vec<u16>, NarrowError> {
        if self.dimensions.is_empty() {
            return Err(NarrowError::Nothing);
        }
        if !self.dimensions.iter().any(|dimension| dimension.name == condition.dimension) {
            let known = self.dimensions.iter().map(|dimension| dimension.name.clone()).collect();
            return Err(NarrowError::UnknownDimension { known });
        }
        let words = self.words(world, &condition.dimension);
        let number = |value: &String| {
            let known = words.and_then(|words| words.number(value));
            let known = known.or((value == WITHOUT).then_some(0));
            known.ok_or_else(|| {
                let all = words.into_iter().flat_map(|words| words.since(0));
                let nearest = nearest(value, all.map(|(_, word)| word)).map(str::to_owned);
                NarrowError::UnknownValue { value: value.clone(), nearest }
            })
        };
        condition.values.iter().map(number).collect()
    }
}

impl Input {
    /// Counts only what it counted and what has one of these numbers.
    fn narrow(&mut self, dimension: &str, numbers: &[u16]) {
        match self.wanted.iter_mut().find(|(name, _)| name == dimension) {
            Some((_, wanted)) => wanted.retain(|number| numbers.contains(number)),
            None => self.wanted.push((dimension.to_owned(), numbers.to_vec())),
        }
    }
}

impl Plan {
    fn inputs_mut(&mut self) -> impl Iterator<Item = &mut Input> {
        let (amounts, single) = match self {
            Self::Total { amount, .. } | Self::Running { amount, .. } => (vec![amount], None),
            Self::Ratio { numerator, denominator } => (vec![numerator, denominator], None),
            Self::Derived { amounts, .. } => (amounts.iter_mut().collect(), None),
            Self::Quantile { input, .. } => (Vec::new(), Some(input)),
            Self::Composite { .. } => (Vec::new(), None),
        };
        amounts.into_iter().flat_map(|amount| &mut amount.inputs).chain(single)
    }
}

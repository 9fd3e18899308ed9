//! Indicators: what people look at, evaluated from one snapshot.
//!
//! Pure: a function of a snapshot, the definitions and the time it is told. The way of a value:
//! [`settings`] (as written) → [`catalogue`] (checked) → sums over cubes, in whole numbers →
//! [`evaluate`] (one value, or one value for each part), [`mod@series`] (many periods) and
//! [`layout`] (many periods and places, also on older boundaries) → a
//! [`reading::Reading`] with everything that [`quality`] adds.

mod arithmetic;
mod carry;
pub mod catalogue;
mod check;
pub mod comparison;
mod coverage;
pub mod definition;
pub mod disclosure;
pub mod evaluate;
pub mod family;
mod inputs;
pub mod layout;
pub mod lineage;
pub mod narrow;
pub mod period;
mod points;
pub mod quality;
mod quantile;
pub mod reading;
pub mod revisions;
pub mod running;
pub mod series;
pub mod settings;
mod sum;
pub mod target;
#[cfg(test)]
mod tests;

pub use catalogue::{Catalogue, ContractFacts, KnownMeasure, UnitName};
pub use definition::Definition;
pub use disclosure::Patterns;
pub use evaluate::{BreakdownError, By, Place, Row, UNPLACED, World, breakdown, value};
pub use family::Scope;
pub use layout::{Layout, Level, Unit};
pub use narrow::Condition;
pub use period::{Extent, Grain};
pub use reading::{Period, Point, Reading};
pub use series::series;
pub use settings::Settings;

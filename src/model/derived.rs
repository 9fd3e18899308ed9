//! Derived properties: what follows from a record's properties, computed and never stored.
//!
//! `late: {type: boolean, value: "finished_at > due_at"}` may be used wherever a property may: in
//! checks, in measures, in the derived properties after it. Its slot stands behind those of the
//! properties and takes no room on disk: it is computed when a record comes in and again when its row
//! is unpacked, from the same packed values, so a correction subtracts exactly what was added, and a
//! measure whose derivation was changed is rebuilt like one whose condition was.

use std::collections::BTreeMap;

use crate::model::contract::{Derived, PropertyType};
use crate::model::dictionary::Dictionaries;
use crate::model::expr::{self, Expr, Type};
use crate::model::row::{EARLIEST, EARLIEST_DAY, LATEST, LATEST_DAY, NULL};
use crate::model::schema::{At, Field, Schema, within};
use crate::model::text::is_name;

/// The most decimals that a property keeps.
const MAX_DECIMALS: u8 = 9;

/// How one derived property comes about.
#[derive(Clone, Debug)]
pub struct Derivation {
    expr: Expr,
    /// Brings the expression's decimals to the property's.
    factor: i64,
    /// What its slot can hold; anything else is null.
    bounds: (i64, i64),
    /// Everything that decides its value, as text.
    recipe: String,
    /// The names that its expression speaks of.
    names: Vec<String>,
}

impl Derivation {
    /// The value for a row whose slots before this one are filled.
    #[inline]
    pub(super) fn value(&self, row: &[i64]) -> i64 {
        let value = self.expr.value(row);
        if value == NULL {
            return NULL;
        }
        match value.checked_mul(self.factor) {
            Some(value) if (self.bounds.0..=self.bounds.1).contains(&value) => value,
            _ => NULL,
        }
    }
}

impl Schema {
    /// Fills the slots of the derived properties, which stand last in a row.
    #[inline]
    pub fn derive(&self, row: &mut Vec<i64>) {
        if self.derived.is_empty() {
            return;
        }
        row.truncate(self.stored());
        for derivation in &self.derived {
            row.push(derivation.value(row));
        }
    }

    /// Unpacks a row and fills its derived slots.
    #[inline]
    pub fn unpack(&self, bytes: &[u8], row: &mut Vec<i64>) {
        self.layout.unpack(bytes, row);
        self.derive(row);
    }

    /// How many slots are properties of the record; those behind them are derived.
    pub fn stored(&self) -> usize {
        self.layout.packings.len()
    }

    /// What decides the values of the derived properties among `names`, as text; empty if there are
    /// none. Names may carry an attribute.
    pub fn recipe<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> String {
        let property = |name: &str| name.split('.').next().unwrap_or(name).to_owned();
        let mut needed: Vec<String> = names.into_iter().map(property).collect();
        let mut recipe = String::new();
        // Each speaks only of those before it, so going backwards meets all that are needed.
        for (field, derivation) in self.fields[self.stored()..].iter().zip(&self.derived).rev() {
            if needed.contains(&field.name) {
                recipe.push_str(&derivation.recipe);
                needed.extend(derivation.names.iter().map(|name| property(name)));
            }
        }
        recipe
    }

    /// Checks and adds the derived properties, each after those that it speaks of.
    pub(super) fn derivations(
        &mut self,
        written: &BTreeMap<String, Derived>,
        words: &Dictionaries,
        problems: &mut Vec<At>,
    ) {
        let mut waiting: Vec<(&String, &Derived, Vec<String>)> = Vec::new();
        for (name, derived) in written {
            let at = format!("derived.{name}");
            if !is_name(name) {
                problems.push((at, format!("'{name}' is not a plain lower-case name")));
            } else if self.slot(name).is_some() {
                problems.push((at, format!("'{name}' is a property already")));
            } else {
                // A text that cannot be parsed speaks of nothing and is told of when it is compiled.
                let tree = expr::parse(&derived.value).ok();
                let names = tree.iter().flat_map(|tree| tree.names());
                waiting.push((name, derived, names.map(str::to_owned).collect()));
            }
        }
        while !waiting.is_empty() {
            let free = |names: &[String]| {
                !waiting.iter().any(|(name, ..)| names.iter().any(|named| named == *name))
            };
            let Some(next) = waiting.iter().position(|(.., names)| free(names)) else {
                for (name, ..) in &waiting {
                    let message = format!("'{name}' is derived from itself, or from one that is");
                    problems.push((format!("derived.{name}.value"), message));
                }
                return;
            };
            let (name, derived, names) = waiting.remove(next);
            match self.derivation(name, derived, names, words) {
                Ok((field, derivation)) => {
                    self.fields.push(field);
                    self.derived.push(derivation);
                }
                Err(problem) => problems.push(problem),
            }
        }
    }

    fn derivation(
        &self,
        name: &str,
        derived: &Derived,
        names: Vec<String>,
        words: &Dictionaries,
    ) -> Result<(Field, Derivation), At> {
        let at = format!("derived.{name}.value");
        let decimals = derived.decimals.unwrap_or(0);
        if decimals > MAX_DECIMALS || (decimals > 0 && derived.kind != PropertyType::Decimal) {
            let message = "decimals are 0 to 9, and only for type decimal".to_owned();
            return Err((format!("derived.{name}.decimals"), message));
        }
        let expr = self.expression(&derived.value, words).map_err(|flaw| within(&at, &flaw))?;
        let whole = (NULL + 1, i64::MAX);
        let (factor, bounds) = match (derived.kind, &expr.kind) {
            (PropertyType::Integer, Type::Number(0)) => (1, whole),
            (PropertyType::Decimal, Type::Number(has)) if *has <= decimals => {
                (10_i64.pow(u32::from(decimals - has)), whole)
            }
            (PropertyType::Decimal, Type::Number(has)) => {
                let message =
                    format!("the value has {has} decimals, the property keeps {decimals}");
                return Err((at, message));
            }
            (PropertyType::Boolean, Type::Boolean) => (1, (0, 1)),
            (PropertyType::Timestamp, Type::Timestamp) => (1, (EARLIEST, LATEST)),
            (PropertyType::Date, Type::Date) => (1, (EARLIEST_DAY, LATEST_DAY)),
            (
                PropertyType::Integer
                | PropertyType::Boolean
                | PropertyType::Timestamp
                | PropertyType::Date,
                kind,
            ) => {
                let wanted = format!("{:?}", derived.kind).to_lowercase();
                return Err((at, format!("the type is {wanted}, but this is {}", kind.describe())));
            }
            _ => {
                let message =
                    "a derived property is an integer, decimal, boolean, timestamp or date";
                return Err((format!("derived.{name}.type"), message.to_owned()));
            }
        };
        let recipe = format!("{name} {:?} {decimals} {};", derived.kind, derived.value);
        let field = Field {
            name: name.to_owned(),
            kind: derived.kind,
            required: false,
            list: None,
            list_at: None,
            text: None,
            empty: None,
            other: None,
            bounds,
            decimals,
            future: true,
        };
        Ok((field, Derivation { expr, factor, bounds, recipe, names }))
    }
}

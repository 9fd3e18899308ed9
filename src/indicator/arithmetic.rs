//! The arithmetic of a `derived` indicator: `1 - late / sent`.
//!
//! It takes its syntax from the one expression language and allows only what a number needs:
//! numbers, names of terms, `+ - * / %` and signs. The evaluation is on `f64` because it is the very
//! last step; what goes in are exact sums.

use crate::model::expr::{self, Binary, Syntax, Tree};
use crate::model::nearest::nearest;

/// Checked arithmetic over numbered terms.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Arithmetic {
    Number(f64),
    Term(usize),
    Negative(Box<Arithmetic>),
    Pair(Operator, Box<Arithmetic>, Box<Arithmetic>),
}

/// What stands between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Arithmetic {
    /// Reads `text`; `names` are the terms, numbered in their order.
    pub(super) fn compile(text: &str, names: &[&str]) -> Result<Self, String> {
        let tree = expr::parse(text).map_err(|flaw| format!("'{text}': {flaw}"))?;
        build(&tree, names).map_err(|problem| format!("'{text}': {problem}"))
    }

    /// The value for the terms' amounts; `None` on a division by zero.
    pub(super) fn value(&self, terms: &[f64]) -> Option<f64> {
        let value = match self {
            Self::Number(number) => *number,
            Self::Term(term) => terms[*term],
            Self::Negative(inner) => -inner.value(terms)?,
            Self::Pair(operator, left, right) => {
                let (left, right) = (left.value(terms)?, right.value(terms)?);
                match operator {
                    Operator::Add => left + right,
                    Operator::Subtract => left - right,
                    Operator::Multiply => left * right,
                    Operator::Divide | Operator::Remainder if right == 0.0 => return None,
                    Operator::Divide => left / right,
                    Operator::Remainder => left % right,
                }
            }
        };
        value.is_finite().then_some(value)
    }

    /// Whether a term is used.
    pub(super) fn uses(&self, term: usize) -> bool {
        match self {
            Self::Number(_) => false,
            Self::Term(other) => *other == term,
            Self::Negative(inner) => inner.uses(term),
            Self::Pair(_, left, right) => left.uses(term) || right.uses(term),
        }
    }
}

fn build(tree: &Tree, names: &[&str]) -> Result<Arithmetic, String> {
    match &tree.syntax {
        Syntax::Number(digits, decimals) => {
            Ok(Arithmetic::Number(*digits as f64 / 10_f64.powi(i32::from(*decimals))))
        }
        Syntax::Name(name) => match names.iter().position(|known| known == name) {
            Some(term) => Ok(Arithmetic::Term(term)),
            None => Err(match nearest(name, names.iter().copied()) {
                Some(near) => format!("there is no term '{name}' – did you mean '{near}'?"),
                None => format!("there is no term '{name}'"),
            }),
        },
        Syntax::Negative(inner) => Ok(Arithmetic::Negative(Box::new(build(inner, names)?))),
        Syntax::Pair(operator, left, right) => {
            let operator = match operator {
                Binary::Add => Operator::Add,
                Binary::Subtract => Operator::Subtract,
                Binary::Multiply => Operator::Multiply,
                Binary::Divide => Operator::Divide,
                Binary::Remainder => Operator::Remainder,
                _ => return Err(only_arithmetic(tree)),
            };
            let (left, right) = (build(left, names)?, build(right, names)?);
            Ok(Arithmetic::Pair(operator, Box::new(left), Box::new(right)))
        }
        _ => Err(only_arithmetic(tree)),
    }
}

fn only_arithmetic(tree: &Tree) -> String {
    format!("only numbers, terms and + - * / % may stand here (at character {})", tree.offset + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, late: f64, sent: f64) -> Option<f64> {
        Arithmetic::compile(text, &["late", "sent"]).unwrap().value(&[late, sent])
    }

    #[test]
    fn binds_as_at_school() {
        assert_eq!(value("1 - late / sent", 1.0, 4.0), Some(0.75));
        assert_eq!(value("(sent - late) * 2.5", 1.0, 4.0), Some(7.5));
        assert_eq!(value("-late + sent % 3", 1.0, 5.0), Some(1.0));
    }

    #[test]
    fn a_division_by_zero_has_no_value() {
        assert_eq!(value("late / sent", 1.0, 0.0), None);
        assert_eq!(value("1 + late % sent", 1.0, 0.0), None);
    }

    #[test]
    fn refuses_what_is_not_arithmetic_and_names_the_nearest_term() {
        for text in ["late > sent", "'a'", "late ? 1 : 2", "!late", "null", "true", "[1]"] {
            let problem = Arithmetic::compile(text, &["late", "sent"]).unwrap_err();
            assert!(problem.contains("only numbers") || problem.contains("term"), "{problem}");
        }
        let problem = Arithmetic::compile("1 - lat / sent", &["late", "sent"]).unwrap_err();
        assert!(problem.contains("did you mean 'late'?"), "{problem}");
    }

    #[test]
    fn knows_which_terms_it_uses() {
        let value = Arithmetic::compile("1 - late", &["late", "sent"]).unwrap();
        assert!(value.uses(0) && !value.uses(1));
    }
}

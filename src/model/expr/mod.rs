//! The one expression language: conditions and quantities over the properties of a record.
//!
//! The syntax is a subset of CEL (`finished_at == null || finished_at >= received_at`): literals,
//! property and attribute names, `! - * / % + < <= > >= == != in && || ?:`, `has(x)` and the literals
//! `duration("2h")`, `timestamp("…")`, `date("…")`. It is type-checked when the configuration is read,
//! so that a comparison of a date with a code is refused with its place and never meets a record; it
//! has no loops and nothing to call, so it always ends. The `cel` crate was weighed and left out: a
//! sixth of the whole cold build for a parser whose messages would have to be rewritten and whose
//! every release breaks the syntax tree.
//!
//! Arithmetic is on whole numbers; decimals carry their scale in the type, division cuts towards
//! zero. Null compares false with everything but `null`; arithmetic with null, by zero or beyond 64
//! bits is null.

mod call;
mod check;
#[cfg(test)]
mod differential;
mod parse;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::model::row::NULL;

pub use check::{Named, Scope, Type, compile};
pub use parse::{Binary, Syntax, Tree, parse};

/// What is wrong with an expression, and at which character (counted from 0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Character offset in the expression.
    pub offset: usize,
    /// What is wrong, in words.
    pub message: String,
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (at character {})", self.message, self.offset + 1)
    }
}

/// A checked expression over one row.
#[derive(Clone, Debug)]
pub struct Expr {
    root: Node,
    /// What it yields.
    pub kind: Type,
}

#[derive(Clone, Debug)]
enum Node {
    Constant(i64),
    Slot(usize),
    Attribute(usize, Arc<[u16]>),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    IsNull(Box<Node>),
    Compare(Binary, Box<Node>, Box<Node>),
    Arithmetic(Binary, Box<Node>, Box<Node>),
    In(Box<Node>, Box<[i64]>),
    Choose(Box<Node>, Box<Node>, Box<Node>),
}

impl Expr {
    /// Whether the condition holds for a row; null is not true.
    pub fn holds(&self, row: &[i64]) -> bool {
        self.root.value(row) == 1
    }

    /// The quantity that the row yields, or [`NULL`].
    pub fn value(&self, row: &[i64]) -> i64 {
        self.root.value(row)
    }
}

impl Node {
    /// Whether it has the same value for every row.
    fn is_constant(&self) -> bool {
        match self {
            Self::Constant(_) => true,
            Self::Arithmetic(_, left, right) => left.is_constant() && right.is_constant(),
            _ => false,
        }
    }

    fn value(&self, row: &[i64]) -> i64 {
        match self {
            Self::Constant(value) => *value,
            Self::Slot(slot) => row[*slot],
            Self::Attribute(slot, table) => attribute(table, row[*slot]),
            Self::Not(inner) => i64::from(inner.value(row) != 1),
            Self::And(left, right) => i64::from(left.value(row) == 1 && right.value(row) == 1),
            Self::Or(left, right) => i64::from(left.value(row) == 1 || right.value(row) == 1),
            Self::IsNull(inner) => i64::from(inner.value(row) == NULL),
            Self::Compare(operator, left, right) => {
                compare(*operator, left.value(row), right.value(row))
            }
            Self::Arithmetic(operator, left, right) => {
                arithmetic(*operator, left.value(row), right.value(row))
            }
            Self::In(inner, list) => i64::from(list.contains(&inner.value(row))),
            Self::Choose(condition, yes, no) => {
                if condition.value(row) == 1 {
                    yes.value(row)
                } else {
                    no.value(row)
                }
            }
        }
    }
}

fn attribute(table: &[u16], code: i64) -> i64 {
    match usize::try_from(code).ok().and_then(|code| table.get(code)) {
        Some(0) | None => NULL,
        Some(value) => i64::from(*value),
    }
}

fn compare(operator: Binary, left: i64, right: i64) -> i64 {
    if left == NULL || right == NULL {
        return 0;
    }
    i64::from(match operator {
        Binary::Less => left < right,
        Binary::LessOrEqual => left <= right,
        Binary::Greater => left > right,
        Binary::GreaterOrEqual => left >= right,
        Binary::NotEqual => left != right,
        _ => left == right,
    })
}

/// Null on overflow and on division by zero: a quantity that cannot be told is not a number.
fn arithmetic(operator: Binary, left: i64, right: i64) -> i64 {
    if left == NULL || right == NULL {
        return NULL;
    }
    match operator {
        Binary::Add => left.checked_add(right),
        Binary::Subtract => left.checked_sub(right),
        Binary::Multiply => left.checked_mul(right),
        Binary::Divide => left.checked_div(right),
        _ => left.checked_rem(right),
    }
    .unwrap_or(NULL)
}

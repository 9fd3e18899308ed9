//! Syntax tree to checked expression: names found, types agreed, codes numbered.

use std::sync::Arc;

use super::parse::{Binary, MAX_DECIMALS, Syntax, Tree, parse};
use super::{Expr, Flaw, Node, call};
use crate::model::row::NULL;

/// The type of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// A number with so many decimals.
    Number(u8),
    /// A truth value.
    Boolean,
    /// A moment.
    Timestamp,
    /// A local day.
    Date,
    /// A code of a list, or an attribute value of one: the dictionary's name.
    Code(String),
    /// A text literal, which becomes a code by what it is compared with.
    Text,
    /// `null`.
    Null,
}

impl Type {
    /// The type in words, for messages.
    pub fn describe(&self) -> String {
        match self {
            Self::Number(_) => "a number".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Timestamp => "a timestamp".to_owned(),
            Self::Date => "a date".to_owned(),
            Self::Code(list) if list.starts_with("text:") => "a text property".to_owned(),
            Self::Code(list) => format!("a code of {}", list.trim_start_matches("list:")),
            Self::Text => "a text".to_owned(),
            Self::Null => "null".to_owned(),
        }
    }
}

/// What a name stands for: a slot, for `property.attribute` the attribute of each code, the type.
pub type Named = (usize, Option<Arc<[u16]>>, Type);

/// What an expression may speak of.
pub trait Scope {
    /// What a name stands for; the error says what is wrong with it.
    fn name(&self, name: &str) -> Result<Named, String>;
    /// The number of a word in a dictionary that a type names.
    fn code(&self, dictionary: &str, word: &str) -> Result<i64, String>;
}

/// Parses and checks `text`.
pub fn compile(text: &str, scope: &dyn Scope) -> Result<Expr, Flaw> {
    let (root, kind) = node(&parse(text)?, scope)?;
    Ok(Expr { root, kind })
}

pub(super) fn flaw<T>(tree: &Tree, message: impl Into<String>) -> Result<T, Flaw> {
    Err(Flaw { offset: tree.offset, message: message.into() })
}

pub(super) fn node(tree: &Tree, scope: &dyn Scope) -> Result<(Node, Type), Flaw> {
    match &tree.syntax {
        Syntax::Null => Ok((Node::Constant(NULL), Type::Null)),
        Syntax::Boolean(value) => Ok((Node::Constant(i64::from(*value)), Type::Boolean)),
        Syntax::Number(value, decimals) => Ok((Node::Constant(*value), Type::Number(*decimals))),
        Syntax::Text(_) => Ok((Node::Constant(NULL), Type::Text)),
        Syntax::List(_) => flaw(tree, "a list stands only after 'in'"),
        Syntax::Name(name) => {
            let (slot, attribute, kind) =
                scope.name(name).or_else(|message| flaw(tree, message))?;
            Ok((attribute.map_or(Node::Slot(slot), |table| Node::Attribute(slot, table)), kind))
        }
        Syntax::Not(inner) => Ok((Node::Not(Box::new(boolean(inner, scope)?)), Type::Boolean)),
        Syntax::Negative(inner) => match node(inner, scope)? {
            (value, Type::Number(decimals)) => {
                let zero = Box::new(Node::Constant(0));
                Ok((
                    Node::Arithmetic(Binary::Subtract, zero, Box::new(value)),
                    Type::Number(decimals),
                ))
            }
            (_, other) => flaw(inner, format!("'-' needs a number, this is {}", other.describe())),
        },
        Syntax::Choose(condition, yes, no) => choose(tree, condition, yes, no, scope),
        Syntax::Pair(operator, left, right) => pair(tree, *operator, left, right, scope),
        Syntax::Call(name, arguments) => call::check(tree, name, arguments, scope),
    }
}

fn boolean(tree: &Tree, scope: &dyn Scope) -> Result<Node, Flaw> {
    match node(tree, scope)? {
        (node, Type::Boolean) => Ok(node),
        (_, other) => {
            flaw(tree, format!("a condition is needed here, this is {}", other.describe()))
        }
    }
}

fn choose(
    tree: &Tree,
    condition: &Tree,
    yes: &Tree,
    no: &Tree,
    scope: &dyn Scope,
) -> Result<(Node, Type), Flaw> {
    let condition = boolean(condition, scope)?;
    let (mut yes, first) = node(yes, scope)?;
    let (mut no, second) = node(no, scope)?;
    let kind = match (first, second) {
        (Type::Null, kind) | (kind, Type::Null) => kind,
        (Type::Number(a), Type::Number(b)) => {
            (yes, no) = scaled(yes, a, no, b);
            Type::Number(a.max(b))
        }
        (first, second) if first == second => first,
        (first, second) => {
            return flaw(
                tree,
                format!("the two branches differ: {} and {}", first.describe(), second.describe()),
            );
        }
    };
    Ok((Node::Choose(Box::new(condition), Box::new(yes), Box::new(no)), kind))
}

fn pair(
    tree: &Tree,
    operator: Binary,
    left: &Tree,
    right: &Tree,
    scope: &dyn Scope,
) -> Result<(Node, Type), Flaw> {
    match operator {
        Binary::Or | Binary::And => {
            let (left, right) = (Box::new(boolean(left, scope)?), Box::new(boolean(right, scope)?));
            let node =
                if operator == Binary::Or { Node::Or(left, right) } else { Node::And(left, right) };
            Ok((node, Type::Boolean))
        }
        Binary::In => member(left, right, scope),
        Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Remainder => {
            arithmetic(tree, operator, left, right, scope)
        }
        _ => comparison(tree, operator, left, right, scope),
    }
}

fn member(left: &Tree, right: &Tree, scope: &dyn Scope) -> Result<(Node, Type), Flaw> {
    let (value, kind) = node(left, scope)?;
    let Syntax::List(items) = &right.syntax else {
        return flaw(right, "'in' needs a list such as ['a', 'b']");
    };
    let mut numbers = Vec::with_capacity(items.len());
    for item in items {
        let number = match (&kind, &item.syntax) {
            (Type::Code(list), Syntax::Text(word)) => {
                scope.code(list, word).or_else(|message| flaw(item, message))?
            }
            (Type::Code(_) | Type::Null | Type::Text, _) => return cannot_be(item, &kind),
            _ => constant(item, &kind, scope)?,
        };
        numbers.push(number);
    }
    Ok((Node::In(Box::new(value), numbers.into()), Type::Boolean))
}

/// A list's item that needs no record: a number, a moment, a day, true or false.
fn constant(item: &Tree, wanted: &Type, scope: &dyn Scope) -> Result<i64, Flaw> {
    let (found, kind) = node(item, scope)?;
    let found = match (wanted, kind) {
        (Type::Number(to), Type::Number(from)) if from <= *to => {
            scaled(found, from, Node::Constant(0), *to).0
        }
        (wanted, kind) if *wanted == kind => found,
        _ => return cannot_be(item, wanted),
    };
    if !found.is_constant() {
        return flaw(item, "a list holds constants only");
    }
    match found.value(&[]) {
        NULL => cannot_be(item, wanted),
        value => Ok(value),
    }
}

fn cannot_be<T>(tree: &Tree, kind: &Type) -> Result<T, Flaw> {
    flaw(tree, format!("this cannot be {}", kind.describe()))
}

fn comparison(
    tree: &Tree,
    operator: Binary,
    left: &Tree,
    right: &Tree,
    scope: &dyn Scope,
) -> Result<(Node, Type), Flaw> {
    let (mut first, first_kind) = node(left, scope)?;
    let (mut second, second_kind) = node(right, scope)?;
    let equality = matches!(operator, Binary::Equal | Binary::NotEqual);
    match (&first_kind, &second_kind) {
        (_, Type::Null) | (Type::Null, _) if equality => {
            let inner = if second_kind == Type::Null { first } else { second };
            let is_null = Node::IsNull(Box::new(inner));
            let node =
                if operator == Binary::Equal { is_null } else { Node::Not(Box::new(is_null)) };
            return Ok((node, Type::Boolean));
        }
        (Type::Code(list), Type::Text) if equality => second = literal(list, right, scope)?,
        (Type::Text, Type::Code(list)) if equality => first = literal(list, left, scope)?,
        (Type::Number(a), Type::Number(b)) => (first, second) = scaled(first, *a, second, *b),
        (Type::Timestamp, Type::Timestamp) | (Type::Date, Type::Date) => {}
        (Type::Boolean, Type::Boolean) if equality => {}
        (Type::Code(a), Type::Code(b)) if equality && a == b => {}
        _ => {
            return flaw(
                tree,
                format!(
                    "{} cannot be compared with {} in this way",
                    first_kind.describe(),
                    second_kind.describe()
                ),
            );
        }
    }
    Ok((Node::Compare(operator, Box::new(first), Box::new(second)), Type::Boolean))
}

fn literal(list: &str, tree: &Tree, scope: &dyn Scope) -> Result<Node, Flaw> {
    let Syntax::Text(word) = &tree.syntax else { return flaw(tree, "a code is written in quotes") };
    scope.code(list, word).map(Node::Constant).or_else(|message| flaw(tree, message))
}

fn arithmetic(
    tree: &Tree,
    operator: Binary,
    left: &Tree,
    right: &Tree,
    scope: &dyn Scope,
) -> Result<(Node, Type), Flaw> {
    let (mut first, first_kind) = node(left, scope)?;
    let (mut second, second_kind) = node(right, scope)?;
    let kind = match (operator, &first_kind, &second_kind) {
        (Binary::Subtract, Type::Timestamp, Type::Timestamp)
        | (Binary::Subtract, Type::Date, Type::Date) => Type::Number(0),
        (Binary::Add | Binary::Subtract, Type::Timestamp | Type::Date, Type::Number(0)) => {
            first_kind.clone()
        }
        (Binary::Add | Binary::Subtract, Type::Number(a), Type::Number(b)) => {
            (first, second) = scaled(first, *a, second, *b);
            Type::Number(*a.max(b))
        }
        (Binary::Multiply, Type::Number(a), Type::Number(b)) if a + b <= MAX_DECIMALS => {
            Type::Number(a + b)
        }
        (Binary::Multiply, Type::Number(_), Type::Number(_)) => {
            return flaw(tree, format!("the product has more than {MAX_DECIMALS} decimals"));
        }
        (Binary::Divide | Binary::Remainder, Type::Number(a), Type::Number(0)) => Type::Number(*a),
        _ => {
            return flaw(
                tree,
                format!(
                    "{} and {} cannot be calculated with in this way",
                    first_kind.describe(),
                    second_kind.describe()
                ),
            );
        }
    };
    Ok((Node::Arithmetic(operator, Box::new(first), Box::new(second)), kind))
}

/// Brings two numbers to the same count of decimals.
fn scaled(first: Node, a: u8, second: Node, b: u8) -> (Node, Node) {
    let raise = |node: Node, by: u8| {
        if by == 0 {
            return node;
        }
        let factor = Box::new(Node::Constant(10_i64.saturating_pow(u32::from(by))));
        Node::Arithmetic(Binary::Multiply, Box::new(node), factor)
    };
    (raise(first, b.saturating_sub(a)), raise(second, a.saturating_sub(b)))
}

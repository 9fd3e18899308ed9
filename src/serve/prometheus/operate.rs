//! Operators between numbers, a vector and a number, and two vectors.

use std::collections::BTreeMap;

use super::aggregate::grouped;
use super::evaluate::{Failure, present};
use super::expression::{Labelled, Operator};
use super::families::Labels;
use super::samples::Line;

/// Two numbers; a comparison yields 1 or 0.
pub(super) fn numbers(operator: Operator, left: f64, right: f64) -> f64 {
    match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::Modulo => left % right,
        Operator::Power => left.powf(right),
        _ => f64::from(u8::from(holds(operator, left, right))),
    }
}

#[expect(clippy::float_cmp, reason = "the language compares exactly")]
fn holds(operator: Operator, left: f64, right: f64) -> bool {
    match operator {
        Operator::Equal => left == right,
        Operator::NotEqual => left != right,
        Operator::Greater => left > right,
        Operator::Less => left < right,
        Operator::GreaterEqual => left >= right,
        _ => left <= right,
    }
}

/// A comparison without `bool` keeps the left value or nothing; everything else computes.
fn pair((operator, bool): (Operator, bool), left: f64, right: f64, kept: f64) -> Option<f64> {
    if operator.compares() && !bool {
        return holds(operator, left, right).then_some(kept);
    }
    Some(numbers(operator, left, right))
}

/// A vector and a number; `reversed` if the number stands on the left.
pub(super) fn with_scalar(
    how: (Operator, bool),
    mut lines: Vec<Line>,
    scalars: &[f64],
    reversed: bool,
) -> Vec<Line> {
    let chooses = how.0.compares() && !how.1;
    for line in &mut lines {
        if !chooses {
            line.labels.remove("__name__");
        }
        for (value, scalar) in line.values.iter_mut().zip(scalars) {
            *value = value.and_then(|value| {
                let (left, right) = if reversed { (*scalar, value) } else { (value, *scalar) };
                pair(how, left, right, value)
            });
        }
    }
    present(lines)
}

/// Two vectors, series by series with the same labels.
pub(super) fn between_vectors(
    how: (Operator, bool),
    matching: &Labelled,
    left: Vec<Line>,
    right: Vec<Line>,
) -> Result<Vec<Line>, Failure> {
    let mut others: BTreeMap<Labels, Vec<Line>> = BTreeMap::new();
    for line in right {
        others.entry(grouped(&line.labels, matching)).or_default().push(line);
    }
    let mut groups: BTreeMap<Labels, Vec<Line>> = BTreeMap::new();
    for line in left {
        groups.entry(grouped(&line.labels, matching)).or_default().push(line);
    }
    let chooses = how.0.compares() && !how.1;
    let mut made = Vec::new();
    for (labels, lines) in groups {
        let Some(others) = others.get(&labels) else { continue };
        let (lines, others) = (merged(&lines, "left", &labels)?, merged(others, "right", &labels)?);
        let values = lines.values.iter().zip(&others.values).map(|(left, right)| {
            let (left, right) = ((*left)?, (*right)?);
            pair(how, left, right, left)
        });
        let values = values.collect();
        // A comparison that chooses keeps the left side's labels where the matching keeps all.
        let labels = match (chooses, matching.keep) {
            (true, false) => without(&lines.labels, &matching.labels),
            _ => labels,
        };
        made.push(Line { labels, values });
    }
    Ok(present(made))
}

fn without(labels: &Labels, ignored: &[String]) -> Labels {
    let kept = labels.iter().filter(|(name, _)| !ignored.contains(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The one series of a group at each step.
fn merged(lines: &[Line], side: &str, group: &Labels) -> Result<Line, Failure> {
    let [first, rest @ ..] = lines else { return Err("a group without a series".to_owned()) };
    let mut values = first.values.clone();
    for line in rest {
        for (mine, other) in values.iter_mut().zip(&line.values) {
            if mine.is_some() && other.is_some() {
                return Err(format!(
                    "found duplicate series for the match group {} on the {side} hand-side of the \
                     operation; many-to-many matching not allowed: matching labels must be unique \
                     on one side",
                    said(group)
                ));
            }
            *mine = mine.or(*other);
        }
    }
    Ok(Line { labels: first.labels.clone(), values })
}

fn said(labels: &Labels) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

//! The value of a question at every step at once.
//!
//! A vector is a list of series with a value or none at each step; whatever depends only on labels
//! (grouping, matching) is done once for all steps. Meanings are Prometheus', down to the names that
//! an operation drops; where this gateway means something else, `/docs/prometheus` says so.

use std::collections::BTreeMap;

use super::aggregate::aggregate;
use super::expression::{Expression, Function, Selector};
use super::families::Labels;
use super::functions::{label_replace, over_time, round, sorted};
use super::operate::{between_vectors, numbers, with_scalar};
use super::samples::{Line, Reader};

/// What an expression comes to.
pub(super) enum Value {
    /// At each step.
    Scalar(Vec<f64>),
    /// Each line has a value for each step.
    Vector(Vec<Line>),
    Text(String),
}

/// Why an expression that could be read has no value.
pub(super) type Failure = String;

/// Computes an expression. A range vector has no value by itself: see [`raw`].
pub(super) fn evaluate(reader: &Reader<'_>, question: &Expression) -> Result<Value, Failure> {
    match question {
        Expression::Number(number) => Ok(Value::Scalar(vec![*number; reader.grid.count])),
        Expression::Text(text) => Ok(Value::Text(text.clone())),
        Expression::Selector(selector) => Ok(Value::Vector(select(reader, selector))),
        Expression::Range(..) => Err("a range vector cannot stand alone here".to_owned()),
        Expression::Negative(of) => Ok(match evaluate(reader, of)? {
            Value::Scalar(values) => Value::Scalar(values.into_iter().map(|v| -v).collect()),
            other => Value::Vector(mapped(other, |value, _| Some(-value))),
        }),
        Expression::Call(function, arguments) => call(reader, *function, arguments),
        Expression::Aggregate { by, parameter, of, grouping } => {
            let parameter = parameter.as_ref().map(|each| scalar(reader, each)).transpose()?;
            let lines = vector(reader, of)?;
            Ok(Value::Vector(aggregate(*by, parameter.as_deref(), lines, grouping)))
        }
        Expression::Binary { operator, bool, matching, sides } => {
            let (operator, bool) = (*operator, *bool);
            match (evaluate(reader, &sides.0)?, evaluate(reader, &sides.1)?) {
                (Value::Scalar(left), Value::Scalar(right)) => {
                    let pairs = left.into_iter().zip(right);
                    Ok(Value::Scalar(pairs.map(|(l, r)| numbers(operator, l, r)).collect()))
                }
                (Value::Vector(lines), Value::Scalar(right)) => {
                    Ok(Value::Vector(with_scalar((operator, bool), lines, &right, false)))
                }
                (Value::Scalar(left), Value::Vector(lines)) => {
                    Ok(Value::Vector(with_scalar((operator, bool), lines, &left, true)))
                }
                (Value::Vector(left), Value::Vector(right)) => {
                    between_vectors((operator, bool), matching, left, right).map(Value::Vector)
                }
                _ => Err("a string cannot be computed with".to_owned()),
            }
        }
    }
}

/// The samples of a range vector at one instant, each at the first moment of its bucket.
pub(super) fn raw(
    reader: &Reader<'_>,
    selector: &Selector,
    range: i64,
) -> Vec<(Labels, Vec<(i64, f64)>)> {
    let to = reader.grid.read_at(selector, reader.grid.start);
    let tables = reader.tables(selector, range);
    tables
        .iter()
        .flat_map(|table| {
            let seen = table.between(to.saturating_sub(range), to);
            table.lines.iter().map(move |line| {
                let samples =
                    seen.clone().filter_map(|at| Some((table.buckets[at].0, line.values[at]?)));
                (line.labels.clone(), samples.collect::<Vec<_>>())
            })
        })
        .filter(|(_, samples)| !samples.is_empty())
        .collect()
}

fn select(reader: &Reader<'_>, selector: &Selector) -> Vec<Line> {
    let tables = reader.tables(selector, 0);
    let grid = reader.grid;
    let mut lines = Vec::new();
    for table in tables {
        let seen: Vec<Option<usize>> =
            grid.times().map(|step| table.bucket(grid.read_at(selector, step))).collect();
        lines.extend(table.lines.into_iter().map(|line| Line {
            values: seen.iter().map(|bucket| line.values[(*bucket)?]).collect(),
            labels: line.labels,
        }));
    }
    present(lines)
}

/// Without the lines that have no value at all.
pub(super) fn present(mut lines: Vec<Line>) -> Vec<Line> {
    lines.retain(|line| line.values.iter().any(Option::is_some));
    lines
}

/// Each value of a vector changed, with the number of its step; names are dropped.
fn mapped(value: Value, change: impl Fn(f64, usize) -> Option<f64>) -> Vec<Line> {
    let Value::Vector(mut lines) = value else { return Vec::new() };
    for line in &mut lines {
        line.labels.remove("__name__");
        for (step, value) in line.values.iter_mut().enumerate() {
            *value = value.and_then(|value| change(value, step));
        }
    }
    lines
}

fn vector(reader: &Reader<'_>, question: &Expression) -> Result<Vec<Line>, Failure> {
    match evaluate(reader, question)? {
        Value::Vector(lines) => Ok(lines),
        _ => Err("expected an instant vector".to_owned()),
    }
}

fn scalar(reader: &Reader<'_>, question: &Expression) -> Result<Vec<f64>, Failure> {
    match evaluate(reader, question)? {
        Value::Scalar(values) => Ok(values),
        _ => Err("expected a scalar".to_owned()),
    }
}

fn text(argument: &Expression) -> &str {
    match argument {
        Expression::Text(text) => text,
        _ => "",
    }
}

fn call(
    reader: &Reader<'_>,
    function: Function,
    arguments: &[Expression],
) -> Result<Value, Failure> {
    let grid = reader.grid;
    let first = || arguments.first().ok_or_else(|| "an argument is missing".to_owned());
    let lines = match function {
        Function::Time => {
            return Ok(Value::Scalar(grid.times().map(|at| at as f64 / 1000.0).collect()));
        }
        Function::Scalar => {
            return Ok(Value::Scalar(the_only(&vector(reader, first()?)?, grid.count)));
        }
        Function::Vector => {
            let values = scalar(reader, first()?)?.into_iter().map(Some).collect();
            vec![Line { labels: Labels::new(), values }]
        }
        Function::Absent => absent(first()?, &vector(reader, first()?)?, grid.count),
        Function::Abs => mapped(evaluate(reader, first()?)?, |value, _| Some(value.abs())),
        Function::Round => {
            let nearest = arguments.get(1).map(|each| scalar(reader, each)).transpose()?;
            let to = |step: usize| nearest.as_ref().map_or(1.0, |values| values[step]);
            mapped(evaluate(reader, first()?)?, |value, step| Some(round(value, to(step))))
        }
        Function::ClampMin | Function::ClampMax => {
            let bounds = scalar(reader, &arguments[1])?;
            let is_min = function == Function::ClampMin;
            mapped(evaluate(reader, first()?)?, |value, step| {
                let bound = bounds[step];
                // A bound or value that is no number makes the result none.
                let keeps = if is_min { value > bound } else { value < bound };
                Some(if value.is_nan() || keeps { value } else { bound })
            })
        }
        Function::Sort => sorted(vector(reader, first()?)?, false),
        Function::SortDesc => sorted(vector(reader, first()?)?, true),
        Function::LabelReplace => {
            let words: Vec<&str> = arguments[1..].iter().map(text).collect();
            let lines = vector(reader, first()?)?;
            label_replace(lines, (words[0], words[1]), (words[2], words[3]))?
        }
        _ => match first()? {
            Expression::Range(selector, range) => over_time(reader, function, selector, *range),
            _ => return Err("expected a range vector".to_owned()),
        },
    };
    unique(lines).map(Value::Vector)
}

/// Refuses two lines with the same labels that have a value at the same step; lines that never meet
/// are joined.
pub(super) fn unique(lines: Vec<Line>) -> Result<Vec<Line>, Failure> {
    let mut places: BTreeMap<Labels, usize> = BTreeMap::new();
    let mut kept: Vec<Line> = Vec::with_capacity(lines.len());
    for line in lines {
        match places.get(&line.labels) {
            None => {
                places.insert(line.labels.clone(), kept.len());
                kept.push(line);
            }
            Some(place) => {
                for (mine, other) in kept[*place].values.iter_mut().zip(line.values) {
                    match (*mine, other) {
                        (Some(_), Some(_)) => {
                            return Err(
                                "vector cannot contain metrics with the same labelset; the \
                                        metrics differ only in what the question leaves out"
                                    .to_owned(),
                            );
                        }
                        _ => *mine = mine.or(other),
                    }
                }
            }
        }
    }
    Ok(kept)
}

/// The value of the only series at each step, and no number where there is not exactly one.
fn the_only(lines: &[Line], steps: usize) -> Vec<f64> {
    let at = |step: usize| {
        let mut values = lines.iter().filter_map(|line| line.values[step]);
        match (values.next(), values.next()) {
            (Some(value), None) => value,
            _ => f64::NAN,
        }
    };
    (0..steps).map(at).collect()
}

/// 1 where there is nothing, with the labels that the selector asks for by name.
fn absent(question: &Expression, lines: &[Line], steps: usize) -> Vec<Line> {
    let mut labels = Labels::new();
    if let Expression::Selector(selector) = question {
        let mut seen = Vec::new();
        for matcher in selector.matchers.iter().filter(|each| each.label != "__name__") {
            let once = !seen.contains(&&matcher.label);
            seen.push(&matcher.label);
            match &matcher.is {
                super::expression::Wanted::Text(text) if once && !matcher.not => {
                    labels.insert(matcher.label.clone(), text.clone());
                }
                _ => {
                    labels.remove(&matcher.label);
                }
            }
        }
    }
    let is_there = |step: usize| lines.iter().any(|line| line.values[step].is_some());
    let values = (0..steps).map(|step| (!is_there(step)).then_some(1.0)).collect();
    present(vec![Line { labels, values }])
}

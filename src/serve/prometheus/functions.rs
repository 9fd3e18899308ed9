//! Functions over ranges of samples, and those that change labels or order.

use super::evaluate::{Failure, present};
use super::expression::{Function, Selector};
use super::families::Labels;
use super::parser::compiled;
use super::samples::{Line, Reader};

/// `avg_over_time` and the like at every step: samples of the buckets that begin within the range,
/// its earliest moment excluded.
pub(super) fn over_time(
    reader: &Reader<'_>,
    function: Function,
    selector: &Selector,
    range: i64,
) -> Vec<Line> {
    let grid = reader.grid;
    let mut lines = Vec::new();
    for table in reader.tables(selector, range) {
        let windows: Vec<_> = grid
            .times()
            .map(|step| {
                let to = grid.read_at(selector, step);
                (to, table.between(to.saturating_sub(range), to))
            })
            .collect();
        for line in &table.lines {
            let at = |(to, window): &(i64, std::ops::Range<usize>)| {
                let samples: Vec<(i64, f64)> = window
                    .clone()
                    .filter_map(|at| Some((table.buckets[at].0, line.values[at]?)))
                    .collect();
                folded(function, &samples, (to.saturating_sub(range), *to))
            };
            let values = windows.iter().map(at).collect();
            let mut labels = line.labels.clone();
            if function != Function::LastOver {
                labels.remove("__name__");
            }
            lines.push(Line { labels, values });
        }
    }
    present(lines)
}

/// One value from the samples of a window.
fn folded(function: Function, samples: &[(i64, f64)], window: (i64, i64)) -> Option<f64> {
    let last = samples.last()?.1;
    let values = samples.iter().map(|(_, value)| *value);
    let sum = || values.clone().sum::<f64>();
    let choose = |better: fn(&f64, &f64) -> bool| {
        values
            .clone()
            .reduce(|best, each| if best.is_nan() || better(&each, &best) { each } else { best })
    };
    match function {
        Function::AvgOver => Some(sum() / samples.len() as f64),
        Function::SumOver => Some(sum()),
        Function::CountOver => Some(samples.len() as f64),
        Function::MinOver => choose(|each, best| each < best),
        Function::MaxOver => choose(|each, best| each > best),
        Function::Delta => delta(samples, window),
        _ => Some(last),
    }
}

/// What changed over the whole window, extrapolated to its ends as Prometheus does.
fn delta(samples: &[(i64, f64)], (from, to): (i64, i64)) -> Option<f64> {
    let [first, .., last] = samples else { return None };
    let sampled = (last.0 - first.0) as f64;
    let between = sampled / (samples.len() - 1) as f64;
    let reach = |distance: f64| if distance < between * 1.1 { distance } else { between / 2.0 };
    let whole = sampled + reach((first.0 - from) as f64) + reach((to - last.0) as f64);
    Some((last.1 - first.1) * (whole / sampled))
}

/// Rounded to the nearest multiple, halves up.
pub(super) fn round(value: f64, to: f64) -> f64 {
    // Dividing by the inverse keeps 0.1 × 3 at 0.3.
    let inverse = 1.0 / to;
    (value * inverse + 0.5).floor() / inverse
}

/// In the order of values at the first step; what is no number comes last.
pub(super) fn sorted(mut lines: Vec<Line>, falling: bool) -> Vec<Line> {
    let value = |line: &Line| line.values.first().copied().flatten().unwrap_or(f64::NAN);
    lines.sort_by(|one, other| {
        let (one, other) = (value(one), value(other));
        match (one.is_nan(), other.is_nan()) {
            (false, false) if falling => other.total_cmp(&one),
            (false, false) => one.total_cmp(&other),
            (one, other) => one.cmp(&other),
        }
    });
    lines
}

/// A label made from another one by a pattern.
pub(super) fn label_replace(
    mut lines: Vec<Line>,
    (target, replacement): (&str, &str),
    (source, pattern): (&str, &str),
) -> Result<Vec<Line>, Failure> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if target.is_empty()
        || target.starts_with(|c: char| c.is_ascii_digit())
        || !target.chars().all(is_part)
    {
        return Err("invalid destination label name in label_replace()".to_owned());
    }
    let pattern = compiled(pattern)?;
    for line in &mut lines {
        let text = line.labels.get(source).cloned().unwrap_or_default();
        let mut captures = pattern.create_captures();
        pattern.captures(&text, &mut captures);
        if !captures.is_match() {
            continue;
        }
        let mut made = String::new();
        captures.interpolate_string_into(&text, replacement, &mut made);
        set(&mut line.labels, target, made);
    }
    Ok(lines)
}

fn set(labels: &mut Labels, name: &str, value: String) {
    if value.is_empty() {
        labels.remove(name);
    } else {
        labels.insert(name.to_owned(), value);
    }
}

//! Aggregations: many series to one for each group of labels.

use std::collections::BTreeMap;

use super::evaluate::present;
use super::expression::{Aggregation, Labelled};
use super::families::Labels;
use super::samples::Line;

/// Aggregates `lines` at every step; `parameter` is that of `topk` and the like.
pub(super) fn aggregate(
    by: Aggregation,
    parameter: Option<&[f64]>,
    lines: Vec<Line>,
    grouping: &Labelled,
) -> Vec<Line> {
    let mut groups: BTreeMap<Labels, Vec<Line>> = BTreeMap::new();
    for line in lines {
        groups.entry(grouped(&line.labels, grouping)).or_default().push(line);
    }
    let of_group = |(labels, members): (Labels, Vec<Line>)| match by {
        Aggregation::Topk | Aggregation::Bottomk => {
            chosen(by == Aggregation::Topk, parameter.unwrap_or_default(), members)
        }
        _ => {
            let steps = members.first().map_or(0, |line| line.values.len());
            let at = |step: usize| {
                let values: Vec<f64> =
                    members.iter().filter_map(|line| line.values[step]).collect();
                let share = parameter.and_then(|all| all.get(step)).copied();
                folded(by, values, share.unwrap_or(f64::NAN))
            };
            vec![Line { labels, values: (0..steps).map(at).collect() }]
        }
    };
    present(groups.into_iter().flat_map(of_group).collect())
}

/// The labels of the group of a series.
pub(super) fn grouped(labels: &Labels, grouping: &Labelled) -> Labels {
    let is_named = |name: &String| grouping.labels.contains(name);
    let kept = labels.iter().filter(|(name, _)| {
        if grouping.keep { is_named(name) } else { !is_named(name) && *name != "__name__" }
    });
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn folded(by: Aggregation, mut values: Vec<f64>, share: f64) -> Option<f64> {
    let count = values.len();
    let first = *values.first()?;
    // What is no number loses against every number.
    let choose = |better: fn(f64, f64) -> bool| {
        values
            .iter()
            .copied()
            .fold(first, |best, each| if best.is_nan() || better(each, best) { each } else { best })
    };
    Some(match by {
        Aggregation::Sum => values.iter().sum(),
        Aggregation::Avg => values.iter().sum::<f64>() / count as f64,
        Aggregation::Min => choose(|each, best| each < best),
        Aggregation::Max => choose(|each, best| each > best),
        Aggregation::Quantile => quantile(share, &mut values),
        _ => count as f64,
    })
}

/// The value below which a share of all lies, interpolated.
fn quantile(share: f64, values: &mut [f64]) -> f64 {
    if share.is_nan() {
        return f64::NAN;
    }
    if share < 0.0 {
        return f64::NEG_INFINITY;
    }
    if share > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(f64::total_cmp);
    let rank = share * (values.len() - 1) as f64;
    let (below, above) = (rank.floor(), (rank.floor() + 1.0).min((values.len() - 1) as f64));
    let weight = rank - below;
    values[below as usize] * (1.0 - weight) + values[above as usize] * weight
}

/// The `k` greatest or smallest series of a group at each step, with all their labels.
fn chosen(greatest: bool, counts: &[f64], mut lines: Vec<Line>) -> Vec<Line> {
    for (step, count) in counts.iter().enumerate() {
        let mut present: Vec<(usize, f64)> = lines
            .iter()
            .enumerate()
            .filter_map(|(i, line)| Some((i, line.values[step]?)))
            .collect();
        present.sort_by(|(_, one), (_, other)| match (one.is_nan(), other.is_nan()) {
            (false, false) if greatest => other.total_cmp(one),
            (false, false) => one.total_cmp(other),
            (one, other) => one.cmp(&other),
        });
        // A count below one keeps nothing; what is no number keeps nothing either.
        let keep = if *count >= 1.0 { *count as usize } else { 0 };
        for (i, _) in present.into_iter().skip(keep) {
            lines[i].values[step] = None;
        }
    }
    super::functions::sorted(present(lines), greatest)
}

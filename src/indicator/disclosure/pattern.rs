//! Which cells of one month are withheld: those that are small, and those without which the small ones
//! could not be hidden.
//!
//! The table is communes by figures, and the province's total of each. A reader who knows the totals
//! subtracts what is shown, so what is hidden of a figure adds up to a number he knows, F. Because
//! *all* figures of a family are hidden in the *same* communes, people can be exchanged between these
//! communes in thought without any published number changing; therefore exactly the bounds of Fréchet
//! hold of a hidden cell and no others: with n people in the commune and N in all hidden ones, it is
//! from max(0, n + F − N) to min(n, F). Communes are added, those with fewest people first, until that
//! leaves room for `k` everywhere; when there are no more of them, the province's total goes too. More
//! communes never make room smaller, so this ends, and always in the same pattern.

/// One month of a family: counts by commune.
pub(super) struct Table<'a> {
    /// All records, by commune; without it nothing bounds the figures.
    pub(super) base: Option<&'a [i128]>,
    /// What is told of some of them, by figure and commune.
    pub(super) figures: &'a [Vec<i128>],
    /// Communes that are hidden for another reason.
    pub(super) forced: &'a [bool],
    /// The province's totals are, for another reason.
    pub(super) is_total_forced: bool,
    /// Numbers from 1 up to, but not including, this one are small.
    pub(super) least: i128,
}

/// What is withheld of one month of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hidden {
    /// The province's count of all records.
    pub(super) base_total: bool,
    /// The province's other figures.
    pub(super) total: bool,
    /// The count of all records, by commune.
    pub(super) base: Vec<bool>,
    /// The other figures, by commune.
    pub(super) rows: Vec<bool>,
}

pub(super) fn is_small(count: i128, least: i128) -> bool {
    0 < count.abs() && count.abs() < least
}

impl Table<'_> {
    pub(super) fn hide(&self) -> Hidden {
        let (base, base_total) = self.hide_base();
        let (rows, total) = self.hide_rows(&base, base_total);
        Hidden { base_total, total, base, rows }
    }

    /// The count of all records: hidden counts are at least 1 each and add up to N, so each is from 1 to
    /// N less the number of the others.
    fn hide_base(&self) -> (Vec<bool>, bool) {
        let Some(base) = self.base else {
            return (vec![false; self.forced.len()], self.is_total_forced);
        };
        let small = |(count, forced): (&i128, &bool)| *forced || is_small(*count, self.least);
        let mut hidden: Vec<bool> = base.iter().zip(self.forced).map(small).collect();
        let mut total = self.is_total_forced || is_small(base.iter().sum(), self.least);
        while !total && hidden.contains(&true) {
            let (count, sum) = among(base, &hidden);
            if count > 1 && sum - count >= self.least {
                break;
            }
            total = !hide_next(&mut hidden, base);
        }
        (hidden, total)
    }

    fn hide_rows(&self, base: &[bool], base_total: bool) -> (Vec<bool>, bool) {
        let is_small_at = |at: usize| self.figures.iter().any(|it| is_small(it[at], self.least));
        let primary = |at: usize| base[at] || self.forced[at] || is_small_at(at);
        let mut hidden: Vec<bool> = (0..base.len()).map(primary).collect();
        let mut total = base_total
            || self.figures.iter().any(|figure| is_small(figure.iter().sum(), self.least));
        let weights = self.weights();
        while !total && hidden.contains(&true) && !self.is_safe(&hidden, base) {
            total = !hide_next(&mut hidden, &weights);
        }
        (hidden, total)
    }

    /// By what communes are added: those with fewest people first.
    fn weights(&self) -> Vec<i128> {
        let summed = |at: usize| self.figures.iter().map(|figure| figure[at].max(0)).sum();
        self.base.map_or_else(|| (0..self.forced.len()).map(summed).collect(), <[i128]>::to_vec)
    }

    /// Whether every hidden figure leaves room for at least so many possible values.
    fn is_safe(&self, hidden: &[bool], base_hidden: &[bool]) -> bool {
        if hidden.iter().filter(|hidden| **hidden).count() < 2 {
            return self.figures.iter().all(|figure| among(figure, hidden).1 == 0);
        }
        let people = self.base.map(|base| among(base, hidden).1);
        self.figures.iter().all(|figure| {
            let (_, sum) = among(figure, hidden);
            // That there is none of them, or that all are, is told by the totals anyway.
            let is_open = sum == 0 || people == Some(sum);
            let is_difference = figure.iter().any(|count| *count < 0);
            is_open || is_difference || self.room(hidden, base_hidden, sum) >= self.least
        })
    }

    /// The least room that a figure of which `sum` are hidden leaves in any hidden commune.
    fn room(&self, hidden: &[bool], base_hidden: &[bool], sum: i128) -> i128 {
        let Some(base) = self.base else { return sum };
        let (_, people) = among(base, hidden);
        let (rows, unknown) = among(base, base_hidden);
        let most = unknown - rows + 1;
        let room = |at: usize| {
            let (low, high) = if base_hidden[at] { (1, most) } else { (base[at], base[at]) };
            high.min(sum) - (low + sum - people).max(0)
        };
        // Where there is nobody there is nothing to hide.
        let peopled = |at: &usize| hidden[*at] && (base_hidden[*at] || base[*at] != 0);
        (0..base.len()).filter(peopled).map(room).min().unwrap_or(self.least)
    }
}

/// How many are hidden, and what they add up to.
fn among(counts: &[i128], hidden: &[bool]) -> (i128, i128) {
    let chosen = counts.iter().zip(hidden).filter(|(_, hidden)| **hidden);
    chosen.fold((0, 0), |(count, sum), (next, _)| (count + 1, sum + next))
}

/// Hides the smallest one that is shown; `false` if there is none but those of nothing.
fn hide_next(hidden: &mut [bool], counts: &[i128]) -> bool {
    let shown = |at: &usize| !hidden[*at] && counts[*at] > 0;
    let next = (0..counts.len()).filter(shown).min_by_key(|at| counts[*at]);
    next.map(|at| hidden[at] = true).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hide(base: &[i128], figures: &[Vec<i128>], least: i128) -> Hidden {
        let forced = vec![false; base.len()];
        Table { base: Some(base), figures, forced: &forced, is_total_forced: false, least }.hide()
    }

    fn places(hidden: &[bool]) -> Vec<usize> {
        (0..hidden.len()).filter(|at| hidden[*at]).collect()
    }

    #[test]
    fn a_small_count_takes_another_one_with_it() {
        let found = hide(&[3, 40, 12, 0], &[], 5);
        assert_eq!(places(&found.base), [0, 2], "the smallest other one; a true zero is told");
        assert!(!found.base_total);
    }

    #[test]
    fn small_counts_that_hide_each_other_take_nobody_with_them() {
        // 4 + 4 + 4: each may be 1 to 10.
        assert_eq!(places(&hide(&[4, 4, 4, 50], &[], 5).base), [0, 1, 2]);
        // 3 + 3: each may be 1 to 5, which is too little.
        assert_eq!(places(&hide(&[3, 3, 20, 50], &[], 5).base), [0, 1, 2]);
    }

    #[test]
    fn where_nothing_else_is_left_the_total_goes() {
        let found = hide(&[3, 0, 0], &[], 5);
        assert_eq!((places(&found.base), found.base_total), (vec![0], true));
        let found = hide(&[4, 0, 2], &[], 5);
        assert_eq!((places(&found.base), found.base_total), (vec![0, 2], true));
    }

    #[test]
    fn a_small_figure_hides_all_figures_of_its_commune_but_not_the_count_of_all() {
        let (online, counter) = (vec![2, 30, 20, 50], vec![48, 20, 10, 0]);
        let found = hide(&[50, 50, 30, 50], &[online, counter], 5);
        assert_eq!(places(&found.base), Vec::<usize>::new());
        assert_eq!(places(&found.rows), [0, 2]);
        assert!(!found.total);
    }

    #[test]
    fn too_few_of_a_kind_in_the_province_are_told_nowhere() {
        let found = hide(&[50, 50], &[vec![3, 0], vec![47, 50]], 5);
        assert_eq!((places(&found.rows), found.total, found.base_total), (vec![0], true, false));
    }

    #[test]
    fn without_a_count_of_all_a_figure_leaves_as_much_room_as_is_hidden() {
        let hide = |figure: &[i128]| {
            let forced = vec![false; figure.len()];
            let figures = [figure.to_vec()];
            let is_total_forced = false;
            Table { base: None, figures: &figures, forced: &forced, is_total_forced, least: 5 }
                .hide()
        };
        assert_eq!(places(&hide(&[2, 9, 30]).rows), [0, 1]);
        assert_eq!(places(&hide(&[4, 4, 30]).rows), [0, 1]);
        assert!(hide(&[2, 0]).total);
    }

    /// Records by commune: all, and those of a kind.
    type Row = (i128, i128);

    /// What a reader sees of a commune, and of the province.
    fn rows_like(row: Row, hidden: &Hidden, at: usize, most: i128) -> Vec<Row> {
        // That a hidden count of all is at least one, he knows: a zero would have been told.
        let all = (0..=most).flat_map(|all| (0..=all).map(move |kind| (all, kind)));
        let all = all.filter(|(all, _)| if hidden.base[at] { *all > 0 } else { *all == row.0 });
        all.filter(|(_, kind)| hidden.rows[at] || *kind == row.1).collect()
    }

    /// The least and the most that each of a commune's three counts can be, tried out one by one.
    fn possible(table: [Row; 3], hidden: &Hidden) -> [[(i128, i128); 3]; 3] {
        let sum = |rows: &[Row; 3]| {
            (rows.iter().map(|row| row.0).sum::<i128>(), rows.iter().map(|row| row.1).sum::<i128>())
        };
        let (all, kind) = sum(&table);
        let most = if hidden.base_total { 9 } else { all };
        let like: Vec<Vec<Row>> = (0..3).map(|at| rows_like(table[at], hidden, at, most)).collect();
        let mut found = [[(i128::MAX, i128::MIN); 3]; 3];
        for one in &like[0] {
            for other in &like[1] {
                for third in &like[2] {
                    let rows = [*one, *other, *third];
                    let (some, of_kind) = sum(&rows);
                    if !hidden.base_total && some != all || !hidden.total && of_kind != kind {
                        continue;
                    }
                    for (bounds, row) in found.iter_mut().zip(rows) {
                        for (bound, count) in bounds.iter_mut().zip([row.0, row.1, row.0 - row.1]) {
                            *bound = (bound.0.min(count), bound.1.max(count));
                        }
                    }
                }
            }
        }
        found
    }

    #[test]
    fn c15_whoever_tries_out_every_table_leaves_room_for_every_small_count() {
        let least = 3;
        let mut random = fastrand::Rng::with_seed(20_251_129);
        let (mut small, mut told) = (0, 0);
        for _ in 0..400 {
            let mut row = || {
                let all = random.i128(0..=6);
                (all, random.i128(0..=all))
            };
            let table = [row(), row(), row()];
            let base = table.map(|row| row.0);
            let figures =
                [table.map(|row| row.1).to_vec(), table.map(|row| row.0 - row.1).to_vec()];
            let hidden = hide(&base, &figures, least);
            let bounds = possible(table, &hidden);
            for (at, row) in table.iter().enumerate() {
                let counts = [row.0, row.1, row.0 - row.1];
                told += usize::from(!hidden.base[at]) + usize::from(!hidden.rows[at]);
                for (count, (low, high)) in counts.iter().zip(bounds[at]) {
                    if is_small(*count, least) {
                        small += 1;
                        let room = high - low;
                        assert!(room >= least, "{table:?} {hidden:?}: {count} in {low}..={high}");
                    }
                }
            }
        }
        assert!(small > 500 && told > 300, "{small} small ones, {told} told");
    }
}

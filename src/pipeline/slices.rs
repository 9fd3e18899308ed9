//! Time slices: a long history is asked for piece by piece, and each piece is whole before the next.
//!
//! Slices stand on a grid that begins at `start`, so that it does not matter when a run was killed:
//! it resumes at the slice it was in. Each turn takes one slice, and the stream goes on at once while
//! there are more; so a turn stays short, its line in the ledger says which slice failed, and what
//! politeness allows bounds how fast a source is asked after days of silence.
//!
//! Oldest first, the cursor alone says how far it has come. Newest first, what is live comes at each
//! interval, and what lies between it and what is known stays *pending* beside the cursor until it
//! is filled, from its newest slice to its oldest: after three days down the newest figures are there
//! with the first turn, and the storm behind them waits its turn.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::snapshot::History;
use crate::model::time::{Day, Stamp};
use crate::model::units::Span;

/// The shortest slice: shorter ones would be more requests than history.
const SHORTEST: i64 = 60;

/// The most ranges that are pending at once; beyond it the two nearest become one, which asks for
/// what lies between them again.
const MOST_PENDING: usize = 16;

/// How a history is cut.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SliceSettings {
    /// The day with which the history begins.
    pub start: String,
    /// The length of a slice.
    pub step: Span,
    /// How much earlier than the next one's beginning a slice ends in a request. Nothing by default:
    /// then a record on the boundary comes twice, which does no harm, and none is missed wherever a
    /// source draws the line. Only for a source that returns both of its bounds.
    #[serde(default = "nothing")]
    pub granularity: Span,
    /// Whether the newest slices come first: what is live stays fresh while the past comes in.
    #[serde(default)]
    pub newest_first: bool,
}

const fn nothing() -> Span {
    Span::seconds(0)
}

/// Checked slices.
#[derive(Clone, Copy, Debug)]
pub struct Slices {
    start: i64,
    step: i64,
    granularity: i64,
    newest_first: bool,
}

/// What one turn asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Where it begins.
    pub from: i64,
    /// Where it ends.
    pub until: i64,
    /// Whether it reaches up to now.
    pub is_live: bool,
    /// Whether its end is so near that something may still be committed late before it.
    is_recent: bool,
}

/// Where a stream stands: its cursor, and what is pending below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Everything before it has been pulled but for what is pending.
    pub cursor: Option<i64>,
    /// Ranges, oldest first, that do not touch.
    pub pending: Vec<(i64, i64)>,
}

impl SliceSettings {
    /// The slices, or what makes no sense, with the key at which it stands.
    pub fn check(&self) -> Result<Slices, Vec<(&'static str, String)>> {
        let mut problems = Vec::new();
        let start = Day::parse(&self.start);
        if start.is_none() {
            problems.push(("start", format!("'{}' is not a day such as 2024-01-01", self.start)));
        }
        let (step, granularity) = (self.step.as_seconds(), self.granularity.as_seconds());
        if step < SHORTEST {
            problems.push(("step", "the shortest slice is 1m".to_owned()));
        }
        if granularity >= step {
            problems.push(("granularity", "must be shorter than a step".to_owned()));
        }
        match start {
            Some(start) if problems.is_empty() => {
                let start = start.start().0;
                Ok(Slices { start, step, granularity, newest_first: self.newest_first })
            }
            _ => Err(problems),
        }
    }
}

impl Slices {
    /// Whether what is pending is worked off from its newest end.
    pub const fn newest_first(&self) -> bool {
        self.newest_first
    }

    /// The length of a slice, in seconds.
    pub const fn step(&self) -> i64 {
        self.step
    }

    /// How much earlier than it is a slice's end is said in a request.
    pub const fn granularity(&self) -> i64 {
        self.granularity
    }

    /// What the next turn asks for, if there is anything to ask; `until` is the latest moment that
    /// may be asked for, `interval` how often what is live is asked for.
    pub fn next(
        &self,
        standing: &Standing,
        lookback: i64,
        until: i64,
        interval: i64,
    ) -> Option<Window> {
        let begin = self.begin(standing, lookback);
        if self.newest_first {
            let is_fresh = standing.cursor.is_some_and(|cursor| until - cursor < interval);
            return match standing.pending.last() {
                Some(&(from, end)) if is_fresh => {
                    let from = from.max(self.floor(end - 1));
                    Some(Window { from, until: end, is_live: false, is_recent: false })
                }
                _ => {
                    let from = begin.max(self.floor(until - 1));
                    let window = Window { from, until, is_live: true, is_recent: true };
                    (begin < until).then_some(window)
                }
            };
        }
        // Past the cursor, whatever the lookback: a slice that ended before it would go nowhere.
        let known = standing.cursor.map_or(begin, |cursor| cursor + 1);
        let end = (self.floor(begin.max(known)) + self.step).min(until);
        let (is_live, is_recent) = (end == until, end + lookback > until);
        (begin < end).then_some(Window { from: begin, until: end, is_live, is_recent })
    }

    /// Every slice up to `until`, oldest first.
    pub fn all(&self, until: i64) -> impl Iterator<Item = Window> + use<> {
        let Self { start, step, .. } = *self;
        let count = ceil(until - start, step);
        (0..count).map(move |i| {
            let from = start + i * step;
            let end = (from + step).min(until);
            Window { from, until: end, is_live: end == until, is_recent: true }
        })
    }

    /// Where the stream stands when `window` has come in whole.
    pub fn after(&self, standing: &Standing, lookback: i64, window: Window) -> Standing {
        let mut pending = standing.pending.clone();
        if !self.newest_first {
            return Standing { cursor: Some(self.moved(standing, window)), pending };
        }
        if window.is_live {
            let begin = self.begin(standing, lookback);
            if begin < window.from {
                pending.push((begin, window.from));
            }
            let cursor = Some(self.moved(standing, window));
            return Standing { cursor, pending: merged(pending) };
        }
        if let Some(last) = pending.last_mut() {
            last.1 = last.1.min(window.from);
        }
        pending.retain(|(from, until)| from < until);
        Standing { cursor: standing.cursor, pending }
    }

    /// How far the history has come in, as of `until`.
    pub fn progress(&self, standing: &Standing, until: i64) -> History {
        let slices = |length: i64| u64::try_from(ceil(length, self.step)).unwrap_or(0);
        let total = slices(until - self.start);
        let open: u64 = standing.pending.iter().map(|(from, end)| slices(end - from)).sum();
        let ahead = standing.cursor.map_or(total, |cursor| {
            // Behind a slice of the past all that follows is to come; what is live is a slice of its
            // own only when there is a whole one of it.
            let is_past = self.floor(cursor) == cursor;
            let begun = u64::try_from((until - cursor).max(0) / self.step).unwrap_or(0);
            if is_past { slices(until - cursor) } else { begun }
        });
        let pending = standing.pending.iter().map(|(from, end)| (Stamp(*from), Stamp(*end)));
        History { done: total.saturating_sub(open + ahead), total, pending: pending.collect() }
    }

    /// Whether there is more to ask for at once.
    pub fn has_more(&self, standing: &Standing, until: i64) -> bool {
        if self.newest_first {
            !standing.pending.is_empty()
        } else {
            // The second that keeps an end off the grid is no slice.
            standing.cursor.is_none_or(|cursor| cursor + 1 < until)
        }
    }

    /// Where asking begins. An end on the grid is that of a slice long past, in which nothing is
    /// committed late any more; any other has the lookback.
    fn begin(&self, standing: &Standing, lookback: i64) -> i64 {
        match standing.cursor {
            None => self.start,
            Some(cursor) if self.floor(cursor) == cursor && !self.newest_first => cursor,
            Some(cursor) => (cursor - lookback).max(self.start),
        }
    }

    /// The cursor after a window; never back, and never on the grid where something may still be
    /// committed late.
    fn moved(&self, standing: &Standing, window: Window) -> i64 {
        let is_grid = window.is_recent && self.floor(window.until) == window.until;
        let end = window.until - i64::from(is_grid);
        standing.cursor.map_or(end, |cursor| cursor.max(end))
    }

    /// The last boundary of the grid at or before a moment.
    fn floor(&self, moment: i64) -> i64 {
        self.start + (moment - self.start).div_euclid(self.step) * self.step
    }
}

/// How many steps a length takes; none if it is negative.
fn ceil(length: i64, step: i64) -> i64 {
    (length.max(0) + step - 1) / step
}

/// Ranges in order, with those that touch made one, and no more of them than may be.
fn merged(mut ranges: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    ranges.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::new();
    for (from, until) in ranges {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => merged.push((from, until)),
        }
    }
    while merged.len() > MOST_PENDING {
        let gap = |i: &usize| merged[i + 1].0 - merged[*i].1;
        let Some(nearest) = (0..merged.len() - 1).min_by_key(gap) else { break };
        let (_, until) = merged.remove(nearest + 1);
        merged[nearest].1 = until;
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    const LOOKBACK: i64 = 600;
    const INTERVAL: i64 = 60;

    fn slices(newest_first: bool) -> Slices {
        let settings: SliceSettings = serde_saphyr::from_str(&format!(
            "{{start: 2024-01-01, step: 1d, newest_first: {newest_first}}}"
        ))
        .unwrap();
        settings.check().unwrap()
    }

    /// Walks until there is no more, at a clock that stands; yields what was asked for.
    fn walk(slices: &Slices, standing: &mut Standing, until: i64) -> Vec<Window> {
        let mut asked = Vec::new();
        loop {
            assert!(asked.len() < 1000, "it does not end: {asked:?}");
            let window = slices.next(standing, LOOKBACK, until, INTERVAL).unwrap();
            *standing = slices.after(standing, LOOKBACK, window);
            asked.push(window);
            if !slices.has_more(standing, until) {
                return asked;
            }
        }
    }

    /// Whether every second from the start up to `until` was asked for.
    fn is_covered(slices: &Slices, asked: &[Window], until: i64) -> bool {
        let ranges = asked.iter().map(|window| (window.from, window.until)).collect();
        merged(ranges) == [(slices.start, until)]
    }

    #[test]
    fn s29_oldest_first_walks_the_grid_and_resumes_where_it_was_killed() {
        let slices = slices(false);
        let until = slices.start + 3 * DAY + 5000;
        let mut standing = Standing::default();
        let asked = walk(&slices, &mut standing, until);
        assert_eq!(asked.len(), 4);
        assert!(is_covered(&slices, &asked, until));
        assert!(asked.iter().take(3).all(|window| !window.is_live));
        assert_eq!(standing.cursor, Some(until));
        // Killed after any slice, the rest is asked for and nothing twice.
        for killed_after in 0..4 {
            let mut standing = Standing::default();
            for window in &asked[..killed_after] {
                standing = slices.after(&standing, LOOKBACK, *window);
            }
            assert_eq!(walk(&slices, &mut standing, until), asked[killed_after..]);
        }
        // Afterwards a turn goes back by the lookback, and over a boundary if it must.
        let next = slices.next(&standing, LOOKBACK, until + 60, INTERVAL).unwrap();
        assert_eq!((next.from, next.until), (until - LOOKBACK, until + 60));
    }

    #[test]
    fn s29_after_days_down_newest_first_asks_for_what_is_live_before_anything_else() {
        let slices = slices(true);
        let until = slices.start + 10 * DAY + 5000;
        let mut standing = Standing { cursor: Some(slices.start + 7 * DAY + 100), pending: vec![] };
        let asked = walk(&slices, &mut standing, until);
        assert_eq!((asked[0].from, asked[0].until), (slices.start + 10 * DAY, until));
        assert!(asked[0].is_live && asked[1..].iter().all(|window| !window.is_live));
        assert!(asked.windows(2).all(|pair| pair[0].from >= pair[1].until), "newest first");
        let begin = slices.start + 7 * DAY + 100 - LOOKBACK;
        assert_eq!(asked.last().unwrap().from, begin);
        assert_eq!(standing, Standing { cursor: Some(until), pending: vec![] });
    }

    #[test]
    fn newest_first_interrupts_the_past_when_the_present_is_due() {
        let slices = slices(true);
        let (mut until, mut standing) = (slices.start + 5 * DAY + 1, Standing::default());
        let mut asked = Vec::new();
        for turn in 0.. {
            let Some(window) = slices.next(&standing, LOOKBACK, until, INTERVAL) else { break };
            standing = slices.after(&standing, LOOKBACK, window);
            asked.push(window);
            until += 25;
            if !slices.has_more(&standing, until) {
                break;
            }
            assert!(turn < 100);
        }
        let live = asked.iter().filter(|window| window.is_live).count();
        assert!(live > 1, "{asked:?}");
        assert!(is_covered(&slices, &asked, standing.cursor.unwrap()), "{asked:?}");
        let ended = slices.progress(&standing, standing.cursor.unwrap());
        assert_eq!((ended.done, ended.total), (6, 6));
    }

    #[test]
    fn progress_is_counted_in_slices() {
        let slices = slices(false);
        let until = slices.start + 4 * DAY;
        let at = |days: i64| Standing { cursor: Some(slices.start + days * DAY), pending: vec![] };
        let told = |standing: &Standing| {
            let History { done, total, .. } = slices.progress(standing, until);
            (done, total)
        };
        assert_eq!(told(&Standing::default()), (0, 4));
        assert_eq!(told(&at(1)), (1, 4));
        assert_eq!(told(&at(4)), (4, 4));
        let begun = slices.progress(&at(3), until + 5000);
        assert_eq!((begun.done, begun.total), (3, 5), "what is live is to come too");
        let hole = Standing { pending: vec![(slices.start, slices.start + 2 * DAY)], ..at(4) };
        assert_eq!(told(&hole), (2, 4));
    }

    #[test]
    fn an_end_of_what_is_live_is_never_taken_for_the_end_of_a_slice() {
        let slices = slices(false);
        let until = slices.start + 2 * DAY;
        let mut standing = Standing::default();
        walk(&slices, &mut standing, until);
        assert_eq!(standing.cursor, Some(until - 1));
        let next = slices.next(&standing, LOOKBACK, until + 60, INTERVAL).unwrap();
        assert_eq!(next.from, until - 1 - LOOKBACK, "what is committed late is not missed");
        // Over a boundary that has just passed, too.
        let mut standing = Standing { cursor: Some(until - 30), pending: vec![] };
        let asked = walk(&slices, &mut standing, until + 30);
        assert_eq!(asked.len(), 2);
        assert!(asked[1].from < until - 30 && asked[1].until == until + 30, "{asked:?}");
    }

    #[test]
    fn too_many_pending_ranges_become_fewer_and_none_is_lost() {
        let ranges: Vec<_> = (0..40).map(|i| (i * 100, i * 100 + 50 + i)).collect();
        let few = merged(ranges.clone());
        assert_eq!(few.len(), MOST_PENDING);
        for (from, until) in ranges {
            assert!(few.iter().any(|range| range.0 <= from && until <= range.1));
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_problems() {
        let problems = |yaml: &str| {
            let settings: SliceSettings = serde_saphyr::from_str(yaml).unwrap();
            settings.check().unwrap_err().into_iter().map(|(key, _)| key).collect::<Vec<_>>()
        };
        assert_eq!(problems("{start: 2024-13-01, step: 30s}"), ["start", "step"]);
        assert_eq!(problems("{start: 2024-01-01, step: 1h, granularity: 1h}"), ["granularity"]);
    }

    proptest::proptest! {
        /// Whatever the order, the length, the moments at which turns come and where they fail or are
        /// killed: in the end every second has been asked for.
        #[test]
        fn s13_s29_no_second_is_left_out(
            newest_first: bool,
            step in 1_i64..50,
            lookback in 0_i64..5000,
            turns in proptest::collection::vec((0_i64..4000, proptest::bool::ANY), 1..60),
        ) {
            let slices = Slices { step: step * 60, ..slices(newest_first) };
            let (mut until, mut standing) = (slices.start + 1, Standing::default());
            let mut asked = Vec::new();
            for (later, comes_through) in turns {
                until += later;
                let Some(window) = slices.next(&standing, lookback, until, 60) else { continue };
                if comes_through {
                    let before = standing.cursor;
                    standing = slices.after(&standing, lookback, window);
                    proptest::prop_assert!(standing.cursor >= before, "never back");
                    asked.push(window);
                }
            }
            for _ in 0..5000 {
                if standing.cursor.is_some() && !slices.has_more(&standing, until) {
                    break;
                }
                let Some(window) = slices.next(&standing, lookback, until, 60) else { break };
                standing = slices.after(&standing, lookback, window);
                asked.push(window);
            }
            let end = standing.cursor.unwrap();
            proptest::prop_assert!(!slices.has_more(&standing, until));
            let covered = merged(asked.iter().map(|window| (window.from, window.until)).collect());
            proptest::prop_assert!(
                covered.len() == 1 && covered[0].0 == slices.start && covered[0].1 >= end,
                "{:?} up to {}", covered, end
            );
        }
    }
}

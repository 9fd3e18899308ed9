//! When each target of a fleet is asked, and what came of it.
//!
//! A target's moment within the interval comes from the hash of its name, counted from the epoch, as
//! Prometheus does it. Moments are kept by the monotonic clock: a jump of the wall clock moves none.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Target;
use crate::model::time::Stamp;

/// The rhythm of one stream's targets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timetable {
    /// A moment at which a round begins.
    base: Instant,
    interval: Duration,
}

impl Timetable {
    /// A rhythm that stands still relative to the epoch, to the second, whenever it is made; `now` and
    /// `present` are the same moment by both clocks.
    pub(super) fn new(interval: Duration, now: Stamp, present: Instant) -> Self {
        let interval = interval.max(Duration::from_secs(1));
        let elapsed = u128::from(now.0.max(0).cast_unsigned()) * 1000 % interval.as_millis();
        let elapsed = Duration::from_millis(elapsed as u64);
        // A machine that has just started has no moment that far back.
        let base = present.checked_sub(elapsed).unwrap_or(present + interval - elapsed);
        Self { base, interval }
    }

    /// How far after the beginning of a round the target's moment is.
    fn phase(&self, name: &str) -> Duration {
        let hash = blake3::hash(name.as_bytes());
        let mut eight = [0; 8];
        eight.copy_from_slice(&hash.as_bytes()[..8]);
        Duration::from_millis(u64::from_le_bytes(eight) % self.interval.as_millis() as u64)
    }

    /// The target's next moment after `now`.
    pub(super) fn next(&self, name: &str, now: Instant) -> Instant {
        self.after(self.base + self.phase(name), now)
    }

    /// When the round that `now` belongs to ends.
    pub(super) fn round_after(&self, now: Instant) -> Instant {
        self.after(self.base, now)
    }

    fn after(&self, first: Instant, now: Instant) -> Instant {
        if first > now {
            let ahead = (first - now).as_nanos() / self.interval.as_nanos();
            return first - self.interval * u32::try_from(ahead).unwrap_or(0);
        }
        let passed = (now - first).as_nanos() / self.interval.as_nanos() + 1;
        first + self.interval * u32::try_from(passed).unwrap_or(u32::MAX)
    }
}

/// What is known of one target.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The target.
    pub target: Arc<Target>,
    /// Whether it answered, and when that was known; nothing if it has not been asked yet.
    pub last: Option<(bool, Stamp)>,
    /// Since when it has been answering, or not answering.
    pub since: Option<Stamp>,
    due: Instant,
    is_asked: bool,
}

/// All targets on the list, and who is due when.
#[derive(Debug, Default)]
pub struct Board {
    seats: BTreeMap<Arc<str>, Seat>,
    /// May hold moments that are no longer true; a seat's own `due` decides.
    due: BinaryHeap<Reverse<(Instant, Arc<str>)>>,
}

/// How many targets are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answered the last time.
    pub up: u64,
    /// Did not answer the last time.
    pub silent: u64,
    /// Have not been asked yet.
    pub waiting: u64,
}

impl Board {
    /// Takes over a list: new targets get a seat, those that are not on it lose theirs.
    pub(super) fn list(
        &mut self,
        targets: &[Arc<Target>],
        timetable: &Timetable,
        at_once: bool,
        now: Instant,
    ) {
        let mut before = std::mem::take(&mut self.seats);
        self.due.clear();
        for target in targets {
            let name = Arc::clone(&target.name);
            let mut seat = before.remove(&name).unwrap_or_else(|| Seat {
                target: Arc::clone(target),
                last: None,
                since: None,
                due: timetable.next(&name, now),
                is_asked: false,
            });
            seat.target = Arc::clone(target);
            if at_once {
                seat.due = now;
            }
            if !seat.is_asked {
                self.due.push(Reverse((seat.due, Arc::clone(&name))));
            }
            self.seats.insert(name, seat);
        }
    }

    /// When somebody is due next, as far as nobody else is being asked.
    pub(super) fn next_due(&mut self) -> Option<Instant> {
        while let Some(Reverse((due, name))) = self.due.peek() {
            match self.seats.get(name) {
                Some(seat) if seat.due == *due && !seat.is_asked => return Some(*due),
                _ => _ = self.due.pop(),
            }
        }
        None
    }

    /// Somebody who is due now; the caller asks.
    pub(super) fn take_due(&mut self, timetable: &Timetable, now: Instant) -> Option<Arc<Target>> {
        if self.next_due()? > now {
            return None;
        }
        let Reverse((_, name)) = self.due.pop()?;
        let seat = self.seats.get_mut(&name)?;
        seat.is_asked = true;
        seat.due = timetable.next(&name, now);
        Some(Arc::clone(&seat.target))
    }

    /// Notes what came of asking, if anything did; somebody who has left the list meanwhile is not there any more.
    pub(super) fn answered(
        &mut self,
        target: &Target,
        outcome: Option<(bool, Stamp)>,
        timetable: &Timetable,
        now: Instant,
    ) {
        let Some(seat) = self.seats.get_mut(&target.name) else { return };
        if let Some((up, at)) = outcome {
            if seat.last.is_none_or(|(before, _)| before != up) {
                seat.since = Some(at);
            }
            seat.last = outcome;
        }
        seat.is_asked = false;
        // A moment that came while it was being asked is passed over.
        seat.due = seat.due.max(timetable.next(&target.name, now));
        self.due.push(Reverse((seat.due, Arc::clone(&target.name))));
    }

    /// Everybody by name, from after `after` on.
    pub fn seats<'a>(&'a self, after: &str) -> impl Iterator<Item = &'a Seat> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.seats.range::<str, _>((Excluded(after), Unbounded)).map(|(_, seat)| seat)
    }

    /// How many are in which state.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for seat in self.seats.values() {
            match seat.last {
                Some((true, _)) => counts.up += 1,
                Some((false, _)) => counts.silent += 1,
                None => counts.waiting += 1,
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    fn targets(names: &[&str]) -> Vec<Arc<Target>> {
        let target = |name: &&str| Target { name: (*name).into(), labels: Arc::default() };
        names.iter().map(target).map(Arc::new).collect()
    }

    fn names(board: &Board) -> Vec<&str> {
        board.seats("").map(|seat| &*seat.target.name).collect()
    }

    #[test]
    fn targets_are_spread_over_the_interval_and_keep_their_moments() {
        let now = Instant::now();
        let timetable = Timetable::new(TEN, Stamp(1_711_990_803), now);
        let again = Timetable::new(TEN, Stamp(1_711_990_804), now + Duration::from_secs(1));
        let mut by_second = [0; 10];
        for i in 0..5000 {
            let name = format!("K-{i}");
            let next = timetable.next(&name, now);
            assert!(next > now && next <= now + TEN, "{name}");
            assert_eq!(timetable.next(&name, next), next + TEN, "strictly after");
            assert_eq!(timetable.next(&name, next + TEN * 7 / 2), next + TEN * 4);
            assert_eq!(again.next(&name, now), next, "another gateway asks at the same moment");
            by_second[(next - now).as_millis() as usize * 10 / 10_001] += 1;
        }
        assert!(by_second.iter().all(|count| (400..600).contains(count)), "{by_second:?}");
        // The clock says 3 s past a round's beginning.
        assert_eq!(timetable.round_after(now), now + Duration::from_secs(7));
    }

    #[test]
    fn nobody_is_asked_twice_at_once_and_a_missed_moment_is_passed_over() {
        let timetable = Timetable::new(TEN, Stamp(0), Instant::now());
        let mut board = Board::default();
        let start = Instant::now();
        board.list(&targets(&["a"]), &timetable, true, start);
        let a = board.take_due(&timetable, start).unwrap();
        let later = start + TEN * 3;
        assert!(board.take_due(&timetable, later).is_none(), "it is being asked");
        board.answered(&a, Some((false, Stamp(30))), &timetable, later);
        assert!(board.take_due(&timetable, later).is_none(), "three moments passed over");
        let due = board.next_due().unwrap();
        assert!(due > later && due <= later + TEN);
        assert!(board.take_due(&timetable, due).is_some());
    }

    #[test]
    fn a_target_that_left_the_list_is_neither_asked_nor_counted() {
        let timetable = Timetable::new(TEN, Stamp(0), Instant::now());
        let mut board = Board::default();
        let now = Instant::now();
        board.list(&targets(&["a", "b", "c"]), &timetable, true, now);
        for up in [false, true] {
            let asked = board.take_due(&timetable, now).unwrap();
            board.answered(&asked, Some((up, Stamp(1))), &timetable, now);
        }
        assert_eq!(board.counts(), Counts { up: 1, silent: 1, waiting: 1 });
        let last = board.take_due(&timetable, now).unwrap();
        board.list(&targets(&["b", "d"]), &timetable, false, now);
        board.answered(&last, Some((false, Stamp(2))), &timetable, now);
        assert_eq!(names(&board), ["b", "d"]);
        assert_eq!(board.counts(), Counts { up: 1, silent: 0, waiting: 1 });
        assert!(board.seats("b").next().is_some_and(|seat| &*seat.target.name == "d"));
        let mut asked = Vec::new();
        while let Some(target) = board.take_due(&timetable, now + TEN) {
            asked.push(target.name.to_string());
        }
        asked.sort();
        assert_eq!(asked, ["b", "d"]);
    }
}

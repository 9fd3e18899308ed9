//! What changed when: the index behind every "give me what changed since".
//!
//! A record is never stored. Its versions are entered here as 16-byte events in the day on which
//! they appear, and the record is drawn again when it is sent. Days are added as the clock moves;
//! a day's things only ever change on that day or later, so older days stay as they are.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use super::draw::mix;
use crate::model::time::{Day, Stamp};

/// The most by which a record becomes visible after its own update stamp (`Faults::late`).
pub const LATE_AT_MOST: i64 = 300;

/// The most by which update stamps run backwards in a run (`Faults::reorder`).
pub const DISORDER_AT_MOST: i64 = 300;

/// A listing may be asked for again on any page, so the latest few are kept.
const LISTINGS_KEPT: usize = 8;

/// One version of one record. `order` is the record's key and, in the last byte, its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    order: u64,
    at: u32,
    until: u32,
}

impl Event {
    /// Enters all versions of a record, given their stamps in rising order.
    pub(super) fn each(key: u64, stamps: &[i64], emit: &mut dyn FnMut(Self)) {
        for (version, &at) in stamps.iter().enumerate() {
            let until = stamps.get(version + 1).map_or(u32::MAX, |&next| next as u32);
            emit(Self { order: key << 8 | version as u64, at: at as u32, until });
        }
    }

    /// Enters one version of a record whose next version is already known.
    pub(super) fn one(key: u64, version: u8, at: i64, until: i64) -> Self {
        Self { order: key << 8 | u64::from(version), at: at as u32, until: until as u32 }
    }

    pub(super) fn key(self) -> u64 {
        self.order >> 8
    }

    pub(super) fn version(self) -> u8 {
        self.order as u8
    }

    pub(super) fn at(self) -> Stamp {
        Stamp(i64::from(self.at))
    }
}

/// What a run asked for, pinned at its first page so that all its pages agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pin {
    pub(super) since: Stamp,
    pub(super) now: Stamp,
    pub(super) is_disordered: bool,
    /// Pages have numbers; in disorder they keep no order of stamps at all.
    pub(super) is_numbered: bool,
    /// Numbered pages are smaller than asked for.
    pub(super) is_split: bool,
}

/// Records that their systems have lost without a word: a share of all, gone from every listing pinned
/// after a moment.
pub(super) type Lost = Arc<OnceLock<(f64, Stamp)>>;

/// All versions of all records of a stream, by the day on which they appear.
#[derive(Debug)]
pub(super) struct Feed {
    seed: u64,
    late: f64,
    first: Day,
    lost: Lost,
    days: RwLock<Days>,
    listings: Mutex<VecDeque<(Pin, Arc<Vec<Event>>)>>,
}

#[derive(Debug)]
struct Days {
    through: Day,
    buckets: Vec<Vec<Event>>,
}

impl Feed {
    /// An empty index whose records begin on `first`; `late` is the share of late records.
    pub(super) fn new(seed: u64, late: f64, first: Day, lost: Lost) -> Self {
        let days = Days { through: first.plus(-1), buckets: Vec::new() };
        Self { seed, late, first, lost, days: RwLock::new(days), listings: Mutex::default() }
    }

    /// Enters the days up to `day` that are not entered yet.
    pub(super) fn extend(&self, day: Day, of_day: impl Fn(Day, &mut dyn FnMut(Event))) {
        if self.days.read().unwrap_or_else(PoisonError::into_inner).through >= day {
            return;
        }
        let mut days = self.days.write().unwrap_or_else(PoisonError::into_inner);
        let from = days.through.plus(1);
        for next in from.0..=day.0 {
            let buckets = &mut days.buckets;
            of_day(Day(next), &mut |event| {
                let index = (event.at().day().0 - self.first.0).max(0) as usize;
                if buckets.len() <= index {
                    buckets.resize_with(index + 1, Vec::new);
                }
                buckets[index].push(event);
            });
        }
        for bucket in days.buckets.iter_mut().skip((from.0 - self.first.0).max(0) as usize) {
            bucket.sort_unstable_by_key(|event| (event.at, event.order));
        }
        days.through = days.through.max(day);
    }

    /// The latest version of every record changed at or after `since`, as it stood at `now`,
    /// by update stamp and key.
    pub(super) fn listing(&self, pin: Pin) -> Arc<Vec<Event>> {
        let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = listings.iter().find(|(known, _)| *known == pin) {
            return Arc::clone(found);
        }
        let made = Arc::new(self.visible(pin));
        if listings.len() == LISTINGS_KEPT {
            listings.pop_front();
        }
        listings.push_back((pin, Arc::clone(&made)));
        made
    }

    fn visible(&self, pin: Pin) -> Vec<Event> {
        let days = self.days.read().unwrap_or_else(PoisonError::into_inner);
        let from = (pin.since.day().0 - self.first.0).max(0) as usize;
        let through = (pin.now.day().0 - self.first.0 + 1).max(0) as usize;
        let through = through.min(days.buckets.len());
        let mut listing = Vec::new();
        for event in days.buckets.get(from..through).into_iter().flatten().flatten() {
            let seen_from = pin.now.0 - self.lateness(event.key());
            let is_latest = i64::from(event.at) <= seen_from && seen_from < i64::from(event.until);
            if is_latest && event.at() >= pin.since && !self.is_lost(event.key(), pin.now) {
                listing.push(*event);
            }
        }
        if pin.is_disordered && pin.is_numbered {
            listing.sort_by_cached_key(|event| mix(self.seed, event.order));
        } else if pin.is_disordered {
            let jitter = |event: &Event| {
                u64::from(event.at) + mix(self.seed, event.order) % DISORDER_AT_MOST as u64
            };
            listing.sort_by_cached_key(jitter);
        }
        listing
    }

    fn is_lost(&self, key: u64, now: Stamp) -> bool {
        let lost = self.lost.get().filter(|(_, from)| now > *from);
        lost.is_some_and(|(share, _)| is_drawn(mix(self.seed ^ 0x6017E, key), *share))
    }

    /// Seconds by which all of a record's versions become visible late.
    fn lateness(&self, key: u64) -> i64 {
        if self.late <= 0.0 {
            return 0;
        }
        let drawn = mix(self.seed ^ 0x1A7E, key);
        let is_late = is_drawn(drawn, self.late);
        if is_late { (drawn % LATE_AT_MOST as u64) as i64 + 1 } else { 0 }
    }
}

/// Whether a number drawn evenly is among the lowest `share` of all.
fn is_drawn(drawn: u64, share: f64) -> bool {
    ((drawn >> 32) as f64) < share * f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_records(day: Day, emit: &mut dyn FnMut(Event)) {
        for key in 0..3 {
            let born = day.start().0 + 100 * key;
            Event::each(u64::from(day.0 as u32) << 8 | key as u64, &[born, born + 86_400], emit);
        }
    }

    fn pin(since: i64, now: i64) -> Pin {
        Pin {
            since: Stamp(since),
            now: Stamp(now),
            is_disordered: false,
            is_numbered: false,
            is_split: false,
        }
    }

    fn listing(feed: &Feed, since: i64, now: i64) -> Vec<u8> {
        feed.listing(pin(since, now)).iter().map(|event| event.version()).collect()
    }

    #[test]
    fn only_the_latest_version_at_that_moment_is_listed() {
        let first = Day(20_000);
        let start = first.start().0;
        let feed = Feed::new(1, 0.0, first, Lost::default());
        feed.extend(first, three_records);
        assert_eq!(listing(&feed, start, start + 100), [0, 0]);
        assert_eq!(listing(&feed, start, start + 86_400), [0, 0, 1]);
        assert_eq!(listing(&feed, start + 200, start + 86_400), [0, 1]);
        feed.extend(first.plus(1), three_records);
        assert_eq!(listing(&feed, start + 86_400, start + 86_400 + 200), [1, 0, 1, 0, 1, 0]);
    }

    #[test]
    fn numbered_pages_in_disorder_keep_no_order_of_stamps() {
        let first = Day(20_000);
        let start = first.start().0;
        let feed = Feed::new(1, 0.0, first, Lost::default());
        feed.extend(first.plus(400), three_records);
        let calm = pin(start, start + 400 * 86_400);
        let far_back = |pin: Pin| {
            let stamps: Vec<_> = feed.listing(pin).iter().map(|event| event.at().0).collect();
            stamps.windows(2).map(|pair| pair[0] - pair[1]).max().unwrap_or(0)
        };
        assert_eq!(far_back(calm), 0);
        let disordered = Pin { is_disordered: true, ..calm };
        assert!(far_back(disordered) <= DISORDER_AT_MOST);
        assert!(far_back(Pin { is_numbered: true, ..disordered }) > 100 * 86_400);
    }

    #[test]
    fn late_records_stay_hidden_for_five_minutes_at_most() {
        let first = Day(20_000);
        let start = first.start().0;
        let feed = Feed::new(1, 1.0, first, Lost::default());
        feed.extend(first, three_records);
        assert!(listing(&feed, start, start).is_empty());
        assert_eq!(listing(&feed, start, start + 200 + LATE_AT_MOST), [0, 0, 0]);
    }

    #[test]
    fn what_is_lost_is_gone_from_the_listings_of_later_runs_only() {
        let (first, lost) = (Day(20_000), Lost::default());
        let feed = Feed::new(1, 0.0, first, Arc::clone(&lost));
        let through = first.plus(400);
        feed.extend(through, three_records);
        let now = through.plus(2).start().0;
        let before = listing(&feed, 0, now);
        lost.set((0.5, Stamp(now))).unwrap();
        assert_eq!(listing(&feed, 0, now).len(), before.len(), "a run under way ends as it began");
        let after = listing(&feed, 0, now + 1).len();
        assert!((before.len() / 3..before.len() * 2 / 3).contains(&after), "{after}");
    }
}

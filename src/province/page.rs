//! A page of records, as an honest system would send it or as a careless one does.
//!
//! All streams share this: which records stand on a page, in which order, which of them twice, and
//! which strangers among them. How one record is worded is each stream's own business.

use super::draw::Draw;
use super::faults::Faults;
use super::feed::{Event, Feed, Lost, Pin};
use super::ledger::{Bad, Note, System};
use crate::model::time::{Day, Stamp};

/// The most records on a page.
pub const PAGE_LIMIT: usize = 5_000;

/// What the systems of one province have in common.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) seed: u64,
    /// The first day of the history.
    pub(super) first: Day,
    /// 1.0 is the size of the province.
    pub(super) scale: f64,
    /// Extra share of corrected records.
    pub(super) correct: f64,
    /// Extra share of withdrawn records.
    pub(super) retract: f64,
    /// What all systems have lost.
    pub(super) lost: Lost,
}

/// One record to be worded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) key: u64,
    pub(super) version: u8,
    /// Not the record itself but a stranger made from it, with a key of its own.
    pub(super) bad: Option<Bad>,
}

/// A kind of record that can be drawn and worded.
pub(super) trait Records {
    /// Whose records these are.
    fn system(&self) -> System;

    /// Enters every version of every record that begins on `day`.
    fn of_day(&self, day: Day, emit: &mut dyn FnMut(Event));

    /// Words one record, and tells what it means if that is wanted.
    fn say(&self, line: Line, out: &mut Vec<u8>, is_noted: bool) -> Option<Note>;

    /// What stands between two records.
    fn separator(&self) -> &'static [u8] {
        b","
    }

    /// The ways in which this kind of record can be bad.
    fn ways_to_be_bad(&self) -> &'static [Bad] {
        &[Bad::WrongType, Bad::UnknownCode, Bad::UnknownCommune, Bad::FutureDate]
    }
}

/// A stream: a kind of record and the index of its changes.
#[derive(Debug)]
pub(super) struct Stream<R> {
    pub(super) records: R,
    feed: Feed,
}

/// Which part of a listing is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) pin: Pin,
    pub(super) offset: usize,
    pub(super) limit: usize,
    /// Pages have numbers, so their size is fixed for the run.
    pub(super) is_numbered: bool,
}

/// The records of a page, worded one after the other.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) records: Vec<u8>,
    pub(super) notes: Vec<Note>,
    /// Where the next page begins; none after the last one.
    pub(super) next: Option<usize>,
    /// Pages of the whole listing at this page size.
    pub(super) pages: usize,
}

impl<R: Records> Stream<R> {
    /// A stream whose history begins on `first`, filled up to `through`.
    pub(super) fn new(records: R, world: &World, late: f64, first: Day, through: Day) -> Self {
        let stream = Self { records, feed: Feed::new(world.seed, late, first, world.lost.clone()) };
        stream.extend(through);
        stream
    }

    fn extend(&self, through: Day) {
        self.feed.extend(through, |day, emit| self.records.of_day(day, emit));
    }

    /// Pins a run that begins at `now`.
    pub(super) fn pin(since: Stamp, now: Stamp, draw: &mut Draw, faults: &Faults) -> Pin {
        let is_disordered = draw.chance(faults.reorder);
        let is_split = draw.chance(faults.resplit);
        Pin { since, now, is_disordered, is_numbered: false, is_split }
    }

    /// Every record as it stands at `now`, to be worded by whoever counts them.
    pub(super) fn standing(&self, now: Stamp) -> Vec<Line> {
        self.extend(now.day());
        let since = Stamp(0);
        let pin = Pin { since, now, is_disordered: false, is_numbered: false, is_split: false };
        let line = |event: &Event| Line { key: event.key(), version: event.version(), bad: None };
        self.feed.listing(pin).iter().map(line).collect()
    }

    /// Words one page.
    pub(super) fn page(&self, ask: Ask, draw: &mut Draw, faults: &Faults, noted: bool) -> Page {
        self.extend(ask.pin.now.day());
        let listing = self.feed.listing(ask.pin);
        let limit = page_size(ask, draw, faults);
        let start = if ask.is_numbered { ask.offset.saturating_mul(limit) } else { ask.offset };
        let start = start.min(listing.len());
        let end = start.saturating_add(limit).min(listing.len());
        let lines = self.lines(&listing[start..end], ask.pin.is_disordered, draw, faults);
        let mut records = Vec::new();
        let mut notes = Vec::new();
        for (n, line) in lines.into_iter().enumerate() {
            if n > 0 {
                records.extend_from_slice(self.records.separator());
            }
            notes.extend(self.records.say(line, &mut records, noted));
        }
        let is_repeated = !ask.is_numbered && end > start && draw.chance(faults.repeat_page);
        let next = if is_repeated { start } else { end };
        Page {
            records,
            notes,
            next: (is_repeated || end < listing.len()).then_some(next),
            pages: listing.len().div_ceil(limit),
        }
    }

    fn lines(
        &self,
        events: &[Event],
        shuffled: bool,
        draw: &mut Draw,
        faults: &Faults,
    ) -> Vec<Line> {
        let mut lines = Vec::with_capacity(events.len() + events.len() / 8);
        let mut later = Vec::new();
        for event in events {
            let line = Line { key: event.key(), version: event.version(), bad: None };
            lines.push(line);
            if draw.chance(faults.duplicate) {
                later.push(line);
            }
            if line.version > 0 && draw.chance(faults.stale) {
                later.push(Line { version: draw.below(u64::from(line.version)) as u8, ..line });
            }
            if draw.chance(faults.bad) {
                let ways = self.records.ways_to_be_bad();
                let bad = ways[draw.below(ways.len() as u64) as usize];
                later.push(Line { version: 0, bad: Some(bad), ..line });
            }
        }
        lines.append(&mut later);
        if shuffled {
            for last in (1..lines.len()).rev() {
                lines.swap(last, draw.below(last as u64 + 1) as usize);
            }
        }
        lines
    }
}

fn page_size(ask: Ask, draw: &mut Draw, faults: &Faults) -> usize {
    let limit = ask.limit.clamp(1, PAGE_LIMIT);
    if ask.is_numbered {
        return if ask.pin.is_split { limit.div_ceil(3) } else { limit };
    }
    if draw.chance(faults.resplit) { 1 + draw.below(limit as u64) as usize } else { limit }
}

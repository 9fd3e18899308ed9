//! Where a stream goes on, and which stretch of time a turn asks for.
//!
//! The cursor goes by a property of the records or, for a source that takes a date and returns none,
//! by the time that was asked for. Either way a turn begins a lookback before it, so that what is
//! committed late is not missed, and asks for nothing younger than `settle`, where the request can
//! say so: what is just being written is left to the next turn. A cursor moves at the end of what was
//! asked for, or after each page if order is promised *and* kept; it never goes back.

use schemars::JsonSchema;
use serde::Deserialize;

use super::slices::{SliceSettings, Slices, Standing, Window};
use super::{Progress, Shared, Stream};
use crate::model::backfill::Past;
use crate::model::observation::Observations;
use crate::model::snapshot::{History, Outcome};
use crate::model::time::{DAY, Stamp};
use crate::model::units::Span;
use crate::normalise::Format;
use crate::pull::Vars;

/// In which order a source hands out its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Nothing is promised: the cursor moves only at the end of a turn.
    #[default]
    None,
    /// By the cursor, oldest first: the cursor may move after each page, if the order is kept.
    Ascending,
}

/// How a stream goes on where it left off.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CursorSettings {
    /// The property; it must be the contract's `version_by`. Without one the cursor is the time that
    /// was asked for: for a source that takes a date and returns none.
    pub property: Option<String>,
    /// How the source wants the moment written.
    pub format: String,
    /// How far back each turn begins before the cursor: what is committed late is not missed.
    #[serde(default = "ten_minutes")]
    pub lookback: Span,
    /// What the source promises about order.
    #[serde(default)]
    pub order: Order,
    /// How long before the beginning of a run `{{ slice_end }}` lies.
    #[serde(default = "one_minute")]
    pub settle: Span,
    /// How a history is cut; without it, everything is asked for at once.
    pub slices: Option<SliceSettings>,
}

fn ten_minutes() -> Span {
    Span::seconds(600)
}

fn one_minute() -> Span {
    Span::seconds(60)
}

/// A checked cursor.
#[derive(Clone, Debug)]
pub struct Cursor {
    /// Whether it goes by a property of the records, or by the time that was asked for.
    pub by_property: bool,
    /// How the source wants the moment written.
    pub format: Format,
    /// How far back each turn begins.
    pub lookback: Span,
    /// What the source promises about order.
    pub order: Order,
    /// How long before the beginning of a run what is asked for ends.
    pub settle: Span,
    /// Whether the request says where it ends.
    pub is_bounded: bool,
    /// How a history is cut.
    pub slices: Option<Slices>,
}

/// What one pagination asks for; without a beginning everything up to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: Option<i64>,
    until: Option<i64>,
}

/// What a turn asks for, and where the stream stood when it began.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) stretches: Vec<Stretch>,
    standing: Standing,
    /// The latest moment that may be asked for.
    until: i64,
    /// The slice, in an ordinary turn of a history.
    window: Option<Window>,
    /// Whether the cursor may follow the records of a page.
    follows: bool,
    /// Whether it is a stretch of the past that somebody asked for: then everything there is asked for, and
    /// where the stream goes on does not follow from it.
    pub(super) is_past: bool,
}

/// What a turn leaves behind.
#[derive(Debug, Default)]
pub(super) struct Moved {
    pub(super) cursor: Option<i64>,
    pub(super) history: Option<History>,
    /// There is more to ask for at once.
    pub(super) has_more: bool,
    /// The time up to which a complete turn has asked, if it says so itself.
    pub(super) asked_until: Option<Stamp>,
}

impl Plan {
    /// What the turn that begins at `started` asks for: everything in a full pass.
    pub(super) fn make(stream: &Stream, shared: &Shared, started: Stamp, is_full: bool) -> Self {
        let Some(cursor) = &stream.cursor else {
            return Self { stretches: vec![Stretch::default()], ..Self::default() };
        };
        let until = started.0 - cursor.settle.as_seconds();
        let standing = cursor.standing(stream, shared);
        let lookback = cursor.lookback.as_seconds();
        let mut plan = Self { standing, until, ..Self::default() };
        match &cursor.slices {
            Some(slices) if is_full => plan.stretches = slices.all(until).map(Into::into).collect(),
            Some(slices) => {
                let interval = stream.interval.as_seconds();
                plan.window = slices.next(&plan.standing, lookback, until, interval);
                plan.stretches = plan.window.map(Into::into).into_iter().collect();
            }
            None => {
                let from = plan.standing.cursor.filter(|_| !is_full);
                let from = from.map(|moment| moment - lookback);
                plan.stretches = vec![Stretch { from, until: Some(until) }];
            }
        }
        // A full pass begins long before the cursor, and newest first it jumps over what is pending:
        // the cursor must not go there with the records.
        plan.follows = !is_full
            && cursor.follows()
            && cursor.slices.as_ref().is_none_or(|slices| !slices.newest_first());
        plan
    }

    /// A stretch of the past.
    pub(super) fn of_the_past(from: Stamp, until: Stamp) -> Self {
        let stretch = Stretch { from: Some(from.0), until: Some(until.0) };
        Self { stretches: vec![stretch], is_past: true, ..Self::default() }
    }

    /// What becomes of cursor and history when the turn is over.
    pub(super) fn moved(
        &self,
        stream: &Stream,
        progress: &Progress,
        outcome: Outcome,
        is_full: bool,
    ) -> Moved {
        let Some(cursor) = stream.cursor.as_ref().filter(|_| !is_full) else {
            return Moved::default();
        };
        let kept_order = self.follows && progress.ascending;
        let followed = progress.latest.filter(|_| kept_order).max(self.standing.cursor);
        let is_cut = outcome == Outcome::Truncated && kept_order;
        let mut moved = Moved {
            has_more: is_cut && progress.records.accepted > 0,
            asked_until: cursor.is_bounded.then_some(Stamp(self.until)),
            ..Moved::default()
        };
        let Some(slices) = &cursor.slices else {
            moved.cursor = match outcome {
                Outcome::Ok if cursor.by_property => progress.latest.max(self.standing.cursor),
                Outcome::Ok => self.standing.cursor.max(Some(self.until)),
                _ => followed.filter(|_| is_cut),
            };
            // What another configuration left pending has been asked for too.
            moved.history = (outcome == Outcome::Ok).then(History::default);
            return moved;
        };
        let standing = match (outcome, self.window) {
            (Outcome::Ok, Some(window)) => {
                let standing = slices.after(&self.standing, cursor.lookback.as_seconds(), window);
                moved.asked_until = Some(Stamp(window.until));
                moved.has_more = slices.has_more(&standing, self.until);
                standing
            }
            _ if is_cut => Standing { cursor: followed, pending: Vec::new() },
            _ => return moved,
        };
        moved.history = Some(slices.progress(&standing, self.until));
        moved.cursor = standing.cursor;
        moved
    }
}

impl Cursor {
    /// How the past can be asked for: in the slices of a history, else day by day.
    pub fn past(&self) -> Past {
        let step = self.slices.as_ref().map_or(DAY, Slices::step);
        if self.is_bounded { Past::Slices(step) } else { Past::Onward }
    }

    /// Whether it may move with each page: order is promised, and records have a moment.
    fn follows(&self) -> bool {
        self.by_property && self.order == Order::Ascending
    }

    /// Where the stream stands. What another configuration left pending is not forgotten: where
    /// nobody works it off any more, everything from there on is asked for again.
    fn standing(&self, stream: &Stream, shared: &Shared) -> Standing {
        let snapshot = shared.store.snapshot();
        let Some(state) = snapshot.streams.get(&format!("{}.{}", stream.source, stream.name))
        else {
            return Standing::default();
        };
        let cursor = state.cursor.as_ref().and_then(|text| Stamp::parse(text)).map(|at| at.0);
        let pending = state.history.iter().flat_map(|history| &history.pending);
        let pending: Vec<_> = pending.map(|(from, until)| (from.0, until.0)).collect();
        match pending.first() {
            Some(&(oldest, _)) if !self.slices.is_some_and(|slices| slices.newest_first()) => {
                Standing { cursor: cursor.map(|cursor| cursor.min(oldest)), pending: Vec::new() }
            }
            _ => Standing { cursor, pending },
        }
    }

    /// The values of a request for a stretch.
    pub(super) fn vars(&self, stretch: Stretch, started: Stamp) -> Vars {
        let from = stretch.from.map(|moment| self.format.write(moment));
        let granularity = self.slices.map_or(0, |slices| slices.granularity());
        let until = stretch.until.map(|moment| self.format.write(moment - granularity));
        Vars { cursor: from.clone(), slice_start: from, slice_end: until, ..Vars::at(started) }
    }

    /// The same stretch from the latest record on, for a source that hands out no more pages; nothing
    /// if that leads nowhere, or if nobody knows what was left out.
    pub(super) fn anew(&self, stretch: Stretch, progress: &Progress) -> Option<Stretch> {
        // One second earlier: others of the latest one's second may be on the pages that did not come.
        let later = progress.latest.filter(|_| self.follows() && progress.ascending)? - 1;
        let is_further = stretch
            .from
            .is_none_or(|from| later > from && self.format.write(later) != self.format.write(from));
        is_further.then_some(Stretch { from: Some(later), ..stretch })
    }
}

impl From<Window> for Stretch {
    fn from(window: Window) -> Self {
        Self { from: Some(window.from), until: Some(window.until) }
    }
}

/// Notes the order of a page's records; yields the cursor as it may stand after it, if order was
/// promised and has been kept.
pub(super) fn checkpoint(
    stream: &Stream,
    page: &Observations,
    progress: &mut Progress,
) -> Option<i64> {
    if !stream.cursor.as_ref()?.follows() {
        return None;
    }
    let slot = stream.schema().version_slot;
    let mut last = progress.last_of_pagination.unwrap_or(i64::MIN);
    for row in page.rows.chunks_exact(page.width.max(1)) {
        progress.ascending &= row[slot] >= last;
        last = last.max(row[slot]);
    }
    progress.last_of_pagination = (last > i64::MIN).then_some(last);
    progress.latest = progress.latest.max(progress.last_of_pagination);
    let plan = &progress.plan;
    let latest = progress.latest.filter(|_| progress.ascending && plan.follows);
    latest.map(|latest| plan.standing.cursor.map_or(latest, |cursor| cursor.max(latest)))
}

//! Backfills: stretches of the past that somebody asked to have pulled once more.
//!
//! A backfill is worked off slice by slice, oldest first, between the ordinary turns of its stream and
//! never instead of them. It leaves the stream's cursor, watermark and troubles alone: what comes in
//! are records like any other, and those that are known already change nothing.

use serde::Serialize;

use crate::model::time::Stamp;

/// Backfills that are over and remembered.
pub const OVER_KEPT: usize = 100;

/// The most slices of one backfill.
pub const MOST_SLICES: u64 = 5000;

/// So many slices that fail in a row end a backfill: asking goes on only where it may lead somewhere.
pub const MOST_FAILURES: u64 = 20;

/// How a stream can be asked for its past once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// In slices of so many seconds.
    Slices(i64),
    /// Only from a moment up to now, because its requests cannot say where they end.
    Onward,
    /// Not at all; why, and what to do instead.
    Never(&'static str),
}

/// How a backfill stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its slices come in.
    Running,
    /// All of them have come in.
    Done,
    /// Somebody ended it; what had come in stays.
    Cancelled,
    /// It could not go on; what had come in stays.
    Failed,
}

impl State {
    /// Its word in the API and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// Reads [`State::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Running, Self::Done, Self::Cancelled, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The source.
    pub source: String,
    /// The stream.
    pub stream: String,
    /// Where it begins.
    pub from: Stamp,
    /// Where it ends; later than `from`.
    pub until: Stamp,
    /// The length of a slice in seconds, at least 1.
    pub step: i64,
    /// Who asks (a position).
    pub by: String,
}

/// A stretch of the past that is pulled once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backfill {
    /// Its number; none is given twice.
    pub id: u64,
    /// What was asked for.
    pub wanted: Wanted,
    /// When it was asked for.
    pub asked: Stamp,
    /// When it ended.
    pub ended: Option<Stamp>,
    /// How it stands.
    pub state: State,
    /// Everything before this moment has come in.
    pub reached: Stamp,
    /// Records that its slices brought, those that failed included.
    pub received: u64,
    /// Those of them that became the newest version of their entity.
    pub accepted: u64,
    /// Slices that failed since the last one that came in.
    pub failures: u64,
    /// Why the last one failed, or the backfill did.
    pub message: Option<String>,
}

/// What became of one slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slice {
    /// It came in whole.
    In,
    /// It failed in a way that another attempt may mend.
    Failed(String),
    /// It cannot come in.
    Hopeless(String),
    /// It was broken off here, by a pause or a stop.
    Interrupted,
}

impl Wanted {
    /// How many slices it is.
    pub fn slices(&self) -> u64 {
        slices(self.until.0 - self.from.0, self.step)
    }
}

impl Backfill {
    /// The next slice, from and until; nothing if it is over.
    pub fn next(&self) -> Option<(Stamp, Stamp)> {
        let Wanted { until, step, .. } = self.wanted;
        let is_open = self.state == State::Running && self.reached < until;
        is_open.then(|| (self.reached, Stamp((self.reached.0 + step.max(1)).min(until.0))))
    }

    /// Slices that have come in, and all of them.
    pub fn progress(&self) -> (u64, u64) {
        let total = self.wanted.slices();
        let ahead = slices(self.wanted.until.0 - self.reached.0, self.wanted.step);
        (total - ahead.min(total), total)
    }

    /// How it stands after a slice that brought so many records and ended at `now`.
    #[must_use]
    pub fn after(&self, slice: &Slice, (received, accepted): (u64, u64), now: Stamp) -> Self {
        let mut after = self.clone();
        after.received += received;
        after.accepted += accepted;
        // One that was ended meanwhile stays ended.
        let Some((_, until)) = self.next() else { return after };
        match slice {
            Slice::In => {
                (after.reached, after.failures, after.message) = (until, 0, None);
                if until >= self.wanted.until {
                    (after.state, after.ended) = (State::Done, Some(now));
                }
            }
            Slice::Failed(why) | Slice::Hopeless(why) => {
                after.failures += 1;
                after.message = Some(why.clone());
                if matches!(slice, Slice::Hopeless(_)) || after.failures >= MOST_FAILURES {
                    (after.state, after.ended) = (State::Failed, Some(now));
                }
            }
            Slice::Interrupted => {}
        }
        after
    }
}

/// How many steps a length takes.
fn slices(length: i64, step: i64) -> u64 {
    let (length, step) = (length.max(0), step.max(1));
    u64::try_from(length / step + i64::from(length % step > 0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backfill(length: i64, step: i64) -> Backfill {
        let (source, stream) = ("portal".to_owned(), "dossiers".to_owned());
        let (from, until) = (Stamp(1000), Stamp(1000 + length));
        Backfill {
            id: 1,
            wanted: Wanted { source, stream, from, until, step, by: "a steward".to_owned() },
            asked: Stamp(0),
            ended: None,
            state: State::Running,
            reached: from,
            received: 0,
            accepted: 0,
            failures: 0,
            message: None,
        }
    }

    proptest::proptest! {
        /// Whatever fails between: each slice begins where the last one that came in ended, none is left
        /// out, and their number is the one that was told.
        #[test]
        fn slices_cover_what_was_asked_for(
            length in 1_i64..5000,
            step in 1_i64..700,
            fails in proptest::collection::vec(0_u64..MOST_FAILURES, 0..40),
        ) {
            let mut job = backfill(length, step);
            let (mut edge, mut came, mut fails) = (job.wanted.from, 0, fails.into_iter());
            while let Some((from, until)) = job.next() {
                proptest::prop_assert_eq!(from, edge);
                proptest::prop_assert_eq!(job.progress(), (came, job.wanted.slices()));
                for _ in 0..fails.next().unwrap_or(0) {
                    job = job.after(&Slice::Failed("timeout".to_owned()), (1, 0), Stamp(9));
                    proptest::prop_assert_eq!(job.next(), Some((from, until)));
                }
                job = job.after(&Slice::In, (2, 1), Stamp(9));
                (edge, came) = (until, came + 1);
            }
            proptest::prop_assert_eq!((edge, job.state), (job.wanted.until, State::Done));
            proptest::prop_assert_eq!((came, job.ended), (job.wanted.slices(), Some(Stamp(9))));
        }
    }

    #[test]
    fn failures_in_a_row_and_what_is_hopeless_end_it_and_a_stop_does_not() {
        let (mut job, failed) = (backfill(10, 1), Slice::Failed("timeout".to_owned()));
        for _ in 0..3 * MOST_FAILURES {
            job = job.after(&Slice::Interrupted, (0, 0), Stamp(5));
        }
        assert_eq!(job.state, State::Running);
        for _ in 1..MOST_FAILURES {
            job = job.after(&failed, (0, 0), Stamp(5));
        }
        assert_eq!(job.state, State::Running);
        job = job.after(&failed, (0, 0), Stamp(5));
        assert_eq!((job.state, job.ended), (State::Failed, Some(Stamp(5))));
        assert_eq!((job.next(), job.message.as_deref()), (None, Some("timeout")));
        let job = backfill(10, 1).after(&Slice::Hopeless("cut".to_owned()), (0, 0), Stamp(5));
        assert_eq!(job.state, State::Failed);
    }

    #[test]
    fn what_a_slice_brings_after_its_backfill_was_ended_is_counted_and_moves_nothing() {
        let mut job = backfill(10, 5);
        job.state = State::Cancelled;
        let after = job.after(&Slice::In, (7, 3), Stamp(5));
        assert_eq!((after.received, after.accepted), (7, 3));
        assert_eq!((after.reached, after.state), (job.reached, State::Cancelled));
    }
}

//! Full passes: now and then a stream asks for everything, so that what its source no longer lists is
//! noticed although nobody says so.
//!
//! Keys are remembered by their lower half: they are hashes, so two share it about once in a billion
//! passes, and all that would come of it is that a vanished record stays until it is noticed
//! otherwise. Only a pass that came through whole says what is missing. Where pages have numbers or offsets, a
//! record can slip between two pages when another one goes; so before anything is taken back there,
//! a second pass must miss it too.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use schemars::JsonSchema;
use serde::Deserialize;

use super::turn::pull_pages;
use super::{Failure, Progress, Shared, Stream};
use crate::model::observation::{Observations, Reject};
use crate::model::snapshot::{Outcome, StreamState};
use crate::model::time::Stamp;
use crate::model::units::Span;
use crate::pull::Ending;
use crate::store::{RunEnd, StoreError, Sweep, Swept};

/// The most keys that one pass remembers: 80 MB.
const MOST_KEYS: usize = 10_000_000;

/// How often a pass that did not come through, or was refused, is tried again within its interval.
const TRIES: i64 = 24;

/// When a stream is asked for everything, and how much may have vanished.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconcileSettings {
    /// How often.
    pub interval: Span,
    /// The largest share of the stream's records that may vanish at once without somebody confirming
    /// it.
    #[serde(default = "five_percent")]
    pub max_retracted_ratio: f64,
    /// So many may vanish whatever their share.
    #[serde(default = "twenty")]
    pub min: u64,
}

const fn five_percent() -> f64 {
    0.05
}

const fn twenty() -> u64 {
    20
}

impl ReconcileSettings {
    /// What makes no sense, with the key at which it stands.
    pub fn check(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.interval.as_seconds() < 1 {
            problems.push(("interval", "the shortest interval is 1s".to_owned()));
        }
        if !(0.0..=1.0).contains(&self.max_retracted_ratio) {
            let message = "a ratio lies between 0 and 1, for example 0.05".to_owned();
            problems.push(("max_retracted_ratio", message));
        }
        problems
    }
}

/// A stream's full passes.
#[derive(Debug)]
pub struct Reconcile {
    settings: ReconcileSettings,
    /// When the last one began since the program started, whatever came of it.
    tried: AtomicI64,
}

impl Reconcile {
    /// Full passes as configured.
    pub fn new(settings: ReconcileSettings) -> Self {
        Self { settings, tried: AtomicI64::new(i64::MIN) }
    }

    /// Whether it is time for one; if so, it is taken as tried. A stream that never had a good run
    /// has nothing to compare with, one that is confirmed need not wait.
    fn is_due(&self, state: &StreamState, now: Stamp) -> bool {
        let interval = self.settings.interval.as_seconds();
        let confirmed = state
            .refused
            .as_ref()
            .and_then(|refused| refused.confirmed.as_ref())
            .map(|(_, at)| at.0);
        let tried = self.tried.load(Ordering::Relaxed);
        let is_due = match (state.reconciled, confirmed) {
            (None, _) => false,
            (_, Some(at)) if at >= tried => true,
            (Some(done), _) => {
                now.0 - done.0 >= interval && now.0.saturating_sub(tried) >= interval / TRIES
            }
        };
        if is_due {
            self.tried.store(now.0, Ordering::Relaxed);
        }
        is_due
    }
}

/// The keys that a full pass has come across.
#[derive(Debug, Default)]
pub(super) struct Seen {
    keys: Vec<u64>,
    /// Records of which not even the key could be read: any entity may be among them.
    keyless: u64,
}

impl Seen {
    pub(super) fn note(&mut self, observations: &Observations, rejects: &[Reject]) {
        let room = MOST_KEYS.saturating_sub(self.keys.len());
        let refused = rejects.iter().filter_map(|reject| reject.key);
        let keys = observations.keys.iter().copied().chain(refused).map(|key| key as u64);
        self.keyless += rejects.iter().filter(|reject| reject.key.is_none()).count() as u64;
        self.keys.extend(keys.take(room));
    }

    fn settle(&mut self) {
        self.keys.sort_unstable();
        self.keys.dedup();
    }

    /// Why it cannot be told what is missing, if so.
    fn doubt(&self) -> Option<String> {
        if self.keys.len() >= MOST_KEYS {
            return Some(format!("the list is longer than {MOST_KEYS} records"));
        }
        (self.keyless > 0)
            .then(|| format!("{} records of the list have no readable key", self.keyless))
    }
}

/// Whether the turn that begins now is a full pass.
pub(super) fn is_due(stream: &Stream, shared: &Shared, now: Stamp) -> bool {
    let Some(reconcile) = &stream.reconcile else { return false };
    let snapshot = shared.store.snapshot();
    let state = snapshot.streams.get(&format!("{}.{}", stream.source, stream.name));
    state.is_some_and(|state| reconcile.is_due(state, now))
}

/// Pulls everything there is, once more where one pass may have missed something.
pub(super) async fn pull_everything(
    stream: &Arc<Stream>,
    shared: &Shared,
    started: Stamp,
    progress: &mut Progress,
) -> Result<Ending, Failure> {
    shared.store.begin_pass(stream.index).await;
    progress.seen = Some(Seen::default());
    let ending = pull_pages(stream, shared, started, progress).await?;
    let may_slip = stream.listing().paginator.may_slip();
    let Some(seen) = progress.seen.as_mut().filter(|_| may_slip && ending == Ending::Complete)
    else {
        return Ok(ending);
    };
    seen.settle();
    if shared.store.unseen(stream.index, seen.keys.clone()).await? == 0 {
        return Ok(ending);
    }
    pull_pages(stream, shared, started, progress).await
}

/// Ends a full pass that came through whole; notes in `end` if it was refused.
pub(super) async fn finish(
    stream: &Stream,
    shared: &Shared,
    mut seen: Seen,
    end: &mut RunEnd,
) -> Result<(), StoreError> {
    let Some(reconcile) = &stream.reconcile else { return shared.store.end(end.clone()).await };
    if let Some(doubt) = seen.doubt() {
        refuse(
            end,
            format!("{doubt}, so nobody can tell what has vanished; nothing was taken back"),
        );
        return shared.store.end(end.clone()).await;
    }
    seen.settle();
    let ReconcileSettings { max_retracted_ratio: max_ratio, min, .. } = reconcile.settings;
    let sweep = Sweep { end: end.clone(), seen: seen.keys, max_ratio, min };
    let Swept { unseen, of, is_done } = shared.store.sweep(sweep).await?;
    if is_done {
        shared.metrics.retracted(&stream.source, &stream.name, unseen);
    } else {
        refuse(
            end,
            format!("a full pass missed {unseen} of {of} records and took none of them back"),
        );
    }
    Ok(())
}

fn refuse(end: &mut RunEnd, message: String) {
    end.outcome = Outcome::ReconcileRefused;
    end.failure = Some((Outcome::ReconcileRefused.as_str().to_owned(), message));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::Refused;

    fn reconcile() -> Reconcile {
        let settings = ReconcileSettings {
            interval: Span::seconds(86_400),
            max_retracted_ratio: five_percent(),
            min: twenty(),
        };
        Reconcile::new(settings)
    }

    fn state(reconciled: Option<i64>) -> StreamState {
        StreamState { reconciled: reconciled.map(Stamp), ..StreamState::default() }
    }

    #[test]
    fn a_pass_is_due_when_its_interval_is_over_and_tried_again_an_hour_later() {
        let reconcile = reconcile();
        assert!(!reconcile.is_due(&state(None), Stamp(1_000_000)), "nothing to compare with");
        assert!(!reconcile.is_due(&state(Some(1_000_000)), Stamp(1_086_399)));
        assert!(reconcile.is_due(&state(Some(1_000_000)), Stamp(1_086_400)));
        assert!(!reconcile.is_due(&state(Some(1_000_000)), Stamp(1_086_460)), "just tried");
        assert!(reconcile.is_due(&state(Some(1_000_000)), Stamp(1_090_000)));
        assert!(!reconcile.is_due(&state(Some(1_090_000)), Stamp(1_093_600)), "done");
    }

    #[test]
    fn a_confirmation_is_acted_upon_at_once_and_once() {
        let reconcile = reconcile();
        let refused = |at: i64| StreamState {
            reconciled: Some(Stamp(0)),
            refused: Some(Refused {
                records: 3,
                of: 4,
                at: Stamp(86_400),
                confirmed: Some(("CANARY steward".to_owned(), Stamp(at))),
            }),
            ..StreamState::default()
        };
        assert!(reconcile.is_due(&state(Some(0)), Stamp(86_400)));
        assert!(reconcile.is_due(&refused(86_500), Stamp(86_510)));
        assert!(!reconcile.is_due(&refused(86_500), Stamp(86_520)));
    }
}

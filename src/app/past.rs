//! Readings of the past: the figures of a moment with the definitions then in force.
//!
//! The store keeps the texts of every configuration that was in force. A definition of the past is
//! made from them as it was made then, by this same program, and kept in memory: configurations are
//! few. A vintage is kept for a while too, because who asks for one figure of a moment asks for the
//! others next.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Settings, definitions};
use crate::clock::Clock;
use crate::config::{self, Options};
use crate::model::cube::day_of;
use crate::model::dictionary::Dictionaries;
use crate::model::revision::Cause;
use crate::model::time::Stamp;
use crate::serve::{self, Definitions, Learned, NoVintage, Vintage};
use crate::store::{Epoch, Store, VintageError};

/// Vintages kept in memory; they share the cells that did not change since.
const VINTAGES: usize = 32;

/// Definitions of the past kept in memory.
const DEFINITIONS: usize = 8;

/// Seconds after which no commit can be under way that is stamped earlier: the longest that one may
/// wait for the disk. Younger moments are waited for.
const SURELY_SETTLED: i64 = 3600;

pub(super) struct Past {
    store: Store,
    settings: Settings,
    clock: Clock,
    current: Arc<Definitions>,
    definitions: Mutex<VecDeque<Arc<Definitions>>>,
    vintages: Mutex<VecDeque<(Stamp, Vintage)>>,
}

impl Past {
    pub(super) fn new(
        store: Store,
        settings: Settings,
        clock: Clock,
        current: Arc<Definitions>,
    ) -> Self {
        let (definitions, vintages) = (Mutex::default(), Mutex::default());
        Self { store, settings, clock, current, definitions, vintages }
    }

    /// The definitions of a configuration that was in force.
    fn definitions(&self, epoch: &Epoch) -> Result<Arc<Definitions>, NoVintage> {
        if epoch.hash == self.current.config {
            return Ok(Arc::clone(&self.current));
        }
        let mut kept = self.definitions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.iter().find(|known| known.config == epoch.hash) {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(self.read(epoch)?);
        kept.push_front(Arc::clone(&read));
        kept.truncate(DEFINITIONS);
        Ok(read)
    }

    /// Reads a configuration of the past. It is only read *by*: nothing is asked at its addresses, so
    /// a variable that is no longer set does not matter.
    fn read(&self, epoch: &Epoch) -> Result<Definitions, NoVintage> {
        let lookup = |name: &str| {
            self.settings.lookup(name).or_else(|| Some("http://unset.invalid".to_owned()))
        };
        let options = Options {
            dir: &self.settings.config,
            kept: Some(&epoch.files),
            lookup: &lookup,
            words: Dictionaries::clone(&self.current.words),
            identifier_key: b"for definitions only",
            previous_key: None,
        };
        let config = config::load(options).map_err(|problems| {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            let hash = &epoch.hash;
            NoVintage::Unreadable(format!(
                "the configuration {hash} can no longer be read by this version: {first}"
            ))
        })?;
        Ok(Definitions { config: epoch.hash.clone(), ..definitions(&config) })
    }

    /// Waits until nothing can be stamped up to `at` any more.
    fn settle(&self, at: Stamp) -> Result<(), NoVintage> {
        let now = self.clock.now();
        if at >= now {
            return Err(NoVintage::NotYet);
        }
        if now.0 - at.0 < SURELY_SETTLED {
            self.store.settled().map_err(|error| NoVintage::Unreadable(error.to_string()))?;
        }
        Ok(())
    }
}

impl serve::Vintages for Past {
    fn at(&self, at: Stamp) -> Result<Vintage, NoVintage> {
        self.settle(at)?;
        let lock = || self.vintages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = lock().iter().find(|(moment, _)| *moment == at) {
            return Ok(known.clone());
        }
        let vintage = self.store.vintage(at).map_err(refusal)?;
        let definitions = self.definitions(&vintage.epoch)?;
        let vintage = Vintage { snapshot: Arc::new(vintage.snapshot), definitions };
        let mut kept = lock();
        kept.push_front((at, vintage.clone()));
        kept.truncate(VINTAGES);
        Ok(vintage)
    }

    fn learned(&self, measure: &str, after: Stamp, upto: Stamp) -> Result<Vec<Learned>, NoVintage> {
        self.settle(upto)?;
        let contract = measure.split('.').next().unwrap_or_default();
        let grace =
            self.current.contracts.get(contract).map_or(0, |facts| facts.fresh_within.as_seconds());
        let entries = self.store.learned(measure, after, upto).map_err(refusal)?;
        let mut learned = Vec::new();
        for entry in entries {
            let over = Stamp(entry.at.0 - grace).day();
            let late =
                |change: &(u64, i64)| entry.cause == Cause::Arrived && day_of(change.0) < over;
            let (after, in_time): (Vec<_>, Vec<_>) = entry.changes.into_iter().partition(late);
            for (cause, changes) in [(Cause::Late, after), (entry.cause, in_time)] {
                if !changes.is_empty() {
                    let (at, revision) = (entry.at, entry.revision);
                    learned.push(Learned { at, revision, cause, changes });
                }
            }
        }
        Ok(learned)
    }
}

fn refusal(error: VintageError) -> NoVintage {
    match error {
        VintageError::Before(at) => NoVintage::Before(at),
        VintageError::Compacted(at) => NoVintage::Compacted(at),
        VintageError::Store(error) => NoVintage::Unreadable(error.to_string()),
    }
}

//! What listeners are told: the newest figures of every indicator, and what changed between two
//! revisions.
//!
//! A picture holds for each indicator its newest day that has a value, at the province and at every
//! commune, and for each source how it fares. Two pictures compared yield events; many commits
//! between them become one event for each indicator, with its latest values.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::indicator::reading::Status;
use crate::indicator::{Grain, Place, World, series};
use crate::model::snapshot::StreamState;
use crate::model::time::Stamp;
use crate::serve::number::Number;
use crate::serve::period::newest_of;
use crate::serve::place::all_of_today;

/// The word for the province, where a commune has its code.
pub(in crate::serve) const PROVINCE: &str = "province";

/// A value of an indicator somewhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::serve) struct Item {
    pub(in crate::serve) area: String,
    pub(in crate::serve) value: Option<Number>,
    pub(in crate::serve) status: Status,
}

/// The newest values of an indicator.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::serve) struct Figures {
    pub(in crate::serve) period: String,
    /// The province first, then the communes by code.
    pub(in crate::serve) items: Vec<Item>,
}

/// How a source fares.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(in crate::serve) struct Fares {
    /// The reasons why its streams do not get through, by stream.
    pub(in crate::serve) trouble: BTreeMap<String, String>,
    /// Records in quarantine.
    pub(in crate::serve) quarantined: u64,
}

/// All that may change under listeners, at one revision.
#[derive(Debug, Default)]
pub(in crate::serve) struct Picture {
    pub(in crate::serve) revision: u64,
    pub(in crate::serve) at: Stamp,
    pub(in crate::serve) indicators: BTreeMap<String, Figures>,
    pub(in crate::serve) sources: BTreeMap<String, Fares>,
}

/// One thing that changed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    Indicator(String, Figures),
    Source(String, Fares),
}

impl Picture {
    /// Looks at one revision.
    pub(in crate::serve) fn of(world: &World<'_>) -> Self {
        let mut places = vec![Place::Province];
        places.extend(all_of_today(world));
        let mut indicators = BTreeMap::new();
        for definition in world.catalogue.iter() {
            let period = newest_of(world, definition);
            // The province is read by itself: what lies in no commune is part of it.
            let province =
                series(world, definition, Grain::Day, (period.first, period.end), &places[..1]);
            let communes =
                series(world, definition, Grain::Day, (period.first, period.end), &places[1..]);
            let items = province.into_iter().chain(communes).map(|(_, place, point)| Item {
                area: match place {
                    Place::Province => PROVINCE.to_owned(),
                    _ => place.code(world).to_owned(),
                },
                value: point.value.map(Number),
                status: point.status,
            });
            let figures = Figures { period: period.id, items: items.collect() };
            indicators.insert(definition.id.clone(), figures);
        }
        let snapshot = world.snapshot;
        let mut sources: BTreeMap<String, Fares> = BTreeMap::new();
        for state in snapshot.streams.values() {
            add(&mut sources, state);
        }
        Self { revision: snapshot.revision, at: snapshot.at, indicators, sources }
    }

    /// What is different from an earlier picture; of an indicator only the areas that changed, all of
    /// them when its day did.
    pub(super) fn since(&self, earlier: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (id, figures) in &self.indicators {
            let before = earlier.indicators.get(id);
            let same_day = before.filter(|before| {
                before.period == figures.period && before.items.len() == figures.items.len()
            });
            let items: Vec<Item> = match same_day {
                None => figures.items.clone(),
                Some(before) => {
                    let pairs = figures.items.iter().zip(&before.items);
                    pairs.filter(|(now, then)| now != then).map(|(now, _)| now.clone()).collect()
                }
            };
            if !items.is_empty() {
                let figures = Figures { period: figures.period.clone(), items };
                changes.push(Change::Indicator(id.clone(), figures));
            }
        }
        for (source, fares) in &self.sources {
            if earlier.sources.get(source) != Some(fares) {
                changes.push(Change::Source(source.clone(), fares.clone()));
            }
        }
        changes
    }

    /// Everything, as if it had just come about.
    pub(super) fn whole(&self) -> Vec<Change> {
        self.since(&Self::default())
    }
}

fn add(sources: &mut BTreeMap<String, Fares>, state: &StreamState) {
    let fares = sources
        .entry(state.source.clone())
        .or_insert_with(|| Fares { trouble: BTreeMap::new(), quarantined: 0 });
    fares.quarantined += state.quarantined;
    if let Some(trouble) = &state.trouble {
        fares.trouble.insert(state.stream.clone(), trouble.reason.clone());
    }
}

impl Change {
    /// How much room it takes in the log.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Indicator(_, figures) => figures.items.len().max(1),
            Self::Source(..) => 1,
        }
    }
}

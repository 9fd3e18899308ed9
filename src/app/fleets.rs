//! What the API may know of the fleets' targets.

use std::sync::Arc;

use crate::pipeline::{Seat, Stream};
use crate::serve::{self, FleetFacts, TargetFacts, TargetState};

/// The streams, of which some poll a fleet.
pub(super) struct Fleets(pub(super) Vec<Arc<Stream>>);

impl serve::Fleets for Fleets {
    fn targets(
        &self,
        source: &str,
        after: &str,
        state: Option<TargetState>,
        limit: usize,
    ) -> Option<FleetFacts> {
        // All streams of a fleet ask the same targets; the first one speaks for it.
        let stream = self.0.iter().find(|stream| stream.source == source)?;
        let fleet = stream.fleet.as_ref()?;
        let found = fleet.discovery.found();
        let board = fleet.board();
        let counts = board.counts();
        let wanted = board
            .seats(after)
            .map(facts)
            .filter(|facts| state.is_none_or(|state| facts.state == state));
        let items = wanted.take(limit).collect();
        Some(FleetFacts {
            up: counts.up,
            silent: counts.silent,
            waiting: counts.waiting,
            passed_over: found.passed_over,
            discovered_at: found.good_at,
            discovery_error: found.trouble.clone(),
            items,
        })
    }
}

fn facts(seat: &Seat) -> TargetFacts {
    TargetFacts {
        target: seat.target.name.to_string(),
        state: match seat.last {
            Some((true, _)) => TargetState::Up,
            Some((false, _)) => TargetState::Silent,
            None => TargetState::Waiting,
        },
        since: seat.since,
        asked_at: seat.last.map(|(_, at)| at),
    }
}

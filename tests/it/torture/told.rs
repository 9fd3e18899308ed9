//! What all stages of the torture came to, and the deaths that are still owed.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use super::places::Place;

/// So many deaths at one place are not all missed by chance.
const MANY: usize = 10;

/// Deaths by name, and how often it did not come to that.
pub(super) type Tally = BTreeMap<String, (usize, usize)>;

/// What all stages came to, told by each when it ends.
pub(super) struct Told {
    began: Instant,
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    /// Every place that one of the stages found.
    places: BTreeMap<String, Place>,
    tally: Tally,
    /// Points compared with the oracle.
    points: usize,
    /// Earlier states that were read again.
    read_again: usize,
}

impl Default for Told {
    fn default() -> Self {
        Self { began: Instant::now(), all: Mutex::default() }
    }
}

impl Told {
    /// Notes the places that a stage found. Of one that several find, the knowledge of one that passes it in
    /// a first life is kept.
    pub(super) fn found(&self, places: &[Place]) {
        let mut all = self.all.lock().unwrap();
        for place in places {
            let known = all.places.entry(place.name.clone()).or_insert_with(|| place.clone());
            if known.in_a_first_life().is_none() {
                known.clone_from(place);
            }
        }
    }

    /// Adds what a stage came to and prints it: a run that is cut short has told of those that ended.
    pub(super) fn add(&self, stage: &str, tally: &Tally, points: usize, read_again: usize) {
        let deaths: usize = tally.values().map(|(deaths, _)| deaths).sum();
        let ways = tally.iter().filter(|(_, (_, missed))| *missed > 0);
        let missed: Vec<_> = ways.map(|(name, (_, count))| (name, *count)).collect();
        let seconds = self.began.elapsed().as_secs_f64();
        println!(
            "{stage} after {seconds:.0} s: {deaths} deaths, 0 differences, missed: {missed:?}"
        );
        let mut all = self.all.lock().unwrap();
        for (name, (deaths, missed)) in tally {
            let sum = all.tally.entry(name.clone()).or_default();
            *sum = (sum.0 + deaths, sum.1 + missed);
        }
        all.points += points;
        all.read_again += read_again;
    }

    /// The places that have not had so many deaths, and how many are missing.
    pub(super) fn owed(&self, at_each: usize) -> Vec<(Place, usize)> {
        let all = self.all.lock().unwrap();
        let owed = all.places.values().filter_map(|place| {
            let (deaths, _) = all.tally.get(&place.name).copied().unwrap_or_default();
            (deaths < at_each).then(|| (place.clone(), at_each - deaths))
        });
        owed.collect()
    }

    /// Prints all of it. A whole run that owes deaths still has failed; one of a few deaths, or of some
    /// stages, if a place was never died at that is not rarely passed.
    pub(super) fn conclude(&self, seed: u64, at_each: usize, is_whole: bool) {
        let owed = self.owed(if is_whole { at_each } else { at_each.min(1) });
        let all = self.all.lock().unwrap();
        let total: usize = all.tally.values().map(|(deaths, _)| deaths).sum();
        for (place, (deaths, missed)) in &all.tally {
            println!("{deaths:>6} deaths  {place}  ({missed} times it was not passed in time)");
        }
        let at_places =
            all.places.keys().map(|name| all.tally.get(name).map_or(0, |(deaths, _)| *deaths));
        println!(
            "{total} deaths, {} at each of {} places or more, {} points, {} earlier states, 0 differences, {:.0} s, seed {seed}",
            at_places.min().unwrap_or(0),
            all.places.len(),
            all.points,
            all.read_again,
            self.began.elapsed().as_secs_f64()
        );
        let owed: Vec<_> = owed.iter().map(|(place, deaths)| (&place.name, *deaths)).collect();
        if is_whole {
            assert!(owed.is_empty(), "deaths that are owed still: {owed:?}");
        } else {
            let missed = |name: &String| all.tally.get(name).map_or(0, |(_, missed)| *missed);
            let often = owed.iter().filter(|(name, _)| missed(name) >= MANY).count();
            let is_fine = often == 0 && owed.len() <= all.places.len() / 10;
            assert!(is_fine, "never died at {owed:?}");
        }
    }
}

//! `trackers/*.yaml`: registers that are read item by item, checked against the contracts, indicators
//! and units that they speak of.

use std::collections::BTreeMap;

use super::compile::{Compiler, Plans};
use super::written::Unit;
use crate::indicator::{Catalogue, UnitName};
use crate::model::nearest::nearest;
use crate::serve::{Tracker, TrackerSettings};

impl Compiler<'_> {
    /// The trackers by name; nothing is said of one whose contract or indicators are broken.
    pub(super) fn trackers(
        &mut self,
        plans: &Plans,
        catalogue: Option<&Catalogue>,
    ) -> BTreeMap<String, Tracker> {
        let mut trackers: BTreeMap<String, Tracker> = BTreeMap::new();
        let units: BTreeMap<String, UnitName> =
            self.units.iter().map(|(id, unit): (_, &Unit)| (id.clone(), unit.facts())).collect();
        for read in self.files.folder::<TrackerSettings>("trackers") {
            let name = &read.value.tracker;
            if trackers.contains_key(name) {
                let message = format!("tracker '{name}' stands in two files");
                self.files.problem(&read, "tracker", &message);
            }
            let contract = &read.value.contract;
            let Some(plan) = plans.get(contract) else {
                let near = nearest(contract, plans.keys().map(String::as_str));
                let hint = near.map_or(String::new(), |near| format!(" – did you mean '{near}'?"));
                let message = format!("there is no contract '{contract}'{hint}");
                self.files.problem(&read, "contract", &message);
                continue;
            };
            let Some(catalogue) = catalogue else { continue };
            match Tracker::compile(read.value.clone(), &plan.schema, catalogue, &units) {
                Ok(tracker) => _ = trackers.insert(name.clone(), tracker),
                Err(problems) => {
                    for (at, message) in problems {
                        self.files.problem(&read, &at, &message);
                    }
                }
            }
        }
        trackers
    }
}

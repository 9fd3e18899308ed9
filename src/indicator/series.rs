//! An indicator over many periods and places: one pass over each cube, not one for each point.

use crate::indicator::definition::Definition;
use crate::indicator::evaluate::{Place, World};
use crate::indicator::period::Grain;
use crate::indicator::points::{Question, points};
use crate::indicator::reading::{Period, Point};
use crate::indicator::sum::Slots;
use crate::model::time::Day;

/// The points of every period with a day in `first..end` at each of `places`, period by period and
/// in each period in the order of `places`.
///
/// The caller bounds how much is asked for: `grain.periods(first, end)` tells how many periods.
pub fn series(
    world: &World<'_>,
    definition: &Definition,
    grain: Grain,
    (first, end): (Day, Day),
    places: &[Place],
) -> Vec<(Period, Place, Point)> {
    let periods: Vec<Period> = grain.periods(first, end).collect();
    let whole = places.iter().all(|place| *place == Place::Province);
    let slots = if whole { Slots::whole(world.areas) } else { Slots::communes(world.areas) };
    let columns: Vec<_> = places.iter().map(|place| place.column(world.areas, &slots)).collect();
    let question = Question { world, periods: &periods, slots: &slots, columns: &columns };
    let asked = periods.iter().flat_map(|period| places.iter().map(move |place| (period, *place)));
    let found = points(question, definition);
    asked.zip(found).map(|((period, place), found)| (period.clone(), place, found.point)).collect()
}

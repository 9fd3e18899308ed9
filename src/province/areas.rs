//! The 130 communes of today, and the older codes that each of them inherited.
//!
//! Names, populations and codes come from the shipped area lists, so the simulated province is the
//! real one on the map. Until 30 June 2025 systems spoke of the 412 older communes; some never
//! stopped.

use super::draw::{Draw, mix};
use crate::model::time::{Day, days};

const COMMUNES: &str = include_str!("../../config/areas/communes_2025.csv");
const CROSSWALK: &str = include_str!("../../config/areas/crosswalk_2024_2025.csv");

/// The first day on which only the 130 codes of 2025 are valid.
pub(super) fn reform() -> Day {
    Day(days(2025, 7, 1))
}

/// One commune or ward of today.
#[derive(Debug)]
pub(super) struct Area {
    pub(super) code: u32,
    /// `Phường Thành Vinh`.
    pub(super) name: &'static str,
    pub(super) is_ward: bool,
    pub(super) population: u32,
    /// Every code of the 412 list that became part of this one.
    older: Vec<u32>,
    /// Those of them that are no code of today's.
    retired: Vec<u32>,
}

/// All communes, weighted by population.
#[derive(Debug)]
pub(super) struct Areas {
    pub(super) all: Vec<Area>,
    cumulated: Vec<u64>,
}

impl Areas {
    pub(super) fn load() -> Self {
        let mut all: Vec<Area> = COMMUNES.lines().skip(1).filter_map(area).collect();
        let current: Vec<u32> = all.iter().map(|area| area.code).collect();
        for line in CROSSWALK.lines().skip(1) {
            let columns: Vec<&str> = line.split(',').collect();
            let (Ok(old), Ok(new)) = (columns[0].parse(), columns[4].parse::<u32>()) else {
                continue;
            };
            if let Some(area) = all.iter_mut().find(|area| area.code == new) {
                area.older.push(old);
                if !current.contains(&old) {
                    area.retired.push(old);
                }
            }
        }
        let mut total = 0;
        let cumulate = |area: &Area| {
            total += u64::from(area.population);
            total
        };
        let cumulated = all.iter().map(cumulate).collect();
        Self { all, cumulated }
    }

    /// A commune by the chance that its people are the ones who ask.
    pub(super) fn pick(&self, draw: &mut Draw) -> usize {
        let total = self.cumulated.last().copied().unwrap_or(0);
        let point = draw.below(total);
        self.cumulated.partition_point(|&bound| bound <= point)
    }

    /// The code in force for the place of a thing on `day`; `thing` decides which older commune.
    pub(super) fn code_on(&self, index: usize, day: Day, thing: u64) -> u32 {
        let area = &self.all[index];
        if day >= reform() { area.code } else { one_of(&area.older, thing).unwrap_or(area.code) }
    }

    /// The code that a system sends which never followed the reform: a retired one where one is.
    pub(super) fn stale_code_on(&self, index: usize, day: Day, thing: u64) -> u32 {
        let area = &self.all[index];
        let choice = if day >= reform() { &area.retired } else { &area.older };
        one_of(choice, thing).unwrap_or(area.code)
    }
}

fn one_of(codes: &[u32], thing: u64) -> Option<u32> {
    (!codes.is_empty()).then(|| codes[(mix(thing, 0xA6EA) % codes.len() as u64) as usize])
}

fn area(line: &'static str) -> Option<Area> {
    let columns: Vec<&str> = line.split(',').collect();
    let [code, name, _, _, kind, _, population, ..] = columns[..] else { return None };
    Some(Area {
        code: code.parse().ok()?,
        name,
        is_ward: kind == "ward",
        population: population.parse().ok()?,
        older: Vec::new(),
        retired: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_province_has_130_communes_and_412_older_codes() {
        let areas = Areas::load();
        assert_eq!(areas.all.len(), 130);
        assert_eq!(areas.all.iter().filter(|area| area.is_ward).count(), 11);
        assert_eq!(areas.all.iter().map(|area| area.older.len()).sum::<usize>(), 412);
        assert_eq!(areas.cumulated.last(), Some(&3_831_694));
    }

    #[test]
    fn codes_follow_the_reform_except_where_a_system_does_not() {
        let areas = Areas::load();
        let (before, after) = (reform().plus(-1), reform());
        for index in 0..130 {
            let area = &areas.all[index];
            assert!(area.older.contains(&areas.code_on(index, before, 5)));
            assert_eq!(areas.code_on(index, after, 5), area.code);
            let stale = areas.stale_code_on(index, after, 5);
            assert!(stale == area.code || area.retired.contains(&stale));
            assert!(stale == area.code || areas.all.iter().all(|other| other.code != stale));
        }
    }

    #[test]
    fn bigger_communes_are_drawn_more_often() {
        let areas = Areas::load();
        let mut draw = Draw::new(3, 3, 3);
        let mut tally = vec![0_u32; 130];
        for _ in 0..50_000 {
            tally[areas.pick(&mut draw)] += 1;
        }
        let biggest = areas.all.iter().position(|area| area.code == 16690).unwrap();
        assert_eq!(tally.iter().max(), Some(&tally[biggest]));
    }
}

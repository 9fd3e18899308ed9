//! Territorial units through time: which area a code meant on a day, and what it is today.
//!
//! Nghe An went from 460 communes to 412 (1 December 2024) and to 130 (1 July 2025, Resolution
//! 1678/NQ-UBTVQH15). A new commune inherits the code of one of its parts, so *the same code means a
//! bigger area afterwards*: a code alone is ambiguous, a code and a day are not. Every area keeps the
//! number it was reported under; the crosswalk says which of today's communes it lies in. Every old
//! commune went wholly into one new one, so history is re-based exactly, without weights.

use hashbrown::HashMap;

use crate::model::dictionary::Dictionaries;
use crate::model::time::Day;

/// The most areas over all lists: their numbers share a cell key with day and dimensions.
pub const MAX_AREAS: usize = 4095;

/// One territorial unit of one list.
#[derive(Clone, Debug)]
pub struct Area {
    /// The five-digit code, a string: leading zeros count.
    pub code: String,
    /// The name as in the list.
    pub name: String,
    /// First day on which the code has this meaning.
    pub from: Day,
    /// First day on which it no longer has.
    pub until: Option<Day>,
    /// Today's commune that it is or lies in, by number.
    pub current: Option<u16>,
}

/// A list of communes and the days between which it is in force.
#[derive(Clone, Debug)]
pub struct AreaList<'a> {
    /// The list's name, part of the areas' dictionary words.
    pub name: &'a str,
    /// CSV with the columns `code,name`.
    pub text: &'a str,
    /// First day in force.
    pub from: Day,
    /// First day no longer in force; `None` for today's list.
    pub until: Option<Day>,
}

/// All areas of the province, by number.
#[derive(Clone, Debug, Default)]
pub struct Areas {
    areas: HashMap<u16, Area>,
    by_code: HashMap<String, Vec<u16>>,
    current: Vec<u16>,
    position: HashMap<u16, u16>,
}

/// Why a code cannot be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misplaced {
    /// No list has the code, or none had it yet on that day.
    Unknown,
    /// The code was abolished and no successor is known.
    WithoutSuccessor,
}

impl Areas {
    /// Reads the lists (oldest first, today's last) and the crosswalk (`old_code,new_code`).
    pub fn read(
        lists: &[AreaList<'_>],
        crosswalk: &str,
        words: &mut Dictionaries,
    ) -> Result<Self, String> {
        let mut areas = Self::default();
        for list in lists {
            for (code, name) in columns(list.text, ["code", "name"])? {
                let number = words
                    .entry("area")
                    .intern(&format!("{}@{}", code, list.name))
                    .ok_or("too many areas")?;
                if usize::from(number) > MAX_AREAS {
                    return Err(format!("more than {MAX_AREAS} areas"));
                }
                let current = list.until.is_none().then_some(number);
                areas.by_code.entry(code.clone()).or_default().push(number);
                areas.areas.insert(
                    number,
                    Area { code, name, from: list.from, until: list.until, current },
                );
            }
        }
        areas.number_current();
        areas.connect(crosswalk)?;
        Ok(areas)
    }

    fn number_current(&mut self) {
        self.current =
            self.areas.iter().filter(|(_, area)| area.until.is_none()).map(|(n, _)| *n).collect();
        self.current.sort_by(|a, b| self.areas[a].code.cmp(&self.areas[b].code));
        self.position =
            self.current.iter().enumerate().map(|(i, number)| (*number, i as u16)).collect();
    }

    fn connect(&mut self, crosswalk: &str) -> Result<(), String> {
        let successor = self.successors(crosswalk)?;
        for area in self.areas.values_mut().filter(|area| area.until.is_some()) {
            area.current = successor.get(&area.code).copied();
        }
        Ok(())
    }

    /// Today's commune of each old code.
    fn successors(&self, crosswalk: &str) -> Result<HashMap<String, u16>, String> {
        let today: HashMap<&str, u16> =
            self.current.iter().map(|n| (self.areas[n].code.as_str(), *n)).collect();
        let mut successor = HashMap::new();
        for (old, new) in columns(crosswalk, ["old_code", "new_code"])? {
            let number = *today
                .get(new.as_str())
                .ok_or_else(|| format!("crosswalk: '{new}' is not a commune of today"))?;
            if successor.insert(old.clone(), number).is_some() {
                return Err(format!(
                    "crosswalk: '{old}' stands twice; a split commune would need weights"
                ));
            }
        }
        Ok(successor)
    }

    /// The area that `code` meant on `day`.
    ///
    /// A code that had already been abolished on that day is taken in its last meaning (some systems
    /// go on sending old codes); one without a successor is refused.
    pub fn resolve(&self, code: &str, day: Day) -> Result<u16, Misplaced> {
        let numbers = self.by_code.get(code).ok_or(Misplaced::Unknown)?;
        let mut last = None;
        for number in numbers {
            let area = &self.areas[number];
            if area.from <= day {
                last = Some(*number);
                if area.until.is_none_or(|until| day < until) {
                    break;
                }
            }
        }
        let number = last.ok_or(Misplaced::Unknown)?;
        if self.areas[&number].current.is_none() {
            return Err(Misplaced::WithoutSuccessor);
        }
        Ok(number)
    }

    /// The area of a number.
    pub fn get(&self, number: u16) -> Option<&Area> {
        self.areas.get(&number)
    }

    /// Today's communes, by code.
    pub fn current(&self) -> &[u16] {
        &self.current
    }

    /// The place in [`Areas::current`] of the commune that an area is or lies in today.
    pub fn position(&self, number: u16) -> Option<usize> {
        let current = self.areas.get(&number)?.current?;
        self.position.get(&current).map(|position| usize::from(*position))
    }

    /// Every area that lies in today's commune `current`, itself included.
    pub fn parts(&self, current: u16) -> impl Iterator<Item = u16> {
        self.areas
            .iter()
            .filter(move |(_, area)| area.current == Some(current))
            .map(|(number, _)| *number)
    }

    /// Today's commune with this code.
    pub fn current_by_code(&self, code: &str) -> Option<u16> {
        self.by_code.get(code)?.iter().copied().find(|number| self.position.contains_key(number))
    }

    /// The highest number in use.
    pub fn highest(&self) -> u16 {
        self.areas.keys().copied().max().unwrap_or(0)
    }
}

/// Two named columns of a CSV text.
fn columns(text: &str, names: [&str; 2]) -> Result<Vec<(String, String)>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let place = |name: &str| {
        header
            .iter()
            .position(|column| column == name)
            .ok_or_else(|| format!("column '{name}' is missing"))
    };
    let (first, second) = (place(names[0])?, place(names[1])?);
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        rows.push((
            row.get(first).unwrap_or("").to_owned(),
            row.get(second).unwrap_or("").to_owned(),
        ));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn areas() -> Areas {
        let day = |text| Day::parse(text).unwrap();
        let lists = [
            AreaList {
                name: "a",
                text: "code,name\n16681,Small\n16663,Part\n16999,Gone\n",
                from: day("2000-01-01"),
                until: Some(day("2025-07-01")),
            },
            AreaList {
                name: "b",
                text: "code,name\n16681,Big\n",
                from: day("2025-07-01"),
                until: None,
            },
        ];
        Areas::read(
            &lists,
            "old_code,new_code\n16681,16681\n16663,16681\n",
            &mut Dictionaries::default(),
        )
        .unwrap()
    }

    #[test]
    fn the_same_code_means_a_bigger_area_after_the_change() {
        let areas = areas();
        let before = areas.resolve("16681", Day::parse("2025-06-30").unwrap()).unwrap();
        let after = areas.resolve("16681", Day::parse("2025-07-01").unwrap()).unwrap();
        assert_ne!(before, after);
        assert_eq!(areas.get(before).unwrap().name, "Small");
        assert_eq!(areas.position(before), areas.position(after));
    }

    #[test]
    fn an_old_code_sent_late_is_taken_in_its_last_meaning() {
        let areas = areas();
        let number = areas.resolve("16663", Day::parse("2026-01-01").unwrap()).unwrap();
        assert_eq!(areas.get(number).unwrap().name, "Part");
        assert_eq!(areas.parts(areas.current()[0]).count(), 3);
    }

    #[test]
    fn codes_without_a_place_say_why() {
        let areas = areas();
        let day = Day::parse("2024-01-01").unwrap();
        assert_eq!(areas.resolve("99999", day), Err(Misplaced::Unknown));
        assert_eq!(areas.resolve("16999", day), Err(Misplaced::WithoutSuccessor));
    }
}

//! Territorial units through time: which area a code meant on a day, and what it is today.
//!
//! Nghe An went from 460 communes to 412 (1 December 2024) and to 130 (1 July 2025, Resolution
//! 1678/NQ-UBTVQH15). A new commune inherits the code of one of its parts, so *the same code means a
//! bigger area afterwards*: a code alone is ambiguous, a code and a day are not. Every area keeps the
//! number it was reported under; the crosswalk says which of today's communes it lies in. Every old
//! commune went wholly into one new one, so history is re-based exactly, without weights. What is
//! not known is said: 48 communes vanished on 1 December 2024 without a known successor. Their
//! records of the days before count where they were reported and lie in no commune of today.

use hashbrown::HashMap;

use crate::model::dictionary::Dictionaries;
use crate::model::geometry::{Codes, Geometries};
use crate::model::time::Day;

/// The most areas over all lists: their numbers share a cell key with day and dimensions.
pub const MAX_AREAS: usize = 4095;

/// One commune of one list.
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
    /// The place of its list in [`Areas::lists`].
    pub list: usize,
    /// The place of its district in the list's districts, if the list has any.
    pub district: Option<usize>,
}

/// A list of communes and the days between which it is in force.
#[derive(Clone, Debug)]
pub struct AreaList<'a> {
    /// The list's name, part of the areas' dictionary words.
    pub name: &'a str,
    /// CSV with the columns `code,name` and, while there were districts, `district_code,district`.
    pub text: &'a str,
    /// First day in force.
    pub from: Day,
    /// First day no longer in force; `None` for today's list.
    pub until: Option<Day>,
}

/// One list of communes, read.
#[derive(Clone, Debug)]
pub struct List {
    /// Its name: an area is `code@name`.
    pub name: String,
    /// First day in force.
    pub from: Day,
    /// First day no longer in force; `None` for today's list.
    pub until: Option<Day>,
    /// Its communes, by code.
    pub communes: Vec<u16>,
    /// Its districts, by code; none since July 2025.
    pub districts: Vec<District>,
    within: HashMap<u16, u16>,
}

/// A district, a level that existed until 30 June 2025.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct District {
    /// Its three-digit code.
    pub code: String,
    /// Its name.
    pub name: String,
}

/// All areas of the province, by number.
#[derive(Clone, Debug, Default)]
pub struct Areas {
    areas: HashMap<u16, Area>,
    by_code: HashMap<String, Vec<u16>>,
    lists: Vec<List>,
    /// What maps of today's communes are drawn from.
    pub geometries: Geometries,
}

/// Why a code cannot be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misplaced {
    /// No list has the code, or none had it yet on that day.
    Unknown,
    /// The code had been abolished on that day and no successor is known.
    WithoutSuccessor,
}

impl List {
    /// Whether the list is in force on `day`.
    pub fn in_force(&self, day: Day) -> bool {
        self.from <= day && self.until.is_none_or(|until| day < until)
    }

    /// The place in [`List::communes`] of the commune that an area is or lies in by this list.
    ///
    /// `None` for an area of a later list, which may be bigger than any of these, and for one that
    /// vanished without a known successor.
    pub fn position(&self, number: u16) -> Option<usize> {
        self.within.get(&number).map(|position| usize::from(*position))
    }
}

impl Areas {
    /// Reads the lists (oldest first, today's last, one following the other without a gap) and the
    /// crosswalk (`old_code,new_code`) from older codes to today's communes.
    pub fn read(
        lists: &[AreaList<'_>],
        crosswalk: &str,
        words: &mut Dictionaries,
    ) -> Result<Self, String> {
        follow_each_other(lists)?;
        let mut areas = Self::default();
        for list in lists {
            areas.add(list, words)?;
        }
        areas.connect(crosswalk)?;
        Ok(areas)
    }

    fn add(&mut self, list: &AreaList<'_>, words: &mut Dictionaries) -> Result<(), String> {
        let place = self.lists.len();
        let rows = columns(list.text, &["code", "name"], &["district_code", "district"])?;
        let mut districts: Vec<District> = Vec::new();
        for row in rows.iter().filter(|row| !row[2].is_empty()) {
            if districts.iter().all(|known| known.code != row[2]) {
                districts.push(District { code: row[2].clone(), name: row[3].clone() });
            }
        }
        districts.sort_by(|a, b| a.code.cmp(&b.code));
        let mut communes = Vec::new();
        for [code, name, district, _] in rows {
            let number = words
                .entry("area")
                .intern(&format!("{}@{}", code, list.name))
                .ok_or("too many areas")?;
            if usize::from(number) > MAX_AREAS {
                return Err(format!("more than {MAX_AREAS} areas"));
            }
            let area = Area {
                name,
                from: list.from,
                until: list.until,
                current: None,
                list: place,
                district: districts.iter().position(|known| known.code == district),
                code: code.clone(),
            };
            if self.areas.insert(number, area).is_some() {
                return Err(format!("code '{code}' stands twice in list '{}'", list.name));
            }
            self.by_code.entry(code).or_default().push(number);
            communes.push(number);
        }
        communes.sort_by(|a, b| self.areas[a].code.cmp(&self.areas[b].code));
        self.lists.push(List {
            name: list.name.to_owned(),
            from: list.from,
            until: list.until,
            communes,
            districts,
            within: HashMap::new(),
        });
        Ok(())
    }

    /// Says for every area where it lies: in its own list, in each later one, and today.
    ///
    /// From one old list to the next a commune keeps its code or is abolished; what became of it by
    /// today, the crosswalk says.
    fn connect(&mut self, crosswalk: &str) -> Result<(), String> {
        let successor = self.successors(crosswalk)?;
        let Some(last) = self.lists.len().checked_sub(1) else { return Ok(()) };
        for (place, list) in self.lists.iter_mut().enumerate() {
            let positions: HashMap<&str, u16> = list
                .communes
                .iter()
                .enumerate()
                .map(|(at, number)| (self.areas[number].code.as_str(), at as u16))
                .collect();
            let lies = |area: &Area| match area.list {
                of if of > place => None,
                of if of < last && place == last => {
                    positions.get(successor.get(&area.code)?.as_str()).copied()
                }
                _ => positions.get(area.code.as_str()).copied(),
            };
            let within =
                self.areas.iter().filter_map(|(n, area)| Some((*n, lies(area)?))).collect();
            list.within = within;
        }
        let today = &self.lists[last];
        for (number, area) in &mut self.areas {
            area.current = today.position(*number).map(|at| today.communes[at]);
        }
        Ok(())
    }

    /// The code of today's commune for each old code.
    fn successors(&self, crosswalk: &str) -> Result<HashMap<String, String>, String> {
        let mut successor = HashMap::new();
        for [old, new] in columns(crosswalk, &["old_code", "new_code"], &[])? {
            if self.current_by_code(&new).is_none() {
                return Err(format!("crosswalk: '{new}' is not a commune of today"));
            }
            if successor.insert(old.clone(), new).is_some() {
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
    /// go on sending old codes), unless nobody knows its successor: then it is refused. On a day on
    /// which it was in force such a code is as good as any other: what happened there did happen in
    /// the province, though it lies in no commune of today.
    pub fn resolve(&self, code: &str, day: Day) -> Result<u16, Misplaced> {
        let numbers = self.by_code.get(code).ok_or(Misplaced::Unknown)?;
        let mut last = None;
        for number in numbers {
            let area = &self.areas[number];
            if area.from <= day {
                last = Some(*number);
                if area.until.is_none_or(|until| day < until) {
                    return Ok(*number);
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

    /// The lists, oldest first; the last one is today's.
    pub fn lists(&self) -> &[List] {
        &self.lists
    }

    /// The place of the list that is in force on `day`; of the oldest for a day before all of them.
    pub fn list_on(&self, day: Day) -> usize {
        self.lists.iter().rposition(|list| list.from <= day).unwrap_or(0)
    }

    /// The commune with this code in a list.
    pub fn in_list(&self, code: &str, list: usize) -> Option<u16> {
        let numbers = self.by_code.get(code)?.iter().copied();
        numbers.into_iter().find(|number| self.areas[number].list == list)
    }

    /// Today's communes, by code.
    pub fn current(&self) -> &[u16] {
        self.lists.last().map_or(&[], |list| &list.communes)
    }

    /// The codes of today's communes.
    pub fn current_codes(&self) -> Codes<'_> {
        self.current().iter().map(|number| self.areas[number].code.as_str()).collect()
    }

    /// The place in [`Areas::current`] of the commune that an area is or lies in today.
    pub fn position(&self, number: u16) -> Option<usize> {
        self.lists.last()?.position(number)
    }

    /// Whether some area lies in no commune of today.
    pub fn has_unplaced(&self) -> bool {
        self.areas.values().any(|area| area.current.is_none())
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
        self.in_list(code, self.lists.len().checked_sub(1)?)
    }

    /// The highest number in use.
    pub fn highest(&self) -> u16 {
        self.areas.keys().copied().max().unwrap_or(0)
    }
}

/// Every day belongs to one list: each ends where the next begins, and only today's does not end.
fn follow_each_other(lists: &[AreaList<'_>]) -> Result<(), String> {
    for (i, list) in lists.iter().enumerate() {
        let next = lists.get(i + 1).map(|next| next.from);
        if list.until != next {
            let name = list.name;
            return Err(match next {
                Some(next) => format!("list '{name}' must end where the next one begins, {next}"),
                None => format!("list '{name}' is the last one and must not end"),
            });
        }
    }
    Ok(())
}

/// Named columns of a CSV text, of which the `optional` ones are empty where the text has none.
pub(super) fn columns<const N: usize>(
    text: &str,
    required: &[&str],
    optional: &[&str],
) -> Result<Vec<[String; N]>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let mut places = [None; N];
    for (slot, name) in places.iter_mut().zip(required.iter().chain(optional)) {
        *slot = header.iter().position(|column| column == *name);
        if slot.is_none() && required.contains(name) {
            return Err(format!("column '{name}' is missing"));
        }
    }
    let mut rows = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        let field = |place: Option<usize>| place.and_then(|place| row.get(place)).unwrap_or("");
        rows.push(places.map(|place| field(place).to_owned()));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn list<'a>(name: &'a str, text: &'a str, from: &str, until: Option<&str>) -> AreaList<'a> {
        AreaList { name, text, from: day(from), until: until.map(day) }
    }

    fn areas() -> Areas {
        let old = "code,name,district_code,district\n16681,Small,412,City\n16663,Part,412,City\n16999,Gone,413,Town\n";
        let lists = [
            list("a", old, "2000-01-01", Some("2025-07-01")),
            list("b", "code,name\n16681,Big\n", "2025-07-01", None),
        ];
        let crosswalk = "old_code,new_code\n16681,16681\n16663,16681\n";
        Areas::read(&lists, crosswalk, &mut Dictionaries::default()).unwrap()
    }

    #[test]
    fn the_same_code_means_a_bigger_area_after_the_change() {
        let areas = areas();
        let before = areas.resolve("16681", day("2025-06-30")).unwrap();
        let after = areas.resolve("16681", day("2025-07-01")).unwrap();
        assert_ne!(before, after);
        assert_eq!(areas.get(before).unwrap().name, "Small");
        assert_eq!(areas.position(before), areas.position(after));
    }

    #[test]
    fn an_old_code_sent_late_is_taken_in_its_last_meaning() {
        let areas = areas();
        let number = areas.resolve("16663", day("2026-01-01")).unwrap();
        assert_eq!(areas.get(number).unwrap().name, "Part");
        assert_eq!(areas.parts(areas.current()[0]).count(), 3);
    }

    #[test]
    fn codes_without_a_place_say_why() {
        let areas = areas();
        assert_eq!(areas.resolve("99999", day("2024-01-01")), Err(Misplaced::Unknown));
        assert_eq!(areas.resolve("16681", day("1999-12-31")), Err(Misplaced::Unknown));
        assert_eq!(areas.resolve("16999", day("2025-07-01")), Err(Misplaced::WithoutSuccessor));
    }

    #[test]
    fn a_code_without_a_successor_is_good_while_it_is_in_force() {
        let areas = areas();
        let gone = areas.resolve("16999", day("2025-06-30")).unwrap();
        assert_eq!((areas.position(gone), areas.get(gone).unwrap().current), (None, None));
        assert_eq!(areas.lists()[0].position(gone), Some(2));
        assert!(areas.has_unplaced());
    }

    #[test]
    fn an_area_lies_in_later_lists_and_never_in_earlier_ones() {
        let areas = areas();
        let [old, new] = areas.lists() else { panic!("two lists") };
        let big = areas.current_by_code("16681").unwrap();
        let small = areas.in_list("16681", 0).unwrap();
        assert_eq!((old.position(big), new.position(small)), (None, Some(0)));
        assert_eq!((areas.list_on(day("2025-06-30")), areas.list_on(day("2025-07-01"))), (0, 1));
        assert_eq!(areas.list_on(day("1990-01-01")), 0);
    }

    #[test]
    fn districts_belong_to_the_lists_that_have_them() {
        let areas = areas();
        let names: Vec<_> = areas.lists()[0].districts.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["City", "Town"]);
        assert!(areas.lists()[1].districts.is_empty());
        let gone = areas.get(areas.in_list("16999", 0).unwrap()).unwrap();
        assert_eq!(gone.district, Some(1));
    }

    #[test]
    fn lists_with_a_gap_or_without_an_end_are_refused() {
        let text = "code,name\n1,A\n";
        let read = |lists: &[AreaList<'_>]| {
            Areas::read(lists, "old_code,new_code\n", &mut Dictionaries::default()).unwrap_err()
        };
        let gap = [
            list("a", text, "2000-01-01", Some("2024-12-01")),
            list("b", text, "2024-12-02", None),
        ];
        assert!(read(&gap).contains("'a' must end where the next one begins, 2024-12-02"));
        assert!(
            read(&[list("a", text, "2000-01-01", Some("2024-12-01"))]).contains("must not end")
        );
    }

    #[test]
    fn the_shipped_lists_hold_what_the_law_says() {
        const OLDEST: &str = include_str!("../../config/areas/communes_2024_04.csv");
        const OLDER: &str = include_str!("../../config/areas/communes_2024.csv");
        const TODAY: &str = include_str!("../../config/areas/communes_2025.csv");
        let crosswalk = include_str!("../../config/areas/crosswalk_2024_2025.csv");
        let lists = [
            list("2024-04", OLDEST, "2000-01-01", Some("2024-12-01")),
            list("2024-12", OLDER, "2024-12-01", Some("2025-07-01")),
            list("2025-07", TODAY, "2025-07-01", None),
        ];
        let areas = Areas::read(&lists, crosswalk, &mut Dictionaries::default()).unwrap();
        let sizes = areas.lists().iter().map(|list| (list.communes.len(), list.districts.len()));
        assert_eq!(sizes.collect::<Vec<_>>(), [(460, 21), (412, 20), (130, 0)]);
        let [first, second, third] = areas.lists() else { panic!("three lists") };
        let lost = |list: &List, later: &List| {
            list.communes.iter().filter(|number| later.position(**number).is_none()).count()
        };
        assert_eq!((lost(first, second), lost(first, third), lost(second, third)), (48, 48, 0));
        let parts: usize =
            areas.current().iter().map(|commune| areas.parts(*commune).count()).sum();
        assert_eq!(parts, 412 + 412 + 130, "every area with a successor lies in one commune");
    }
}

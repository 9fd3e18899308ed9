//! Code lists: what a code on the wire means, in both languages, with attributes to group by.
//!
//! A list is a CSV file with the columns `code,vi,en`, an optional `wire` (the spellings that
//! sources send, separated by `|`; the code itself when absent) and any number of attribute columns.
//! A code may be compared and grouped by its attributes: `procedure.field`, `procedure.essential`.
//!
//! Codes come and go: `valid_from` (the first day) and `valid_until` (the first day on which it is no
//! longer valid) say when, both optional. What a record means is decided by the list of its own date,
//! not of today's, so a correction of an old record is still understood. Attribute values are words of
//! ours; a second file beside the list, `<list>.<attribute>.csv`, gives them titles.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::model::dictionary::{Dictionaries, MAX_WORDS};
use crate::model::text::{Bilingual, is_name, normal};
use crate::model::time::Day;

/// The validity of a code of which nothing is said.
const ALWAYS: (Day, Day) = (Day(i32::MIN), Day(i32::MAX));

/// The columns that are not attributes.
const FIXED: [&str; 6] = ["code", "wire", "vi", "en", "valid_from", "valid_until"];

/// One code list with every code numbered.
#[derive(Clone, Debug, Default)]
pub struct CodeList {
    /// The list's name: the file's, without `.csv`.
    pub name: String,
    titles: HashMap<u16, Bilingual>,
    codes: HashMap<String, u16>,
    wire: HashMap<String, u16>,
    attributes: BTreeMap<String, Attribute>,
    order: Vec<(u16, String)>,
    /// Codes that are not valid at all times: the first day, and the first day after the last one.
    validity: HashMap<u16, (Day, Day)>,
}

/// One attribute column: for each code's number the number of its value.
#[derive(Clone, Debug, Default)]
pub struct Attribute {
    /// Value numbers by code number; 0 where a code has none.
    pub by_code: Vec<u16>,
    /// Values by number, as written.
    pub values: HashMap<String, u16>,
    /// How many numbers may be in use (1 + the highest).
    pub size: usize,
    titles: HashMap<u16, Bilingual>,
}

impl Attribute {
    /// The title of a value's number.
    pub fn title(&self, number: u16) -> Option<&Bilingual> {
        self.titles.get(&number)
    }
}

impl CodeList {
    /// Reads a list from CSV. Problems are plain sentences, with the line they stand on.
    pub fn read(
        name: &str,
        text: &str,
        words: &mut Dictionaries,
    ) -> Result<Self, Vec<(u32, String)>> {
        let mut problems = Vec::new();
        let mut list = Self { name: name.to_owned(), ..Self::default() };
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let header = match reader.headers() {
            Ok(header) => header.clone(),
            Err(error) => return Err(vec![(1, error.to_string())]),
        };
        for needed in ["code", "vi", "en"] {
            if !header.iter().any(|column| column == needed) {
                problems.push((1, format!("a code list needs a column '{needed}'")));
            }
        }
        for column in header.iter().filter(|column| !FIXED.contains(column) && !is_name(column)) {
            problems
                .push((1, format!("attribute column '{column}' is not a plain lower-case name")));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        for row in reader.records() {
            match row {
                Ok(row) => {
                    let line = row.position().map_or(0, |at| at.line() as u32);
                    if let Err(problem) = list.add(&header, &row, words) {
                        problems.push((line, problem));
                    }
                }
                Err(error) => problems
                    .push((error.position().map_or(0, |at| at.line() as u32), error.to_string())),
            }
        }
        if problems.is_empty() { Ok(list) } else { Err(problems) }
    }

    fn add(
        &mut self,
        header: &csv::StringRecord,
        row: &csv::StringRecord,
        words: &mut Dictionaries,
    ) -> Result<(), String> {
        let field = |name: &str| {
            let value = header.iter().position(|column| column == name).and_then(|i| row.get(i));
            normal(value.unwrap_or(""))
        };
        let code = &*field("code");
        if code.is_empty() {
            return Err("a code is missing".to_owned());
        }
        let number = words
            .entry(&format!("list:{}", self.name))
            .intern(code)
            .ok_or_else(|| format!("more than {MAX_WORDS} codes"))?;
        if self.codes.insert(code.to_owned(), number).is_some() {
            return Err(format!("code '{code}' stands twice"));
        }
        let wires = field("wire");
        let wires = if wires.is_empty() { code } else { &wires };
        for wire in wires.split('|').map(str::trim) {
            if self.wire.insert(wire.to_owned(), number).is_some() {
                return Err(format!("wire value '{wire}' stands for two codes"));
            }
        }
        self.titles.insert(
            number,
            Bilingual { vi: field("vi").into_owned(), en: field("en").into_owned() },
        );
        self.order.push((number, code.to_owned()));
        let day = |column: &str, otherwise: Day| match &*field(column) {
            "" => Ok(otherwise),
            text => Day::parse(text)
                .ok_or_else(|| format!("{column} '{text}' is not a day such as 2025-07-01")),
        };
        let (from, until) = (day("valid_from", ALWAYS.0)?, day("valid_until", ALWAYS.1)?);
        if from >= until {
            return Err(format!("code '{code}' is never valid: it ends before it begins"));
        }
        if (from, until) != ALWAYS {
            self.validity.insert(number, (from, until));
        }
        for (column, value) in header.iter().zip(row) {
            if !FIXED.contains(&column) {
                self.set_attribute(column, number, &normal(value), words)?;
            }
        }
        Ok(())
    }

    fn set_attribute(
        &mut self,
        column: &str,
        code: u16,
        value: &str,
        words: &mut Dictionaries,
    ) -> Result<(), String> {
        let dictionary = words.entry(&format!("list:{}.{column}", self.name));
        let number = if value.is_empty() {
            0
        } else {
            dictionary.intern(value).ok_or("too many attribute values")?
        };
        let size = dictionary.len() + 1;
        let attribute = self.attributes.entry(column.to_owned()).or_default();
        attribute.size = size;
        if number > 0 {
            attribute.values.insert(value.to_owned(), number);
        }
        if attribute.by_code.len() <= usize::from(code) {
            attribute.by_code.resize(usize::from(code) + 1, 0);
        }
        attribute.by_code[usize::from(code)] = number;
        Ok(())
    }

    /// Reads the titles of an attribute's values from CSV with the columns `code,vi,en`. A title for
    /// a value that no code has is a problem: it is a slip of the pen.
    pub fn read_titles(&mut self, attribute: &str, text: &str) -> Result<(), Vec<(u32, String)>> {
        let Some(column) = self.attributes.get_mut(attribute) else {
            return Err(vec![(1, format!("list '{}' has no column '{attribute}'", self.name))]);
        };
        let mut titles = Self::read(attribute, text, &mut Dictionaries::default())?;
        if let Some(name) = titles.attributes.keys().next() {
            return Err(vec![(1, format!("titles have no column '{name}'"))]);
        }
        let mut problems = Vec::new();
        for (line, (number, value)) in titles.order.iter().enumerate() {
            match (column.values.get(value), titles.titles.remove(number)) {
                (Some(known), Some(title)) => _ = column.titles.insert(*known, title),
                _ => problems
                    .push((line as u32 + 2, format!("no code has the {attribute} '{value}'"))),
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Whether any code is valid only for a time.
    pub fn is_dated(&self) -> bool {
        !self.validity.is_empty()
    }

    /// Whether a code's number is valid on a day.
    pub fn is_valid(&self, number: u16, day: Day) -> bool {
        self.validity.get(&number).is_none_or(|(from, until)| *from <= day && day < *until)
    }

    /// The number of a value as a source sends it, [`normal`] already.
    pub fn from_wire(&self, value: &str) -> Option<u16> {
        self.wire.get(value).copied()
    }

    /// The number of a code as the configuration writes it.
    pub fn number(&self, code: &str) -> Option<u16> {
        self.codes.get(&*normal(code)).copied()
    }

    /// The codes in the order of the file.
    pub fn codes(&self) -> impl Iterator<Item = (u16, &str)> {
        self.order.iter().map(|(number, code)| (*number, code.as_str()))
    }

    /// The title of a code's number.
    pub fn title(&self, number: u16) -> Option<&Bilingual> {
        self.titles.get(&number)
    }

    /// An attribute column by name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.get(name)
    }

    /// The names of the attribute columns.
    pub fn attribute_names(&self) -> impl Iterator<Item = &str> {
        self.attributes.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wire_value_finds_its_code_and_attributes() {
        let mut words = Dictionaries::default();
        let text = "code,wire,vi,en,essential\ncounter,1,Trực tiếp,Counter,\nonline,2|02,Trực tuyến,Online,yes\n";
        let list = CodeList::read("channel", text, &mut words).unwrap();
        assert_eq!(list.from_wire("02"), list.number("online"));
        assert_eq!(list.from_wire("3"), None);
        let essential = list.attribute("essential").unwrap();
        assert_eq!(
            essential.by_code[usize::from(list.number("online").unwrap())],
            essential.values["yes"]
        );
    }

    #[test]
    fn every_problem_is_told_with_its_line() {
        let text = "code,vi,en\na,A,A\na,A,A\n,B,B\n";
        let problems = CodeList::read("x", text, &mut Dictionaries::default()).unwrap_err();
        assert_eq!(problems.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4]);
    }

    #[test]
    fn a_code_is_valid_from_its_first_day_until_the_day_it_ends() {
        let text = "code,vi,en,valid_from,valid_until\nold,A,A,,2025-07-01\nnew,B,B,2025-07-01,\nany,C,C,,\n";
        let list = CodeList::read("x", text, &mut Dictionaries::default()).unwrap();
        let day = |text| Day::parse(text).unwrap();
        let valid = |code: &str, at| list.is_valid(list.number(code).unwrap(), day(at));
        assert!(valid("old", "2025-06-30") && !valid("old", "2025-07-01"));
        assert!(!valid("new", "2025-06-30") && valid("new", "2025-07-01"));
        assert!(valid("any", "1990-01-01") && list.is_dated());
        for (row, words) in
            [("a,A,A,1/7/2025,", "is not a day"), ("a,A,A,2025-07-01,2025-07-01", "never valid")]
        {
            let text = format!("code,vi,en,valid_from,valid_until\n{row}\n");
            let problems = CodeList::read("x", &text, &mut Dictionaries::default()).unwrap_err();
            assert!(problems[0].0 == 2 && problems[0].1.contains(words), "{problems:?}");
        }
    }

    #[test]
    fn attribute_values_have_titles_of_their_own() {
        let text = "code,vi,en,field\na,A,A,land\nb,B,B,health\n";
        let mut list = CodeList::read("x", text, &mut Dictionaries::default()).unwrap();
        list.read_titles("field", "code,vi,en\nland,Đất đai,Land\n").unwrap();
        let field = list.attribute("field").unwrap();
        assert_eq!(field.title(field.values["land"]).unwrap().vi, "Đất đai");
        assert_eq!(field.title(field.values["health"]), None);
        let wrong = list.read_titles("field", "code,vi,en\nland,A,A\nlnad,A,A\n").unwrap_err();
        assert_eq!(wrong, [(3, "no code has the field 'lnad'".to_owned())]);
        assert!(list.read_titles("fields", "code,vi,en\n").unwrap_err()[0].1.contains("no column"));
        assert!(list.read_titles("field", "code,vi,en,x\nland,A,A,1\n").is_err());
    }

    #[test]
    fn numbers_stay_when_the_file_is_reordered() {
        let mut words = Dictionaries::default();
        let first = CodeList::read("x", "code,vi,en\na,A,A\nb,B,B\n", &mut words).unwrap();
        let second = CodeList::read("x", "code,vi,en\nc,C,C\nb,B,B\na,A,A\n", &mut words).unwrap();
        assert_eq!(first.number("a"), second.number("a"));
        assert_eq!(second.number("c"), Some(3));
    }
}

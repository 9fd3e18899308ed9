//! Code lists: what a code on the wire means, in both languages, with attributes to group by.
//!
//! A list is a CSV file with the columns `code,vi,en`, an optional `wire` (the spellings that
//! sources send, separated by `|`; the code itself when absent) and any number of attribute columns.
//! A code may be compared and grouped by its attributes: `procedure.field`, `procedure.essential`.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::model::dictionary::{Dictionaries, MAX_WORDS};
use crate::model::text::{Bilingual, is_name, normal};

/// The columns that are not attributes.
const FIXED: [&str; 4] = ["code", "wire", "vi", "en"];

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
    fn numbers_stay_when_the_file_is_reordered() {
        let mut words = Dictionaries::default();
        let first = CodeList::read("x", "code,vi,en\na,A,A\nb,B,B\n", &mut words).unwrap();
        let second = CodeList::read("x", "code,vi,en\nc,C,C\nb,B,B\na,A,A\n", &mut words).unwrap();
        assert_eq!(first.number("a"), second.number("a"));
        assert_eq!(second.number("c"), Some(3));
    }
}

//! XLSX workbooks: one sheet as a table whose header row names the columns.
//!
//! A workbook is an archive of XML parts. What is read of it: which part the sheet is, the header row,
//! the cells of wanted columns, and of the table of shared texts those that such a cell names; no other
//! text leaves the parser. Cells have addresses, so a row may leave some out without shifting others.
//!
//! A number is the text that stands in the file. Excel writes what its floats come to with 17 digits
//! (1.1 as 1.1000000000000001), so such a number is taken as the shortest one that means the same float,
//! which is what the sheet shows; whole numbers are left alone whatever their length. Dates are numbers
//! too: a stream that maps one says `format: excel_serial`, nothing is guessed from styles. A cell with
//! an error (`#N/A`) fits no property. A row without any value is none.

mod archive;

use std::borrow::Cow;
use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use self::archive::Archive;
use super::csv::place_of;
use super::xml::resolve;
use super::{DecodeError, Decoded, MAX_DEPTH, MAX_FIELDS, MAX_RECORDS, MAX_VALUE};
use crate::model::record::Value;
use crate::model::text::normal;

/// The wanted columns of a stream.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    /// The sheet's name; the first one if there is none.
    name: Option<String>,
    /// The row that names the columns, from 1.
    header_row: u32,
    names: Vec<Box<str>>,
}

/// What stands in a cell before shared texts are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cell {
    Text(String),
    Shared(usize),
    Error,
}

/// A row's cells by column from 0, those that hold something.
type Row = Vec<(usize, Cell)>;

impl Sheet {
    /// `map` holds column names.
    pub(super) fn new(
        name: Option<&str>,
        header_row: u32,
        map: &[String],
    ) -> Result<Self, (&'static str, String)> {
        if map.iter().any(|name| name.trim().is_empty()) {
            return Err(("map", "a column has a name".to_owned()));
        }
        if !(1..=1000).contains(&header_row) {
            return Err(("format.header_row", "must be 1 to 1000".to_owned()));
        }
        let names = map.iter().map(|name| normal(name).into()).collect();
        Ok(Self { name: name.map(|name| normal(name).into_owned()), header_row, names })
    }
}

/// Decodes a workbook.
pub(super) fn decode<'a>(page: &'a [u8], sheet: &Sheet) -> Result<Decoded<'a>, DecodeError> {
    let mut archive = Archive::open(page)?;
    let part = find(&mut archive, sheet.name.as_deref())?;
    let text = archive.part(&part)?.ok_or_else(|| shape("the sheet's part is missing"))?;
    let texts = archive.part("xl/sharedStrings.xml")?.unwrap_or_default();
    let header = header(&text, &texts, sheet.header_row)?;
    let mut places = Vec::new();
    for name in &sheet.names {
        places.push(place_of(name, &header)?);
    }
    let mut rows = Vec::new();
    let mut wanted = BTreeMap::new();
    each_row(&text, &mut |number, row| {
        if number <= sheet.header_row || row.is_empty() {
            return Ok(true);
        }
        if rows.len() == MAX_RECORDS {
            return Err(DecodeError::too_many());
        }
        let row: Row = row.into_iter().filter(|(column, _)| places.contains(column)).collect();
        for (_, cell) in &row {
            if let Cell::Shared(index) = cell {
                wanted.insert(*index, String::new());
            }
        }
        rows.push(row);
        Ok(true)
    })?;
    shared(&texts, &mut wanted)?;
    Ok(records(&rows, &places, &wanted))
}

/// The rows as records; a text that the table does not have fits no property.
fn records<'a>(rows: &[Row], places: &[usize], texts: &BTreeMap<usize, String>) -> Decoded<'a> {
    let mut decoded = Decoded::default();
    let records = &mut decoded.records;
    records.picks = places.len();
    records.count = rows.len();
    for row in rows {
        for place in places {
            let mut cells = row.iter().filter(|(column, _)| column == place);
            let text = |text: &String| {
                if text.is_empty() { Value::Null } else { Value::Text(Cow::Owned(text.clone())) }
            };
            let value = match (cells.next(), cells.next()) {
                (None, _) => Value::Null,
                (Some(_), Some(_)) | (Some((_, Cell::Error)), None) => Value::Unfit,
                (Some((_, Cell::Text(plain))), None) => text(plain),
                (Some((_, Cell::Shared(index))), None) => {
                    texts.get(index).map_or(Value::Unfit, text)
                }
            };
            records.values.push(value);
        }
    }
    decoded
}

fn shape(what: &str) -> DecodeError {
    DecodeError::Shape(what.to_owned())
}

/// The name of the part that the sheet is.
fn find(archive: &mut Archive<'_>, name: Option<&str>) -> Result<String, DecodeError> {
    let missing = || shape("it is an archive, but no workbook");
    let book = archive.part("xl/workbook.xml")?.ok_or_else(missing)?;
    let links = archive.part("xl/_rels/workbook.xml.rels")?.ok_or_else(missing)?;
    let (mut id, mut is_1904) = (None, false);
    each_start(&book, &mut |start| {
        match start.local_name().as_ref() {
            "workbookPr" => {
                is_1904 = attribute(start, "date1904")?.is_some_and(|on| on == "1" || on == "true");
            }
            "sheet" if id.is_none() => {
                let this = attribute(start, "name")?.unwrap_or_default();
                if name.is_none_or(|name| normal(&this) == name) {
                    id = attribute(start, "id")?;
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    if is_1904 {
        return Err(shape("its dates count from 1904; save it with the usual date system"));
    }
    let id = id.ok_or_else(|| match name {
        Some(name) => DecodeError::Shape(format!("it has no sheet '{name}'")),
        None => shape("it has no sheet"),
    })?;
    let mut target = None;
    each_start(&links, &mut |start| {
        if start.local_name().as_ref() == "Relationship"
            && attribute(start, "Id")?.as_deref() == Some(id.as_str())
        {
            target = attribute(start, "Target")?;
        }
        Ok(())
    })?;
    let target = target.ok_or_else(|| shape("the sheet's part is not named"))?;
    Ok(target.strip_prefix('/').map_or_else(|| format!("xl/{target}"), str::to_owned))
}

/// The names of the columns, by position.
fn header(text: &str, texts: &str, row: u32) -> Result<Vec<String>, DecodeError> {
    let mut cells = Row::new();
    each_row(text, &mut |number, found| {
        if number == row {
            cells = found;
        }
        Ok(number < row)
    })?;
    let mut wanted: BTreeMap<usize, String> = cells
        .iter()
        .filter_map(|(_, cell)| match cell {
            Cell::Shared(index) => Some((*index, String::new())),
            Cell::Text(_) | Cell::Error => None,
        })
        .collect();
    shared(texts, &mut wanted)?;
    let width = cells.iter().map(|(column, _)| column + 1).max().unwrap_or(0);
    let mut names = vec![String::new(); width];
    for (column, cell) in cells {
        names[column] = match cell {
            Cell::Text(text) => normal(&text).into_owned(),
            Cell::Shared(index) => {
                wanted.get(&index).map_or_else(String::new, |text| normal(text).into_owned())
            }
            Cell::Error => String::new(),
        };
    }
    Ok(names)
}

/// Reads a part event by event; the library's messages may quote it, so only their kind is kept.
fn each_event(
    text: &str,
    take: &mut dyn FnMut(Event<'_>) -> Result<bool, DecodeError>,
) -> Result<(), DecodeError> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().enable_all_checks(true);
    let mut depth = 0;
    loop {
        let event = reader.read_event().map_err(|_| shape("a part of it is not sound XML"))?;
        match &event {
            Event::Eof if depth == 0 => return Ok(()),
            Event::Eof => return Err(shape("a part of it ends too early")),
            Event::DocType(_) => return Err(shape("a part of it declares a document type")),
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(DecodeError::Limit(format!("elements nested deeper than {MAX_DEPTH}")));
        }
        if !take(event)? {
            return Ok(());
        }
    }
}

fn each_start(
    text: &str,
    take: &mut dyn FnMut(&BytesStart<'_>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    each_event(text, &mut |event| {
        if let Event::Start(start) | Event::Empty(start) = &event {
            take(start)?;
        }
        Ok(true)
    })
}

/// An attribute by its name without a prefix.
fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, DecodeError> {
    for attribute in start.attributes().take(MAX_FIELDS) {
        let attribute = attribute.map_err(|_| shape("a part of it is not sound XML"))?;
        if attribute.key.local_name().as_ref() == name {
            let raw: &str = &attribute.value;
            let text = quick_xml::escape::unescape(raw);
            let text = text.map_err(|_| shape("a part of it is not sound XML"))?;
            return Ok(Some(text.into_owned()));
        }
    }
    Ok(None)
}

/// Adds the text of an event to a value that is being put together.
fn add(event: &Event<'_>, to: &mut String) -> Result<(), DecodeError> {
    match event {
        Event::Text(text) => to.push_str(&text.xml10_content()),
        Event::CData(text) => to.push_str(&text.xml10_content()),
        Event::GeneralRef(reference) => {
            to.push(resolve(reference).map_err(|_| shape("a part of it is not sound XML"))?);
        }
        _ => {}
    }
    if to.len() > MAX_VALUE {
        return Err(DecodeError::too_long());
    }
    Ok(())
}

/// Fills in the wanted texts of the shared table, and takes nothing else of it.
fn shared(texts: &str, wanted: &mut BTreeMap<usize, String>) -> Result<(), DecodeError> {
    if wanted.is_empty() || texts.is_empty() {
        wanted.clear();
        return Ok(());
    }
    let (mut index, mut is_text, mut is_reading_aid) = (0, false, false);
    let mut count = 0;
    each_event(texts, &mut |event| {
        match &event {
            Event::Empty(start) if start.local_name().as_ref() == "si" => count += 1,
            Event::Start(start) => match start.local_name().as_ref() {
                "si" => {
                    index = count;
                    count += 1;
                }
                "rPh" => is_reading_aid = true,
                "t" => is_text = !is_reading_aid,
                _ => {}
            },
            Event::End(end) => match end.local_name().as_ref() {
                "rPh" => is_reading_aid = false,
                "t" => is_text = false,
                _ => {}
            },
            event if is_text => {
                if let Some(text) = wanted.get_mut(&index) {
                    add(event, text)?;
                }
            }
            _ => {}
        }
        Ok(true)
    })?;
    // A number beyond the table names no text.
    wanted.retain(|index, _| *index < count);
    Ok(())
}

/// A cell that is being read.
#[derive(Default)]
struct Open {
    column: usize,
    kind: String,
    value: String,
    /// Whether what is read now belongs to the value.
    is_value: bool,
}

/// Hands over row after row with its number; `take` says whether to go on.
fn each_row(
    text: &str,
    take: &mut dyn FnMut(u32, Row) -> Result<bool, DecodeError>,
) -> Result<(), DecodeError> {
    let (mut number, mut next, mut row) = (0_u32, 0_usize, Row::new());
    let mut cell: Option<Open> = None;
    each_event(text, &mut |event| {
        match &event {
            Event::Start(start) | Event::Empty(start) if start.local_name().as_ref() == "row" => {
                let given = attribute(start, "r")?.and_then(|r| r.parse().ok());
                let given = given.unwrap_or_else(|| number.saturating_add(1));
                if given <= number {
                    return Err(shape("its rows are not in order"));
                }
                (number, next) = (given, 0);
            }
            Event::Start(start) if start.local_name().as_ref() == "c" => {
                let place = attribute(start, "r")?;
                let column = place.map_or(Some(next), |place| column(&place));
                let column = column.ok_or_else(|| shape("a cell has no address"))?;
                if column >= MAX_FIELDS {
                    let message = format!("a cell beyond column {MAX_FIELDS}");
                    return Err(DecodeError::Limit(message));
                }
                next = column + 1;
                let kind = attribute(start, "t")?.unwrap_or_default();
                cell = Some(Open { column, kind, ..Open::default() });
            }
            // Formatted, and empty.
            Event::Empty(start) if start.local_name().as_ref() == "c" => next += 1,
            Event::Start(start) => {
                let name = start.local_name();
                if let Some(cell) = &mut cell {
                    cell.is_value = matches!(name.as_ref(), "v" | "t");
                }
            }
            Event::End(end) => match end.local_name().as_ref() {
                "row" => return take(number, std::mem::take(&mut row)),
                "c" => {
                    if let Some(open) = cell.take()
                        && let Some(value) = value(&open)
                    {
                        row.push((open.column, value));
                    }
                }
                _ => {
                    if let Some(cell) = &mut cell {
                        cell.is_value = false;
                    }
                }
            },
            event => {
                if let Some(cell) = cell.as_mut().filter(|cell| cell.is_value) {
                    add(event, &mut cell.value)?;
                }
            }
        }
        Ok(true)
    })
}

/// The column of an address like `AB12`, from 0.
fn column(address: &str) -> Option<usize> {
    let letters = address.bytes().take_while(u8::is_ascii_uppercase);
    let number = letters.take(4).fold(0, |sum, byte| sum * 26 + usize::from(byte - b'A') + 1);
    number.checked_sub(1)
}

/// What a cell holds; nothing if it is empty.
fn value(cell: &Open) -> Option<Cell> {
    let text = || Some(Cell::Text(cell.value.clone())).filter(|_| !cell.value.is_empty());
    match cell.kind.as_str() {
        "s" => Some(cell.value.trim().parse().map_or(Cell::Error, Cell::Shared)),
        "b" => match cell.value.trim() {
            "1" => Some(Cell::Text("true".to_owned())),
            "0" => Some(Cell::Text("false".to_owned())),
            _ => Some(Cell::Error),
        },
        "str" | "inlineStr" | "d" => text(),
        "" | "n" if cell.value.trim().is_empty() => None,
        "" | "n" => Some(number(cell.value.trim()).map_or(Cell::Error, Cell::Text)),
        // An error (`e`), or what no spreadsheet writes.
        _ => Some(Cell::Error),
    }
}

/// A number as the sheet shows it: whole ones to the digit, others as the shortest that means the
/// same float.
fn number(text: &str) -> Option<String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.to_owned());
    }
    let significant = digits.bytes().filter(u8::is_ascii_digit).count();
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_plain && significant > 18 && digits.matches('.').count() == 1 {
        // No float was ever written like this.
        return Some(text.to_owned());
    }
    let is_decimal = digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    let value = text.parse::<f64>().ok().filter(|value| is_decimal && value.is_finite())?;
    let shortest = format!("{value}");
    (shortest.len() <= 64).then_some(shortest)
}

#[cfg(test)]
mod tests;

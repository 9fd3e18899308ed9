//! A page taken apart into rows of cells, whatever its format; read for types only.

use std::collections::BTreeMap;

use quick_xml::events::Event;
use serde_json::Value;

/// The most records that are looked at.
const MOST_ROWS: usize = 2_000;

/// The most fields of a record that are looked at.
const MOST_FIELDS: usize = 300;

/// How deep objects inside a record are followed.
const DEEPEST: usize = 4;

/// A format that is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Kind {
    /// One document.
    Json,
    /// One object a line.
    Ndjson,
    /// A table.
    Csv,
    /// Elements.
    Xml,
    /// Samples of metrics.
    Prometheus,
}

/// What stands in one field of one record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    Text(String),
    Number(String),
    Boolean,
    Array,
    /// An object whose keys are no names of fields.
    Keyed,
}

/// A record: its cells by where they stand.
pub(super) type Row = BTreeMap<String, Cell>;

/// A page as rows.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) kind: Kind,
    /// The stream's `format`, as YAML.
    pub(super) format: String,
    /// Where the records stand, if they stand somewhere.
    pub(super) records: Option<String>,
    /// Other places at which records could stand.
    pub(super) others: Vec<String>,
    /// Where single values stand beside the records.
    pub(super) around: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// Fields in the order in which they were first seen.
    pub(super) order: Vec<String>,
}

impl Sample {
    /// Takes a page apart.
    pub(super) fn read(
        page: &[u8],
        kind: Option<Kind>,
        records: Option<&str>,
    ) -> Result<Self, String> {
        let text = decoded(page);
        let sample = match kind.unwrap_or_else(|| recognised(&text)) {
            Kind::Json => json(&text, records),
            Kind::Ndjson => ndjson(&text),
            Kind::Csv => csv(&text, page),
            Kind::Xml => xml(&text, records),
            Kind::Prometheus => Ok(prometheus(&text)),
        }?;
        if sample.rows.is_empty() {
            return Err(format!("it has no records{}", at(sample.records.as_deref())));
        }
        Ok(sample)
    }

    fn new(kind: Kind, format: impl Into<String>) -> Self {
        let format = format.into();
        Self {
            kind,
            format,
            records: None,
            others: Vec::new(),
            around: Vec::new(),
            rows: Vec::new(),
            order: Vec::new(),
        }
    }

    fn push(&mut self, row: Vec<(String, Cell)>) {
        if self.rows.len() == MOST_ROWS {
            return;
        }
        let mut cells = Row::new();
        for (at, cell) in row {
            if !self.order.contains(&at) && self.order.len() < MOST_FIELDS {
                self.order.push(at.clone());
            }
            cells.entry(at).or_insert(cell);
        }
        self.rows.push(cells);
    }
}

fn at(records: Option<&str>) -> String {
    records.map_or(String::new(), |records| format!(" at '{records}'"))
}

/// The page as text: UTF-8, UTF-16 by its mark, or the Vietnamese code page.
fn decoded(page: &[u8]) -> String {
    if let Some((encoding, mark)) = encoding_rs::Encoding::for_bom(page) {
        return encoding.decode_without_bom_handling(&page[mark..]).0.into_owned();
    }
    match std::str::from_utf8(page) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::WINDOWS_1258.decode(page).0.into_owned(),
    }
}

fn encoding(page: &[u8]) -> &'static str {
    match encoding_rs::Encoding::for_bom(page) {
        Some((encoding, _)) if encoding != encoding_rs::UTF_8 => "utf-16",
        _ if std::str::from_utf8(page).is_ok() => "utf-8",
        _ => "windows-1258",
    }
}

fn recognised(text: &str) -> Kind {
    let begins = text.trim_start();
    if begins.starts_with('<') {
        return Kind::Xml;
    }
    if begins.starts_with(['{', '[']) {
        let lines = || text.lines().filter(|line| !line.trim().is_empty());
        let is_lines = lines().count() > 1
            && lines()
                .take(2)
                .all(|line| serde_json::from_str::<Value>(line).is_ok_and(|v| v.is_object()));
        return if is_lines { Kind::Ndjson } else { Kind::Json };
    }
    let is_comment = |line: &str| line.starts_with("# HELP") || line.starts_with("# TYPE");
    if text.lines().take(20).any(is_comment) { Kind::Prometheus } else { Kind::Csv }
}

fn json(text: &str, records: Option<&str>) -> Result<Sample, String> {
    let page: Value = serde_json::from_str(text).map_err(|error| {
        format!("it is not JSON (line {}, column {})", error.line(), error.column())
    })?;
    let mut sample = Sample::new(Kind::Json, "");
    let mut places = Vec::new();
    lists(&page, String::new(), DEEPEST, &mut places);
    places.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    let found = records.map(str::to_owned).or_else(|| places.first().map(|(at, _)| at.clone()));
    sample.others =
        places.into_iter().map(|(at, _)| at).filter(|at| Some(at) != found.as_ref()).collect();
    let rows: Vec<&Value> = match &found {
        None if page.is_object() => vec![&page],
        None => Vec::new(),
        Some(at) => {
            let found = page.pointer(at).and_then(Value::as_array);
            let found = found.ok_or_else(|| format!("there is no array at '{at}'"))?;
            found.iter().collect()
        }
    };
    if found.is_some() {
        let mut around = Vec::new();
        flatten(&page, "", DEEPEST, &mut around);
        let single = |(at, cell)| (!matches!(cell, Cell::Array | Cell::Keyed)).then_some(at);
        sample.around = around.into_iter().filter_map(single).collect();
    }
    sample.records = found;
    for row in rows {
        let mut cells = Vec::new();
        flatten(row, "", DEEPEST, &mut cells);
        sample.push(cells);
    }
    Ok(sample)
}

/// Where arrays of objects stand, and how many objects they hold.
fn lists(value: &Value, at: String, depth: usize, found: &mut Vec<(String, usize)>) {
    match value {
        Value::Array(items) if items.first().is_some_and(Value::is_object) => {
            found.push((at, items.len()));
        }
        Value::Object(fields) if depth > 0 && fields.keys().all(|name| is_name(name)) => {
            for (name, value) in fields {
                lists(value, format!("{at}/{}", escaped(name)), depth - 1, found);
            }
        }
        _ => {}
    }
}

/// Whether a key looks like the name of a field. Keys may be data too (an object by number of
/// dossier), and then they are nothing that may be shown.
fn is_name(key: &str) -> bool {
    let begins = key.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '@' | '$'));
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    begins && key.len() <= 64 && digits < 4 && !key.contains(['@', ':'])
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn flatten(value: &Value, at: &str, depth: usize, cells: &mut Vec<(String, Cell)>) {
    let cell = match value {
        Value::Object(fields) if depth > 0 && fields.keys().all(|name| is_name(name)) => {
            for (name, value) in fields {
                flatten(value, &format!("{at}/{}", escaped(name)), depth - 1, cells);
            }
            return;
        }
        Value::Object(_) => Cell::Keyed,
        Value::Null => Cell::Null,
        Value::Bool(_) => Cell::Boolean,
        Value::Number(number) => Cell::Number(number.to_string()),
        Value::String(text) => Cell::Text(text.clone()),
        Value::Array(_) => Cell::Array,
    };
    cells.push((at.to_owned(), cell));
}

fn ndjson(text: &str) -> Result<Sample, String> {
    let mut sample = Sample::new(Kind::Ndjson, "{kind: ndjson}");
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let row: Value =
            serde_json::from_str(line).map_err(|_| format!("line {} is not JSON", number + 1))?;
        let mut cells = Vec::new();
        flatten(&row, "", DEEPEST, &mut cells);
        sample.push(cells);
    }
    Ok(sample)
}

fn csv(text: &str, page: &[u8]) -> Result<Sample, String> {
    let header = text.lines().next().unwrap_or_default();
    let count = |mark: char| header.matches(mark).count();
    let delimiter =
        [',', ';', '|', '\t'].into_iter().max_by_key(|mark| (count(*mark), *mark == ','));
    let delimiter =
        delimiter.filter(|mark| count(*mark) > 0).ok_or("its first line has no columns")?;
    let shown = if delimiter == '\t' { "\\t".to_owned() } else { delimiter.to_string() };
    let mut builder = csv::ReaderBuilder::new();
    builder.delimiter(delimiter as u8).flexible(true);
    let mut first = builder.from_reader(text.as_bytes());
    let names = first.headers().map_err(|_| "its first line cannot be read")?.clone();
    // A first row of data must not be taken for names, and shown.
    let has_header = names.iter().all(is_name);
    let names: Vec<String> = if has_header {
        names.iter().map(str::to_owned).collect()
    } else {
        (1..=names.len()).map(|number| number.to_string()).collect()
    };
    let mut sample = Sample::new(
        Kind::Csv,
        format!(
            "{{kind: csv, delimiter: \"{shown}\", header: {has_header}, encoding: {}}}",
            encoding(page)
        ),
    );
    let mut reader = builder.has_headers(has_header).from_reader(text.as_bytes());
    for row in reader.records().take(MOST_ROWS) {
        let row = row.map_err(|_| "a row cannot be read")?;
        let cells = names.iter().zip(row.iter()).map(|(name, cell)| (name.clone(), untyped(cell)));
        sample.push(cells.collect());
    }
    Ok(sample)
}

/// A cell of a format that knows no types.
fn untyped(text: &str) -> Cell {
    if text.is_empty() { Cell::Null } else { Cell::Text(text.to_owned()) }
}

/// Elements with text and attributes, by their path from the page's beginning.
fn xml(text: &str, records: Option<&str>) -> Result<Sample, String> {
    let at = match records {
        Some(records) => records.to_owned(),
        None => repeated(text)?
            .ok_or("no element in it is repeated; name the records with --records")?,
    };
    let mut sample = Sample::new(Kind::Xml, "{kind: xml}");
    sample.records = Some(at.clone());
    let mut row: Option<Vec<(String, Cell)>> = None;
    walk(text, |event, path| {
        let inside =
            path.strip_prefix(at.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        match (event, inside) {
            (Piece::Begin(attributes), Some(inside)) => {
                let cells = row.get_or_insert_default();
                for (name, value) in attributes {
                    cells.push((format!("{inside}/@{name}"), untyped(&value)));
                }
            }
            (Piece::Text(value), Some(inside)) => {
                let own = if inside.is_empty() { "/" } else { inside };
                row.get_or_insert_default().push((own.to_owned(), untyped(&value)));
            }
            (Piece::End, Some("")) => sample.push(row.take().unwrap_or_default()),
            _ => {}
        }
    })?;
    Ok(sample)
}

/// What happens at an element.
enum Piece {
    Begin(Vec<(String, String)>),
    Text(String),
    End,
}

fn walk(text: &str, mut visit: impl FnMut(Piece, &str)) -> Result<(), String> {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut path = String::new();
    loop {
        let event = reader.read_event().map_err(|_| "it is not XML".to_owned())?;
        match event {
            Event::Start(ref element) | Event::Empty(ref element) => {
                path.push('/');
                path.push_str(element.local_name().as_ref());
                let attributes = element.attributes().filter_map(Result::ok).map(|attribute| {
                    let value = attribute.value.clone().into_owned();
                    (attribute.key.local_name().as_ref().to_owned(), value)
                });
                visit(Piece::Begin(attributes.collect()), &path);
                if matches!(event, Event::Empty(_)) {
                    visit(Piece::End, &path);
                    path.truncate(path.rfind('/').unwrap_or(0));
                }
            }
            Event::Text(piece) => {
                let piece: &str = &piece;
                if !piece.trim().is_empty() {
                    visit(Piece::Text(piece.trim().to_owned()), &path);
                }
            }
            Event::End(_) => {
                visit(Piece::End, &path);
                path.truncate(path.rfind('/').unwrap_or(0));
            }
            Event::DocType(_) => {
                return Err("it has a document type, which is never read".to_owned());
            }
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// The shallowest element that comes more than once.
fn repeated(text: &str) -> Result<Option<String>, String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    walk(text, |piece, path| {
        if matches!(piece, Piece::Begin(_)) {
            *counts.entry(path.to_owned()).or_default() += 1;
        }
    })?;
    let depth = |path: &String| path.matches('/').count();
    let repeated = counts.into_iter().filter(|(path, count)| *count > 1 && depth(path) > 1);
    Ok(repeated
        .min_by_key(|(path, count)| (depth(path), std::cmp::Reverse(*count)))
        .map(|(path, _)| path))
}

/// One record whose fields are the page's series.
fn prometheus(text: &str) -> Sample {
    let mut sample = Sample::new(Kind::Prometheus, "{kind: prometheus}");
    let mut cells = Vec::new();
    for line in
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let end = line.rfind('}').map_or_else(|| line.find(' ').unwrap_or(line.len()), |at| at + 1);
        let (series, rest) = line.split_at(end);
        if let Some(value) = rest.split_whitespace().next() {
            cells.push((series.to_owned(), Cell::Number(value.to_owned())));
        }
    }
    if !cells.is_empty() {
        sample.push(cells);
    }
    sample
}

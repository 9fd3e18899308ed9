//! How the smaller systems word a record: in JSON, in XML, as a row of CSV or as a line of NDJSON,
//! each under its own names and in its own writing of numbers, days and codes.
//!
//! A system declares its columns in a table; what is drawn is worded by it. Values are ours and need
//! no escaping; a test parses what comes out.

use serde_json::{Map, Value, json};

use super::record::Cell;
use super::write::{Moment, moment};

/// What stands where a plain value belongs in a record that breaks its contract.
const WRONG: &str = "CANARY-WRONG-TYPE";

/// The format of a system's pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// An array of objects inside an envelope; `{next}` and `{pages}` in it are filled in.
    Json { open: &'static str, close: &'static str },
    /// One object a line and nothing around them.
    Ndjson,
    /// Elements of this name inside an envelope.
    Xml { element: &'static str, open: &'static str, close: &'static str },
    /// Rows under a header, semicolons between fields, in the Vietnamese code page of Windows.
    Csv,
}

/// How one value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// As it is.
    Plain,
    /// A code in capitals.
    Upper,
    /// A number as a text.
    Digits,
    /// A day or a moment in this way.
    At(Moment),
    /// Two words instead of yes and no.
    Either(&'static str, &'static str),
    /// The system's own words for codes.
    Words(&'static [(&'static str, &'static str)]),
    /// Words parted by commas, as an array of JSON.
    List,
    /// What would be personal data in reality.
    Canary(&'static str),
}

/// One column: its name or path on the wire, the property that it tells, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column(pub(super) &'static str, pub(super) &'static str, pub(super) Shape);

/// A record to be worded.
pub(super) struct Saying<'a> {
    pub(super) columns: &'static [Column],
    pub(super) cells: &'a [(&'static str, Cell)],
    /// The property that holds something of a wrong type.
    pub(super) wrong: Option<&'static str>,
}

impl Wire {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json { .. } => "application/json; charset=utf-8",
            Self::Ndjson => "application/x-ndjson",
            Self::Xml { .. } => "application/xml; charset=utf-8",
            Self::Csv => "text/csv; charset=windows-1258",
        }
    }

    /// What stands between two records.
    pub(super) fn separator(self) -> &'static [u8] {
        if matches!(self, Self::Json { .. }) { b"," } else { b"" }
    }

    /// Words one record.
    pub(super) fn word(self, saying: &Saying<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Json { .. } => out.extend_from_slice(saying.object().to_string().as_bytes()),
            Self::Ndjson => {
                out.extend_from_slice(saying.object().to_string().as_bytes());
                out.push(b'\n');
            }
            Self::Xml { element, .. } => saying.element(element, out),
            Self::Csv => {
                let fields: Vec<String> =
                    saying.columns.iter().map(|column| saying.text(*column)).collect();
                row(&fields, out);
            }
        }
    }

    /// The page around its records; `next` is a token or an address, empty after the last page.
    pub(super) fn page(
        self,
        columns: &[Column],
        records: &[u8],
        next: &str,
        pages: usize,
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(records.len() + 256);
        let filled = |text: &str, next: &str| {
            text.replace("{next}", next).replace("{pages}", &pages.to_string()).into_bytes()
        };
        match self {
            Self::Json { open, close } => {
                let next = if next.is_empty() { "null".into() } else { format!("\"{next}\"") };
                out.extend(filled(open, &next));
                out.extend_from_slice(records);
                out.extend(filled(close, &next));
            }
            Self::Xml { open, close, .. } => {
                let next = next.replace('&', "&amp;");
                out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
                out.extend(filled(open, &next));
                out.extend_from_slice(records);
                out.extend(filled(close, &next));
            }
            Self::Csv => {
                let names: Vec<String> = columns.iter().map(|column| column.0.to_owned()).collect();
                row(&names, &mut out);
                out.extend_from_slice(records);
            }
            Self::Ndjson => out.extend_from_slice(records),
        }
        out
    }
}

impl Saying<'_> {
    fn cell(&self, of: &str) -> &Cell {
        let found = self.cells.iter().find(|(name, _)| *name == of);
        found.map_or(&Cell::Nothing, |(_, cell)| cell)
    }

    /// A value as text; empty where there is none.
    fn text(&self, Column(_, of, shape): Column) -> String {
        if self.wrong == Some(of) {
            return WRONG.to_owned();
        }
        match (shape, self.cell(of)) {
            (Shape::Upper, Cell::Text(text)) => text.to_uppercase(),
            (Shape::Canary(tag), _) => format!("CANARY-{tag}"),
            (_, Cell::Nothing) => String::new(),
            (Shape::Words(words), Cell::Text(text)) => {
                let word = words.iter().find(|(code, _)| code == text);
                word.map_or(text.as_str(), |(_, word)| word).to_owned()
            }
            (Shape::Either(yes, no), Cell::Truth(truth)) => (if *truth { yes } else { no }).into(),
            (Shape::At(shape), Cell::Day(day)) => written(day.start().0, shape),
            (Shape::At(shape), Cell::Moment(at)) => written(at.0, shape),
            (_, Cell::Text(text)) => text.clone(),
            (_, Cell::Number(number)) => number.to_string(),
            (_, Cell::Truth(truth)) => truth.to_string(),
            (_, Cell::Day(day)) => written(day.start().0, Moment::IsoDay),
            (_, Cell::Moment(at)) => written(at.0, Moment::Rfc3339),
        }
    }

    fn object(&self) -> Value {
        let mut object = Value::Object(Map::new());
        for column in self.columns {
            let text = || self.text(*column);
            let value = match (column.2, self.cell(column.1)) {
                _ if self.wrong == Some(column.1) => json!([WRONG]),
                (Shape::List, Cell::Text(words)) => {
                    words.split(',').filter(|word| !word.is_empty()).map(Value::from).collect()
                }
                (Shape::Plain, Cell::Nothing) => Value::Null,
                (Shape::Plain, Cell::Number(number)) => json!(number),
                (Shape::Plain, Cell::Truth(truth)) => json!(truth),
                (Shape::At(Moment::Unix), Cell::Moment(at)) => json!(at.0),
                _ => json!(text()),
            };
            put(&mut object, column.0, value);
        }
        object
    }

    fn element(&self, name: &str, out: &mut Vec<u8>) {
        let (attributes, children): (Vec<&Column>, Vec<&Column>) =
            self.columns.iter().partition(|column| column.0.starts_with('@'));
        let attribute =
            |column: &&Column| format!(" {}=\"{}\"", &column.0[1..], self.text(**column));
        let child = |column: &&Column| match self.text(**column) {
            text if text.is_empty() => format!("<{}/>", column.0),
            text => format!("<{0}>{text}</{0}>", column.0),
        };
        let attributes: String = attributes.iter().map(attribute).collect();
        let children: String = children.iter().map(child).collect();
        out.extend(format!("<{name}{attributes}>{children}</{name}>\n").into_bytes());
    }
}

/// Puts a value at a path such as `cameras/online`.
fn put(object: &mut Value, path: &str, value: Value) {
    match path.split_once('/') {
        Some((first, rest)) => {
            let inner = &mut object[first];
            if inner.is_null() {
                *inner = Value::Object(Map::new());
            }
            put(inner, rest, value);
        }
        None => object[path] = value,
    }
}

fn written(at: i64, shape: Moment) -> String {
    let mut out = Vec::new();
    moment(&mut out, at, shape);
    String::from_utf8_lossy(&out).into_owned()
}

fn row(fields: &[String], out: &mut Vec<u8>) {
    out.extend(fields.join(";").chars().map(byte));
    out.extend_from_slice(b"\r\n");
}

/// A character of windows-1258, whose tone marks stand apart from their letters.
fn byte(character: char) -> u8 {
    match character {
        'ă' => 0xE3,
        'â' => 0xE2,
        'ê' => 0xEA,
        'ô' => 0xF4,
        'ơ' => 0xF5,
        'ư' => 0xFD,
        'đ' => 0xF0,
        'Đ' => 0xD0,
        '\u{300}' => 0xCC,
        '\u{309}' => 0xD2,
        '\u{303}' => 0xDE,
        '\u{301}' => 0xEC,
        '\u{323}' => 0xF2,
        ascii if ascii.is_ascii() => ascii as u8,
        _ => b'?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Stamp;

    const COLUMNS: &[Column] = &[
        Column("id", "site", Shape::Plain),
        Column("acts/paper", "copies", Shape::Plain),
        Column("acts/gone", "nothing", Shape::Plain),
        Column("open", "open", Shape::Either("CO", "KHONG")),
        Column("kind", "kind", Shape::Words(&[("led", "MAN_HINH")])),
        Column("at", "at", Shape::At(Moment::Unix)),
    ];

    fn cells() -> Vec<(&'static str, Cell)> {
        vec![
            ("site", "S1".into()),
            ("copies", 12_i64.into()),
            ("open", true.into()),
            ("kind", "led".into()),
            ("at", Stamp(1_700_000_000).into()),
        ]
    }

    fn word(wire: Wire, columns: &'static [Column], wrong: Option<&'static str>) -> Vec<u8> {
        let mut out = Vec::new();
        wire.word(&Saying { columns, cells: &cells(), wrong }, &mut out);
        out
    }

    #[test]
    fn objects_nest_and_have_types() {
        let value: Value = serde_json::from_slice(&word(Wire::Ndjson, COLUMNS, None)).unwrap();
        let wanted = json!({"id": "S1", "acts": {"paper": 12, "gone": null}, "open": "CO",
            "kind": "MAN_HINH", "at": 1_700_000_000});
        assert_eq!(value, wanted);
        let wrong: Value =
            serde_json::from_slice(&word(Wire::Ndjson, COLUMNS, Some("copies"))).unwrap();
        assert_eq!(wrong["acts"]["paper"], json!([WRONG]));
    }

    #[test]
    fn elements_have_attributes_and_empty_ones_close_themselves() {
        const XML: &[Column] = &[
            Column("@Ma", "site", Shape::Plain),
            Column("SoLuong", "copies", Shape::Digits),
            Column("Trong", "nothing", Shape::Plain),
        ];
        let wire = Wire::Xml { element: "Diem", open: "<Ds>", close: "<Sau>{next}</Sau></Ds>" };
        let records = word(wire, XML, None);
        let page = String::from_utf8(wire.page(XML, &records, "a&b", 1)).unwrap();
        let body =
            "<Ds><Diem Ma=\"S1\"><SoLuong>12</SoLuong><Trong/></Diem>\n<Sau>a&amp;b</Sau></Ds>";
        assert!(page.ends_with(body), "{page}");
    }

    #[test]
    fn rows_are_in_the_code_page_with_their_header() {
        const CSV: &[Column] = &[
            Column("Điê\u{309}m", "site", Shape::Plain),
            Column("Ba\u{309}n sao", "copies", Shape::Digits),
        ];
        let page = Wire::Csv.page(CSV, &word(Wire::Csv, CSV, None), "", 1);
        assert_eq!(page, b"\xD0i\xEA\xD2m;Ba\xD2n sao\r\nS1;12\r\n");
    }
}

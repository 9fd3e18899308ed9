//! Lists as tables: CSV (RFC 4180) that a spreadsheet opens and pandas reads without options, and
//! NDJSON, one object a line.
//!
//! Both come from the very body that is answered as JSON: a handler says which of its fields are the
//! columns, in an order that readers may rely on, and everything else is done here once. A missing
//! value is an empty field or null, never 0. A text that a spreadsheet would run as a formula gets an
//! apostrophe in front; numbers are left alone, a minus sign in front of a number is no formula.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use super::answer::Answer;
use super::context::Asked;
use super::error::ApiError;
use super::format::Format;

/// The columns of a list: the name of each, and where it stands in a row, as a JSON pointer; with
/// `^` in front, where it stands in the body around the rows.
pub(super) type Columns = &'static [(&'static str, &'static str)];

/// What puts Excel on the right track.
const BYTE_ORDER_MARK: &str = "\u{feff}";

impl Asked<'_> {
    /// Answers with a list in the form that was asked for. `body` has its rows under `items`, or is
    /// the only row; `name` is the name of a file, without its end.
    pub(super) fn listed(
        &self,
        body: &impl Serialize,
        columns: Columns,
        name: &str,
    ) -> Result<Answer, ApiError> {
        let query = self.query()?;
        let format = self.request.format(&query)?;
        let with_mark = query.one_of("bom", &[("0", false), ("1", true)], false)?;
        if format == Format::Json {
            return Answer::json(body);
        }
        let body = serde_json::to_value(body);
        let body = body.map_err(|error| ApiError::Internal(error.to_string()))?;
        let lone = std::slice::from_ref(&body);
        let rows = body.get("items").and_then(Value::as_array).map_or(lone, Vec::as_slice);
        let lines = rows.iter().map(|row| Line { columns, row, around: &body });
        match format {
            Format::Csv => {
                let mark = if with_mark { BYTE_ORDER_MARK } else { "" };
                Ok(Answer::file(format, csv(mark, columns, lines)?, name))
            }
            _ => Ok(Answer::file(format, ndjson(lines)?, name)),
        }
    }
}

/// One row with its columns.
struct Line<'a> {
    columns: Columns,
    row: &'a Value,
    around: &'a Value,
}

impl<'a> Line<'a> {
    fn cells(&self) -> impl Iterator<Item = (&'static str, &'a Value)> + use<'a> {
        let (row, around) = (self.row, self.around);
        self.columns.iter().map(move |(name, place)| {
            let found = match place.strip_prefix('^') {
                Some(place) => around.pointer(place),
                None => row.pointer(place),
            };
            (*name, found.unwrap_or(&Value::Null))
        })
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.columns.len()))?;
        for (name, value) in self.cells() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn ndjson<'a>(lines: impl Iterator<Item = Line<'a>>) -> Result<Vec<u8>, ApiError> {
    let mut text = Vec::new();
    for line in lines {
        let written = serde_json::to_writer(&mut text, &line);
        written.map_err(|error| ApiError::Internal(error.to_string()))?;
        text.push(b'\n');
    }
    Ok(text)
}

fn csv<'a>(
    mark: &str,
    columns: Columns,
    lines: impl Iterator<Item = Line<'a>>,
) -> Result<Vec<u8>, ApiError> {
    // A line that cannot be written is a fault of ours.
    let broken = |error: &dyn std::fmt::Display| ApiError::Internal(error.to_string());
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(mark.as_bytes().to_vec());
    let header = writer.write_record(columns.iter().map(|(name, _)| name));
    header.map_err(|error| broken(&error))?;
    for line in lines {
        let fields = line.cells().map(|(_, value)| field(value));
        writer.write_record(fields).map_err(|error| broken(&error))?;
    }
    writer.into_inner().map_err(|error| broken(&error))
}

/// A value as a field; several with spaces between, of what has a code the code, and named ones as
/// `name=value,value`.
fn field(value: &Value) -> String {
    match value {
        Value::Object(named) if named.values().all(Value::is_array) => {
            let values = |all: &Value| {
                all.as_array().into_iter().flatten().map(plain).collect::<Vec<_>>().join(",")
            };
            let named = named.iter().map(|(name, all)| format!("{name}={}", values(all)));
            disarmed(&named.collect::<Vec<_>>().join(" "))
        }
        Value::Null => String::new(),
        Value::String(text) => disarmed(text),
        Value::Array(values) => disarmed(&values.iter().map(plain).collect::<Vec<_>>().join(" ")),
        other => other.to_string(),
    }
}

fn plain(value: &Value) -> String {
    let text = value.as_str().or_else(|| value.get("code")?.as_str());
    text.map_or_else(|| value.to_string(), str::to_owned)
}

/// A text, with an apostrophe in front where a spreadsheet would run it.
fn disarmed(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\0']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: Columns = &[
        ("indicator", "^/indicator"),
        ("place", "/place"),
        ("value", "/value"),
        ("unit", "^/of/unit"),
    ];

    fn lines(body: &Value) -> impl Iterator<Item = Line<'_>> {
        let rows = body["items"].as_array().unwrap();
        rows.iter().map(move |row| Line { columns: COLUMNS, row, around: body })
    }

    /// C11: what a spreadsheet would run is disarmed, numbers stay numbers, quotes are doubled.
    #[test]
    fn a_missing_value_is_empty_and_a_formula_is_disarmed() {
        let body = json!({
            "indicator": "x",
            "of": {"unit": "a,\"b\""},
            "items": [
                {"place": "=cmd()", "value": -1.5},
                {"place": null, "value": null},
                {"place": ["late", "corrected"], "value": true},
                {"value": 0},
            ]
        });
        let text = String::from_utf8(csv("", COLUMNS, lines(&body)).unwrap()).unwrap();
        let unit = "\"a,\"\"b\"\"\"";
        let expected = [
            "indicator,place,value,unit".to_owned(),
            format!("x,'=cmd(),-1.5,{unit}"),
            format!("x,,,{unit}"),
            format!("x,late corrected,true,{unit}"),
            format!("x,,0,{unit}"),
            String::new(),
        ];
        assert_eq!(text.split("\r\n").collect::<Vec<_>>(), expected);
        for armed in ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "\0x"] {
            assert_eq!(disarmed(armed), format!("'{armed}"), "{armed:?}");
        }
        assert_eq!(disarmed("a=1"), "a=1");
    }

    #[test]
    fn ndjson_has_the_columns_in_their_order_with_their_types() {
        let body = json!({"indicator": "x", "items": [{"place": "=a", "value": 1.5}, {}]});
        let text = String::from_utf8(ndjson(lines(&body)).unwrap()).unwrap();
        assert_eq!(
            text,
            "{\"indicator\":\"x\",\"place\":\"=a\",\"value\":1.5,\"unit\":null}\n\
             {\"indicator\":\"x\",\"place\":null,\"value\":null,\"unit\":null}\n"
        );
    }
}

//! Rows as CSV (RFC 4180) that a spreadsheet opens and pandas reads without options.
//!
//! A missing value is an empty field, never 0. A text that a spreadsheet would run as a formula gets
//! an apostrophe in front; numbers are left alone, a minus sign in front of a number is no formula.

use super::error::ApiError;
use super::number::Number;
use super::series::{Row, level_word};
use crate::indicator::Level;
use crate::indicator::reading::Status;

/// The columns, in a fixed order that readers may rely on.
const HEADER: [&str; 11] = [
    "indicator",
    "bucket",
    "grain",
    PLACE,
    "value",
    "numerator",
    "denominator",
    "status",
    "completeness_ratio",
    "accountable_unit",
    "revision",
];

/// The column of places.
const PLACE: &str = "commune";

/// What is the same in every line.
pub(super) struct About<'a> {
    pub(super) indicator: &'a str,
    pub(super) grain: &'a str,
    /// The level of the places, which names their column.
    pub(super) level: Level,
    pub(super) unit: &'a str,
    pub(super) revision: u64,
}

/// The whole file, in UTF-8.
pub(super) fn csv(about: &About<'_>, rows: &[Row]) -> Result<Vec<u8>, ApiError> {
    let mut writer = writer();
    let place = level_word(about.level);
    let header = HEADER.map(|column| if column == PLACE { place } else { column });
    writer.write_record(header).map_err(broken)?;
    let revision = about.revision.to_string();
    for row in rows {
        let fields = [
            text(about.indicator),
            row.bucket.rfc3339(),
            text(about.grain),
            row.commune.as_deref().or(row.district.as_deref()).map(text).unwrap_or_default(),
            number(row.value),
            number(row.numerator),
            number(row.denominator),
            status(row.status).to_owned(),
            number(row.completeness_ratio),
            text(about.unit),
            revision.clone(),
        ];
        writer.write_record(fields).map_err(broken)?;
    }
    finished(writer)
}

/// Writes to memory, with the line ends of RFC 4180.
pub(super) fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new())
}

/// What was written.
pub(super) fn finished(writer: csv::Writer<Vec<u8>>) -> Result<Vec<u8>, ApiError> {
    writer.into_inner().map_err(|error| ApiError::Internal(error.to_string()))
}

/// A line that cannot be written is a fault of ours.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(super) fn broken(error: csv::Error) -> ApiError {
    ApiError::Internal(error.to_string())
}

/// A status as the JSON answers have it.
pub(super) const fn status(status: Status) -> &'static str {
    match status {
        Status::Final => "final",
        Status::Provisional => "provisional",
        Status::Missing => "missing",
    }
}

/// A number, or nothing.
pub(super) fn number(value: Option<Number>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A text, disarmed where a spreadsheet would run it.
pub(super) fn text(value: &str) -> String {
    if value.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{value}")
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Day;

    #[test]
    fn a_missing_value_is_empty_and_a_formula_is_disarmed() {
        let day = Day::parse("2024-03-01").unwrap();
        let row = |value: Option<f64>, status| Row {
            bucket: day.start(),
            period: day.to_string(),
            commune: Some("=cmd()".to_owned()),
            district: None,
            from: None,
            to: None,
            value: value.map(Number),
            numerator: None,
            denominator: Some(Number(0.0)),
            status,
            reason: None,
            completeness_ratio: None,
        };
        let level = Level::Commune;
        let about = About { indicator: "x", grain: "day", level, unit: "a,\"b\"", revision: 7 };
        let rows = [row(Some(-1.5), Status::Final), row(None, Status::Missing)];
        let text = String::from_utf8(csv(&about, &rows).unwrap()).unwrap();
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines[0], HEADER.join(","));
        assert_eq!(
            lines[1],
            "x,2024-03-01T00:00:00+07:00,day,'=cmd(),-1.5,,0,final,,\"a,\"\"b\"\"\",7"
        );
        assert_eq!(
            lines[2],
            "x,2024-03-01T00:00:00+07:00,day,'=cmd(),,,0,missing,,\"a,\"\"b\"\"\",7"
        );
        assert_eq!(lines[3], "");
    }
}

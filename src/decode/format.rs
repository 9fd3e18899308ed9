//! Which format a stream's pages are in: a closed enum as written, and the decoder it compiles to.
//!
//! The map's `at` is read by the format: a JSON pointer, a column, an element or a part of a sample.
//! So a stream that declares a format gets its paths checked once, when the configuration is read,
//! and a page costs one `match`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::csv::Columns;
use super::exposition::Samples;
use super::picks::Picks;
use super::xlsx::Sheet;
use super::xml::Paths;
use super::{DecodeError, Decoded, csv, exposition, json, ndjson, xlsx, xml};

/// The format of a stream's pages, as a steward writes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Format {
    /// One JSON document a page; `at` is a pointer such as `/MaHoSo`.
    Json {},
    /// One JSON object a line.
    Ndjson {
        /// Whether an empty answer says that there are no records; an error otherwise.
        #[serde(default)]
        may_be_empty: bool,
    },
    /// RFC 4180; `at` is a column's name, or its number from 1 where there is no header.
    Csv {
        /// What stands between fields: `,` `;` `|` or a tab.
        #[serde(default = "comma")]
        delimiter: String,
        /// Whether the first row names the columns.
        #[serde(default = "yes")]
        header: bool,
        /// How characters are written.
        #[serde(default)]
        encoding: Encoding,
        /// Whether an empty answer says that there are no records; an error otherwise.
        #[serde(default)]
        may_be_empty: bool,
    },
    /// XML without document types; `records` is the path of the record elements and `at` a path
    /// inside one: `/Elem/Sub`, `/Elem/@attribute`, `/` for its own text.
    Xml {},
    /// A sheet of an XLSX workbook; `at` is a column's name. A date is a number there: map it with
    /// `format: excel_serial`.
    Xlsx {
        /// The sheet's name; the first sheet if left out.
        #[serde(default)]
        sheet: Option<String>,
        /// The row that names the columns, from 1.
        #[serde(default = "first")]
        header_row: u32,
    },
    /// Prometheus' text format 0.0.4, and what `OpenMetrics` has in common with it.
    Prometheus {
        /// Each sample of these metrics is one record; `at` is `/name`, `/value`, `/timestamp` or
        /// `/labels/x`. Without it the page is one record and `at` is a series: `up{site="1"}`.
        #[serde(default)]
        metrics: Vec<String>,
    },
}

/// How characters are written in a CSV file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// The Vietnamese code page of older Windows programs.
    #[serde(rename = "windows-1258")]
    Windows1258,
    /// UTF-16 in the order that its mark tells, little-endian without one: "Unicode text" of Excel.
    #[serde(rename = "utf-16")]
    Utf16,
}

fn comma() -> String {
    ",".to_owned()
}

const fn first() -> u32 {
    1
}

const fn yes() -> bool {
    true
}

impl Default for Format {
    fn default() -> Self {
        Self::Json {}
    }
}

impl Format {
    /// The word it is called by.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Json {} => "json",
            Self::Ndjson { .. } => "ndjson",
            Self::Csv { .. } => "csv",
            Self::Xml {} => "xml",
            Self::Xlsx { .. } => "xlsx",
            Self::Prometheus { .. } => "prometheus",
        }
    }

    /// Whether it has no types of its own, so that numbers and booleans are texts there.
    pub const fn is_untyped(&self) -> bool {
        match self {
            Self::Json {} | Self::Ndjson { .. } => false,
            Self::Csv { .. } | Self::Xml {} | Self::Xlsx { .. } | Self::Prometheus { .. } => true,
        }
    }

    /// Whether something can stand around the records: a next link, an error code.
    const fn has_envelope(&self) -> bool {
        matches!(self, Self::Json {} | Self::Xml {})
    }
}

/// What does not fit: the stream's key (empty if it is not one alone), and why.
pub type Misfit = (&'static str, String);

/// A stream's format with its paths, checked.
#[derive(Clone, Debug)]
pub struct Decoder(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Json(Picks),
    Ndjson { picks: Picks, may_be_empty: bool },
    Csv(Columns),
    Xml(Paths),
    Xlsx(Sheet),
    Prometheus(Samples),
}

impl Decoder {
    /// Checks a format together with what is wanted from its pages: where the records stand, `map`,
    /// the paths inside a record, and `around`, the paths outside.
    pub fn compile(
        format: &Format,
        records: Option<&str>,
        map: &[String],
        around: &[String],
    ) -> Result<Self, Misfit> {
        if !format.has_envelope() {
            refuse_envelope(format, records, around)?;
        }
        let in_map = |message| ("map", message);
        let kind = match format {
            Format::Json {} => {
                Kind::Json(Picks::new(records, map, around).map_err(|message| ("", message))?)
            }
            Format::Ndjson { may_be_empty } => Kind::Ndjson {
                picks: Picks::new(None, map, &[]).map_err(in_map)?,
                may_be_empty: *may_be_empty,
            },
            Format::Csv { delimiter, header, encoding, may_be_empty } => {
                let [delimiter @ (b',' | b';' | b'|' | b'\t')] = *delimiter.as_bytes() else {
                    let message = "a delimiter is one of ',' ';' '|' and \"\\t\"";
                    return Err(("format.delimiter", message.to_owned()));
                };
                let columns = Columns::new(delimiter, *header, *encoding, *may_be_empty, map);
                Kind::Csv(columns.map_err(in_map)?)
            }
            Format::Xml {} => Kind::Xml(Paths::new(records, map, around)?),
            Format::Xlsx { sheet, header_row } => {
                Kind::Xlsx(Sheet::new(sheet.as_deref(), *header_row, map)?)
            }
            Format::Prometheus { metrics } => {
                Kind::Prometheus(Samples::new(metrics, map).map_err(in_map)?)
            }
        };
        Ok(Self(kind))
    }

    /// Takes some paths of the map as arrays, each with the wanted paths inside an item.
    pub fn with_arrays(mut self, arrays: &[(usize, Vec<String>)]) -> Result<Self, Misfit> {
        match &mut self.0 {
            Kind::Json(picks) | Kind::Ndjson { picks, .. } => {
                let with = picks.clone().with_arrays(arrays);
                *picks = with.map_err(|message| ("map", message))?;
            }
            Kind::Csv(_) | Kind::Xml(_) | Kind::Xlsx(_) | Kind::Prometheus(_)
                if arrays.is_empty() => {}
            Kind::Csv(_) | Kind::Xml(_) | Kind::Xlsx(_) | Kind::Prometheus(_) => {
                let message = "only a record of JSON has arrays to reduce".to_owned();
                return Err(("map", message));
            }
        }
        Ok(self)
    }

    /// Decodes a page.
    pub fn decode<'a>(&self, page: &'a [u8]) -> Result<Decoded<'a>, DecodeError> {
        match &self.0 {
            Kind::Json(picks) => json::decode(page, picks),
            Kind::Ndjson { picks, may_be_empty } => ndjson::decode(page, picks, *may_be_empty),
            Kind::Csv(columns) => csv::decode(page, columns),
            Kind::Xml(paths) => xml::decode(page, paths),
            Kind::Xlsx(sheet) => xlsx::decode(page, sheet),
            Kind::Prometheus(samples) => exposition::decode(page, samples),
        }
    }

    /// Decodes a page of which it is known whether its end was announced. A row of CSV is only
    /// whole beyond doubt when its line ends; without that the page is believed if it was.
    pub fn decode_framed<'a>(
        &self,
        page: &'a [u8],
        is_framed: bool,
    ) -> Result<Decoded<'a>, DecodeError> {
        match &self.0 {
            Kind::Csv(columns) if !is_framed && csv::is_open(page, columns) => {
                Err(DecodeError::Open)
            }
            _ => self.decode(page),
        }
    }
}

fn refuse_envelope(
    format: &Format,
    records: Option<&str>,
    around: &[String],
) -> Result<(), Misfit> {
    let name = format.name();
    if records.is_some() {
        let message = format!("a page of {name} holds nothing but records: leave 'records' out");
        return Err(("records", message));
    }
    if let Some(path) = around.first() {
        let message = format!(
            "a page of {name} has nothing around its records: there is no '{path}' for the paginator or the error handler"
        );
        return Err(("format", message));
    }
    Ok(())
}

//! One contract with a property of every type, and the same record in every format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use ioc_gateway::decode::{DecodeError, Decoder, Format};
use ioc_gateway::model::area::{AreaList, Areas};
use ioc_gateway::model::contract::{Contract, PropertyType};
use ioc_gateway::model::dictionary::Dictionaries;
use ioc_gateway::model::list::CodeList;
use ioc_gateway::model::row::NULL;
use ioc_gateway::model::schema::{Lists, Schema};
use ioc_gateway::model::time::{Day, Stamp};
use ioc_gateway::normalise::{Coercion, KeyHasher, MapSettings, Normaliser, Surroundings, coerced};

use crate::support::workbook;

const CONTRACT: &str = "
contract: acts
version: 1
title: {vi: Việc, en: Acts}
accountable_unit: u
purpose: p
legal_basis: l
retention: 5y
key: [act]
version_by: updated
area: area
area_at: received
sla: {fresh_within: 30m}
properties:
  act: {type: identifier}
  area: {type: area}
  channel: {type: code, list: channel, empty: counter}
  copies: {type: integer, min: 0, max: 1000}
  due: {type: date, future: true}
  fee: {type: decimal, decimals: 2, min: 0, max: 1000000}
  field: {type: code, list: field, unknown: other}
  paid: {type: boolean}
  received: {type: timestamp, required: true}
  updated: {type: timestamp, required: true}
quality:
  - {check: 'copies == null || copies != 13', otherwise: quarantine}
measures: {}
";

/// A stream whose pages a table breaks.
pub(super) struct Golden {
    pub(super) decoder: Decoder,
    pub(super) normaliser: Normaliser,
    /// A sound page.
    pub(super) page: Vec<u8>,
    /// How many records it has.
    pub(super) records: usize,
    /// Writes one record of these wire texts as a page.
    write: fn(&[(&str, &str)]) -> Vec<u8>,
    /// Names on the wire with texts as the format writes them.
    fields: Vec<(&'static str, &'static str)>,
}

/// The contract, and all streams.
pub(super) struct Bench {
    schema: Arc<Schema>,
    areas: Arc<Areas>,
    streams: BTreeMap<&'static str, Golden>,
}

const TEXTS: [(&str, &str); 10] = [
    ("id", "CANARY-1"),
    ("xa", "16681"),
    ("kenh", "2"),
    ("ban", "12"),
    ("han", "2024-05-01"),
    ("phi", "12.5"),
    ("linhvuc", "land"),
    ("tra", "true"),
    ("nhan", "20240401080000"),
    ("sua", "20240402080000"),
];

const LITERALS: [(&str, &str); 10] = [
    ("id", "\"CANARY-1\""),
    ("xa", "\"16681\""),
    ("kenh", "\"2\""),
    ("ban", "12"),
    ("han", "\"2024-05-01\""),
    ("phi", "12.5"),
    ("linhvuc", "\"land\""),
    ("tra", "true"),
    ("nhan", "\"20240401080000\""),
    ("sua", "\"20240402080000\""),
];

const SAMPLES: [(&str, &str); 10] = [
    ("id", "CANARY-1"),
    ("xa", "16681"),
    ("kenh", "2"),
    ("value", "12"),
    ("han", "2024-05-01"),
    ("phi", "12.5"),
    ("linhvuc", "land"),
    ("tra", "true"),
    ("nhan", "20240401080000"),
    ("timestamp", "1712019600000"),
];

/// Where the properties stand, as a format addresses them.
fn map(format: &str, updated: &str) -> BTreeMap<String, MapSettings> {
    let at = |name: &str| match format {
        "csv" => name.to_owned(),
        "place" => (TEXTS.iter().position(|(known, _)| *known == name).unwrap() + 1).to_string(),
        "sample" if name == "ban" => "/value".to_owned(),
        "sample" if name == "sua" => "/timestamp".to_owned(),
        "sample" => format!("/labels/{name}"),
        _ => format!("/{name}"),
    };
    let mut yaml = String::new();
    let plain = [
        ("act", "id"),
        ("area", "xa"),
        ("channel", "kenh"),
        ("copies", "ban"),
        ("fee", "phi"),
        ("field", "linhvuc"),
        ("paid", "tra"),
    ];
    for (property, name) in plain {
        let _ = writeln!(yaml, "{property}: '{}'", at(name));
    }
    let dated = [
        ("due", "han", "yyyy-MM-dd"),
        ("received", "nhan", "yyyyMMddHHmmss"),
        ("updated", "sua", updated),
    ];
    for (property, name, format) in dated {
        let _ = writeln!(yaml, "{property}: {{at: '{}', format: '{format}'}}", at(name));
    }
    serde_saphyr::from_str(&yaml).unwrap()
}

impl Golden {
    pub(super) const NAMES: [&str; 10] = [
        "json",
        "ndjson",
        "csv",
        "csv-semicolon",
        "csv-places",
        "csv-1258",
        "csv-utf16",
        "xlsx",
        "xml",
        "prometheus",
    ];

    /// The golden record with another text for one field, or without it.
    pub(super) fn with(&self, field: &str, text: Option<&str>) -> Vec<u8> {
        assert!(self.fields.iter().any(|(name, _)| *name == field), "no field '{field}'");
        let fields: Vec<_> = self
            .fields
            .iter()
            .filter(|(name, _)| text.is_some() || *name != field)
            .map(|(name, golden)| (*name, text.filter(|_| *name == field).unwrap_or(golden)))
            .collect();
        (self.write)(&fields)
    }
}

impl Bench {
    pub(super) fn new() -> Self {
        let mut words = Dictionaries::default();
        let mut list = |name: &str, text: &str| {
            (name.to_owned(), Arc::new(CodeList::read(name, text, &mut words).unwrap()))
        };
        let lists = Lists::from([
            list("channel", "code,wire,vi,en\nonline,2,a,a\ncounter,1,b,b\n"),
            list("field", "code,vi,en\nland,a,a\nđất đai,c,c\nother,b,b\n"),
        ]);
        let day = |text| Day::parse(text).unwrap();
        let (start, first, turn) = (day("2000-01-01"), day("2020-01-01"), day("2025-07-01"));
        let ancient = "code,name\n16681,Small\n16999,Gone\n16555,Ancient\n";
        let (old, new) = ("code,name\n16681,Small\n16999,Gone\n", "code,name\n16681,Big\n");
        let area_lists = [
            AreaList { name: "z", text: ancient, from: start, until: Some(first) },
            AreaList { name: "a", text: old, from: first, until: Some(turn) },
            AreaList { name: "b", text: new, from: turn, until: None },
        ];
        let crosswalk = "old_code,new_code\n16681,16681\n";
        let areas = Arc::new(Areas::read(&area_lists, crosswalk, &mut words).unwrap());
        let contract: Contract = serde_saphyr::from_str(CONTRACT).unwrap();
        let schema = Arc::new(Schema::compile(&contract, &lists, &words).unwrap());
        let mut bench = Self { schema, areas, streams: BTreeMap::new() };
        bench.streams();
        bench
    }

    fn streams(&mut self) {
        let json = "{kind: json}";
        self.add("json", json, Some("/data"), "json", &LITERALS, write_json);
        self.add("ndjson", "{kind: ndjson}", None, "json", &LITERALS, write_ndjson);
        self.add("csv", "{kind: csv}", None, "csv", &TEXTS, write_csv);
        let semicolon = "{kind: csv, delimiter: ';'}";
        self.add("csv-semicolon", semicolon, None, "csv", &TEXTS, write_semicolon);
        let places = "{kind: csv, header: false}";
        self.add("csv-places", places, None, "place", &TEXTS, write_places);
        let old = "{kind: csv, encoding: windows-1258}";
        self.add("csv-1258", old, None, "csv", &TEXTS, write_csv);
        let wide = "{kind: csv, encoding: utf-16, delimiter: \"\\t\"}";
        self.add("csv-utf16", wide, None, "csv", &TEXTS, write_utf16);
        self.add("xlsx", "{kind: xlsx}", None, "csv", &TEXTS, write_workbook);
        self.add("xml", "{kind: xml}", Some("/r/list/i"), "xml", &TEXTS, write_xml);
        let samples = "{kind: prometheus, metrics: [acts]}";
        self.add("prometheus", samples, None, "sample", &SAMPLES, write_sample);
    }

    fn add(
        &mut self,
        name: &'static str,
        format: &str,
        records: Option<&str>,
        address: &str,
        fields: &[(&'static str, &'static str)],
        write: fn(&[(&str, &str)]) -> Vec<u8>,
    ) {
        let updated = if address == "sample" { "unix_millis" } else { "yyyyMMddHHmmss" };
        let format: Format = serde_saphyr::from_str(format).unwrap();
        let coercions = if format.is_untyped() { &Coercion::ALL_TEXT[..] } else { &[] };
        let normaliser = self.normaliser(&coerced(&map(address, updated), coercions));
        let decoder = Decoder::compile(&format, records, normaliser.pointers(), &[]).unwrap();
        let page = write(fields);
        let fields = fields.to_vec();
        self.streams.insert(name, Golden { decoder, normaliser, page, records: 1, write, fields });
    }

    fn normaliser(&self, map: &BTreeMap<String, MapSettings>) -> Normaliser {
        let hasher = KeyHasher::new(b"k", "acts");
        Normaliser::compile(&self.schema, &self.areas, map, hasher).unwrap()
    }

    pub(super) fn golden(&self, name: &str) -> &Golden {
        self.streams.get(name).unwrap_or_else(|| panic!("no stream '{name}'"))
    }

    /// What becomes of a page whose length nobody announced.
    pub(super) fn page(&self, golden: &Golden, page: &[u8]) -> String {
        self.judge(&golden.decoder, &golden.normaliser, page, None)
    }

    /// What becomes of the golden record with another text for one field, or without it.
    pub(super) fn field(&self, golden: &Golden, field: &str, text: Option<&str>) -> String {
        let page = golden.with(field, text);
        self.judge(&golden.decoder, &golden.normaliser, &page, Some(property(field)))
    }

    /// What a text in a date format becomes: the moment, or why there is none.
    pub(super) fn date(&self, format: &str, text: &str) -> String {
        let normaliser = self.normaliser(&map("json", format));
        let json: Format = serde_saphyr::from_str("{kind: json}").unwrap();
        let decoder = Decoder::compile(&json, Some("/data"), normaliser.pointers(), &[]).unwrap();
        let literal = serde_json::to_string(text).unwrap();
        let page = self.golden("json").with("sua", Some(&literal));
        self.judge(&decoder, &normaliser, &page, Some("updated"))
    }

    /// Every record in a few words; of accepted ones the value of `shown`.
    fn judge(
        &self,
        decoder: &Decoder,
        normaliser: &Normaliser,
        page: &[u8],
        shown: Option<&str>,
    ) -> String {
        let decoded = match decoder.decode_framed(page, false) {
            Ok(decoded) => decoded,
            Err(error) => {
                assert!(!error.to_string().contains("CANARY"), "{error}");
                return format!("refused {}", class(&error));
            }
        };
        let now = Stamp::parse("2024-04-02T12:00:00+07:00").unwrap();
        let out = normaliser.page(&decoded.records, Surroundings { now, target: None });
        let total = out.observations.len() + out.rejects.len();
        assert_eq!(total, decoded.records.count, "every record becomes something");
        assert!(!format!("{:?}", out.rejects).contains("CANARY"), "{:?}", out.rejects);
        // Accepted and refused records come apart, so a table tells the accepted ones first.
        let accepted = (0..out.observations.len()).map(|i| {
            let value = shown.map(|property| self.value(out.observations.row(i), property));
            value.map_or("ok".to_owned(), |value| format!("ok {value}"))
        });
        let refused = out.rejects.iter().map(|reject| {
            format!("{} {}", reject.reason.as_str(), reject.rule).trim_end().to_owned()
        });
        let lines: Vec<_> = accepted.chain(refused).collect();
        if lines.is_empty() { "none".to_owned() } else { lines.join(" ; ") }
    }

    fn value(&self, row: &[i64], property: &str) -> String {
        let slot = self.schema.slot(property).unwrap();
        let field = &self.schema.fields[slot];
        match (row[slot], field.kind) {
            // A key is kept as a hash of its own, not in the row.
            (_, PropertyType::Identifier) => "hashed".to_owned(),
            (NULL, _) => "null".to_owned(),
            (value, PropertyType::Timestamp) => Stamp(value).rfc3339(),
            (value, PropertyType::Date) => Day(value as i32).to_string(),
            (value, PropertyType::Code) => {
                let mut codes = field.list.as_ref().unwrap().codes();
                let found = codes.find(|(number, _)| i64::from(*number) == value);
                found.map_or("no code", |(_, code)| code).to_owned()
            }
            (value, PropertyType::Area) => self.areas.get(value as u16).unwrap().name.clone(),
            (value, _) => value.to_string(),
        }
    }
}

/// The property that a field of the wire is mapped to.
fn property(field: &str) -> &'static str {
    match field {
        "id" => "act",
        "xa" => "area",
        "kenh" => "channel",
        "ban" | "value" => "copies",
        "han" => "due",
        "phi" => "fee",
        "linhvuc" => "field",
        "tra" => "paid",
        "nhan" => "received",
        "sua" | "timestamp" => "updated",
        _ => panic!("no field '{field}'"),
    }
}

fn class(error: &DecodeError) -> &'static str {
    match error {
        DecodeError::Truncated(_) => "truncated",
        DecodeError::Open => "open",
        DecodeError::Syntax { .. } => "syntax",
        DecodeError::Shape(_) => "shape",
        DecodeError::NoRecords { .. } => "no_records",
        DecodeError::Limit(_) => "limit",
    }
}

fn object(fields: &[(&str, &str)]) -> String {
    let fields: Vec<_> = fields.iter().map(|(name, text)| format!("\"{name}\":{text}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn write_json(fields: &[(&str, &str)]) -> Vec<u8> {
    format!("{{\"data\":[{}]}}", object(fields)).into_bytes()
}

fn write_ndjson(fields: &[(&str, &str)]) -> Vec<u8> {
    format!("{}\n", object(fields)).into_bytes()
}

fn rows(fields: &[(&str, &str)], header: bool, delimiter: &str) -> String {
    let row = |texts: Vec<&str>| texts.join(delimiter) + "\r\n";
    let head =
        if header { row(fields.iter().map(|(name, _)| *name).collect()) } else { String::new() };
    head + &row(fields.iter().map(|(_, text)| *text).collect())
}

fn write_csv(fields: &[(&str, &str)]) -> Vec<u8> {
    rows(fields, true, ",").into_bytes()
}

fn write_semicolon(fields: &[(&str, &str)]) -> Vec<u8> {
    rows(fields, true, ";").into_bytes()
}

fn write_places(fields: &[(&str, &str)]) -> Vec<u8> {
    rows(fields, false, ",").into_bytes()
}

fn write_utf16(fields: &[(&str, &str)]) -> Vec<u8> {
    rows(fields, true, "\t").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn write_workbook(fields: &[(&str, &str)]) -> Vec<u8> {
    let row = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
    let head = row(fields.iter().map(|(name, _)| *name).collect());
    workbook("s", &[head, row(fields.iter().map(|(_, text)| *text).collect())], false)
}

fn write_xml(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut inside = String::new();
    for (name, text) in fields {
        let _ = write!(inside, "<{name}>{text}</{name}>");
    }
    format!("<r><list><i>{inside}</i></list></r>").into_bytes()
}

fn write_sample(fields: &[(&str, &str)]) -> Vec<u8> {
    let is_label = |name: &str| !matches!(name, "value" | "timestamp");
    let labels = fields.iter().filter(|(name, _)| is_label(name));
    let labels: Vec<_> = labels.map(|(name, text)| format!("{name}=\"{text}\"")).collect();
    let bare = |wanted: &str| {
        let found = fields.iter().find(|(name, _)| *name == wanted);
        found.map_or(String::new(), |(_, text)| format!(" {text}"))
    };
    format!("acts{{{}}}{}{}\n", labels.join(","), bare("value"), bare("timestamp")).into_bytes()
}

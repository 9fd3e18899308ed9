//! `iocgw register`: the record of what is processed, generated from the configuration.
//!
//! The law on personal data asks for a record of processing. Only what the configuration maps is ever
//! decoded, so the configuration is that record: per source which fields, why, on what basis, for how
//! long and in whose charge. Printed as Markdown to read and file, or as JSON for other programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::contract::Folder;
use super::{Place, terminal};
use crate::config::{Config, Source, Stream};
use crate::model::contract::{Contract, Property, PropertyType};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Markdown to read, or JSON for other programs
    #[arg(long, value_enum, default_value_t = Shape::Markdown)]
    format: Shape,
    #[command(flatten)]
    place: Folder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Shape {
    Markdown,
    Json,
}

/// The whole record.
#[derive(Debug, Serialize)]
struct Register {
    province: String,
    configuration: String,
    sources: Vec<Entry>,
}

/// A source and what is read of it.
#[derive(Debug, Serialize)]
struct Entry {
    source: String,
    title: String,
    title_en: String,
    body: String,
    role: String,
    streams: Vec<Processing>,
}

/// A stream: what is decoded of it, why and for how long.
#[derive(Debug, Serialize)]
struct Processing {
    stream: String,
    contract: String,
    contract_version: u32,
    purpose: String,
    legal_basis: String,
    retention: String,
    body: String,
    role: String,
    fields: Vec<Field>,
}

/// A field that is decoded, and in which form it is kept.
#[derive(Debug, Serialize)]
struct Field {
    /// Where it stands on the wire.
    at: String,
    property: String,
    kept: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let config = Place::offline(&arguments.place.config)?;
    let register = Register::of(&config);
    let text = match arguments.format {
        Shape::Markdown => register.markdown(),
        Shape::Json => serde_json::to_string_pretty(&register)?,
    };
    terminal::data(text.trim_end());
    Ok(0)
}

impl Register {
    fn of(config: &Config) -> Self {
        let sources = config.sources.iter().map(|source| entry(config, &source.written));
        Self {
            province: config.province.name.vi.clone(),
            configuration: config.hash.clone(),
            sources: sources.collect(),
        }
    }

    fn markdown(&self) -> String {
        let mut text = format!(
            "# Sổ ghi hoạt động xử lý dữ liệu / Record of processing – {}\n\nCấu hình / configuration `{}`. \
             Chỉ các trường dưới đây được giải mã; mọi trường khác của hệ thống nguồn không bao giờ được đọc. \
             Only the fields below are ever decoded.\n",
            self.province, self.configuration
        );
        for entry in &self.sources {
            let Entry { source, title, title_en, body, role, streams } = entry;
            let _ = write!(text, "\n## {title} / {title_en}\n\n`{source}` – {body}, {role}\n");
            streams.iter().for_each(|stream| stream.write(&mut text));
        }
        text
    }
}

fn entry(config: &Config, source: &Source) -> Entry {
    let (body, role) = answers(config, &source.accountable_unit);
    let known = source.streams.iter();
    let streams = known.filter_map(|(name, stream)| {
        let contract = config.contracts.get(&stream.contract)?;
        Some(Processing::of(config, name, stream, contract))
    });
    Entry {
        source: source.source.clone(),
        title: source.title.vi.clone(),
        title_en: source.title.en.clone(),
        body,
        role,
        streams: streams.collect(),
    }
}

/// The name of a body and the position in it that answers.
fn answers(config: &Config, unit: &str) -> (String, String) {
    let known = config.units.get(unit);
    known.map_or((unit.to_owned(), String::new()), |it| (it.name.vi.clone(), it.role.clone()))
}

impl Processing {
    fn of(config: &Config, name: &str, stream: &Stream, contract: &Contract) -> Self {
        let (body, role) = answers(config, &contract.accountable_unit);
        let fields = stream.map.iter().filter_map(|(property, settings)| {
            let written = contract.properties.get(property)?;
            let at = settings.at.clone().or_else(|| settings.label.clone());
            let kept = kept(property, written, contract);
            let at = match (&at, &settings.item) {
                (Some(at), Some(item)) => format!("{at}[]{item}"),
                (Some(at), None) => at.clone(),
                (None, _) => "–".to_owned(),
            };
            let (property, reason) = (property.clone(), written.reason.clone());
            Some(Field { at, property, kept, reason })
        });
        Self {
            stream: name.to_owned(),
            contract: contract.contract.clone(),
            contract_version: contract.version,
            purpose: contract.purpose.clone(),
            legal_basis: contract.legal_basis.clone(),
            retention: contract.retention.to_string(),
            body,
            role,
            fields: fields.collect(),
        }
    }

    fn write(&self, text: &mut String) {
        let Self { stream, contract, contract_version, purpose, legal_basis, retention, .. } = self;
        let _ = write!(
            text,
            "\n### {stream} → `{contract}` (version {contract_version})\n\n\
             - Mục đích / purpose: {purpose}\n- Cơ sở pháp lý / legal basis: {legal_basis}\n\
             - Thời hạn lưu / retention: {retention}\n- Chịu trách nhiệm / answers for it: {}, {}\n\n\
             | trường / field | thuộc tính / property | lưu dưới dạng / kept as |\n|---|---|---|\n",
            self.body, self.role
        );
        for Field { at, property, kept, reason } in &self.fields {
            let why = reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
            let _ = writeln!(text, "| `{at}` | {property} | {kept}{why} |");
        }
    }
}

fn kept(name: &str, property: &Property, contract: &Contract) -> &'static str {
    match property.kind {
        PropertyType::Identifier if contract.key.iter().any(|part| part == name) => {
            "keyed hash, as part of the key"
        }
        PropertyType::Identifier => "keyed hash",
        PropertyType::Code => "code of a list",
        PropertyType::Area => "territorial unit",
        PropertyType::Timestamp => "moment",
        PropertyType::Date => "day",
        PropertyType::Integer | PropertyType::Decimal => "number",
        PropertyType::Boolean => "true or false",
        PropertyType::Text => "short text of a bounded set",
    }
}

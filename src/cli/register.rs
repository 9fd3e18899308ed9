//! `iocgw register`: the record of what is processed, generated from the configuration.
//!
//! The law on personal data asks for a record of processing. Only what the configuration maps is ever
//! decoded, so the configuration is that record: per source which fields, why, on what basis, for how
//! long and in whose charge. Printed as Markdown to read and file, or as JSON for other programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::contract::Folder;
use super::{Place, terminal};
use crate::app::identifier_key_ids;
use crate::config::{Config, Source, Stream};
use crate::model::contract::{Contract, Property, PropertyType};
use crate::model::disclosure::{About, Disclosure};

/// By contract, the id of the key under which its identifiers are hashed.
type KeyIds = BTreeMap<String, u32>;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Markdown to read, or JSON for other programs
    #[arg(long, value_enum, default_value_t = Shape::Markdown)]
    format: Shape,
    /// The folder of secrets, to tell the ids of the keys under which identifiers are hashed
    #[arg(long, value_name = "DIR")]
    secrets: Option<PathBuf>,
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
    disclosure: Telling,
    /// Records that may be read one by one; none when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    readable: Option<u32>,
    /// The id of the key under which identifiers are hashed, if a folder of secrets was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    legal_basis: String,
    retention: String,
    body: String,
    role: String,
    fields: Vec<Field>,
}

/// Who is told figures of the records, and how small a figure the public is not told.
#[derive(Debug, Serialize)]
struct Telling {
    /// Who reads figures: holders of keys of the administration, and the public.
    recipients: [&'static str; 2],
    about: &'static str,
    /// Numbers from 1 up to, but not including, this one are withheld from the public; none are when
    /// absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    min_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Telling {
    fn of(contract: &Contract) -> Self {
        let disclosure = Disclosure::of(contract);
        let is_withheld = disclosure.about != About::Things;
        Self {
            recipients: ["administration", "public"],
            about: disclosure.about.as_str(),
            min_count: is_withheld.then_some(disclosure.min_count),
            reason: contract.disclosure.as_ref().and_then(|settings| settings.reason.clone()),
        }
    }

    fn text(&self) -> String {
        match (self.min_count, &self.reason) {
            (Some(least), _) => format!(
                "cơ quan nhà nước có khóa: số liệu; công chúng: số liệu cuối kỳ, không công bố số từ 1 đến {} / \
                 the administration by key: figures; the public: final figures, none from 1 to {} (k = {least}, \
                 about {})",
                least - 1,
                least - 1,
                self.about
            ),
            (None, reason) => format!(
                "cơ quan nhà nước có khóa và công chúng: số liệu / the administration by key and the public: \
                 figures ({}: {})",
                self.about,
                reason.as_deref().unwrap_or_default()
            ),
        }
    }
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
    let secrets = arguments.secrets.as_deref();
    let keys = secrets.map(|folder| identifier_key_ids(&config, folder)).transpose()?.flatten();
    let register = Register::of(&config, &keys.unwrap_or_default());
    let text = match arguments.format {
        Shape::Markdown => register.markdown(),
        Shape::Json => serde_json::to_string_pretty(&register)?,
    };
    terminal::data(text.trim_end());
    Ok(0)
}

impl Register {
    fn of(config: &Config, keys: &KeyIds) -> Self {
        let sources = config.sources.iter().map(|source| entry(config, &source.written, keys));
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

fn entry(config: &Config, source: &Source, keys: &KeyIds) -> Entry {
    let (body, role) = answers(config, &source.accountable_unit);
    let known = source.streams.iter();
    let streams = known.filter_map(|(name, stream)| {
        let contract = config.contracts.get(&stream.contract)?;
        Some(Processing {
            key_id: keys.get(&stream.contract).map(|id| format!("{id:08x}")),
            ..Processing::of(config, name, stream, contract)
        })
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
            disclosure: Telling::of(contract),
            readable: contract.readable,
            key_id: None,
            legal_basis: contract.legal_basis.clone(),
            retention: contract.retention.to_string(),
            body,
            role,
            fields: fields.collect(),
        }
    }

    fn write(&self, text: &mut String) {
        let Self { stream, contract, contract_version, purpose, legal_basis, retention, .. } = self;
        let recipients = self.disclosure.text();
        let records = self.readable.map_or_else(
            || "không / none".to_owned(),
            |most| {
                format!(
                    "tối đa {most}, cho cơ quan nhà nước / at most {most}, to the administration"
                )
            },
        );
        let key = self.key_id.as_deref().unwrap_or("– (--secrets)");
        let _ = write!(
            text,
            "\n### {stream} → `{contract}` (version {contract_version})\n\n\
             - Mục đích / purpose: {purpose}\n- Cơ sở pháp lý / legal basis: {legal_basis}\n\
             - Thời hạn lưu / retention: {retention}\n- Nơi nhận / recipients: {recipients}\n\
             - Đọc từng bản ghi / records read one by one: {records}\n\
             - Khóa băm định danh / identifier key: {key}\n- Chịu trách nhiệm / answers for it: {}, {}\n\n\
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

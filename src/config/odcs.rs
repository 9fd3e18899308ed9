//! A contract in the words of the Open Data Contract Standard, version 3.1.
//!
//! Other parties read data contracts with their own tools, so what the gateway obeys can be handed
//! out in a form that they know. What the standard has no word for (areas, withdrawals, measures) is
//! under `customProperties`, which is where the standard wants it. The document is written from the
//! contract, never read back: there is one source of truth.

use std::fmt::Write as _;

use super::Config;
use crate::model::contract::{Contract, Otherwise, Property, PropertyType};
use crate::model::units::Span;

/// The version of the standard that the document keeps.
const API_VERSION: &str = "v3.1.0";

/// A value of the document; mappings keep their order.
#[derive(Clone, Debug, PartialEq)]
enum Yaml {
    Text(String),
    Whole(i64),
    Truth(bool),
    List(Vec<Yaml>),
    Map(Vec<(&'static str, Yaml)>),
}

/// The document of a contract, as YAML; `None` if there is no such contract.
pub fn export(config: &Config, name: &str) -> Option<String> {
    let contract = config.contracts.get(name)?;
    let mut text = String::new();
    document(config, contract).write(0, &mut text);
    Some(text)
}

fn document(config: &Config, contract: &Contract) -> Yaml {
    let mut description = vec![("purpose", text(&contract.purpose))];
    if let Some(words) = &contract.description {
        description.push(("usage", text(words.trim())));
    }
    description.push((
        "limitations",
        text(
            "Identifiers are kept only as keyed hashes; fields not listed here are never decoded.",
        ),
    ));
    Yaml::Map(vec![
        ("apiVersion", text(API_VERSION)),
        ("kind", text("DataContract")),
        ("id", text(&contract.contract)),
        ("name", text(&contract.title.en)),
        ("version", text(&contract.version.to_string())),
        ("status", text("active")),
        ("description", Yaml::Map(description)),
        ("schema", Yaml::List(vec![object(contract)])),
        ("slaProperties", Yaml::List(service_levels(contract))),
        ("team", team(config, contract)),
        ("support", support(config, contract)),
        ("customProperties", Yaml::List(ours(config, contract))),
    ])
}

fn object(contract: &Contract) -> Yaml {
    let properties = contract.properties.iter();
    let mut object = vec![
        ("name", text(&contract.contract)),
        ("logicalType", text("object")),
        ("physicalType", text("record")),
        ("businessName", text(&contract.title.vi)),
        ("description", text(&contract.title.en)),
        (
            "dataGranularityDescription",
            text(&format!("One record per {}", contract.key.join(" and "))),
        ),
        (
            "properties",
            Yaml::List(properties.map(|(name, it)| property(contract, name, it)).collect()),
        ),
    ];
    if !contract.quality.is_empty() {
        let rules = contract.quality.iter().enumerate().map(|(i, check)| {
            let severity = if check.otherwise == Otherwise::Warn { "warning" } else { "error" };
            Yaml::Map(vec![
                ("name", text(&format!("check_{}", i + 1))),
                ("type", text("custom")),
                ("engine", text("iocgw")),
                ("implementation", text(&check.check)),
                ("dimension", text("consistency")),
                ("severity", text(severity)),
            ])
        });
        object.push(("quality", Yaml::List(rules.collect())));
    }
    Yaml::Map(object)
}

fn property(contract: &Contract, name: &str, property: &Property) -> Yaml {
    let mut out = vec![
        ("name", text(name)),
        ("logicalType", text(logical_type(property.kind))),
        ("physicalType", text(&format!("{:?}", property.kind).to_lowercase())),
    ];
    let key = contract.key.iter().position(|key| key == name);
    let needed = [&contract.version_by, &contract.area];
    if property.required || key.is_some() || needed.into_iter().any(|needed| needed == name) {
        out.push(("required", Yaml::Truth(true)));
    }
    if let Some(position) = key {
        out.push(("primaryKey", Yaml::Truth(true)));
        out.push(("primaryKeyPosition", Yaml::Whole(position as i64 + 1)));
    }
    if property.kind == PropertyType::Identifier {
        out.push(("classification", text("restricted")));
        out.push(("transformLogic", text("keyed BLAKE3 hash")));
    }
    let bounds = [("minimum", property.min), ("maximum", property.max)];
    let bounds: Vec<_> =
        bounds.into_iter().filter_map(|(name, it)| Some((name, Yaml::Whole(it?)))).collect();
    if !bounds.is_empty() {
        out.push(("logicalTypeOptions", Yaml::Map(bounds)));
    }
    let custom = [
        ("codeList", property.list.as_deref()),
        ("emptyMeans", property.empty.as_deref()),
        ("unit", property.unit.as_deref()),
        ("noPersonalDataBecause", property.reason.as_deref()),
    ];
    let custom: Vec<_> = custom
        .into_iter()
        .filter_map(|(name, it)| Some(custom_property(name, text(it?))))
        .collect();
    if !custom.is_empty() {
        out.push(("customProperties", Yaml::List(custom)));
    }
    Yaml::Map(out)
}

const fn logical_type(kind: PropertyType) -> &'static str {
    match kind {
        PropertyType::Timestamp => "timestamp",
        PropertyType::Date => "date",
        PropertyType::Integer => "integer",
        PropertyType::Decimal => "number",
        PropertyType::Boolean => "boolean",
        _ => "string",
    }
}

fn service_levels(contract: &Contract) -> Vec<Yaml> {
    let level = |property: &str, span: Span, driver: &str, words: &str| {
        let (value, unit) = amount(span);
        Yaml::Map(vec![
            ("property", text(property)),
            ("value", Yaml::Whole(value)),
            ("unit", text(unit)),
            ("element", text(&format!("{}.{}", contract.contract, contract.version_by))),
            ("driver", text(driver)),
            ("description", text(words)),
        ])
    };
    vec![
        level(
            "latency",
            contract.sla.fresh_within,
            "operational",
            "The largest allowed age of the data",
        ),
        level("retention", contract.retention, "regulatory", "How long records are kept"),
    ]
}

/// A span in the largest unit that leaves no rest.
fn amount(span: Span) -> (i64, &'static str) {
    let seconds = span.as_seconds();
    let units = [(31_536_000, "y"), (86_400, "d"), (3600, "h"), (60, "min")];
    let whole = units.into_iter().find(|(length, _)| seconds >= *length && seconds % length == 0);
    whole.map_or((seconds, "s"), |(length, unit)| (seconds / length, unit))
}

fn team(config: &Config, contract: &Contract) -> Yaml {
    let mut team = vec![("name", text(&contract.accountable_unit))];
    if let Some(unit) = config.units.get(&contract.accountable_unit) {
        team.push(("description", text(&format!("{} ({})", unit.name.vi, unit.name.en))));
    }
    Yaml::Map(team)
}

fn support(config: &Config, contract: &Contract) -> Yaml {
    let role = config.units.get(&contract.accountable_unit).map_or("", |unit| &unit.role);
    Yaml::List(vec![Yaml::Map(vec![
        ("channel", text(&contract.accountable_unit)),
        ("description", text(role)),
        ("tool", text("other")),
        ("scope", text("issues")),
    ])])
}

/// What the standard has no word for.
fn ours(config: &Config, contract: &Contract) -> Vec<Yaml> {
    let mut all = vec![
        custom_property("legalBasis", text(&contract.legal_basis)),
        custom_property("accountableUnit", text(&contract.accountable_unit)),
        custom_property("versionBy", text(&contract.version_by)),
        custom_property("area", text(&contract.area)),
    ];
    if let Some(at) = &contract.area_at {
        all.push(custom_property("areaAt", text(at)));
    }
    if let Some(condition) = &contract.retracted {
        all.push(custom_property("withdrawnWhen", text(condition)));
    }
    let streams = config.sources.iter().flat_map(|source| {
        let streams = source.written.streams.iter();
        let of_contract = streams.filter(|(_, stream)| stream.contract == contract.contract);
        of_contract.map(|(name, _)| text(&format!("{}.{name}", source.written.source)))
    });
    all.push(custom_property("fedBy", Yaml::List(streams.collect())));
    let measures = contract.measures.keys().map(|name| text(name)).collect();
    all.push(custom_property("measures", Yaml::List(measures)));
    all
}

fn custom_property(name: &str, value: Yaml) -> Yaml {
    Yaml::Map(vec![("property", text(name)), ("value", value)])
}

fn text(text: &str) -> Yaml {
    Yaml::Text(text.to_owned())
}

impl Yaml {
    /// Writes block style at a depth; the cursor stands where the value begins.
    fn write(&self, depth: usize, out: &mut String) {
        match self {
            Self::Map(entries) => {
                for (i, (key, value)) in entries.iter().enumerate() {
                    if i > 0 {
                        indent(depth, out);
                    }
                    out.push_str(key);
                    out.push(':');
                    value.write_below(depth, out);
                }
            }
            Self::List(items) => {
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        indent(depth, out);
                    }
                    out.push_str("- ");
                    match item {
                        Self::Map(_) | Self::List(_) => item.write(depth + 1, out),
                        scalar => writeln!(out, "{}", scalar.scalar()).expect("a string takes it"),
                    }
                }
            }
            scalar => writeln!(out, "{}", scalar.scalar()).expect("a string takes it"),
        }
    }

    fn write_below(&self, depth: usize, out: &mut String) {
        match self {
            Self::Map(entries) if entries.is_empty() => out.push_str(" {}\n"),
            Self::List(items) if items.is_empty() => out.push_str(" []\n"),
            Self::Map(_) | Self::List(_) => {
                out.push('\n');
                indent(depth + 1, out);
                self.write(depth + 1, out);
            }
            scalar => writeln!(out, " {}", scalar.scalar()).expect("a string takes it"),
        }
    }

    fn scalar(&self) -> String {
        match self {
            Self::Whole(value) => value.to_string(),
            Self::Truth(value) => value.to_string(),
            Self::Text(text) if is_plain(text) => text.clone(),
            // The quoting of JSON is good in YAML too.
            Self::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
            Self::List(_) | Self::Map(_) => String::new(),
        }
    }
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Whether no reader of YAML could take the text for anything but this text.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && text.chars().all(|it| it.is_ascii_alphanumeric() || "_-. ".contains(it))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;
    use crate::config::{self, Options};
    use crate::model::dictionary::Dictionaries;

    fn shipped() -> Config {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        let lookup = |_: &str| Some("http://nowhere.invalid".to_owned());
        let (words, identifier_key) = (Dictionaries::default(), b"of a test");
        config::load(Options {
            dir: &dir,
            lookup: &lookup,
            words,
            identifier_key,
            kept: None,
            previous_key: None,
        })
        .unwrap()
    }

    fn as_json(yaml: &Yaml) -> Value {
        match yaml {
            Yaml::Text(text) => json!(text),
            Yaml::Whole(value) => json!(value),
            Yaml::Truth(value) => json!(value),
            Yaml::List(items) => items.iter().map(as_json).collect(),
            Yaml::Map(entries) => {
                entries.iter().map(|(key, value)| ((*key).to_owned(), as_json(value))).collect()
            }
        }
    }

    #[test]
    fn every_shipped_contract_has_the_required_fields_and_reads_back_as_it_was() {
        let config = shipped();
        assert!(config.contracts.len() >= 5);
        for (name, contract) in &config.contracts {
            let written = export(&config, name).unwrap();
            let read: Value = serde_saphyr::from_str(&written).unwrap();
            assert_eq!(read, as_json(&document(&config, contract)), "{written}");
            assert_eq!(read["apiVersion"], "v3.1.0");
            assert_eq!(read["kind"], "DataContract");
            for required in ["id", "version", "status"] {
                assert!(read[required].as_str().is_some_and(|it| !it.is_empty()), "{required}");
            }
            let properties = read["schema"][0]["properties"].as_array().unwrap();
            assert_eq!(properties.len(), contract.properties.len());
            let keys = properties.iter().filter(|it| it["primaryKey"] == true).count();
            assert_eq!(keys, contract.key.len());
            for property in properties {
                let is_identifier = property["physicalType"] == "identifier";
                assert_eq!(is_identifier, property["classification"] == "restricted", "{property}");
            }
        }
        assert_eq!(export(&config, "nothing"), None);
    }

    #[test]
    fn a_contract_says_what_it_promises_and_who_answers() {
        let read: Value =
            serde_saphyr::from_str(&export(&shipped(), "lodging_returns").unwrap()).unwrap();
        let latency = &read["slaProperties"][0];
        assert_eq!((&latency["property"], &latency["value"]), (&json!("latency"), &json!(1)));
        assert_eq!(latency["unit"], "h");
        assert_eq!(read["slaProperties"][1]["unit"], "y");
        assert_eq!(read["team"]["name"], "congan-tinh");
        let quality = read["schema"][0]["quality"].as_array().unwrap();
        assert_eq!(quality[0]["implementation"], "rooms_occupied <= rooms_available");
        let custom = read["customProperties"].as_array().unwrap();
        let fed = custom.iter().find(|it| it["property"] == "fedBy").unwrap();
        assert_eq!(fed["value"], json!(["lodging_a.returns", "lodging_b.returns"]));
    }

    #[test]
    fn no_text_is_taken_for_anything_else() {
        for words in [
            "1",
            "true",
            "No",
            "null",
            "~",
            "a: b",
            "- a",
            "",
            " a",
            "a ",
            "2025-01-01",
            "# a",
            "a #b",
            "{a}",
            "a\nb",
            "\"a\"",
            "Sở Y tế",
            "1.0",
            "*a",
            "@a",
            "0x1",
        ] {
            let mut out = String::new();
            Yaml::Map(vec![("key", text(words))]).write(0, &mut out);
            let read: Value = serde_saphyr::from_str(&out).unwrap();
            assert_eq!(read["key"], *words, "{out}");
        }
    }
}

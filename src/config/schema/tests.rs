//! The schemas against the files that are shipped and against what serde itself accepts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Value, json};

use super::*;
use crate::config::{ErrorHandler, Province, Stream, Unit, written, yaml_files};
use crate::indicator::settings::{self, Settings};
use crate::model::contract;
use crate::model::text::Bilingual;
use crate::pipeline::{
    CursorSettings, FileDiscovery, FileSettings, FleetSettings, HttpDiscovery, IntakeSettings,
    TargetGroup,
};
use crate::pull::{RateLimit, Requester, Retry, Rule};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)
}

fn read(path: &Path) -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What is wrong with `value` by as much of JSON Schema as our schemas use; another keyword is a
/// fault of the test itself.
fn faults(value: &Value, schema: &Value, root: &Value, at: &str, found: &mut Vec<String>) {
    let Some(schema) = schema.as_object() else { return };
    for (keyword, wanted) in schema {
        let fault = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "format" | "items"
            | "pattern" => None,
            "$ref" => {
                let pointer = wanted.as_str().unwrap().trim_start_matches('#');
                faults(
                    value,
                    root.pointer(pointer).expect("every reference leads somewhere"),
                    root,
                    at,
                    found,
                );
                None
            }
            "type" => (!is_type(value, wanted)).then(|| format!("is not {wanted}")),
            "properties" => {
                for (name, below) in wanted.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        faults(value, below, root, &format!("{at}.{name}"), found);
                    }
                }
                None
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                let entries = value.as_object().into_iter().flatten();
                for (name, value) in
                    entries.filter(|(name, _)| known.is_none_or(|it| !it.contains_key(*name)))
                {
                    if *wanted == json!(false) {
                        found.push(format!("{at}.{name}: unknown key"));
                    } else {
                        faults(value, wanted, root, &format!("{at}.{name}"), found);
                    }
                }
                None
            }
            "required" => {
                let missing = wanted.as_array().unwrap().iter();
                let mut missing =
                    missing.filter(|name| value.get(name.as_str().unwrap()).is_none());
                missing.next().map(|name| format!("lacks {name}"))
            }
            "enum" => (!wanted.as_array().unwrap().contains(value))
                .then(|| format!("is not among {wanted}")),
            "const" => (wanted != value).then(|| format!("is not {wanted}")),
            "anyOf" | "oneOf" => {
                let fits = |schema: &&Value| {
                    let mut below = Vec::new();
                    faults(value, schema, root, at, &mut below);
                    below.is_empty()
                };
                let count = wanted.as_array().unwrap().iter().filter(fits).count();
                let good = if keyword == "oneOf" { count == 1 } else { count > 0 };
                (!good).then(|| format!("fits {count} of {keyword}"))
            }
            "minItems" => {
                let items = value.as_array().map_or(0, |items| items.len() as u64);
                (items < wanted.as_u64().unwrap()).then(|| format!("has fewer than {wanted} items"))
            }
            "minimum" => (value.as_f64() < wanted.as_f64()).then(|| format!("is below {wanted}")),
            "maximum" => (value.as_f64() > wanted.as_f64()).then(|| format!("is above {wanted}")),
            other => panic!("the schema uses '{other}', which this test does not know"),
        };
        found.extend(fault.map(|fault| format!("{at}: {fault}")));
    }
    if let (Some(items), Some(below)) = (value.as_array(), schema.get("items")) {
        for (i, item) in items.iter().enumerate() {
            faults(item, below, root, &format!("{at}.{i}"), found);
        }
    }
}

fn is_type(value: &Value, wanted: &Value) -> bool {
    let is = |name: &str| match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("no type is called '{other}'"),
    };
    match wanted {
        Value::String(name) => is(name),
        names => names.as_array().unwrap().iter().any(|name| is(name.as_str().unwrap())),
    }
}

fn judged(value: &Value, schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    faults(value, schema, schema, "", &mut found);
    found
}

#[test]
fn every_shipped_file_keeps_its_schema() {
    let singles = [
        (FileKind::Gateway, "iocgw.yaml"),
        (FileKind::Units, "units.yaml"),
        (FileKind::Areas, "areas.yaml"),
        (FileKind::Calendars, "calendars.yaml"),
        (FileKind::Tracker, "trackers/programme.yaml"),
        (FileKind::Board, "boards/operations.yaml"),
    ];
    let folders = [
        (FileKind::Contract, "contracts"),
        (FileKind::Source, "sources"),
        (FileKind::Indicators, "indicators"),
    ];
    let mut files: Vec<(FileKind, PathBuf)> =
        singles.map(|(kind, name)| (kind, shipped(name))).into();
    for (kind, folder) in folders {
        let found = yaml_files(&shipped(folder));
        assert!(found.len() > 3, "{folder}");
        files.extend(found.into_iter().map(|file| (kind, file)));
    }
    for (kind, file) in files {
        assert_eq!(judged(&read(&file), &of(kind)), [] as [&str; 0], "{}", file.display());
    }
}

#[test]
fn a_mistake_is_underlined() {
    let schema = of(FileKind::Source);
    let good = read(&shipped("sources/portal.yaml"));
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut file = good.clone();
        change(&mut file);
        judged(&file, &schema)
    };
    assert_eq!(broken(&|_| {}), [] as [&str; 0]);
    for (what, change) in [
        ("a misspelt key", (&|file: &mut Value| file["titel"] = json!("x")) as &dyn Fn(&mut Value)),
        ("a missing key", &|file| _ = file.as_object_mut().unwrap().remove("streams")),
        ("a wrong kind", &|file| file["authenticator"]["kind"] = json!("magic")),
        ("a wrong type", &|file| file["retry"]["max_retries"] = json!("many")),
        ("a misspelt key deep down", &|file| {
            file["streams"]["dossiers"]["map"]["dossier"] = json!({"att": "/x"});
        }),
        ("a key of another kind", &|file| file["authenticator"]["token_file"] = json!("x")),
    ] {
        assert_ne!(broken(change), [] as [&str; 0], "{what}");
    }
}

/// Asks a type for the keys that it reads, instead of giving it anything.
struct Ask;

impl<'de> Deserializer<'de> for Ask {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("reads no keys"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom(fields.join(",")))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn keys_read<T: for<'de> Deserialize<'de>>() -> BTreeSet<String> {
    let told = T::deserialize(Ask).err().expect("nothing was given").to_string();
    told.split(',').map(str::to_owned).collect()
}

fn keys_told<T: JsonSchema>() -> BTreeSet<String> {
    let schema = of_type::<T>("");
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

macro_rules! agree {
    ($($settings:ty),* $(,)?) => {$(
        assert_eq!(keys_read::<$settings>(), keys_told::<$settings>(), stringify!($settings));
    )*};
}

#[test]
fn a_schema_names_exactly_the_keys_that_are_read() {
    agree!(
        written::Gateway,
        written::Journal,
        written::Units,
        written::AreaFile,
        written::AreaListFile,
        written::Indicators,
        Source,
        Stream,
        ErrorHandler,
        FleetSettings,
        TargetGroup,
        FileDiscovery,
        HttpDiscovery,
        FileSettings,
        IntakeSettings,
        Province,
        Unit,
        Bilingual,
        Contract,
        contract::Sla,
        contract::Property,
        contract::Check,
        contract::Measure,
        Settings,
        crate::indicator::target::Target,
        crate::indicator::target::Baseline,
        crate::indicator::target::Thresholds,
        crate::serve::TrackerSettings,
        settings::AccountableSettings,
        settings::Component,
        settings::Term,
        Rule,
        CursorSettings,
        RateLimit,
        Requester,
        Retry,
    );
}

#[test]
fn every_key_is_described() {
    let mut bare = Vec::new();
    for kind in [FileKind::Contract, FileKind::Source] {
        let schema = of(kind);
        let nested = schema["$defs"].as_object().unwrap().iter();
        let whole = [("", &schema)].into_iter();
        for (name, schema) in whole.chain(nested.map(|(name, schema)| (name.as_str(), schema))) {
            for (key, property) in schema["properties"].as_object().into_iter().flatten() {
                if property.get("description").is_none() && property.get("const").is_none() {
                    bare.push(format!("{name}.{key}"));
                }
            }
        }
    }
    assert!(bare.is_empty(), "{bare:?}");
}

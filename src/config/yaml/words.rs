//! Faults in the words of a data steward: no type names, no "deserialize", always what to write.
//!
//! What was found is shown as it stands in the file, never what a variable stood for; under a key
//! that is called like a secret nothing is shown at all.

use super::decode::TAG;
use super::fault::{Found, Kind};
use super::node::{Node, Trail, Value};
use super::secrets::{has_url_password, is_secret_name};
use crate::model::nearest::nearest;

/// Longer texts are cut in messages.
const LONGEST_SHOWN: usize = 60;

/// A message and, where there is one, advice.
pub(super) struct Words {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Words {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

/// Says what is wrong with the node at the end of a trail.
pub(super) fn say(kind: &Kind, trail: &Trail<'_>) -> Words {
    let hides = trail.labels.iter().any(|label| is_secret_name(label));
    match kind {
        Kind::UnknownKey { key, allowed } => unknown("key", key, allowed),
        Kind::MissingKey(key) => Words::new(format!("missing key '{key}'")),
        Kind::UnknownWord { allowed, .. } if hides => {
            Words::new("the value is not one of those allowed").hint(Some(list_of(allowed)))
        }
        Kind::UnknownWord { word, allowed } => {
            let shown = as_written(word, trail.node);
            let is_kind = trail.key.is_some_and(|key| key.text() == TAG);
            unknown(if is_kind { TAG } else { "value" }, &shown, allowed)
        }
        Kind::Mismatch { found, expected } => mismatch(found, expected, trail.node, hides),
        Kind::Other(_) if hides => Words::new("the value does not have the expected form"),
        Kind::Other(message) if message.starts_with("data did not match any variant") => {
            Words::new("the value has none of the forms that are possible here")
        }
        Kind::Other(message) => Words::new(as_written(message, trail.node)),
    }
}

/// `unknown key 'titel'`, with the nearest name or else all of them.
fn unknown(what: &str, word: &str, allowed: &[&str]) -> Words {
    let hint = match nearest(word, allowed.iter().copied()) {
        Some(name) => Some(format!("did you mean '{name}'?")),
        None => Some(list_of(allowed)),
    };
    Words::new(format!("unknown {what} '{}'", cut(word))).hint(hint)
}

/// `allowed here: a, b, c`.
pub(super) fn list_of(allowed: &[&str]) -> String {
    if allowed.is_empty() {
        return "no other key is allowed here".to_owned();
    }
    format!("allowed here: {}", allowed.join(", "))
}

fn mismatch(found: &Found, expected: &str, node: &Node, hides: bool) -> Words {
    let wanted = plain_expected(expected);
    let met = if hides { shape(found).to_owned() } else { describe(found, node) };
    let is_variable = matches!(&node.value, Value::Text(text) if text.written.is_some());
    let hint = match found {
        Found::Number(_) | Found::Bool(_) if wanted == "text" && !hides => {
            scalar(node).map(|written| format!("write it in quotes: \"{written}\""))
        }
        Found::Text(_) if is_variable && wanted != "text" => {
            Some("a variable always gives text".to_owned())
        }
        Found::Text(text) if wanted.contains("number") && text.parse::<f64>().is_ok() => {
            Some("write it without quotes".to_owned())
        }
        Found::Nothing if wanted.contains("mapping") || wanted == "a list" => {
            Some("is what belongs here indented less than it should be?".to_owned())
        }
        _ => None,
    };
    Words::new(format!("expected {wanted}, found {met}")).hint(hint)
}

fn shape(found: &Found) -> &'static str {
    match found {
        Found::Text(_) => "text",
        Found::Number(_) => "a number",
        Found::Bool(_) => "true or false",
        Found::Nothing => "nothing",
        Found::Mapping => "a mapping",
        Found::List => "a list",
        Found::Something(_) => "something else",
    }
}

/// What was met, as it stands in the file.
fn describe(found: &Found, node: &Node) -> String {
    match found {
        Found::Text(text) => format!("text '{}'", cut(&as_written(text, node))),
        Found::Number(number) => format!("number {}", scalar(node).unwrap_or(number)),
        Found::Bool(value) => value.to_string(),
        Found::Something(text) => match &node.value {
            Value::Integer(_, written) => format!("number {written}"),
            Value::Text(_) => "a single word".to_owned(),
            _ => as_written(text, node),
        },
        Found::Nothing | Found::Mapping | Found::List => shape(found).to_owned(),
    }
}

/// A number or a boolean as written.
fn scalar(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Integer(_, written) | Value::Float(_, written) => Some(written),
        Value::Bool(true) => Some("true"),
        Value::Bool(false) => Some("false"),
        _ => None,
    }
}

/// serde's names of types in plain words; what a type says of itself stays as it is.
fn plain_expected(expected: &str) -> String {
    let whole = |from: &str, to: &str| format!("a whole number from {from} to {to}");
    match expected {
        "a string" | "a borrowed string" | "a character" | "string" => "text".to_owned(),
        "u8" => whole("0", "255"),
        "u16" => whole("0", "65535"),
        "u32" | "u64" | "usize" | "u128" => "a whole number, 0 or more".to_owned(),
        "i8" => whole("-128", "127"),
        "i16" => whole("-32768", "32767"),
        "i32" | "i64" | "isize" | "i128" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" | "sequence" => "a list".to_owned(),
        "unit" => "nothing".to_owned(),
        "variant identifier" | "field identifier" | "string or map" => {
            "a word or a mapping with one key".to_owned()
        }
        "a map" | "map" => "a mapping (key: value)".to_owned(),
        _ if ["struct", "internally tagged", "adjacently tagged"]
            .iter()
            .any(|start| expected.starts_with(start)) =>
        {
            "a mapping (key: value)".to_owned()
        }
        _ if expected.starts_with("enum") => "a word or a mapping with one key".to_owned(),
        _ if expected.starts_with("tuple") || expected.starts_with("a tuple") => {
            "a list".to_owned()
        }
        _ if expected.starts_with("newtype variant") => "a mapping (key: value)".to_owned(),
        _ => expected.to_owned(),
    }
}

/// A message without what variables stood for and without secrets of the node it is about.
fn as_written(message: &str, node: &Node) -> String {
    let mut message = message.to_owned();
    conceal(node, false, &mut message);
    message
}

fn conceal(node: &Node, hides: bool, message: &mut String) {
    if let Value::Text(text) = &node.value
        && !text.value.is_empty()
        && message.contains(&text.value)
    {
        if hides || has_url_password(text.as_written()) {
            *message = message.replace(&text.value, "***");
        } else if let Some(written) = &text.written {
            *message = message.replace(&text.value, written);
        }
    }
    if let (true, Value::Integer(_, written) | Value::Float(_, written)) = (hides, &node.value) {
        *message = message.replace(written, "***");
    }
    for (key, child) in node.children() {
        conceal(child, hides || key.is_some_and(|key| is_secret_name(key.text())), message);
    }
}

fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(LONGEST_SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.replace(['\n', '\r'], " ")
}

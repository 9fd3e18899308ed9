//! From text to a tree: YAML as serde-saphyr reads it, narrowed to what a configuration needs.
//!
//! Limits come first (size, depth, nodes, aliases), since a file may arrive from anywhere. Only
//! `true` and `false` are booleans, and `01` or `1_000` is text: a commune code must not lose its zero
//! and `no` must stay a word. Keys given twice are all reported, not only the first. The parser's
//! snippets are off: they print source lines, and a source line may hold a secret.

use std::fmt;
use std::io::Read;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, Options, Spanned};

use super::node::{Key, Node, Text, Value};
use super::problem::{Place, Problem};
use super::syntax::{spot, start, syntax_problem};

/// The largest file that is read.
pub const MAX_BYTES: usize = 1 << 20;
/// The deepest nesting of mappings and lists.
pub(super) const MAX_DEPTH: usize = 32;
/// The most values in one file, aliases unfolded.
pub(super) const MAX_NODES: usize = 100_000;

/// Reads a file into a tree; `file` is its name in problems.
pub fn read(path: &Path, file: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    let mut bytes = Vec::new();
    // One byte more than allowed is enough to know that the file is too large.
    let limit = MAX_BYTES as u64 + 1;
    let outcome = std::fs::File::open(path).and_then(|it| it.take(limit).read_to_end(&mut bytes));
    if let Err(error) = outcome {
        problems.push(Problem::new(start(file), "", format!("the file cannot be read: {error}")));
        return None;
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse(text, file, problems),
        // The limit may have cut a character in two, so the size is what is wrong.
        Err(_) if bytes.len() > MAX_BYTES => {
            problems.push(too_large(file));
            None
        }
        Err(error) => {
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let line = good.matches('\n').count() + 1;
            let column = good.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
            let place = Place { file: file.to_owned(), line: line as u32, column: column as u32 };
            problems.push(
                Problem::new(place, "", "the file is not UTF-8 text").hint("save it as UTF-8"),
            );
            None
        }
    }
}

/// Reads text into a tree; `file` is its name in problems.
pub fn parse(text: &str, file: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    if text.len() > MAX_BYTES {
        problems.push(too_large(file));
        return None;
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let raw: Spanned<Raw> = match serde_saphyr::from_str_with_options(text, options()) {
        Ok(raw) => raw,
        Err(error) => {
            problems.push(syntax_problem(&error, text, file));
            return None;
        }
    };
    let mut builder = Builder { text, file, next: 0, labels: Vec::new(), problems };
    let root = builder.node(raw);
    if matches!(root.value, Value::Null) {
        problems.push(Problem::new(start(file), "", "the file is empty"));
        return None;
    }
    Some(root)
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_documents: 1,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_merge_keys: 1_000,
            max_total_scalar_bytes: 4 * MAX_BYTES,
            // The nodes are counted anyway; many uses of one anchor are fair in a fleet.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 8,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn too_large(file: &str) -> Problem {
    Problem::new(start(file), "", "the file is larger than 1 MiB").hint("split it into several")
}

/// A YAML value as the parser hands it over.
enum Raw {
    Mapping(Vec<(Spanned<String>, Spanned<Raw>)>),
    Sequence(Vec<Spanned<Raw>>),
    Text(String),
    Integer(i128),
    Float(f64),
    Bool(bool),
    Null,
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Integer(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
        Ok(Raw::Integer(value))
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<Raw, E> {
        i128::try_from(value).map(Raw::Integer).map_err(|_| E::custom("the number is too large"))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
            if entries.len() > MAX_NODES {
                return Err(A::Error::custom("too many keys"));
            }
        }
        Ok(Raw::Mapping(entries))
    }
}

/// Numbers the nodes, keeps how numbers were written and finds keys that are given twice.
struct Builder<'a> {
    text: &'a str,
    file: &'a str,
    next: u32,
    labels: Vec<String>,
    problems: &'a mut Vec<Problem>,
}

impl Builder<'_> {
    fn node(&mut self, raw: Spanned<Raw>) -> Node {
        let id = self.next;
        self.next += 1;
        // An alias is judged where its anchor stands: that is the text that has to change.
        let location = raw.defined;
        let value = match raw.value {
            Raw::Mapping(entries) => Value::Mapping(self.entries(entries)),
            Raw::Sequence(items) => Value::Sequence(self.items(items)),
            Raw::Text(value) => Value::Text(Text { value, written: None }),
            Raw::Integer(value) => {
                Value::Integer(value, self.written(location).unwrap_or_else(|| value.to_string()))
            }
            Raw::Float(value) => {
                Value::Float(value, self.written(location).unwrap_or_else(|| value.to_string()))
            }
            Raw::Bool(value) => Value::Bool(value),
            Raw::Null => Value::Null,
        };
        Node { value, spot: spot(location), id, end: self.next }
    }

    fn entries(&mut self, raw: Vec<(Spanned<String>, Spanned<Raw>)>) -> Vec<(Key, Node)> {
        let mut lines = std::collections::BTreeMap::new();
        let mut entries = Vec::with_capacity(raw.len());
        for (key, value) in raw {
            let key = Key::new(key.value, spot(key.defined));
            if let Some(line) = lines.get(key.text()) {
                let message = format!("the key '{}' is given twice", key.text());
                self.problems.push(
                    Problem::new(key.place(self.file), self.labels.join("."), message)
                        .hint(format!("it stands in line {line} already")),
                );
                continue;
            }
            lines.insert(key.text().to_owned(), key.place(self.file).line);
            self.labels.push(key.text().to_owned());
            let value = self.node(value);
            self.labels.pop();
            entries.push((key, value));
        }
        entries
    }

    fn items(&mut self, raw: Vec<Spanned<Raw>>) -> Vec<Node> {
        let mut items = Vec::with_capacity(raw.len());
        for (index, item) in raw.into_iter().enumerate() {
            self.labels.push(index.to_string());
            items.push(self.node(item));
            self.labels.pop();
        }
        items
    }

    /// The source text of a scalar.
    fn written(&self, location: Location) -> Option<String> {
        let from = usize::try_from(location.span().byte_offset()?).ok()?;
        let length = usize::try_from(location.span().byte_len()?).ok()?;
        let text = self.text.get(from..from.checked_add(length)?)?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

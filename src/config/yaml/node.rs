//! The tree of a YAML file, in which every key and value knows its line and column.
//!
//! Nodes are numbered in the order of the file, so a node is named by one number and "inside that
//! node" is a comparison of numbers: the search for all problems strikes nodes out by number instead
//! of copying the tree. A node never prints its values, not even with `{:?}`, since a value may be a
//! secret that someone wrote into the file by mistake.

use std::fmt;

use super::inside::place_inside;
use super::problem::Place;

/// A value of a YAML file with its place.
#[derive(Clone)]
pub struct Node {
    pub(super) value: Value,
    pub(super) spot: Spot,
    /// Number of this node in the file.
    pub(super) id: u32,
    /// Number of the first node that is not inside this one.
    pub(super) end: u32,
}

/// A key of a mapping with its place.
#[derive(Clone)]
pub struct Key {
    text: String,
    spot: Spot,
}

/// A line and a column, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) line: u32,
    pub(super) column: u32,
}

/// What a node holds.
#[derive(Clone)]
pub(super) enum Value {
    Mapping(Vec<(Key, Node)>),
    Sequence(Vec<Node>),
    Text(Text),
    /// A whole number and how it was written.
    Integer(i128, String),
    /// A decimal number and how it was written.
    Float(f64, String),
    Bool(bool),
    Null,
}

/// A text: what it stands for, and what stands in the file where the two differ.
#[derive(Clone)]
pub(super) struct Text {
    pub(super) value: String,
    /// The text before variables were put in; messages show this one.
    pub(super) written: Option<String>,
}

impl Text {
    /// The text as it stands in the file.
    pub(super) fn as_written(&self) -> &str {
        self.written.as_deref().unwrap_or(&self.value)
    }
}

impl Spot {
    pub(super) fn place(self, file: &str) -> Place {
        Place { file: file.to_owned(), line: self.line, column: self.column }
    }
}

impl Key {
    pub(super) fn new(text: String, spot: Spot) -> Self {
        Self { text, spot }
    }

    /// The key as written, without quotes.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the key stands.
    pub fn place(&self, file: &str) -> Place {
        self.spot.place(file)
    }
}

impl Node {
    /// Where the value stands; a mapping or list without brackets starts at its first item.
    pub fn place(&self, file: &str) -> Place {
        self.spot.place(file)
    }

    /// The keys and values of a mapping in the order of the file; nothing for any other value.
    pub fn entries(&self) -> impl Iterator<Item = (&Key, &Node)> {
        let entries: &[(Key, Node)] = match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        };
        entries.iter().map(|(key, value)| (key, value))
    }

    /// The items of a list; nothing for any other value.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The value under a key of this mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().find(|(known, _)| known.text() == key).map(|(_, value)| value)
    }

    /// The text of a text value.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(&text.value),
            _ => None,
        }
    }

    /// The node at a dotted path such as `streams.dossiers.query.on.0`; list items go by number from
    /// 0, a key that itself holds dots is found by the longest match, and `""` is this node.
    pub fn at(&self, dotted: &str) -> Option<&Node> {
        if dotted.is_empty() {
            return Some(self);
        }
        self.branches(dotted).into_iter().find_map(|(rest, _, node)| node.at(rest))
    }

    /// The place of the value at a dotted path, or of the deepest thing on the way that is there:
    /// what a check may know about can be left out of the file.
    pub fn place_of(&self, file: &str, dotted: &str) -> Place {
        self.deepest(dotted).1.spot.place(file)
    }

    /// The place of the character `offset` (from 0) of the text at a dotted path; `source` is the file
    /// as it stands. A text that variables were put into is placed by its beginning.
    pub fn place_within(&self, file: &str, source: &str, dotted: &str, offset: usize) -> Place {
        let start = self.place_of(file, dotted);
        match self.at(dotted).map(|node| &node.value) {
            Some(Value::Text(Text { value, written: None })) => {
                place_inside(source, &start, value, offset)
            }
            _ => start,
        }
    }

    /// The place of the key at the end of a dotted path; of a list item, the item's own place.
    pub fn key_place_of(&self, file: &str, dotted: &str) -> Place {
        self.deepest(dotted).2.place(file)
    }

    /// How much of the path is left, the node reached, and the spot of what names it.
    fn deepest(&self, dotted: &str) -> (usize, &Node, Spot) {
        let here = (dotted.len(), self, self.spot);
        if dotted.is_empty() {
            return here;
        }
        let ways = self.branches(dotted).into_iter().map(|(rest, name, node)| {
            let (left, reached, spot) = node.deepest(rest);
            // Nothing further was found below: then the child itself is named by its key.
            if std::ptr::eq(reached, node) { (left, reached, name) } else { (left, reached, spot) }
        });
        ways.fold(here, |best, way| if way.0 < best.0 { way } else { best })
    }

    /// The children that a dotted path may lead into, the longest matching key first: the rest of
    /// the path, the spot of the child's name, the child.
    fn branches<'p>(&self, dotted: &'p str) -> Vec<(&'p str, Spot, &Node)> {
        if let Value::Sequence(items) = &self.value {
            let digits = dotted.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = dotted.split_at(digits);
            let rest = if rest.is_empty() { Some(rest) } else { step(rest) };
            let item = number.parse::<usize>().ok().and_then(|index| items.get(index));
            return rest
                .zip(item)
                .map(|(rest, item)| (rest, item.spot, item))
                .into_iter()
                .collect();
        }
        let mut found: Vec<_> = self
            .entries()
            .filter_map(|(key, node)| {
                let rest = dotted.strip_prefix(key.text())?;
                let rest = if rest.is_empty() { rest } else { step(rest)? };
                Some((rest, key.spot, node))
            })
            .collect();
        found.sort_by_key(|(rest, ..)| rest.len());
        found
    }

    /// Whether the node with this number is this one or inside it.
    pub(super) fn holds(&self, id: u32) -> bool {
        (self.id..self.end).contains(&id)
    }

    /// The way from this node down to a node by number.
    pub(super) fn trail(&self, id: u32) -> Trail<'_> {
        let mut trail = Trail { node: self, key: None, owner: None, labels: Vec::new() };
        while trail.node.id != id {
            let owner = trail.node;
            let mut children = owner.children().enumerate();
            let Some((index, (key, child))) = children.find(|(_, (_, child))| child.holds(id))
            else {
                break;
            };
            trail.labels.push(key.map_or_else(|| index.to_string(), |key| key.text.clone()));
            trail.node = child;
            trail.key = key;
            trail.owner = Some(owner);
        }
        trail
    }

    /// Everything directly inside a mapping or list.
    pub(super) fn children(&self) -> impl Iterator<Item = (Option<&Key>, &Node)> {
        self.entries()
            .map(|(key, node)| (Some(key), node))
            .chain(self.items().iter().map(|node| (None, node)))
    }
}

/// What follows a dot; nothing if no name does.
fn step(rest: &str) -> Option<&str> {
    rest.strip_prefix('.').filter(|rest| !rest.is_empty())
}

/// A node together with how it was reached.
pub(super) struct Trail<'a> {
    pub(super) node: &'a Node,
    /// The key that the node stands under, if it is the value of a mapping's entry.
    pub(super) key: Option<&'a Key>,
    /// The mapping or list that the node stands in.
    pub(super) owner: Option<&'a Node>,
    pub(super) labels: Vec<String>,
}

impl Trail<'_> {
    /// The dotted path of the node.
    pub(super) fn dotted(&self) -> String {
        self.labels.join(".")
    }

    /// The dotted path of what the node stands in.
    pub(super) fn owner_dotted(&self) -> String {
        self.labels[..self.labels.len().saturating_sub(1)].join(".")
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = match &self.value {
            Value::Mapping(entries) => {
                return f.debug_map().entries(entries.iter().map(|(k, v)| (k, v))).finish();
            }
            Value::Sequence(items) => return f.debug_list().entries(items).finish(),
            Value::Text(_) => "text",
            Value::Integer(..) | Value::Float(..) => "number",
            Value::Bool(_) => "bool",
            Value::Null => "nothing",
        };
        write!(f, "{shape}@{}:{}", self.spot.line, self.spot.column)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}", self.text, self.spot.line, self.spot.column)
    }
}

//! What a number is made of: indicator → components → measures → contract → streams → source and run.
//!
//! One picture for the command line and for the API: a graph whose arrows lead from each thing to what
//! it is made of, as a tree to read or as a picture for a document, by Mermaid or by Graphviz.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use crate::indicator::{Catalogue, Definition};
use crate::model::snapshot::RunLine;

/// How much of a measure's version is shown.
const SHORT: usize = 12;

/// What stands below the indicators.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The indicators.
    pub catalogue: &'a Catalogue,
    /// The versions of measures, by `contract.measure`.
    pub measures: &'a BTreeMap<String, String>,
    /// The versions of contracts, by name.
    pub contracts: &'a BTreeMap<String, u32>,
    /// The streams that keep a contract.
    pub feeds: &'a [Feed<'a>],
}

/// One stream of a source.
#[derive(Clone, Debug)]
pub struct Feed<'a> {
    /// The source's name.
    pub source: &'a str,
    /// What people call the source.
    pub title: &'a str,
    /// The unit that answers for it.
    pub unit: &'a str,
    /// The stream's name.
    pub stream: &'a str,
    /// The contract it keeps.
    pub contract: &'a str,
    /// What is said of the stream beside its name.
    pub says: String,
    /// Its last run, where it is known.
    pub run: Option<Run>,
}

/// The last run of a stream, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// When it ended.
    pub ended: String,
    /// How it ended, and what it brought.
    pub says: String,
}

impl Run {
    /// A run by when and how it ended, its pages and its records.
    pub fn told(ended: &str, outcome: &str, pages: u64, records: u64) -> Self {
        let says = format!("{outcome}, {pages} trang / pages, {records} bản ghi / records");
        Self { ended: ended.to_owned(), says }
    }

    /// A run of this process's own store.
    pub fn of(run: &RunLine) -> Self {
        let ended = run.ended.to_string();
        Self::told(&ended, run.outcome.as_str(), run.pages, run.records.received)
    }
}

/// What a node of a lineage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// A number that people look at.
    Indicator,
    /// An additive quantity.
    Measure,
    /// What records mean.
    Contract,
    /// Records of one kind from one source.
    Stream,
    /// A remote system.
    Source,
    /// The last run of a stream.
    Run,
}

impl NodeKind {
    /// The word in the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Indicator => "indicator",
            Self::Measure => "measure",
            Self::Contract => "contract",
            Self::Stream => "stream",
            Self::Source => "source",
            Self::Run => "run",
        }
    }

    /// What people call it, Vietnamese first.
    const fn said(self) -> &'static str {
        match self {
            Self::Indicator => "chỉ tiêu / indicator",
            Self::Measure => "đại lượng / measure",
            Self::Contract => "hợp đồng dữ liệu / contract",
            Self::Stream => "luồng / stream",
            Self::Source => "nguồn / source",
            Self::Run => "lượt lấy / run",
        }
    }
}

/// One thing that a number is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Its name.
    pub name: String,
    /// What it is shown as.
    pub title: String,
    /// The version of its definition, if it has one.
    pub version: Option<String>,
    /// What is said of it beside its name.
    pub says: String,
}

/// What is made of what.
#[derive(Clone, Debug, Default)]
pub struct Lineage {
    nodes: BTreeMap<String, Node>,
    edges: BTreeSet<(String, String)>,
}

impl Lineage {
    /// The lineage of an indicator.
    pub fn of(ground: Ground<'_>, definition: &Definition) -> Self {
        let mut lineage = Self::default();
        lineage.add_indicator(ground, definition);
        lineage
    }

    /// The nodes by id.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(id, node)| (id.as_str(), node))
    }

    /// From each node to what it is made of.
    pub fn edges(&self) -> impl Iterator<Item = (&str, &str)> {
        self.edges.iter().map(|(from, to)| (from.as_str(), to.as_str()))
    }

    /// Adds a node below `above`; yields its id.
    fn add(&mut self, above: Option<&str>, node: Node) -> String {
        let id = format!("{}:{}", node.kind.word(), node.name);
        if let Some(above) = above {
            self.edges.insert((above.to_owned(), id.clone()));
        }
        self.nodes.insert(id.clone(), node);
        id
    }

    fn add_indicator(&mut self, ground: Ground<'_>, one: &Definition) -> String {
        let node = Node {
            kind: NodeKind::Indicator,
            name: one.id.clone(),
            title: one.id.clone(),
            version: Some(one.version.clone()),
            says: one.version.clone(),
        };
        let id = self.add(None, node);
        let components: Vec<&Definition> =
            one.components().filter_map(|name| ground.catalogue.part(name)).collect();
        for component in &components {
            let below = self.add_indicator(ground, component);
            self.edges.insert((id.clone(), below));
        }
        for measure in one.measures.iter().filter(|_| components.is_empty()) {
            self.add_measure(ground, &id, measure);
        }
        id
    }

    fn add_measure(&mut self, ground: Ground<'_>, above: &str, name: &str) {
        let version = ground.measures.get(name).map(|full| full.chars().take(SHORT).collect());
        let says = version.clone().unwrap_or_default();
        let (kind, title) = (NodeKind::Measure, name.to_owned());
        let id = self.add(Some(above), Node { kind, name: name.to_owned(), title, version, says });
        let contract = name.split_once('.').map_or(name, |(contract, _)| contract);
        let Some(version) = ground.contracts.get(contract) else { return };
        let node = Node {
            kind: NodeKind::Contract,
            name: contract.to_owned(),
            title: contract.to_owned(),
            version: Some(version.to_string()),
            says: format!("version {version}"),
        };
        let contract_id = self.add(Some(&id), node);
        for feed in ground.feeds.iter().filter(|feed| feed.contract == contract) {
            self.add_feed(&contract_id, feed);
        }
    }

    fn add_feed(&mut self, above: &str, feed: &Feed<'_>) {
        let name = format!("{}.{}", feed.source, feed.stream);
        let (kind, title, says) = (NodeKind::Stream, name.clone(), feed.says.clone());
        let stream = self.add(Some(above), Node { kind, name, title, version: None, says });
        let source = Node {
            kind: NodeKind::Source,
            name: feed.source.to_owned(),
            title: feed.title.to_owned(),
            version: None,
            says: feed.unit.to_owned(),
        };
        self.add(Some(&stream), source);
        if let Some(run) = &feed.run {
            let node = Node {
                kind: NodeKind::Run,
                name: format!("{}.{}@{}", feed.source, feed.stream, run.ended),
                title: run.ended.clone(),
                version: None,
                says: run.says.clone(),
            };
            self.add(Some(&stream), node);
        }
    }

    /// A tree to read, the indicator first.
    pub fn tree(&self, indicator: &str) -> String {
        let mut text = String::new();
        self.branch(&format!("{}:{indicator}", NodeKind::Indicator.word()), 0, &mut text);
        text
    }

    fn branch(&self, id: &str, depth: usize, text: &mut String) {
        let label = self.nodes.get(id).map_or_else(|| id.to_owned(), Node::label);
        let _ = writeln!(text, "{}{label}", "  ".repeat(depth));
        for (_, to) in self.edges.iter().filter(|(from, _)| from == id) {
            self.branch(to, depth + 1, text);
        }
    }

    /// A Mermaid flowchart, from the sources to the indicator, as data flow.
    pub fn mermaid(&self) -> String {
        let numbers: BTreeMap<&str, usize> =
            self.nodes.keys().enumerate().map(|(number, id)| (id.as_str(), number)).collect();
        let mut text = String::from("flowchart LR\n");
        for (id, node) in &self.nodes {
            let label = node.label().replace('"', "'");
            let _ = writeln!(text, "  n{}[\"{label}\"]", numbers[id.as_str()]);
        }
        for (from, to) in &self.edges {
            let _ = writeln!(text, "  n{} --> n{}", numbers[to.as_str()], numbers[from.as_str()]);
        }
        text
    }

    /// The same in the language of Graphviz.
    pub fn dot(&self) -> String {
        // Every id stands in quotes: its letters mean nothing to Graphviz there but these two.
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut text = String::from("digraph lineage {\n  rankdir=LR;\n  node [shape=box];\n");
        for (id, node) in &self.nodes {
            let _ = writeln!(text, "  \"{}\" [label=\"{}\"];", quoted(id), quoted(&node.label()));
        }
        for (from, to) in &self.edges {
            let _ = writeln!(text, "  \"{}\" -> \"{}\";", quoted(to), quoted(from));
        }
        text.push_str("}\n");
        text
    }
}

impl Node {
    fn label(&self) -> String {
        format!("{} ({}, {})", self.title, self.kind.said(), self.says)
    }
}

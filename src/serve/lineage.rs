//! `/v1/indicators/{id}/lineage`: what a number is made of, down to the last runs of its sources.
//!
//! The same graph as `iocgw indicator explain` draws ([`crate::indicator::lineage`]), with what is known
//! of each stream beside it; as JSON, or as a picture for a document.

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::context::Asked;
use super::error::ApiError;
use super::format::Format;
use crate::indicator::Definition;
use crate::indicator::lineage::{Feed, Ground, Lineage, NodeKind, Run};
use crate::model::snapshot::{RunLine, StreamState};
use crate::model::time::Stamp;

/// One thing that the number is made of.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LineageNode")]
struct Node<'a> {
    id: &'a str,
    kind: NodeKind,
    name: &'a str,
    title: &'a str,
    /// The version of the definition of an indicator, measure or contract.
    version: Option<&'a str>,
    /// Of a stream: the time up to which it is believed complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_through: Option<Stamp>,
    /// Of a stream: its last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<&'a RunLine>,
}

/// An arrow from a node to what it is made of.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LineageEdge")]
struct Edge<'a> {
    from: &'a str,
    to: &'a str,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Lineage")]
pub(super) struct Body<'a> {
    indicator: &'a str,
    definition_version: &'a str,
    as_of: Stamp,
    revision: u64,
    nodes: Vec<Node<'a>>,
    edges: Vec<Edge<'a>>,
}

/// `…/lineage?as_of=&format=`.
pub(super) fn lineage(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let definition = asked.definition()?;
    let query = asked.query()?;
    let lineage = drawn(asked, definition);
    let format = asked.request.format(&query)?;
    let drawn = match format {
        Format::Mermaid => Some(lineage.mermaid()),
        Format::Dot => Some(lineage.dot()),
        Format::Json | Format::Csv | Format::Ndjson => None,
    };
    if let Some(text) = drawn {
        let name = format!("{}-lineage", definition.id);
        return Ok(Answer::file(format, text.into_bytes(), &name));
    }
    let nodes = lineage.nodes().map(|(id, node)| {
        let stream = asked.snapshot.streams.get(&node.name);
        let stream = stream.filter(|_| node.kind == NodeKind::Stream);
        Node {
            id,
            kind: node.kind,
            name: &node.name,
            title: &node.title,
            version: node.version.as_deref(),
            data_through: stream.and_then(|known| known.data_through),
            last_run: stream.and_then(|known| known.runs.back()),
        }
    });
    Answer::json(&Body {
        indicator: &definition.id,
        definition_version: &definition.version,
        as_of: asked.snapshot.at,
        revision: asked.snapshot.revision,
        nodes: nodes.collect(),
        edges: lineage.edges().map(|(from, to)| Edge { from, to }).collect(),
    })
}

/// The graph at the moment of the answer: the streams are those that the revision knows.
fn drawn(asked: &Asked<'_>, definition: &Definition) -> Lineage {
    let streams = asked.snapshot.streams.values();
    let feeds: Vec<Feed<'_>> = streams.map(|stream| feed(asked, stream)).collect();
    let definitions = &asked.definitions;
    let ground = Ground {
        catalogue: &definitions.catalogue,
        measures: &definitions.measure_versions,
        contracts: &definitions.contract_versions,
        feeds: &feeds,
    };
    Lineage::of(ground, definition)
}

fn feed<'a>(asked: &'a Asked<'_>, stream: &'a StreamState) -> Feed<'a> {
    let facts = asked.context.sources.get(&stream.source);
    let run = stream.runs.back().map(Run::of);
    let says = match (stream.data_through, &run) {
        (Some(through), _) => format!("đến / through {through}"),
        (None, Some(_)) => "chưa có số liệu / no data yet".to_owned(),
        (None, None) => "chưa chạy / has not run".to_owned(),
    };
    Feed {
        source: &stream.source,
        title: facts.map_or(stream.source.as_str(), |facts| &facts.title.vi),
        unit: facts.map_or("", |facts| &facts.accountable_unit),
        stream: &stream.stream,
        contract: &stream.contract,
        says,
        run,
    }
}

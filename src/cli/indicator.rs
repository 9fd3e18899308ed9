//! `iocgw indicator`: what a number means and where it comes from.
//!
//! The lineage is read from the checked configuration: indicator → components → measures → contract →
//! streams → source. It is printed as a tree, or as a Mermaid flowchart to put into a document.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::anyhow;

use super::contract::Folder;
use super::{Place, terminal};
use crate::config::Config;
use crate::indicator::Definition;
use crate::model::nearest::nearest;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the indicators
    List {
        #[command(flatten)]
        place: Folder,
    },
    /// Say what an indicator means, who answers for it and which records it is made of
    Explain {
        /// The indicator's id
        id: String,
        /// A tree to read, or a Mermaid flowchart
        #[arg(long, value_enum, default_value_t = Shape::Text)]
        format: Shape,
        #[command(flatten)]
        place: Folder,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Shape {
    Text,
    Mermaid,
}

pub(super) fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::List { place } => {
            let config = Place::offline(&place.config)?;
            for one in config.catalogue.iter() {
                let (id, group, title) = (&one.id, &one.group, &one.title.vi);
                terminal::data(&format!("{id}\t{group}\t{}\t{title}", one.accountable.unit));
            }
        }
        Command::Explain { id, format, place } => {
            let config = Place::offline(&place.config)?;
            let definition = config.catalogue.get(id).ok_or_else(|| unknown(id, &config))?;
            let lineage = Lineage::of(&config, definition);
            let text = match format {
                Shape::Text => explanation(&config, definition) + &lineage.tree(id),
                Shape::Mermaid => lineage.mermaid(),
            };
            terminal::data(text.trim_end());
        }
    }
    Ok(0)
}

fn unknown(id: &str, config: &Config) -> anyhow::Error {
    match nearest(id, config.catalogue.iter().map(|one| one.id.as_str())) {
        Some(near) => anyhow!("there is no indicator '{id}' – did you mean '{near}'?"),
        None => anyhow!("there is no indicator '{id}'; 'iocgw indicator list' names them all"),
    }
}

/// What the indicator itself says, Vietnamese first.
fn explanation(config: &Config, one: &Definition) -> String {
    let mut text = format!("{} / {}\n", one.title.vi, one.title.en);
    if let Some(words) = &one.description {
        let _ = write!(text, "{}\n{}\n", words.vi.trim(), words.en.trim());
    }
    let unit = config.units.get(&one.accountable.unit);
    let body = unit.map_or(one.accountable.unit.as_str(), |unit| unit.name.vi.as_str());
    let _ = write!(
        text,
        "\nCách tính / formula: {}\nĐơn vị tính / unit: {}\nPhiên bản / version: {}\nChịu trách nhiệm / answers for it: {body}, {}\n",
        one.formula, one.unit_measure, one.version, one.accountable.role
    );
    for target in &one.targets {
        let _ = writeln!(text, "Mục tiêu / target: {} từ / from {}", target.value, target.from);
    }
    text.push_str("\nNguồn gốc / lineage\n");
    text
}

/// What is made of what: nodes by name, and an edge from each to what it is made of.
struct Lineage {
    labels: BTreeMap<String, String>,
    edges: BTreeSet<(String, String)>,
}

impl Lineage {
    fn of(config: &Config, definition: &Definition) -> Self {
        let mut lineage = Self { labels: BTreeMap::new(), edges: BTreeSet::new() };
        lineage.add_indicator(config, definition);
        lineage
    }

    fn node(&mut self, name: &str, label: String) {
        self.labels.insert(name.to_owned(), label);
    }

    fn edge(&mut self, from: &str, to: &str) {
        self.edges.insert((from.to_owned(), to.to_owned()));
    }

    fn add_indicator(&mut self, config: &Config, one: &Definition) {
        self.node(&one.id, format!("{} (chỉ tiêu / indicator, {})", one.id, one.version));
        let components: Vec<&Definition> =
            one.components().filter_map(|id| config.catalogue.get(id)).collect();
        for component in &components {
            self.edge(&one.id, &component.id);
            self.add_indicator(config, component);
        }
        for measure in one.measures.iter().filter(|_| components.is_empty()) {
            self.edge(&one.id, measure);
            self.add_measure(config, measure);
        }
    }

    fn add_measure(&mut self, config: &Config, name: &str) {
        let known = config.plans.iter().flat_map(|plan| &plan.measures);
        let Some(measure) = known.into_iter().find(|measure| measure.name == name) else { return };
        let version = &measure.definition[..measure.definition.len().min(12)];
        self.node(name, format!("{name} (đại lượng / measure, {version})"));
        let contract = name.split_once('.').map_or(name, |(contract, _)| contract);
        let place = format!("contract {contract}");
        self.edge(name, &place);
        let Some(written) = config.contracts.get(contract) else { return };
        self.node(
            &place,
            format!("{contract} (hợp đồng dữ liệu / contract, version {})", written.version),
        );
        for source in &config.sources {
            let source = &source.written;
            for (stream, settings) in &source.streams {
                if settings.contract == contract {
                    let from = format!("{}.{stream}", source.source);
                    self.edge(&place, &from);
                    self.node(&from, format!("{from} (luồng / stream, {})", settings.interval));
                    let origin = format!("source {}", source.source);
                    self.edge(&from, &origin);
                    let unit = &source.accountable_unit;
                    self.node(&origin, format!("{} (nguồn / source, {unit})", source.title.vi));
                }
            }
        }
    }

    fn tree(&self, root: &str) -> String {
        let mut text = String::new();
        self.branch(root, 0, &mut text);
        text
    }

    fn branch(&self, name: &str, depth: usize, text: &mut String) {
        let label = self.labels.get(name).map_or(name, String::as_str);
        let _ = writeln!(text, "{}{label}", "  ".repeat(depth));
        for (_, to) in self.edges.iter().filter(|(from, _)| from == name) {
            self.branch(to, depth + 1, text);
        }
    }

    fn mermaid(&self) -> String {
        let numbers: BTreeMap<&str, usize> =
            self.labels.keys().enumerate().map(|(number, name)| (name.as_str(), number)).collect();
        let mut text = String::from("flowchart LR\n");
        for (name, label) in &self.labels {
            let _ =
                writeln!(text, "  n{}[\"{}\"]", numbers[name.as_str()], label.replace('"', "'"));
        }
        for (from, to) in &self.edges {
            if let (Some(from), Some(to)) = (numbers.get(from.as_str()), numbers.get(to.as_str())) {
                // Data flow from the source to the indicator.
                let _ = writeln!(text, "  n{to} --> n{from}");
            }
        }
        text
    }
}

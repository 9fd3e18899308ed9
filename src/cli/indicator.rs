//! `iocgw indicator`: what a number means and where it comes from.
//!
//! The lineage is read from the checked configuration and printed as a tree, or as a Mermaid flowchart
//! to put into a document; the API draws the same ([`crate::indicator::lineage`]).

use std::fmt::Write as _;

use anyhow::anyhow;

use super::contract::Folder;
use super::{Place, terminal};
use crate::config::Config;
use crate::indicator::Definition;
use crate::indicator::lineage::{Feed, Ground, Lineage};
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
            let lineage = lineage(&config, definition);
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
        let _ = write!(text, "Mục tiêu / target: {} từ / from {}", target.value, target.from);
        if let Some(until) = target.until {
            let _ = write!(text, " đến hết / until {until}");
        }
        if let Some(baseline) = target.baseline {
            let _ = write!(text, ", từ mức / baseline {} ({})", baseline.value, baseline.on);
        }
        text.push('\n');
    }
    text.push_str("\nNguồn gốc / lineage\n");
    text
}

/// The lineage that the configuration tells.
fn lineage(config: &Config, definition: &Definition) -> Lineage {
    let measures = config.measure_versions();
    let contracts = config.contract_versions();
    let feeds: Vec<Feed<'_>> = config
        .sources
        .iter()
        .flat_map(|source| {
            source.written.streams.iter().map(move |stream| (&source.written, stream))
        })
        .map(|(source, (stream, settings))| Feed {
            source: &source.source,
            title: &source.title.vi,
            unit: &source.accountable_unit,
            stream,
            contract: &settings.contract,
            says: settings.interval.to_string(),
        })
        .collect();
    let catalogue = &config.catalogue;
    let ground = Ground { catalogue, measures: &measures, contracts: &contracts, feeds: &feeds };
    Lineage::of(ground, definition)
}

//! `iocgw config`: check a configuration, all problems at once, and describe its files to editors.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use super::{Place, terminal, test};
use crate::config::schema::{self, FileKind};
use crate::rehearse;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Read the whole folder and report every problem with file, line and column
    Check {
        #[command(flatten)]
        place: Place,
    },
    /// Print the JSON Schema of a kind of file, for editors
    Schema {
        /// The kind of file
        #[arg(long, value_enum, value_name = "KIND", required_unless_present = "out")]
        kind: Option<Kind>,
        /// Write the schemas of all kinds into this folder instead
        #[arg(long, value_name = "DIR", conflicts_with = "kind")]
        out: Option<PathBuf>,
    },
}

/// The kinds of files that have a schema.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Kind {
    /// sources/*.yaml
    Source,
    /// contracts/*.yaml
    Contract,
    /// indicators/*.yaml
    Indicators,
    /// trackers/*.yaml
    Tracker,
    /// boards/*.yaml
    Board,
    /// units.yaml
    Units,
    /// areas.yaml
    Areas,
    /// calendars.yaml
    Calendars,
    /// iocgw.yaml
    Gateway,
    /// tests/*.yaml
    Test,
}

pub(super) fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::Check { place } => check(place),
        Command::Schema { kind, out } => {
            if let Some(folder) = out {
                return write_all(folder);
            }
            if let Some(kind) = kind {
                terminal::data(&pretty(&document(*kind)));
            }
            Ok(0)
        }
    }
}

fn check(place: &Place) -> anyhow::Result<u8> {
    let config = place.settings("unused".into()).check()?;
    let cases = test::suite(&place.config.join(rehearse::FOLDER), &config)?;
    let streams: usize = config.sources.iter().map(|source| source.streams.len()).sum();
    let measures: usize = config.plans.iter().map(|plan| plan.measures.len()).sum();
    terminal::data(&format!(
        "{}: good: {} sources with {streams} streams, {} contracts with {measures} measures, {} indicators, {} code lists, {} communes, {} cases",
        place.config.display(),
        config.sources.len(),
        config.plans.len(),
        config.catalogue.len(),
        config.lists.len(),
        config.areas.current().len(),
        cases.len()
    ));
    Ok(0)
}

fn document(kind: Kind) -> Value {
    match kind {
        Kind::Source => schema::of(FileKind::Source),
        Kind::Contract => schema::of(FileKind::Contract),
        Kind::Indicators => schema::of(FileKind::Indicators),
        Kind::Board => schema::of(FileKind::Board),
        Kind::Tracker => schema::of(FileKind::Tracker),
        Kind::Units => schema::of(FileKind::Units),
        Kind::Areas => schema::of(FileKind::Areas),
        Kind::Calendars => schema::of(FileKind::Calendars),
        Kind::Gateway => schema::of(FileKind::Gateway),
        Kind::Test => rehearse::schema(),
    }
}

fn pretty(document: &Value) -> String {
    format!("{document:#}")
}

fn write_all(folder: &Path) -> anyhow::Result<u8> {
    use clap::ValueEnum as _;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for kind in Kind::value_variants() {
        let name = kind.to_possible_value().map_or(String::new(), |it| it.get_name().to_owned());
        let file = folder.join(format!("{name}.schema.json"));
        std::fs::write(&file, pretty(&document(*kind)) + "\n")
            .with_context(|| format!("cannot write {}", file.display()))?;
        terminal::data(&file.display().to_string());
    }
    Ok(0)
}

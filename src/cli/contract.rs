//! `iocgw contract`: what records mean, for those who send or receive them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use super::{PROBLEM, Place, terminal};
use crate::clock::Clock;
use crate::config::{Config, odcs};
use crate::model::nearest::nearest;
use crate::rehearse::Sample;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the contracts
    List {
        #[command(flatten)]
        place: Folder,
    },
    /// Print a contract in the Open Data Contract Standard 3.1 (YAML)
    Export {
        /// The contract's name
        name: String,
        #[command(flatten)]
        place: Folder,
    },
    /// Say how many records of a file keep a contract and which rules the others break; never values
    Check {
        /// The contract's name
        name: String,
        /// Records by property: a JSON array, or one JSON object a line
        #[arg(long, value_name = "FILE")]
        sample: PathBuf,
        #[command(flatten)]
        place: Folder,
    },
}

/// Where the configuration is.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Folder {
    /// The configuration folder
    #[arg(long, value_name = "DIR", default_value = "config")]
    pub(super) config: PathBuf,
}

pub(super) fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::List { place } => Ok(list(&Place::offline(&place.config)?)),
        Command::Export { name, place } => {
            let config = Place::offline(&place.config)?;
            let document = odcs::export(&config, name).ok_or_else(|| unknown(name, &config))?;
            terminal::data(document.trim_end());
            Ok(0)
        }
        Command::Check { name, sample, place } => {
            check(name, sample, &Place::offline(&place.config)?)
        }
    }
}

fn list(config: &Config) -> u8 {
    for (name, contract) in &config.contracts {
        let streams = config.sources.iter().flat_map(|source| source.written.streams.values());
        let fed = streams.filter(|stream| stream.contract == *name).count();
        terminal::data(&format!(
            "{name}\tversion {}\t{} properties\t{} measures\tfed by {fed} streams\t{}\t{}",
            contract.version,
            contract.properties.len(),
            contract.measures.len(),
            contract.accountable_unit,
            contract.title.vi
        ));
    }
    0
}

fn check(name: &str, file: &Path, config: &Config) -> anyhow::Result<u8> {
    if !config.contracts.contains_key(name) {
        return Err(unknown(name, config));
    }
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let passed = Sample::of(config, name)?
        .read_file(&text, Clock::System.now())
        .with_context(|| format!("{} cannot be read", file.display()))?;
    let normalised = passed.normalised;
    terminal::data(&format!(
        "{name}: {} records: {} keep the contract, {} would go to quarantine; {} unknown codes taken as other, {} warnings",
        passed.received,
        normalised.observations.len(),
        normalised.rejects.len(),
        normalised.unknown_codes(),
        normalised.warnings()
    ));
    let mut by_rule: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for reject in &normalised.rejects {
        *by_rule.entry((reject.reason.as_str(), &reject.rule)).or_default() += 1;
    }
    for ((reason, rule), count) in &by_rule {
        terminal::data(&format!("{name}:   {count} × {reason}: {rule}"));
    }
    Ok(if normalised.rejects.is_empty() { 0 } else { PROBLEM })
}

fn unknown(name: &str, config: &Config) -> anyhow::Error {
    let hint = nearest(name, config.contracts.keys().map(String::as_str))
        .map_or(String::new(), |near| format!("; did you mean '{near}'?"));
    anyhow!("there is no contract '{name}'{hint}")
}

//! `iocgw fsck` and `iocgw rebuild`: recount every cube from its entities; build measures anew.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};

use super::{PROBLEM, Place, terminal};
use crate::app::Gateway;
use crate::clock::Clock;
use crate::store::Report;

/// What both commands are given.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The store's file; no gateway may be using it
    #[arg(long, value_name = "FILE", default_value = "iocgw.db")]
    store: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    arguments: Arguments,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Rebuild {
    /// The measures, as contract.measure; all of them if none is named
    measures: Vec<String>,
    #[command(flatten)]
    arguments: Arguments,
}

impl Arguments {
    fn there_is_a_store(&self) -> anyhow::Result<()> {
        if self.store.exists() {
            return Ok(());
        }
        Err(anyhow!("there is no store at {}; name one with --store", self.store.display()))
    }
}

pub(super) fn check(Check { arguments, json }: &Check) -> anyhow::Result<u8> {
    arguments.there_is_a_store()?;
    let settings = arguments.place.settings(arguments.store.clone());
    let report = Gateway::check(&settings, &Clock::System).context("cannot check the store")?;
    let text = if *json { serde_json::to_string_pretty(&report)? } else { lines(&report) };
    terminal::data(&text);
    Ok(if report.is_sound() { 0 } else { PROBLEM })
}

fn lines(report: &Report) -> String {
    let mut lines = vec![format!("revision {}", report.revision)];
    lines.extend(report.damage.iter().map(|words| format!("DAMAGED  {words}")));
    lines.extend(report.unbalanced.iter().map(|name| format!("UNBALANCED  {name}")));
    for found in &report.measures {
        let (cells, entities) = (found.cells, found.entities);
        let name = &found.measure;
        let verdict = match (found.differ_from_entities, found.differ_from_journal) {
            _ if found.redefined => "new definition, will be built at the next start".to_owned(),
            (0, 0) => "ok".to_owned(),
            (from_entities, from_journal) => format!(
                "WRONG: {from_entities} cells differ from the entities, {from_journal} from the journal"
            ),
        };
        lines.push(format!("{name}: {cells} cells from {entities} entities: {verdict}"));
    }
    let wrong: u64 = report.measures.iter().map(|found| found.differ_from_entities).sum();
    lines.push(format!("{wrong} differences"));
    lines.join("\n")
}

pub(super) async fn rebuild(Rebuild { measures, arguments }: &Rebuild) -> anyhow::Result<u8> {
    arguments.there_is_a_store()?;
    let settings = arguments.place.settings(arguments.store.clone());
    let built = Gateway::rebuild(&settings, Clock::System, measures)
        .await
        .context("cannot rebuild the measures")?;
    terminal::data(&format!("built anew: {}", built.join(", ")));
    Ok(0)
}

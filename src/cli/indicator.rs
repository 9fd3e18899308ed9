//! `iocgw indicator`: what a number means and where it comes from.
//!
//! The lineage is read from the checked configuration and printed as a tree, or as a picture
//! to put into a document; the API draws the same ([`crate::indicator::lineage`]). The last runs are
//! asked of the running gateway, or read from a store that no gateway is using.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::contract::Folder;
use super::remote::Remote;
use super::{Place, terminal};
use crate::app::Gateway;
use crate::clock::Clock;
use crate::config::Config;
use crate::indicator::Definition;
use crate::indicator::lineage::{Feed, Ground, Lineage, Run};
use crate::model::nearest::nearest;
use crate::model::snapshot::StreamState;

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
        /// A tree to read, or a picture by Mermaid or Graphviz
        #[arg(long, value_enum, default_value_t = Shape::Text)]
        format: Shape,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        ran: Ran,
    },
}

/// Who tells the last runs; without either only the configuration is read.
#[derive(Debug, clap::Args)]
pub(super) struct Ran {
    /// The running gateway's address, which tells the last runs
    #[arg(long, conflicts_with = "store")]
    url: Option<Url>,
    /// The file with the key to show to it, of `iocgw key create --out`
    #[arg(long, value_name = "FILE", env = "IOCGW_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// The file of the store that tells the last runs; no gateway may be using it
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Shape {
    Text,
    Mermaid,
    Dot,
}

pub(super) async fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::List { place } => {
            let config = Place::offline(&place.config)?;
            for one in config.catalogue.iter() {
                let (id, group, title) = (&one.id, &one.group, &one.title.vi);
                terminal::data(&format!("{id}\t{group}\t{}\t{title}", one.accountable.unit));
            }
        }
        Command::Explain { id, format, place, ran } => {
            let config = Place::offline(&place.config)?;
            let definition = config.catalogue.get(id).ok_or_else(|| unknown(id, &config))?;
            let runs = ran.runs(definition, place).await?;
            let lineage = lineage(&config, definition, runs.as_ref());
            let text = match format {
                Shape::Text if runs.is_some() => {
                    explanation(&config, definition) + &lineage.tree(id)
                }
                Shape::Text => explanation(&config, definition) + &lineage.tree(id) + UNASKED,
                Shape::Mermaid => lineage.mermaid(),
                Shape::Dot => lineage.dot(),
            };
            terminal::data(text.trim_end());
        }
    }
    Ok(0)
}

/// What stands below a tree without runs.
const UNASKED: &str =
    "\nLượt lấy gần nhất: dùng --url hoặc --store / the last runs: with --url or --store\n";

/// The last run of each stream that has run, by `source.stream`.
type Runs = BTreeMap<String, Run>;

impl Ran {
    /// `None` where nobody is asked.
    async fn runs(&self, definition: &Definition, place: &Place) -> anyhow::Result<Option<Runs>> {
        if let Some(url) = &self.url {
            let remote = Remote::new(url, self.token_file.as_deref())?;
            let path = format!("/v1/indicators/{}/lineage", definition.id);
            return answered(&remote.get(&path, &[]).await?, definition).map(Some);
        }
        let Some(store) = &self.store else { return Ok(None) };
        if !store.exists() {
            return Err(anyhow!("there is no store at {}", store.display()));
        }
        let settings = place.settings(store.clone());
        let gateway = Gateway::open(&settings, Clock::System, CancellationToken::new())
            .context("cannot read the store itself; a running gateway is asked with --url")?;
        let snapshot = gateway.store().snapshot();
        gateway.store().close().await;
        let last = |(name, stream): (&String, &std::sync::Arc<StreamState>)| {
            Some((name.clone(), Run::of(stream.runs.back()?)))
        };
        Ok(Some(snapshot.streams.iter().filter_map(last).collect()))
    }
}

/// The runs in the lineage that a gateway answers with.
fn answered(body: &Value, definition: &Definition) -> anyhow::Result<Runs> {
    let there = body["definition_version"].as_str().unwrap_or_default();
    if there != definition.version {
        terminal::message(&format!(
            "iocgw: the gateway works with version {there} of '{}', this folder defines {}",
            definition.id, definition.version
        ));
    }
    let nodes = body["nodes"].as_array().ok_or_else(|| anyhow!("the gateway tells no lineage"))?;
    let run = |node: &Value| {
        let run = &node["last_run"];
        let (ended, outcome) = (run["ended"].as_str()?, run["outcome"].as_str()?);
        let (pages, records) = (run["pages"].as_u64()?, run["records"]["received"].as_u64()?);
        Some((node["name"].as_str()?.to_owned(), Run::told(ended, outcome, pages, records)))
    };
    Ok(nodes.iter().filter_map(run).collect())
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

/// The lineage that the configuration tells, with the runs that are known.
fn lineage(config: &Config, definition: &Definition, runs: Option<&Runs>) -> Lineage {
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
            run: runs.and_then(|runs| runs.get(&format!("{}.{stream}", source.source)).cloned()),
        })
        .collect();
    let catalogue = &config.catalogue;
    let ground = Ground { catalogue, measures: &measures, contracts: &contracts, feeds: &feeds };
    Lineage::of(ground, definition)
}

//! `iocgw measure`: the cells behind the indicators, as CSV, so that anyone can recount them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};

use super::{Place, terminal};
use crate::app::Gateway;
use crate::clock::Clock;
use crate::model::cube::{BIN, Dimension, area_of};
use crate::model::dictionary::{Dictionaries, Dictionary};
use crate::model::nearest::nearest;
use crate::model::snapshot::Measure;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Write every cell of a measure: day, area code as reported, dimensions, amount
    Export {
        /// The measure, as contract.measure
        name: String,
        #[command(flatten)]
        place: Place,
        /// The store's file
        #[arg(long, value_name = "FILE", default_value = "iocgw.db")]
        store: PathBuf,
    },
}

pub(super) async fn run(Command::Export { name, place, store }: &Command) -> anyhow::Result<u8> {
    if !store.exists() {
        return Err(anyhow!("there is no store at {}; name one with --store", store.display()));
    }
    let gateway = Gateway::open(
        &place.settings(store.clone()),
        Clock::System,
        tokio_util::sync::CancellationToken::new(),
    )
    .context("cannot open the store")?;
    gateway.store().whole().await;
    let snapshot = gateway.store().snapshot();
    let Some(measure) = snapshot.measures.get(name) else {
        let hint = nearest(name, snapshot.measures.keys().map(String::as_str))
            .map_or(String::new(), |near| format!("; did you mean '{near}'?"));
        return Err(anyhow!("there is no measure '{name}'{hint}"));
    };
    write(measure, &snapshot.texts, gateway.config());
    Ok(0)
}

/// Dictionaries of text properties by name.
type Texts = BTreeMap<String, Arc<Dictionary>>;

fn write(measure: &Measure, texts: &Texts, config: &crate::config::Config) {
    let names: Vec<_> =
        measure.dimensions.iter().map(|dimension| dimension.name.as_str()).collect();
    let mut lines = vec![format!("day,area,{},amount", names.join(",")).replace(",,", ",")];
    for (day, cells) in measure.cube.days() {
        for (key, amount) in cells {
            let area = config.areas.get(area_of(*key)).map_or("", |area| area.code.as_str());
            let words: Vec<_> = measure
                .dimensions
                .iter()
                .map(|dimension| word(&config.words, texts, dimension, *key))
                .collect();
            let line =
                [&[day.to_string(), area.to_owned()], &words[..], &[amount.to_string()]].concat();
            lines.push(line.join(","));
        }
        if !terminal::data(&lines.join("\n")) {
            return;
        }
        lines.clear();
    }
    if !lines.is_empty() {
        terminal::data(&lines.join("\n"));
    }
}

fn word(words: &Dictionaries, texts: &Texts, dimension: &Dimension, key: u64) -> String {
    let number = dimension.of(key);
    if dimension.name == BIN {
        return number.to_string();
    }
    let texts = texts.get(&dimension.dictionary).map(AsRef::as_ref);
    texts
        .or_else(|| words.get(&dimension.dictionary))
        .and_then(|dictionary| dictionary.word(number))
        .unwrap_or("")
        .to_owned()
}

//! `iocgw quarantine`: list what broke its contract, send it through the contract again, discard it.
//!
//! With `--url` it is done by the running gateway; without, on the store itself, which no gateway may
//! be using then.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::remote::Remote;
use super::{Place, terminal};
use crate::app::{Gateway, Settings};
use crate::clock::Clock;
use crate::config::Config;
use crate::model::quarantine::{Filter, Quarantined, State};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List records, or how many broke which rule
    List {
        #[command(flatten)]
        which: Which,
        /// held, resolved, replayed, discarded or all
        #[arg(long, default_value = "held", value_parser = ["held", "resolved", "replayed", "discarded", "all"])]
        state: String,
        /// Sum up by rule instead of listing
        #[arg(long)]
        by_rule: bool,
        /// At most so many lines
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
        #[command(flatten)]
        whose: Whose,
    },
    /// Show one record: its shape, never its values
    Show {
        /// Its number
        id: u64,
        #[command(flatten)]
        whose: Whose,
    },
    /// Send held records through their contract again, after it or a code list was corrected
    Replay {
        #[command(flatten)]
        which: Which,
        /// Only the record of this number; may be repeated
        #[arg(long = "id", value_name = "ID")]
        ids: Vec<u64>,
        #[command(flatten)]
        whose: Whose,
    },
    /// Mark held records as not to be counted; nothing is deleted
    Discard {
        #[command(flatten)]
        which: Which,
        /// The record of this number; may be repeated
        #[arg(long = "id", value_name = "ID")]
        ids: Vec<u64>,
        /// Who decides (a position)
        #[arg(long)]
        by: String,
        /// Why
        #[arg(long)]
        why: String,
        #[command(flatten)]
        whose: Whose,
    },
}

/// Which records.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Only of this source
    #[arg(long)]
    source: Option<String>,
    /// Only of this stream
    #[arg(long)]
    stream: Option<String>,
    /// Only of this contract
    #[arg(long)]
    contract: Option<String>,
    /// Only with this reason
    #[arg(long)]
    reason: Option<String>,
    /// Only those that broke this property or check
    #[arg(long)]
    rule: Option<String>,
}

/// Whose quarantine: a running gateway's or a store's.
#[derive(Debug, clap::Args)]
pub(super) struct Whose {
    /// The running gateway's address
    #[arg(long)]
    url: Option<Url>,
    /// The file with the key to show to it, of `iocgw key create --out`
    #[arg(long, value_name = "FILE", env = "IOCGW_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// The store's file; no gateway may be using it
    #[arg(long, value_name = "FILE", default_value = "iocgw.db")]
    store: PathBuf,
}

impl Whose {
    /// The running gateway, if one is named.
    pub(super) fn remote(&self) -> anyhow::Result<Option<Remote>> {
        self.url.as_ref().map(|url| Remote::new(url, self.token_file.as_deref())).transpose()
    }

    /// Where the store and its things are.
    pub(super) fn settings(&self) -> Settings {
        self.place.settings(self.store.clone())
    }

    /// The configuration alone.
    pub(super) fn config(&self) -> anyhow::Result<Config> {
        Ok(Place::offline(&self.place.config)?)
    }

    /// The store itself.
    pub(super) fn gateway(&self) -> anyhow::Result<Gateway> {
        if !self.store.exists() {
            return Err(anyhow!(
                "there is no store at {}; name one with --store",
                self.store.display()
            ));
        }
        Gateway::open(&self.settings(), Clock::System, CancellationToken::new())
            .context("cannot work on the store itself; a running gateway is asked with --url")
    }
}

impl Which {
    fn named(&self) -> [(&'static str, &Option<String>); 5] {
        [
            ("source", &self.source),
            ("stream", &self.stream),
            ("contract", &self.contract),
            ("reason", &self.reason),
            ("rule", &self.rule),
        ]
    }

    fn query(&self) -> Vec<(&'static str, String)> {
        self.named().into_iter().filter_map(|(name, text)| Some((name, text.clone()?))).collect()
    }

    fn body(&self) -> Value {
        Value::Object(
            self.query().into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect(),
        )
    }

    fn is_everything(&self) -> bool {
        self.named().iter().all(|(_, text)| text.is_none())
    }

    fn filter(&self) -> Filter {
        Filter {
            source: self.source.clone(),
            stream: self.stream.clone(),
            contract: self.contract.clone(),
            reason: self.reason.clone(),
            rule: self.rule.clone(),
            ..Filter::default()
        }
    }
}

pub(super) async fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::List { which, state, by_rule, limit, whose } => {
            list(which, state, *by_rule, *limit, whose).await
        }
        Command::Show { id, whose } => show(*id, whose).await,
        Command::Replay { which, ids, whose } => replay(which, ids, whose).await,
        Command::Discard { which, ids, by, why, whose } => {
            discard(which, ids, (by, why), whose).await
        }
    }
}

async fn list(
    which: &Which,
    state: &str,
    by_rule: bool,
    limit: u16,
    whose: &Whose,
) -> anyhow::Result<u8> {
    let items = if let Some(remote) = whose.remote()? {
        let mut query = which.query();
        query.extend([("state", state.to_owned()), ("limit", limit.to_string())]);
        if by_rule {
            query.push(("group", "rule".to_owned()));
        }
        let body = remote.get("/v1/quarantine", &query).await?;
        body["items"].as_array().cloned().unwrap_or_default()
    } else {
        let gateway = whose.gateway()?;
        let state = State::ALL.into_iter().find(|known| known.as_str() == state);
        let filter = Filter { state, limit: limit.into(), ..which.filter() };
        let store = gateway.store();
        let items = if by_rule {
            let groups = store.quarantine_groups(&filter)?;
            groups.iter().map(serde_json::to_value).collect::<Result<_, _>>()?
        } else {
            store.quarantine(&filter)?.iter().map(described).collect()
        };
        store.close().await;
        items
    };
    let columns: &[&str] = if by_rule {
        &["records", "source", "stream", "contract", "reason", "rule"]
    } else {
        &["id", "source", "stream", "reason", "rule", "state", "attempts", "last_seen_at"]
    };
    for item in &items {
        let cells: Vec<_> = columns.iter().map(|column| cell(&item[*column])).collect();
        if !terminal::data(&cells.join("\t")) {
            break;
        }
    }
    Ok(0)
}

async fn show(id: u64, whose: &Whose) -> anyhow::Result<u8> {
    let record = if let Some(remote) = whose.remote()? {
        remote.get(&format!("/v1/quarantine/{id}"), &[]).await?
    } else {
        let gateway = whose.gateway()?;
        let filter = Filter { ids: vec![id], limit: 1, ..Filter::default() };
        let found = gateway.store().quarantine(&filter)?;
        gateway.store().close().await;
        let record =
            found.first().ok_or_else(|| anyhow!("there is no record {id} in quarantine"))?;
        described(record)
    };
    for (name, value) in record.as_object().into_iter().flatten() {
        terminal::data(&format!("{name}\t{}", cell(value)));
    }
    Ok(0)
}

async fn replay(which: &Which, ids: &[u64], whose: &Whose) -> anyhow::Result<u8> {
    let done = if let Some(remote) = whose.remote()? {
        let mut body = which.body();
        body["ids"] = json!(ids);
        remote.post("/v1/quarantine/replays", &body).await?
    } else {
        let gateway = whose.gateway()?;
        let filter = Filter { ids: ids.to_vec(), ..which.filter() };
        let done = gateway.replay(&filter).await?;
        gateway.store().close().await;
        serde_json::to_value(done)?
    };
    terminal::data(&format!("replayed\t{}", done["replayed"]));
    terminal::data(&format!("still refused\t{}", done["still_refused"]));
    for (reason, count) in done["by_reason"].as_object().into_iter().flatten() {
        terminal::data(&format!("  {reason}\t{count}"));
    }
    Ok(0)
}

async fn discard(
    which: &Which,
    ids: &[u64],
    (by, why): (&str, &str),
    whose: &Whose,
) -> anyhow::Result<u8> {
    if ids.is_empty() == which.is_everything() {
        return Err(anyhow!("name the records either by --id or by what they have in common"));
    }
    if by.trim().is_empty() || why.trim().is_empty() {
        return Err(anyhow!(
            "--by and --why say who decides and for what reason: neither is empty"
        ));
    }
    let done = if let Some(remote) = whose.remote()? {
        let mut body = json!({"by": by, "reason": why});
        if ids.is_empty() {
            body["filter"] = which.body();
        } else {
            body["ids"] = json!(ids);
        }
        remote.post("/v1/quarantine/discards", &body).await?["discarded"].clone()
    } else {
        let gateway = whose.gateway()?;
        let filter = Filter { ids: ids.to_vec(), state: Some(State::Held), ..which.filter() };
        let done = gateway.discard(filter, by.trim().to_owned(), why.trim().to_owned()).await?;
        gateway.store().close().await;
        done.into()
    };
    terminal::data(&format!("discarded\t{done}"));
    Ok(0)
}

/// A record with the names that the API gives its fields.
fn described(record: &Quarantined) -> Value {
    let mut described = json!({
        "id": record.id, "source": record.source, "stream": record.stream,
        "contract": record.contract, "contract_version": record.contract_version,
        "reason": record.reason, "rule": record.rule, "shape": record.shape,
        "first_seen_at": record.first_seen, "last_seen_at": record.last_seen,
        "attempts": record.attempts, "state": record.state,
    });
    if let Some((at, by, reason)) = &record.discarded {
        described["discarded"] = json!({"at": at, "by": by, "reason": reason});
    }
    described
}

fn cell(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

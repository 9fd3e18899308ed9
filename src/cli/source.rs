//! `iocgw source`: list, try, pull and pause sources by hand.

mod backfill;
mod discover;
mod list;
mod steering;
mod trial;

use std::path::PathBuf;

use anyhow::anyhow;

use super::quarantine::Whose;
use super::{Place, terminal};
use crate::config::{CheckedSource, Config};
use crate::model::nearest::nearest;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the configured sources
    List {
        /// How: for people or for programs
        #[arg(short, long, value_enum, default_value_t)]
        output: list::Output,
        #[command(flatten)]
        place: Place,
    },
    /// Try a source step by step (DNS, TCP, TLS, credential, one page of each stream); writes nothing
    Test {
        /// The source's name
        name: String,
        #[command(flatten)]
        place: Place,
        /// The store of the gateway, beside which tokens are kept that a source replaces
        #[arg(long, value_name = "FILE", default_value = "iocgw.db")]
        store: PathBuf,
    },
    /// Confirm that the records that a refused full pass missed are really gone; holds for the next pass
    ConfirmRetractions {
        /// The stream, as source.stream
        name: String,
        /// Who says so (a position)
        #[arg(long)]
        by: String,
        #[command(flatten)]
        whose: Whose,
    },
    /// Draft a contract and a source from one page: names and types, never a value
    Discover(discover::Arguments),
    /// Take a turn now, on a running gateway or into a store
    Pull {
        /// The source, or one stream of it as source.stream; every source if none is named
        name: Option<String>,
        #[command(flatten)]
        whose: Whose,
    },
    /// Pull a stretch of the past once more, slice by slice between ordinary turns
    Backfill {
        /// The stream, as source.stream
        name: String,
        /// The first day, by the moments that the stream's cursor goes by
        #[arg(long, value_name = "DAY")]
        from: String,
        /// The day after the last one; up to now without it
        #[arg(long, value_name = "DAY")]
        to: Option<String>,
        /// Who asks (a position)
        #[arg(long)]
        by: String,
        /// Only say how many slices it would be
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        whose: Whose,
    },
    /// End a backfill before it is done; what has come in stays
    CancelBackfill {
        /// The job, such as backfill:3
        job: String,
        #[command(flatten)]
        whose: Whose,
    },
    /// Ask a source no more until it is resumed; its numbers stay and grow old, visibly
    Pause {
        /// The source's name
        name: String,
        /// Who decides (a position)
        #[arg(long)]
        by: String,
        /// Why
        #[arg(long)]
        why: String,
        #[command(flatten)]
        whose: Whose,
    },
    /// Ask a paused source again
    Resume {
        /// The source's name
        name: String,
        /// Who decides (a position)
        #[arg(long)]
        by: String,
        #[command(flatten)]
        whose: Whose,
    },
}

pub(super) async fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::List { output, place } => list::run(*output, place),
        Command::Test { name, place, store } => trial::run(name, place, store).await,
        Command::ConfirmRetractions { name, by, whose } => confirm(name, by, whose).await,
        Command::Discover(arguments) => discover::run(arguments).await,
        Command::Pull { name, whose } => steering::pull(name.as_deref(), whose).await,
        Command::Backfill { name, from, to, by, dry_run, whose } => {
            let stretch = (from.as_str(), to.as_deref());
            backfill::run(name, stretch, by, *dry_run, whose).await
        }
        Command::CancelBackfill { job, whose } => backfill::cancel(job, whose).await,
        Command::Pause { name, by, why, whose } => steering::pause(name, by, why, whose).await,
        Command::Resume { name, by, whose } => steering::resume(name, by, whose).await,
    }
}

async fn confirm(name: &str, by: &str, whose: &Whose) -> anyhow::Result<u8> {
    let Some((source, stream)) = name.split_once('.') else {
        return Err(anyhow!("'{name}' is not a stream; write source.stream"));
    };
    let records = if let Some(remote) = whose.remote()? {
        let body = serde_json::json!({"stream": stream, "by": by});
        let path = format!("/v1/sources/{source}/confirmations");
        remote.post(&path, &body).await?["records"].to_string()
    } else {
        let gateway = whose.gateway()?;
        let confirmed = gateway.confirm(source, stream, by.to_owned()).await?;
        gateway.store().close().await;
        let nothing =
            || anyhow!("no full pass of '{name}' is refused: there is nothing to confirm");
        confirmed.ok_or_else(nothing)?.to_string()
    };
    terminal::data(&format!("{name}: the next full pass may take {records} records back"));
    Ok(0)
}

/// The configured source of this name.
fn known<'a>(config: &'a Config, name: &str) -> anyhow::Result<&'a CheckedSource> {
    config.sources.iter().find(|source| source.written.source == name).ok_or_else(|| {
        let names = config.sources.iter().map(|source| source.written.source.as_str());
        let hint =
            nearest(name, names).map_or(String::new(), |near| format!("; did you mean '{near}'?"));
        anyhow!("there is no source '{name}'{hint}")
    })
}

//! `iocgw source`: list, try and pull sources by hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio_util::sync::CancellationToken;

use super::quarantine::Whose;
use super::{PROBLEM, Place, UNREACHABLE, terminal};
use crate::app::{self, Gateway};
use crate::clock::Clock;
use crate::config::{CheckedSource, CheckedStream, Config};
use crate::model::nearest::nearest;
use crate::model::time::Stamp;
use crate::normalise::{Surroundings, Target};
use crate::pull::{self, PullError, Vars};

/// The longest that one stream may take to be tried.
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the configured sources
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Ask a source for one page of each stream and say what would become of it; writes nothing
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
    /// Take one turn of every stream of every source into a store, then end
    Pull {
        #[command(flatten)]
        place: Place,
        /// The store's file; made if there is none
        #[arg(long, value_name = "FILE", default_value = "iocgw.db")]
        store: PathBuf,
    },
}

pub(super) async fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::List { place } => Ok(list(&place.settings("unused".into()).check()?)),
        Command::Test { name, place, store } => test(name, place, store).await,
        Command::ConfirmRetractions { name, by, whose } => confirm(name, by, whose).await,
        Command::Pull { place, store } => pull(place, store).await,
    }
}

fn list(config: &Config) -> u8 {
    for CheckedSource { written, .. } in &config.sources {
        for (name, stream) in &written.streams {
            terminal::data(&format!(
                "{}\t{name}\tcontract {}\tevery {}\t{}\t{}",
                written.source,
                stream.contract,
                stream.interval,
                written.accountable_unit,
                written.title.vi
            ));
        }
    }
    0
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

async fn pull(place: &Place, store: &std::path::Path) -> anyhow::Result<u8> {
    let gateway =
        Gateway::open(&place.settings(store.to_owned()), Clock::System, CancellationToken::new())?;
    gateway.pull_once().await?;
    let snapshot = gateway.store().snapshot();
    let mut code = 0;
    for (name, state) in &snapshot.streams {
        let line = &state.total;
        terminal::data(&format!(
            "{name}: received {} = accepted {} + superseded {} + duplicate {} + quarantined {} + rejected {}",
            line.received,
            line.accepted,
            line.superseded,
            line.duplicate,
            line.quarantined,
            line.rejected
        ));
        if let Some(trouble) = &state.trouble {
            terminal::message(&format!("{name}: {}: {}", trouble.reason, trouble.message));
            code = PROBLEM;
        }
    }
    gateway.store().close().await;
    Ok(code)
}

async fn test(name: &str, place: &Place, store: &Path) -> anyhow::Result<u8> {
    let settings = place.settings(store.to_owned());
    let config = settings.check()?;
    let Some(source) = config.sources.iter().find(|source| source.written.source == name) else {
        let names = config.sources.iter().map(|source| source.written.source.as_str());
        let hint =
            nearest(name, names).map_or(String::new(), |near| format!("; did you mean '{near}'?"));
        return Err(anyhow!("there is no source '{name}'{hint}"));
    };
    let context = pull::Context {
        clock: Clock::System,
        secrets_dir: place.secrets.clone(),
        state_dir: settings.kept_tokens(),
        holders: pull::Holders::default(),
        stop: CancellationToken::new(),
        seed: 0,
    };
    let puller = app::puller(&source.written, &context)?;
    let mut code = 0;
    for stream in &source.streams {
        let tried = tokio::time::timeout(PATIENCE, try_stream(source, stream, &puller)).await;
        let tried = tried.unwrap_or_else(|_| {
            Ok(Err(format!("no whole answer within {} s", PATIENCE.as_secs())))
        });
        match tried.with_context(|| format!("stream '{}'", stream.name))? {
            Ok(found) => code = code.max(found),
            Err(message) => {
                terminal::data(&format!("{name}.{}: FAILED: {message}", stream.name));
                code = UNREACHABLE;
            }
        }
    }
    Ok(code)
}

/// One page; the inner error is what the source did wrong.
async fn try_stream(
    source: &CheckedSource,
    stream: &CheckedStream,
    puller: &pull::Source,
) -> anyhow::Result<Result<u8, String>> {
    let now = Clock::System.now();
    let target = source.targets.first();
    let vars = Vars { target: target.map(|target| target.name.to_string()), ..Vars::at(now) };
    let mut run = puller.run(&stream.request, &vars);
    let page = match run.next().await {
        Ok(Some(page)) => page,
        Ok(None) => return Ok(Err("the source sent no page".to_owned())),
        Err(PullError::Stopped) => return Err(anyhow!("stopped")),
        Err(error) => return Ok(Err(error.to_string())),
    };
    let decoded = match stream.decoder.decode_framed(&page.body, page.is_framed) {
        Ok(decoded) => decoded,
        Err(error) => return Ok(Err(format!("{} bytes came, but {error}", page.body.len()))),
    };
    let polled = target.map(|target| Target {
        name: &target.name,
        labels: &target.labels,
        slot: Stamp(now.0.div_euclid(900) * 900),
        up: true,
    });
    let out =
        stream.normaliser.page(&decoded.records, Surroundings { now, target: polled.as_ref() });
    let title = format!("{}.{}", source.written.source, stream.name);
    terminal::data(&format!(
        "{title}: answered in {} ms, {} bytes, {} records: {} keep contract '{}', {} would go to quarantine{}",
        run.tally().durations.iter().map(Duration::as_millis).sum::<u128>(),
        page.body.len(),
        decoded.records.count,
        out.observations.len(),
        stream.normaliser.schema().name,
        out.rejects.len(),
        if decoded.envelope.iter().flatten().next().is_some() { "; more pages follow" } else { "" }
    ));
    let mut by_rule: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for reject in &out.rejects {
        *by_rule.entry((reject.reason.as_str(), &reject.rule)).or_default() += 1;
    }
    for ((reason, rule), count) in &by_rule {
        terminal::data(&format!("{title}:   {count} × {reason}: {rule}"));
    }
    if decoded.records.count == 0 {
        terminal::data(&format!("{title}:   the page is well-formed and has no records"));
    }
    Ok(Ok(if out.rejects.is_empty() { 0 } else { PROBLEM }))
}

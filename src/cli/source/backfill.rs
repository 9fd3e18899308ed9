//! `iocgw source backfill`: on a running gateway with `--url`, else on the store itself.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};

use super::known;
use crate::cli::quarantine::Whose;
use crate::cli::remote::Remote;
use crate::cli::{PROBLEM, terminal};
use crate::clock::Clock;
use crate::model::backfill::{Backfill, State, Wanted};
use crate::serve::wanted_backfill;

/// How often is looked how far it has come.
const LOOK: Duration = Duration::from_millis(500);

pub(super) async fn run(
    name: &str,
    (from, to): (&str, Option<&str>),
    by: &str,
    dry_run: bool,
    whose: &Whose,
) -> anyhow::Result<u8> {
    if by.trim().is_empty() {
        return Err(anyhow!("--by says who asks: it is not empty"));
    }
    match whose.remote()? {
        Some(_) if dry_run => {
            Err(anyhow!("--dry-run reads the configuration here: leave --url out"))
        }
        Some(remote) => {
            let body = json!({"stream": name, "from": from, "to": to, "by": by});
            let asked = remote.post("/v1/backfills", &body).await?;
            let id = asked["item"]["job"].as_str().context("the gateway names no job")?.to_owned();
            watch(&remote, &id, asked["item"].clone()).await
        }
        None if dry_run => {
            let config = whose.config()?;
            let wanted = checked(&config, name, (from, to), by)?;
            terminal::data(&told_plan(name, &wanted));
            Ok(0)
        }
        None => here(name, (from, to), by, whose).await,
    }
}

/// Follows a backfill of a running gateway until it is over; one that is broken off here goes on there.
async fn watch(remote: &Remote, id: &str, mut item: Value) -> anyhow::Result<u8> {
    let mut told = String::new();
    loop {
        let backfill = &item["backfill"];
        let line = format!(
            "{id}: {}: {} of {} slices, {} records, {} of them new{}",
            item["state"].as_str().unwrap_or_default(),
            item["done"],
            item["total"],
            backfill["received"],
            backfill["accepted"],
            backfill["message"].as_str().map_or(String::new(), |why| format!("; {why}"))
        );
        if line != told {
            terminal::data(&line);
            told = line;
        }
        match item["state"].as_str() {
            Some("running" | "paused") => tokio::time::sleep(LOOK).await,
            Some("done") => return Ok(0),
            _ => return Ok(PROBLEM),
        }
        item = remote.get(&format!("/v1/jobs/{id}"), &[]).await?["item"].clone();
    }
}

/// Takes the slices here, on a store that no gateway uses.
async fn here(
    name: &str,
    stretch: (&str, Option<&str>),
    by: &str,
    whose: &Whose,
) -> anyhow::Result<u8> {
    let gateway = whose.gateway()?;
    let wanted = checked(gateway.config(), name, stretch, by)?;
    terminal::message(&told_plan(name, &wanted));
    let mut last = None;
    gateway
        .backfill(wanted, |job| {
            terminal::data(&told(job));
            last = Some(job.state);
        })
        .await?;
    gateway.store().close().await;
    Ok(if last == Some(State::Done) { 0 } else { PROBLEM })
}

fn told_plan(name: &str, wanted: &Wanted) -> String {
    format!(
        "{name}: {} slices, from {} to {}",
        wanted.slices(),
        wanted.from.rfc3339(),
        wanted.until.rfc3339()
    )
}

fn told(job: &Backfill) -> String {
    let (done, total) = job.progress();
    let why = job.message.as_ref().map_or(String::new(), |why| format!("; {why}"));
    format!(
        "backfill:{}: {}: {done} of {total} slices, {} records, {} of them new{why}",
        job.id,
        job.state.as_str(),
        job.received,
        job.accepted
    )
}

/// What is asked for, if the configuration allows it.
fn checked(
    config: &crate::config::Config,
    name: &str,
    stretch: (&str, Option<&str>),
    by: &str,
) -> anyhow::Result<Wanted> {
    let Some((source, stream)) = name.split_once('.') else {
        return Err(anyhow!("'{name}' is not a stream; write source.stream"));
    };
    let found = known(config, source)?;
    let of = found.streams.iter().find(|of| of.name == stream);
    let of = of.with_context(|| format!("source '{source}' has no stream '{stream}'"))?;
    let named = (source.to_owned(), stream.to_owned());
    let by = by.trim().to_owned();
    wanted_backfill(found.past(of), named, stretch, by, Clock::System.now())
        .map_err(|why| anyhow!("{why}"))
}

pub(super) async fn cancel(job: &str, whose: &Whose) -> anyhow::Result<u8> {
    let state = if let Some(remote) = whose.remote()? {
        let ended = remote.delete(&format!("/v1/jobs/{job}")).await?;
        ended["item"]["state"].as_str().unwrap_or_default().to_owned()
    } else {
        let number = job.strip_prefix("backfill:").and_then(|number| number.parse().ok());
        let number =
            number.with_context(|| format!("'{job}' is no backfill, such as backfill:3"))?;
        let gateway = whose.gateway()?;
        let ended = gateway.cancel_backfill(number).await?;
        gateway.store().close().await;
        ended.with_context(|| format!("there is no '{job}'"))?.state.as_str().to_owned()
    };
    terminal::data(&format!("{job}: {state}"));
    Ok(0)
}

//! `iocgw source pull|pause|resume`: on a running gateway with `--url`, else on the store itself.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::known;
use crate::app::Gateway;
use crate::cli::quarantine::Whose;
use crate::cli::remote::Remote;
use crate::cli::{PROBLEM, TRY_AGAIN, terminal};
use crate::clock::Clock;
use crate::model::snapshot::{Paused, StreamState};
use crate::model::time::Stamp;

/// How long a command waits for a run that it asked for.
const PATIENCE: Duration = Duration::from_mins(15);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(200);

pub(super) async fn pull(name: Option<&str>, whose: &Whose) -> anyhow::Result<u8> {
    match (whose.remote()?, name) {
        (Some(remote), Some(name)) => ask(&remote, name).await,
        (Some(_), None) => Err(anyhow!("name the source that the gateway is to pull")),
        (None, name) => pull_into_store(name, whose).await,
    }
}

/// Takes the turns here; the store is made if there is none.
async fn pull_into_store(name: Option<&str>, whose: &Whose) -> anyhow::Result<u8> {
    let gateway = Gateway::open(&whose.settings(), Clock::System, CancellationToken::new())
        .context("cannot work on the store itself; a running gateway is asked with --url")?;
    let (source, stream) = name.map_or((None, None), |name| match name.split_once('.') {
        Some((source, stream)) => (Some(source), Some(stream)),
        None => (Some(name), None),
    });
    if let Some(source) = source {
        let found = known(gateway.config(), source)?;
        if let Some(stream) = stream.filter(|name| !found.written.streams.contains_key(*name)) {
            return Err(anyhow!("source '{source}' has no stream '{stream}'"));
        }
    }
    let paused = gateway.store().snapshot().paused.clone();
    if let Some(Paused { by, why, since }) = source.and_then(|source| paused.get(source)) {
        return Err(anyhow!("it was paused by {by} at {since}: {why}; resume it first"));
    }
    let is_chosen = |of: &str, named: &str| {
        source.is_none_or(|source| source == of) && stream.is_none_or(|stream| stream == named)
    };
    let chosen = |of: &str, named: &str| is_chosen(of, named) && !paused.contains_key(of);
    gateway.pull(chosen).await?;
    let snapshot = gateway.store().snapshot();
    let mut code = 0;
    for (name, state) in &snapshot.streams {
        if chosen(&state.source, &state.stream) {
            code = code.max(tell(name, state));
        } else if is_chosen(&state.source, &state.stream) {
            terminal::message(&format!("{name}: paused, not asked"));
        }
    }
    gateway.store().close().await;
    Ok(code)
}

/// What all runs of a stream have come to, and the trouble it is in.
fn tell(name: &str, state: &StreamState) -> u8 {
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
    let Some(trouble) = &state.trouble else { return 0 };
    terminal::message(&format!("{name}: {}: {}", trouble.reason, trouble.message));
    PROBLEM
}

/// Asks a running gateway for turns and waits until they are over.
async fn ask(remote: &Remote, name: &str) -> anyhow::Result<u8> {
    let (source, body) = match name.split_once('.') {
        Some((source, stream)) => (source, json!({"stream": stream})),
        None => (name, json!({})),
    };
    let path = format!("/v1/sources/{source}");
    // What is wrong with the name, the question itself tells.
    let before = remote.get(&path, &[]).await.unwrap_or_default();
    let asked = remote.post(&format!("{path}/pulls"), &body).await?;
    let requested = asked["requested_at"].as_str().and_then(Stamp::parse);
    let requested = requested.context("the gateway does not say when it was asked")?;
    let mut waiting: Vec<&str> =
        asked["streams"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let (began, mut code) = (Instant::now(), 0);
    while !waiting.is_empty() {
        let state = remote.get(&path, &[]).await?;
        for stream in streams_of(&state) {
            let name = stream["stream"].as_str().unwrap_or_default();
            let Some(at) = waiting.iter().position(|waiting| *waiting == name) else { continue };
            let known = streams_of(&before).find(|known| known["stream"] == name);
            let known = known.map_or(0, |known| runs_since(known, requested).count());
            if let Some(run) = runs_since(stream, requested).nth(known) {
                waiting.swap_remove(at);
                code = code.max(tell_run(&format!("{source}.{name}"), run));
            }
        }
        if !waiting.is_empty() && began.elapsed() > PATIENCE {
            let waiting = waiting.join(", ");
            terminal::message(&format!("{source}: still under way: {waiting}; look again later"));
            return Ok(TRY_AGAIN);
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(code)
}

fn streams_of(state: &Value) -> impl Iterator<Item = &Value> {
    state["streams"].as_array().into_iter().flatten()
}

/// The runs of a stream's history that began in the second of the question or later. Stamps have whole
/// seconds, so some of them may have been over when it was asked.
fn runs_since(stream: &Value, requested: Stamp) -> impl Iterator<Item = &Value> {
    let began = |run: &Value| run["started"].as_str().and_then(Stamp::parse);
    let runs = stream["history"].as_array().into_iter().flatten();
    runs.filter(move |run| began(run).is_some_and(|began| began >= requested))
}

fn tell_run(name: &str, run: &Value) -> u8 {
    let outcome = run["outcome"].as_str().unwrap_or_default();
    let count = |key: &str| run["records"][key].to_string();
    terminal::data(&format!(
        "{name}: {outcome}: received {} = accepted {} + superseded {} + duplicate {} + quarantined {} + rejected {}",
        count("received"),
        count("accepted"),
        count("superseded"),
        count("duplicate"),
        count("quarantined"),
        count("rejected")
    ));
    if let Some(message) = run["message"].as_str() {
        terminal::message(&format!("{name}: {message}"));
    }
    if outcome == "ok" { 0 } else { PROBLEM }
}

pub(super) async fn pause(name: &str, by: &str, why: &str, whose: &Whose) -> anyhow::Result<u8> {
    if by.trim().is_empty() || why.trim().is_empty() {
        return Err(anyhow!("--by and --why say who decides and why: neither is empty"));
    }
    if let Some(remote) = whose.remote()? {
        let body = json!({"enabled": false, "by": by, "why": why});
        remote.patch(&format!("/v1/sources/{name}"), &body).await?;
    } else {
        let since = Clock::System.now();
        let paused = Paused { by: by.trim().to_owned(), why: why.trim().to_owned(), since };
        note(name, Some(paused), whose).await?;
    }
    terminal::data(&format!("{name}: paused; it is asked again after: iocgw source resume {name}"));
    Ok(0)
}

pub(super) async fn resume(name: &str, by: &str, whose: &Whose) -> anyhow::Result<u8> {
    if let Some(remote) = whose.remote()? {
        let body = json!({"enabled": true, "by": by});
        remote.patch(&format!("/v1/sources/{name}"), &body).await?;
    } else {
        note(name, None, whose).await?;
    }
    terminal::data(&format!("{name}: active"));
    Ok(0)
}

async fn note(name: &str, paused: Option<Paused>, whose: &Whose) -> anyhow::Result<()> {
    let gateway = whose.gateway()?;
    known(gateway.config(), name)?;
    gateway.pause(name, paused).await?;
    gateway.store().close().await;
    Ok(())
}

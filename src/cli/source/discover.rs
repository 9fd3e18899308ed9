//! `iocgw source discover`: drafts a contract and a source from one page of a system.
//!
//! The page is read here and nowhere else, and nothing of it is kept: what leaves this module are
//! names of fields and their types, never a value, not even a code. What looks like personal data by
//! its name or by its form is left out of the draft, with a line that says so. A draft is a
//! beginning: every blank says `FILL_IN`, and `config check` refuses it until somebody has.

mod draft;
mod infer;
mod sample;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::known;
use crate::app;
use crate::cli::{Place, UNREACHABLE, terminal};
use crate::clock::Clock;
use crate::model::text::is_name;
use crate::pull::{self, Authenticator, PullError, Requester, Vars};
use draft::Draft;
use sample::{Kind, Sample};

/// What is asked, and for what.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The address of one page, with its query
    url: Url,
    /// What the contract, the source and their files are to be called
    #[arg(long, default_value = "draft")]
    name: String,
    /// Where the records stand (JSON pointer, XML path); looked for when absent
    #[arg(long, value_name = "POINTER")]
    records: Option<String>,
    /// The page's format; told from the page when absent
    #[arg(long, value_enum)]
    format: Option<Kind>,
    /// A file with a bearer token to ask with
    #[arg(long, value_name = "FILE", conflicts_with = "like")]
    token_file: Option<PathBuf>,
    /// Ask with the headers and credentials of this configured source
    #[arg(long, value_name = "SOURCE")]
    like: Option<String>,
    /// Write the files into this configuration folder instead of printing them; none is replaced
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

pub(in crate::cli) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    if !is_name(&arguments.name) {
        return Err(anyhow!("'{}' is no name: small letters, digits, '-' and '_'", arguments.name));
    }
    let page = match page(arguments).await? {
        Ok(page) => page,
        Err(error) => {
            terminal::message(&format!("no page came: {error}"));
            return Ok(UNREACHABLE);
        }
    };
    let sample = Sample::read(&page, arguments.format, arguments.records.as_deref())
        .map_err(|why| anyhow!("the page cannot be taken apart: {why}"))?;
    let draft = Draft::of(&sample, &arguments.name, &arguments.url, arguments.like.as_deref());
    match &arguments.out {
        Some(folder) => write(&draft, folder)?,
        None => draft.files.iter().for_each(|(name, text)| {
            terminal::data(&format!("# ---- {name}\n{text}"));
        }),
    }
    terminal::message(&format!(
        "{} records, {} fields: {} in the draft, {} left out; no value is in it. Fill in what says FILL_IN, then: iocgw config check",
        sample.rows.len(),
        draft.kept + draft.left_out,
        draft.kept,
        draft.left_out
    ));
    Ok(0)
}

/// Asks for the one page; the inner error is the source's.
async fn page(arguments: &Arguments) -> anyhow::Result<Result<Vec<u8>, PullError>> {
    let mut base = arguments.url.clone();
    let query: serde_json::Map<_, _> = base
        .query_pairs()
        .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
        .collect();
    base.set_query(None);
    base.set_fragment(None);
    let stream: pull::Stream = serde_json::from_value(json!({"query": query}))?;
    let mut secrets_dir = arguments.place.secrets.clone();
    let (mut requester, authenticator) = match (&arguments.like, &arguments.token_file) {
        (Some(source), _) => {
            let config = arguments.place.settings("unused".into()).check()?;
            let written = &known(&config, source)?.written;
            match (written.requester.clone(), written.authenticator.clone()) {
                (Some(requester), Some(authenticator)) => (requester, authenticator),
                _ => {
                    return Err(anyhow!(
                        "source '{source}' is not asked: it pushes, drops files or is the gateway's own"
                    ));
                }
            }
        }
        (None, None) => (requester(&base)?, Authenticator::None {}),
        (None, Some(file)) => {
            let name = file.file_name().context("--token-file is no file")?.to_string_lossy();
            secrets_dir = file.parent().unwrap_or(Path::new(".")).to_owned();
            let token = json!({"kind": "bearer", "token_file": name});
            (requester(&base)?, serde_json::from_value(token)?)
        }
    };
    base.as_str().clone_into(&mut requester.url);
    let mut problems = pull::Problems::new();
    requester.check("url", &mut problems);
    if let Some((_, problem)) = problems.first() {
        return Err(anyhow!("the address {problem}"));
    }
    let settings = arguments.place.settings("iocgw.db".into());
    let context = pull::Context {
        clock: Clock::System,
        outbound: app::outbound(&settings, &pull::OutboundSettings::default())?,
        // Only a source that replaces its tokens keeps any, and then beside the usual store.
        state_dir: settings.kept_tokens(),
        secrets_dir,
        holders: pull::Holders::default(),
        stop: CancellationToken::new(),
        seed: 0,
    };
    let source = app::puller_of(requester, authenticator, &context)?;
    let mut run = source.run(&stream, &Vars::at(Clock::System.now()));
    Ok(match run.next().await {
        Ok(Some(page)) => Ok(page.body.to_vec()),
        Ok(None) => return Err(anyhow!("the source sent no page")),
        Err(error) => Err(error),
    })
}

fn requester(base: &Url) -> anyhow::Result<Requester> {
    Ok(serde_json::from_value(json!({"url": base.as_str(), "headers": {"Accept": "*/*"}}))?)
}

/// Writes the draft's files where there are none of their names.
fn write(draft: &Draft, folder: &Path) -> anyhow::Result<()> {
    let there = draft.files.iter().map(|(name, _)| folder.join(name)).find(|path| path.exists());
    if let Some(path) = there {
        return Err(anyhow!("{} is there already; choose another --name", path.display()));
    }
    for (name, text) in &draft.files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("cannot make {}", parent.display()))?;
        }
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        terminal::data(&path.display().to_string());
    }
    Ok(())
}

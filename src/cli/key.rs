//! `iocgw key`: make, list and revoke keys of the API, on the store itself.
//!
//! A gateway that runs on the store sees what was written within a second; it needs no address and no
//! leave for it, or nobody could make the first key.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use super::{PROBLEM, Place, terminal};
use crate::app::{NewKey, make_key};
use crate::clock::Clock;
use crate::config::Config;
use crate::model::access::{Grant, Reach, Scope};
use crate::model::audience::Audience;
use crate::model::nearest::nearest;
use crate::model::time::Stamp;
use crate::model::units::Span;
use crate::store::{KeyReader, KeyWriter, Revoked, StoredKey};

/// The longest name, in characters.
const LONGEST_NAME: usize = 100;

/// The longest life of a key.
const LONGEST_LIFE: Span = Span::seconds(5 * 365 * 86_400);

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a key; it is shown once and cannot be shown again
    #[command(
        after_help = "Example:\n  iocgw key create --name 'Grafana of the operations centre' --scope read\n  \
        iocgw key create --name prometheus --scope metrics --out metrics.key\n  \
        iocgw key create --name 'Phường Trường Vinh' --scope read --area 16681 --expires-in 90d"
    )]
    Create(Create),
    /// List the keys: what they open, how far they reach, until when; never the keys themselves
    List(Store),
    /// Take a key back for good; a running gateway refuses it within a second
    Revoke {
        /// Its id, of `iocgw key list`
        id: String,
        #[command(flatten)]
        store: Store,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Create {
    /// What it is for: a system or a position, never a person
    #[arg(long)]
    name: String,
    /// What it opens: read, sources, operate, metrics or admin; may be repeated, implies nothing else
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = scope)]
    scopes: Vec<Scope>,
    /// Only about this commune, by today's code; may be repeated
    #[arg(long = "area", value_name = "CODE")]
    areas: Vec<String>,
    /// Only about what this unit answers for; may be repeated
    #[arg(long = "unit", value_name = "ID")]
    units: Vec<String>,
    /// For whom its figures are told: internal, or public: final months of the province and its communes, small figures withheld
    #[arg(long, default_value = "internal", value_parser = audience)]
    audience: Audience,
    /// How long it is good for, at most 5y
    #[arg(long, value_name = "TIME", default_value = "365d", value_parser = Span::parse)]
    expires_in: Span,
    /// Write the key to this new file, which only its owner may read, instead of showing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    store: Store,
}

#[derive(Debug, clap::Args)]
pub(super) struct Store {
    /// The store's file; a gateway may be using it
    #[arg(long, value_name = "FILE", default_value = "iocgw.db")]
    store: PathBuf,
}

pub(super) fn scope(text: &str) -> Result<Scope, String> {
    Scope::ALL
        .into_iter()
        .find(|scope| scope.as_str() == text)
        .ok_or_else(|| format!("a scope is one of: {}", Scope::ALL.map(Scope::as_str).join(", ")))
}

fn audience(text: &str) -> Result<Audience, String> {
    let found = Audience::ALL.into_iter().find(|audience| audience.as_str() == text);
    found.ok_or_else(|| "an audience is internal or public".to_owned())
}

pub(super) fn run(command: &Command) -> anyhow::Result<u8> {
    match command {
        Command::Create(create) => make(create),
        Command::List(store) => list(&store.store),
        Command::Revoke { id, store } => revoke(&store.store, id),
    }
}

fn make(create: &Create) -> anyhow::Result<u8> {
    let name = create.name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.contains(char::is_control) {
        return Err(anyhow!(
            "--name says what the key is for, in at most {LONGEST_NAME} characters"
        ));
    }
    if !(1..=LONGEST_LIFE.as_seconds()).contains(&create.expires_in.as_seconds()) {
        return Err(anyhow!(
            "--expires-in is from 1s to 5y: a key that never ends is never replaced"
        ));
    }
    let grant = grant(create)?;
    // Before the key is made, for one that cannot be handed over would be of no use.
    let out = create.out.as_deref().map(private).transpose()?;
    let now = Clock::System.now();
    let expires = Stamp(now.0 + create.expires_in.as_seconds());
    let new = NewKey { name: name.to_owned(), grant, expires };
    let (id, key) = make_key(&create.store.store, new, now)?;
    if let (Some(mut file), Some(path)) = (out, &create.out) {
        writeln!(file, "{key}").with_context(|| format!("cannot write {}", path.display()))?;
        let path = path.display();
        terminal::message(&format!("{id}: good until {expires}; written to {path}"));
    } else {
        terminal::message(&format!(
            "{id}: good until {expires}; this is the only time it is shown"
        ));
        terminal::data(&key);
    }
    Ok(0)
}

/// A new file that only its owner may read.
fn private(path: &Path) -> anyhow::Result<std::fs::File> {
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.with_context(|| format!("cannot make the file {}", path.display()))
}

fn grant(create: &Create) -> anyhow::Result<Grant> {
    let limit = |named: &[String]| (!named.is_empty()).then(|| named.iter().cloned().collect());
    let reach = Reach {
        areas: limit(&create.areas),
        units: limit(&create.units),
        audience: create.audience,
    };
    let grant = Grant { scopes: create.scopes.iter().copied().collect(), reach };
    grant.check().map_err(|error| anyhow!("the key {error}"))?;
    if grant.reach.areas.is_some() || grant.reach.units.is_some() {
        there_are(&grant.reach, &Place::offline(&create.place.config)?)?;
    }
    Ok(grant)
}

/// Refuses limits that name what is not there: such a key would open nothing, and nobody knew why.
fn there_are(reach: &Reach, config: &Config) -> anyhow::Result<()> {
    let areas = &config.areas;
    let codes: Vec<&str> = areas
        .current()
        .iter()
        .filter_map(|number| areas.get(*number).map(|area| area.code.as_str()))
        .collect();
    let units: Vec<&str> = config.units.keys().map(String::as_str).collect();
    let limits = [("commune of today", &reach.areas, codes), ("unit", &reach.units, units)];
    for (what, named, known) in limits {
        let named = named.iter().flatten();
        if let Some(unknown) = named.into_iter().find(|name| !known.contains(&name.as_str())) {
            let hint = nearest(unknown, known.iter().copied())
                .map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            return Err(anyhow!("there is no {what} '{unknown}'{hint}"));
        }
    }
    Ok(())
}

fn is_there(store: &Path) -> anyhow::Result<()> {
    if store.exists() {
        return Ok(());
    }
    Err(anyhow!("there is no store at {}; name one with --store", store.display()))
}

fn list(store: &Path) -> anyhow::Result<u8> {
    is_there(store)?;
    let keys = KeyReader::open(store)?.newer().context("the store keeps no keys yet")?;
    terminal::data("id\tstate\texpires\tscopes\tareas\tunits\taudience\tcreated\tlast_used\tname");
    let now = Clock::System.now();
    for StoredKey { key, .. } in keys.unwrap_or_default() {
        let limit = |limit: &Option<std::collections::BTreeSet<String>>| {
            let named = limit.as_ref().map(|named| named.iter().cloned().collect::<Vec<_>>());
            named.map_or_else(|| "all".to_owned(), |named| named.join(","))
        };
        let scopes: Vec<&str> = key.grant.scopes.iter().map(|scope| scope.as_str()).collect();
        let reach = &key.grant.reach;
        terminal::data(&format!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            key.id,
            key.state(now).as_str(),
            key.expires,
            scopes.join(","),
            limit(&reach.areas),
            limit(&reach.units),
            reach.audience.as_str(),
            key.created,
            key.used.map_or_else(|| "never".to_owned(), |at| at.to_string()),
            key.name
        ));
    }
    Ok(0)
}

fn revoke(store: &Path, id: &str) -> anyhow::Result<u8> {
    is_there(store)?;
    let now = Clock::System.now();
    match KeyWriter::open(store)?.revoke(id, now)? {
        Revoked::Now => {
            terminal::data(&format!("{id}: revoked"));
            Ok(0)
        }
        Revoked::Before(at) => {
            terminal::message(&format!("{id}: it was revoked at {at}"));
            Ok(0)
        }
        Revoked::Unknown => {
            terminal::message(&format!("{id}: there is no such key; iocgw key list shows them"));
            Ok(PROBLEM)
        }
    }
}

//! `iocgw audit verify`: reads the whole audit log again and says where it was tampered with first.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};

use super::{PROBLEM, terminal};
use crate::app::AUDIT_KEY;
use crate::store::{Checkpoint, SigningKey, verify_audit};

/// The largest file of checkpoints, in bytes.
const LARGEST: u64 = 64 << 20;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check that no entry was changed, moved, put in, taken out or cut off; a gateway may be running
    Verify(Verify),
}

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// The store's file
    #[arg(long, value_name = "FILE", default_value = "iocgw.db")]
    store: PathBuf,
    /// The folder of secrets, for its `audit_key`
    #[arg(long, value_name = "DIR", env = "CREDENTIALS_DIRECTORY", default_value = "secrets")]
    secrets: PathBuf,
    /// A file with checkpoints that were kept elsewhere, one in a line, whatever stands around them:
    /// the gateway's log has them
    #[arg(long, value_name = "FILE")]
    checkpoints: Option<PathBuf>,
}

pub(super) fn run(Command::Verify(asked): &Command) -> anyhow::Result<u8> {
    let Verify { store, secrets, checkpoints } = asked;
    if !store.exists() {
        return Err(anyhow!("there is no store at {}; name one with --store", store.display()));
    }
    let path = secrets.join(AUDIT_KEY);
    let key = path.exists().then(|| SigningKey::read(&path)).transpose()?;
    let kept = checkpoints.as_deref().map(read).transpose()?.unwrap_or_default();
    if key.is_none() && checkpoints.is_some() {
        return Err(anyhow!("checkpoints cannot be believed without {}", path.display()));
    }
    let public = key.map(|key| key.public());
    let found = verify_audit(store, public.as_deref(), &kept)?;
    if public.is_none() {
        terminal::message(&format!(
            "there is no {}: that nothing was cut off at the end cannot be told",
            path.display()
        ));
    }
    let (entries, agreed) = (found.entries, found.checkpoints);
    if let Some(broken) = found.broken {
        terminal::data(&format!("BROKEN  {broken}; the {entries} entries before are as written"));
        return Ok(PROBLEM);
    }
    terminal::data(&format!("sound: {entries} entries, {agreed} checkpoints"));
    Ok(0)
}

fn read(path: &Path) -> anyhow::Result<Vec<Checkpoint>> {
    let shown = || format!("cannot read the checkpoints in {}", path.display());
    if std::fs::metadata(path).with_context(shown)?.len() > LARGEST {
        return Err(anyhow!("{} is larger than 64 MiB", path.display()));
    }
    let text = std::fs::read(path).with_context(shown)?;
    let kept: Vec<_> =
        String::from_utf8_lossy(&text).lines().filter_map(Checkpoint::parse).collect();
    if kept.is_empty() {
        return Err(anyhow!("{} holds no checkpoint", path.display()));
    }
    Ok(kept)
}

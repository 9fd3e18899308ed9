//! `iocgw test`: the stewards' cases, run in memory.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{PROBLEM, Place, terminal};
use crate::app::Invalid;
use crate::config::Config;
use crate::rehearse::{self, Suite};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A file of cases, or a folder of them; the configuration's own when absent
    path: Option<PathBuf>,
    /// The configuration folder
    #[arg(long, value_name = "DIR", default_value = "config")]
    config: PathBuf,
    /// Also write the outcome as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let config = Place::offline(&arguments.config)?;
    let suite = match &arguments.path {
        Some(path) if !path.exists() => {
            anyhow::bail!("there is nothing at {}", path.display());
        }
        Some(path) => suite(path, &config)?,
        None => suite(&arguments.config.join(rehearse::FOLDER), &config)?,
    };
    let verdicts = suite.run(&config);
    terminal::data(rehearse::tap(&verdicts).trim_end());
    if let Some(file) = &arguments.junit {
        std::fs::write(file, rehearse::junit(&verdicts))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    let has_failed = verdicts.iter().any(|verdict| !verdict.differences.is_empty());
    Ok(if has_failed { PROBLEM } else { 0 })
}

/// Reads the cases at a path.
pub(super) fn suite(path: &Path, config: &Config) -> Result<Suite, Invalid> {
    rehearse::read(&rehearse::files(path), config).map_err(Invalid)
}

//! The command line: one file per command group.
//!
//! Data go to standard output, messages to standard error. Exit codes: 0 done, 1 ran and found a
//! problem, 2 wrong usage, 69 a service cannot be reached, 75 try again later, 78 the configuration
//! is invalid.

mod audit;
mod config;
mod contract;
mod demo;
mod fsck;
mod health;
mod indicator;
mod key;
mod measure;
mod quarantine;
mod register;
mod remote;
mod serve;
mod source;
mod terminal;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::app::{Invalid, Settings};
use crate::config::{self as configuration, Config};
use crate::model::dictionary::Dictionaries;
use crate::store::StoreError;
use crate::telemetry::log;

/// What a variable stands for that is not set, where no source is asked anyway.
const NOWHERE: &str = "http://nowhere.invalid";

/// Exit code: ran and found a problem.
const PROBLEM: u8 = 1;

/// Exit code: a service cannot be reached.
const UNREACHABLE: u8 = 69;

/// Exit code: try again later.
const TRY_AGAIN: u8 = 75;

/// Exit code: the configuration is invalid.
const INVALID: u8 = 78;

/// Pulls a province's systems and serves combined indicators that can be trusted.
#[derive(Debug, Parser)]
#[command(
    name = "iocgw",
    version,
    about,
    after_help = "Example:\n  iocgw demo              a simulated province and the gateway on it\n  iocgw config check      what is wrong with ./config, all at once"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a simulated province and the gateway on it; needs nothing else
    Demo(demo::Arguments),
    /// Pull the configured sources and serve their indicators
    Serve(serve::Arguments),
    /// Check the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// List, export and try contracts
    #[command(subcommand)]
    Contract(contract::Command),
    /// List indicators and explain where they come from
    #[command(subcommand)]
    Indicator(indicator::Command),
    /// Print the record of what is processed: per source which fields, why, on what basis, how long
    Register(register::Arguments),
    /// Try and pull sources
    #[command(subcommand)]
    Source(source::Command),
    /// List, replay and discard records that broke their contract
    #[command(subcommand)]
    Quarantine(quarantine::Command),
    /// Make, list and revoke keys of the API
    #[command(subcommand)]
    Key(key::Command),
    /// Check the audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Look at the cubes of a store that no gateway is using
    #[command(subcommand)]
    Measure(measure::Command),
    /// Run the stewards' cases (given records, expected rows, rejects and readings) in memory
    Test(test::Arguments),
    /// Recount every figure of a store that no gateway is using; changes nothing
    Fsck(fsck::Check),
    /// Build measures of a store anew from its records
    Rebuild(fsck::Rebuild),
    /// Ask a running gateway whether it lives; silent, for container health checks
    Health(health::Arguments),
}

/// Where the configuration is, and the secrets it names.
#[derive(Clone, Debug, Args)]
struct Place {
    /// The configuration folder
    #[arg(long, value_name = "DIR", default_value = "config")]
    config: PathBuf,
    /// The folder of secret files that the configuration names
    #[arg(long, value_name = "DIR", env = "CREDENTIALS_DIRECTORY", default_value = "secrets")]
    secrets: PathBuf,
}

impl Place {
    fn settings(&self, store: PathBuf) -> Settings {
        Settings {
            config: self.config.clone(),
            secrets: self.secrets.clone(),
            store,
            variables: std::collections::BTreeMap::new(),
        }
    }

    /// A configuration for work that asks no source: variables that are not set stand for an address
    /// at which nothing can be reached.
    fn offline(config: &Path) -> Result<Config, Invalid> {
        let lookup = |name: &str| Some(std::env::var(name).unwrap_or_else(|_| NOWHERE.to_owned()));
        let (words, identifier_key) = (Dictionaries::default(), b"for work without a store");
        configuration::load(configuration::Options {
            dir: config,
            lookup: &lookup,
            words,
            identifier_key,
            kept: None,
            previous_key: None,
        })
        .map_err(Invalid)
    }
}

/// Runs the program with the process's own arguments.
pub fn run() -> ExitCode {
    log::tell_panics();
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::message(&format!("iocgw: cannot start: {error}"));
            return ExitCode::from(PROBLEM);
        }
    };
    let done = runtime.block_on(async {
        match arguments.command {
            Command::Demo(arguments) => demo::run(&arguments).await,
            Command::Serve(arguments) => serve::run(&arguments).await,
            Command::Config(command) => config::run(&command),
            Command::Contract(command) => contract::run(&command),
            Command::Indicator(command) => indicator::run(&command).await,
            Command::Register(arguments) => register::run(&arguments),
            Command::Source(command) => source::run(&command).await,
            Command::Quarantine(command) => quarantine::run(&command).await,
            Command::Audit(command) => audit::run(&command),
            Command::Key(command) => key::run(&command),
            Command::Measure(command) => measure::run(&command).await,
            Command::Test(arguments) => test::run(&arguments),
            Command::Fsck(arguments) => fsck::check(&arguments),
            Command::Rebuild(arguments) => fsck::rebuild(&arguments).await,
            Command::Health(arguments) => health::run(&arguments).await,
        }
    });
    // A thread that is still at work on something that no longer matters does not hold the exit up.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => report(&error),
    }
}

fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(Invalid(problems)) = error.downcast_ref() {
        problems.iter().for_each(|problem| terminal::message(&problem.to_string()));
    }
    terminal::message(&format!("iocgw: {error:#}"));
    let is_invalid = error.downcast_ref::<Invalid>().is_some();
    let is_unreachable = error.downcast_ref::<remote::Unreachable>().is_some();
    let is_busy = matches!(error.downcast_ref(), Some(StoreError::Owned(_) | StoreError::Full));
    ExitCode::from(if is_invalid {
        INVALID
    } else if is_unreachable {
        UNREACHABLE
    } else if is_busy {
        TRY_AGAIN
    } else {
        PROBLEM
    })
}

//! `iocgw config check`: everything that is wrong with a configuration, all at once.

use super::{Place, terminal, test};
use crate::rehearse;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Read the whole folder and report every problem with file, line and column
    Check {
        #[command(flatten)]
        place: Place,
    },
}

pub(super) fn run(Command::Check { place }: &Command) -> anyhow::Result<u8> {
    let config = place.settings("unused".into()).check()?;
    let cases = test::suite(&place.config.join(rehearse::FOLDER), &config)?;
    let streams: usize = config.sources.iter().map(|source| source.streams.len()).sum();
    let measures: usize = config.plans.iter().map(|plan| plan.measures.len()).sum();
    terminal::data(&format!(
        "{}: good: {} sources with {streams} streams, {} contracts with {measures} measures, {} indicators, {} code lists, {} communes, {} cases",
        place.config.display(),
        config.sources.len(),
        config.plans.len(),
        config.catalogue.len(),
        config.lists.len(),
        config.areas.current().len(),
        cases.len()
    ));
    Ok(0)
}

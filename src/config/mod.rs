//! Configuration: a folder of files, checked as a whole.
//!
//! As written → checked, once: a [`Config`] cannot be invalid. Each stage checks its own settings; this
//! module reads the files, hands each stage its part and turns dotted places into file, line and
//! column. All problems are reported together, and unknown keys are problems. Nothing here touches the
//! network, and no file of the secrets folder but the identifier key is read.

mod access;
mod areas;
mod between;
mod boards;
mod compile;
mod deadlines;
mod files;
mod listener;
pub mod odcs;
mod parent;
pub mod personal;
mod provider;
pub mod schema;
mod stream;
mod trackers;
mod ways;
mod written;
pub mod yaml;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::decode::Decoder;
use crate::fold::Plan;
use crate::indicator::{Catalogue, ContractFacts, UnitName};
use crate::lateness::Promise;
use crate::model::area::Areas;
use crate::model::backfill::Past;
use crate::model::contract::Contract;
use crate::model::dictionary::Dictionaries;
use crate::model::disclosure::Disclosure;
use crate::model::schema::Lists;
use crate::model::time::Stamp;
use crate::model::units::Span;
use crate::normalise::Normaliser;
use crate::pipeline::{Cursor, DataThrough, Gate, Parent, Target};
use crate::pull;
use crate::serve::{AccessSettings, Board, EventSettings, IndicatorMetrics, Tracker};

pub use files::yaml_files;
pub use listener::ListenerSettings;
pub use provider::{TokenProvider, TokenRule};
pub use written::{ErrorHandler, Province, Source, Stream, Unit};
pub use yaml::Problem;

/// What a configuration is read with.
pub struct Options<'a> {
    /// The folder.
    pub dir: &'a Path,
    /// The texts of the folder's files as they were once, by path; instead of what is on the disk.
    pub kept: Option<&'a [(String, String)]>,
    /// Looks up `${VARIABLE}`.
    pub lookup: &'a dyn Fn(&str) -> Option<String>,
    /// The words that already have numbers in the store.
    pub words: Dictionaries,
    /// The installation's identifier key; anything will do for a check.
    pub identifier_key: &'a [u8],
    /// The key before it, as long as it is being replaced.
    pub previous_key: Option<&'a [u8]>,
}

/// A configuration in which everything fits.
#[derive(Debug)]
pub struct Config {
    /// The province.
    pub province: Province,
    /// The bodies that answer for something, by id.
    pub units: BTreeMap<String, Unit>,
    /// Territorial units.
    pub areas: Arc<Areas>,
    /// Code lists.
    pub lists: Lists,
    /// All words with their numbers.
    pub words: Dictionaries,
    /// The contracts as written, by name.
    pub contracts: BTreeMap<String, Contract>,
    /// By contract, the moments at which its figures are published, if they are.
    pub publications: BTreeMap<String, Arc<[Stamp]>>,
    /// The checked contracts with their measures.
    pub plans: Vec<Plan>,
    /// The sources.
    pub sources: Vec<CheckedSource>,
    /// The indicators.
    pub catalogue: Catalogue,
    /// The boards by name.
    pub boards: BTreeMap<String, Board>,
    /// The registers that are read item by item, by name.
    pub trackers: BTreeMap<String, Tracker>,
    /// How long the journal keeps each commit apart.
    pub journal_full_for: Span,
    /// What `/metrics/indicators` shows.
    pub indicator_metrics: IndicatorMetrics,
    /// Who may listen to events.
    pub events: EventSettings,
    /// Whom the API lets in without a key.
    pub access: AccessSettings,
    /// How the gateway is reached.
    pub listener: ListenerSettings,
    /// Whose tokens are believed.
    pub token_providers: Vec<TokenProvider>,
    /// What all sources share on their way out.
    pub outbound: pull::OutboundSettings,
    /// Where webhooks may be sent to.
    pub webhooks: pull::CourierSettings,
    /// A short hash over all files.
    pub hash: String,
    /// The texts of all files, by path below the folder.
    pub files: Vec<(String, String)>,
}

/// A source with its checked streams.
#[derive(Debug)]
pub struct CheckedSource {
    /// As written.
    pub written: Source,
    /// Its streams.
    pub streams: Vec<CheckedStream>,
    /// The targets that are known without asking anybody, if it is a fleet.
    pub targets: Arc<[Target]>,
}

/// A checked stream.
#[derive(Debug)]
pub struct CheckedStream {
    /// Its name.
    pub name: String,
    /// Position of its contract among the plans.
    pub plan: usize,
    /// Its requests.
    pub request: pull::Stream,
    /// From pages to the wanted values.
    pub decoder: Decoder,
    /// Where the code of each rule of the request stands among the picks around the records.
    pub rule_places: Vec<Option<usize>>,
    /// The place of the next link or token among the picks around the records.
    pub next_at: Option<usize>,
    /// The place of the announced number of records or pages among them.
    pub total_at: Option<usize>,
    /// From values to rows.
    pub normaliser: Normaliser,
    /// Present if its requests are made for each record that another stream lists.
    pub parent: Option<Parent>,
    /// Where it goes on.
    pub cursor: Option<Cursor>,
    /// Which time it is believed complete to.
    pub data_through: DataThrough,
    /// When a page is refused whole.
    pub gate: Gate,
    /// By when its reports have to be in, if they have to.
    pub promise: Option<Arc<Promise>>,
    /// Its rank among the streams of its contract; 0 where the newest version counts.
    pub rank: u8,
}

/// Reads and checks a configuration folder; all problems at once, in the order of their places.
pub fn load(options: Options<'_>) -> Result<Config, Vec<Problem>> {
    compile::folder(options)
}

impl CheckedSource {
    /// How one of its streams can be asked for its past once more.
    pub fn past(&self, stream: &CheckedStream) -> Past {
        let written = &self.written;
        if written.intake.is_some() {
            return Past::Never("it is pushed to: what is missing is sent again by its sender");
        }
        if written.file.is_some() {
            return Past::Never("its records lie in files: what is missing is dropped again");
        }
        if written.register.is_some() {
            return Past::Never("its records are the gateway's own");
        }
        if written.fleet.is_some() {
            return Past::Never("a fleet only tells how it is now");
        }
        let everything = "each of its turns asks for everything: take a turn with `pulls`";
        stream.cursor.as_ref().map_or(Past::Never(everything), Cursor::past)
    }
}

impl Config {
    /// What the evaluation needs to know of each contract.
    pub fn contract_facts(&self) -> BTreeMap<String, ContractFacts> {
        let facts = |contract: &Contract| ContractFacts {
            fresh_within: contract.sla.fresh_within,
            accountable_unit: contract.accountable_unit.clone(),
            publication: self.publications.get(&contract.contract).cloned(),
            disclosure: Disclosure::of(contract),
        };
        self.contracts.iter().map(|(name, contract)| (name.clone(), facts(contract))).collect()
    }

    /// The version of each measure's definition, by `contract.measure`.
    pub fn measure_versions(&self) -> BTreeMap<String, String> {
        let measures = self.plans.iter().flat_map(|plan| &plan.measures);
        measures.map(|measure| (measure.name.clone(), measure.definition.clone())).collect()
    }

    /// The version of each contract, by name.
    pub fn contract_versions(&self) -> BTreeMap<String, u32> {
        let contracts = self.contracts.iter();
        contracts.map(|(name, contract)| (name.clone(), contract.version)).collect()
    }

    /// What the evaluation needs to know of each unit.
    pub fn unit_names(&self) -> BTreeMap<String, UnitName> {
        self.units.iter().map(|(id, unit)| (id.clone(), unit.facts())).collect()
    }
}

//! All that the server is handed: the picture to read, the definitions to read it by, and a few
//! questions it may ask.
//!
//! `app` makes it once. Serving never reaches back into pulling or into the store: the snapshot is
//! swapped in from outside, the quarantine is asked through a trait, metrics and readiness through
//! functions. Each request takes one snapshot with its definitions, those of now or those of a moment
//! in the past, and answers everything from it ([`Asked`]), so no answer mixes two revisions.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::{Uri, header};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use arc_swap::ArcSwap;

use super::access::{Access, Reader};
use super::audit::AuditReader;
use super::boards::Board;
use super::custody::{Custodian, QuarantineReader};
use super::error::ApiError;
use super::events::Hub;
use super::exposition::Exposition;
use super::format::{self, Format};
use super::intake::Intake;
use super::kept::Kept;
use super::link::Base;
use super::past::written;
use super::query::Query;
use super::repeats::Repeats;
use super::routes::{self, Operation};
use super::targets::Fleets;
use super::trackers::Tracker;
use super::webhooks::Hooks;
use crate::clock::Clock;
use crate::indicator::{Catalogue, ContractFacts, Patterns, UnitName, World};
use crate::model::access::Reach;
use crate::model::area::Areas;
use crate::model::audit::Actor;
use crate::model::backfill::Past;
use crate::model::dictionary::Dictionaries;
use crate::model::revision::Cause;
use crate::model::schema::Lists;
use crate::model::snapshot::Snapshot;
use crate::model::text::Bilingual;
use crate::model::time::Stamp;

/// Seconds within which "now" stands still for readers; see [`Asked::now`].
const TICK: i64 = 60;

/// Seconds for which an answer is told to hold while news may come at any moment.
const UNDER_WAY: i64 = 5;

/// Counts one answered request: route template, method, status, time taken.
pub type Observe = dyn Fn(&str, &str, u16, Duration) + Send + Sync;

/// One readiness check: its name, and what is wrong if it fails.
pub type Check = (&'static str, Result<(), String>);

/// Everything the server needs.
#[derive(Clone)]
pub struct Context {
    /// The newest picture of everything; swapped after each commit.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// What the numbers mean, as the configuration in force says.
    pub definitions: Arc<Definitions>,
    /// Looks into the past.
    pub vintages: Arc<dyn Vintages>,
    /// The sources by name.
    pub sources: BTreeMap<String, SourceFacts>,
    /// What time it is.
    pub clock: Clock,
    /// Knows the targets of the fleets.
    pub fleets: Arc<dyn Fleets>,
    /// Takes in what is pushed.
    pub intake: Arc<dyn Intake>,
    /// Lists quarantined records.
    pub quarantine: Arc<dyn QuarantineReader>,
    /// Reads the audit log.
    pub audit: Arc<dyn AuditReader>,
    /// Carries out what people decide.
    pub custodian: Arc<dyn Custodian>,
    /// Keeps webhooks.
    pub hooks: Arc<dyn Hooks>,
    /// Whom it lets in.
    pub access: Arc<Access>,
    /// How far the answers of this context reach; everywhere until a reader is known.
    pub reach: Reach,
    /// Answers to what is asked again and again.
    pub kept: Arc<Kept>,
    /// What has been done under the key of a request that may be sent again.
    pub repeats: Arc<Repeats>,
    /// The text of `/metrics`.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// What `/metrics/indicators` shows.
    pub exposition: Arc<Exposition>,
    /// What changes, for those who listen.
    pub events: Arc<Hub>,
    /// The readiness checks. A sick source is not one of them.
    pub ready: Arc<dyn Fn() -> Vec<Check> + Send + Sync>,
    /// Counts each answered request.
    pub observe: Arc<Observe>,
    /// The path below which everything lies; the same for as long as the program runs.
    pub base: Base,
    /// The program's version.
    pub version: &'static str,
}

/// What is in use now: another configuration brings another context, whole.
pub type Contexts = ArcSwap<Context>;

/// The context in use, as nobody in particular may know it.
pub(super) fn in_use(request: &HttpRequest) -> Option<Arc<Context>> {
    Some(request.app_data::<web::Data<Contexts>>()?.load_full())
}

/// The context of one request as its reader may know it, the same from its beginning to its end.
#[derive(Clone)]
pub(super) struct Current {
    context: Arc<Context>,
    pub(super) reader: Reader,
}

impl Current {
    /// Who asks, as the audit log has it.
    pub(super) fn actor(&self) -> Actor {
        Actor::with_key(self.reader.key.as_deref())
    }
}

impl std::ops::Deref for Current {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

impl FromRequest for Current {
    type Error = actix_web::Error;
    type Future = std::future::Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Nobody comes here past the layer that lets readers in: without one there is no answer.
        let missing = || actix_web::error::ErrorInternalServerError("no reader was let in");
        let reader = request.extensions().get::<Reader>().cloned();
        let current = in_use(request)
            .zip(reader)
            .map(|(context, reader)| Self { context: context.of_reader(&reader), reader });
        std::future::ready(current.ok_or_else(missing))
    }
}

/// What the numbers of a snapshot mean: everything besides the snapshot that decides a reading.
///
/// One value belongs to one state of the configuration, so a reading of the past is made under the
/// definitions that were in force then.
#[derive(Clone, Debug)]
pub struct Definitions {
    /// The hash of the configuration it was made from.
    pub config: String,
    /// The indicators.
    pub catalogue: Catalogue,
    /// The territorial units.
    pub areas: Arc<Areas>,
    /// Numbers of codes and areas.
    pub words: Arc<Dictionaries>,
    /// Code lists, for the titles of codes.
    pub lists: Lists,
    /// What is promised of each contract, by name.
    pub contracts: BTreeMap<String, ContractFacts>,
    /// The version of each contract, by name.
    pub contract_versions: BTreeMap<String, u32>,
    /// The version of each measure's definition, by `contract.measure`.
    pub measure_versions: BTreeMap<String, String>,
    /// The boards by name.
    pub boards: BTreeMap<String, Board>,
    /// The registers that are read item by item, by name.
    pub trackers: BTreeMap<String, Tracker>,
    /// Accountable units by id.
    pub units: BTreeMap<String, UnitName>,
    /// The province itself.
    pub province: Province,
    /// What of all this the public is not told.
    pub patterns: Arc<Patterns>,
}

impl Definitions {
    /// The same as far as these limits reach: other units and their indicators do not occur.
    pub(super) fn within(self: &Arc<Self>, reach: &Reach) -> Arc<Self> {
        let Some(units) = &reach.units else { return Arc::clone(self) };
        let mut narrow = Self::clone(self);
        narrow.catalogue = self.catalogue.within(units);
        narrow.units.retain(|id, _| units.contains(id));
        Arc::new(narrow)
    }
}

/// What was known at a moment: the figures of that revision and the definitions then in force.
#[derive(Clone, Debug)]
pub struct Vintage {
    /// The figures.
    pub snapshot: Arc<Snapshot>,
    /// What they meant.
    pub definitions: Arc<Definitions>,
}

/// Why there is no vintage of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoVintage {
    /// Nothing was known yet: the journal begins then.
    Before(Stamp),
    /// The journal keeps only the end of that day: this is the nearest earlier moment it can tell.
    Compacted(Stamp),
    /// It is not past yet.
    NotYet,
    /// It cannot be read; the words are for the log and name no value.
    Unreadable(String),
}

/// What one commit taught about a measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// When it was committed.
    pub at: Stamp,
    /// The revision that it made.
    pub revision: u64,
    /// Why the cells changed.
    pub cause: Cause,
    /// Changes of cells (see [`crate::model::cube::cell`]), sorted by cell.
    pub changes: Vec<(u64, i64)>,
}

/// Looks into the past; called on a thread that may block.
pub trait Vintages: Send + Sync {
    /// What was known at the end of the second `at`. The same question has the same answer for as
    /// long as the journal is kept.
    fn at(&self, at: Stamp) -> Result<Vintage, NoVintage>;

    /// What was learned about a measure after `after` and up to `upto`, oldest first.
    fn learned(&self, measure: &str, after: Stamp, upto: Stamp) -> Result<Vec<Learned>, NoVintage>;
}

/// The province that the gateway serves.
#[derive(Clone, Debug)]
pub struct Province {
    /// Its code, as a string.
    pub code: String,
    /// Its name.
    pub name: Bilingual,
}

/// What the configuration says of a source, as far as readers may know it.
#[derive(Clone, Debug)]
pub struct SourceFacts {
    /// What people call it.
    pub title: Bilingual,
    /// What sort of system it is.
    pub source_kind: String,
    /// The id of the unit that answers for it.
    pub accountable_unit: String,
    /// Its streams, in the order of the file.
    pub streams: Vec<StreamFacts>,
}

/// What the configuration says of a stream, as far as readers may know it.
#[derive(Clone, Debug)]
pub struct StreamFacts {
    /// The stream's name.
    pub name: String,
    /// The contract its records keep.
    pub contract: String,
    /// How it can be asked for its past once more.
    pub past: Past,
}

/// What was asked: all of a request that an answer depends on, free to move to another thread.
#[derive(Clone, Default)]
pub(super) struct Question {
    uri: Uri,
    pieces: Vec<(String, String)>,
    accept: Option<String>,
    form: String,
    operation: Option<&'static Operation>,
}

impl Question {
    pub(super) fn of(request: &HttpRequest) -> Self {
        let pieces = request.match_info().iter();
        let accept = request.headers().get(header::ACCEPT);
        Self {
            uri: request.uri().clone(),
            pieces: pieces.map(|(name, text)| (name.to_owned(), text.to_owned())).collect(),
            accept: accept.and_then(|value| value.to_str().ok()).map(str::to_owned),
            form: String::new(),
            operation: routes::operation_of(request),
        }
    }

    /// The parameters, all of which the table of addresses knows, asked for in a form that it offers.
    pub(super) fn query(&self) -> Result<Query, ApiError> {
        let names = self.operation.map(Operation::names).unwrap_or_default();
        let query = Query::read(self.query_string(), &names)?;
        self.format(&query)?;
        Ok(query)
    }

    /// The form that was asked for.
    pub(super) fn format(&self, query: &Query) -> Result<Format, ApiError> {
        let accept = self.accept.as_deref();
        self.operation.map_or(Ok(Format::Json), |known| format::asked(known, query, accept))
    }

    /// A question that another one brings: `uri` with the one piece of its path, for `operation`.
    pub(super) fn inner(
        operation: Option<&'static Operation>,
        (name, piece): (&str, &str),
        uri: Uri,
    ) -> Self {
        let pieces = vec![(name.to_owned(), piece.to_owned())];
        Self { uri, pieces, accept: None, form: String::new(), operation }
    }

    /// The same question with parameters that came in a form.
    pub(super) fn with_form(self, form: String) -> Self {
        Self { form, ..self }
    }

    /// The parameters that came in a form, as they are written in an address.
    pub(super) fn form(&self) -> &str {
        &self.form
    }

    pub(super) fn query_string(&self) -> &str {
        self.uri.query().unwrap_or("")
    }

    /// The address as it was asked for.
    pub(super) fn path_and_query(&self) -> &str {
        self.uri.path_and_query().map_or("", |text| text.as_str())
    }
}

/// One request with the one snapshot that answers it.
pub(super) struct Asked<'a> {
    pub(super) request: &'a Question,
    pub(super) context: &'a Context,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) definitions: Arc<Definitions>,
    /// The present moment cut down to the minute, or the snapshot's own time if that is later.
    ///
    /// Ages and open periods are reckoned from it, so the answer to a question stays the same to the
    /// byte for up to a minute while nothing is committed, and a poller gets its 304.
    pub(super) now: Stamp,
    /// The moment in the past that was asked for; then it is "now" too.
    pub(super) as_of: Option<Stamp>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(request: &'a Question, context: &'a Context) -> Self {
        let snapshot = context.snapshot.load_full();
        let now = Self::moment(context.clock.now(), &snapshot);
        let definitions = Arc::clone(&context.definitions);
        Self { request, context, snapshot, definitions, now, as_of: None }
    }

    /// What readers take for now.
    pub(super) fn moment(now: Stamp, snapshot: &Snapshot) -> Stamp {
        Stamp(now.0.div_euclid(TICK) * TICK).max(snapshot.at)
    }

    /// Seconds, 1 to 60, until there may be another answer: to the end of the minute, or until a stream
    /// is asked that may bring news. One that is due already may bring them at any moment.
    pub(super) fn unchanged_for(&self) -> u32 {
        let now = self.context.clock.now().0;
        let tick = self.now.0.div_euclid(TICK) * TICK + TICK;
        let runs = self.snapshot.streams.values().filter_map(|stream| stream.next_run);
        let due = runs.map(|at| at.0.max(now + UNDER_WAY)).min().unwrap_or(tick);
        (tick.min(due) - now).clamp(1, TICK) as u32
    }

    /// The same question put to what was known at `at`.
    pub(super) fn then(
        request: &'a Question,
        context: &'a Context,
        vintage: Vintage,
        at: Stamp,
    ) -> Self {
        let Vintage { snapshot, definitions } = vintage;
        let definitions = definitions.within(&context.reach);
        Self { request, context, snapshot, definitions, now: at, as_of: Some(at) }
    }

    /// Another question, answered from the same.
    pub(super) fn also<'b>(&'b self, request: &'b Question) -> Asked<'b> {
        Asked {
            request,
            context: self.context,
            snapshot: Arc::clone(&self.snapshot),
            definitions: Arc::clone(&self.definitions),
            now: self.now,
            as_of: self.as_of,
        }
    }

    /// The link to an address of the gateway; see [`Base::link`].
    pub(super) fn link(&self, address: impl Display) -> String {
        self.context.base.link(address)
    }

    /// What a link takes along so that it leads to the same moment: nothing, or `as_of=`.
    pub(super) fn moment_link(&self, before: &str) -> String {
        self.as_of.map_or_else(String::new, |at| format!("{before}as_of={}", written(at)))
    }

    /// The parameters; see [`Question::query`].
    pub(super) fn query(&self) -> Result<Query, ApiError> {
        self.request.query()
    }

    /// A piece of the path by its name in the route, decoded.
    pub(super) fn piece(&self, name: &str) -> &str {
        let mut pieces = self.request.pieces.iter();
        pieces.find(|(known, _)| known == name).map_or("", |(_, text)| text)
    }

    pub(super) fn world(&self) -> World<'_> {
        World {
            snapshot: &self.snapshot,
            catalogue: &self.definitions.catalogue,
            areas: &self.definitions.areas,
            words: &self.definitions.words,
            contracts: &self.definitions.contracts,
            units: &self.definitions.units,
            province_code: &self.definitions.province.code,
            now: self.now,
            within: self.context.areas_within(),
            public: self.context.is_for_public().then_some(&*self.definitions.patterns),
        }
    }

    /// Whether the reader may know of what a unit answers for.
    pub(super) fn sees_unit(&self, unit: &str) -> bool {
        self.context.reach.sees_unit(unit)
    }

    /// The name of a unit; its id in both languages if the configuration has no name for it.
    pub(super) fn unit_name(&self, unit: &str) -> Bilingual {
        self.definitions
            .units
            .get(unit)
            .map_or_else(|| Bilingual::same(unit), |unit| unit.name.clone())
    }
}

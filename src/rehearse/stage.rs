//! A gateway in memory: what the store keeps, without the store.
//!
//! It does with a step's records what the pipeline and the store's writer do with a turn's: decode,
//! normalise, fold, add to the cubes, keep count, show a snapshot. Only that which reaches a number
//! is here: no cursor, no retries, no quarantine beyond who is held.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::check::{Feed, ReadyStep};
use crate::config::{CheckedSource, CheckedStream, Config};
use crate::decode::DecodeError;
use crate::fold::{Bringer, Entities, Folded, Plan, Texts, against};
use crate::indicator::{ContractFacts, UnitName, World};
use crate::model::cube::Cube;
use crate::model::observation::{Observations, Reject};
use crate::model::record::{Records, Value};
use crate::model::snapshot::{Conservation, Measure, Outcome, RunLine, Snapshot, StreamState};
use crate::model::time::Stamp;
use crate::normalise::{Normalised, Surroundings, Target};
use crate::pipeline::DataThrough;
use crate::pull::Action;

/// Everything that has come in so far.
pub(super) struct Stage<'a> {
    pub(super) config: &'a Config,
    pub(super) now: Stamp,
    pub(super) snapshot: Snapshot,
    contracts: Vec<Kept>,
    facts: BTreeMap<String, ContractFacts>,
    units: BTreeMap<String, UnitName>,
}

/// What is kept of one contract.
struct Kept {
    entities: Entities,
    /// Records in quarantine by stream and fingerprint, with the key that would release them.
    held: BTreeMap<(String, u128), Option<u128>>,
    texts: Texts,
}

/// What a step came to.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Position of the contract among the plans; `None` if no records came.
    pub(super) plan: Option<usize>,
    pub(super) normalised: Normalised,
    pub(super) records: Conservation,
    /// Why the page was refused, if it was.
    pub(super) refused: Option<String>,
}

impl<'a> Stage<'a> {
    /// A gateway that has asked nobody yet.
    pub(super) fn new(config: &'a Config) -> Self {
        let mut snapshot = Snapshot::default();
        for plan in &config.plans {
            let empty = |measure: &crate::fold::MeasurePlan| Measure {
                name: measure.name.clone(),
                contract: plan.schema.name.clone(),
                kind: measure.kind,
                decimals: measure.decimals,
                dimensions: measure.dimensions.clone(),
                cube: Cube::default(),
            };
            let measures = plan.measures.iter().map(empty);
            snapshot.measures.extend(measures.map(|it| (it.name.clone(), Arc::new(it))));
        }
        for (source, stream) in streams(config) {
            let state = StreamState {
                source: source.written.source.clone(),
                stream: stream.name.clone(),
                contract: config.plans[stream.plan].schema.name.clone(),
                ..StreamState::default()
            };
            snapshot.streams.insert(title(source, stream), Arc::new(state));
        }
        let kept = |plan: &Plan| Kept {
            entities: Entities::new(&plan.schema.layout),
            held: BTreeMap::new(),
            texts: Texts::new(&plan.schema, &config.words),
        };
        Self {
            config,
            now: Stamp::default(),
            snapshot,
            contracts: config.plans.iter().map(kept).collect(),
            facts: config.contract_facts(),
            units: config.unit_names(),
        }
    }

    /// What indicators are evaluated from.
    pub(super) fn world(&self) -> World<'_> {
        World {
            snapshot: &self.snapshot,
            catalogue: &self.config.catalogue,
            areas: &self.config.areas,
            words: &self.config.words,
            contracts: &self.facts,
            units: &self.units,
            province_code: &self.config.province.code,
            now: self.now,
            within: None,
            public: None,
        }
    }

    /// Takes one step.
    pub(super) fn take(&mut self, step: &ReadyStep) -> Done {
        self.now = step.now;
        self.snapshot.at = step.now;
        let config = self.config;
        match &step.feed {
            Feed::Nothing => Done::default(),
            Feed::Pages { source, stream, pages } => {
                let source = &config.sources[*source];
                let stream = &source.streams[*stream];
                match read(stream, pages, self.now) {
                    Ok((received, normalised)) => {
                        let fed = [(title(source, stream), stream.data_through)];
                        self.commit(stream.plan, &fed, received, normalised)
                    }
                    Err(why) => Done { refused: Some(why), ..Done::default() },
                }
            }
            Feed::Polls { source, stream, polls } => {
                let source = &config.sources[*source];
                let stream = &source.streams[*stream];
                let polled = poll(source, stream, polls, self.now);
                let fed = [(title(source, stream), stream.data_through)];
                self.commit(stream.plan, &fed, polls.len() as u64, polled)
            }
            Feed::Sample { plan, sample, array } => match sample.read(array, self.now) {
                Ok(passed) => {
                    let fed = self.streams_of(*plan);
                    self.commit(*plan, &fed, passed.received, passed.normalised)
                }
                Err(error) => Done { refused: Some(error.to_string()), ..Done::default() },
            },
        }
    }

    /// All streams that keep a contract; one of the case's own if there is none.
    fn streams_of(&mut self, plan: usize) -> Vec<(String, DataThrough)> {
        let of_plan = streams(self.config).filter(|(_, stream)| stream.plan == plan);
        let mut fed: Vec<_> =
            of_plan.map(|(source, it)| (title(source, it), it.data_through)).collect();
        if fed.is_empty() {
            let contract = self.config.plans[plan].schema.name.clone();
            let name = format!("case.{contract}");
            let state = StreamState {
                source: "case".to_owned(),
                stream: contract.clone(),
                contract,
                ..StreamState::default()
            };
            self.snapshot.streams.entry(name.clone()).or_insert_with(|| Arc::new(state));
            fed.push((name, DataThrough::RunStart));
        }
        fed
    }

    fn commit(
        &mut self,
        plan: usize,
        fed: &[(String, DataThrough)],
        received: u64,
        mut normalised: Normalised,
    ) -> Done {
        let planned = &self.config.plans[plan];
        let origin = self.origin(plan, fed);
        let kept = &mut self.contracts[plan];
        let bringer = Bringer { origin, ..Bringer::default() };
        kept.texts.resolve(&mut normalised.observations);
        self.snapshot.texts.extend(kept.texts.dictionaries());
        let folded = against(&mut kept.entities, planned, &normalised.observations, bringer);
        for (i, measure) in planned.measures.iter().enumerate() {
            if let Some(known) = self.snapshot.measures.get_mut(&measure.name) {
                Arc::make_mut(known).cube.add(&folded.changes(i));
            }
        }
        let records = Conservation {
            received,
            accepted: folded.accepted(),
            superseded: folded.superseded,
            duplicate: folded.duplicate,
            quarantined: normalised.rejects.len() as u64,
            rejected: 0,
        };
        if let Some((first, _)) = fed.first() {
            kept.hold(first, &normalised.rejects);
        }
        kept.release(&normalised.observations);
        self.snapshot.revision += 1;
        self.note(plan, fed, records, &folded);
        Done { plan: Some(plan), normalised, records, refused: None }
    }

    /// The number of the stream that brought the records, within its contract.
    fn origin(&self, plan: usize, fed: &[(String, DataThrough)]) -> u8 {
        let mut of_plan = streams(self.config).filter(|(_, stream)| stream.plan == plan);
        let brought = fed.first().map(|(name, _)| name.as_str());
        let number = of_plan.position(|(source, it)| Some(title(source, it).as_str()) == brought);
        number.and_then(|number| u8::try_from(number).ok()).unwrap_or(0)
    }

    /// Notes a good run on every stream that was fed, and who holds how much.
    fn note(
        &mut self,
        plan: usize,
        fed: &[(String, DataThrough)],
        records: Conservation,
        folded: &Folded,
    ) {
        let now = self.now;
        for (i, (name, data_through)) in fed.iter().enumerate() {
            let Some(state) = self.snapshot.streams.get_mut(name) else { continue };
            let state = Arc::make_mut(state);
            let through = match data_through {
                DataThrough::RunStart | DataThrough::Modified => Some(now),
                DataThrough::LatestRecord => folded.latest.map(Stamp),
            };
            let records = if i == 0 { records } else { Conservation::default() };
            (state.last_attempt, state.last_success) = (Some(now), Some(now));
            state.data_through = state.data_through.max(through);
            state.total.add(&records);
            let outcome = Outcome::Ok;
            let (started, ended, pages, message) = (now, now, 1, None);
            state.runs.push_back(RunLine { started, ended, outcome, pages, records, message });
        }
        let held = &self.contracts[plan].held;
        let contract = &self.config.plans[plan].schema.name;
        for (name, state) in &mut self.snapshot.streams {
            if state.contract == *contract {
                let count = held.keys().filter(|(stream, _)| stream == name).count() as u64;
                Arc::make_mut(state).quarantined = count;
            }
        }
    }
}

impl Kept {
    fn hold(&mut self, stream: &str, rejects: &[Reject]) {
        for reject in rejects {
            self.held.insert((stream.to_owned(), reject.fingerprint), reject.key);
        }
    }

    /// Lets go of what is held under a key that has an accepted version now.
    fn release(&mut self, seen: &Observations) {
        self.held.retain(|_, key| key.is_none_or(|key| !seen.keys.contains(&key)));
    }
}

/// `source.stream`
fn title(source: &CheckedSource, stream: &CheckedStream) -> String {
    format!("{}.{}", source.written.source, stream.name)
}

fn streams(config: &Config) -> impl Iterator<Item = (&CheckedSource, &CheckedStream)> {
    let sources = config.sources.iter();
    sources.flat_map(|source| source.streams.iter().map(move |stream| (source, stream)))
}

/// Decodes and normalises pages as the pipeline does; the error is why one was refused.
fn read(
    stream: &CheckedStream,
    pages: &[Vec<u8>],
    now: Stamp,
) -> Result<(u64, Normalised), String> {
    let (mut received, mut all) = (0, nothing(stream));
    for page in pages {
        let decoded = stream.decoder.decode(page);
        let none = Vec::new();
        let envelope = match &decoded {
            Ok(decoded) => &decoded.envelope,
            Err(DecodeError::NoRecords { envelope, .. }) => envelope,
            Err(_) => &none,
        };
        for (number, (rule, place)) in
            stream.request.rules.iter().zip(&stream.rule_places).enumerate()
        {
            let code = place.filter(|_| rule.is_about_pages()).and_then(|at| envelope.get(at));
            if code.is_some_and(|code| rule.applies(code.as_deref())) {
                if rule.then == Action::Success {
                    break;
                }
                return Err(rule.said(number));
            }
        }
        let decoded = decoded.map_err(|error| error.to_string())?;
        received += decoded.records.count as u64;
        let around = Surroundings { now, target: None };
        let page = stream.normaliser.page(&decoded.records, around);
        if let Some(refusal) = stream.gate.refuse(&page.audit) {
            return Err(refusal.why);
        }
        absorb(&mut all, page);
    }
    Ok((received, all))
}

/// Normalises the answers of a fleet's targets, silent ones included.
fn poll(
    source: &CheckedSource,
    stream: &CheckedStream,
    polls: &[(usize, Option<Vec<u8>>)],
    now: Stamp,
) -> Normalised {
    let length = source.written.fleet.as_ref().map_or(1, |fleet| fleet.slot.as_seconds().max(1));
    let slot = Stamp(now.0.div_euclid(length) * length);
    let mut all = nothing(stream);
    for (target, answer) in polls {
        let target = &source.targets[*target];
        let decoded = answer.as_ref().and_then(|body| stream.decoder.decode(body).ok());
        let picks = stream.normaliser.pointers().len();
        let silent =
            Records { picks, values: vec![Value::Absent; picks], count: 1, ..Records::default() };
        let up = decoded.is_some();
        let records = decoded.map_or(silent, |decoded| decoded.records);
        let polled = Target { name: &target.name, labels: &target.labels, slot, up };
        let around = Surroundings { now, target: Some(&polled) };
        absorb(&mut all, stream.normaliser.page(&records, around));
    }
    all
}

fn nothing(stream: &CheckedStream) -> Normalised {
    let width = stream.normaliser.schema().fields.len();
    Normalised { observations: Observations::new(width), ..Normalised::default() }
}

fn absorb(all: &mut Normalised, page: Normalised) {
    all.observations.append(page.observations);
    all.rejects.extend(page.rejects);
    all.audit.join(page.audit);
}

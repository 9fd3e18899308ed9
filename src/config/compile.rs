//! From files to a checked [`Config`]: lists and areas, contracts, sources, indicators, in this order,
//! because each speaks of what came before. What could not be checked because something before it is
//! broken is passed over in silence: its problem is the one before.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::areas::areas;
use super::deadlines::{Calendars, calendars};
use super::files::{Files, Read};
use super::parent::Around;
use super::ways::ways_in;
use super::written::{Gateway, Indicators, Source, Stream, Unit, Units};
use super::yaml::Problem;
use super::{CheckedSource, CheckedStream, Config, Options};
use crate::decode::Decoder;
use crate::fold::Plan;
use crate::indicator::{self, Catalogue, KnownMeasure};
use crate::model::area::Areas;
use crate::model::contract::Contract;
use crate::model::cube::{HOURS, hours};
use crate::model::declared;
use crate::model::dictionary::Dictionaries;
use crate::model::disclosure::DisclosureSettings;
use crate::model::list::CodeList;
use crate::model::nearest::nearest;
use crate::model::schema::{Lists, Schema};
use crate::model::text::is_name;
use crate::model::units::Span;
use crate::normalise::{Coercion, KeyHasher, Normaliser, coerced};
use crate::pipeline::{self, List, Target};
use crate::pull::{self, OutboundSettings};
use crate::serve::EventSettings;

/// The code list of accountable units.
const UNITS: &str = "units";

pub(super) fn folder(options: Options<'_>) -> Result<Config, Vec<Problem>> {
    let mut files = Files::new(&options);
    let mut words = options.words;
    for word in ["false", "true"] {
        words.entry("boolean").intern(word);
    }
    for hour in hours() {
        words.entry(HOURS).intern(&hour);
    }
    let gateway = gateway(&mut files);
    let outbound = gateway.as_ref().map(|read| read.value.outbound.clone()).unwrap_or_default();
    let units = units(&mut files);
    let (province, areas) = areas(&mut files, &mut words);
    let access = super::access::checked(&mut files, gateway.as_ref(), (areas.as_ref(), &units));
    let mut lists = lists(&mut files, &mut words);
    list_units(&units, &mut lists, &mut words);
    let calendars = calendars(&mut files);
    let mut compiler = Compiler {
        files,
        words,
        units,
        outbound,
        lists,
        calendars,
        areas: areas.map(Arc::new),
        key: options.identifier_key,
        previous_key: options.previous_key,
        province: Some(province.code.clone()).filter(|code| !code.is_empty()),
        contract_files: BTreeMap::new(),
    };
    let indicators = compiler.files.folder::<Indicators>("indicators");
    let (contracts, plans) = compiler.contracts(&indicators);
    let mut sources = compiler.sources(&contracts, &plans);
    compiler.precedence(&contracts, &mut sources);
    let catalogue = compiler.indicators(&indicators, &plans);
    compiler.indicator_metrics(gateway.as_ref(), catalogue.as_ref());
    let trackers = compiler.trackers(&plans, catalogue.as_ref());
    let boards = compiler.boards(catalogue.as_ref());
    let publications = compiler.publications(&contracts);
    let Compiler { files, words, units, outbound, lists, areas, .. } = compiler;
    match (areas, catalogue) {
        (Some(areas), Some(catalogue)) if files.problems.is_empty() => {
            let plans = plans.into_values().collect();
            let (hash, files) = (files.hash(), files.texts());
            Ok(Config {
                province,
                units,
                areas,
                lists,
                words,
                contracts,
                publications,
                plans,
                sources,
                catalogue,
                boards,
                trackers,
                journal_full_for: gateway
                    .as_ref()
                    .map_or(Span::seconds(0), |read| read.value.journal.full_for),
                webhooks: gateway
                    .as_ref()
                    .map(|read| read.value.webhooks.clone())
                    .unwrap_or_default(),
                listener: gateway
                    .as_ref()
                    .map(|read| read.value.listener.clone())
                    .unwrap_or_default(),
                token_providers: gateway
                    .as_ref()
                    .map(|read| read.value.token_providers.clone())
                    .unwrap_or_default(),
                events: gateway.as_ref().map(|read| read.value.events.clone()).unwrap_or_default(),
                indicator_metrics: gateway
                    .map(|read| read.value.indicator_metrics)
                    .unwrap_or_default(),
                outbound,
                access,
                hash,
                files,
            })
        }
        _ => Err(files.causes()),
    }
}

fn units(files: &mut Files<'_>) -> BTreeMap<String, Unit> {
    let Some(read) = files.yaml::<Units>("units.yaml") else {
        files.follows("in units.yaml");
        return BTreeMap::new();
    };
    for (at, problem) in read.value.problems() {
        files.problem(&read, &at, &problem);
    }
    read.value.units
}

fn gateway(files: &mut Files<'_>) -> Option<Read<Gateway>> {
    let Some(read) = files.yaml::<Gateway>("iocgw.yaml") else {
        files.follows("under outbound.rate_limits");
        return None;
    };
    if read.value.version != 1 {
        files.problem(&read, "version", "this program reads version 1");
    }
    let mut problems = Vec::new();
    read.value.outbound.check("outbound", &mut problems);
    read.value.webhooks.check("webhooks", &mut problems);
    read.value.listener.check("listener", &mut problems);
    problems.extend(super::provider::check(&read.value.token_providers));
    let (EventSettings { clients, slow_after }, most) =
        (&read.value.events, EventSettings::MOST_CLIENTS);
    if !(1..=most).contains(clients) {
        problems.push(("events.clients".to_owned(), format!("must be from 1 to {most}")));
    }
    if !(1..=3600).contains(&slow_after.as_seconds()) {
        problems.push(("events.slow_after".to_owned(), "must be from 1s to 1h".to_owned()));
    }
    problems.iter().for_each(|(at, message)| files.problem(&read, at, message));
    Some(read)
}

fn lists(files: &mut Files<'_>, words: &mut Dictionaries) -> Lists {
    let mut lists = Lists::new();
    // `procedures.field.csv` holds titles for the column `field` of `procedures.csv`.
    let (titles, names): (Vec<_>, Vec<_>) =
        files.names("lists", "csv").into_iter().partition(|name| list_name(name).contains('.'));
    for name in names {
        let Some(text) = files.text(&name, None) else { continue };
        let list = list_name(&name);
        match CodeList::read(list, &text, words) {
            Ok(read) => _ = lists.insert(list.to_owned(), Arc::new(read)),
            Err(problems) => {
                files.follows(&format!("code list '{list}'"));
                for (line, message) in problems {
                    let place = files.place(&name, line);
                    files.problems.push(Problem::new(place, "", &message));
                }
            }
        }
    }
    for name in titles {
        let Some(text) = files.text(&name, None) else { continue };
        let Some((list, attribute)) = list_name(&name).split_once('.') else { continue };
        let read = match lists.get_mut(list).map(Arc::make_mut) {
            Some(list) => list.read_titles(attribute, &text),
            None => Err(vec![(1, format!("there is no code list '{list}' for these titles"))]),
        };
        for (line, message) in read.err().into_iter().flatten() {
            let place = files.place(&name, line);
            files.problems.push(Problem::new(place, "", &message));
        }
    }
    lists
}

/// The bodies of `units.yaml` are a code list by themselves, so that records can be counted by them.
fn list_units(units: &BTreeMap<String, Unit>, lists: &mut Lists, words: &mut Dictionaries) {
    let mut text = "code,vi,en\n".to_owned();
    for (id, unit) in units {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        text.extend([id, ",", &quoted(&unit.name.vi), ",", &quoted(&unit.name.en), "\n"]);
    }
    if let Ok(list) = CodeList::read(UNITS, &text, words) {
        lists.entry(UNITS.to_owned()).or_insert_with(|| Arc::new(list));
    }
}

fn list_name(file: &str) -> &str {
    file.trim_start_matches("lists/").trim_end_matches(".csv")
}

pub(super) struct Compiler<'a> {
    pub(super) files: Files<'a>,
    pub(super) words: Dictionaries,
    pub(super) units: BTreeMap<String, Unit>,
    pub(super) outbound: OutboundSettings,
    pub(super) lists: Lists,
    pub(super) calendars: Calendars,
    pub(super) areas: Option<Arc<Areas>>,
    pub(super) key: &'a [u8],
    pub(super) previous_key: Option<&'a [u8]>,
    /// The province's own code.
    pub(super) province: Option<String>,
    /// Where each contract stands, for problems that show only when the sources are known.
    pub(super) contract_files: BTreeMap<String, Read<()>>,
}

pub(super) type Plans = BTreeMap<String, Plan>;

impl Compiler<'_> {
    fn unit<T>(&mut self, read: &Read<T>, at: &str, unit: &str) {
        if !self.units.contains_key(unit) {
            let hint = nearest(unit, self.units.keys().map(String::as_str))
                .map_or(String::new(), |near| format!(" – did you mean '{near}'?"));
            self.files.problem(read, at, &format!("there is no unit '{unit}' in units.yaml{hint}"));
        }
    }

    /// Numbers the texts that contracts and indicators speak of, before any record brings them.
    fn texts(&mut self, contracts: &[Read<Contract>], indicators: &[Read<Indicators>]) {
        for read in contracts {
            declared::texts(&read.value, &mut self.words);
        }
        let settings = indicators.iter().flat_map(|read| read.value.indicators.values());
        for term in settings.flat_map(indicator::Settings::all_terms) {
            let named = |read: &&Read<Contract>| {
                term.measure.split('.').next() == Some(read.value.contract.as_str())
            };
            if let Some(read) = contracts.iter().find(named) {
                let wanted = term.only.iter().map(|(name, wanted)| (name.as_str(), &wanted.0[..]));
                declared::wanted(&read.value, wanted, &mut self.words);
            }
        }
    }

    fn contracts(
        &mut self,
        indicators: &[Read<Indicators>],
    ) -> (BTreeMap<String, Contract>, Plans) {
        let (mut contracts, mut plans) = (BTreeMap::new(), Plans::new());
        let reads = self.files.folder::<Contract>("contracts");
        self.texts(&reads, indicators);
        for name in self.files.names("contracts", "yaml") {
            let is_read = reads.iter().any(|read| self.files.is(&read.file, &name));
            let contract = name.trim_start_matches("contracts/").trim_end_matches(".yaml");
            if !is_read {
                self.files.follows(&format!("contract '{contract}'"));
                self.files.follows(&format!("measure '{contract}."));
            }
        }
        for read in reads {
            let contract = &read.value;
            if contracts.contains_key(&contract.contract) {
                let message = format!("contract '{}' stands in two files", contract.contract);
                self.files.problem(&read, "contract", &message);
                continue;
            }
            self.unit(&read, "accountable_unit", &contract.accountable_unit);
            self.personal_properties(&read);
            self.deadline(&read, "sla.in_by", contract.sla.in_by.as_ref());
            self.deadline(&read, "publication", contract.publication.as_ref());
            let disclosure = contract.disclosure.as_ref();
            if let Some((key, message)) = disclosure.and_then(DisclosureSettings::problem) {
                self.files.problem(&read, &format!("disclosure.{key}"), &message);
            }
            let schema = Schema::compile(contract, &self.lists, &self.words).map(Arc::new);
            let plan = schema.and_then(|schema| Plan::compile(contract, &schema, &self.words));
            match plan {
                Ok(plan) => _ = plans.insert(contract.contract.clone(), plan),
                Err(problems) => {
                    self.files.follows(&format!("measure '{}.", contract.contract));
                    problems
                        .iter()
                        .for_each(|(at, message)| self.files.problem(&read, at, message));
                }
            }
            let Read { file, node, value } = read;
            let name = value.contract.clone();
            self.contract_files.insert(name.clone(), Read { file, node, value: () });
            contracts.insert(name, value);
        }
        (contracts, plans)
    }

    fn sources(
        &mut self,
        contracts: &BTreeMap<String, Contract>,
        plans: &Plans,
    ) -> Vec<CheckedSource> {
        let mut sources: Vec<CheckedSource> = Vec::new();
        for read in self.files.folder::<Source>("sources") {
            let source = &read.value;
            if sources.iter().any(|known| known.written.source == source.source) {
                self.files.problem(
                    &read,
                    "source",
                    &format!("source '{}' stands in two files", source.source),
                );
            }
            self.source_settings(&read);
            let targets = self.targets(&read);
            let mut streams = Vec::new();
            for (name, stream) in &source.streams {
                if let Some(checked) = self.stream(&read, name, stream, contracts, plans) {
                    streams.push(checked);
                }
            }
            sources.push(CheckedSource { written: read.value, streams, targets: targets.into() });
        }
        sources
    }

    fn source_settings(&mut self, read: &Read<Source>) {
        let source = &read.value;
        self.unit(read, "accountable_unit", &source.accountable_unit);
        for (at, name) in [("source", &source.source), ("source_kind", &source.source_kind)] {
            if !is_name(name) {
                self.files.problem(read, at, &format!("'{name}' is not a plain lower-case name"));
            }
        }
        let mut problems = Vec::new();
        ways_in(source, &mut problems);
        if let Some(limit) = &source.rate_limit {
            limit.check("rate_limit", &mut problems);
            let shared = &self.outbound.rate_limits;
            if let Some(name) = limit.name.as_ref().filter(|name| !shared.contains_key(*name)) {
                let hint = nearest(name, shared.keys().map(String::as_str))
                    .map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
                let message =
                    format!("there is no '{name}' under outbound.rate_limits of iocgw.yaml{hint}");
                problems.push(("rate_limit.name".to_owned(), message));
            }
        }
        source.circuit_breaker.check("circuit_breaker", &mut problems);
        let most = self.outbound.at_once;
        if most > 0 && source.requester.as_ref().is_some_and(|asked| asked.at_once >= most) {
            let message =
                format!("must be less than outbound.at_once ({most}), or one source takes all");
            problems.push(("requester.at_once".to_owned(), message));
        }
        source.retry.check("retry", &mut problems);
        for (i, rule) in source.error_handler.on.iter().enumerate() {
            rule.check(&format!("error_handler.on.{i}"), &mut problems);
        }
        if source.streams.is_empty() {
            problems.push(("streams".to_owned(), "a source needs at least one stream".to_owned()));
        }
        let url = source.requester.as_ref().map_or("", |requester| &requester.url);
        let templated = url.contains("{{ target }}");
        if templated != source.fleet.is_some() {
            let message = "'{{ target }}' stands in the url of a fleet, and only there";
            problems.push(("requester.url".to_owned(), message.to_owned()));
        }
        problems.iter().for_each(|(at, message)| self.files.problem(read, at, message));
    }

    fn targets(&mut self, read: &Read<Source>) -> Vec<Target> {
        let Some(fleet) = &read.value.fleet else { return Vec::new() };
        let mut problems = Vec::new();
        fleet.check("fleet", &mut problems);
        if let Some(service) = read.value.requester.as_ref().and_then(|it| fleet.service(it)) {
            let mut found = Vec::new();
            service.check("fleet.http_sd", &mut found);
            problems.extend(found.into_iter().filter(|(at, _)| at == "fleet.http_sd.url"));
        }
        problems.iter().for_each(|(at, message)| self.files.problem(read, at, message));
        if let Err(message) = List::written(&fleet.targets) {
            self.files.problem(read, "fleet.targets", &message);
        }
        for (i, group) in fleet.targets.iter().enumerate() {
            for (j, name) in group.targets.iter().enumerate().filter(|(_, n)| !pull::is_target(n)) {
                let at = format!("fleet.targets.{i}.targets.{j}");
                let message = format!("'{name}' may only hold letters, digits and .-_:[]");
                self.files.problem(read, &at, &message);
            }
        }
        // Files that others write are looked at when the fleet runs: they are no part of this.
        let mut targets = if self.files.is_of_the_past() {
            Vec::new()
        } else {
            pipeline::at_once(fleet, self.files.folder_path())
        };
        let Some(name) = &fleet.targets_file else { return targets };
        let at = "fleet.targets_file";
        let Some(text) = self.files.text(name, Some(read.node.place_of(&read.file, at))) else {
            return targets;
        };
        match List::read(name, &text) {
            Ok(list) => targets.extend(list.targets),
            Err((line, error)) => {
                let place = self.files.place(name, line);
                let problem = Problem::new(place, "", format!("not a list of targets: {error}"));
                self.files.problems.push(problem);
                return targets;
            }
        }
        if targets.is_empty() || targets.len() > fleet.max_targets {
            let (count, most) = (targets.len(), fleet.max_targets);
            let message = format!("a fleet has 1 to {most} targets, here are {count}");
            self.files.problem(read, at, &message);
        }
        targets
    }

    fn stream(
        &mut self,
        read: &Read<Source>,
        name: &str,
        stream: &Stream,
        contracts: &BTreeMap<String, Contract>,
        plans: &Plans,
    ) -> Option<CheckedStream> {
        let at = format!("streams.{name}");
        let before = self.files.problems.len();
        if !is_name(name) {
            self.files.problem(read, &at, &format!("'{name}' is not a plain lower-case name"));
        }
        let request = self.request(&read.value, stream);
        self.stream_settings(read, &at, stream, &request);
        if !contracts.contains_key(&stream.contract) {
            let hint = nearest(&stream.contract, contracts.keys().map(String::as_str))
                .map_or(String::new(), |near| format!(" – did you mean '{near}'?"));
            self.files.problem(
                read,
                &format!("{at}.contract"),
                &format!("there is no contract '{}'{hint}", stream.contract),
            );
        }
        if let Some(contract) = contracts.get(&stream.contract) {
            self.personal_places(read, &at, stream, contract);
        }
        let (plan, areas) = (plans.get(&stream.contract)?, Arc::clone(self.areas.as_ref()?));
        let parent = self.parent(read, &at, stream, &request);
        let listing = parent.as_ref().map_or(&request, |parent| &parent.request);
        let cursor = self.cursor(read, &at, (&request, listing), stream.cursor.as_ref(), plan);
        let linkage = contracts[&stream.contract].linkage.as_deref();
        let hasher = |key: &[u8]| match linkage {
            Some(linkage) => KeyHasher::shared(key, linkage),
            None => KeyHasher::new(key, &stream.contract),
        };
        let previous = self.previous_key.map(hasher);
        let hasher = hasher(self.key);
        let texts: &[Coercion] = if stream.format.is_untyped() { &Coercion::ALL_TEXT } else { &[] };
        let map = coerced(&stream.map, &[&stream.coerce, texts].concat());
        let normaliser = match Normaliser::compile(&plan.schema, &areas, &map, hasher) {
            Ok(normaliser) => normaliser.after(previous),
            Err(problems) => {
                problems.iter().for_each(|(below, message)| {
                    self.files.problem(read, &format!("{at}.map.{below}"), message);
                });
                return None;
            }
        };
        let around = Around::of(&request);
        let records = stream.records.as_deref();
        let decoder = match Decoder::compile(
            &stream.format,
            records,
            normaliser.pointers(),
            &around.pointers,
        )
        .and_then(|decoder| decoder.with_arrays(normaliser.arrays()))
        {
            Ok(decoder) => decoder,
            Err((key, message)) => {
                let dot = if key.is_empty() { "" } else { "." };
                self.files.problem(read, &format!("{at}{dot}{key}"), &message);
                return None;
            }
        };
        let position = plans.keys().position(|known| *known == stream.contract)?;
        let data_through = stream.data_through;
        self.deadline(read, &format!("{at}.in_by"), stream.in_by.as_ref());
        let promise = self.promise(&read.value, stream, &contracts[&stream.contract]);
        (self.files.problems.len() == before).then(|| CheckedStream {
            name: name.to_owned(),
            plan: position,
            request,
            decoder,
            rule_places: around.rule_places,
            next_at: around.next_at,
            total_at: around.total_at,
            parent,
            normaliser,
            cursor,
            data_through,
            gate: stream.gate,
            promise,
            rank: 0,
        })
    }

    fn indicators(&mut self, reads: &[Read<Indicators>], plans: &Plans) -> Option<Catalogue> {
        let (mut settings, mut places) = (BTreeMap::new(), BTreeMap::new());
        if reads.len() < self.files.names("indicators", "yaml").len() {
            self.files.follows("there is no indicator '");
        }
        for (file, read) in reads.iter().enumerate() {
            for (id, entry) in &read.value.indicators {
                if settings.insert(id.clone(), entry.clone()).is_some() {
                    self.files.problem(
                        read,
                        &format!("indicators.{id}"),
                        &format!("indicator '{id}' stands in two files"),
                    );
                }
                places.insert(id.clone(), file);
            }
        }
        let known: BTreeMap<_, _> = plans.values().flat_map(known_measures).collect();
        let units: BTreeMap<_, _> =
            self.units.iter().map(|(id, unit)| (id.clone(), unit.facts())).collect();
        match Catalogue::compile(&settings, &known, &self.words, &units) {
            Ok(catalogue) => Some(catalogue),
            Err(problems) => {
                for (at, message) in problems {
                    let id = at.split('.').nth(1).unwrap_or("");
                    if let Some(file) = places.get(id) {
                        self.files.problem(&reads[*file], &at, &message);
                    }
                }
                None
            }
        }
    }
}

fn known_measures(plan: &Plan) -> Vec<(String, KnownMeasure)> {
    let contract = &plan.schema.name;
    let known = |measure: &crate::fold::MeasurePlan| KnownMeasure {
        kind: measure.kind,
        decimals: measure.decimals,
        dimensions: measure.dimensions.clone(),
        contract: contract.clone(),
        definition: measure.definition.clone(),
    };
    plan.measures.iter().map(|measure| (measure.name.clone(), known(measure))).collect()
}

//! From cases as written to cases that fit the configuration: every name they use is looked up.
//!
//! A case that speaks of a property, code, rule or indicator that does not exist would pass or fail
//! for the wrong reason, so it is a problem with its place, like any other in a configuration.

use std::collections::BTreeMap;

use serde_json::Value;

use super::case::{Case, CaseFile, Expect, ExpectedReading, Poll, Step};
use super::sample::Sample;
use super::show;
use crate::config::{CheckedSource, CheckedStream, Config};
use crate::decode::Format;
use crate::indicator::{Extent, Grain, Period};
use crate::model::declared::TEXT;
use crate::model::nearest::nearest;
use crate::model::schema::{At, Schema};
use crate::model::time::Stamp;

/// A case whose names are all known.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) name: String,
    pub(super) steps: Vec<ReadyStep>,
}

/// One step of it.
#[derive(Debug)]
pub(super) struct ReadyStep {
    /// Its dotted place in the file.
    pub(super) at: String,
    pub(super) now: Stamp,
    pub(super) feed: Feed,
    pub(super) expect: Expect,
}

/// What comes in at a step.
#[derive(Debug)]
pub(super) enum Feed {
    /// Only time passes.
    Nothing,
    /// Pages of a stream, by position of source and stream.
    Pages { source: usize, stream: usize, pages: Vec<Vec<u8>> },
    /// Answers of a fleet's targets, by position; `None` for a silent one.
    Polls { source: usize, stream: usize, polls: Vec<(usize, Option<Vec<u8>>)> },
    /// Records of a contract by property, as a JSON array.
    Sample { plan: usize, sample: Box<Sample>, array: Vec<u8> },
}

/// Checks a file's cases; problems with their dotted places.
pub(super) fn cases(file: CaseFile, config: &Config, problems: &mut Vec<At>) -> Vec<Ready> {
    let cases = file.tests.into_iter().enumerate();
    cases.map(|(i, case)| Check { config, problems }.case(&format!("tests.{i}"), case)).collect()
}

struct Check<'c, 'p> {
    config: &'c Config,
    problems: &'p mut Vec<At>,
}

impl<'c> Check<'c, '_> {
    fn case(&mut self, at: &str, case: Case) -> Ready {
        let Case { name, now, stream, contract, records, polls, page, expect, then } = case;
        let mut now = now.0;
        let first = Step { now: None, stream, contract, records, polls, page, expect };
        let mut steps = vec![self.step(at.to_owned(), first, now)];
        for (i, step) in then.into_iter().enumerate() {
            let at = format!("{at}.then.{i}");
            let next = step.now.map_or(now, |moment| moment.0);
            if next < now {
                self.problem(&format!("{at}.now"), "time does not go back".to_owned());
            }
            now = next;
            steps.push(self.step(at, step, now));
        }
        Ready { name: format!("{} ({})", name.vi, name.en), steps }
    }

    fn step(&mut self, at: String, step: Step, now: Stamp) -> ReadyStep {
        let (feed, schema) = self.feed(&at, &step);
        let expect = step.expect;
        let below = format!("{at}.expect");
        self.records(&below, &expect, schema);
        for (i, reading) in expect.readings.iter().enumerate() {
            self.reading(&format!("{below}.readings.{i}"), reading, now);
        }
        ReadyStep { at, now, feed, expect }
    }

    fn feed(&mut self, at: &str, step: &Step) -> (Feed, Option<&'c Schema>) {
        let given = [step.records.is_some(), step.polls.is_some(), step.page.is_some()];
        if given.iter().filter(|given| **given).count() > 1 {
            self.problem(at, "give one of 'records', 'polls' and 'page'".to_owned());
        }
        match (&step.stream, &step.contract) {
            (Some(_), Some(_)) => {
                self.problem(at, "name a stream or a contract, not both".to_owned());
                (Feed::Nothing, None)
            }
            (None, None) => {
                if given.contains(&true) {
                    self.problem(
                        at,
                        "whose records are these? name a 'stream' or a 'contract'".to_owned(),
                    );
                }
                (Feed::Nothing, None)
            }
            (Some(stream), None) => self.of_stream(at, stream, step),
            (None, Some(contract)) => self.of_contract(at, contract, step),
        }
    }

    fn of_contract(&mut self, at: &str, contract: &str, step: &Step) -> (Feed, Option<&'c Schema>) {
        let config = self.config;
        let plans = &config.plans;
        let Some(plan) = plans.iter().position(|plan| plan.schema.name == contract) else {
            let names = plans.iter().map(|plan| plan.schema.name.as_str());
            let message = format!("there is no contract '{contract}'{}", hint(contract, names));
            self.problem(&format!("{at}.contract"), message);
            return (Feed::Nothing, None);
        };
        if step.records.is_none() && (step.polls.is_some() || step.page.is_some()) {
            let message = "the records of a contract are given by property, under 'records'";
            self.problem(at, message.to_owned());
        }
        let schema = &*plans[plan].schema;
        let records = step.records.as_deref().unwrap_or_default();
        let names = || schema.fields.iter().map(|field| field.name.as_str());
        for (i, record) in records.iter().enumerate() {
            for name in record.as_object().into_iter().flat_map(|record| record.keys()) {
                if schema.slot(name).is_none() {
                    let message = format!(
                        "contract '{contract}' has no property '{name}'{}",
                        hint(name, names())
                    );
                    self.problems.push((format!("{at}.records.{i}.{name}"), message));
                }
            }
        }
        let array = Value::from(records.to_vec()).to_string().into_bytes();
        match Sample::of(config, contract) {
            Ok(sample) => (Feed::Sample { plan, sample: Box::new(sample), array }, Some(schema)),
            Err(error) => {
                self.problems.push((format!("{at}.contract"), error.to_string()));
                (Feed::Nothing, Some(schema))
            }
        }
    }

    fn of_stream(&mut self, at: &str, name: &str, step: &Step) -> (Feed, Option<&'c Schema>) {
        let sources = self.config.sources.iter().enumerate();
        let mut all = sources.flat_map(|(s, source)| {
            let streams = source.streams.iter().enumerate();
            streams.map(move |(i, stream)| {
                (format!("{}.{}", source.written.source, stream.name), s, i)
            })
        });
        let Some((_, source, stream)) = all.find(|(known, _, _)| known == name) else {
            let names: Vec<String> = stream_names(self.config);
            let near = hint(name, names.iter().map(String::as_str));
            self.problem(&format!("{at}.stream"), format!("there is no stream '{name}'{near}"));
            return (Feed::Nothing, None);
        };
        let config = self.config;
        let checked = &config.sources[source];
        let schema = &*config.plans[checked.streams[stream].plan].schema;
        let is_fleet = checked.written.fleet.is_some();
        if is_fleet && step.polls.is_none() && (step.records.is_some() || step.page.is_some()) {
            self.problem(at, "the records of a fleet are given under 'polls'".to_owned());
        } else if !is_fleet && step.records.is_none() && step.polls.is_some() {
            self.problem(&format!("{at}.polls"), format!("'{name}' is no fleet"));
        }
        let format = &checked.written.streams[&checked.streams[stream].name].format;
        if format.is_untyped() && step.records.is_some() {
            let message =
                format!("'{name}' sends {}: give the text it sends, under 'page'", format.name());
            self.problem(&format!("{at}.records"), message);
        }
        let feed = if is_fleet {
            let polls = self.polls(at, checked, step.polls.as_deref().unwrap_or_default());
            Feed::Polls { source, stream, polls }
        } else {
            let pages = pages(checked, &checked.streams[stream], step);
            Feed::Pages { source, stream, pages }
        };
        (feed, Some(schema))
    }

    fn polls(
        &mut self,
        at: &str,
        source: &CheckedSource,
        polls: &[Poll],
    ) -> Vec<(usize, Option<Vec<u8>>)> {
        let mut found = Vec::new();
        for (i, Poll { target, answer }) in polls.iter().enumerate() {
            // A text stands for the whole answer, as a target sends it that does not speak JSON.
            let answer = answer.as_ref().map(|answer| match answer {
                Value::String(text) => text.clone().into_bytes(),
                answer => answer.to_string().into_bytes(),
            });
            let names = || source.targets.iter().map(|target| &*target.name);
            if let Some(position) = names().position(|known| known == target) {
                found.push((position, answer));
            } else {
                let message = format!("there is no target '{target}'{}", hint(target, names()));
                self.problem(&format!("{at}.polls.{i}.target"), message);
            }
        }
        found
    }

    fn records(&mut self, at: &str, expect: &Expect, schema: Option<&'c Schema>) {
        let Some(schema) = schema else {
            if expect.rows.is_some() || expect.rejects.is_some() {
                self.problem(at, "no records come at this step".to_owned());
            }
            return;
        };
        let names = || schema.fields.iter().map(|field| field.name.as_str());
        for (i, row) in expect.rows.iter().flatten().enumerate() {
            for (name, value) in row {
                let at = format!("{at}.rows.{i}.{name}");
                let outcome = match schema.slot(name) {
                    Some(slot) => {
                        show::expected(&schema.fields[slot], value, self.config).map(drop)
                    }
                    None => Err(format!(
                        "contract '{}' has no property '{name}'{}",
                        schema.name,
                        hint(name, names())
                    )),
                };
                if let Err(message) = outcome {
                    self.problem(&at, message);
                }
            }
        }
        for (i, reject) in expect.rejects.iter().flatten().enumerate() {
            let Some(rule) = reject.rule.as_deref().filter(|rule| !rule.is_empty()) else {
                continue;
            };
            let rules = || names().chain(schema.checks.iter().map(|check| check.text.as_str()));
            if !rules().any(|known| known == rule) {
                let message = format!(
                    "contract '{}' has no property or check '{rule}'{}",
                    schema.name,
                    hint(rule, rules())
                );
                self.problem(&format!("{at}.rejects.{i}.rule"), message);
            }
        }
    }

    fn reading(&mut self, at: &str, reading: &ExpectedReading, now: Stamp) {
        let catalogue = &self.config.catalogue;
        let name = &reading.indicator;
        let Some(definition) = catalogue.get(name) else {
            let names = catalogue.iter().map(|definition| definition.id.as_str());
            let message = format!("there is no indicator '{name}'{}", hint(name, names));
            return self.problem(&format!("{at}.indicator"), message);
        };
        match Period::parse(&reading.period.0, now.day(), Extent::default()) {
            Err(message) => self.problem(&format!("{at}.period"), message),
            Ok(period) if period.grain() == Grain::Hour && !definition.is_hourly() => {
                let message = format!("'{name}' is not kept by the hour");
                self.problem(&format!("{at}.period"), message);
            }
            Ok(_) => {}
        }
        if let Some(area) = &reading.area
            && self.config.areas.current_by_code(&area.0).is_none()
        {
            self.problem(&format!("{at}.area"), format!("'{}' is no commune of today", area.0));
        }
        self.dimension(at, &reading.by, definition);
        if !reading.by.is_empty() && reading.area.is_some() {
            self.problem(at, "a value by a dimension is one of the whole province".to_owned());
        }
        if reading.tolerance.is_some_and(|tolerance| tolerance < 0.0) {
            self.problem(&format!("{at}.tolerance"), "a tolerance is not below 0".to_owned());
        }
    }

    fn dimension(
        &mut self,
        at: &str,
        by: &BTreeMap<String, super::case::Word>,
        definition: &crate::indicator::Definition,
    ) {
        let at = format!("{at}.by");
        if by.len() > 1 {
            self.problem(&at, "name one dimension".to_owned());
        }
        for (name, word) in by {
            let known = &definition.dimensions;
            let Some(dimension) = known.iter().find(|known| known.name == *name) else {
                let names = known.iter().map(|known| known.name.as_str());
                let message =
                    format!("'{}' is not kept by '{name}'{}", definition.id, hint(name, names));
                self.problem(&format!("{at}.{name}"), message);
                continue;
            };
            let words = self.config.words.get(&dimension.dictionary);
            // Which texts there are is seen only when they come.
            let is_open = dimension.dictionary.starts_with(TEXT);
            if !is_open && words.and_then(|words| words.number(&word.0)).is_none() {
                let known =
                    words.into_iter().flat_map(|words| words.since(0)).map(|(_, word)| word);
                let message = format!("'{name}' is never '{}'{}", word.0, hint(&word.0, known));
                self.problem(&format!("{at}.{name}"), message);
            }
        }
    }

    fn problem(&mut self, at: &str, message: String) {
        self.problems.push((at.to_owned(), message));
    }
}

fn stream_names(config: &Config) -> Vec<String> {
    let of_source = |source: &CheckedSource| {
        let name = source.written.source.clone();
        source
            .streams
            .iter()
            .map(move |stream| format!("{name}.{}", stream.name))
            .collect::<Vec<_>>()
    };
    config.sources.iter().flat_map(of_source).collect()
}

fn hint<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |near| format!(" – did you mean '{near}'?"))
}

/// The pages that hold a step's records, as the source would send them.
fn pages(source: &CheckedSource, stream: &CheckedStream, step: &Step) -> Vec<Vec<u8>> {
    if let Some(page) = &step.page {
        return vec![page.clone().into_bytes()];
    }
    let records = step.records.clone().unwrap_or_default();
    let written = &source.written.streams[&stream.name];
    if matches!(written.format, Format::Ndjson { .. }) {
        let lines: Vec<String> = records.iter().map(ToString::to_string).collect();
        return vec![(lines.join("\n") + "\n").into_bytes()];
    }
    let Some(at) = &written.records else {
        // A page that is one record.
        return records.iter().map(|record| record.to_string().into_bytes()).collect();
    };
    let mut page = Value::from(records);
    for name in at.split('/').skip(1).collect::<Vec<_>>().into_iter().rev() {
        let name = name.replace("~1", "/").replace("~0", "~");
        page = Value::Object([(name, page)].into_iter().collect());
    }
    vec![with_good_codes(page, source).to_string().into_bytes()]
}

/// Adds the codes by which a source says that an answer is no error.
fn with_good_codes(mut page: Value, source: &CheckedSource) -> Value {
    for rule in &source.written.error_handler.on {
        let at = rule.body.as_deref().filter(|_| rule.is_about_pages());
        let name = at.and_then(|at| at.strip_prefix('/'));
        let (Some(good), Some(name)) = (rule.not.first(), name) else {
            continue;
        };
        if let Some(page) = page.as_object_mut() {
            page.entry(name).or_insert_with(|| good.clone().into());
        }
    }
    page
}

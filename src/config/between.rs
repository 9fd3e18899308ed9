//! What is checked between files: properties and places that sound like personal data, and whose
//! version counts where several streams feed one contract.

use std::collections::{BTreeMap, BTreeSet};

use super::CheckedSource;
use super::compile::Compiler;
use super::files::Read;
use super::personal;
use super::written::{Gateway, Source, Stream};
use crate::indicator::Catalogue;
use crate::model::contract::{Contract, Precedence};
use crate::model::nearest::nearest;
use crate::serve::IndicatorMetrics;

impl Compiler<'_> {
    /// Refuses properties that look like personal data, and claims without a reason that they are none.
    pub(super) fn personal_properties(&mut self, read: &Read<Contract>) {
        // What was allowed then is not forbidden now, or its numbers could no longer be explained.
        if self.files.is_of_the_past() {
            return;
        }
        for (name, property) in &read.value.properties {
            let at = format!("properties.{name}");
            if let Some(message) = personal::refusal(name, property) {
                self.files.problem(read, &at, &message);
            }
            let is_stated = property.personal_data.is_some();
            let is_reasoned =
                property.reason.as_ref().is_some_and(|reason| !reason.trim().is_empty());
            if is_stated && !is_reasoned {
                self.files.problem(read, &at, "'personal_data: none' needs a 'reason'");
            } else if !is_stated && property.reason.is_some() {
                let message = "a reason without 'personal_data: none' says nothing";
                self.files.problem(read, &format!("{at}.reason"), message);
            }
        }
    }

    /// Refuses places of a source that look like personal data. A property that is refused by its
    /// own name is told where it stands.
    pub(super) fn personal_places(
        &mut self,
        read: &Read<Source>,
        at: &str,
        stream: &Stream,
        contract: &Contract,
    ) {
        if self.files.is_of_the_past() {
            return;
        }
        for (name, settings) in &stream.map {
            let Some(property) = contract.properties.get(name) else { continue };
            let places = [&settings.at, &settings.item, &settings.label].into_iter().flatten();
            let message = places
                .chain(settings.only.keys())
                .find_map(|place| personal::refusal_at(place, property));
            if let Some(message) = message
                && personal::refusal(name, property).is_none()
            {
                self.files.problem(read, &format!("{at}.map.{name}"), &message);
            }
        }
    }

    /// Whose version counts must be said where several streams feed one contract: they may well
    /// speak of the same things, and what one says last is not always what is right.
    pub(super) fn precedence(
        &mut self,
        contracts: &BTreeMap<String, Contract>,
        sources: &mut [CheckedSource],
    ) {
        let is_whole = sources.len() == self.files.names("sources", "yaml").len();
        for (name, contract) in contracts {
            let streams = sources.iter().flat_map(|source| {
                let streams = source.written.streams.iter();
                let feeding = streams.filter(|(_, stream)| stream.contract == *name);
                feeding.map(|(stream, _)| format!("{}.{stream}", source.written.source))
            });
            // A source that stands in two files is a problem of its own.
            let feeding: BTreeSet<String> = streams.collect();
            let feeding: Vec<String> = feeding.into_iter().collect();
            let ranked = match &contract.precedence {
                Some(Precedence::Streams(ranked)) => ranked.as_slice(),
                None if feeding.len() > 1 && is_whole => {
                    let streams = feeding.join(", ");
                    self.of_contract(name, "contract", &format!(
                        "{} streams feed this contract ({streams}): say whose version of a record counts with 'precedence: newest' or 'precedence: [{streams}]', highest first",
                        feeding.len()
                    ));
                    continue;
                }
                _ => continue,
            };
            if is_whole {
                self.ranking(name, &feeding, ranked);
            }
            for source in sources.iter_mut() {
                for stream in &mut source.streams {
                    let full = format!("{}.{}", source.written.source, stream.name);
                    if let Some(place) = ranked.iter().position(|each| *each == full) {
                        stream.rank = u8::try_from(ranked.len() - place).unwrap_or(u8::MAX);
                    }
                }
            }
        }
    }

    /// What is shown to Prometheus exists and is not more than anyone can take.
    pub(super) fn indicator_metrics(
        &mut self,
        gateway: Option<&Read<Gateway>>,
        catalogue: Option<&Catalogue>,
    ) {
        let (Some(read), Some(catalogue)) = (gateway, catalogue) else { return };
        // What is shown today is nothing that the past must still explain.
        if self.files.is_of_the_past() {
            return;
        }
        let IndicatorMetrics { indicators, communes, max_series } = &read.value.indicator_metrics;
        let named =
            [("indicators", indicators.as_deref().unwrap_or_default()), ("communes", communes)];
        for (key, ids) in named {
            for (i, id) in ids.iter().enumerate() {
                let at = format!("indicator_metrics.{key}.{i}");
                if catalogue.get(id).is_none() {
                    let known = catalogue.iter().map(|each| each.id.as_str());
                    let hint = nearest(id, known)
                        .map_or(String::new(), |near| format!(" – did you mean '{near}'?"));
                    self.files.problem(read, &at, &format!("there is no indicator '{id}'{hint}"));
                } else if key == "communes"
                    && indicators.as_ref().is_some_and(|shown| !shown.contains(id))
                {
                    let message = format!("'{id}' is not among the indicators that are shown");
                    self.files.problem(read, &at, &message);
                }
            }
        }
        let most = IndicatorMetrics::MOST_SERIES;
        if !(1..=most).contains(max_series) {
            let message = format!("must be from 1 to {most}");
            self.files.problem(read, "indicator_metrics.max_series", &message);
        }
    }

    /// A ranking names each stream that feeds the contract, once, and no other.
    fn ranking(&mut self, contract: &str, feeding: &[String], ranked: &[String]) {
        for (i, stream) in ranked.iter().enumerate() {
            let message = if !feeding.contains(stream) {
                let hint = nearest(stream, feeding.iter().map(String::as_str))
                    .map_or(String::new(), |near| format!(" – did you mean '{near}'?"));
                format!("no stream '{stream}' feeds this contract{hint}")
            } else if ranked[..i].contains(stream) {
                format!("'{stream}' stands twice")
            } else {
                continue;
            };
            self.of_contract(contract, &format!("precedence.{i}"), &message);
        }
        let missing: Vec<_> = feeding.iter().filter(|stream| !ranked.contains(stream)).collect();
        if let Some(stream) = missing.first() {
            let message = format!("'{stream}' feeds this contract too and has no place here");
            self.of_contract(contract, "precedence", &message);
        }
    }

    /// Notes a problem in a contract's file.
    fn of_contract(&mut self, contract: &str, at: &str, message: &str) {
        if let Some(read) = self.contract_files.get(contract) {
            self.files.problem(read, at, message);
        }
    }
}

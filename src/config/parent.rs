//! What is checked of a stream that asks about the records of another one.

use std::collections::BTreeSet;

use super::compile::Compiler;
use super::files::Read;
use super::written::{Source, Stream};
use crate::decode::Decoder;
use crate::model::nearest::nearest;
use crate::model::text::is_name;
use crate::pipeline::{Parent, ParentSettings};
use crate::pull;

/// What is picked around the records of a page: for the rules, and for the paginator.
pub(super) struct Around {
    pub(super) pointers: Vec<String>,
    pub(super) rule_places: Vec<Option<usize>>,
    pub(super) next_at: Option<usize>,
    pub(super) total_at: Option<usize>,
}

impl Around {
    /// What the requests of a stream need.
    pub(super) fn of(request: &pull::Stream) -> Self {
        let mut pointers: Vec<String> = Vec::new();
        let mut place = |pointer: &str| {
            pointers.iter().position(|known| known == pointer).unwrap_or_else(|| {
                pointers.push(pointer.to_owned());
                pointers.len() - 1
            })
        };
        let rules = request.rules.iter();
        let rule_places = rules.map(|rule| rule.body.as_deref().map(&mut place)).collect();
        let next_at = request.paginator.next_at().map(&mut place);
        let total_at = request.paginator.total_at().map(&mut place);
        Self { pointers, rule_places, next_at, total_at }
    }
}

impl Compiler<'_> {
    /// What is asked of a source for a stream.
    pub(super) fn request(&self, source: &Source, stream: &Stream) -> pull::Stream {
        pull::Stream {
            path: stream.path.clone(),
            query: stream.query.clone(),
            method: stream.method,
            headers: stream.headers.clone(),
            body: stream.body.clone(),
            area: stream.area.clone().or_else(|| self.province.clone()),
            rules: source.error_handler.on.clone(),
            paginator: stream.paginator.clone(),
        }
    }

    /// The checked parent of a stream, whose own request is `request`.
    pub(super) fn parent(
        &mut self,
        read: &Read<Source>,
        at: &str,
        stream: &Stream,
        request: &pull::Stream,
    ) -> Option<Parent> {
        let mut problems = pull::Problems::new();
        let used: BTreeSet<String> = request
            .names()
            .iter()
            .filter_map(|name| Some(name.strip_prefix("parent.")?.to_owned()))
            .collect();
        let parent = match &stream.parent {
            None => {
                if let Some(name) = used.first() {
                    let message =
                        format!("{{{{ parent.{name} }}}} is used, and the stream has no parent");
                    problems.push((at.to_owned(), message));
                }
                None
            }
            Some(settings) => {
                let at = format!("{at}.parent");
                self.listed(read, &at, settings, &used, &mut problems)
            }
        };
        problems.iter().for_each(|(at, message)| self.files.problem(read, at, message));
        parent
    }

    fn listed(
        &self,
        read: &Read<Source>,
        at: &str,
        settings: &ParentSettings,
        used: &BTreeSet<String>,
        problems: &mut pull::Problems,
    ) -> Option<Parent> {
        for (key, message) in settings.check() {
            problems.push((format!("{at}.{key}"), message.to_owned()));
        }
        if read.value.fleet.is_some() {
            let message = "a fleet has no list to ask about: its targets are the list";
            problems.push((at.to_owned(), message.to_owned()));
        }
        let streams = &read.value.streams;
        let Some(list) = streams.get(&settings.stream) else {
            let hint = nearest(&settings.stream, streams.keys().map(String::as_str))
                .map_or(String::new(), |near| format!(" – did you mean '{near}'?"));
            let message = format!("this source has no stream '{}'{hint}", settings.stream);
            problems.push((format!("{at}.stream"), message));
            return None;
        };
        if list.parent.is_some() {
            let message =
                format!("'{}' asks about the records of another stream itself", settings.stream);
            problems.push((format!("{at}.stream"), message));
        }
        let pointers = pointers(at, settings, list, used, problems);
        let request = self.request(&read.value, list);
        let around = Around::of(&request);
        let compiled =
            Decoder::compile(&list.format, list.records.as_deref(), &pointers, &around.pointers);
        let decoder =
            compiled.map_err(|(_, message)| problems.push((format!("{at}.keys"), message))).ok()?;
        Some(Parent {
            request,
            decoder,
            rule_places: around.rule_places,
            next_at: around.next_at,
            total_at: around.total_at,
            names: settings.keys.keys().cloned().collect(),
            max_children: settings.max_children,
            at_once: settings.at_once,
        })
    }
}

/// Where the keys stand in a listed record.
fn pointers(
    at: &str,
    settings: &ParentSettings,
    list: &Stream,
    used: &BTreeSet<String>,
    problems: &mut pull::Problems,
) -> Vec<String> {
    for name in used.iter().filter(|name| !settings.keys.contains_key(*name)) {
        let message = format!("{{{{ parent.{name} }}}} is used, and no key has this name");
        problems.push((format!("{at}.keys"), message));
    }
    let mut pointers = Vec::new();
    for (name, place) in &settings.keys {
        let at = format!("{at}.keys.{name}");
        if !is_name(name) {
            problems.push((at.clone(), format!("'{name}' is not a plain lower-case name")));
        }
        if !used.contains(name) {
            let message =
                format!("no request uses {{{{ parent.{name} }}}}: what is not needed is not taken");
            problems.push((at.clone(), message));
        }
        let mapped = list.map.get(place).and_then(|settings| settings.at.clone());
        let pointer = Some(place).filter(|place| place.starts_with('/')).cloned().or(mapped);
        if pointer.is_none() {
            let message = format!(
                "'{place}' is neither a place in a record such as /id nor a property that '{}' maps",
                settings.stream
            );
            problems.push((at, message));
        }
        pointers.extend(pointer);
    }
    pointers
}

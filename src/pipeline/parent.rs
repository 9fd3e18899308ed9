//! Parent and child: a list says what there is, and each thing on it is asked about by itself.
//!
//! The child's turn asks for the list too: it pages through the parent stream's request, takes of each
//! listed record nothing but the keys that its own requests need, and asks about some of them at once.
//! What those answers hold is one batch, in the order of the list, committed with the child's own
//! cursor. So a child is a stream like any other: what it commits and how far it has come stand in one
//! transaction, killed it goes on from there, asked again it changes nothing.
//!
//! The other way, children asked as part of the parent's turn, was not taken: two streams would move
//! in two commits, so a death between them lost children, and one missing detail would hold up the
//! list. The price is that the list is asked for twice, if it is a stream of its own as well. The
//! parent's cursor is never looked at: `{{ cursor }}` in its request is the child's when the child asks.
//!
//! A listed record that is gone when it is asked about fails the run, as any refusal does; where a list
//! is known to be behind, the source's error handler says `{status: [404], then: ignore}`.
//!
//! A key may be an identifier. It lives from the list's page to the requests about it, is shown
//! nowhere (errors say the template, not what it was filled with), and is stored only as what the
//! child's own contract makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::timeout_at;

use super::turn::{Commits, Read, admit, read, spent};
use super::{Failure, Progress, Shared, Stream, judge};
use crate::decode::{DecodeError, Decoder};
use crate::failpoint;
use crate::model::drift::Audit;
use crate::model::observation::Observations;
use crate::model::record::{Records, Value};
use crate::pull::{self, Action, Cut, Ending, Keys, Page, PullError, Run, Turn, Vars};

/// Listed records that are asked about before what they gave is committed.
const BATCH: usize = 100;

/// The longest key that goes into a request.
const LONGEST_KEY: usize = 512;

/// Whose records a stream asks about, one by one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParentSettings {
    /// The stream of the same source that lists them.
    pub stream: String,
    /// What of a listed record goes into the requests about it, by the name that stands in
    /// `{{ parent.name }}`: where it stands in the record (JSON pointer), or a property that the
    /// listing stream maps.
    pub keys: BTreeMap<String, String>,
    /// After so many listed records the run ends as truncated.
    #[serde(default = "ten_thousand")]
    pub max_children: usize,
    /// How many are asked about at once, within what the source allows.
    #[serde(default = "four")]
    pub at_once: usize,
}

const fn ten_thousand() -> usize {
    10_000
}

const fn four() -> usize {
    4
}

impl ParentSettings {
    /// What makes no sense, with the key at which it stands.
    pub fn check(&self) -> Vec<(&'static str, &'static str)> {
        let mut problems = Vec::new();
        if self.keys.is_empty() {
            problems.push(("keys", "must name what goes into the requests"));
        }
        if self.max_children == 0 {
            problems.push(("max_children", "must be at least 1"));
        }
        if !(1..=BATCH).contains(&self.at_once) {
            problems.push(("at_once", "must be 1 to 100"));
        }
        problems
    }
}

/// A checked parent.
#[derive(Clone, Debug)]
pub struct Parent {
    /// The requests for the list.
    pub request: pull::Stream,
    /// From a page of the list to the keys, in the order of `names`.
    pub decoder: Decoder,
    /// Where the code of each of its request's rules stands among the picks around its records.
    pub rule_places: Vec<Option<usize>>,
    /// The place of the next link or token among the picks around the records of the list.
    pub next_at: Option<usize>,
    /// The place of the announced number among them.
    pub total_at: Option<usize>,
    /// The names of the keys.
    pub names: Vec<String>,
    /// After so many listed records the run ends as truncated.
    pub max_children: usize,
    /// How many are asked about at once.
    pub at_once: usize,
}

/// What a page of the list says.
struct Listed {
    turn: Turn,
    keys: Vec<Keys>,
}

/// What the answers about one listed record hold.
struct Child {
    pages: Vec<Read>,
    ending: Ending,
}

/// Walks through the list and asks about everything on it.
pub(super) async fn walk(
    stream: &Arc<Stream>,
    parent: &Parent,
    shared: &Shared,
    (run, vars): (&mut Run, &Vars),
    commits: &mut Commits<'_>,
    progress: &mut Progress,
) -> Result<Ending, Failure> {
    let mut asked = 0;
    loop {
        let page = match stream.limits.page(run, progress).await? {
            Ok(page) => page,
            Err(ending) => return Ok(ending),
        };
        if stream.is_paused(shared) {
            return Err(Failure::Paused);
        }
        failpoint::pass("listed");
        let listed = match list(parent, shared, page).await? {
            Ok(listed) => listed,
            Err((why, action)) => {
                run.judged(action, &why)?;
                continue;
            }
        };
        run.seen(&listed.turn);
        progress.pages += 1;
        for listed in listed.keys.chunks(BATCH) {
            let room = parent.max_children.saturating_sub(asked);
            let some = &listed[..listed.len().min(room)];
            if some.is_empty() {
                return Ok(Ending::Truncated(Cut::Children));
            }
            asked += some.len();
            let asking = ask(stream, parent, shared, vars, some);
            let Ok(children) = timeout_at(progress.deadline, asking).await else {
                return Ok(Ending::Truncated(Cut::Time));
            };
            let (read, ending) = joined(stream, children?, progress);
            admit(stream, shared, &read.audit, &read.rejects, progress)?;
            commits.submit(read, shared.clock.now(), progress).await?;
            if ending != Ending::Complete {
                return Ok(ending);
            }
            if some.len() < listed.len() {
                return Ok(Ending::Truncated(Cut::Children));
            }
        }
    }
}

/// Takes the keys of a page of the list, off the async threads.
async fn list(
    parent: &Parent,
    shared: &Shared,
    page: Page,
) -> Result<Result<Listed, (String, Action)>, Failure> {
    let permit = shared.decoding.clone().acquire_owned().await;
    let permit = permit.map_err(|_| Failure::Pull(PullError::Stopped))?;
    let parent = parent.clone();
    let work = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let decoded = parent.decoder.decode_framed(&page.body, page.is_framed);
        let envelope: &[Option<String>] = match &decoded {
            Ok(decoded) => &decoded.envelope,
            Err(DecodeError::NoRecords { envelope, .. }) => envelope,
            Err(_) => &[],
        };
        judge(&parent.request.rules, &parent.rule_places, envelope, &page.rules)?;
        let decoded = decoded.map_err(|error| (error.to_string(), Action::Retry))?;
        let told = |at: usize| decoded.envelope.get(at).cloned().flatten();
        let turn = Turn {
            next: parent.next_at.and_then(told),
            total: parent.total_at.and_then(told),
            raw_records: decoded.records.count,
        };
        Ok(Listed { turn, keys: parent.keys(&decoded.records)? })
    });
    Ok(work.await?)
}

impl Parent {
    /// The keys of a page of the list, or why it is none.
    pub fn listed(&self, page: &Page) -> Result<Vec<Keys>, String> {
        let decoded = self.decoder.decode_framed(&page.body, page.is_framed);
        let decoded = decoded.map_err(|error| error.to_string())?;
        self.keys(&decoded.records).map_err(|(why, _)| why)
    }

    /// The keys of all records, each once, in their order.
    fn keys(&self, records: &Records<'_>) -> Result<Vec<Keys>, (String, Action)> {
        let (mut all, mut known) = (Vec::new(), BTreeSet::new());
        for index in 0..records.count {
            let mut keys = BTreeMap::new();
            for (name, value) in self.names.iter().zip(records.record(index)) {
                let text = match value {
                    Value::Text(text) => text.trim(),
                    Value::Number(digits) => digits,
                    _ => "",
                };
                if text.is_empty() || text.len() > LONGEST_KEY {
                    let why = format!("a record of the list has no '{name}' to ask about it with");
                    return Err((why, Action::Fail));
                }
                keys.insert(name.clone(), text.to_owned());
            }
            if known.insert(keys.clone()) {
                all.push(Keys::new(keys));
            }
        }
        Ok(all)
    }
}

/// Asks about some listed records, several at once; the answers stay in the order of the list.
async fn ask(
    stream: &Arc<Stream>,
    parent: &Parent,
    shared: &Shared,
    vars: &Vars,
    some: &[Keys],
) -> Result<Vec<Child>, Failure> {
    let ask_about = |keys: &Keys| {
        let vars = Vars { parent: keys.clone(), ..vars.clone() };
        async move {
            let mut run = stream.puller()?.run(&stream.request, &vars);
            let child = child(stream, shared, &mut run).await;
            spent(stream, shared, run.tally());
            child
        }
    };
    let asked: Vec<_> = some.iter().map(ask_about).collect();
    stream::iter(asked).buffered(parent.at_once).try_collect().await
}

async fn child(stream: &Arc<Stream>, shared: &Shared, run: &mut Run) -> Result<Child, Failure> {
    let mut pages = Vec::new();
    while let Some(page) = run.next().await? {
        match read(stream, shared, page).await? {
            Ok(read) => {
                run.seen(&read.turn);
                pages.push(read);
            }
            Err((why, action)) => run.judged(action, &why)?,
        }
    }
    Ok(Child { pages, ending: run.ending().unwrap_or(Ending::Complete) })
}

/// All answers as one batch, and the first ending of one that is not whole.
fn joined(stream: &Stream, children: Vec<Child>, progress: &mut Progress) -> (Read, Ending) {
    let mut whole = Read {
        turn: Turn::default(),
        observations: Observations::new(stream.schema().fields.len()),
        rejects: Vec::new(),
        audit: Audit::default(),
    };
    let mut ending = Ending::Complete;
    for child in children {
        if ending == Ending::Complete {
            ending = child.ending;
        }
        for read in child.pages {
            progress.pages += 1;
            progress.raw_records += read.turn.raw_records as u64;
            whole.turn.raw_records += read.turn.raw_records;
            whole.observations.append(read.observations);
            whole.rejects.extend(read.rejects);
            whole.audit.join(read.audit);
        }
    }
    (whole, ending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Format;

    fn parent(keys: &[&str]) -> Parent {
        let pointers: Vec<_> = keys.iter().map(|key| format!("/{key}")).collect();
        let request = serde_saphyr::from_str("{path: /list}").unwrap();
        Parent {
            request,
            decoder: Decoder::compile(&Format::default(), Some("/items"), &pointers, &[]).unwrap(),
            rule_places: Vec::new(),
            next_at: None,
            total_at: None,
            names: keys.iter().map(|key| (*key).to_owned()).collect(),
            max_children: 10,
            at_once: 1,
        }
    }

    fn keys(parent: &Parent, page: &str) -> Result<Vec<Keys>, (String, Action)> {
        parent.keys(&parent.decoder.decode_framed(page.as_bytes(), true).unwrap().records)
    }

    #[test]
    fn keys_are_texts_and_numbers_each_set_once_in_the_order_of_the_list() {
        let page =
            r#"{"items": [{"id": 7, "of": " b "}, {"id": "3", "of": "a"}, {"id": 7, "of": "b"}]}"#;
        let found = keys(&parent(&["id", "of"]), page).unwrap();
        let texts: Vec<_> = found.iter().map(|one| (one.get("id"), one.get("of"))).collect();
        assert_eq!(texts, [(Some("7"), Some("b")), (Some("3"), Some("a"))]);
    }

    #[test]
    fn a_listed_record_without_its_key_is_told_without_its_values() {
        for page in [
            r#"{"items": [{"of": "CANARY"}]}"#,
            r#"{"items": [{"id": "", "of": "CANARY"}]}"#,
            r#"{"items": [{"id": ["CANARY"], "of": "a"}]}"#,
            r#"{"items": [{"id": null, "of": "a"}]}"#,
        ] {
            let (why, action) = keys(&parent(&["id", "of"]), page).unwrap_err();
            assert_eq!(action, Action::Fail);
            assert!(why.contains("'id'") && !why.contains("CANARY"), "{why}");
        }
        let shown = format!("{:?}", keys(&parent(&["id"]), r#"{"items": [{"id": "CANARY"}]}"#));
        assert!(shown.contains("id") && !shown.contains("CANARY"), "{shown}");
    }

    #[test]
    fn settings_that_make_no_sense_are_problems() {
        let settings: ParentSettings =
            serde_saphyr::from_str("{stream: a, keys: {}, max_children: 0, at_once: 0}").unwrap();
        let keys: Vec<_> = settings.check().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["keys", "max_children", "at_once"]);
    }
}

//! What webhooks are told, and who is told what.
//!
//! The newest figures are compared with the marks of what was told last, which the store keeps together with
//! the messages: whatever dies when, a change is either still another than its mark or its message
//! waits. A message names indicators and areas, never a figure, and no more than the owner's key may read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Hooks;
use crate::model::access::{Grant, Scope};
use crate::model::audience::Audience;
use crate::model::webhook::{RESYNC, Subscription, Telling, Topic, Webhook, body};
use crate::serve::context::{Asked, Context, Contexts, Question};
use crate::serve::events::{PROVINCE, Picture};

/// Areas that are named one by one; of more only how many they are.
const MOST_AREAS: usize = 30;

/// Bytes of the mark of one area.
const MARK: usize = 8;

/// The marks of what has been told, by name.
type Marks = BTreeMap<String, Vec<u8>>;

/// The scope without which a topic is nobody's.
pub(super) const fn scope(topic: Topic) -> Scope {
    match topic {
        Topic::Indicators => Scope::Read,
        Topic::Sources => Scope::Sources,
    }
}

/// Looks again and again for what webhooks are to be told, until the gateway stops.
pub async fn tell_webhooks(contexts: Arc<Contexts>, stop: CancellationToken) {
    let mut known = Known::default();
    loop {
        let every = contexts.load().hooks.every();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        if let Err(error) = known.look(contexts.load_full()).await {
            tracing::error!(error, "webhooks could not be told");
            known = Known::default();
        }
    }
}

/// What was seen at the last look; this task alone writes marks.
#[derive(Default)]
pub(in crate::serve) struct Known {
    revision: Option<u64>,
    marks: Option<Arc<Marks>>,
}

/// What a look found.
enum Look {
    /// Nobody is to be told anything.
    Nothing,
    /// What was told, and what is told now.
    Changes(Arc<Marks>, Box<Telling>),
}

impl Known {
    /// One look; what is told is noted with its messages.
    pub(in crate::serve) async fn look(&mut self, context: Arc<Context>) -> Result<(), String> {
        let revision = context.snapshot.load().revision;
        let (seen, marks, hooks) = (self.revision, self.marks.clone(), Arc::clone(&context.hooks));
        let look = move || look(&context, seen == Some(revision), marks);
        let look = tokio::task::spawn_blocking(look).await;
        let Look::Changes(marks, telling) = look.map_err(|error| error.to_string())?? else {
            return Ok(());
        };
        let mut marks = Arc::unwrap_or_clone(marks);
        marks.extend(telling.marks.iter().cloned());
        telling.gone.iter().for_each(|name| _ = marks.remove(name));
        hooks.tell(*telling).await?;
        (self.revision, self.marks) = (Some(revision), Some(Arc::new(marks)));
        Ok(())
    }
}

fn look(context: &Context, is_seen: bool, marks: Option<Arc<Marks>>) -> Result<Look, String> {
    let hooks: &dyn Hooks = &*context.hooks;
    let mut webhooks = hooks.list()?;
    webhooks.retain(|webhook| webhook.disabled.is_none());
    let is_behind = webhooks.iter().any(|webhook| webhook.progress.is_behind);
    if webhooks.is_empty() || (is_seen && !is_behind) {
        return Ok(Look::Nothing);
    }
    let marks = marks.map_or_else(|| hooks.told().map(Arc::new), Ok)?;
    let picture = picture(context);
    let telling = telling(context, &picture, &marks, &webhooks);
    Ok(Look::Changes(marks, Box::new(telling)))
}

/// The newest figures; those that listeners have, if they are of this revision.
fn picture(context: &Context) -> Arc<Picture> {
    let nobody = Question::default();
    let asked = Asked::new(&nobody, context);
    let known = context.events.picture();
    let known = known.filter(|picture| picture.revision == asked.snapshot.revision);
    known.unwrap_or_else(|| Arc::new(Picture::of(&asked.world())))
}

/// What has changed.
#[derive(Default)]
struct Changes {
    /// Indicators with the day that their newest values are of, and the areas where they are others.
    indicators: Vec<(String, String, Vec<String>)>,
    sources: Vec<String>,
}

/// An indicator in a message.
#[derive(Serialize)]
struct Told<'a> {
    indicator: &'a str,
    period: &'a str,
    areas_changed: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    areas: Option<Vec<&'a str>>,
}

fn telling(context: &Context, picture: &Picture, told: &Marks, webhooks: &[Webhook]) -> Telling {
    let mut telling = Telling::default();
    let changes = changes(picture, told, &mut telling);
    for webhook in webhooks {
        // A key that is over is noticed where messages are handed over.
        let Some(grant) = context.access.keys.grant(&webhook.owner) else { continue };
        if webhook.progress.is_behind {
            let message = body(RESYNC, picture.at, &json!({"revision": picture.revision}));
            telling.messages.push((webhook.id.clone(), message));
            telling.caught_up.push(webhook.id.clone());
            continue;
        }
        let view = View { context, grant: &grant, wants: &webhook.wants };
        for topic in [Topic::Indicators, Topic::Sources] {
            if let Some(message) = view.message(topic, &changes, picture) {
                telling.messages.push((webhook.id.clone(), message));
            }
        }
    }
    telling
}

/// What is another than its mark; the new marks go into `telling`.
fn changes(picture: &Picture, told: &Marks, telling: &mut Telling) -> Changes {
    let mut changes = Changes::default();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for (id, figures) in &picture.indicators {
        let name = format!("indicator:{id}");
        let marks: Vec<[u8; MARK]> =
            figures.items.iter().map(|item| mark(&(&figures.period, item))).collect();
        let known: BTreeSet<&[u8]> =
            told.get(&name).map(|marks| marks.chunks(MARK).collect()).unwrap_or_default();
        let of_item = figures.items.iter().zip(&marks);
        let changed = of_item.filter(|(_, mark)| !known.contains(&mark[..]));
        let areas: Vec<String> = changed.map(|(item, _)| item.area.clone()).collect();
        if !areas.is_empty() || marks.len() != known.len() {
            telling.marks.push((name.clone(), marks.concat()));
        }
        if !areas.is_empty() {
            changes.indicators.push((id.clone(), figures.period.clone(), areas));
        }
        names.insert(name);
    }
    for (source, fares) in &picture.sources {
        let (name, mark) = (format!("source:{source}"), mark(fares).to_vec());
        if told.get(&name) != Some(&mark) {
            telling.marks.push((name.clone(), mark));
            changes.sources.push(source.clone());
        }
        names.insert(name);
    }
    telling.gone = told.keys().filter(|name| !names.contains(*name)).cloned().collect();
    changes
}

fn mark(thing: &impl Serialize) -> [u8; MARK] {
    let text = serde_json::to_vec(thing).expect("figures are plain words and numbers");
    let mut mark = [0; MARK];
    mark.copy_from_slice(&blake3::hash(&text).as_bytes()[..MARK]);
    mark
}

/// What one webhook may hear of.
struct View<'a> {
    context: &'a Context,
    grant: &'a Grant,
    wants: &'a Subscription,
}

impl View<'_> {
    fn message(&self, topic: Topic, changes: &Changes, picture: &Picture) -> Option<String> {
        let is_internal = self.grant.reach.audience == Audience::Internal;
        let may = is_internal && self.grant.scopes.contains(&scope(topic));
        if !may || !self.wants.topics.contains(&topic) {
            return None;
        }
        let revision = picture.revision;
        let data = match topic {
            Topic::Indicators => {
                let all = changes.indicators.iter();
                let told: Vec<Told<'_>> = all.filter_map(|change| self.told(change)).collect();
                (!told.is_empty()).then(|| json!({"revision": revision, "indicators": told}))
            }
            Topic::Sources => {
                let told: Vec<&String> =
                    changes.sources.iter().filter(|name| self.sees_source(name)).collect();
                (!told.is_empty()).then(|| json!({"revision": revision, "sources": told}))
            }
        };
        data.map(|data| body(topic.as_str(), picture.at, &data))
    }

    fn told<'b>(&self, (id, period, areas): &'b (String, String, Vec<String>)) -> Option<Told<'b>> {
        let is_wanted = self.wants.indicators.as_ref().is_none_or(|wanted| wanted.contains(id));
        let definition = self.context.definitions.catalogue.get(id)?;
        if !is_wanted || !self.grant.reach.sees_unit(&definition.accountable.unit) {
            return None;
        }
        let areas: Vec<&str> =
            areas.iter().map(String::as_str).filter(|area| self.sees_area(area)).collect();
        (!areas.is_empty()).then(|| Told {
            indicator: id,
            period,
            areas_changed: areas.len(),
            areas: (areas.len() <= MOST_AREAS).then_some(areas),
        })
    }

    fn sees_area(&self, area: &str) -> bool {
        let is_wanted = self.wants.areas.as_ref().is_none_or(|wanted| wanted.contains(area));
        let within = self.grant.reach.areas.as_ref();
        is_wanted && within.is_none_or(|within| area != PROVINCE && within.contains(area))
    }

    fn sees_source(&self, name: &str) -> bool {
        let facts = self.context.sources.get(name);
        facts.is_some_and(|facts| self.grant.reach.sees_unit(&facts.accountable_unit))
    }
}

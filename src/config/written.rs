//! The files of a configuration as they are written, before anything is checked across them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::listener::ListenerSettings;
use super::provider::TokenProvider;
use crate::decode;
use crate::indicator::{self, UnitName};
use crate::model::deadline::InBy;
use crate::model::nearest::nearest;
use crate::model::schema::At;
use crate::model::text::Bilingual;
use crate::model::units::Span;
use crate::normalise::{Coercion, MapSettings};
use crate::pipeline::{
    CursorSettings, DataThrough, DriftSettings, FileSettings, FleetSettings, Gate, IntakeSettings,
    OwnRegister, ParentSettings, ReconcileSettings, RunLimits,
};
use crate::pull::{
    Authenticator, Body, CircuitBreaker, CourierSettings, Header, Method, OutboundSettings,
    Paginator, Requester, Retry, Rule, Scalar, SourceRate,
};
use crate::serve::{AccessSettings, EventSettings, IndicatorMetrics};

/// `iocgw.yaml`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Gateway {
    /// The version of this format.
    pub(super) version: u32,
    /// What is remembered of earlier figures.
    #[serde(default)]
    pub(super) journal: Journal,
    /// What `/metrics/indicators` shows.
    #[serde(default)]
    pub(super) indicator_metrics: IndicatorMetrics,
    /// Who may listen to `/v1/events`.
    #[serde(default)]
    pub(super) events: EventSettings,
    /// What all sources share on their way out.
    #[serde(default)]
    pub(super) outbound: OutboundSettings,
    /// Where webhooks may be sent to.
    #[serde(default)]
    pub(super) webhooks: CourierSettings,
    /// How the gateway is reached.
    #[serde(default)]
    pub(super) listener: ListenerSettings,
    /// Whose signed tokens are believed, and what they open.
    #[serde(default)]
    pub(super) token_providers: Vec<TokenProvider>,
    /// Whom the API lets in without a key; nobody without it.
    #[serde(default)]
    pub(super) access: AccessSettings,
}

/// What is remembered of earlier figures.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Journal {
    /// How long a reading can be asked for as of any second; of older days only the end is kept.
    pub(super) full_for: Span,
}

impl Default for Journal {
    fn default() -> Self {
        Self { full_for: Span::seconds(30 * 86_400) }
    }
}

/// `units.yaml`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Units {
    pub(super) units: BTreeMap<String, Unit>,
}

/// A body that answers for something, and the position (never the person) that does.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// Its name.
    pub name: Bilingual,
    /// The position.
    pub role: String,
    /// The body that it belongs to, if that is one of these.
    #[serde(default)]
    pub parent: Option<String>,
}

impl Units {
    /// Parents that do not exist, and units that belong to themselves: places, and what is wrong.
    pub(super) fn problems(&self) -> Vec<At> {
        let mut problems = Vec::new();
        for (id, unit) in &self.units {
            let Some(parent) = &unit.parent else { continue };
            let at = format!("units.{id}.parent");
            if !self.units.contains_key(parent) {
                let near = nearest(parent, self.units.keys().map(String::as_str));
                let hint =
                    near.map_or_else(String::new, |near| format!(" – did you mean '{near}'?"));
                problems.push((at, format!("there is no unit '{parent}'{hint}")));
            } else if self.belongs_to_itself(id) {
                problems.push((at, format!("'{id}' belongs, through its parents, to itself")));
            }
        }
        problems
    }

    fn belongs_to_itself(&self, id: &str) -> bool {
        let above = |id: &str| self.units.get(id).and_then(|unit| unit.parent.as_deref());
        let mut next = above(id);
        // Longer than all of them together no way can be without a circle.
        for _ in 0..self.units.len() {
            match next {
                Some(parent) if parent == id => return true,
                Some(parent) => next = above(parent),
                None => return false,
            }
        }
        false
    }
}

impl Unit {
    /// What the evaluation and readers need to know of it.
    pub fn facts(&self) -> UnitName {
        UnitName { name: self.name.clone(), role: self.role.clone(), parent: self.parent.clone() }
    }
}

/// `areas.yaml`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AreaFile {
    pub(super) province: Province,
    pub(super) lists: Vec<AreaListFile>,
    pub(super) crosswalk: String,
    /// A square for each of today's communes (CSV with the columns `code,col,row`), for maps.
    #[serde(default)]
    pub(super) tiles: Option<String>,
    /// The borders of today's communes (GeoJSON; each feature has the property `code`, or it as its
    /// `id`), for maps.
    #[serde(default)]
    pub(super) borders: Option<String>,
}

/// The province itself.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Province {
    /// The statistics office's code.
    pub code: String,
    /// The name.
    pub name: Bilingual,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AreaListFile {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) from: String,
    #[serde(default)]
    pub(super) until: Option<String>,
}

/// `sources/*.yaml`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The source's name.
    pub source: String,
    /// What kind of system it is; a label of metrics.
    pub source_kind: String,
    /// What people call it.
    pub title: Bilingual,
    /// The body that answers for it.
    pub accountable_unit: String,
    /// How it is asked; left out if it pushes or drops files.
    #[serde(default)]
    pub requester: Option<Requester>,
    /// How the gateway proves who it is.
    #[serde(default)]
    pub authenticator: Option<Authenticator>,
    /// Where its files are dropped; left out if it is asked.
    #[serde(default)]
    pub file: Option<FileSettings>,
    /// How it pushes; left out if it is asked.
    #[serde(default)]
    pub intake: Option<IntakeSettings>,
    /// What the gateway knows by itself; left out of every other source.
    #[serde(default)]
    pub register: Option<OwnRegister>,
    /// How often it may be asked.
    #[serde(default)]
    pub rate_limit: Option<SourceRate>,
    /// When it is left alone because it does not answer; a fleet's targets are not counted.
    #[serde(default)]
    pub circuit_breaker: CircuitBreaker,
    /// What is done when it does not answer.
    #[serde(default)]
    pub retry: Retry,
    /// When an answer is something else than its status says.
    #[serde(default)]
    pub error_handler: ErrorHandler,
    /// Present if it is a fleet of targets.
    #[serde(default)]
    pub fleet: Option<FleetSettings>,
    /// Its streams.
    pub streams: BTreeMap<String, Stream>,
}

/// What an answer is taken for whatever its status says.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorHandler {
    /// Rules on status, headers and body; the first that applies decides.
    #[serde(default)]
    pub on: Vec<Rule>,
}

/// One stream of a source.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// What its records mean.
    pub contract: String,
    /// Appended to the source's address.
    #[serde(default)]
    pub path: String,
    /// How often it runs; left out if its source pushes.
    #[serde(default = "unset")]
    pub interval: Span,
    /// Query parameters.
    #[serde(default)]
    pub query: BTreeMap<String, Scalar>,
    /// How it is asked.
    #[serde(default)]
    pub method: Method,
    /// Headers besides those of the source.
    #[serde(default)]
    pub headers: BTreeMap<String, Header>,
    /// What a POST carries.
    #[serde(default)]
    pub body: Option<Body>,
    /// What `{{ area }}` stands for; the province's code when absent.
    #[serde(default)]
    pub area: Option<String>,
    /// How pages follow each other.
    #[serde(default = "single")]
    pub paginator: Paginator,
    /// Whose records it asks about, one by one.
    #[serde(default)]
    pub parent: Option<ParentSettings>,
    /// How much one run may take.
    #[serde(default)]
    pub limits: RunLimits,
    /// How it goes on where it left off.
    #[serde(default)]
    pub cursor: Option<CursorSettings>,
    /// How its pages are written.
    #[serde(default)]
    pub format: decode::Format,
    /// Where the records stand in a page; the page is one record when absent.
    #[serde(default)]
    pub records: Option<String>,
    /// Whether the source is asked with the `ETag` and `Last-Modified` of its last answer, so that it
    /// can say that nothing has changed.
    #[serde(default = "yes")]
    pub conditional: bool,
    /// Which time it is believed complete to after a good run.
    #[serde(default)]
    pub data_through: DataThrough,
    /// By when its reports have to be in; that of its contract when absent.
    #[serde(default)]
    pub in_by: Option<InBy>,
    /// Which wire types may stand for another in all properties that name none themselves.
    #[serde(default)]
    pub coerce: Vec<Coercion>,
    /// When a page is refused whole.
    #[serde(default)]
    pub gate: Gate,
    /// When flaws are a breach of the contract.
    #[serde(default)]
    pub drift: DriftSettings,
    /// When it is asked for everything, to notice what has vanished.
    #[serde(default)]
    pub reconcile: Option<ReconcileSettings>,
    /// Where each property stands.
    pub map: BTreeMap<String, MapSettings>,
}

fn unset() -> Span {
    Span::seconds(0)
}

const fn yes() -> bool {
    true
}

const fn single() -> Paginator {
    Paginator::None {}
}

/// `indicators/*.yaml`
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Indicators {
    pub(super) indicators: BTreeMap<String, indicator::Settings>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_belongs_to_one_that_exists_and_never_to_itself() {
        let problems = |parents: &[(&str, &str)]| {
            let unit = |(id, parent): &(&str, &str)| {
                format!("  {id}: {{name: {{vi: A, en: A}}, role: R{parent}}}\n")
            };
            let text = format!("units:\n{}", parents.iter().map(unit).collect::<Vec<_>>().concat());
            let units: Units = serde_saphyr::from_str(&text).unwrap();
            units
                .problems()
                .into_iter()
                .map(|(at, text)| format!("{at}: {text}"))
                .collect::<Vec<_>>()
        };
        let none: [String; 0] = [];
        assert_eq!(problems(&[("a", ""), ("b", ", parent: a"), ("c", ", parent: b")]), none);
        assert_eq!(
            problems(&[("ubnd", ""), ("b", ", parent: ubnb")]),
            ["units.b.parent: there is no unit 'ubnb' – did you mean 'ubnd'?"]
        );
        assert_eq!(
            problems(&[("a", ", parent: c"), ("b", ", parent: a"), ("c", ", parent: b")]).len(),
            3
        );
        assert_eq!(problems(&[("a", ", parent: a")]).len(), 1);
        // Somebody below a circle is not in it.
        let below = problems(&[("a", ", parent: a"), ("b", ", parent: a")]);
        assert_eq!(below, ["units.a.parent: 'a' belongs, through its parents, to itself"]);
    }
}

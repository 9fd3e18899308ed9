//! The metrics there are, and the series that matchers choose among them.
//!
//! Every indicator is two families ([`crate::indicator::family`]): one with a series for each
//! commune of today, one with the province's. A series has the labels `indicator`, `unit` (who
//! answers for it) and `grain`, and `commune` where it is one. The same number by day, week, month,
//! quarter and year would be five series that a sum must not mix, so a selector that says nothing of
//! `grain` means days; `grain="month"` asks for months. Two more families join on `indicator`:
//! `ioc_indicator_info` and `ioc_indicator_target`.

use std::collections::BTreeMap;

use super::expression::Matcher;
use crate::indicator::{Definition, Grain, Place, Scope};
use crate::serve::context::Asked;
use crate::serve::place::all_of_today;

/// What an indicator is called, who answers for it and which metric it is.
pub(in crate::serve) const INFO: &str = "ioc_indicator_info";

/// The target of an indicator, in the unit of its metric.
pub(in crate::serve) const TARGET: &str = "ioc_indicator_target";

/// The labels of a series, its name among them.
pub(in crate::serve) type Labels = BTreeMap<String, String>;

/// What a family is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum What {
    Values(Scope),
    Info,
    Target,
}

/// A metric of one indicator.
pub(in crate::serve) struct Family<'a> {
    pub(in crate::serve) name: String,
    pub(in crate::serve) what: What,
    pub(in crate::serve) definition: &'a Definition,
}

/// The chosen series of one family at one grain.
pub(in crate::serve) struct Chosen<'a> {
    pub(in crate::serve) family: Family<'a>,
    pub(super) grain: Grain,
    pub(in crate::serve) series: Vec<(Place, Labels)>,
}

/// The labels that a series may have.
pub(super) const LABELS: [&str; 9] = [
    "__name__",
    "accountable",
    "commune",
    "grain",
    "indicator",
    "metric",
    "title",
    "unit",
    "unit_of_measure",
];

/// All metrics, indicator by indicator.
pub(super) fn families<'a>(asked: &'a Asked<'_>) -> impl Iterator<Item = Family<'a>> {
    asked.definitions.catalogue.iter().flat_map(|definition| {
        [What::Values(Scope::Communes), What::Values(Scope::Province), What::Info, What::Target]
            .into_iter()
            .filter(|what| *what != What::Target || !definition.targets.is_empty())
            .map(move |what| Family { name: what.name(definition), what, definition })
    })
}

impl What {
    /// Whether it holds the province's own figures.
    fn is_of_province(self) -> bool {
        self == Self::Values(Scope::Province)
    }

    fn name(self, definition: &Definition) -> String {
        match self {
            Self::Values(scope) => definition.family(scope),
            Self::Info => INFO.to_owned(),
            Self::Target => TARGET.to_owned(),
        }
    }
}

impl Family<'_> {
    /// What it is, for people.
    pub(in crate::serve) fn help(&self) -> String {
        match self.what {
            What::Values(scope) => help(self.definition, scope),
            What::Info => "What an indicator is and which metric it is; constant 1.".to_owned(),
            What::Target => {
                "The target in force, in the unit of the indicator's metric.".to_owned()
            }
        }
    }

    /// The unit of its values.
    pub(super) fn unit(&self) -> &str {
        match self.what {
            What::Values(_) => self.definition.family_unit(),
            What::Info | What::Target => "",
        }
    }

    fn labels(&self, grain: Grain) -> Labels {
        let definition = self.definition;
        let mut labels = vec![("__name__", self.name.as_str()), ("indicator", &definition.id)];
        let metric = definition.family(Scope::Communes);
        match self.what {
            What::Values(_) => {
                labels.extend([("grain", grain.as_str()), ("unit", &definition.accountable.unit)]);
            }
            What::Info => labels.extend([
                ("grain", grain.as_str()),
                ("metric", metric.as_str()),
                ("title", definition.title.vi.as_str()),
                ("unit_of_measure", definition.family_unit()),
                ("accountable", &definition.accountable.unit),
            ]),
            What::Target => {}
        }
        labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// The text beside a family of values: title, what it is, how it comes about.
pub(in crate::serve) fn help(definition: &Definition, scope: Scope) -> String {
    let places = match scope {
        Scope::Communes => "by commune",
        Scope::Province => "of the whole province",
    };
    let title = &definition.title;
    let formula = &definition.formula;
    format!("{} · {}, {places}; indicator {}: {formula}.", title.vi, title.en, definition.id)
}

/// All series by the day.
pub(in crate::serve) fn by_day<'a>(asked: &'a Asked<'_>) -> Vec<Chosen<'a>> {
    choose(asked, &[])
}

/// The series that fit all matchers.
pub(super) fn choose<'a>(asked: &'a Asked<'_>, matchers: &[Matcher]) -> Vec<Chosen<'a>> {
    let about_grain = matchers.iter().any(|matcher| matcher.label == "grain");
    let grains = if about_grain { &Grain::OF_DAYS[..] } else { &Grain::OF_DAYS[..1] };
    let places = all_of_today(&asked.world());
    let is_whole = asked.context.areas_within().is_none();
    let mut chosen = Vec::new();
    for family in families(asked) {
        let grains = if family.what == What::Target { &Grain::OF_DAYS[..1] } else { grains };
        for grain in grains {
            let labels = family.labels(*grain);
            let of = |name: &str| labels.get(name).map_or("", String::as_str);
            if !fit(matchers.iter().filter(|matcher| matcher.label != "commune"), of) {
                continue;
            }
            let about = || matchers.iter().filter(|matcher| matcher.label == "commune");
            let series: Vec<(Place, Labels)> = if family.what == What::Values(Scope::Communes) {
                let world = asked.world();
                let coded = places.iter().map(|place| (*place, place.code(&world)));
                let fitting = coded.filter(|(_, code)| fit(about(), |_| code));
                let with = |(place, code): (Place, &str)| {
                    let mut labels = labels.clone();
                    labels.insert("commune".to_owned(), code.to_owned());
                    (place, labels)
                };
                fitting.map(with).collect()
            } else if fit(about(), |_| "") && (is_whole || !family.what.is_of_province()) {
                vec![(Place::Province, labels)]
            } else {
                Vec::new()
            };
            if !series.is_empty() {
                let family = Family { name: family.name.clone(), ..family };
                chosen.push(Chosen { family, grain: *grain, series });
            }
        }
    }
    chosen
}

fn fit<'m, 'v>(
    mut matchers: impl Iterator<Item = &'m Matcher>,
    of: impl Fn(&str) -> &'v str,
) -> bool {
    matchers.all(|matcher| matcher.fits(of(&matcher.label)))
}

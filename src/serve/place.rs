//! Which area a question is about, on which boundaries.
//!
//! Today's by default: history is re-based on them (see [`crate::model::area`]). With
//! `boundaries=as_reported` an area is a unit of the list of communes that was in force, written
//! `commune:16681@2024-04`; a bare code means the unit of that code in whatever list was in force on
//! the days asked for. A code with its list names one unit for ever, so it needs no `boundaries`.

use schemars::JsonSchema;
use serde::Serialize;

use super::context::Asked;
use super::error::{ApiError, ParameterError, brief};
use super::query::{Query, refused};
use crate::indicator::layout::cut;
use crate::indicator::{Layout, Level, Period, Place, UNPLACED, Unit, World};
use crate::model::area::Areas;
use crate::model::nearest::nearest;
use crate::model::text::Bilingual;
use crate::model::time::Day;

/// On which boundaries an answer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Boundaries {
    /// Today's, for all days.
    Current,
    /// Those of each day.
    AsReported,
}

impl Boundaries {
    /// As they stand in a link.
    pub(super) const fn link(self) -> &'static str {
        match self {
            Self::Current => "",
            Self::AsReported => "&boundaries=as_reported",
        }
    }
}

/// The area asked for.
#[derive(Clone, Debug)]
pub(super) enum Area {
    Province,
    /// A place of today.
    Today(Place),
    /// Units as they were reported.
    Reported(Named),
}

/// Units of one name, in one list or in all of them.
#[derive(Clone, Debug)]
pub(super) struct Named {
    text: String,
    level: Level,
    /// `None` for what lies in no unit.
    code: Option<String>,
    list: Option<usize>,
}

/// An area in an answer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Area")]
pub(super) struct AreaOut {
    pub(super) level: &'static str,
    pub(super) code: String,
    pub(super) name: String,
    /// As reported: the list that gives the code its meaning, and the days of which it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) list: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) valid_from: Option<Day>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) valid_until: Option<Day>,
}

/// The boundaries asked for by `boundaries=`, if any.
fn asked_boundaries(query: &Query) -> Result<Option<Boundaries>, ApiError> {
    let words =
        [("current", Some(Boundaries::Current)), ("as_reported", Some(Boundaries::AsReported))];
    query.one_of("boundaries", &words, None)
}

/// The boundaries of an answer about all units.
pub(super) fn boundaries(asked: &Asked<'_>, query: &Query) -> Result<Boundaries, ApiError> {
    let boundaries = asked_boundaries(query)?.unwrap_or(Boundaries::Current);
    within_reach(asked, &Area::Today(Place::Province), boundaries)?;
    Ok(boundaries)
}

/// Refuses what lies beyond the communes that a key reaches. Whatever slipped through here would be
/// read as nothing by the evaluation itself.
pub(super) fn within_reach(
    asked: &Asked<'_>,
    area: &Area,
    boundaries: Boundaries,
) -> Result<(), ApiError> {
    let Some(within) = asked.context.areas_within() else { return Ok(()) };
    let beyond = |what: &str| {
        let names: Vec<String> =
            within.iter().take(10).map(|code| format!("commune:{code}")).collect();
        let detail = format!("The key reads {} only, and {what}.", names.join(", "));
        Err(ApiError::BeyondReach(detail))
    };
    match (area, boundaries) {
        (_, Boundaries::AsReported) => beyond("boundaries of other times are not among them"),
        (Area::Province, _) => beyond("the province is more than that; name one with 'area'"),
        (Area::Today(Place::Commune(number)), _) => {
            let area = asked.definitions.areas.get(*number);
            if area.is_some_and(|area| within.contains(&area.code)) {
                return Ok(());
            }
            beyond("another one was asked for")
        }
        (Area::Today(Place::Unplaced), _) => beyond("another one was asked for"),
        // Where all units are asked for, only those within reach are answered.
        (Area::Today(Place::Province) | Area::Reported(_), _) => Ok(()),
    }
}

/// The area and the boundaries asked for by `area=` and `boundaries=`: the province on today's
/// boundaries without them.
pub(super) fn asked_area(asked: &Asked<'_>, query: &Query) -> Result<(Area, Boundaries), ApiError> {
    let (area, boundaries) = named_area(asked, query)?;
    // `by=` without an area asks for all units, of which the reader gets those within reach.
    let is_of_all = query.get("area").is_none() && query.get("by").is_some();
    let about = if is_of_all { &Area::Today(Place::Province) } else { &area };
    within_reach(asked, about, boundaries)?;
    Ok((area, boundaries))
}

fn named_area(asked: &Asked<'_>, query: &Query) -> Result<(Area, Boundaries), ApiError> {
    let boundaries = asked_boundaries(query)?;
    let text = query.get("area").unwrap_or("province");
    if text == "province" || text == asked.definitions.province.code {
        return Ok((Area::Province, boundaries.unwrap_or(Boundaries::Current)));
    }
    let (level, rest) = match text.split_once(':') {
        Some(("district", rest)) => (Level::District, rest),
        Some(("commune", rest)) => (Level::Commune, rest),
        _ => (Level::Commune, text),
    };
    let (code, list) = rest.split_once('@').map_or((rest, None), |(code, list)| (code, Some(list)));
    let with_list = list.is_some().then_some(Boundaries::AsReported);
    match boundaries.or(with_list).unwrap_or(Boundaries::Current) {
        Boundaries::Current => {
            if list.is_some() || level == Level::District {
                let reason = "is no area of today; it needs boundaries=as_reported";
                return Err(ParameterError::new("area", reason).into());
            }
            let place = today(asked, text, code)?;
            Ok((Area::Today(place), Boundaries::Current))
        }
        Boundaries::AsReported => {
            let named = named(asked, (text, level, code), list)?;
            Ok((Area::Reported(named), Boundaries::AsReported))
        }
    }
}

fn today(asked: &Asked<'_>, text: &str, code: &str) -> Result<Place, ApiError> {
    let areas = &asked.definitions.areas;
    if code == UNPLACED && areas.has_unplaced() {
        return Ok(Place::Unplaced);
    }
    match areas.current_by_code(code) {
        Some(number) => Ok(Place::Commune(number)),
        None => Err(unknown(text, code, areas.current(), areas)),
    }
}

fn named(
    asked: &Asked<'_>,
    (text, level, code): (&str, Level, &str),
    list: Option<&str>,
) -> Result<Named, ApiError> {
    let areas = &asked.definitions.areas;
    let list = list
        .map(|name| {
            let names = areas.lists().iter().map(|list| list.name.as_str());
            let found = names.clone().position(|known| known == name);
            found.ok_or_else(|| refused("area", text, names.map(|name| format!("{code}@{name}"))))
        })
        .transpose()?;
    let code = (code != UNPLACED).then(|| code.to_owned());
    let named = Named { text: brief(text), level, code, list };
    if named.code.is_some() && named.units(areas).next().is_none() {
        let code = named.code.as_deref().unwrap_or_default();
        let all = areas.lists().iter().flat_map(|list| list.communes.iter().copied());
        return Err(unknown(text, code, &all.collect::<Vec<_>>(), areas));
    }
    Ok(named)
}

fn unknown(text: &str, code: &str, numbers: &[u16], areas: &Areas) -> ApiError {
    let codes = numbers.iter().filter_map(|number| areas.get(*number));
    let near = nearest(code, codes.map(|area| area.code.as_str()));
    let reason = format!("has the value '{}', which is no area", brief(text));
    ParameterError::new("area", reason)
        .nearest(near.map(|code| format!("commune:{code}")).as_deref())
        .allowing([
            "province",
            "commune:<code of /v1/dimensions/area/values>",
            "commune:<code>@<list> and district:<code>@<list> with boundaries=as_reported",
        ])
        .into()
}

impl Area {
    /// The level of its units.
    pub(super) fn level(&self) -> Level {
        match self {
            Self::Reported(named) => named.level,
            Self::Province | Self::Today(_) => Level::Commune,
        }
    }
}

impl Named {
    /// Whether a unit has this name.
    pub(super) fn is(&self, unit: Unit, areas: &Areas) -> bool {
        unit.level == self.level
            && self.list.is_none_or(|list| list == unit.list)
            && unit.code(areas) == self.code.as_deref()
    }

    /// The units of this name, by list.
    fn units<'a>(&'a self, areas: &'a Areas) -> impl Iterator<Item = Unit> + 'a {
        let level = self.level;
        areas.lists().iter().enumerate().flat_map(move |(list, of)| {
            let count = match level {
                Level::Commune => of.communes.len(),
                Level::District => of.districts.len(),
            };
            let places = (0..count).map(Some).chain([None]);
            let units = places.map(move |at| Unit { list, level, at });
            units.filter(|unit| self.is(*unit, areas))
        })
    }

    /// The last unit of this name that was in force in a period.
    pub(super) fn in_period(&self, asked: &Asked<'_>, period: &Period) -> Result<Unit, ApiError> {
        let areas = &asked.definitions.areas;
        let today = asked.now.day();
        let held = |unit: &Unit| cut(period, &areas.lists()[unit.list], today).is_some();
        let found = self.units(areas).filter(held).last();
        found.ok_or_else(|| {
            let reason =
                format!("has the value '{}', which was not in force in {}", self.text, period.id);
            let keys = self.units(areas).map(|unit| {
                let list = &areas.lists()[unit.list];
                let until = list.until.map_or_else(String::new, |until| until.to_string());
                format!("{} from {} until before {until}", unit.key(areas), list.from)
            });
            ParameterError::new("area", reason).allowing(keys).into()
        })
    }
}

/// All places of today that a table is read at: the communes, and what lies in none of them; for a
/// reader with limits those within reach.
pub(super) fn all_of_today(world: &World<'_>) -> Vec<Place> {
    let World { areas, within, .. } = world;
    let is_seen = |number: &&u16| {
        let code = areas.get(**number).map(|area| &area.code);
        within.is_none_or(|within| code.is_some_and(|code| within.contains(code)))
    };
    let communes = areas.current().iter().filter(is_seen).map(|number| Place::Commune(*number));
    let rest = areas.has_unplaced() && within.is_none();
    communes.chain(rest.then_some(Place::Unplaced)).collect()
}

/// The table of all units of a level.
pub(super) fn layout_by(
    asked: &Asked<'_>,
    periods: &[Period],
    (level, boundaries): (Level, Boundaries),
) -> Result<Layout, ApiError> {
    let areas = &asked.definitions.areas;
    match boundaries {
        Boundaries::Current if level == Level::District => {
            let reason = "asks for districts, which are no level of today; add \
                          boundaries=as_reported";
            Err(ParameterError::new("by", reason).into())
        }
        Boundaries::Current => Ok(Layout::today(areas, periods, &all_of_today(&asked.world()))),
        Boundaries::AsReported => {
            districts_exist(asked, periods, level)?;
            Ok(Layout::reported(areas, (periods, asked.now.day()), level, |_| true))
        }
    }
}

/// Refuses districts in periods that reach into days without any.
fn districts_exist(asked: &Asked<'_>, periods: &[Period], level: Level) -> Result<(), ApiError> {
    let today = asked.now.day();
    let without = asked.definitions.areas.lists().iter().find(|list| {
        list.districts.is_empty() && periods.iter().any(|period| cut(period, list, today).is_some())
    });
    match without {
        Some(list) if level == Level::District => Err(ApiError::NotApplicable(format!(
            "There are no districts from {} on, and their communes do not make up the districts \
             before; ask for days before it.",
            list.from
        ))),
        _ => Ok(()),
    }
}

/// The table of one area.
pub(super) fn layout_of(asked: &Asked<'_>, periods: &[Period], area: &Area) -> Layout {
    let areas = &asked.definitions.areas;
    match area {
        Area::Province => Layout::today(areas, periods, &[Place::Province]),
        Area::Today(place) => Layout::today(areas, periods, &[*place]),
        Area::Reported(named) => {
            let wanted = |unit| named.is(unit, areas);
            Layout::reported(areas, (periods, asked.now.day()), named.level, wanted)
        }
    }
}

/// What people call the units that a unit's key does not name: what lies in none of them.
pub(super) fn unplaced_title() -> Bilingual {
    Bilingual {
        vi: "Xã, phường đã bãi bỏ, chưa rõ nơi tiếp nhận".to_owned(),
        en: "Abolished communes without a known successor".to_owned(),
    }
}

/// The title of a unit.
pub(super) fn title(title: &str) -> Bilingual {
    if title == UNPLACED { unplaced_title() } else { Bilingual::same(title) }
}

/// The area of a place of today.
pub(super) fn area(asked: &Asked<'_>, place: Place) -> AreaOut {
    let today = |level, code, name| AreaOut {
        level,
        code,
        name,
        list: None,
        valid_from: None,
        valid_until: None,
    };
    match place {
        Place::Province => {
            let province = &asked.definitions.province;
            today("province", province.code.clone(), province.name.vi.clone())
        }
        Place::Commune(number) => {
            let area = asked.definitions.areas.get(number);
            let (code, name) = area.map(|area| (area.code.clone(), area.name.clone())).unzip();
            today("commune", code.unwrap_or_default(), name.unwrap_or_default())
        }
        Place::Unplaced => today(UNPLACED, UNPLACED.to_owned(), unplaced_title().vi),
    }
}

/// The area of a unit as reported.
pub(super) fn unit(areas: &Areas, unit: Unit) -> AreaOut {
    let list = &areas.lists()[unit.list];
    AreaOut {
        level: match (unit.at, unit.level) {
            (None, _) => UNPLACED,
            (Some(_), Level::Commune) => "commune",
            (Some(_), Level::District) => "district",
        },
        code: unit.code(areas).unwrap_or(UNPLACED).to_owned(),
        name: title(unit.title(areas)).vi,
        list: Some(list.name.clone()),
        valid_from: Some(list.from),
        valid_until: list.until,
    }
}

/// `area=` as it stands in a link.
pub(super) fn link(area: &AreaOut) -> String {
    let list = area.list.as_ref().map_or_else(String::new, |list| format!("@{list}"));
    match area.level {
        "province" => "province".to_owned(),
        UNPLACED => format!("{UNPLACED}{list}"),
        level => format!("{level}:{}{list}", area.code),
    }
}

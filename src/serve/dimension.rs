//! `/v1/dimensions/area/values`: the areas to ask for.
//!
//! Today's by default; with `boundaries=as_reported` every commune and district of every list with
//! the days between which it was in force and the commune of today that it lies in.

use serde::Serialize;

use super::answer::Answer;
use super::context::Asked;
use super::error::ApiError;
use super::place::{AreaOut, Boundaries, all_of_today, area, asked_area, link, unit};
use super::query::Query;
use crate::indicator::{Level, Place, Unit};
use crate::model::area::{Areas, List};
use crate::model::time::Day;

#[derive(Serialize)]
struct Item {
    #[serde(rename = "area")]
    link: String,
    level: &'static str,
    code: String,
    name: String,
    parent: Option<String>,
    valid_from: Option<Day>,
    /// These three as reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<Option<Day>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<String>,
    /// The commune of today that it is or lies in; null where nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    today: Option<Option<String>>,
}

#[derive(Serialize)]
struct Body {
    dimension: &'static str,
    boundaries: Boundaries,
    revision: u64,
    items: Vec<Item>,
}

/// `…/values?boundaries=&as_of=`.
pub(super) fn areas(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = Query::read(asked.request.query_string(), &["boundaries", "as_of"])?;
    let (_, boundaries) = asked_area(asked, &query)?;
    let mut items = vec![item(area(asked, Place::Province), None)];
    let areas = &asked.definitions.areas;
    match boundaries {
        Boundaries::Current => items.extend(all_of_today(areas).into_iter().map(|place| {
            let mut item = item(area(asked, place), Some(asked.definitions.province.code.clone()));
            if let Place::Commune(number) = place {
                item.valid_from = areas.get(number).map(|area| area.from);
            }
            item
        })),
        Boundaries::AsReported => {
            for (list, of) in areas.lists().iter().enumerate() {
                items.extend(districts(asked, list, of));
                items.extend(communes(asked, list, of));
            }
        }
    }
    let revision = asked.snapshot.revision;
    Answer::json(&Body { dimension: "area", boundaries, revision, items })
}

fn item(area: AreaOut, parent: Option<String>) -> Item {
    Item {
        link: link(&area),
        level: area.level,
        code: area.code,
        name: area.name,
        parent,
        valid_from: area.valid_from,
        valid_until: area.list.is_some().then_some(area.valid_until),
        list: area.list,
        today: None,
    }
}

fn districts(asked: &Asked<'_>, list: usize, of: &List) -> Vec<Item> {
    let areas = &asked.definitions.areas;
    let province = &asked.definitions.province.code;
    let district = |at| {
        let found = Unit { list, level: Level::District, at: Some(at) };
        item(unit(areas, found), Some(province.clone()))
    };
    (0..of.districts.len()).map(district).collect()
}

fn communes(asked: &Asked<'_>, list: usize, of: &List) -> Vec<Item> {
    let areas = &asked.definitions.areas;
    let commune = |at: usize| {
        let found = Unit { list, level: Level::Commune, at: Some(at) };
        let parent = parent(areas, list, of.communes[at]);
        let parent = parent.unwrap_or_else(|| asked.definitions.province.code.clone());
        let today = areas.get(of.communes[at]).and_then(|area| area.current);
        Item {
            today: Some(today.map(|number| link(&area(asked, Place::Commune(number))))),
            ..item(unit(areas, found), Some(parent))
        }
    };
    (0..of.communes.len()).map(commune).collect()
}

/// The district of a commune, as an area to ask for.
fn parent(areas: &Areas, list: usize, commune: u16) -> Option<String> {
    let at = areas.get(commune)?.district;
    at.map(|_| link(&unit(areas, Unit { list, level: Level::District, at })))
}

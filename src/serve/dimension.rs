//! `/v1/dimensions/area/values`: the areas to ask for.
//!
//! Today's by default; with `boundaries=as_reported` every commune and district of every list with
//! the days between which it was in force and the commune of today that it lies in.

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::context::Asked;
use super::error::ApiError;
use super::place::{Boundaries, all_of_today, area, boundaries, link, unit};
use super::table::Columns;
use crate::indicator::{Level, Place, Unit};
use crate::model::time::{Day, Stamp};

/// One area.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "AreaItem")]
enum Item {
    Today(OfToday),
    Reported(AsReported),
}

/// An area of today.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AreaOfToday")]
struct OfToday {
    area: String,
    level: &'static str,
    code: String,
    name: String,
    parent: Option<String>,
    valid_from: Option<Day>,
}

/// An area of one list.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AreaAsReported")]
struct AsReported {
    area: String,
    level: &'static str,
    code: String,
    name: String,
    parent: String,
    list: Option<String>,
    valid_from: Option<Day>,
    valid_until: Option<Day>,
    /// The commune of today that it is or lies in; null where nobody knows, and for districts.
    today: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Areas")]
pub(super) struct Body {
    dimension: &'static str,
    boundaries: Boundaries,
    as_of: Stamp,
    revision: u64,
    items: Vec<Item>,
}

/// The columns of the areas as a table.
const COLUMNS: Columns = &[
    ("area", "/area"),
    ("level", "/level"),
    ("code", "/code"),
    ("name", "/name"),
    ("parent", "/parent"),
    ("list", "/list"),
    ("valid_from", "/valid_from"),
    ("valid_until", "/valid_until"),
    ("today", "/today"),
    ("revision", "^/revision"),
];

/// `…/values?boundaries=&as_of=`.
pub(super) fn areas(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let boundaries = boundaries(asked, &query)?;
    let areas = &asked.definitions.areas;
    let mut items = vec![of_today(asked, Place::Province)];
    match boundaries {
        Boundaries::Current => {
            items.extend(
                all_of_today(&asked.world()).into_iter().map(|place| of_today(asked, place)),
            );
        }
        Boundaries::AsReported => {
            for (list, of) in areas.lists().iter().enumerate() {
                let districts = (0..of.districts.len()).map(|at| (Level::District, at));
                let communes = (0..of.communes.len()).map(|at| (Level::Commune, at));
                let all = districts.chain(communes);
                items.extend(
                    all.map(|(level, at)| as_reported(asked, Unit { list, level, at: Some(at) })),
                );
            }
        }
    }
    let (as_of, revision) = (asked.as_of.unwrap_or(asked.snapshot.at), asked.snapshot.revision);
    let body = Body { dimension: "area", boundaries, as_of, revision, items };
    asked.listed(&body, COLUMNS, "areas")
}

fn of_today(asked: &Asked<'_>, place: Place) -> Item {
    let out = area(asked, place);
    let valid_from = match place {
        Place::Commune(number) => asked.definitions.areas.get(number).map(|area| area.from),
        Place::Province | Place::Unplaced => None,
    };
    Item::Today(OfToday {
        area: link(&out),
        level: out.level,
        code: out.code,
        name: out.name,
        parent: (place != Place::Province).then(|| asked.definitions.province.code.clone()),
        valid_from,
    })
}

fn as_reported(asked: &Asked<'_>, found: Unit) -> Item {
    let areas = &asked.definitions.areas;
    let list = &areas.lists()[found.list];
    let number = found.at.filter(|_| found.level == Level::Commune).map(|at| list.communes[at]);
    let commune = number.and_then(|number| areas.get(number));
    let district = commune.and_then(|commune| commune.district);
    let parent = district.map(|at| {
        link(&unit(areas, Unit { list: found.list, level: Level::District, at: Some(at) }))
    });
    let today = commune.and_then(|commune| commune.current);
    let out = unit(areas, found);
    Item::Reported(AsReported {
        area: link(&out),
        level: out.level,
        code: out.code,
        name: out.name,
        parent: parent.unwrap_or_else(|| asked.definitions.province.code.clone()),
        list: out.list,
        valid_from: out.valid_from,
        valid_until: out.valid_until,
        today: today.map(|number| link(&area(asked, Place::Commune(number)))),
    })
}

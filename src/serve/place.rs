//! Which area a question is about, and the list of areas to ask for.
//!
//! Areas are today's: history is re-based on them (see [`crate::model::area`]), so an old code is
//! not a place one can ask for.

use serde::Serialize;

use super::answer::Answer;
use super::context::Asked;
use super::error::{ApiError, ParameterError, brief};
use super::query::Query;
use crate::indicator::Place;
use crate::model::nearest::nearest;
use crate::model::time::Day;

/// An area in an answer.
#[derive(Clone, Debug, Serialize)]
pub(super) struct AreaOut {
    pub(super) level: &'static str,
    pub(super) code: String,
    pub(super) name: String,
}

/// The area asked for by `area=`: `province` (also without one), `commune:<code>` or a bare code.
pub(super) fn asked_place(asked: &Asked<'_>, query: &Query) -> Result<Place, ApiError> {
    let Some(text) = query.get("area") else { return Ok(Place::Province) };
    if text == "province" || text == asked.definitions.province.code {
        return Ok(Place::Province);
    }
    let code = text.strip_prefix("commune:").unwrap_or(text);
    match asked.definitions.areas.current_by_code(code) {
        Some(number) => Ok(Place::Commune(number)),
        None => Err(unknown(asked, text, code)),
    }
}

fn unknown(asked: &Asked<'_>, text: &str, code: &str) -> ApiError {
    let areas = &asked.definitions.areas;
    let codes = areas.current().iter().filter_map(|number| areas.get(*number));
    let near = nearest(code, codes.map(|area| area.code.as_str()));
    let reason = format!("has the value '{}', which is no area of today", brief(text));
    ParameterError::new("area", reason)
        .nearest(near.map(|code| format!("commune:{code}")).as_deref())
        .allowing(["province", "commune:<code of /v1/dimensions/area/values>"])
        .into()
}

/// The area of a place.
pub(super) fn area(asked: &Asked<'_>, place: Place) -> AreaOut {
    match place {
        Place::Province => AreaOut {
            level: "province",
            code: asked.definitions.province.code.clone(),
            name: asked.definitions.province.name.vi.clone(),
        },
        Place::Commune(number) => {
            let area = asked.definitions.areas.get(number);
            AreaOut {
                level: "commune",
                code: area.map(|area| area.code.clone()).unwrap_or_default(),
                name: area.map(|area| area.name.clone()).unwrap_or_default(),
            }
        }
    }
}

/// `area=` as it stands in a link.
pub(super) fn link(area: &AreaOut) -> String {
    match area.level {
        "commune" => format!("commune:{}", area.code),
        _ => "province".to_owned(),
    }
}

#[derive(Serialize)]
struct Item {
    #[serde(rename = "area")]
    link: String,
    level: &'static str,
    code: String,
    name: String,
    parent: Option<String>,
    valid_from: Option<Day>,
}

#[derive(Serialize)]
struct Body {
    dimension: &'static str,
    revision: u64,
    items: Vec<Item>,
}

/// `/v1/dimensions/area/values`: the province and today's communes, by code.
pub(super) fn values(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    Query::read(asked.request.query_string(), &[])?;
    let province = &asked.definitions.province;
    let mut items = vec![Item {
        link: "province".to_owned(),
        level: "province",
        code: province.code.clone(),
        name: province.name.vi.clone(),
        parent: None,
        valid_from: None,
    }];
    for number in asked.definitions.areas.current() {
        let out = area(asked, Place::Commune(*number));
        items.push(Item {
            link: link(&out),
            level: out.level,
            code: out.code,
            name: out.name,
            parent: Some(province.code.clone()),
            valid_from: asked.definitions.areas.get(*number).map(|area| area.from),
        });
    }
    Answer::json(&Body { dimension: "area", revision: asked.snapshot.revision, items })
}

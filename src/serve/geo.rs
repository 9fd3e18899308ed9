//! `/v1/geo/communes.geojson?geometry=point|tile|border`: where today's communes lie, for maps.
//!
//! A feature collection (RFC 7946) to which figures are joined by `code`, as breakdowns and series by
//! commune have it, or by `name`. It says where, and no figure: figures change by the minute and borders
//! by the decade.

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::{Answer, Keep};
use super::context::Asked;
use super::error::{ApiError, ParameterError};
use super::place::{all_of_today, area, link};
use crate::indicator::Place;
use crate::model::geometry::{Drawn, Geometry};
use crate::model::time::Stamp;

/// The media type of a map.
pub(super) const MEDIA_TYPE: &str = "application/geo+json";

/// What `geometry` may be, with what it means.
const WAYS: [(&str, Drawn); 3] =
    [("point", Drawn::Point), ("tile", Drawn::Tile), ("border", Drawn::Border)];

/// The words of [`WAYS`].
pub(super) const WORDS: [&str; WAYS.len()] = {
    let mut words = [""; WAYS.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = WAYS[at].0;
        at += 1;
    }
    words
};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AreaMapType")]
enum CollectionKind {
    FeatureCollection,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AreaFeatureType")]
enum FeatureKind {
    Feature,
}

/// A map: what GeoJSON wants, and of which moment it is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AreaMap")]
pub(super) struct Map {
    #[serde(rename = "type")]
    kind: CollectionKind,
    as_of: Stamp,
    revision: u64,
    features: Vec<Feature>,
}

/// A commune.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AreaFeature")]
struct Feature {
    #[serde(rename = "type")]
    kind: FeatureKind,
    /// The code.
    id: String,
    properties: Properties,
    /// Null where nobody has said where it lies.
    geometry: Option<Geometry>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AreaProperties")]
struct Properties {
    /// As `area=` takes it.
    area: String,
    /// As the rows of breakdowns have it under `key`.
    code: String,
    name: String,
}

/// The map asked for.
pub(super) fn communes(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let drawn = query.one_of("geometry", &WAYS, Drawn::Point)?;
    let geometries = &asked.definitions.areas.geometries;
    if !geometries.has(drawn) {
        let reason = "asks for geometries that the configuration does not have (areas.yaml)";
        let there = WAYS.iter().filter(|(_, way)| geometries.has(*way)).map(|(word, _)| *word);
        return Err(ParameterError::new("geometry", reason).allowing(there).into());
    }
    let communes = all_of_today(&asked.world()).into_iter();
    let communes = communes.filter(|place| matches!(place, Place::Commune(_)));
    let features = communes.map(|place| {
        let out = area(asked, place);
        Feature {
            kind: FeatureKind::Feature,
            geometry: geometries.get(drawn, &out.code),
            id: out.code.clone(),
            properties: Properties { area: link(&out), code: out.code, name: out.name },
        }
    });
    let map = Map {
        kind: CollectionKind::FeatureCollection,
        as_of: asked.as_of.unwrap_or(asked.snapshot.at),
        revision: asked.snapshot.revision,
        features: features.collect(),
    };
    let body = serde_json::to_vec(&map).map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(Answer::new(MEDIA_TYPE, body, Keep::Briefly))
}

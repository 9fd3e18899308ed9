//! Where today's communes lie, for maps. No figure depends on any of this.
//!
//! A commune is drawn in one of three ways: as its centre (the columns `lat,lon` of today's list), as a
//! square of the same size for each, so that the smallest are seen as well as the largest, or by its
//! border. Borders belong to whoever surveyed them, so none come with the program: who may use some has
//! them read from a file.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::area::columns;

/// What a commune is drawn as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// Its centre.
    Point,
    /// A square of a grid.
    Tile,
    /// Its border.
    Border,
}

/// Degrees east and degrees north (WGS 84), in this order (RFC 7946, 3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<f64>")]
pub struct Position(f64, f64);

/// A closed line: the last position is the first one.
pub type Ring = Vec<Position>;

/// A geometry as GeoJSON has it; the first ring of a polygon is its outline, the others are holes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "coordinates")]
pub enum Geometry {
    /// A centre.
    Point(Position),
    /// An area of one piece.
    Polygon(Vec<Ring>),
    /// An area of several pieces.
    MultiPolygon(Vec<Vec<Ring>>),
}

/// What maps of today's communes are drawn from, by code.
#[derive(Clone, Debug, Default)]
pub struct Geometries {
    centres: BTreeMap<String, Position>,
    tiles: BTreeMap<String, Geometry>,
    borders: BTreeMap<String, Geometry>,
}

/// Codes of communes, in order.
pub type Codes<'a> = BTreeSet<&'a str>;

impl Geometries {
    /// What this commune is drawn as; nothing where nobody has said it.
    pub fn get(&self, drawn: Drawn, code: &str) -> Option<Geometry> {
        match drawn {
            Drawn::Point => self.centres.get(code).copied().map(Geometry::Point),
            Drawn::Tile => self.tiles.get(code).cloned(),
            Drawn::Border => self.borders.get(code).cloned(),
        }
    }

    /// Whether communes can be drawn in this way at all.
    pub fn has(&self, drawn: Drawn) -> bool {
        !match drawn {
            Drawn::Point => self.centres.is_empty(),
            Drawn::Tile => self.tiles.is_empty(),
            Drawn::Border => self.borders.is_empty(),
        }
    }

    /// Takes the centres of today's list, where it has any (columns `code,lat,lon`).
    pub fn add_centres(&mut self, list: &str) -> Result<(), String> {
        for [code, lat, lon] in columns(list, &["code"], &["lat", "lon"])? {
            if lat.is_empty() && lon.is_empty() {
                continue;
            }
            let degrees = |text: &str| text.parse::<f64>().ok();
            let centre =
                degrees(&lon).zip(degrees(&lat)).and_then(|(lon, lat)| Position::new(lon, lat));
            let centre = centre.ok_or_else(|| {
                format!(
                    "commune '{code}': '{lat}' and '{lon}' are no degrees of latitude and longitude"
                )
            })?;
            self.centres.insert(code, centre);
        }
        Ok(())
    }

    /// Takes a square for each commune (columns `code,col,row`, from the west and from the north), and
    /// lays the grid over the land that the centres span.
    pub fn add_tiles(&mut self, codes: &Codes<'_>, text: &str) -> Result<(), String> {
        let mut cells = BTreeMap::new();
        for [code, col, row] in columns(text, &["code", "col", "row"], &[])? {
            let number = |name: &str, text: &str| {
                let found = text.parse::<u8>();
                found.map_err(|_| format!("commune '{code}': '{text}' is no {name} from 0 to 255"))
            };
            let cell = (number("column", &col)?, number("row", &row)?);
            if let Some(other) = cells.insert(cell, code.clone()) {
                return Err(format!("'{other}' and '{code}' lie on one square, {col},{row}"));
            }
        }
        each_once(codes, cells.values().map(String::as_str))?;
        let grid = Grid::over(&self.centres, &cells);
        self.tiles = cells.into_iter().map(|(cell, code)| (code, grid.square(cell))).collect();
        Ok(())
    }

    /// Takes a border for each commune: a feature collection (RFC 7946) of polygons, of which each says
    /// in a property `code`, or else as its `id`, whose it is.
    pub fn add_borders(&mut self, codes: &Codes<'_>, text: &str) -> Result<(), String> {
        let read: Collection = serde_json::from_str(text)
            .map_err(|error| format!("it is no feature collection of polygons: {error}"))?;
        let mut borders = BTreeMap::new();
        let mut found = Vec::new();
        for (place, feature) in read.features.into_iter().enumerate() {
            let place = place + 1;
            let Some(code) = feature.code() else {
                return Err(format!("feature {place} has neither a property 'code' nor an 'id'"));
            };
            if !is_border(&feature.geometry) {
                return Err(format!(
                    "feature {place} ('{code}') is no area: polygons of rings that end where they begin are"
                ));
            }
            found.push(code.clone());
            borders.insert(code, feature.geometry);
        }
        each_once(codes, found.iter().map(String::as_str))?;
        self.borders = borders;
        Ok(())
    }
}

/// Refuses anything but every commune of today, once.
fn each_once<'a>(codes: &Codes<'_>, found: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut missing = codes.clone();
    for code in found {
        if !missing.remove(code) {
            let is_known = codes.contains(code);
            let what = if is_known { "stands there twice" } else { "is no commune of today" };
            return Err(format!("'{code}' {what}"));
        }
    }
    match missing.first() {
        Some(code) => Err(format!("{} communes are missing, such as '{code}'", missing.len())),
        None => Ok(()),
    }
}

impl Geometry {
    /// The lines that it is made of, or its one place.
    pub fn lines(&self) -> Vec<&[Position]> {
        match self {
            Self::Point(at) => vec![std::slice::from_ref(at)],
            Self::Polygon(rings) => rings.iter().map(Vec::as_slice).collect(),
            Self::MultiPolygon(pieces) => pieces.iter().flatten().map(Vec::as_slice).collect(),
        }
    }
}

impl Position {
    /// Degrees east and degrees north.
    pub const fn degrees(self) -> (f64, f64) {
        (self.0, self.1)
    }

    /// `None` if there is no such place on earth.
    fn new(lon: f64, lat: f64) -> Option<Self> {
        let is_there = (-180.0..=180.0).contains(&lon) && (-90.0..=90.0).contains(&lat);
        is_there.then_some(Self(lon, lat))
    }
}

impl TryFrom<Vec<f64>> for Position {
    type Error = &'static str;

    /// Heights, which may follow, are passed over.
    fn try_from(degrees: Vec<f64>) -> Result<Self, Self::Error> {
        let place = match degrees[..] {
            [lon, lat] | [lon, lat, _] => Self::new(lon, lat),
            _ => None,
        };
        place.ok_or("a position is a longitude and a latitude in degrees")
    }
}

#[derive(Deserialize)]
struct Collection {
    #[serde(rename = "type")]
    _kind: CollectionKind,
    features: Vec<Feature>,
}

#[derive(Deserialize)]
enum CollectionKind {
    FeatureCollection,
}

#[derive(Deserialize)]
struct Feature {
    id: Option<Code>,
    properties: Option<Properties>,
    geometry: Geometry,
}

#[derive(Deserialize)]
struct Properties {
    code: Option<Code>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Code {
    Text(String),
    /// A number that has lost its leading zeros.
    Number(u32),
}

impl Feature {
    fn code(&self) -> Option<String> {
        let named = self.properties.as_ref().and_then(|properties| properties.code.as_ref());
        named.or(self.id.as_ref()).map(|code| match code {
            Code::Text(text) => text.clone(),
            Code::Number(number) => format!("{number:05}"),
        })
    }
}

fn is_border(geometry: &Geometry) -> bool {
    let is_closed = |ring: &Ring| ring.len() >= 4 && ring.first() == ring.last();
    let is_area = |rings: &Vec<Ring>| !rings.is_empty() && rings.iter().all(is_closed);
    match geometry {
        Geometry::Point(_) => false,
        Geometry::Polygon(rings) => is_area(rings),
        Geometry::MultiPolygon(pieces) => !pieces.is_empty() && pieces.iter().all(is_area),
    }
}

/// Where a grid lies: its first column and row, and the size of a square in degrees.
struct Grid {
    first: (u8, u8),
    west: f64,
    north: f64,
    size: (f64, f64),
}

/// The size of a square where no centres say how far the land reaches, in degrees.
const SOME_SIZE: f64 = 0.1;

/// Positions are told to about ten metres.
const PER_DEGREE: f64 = 1e4;

impl Grid {
    fn over(centres: &BTreeMap<String, Position>, cells: &BTreeMap<(u8, u8), String>) -> Self {
        let (west, east) = reach(centres.values().map(|at| at.0));
        let (south, north) = reach(centres.values().map(|at| at.1));
        let (cols, rows) = (cells.keys().map(|cell| cell.0), cells.keys().map(|cell| cell.1));
        let (left, right) = reach(cols.clone().map(f64::from));
        let (top, bottom) = reach(rows.clone().map(f64::from));
        let size = |land: f64, squares: f64| {
            if land > 0.0 && squares > 0.0 { land / squares } else { SOME_SIZE }
        };
        Self {
            first: (cols.min().unwrap_or(0), rows.min().unwrap_or(0)),
            west,
            north,
            size: (size(east - west, right - left), size(north - south, bottom - top)),
        }
    }

    /// A square, its outline against the hands of the clock (RFC 7946, 3.1.6).
    fn square(&self, (col, row): (u8, u8)) -> Geometry {
        let middle = (
            self.west + f64::from(col - self.first.0) * self.size.0,
            self.north - f64::from(row - self.first.1) * self.size.1,
        );
        let at = |right: f64, up: f64| {
            let tidy = |degrees: f64| (degrees * PER_DEGREE).round() / PER_DEGREE;
            Position(tidy(middle.0 + right * self.size.0), tidy(middle.1 + up * self.size.1))
        };
        let corners = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5)];
        Geometry::Polygon(vec![corners.map(|(right, up)| at(right, up)).to_vec()])
    }
}

/// The least and the greatest; zeros of nothing.
fn reach(numbers: impl Iterator<Item = f64>) -> (f64, f64) {
    let wider = |reach: Option<(f64, f64)>, number: f64| match reach {
        Some((least, most)) => Some((least.min(number), most.max(number))),
        None => Some((number, number)),
    };
    numbers.fold(None, wider).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "code,name,lat,lon\n00001,A,18.0,105.0\n00002,B,19.0,106.0\n00003,C,,\n";

    fn codes() -> Codes<'static> {
        ["00001", "00002", "00003"].into()
    }

    fn geometries() -> Geometries {
        let mut geometries = Geometries::default();
        geometries.add_centres(LIST).unwrap();
        geometries
    }

    fn shown(geometry: Option<&Geometry>) -> String {
        serde_json::to_string(&geometry).unwrap()
    }

    #[test]
    fn a_centre_is_longitude_and_latitude_and_one_that_nobody_gave_is_nothing() {
        let geometries = geometries();
        let first = shown(geometries.get(Drawn::Point, "00001").as_ref());
        assert_eq!(first, r#"{"type":"Point","coordinates":[105.0,18.0]}"#);
        assert_eq!(geometries.get(Drawn::Point, "00003"), None);
        assert!(geometries.has(Drawn::Point) && !geometries.has(Drawn::Tile));
        for list in ["code,lat,lon\n1,91,105\n", "code,lat,lon\n1,18,\n", "code,lat,lon\n1,x,105\n"]
        {
            let error = Geometries::default().add_centres(list).unwrap_err();
            assert!(error.contains("commune '1'"), "{error}");
        }
        assert_eq!(Geometries::default().add_centres("code,name\n1,A\n"), Ok(()));
    }

    #[test]
    fn squares_of_one_size_cover_the_land_from_the_north_west() {
        let mut geometries = geometries();
        geometries.add_tiles(&codes(), "code,col,row\n00002,3,1\n00001,1,2\n00003,2,1\n").unwrap();
        // Columns 1 to 3 span 105 to 106 degrees east, rows 1 to 2 from 19 to 18 degrees north.
        assert_eq!(
            shown(geometries.get(Drawn::Tile, "00001").as_ref()),
            r#"{"type":"Polygon","coordinates":[[[104.75,17.5],[105.25,17.5],[105.25,18.5],[104.75,18.5],[104.75,17.5]]]}"#
        );
        assert!(shown(geometries.get(Drawn::Tile, "00003").as_ref()).contains("[[[105.25,18.5],"));
        for (tiles, said) in [
            ("code,col,row\n00001,0,0\n00002,0,0\n00003,1,0\n", "lie on one square"),
            ("code,col,row\n00001,0,0\n00002,1,0\n", "missing, such as '00003'"),
            ("code,col,row\n00001,0,0\n00001,1,0\n", "'00001' stands there twice"),
            ("code,col,row\n00001,0,0\n00009,1,0\n", "'00009' is no commune of today"),
            ("code,col,row\n00001,-1,0\n", "no column from 0 to 255"),
            ("code,col\n00001,1\n", "column 'row' is missing"),
        ] {
            let error = geometries.add_tiles(&codes(), tiles).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    fn bordered(features: &str) -> Result<Geometries, String> {
        let mut geometries = geometries();
        let text = format!(r#"{{"type":"FeatureCollection","name":"x","features":[{features}]}}"#);
        geometries.add_borders(&codes(), &text)?;
        Ok(geometries)
    }

    const RING: &str = "[[105,18],[106,18],[106,19],[105,18]]";

    #[test]
    fn borders_are_read_by_code_or_id_and_told_as_they_are() {
        let geometries = bordered(&format!(
            r#"{{"type":"Feature","id":7,"properties":{{"code":"00001","kind":"ward"}},
                "geometry":{{"coordinates":[{RING}],"type":"Polygon"}}}},
            {{"type":"Feature","id":2,"properties":null,
                "geometry":{{"type":"MultiPolygon","coordinates":[[{RING}]]}}}},
            {{"type":"Feature","id":"00003",
                "geometry":{{"type":"Polygon","coordinates":[[[105,18,4],[106,18,4],[106,19,4],[105,18,4]]]}}}}"#
        ))
        .unwrap();
        let ring = "[[105.0,18.0],[106.0,18.0],[106.0,19.0],[105.0,18.0]]";
        let second = format!(r#"{{"type":"MultiPolygon","coordinates":[[{ring}]]}}"#);
        assert_eq!(shown(geometries.get(Drawn::Border, "00002").as_ref()), second);
        for code in ["00001", "00003"] {
            let polygon = format!(r#"{{"type":"Polygon","coordinates":[{ring}]}}"#);
            assert_eq!(shown(geometries.get(Drawn::Border, code).as_ref()), polygon, "{code}");
        }
    }

    #[test]
    fn borders_that_are_none_or_not_of_all_are_refused() {
        let feature = |id: &str, geometry: &str| {
            format!(r#"{{"type":"Feature","id":{id},"geometry":{geometry}}}"#)
        };
        let good = format!(r#"{{"type":"Polygon","coordinates":[{RING}]}}"#);
        for (features, said) in [
            (feature("1", &good), "2 communes are missing, such as '00002'"),
            (
                format!("{},{}", feature("1", &good), feature("1", &good)),
                "'00001' stands there twice",
            ),
            (feature("9", &good), "'00009' is no commune of today"),
            (feature("null", &good), "feature 1 has neither a property 'code' nor an 'id'"),
            (
                feature("1", r#"{"type":"Point","coordinates":[105,18]}"#),
                "feature 1 ('00001') is no area",
            ),
            (
                feature(
                    "1",
                    r#"{"type":"Polygon","coordinates":[[[105,18],[106,18],[106,19],[107,18]]]}"#,
                ),
                "is no area",
            ),
            (feature("1", r#"{"type":"Polygon","coordinates":[]}"#), "is no area"),
            (feature("1", r#"{"type":"Polygon","coordinates":[[[500,18]]]}"#), "a position is"),
            (feature("1", r#"{"type":"LineString","coordinates":[[105,18]]}"#), "LineString"),
        ] {
            let error = bordered(&features).unwrap_err();
            assert!(error.contains(said), "{said}: {error}");
        }
        let mut geometries = geometries();
        for text in ["", "{}", r#"{"type":"Feature","features":[]}"#] {
            let error = geometries.add_borders(&codes(), text).unwrap_err();
            assert!(error.contains("no feature collection"), "{error}");
        }
    }
}

//! A map of the communes: five shades from the lowest values to the highest, with a legend in words.
//!
//! Drawn by borders where the operator has some, else as the squares of one size, else as dots at the
//! centres. Plain inline SVG like the other pictures; what it shows stands as a table beside it, so it
//! is one picture with one description for those who cannot see it. A commune without a value is an
//! empty shape and never the lightest shade.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::{both, format, words};
use crate::indicator::Definition;
use crate::indicator::layout::Cell;
use crate::model::geometry::{Drawn, Geometries, Geometry};

/// The width of the picture's own grid; its height follows from the land.
const WIDTH: f64 = 1000.0;
/// Room for half a dot.
const MARGIN: f64 = 24.0;
/// How many shades there are.
const SHADES: usize = 5;

/// The map of these cells; nothing where no commune has a value or nobody has said where they lie.
pub(super) fn map(
    geometries: &Geometries,
    definition: &Definition,
    cells: &[Cell],
    heading: &Markup,
) -> Option<Markup> {
    let ways = [Drawn::Border, Drawn::Tile, Drawn::Point];
    let drawn = ways.into_iter().find(|way| geometries.has(*way))?;
    let find = |cell: &Cell| geometries.get(drawn, cell.key.as_deref()?);
    let shapes: Vec<(&Cell, Geometry)> =
        cells.iter().filter_map(|cell| Some((cell, find(cell)?))).collect();
    let values = shapes.iter().filter_map(|(cell, _)| cell.point.value).collect();
    let shades = Shades::of(values)?;
    let land = Land::under(shapes.iter().map(|(_, geometry)| geometry));
    let say = |value| format::value(value, &definition.unit_measure, definition.decimals);
    let label = label(&shapes, say)?;
    let class = |cell: &Cell| {
        cell.point.value.map_or_else(|| "none".to_owned(), |value| shades.class(value))
    };
    Some(html! {
        section.map aria-labelledby="map" {
            h2 id="map" { (heading) }
            svg.land.dots[drawn == Drawn::Point] role="img"
                viewBox={ "0 0 " (WIDTH) " " (land.height) }
                aria-label={ (label.0) ". " (label.1) } {
                @for (cell, geometry) in &shapes {
                    path class=(class(cell)) d=(land.path(geometry)) {
                        title { (cell.title) ": " (told(cell, say)) }
                    }
                }
            }
            (legend(&shades, &shapes, say))
        }
    })
}

/// What stands beside a shade: from its lowest to its highest value, and how many communes have it.
fn legend(shades: &Shades, shapes: &[(&Cell, Geometry)], say: impl Fn(f64) -> String) -> Markup {
    let without = shapes.iter().filter(|(cell, _)| cell.point.value.is_none()).count();
    let swatch = |class: &str| {
        html! { svg.swatch viewBox="0 0 16 16" aria-hidden="true" {
            path class=(class) d="M1 1H15V15H1Z" {}
        } }
    };
    html! {
        ul.legend {
            @for (low, high, count) in shades.runs() {
                li {
                    (swatch(&shades.class(low)))
                    strong { (say(low)) @if high > low { " – " (say(high)) } }
                    " " span.who { (both(&format!("{count} xã, phường"), "communes")) }
                }
            }
            @if without > 0 { li {
                (swatch("none"))
                (both("Không có số liệu", "no value"))
                " " span.who { (both(&format!("{without} xã, phường"), "communes")) }
            } }
        }
    }
}

fn told(cell: &Cell, say: impl Fn(f64) -> String) -> String {
    cell.point.value.map_or_else(|| words::no_value(cell.point.reason).0.to_owned(), say)
}

/// The picture in words: how many communes, the highest and the lowest of them.
fn label(shapes: &[(&Cell, Geometry)], say: impl Fn(f64) -> String) -> Option<(String, String)> {
    let known = || shapes.iter().filter_map(|(cell, _)| Some((cell.point.value?, &cell.title)));
    let by_value = |a: &(f64, &String), b: &(f64, &String)| a.0.total_cmp(&b.0);
    let (high, low) = (known().max_by(by_value)?, known().min_by(by_value)?);
    let (most, least, all, count) = (say(high.0), say(low.0), shapes.len(), known().count());
    Some((
        format!(
            "Bản đồ {all} xã, phường, {count} có số liệu: cao nhất {} {most}, thấp nhất {} {least}",
            high.1, low.1
        ),
        format!(
            "map of {all} communes, {count} of them with a value: highest {} {most}, lowest {} {least}",
            high.1, low.1
        ),
    ))
}

/// Which shade a value has: about as many values have each, and the same value has the same.
struct Shades {
    values: Vec<f64>,
    /// The least value of each shade but the lightest.
    edges: Vec<f64>,
}

impl Shades {
    /// `None` of nothing.
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let least = *values.first()?;
        let least_have = values.partition_point(|value| *value <= least);
        // Where more than a fifth have the least value, it has a shade to itself.
        let (first, shades) =
            if least_have * SHADES > values.len() { (least_have, SHADES - 1) } else { (0, SHADES) };
        let rest = &values[first..];
        let cut = |number| rest.get(number * rest.len() / shades).copied();
        let mut edges: Vec<f64> =
            (0..shades).filter_map(cut).filter(|edge| *edge > least).collect();
        edges.dedup();
        Some(Self { values, edges })
    }

    /// Its place among the shades there are, from the lightest.
    fn place(&self, value: f64) -> usize {
        self.edges.iter().filter(|edge| value >= **edge).count()
    }

    /// The class of its shade: `q1` to `q5`, as far apart as their number allows; `q3` where all values
    /// are the same.
    fn class(&self, value: f64) -> String {
        let level = (self.place(value) * (SHADES - 1)).checked_div(self.edges.len());
        format!("q{}", level.map_or(SHADES.div_ceil(2), |level| level + 1))
    }

    /// The lowest and the highest value of each shade, and how many have it.
    fn runs(&self) -> Vec<(f64, f64, usize)> {
        let shades = self.values.chunk_by(|a, b| self.place(*a) == self.place(*b));
        shades.filter_map(|run| Some((*run.first()?, *run.last()?, run.len()))).collect()
    }
}

/// From degrees to the picture: as wide as it is, and degrees east as much shorter as they are here.
struct Land {
    west: f64,
    north: f64,
    /// Steps of the picture in a degree, to the east and to the south.
    per_degree: (f64, f64),
    height: f64,
}

impl Land {
    fn under<'a>(geometries: impl Iterator<Item = &'a Geometry>) -> Self {
        let nowhere = (f64::INFINITY, f64::NEG_INFINITY);
        let wider = |(least, most): (f64, f64), at: f64| (least.min(at), most.max(at));
        let (east, north) = geometries
            .flat_map(Geometry::lines)
            .flatten()
            .map(|position| position.degrees())
            .fold((nowhere, nowhere), |(lon, lat), at| (wider(lon, at.0), wider(lat, at.1)));
        let shorter = f64::midpoint(north.0, north.1).to_radians().cos().max(0.01);
        let (wide, high) = ((east.1 - east.0) * shorter, north.1 - north.0);
        // One commune alone has no width, if it is a dot.
        let per = (WIDTH - 2.0 * MARGIN) / if wide > 0.0 { wide } else { 1.0 };
        let height = (high * per + 2.0 * MARGIN).round();
        Self { west: east.0, north: north.1, per_degree: (per * shorter, per), height }
    }

    fn place(&self, (lon, lat): (f64, f64)) -> (f64, f64) {
        let x = MARGIN + (lon - self.west) * self.per_degree.0;
        let y = MARGIN + (self.north - lat) * self.per_degree.1;
        (x.round(), y.round())
    }

    /// An outline, of which what falls on the same step of the picture is left out; a dot is a line of no
    /// length with round ends.
    fn path(&self, geometry: &Geometry) -> String {
        let mut path = String::new();
        for line in geometry.lines() {
            let mut places: Vec<_> = line.iter().map(|at| self.place(at.degrees())).collect();
            places.dedup();
            for (number, (x, y)) in places.iter().enumerate() {
                let _ = write!(path, "{}{x} {y}", if number == 0 { 'M' } else { 'L' });
            }
            path.push_str(if places.len() > 1 { "Z" } else { "h0" });
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shades(values: &[f64]) -> Shades {
        Shades::of(values.to_vec()).unwrap()
    }

    #[test]
    fn each_shade_has_as_many_values_and_the_highest_is_the_deepest() {
        let values: Vec<f64> = (0..130).rev().map(f64::from).collect();
        let shades = shades(&values);
        let counts: Vec<_> = shades.runs().iter().map(|run| run.2).collect();
        assert_eq!(counts, [26; 5]);
        assert_eq!(shades.runs()[0], (0.0, 25.0, 26));
        assert_eq!((shades.class(0.0), shades.class(129.0)), ("q1".to_owned(), "q5".to_owned()));
    }

    #[test]
    fn the_same_value_has_the_same_shade_however_many_have_it() {
        let all_same = shades(&[1.0; 7]);
        assert_eq!((all_same.class(1.0), all_same.runs()), ("q3".to_owned(), vec![(1.0, 1.0, 7)]));
        let one_more = shades(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(one_more.runs(), [(0.0, 0.0, 8), (1.0, 1.0, 1)]);
        let mut many_nothings: Vec<f64> = (1..=40).map(f64::from).collect();
        many_nothings.extend([0.0; 90]);
        let counts: Vec<_> = shades(&many_nothings).runs().iter().map(|run| run.2).collect();
        assert_eq!(counts, [90, 10, 10, 10, 10]);
        let two = shades(&[0.0, 0.0, 1.0, 1.0]);
        assert_eq!((two.class(0.0), two.class(1.0)), ("q1".to_owned(), "q5".to_owned()));
        assert_eq!(two.runs(), [(0.0, 0.0, 2), (1.0, 1.0, 2)]);
        assert!(Shades::of(Vec::new()).is_none());
    }

    #[test]
    fn the_north_is_up_and_the_land_keeps_its_shape() {
        let square: Geometry = serde_json::from_str(
            r#"{"type":"Polygon","coordinates":[[[0,59],[2,59],[2,61],[2,61.00001],[0,61],[0,59]]]}"#,
        )
        .unwrap();
        let land = Land::under(std::iter::once(&square));
        // At 60 degrees north a degree east is half as long as a degree north.
        assert_eq!(land.path(&square), "M24 1928L976 1928L976 24L24 24L24 1928Z");
        let dot: Geometry =
            serde_json::from_str(r#"{"type":"Point","coordinates":[105,18]}"#).unwrap();
        let land = Land::under(std::iter::once(&dot));
        assert_eq!((land.path(&dot), land.height), ("M24 24h0".to_owned(), 48.0));
    }
}

//! `areas.yaml`: the province, its communes through time, and what maps of them are drawn from.

use super::files::{Files, Read};
use super::written::{AreaFile, Province};
use crate::model::area::{AreaList, Areas};
use crate::model::dictionary::Dictionaries;
use crate::model::geometry::{Codes, Geometries};
use crate::model::time::Day;

/// The province and its areas; no areas if their lists have problems.
pub(super) fn areas(files: &mut Files<'_>, words: &mut Dictionaries) -> (Province, Option<Areas>) {
    let Some(read) = files.yaml::<AreaFile>("areas.yaml") else {
        return (Province::default(), None);
    };
    let mut texts = Vec::new();
    for (i, list) in read.value.lists.iter().enumerate() {
        let text = files
            .text(&list.file, Some(read.node.place_of(&read.file, &format!("lists.{i}.file"))));
        let mut day = |key: &str, text: &str| {
            let day = Day::parse(text);
            if day.is_none() {
                files.problem(
                    &read,
                    &format!("lists.{i}.{key}"),
                    &format!("'{text}' is not a day such as 2025-07-01"),
                );
            }
            day
        };
        let from = day("from", &list.from);
        let until = list.until.as_ref().map(|text| day("until", text));
        if let (Some(text), Some(from)) = (text, from) {
            texts.push((list.name.clone(), text, from, until.flatten()));
        }
    }
    let crosswalk =
        files.text(&read.value.crosswalk, Some(read.node.place_of(&read.file, "crosswalk")));
    let lists: Vec<_> = texts
        .iter()
        .map(|(name, text, from, until)| AreaList { name, text, from: *from, until: *until })
        .collect();
    let is_whole = lists.len() == read.value.lists.len();
    let areas = crosswalk.filter(|_| is_whole).and_then(|crosswalk| {
        match Areas::read(&lists, &crosswalk, words) {
            Ok(areas) => Some(drawn(files, &read, texts.last().map_or("", |list| &list.1), areas)),
            Err(message) => {
                files.problem(&read, "lists", &message);
                None
            }
        }
    });
    (read.value.province, areas)
}

/// Takes geometries of communes from a text.
type Add = fn(&mut Geometries, &Codes<'_>, &str) -> Result<(), String>;

/// The areas with what maps of today's communes, whose list is `today`, are drawn from.
fn drawn(files: &mut Files<'_>, read: &Read<AreaFile>, today: &str, mut areas: Areas) -> Areas {
    let mut geometries = Geometries::default();
    if let Err(message) = geometries.add_centres(today) {
        files.problem(read, "lists", &message);
    }
    let codes = areas.current_codes();
    let ways: [(&str, &Option<String>, Add); 2] = [
        ("tiles", &read.value.tiles, Geometries::add_tiles),
        ("borders", &read.value.borders, Geometries::add_borders),
    ];
    for (key, name, add) in ways {
        let Some(name) = name else { continue };
        let asked = read.node.place_of(&read.file, key);
        let Some(text) = files.text(name, Some(asked)) else { continue };
        if let Err(message) = add(&mut geometries, &codes, &text) {
            files.problem(read, key, &format!("{name}: {message}"));
        }
    }
    areas.geometries = geometries;
    areas
}

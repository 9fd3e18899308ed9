//! `/v1/dimensions` and `/v1/dimensions/{dimension}/values`: by what figures can be cut, and the codes that
//! drop-down lists are filled with.
//!
//! A dimension is what contracts call it; where two of them call two things the same, its values are
//! those of both. Only what indicators that this reader knows of are cut by is told.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::answer::Answer;
use super::breakdown::titles;
use super::context::Asked;
use super::error::ApiError;
use super::place::all_of_today;
use super::table::Columns;
use crate::model::nearest::nearest;
use crate::model::time::Stamp;

/// The columns of dimensions as a table.
const COLUMNS: Columns = &[
    ("dimension", "/dimension"),
    ("values", "/values"),
    ("indicators", "/indicators"),
    ("revision", "^/revision"),
];

/// The columns of values as a table.
const VALUE_COLUMNS: Columns = &[
    ("dimension", "^/dimension"),
    ("key", "/key"),
    ("title", "/title"),
    ("title_en", "/title_en"),
    ("revision", "^/revision"),
];

/// What can be cut by it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Dimension")]
struct Item<'a> {
    dimension: &'a str,
    /// How many values it has.
    values: usize,
    /// Ids of the indicators that can be cut by it; for areas, of all.
    indicators: Vec<&'a str>,
    link: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Dimensions")]
pub(super) struct List<'a> {
    as_of: Stamp,
    revision: u64,
    items: Vec<Item<'a>>,
}

/// One value.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DimensionValue")]
struct Code {
    /// As `by` of a breakdown has it.
    key: String,
    title: String,
    title_en: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DimensionValues")]
pub(super) struct Body<'a> {
    dimension: &'a str,
    as_of: Stamp,
    revision: u64,
    items: Vec<Code>,
}

/// By the name of a dimension: the dictionaries of its values, and the indicators that have it.
type Known<'a> = BTreeMap<&'a str, (BTreeSet<&'a str>, Vec<&'a str>)>;

fn known<'a>(asked: &'a Asked<'_>) -> Known<'a> {
    let mut known = Known::new();
    for definition in asked.definitions.catalogue.iter() {
        for dimension in &definition.dimensions {
            let (dictionaries, ids) = known.entry(&dimension.name).or_default();
            dictionaries.insert(&dimension.dictionary);
            ids.push(&definition.id);
        }
    }
    known
}

/// `/v1/dimensions`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let all = asked.definitions.catalogue.iter().map(|definition| &*definition.id).collect();
    let area = Item {
        dimension: "area",
        values: all_of_today(&asked.world()).len() + 1,
        indicators: all,
        link: asked.link("/v1/dimensions/area/values"),
    };
    let known = known(asked);
    let others = known.iter().map(|(name, (dictionaries, ids))| Item {
        dimension: name,
        values: codes(asked, dictionaries).len(),
        indicators: ids.clone(),
        link: asked.link(format_args!("/v1/dimensions/{name}/values")),
    });
    let items = std::iter::once(area).chain(others).collect();
    let (as_of, revision) = (asked.snapshot.at, asked.snapshot.revision);
    asked.listed(&List { as_of, revision, items }, COLUMNS, "dimensions")
}

/// `/v1/dimensions/{dimension}/values`.
pub(super) fn values(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let (name, known) = (asked.piece("dimension"), known(asked));
    let Some((name, (dictionaries, _))) = known.get_key_value(name) else {
        let names = known.keys().copied().chain(["area"]);
        let suggestions = nearest(name, names).into_iter().map(str::to_owned).collect();
        return Err(ApiError::UnknownDimension { id: name.to_owned(), suggestions });
    };
    let items = codes(asked, dictionaries);
    let (as_of, revision) = (asked.snapshot.at, asked.snapshot.revision);
    let body = Body { dimension: name, as_of, revision, items };
    asked.listed(&body, VALUE_COLUMNS, &format!("{name}-values"))
}

/// The values of some dictionaries, each once, by their keys.
fn codes(asked: &Asked<'_>, dictionaries: &BTreeSet<&str>) -> Vec<Code> {
    let mut codes = BTreeMap::new();
    for dictionary in dictionaries {
        for key in keys(asked, dictionary) {
            let title = titles(asked, Some(dictionary), &key);
            codes.entry(key).or_insert(title);
        }
    }
    let code = |(key, title): (String, crate::model::text::Bilingual)| Code {
        key,
        title: title.vi,
        title_en: title.en,
    };
    codes.into_iter().map(code).collect()
}

/// The keys of one dictionary: of a code list, of one of its attributes, or of texts that came in.
fn keys(asked: &Asked<'_>, dictionary: &str) -> Vec<String> {
    let Some(list) = dictionary.strip_prefix("list:") else {
        let texts = asked.snapshot.texts.get(dictionary).map(|words| &**words);
        let words = texts.or_else(|| asked.definitions.words.get(dictionary));
        let words = words.into_iter().flat_map(|words| words.since(0));
        return words.map(|(_, word)| word.to_owned()).collect();
    };
    let lists = &asked.definitions.lists;
    match list.split_once('.') {
        None => {
            let codes = lists.get(list).into_iter().flat_map(|list| list.codes());
            codes.map(|(_, code)| code.to_owned()).collect()
        }
        Some((list, attribute)) => {
            let attribute = lists.get(list).and_then(|list| list.attribute(attribute));
            let values = attribute.into_iter().flat_map(|attribute| attribute.values.keys());
            values.cloned().collect()
        }
    }
}

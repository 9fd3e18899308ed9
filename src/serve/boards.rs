//! `/v1/boards`: all figures of one board in one answer, from one revision.
//!
//! A board (`boards/*.yaml`) is a list of tiles, each of which is a query as `POST /v1/query` takes it.
//! What can be known to be wrong with one is told when the configuration is read: an indicator that
//! there is not, a parameter that the reading does not take. A reader whose key reaches other units only
//! does not learn of tiles about these, nor of boards that have no others.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::batch::{self, Item, QUERIES, Query};
use super::context::Asked;
use super::error::ApiError;
use super::table::Columns;
use crate::indicator::Catalogue;
use crate::model::nearest::nearest;
use crate::model::schema::At;
use crate::model::text::{Bilingual, is_name};
use crate::model::time::Stamp;

/// The columns of boards as a table.
const COLUMNS: Columns = &[
    ("board", "/board"),
    ("title", "/title"),
    ("title_en", "/title_en"),
    ("tiles", "/tiles"),
    ("revision", "^/revision"),
];

/// One board file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// The board's name.
    pub board: String,
    /// What people call it.
    pub title: Bilingual,
    /// What it is for.
    #[serde(default)]
    pub description: Option<Bilingual>,
    /// Its figures in their order; at most 50.
    pub tiles: Vec<Tile>,
}

/// One figure of a board.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BoardTile")]
pub struct Tile {
    /// Its name within the board.
    pub tile: String,
    /// What stands above it; the indicator's own title without it.
    #[serde(default)]
    pub title: Option<Bilingual>,
    /// What is read.
    pub query: Query,
}

/// A board in the list of all.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Board")]
struct Card<'a> {
    board: &'a str,
    title: &'a str,
    title_en: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description_en: Option<&'a str>,
    /// How many tiles it has for this reader.
    tiles: usize,
    link: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Boards")]
pub(super) struct List<'a> {
    as_of: Stamp,
    revision: u64,
    items: Vec<Card<'a>>,
}

/// A tile with what its query came to.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BoardTileAnswer")]
struct Answered<'a> {
    tile: &'a str,
    title: &'a str,
    title_en: &'a str,
    indicator: &'a str,
    /// What the query came to.
    result: Item,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BoardAnswer")]
pub(super) struct Body<'a> {
    board: &'a str,
    title: &'a str,
    title_en: &'a str,
    as_of: Stamp,
    revision: u64,
    /// In the order of the board.
    items: Vec<Answered<'a>>,
}

impl Board {
    /// Checks a board against the indicators; problems with their dotted places.
    pub fn check(&self, catalogue: &Catalogue) -> Vec<At> {
        let mut problems: Vec<At> = Vec::new();
        let mut problem = |at: String, text: String| problems.push((at, text));
        if !is_name(&self.board) {
            problem("board".to_owned(), format!("'{}' is not a plain lower-case name", self.board));
        }
        if self.tiles.is_empty() || self.tiles.len() > QUERIES {
            problem("tiles".to_owned(), format!("a board has 1 to {QUERIES} tiles"));
        }
        let mut seen = BTreeSet::new();
        for (i, Tile { tile, query, .. }) in self.tiles.iter().enumerate() {
            if !is_name(tile) {
                problem(
                    format!("tiles.{i}.tile"),
                    format!("'{tile}' is not a plain lower-case name"),
                );
            } else if !seen.insert(tile) {
                problem(format!("tiles.{i}.tile"), format!("tile '{tile}' stands twice"));
            }
            if catalogue.get(&query.indicator).is_none() {
                let near = nearest(&query.indicator, catalogue.iter().map(|known| &*known.id));
                let hint = near.map_or(String::new(), |near| format!(" – did you mean '{near}'?"));
                let text = format!("there is no indicator '{}'{hint}", query.indicator);
                problem(format!("tiles.{i}.query.indicator"), text);
            }
            for (at, text) in query.check() {
                problem(format!("tiles.{i}.query.{at}"), text);
            }
        }
        problems
    }

    /// The tiles that this reader may know of.
    fn seen<'a>(&'a self, asked: &Asked<'_>) -> Vec<&'a Tile> {
        let known = |tile: &&Tile| asked.definitions.catalogue.get(&tile.query.indicator).is_some();
        self.tiles.iter().filter(known).collect()
    }
}

impl<'a> Card<'a> {
    /// Nothing for a reader who sees nothing of it.
    fn of(asked: &Asked<'_>, board: &'a Board, tiles: usize) -> Option<Self> {
        let description = board.description.as_ref();
        let card = Self {
            board: &board.board,
            title: &board.title.vi,
            title_en: &board.title.en,
            description: description.map(|text| &*text.vi),
            description_en: description.map(|text| &*text.en),
            tiles,
            link: asked.link(format_args!("/v1/boards/{}", board.board)),
        };
        (tiles > 0).then_some(card)
    }
}

/// `/v1/boards`.
pub(super) fn list(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let boards = asked.definitions.boards.values();
    let items =
        boards.filter_map(|board| Card::of(asked, board, board.seen(asked).len())).collect();
    let (as_of, revision) = (asked.snapshot.at, asked.snapshot.revision);
    asked.listed(&List { as_of, revision, items }, COLUMNS, "boards")
}

/// `/v1/boards/{id}`.
pub(super) fn one(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let (board, tiles) = known(asked)?;
    let queries: Vec<&Query> = tiles.iter().map(|tile| &tile.query).collect();
    let results = batch::answers(asked, &queries)?;
    let items = tiles.iter().zip(results);
    let items = items.map(|(tile, result)| tile.answered(asked, result)).collect();
    Answer::json(&Body {
        board: &board.board,
        title: &board.title.vi,
        title_en: &board.title.en,
        as_of: asked.as_of.unwrap_or(asked.snapshot.at),
        revision: asked.snapshot.revision,
        items,
    })
}

/// The board that the address names, with the tiles that this reader may know of.
fn known<'a>(asked: &'a Asked<'_>) -> Result<(&'a Board, Vec<&'a Tile>), ApiError> {
    let id = asked.piece("id");
    let mut seen: BTreeMap<&str, (&Board, Vec<&Tile>)> = asked
        .definitions
        .boards
        .iter()
        .map(|(name, board)| (&**name, (board, board.seen(asked))))
        .filter(|(_, (_, tiles))| !tiles.is_empty())
        .collect();
    let near = nearest(id, seen.keys().copied());
    let suggestions = near.into_iter().map(str::to_owned).collect();
    seen.remove(id).ok_or_else(|| ApiError::UnknownBoard { id: id.to_owned(), suggestions })
}

impl Tile {
    fn answered<'a>(&'a self, asked: &'a Asked<'_>, result: Item) -> Answered<'a> {
        let own = asked.definitions.catalogue.get(&self.query.indicator);
        let title = self.title.as_ref().or(own.map(|definition| &definition.title));
        Answered {
            tile: &self.tile,
            title: title.map_or("", |title| &title.vi),
            title_en: title.map_or("", |title| &title.en),
            indicator: &self.query.indicator,
            result,
        }
    }
}

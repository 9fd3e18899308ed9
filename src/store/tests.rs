//! The promises of the store, on real files: what was committed is there again, what failed never
//! was, and nobody else's file is touched.
//!
//! Each part has its file; here is the little world that they share. Limits that would take a
//! million records to reach are small in test builds (see `MIN_LOG` and its like).

mod audit;
mod backfills;
mod breaches;
mod changes;
mod delivery;
mod disk;
mod equals;
mod files;
mod items;
mod keys;
mod lateness;
mod past;
mod pause;
mod precedence;
mod properties;
mod quarantine;
mod replay;
mod retention;
mod sweep;
mod texts;
mod webhook;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::model::contract::Contract;
use crate::model::declared;
use crate::model::list::CodeList;
use crate::model::observation::Reason;
use crate::model::quarantine::State;
use crate::model::row::NULL;
use crate::model::schema::{Lists, Schema};

const CONTRACT: &str = "
contract: visits
version: 1
title: {vi: Lượt, en: Visits}
accountable_unit: u
purpose: p
legal_basis: l
retention: 5y
key: [visit]
version_by: updated_at
area: commune
sla: {fresh_within: 30m}
properties:
  began_at:   {type: timestamp}
  channel:    {type: code, list: channel}
  commune:    {type: area}
  rooms:      {type: integer, min: 0, max: 1000}
  updated_at: {type: timestamp}
  visit:      {type: identifier}
measures:
  visits: {count: true, at: began_at, by: [channel]}
  rooms:  {sum: rooms, at: began_at}
";

const LIST: &str = "code,vi,en\nonline,a,a\ncounter,b,b\n";

/// 2024-04-02T00:00:00 local.
const APRIL: i64 = 1_711_990_800;

/// A folder with one store, and the contract that it is opened with.
struct World {
    _folder: tempfile::TempDir,
    path: PathBuf,
    contract: String,
    list: String,
    clock: Clock,
    keys: KeyIds,
    /// Sources by precedence, highest first; none if the newest version counts.
    ranks: Vec<&'static str>,
    /// By when the reports of both streams have to be in.
    promise: Option<Arc<Promise>>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("iocgw.db");
        let clock = Clock::standing(Stamp(APRIL));
        Self {
            _folder: folder,
            path,
            contract: CONTRACT.to_owned(),
            list: LIST.to_owned(),
            clock,
            keys: KeyIds { current: 1, previous: None },
            ranks: Vec::new(),
            promise: None,
        }
    }

    fn rank(&self, source: &str) -> u8 {
        let place = self.ranks.iter().position(|each| *each == source);
        place.map_or(0, |place| (self.ranks.len() - place) as u8)
    }

    /// Changes the contract; what is replaced must be there.
    fn change(&mut self, from: &str, to: &str) {
        assert!(self.contract.contains(from), "{from}");
        self.contract = self.contract.replace(from, to);
    }

    fn open(&self) -> Store {
        let opened = Store::open(&self.path).unwrap();
        let parts = self.parts(opened.words().clone());
        opened.start(parts).unwrap()
    }

    fn parts(&self, words: Dictionaries) -> Parts {
        self.parts_of(&self.contract, &self.list, words)
    }

    /// The same with another contract and list.
    fn parts_of(&self, text: &str, list: &str, mut words: Dictionaries) -> Parts {
        let list = CodeList::read("channel", list, &mut words).unwrap();
        let lists = Lists::from([("channel".to_owned(), Arc::new(list))]);
        let contract: Contract = serde_saphyr::from_str(text).unwrap();
        declared::texts(&contract, &mut words);
        let schema = Arc::new(Schema::compile(&contract, &lists, &words).unwrap());
        let plan = Plan::compile(&contract, &schema, &words).unwrap();
        let stream = |source: &str| StreamName {
            source: source.to_owned(),
            stream: "visits".to_owned(),
            plan: 0,
            rank: self.rank(source),
            promise: self.promise.clone(),
            age_limit: Arc::new(AgeLimit {
                fresh_within: schema.fresh_within,
                unit: "office".to_owned(),
                is_pushed: false,
            }),
        };
        let files = vec![("contract.yaml".to_owned(), text.to_owned())];
        let hash = blake3::hash(text.as_bytes()).to_hex().to_string();
        Parts {
            keys: vec![self.keys],
            plans: vec![plan],
            streams: vec![stream("a"), stream("b")],
            words,
            epoch: Epoch { hash, files },
            clock: self.clock.clone(),
            journal_full_for: Span::seconds(30 * 86_400),
        }
    }
}

/// One version of one visit; the fields in the alphabetical order of the properties.
#[derive(Clone, Copy, Debug)]
struct Visit {
    key: u64,
    day: i64,
    channel: i64,
    commune: i64,
    rooms: i64,
    version: i64,
}

impl Visit {
    fn new(key: u64) -> Self {
        let (day, commune) = ((key % 9) as i64, (key % 5) as i64 + 1);
        Self { key, day, channel: (key % 2) as i64 + 1, commune, rooms: key as i64 % 7, version: 1 }
    }

    fn version(self, version: i64, rooms: i64) -> Self {
        Self { rooms, version, ..self }
    }

    fn row(&self) -> [i64; 6] {
        let (began, updated) = (APRIL + self.day * 86_400, APRIL + 86_400 * 20 + self.version);
        [began, self.channel, self.commune, self.rooms, updated, NULL]
    }
}

/// Like a hash: spread over all 128 bits.
fn key(key: u64) -> u128 {
    u128::from(key + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
}

fn page(visits: impl IntoIterator<Item = Visit>) -> Batch {
    let mut observations = Observations::new(6);
    for visit in visits {
        observations.push(key(visit.key), &visit.row(), false);
    }
    batch(observations)
}

fn batch(observations: Observations) -> Batch {
    Batch {
        stream: 0,
        received: observations.len() as u64,
        observations,
        rejects: Vec::new(),
        contract_version: 1,
        cursor: None,
        at: Stamp(APRIL),
    }
}

fn run(stream: usize, number: i64) -> RunEnd {
    RunEnd {
        stream,
        started: Stamp(APRIL + number * 60),
        ended: Stamp(APRIL + number * 60 + 5),
        outcome: Outcome::Ok,
        pages: 1,
        records: Conservation::default(),
        cursor: None,
        history: None,
        data_through: None,
        is_ours: false,
        targets: None,
        failure: None,
        refused: 0,
        drift: Drift::default(),
        circuit: None,
        validator: None,
    }
}

/// Everything that can be read of a snapshot, to be compared.
#[derive(Debug, PartialEq)]
struct Seen {
    revision: u64,
    at: Stamp,
    cells: BTreeMap<String, Vec<(i32, u64, i64)>>,
    streams: BTreeMap<String, serde_json::Value>,
}

fn seen(store: &Store) -> Seen {
    let snapshot = store.snapshot();
    let cells = snapshot.measures.keys().map(|name| (name.clone(), cells(store, name))).collect();
    let streams = snapshot
        .streams
        .iter()
        .map(|(name, state)| (name.clone(), serde_json::to_value(&**state).unwrap()))
        .collect();
    Seen { revision: snapshot.revision, at: snapshot.at, cells, streams }
}

/// Waits until every measure has been built.
async fn built(store: &Store) {
    let mut revisions = store.revisions();
    while !store.snapshot().rebuilding.is_empty() {
        revisions.changed().await.unwrap();
    }
}

/// The cells of a measure: day, key without the day, amount.
fn cells(store: &Store, measure: &str) -> Vec<(i32, u64, i64)> {
    let snapshot = store.snapshot();
    let days = snapshot.measures[measure].cube.days();
    days.flat_map(|(day, cells)| cells.iter().map(move |cell| (day.0, cell.0, cell.1))).collect()
}

fn total(store: &Store, measure: &str) -> i64 {
    cells(store, measure).iter().map(|cell| cell.2).sum()
}

/// A number that a closed store's file holds.
fn stored(path: &Path, query: &str) -> i64 {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.query_row(query, [], |row| row.get(0)).unwrap()
}

fn reject(fingerprint: u128, key: Option<u128>, reason: Reason) -> Reject {
    Reject {
        reason,
        rule: "rooms".to_owned(),
        key,
        version: None,
        fingerprint,
        shape: r#"{"rooms":"string"}"#.to_owned(),
        held: "{}".to_owned(),
        former: None,
    }
}

//! What must hold in the store after every death, whatever it was doing.
//!
//! The store is opened as the dead program's successor would open it, under the very definitions
//! that the dead one had, so that no rebuild can cover anything up. Then each cube is compared with
//! a recount of the entities as they stand in the file, and the books are looked through.

use std::collections::BTreeMap;
use std::path::Path;

use ioc_gateway::config::{self, Config};
use ioc_gateway::fold::{Entities, Plan, rebuild};
use ioc_gateway::model::cube::Cube;
use ioc_gateway::model::dictionary::Dictionaries;
use ioc_gateway::model::snapshot::Snapshot;
use ioc_gateway::model::time::Stamp;
use ioc_gateway::store::{Parts, Store, StreamName};
use rusqlite::{Connection, OpenFlags};

/// The store's books, looked through again and again.
pub(super) struct Books {
    revision: u64,
    received: BTreeMap<String, u64>,
    looked: usize,
}

/// A configuration and what the program makes of it.
pub(super) struct Definitions {
    plans: Vec<Plan>,
    streams: Vec<StreamName>,
    words: Dictionaries,
}

impl Definitions {
    /// Reads a folder; `words` have their numbers already.
    pub(super) fn read(folder: &Path, variables: &BTreeMap<String, String>) -> Self {
        let lookup = |name: &str| variables.get(name).cloned();
        let key = b"an identifier key for tests, and for tests only";
        let words = Dictionaries::default();
        let options = config::Options { dir: folder, lookup: &lookup, words, identifier_key: key };
        let Config { plans, words, sources, .. } =
            config::load(options).unwrap_or_else(|problems| panic!("{problems:?}"));
        let names = sources.iter().flat_map(|source| {
            source.streams.iter().map(|stream| StreamName {
                source: source.written.source.clone(),
                stream: stream.name.clone(),
                plan: stream.plan,
            })
        });
        Self { plans, streams: names.collect(), words }
    }

    fn parts(&self) -> Parts {
        Parts {
            plans: self.plans.clone(),
            streams: self.streams.clone(),
            words: self.words.clone(),
        }
    }
}

impl Books {
    pub(super) fn new() -> Self {
        Self { revision: 0, received: BTreeMap::new(), looked: 0 }
    }

    /// Opens the store, looks through it and closes it again; every fiftieth time SQLite looks
    /// through the file as well.
    pub(super) fn check(&mut self, path: &Path, definitions: &Definitions) {
        let opened = Store::open(path).unwrap_or_else(|error| panic!("it does not open: {error}"));
        let store = opened.start(definitions.parts()).unwrap();
        let snapshot = store.snapshot();
        self.check_streams(&snapshot);
        let file = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        for plan in &definitions.plans {
            recount(&file, plan, &snapshot);
        }
        if self.looked.is_multiple_of(50) {
            let found: String = file.query_row("PRAGMA quick_check", [], |row| row.get(0)).unwrap();
            assert_eq!(found, "ok");
        }
        self.looked += 1;
        drop(file);
        runtime().block_on(store.close());
    }

    /// Nothing goes back, and what was received went somewhere.
    fn check_streams(&mut self, snapshot: &Snapshot) {
        assert!(snapshot.revision >= self.revision, "{} < {}", snapshot.revision, self.revision);
        self.revision = snapshot.revision;
        for (name, state) in &snapshot.streams {
            assert!(state.total.balances(), "{name}: {:?}", state.total);
            assert!(
                state.runs.iter().all(|run| run.records.balances()),
                "{name}: {:?}",
                state.runs
            );
            let received = self.received.entry(name.clone()).or_default();
            assert!(state.total.received >= *received, "{name}: fewer than {received} received");
            *received = state.total.received;
        }
    }
}

/// Cubes are what the entities in the file make, and no cursor is ahead of them.
fn recount(file: &Connection, plan: &Plan, snapshot: &Snapshot) {
    let entities = entities(file, plan);
    let all: Vec<usize> = (0..plan.measures.len()).collect();
    for (measure, changes) in plan.measures.iter().zip(rebuild(&entities, plan, &all)) {
        let mut cube = Cube::default();
        cube.add(&changes);
        let shown = &snapshot.measures[&measure.name].cube;
        assert!(cube.days().eq(shown.days()), "{} is not what its entities make", measure.name);
    }
    let schema = &plan.schema;
    let mut row = Vec::new();
    let version = |at: u32| {
        schema.layout.unpack(&entities.body(at)[1..], &mut row);
        row[schema.version_slot]
    };
    let latest = (0..entities.len() as u32).map(version).max();
    for (name, state) in snapshot.streams.iter().filter(|(_, state)| state.contract == schema.name)
    {
        let cursor = state.cursor.as_ref().map(|text| Stamp::parse(text).unwrap().0);
        assert!(cursor <= latest, "the cursor of {name} is ahead of what was folded");
    }
}

/// The entities of a contract: chunks, and the log on top of them.
fn entities(file: &Connection, plan: &Plan) -> Entities {
    let mut entities = Entities::new(&plan.schema.layout);
    let (name, width) = (&plan.schema.name, entities.width());
    let blobs = |table: &str, order: &str| -> Vec<Vec<u8>> {
        let text = format!(
            "SELECT records FROM {table} WHERE contract = (SELECT id FROM contract WHERE name = ?1) ORDER BY {order}"
        );
        let mut statement = file.prepare(&text).unwrap();
        let rows = statement.query_map([name], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    for record in blobs("entity_chunk", "chunk").iter().flat_map(|blob| blob.chunks(width)) {
        entities.put(entities.len() as u32, record).unwrap();
    }
    for entry in blobs("entity_log", "seq").iter().flat_map(|blob| blob.chunks(4 + width)) {
        let (at, record) = entry.split_first_chunk::<4>().unwrap();
        entities.put(u32::from_le_bytes(*at), record).unwrap();
    }
    entities
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

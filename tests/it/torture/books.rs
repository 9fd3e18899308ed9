//! What must hold in the store after every death, whatever it was doing.
//!
//! The store is opened as the dead program's successor would open it, under the very definitions
//! that the dead one had, so that no rebuild can cover anything up. `fsck` must find nothing, and it
//! is not taken at its word: each cube is compared with a recount of the entities as they stand in
//! the file, and the books are looked through.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ioc_gateway::app::{Gateway, Settings};
use ioc_gateway::clock::Clock;
use ioc_gateway::fold::{Entities, Plan, rebuild};
use ioc_gateway::model::cube::Cube;
use ioc_gateway::model::snapshot::Snapshot;
use ioc_gateway::model::time::Stamp;
use ioc_gateway::store::{Store, StoreError, VintageError};
use rusqlite::{Connection, OpenFlags};
use tokio_util::sync::CancellationToken;

/// Earlier moments that are looked at again after each death.
const LOOKED_BACK: usize = 3;

/// How long a store may be held by somebody who does not want it.
const PATIENCE: Duration = Duration::from_secs(20);

/// The store's books, looked through again and again.
#[derive(Default)]
pub(super) struct Books {
    revision: u64,
    received: BTreeMap<String, u64>,
    looked: usize,
    /// Moments, and what could be read then.
    printed: Vec<Printed>,
    /// How many of them read the same later.
    pub(super) read_again: usize,
}

struct Printed {
    at: Stamp,
    revision: u64,
    cells: BTreeMap<String, blake3::Hash>,
}

impl Books {
    /// Has the program check its store, then opens it, looks through it and closes it again.
    pub(super) fn check(&mut self, settings: &Settings, now: Stamp) {
        let clock = Clock::standing(now);
        self.fsck(settings, &clock);
        let open = || Gateway::open(settings, clock.clone(), CancellationToken::new());
        let gateway = when_free(open).unwrap_or_else(|error| panic!("it does not open: {error:#}"));
        let store = gateway.store();
        store.settled().unwrap();
        while !store.snapshot().rebuilding.is_empty() {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        let snapshot = store.snapshot();
        self.check_streams(&snapshot);
        let file =
            Connection::open_with_flags(store.path(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        for plan in &gateway.config().plans {
            recount(&file, plan, &snapshot);
        }
        self.look_back(store);
        let (revision, cells) = (snapshot.revision, digests(&snapshot));
        self.printed.push(Printed { at: snapshot.at.max(now), revision, cells });
        self.looked += 1;
        drop(file);
        runtime().block_on(store.close());
    }

    /// What the program itself says of its store, before anything is mended by opening it.
    fn fsck(&self, settings: &Settings, clock: &Clock) {
        let report = when_free(|| Gateway::check(settings, clock)).unwrap();
        assert!(report.is_sound(), "{report:#?}");
        assert!(report.revision >= self.revision);
    }

    /// What could be read at earlier moments can be read again, to the last cell.
    fn look_back(&mut self, store: &Store) {
        for i in 0..LOOKED_BACK.min(self.printed.len()) {
            // The latest ones, and others all over the past.
            let back = [1, 2, self.looked * 7919 % self.printed.len() + 1][i];
            let Some(printed) = self.printed.len().checked_sub(back).map(|i| &self.printed[i])
            else {
                continue;
            };
            match store.vintage(printed.at) {
                // Another commit within the same second has come between.
                Ok(vintage) if vintage.snapshot.revision != printed.revision => {}
                Ok(vintage) => {
                    let is_same = digests(&vintage.snapshot) == printed.cells;
                    assert!(is_same, "{} reads otherwise than it did", printed.at);
                    self.read_again += 1;
                }
                Err(VintageError::Compacted(_)) => {}
                Err(error) => panic!("{}: {error}", printed.at),
            }
        }
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

/// One hash for all cells of each measure.
fn digests(snapshot: &Snapshot) -> BTreeMap<String, blake3::Hash> {
    let digest = |cube: &Cube| {
        let mut hasher = blake3::Hasher::new();
        for (day, cells) in cube.days() {
            hasher.update(&day.0.to_le_bytes());
            for (key, amount) in cells {
                hasher.update(&key.to_le_bytes()).update(&amount.to_le_bytes());
            }
        }
        hasher.finalize()
    };
    let measures = snapshot.measures.iter();
    measures.map(|(name, measure)| (name.clone(), digest(&measure.cube))).collect()
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

/// Does so as soon as nobody holds the store. Another stage whose program is just being started holds every
/// file of this process until that has begun, locks included.
fn when_free<T>(work: impl Fn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let began = Instant::now();
    loop {
        let done = work();
        let is_held = done.as_ref().err().is_some_and(|error| {
            matches!(error.downcast_ref::<StoreError>(), Some(StoreError::Owned(_)))
        });
        if !is_held || began.elapsed() > PATIENCE {
            return done;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

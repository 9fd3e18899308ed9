//! Replayed equals never quarantined: whatever was refused, corrected, replayed and interleaved, the
//! cubes are those of a gateway whose contract had been right from the start.

use proptest::prelude::*;

use super::properties::{on_files, runtime, world};
use super::*;
use crate::decode::Picks;
use crate::decode::json::decode;
use crate::fold::{Bringer, Entities, against};
use crate::model::area::{AreaList, Areas};
use crate::model::cube::Cube;
use crate::model::time::Day;
use crate::normalise::{KeyHasher, Normalised, Normaliser, Replayer, Surroundings};

const MAP: &str = "
visit: /v
began_at: {at: /b, format: rfc3339}
updated_at: {at: /u, format: rfc3339}
channel: /c
commune: /x
rooms: /r
";

/// A store whose stream `a.visits` is fed with wire records.
struct Gateway {
    store: Store,
    normaliser: Normaliser,
}

/// The contract, list and map before and after a steward corrected them.
fn compiled(world: &World, corrected: bool, words: Dictionaries) -> (Parts, Normaliser) {
    let (mut contract, mut list, mut map) =
        (world.contract.clone(), world.list.clone(), MAP.to_owned());
    if corrected {
        contract = contract.replace("max: 1000", "max: 9000");
        list.push_str("kiosk,c,c\n");
        map = map.replace("/u, format: rfc3339", "/u, format: [rfc3339, 'dd/MM/yyyy HH:mm:ss']");
    }
    let mut parts = world.parts_of(&contract, &list, words);
    let text = "code,name\n00001,A\n00002,B\n00003,C\n";
    let from = Day::parse("2000-01-01").unwrap();
    let areas = [AreaList { name: "now", text, from, until: None }];
    let areas = Arc::new(Areas::read(&areas, "old_code,new_code\n", &mut parts.words).unwrap());
    let map = serde_saphyr::from_str(&map).unwrap();
    let hasher = KeyHasher::new(b"k", "visits");
    let normaliser = Normaliser::compile(&parts.plans[0].schema, &areas, &map, hasher).unwrap();
    parts.clock = Clock::standing(now());
    (parts, normaliser)
}

fn open(world: &World, corrected: bool) -> Gateway {
    let opened = Store::open(&world.path).unwrap();
    let (parts, normaliser) = compiled(world, corrected, opened.words().clone());
    Gateway { store: opened.start(parts).unwrap(), normaliser }
}

fn now() -> Stamp {
    Stamp(APRIL + 30 * 86_400)
}

/// One version of one visit as a source sends it; often enough broken.
fn wire(random: &mut fastrand::Rng) -> serde_json::Value {
    let version = Stamp(APRIL + 86_400 * random.i64(1..4));
    let mut record = serde_json::json!({
        "v": format!("CANARY-{}", random.u8(0..60)),
        "b": Stamp(APRIL + 3600 * random.i64(0..50)).rfc3339(),
        "u": version.rfc3339(),
        "c": if random.bool() { "online" } else { "counter" },
        "x": format!("0000{}", random.u8(1..4)),
        "r": random.u16(0..9),
    });
    match random.u8(0..8) {
        0 => record["c"] = "kiosk".into(),
        1 => record["r"] = 5000.into(),
        2 => record["u"] = format!("{} 07:30:00", version.day().date().strftime("%d/%m/%Y")).into(),
        3 => record["x"] = "99999".into(),
        _ => {}
    }
    record
}

fn normalised(normaliser: &Normaliser, page: &[serde_json::Value]) -> Normalised {
    let text = serde_json::to_string(page).unwrap();
    let picks = Picks::new(Some(""), normaliser.pointers(), &[]).unwrap();
    let decoded = decode(text.as_bytes(), &picks).unwrap();
    let around = Surroundings { now: now(), target: None };
    normaliser.page(&decoded.records, around)
}

impl Gateway {
    async fn pull(&self, page: &[serde_json::Value]) {
        let out = normalised(&self.normaliser, page);
        let (received, rejects) = (page.len() as u64, out.rejects);
        let batch = Batch { received, rejects, ..batch(out.observations) };
        assert!(self.store.commit(batch).await.unwrap().records.balances());
    }

    /// Replays all or, to meet other states on the way, the first few.
    async fn replay(&self, limit: usize) {
        let held = self.store.held(&Filter { limit, ..Filter::default() }).unwrap();
        let replayer = Replayer::new(&self.normaliser);
        let (mut observations, mut passed, mut refused) =
            (Observations::new(6), Vec::new(), Vec::new());
        for Held { id, values, .. } in held {
            let mut out = replayer.record(&values, now()).unwrap();
            if out.rejects.is_empty() {
                observations.push(out.observations.keys[0], out.observations.row(0), false);
                passed.push(id);
            } else {
                refused.push((id, out.rejects.pop()));
            }
        }
        let batch = Batch { received: 0, ..batch(observations) };
        self.store.replay(Replay { batch, passed, refused }).await.unwrap();
        self.assert_one_count();
    }

    fn assert_one_count(&self) {
        let filter = Filter { state: Some(State::Held), limit: 10_000, ..Filter::default() };
        let listed = self.store.quarantine(&filter).unwrap();
        let groups = self.store.quarantine_groups(&filter).unwrap();
        let counted = self.store.snapshot().streams["a.visits"].quarantined;
        assert_eq!(listed.len() as u64, counted);
        assert_eq!(groups.iter().map(|group| group.records).sum::<u64>(), counted);
    }

    fn cells(&self) -> [Vec<(i32, u64, i64)>; 2] {
        ["visits.visits", "visits.rooms"].map(|measure| cells(&self.store, measure))
    }
}

fn history(random: &mut fastrand::Rng) -> Vec<Vec<serde_json::Value>> {
    let pages = random.usize(1..7);
    (0..pages).map(|_| (0..random.usize(1..16)).map(|_| wire(random)).collect()).collect()
}

/// Normaliser, fold and cubes without a file below them, so that many more histories can be tried.
struct Unstored {
    world: World,
    parts: Parts,
    normaliser: Normaliser,
    entities: Entities,
    cubes: [Cube; 2],
    held: Vec<String>,
}

impl Unstored {
    fn new(corrected: bool) -> Self {
        let world = World::new();
        let (parts, normaliser) = compiled(&world, corrected, Dictionaries::default());
        let entities = Entities::new(&parts.plans[0].schema.layout);
        Self { world, parts, normaliser, entities, cubes: Default::default(), held: Vec::new() }
    }

    fn correct(&mut self) {
        let words = self.parts.words.clone();
        (self.parts, self.normaliser) = compiled(&self.world, true, words);
    }

    fn fold(&mut self, observations: &Observations) {
        let plan = &self.parts.plans[0];
        let folded = against(&mut self.entities, plan, observations, Bringer::default());
        let ends = folded.accepted() + folded.superseded + folded.duplicate;
        assert_eq!(ends, observations.len() as u64);
        for (i, cube) in self.cubes.iter_mut().enumerate() {
            cube.add(&folded.changes(i));
        }
    }

    /// What is received is folded or held, and nothing is both.
    fn pull(&mut self, page: &[serde_json::Value]) {
        let out = normalised(&self.normaliser, page);
        assert_eq!(out.observations.len() + out.rejects.len(), page.len());
        self.fold(&out.observations);
        self.held.extend(out.rejects.into_iter().map(|reject| reject.held));
    }

    fn replay(&mut self, limit: usize) {
        let rest = self.held.split_off(limit.min(self.held.len()));
        let mut passed = Observations::new(6);
        let replayer = Replayer::new(&self.normaliser);
        self.held.retain(|held| {
            let out = replayer.record(held, now()).unwrap();
            if out.rejects.is_empty() {
                passed.push(out.observations.keys[0], out.observations.row(0), false);
            }
            !out.rejects.is_empty()
        });
        self.held.extend(rest);
        self.fold(&passed);
    }

    fn cells(&self) -> [Vec<(i32, u64, i64)>; 2] {
        self.cubes.each_ref().map(|cube| {
            let cells = |(day, cells): (Day, &[(u64, i64)])| {
                cells.iter().map(|cell| (day.0, cell.0, cell.1)).collect::<Vec<_>>()
            };
            cube.days().flat_map(cells).collect()
        })
    }
}

fn compare_unstored(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let pages = history(&mut random);
    let (mut right, mut gateway) = (Unstored::new(true), Unstored::new(false));
    let corrected_before = random.usize(0..=pages.len());
    for (i, page) in pages.iter().enumerate() {
        right.pull(page);
        if i == corrected_before {
            gateway.correct();
        }
        gateway.pull(page);
        if random.bool() {
            gateway.replay(random.usize(1..30));
        }
    }
    gateway.correct();
    gateway.replay(usize::MAX);
    assert_eq!(gateway.cells(), right.cells());
    let held = gateway.held.len();
    gateway.replay(usize::MAX);
    assert_eq!((gateway.cells(), gateway.held.len()), (right.cells(), held));
    assert_eq!(held, right.held.len(), "what is wrong either way is held either way");
}

/// One history of some visits, drawn from a seed: pulled under the right contract, and under a wrong
/// one that is corrected in between, with replays all along.
async fn compare(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let pages = history(&mut random);
    let right = open(&world(), true);
    for page in &pages {
        right.pull(page).await;
    }
    let world = world();
    let mut gateway = open(&world, false);
    let corrected_before = random.usize(0..=pages.len());
    for (i, page) in pages.iter().enumerate() {
        if i == corrected_before {
            gateway.store.close().await;
            gateway = open(&world, true);
        }
        gateway.pull(page).await;
        if random.bool() {
            gateway.replay(random.usize(1..30)).await;
        }
    }
    gateway.store.close().await;
    let gateway = open(&world, true);
    built(&gateway.store).await;
    gateway.replay(10_000).await;
    let was = gateway.cells();
    assert_eq!(was, right.cells());
    gateway.replay(10_000).await;
    assert_eq!(gateway.cells(), was, "a second replay finds nothing new");
    gateway.store.close().await;
    let again = open(&world, true);
    built(&again.store).await;
    assert_eq!(again.cells(), was);
    again.assert_one_count();
    again.store.close().await;
    right.store.close().await;
}

proptest! {
    #[test]
    fn replayed_equals_never_quarantined_without_a_file(seed in any::<u64>()) {
        compare_unstored(seed);
    }
}

proptest! {
    #![proptest_config(on_files())]

    #[test]
    fn replayed_equals_never_quarantined(seed in any::<u64>()) {
        runtime().block_on(compare(seed));
    }
}

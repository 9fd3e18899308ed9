//! Whatever order, repetition, split, source and restarts records come through: the same cubes.
//!
//! The store goes up and down on real files here, between any two pages; the reckoning that it must
//! agree with is one fold of everything at once. `PROPTEST_CASES` says how many cases are tried.

use proptest::prelude::*;
use proptest::sample::Index;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::fold::{Entities, against};
use crate::model::cube::Cube;

/// One version of one visit, or its withdrawal.
#[derive(Clone, Copy, Debug)]
struct Said {
    visit: Visit,
    retracted: bool,
}

/// What the store goes through.
#[derive(Clone, Debug)]
enum Step {
    Page(usize, Vec<Said>),
    Restart,
}

prop_compose! {
    fn said()(key in 0_u64..10, day in 0_i64..7, channel in 1_i64..3, commune in 1_i64..4,
              rooms in 0_i64..9, version in 1_i64..5, retracted in prop::bool::weighted(0.15)) -> Said {
        Said { visit: Visit { key, day, channel, commune, rooms, version }, retracted }
    }
}

prop_compose! {
    /// Everything at least once, in any order, some of it several times, cut anywhere, by either
    /// source, with restarts anywhere.
    fn life()(all in prop::collection::vec(said(), 1..40))
             (order in prop::collection::vec(any::<Index>(), 0..40), ranks in prop::collection::vec(any::<u32>(), all.len()),
              cuts in prop::collection::vec((1_usize..20, 0_usize..2, prop::bool::weighted(0.2)), 80), all in Just(all))
             -> (Vec<Said>, Vec<Step>) {
        let mut shuffled: Vec<_> = ranks.into_iter().zip(all.iter().copied()).collect();
        shuffled.sort_by_key(|(rank, _)| *rank);
        let mut rest: Vec<Said> = order.iter().map(|index| *index.get(&all)).collect();
        rest.extend(shuffled.into_iter().map(|(_, said)| said));
        let mut steps = Vec::new();
        for (size, stream, is_restarted) in cuts {
            if rest.is_empty() {
                break;
            }
            steps.push(Step::Page(stream, rest.drain(..size.min(rest.len())).collect()));
            if is_restarted {
                steps.push(Step::Restart);
            }
        }
        (all, steps)
    }
}

fn batch_of(stream: usize, said: &[Said]) -> Batch {
    let mut observations = Observations::new(6);
    for said in said {
        observations.push(key(said.visit.key), &said.visit.row(), said.retracted);
    }
    Batch { stream, ..batch(observations) }
}

type Cells = BTreeMap<String, Vec<(i32, u64, i64)>>;

/// One fold of everything in the order in which it was drawn.
fn folded(world: &World, all: &[Said]) -> Cells {
    let plan = world.parts(Dictionaries::default()).plans.remove(0);
    let mut entities = Entities::new(&plan.schema.layout);
    let folded = against(&mut entities, &plan, &batch_of(0, all).observations);
    let cells = |changes: &Vec<(u64, i64)>| {
        let mut cube = Cube::default();
        cube.add(changes);
        let of_day = |(day, cells): (crate::model::time::Day, &[(u64, i64)])| {
            cells.iter().map(|cell| (day.0, cell.0, cell.1)).collect::<Vec<_>>()
        };
        cube.days().flat_map(of_day).collect()
    };
    let measures = plan.measures.iter().map(|measure| measure.name.clone());
    measures.zip(folded.changes.iter().map(cells)).collect()
}

/// Takes the steps; yields the store and how many records each stream was handed.
async fn lived(world: &World, steps: &[Step]) -> (Store, [u64; 2]) {
    let (mut store, mut handed) = (world.open(), [0; 2]);
    for step in steps {
        match step {
            Step::Page(stream, said) => {
                let committed = store.commit(batch_of(*stream, said)).await.unwrap();
                assert!(committed.records.balances(), "{committed:?}");
                handed[*stream] += said.len() as u64;
            }
            Step::Restart => {
                let before = seen(&store);
                store.close().await;
                store = world.open();
                assert_eq!(seen(&store), before, "a restart changes nothing");
            }
        }
    }
    (store, handed)
}

/// What is proved here does not depend on the disk, so it is done in memory where there is any.
fn world() -> World {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let path = folder.path().join("iocgw.db");
    World { _folder: folder, path, ..World::new() }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// The contract as it is changed between two lives: another dimension, another quantity, another
/// bucket, a measure more and a measure less.
const EDITS: [(&str, &str); 5] = [
    ("visits: {count: true, at: began_at, by: [channel]}", "visits: {count: true, at: began_at}"),
    ("rooms:  {sum: rooms, at: began_at}", "rooms:  {sum: rooms, at: began_at, where: rooms > 3}"),
    ("rooms:  {sum: rooms, at: began_at}", "rooms:  {sum: rooms, at: updated_at}"),
    ("measures:\n", "measures:\n  open: {stock: true, from: began_at, until: updated_at}\n"),
    ("  rooms:  {sum: rooms, at: began_at}\n", ""),
];

proptest! {
    #[test]
    fn order_repetition_split_source_and_restarts_change_nothing((all, steps) in life()) {
        let world = world();
        let (store, handed) = runtime().block_on(lived(&world, &steps));
        let snapshot = store.snapshot();
        prop_assert_eq!(seen(&store).cells, folded(&world, &all));
        for (name, handed) in ["a.visits", "b.visits"].into_iter().zip(handed) {
            let total = snapshot.streams[name].total;
            prop_assert!(total.balances());
            prop_assert_eq!(total.received, handed);
        }
        let pages = steps.iter().filter(|step| matches!(step, Step::Page(..))).count();
        prop_assert_eq!(snapshot.revision, pages as u64, "a page is a revision, a restart none");
        runtime().block_on(store.close());
    }

    #[test]
    fn a_rebuild_is_a_fresh_build((all, steps) in life(), (from, to) in prop::sample::select(&EDITS[..]), before in any::<Index>()) {
        let mut world = world();
        let edit_at = before.index(steps.len() + 1);
        let (store, _) = runtime().block_on(lived(&world, &steps[..edit_at]));
        runtime().block_on(store.close());
        world.change(from, to);
        let (store, _) = runtime().block_on(lived(&world, &steps[edit_at..]));
        prop_assert_eq!(seen(&store).cells, folded(&world, &all));
        runtime().block_on(store.close());
    }
}

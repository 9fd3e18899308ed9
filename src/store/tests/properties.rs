//! Whatever order, repetition, split, source and restarts records come through: the same cubes.
//!
//! The store goes up and down on real files here, between any two pages; the reckoning that it must
//! agree with is one fold of everything at once. `PROPTEST_CASES` says how many cases are tried.

use proptest::prelude::*;
use proptest::sample::Index;
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::fold::{Bringer, Entities, against};
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
    let folded = against(&mut entities, &plan, &batch_of(0, all).observations, Bringer::default());
    let cells = |measure: usize| {
        let mut cube = Cube::default();
        cube.add(&folded.changes(measure));
        let of_day = |(day, cells): (crate::model::time::Day, &[(u64, i64)])| {
            cells.iter().map(|cell| (day.0, cell.0, cell.1)).collect::<Vec<_>>()
        };
        cube.days().flat_map(of_day).collect()
    };
    let measures = plan.measures.iter().map(|measure| measure.name.clone());
    measures.zip((0..plan.measures.len()).map(cells)).collect()
}

/// Takes the steps; yields the store and how many records each stream was handed.
async fn lived(world: &World, steps: &[Step]) -> (Store, [u64; 2]) {
    let (mut store, mut handed) = (world.open(), [0; 2]);
    for step in steps {
        match step {
            Step::Page(stream, said) => {
                let before = store.snapshot().revision;
                let committed = store.commit(batch_of(*stream, said)).await.unwrap();
                assert!(committed.records.balances(), "{committed:?}");
                assert_eq!(store.snapshot().revision, before + 1, "a page is a revision");
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
pub(super) fn world() -> World {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let path = folder.path().join("iocgw.db");
    World { _folder: folder, path, ..World::new() }
}

/// On files a case costs a hundred times what it costs in memory, where the same is tried in `fold::tests`
/// and `equals`: a fifth of `PROPTEST_CASES`, unless `STORE_CASES` says how many.
pub(super) fn on_files() -> ProptestConfig {
    let usual = ProptestConfig::default();
    let cases = std::env::var("STORE_CASES").map(|text| text.parse().unwrap());
    ProptestConfig { cases: cases.unwrap_or(usual.cases.div_ceil(5)), ..usual }
}

pub(super) fn runtime() -> Runtime {
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
    #![proptest_config(on_files())]

    /// S10, S11, S12 (pages again, in any order, with older versions later), and conservation: what was handed over is what was received, and went somewhere.
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

    #[test]
    fn what_could_be_read_once_can_be_read_again(
        (_, steps) in life(), (from, to) in prop::sample::select(&EDITS[..]), edit_at in any::<Index>(),
        pauses in prop::collection::vec(prop_oneof![1_i64..30_000, 1_000_000_i64..3_000_000], 90),
    ) {
        let mut world = world();
        let edit_at = edit_at.index(steps.len());
        let mut printed = Vec::new();
        for (i, step) in steps.iter().enumerate() {
            if i == edit_at {
                world.change(from, to);
            }
            let (store, _) = runtime().block_on(lived(&world, std::slice::from_ref(step)));
            // The end of a run is when old days of the journal are merged.
            runtime().block_on(store.end(run(0, i as i64))).unwrap();
            let now = world.clock.now();
            printed.push((now, store.snapshot().revision, seen(&store).cells));
            world.clock.set(Stamp(now.0 + pauses[i]));
            prop_assert_eq!(past(&store, &printed), Ok(()));
            runtime().block_on(store.close());
        }
    }
}

/// Whether every moment reads as it did; of days that were merged, their ends.
fn past(store: &Store, printed: &[(Stamp, u64, Cells)]) -> Result<(), String> {
    let is_last_of_day = |at: Stamp| {
        let day: Vec<_> = printed.iter().filter(|(other, ..)| other.day() == at.day()).collect();
        day.last().is_some_and(|last| last.0 == at)
    };
    for (at, revision, cells) in printed {
        // After the last reading of a day nothing came on that day: its end reads the same.
        let end = Stamp(at.day().plus(1).start().0 - 1);
        let ends = [(*at, false), (end, true)];
        for (moment, is_end) in
            ends.into_iter().filter(|(_, is_end)| !is_end || is_last_of_day(*at))
        {
            match store.vintage(moment) {
                Ok(vintage) if vintage.snapshot.revision == *revision => {
                    let found = cells_of(&vintage.snapshot);
                    if found != *cells {
                        return Err(format!("at {moment}: {found:?} and not {cells:?}"));
                    }
                }
                Ok(vintage) => {
                    let found = vintage.snapshot.revision;
                    return Err(format!("at {moment}: revision {found} and not {revision}"));
                }
                Err(VintageError::Compacted(_)) if !is_end => {}
                Err(error) => return Err(format!("at {moment}: {error}")),
            }
        }
    }
    Ok(())
}

fn cells_of(snapshot: &Snapshot) -> Cells {
    let cells = |measure: &crate::model::snapshot::Measure| {
        let days = measure.cube.days();
        days.flat_map(|(day, cells)| cells.iter().map(move |cell| (day.0, cell.0, cell.1)))
            .collect()
    };
    snapshot.measures.iter().map(|(name, measure)| (name.clone(), cells(measure))).collect()
}

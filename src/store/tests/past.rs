//! What could be read once can be read again, whatever came since.

use super::*;

/// A moment and all that could be read then.
struct Printed {
    at: Stamp,
    seen: Seen,
}

fn print(world: &World, store: &Store) -> Printed {
    let printed = Printed { at: world.clock.now(), seen: seen(store) };
    world.clock.set(Stamp(printed.at.0 + 40));
    printed
}

type Cells = BTreeMap<String, Vec<(i32, u64, i64)>>;

/// The part of a vintage that readings are made of.
fn told(store: &Store, at: Stamp) -> (u64, Stamp, Cells) {
    let snapshot = store.vintage(at).unwrap().snapshot;
    let cells = snapshot.measures.iter().map(|(name, measure)| {
        let days = measure.cube.days();
        let cells = days.flat_map(|(day, cells)| cells.iter().map(move |c| (day.0, c.0, c.1)));
        (name.clone(), cells.collect())
    });
    (snapshot.revision, snapshot.at, cells.collect())
}

fn assert_told(store: &Store, printed: &[Printed]) {
    for Printed { at, seen } in printed {
        let (revision, made, cells) = told(store, *at);
        assert_eq!((revision, made), (seen.revision, seen.at), "at {at:?}");
        assert_eq!(cells, seen.cells, "at {at:?}");
    }
}

/// Page `i`: new visits, corrections of earlier ones, a withdrawal.
fn mixed(i: u64) -> Batch {
    let mut observations = Observations::new(6);
    for visit in (i * 20..i * 20 + 20).map(Visit::new) {
        observations.push(key(visit.key), &visit.row(), false);
    }
    for visit in (0..i * 20).step_by(3).map(|key| Visit::new(key).version(i as i64 + 2, i as i64)) {
        observations.push(key(visit.key), &visit.row(), false);
    }
    let withdrawn = Visit::new(i).version(90, 0);
    observations.push(key(withdrawn.key), &withdrawn.row(), true);
    batch(observations)
}

#[tokio::test]
async fn every_earlier_figure_can_be_read_again_at_once_and_after_a_restart() {
    let world = World::new();
    let store = world.open();
    let mut printed = Vec::new();
    for i in 0..12 {
        store.commit(mixed(i)).await.unwrap();
        store.end(run(0, i as i64)).await.unwrap();
        printed.push(print(&world, &store));
        assert_told(&store, &printed);
    }
    let versions = stored(&world.path, "SELECT count(*) FROM journal");
    assert!(versions > 30, "{versions}");
    store.close().await;
    let store = world.open();
    assert_told(&store, &printed);
    let began = printed[0].at;
    assert!(matches!(
        store.vintage(Stamp(began.0 - 1)),
        Err(VintageError::Before(at)) if at == began
    ));
    store.close().await;
}

#[tokio::test]
async fn what_was_learned_between_two_moments_is_their_difference_by_cause() {
    let world = World::new();
    let store = world.open();
    store.commit(mixed(0)).await.unwrap();
    let before = print(&world, &store);
    store.commit(mixed(1)).await.unwrap();
    store.commit(mixed(2)).await.unwrap();
    let after = print(&world, &store);
    let learned = store.learned("visits.rooms", before.at, after.at).unwrap();
    let mut cube = crate::model::cube::Cube::default();
    cube.add(
        &store.vintage(before.at).unwrap().snapshot.measures["visits.rooms"]
            .cube
            .days()
            .flat_map(|(day, cells)| {
                cells
                    .iter()
                    .map(move |c| {
                        ((i64::from(day.0) - crate::model::row::EARLIEST_DAY) as u64) << 44 | c.0
                    })
                    .zip(cells.iter().map(|c| c.1))
            })
            .collect::<Vec<_>>(),
    );
    for entry in &learned {
        cube.add(&entry.changes);
    }
    let cells: Vec<_> =
        cube.days().flat_map(|(day, cells)| cells.iter().map(move |c| (day.0, c.0, c.1))).collect();
    assert_eq!(cells, after.seen.cells["visits.rooms"]);
    let causes: std::collections::BTreeSet<_> =
        learned.iter().map(|entry| entry.cause.as_str()).collect();
    assert_eq!(causes.into_iter().collect::<Vec<_>>(), ["arrived", "corrected", "retracted"]);
    store.close().await;
}

#[tokio::test]
async fn a_figure_of_the_past_keeps_the_definition_of_its_time() {
    let mut world = World::new();
    let store = world.open();
    store.commit(mixed(0)).await.unwrap();
    store.commit(mixed(1)).await.unwrap();
    let mut printed = vec![print(&world, &store)];
    store.close().await;
    let old = world.contract.clone();
    world.change(
        "rooms:  {sum: rooms, at: began_at}",
        "rooms:  {sum: rooms, at: updated_at}\n  many: {count: true, at: began_at}",
    );
    let store = world.open();
    store.commit(mixed(2)).await.unwrap();
    printed.push(print(&world, &store));
    assert_told(&store, &printed);
    assert_eq!(store.vintage(printed[0].at).unwrap().epoch.files[0].1, old);
    assert_eq!(store.vintage(printed[1].at).unwrap().epoch.files[0].1, world.contract);
    // Learned: the difference between the two definitions, and what came since.
    let learned = store.learned("visits.rooms", printed[0].at, printed[1].at).unwrap();
    let sum: i64 = learned.iter().flat_map(|entry| &entry.changes).map(|change| change.1).sum();
    assert_eq!(
        sum,
        total(&store, "visits.rooms")
            - printed[0].seen.cells["visits.rooms"].iter().map(|c| c.2).sum::<i64>()
    );
    assert_eq!(learned[0].cause.as_str(), "redefined");
    store.close().await;
}

#[tokio::test]
async fn a_measure_is_built_in_steps_beside_the_pages_that_come_in() {
    let mut world = World::new();
    let store = world.open();
    store.commit(page((0..2000).map(Visit::new))).await.unwrap();
    let before = print(&world, &store);
    store.close().await;
    world.change(
        "measures:\n",
        "measures:\n  many: {count: true, at: began_at, where: \"rooms > 3\"}\n",
    );
    let store = world.open();
    assert!(store.snapshot().rebuilding.contains_key("visits.many"));
    assert!(!store.snapshot().measures.contains_key("visits.many"));
    for i in 0..8 {
        store
            .commit(page(
                (i * 100..i * 400).map(|key| Visit::new(key).version(2 + i as i64, 9 - i as i64)),
            ))
            .await
            .unwrap();
    }
    built(&store).await;
    let built = cells(&store, "visits.many");
    assert_told(&store, &[before]);
    store.close().await;
    // As if it had been there from the beginning.
    let fresh = World { contract: world.contract.clone(), ..World::new() };
    let store = fresh.open();
    store.commit(page((0..2000).map(Visit::new))).await.unwrap();
    for i in 0..8 {
        store
            .commit(page(
                (i * 100..i * 400).map(|key| Visit::new(key).version(2 + i as i64, 9 - i as i64)),
            ))
            .await
            .unwrap();
    }
    assert_eq!(built, cells(&store, "visits.many"));
    store.close().await;
}

#[tokio::test]
async fn of_days_long_past_the_end_is_kept_and_what_was_between_is_refused() {
    let world = World::new();
    let store = world.open();
    let (mut ends, mut between) = (Vec::new(), Vec::new());
    for i in 0..40 {
        for part in 0..3 {
            world.clock.set(Stamp(APRIL + i * 86_400 + part * 20_000 + 60));
            store.commit(mixed((i * 3 + part) as u64 % 9)).await.unwrap();
            store.end(run(0, i * 3 + part)).await.unwrap();
            if part == 1 {
                between.push(world.clock.now());
            }
        }
        ends.push(Printed { at: Stamp(APRIL + (i + 1) * 86_400 - 1), seen: seen(&store) });
    }
    // Thirty days are kept in full, and the run of the last day has merged what is older.
    world.clock.set(Stamp(APRIL + 41 * 86_400));
    assert_told(&store, &ends);
    for at in between {
        let old = at.0 < APRIL + 9 * 86_400;
        match store.vintage(at) {
            Err(VintageError::Compacted(nearest)) => {
                assert!(old, "{at:?}");
                assert_eq!(nearest.0, at.day().start().0 - 1);
            }
            told => assert!(told.is_ok() && !old, "{at:?}"),
        }
    }
    store.close().await;
    let per_day = "SELECT max(n) FROM (SELECT count(*) AS n FROM journal WHERE at < 1711990800 + 9 * 86400 GROUP BY id >> 40, id & 3, at / 86400)";
    assert_eq!(stored(&world.path, per_day), 1);
    let store = world.open();
    assert_told(&store, &ends);
    store.close().await;
}

#[tokio::test]
async fn a_closed_version_is_read_right_when_the_day_of_its_last_writing_has_been_merged() {
    let mut world = World::new();
    let store = world.open();
    // The days are written in the middle of a day, between two commits of the same cause.
    world.clock.set(Stamp(APRIL + 60));
    store.commit(mixed(0)).await.unwrap();
    store.end(run(0, 0)).await.unwrap();
    world.clock.set(Stamp(APRIL + 20_000));
    store.commit(mixed(1)).await.unwrap();
    // Read on the next day, on which the version is closed before a run has ended.
    world.clock.set(Stamp(APRIL + 86_400 + 60));
    let printed = [print(&world, &store)];
    store.close().await;
    world.change("rooms:  {sum: rooms, at: began_at}", "rooms:  {sum: rooms, at: updated_at}");
    let store = world.open();
    store.whole().await;
    let told = |store: &Store| told(store, printed[0].at).2;
    assert_eq!(told(&store), printed[0].seen.cells);
    world.clock.set(Stamp(APRIL + 31 * 86_400 + 60));
    store.commit(mixed(2)).await.unwrap();
    store.end(run(0, 1)).await.unwrap();
    // Merging comes after the answer, and before the next commit.
    store.commit(mixed(3)).await.unwrap();
    let merged = "SELECT count(*) FROM journal WHERE at < 1711990800 + 86400 AND id & 3 = 0 AND id >> 40 = (SELECT min(id) FROM measure WHERE name = 'visits.rooms')";
    assert_eq!(stored(&world.path, merged), 1, "the first day has been merged");
    assert_eq!(told(&store), printed[0].seen.cells);
    store.close().await;
}

#[tokio::test]
async fn a_recount_finds_nothing_where_nothing_is_wrong_and_a_single_cell_that_is() {
    let mut world = World::new();
    let store = world.open();
    for i in 0..9 {
        store.commit(mixed(i)).await.unwrap();
    }
    store.close().await;
    let recount = |world: &World| {
        let opened = Store::open(&world.path).unwrap();
        let parts = world.parts(opened.words().clone());
        opened.check(&parts).unwrap()
    };
    let sound = recount(&world);
    assert!(sound.is_sound() && sound.measures.iter().all(|found| found.cells > 0), "{sound:?}");
    // What a definition that changed comes to is not an error.
    let contract = world.contract.clone();
    world.change("rooms:  {sum: rooms, at: began_at}", "rooms:  {sum: rooms, at: updated_at}");
    let redefined = recount(&world);
    assert!(redefined.is_sound() && redefined.measures.iter().any(|found| found.redefined));
    world.contract = contract;
    assert_eq!(format!("{:?}", recount(&world)), format!("{sound:?}"), "a check changes nothing");

    rusqlite::Connection::open(&world.path)
        .unwrap()
        .execute("DELETE FROM journal WHERE id = (SELECT max(id) FROM journal)", [])
        .unwrap();
    let wrong = recount(&world);
    assert!(!wrong.is_sound());
    let opened = Store::open(&world.path).unwrap();
    let names: Vec<_> = wrong.measures.iter().map(|found| found.measure.clone()).collect();
    opened.distrust(&names).unwrap();
    let parts = world.parts(opened.words().clone());
    let store = opened.start(parts).unwrap();
    store.whole().await;
    store.close().await;
    let mended = recount(&world);
    assert!(mended.is_sound(), "{mended:?}");
}

//! Opening and owning: the same snapshot again, one owner, and nobody else's file.

use super::*;
use crate::model::snapshot::History;

#[tokio::test]
async fn a_store_that_is_opened_again_shows_the_very_same() {
    let world = World::new();
    let store = world.open();
    store.begin(0, Stamp(APRIL)).await;
    store.commit(page((0..300).map(Visit::new))).await.unwrap();
    let early = store.snapshot();
    let mut second = page((100..350).map(|key| Visit::new(key).version(2, 3)));
    second.rejects = vec![reject(7, None, Reason::WrongType)];
    second.received += 1;
    second.cursor = Some(APRIL + 9);
    let committed = store.commit(second).await.unwrap();
    assert_eq!((committed.inserted, committed.updated), (50, 200));
    let ended = RunEnd {
        data_through: Some(Stamp(APRIL + 4)),
        is_ours: false,
        history: Some(History { done: 3, total: 5, pending: vec![pending(0), pending(7)] }),
        targets: Some((3, 4)),
        records: committed.records,
        failure: Some(("timeout".to_owned(), "too slow".to_owned())),
        outcome: Outcome::Failed,
        ..run(0, 1)
    };
    store.end(ended).await.unwrap();
    let before = seen(&store);
    assert_eq!(total(&store, "visits.visits"), 350);
    assert_eq!(before.streams["a.visits"]["quarantined"], 1);
    assert_eq!(before.streams["a.visits"]["trouble"]["count"], 1);
    store.close().await;
    assert!(matches!(store.commit(page([])).await, Err(StoreError::Fatal(_))));

    let store = world.open();
    assert_eq!(seen(&store), before);
    // Whoever held an earlier snapshot still sees that one.
    let earlier: i64 = early.measures["visits.visits"]
        .cube
        .days()
        .flat_map(|(_, cells)| cells.iter().map(|cell| cell.1))
        .sum();
    assert_eq!(earlier, 300);
    // The entities are the same too: an older version is known as such.
    let again = store.commit(page([Visit::new(120), Visit::new(120).version(2, 3)])).await.unwrap();
    assert_eq!((again.records.superseded, again.records.duplicate), (1, 1));
    store.close().await;
}

#[tokio::test]
async fn a_withdrawn_record_stays_withdrawn() {
    let world = World::new();
    let store = world.open();
    store.commit(page([Visit::new(1), Visit::new(2)])).await.unwrap();
    let mut gone = Observations::new(6);
    gone.push(key(1), &Visit::new(1).version(2, 0).row(), true);
    store.commit(batch(gone)).await.unwrap();
    store.close().await;
    let store = world.open();
    assert_eq!(total(&store, "visits.visits"), 1);
    let late = store.commit(page([Visit::new(1)])).await.unwrap();
    assert_eq!(late.records.superseded, 1);
    assert_eq!(total(&store, "visits.visits"), 1);
    store.close().await;
}

#[tokio::test]
async fn only_one_instance_owns_a_store_until_it_is_closed() {
    let world = World::new();
    let store = world.open();
    match Store::open(&world.path) {
        Err(StoreError::Owned(path)) => assert_eq!(path, world.path.display().to_string()),
        other => panic!("{other:?}"),
    }
    store.commit(page([Visit::new(1)])).await.unwrap();
    store.close().await;
    world.open().close().await;
}

#[tokio::test]
async fn tables_of_a_newer_version_are_refused_untouched() {
    let world = World::new();
    world.open().close().await;
    let connection = rusqlite::Connection::open(&world.path).unwrap();
    connection.execute_batch("PRAGMA user_version=99").unwrap();
    drop(connection);
    match Store::open(&world.path) {
        Err(StoreError::Foreign(words)) => assert!(words.contains("newer iocgw"), "{words}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(stored(&world.path, "SELECT user_version FROM pragma_user_version"), 99);
}

#[tokio::test]
async fn tables_whose_keys_were_made_otherwise_are_refused_untouched() {
    let world = World::new();
    world.open().close().await;
    let connection = rusqlite::Connection::open(&world.path).unwrap();
    connection.execute_batch("PRAGMA user_version=1").unwrap();
    drop(connection);
    match Store::open(&world.path) {
        Err(StoreError::Foreign(words)) => assert!(words.contains("counted twice"), "{words}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(stored(&world.path, "SELECT user_version FROM pragma_user_version"), 1);
}

#[test]
fn files_of_other_programs_are_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("other.db");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.execute_batch("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (42);").unwrap();
    drop(connection);
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "not a database, ".repeat(100)).unwrap();
    for path in [&database, &text] {
        let before = std::fs::read(path).unwrap();
        match Store::open(path) {
            Err(StoreError::Foreign(words)) => assert!(words.contains("--store"), "{words}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(std::fs::read(path).unwrap(), before);
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no/such/place/iocgw.db");
    match Store::open(&path) {
        Err(StoreError::Fatal(words)) => assert!(words.contains("no/such/place"), "{words}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_run_ledger_keeps_the_newest_runs_of_each_stream() {
    let world = World::new();
    let store = world.open();
    let kept = crate::store::writer::RUNS_ON_DISK;
    let in_sight = crate::model::snapshot::RUNS_KEPT;
    store.end(run(1, 0)).await.unwrap();
    for number in 0..kept + 5 {
        store.end(run(0, number)).await.unwrap();
    }
    let runs = store.snapshot().streams["a.visits"].runs.clone();
    assert_eq!(runs.len(), in_sight);
    assert_eq!(runs.back().unwrap().started, run(0, kept + 4).started);
    store.close().await;
    let count = "SELECT count(*) FROM run WHERE source = 'a'";
    assert_eq!(stored(&world.path, count), kept);
    let oldest = "SELECT min(started) FROM run WHERE source = 'a'";
    assert_eq!(stored(&world.path, oldest), run(0, 5).started.0);
    assert_eq!(stored(&world.path, "SELECT count(*) FROM run WHERE source = 'b'"), 1);
    let store = world.open();
    let again = &store.snapshot().streams["a.visits"].runs;
    assert_eq!(again.front().unwrap().started, runs.front().unwrap().started);
    assert_eq!(again.len(), in_sight);
    store.close().await;
}

fn pending(day: i64) -> (Stamp, Stamp) {
    (Stamp(APRIL + day * 86_400), Stamp(APRIL + day * 86_400 + 3600))
}

/// A store from before there were time slices is taken over as it stands.
#[tokio::test]
async fn a_store_from_before_there_were_slices_gets_what_it_lacks() {
    let world = World::new();
    let store = world.open();
    store.commit(page((0..9).map(Visit::new))).await.unwrap();
    store.close().await;
    let connection = rusqlite::Connection::open(&world.path).unwrap();
    connection.execute_batch("DROP TABLE backfill").unwrap();
    drop(connection);
    let store = world.open();
    assert_eq!(total(&store, "visits.visits"), 9);
    let history = Some(History { done: 1, total: 2, pending: Vec::new() });
    store.end(RunEnd { history: history.clone(), ..run(0, 1) }).await.unwrap();
    store.close().await;
    let store = world.open();
    assert_eq!(store.snapshot().streams["a.visits"].history, history);
    store.end(RunEnd { history: Some(History::default()), ..run(0, 2) }).await.unwrap();
    assert_eq!(store.snapshot().streams["a.visits"].history, None, "it is over");
    assert_eq!(stored(&world.path, "SELECT count(*) FROM backfill"), 0);
}

//! Two streams that send the same records: whose version counts.

use super::*;

/// The same record from stream `stream`.
fn from(stream: usize, visits: impl IntoIterator<Item = Visit>) -> Batch {
    Batch { stream, cursor: Some(APRIL), ..page(visits) }
}

#[tokio::test]
async fn the_higher_stream_stands_whatever_comes_first_and_however_new_the_other_is() {
    let high = Visit::new(1).version(1, 3);
    let (low, newer_high) = (Visit::new(1).version(9, 5), Visit::new(1).version(2, 4));
    let mut ends = Vec::new();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let world = World { ranks: vec!["b", "a"], ..World::new() };
        let store = world.open();
        for i in order {
            let batch = [from(1, [high]), from(0, [low]), from(1, [newer_high])];
            store.commit(batch.into_iter().nth(i).unwrap()).await.unwrap();
        }
        ends.push((total(&store, "visits.rooms"), total(&store, "visits.visits")));
        store.close().await;
    }
    assert_eq!(ends, [(4, 1); 6], "the newest version of the higher stream");
}

#[tokio::test]
async fn without_precedence_the_newest_version_stands() {
    let world = World::new();
    let store = world.open();
    store.commit(from(1, [Visit::new(1).version(1, 3)])).await.unwrap();
    store.commit(from(0, [Visit::new(1).version(9, 5)])).await.unwrap();
    store.commit(from(1, [Visit::new(1).version(2, 4)])).await.unwrap();
    assert_eq!(total(&store, "visits.rooms"), 5);
    store.close().await;
}

#[tokio::test]
async fn another_precedence_lets_the_streams_begin_anew() {
    let mut world = World::new();
    let store = world.open();
    store.commit(from(0, [Visit::new(1).version(9, 5)])).await.unwrap();
    store.commit(from(1, [Visit::new(1).version(1, 3)])).await.unwrap();
    store.close().await;
    let cursors = |store: &Store| {
        let snapshot = store.snapshot();
        ["a.visits", "b.visits"].map(|name| snapshot.streams[name].cursor.is_some())
    };
    let store = world.open();
    assert_eq!(cursors(&store), [true, true]);
    store.close().await;
    world.ranks = vec!["b", "a"];
    let store = world.open();
    assert_eq!(cursors(&store), [false, false]);
    store.commit(from(1, [Visit::new(1).version(1, 3)])).await.unwrap();
    assert_eq!(total(&store, "visits.rooms"), 3);
    store.close().await;
    let store = world.open();
    assert_eq!(cursors(&store), [false, true], "and only once");
    store.close().await;
}

//! Records that may be read one by one: part of every revision, within their number, and of no other
//! contract.

use super::*;

/// The rows that readers see, and how many there are beyond them.
fn read(store: &Store) -> Option<(Vec<Vec<i64>>, u64)> {
    let snapshot = store.snapshot();
    snapshot.items.get("visits").map(|items| (items.rows.clone(), items.beyond))
}

fn row(visit: Visit) -> Vec<i64> {
    visit.row().to_vec()
}

#[tokio::test]
async fn a_register_is_read_record_by_record_as_it_is_now() {
    let mut world = World::new();
    world.change("key: [visit]", "key: [visit]\nreadable: 3");
    let store = world.open();
    assert_eq!(read(&store), Some((vec![], 0)));
    let (first, second) = (Visit::new(1), Visit::new(2));
    store.commit(page([first, second])).await.unwrap();
    assert_eq!(read(&store), Some((vec![row(first), row(second)], 0)));
    let corrected = first.version(2, 6);
    store.commit(page([corrected])).await.unwrap();
    assert_eq!(read(&store).unwrap().0, [row(corrected), row(second)]);
    // The register has outgrown its number: it is cut, and says so.
    store.commit(page([3, 4, 5].map(Visit::new))).await.unwrap();
    let (rows, beyond) = read(&store).unwrap();
    assert_eq!((rows.len(), beyond), (3, 2));
    let before = read(&store);
    store.close().await;
    let store = world.open();
    assert_eq!(read(&store), before);
    store.close().await;
}

#[tokio::test]
async fn what_is_withdrawn_is_no_longer_read_and_a_contract_that_allows_nothing_shows_nothing() {
    let mut world = World::new();
    world.change("key: [visit]", "key: [visit]\nreadable: 9");
    let store = world.open();
    let visit = Visit::new(1);
    store.commit(page([visit, Visit::new(2)])).await.unwrap();
    let mut observations = Observations::new(6);
    observations.push(key(1), &visit.version(2, 1).row(), true);
    store.commit(batch(observations)).await.unwrap();
    assert_eq!(read(&store), Some((vec![row(Visit::new(2))], 0)));
    store.close().await;

    world.change("readable: 9\n", "");
    let store = world.open();
    assert_eq!(read(&store), None);
    store.close().await;
}

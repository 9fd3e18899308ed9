//! Keys are replaced in mid-stream, and nothing is counted twice.

use super::*;
use crate::store::KeyIds;

const OLD: u32 = 0x0123_4567;
const NEW: u32 = 0x89ab_cdef;

/// The key of a record under the new identifier key; the old one is [`key`].
fn renewed(of: u64) -> u128 {
    key(of).rotate_left(64) ^ 0x5555
}

/// A page as it is brought while the key is replaced: hashed both ways.
fn both(visits: impl IntoIterator<Item = Visit>) -> Batch {
    let mut batch = page(visits);
    batch.observations.former = std::mem::take(&mut batch.observations.keys);
    let of = |former: &u128| renewed((0..20_000).find(|of| key(*of) == *former).unwrap());
    batch.observations.keys = batch.observations.former.iter().map(of).collect();
    batch
}

/// A page under the new key alone.
fn new(visits: impl IntoIterator<Item = Visit>) -> Batch {
    let mut batch = both(visits);
    batch.observations.former.clear();
    batch
}

fn left(store: &Store) -> u64 {
    store.snapshot().rekeying.get("visits").copied().unwrap_or(0)
}

#[tokio::test]
async fn a_key_is_replaced_in_mid_stream_without_a_difference() {
    let (mut world, plain) = (World::new(), World::new());
    world.keys = KeyIds { current: OLD, previous: None };
    let (store, reference) = (world.open(), plain.open());
    store.commit(page((0..300).map(Visit::new))).await.unwrap();
    reference.commit(page((0..300).map(Visit::new))).await.unwrap();
    assert_eq!(left(&store), 0);
    store.close().await;

    world.keys = KeyIds { current: NEW, previous: Some(OLD) };
    let mut store = world.open();
    assert_eq!(left(&store), 300);
    // Unchanged, corrected, stale and new ones, and one that comes twice.
    let unchanged = || (0..50).map(Visit::new);
    let mixed = || {
        let corrected = (50..100).map(|i| Visit::new(i).version(2, 5));
        let stale = (100..110).map(|i| Visit::new(i).version(0, 6));
        corrected.chain(stale).chain((300..320).map(Visit::new)).chain((50..52).map(Visit::new))
    };
    let committed = store.commit(both(unchanged())).await.unwrap();
    assert_eq!((committed.records.duplicate, committed.records.accepted), (50, 0));
    let committed = store.commit(both(mixed())).await.unwrap();
    assert_eq!((committed.inserted, committed.updated), (20, 50));
    assert_eq!(left(&store), 300 - 110);
    for visits in [unchanged().collect::<Vec<_>>(), mixed().collect()] {
        reference.commit(page(visits)).await.unwrap();
    }
    assert_eq!(seen(&store).cells, seen(&reference).cells);

    // What was given a new key has it after a restart, too, and the count goes on.
    store.close().await;
    store = world.open();
    assert_eq!(left(&store), 190);
    let rest = || (100..300).map(|i| Visit::new(i).version(3, 2));
    store.commit(both(rest())).await.unwrap();
    reference.commit(page(rest())).await.unwrap();
    assert_eq!((left(&store), seen(&store).cells), (0, seen(&reference).cells));
    store.close().await;

    // The previous key is gone, and nobody misses it.
    world.keys = KeyIds { current: NEW, previous: None };
    let store = world.open();
    let again = || (0..320).map(|i| Visit::new(i).version(4, 3));
    let committed = store.commit(new(again())).await.unwrap();
    reference.commit(page(again())).await.unwrap();
    assert_eq!((committed.inserted, committed.updated), (0, 320));
    assert_eq!(seen(&store).cells, seen(&reference).cells);
    store.close().await;
    reference.close().await;
}

#[tokio::test]
async fn a_page_that_cannot_be_committed_gives_no_record_a_new_key() {
    let mut world = World::new();
    world.keys = KeyIds { current: OLD, previous: None };
    let store = world.open();
    store.commit(page((0..3000).map(Visit::new))).await.unwrap();
    store.close().await;
    world.keys = KeyIds { current: NEW, previous: Some(OLD) };
    let store = world.open();
    let before = seen(&store);
    super::disk::limit(&store, Some(0)).await;
    let changed = || (0..3000).map(|i| Visit::new(i).version(2, 1));
    let failed = store.commit(both(changed())).await;
    assert!(matches!(failed, Err(StoreError::Full)), "{failed:?}");
    assert_eq!((seen(&store), left(&store)), (before, 3000));
    super::disk::limit(&store, None).await;
    let committed = store.commit(both(changed())).await.unwrap();
    assert_eq!((committed.inserted, committed.updated, left(&store)), (0, 3000, 0));
    store.close().await;
}

#[tokio::test]
async fn a_store_refuses_a_key_that_it_does_not_know() {
    let mut world = World::new();
    world.keys = KeyIds { current: OLD, previous: None };
    world.open().close().await;
    let refused = |keys: KeyIds| {
        let world = World { keys, path: world.path.clone(), ..World::new() };
        let opened = Store::open(&world.path).unwrap();
        let parts = world.parts(opened.words().clone());
        match opened.start(parts) {
            Err(StoreError::Key(message)) => Some(message),
            Err(error) => panic!("{error}"),
            Ok(_) => None,
        }
    };
    for keys in
        [KeyIds { current: NEW, previous: None }, KeyIds { current: NEW, previous: Some(7) }]
    {
        let message = refused(keys).expect("an unknown key is refused");
        assert!(message.contains("01234567") && message.contains("89abcdef"), "{message}");
        assert!(message.contains("identifier_key.previous"), "{message}");
    }
    let known = KeyIds { current: OLD, previous: Some(7) };
    assert_eq!(refused(known), None, "the previous key may stay behind");
}

#[tokio::test]
async fn a_second_replacement_waits_for_the_first() {
    let mut world = World::new();
    world.keys = KeyIds { current: OLD, previous: None };
    let store = world.open();
    store.commit(page((0..10).map(Visit::new))).await.unwrap();
    store.close().await;
    world.keys = KeyIds { current: NEW, previous: Some(OLD) };
    world.open().close().await;
    world.keys = KeyIds { current: 7, previous: Some(NEW) };
    let opened = Store::open(&world.path).unwrap();
    let parts = world.parts(opened.words().clone());
    let refused = opened.start(parts).err().map(|error| error.to_string()).unwrap();
    assert!(refused.contains("10 records") && refused.contains("finish"), "{refused}");
}

#[tokio::test]
async fn the_quarantine_knows_its_records_under_the_new_key() {
    let mut world = World::new();
    world.keys = KeyIds { current: OLD, previous: None };
    let store = world.open();
    let bad = |i: u64, fingerprint, key| reject(fingerprint + u128::from(i), key, Reason::Missing);
    let rejects: Vec<_> = (0..4).map(|i| bad(i, 100, Some(key(i)))).collect();
    let received = rejects.len() as u64;
    store.commit(Batch { received, rejects, ..page([]) }).await.unwrap();
    store.close().await;

    world.keys = KeyIds { current: NEW, previous: Some(OLD) };
    let store = world.open();
    let quarantined = |store: &Store| store.snapshot().streams["a.visits"].quarantined;
    // The same bad record again, under the new key: still one.
    let again = Reject { former: Some(100), ..bad(0, 500, Some(renewed(0))) };
    store.commit(Batch { received: 1, rejects: vec![again], ..page([]) }).await.unwrap();
    assert_eq!(quarantined(&store), 4);
    // Good versions come of that one and of one that had not come again.
    store.commit(both([Visit::new(0), Visit::new(1)])).await.unwrap();
    assert_eq!(quarantined(&store), 2);
    store.close().await;
    let store = world.open();
    assert_eq!(quarantined(&store), 2);
    store.commit(both([Visit::new(2)])).await.unwrap();
    assert_eq!(quarantined(&store), 1);
    store.close().await;
}

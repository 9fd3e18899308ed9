//! Pauses: told at once, there again after a restart, and made in stores that never heard of them.

use super::*;
use crate::model::snapshot::Paused;

fn paused(why: &str) -> Paused {
    Paused { by: "CANARY steward".to_owned(), why: why.to_owned(), since: Stamp(APRIL) }
}

#[tokio::test]
async fn a_pause_holds_until_it_is_taken_back_whoever_opens_the_store() {
    let world = World::new();
    let store = world.open();
    let before = store.snapshot().revision;
    store.pause("a".to_owned(), Some(paused("first"))).await.unwrap();
    store.pause("a".to_owned(), Some(paused("second"))).await.unwrap();
    store.pause("b".to_owned(), Some(paused("third"))).await.unwrap();
    let snapshot = store.snapshot();
    assert_eq!(snapshot.revision, before + 3, "each is a change that readers see");
    store.close().await;

    let store = world.open();
    assert_eq!(store.snapshot().paused, snapshot.paused);
    assert_eq!(store.snapshot().paused["a"], paused("second"));
    store.pause("a".to_owned(), None).await.unwrap();
    store.close().await;

    let store = world.open();
    assert_eq!(store.snapshot().paused.keys().collect::<Vec<_>>(), ["b"]);
    store.close().await;
}

//! Full passes: what vanished is taken back, unless it is far too much, and what changed meanwhile is
//! left alone.

use super::*;

fn seen(keys: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut seen: Vec<u64> = keys.into_iter().map(|visit| key(visit) as u64).collect();
    seen.sort_unstable();
    seen
}

fn pass(number: i64, seen: Vec<u64>) -> Sweep {
    Sweep { end: run(0, number), seen, max_ratio: 0.05, min: 2 }
}

fn state(store: &Store) -> Arc<crate::model::snapshot::StreamState> {
    Arc::clone(&store.snapshot().streams["a.visits"])
}

fn visits(range: std::ops::Range<u64>) -> impl Iterator<Item = Visit> {
    range.map(Visit::new)
}

/// S14: records vanish without a word.
#[tokio::test]
async fn what_a_complete_pass_did_not_see_is_taken_back_and_comes_back_in_the_same_version() {
    let world = World::new();
    let store = world.open();
    store.commit(page(visits(0..100))).await.unwrap();
    let full = cells(&store, "visits.rooms");
    store.begin_pass(0).await;
    let done = store.sweep(pass(1, seen(3..100))).await.unwrap();
    assert_eq!(done, Swept { unseen: 3, of: 100, is_done: true });
    assert_eq!(total(&store, "visits.visits"), 97);
    let line = state(&store).runs.back().unwrap().clone();
    assert_eq!(line.outcome, Outcome::Ok);
    assert!(line.message.unwrap().starts_with("3 of 100 records had vanished"));
    store.close().await;
    let store = world.open();
    assert_eq!(total(&store, "visits.visits"), 97);
    let back = store.commit(page(visits(0..100))).await.unwrap();
    assert_eq!((back.records.accepted, back.records.duplicate), (3, 97));
    assert_eq!(cells(&store, "visits.rooms"), full);
    store.close().await;
}

#[tokio::test]
async fn a_list_that_is_far_too_short_takes_nothing_back_until_somebody_confirms() {
    let world = World::new();
    let store = world.open();
    store.commit(page(visits(0..100))).await.unwrap();
    store.end(run(0, 0)).await.unwrap();
    let refused = store.sweep(pass(1, seen(40..100))).await.unwrap();
    assert_eq!(refused, Swept { unseen: 40, of: 100, is_done: false });
    assert_eq!(total(&store, "visits.visits"), 100);
    let trouble = state(&store).trouble.clone().unwrap();
    assert_eq!(trouble.reason, "reconcile_refused");
    for words in ["40 of 100", "iocgw source confirm-retractions a.visits"] {
        assert!(trouble.message.contains(words), "{}", trouble.message);
    }
    assert_eq!(state(&store).runs.back().unwrap().outcome, Outcome::ReconcileRefused);
    // A good ordinary run does not make it good, nor does a restart.
    store.end(run(0, 2)).await.unwrap();
    assert_eq!(state(&store).trouble.clone().unwrap().reason, "reconcile_refused");
    store.close().await;
    let store = world.open();
    assert_eq!(store.confirm(1, "CANARY".to_owned(), Stamp(APRIL)).await.unwrap(), None);
    let by = "CANARY steward".to_owned();
    assert_eq!(store.confirm(0, by, Stamp(APRIL + 90)).await.unwrap(), Some(40));
    assert!(state(&store).trouble.clone().unwrap().message.contains("confirmed by CANARY steward"));
    store.close().await;
    let store = world.open();
    // It holds for what was confirmed, not for a list that is empty by now.
    let empty = store.sweep(pass(3, Vec::new())).await.unwrap();
    assert!(!empty.is_done);
    assert_eq!(total(&store, "visits.visits"), 100);
    // The confirmation was for that pass alone.
    assert!(!store.sweep(pass(4, seen(40..100))).await.unwrap().is_done);
    store.confirm(0, "CANARY steward".to_owned(), Stamp(APRIL + 99)).await.unwrap();
    assert!(store.sweep(pass(5, seen(40..100))).await.unwrap().is_done);
    assert_eq!(total(&store, "visits.visits"), 60);
    let after = state(&store);
    assert_eq!((&after.trouble, &after.refused), (&None, &None));
    let line = after.runs.back().unwrap().message.clone().unwrap();
    assert!(line.contains("as confirmed by CANARY steward"), "{line}");
    store.close().await;
}

/// S14: everything vanishes.
#[tokio::test]
async fn an_empty_list_never_empties_a_store_however_small() {
    let world = World::new();
    let store = world.open();
    store.commit(page(visits(0..2))).await.unwrap();
    assert!(!store.sweep(pass(1, Vec::new())).await.unwrap().is_done);
    assert_eq!(total(&store, "visits.visits"), 2);
    // A pass that sees everything is the end of the trouble.
    assert!(store.sweep(pass(2, seen(0..2))).await.unwrap().is_done);
    assert_eq!(state(&store).trouble, None);
    store.close().await;
}

#[tokio::test]
async fn what_another_stream_brought_or_what_changed_meanwhile_is_left_alone() {
    let world = World::new();
    let store = world.open();
    store.commit(page(visits(0..50))).await.unwrap();
    store.commit(Batch { stream: 1, ..page(visits(50..60)) }).await.unwrap();
    store.begin_pass(0).await;
    store.commit(page([Visit::new(0).version(2, 1), Visit::new(70)])).await.unwrap();
    assert_eq!(store.unseen(0, seen(2..50)).await.unwrap(), 1);
    let done = store.sweep(pass(1, seen(2..50))).await.unwrap();
    assert_eq!(done, Swept { unseen: 1, of: 51, is_done: true });
    assert_eq!(total(&store, "visits.visits"), 60);
    // The next pass knows of no change and takes them.
    store.begin_pass(0).await;
    let done = store.sweep(pass(2, seen(2..50))).await.unwrap();
    assert_eq!((done.unseen, done.is_done), (2, true));
    store.close().await;
}

#[tokio::test]
async fn a_pass_that_could_not_be_written_left_everything_as_it_was() {
    let world = World::new();
    let store = world.open();
    store.commit(page(visits(0..3000))).await.unwrap();
    store.end(run(0, 0)).await.unwrap();
    let before = super::seen(&store);
    super::disk::limit(&store, Some(0)).await;
    let wide = |number| Sweep { max_ratio: 1.0, ..pass(number, seen(2000..3000)) };
    assert!(matches!(store.sweep(wide(1)).await, Err(StoreError::Full)));
    assert_eq!(super::seen(&store), before);
    super::disk::limit(&store, None).await;
    let done = store.sweep(wide(2)).await.unwrap();
    assert_eq!((done.unseen, done.is_done), (2000, true));
    assert_eq!(total(&store, "visits.visits"), 1000);
    store.close().await;
}

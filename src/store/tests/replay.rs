//! Held records that go again, and those that somebody decides about; one count everywhere.

use super::*;

fn refused(fingerprint: u128, visit: Visit) -> Reject {
    let version = Some(visit.row()[4]);
    Reject {
        version,
        held: "kept".to_owned(),
        ..reject(fingerprint, Some(key(visit.key)), Reason::UnknownCode)
    }
}

fn rejects(rejects: Vec<Reject>) -> Batch {
    Batch { received: rejects.len() as u64, rejects, ..page([]) }
}

fn listed(store: &Store, state: State) -> Vec<Quarantined> {
    let filter = Filter { state: Some(state), limit: 1000, ..Filter::default() };
    store.quarantine(&filter).unwrap()
}

fn count(store: &Store, stream: &str) -> usize {
    let state = Arc::clone(&store.snapshot().streams[stream]);
    assert_eq!(state.quarantined_since.is_some(), state.quarantined > 0);
    state.quarantined as usize
}

fn passing(ids: Vec<u64>, visits: impl IntoIterator<Item = Visit>) -> Replay {
    Replay { batch: Batch { received: 0, ..page(visits) }, passed: ids, refused: Vec::new() }
}

fn everything() -> Filter {
    Filter { limit: 1000, ..Filter::default() }
}

#[tokio::test]
async fn a_replayed_record_counts_and_is_marked_in_one_commit() {
    let world = World::new();
    let store = world.open();
    let (one, two) = (Visit::new(1).version(5, 3), Visit::new(2).version(5, 4));
    store.commit(rejects(vec![refused(1, one), refused(2, two)])).await.unwrap();
    let before = store.snapshot().revision;
    let held = store.held(&everything()).unwrap();
    assert_eq!(held.iter().map(|held| held.values.as_str()).collect::<Vec<_>>(), ["kept", "kept"]);
    let still = reject(2, Some(key(2)), Reason::OutOfRange);
    let replay =
        Replay { refused: vec![(held[1].id, Some(still))], ..passing(vec![held[0].id], [one]) };
    let done = store.replay(replay).await.unwrap();
    assert_eq!(done, Replayed { records: 1, accepted: 1 });
    assert_eq!(store.snapshot().revision, before + 1);
    assert_eq!((total(&store, "visits.visits"), total(&store, "visits.rooms")), (1, 3));
    assert_eq!((count(&store, "a.visits"), listed(&store, State::Held).len()), (1, 1));
    let rest = &listed(&store, State::Held)[0];
    assert_eq!((rest.reason.as_str(), rest.attempts), ("out_of_range", 2));
    assert_eq!(listed(&store, State::Replayed).len(), 1);
    let state = Arc::clone(&store.snapshot().streams["a.visits"]);
    assert!(state.total.balances(), "a replay receives nothing: {:?}", state.total);
    let was = seen(&store);
    store.close().await;
    let store = world.open();
    assert_eq!(seen(&store), was);
    // Once more: nothing is left to pass, and nothing counts twice.
    let again = store.replay(passing(vec![held[0].id], [one])).await.unwrap();
    assert_eq!(again, Replayed::default());
    assert_eq!(total(&store, "visits.visits"), 1);
    store.close().await;
}

#[tokio::test]
async fn an_older_good_version_does_not_let_a_newer_bad_one_go() {
    let world = World::new();
    let store = world.open();
    let (old, new) = (Visit::new(1).version(1, 2), Visit::new(1).version(9, 6));
    store.commit(rejects(vec![refused(1, new)])).await.unwrap();
    store.commit(page([old])).await.unwrap();
    assert_eq!((count(&store, "a.visits"), total(&store, "visits.rooms")), (1, 2));
    let held = store.held(&everything()).unwrap();
    store.replay(passing(vec![held[0].id], [new])).await.unwrap();
    assert_eq!((count(&store, "a.visits"), total(&store, "visits.rooms")), (0, 6));
    // A bad version older than what is known now is noted, and nobody needs to look after it.
    store.commit(rejects(vec![refused(2, Visit::new(1).version(3, 1))])).await.unwrap();
    assert_eq!(count(&store, "a.visits"), 0);
    assert_eq!(listed(&store, State::Resolved).len(), 1);
    assert!(store.held(&everything()).unwrap().is_empty(), "its values are not kept");
    store.close().await;
}

#[tokio::test]
async fn an_older_replayed_version_is_superseded_and_no_error() {
    let world = World::new();
    let store = world.open();
    let bad = Reject { version: None, ..refused(1, Visit::new(1)) };
    store.commit(rejects(vec![bad])).await.unwrap();
    store.commit(page([Visit::new(1).version(9, 6)])).await.unwrap();
    assert_eq!(count(&store, "a.visits"), 0, "a good version came");
    // Its own version could not be read, so it may yet be the newer one: it can be replayed.
    let held = store.held(&everything()).unwrap();
    assert_eq!(held.len(), 1);
    let done =
        store.replay(passing(vec![held[0].id], [Visit::new(1).version(1, 2)])).await.unwrap();
    assert_eq!(done, Replayed { records: 1, accepted: 0 });
    assert_eq!(total(&store, "visits.rooms"), 6);
    store.close().await;
}

#[tokio::test]
async fn a_discarded_record_stays_discarded_when_its_source_sends_it_again() {
    let world = World::new();
    let store = world.open();
    let bad = || vec![refused(1, Visit::new(1)), refused(2, Visit::new(2))];
    store.commit(rejects(bad())).await.unwrap();
    let ids = vec![listed(&store, State::Held)[0].id];
    let discard = Discard {
        filter: Filter { ids: ids.clone(), ..Filter::default() },
        by: "CANARY steward".to_owned(),
        why: "a test record of theirs".to_owned(),
        at: Stamp(APRIL + 60),
    };
    assert_eq!(store.discard(discard.clone()).await.unwrap(), 1);
    assert_eq!(store.discard(discard).await.unwrap(), 0);
    assert_eq!(count(&store, "a.visits"), 1);
    let marked = listed(&store, State::Discarded);
    let (at, by, why) = marked[0].discarded.clone().unwrap();
    assert_eq!((at.0, by.as_str()), (APRIL + 60, "CANARY steward"));
    assert_eq!(why, "a test record of theirs");
    let again = store.commit(rejects(bad())).await.unwrap();
    assert!(again.records.balances());
    assert_eq!((count(&store, "a.visits"), listed(&store, State::Held).len()), (1, 1));
    assert!(!store.held(&everything()).unwrap().iter().any(|held| ids.contains(&held.id)));
    // What was read for a replay before it was discarded is not folded.
    assert_eq!(store.replay(passing(ids, [Visit::new(1)])).await.unwrap(), Replayed::default());
    assert_eq!(total(&store, "visits.visits"), 0);
    store.close().await;
}

#[tokio::test]
async fn the_same_record_refused_for_another_reason_is_still_one_record() {
    let world = World::new();
    let store = world.open();
    store.commit(rejects(vec![refused(1, Visit::new(1))])).await.unwrap();
    let other = Reject { reason: Reason::CheckFailed, ..refused(1, Visit::new(1)) };
    store.commit(rejects(vec![other])).await.unwrap();
    let held = listed(&store, State::Held);
    assert_eq!((held.len(), held[0].reason.as_str(), held[0].attempts), (1, "check_failed", 2));
    let groups = store.quarantine_groups(&everything()).unwrap();
    assert_eq!((groups.len(), groups[0].records, groups[0].rule.as_str()), (1, 1, "rooms"));
    store.close().await;
}

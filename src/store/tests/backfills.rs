//! Backfills: one at a time, there again after a restart, and no matter of the stream's own state.

use super::*;
use crate::model::audit::{Action, Actor, AuditFilter};
use crate::model::backfill::{OVER_KEPT, Slice, State};
use crate::model::snapshot::StreamState;

fn wanted(source: &str, slices: i64) -> Wanted {
    Wanted {
        source: source.to_owned(),
        stream: "visits".to_owned(),
        from: Stamp(APRIL),
        until: Stamp(APRIL + slices * 60),
        step: 60,
        by: "CANARY steward".to_owned(),
    }
}

fn job(store: &Store, id: u64) -> Backfill {
    let snapshot = store.snapshot();
    snapshot.backfills.iter().find(|job| job.id == id).unwrap().clone()
}

fn requested(store: &Store) -> Store {
    let by = Actor::with_key(Some("0123456789abcdef"));
    store.on_behalf_of(Deed::new(by, Action::BackfillRequested, "a.visits", "CANARY"))
}

fn deeds(store: &Store) -> usize {
    let entries = store.audit(&AuditFilter { limit: 1000, ..AuditFilter::default() }).unwrap();
    entries.iter().filter(|entry| entry.action == "backfill_requested").count()
}

async fn end(store: &Store, backfill: u64, slice: Slice, received: u64) {
    let records = Conservation { received, duplicate: received, ..Conservation::default() };
    let failure =
        matches!(slice, Slice::Failed(_)).then(|| ("timeout".to_owned(), "no".to_owned()));
    let end = RunEnd { records, failure, ..run(0, 1) };
    store.end_slice(SliceEnd { end, backfill, slice }).await.unwrap();
}

#[tokio::test]
async fn a_stream_has_one_at_a_time_and_a_refused_one_is_nobodys_deed() {
    let world = World::new();
    let store = world.open();
    let before = store.snapshot().revision;
    assert_eq!(requested(&store).ask_backfill(wanted("a", 2)).await.unwrap(), Ok(1));
    assert_eq!(store.snapshot().revision, before + 1, "it is a change that readers see");
    assert_eq!(requested(&store).ask_backfill(wanted("a", 9)).await.unwrap(), Err(1));
    assert_eq!(deeds(&store), 1);
    assert_eq!(store.snapshot().backfills.len(), 1);
    let ended = store.cancel_backfill(1).await.unwrap().unwrap();
    assert_eq!(ended.state, State::Cancelled);
    assert_eq!(store.cancel_backfill(1).await.unwrap(), Some(ended), "twice is once");
    assert_eq!(store.cancel_backfill(2).await.unwrap(), None);
    assert_eq!(requested(&store).ask_backfill(wanted("a", 9)).await.unwrap(), Ok(2));
    assert_eq!(deeds(&store), 2);
    store.close().await;
}

#[tokio::test]
async fn its_slices_are_runs_that_leave_the_state_of_the_stream_alone() {
    let world = World::new();
    let store = world.open();
    let good =
        RunEnd { cursor: Some(APRIL + 999), data_through: Some(Stamp(APRIL + 999)), ..run(0, 1) };
    store.end(good).await.unwrap();
    let of = |store: &Store| store.snapshot().streams["a.visits"].clone();
    let before = of(&store);
    store.ask_backfill(wanted("a", 3)).await.unwrap().unwrap();
    end(&store, 1, Slice::In, 5).await;
    end(&store, 1, Slice::Failed("no answer".to_owned()), 0).await;
    let after = of(&store);
    assert_eq!(after.runs.len(), before.runs.len() + 2, "each is a run");
    assert_eq!(after.trouble, None, "its troubles are none of the stream's");
    let state = |state: &StreamState| {
        (state.cursor.clone(), state.data_through, state.last_success, state.last_attempt)
    };
    assert_eq!(state(&after), state(&before));
    let now = job(&store, 1);
    assert_eq!((now.progress(), now.received, now.failures), ((1, 3), 5, 1));
    store.close().await;

    // Whoever opens the store goes on with it.
    let store = world.open();
    assert_eq!(job(&store, 1), now);
    end(&store, 1, Slice::In, 5).await;
    end(&store, 1, Slice::In, 5).await;
    assert_eq!((job(&store, 1).state, job(&store, 1).received), (State::Done, 15));
    store.close().await;
    let store = world.open();
    assert_eq!(job(&store, 1).state, State::Done);
    assert_eq!(store.ask_backfill(wanted("a", 1)).await.unwrap(), Ok(2), "no number comes twice");
    store.close().await;
}

#[tokio::test]
async fn what_nobody_can_go_on_with_is_ended_and_old_ones_are_forgotten() {
    let world = World::new();
    let store = world.open();
    store.ask_backfill(wanted("gone", 3)).await.unwrap().unwrap();
    store.close().await;
    let store = world.open();
    let ended = job(&store, 1);
    assert_eq!(ended.state, State::Failed);
    assert!(ended.message.unwrap().contains("not in the configuration"));
    store.ask_backfill(wanted("b", 3)).await.unwrap().unwrap();
    for _ in 0..OVER_KEPT + 5 {
        let id = store.ask_backfill(wanted("a", 1)).await.unwrap().unwrap();
        store.cancel_backfill(id).await.unwrap().unwrap();
    }
    let kept = store.snapshot().backfills.clone();
    assert_eq!(kept.len(), OVER_KEPT + 1);
    assert_eq!((kept[0].wanted.source.as_str(), kept[0].state), ("b", State::Running));
    store.close().await;
    let store = world.open();
    assert_eq!(store.snapshot().backfills, kept);
    store.close().await;
}

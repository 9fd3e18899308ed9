//! The register of breaches: written with the run that changed it, and there again.

use super::disk::limit;
use super::*;
use crate::model::drift::{Audit, Grade, Kind, MAX_RATIO};

fn strayed(stream: usize, number: i64, flaws: &[(Kind, &str, u64)]) -> RunEnd {
    let flaws = flaws.iter().map(|(kind, property, n)| ((*kind, (*property).to_owned()), *n));
    let page = Audit {
        records: 100,
        flaws: flaws.collect(),
        warnings: [("a <= b".to_owned(), 2)].into(),
        unknown_codes: [("channel".to_owned(), 1)].into(),
        unmapped: Some(3),
        ..Audit::default()
    };
    let unit = "vp-ubnd".to_owned();
    let mut drift =
        Drift { unit, contract_version: 1, mapping: "m".to_owned(), ..Drift::default() };
    drift.add(&page, MAX_RATIO);
    RunEnd { drift, ..run(stream, number) }
}

#[tokio::test]
async fn breaches_warnings_and_unknown_codes_are_there_again_after_a_restart() {
    let world = World::new();
    let store = world.open();
    let flaws = [(Kind::Missing, "rooms", 50), (Kind::NewCode, "channel", 1)];
    store.end(strayed(0, 1, &flaws)).await.unwrap();
    store.end(strayed(1, 2, &flaws[..1])).await.unwrap();
    store.end(strayed(0, 3, &flaws[1..])).await.unwrap();
    let before = seen(&store);
    store.close().await;

    let store = world.open();
    assert_eq!(seen(&store), before);
    let snapshot = store.snapshot();
    let register = &snapshot.streams["a.visits"].register;
    let open: Vec<_> = register.open().map(|b| (b.kind, b.property.as_str(), b.count)).collect();
    assert_eq!(open, [(Kind::NewCode, "channel", 2)]);
    let repaired = &register.breaches[0];
    assert_eq!((repaired.kind, repaired.first_seen), (Kind::Missing, Stamp(APRIL + 65)));
    assert_eq!(repaired.repaired_at, Some(Stamp(APRIL + 185)));
    assert_eq!(repaired.accountable_unit, "vp-ubnd");
    assert_eq!((register.warnings["a <= b"], register.unknown_codes["channel"]), (4, 2));
    assert_eq!(register.unmapped, Some(3));
    // Numbers are given once, over all streams, and stay.
    let mut ids: Vec<_> = snapshot
        .streams
        .values()
        .flat_map(|stream| stream.register.breaches.iter().map(|breach| breach.id))
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 3]);
    assert_eq!(snapshot.streams["b.visits"].register.count(Grade::Breaking), 1);
    store.close().await;
}

#[tokio::test]
async fn a_register_that_could_not_be_written_is_written_with_the_next_run() {
    let world = World::new();
    let store = world.open();
    let long = "x".repeat(100_000);
    limit(&store, Some(0)).await;
    let failed = store.end(strayed(0, 1, &[(Kind::Missing, &long, 50)])).await;
    assert!(matches!(failed, Err(StoreError::Full)), "{failed:?}");
    limit(&store, None).await;
    store.end(run(0, 2)).await.unwrap();
    store.close().await;
    let store = world.open();
    assert_eq!(store.snapshot().streams["a.visits"].register.open().count(), 1);
    store.close().await;
}

#[tokio::test]
async fn records_of_pages_refused_whole_are_received_and_rejected() {
    let world = World::new();
    let store = world.open();
    store.commit(page((0..10).map(Visit::new))).await.unwrap();
    let records = Conservation { received: 50, rejected: 40, accepted: 10, ..Default::default() };
    let end = RunEnd {
        outcome: Outcome::RejectedByGate,
        records,
        refused: 40,
        failure: Some(("contract".to_owned(), "why".to_owned())),
        ..run(0, 1)
    };
    store.end(end).await.unwrap();
    let before = seen(&store);
    store.close().await;
    let store = world.open();
    assert_eq!(seen(&store), before);
    let snapshot = store.snapshot();
    let state = &snapshot.streams["a.visits"];
    assert_eq!(state.total, records);
    assert!(state.total.balances());
    assert_eq!(state.runs[0].outcome, Outcome::RejectedByGate);
    assert_eq!(state.trouble.as_ref().unwrap().reason, "contract");
    store.close().await;
}

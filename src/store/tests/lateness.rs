//! The lateness register: written with the run that judged it, there again after a restart, bounded.

use super::disk::limit;
use super::*;
use crate::model::lateness::{LatenessRegister, REPORTS_KEPT, ReportState};
use crate::model::time::DAY;

/// 2024-04-02T07:30:00 local, half past seven of the world's first day.
const DUE: i64 = APRIL + 27_000;

/// A world in which both streams have to be in by half past seven.
fn world() -> World {
    let rule = serde_saphyr::from_str("{time: '07:30', on: daily}").unwrap();
    let unit = "so-yte".to_owned();
    let promise = Promise { rule, calendar: None, unit, is_pushed: false };
    World { promise: Some(Arc::new(promise)), ..World::new() }
}

/// A run of a stream that begins then, and what its data reaches.
fn look(stream: usize, began: i64, through: i64) -> RunEnd {
    RunEnd {
        started: Stamp(began),
        ended: Stamp(began + 5),
        data_through: Some(Stamp(through)),
        ..run(stream, 0)
    }
}

fn register(store: &Store, stream: &str) -> Arc<LatenessRegister> {
    Arc::clone(&store.snapshot().streams[stream].lateness)
}

fn states(store: &Store, stream: &str) -> Vec<ReportState> {
    register(store, stream).reports.iter().map(|report| report.state).collect()
}

use ReportState::{Late, Missing, OnTime, Pending};

#[tokio::test]
async fn reports_are_judged_with_their_runs_and_are_there_again_after_a_restart() {
    let world = world();
    let store = world.open();
    store.judge(Stamp(APRIL)).await.unwrap();
    assert_eq!(states(&store, "a.visits"), [Pending]);
    // What "a" says reaches the end of yesterday; what "b" says does not.
    store.end(look(0, DUE - 600, APRIL + 60)).await.unwrap();
    store.end(look(1, DUE, APRIL - DAY)).await.unwrap();
    assert_eq!(states(&store, "a.visits"), [OnTime]);
    assert_eq!(states(&store, "b.visits"), [Missing, Pending]);
    let before = (register(&store, "a.visits"), register(&store, "b.visits"));
    store.close().await;

    let store = world.open();
    assert_eq!((register(&store, "a.visits"), register(&store, "b.visits")), before);
    store.end(look(1, DUE + 3600, DUE)).await.unwrap();
    assert_eq!(states(&store, "b.visits"), [Late, Pending]);
    store.close().await;

    let store = world.open();
    let report = register(&store, "b.visits").reports[0].clone();
    assert_eq!(report.late_by(Stamp(DUE + 9 * DAY)), Some(3605));
    assert_eq!((report.missed_at, report.came_at), (Some(Stamp(DUE + 5)), Some(Stamp(DUE + 3605))));
    assert_eq!(report.accountable_unit, "so-yte");
    store.close().await;
}

#[tokio::test]
async fn a_run_that_has_not_looked_blames_nobody_and_one_that_has_says_why() {
    let world = world();
    let store = world.open();
    store.judge(Stamp(APRIL)).await.unwrap();
    let failed = |reason: &str| Some((reason.to_owned(), "why".to_owned()));
    let unseen = |outcome, is_ours| RunEnd {
        outcome,
        is_ours,
        failure: failed("other"),
        data_through: None,
        ..look(0, DUE, 0)
    };
    store.end(unseen(Outcome::Failed, true)).await.unwrap();
    store.end(unseen(Outcome::Paused, false)).await.unwrap();
    let cut = RunEnd { failure: None, ..unseen(Outcome::Truncated, false) };
    store.end(cut).await.unwrap();
    assert_eq!(states(&store, "a.visits")[0], Pending);
    let gone = RunEnd { failure: failed("connect"), ..unseen(Outcome::Failed, false) };
    store.end(gone).await.unwrap();
    let report = register(&store, "a.visits").reports[0].clone();
    assert_eq!((report.state, report.missed_by.as_deref()), (Missing, Some("connect")));
    assert_eq!(states(&store, "b.visits"), [Pending], "nobody else is late");
    store.close().await;
}

#[tokio::test]
async fn a_judgement_that_could_not_be_written_is_written_with_the_next_run() {
    let mut world = world();
    let promise =
        Promise { unit: "x".repeat(100_000), ..(**world.promise.as_ref().unwrap()).clone() };
    world.promise = Some(Arc::new(promise));
    let store = world.open();
    limit(&store, Some(0)).await;
    let failed = store.judge(Stamp(APRIL)).await;
    assert!(matches!(failed, Err(StoreError::Full)), "{failed:?}");
    limit(&store, None).await;
    store.end(run(0, 2)).await.unwrap();
    store.close().await;
    let store = world.open();
    assert_eq!(states(&store, "a.visits"), [Pending]);
    store.close().await;
}

#[tokio::test]
async fn old_reports_go_a_rule_that_is_gone_leaves_what_was_judged_and_quiet_minutes_commit_nothing()
 {
    let mut world = world();
    let store = world.open();
    store.judge(Stamp(APRIL)).await.unwrap();
    let revision = store.snapshot().revision;
    store.judge(Stamp(APRIL)).await.unwrap();
    assert_eq!(store.snapshot().revision, revision);
    let later = DUE + (REPORTS_KEPT as i64 + 50) * DAY;
    store.end(look(0, later, APRIL - DAY)).await.unwrap();
    store.close().await;
    let store = world.open();
    let before = register(&store, "a.visits");
    assert_eq!(before.reports.len(), REPORTS_KEPT);
    assert_eq!(before.count(Missing), REPORTS_KEPT as u64 - 1);
    store.close().await;

    world.promise = None;
    let store = world.open();
    store.judge(Stamp(APRIL)).await.unwrap();
    assert_eq!(register(&store, "a.visits").reports.len(), REPORTS_KEPT - 1);
    assert_eq!(states(&store, "b.visits"), []);
    store.close().await;
    let store = world.open();
    assert_eq!(
        (register(&store, "a.visits").count(Pending), register(&store, "b.visits").since),
        (0, None)
    );
    store.close().await;
}

#[tokio::test]
async fn a_spell_of_old_data_is_entered_with_the_run_that_found_nothing_newer_and_ends_with_the_first_that_does()
 {
    let world = World::new();
    let store = world.open();
    let spells = |store: &Store| register(store, "a.visits").spells.clone();
    // Half an hour is allowed.
    store.end(look(0, APRIL, APRIL)).await.unwrap();
    store.end(look(0, APRIL + 1800 - 1, APRIL)).await.unwrap();
    assert_eq!(spells(&store), []);
    store.end(look(0, APRIL + 1800, APRIL)).await.unwrap();
    let spell = spells(&store)[0].clone();
    assert_eq!((spell.began_at, spell.data_through), (Stamp(APRIL + 1800), Stamp(APRIL)));
    assert_eq!((spell.accountable_unit.as_str(), spell.ended_at), ("office", None));
    assert_eq!(register(&store, "b.visits").spells, [], "nobody else's data are old");
    store.close().await;
    let store = world.open();
    assert_eq!(spells(&store), [spell]);
    store.end(look(0, APRIL + 7200, APRIL + 7000)).await.unwrap();
    assert_eq!(spells(&store)[0].ended_at, Some(Stamp(APRIL + 7205)));
    let before = spells(&store);
    store.close().await;
    let store = world.open();
    assert_eq!(spells(&store), before);
    store.close().await;
}

//! Retention: what is too old leaves, figures stay, and nothing of it counts twice, whatever comes and
//! whenever the process dies.

use super::*;
use crate::store::fsck::Report;

const DAYS: i64 = 86_400;

/// A world that keeps records for 30 days, and counts visits that are under way.
fn world() -> World {
    let mut world = World::new();
    world.change("retention: 5y", "retention: 30d");
    world.change("  channel:", "  ended_at: {type: timestamp}\n  channel:");
    world.change(
        "  rooms:  {sum",
        "  under_way: {stock: true, from: began_at, until: ended_at}\n  rooms:  {sum",
    );
    world
}

/// Like [`Visit::row`] with an end, in the alphabetical order of the properties.
fn row(visit: &Visit, ended: i64) -> [i64; 7] {
    let [began, channel, commune, rooms, updated, _] = visit.row();
    [began, channel, commune, ended, rooms, updated, NULL]
}

fn ended(visits: impl IntoIterator<Item = Visit>) -> Batch {
    let mut observations = Observations::new(7);
    for visit in visits {
        observations.push(key(visit.key), &row(&visit, visit.row()[0] + DAYS), false);
    }
    batch(observations)
}

fn open_visit(visit: Visit) -> Batch {
    let mut observations = Observations::new(7);
    observations.push(key(visit.key), &row(&visit, NULL), false);
    batch(observations)
}

/// Lets the day come and takes `steps` steps of its expiry, or all of them.
async fn expire(store: &Store, world: &World, at: i64, steps: usize) -> bool {
    world.clock.set(Stamp(at));
    let (reply, answer) = oneshot::channel();
    store.commands.send(Command::ExpireSome(steps, reply)).await.unwrap();
    answer.await.unwrap()
}

fn check(world: &World, path: &Path) -> Report {
    let opened = Store::open(path).unwrap();
    let parts = world.parts(opened.words().clone());
    opened.check(&parts).unwrap()
}

fn all(store: &Store) -> [Vec<(i32, u64, i64)>; 3] {
    ["visits.visits", "visits.rooms", "visits.under_way"].map(|measure| cells(store, measure))
}

const LATER: i64 = APRIL + 60 * DAYS;

#[tokio::test]
async fn what_expired_still_counts_and_never_counts_again() {
    let world = world();
    let store = world.open();
    store.commit(ended((0..100).map(Visit::new))).await.unwrap();
    let pending = Visit::new(500);
    store.commit(open_visit(pending)).await.unwrap();
    let before = all(&store);
    assert!(expire(&store, &world, LATER, usize::MAX).await);
    assert_eq!(all(&store), before, "closed days keep their figures");
    // A correction of what expired, an old record never seen, and one of today.
    let now = LATER / DAYS * DAYS - APRIL;
    let late = Visit::new(7).version(now - 20 * DAYS, 999);
    let reopened = open_visit(Visit::new(8).version(now - 20 * DAYS, 1));
    let refused = store.commit(ended([late, Visit::new(200)])).await.unwrap();
    assert_eq!((refused.records.rejected, refused.expired), (2, 2));
    assert!(refused.records.balances());
    assert_eq!(store.commit(reopened).await.unwrap().expired, 1);
    assert_eq!(all(&store), before);
    let today = Visit { day: 58, ..Visit::new(300).version(now - 20 * DAYS, 2) };
    assert_eq!(store.commit(ended([today])).await.unwrap().records.accepted, 1);
    // The one whose stock was open is still known and ends in good order.
    let end = ended([Visit { ..pending.version(now - 20 * DAYS, 3) }]);
    assert_eq!(store.commit(end).await.unwrap().records.accepted, 1);
    assert_eq!(total(&store, "visits.visits"), 102);
    assert_eq!(total(&store, "visits.under_way"), 0);
    let was = all(&store);
    store.close().await;
    assert!(check(&world, &world.path).is_sound());
    assert_eq!(stored(&world.path, "SELECT sum(length(keys)) FROM expired"), 800);
    let store = world.open();
    assert_eq!(all(&store), was);
    assert_eq!(store.commit(ended([late])).await.unwrap().expired, 1, "known after a restart too");
    assert_eq!(all(&store), was);
    store.close().await;
}

#[tokio::test]
async fn memory_and_disk_are_given_back() {
    let world = world();
    let store = world.open();
    store.commit(ended((0..3000).map(Visit::new))).await.unwrap();
    store
        .commit(ended((3000..3010).map(|key| Visit { day: 50, ..Visit::new(key) })))
        .await
        .unwrap();
    expire(&store, &world, LATER, usize::MAX).await;
    store.close().await;
    let width: i64 = 17 + 4 + 2 + 2 + 4 + 4 + 4;
    let kept = stored(&world.path, "SELECT sum(length(records)) FROM entity_chunk");
    assert_eq!(kept, 10 * width);
    assert_eq!(stored(&world.path, "SELECT count(*) FROM entity_log"), 0);
    let store = world.open();
    assert_eq!(total(&store, "visits.visits"), 3010);
    // The ten are found and corrected in place.
    let corrected = (3000..3010).map(|key| Visit { day: 51, ..Visit::new(key).version(9, 1) });
    let done = store.commit(ended(corrected)).await.unwrap();
    assert_eq!((done.updated, done.inserted), (10, 0));
    store.close().await;
    assert!(check(&world, &world.path).is_sound());
}

#[tokio::test]
async fn a_death_after_any_step_leaves_everything_exact() {
    let world = world();
    let store = world.open();
    store.commit(ended((0..150).map(Visit::new))).await.unwrap();
    store.commit(ended((150..200).map(|key| Visit { day: 50, ..Visit::new(key) }))).await.unwrap();
    let before = all(&store);
    let copies = tempfile::tempdir().unwrap();
    let mut steps = 0;
    for step in 0..100 {
        let is_done = expire(&store, &world, LATER, 1).await;
        // Between steps, commits go in.
        let more = Visit { day: 55, ..Visit::new(1000 + step) };
        store.commit(ended([more])).await.unwrap();
        let expected = all(&store);
        let copy = copies.path().join(format!("{step}.db"));
        for (from, to) in [("", ""), ("-wal", "-wal")] {
            let name = |path: &Path, end: &str| format!("{}{end}", path.display());
            std::fs::copy(name(&world.path, from), name(&copy, to)).unwrap();
        }
        let dead = World { path: copy.clone(), contract: world.contract.clone(), ..self::world() };
        dead.clock.set(Stamp(LATER));
        let risen = dead.open();
        assert_eq!(all(&risen), expected, "step {step}");
        risen.close().await;
        assert!(check(&dead, &copy).is_sound(), "step {step}");
        steps += 1;
        if is_done {
            break;
        }
    }
    assert!((8..100).contains(&steps), "{steps}");
    assert_ne!(all(&store), before);
    store.close().await;
    let left = stored(&world.path, "SELECT count(*) FROM residue");
    assert!((3..=12).contains(&left), "the residue is merged now and then: {left} rows");
}

#[tokio::test]
async fn a_step_that_cannot_be_written_has_not_happened() {
    let world = world();
    let store = world.open();
    store.commit(ended((0..40).map(Visit::new))).await.unwrap();
    let before = all(&store);
    let refuse =
        "CREATE TRIGGER refuse BEFORE INSERT ON expired BEGIN SELECT RAISE(ABORT, 'no'); END";
    disk::sql(&store, refuse).await;
    assert!(!expire(&store, &world, LATER, 1).await);
    // The one who asked is told first, everybody else right after.
    let told = store.failures().wait_for(Option::is_some).await.is_ok();
    assert!(told, "a store that cannot write says so");
    let connection = rusqlite::Connection::open(&world.path).unwrap();
    connection.execute_batch("DROP TRIGGER refuse").unwrap();
    drop((connection, store));
    let store = reopened(&world);
    assert_eq!(all(&store), before);
    world.clock.set(Stamp(APRIL + 30 * DAYS));
    let again = store.commit(ended((0..40).map(Visit::new))).await.unwrap();
    assert_eq!(again.records.duplicate, 40);
    store.close().await;
    assert!(check(&world, &world.path).is_sound());
}

/// Opens a store whose writer has failed: its thread lets go of the file on its own time.
fn reopened(world: &World) -> Store {
    let opened = (0..1_000_000).find_map(|_| {
        std::thread::yield_now();
        Store::open(&world.path).ok()
    });
    let opened = opened.expect("the thread of the failed store ends");
    let parts = world.parts(opened.words().clone());
    opened.start(parts).unwrap()
}

#[tokio::test]
async fn a_rebuild_under_the_same_definition_knows_what_expired_had_contributed() {
    let mut world = world();
    let store = world.open();
    store.commit(ended((0..50).map(Visit::new))).await.unwrap();
    store.commit(ended((50..60).map(|key| Visit { day: 50, ..Visit::new(key) }))).await.unwrap();
    expire(&store, &world, LATER, usize::MAX).await;
    let before = all(&store);
    store.close().await;
    let opened = Store::open(&world.path).unwrap();
    opened.distrust(&["visits.visits".to_owned(), "visits.rooms".to_owned()]).unwrap();
    drop(opened);
    let store = world.open();
    built(&store).await;
    assert_eq!(all(&store), before);
    store.close().await;
    assert!(check(&world, &world.path).is_sound());
    // A new definition counts what is still there.
    world.change(
        "visits: {count: true, at: began_at, by: [channel]}",
        "visits: {count: true, at: updated_at}",
    );
    let store = world.open();
    built(&store).await;
    assert_eq!(total(&store, "visits.visits"), 10);
    store.close().await;
    assert!(check(&world, &world.path).is_sound());
}

#[tokio::test]
async fn the_quarantine_forgets_what_has_not_come_for_as_long() {
    let world = world();
    let store = world.open();
    let bad = |number: u128| vec![reject(number, None, Reason::Missing)];
    store.commit(Batch { received: 1, rejects: bad(1), ..ended([]) }).await.unwrap();
    let recent = Stamp(LATER - 5 * DAYS);
    store.commit(Batch { received: 1, rejects: bad(2), at: recent, ..ended([]) }).await.unwrap();
    assert_eq!(store.snapshot().streams["a.visits"].quarantined, 2);
    expire(&store, &world, LATER, usize::MAX).await;
    assert_eq!(store.snapshot().streams["a.visits"].quarantined, 1);
    let left = store.quarantine(&Filter { limit: 9, ..Filter::default() }).unwrap();
    assert_eq!(left.iter().map(|kept| kept.last_seen).collect::<Vec<_>>(), [recent]);
    assert_eq!(store.snapshot().streams["a.visits"].quarantined_since, Some(recent));
    store.close().await;
}

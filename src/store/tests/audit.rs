//! The audit log: written with what it records or not at all, and no row of it can be tampered with
//! unseen.

use rusqlite::Connection;

use super::*;
use crate::model::audit::{Action, Actor, AuditEntry, AuditFilter, Deed};
use crate::model::snapshot::Paused;
use crate::store::{Broken, Checkpoint, SigningKey, Verified, verify_audit};

/// Entries of a log in which each is tampered with in turn.
const ENTRIES: u64 = 40;

fn deed(action: Action, object: &str) -> Deed {
    Deed::new(Actor::with_key(Some("0123456789abcdef")), action, object, "CANARY its owner asked")
}

fn paused() -> Paused {
    Paused { by: "a steward".to_owned(), why: "why".to_owned(), since: Stamp(APRIL) }
}

fn entries(store: &Store) -> Vec<AuditEntry> {
    store.audit(&AuditFilter { limit: 1000, ..AuditFilter::default() }).unwrap()
}

/// A key to sign with.
fn key(world: &World) -> Arc<SigningKey> {
    let path = world.path.with_extension("key");
    // 32 bytes in base64: for tests, and for tests only.
    std::fs::write(&path, "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=\n").unwrap();
    Arc::new(SigningKey::read(&path).unwrap())
}

/// A log of some entries that was signed at its end, and the checkpoint.
async fn signed(world: &World) -> (Vec<u8>, Checkpoint) {
    let key = key(world);
    let store = world.open();
    let before = entries(&store).len() as u64;
    for number in before..ENTRIES {
        store.note(deed(Action::PullRequested, &format!("source {number}"))).await.unwrap();
    }
    let checkpoint = store.sign_audit(Arc::clone(&key)).await.unwrap().unwrap();
    assert_eq!(checkpoint.number, ENTRIES);
    assert_eq!(store.sign_audit(Arc::clone(&key)).await.unwrap(), None, "nothing was added");
    store.close().await;
    (key.public(), checkpoint)
}

#[tokio::test]
async fn what_is_done_and_who_did_it_are_written_together() {
    let world = World::new();
    let store = world.open();
    let begun = entries(&store);
    assert_eq!(begun[0].action, "configuration_taken", "{begun:?}");
    let by = store.on_behalf_of(deed(Action::SourcePaused, "a"));
    by.pause("a".to_owned(), Some(paused())).await.unwrap();
    // One that finds nothing to do was done all the same.
    let filter = Filter { ids: vec![7], ..Filter::default() };
    let by = store.on_behalf_of(deed(Action::RecordsDiscarded, "a"));
    let discard = Discard { filter, by: "x".to_owned(), why: "y".to_owned(), at: Stamp(APRIL) };
    assert_eq!(by.discard(discard).await.unwrap(), 0);
    let by = store.on_behalf_of(deed(Action::RetractionsConfirmed, "a.visits"));
    assert_eq!(by.confirm(0, "x".to_owned(), Stamp(APRIL)).await.unwrap(), None);
    let waiting = store.clone();
    tokio::task::spawn_blocking(move || waiting.settled()).await.unwrap().unwrap();
    let entries = entries(&store);
    let told: Vec<_> = entries.iter().map(|e| (e.action.as_str(), e.object.as_str())).collect();
    let expected =
        [("retractions_confirmed", "a.visits"), ("records_discarded", "a"), ("source_paused", "a")];
    assert_eq!(told[..3], expected);
    assert!(entries[1].detail.starts_with("0 records; "), "{entries:?}");
    assert!(entries.iter().take(3).all(|entry| entry.actor == "key:0123456789abcdef"));
    // Commands of nobody in particular are not anybody's deed.
    store.pause("a".to_owned(), None).await.unwrap();
    assert_eq!(self::entries(&store).len(), entries.len());
    store.close().await;
}

#[tokio::test]
async fn a_deed_that_cannot_be_written_down_is_not_done() {
    let world = World::new();
    let store = world.open();
    // Whoever takes the log away stops what it should record.
    let sql = "DROP TABLE audit";
    Connection::open(&world.path).unwrap().execute_batch(sql).unwrap();
    let by = store.on_behalf_of(deed(Action::SourcePaused, "a"));
    assert!(by.pause("a".to_owned(), Some(paused())).await.is_err());
    assert!(store.snapshot().paused.is_empty());
    drop((by, store));
    let count = "SELECT count(*) FROM pause";
    let kept: i64 =
        Connection::open(&world.path).unwrap().query_row(count, [], |r| r.get(0)).unwrap();
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn each_row_that_is_changed_taken_out_moved_or_put_in_is_found_at_its_place() {
    let world = World::new();
    let (public, _) = signed(&world).await;
    let whole = verify_audit(&world.path, Some(&public), &[]).unwrap();
    assert_eq!(whole, Verified { entries: ENTRIES, checkpoints: 1, broken: None });
    let kept = world.path.with_extension("kept");
    std::fs::copy(&world.path, &kept).unwrap();
    let faults = [
        "UPDATE audit SET at = at + 1 WHERE number = ?",
        "UPDATE audit SET actor = 'anonymous' WHERE number = ?",
        "UPDATE audit SET action = 'key_created' WHERE number = ?",
        "UPDATE audit SET object = object || 'x' WHERE number = ?",
        "UPDATE audit SET detail = 'no' WHERE number = ?",
        "UPDATE audit SET hash = zeroblob(32) WHERE number = ?",
        "DELETE FROM audit WHERE number = ?",
        // Two fields that read the same when they are written one after the other.
        "UPDATE audit SET object = object || substr(detail, 1, 1), detail = substr(detail, 2) WHERE number = ?",
    ];
    let mut moved = 0;
    for number in 1..=ENTRIES {
        for fault in faults {
            let mut connection = Connection::open(&world.path).unwrap();
            let transaction = connection.transaction().unwrap();
            let id = [number as i64];
            let detail = "SELECT detail <> '' FROM audit WHERE number = ?";
            let has_detail: bool = transaction.query_row(detail, id, |row| row.get(0)).unwrap();
            if !has_detail && fault.contains("substr(detail") {
                continue;
            }
            moved += usize::from(fault.contains("substr(detail"));
            assert_eq!(transaction.execute(fault, id).unwrap(), 1);
            transaction.commit().unwrap();
            drop(connection);
            let found = verify_audit(&world.path, Some(&public), &[]).unwrap();
            let broken = found.broken.unwrap_or_else(|| panic!("{fault} of {number} is not found"));
            let is_last = number == ENTRIES && fault.starts_with("DELETE");
            let expected = match fault {
                _ if is_last => Broken::CutOff { ends: number - 1, seen: number },
                fault if fault.starts_with("DELETE") => {
                    Broken::Missing { expected: number, found: number + 1 }
                }
                _ => Broken::Changed(number),
            };
            assert_eq!((broken, found.entries), (expected, number - 1), "{fault} of {number}");
            restore(&world, &kept);
        }
    }
    assert!(moved > 0, "no entry has a detail to move");
}

/// The file as it was.
fn restore(world: &World, kept: &Path) {
    for beside in ["db-wal", "db-shm"] {
        let _ = std::fs::remove_file(world.path.with_extension(beside));
    }
    std::fs::copy(kept, &world.path).unwrap();
}

#[tokio::test]
async fn an_end_that_was_cut_off_and_a_log_written_anew_are_found_by_what_others_kept() {
    let world = World::new();
    let (public, kept) = signed(&world).await;
    let line =
        format!("Nov 29 00:00:00 host iocgw[1]: the audit log was signed checkpoint={kept} x=1");
    assert_eq!(Checkpoint::parse(&line), Some(kept.clone()), "{line}");
    let run = |sql: &str| Connection::open(&world.path).unwrap().execute_batch(sql).unwrap();
    let broken =
        |kept: &[Checkpoint]| verify_audit(&world.path, Some(&public), kept).unwrap().broken;

    // The end and the store's own checkpoints are gone: only what others kept tells.
    run("DELETE FROM audit WHERE number > 30; DELETE FROM audit_checkpoint;");
    assert_eq!(broken(&[]), None);
    let cut = Broken::CutOff { ends: 30, seen: ENTRIES };
    assert_eq!(broken(std::slice::from_ref(&kept)), Some(cut));
    // A whole new log, sound in itself, with as many entries.
    run("DELETE FROM audit;");
    world.clock.set(Stamp(APRIL + 5));
    let (_, other) = signed(&world).await;
    assert_eq!(broken(&[other]), None);
    assert_eq!(broken(std::slice::from_ref(&kept)), Some(Broken::Rewritten(ENTRIES)));
    // A checkpoint that somebody made up.
    let forged = Checkpoint { signature: vec![0; 64], ..kept };
    assert_eq!(broken(&[forged]), Some(Broken::Unsigned(ENTRIES)));
}

#[test]
fn a_file_that_is_no_key_is_refused_without_repeating_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit_key");
    for text in ["", "CANARY", "QUJD"] {
        std::fs::write(&path, text).unwrap();
        let error = SigningKey::read(&path).err().unwrap().to_string();
        assert!(error.contains("32 random bytes") && !error.contains("CANARY"), "{error}");
    }
}

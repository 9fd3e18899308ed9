//! The quarantine: kept once, noted again, let go, and never without bounds.

use super::*;

fn rejected(stream: usize, at: i64, rejects: Vec<Reject>) -> Batch {
    let received = rejects.len() as u64;
    Batch { stream, received, rejects, at: Stamp(at), ..page([]) }
}

fn list(store: &Store) -> Vec<Quarantined> {
    let filter = Filter { state: Some(State::Held), limit: 1000, ..Filter::default() };
    store.quarantine(&filter).unwrap()
}

fn held(store: &Store, stream: &str) -> u64 {
    store.snapshot().streams[stream].quarantined
}

#[tokio::test]
async fn the_same_reject_is_kept_once_and_its_return_is_noted() {
    let world = World::new();
    let store = world.open();
    let one = || reject(1, Some(key(1)), Reason::UnknownCode);
    store.commit(rejected(0, APRIL, vec![one()])).await.unwrap();
    let again = store.commit(rejected(0, APRIL + 60, vec![one(), one()])).await.unwrap();
    assert!(again.records.balances());
    assert_eq!(again.records.quarantined, 2);
    let kept = list(&store);
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].attempts, kept[0].reason.as_str()), (3, "unknown_code"));
    assert_eq!((kept[0].first_seen, kept[0].last_seen), (Stamp(APRIL), Stamp(APRIL + 60)));
    assert_eq!((kept[0].source.as_str(), kept[0].contract.as_str()), ("a", "visits"));
    assert_eq!(held(&store, "a.visits"), 1);
    store.close().await;
}

#[tokio::test]
async fn a_record_of_which_other_fields_are_read_is_kept_once_all_the_same() {
    let world = World::new();
    let store = world.open();
    let read = |fingerprint, version, values: &str| Reject {
        version: Some(version),
        held: format!(r#"{{"now":0,"key":0,"values":{{{values}}}}}"#),
        ..reject(fingerprint, Some(key(1)), Reason::UnknownCode)
    };
    store.commit(rejected(0, APRIL, vec![read(1, 7, r#""/a":"x""#)])).await.unwrap();
    // Another field is mapped, so everything is asked for again.
    let more = r#""/a":"x","/b":null"#;
    store.commit(rejected(0, APRIL + 60, vec![read(2, 7, more)])).await.unwrap();
    assert_eq!((list(&store).len(), held(&store, "a.visits")), (1, 1));
    assert_eq!((list(&store)[0].attempts, list(&store)[0].first_seen), (2, Stamp(APRIL)));
    // It is known as it was read last.
    store.commit(rejected(0, APRIL + 90, vec![read(2, 7, more)])).await.unwrap();
    assert_eq!((list(&store).len(), list(&store)[0].attempts), (1, 3));
    // Another version, or another content of the same fields, is another record.
    let others = vec![read(3, 8, more), read(4, 7, r#""/a":"y","/b":null"#)];
    store.commit(rejected(0, APRIL + 99, others)).await.unwrap();
    assert_eq!((list(&store).len(), held(&store, "a.visits")), (3, 3));
    store.close().await;
    assert_eq!(stored(&world.path, "SELECT count(*) FROM quarantine WHERE held LIKE '%/b%'"), 3);
}

#[tokio::test]
async fn a_record_that_comes_again_in_good_order_leaves_the_quarantine() {
    let world = World::new();
    let store = world.open();
    let bad = vec![
        reject(1, Some(key(1)), Reason::UnknownCode),
        reject(2, Some(key(1)), Reason::WrongType),
        reject(3, Some(key(2)), Reason::WrongType),
        reject(4, None, Reason::Malformed),
    ];
    store.commit(rejected(0, APRIL, bad)).await.unwrap();
    assert_eq!(held(&store, "a.visits"), 4);
    store.close().await;
    // The keys that are waited for are known after a restart too.
    let store = world.open();
    store.commit(page([Visit::new(1), Visit::new(9)])).await.unwrap();
    let rest: Vec<_> = list(&store).into_iter().map(|kept| kept.reason).collect();
    assert_eq!(rest, ["wrong_type", "malformed"]);
    assert_eq!(held(&store, "a.visits"), 2);
    // If it breaks its contract once more, it is back, with its history.
    let back = reject(1, Some(key(1)), Reason::UnknownCode);
    store.commit(rejected(0, APRIL + 9, vec![back])).await.unwrap();
    assert_eq!(held(&store, "a.visits"), 3);
    let back = list(&store).into_iter().find(|kept| kept.reason == "unknown_code").unwrap();
    assert_eq!((back.attempts, back.first_seen), (2, Stamp(APRIL)));
    store.close().await;
    let store = world.open();
    assert_eq!(held(&store, "a.visits"), 3);
    store.close().await;
}

#[tokio::test]
async fn a_good_version_from_another_source_is_taken_off_the_count_of_the_first() {
    let world = World::new();
    let store = world.open();
    let bad = vec![reject(1, Some(key(1)), Reason::WrongType)];
    store.commit(rejected(1, APRIL, bad)).await.unwrap();
    let other = vec![reject(2, Some(key(2)), Reason::WrongType)];
    store.commit(rejected(0, APRIL, other)).await.unwrap();
    store.commit(page([Visit::new(1)])).await.unwrap();
    assert_eq!((held(&store, "a.visits"), held(&store, "b.visits")), (1, 0));
    store.close().await;
    let store = world.open();
    assert_eq!((held(&store, "a.visits"), held(&store, "b.visits")), (1, 0));
    store.close().await;
}

#[tokio::test]
async fn a_list_can_be_narrowed_and_walked_through() {
    let world = World::new();
    let store = world.open();
    let many = |reason| (0..10).map(move |i| reject(i + 100 * reason as u128, None, reason));
    let bad = many(Reason::WrongType).chain(many(Reason::Missing)).collect();
    store.commit(rejected(0, APRIL, bad)).await.unwrap();
    store.commit(rejected(1, APRIL, many(Reason::Missing).collect())).await.unwrap();
    let ask = |source: Option<&str>, reason: Option<&str>, after, limit| {
        let filter = Filter {
            source: source.map(str::to_owned),
            reason: reason.map(str::to_owned),
            after,
            limit,
            ..Filter::default()
        };
        store.quarantine(&filter).unwrap()
    };
    assert_eq!(ask(None, None, None, 1000).len(), 30);
    assert_eq!(ask(Some("a"), None, None, 1000).len(), 20);
    assert_eq!(ask(None, Some("missing"), None, 1000).len(), 20);
    assert_eq!(ask(Some("b"), Some("wrong_type"), None, 1000).len(), 0);
    let (mut walked, mut after) = (Vec::new(), None);
    for _ in 0..10 {
        let some = ask(None, None, after, 7);
        let Some(last) = some.last() else { break };
        after = Some(last.id);
        walked.extend(some.iter().map(|kept| kept.id));
    }
    let all: Vec<u64> = ask(None, None, None, 1000).iter().map(|kept| kept.id).collect();
    assert_eq!(walked, all);
    store.close().await;
}

#[tokio::test]
async fn beyond_its_limit_a_streams_rejects_are_counted_and_not_kept() {
    let world = World::new();
    let store = world.open();
    let many = |from: u128| (from..from + 80).map(|i| reject(i, None, Reason::Missing)).collect();
    store.commit(rejected(0, APRIL, many(0))).await.unwrap();
    let committed = store.commit(rejected(0, APRIL, many(80))).await.unwrap();
    let room = MAX_QUARANTINED - 80;
    assert_eq!((committed.records.quarantined, committed.records.rejected), (room, 80 - room));
    assert!(committed.records.balances());
    assert_eq!(list(&store).len() as u64, MAX_QUARANTINED);
    // What is held already is still noted, and another stream has its own room.
    let known = store.commit(rejected(0, APRIL + 1, many(0))).await.unwrap();
    assert_eq!(known.records.quarantined, 80);
    let other = store.commit(rejected(1, APRIL, many(0))).await.unwrap();
    assert_eq!(other.records.quarantined, 80);
    store.close().await;
}

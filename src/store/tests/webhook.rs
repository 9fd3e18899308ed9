//! What is to be told waits until it is taken, in its order, within bounds, and through every opening.

use super::*;
use crate::model::audit::AuditFilter;
use crate::model::webhook::{Disabled, MOST_WEBHOOKS, Progress, Secret, Subscription};

fn webhook(id: &str) -> Webhook {
    Webhook {
        id: id.to_owned(),
        owner: "key".to_owned(),
        url: "https://example.org/hook".to_owned(),
        name: "a test".to_owned(),
        wants: Subscription { topics: [].into(), indicators: None, areas: None },
        created: Stamp(APRIL),
        secret: Secret { generation: 1, previous_until: None, mark: 7 },
        disabled: None,
        progress: Progress { is_behind: true, ..Progress::default() },
    }
}

async fn make(store: &Store, id: &str) -> Changed {
    store.change_webhook(id, Change::Create(Box::new(webhook(id)))).await.unwrap()
}

fn telling(mark: u8, messages: &[(&str, &str)]) -> Telling {
    let messages = messages.iter().map(|(id, body)| ((*id).to_owned(), (*body).to_owned()));
    let marks = vec![("i:received".to_owned(), vec![mark])];
    Telling { marks, messages: messages.collect(), ..Telling::default() }
}

fn next(store: &Store, id: &str) -> Option<(u64, String)> {
    store.next_message(id).unwrap().map(|message| (message.number, message.body))
}

#[tokio::test]
async fn messages_wait_in_order_with_numbers_that_never_come_again_and_survive_the_opening() {
    let world = World::new();
    let store = world.open();
    assert_eq!(make(&store, "wh_a").await, Changed::Done);
    assert_eq!(make(&store, "wh_b").await, Changed::Done);
    assert_eq!(store.webhooks().unwrap()[0], webhook("wh_a"));
    store.tell(telling(1, &[("wh_a", "one"), ("wh_b", "uno")])).await.unwrap();
    store.tell(telling(2, &[("wh_a", "two"), ("wh_none", "lost")])).await.unwrap();
    store.close().await;
    let store = world.open();
    assert_eq!(store.told().unwrap()["i:received"], [2]);
    assert_eq!(next(&store, "wh_a"), Some((1, "one".to_owned())));
    assert_eq!(next(&store, "wh_b"), Some((1, "uno".to_owned())));
    for number in [1, 2] {
        let first = store.next_message("wh_a").unwrap().unwrap();
        assert_eq!(first.id(), format!("wh_a.{number}"));
        store.attempted(&first, Attempt::Taken).await.unwrap();
    }
    assert_eq!(next(&store, "wh_a"), None);
    store.tell(telling(3, &[("wh_a", "three")])).await.unwrap();
    assert_eq!(next(&store, "wh_a"), Some((3, "three".to_owned())));
    assert_eq!(next(&store, "wh_none"), None);
}

#[tokio::test]
async fn a_full_outbox_is_emptied_and_its_webhook_is_behind_and_no_other() {
    let world = World::new();
    let store = world.open();
    make(&store, "wh_a").await;
    make(&store, "wh_b").await;
    let caught_up = vec!["wh_a".to_owned(), "wh_b".to_owned()];
    store.tell(Telling { caught_up, ..telling(0, &[]) }).await.unwrap();
    for mark in 1..=5 {
        let full = store.tell(telling(mark, &[("wh_a", "x")])).await.unwrap();
        assert_eq!(full, [""; 0]);
    }
    let full = store.tell(telling(6, &[("wh_a", "x"), ("wh_b", "y")])).await.unwrap();
    assert_eq!(full, ["wh_a"]);
    let progress: Vec<_> =
        store.webhooks().unwrap().into_iter().map(|each| each.progress).collect();
    assert_eq!((progress[0].waiting, progress[0].is_behind), (0, true));
    assert_eq!((progress[1].waiting, progress[1].is_behind), (1, false));
    let caught_up = vec!["wh_a".to_owned()];
    let again = Telling { caught_up, ..telling(7, &[("wh_a", "resync")]) };
    store.tell(again).await.unwrap();
    assert_eq!(next(&store, "wh_a"), Some((6, "resync".to_owned())));
    assert!(!store.webhooks().unwrap()[0].progress.is_behind);
}

#[tokio::test]
async fn failures_are_kept_and_the_end_of_a_webhook_is_audited_until_it_is_told_again() {
    let world = World::new();
    let store = world.open();
    make(&store, "wh_a").await;
    store.tell(telling(1, &[("wh_a", "x")])).await.unwrap();
    let first = store.next_message("wh_a").unwrap().unwrap();
    let failed = |at| Attempt::Failed { error: "HTTP 500".to_owned(), again: Stamp(at) };
    store.attempted(&first, failed(APRIL + 5)).await.unwrap();
    store.attempted(&first, failed(APRIL + 300)).await.unwrap();
    let progress = store.webhooks().unwrap()[0].progress.clone();
    assert_eq!((progress.failures, progress.waiting), (2, 1));
    assert_eq!(progress.failing_since, Some(Stamp(APRIL)));
    assert_eq!(progress.next_attempt, Some(Stamp(APRIL + 300)));
    let over = Attempt::Over { error: "HTTP 410".to_owned(), why: Disabled::Gone };
    store.attempted(&first, over).await.unwrap();
    let ended = store.webhooks().unwrap().remove(0);
    assert_eq!(ended.disabled, Some((Stamp(APRIL), Disabled::Gone)));
    assert_eq!(ended.progress.waiting, 0);
    let log = store.audit(&AuditFilter { limit: 1, ..AuditFilter::default() }).unwrap();
    assert_eq!(
        (log[0].action.as_str(), log[0].detail.as_str()),
        ("webhook_changed", "disabled: gone")
    );
    store.tell(telling(2, &[("wh_a", "y")])).await.unwrap();
    assert_eq!(next(&store, "wh_a"), None, "who is disabled is told nothing");
    let enabled = store.change_webhook("wh_a", Change::Enable(true)).await.unwrap();
    assert_eq!(enabled, Changed::Done);
    let again = store.webhooks().unwrap().remove(0);
    assert_eq!(
        (again.disabled, again.progress.is_behind, again.progress.failures),
        (None, true, 0)
    );
}

#[tokio::test]
async fn there_is_an_end_to_webhooks_and_one_that_is_not_there_is_not_changed() {
    let world = World::new();
    let store = world.open();
    for i in 0..MOST_WEBHOOKS {
        assert_eq!(make(&store, &format!("wh_{i}")).await, Changed::Done);
    }
    assert_eq!(make(&store, "wh_more").await, Changed::TooMany);
    let delete = |id| store.change_webhook(id, Change::Delete);
    assert_eq!(delete("wh_more").await.unwrap(), Changed::Unknown);
    assert_eq!(delete("wh_1").await.unwrap(), Changed::Done);
    assert_eq!(make(&store, "wh_more").await, Changed::Done);
}

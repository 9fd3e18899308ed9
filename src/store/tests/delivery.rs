//! Deliveries are known once their records are committed, and forgotten oldest first.

use super::*;

fn delivery(id: &str, body: &str) -> Delivery {
    Delivery::new(id, body.as_bytes())
}

#[tokio::test]
async fn a_delivery_is_known_with_its_records_and_after_a_restart() {
    let world = World::new();
    let store = world.open();
    let first = delivery("msg_1", "a");
    assert_eq!(store.delivered(0, first).await.unwrap(), None);
    let batch = page([Visit::new(1), Visit::new(2)]);
    let committed = store.deliver(batch, Some(first)).await.unwrap();
    assert_eq!(committed.records.accepted, 2);
    store.close().await;
    let store = world.open();
    let known = store.delivered(0, first).await.unwrap();
    assert_eq!(known, Some(Before::Same(committed.records)));
    assert_eq!(store.delivered(0, delivery("msg_1", "b")).await.unwrap(), Some(Before::Differs));
    assert_eq!(store.delivered(1, first).await.unwrap(), None, "another stream's ids are its own");
    assert_eq!(store.snapshot().streams["a.visits"].total.received, 2);
}

#[tokio::test]
async fn the_oldest_deliveries_are_forgotten_first_and_one_may_be_replaced() {
    let world = World::new();
    let store = world.open();
    for number in 0..5 {
        let id = format!("msg_{number}");
        store.deliver(page([Visit::new(number)]), Some(delivery(&id, "a"))).await.unwrap();
    }
    let mut known = Vec::new();
    for number in 0..5 {
        let found = store.delivered(0, delivery(&format!("msg_{number}"), "a")).await.unwrap();
        known.push(found.is_some());
    }
    assert_eq!(known, [false, false, true, true, true]);
    store.deliver(page([Visit::new(9)]), Some(delivery("msg_4", "b"))).await.unwrap();
    assert_eq!(store.delivered(0, delivery("msg_4", "a")).await.unwrap(), Some(Before::Differs));
    let again = store.delivered(0, delivery("msg_4", "b")).await.unwrap();
    assert!(matches!(again, Some(Before::Same(_))));
}

//! A contract that changed between two lives of the store.

use super::*;

/// Some visits with corrections, committed; the cursor stands.
async fn filled(world: &World) {
    let store = world.open();
    store.commit(page((0..200).map(Visit::new))).await.unwrap();
    let mut corrected = page((50..90).map(|key| Visit::new(key).version(2, 11)));
    corrected.cursor = Some(APRIL);
    store.commit(corrected).await.unwrap();
    store.close().await;
}

/// What a store shows that was filled under today's contract from the beginning.
async fn from_the_beginning(world: &World) -> BTreeMap<String, Vec<(i32, u64, i64)>> {
    let fresh =
        World { contract: world.contract.clone(), list: world.list.clone(), ..World::new() };
    filled(&fresh).await;
    let store = fresh.open();
    let cells = seen(&store).cells;
    store.close().await;
    cells
}

#[tokio::test]
async fn a_measure_whose_definition_changed_is_counted_anew_from_the_entities() {
    let mut world = World::new();
    filled(&world).await;
    world.change(
        "visits: {count: true, at: began_at, by: [channel]}",
        "visits: {count: true, at: began_at, where: \"channel == 'online'\"}\n  many: {count: true, at: began_at, where: \"rooms > 5\"}",
    );
    let store = world.open();
    let cells = seen(&store).cells;
    assert_eq!(total(&store, "visits.visits"), 100);
    assert!(total(&store, "visits.many") > 40);
    // Nothing must be asked of the source again.
    assert!(store.snapshot().streams["a.visits"].cursor.is_some());
    store.close().await;
    assert_eq!(cells, from_the_beginning(&world).await);
    // And it stays so.
    let store = world.open();
    assert_eq!(seen(&store).cells, cells);
    store.close().await;
}

#[tokio::test]
async fn a_property_that_came_is_null_until_the_source_has_been_asked_again() {
    let mut world = World::new();
    filled(&world).await;
    world.change(
        "  updated_at: {type: timestamp}\n",
        "  updated_at: {type: timestamp}\n  vip:        {type: boolean}\n",
    );
    world.change("measures:\n", "measures:\n  vips: {count: true, at: began_at, where: vip}\n");
    let store = world.open();
    assert_eq!(store.snapshot().streams["a.visits"].cursor, None, "everything is asked for again");
    assert_eq!(total(&store, "visits.vips"), 0);
    assert_eq!(total(&store, "visits.visits"), 200);
    // The same version as before, now with the new property: it is news.
    let mut observations = Observations::new(7);
    let old = Visit::new(3).row();
    observations.push(key(3), &[old[0], old[1], old[2], old[3], old[4], 1, NULL], false);
    let committed = store.commit(batch(observations)).await.unwrap();
    assert_eq!((committed.updated, committed.inserted), (1, 0));
    assert_eq!(total(&store, "visits.vips"), 1);
    assert_eq!(total(&store, "visits.visits"), 200);
    let before = seen(&store).cells;
    store.close().await;
    let store = world.open();
    assert_eq!(seen(&store).cells, before);
    store.close().await;
}

#[tokio::test]
async fn a_property_that_went_takes_nothing_else_along() {
    let mut world = World::new();
    filled(&world).await;
    let store = world.open();
    let visits = cells(&store, "visits.visits");
    store.close().await;
    world.change("  rooms:      {type: integer, min: 0, max: 1000}\n", "");
    world.change("  rooms:  {sum: rooms, at: began_at}\n", "");
    let store = world.open();
    assert_eq!(cells(&store, "visits.visits"), visits);
    assert_eq!(store.snapshot().measures.len(), 1);
    let old = Visit::new(60).version(2, 11).row();
    let mut observations = Observations::new(5);
    observations.push(key(60), &[old[0], old[1], old[2], old[4], NULL], false);
    let again = store.commit(batch(observations)).await.unwrap();
    assert_eq!(again.records.duplicate, 1, "the rest of the row is as it was");
    store.close().await;
}

#[tokio::test]
async fn a_property_that_got_wider_keeps_its_values_and_one_that_changed_its_form_loses_them() {
    let mut world = World::new();
    filled(&world).await;
    let store = world.open();
    let rooms = cells(&store, "visits.rooms");
    store.close().await;

    world.change("min: 0, max: 1000}", "min: 0, max: 9000000000}");
    let store = world.open();
    assert_eq!(cells(&store, "visits.rooms"), rooms);
    assert_eq!(store.snapshot().streams["a.visits"].cursor, None);
    store.close().await;

    world.change(
        "{type: integer, min: 0, max: 9000000000}",
        "{type: decimal, decimals: 1, min: 0, max: 9000}",
    );
    let store = world.open();
    assert_eq!(cells(&store, "visits.rooms"), []);
    assert_eq!(total(&store, "visits.visits"), 200);
    store.close().await;
}

#[tokio::test]
async fn words_keep_their_numbers_whatever_order_the_list_takes() {
    let mut world = World::new();
    filled(&world).await;
    let store = world.open();
    let before = cells(&store, "visits.visits");
    store.close().await;
    "code,vi,en\nphone,c,c\ncounter,b,b\nonline,a,a\n".clone_into(&mut world.list);
    let opened = Store::open(&world.path).unwrap();
    let parts = world.parts(opened.words().clone());
    let numbers = ["online", "counter", "phone"]
        .map(|word| parts.words.get("list:channel").unwrap().number(word).unwrap());
    assert_eq!(numbers, [1, 2, 3]);
    let store = opened.start(parts).unwrap();
    assert_eq!(cells(&store, "visits.visits"), before);
    store.close().await;
    // The new word's number has been kept as well.
    let opened = Store::open(&world.path).unwrap();
    assert_eq!(opened.words().get("list:channel").unwrap().word(3), Some("phone"));
}

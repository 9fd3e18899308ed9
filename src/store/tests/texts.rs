//! Texts that get their numbers from the writer: whatever comes, in whatever order, the words that
//! readers see are those that the records carry.

use super::*;
use crate::model::declared::OTHER;
use crate::model::observation::PROVISIONAL;

/// The slot of the text property, behind the six of a visit.
const SLOT: usize = 6;

fn world() -> World {
    let mut world = World::new();
    world.change(
        "  visit:      {type: identifier}",
        "  visit:      {type: identifier}\n  zone:       {type: text, max_values: 3}",
    );
    world.change("by: [channel]", "by: [zone]");
    world
}

/// Visits with the zones that they name.
fn zoned(visits: &[(Visit, &str)]) -> Batch {
    let mut batch = page([]);
    batch.observations = Observations::new(SLOT + 1);
    for (visit, zone) in visits {
        let zone = batch.observations.provisional(SLOT, zone);
        let row = [&visit.row()[..], &[zone]].concat();
        batch.observations.push(key(visit.key), &row, false);
    }
    batch.received = visits.len() as u64;
    batch
}

/// How many visits there are by the word of their zone.
fn zones(store: &Store) -> BTreeMap<String, i64> {
    let snapshot = store.snapshot();
    let measure = &snapshot.measures["visits.visits"];
    let zone = &measure.dimensions[0];
    let words = &snapshot.texts[&zone.dictionary];
    let mut found = BTreeMap::new();
    for (_, cells) in measure.cube.days() {
        for (cell, amount) in cells {
            let word = words.word(zone.of(*cell)).expect("each number has its word");
            *found.entry(word.to_owned()).or_default() += amount;
        }
    }
    found
}

fn counts<const N: usize>(counts: [(&str, i64); N]) -> BTreeMap<String, i64> {
    counts.map(|(word, count)| (word.to_owned(), count)).into()
}

#[tokio::test]
async fn new_texts_get_numbers_that_a_restart_keeps() {
    let world = world();
    let store = world.open();
    let committed = store
        .commit(zoned(&[(Visit::new(1), "bắc"), (Visit::new(2), "nam"), (Visit::new(3), "bắc")]))
        .await
        .unwrap();
    assert_eq!((committed.inserted, committed.crowded), (3, 0));
    assert_eq!(zones(&store), counts([("bắc", 2), ("nam", 1)]));
    store.close().await;
    let store = world.open();
    assert_eq!(zones(&store), counts([("bắc", 2), ("nam", 1)]));
    store.commit(zoned(&[(Visit::new(4), "nam"), (Visit::new(5), "tây")])).await.unwrap();
    assert_eq!(zones(&store), counts([("bắc", 2), ("nam", 2), ("tây", 1)]));
    store.close().await;
    let numbers = "SELECT count(*) FROM dictionary WHERE name = 'text:visits.zone'";
    assert_eq!(stored(&world.path, numbers), 4, "the three and 'other'");
}

#[tokio::test]
async fn beyond_the_limit_a_text_is_other_and_counted() {
    let world = world();
    let store = world.open();
    let many: Vec<_> = (0..6).map(|i| format!("z{i}")).collect();
    let visits: Vec<_> = (0..12).map(|i| (Visit::new(i), many[i as usize % 6].as_str())).collect();
    let committed = store.commit(zoned(&visits)).await.unwrap();
    assert_eq!(committed.crowded, 6);
    let expected = counts([("z0", 2), ("z1", 2), ("z2", 2), (OTHER, 6)]);
    assert_eq!(zones(&store), expected);
    let again = store.commit(zoned(&visits)).await.unwrap();
    assert_eq!(again.records.duplicate, 12, "the same again is known to the letter");
    store.close().await;
    let store = world.open();
    assert_eq!(zones(&store), expected);
    store.close().await;
}

#[tokio::test]
async fn a_correction_takes_the_old_text_back() {
    let world = world();
    let store = world.open();
    store.commit(zoned(&[(Visit::new(1), "bắc")])).await.unwrap();
    store.commit(zoned(&[(Visit::new(1).version(2, 1), "nam")])).await.unwrap();
    assert_eq!(zones(&store), counts([("nam", 1)]));
    store.close().await;
}

#[tokio::test]
async fn of_two_texts_of_one_version_the_same_stands_whichever_came_first() {
    let mut standing = Vec::new();
    for order in [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]] {
        let world = world();
        let store = world.open();
        for zone in order {
            store.commit(zoned(&[(Visit::new(1), zone)])).await.unwrap();
        }
        standing.push(zones(&store));
        store.close().await;
    }
    assert_eq!(standing, vec![counts([("c", 1)]); 3]);
}

#[tokio::test]
async fn a_commit_that_fails_leaves_no_number_without_its_word() {
    let world = world();
    let store = world.open();
    store.commit(zoned(&[(Visit::new(0), "bắc")])).await.unwrap();
    disk::limit(&store, Some(2)).await;
    let many: Vec<_> = (1..5000).map(|i| (Visit::new(i), "nam")).collect();
    assert!(matches!(store.commit(zoned(&many)).await, Err(StoreError::Full)));
    assert_eq!(zones(&store), counts([("bắc", 1)]));
    disk::limit(&store, None).await;
    store.commit(zoned(&[(Visit::new(1), "tây"), (Visit::new(2), "nam")])).await.unwrap();
    let expected = counts([("bắc", 1), ("nam", 1), ("tây", 1)]);
    assert_eq!(zones(&store), expected);
    store.close().await;
    let store = world.open();
    assert_eq!(zones(&store), expected);
    store.close().await;
}

#[test]
fn pages_of_a_fleet_are_put_together_with_their_texts() {
    let mut whole = Observations::new(1);
    for words in [["a", "b"], ["b", "c"]] {
        let mut page = Observations::new(1);
        for word in words {
            let place = page.provisional(0, word);
            page.push(1, &[place], false);
        }
        whole.append(page);
    }
    assert_eq!(whole.rows, [0, 1, 1, 2].map(|place| PROVISIONAL + place));
    assert_eq!(whole.unseen[0].words, ["a", "b", "c"]);
    assert_eq!((whole.len(), whole.retracted.len()), (4, 4));
}

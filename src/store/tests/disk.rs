//! The log and its chunks, and a disk that is full at the worst moment.

use super::*;

/// Rows of more than one chunk.
const MANY: u64 = 5000;

/// Lets the file grow by at most so many pages from now on; `None` makes room again.
pub(super) async fn limit(store: &Store, pages: Option<i64>) {
    let count = |pragma: &str| {
        let connection = rusqlite::Connection::open(store.path()).unwrap();
        connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let most = pages.map_or(1_000_000, |pages| count("page_count") + pages);
    sql(store, &format!("PRAGMA max_page_count={most}")).await;
}

/// Opens the store with other measures over the same entities: if they agree with a store that
/// never was closed, every entity is what it should be.
async fn recounted(world: &mut World) -> Store {
    world.change("by: [channel]", "by: []");
    world.change("rooms:  {sum: rooms, at: began_at}", "rooms:  {sum: rooms, at: updated_at}");
    let store = world.open();
    built(&store).await;
    store
}

async fn expected(world: &World, pages: Vec<Batch>) -> BTreeMap<String, Vec<(i32, u64, i64)>> {
    let fresh = World { contract: world.contract.clone(), ..World::new() };
    let store = fresh.open();
    for page in pages {
        store.commit(page).await.unwrap();
    }
    let cells = seen(&store).cells;
    store.close().await;
    cells
}

/// G03: the disk is full.
#[tokio::test]
async fn the_log_is_written_back_into_chunks_and_read_again() {
    let mut world = World::new();
    let pages = || {
        let mut pages = vec![page((0..MANY).map(Visit::new))];
        for version in 2..9 {
            let from = version as u64 * 500;
            pages.push(page(
                (from..from + 900).map(|key| Visit::new(key).version(version, version)),
            ));
        }
        pages
    };
    let store = world.open();
    for page in pages() {
        store.commit(page).await.unwrap();
    }
    let before = seen(&store);
    store.close().await;
    assert_eq!(stored(&world.path, "SELECT count(*) FROM entity_chunk"), 2);
    let logged = stored(&world.path, "SELECT coalesce(sum(length(records)), 0) FROM entity_log");
    let chunks = stored(&world.path, "SELECT sum(length(records)) FROM entity_chunk");
    assert!(logged <= chunks, "{logged} bytes of log beside {chunks} of chunks");
    assert!(stored(&world.path, "SELECT count(*) FROM cube") >= 2 * 9, "days were written back");
    let store = world.open();
    assert_eq!(seen(&store), before);
    store.close().await;
    let store = recounted(&mut world).await;
    let cells = seen(&store).cells;
    store.close().await;
    assert_eq!(cells, expected(&world, pages()).await);
}

#[tokio::test]
async fn a_page_that_finds_the_disk_full_leaves_nothing_behind_and_the_next_one_comes_through() {
    let world = World::new();
    let store = world.open();
    store.commit(page((0..100).map(Visit::new))).await.unwrap();
    let (before, held) = (seen(&store), store.quarantine(&listing()).unwrap().len());
    limit(&store, Some(12)).await;
    let mut large = page((50..MANY).map(|key| Visit::new(key).version(2, 9)));
    large.rejects = vec![reject(1, Some(key(4)), Reason::UnknownArea)];
    large.received += 1;
    large.cursor = Some(APRIL);
    assert!(matches!(store.commit(large).await, Err(StoreError::Full)));
    assert_eq!(seen(&store), before);
    assert_eq!(store.quarantine(&listing()).unwrap().len(), held);
    assert!(store.failures().borrow().is_none(), "a full disk is no reason to give up");

    // A small page fits; what failed is neither known nor counted.
    let small = store.commit(page([Visit::new(60), Visit::new(200)])).await.unwrap();
    assert_eq!((small.records.duplicate, small.inserted), (1, 1));
    limit(&store, None).await;
    let again = page((50..MANY).map(|key| Visit::new(key).version(2, 9)));
    let committed = store.commit(again).await.unwrap();
    assert_eq!((committed.updated, committed.inserted), (51, MANY - 101));
    let after = seen(&store);
    store.close().await;
    let store = world.open();
    assert_eq!(seen(&store), after);
    store.close().await;
}

#[tokio::test]
async fn a_disk_that_is_full_while_the_log_is_written_back_loses_nothing_later() {
    let mut world = World::new();
    let store = world.open();
    store.commit(page((0..MANY).map(Visit::new))).await.unwrap();
    let mut pages = vec![page((0..MANY).map(Visit::new))];
    // From now on there is room for the log, and none once it has been written back.
    sql(&store, "CREATE TABLE ballast (b BLOB)").await;
    sql(
        &store,
        "CREATE TRIGGER heavy BEFORE UPDATE ON meta WHEN NOT EXISTS (SELECT 1 FROM entity_log)
         BEGIN INSERT INTO ballast VALUES (zeroblob(100000000)); END",
    )
    .await;
    limit(&store, Some(500)).await;
    let mut is_full = false;
    for version in 2..30 {
        // Corrections of the first chunk only, until the log wants to be written back.
        let corrected = || page((0..400).map(move |key| Visit::new(key).version(version, version)));
        match store.commit(corrected()).await {
            Ok(_) => pages.push(corrected()),
            Err(StoreError::Full) => {
                is_full = true;
                break;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(is_full && pages.len() > 5, "{} pages came through", pages.len());
    sql(&store, "DROP TRIGGER heavy").await;
    limit(&store, None).await;
    // There is room again; only the last chunk changes until the log has been written back.
    for version in 100..120 {
        let changed = || page((4200..MANY).map(move |key| Visit::new(key).version(version, 5)));
        store.commit(changed()).await.unwrap();
        pages.push(changed());
    }
    store.close().await;
    assert_eq!(stored(&world.path, "SELECT count(*) FROM entity_chunk"), 2);
    let store = recounted(&mut world).await;
    let cells = seen(&store).cells;
    store.close().await;
    assert_eq!(cells, expected(&world, pages).await);
}

pub(super) async fn sql(store: &Store, text: &str) {
    store.commands.send(Command::Sql(text.to_owned())).await.unwrap();
}

fn listing() -> Filter {
    Filter { limit: 1000, ..Filter::default() }
}

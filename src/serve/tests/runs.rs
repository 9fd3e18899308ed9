//! Pages of runs while runs go on.

use std::sync::Arc;

use super::world::context;
use super::{get, json};
use crate::model::snapshot::{Conservation, Outcome, RunLine, Snapshot};
use crate::model::time::Stamp;
use crate::serve::Context;

/// Lets the portal have runs that started at these seconds.
fn ran(context: &Context, starts: &[i64]) {
    let before = Snapshot::clone(&context.snapshot.load());
    let mut streams = before.streams.clone();
    let mut portal = (*streams["portal.dossiers"]).clone();
    portal.runs = starts
        .iter()
        .map(|started| RunLine {
            started: Stamp(*started),
            ended: Stamp(started + 1),
            outcome: Outcome::Ok,
            pages: 1,
            records: Conservation::default(),
            message: None,
        })
        .collect();
    streams.insert("portal.dossiers".to_owned(), Arc::new(portal));
    let revision = before.revision + 1;
    context.snapshot.store(Arc::new(Snapshot { revision, streams, ..before }));
}

#[actix_web::test]
async fn pages_of_runs_neither_skip_nor_repeat_while_runs_come_and_go() {
    let context = context();
    let seconds: Vec<i64> = (1..=10).collect();
    ran(&context, &seconds);
    let mut path = "/v1/sources/portal/runs?limit=3".to_owned();
    let mut seen = Vec::new();
    for page in 1..=5 {
        let body = json(&context, &path).await;
        seen.extend(body["items"].as_array().unwrap().iter().map(|run| {
            let started = run["started"].as_str().unwrap();
            Stamp::parse(started).unwrap().0
        }));
        // Two more have run, and the two oldest are forgotten.
        let (oldest, newest) = (page * 2 - 1, 10 + page * 2);
        ran(&context, &(oldest.min(4)..=newest).collect::<Vec<i64>>());
        match body["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    // What was there all the time is met once, the newest first.
    assert_eq!(seen, [10, 9, 8, 7, 6, 5, 4, 3]);
}

#[actix_web::test]
async fn a_cursor_that_is_none_and_a_stream_that_is_none_are_refused() {
    let context = context();
    for (path, parameter) in [
        ("/v1/sources/portal/runs?cursor=x", "cursor"),
        ("/v1/sources/portal/runs?cursor=1.2", "cursor"),
        ("/v1/sources/portal/runs?stream=dosiers", "stream"),
        ("/v1/sources/portal/runs?limit=1001", "limit"),
    ] {
        let reply = get(&context, path).await;
        assert_eq!(reply.status, 400, "{path}: {}", reply.text());
        assert_eq!(reply.json()["errors"][0]["parameter"], parameter, "{path}");
    }
    assert_eq!(get(&context, "/v1/sources/nobody/runs").await.status, 404);
}

//! A stretch of the past, as it is asked for and ended over the API.

use std::sync::Arc;

use actix_web::test::TestRequest;
use serde_json::json as object;

use super::custody::{allowing, post, problem};
use super::world::context;
use super::{Reply, get, json, send};
use crate::model::backfill::{Backfill, State, Wanted};
use crate::model::snapshot::{Paused, Rebuilding, Snapshot};
use crate::model::time::Stamp;
use crate::serve::Context;

/// The number that the custodian of these tests gives.
const ID: u64 = 7;

pub(super) fn backfill(state: State) -> Backfill {
    Backfill {
        id: ID,
        wanted: Wanted {
            source: "portal".to_owned(),
            stream: "dossiers".to_owned(),
            from: Stamp::parse("2024-03-01T00:00:00+07:00").unwrap(),
            until: Stamp::parse("2024-03-05T00:00:00+07:00").unwrap(),
            step: 86_400,
            by: "a steward".to_owned(),
        },
        asked: Stamp::parse("2024-04-02T16:58:00+07:00").unwrap(),
        ended: None,
        state,
        reached: Stamp::parse("2024-03-02T00:00:00+07:00").unwrap(),
        received: 40,
        accepted: 3,
        failures: 1,
        message: Some("no answer within 20s".to_owned()),
    }
}

pub(super) fn with(context: &Context, change: impl FnOnce(&mut Snapshot)) {
    let mut snapshot = Snapshot::clone(&context.snapshot.load());
    change(&mut snapshot);
    context.snapshot.store(Arc::new(snapshot));
}

async fn delete(context: &Arc<Context>, path: &str) -> Reply {
    send(context, TestRequest::delete().uri(path)).await
}

const ASKED: &str = r#"{"stream": "portal.dossiers", "from": "2024-03-01", "to": "2024-03-05", "by": " a steward "}"#;

#[actix_web::test]
async fn it_is_asked_for_by_days_and_answered_with_the_job_that_it_is() {
    let (context, noting) = allowing();
    with(&context, |snapshot| snapshot.backfills = Arc::new(vec![backfill(State::Running)]));
    let reply = post(&context, "/v1/backfills", ASKED).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    assert_eq!(reply.header("location"), "/v1/jobs/backfill:7");
    assert_eq!(reply.header("cache-control"), "no-store");
    let body = reply.json();
    assert_eq!(body["links"]["source"], "/v1/sources/portal");
    insta::assert_json_snapshot!("backfill", body["item"]);
    assert_eq!(
        *noting.0.lock().unwrap(),
        [
            "backfill portal.dossiers 2024-03-01T00:00:00+07:00 2024-03-05T00:00:00+07:00 86400 a steward"
        ]
    );
    let listed = json(&context, "/v1/jobs").await;
    assert_eq!(listed["items"], object!([body["item"]]));
    assert_eq!(json(&context, "/v1/jobs/backfill:7").await["item"], body["item"]);
    let table = get(&context, "/v1/jobs?format=csv").await;
    assert!(
        table.text().contains("backfill:7,backfill,portal.dossiers,running,1,4"),
        "{}",
        table.text()
    );
}

#[actix_web::test]
async fn it_is_ended_by_its_address_and_nothing_else_is() {
    let (context, noting) = allowing();
    with(&context, |snapshot| {
        snapshot.backfills = Arc::new(vec![backfill(State::Cancelled)]);
        snapshot.rebuilding.insert("dossiers.later".to_owned(), Rebuilding { done: 3, total: 4 });
    });
    let reply = delete(&context, "/v1/jobs/backfill:7").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["item"]["state"], "cancelled");
    assert_eq!(*noting.0.lock().unwrap(), ["cancel 7"]);
    let unknown = delete(&context, "/v1/jobs/backfill:8").await;
    assert_eq!(problem(&unknown, 404, "unknown-job")["suggestions"], object!(["backfill:7"]));
    for unknown in ["backfill:x", "history:portal.dossiers", "nonsense"] {
        problem(&delete(&context, &format!("/v1/jobs/{unknown}")).await, 404, "unknown-job");
    }
    let not_asked = delete(&context, "/v1/jobs/rebuild:dossiers.later").await;
    problem(&not_asked, 409, "job-not-asked");
    assert_eq!(noting.0.lock().unwrap().len(), 1);
    let stranger = delete(&super::world::context(), "/v1/jobs/backfill:7").await;
    problem(&stranger, 401, "key-needed");
    assert_eq!(post(&context_of_readers(), "/v1/backfills", ASKED).await.status, 401);
}

fn context_of_readers() -> Arc<Context> {
    context()
}

#[actix_web::test]
async fn what_cannot_be_asked_for_is_said_with_what_to_do_instead() {
    let (context, noting) = allowing();
    for (body, said) in [
        (r#"{"stream": "portal", "from": "2024-03-01", "by": "x"}"#, "source.stream"),
        (r#"{"stream": "portal.x", "from": "2024-03-01", "by": "x"}"#, "one of: dossiers"),
        (r#"{"stream": "portal.dossiers", "from": "1 March", "by": "x"}"#, "a day such as"),
        (
            r#"{"stream": "portal.dossiers", "from": "2024-03-01", "to": "2024-02-30", "by": "x"}"#,
            "'to' is a day",
        ),
        (
            r#"{"stream": "portal.dossiers", "from": "2024-03-05", "to": "2024-03-05", "by": "x"}"#,
            "before 'to'",
        ),
        (r#"{"stream": "portal.dossiers", "from": "2024-05-01", "by": "x"}"#, "before now"),
        (
            r#"{"stream": "portal.dossiers", "from": "2024-03-01", "to": "2025-01-01", "by": "x"}"#,
            "still to come",
        ),
        (r#"{"stream": "portal.dossiers", "from": "2004-03-01", "by": "x"}"#, "at most 5000"),
        (r#"{"stream": "portal.dossiers", "from": "2024-03-01", "by": " "}"#, "'by' is needed"),
        (r#"{"stream": "portal.dossiers", "from": "2024-03-01"}"#, "by"),
        (
            r#"{"stream": "portal.dossiers", "from": "2024-03-01", "by": "x", "until": "2024-03-02"}"#,
            "until",
        ),
    ] {
        let refused = problem(&post(&context, "/v1/backfills", body).await, 400, "bad-body");
        assert!(refused["detail"].as_str().unwrap().contains(said), "{body}: {refused}");
    }
    let unknown = r#"{"stream": "portla.dossiers", "from": "2024-03-01", "by": "x"}"#;
    let unknown = post(&context, "/v1/backfills", unknown).await;
    assert_eq!(problem(&unknown, 404, "unknown-source")["suggestions"], object!(["portal"]));
    with(&context, |snapshot| {
        let (by, why) = ("a steward".to_owned(), "its owner asked".to_owned());
        snapshot.paused.insert("portal".to_owned(), Paused { by, why, since: snapshot.at });
        snapshot.backfills = Arc::new(vec![backfill(State::Running)]);
    });
    problem(&post(&context, "/v1/backfills", ASKED).await, 409, "source-is-paused");
    let waiting = json(&context, "/v1/jobs/backfill:7").await;
    assert_eq!(waiting["item"]["state"], "paused");
    assert_eq!(waiting["item"]["backfill"]["eta_seconds"], object!(null));
    assert!(noting.0.lock().unwrap().is_empty());
}

#[test]
fn streams_that_cannot_say_where_they_end_are_asked_up_to_now_and_others_not_at_all() {
    use crate::model::backfill::Past;
    use crate::serve::wanted_backfill as wanted;
    let now = Stamp::parse("2024-04-02T16:59:40+07:00").unwrap();
    let ask = |past, to| {
        let named = ("a".to_owned(), "b".to_owned());
        wanted(past, named, ("2024-04-01", to), "x".to_owned(), now)
    };
    let onward = ask(Past::Onward, None).unwrap();
    assert_eq!((onward.until, onward.slices()), (now, 1));
    assert!(ask(Past::Onward, Some("2024-04-02")).unwrap_err().contains("leave 'to' out"));
    assert!(ask(Past::Never("it is pushed to"), None).unwrap_err().contains("it is pushed to"));
    assert_eq!(ask(Past::Slices(3600), None).unwrap().slices(), 41);
}

#[actix_web::test]
async fn the_page_of_jobs_tells_what_goes_on_first_and_how_it_is_ended() {
    let (context, _) = allowing();
    let nothing = get(&context, "/jobs").await;
    assert!(nothing.text().contains("Nothing is under way"), "{}", nothing.text());
    assert!(nothing.text().contains("iocgw source backfill SOURCE.STREAM"), "{}", nothing.text());
    let of = |state, id| Backfill { id, ..backfill(state) };
    let jobs = [(State::Done, 4), (State::Running, 3), (State::Failed, 2), (State::Cancelled, 1)];
    with(&context, |snapshot| {
        snapshot.backfills =
            Arc::new(jobs.into_iter().rev().map(|(state, id)| of(state, id)).collect());
        let at = Rebuilding { done: 250, total: 1000 };
        snapshot.rebuilding.insert("dossiers.received".to_owned(), at);
    });
    let reply = get(&context, "/jobs").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let page = reply.text();
    let rows: Vec<&str> = page.split("<tr id=\"").skip(1).collect();
    let order: Vec<&str> = rows.iter().filter_map(|row| row.split('"').next()).collect();
    let ids = ["backfill:2", "rebuild:dossiers.received", "backfill:3", "backfill:1", "backfill:4"];
    assert_eq!(order, ids);
    for part in ["25\u{a0}%", "250/1.000 hồ sơ"] {
        assert!(rows[1].contains(part), "{part}: {}", rows[1]);
    }
    // One slice of four in two and a half minutes.
    let told = [
        "khoảng 7 phút",
        "1/4 lát thời gian",
        "01/03/2024 00:00",
        "a steward yêu cầu",
        "40 bản ghi, 3 mới",
        "no answer within 20s",
        "iocgw source cancel-backfill backfill:3 --url http://127.0.0.1:8080",
    ];
    for part in told {
        assert!(rows[2].contains(part), "{part}: {}", rows[2]);
    }
    assert!(rows[0].contains("could not go on") && !rows[0].contains("cancel-backfill"));
    assert!(page.contains("<span class=\"number\">2</span>"), "two are under way");
    problem(&get(&context, "/jobs?x=1").await, 400, "unknown-parameter");
}

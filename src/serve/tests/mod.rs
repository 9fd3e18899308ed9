//! The API and the first page, in process, over small snapshots made by hand.
//!
//! [`world`] makes a tiny province whose figures can be checked in one's head; each file here holds
//! one side of the server against it.

mod access;
mod alerts;
mod api;
mod backfills;
mod base;
mod batch;
mod boards;
mod boundaries;
mod caching;
mod console;
mod custody;
mod events;
mod filter;
mod gallery;
mod geo;
mod hostile;
mod hours;
mod injected;
mod intake;
mod kept;
mod lateness;
mod lineage;
mod lists;
mod past;
mod prometheus;
mod quality;
mod reference;
mod refusals;
mod repeats;
mod runs;
mod socket;
mod sources;
mod steering;
mod story;
mod trackers;
mod webhooks;
mod world;

use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::http::header::HeaderMap;
use actix_web::middleware::{Compress, from_fn};
use actix_web::{App, test, web};
use serde_json::Value;

use super::{Context, Contexts, Offers, guard, routes};

/// What came back.
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Sends a request through every layer.
async fn send(context: &Arc<Context>, request: test::TestRequest) -> Reply {
    send_to(context, Offers::All, request).await
}

/// Sends a request through every layer of such a listener.
async fn send_to(context: &Arc<Context>, offers: Offers, request: test::TestRequest) -> Reply {
    let base = offers.base(&context.base);
    let app = App::new()
        .app_data(web::Data::new(Contexts::new(context.clone())))
        .app_data(offers)
        .configure(|config| routes::configure(config, &base, offers))
        .wrap(Compress::default())
        .wrap(from_fn(guard::guard));
    let service = test::init_service(app).await;
    let response = test::call_service(&service, request.to_request()).await;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let Ok(body) = to_bytes(response.into_body()).await else { panic!("the body can be read") };
    Reply { status, headers, body: body.to_vec() }
}

/// Reads an address.
async fn get(context: &Arc<Context>, uri: &str) -> Reply {
    send(context, test::TestRequest::get().uri(uri)).await
}

/// Reads an address that must answer with JSON.
async fn json(context: &Arc<Context>, uri: &str) -> Value {
    let reply = get(context, uri).await;
    assert_eq!(reply.status, 200, "{uri}: {}", reply.text());
    assert_eq!(reply.header("content-type"), "application/json");
    reply.json()
}

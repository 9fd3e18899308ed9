//! Hands deliveries from the API to the streams that take them.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;

use crate::model::intake::{Pushed, Refused, Taken};
use crate::pipeline::{self, Shared, Stream};
use crate::serve;

/// The streams, of which some are pushed to.
pub(super) struct Intake {
    pub(super) streams: Vec<Arc<Stream>>,
    pub(super) shared: Shared,
    /// Where deliveries are worked on: a client that goes away must not end one half-way.
    pub(super) runtime: Handle,
}

impl Intake {
    fn stream(&self, name: &str) -> Option<&Arc<Stream>> {
        let (source, stream) = name.split_once('.')?;
        let mut streams = self.streams.iter().filter(|each| each.intake.is_some());
        streams.find(|each| each.source == source && each.name == stream)
    }
}

impl serve::Intake for Intake {
    fn body_limit(&self, stream: &str) -> Option<u64> {
        self.stream(stream)?.intake.as_ref().map(pipeline::Intake::body_limit)
    }

    fn push(&self, stream: &str, pushed: Pushed) -> BoxFuture<'static, Result<Taken, Refused>> {
        let Some(stream) = self.stream(stream).map(Arc::clone) else {
            return std::future::ready(Err(Refused::Unknown)).boxed();
        };
        let shared = self.shared.clone();
        let work =
            self.runtime.spawn(async move { pipeline::push(&stream, &shared, pushed).await });
        let fault = || Refused::Unavailable("A fault of the gateway.".to_owned());
        async move { work.await.unwrap_or_else(|_| Err(fault())) }.boxed()
    }
}

//! From sockets and settings to listeners: where is answered, how, and for what.

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::{Server, ServerHandle};
use anyhow::Context as _;
use tokio::task::JoinHandle;

use super::Gateway;
use crate::pull::OwnCertificate;
use crate::serve::{self, Contexts, Offers};

/// Threads that answer at the main listener, and at one for metrics alone.
const WORKERS: (usize, usize) = (2, 1);

/// The servers at work.
pub(super) struct Serving(Vec<(ServerHandle, JoinHandle<std::io::Result<()>>)>);

impl Serving {
    fn new(servers: impl IntoIterator<Item = Server>) -> Self {
        let begun = servers.into_iter().map(|server| (server.handle(), tokio::spawn(server)));
        Self(begun.collect())
    }

    /// Lets answers under way end, then ends all of them.
    pub(super) async fn stop(self) {
        for (handle, serving) in self.0 {
            handle.stop(true).await;
            let _ = serving.await;
        }
    }
}

impl Gateway {
    /// Answers metrics on a listener of their own, and not on the main one.
    #[must_use]
    pub fn with_metrics_on(mut self, listener: TcpListener) -> Self {
        self.metrics_listener = Some(listener);
        self
    }

    /// Begins to answer.
    pub(super) fn listen(
        &mut self,
        contexts: &Arc<Contexts>,
        socket: TcpListener,
    ) -> anyhow::Result<Serving> {
        let address = socket.local_addr().context("the listening socket has no address")?;
        let (main, metrics) = WORKERS;
        let own = self.metrics_listener.take();
        let offers = if own.is_some() { Offers::AllButMetrics } else { Offers::All };
        let mut servers = vec![self.bound(contexts, socket, offers, main)?];
        if let Some(socket) = own {
            let address = socket.local_addr().context("the listening socket has no address")?;
            servers.push(self.bound(contexts, socket, Offers::Metrics, metrics)?);
            tracing::info!(%address, "metrics");
        }
        let is_tls = self.config.listener.tls.is_some();
        tracing::info!(%address, tls = is_tls, sources = self.config.sources.len(), indicators = self.config.catalogue.len(), config = self.config.hash, "listening");
        Ok(Serving::new(servers))
    }

    fn bound(
        &self,
        contexts: &Arc<Contexts>,
        socket: TcpListener,
        offers: Offers,
        workers: usize,
    ) -> anyhow::Result<Server> {
        let tls = self.config.listener.tls.as_ref();
        let tls = tls.map(|tls| tls.configuration(&self.settings.secrets)).transpose();
        let (tls, shown) = tls.context("the certificate of the listener")?.unzip();
        if let Some(shown) = shown {
            self.watch_certificate(&shown);
        }
        serve::bind(Arc::clone(contexts), serve::Listener { socket, tls, offers }, workers)
            .context("cannot serve on the listening socket")
    }

    /// Has metrics tell when the certificate that is shown ends.
    fn watch_certificate(&self, shown: &OwnCertificate) {
        let shown = shown.clone();
        self.metrics.own_certificate.watch(Box::new(move || shown.ends()));
    }
}

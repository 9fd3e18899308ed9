//! A simulated province that is served for the length of a test.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use ioc_gateway::province::{Province, Settings, serve};
use tokio_util::sync::CancellationToken;

/// The systems of a province on one loopback port; they stop when this is dropped.
pub(crate) struct Systems {
    pub(crate) province: Arc<Province>,
    pub(crate) variables: BTreeMap<String, String>,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Systems {
    pub(crate) fn start(settings: Settings) -> Self {
        let province = Province::new(settings);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let variables =
            province.urls(address).into_iter().map(|(name, url)| (name.to_owned(), url)).collect();
        let stop = CancellationToken::new();
        let (serving, stopping) = (Arc::clone(&province), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(serve(serving, listener, stopping)).unwrap();
        });
        Self { province, variables, stop, thread: Some(thread) }
    }

    /// Writes the secrets that the shipped configuration names, and an identifier key.
    pub(crate) fn write_secrets(&self, folder: &Path) {
        std::fs::create_dir_all(folder).unwrap();
        for (name, secret) in self.province.secrets() {
            std::fs::write(folder.join(name), secret).unwrap();
        }
        std::fs::write(
            folder.join("identifier_key"),
            "an identifier key for tests, and for tests only",
        )
        .unwrap();
    }
}

impl Drop for Systems {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

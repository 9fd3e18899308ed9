//! A simulated province that is served for the length of a test.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use ioc_gateway::clock::Clock;
use ioc_gateway::province::{Fleet, Now, Province, Settings, serve};
use tokio_util::sync::CancellationToken;

use super::{Gateway, shipped};

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

/// The shipped configuration on a small healthy province, after every stream's first good run.
pub(crate) struct Pulled {
    pub(crate) gateway: Gateway,
    _systems: Systems,
    _folder: tempfile::TempDir,
}

impl Pulled {
    /// Pulls two months of the province that follows from `seed`.
    pub(crate) fn start(seed: u64) -> Self {
        Self::start_with(&shipped(), seed)
    }

    /// The same with another configuration.
    pub(crate) fn start_with(config: &Path, seed: u64) -> Self {
        let mut settings = Settings::new(seed, Now::Live(Clock::System));
        let fleet = Fleet { silent: 0.0, slow: 0.0 };
        (settings.months, settings.scale, settings.fleet) = (2, 0.05, fleet);
        let systems = Systems::start(settings);
        let folder = tempfile::tempdir().unwrap();
        systems.write_secrets(&folder.path().join("secrets"));
        let gateway = Gateway::start(config, folder.path(), &systems.variables);
        gateway.wait_until("a good run of every stream", "/v1/sources", |answer| {
            let sources = answer.json();
            let sources = sources["items"].as_array().unwrap();
            sources
                .iter()
                .flat_map(|source| source["streams"].as_array().unwrap())
                .all(|stream| !stream["freshness"]["last_success_at"].is_null())
        });
        Self { gateway, _systems: systems, _folder: folder }
    }
}

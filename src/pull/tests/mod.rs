//! Whole runs against a scripted source on loopback: each rule of this stage, seen from outside.
//!
//! Waits are real but tiny (a retry waits at most 2 ms, a deadline is a fraction of a second);
//! no test sleeps to let something happen.

mod credentials;
mod hostile;
mod outward;
mod politeness;
mod requests;
mod rules;
mod runs;
mod tls;
mod tokens;
mod transport;
mod upstream;

use std::time::Duration;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{
    Authenticator, CircuitBreaker, Context, Holders, Outbound, Page, PullError, Requester, Retry,
    Run, Source, SourceRate, Stream, Turn, Vars,
};
use crate::clock::Clock;
use crate::model::time::Stamp;
use crate::model::units::Span;
use upstream::Upstream;

/// A source as a test configures it; everything not named is harmless.
struct Setup {
    secrets: TempDir,
    requester: String,
    authenticator: String,
    rate: Option<SourceRate>,
    breaker: CircuitBreaker,
    outbound: Outbound,
    retry: Retry,
    stop: CancellationToken,
}

impl Setup {
    fn new(upstream: &Upstream) -> Self {
        Self {
            secrets: tempfile::tempdir().unwrap(),
            requester: format!("url: '{}'", upstream.url()),
            authenticator: "{kind: none}".to_owned(),
            rate: None,
            breaker: CircuitBreaker::default(),
            outbound: Outbound::new(&serde_saphyr::from_str("{allow: [127.0.0.0/8]}").unwrap()),
            retry: Retry {
                max_retries: 2,
                first: Span(Duration::from_millis(1)),
                longest: Span(Duration::from_millis(2)),
                ..Retry::default()
            },
            stop: CancellationToken::new(),
        }
    }

    fn requester(mut self, more: &str) -> Self {
        self.requester = format!("{}, {more}", self.requester);
        self
    }

    fn authenticator(mut self, yaml: impl Into<String>) -> Self {
        self.authenticator = yaml.into();
        self
    }

    fn retries(mut self, max_retries: u32) -> Self {
        self.retry.max_retries = max_retries;
        self
    }

    fn secret(self, name: &str, value: &str) -> Self {
        std::fs::write(self.secrets.path().join(name), value).unwrap();
        self
    }

    fn source(&self) -> Source {
        self.source_in(self.context())
    }

    /// Two sources of one process.
    fn two_sources(&self) -> [Source; 2] {
        let context = self.context();
        [self.source_in(context.clone()), self.source_in(context)]
    }

    fn context(&self) -> Context {
        Context {
            clock: Clock::standing(now()),
            secrets_dir: self.secrets.path().to_owned(),
            state_dir: self.secrets.path().join("state"),
            holders: Holders::default(),
            stop: self.stop.clone(),
            seed: 1,
            outbound: self.outbound.clone(),
        }
    }

    fn source_in(&self, context: Context) -> Source {
        let requester: Requester =
            serde_saphyr::from_str(&format!("{{{}}}", self.requester)).unwrap();
        let authenticator: Authenticator = serde_saphyr::from_str(&self.authenticator).unwrap();
        let mut problems = Vec::new();
        requester.check("requester", &mut problems);
        authenticator.check("authenticator", &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        let politeness = (self.rate.as_ref(), self.breaker.clone());
        Source::new(requester, authenticator, politeness, self.retry.clone(), context).unwrap()
    }

    /// A run over `/rows` with the given paginator.
    fn run(&self, paginator: &str) -> Run {
        run(&self.source(), &format!("{{path: /rows, paginator: {paginator}}}"))
    }

    /// The first page of a single-page stream.
    async fn first(&self) -> Result<Page, PullError> {
        self.run("{kind: none}").next().await.map(|page| page.expect("a first page"))
    }
}

fn now() -> Stamp {
    Stamp::parse("2024-04-02T10:00:00Z").unwrap()
}

fn vars() -> Vars {
    Vars::at(now())
}

fn run(source: &Source, stream: &str) -> Run {
    let stream: Stream = serde_saphyr::from_str(stream).unwrap();
    source.run(&stream, &vars())
}

fn turn(next: &str, raw_records: usize) -> Turn {
    Turn { next: Some(next.to_owned()), raw_records, ..Turn::default() }
}

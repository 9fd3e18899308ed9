//! One source at run time: HTTP client, credentials, gate and retry policy, shared by its runs.
//!
//! Cheap to clone. Sources share nothing but the places of [`Outbound`], of which each can take no
//! more than its own share, and rates that they name together: a sick one cannot delay another.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::auth::Authenticator;
use super::breaker::{Breaker, CircuitBreaker};
use super::budget::Budget;
use super::client::{Client, Requester};
use super::denial::Denials;
use super::error::PullError;
use super::keyring::Keyring;
use super::limit::{Gate, Rate, SourceRate};
use super::retry::Retry;
use super::run::Run;
use super::stream::Stream;
use super::{Context, Vars};
use crate::model::snapshot::Circuit;
use crate::model::time::Stamp;

/// One remote system, ready to be asked.
#[derive(Clone, Debug)]
pub struct Source(pub(super) Arc<Parts>);

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) requester: Requester,
    pub(super) client: Client,
    pub(super) keyring: Keyring,
    pub(super) gate: Gate,
    pub(super) denials: Denials,
    pub(super) breaker: Breaker,
    pub(super) budget: Budget,
    pub(super) retry: Retry,
    pub(super) context: Context,
    random: Mutex<fastrand::Rng>,
}

impl Source {
    /// Prepares the source; talks to nobody. Fails if TLS is needed and no certificates are found.
    pub fn new(
        requester: Requester,
        authenticator: Authenticator,
        (rate_limit, circuit_breaker): (Option<&SourceRate>, CircuitBreaker),
        retry: Retry,
        context: Context,
    ) -> Result<Self, PullError> {
        let needs_tls = requester.url.starts_with("https") || authenticator.needs_tls();
        let outbound = &context.outbound;
        let rate = rate_limit.map_or_else(
            || Ok(Arc::new(Rate::new(None))),
            |rate_limit| rate_limit.find(outbound),
        )?;
        Ok(Self(Arc::new(Parts {
            client: Client::new(
                &requester,
                (needs_tls, authenticator.identity()),
                outbound,
                &context.secrets_dir,
            )?,
            keyring: Keyring::new(authenticator, &context),
            gate: Gate::new(rate, requester.at_once, Arc::clone(&outbound.at_once)),
            breaker: Breaker::new(circuit_breaker, context.clock.clone()),
            budget: Budget::new(retry.budget_percent),
            denials: Denials::default(),
            retry,
            random: Mutex::new(fastrand::Rng::with_seed(context.seed)),
            requester,
            context,
        })))
    }

    /// Gets what the source wants as a proof of who asks, and asks for nothing else; for those who
    /// try a source step by step.
    pub async fn authenticate(&self) -> Result<(), PullError> {
        let credential = self.0.keyring.credential(&self.0.client).await;
        credential.map(drop).map_err(|failure| failure.error)
    }

    /// Starts one turn of a stream; nothing is asked before [`Run::next`].
    pub fn run(&self, stream: &Stream, vars: &Vars) -> Run {
        Run::new(self.clone(), stream, vars)
    }

    /// Cancelled when the process stops.
    pub fn stop(&self) -> &CancellationToken {
        &self.0.context.stop
    }

    /// When the first of the certificates that source and gateway show each other ends.
    pub fn credential_expiry(&self) -> Option<Stamp> {
        self.0.client.expiry()
    }

    /// Whether the source is asked or left alone.
    pub fn circuit(&self) -> Circuit {
        self.0.breaker.circuit()
    }

    /// Goes on with the circuit as an earlier process left it.
    pub fn resume(&self, circuit: Circuit) {
        self.0.breaker.resume(circuit);
    }

    /// A generator of its own for one run, so that runs do not wait for each other.
    pub(super) fn fork_random(&self) -> fastrand::Rng {
        self.0.random.lock().unwrap_or_else(PoisonError::into_inner).fork()
    }
}

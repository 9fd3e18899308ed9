//! When a gateway that serves is over: when it is told to stop, or when a part of it has ended that has no
//! business ending. The latter is an error, so that whoever watches the process starts it again.

use anyhow::anyhow;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::store::StoreError;

/// Why a part that has no business ending ended.
const FAULT: &str = "has ended by a fault of the gateway; its log says where";

/// Waits for the end, and says whether it was asked for. May be dropped and called again.
pub(super) async fn over(
    stop: &CancellationToken,
    failures: &mut watch::Receiver<Option<StoreError>>,
    beside: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        _ = failures.changed() => {
            // Nobody is left to say why where the store's thread has panicked.
            let said = failures.borrow().clone();
            Err(said.map_or_else(|| anyhow!("the store {FAULT}"), Into::into))
        }
        Some(_) = beside.join_next() => Err(anyhow!("what runs beside the turns {FAULT}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fatal = watch::Sender<Option<StoreError>>;

    /// How it ends when the store does this with its word, and this runs beside.
    async fn ending(store: impl FnOnce(Fatal) -> Option<Fatal>, beside: JoinSet<()>) -> String {
        told(store, beside, &CancellationToken::new()).await
    }

    async fn told(
        store: impl FnOnce(Fatal) -> Option<Fatal>,
        mut beside: JoinSet<()>,
        stop: &CancellationToken,
    ) -> String {
        let (fatal, mut failures) = watch::channel(None);
        let _kept = store(fatal);
        let over = over(stop, &mut failures, &mut beside).await;
        over.map_or_else(|error| error.to_string(), |()| "asked for".to_owned())
    }

    fn runs() -> JoinSet<()> {
        let mut beside = JoinSet::new();
        beside.spawn(std::future::pending());
        beside
    }

    #[tokio::test]
    async fn a_part_that_ends_by_itself_is_an_error_and_a_stop_is_none() {
        let mut panics = runs();
        panics.spawn(async { std::panic::panic_any("CANARY") });
        let said = ending(Some, panics).await;
        assert!(said.starts_with("what runs beside the turns has ended by a fault"), "{said}");
        let said = ending(|_| None, runs()).await;
        assert!(said.starts_with("the store has ended by a fault"), "{said}");
        let fails = |fatal: Fatal| {
            fatal.send_replace(Some(StoreError::Fatal("the disk is gone".to_owned())));
            None
        };
        let said = ending(fails, runs()).await;
        assert!(said.contains("the disk is gone"), "{said}");
        let (stop, mut done) = (CancellationToken::new(), runs());
        stop.cancel();
        done.spawn(std::future::ready(()));
        assert_eq!(told(|_| None, done, &stop).await, "asked for");
    }
}

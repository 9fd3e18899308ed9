//! Deadlines that pass whether or not anybody is asked.
//!
//! What a run finds is judged at its end. Besides, somebody has to say that another report has become
//! due, and that one that should have been pushed has not been: once a minute the store is told to
//! look at its register.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::model::time::Stamp;
use crate::store::StoreError;

/// How often the register is gone through.
const EVERY: Duration = Duration::from_mins(1);

/// Keeps the register up with the time until `stop`; the gateway has been listening since `since`.
pub async fn keep(shared: Shared, since: Stamp, stop: CancellationToken) {
    loop {
        match shared.store.judge(since).await {
            // A full disk is told by every run; the register is written when there is room.
            Ok(()) | Err(StoreError::Full) => {}
            Err(_) => return,
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

//! Sends what is in quarantine through the present contracts again.
//!
//! Some thousand records at a time are read, normalised off the async threads and committed, so memory
//! stays bounded and pages of running turns go in between. It is idempotent by nature: what passed is
//! no longer there, what did not is refused again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Failure, Shared, Stream};
use crate::model::observation::Observations;
use crate::model::quarantine::{Filter, ReplaySummary};
use crate::model::time::Stamp;
use crate::normalise::Replayer;
use crate::store::{Batch, Held, Replay, StoreError};

/// Records per commit.
const STEP: usize = 5000;

/// Replays every record that matches and may still matter.
pub async fn replay(
    streams: &[Arc<Stream>],
    shared: &Shared,
    filter: &Filter,
) -> Result<ReplaySummary, StoreError> {
    let mut outcome = ReplaySummary::default();
    for stream in streams {
        let is_meant = |wanted: &Option<String>, name: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == name)
        };
        // What a stream sent under another contract is not this contract's to judge.
        if is_meant(&filter.source, &stream.source)
            && is_meant(&filter.stream, &stream.name)
            && is_meant(&filter.contract, &stream.schema().name)
        {
            replay_stream(stream, shared, filter, &mut outcome).await?;
        }
    }
    Ok(outcome)
}

async fn replay_stream(
    stream: &Arc<Stream>,
    shared: &Shared,
    filter: &Filter,
    outcome: &mut ReplaySummary,
) -> Result<(), StoreError> {
    let mut filter = Filter {
        source: Some(stream.source.clone()),
        stream: Some(stream.name.clone()),
        contract: Some(stream.schema().name.clone()),
        limit: STEP,
        ..filter.clone()
    };
    loop {
        let (store, asked, now) = (shared.store.clone(), filter.clone(), shared.clock.now());
        let of = Arc::clone(stream);
        let work = tokio::task::spawn_blocking(move || {
            let held = store.held(&asked)?;
            Ok::<_, StoreError>(held.last().map(|last| (last.id, again(&of, &held, now))))
        });
        let read =
            work.await.map_err(|error| StoreError::Fatal(Failure::from(error).to_string()))??;
        let Some((last, (replay, reasons))) = read else { return Ok(()) };
        outcome.still_refused += replay.refused.len() as u64;
        for (reason, count) in reasons {
            *outcome.by_reason.entry(reason).or_default() += count;
        }
        outcome.replayed += shared.store.replay(replay).await?.records;
        filter.after = Some(last);
    }
}

/// Some records after they went through the contract, and how many were refused for what.
fn again(stream: &Stream, held: &[Held], now: Stamp) -> (Replay, BTreeMap<String, u64>) {
    let replayer = Replayer::new(&stream.normaliser);
    let mut observations = Observations::new(stream.schema().fields.len());
    let (mut passed, mut refused, mut reasons) = (Vec::new(), Vec::new(), BTreeMap::new());
    for Held { id, values, .. } in held {
        let reject = match replayer.record(values, now) {
            Ok(mut out) => {
                if out.observations.len() == 1 {
                    observations.append(out.observations);
                    passed.push(*id);
                    continue;
                }
                out.rejects.pop()
            }
            Err(_) => None,
        };
        let reason = reject.as_ref().map_or("not_replayable", |reject| reject.reason.as_str());
        *reasons.entry(reason.to_owned()).or_default() += 1;
        refused.push((*id, reject));
    }
    let batch = Batch {
        stream: stream.index,
        received: 0,
        observations,
        rejects: Vec::new(),
        contract_version: stream.schema().version,
        cursor: None,
        at: now,
    };
    (Replay { batch, passed, refused }, reasons)
}

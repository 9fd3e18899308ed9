//! One turn of a fleet: every target is asked once, and each yields exactly one record.
//!
//! A silent target sends nothing, so the gateway itself records that it was silent: the record holds
//! the target's labels, the time slot and `up`. Records of the same target and slot are versions of
//! one entity, the last poll of a slot decides; polling every minute therefore does not grow the
//! store every minute.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;

use super::turn::{admit, note};
use super::{Failure, Fleet, Progress, Shared, Stream, Target};
use crate::decode::Decoded;
use crate::model::drift::Audit;
use crate::model::observation::Observations;
use crate::model::record::{Records, Value};
use crate::model::time::Stamp;
use crate::normalise::{Normalised, Surroundings, Target as Polled};
use crate::pull::{Ending, Page, PullError, Tally, Turn, Vars};
use crate::store::Batch;

/// What one target gave.
struct Answer {
    normalised: Normalised,
    up: bool,
    tally: Tally,
}

pub(super) async fn poll(
    stream: &Arc<Stream>,
    shared: &Shared,
    started: Stamp,
    progress: &mut Progress,
) -> Result<Ending, Failure> {
    let Some(fleet) = &stream.fleet else { return Ok(Ending::Complete) };
    let length = fleet.slot.as_seconds().max(1);
    let slot = Stamp(started.0.div_euclid(length) * length);
    let mut answers = stream::iter(0..fleet.targets.len())
        .map(|i| ask(stream, shared, &fleet.targets[i], slot, started))
        .buffer_unordered(fleet.concurrency.max(1));
    let mut page = Observations::new(stream.schema().fields.len());
    let (mut rejects, mut up, mut received) = (Vec::new(), 0, 0);
    let mut audit = Audit::default();
    while let Some(answer) = answers.next().await {
        let Answer { normalised, up: is_up, tally } = answer?;
        shared.metrics.cost(
            &stream.source,
            &tally.requests,
            tally.retries,
            tally.bytes,
            &tally.durations,
        );
        audit.join(normalised.audit);
        page.append(normalised.observations);
        rejects.extend(normalised.rejects);
        up += u64::from(is_up);
        received += 1;
    }
    progress.targets = Some((up, received));
    progress.pages = up;
    admit(stream, shared, &audit, &rejects, progress)?;
    let began = Instant::now();
    let batch = Batch {
        stream: stream.index,
        received,
        observations: page,
        rejects,
        contract_version: stream.schema().version,
        cursor: None,
        at: shared.clock.now(),
    };
    let committed = shared.store.commit(batch).await?;
    note(stream, shared, &committed, progress, began);
    verdict(fleet, up)
}

/// A fleet of which nothing answers is a failed source; single silent targets are data.
fn verdict(fleet: &Fleet, up: u64) -> Result<Ending, Failure> {
    if up == 0 && !fleet.targets.is_empty() {
        let detail = format!("none of {} targets answered", fleet.targets.len());
        return Err(Failure::Pull(PullError::Transient {
            reason: crate::pull::Reason::Connect,
            detail,
        }));
    }
    Ok(Ending::Complete)
}

async fn ask(
    stream: &Stream,
    shared: &Shared,
    target: &Target,
    slot: Stamp,
    started: Stamp,
) -> Result<Answer, Failure> {
    let vars = Vars { target: Some(target.name.clone()), ..Vars::at(started) };
    let mut run = stream.puller.run(&stream.request, &vars);
    let mut answer = None;
    loop {
        match run.next().await {
            Ok(Some(page)) => match whole(stream, &page) {
                Ok(decoded) => {
                    answer = Some(normalise(stream, shared, target, slot, &decoded.records, true));
                    run.seen(&Turn { next: None, raw_records: decoded.records.count });
                }
                Err(why) => {
                    if run.refused(&why).is_err() {
                        break;
                    }
                }
            },
            Err(PullError::Stopped) => return Err(PullError::Stopped.into()),
            Ok(None) | Err(_) => break,
        }
    }
    let up = answer.is_some();
    let normalised = answer.unwrap_or_else(|| {
        let silent =
            Records { picks: stream.normaliser.pointers().len(), count: 1, ..Records::default() };
        let silent = Records { values: vec![Value::Absent; silent.picks], ..silent };
        normalise(stream, shared, target, slot, &silent, false)
    });
    Ok(Answer { normalised, up, tally: run.tally().clone() })
}

/// Decodes a target's answer, which is one record in whatever format.
fn whole<'a>(stream: &Stream, page: &'a Page) -> Result<Decoded<'a>, String> {
    let decoded = stream.decoder.decode_framed(&page.body, page.is_framed);
    let decoded = decoded.map_err(|error| error.to_string())?;
    match decoded.records.count {
        1 => Ok(decoded),
        count => Err(format!("a target's answer is one record, this one holds {count}")),
    }
}

fn normalise(
    stream: &Stream,
    shared: &Shared,
    target: &Target,
    slot: Stamp,
    records: &Records<'_>,
    up: bool,
) -> Normalised {
    let polled = Polled { name: &target.name, labels: &target.labels, slot, up };
    stream.normaliser.page(records, Surroundings { now: shared.clock.now(), target: Some(&polled) })
}

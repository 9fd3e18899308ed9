//! Lateness: when reports are due, and whether they were in; pure.
//!
//! A report is in when the stream's data reaches the end of the period that the report is for. It is
//! judged by looking: the first run that begins at or after the moment at which a report is due (the
//! schedule takes one extra turn then) either finds it in, or finds it missing, and what was found
//! missing stays late for ever. A source must not be blamed for what is ours:
//!
//! - A run that a fault of the gateway ended, or somebody's pause, has not looked.
//! - While the gateway is down nobody looks. If the first look afterwards finds the report, it counts
//!   as in time and is told as not witnessed; if it does not, the report was missing before as well.
//! - A source that pushes is not asked: its report is missing when the gateway has been listening
//!   since before the report was due, or for [`PATIENCE`] after it began to listen again.
//! - What was due before a stream had a rule is not entered.
//!
//! A run that fails because the source does not answer, or because its records break their contract,
//! has looked: the report was not to be had. Where a contract bounds the age of data, the stretches of
//! time in which they were older are entered beside the reports ([`age`]).

mod due;
mod spells;

pub use due::{Due, Promise};
pub use spells::{AgeLimit, age};

use crate::model::lateness::{LatenessRegister, REPORTS_KEPT, Report, ReportState};
use crate::model::time::Stamp;

/// How long after the gateway began to listen again a sender may still repeat what was refused.
pub const PATIENCE: i64 = 3600;

/// A look within so many seconds after a report was due has witnessed it.
pub const PROMPT: i64 = 900;

/// Why a look of a good run found nothing.
pub const NOT_THERE: &str = "not_there";

/// What is known when a register is gone through.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The time up to which the stream's data is believed complete.
    pub data_through: Option<Stamp>,
    /// The run that has just ended, if one has looked.
    pub look: Option<Look<'a>>,
    /// Since when the gateway has been listening to what is pushed, if that is known.
    pub listening_since: Option<Stamp>,
    /// The present moment.
    pub now: Stamp,
}

/// One run of the stream.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// When it began.
    pub began: Stamp,
    /// Why the source's data could not be had, if it could not.
    pub failed_by: Option<&'a str>,
}

/// Enters what has become due and judges what has not been judged; nothing if nothing changes.
pub fn pass(
    known: &LatenessRegister,
    promise: &Promise,
    sight: Sight<'_>,
) -> Option<LatenessRegister> {
    let mut register = known.clone();
    enter(&mut register, promise, sight.now);
    for report in &mut register.reports {
        judge(report, promise.is_pushed, sight);
    }
    let excess = register.reports.len().saturating_sub(REPORTS_KEPT);
    register.reports.drain(..excess);
    (register != *known).then_some(register)
}

/// Forgets what is pending of a stream that has no rule any more; nothing if nothing is.
pub fn released(known: &LatenessRegister) -> Option<LatenessRegister> {
    let mut register = known.clone();
    register.reports.retain(|report| report.state != ReportState::Pending);
    register.since = None;
    (register != *known).then_some(register)
}

/// Enters every report that has become due since the last one, and the next.
fn enter(register: &mut LatenessRegister, promise: &Promise, now: Stamp) {
    let since = *register.since.get_or_insert(now);
    // The next one is reckoned anew: its rule or its calendar may be another by now.
    let ahead =
        register.reports.pop_if(|last| last.state == ReportState::Pending && last.due_at > now);
    let mut after = register.reports.last().map_or(since, |last| last.due_at.max(since));
    while let Some(due) = promise.due_after(after) {
        after = due.at;
        let is_entered = register.reports.last().is_some_and(|last| last.due_on >= due.on);
        if !is_entered {
            let same =
                ahead.as_ref().filter(|ahead| ahead.due_at == due.at && ahead.reach == due.reach);
            let same = same.filter(|ahead| ahead.accountable_unit == promise.unit);
            register.reports.push(same.cloned().unwrap_or_else(|| pending(due, promise, now)));
            if due.at > now {
                return;
            }
        }
    }
}

fn pending(due: Due, promise: &Promise, now: Stamp) -> Report {
    Report {
        due_on: due.on,
        due_at: due.at,
        period: due.period,
        reach: due.reach,
        accountable_unit: promise.unit.clone(),
        state: ReportState::Pending,
        is_witnessed: false,
        missed_by: None,
        missed_at: None,
        came_at: None,
        changed_at: now,
    }
}

fn judge(report: &mut Report, is_pushed: bool, sight: Sight<'_>) {
    let Sight { data_through, look, now, .. } = sight;
    let is_in = data_through.is_some_and(|through| through >= report.reach);
    match (report.state, is_in) {
        (ReportState::Pending, true) => {
            let seen = look.map_or(now, |look| look.began);
            report.state = ReportState::OnTime;
            report.came_at = Some(seen);
            report.is_witnessed = seen.0 <= report.due_at.0 + PROMPT;
            report.changed_at = now;
        }
        (ReportState::Missing, true) => {
            report.state = ReportState::Late;
            report.came_at = Some(now);
            report.changed_at = now;
        }
        (ReportState::Pending, false) => {
            if let Some(reason) = missed(report.due_at, is_pushed, sight) {
                report.state = ReportState::Missing;
                report.is_witnessed = true;
                report.missed_by = Some(reason.to_owned());
                report.missed_at = Some(now);
                report.changed_at = now;
            }
        }
        (ReportState::Missing, false) | (ReportState::OnTime | ReportState::Late, _) => {}
    }
}

/// Why a report that is not in is missing; nothing while nobody has looked.
fn missed(due_at: Stamp, is_pushed: bool, sight: Sight<'_>) -> Option<&str> {
    if is_pushed {
        let since = sight.listening_since?;
        let patience = if since <= due_at { due_at.0 } else { since.0 + PATIENCE };
        return (sight.now.0 >= patience).then_some(NOT_THERE);
    }
    let look = sight.look.filter(|look| look.began >= due_at)?;
    Some(look.failed_by.unwrap_or(NOT_THERE))
}

#[cfg(test)]
mod tests;

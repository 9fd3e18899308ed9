//! The measures of `config/contracts`, written down a second time: what one record adds to what.

use ioc_gateway::province::{Dossier, Facility, Fact, Return, Session};

use super::amounts::Amounts;
use super::calendar::local_day;
use super::facts::{Kiosk, Standing};
use super::offices;

/// Procedures outside the 25 essential services of Decision 06.
const NOT_ESSENTIAL: [&str; 11] = [
    "1.002755", "2.000815", "2.000884", "1.001612", "9.000117", "9.000118", "9.000119", "9.000120",
    "9.000121", "9.000122", "9.000123",
];

/// Which contracts are in force: as shipped, or with what a test changed in mid-run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edition {
    /// As shipped.
    Shipped,
    /// Dossiers received online only if VNeID knows the account, and counted when submitted.
    Stricter,
}

/// Adds every record.
pub(super) fn add(amounts: &mut Amounts, all: &[Standing], edition: Edition) {
    for Standing { fact, place } in all {
        match fact {
            Fact::Dossier(dossier) => {
                add_received(amounts, dossier, *place, edition);
                add_finished(amounts, dossier, *place);
            }
            Fact::Return(of) => add_return(amounts, of, *place),
            Fact::Facility(facility) => add_facility(amounts, facility, *place),
            Fact::Session(session) => add_session(amounts, session, *place),
            Fact::Record(record) => offices::add(amounts, record, *place),
            Fact::Heartbeat(_) | Fact::Silence { .. } => {}
        }
    }
}

fn add_received(amounts: &mut Amounts, dossier: &Dossier, place: usize, edition: Edition) {
    let submitted = local_day(dossier.submitted_at.0);
    amounts.add("dossiers.submitted", submitted, place, 1);
    if dossier.status == 3 {
        amounts.add("dossiers.refused", submitted, place, 1);
    }
    let Some(received) = dossier.received_at else { return };
    let day = local_day(received.0);
    let is_online = dossier.channel == Some(2);
    let is_essential = is_essential(dossier);
    let kinds = [
        (true, "dossiers.received"),
        (is_online, "dossiers.received online"),
        (matches!(dossier.channel, None | Some(1)), "dossiers.received counter"),
        (is_essential, "dossiers.received essential"),
        (is_essential && is_online, "dossiers.received essential online"),
        (dossier.digitised, "dossiers.received digitised"),
        (dossier.vneid, "dossiers.received vneid"),
        (dossier.procedure == "2.001159", "dossiers.received lodging"),
        (dossier.paid_online > 0, "dossiers.fee_due"),
        (matches!(dossier.paid_online, 1 | 2), "dossiers.fee_due online"),
        (dossier.supplement_asked_at.is_some(), "dossiers.supplemented"),
        (dossier.status == 7, "dossiers.withdrawn"),
        (dossier.reused || dossier.from_store, "dossiers.reused"),
    ];
    let is_stricter = edition == Edition::Stricter;
    for (_, name) in kinds.into_iter().filter(|(holds, _)| *holds) {
        match is_stricter && name.starts_with("dossiers.received") {
            true if dossier.vneid => amounts.add(name, submitted, place, 1),
            true => {}
            false => amounts.add(name, day, place, 1),
        }
    }
    amounts.add("dossiers.fees", day, place, i64::from(dossier.fee));
    let finished = dossier.finished_at.map(|at| local_day(at.0));
    amounts.hold("dossiers.pending", day, finished, place);
}

fn add_finished(amounts: &mut Amounts, dossier: &Dossier, place: usize) {
    let finished = dossier.finished_at.map(|at| local_day(at.0));
    if let Some(due) = dossier.due_at.filter(|_| dossier.status != 5) {
        amounts.hold("dossiers.overdue", local_day(due.0), finished, place);
    }
    let (Some(at), Some(day)) = (dossier.finished_at, finished) else { return };
    amounts.add("dossiers.finished", day, place, 1);
    if matches!(dossier.status, 9 | 10) {
        amounts.add("dossiers.with_result", day, place, 1);
        if dossier.has_result {
            amounts.add("dossiers.with_result electronic", day, place, 1);
        }
    }
    let judged = dossier.due_at.map(|due| match (at <= due, is_essential(dossier)) {
        (true, true) => ["dossiers.finished_on_time", "dossiers.finished_on_time essential"],
        (true, false) => ["dossiers.finished_on_time", "dossiers.finished_on_time other"],
        (false, true) => ["dossiers.finished_late", "dossiers.finished_late essential"],
        (false, false) => ["dossiers.finished_late", "dossiers.finished_late other"],
    });
    for name in judged.into_iter().flatten() {
        amounts.add(name, day, place, 1);
    }
    if let (9 | 10, Some(received)) = (dossier.status, dossier.received_at) {
        amounts.measure("dossiers.processing_time", day, place, (at.0 - received.0) as u64);
    }
}

fn is_essential(dossier: &Dossier) -> bool {
    !NOT_ESSENTIAL.contains(&dossier.procedure)
}

fn add_return(amounts: &mut Amounts, of: &Return, place: usize) {
    let day = of.stay_date.0;
    let columns = [
        ("lodging_returns.reports", 1),
        ("lodging_returns.rooms_available", of.rooms_available),
        ("lodging_returns.rooms_occupied", of.rooms_occupied),
        ("lodging_returns.guest_nights_domestic", of.guest_nights_domestic),
        ("lodging_returns.guest_nights_foreign", of.guest_nights_foreign),
        ("lodging_returns.arrivals", of.arrivals),
        ("lodging_returns.notices_sent", of.notices_sent),
        ("lodging_returns.notices_late", of.notices_late),
    ];
    for (name, amount) in columns {
        amounts.add(name, day, place, i64::from(amount));
    }
}

fn add_facility(amounts: &mut Amounts, facility: &Facility, place: usize) {
    let Some(connected) = facility.connected_since else { return };
    amounts.add("facilities.rooms_connected", connected.0, place, i64::from(facility.rooms));
    if matches!(facility.status, "active" | "HOAT_DONG") {
        amounts.hold("facilities.active", connected.0, None, place);
    }
}

fn add_session(amounts: &mut Amounts, session: &Session, place: usize) {
    let day = local_day(session.started_at.0);
    let is =
        |service: &str, outcome: &str| session.service == service && session.outcome == outcome;
    let is_biometric = matches!(session.auth_method, "face" | "fingerprint");
    let matched = |result: &str| is_biometric && session.auth_result == result;
    let kinds = [
        (true, "kiosk_sessions.sessions"),
        (session.outcome == "completed", "kiosk_sessions.sessions completed"),
        (session.outcome == "abandoned", "kiosk_sessions.sessions abandoned"),
        (session.outcome == "handed_to_staff", "kiosk_sessions.sessions handed over"),
        (session.service == "info", "kiosk_sessions.sessions info"),
        (session.service == "dossier_lookup", "kiosk_sessions.sessions look-up"),
        (is("dossier_submit", "completed"), "kiosk_sessions.sessions filed"),
        (is("checkin", "completed"), "kiosk_sessions.sessions checked in"),
        (
            is("checkin", "completed") && session.insurance_checked,
            "kiosk_sessions.sessions checked in with insurance",
        ),
        (matched("ok"), "kiosk_sessions.identified ok"),
        (matched("mismatch"), "kiosk_sessions.identified mismatch"),
        (matched("unreadable"), "kiosk_sessions.identified unreadable"),
    ];
    for (_, name) in kinds.into_iter().filter(|(holds, _)| *holds) {
        amounts.add(name, day, place, 1);
    }
    if session.outcome == "completed" {
        let took = (session.ended_at.0 - session.started_at.0) as u64;
        amounts.measure("kiosk_sessions.duration", day, place, took);
    }
}

/// Adds the one slot, begun on `day`, in which every kiosk was asked.
pub(super) fn add_kiosks(amounts: &mut Amounts, kiosks: &[Kiosk], day: i32) {
    for Kiosk { heartbeat, place } in kiosks {
        let state = heartbeat.as_ref().map_or("silent", |of| of.state);
        let kinds = [
            (true, "kiosk_status.slots"),
            (matches!(state, "online" | "degraded"), "kiosk_status.slots serving"),
            (state != "maintenance", "kiosk_status.slots scheduled"),
            (heartbeat.is_some(), "kiosk_status.slots up"),
            // A limited kiosk warns of one component, one out of service has one that failed.
            (matches!(state, "degraded" | "out_of_service"), "kiosk_status.component_faults"),
            (heartbeat.as_ref().is_some_and(|of| of.paper_percent < 30), "kiosk_status.paper_low"),
        ];
        for (_, name) in kinds.into_iter().filter(|(holds, _)| *holds) {
            amounts.add(name, day, *place, 1);
        }
        let waiting = heartbeat.as_ref().map_or(0, |of| of.queue_len);
        amounts.add("kiosk_status.queue", day, *place, i64::from(waiting));
    }
}

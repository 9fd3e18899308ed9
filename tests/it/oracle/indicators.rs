//! The indicators of `config/indicators`, written down a second time: which amounts make up which.

use super::office_indicators;

/// How an amount is taken over a period.
#[derive(Clone, Copy)]
pub(super) enum Over {
    /// What happened in it.
    Period,
    /// The stock at its end.
    End,
    /// The stock at the end of each of its days, added up.
    Days,
}

/// An amount, added or taken away.
#[derive(Clone, Copy)]
pub(super) struct Term {
    pub(super) name: &'static str,
    pub(super) sign: i64,
    pub(super) over: Over,
}

/// What a ratio is when its denominator is zero.
#[derive(Clone, Copy)]
pub(super) enum Empty {
    Null,
    Zero,
    One,
}

/// One part of a composite: its weight, and between which values it earns its points.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) id: &'static str,
    pub(super) weight: f64,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// How a value is made.
pub(super) enum Formula {
    Total(Vec<Term>),
    /// Everything since the first day of so many months: the year's 12, the quarter's 3.
    Running(Vec<Term>, usize),
    /// Tenths of all, and by what the quantity is divided.
    Percentile(&'static str, usize, f64),
    Ratio(Vec<Term>, Vec<Term>, Empty),
    /// One amount by another, times a number.
    Scaled(f64, Term, Term),
    /// Of so many points, the weights shared out among the parts that have a value.
    Composite(Vec<Part>, f64),
}

/// An indicator.
pub(super) struct Indicator {
    pub(super) id: &'static str,
    pub(super) formula: Formula,
    /// Complete as far as what was due has come in; otherwise as far as its time is covered.
    pub(super) reported: Option<(Term, Term)>,
}

pub(super) const fn of(name: &'static str) -> Term {
    Term { name, sign: 1, over: Over::Period }
}

pub(super) const fn less(name: &'static str) -> Term {
    Term { name, sign: -1, over: Over::Period }
}

pub(super) const fn end(name: &'static str) -> Term {
    Term { name, sign: 1, over: Over::End }
}

pub(super) const fn less_end(name: &'static str) -> Term {
    Term { name, sign: -1, over: Over::End }
}

pub(super) const fn days(name: &'static str) -> Term {
    Term { name, sign: 1, over: Over::Days }
}

const fn indicator(id: &'static str, formula: Formula) -> Indicator {
    Indicator { id, formula, reported: None }
}

pub(super) fn total(id: &'static str, terms: &[Term]) -> Indicator {
    indicator(id, Formula::Total(terms.to_vec()))
}

pub(super) fn running(id: &'static str, terms: &[Term], months: usize) -> Indicator {
    indicator(id, Formula::Running(terms.to_vec(), months))
}

pub(super) fn ratio(id: &'static str, above: &[Term], below: &[Term]) -> Indicator {
    indicator(id, Formula::Ratio(above.to_vec(), below.to_vec(), Empty::Null))
}

pub(super) fn scaled(id: &'static str, factor: f64, above: Term, below: Term) -> Indicator {
    indicator(id, Formula::Scaled(factor, above, below))
}

pub(super) fn percentile(
    id: &'static str,
    name: &'static str,
    tenths: usize,
    divisor: f64,
) -> Indicator {
    indicator(id, Formula::Percentile(name, tenths, divisor))
}

pub(super) fn composite(id: &'static str, parts: &[(&'static str, f64, f64, f64)]) -> Indicator {
    let part =
        |&(id, weight, from, to): &(&'static str, f64, f64, f64)| Part { id, weight, from, to };
    indicator(id, Formula::Composite(parts.iter().map(part).collect(), 100.0))
}

impl Indicator {
    pub(super) fn or(mut self, otherwise: Empty) -> Self {
        if let Formula::Ratio(.., empty) = &mut self.formula {
            *empty = otherwise;
        }
        self
    }

    /// A composite of other than 100 points.
    pub(super) fn out_of(mut self, points: f64) -> Self {
        if let Formula::Composite(_, of) = &mut self.formula {
            *of = points;
        }
        self
    }

    fn of_returns(self) -> Self {
        self.of(of("lodging_returns.reports"), days("facilities.active"))
    }

    /// Complete as far as what was due has been reported.
    pub(super) fn of(self, reported: Term, due: Term) -> Self {
        Self { reported: Some((reported, due)), ..self }
    }
}

/// All of them.
pub(super) fn all() -> Vec<Indicator> {
    let all = [portal(), lodging(), kiosk(), combined(), composites(), office_indicators::all()];
    all.into_iter().flatten().collect()
}

fn portal() -> Vec<Indicator> {
    let received = [of("dossiers.received")];
    let on_time = of("dossiers.finished_on_time");
    let essential = of("dossiers.finished_on_time essential");
    let took = "dossiers.processing_time";
    let share = |id, name| ratio(id, &[of(name)], &received);
    vec![
        total("dossiers_received", &received),
        running("dossiers_received_year", &received, 12),
        share("online_filing_rate", "dossiers.received online"),
        ratio(
            "essential_online_rate",
            &[of("dossiers.received essential online")],
            &[of("dossiers.received essential")],
        ),
        ratio("online_payment_rate", &[of("dossiers.fee_due online")], &[of("dossiers.fee_due")]),
        share("digitised_rate", "dossiers.received digitised"),
        share("vneid_rate", "dossiers.received vneid"),
        total("dossiers_finished", &[of("dossiers.finished")]),
        ratio("on_time_rate", &[on_time], &[on_time, of("dossiers.finished_late")]),
        ratio(
            "essential_on_time_rate",
            &[essential],
            &[essential, of("dossiers.finished_late essential")],
        ),
        total("dossiers_pending", &[end("dossiers.pending")]),
        total("dossiers_overdue", &[end("dossiers.overdue")]),
        ratio("overdue_share", &[end("dossiers.overdue")], &[end("dossiers.pending")])
            .or(Empty::Zero),
        total("net_intake", &[received[0], less("dossiers.finished")]),
        percentile("processing_days_median", took, 5, 86_400.0),
        percentile("processing_days_p90", took, 9, 86_400.0),
        share("supplement_rate", "dossiers.supplemented"),
        share("reuse_rate", "dossiers.reused"),
        ratio(
            "e_result_rate",
            &[of("dossiers.with_result electronic")],
            &[of("dossiers.with_result")],
        ),
        total("fees_due", &[of("dossiers.fees")]),
        ratio("refusal_rate", &[of("dossiers.refused")], &[of("dossiers.submitted")]),
        share("withdrawal_rate", "dossiers.withdrawn"),
    ]
}

fn lodging() -> Vec<Indicator> {
    let (reports, due) = (of("lodging_returns.reports"), days("facilities.active"));
    let domestic = of("lodging_returns.guest_nights_domestic");
    let foreign = of("lodging_returns.guest_nights_foreign");
    let (arrivals, sent) = (of("lodging_returns.arrivals"), of("lodging_returns.notices_sent"));
    let late = less("lodging_returns.notices_late");
    vec![
        ratio("lodging_reporting_rate", &[reports], &[due]),
        ratio(
            "room_occupancy",
            &[of("lodging_returns.rooms_occupied")],
            &[of("lodging_returns.rooms_available")],
        )
        .of_returns(),
        total("guest_nights", &[domestic, foreign]).of_returns(),
        ratio("foreign_guest_share", &[foreign], &[domestic, foreign]).of_returns(),
        ratio("average_stay", &[domestic, foreign], &[arrivals]).of_returns(),
        ratio("notice_on_time_rate", &[sent, late], &[sent]).of_returns(),
        ratio("notice_coverage", &[sent], &[arrivals]).or(Empty::One).of_returns(),
        total("facilities_active", &[end("facilities.active")]),
        total("rooms_connected", &[of("facilities.rooms_connected")]),
    ]
}

fn kiosk() -> Vec<Indicator> {
    let up = [of("kiosk_status.slots up")];
    let sessions = [of("kiosk_sessions.sessions")];
    let matched = of("kiosk_sessions.identified ok");
    vec![
        ratio(
            "kiosk_availability",
            &[of("kiosk_status.slots serving")],
            &[of("kiosk_status.slots scheduled")],
        ),
        ratio("kiosk_answer_rate", &up, &[of("kiosk_status.slots")]),
        ratio("kiosk_component_fault_rate", &[of("kiosk_status.component_faults")], &up),
        ratio("kiosk_paper_low_rate", &[of("kiosk_status.paper_low")], &up),
        ratio("kiosk_queue", &[of("kiosk_status.queue")], &up),
        total("kiosk_sessions", &sessions),
        running("kiosk_sessions_quarter", &sessions, 3),
        ratio("kiosk_success_rate", &[of("kiosk_sessions.sessions completed")], &sessions),
        ratio("kiosk_abandonment_rate", &[of("kiosk_sessions.sessions abandoned")], &sessions),
        ratio(
            "kiosk_biometric_match_rate",
            &[matched],
            &[
                matched,
                of("kiosk_sessions.identified mismatch"),
                of("kiosk_sessions.identified unreadable"),
            ],
        ),
        ratio(
            "kiosk_insurance_check_rate",
            &[of("kiosk_sessions.sessions checked in with insurance")],
            &[of("kiosk_sessions.sessions checked in")],
        ),
        percentile("kiosk_service_time_p90", "kiosk_sessions.duration", 9, 1.0),
    ]
}

fn combined() -> Vec<Indicator> {
    let (received, sessions) = (of("dossiers.received"), of("kiosk_sessions.sessions"));
    let (counter, filed) = (of("dossiers.received counter"), of("kiosk_sessions.sessions filed"));
    let (lodging, sent) = (of("dossiers.received lodging"), of("lodging_returns.notices_sent"));
    vec![
        ratio("self_service_share", &[filed], &[counter, filed]),
        ratio(
            "assisted_contact_share",
            &[counter, of("kiosk_sessions.sessions handed over")],
            &[received, sessions],
        ),
        total("service_contacts", &[received, sessions, less("kiosk_sessions.sessions info")]),
        ratio(
            "lookups_per_pending",
            &[of("kiosk_sessions.sessions look-up")],
            &[days("dossiers.pending")],
        ),
        ratio("platform_notice_share", &[sent], &[sent, lodging]).of_returns(),
        ratio("portal_notices_per_facility", &[lodging], &[end("facilities.active")]),
    ]
}

fn composites() -> Vec<Indicator> {
    vec![
        composite(
            "digital_adoption_index",
            &[
                ("online_filing_rate", 0.4, 0.0, 1.0),
                ("online_payment_rate", 0.2, 0.0, 1.0),
                ("vneid_rate", 0.2, 0.0, 1.0),
                ("self_service_share", 0.2, 0.0, 0.5),
            ],
        ),
        composite(
            "front_line_index",
            &[
                ("on_time_rate", 0.4, 0.8, 1.0),
                ("kiosk_availability", 0.3, 0.7, 1.0),
                ("notice_on_time_rate", 0.3, 0.7, 1.0),
            ],
        ),
        composite(
            "ease_of_service_index",
            &[
                ("supplement_rate", 0.3, 0.1, 0.0),
                ("overdue_share", 0.3, 0.2, 0.0),
                ("kiosk_abandonment_rate", 0.2, 0.2, 0.0),
                ("assisted_contact_share", 0.2, 0.6, 0.0),
            ],
        ),
        composite(
            "data_readiness_index",
            &[
                ("lodging_reporting_rate", 0.5, 0.5, 1.0),
                ("kiosk_answer_rate", 0.3, 0.5, 1.0),
                ("digitised_rate", 0.2, 0.0, 1.0),
            ],
        ),
    ]
}

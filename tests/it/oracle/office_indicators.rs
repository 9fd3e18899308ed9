//! The indicators of the smaller systems, written down a second time.

use super::decision_766;
use super::indicators::{
    Empty, Indicator, composite, days, end, less, less_end, of, percentile, ratio, running, scaled,
    total,
};

/// All of them.
pub(super) fn all() -> Vec<Indicator> {
    let all = [
        medical(),
        certification(),
        exams(),
        loans(),
        citizens(),
        screens(),
        courses(),
        programme(),
        petitions(),
        combined(),
        decision_766::indicators(),
    ];
    all.into_iter().flatten().collect()
}

fn medical() -> Vec<Indicator> {
    let (reports, due) = (of("medical_lodging.reports"), days("medical_facilities.active"));
    let (sent, late) = (of("medical_lodging.notices_sent"), of("medical_lodging.notices_late"));
    let inpatients = of("medical_lodging.inpatients");
    let all = [
        ratio("bed_occupancy", &[inpatients], &[of("medical_lodging.beds_staffed")]),
        ratio("medical_notice_coverage", &[sent], &[of("medical_lodging.new_admissions")])
            .or(Empty::One),
        ratio("medical_notice_late_share", &[late], &[sent]),
        total("medical_overnight_people", &[inpatients, of("medical_lodging.companions")]),
    ];
    let all = all.map(|indicator| indicator.of(reports, due));
    all.into_iter().chain([ratio("medical_reporting_rate", &[reports], &[due])]).collect()
}

fn certification() -> Vec<Indicator> {
    let (paper, electronic) =
        (of("certification_days.certified_copies"), of("certification_days.e_certified_copies"));
    let (fine, failed) =
        (of("certification_days.chip_checks_ok"), of("certification_days.chip_checks_failed"));
    let site_days = [of("certification_days.site_days")];
    vec![
        ratio("certified_e_copy_share", &[electronic], &[paper, electronic]),
        ratio("chip_check_success_rate", &[fine], &[fine, failed]),
        ratio("acts_per_site_day", &[of("certification_days.acts")], &site_days),
        ratio("e_copy_site_share", &[of("certification_days.site_days electronic")], &site_days),
        percentile("certification_minutes_p90", "certification_days.waiting", 9, 1.0),
    ]
}

fn exams() -> Vec<Indicator> {
    let (passed, failed) = (of("exam_sessions.passed"), of("exam_sessions.failed"));
    let (planned, gap) = (of("exam_sessions.camera_seconds"), less("exam_sessions.video_gap"));
    let sessions = [of("exam_sessions.sessions")];
    let candidates = of("exam_sessions.candidates");
    vec![
        ratio("exam_pass_rate", &[passed], &[passed, failed]),
        ratio("exam_camera_uptime", &[planned, gap], &[planned]),
        ratio("exam_fully_recorded_rate", &[of("exam_sessions.sessions recorded")], &sessions),
        ratio("exam_streamed_rate", &[of("exam_sessions.sessions streamed")], &sessions),
        scaled("exam_alerts_per_100", 100.0, of("exam_sessions.alerts"), candidates),
    ]
}

fn loans() -> Vec<Indicator> {
    let decided = [of("loans.decided")];
    let outstanding = end("loans.outstanding");
    vec![
        ratio("loan_approval_rate", &[of("loans.decided approved")], &decided),
        ratio("loan_decision_days", &[of("loans.days_to_decision")], &decided),
        total("loan_disbursed_vnd", &[of("loans.disbursed")]),
        running("loan_disbursed_year_vnd", &[of("loans.disbursed")], 12),
        total("loan_outstanding_vnd", &[outstanding]),
        ratio("loan_overdue_ratio", &[end("loans.outstanding overdue")], &[outstanding]),
        ratio("loan_reach_rate", &[end("loans.open")], &[end("eligible_households.households")]),
    ]
}

fn citizens() -> Vec<Indicator> {
    let people = end("digital_citizenship.population_14plus");
    let share = |id, name| ratio(id, &[end(name)], &[people]);
    vec![
        share("eid_activation_rate", "digital_citizenship.eid_level2"),
        share("id_card_rate", "digital_citizenship.id_cards"),
        share("portal_account_rate", "digital_citizenship.portal_accounts"),
        share("digital_signature_rate", "digital_citizenship.digital_signatures"),
        ratio(
            "cashless_social_rate",
            &[end("digital_citizenship.cashless_social_payments")],
            &[end("digital_citizenship.social_payments")],
        ),
        scaled(
            "community_team_size",
            10_000.0,
            end("digital_citizenship.community_team_members"),
            people,
        ),
    ]
}

fn screens() -> Vec<Indicator> {
    let played = of("screen_days.played_spots");
    vec![
        ratio("spots_played_rate", &[played], &[of("screen_days.scheduled_spots")]),
        ratio("screen_uptime", &[of("screen_days.online_s")], &[of("screen_days.scheduled_s")]),
        total("spots_played", &[played]),
        ratio(
            "screen_errors_per_day",
            &[of("screen_days.errors")],
            &[of("screen_days.screen_days")],
        ),
    ]
}

fn courses() -> Vec<Indicator> {
    let (enrolled, completed) = (end("course_months.enrolled"), end("course_months.completed"));
    let active = end("course_months.active");
    vec![
        ratio("course_completion_rate", &[completed], &[enrolled]),
        ratio("course_pass_rate", &[end("course_months.passed")], &[completed]),
        ratio("course_active_rate", &[active], &[enrolled]),
        ratio("learning_minutes_per_learner", &[end("course_months.learning_minutes")], &[active]),
        ratio(
            "officials_completion_rate",
            &[end("course_months.completed officials")],
            &[end("course_months.enrolled officials")],
        ),
    ]
}

fn programme() -> Vec<Indicator> {
    let models = end("programme_items.items model");
    let started = "programme_items.started model";
    let done = "programme_items.done model";
    let due = end("programme_items.due task");
    vec![
        total("models_total", &[models]),
        total("models_done", &[end(done)]),
        total("models_in_progress", &[end(started), less_end(done)]),
        total("models_not_started", &[models, less_end(started)]),
        ratio("models_done_rate", &[end(done)], &[models]),
        total("tasks_total", &[end("programme_items.items task")]),
        total("tasks_due", &[due]),
        ratio("tasks_due_attainment", &[end("programme_items.attainment task")], &[due]),
        total("programme_overdue", &[end("programme_items.overdue")]),
        ratio(
            "programme_progress",
            &[end("programme_items.percent_done")],
            &[end("programme_items.items")],
        ),
        ratio(
            "report_timeliness",
            &[end("programme_items.reports_on_time")],
            &[end("programme_items.reports_due")],
        )
        .or(Empty::One),
        ratio(
            "report_days_late",
            &[end("programme_items.days_late")],
            &[end("programme_items.reports_late")],
        )
        .or(Empty::Zero),
    ]
}

fn petitions() -> Vec<Indicator> {
    let answered = [of("petitions.answered")];
    let (great, good) = (of("service_votes.very_good"), of("service_votes.good"));
    vec![
        total("petitions_received", &[of("petitions.received")]),
        ratio("petitions_on_time_rate", &[of("petitions.answered on time")], &answered)
            .or(Empty::One),
        ratio("petition_satisfaction", &[of("petitions.rated content")], &[of("petitions.rated")]),
        total("petitions_overdue", &[end("petitions.overdue")]),
        percentile("petition_answer_days_median", "petitions.answer_time", 5, 86_400.0),
        ratio("service_satisfaction", &[great, good], &[great, good, of("service_votes.bad")]),
    ]
}

fn combined() -> Vec<Indicator> {
    let online = of("dossiers.received online");
    let (lodging, medical) =
        (of("lodging_returns.notices_sent"), of("medical_lodging.notices_sent"));
    let late = [less("lodging_returns.notices_late"), less("medical_lodging.notices_late")];
    vec![
        ratio("certified_copies_replaced", &[of("certification_days.certified_copies")], &[online]),
        scaled(
            "online_filings_per_account",
            1_000.0,
            online,
            end("digital_citizenship.portal_accounts"),
        ),
        ratio(
            "all_notices_on_time_rate",
            &[lodging, late[0], medical, late[1]],
            &[lodging, medical],
        ),
        scaled(
            "petitions_per_1000_dossiers",
            1_000.0,
            of("petitions.received procedures"),
            of("dossiers.received"),
        ),
        composite(
            "digital_citizen_index",
            &[
                ("eid_activation_rate", 0.3, 0.0, 1.0),
                ("online_filing_rate", 0.3, 0.0, 1.0),
                ("self_service_share", 0.2, 0.0, 0.5),
                ("certified_e_copy_share", 0.2, 0.0, 0.5),
            ],
        ),
        composite(
            "satisfaction_index",
            &[
                ("service_satisfaction", 0.4, 0.0, 0.9),
                ("petition_satisfaction", 0.2, 0.0, 0.9),
                ("on_time_rate", 0.2, 0.8, 1.0),
                ("petitions_on_time_rate", 0.2, 0.5, 1.0),
            ],
        ),
    ]
}

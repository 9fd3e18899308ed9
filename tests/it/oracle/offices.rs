//! The measures of the smaller systems, written down a second time: what one record adds to what.

use ioc_gateway::province::Record;

use super::amounts::Amounts;
use super::decision_766;

/// A measure and the property that is added up in it; without one each record counts one.
type Sum = (&'static str, &'static str);

/// Adds one record.
pub(super) fn add(amounts: &mut Amounts, record: &Record, place: usize) {
    match record.contract {
        "medical_lodging" => sums(amounts, record, place, "stay_date", &MEDICAL),
        "medical_facilities" => {
            let held = ("connected_since", "closed_on");
            hold(amounts, record, place, held, &[("medical_facilities.active", "")]);
        }
        "certification_days" => add_certification(amounts, record, place),
        "exam_sessions" => add_exam(amounts, record, place),
        "loans" => add_loan(amounts, record, place),
        "eligible_households" => months(amounts, record, place, &HOUSEHOLDS),
        "digital_citizenship" => months(amounts, record, place, &CITIZENS),
        "screen_days" => sums(amounts, record, place, "day", &SCREENS),
        "course_months" => add_course(amounts, record, place),
        "programme_items" => add_item(amounts, record, place),
        "evaluation_766" => decision_766::add(amounts, record, place),
        "petitions" => add_petition(amounts, record, place),
        "service_votes" => sums(amounts, record, place, "day", &VOTES),
        other => panic!("nobody wrote down what {other} adds to"),
    }
}

fn amount(record: &Record, property: &str) -> i64 {
    if property.is_empty() { 1 } else { record.number(property) }
}

/// Added on the day in `at`, if there is one.
fn sums(amounts: &mut Amounts, record: &Record, place: usize, at: &str, measures: &[Sum]) {
    let Some(day) = record.day(at) else { return };
    for (measure, property) in measures {
        amounts.add(measure, day.0, place, amount(record, property));
    }
}

/// Held from one day until another.
fn hold(
    amounts: &mut Amounts,
    record: &Record,
    place: usize,
    (from, until): (&str, &str),
    measures: &[Sum],
) {
    let Some(first) = record.day(from) else { return };
    let held = (first.0, record.day(until).map(|day| day.0));
    for (measure, property) in measures {
        amounts.hold_amount(measure, held, place, amount(record, property));
    }
}

/// Held from the first day of a month until its last.
fn months(amounts: &mut Amounts, record: &Record, place: usize, measures: &[Sum]) {
    let (first, last) = (record.day("month").unwrap().0, record.day("period_end").unwrap().0);
    for (measure, property) in measures {
        let amount = amount(record, property);
        amounts.hold_amount(measure, (first, Some(last + 1)), place, amount);
    }
}

const MEDICAL: [Sum; 7] = [
    ("medical_lodging.reports", ""),
    ("medical_lodging.beds_staffed", "beds_staffed"),
    ("medical_lodging.inpatients", "inpatients"),
    ("medical_lodging.companions", "companions"),
    ("medical_lodging.new_admissions", "new_admissions"),
    ("medical_lodging.notices_sent", "notices_sent"),
    ("medical_lodging.notices_late", "notices_late"),
];

const CERTIFICATION: [Sum; 9] = [
    ("certification_days.site_days", ""),
    ("certification_days.certified_copies", "certified_copies"),
    ("certification_days.e_certified_copies", "e_certified_copies"),
    ("certification_days.acts", "certified_copies"),
    ("certification_days.acts", "e_certified_copies"),
    ("certification_days.acts", "signatures"),
    ("certification_days.acts", "contracts"),
    ("certification_days.chip_checks_ok", "chip_checks_ok"),
    ("certification_days.chip_checks_failed", "chip_checks_failed"),
];

const HOUSEHOLDS: [Sum; 1] = [("eligible_households.households", "households")];

const CITIZENS: [Sum; 8] = [
    ("digital_citizenship.population_14plus", "population_14plus"),
    ("digital_citizenship.id_cards", "id_cards"),
    ("digital_citizenship.eid_level2", "eid_level2_activated"),
    ("digital_citizenship.portal_accounts", "portal_accounts"),
    ("digital_citizenship.digital_signatures", "digital_signatures"),
    ("digital_citizenship.community_team_members", "community_team_members"),
    ("digital_citizenship.social_payments", "social_payments"),
    ("digital_citizenship.cashless_social_payments", "cashless_social_payments"),
];

const SCREENS: [Sum; 6] = [
    ("screen_days.screen_days", ""),
    ("screen_days.scheduled_spots", "scheduled_spots"),
    ("screen_days.played_spots", "played_spots"),
    ("screen_days.scheduled_s", "scheduled_s"),
    ("screen_days.online_s", "online_s"),
    ("screen_days.errors", "errors"),
];

const COURSES: [Sum; 5] = [
    ("course_months.enrolled", "enrolled"),
    ("course_months.active", "active"),
    ("course_months.completed", "completed"),
    ("course_months.passed", "passed"),
    ("course_months.learning_minutes", "learning_minutes"),
];

const OFFICIALS: [Sum; 2] = [
    ("course_months.enrolled officials", "enrolled"),
    ("course_months.completed officials", "completed"),
];

const EXAMS: [Sum; 6] = [
    ("exam_sessions.sessions", ""),
    ("exam_sessions.candidates", "candidates"),
    ("exam_sessions.passed", "passed"),
    ("exam_sessions.failed", "failed"),
    ("exam_sessions.video_gap", "video_gap_s"),
    ("exam_sessions.alerts", "alerts"),
];

const VOTES: [Sum; 3] = [
    ("service_votes.very_good", "very_good"),
    ("service_votes.good", "good"),
    ("service_votes.bad", "bad"),
];

fn add_certification(amounts: &mut Amounts, record: &Record, place: usize) {
    sums(amounts, record, place, "day", &CERTIFICATION);
    if record.number("e_certified_copies") > 0 {
        let electronic = [("certification_days.site_days electronic", "")];
        sums(amounts, record, place, "day", &electronic);
    }
    let day = record.day("day").expect("a required day").0;
    let minutes = record.number("median_minutes") as u64;
    amounts.measure("certification_days.waiting", day, place, minutes);
}

fn add_exam(amounts: &mut Amounts, record: &Record, place: usize) {
    sums(amounts, record, place, "started_at", &EXAMS);
    let day = record.day("started_at").expect("a required moment").0;
    let span = record.moment("ended_at").unwrap().0 - record.moment("started_at").unwrap().0;
    let cameras = record.number("cameras_expected");
    amounts.add("exam_sessions.camera_seconds", day, place, span * cameras);
    let is_whole = record.number("video_gap_s") == 0 && record.number("cameras_online") >= cameras;
    let kinds = [
        (is_whole, "exam_sessions.sessions recorded"),
        (record.is("stream_to_authority"), "exam_sessions.sessions streamed"),
    ];
    for (_, name) in kinds.into_iter().filter(|(holds, _)| *holds) {
        amounts.add(name, day, place, 1);
    }
}

fn add_loan(amounts: &mut Amounts, record: &Record, place: usize) {
    sums(amounts, record, place, "applied_on", &[("loans.applied", "")]);
    sums(amounts, record, place, "decided_on", &[("loans.decided", "")]);
    if record.text("decision") == "approved" {
        sums(amounts, record, place, "decided_on", &[("loans.decided approved", "")]);
    }
    if let (Some(applied), Some(decided)) = (record.day("applied_on"), record.day("decided_on")) {
        let took = i64::from(decided.0 - applied.0);
        amounts.add("loans.days_to_decision", decided.0, place, took);
    }
    sums(amounts, record, place, "disbursed_on", &[("loans.disbursed", "disbursed_vnd")]);
    let held = ("disbursed_on", "closed_on");
    let open = [("loans.open", ""), ("loans.outstanding", "outstanding_vnd")];
    hold(amounts, record, place, held, &open);
    if matches!(record.text("debt_group"), "3" | "4" | "5") {
        let overdue = [("loans.outstanding overdue", "outstanding_vnd")];
        hold(amounts, record, place, held, &overdue);
    }
}

fn add_course(amounts: &mut Amounts, record: &Record, place: usize) {
    months(amounts, record, place, &COURSES);
    if record.is("officials") {
        months(amounts, record, place, &OFFICIALS);
    }
}

fn add_item(amounts: &mut Amounts, record: &Record, place: usize) {
    let is_model = record.text("kind") == "model";
    let by_kind = |model: &'static str, task: &'static str| if is_model { model } else { task };
    let mut stock = |from: &str, until: &str, name: &'static str, amount: i64| {
        if let Some(first) = record.day(from) {
            let held = (first.0, record.day(until).map(|day| day.0));
            amounts.hold_amount(name, held, place, amount);
        }
    };
    let never = "";
    stock("listed_on", never, "programme_items.items", 1);
    let items = by_kind("programme_items.items model", "programme_items.items task");
    stock("listed_on", never, items, 1);
    stock("started_on", never, by_kind("programme_items.started model", "programme_items.x"), 1);
    stock("done_on", never, by_kind("programme_items.done model", "programme_items.x"), 1);
    stock("due_date", "done_on", "programme_items.overdue", 1);
    stock("listed_on", never, "programme_items.percent_done", record.number("percent"));
    let (target, actual) = (record.number("target_value"), record.number("actual_value"));
    if !is_model {
        stock("due_date", never, "programme_items.due task", 1);
        let attained = (100 * actual / target).min(100);
        stock("due_date", never, "programme_items.attainment task", attained);
    }
    stock("report_due_at", never, "programme_items.reports_due", 1);
    let (due, came) = (record.moment("report_due_at").unwrap(), record.moment("last_report_at"));
    let Some(came) = came else { return };
    if came <= due {
        stock("report_due_at", never, "programme_items.reports_on_time", 1);
    } else {
        let days = (came.0 - due.0).div_euclid(86_400)
            + i64::from((came.0 - due.0).rem_euclid(86_400) > 0);
        stock("last_report_at", never, "programme_items.reports_late", 1);
        stock("last_report_at", never, "programme_items.days_late", days);
    }
}

fn add_petition(amounts: &mut Amounts, record: &Record, place: usize) {
    sums(amounts, record, place, "received_at", &[("petitions.received", "")]);
    if record.text("field") == "procedures" {
        sums(amounts, record, place, "received_at", &[("petitions.received procedures", "")]);
    }
    hold(amounts, record, place, ("due_at", "answered_at"), &[("petitions.overdue", "")]);
    let (Some(answered), Some(received)) =
        (record.moment("answered_at"), record.moment("received_at"))
    else {
        return;
    };
    let mut count = |name| sums(amounts, record, place, "answered_at", &[(name, "")]);
    count("petitions.answered");
    if Some(answered) <= record.moment("due_at") {
        count("petitions.answered on time");
    }
    match record.text("satisfaction") {
        "very_good" | "good" => {
            count("petitions.rated");
            count("petitions.rated content");
        }
        "bad" => count("petitions.rated"),
        _ => {}
    }
    let took = (answered.0 - received.0) as u64;
    amounts.measure("petitions.answer_time", answered.day().0, place, took);
}

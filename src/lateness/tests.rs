//! Promises of the register: reckoned by a real calendar, judged by looks, never blamed on the wrong one.

use std::sync::Arc;

use super::*;
use crate::model::calendar::{Calendar, Calendars};
use crate::model::time::Day;

fn promise(rule: &str) -> Promise {
    let text = include_str!("../../config/calendars.yaml");
    let written: Calendars = serde_saphyr::from_str(text).unwrap();
    let calendar = Calendar::compile(&written.calendars["vietnam"]).unwrap();
    let rule: crate::model::deadline::InBy = serde_saphyr::from_str(rule).unwrap();
    let calendar = rule.calendar.is_some().then(|| Arc::new(calendar));
    Promise { rule, calendar, unit: "so-yte".to_owned(), is_pushed: false }
}

fn at(text: &str) -> Stamp {
    Stamp::parse(&format!("{text}+07:00")).unwrap()
}

/// The reports due after a moment: due on, and the first and last day that they are for.
fn due(rule: &str, after: &str, count: usize) -> Vec<String> {
    let promise = promise(rule);
    let mut after = at(after);
    let mut found = Vec::new();
    while let Some(due) = promise.due_after(after).filter(|_| found.len() < count) {
        after = due.at;
        let short = |day: Day| day.to_string()[5..].to_owned();
        found.push(format!("{} {}..{}", short(due.on), short(due.period.0), short(due.period.1)));
    }
    found
}

#[test]
fn daily_reports_are_due_every_day_and_at_a_moment_of_it() {
    let daily = "{time: '07:30', on: daily}";
    assert_eq!(due(daily, "2024-04-02T07:29:59", 2), ["04-02 04-01..04-01", "04-03 04-02..04-02"]);
    assert_eq!(due(daily, "2024-04-02T07:30:00", 1), ["04-03 04-02..04-02"]);
}

#[test]
fn working_days_pass_over_weekends_and_holidays_and_count_made_up_saturdays() {
    let rule = "{time: '07:30', on: working_days, calendar: vietnam}";
    let found = due(rule, "2024-04-25T08:00:00", 5);
    let wanted = [
        "04-26 04-25..04-25",
        // 29 April to 1 May are off.
        "05-02 04-26..05-01",
        "05-03 05-02..05-02",
        // The Saturday that makes up for 29 April.
        "05-04 05-03..05-03",
        "05-06 05-04..05-05",
    ];
    assert_eq!(found, wanted);
    assert_eq!(due(rule, "2026-12-31T08:00:00", 1), [""; 0], "the calendar ends there");
}

#[test]
fn weekly_and_monthly_reports_move_to_the_next_working_day_and_are_for_what_is_over() {
    let weekly = "{time: '09:00', on: weekly, weekday: monday, calendar: vietnam}";
    let found = due(weekly, "2024-04-22T10:00:00", 2);
    assert_eq!(found, ["05-02 04-22..04-28", "05-06 04-29..05-05"]);
    let monthly = "{time: '09:00', on: monthly, day: 5, calendar: vietnam}";
    let found = due(monthly, "2024-04-05T10:00:00", 2);
    assert_eq!(found, ["05-06 04-01..04-30", "06-05 05-01..05-31"], "5 May is a Sunday");
    let last = "{time: '09:00', on: monthly, day: 31}";
    assert_eq!(due(last, "2024-02-01T00:00:00", 2), ["02-29 01-01..01-31", "03-31 02-01..02-29"]);
}

#[test]
fn data_must_reach_the_end_of_the_period_or_its_last_working_day() {
    let reach = |rule: &str| promise(rule).due_after(at("2024-04-27T00:00:00")).unwrap().reach;
    let whole = "{time: '07:30', on: working_days, calendar: vietnam}";
    assert_eq!(reach(whole), at("2024-05-02T00:00:00"));
    let last = "{time: '07:30', on: working_days, calendar: vietnam, data_through: last_day}";
    assert_eq!(reach(last), at("2024-04-26T00:00:00"));
}

/// A stream with a daily report, gone through run by run.
struct Story {
    promise: Promise,
    register: LatenessRegister,
    data_through: Option<Stamp>,
}

impl Story {
    fn begin(start: &str) -> Self {
        let promise = promise("{time: '07:30', on: daily}");
        let mut story = Self { promise, register: LatenessRegister::default(), data_through: None };
        story.tick(start, None);
        story
    }

    fn go(&mut self, now: &str, look: Option<Look<'_>>, listening_since: Option<Stamp>) {
        let sight = Sight { data_through: self.data_through, look, listening_since, now: at(now) };
        if let Some(register) = pass(&self.register, &self.promise, sight) {
            self.register = register;
        }
    }

    fn tick(&mut self, now: &str, listening_since: Option<&str>) {
        self.go(now, None, listening_since.map(at));
    }

    /// A run that takes three seconds and comes through.
    fn run(&mut self, began: &str, through: &str) {
        self.data_through = self.data_through.max(Some(at(through)));
        let look = Look { began: at(began), failed_by: None };
        let ended = Stamp(look.began.0 + 3).rfc3339();
        self.go(&ended[..19], Some(look), None);
    }

    fn fail(&mut self, began: &str, reason: &str) {
        self.go(began, Some(Look { began: at(began), failed_by: Some(reason) }), None);
    }

    fn told(&self) -> Vec<String> {
        let tell = |report: &Report| {
            let late = report.late_by(at("2024-04-05T07:30:00"));
            let late = late.map_or_else(String::new, |late| format!(" {late}"));
            let doubt = if report.is_witnessed { "" } else { " unseen" };
            format!("{} {}{late}{doubt}", &report.due_on.to_string()[5..], report.state.as_str())
        };
        self.register.reports.iter().map(tell).collect()
    }
}

#[test]
fn a_report_that_is_in_is_in_time_and_the_next_is_pending() {
    let mut story = Story::begin("2024-04-01T12:00:00");
    assert_eq!(story.told(), ["04-02 pending unseen"], "what was due before the rule is no debt");
    story.run("2024-04-02T06:00:00", "2024-04-02T05:59:00");
    assert_eq!(story.told(), ["04-02 on_time 0"]);
    story.tick("2024-04-02T07:30:00", None);
    assert_eq!(story.told(), ["04-02 on_time 0", "04-03 pending unseen"]);
}

#[test]
fn what_a_look_at_the_due_moment_does_not_find_is_missing_and_stays_late_when_it_comes() {
    let mut story = Story::begin("2024-04-01T12:00:00");
    story.run("2024-04-02T07:29:50", "2024-04-01T20:00:00");
    assert_eq!(story.told()[0], "04-02 pending unseen", "that run began before");
    story.run("2024-04-02T07:30:00", "2024-04-01T20:00:00");
    assert_eq!(story.told()[0], "04-02 missing 259200");
    assert_eq!(story.register.reports[0].missed_by.as_deref(), Some(NOT_THERE));
    story.run("2024-04-02T09:00:00", "2024-04-02T08:50:00");
    assert_eq!(story.told()[0], "04-02 late 5403");
    let late = story.register.reports[0].clone();
    assert_eq!(late.came_at, Some(at("2024-04-02T09:00:03")));
    story.run("2024-04-02T10:00:00", "2024-04-02T09:50:00");
    assert_eq!(story.register.reports[0], late, "what was judged is not judged again");
}

#[test]
fn a_source_that_does_not_answer_when_a_report_is_due_is_late_with_the_reason() {
    let mut story = Story::begin("2024-04-01T12:00:00");
    story.fail("2024-04-02T07:10:00", "connect");
    assert_eq!(story.told()[0], "04-02 pending unseen");
    story.fail("2024-04-02T07:30:00", "connect");
    assert_eq!(story.register.reports[0].missed_by.as_deref(), Some("connect"));
    assert_eq!(story.told(), ["04-02 missing 259200", "04-03 pending unseen"]);
}

#[test]
fn the_gateways_own_absence_is_not_blamed_on_the_source() {
    let mut story = Story::begin("2024-04-01T12:00:00");
    // Nobody looks from here to the evening of the next day.
    story.tick("2024-04-03T18:00:00", None);
    let pending = ["04-02 pending unseen", "04-03 pending unseen", "04-04 pending unseen"];
    assert_eq!(story.told(), pending);
    story.run("2024-04-03T18:00:05", "2024-04-03T17:59:00");
    let told = ["04-02 on_time 0 unseen", "04-03 on_time 0 unseen", "04-04 pending unseen"];
    assert_eq!(story.told(), told);
    // What is not there after an absence was not there before.
    let mut story = Story::begin("2024-04-01T12:00:00");
    story.run("2024-04-03T18:00:00", "2024-04-02T09:00:00");
    let told = ["04-02 on_time 0 unseen", "04-03 missing 172800", "04-04 pending unseen"];
    assert_eq!(story.told(), told);
}

#[test]
fn a_source_that_pushes_is_missing_while_we_listen_and_not_while_we_do_not() {
    let mut story = Story::begin("2024-04-01T12:00:00");
    story.promise.is_pushed = true;
    story.fail("2024-04-02T07:31:00", "decode");
    assert_eq!(story.told()[0], "04-02 pending unseen", "a bad delivery has not looked");
    story.tick("2024-04-02T08:00:00", Some("2024-04-02T07:50:00"));
    assert_eq!(story.told()[0], "04-02 pending unseen", "its sender may be trying again");
    story.tick("2024-04-02T08:50:00", Some("2024-04-02T07:50:00"));
    assert_eq!(story.told()[0], "04-02 missing 259200");
    story.tick("2024-04-03T07:30:00", Some("2024-04-02T07:50:00"));
    assert_eq!(story.told()[1], "04-03 missing 172800", "we were listening");
}

#[test]
fn a_rule_that_changes_moves_only_what_is_still_to_come() {
    let mut story = Story::begin("2024-04-01T12:00:00");
    story.run("2024-04-02T07:30:00", "2024-04-01T20:00:00");
    let before = story.register.reports[0].clone();
    story.promise = promise("{time: '09:00', on: working_days, calendar: vietnam}");
    story.tick("2024-04-02T08:00:00", None);
    assert_eq!(story.register.reports[0], before);
    assert_eq!(story.register.reports[1].due_at, at("2024-04-03T09:00:00"));
    assert_eq!(story.register.reports.len(), 2, "one report a day");
    let released = released(&story.register).unwrap();
    assert_eq!(released.reports, [before], "without a rule nothing more is due");
}

#[test]
fn a_register_is_bounded_and_a_quiet_pass_changes_nothing() {
    let mut story = Story::begin("2022-01-01T12:00:00");
    story.tick("2024-04-01T12:00:00", None);
    assert_eq!(story.register.reports.len(), REPORTS_KEPT);
    assert_eq!(story.register.reports.last().unwrap().due_at, at("2024-04-02T07:30:00"));
    let sight = Sight {
        data_through: None,
        look: None,
        listening_since: None,
        now: at("2024-04-01T12:01:00"),
    };
    assert_eq!(pass(&story.register, &story.promise, sight), None);
}

mod order {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever runs come and fail in which order: a report found missing is never in time again,
        /// what is settled never changes, and a source that always had its data is never blamed.
        #[test]
        fn what_is_settled_stays(steps in prop::collection::vec((1_i64..200_000, 0_i64..200_000, 0_u8..4), 1..60)) {
            let mut story = Story::begin("2024-04-01T12:00:00");
            let mut now = at("2024-04-01T12:00:00");
            for (wait, behind, kind) in steps {
                now = Stamp(now.0 + wait);
                let text = now.rfc3339()[..19].to_owned();
                let before = story.register.clone();
                match kind {
                    0 => story.tick(&text, None),
                    1 => story.fail(&text, "timeout"),
                    2 => story.run(&text, &Stamp(now.0 - behind).rfc3339()[..19]),
                    _ => story.run(&text, &text),
                }
                for report in &story.register.reports {
                    let was = before.reports.iter().find(|was| was.due_on == report.due_on);
                    let Some(was) = was else { continue };
                    match was.state {
                        ReportState::OnTime | ReportState::Late => prop_assert_eq!(was, report),
                        ReportState::Missing => prop_assert!(report.state != ReportState::OnTime && report.state != ReportState::Pending),
                        ReportState::Pending => prop_assert!(report.state != ReportState::Late),
                    }
                }
            }
        }
    }
}

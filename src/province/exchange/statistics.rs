//! Rows of `MStatistic`: what each commune's office received, solved and still has, by month.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::{FIRST, lgsp, standing};
use crate::model::time::{Day, Stamp};
use crate::province::Province;
use crate::province::answer::{Answer, Here, Wanted, answer, bearer, unauthorised};
use crate::province::ledger::{Dossier, System};
use crate::province::serve::Query;

/// What is counted for one office and month.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    received: u64,
    carried_over: u64,
    solved_in_time: u64,
    solved_late: u64,
    pending: u64,
    pending_late: u64,
}

impl Counts {
    /// Adds a dossier to the month from `first` to before `end`, as it stands at `now`.
    fn add(&mut self, dossier: &Dossier, first: Stamp, end: Stamp, now: Stamp) {
        let Some(received) = dossier.received_at.filter(|received| *received < end) else { return };
        let solved = dossier.finished_at;
        if received >= first {
            self.received += 1;
        } else if solved.is_none_or(|solved| solved >= first) {
            self.carried_over += 1;
        } else {
            return;
        }
        let is_late = |at: Stamp| dossier.due_at.is_some_and(|due| due < at);
        match solved.filter(|solved| *solved < end) {
            Some(solved) if is_late(solved) => self.solved_late += 1,
            Some(_) => self.solved_in_time += 1,
            None if is_late(now.min(end)) => self.pending_late += 1,
            None => self.pending += 1,
        }
    }

    fn row(&self, office: u32, name: &str, (year, month): (i64, i64), slip: u64) -> Value {
        let total = self.received + self.carried_over;
        let solved = self.solved_in_time + self.solved_late;
        let share =
            |part: u64, of: u64| if of == 0 { 0.0 } else { part as f64 * 100.0 / of as f64 };
        json!({
            "Month": month, "Year": year, "IsMonthStatistic": true,
            "NewReception": self.received, "PreExtisting": self.carried_over, "Total": total + slip,
            "TotalSolved": solved, "SolvedInTime": self.solved_in_time, "SolvedLate": self.solved_late,
            "PercentSolvedInTime": share(self.solved_in_time, solved),
            "TotalPending": total - solved, "Pending": self.pending, "PendingLate": self.pending_late,
            "OrganizationInchargeIdlevel1": format!("{office:05}"), "OrganizationInchargeName": name,
        })
    }
}

pub(super) async fn of_month(here: Here, request: HttpRequest, query: Query) -> HttpResponse {
    let is_known = bearer(&request).is_some_and(|token| here.is_token_valid(token));
    if !is_known || !lgsp::is_let_in(&here, &request) {
        return unauthorised("Bearer");
    }
    let wanted = Wanted { endpoint: FIRST + 3, system: System::Portal, token: None };
    answer(&here, wanted, move |province, _, faults| {
        let now = province.now();
        let today = now.day().date();
        let number = |name: &str, or: i64| query.get(name).map_or(Ok(or), |text| text.parse());
        let year = number("year", today.year().into()).map_err(|_| "year không hợp lệ")?;
        let month = number("month", today.month().into()).map_err(|_| "month không hợp lệ")?;
        let (first, end) = bounds(year, month).ok_or("month không hợp lệ")?;
        // A careless office adds up wrongly.
        let slip = u64::from(faults.bad > 0.0);
        let rows = rows(province, (first, end, now), (year, month), slip);
        let body = json!({"error_code": "0", "message": "", "data": rows});
        Ok(Answer { body: body.to_string().into_bytes(), notes: Vec::new() })
    })
    .await
}

/// One row for each commune; the first one's total is wrong by `slip`.
fn rows(
    province: &Province,
    (first, end, now): (Stamp, Stamp, Stamp),
    period: (i64, i64),
    slip: u64,
) -> Vec<Value> {
    let mut offices: BTreeMap<u32, Counts> = BTreeMap::new();
    for dossier in standing(province, now) {
        offices.entry(dossier.commune_today).or_default().add(&dossier, first, end, now);
    }
    let areas = province.portal.records.areas.all.iter().enumerate();
    areas
        .map(|(i, area)| {
            let counts = offices.get(&area.code).copied().unwrap_or_default();
            counts.row(area.code, area.name, period, if i == 0 { slip } else { 0 })
        })
        .collect()
}

/// The beginning of a month and of the one after it.
fn bounds(year: i64, month: i64) -> Option<(Stamp, Stamp)> {
    let first = |year: i64, month: i64| {
        let date = jiff::civil::Date::new(year.try_into().ok()?, month.try_into().ok()?, 1).ok()?;
        Some(Day::from_date(date).start())
    };
    let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    Some((first(year, month)?, first(next_year, next)?))
}

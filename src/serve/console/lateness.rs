//! Missing reports on the first page: what is owed, since when, by whom.
//!
//! Only what is still missing is shown, the oldest first; the whole register is in the API. When
//! nothing is missing there is no section.

use maud::{Markup, html};

use super::words::{Both, Tone};
use super::{badge, both, format};
use crate::model::time::{DAY, Day};
use crate::serve::lateness::Item;

/// The most reports on the page.
const SHOWN: usize = 20;

/// The names of the columns; the first is the row's heading.
const COLUMNS: [(&str, &str); 5] = [
    ("Báo cáo", "report"),
    ("Hạn nộp", "due"),
    ("Trễ", "late by"),
    ("Lý do", "why"),
    ("Đơn vị chịu trách nhiệm", "accountable unit"),
];

/// The table of reports that are missing.
pub(super) fn table(reports: &[Item<'_>]) -> Markup {
    html! {
        @if !reports.is_empty() {
            section.sources aria-labelledby="lateness" {
                h2 id="lateness" {
                    (both("Báo cáo trễ hạn, chưa có", "reports that are late and missing"))
                    " " span.number { (reports.len()) }
                }
                table {
                    thead {
                        tr { @for (vi, en) in COLUMNS { th scope="col" { (both(vi, en)) } } }
                    }
                    tbody { @for report in reports.iter().take(SHOWN) { (row(report)) } }
                }
                @if reports.len() > SHOWN {
                    p.more { (both(
                        &format!("và {} báo cáo khác trong API", reports.len() - SHOWN),
                        &format!("and {} more in the API", reports.len() - SHOWN),
                    )) }
                }
            }
        }
    }
}

fn row(report: &Item<'_>) -> Markup {
    let (vi, en) = why(report.missed_by);
    html! {
        tr {
            th scope="row" {
                (report.contract) " · " (period(report.period_from, report.period_until))
                span.who { (both(&format!("Nguồn: {}", report.source), "source")) }
            }
            (cell(1, &html! {
                time datetime=(report.due_at.rfc3339()) { (format::time(report.due_at)) }
            }))
            (cell(2, &html! {
                (badge((Tone::Bad, ("Chưa có", "missing"))))
                p.why { (late(report.late_seconds)) }
            }))
            (cell(3, &both(vi, en)))
            (cell(4, &both(&report.accountable.name, &report.accountable.name_en)))
        }
    }
}

fn period(from: Day, until: Day) -> String {
    if from == until {
        return format::day(from);
    }
    format!("{} – {}", format::short_day(from), format::day(until))
}

/// How late a report is: in days from one day on, in hours or minutes before.
fn late(seconds: Option<i64>) -> Markup {
    let seconds = seconds.unwrap_or(0);
    let (count, (vi, en)) = match seconds {
        seconds if seconds >= DAY => (seconds / DAY, ("ngày", "days late")),
        seconds if seconds >= 3600 => (seconds / 3600, ("giờ", "hours late")),
        seconds => (seconds / 60, ("phút", "minutes late")),
    };
    both(&format!("trễ {} {vi}", format::count(count.max(0).cast_unsigned())), en)
}

fn why(reason: Option<&str>) -> Both {
    match reason {
        Some("not_there") => ("Nguồn trả lời nhưng chưa có số liệu", "answered without the data"),
        Some("connect" | "timeout" | "circuit_open") => ("Không kết nối được", "no answer"),
        Some("auth") => ("Bị từ chối đăng nhập", "refused to let us in"),
        Some("contract") => ("Số liệu sai hợp đồng", "broke its contract"),
        _ => ("Nguồn báo lỗi", "answered with an error"),
    }
}

fn cell(column: usize, what: &Markup) -> Markup {
    html! { td data-label=(COLUMNS[column].0) { div { (what) } } }
}

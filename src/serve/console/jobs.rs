//! `/jobs`: long work in the background, how far each has come, when it will be through and how it is ended.
//!
//! What goes on or went wrong comes first, then what is over. The page itself changes nothing: beside a
//! backfill that goes on stands the command that ends it.

use maud::{Markup, html};

use super::tile::percent;
use super::words::{self, Tone};
use super::{badge, both, format, whole};
use crate::model::time::Stamp;
use crate::serve::answer::{Answer, Keep};
use crate::serve::context::Asked;
use crate::serve::error::ApiError;
use crate::serve::jobs::{Details, Job, Kind, State, all};

/// The names of the columns; the first is the row's heading.
const COLUMNS: [(&str, &str); 5] = [
    ("Công việc", "work"),
    ("Tình trạng", "state"),
    ("Tiến độ", "progress"),
    ("Còn lại", "time to go"),
    ("Chi tiết", "details"),
];

/// `/jobs`.
pub(in crate::serve) fn page(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let mut jobs = all(asked);
    // The order within each kind stays the one of the API.
    jobs.sort_by_key(|job| rank(job.state));
    let open =
        jobs.iter().filter(|job| matches!(job.state, State::Running | State::Paused)).count();
    let body = html! {
        div.bar {
            nav aria-label="Trang (page)" {
                ul { li { a href=(asked.link("/")) { "← " (both("Tất cả chỉ số", "all indicators")) } } }
            }
        }
        main id="main" {
            section.sources.jobs aria-labelledby="jobs" {
                h2 id="jobs" {
                    (both("Việc chạy nền", "work in the background")) " " span.number { (open) }
                }
                @if jobs.is_empty() {
                    p { (both(
                        "Không có việc nào đang chạy hay đã chạy.",
                        "Nothing is under way, and nothing has been.",
                    )) }
                    p.who {
                        (both("Nạp lại một quãng thời gian của nguồn", "to pull a stretch of a source's past once more"))
                        ": " code { (asking(asked)) }
                    }
                } @else {
                    table {
                        thead { tr { @for (vi, en) in COLUMNS { th scope="col" { (both(vi, en)) } } } }
                        tbody { @for job in &jobs { (row(asked, job)) } }
                    }
                }
            }
        }
    };
    let markup = whole(asked, "Việc chạy nền", &body);
    Ok(Answer::new("text/html; charset=utf-8", markup.into_string(), Keep::Briefly))
}

/// What needs somebody comes first, what is over last.
const fn rank(state: State) -> u8 {
    match state {
        State::Failed => 0,
        State::Paused => 1,
        State::Running => 2,
        State::Cancelled => 3,
        State::Done => 4,
    }
}

fn row(asked: &Asked<'_>, job: &Job) -> Markup {
    let unit = asked.definitions.units.get(&job.accountable_unit);
    let (vi, en) = kind(job.kind);
    html! {
        tr id=(job.job) {
            th scope="row" {
                (vi) " " code { (job.of) }
                span.en lang="en" { (en) }
                @if let Some(unit) = unit { span.who { (both(&unit.name.vi, &unit.name.en)) } }
            }
            (cell(1, &badge(state(job.state))))
            (cell(2, &html! {
                meter min="0" max="1" value=(job.ratio.0) { (percent(job.ratio.0)) }
                " " (percent(job.ratio.0))
                p.who { (both(
                    &format!("{}/{} {}", format::count(job.done), format::count(job.total), counted(job.kind).0),
                    counted(job.kind).1,
                )) }
            }))
            (cell(3, &to_go(job)))
            (cell(4, &details(asked, job)))
        }
    }
}

fn cell(column: usize, what: &Markup) -> Markup {
    html! { td data-label=(COLUMNS[column].0) { div { (what) } } }
}

fn to_go(job: &Job) -> Markup {
    let seconds = job.backfill.as_ref().and_then(|details| details.eta_seconds);
    let Some(seconds) = seconds.and_then(|seconds| i64::try_from(seconds).ok()) else {
        return html! { "—" };
    };
    let (vi, en) = format::age(seconds);
    both(&format!("khoảng {vi}"), &format!("about {en}"))
}

fn details(asked: &Asked<'_>, job: &Job) -> Markup {
    let Some(backfill) = &job.backfill else {
        return html! { (both("theo cấu hình, tự chạy đến khi xong", "follows from the configuration")) };
    };
    let Details { from, until, requested_by, requested_at, ended_at, .. } = backfill;
    html! {
        p { (time(*from)) " – " (time(*until)) }
        p.who {
            (both(&format!("{requested_by} yêu cầu"), "asked for this")) " " (time(*requested_at))
            @if let Some(at) = ended_at { "; " (both("kết thúc", "ended")) " " (time(*at)) }
        }
        p.who { (both(
            &format!(
                "{} bản ghi, {} mới",
                format::count(backfill.received),
                format::count(backfill.accepted)
            ),
            "records, and how many of them were new",
        )) }
        @if backfill.failures > 0 {
            p.why {
                (both(&format!("{} lần lỗi liền nhau", backfill.failures), "failures in a row"))
                @if let Some(message) = &backfill.message { ": " (message) }
            }
        }
        @if matches!(job.state, State::Running | State::Paused) {
            p.who {
                (both("dừng lại, giữ phần đã nạp", "end it and keep what came in")) ": "
                code { "iocgw source cancel-backfill " (job.job) " --url " (address(asked)) }
            }
        }
    }
}

fn time(at: Stamp) -> Markup {
    html! { time datetime=(at.rfc3339()) { (format::time(at)) } }
}

fn asking(asked: &Asked<'_>) -> String {
    format!(
        "iocgw source backfill SOURCE.STREAM --from 2026-01-01 --by POSITION --url {}",
        address(asked)
    )
}

fn address(asked: &Asked<'_>) -> String {
    format!("http://127.0.0.1:8080{}", asked.context.base)
}

const fn kind(kind: Kind) -> words::Both {
    match kind {
        Kind::Rebuild => ("Tính lại đại lượng", "a measure is built anew"),
        Kind::History => ("Tải lịch sử của luồng", "the history of a stream comes in"),
        Kind::Backfill => {
            ("Nạp lại quá khứ của luồng", "a stretch of a stream's past comes in once more")
        }
    }
}

const fn counted(kind: Kind) -> words::Both {
    match kind {
        Kind::Rebuild => ("hồ sơ", "records"),
        Kind::History | Kind::Backfill => ("lát thời gian", "slices of time"),
    }
}

const fn state(state: State) -> (Tone, words::Both) {
    match state {
        State::Running => (Tone::Plain, ("Đang chạy", "running")),
        State::Paused => (Tone::Near, ("Tạm dừng cùng nguồn", "paused with its source")),
        State::Done => (Tone::Good, ("Xong", "done")),
        State::Cancelled => (Tone::Plain, ("Đã dừng theo yêu cầu", "ended by hand")),
        State::Failed => (Tone::Bad, ("Không tiếp tục được", "could not go on")),
    }
}

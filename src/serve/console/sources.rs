//! The sources' state as a table: each system, how it fares, and whose it is.
//!
//! On a narrow screen each row becomes a card with the column's name before each cell. Bars of runs
//! are pictures with their meaning in words.

use maud::{Markup, html};

use super::format;
use super::spark;
use super::words::{self, Tone};
use super::{badge, both, shape};
use crate::indicator::reading::FreshnessState;
use crate::model::time::Stamp;
use crate::serve::sources::{Health, State};

/// The names of the columns; the first is the row's heading.
const COLUMNS: [(&str, &str); 8] = [
    ("Nguồn", "source"),
    ("Trạng thái", "state"),
    ("Thành công gần nhất", "last success"),
    ("Dữ liệu đến", "data through"),
    ("Bản ghi", "records"),
    ("Cách ly", "quarantine"),
    ("Lỗi gần nhất", "last error"),
    ("Các lượt gần đây", "recent runs"),
];

/// The table of all sources.
pub(super) fn table(sources: &[State<'_>]) -> Markup {
    html! {
        section.sources aria-labelledby="sources" {
            h2 id="sources" { (both("Nguồn dữ liệu", "Sources")) }
            @if sources.is_empty() {
                p { (both("Chưa có nguồn nào trong cấu hình.", "No source is configured.")) }
            } @else {
                table {
                    thead {
                        tr { @for (vi, en) in COLUMNS { th scope="col" { (both(vi, en)) } } }
                    }
                    tbody { @for state in sources { (row(state)) } }
                }
            }
        }
    }
}

/// A line in the list of what needs attention.
pub(super) fn line(state: &State<'_>) -> Markup {
    let (tone, (vi, en)) = words::health(state.health);
    let (why, why_en) = why(state);
    html! {
        li class=(tone.class()) {
            (shape(tone))
            div {
                a href={ "#source-" (state.source) } { "Nguồn: " (state.title) }
                " – " strong { (vi) } ": " (why)
                p.en lang="en" { (state.title_en) ": " (en) ", " (why_en) }
                p.who { (state.accountable.name) }
            }
        }
    }
}

fn why(state: &State<'_>) -> (String, String) {
    let words = || state.reasons.iter().map(|reason| words::reason(reason));
    let join = |words: Vec<&str>| words.join(", ");
    (join(words().map(|(vi, _)| vi).collect()), join(words().map(|(_, en)| en).collect()))
}

fn row(state: &State<'_>) -> Markup {
    html! {
        tr id={ "source-" (state.source) } {
            th scope="row" {
                (state.title)
                span.en lang="en" { (state.title_en) }
                span.who { (both(&state.accountable.name, &state.accountable.name_en)) }
            }
            (cell(1, &html! {
                (badge(words::health(state.health)))
                @if state.health != Health::Healthy {
                    @let (vi, en) = why(state);
                    p.why { (both(&vi, &en)) }
                }
                @if let Some(paused) = state.paused {
                    p.why {
                        (both(
                            &format!("{} tạm dừng từ {}: {}", paused.by, format::time(paused.since), paused.why),
                            "paused by, since, why",
                        ))
                    }
                }
            }))
            (cell(2, &time(state.freshness.last_success_at)))
            (cell(3, &html! {
                (time(state.freshness.data_through))
                @if state.freshness.state == FreshnessState::Stale {
                    " " span.word.near { (both("cũ", "stale")) }
                }
            }))
            (cell(4, &records(state)))
            (cell(5, &html! { (format::count(state.quarantine.records)) }))
            (cell(6, &trouble(state)))
            (cell(7, &html! {
                @for stream in &state.streams {
                    (spark::runs(stream.name, stream.history.as_deref().unwrap_or_default()))
                }
            }))
        }
    }
}

fn cell(column: usize, what: &Markup) -> Markup {
    html! { td data-label=(COLUMNS[column].0) { div { (what) } } }
}

fn time(at: Option<Stamp>) -> Markup {
    match at {
        Some(at) => html! { time datetime=(at.rfc3339()) { (format::time(at)) } },
        None => both("chưa có", "never"),
    }
}

fn records(state: &State<'_>) -> Markup {
    html! {
        strong { (format::count(state.records.received)) } " " (both("đã nhận", "received"))
        p.why { (both(&format!("{} được nhận vào", format::count(state.records.accepted)), "accepted")) }
        @if let Some(targets) = state.targets {
            @let tone = if targets.answered < targets.all { Tone::Near } else { Tone::Good };
            p class={ "why word " (tone.class()) } {
                (both(&format!("{}/{} thiết bị trả lời", targets.answered, targets.all), "targets answer"))
            }
        }
    }
}

fn trouble(state: &State<'_>) -> Markup {
    let Some(trouble) = &state.last_error else { return both("không có", "none") };
    let (vi, en) = words::trouble(&trouble.reason);
    html! {
        @if let Some(until) = state.circuit.open_until {
            p.why {
                (both(&format!("không hỏi lại trước {}", format::time(until)), "not asked again before then"))
            }
        }
        span.word.bad { (both(vi, en)) }
        p.why {
            (both(
                &format!("{} lượt liên tiếp từ {}", format::count(trouble.count), format::time(trouble.since)),
                "runs in a row since",
            ))
        }
        p.why lang="en" { (trouble.message) }
    }
}

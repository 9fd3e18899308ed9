//! `/quarantine`: what broke its contract, by rule: how many, since when, of what shape.
//!
//! For the steward who corrects a contract or a code list: shapes say which fields came as what, never
//! a value, and beside each rule stands the command that sends its records through again. The page
//! itself changes nothing.

use maud::{Markup, html};

use super::words::Both;
use super::{both, format, whole};
use crate::model::quarantine::{Filter, Group, State};
use crate::model::time::Stamp;
use crate::serve::answer::{Answer, Keep};
use crate::serve::context::Asked;
use crate::serve::error::ApiError;

/// The most rules on the page.
const SHOWN: usize = 200;

/// The names of the columns; the first is the row's heading.
const COLUMNS: [(&str, &str); 6] = [
    ("Quy tắc bị vi phạm", "broken rule"),
    ("Bản ghi", "records"),
    ("Lần đầu", "first seen"),
    ("Lần cuối", "last seen"),
    ("Hình dạng bản ghi mới nhất", "shape of the newest"),
    ("Nạp lại sau khi sửa", "replay when corrected"),
];

/// `/quarantine`.
pub(in crate::serve) fn page(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    asked.query()?;
    let filter = Filter { state: Some(State::Held), limit: SHOWN, ..Filter::default() };
    let groups = asked.context.quarantine.groups(&filter).map_err(ApiError::Internal)?;
    let body = html! {
        div.bar {
            nav aria-label="Trang (page)" {
                ul { li { a href=(asked.link("/")) { "← " (both("Tất cả chỉ số", "all indicators")) } } }
            }
        }
        main id="main" { (section(asked, &groups)) }
    };
    let markup = whole(asked, "Bản ghi cách ly", &body);
    Ok(Answer::new("text/html; charset=utf-8", markup.into_string(), Keep::Briefly))
}

fn section(asked: &Asked<'_>, groups: &[Group]) -> Markup {
    let records: u64 = groups.iter().map(|group| group.records).sum();
    html! {
        section.sources.quarantine aria-labelledby="quarantine" {
            h2 id="quarantine" {
                (both("Bản ghi cách ly", "records in quarantine"))
                " " span.number { (format::count(records)) }
            }
            p { (both(
                "Bản ghi sai hợp đồng dữ liệu được giữ lại, không bị bỏ, và không tính vào chỉ số.",
                "Records that break their contract are kept, not dropped, and count in no indicator.",
            )) }
            @if groups.is_empty() {
                p { (both("Không có bản ghi nào bị cách ly.", "Nothing is in quarantine.")) }
            } @else {
                table {
                    thead {
                        tr { @for (vi, en) in COLUMNS { th scope="col" { (both(vi, en)) } } }
                    }
                    tbody { @for group in groups { (row(asked, group)) } }
                }
            }
        }
    }
}

fn row(asked: &Asked<'_>, group: &Group) -> Markup {
    let (vi, en) = reason(&group.reason);
    html! {
        tr {
            th scope="row" {
                (both(vi, en))
                @if !group.rule.is_empty() { " " code { (group.rule) } }
                span.who { (group.contract) " · " (group.source) "." (group.stream) }
            }
            (cell(1, &html! { (format::count(group.records)) }))
            (cell(2, &time(group.first_seen)))
            (cell(3, &time(group.last_seen)))
            (cell(4, &shape(&group.shape)))
            (cell(5, &html! { code { (command(asked, group)) } }))
        }
    }
}

fn cell(column: usize, what: &Markup) -> Markup {
    html! { td data-label=(COLUMNS[column].0) { div { (what) } } }
}

fn time(at: Stamp) -> Markup {
    html! { time datetime=(at.rfc3339()) { (format::time(at)) } }
}

/// Properties and the type that each had.
fn shape(shape: &str) -> Markup {
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(shape).unwrap_or_default();
    html! {
        details {
            summary { (both(&format!("{} trường", fields.len()), "fields")) }
            ul { @for (name, kind) in &fields {
                li { code { (name) } ": " (kind.as_str().unwrap_or_default()) }
            } }
        }
    }
}

/// The command that replays the records of a group on the running gateway.
fn command(asked: &Asked<'_>, group: &Group) -> String {
    let base = &asked.context.base;
    let Group { source, stream, reason, rule, .. } = group;
    let rule = if rule.is_empty() {
        String::new()
    } else {
        format!(" --rule '{}'", rule.replace('\'', r"'\''"))
    };
    format!(
        "iocgw quarantine replay --source {source} --stream {stream} --reason {reason}{rule} --url http://127.0.0.1:8080{base}"
    )
}

fn reason(reason: &str) -> Both {
    match reason {
        "missing" => ("Thiếu trường bắt buộc", "a required field is missing"),
        "wrong_type" => ("Sai kiểu dữ liệu", "another type"),
        "out_of_range" => ("Giá trị ngoài phạm vi", "out of range"),
        "future_dated" => ("Ngày ở tương lai", "dated in the future"),
        "unknown_code" => ("Mã không có trong danh mục", "a code that is not in its list"),
        "unknown_area" => ("Mã địa bàn không xác định", "an unknown area"),
        "area_without_successor" => {
            ("Địa bàn đã bỏ, chưa có nơi kế thừa", "an area without successor")
        }
        "check_failed" => ("Không đạt phép kiểm tra", "a check fails"),
        "malformed" => ("Không đọc được bản ghi", "an unreadable record"),
        _ => ("Lỗi khác", "another flaw"),
    }
}

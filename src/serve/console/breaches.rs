//! The register of breaches on the first page: which contract was left, how, since when, by whom.
//!
//! Only what goes on is shown, breaking ones first; the whole register is in the API. Without a
//! breach there is no section: an empty table says nothing to somebody in a hurry.

use maud::{Markup, html};

use super::words::{self, Tone};
use super::{badge, both, format};
use crate::model::drift::{Grade, Kind};
use crate::serve::breaches::Item;

/// The most breaches on the page.
const SHOWN: usize = 20;

/// The names of the columns; the first is the row's heading.
const COLUMNS: [(&str, &str); 5] = [
    ("Hợp đồng dữ liệu", "contract"),
    ("Mức độ", "grade"),
    ("Sai lệch", "what changed"),
    ("Từ", "since"),
    ("Đơn vị chịu trách nhiệm", "accountable unit"),
];

/// The table of breaches that go on.
pub(super) fn table(breaches: &[Item<'_>]) -> Markup {
    html! {
        @if !breaches.is_empty() {
            section.sources aria-labelledby="breaches" {
                h2 id="breaches" {
                    (both("Sai lệch so với hợp đồng dữ liệu", "breaches of data contracts"))
                    " " span.number { (breaches.len()) }
                }
                table {
                    thead {
                        tr { @for (vi, en) in COLUMNS { th scope="col" { (both(vi, en)) } } }
                    }
                    tbody { @for breach in breaches.iter().take(SHOWN) { (row(breach)) } }
                }
                @if breaches.len() > SHOWN {
                    p.more { (both(
                        &format!("và {} mục khác trong API", breaches.len() - SHOWN),
                        &format!("and {} more in the API", breaches.len() - SHOWN),
                    )) }
                }
            }
        }
    }
}

fn row(breach: &Item<'_>) -> Markup {
    html! {
        tr {
            th scope="row" {
                (breach.contract)
                span.who { (both(&format!("Nguồn: {}", breach.source), "source")) }
            }
            (cell(1, &badge(grade(breach.grade))))
            (cell(2, &html! {
                @let (vi, en) = kind(breach.kind);
                (both(vi, en))
                @if let Some(property) = breach.property { " " code { (property) } }
                p.why { (count(breach)) }
            }))
            (cell(3, &html! {
                time datetime=(breach.first_seen_at.rfc3339()) { (format::time(breach.first_seen_at)) }
            }))
            (cell(4, &both(&breach.accountable.name, &breach.accountable.name_en)))
        }
    }
}

fn count(breach: &Item<'_>) -> Markup {
    let count = format::count(breach.count);
    match breach.grade {
        Grade::Additive => both(&format!("{count} trường mới"), "fields more than before"),
        Grade::Breaking => both(&format!("{count} lượt bản ghi"), "sightings of records"),
    }
}

fn cell(column: usize, what: &Markup) -> Markup {
    html! { td data-label=(COLUMNS[column].0) { div { (what) } } }
}

const fn grade(grade: Grade) -> (Tone, words::Both) {
    match grade {
        Grade::Additive => (Tone::Plain, ("Bổ sung", "additive")),
        Grade::Breaking => (Tone::Bad, ("Vi phạm", "breaking")),
    }
}

const fn kind(kind: Kind) -> words::Both {
    match kind {
        Kind::Missing => ("Thiếu trường bắt buộc", "a required field is missing"),
        Kind::WrongType => ("Sai kiểu dữ liệu", "another type"),
        Kind::NewCode => ("Mã mới chưa có trong danh mục", "a code that is not in its list"),
        Kind::UnknownArea => ("Mã địa bàn không xác định", "an unknown area"),
        Kind::OutOfRange => ("Giá trị ngoài phạm vi", "out of range"),
        Kind::NewFields => ("Nguồn gửi thêm trường", "fields that nobody maps"),
    }
}

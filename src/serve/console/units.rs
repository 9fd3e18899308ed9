//! `/units` and `/units/{id}`: who is late, and what each accountable unit answers for.
//!
//! The same cards as in the API, the worst first: reports that are missing, items that are overdue,
//! sources that are old. The page of one unit has its indicators as tiles, for the period chosen.

use maud::{Markup, html};

use super::tile::Tile;
use super::words::{self, Tone};
use super::{Choice, badge, both, chosen_period, format, shape, whole};
use crate::serve::answer::{Answer, Keep};
use crate::serve::context::Asked;
use crate::serve::error::ApiError;
use crate::serve::units::{Card, asked_card, cards};

/// The names of the columns; the first is the row's heading.
const COLUMNS: [(&str, &str); 5] = [
    ("Đơn vị", "unit"),
    ("Báo cáo của hệ thống", "reports of its systems"),
    ("Mô hình, nhiệm vụ", "models and tasks"),
    ("Nguồn dữ liệu", "sources"),
    ("Chỉ số", "indicators"),
];

/// `/units?from=&to=`.
pub(in crate::serve) fn page(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let mut cards = cards(asked, &query)?;
    cards.sort_by_key(|card| std::cmp::Reverse(card.burden()));
    let body = html! {
        div.bar { nav aria-label="Trang (pages)" { ul { (home(asked)) } } }
        main id="main" {
            section.sources aria-labelledby="units" {
                h2 id="units" {
                    (both("Đơn vị chịu trách nhiệm", "accountable units")) " "
                    span.number { (cards.len()) }
                }
                table {
                    thead { tr { @for (vi, en) in COLUMNS { th scope="col" { (both(vi, en)) } } } }
                    tbody { @for card in &cards { (row(asked, card)) } }
                }
            }
        }
    };
    Ok(answer(whole(asked, "Đơn vị chịu trách nhiệm", &body)))
}

/// `/units/{id}?period=&from=&to=`.
pub(in crate::serve) fn one(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let card = asked_card(asked, &query)?;
    let choices = Choice::all(asked);
    let chosen = chosen_period(asked, &query, &choices)?;
    let mut tiles = Vec::new();
    for definition in asked.definitions.catalogue.iter() {
        if definition.accountable.unit == card.unit {
            tiles.push(Tile::new(asked, definition, &chosen)?);
        }
    }
    tiles.sort_by_key(|tile| std::cmp::Reverse(tile.severity()));
    let base = asked.link(format_args!("/units/{}", card.unit));
    let late = crate::serve::lateness::owed(asked);
    let late: Vec<_> =
        late.into_iter().filter(|report| report.accountable.id == card.unit).collect();
    let body = html! {
        div.bar {
            nav aria-label="Kỳ số liệu (period)" {
                ul {
                    (home(asked))
                    li { a href=(asked.link("/units")) { (both("Tất cả đơn vị", "all units")) } }
                    (super::choices(&choices, &chosen, &base, ""))
                }
            }
        }
        main id="main" {
            (about(asked, &card))
            (items(asked, &card))
            (super::lateness::table(&late))
            (sources(asked, &card))
            @if !tiles.is_empty() {
                section.group aria-labelledby="indicators" {
                    h2 id="indicators" { (both("Chỉ số", "indicators")) " " span.number { (tiles.len()) } }
                    div.tiles { @for tile in &tiles { (tile.card(asked)) } }
                }
            }
        }
    };
    Ok(answer(whole(asked, card.name, &body)))
}

fn answer(markup: Markup) -> Answer {
    Answer::new("text/html; charset=utf-8", markup.into_string(), Keep::Briefly)
}

fn home(asked: &Asked<'_>) -> Markup {
    html! { li { a href=(asked.link("/")) { "← " (both("Tất cả chỉ số", "all indicators")) } } }
}

fn row(asked: &Asked<'_>, card: &Card<'_>) -> Markup {
    html! {
        tr {
            th scope="row" {
                a href=(asked.link(format_args!("/units/{}", card.unit))) { (card.name) }
                span.en lang="en" { (card.name_en) }
                span.who { (card.role) }
            }
            (cell(1, &reports(card)))
            (cell(2, &led(card)))
            (cell(3, &html! {
                (card.answers_for.sources)
                @if !card.stale_sources.is_empty() {
                    p class="word near" {
                        (both(&format!("số liệu cũ: {}", card.stale_sources.join(", ")), "stale"))
                    }
                }
                @if card.breaches.breaking > 0 {
                    p class="word bad" {
                        (both(&format!("{} sai lệch hợp đồng", card.breaches.breaking), "breaches"))
                    }
                }
            }))
            (cell(4, &html! { (card.answers_for.indicators) }))
        }
    }
}

/// Reports that were due, and how they came.
fn reports(card: &Card<'_>) -> Markup {
    let reports = &card.reports;
    if reports.due == 0 {
        return both("không có báo cáo đến hạn", "none due");
    }
    let said = match (reports.missing, reports.late) {
        (0, 0) => (Tone::Good, ("Đúng hạn", "on time")),
        (0, _) => (Tone::Near, ("Có báo cáo muộn", "some were late")),
        _ => (Tone::Bad, ("Thiếu báo cáo", "missing")),
    };
    html! {
        (badge(said))
        p.who {
            (both(&format!("đúng hạn {}/{}", reports.on_time, reports.due), "on time of those due"))
            @if reports.missing > 0 { "; " (both(&format!("thiếu {}", reports.missing), "missing")) }
            @if let Some(days) = reports.mean_days_late {
                "; " (both(&format!("muộn bình quân {} ngày", format::amount(days.0)), "mean days late"))
            }
        }
    }
}

/// The models and tasks that it leads.
fn led(card: &Card<'_>) -> Markup {
    let items = &card.items;
    if items.total == 0 {
        return both("không chủ trì", "none");
    }
    html! {
        (both(&format!("chủ trì {}, xong {}", items.total, items.done), "led, done"))
        @if items.overdue > 0 {
            p class="word bad" { (both(&format!("{} mục quá hạn", items.overdue), "overdue")) }
        }
        @if items.reports_late > 0 {
            p class="word near" { (both(&format!("{} báo cáo muộn", items.reports_late), "reports late")) }
        }
    }
}

fn about(asked: &Asked<'_>, card: &Card<'_>) -> Markup {
    html! {
        section.attention aria-labelledby="unit" {
            h2 id="unit" { (both(card.name, card.name_en)) }
            p.who { (card.role) }
            @if let Some((parent, name)) = card.parent.zip(card.parent_name) {
                p { (both("Thuộc", "belongs to")) ": " a href=(asked.link(format_args!("/units/{parent}"))) { (name) } }
            }
            p { (both("Báo cáo của hệ thống", "reports of its systems")) ": " (reports(card)) }
            p { (both("Mô hình, nhiệm vụ", "models and tasks")) ": " (led(card)) }
            p.more { a href=(asked.link(format_args!("/v1/units/{}", card.unit))) { (both("Qua API", "by the API")) } }
        }
    }
}

/// What it leads and what is overdue, the longest first.
fn items(asked: &Asked<'_>, card: &Card<'_>) -> Markup {
    let overdue = card.overdue_items.as_deref().unwrap_or_default();
    html! {
        @if !overdue.is_empty() {
            section.attention aria-labelledby="overdue" {
                h2 id="overdue" {
                    (both("Mô hình, nhiệm vụ quá hạn", "overdue models and tasks")) " "
                    span.number { (overdue.len()) }
                }
                ul { @for item in overdue {
                    li.bad {
                        (shape(Tone::Bad))
                        div {
                            a href=(asked.link(format_args!("/trackers/{}/items/{}", item.tracker, item.item))) {
                                (item.item) " · " (item.title)
                            }
                            p.who { (both(
                                &format!("quá {} ngày", item.days_overdue),
                                "days overdue",
                            )) }
                        }
                    }
                } }
            }
        }
    }
}

fn sources(asked: &Asked<'_>, card: &Card<'_>) -> Markup {
    let sources = card.sources.as_deref().unwrap_or_default();
    html! {
        @if !sources.is_empty() {
            section.list aria-labelledby="sources" {
                h2 id="sources" { (both("Nguồn dữ liệu", "sources")) }
                table {
                    thead { tr {
                        th scope="col" { (both("Nguồn", "source")) }
                        th scope="col" { (both("Trạng thái", "state")) }
                        th scope="col" { (both("Dữ liệu đến", "data through")) }
                    } }
                    tbody { @for source in sources {
                        tr {
                            th scope="row" {
                                a href=(asked.link(format_args!("/#source-{}", source.source))) { (source.title) }
                                span.en lang="en" { (source.title_en) }
                            }
                            td data-label="Trạng thái" { (badge(words::health(source.health))) }
                            td data-label="Dữ liệu đến" {
                                @match source.data_through {
                                    Some(at) => { time datetime=(at.rfc3339()) { (format::time(at)) } },
                                    None => (both("Chưa có dữ liệu", "no data yet")),
                                }
                            }
                        }
                    } }
                }
            }
        }
    }
}

fn cell(column: usize, what: &Markup) -> Markup {
    html! { td data-label=(COLUMNS[column].0) { div { (what) } } }
}

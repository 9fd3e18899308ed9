//! `/indicators/{id}`: one indicator on a page of its own.
//!
//! The tile of the first page and a map of the communes, what changed lately in figures that were already
//! published, with the causes in words, the days behind the tile's line, and the communes in order.
//! Readable without script, like the first page; `as_of=` shows it as it stood at a moment.

use maud::{Markup, html};

use super::map::map;
use super::tile::Tile;
use super::words;
use super::{Choice, both, chosen_period, format, shape, whole};
use crate::indicator::layout::Cell;
use crate::indicator::{Definition, Grain, Layout, Period, Place};
use crate::model::revision::Cause;
use crate::model::time::Stamp;
use crate::serve::answer::{Answer, Keep};
use crate::serve::context::Asked;
use crate::serve::error::ApiError;
use crate::serve::period::{Stretch, named_period};
use crate::serve::place::{all_of_today, title};
use crate::serve::revisions::{Item, recent};

/// How many days the table and the list of changes look back.
const DAYS: i32 = 30;

/// How many changes are shown.
const CHANGES: usize = 30;

/// `/indicators/{id}?period=&as_of=`.
pub(in crate::serve) fn page(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let definition = asked.definition()?;
    let query = asked.query()?;
    let choices = Choice::all(asked);
    let chosen = chosen_period(asked, &query, &choices)?;
    let period = named_period(asked, definition, &chosen)?;
    let tile = Tile::new(asked, definition, &chosen)?;
    let end = asked.now.day().plus(1);
    let stretch = Stretch { grain: Grain::Day, first: end.plus(-DAYS), end };
    let mut changes = recent(asked, definition, &stretch)?;
    if let Some((_, items)) = &mut changes {
        // That an open day fills up is no news.
        items.retain(|item| item.causes != [Cause::Arrived]);
    }
    let base = asked.link(format_args!("/indicators/{}", definition.id));
    let cells = by_commune(asked, definition, &period);
    let (vi, en) = words::period(&period.id, period.first);
    let of_period = html! { " · " (both(&vi, &en)) };
    let heading = html! { (both("Bản đồ", "map")) (of_period) };
    let map = map(&asked.definitions.areas.geometries, definition, &cells, &heading);
    let body = html! {
        (bar(asked, &choices, &chosen, &base))
        main.indicator id="main" {
            div.columns {
                div {
                    section aria-label="Giá trị (value)" {
                        (tile.card(asked))
                        (definition_facts(definition))
                    }
                    @if let Some(map) = map { (map) }
                }
                (revisions(asked, definition, changes.as_ref()))
            }
            div.columns {
                (days(asked, definition, &stretch))
                (communes(definition, &cells, &of_period))
            }
        }
    };
    let markup = whole(asked, &definition.title.vi, &body);
    Ok(Answer::new("text/html; charset=utf-8", markup.into_string(), Keep::Briefly))
}

fn bar(asked: &Asked<'_>, choices: &[Choice], chosen: &str, base: &str) -> Markup {
    html! {
        div.bar {
            nav aria-label="Kỳ số liệu (period)" {
                ul {
                    li { a href=(asked.link("/")) { "← " (both("Tất cả chỉ số", "all indicators")) } }
                    (super::choices(choices, chosen, base, &asked.moment_link("&")))
                }
            }
        }
    }
}

fn definition_facts(definition: &Definition) -> Markup {
    html! {
        div.facts {
            @if let Some(text) = &definition.description {
                p { (both(&text.vi, &text.en)) }
            }
            p { (both("Cách tính", "formula")) ": " code { (definition.formula) } }
            p.who { (both("Phiên bản định nghĩa", "definition version")) ": " (definition.version) }
        }
    }
}

/// The value of each day, the newest first.
fn days(asked: &Asked<'_>, definition: &Definition, stretch: &Stretch) -> Markup {
    let layout = Layout::today(&asked.definitions.areas, &stretch.periods(), &[Place::Province]);
    let mut cells = layout.cells(&asked.world(), definition);
    cells.reverse();
    html! {
        section.list aria-labelledby="days" {
            h2 id="days" { (both("30 ngày gần nhất", "last 30 days")) }
            table {
                thead { tr {
                    th scope="col" { (both("Ngày", "day")) }
                    th scope="col" { (both("Giá trị", "value")) }
                    th scope="col" { (both("Tình trạng", "status")) }
                } }
                tbody { @for cell in &cells {
                    tr {
                        th scope="row" { (format::day(cell.period.first)) }
                        (value_cell(definition, cell))
                        td data-label="Tình trạng" { (status(cell)) }
                    }
                } }
            }
        }
    }
}

/// The communes, the highest value first; those without one last.
fn by_commune(asked: &Asked<'_>, definition: &Definition, period: &Period) -> Vec<Cell> {
    let areas = &asked.definitions.areas;
    let layout = Layout::today(areas, std::slice::from_ref(period), &all_of_today(&asked.world()));
    let mut cells = layout.cells(&asked.world(), definition);
    cells.sort_by(|a, b| match (a.point.value, b.point.value) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (a, b) => a.is_none().cmp(&b.is_none()),
    });
    cells
}

fn communes(definition: &Definition, cells: &[Cell], of_period: &Markup) -> Markup {
    html! {
        section.list aria-labelledby="communes" {
            h2 id="communes" { (both("Theo xã, phường", "by commune")) (of_period) }
            table {
                thead { tr {
                    th scope="col" { (both("Xã, phường", "commune")) }
                    th scope="col" { (both("Giá trị", "value")) }
                    th scope="col" { (both("Tình trạng", "status")) }
                } }
                tbody { @for cell in cells {
                    tr {
                        th scope="row" { (title(&cell.title).vi) }
                        (value_cell(definition, cell))
                        td data-label="Tình trạng" { (status(cell)) }
                    }
                } }
            }
        }
    }
}

fn value_cell(definition: &Definition, cell: &Cell) -> Markup {
    let point = &cell.point;
    html! {
        td data-label="Giá trị" {
            strong { (said(definition, point.value)) }
            @if let (Some(above), Some(below)) = (point.numerator, point.denominator) {
                " " span.who { (format::amount(above)) " / " (format::amount(below)) }
            }
        }
    }
}

fn status(cell: &Cell) -> Markup {
    let (vi, en) = if cell.point.value.is_some() {
        words::status(cell.point.status)
    } else {
        words::no_value(cell.point.reason)
    };
    both(vi, en)
}

fn said(definition: &Definition, value: Option<f64>) -> String {
    value.map_or_else(
        || "—".to_owned(),
        |value| format::value(value, &definition.unit_measure, definition.decimals),
    )
}

/// What changed lately in the figures of the last days, the newest day first.
fn revisions(
    asked: &Asked<'_>,
    definition: &Definition,
    changes: Option<&(Stamp, Vec<Item>)>,
) -> Markup {
    html! {
        section.attention aria-labelledby="revisions" {
            h2 id="revisions" { (both("Số liệu đã thay đổi", "revised figures")) }
            @match changes {
                None => p { (both("Chưa có nhật ký để so sánh.", "There is no journal yet.")) },
                Some((since, items)) if items.is_empty() => {
                    p { (shape(words::Tone::Good)) (both(
                        &format!("Không có thay đổi nào từ {}.", format::time(*since)),
                        "Nothing has changed since.",
                    )) }
                },
                Some((since, items)) => {
                    p.who { (both(
                        &format!("So với những gì đã biết lúc {}", format::time(*since)),
                        "compared with what was known then",
                    )) }
                    ul.changes { @for item in items.iter().rev().take(CHANGES) {
                        (change(definition, item))
                    } }
                    @if items.len() > CHANGES {
                        p.more { (both(
                            &format!("và {} thay đổi khác", items.len() - CHANGES),
                            &format!("and {} more", items.len() - CHANGES),
                        )) }
                    }
                }
            }
            p.more {
                a href=(asked.link(format_args!("/v1/indicators/{}/revisions?last=30d", definition.id))) {
                    (both("Toàn bộ qua API", "all of them by the API"))
                }
            }
        }
    }
}

fn change(definition: &Definition, item: &Item) -> Markup {
    let (old, new) = item.values();
    let (was, is) = item.statuses();
    let (vi, en) = words::change(item.change);
    html! {
        li { div {
            strong { (format::day(item.first)) } ": "
            @if old == new {
                (said(definition, new)) " (" (words::status(was).0) " → " (words::status(is).0) ")"
            } @else {
                (said(definition, old)) " → " strong { (said(definition, new)) }
            }
            " · " (both(vi, en))
            p.who {
                @for (i, cause) in item.causes.iter().enumerate() {
                    @if i > 0 { "; " }
                    @let (vi, en) = words::cause(*cause);
                    (both(vi, en))
                }
                @if let Some(at) = item.last_learned_at { " · " time datetime=(at.rfc3339()) { (format::time(at)) } }
            }
        } }
    }
}

//! The console. The first page: every indicator with what qualifies it, and the state of the sources
//! below; `indicator` has the page of one indicator, `tracker` that of models and tasks, `units`
//! those of who answers for what, `quarantine` that of refused records, `jobs` that of long work.
//!
//! Rendered by the server and readable without script; there is no script at all. Vietnamese first
//! with English beside it. What needs attention comes first, in words before colours. One snapshot
//! makes the whole page, so its figures fit each other and those of the API at the same revision.
//! Further pages of the console belong into this folder, one file each.

mod badge;
mod breaches;
mod format;
mod indicator;
mod jobs;
mod lateness;
mod map;
mod quarantine;
mod sources;
mod spark;
mod tile;
mod tracker;
mod units;
mod words;

use std::sync::OnceLock;

use maud::{DOCTYPE, Markup, html};

pub(super) use self::badge::{picture, picture_of_source};
pub(super) use self::indicator::page as indicator;
pub(super) use self::jobs::page as jobs;
pub(super) use self::quarantine::page as quarantine;
pub(super) use self::tracker::{item as tracker_item, page as tracker};
pub(super) use self::units::{one as unit, page as units};

use self::tile::Tile;
use self::words::Tone;
use super::answer::{Answer, Keep};
use super::context::Asked;
use super::error::{ApiError, ParameterError, brief};
use super::period::settled_month;
use super::query::Query;
use super::sources::{Health, State, states};
use crate::indicator::{Extent, Grain, Period};

const STYLE: &str = include_str!("console.css");

/// How many lines the list of what needs attention has at most.
const ATTENTION: usize = 12;

/// The hash of the style sheet, part of its address: a new one gets a new address.
fn style_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| blake3::hash(STYLE.as_bytes()).to_hex()[..16].to_owned())
}

/// `/assets/{name}`: the style sheet; kept for good when asked for by its hash.
pub(super) fn asset(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    if asked.piece("name") != "console.css" {
        return Err(ApiError::UnknownPath { suggestions: vec![asked.link("/assets/console.css")] });
    }
    let query = asked.query()?;
    let current = query.get("v") == Some(style_hash());
    let keep = if current { Keep::Forever } else { Keep::Briefly };
    Ok(Answer::new("text/css; charset=utf-8", STYLE, keep))
}

/// `/?period=`: the page, for this month unless told otherwise; until the 4th for the last one.
pub(super) fn page(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let query = asked.query()?;
    let choices = Choice::all(asked);
    let chosen = &chosen_period(asked, &query, &choices)?;
    let mut tiles = Vec::new();
    for definition in asked.definitions.catalogue.iter() {
        tiles.push(Tile::new(asked, definition, chosen)?);
    }
    let sources = states(asked, true);
    let breaches = super::breaches::open(asked);
    let late = super::lateness::owed(asked);
    let registers = (&breaches[..], &late[..]);
    let markup = layout(asked, &choices, chosen, &tiles, &sources, registers);
    Ok(Answer::new("text/html; charset=utf-8", markup.into_string(), Keep::Briefly))
}

/// The period that a page is for.
fn chosen_period(asked: &Asked<'_>, query: &Query, choices: &[Choice]) -> Result<String, ApiError> {
    let settled = settled_month(asked).id;
    let chosen = query.get("period").unwrap_or(&settled);
    let period = Period::parse(&brief(chosen), asked.now.day(), Extent::default());
    // Most of the page knows no hours.
    if period.is_ok_and(|period| period.grain() > Grain::Hour) {
        return Ok(chosen.to_owned());
    }
    let ids = choices.iter().map(|choice| choice.id.as_str());
    Err(ParameterError::new("period", "is not a period").allowing(ids).into())
}

/// A period offered at the top of the page.
struct Choice {
    vi: &'static str,
    en: &'static str,
    id: String,
}

impl Choice {
    fn all(asked: &Asked<'_>) -> [Self; 7] {
        let today = asked.now.day();
        let this = |grain| Period::containing(today, grain).id;
        let choice = |vi, en, id| Self { vi, en, id };
        [
            choice("Mới nhất", "latest day", "latest".to_owned()),
            choice("Ngày đã chốt", "last full day", "latest_closed".to_owned()),
            choice("Tuần này", "this week", this(Grain::Week)),
            choice(
                "Tháng trước",
                "last month",
                Period::containing(today, Grain::Month).previous().id,
            ),
            choice("Tháng này", "this month", this(Grain::Month)),
            choice("Quý này", "this quarter", this(Grain::Quarter)),
            choice("Năm nay", "this year", this(Grain::Year)),
        ]
    }
}

/// A word in Vietnamese with its English beside it.
pub(super) fn both(vi: &str, en: &str) -> Markup {
    html! { (vi) @if !en.is_empty() && en != vi { " " span.en lang="en" { (en) } } }
}

/// A state as shape, word and colour.
fn badge((tone, (vi, en)): (Tone, words::Both)) -> Markup {
    html! {
        span class={ "badge " (tone.class()) } { (shape(tone)) (both(vi, en)) }
    }
}

/// A shape of its own for each tone: a tick, a triangle, a cross, a dash.
fn shape(tone: Tone) -> Markup {
    let path = match tone {
        Tone::Good => "M3 8.5l3.2 3.2L13 5",
        Tone::Near => "M8 3L14 13H2ZM8 7v2.5M8 11.4v.1",
        Tone::Bad => "M4 4l8 8M12 4l-8 8",
        Tone::Plain => "M3 8h10",
    };
    html! {
        svg.shape aria-hidden="true" viewBox="0 0 16 16" { path d=(path) {} }
    }
}

fn layout(
    asked: &Asked<'_>,
    choices: &[Choice],
    chosen: &str,
    tiles: &[Tile<'_>],
    sources: &[State<'_>],
    (breaches, late): (&[super::breaches::Item<'_>], &[super::lateness::Item<'_>]),
) -> Markup {
    let body = html! {
        (bar(asked, choices, chosen, tiles))
        main id="main" {
            (attention(tiles, sources))
            (groups(asked, tiles))
            (lateness::table(late))
            (breaches::table(breaches))
            (sources::table(sources))
        }
    };
    whole(asked, "Chỉ số tổng hợp", &body)
}

/// A whole page.
pub(super) fn whole(asked: &Asked<'_>, title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="vi" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – " (asked.definitions.province.name.vi) " · IOC" }
                link rel="stylesheet" href=(asked.link(format_args!("/assets/console.css?v={}", style_hash())));
                link rel="icon" href="data:,";
            }
            body {
                a.skip href="#main" { "Đến nội dung chính" }
                (header(asked))
                (body)
                (footer(asked))
            }
        }
    }
}

/// The periods to choose from, each a link to the same page; `rest` is what else the links say.
fn choices(choices: &[Choice], chosen: &str, base: &str, rest: &str) -> Markup {
    html! {
        @for choice in choices {
            li {
                a href={ (base) "?period=" (choice.id) (rest) }
                    aria-current=[(choice.id == chosen).then_some("page")] {
                    (both(choice.vi, choice.en))
                }
            }
        }
    }
}

fn header(asked: &Asked<'_>) -> Markup {
    let province = &asked.definitions.province.name;
    html! {
        header.top {
            div {
                p.product {
                    (both("Cổng tích hợp dữ liệu IOC", "IOC data-integration gateway"))
                }
                h1 { "Chỉ số tổng hợp tỉnh " (province.vi) }
                p.en lang="en" { "Combined indicators of " (province.en) " province" }
            }
            dl.asof {
                div {
                    dt { (both("Số liệu tại", "as of")) }
                    dd { time datetime=(asked.snapshot.at.rfc3339()) { (format::time(asked.snapshot.at)) } }
                }
                div {
                    dt { (both("Phiên bản", "revision")) }
                    dd { (format::count(asked.snapshot.revision)) }
                }
            }
        }
    }
}

/// The choice of period, and how many indicators stand how.
fn bar(asked: &Asked<'_>, choices: &[Choice], chosen: &str, tiles: &[Tile<'_>]) -> Markup {
    let counted = |tone| tiles.iter().filter(|tile| tile.state().0 == tone).count();
    let counts = [
        (Tone::Good, ("đạt", "on track")),
        (Tone::Near, ("cận kề", "at risk")),
        (Tone::Bad, ("chưa đạt", "off track")),
        (Tone::Plain, ("theo dõi hoặc chưa có số liệu", "monitored or no value")),
    ];
    html! {
        div.bar {
            nav aria-label="Kỳ số liệu (period)" {
                ul { (self::choices(choices, chosen, &asked.link("/"), "")) }
            }
            ul.counts aria-label="Số chỉ số theo trạng thái (indicators by state)" {
                @for (tone, (vi, en)) in counts {
                    li class=(tone.class()) {
                        (shape(tone)) strong { (counted(tone)) } " " (both(vi, en))
                    }
                }
            }
        }
    }
}

/// What needs attention, worst first, each with who answers for it.
fn attention(tiles: &[Tile<'_>], sources: &[State<'_>]) -> Markup {
    let mut tiles: Vec<&Tile<'_>> = tiles.iter().filter(|tile| tile.severity() > 0).collect();
    tiles.sort_by_key(|tile| std::cmp::Reverse(tile.severity()));
    let sources: Vec<_> = sources.iter().filter(|state| state.health != Health::Healthy).collect();
    let all = tiles.len() + sources.len();
    html! {
        section.attention aria-labelledby="attention" {
            h2 id="attention" {
                (both("Cần chú ý", "needs attention")) " " span.number { (all) }
            }
            @if all == 0 {
                p { (shape(Tone::Good)) (both("Không có mục nào cần chú ý.", "Nothing needs attention.")) }
            }
            ul {
                @for state in sources.iter().take(ATTENTION / 2) { (sources::line(state)) }
                @for tile in tiles.iter().take(ATTENTION - sources.len().min(ATTENTION / 2)) {
                    (tile.line())
                }
            }
            @if all > ATTENTION {
                p.more { (both(
                    &format!("và {} mục khác ở dưới", all - ATTENTION),
                    &format!("and {} more below", all - ATTENTION),
                )) }
            }
        }
    }
}

/// The tiles by group, the worst of each group first.
fn groups(asked: &Asked<'_>, tiles: &[Tile<'_>]) -> Markup {
    let mut names: Vec<&str> = tiles.iter().map(Tile::group).collect();
    names.sort_unstable();
    names.dedup();
    html! {
        @for name in names {
            @let (vi, en) = words::group(name);
            section.group aria-labelledby={ "group-" (name) } {
                h2 id={ "group-" (name) } { (both(vi, en)) }
                div.tiles {
                    @for tile in in_order(tiles, name) { (tile.card(asked)) }
                }
            }
        }
    }
}

fn in_order<'t, 'a>(tiles: &'t [Tile<'a>], group: &str) -> Vec<&'t Tile<'a>> {
    let mut tiles: Vec<_> = tiles.iter().filter(|tile| tile.group() == group).collect();
    tiles.sort_by_key(|tile| std::cmp::Reverse(tile.severity()));
    tiles
}

fn footer(asked: &Asked<'_>) -> Markup {
    html! {
        footer {
            p { (both(
                "Nét đứt trên đường xu hướng: ngày chưa chốt số liệu; đường ngang: mục tiêu. \
                 Chỗ trống: không có số liệu (không phải số 0).",
                "Dashed: days not settled yet; horizontal line: target. A gap means no value, not 0.",
            )) }
            ul {
                li { a href=(asked.link("/docs")) { (both("Tra cứu API", "API reference")) } }
                li { a href=(asked.link("/v1/catalogue")) { (both("Danh mục chỉ số", "catalogue")) } }
                li { a href=(asked.link("/v1/sources")) { (both("Nguồn dữ liệu", "sources")) } }
                @for tracker in asked.definitions.trackers.values() {
                    li { a href=(asked.link(format_args!("/trackers/{}", tracker.settings.tracker))) {
                        (both(&tracker.settings.title.vi, &tracker.settings.title.en))
                    } }
                }
                li { a href=(asked.link("/units")) { (both("Đơn vị", "units")) } }
                li { a href=(asked.link("/v1/lateness")) { (both("Sổ theo dõi trễ hạn", "lateness register")) } }
                li { a href=(asked.link("/v1/breaches")) { (both("Sai lệch hợp đồng", "breaches")) } }
                li { a href=(asked.link("/jobs")) { (both("Việc chạy nền", "jobs")) } }
                li { a href=(asked.link("/quarantine")) { (both("Bản ghi cách ly", "quarantine")) } }
                li { a href=(asked.link("/metrics")) { (both("Số đo vận hành", "metrics")) } }
                li { "iocgw " (asked.context.version) }
            }
        }
    }
}

//! `/trackers/{id}`: who does what by when, and is it done; and the page of one item with the numbers
//! that show what it brings about.
//!
//! What is overdue stands first, then every item by kind. The page is for today or for a day in the
//! past (`on=`), and the filters of the API are its own, so the address holds the whole view.

use maud::{Markup, html};

use super::words::{self, Tone};
use super::{badge, both, format, whole};
use crate::model::time::Day;
use crate::serve::answer::{Answer, Keep};
use crate::serve::context::Asked;
use crate::serve::error::ApiError;
use crate::serve::trackers::{
    Coded, Counts, CountsOf, Evidence, Item, ItemStatus, Tracker, asked_day, by_kind, evidence,
    freshness, known, matching, named,
};

/// The names of the columns; the first is the row's heading.
const COLUMNS: [(&str, &str); 6] = [
    ("Mục", "item"),
    ("Chủ trì", "lead"),
    ("Hạn", "due"),
    ("Tình trạng", "status"),
    ("Chỉ tiêu", "target"),
    ("Báo cáo gần nhất", "last report"),
];

/// `/trackers/{id}?on=&kind=&group=&unit=&status=&overdue=`.
pub(in crate::serve) fn page(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let tracker = known(asked)?;
    let query = asked.query()?;
    let on = asked_day(asked, &query)?;
    let items = matching(asked, tracker, on, &query)?;
    let is_part = ["kind", "group", "unit", "status", "overdue"]
        .iter()
        .any(|name| query.filter(name).is_some());
    let overdue: Vec<&Item> = items.iter().filter(|item| item.is_overdue).collect();
    let kinds = by_kind(&items, on);
    let body = html! {
        (bar(asked, tracker, on))
        main id="main" {
            (about(asked, tracker, &items, on, is_part))
            @if !overdue.is_empty() {
                (table(asked, tracker, "overdue", ("Quá hạn, chưa hoàn thành", "overdue"), &overdue, on))
            }
            @for (i, CountsOf { of, counts }) in kinds.iter().enumerate() {
                @let of_kind = items.iter().filter(|item| item.kind.code == of.code);
                @let of_kind = of_kind.collect::<Vec<_>>();
                (counted(of, counts))
                (table(asked, tracker, &format!("kind-{i}"), (&of.title, &of.title_en), &of_kind, on))
            }
        }
    };
    Ok(answer(whole(asked, &tracker.settings.title.vi, &body)))
}

/// `/trackers/{id}/items/{item}?on=`.
pub(in crate::serve) fn item(asked: &Asked<'_>) -> Result<Answer, ApiError> {
    let tracker = known(asked)?;
    let on = asked_day(asked, &asked.query()?)?;
    let item = named(asked, tracker, on)?;
    let shown = evidence(asked, tracker, &item.item);
    let body = html! {
        (bar(asked, tracker, on))
        main.indicator id="main" {
            div.columns {
                section aria-label="Mục (item)" { (facts(&item)) }
                (evidence_list(asked, &shown))
            }
        }
    };
    Ok(answer(whole(asked, &item.title, &body)))
}

fn answer(markup: Markup) -> Answer {
    Answer::new("text/html; charset=utf-8", markup.into_string(), Keep::Briefly)
}

/// Where else to look: the whole register today, and the end of the last quarters.
fn bar(asked: &Asked<'_>, tracker: &Tracker, on: Day) -> Markup {
    let base = asked.link(format_args!("/trackers/{}", tracker.settings.tracker));
    let today = asked.now.day();
    html! {
        div.bar {
            nav aria-label="Sổ theo dõi (tracker)" {
                ul {
                    li { a href=(asked.link("/")) { "← " (both("Tất cả chỉ số", "all indicators")) } }
                    li {
                        a href=(base) aria-current=[(on == today).then_some("page")] {
                            (both("Hôm nay", "today"))
                        }
                    }
                    @for day in quarter_ends(today) {
                        li {
                            a href={ (base) "?on=" (day) }
                                aria-current=[(on == day).then_some("page")] {
                                (both(&format!("Ngày {}", format::day(day)), "end of a quarter"))
                            }
                        }
                    }
                    li { a href={ (base) "?overdue=true" } { (both("Chỉ mục quá hạn", "only overdue")) } }
                }
            }
        }
    }
}

/// The last days of the two quarters that ended last.
fn quarter_ends(today: Day) -> [Day; 2] {
    use crate::indicator::{Grain, Period};
    let last = Period::containing(today, Grain::Quarter).previous();
    [last.end.plus(-1), last.first.plus(-1)]
}

/// What the register is, how fresh it is, and how its items stand.
fn about(asked: &Asked<'_>, tracker: &Tracker, items: &[Item], on: Day, is_part: bool) -> Markup {
    let settings = &tracker.settings;
    let name = asked.unit_name(&settings.accountable.unit);
    let freshness = freshness(asked, tracker);
    let (tone, (vi, en)) = words::freshness(freshness.state);
    html! {
        section.attention aria-labelledby="tracker" {
            h2 id="tracker" {
                (both(&settings.title.vi, &settings.title.en)) " "
                span.number { (items.len()) }
            }
            @if let Some(text) = &settings.description { p { (both(&text.vi, &text.en)) } }
            p {
                (both(&format!("Tình trạng ngày {}", format::day(on)), "as of this day"))
                @if is_part { " · " strong { (both("đang lọc", "filtered")) } }
                " · " span class={ "word " (tone.class()) } { (both(vi, en)) }
                @if let Some(through) = freshness.data_through {
                    " · đến " time datetime=(through.rfc3339()) { (format::time(through)) }
                }
            }
            p.who { (both(&name.vi, &name.en)) " · " (settings.accountable.role) }
            ul.counts { (numbers(&Counts::of(items, on))) }
        }
    }
}

/// How the items of a kind stand.
fn counted(of: &Coded, counts: &Counts) -> Markup {
    html! {
        div.bar {
            p { strong { (of.title) } " " span.en lang="en" { (of.title_en) } }
            ul.counts aria-label={ "Số lượng " (of.title) } { (numbers(counts)) }
        }
    }
}

fn numbers(counts: &Counts) -> Markup {
    let all = [
        (Tone::Good, counts.done, ("hoàn thành", "done")),
        (Tone::Near, counts.in_progress, ("đang triển khai", "in progress")),
        (Tone::Plain, counts.not_started, ("chưa triển khai", "not started")),
        (Tone::Bad, counts.overdue, ("quá hạn", "overdue")),
        (Tone::Bad, counts.due_short_of_target, ("đến hạn mà chưa đạt chỉ tiêu", "due and short")),
        (Tone::Plain, counts.reports_late, ("báo cáo muộn", "reports late")),
    ];
    html! {
        @for (tone, count, (vi, en)) in all {
            li class=(tone.class()) { (super::shape(tone)) strong { (count) } " " (both(vi, en)) }
        }
    }
}

fn table(
    asked: &Asked<'_>,
    tracker: &Tracker,
    id: &str,
    (vi, en): (&str, &str),
    items: &[&Item],
    on: Day,
) -> Markup {
    html! {
        section.sources.items aria-labelledby=(id) {
            h2 id=(id) { (both(vi, en)) " " span.number { (items.len()) } }
            table {
                thead { tr { @for (vi, en) in COLUMNS { th scope="col" { (both(vi, en)) } } } }
                tbody { @for item in items { (row(asked, tracker, item, on)) } }
            }
        }
    }
}

fn row(asked: &Asked<'_>, tracker: &Tracker, item: &Item, on: Day) -> Markup {
    let page = asked
        .link(format_args!("/trackers/{}/items/{}?on={on}", tracker.settings.tracker, item.item));
    html! {
        tr {
            th scope="row" {
                a href=(page) { (item.item) " · " (item.title) }
                @if let Some(group) = &item.group { span.who { (group.title) } }
            }
            (cell(1, &lead(item)))
            (cell(2, &due(item)))
            (cell(3, &status(item)))
            (cell(4, &target(item)))
            (cell(5, &report(item)))
        }
    }
}

fn lead(item: &Item) -> Markup {
    html! {
        (both(&item.lead.title, &item.lead.title_en))
        @if let Some(role) = &item.role { p.who { (role) } }
        @if !item.coordinating.is_empty() {
            p.who {
                "phối hợp (with): "
                (item.coordinating.iter().map(|unit| unit.title.as_str()).collect::<Vec<_>>().join("; "))
                @if let Some(more) = others(item) { (both(&format!(" và {more} đơn vị khác"), "and others")) }
            }
        }
    }
}

/// How many units take part that the register does not name.
fn others(item: &Item) -> Option<i64> {
    let more = item.coordinating_count? - item.coordinating.len() as i64;
    (more > 0).then_some(more)
}

fn due(item: &Item) -> Markup {
    html! {
        @match item.due {
            Some(due) => { time datetime=(due) { (format::day(due)) } },
            None => (both("không đặt", "none")),
        }
        @if item.is_overdue {
            p class="word bad" { (both(&format!("quá {} ngày", item.days_overdue), "days overdue")) }
        }
        @if let Some(start) = item.started.or(item.start) {
            p.who { (both(&format!("bắt đầu {}", format::day(start)), "start")) }
        }
    }
}

fn status(item: &Item) -> Markup {
    let said = match (item.is_overdue, item.status) {
        (true, _) => (Tone::Bad, ("Quá hạn", "overdue")),
        (_, ItemStatus::Done) => (Tone::Good, ("Hoàn thành", "done")),
        (_, ItemStatus::InProgress) => (Tone::Near, ("Đang triển khai", "in progress")),
        (_, ItemStatus::NotStarted) => (Tone::Plain, ("Chưa triển khai", "not started")),
        (_, ItemStatus::Cancelled) => (Tone::Plain, ("Dừng thực hiện", "cancelled")),
    };
    html! {
        (badge(said))
        @if let Some(percent) = item.percent {
            p.who {
                meter min="0" max="100" value=(percent) aria-hidden="true" {}
                " " (percent) "\u{a0}% " (both("tiến độ", "progress"))
            }
        }
    }
}

fn target(item: &Item) -> Markup {
    let number = |amount: Option<i64>| {
        amount.map_or("—".to_owned(), |amount| format::amount(amount as f64))
    };
    html! {
        (number(item.actual)) " / " (number(item.target)) " " (item.unit.as_deref().unwrap_or(""))
        @if let Some(product) = &item.product { p.who { (product) } }
    }
}

fn report(item: &Item) -> Markup {
    html! {
        @match item.last_report_at {
            Some(at) => { time datetime=(at.rfc3339()) { (format::time(at)) } },
            None => (both("Chưa có", "none")),
        }
        @if let Some(late) = item.report_days_late.filter(|late| *late > 0) {
            p class="word near" { (both(&format!("muộn {late} ngày"), "days late")) }
        }
    }
}

fn cell(column: usize, what: &Markup) -> Markup {
    html! { td data-label=(COLUMNS[column].0) { div { (what) } } }
}

fn facts(item: &Item) -> Markup {
    let facts = [
        (("Chủ trì", "lead"), lead(item)),
        (("Hạn", "due"), due(item)),
        (("Tình trạng", "status"), status(item)),
        (("Sản phẩm, chỉ tiêu", "product, target"), target(item)),
        (("Báo cáo gần nhất", "last report"), report(item)),
        (
            ("Vướng mắc", "blockers"),
            html! {
                (item.blockers.map_or("—".to_owned(), |count| count.to_string()))
            },
        ),
    ];
    html! {
        article.tile {
            div.head { h3 {
                (item.item) " · " (item.title)
                span.en lang="en" {
                    (item.kind.title_en)
                    @if let Some(group) = &item.group { ", " (group.title_en) }
                }
            } }
            dl { @for ((vi, en), what) in &facts {
                div { dt { (both(vi, en)) } dd { (what) } }
            } }
        }
    }
}

/// The numbers that show what the item brings about, each with how fresh it is.
fn evidence_list(asked: &Asked<'_>, shown: &[Evidence<'_>]) -> Markup {
    html! {
        section.attention aria-labelledby="evidence" {
            h2 id="evidence" { (both("Số liệu minh chứng", "evidence")) }
            @if shown.is_empty() {
                p { (both(
                    "Chưa chỉ định chỉ số nào cho mục này.",
                    "No indicator is named for this item.",
                )) }
            }
            ul.changes { @for each in shown {
                @let (tone, (vi, en)) = words::freshness(each.freshness);
                li class=(tone.class()) {
                    (super::shape(tone))
                    div {
                        a href=(asked.link(format_args!("/indicators/{}", each.indicator))) { (each.title) }
                        ": " strong { (said(each)) }
                        " · " span class={ "word " (tone.class()) } { (both(vi, en)) }
                        p.en lang="en" { (each.title_en) }
                        p.who {
                            (both(&format!("Kỳ {}", each.period), "period"))
                            @if let Some(through) = each.data_through {
                                " · " (both(&format!("dữ liệu đến {}", format::time(through)), "data through"))
                            }
                        }
                    }
                }
            } }
        }
    }
}

fn said(each: &Evidence<'_>) -> String {
    let Some(value) = each.value else { return words::no_value(each.reason).0.to_owned() };
    let unit = words::unit(each.unit_of_measure).0;
    let value = format::value(value.0, each.unit_of_measure, each.decimals);
    format!("{value} {unit}").trim_end().to_owned()
}

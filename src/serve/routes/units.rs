//! The addresses of those who answer: accountable units, and the reports that they owe.

use super::door::{PAGES, SOURCES};
use super::parameter::{
    CONTRACT, CURSOR, FROM, PAGE_LIMIT, PERIOD_OF_DAYS, Parameter, REPORT_STATE, SOURCE,
    SPELL_STATE, TO, Takes, UNIT, UNIT_ID,
};
use super::{Content, Operation, Route, Serves, Tag, shape};
use crate::serve::error::UNKNOWN_UNIT;
use crate::serve::{console, lateness, spells, units};

const TAG: Tag = Tag::Units;
const PAGE: Content = Content::Text("text/html; charset=utf-8");

const REPORT_CURSOR: Parameter = Parameter {
    takes: Takes::Pattern(r"^-?[0-9]{1,18}\.[^.]+\..+$"),
    example: "1712052000.loans.decisions",
    ..CURSOR
};

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/v1/lateness",
        operations: &[Operation::read(
            "listReports",
            TAG,
            SOURCES,
            Serves::Quickly(lateness::list),
            Content::Listed(shape::<lateness::List<'static>>),
        )
        .called("Sổ theo dõi báo cáo chậm", "Which reports were due, and when they came")
        .saying(
            "Mới nhất trước. Trang sau ở `next`; không sót, không lặp dù có báo cáo mới đến hạn.",
            "The newest first. The next page is at `next`; none is skipped or repeated while new \
             reports become due.",
        )
        .taking(&[
            &UNIT,
            &SOURCE,
            &CONTRACT,
            &REPORT_STATE,
            &FROM,
            &TO,
            &REPORT_CURSOR,
            &PAGE_LIMIT,
        ])],
    },
    Route {
        path: "/v1/lateness/spells",
        operations: &[Operation::read(
            "listSpells",
            TAG,
            SOURCES,
            Serves::Quickly(spells::list),
            Content::Listed(shape::<spells::List<'static>>),
        )
        .called("Các đợt số liệu quá cũ", "When data were older than their contract allows")
        .taking(&[&UNIT, &SOURCE, &SPELL_STATE, &PAGE_LIMIT])],
    },
    Route {
        path: "/v1/units",
        operations: &[Operation::read(
            "listUnits",
            TAG,
            SOURCES,
            Serves::Quickly(units::list),
            Content::Listed(shape::<units::List<'static>>),
        )
        .called("Các đơn vị chịu trách nhiệm", "The accountable units and how they stand")
        .taking(&[&FROM, &TO])],
    },
    Route {
        path: "/v1/units/{id}",
        operations: &[Operation::read(
            "readUnit",
            TAG,
            SOURCES,
            Serves::Quickly(units::one),
            Content::Json(shape::<units::Card<'static>>),
        )
        .called("Một đơn vị chịu trách nhiệm", "What one unit answers for, and how that stands")
        .taking(&[&UNIT_ID, &FROM, &TO])
        .refusing(&[&UNKNOWN_UNIT])],
    },
    Route {
        path: "/units",
        operations: &[Operation::read(
            "showUnits",
            Tag::Pages,
            PAGES,
            Serves::Quickly(console::units),
            PAGE,
        )
        .called("Trang các đơn vị", "The page of the accountable units")
        .taking(&[&FROM, &TO])],
    },
    Route {
        path: "/units/{id}",
        operations: &[Operation::read(
            "showUnit",
            Tag::Pages,
            PAGES,
            Serves::Blocking(console::unit),
            PAGE,
        )
        .called("Trang của một đơn vị", "The page of one accountable unit")
        .taking(&[&UNIT_ID, &PERIOD_OF_DAYS, &FROM, &TO])
        .refusing(&[&UNKNOWN_UNIT])],
    },
];

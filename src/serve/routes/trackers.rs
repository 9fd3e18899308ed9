//! The addresses of registers that are read item by item, and of their pages.

use super::door::{ITEM_PAGES, ITEMS};
use super::parameter::{DAY_IF_ANY, Parameter, Takes, piece, query};
use super::{Content, Operation, Route, Serves, Tag, shape};
use crate::serve::error::{NOT_YET, UNKNOWN_ITEM, UNKNOWN_TRACKER};
use crate::serve::{console, trackers};

const TAG: Tag = Tag::Trackers;
const PAGE: Content = Content::Text("text/html; charset=utf-8");

const TRACKER_ID: Parameter = piece(
    "id",
    Takes::Text,
    "programme",
    ("Tên sổ theo dõi, xem /v1/trackers.", "The tracker's name, of /v1/trackers."),
);

const ITEM_CODE: Parameter = piece(
    "item",
    Takes::Text,
    "MH01",
    ("Mã của mục, xem /v1/trackers/{id}/items.", "The item's code, of /v1/trackers/{id}/items."),
);

const ON: Parameter = query(
    "on",
    DAY_IF_ANY,
    None,
    "2024-03-31",
    (
        "Tình trạng vào ngày này, suy ra từ các ngày trong bản ghi; mặc định là hôm nay.",
        "How things stood on this day, by the days in the records; today without it.",
    ),
);

const ITEM_KIND: Parameter =
    query("kind", Takes::Text, None, "model", ("Loại mục.", "The kind of items."));

const ITEM_GROUP: Parameter =
    query("group", Takes::Text, None, "1", ("Nhóm của mục.", "The group of items."));

const ITEM_UNIT: Parameter = query(
    "unit",
    Takes::Text,
    None,
    "so-yte",
    ("Đơn vị chủ trì hoặc phối hợp.", "A unit that leads or takes part."),
);

const ITEM_STATUS: Parameter = query(
    "status",
    Takes::Words(&["not_started", "in_progress", "done", "cancelled"]),
    None,
    "in_progress",
    ("Tình trạng của mục.", "How items stand."),
);

const OVERDUE: Parameter = query(
    "overdue",
    Takes::Words(&["true", "false"]),
    None,
    "true",
    (
        "Chỉ mục quá hạn, hoặc chỉ mục không quá hạn.",
        "Only items that are overdue, or only others.",
    ),
);

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/v1/trackers",
        operations: &[Operation::read(
            "listTrackers",
            TAG,
            ITEMS,
            Serves::Quickly(trackers::list),
            Content::Listed(shape::<trackers::List<'static>>),
        )
        .called("Các sổ theo dõi", "The trackers and how their items stand")],
    },
    Route {
        path: "/v1/trackers/{id}",
        operations: &[Operation::read(
            "readTracker",
            TAG,
            ITEMS,
            Serves::Quickly(trackers::one),
            Content::Json(shape::<trackers::Card<'static>>),
        )
        .called("Một sổ theo dõi", "A tracker, counted by kind, group and leading unit")
        .taking(&[&TRACKER_ID, &ON])
        .refusing(&[&NOT_YET, &UNKNOWN_TRACKER])],
    },
    Route {
        path: "/v1/trackers/{id}/items",
        operations: &[Operation::read(
            "listItems",
            TAG,
            ITEMS,
            Serves::Quickly(trackers::items),
            Content::Listed(shape::<trackers::Rows<'static>>),
        )
        .called("Các mục của sổ theo dõi", "The items of a tracker as they stand on a day")
        .saying(
            "Tình trạng suy ra từ các ngày trong bản ghi, nên mục quá hạn khi ngày qua đi mà không \
             cần bản ghi mới. Tiến độ, số lượng và báo cáo là của bản ghi gần nhất.",
            "How an item stands follows from the days in its record, so it is overdue when its day \
             has passed, without a new record. Percent, amounts and reports are the last record's.",
        )
        .taking(&[&TRACKER_ID, &ON, &ITEM_KIND, &ITEM_GROUP, &ITEM_UNIT, &ITEM_STATUS, &OVERDUE])
        .refusing(&[&NOT_YET, &UNKNOWN_TRACKER])],
    },
    Route {
        path: "/v1/trackers/{id}/items/{item}",
        operations: &[Operation::read(
            "readItem",
            TAG,
            ITEMS,
            Serves::Quickly(trackers::item),
            Content::Json(shape::<trackers::Whole<'static>>),
        )
        .called("Một mục và số liệu minh chứng", "One item, with the numbers that are its evidence")
        .taking(&[&TRACKER_ID, &ITEM_CODE, &ON])
        .refusing(&[&NOT_YET, &UNKNOWN_TRACKER, &UNKNOWN_ITEM])],
    },
    Route {
        path: "/trackers/{id}",
        operations: &[Operation::read(
            "showTracker",
            Tag::Pages,
            ITEM_PAGES,
            Serves::Quickly(console::tracker),
            PAGE,
        )
        .called("Trang của một sổ theo dõi", "The page of a tracker")
        .taking(&[&TRACKER_ID, &ON, &ITEM_KIND, &ITEM_GROUP, &ITEM_UNIT, &ITEM_STATUS, &OVERDUE])
        .refusing(&[&NOT_YET, &UNKNOWN_TRACKER])],
    },
    Route {
        path: "/trackers/{id}/items/{item}",
        operations: &[Operation::read(
            "showItem",
            Tag::Pages,
            ITEM_PAGES,
            Serves::Quickly(console::tracker_item),
            PAGE,
        )
        .called("Trang của một mục", "The page of one item of a tracker")
        .taking(&[&TRACKER_ID, &ITEM_CODE, &ON])
        .refusing(&[&NOT_YET, &UNKNOWN_TRACKER, &UNKNOWN_ITEM])],
    },
];

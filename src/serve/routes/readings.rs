//! The addresses of figures: what there is, what it means, and the numbers.

use super::parameter::{
    AREA, AS_OF, BOARD_ID, BOUNDARIES, BY, BY_PLACE, COMPARE, FILL, FROM, GRAIN, GROUP, INDICATOR,
    LAST_DAYS, LEARNED_FROM, LEARNED_TO, LIMIT, PERIOD, PERIOD_OF_DAYS, Parameter, REVISIONS_LIMIT,
    SORT, SOURCE, STRETCH_PERIOD, TO, Takes, UNIT, piece, query,
};
use actix_web::web;

use super::door::{FIGURES, PROVINCE, TOLD};
use super::{Body, Content, Operation, Route, Serves, Tag, Verb, shape};
use crate::serve::error::{
    BAD_PARAMETER, NO_VINTAGE, NOT_APPLICABLE, NOT_YET, TOO_MANY_POINTS, UNKNOWN_BOARD,
    UNKNOWN_DIMENSION, UNKNOWN_INDICATOR, VINTAGE_COMPACTED,
};
use crate::serve::{
    alerts, batch, boards, breakdown, catalogue, console, dimension, dimensions, exports, filter,
    geo, lineage, revisions, series, value,
};

const TAG: Tag = Tag::Readings;

const BY_COMMUNE: Parameter = query(
    "by",
    Takes::Words(&["commune"]),
    None,
    "commune",
    ("Thêm một dòng cho mỗi xã.", "A row for each commune too."),
);
const FILTER: Parameter = query(
    filter::NAME,
    Takes::Named,
    None,
    "channel=online",
    (
        "Chỉ những bản ghi này: filter[chiều]=giá trị,giá trị; 'none' là không có giá trị.",
        "Only these records: filter[dimension]=value,value; 'none' is those without one.",
    ),
);
const BY_SERIES: Parameter = query(
    "by",
    Takes::Text,
    None,
    "commune",
    (
        "Chia theo commune, district hoặc một chiều của chỉ số; không đi cùng `area`.",
        "By commune, district or one of the indicator's dimensions; not beside `area`.",
    ),
);
const MONTH: Parameter = Parameter { default: None, ..PERIOD_OF_DAYS };
const RULE_BROKEN: Parameter = query(
    "rule",
    Takes::Words(&alerts::RULES),
    None,
    "off_track",
    ("Chỉ quy tắc này.", "Only this rule."),
);
const SEARCH: Parameter = query(
    "q",
    Takes::Text,
    None,
    "trực tuyến",
    (
        "Từ cần tìm trong tên và mô tả, cả hai ngôn ngữ.",
        "Words of title or description, in either language.",
    ),
);
const GEOMETRY: Parameter = query(
    "geometry",
    Takes::Words(&geo::WORDS),
    Some("point"),
    "tile",
    (
        "Tâm xã; ô vuông bằng nhau cho mỗi xã; hoặc ranh giới, nếu cấu hình có.",
        "Centres; a square of one size for each; or borders, if the configuration has them.",
    ),
);
const DIMENSION: Parameter = piece(
    "dimension",
    // Areas have an address of their own.
    Takes::Pattern("^(?!area$).+$"),
    "channel",
    ("Tên chiều, xem /v1/dimensions.", "The dimension's name, of /v1/dimensions."),
);

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/v1",
        operations: &[Operation::read(
"start",
TAG,
TOLD,
            Serves::Quickly(catalogue::links),
            Content::Json(shape::<catalogue::Start>),
        )
        .called("Điểm bắt đầu", "Where to start")
        .saying("Liên kết đến mọi thứ, phiên bản số liệu.", "Links to everything, the revision.")],
    },
    Route {
        path: "/v1/catalogue",
        operations: &[Operation::read(
"listIndicators",
TAG,
TOLD,
            Serves::Kept(catalogue::list),
            Content::Listed(shape::<catalogue::List<'static>>),
        )
        .called("Danh mục chỉ số", "The catalogue of indicators")
        .saying(
            "Ý nghĩa, cách tính, nguồn, mục tiêu và đơn vị chịu trách nhiệm của từng chỉ số.",
            "What each indicator means, how it comes about, its sources, target and accountable unit.",
        )
        .taking(&[&SEARCH, &GROUP, &UNIT, &SOURCE, &AS_OF])],
    },
    Route {
        path: "/v1/indicators/{id}",
        operations: &[Operation::read(
"readIndicator",
TAG,
TOLD,
            Serves::Kept(catalogue::definition),
            Content::Json(shape::<catalogue::Entry<'static>>),
        )
        .called("Định nghĩa một chỉ số", "The definition of an indicator")
        .taking(&[&INDICATOR, &AS_OF])
        .refusing(&[&UNKNOWN_INDICATOR])],
    },
    Route {
        path: "/v1/indicators/{id}/value",
        operations: &[Operation::read(
"readValue",
TAG,
TOLD,
            Serves::Kept(value::value),
            Content::Listed(shape::<value::Body>),
        )
        .called("Giá trị một chỉ số", "A value of an indicator")
        .saying(
            "Một số với mọi điều cần biết về nó: trạng thái, độ mới, độ đầy đủ, mục tiêu, đơn vị \
             chịu trách nhiệm. Giá trị thiếu là null kèm lý do, không bao giờ là 0.",
            "One number with all that qualifies it: status, freshness, completeness, target, \
             accountable unit. A missing value is null with a reason, never 0.",
        )
        .taking(&[&INDICATOR, &PERIOD, &AREA, &FILTER, &COMPARE, &BOUNDARIES, &AS_OF])
        .refusing(&[&UNKNOWN_INDICATOR, &NOT_APPLICABLE])],
    },
    Route {
        path: "/v1/indicators/{id}/series",
        operations: &[Operation::read(
"readSeries",
TAG,
TOLD,
            Serves::Kept(series::series),
            Content::Listed(shape::<series::Body>),
        )
        .called("Chuỗi thời gian", "An indicator over time")
        .saying(
            "Mỗi khoảng và địa bàn, hoặc giá trị của một chiều, một dòng phẳng. Thời gian: `period`, `last` hoặc `from` và `to`; \
             mặc định 30 ngày gần nhất. Tối đa 10.000 điểm.",
            "One flat row for each bucket and area, or value of a dimension. The time is `period`, `last`, or `from` and \
             `to`; the last 30 days without any. At most 10,000 points.",
        )
        .taking(&[
            &INDICATOR,
            &GRAIN,
            &FROM,
            &TO,
            &STRETCH_PERIOD,
            &LAST_DAYS,
            &BY_SERIES,
            &AREA,
            &FILTER,
            &BOUNDARIES,
            &FILL,
            &AS_OF,
        ])
        .refusing(&[&UNKNOWN_INDICATOR, &TOO_MANY_POINTS, &NOT_APPLICABLE])],
    },
    Route {
        path: "/v1/indicators/{id}/breakdown",
        operations: &[Operation::read(
"readBreakdown",
TAG,
TOLD,
            Serves::Kept(breakdown::breakdown),
            Content::Listed(shape::<breakdown::Body>),
        )
        .called("Xếp hạng và bản đồ", "A ranking, or a map")
        .saying(
            "Một dòng cho mỗi xã hoặc mỗi giá trị của một chiều; cộng lại đúng bằng toàn tỉnh.",
            "One row for each commune or value of a dimension; together they make up the province.",
        )
        .taking(&[&INDICATOR, &BY, &PERIOD, &FILTER, &BOUNDARIES, &AS_OF, &SORT, &LIMIT])
        .refusing(&[&UNKNOWN_INDICATOR, &NOT_APPLICABLE])],
    },
    Route {
        path: "/v1/indicators/{id}/revisions",
        operations: &[Operation::read(
"readRevisions",
TAG,
FIGURES,
            Serves::Blocking(revisions::revisions),
            Content::Listed(shape::<revisions::Body<'static>>),
        )
        .called("Số liệu đã công bố thay đổi ra sao", "How published figures changed")
        .saying(
            "Thay đổi giữa hai thời điểm hiểu biết, biết lúc nào và vì sao.",
            "What changed between two moments of knowledge, when it was learned and why.",
        )
        .taking(&[
            &INDICATOR,
            &GRAIN,
            &FROM,
            &TO,
            &STRETCH_PERIOD,
            &LAST_DAYS,
            &BY_PLACE,
            &AREA,
            &BOUNDARIES,
            &LEARNED_FROM,
            &LEARNED_TO,
            &REVISIONS_LIMIT,
        ])
        .refusing(&[
            &UNKNOWN_INDICATOR,
            &TOO_MANY_POINTS,
            &NOT_APPLICABLE,
            &NO_VINTAGE,
            &NOT_YET,
            &VINTAGE_COMPACTED,
        ])],
    },
    Route {
        path: "/v1/indicators/{id}/lineage",
        operations: &[Operation::read(
"readLineage",
TAG,
FIGURES,
            Serves::Kept(lineage::lineage),
            Content::Drawn(shape::<lineage::Body<'static>>),
        )
        .called("Số liệu được tạo từ đâu", "What a number is made of")
        .saying(
            "Từ chỉ số xuống đại lượng, hợp đồng, luồng, nguồn và lần chạy gần nhất; JSON hoặc sơ đồ \
             Mermaid, Graphviz.",
            "From the indicator down to measures, contracts, streams, sources and their last runs; as \
             JSON, or drawn by Mermaid or Graphviz.",
        )
        .taking(&[&INDICATOR, &AS_OF])
        .refusing(&[&UNKNOWN_INDICATOR])],
    },
    Route {
        path: "/v1/query",
        operations: &[Operation::read(
"queryBatch",
TAG,
TOLD,
            Serves::Own(|| web::to(batch::batch)),
            Content::Json(shape::<batch::Body>),
        )
        .sent(Verb::Post, Body::Json(shape::<batch::Batch>))
        .called("Nhiều câu hỏi một lúc", "Many readings at once")
        .saying(
            "Tối đa 50 câu hỏi, tất cả trả lời từ một phiên bản số liệu và theo đúng thứ tự; câu hỏi \
             sai có lỗi ở đúng chỗ của nó. Tối đa 50.000 điểm, tính trước khi chạy.",
            "Up to 50 queries, all answered from one revision and in their order; a bad one has its \
             problem in its place. At most 50,000 points, counted before anything runs.",
        )
        .refusing(&[&BAD_PARAMETER, &TOO_MANY_POINTS, &NO_VINTAGE, &NOT_YET, &VINTAGE_COMPACTED])],
    },
    Route {
        path: "/v1/boards",
        operations: &[Operation::read(
            "listBoards",
            TAG,
            TOLD,
            Serves::Kept(boards::list),
            Content::Listed(shape::<boards::List<'static>>),
        )
        .called("Các bảng số liệu", "The boards")
        .taking(&[&AS_OF])],
    },
    Route {
        path: "/v1/boards/{id}",
        operations: &[Operation::read(
            "readBoard",
            TAG,
            TOLD,
            Serves::Kept(boards::one),
            Content::Json(shape::<boards::Body<'static>>),
        )
        .called("Toàn bộ số liệu của một bảng", "All figures of a board")
        .saying(
            "Mọi ô theo thứ tự của bảng, từ một phiên bản số liệu; mỗi ô là câu trả lời của địa chỉ cùng \
             tên, như POST /v1/query.",
            "Every tile in the order of the board, from one revision; each is what the address of the \
             same name answers, as in POST /v1/query.",
        )
        .taking(&[&BOARD_ID, &AS_OF])
        .refusing(&[&UNKNOWN_BOARD, &TOO_MANY_POINTS])],
    },
    Route {
        path: "/v1/badges/{id}.svg",
        operations: &[Operation::read(
"readBadge",
TAG,
PROVINCE,
            Serves::Dated(console::picture),
            Content::Text("image/svg+xml"),
        )
        .called("Hình nhỏ cho trang khác", "A small picture for portals")
        .saying(
            "Giá trị, đơn vị, kỳ, trạng thái và ngày số liệu; ghi rõ khi số liệu cũ.",
            "Value, unit, period, status and how far it is known; says so when it is stale.",
        )
        .taking(&[&INDICATOR, &PERIOD, &AS_OF])
        .refusing(&[&UNKNOWN_INDICATOR, &NOT_APPLICABLE])],
    },
    Route {
        path: "/v1/exports/readings",
        operations: &[Operation::read(
            "exportReadings",
            TAG,
            TOLD,
            Serves::Blocking(exports::readings),
            Content::Listed(shape::<exports::Body<'static>>),
        )
        .called("Xuất mọi chỉ số của một kỳ", "Every indicator of one period")
        .saying(
            "Mỗi chỉ số và địa bàn một dòng phẳng, cùng một phiên bản số liệu; by=commune thêm mọi xã. Tối \
             đa 50.000 dòng.",
            "One flat row for each indicator and place, from one revision; by=commune adds every \
             commune. At most 50,000 rows.",
        )
        .taking(&[&PERIOD, &GROUP, &BY_COMMUNE, &AS_OF])
        .refusing(&[&TOO_MANY_POINTS, &NOT_APPLICABLE])],
    },
    Route {
        path: "/v1/exports/openmetrics",
        operations: &[Operation::read(
            "exportOpenMetrics",
            TAG,
            FIGURES,
            Serves::Blocking(exports::openmetrics),
            Content::Text(exports::MEDIA_TYPE),
        )
        .called("Xuất chuỗi ngày theo OpenMetrics", "Days of every indicator as OpenMetrics")
        .saying(
            "Cho `promtool tsdb create-blocks-from openmetrics`: cùng tên và nhãn như dưới /prometheus, giá \
             trị đứng ở thời điểm đầu ngày. Tối đa 1.000.000 mẫu.",
            "For `promtool tsdb create-blocks-from openmetrics`: names and labels are those under \
             /prometheus, a value stands on the first moment of its day. At most 1,000,000 samples.",
        )
        .taking(&[&FROM, &TO, &LAST_DAYS, &GROUP, &BY_COMMUNE, &AS_OF])
        .refusing(&[&TOO_MANY_POINTS])],
    },
    Route {
        path: "/v1/alerts",
        operations: &[Operation::read(
            "listIndicatorAlerts",
            TAG,
            PROVINCE,
            Serves::Kept(alerts::list),
            Content::Listed(shape::<alerts::List<'static>>),
        )
        .called("Chỉ số cần chú ý", "Figures that need attention")
        .saying(
            "Chưa đạt mục tiêu, số liệu cũ, thiếu hoặc chưa đủ: mỗi quy tắc bị vi phạm một dòng, nặng nhất \
             trước, kèm đơn vị chịu trách nhiệm. Không có `period` là tháng đã ổn định gần nhất.",
            "Short of a target, stale, missing or incomplete: a row for each rule that is broken, worst \
             first, with who answers for it. Without `period`, of the last month that has settled.",
        )
        .taking(&[&MONTH, &RULE_BROKEN, &GROUP, &UNIT, &AS_OF])
        .refusing(&[&NOT_APPLICABLE])],
    },
    Route {
        path: "/v1/dimensions",
        operations: &[Operation::read(
            "listDimensions",
            TAG,
            FIGURES,
            Serves::Kept(dimensions::list),
            Content::Listed(shape::<dimensions::List<'static>>),
        )
        .called("Các chiều", "By what figures can be cut")
        .taking(&[&AS_OF])],
    },
    Route {
        path: "/v1/dimensions/area/values",
        operations: &[Operation::read(
"listAreas",
TAG,
TOLD,
            Serves::Kept(dimension::areas),
            Content::Listed(shape::<dimension::Body>),
        )
        .called("Các địa bàn", "The areas")
        .saying(
            "Tỉnh và các xã hiện nay; với boundaries=as_reported mọi xã, huyện của mọi thời kỳ.",
            "The province and today's communes; with boundaries=as_reported the units of all times.",
        )
        .taking(&[&BOUNDARIES, &AS_OF])],
    },
    Route {
        path: "/v1/geo/communes.geojson",
        operations: &[Operation::read(
            "mapAreas",
            TAG,
            TOLD,
            Serves::Kept(geo::communes),
            Content::Map(shape::<geo::Map>),
        )
        .called("Bản đồ các xã", "Where today's communes lie")
        .saying(
            "GeoJSON (RFC 7946) cho bản đồ; ghép số liệu theo mã xã (`code`).",
            "GeoJSON (RFC 7946) for maps; figures are joined by `code`.",
        )
        .taking(&[&GEOMETRY, &AS_OF])],
    },
    Route {
        path: "/v1/dimensions/{dimension}/values",
        operations: &[Operation::read(
            "listDimensionValues",
            TAG,
            FIGURES,
            Serves::Kept(dimensions::values),
            Content::Listed(shape::<dimensions::Body<'static>>),
        )
        .called("Các giá trị của một chiều", "The values of a dimension")
        .taking(&[&DIMENSION, &AS_OF])
        .refusing(&[&UNKNOWN_DIMENSION])],
    },
];

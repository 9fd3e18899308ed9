//! The parameters that addresses take: name, what may stand there, default, example, and in words.
//!
//! A handler reads no parameter that is not in the table of its address, and the reference shows the
//! same entries, so neither can know more than the other.

use crate::indicator::Grain;
use crate::model::audit::Action;
use crate::serve::period::{LAST, PERIODS, PERIODS_OF_DAYS};

/// Words that are written here.
type Text = &'static str;

/// Words in both languages, Vietnamese first.
pub(in crate::serve) type Both = (&'static str, &'static str);

/// Where a parameter stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) enum Place {
    Path,
    Query,
    Header,
}

/// What may stand in a parameter.
#[derive(Clone, Copy)]
pub(in crate::serve) enum Takes {
    /// Any text; what is allowed depends on the configuration and is told when refused.
    Text,
    /// A text that looks like this.
    Pattern(&'static str),
    /// One of these.
    Words(&'static [&'static str]),
    /// A whole number from 1 to this.
    Count(usize),
    /// A whole number from 0.
    Number,
    /// Text, as often as wanted.
    Many,
    /// Texts by name, as `name[key]=text`.
    Named,
}

/// One parameter.
#[derive(Clone, Copy)]
pub(in crate::serve) struct Parameter {
    pub(in crate::serve) name: &'static str,
    pub(in crate::serve) place: Place,
    pub(in crate::serve) takes: Takes,
    pub(in crate::serve) required: bool,
    pub(in crate::serve) default: Option<&'static str>,
    pub(in crate::serve) example: &'static str,
    pub(in crate::serve) says: Both,
}

pub(super) const fn query(
    name: &'static str,
    takes: Takes,
    default: Option<&'static str>,
    example: &'static str,
    says: Both,
) -> Parameter {
    Parameter { name, place: Place::Query, takes, required: false, default, example, says }
}

pub(super) const fn piece(name: Text, takes: Takes, example: Text, says: Both) -> Parameter {
    Parameter { name, place: Place::Path, takes, required: true, default: None, example, says }
}

const fn head(name: &'static str, example: &'static str, says: Both) -> Parameter {
    let (place, takes, default) = (Place::Header, Takes::Text, None);
    Parameter { name, place, takes, required: false, default, example, says }
}

pub(super) const REPEAT_KEY: Parameter = Parameter {
    takes: Takes::Pattern("^[!-~]{1,255}$"),
    ..head(
        crate::serve::repeats::NAME,
        "9f1c6d1e-8a0b-4c55-9d6e-2f3a1b7c4d5e",
        (
            "Khóa tự chọn để gửi lại an toàn: yêu cầu đã làm xong không làm lại, câu trả lời đầu được trả lại.",
            "A key of your own choice, to send the request again without harm: what was done is not done again, \
             and the first answer comes again.",
        ),
    )
};

const fn needed(parameter: Parameter) -> Parameter {
    Parameter { required: true, ..parameter }
}

/// A day that there is, leap days and all.
macro_rules! day {
    () => {
        concat!(
            "((20[0-9]{2}|21[0-6][0-9])-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])",
            "|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))",
            "|(20(0[048]|[2468][048]|[13579][26])|21(0[48]|[246][048]|[135][26]))-02-29)"
        )
    };
}

pub(in crate::serve) use day;

/// What a moment looks like.
pub(in crate::serve) const MOMENT_PATTERN: &str = concat!(
    "^",
    day!(),
    r"(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?(Z|[+ -](0[0-9]|1[0-3]):[0-5][0-9])?)?)?$"
);

const MOMENT: Takes = Takes::Pattern(MOMENT_PATTERN);

/// A day of the calendar that a form sends empty when none is chosen.
pub(super) const DAY_IF_ANY: Takes = Takes::Pattern(concat!("^(", day!(), ")?$"));

/// The same, or milliseconds since 1970.
const EDGE: Takes = Takes::Pattern(concat!("^(", day!(), "|9[5-9][0-9]{10}|[1-5][0-9]{12})?$"));

const GRAINS: [&str; Grain::ALL.len()] = {
    let mut words = [""; Grain::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = Grain::ALL[at].as_str();
        at += 1;
    }
    words
};

// Pieces of paths.

pub(super) const INDICATOR: Parameter = piece(
    "id",
    Takes::Text,
    "online_filing_rate",
    ("Mã chỉ số, xem /v1/catalogue.", "The indicator's id, of /v1/catalogue."),
);
pub(super) const SOURCE_ID: Parameter = piece(
    "id",
    Takes::Text,
    "portal",
    ("Tên nguồn, xem /v1/sources.", "The source's name, of /v1/sources."),
);
pub(super) const BOARD_ID: Parameter = piece(
    "id",
    Takes::Text,
    "operations",
    ("Tên bảng, xem /v1/boards.", "The board's name, of /v1/boards."),
);
pub(super) const UNIT_ID: Parameter = piece(
    "id",
    Takes::Text,
    "vp-ubnd",
    ("Mã đơn vị, xem /v1/units.", "The unit's id, of /v1/units."),
);
pub(super) const RECORD: Parameter = piece(
    "id",
    Takes::Number,
    "17",
    ("Số của bản ghi, xem /v1/quarantine.", "The record's number, of /v1/quarantine."),
);
pub(super) const STREAM_NAME: Parameter = piece(
    "stream",
    Takes::Pattern(r"^[^/]+\.[^/]+$"),
    "loans.decisions",
    ("Nguồn và luồng, cách nhau bằng dấu chấm.", "Source and stream, with a dot between."),
);
pub(super) const LABEL: Parameter = piece(
    "name",
    Takes::Text,
    "commune",
    ("Tên nhãn, như 'commune'.", "A label's name, such as 'commune'."),
);
pub(super) const PROBLEM_CODE: Parameter = piece(
    "code",
    Takes::Text,
    "bad-parameter",
    ("Phần cuối của `type` trong lỗi.", "The end of a problem's `type`."),
);
pub(super) const ASSET: Parameter =
    piece("name", Takes::Words(&["console.css"]), "console.css", ("Tên tệp.", "The file's name."));

// Which figures.

pub(super) const PERIOD: Parameter = query(
    "period",
    Takes::Pattern(PERIODS),
    Some("latest"),
    "2024-03",
    (
        "Kỳ: 2024, 2024-Q1, 2024-03, 2024-W13, 2024-03-31, 2024-03-31T08, latest hoặc latest_closed.",
        "The period: 2024, 2024-Q1, 2024-03, 2024-W13, 2024-03-31, 2024-03-31T08, latest or latest_closed.",
    ),
);
/// The period of a page about many indicators.
pub(super) const PERIOD_OF_DAYS: Parameter =
    Parameter { takes: Takes::Pattern(PERIODS_OF_DAYS), ..PERIOD };
/// The period of a stretch, which stands in place of `from` and `last`.
pub(super) const STRETCH_PERIOD: Parameter = Parameter { default: None, ..PERIOD };
pub(super) const FROM: Parameter = query(
    "from",
    EDGE,
    None,
    "2024-01-01",
    ("Ngày đầu (hoặc mili giây).", "The first day (or milliseconds)."),
);
pub(super) const TO: Parameter = query(
    "to",
    EDGE,
    None,
    "2024-04-01",
    (
        "Ngày đầu tiên không còn tính; cần có `from`.",
        "The first day that is left out; needs `from`.",
    ),
);
pub(super) const LAST_DAYS: Parameter = query(
    "last",
    Takes::Pattern(LAST),
    Some("30d"),
    "12w",
    (
        "Khoảng thời gian gần nhất: 30d, 12w, 6m hoặc 2y, tối đa mười năm.",
        "The newest time: 30d, 12w, 6m or 2y, up to ten years.",
    ),
);
pub(super) const GRAIN: Parameter = query(
    "grain",
    Takes::Words(&GRAINS),
    Some("day"),
    "month",
    (
        "Độ dài của mỗi khoảng, theo giờ địa phương; hour cho chỉ số được tính theo giờ.",
        "The length of a bucket, in local time; hour for indicators that are kept by it.",
    ),
);
pub(super) const FILL: Parameter = query(
    "fill",
    Takes::Words(&["null", "zero", "previous"]),
    Some("null"),
    "previous",
    (
        "Đặt gì vào chỗ chưa có số liệu.",
        "What stands where there is no value; such rows say `filled`.",
    ),
);
pub(super) const AREA: Parameter = query(
    "area",
    Takes::Text,
    Some("province"),
    "commune:16681",
    (
        "Địa bàn: province hoặc commune:<mã>; với boundaries=as_reported còn commune:<mã>@<danh sách> \
         và district:<mã>@<danh sách>.",
        "The area: province or commune:<code>; with boundaries=as_reported also \
         commune:<code>@<list> and district:<code>@<list>.",
    ),
);
pub(super) const BOUNDARIES: Parameter = query(
    "boundaries",
    Takes::Words(&["current", "as_reported"]),
    Some("current"),
    "as_reported",
    (
        "Địa giới hiện nay cho mọi ngày, hoặc địa giới của chính ngày đó.",
        "Today's boundaries for all days, or those of each day.",
    ),
);
pub(super) const AS_OF: Parameter = query(
    "as_of",
    MOMENT,
    None,
    "2024-04-02T17:00",
    (
        "Trả lời như đã biết vào lúc đó, để in lại đúng một báo cáo cũ.",
        "Answers as was known at that moment, so that a printed report can be reproduced.",
    ),
);
pub(super) const COMPARE: Parameter = query(
    "compare",
    Takes::Pattern("^(target|previous|year_ago)(,(target|previous|year_ago)){0,2}$"),
    None,
    "previous,year_ago",
    (
        "So với kỳ trước hoặc cùng kỳ năm trước; kỳ chưa xong được so với đúng số ngày đã qua.",
        "Beside the period before, or that of a year ago; an open period is compared with as many days.",
    ),
);
pub(super) const BY_PLACE: Parameter = query(
    "by",
    Takes::Words(&["commune", "district"]),
    None,
    "commune",
    (
        "Chia theo xã, hoặc theo huyện với boundaries=as_reported; không đi cùng `area`.",
        "By commune, or by district with boundaries=as_reported; not beside `area`.",
    ),
);
pub(super) const BY: Parameter = query(
    "by",
    Takes::Text,
    Some("commune"),
    "channel",
    (
        "Chia theo commune, district hoặc một chiều của chỉ số.",
        "By commune, district or one of the indicator's dimensions.",
    ),
);
pub(super) const SORT: Parameter = query(
    "sort",
    Takes::Words(&["key", "value", "-value"]),
    Some("key"),
    "-value",
    ("Thứ tự; giá trị thiếu luôn đứng cuối.", "The order; missing values always come last."),
);
pub(super) const LIMIT: Parameter = query(
    "limit",
    Takes::Count(1000),
    Some("1000"),
    "10",
    ("Số dòng nhiều nhất.", "The most rows."),
);
pub(super) const PAGE_LIMIT: Parameter = Parameter { default: Some("100"), ..LIMIT };
pub(super) const REVISIONS_LIMIT: Parameter =
    Parameter { takes: Takes::Count(10_000), default: Some("1000"), ..LIMIT };
pub(super) const LEARNED_FROM: Parameter = query(
    "learned_from",
    MOMENT,
    None,
    "2024-04-01",
    ("So với điều đã biết vào lúc này.", "Compared with what was known at this moment."),
);
pub(super) const LEARNED_TO: Parameter = query(
    "learned_to",
    MOMENT,
    None,
    "2024-04-02T17:00",
    (
        "Đến điều đã biết vào lúc này; mặc định là bây giờ.",
        "Up to what was known at this moment; now without it.",
    ),
);

// How it is written.

pub(super) const FORMAT: Parameter = query(
    "format",
    Takes::Words(&["json", "csv", "ndjson"]),
    None,
    "csv",
    (
        "Dạng trả lời; nếu không có thì theo tiêu đề Accept, rồi JSON.",
        "How the answer is written; without it as `Accept` says, or else JSON.",
    ),
);
pub(super) const DRAWING_FORMAT: Parameter =
    Parameter { takes: Takes::Words(&["json", "mermaid", "dot"]), example: "mermaid", ..FORMAT };
pub(super) const BOM: Parameter = query(
    "bom",
    Takes::Words(&["0", "1"]),
    Some("0"),
    "1",
    (
        "Với CSV: 1 đặt dấu BOM để Excel đọc đúng dấu tiếng Việt.",
        "With CSV: 1 puts a byte-order mark in front, so that Excel reads the diacritics.",
    ),
);

// Which of a list.

pub(super) const GROUP: Parameter =
    query("group", Takes::Text, None, "portal", ("Nhóm chỉ số.", "The group of indicators."));
pub(super) const UNIT: Parameter = query(
    "unit",
    Takes::Text,
    None,
    "vp-ubnd",
    ("Đơn vị chịu trách nhiệm.", "The accountable unit."),
);
pub(super) const SOURCE: Parameter =
    query("source", Takes::Text, None, "portal", ("Tên nguồn.", "A source's name."));
pub(super) const STREAM: Parameter =
    query("stream", Takes::Text, None, "dossiers", ("Tên luồng.", "A stream's name."));
pub(super) const CONTRACT: Parameter = query(
    "contract",
    Takes::Text,
    None,
    "dossiers",
    ("Tên hợp đồng dữ liệu.", "A contract's name."),
);
pub(super) const REASON: Parameter = query(
    "reason",
    Takes::Text,
    None,
    "unknown_code",
    ("Lý do bị cách ly.", "Why records were refused."),
);
pub(super) const RULE: Parameter = query(
    "rule",
    Takes::Text,
    None,
    "channel",
    ("Thuộc tính hoặc quy tắc bị vi phạm.", "The property or check that broke."),
);
pub(super) const RECORD_STATE: Parameter = query(
    "state",
    Takes::Words(&["held", "resolved", "replayed", "discarded", "all"]),
    Some("held"),
    "all",
    ("Trạng thái của bản ghi.", "What became of the records."),
);
pub(super) const BY_RULE: Parameter = query(
    "group",
    Takes::Words(&["rule"]),
    None,
    "rule",
    ("`rule` đếm theo quy tắc thay vì liệt kê.", "`rule` sums up by rule instead of listing."),
);
pub(super) const CURSOR: Parameter = query(
    "cursor",
    Takes::Pattern("^[0-9]{1,18}$"),
    None,
    "17",
    ("Lấy từ `next` của trang trước.", "Taken from the `next` of the page before."),
);
pub(super) const BREACH_STATE: Parameter = query(
    "state",
    Takes::Words(&["open", "repaired"]),
    None,
    "open",
    ("Còn diễn ra hay đã hết.", "Whether it goes on or was repaired."),
);
pub(super) const ACTION: Parameter = query(
    "action",
    Takes::Words(&Action::WORDS),
    None,
    "source_paused",
    ("Chỉ những việc này.", "Only this was done."),
);
pub(super) const REPORT_STATE: Parameter = query(
    "state",
    Takes::Words(&["pending", "on_time", "missing", "late"]),
    None,
    "missing",
    ("Báo cáo đang ở tình trạng nào.", "How reports stand."),
);
pub(super) const SPELL_STATE: Parameter = query(
    "state",
    Takes::Words(&["open", "ended"]),
    None,
    "open",
    ("Đợt đang tiếp diễn hay đã hết.", "Spells that go on, or that have ended."),
);
pub(super) const GRADE: Parameter = query(
    "grade",
    Takes::Words(&["additive", "breaking"]),
    None,
    "breaking",
    ("Mức độ của sai lệch.", "How bad a breach is."),
);
pub(super) const TARGET_STATE: Parameter = query(
    "state",
    Takes::Words(&["up", "silent", "waiting"]),
    None,
    "silent",
    ("Trạng thái của thiết bị.", "Whether targets answer."),
);
pub(super) const AFTER: Parameter = query(
    "after",
    Takes::Text,
    None,
    "KSK-001",
    ("Sau tên này; lấy từ `next`.", "After this name; taken from `next`."),
);

// Events, metrics, pages.

pub(super) const INDICATORS: Parameter = query(
    "indicators",
    Takes::Text,
    None,
    "online_filing_rate",
    ("Chỉ các chỉ số này, cách nhau bằng dấu phẩy.", "Only these indicators, with commas between."),
);
pub(super) const AREAS: Parameter = query(
    "areas",
    Takes::Text,
    Some("province"),
    "province,commune:16681",
    ("Các địa bàn, cách nhau bằng dấu phẩy.", "The areas, with commas between."),
);
pub(super) const SNAPSHOT: Parameter = query(
    "snapshot",
    Takes::Words(&["0", "1"]),
    Some("0"),
    "1",
    ("1: bắt đầu bằng toàn bộ giá trị hiện có.", "1: begins with all values there are."),
);
pub(super) const LAST_EVENT: Parameter =
    head("Last-Event-ID", "18442.3", ("Tiếp tục sau sự kiện này.", "Goes on after this event."));
pub(super) const VERBOSE: Parameter =
    query("verbose", Takes::Text, None, "", ("Liệt kê từng kiểm tra.", "Lists the checks."));
pub(super) const ASSET_VERSION: Parameter = query(
    "v",
    Takes::Text,
    None,
    "",
    (
        "Mã băm của tệp: với nó, tệp được giữ mãi.",
        "The file's hash: with it the file is kept for good.",
    ),
);

// Deliveries.

pub(super) const WEBHOOK_ID: Parameter = head(
    "webhook-id",
    "msg_1",
    ("Mã của lần gửi (Standard Webhooks).", "The delivery's id (Standard Webhooks)."),
);
pub(super) const WEBHOOK_TIMESTAMP: Parameter =
    head("webhook-timestamp", "1711990800", ("Lúc ký, giây.", "When it was signed, in seconds."));
pub(super) const IDEMPOTENCY_KEY: Parameter = head(
    "Idempotency-Key",
    "2024-04-02-17",
    (
        "Mã của lần gửi nếu không ký: gửi lại cùng mã nhận lại câu trả lời đầu tiên.",
        "The delivery's id where nothing is signed: sent again, the first answer is repeated.",
    ),
);

// Prometheus.

pub(super) const PROM_QUERY: Parameter = needed(query(
    "query",
    Takes::Text,
    None,
    "ioc_online_filing_rate_province_ratio",
    ("Câu hỏi PromQL, xem /docs/prometheus.", "A question in PromQL, see /docs/prometheus."),
));
pub(super) const PROM_TIME: Parameter = query(
    "time",
    Takes::Text,
    None,
    "1711990800",
    (
        "Thời điểm: giây hoặc RFC 3339; mặc định là bây giờ.",
        "The moment: seconds or RFC 3339; now without it.",
    ),
);
pub(super) const PROM_START: Parameter = needed(query(
    "start",
    Takes::Text,
    None,
    "1709226000",
    ("Bắt đầu: giây hoặc RFC 3339.", "The beginning: seconds or RFC 3339."),
));
pub(super) const PROM_END: Parameter = needed(query(
    "end",
    Takes::Text,
    None,
    "1711990800",
    ("Kết thúc: giây hoặc RFC 3339.", "The end: seconds or RFC 3339."),
));
pub(super) const PROM_STEP: Parameter = needed(query(
    "step",
    Takes::Text,
    None,
    "1d",
    ("Bước: giây hoặc độ dài như 1d.", "The step: seconds or a duration such as 1d."),
));
pub(super) const PROM_MATCH: Parameter = query(
    "match[]",
    Takes::Many,
    None,
    "ioc_online_filing_rate_ratio",
    ("Bộ chọn chuỗi; có thể lặp lại.", "A selector of series; may be repeated."),
);
/// At least one selector.
pub(super) const PROM_MATCHES: Parameter = Parameter { required: true, ..PROM_MATCH };
pub(super) const PROM_LIMIT: Parameter = query(
    "limit",
    Takes::Pattern("^[0-9]{0,9}$"),
    None,
    "1000",
    ("Số mục nhiều nhất; 0 là không giới hạn.", "The most items; 0 is no limit."),
);
pub(super) const PROM_METRIC: Parameter = query(
    "metric",
    Takes::Text,
    None,
    "ioc_online_filing_rate_ratio",
    ("Chỉ chỉ tiêu này.", "Only this metric."),
);

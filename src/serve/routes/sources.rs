//! The addresses of sources, their breaches and what they sent that was refused.

use actix_web::web;

use super::door::{CUSTODY, RECORDS, SOURCES, STEERING};
use super::parameter::{
    AFTER, BREACH_STATE, BY_RULE, Both, CONTRACT, CURSOR, GRADE, LIMIT, PAGE_LIMIT, Parameter,
    REASON, RECORD, RECORD_STATE, REPEAT_KEY, RULE, SOURCE, SOURCE_ID, STREAM, TARGET_STATE, Takes,
    UNIT, piece,
};
use super::{Body, Content, Operation, Route, Serves, Tag, Verb, shape};
use crate::model::quarantine::ReplaySummary;
use crate::serve::error::{
    BACKFILL_UNDER_WAY, CONFLICT, JOB_NOT_ASKED, NO_FLEET, SOURCE_IS_PAUSED, UNKNOWN_JOB,
    UNKNOWN_RECORD, UNKNOWN_SOURCE,
};
use crate::serve::{
    backfills, breaches, console, custody, jobs, quality, quarantine, runs, sources, steering,
    targets,
};

const TAG: Tag = Tag::Sources;

const RUN_CURSOR: Parameter = Parameter {
    takes: Takes::Pattern(r"^(-?[0-9]{1,18}\.-?[0-9]{1,18}\..+)?$"),
    example: "1712052000.1712052003.dossiers",
    ..CURSOR
};
const JOB: Parameter = piece(
    "job",
    Takes::Text,
    "history:portal.dossiers",
    ("Mã việc, xem /v1/jobs.", "The job's id, of /v1/jobs."),
);

/// The formulas of the four scores.
const QUALITY: Both = (
    "Đúng: bản ghi đúng hợp đồng / bản ghi nhận trong các lượt còn lưu. Đủ: độ đầy đủ thấp nhất, ngày \
     gần nhất đã chốt, của các chỉ số chỉ dựa vào nguồn này; nếu không có: báo cáo đã đến / báo cáo đến \
     hạn. Sạch: bản ghi không có cảnh báo, không có mã lạ / mọi bản ghi đã nhận. Sống: luồng có số liệu \
     còn mới / mọi luồng. Không có gì để xét thì là null.",
    "Correct: records that kept their contract / records received in the kept runs. Complete: the least \
     completeness, on the last covered day, of the indicators made of this source alone; without one, \
     reports that came / reports due. Clean: records without a warning and without an unknown code / all \
     ever received. Live: streams within their limit of age / all streams. Null where nothing was there \
     to judge.",
);

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/v1/jobs",
        operations: &[Operation::read(
            "listJobs",
            TAG,
            SOURCES,
            Serves::Quickly(jobs::list),
            Content::Listed(shape::<jobs::List>),
        )
        .called("Việc chạy nền", "Work in the background")
        .saying(
            "Xây lại đại lượng, tải lịch sử theo từng lát thời gian và nạp lại quá khứ theo yêu cầu, đã đến đâu.",
            "Measures that are being built, histories that come in by time slices and stretches of the past \
             that somebody asked for: how far it has come.",
        )],
    },
    Route {
        path: "/v1/jobs/{job}",
        operations: &[
            Operation::read(
                "readJob",
                TAG,
                SOURCES,
                Serves::Quickly(jobs::one),
                Content::Json(shape::<jobs::One>),
            )
            .called("Một việc chạy nền", "One piece of work")
            .taking(&[&JOB])
            .refusing(&[&UNKNOWN_JOB]),
            Operation::read(
                "cancelBackfill",
                TAG,
                STEERING,
                Serves::Own(|| web::to(backfills::cancel)),
                Content::Json(shape::<backfills::One>),
            )
            .done(Verb::Delete)
            .called("Dừng nạp lại quá khứ", "Ends a backfill; what has come in stays")
            .saying(
                "Chỉ dừng được việc do người yêu cầu (`backfill:...`).",
                "Only what somebody asked for (`backfill:...`) can be ended.",
            )
            .taking(&[&JOB])
            .refusing(&[&UNKNOWN_JOB, &JOB_NOT_ASKED]),
        ],
    },
    Route {
        path: "/v1/backfills",
        operations: &[Operation::read(
            "requestBackfill",
            TAG,
            STEERING,
            Serves::Own(|| web::to(backfills::ask)),
            Content::Json(shape::<backfills::One>),
        )
        .sent(Verb::Post, Body::Json(shape::<backfills::New>))
        .answering(202)
        .called("Nạp lại một khoảng quá khứ", "Asks for a stretch of the past once more")
        .saying(
            "Từng lát thời gian, xen giữa các lượt thường kỳ; tiến độ ở `Location`. Dữ liệu đã biết \
             không đổi gì.",
            "Slice by slice between the ordinary turns; how far it has come stands at `Location`. What is \
             known already changes nothing.",
        )
        .taking(&[&REPEAT_KEY])
        .refusing(&[&UNKNOWN_SOURCE, &SOURCE_IS_PAUSED, &BACKFILL_UNDER_WAY])],
    },
    Route {
        path: "/v1/sources",
        operations: &[Operation::read(
"listSources",
TAG,
SOURCES,
            Serves::Quickly(sources::list),
            Content::Listed(shape::<sources::List<'static>>),
        )
        .called("Các nguồn dữ liệu", "The sources")
        .saying(
            "Mỗi nguồn: một từ về sức khỏe, lý do, độ mới, lỗi gần nhất, đơn vị chịu trách nhiệm.",
            "Each source: its health in a word, the reasons, freshness, last error, accountable unit.",
        )],
    },
    Route {
        path: "/v1/quality",
        operations: &[Operation::read(
            "listQuality",
            TAG,
            SOURCES,
            Serves::Blocking(quality::list),
            Content::Listed(shape::<quality::List<'static>>),
        )
        .called("Chất lượng dữ liệu từng nguồn", "How correct, complete, clean and live data are")
        .saying(QUALITY.0, QUALITY.1)],
    },
    Route {
        path: "/v1/sources/{id}/quality",
        operations: &[Operation::read(
            "readQuality",
            TAG,
            SOURCES,
            Serves::Blocking(quality::one),
            Content::Json(shape::<quality::Scores<'static>>),
        )
        .called("Chất lượng dữ liệu của một nguồn", "How correct, complete, clean and live one is")
        .saying(QUALITY.0, QUALITY.1)
        .taking(&[&SOURCE_ID])
        .refusing(&[&UNKNOWN_SOURCE])],
    },
    Route {
        path: "/v1/sources/{id}",
        operations: &[
            Operation::read(
"readSource",
TAG,
SOURCES,
                Serves::Quickly(sources::one),
                Content::Json(shape::<sources::State<'static>>),
            )
            .called("Một nguồn dữ liệu", "One source, with the history of its runs")
            .taking(&[&SOURCE_ID])
            .refusing(&[&UNKNOWN_SOURCE]),
            Operation::read(
"changeSource",
TAG,
STEERING,
                Serves::Own(|| web::to(steering::change)),
                Content::Json(shape::<steering::Changed<'static>>),
            )
            .sent(Verb::Patch, Body::Json(shape::<steering::Change>))
            .called("Tạm dừng hoặc cho chạy lại", "Pauses a source, or resumes it")
            .taking(&[&SOURCE_ID])
            .refusing(&[&UNKNOWN_SOURCE]),
        ],
    },
    Route {
        path: "/v1/badges/sources/{id}.svg",
        operations: &[Operation::read(
            "readSourceBadge",
            TAG,
            SOURCES,
            Serves::Quickly(console::picture_of_source),
            Content::Text("image/svg+xml"),
        )
        .called("Hình nhỏ về một nguồn", "How a source fares, as a small picture")
        .taking(&[&SOURCE_ID])
        .refusing(&[&UNKNOWN_SOURCE])],
    },
    Route {
        path: "/v1/sources/{id}/targets",
        operations: &[Operation::read(
"listTargets",
TAG,
SOURCES,
            Serves::Quickly(targets::list),
            Content::Listed(shape::<targets::Body>),
        )
        .called("Các thiết bị của một đội", "The members of a fleet")
        .saying(
            "Trang sau ở `next`; trang đi theo tên nên không sót, không lặp.",
            "The next page is at `next`; pages follow the names, so none is skipped or repeated.",
        )
        .taking(&[&SOURCE_ID, &TARGET_STATE, &AFTER, &LIMIT])
        .refusing(&[&UNKNOWN_SOURCE, &NO_FLEET])],
    },
    Route {
        path: "/v1/sources/{id}/runs",
        operations: &[Operation::read(
"listRuns",
TAG,
SOURCES,
            Serves::Quickly(runs::list),
            Content::Listed(shape::<runs::Body<'static>>),
        )
        .called("Các lần chạy gần nhất", "The last runs of a source")
        .saying(
            "Mới nhất trước. Trang sau ở `next`; không sót, không lặp dù có lần chạy mới.",
            "The newest first. The next page is at `next`; none is skipped or repeated while runs go on.",
        )
        .taking(&[&SOURCE_ID, &STREAM, &RUN_CURSOR, &PAGE_LIMIT])
        .refusing(&[&UNKNOWN_SOURCE])],
    },
    Route {
        path: "/v1/sources/{id}/pulls",
        operations: &[Operation::read(
"pullSource",
TAG,
STEERING,
            Serves::Own(|| web::to(steering::pull)),
            Content::Json(shape::<steering::Asked<'static>>),
        )
        .sent(Verb::Post, Body::Json(shape::<steering::Wanted>))
        .answering(202)
        .called("Lấy dữ liệu ngay", "Asks for a turn now")
        .taking(&[&SOURCE_ID, &REPEAT_KEY])
        .refusing(&[&UNKNOWN_SOURCE, &SOURCE_IS_PAUSED])],
    },
    Route {
        path: "/v1/sources/{id}/confirmations",
        operations: &[Operation::read(
"confirmVanished",
TAG,
STEERING,
            Serves::Own(|| web::to(custody::confirm)),
            Content::Json(shape::<custody::Confirmed>),
        )
        .sent(Verb::Post, Body::Json(shape::<custody::Confirmation>))
        .called("Xác nhận bản ghi đã mất thật", "Confirms that records have really vanished")
        .taking(&[&SOURCE_ID])
        .refusing(&[&UNKNOWN_SOURCE, &CONFLICT])],
    },
    Route {
        path: "/v1/breaches",
        operations: &[Operation::read(
"listBreaches",
TAG,
SOURCES,
            Serves::Quickly(breaches::list),
            Content::Listed(shape::<breaches::List<'static>>),
        )
        .called("Sai lệch hợp đồng dữ liệu", "How sources leave their contracts")
        .saying(
            "Còn diễn ra trước, rồi mới nhất trước.",
            "Open ones first, then the newest first.",
        )
        .taking(&[&SOURCE, &UNIT, &BREACH_STATE, &GRADE])],
    },
    Route {
        path: "/v1/quarantine",
        operations: &[Operation::read(
"listQuarantine",
Tag::Quarantine,
RECORDS,
            Serves::Own(|| web::to(quarantine::list)),
            Content::Listed(quarantine::listed),
        )
        .called("Bản ghi bị cách ly", "Records that broke their contract")
        .saying(
            "Chỉ hình dạng, không bao giờ có giá trị. Trang sau ở `next`; trang đi theo số của bản \
             ghi nên không sót, không lặp.",
            "Shapes only, never a value. The next page is at `next`; pages follow the numbers of \
             records, so none is skipped or repeated.",
        )
        .taking(&[
            &SOURCE,
            &STREAM,
            &CONTRACT,
            &REASON,
            &RULE,
            &RECORD_STATE,
            &BY_RULE,
            &CURSOR,
            &PAGE_LIMIT,
        ])],
    },
    Route {
        path: "/v1/quarantine/replays",
        operations: &[Operation::read(
"replayRecords",
Tag::Quarantine,
CUSTODY,
            Serves::Own(|| web::to(custody::replay)),
            Content::Json(shape::<ReplaySummary>),
        )
        .sent(Verb::Post, Body::Json(shape::<custody::Chosen>))
        .called("Nạp lại bản ghi bị cách ly", "Sends held records through their contract again")
        .taking(&[&REPEAT_KEY])],
    },
    Route {
        path: "/v1/quarantine/discards",
        operations: &[Operation::read(
"discardRecords",
Tag::Quarantine,
CUSTODY,
            Serves::Own(|| web::to(custody::discard)),
            Content::Json(shape::<custody::Discarded>),
        )
        .sent(Verb::Post, Body::Json(shape::<custody::Discard>))
        .called("Bỏ bản ghi bị cách ly", "Discards held records, with who and why")
        .taking(&[&REPEAT_KEY])],
    },
    Route {
        path: "/v1/quarantine/{id}",
        operations: &[Operation::read(
"readQuarantined",
Tag::Quarantine,
RECORDS,
            Serves::Own(|| web::to(quarantine::one)),
            Content::Json(shape::<quarantine::Item>),
        )
        .called("Một bản ghi bị cách ly", "One record, whatever became of it")
        .taking(&[&RECORD])
        .refusing(&[&UNKNOWN_RECORD])],
    },
];

//! The addresses about the gateway itself: health, metrics, the reference, and the pages for people.

use actix_web::web;

use super::door::{AUDIT, GATEWAY_METRICS, HEALTH, ONESELF, PAGES, RECORD_PAGES, SAMPLES, TOLD};
use super::parameter::{
    ACTION, AS_OF, ASSET, ASSET_VERSION, CURSOR, INDICATOR, PAGE_LIMIT, PERIOD, PERIOD_OF_DAYS,
    PROBLEM_CODE, VERBOSE,
};
use super::{Content, Operation, Route, Serves, Tag, shape};
use crate::serve::error::{NOT_APPLICABLE, NOT_READY, UNKNOWN_INDICATOR, UNKNOWN_PATH};
use crate::serve::openapi::{self, shapes};
use crate::serve::prometheus::subset;
use crate::serve::{audit, console, exposition, health, me};

const TAG: Tag = Tag::House;
const PLAIN: Content = Content::Text("text/plain; charset=utf-8");
const PAGE: Content = Content::Text("text/html; charset=utf-8");
const METRICS: Content = Content::Text(health::EXPOSITION);

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/v1/audit",
        operations: &[Operation::read(
            "listAudit",
            TAG,
            AUDIT,
            Serves::Own(|| web::to(audit::list)),
            Content::Listed(shape::<audit::Body>),
        )
        .called("Nhật ký kiểm toán", "The audit log: who did what")
        .saying(
            "Mới nhất trước. Mỗi dòng mang mã băm của mọi dòng trước nó; `iocgw audit verify` kiểm tra. \
             Trang sau ở `next`.",
            "The newest first. Each entry carries the hash of all before it; `iocgw audit verify` checks \
             them. The next page is at `next`.",
        )
        .taking(&[&ACTION, &CURSOR, &PAGE_LIMIT])],
    },
    Route {
        path: "/v1/me",
        operations: &[Operation::read(
            "readMe",
            TAG,
            ONESELF,
            Serves::Own(|| web::to(me::me)),
            Content::Json(shape::<me::Body<'static>>),
        )
        .called("Ai đang hỏi", "Who asks")
        .unkept()
        .saying(
            "Khóa nào, được làm gì, đọc được đến đâu; xem trước tiên khi bị từ chối.",
            "Which key, what it opens, how far it reaches; the first thing to look at when refused.",
        )],
    },
    Route {
        path: "/livez",
        operations: &[Operation::read(
            "readLiveness",
            TAG,
            HEALTH,
            Serves::Quickly(health::live),
            PLAIN,
        )
        .called("Còn sống", "Alive")
        .unkept()],
    },
    Route {
        path: "/readyz",
        operations: &[Operation::read(
            "readReadiness",
            TAG,
            HEALTH,
            Serves::Quickly(health::ready),
            PLAIN,
        )
        .called("Sẵn sàng", "Ready")
        .unkept()
        .saying(
            "Nguồn bị lỗi không bao giờ làm cổng mất sẵn sàng.",
            "A sick source never makes the gateway unready.",
        )
        .taking(&[&VERBOSE])
        .refusing(&[&NOT_READY])],
    },
    Route {
        path: "/metrics",
        operations: &[Operation::read(
            "readMetrics",
            TAG,
            GATEWAY_METRICS,
            Serves::Quickly(health::metrics),
            METRICS,
        )
        .called("Số đo vận hành", "Metrics of the gateway itself")
        .unkept()],
    },
    Route {
        path: "/metrics/indicators",
        operations: &[Operation::read(
            "readIndicatorMetrics",
            TAG,
            SAMPLES,
            Serves::Blocking(exposition::indicators),
            METRICS,
        )
        .called("Chỉ số cho Prometheus", "The newest values, for a Prometheus")
        .unkept()],
    },
    Route {
        path: "/openapi.json",
        operations: &[Operation::read(
            "readReference",
            TAG,
            TOLD,
            Serves::Quickly(openapi::document),
            Content::Json(shapes::anything),
        )
        .called("Tài liệu OpenAPI 3.1 này", "This OpenAPI 3.1 document")],
    },
    Route {
        path: "/v1/openapi.json",
        operations: &[Operation::read(
            "readReferenceOfV1",
            TAG,
            TOLD,
            Serves::Quickly(openapi::document),
            Content::Json(shapes::anything),
        )
        .called("Tài liệu OpenAPI 3.1 này", "This OpenAPI 3.1 document")],
    },
    Route {
        path: "/docs",
        operations: &[Operation::read(
            "showReference",
            Tag::Pages,
            TOLD,
            Serves::Quickly(openapi::page::page),
            PAGE,
        )
        .called("Trang tra cứu API", "The reference, to read")],
    },
    Route {
        path: "/docs/prometheus",
        operations: &[Operation::read(
            "readSubset",
            Tag::Pages,
            TOLD,
            Serves::Quickly(subset::page),
            PLAIN,
        )
        .called("Phần PromQL được trả lời", "Which part of PromQL is answered")],
    },
    Route {
        path: "/docs/problems/{code}",
        operations: &[Operation::read(
            "readProblem",
            Tag::Pages,
            TOLD,
            Serves::Quickly(health::problem),
            PLAIN,
        )
        .called("Ý nghĩa một lỗi", "What a problem means and what to do")
        .taking(&[&PROBLEM_CODE])
        .refusing(&[&UNKNOWN_PATH])],
    },
    Route {
        path: "/",
        operations: &[Operation::read(
            "showIndicators",
            Tag::Pages,
            PAGES,
            Serves::Quickly(console::page),
            PAGE,
        )
        .called("Trang đầu", "The first page")
        .taking(&[&PERIOD_OF_DAYS])],
    },
    Route {
        path: "/indicators/{id}",
        operations: &[Operation::read(
            "showIndicator",
            Tag::Pages,
            PAGES,
            Serves::Blocking(console::indicator),
            PAGE,
        )
        .called("Trang của một chỉ số", "The page of an indicator")
        .taking(&[&INDICATOR, &PERIOD, &AS_OF])
        .refusing(&[&UNKNOWN_INDICATOR, &NOT_APPLICABLE])],
    },
    Route {
        path: "/jobs",
        operations: &[Operation::read(
            "showJobs",
            Tag::Pages,
            PAGES,
            Serves::Quickly(console::jobs),
            PAGE,
        )
        .called("Trang việc chạy nền", "The page of work in the background")],
    },
    Route {
        path: "/quarantine",
        operations: &[Operation::read(
            "showQuarantine",
            Tag::Pages,
            RECORD_PAGES,
            Serves::Blocking(console::quarantine),
            PAGE,
        )
        .called("Trang bản ghi bị cách ly", "The page of records in quarantine")],
    },
    Route {
        path: "/assets/{name}",
        operations: &[Operation::read(
            "readAsset",
            Tag::Pages,
            TOLD,
            Serves::Quickly(console::asset),
            Content::Text("text/css; charset=utf-8"),
        )
        .called("Tệp kiểu trình bày", "The style sheet")
        .taking(&[&ASSET, &ASSET_VERSION])
        .refusing(&[&UNKNOWN_PATH])],
    },
];

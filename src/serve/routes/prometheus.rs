//! The addresses that speak Prometheus' own language.

use super::door::FIGURES;
use super::parameter::{
    LABEL, PROM_END, PROM_LIMIT, PROM_MATCH, PROM_MATCHES, PROM_METRIC, PROM_QUERY, PROM_START,
    PROM_STEP, PROM_TIME, Parameter,
};
use super::{Body, Content, Operation, Route, Serves, Shape, Tag, Verb};
use crate::serve::error::{BAD_QUERY, Kind, QUERY_FAILED};
use crate::serve::openapi::shapes;
use crate::serve::past::Reader;
use crate::serve::prometheus as promql;

const TAG: Tag = Tag::Prometheus;
const PLAIN: Content = Content::Text("text/plain; charset=utf-8");

/// A question that may be read, or sent as a form: the same both ways.
const fn both(
    ids: [&'static str; 2],
    reader: Reader,
    shape: Shape,
    title: (&'static str, &'static str),
    parameters: &'static [&'static Parameter],
) -> [Operation; 2] {
    const REFUSALS: &[&Kind] = &[&BAD_QUERY, &QUERY_FAILED];
    let [read, sent] = ids;
    [
        Operation::read(read, TAG, FIGURES, Serves::Form(reader), Content::Json(shape))
            .called(title.0, title.1)
            .taking(parameters)
            .refusing(REFUSALS),
        Operation::read(sent, TAG, FIGURES, Serves::Form(reader), Content::Json(shape))
            .sent(Verb::Post, Body::Form)
            .called(title.0, title.1)
            .taking(parameters)
            .refusing(REFUSALS),
    ]
}

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/prometheus",
        operations: &[Operation::read(
            "knock",
            TAG,
            FIGURES,
            Serves::Quickly(promql::start),
            PLAIN,
        )
        .called("Địa chỉ gốc cho Grafana", "The base address for Grafana")
        .saying(
            "Cũng trả lời ở /prometheus/, có dấu gạch chéo.",
            "Answers at /prometheus/ too, with a slash.",
        )],
    },
    Route {
        path: "/prometheus/api/v1/query",
        operations: &both(
            ["queryInstant", "sendInstantQuery"],
            promql::instant,
            shapes::computed,
            ("Hỏi tại một thời điểm", "Asks at one moment"),
            &[&PROM_QUERY, &PROM_TIME],
        ),
    },
    Route {
        path: "/prometheus/api/v1/query_range",
        operations: &both(
            ["queryRange", "sendRangeQuery"],
            promql::range,
            shapes::computed,
            ("Hỏi theo bước thời gian", "Asks at each step of a time"),
            &[&PROM_QUERY, &PROM_START, &PROM_END, &PROM_STEP],
        ),
    },
    Route {
        path: "/prometheus/api/v1/query_exemplars",
        operations: &both(
            ["queryExemplars", "sendExemplarQuery"],
            promql::exemplars,
            shapes::anything,
            ("Ví dụ (luôn trống)", "Exemplars: there are none"),
            &[],
        ),
    },
    Route {
        path: "/prometheus/api/v1/series",
        operations: &both(
            ["listSeries", "sendSeriesQuery"],
            promql::series,
            shapes::label_sets,
            ("Các chuỗi khớp bộ chọn", "The series that fit a selector"),
            &[&PROM_MATCHES, &PROM_LIMIT],
        ),
    },
    Route {
        path: "/prometheus/api/v1/labels",
        operations: &both(
            ["listLabels", "sendLabelQuery"],
            promql::labels,
            shapes::words,
            ("Tên các nhãn", "The names of labels"),
            &[&PROM_MATCH, &PROM_LIMIT],
        ),
    },
    Route {
        path: "/prometheus/api/v1/label/{name}/values",
        operations: &[Operation::read(
            "listLabelValues",
            TAG,
            FIGURES,
            Serves::Blocking(promql::label_values),
            Content::Json(shapes::words),
        )
        .called("Giá trị của một nhãn", "The values of a label")
        .taking(&[&LABEL, &PROM_MATCH, &PROM_LIMIT])
        .refusing(&[&BAD_QUERY])],
    },
    Route {
        path: "/prometheus/api/v1/metadata",
        operations: &[Operation::read(
            "readMetadata",
            TAG,
            FIGURES,
            Serves::Blocking(promql::metadata),
            Content::Json(shapes::anything),
        )
        .called("Ý nghĩa từng chỉ tiêu", "What each metric is")
        .taking(&[&PROM_METRIC, &PROM_LIMIT])
        .refusing(&[&BAD_QUERY])],
    },
    Route {
        path: "/prometheus/api/v1/status/buildinfo",
        operations: &[Operation::read(
            "readBuildInfo",
            TAG,
            FIGURES,
            Serves::Blocking(promql::build_info),
            Content::Json(shapes::anything),
        )
        .called("Phiên bản tương thích", "The version that this is compatible with")],
    },
    Route {
        path: "/prometheus/api/v1/rules",
        operations: &[Operation::read(
            "listRules",
            TAG,
            FIGURES,
            Serves::Blocking(promql::rules),
            Content::Json(shapes::anything),
        )
        .called("Quy tắc (luôn trống)", "Rules: there are none")],
    },
    Route {
        path: "/prometheus/api/v1/alerts",
        operations: &[Operation::read(
            "listAlerts",
            TAG,
            FIGURES,
            Serves::Blocking(promql::alerts),
            Content::Json(shapes::anything),
        )
        .called("Cảnh báo (luôn trống)", "Alerts: there are none")],
    },
];

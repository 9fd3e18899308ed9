//! The addresses by which things come in by themselves, and go out by themselves.

use actix_web::web;

use super::door::{DELIVERY, FIGURES};
use super::parameter::{
    AREAS, IDEMPOTENCY_KEY, INDICATORS, LAST_EVENT, SNAPSHOT, STREAM_NAME, WEBHOOK_ID,
    WEBHOOK_TIMESTAMP,
};
use super::{Body, Content, Operation, Route, Serves, Tag, Verb, shape};
use crate::serve::error::{
    BAD_BODY, BAD_DELIVERY_ID, DELIVERY_DIFFERS, DELIVERY_TOO_LARGE, ENCODED_BODY,
    INTAKE_UNAVAILABLE, NOT_READY, REFUSED_DELIVERY, TOO_MANY_DELIVERIES, TOO_MANY_LISTENERS,
    UNAUTHENTICATED, UNKNOWN_STREAM, UNREADABLE_DELIVERY,
};
use crate::serve::{events, intake};

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/v1/events",
        operations: &[Operation::read(
            "followEvents",
            Tag::Deliveries,
            FIGURES,
            Serves::Own(|| web::to(events::events)),
            Content::Text("text/event-stream"),
        )
        .called("Thay đổi, ngay khi có", "What changes, as it changes")
        .unkept()
        .saying(
            "Server-sent events: `indicator`, `source`, `resync`; mỗi 15 giây một dòng chú thích.",
            "Server-sent events: `indicator`, `source`, `resync`; a comment every 15 seconds.",
        )
        .taking(&[&INDICATORS, &AREAS, &SNAPSHOT, &LAST_EVENT])
        .refusing(&[&TOO_MANY_LISTENERS, &NOT_READY])],
    },
    Route {
        path: "/v1/intake/{stream}",
        operations: &[Operation::read(
            "deliver",
            Tag::Deliveries,
            DELIVERY,
            Serves::Own(|| web::to(intake::push)),
            Content::Json(shape::<intake::Body<'static>>),
        )
        .sent(Verb::Post, Body::Delivery)
        .answering(202)
        .called("Gửi dữ liệu vào", "Takes a delivery in")
        .saying(
            "Cho hệ thống không thể hỏi được. 202 chỉ khi đã ghi xuống đĩa.",
            "For systems that cannot be asked. 202 only when it is on the disk.",
        )
        .taking(&[&STREAM_NAME, &WEBHOOK_ID, &WEBHOOK_TIMESTAMP, &IDEMPOTENCY_KEY])
        .refusing(&[
            &UNKNOWN_STREAM,
            &UNAUTHENTICATED,
            &BAD_BODY,
            &BAD_DELIVERY_ID,
            &DELIVERY_DIFFERS,
            &UNREADABLE_DELIVERY,
            &REFUSED_DELIVERY,
            &DELIVERY_TOO_LARGE,
            &ENCODED_BODY,
            &TOO_MANY_DELIVERIES,
            &INTAKE_UNAVAILABLE,
        ])],
    },
];

//! The addresses of webhooks.

use actix_web::web;

use super::door::WEBHOOKS;
use super::parameter::{Parameter, REPEAT_KEY, Takes, piece};
use super::{Body, Content, Operation, Route, Serves, Tag, Verb, shape};
use crate::model::webhook::Trial;
use crate::serve::error::{NO_WEBHOOK_KEY, TOO_MANY_WEBHOOKS, UNKNOWN_WEBHOOK};
use crate::serve::webhooks;

const TAG: Tag = Tag::Webhooks;

const HOOK: Parameter = piece(
    "id",
    Takes::Text,
    "wh_0123456789abcdef",
    ("Mã webhook, xem /v1/webhooks.", "The webhook's id, of /v1/webhooks."),
);

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/v1/webhooks",
        operations: &[
            Operation::read(
                "listWebhooks",
                TAG,
                WEBHOOKS,
                Serves::Own(|| web::to(webhooks::list)),
                Content::Listed(shape::<webhooks::List>),
            )
            .unkept()
            .called("Các webhook của khóa", "The webhooks of the key")
            .saying(
                "Khóa có `admin` thấy mọi webhook. Không bao giờ có bí mật ký.",
                "A key with `admin` sees all of them. Never their secrets.",
            ),
            Operation::read(
                "createWebhook",
                TAG,
                WEBHOOKS,
                Serves::Own(|| web::to(webhooks::create)),
                Content::Json(shape::<webhooks::Item>),
            )
            .sent(Verb::Post, Body::Json(shape::<webhooks::New>))
            .answering(201)
            .called("Đăng ký nhận tin", "Has changes told to an address")
            .saying(
                "Theo Standard Webhooks 1.0. `secret` chỉ hiện ở đây. Tin đầu tiên là `resync`. Tin chỉ nêu \
                 chỉ số và địa bàn nào đã đổi, không mang số liệu: người nhận đọc lại bằng khóa của mình.",
                "By Standard Webhooks 1.0. `secret` is shown here only. The first message is `resync`. A \
                 message names the indicators and areas that changed and holds no figure: whoever gets it \
                 reads them with a key of their own.",
            )
            .taking(&[&REPEAT_KEY])
            .refusing(&[&NO_WEBHOOK_KEY, &TOO_MANY_WEBHOOKS]),
        ],
    },
    Route {
        path: "/v1/webhooks/{id}",
        operations: &[
            Operation::read(
                "readWebhook",
                TAG,
                WEBHOOKS,
                Serves::Own(|| web::to(webhooks::one)),
                Content::Json(shape::<webhooks::Item>),
            )
            .unkept()
            .called("Một webhook", "One webhook, and how telling it goes")
            .taking(&[&HOOK])
            .refusing(&[&UNKNOWN_WEBHOOK]),
            Operation::read(
                "changeWebhook",
                TAG,
                WEBHOOKS,
                Serves::Own(|| web::to(webhooks::amend)),
                Content::Json(shape::<webhooks::Item>),
            )
            .sent(Verb::Patch, Body::Json(shape::<webhooks::Amended>))
            .called("Sửa, tắt hoặc bật lại", "Describes a webhook anew, or has it told or not")
            .taking(&[&HOOK])
            .refusing(&[&UNKNOWN_WEBHOOK]),
            Operation::read(
                "deleteWebhook",
                TAG,
                WEBHOOKS,
                Serves::Own(|| web::to(webhooks::delete)),
                Content::Json(shape::<webhooks::Deleted>),
            )
            .done(Verb::Delete)
            .called("Xóa webhook", "Deletes a webhook with what waits for it")
            .saying(
                "Khóa có `admin` xóa được mọi webhook.",
                "A key with `admin` deletes any of them.",
            )
            .taking(&[&HOOK])
            .refusing(&[&UNKNOWN_WEBHOOK]),
        ],
    },
    Route {
        path: "/v1/webhooks/{id}/secrets",
        operations: &[Operation::read(
            "renewWebhookSecret",
            TAG,
            WEBHOOKS,
            Serves::Own(|| web::to(webhooks::renew)),
            Content::Json(shape::<webhooks::Item>),
        )
        .sent(Verb::Post, Body::Json(shape::<webhooks::Nothing>))
        .answering(201)
        .called("Đổi bí mật ký", "Makes another secret")
        .saying(
            "Bí mật cũ còn ký thêm một ngày.",
            "The one before signs too for another day.",
        )
        .taking(&[&HOOK, &REPEAT_KEY])
        .refusing(&[&UNKNOWN_WEBHOOK, &NO_WEBHOOK_KEY])],
    },
    Route {
        path: "/v1/webhooks/{id}/tests",
        operations: &[Operation::read(
            "testWebhook",
            TAG,
            WEBHOOKS,
            Serves::Own(|| web::to(webhooks::test)),
            Content::Json(shape::<Trial>),
        )
        .sent(Verb::Post, Body::Json(shape::<webhooks::Nothing>))
        .called("Gửi thử", "Sends a message for a trial, and tells how it went")
        .taking(&[&HOOK])
        .refusing(&[&UNKNOWN_WEBHOOK])],
    },
];

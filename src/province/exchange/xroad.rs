//! X-Road: the consumer says who it is in a header, the path says who is asked, and a security
//! server that refuses says so in `X-Road-Error`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use crate::province::answer::{Here, header_text};
use crate::province::serve::{Query, returns_of_a};

/// The one consumer that is let in.
const CLIENT: &str = "VN-TEST/GOV/NGHEAN/IOC";

/// The one service there is.
const SERVICE: &str = "VN-TEST/GOV/NGHEAN/LODGING/returns";

pub(super) async fn returns(
    here: Here,
    request: HttpRequest,
    service: web::Path<String>,
    query: Query,
) -> HttpResponse {
    if *service != SERVICE {
        return refused("Server.ServerProxy.UnknownService", "Unknown service");
    }
    match header_text(&request, "x-road-client") {
        Some(CLIENT) => returns_of_a(here, query).await,
        Some(_) => refused("Server.ServerProxy.AccessDenied", "Request is not allowed"),
        None => refused("Client.InvalidHeader", "X-Road-Client is missing"),
    }
}

fn refused(kind: &str, message: &str) -> HttpResponse {
    HttpResponse::InternalServerError()
        .insert_header(("X-Road-Error", kind))
        .json(json!({"type": kind, "message": message, "detail": "simulated"}))
}

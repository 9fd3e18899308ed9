//! The reference: a bare actix-web handler that has the same bytes and the same tag, and nothing else.

use std::io::{self, BufRead as _, Write as _};
use std::path::Path;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

/// The tag of whatever is answered.
pub(crate) const TAG: &str = "\"0123456789abcdef0123456789abcdef\"";

/// Serves the file on a free port of loopback, which is written to standard output first; ends with
/// standard input.
pub(crate) fn run(file: &Path) -> io::Result<()> {
    let body = Bytes::from(std::fs::read(file)?);
    std::thread::spawn(|| {
        let mut line = String::new();
        let _ = io::stdin().lock().read_line(&mut line);
        std::process::exit(0);
    });
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            App::new().app_data(web::Data::new(body.clone())).default_service(web::to(answer))
        });
        let server = server.workers(2).bind("127.0.0.1:0")?;
        let address = server.addrs().first().copied();
        let address = address.ok_or_else(|| io::Error::other("it listens nowhere"))?;
        writeln!(io::stdout(), "{address}")?;
        server.run().await
    })
}

async fn answer(request: HttpRequest, body: web::Data<Bytes>) -> HttpResponse {
    let known = request.headers().get(header::IF_NONE_MATCH);
    if known.is_some_and(|known| known == TAG) {
        return HttpResponse::NotModified().insert_header((header::ETAG, TAG)).finish();
    }
    HttpResponse::Ok()
        .insert_header((header::ETAG, TAG))
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .body(Bytes::clone(&body))
}

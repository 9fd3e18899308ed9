//! Over a real socket: what only the server itself can get wrong.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use super::world::context;
use crate::serve::{Contexts, Listener, bind};

/// Sends raw bytes and reads until the server closes.
fn exchange(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[actix_web::test]
async fn head_answers_like_get_without_a_body_and_the_server_stops_when_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = bind(Arc::new(Contexts::new(context())), Listener::plain(listener), 1).unwrap();
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);
    let answers = actix_web::web::block(move || {
        ["GET", "HEAD"].map(|method| {
            exchange(
                address,
                &format!("{method} /v1/sources HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
            )
        })
    })
    .await
    .unwrap();
    handle.stop(true).await;
    running.await.unwrap().unwrap();
    let [get, head] = answers.map(|answer| {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    });
    let named = |head: &str, name: &str| {
        head.lines().find(|line| line.to_lowercase().starts_with(name)).map(str::to_owned)
    };
    assert!(get.0.starts_with("HTTP/1.1 200") && head.0.starts_with("HTTP/1.1 200"));
    assert!(!get.1.is_empty());
    assert_eq!(head.1, "");
    for name in ["etag", "content-type", "cache-control", "content-length"] {
        assert_eq!(named(&get.0, name), named(&head.0, name), "{name}");
        assert!(named(&get.0, name).is_some(), "{name}");
    }
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

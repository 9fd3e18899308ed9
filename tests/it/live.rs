//! `/v1/events` of the real program: who takes nothing is cut off, and a stop ends every stream.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::support::{Overlay, Pulled};

/// Asks for events and takes nothing, or what `head` says.
fn listen(address: SocketAddr, query: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(90))).unwrap();
    // As little as the system allows is held for a reader that does not read.
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 4096).unwrap();
    let request = format!("GET /v1/events{query} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

#[test]
fn c01_a_listener_that_reads_nothing_is_dropped_and_counted() {
    let overlay = Overlay::new();
    overlay.write("iocgw.yaml", "version: 1\nevents: {clients: 5, slow_after: 1s}\n");
    let pulled = Pulled::start_with(&overlay.config(), 14);
    // All figures of all communes do not fit into what the systems on both ends hold.
    let slow = listen(pulled.gateway.address, "?snapshot=1&areas=all");
    let mut good = BufReader::new(listen(pulled.gateway.address, "?snapshot=1"));
    let mut read = String::new();
    while !read.contains("event: snapshot") {
        assert!(good.read_line(&mut read).unwrap() > 0, "{read}");
    }
    let is_dropped = "iocgw_stream_clients_dropped_total{reason=\"slow\"} 1";
    let after = pulled.gateway.wait_until("the end of the slow one", "/metrics", |answer| {
        answer.body.contains(is_dropped) && answer.body.contains("iocgw_stream_clients 1\n")
    });
    // The good one is still there, and got everything once.
    assert!(
        after.body.contains("iocgw_stream_events_total{event=\"snapshot\"} 2"),
        "{}",
        after.body
    );
    let mut slow = slow;
    let mut rest = Vec::new();
    let ended = slow.read_to_end(&mut rest);
    assert!(ended.is_err() || !rest.ends_with(b"0\r\n\r\n"), "cut off, not finished");
    // A stop ends the good one in good order.
    let Pulled { gateway, .. } = pulled;
    let reading = std::thread::spawn(move || {
        let mut rest = String::new();
        good.read_to_string(&mut rest).unwrap();
        rest
    });
    let (code, took) = gateway.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(reading.join().unwrap().ends_with("0\r\n\r\n"));
}

//! A static HTTP server in a process of its own, so that its work is not counted as the gateway's.
//!
//! It knows `GET` of a file below one folder over kept-alive connections and nothing else; bodies
//! go from the page cache to the socket without a copy in between. It ends when its standard input
//! closes, that is with the benchmark, however that ends.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

/// The longest request line or header that is read.
const LONGEST_LINE: u64 = 8 * 1024;

/// Serves `dir` on a free port of loopback, which is written to standard output first.
pub(crate) fn run(dir: &Path) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
    for stream in listener.incoming() {
        let (stream, dir) = (stream?, dir.to_owned());
        std::thread::spawn(move || {
            // A client that goes away is no failure of the server.
            let _ = converse(&stream, &dir);
        });
    }
    Ok(())
}

fn converse(stream: &TcpStream, dir: &Path) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(path) = request(&mut reader)? {
        let is_plain = path.split('/').all(|part| !part.starts_with('.'));
        match File::open(dir.join(path.trim_start_matches('/'))) {
            Ok(mut file) if is_plain => {
                let length = file.metadata()?.len();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
                );
                (&mut &*stream).write_all(head.as_bytes())?;
                io::copy(&mut file, &mut &*stream)?;
            }
            _ => {
                (&mut &*stream)
                    .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            }
        }
    }
    Ok(())
}

/// The path of the next request; `None` when the client has closed.
fn request(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<String>> {
    let mut path = None;
    loop {
        let mut line = String::new();
        if reader.by_ref().take(LONGEST_LINE).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line.trim_end().is_empty() {
            return Ok(path);
        }
        if path.is_none() {
            let asked = line.strip_prefix("GET ").and_then(|rest| rest.split(' ').next());
            path = Some(asked.unwrap_or_default().to_owned());
        }
    }
}

//! Asks one thing again and again over kept-alive connections, as many times as go into some seconds.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// Connections at once.
const CONNECTIONS: usize = 32;

/// What is asked: an address and a header besides.
pub(crate) fn request(path: &str, header: &str) -> String {
    let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}\r\n")
}

/// Asks for so long; yields how many answers there were. An answer with another status is an error.
pub(crate) fn count(
    address: SocketAddr,
    request: String,
    status: &str,
    during: Duration,
) -> io::Result<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (request, status) = (Rc::new(request), Rc::new(format!("HTTP/1.1 {status} ")));
    LocalSet::new().block_on(&runtime, async move {
        let end = Instant::now() + during;
        let asking = (0..CONNECTIONS).map(|_| {
            let (request, status) = (Rc::clone(&request), Rc::clone(&status));
            tokio::task::spawn_local(async move { converse(address, &request, &status, end).await })
        });
        let mut total = 0;
        for asked in asking.collect::<Vec<_>>() {
            total += asked.await.map_err(io::Error::other)??;
        }
        Ok(total)
    })
}

async fn converse(
    address: SocketAddr,
    request: &str,
    status: &str,
    end: Instant,
) -> io::Result<u64> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut buffer, mut count) = (vec![0; 256 * 1024], 0);
    while Instant::now() < end {
        stream.write_all(request.as_bytes()).await?;
        let mut held = 0;
        loop {
            let read = stream.read(&mut buffer[held..]).await?;
            if read == 0 {
                return Err(io::Error::other("the connection was closed"));
            }
            held += read;
            if whole(&buffer[..held], status)? {
                break;
            }
        }
        count += 1;
    }
    Ok(count)
}

/// Whether an answer is there to its end.
fn whole(answer: &[u8], status: &str) -> io::Result<bool> {
    let Some(head) = memchr::memmem::find(answer, b"\r\n\r\n") else { return Ok(false) };
    if !answer.starts_with(status.as_bytes()) {
        let told = String::from_utf8_lossy(&answer[..answer.len().min(300)]).into_owned();
        return Err(io::Error::other(format!("not what was asked for: {told}")));
    }
    let name = b"content-length: ";
    let length = memchr::memmem::find(&answer[..head], name).map(|at| {
        let digits = answer[at + name.len()..].iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))
    });
    Ok(answer.len() >= head + 4 + length.unwrap_or(0))
}

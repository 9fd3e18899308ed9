//! `iocgw health`: does a running gateway answer? For container health checks, which have no shell.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::UNREACHABLE;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The address to ask
    #[arg(long, default_value = "http://127.0.0.1:8080/livez")]
    url: url::Url,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let answer = tokio::time::timeout(Duration::from_secs(1), ask(&arguments.url)).await;
    let is_well = matches!(answer, Ok(Ok(status)) if status.starts_with(b"HTTP/1.1 200"));
    Ok(if is_well { 0 } else { UNREACHABLE })
}

/// The beginning of the answer to a plain GET.
async fn ask(url: &url::Url) -> std::io::Result<[u8; 12]> {
    let address =
        url.socket_addrs(|| None)?.first().copied().ok_or(std::io::ErrorKind::NotFound)?;
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        url.path(),
        url.host_str().unwrap_or("localhost")
    );
    stream.write_all(request.as_bytes()).await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    Ok(status)
}

//! The first steps to a source: its address, a connection, and what TLS shows of it.
//!
//! The handshake here only looks: whoever answers is believed for the moment, nothing is sent to
//! him, and what he shows is told. Whether he is to be believed is for the real request that follows.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, ProtocolVersion, SignatureScheme,
};
use tokio::time::Instant;
use url::Url;

use super::Steps;
use crate::clock::Clock;
use crate::model::time::{DAY, Stamp};

/// The longest that one of these steps may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Goes to the source's door, step by step; `false` if there is no way.
pub(super) async fn reach(steps: &Steps<'_>, address: &str) -> bool {
    let Ok(url) = Url::parse(address) else {
        return steps.failed("DNS", None, "the url is not an address");
    };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return steps.failed("DNS", None, "the url names no host");
    };
    let began = Instant::now();
    let host = host.trim_matches(['[', ']']);
    let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, port))).await;
    let found: Vec<SocketAddr> = match found {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) => {
            return steps.failed("DNS", Some(began), &format!("no address of '{host}': {error}"));
        }
        Err(_) => return steps.failed("DNS", Some(began), &format!("no answer about '{host}'")),
    };
    let Some(first) = found.first().copied() else {
        return steps.failed("DNS", Some(began), &format!("'{host}' has no address"));
    };
    steps.done("DNS", began, &format!("'{host}' has {} address(es)", found.len()));
    let (began, is_tls) = (Instant::now(), url.scheme() == "https");
    let name = host.to_owned();
    let looked = tokio::task::spawn_blocking(move || connect(first, &name, is_tls)).await;
    match looked {
        Ok(Ok(seen)) => tell(steps, began, &seen),
        Ok(Err((step, why))) => steps.failed(step, Some(began), &why),
        Err(_) => steps.failed("TCP", Some(began), "a fault in the program itself"),
    }
}

/// What a connection shows.
struct Seen {
    connected: Duration,
    tls: Option<Tls>,
}

struct Tls {
    took: Duration,
    version: Option<ProtocolVersion>,
    end: Option<Stamp>,
}

fn tell(steps: &Steps<'_>, began: Instant, seen: &Seen) -> bool {
    steps.told("TCP", seen.connected, "connected");
    let Some(Tls { took, version, end }) = &seen.tls else {
        steps.done("TLS", began + seen.connected, "none: the address is plain HTTP");
        return true;
    };
    let version = match version {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "a version that is not known",
    };
    let until = end.map_or_else(
        || "the certificate does not say until when it holds".to_owned(),
        |end| {
            let days = (end.0 - Clock::System.now().0).div_euclid(DAY);
            format!("the certificate holds until {end}, {days} day(s)")
        },
    );
    steps.told("TLS", *took, &format!("{version}; {until}"));
    true
}

type Failed = (&'static str, String);

fn connect(to: SocketAddr, host: &str, is_tls: bool) -> Result<Seen, Failed> {
    let began = Instant::now();
    let stream = TcpStream::connect_timeout(&to, PATIENCE);
    let mut stream = stream.map_err(|error| ("TCP", format!("no connection: {error}")))?;
    let connected = began.elapsed();
    if !is_tls {
        return Ok(Seen { connected, tls: None });
    }
    let tls = |error: &dyn std::fmt::Display| ("TLS", format!("the handshake failed: {error}"));
    for set in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
        set(&stream, Some(PATIENCE)).map_err(|error| tls(&error))?;
    }
    let began = Instant::now();
    let name = ServerName::try_from(host.to_owned()).map_err(|error| tls(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let looker = Arc::new(Looker(provider.signature_verification_algorithms.supported_schemes()));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| tls(&error))?
        .dangerous()
        .with_custom_certificate_verifier(looker)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), name);
    let mut connection = connection.map_err(|error| tls(&error))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(|error| tls(&error))?;
    }
    let shown = connection.peer_certificates().and_then(<[_]>::first);
    Ok(Seen {
        connected,
        tls: Some(Tls {
            took: began.elapsed(),
            version: connection.protocol_version(),
            end: shown.and_then(|certificate| end(certificate)),
        }),
    })
}

/// Believes every certificate, for nothing is sent after the handshake.
#[derive(Debug)]
struct Looker(Vec<SignatureScheme>);

impl ServerCertVerifier for Looker {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

/// Until when a certificate holds (RFC 5280, 4.1.2.5).
fn end(certificate: &[u8]) -> Option<Stamp> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut to_be_signed, _) = element(certificate)?;
    // The version is optional; serial number, algorithm and issuer come before the validity.
    if element(to_be_signed)?.0 == 0xA0 {
        to_be_signed = element(to_be_signed)?.2;
    }
    for _ in 0..3 {
        to_be_signed = element(to_be_signed)?.2;
    }
    let (_, validity, _) = element(to_be_signed)?;
    let (_, _, rest) = element(validity)?;
    let (tag, text, _) = element(rest)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match (tag, text.len()) {
        (0x17, 12) if text < "50" => format!("20{text}"),
        (0x17, 12) => format!("19{text}"),
        (0x18, 14) => text.to_owned(),
        _ => return None,
    };
    let digits = |from: usize, to: usize| text.get(from..to);
    let written = format!(
        "{}-{}-{}T{}:{}:{}Z",
        digits(0, 4)?,
        digits(4, 6)?,
        digits(6, 8)?,
        digits(8, 10)?,
        digits(10, 12)?,
        digits(12, 14)?
    );
    Stamp::parse(&written)
}

/// The first element of DER: its tag, its content, what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7F => (usize::from(*length), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(length & 0x7F))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        match content.len() {
            short @ 0..=0x7F => bytes.push(short as u8),
            long => bytes.extend([0x82, (long >> 8) as u8, long as u8]),
        }
        bytes.extend(content);
        bytes
    }

    fn certificate(version: &[u8], end: &[u8]) -> Vec<u8> {
        let validity = der(0x30, &[der(0x17, b"240102030405Z"), end.to_vec()].concat());
        let issuer = der(0x30, &[7; 200]);
        let inner =
            [version, &der(2, &[1]), &der(0x30, &[]), &issuer, &validity, &der(0x30, &[])].concat();
        der(0x30, &[der(0x30, &inner), der(0x30, &[]), der(3, &[0])].concat())
    }

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_forms_and_nothing_is_guessed() {
        let version = der(0xA0, &der(2, &[2]));
        let short = certificate(&version, &der(0x17, b"301231235959Z"));
        assert_eq!(end(&short), Stamp::parse("2030-12-31T23:59:59Z"));
        let long = certificate(&[], &der(0x18, b"20510101000000Z"));
        assert_eq!(end(&long), Stamp::parse("2051-01-01T00:00:00Z"));
        let old = certificate(&version, &der(0x17, b"991231235959Z"));
        assert_eq!(end(&old), Stamp::parse("1999-12-31T23:59:59Z"));
        for cut in 0..short.len() - 10 {
            let _ = end(&short[..cut]);
        }
        assert_eq!(end(&certificate(&version, &der(0x17, b"3012312359Z"))), None);
        assert_eq!(end(b"no certificate"), None);
    }
}

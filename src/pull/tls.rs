//! Whom the gateway believes and how it shows itself: TLS 1.2 or newer, or nothing at all.
//!
//! Authorities are those of the machine, those of a file (a province's own), or both. A source can
//! be held to keys that it must have (a pin), checked with its certificate and so before anything
//! else is sent. A client certificate and the authorities are read from files of the secrets folder
//! and read again at the next handshake when a file has changed; one that has become unreadable
//! leaves the last good one in place and a line in the log, and none at all ends the connection.
//! When the certificates of both sides end is remembered, so that it can be told in time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ring::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use schemars::JsonSchema;
use serde::Deserialize;

use super::certificate::facts;
use super::error::{PullError, Reason};
use super::secret::SecretFile;
use super::watched::{Watched, certificates, identify};
use super::{Problems, require};
use crate::model::time::Stamp;

/// Whom a source must prove to be.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// A file of the secrets folder with further authorities (PEM), such as a province's own.
    pub ca_file: Option<SecretFile>,
    /// Whether the machine's authorities are believed too.
    pub system_authorities: bool,
    /// The keys of which the source's must be one: SHA-256 of the `SubjectPublicKeyInfo`, in hex.
    pub pin_sha256: Vec<String>,
}

impl Default for Tls {
    fn default() -> Self {
        Self { ca_file: None, system_authorities: true, pin_sha256: Vec::new() }
    }
}

impl Tls {
    /// Pushes a problem for each value that makes no sense.
    pub fn check(&self, at: &str, problems: &mut Problems) {
        if let Some(file) = &self.ca_file {
            file.check(&format!("{at}.ca_file"), problems);
        }
        let somebody = self.system_authorities || self.ca_file.is_some();
        let message = "leaves nobody to believe; name a ca_file";
        require(somebody, &format!("{at}.system_authorities"), message, problems);
        for (i, pin) in self.pin_sha256.iter().enumerate() {
            let fine = pin.len() == 64 && pin.bytes().all(|byte| byte.is_ascii_hexdigit());
            let message = "must be 64 hexadecimal digits";
            require(fine, &format!("{at}.pin_sha256.{i}"), message, problems);
        }
    }
}

/// When the certificates that a source and the gateway show each other end.
#[derive(Debug)]
pub(super) struct Expiry {
    server: AtomicI64,
    client: AtomicI64,
}

impl Default for Expiry {
    fn default() -> Self {
        Self { server: AtomicI64::new(i64::MAX), client: AtomicI64::new(i64::MAX) }
    }
}

impl Expiry {
    /// The earlier of both, as far as they have been seen.
    pub(super) fn soonest(&self) -> Option<Stamp> {
        let both = [&self.server, &self.client].map(|at| at.load(Ordering::SeqCst));
        both.into_iter().min().filter(|at| *at < i64::MAX).map(Stamp)
    }
}

/// The configuration of connections to one source.
pub(super) fn configuration(
    tls: &Tls,
    identity: Option<(&SecretFile, &SecretFile)>,
    secrets: &Path,
    expiry: &Arc<Expiry>,
) -> Result<ClientConfig, PullError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let refused = |problem: String| PullError::refused(Reason::Tls, problem);
    let believed = {
        let (provider, system) = (Arc::clone(&provider), tls.system_authorities);
        Watched::new(files(secrets, tls.ca_file.iter())?, move |texts: &[Vec<u8>]| {
            believe(system, texts.first().map(Vec::as_slice), &provider)
        })
        .map_err(refused)?
    };
    let pins = tls.pin_sha256.iter().map(|pin| pin.to_ascii_lowercase()).collect();
    let verifier =
        Verifier { believed, pins, expiry: Arc::clone(expiry), provider: Arc::clone(&provider) };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| refused(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let Some((certificate, key)) = identity else {
        return Ok(proving_anew(builder.with_no_client_auth()));
    };
    let shown = Watched::new(files(secrets, [certificate, key])?, move |texts: &[Vec<u8>]| {
        identify(&texts[0], &texts[1], &provider)
    })
    .map_err(refused)?;
    let identity = Identity { shown, expiry: Arc::clone(expiry) };
    identity.note_end();
    Ok(proving_anew(builder.with_client_cert_resolver(Arc::new(identity))))
}

/// A session that is taken up again would go on with the certificates of its beginning, whatever has
/// changed since; so every connection begins anew.
fn proving_anew(mut configuration: ClientConfig) -> ClientConfig {
    configuration.resumption = Resumption::disabled();
    configuration
}

pub(super) fn files<'a>(
    folder: &Path,
    names: impl IntoIterator<Item = &'a SecretFile>,
) -> Result<Vec<PathBuf>, PullError> {
    names.into_iter().map(|name| name.path(folder)).collect()
}

/// Makes a verifier out of the authorities of the machine, of a file, or of both.
fn believe(
    system: bool,
    file: Option<&[u8]>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in file.map(certificates).transpose()?.unwrap_or_default() {
        roots.add(certificate).map_err(|_| "the ca_file holds a certificate that is none")?;
    }
    if system {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if roots.is_empty() {
        return Err("there is no authority to believe: this machine has none (package \
                    ca-certificates), and no ca_file is named"
            .to_owned());
    }
    WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(provider))
        .build()
        .map_err(|error| error.to_string())
}

/// Believes a source: by its authorities, and by its key if that is pinned.
#[derive(Debug)]
struct Verifier {
    believed: Watched<WebPkiServerVerifier>,
    pins: Vec<String>,
    expiry: Arc<Expiry>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.believed.latest().verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        let facts = facts(end_entity);
        if !self.pins.is_empty() {
            let key = facts.map(|facts| hex(digest(&SHA256, facts.key).as_ref()));
            if !key.is_some_and(|key| self.pins.contains(&key)) {
                let message = "the source's key is none of pin_sha256";
                return Err(rustls::Error::General(message.to_owned()));
            }
        }
        if let Some(facts) = facts {
            self.expiry.server.store(facts.ends.0, Ordering::SeqCst);
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Shows the gateway's own certificate to who asks for one.
#[derive(Debug)]
struct Identity {
    shown: Watched<CertifiedKey>,
    expiry: Arc<Expiry>,
}

impl Identity {
    fn note_end(&self) -> Arc<CertifiedKey> {
        let shown = self.shown.latest();
        if let Some(facts) = shown.cert.first().and_then(|certificate| facts(certificate)) {
            self.expiry.client.store(facts.ends.0, Ordering::SeqCst);
        }
        shown
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.note_end())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

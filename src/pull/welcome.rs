//! The other direction: how the gateway shows itself to those who ask it, by TLS 1.2 or newer.
//!
//! Certificate, key and the authorities of clients come from files of the secrets folder, like those that
//! are shown to sources, and are read again at the next handshake when one of them has changed: a renewed
//! certificate needs no restart.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Problems;
use super::certificate::facts;
use super::error::{PullError, Reason};
use super::secret::SecretFile;
use super::tls::files;
use super::watched::{Watched, certificates, identify};
use crate::model::time::Stamp;

/// What the gateway shows to those who ask it, and whom it wants to see.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Welcome {
    /// A file of the secrets folder with the certificate and those between it and an authority (PEM).
    pub certificate_file: SecretFile,
    /// The file with its key (PEM).
    pub key_file: SecretFile,
    /// A file with authorities (PEM): only clients with a certificate of one of them are answered. They
    /// need a key or a token besides.
    #[serde(default)]
    pub client_ca_file: Option<SecretFile>,
}

/// Tells when the certificate that is shown ends.
#[derive(Clone, Debug)]
pub struct OwnCertificate(Arc<Shown>);

impl OwnCertificate {
    /// When the one that would be shown now ends.
    pub fn ends(&self) -> Option<Stamp> {
        self.0.latest();
        Some(self.0.ends.load(Ordering::SeqCst)).filter(|at| *at < i64::MAX).map(Stamp)
    }
}

impl Welcome {
    /// Pushes a problem for each value that makes no sense.
    pub fn check(&self, at: &str, problems: &mut Problems) {
        self.certificate_file.check(&format!("{at}.certificate_file"), problems);
        self.key_file.check(&format!("{at}.key_file"), problems);
        if let Some(file) = &self.client_ca_file {
            file.check(&format!("{at}.client_ca_file"), problems);
        }
    }

    /// The configuration of a listener; files are of the folder `secrets`.
    pub fn configuration(
        &self,
        secrets: &Path,
    ) -> Result<(ServerConfig, OwnCertificate), PullError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let refused = |problem: String| PullError::refused(Reason::Tls, problem);
        let shown = {
            let provider = Arc::clone(&provider);
            let make = move |texts: &[Vec<u8>]| identify(&texts[0], &texts[1], &provider);
            Watched::new(files(secrets, [&self.certificate_file, &self.key_file])?, make)
        };
        let ends = AtomicI64::new(i64::MAX);
        let shown = Arc::new(Shown { shown: shown.map_err(refused)?, ends });
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| refused(error.to_string()))?;
        let builder = match &self.client_ca_file {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let make = move |texts: &[Vec<u8>]| believe(&texts[0], &provider);
                let believed = Watched::new(files(secrets, [file])?, make).map_err(refused)?;
                builder.with_client_cert_verifier(Arc::new(Clients(believed)))
            }
        };
        let resolver = Arc::clone(&shown) as Arc<dyn ResolvesServerCert>;
        Ok((builder.with_cert_resolver(resolver), OwnCertificate(shown)))
    }
}

/// The certificate that is shown.
#[derive(Debug)]
struct Shown {
    shown: Watched<CertifiedKey>,
    ends: AtomicI64,
}

impl Shown {
    fn latest(&self) -> Arc<CertifiedKey> {
        let shown = self.shown.latest();
        if let Some(facts) = shown.cert.first().and_then(|certificate| facts(certificate)) {
            self.ends.store(facts.ends.0, Ordering::SeqCst);
        }
        shown
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.latest())
    }
}

/// Whom clients must be known to.
#[derive(Debug)]
struct Believed(Arc<dyn ClientCertVerifier>);

fn believe(file: &[u8], provider: &Arc<CryptoProvider>) -> Result<Arc<Believed>, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        let added = roots.add(certificate);
        added.map_err(|_| "the client_ca_file holds a certificate that is none")?;
    }
    WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(provider))
        .build()
        .map(|verifier| Arc::new(Believed(verifier)))
        .map_err(|error| error.to_string())
}

/// Believes a client by the authorities as they are in the file now.
#[derive(Debug)]
struct Clients(Watched<Believed>);

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.0.latest().0.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.0.latest().0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.0.latest().0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.latest().0.supported_verify_schemes()
    }
}

//! Certificates and keys in files of the secrets folder, read again when a file has changed.
//!
//! They are looked at when they are needed, at a handshake. A file that has become unreadable leaves the last
//! good ones in place and a line in the log, once for each change.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// The longest file of certificates or keys.
const LONGEST: u64 = 1 << 20;

/// Makes what the gateway shows of itself.
pub(super) fn identify(
    certificate: &[u8],
    key: &[u8],
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, String> {
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "the key_file holds no PEM key")?;
    let certified = CertifiedKey::from_der(certificates(certificate)?, key, provider);
    let certified = certified.map_err(|_| "certificate_file and key_file do not fit together")?;
    Ok(Arc::new(certified))
}

pub(super) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(|_| "a file of certificates is not PEM")?;
    if found.is_empty() { Err("a file of certificates holds none".to_owned()) } else { Ok(found) }
}

type Make<T> = dyn Fn(&[Vec<u8>]) -> Result<Arc<T>, String> + Send + Sync;

/// What is made of files, and made anew when one of them has changed.
pub(super) struct Watched<T> {
    files: Vec<PathBuf>,
    make: Box<Make<T>>,
    latest: Mutex<(Vec<Mark>, Arc<T>)>,
}

/// By which a file is told from a newer one.
#[derive(PartialEq)]
struct Mark(Option<(u64, u64, i64, i64)>);

impl<T> Watched<T> {
    pub(super) fn new(
        files: Vec<PathBuf>,
        make: impl Fn(&[Vec<u8>]) -> Result<Arc<T>, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let marks = marks(&files);
        let made = make(&read(&files)?)?;
        Ok(Self { files, make: Box::new(make), latest: Mutex::new((marks, made)) })
    }

    pub(super) fn latest(&self) -> Arc<T> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let marks = marks(&self.files);
        if marks != latest.0 {
            match read(&self.files).and_then(|texts| (self.make)(&texts)) {
                Ok(made) => latest.1 = made,
                Err(problem) => {
                    tracing::warn!(problem, "certificates have changed and cannot be used");
                }
            }
            latest.0 = marks;
        }
        Arc::clone(&latest.1)
    }
}

impl<T> fmt::Debug for Watched<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

fn marks(files: &[PathBuf]) -> Vec<Mark> {
    let mark = |path: &PathBuf| {
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
    };
    files.iter().map(|path| Mark(mark(path))).collect()
}

fn read(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, String> {
    let one = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().display().to_string();
        let told = |cause: std::io::Error| {
            format!("the secret file '{name}' cannot be read: {}", cause.kind())
        };
        if std::fs::metadata(path).map_err(told)?.len() > LONGEST {
            return Err(format!("the secret file '{name}' is longer than 1MiB"));
        }
        std::fs::read(path).map_err(told)
    };
    files.iter().map(one).collect()
}

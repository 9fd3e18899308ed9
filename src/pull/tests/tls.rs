//! Sources that are not who they should be, and the gateway showing who it is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use ring::digest::{SHA256, digest};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::upstream::{Reply, Upstream};
use super::{Setup, run};
use crate::model::time::Stamp;
use crate::pull::{PullError, Reason};

/// A province's own authority.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// A certificate with its key.
struct Certified {
    pem: String,
    key_pem: String,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    pin: String,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let made = parameters.self_signed(&key).unwrap();
        let (pem, certificate) = (made.pem(), made.der().clone());
        Self { pem, certificate, issuer: Issuer::new(parameters, key) }
    }

    fn certify(&self, name: &str, until: i32) -> Certified {
        let (parameters, key) = parameters(name, until);
        let made = parameters.signed_by(&key, &self.issuer).unwrap();
        certified(&made, &key)
    }
}

fn parameters(name: &str, until: i32) -> (CertificateParams, KeyPair) {
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.not_before = date_time_ymd(2020, 1, 1);
    parameters.not_after = date_time_ymd(until, 1, 1);
    parameters.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    (parameters, KeyPair::generate().unwrap())
}

fn certified(made: &rcgen::Certificate, key: &KeyPair) -> Certified {
    use rcgen::PublicKeyData as _;
    let pin = digest(&SHA256, &key.subject_public_key_info());
    let pin = pin.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().concat();
    Certified {
        pem: made.pem(),
        key_pem: key.serialize_pem(),
        certificate: made.der().clone(),
        key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        pin,
    }
}

/// A source behind TLS that counts what was ever said to it inside, and remembers how many
/// certificates it was shown.
struct Secure {
    port: u16,
    bytes: Arc<AtomicUsize>,
    shown: Arc<Mutex<Vec<CertificateDer<'static>>>>,
}

impl Secure {
    async fn start(proof: &Certified, clients: Option<&Authority>) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.certificate.clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build();
                builder.with_client_cert_verifier(verifier.unwrap())
            }
        };
        let chain = vec![proof.certificate.clone()];
        let configuration = builder.with_single_cert(chain, proof.key.clone_key()).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(configuration));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (bytes, shown) = (Arc::default(), Arc::default());
        let (count, seen): (Arc<AtomicUsize>, Arc<Mutex<Vec<_>>>) =
            (Arc::clone(&bytes), Arc::clone(&shown));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                if let Some(chain) = stream.get_ref().1.peer_certificates() {
                    seen.lock().unwrap().push(chain[0].clone().into_owned());
                }
                let mut asked = [0; 4096];
                let length = stream.read(&mut asked).await.unwrap_or(0);
                count.fetch_add(length, Ordering::SeqCst);
                let answer = "HTTP/1.1 200 X\r\nconnection: close\r\ncontent-length: 2\r\n\r\n[]";
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { port, bytes, shown }
    }

    /// A configuration that asks it with a token, and believes the authority.
    fn setup(&self, upstream: &Upstream, authority: &Authority, more: &str) -> Setup {
        let mut setup = Setup::new(upstream)
            .secret("ca.pem", &authority.pem)
            .secret("token", "CANARY")
            .authenticator("{kind: bearer, token_file: token}")
            .retries(0);
        let tls = format!("{{ca_file: ca.pem, system_authorities: false{more}}}");
        setup.requester = format!("url: 'https://localhost:{}', tls: {tls}", self.port);
        setup
    }
}

async fn nobody() -> Upstream {
    Upstream::start(|_, _| Reply::hang_up()).await
}

#[tokio::test]
async fn s23_whoever_is_not_the_source_is_told_no_credential() {
    let (province, other, upstream) = (Authority::new(), Authority::new(), nobody().await);
    let (parameters, key) = parameters("localhost", 2099);
    let self_signed = certified(&parameters.self_signed(&key).unwrap(), &key);
    let good = province.certify("localhost", 2099);
    let wrong_pin = format!(", pin_sha256: [{}]", "0".repeat(64));
    for (what, proof, more) in [
        ("expired", &province.certify("localhost", 2021), ""),
        ("wrong host", &province.certify("portal.example", 2099), ""),
        ("self-signed", &self_signed, ""),
        ("of another authority", &other.certify("localhost", 2099), ""),
        ("of another key", &good, wrong_pin.as_str()),
    ] {
        let secure = Secure::start(proof, None).await;
        let error = secure.setup(&upstream, &province, more).first().await.unwrap_err();
        assert!(
            matches!(error, PullError::Refused { reason: Reason::Tls, .. }),
            "{what}: {error:?}"
        );
        assert_eq!(secure.bytes.load(Ordering::SeqCst), 0, "{what}");
        assert!(error.to_string().len() < 300 && !error.to_string().contains("CANARY"), "{error}");
    }
    let secure = Secure::start(&good, None).await;
    let mut plain = secure.setup(&upstream, &province, "");
    plain.requester = format!("url: 'https://localhost:{}'", secure.port);
    assert!(plain.first().await.is_err(), "the province's authority is not the machine's");
    assert_eq!(secure.bytes.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn s23_an_old_version_of_tls_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = [0; 4096];
        let said = stream.read(&mut hello).await.unwrap();
        // The answer of a server that knows nothing newer than TLS 1.1.
        let mut answer = vec![22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
        answer.extend([7; 32]);
        answer.extend([0, 0xc0, 0x14, 0]);
        stream.write_all(&answer).await.unwrap();
        let mut more = Vec::new();
        let _ = stream.read_to_end(&mut more).await;
        (said, more)
    });
    let upstream = nobody().await;
    let mut setup = Setup::new(&upstream)
        .secret("token", "CANARY")
        .authenticator("{kind: bearer, token_file: token}")
        .retries(0);
    setup.requester = format!("url: 'https://localhost:{port}'");
    let authority = Authority::new();
    let setup = setup.secret("ca.pem", &authority.pem).requester("tls: {ca_file: ca.pem}");
    let error = setup.first().await.unwrap_err();
    assert_eq!(error.reason(), Reason::Tls, "{error}");
    let (said, more) = server.await.unwrap();
    assert!(said > 0 && more.len() < 16, "nothing but an alert: {more:?}");
}

#[tokio::test]
async fn a_source_is_believed_by_the_provinces_authority_and_by_its_pinned_key() {
    let (province, upstream) = (Authority::new(), nobody().await);
    let proof = province.certify("localhost", 2099);
    let secure = Secure::start(&proof, None).await;
    let pinned = format!(", pin_sha256: [{}, {}]", "0".repeat(64), proof.pin);
    for more in ["", pinned.as_str()] {
        let setup = secure.setup(&upstream, &province, more);
        let source = setup.source();
        assert_eq!(source.credential_expiry(), None, "not seen yet");
        assert!(run(&source, "{path: /rows}").next().await.unwrap().is_some());
        let ends = Stamp::parse("2099-01-01T00:00:00Z");
        assert_eq!(source.credential_expiry(), ends);
    }
    assert!(secure.bytes.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn the_gateway_shows_its_certificate_and_a_newer_one_once_it_is_there() {
    let (province, upstream) = (Authority::new(), nobody().await);
    let secure = Secure::start(&province.certify("localhost", 2099), Some(&province)).await;
    let (first, second) = (province.certify("ioc", 2033), province.certify("ioc-2", 2034));
    let without = secure.setup(&upstream, &province, "").first().await;
    assert!(without.is_err(), "who shows nothing is not let in");
    assert_eq!(secure.bytes.load(Ordering::SeqCst), 0);
    let setup = secure
        .setup(&upstream, &province, "")
        .secret("client.pem", &first.pem)
        .secret("client.key", &first.key_pem)
        .authenticator("{kind: mtls, certificate_file: client.pem, key_file: client.key}");
    let source = setup.source();
    assert_eq!(source.credential_expiry(), Stamp::parse("2033-01-01T00:00:00Z"));
    assert!(run(&source, "{path: /rows}").next().await.unwrap().is_some());
    let _setup = setup
        .secret("client.pem", &format!("{}\n", second.pem))
        .secret("client.key", &second.key_pem);
    assert!(run(&source, "{path: /rows}").next().await.unwrap().is_some());
    let shown = secure.shown.lock().unwrap().clone();
    assert_eq!(shown, [first.certificate, second.certificate]);
    assert_eq!(source.credential_expiry(), Stamp::parse("2034-01-01T00:00:00Z"));
    let told = format!("{source:?}");
    assert!(!told.contains("BEGIN") && !told.contains("PRIVATE"), "{told}");
}

#[tokio::test]
async fn a_key_that_fits_no_certificate_is_refused_without_being_told() {
    let (province, upstream) = (Authority::new(), nobody().await);
    let (one, two) = (province.certify("ioc", 2033), province.certify("ioc", 2033));
    let requester = "{url: 'https://localhost:1'}";
    for (certificate, key) in
        [(&one.pem, &two.key_pem), (&one.pem, &one.pem), (&one.key_pem, &one.key_pem)]
    {
        let setup = Setup::new(&upstream).secret("c", certificate).secret("k", key);
        let context = setup.source().0.context.clone();
        let refused = crate::pull::Source::new(
            serde_saphyr::from_str(requester).unwrap(),
            serde_saphyr::from_str("{kind: mtls, certificate_file: c, key_file: k}").unwrap(),
            (None, setup.breaker.clone()),
            setup.retry.clone(),
            context,
        );
        let error = refused.unwrap_err();
        assert_eq!(error.reason(), Reason::Tls);
        assert!(!error.to_string().contains("BEGIN"), "{error}");
    }
}

#[tokio::test]
async fn a_source_can_be_asked_through_a_proxy_that_wants_a_password() {
    let proxy = Upstream::start(|_, _| Reply::ok("[]")).await;
    let mut setup = Setup::new(&proxy).secret("proxy", "CANARY\n");
    setup.requester = format!(
        "url: 'http://portal.example', proxy: {{url: '{}', username: ioc, password_file: proxy}}",
        proxy.url()
    );
    setup.first().await.unwrap();
    let asked = proxy.asked().remove(0);
    assert!(asked.line.starts_with("GET http://portal.example/rows "), "{}", asked.line);
    // base64 of "ioc:CANARY".
    assert!(
        asked.head_as_sent.contains("proxy-authorization: Basic aW9jOkNBTkFSWQ=="),
        "{asked:?}"
    );
    let told = format!("{:?}", setup.source());
    assert!(!told.contains("CANARY") && !told.contains("aW9jOkNBTkFSWQ"), "{told}");
}

//! How the gateway is reached: by TLS with certificates that are renewed under it, by clients that show
//! one, and with metrics on a listener of their own.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::certification::{addresses, page, points, record};
use crate::support::{Gateway, Moody, Overlay, Reply, request, run_in};

/// An authority of this test alone.
struct Authority(Issuer<'static, KeyPair>, String);

/// A certificate and its key, as PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let text = parameters.self_signed(&key).unwrap().pem();
        Self(Issuer::new(parameters, key), text)
    }

    fn issue(&self, name: &str) -> Pair {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }
}

struct World {
    overlay: Overlay,
    _upstream: Moody,
    variables: BTreeMap<String, String>,
}

impl World {
    fn new(listener: &str) -> Self {
        let overlay = points(&["points"]);
        let upstream = Moody::start(Reply::json(&page(&[record("a")])));
        let variables = addresses(&[("points", &upstream.upstream)]);
        let open = "access: {anonymous: {scopes: [read, sources, metrics]}}";
        overlay.write("iocgw.yaml", &format!("version: 1\n{open}\n{listener}\n"));
        Self { overlay, _upstream: upstream, variables }
    }

    fn secrets(&self) -> std::path::PathBuf {
        self.overlay.folder().join("secrets")
    }

    fn start(&self) -> Gateway {
        Gateway::start_closed(&self.overlay.config(), self.overlay.folder(), &self.variables)
    }
}

/// Puts a certificate where the gateway reads it, whole or not at all.
fn show(secrets: &Path, pair: &Pair) {
    for (name, text) in [("server.key", &pair.key), ("server.pem", &pair.certificate)] {
        let new = secrets.join(format!("{name}.new"));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, secrets.join(name)).unwrap();
    }
}

/// Asks by TLS; the status and the certificate that was shown, or what went wrong.
fn ask(
    address: SocketAddr,
    path: &str,
    authority: &Authority,
    identity: Option<&Pair>,
) -> Result<(u16, CertificateDer<'static>), String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.1.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    };
    let name = ServerName::try_from("gateway.example").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut stream = StreamOwned::new(connection, socket);
    let asked =
        format!("GET {path} HTTP/1.1\r\nHost: gateway.example\r\nConnection: close\r\n\r\n");
    let told = |error: std::io::Error| error.to_string();
    stream.write_all(asked.as_bytes()).map_err(told)?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).map_err(told)?;
    let status = String::from_utf8_lossy(&head[9..]).parse().map_err(|_| "no status")?;
    let shown = stream.conn.peer_certificates().unwrap()[0].clone().into_owned();
    Ok((status, shown))
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart_and_a_broken_one_is_not() {
    let world = World::new("listener: {tls: {certificate_file: server.pem, key_file: server.key}}");
    let authority = Authority::new();
    show(&world.secrets(), &authority.issue("gateway.example"));
    let gateway = world.start();
    let (status, first) = ask(gateway.address, "/v1/catalogue", &authority, None).unwrap();
    assert_eq!(status, 200);
    let (_, again) = ask(gateway.address, "/livez", &authority, None).unwrap();
    assert_eq!(first, again);
    assert!(ask(gateway.address, "/livez", &Authority::new(), None).is_err(), "another authority");
    show(&world.secrets(), &authority.issue("gateway.example"));
    let (_, second) = ask(gateway.address, "/livez", &authority, None).unwrap();
    assert_ne!(first, second);
    // A key that does not fit leaves what was shown before, and is told.
    let other = authority.issue("gateway.example");
    std::fs::write(world.secrets().join("server.key"), other.key).unwrap();
    let (_, third) = ask(gateway.address, "/livez", &authority, None).unwrap();
    assert_eq!(second, third);
    assert!(gateway.log().contains("certificates have changed and cannot be used"));
    // Plain words at a door that wants TLS are not answered.
    let mut plain = TcpStream::connect(gateway.address).unwrap();
    plain.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1"));
    assert_eq!(gateway.stop().0, Some(0));
}

#[test]
fn where_clients_must_show_a_certificate_only_those_of_the_authority_are_answered() {
    let world = World::new(
        "listener: {tls: {certificate_file: server.pem, key_file: server.key, client_ca_file: clients.pem}}",
    );
    let (ours, clients, others) = (Authority::new(), Authority::new(), Authority::new());
    show(&world.secrets(), &ours.issue("gateway.example"));
    std::fs::write(world.secrets().join("clients.pem"), &clients.1).unwrap();
    let gateway = world.start();
    let known = clients.issue("dashboard.example");
    let answer = ask(gateway.address, "/v1/catalogue", &ours, Some(&known));
    assert_eq!(answer.map(|(status, _)| status), Ok(200));
    assert!(ask(gateway.address, "/livez", &ours, None).is_err(), "nothing is shown");
    let unknown = others.issue("dashboard.example");
    assert!(ask(gateway.address, "/livez", &ours, Some(&unknown)).is_err());
    // Another authority from now on.
    std::fs::write(world.secrets().join("clients.pem"), &others.1).unwrap();
    assert!(ask(gateway.address, "/livez", &ours, Some(&known)).is_err());
    assert_eq!(ask(gateway.address, "/livez", &ours, Some(&unknown)).unwrap().0, 200);
}

#[test]
fn a_listener_whose_certificate_cannot_be_read_does_not_open() {
    let world = World::new("listener: {tls: {certificate_file: server.pem, key_file: server.key}}");
    let config = world.overlay.config();
    let log = Gateway::try_start(&config, world.overlay.folder(), &world.variables);
    let log = log.err().expect("there is no certificate");
    assert!(log.contains("the certificate of the listener"), "{log}");
    assert!(log.contains("server.pem"), "{log}");
}

/// Where metrics are answered on a listener of their own, as the log says.
fn own_for_metrics(gateway: &Gateway) -> SocketAddr {
    let log = gateway.log();
    let said = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut said = said.filter(|line| line["message"] == "metrics");
    said.next().unwrap()["address"].as_str().unwrap().parse().unwrap()
}

#[test]
fn c16_metrics_on_a_listener_of_their_own_are_answered_nowhere_else() {
    let world = World::new("");
    let gateway = Gateway::start_saying(
        &world.overlay.config(),
        world.overlay.folder(),
        &world.variables,
        &["--metrics-listen", "127.0.0.1:0"],
    );
    let own = own_for_metrics(&gateway);
    let status = |address, path: &str| request(address, "GET", path, &[]).status;
    for (path, main, metrics) in [
        ("/livez", 200, 200),
        ("/readyz", 200, 200),
        ("/metrics", 404, 200),
        ("/metrics/indicators", 404, 200),
        ("/v1/catalogue", 200, 404),
        ("/", 200, 404),
    ] {
        assert_eq!(status(gateway.address, path), main, "{path} on the main listener");
        assert_eq!(status(own, path), metrics, "{path} on the other one");
    }
    assert_eq!(gateway.stop().0, Some(0));
}

#[test]
fn below_a_base_path_everything_is_found_and_commands_find_it_until_the_program_starts_again() {
    let world = World::new("listener: {base_path: /gateway}");
    let (config, folder) = (world.overlay.config(), world.overlay.folder());
    let own = ["--metrics-listen", "127.0.0.1:0"];
    let gateway = Gateway::start_saying(&config, folder, &world.variables, &own);
    let own = own_for_metrics(&gateway);
    let status = |address, path: &str| request(address, "GET", path, &[]).status;
    for (path, main, metrics) in [
        ("/gateway/livez", 200, 404),
        ("/livez", 404, 200),
        ("/gateway/metrics", 404, 404),
        ("/metrics", 404, 200),
        ("/gateway/v1", 200, 404),
        ("/gateway/", 200, 404),
        ("/gateway", 200, 404),
        ("/", 404, 404),
    ] {
        assert_eq!(status(gateway.address, path), main, "{path} on the main listener");
        assert_eq!(status(own, path), metrics, "{path} on the other one");
    }
    let listed = gateway.get("/gateway/v1").json();
    assert_eq!(listed["links"]["sources"], "/gateway/v1/sources");
    let run = |arguments: &[&str]| run_in(folder, arguments, &world.variables);
    for end in ["", "/"] {
        let url = format!("http://{}/gateway{end}", gateway.address);
        let output = run(&["quarantine", "list", "--url", &url]);
        assert!(output.status.success(), "{url}: {output:?}");
    }
    let url = format!("http://{}", gateway.address);
    assert!(!run(&["quarantine", "list", "--url", &url]).status.success(), "not without the base");
    assert!(run(&["health", "--url", &format!("{url}/gateway/livez")]).status.success());
    // Another base is taken up with the next start, like a certificate.
    let moved =
        "version: 1\naccess: {anonymous: {scopes: [read]}}\nlistener: {base_path: /moved}\n";
    world.overlay.write("iocgw.yaml", moved);
    gateway.reload();
    gateway.wait_until("the reload", "/gateway/v1/sources", |answer| answer.status == 401);
    assert_eq!(status(gateway.address, "/gateway/v1"), 200);
    assert_eq!(status(gateway.address, "/moved/v1"), 404);
    assert_eq!(gateway.get("/gateway/v1").json()["links"]["self"], listed["links"]["self"]);
    assert_eq!(gateway.get("/gateway/v1").json()["links"]["docs"], "/gateway/docs");
    assert_eq!(gateway.stop().0, Some(0));
    let gateway = Gateway::start_closed(&config, folder, &world.variables);
    assert_eq!(status(gateway.address, "/moved/v1"), 200);
    assert_eq!(status(gateway.address, "/gateway/v1"), 404);
}

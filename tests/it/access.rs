//! Keys by the real program: made and revoked beside a running gateway, shown once, found nowhere.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use crate::support::certification::{addresses, page, points, record};
use crate::support::{Gateway, Moody, Overlay, Reply, run_in};

const CATALOGUE: &str = "/v1/catalogue";

struct World {
    overlay: Overlay,
    _upstream: Moody,
    variables: BTreeMap<String, String>,
}

impl World {
    fn new() -> Self {
        let overlay = points(&["points"]);
        let upstream = Moody::start(Reply::json(&page(&[record("a")])));
        let variables = addresses(&[("points", &upstream.upstream)]);
        Self { overlay, _upstream: upstream, variables }
    }

    fn start(&self) -> Gateway {
        Gateway::start_closed(&self.overlay.config(), self.overlay.folder(), &self.variables)
    }

    /// Runs a command; its exit code, data and messages.
    fn run(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let done = run_in(self.overlay.folder(), words, &self.variables);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        (done.status.code(), text(&done.stdout), text(&done.stderr))
    }

    /// Makes a key; its id and the key.
    fn make(&self, words: &[&str]) -> (String, String) {
        let (code, key, said) = self.run(&[&["key", "create", "--name", "a test"], words].concat());
        assert_eq!(code, Some(0), "{said}");
        let id = key.split('_').nth(1).expect("a key has its id within").to_owned();
        assert!(said.starts_with(&id) && !said.contains(&key), "{said}");
        (id, key)
    }
}

fn ask(gateway: &Gateway, path: &str, key: &str) -> u16 {
    gateway.ask("GET", path, &[("Authorization", &format!("Bearer {key}"))]).status
}

/// Asks until the answer has this status: what another process wrote is seen within a second.
fn wait_for(gateway: &Gateway, path: &str, key: &str, status: u16) {
    for _ in 0..600 {
        if ask(gateway, path, key) == status {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    panic!("{path} never answered {status}:\n{}", gateway.log());
}

/// Whether a text stands in any file of a folder.
fn is_found(folder: &Path, text: &str) -> bool {
    let bytes = text.as_bytes();
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_found(&path, text);
        }
        std::fs::read(path).unwrap().windows(bytes.len()).any(|window| window == bytes)
    })
}

#[test]
fn c05_c10_a_key_made_beside_a_running_gateway_opens_what_it_names_until_it_is_revoked() {
    let world = World::new();
    let gateway = world.start();
    assert_eq!(gateway.get(CATALOGUE).status, 401, "nothing is open to everybody");
    assert_eq!((gateway.get("/livez").status, gateway.get("/readyz").status), (200, 200));
    let (id, key) = world.make(&["--scope", "read"]);
    wait_for(&gateway, CATALOGUE, &key, 200);
    assert_eq!(ask(&gateway, "/v1/sources", &key), 403, "it names one scope");
    assert_eq!(ask(&gateway, CATALOGUE, &format!("{key}x")), 401);
    assert_eq!(gateway.get(&format!("{CATALOGUE}?key={key}")).status, 401, "never in an address");

    let (code, list, _) = world.run(&["key", "list"]);
    assert_eq!(code, Some(0));
    assert!(
        list.contains(&format!("{id}\tactive\t")) && list.contains("\tread\tall\tall\tinternal\t")
    );
    let (code, said, _) = world.run(&["key", "revoke", &id]);
    assert_eq!((code, said), (Some(0), format!("{id}: revoked")));
    wait_for(&gateway, CATALOGUE, &key, 401);
    let (code, list, _) = world.run(&["key", "list"]);
    assert_eq!(code, Some(0));
    assert!(list.contains(&format!("{id}\trevoked\t")), "{list}");
    assert_eq!(world.run(&["key", "revoke", "0000000000000000"]).0, Some(1));

    let secret = key.rsplit_once(&id).unwrap().1;
    assert!(!gateway.log().contains(secret), "the log shows the key");
    let (unused, _) = world.make(&["--scope", "read"]);
    gateway.stop();
    assert!(!is_found(world.overlay.folder(), secret), "a file holds the key");
    // When it was last used is known at the latest when the gateway has stopped.
    let (_, list, _) = world.run(&["key", "list"]);
    let of = |id: &str| list.lines().find(|line| line.starts_with(id)).unwrap().to_owned();
    assert!(of(&unused).contains("\tnever\t") && !of(&id).contains("\tnever\t"), "{list}");
}

#[test]
fn c10_an_open_stream_of_events_ends_when_its_key_is_revoked() {
    let world = World::new();
    let gateway = world.start();
    let (id, key) = world.make(&["--scope", "read"]);
    wait_for(&gateway, CATALOGUE, &key, 200);
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let head = format!(
        "GET /v1/events?snapshot=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(line.contains("200"), "{line}");
    while !line.starts_with("event: snapshot") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the stream ended too early");
    }
    world.run(&["key", "revoke", &id]);
    // To its end: a stream that goes on fails by the time-out of the reading.
    let mut rest = Vec::new();
    lines.read_to_end(&mut rest).unwrap();
}

#[test]
fn a_command_shows_the_key_of_a_file_and_is_told_what_it_lacks() {
    let world = World::new();
    let gateway = world.start();
    let url = format!("http://{}", gateway.address);
    let list = ["quarantine", "list", "--url", &url];
    let (code, _, said) = world.run(&list);
    assert!(code == Some(1) && said.contains("A key is needed"), "{said}");
    let (code, shown, said) =
        world.run(&["key", "create", "--name", "ops", "--scope", "sources", "--out", "ops.key"]);
    assert_eq!((code, shown.as_str()), (Some(0), ""), "{said}");
    let path = world.overlay.folder().join("ops.key");
    let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let key = std::fs::read_to_string(&path).unwrap();
    wait_for(&gateway, "/v1/sources", key.trim(), 200);
    let with_key = |words: &[&str]| world.run(&[words, &["--token-file", "ops.key"]].concat());
    let (code, _, said) = with_key(&list);
    assert_eq!(code, Some(0), "{said}");
    let (code, _, said) = with_key(&["quarantine", "replay", "--url", &url]);
    assert!(code == Some(1) && said.contains("lacks the scope operate"), "{said}");
    assert!(!said.contains(key.trim()), "{said}");
}

#[test]
fn a_key_that_would_open_nothing_or_too_much_is_not_made() {
    let world = World::new();
    for (words, why) in [
        (&["--scope", "reed"][..], "a scope is one of: read, sources"),
        (&["--scope", "read", "--area", "16682"], "there is no commune of today '16682'"),
        (&["--scope", "read", "--unit", "vp-ubnt"], "did you mean 'vp-ubnd'?"),
        (&["--scope", "operate", "--audience", "public"], "can have the scope 'read' only"),
        (&["--scope", "read", "--expires-in", "6y"], "from 1s to 5y"),
    ] {
        let (code, key, said) = world.run(&[&["key", "create", "--name", "x"], words].concat());
        assert!(code != Some(0) && key.is_empty(), "{words:?}: {key}");
        assert!(said.contains(why), "{words:?}: {said}");
    }
    let (_, key) = world.make(&["--scope", "read", "--area", "16681", "--unit", "vp-ubnd"]);
    assert!(key.starts_with("iocgw_"));
}

#[test]
fn what_the_configuration_opens_is_open_and_its_slips_are_told_with_their_places() {
    let world = World::new();
    let open = "version: 1\naccess: {anonymous: {scopes: [read]}}\n";
    world.overlay.write("iocgw.yaml", open);
    let gateway = world.start();
    assert_eq!(gateway.get(CATALOGUE).status, 200);
    assert_eq!(gateway.get("/v1/sources").status, 401);
    assert!(gateway.log().contains("open to everybody"), "{}", gateway.log());
    world.overlay.write("iocgw.yaml", "version: 1\n");
    gateway.reload();
    wait_for(&gateway, CATALOGUE, "none", 401);
    gateway.wait_until("a closed door", CATALOGUE, |answer| answer.status == 401);

    let slips = "version: 1\naccess:\n  anonymous:\n    scopes: [reed]\n";
    world.overlay.write("iocgw.yaml", slips);
    let (code, _, said) = world.run(&["config", "check"]);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("iocgw.yaml:4:"), "{said}");
    let slips =
        "version: 1\naccess:\n  anonymous:\n    scopes: [read]\n    areas: ['1']\n    units: [x]\n";
    world.overlay.write("iocgw.yaml", slips);
    let (code, _, said) = world.run(&["config", "check"]);
    assert_eq!(code, Some(78), "{said}");
    assert!(
        said.contains("iocgw.yaml:5:") && said.contains("no commune of today is '1'"),
        "{said}"
    );
    assert!(said.contains("iocgw.yaml:6:") && said.contains("there is no unit 'x'"), "{said}");
}

/// The audit log as the API tells it: actor, action, object, the newest first.
fn audit(gateway: &Gateway, key: &str) -> Vec<[String; 3]> {
    let headers = [("Authorization", &*format!("Bearer {key}"))];
    let log = gateway.ask("GET", "/v1/audit?limit=1000", &headers);
    assert_eq!(log.status, 200, "{}", log.body);
    let items = log.json()["items"].as_array().unwrap().clone();
    let text = |item: &serde_json::Value, name: &str| item[name].as_str().unwrap().to_owned();
    items.iter().map(|item| ["actor", "action", "object"].map(|name| text(item, name))).collect()
}

#[test]
fn what_was_done_by_whom_stands_in_the_audit_log_and_tampering_with_it_is_told() {
    let world = World::new();
    let seed = world.overlay.folder().join("secrets/audit_key");
    std::fs::write(&seed, "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=\n").unwrap();
    let gateway = world.start();
    let (id, key) = world.make(&["--scope", "operate", "--scope", "admin", "--scope", "sources"]);
    wait_for(&gateway, "/v1/audit", &key, 200);
    std::fs::write(world.overlay.folder().join("ops.key"), &key).unwrap();
    let url = format!("http://{}", gateway.address);
    let remote = ["--url", &url, "--token-file", "ops.key"];
    let pause = ["source", "pause", "points", "--by", "a steward", "--why", "its owner asked"];
    let (code, _, said) = world.run(&[&pause[..], &remote].concat());
    assert_eq!(code, Some(0), "{said}");
    let resume = ["source", "resume", "points", "--by", "a steward"];
    assert_eq!(world.run(&[&resume[..], &remote].concat()).0, Some(0));
    // Refused before it is asked: that nobody may stands in the log as well, once the minute is over.
    assert_eq!(gateway.get(CATALOGUE).status, 401);
    let told = audit(&gateway, &key);
    let actor = format!("key:{id}");
    let expected = [
        [actor.as_str(), "source_resumed", "points"],
        [&actor, "source_paused", "points"],
        ["command_line", "key_created", &id],
    ];
    assert_eq!(told[..3], expected.map(|entry| entry.map(str::to_owned)), "{told:?}");
    let begun: Vec<_> = told[3..].iter().map(|entry| entry[1].as_str()).collect();
    assert_eq!(begun, ["gateway_started", "configuration_taken"]);
    assert_eq!(ask(&gateway, "/v1/audit?action=key_created&limit=1", &key), 200);
    gateway.stop();

    let (code, said, _) = world.run(&["audit", "verify"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("sound: ") && !said.contains(" 0 checkpoints"), "{said}");
    let store = rusqlite::Connection::open(world.overlay.folder().join("iocgw.db")).unwrap();
    let refusals =
        "SELECT count(*) FROM audit WHERE action = 'access_denied' AND actor = 'anonymous'";
    let count: i64 = store.query_row(refusals, [], |row| row.get(0)).unwrap();
    assert!(count >= 1, "what was refused was written down at the end");
    store
        .execute("UPDATE audit SET detail = 'nothing' WHERE action = 'source_paused'", [])
        .unwrap();
    drop(store);
    let (code, said, _) = world.run(&["audit", "verify"]);
    assert!(code == Some(1) && said.starts_with("BROKEN  entry 4 "), "{said}");
}

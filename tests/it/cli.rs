//! The commands as people meet them: what they print, where, and with which exit code.
//!
//! Data go to standard output, messages to standard error, and a message says what to do next.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use ioc_gateway::clock::Clock;
use ioc_gateway::province::{Fleet, Now, Settings};

use crate::support::certification::{addresses, page, points, record};
use crate::support::{Gateway, Overlay, Reply, Systems, Upstream, run_in};

const PROBLEM: i32 = 1;
const UNREACHABLE: i32 = 69;
const TRY_AGAIN: i32 = 75;
const INVALID: i32 = 78;

/// What a command did.
struct Done {
    code: i32,
    data: String,
    messages: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (data, messages) = (text(output.stdout), text(output.stderr));
        assert!(!data.contains("CANARY") && !messages.contains("CANARY"), "{data}{messages}");
        Self { code: output.status.code().unwrap(), data, messages }
    }
}

fn iocgw(folder: &Path, arguments: &[&str], variables: &BTreeMap<String, String>) -> Done {
    run_in(folder, arguments, variables).into()
}

/// `source test certification` against an upstream.
fn source_test(overlay: &Overlay, upstream: &Upstream) -> Done {
    let variables = addresses(&[("certification", upstream)]);
    iocgw(overlay.folder(), &["source", "test", "certification"], &variables)
}

fn serve(overlay: &Overlay, variables: &BTreeMap<String, String>) -> Done {
    iocgw(overlay.folder(), &["serve", "--listen", "127.0.0.1:0"], variables)
}

fn nowhere() -> BTreeMap<String, String> {
    BTreeMap::from([("CERTIFICATION_URL".to_owned(), "http://127.0.0.1:9".to_owned())])
}

/// An empty source: every page is well-formed and has no records.
fn quiet() -> Upstream {
    Upstream::start(|_| Reply::json(&page(&[])))
}

#[test]
fn every_shipped_source_can_be_tried_and_nothing_of_it_is_printed() {
    let mut settings = Settings::new(3, Now::Live(Clock::System));
    (settings.months, settings.scale, settings.fleet) = (1, 0.05, Fleet { silent: 0.0, slow: 0.0 });
    let systems = Systems::start(settings);
    let overlay = Overlay::new();
    systems.write_secrets(&overlay.folder().join("secrets"));
    let listed = iocgw(overlay.folder(), &["source", "list", "-o", "json"], &systems.variables);
    let streams: Vec<serde_json::Value> = serde_json::from_str(&listed.data).unwrap();
    let sources: std::collections::BTreeSet<&str> =
        streams.iter().filter_map(|stream| stream["source"].as_str()).collect();
    let shipped = std::fs::read_dir(overlay.config().join("sources")).unwrap().count();
    assert_eq!(sources.len(), shipped, "{}", listed.data);
    for source in sources {
        if source == "lateness_register" {
            continue; // The gateway's own: there is nobody to ask.
        }
        let tried = iocgw(overlay.folder(), &["source", "test", source], &systems.variables);
        assert_eq!(tried.code, 0, "{}{}", tried.data, tried.messages);
        assert!(tried.data.contains(&format!("{source}.")), "{}", tried.data);
        assert!(tried.data.contains("0 would go to quarantine"), "{}", tried.data);
        assert!(!tried.data.contains("decode   0 records"), "{}", tried.data);
    }
    assert!(!overlay.folder().join("iocgw.db").exists(), "trying a source writes nothing");

    std::fs::write(overlay.folder().join("secrets/portal_secret"), "CANARY-wrong").unwrap();
    let wrong = iocgw(overlay.folder(), &["source", "test", "portal"], &systems.variables);
    assert_eq!(wrong.code, UNREACHABLE, "{}{}", wrong.data, wrong.messages);
    assert!(wrong.data.contains("portal: auth     FAILED: "), "{}", wrong.data);
    assert!(wrong.data.contains("401") || wrong.data.contains("credentials"), "{}", wrong.data);
}

#[test]
fn the_record_of_processing_tells_fields_recipients_keys_and_what_is_withheld() {
    let overlay = Overlay::new();
    let secrets = overlay.folder().join("secrets");
    std::fs::create_dir_all(&secrets).unwrap();
    std::fs::write(secrets.join("identifier_key"), "not-a-secret-of-anybody-0123456789abcdef")
        .unwrap();
    let read = |more: &[&str]| {
        let printed = iocgw(overlay.folder(), &[&["register"], more].concat(), &nowhere());
        assert_eq!(printed.code, 0, "{}", printed.messages);
        printed.data
    };
    let document = read(&["--format", "json", "--secrets", "secrets"]);
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let streams = document["sources"].as_array().unwrap().iter();
    let streams: Vec<_> =
        streams.flat_map(|source| source["streams"].as_array().unwrap()).collect();
    let of =
        |contract: &str| *streams.iter().find(|stream| stream["contract"] == contract).unwrap();
    assert!(of("dossiers")["fields"].as_array().unwrap().len() > 10);
    assert_eq!(of("dossiers")["disclosure"]["min_count"], 5);
    assert_eq!(of("lodging_returns")["disclosure"]["min_count"], 10);
    assert_eq!(of("kiosk_status")["disclosure"]["about"], "things");
    assert!(of("kiosk_status")["disclosure"]["reason"].is_string());
    assert!(of("programme_items")["readable"].as_u64().is_some());
    let ids: std::collections::BTreeSet<_> =
        streams.iter().filter_map(|stream| stream["key_id"].as_str()).collect();
    assert!(ids.len() > 10, "each contract has a key of its own: {ids:?}");
    let text = read(&[]);
    for words in ["k = 5, about persons", "k = 10, about totals", "legal basis", "recipients"] {
        assert!(text.contains(words), "{words}");
    }
    assert!(!text.contains("not-a-secret"));
}

#[test]
fn a_source_that_does_not_answer_or_answers_nonsense_is_told_apart() {
    let overlay = points(&["certification"]);
    let nothing = iocgw(overlay.folder(), &["source", "test", "certification"], &nowhere());
    assert_eq!(nothing.code, UNREACHABLE);
    assert!(nothing.data.contains("no connection"), "{}", nothing.data);

    let html = "<!doctype html><title>CANARY sign in</title>";
    let cases = [
        (Reply::new("200 OK", "Content-Type: text/html\r\n", html), "not JSON"),
        (Reply::json(r#"{"elsewhere": []}"#), "no records at '/items'"),
        (Reply::truncated(&page(&[record("a"), record("b")])), "cut short"),
        (Reply::json(&" ".repeat(100 * 1024)), "64KiB"),
        (Reply::new("404 Not Found", "", ""), "404"),
        (Reply::new("403 Forbidden", "", ""), "403"),
        (Reply::new("500 Oh", "", "CANARY stack trace"), "500"),
        (Reply::Silence, "no whole answer within 1s"),
    ];
    for (reply, words) in cases {
        let upstream = Upstream::start(move |_| reply.clone());
        let tried = source_test(&overlay, &upstream);
        assert_eq!(tried.code, UNREACHABLE, "{words}: {}{}", tried.data, tried.messages);
        assert!(
            tried.data.contains("certification.acts: ") && tried.data.contains("FAILED: "),
            "{}",
            tried.data
        );
        assert!(tried.data.contains(words), "{words}: {}", tried.data);
    }
}

#[test]
fn bad_records_are_counted_by_rule_and_none_is_shown() {
    let overlay = points(&["certification"]);
    let (mut code, mut number) = (record("b"), record("c"));
    code["site_type"] = "CANARY-type".into();
    number["certified_copies"] = "CANARY-many".into();
    let records = page(&[record("a"), code.clone(), code, number]);
    let upstream = Upstream::start(move |_| Reply::json(&records));
    let tried = source_test(&overlay, &upstream);
    assert_eq!(tried.code, PROBLEM, "{}{}", tried.data, tried.messages);
    for words in [
        "4 records: 1 keep contract 'certification_acts', 3 would go to quarantine",
        "2 × unknown_code: site_type",
        "1 × wrong_type: paper_copies",
    ] {
        assert!(tried.data.contains(words), "{words}: {}", tried.data);
    }
}

#[test]
fn a_misspelt_source_or_measure_is_answered_with_the_nearest_name() {
    let overlay = points(&["certification"]);
    let folder = overlay.folder();
    let source = iocgw(folder, &["source", "test", "certificatoin"], &nowhere());
    assert_eq!(source.code, PROBLEM);
    assert!(source.messages.contains("did you mean 'certification'?"), "{}", source.messages);
    let none = iocgw(folder, &["measure", "export", "certification_acts.fees"], &nowhere());
    assert_eq!(none.code, PROBLEM);
    assert!(none.messages.contains("there is no store at iocgw.db"), "{}", none.messages);
    let upstream = quiet();
    iocgw(folder, &["source", "pull"], &addresses(&[("certification", &upstream)]));
    let measure = iocgw(folder, &["measure", "export", "certification_acts.fee"], &nowhere());
    assert_eq!(measure.code, PROBLEM);
    assert!(measure.messages.contains("did you mean 'certification_acts.fees'"));
}

#[test]
fn a_missing_or_empty_secret_is_named_and_never_sent() {
    let overlay = points(&["certification"]);
    let upstream = quiet();
    let token = overlay.folder().join("secrets/certification_token");
    for prepare in [
        |token: &Path| std::fs::remove_file(token).unwrap(),
        |token: &Path| {
            std::fs::write(token, " \n").unwrap();
        },
    ] {
        prepare(&token);
        let tried = source_test(&overlay, &upstream);
        assert_eq!(tried.code, UNREACHABLE, "{}{}", tried.data, tried.messages);
        assert!(tried.data.contains("certification_token"), "{}", tried.data);
    }
    assert_eq!(upstream.asked(), Vec::<String>::new());
}

#[test]
fn without_a_sufficient_identifier_key_no_store_is_made() {
    let overlay = points(&["certification"]);
    let key = overlay.folder().join("secrets/identifier_key");
    std::fs::write(&key, "CANARY-too-short\n").unwrap();
    let short = serve(&overlay, &nowhere());
    assert_eq!(short.code, PROBLEM);
    assert!(short.messages.contains("has 16 bytes, it needs 32 or more"), "{}", short.messages);
    std::fs::remove_file(&key).unwrap();
    let missing = serve(&overlay, &nowhere());
    assert_eq!(missing.code, PROBLEM);
    for words in ["cannot read the identifier key secrets/identifier_key", "make one with"] {
        assert!(missing.messages.contains(words), "{words}: {}", missing.messages);
    }
    assert!(!overlay.folder().join("iocgw.db").exists());
}

#[test]
fn serve_refuses_a_bad_configuration_before_it_touches_anything() {
    let overlay = points(&["certification"]).lay("bad/unknown_keys");
    let done = serve(&overlay, &nowhere());
    assert_eq!(done.code, INVALID, "{}", done.messages);
    assert!(done.messages.contains("unknown key 'timout'"), "{}", done.messages);
    let made: Vec<_> = std::fs::read_dir(overlay.folder()).unwrap().collect();
    assert_eq!(made.len(), 2, "only config and secrets are there: {made:?}");
}

#[test]
fn a_store_belongs_to_one_instance_and_the_second_is_told_so_at_once() {
    let overlay = points(&["certification"]);
    let upstream = quiet();
    let variables = addresses(&[("certification", &upstream)]);
    let first = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    let revision = |gateway: &Gateway| gateway.get("/v1/sources").json()["revision"].as_u64();
    first.wait_until("a run", "/v1/sources", |answer| {
        !answer.json()["items"][0]["freshness"]["last_success_at"].is_null()
    });
    let before = revision(&first);

    let began = Instant::now();
    let second = serve(&overlay, &variables);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(second.code, TRY_AGAIN, "{}", second.messages);
    assert!(second.messages.contains("another instance of iocgw is using iocgw.db"));
    assert!(second.messages.contains("--store"), "{}", second.messages);
    let export = ["measure", "export", "certification_acts.fees"];
    assert_eq!(iocgw(overlay.folder(), &export, &variables).code, TRY_AGAIN);

    assert_eq!(first.get("/readyz").status, 200);
    first.wait_until("another run", "/v1/sources", |answer| {
        answer.json()["revision"].as_u64() > before
    });
    assert_eq!(first.stop().0, Some(0));
    // What it owned is free again.
    let third = iocgw(overlay.folder(), &["source", "pull"], &variables);
    assert_eq!(third.code, 0, "{}", third.messages);
}

#[test]
fn a_store_that_is_not_ours_or_cannot_be_made_is_refused_with_the_way_out() {
    let overlay = points(&["certification"]);
    let folder = overlay.folder();
    std::fs::write(folder.join("notes.txt"), "CANARY, not a database\n".repeat(200)).unwrap();
    let cases = [
        ("notes.txt", "notes.txt is not a database; give --store another path"),
        ("no/such/folder/iocgw.db", "does the folder exist and may iocgw write to it?"),
        ("config", "config"),
    ];
    for (store, words) in cases {
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--store", store];
        let done = iocgw(folder, &arguments, &nowhere());
        assert_eq!(done.code, PROBLEM, "{store}: {}", done.messages);
        assert!(done.messages.contains(words), "{store}: {}", done.messages);
    }
    let notes = std::fs::read_to_string(folder.join("notes.txt")).unwrap();
    assert_eq!(notes, "CANARY, not a database\n".repeat(200));
}

#[test]
fn a_port_that_is_taken_is_told_with_the_option_to_choose_another() {
    let overlay = points(&["certification"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let done = iocgw(overlay.folder(), &["serve", "--listen", &address], &nowhere());
    assert_eq!(done.code, PROBLEM);
    let words = format!("cannot listen on {address}; choose another with --listen");
    assert!(done.messages.contains(&words), "{}", done.messages);
}

#[test]
fn health_is_silent_and_tells_by_its_exit_code() {
    let overlay = points(&["certification"]);
    let upstream = quiet();
    let variables = addresses(&[("certification", &upstream)]);
    let gateway = Gateway::start(&overlay.config(), overlay.folder(), &variables);
    let url = format!("http://{}/livez", gateway.address);
    let well = iocgw(overlay.folder(), &["health", "--url", &url], &variables);
    assert_eq!((well.code, well.data.as_str(), well.messages.as_str()), (0, "", ""));
    let wrong = format!("http://{}/no-such-page", gateway.address);
    assert_eq!(iocgw(overlay.folder(), &["health", "--url", &wrong], &variables).code, UNREACHABLE);
    gateway.stop();
    let gone = iocgw(overlay.folder(), &["health", "--url", &url], &variables);
    assert_eq!((gone.code, gone.data.as_str(), gone.messages.as_str()), (UNREACHABLE, "", ""));
}

#[test]
fn a_turn_can_be_taken_by_hand_and_its_cells_exported_to_recount() {
    let overlay = points(&["certification"]);
    let mut notary = record("b");
    notary["site_type"] = "notary".into();
    let records = page(&[record("a"), notary]);
    let upstream = Upstream::start(move |_| Reply::json(&records));
    let variables = addresses(&[("certification", &upstream)]);
    let pulled = iocgw(overlay.folder(), &["source", "pull"], &variables);
    assert_eq!(pulled.code, 0, "{}", pulled.messages);
    assert_eq!(
        pulled.data,
        "certification.acts: received 2 = accepted 2 + superseded 0 + duplicate 0 + quarantined 0 \
         + rejected 0\n"
    );
    let export = |measure: &str| {
        let done = iocgw(overlay.folder(), &["measure", "export", measure], &variables);
        assert_eq!(done.code, 0, "{}", done.messages);
        done.data
    };
    insta::assert_snapshot!(export("certification_acts.fees"), @r"
    day,area,site_type,amount
    2025-08-04,16681,commune,60000
    2025-08-04,16681,notary,60000
    ");
    insta::assert_snapshot!(export("certification_acts.chip_ok"), @r"
    day,area,amount
    2025-08-04,16681,8
    ");
}

#[test]
fn help_begins_with_what_to_type() {
    let folder = tempfile::tempdir().unwrap();
    let help = iocgw(folder.path(), &["--help"], &BTreeMap::new());
    assert_eq!(help.code, 0);
    for words in ["iocgw demo", "iocgw config check", "serve", "source", "measure", "health"] {
        assert!(help.data.contains(words), "{words}: {}", help.data);
    }
    let wrong = iocgw(folder.path(), &["srve"], &BTreeMap::new());
    assert_eq!(wrong.code, 2);
    assert!(wrong.messages.contains("serve"), "{}", wrong.messages);
    let version = iocgw(folder.path(), &["--version"], &BTreeMap::new());
    assert_eq!(version.data, format!("iocgw {}\n", env!("CARGO_PKG_VERSION")));
}

//! The identifier key is replaced on a running installation: nothing is counted twice, and a start
//! with a key that the store does not know is refused.

use serde_json::{Value, json};

use crate::support::certification::{addresses, page, points, record};
use crate::support::{Gateway, Moody, Overlay, Reply};

/// Three points; `copies` electronic ones at each.
fn answer(copies: u64) -> Reply {
    let records: Vec<Value> = ["a", "b"]
        .map(|site| {
            let mut record = record(site);
            record["e_certified_copies"] = json!(copies);
            record["updated_at"] = json!(format!("2025-08-04T17:00:{copies:02}+07:00"));
            record
        })
        .into();
    Reply::json(&page(&records))
}

fn write(overlay: &Overlay, name: &str, key: &str) {
    let path = overlay.folder().join("secrets").join(name);
    std::fs::write(path, format!("{key} identifier key for tests, and for tests only")).unwrap();
}

/// Electronic copies of all points, when they have become `copies`.
fn copies(gateway: &Gateway, copies: u64) -> Value {
    let path = "/v1/indicators/e_copy_share/value?period=2025-08-04";
    gateway.wait_until("the copies", path, |a| a.json()["numerator"] == copies).json()
}

fn left(gateway: &Gateway) -> Option<String> {
    let text = gateway.get("/metrics").body;
    let name = "iocgw_identifier_records_under_previous_key{contract=\"certification_acts\"} ";
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
}

#[test]
fn a_replaced_key_counts_nothing_twice_and_an_unknown_one_is_refused() {
    let (overlay, moody) = (points(&["moody"]), Moody::start(answer(10)));
    let variables = addresses(&[("moody", &moody.upstream)]);
    let start = || Gateway::try_start(&overlay.config(), overlay.folder(), &variables);
    write(&overlay, "identifier_key", "The first");
    let gateway = start().unwrap();
    let before = copies(&gateway, 20);
    assert_eq!(left(&gateway), None);
    gateway.stop();

    // Another key alone is refused before anything is pulled.
    write(&overlay, "identifier_key", "The second");
    let log = start().err().expect("an unknown key is refused");
    assert!(log.contains("counted twice") && log.contains("identifier_key.previous"), "{log}");
    assert!(!log.contains("The second"), "{log}");

    // With the former one beside it, what comes again is known.
    write(&overlay, "identifier_key.previous", "The first");
    let gateway = start().unwrap();
    gateway.wait_until("all renewed", "/metrics", |_| left(&gateway).as_deref() == Some("0"));
    assert_eq!(copies(&gateway, 20)["denominator"], before["denominator"]);
    gateway.kill();

    // Without it, too, from then on.
    std::fs::remove_file(overlay.folder().join("secrets/identifier_key.previous")).unwrap();
    moody.now(answer(12));
    let gateway = start().unwrap();
    let after = copies(&gateway, 24);
    assert_eq!(after["value"], json!(24.0 / 84.0));
    assert_eq!(left(&gateway), None);
}

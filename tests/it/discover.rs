//! From an unknown system to its records in the store: discover a draft, fill it in, pull.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::certification::{COMMUNE, secrets};
use crate::support::{Overlay, Reply, Upstream, edit, run_in, variables};

/// A gate's days, as a system that nobody has described sends them.
fn rows() -> Vec<Value> {
    let row = |n: i64| {
        json!({
            "site": format!("CANARY-{n}"), "commune": COMMUNE, "day": format!("2025-08-0{n}"),
            "visits": n * 10, "updated": format!("2025-08-0{n}T17:00:00+07:00"),
            "full_name": "CANARY keeper",
        })
    };
    (1..=6).map(row).collect()
}

fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = run_in(folder, arguments, &variables());
    (status.code(), [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat())
}

#[test]
fn a_discovered_draft_is_refused_until_it_is_filled_in_and_then_pulls() {
    let upstream = Upstream::start(|_| Reply::json(&json!({"items": rows()}).to_string()));
    let overlay = Overlay::new();
    secrets(&overlay.folder().join("secrets"));
    for folder in ["sources", "indicators", "trackers", "boards", "tests"] {
        overlay.clear(folder);
    }
    let folder = overlay.folder();
    let url = format!("{}/rows", upstream.url());
    let (code, said) =
        run(folder, &["source", "discover", &url, "--name", "gates", "--out", "config"]);
    assert_eq!(code, Some(0), "{said}");
    let contract = overlay.config().join("contracts/gates.yaml");
    let source = overlay.config().join("sources/gates.yaml");
    let drafted = [&contract, &source].map(|path| std::fs::read_to_string(path).unwrap());
    for text in &drafted {
        assert!(!text.contains("CANARY") && !text.contains(COMMUNE), "a value is in\n{text}");
    }

    let (code, said) = run(folder, &["config", "check"]);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("config/contracts/gates.yaml:") && said.contains("FILL_IN"), "{said}");

    for path in [&contract, &source] {
        edit(path, "title: {vi: FILL_IN, en: FILL_IN}", "title: {vi: Cổng, en: Gates}");
        edit(path, "accountable_unit: FILL_IN", "accountable_unit: vp-ubnd");
    }
    edit(&contract, "purpose: FILL_IN", "purpose: counting visits");
    edit(&contract, "legal_basis: FILL_IN", "legal_basis: a decision of the province");
    // One page of six records of six sites; a list of changes would have more of each.
    edit(&contract, "key: [site]", "key: [site, day]");
    let (code, said) = run(folder, &["config", "check"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(folder, &["source", "pull", "gates"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("received 6 = accepted 6 ") && !said.contains("CANARY"), "{said}");
    let store = std::fs::read(folder.join("iocgw.db")).unwrap();
    assert!(!store.windows(6).any(|window| window == b"CANARY"), "a value that nobody mapped");
}

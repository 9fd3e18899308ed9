//! The stewards' tools by the real program: cases, schemas, contracts for others.

use std::collections::BTreeMap;
use std::fs;
use std::process::Output;

use crate::support::{Overlay, run_in, variables};

const CASE: &str = "tests:
  - name: {vi: Một phiên, en: One session}
    now: 2025-08-05T10:00:00+07:00
    contract: kiosk_sessions
    records: []
    expect: {counts: {received: RECEIVED}}
";

/// Runs with no variable set: nothing here asks a source.
fn run(overlay: &Overlay, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = run_in(overlay.folder(), arguments, &BTreeMap::new());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn the_shipped_cases_pass_without_network_store_or_environment() {
    let overlay = Overlay::new();
    let (code, said, _) = run(&overlay, &["test", "--junit", "outcome.xml"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.starts_with("TAP version 14\n1..") && said.contains(" passed, 0 failed"),
        "{said}"
    );
    let junit = fs::read_to_string(overlay.folder().join("outcome.xml")).unwrap();
    assert_eq!(junit.matches("<testcase ").count(), said.matches("\nok ").count());
    let left: Vec<_> =
        fs::read_dir(overlay.folder()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "only config and the report: {left:?}");
}

#[test]
fn a_case_that_fails_is_1_and_one_that_makes_no_sense_is_78() {
    let overlay = Overlay::new();
    let file = overlay.folder().join("case.yaml");
    let outcome = |received: &str| {
        fs::write(&file, CASE.replace("RECEIVED", received)).unwrap();
        run(&overlay, &["test", "case.yaml"])
    };
    assert_eq!(outcome("0").0, Some(0));
    let (code, said, _) = outcome("3");
    assert_eq!(code, Some(1));
    assert!(said.contains("at: \"case.yaml:6:33\"") && said.contains("expected: \"3\""), "{said}");
    let (code, said, why) = outcome("many");
    assert_eq!((code, said.as_str()), (Some(78), ""));
    assert!(why.contains("case.yaml:6:33: tests.0.expect.counts.received"), "{why}");
    assert_eq!(run(&overlay, &["test", "nowhere.yaml"]).0, Some(1));
}

#[test]
fn the_check_of_a_configuration_looks_at_its_cases_too() {
    let overlay = Overlay::new();
    fs::write(
        overlay.folder().join("config/tests/extra.yaml"),
        CASE.replace("kiosk_sessions", "kiosks").replace("RECEIVED", "0"),
    )
    .unwrap();
    let output = run_in(overlay.folder(), &["config", "check"], &variables());
    let why = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{why}");
    assert!(
        why.contains(
            "config/tests/extra.yaml:4:15: tests.0.contract: there is no contract 'kiosks'"
        ),
        "{why}"
    );
}

#[test]
fn every_kind_of_file_has_a_schema() {
    let overlay = Overlay::new();
    let kinds = ["source", "contract", "indicators", "units", "areas", "gateway", "test"];
    assert_eq!(run(&overlay, &["config", "schema", "--out", "schemas"]).0, Some(0));
    for kind in kinds {
        let (code, said, _) = run(&overlay, &["config", "schema", "--kind", kind]);
        assert_eq!(code, Some(0), "{kind}");
        let schema: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["additionalProperties"], false, "{kind}");
        let file = overlay.folder().join(format!("schemas/{kind}.schema.json"));
        assert_eq!(fs::read_to_string(file).unwrap(), said);
    }
    assert_eq!(run(&overlay, &["config", "schema"]).0, Some(2));
    assert_eq!(run(&overlay, &["config", "schema", "--kind", "nothing"]).0, Some(2));
}

#[test]
fn a_contract_is_listed_exported_and_tried() {
    let overlay = Overlay::new();
    let (code, said, _) = run(&overlay, &["contract", "list"]);
    assert_eq!(code, Some(0));
    assert!(
        said.lines().any(|line| line.starts_with("facilities\tversion 1\t8 properties")),
        "{said}"
    );
    let (code, said, _) = run(&overlay, &["contract", "export", "facilities"]);
    assert_eq!(code, Some(0));
    assert!(said.starts_with("apiVersion: v3.1.0\nkind: DataContract\nid: facilities\n"), "{said}");
    let (code, _, why) = run(&overlay, &["contract", "export", "facilites"]);
    assert_eq!(code, Some(1));
    assert!(why.contains("did you mean 'facilities'?"), "{why}");
    let good = r#"{"facility": "CANARY-1", "commune": "16681", "kind": "hotel", "status": "active", "rooms": 3, "updated_at": "2025-08-01"}"#;
    let records =
        [good, &good.replace("hotel", "CANARY-2"), &good.replace(": 3,", ": -3,")].join("\n");
    fs::write(overlay.folder().join("sample.ndjson"), records).unwrap();
    let (code, said, why) =
        run(&overlay, &["contract", "check", "facilities", "--sample", "sample.ndjson"]);
    assert_eq!(code, Some(1), "{why}");
    assert!(
        said.starts_with("facilities: 3 records: 1 keep the contract, 2 would go to quarantine"),
        "{said}"
    );
    assert!(
        said.contains("1 × unknown_code: kind") && said.contains("1 × out_of_range: rooms"),
        "{said}"
    );
    assert!(!said.contains("CANARY") && !why.contains("CANARY"), "a value is printed: {said}{why}");
}

//! What `config check` says of every configuration in `tests/config`, good and bad.
//!
//! All bad ones stand in one snapshot, word for word: the messages are what a steward works with,
//! so a change of wording is looked at like a change of behaviour.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Output;

use crate::support::{Overlay, named, run_in, variables as shipped_variables};

/// Exit code: the configuration is invalid.
const INVALID: i32 = 78;

/// Addresses for the variables that the configurations name; nothing listens there.
fn variables() -> BTreeMap<String, String> {
    let mut all = shipped_variables();
    all.insert("CERTIFICATION_URL".to_owned(), "http://127.0.0.1:9".to_owned());
    all
}

fn check(folder: &Path, variables: &BTreeMap<String, String>) -> Output {
    run_in(folder, &["config", "check", "--config", "config"], variables)
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn every_bad_configuration_is_refused_with_all_its_problems_and_their_places() {
    let mut report = String::new();
    for case in named("bad") {
        let overlay = Overlay::new().lay(&format!("bad/{case}"));
        let output = check(overlay.folder(), &variables());
        let said = said(&output);
        assert_eq!(output.status.code(), Some(INVALID), "{case}: {said}");
        assert_eq!(output.stdout, b"", "{case}: problems go to standard error");
        assert!(!said.contains("CANARY"), "{case} prints a secret: {said}");
        assert!(!said.contains(overlay.folder().to_str().unwrap()), "{case}: {said}");
        let problems = said.lines().filter(|line| has_place(line)).count();
        let announced = format!("the configuration has {problems} problem(s)");
        assert!(said.contains(&announced), "{case}: {announced}? {said}");
        write!(report, "== {case}\n{said}\n").unwrap();
    }
    insta::assert_snapshot!(report);
}

/// Whether a line begins with `config/….yaml:line:column: `.
fn has_place(line: &str) -> bool {
    let mut parts = line.splitn(4, ':');
    let file = parts.next().is_some_and(|file| file.starts_with("config/"));
    let mut number = || parts.next().is_some_and(|n| n.parse::<u32>().is_ok_and(|n| n > 0));
    file && number() && number()
}

#[test]
fn every_good_configuration_is_accepted_and_counted() {
    let shipped = Overlay::new();
    let output = check(shipped.folder(), &variables());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    for case in named("good") {
        let overlay = Overlay::new().lay(&format!("good/{case}"));
        let output = check(overlay.folder(), &variables());
        assert_eq!(output.status.code(), Some(0), "{case}: {}", said(&output));
        let counts = String::from_utf8(output.stdout).unwrap();
        assert!(counts.starts_with("config: good: ") && counts.contains(" indicators"), "{counts}");
    }
}

#[test]
fn a_fourth_system_is_a_few_files_and_no_code() {
    let count = |overlay: &Overlay| {
        let output = check(overlay.folder(), &variables());
        let text = String::from_utf8(output.stdout).unwrap();
        let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
        numbers.map(|digits| digits.parse::<u32>().unwrap()).collect::<Vec<_>>()
    };
    let before = count(&Overlay::new());
    let after = count(&Overlay::new().lay("good/fourth_system"));
    let added: Vec<u32> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
    // Sources, streams, contracts, measures, indicators, code lists, communes, cases.
    assert_eq!(added, [1, 1, 1, 6, 3, 1, 0, 0]);
}

#[test]
fn each_missing_variable_is_named_once_where_it_is_first_needed() {
    let folder = Overlay::new();
    let output = check(folder.folder(), &BTreeMap::new());
    assert_eq!(output.status.code(), Some(INVALID));
    let said = said(&output);
    let wanted: Vec<String> = shipped_variables().into_keys().collect();
    for name in &wanted {
        let lines: Vec<&str> = said.lines().filter(|line| names(line, name)).collect();
        assert_eq!(lines.len(), 1, "{name}: {lines:#?}");
        assert!(has_place(lines[0]), "{}", lines[0]);
    }
    assert_eq!(said.lines().filter(|line| has_place(line)).count(), wanted.len(), "{said}");
}

/// Whether a line speaks of this very variable, not of a longer name.
fn names(line: &str, name: &str) -> bool {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == name)
}

#[test]
fn a_folder_that_is_not_there_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        run_in(folder.path(), &["config", "check", "--config", "no/such/place"], &variables());
    assert_eq!(output.status.code(), Some(INVALID));
    assert!(said(&output).contains("no/such/place"), "{}", said(&output));
}

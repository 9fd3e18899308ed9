//! The shipped cases, and that a case which is wrong fails where it is wrong.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::case::Case;
use super::*;
use crate::config::{self, Options};
use crate::model::dictionary::Dictionaries;
use crate::model::observation::Reason;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config")
}

fn shipped() -> Config {
    let lookup = |_: &str| Some("http://nowhere.invalid".to_owned());
    let (words, identifier_key) = (Dictionaries::default(), b"of a test");
    let previous_key = None;
    config::load(Options {
        dir: &folder(),
        kept: None,
        lookup: &lookup,
        words,
        identifier_key,
        previous_key,
    })
    .unwrap()
}

/// The cases in a text, as if it were the file `case.yaml`.
fn written(text: &str, config: &Config) -> Result<Suite, Vec<String>> {
    let (mut problems, file) = (Vec::new(), "case.yaml".to_owned());
    let node = yaml::parse(text, &file, &mut problems).unwrap();
    let cases = yaml::decode::<CaseFile>(&node, &file, &mut problems).map(|written| {
        let mut found = Vec::new();
        let cases = check::cases(written, config, &mut found);
        for (at, message) in found {
            problems.push(Problem::new(node.place_of(&file, &at), at, message));
        }
        cases
    });
    match cases {
        Some(cases) if problems.is_empty() => {
            Ok(Suite { files: vec![ReadFile { file, node, cases }] })
        }
        _ => Err(problems.iter().map(ToString::to_string).collect()),
    }
}

/// One good case about one session at a kiosk, with what it expects.
fn session(expect: &str) -> String {
    format!(
        "tests:
  - name: {{vi: Một phiên, en: A session & more}}
    now: 2025-08-05T10:00:00+07:00
    contract: kiosk_sessions
    records:
      - session: CANARY-S1
        commune: \"16681\"
        started_at: 2025-08-05 09:00:00
        service: dossier_submit
        outcome: completed
        voided: false
        updated_at: 2025-08-05 09:02:00
    expect: {expect}
"
    )
}

fn differences(expect: &str, config: &Config) -> Vec<String> {
    let verdicts = written(&session(expect), config).unwrap().run(config);
    let found = verdicts.into_iter().flat_map(|verdict| verdict.differences);
    found
        .map(|it| format!("{}: {}: {} / {}", it.place.line, it.about, it.expected, it.actual))
        .collect()
}

#[test]
fn every_shipped_case_passes() {
    let config = shipped();
    let suite = read(&files(&folder().join(FOLDER)), &config).unwrap();
    assert!(suite.len() >= 60, "{} cases", suite.len());
    for verdict in suite.run(&config) {
        assert!(verdict.differences.is_empty(), "{verdict:#?}");
    }
}

#[test]
fn the_shipped_cases_feed_every_stream_and_contract_and_meet_every_reason() {
    let config = shipped();
    let (mut fed, mut reasons, mut read) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut note = |stream: Option<String>, contract: Option<String>, expect: case::Expect| {
        fed.extend(stream.into_iter().chain(contract));
        reasons.extend(expect.rejects.into_iter().flatten().map(|reject| reject.reason));
        read.extend(expect.readings.into_iter().map(|reading| reading.indicator));
    };
    for file in files(&folder().join(FOLDER)) {
        let (name, mut problems) = (file.display().to_string(), Vec::new());
        let node = yaml::read(&file, &name, &mut problems).unwrap();
        let written = yaml::decode::<CaseFile>(&node, &name, &mut problems).unwrap();
        for Case { stream, contract, expect, then, .. } in written.tests {
            note(stream, contract, expect);
            then.into_iter().for_each(|step| note(step.stream, step.contract, step.expect));
        }
    }
    for source in &config.sources {
        for stream in &source.streams {
            let name = format!("{}.{}", source.written.source, stream.name);
            assert!(fed.contains(&name), "no case feeds {name}");
        }
    }
    // What is too old is refused by the one who keeps the records, and a case keeps none.
    assert_eq!(
        reasons,
        Reason::ALL.into_iter().filter(|reason| *reason != Reason::Expired).collect()
    );
    assert!(read.len() >= 35, "only {} indicators are read: {read:?}", read.len());
}

#[test]
fn a_good_expectation_leaves_no_difference() {
    let config = shipped();
    for expect in [
        "{}",
        "{rows: [{outcome: completed, commune: \"16681\", ended_at: null}], counts: {received: 1, accepted: 1}}",
        "{rejects: [], readings: [{indicator: kiosk_abandonment_rate, period: 2025-08-05, value: 0}]}",
        "{readings: [{indicator: kiosk_abandonment_rate, period: latest, denominator: 1, status: provisional}]}",
    ] {
        assert_eq!(differences(expect, &config), [] as [&str; 0], "{expect}");
    }
}

#[test]
fn every_kind_of_wrong_expectation_fails_at_its_line() {
    let config = shipped();
    for (expect, told) in [
        ("{rows: []}", "13: records: 0 accepted / 1 accepted"),
        ("{rows: [{outcome: failed}]}", "13: outcome: failed / completed"),
        ("{rows: [{commune: 16681@2024-12}]}", "13: commune: 16681@2024-12 / 16681@2025-07"),
        ("{rows: [{updated_at: null}]}", "13: updated_at: null / 2025-08-05T09:02:00+07:00"),
        ("{rejects: [{reason: missing}]}", "13: records: 1 in quarantine / 0 in quarantine []"),
        ("{counts: {duplicate: 1}}", "13: duplicate: 1 / 0"),
        ("{counts: {withdrawn: 1}}", "13: withdrawn: 1 / 0"),
        ("{refused: true}", "13: the page: refused / read"),
    ] {
        assert_eq!(differences(expect, &config), [told], "{expect}");
    }
    for (reading, told) in [
        ("value: 0.5", "value: 0.5 / 0"),
        ("value: null", "value: null / 0"),
        ("denominator: 2", "denominator: 2 / 1"),
        ("status: final", "status: final / provisional"),
        ("reason: no_events", "reason: no_events / none"),
        ("target: off_track", "target: off_track / on_track"),
        ("freshness: stale", "freshness: stale / fresh"),
        ("completeness: 0.5", "completeness: 0.5 / 1"),
        ("quarantined: 1", "quarantined: 1 / 0"),
        ("area: 16690, value: 0", "value: 0 / null (no_base)"),
        (
            "by: {service: info}, value: 0",
            "13: kiosk_abandonment_rate of 2025-08-05: info / no such part",
        ),
    ] {
        let expect = format!(
            "{{readings: [{{indicator: kiosk_abandonment_rate, period: 2025-08-05, {reading}}}]}}"
        );
        let found = differences(&expect, &config);
        assert!(found.len() == 1 && found[0].ends_with(told), "{reading}: {found:?}");
    }
}

#[test]
fn a_reject_that_nobody_expects_fails_the_case() {
    let config = shipped();
    let text = session("{}").replace("outcome: completed", "outcome: CANARY");
    let verdicts = written(&text, &config).unwrap().run(&config);
    let found = &verdicts[0].differences;
    assert_eq!(found[0].actual, "1 in quarantine, the first for unknown_code: outcome");
    let text = text.replace("expect: {}", "expect: {counts: {quarantined: 1}}");
    assert!(written(&text, &config).unwrap().run(&config)[0].differences.is_empty());
}

#[test]
fn a_name_that_does_not_exist_is_told_with_its_place_and_a_hint() {
    let config = shipped();
    for (from, to, told) in [
        (
            "contract: kiosk_sessions",
            "contract: kiosk_sesions",
            "case.yaml:4:15: tests.0.contract: there is no contract 'kiosk_sesions' – did you mean 'kiosk_sessions'?",
        ),
        (
            "contract: kiosk_sessions",
            "stream: portal.dosiers",
            "there is no stream 'portal.dosiers' – did you mean 'portal.dossiers'?",
        ),
        (
            "contract: kiosk_sessions",
            "contract: kiosk_sessions\n    stream: portal.dossiers",
            "name a stream or a contract, not both",
        ),
        (
            "expect: {EXPECT}",
            "polls: []\n    expect: {}",
            "give one of 'records', 'polls' and 'page'",
        ),
        (
            "outcome: completed",
            "outcom: completed",
            "has no property 'outcom' – did you mean 'outcome'?",
        ),
        (
            "{EXPECT}",
            "{rows: [{outcom: completed}]}",
            "has no property 'outcom' – did you mean 'outcome'?",
        ),
        (
            "{EXPECT}",
            "{rows: [{outcome: complete}]}",
            "'complete' is not a code of the list – did you mean 'completed'?",
        ),
        ("{EXPECT}", "{rows: [{session: CANARY}]}", "an identifier is kept only as a keyed hash"),
        ("{EXPECT}", "{rows: [{updated_at: 05/08/2025}]}", "'05/08/2025' is not a moment"),
        ("{EXPECT}", "{rejects: [{reason: mising}]}", "did you mean 'missing'?"),
        (
            "{EXPECT}",
            "{rejects: [{reason: missing, rule: servise}]}",
            "has no property or check 'servise' – did you mean 'service'?",
        ),
        (
            "{EXPECT}",
            "{readings: [{indicator: kiosk_queu, period: 2025}]}",
            "there is no indicator 'kiosk_queu' – did you mean 'kiosk_queue'?",
        ),
        (
            "{EXPECT}",
            "{readings: [{indicator: kiosk_queue, period: 2025-13}]}",
            "'2025-13' is not a period",
        ),
        (
            "{EXPECT}",
            "{readings: [{indicator: kiosk_queue, period: 2025, area: 1}]}",
            "'1' is no commune of today",
        ),
        (
            "{EXPECT}",
            "{readings: [{indicator: kiosk_abandonment_rate, period: 2025, by: {servise: info}}]}",
            "is not kept by 'servise' – did you mean 'service'?",
        ),
        (
            "{EXPECT}",
            "{readings: [{indicator: kiosk_abandonment_rate, period: 2025, by: {service: inf}}]}",
            "'service' is never 'inf' – did you mean 'info'?",
        ),
        ("{EXPECT}", "{reading: []}", "unknown key 'reading'"),
    ] {
        let text = session("{EXPECT}").replacen(from, to, 1).replace("{EXPECT}", "{}");
        let problems = written(&text, &config).unwrap_err();
        assert!(problems.len() == 1 && problems[0].contains(told), "{to}: {problems:#?}");
    }
    let text = session("{}") + "    then: [{now: 2025-08-05T09:59:59+07:00}]\n";
    assert!(written(&text, &config).unwrap_err()[0].contains("time does not go back"));
}

#[test]
fn both_reports_name_what_failed_where_and_how() {
    let config = shipped();
    let verdicts = written(&session("{counts: {accepted: 2}}"), &config).unwrap().run(&config);
    insta::assert_snapshot!(format!("{}\n{}", tap(&verdicts), junit(&verdicts)), @r#"
    TAP version 14
    1..1
    not ok 1 - case.yaml: Một phiên (A session & more)
      ---
      differences:
        - at: "case.yaml:13:33"
          about: "accepted"
          expected: "2"
          actual: "1"
      ...
    # 0 passed, 1 failed

    <?xml version="1.0" encoding="UTF-8"?>
    <testsuite name="iocgw test" tests="1" failures="1" errors="0">
      <testcase classname="case.yaml" name="Một phiên (A session &amp; more)">
        <failure message="accepted: expected 2, got 1">case.yaml:13:33</failure>
      </testcase>
    </testsuite>
    "#);
    let good = written(&session("{}"), &config).unwrap().run(&config);
    assert!(tap(&good).starts_with("TAP version 14\n1..1\nok 1 - case.yaml: Một phiên"));
    assert!(junit(&good).contains("failures=\"0\""));
}

#[test]
fn a_sample_is_judged_by_property_from_an_array_or_line_by_line() {
    let config = shipped();
    let sample = Sample::of(&config, "facilities").unwrap();
    let now = crate::model::time::Stamp::parse("2025-08-05T10:00:00+07:00").unwrap();
    let good = r#"{"facility": "CANARY", "commune": "16681", "kind": "hotel", "status": "active", "rooms": 3, "updated_at": "2025-08-01"}"#;
    let bad = good.replace("hotel", "CANARY");
    for text in [format!("[{good}, {bad}]"), format!("{good}\n\n{bad}\n")] {
        let passed = sample.read_file(&text, now).unwrap();
        assert_eq!((passed.received, passed.normalised.observations.len()), (2, 1));
        assert_eq!(passed.normalised.rejects[0].reason, Reason::UnknownCode);
    }
    assert!(sample.read_file("<html>", now).is_err());
    assert!(matches!(Sample::of(&config, "nothing"), Err(SampleError::UnknownContract(_))));
}

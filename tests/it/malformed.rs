//! The tables of `tests/malformed/`: malformed input in every format, each with its exact outcome.
//!
//! A line is `verb ⇥ stream ⇥ input ⇥ outcome`. Verbs: `page` is a whole page; `cut N` is the first
//! N bytes of the stream's golden page; `set FIELD` is the golden record with this text on the wire
//! for a field, `drop` the golden record without one; `date` is a moment, and its stream the date format.
//! Input is text with `\n \r \t \\ \xNN` and `«TEXT*COUNT»` for repetition. Outcomes: `refused CLASS`,
//! or for each record, joined by ` ; `, `ok` (with the field's value, where one is set) or the reason
//! and rule of its reject; `none` for a sound page without records. Whatever comes in, nothing panics and no message
//! and no reject quotes a field that is not mapped.

mod golden;
mod same;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use golden::{Bench, Golden};

const TABLES: [&str; 7] = ["json", "ndjson", "csv", "xlsx", "xml", "prometheus", "dates"];

/// One line of a table, its input unescaped.
struct Case {
    place: String,
    verb: String,
    stream: String,
    input: Vec<u8>,
    outcome: String,
}

/// S05, S06, S08, S16, S19 and S20.
#[test]
fn every_malformed_input_has_its_exact_outcome() {
    let bench = Bench::new();
    let mut wrong = String::new();
    let mut count = 0;
    for case in cases() {
        let outcome = outcome(&bench, &case);
        if outcome != case.outcome {
            let _ = writeln!(wrong, "{}: {outcome}\n    not: {}", case.place, case.outcome);
        }
        count += 1;
    }
    assert!(count >= 1_000, "only {count} cases");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn no_case_stands_twice() {
    let mut seen = BTreeSet::new();
    for Case { place, verb, stream, input, .. } in cases() {
        assert!(seen.insert((verb, stream, input)), "{place}: stands twice");
    }
}

#[test]
fn the_golden_pages_are_sound() {
    let bench = Bench::new();
    for name in Golden::NAMES {
        let golden = bench.golden(name);
        let outcome = bench.page(golden, &golden.page);
        let records = golden.records;
        assert_eq!(outcome, ["ok"].repeat(records).join(" ; "), "{name}");
    }
}

#[test]
fn escapes_and_repetitions_are_what_they_say() {
    assert_eq!(unescaped(r"a\n\x00\\«[*3»{}«{*2»"), b"a\n\0\\[[[{}{{");
}

fn outcome(bench: &Bench, case: &Case) -> String {
    let text = || String::from_utf8(case.input.clone()).expect("text is text");
    let (verb, what) = case.verb.split_once(' ').unwrap_or((&case.verb, ""));
    if verb == "date" {
        return bench.date(&case.stream, &text());
    }
    let golden = bench.golden(&case.stream);
    match verb {
        "page" => bench.page(golden, &case.input),
        "cut" => bench.page(golden, &golden.page[..what.parse::<usize>().expect("a length")]),
        "set" => bench.field(golden, what, Some(&text())),
        "drop" => bench.field(golden, what, None),
        _ => panic!("{}: no verb '{verb}'", case.place),
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for table in TABLES {
        let path = format!("{}/tests/malformed/{table}.tsv", env!("CARGO_MANIFEST_DIR"));
        for (i, line) in fs::read_to_string(&path).expect("a table").lines().enumerate() {
            let place = format!("{table}.tsv:{}", i + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let [verb, stream, input, outcome] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{place}: a case has four columns");
            };
            cases.push(Case {
                place,
                verb: verb.to_owned(),
                stream: stream.to_owned(),
                input: unescaped(input),
                outcome: outcome.to_owned(),
            });
        }
    }
    cases
}

/// Undoes `\n \r \t \\ \xNN` and `«TEXT*COUNT»`.
fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((again, after)) = repetition(rest) {
            out.extend(again);
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if c != '\\' {
            out.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let (escape, after) = rest.split_at(1);
        rest = after;
        match escape {
            "n" => out.push(b'\n'),
            "r" => out.push(b'\r'),
            "t" => out.push(b'\t'),
            "\\" => out.push(b'\\'),
            "x" => {
                out.push(u8::from_str_radix(&rest[..2], 16).expect("two hexadecimal digits"));
                rest = &rest[2..];
            }
            // A backslash that JSON or a quoted label uses.
            other => out.extend([b"\\", other.as_bytes()].concat()),
        }
    }
    out
}

/// `«TEXT*COUNT»` at the front, if it stands there.
fn repetition(text: &str) -> Option<(Vec<u8>, &str)> {
    let (inside, after) = text.strip_prefix('«')?.split_once('»')?;
    let (again, count) = inside.rsplit_once('*')?;
    Some((unescaped(again).repeat(count.parse().ok()?), after))
}

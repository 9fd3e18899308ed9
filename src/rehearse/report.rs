//! How cases went: TAP 14 for people and scripts, JUnit XML for continuous integration.

use std::fmt::Write as _;

use super::{Difference, Verdict};

/// The Test Anything Protocol, version 14.
pub fn tap(verdicts: &[Verdict]) -> String {
    let mut text = format!("TAP version 14\n1..{}\n", verdicts.len());
    for (i, verdict) in verdicts.iter().enumerate() {
        let outcome = if verdict.differences.is_empty() { "ok" } else { "not ok" };
        // A line of TAP ends at `#`, where directives begin.
        let name = verdict.name.replace('\\', "\\\\").replace('#', "\\#").replace('\n', " ");
        line(&mut text, &format!("{outcome} {} - {}: {name}", i + 1, verdict.file));
        if !verdict.differences.is_empty() {
            line(&mut text, "  ---");
            line(&mut text, "  differences:");
            for difference in &verdict.differences {
                block(&mut text, difference);
            }
            line(&mut text, "  ...");
        }
    }
    let failed = verdicts.iter().filter(|verdict| !verdict.differences.is_empty()).count();
    line(&mut text, &format!("# {} passed, {failed} failed", verdicts.len() - failed));
    text
}

fn block(text: &mut String, difference: &Difference) {
    let Difference { place, about, expected, actual } = difference;
    line(text, &format!("    - at: {}", quoted(&place.to_string())));
    line(text, &format!("      about: {}", quoted(about)));
    line(text, &format!("      expected: {}", quoted(expected)));
    line(text, &format!("      actual: {}", quoted(actual)));
}

/// JUnit XML, as build servers read it.
pub fn junit(verdicts: &[Verdict]) -> String {
    let failed = verdicts.iter().filter(|verdict| !verdict.differences.is_empty()).count();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    line(
        &mut text,
        &format!(
            "<testsuite name=\"iocgw test\" tests=\"{}\" failures=\"{failed}\" errors=\"0\">",
            verdicts.len()
        ),
    );
    for verdict in verdicts {
        let (file, name) = (escaped(&verdict.file), escaped(&verdict.name));
        if verdict.differences.is_empty() {
            line(&mut text, &format!("  <testcase classname=\"{file}\" name=\"{name}\"/>"));
            continue;
        }
        line(&mut text, &format!("  <testcase classname=\"{file}\" name=\"{name}\">"));
        for Difference { place, about, expected, actual } in &verdict.differences {
            let message = format!("{about}: expected {expected}, got {actual}");
            let place = escaped(&place.to_string());
            line(
                &mut text,
                &format!("    <failure message=\"{}\">{place}</failure>", escaped(&message)),
            );
        }
        line(&mut text, "  </testcase>");
    }
    line(&mut text, "</testsuite>");
    text
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string takes all that is written to it");
}

/// A double-quoted scalar: the quoting of JSON is good in YAML too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Text for XML; what XML cannot hold at all becomes a blank.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

//! Samples as exporters write them.

use super::{decoder, shown, try_decoder};
use crate::decode::DecodeError;

const EACH: &str = "{kind: prometheus, metrics: [kiosk_sessions_total, kiosk_up]}";

fn each(page: &str) -> Result<Vec<String>, DecodeError> {
    let map = ["/name", "/labels/kiosk", "/value", "/timestamp"];
    let decoder = decoder(EACH, None, &map, &[]);
    decoder.decode(page.as_bytes()).map(|decoded| shown(&decoded.records))
}

#[test]
fn samples_of_the_wanted_metrics_are_records() {
    let page = "# HELP kiosk_up x\n# TYPE kiosk_up gauge\nkiosk_up 1\ngo_gc{x=\"CANARY\"} 5\n\n\
                kiosk_sessions_total{kiosk=\"K\\\"1\\\\\\n\",note=\"CANARY\",} 1.5e+06 1711962000000\n \tkiosk_up { kiosk = \"\" , a=\"b\" } NaN\n";
    assert_eq!(
        each(page).unwrap(),
        [
            "kiosk_up|-|#1|-",
            "kiosk_sessions_total|K\"1\\\n|1500000|#1711962000000",
            "kiosk_up|-|0|-",
        ]
    );
}

#[test]
fn numbers_are_written_out_digit_by_digit() {
    let cases = [
        ("1", "#1"),
        ("-1", "#-1"),
        ("+1", "1"),
        ("1.50", "#1.50"),
        ("1e3", "1000"),
        ("1.234567e+06", "1234567"),
        ("1.5E-3", "0.0015"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-2.5e1", "-25"),
        ("12.5e0", "12.5"),
        ("123e-1", "12.3"),
        ("9007199254740993", "#9007199254740993"),
        ("NaN", "0"),
        ("nan", "0"),
        ("+Inf", "!"),
        ("-Inf", "!"),
        ("inf", "!"),
        ("1e41", "!"),
        ("1e-400", "!"),
        ("0e0", "0"),
    ];
    for (written, expected) in cases {
        let rows = each(&format!("kiosk_up {written}\n")).unwrap();
        assert_eq!(rows, [format!("kiosk_up|-|{expected}|-")], "{written}");
    }
}

#[test]
fn a_page_may_be_one_record_of_several_series() {
    let map = ["kiosk_up", "paper{tray=\"1\"}", "paper{tray=\"2\"}", "gone"];
    let decoder = decoder("{kind: prometheus}", None, &map, &[]);
    let page = "kiosk_up 1\npaper{tray=\"1\",size=\"A4\"} 250\npaper{tray=\"2\"} 0\n";
    let decoded = decoder.decode(page.as_bytes()).unwrap();
    assert_eq!(shown(&decoded.records), ["#1|#250|#0|-"]);
    assert!(decoded.records.malformed.is_empty());
    let twice = "paper{tray=\"1\",size=\"A4\"} 1\npaper{tray=\"1\",size=\"A5\"} 2\n";
    assert_eq!(decoder.decode(twice.as_bytes()).unwrap().records.malformed, [0]);
}

#[test]
fn one_broken_line_refuses_the_page() {
    for line in [
        "kiosk_up",
        "kiosk_up x",
        "1kiosk 1",
        "kiosk-up 1",
        "kiosk_up{a=\"b\" 1",
        "kiosk_up{a=b} 1",
        "kiosk_up{a=\"b\",a=\"c\"} 1",
        "kiosk_up{1=\"b\"} 1",
        "kiosk_up{a=\"b\\x\"} 1",
        "kiosk_up 1 2 3",
        "kiosk_up 1 x",
        "kiosk_up 1 NaN",
        "kiosk_up{,} 1",
        "{a=\"b\"} 1",
        "kiosk_up 0x10",
        "kiosk_up 1,5",
        "kiosk_up 1 #",
        "<html>",
        "{\"a\":1}",
    ] {
        let outcome = each(&format!("kiosk_up 1\n{line}\n"));
        assert!(matches!(outcome, Err(DecodeError::Syntax { .. })), "{line}: {outcome:?}");
    }
    assert!(matches!(each("kiosk_up 1\n# EOF\nkiosk_up 2\n"), Err(DecodeError::Syntax { .. })));
    assert!(matches!(each("kiosk_up{a=\"\0\"} 1\n"), Err(DecodeError::Syntax { .. })));
}

#[test]
fn what_openmetrics_has_in_common_is_read() {
    let page = "kiosk_sessions_total{kiosk=\"a\"} 1 1711962000.5 # {trace=\"CANARY\"} 0.5\nkiosk_up 1 # {} 1\n# EOF\n";
    assert_eq!(each(page).unwrap(), ["kiosk_sessions_total|a|#1|#1711962000.5", "kiosk_up|-|#1|-"]);
}

#[test]
fn a_page_cut_inside_a_line_yields_nothing() {
    let page = "kiosk_up 100\nkiosk_up{kiosk=\"xã\"} 200 3000\n";
    let whole = each(page).unwrap();
    for cut in 0..page.len() {
        let Some(part) = page.get(..cut) else { continue };
        match each(part) {
            Ok(rows) => {
                assert!(part.ends_with('\n') && rows == whole[..rows.len()], "cut at {cut}");
            }
            Err(error) => {
                assert!(cut == 0 || matches!(error, DecodeError::Truncated(_)), "{error}");
            }
        }
    }
}

#[test]
fn paths_that_a_sample_does_not_have_are_refused() {
    for path in ["/nam", "value", "/labels/", "/labels/a-b", "/labels/a/b", ""] {
        assert!(try_decoder(EACH, None, &[path], &[]).is_err(), "{path}");
    }
    for path in ["/value", "a{", "a{b=c}", "a{b=\"c\"} 1", "1a", ""] {
        assert!(try_decoder("{kind: prometheus}", None, &[path], &[]).is_err(), "{path}");
    }
    assert!(try_decoder("{kind: prometheus, metrics: [a-b]}", None, &["/value"], &[]).is_err());
    assert!(try_decoder("{kind: prometheus}", None, &["a", "a"], &[]).is_err());
}

//! Lines that are records, and lines that are not.

use super::{decoder, shown, try_decoder};
use crate::decode::DecodeError;

fn read(page: &[u8]) -> Result<(Vec<String>, Vec<usize>), DecodeError> {
    let decoder = decoder("{kind: ndjson}", None, &["/a", "/b/c"], &[]);
    let decoded = decoder.decode(page)?;
    Ok((shown(&decoded.records), decoded.records.malformed))
}

#[test]
fn each_line_is_a_record() {
    let page =
        "\u{feff}{\"a\":1,\"b\":{\"c\":\"x\"}}\r\n\n  {\"x\":\"CANARY\"}\n{\"b\":{\"c\":null}}";
    assert_eq!(
        read(page.as_bytes()).unwrap(),
        (vec!["#1|x".into(), "-|-".into(), "-|0".into()], vec![])
    );
}

#[test]
fn a_broken_line_is_one_malformed_record() {
    let page = b"{\"a\":1}\n{\"a\":CANARY}\n{\"a\":2\n5\n[]\n{\"a\":3} x\n{\"a\":4,\"a\":5}\n{\"a\":\"\xFF\"}\n{\"a\":6}\n";
    let (shown, malformed) = read(page).unwrap();
    assert_eq!(malformed, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(shown.first().map(String::as_str), Some("#1|-"));
    assert_eq!(shown.last().map(String::as_str), Some("#6|-"));
    assert!(!shown.concat().contains("CANARY"));
}

#[test]
fn a_first_line_that_is_no_whole_object_is_another_format() {
    for page in [
        "[{\"a\":1}]\n",
        "<html>\n",
        "error\n",
        "{\n\"a\":1}\n",
        "5\n{\"a\":1}\n",
        "\u{1f}\u{8b}\n",
    ] {
        let outcome = read(page.as_bytes());
        assert!(matches!(outcome, Err(DecodeError::Syntax { .. })), "{page}: {outcome:?}");
    }
}

#[test]
fn a_page_cut_at_any_byte_yields_whole_lines_or_nothing() {
    let page = "{\"a\":1,\"b\":{\"c\":\"xã\"}}\n{\"a\":22}\n{\"a\":333}\n";
    let whole = read(page.as_bytes()).unwrap().0;
    for cut in 1..page.len() {
        match read(&page.as_bytes()[..cut]) {
            Ok((rows, malformed)) => {
                assert_eq!(rows, whole[..rows.len()], "cut at {cut}");
                assert!(
                    malformed.is_empty()
                        && page.as_bytes()[cut - 1..].starts_with(b"}")
                            | page.as_bytes()[cut..].starts_with(b"{"),
                    "cut at {cut}"
                );
            }
            Err(error) => assert!(matches!(error, DecodeError::Truncated(_)), "{error}"),
        }
    }
}

#[test]
fn nothing_at_all_is_an_error_unless_it_is_declared_to_mean_no_records() {
    let lenient = decoder("{kind: ndjson, may_be_empty: true}", None, &["/a"], &[]);
    for page in ["", "\n", "\u{feff} \r\n"] {
        assert!(matches!(read(page.as_bytes()), Err(DecodeError::Shape(_))));
        assert_eq!(lenient.decode(page.as_bytes()).unwrap().records.count, 0);
    }
    assert!(try_decoder("{kind: ndjson}", None, &["a"], &[]).is_err());
}

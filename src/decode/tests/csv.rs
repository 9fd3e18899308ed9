//! Rows as spreadsheets write them, and as they must not be.

use super::{decoder, shown, try_decoder};
use crate::decode::{DecodeError, MAX_FIELDS, MAX_RECORDS, MAX_VALUE};
use crate::model::text::normal;

fn read(format: &str, map: &[&str], page: &[u8]) -> Result<Vec<String>, DecodeError> {
    let decoder = decoder(format, None, map, &[]);
    let decoded = decoder.decode(page)?;
    let mut shown = shown(&decoded.records);
    for malformed in &decoded.records.malformed {
        shown[*malformed].push_str(" malformed");
    }
    Ok(shown)
}

fn plain(page: &str) -> Result<Vec<String>, DecodeError> {
    read("{kind: csv}", &["b", "a"], page.as_bytes())
}

#[test]
fn columns_are_found_by_their_names_in_any_order() {
    let page = "\u{feff}x, a ,\"b\"\r\nCANARY,1,\"2,\n3\"\r\n\r\n,,\"a \"\"b\"\"\"";
    let rows = plain(page).unwrap();
    assert_eq!(rows, ["2,\n3|1", "a \"b\"|0"]);
}

#[test]
fn columns_and_elements_that_nobody_wants_are_counted_and_not_read() {
    let csv = decoder("{kind: csv}", None, &["b", "a"], &[]);
    let page = csv.decode(b"x,a,CANARY,b\n1,2,3,4\n").unwrap();
    assert_eq!(page.records.unmapped, Some(2));
    let xml = decoder("{kind: xml}", Some("/r/i"), &["/a", "/b/c"], &[]);
    let page = b"<r><x/><i><a/><b><c/><d/></b></i><i><x><y/></x><z/></i></r>";
    assert_eq!(xml.decode(page).unwrap().records.unmapped, Some(2));
    let lines = decoder("{kind: ndjson}", None, &["/a"], &[]);
    assert_eq!(lines.decode(b"{\"a\":1,\"x\":2}\n").unwrap().records.unmapped, Some(1));
}

#[test]
fn an_empty_field_is_null_quoted_or_not() {
    assert_eq!(plain("a,b\n,\"\"\n\"\",\n").unwrap(), ["0|0", "0|0"]);
}

#[test]
fn a_row_of_another_width_or_with_a_stray_quote_is_malformed_and_gives_up_its_values() {
    let page = "a,x,b\n1,CANARY,2\n1,CANARY\n1,2,3,CANARY\n1,x\"y,CANARY\n\"1\"x,2,CANARY\n3,x,4\n";
    let gone = "-|- malformed";
    assert_eq!(plain(page).unwrap(), ["2|1", gone, gone, gone, gone, "4|3"]);
}

#[test]
fn a_quote_that_is_never_closed_is_a_page_cut_off() {
    for page in ["a,b\n1,\"2", "a,b\n1,\"2\n3,4\n", "a,\"b", "a,b\n1,\"2\"\""] {
        let outcome = plain(page);
        assert!(matches!(outcome, Err(DecodeError::Truncated(_))), "{page}: {outcome:?}");
    }
}

#[test]
fn a_header_without_a_wanted_column_or_with_it_twice_refuses_the_page() {
    for page in ["a\n1\n", "a,B\n1,2\n", "a,b,a\n1,2,3\n", "{\"a\":1}\n", "a;b\n1;2\n"] {
        let outcome = plain(page);
        assert!(
            matches!(outcome, Err(DecodeError::Shape(_) | DecodeError::Syntax { .. })),
            "{page}: {outcome:?}"
        );
    }
    assert_eq!(plain("a,b,x,x\n1,2,3,4\n").unwrap(), ["2|1"]);
    assert_eq!(plain("a,b\n").unwrap(), [""; 0]);
}

#[test]
fn without_a_header_columns_are_counted() {
    let format = "{kind: csv, header: false, delimiter: \";\"}";
    let rows = read(format, &["3", "1"], b"1;x;2\n3;y;4\n5;z\n").unwrap();
    assert_eq!(rows, ["2|1", "4|3", "-|- malformed"]);
    assert!(matches!(read(format, &["3"], b"1;2\n"), Err(DecodeError::Shape(_))));
    for place in ["0", "x", "-1", "1025", ""] {
        assert!(try_decoder(format, None, &[place], &[]).is_err(), "{place}");
    }
    for delimiter in ["x", ";;", "", "\\n", "\\\""] {
        let format = format!("{{kind: csv, delimiter: \"{delimiter}\"}}");
        let misfit = try_decoder(&format, None, &["a"], &[]).unwrap_err();
        assert_eq!(misfit.0, "format.delimiter", "{delimiter}");
    }
    assert!(try_decoder("{kind: csv}", None, &["a", " "], &[]).is_err());
}

#[test]
fn nothing_at_all_is_an_error_unless_it_is_declared_to_mean_no_records() {
    for page in ["", "\n", "\r\n\n", "\u{feff}"] {
        assert!(matches!(plain(page), Err(DecodeError::Shape(_))));
        let rows = read("{kind: csv, may_be_empty: true}", &["a"], page.as_bytes());
        assert_eq!(rows.unwrap(), [""; 0]);
    }
}

#[test]
fn old_windows_files_are_read_in_their_code_page() {
    let format = "{kind: csv, encoding: windows-1258}";
    // "Tên xã" with its tone apart, "Phường Việt" with both tones apart.
    let page = b"T\xEAn xa\xDE,CANARY\nPh\xFD\xF5\xCCng Vi\xEA\xF2t,1\n";
    let rows = read(format, &["Tên xã"], page).unwrap();
    assert_eq!(rows.iter().map(|text| normal(text)).collect::<Vec<_>>(), ["Phường Việt"]);
}

#[test]
fn utf_16_is_read_in_both_orders_and_half_a_character_is_a_malformed_record() {
    let format = "{kind: csv, encoding: utf-16, delimiter: \"\\t\"}";
    let text = "tên\tx\r\nxã \"\"\ty\r\nhuyện\tz\r\n".replace("xã \"\"", "\"xã \"\"1\"\"\"");
    let units: Vec<u16> = text.encode_utf16().collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = [0xFEFF].iter().chain(&units).flat_map(|unit| unit.to_be_bytes()).collect();
    for page in [&little, &big] {
        assert_eq!(read(format, &["tên"], page).unwrap(), ["xã \"1\"", "huyện"]);
        assert!(matches!(
            read(format, &["tên"], &page[..page.len() - 1]),
            Err(DecodeError::Truncated(_))
        ));
    }
    let broken: Vec<u8> =
        "a\n1\n".encode_utf16().chain([0xD800, 0x0A]).flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(format, &["a"], &broken).unwrap(), ["1", "- malformed"]);
    let nul: Vec<u8> = "a\n\0\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(matches!(read(format, &["a"], &nul), Err(DecodeError::Syntax { .. })));
}

#[test]
fn a_broken_character_matters_only_where_it_is_wanted() {
    let rows = read("{kind: csv}", &["a"], b"a,x\n\xFF,1\n2,\xFF\n").unwrap();
    assert_eq!(rows, ["- malformed", "2"]);
}

#[test]
fn what_is_no_table_is_refused() {
    for page in ["<html>\n", "  <?xml?>", "a,b\n1,\0\n"] {
        assert!(matches!(plain(page), Err(DecodeError::Syntax { .. })), "{page}");
    }
}

#[test]
fn what_has_too_much_of_anything_is_refused() {
    let wide = format!("a,b\n{}\n", ",".repeat(MAX_FIELDS));
    let long = format!("a,b\n1,{}\n", "x".repeat(MAX_VALUE + 1));
    let many = format!("a,b\n{}", "1,2\n".repeat(MAX_RECORDS + 1));
    for page in [wide, long, many] {
        assert!(matches!(plain(&page), Err(DecodeError::Limit(_))));
    }
    let unwanted = format!("a,b,x\n1,2,{}\n", "x".repeat(MAX_VALUE + 1));
    assert_eq!(plain(&unwanted).unwrap(), ["2|1"]);
}

#[test]
fn a_page_that_is_cut_yields_no_half_row_or_shows_that_its_end_is_open() {
    let page = "a,b\n10,20\n30,\"40\"\n50,60\n";
    let whole = plain(page).unwrap();
    let decoder = decoder("{kind: csv}", None, &["b", "a"], &[]);
    for cut in 0..page.len() {
        let part = &page.as_bytes()[..cut];
        if decoder.decode_framed(part, false) == Err(DecodeError::Open) {
            continue;
        }
        let rows = plain(&page[..cut]).unwrap();
        assert_eq!(rows, whole[..rows.len()], "cut at {cut}");
    }
    let page = b"a,b\n1,2";
    assert_eq!(decoder.decode_framed(page, false), Err(DecodeError::Open));
    assert_eq!(decoder.decode_framed(page, true).unwrap().records.count, 1);
    assert_eq!(decoder.decode_framed(b"a,b\n1,2\r\n", false).unwrap().records.count, 1);
}

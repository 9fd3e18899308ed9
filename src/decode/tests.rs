//! Decoding by example, and by everything that can go wrong with a page.

mod csv;
mod exposition;
mod ndjson;
mod xml;

use proptest::prelude::*;

use super::json::decode;
use super::*;
use crate::model::record::Value;

/// The decoder of a format as a steward writes it.
fn decoder(format: &str, records: Option<&str>, map: &[&str], around: &[&str]) -> Decoder {
    try_decoder(format, records, map, around).unwrap()
}

fn try_decoder(
    format: &str,
    records: Option<&str>,
    map: &[&str],
    around: &[&str],
) -> Result<Decoder, Misfit> {
    let format: Format = serde_saphyr::from_str(format).unwrap();
    let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
    Decoder::compile(&format, records, &owned(map), &owned(around))
}

/// The records' values in a few characters: `-` absent, `0` null, `!` unfit.
fn shown(records: &Records<'_>) -> Vec<String> {
    let one = |value: &Value<'_>| match value {
        Value::Absent => "-".to_owned(),
        Value::Null => "0".to_owned(),
        Value::Unfit | Value::Items(_) => "!".to_owned(),
        Value::Text(text) => text.to_string(),
        Value::Number(digits) => format!("#{digits}"),
        Value::Boolean(value) => value.to_string(),
    };
    let record = |i| records.record(i).iter().map(one).collect::<Vec<_>>().join("|");
    (0..records.count).map(record).collect()
}

fn picks(map: &[&str]) -> Picks {
    let map: Vec<_> = map.iter().map(|path| (*path).to_owned()).collect();
    Picks::new(Some("/data/items"), &map, &["/next".to_owned(), "/error_code".to_owned()]).unwrap()
}

const PAGE: &str = r#"{"error_code":"0","data":{"total":2,"items":[
  {"MaHoSo":"H41-1","ChuHoSo":"CANARY-NAME","phi":{"Gia":"12000","x":[1,{"y":2}]},"n":1.50,"co":true,"trong":null},
  {"ghi":"a\"b","MaHoSo":"H\u00e0","n":-7}]},"next":"/p/2"}"#;

/// S28: fields that nobody listed.
#[test]
fn only_mapped_values_come_out() {
    let picks = picks(&["/MaHoSo", "/phi/Gia", "/n", "/co", "/trong"]);
    let decoded = decode(PAGE.as_bytes(), &picks).unwrap();
    assert_eq!(decoded.envelope, [Some("/p/2".to_owned()), Some("0".to_owned())]);
    assert_eq!(decoded.records.count, 2);
    assert_eq!(
        decoded.records.record(0),
        [
            Value::Text("H41-1".into()),
            Value::Text("12000".into()),
            Value::Number("1.50"),
            Value::Boolean(true),
            Value::Null
        ]
    );
    assert_eq!(
        decoded.records.record(1),
        [
            Value::Text("Hà".into()),
            Value::Absent,
            Value::Number("-7"),
            Value::Absent,
            Value::Absent
        ]
    );
    assert!(!format!("{decoded:?}").contains("CANARY"));
}

#[test]
fn a_page_may_be_the_array_itself_or_one_record() {
    let map = ["/a".to_owned()];
    let array = Picks::new(Some(""), &map, &[]).unwrap();
    assert_eq!(decode(br#"[{"a":1},{"a":2}]"#, &array).unwrap().records.count, 2);
    let single = Picks::new(None, &map, &[]).unwrap();
    assert_eq!(
        decode(br#"{"b":[],"a":"x"}"#, &single).unwrap().records.values,
        [Value::Text("x".into())]
    );
}

/// S20: a name that stands twice in one record.
#[test]
fn records_that_are_no_objects_or_name_a_field_twice_are_malformed() {
    let picks = picks(&["/a"]);
    let page = br#"{"data":{"items":[1,"x",null,[{"a":1}],true,1.5,{"a":1,"a":2},{"a":3},{"b":1,"b":2}]}}"#;
    let decoded = decode(page, &picks).unwrap();
    assert_eq!(decoded.records.malformed, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(decoded.records.count, 9);
}

/// S06: something else than what was asked for.
#[test]
fn pages_that_are_something_else_are_refused_in_words_that_quote_nothing() {
    let picks = picks(&["/a"]);
    let cases: [(&[u8], &str); 11] = [
        (b"", "it is empty"),
        (b"<!doctype html><html>CANARY</html>", "HTML"),
        (br#"{"data":{"items":[{"a":"CANARY"#, "ends too early"),
        (br#"{"data":{"items":{"a":"CANARY"}}}"#, "other types"),
        (br#"{"data":{"items":"CANARY"}}"#, "other types"),
        (br#"{"data":{"items":null}}"#, "other types"),
        (br#"{"data":{}}"#, "no records at '/data/items'"),
        (br#"{"data":{"items":[],"items":[]}}"#, "twice"),
        (br#"{"data":{"items":[]}} CANARY"#, "does not belong"),
        (br#""CANARY""#, "other types"),
        (b"{\"data\":{\"items\":[{\"a\":\"\xff\"}]}}", "not JSON"),
    ];
    for (page, words) in cases {
        let error = decode(page, &picks).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(!error.contains("CANARY"), "{error}");
    }
}

/// S05: a truncated body.
#[test]
fn a_page_cut_at_any_byte_yields_nothing() {
    let picks = picks(&["/MaHoSo", "/phi/Gia"]);
    for cut in 0..PAGE.len() {
        assert!(decode(&PAGE.as_bytes()[..cut], &picks).is_err(), "cut at {cut}");
    }
}

/// S08: endless depth.
#[test]
fn depth_is_bounded() {
    let picks = picks(&["/a"]);
    let deep = format!(
        r#"{{"data":{{"items":[{{"a":{}{}}}]}}}}"#,
        "[".repeat(1_000_000),
        "]".repeat(1_000_000)
    );
    // Either refused or skipped without recursion; never a crash, never a value.
    if let Ok(decoded) = decode(deep.as_bytes(), &picks) {
        assert_eq!(decoded.records.values, [Value::Unfit]);
    }
}

/// S20: half a character.
#[test]
fn a_lone_surrogate_is_no_text() {
    let picks = picks(&["/a"]);
    let decoded = decode(br#"{"data":{"items":[{"a":"\ud800"}]}}"#, &picks).unwrap();
    assert_eq!(decoded.records.values, [Value::Unfit]);
}

#[test]
fn paths_that_collide_are_refused() {
    for map in [["/a", "/a"], ["/a", "/a/b"], ["/a/b", "/a"], ["a", "/b"]] {
        let map = map.map(str::to_owned);
        assert!(Picks::new(Some("/x"), &map, &[]).is_err(), "{map:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(page in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&page, &picks(&["/a", "/b/c"]));
        for format in ["{kind: csv}", "{kind: csv, encoding: utf-16}", "{kind: csv, encoding: windows-1258}"] {
            let _ = decoder(format, None, &["a"], &[]).decode(&page);
        }
        let _ = decoder("{kind: ndjson}", None, &["/a"], &[]).decode(&page);
        let _ = decoder("{kind: xml}", Some("/r/i"), &["/a", "/@b"], &["/r/@next"]).decode(&page);
        let _ = decoder("{kind: prometheus, metrics: [a]}", None, &["/value"], &[]).decode(&page);
        let _ = decoder("{kind: prometheus}", None, &["a"], &[]).decode(&page);
    }

    /// The allow-list decoder against a whole tree, on records of any shape.
    #[test]
    fn picks_agree_with_a_whole_tree(numbers in prop::collection::vec((any::<i32>(), "[a-z\\\\\"é]{0,5}", any::<bool>()), 0..20)) {
        let items: Vec<_> = numbers.iter().map(|(n, text, there)| {
            if *there { serde_json::json!({"a": n, "x": {"y": text}, "b": {"c": text, "z": [n]}}) } else { serde_json::json!({"q": text}) }
        }).collect();
        let page = serde_json::json!({"data": {"items": items}}).to_string();
        let decoded = decode(page.as_bytes(), &picks(&["/a", "/b/c"])).unwrap();
        for (i, (n, text, there)) in numbers.iter().enumerate() {
            let digits = n.to_string();
            let expected = if *there { [Value::Number(&digits), Value::Text(text.into())] } else { [Value::Absent, Value::Absent] };
            prop_assert_eq!(decoded.records.record(i), &expected[..]);
        }
    }
}

#[test]
fn the_order_of_the_names_does_not_matter_even_when_it_changes_from_record_to_record() {
    let picks = Picks::new(Some(""), &["/a".to_owned(), "/b".to_owned()], &[]).unwrap();
    let page =
        br#"[{"x":0,"a":1,"b":2},{"b":3,"a":4,"x":0},{"a":5},{"x":0,"y":{"a":9},"b":6,"a":7},
        {"\u0061":8,"b":9},{"a":1,"b":2},{"b":1,"b":2},{}]"#;
    let records = decode(page, &picks).unwrap().records;
    let digits: Vec<_> = records
        .values
        .chunks(2)
        .map(|record| {
            record.iter().map(|value| if let Value::Number(n) = value { n } else { "" }).collect()
        })
        .collect::<Vec<Vec<_>>>();
    let wanted = [
        ["1", "2"],
        ["4", "3"],
        ["5", ""],
        ["7", "6"],
        ["8", "9"],
        ["1", "2"],
        ["", "2"],
        ["", ""],
    ];
    assert_eq!(digits, wanted);
    assert_eq!(records.malformed, [6]);
}

/// S20: invalid UTF-8.
#[test]
fn a_broken_character_where_nobody_looks_is_passed_over() {
    let picks = Picks::new(Some(""), &["/a".to_owned()], &[]).unwrap();
    let records = decode(b"[{\"a\":1,\"CANARY\":\"\xE9\"}]", &picks).unwrap().records;
    assert_eq!(records.values, [Value::Number("1")]);
    assert!(decode(b"[{\"a\":\"\xE9\"}]", &picks).is_err());
}

/// S20: a byte order mark, a NUL.
#[test]
fn what_windows_adds_is_passed_over_and_what_no_text_has_is_no_text() {
    let picks = Picks::new(Some(""), &["/a".to_owned()], &[]).unwrap();
    let page = b"\xEF\xBB\xBF[{\"a\":\"x\"},{\"a\":\"x\\u0000y\"}]";
    let records = decode(page, &picks).unwrap().records;
    assert_eq!(shown(&records), ["x", "!"]);
}

#[test]
fn a_wanted_value_of_more_than_a_mebibyte_refuses_the_page_and_an_unwanted_one_does_not() {
    let picks = Picks::new(Some(""), &["/a".to_owned()], &[]).unwrap();
    let long = "CANARY".repeat(MAX_VALUE / 6 + 1);
    let error = decode(format!(r#"[{{"a":"{long}"}}]"#).as_bytes(), &picks).unwrap_err();
    assert!(matches!(error, DecodeError::Limit(_)) && !error.to_string().contains("CANARY"));
    let page = format!(r#"[{{"a":"x","b":"{long}"}}]"#);
    assert_eq!(shown(&decode(page.as_bytes(), &picks).unwrap().records), ["x"]);
}

#[test]
fn a_format_whose_pages_hold_nothing_but_records_has_neither_their_place_nor_a_next_link() {
    for format in ["{kind: csv}", "{kind: ndjson}", "{kind: prometheus, metrics: [a]}"] {
        let map: &[&str] = if format.contains("metrics") { &["/value"] } else { &["/a"] };
        assert!(try_decoder(format, None, map, &[]).is_ok(), "{format}");
        assert_eq!(try_decoder(format, Some("/r"), map, &[]).unwrap_err().0, "records");
        assert_eq!(try_decoder(format, None, map, &["/next"]).unwrap_err().0, "format");
    }
    let unknown = ["{kind: yaml}", "{kind: csv, quote: x}", "{kind: json, x: 1}", "json", "{}"];
    for format in unknown {
        assert!(serde_saphyr::from_str::<Format>(format).is_err(), "{format}");
    }
}

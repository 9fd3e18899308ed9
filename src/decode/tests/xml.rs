//! Elements, attributes and everything that XML can hide.

use super::{decoder, shown, try_decoder};
use crate::decode::{DecodeError, MAX_DEPTH, MAX_FIELDS, MAX_VALUE};

fn read(page: &str) -> Result<Vec<String>, DecodeError> {
    let decoder = decoder(
        "{kind: xml}",
        Some("/r/list/i"),
        &["/a", "/b/@c", "/b/d", "/@id"],
        &["/r/@next", "/r/code"],
    );
    let decoded = decoder.decode(page.as_bytes())?;
    let mut shown = shown(&decoded.records);
    for malformed in &decoded.records.malformed {
        shown[*malformed].push_str(" malformed");
    }
    shown.push(format!("{:?}", decoded.envelope));
    Ok(shown)
}

/// One record with this inside.
fn one(inside: &str) -> Result<String, DecodeError> {
    read(&format!("<r><list><i>{inside}</i></list></r>")).map(|rows| rows[0].clone())
}

const PAGE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- x --><s:r xmlns:s=\"urn:x\" next=\"/p?a=1&amp;b=2\">
  <code> 0 </code><CANARY>CANARY</CANARY>
  <list n=\"2\">
    <i id=\"7\"><a>1 &lt; 2</a><n><a>CANARY</a></n><b c=\"x&#xE3;\"><d><![CDATA[<y>]]></d></b></i>
    <s:i><s:a/></s:i>
  </list></s:r>\n";

#[test]
fn wanted_elements_and_attributes_come_out_by_their_local_names() {
    let rows = read(PAGE).unwrap();
    assert_eq!(rows[..2], ["1 < 2|xã|<y>|7", "0|-|-|-"]);
    assert_eq!(rows[2], "[Some(\"/p?a=1&b=2\"), Some(\"0\")]");
}

#[test]
fn text_is_put_together_across_comments_and_character_data() {
    assert_eq!(one("<a>1<!-- x -->2<![CDATA[3]]><?p?>&#52;</a>").unwrap(), "1234|-|-|-");
}

#[test]
fn an_empty_element_and_a_nil_are_null() {
    for empty in
        ["<a/>", "<a></a>", "<a> \n </a>", "<a xsi:nil=\"true\">x</a>", "<a><!-- x --></a>"]
    {
        assert_eq!(one(empty).unwrap(), "0|-|-|-", "{empty}");
    }
}

#[test]
fn an_element_where_text_is_wanted_is_unfit_and_a_second_value_malforms_the_record() {
    assert_eq!(one("<a>1<x/>2</a>").unwrap(), "!|-|-|-");
    assert_eq!(one("<a>1</a><a>2</a>").unwrap(), "2|-|-|- malformed");
    assert_eq!(one("<b><d>1</d></b><b><d>2</d></b>").unwrap(), "-|-|2|- malformed");
    assert_eq!(one("<z>1</z><z>2</z>").unwrap(), "-|-|-|-");
}

#[test]
fn a_page_cut_at_any_byte_yields_nothing() {
    let end = PAGE.trim_end().len();
    for cut in 0..end {
        let Some(part) = PAGE.get(..cut) else { continue };
        assert!(read(part).is_err(), "cut at {cut}");
    }
    assert!(read(&PAGE[..end]).is_ok());
}

#[test]
fn nothing_is_declared_expanded_or_fetched() {
    let laughs = "<!DOCTYPE r [<!ENTITY a \"CANARY\"><!ENTITY b \"&a;&a;\">]><r>&b;</r>";
    let outside = "<!DOCTYPE r SYSTEM \"file:///etc/CANARY\"><r/>";
    for page in [
        laughs,
        outside,
        "<!doctype html><html></html>",
        "<r>&CANARY;</r>",
        "<r>&#0;</r>",
        "<r>&#xD800;</r>",
        "<r>&#1;</r>",
    ] {
        let error = read(page).unwrap_err();
        assert!(matches!(error, DecodeError::Syntax { .. }), "{page}: {error}");
        assert!(!error.to_string().contains("CANARY"), "{error}");
    }
}

#[test]
fn what_is_not_well_formed_is_refused() {
    for page in [
        "<r></x>",
        "<r/><r/>",
        "<r/>x",
        "x<r/>",
        "<r><a></r></a>",
        "</r>",
        "<r>a & b</r>",
        "<r>\u{1}</r>",
        "<r>\0</r>",
        "<r/><?xml version=\"1.0\"?>",
        "<?xml version=\"1.0\" encoding=\"utf-16\"?><r/>",
        "<r next=\"1\" next=\"2\"/>",
        "<r next=1/>",
        "<r next=\"<\"/>",
        "<r next=\"&x;\"/>",
        "<r next=\"&#1;\"/>",
        "<r><!-- a -- b --></r>",
        "&amp;<r/>",
        "<![CDATA[x]]><r/>",
    ] {
        let outcome = read(page);
        assert!(matches!(outcome, Err(DecodeError::Syntax { .. })), "{page}: {outcome:?}");
    }
}

#[test]
fn a_page_of_another_shape_has_no_records_but_may_tell_why() {
    let error = read("<r next=\"n\"><code>7</code></r>").unwrap_err();
    let DecodeError::NoRecords { envelope, .. } = error else { panic!("{error}") };
    assert_eq!(envelope, [Some("n".to_owned()), Some("7".to_owned())]);
    for page in ["<html><body/></html>", "<r/>", "<list><i/></list>"] {
        assert!(matches!(read(page), Err(DecodeError::NoRecords { .. })), "{page}");
    }
    assert_eq!(read("<r><list/></r>").unwrap().len(), 1);
    assert!(matches!(
        read("<r><code>1</code><code>2</code><list/></r>"),
        Err(DecodeError::Shape(_))
    ));
    assert!(matches!(read(" \n"), Err(DecodeError::Shape(_))));
}

#[test]
fn without_a_path_of_records_the_page_is_one() {
    let decoder = decoder("{kind: xml}", None, &["/", "/@b"], &[]);
    let page = decoder.decode(b"<any b=\"2\">1</any>").unwrap();
    assert_eq!(shown(&page.records), ["1|2"]);
    assert!(try_decoder("{kind: xml}", None, &["/a"], &["/n"]).is_err());
}

#[test]
fn paths_that_collide_or_are_none_are_refused() {
    for map in [
        ["/a", "/a"],
        ["/a", "/a/b"],
        ["/a/b", "/a"],
        ["/@a", "/@a"],
        ["a", "/b"],
        ["", "/b"],
        ["/a//b", "/c"],
        ["/s:a", "/c"],
        ["/@a/b", "/c"],
    ] {
        assert!(try_decoder("{kind: xml}", Some("/r/i"), &map, &[]).is_err(), "{map:?}");
    }
    assert!(try_decoder("{kind: xml}", Some("/r/i"), &["/a", "/a/@b"], &[]).is_ok());
    for (records, around) in [("i", "/r/n"), ("/r/i", "/r/i/n"), ("/r/i", "/r/i"), ("/", "/r")] {
        assert!(
            try_decoder("{kind: xml}", Some(records), &["/a"], &[around]).is_err(),
            "{records} {around}"
        );
    }
}

#[test]
fn what_has_too_much_of_anything_is_refused() {
    let deep = "<a>".repeat(MAX_DEPTH + 1);
    let long = format!("<r><list><i><a>{}</a></i></list></r>", "x".repeat(MAX_VALUE + 1));
    let attributes: String =
        (0..=MAX_FIELDS).fold(String::new(), |all, i| all + &format!(" a{i}=\"\""));
    let wide = format!("<r{attributes}/>");
    for page in [deep, long, wide] {
        assert!(matches!(read(&page), Err(DecodeError::Limit(_))));
    }
    let unwanted = format!("<r><list><i><x>{}</x></i></list></r>", "x".repeat(MAX_VALUE + 1));
    assert!(read(&unwanted).is_ok());
}

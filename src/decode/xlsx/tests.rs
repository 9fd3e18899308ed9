//! Workbooks as spreadsheets write them, and as nobody should.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::*;

const BOOK: &str = r#"<?xml version="1.0" encoding="UTF-8"?><workbook xmlns:r="r"><sheets>
<sheet name="Bìa" sheetId="1" r:id="rId1"/>
<sheet name="Sổ &amp; ghi" sheetId="2" r:id="rId2"/></sheets></workbook>"#;
const LINKS: &str = r#"<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Target="/xl/worksheets/sheet2.xml"/></Relationships>"#;
const TEXTS: &str = "<sst><si><t>Mã</t></si><si><t>Số lượng</t></si>\
    <si><r><t>CAN</t></r><r><t>ARY &lt;1&gt;</t></r><rPh><t>aid</t></rPh></si><si><t/></si><si/><si><t>Tên CANARY</t></si></sst>";

/// An archive of deflated parts, as the format says.
fn archive(parts: &[(&str, &str)]) -> Vec<u8> {
    let (mut out, mut list) = (Vec::new(), Vec::new());
    for (name, text) in parts {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        let packed = encoder.finish().unwrap();
        let mut crc = flate2::Crc::new();
        crc.update(text.as_bytes());
        let at = out.len() as u32;
        let mut common = vec![20, 0, 0, 8, 8, 0, 0, 0, 0, 0];
        common.extend(crc.sum().to_le_bytes());
        common.extend((packed.len() as u32).to_le_bytes());
        common.extend((text.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        out.extend([&b"PK\x03\x04"[..], &common, name.as_bytes(), &packed].concat());
        list.extend([&b"PK\x01\x02\x14\x00"[..], &common, &[0; 10]].concat());
        list.extend(at.to_le_bytes());
        list.extend(name.as_bytes());
    }
    let (count, at) = ((parts.len() as u16).to_le_bytes(), (out.len() as u32).to_le_bytes());
    let length = (list.len() as u32).to_le_bytes();
    let end = [&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &length, &at, &[0, 0]].concat();
    [out, list, end].concat()
}

fn book(rows: &str) -> Vec<u8> {
    let sheet = format!("<worksheet><sheetData>{rows}</sheetData></worksheet>");
    archive(&[
        ("xl/workbook.xml", BOOK),
        ("xl/_rels/workbook.xml.rels", LINKS),
        ("xl/sharedStrings.xml", TEXTS),
        ("xl/worksheets/sheet1.xml", "<worksheet><sheetData/></worksheet>"),
        ("xl/worksheets/sheet2.xml", &sheet),
    ])
}

const HEADER: &str = r#"<row r="2"><c r="A2" t="s"><v>0</v></c><c r="C2" t="s"><v>1</v></c><c r="D2" t="s"><v>5</v></c></row>"#;

fn sheet(names: &[&str]) -> Sheet {
    let map: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    Sheet::new(Some("Sổ & ghi"), 2, &map).unwrap()
}

fn read(rows: &str) -> Result<Vec<Vec<Value<'static>>>, DecodeError> {
    let page = book(&format!("{HEADER}{rows}"));
    let decoded = decode(&page, &sheet(&["Mã", "Số lượng"]))?;
    let owned = |value: &Value<'_>| match value {
        Value::Text(text) => Value::Text(Cow::Owned(text.to_string())),
        Value::Null => Value::Null,
        _ => Value::Unfit,
    };
    let records = &decoded.records;
    Ok((0..records.count).map(|i| records.record(i).iter().map(owned).collect()).collect())
}

fn text(text: &str) -> Value<'static> {
    Value::Text(Cow::Owned(text.to_owned()))
}

#[test]
fn cells_of_every_kind_are_read_as_the_sheet_shows_them() {
    let rows = r#"
      <row r="3"><c r="A3" t="s"><v>2</v></c><c r="C3"><v>12</v></c></row>
      <row r="5"><c r="A5" t="inlineStr"><is><t>trong ô</t></is></c><c r="C5" t="n"><f>1+1</f><v>1.1000000000000001</v></c></row>
      <row r="6"><c r="A6" t="str"><f>x()</f><v>tính</v></c><c r="C6" t="b"><v>1</v></c></row>
      <row r="7"><c r="A7" t="s"><v>3</v></c><c r="C7" t="e"><v>#N/A</v></c></row>
      <row r="8" spans="1:4"/>
      <row r="9"><c r="A9" s="4"/><c r="C9" s="4"><v></v></c></row>
      <row><c><v>9007199254740993</v></c><c/><c><v>1.5E-3</v></c></row>
      <row><c t="s"><v>99</v></c><c t="s"><v>5</v></c></row>"#;
    let wanted = vec![
        vec![text("CANARY <1>"), text("12")],
        vec![text("trong ô"), text("1.1")],
        vec![text("tính"), text("true")],
        vec![Value::Null, Value::Unfit],
        vec![text("9007199254740993"), text("0.0015")],
        vec![Value::Unfit, Value::Null],
    ];
    assert_eq!(read(rows).unwrap(), wanted);
}

#[test]
fn numbers_have_no_surprises() {
    for (written, shown) in [
        ("0.1", "0.1"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("1.1000000000000001", "1.1"),
        ("45566.75", "45566.75"),
        ("-3", "-3"),
        ("12345678901234567890", "12345678901234567890"),
        ("1E+10", "10000000000"),
        ("2.5e2", "250"),
    ] {
        assert_eq!(number(written).as_deref(), Some(shown), "{written}");
    }
    for broken in ["", "-", "1,5", "NaN", "inf", "0x10", "1e999", "1E-300", "1 2", "١"] {
        assert_eq!(number(broken), None, "{broken}");
    }
}

#[test]
fn the_sheet_and_its_columns_must_be_there_once() {
    let page = book(HEADER);
    let fails = |sheet: &Sheet| decode(&page, sheet).unwrap_err().to_string();
    assert!(fails(&sheet(&["Không có"])).contains("no column 'Không có'"));
    let map = ["Mã".to_owned()];
    let absent = Sheet::new(Some("Sổ"), 2, &map).unwrap();
    assert!(fails(&absent).contains("no sheet 'Sổ'"));
    let first = Sheet::new(None, 1, &map).unwrap();
    assert!(fails(&first).contains("no column"), "the first sheet is empty");
    let twice = HEADER.replace("<v>1</v>", "<v>0</v>");
    let error = decode(&book(&twice), &sheet(&["Mã"])).unwrap_err().to_string();
    assert!(error.contains("twice"), "{error}");
    // Decomposed letters in the sheet are the same name.
    let inline = r#"<row r="2"><c r="A2" t="inlineStr"><is><t>Mã</t></is></c></row>"#;
    assert_eq!(decode(&book(inline), &sheet(&["Mã"])).unwrap().records.count, 0);
    assert!(Sheet::new(None, 0, &map).is_err() && Sheet::new(None, 1, &[" ".to_owned()]).is_err());
}

#[test]
fn what_is_cut_or_broken_anywhere_is_refused_without_being_quoted() {
    let page = book(&format!("{HEADER}<row r=\"3\"><c r=\"A3\" t=\"s\"><v>2</v></c></row>"));
    let wanted = sheet(&["Mã"]);
    assert_eq!(decode(&page, &wanted).unwrap().records.count, 1);
    for length in 0..page.len() {
        let error = decode(&page[..length], &wanted).expect_err("a cut workbook").to_string();
        assert!(!error.contains("CANARY"), "{length}: {error}");
    }
    for at in 0..page.len() {
        let mut other = page.clone();
        other[at] ^= 0x55;
        // Some bytes say nothing (a date, a flag); none makes it panic or say something else.
        if let Ok(decoded) = decode(&other, &wanted) {
            assert_eq!(decoded.records.values, [text("CANARY <1>")], "byte {at}");
        }
    }
    for (rows, why) in [
        ("<row r=\"3\"><c r=\"A3\">", "sound XML"),
        ("<row r=\"3\"></c></row>", "sound XML"),
        ("<row r=\"2\"></row><row r=\"2\"/>", "not in order"),
        ("<row r=\"3\"><c r=\"3\"><v>1</v></c></row>", "no address"),
        ("<row r=\"3\"><c r=\"ZZZZ3\"><v>1</v></c></row>", "beyond column"),
        ("<!DOCTYPE x [<!ENTITY e 'CANARY'>]><row r=\"3\"/>", "document type"),
        ("<row r=\"3\"><c r=\"A3\" t=\"str\"><v>&e;</v></c></row>", "sound XML"),
    ] {
        let page = book(&format!("{HEADER}{rows}"));
        let error = decode(&page, &wanted).expect_err(rows).to_string();
        assert!(error.contains(why) && !error.contains("CANARY"), "{rows}: {error}");
    }
    for page in [&b"<html>CANARY</html>"[..], b"a;b\n1;2\n", b"PK", b"PK\x05\x06"] {
        let error = decode(page, &wanted).unwrap_err().to_string();
        assert!(!error.contains("CANARY"), "{error}");
    }
}

#[test]
fn a_bomb_is_refused_before_it_is_inflated() {
    // S22-like: a few kilobytes that say they are megabytes, and some that do not say so.
    let zeros = " ".repeat(archive::MAX_INFLATED + 1);
    let sheet_with = format!("<worksheet><sheetData>{zeros}</sheetData></worksheet>");
    let page = archive(&[
        ("xl/workbook.xml", BOOK),
        ("xl/_rels/workbook.xml.rels", LINKS),
        ("xl/worksheets/sheet2.xml", &sheet_with),
    ]);
    assert!(page.len() < 32_000);
    let error = decode(&page, &sheet(&["Mã"])).unwrap_err();
    assert!(matches!(error, DecodeError::Limit(_)), "{error}");
    // The list claims that the part is small.
    let mut lying = page.clone();
    let real = (sheet_with.len() as u32).to_le_bytes();
    let at = lying.windows(4).rposition(|four| four == real).unwrap();
    lying[at..at + 4].copy_from_slice(&100_u32.to_le_bytes());
    let error = decode(&lying, &sheet(&["Mã"])).unwrap_err().to_string();
    assert!(error.contains("not what the list says"), "{error}");
}

#[test]
fn other_date_systems_and_locked_books_are_told() {
    let book_1904 = BOOK.replace("<sheets>", "<workbookPr date1904=\"1\"/><sheets>");
    let parts = [("xl/workbook.xml", book_1904.as_str()), ("xl/_rels/workbook.xml.rels", LINKS)];
    let error = decode(&archive(&parts), &sheet(&["Mã"])).unwrap_err().to_string();
    assert!(error.contains("1904"), "{error}");
    let parts = [("word/document.xml", "<w/>")];
    let error = decode(&archive(&parts), &sheet(&["Mã"])).unwrap_err().to_string();
    assert!(error.contains("no workbook"), "{error}");
}
